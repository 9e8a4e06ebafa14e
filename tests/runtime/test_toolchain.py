"""Finding a compiler, and what is said when it fails; fake compilers are scripts."""

from __future__ import annotations

import os
import pickle
import time
from pathlib import Path

import pytest

from opslib.errors import BackendUnavailable, CompileError
from opslib.runtime import toolchain
from opslib.runtime.toolchain import Toolchain, compile_shared, find_toolchain

SOURCE = "int seven(void) { return 7; }\n"


def script(path: Path, body: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def fake(folder: Path, name: str, version: str, body: str = "exit 1") -> Path:
    return script(
        folder / name,
        f'case "$*" in *--version) echo "{version}"; exit 0;; esac\n'
        f'for each in "$@"; do [ "$last" = -o ] && out=$each; last=$each; done\n{body}',
    )


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """An empty PATH, no compiler in the environment, no ziglang; returns the folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    for name in ("OPSLIB_CC", "CC", "OPSLIB_CXX", "CXX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(toolchain, "_zig", lambda mode: None)
    toolchain._find.cache_clear()
    yield folder
    toolchain._find.cache_clear()


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "kernel.c"
    path.write_text(SOURCE)
    return path


def compile_with(body: str, tmp_path: Path, source: Path, timeout_s=20.0):
    path = fake(tmp_path / "fakes", "gcc", "gcc (Fake) 1", body)
    chain = Toolchain("gcc", (str(path),), str(path), "gcc (Fake) 1")
    with pytest.raises(CompileError) as caught:
        compile_shared(chain, source, tmp_path / "kernel.so", (), timeout_s)
    text = str(caught.value)
    assert str(source) in text, "the message must name the kept source"
    assert f"command: {path}" in text
    assert "help:" in text
    assert str(pickle.loads(pickle.dumps(caught.value))) == text
    return caught.value


def test_the_order_of_search(alone, monkeypatch):
    fake(alone, "cc", "whatever 3")
    assert find_toolchain().argv == (str(alone / "cc"),)
    assert find_toolchain().kind == "unknown"
    fake(alone, "clang", "Debian clang version 14")
    toolchain._find.cache_clear()
    assert find_toolchain().kind == "clang"
    fake(alone, "gcc", "gcc (Debian) 12")
    toolchain._find.cache_clear()
    assert find_toolchain().kind == "gcc"
    assert find_toolchain().version == "gcc (Debian) 12"
    monkeypatch.setenv("CC", "clang -m64")
    assert find_toolchain().argv == (str(alone / "clang"), "-m64")
    monkeypatch.setenv("OPSLIB_CC", "cc")
    assert find_toolchain().argv == (str(alone / "cc"),)


def test_kind_comes_from_the_version_text(alone):
    fake(alone, "gcc", "Apple clang version 15.0.0")
    assert find_toolchain().kind == "clang"


def test_the_real_path_is_resolved(alone, tmp_path):
    real = fake(tmp_path / "real", "gcc-12", "gcc 12")
    (alone / "gcc").symlink_to(real)
    assert find_toolchain().path == str(real)


def test_version_is_asked_once(alone, tmp_path):
    log = tmp_path / "log"
    script(alone / "gcc", f"echo x >> {log}; echo gcc 1")
    for _ in range(5):
        find_toolchain()
    assert log.read_text().count("x") == 1


def test_a_path_with_spaces_is_one_word(alone, tmp_path, monkeypatch):
    path = fake(tmp_path / "my tools", "gcc", "gcc 1")
    monkeypatch.setenv("OPSLIB_CC", str(path))
    assert find_toolchain().argv == (str(path),)


def test_nothing_found(alone):
    with pytest.raises(BackendUnavailable) as caught:
        find_toolchain()
    assert caught.value.code == "E1001"
    assert "gcc (not found), clang (not found), cc (not found)" in str(caught.value)
    assert "ziglang package" in caught.value.message
    assert "pip install ziglang" in caught.value.help
    with pytest.raises(BackendUnavailable, match=r"no c\+\+ compiler"):
        find_toolchain("c++")


@pytest.mark.parametrize("value", ["nowhere", "'unclosed", "/etc/passwd"])
def test_a_wrong_opslib_cc_is_an_error(alone, monkeypatch, value):
    fake(alone, "gcc", "gcc 1")
    monkeypatch.setenv("OPSLIB_CC", value)
    with pytest.raises(BackendUnavailable, match="OPSLIB_CC=") as caught:
        find_toolchain()
    assert "correct OPSLIB_CC" in caught.value.help


def test_a_wrong_cc_is_passed_over(alone, monkeypatch):
    fake(alone, "gcc", "gcc 1")
    monkeypatch.setenv("CC", "a-compiler-of-another-project")
    assert find_toolchain().kind == "gcc"


def test_a_compiler_that_fails_its_version_is_passed_over(alone):
    script(alone / "gcc", "echo 'license expired' >&2; exit 1")
    fake(alone, "clang", "clang version 14")
    assert find_toolchain().kind == "clang"
    (alone / "clang").unlink()
    toolchain._find.cache_clear()
    with pytest.raises(BackendUnavailable, match="license expired"):
        find_toolchain()


def test_a_compiler_that_hangs_at_its_version_is_passed_over(alone, monkeypatch):
    monkeypatch.setattr(toolchain, "_VERSION_TIMEOUT_S", 0.3)
    script(alone / "gcc", "/bin/sleep 60")
    fake(alone, "clang", "clang version 14")
    began = time.monotonic()
    assert find_toolchain().kind == "clang"
    assert time.monotonic() - began < 10


def test_compiles(tmp_path, source):
    output = tmp_path / "kernel.so"
    compile_shared(find_toolchain(), source, output, ("-O2", "-lm"), 60.0)
    assert output.read_bytes()[:4] in (b"\x7fELF", b"\xcf\xfa\xed\xfe")


def test_libraries_come_after_the_source(tmp_path, source):
    chain = Toolchain("gcc", ("gcc",), "gcc", "1")
    line = toolchain.command_line(chain, source, tmp_path / "o", ("-lm", "-O2"))
    assert line.index("-lm") > line.index(str(source)) > line.index("-O2")


def test_refused_source(tmp_path, source):
    source.write_text("int f(void) { return nothing_of_that_name; }\n")
    with pytest.raises(CompileError) as caught:
        compile_shared(find_toolchain(), source, tmp_path / "k.so", ("-O2",), 60.0)
    assert caught.value.code == "E1002"
    assert "nothing_of_that_name" in caught.value.message
    assert f"-o {tmp_path / 'k.so'} {source}" in caught.value.message


def test_the_message_is_short_and_holds_the_first_error(tmp_path, source):
    noise = "for i in $(seq 500); do echo note $i; done; echo 'k.c:1: error: boo'; "
    more = "for i in $(seq 500); do echo more $i; done; exit 1"
    error = compile_with(
        f'case "$*" in *probe*) : >"$out"; exit 0;; esac; {noise} {more}',
        tmp_path,
        source,
    )
    assert error.code == "E1002"
    assert "k.c:1: error: boo" in error.message
    assert len(error.message.splitlines()) < 20
    assert "more lines" in error.message


def test_no_shell_is_involved(tmp_path, source):
    trap = tmp_path / "trap"
    odd = tmp_path / f"k$(touch {trap.name}); touch {trap.name}.c"
    source.rename(odd)
    compile_shared(
        find_toolchain(), odd, tmp_path / "k.so", (f"-DX=;touch {trap}",), 60.0
    )
    assert not trap.exists()


def test_a_hanging_compiler_and_its_children_are_killed(tmp_path, source):
    pids = tmp_path / "pids"
    began = time.monotonic()
    error = compile_with(
        f"sleep 60 & echo $! > {pids}; echo $$ >> {pids}; wait", tmp_path, source, 0.5
    )
    assert time.monotonic() - began < 10
    assert error.code == "E1003"
    assert "0.5 s" in error.message
    assert "OPSLIB_COMPILE_TIMEOUT" in error.help
    deadline = time.monotonic() + 5
    for pid in map(int, pids.read_text().split()):
        while _alive(pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not _alive(pid)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:  # nobody may be there to reap it
        return (
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        )
    except OSError:
        return False


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ("echo 'x.c:1: internal compiler error: in foo'; exit 4", "E1004", "crashed"),
        ("kill -SEGV $$", "E1004", "crashed"),
        ("kill -KILL $$", "E1005", "memory"),
        (
            "echo 'gcc: fatal error: Killed signal terminated program cc1'; exit 1",
            "E1005",
            "memory",
        ),
        ("echo 'a.s: No space left on device'; exit 1", "E1006", "disk is full"),
        (
            "echo \"gcc: cannot execute 'cc1': No such file\"; exit 1",
            "E1007",
            "cannot compile even an empty file",
        ),
        ("exit 0", "E1007", "wrote no library"),
    ],
)
def test_failures_are_told_apart(tmp_path, source, body, code, words):
    error = compile_with(body, tmp_path, source)
    assert error.code == code
    assert words in error.message


def test_a_compiler_without_headers_gets_the_package_to_install(tmp_path, source):
    error = compile_with("echo 'stdint.h: No such file'; exit 1", tmp_path, source)
    assert "apt install gcc libc6-dev" in error.help


def test_a_vanished_compiler(tmp_path, source):
    gone = str(tmp_path / "gone")
    with pytest.raises(CompileError, match="cannot be started") as caught:
        compile_shared(
            Toolchain("gcc", (gone,), gone, "1"), source, tmp_path / "k.so", (), 5.0
        )
    assert caught.value.code == "E1007"


def test_probe(tmp_path):
    assert toolchain.probe(find_toolchain()) is None
    path = fake(tmp_path / "fakes", "gcc", "gcc 1", "echo no cc1; exit 1")
    chain = Toolchain("gcc", (str(path),), str(path), "gcc 1")
    assert "no cc1" in (toolchain.probe(chain) or "")


@pytest.mark.slow
def test_zig_alone_is_enough(tmp_path, monkeypatch, source):
    pytest.importorskip("ziglang")
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ("OPSLIB_CC", "CC"):
        monkeypatch.delenv(name, raising=False)
    toolchain._find.cache_clear()
    chain = find_toolchain()
    assert chain.kind == "zig"
    assert "cc" in chain.argv
    compile_shared(chain, source, tmp_path / "k.so", ("-O2",), 300.0)
    assert (tmp_path / "k.so").is_file()
    source.write_text("int f( {")
    with pytest.raises(CompileError) as caught:
        compile_shared(chain, source, tmp_path / "k.so", ("-O2",), 300.0)
    assert caught.value.code == "E1002"
    toolchain._find.cache_clear()


def test_native_folder_holds_the_abi_header():
    assert (toolchain.native_folder() / "opslib_abi.h").is_file()
