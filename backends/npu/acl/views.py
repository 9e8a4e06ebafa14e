"""Arrays of a chip in other axes: transposed or broadcast by a kernel, on the stream.

The kernel is an ordinary one, of the program ``y[i...] = x[some of i, in some order]``
on elements of a width, so that a few serve all types and shapes.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from opslib.ir.dtypes import DTYPES
from opslib.ir.expr import ZERO, Axis, Define, Program, Read, Size, Tensor
from opslib.ir.view import View

from .device import Chip, DeviceArray
from .program import kernel

Shape = tuple[int, ...]
# What elements of so many bytes are copied as; wider ones as several.
_WORDS = {1: "uint8", 2: "int16", 4: "int32"}


def viewed(array: DeviceArray, view: View, chip: Chip) -> DeviceArray:
    """The array in a program's axes: the same memory where that only renames them."""
    order = view.permutation
    if order != tuple(range(len(order))):
        moved = tuple(array.shape[k] for k in order)
        places = tuple(order.index(k) for k in range(len(order)))
        array = _copied(array, array.shape, moved, places, chip)
    if view.shape != view.extents:
        kept = [k for k, n in enumerate(view.shape) if n == view.extents[k]]
        given = tuple(view.shape[k] for k in kept)
        array = _copied(array, given, view.extents, tuple(kept), chip)
    return DeviceArray(array.address, view.extents, array.dtype, array.device, array)


def _copied(
    array: DeviceArray, given: Shape, shape: Shape, places: Shape, chip: Chip
) -> DeviceArray:
    """An array of `shape`, whose axis ``places[k]`` is axis k of `given`."""
    given, wanted, places = coalesced(given, shape, places)
    word = min(array.itemsize, 4)
    if array.itemsize > word:
        parts = array.itemsize // word
        places = (*places, len(wanted))
        given, wanted = (*given, parts), (*wanted, parts)
    dtype = DTYPES[_WORDS[word]]
    words = DeviceArray(
        array.address, given, np.dtype(dtype.numpy), array.device, array
    )
    if not math.prod(shape):
        return DeviceArray(array.address, shape, array.dtype, array.device, array)
    program = copying(dtype.name, len(wanted), places)
    sizes = {f"n{k}": n for k, n in enumerate(wanted)}
    (made,) = kernel(program, chip).launch([words], (), sizes, {})
    return DeviceArray(made.address, shape, array.dtype, array.device, made)


def coalesced(given: Shape, shape: Shape, places: Shape) -> tuple[Shape, Shape, Shape]:
    """The same copy with as few axes as it has, none of length 1.

    Neighbours of `given` that stay neighbours become one axis, and neighbours of
    `shape` that are both new.
    """
    source: dict[int, int] = {place: k for k, place in enumerate(places)}
    groups: list[list[int]] = []
    for axis, length in enumerate(shape):
        if length == 1:
            continue
        if groups:
            before, here = source.get(groups[-1][-1]), source.get(axis)
            follows = before is None and here is None
            if before is not None and here is not None:
                between = range(before + 1, here)
                follows = before < here and all(given[k] == 1 for k in between)
            if follows:
                groups[-1].append(axis)
                continue
        groups.append([axis])
    wanted = tuple(math.prod(shape[a] for a in g) for g in groups)
    read = [(source[g[0]], k) for k, g in enumerate(groups) if g[0] in source]
    order = tuple(k for _, k in sorted(read))
    return tuple(wanted[k] for k in order), wanted, order


@lru_cache(maxsize=256)
def copying(dtype: str, rank: int, places: Shape) -> Program:
    """``y[i...] = x[i[places[0]], i[places[1]], ...]``."""
    kind = DTYPES[dtype]
    sizes = tuple(Size(f"n{k}") for k in range(rank))
    axes = tuple(Axis(f"i{k}", ZERO, n) for k, n in enumerate(sizes))
    indices = tuple(a.index for a in axes)
    value = Read("x", tuple(indices[k] for k in places), kind)
    return Program(
        name="rearrange",
        inputs=(Tensor("x", kind, tuple(sizes[k] for k in places)),),
        outputs=(Tensor("y", kind, sizes),),
        locals=(),
        scalars=(),
        sizes=tuple(f"n{k}" for k in range(rank)),
        defines=(Define("y", axes, indices, value),),
        exact=True,
    )
