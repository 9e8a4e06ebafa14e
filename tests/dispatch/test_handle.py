"""Handles and plans: prepared calls, threads, pickles, what a plan refuses."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import opslib
from opslib.dispatch.caches import Cache

F = np.float32


def array(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(F)


# --- plans -------------------------------------------------------------------------


def test_a_plan_runs_again() -> None:
    a, b = array(3, 4), array(4, 5)
    plan = opslib.matmul.plan(a, b)
    np.testing.assert_allclose(plan(a, b), a @ b, rtol=1e-5)
    out = np.empty((3, 5), F)
    assert plan(a, b, out=out) is out
    np.testing.assert_allclose(out, a @ b, rtol=1e-5)


def test_a_plan_runs_on_another_layout() -> None:
    a, b = array(4, 6), array(4, 6, seed=1)
    plan = opslib.add.plan(a, b)
    other = np.asfortranarray(a)
    np.testing.assert_array_equal(plan(other, b), a + b)
    base = np.zeros((4, 12), F)
    plan(a, b, out=base[:, ::2])
    np.testing.assert_array_equal(base[:, ::2], a + b)
    assert not base[:, 1::2].any()


def test_a_plan_refuses_what_does_not_match() -> None:
    a = array(3, 4)
    plan = opslib.add.plan(a, a)
    with pytest.raises(
        opslib.ShapeError, match=r"takes 'x2' of \(3, 4\), not \(4, 3\)"
    ):
        plan(a, a.T)
    with pytest.raises(opslib.DTypeError, match="of float32, not float64"):
        plan(a, a.astype(float))
    with pytest.raises(opslib.DTypeError, match="a Python int"):
        opslib.add.plan(a, a[0, 0])(a, 2)
    with pytest.raises(opslib.ArgumentError, match="takes 2 arrays, and got 1"):
        plan(a)
    torch = pytest.importorskip("torch")
    with pytest.raises(opslib.ArgumentError, match="of numpy, not of torch"):
        plan(torch.ones(3, 4), torch.ones(3, 4))


def test_a_plan_of_several_results() -> None:
    x = array(3, 6)
    plan = opslib.topk.plan(x, k=2)
    found = plan(x)
    assert found._fields == ("values", "indices")
    np.testing.assert_array_equal(found.values, opslib.topk(x, k=2).values)


@pytest.mark.parametrize(
    "make",
    [
        lambda: (opslib.softmax.plan(array(3, 5), axis=0), [array(3, 5)]),
        lambda: (opslib.add.plan(array(3), 2.5), [array(3), 2.5]),
        lambda: (
            opslib.concat.plan(array(2, 3), array(2, 4)),
            [array(2, 3), array(2, 4)],
        ),
        lambda: (
            opslib.op("op twice(x: T) -> y: T = x + x").plan(array(4)),
            [array(4)],
        ),
        lambda: (opslib.sum.plan(array(3, 4, 5), axis=(0, 2)), [array(3, 4, 5)]),
        lambda: (opslib.layer_norm.plan(array(3, 5)), [array(3, 5)]),
        lambda: (opslib.add.plan(array(3), array(3), backend="numpy"), [array(3)] * 2),
    ],
    ids=["axis", "scalar", "variadic", "op", "axes", "optional", "backend"],
)
def test_a_plan_pickles(make: Callable[[], tuple[Any, list[Any]]]) -> None:
    plan, arrays = make()
    text = pickle.dumps(plan)
    assert len(text) < 3000
    again = pickle.loads(text)
    assert again.key == plan.key
    assert again.device == plan.device
    assert again.program == plan.program
    np.testing.assert_array_equal(again(*arrays), plan(*arrays))


def test_a_plan_serves_many_threads() -> None:
    a = array(50, 40)
    plan = opslib.softmax.plan(a)
    want = plan(a)
    with ThreadPoolExecutor(8) as pool:
        for got in pool.map(lambda _: plan(a), range(100)):
            np.testing.assert_array_equal(got, want)


# --- threads -----------------------------------------------------------------------


def at_once(work: Callable[[], Any], count: int = 8) -> list[Any]:
    """The results of `count` threads that start together."""
    barrier = threading.Barrier(count)

    def run(_: int) -> Any:
        barrier.wait()
        return work()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_first_calls_of_many_threads() -> None:
    f = opslib.op("op first_calls(x: T, k: int) -> y: T = x * 3 + x")
    x = array(17)
    for got in at_once(lambda: [f(x, k=k) for k in range(5)]):
        for each in got:
            np.testing.assert_allclose(each, x * 4, rtol=1e-6)


def test_the_library_is_read_once() -> None:
    from opslib.dispatch.handle import Handle

    handles = [Handle("add") for _ in range(8)]
    found = at_once(lambda: [h.operator for h in handles])
    assert all(o is found[0][0] for operators in found for o in operators)


def test_a_cache_makes_an_entry_once() -> None:
    cache, made = Cache(), []

    def make() -> object:
        made.append(1)
        return object()

    found = at_once(lambda: cache.once("key", make))
    assert len(made) == 1
    assert all(f is found[0] for f in found)


def test_a_cache_forgets_failures() -> None:
    cache, tries = Cache(), []

    def make() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("once")
        return 5

    with pytest.raises(RuntimeError):
        cache.once("key", make)
    assert cache.once("key", make) == 5


def test_a_cache_is_bounded() -> None:
    cache = Cache(limit=3)
    for k in range(10):
        cache.put(k, k + 1)
    assert len(cache) == 3
    assert cache.get(9) == 10
    assert cache.get(0) is None


# --- prepared calls ----------------------------------------------------------------


def test_zero_and_minus_zero_are_two_values() -> None:
    f = opslib.op(
        "op signed(x: T, *, s: float = 1.0) -> y: T where T: float = copysign(x, s)"
    )
    x = np.ones(3)
    for s, want in [(0.0, 1), (-0.0, -1), (0, 1), (-0.0, -1)]:
        np.testing.assert_array_equal(f(x, s=s), want)


def test_prepared_calls_on_a_wanted_backend() -> None:
    x = array(3, 4)
    for _ in range(3):
        np.testing.assert_allclose(opslib.exp(x, backend="numpy"), np.exp(x), rtol=1e-5)
        np.testing.assert_allclose(
            opslib.softmax(x, axis=0, backend="numpy").sum(0), 1, rtol=1e-5
        )
        np.testing.assert_array_equal(
            opslib.concat(x, x, axis=1, backend="numpy"), np.concatenate([x, x], 1)
        )
    with pytest.raises(opslib.BackendUnavailable):
        opslib.exp(x, backend="nunpy")
    with pytest.raises(opslib.ArgumentError, match="backend must be a string"):
        opslib.exp(x, backend=3)  # type: ignore[arg-type]


def test_lists_as_attributes() -> None:
    x = array(2, 3, 4)
    for _ in range(2):
        np.testing.assert_allclose(opslib.sum(x, axis=[0, 2]), x.sum((0, 2)), rtol=1e-5)


def test_a_wrong_value_does_not_stand_for_the_right_one_it_equals() -> None:
    x = array(3, 4)
    for backend in (None, "numpy"):
        for wrong in (True, 1.0):
            with pytest.raises(opslib.ArgumentError):
                opslib.log_softmax(x, axis=wrong, backend=backend)  # type: ignore[arg-type]
            got = opslib.log_softmax(x, axis=1, backend=backend)
            assert got.shape == (3, 4)
            opslib.log_softmax.handle._fast.clear()
            opslib.log_softmax.handle._routed.clear()
