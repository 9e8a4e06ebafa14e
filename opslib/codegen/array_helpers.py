"""What printed NumPy code calls where NumPy lacks a function or differs.

NumPy leaves the sign of ``maximum(-0.0, 0.0)`` open, warns and varies on integer
division by zero, wraps shift counts, and has no erf; the primitive table settles all of
these. Special functions are computed in float64 and rounded to the operand's type.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from opslib.codegen import array_common, array_erf
from opslib.errors import OperandIndexError, ShapeError

Array = Any
State = tuple[Any, ...]


# --- Primitives --------------------------------------------------------------------


def _is_float(x: Array) -> bool:
    kind = np.asarray(x).dtype.kind
    return kind == "f" or kind == "V"


def maximum(x: Array, y: Array) -> Array:
    """The larger; nan if either is; of two zeros the positive one."""
    return array_common.maximum(np, x, y)


def minimum(x: Array, y: Array) -> Array:
    """The smaller; nan if either is; of two zeros the negative one."""
    return array_common.minimum(np, x, y)


def fmax(x: Array, y: Array) -> Array:
    """The larger; a nan loses; of two zeros the positive one."""
    return array_common.fmax(np, x, y)


def fmin(x: Array, y: Array) -> Array:
    """The smaller; a nan loses; of two zeros the negative one."""
    return array_common.fmin(np, x, y)


def sign(x: Array) -> Array:
    """-1, 0 or 1; nan and -0.0 stay."""
    return array_common.sign(np, x)


def floordiv(x: Array, y: Array) -> Array:
    """floor(x / y); 0 for an integer divided by 0."""
    if isinstance(x, int) and isinstance(y, int):
        return x // y if y else 0
    if _is_float(x + y):
        return np.where(np.isinf(x), x / y, np.floor_divide(x, y))
    return _whole(np.floor_divide, x, y)


def mod(x: Array, y: Array) -> Array:
    """The remainder with the sign of y; 0 for an integer divided by 0."""
    if isinstance(x, int) and isinstance(y, int):
        return x % y if y else 0
    return np.mod(x, y) if _is_float(x + y) else _whole(np.mod, x, y)


def _whole(operation: Callable[..., Array], x: Array, y: Array) -> Array:
    x, y = array_common.same_type(np, x, y)
    result = operation(x, np.where(y == 0, y.dtype.type(1), y))
    return np.where(y == 0, result.dtype.type(0), result)


def pow(x: Array, y: Array) -> Array:
    """X to the y; integers wrap, and a negative y inverts as C does."""
    if _is_float(x) or _is_float(y):
        return np.power(x, y)
    x, y = array_common.same_type(np, x, y)
    one, zero = x.dtype.type(1), x.dtype.type(0)
    inverse = np.where(x == 1, one, np.where(x == zero - one, x ** (y & 1), zero))
    if x.dtype.kind == "u":
        return x**y
    return np.where(y < 0, inverse, x ** np.where(y < 0, zero, y))


def shl(x: Array, y: Array) -> Array:
    """X * 2^y wrapped; 0 for a count outside 0 .. bits - 1."""
    x, y = array_common.same_type(np, x, y)
    inside = (y >= 0) & (y < 8 * x.dtype.itemsize)
    zero = x.dtype.type(0)
    return np.where(inside, x << np.where(inside, y, zero), zero)


def shr(x: Array, y: Array) -> Array:
    """floor(x / 2^y); the sign for a count outside 0 .. bits - 1."""
    x, y = array_common.same_type(np, x, y)
    inside = (y >= 0) & (y < 8 * x.dtype.itemsize)
    zero = x.dtype.type(0)
    sign = np.where(x < 0, ~zero, zero)
    return np.where(inside, x >> np.where(inside, y, zero), sign)


def _in_float64(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    def rounded(x: Array) -> Array:
        return function(x.astype(np.float64)).astype(x.dtype)

    rounded.__doc__ = function.__doc__
    return rounded


def _sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x)."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small) / (1 + small)


def _softplus(x: Array) -> Array:
    """log(1 + e^x), without overflow."""
    return np.logaddexp(x, 0.0)


def _log_sigmoid(x: Array) -> Array:
    """log(sigmoid(x))."""
    return -np.logaddexp(-x, 0.0)


def _silu(x: Array) -> Array:
    """X * sigmoid(x)."""
    return x * _sigmoid(x)


def _gelu(x: Array) -> Array:
    """X * erfc(-x / sqrt(2)) / 2."""
    return x * (array_erf.erfc(x * -np.sqrt(0.5)) / 2)


def _gelu_tanh(x: Array) -> Array:
    """Half of x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))."""
    return x * _sigmoid(2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x * x * x))


erf = _in_float64(array_erf.erf)
erfc = _in_float64(array_erf.erfc)
sigmoid = _in_float64(_sigmoid)
softplus = _in_float64(_softplus)
log_sigmoid = _in_float64(_log_sigmoid)
silu = _in_float64(_silu)
gelu = _in_float64(_gelu)
gelu_tanh = _in_float64(_gelu_tanh)


# --- Reading and writing -----------------------------------------------------------


def clipped(x: Array, *indices: Array, axis: int = 0) -> Array:
    """``x[..., i, j]`` from `axis` on, with each index moved to the nearest edge.

    For reads whose value is used only where the index was within bounds. An empty
    axis gives zeros.
    """
    return array_common.clipped(np, x, indices, axis)


def scatter(
    target: Array,
    indices: tuple[Array, ...],
    value: Array,
    mask: Array | None,
    combine: str | Callable[..., State] | None = None,
) -> Array:
    """Stores `value`, or combines it into `target`, at points where `mask` is true."""
    everywhere: list[Any] = list(np.broadcast_arrays(*indices, value))
    if mask is not None:
        mask = np.broadcast_to(mask, value.shape)
        everywhere = [a[mask] for a in everywhere]
    *points, given = (a.reshape(-1) for a in everywhere)
    where = tuple(points)
    if combine is None or combine == "set":
        target[where] = given
    elif isinstance(combine, str):
        functions: dict[str, Any] = {"add": np.add, "multiply": np.multiply}
        functions |= {"max": np.maximum, "min": np.minimum}
        functions[combine].at(target, where, given)
    else:
        for k in range(len(given)):
            at = tuple(p[k] for p in where)
            (target[at],) = combine(target[at], given[k])
    return target


# --- Folds, scans, order -----------------------------------------------------------


def amax(x: Array, axis: Any = None, *, keepdims: bool = False) -> Array:
    """The largest along axes; nan if any is; of two zeros the positive one."""
    found = np.max(x, axis=axis, initial=-np.inf, keepdims=keepdims)
    if not np.any(found == 0):
        return found
    plus = np.any((x == 0) & ~np.signbit(x), axis=axis, keepdims=keepdims)
    return np.where((found == 0) & plus, np.zeros_like(found), found)[()]


def amin(x: Array, axis: Any = None, *, keepdims: bool = False) -> Array:
    """The smallest along axes; nan if any is; of two zeros the negative one."""
    found = np.min(x, axis=axis, initial=np.inf, keepdims=keepdims)
    if not np.any(found == 0):
        return found
    minus = np.any((x == 0) & np.signbit(x), axis=axis, keepdims=keepdims)
    return np.where((found == 0) & minus, -np.zeros_like(found), found)[()]


def cummax(x: Array, axis: int) -> Array:
    """Running maximum; a nan stays; of two zeros the positive one."""
    found = np.maximum.accumulate(x, axis=axis)
    if not _is_float(x):
        return found
    seen = np.logical_or.accumulate((x == 0) & ~np.signbit(x), axis=axis)
    return np.where((found == 0) & seen, np.zeros_like(found), found)


def cummin(x: Array, axis: int) -> Array:
    """Running minimum; a nan stays; of two zeros the negative one."""
    found = np.minimum.accumulate(x, axis=axis)
    if not _is_float(x):
        return found
    seen = np.logical_or.accumulate((x == 0) & np.signbit(x), axis=axis)
    return np.where((found == 0) & seen, -np.zeros_like(found), found)


def fold(
    combine: Callable[..., State],
    identity: Sequence[Any],
    states: Sequence[Array],
    axis: int | tuple[int, ...],
) -> State:
    """Joins states along `axis` (several: in lexicographic order), neighbours first."""
    return array_common.fold(np, combine, identity, states, axis)


def scan(
    combine: Callable[..., State],
    identity: Sequence[Any],
    states: Sequence[Array],
    axis: int,
) -> State:
    """Running states along `axis`, each including its own element."""
    current = [np.moveaxis(s, axis, 0) for s in states]
    rows: list[State] = []
    for k in range(current[0].shape[0]):
        here = tuple(s[k] for s in current)
        rows.append(tuple(combine(*rows[-1], *here)) if rows else here)
    if not rows:
        return tuple(states)
    columns = zip(*rows, strict=True)
    return tuple(np.moveaxis(np.stack(c), 0, axis) for c in columns)


def argsort(x: Array, axis: int = -1, descending: bool = False) -> Array:
    """Stable order; nan last when ascending and first when descending."""
    order = partial(np.argsort, kind="stable")
    if not descending:
        return order(x, axis=axis)
    return array_common.descending_order(np, order, x, axis)


# --- Checks ------------------------------------------------------------------------


def check(
    holds: Array,
    message: str,
    operand: str = "",
    value: Array | None = None,
    extent: Any = None,
) -> None:
    """Raises unless `holds` everywhere; names the first index that does not."""
    holds = np.asarray(holds)
    if holds.all():
        return
    if not operand:
        raise ShapeError(message, code="E0713")
    first = tuple(int(p[0]) for p in np.nonzero(~holds)) if holds.ndim else ()
    if value is not None:
        found = np.broadcast_to(value, holds.shape)[first]
        message += f": {operand} holds {found}"
        if first:
            message += f" at {first}"
    if extent is not None:
        message += f", the extent is {np.broadcast_to(extent, holds.shape)[first]}"
    raise OperandIndexError(message, code="E0708")
