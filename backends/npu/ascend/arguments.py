"""What a launch is given: arrays for every pointer, and the numbers of the call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from opslib.ir import expr
from opslib.ir.dtypes import DTYPES
from opslib.ir.evaluate import evaluate

from ..targets import AscendTarget
from .machine import Launch
from .plan import STATUS, Cutting, Program, counts, number
from .tune import Product, choose

Numbers = Mapping[str, int | float]


@dataclass(frozen=True, slots=True)
class Arguments:
    """Arguments of all launches of a call.

    Attributes:
        arrays: of each pointer but the last three; workspaces are new.
        numbers, reals: the first two of the last three (int64, float32). The third,
            the status, is `no_failures`, which the caller makes.
    """

    arrays: list[Any]
    numbers: Any
    reals: Any


def no_failures(target: AscendTarget) -> Any:
    """The status of a call before it: int64."""
    return np.zeros(STATUS * target.vectors, np.int64)


def failure(status: Any) -> tuple[int, int, int] | None:
    """The check, the value and the extent that the first core with a failure met."""
    failed = np.flatnonzero(status[::STATUS])
    if not len(failed):
        return None
    check, value, extent = status[failed[0] * STATUS :][1:4].tolist()
    return check, value, extent


def with_host_scalars(made: Program, sizes: Numbers, scalars: Numbers) -> Numbers:
    """The attributes, and what the host computes from them in double."""
    if made.host is None:
        return scalars
    extra = evaluate(made.host, {}, sizes, scalars)  # type: ignore[arg-type]
    return {**scalars, **{k: v.item() for k, v in extra.items()}}


def prepare(
    made: Program,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    sizes: Numbers,
    scalars: Numbers,
    target: AscendTarget,
    empty: Callable[[tuple[int, ...], Any], Any],
) -> Arguments:
    """The arguments of a call.

    Args:
        made: what is launched.
        inputs: C-contiguous arrays with `shape` and `size`.
        outputs: the same.
        sizes: of the call.
        scalars: of the call.
        target: says for how many cores private workspaces are.
        empty: makes an array of a shape and a NumPy dtype.
    """
    scalars = with_host_scalars(made, sizes, scalars)
    known = {**sizes, **scalars}
    given = iter((*inputs, *outputs))
    tensors = made.pointers[:-3]
    arrays: list[Any] = [
        next(given) if p.kind in ("input", "output") else None for p in tensors
    ]
    lengths = counts(made, arrays, known)
    for k, pointer in enumerate(tensors):
        if arrays[k] is not None:
            continue
        assert pointer.buffer is not None
        dtype = DTYPES[pointer.buffer.dtype.name].numpy
        if pointer.buffer.scope == "workspace":
            copies = target.vectors if pointer.private else 1
            arrays[k] = empty((lengths[k] * copies,), dtype)
        else:
            # A result of one launch that another reads as a tensor of its own.
            extents = pointer.buffer.shape
            shape = tuple(int(number(e, known, made.lets)) for e in extents)
            arrays[k] = empty(shape, dtype)
            lengths[k] = int(np.prod(shape, dtype=np.int64))
    cut = tiles(made, known, target)
    words = [
        cut[n] if n in cut else integer_argument(made, n, sizes, scalars, arrays)
        for _, n in made.values
    ]
    reals = [float(scalars[n]) for _, n, _ in made.reals]
    return Arguments(
        arrays,
        np.array([*words, *lengths, 0], np.int64),
        np.array([*reals, 0.0], np.float32),
    )


def tiles(made: Program, known: Numbers, target: AscendTarget) -> dict[str, int]:
    """The integers that say how the products of a call are cut."""
    found: dict[str, int] = {}
    for cutting in made.cuttings:
        tile = cutting.tile or choose(product_of(cutting, made, known), target)
        step = tile.depth // cutting.size
        values = (tile.m, tile.n, step, step * tile.panels)
        found.update(zip(cutting.names, values, strict=True))
    return found


def product_of(cutting: Cutting, made: Program, known: Numbers) -> Product:
    """A product of a call of these sizes."""
    batch, m, n, k = (int(number(e, known, made.lets)) for e in cutting.extents)
    return Product(batch, m, n, k, cutting.size, cutting.out)


def integer_argument(
    made: Program, name: str, sizes: Numbers, scalars: Numbers, arrays: Sequence[Any]
) -> int:
    """A size, an integer attribute, or a stride in elements."""
    if name in sizes:
        return int(sizes[name])
    if name in scalars:
        return (int(scalars[name]) + (1 << 63)) % (1 << 64) - (1 << 63)
    for pointer, array in zip(made.pointers, arrays, strict=False):
        buffer = pointer.buffer
        for axis, stride in enumerate(() if buffer is None else buffer.strides):
            if isinstance(stride, expr.Scalar) and stride.name == name:
                return _pitch(array, axis)
    raise KeyError(name)


def _pitch(array: Any, axis: int) -> int:
    """A stride of a C-contiguous array, in elements.

    Not the array's own word for it: NumPy gives axes of length 1 any stride.
    """
    return int(np.prod(array.shape[axis + 1 :], dtype=np.int64)) or 1


def chosen(made: Program, sizes: Numbers, scalars: Numbers) -> list[tuple[int, Launch]]:
    """The launches that a call needs, with their positions in `made.launches`."""
    known = {**sizes, **with_host_scalars(made, sizes, scalars)}
    found = []
    covered = False
    for k, launch in enumerate(made.launches):
        skip = covered
        if launch.rows is None:
            covered = False
        elif not covered:
            extent, least, most = launch.rows
            covered = least <= number(extent, known, made.lets) <= most
            skip = not covered
        if not skip:
            found.append((k, launch))
    return found


def within(
    made: Program, sizes: Numbers, scalars: Numbers, inputs: Sequence[Any]
) -> bool:
    """Whether a call keeps to the limits of a program."""
    known: dict[str, Any] = {**sizes, **with_host_scalars(made, sizes, scalars)}
    given = (p for p in made.pointers if p.kind == "input")
    for pointer, array in zip(given, inputs, strict=True):
        assert pointer.buffer is not None
        for axis, stride in enumerate(pointer.buffer.strides):
            if isinstance(stride, expr.Scalar):
                known[stride.name] = _pitch(array, axis)
    return all(x.holds(number(x.value, known, made.lets)) for x in made.limits)
