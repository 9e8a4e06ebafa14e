"""``//`` of floats is the floor of the exact quotient, as NumPy and Python have it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import opslib
from opslib.dispatch import judging

SPECIAL = [
    0.0, -0.0, 1, -1, 0.1, -0.1, 3, -3, 7.5, np.inf, -np.inf, np.nan, 1e30, -1e-30
]  # fmt: skip


def pairs(dtype: str) -> tuple[Any, Any]:
    values = np.array(SPECIAL, dtype)
    random = np.random.default_rng(1)
    drawn = (random.standard_normal((2, 500)) * 20).astype(dtype)
    x, y = (grid.ravel() for grid in np.meshgrid(values, values))
    return np.concatenate([x, drawn[0]]), np.concatenate([y, drawn[1] / 7])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("backend", ["judge", "numpy", "cpu", "jax"])
def test_it_is_numpys(backend: str, dtype: str) -> None:
    x, y = pairs(dtype)
    with np.errstate(all="ignore"):
        expected = x // y
    if backend == "judge":
        (found,) = judging.reference(opslib.floor_divide.handle, (x, y), {})
        with np.errstate(over="ignore"):
            found = np.asarray(found).astype(dtype)
    else:
        found = np.asarray(opslib.floor_divide(x, y, backend=backend))
    if backend == "jax":
        # XLA flushes subnormals, and the sign of its zeros is not NumPy's everywhere.
        np.testing.assert_array_equal(found, expected)
        return
    np.testing.assert_array_equal(found, expected)
    zero = expected == 0
    np.testing.assert_array_equal(np.signbit(found[zero]), np.signbit(expected[zero]))
