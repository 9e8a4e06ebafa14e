"""Scans as running forms, orders as stable sorts, and either at a position."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opslib.codegen import array_integers as integers
from opslib.codegen.array_code import Code, call, infix, name, subscript
from opslib.codegen.array_folds import (
    bind,
    combiner,
    constants,
    finished,
    lifted,
    permuted,
)
from opslib.codegen.array_value import Value, shape_code, union
from opslib.ir.expr import Axis, Expr, Index, Order, Scan

if TYPE_CHECKING:
    from opslib.codegen.array_printer import Printer


def scan(printer: Printer, node: Scan) -> Value:
    """A running fold at a position."""
    bind(printer, node.axis)
    axis = node.axis.name
    monoid = node.monoid
    values = lifted(printer, monoid, node.args)
    axes = union([*values, Value(name(axis), (axis,))], printer.order)
    position = axes.index(axis)
    running = printer.dialect.cumulative.get(monoid.name)
    if running is not None and len(monoid.state) == 1:
        if running in ("cummax", "cummin"):
            running = printer.helper(running)
        args: list[Code | str] = [printer.full(values[0], axes)]
        args.append(f"axis={position}" if position < len(axes) - 1 else "axis=-1")
        state = monoid.state[0]
        if state.is_integer and state.bits < 64 and monoid.name in ("sum", "prod"):
            args.append(f"dtype={printer.dtype(state)}")
        table = Value(call(running, *args), axes)
    else:
        states = shape_code([printer.full(v, axes) for v in values])
        combine, identity = combiner(printer, monoid), constants(printer, monoid)
        where = name(str(position))
        code = call(printer.helper("scan"), combine, identity, states, where)
        table = finished(printer, monoid, code, axes, node.output)
    return _at(printer, table, node.axis, node.at)


def order(printer: Printer, node: Order) -> Value:
    """A sorted row, or the positions that sort it, at a position."""
    mask = bind(printer, node.axis)
    axis = node.axis.name
    if mask is not None:
        raise NotImplementedError("an order over a ragged axis")
    value = printer.strong(printer.emit(node.value), node.value.dtype)
    axes = union([value, Value(name(axis), (axis,))], printer.order)
    row = printer.full(value, axes)
    position = axes.index(axis)
    at = f"axis={position}" if position < len(axes) - 1 else "axis=-1"
    how: list[Code | str] = [row, at]
    if node.descending:
        how.append("descending=True")
    positions = call(printer.helper("argsort"), *how)
    table = Value(positions, axes)
    if node.output == 0:
        taken = call(f"{printer.module}.take_along_axis", row, positions, at)
        table = Value(taken, axes)
    result = _at(printer, table, node.axis, node.at)
    if node.output == 1 and integers.polynomial(node.axis.start) != {}:
        start = printer.integer(node.axis.start)
        result = Value(infix("+", 6, result.code, start), result.axes)
    return result


def _at(printer: Printer, table: Value, axis: Axis, at: Expr) -> Value:
    """`table` at a position of its `axis`, counted in the axis's own range."""
    k = table.axes.index(axis.name)
    if isinstance(at, Index) and at.name in printer.dense:
        here, there = printer.dense[axis.name], printer.dense[at.name]
        same_start = integers.polynomial(here[0]) == integers.polynomial(there[0])
        if same_start and at.name not in table.axes:
            axes = list(table.axes)
            axes[k] = at.name
            lengths = [integers.polynomial(e[1]) for e in (here, there)]
            code = table.code
            if lengths[0] != lengths[1]:
                last = printer.extents[at.name].text
                code = subscript(code, [*([":"] * k), f":{last}"])
            return Value(code, tuple(axes))
    position = printer.emit(at)
    start = printer.integer(axis.start)
    if start.text != "0":
        position = Value(infix("-", 6, position.code, start), position.axes)
    rest = [a for a in table.axes if a != axis.name]
    if not set(rest) & set(position.axes):
        code = call(printer.helper("clipped"), table.code, position.code, *_axis(k))
        before, after = table.axes[:k], table.axes[k + 1 :]
        return Value(code, (*before, *position.axes, *after))
    every = union([Value(name(""), tuple(rest)), position], printer.order)
    moved = permuted(printer, table, [*rest, axis.name])
    steps = [
        Value(call(f"{printer.module}.arange", printer.extents[a]), (a,)) for a in rest
    ]
    points = [printer.align(p, every) for p in (*steps, position)]
    return Value(call(printer.helper("clipped"), moved.code, *points), every)


def _axis(k: int) -> list[str]:
    return [f"axis={k}"] if k else []
