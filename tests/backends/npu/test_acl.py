"""The whole of ``npu:ascend``: a fake libascendcl and libacl_rtc around the CPU twin.

Scenarios run in processes of their own: ACL is initialised once in a process, and what
is planted must not reach other tests.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from opslib.backends.npu.acl.device import architecture
from opslib.backends.npu.acl.errors import acl_error

from opslib.errors import BackendUnavailable, CompileError, KernelError

from .acl_runs import Run, outcome

pytestmark = pytest.mark.skipif(
    shutil.which("g++") is None, reason="the fake CANN is compiled with g++"
)


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
        # Of many cores at once, too.
        for count in (1, 4, 500):
            try:
                opslib.take(x, np.full(count, 99), axis=0, backend="npu")
            except IndexError as error:
                print(error)
        """)
    )
    assert text.count("holds 99") == 3
    assert "33" in text


def test_failed_checks_wait_for_no_launch(run: Run) -> None:
    """The host waits for nothing until it asks for a result; then it is told."""
    text = outcome(
        run("""
        here, waits = context(0), fake().fake_acl_waits
        held = here.upload(x)
        good = here.upload(np.array([3, 0, 32], dtype=np.int32))
        bad = here.upload(np.array([3, 99, -77], dtype=np.int32))
        # Plans and verdicts first.
        some = np.array([3, 0, 32], dtype=np.int32)
        take = opslib.take.plan(x, some, axis=0, backend="npu")
        exp = opslib.exp.plan(x, backend="npu")
        before = waits()
        kept = [take.run([held, good], None)[0] for _ in range(5)]
        lost = take.run([held, bad], None)
        (last,) = exp.run([held], None)
        print("waited", waits() - before)
        try:
            here.synchronize()
        except opslib.OpslibError as error:
            print(type(error).__name__, error)
        # What was right is still there, and the error is told once.
        print(all((here.download(k) == x[[3, 0, 32]]).all() for k in kept))
        print(np.allclose(here.download(last), np.exp(x), rtol=1e-5))
        """)
    )
    waited, error, *rest = text.splitlines()
    assert waited == "waited 0"
    assert error.startswith("OperandIndexError")
    assert "indices holds 99" in error
    assert rest[-2:] == ["True", "True"]


def test_a_deferred_error_is_not_taken_for_a_verdict(run: Run) -> None:
    """A kernel's first self-check comes after an error that another call left."""
    text = outcome(
        run("""
        here = context(0)
        held = here.upload(x)
        bad = here.upload(np.array([99], dtype=np.int32))
        one = np.array([3], dtype=np.int32)
        opslib.take.plan(x, one, axis=0, backend="npu").run([held, bad], None)
        try:
            opslib.negative(x, backend="npu")
        except IndexError as error:
            print("of take:", "take" in str(error))
        with opslib.receipts() as found:
            y = opslib.negative(x, backend="npu")
        print(found[-1].device, (y == -x).all())
        """)
    )
    assert text == "of take: True\nnpu:ascend:0 True\n"


def test_more_launches_than_pinned_memory_holds(run: Run) -> None:
    """Arguments beyond it are copied the slow way; nothing is overwritten."""
    text = outcome(
        run("""
        from opslib.backends.npu.acl import device
        device._STAGE_BYTES = 1024
        here = context(0)
        held = [here.upload(x + k) for k in range(12)]
        exp = opslib.exp.plan(x, backend="npu")
        made = [exp.run([h], None)[0] for h in held]
        print(all(np.allclose(here.download(m), np.exp(x + k), rtol=1e-5)
                  for k, m in enumerate(made)))
        """)
    )
    assert text == "True\n"


def test_views_are_made_on_the_chip(run: Run) -> None:
    """Transposed and broadcast by a kernel: the host waits for nothing."""
    text = outcome(
        run("""
        from opslib.backends.npu.acl import views
        from opslib.backends.npu.acl.device import chips
        from opslib.ir.view import View
        here, chip, waits = context(0), chips()[0], fake().fake_acl_waits
        cases = [
            ((5, 7), (1, 0), (7, 5), (7, 5)),
            ((2, 3, 1, 5), (3, 2, 0, 1), (5, 6), (5, 6)),
            ((4, 1, 3), (0, 1, 2), (4, 1, 3), (4, 6, 3)),
            ((3,), (0,), (1, 3), (5, 3)),
            ((3, 4), (1, 0), (4, 1, 3), (4, 2, 3)),
            ((0, 3), (1, 0), (3, 0), (3, 0)),
            ((), (), (), ()),
            ((2, 3), (0, 1), (6,), (6,)),
        ]
        for dtype in (np.float32, np.int64, np.bool_):
            for shape, order, middle, extents in cases:
                a = (rng.normal(size=shape) * 50).astype(dtype)
                held = here.upload(a)
                before = waits()
                seen = views.viewed(held, View(order, middle, extents), chip)
                assert waits() == before, (dtype, shape, order)
                got = here.download(seen)
                want = np.broadcast_to(a.transpose(order).reshape(middle), extents)
                assert got.dtype == want.dtype and (got == want).all(), (shape, order)
        # A thousand shapes of a transposition are one kernel.
        count = views.copying.cache_info().misses
        for n in range(2, 12):
            a = rng.normal(size=(n, n + 1)).astype(np.float32)
            view = View((1, 0), (n + 1, n), (n + 1, n))
            got = here.download(views.viewed(here.upload(a), view, chip))
            assert (got == a.T).all()
        print(views.copying.cache_info().misses - count)
        y = opslib.softmax(x, axis=0, backend="npu")
        print(np.allclose(y, opslib.softmax(x, axis=0, backend="numpy"), atol=1e-6))
        """)
    )
    assert text == "0\nTrue\n"


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
