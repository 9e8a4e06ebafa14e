"""Prepared calls on a GPU's arrays: the same results, order and errors, less Python."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from opslib.backends.cuda import gpus
from opslib.backends.cuda.memory import DeviceArray
from opslib.backends.cuda.resident import Calls

import opslib
from opslib.dispatch import arrays as foreign
from opslib.errors import DeviceFailure, OperandIndexError
from opslib.runtime import registry

rng = np.random.default_rng(2)
x = rng.normal(size=(33, 70)).astype(np.float32)
z = rng.normal(size=(33, 70)).astype(np.float32)


@pytest.fixture
def torch(fake: Any, libraries: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    return libraries.torch(monkeypatch, fake)


def prepared(name: str, *arrays: Any, **attributes: Any) -> Calls:
    """Calls of an operator with a record of one."""
    function = getattr(opslib, name)
    plan = function.plan(*arrays, **attributes)
    plan(*arrays)
    calls = Calls()
    pack = None if len(plan.binding.outputs) == 1 else tuple
    calls.add(plan, arrays, pack, foreign.scalar)
    return calls


def test_a_call_is_a_launch(fake: Any, torch: Any) -> None:
    a, b = torch.tensor(x), torch.tensor(z)
    calls = prepared("add", a, b)
    fake.WORLD.calls.clear()
    got = calls((b, a))
    assert fake.WORLD.calls == ["launch"]
    assert type(got) is torch.Tensor
    assert (got.numpy_now().view(np.uint8) == fake.GARBAGE).all(), "it waited"
    assert (got.read() == z + x).all()


def test_results_are_those_of_the_slow_path(fake: Any, torch: Any) -> None:
    """Views, merged and permuted axes, workspaces, several launches, two outputs."""
    t = torch.tensor
    long = rng.normal(size=100_000).astype(np.float32)
    cases: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
        ("softmax", (t(x),), {}),
        ("softmax", (t(x),), {"axis": 0}),
        ("exp", (t(x).seen((70, 33), (1, 70)),), {}),
        ("exp", (t(x).seen((17, 35), (140, 2)),), {}),
        ("sum", (t(long),), {}),
        ("add", (t(x), t(z[0])), {}),
        ("matmul", (t(x), t(z.T.copy())), {}),
        ("transpose", (t(x),), {}),
        ("linear", (t(x), t(z), None), {}),
        ("topk", (t(x),), {"k": 3}),
    ]
    for name, arrays, attributes in cases:
        calls = prepared(name, *arrays, **attributes)
        made = calls(arrays)
        want = getattr(opslib, name)(*arrays, **attributes)
        assert made is not None, name
        both = [y if isinstance(y, tuple) else (y,) for y in (made, want)]
        for got, right in zip(*both, strict=True):
            assert got.shape == right.shape, name
            assert got.kind == right.kind, name
            assert (got.read() == right.read()).all(), name


def test_other_calls_are_not_taken(fake: Any, torch: Any) -> None:
    a, b = torch.tensor(x), torch.tensor(z)
    calls = prepared("add", a, b)
    short = torch.tensor(x[:3])
    assert calls((a, b)) is not None
    assert calls((short, short)) is None
    assert calls((a, torch.tensor(x.astype(np.float64)))) is None
    assert calls((a.seen((33, 70), (1, 33)), b)) is None
    assert calls((a, x)) is None
    assert calls((a, 2.0)) is None
    assert calls((a, None)) is None
    assert calls((a,)) is None


def test_gradients_and_negated_views_are_not_taken(
    fake: Any, torch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = torch.tensor(x), torch.tensor(z)
    calls = prepared("add", a, b)
    b.requires_grad = True
    assert calls((a, b)) is None
    monkeypatch.setattr(torch, "is_grad_enabled", lambda: False)
    assert calls((a, b)) is not None
    monkeypatch.setattr(type(a), "is_neg", lambda self: True)
    assert calls((a, b)) is None


def test_sparse_tensors_are_not_taken(
    fake: Any, torch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = torch.tensor(x)
    calls = prepared("exp", a)

    def sparse(self: Any) -> Any:
        raise RuntimeError("sparse tensors have no strides")

    monkeypatch.setattr(type(a), "stride", sparse)
    assert calls((a,)) is None


def test_the_current_stream_is_asked_each_time(fake: Any, torch: Any) -> None:
    a = torch.tensor(x)
    calls = prepared("exp", a)
    first = torch.stream
    first.sync()
    torch.stream = fake.Device(0).create_stream()
    before = len(first.queue)
    got = calls((a,))
    assert len(first.queue) == before
    assert np.allclose(got.read(), np.exp(x))


def test_numbers_are_uploaded_once(fake: Any, torch: Any) -> None:
    a = torch.tensor(x)
    calls = prepared("multiply", a, 2.0)
    assert np.allclose(calls((a, 3.0)).read(), x * 3)
    fake.WORLD.calls.clear()
    assert np.allclose(calls((a, 3.0)).read(), x * 3)
    assert "copy" not in fake.WORLD.calls
    assert calls((a, 3)) is None, "an int is another kind of number"
    assert calls((a, True)) is None


def test_zeros_have_signs_and_nans_are_found(fake: Any, torch: Any) -> None:
    a = torch.tensor(x)
    calls = prepared("copysign", a, 1.0)
    for number in (0.0, -0.0, 0.0, float("nan"), -1.0, 1.0):
        want = np.copysign(x, np.float32(number))
        assert (calls((a, number)).read() == want).all(), number


def test_addresses_of_any_alignment(fake: Any, torch: Any) -> None:
    """Wide accesses are for addresses that allow them: else another launch."""
    held = torch.tensor(np.concatenate([x.ravel(), np.zeros(8, np.float32)]))
    calls = prepared("exp", torch.tensor(x))
    for start in (0, 1, 2, 3, 4, 1, 0):
        a = held.seen(x.shape, (70, 1))
        a.address += 4 * start
        want = held.read()[start : start + x.size].reshape(x.shape)
        assert np.allclose(calls((a,)).read(), np.exp(want))


def test_a_prepared_call_can_be_captured(fake: Any, torch: Any) -> None:
    """With a workspace and a number, as the slow path's calls can."""
    long = rng.normal(size=100_000).astype(np.float32)
    a = torch.tensor(long)
    total, scaled = prepared("sum", a), prepared("multiply", a, 2.0)
    torch.stream.sync()
    with fake.captured(torch.stream) as graph:
        got = total((scaled((a, 2.0)),))
    a.numpy_now()[...] = long + 1
    for node in graph:
        node()
    want = (2 * (long.astype(np.float64) + 1)).sum()
    assert np.allclose(got.numpy_now(), want, rtol=1e-4)


def test_records_keep_no_memory(fake: Any, torch: Any) -> None:
    backend, device = registry.device("cuda:0")

    def settled() -> int:
        gc.collect()
        torch.stream.sync()
        backend.synchronize(device)
        gc.collect()
        backend.synchronize(device)
        return len(fake.WORLD.memory)

    long = torch.tensor(rng.normal(size=100_000).astype(np.float32))
    calls = [prepared("sum", long), prepared("exp", long)]
    gc.collect()
    before = settled()
    for _ in range(5):
        for each in calls:
            each((long,))
    assert settled() == before
    del long
    assert settled() == before - 1


def test_arrays_of_nobody(fake: Any) -> None:
    backend, device = registry.device("cuda:0")
    a, b = backend.asarray(x, device), backend.asarray(z, device)
    calls = prepared("add", a, b)
    fake.WORLD.calls.clear()
    got = calls((a, b))
    assert fake.WORLD.calls == ["allocate", "launch"]
    assert type(got) is DeviceArray
    assert (backend.to_numpy(got) == x + z).all()
    assert (backend.to_numpy(calls((got, b))) == x + z + z).all()
    # Made on a stream of somebody else's: who waits for whom is the slow path's.
    a.stream = fake.Device(0).create_stream()
    assert calls((a, b)) is None


def test_arrays_that_are_freed_early_hold_until_the_launch(fake: Any) -> None:
    """Memory goes back in the order of the stream, behind the launches that use it."""
    backend, device = registry.device("cuda:0")
    calls = prepared("exp", backend.asarray(x, device))
    got = calls((backend.asarray(z, device),))
    gc.collect()
    assert np.allclose(backend.to_numpy(got), np.exp(z))


def test_an_index_out_of_bounds_is_reported_later(fake: Any, torch: Any) -> None:
    a = torch.tensor(x)
    good, bad = torch.tensor(np.array([3])), torch.tensor(np.array([99]))
    calls = prepared("take", a, good, axis=0)
    fake.WORLD.calls.clear()
    calls((a, bad))
    assert "stream.sync" not in fake.WORLD.calls
    got = calls((a, good))
    assert (got.read() == x[3:4]).all(), "each launch has a status of its own"
    with pytest.raises(OperandIndexError, match=r"99.*take on arrays of \(33, 70\)"):
        calls((a, good))
    assert (calls((a, good)).read() == x[3:4]).all()


def test_errors_name_the_operator(fake: Any, torch: Any) -> None:
    a = torch.tensor(x)
    calls = prepared("exp", a)
    fake.WORLD.failures["launch"] = "CUDA_ERROR_INVALID_VALUE: bad"
    with pytest.raises(DeviceFailure, match=r"INVALID_VALUE.*exp on arrays of"):
        calls((a,))
    assert np.allclose(calls((a,)).read(), np.exp(x))


def test_mistakes_are_not_blamed_on_the_driver(fake: Any, torch: Any) -> None:
    """Nor is what torch says of its memory put in other words; prepared or not."""
    a = torch.tensor(x)
    calls = prepared("exp", a)

    def fails(*_: Any) -> Any:
        raise ZeroDivisionError("a mistake")

    (record,) = calls._records.values()
    record.empty = (fails,)
    with pytest.raises(ZeroDivisionError, match="a mistake"):
        calls((a,))
    with pytest.raises(ZeroDivisionError), record.here.explained():
        fails()


@pytest.mark.parametrize("fake", [2], indirect=True)
def test_another_current_device_is_left_to_the_slow_path(fake: Any, torch: Any) -> None:
    a = torch.tensor(x)
    calls = prepared("exp", a)
    assert calls((a,)) is not None
    fake.Device(1).set_current()
    assert calls((a,)) is None
    assert np.allclose(opslib.exp(a).read(), np.exp(x))
    assert fake.Device().device_id == 1


def test_threads_that_have_no_device_yet(fake: Any) -> None:
    """The slow path's first call in a thread sets one."""
    backend, device = registry.device("cuda:0")
    a = backend.asarray(x, device)
    calls = prepared("exp", a)
    found: list[Any] = []

    def work() -> None:
        found.append(calls((a,)))
        found.append(opslib.exp(a))
        found.append(calls((a,)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found[0] is None
    for got in found[1:]:
        assert np.allclose(backend.to_numpy(got), np.exp(x))


def test_records_are_few(fake: Any, torch: Any) -> None:
    """Somebody's loop over shapes does not fill memory."""
    calls = Calls()
    a = torch.tensor(x.ravel())
    for n in range(300):
        short = a.seen((n,), (1,))
        calls.add(opslib.exp.plan(short), (short,), None, foreign.scalar)
    assert len(calls._records) <= 256


def test_the_second_call_of_an_operator_is_prepared(
    fake: Any, torch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planned once; then found by its arrays, whatever the backend is called by."""
    a, b = torch.tensor(x), torch.tensor(z)
    calls: list[tuple[Callable[[], Any], Any]] = [
        (lambda: opslib.add(a, b), x + z),
        (lambda: opslib.add(a, b, backend="cuda"), x + z),
        (lambda: opslib.multiply(a, 2.0), x * 2),
        (lambda: opslib.softmax(a, axis=0), opslib.softmax(x, axis=0)),
        (lambda: opslib.concat(a, b, axis=0), np.concatenate([x, z])),
    ]
    for call, _ in calls:
        call()
    from opslib.dispatch import handle

    def planned(_: Any) -> Any:
        raise AssertionError("planned again")

    monkeypatch.setattr(handle, "run_planned", planned)
    for call, want in calls:
        assert np.allclose(call().read(), want, atol=1e-6)
    with pytest.raises(AssertionError, match="planned again"):
        opslib.add(a.seen((33, 70), (1, 33)), b)


def test_receipts_and_settings_see_every_call(fake: Any, torch: Any) -> None:
    a = torch.tensor(x)
    opslib.exp(a)
    with opslib.receipts() as found:
        opslib.exp(a)
        opslib.exp(a)
    assert [r.device for r in found] == ["cuda:0"] * 2


def test_results_have_names(fake: Any, torch: Any) -> None:
    a = torch.tensor(x)
    first, second = (opslib.topk(a, k=3) for _ in range(2))
    assert type(first) is type(second)
    for one, other in zip(first, second, strict=True):
        assert (one.read() == other.read()).all()


def count(call: Callable[[], Any]) -> int:
    """Python functions of opslib that a call enters."""
    entered = 0

    def note(frame: Any, event: str, _: Any) -> None:
        nonlocal entered
        if event == "call" and "/backends/" in frame.f_code.co_filename:
            entered += "/tests/" not in frame.f_code.co_filename

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return entered


def test_little_python(fake: Any, torch: Any) -> None:
    """Functions that are entered, which is what a call's time goes with."""
    a, b = torch.tensor(x), torch.tensor(z)
    here = gpus.place(0).gpu
    assert here.is_current()
    calls = prepared("add", a, b)
    calls((a, b))
    assert count(lambda: calls((a, b))) <= 16
    backend, device = registry.device("cuda:0")
    p = backend.asarray(x, device)
    calls = prepared("add", p, p)
    calls((p, p))
    assert count(lambda: calls((p, p))) <= 18
