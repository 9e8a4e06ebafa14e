"""The kernel cache: what is a hit, what is refused, and what survives a crash."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import warnings
from pathlib import Path

import cffi
import pytest

import opslib.errors
from opslib.errors import (
    ArgumentError,
    BackendUnavailable,
    CompileError,
    KernelError,
    OpslibWarning,
)
from opslib.runtime import cache, cache_build, cache_digest, cache_files, toolchain
from opslib.runtime.cache import KernelCache, cache_key, default_cache
from opslib.runtime.toolchain import find_toolchain

ROOT = str(Path(opslib.errors.__file__).parents[1])
SOURCE = "int value(void) { return %d; }\n"
FLAGS = ("-O1",)
NOBODY = 65534

as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root (chown, mount)"
)


@pytest.fixture(autouse=True)
def private_temporary_folder(tmp_path, monkeypatch):
    """Fallbacks go to a fresh temporary folder, so that no test sees another's."""
    folder = tmp_path / "systmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def store(tmp_path):
    return KernelCache(tmp_path / "store")


def load(store: KernelCache, value: int, flags=FLAGS, **more):
    return store.load(
        SOURCE % value, f"value {value}!", find_toolchain(), flags, **more
    )


def call(library) -> int:
    ffi = cffi.FFI()
    return ffi.cast("int(*)(void)", library.symbol("value"))()


def again(store: KernelCache) -> KernelCache:
    """The same folder as another process would see it."""
    return KernelCache(store.root)


def python(code: str, **more) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": ROOT, **more.pop("env", {})}
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        **more,
    )


def finish(process: subprocess.Popen, timeout=60.0) -> str:
    output, _ = process.communicate(timeout=timeout)
    assert process.returncode == 0, output
    return output


LOAD = """
    import sys
    from opslib.runtime.cache import KernelCache
    from opslib.runtime.toolchain import find_toolchain
    library = KernelCache(sys.argv[1] if len(sys.argv) > 1 else {root!r}).load(
        {source!r}, "value", find_toolchain(), {flags!r})
    library.symbol("value")
    print("cached" if library.was_cached else "compiled")
"""


def loading(root, value: int) -> str:
    return LOAD.format(root=str(root), source=SOURCE % value, flags=FLAGS)


# ---- hits and misses ----------------------------------------------------------------


def test_miss_then_hit(store):
    first = load(store, 7)
    assert not first.was_cached
    assert call(first) == 7
    assert load(store, 7).was_cached
    other = load(again(store), 7)
    assert other.was_cached
    assert call(other) == 7
    assert first.source_path.read_text() == SOURCE % 7
    assert re.fullmatch(r"value_7_\.(so|dylib)", first.path.name)


def test_another_process_finds_it(store):
    load(store, 7)
    assert finish(python(loading(store.root, 7))).strip() == "cached"


def test_the_key_covers_everything(store, tmp_path, monkeypatch):
    chain = find_toolchain()
    base = cache_key(SOURCE % 1, chain, FLAGS)
    assert base == cache_key(SOURCE % 1, chain, list(FLAGS))
    from dataclasses import replace

    others = {
        cache_key(SOURCE % 2, chain, FLAGS),
        cache_key(SOURCE % 1, chain, ("-O2",)),
        cache_key(SOURCE % 1, replace(chain, version="13"), FLAGS),
        cache_key(SOURCE % 1, replace(chain, path="/other/gcc"), FLAGS),
        cache_key(SOURCE % 1, replace(chain, language="c++"), FLAGS),
    }
    monkeypatch.setattr(cache_digest, "ABI_VERSION", 99)
    others.add(cache_key(SOURCE % 1, chain, FLAGS))
    monkeypatch.undo()
    monkeypatch.setattr(cache_digest, "_processor", lambda: "another one")
    others.add(cache_key(SOURCE % 1, chain, FLAGS))
    monkeypatch.undo()
    monkeypatch.setenv("CPATH", "/elsewhere")
    others.add(cache_key(SOURCE % 1, chain, FLAGS))
    assert len(others | {base}) == 9


def test_the_key_covers_headers_of_headers(tmp_path, monkeypatch):
    native = tmp_path / "native"
    (native / "sub").mkdir(parents=True)
    (native / "a.h").write_text('#include "sub/b.h"\n#include <stdint.h>\n')
    (native / "sub/b.h").write_text('# include "c.h"\n#include "a.h"\n')
    (native / "sub/c.h").write_text("#define C 1\n")
    monkeypatch.setattr(toolchain, "native_folder", lambda: native)
    chain = find_toolchain()
    source = '#include "a.h"\n#include "not_there.h"\n'
    first = cache_key(source, chain, ())
    assert first == cache_key(source, chain, ())
    (native / "sub/c.h").write_text("#define C 22\n")
    assert cache_key(source, chain, ()) != first
    assert [name for name, _ in cache_digest.included(source, [])] == [
        "a.h",
        "sub/b.h",
        "sub/c.h",
    ]


@pytest.mark.parametrize("joined", [True, False])
def test_the_key_covers_headers_that_flags_lead_to(store, tmp_path, joined):
    folder = tmp_path / "simulator"
    folder.mkdir()
    header = folder / "answer.h"
    header.write_text("#define ANSWER 41\n")
    source = '#include "answer.h"\nint answer(void) { return ANSWER; }\n'
    flags = [f"-I{folder}"] if joined else ["-I", str(folder)]
    gcc = toolchain.find_toolchain()
    before = store.load(source, "answer", gcc, flags)
    header.write_text("#define ANSWER 42 \n")
    after = store.load(source, "answer", gcc, flags)
    assert before.path != after.path


def test_abi_version_is_the_header_s():
    header = (toolchain.native_folder() / "opslib_abi.h").read_text()
    found = re.search(r"#define OPS_ABI_VERSION (\d+)", header)
    assert found is not None
    assert int(found[1]) == cache.ABI_VERSION


def test_many_libraries_do_not_stand_in_for_each_other(store):
    # All are loaded through the same descriptor number, hence under nearly one name.
    libraries = [load(store, value) for value in range(12)]
    assert [call(library) for library in libraries] == list(range(12))
    store = again(store)
    assert [call(load(store, value)) for value in range(12)] == list(range(12))


def test_loading_leaves_no_descriptor_open(store):
    load(store, 1)
    before = len(os.listdir("/proc/self/fd"))
    for value in range(2, 6):
        load(store, value)
    assert len(os.listdir("/proc/self/fd")) == before


def test_missing_symbol(store):
    with pytest.raises(KernelError, match="exports no 'nothing'") as caught:
        load(store, 1).symbol("nothing")
    assert caught.value.code == "E1009"


def test_undefined_symbol_is_not_blamed_on_the_folder(store):
    source = "int nowhere(void);\nint value(void) { return nowhere(); }\n"
    with pytest.raises(KernelError, match="nowhere") as caught:
        store.load(source, "value", find_toolchain(), ())
    assert caught.value.code == "E1008"


def test_permissions(store):
    old = os.umask(0)
    try:
        library = load(store, 1)
    finally:
        os.umask(old)
    path = library.path
    while path != store.root.parent:
        assert path.stat().st_mode & 0o022 == 0, path
        path = path.parent
    assert store.root.stat().st_mode & 0o777 == 0o700
    assert load(again(store), 1).was_cached


def test_compile_error_names_a_source_that_exists(store):
    with pytest.raises(CompileError) as caught:
        store.load("int f( {", "bad name", find_toolchain(), FLAGS)
    path = re.search(r"source: +(\S+)", str(caught.value))
    assert path is not None
    assert Path(path[1]).read_text() == "int f( {"
    assert list((store.root / "tmp").iterdir()) == []
    assert store.entries() == []


def test_only_the_newest_failures_are_kept(store, monkeypatch):
    monkeypatch.setattr(cache_build, "_KEPT_FAILURES", 3)
    for value in range(6):
        with pytest.raises(CompileError):
            store.load(f"int f{value}( {{", "bad", find_toolchain(), FLAGS)
    assert len(list((store.root / "failed").iterdir())) == 3


@pytest.mark.parametrize("value", ["abc", "-1", "0", "inf", "nan"])
def test_a_wrong_time_limit(store, monkeypatch, value):
    monkeypatch.setenv("OPSLIB_COMPILE_TIMEOUT", value)
    with pytest.raises(ArgumentError, match="OPSLIB_COMPILE_TIMEOUT"):
        load(store, 1)


def test_the_time_limit_is_obeyed(store, monkeypatch, tmp_path):
    slow = slow_compiler(tmp_path, 30)
    monkeypatch.setenv("OPSLIB_CC", str(slow))
    monkeypatch.setenv("OPSLIB_COMPILE_TIMEOUT", "0.4")
    began = time.monotonic()
    with pytest.raises(CompileError) as caught:
        load(store, 1)
    assert caught.value.code == "E1003"
    assert time.monotonic() - began < 10


# ---- damage -------------------------------------------------------------------------


def truncate(folder: Path, library: Path):
    library.write_bytes(library.read_bytes()[:-100])


def empty(folder: Path, library: Path):
    library.write_bytes(b"")


def garbage(folder: Path, library: Path):
    data = bytearray(library.read_bytes())
    data[len(data) // 2] ^= 0xFF
    library.write_bytes(bytes(data))


def no_library(folder: Path, library: Path):
    library.unlink()


def no_description(folder: Path, library: Path):
    (folder / "entry.json").unlink()


def half_a_description(folder: Path, library: Path):
    path = folder / "entry.json"
    path.write_text(path.read_text()[:50])


def a_list(folder: Path, library: Path):
    (folder / "entry.json").write_text("[1, 2]")


def another_format(folder: Path, library: Path):
    path = folder / "entry.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 999}))


def outside(folder: Path, library: Path):
    path = folder / "entry.json"
    described = {**json.loads(path.read_text()), "library": "/tmp/evil.so"}
    path.write_text(json.dumps(described))


def a_link(folder: Path, library: Path):
    elsewhere = folder.parent / "elsewhere.so"
    library.rename(elsewhere)
    library.symlink_to(elsewhere)


def writable_by_all(folder: Path, library: Path):
    library.chmod(0o777)


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        empty,
        garbage,
        no_library,
        no_description,
        half_a_description,
        a_list,
        another_format,
        outside,
        a_link,
        writable_by_all,
    ],
)
def test_a_damaged_entry_is_rebuilt(store, damage):
    library = load(store, 7)
    # In a copy: truncating a mapped file would kill this very process.
    copy = again(store)
    moved = store.root.parent / "moved"
    subprocess.run(["cp", "-r", store.root, moved], check=True)
    copy = KernelCache(moved)
    copied = moved / library.path.relative_to(store.root)
    assert copy.verify() == []
    damage(copied.parent, copied)
    assert [key for key, _ in copy.verify()] == [library.key]
    rebuilt = load(copy, 7)
    assert not rebuilt.was_cached
    assert call(rebuilt) == 7
    assert copy.verify() == []
    assert load(again(copy), 7).was_cached


# ---- folders that cannot be used ----------------------------------------------------


def expect_fallback(store: KernelCache, words: str, private: Path):
    with pytest.warns(OpslibWarning, match=words) as caught:
        library = load(store, 7)
    assert call(library) == 7
    assert library.path.is_relative_to(private)
    assert "OPSLIB_CACHE_DIR" in str(caught[0].message)
    assert caught[0].filename.endswith("test_cache.py"), "points at the caller"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # announced once
        assert call(load(store, 8)) == 8
        assert store.size() > 0
        assert len(store.entries()) == 2


def test_writable_by_others(store, private_temporary_folder):
    store.root.mkdir(mode=0o700)
    store.root.chmod(0o777)
    expect_fallback(store, "writable by other users", private_temporary_folder)
    assert list(store.root.iterdir()) == []


@as_root
def test_owned_by_another_user(store, private_temporary_folder):
    store.root.mkdir()
    os.chown(store.root, NOBODY, NOBODY)
    expect_fallback(store, "owned by another user", private_temporary_folder)


@as_root
def test_library_of_another_user(store):
    library = load(store, 7)
    os.chown(library.path, NOBODY, NOBODY)
    assert store.verify()
    assert not load(again(store), 7).was_cached


def test_a_file_in_the_way(store, private_temporary_folder):
    store.root.write_text("")
    expect_fallback(store, "cannot be made", private_temporary_folder)


def test_home_unset(monkeypatch, private_temporary_folder):
    for name in ("HOME", "XDG_CACHE_HOME", "OPSLIB_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    cache._default_cache.cache_clear()
    expect_fallback(default_cache(), "HOME is not set", private_temporary_folder)
    cache._default_cache.cache_clear()


def test_default_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("OPSLIB_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() is default_cache()
    assert sys.platform != "linux" or default_cache().root == tmp_path / "opslib"
    monkeypatch.setenv("OPSLIB_CACHE_DIR", str(tmp_path / "own"))
    assert default_cache().root == tmp_path / "own"


def test_a_temporary_folder_made_by_somebody_else(
    store, private_temporary_folder, monkeypatch
):
    store.root.write_text("")
    trap = private_temporary_folder / f"opslib-{os.geteuid()}"
    trap.mkdir()
    trap.chmod(0o777)
    with pytest.warns(OpslibWarning):
        library = load(store, 7)
    assert not library.path.is_relative_to(trap)
    assert library.path.is_relative_to(private_temporary_folder)


def test_nowhere_at_all(store, private_temporary_folder):
    store.root.write_text("")
    private_temporary_folder.rmdir()
    private_temporary_folder.write_text("")
    with (
        pytest.raises(BackendUnavailable, match="no folder can hold") as caught,
        pytest.warns(OpslibWarning),
    ):
        load(store, 7)
    assert "OPSLIB_CACHE_DIR" in caught.value.help


@contextlib.contextmanager
def mounted(folder: Path, options: str):
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("this process may not mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


@as_root
def test_mounted_noexec(tmp_path, private_temporary_folder):
    with mounted(tmp_path / "disk", "noexec,mode=0700") as disk:
        expect_fallback(KernelCache(disk), "noexec", private_temporary_folder)


@as_root
def test_noexec_that_the_flags_do_not_show(
    tmp_path, private_temporary_folder, monkeypatch
):
    with mounted(tmp_path / "disk", "noexec,mode=0700") as disk:
        monkeypatch.setattr(os, "ST_NOEXEC", 0)
        expect_fallback(
            KernelCache(disk), "does not allow loading", private_temporary_folder
        )


@as_root
@pytest.mark.parametrize("size", ["4k", "8k", "16k", "24k"])
def test_full_disk(tmp_path, private_temporary_folder, size):
    with mounted(tmp_path / "disk", f"size={size},mode=0700") as disk:
        expect_fallback(
            KernelCache(disk), "full disk|No space", private_temporary_folder
        )
        assert [each for each in disk.rglob("*") if each.is_file()] in (
            [],
            list((disk / "locks").iterdir()),
        )


@as_root
def test_read_only_disk_still_serves_what_it_holds(tmp_path, private_temporary_folder):
    with mounted(tmp_path / "disk", "mode=0700") as disk:
        assert call(load(KernelCache(disk), 7)) == 7
        if subprocess.run(["mount", "-o", "remount,ro", disk], check=False).returncode:
            pytest.skip("this process may not remount")
        store = KernelCache(disk)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert load(store, 7).was_cached
        with pytest.warns(OpslibWarning, match="[Rr]ead-only"):
            assert call(load(store, 8)) == 8
        assert KernelCache(disk).verify() == []


@as_root
def test_read_only_home(tmp_path, private_temporary_folder):
    with mounted(tmp_path / "home", "ro") as home:
        output = finish(
            python(
                """
                from opslib.runtime.cache import default_cache
                from opslib.runtime.toolchain import find_toolchain
                library = default_cache().load("int v;", "v", find_toolchain(), ())
                print(library.path)
                """,
                env={"HOME": str(home), "OPSLIB_CACHE_DIR": "", "XDG_CACHE_HOME": ""},
            )
        )
    assert "OpslibWarning" in output
    assert "cannot be made: Read-only file system" in output
    assert output.splitlines()[-1].startswith(str(private_temporary_folder))


def test_file_size_limit(tmp_path, private_temporary_folder):
    output = finish(
        python(
            f"""
            import resource
            from opslib.errors import OpslibError
            from opslib.runtime.cache import KernelCache
            from opslib.runtime.toolchain import find_toolchain
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
            try:
                KernelCache({str(tmp_path / "s")!r}).load(
                    "int value;", "value", find_toolchain(), ())
            except OpslibError as error:
                print(error)
            """
        )
    )
    assert "[E1006] the disk is full, or a file size limit was met" in output
    assert "OPSLIB_CACHE_DIR" in output


# ---- many processes -----------------------------------------------------------------


def slow_compiler(folder: Path, seconds: float) -> Path:
    path = folder / "slow-cc"
    path.write_text(
        "#!/bin/sh\n"
        f'case "$*" in *--version*) exec {find_toolchain().argv[0]} --version;; esac\n'
        f"echo x >> {folder}/count\nsleep {seconds}\n"
        f'exec {find_toolchain().argv[0]} "$@"\n'
    )
    path.chmod(0o755)
    return path


def test_eight_processes_compile_once(store, tmp_path):
    compiler = slow_compiler(tmp_path, 0.7)
    processes = [
        python(loading(store.root, 7), env={"OPSLIB_CC": str(compiler)})
        for _ in range(8)
    ]
    outputs = [finish(process).strip() for process in processes]
    assert sorted(outputs) == ["cached"] * 7 + ["compiled"]
    assert (tmp_path / "count").read_text().count("x") == 1
    assert list((store.root / "tmp").iterdir()) == []


def test_eight_processes_without_locks(store, tmp_path):
    compiler = slow_compiler(tmp_path, 0.2)
    code = (
        "import fcntl, errno\n"
        "def flock(*_): raise OSError(errno.ENOLCK, 'no locks here')\n"
        "fcntl.flock = flock\n" + textwrap.dedent(loading(store.root, 7))
    )
    processes = [python(code, env={"OPSLIB_CC": str(compiler)}) for _ in range(8)]
    assert {finish(process).strip() for process in processes} <= {"cached", "compiled"}
    assert store.verify() == []
    assert len(store.entries()) == 1


@pytest.mark.parametrize("delay", [0.05, 0.6])
def test_killed_while_compiling(store, tmp_path, delay):
    compiler = slow_compiler(tmp_path, 5)
    process = python(loading(store.root, 7), env={"OPSLIB_CC": str(compiler)})
    while not (tmp_path / "count").exists():
        time.sleep(0.01)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    began = time.monotonic()
    # A compiler of its own, hence another key, then the very same key.
    assert call(load(store, 7)) == 7
    compiler.write_text(compiler.read_text().replace("sleep 5", ""))
    output = finish(python(loading(store.root, 7), env={"OPSLIB_CC": str(compiler)}))
    assert output.strip() == "compiled"
    assert time.monotonic() - began < 4.5, "waited for a dead process's lock"
    assert store.verify() == []


def test_leavings_of_killed_processes_are_swept(store):
    load(store, 1)
    old = store.root / "tmp" / "old"
    new = store.root / "tmp" / "new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "file").write_text("")
    os.utime(old, (1, 1))
    load(store, 2)
    assert not old.exists()
    assert new.exists()


def test_a_lock_that_is_never_released_does_not_hang(store, tmp_path):
    import fcntl

    path = tmp_path / "lock"
    fd, other = (os.open(path, os.O_RDWR | os.O_CREAT) for _ in range(2))
    fcntl.flock(fd, fcntl.LOCK_EX)
    began = time.monotonic()
    cache_files._wait_for_lock(other, time.monotonic() + 0.2)
    assert 0.1 < time.monotonic() - began < 5
    os.close(fd)
    os.close(other)


def test_many_threads(store):
    import threading

    results: list[int] = []

    def work(value: int):
        results.append(call(load(store, value % 3)) - value % 3)

    threads = [threading.Thread(target=work, args=(value,)) for value in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [0] * 12


# ---- the command line's view --------------------------------------------------------


def test_entries_size_clear(store):
    assert store.entries() == []
    assert store.size() == 0
    assert store.clear() == 0
    first = load(store, 1)
    load(store, 2)
    entries = store.entries()
    assert [entry.name for entry in entries] == ["value_2_", "value_1_"]
    assert entries[1].path == first.path
    assert entries[1].size == first.path.stat().st_size
    assert str(entries[1].source_path) in entries[1].command
    assert "-O1" in entries[1].command
    assert entries[0].compiler.startswith(find_toolchain().path)
    assert store.size() > sum(entry.size for entry in entries)
    assert store.clear() == 2
    assert store.entries() == []
    assert call(first) == 1, "a library in use stays mapped"
    assert not load(again(store), 1).was_cached


def test_clear_refuses_a_folder_that_is_not_ours(store):
    load(store, 1)
    store.root.chmod(0o777)
    with pytest.raises(BackendUnavailable, match="writable by other users"):
        store.clear()
    store.root.chmod(0o700)
    assert len(store.entries()) == 1
