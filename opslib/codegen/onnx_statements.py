"""Definitions: whole tensors, parts of them, scatters, recurrences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from opslib.codegen import onnx_reads as reads
from opslib.codegen.onnx_graph import Body, Node, Port, Scope
from opslib.codegen.onnx_primitives import carrier
from opslib.codegen.onnx_value import Value, constant
from opslib.ir.dtypes import BOOL, INT64, DType
from opslib.ir.expr import Axis, Define, Tensor

if TYPE_CHECKING:
    from opslib.codegen.onnx_printer import Printer

# ScatterND's way of joining what is written with what is there, by monoid.
_SCATTERS = {"sum": "add", "prod": "mul", "max": "max", "min": "min"}
# A recurrence of at most so many steps is written out; a longer one becomes a Loop.
UNROLLED = 16


def define(printer: Printer, one: Define) -> None:
    """Prints one definition: afterwards ``printer.tensors`` has its tensor."""
    if one.recurrent is not None:
        _recurrent(printer, one)
        return
    masks = printer.enter(one.axes)
    _store(printer, one, masks)


def _store(printer: Printer, one: Define, masks: list[Value]) -> None:
    target = printer.program.tensor(one.name)
    shape = [printer.extent(e) for e in target.shape]
    started = one.name in printer.tensors
    printer.guards += len(masks)
    try:
        value = printer.cast(printer.emit(one.value), target.dtype)
        items = [
            reads.classify(printer, i, n)
            for i, n in zip(one.indices, shape, strict=True)
        ]
        if _is_whole(printer, items, shape, len(one.axes)) and not (
            masks or one.combine
        ):
            axes = tuple(a for i in items for a in reads.axes_of(i))
            name = printer.full(value, axes)
            if any(isinstance(i, reads.Merged) for i in items):
                name = printer.graph.reshape(name, shape)
            printer.tensors[one.name] = name
            return
        if not started:
            zeros = np.zeros((), target.dtype.numpy)
            name = printer.graph.expand(printer.graph.constant(zeros), shape)
            printer.tensors[one.name] = name
        _points(printer, one, target, shape, value, masks)
    finally:
        printer.guards -= len(masks)


def _is_whole(
    printer: Printer, items: list[reads.Item], shape: list[int], count: int
) -> bool:
    for item, extent in zip(items, shape, strict=True):
        if isinstance(item, reads.Slice):
            if item.start != 0 or item.step != 1:
                return False
            if printer.length[item.variable] != extent:
                return False
        elif not isinstance(item, reads.Merged):
            return False
    axes = [a for i in items for a in reads.axes_of(i)]
    return len(axes) == len(set(axes)) == count


def _points(
    printer: Printer,
    one: Define,
    target: Tensor,
    shape: list[int],
    value: Value,
    masks: list[Value],
) -> None:
    """Writes, or combines, point by point into the flattened tensor."""
    graph, dtype = printer.graph, target.dtype
    everything = tuple(a.name for a in one.axes if a.name != one.recurrent)
    at = constant(0, (), INT64)
    for k, (index, extent) in enumerate(zip(one.indices, shape, strict=True)):
        here = printer.cast(printer.emit(index), INT64)
        if masks:  # beyond a mask the index is anything
            low, high = (constant(n, (), INT64) for n in (0, max(extent - 1, 0)))
            here = printer.prim("max", [here, low], INT64, INT64)
            here = printer.prim("min", [here, high], INT64, INT64)
        scaled = printer.prim("mul", [at, constant(extent, (), INT64)], INT64, INT64)
        at = printer.prim("add", [scaled, here], INT64, INT64) if k else here
    count = int(np.prod(shape, dtype=np.int64))
    points = int(np.prod(printer.shape(everything), dtype=np.int64))
    if not count or not points:
        return
    combine = "last" if one.combine is None else one.combine.name
    for mask in masks:
        # One place past the end takes what must not be written.
        at = printer.where(mask, at, constant(count, (), INT64))
    where = graph.reshape(printer.full(at, everything), [points, 1])
    given = graph.reshape(printer.full(value, everything), [points])
    flat = graph.reshape(printer.tensors[one.name], [count])
    if masks:
        spare = graph.constant(np.zeros(1, dtype.numpy))
        flat = graph.concat([flat, spare], 0)
    if combine in _SCATTERS and dtype != BOOL:
        carried = carrier(dtype)
        flat, given = (_to(printer, n, dtype, carried) for n in (flat, given))
        how = _SCATTERS[combine]
        made = graph.op("ScatterND", flat, where, given, reduction=how, since=18)
        made = _to(printer, made, carried, dtype)
    elif combine == "last" and _apart(at, points):
        made = graph.op("ScatterND", flat, where, given)
    elif combine == "last":
        size = count + bool(masks)
        made = _last(printer, flat, where, given, dtype, size, points)
    else:
        raise NotImplementedError(f"a scatter that combines by '{combine}'")
    if masks:
        made = graph.slice(made, [(0, 0, count, 1)])
    printer.tensors[one.name] = graph.reshape(made, shape)


def _apart(at: Value, points: int) -> bool:
    """Whether the positions are known, and no two the same."""
    return at.constant is not None and np.unique(at.constant).size == points


def _to(printer: Printer, name: str, have: DType, want: DType) -> str:
    return name if have == want else printer.graph.cast(name, want)


def _last(
    printer: Printer,
    flat: str,
    where: str,
    given: str,
    dtype: DType,
    count: int,
    points: int,
) -> str:
    """Of several values for one place the last wins, which ScatterND leaves open."""
    graph = printer.graph
    none = graph.expand(graph.constant(np.array(-1, np.int64)), [count])
    turn = graph.constant(np.arange(points, dtype=np.int64))
    last = graph.op("ScatterND", none, where, turn, reduction="max", since=18)
    zero = graph.constant(np.array(0, np.int64))
    taken = graph.op("Gather", given, graph.op("Max", last, zero), axis=0)
    written = Value(graph.op("GreaterOrEqual", last, zero), ("place",), BOOL)
    printer.order["place"] = len(printer.order)
    made = printer.where(
        written, Value(taken, ("place",), dtype), Value(flat, ("place",), dtype)
    )
    return printer.name(made)


# --- Recurrences ---------------------------------------------------------------------


def _recurrent(printer: Printer, one: Define) -> None:
    """Step after step along an axis; everything else is a tensor in each step."""
    (axis,) = (a for a in one.axes if a.name == one.recurrent)
    rest = tuple(a for a in one.axes if a is not axis)
    target = printer.program.tensor(one.name)
    printer.enter(())
    start, stop = printer.number(axis.start), printer.number(axis.stop)
    if start is None or stop is None:
        raise NotImplementedError("a recurrence over a range that depends on data")
    shape = [printer.extent(e) for e in target.shape]
    if one.name not in printer.tensors:
        zeros = printer.graph.constant(np.zeros((), target.dtype.numpy))
        printer.tensors[one.name] = printer.graph.expand(zeros, shape)
    if stop <= start:
        return
    if stop - start <= UNROLLED:
        for step in range(start, stop):
            masks = printer.enter(rest)
            printer.index[axis.name] = constant(step, (), INT64)
            _store(printer, one, masks)
        return
    _loop(printer, one, rest, axis.name, start, stop)


def _loop(
    printer: Printer,
    one: Define,
    rest: tuple[Axis, ...],
    variable: str,
    start: int,
    stop: int,
) -> None:
    """The recurrence as an ONNX Loop that carries the tensor."""
    graph = printer.graph
    step, going = graph.fresh("step"), graph.fresh("going")
    carried = graph.fresh(one.name)
    before = printer.tensors[one.name]
    graph.scopes.append(Scope())
    printer.tensors[one.name] = carried
    masks = printer.enter(rest)
    at = Value(step, (), INT64)
    if start:
        at = printer.prim("add", [at, constant(start, (), INT64)], INT64, INT64)
    printer.index[variable] = at
    _store(printer, one, masks)
    still = graph.op("Identity", going)
    body = graph.scopes.pop()
    after = graph.fresh(one.name)
    target = printer.program.tensor(one.name)
    shape = tuple(map(printer.extent, target.shape))
    inputs = (
        Port(step, INT64, ()),
        Port(going, BOOL, ()),
        Port(carried, target.dtype, shape),
    )
    last = Port(printer.tensors[one.name], target.dtype, shape)
    outputs = (Port(still, BOOL, ()), last)
    count = graph.constant(np.array(stop - start, np.int64))
    always = graph.constant(np.array(True))
    attribute = ("body", Body(tuple(body.nodes), inputs, outputs))
    loop = Node("Loop", (count, always, before), (after,), (attribute,))
    graph.scopes[-1].nodes.append(loop)
    printer.tensors[one.name] = after
