"""What printed jax code calls: twins of `opslib.codegen.array_helpers`.

Everything here works on tracers, so nothing raises on data: indices are clipped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from opslib.codegen import array_common

Array = Any
State = tuple[Any, ...]


# --- Primitives --------------------------------------------------------------------


def _is_float(*values: Array) -> bool:
    return bool(jnp.issubdtype(jnp.result_type(*values), jnp.floating))


def maximum(x: Array, y: Array) -> Array:
    """The larger; nan if either is; of two zeros the positive one."""
    return array_common.maximum(jnp, x, y)


def minimum(x: Array, y: Array) -> Array:
    """The smaller; nan if either is; of two zeros the negative one."""
    return array_common.minimum(jnp, x, y)


def fmax(x: Array, y: Array) -> Array:
    """The larger; a nan loses; of two zeros the positive one."""
    return array_common.fmax(jnp, x, y)


def fmin(x: Array, y: Array) -> Array:
    """The smaller; a nan loses; of two zeros the negative one."""
    return array_common.fmin(jnp, x, y)


def sign(x: Array) -> Array:
    """-1, 0 or 1; nan and -0.0 stay."""
    return array_common.sign(jnp, x)


def floordiv(x: Array, y: Array) -> Array:
    """floor(x / y); 0 for an integer divided by 0."""
    if isinstance(x, int) and isinstance(y, int):
        return x // y if y else 0
    if _is_float(x, y):
        return jnp.where(jnp.isinf(x), x / y, jnp.floor_divide(x, y))
    return _whole(jnp.floor_divide, x, y)


def mod(x: Array, y: Array) -> Array:
    """The remainder with the sign of y; 0 for an integer divided by 0."""
    if isinstance(x, int) and isinstance(y, int):
        return x % y if y else 0
    return jnp.mod(x, y) if _is_float(x, y) else _whole(jnp.mod, x, y)


def fmod(x: Array, y: Array) -> Array:
    """The remainder with the sign of x; 0 for an integer divided by 0."""
    return jnp.fmod(x, y) if _is_float(x, y) else _whole(jnp.fmod, x, y)


def _whole(operation: Callable[..., Array], x: Array, y: Array) -> Array:
    x, y = array_common.same_type(jnp, x, y)
    # The smallest integer over -1 is undefined in XLA; the others wrap to -x and 0.
    minus = y == -1 if jnp.issubdtype(y.dtype, jnp.signedinteger) else False
    safe = jnp.where((y == 0) | minus, 1, y).astype(y.dtype)
    result = operation(x, safe)
    result = jnp.where(minus, operation(x, jnp.ones_like(y)), result)
    if operation is jnp.floor_divide:
        result = jnp.where(minus, -x, result)
    return jnp.where(y == 0, jnp.zeros_like(result), result)


def pow(x: Array, y: Array) -> Array:
    """The power x^y; integers wrap, and a negative y inverts as C does."""
    if _is_float(x, y):
        return jnp.power(x, y)
    x, y = jnp.broadcast_arrays(*array_common.same_type(jnp, x, y))
    bits = 8 * x.dtype.itemsize
    result, base, left = jnp.ones_like(x), x, jnp.where(y < 0, 0, y).astype(x.dtype)
    for _ in range(bits):
        result = jnp.where(left & 1 == 1, result * base, result)
        base, left = base * base, left >> 1
    odd = jnp.where(y & 1 == 1, x, jnp.ones_like(x))
    # Not x * x == 1, which is so of 2^(bits - 1) +- 1 as well.
    inverse = jnp.where((x == 1) | (x == -1), odd, jnp.zeros_like(x))
    return jnp.where(y < 0, inverse, result)


def shl(x: Array, y: Array) -> Array:
    """The product x * 2^y, wrapped; 0 for a count outside 0 .. bits - 1."""
    x, y = array_common.same_type(jnp, x, y)
    inside = (y >= 0) & (y < 8 * x.dtype.itemsize)
    return jnp.where(inside, x << jnp.where(inside, y, 0).astype(y.dtype), 0).astype(
        x.dtype
    )


def shr(x: Array, y: Array) -> Array:
    """floor(x / 2^y); the sign for a count outside 0 .. bits - 1."""
    x, y = array_common.same_type(jnp, x, y)
    inside = (y >= 0) & (y < 8 * x.dtype.itemsize)
    fill = jnp.where(x < 0, ~jnp.zeros_like(x), jnp.zeros_like(x))
    return jnp.where(inside, x >> jnp.where(inside, y, 0).astype(y.dtype), fill)


def exp2(x: Array) -> Array:
    """The power 2^x; XLA's own, e^(x log 2), is off by 63 ulp at x = 106."""
    whole = jnp.round(jnp.clip(x, -2000, 2000))
    fraction = jnp.exp((x - whole) * 0.6931471805599453)
    return jnp.ldexp(fraction, whole.astype(jnp.int32))


def erf(x: Array) -> Array:
    """The error function."""
    return jax.scipy.special.erf(x)


def erfc(x: Array) -> Array:
    """1 - erf(x), without cancellation."""
    return jax.scipy.special.erfc(x)


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x)."""
    return lax.logistic(x)


def softplus(x: Array) -> Array:
    """log(1 + e^x), without overflow."""
    return jnp.logaddexp(x, jnp.zeros_like(x))


def log_sigmoid(x: Array) -> Array:
    """log(sigmoid(x))."""
    return -jnp.logaddexp(-x, jnp.zeros_like(x))


def silu(x: Array) -> Array:
    """The product x * sigmoid(x)."""
    # Far below zero the sigmoid is subnormal, and would be flushed to zero.
    root = jnp.exp(x / 2)
    return jnp.where(x < -20, x * root * root, x * lax.logistic(x))


def gelu(x: Array) -> Array:
    """The product x * erfc(-x / sqrt(2)) / 2."""
    return x * (jax.scipy.special.erfc(x * -(0.5**0.5)) / 2)


def gelu_tanh(x: Array) -> Array:
    """Half of x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))."""
    return x * lax.logistic(1.5957691216057308 * (x + 0.044715 * x * x * x))


# --- Reading and writing -----------------------------------------------------------


def clipped(x: Array, *indices: Array, axis: int = 0) -> Array:
    """``x[..., i, j]`` from `axis` on, with each index moved to the nearest edge."""
    return array_common.clipped(jnp, x, indices, axis)


def scatter(
    target: Array,
    indices: tuple[Array, ...],
    value: Array,
    mask: Array | None,
    combine: str | Callable[..., State] | None = None,
) -> Array:
    """`target` with `value` stored, or combined in, at points where `mask` is true."""
    if 0 in target.shape or 0 in value.shape:
        return target
    where = tuple(
        jnp.broadcast_to(jnp.clip(i, 0, n - 1), value.shape)
        for i, n in zip(indices, target.shape, strict=True)
    )
    if mask is not None:
        # A position past the end is dropped.
        gone = jnp.broadcast_to(mask, value.shape)
        where = tuple(
            jnp.where(gone, i, n) for i, n in zip(where, target.shape, strict=True)
        )
    if combine is None or combine == "set":
        return _last(target, where, value)
    if isinstance(combine, str):
        change = getattr(target.at[where], combine)
        return change(value.astype(target.dtype), mode="drop")
    flat = [i.reshape(-1) for i in where]
    values = value.reshape(-1)

    def step(k: Array, current: Array) -> Array:
        at = tuple(i[k] for i in flat)
        (new,) = combine(current[at], values[k])
        return current.at[at].set(new, mode="drop")

    return lax.fori_loop(0, values.shape[0], step, target)


def _last(target: Array, where: tuple[Array, ...], value: Array) -> Array:
    """Stores; of several values for one place the last wins, which XLA leaves open."""
    flat = jnp.zeros(value.shape, jnp.int64)
    for index, extent in zip(where, target.shape, strict=True):
        flat = jnp.where(index < extent, flat * extent + index, target.size)
    flat = jnp.minimum(flat.reshape(-1), target.size)
    turn = jnp.arange(flat.shape[0])
    last = jnp.full(target.size, -1, turn.dtype).at[flat].max(turn, mode="drop")
    given = value.reshape(-1)[jnp.maximum(last, 0)].astype(target.dtype)
    result = jnp.where(last >= 0, given, target.reshape(-1))
    return result.reshape(target.shape)


# --- Windows -----------------------------------------------------------------------


def convolution(
    x: Array,
    w: Array,
    batch: int,
    strides: tuple[int, ...],
    dilations: tuple[int, ...],
    starts: tuple[int, ...],
    outputs: tuple[int, ...],
) -> Array:
    """The sum over c and u of x[.., g, c, s i + d u + start] w[g, o, c, u].

    x: [*batch, (groups,) channels, *spatial], w: [(groups,) out, channels, *window].
    What lies outside x counts as 0. Gives [*batch, (groups,) out, *outputs].
    """
    rank = len(outputs)
    grouped = w.ndim == rank + 3
    lead = x.shape[:batch]
    groups = w.shape[0] if grouped else 1
    channels, out = w.shape[-rank - 1], w.shape[-rank - 2]
    window, spatial = w.shape[-rank:], x.shape[-rank:]
    shape = (*lead, *((groups,) if grouped else ()), out, *outputs)
    if 0 in x.shape or 0 in w.shape or 0 in shape:
        return jnp.zeros(shape, x.dtype)
    count = 1
    for n in lead:
        count *= n
    found = lax.conv_general_dilated(
        x.reshape(count, groups * channels, *spatial),
        w.reshape(groups * out, channels, *window),
        strides,
        _padding(spatial, window, strides, dilations, starts, outputs),
        rhs_dilation=dilations,
        feature_group_count=groups,
        precision=lax.Precision.HIGHEST,
    )
    return found.reshape(shape)


def reduce_windows(
    x: Array,
    kind: str,
    sizes: tuple[int, ...],
    strides: tuple[int, ...],
    dilations: tuple[int, ...],
    starts: tuple[int, ...],
    outputs: tuple[int, ...],
) -> Array:
    """Folds each window of the last axes: the sum, max or min of what is inside x."""
    rank = len(outputs)
    lead = x.ndim - rank
    empty = {"sum": 0.0, "max": -jnp.inf, "min": jnp.inf}[kind]
    shape = (*x.shape[:lead], *outputs)
    if 0 in x.shape or min(sizes) <= 0 or 0 in shape:  # A range may end below 0.
        return jnp.full(shape, empty, x.dtype)
    once = (1,) * lead
    spatial = x.shape[lead:]

    def fold(values: Array, initial: float, operation: Callable[..., Array]) -> Array:
        return lax.reduce_window(
            values,
            jnp.asarray(initial, values.dtype),
            operation,
            (*once, *sizes),
            (*once, *strides),
            (
                *((0, 0),) * lead,
                *_padding(spatial, sizes, strides, dilations, starts, outputs),
            ),
            window_dilation=(*once, *dilations),
        )

    if kind == "sum":
        return fold(x, empty, lax.add)
    found = fold(x, empty, lax.max if kind == "max" else lax.min)
    seen = fold(_marks(x, kind == "min"), 0, lax.max)
    return _marked(found, seen, kind == "min")


def _padding(
    spatial: tuple[int, ...],
    window: tuple[int, ...],
    strides: tuple[int, ...],
    dilations: tuple[int, ...],
    starts: tuple[int, ...],
    outputs: tuple[int, ...],
) -> list[tuple[int, int]]:
    """Low and high padding that begins at `starts` and gives just `outputs` windows."""
    every = zip(spatial, window, strides, dilations, starts, outputs, strict=True)
    return [
        (-start, start + (out - 1) * s + (k - 1) * d + 1 - n)
        for n, k, s, d, start, out in every
    ]


# --- Folds, scans, order -----------------------------------------------------------


def fold(
    combine: Callable[..., State],
    identity: Sequence[Any],
    states: Sequence[Array],
    axis: int | tuple[int, ...],
) -> State:
    """Joins states along `axis` (several: in lexicographic order), neighbours first."""
    return array_common.fold(jnp, combine, identity, states, axis)


def amax(x: Array, axis: Any = None, *, keepdims: bool = False) -> Array:
    """The largest along axes; nan if any is; of two zeros the positive one."""
    return _extreme(x, axis, keepdims, jnp.max, -jnp.inf)


def amin(x: Array, axis: Any = None, *, keepdims: bool = False) -> Array:
    """The smallest along axes; nan if any is; of two zeros the negative one."""
    return _extreme(x, axis, keepdims, jnp.min, jnp.inf)


def argmax(x: Array, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """The first place of the largest along an axis; of the first nan, if any."""
    return _place(lax.argmax, x, axis, keepdims)


def argmin(x: Array, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """The first place of the smallest along an axis; of the first nan, if any."""
    return _place(lax.argmin, x, axis, keepdims)


def _place(
    reduction: Callable[..., Array], x: Array, axis: int | None, keepdims: bool
) -> Array:
    along = x.reshape(-1) if axis is None else x
    k = (axis or 0) % along.ndim
    # In a trace whose owner has no 64-bit types only 32-bit places can be lowered.
    index = jnp.int32 if along.shape[k] < 2**31 else jnp.int64
    found = reduction(along, k, index).astype(jnp.int64)
    return jnp.expand_dims(found, k) if keepdims else found


def _extreme(
    x: Array, axis: Any, keepdims: bool, reduction: Callable[..., Array], initial: float
) -> Array:
    found = reduction(x, axis=axis, initial=initial, keepdims=keepdims)
    seen = jnp.max(_marks(x, initial > 0), axis=axis, initial=0, keepdims=keepdims)
    return _marked(found, seen, initial > 0)


def _marks(x: Array, negative: bool) -> Array:
    """What XLA's own extremes forget: 2 of a nan, 1 of the zero that wins, else 0.

    In jax 0.10 nan is lost on processors, from some hundreds of elements on, and which
    zero is found depends on the size.
    """
    zero = (x == 0) & (jnp.signbit(x) == negative)
    return jnp.where(jnp.isnan(x), 2, zero).astype(jnp.int8)


def _marked(found: Array, seen: Array, negative: bool) -> Array:
    zero = jnp.asarray(-0.0 if negative else 0.0, found.dtype)
    value = jnp.where((seen == 1) & (found == 0), zero, found)
    return _valued(found, jnp.where(seen == 2, jnp.nan, value))


@jax.custom_jvp
def _valued(found: Array, value: Array) -> Array:
    """`value`, with the derivative of `found`."""
    return value


_valued.defjvps(lambda tangent, answer, found, value: tangent, None)


def scan(
    combine: Callable[..., State],
    identity: Sequence[Any],
    states: Sequence[Array],
    axis: int,
) -> State:
    """Running states along `axis`, each including its own element."""
    if states[0].shape[axis] == 0:
        return tuple(states)

    def join(earlier: State, later: State) -> State:
        return tuple(combine(*earlier, *later))

    found: State = lax.associative_scan(join, tuple(states), axis=axis)
    return found


def cummax(x: Array, axis: int) -> Array:
    """Running maximum; a nan stays; of two zeros the positive one."""
    return lax.associative_scan(maximum, x, axis=axis) if x.shape[axis] else x


def cummin(x: Array, axis: int) -> Array:
    """Running minimum; a nan stays; of two zeros the negative one."""
    return lax.associative_scan(minimum, x, axis=axis) if x.shape[axis] else x


def argsort(x: Array, axis: int = -1, descending: bool = False) -> Array:
    """Stable order; nan last when ascending and first when descending."""
    order = partial(jnp.argsort, stable=True)
    if not descending:
        return order(x, axis=axis)
    return array_common.descending_order(jnp, order, x, axis)
