"""Scripts in processes of their own, on a fake libcublasLt and the fake ``cuda.core``.

The real bindings (`nvmath-python`) open the library once in a process, by its name.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
Run = Callable[..., str]

PREAMBLE = """
import ctypes, importlib.util, sys
from pathlib import Path

HERE, BUILT = Path(sys.argv[1]), Path(sys.argv[2])
ctypes.CDLL(str(BUILT / "libcuda.so.1"), ctypes.RTLD_GLOBAL)
lt = ctypes.CDLL(str(BUILT / "libcublasLt.so.13"), ctypes.RTLD_GLOBAL)
lt.fake_cublaslt_said.restype = ctypes.c_char_p

def module(name):
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    spec.loader.exec_module(made)
    return made

import nvmath.bindings.cublasLt  # It wants the real cuda.bindings.
import numpy as np
import pytest
import opslib

patch = pytest.MonkeyPatch()
core = module("fake_core")
core.install(patch)
torch = module("fake_libraries").torch(patch, core)

@ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
def enqueue(stream, job):
    core.WORLD.called("product")
    on = core.Stream.from_handle(stream)
    on.enqueue(lambda: lt.fake_cublaslt_run(ctypes.c_void_p(job)))

lt.fake_cublaslt_device(enqueue)
rng = np.random.default_rng(3)

def f(*shape, dtype="float32"):
    import ml_dtypes
    values = rng.integers(-3, 4, shape)
    return values.astype(getattr(ml_dtypes, dtype, dtype))

def who(name, *arrays, **given):
    "The result, and by what it was made."
    with opslib.receipts() as found:
        got = getattr(opslib, name)(*arrays, **given)
    return got, found[-1].skeleton

def right(got, want):
    assert got.dtype == want.dtype and got.shape == want.shape, (got.shape, want.shape)
    assert (got.astype("f8") == want.astype("f8")).all(), (got, want)
"""


def build(folder: Path) -> Path:
    """The two libraries, by the names that loaders know them by."""
    for source, name in (("cuda", "libcuda.so.1"), ("cublasLt", "libcublasLt.so.13")):
        command = ["gcc", "-std=c11", "-O1", "-g", "-shared", "-fPIC", "-Wall"]
        command += ["-Werror", f"-Wl,-soname,{name}", "-o", str(folder / name)]
        command += [str(HERE / "fake_cublas" / f"{source}.c"), "-lm"]
        subprocess.run(command, check=True, timeout=120)
    return folder


def python(script: str, built: Path, cache: Path, **environment: str) -> str:
    """What a script prints behind the preamble, with a kernel cache of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(script), HERE, built],
        env={**os.environ, "OPSLIB_CACHE_DIR": str(cache), **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
