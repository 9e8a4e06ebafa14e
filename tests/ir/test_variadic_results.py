"""As many results as the call says; axes that may be left out; numbers."""

from __future__ import annotations

import itertools
import pickle
from typing import Any

import numpy as np
import pytest

import opslib

BACKENDS = ("numpy", "cpu", "jax")
X = np.arange(60.0).reshape(3, 4, 5)


def same(found: Any, expected: Any) -> None:
    assert type(found) is tuple
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert np.shape(a) == np.shape(b)
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_unstack(backend: str, axis: int) -> None:
    expected = [np.take(X, k, axis) for k in range(X.shape[axis])]
    for _ in range(2):  # The second call is a prepared one.
        same(opslib.unstack(X, axis=axis, backend=backend), expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_unstack_of_none_one_and_many(backend: str) -> None:
    assert opslib.unstack(np.ones((0, 2)), backend=backend) == ()
    same(opslib.unstack(np.ones((1, 2)), backend=backend), [np.ones(2)])
    many = np.arange(200.0).reshape(100, 2)
    same(opslib.unstack(many, backend=backend), list(many))


def test_more_results_than_a_call_may_have() -> None:
    with pytest.raises(opslib.ArgumentError, match="257 results") as caught:
        opslib.unstack(np.ones((257, 2)))
    assert caught.value.code == "E0704"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "sections", [1, 2, 3, 4, 7, (4,), (1, 3), (2, 1, 1), (0, 4), (4, 0)]
)
def test_split(backend: str, sections: Any) -> None:
    ends = list(itertools.accumulate(sections)) if isinstance(sections, tuple) else []
    ends = ends[:-1] or list(range(sections, 4, sections)) if not ends else ends[:-1]
    expected = np.split(X, ends, axis=1)
    same(opslib.split(X, sections, 1, backend=backend), expected)


def test_lengths_that_do_not_add_up() -> None:
    for sections in ((1, 1), 0):
        with pytest.raises(opslib.ArgumentError) as caught:
            opslib.split(X, sections, 1)
        assert caught.value.code == "E0706"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("indexing", ["xy", "ij"])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_meshgrid(backend: str, indexing: Any, count: int) -> None:
    vectors = [np.arange(float(k + 2)) for k in range(count)]
    found = opslib.meshgrid(*vectors, indexing=indexing, backend=backend)
    same(found, np.meshgrid(*vectors, indexing=indexing))


def test_out_is_as_many_arrays_as_there_are_results() -> None:
    out = tuple(np.empty((4, 5)) for _ in range(3))
    found = opslib.unstack(X, out=out)
    assert all(a is b for a, b in zip(found, out, strict=True))
    same(out, list(X))
    with pytest.raises(opslib.ArgumentError, match="3 results"):
        opslib.unstack(X, out=out[:2])


def test_plans_give_a_tuple_and_can_be_pickled() -> None:
    plan = pickle.loads(pickle.dumps(opslib.unstack.plan(X[:1])))
    same(plan(X[:1]), [X[0]])


def test_results_are_of_the_callers_library() -> None:
    torch = pytest.importorskip("torch")
    found = opslib.unstack(torch.ones(3, 2))
    assert all(isinstance(a, torch.Tensor) for a in found)


# --- axes that an array may leave out ----------------------------------------------

LEFT = [(3,), (4, 3), (2, 4, 3), (5, 1, 4, 3)]
RIGHT = [(3,), (3, 6), (2, 3, 6), (5, 2, 3, 6)]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("left", LEFT)
@pytest.mark.parametrize("right", RIGHT)
def test_matmul_of_vectors(backend: str, left: Any, right: Any) -> None:
    random = np.random.default_rng(0)
    x = random.integers(0, 5, left).astype("float32")
    y = random.integers(0, 5, right).astype("float32")
    for a in (x, x[..., ::-1]):
        found = opslib.matmul(a, y, backend=backend)
        assert np.shape(found) == np.matmul(a, y).shape
        np.testing.assert_array_equal(found, np.matmul(a, y))


def test_errors_show_the_shape_that_was_given() -> None:
    with pytest.raises(opslib.ShapeError, match=r"'x2' of shape \(4,\)"):
        opslib.matmul(np.ones(3), np.ones(4))
    with pytest.raises(opslib.ShapeError, match="at least 1"):
        opslib.matmul(np.ones(()), np.ones(4))


def test_out_of_a_product_with_a_vector() -> None:
    out = np.empty(4)
    assert opslib.matmul(np.ones((4, 3)), np.ones(3), out=out) is out
    np.testing.assert_array_equal(out, [3, 3, 3, 3])


# --- numbers -----------------------------------------------------------------------

RANGES = [
    (5,), (5.0,), (0, 1, 0.1), (1, 1.3, 0.1), (2, 7), (7, 2, -2), (0.5, 3),
    (3, 0, -0.5), (10, 3), (0,), (-2.5,), (1, 9, 3),
]  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("given", RANGES)
def test_arange(backend: str, given: Any) -> None:
    found, expected = (
        np.asarray(opslib.arange(*given, backend=backend)),
        np.arange(*given),
    )
    assert found.shape == expected.shape
    assert found.dtype == ("int64" if expected.dtype.kind == "i" else "float32")
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_kind_of_a_number_counts_and_not_its_value() -> None:
    kinds = [opslib.arange(n).dtype.kind for n in (3, 3.0, 3, 3.0)]
    assert kinds == ["i", "f", "i", "f"]
    assert opslib.arange(2**60, 2**60 + 2)[1] == 2**60 + 1


@pytest.mark.parametrize(
    "given", [(0, 1, 0), (True,), ("a",), (float("nan"),), (0, np.inf)]
)
def test_numbers_that_are_none(given: Any) -> None:
    with pytest.raises(opslib.ArgumentError):
        opslib.arange(*given)


def test_a_dtype_attribute_keeps_to_its_class() -> None:
    with pytest.raises(opslib.ArgumentError, match="must be a float") as caught:
        opslib.uniform(shape=3, seed=1, dtype="int32")
    assert caught.value.code == "E0704"
