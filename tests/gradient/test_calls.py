"""``op.grad(...)``: what it takes and gives back."""

from __future__ import annotations

import numpy as np
import pytest

import opslib
from opslib.errors import ArgumentError, OpslibError, ShapeError

rng = np.random.default_rng(1)
X, W = rng.standard_normal((4, 6)), rng.standard_normal(6)
DY = rng.standard_normal((4, 6))


def test_several_results_are_a_named_tuple() -> None:
    found = opslib.rms_norm.grad(DY, X, W, backend="numpy")
    assert found._fields == ("dx", "dweight")
    assert found.dx.shape == X.shape
    assert found.dweight.shape == W.shape


def test_the_axis_of_the_call_is_that_of_the_gradient() -> None:
    there = opslib.softmax.grad(DY.T, X.T, axis=0, backend="numpy")
    assert np.array_equal(there, opslib.softmax.grad(DY, X, backend="numpy").T)


def test_a_broadcast_input_gets_the_sum() -> None:
    row = rng.standard_normal((1, 6))
    found = opslib.multiply.grad(DY, X, row, backend="numpy")
    assert np.allclose(found[1], (DY * X).sum(0, keepdims=True))
    found = opslib.multiply.grad(DY, X, row[0], backend="numpy")
    assert np.allclose(found[1], (DY * X).sum(0))
    assert np.allclose(found[0], DY * row)


def test_a_batch_that_one_operand_does_not_have() -> None:
    a, b = rng.standard_normal((3, 4, 5)), rng.standard_normal((5, 2))
    g = rng.standard_normal((3, 4, 2))
    found = opslib.matmul.grad(g, a, b, backend="numpy")
    assert np.allclose(found[0], g @ b.T)
    assert np.allclose(found[1], np.einsum("bik,bij->kj", a, g))


def test_vectors_of_a_product() -> None:
    a, b = rng.standard_normal(5), rng.standard_normal((5, 2))
    g = rng.standard_normal(2)
    found = opslib.matmul.grad(g, a, b, backend="numpy")
    assert found[0].shape == (5,)
    assert np.allclose(found[0], b @ g)
    assert np.allclose(found[1], np.outer(a, g))


def test_variadic_inputs_and_results() -> None:
    parts = [rng.standard_normal((2, n)) for n in (3, 1, 4)]
    g = rng.standard_normal((2, 8))
    found = opslib.concat.grad(g, *parts, backend="numpy")
    assert [f.shape for f in found] == [p.shape for p in parts]
    assert np.array_equal(np.concatenate(found, axis=1), g)
    pieces = [rng.standard_normal(6) for _ in range(4)]
    assert np.array_equal(
        opslib.unstack.grad(pieces, X, backend="numpy"), np.stack(pieces)
    )


def test_absent_tensors_stay_absent() -> None:
    found = opslib.layer_norm.grad(DY, X, backend="numpy")
    assert isinstance(found, np.ndarray)
    found = opslib.layer_norm.grad(DY, X, None, W, backend="numpy")
    assert found._fields == ("dx", "dbias")


def test_integers_take_no_cotangent_and_get_no_gradient() -> None:
    found = opslib.topk.grad(np.ones((4, 2)), X, k=2, backend="numpy")
    assert found.shape == X.shape
    assert found.sum() == 8


def test_nothing_depends_on_an_empty_result() -> None:
    found = opslib.matmul.grad(
        np.ones((0, 2)), np.ones((0, 5)), np.ones((5, 2)), backend="numpy"
    )
    assert found[1].tolist() == np.zeros((5, 2)).tolist()


def test_the_gradient_of_a_gradient() -> None:
    made = opslib.op(str(opslib.tanh.grad))
    x, dy, v = X, DY, rng.standard_normal(X.shape)
    found = made.grad(v, dy, x, backend="numpy")
    t = np.tanh(x)
    assert np.allclose(found[0], v * (1 - t * t))
    assert np.allclose(found[1], v * dy * -2 * t * (1 - t * t))


def test_own_operators_have_gradients_too() -> None:
    made = opslib.op(
        "op f(x: T[n], w: T[n]) -> y: T[] where T: float\n"
        "    y[] = sum[i](softmax[i](x[i]) * w[i]^2)"
    )
    x, w = X[0], W
    p = np.exp(x) / np.exp(x).sum()
    found = made.grad(np.array(2.0), x, w, backend="numpy")
    assert np.allclose(found.dw, 4 * p * w)
    assert np.allclose(found.dx, 2 * p * (w * w - (p * w * w).sum()))


def test_a_gradient_has_the_type_of_its_input() -> None:
    found = opslib.rms_norm.grad(DY, X.astype("float32"), W, backend="numpy")
    assert found.dx.dtype == np.float32
    assert found.dweight.dtype == np.float64


def test_a_cotangent_of_another_shape() -> None:
    with pytest.raises(ShapeError, match="shape"):
        opslib.rms_norm.grad(np.ones(6), X, W)


def test_too_few_arguments() -> None:
    with pytest.raises(ArgumentError, match="cotangents first: dy"):
        opslib.rms_norm.grad()


def test_errors_of_the_call_are_those_of_the_operator() -> None:
    with pytest.raises(OpslibError, match="weight"):
        opslib.rms_norm.grad(DY, X, np.ones(5))


def test_discrete_results_have_no_gradient() -> None:
    with pytest.raises(ArgumentError, match="no gradient: its results are discrete"):
        opslib.argmax.grad(X)


@pytest.mark.parametrize("backend", ["numpy", "cpu", "jax"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_backend_compiles_it(backend: str, dtype: str) -> None:
    arrays = [a.astype(dtype) for a in (DY, X, W)]
    found = opslib.rms_norm.grad(*arrays, backend=backend)
    wanted = opslib.rms_norm.grad(DY, X, W, backend="numpy")
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    for got, want in zip(found, wanted, strict=True):
        assert str(np.asarray(got).dtype) == dtype
        assert np.allclose(got, want, rtol=tolerance, atol=tolerance)
