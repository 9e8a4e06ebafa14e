"""Sorted rows: values and positions, made where the first of them is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from opslib.ir.dtypes import INT64, UINT64, compute_type
from opslib.ir.expr import (
    ONE,
    ZERO,
    Axis,
    Cast,
    Expr,
    Fold,
    Index,
    Order,
    Program,
    Read,
    Scan,
    Var,
    free_indices,
    walk,
)
from opslib.ir.loops import (
    Alloc,
    Assign,
    Buffer,
    Declare,
    For,
    If,
    Intrinsic,
    Place,
    Statement,
    Store,
)
from opslib.ir.monoid import Monoid
from opslib.ir.printer import rename
from opslib.lowering.skeletons import arith
from opslib.lowering.skeletons.builder import Body
from opslib.lowering.skeletons.scan import opened

# The C names of element types, as in native/opslib_simd.h.
_SHORT = {
    "bool": "u8",
    "int8": "i8",
    "int16": "i16",
    "int32": "i32",
    "int64": "i64",
    "uint8": "u8",
    "uint16": "u16",
    "uint32": "u32",
    "uint64": "u64",
    "float16": "f16",
    "bfloat16": "bf16",
    "float32": "f32",
    "float64": "f64",
}


def row(body: Body, node: Order) -> Expr:
    """Emits the ordered row of `node`; gives the name of the row asked for as a Var.

    Only the ranks that the program asks for are there.
    """
    builder = body.builder
    # Values and positions have each an index of their own for the same row.
    pair = (
        "order",
        *(node.axis.start, node.axis.stop, node.descending),
        rename(node.value, {node.axis.name: "ordered"}),
    )
    found = body.known.get(pair)
    if found is None:
        ((value,), axis), length = opened(body, node.axis, (node.value,))
        given = _row_in_memory(body, axis, value, length)
        dtype = compute_type(value.dtype)
        values = builder.allocate("ordered", dtype, (length,), not body.parallel)
        places = builder.allocate("places", INT64, (length,), not body.parallel)
        work = (arith.mul(arith.integer(4), length),)
        words = builder.allocate("words", UINT64, work, not body.parallel)
        body.statements += (Alloc(values), Alloc(places), Alloc(words))
        first, last = _ranks(builder.program) or (ZERO, arith.extent(axis))
        kind = _SHORT[dtype.name]
        body.statements.append(
            Intrinsic(
                f"order_{kind}",
                f"ops_order_{kind}"
                "({0}, {1}, {2}, {3}, {4}, {5}, {6}, {7})",
                (
                    given,
                    *(Place(b.name, (ZERO,), True) for b in (values, places, words)),
                    arith.extent(axis),
                    first,
                    last,
                    ONE if node.descending else ZERO,
                ),
                order_meaning,
                ("opslib_order.h",),
            )
        )
        found = Var(values.name, dtype)
        body.known[pair] = found
        body.known[(pair, 1)] = Var(places.name, INT64)
    return body.known[(pair, 1)] if node.output else found


def _row_in_memory(body: Body, axis: Axis, value: Expr, length: Expr) -> Place:
    """Where the values along `axis` lie side by side: there already, or copied."""
    builder = body.builder
    vector = not body.vector
    inner = body.within((axis.name,), vector=vector)
    value = inner.lower(value)
    dtype = compute_type(value.dtype)
    buffer = builder.buffers.get(value.tensor) if isinstance(value, Read) else None
    if buffer is not None and buffer.dtype == dtype and not inner.statements:
        assert isinstance(value, Read)
        free = [axis.name in free_indices(i) for i in value.indices]
        contiguous = buffer.strides and buffer.strides[-1] is ONE
        if contiguous and value.indices[-1] is axis.index and sum(free) == 1:
            return Place(value.tensor, (*value.indices[:-1], axis.start))
    row_of = builder.allocate("row", dtype, (length,), not body.parallel)
    body.statements.append(Alloc(row_of))
    spot = (arith.sub(axis.index, axis.start),)
    inner.statements.append(Store(row_of.name, spot, value))
    body.statements.append(
        For(axis, "vector" if vector else "serial", tuple(inner.statements))
    )
    return Place(row_of.name, (ZERO,))


def best(body: Body, monoid: Monoid, axis: Axis, value: Expr) -> tuple[Expr, ...]:
    """Argmax or argmin of a row: its value, and its position (-1 of an empty row)."""
    builder = body.builder
    dtype = compute_type(value.dtype)
    start = body.let("first", axis.start)
    length = arith.upper_extent(axis)
    shape = arith.extent(axis) if length is None else length
    place = _row_in_memory(body, Axis(axis.name, start, axis.stop), value, shape)
    found = [
        Buffer(builder.fresh(base), t, (ONE,), (ONE,), "stack")
        for base, t in (("best", dtype), ("best_at", INT64))
    ]
    names = tuple(builder.fresh(base) for base in ("value", "position"))
    run: list[Statement] = []
    for b in found:
        builder.buffers[b.name] = b
        run.append(Alloc(b))
    kind = _SHORT[dtype.name]
    run.append(
        Intrinsic(
            f"{monoid.name}_{kind}",
            f"ops_{monoid.name}_{kind}({{0}}, {{1}}, {{2}}, {{3}})",
            (
                place,
                arith.sub(axis.stop, start),
                *(Place(b.name, (ZERO,), True) for b in found),
            ),
            argmax_meaning if monoid.name == "argmax" else argmin_meaning,
            ("opslib_row.h",),
        )
    )
    reads: tuple[Expr, ...] = tuple(Read(b.name, (ZERO,), b.dtype) for b in found)
    if dtype != monoid.state[0]:
        reads = (Cast(reads[0], monoid.state[0]), reads[1])
    run.append(Assign(names, (reads[0], arith.add(reads[1], start))))
    for name, identity in zip(names, monoid.identity, strict=True):
        body.statements.append(Declare(name, identity))
    body.statements.append(If(arith.less(start, axis.stop), tuple(run)))
    return tuple(map(Var, names, monoid.state))


def argmax_meaning(row: Any, count: int, value: Any, at: Any) -> None:
    """What ``ops_argmax_D`` leaves: the first of the largest, or the first nan."""
    row = row[(0,) * (row.ndim - 1)]
    at[0] = np.argmax(row[: int(count)])
    value[0] = row[int(at[0])]


def argmin_meaning(row: Any, count: int, value: Any, at: Any) -> None:
    """As `argmax_meaning`, for the smallest."""
    row = row[(0,) * (row.ndim - 1)]
    at[0] = np.argmin(row[: int(count)])
    value[0] = row[int(at[0])]


def _ranks(program: Program) -> tuple[Expr, Expr] | None:
    """The first rank that any Order of the program asks for, and the end of them.

    None if that depends on more than sizes and attributes.
    """
    found: tuple[Expr, Expr] | None = None
    for define in program.defines:
        axes = {a.name: a for a in define.axes}
        roots = (define.value, *define.axes, *define.indices)
        inside: set[str] = set()
        for n in walk(*roots):
            if isinstance(n, Fold):
                inside.update(a.name for a in n.axes)
            elif isinstance(n, Scan | Order):
                inside.add(n.axis.name)
        for n in walk(*roots):
            if not isinstance(n, Order):
                continue
            span = n.at, arith.add(n.at, ONE)
            if isinstance(n.at, Index):
                if n.at.name not in axes or n.at.name in inside:
                    return None
                span = axes[n.at.name].start, axes[n.at.name].stop
            if any(map(arith.varies, span)):
                return None
            found = span if found is None else _joined(found, span)
    return found


def _joined(a: tuple[Expr, Expr], b: tuple[Expr, Expr]) -> tuple[Expr, Expr]:
    if a[0] is b[0] and a[1] is b[1]:
        return a
    return arith.least(a[0], b[0]), arith.most(a[1], b[1])


def order_meaning(
    row: Any,
    values: Any,
    places: Any,
    words: Any,
    count: int,
    first: int,
    last: int,
    descending: int,
) -> None:
    """What ``ops_order_D`` leaves: values and positions of some ranks; stable.

    A nan is as in NumPy: last, and so first when descending.
    """
    del words
    n = int(count)
    given = np.array(row[(0,) * (row.ndim - 1)][:n])
    nan = given != given
    if descending:
        # nan first, equal ones in their old order.
        order = np.concatenate(
            (np.flatnonzero(nan), np.flatnonzero(~nan)[_descending(given[~nan])])
        )
    else:
        order = np.argsort(given, kind="stable")
    asked = slice(max(int(first), 0), min(int(last), n))
    values[asked] = given[order[asked]]
    places[asked] = order[asked]


def _descending(given: Any) -> Any:
    count = len(given)
    backwards = np.argsort(given[::-1], kind="stable")[::-1]
    return count - 1 - backwards
