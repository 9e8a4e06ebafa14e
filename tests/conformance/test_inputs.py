"""What the suite tries: long axes one after the other, special values in pairs."""

from __future__ import annotations

import numpy as np
import pytest

from opslib.dispatch.handle import Handle
from opslib.ir.dtypes import DTYPES
from opslib.testing.conformance import PROFILES, case_of, numbers_of
from opslib.testing.grids import GRID, grid, has_grid, without_subnormals
from opslib.testing.inputs import NoCase, make_case
from opslib.testing.shapes import LONG


@pytest.mark.parametrize("operator", ["add", "softmax", "matmul", "cumsum", "where"])
def test_an_axis_is_longer_than_blocks(operator: str) -> None:
    """In the quick profile already."""
    handle = Handle(operator)
    numbers = [
        n for n in numbers_of(handle, "float32", PROFILES["quick"]) if LONG <= n < GRID
    ]
    assert numbers == [LONG, LONG + 1]
    cases = [case_of(handle, "float32", n, 0) for n in numbers]
    assert max(n for c in cases for n in c.binding.sizes.values()) >= 129


def test_each_axis_of_a_product_is_the_long_one() -> None:
    """Its rows, its columns, and the axis that is summed over."""
    long = set()
    for k in range(PROFILES["standard"].long):
        sizes = make_case(Handle("matmul"), "float32", LONG + k).binding.sizes
        long |= {name for name, n in sizes.items() if n >= 129}
    assert {"m", "n", "k"} <= long, long


def test_every_pair_of_special_values_meets() -> None:
    rng = np.random.default_rng(0)
    x, y, z = grid(rng, [DTYPES["float32"], DTYPES["float32"], DTYPES["int8"]])
    assert x.shape == y.shape == z.shape
    pairs = {(float(a), float(b)) for a, b in zip(x, y, strict=True)}
    assert {(np.inf, -np.inf), (0.0, 0.0), (-np.inf, 0.0)} <= pairs
    zeros = {
        (bool(np.signbit(a)), bool(np.signbit(b)))
        for a, b in zip(x, y, strict=True)
        if a == 0 and b == 0
    }
    assert len(zeros) == 4
    with np.errstate(all="ignore"):
        assert ((np.nextafter(x, np.float32(np.inf)) == y) & np.isfinite(x)).any()


def test_the_least_integer_meets_minus_one() -> None:
    x, y = case_of(Handle("pow"), "int32", GRID, 0).tensors
    assert ((x == -(2**31)) & (y == -1)).any()
    assert (x.astype(np.int64) + 1 == y).any()


def test_a_grid_is_for_elementwise_operators() -> None:
    assert has_grid(Handle("where"), "bool")
    assert not has_grid(Handle("matmul"), "float32")
    assert not has_grid(Handle("exp"), "float32")
    with pytest.raises(NoCase):
        case_of(Handle("matmul"), "float32", GRID, 0)


def test_a_backend_that_flushes_gets_no_subnormals() -> None:
    case = without_subnormals(case_of(Handle("divide"), "float32", GRID, 0))
    tiny = np.finfo(np.float32).tiny
    for a in case.tensors:
        assert not ((a != 0) & (np.abs(a) < tiny)).any()
