"""Reads as slices, reshapes and gathers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from opslib.codegen import array_integers as integers
from opslib.codegen.onnx_value import Value, constant, transposed, union
from opslib.ir.dtypes import INT64
from opslib.ir.expr import Expr, Fold, Order, Read, Scan, Select, walk

if TYPE_CHECKING:
    from opslib.codegen.onnx_printer import Printer


@dataclass(frozen=True, slots=True)
class Slice:
    """An axis walked by one index variable, from `start` on in steps."""

    variable: str
    start: int
    step: int


@dataclass(frozen=True, slots=True)
class Merged:
    """An axis that several index variables walk together, the last one fastest."""

    variables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gather:
    """An axis read at positions."""

    at: Value


Item = Slice | Merged | Gather


def axes_of(item: Item) -> tuple[str, ...]:
    """The index variables that walk an axis."""
    match item:
        case Slice():
            return (item.variable,)
        case Merged():
            return item.variables
        case Gather():
            return item.at.axes


def classify(printer: Printer, index: Expr, extent: int) -> Item:
    """How an axis of length `extent` is walked by `index`."""
    value = integers.polynomial(index)
    if value is not None:
        parts = integers.split(value, frozenset(printer.length))
        if parts is not None and all(v in printer.dense for v in parts[0]):
            coefficients = {v: _number(c) for v, c in parts[0].items()}
            rest = _number(parts[1])
            found = _affine(printer, coefficients, rest, extent)
            if found is not None:
                return found
    return Gather(_position(printer, index, extent))


def _number(value: integers.Polynomial) -> int | None:
    return value.get((), 0) if not value.keys() - {()} else None


def _affine(
    printer: Printer,
    coefficients: dict[str, int | None],
    rest: int | None,
    extent: int,
) -> Slice | Merged | None:
    if rest is None or not coefficients:
        return None
    if len(coefficients) > 1:
        return None if rest else merged(printer, coefficients, extent)
    ((variable, step),) = coefficients.items()
    if not step:
        return None
    low, length = printer.dense[variable][0], printer.length[variable]
    start = rest + step * low
    last = start + step * (length - 1)
    if length and not (0 <= start < extent and 0 <= last < extent):
        return None  # beyond the edge where it is not taken
    return Slice(variable, start, step)


def merged(
    printer: Printer, coefficients: dict[str, int | None], extent: int
) -> Merged | None:
    """The axis that ``h * r + u`` walks, u in 0..r and h in 0..g: one of length g r."""
    step, left = 1, dict(coefficients)
    found: list[str] = []
    while left:
        # Of several that fit, an axis of length 1 goes first: it changes no step.
        fits = [v for v, c in left.items() if c == step]
        fits.sort(key=lambda v: printer.length[v] != 1)
        if not fits or printer.dense[fits[0]][0] != 0:
            return None
        step *= printer.length[fits[0]]
        found.insert(0, fits[0])
        del left[fits[0]]
    return Merged(tuple(found)) if step == extent else None


def _position(printer: Printer, index: Expr, extent: int) -> Value:
    at = printer.cast(printer.emit(index), INT64)
    if at.constant is not None:
        inside = np.clip(at.constant, 0, max(extent - 1, 0))
        return constant(inside, at.axes, INT64)
    clamps = any(c.policy == "clamp" for c in printer.program.checks)
    if printer.guards == 0 and not (clamps and _from_data(index)):
        return at
    low, high = (constant(n, (), INT64) for n in (0, max(extent - 1, 0)))
    at = printer.prim("max", [at, low], INT64, INT64)
    return printer.prim("min", [at, high], INT64, INT64)


def _from_data(index: Expr) -> bool:
    return any(isinstance(n, Read | Fold | Scan | Order | Select) for n in walk(index))


def read(printer: Printer, node: Read) -> Value:
    """The value of a read, over all index variables its indices depend on."""
    source = printer.program.tensor(node.tensor)
    absent = printer.absent.get(node.tensor, frozenset())
    present = [k for k in range(len(source.shape)) if k not in absent]
    shape = [printer.extent(source.shape[k]) for k in present]
    indices = [node.indices[k] for k in present]
    items = [classify(printer, i, n) for i, n in zip(indices, shape, strict=True)]
    if 0 in shape:
        # Nothing is ever taken of it, but what stands around may be evaluated.
        axes = union([Value("", axes_of(i), INT64) for i in items], printer.order)
        zeros = np.zeros([1] * len(axes), source.dtype.numpy)
        name = printer.full(constant(zeros, axes, source.dtype), axes)
        return Value(name, axes, source.dtype)
    items = _disjoint(printer, items, indices, shape)
    name = printer.tensors[node.tensor]
    name, items, shape = _reshaped(printer, name, items, shape)
    name, shape = _sliced(printer, name, items, shape)
    made = _gathered(printer, name, items, shape)
    return Value(made[0], made[1], source.dtype)


def _disjoint(
    printer: Printer, items: Sequence[Item], indices: list[Expr], shape: list[int]
) -> list[Item]:
    """Turns axes that share an index variable into gathers (a diagonal, say)."""
    counts: dict[str, int] = {}
    for item in items:
        for axis in axes_of(item):
            counts[axis] = counts.get(axis, 0) + 1
    result = list(items)
    for k, item in enumerate(items):
        if not isinstance(item, Gather) and any(counts[a] > 1 for a in axes_of(item)):
            result[k] = Gather(_position(printer, indices[k], shape[k]))
    return result


def _reshaped(
    printer: Printer, name: str, items: list[Item], shape: list[int]
) -> tuple[str, list[Item], list[int]]:
    if not any(isinstance(i, Merged) for i in items):
        return name, items, shape
    extents: list[int] = []
    result: list[Item] = []
    for item, extent in zip(items, shape, strict=True):
        if isinstance(item, Merged):
            extents += printer.shape(item.variables)
            result += [Slice(v, 0, 1) for v in item.variables]
        else:
            extents.append(extent)
            result.append(item)
    return printer.graph.reshape(name, extents), result, extents


def _sliced(
    printer: Printer, name: str, items: list[Item], shape: list[int]
) -> tuple[str, list[int]]:
    rows = []
    left = list(shape)
    for k, item in enumerate(items):
        if isinstance(item, Slice):
            length = printer.length[item.variable]
            if item.start != 0 or item.step != 1 or length != shape[k]:
                stop = item.start + item.step * length
                # -1 as a stop means the last element; far below means before the first.
                stop = stop if stop >= 0 else -shape[k] - 1
                rows.append((k, item.start, stop, item.step))
            left[k] = length
    return printer.graph.slice(name, rows), left


def _gathered(
    printer: Printer, name: str, items: list[Item], shape: list[int]
) -> tuple[str, tuple[str, ...]]:
    gathers = [k for k, i in enumerate(items) if isinstance(i, Gather)]
    used = [a for k in gathers for a in axes_of(items[k])]
    others = [a for i in items if not isinstance(i, Gather) for a in axes_of(i)]
    if len(used) == len(set(used)) and not set(used) & set(others):
        for k in reversed(gathers):
            item = items[k]
            assert isinstance(item, Gather)
            name = printer.graph.op("Gather", name, printer.name(item.at), axis=k)
        return name, tuple(a for i in items for a in axes_of(i))
    return _together(printer, name, items, shape, gathers)


def _together(
    printer: Printer,
    name: str,
    items: list[Item],
    shape: list[int],
    gathers: list[int],
) -> tuple[str, tuple[str, ...]]:
    """Gathered axes share an index: they are made one, and read at sums."""
    graph = printer.graph
    along = _elements(printer, name, items, gathers)
    if along is not None:
        return along
    rest = [k for k in range(len(items)) if k not in gathers]
    name = graph.transpose(name, [*gathers, *rest])
    count = int(np.prod([shape[k] for k in gathers]))
    name = graph.reshape(name, [count, *(shape[k] for k in rest)])
    at = constant(0, (), INT64)
    for k in gathers:
        item = items[k]
        assert isinstance(item, Gather)
        scaled = printer.prim("mul", [at, constant(shape[k], (), INT64)], INT64, INT64)
        at = (
            item.at
            if k == gathers[0]
            else printer.prim("add", [scaled, item.at], INT64, INT64)
        )
    name = graph.op("Gather", name, printer.name(at), axis=0)
    return name, at.axes + tuple(a for k in rest for a in axes_of(items[k]))


def _elements(
    printer: Printer, name: str, items: list[Item], gathers: list[int]
) -> tuple[str, tuple[str, ...]] | None:
    """``x[i, at[i, j]]``: the positions have all axes of x, and run over one of them.

    The other gathered axes are then each walked by one variable from its start on.
    """
    moved = [k for k in gathers if _items_at(items[k]).constant is None]
    if len(moved) != 1 or len(gathers) != len(items):
        return None
    (k,) = moved
    at = _items_at(items[k])
    if len(at.axes) != len(items):
        return None
    axes: list[str] = []
    for n, item in enumerate(items):
        here = _items_at(item)
        if n == k:
            axes.append("")
            continue
        if len(here.axes) != 1 or here.constant is None:
            return None
        if not np.array_equal(here.constant, np.arange(here.constant.size)):
            return None
        axes.append(here.axes[0])
    new = [a for a in at.axes if a not in axes]
    if len(new) != 1 or len(set(axes)) != len(axes):
        return None
    axes[k] = new[0]
    at = transposed(printer.graph, at, axes)
    return printer.graph.op("GatherElements", name, printer.name(at), axis=k), at.axes


def _items_at(item: Item) -> Value:
    assert isinstance(item, Gather)
    return item.at
