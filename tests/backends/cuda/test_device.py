"""``cuda:0`` from call to result, on the fake GPU of `fake_core`.

What runs there is what runs on a GPU but for `cuda.core` itself: plans, launches,
arguments, streams, memory and errors.
"""

from __future__ import annotations

import gc
import threading
from typing import Any

import numpy as np
import pytest
from opslib.backends.cuda import gpus, memory
from opslib.backends.cuda.device import CudaBackend
from opslib.backends.cuda.targets import TARGETS, target_of

import opslib
from opslib.errors import (
    ArgumentError,
    BackendUnavailable,
    DeviceFailure,
    KernelError,
    OperandIndexError,
)
from opslib.runtime import registry

rng = np.random.default_rng(1)
x = rng.normal(size=(33, 70)).astype(np.float32)
y = rng.normal(size=(70,)).astype(np.float32)


def test_numpy_in_numpy_out(fake: Any) -> None:
    """Upload, launch, download; the GPU before the simulator."""
    with opslib.receipts() as found:
        got = opslib.softmax(x, backend="cuda")
    want = opslib.softmax(x, backend="numpy")
    assert type(got) is np.ndarray
    assert np.abs(got - want).max() < 1e-6
    assert found[-1].device == "cuda:0"
    assert not found[-1].simulated
    assert fake.WORLD.launches


@pytest.mark.parametrize("dtype", ["float16", "float64", "int32", "bool", "uint8"])
def test_dtypes_cross_the_bus(fake: Any, dtype: str) -> None:
    a = (rng.normal(size=(5, 7)) * 4).astype(dtype)
    got = opslib.where(a > 0, a, a, backend="cuda:0")
    assert got.dtype == a.dtype
    assert (got == a).all()


def test_empty_and_scalar_arrays(fake: Any) -> None:
    empty = np.empty((0, 3), np.float32)
    assert opslib.exp(empty, backend="cuda").shape == (0, 3)
    assert opslib.sum(empty, axis=0, backend="cuda").tolist() == [0, 0, 0]
    assert opslib.exp(np.float32(0), backend="cuda") == 1


def test_out_on_the_host(fake: Any) -> None:
    out = np.empty_like(x)
    assert opslib.exp(x, out=out, backend="cuda:0") is out
    assert np.allclose(out, np.exp(x))


# --- PyTorch -------------------------------------------------------------------------


@pytest.fixture
def torch(fake: Any, libraries: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    return libraries.torch(monkeypatch, fake)


def test_tensors_are_used_where_they_lie(fake: Any, torch: Any) -> None:
    """On torch's stream, by torch's allocator, without a copy and without waiting."""
    a, b = torch.tensor(x), torch.tensor(x + 1)
    opslib.add(a, b)  # compiles
    fake.WORLD.calls.clear()
    with opslib.receipts() as found:
        got = opslib.add(a, b)
    assert found[-1].device == "cuda:0"
    assert fake.WORLD.calls == ["launch"]
    assert type(got) is torch.Tensor
    assert (got.numpy_now().view(np.uint8) == fake.GARBAGE).all(), "nothing waited"
    assert np.allclose(got.read(), x + (x + 1))


def test_tensors_are_resident(fake: Any, torch: Any) -> None:
    """No backend is named: the GPU has the arrays, so it runs the call."""
    with opslib.receipts() as found:
        got = opslib.matmul(torch.tensor(x), torch.tensor(x.T.copy()))
    assert found[-1].device == "cuda:0"
    assert np.allclose(got.read(), x @ x.T, atol=1e-4)


@pytest.mark.parametrize(
    "view",
    [
        lambda t: (t.seen((70, 33), (1, 70)), x.T),
        lambda t: (t.seen((17, 35), (140, 2)), x[::2, ::2]),
        lambda t: (t.seen((33, 4, 70), (70, 0, 1)), np.repeat(x[:, None], 4, 1)),
    ],
)
def test_strided_tensors(fake: Any, torch: Any, view: Any) -> None:
    """Transposed, stepped and broadcast ones are read through their strides."""
    seen, want = view(torch.tensor(x))
    assert np.allclose(opslib.exp(seen).read(), np.exp(want))
    assert np.allclose(opslib.sum(seen, axis=0).read(), want.sum(0), atol=1e-4)
    assert np.allclose(opslib.softmax(seen).read(), opslib.softmax(want), atol=1e-6)


def test_the_current_stream_is_asked_each_time(fake: Any, torch: Any) -> None:
    a = torch.tensor(x)
    opslib.exp(a)
    first = torch.stream
    first.sync()
    torch.stream = fake.Device(0).create_stream()
    before = len(first.queue)
    got = opslib.exp(a)
    assert len(first.queue) == before
    assert np.allclose(got.read(), np.exp(x))


def test_numbers_beside_tensors_are_uploaded_once(fake: Any, torch: Any) -> None:
    a = torch.tensor(x)
    assert np.allclose(opslib.multiply(a, 2.0).read(), x * 2)
    fake.WORLD.calls.clear()
    assert np.allclose(opslib.multiply(a, 2.0).read(), x * 2)
    assert "copy" not in fake.WORLD.calls
    assert np.allclose(opslib.multiply(a, 3.0).read(), x * 3)


def test_a_launch_can_be_captured(fake: Any, torch: Any) -> None:
    """A graph of calls, replayed on other contents of the same memory."""
    a = torch.tensor(x)

    def step() -> Any:
        return opslib.softmax(opslib.multiply(a, 2.0))

    step()  # compiles, loads, uploads the 2
    torch.stream.sync()
    with fake.captured(torch.stream) as graph:
        got = step()
    a.numpy_now()[...] = y
    for node in graph:
        node()
    want = opslib.softmax(np.broadcast_to(2 * y, x.shape))
    assert np.allclose(got.numpy_now(), want, atol=1e-6)


def test_workspaces_are_captured_too(fake: Any, torch: Any) -> None:
    """A sum over so much that several blocks share it has partial results."""
    long = rng.normal(size=100_000).astype(np.float32)
    a = torch.tensor(long)
    fake.WORLD.calls.clear()
    opslib.sum(a)
    torch.stream.sync()
    with fake.captured(torch.stream) as graph:
        got = opslib.sum(a)
    for node in graph:
        node()
    assert np.allclose(got.numpy_now(), long.sum(dtype=np.float64), rtol=1e-5)


def test_out_on_the_gpu(fake: Any, torch: Any) -> None:
    """Written by torch, in order with its stream; an argument may be `out` too."""
    a = torch.tensor(x)
    out = torch.tensor(np.zeros_like(x))
    fake.WORLD.calls.clear()
    assert opslib.exp(a, out=out) is out
    assert "stream.sync" not in fake.WORLD.calls
    assert np.allclose(out.read(), np.exp(x))
    assert opslib.exp(a, out=a) is a
    assert np.allclose(a.read(), np.exp(x))
    with pytest.raises(opslib.ShapeError, match=r"allocate it with shape \(33, 70\)"):
        opslib.exp(out, out=torch.tensor(np.zeros(3, np.float32)))
    with pytest.raises(opslib.DTypeError, match="allocate it with dtype"):
        opslib.exp(out, out=torch.tensor(np.zeros(x.shape)))


def test_gradients_are_not_lost_silently(fake: Any, torch: Any) -> None:
    a = torch.tensor(x)
    a.requires_grad = True
    with pytest.raises(ArgumentError, match="detach"):
        opslib.exp(a)


def test_numpy_arrays_among_tensors(fake: Any, torch: Any) -> None:
    with pytest.raises(opslib.OpslibError, match="numpy and torch in one call"):
        opslib.add(torch.tensor(x), x)


# --- CuPy, JAX -----------------------------------------------------------------------


def test_cupy(fake: Any, libraries: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """CuPy's arrays on CuPy's current stream, through DLPack."""
    cupy = libraries.cupy(monkeypatch, fake)
    a = cupy.array(x)
    opslib.exp(a)
    fake.WORLD.calls.clear()
    got = opslib.exp(a)
    assert fake.WORLD.calls == ["launch"]
    assert type(got) is libraries.Ndarray
    assert np.allclose(got.read(), np.exp(x))
    seen = a.seen((70, 33), (1, 70))
    assert np.allclose(opslib.softmax(seen).read(), opslib.softmax(x.T), atol=1e-6)


def test_jax(fake: Any, libraries: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In through DLPack, in order with JAX's work, and held until ours is done."""
    made = libraries.cupy(monkeypatch, fake, libraries.ArrayImpl)
    import jax

    monkeypatch.setattr(jax, "Array", libraries.ArrayImpl)
    monkeypatch.setattr(jax.dlpack, "from_dlpack", lambda a: ("jax", a, a.__dlpack__()))
    a = made.array(x)
    kind, array, _ = opslib.exp(a, backend="cuda:0")
    assert kind == "jax"
    address = a.address
    del a
    gc.collect()
    # JAX frees as soon as nobody refers to the array, whatever we have enqueued.
    assert address in fake.WORLD.memory
    got = CudaBackend().to_numpy(array)
    assert np.allclose(got, np.exp(x))


def test_arrays_of_nobody(fake: Any) -> None:
    """opslib's own go in and come out, by both protocols."""
    backend, device = registry.device("cuda:0")
    a = backend.asarray(x, device)
    got = opslib.exp(a)
    assert type(got) is memory.DeviceArray
    assert np.allclose(backend.to_numpy(got), np.exp(x))
    seen = got.__cuda_array_interface__
    assert seen["typestr"] == "<f4"
    assert seen["shape"] == x.shape
    assert seen["data"] == (got.address, False)
    assert seen["stream"] == got.stream.handle
    assert got.__dlpack_device__() == (2, 0)


def test_a_consumer_waits_for_what_fills_an_array(fake: Any) -> None:
    backend, device = registry.device("cuda:0")
    got = opslib.exp(backend.asarray(x, device))
    other = fake.Device(0).create_stream()
    view = got.__dlpack__(stream=other.handle)
    other.sync()
    raw = np.ctypeslib.as_array(
        (np.ctypeslib.ctypes.c_float * x.size).from_address(view.ptr)
    )
    assert np.allclose(raw.reshape(x.shape), np.exp(x))


# --- Errors --------------------------------------------------------------------------


def test_an_index_out_of_bounds_reaches_the_caller(fake: Any) -> None:
    with pytest.raises(
        OperandIndexError, match=r"99.*33.*take on arrays of \(33, 70\)"
    ):
        opslib.take(x, np.array([99]), axis=0, backend="cuda:0")
    assert (opslib.take(x, np.array([3]), axis=0, backend="cuda:0") == x[3:4]).all()


def test_an_index_out_of_bounds_is_reported_later(fake: Any, torch: Any) -> None:
    """The call that has it does not wait; the next one that can know raises."""
    a, i = torch.tensor(x), torch.tensor(np.array([99]))
    opslib.take(a, torch.tensor(np.array([1])), axis=0)
    fake.WORLD.calls.clear()
    opslib.take(a, i, axis=0)
    assert "stream.sync" not in fake.WORLD.calls
    torch.stream.sync()
    with pytest.raises(OperandIndexError, match=r"99.*take on arrays of"):
        opslib.exp(a)
    opslib.exp(a)  # it is told once


def test_a_failed_call_does_not_void_others(fake: Any, torch: Any) -> None:
    """Each launch has a status of its own, on any stream."""
    a = torch.tensor(x)
    bad, good = torch.tensor(np.array([99])), torch.tensor(np.array([3]))
    opslib.take(a, bad, axis=0)
    got = opslib.take(a, good, axis=0)
    assert (got.read() == x[3:4]).all()
    with pytest.raises(OperandIndexError):
        opslib.exp(a)


def test_synchronize_reports_what_is_pending(fake: Any, torch: Any) -> None:
    backend, device = registry.device("cuda:0")
    a = torch.tensor(x)
    opslib.take(a, torch.tensor(np.array([99])), axis=0)
    with pytest.raises(OperandIndexError):
        backend.synchronize(device)
    backend.synchronize(device)


@pytest.mark.parametrize(
    ("call", "said", "kind", "expected"),
    [
        ("allocate", "CUDA_ERROR_OUT_OF_MEMORY: out of memory", DeviceFailure, "free"),
        (
            "load",
            "CUDA_ERROR_NO_BINARY_FOR_GPU: no kernel",
            DeviceFailure,
            "nvidia-smi",
        ),
        ("launch", "CUDA_ERROR_INVALID_VALUE: bad", DeviceFailure, "exp on arrays"),
        (
            "stream.sync",
            "CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access",
            KernelError,
            r"exp on arrays of \(\d+.*compute-sanitizer",
        ),
    ],
)
def test_each_failing_call_is_an_exception(
    fake: Any, call: str, said: str, kind: type, expected: str
) -> None:
    """With the driver's words, what was launched, and a library that works after."""
    fake.WORLD.failures[call] = said
    with pytest.raises(kind, match=f"(?s){said[:16]}.*{expected}"):
        opslib.exp(x, backend="cuda:0")
    assert np.allclose(opslib.exp(x, backend="cuda:0"), np.exp(x))


# --- Resources -----------------------------------------------------------------------


def test_memory_goes_back(fake: Any) -> None:
    """Nothing stays allocated but the pinned page of status words."""
    backend, device = registry.device("cuda:0")
    opslib.take(x, np.array([3]), axis=0, backend="cuda:0")
    backend.synchronize(device)
    gc.collect()
    backend.synchronize(device)
    before = len(fake.WORLD.memory)
    for _ in range(5):
        opslib.softmax(x, backend="cuda:0")
        opslib.take(x, np.array([3]), axis=0, backend="cuda:0")
    gc.collect()
    backend.synchronize(device)
    assert len(fake.WORLD.memory) == before


def test_machine_code_is_kept(fake: Any) -> None:
    """A second process finds it in the kernel cache; here, a second backend."""
    opslib.exp(x, backend="cuda:0")
    fake.forget()
    fake.WORLD.calls.clear()
    opslib.exp(x, backend="cuda:0")
    assert "load" in fake.WORLD.calls
    assert "compile" not in fake.WORLD.calls


def test_shapes_compile_nothing(fake: Any) -> None:
    for n in (1, 2, 31, 1000):
        opslib.exp(np.ones((n, 3), np.float32), backend="cuda:0")
    assert fake.WORLD.calls.count("load") == 1


def test_large_shared_memory_is_asked_for(fake: Any) -> None:
    here = gpus.place(0).gpu
    function = gpus.Function("some kernel")
    with pytest.raises(DeviceFailure, match="300000 bytes"):
        here.allow_shared(type("F", (), {"handle": "k"}), 300_000)
    here.allow_shared(type("F", (), {"handle": "k"}), 100_000)
    assert fake.WORLD.shared == {"k": 100_000}
    assert function.shared == 0


def test_threads(fake: Any) -> None:
    """Each thread has a current device of its own."""
    found: list[bool] = []

    def work(k: int) -> None:
        got = opslib.exp(x + k, backend="cuda:0")
        found.append(bool(np.allclose(got, np.exp(x + k))))

    opslib.exp(x, backend="cuda:0")
    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found == [True] * 4


@pytest.mark.parametrize("fake", [2], indirect=True)
def test_the_callers_device_stays_current(fake: Any) -> None:
    """A call for another device leaves the thread as it found it."""
    fake.Device(0).set_current()
    assert np.allclose(opslib.exp(x, backend="cuda:1"), np.exp(x))
    assert fake.Device().device_id == 0
    backend, device = registry.device("cuda:1")
    assert backend.owner(backend.asarray(x, device)) == device


# --- What is missing -----------------------------------------------------------------


def test_no_gpu(fake: Any) -> None:
    fake.WORLD.devices = 0
    gpus._found.cache_clear()
    first, *_, last = registry.load("cuda").devices()
    assert first.why_not == "the driver shows no GPU; check `nvidia-smi`"
    assert last.name == "cuda:sim"
    assert registry.device("cuda")[1].name == "cuda:sim"


def test_no_driver(monkeypatch: pytest.MonkeyPatch, fake: Any) -> None:
    def fails() -> None:
        raise RuntimeError("libcuda.so.1: cannot open shared object file")

    monkeypatch.setattr(fake.Device, "get_all_devices", fails)
    gpus._found.cache_clear()
    why = registry.load("cuda").devices()[0].why_not
    assert why is not None
    assert "libcuda.so.1" in why
    assert "install" in why


def test_simulators_may_be_forbidden(
    monkeypatch: pytest.MonkeyPatch, fake: Any
) -> None:
    fake.WORLD.devices = 0
    gpus._found.cache_clear()
    monkeypatch.setenv("OPSLIB_SIMULATE", "never")
    with pytest.raises(BackendUnavailable, match="OPSLIB_SIMULATE=never"):
        opslib.exp(x, backend="cuda:sim")


def test_targets_of_compute_capabilities() -> None:
    """Its own row, or the last one whose machine code it runs."""
    assert target_of(9, 0) is TARGETS["sm_90"]
    assert target_of(7, 0) is None
    newer = target_of(8, 7)
    assert newer is not None
    assert newer.arch == "sm_86"
    later = target_of(12, 1)
    assert later is not None
    # What has a suffix runs on its own chip only.
    assert (later.arch, later.wgmma, later.tcgen05) == ("sm_120", False, False)
