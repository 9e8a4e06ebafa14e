"""The whole of ``npu:ascend``: a fake libascendcl and libacl_rtc around the CPU twin.

Scenarios run in processes of their own: ACL is initialised once in a process, and what
is planted must not reach other tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from opslib.backends.npu.acl.device import architecture
from opslib.backends.npu.acl.errors import acl_error

from opslib.errors import BackendUnavailable, CompileError, KernelError
from opslib.runtime.toolchain import native_folder

FAKE = Path(__file__).parent / "fake_cann"

pytestmark = pytest.mark.skipif(
    shutil.which("g++") is None, reason="the fake CANN is compiled with g++"
)


@pytest.fixture(scope="session")
def cann(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as ASCEND_HOME_PATH names one, with the two fakes in lib64."""
    home = tmp_path_factory.mktemp("cann")
    (home / "lib64").mkdir()
    for name in ("ascendcl", "acl_rtc"):
        command = ["g++", "-std=c++17", "-O1", "-shared", "-fPIC", "-Wall", "-Werror"]
        command += ["-o", str(home / "lib64" / f"lib{name}.so")]
        command += [str(FAKE / f"{name}.cpp"), "-ldl", "-pthread"]
        subprocess.run(command, check=True, timeout=120)
    return home


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def warm(cann: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that holds the binary of exp, and the verdict that it is right."""
    folder = tmp_path_factory.mktemp("warm") / "cache"
    script = "opslib.exp(x, backend='npu')"
    outcome(_python(script, {"ASCEND_HOME_PATH": str(cann)}, folder))
    return folder


def _python(
    script: str, environment: dict[str, str], cache: Path
) -> subprocess.CompletedProcess[str]:
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


@pytest.fixture
def run(cann: Path, warm: Path, tmp_path: Path) -> Run:
    """Runs a script where CANN is, with a kernel cache of its own."""

    def call(
        script: str, home: Path | None = cann, *, cold: bool = False, **more: str
    ) -> subprocess.CompletedProcess[str]:
        cache = tmp_path / "cache"
        if not cold and not cache.exists():
            shutil.copytree(warm, cache)
        given = {} if home is None else {"ASCEND_HOME_PATH": str(home)}
        return _python(script, {**given, **more}, cache)

    return call


PREAMBLE = """
import numpy as np
import opslib
from opslib.backends.npu.acl.library import acl
from opslib.backends.npu.acl.device import context

def fake():
    import cffi
    ffi = cffi.FFI()
    ffi.cdef('''void fake_acl_fail(const char *, int, const char *);
                void fake_acl_limit(size_t); size_t fake_acl_live(void);
                long fake_acl_launches(void);''')
    return ffi.dlopen(acl().path)

rng = np.random.default_rng(1)
x = rng.normal(size=(33, 70)).astype(np.float32)
"""


def outcome(done: subprocess.CompletedProcess[str]) -> str:
    """What a script printed; fails with its errors if it failed."""
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_from_call_to_result(run: Run) -> None:
    """Compile, load, upload, launch, download; the chip before the simulator."""
    text = outcome(
        run("""
        with opslib.receipts() as found:
            y = opslib.softmax(x, backend="npu")
        print(found[-1].device, np.abs(y - opslib.softmax(x, backend="numpy")).max())
        a = rng.normal(size=(40, 50)).astype(np.float16)
        b = rng.normal(size=(50, 30)).astype(np.float16)
        c = opslib.matmul(a, b, backend="npu:ascend:0")
        assert c.dtype == np.float16
        assert np.allclose(c, a.astype(float) @ b.astype(float), rtol=2e-3, atol=2e-2)
        i = np.array([3, 0, 3], dtype=np.int32)
        assert (opslib.take(x, i, axis=0, backend="npu") == x[i]).all()
        print(fake().fake_acl_launches() >= 3)
        """)
    )
    device, error, launched = text.split()
    assert device == "npu:ascend:0"
    assert float(error) < 1e-6
    assert launched == "True"


def test_a_second_process_compiles_nothing(
    run: Run, cann: Path, tmp_path: Path
) -> None:
    """The device binary comes from the cache, by source, arch and CANN's version."""
    script = "print(opslib.exp(x, backend='npu').dtype)"
    # A compiler that would fail if it were called.
    outcome(run(script, FAKE_CANN_INCLUDE="/nonexistent"))
    entries = list((tmp_path / "cache" / "kernels").glob("??/*/*.bin"))
    assert len(entries) == 1
    entries[0].write_bytes(b"damaged")
    again = run(script, FAKE_CANN_INCLUDE="/nonexistent")
    assert again.returncode != 0, "a damaged entry must be a miss, and be recompiled"
    assert "CompileError" in again.stderr
    assert outcome(run(script)) == "float32\n"


def test_memory_is_freed(run: Run) -> None:
    """Nothing stays allocated once the arrays are gone and work is done."""
    text = outcome(
        run("""
        import gc
        for _ in range(5):
            opslib.exp(x, backend="npu")
        context(0).synchronize()
        gc.collect()
        print(fake().fake_acl_live())
        """)
    )
    assert int(text) == 0


def test_without_cann_the_reason_is_told(run: Run, tmp_path: Path) -> None:
    """No library, a library that does not load, a runtime without its compiler."""
    script = """
    for d in opslib.devices():
        if d.name.startswith("npu:ascend") and "sim" not in d.name:
            print(d.why_not)
    """
    assert "install CANN 9.0" in outcome(run(script, home=None))
    bad = tmp_path / "bad" / "lib64"
    bad.mkdir(parents=True)
    (bad / "libascendcl.so").write_text("no library")
    assert "does not load" in outcome(run(script, home=bad.parent))


def test_a_runtime_without_compiler(run: Run, cann: Path, tmp_path: Path) -> None:
    """Only libascendcl: the toolkit is what is missing."""
    half = tmp_path / "half" / "lib64"
    half.mkdir(parents=True)
    shutil.copy(cann / "lib64" / "libascendcl.so", half)
    text = outcome(
        run(
            "print([d.why_not for d in opslib.devices() if d.name == 'npu:ascend:0'])",
            home=half.parent,
        )
    )
    assert "neither libacl_rtc nor bisheng" in text


def test_bisheng_where_aclrtc_is_missing(run: Run, cann: Path, tmp_path: Path) -> None:
    """Older CANN: the compiler is a program, called by argument vector."""
    home = tmp_path / "older"
    (home / "lib64").mkdir(parents=True)
    (home / "bin").mkdir()
    shutil.copy(cann / "lib64" / "libascendcl.so", home / "lib64")
    program = home / "bin" / "bisheng"
    program.write_text('#!/bin/sh\necho "$@" >&2\necho "no such option" >&2\nexit 3\n')
    program.chmod(0o755)
    done = run("opslib.exp(x, backend='npu')", home=home, cold=True)
    assert "CompileError" in done.stderr
    assert "-shared -fPIC -xasc --npu-arch=dav-2201" in done.stderr
    assert "no such option" in done.stderr


@pytest.mark.parametrize(
    ("call", "code", "expected"),
    [
        ("aclrtMalloc", 207001, "out of memory"),
        ("aclrtBinaryLoadFromData", 107000, "aclrtBinaryLoadFromData returned 107000"),
        ("aclrtLaunchKernelWithArgsArray", 207000, "lacks the feature"),
        ("aclrtMemcpy", 507899, "driver"),
        ("aclrtSynchronizeStream", 507015, "AI core"),
        ("aclrtSetDevice", 107001, "npu-smi info"),
    ],
)
def test_each_failing_call_is_an_exception(
    run: Run, call: str, code: int, expected: str
) -> None:
    """With ACL's message, what to do, and a library that works afterwards."""
    text = outcome(
        run(
            f"""
        fake().fake_acl_fail(b"{call}", {code}, b"EZ9999: the fake says no")
        try:
            opslib.exp(x, backend="npu")
        except opslib.OpslibError as error:
            print(error)
        print(np.allclose(opslib.exp(x, backend="npu"), np.exp(x)))
        """,
            # What is planted is meant for the call, not for a self-check before it.
            OPSLIB_SELF_CHECK="never",
        )
    )
    assert expected in text
    assert "EZ9999: the fake says no" in text
    assert "help:" in text
    assert text.endswith("True\n")


def test_a_failure_on_the_chip_names_operator_and_shapes(run: Run) -> None:
    """A deferred error comes at the first wait, with what was launched."""
    text = outcome(
        run(
            """
        opslib.exp(x, backend="npu")
        fake().fake_acl_fail(b"aclrtSynchronizeStream", 507015, b"trap")
        try:
            opslib.exp(x, backend="npu")
        except opslib.OpslibError as error:
            print(error)
        """,
            OPSLIB_SELF_CHECK="never",
        )
    )
    assert "while running exp on arrays of (2310,), (2310,)" in text or (
        "while running exp on arrays of (33, 70)" in text
    )


def test_an_index_out_of_bounds_is_raised(run: Run) -> None:
    """The kernel's check reaches the caller, as on every backend."""
    text = outcome(
        run("""
        try:
            opslib.take(x, np.array([99]), axis=0, backend="npu")
        except IndexError as error:
            print(error)
        """)
    )
    assert "99" in text
    assert "33" in text


def test_another_thread_has_its_own_binding(run: Run) -> None:
    """ACL binds a device to a thread; every entry point does so first."""
    text = outcome(
        run("""
        import threading
        found = []
        def work(k):
            found.append(np.allclose(opslib.exp(x + k, backend="npu"), np.exp(x + k)))
        opslib.exp(x, backend="npu")
        threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
        [t.start() for t in threads]; [t.join() for t in threads]
        print(found)
        """)
    )
    assert text == "[True, True, True, True]\n"


def test_an_unknown_chip_is_no_device(run: Run) -> None:
    """A chip the target table lacks is named, not guessed."""
    text = outcome(
        run(
            "print([d.why_not for d in opslib.devices() if d.name == 'npu:ascend:0'])",
            FAKE_ACL_SOC="Ascend1234",
        )
    )
    assert "Ascend1234 is not in opslib's target table" in text


def test_torch_npu_tensors_are_used_where_they_lie(run: Run) -> None:
    """By data_ptr and the current stream; what the plug-in offers is faked here."""
    text = outcome(
        run("""
        import sys, types
        here = context(0)
        held = here.upload(x)
        made = here.acl.ffi.new("aclrtStream *")
        here.acl.call("aclrtCreateStream", made)
        stream = int(here.acl.ffi.cast("uintptr_t", made[0]))
        npu = types.SimpleNamespace(
            current_stream=lambda k: types.SimpleNamespace(npu_stream=stream))
        sys.modules["torch_npu"] = types.SimpleNamespace(npu=npu)
        class Tensor:
            device = types.SimpleNamespace(type="npu", index=0)
            dtype, shape = "torch.float32", x.shape
            contiguous = lambda self: self
            data_ptr = lambda self: held.address
        from opslib.backends.npu.acl.device import of_torch
        seen = of_torch(Tensor())
        print(seen.address == held.address, here.stream == made[0],
              (here.download(seen) == x).all())
        """)
    )
    assert text == "True True True\n"


def test_return_codes_have_classes_and_remedies() -> None:
    """Known codes say what to do; others by ACL's rule of the first digit."""
    assert isinstance(acl_error(507014, "aclrtSynchronizeStream"), KernelError)
    assert isinstance(acl_error(507000, "aclInit"), BackendUnavailable)
    assert isinstance(acl_error(545003, "aclrtcCompileProg", "log"), CompileError)
    assert "resource" in str(acl_error(299999, "aclrtX"))
    assert "report" in str(acl_error(599999, "aclrtX"))
    assert acl_error(1, "aclrtX").help


def test_names_of_chips() -> None:
    """As aclrtGetSocName returns them."""
    names = ("Ascend910B1", "Ascend910_9392", "Ascend950PR_9589", "Ascend310P3")
    assert [architecture(n) for n in names] == ["2201", "2201", "3510", "2002"]
    assert architecture("Ascend910A") is None
