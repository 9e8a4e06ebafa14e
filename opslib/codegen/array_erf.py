"""erf and erfc for float64 arrays, by W. J. Cody's rational approximations.

Source: W. J. Cody, Rational Chebyshev approximations for the error function,
Math. Comp. 23 (1969), 631-637. Worst error seen against mpmath over 10^5 points: see
tests/codegen/test_array_style.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]

_NEAR_P = (
    1.85777706184603153e-1,
    3.16112374387056560e0,
    1.13864154151050156e2,
    3.77485237685302021e2,
    3.20937758913846947e3,
)
_NEAR_Q = (
    1.0,
    2.36012909523441209e1,
    2.44024637934444173e2,
    1.28261652607737228e3,
    2.84423683343917062e3,
)
_MIDDLE_P = (
    2.15311535474403846e-8,
    5.64188496988670089e-1,
    8.88314979438837594e0,
    6.61191906371416295e1,
    2.98635138197400131e2,
    8.81952221241769090e2,
    1.71204761263407058e3,
    2.05107837782607147e3,
    1.23033935479799725e3,
)
_MIDDLE_Q = (
    1.0,
    1.57449261107098347e1,
    1.17693950891312499e2,
    5.37181101862009858e2,
    1.62138957456669019e3,
    3.29079923573345963e3,
    4.36261909014324716e3,
    3.43936767414372164e3,
    1.23033935480374942e3,
)
_FAR_P = (
    1.63153871373020978e-2,
    3.05326634961232344e-1,
    3.60344899949804439e-1,
    1.25781726111229246e-1,
    1.60837851487422766e-2,
    6.58749161529837803e-4,
)
_FAR_Q = (
    1.0,
    2.56852019228982242e0,
    1.87295284992346047e0,
    5.27905102951428412e-1,
    6.05183413124413191e-2,
    2.33520497626869185e-3,
)
_ROOT = 5.6418958354775628695e-1  # 1 / sqrt(pi)


def _ratio(p: tuple[float, ...], q: tuple[float, ...], x: Array) -> Array:
    top = np.full_like(x, p[0])
    bottom = np.full_like(x, q[0])
    for a, b in zip(p[1:], q[1:], strict=True):
        top = top * x + a
        bottom = bottom * x + b
    return np.asarray(top / bottom)


def _erfc_positive(x: Array) -> Array:
    """Erfc for x >= 0.46875."""
    middle = _ratio(_MIDDLE_P, _MIDDLE_Q, np.minimum(x, 4.0))
    inverse = 1 / np.square(np.maximum(x, 4.0))
    far = (_ROOT - inverse * _ratio(_FAR_P, _FAR_Q, inverse)) / np.maximum(x, 4.0)
    # e^-x^2 in two factors: rounding x^2 would cost x^2 units in the last place.
    capped = np.minimum(x, 28.0)
    high = np.trunc(capped * 16) / 16
    exponential = np.exp(-high * high) * np.exp((high - capped) * (high + capped))
    return np.asarray(exponential * np.where(x <= 4.0, middle, far))


def erf(x: Array) -> Array:
    """The error function."""
    x = np.asarray(x)
    size = np.abs(x)
    small = np.minimum(size, 0.46875)
    near = x * _ratio(_NEAR_P, _NEAR_Q, small * small)
    far = np.copysign(1 - _erfc_positive(np.maximum(size, 0.46875)), x)
    value = np.where(size <= 0.46875, near, far)
    return np.where(np.isnan(x), x, value)


def erfc(x: Array) -> Array:
    """1 - erf(x), without cancellation."""
    x = np.asarray(x)
    size = np.abs(x)
    small = np.minimum(size, 0.46875)
    near = 1 - x * _ratio(_NEAR_P, _NEAR_Q, small * small)
    positive = _erfc_positive(np.maximum(size, 0.46875))
    far = np.where(x < 0, 2 - positive, positive)
    value = np.where(size <= 0.46875, near, far)
    return np.where(np.isnan(x), x, value)
