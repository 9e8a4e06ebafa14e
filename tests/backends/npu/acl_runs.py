"""Scripts in processes of their own, on the fake CANN of this folder.

ACL is initialised once in a process, and what is planted must not reach other tests.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

from opslib.runtime.toolchain import native_folder

FAKE = Path(__file__).parent / "fake_cann"
Run = Callable[..., subprocess.CompletedProcess[str]]

PREAMBLE = """
import functools
import numpy as np
import opslib
from opslib.backends.npu.acl.library import acl
from opslib.backends.npu.acl.device import context

def fake():
    import cffi
    ffi = cffi.FFI()
    ffi.cdef('''void fake_acl_fail(const char *, int, const char *);
                void fake_acl_limit(size_t); size_t fake_acl_live(void);
                long fake_acl_launches(void); long fake_acl_waits(void);''')
    return ffi.dlopen(acl().path)

@functools.cache  # Closed, the library would forget what is planted.
def operators():
    import cffi, pathlib
    ffi = cffi.FFI()
    ffi.cdef('''void fake_opapi_fail(const char *, int, const char *);
                void fake_opapi_wrong(const char *); long fake_opapi_live(void);
                long fake_opapi_calls(void);''')
    return ffi.dlopen(str(pathlib.Path(acl().path).with_name("libopapi.so")))

rng = np.random.default_rng(1)
x = rng.normal(size=(33, 70)).astype(np.float32)
"""


def build(home: Path, *names: str) -> Path:
    """A folder as ASCEND_HOME_PATH names one, with some of the fakes in lib64."""
    folder = home / "lib64"
    folder.mkdir(exist_ok=True)
    for name in names:
        command = ["g++", "-std=c++17", "-O1", "-shared", "-fPIC", "-Wall", "-Werror"]
        command += ["-o", str(folder / f"lib{name}.so"), str(FAKE / f"{name}.cpp")]
        if name == "opapi":
            command += [f"-L{folder}", "-lascendcl", "-Wl,-rpath,$ORIGIN"]
        subprocess.run([*command, "-ldl", "-pthread"], check=True, timeout=120)
    return home


def python(
    script: str, environment: dict[str, str], cache: Path
) -> subprocess.CompletedProcess[str]:
    """Runs a script behind the preamble, with a kernel cache of its own."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("ASCEND_")}
    return subprocess.run(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(script)],
        env={
            **inherited,
            "FAKE_CANN_INCLUDE": str(native_folder() / "ascend"),
            "OPSLIB_CACHE_DIR": str(cache),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def outcome(done: subprocess.CompletedProcess[str]) -> str:
    """What a script printed; fails with its errors if it failed."""
    assert done.returncode == 0, done.stderr
    return done.stdout
