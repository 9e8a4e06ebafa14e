"""How an error in the operands of a primitive reaches its result.

Each rule takes the operands' values and error bounds, and the result's value, and
gives the propagated error without the rounding of the operation itself. Monotone
functions are evaluated at both ends of the interval, which is exact; the others use
the supremum of the derivative there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from opslib.ir import elementwise

Array = np.ndarray[Any, np.dtype[Any]]

# Exact in floating point: no rounding of their own.
EXACT = frozenset(
    {"neg", "abs", "sign", "max", "min", "fmax", "fmin", "copysign"}
    | {"floor", "ceil", "round", "trunc", "fmod", "nextafter"}
)

# Increasing or decreasing on their whole domain; the domain's ends, if it has any.
_MONOTONE: dict[str, tuple[float, float]] = dict.fromkeys(
    (
        "floor",
        "ceil",
        "round",
        "trunc",
        "sign",
        "exp",
        "exp2",
        "expm1",
        "atan",
        "sinh",
        "tanh",
        "asinh",
        "erf",
        "erfc",
        "sigmoid",
        "log_sigmoid",
        "softplus",
    ),
    (-np.inf, np.inf),
)
_MONOTONE |= {
    "sqrt": (0.0, np.inf),
    "rsqrt": (0.0, np.inf),
    "log": (0.0, np.inf),
    "log2": (0.0, np.inf),
    "log10": (0.0, np.inf),
    "log1p": (-1.0, np.inf),
    "asin": (-1.0, 1.0),
    "acos": (-1.0, 1.0),
    "acosh": (1.0, np.inf),
    "atanh": (-1.0, 1.0),
}
# Falling, then rising: where the lowest value is, and what it is.
_VALLEYS = {
    "silu": (-1.2784645427610738, -0.2784645427610738),
    "gelu": (-0.7517915246935645, -0.1699712074592452),
    "gelu_tanh": (-0.7524614220710162, -0.1700407512392852),
    "cosh": (0.0, 1.0),
}


def propagated(
    op: str, values: Sequence[Array], bounds: Sequence[Array], result: Array
) -> Array:
    """The error that the operands' errors cause, at most."""
    with np.errstate(all="ignore"):
        if not any(b.any() for b in bounds):
            return np.zeros((1,) * result.ndim)
        if op in _MONOTONE:
            return _ends(op, values[0], bounds[0], result, _MONOTONE[op])
        if op in _VALLEYS:
            return _valley(op, values[0], bounds[0], result)
        rule = _RULES.get(op)
        if rule is None:
            # No rule: any doubt is complete.
            doubt = sum((b > 0).astype(float) for b in bounds)
            return np.where(doubt > 0, np.inf, 0.0)
        return rule(values, bounds, result)


def _ends(
    op: str, x: Array, d: Array, result: Array, domain: tuple[float, float]
) -> Array:
    low, high = (
        elementwise.apply(op, (np.clip(end, *domain),), result.dtype)
        for end in (x - d, x + d)
    )
    worst = np.maximum(np.abs(low - result), np.abs(high - result))
    return np.where(d > 0, worst, 0.0).astype(np.float64)


def _valley(op: str, x: Array, d: Array, result: Array) -> Array:
    where, lowest = _VALLEYS[op]
    inside = np.abs(x - where) < d
    reached = np.where(inside, np.abs(result - lowest), 0.0)
    return np.maximum(_ends(op, x, d, result, (-np.inf, np.inf)), reached)


Rule = Callable[[Sequence[Array], Sequence[Array], Array], Array]


def _sum(values: Sequence[Array], bounds: Sequence[Array], result: Array) -> Array:
    return np.asarray(bounds[0] + bounds[1])


def _product(values: Sequence[Array], bounds: Sequence[Array], result: Array) -> Array:
    (x, y), (dx, dy) = values, bounds
    error = _times(np.abs(x), dy) + _times(np.abs(y), dx) + dx * dy
    # An infinity times what is certainly not zero, and certain in sign.
    sure = np.isinf(x) & (np.abs(y) > dy) | np.isinf(y) & (np.abs(x) > dx)
    return np.asarray(np.where(sure & np.isfinite(dx + dy), 0.0, error))


def _times(size: Array, d: Array) -> Array:
    # An infinite operand that is certain has no error to pass on.
    return np.where(d == 0, 0.0, size.astype(np.float64) * d)


def _quotient(values: Sequence[Array], bounds: Sequence[Array], result: Array) -> Array:
    y, (dx, dy) = values[1], bounds
    room = np.abs(y) - dy
    worst = (dx + _times(np.abs(result), dy)) / room
    worst = np.where((dx == 0) & (dy == 0), 0.0, worst)
    return np.where((dy > 0) & (room <= 0), np.inf, worst)


def _reciprocal(values: Sequence[Array], bounds: Sequence[Array], r: Array) -> Array:
    one, zero = np.ones_like(values[0]), np.zeros_like(bounds[0])
    return _quotient((one, values[0]), (zero, bounds[0]), r)


def _same(values: Sequence[Array], bounds: Sequence[Array], result: Array) -> Array:
    return bounds[0]


def _worst(values: Sequence[Array], bounds: Sequence[Array], result: Array) -> Array:
    """max, min: never further off than the worse operand; one out of reach is moot."""
    (x, y), (dx, dy) = values, bounds
    near = np.abs(x - y) <= dx + dy
    chosen = np.where(x == result, dx, dy)
    return np.where(near | np.isnan(result), np.maximum(dx, dy), chosen)


def _sine(values: Sequence[Array], bounds: Sequence[Array], result: Array) -> Array:
    x, d = values[0], bounds[0]
    slope = np.minimum(1.0, np.sqrt(np.maximum(1 - result * result, 0)) + d)
    return np.asarray(np.minimum(slope * d, 2.0), np.float64) + 0 * x.astype(np.float64)


def _tangent(values: Sequence[Array], bounds: Sequence[Array], result: Array) -> Array:
    x, d = values[0], bounds[0]
    # Over a pole, anything; elsewhere tan rises.
    branch = [np.floor(e / np.pi + 0.5) for e in (x - d, x + d)]
    rising = _ends("tan", x, d, result, (-np.inf, np.inf))
    return np.where((branch[0] != branch[1]) & (d > 0), np.inf, rising)


def _hypotenuse(values: Sequence[Array], bounds: Sequence[Array], r: Array) -> Array:
    return np.asarray(bounds[0] + bounds[1])


def _corners(op: str) -> Rule:
    def worst(values: Sequence[Array], bounds: Sequence[Array], result: Array) -> Array:
        (x, y), (dx, dy) = values, bounds
        found = np.zeros(result.shape)
        for sx in (-1, 1):
            for sy in (-1, 1):
                corner = elementwise.apply(op, (x + sx * dx, y + sy * dy), result.dtype)
                found = np.maximum(found, np.abs(corner - result))
        return np.where((dx == 0) & (dy == 0), 0.0, found)

    return worst


def _power(values: Sequence[Array], bounds: Sequence[Array], result: Array) -> Array:
    (x, y), (dx, dy) = values, bounds
    corners = _corners("pow")(values, bounds, result)
    # Monotone in each operand for x > 0, and in x for a certain y away from 0.
    sure = (x - dx > 0) | ((dy == 0) & ((np.abs(x) > dx) | (dx == 0)))
    at_zero = (dy == 0) & (y > 0)
    corners = np.where(at_zero & ~sure, np.maximum(corners, np.abs(result)), corners)
    return np.where(sure | at_zero, corners, np.inf)


def _angle(values: Sequence[Array], bounds: Sequence[Array], result: Array) -> Array:
    (y, x), (dy, dx) = values, bounds
    cut = (np.abs(y) <= dy) & (x - dx <= 0)
    found = _corners("atan2")(values, bounds, result)
    return np.where(cut & ((dx > 0) | (dy > 0)), np.inf, found)


def _floor_division(
    values: Sequence[Array], bounds: Sequence[Array], result: Array
) -> Array:
    quotient = values[0] / values[1]
    d = _quotient(values, bounds, quotient)
    return np.asarray(
        np.maximum(np.floor(quotient + d) - result, result - np.floor(quotient - d))
    )


def _remainder(
    values: Sequence[Array], bounds: Sequence[Array], result: Array
) -> Array:
    (x, y), (dx, dy) = values, bounds
    whole = np.abs(np.floor(x / y))
    steps = _floor_division(values, bounds, np.floor(x / y))
    moved = dx + _times(whole, dy)
    return np.where(steps > 0, np.abs(y) + dy, moved)


def _copysign(values: Sequence[Array], bounds: Sequence[Array], result: Array) -> Array:
    (x, y), (dx, dy) = values, bounds
    return np.where((np.abs(y) <= dy) & (dy > 0), 2 * np.abs(x) + dx, dx)


def _next(values: Sequence[Array], bounds: Sequence[Array], result: Array) -> Array:
    (x, _), (dx, dy) = values, bounds
    return np.asarray(np.where((dx > 0) | (dy > 0), 2 * dx + np.abs(x) * 2.0**-22, 0.0))


_RULES: dict[str, Rule] = {
    "add": _sum,
    "sub": _sum,
    "mul": _product,
    "div": _quotient,
    "reciprocal": _reciprocal,
    "neg": _same,
    "abs": _same,
    "max": _worst,
    "min": _worst,
    "fmax": _worst,
    "fmin": _worst,
    "sin": _sine,
    "cos": _sine,
    "tan": _tangent,
    "hypot": _hypotenuse,
    "pow": _power,
    "atan2": _angle,
    "floordiv": _floor_division,
    "mod": _remainder,
    "fmod": _remainder,
    "copysign": _copysign,
    "nextafter": _next,
}
