"""Helpers whose text is the same over NumPy and over jax.numpy.

Each takes the array module first; `array_helpers` and the jax backend's helpers bind
it. What differs between the two (in-place stores, integer division by zero, special
functions) stays with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

Array = Any
State = tuple[Any, ...]


def same_type(xp: Any, x: Array, y: Array) -> tuple[Array, Array]:
    """Both as arrays of the type that arithmetic of them has."""
    dtype = xp.result_type(x, y)
    return xp.asarray(x, dtype), xp.asarray(y, dtype)


def maximum(xp: Any, x: Array, y: Array) -> Array:
    """The larger; nan if either is; of two zeros the positive one."""
    return xp.where((x == 0) & (y == 0), x + y, xp.maximum(x, y))


def minimum(xp: Any, x: Array, y: Array) -> Array:
    """The smaller; nan if either is; of two zeros the negative one."""
    return xp.where((x == 0) & (y == 0), -(-x - y), xp.minimum(x, y))


def fmax(xp: Any, x: Array, y: Array) -> Array:
    """The larger; a nan loses; of two zeros the positive one."""
    return xp.where((x == 0) & (y == 0), x + y, xp.fmax(x, y))


def fmin(xp: Any, x: Array, y: Array) -> Array:
    """The smaller; a nan loses; of two zeros the negative one."""
    return xp.where((x == 0) & (y == 0), -(-x - y), xp.fmin(x, y))


def sign(xp: Any, x: Array) -> Array:
    """-1, 0 or 1; nan and -0.0 stay."""
    return xp.where((x == 0) | (x != x), x, xp.sign(x))


def clipped(xp: Any, x: Array, indices: Sequence[Array], axis: int) -> Array:
    """``x[..., i, j]`` from `axis` on, with each index moved to the nearest edge.

    For reads whose value is used only where the index was within bounds. An empty
    axis gives zeros.
    """
    lengths = x.shape[axis : axis + len(indices)]
    if 0 in lengths:
        points = xp.broadcast_shapes(*(xp.shape(i) for i in indices))
        rest = x.shape[axis + len(indices) :]
        return xp.zeros((*x.shape[:axis], *points, *rest), x.dtype)
    where = tuple(xp.clip(i, 0, n - 1) for i, n in zip(indices, lengths, strict=True))
    return x[(*(slice(None),) * axis, *where)]


def fold(
    xp: Any,
    combine: Callable[..., State],
    identity: Sequence[Any],
    states: Sequence[Array],
    axis: int | tuple[int, ...],
) -> State:
    """Joins states along `axis` (several: in lexicographic order), neighbours first."""
    axes = (axis,) if isinstance(axis, int) else axis
    current = []
    for state in states:
        moved = xp.moveaxis(state, axes, tuple(range(-len(axes), 0)))
        kept = moved.ndim - len(axes)
        # Not reshape(-1): an empty array leaves that open.
        length = math.prod(moved.shape[kept:])
        current.append(moved.reshape(*moved.shape[:kept], length))
    count = current[0].shape[-1]
    if count == 0:
        return tuple(
            xp.full(s.shape[:-1], i, s.dtype)
            for s, i in zip(current, identity, strict=True)
        )
    while count > 1:
        even = [s[..., 0 : count - 1 : 2] for s in current]
        odd = [s[..., 1::2] for s in current]
        joined = combine(*even, *odd)
        if count % 2:
            joined = tuple(
                xp.concatenate([j, s[..., -1:]], axis=-1)
                for j, s in zip(joined, current, strict=True)
            )
        current, count = list(joined), (count + 1) // 2
    return tuple(s[..., 0] for s in current)


def descending_order(
    xp: Any, order: Callable[..., Array], x: Array, axis: int
) -> Array:
    """Stable descending order from `order`, a stable ascending one; nan first."""
    # Sorting the reversed row and reversing the result keeps equal values in order.
    backwards = order(xp.flip(x, axis), axis=axis)
    return x.shape[axis] - 1 - xp.flip(backwards, axis)
