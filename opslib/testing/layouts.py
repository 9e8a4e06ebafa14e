"""Arrays of given values in every layout a caller may have.

A kernel that ignores a stride, reads whole vectors past the end or believes in aligned
pointers is right on fresh arrays only. The memory around the elements holds nan (or the
largest integer), so that whatever is read there shows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

KEEPING = ("contiguous", "transposed", "reversed", "stepped", "offset")
# These have their own values: elements share memory.
SHARING = ("repeated", "windows")
LAYOUTS = KEEPING + SHARING


def fresh(values: Array) -> Array:
    """A copy in row-major order (np.ascontiguousarray gives scalars an axis)."""
    return np.array(values, order="C", copy=True)


def poison(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An array that no correct kernel reads: nan, the largest integer, or True."""
    if dtype.kind in "iu":
        return np.full(shape, np.iinfo(dtype).max, dtype)
    if dtype == np.bool_:
        return np.ones(shape, dtype)
    return np.full(shape, np.nan, dtype)


def laid_out(values: Array, layout: str) -> Array:
    """The values in a layout; those of `SHARING` repeat some and drop others."""
    match layout:
        case "transposed":
            return fresh(values.T).T
        case "reversed":
            return np.flip(fresh(np.flip(values)))
        case "stepped":
            return _stepped(values)
        case "offset":
            flat = poison((values.size + 1,), values.dtype)[1:]
            flat[:] = values.reshape(-1)
            return flat.reshape(values.shape)
        case "repeated":
            return _repeated(values)
        case "windows":
            return _windows(values)
    return fresh(values)


def target(shape: tuple[int, ...], dtype: np.dtype[Any], layout: str) -> Array:
    """An array to write a result to, poisoned."""
    return laid_out(poison(shape, dtype), layout)


def _stepped(values: Array) -> Array:
    if values.ndim == 0:
        return fresh(values)
    shape = (*values.shape[:-1], 3 * values.shape[-1] + 1)
    seen = poison(shape, values.dtype)[..., 1::3][..., : values.shape[-1]]
    seen[...] = values
    return seen


def _repeated(values: Array) -> Array:
    """Stride 0 along the longest axis."""
    if values.size == 0 or values.ndim == 0:
        return fresh(values)
    axis = int(np.argmax(values.shape))
    first = fresh(values.take([0], axis))
    return np.broadcast_to(first, values.shape)


def _windows(values: Array) -> Array:
    """Every axis moves by one element: neighbouring rows overlap."""
    if values.size == 0 or values.ndim < 2:
        return fresh(values)
    count = sum(n - 1 for n in values.shape) + 1
    buffer = fresh(values.reshape(-1)[:count])
    strides = (values.itemsize,) * values.ndim
    return np.lib.stride_tricks.as_strided(
        buffer, values.shape, strides, writeable=False
    )
