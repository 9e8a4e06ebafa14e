"""Machines that lack something, through the public API and the command line."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import opslib
from opslib.runtime.toolchain import native_folder

from .conftest import NO_ZIG, ROOT, has_cpu

Program = Callable[..., subprocess.CompletedProcess[str]]

needs_cpu = pytest.mark.skipif(not has_cpu(), reason="no C compiler here")

SOFTMAX = """
import numpy as np
import opslib
x = np.arange(12, dtype="f4").reshape(3, 4)
with opslib.receipts() as receipts:
    y = opslib.softmax(x{backend})
e = np.exp(x - x.max(-1, keepdims=True))
assert np.allclose(y, e / e.sum(-1, keepdims=True), rtol=1e-5), y
print(receipts[0].device)
"""


def softmax(backend: str = "") -> str:
    return SOFTMAX.format(backend=f", backend={backend!r}" if backend else "")


# ------------------------------------------------------------------ no C compiler


def test_without_a_compiler_numpy_works(program: Program, no_path: str) -> None:
    ran = program(NO_ZIG + softmax("numpy"), PATH=no_path, CC="", OPSLIB_CC="")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "numpy\n"
    assert not ran.stderr


def test_without_a_compiler_another_device_is_chosen(
    program: Program, no_path: str
) -> None:
    ran = program(NO_ZIG + softmax(), PATH=no_path, CC="", OPSLIB_CC="")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() in ("numpy", "jax:cpu:0")


def test_without_a_compiler_cpu_says_what_to_install(
    program: Program, no_path: str
) -> None:
    code = """
    import numpy as np
    import opslib
    try:
        opslib.add(np.ones(3), np.ones(3), backend="cpu")
    except opslib.BackendUnavailable as error:
        print(error)
    """
    ran = program(NO_ZIG + textwrap.dedent(code), PATH=no_path, CC="", OPSLIB_CC="")
    assert ran.returncode == 0, ran.stderr
    assert "no c compiler" in ran.stdout.lower()
    assert "apt install gcc" in ran.stdout
    assert "pip install ziglang" in ran.stdout


def test_without_a_compiler_doctor_says_what_to_install(
    program: Program, no_path: str
) -> None:
    code = "from opslib.cli import main\nsys.exit(main(['doctor']))"
    ran = program(NO_ZIG + code, PATH=no_path, CC="", OPSLIB_CC="")
    assert ran.returncode == 1
    assert "apt install gcc libc6-dev" in ran.stdout
    assert "Traceback" not in ran.stderr


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None, reason="pip install 'opslib[zig]'"
)
def test_zig_alone_is_enough(program: Program, no_path: str) -> None:
    ran = program(softmax("cpu"), PATH=no_path, CC="", OPSLIB_CC="")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "cpu\n"


@needs_cpu
@pytest.mark.parametrize("value", ["abc", "0", "-3"])
def test_a_wrong_number_of_threads_is_named(program: Program, value: str) -> None:
    code = """
    import numpy as np
    import opslib
    try:
        opslib.add(np.ones(3), np.ones(3))
    except opslib.ArgumentError as error:
        print(error)
    print([d.why_not for d in opslib.devices() if d.backend == "cpu"])
    """
    ran = program(code, OPSLIB_NUM_THREADS=value)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count(f"OPSLIB_NUM_THREADS got {value!r}") == 2


@needs_cpu
def test_a_broken_compiler_is_named(program: Program, tmp_path: Path) -> None:
    fake = tmp_path / "gcc"
    fake.write_text("#!/bin/sh\necho 'gcc: licence server down' >&2; exit 3\n")
    fake.chmod(0o755)
    code = """
    import numpy as np
    import opslib
    try:
        opslib.add(np.ones(3), np.ones(3), backend="cpu")
    except opslib.OpslibError as error:
        print(error)
    """
    ran = program(code, OPSLIB_CC=str(fake))
    assert ran.returncode == 0, ran.stderr
    assert "licence server down" in ran.stdout
    assert "OPSLIB_CC" in ran.stdout


def test_nothing_needs_python_h() -> None:
    """Debian's gcc comes without it."""
    for file in native_folder().rglob("*.[ch]"):
        assert "Python.h>" not in file.read_text("utf-8"), file
        assert 'Python.h"' not in file.read_text("utf-8"), file


# ------------------------------------------------------------- folders and networks


@needs_cpu
def test_a_home_that_cannot_be_written(program: Program, tmp_path: Path) -> None:
    # A file, for root may write into any folder.
    home = tmp_path / "home"
    home.write_text("")
    ran = program(
        softmax("cpu"), OPSLIB_CACHE_DIR="", XDG_CACHE_HOME="", HOME=str(home),
        TMPDIR=str(tmp_path),
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "cpu\n"
    assert ran.stderr.count("OpslibWarning") == 1
    assert "Set OPSLIB_CACHE_DIR" in ran.stderr


def test_doctor_tells_of_such_a_home(program: Program, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("")
    code = "import sys\nfrom opslib.cli import main\nsys.exit(main(['doctor']))"
    ran = program(
        code, OPSLIB_CACHE_DIR="", XDG_CACHE_HOME="", HOME=str(home),
        TMPDIR=str(tmp_path),
    )  # fmt: skip
    assert ran.returncode == 1, ran.stdout
    assert "OPSLIB_CACHE_DIR" in ran.stdout


@needs_cpu
def test_offline(program: Program) -> None:
    code = """
    import socket
    def refuse(*a, **k): raise OSError("no network")
    socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
    """
    ran = program(textwrap.dedent(code) + softmax("cpu"))
    assert ran.returncode == 0, ran.stderr


def test_importing_is_quiet_and_light(program: Program) -> None:
    code = """
    import sys
    import opslib
    heavy = {"jax", "torch", "onnxruntime", "cffi.recompiler"} & set(sys.modules)
    print(sorted(heavy))
    """
    ran = program(code)
    assert ran.stdout == "[]\n"
    assert not ran.stderr


# ------------------------------------------------------------- threads and processes


@needs_cpu
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_fork_after_threads(program: Program) -> None:
    code = """
    import os, sys, threading, warnings
    import numpy as np
    import opslib
    warnings.simplefilter("ignore", DeprecationWarning)
    x = np.ones((2048, 1024), "f4")

    def call():
        assert float(opslib.sum(x, backend="cpu")) == x.size

    call()
    others = [threading.Thread(target=call) for _ in range(4)]
    for t in others: t.start()
    for t in others: t.join()
    for _ in range(5):
        child = os.fork()
        if child == 0:
            call()
            opslib.exp(x[:3, :5], backend="cpu")
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        call()
    print("done")
    """
    ran = program(code, OPSLIB_NUM_THREADS="4")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "done\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_fork_while_another_thread_prepares_the_call(
    program: Program, backend: str
) -> None:
    """What it holds meanwhile, nobody gives back in the child."""
    if backend == "cpu" and not has_cpu():
        pytest.skip("no C compiler here")
    code = f"""
    import os, signal, threading, time, warnings
    import numpy as np
    import opslib
    warnings.simplefilter("ignore", DeprecationWarning)
    x = np.ones((3, 4), "f4")

    def call():
        opslib.softmax(x, backend={backend!r})
        opslib.matmul(x, x.T, backend={backend!r})

    other = threading.Thread(target=call)
    other.start()
    children = []
    for _ in range(5):
        time.sleep(0.06)
        child = os.fork()
        if child == 0:
            signal.alarm(120)
            call()
            os._exit(7)
        children.append(child)
    ends = [os.waitstatus_to_exitcode(os.waitpid(c, 0)[1]) for c in children]
    other.join()
    print(set(ends))
    """
    ran = program(code)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "{7}\n"


def test_calls_while_another_thread_imports_jax(program: Program) -> None:
    if importlib.util.find_spec("jax") is None:
        pytest.skip("pip install 'opslib[jax]'")
    code = """
    import sys, threading
    import numpy as np
    import opslib
    x = np.ones(3, "f4")
    other = threading.Thread(target=lambda: opslib.exp(x, backend="jax"))
    other.start()
    made = 0
    while other.is_alive() and made < 400 or not made:
        f = opslib.op(f"op f{made}(x: T) -> y: T = x * {made}")
        assert f(x, backend="numpy")[0] == made
        made += "jax" in sys.modules
    other.join()
    print("done")
    """
    ran = program(code)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "done\n"


@needs_cpu
def test_many_processes_compile_one_kernel(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "OPSLIB_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": str(ROOT),
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-c", softmax("cpu")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=tmp_path,
        )
        for _ in range(4)
    ]
    for process in started:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        assert out == "cpu\n"
    code = (
        "import collections\nfrom opslib.runtime.cache import default_cache\n"
        "c = default_cache()\n"
        "print(collections.Counter(e.name for e in c.entries()), c.verify())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert "softmax" in ran.stdout
    # Each kernel once, however many wanted it, and all of them whole.
    assert "'softmax': 1" in ran.stdout
    assert ran.stdout.endswith("[]\n")


@needs_cpu
def test_many_threads_share_one_operator() -> None:
    import threading

    x = np.random.default_rng(0).standard_normal((64, 33)).astype("f4")
    expected = opslib.softmax(x, backend="numpy")
    failures: list[BaseException] = []

    def work(k: int) -> None:
        try:
            for n in range(1, 30):
                got = opslib.softmax(x[: n + k], backend="cpu")
                np.testing.assert_allclose(got, expected[: n + k], rtol=1e-5)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]


@needs_cpu
@pytest.mark.parametrize(
    ("variable", "value", "remedy"),
    [
        ("OPSLIB_SELF_CHECK", "nevr", "did you mean 'never'?"),
        ("OPSLIB_PROVIDERS", "0", "allowed: never"),
        ("OPSLIB_LAUNCHER", "CFFI", "allowed: cffi"),
        ("OPSLIB_DEBUG", "kernel,sauce", "did you mean 'source'?"),
        ("OPSLIB_SIMULATE", "no", "allowed: never"),
    ],
)
def test_a_misspelt_word_is_an_error(
    program: Program, variable: str, value: str, remedy: str
) -> None:
    """Ignored, each would do the opposite of what was asked for."""
    backend = "npu" if variable == "OPSLIB_SIMULATE" else "cpu"
    code = f"""
    import numpy as np
    import opslib
    y = opslib.op("op own(x: T) -> y: T = x + x")
    y(np.ones(3, "f4"), backend={backend!r})
    """
    ran = program(textwrap.dedent(code), **{variable: value})
    assert ran.returncode == 1
    last = ran.stderr[ran.stderr.rindex("opslib.errors") :]
    assert f"{variable}={value!r}" in last
    assert remedy in last
