"""cuBLASLt as a further way to run products, through NVIDIA's bindings, on a fake."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import pytest
from opslib.backends.cuda import cublaslt_library, packages, requirements
from opslib.backends.cuda.cublaslt import multiple

from .cublaslt_runs import Run, build, python

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("gcc") is None or shutil.which("g++") is None,
        reason="the fake libcublasLt and the simulator are compiled with gcc",
    ),
    pytest.mark.skipif(
        importlib.util.find_spec("nvmath") is None,
        reason="nvmath-python is not installed: pip install 'opslib[cuda]'",
    ),
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("cublas"))


@pytest.fixture(scope="module")
def warm(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with opslib's own kernels of what most tests multiply; no verdicts."""
    folder = tmp_path_factory.mktemp("warm") / "cache"
    python(
        """
        with opslib.use(providers=False):
            opslib.matmul(f(4, 5), f(5, 6), backend="cuda")
        """,
        built,
        folder,
    )
    shutil.rmtree(folder / "routes", ignore_errors=True)
    return folder


@pytest.fixture
def run(built: Path, warm: Path, tmp_path: Path) -> Run:
    """Runs a script with a cache of its own."""

    def call(script: str, **environment: str) -> str:
        cache = tmp_path / "cache"
        if not cache.exists():
            shutil.copytree(warm, cache)
        return python(script, built, cache, **environment)

    return call


def test_products_are_right_in_every_type(run: Run) -> None:
    """By name in the receipts, judged by NumPy: whole numbers, so every bit is."""
    text = run(
        """
        for dtype in ("float16", "bfloat16", "float32"):
            a, b, w = f(4, 5, dtype=dtype), f(5, 6, dtype=dtype), f(6, 5, dtype=dtype)
            for name, *arrays in [
                ("matmul", a, b), ("mm", a, b), ("matvec", a, b[:, 0]),
                ("linear", a, w), ("linear", a, w, f(6, dtype=dtype)),
                ("bmm", f(3, 4, 5, dtype=dtype), f(3, 5, 2, dtype=dtype)),
                ("matmul", f(3, 4, 5, dtype=dtype), b),
                ("matmul", f(2, 1, 4, 5, dtype=dtype), f(3, 5, 7, dtype=dtype)),
                ("vecmat", f(5, dtype=dtype), b),
            ]:
                got, how = who(name, *arrays, backend="cuda")
                right(got, getattr(opslib, name)(*arrays, backend="numpy"))
                print(name, how)
        """
    )
    found = [line.split() for line in text.splitlines()]
    assert len(found) == 27
    for k, (name, how) in enumerate(found):
        bias = "_bias" if name == "linear" and k % 9 == 4 else ""
        assert how == f"cublaslt:matmul{bias}@13.1.2"


def test_what_is_not_a_product_stays_with_opslib(run: Run) -> None:
    """So do types that the library would round in another way, and empty arrays."""
    text = run(
        """
        for name, *arrays in [
            ("matmul", f(4, 5, dtype="float64"), f(5, 6, dtype="float64")),
            ("matmul", f(4, 5, dtype="int32"), f(5, 6, dtype="int32")),
            ("matmul", f(4, 0), f(0, 6)), ("matmul", f(0, 5), f(5, 6)),
            ("outer", f(3), f(4)), ("addmm", f(6), f(4, 5), f(5, 6)),
        ]:
            got, how = who(name, *arrays, backend="cuda")
            assert not how.startswith("cublaslt"), how
            right(got, getattr(opslib, name)(*arrays, backend="numpy"))
        print(lt.fake_cublaslt_products())
        """
    )
    assert text == "0\n"


def test_layouts(run: Run) -> None:
    """Transposed tensors as they lie; others through one copy each, and right."""
    text = run(
        """
        a, b = f(8, 16), f(16, 24)
        opslib.matmul(a, b, backend="cuda")  # the verdict
        t = torch.tensor
        def views(x):
            n, m = x.shape
            wide = np.zeros((2 * n, 2 * m), np.float32)
            wide[::2, ::2] = x
            wider = np.zeros((n, m + 3), np.float32)
            wider[:, :m] = x
            return {
                "plain": t(x), "turned": t(x.T.copy()).seen((n, m), (1, n)),
                "wide": t(wider).seen((n, m), (m + 3, 1)),
                "stepped": t(wide).seen((n, m), (4 * m, 2)),
            }
        for one, x in views(a).items():
            for two, y in views(b).items():
                opslib.matmul(x, y)
                core.WORLD.calls.clear()
                got, how = who("matmul", x, y)
                calls = [c for c in core.WORLD.calls if c in ("launch", "product")]
                right(got.read(), a @ b)
                assert how.startswith("cublaslt:"), how
                copies = (one == "stepped") + (two == "stepped")
                assert calls == ["launch"] * copies + ["product"], (one, two, calls)
        batch, one = f(5, 4, 6), f(6, 3)
        shared = t(one).seen((5, 6, 3), (0, 3, 1))
        got, how = who("matmul", t(batch), shared)
        right(got.read(), batch @ one)
        print(how)
        """
    )
    assert text == "cublaslt:matmul@13.1.2\n"


def test_conformance(run: Run) -> None:
    """The suite's cases of each type, every one of them by the library that can be."""
    text = run(
        """
        from opslib.dispatch.handle import Handle
        from opslib.testing.conformance import check
        for name in ("matmul", "linear", "bmm"):
            for dtype in ("float32", "float16", "bfloat16"):
                o = check(Handle(name), dtype, "cuda:0", "quick")
                print(name, dtype, o.state, *[x.message for x in o.failures])
        print(lt.fake_cublaslt_products() > 50)
        """
    )
    *lines, by_library = text.splitlines()
    assert by_library == "True"
    assert len(lines) == 9
    for line in lines:
        assert line.endswith(" pass"), line


def test_on_torchs_stream_without_waiting(run: Run) -> None:
    """Memory from torch, the workspace from the pool, in the order of one stream."""
    run(
        """
        a, b = f(4, 5), f(5, 6)
        x, y = torch.tensor(a), torch.tensor(b)
        opslib.matmul(x, y)
        core.WORLD.calls.clear()
        got, how = who("matmul", x, y)
        assert how.startswith("cublaslt:")
        # An odd depth: this fake's algorithm wants room, which goes back at once.
        assert core.WORLD.calls == ["allocate", "product"], core.WORLD.calls
        assert type(got) is torch.Tensor
        assert (got.numpy_now().view(np.uint8) == core.GARBAGE).all(), "it waited"
        right(got.read(), a @ b)
        # What the current stream is is asked each time.
        before = len(torch.stream.queue)
        torch.stream = core.Device(0).create_stream()
        right(opslib.matmul(x, y).read(), a @ b)
        assert before
        """
    )


def test_a_product_can_be_captured(run: Run) -> None:
    run(
        """
        a, b, bias = f(4, 5), f(6, 5), f(6)
        x, w, c = torch.tensor(a), torch.tensor(b), torch.tensor(bias)
        opslib.linear(x, w, c)
        torch.stream.sync()
        with core.captured(torch.stream) as graph:
            got = opslib.linear(x, w, c)
        x.numpy_now()[...] = a + 1
        for node in graph:
            node()
        right(got.numpy_now(), (a + 1) @ b.T + bias)
        """
    )


def test_a_bias_of_each_call_is_its_own(run: Run) -> None:
    """The descriptor is shared, what it points to is not; a stepped one is copied."""
    run(
        """
        a, w = f(4, 5), f(6, 5)
        x, y = torch.tensor(a), torch.tensor(w)
        biases = [f(6) for _ in range(4)]
        made = [opslib.linear(x, y, torch.tensor(c)) for c in biases]
        for got, c in zip(made, biases):
            right(got.read(), a @ w.T + c)
        long = f(12)
        got, how = who("linear", x, y, torch.tensor(long).seen((6,), (2,)))
        assert how.startswith("cublaslt:matmul_bias@")
        right(got.read(), a @ w.T + long[::2])
        """
    )


def test_addresses_are_as_aligned_as_was_said(run: Run) -> None:
    """Slices that begin anywhere: the library is told, or reads past its rules."""
    run(
        """
        held = f(5 * 5 + 8, dtype="float16")
        b = f(5, 6, dtype="float16")
        y = torch.tensor(b)
        whole = torch.tensor(held)
        for start in range(8):
            x = whole.seen((5, 5), (5, 1))
            x.address += 2 * start
            got, how = who("matmul", x, y)
            assert how.startswith("cublaslt:"), how
            want = held[start : start + 25].reshape(5, 5).astype("f4") @ b.astype("f4")
            right(got.read(), want.astype("float16"))
        """
    )


def test_nothing_is_left(run: Run) -> None:
    """Memory goes back, and the library's objects with the kernels that made them."""
    text = run(
        """
        import gc
        from opslib.dispatch import call, caches
        backend, device = opslib.runtime.registry.device("cuda:0")
        def once():
            opslib.matmul(f(4, 5), f(5, 6), backend="cuda")
            opslib.matmul(f(5, 4).T, np.repeat(f(5, 1), 6, 1)[:, ::-1], backend="cuda")
            backend.synchronize(device)
            gc.collect()
            backend.synchronize(device)
        once()
        before = len(core.WORLD.memory)
        for _ in range(4): once()
        assert len(core.WORLD.memory) == before
        print(lt.fake_cublaslt_live() > 0)
        call._plans.clear(); caches.libraries.clear(); caches.kernels.clear()
        gc.collect()
        print(lt.fake_cublaslt_live())
        """
    )
    assert text.splitlines() == ["True", "0"]


def test_a_wrong_library_is_not_taken(run: Run) -> None:
    """A failed self-check is kept, for other processes too; explain says it."""
    script = """
    lt.fake_cublaslt_wrong(1)
    a, b = f(4, 5), f(5, 6)
    print(opslib.explain("matmul", a, b, backend="cuda"))
    got, how = who("matmul", a, b, backend="cuda")
    right(got, a @ b)
    print(how)
    """
    text = run(script)
    assert text.endswith("contraction\n")
    assert "not cublaslt:matmul@13.1.2: its kernel failed the self-check" in text
    again = run(script.replace("lt.fake_cublaslt_wrong(1)", ""))
    assert again.endswith("contraction\n")
    assert "is known to be wrong here" in again


def test_switches(run: Run) -> None:
    script = """
    a, b = f(4, 5), f(5, 6)
    print(who("matmul", a, b, backend="cuda")[1])
    with opslib.use(providers=False):
        print(who("matmul", a, b, backend="cuda")[1])
    """
    assert run(script).split() == ["cublaslt:matmul@13.1.2", "contraction"]
    assert run(script, OPSLIB_PROVIDERS="never").split() == ["contraction"] * 2


def test_products_that_the_library_does_not_have(run: Run) -> None:
    """None at all: opslib's own kernel. None of some layouts: dense copies of them."""
    text = run(
        """
        a, b = f(8, 4), f(4, 6)
        lt.fake_cublaslt_missing(1)
        print(str(opslib.explain("matmul", a, b, backend="cuda")).splitlines()[1:3])
        got, how = who("matmul", a, b, backend="cuda")
        print(how)
        lt.fake_cublaslt_missing(2)
        x = torch.tensor(a.T.copy()).seen((8, 4), (1, 8))
        got, how = who("matmul", x, torch.tensor(b))
        right(got.read(), a @ b)
        print(how)
        """
    )
    explained, first, second = text.splitlines()
    assert "it does not take these sizes" in explained
    assert first == "contraction"
    assert second == "cublaslt:matmul@13.1.2"


def test_failures_have_the_librarys_words(run: Run) -> None:
    text = run(
        """
        from opslib.errors import DeviceFailure, KernelError
        a, b = f(4, 5), f(5, 6)
        opslib.matmul(a, b, backend="cuda")
        def no_memory():
            core.WORLD.failures["allocate"] = "CUDA_ERROR_OUT_OF_MEMORY"
        for plant in (lambda: lt.fake_cublaslt_fail(13), no_memory):
            plant()
            try:
                opslib.matmul(a, b, backend="cuda")
            except DeviceFailure as error:
                print(error.message)
            right(opslib.matmul(a, b, backend="cuda"), a @ b)
        # An algorithm for dense arrays and none for these: it says what to do.
        lt.fake_cublaslt_missing(1)
        try:
            turned = torch.tensor(b.T.copy()).seen((5, 6), (1, 5))
            opslib.matmul(torch.tensor(a), turned)
        except KernelError as error:
            print(error.message, "|", error.help)
        """
    )
    failed, memory, none = text.splitlines()
    assert "EXECUTION_FAILED" in failed
    assert "matmul on arrays of (4, 5), (5, 6)" in failed
    assert "OUT_OF_MEMORY" in memory
    assert "no algorithm for matmul on arrays of (4, 5), (5, 6)" in none
    assert "providers=False" in none


def test_threads_share_one_descriptor(run: Run) -> None:
    run(
        """
        import threading
        a, w = f(4, 5), f(6, 5)
        opslib.linear(a, w, f(6), backend="cuda")
        found = []
        def work(seed):
            for k in range(5):
                c = np.full(6, 10 * seed + k, np.float32)
                got = opslib.linear(a, w, c, backend="cuda")
                found.append(bool((got == a @ w.T + c).all()))
        threads = [threading.Thread(target=work, args=(k,)) for k in range(3)]
        for t in threads: t.start()
        for t in threads: t.join()
        assert found == [True] * 15
        """
    )


def test_without_the_library(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is offered, nothing raises, and the doctor says what to install."""
    cublaslt_library.version.cache_clear()

    def missing() -> Any:
        raise packages.NotInstalled("nvmath-python is not installed; pip install it")

    monkeypatch.setattr(cublaslt_library, "cublaslt", missing)
    found = {n.name: n for n in requirements.requirements()}["cuBLASLt"]
    assert found.found == "nvmath-python is not installed"
    assert found.remedy == "pip install it (optional)"
    text = run(
        """
        from opslib.backends.cuda import cublaslt, packages
        def missing():
            raise packages.NotInstalled("gone")
        cublaslt.version = missing
        print(who("matmul", f(4, 5), f(5, 6), backend="cuda")[1])
        """
    )
    assert text == "contraction\n"


def test_what_addresses_are_multiples_of() -> None:
    assert multiple(16, [0, 32, 96]) == 16
    assert multiple(16, [0, 6, 12]) == 2
    assert multiple(4, [0, 64]) == 4
