"""Folds: reductions, contractions, windows, and any monoid by halves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from opslib.codegen import onnx_windows
from opslib.codegen.onnx_primitives import carrier
from opslib.codegen.onnx_value import Value, constant, transposed, union
from opslib.ir.dtypes import BOOL, INT32, INT64, DType
from opslib.ir.expr import (
    Cast,
    Const,
    Expr,
    Fold,
    Index,
    Prim,
    Select,
    Var,
    free_indices,
    walk,
)
from opslib.ir.monoid import Monoid

if TYPE_CHECKING:
    from opslib.codegen.onnx_printer import Printer

_REDUCTIONS = {
    "sum": "ReduceSum",
    "prod": "ReduceProd",
    "max": "ReduceMax",
    "min": "ReduceMin",
    "any": "ReduceMax",
    "all": "ReduceMin",
    "count": "ReduceSum",
}
# Reduce* took its axes as an attribute before: the form used here is from opset 18 on.
_SINCE = 18


def fold(printer: Printer, node: Fold) -> Value:
    """The value of a fold."""
    masks = []
    for axis in node.axes:
        mask = printer.bind(axis)
        if mask is not None:
            masks.append(mask)
            printer.guards += 1
    try:
        return _fold(printer, node, masks)
    finally:
        printer.guards -= len(masks)


def _fold(printer: Printer, node: Fold, masks: list[Value]) -> Value:
    names = [a.name for a in node.axes]
    monoid = node.monoid
    if any(printer.length[n] == 0 for n in names):
        return finished(printer, monoid, identities(printer, monoid), node.output)
    if not masks:
        found = onnx_windows.pooling(printer, node)
        found = found or onnx_windows.convolution(printer, node)
        if found is None and monoid.name == "sum":
            found = _contraction(printer, node, names)
        if found is not None:
            return found
    if monoid.name in _REDUCTIONS and len(monoid.state) == 1:
        value = printer.emit(node.args[0])
        if masks:
            absent = False if monoid.name == "count" else monoid.identity[0].value
            value = masked(printer, value, masks, Const(absent, value.dtype))
        return reduction(printer, monoid, value, names)
    plain = monoid.name in ("argmax", "argmin") and len(names) == 1 and not masks
    if plain and node.args[1] is Index(names[0]) and printer.dense[names[0]][0] == 0:
        value = printer.emit(node.args[0])
        return _best(printer, monoid, value, names[0], node.output)
    return _generic(printer, node, names, masks)


def masked(
    printer: Printer, value: Value, masks: Sequence[Value], absent: Const
) -> Value:
    """`value` where all masks are true, else `absent`."""
    mask = masks[0]
    for other in masks[1:]:
        mask = printer.prim("and", [mask, other], BOOL, BOOL)
    return printer.where(mask, value, printer.emit(absent))


def spread(printer: Printer, value: Value, names: Sequence[str]) -> tuple[str, ...]:
    """The axes of `value`, those of `names` included."""
    everything = {*value.axes, *names}
    return tuple(sorted(everything, key=printer.order.__getitem__))


# --- Reductions ----------------------------------------------------------------------


def reduction(
    printer: Printer, monoid: Monoid, value: Value, names: list[str]
) -> Value:
    """``ReduceSum`` and its like, along the axes `names`."""
    graph, state = printer.graph, monoid.state[0]
    axes = spread(printer, value, names)
    places = [k for k, a in enumerate(axes) if a in names]
    kept = tuple(a for a in axes if a not in names)
    given = Value(printer.full(value, axes), axes, value.dtype)
    if not places:
        return printer.cast(given, monoid.finish[0].dtype)
    carried = carrier(state)
    if state == BOOL:
        carried = INT32
    given = printer.cast(given, carried)
    kind = _REDUCTIONS[monoid.name]
    where = graph.integers(*places)

    def reduced(kind: str, name: str) -> str:
        return graph.op(kind, name, where, keepdims=0, since=_SINCE)

    if monoid.name in ("max", "min") and state.name == "uint64":
        # Moved by half the range, so that int64 orders them alike.
        least = constant(-(1 << 63), (), INT64)
        given = printer.prim("add", [given, least], INT64, INT64)
        made = Value(reduced(kind, given.name), kept, INT64)
        made = printer.prim("add", [made, least], INT64, INT64)
        return printer.cast(made, state)
    name = reduced(kind, given.name)
    if state.is_float and monoid.name in ("max", "min") and printer.options.specials:
        # The standard does not say what a nan does; here it wins.
        nan = graph.cast(graph.op("IsNaN", given.name), INT32)
        any_nan = graph.cast(reduced("ReduceMax", nan), BOOL)
        lost = graph.constant(np.array(np.nan, carried.numpy))
        name = graph.op("Where", any_nan, lost, name)
    return printer.cast(Value(name, kept, carried), state)


def _best(
    printer: Printer, monoid: Monoid, value: Value, name: str, output: int
) -> Value:
    """The first of the largest (smallest), or its position; a nan beats all."""
    graph = printer.graph
    largest = monoid.name == "argmax"
    axes = spread(printer, value, [name])
    at, kept = axes.index(name), tuple(a for a in axes if a != name)
    dtype = INT32 if value.dtype == BOOL else value.dtype
    carried = carrier(dtype)
    given = printer.cast(Value(printer.full(value, axes), axes, value.dtype), carried)
    if value.dtype.name == "uint64":
        given = printer.prim(
            "add", [given, constant(-(1 << 63), (), INT64)], INT64, INT64
        )
    options = {"axis": at, "keepdims": 0, "select_last_index": 0}
    kind = "ArgMax" if largest else "ArgMin"
    place = graph.op(kind, given.name, **options)
    if value.dtype.is_float and printer.options.specials:
        nan = graph.cast(graph.op("IsNaN", given.name), INT32)
        where = graph.integers(at)
        some = graph.op("ReduceMax", nan, where, keepdims=0, since=_SINCE)
        first = graph.op("ArgMax", nan, **options)
        worst = constant(-np.inf if largest else np.inf, (), carried)
        clean = graph.op(
            "Where", graph.cast(nan, BOOL), printer.name(worst), given.name
        )
        place = graph.op(kind, clean, **options)
        place = graph.op("Where", graph.cast(some, BOOL), first, place)
    if output == 0:
        return Value(place, kept, INT64)
    one = graph.unsqueeze(place, [at])
    whole = printer.full(value, axes)
    taken = graph.op("GatherElements", whole, one, axis=at)
    return Value(graph.op("Squeeze", taken, graph.integers(at)), kept, value.dtype)


# --- Contractions --------------------------------------------------------------------


def _factors(node: Expr) -> list[Expr]:
    if isinstance(node, Prim) and node.op == "mul":
        return [f for a in node.args for f in _factors(a)]
    return [node]


def _contraction(printer: Printer, node: Fold, names: list[str]) -> Value | None:
    """A sum of products as MatMul, where the product would be larger."""
    dtype = node.args[0].dtype
    factors = _factors(node.args[0])
    if len(factors) < 2 or not all(map(free_indices, factors)):
        return None
    groups: list[Value] = []
    for value in map(printer.emit, factors):
        for k, group in enumerate(groups):
            if set(value.axes) <= set(group.axes) or set(group.axes) <= set(value.axes):
                groups[k] = printer.prim("mul", [group, value], dtype, dtype)
                break
        else:
            groups.append(value)
    if len(groups) < 2 or not set(names) <= set(union(groups, printer.order)):
        return None
    while len(groups) > 2:
        last = groups.pop()
        groups[-1] = printer.prim("mul", [groups[-1], last], dtype, dtype)
    return _product(printer, groups[0], groups[1], names, dtype)


def _product(
    printer: Printer, a: Value, b: Value, names: list[str], dtype: DType
) -> Value:
    """``sum(a * b)`` over `names`, as one MatMul of matrices in a batch."""
    graph, order = printer.graph, printer.order
    adder = Monoid("sum", (dtype,), (), (), (), (Var("s0", dtype),))
    alone = [
        [n for n in names if n in x.axes and n not in y.axes]
        for x, y in ((a, b), (b, a))
    ]
    if alone[0]:
        a = reduction(printer, adder, a, alone[0])
    if alone[1]:
        b = reduction(printer, adder, b, alone[1])

    def sorted_(some: set[str]) -> list[str]:
        return sorted(some, key=order.__getitem__)

    summed = sorted_({*names} & {*a.axes} & {*b.axes})
    if not summed:
        return printer.prim("mul", [a, b], dtype, dtype)
    own = [sorted_({*x.axes} - {*y.axes}) for x, y in ((a, b), (b, a))]
    if own[0] and own[1] and order[own[0][-1]] > order[own[1][-1]]:
        a, b, own = b, a, own[::-1]
    rows, columns = own
    batch = sorted_(({*a.axes} & {*b.axes}) - {*summed})
    carried = carrier(dtype)
    parts = []
    axes = (*batch, *rows, *columns)
    # MatMul takes a matrix on the right for every row of what stands on the left.
    plain = not batch and len(columns) == len(summed) == 1
    for value, lead, last in ((a, rows, summed), (b, summed, columns)):
        value = printer.cast(value, carried)
        moved = transposed(graph, value, [*batch, *lead, *last])
        matrix = printer.name(moved)
        if not plain:
            matrix = _matrix(printer, moved, batch, lead, last)
        parts.append(matrix)
    name = graph.op("MatMul", *parts)
    if not plain and (len(rows) != 1 or len(columns) != 1):
        name = graph.reshape(name, printer.shape(axes))
    return printer.cast(Value(name, axes, carried), dtype)


def _matrix(
    printer: Printer, value: Value, batch: list[str], rows: list[str], last: list[str]
) -> str:
    name = printer.name(value)
    if len(rows) == 1 and len(last) == 1:
        return name
    sides = [int(np.prod(printer.shape(tuple(s)))) for s in (rows, last)]
    return printer.graph.reshape(name, [*printer.shape(tuple(batch)), *sides])


# --- Any monoid ----------------------------------------------------------------------


def _generic(
    printer: Printer, node: Fold, names: list[str], masks: list[Value]
) -> Value:
    monoid = node.monoid
    values = lifted(printer, monoid, node.args)
    if masks:
        values = [
            masked(printer, v, masks, i)
            for v, i in zip(values, monoid.identity, strict=True)
        ]
    everything = {a for v in values for a in v.axes} | {*names}
    kept = tuple(sorted(everything - {*names}, key=printer.order.__getitem__))
    count = int(np.prod(printer.shape(tuple(names))))
    states = []
    for v in values:
        whole = printer.full(v, (*kept, *names))
        whole = printer.graph.reshape(whole, [*printer.shape(kept), count])
        states.append(Value(whole, (*kept, names[0]), v.dtype))
    return finished(
        printer, monoid, _halved(printer, monoid, states, kept, count), node.output
    )


def _halved(
    printer: Printer,
    monoid: Monoid,
    states: list[Value],
    kept: tuple[str, ...],
    count: int,
) -> list[Value]:
    """Joins neighbours along the last axis until one is left."""
    graph, at = printer.graph, len(kept)
    while count > 1:
        even, odd = (
            [
                Value(
                    graph.slice(s.name, [(at, first, count - (count % 2), 2)]),
                    s.axes,
                    s.dtype,
                )
                for s in states
            ]
            for first in (0, 1)
        )
        joined = combined(printer, monoid, even, odd)
        names = [printer.name(j) for j in joined]
        if count % 2:
            rests = [graph.slice(s.name, [(at, count - 1, count, 1)]) for s in states]
            names = [
                graph.concat([n, r], at) for n, r in zip(names, rests, strict=True)
            ]
        states = [Value(n, s.axes, s.dtype) for n, s in zip(names, states, strict=True)]
        count = (count + 1) // 2
    return [
        Value(graph.op("Squeeze", s.name, graph.integers(at)), kept, s.dtype)
        for s in states
    ]


def identities(printer: Printer, monoid: Monoid) -> list[Value]:
    """The state of nothing."""
    return [printer.emit(c) for c in monoid.identity]


def lifted(printer: Printer, monoid: Monoid, args: Sequence[Expr]) -> list[Value]:
    """Arguments as states."""
    given = {f"x{i}": printer.emit(a) for i, a in enumerate(args)}
    return [template(printer, t, given) for t in monoid.lift]


def combined(
    printer: Printer, monoid: Monoid, earlier: Sequence[Value], later: Sequence[Value]
) -> list[Value]:
    """Two states joined."""
    given = {f"a{i}": v for i, v in enumerate(earlier)}
    given |= {f"b{i}": v for i, v in enumerate(later)}
    return [template(printer, t, given) for t in monoid.combine]


def finished(
    printer: Printer, monoid: Monoid, states: Sequence[Value], output: int
) -> Value:
    """One of the values of a state."""
    given = {f"s{i}": v for i, v in enumerate(states)}
    return template(printer, monoid.finish[output], given)


def template(printer: Printer, root: Expr, given: dict[str, Value]) -> Value:
    """A monoid's template, with its placeholders given."""
    for node in walk(root):
        if isinstance(node, Var):
            printer.memo[node, False] = printer.memo[node, True] = given[node.name]
        elif isinstance(node, Prim | Cast | Select):
            for guarded in (False, True):
                printer.memo.pop((node, guarded), None)
    return printer.emit(root)
