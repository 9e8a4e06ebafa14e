"""Scans by doubling strides, orders by TopK, and either at a position."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from opslib.codegen import onnx_folds as folds
from opslib.codegen.onnx_primitives import carrier
from opslib.codegen.onnx_value import Value, constant, transposed, union
from opslib.ir.dtypes import BOOL, INT32, INT64
from opslib.ir.expr import Axis, Expr, Index, Order, Scan

if TYPE_CHECKING:
    from opslib.codegen.onnx_printer import Printer


def scan(printer: Printer, node: Scan) -> Value:
    """A running fold at a position."""
    if printer.bind(node.axis) is not None:
        raise NotImplementedError("a scan over a ragged axis")
    graph, axis, monoid = printer.graph, node.axis.name, node.monoid
    values = folds.lifted(printer, monoid, node.args)
    axes = folds.spread(printer, Value("", union(values, printer.order), INT64), [axis])
    at, count = axes.index(axis), printer.length[axis]
    states = [Value(printer.full(v, axes), axes, v.dtype) for v in values]
    if monoid.name == "sum" and len(states) == 1 and count:
        carried = carrier(states[0].dtype)
        given = printer.cast(states[0], carried)
        where = graph.constant(np.array(at, np.int64))
        made = Value(graph.op("CumSum", given.name, where), axes, carried)
        states = [printer.cast(made, states[0].dtype)]
    else:
        states = _doubled(printer, node, states, at, count)
    table = folds.finished(printer, monoid, states, node.output)
    return _at(printer, table, node.axis, node.at)


def _doubled(
    printer: Printer, node: Scan, states: list[Value], at: int, count: int
) -> list[Value]:
    """Each element joined with that 1, 2, 4 ... places earlier."""
    graph, step = printer.graph, 1
    while step < count:
        before, after = (
            [
                Value(graph.slice(s.name, [(at, *span, 1)]), s.axes, s.dtype)
                for s in states
            ]
            for span in ((0, count - step), (step, count))
        )
        joined = folds.combined(printer, node.monoid, before, after)
        first = [graph.slice(s.name, [(at, 0, step, 1)]) for s in states]
        states = [
            Value(graph.concat([f, printer.name(j)], at), s.axes, s.dtype)
            for f, j, s in zip(first, joined, states, strict=True)
        ]
        step *= 2
    return states


def order(printer: Printer, node: Order) -> Value:
    """A sorted row, or the positions that sort it, at a position."""
    if printer.bind(node.axis) is not None:
        raise NotImplementedError("an order over a ragged axis")
    graph, axis = printer.graph, node.axis.name
    value = printer.emit(node.value)
    axes = folds.spread(printer, value, [axis])
    at, count = axes.index(axis), printer.length[axis]
    row = printer.full(value, axes)
    dtype = value.dtype
    carried = INT32 if dtype == BOOL else carrier(dtype)
    key = Value(row, axes, dtype)
    if dtype.name == "uint64":
        # Moved by half the range, so that int64 orders them alike.
        key = printer.cast(key, INT64)
        least = constant(-(1 << 63), (), INT64)
        key = printer.prim("add", [key, least], INT64, INT64)
    else:
        key = printer.cast(key, carried)
    largest = int(node.descending)
    length = graph.integers(count)
    # Of equal values TopK puts the first first, whichever way it sorts.
    options = {"axis": at, "largest": largest, "sorted": 1}
    places = graph.several("TopK", [key.name, length], 2, **options)[1]
    if dtype.is_float and printer.options.specials:
        # A nan compares with nothing: first the numbers, then what is none to the end.
        nan = graph.op("IsNaN", key.name)
        zero = graph.constant(np.zeros((), carried.numpy))
        clean = graph.op("Where", nan, zero, key.name)
        places = graph.several("TopK", [clean, length], 2, **options)[1]
        flags = graph.cast(nan, INT32)
        moved = graph.op("GatherElements", flags, places, axis=at)
        again = graph.several("TopK", [moved, length], 2, **options)[1]
        places = graph.op("GatherElements", places, again, axis=at)
    if node.output == 0:
        taken = graph.op("GatherElements", row, places, axis=at)
        return _at(printer, Value(taken, axes, dtype), node.axis, node.at)
    result = _at(printer, Value(places, axes, INT64), node.axis, node.at)
    start = constant(printer.dense[axis][0], (), INT64)
    if printer.dense[axis][0] == 0:
        return result
    return printer.prim("add", [result, start], INT64, INT64)


def _at(printer: Printer, table: Value, axis: Axis, at: Expr) -> Value:
    """`table` at a position of its `axis`, counted in the axis's own range."""
    graph, k = printer.graph, table.axes.index(axis.name)
    start, count = printer.dense[axis.name][0], printer.length[axis.name]
    if isinstance(at, Index) and at.name in printer.dense and at.name not in table.axes:
        low, length = printer.dense[at.name][0] - start, printer.length[at.name]
        if low >= 0 and low + length <= count:
            axes = (*table.axes[:k], at.name, *table.axes[k + 1 :])
            name = printer.name(table)
            if (low, length) != (0, count):
                name = graph.slice(name, [(k, low, low + length, 1)])
            return Value(name, axes, table.dtype)
    position = printer.emit(at)
    if start:
        position = printer.prim(
            "sub", [position, constant(start, (), INT64)], INT64, INT64
        )
    low_, high = (constant(n, (), INT64) for n in (0, max(count - 1, 0)))
    position = printer.prim("max", [position, low_], INT64, INT64)
    position = printer.prim("min", [position, high], INT64, INT64)
    rest = [a for a in table.axes if a != axis.name]
    name = printer.name(table)
    if not set(rest) & set(position.axes):
        made = graph.op("Gather", name, printer.name(position), axis=k)
        axes = (*table.axes[:k], *position.axes, *table.axes[k + 1 :])
        return Value(made, axes, table.dtype)
    # One position for each row, and perhaps for more: rows are spread over those.
    every = union([Value("", tuple(rest), INT64), position], printer.order)
    row = transposed(graph, Value(name, table.axes, table.dtype), [*rest, axis.name])
    wide = printer.align(Value(row.name, row.axes, row.dtype), (*every, axis.name))
    whole = graph.expand(wide.name, [*printer.shape(every), count])
    one = graph.unsqueeze(printer.full(position, every), [len(every)])
    taken = graph.op("GatherElements", whole, one, axis=len(every))
    squeezed = graph.op("Squeeze", taken, graph.integers(len(every)))
    return Value(squeezed, every, table.dtype)
