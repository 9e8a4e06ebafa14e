"""The table of derivatives: complete, and with the conventions it states at kinks."""

from __future__ import annotations

import numpy as np
import pytest

import opslib
from opslib.analysis.gradient.rules import RULES, UNDEFINED
from opslib.ir.primitives import PRIMITIVES

# Of integers and bools only, or of tests: no fraction goes in or comes out.
DISCRETE = {
    name
    for name, p in PRIMITIVES.items()
    if p.result == "bool" or p.classes in ("int", "bool")
}


def test_every_primitive_of_floats_has_a_rule_or_a_reason() -> None:
    assert set(PRIMITIVES) - DISCRETE == set(RULES) | set(UNDEFINED)


def one(name: str, *values: float, **attributes: object) -> list[float]:
    arrays = [np.array([v]) for v in values]
    found = getattr(opslib, name).grad(
        np.ones(1), *arrays, backend="numpy", **attributes
    )
    parts = found if isinstance(found, tuple) else (found,)
    return [float(p[0]) for p in parts]


@pytest.mark.parametrize(
    ("name", "at", "expected"),
    [
        ("relu", (0.0,), [0.0]),
        ("abs", (0.0,), [0.0]),
        ("sign", (0.0,), [0.0]),
        ("floor", (1.0,), [0.0]),
        ("round", (0.5,), [0.0]),
        ("maximum", (2.0, 2.0), [0.5, 0.5]),
        ("minimum", (2.0, 2.0), [0.5, 0.5]),
        ("maximum", (3.0, 2.0), [1.0, 0.0]),
        ("fmax", (np.nan, 2.0), [0.0, 1.0]),
        ("fmin", (1.0, np.nan), [1.0, 0.0]),
        ("copysign", (2.0, -1.0), [-1.0, 0.0]),
        ("hypot", (0.0, 0.0), [0.0, 0.0]),
        ("pow", (0.0, 0.0), [0.0, 0.0]),
        ("sqrt", (0.0,), [np.inf]),
        ("relu6", (6.0,), [0.0]),
        ("remainder", (7.0, 2.0), [1.0, -3.0]),
    ],
)
def test_conventions(name: str, at: tuple[float, ...], expected: list[float]) -> None:
    with np.errstate(all="ignore"):
        assert one(name, *at) == expected


def test_all_that_are_largest_share_alike() -> None:
    x = np.array([1.0, 3.0, 3.0, 2.0, 3.0])
    got = opslib.max.grad(np.array(6.0), x, backend="numpy")
    assert got.tolist() == [0, 2, 2, 0, 2]
    got = opslib.min.grad(np.array(6.0), x, backend="numpy")
    assert got.tolist() == [6, 0, 0, 0, 0]


def test_a_product_with_zeros() -> None:
    for x, expected in (
        ([2.0, 3.0, 4.0], [12.0, 8.0, 6.0]),
        ([2.0, 0.0, 4.0], [0.0, 8.0, 0.0]),
        ([0.0, 0.0, 4.0], [0.0, 0.0, 0.0]),
    ):
        got = opslib.prod.grad(np.array(1.0), np.array(x), backend="numpy")
        assert got.tolist() == expected
    got = opslib.cumprod.grad(np.ones(3), np.array([2.0, 0.0, 4.0]), backend="numpy")
    assert got.tolist() == [1.0, 10.0, 0.0]


def test_of_equals_in_a_running_maximum_the_first_counts() -> None:
    x = np.array([1.0, 3.0, 3.0, 2.0])
    got = opslib.cummax.grad(np.ones(4), x, backend="numpy")
    assert got.tolist() == [1, 3, 0, 0]


def test_what_is_masked_is_not_touched() -> None:
    # A guarded read has a guarded adjoint: nothing outside is read or written.
    got = opslib.cross_entropy.grad(
        np.array(1.0),
        np.ones((2, 3)),
        np.array([1, -100]),
        backend="numpy",
    )
    assert np.isfinite(got).all()
    assert got[1].tolist() == [0, 0, 0]


def test_a_masked_row_has_no_gradient() -> None:
    x = np.ones((2, 3))
    mask = np.array([[True, False, True], [False, False, False]])
    got = opslib.masked_softmax.grad(np.ones((2, 3)), x, mask, backend="numpy")
    assert np.isfinite(got).all()
    assert got[1].tolist() == [0, 0, 0]
