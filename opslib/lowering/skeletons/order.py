"""Sorted rows: values and positions, made where the first of them is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from opslib.ir.dtypes import INT64, compute_type
from opslib.ir.expr import (
    ONE,
    ZERO,
    Axis,
    Cast,
    Const,
    Expr,
    Order,
    Read,
    Var,
    free_indices,
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
    """Emits the sorted row of `node`; gives the name of the row asked for as a Var."""
    builder = body.builder
    pair = ("order", node.axis, node.value, node.descending)
    found = body.known.get(pair)
    if found is None:
        ((value,), axis), length = opened(body, node.axis, (node.value,))
        dtype = compute_type(node.value.dtype)
        values = builder.allocate("ordered", dtype, (length,), not body.parallel)
        places = builder.allocate("places", INT64, (length,), not body.parallel)
        body.statements += (Alloc(values), Alloc(places))
        vector = not body.vector
        inner = body.within((axis.name,), vector=vector)
        spot = (arith.sub(axis.index, axis.start),)
        inner.statements.append(Store(values.name, spot, inner.lower(value)))
        body.statements.append(
            For(axis, "vector" if vector else "serial", tuple(inner.statements))
        )
        limit = _limit(node, axis)
        scratch = builder.allocate("scratch", dtype, (length,), not body.parallel)
        others = builder.allocate("scratch", INT64, (length,), not body.parallel)
        body.statements += (Alloc(scratch), Alloc(others))
        kind = _SHORT[dtype.name]
        body.statements.append(
            Intrinsic(
                f"sort_{kind}",
                f"ops_sort_{kind}({{0}}, {{1}}, {{2}}, {{3}}, {{4}}, {{5}}, {{6}})",
                (
                    Place(values.name, (ZERO,), True),
                    Place(places.name, (ZERO,), True),
                    Place(scratch.name, (ZERO,), True),
                    Place(others.name, (ZERO,), True),
                    arith.extent(axis),
                    limit,
                    ONE if node.descending else ZERO,
                ),
                sort_meaning,
                ("opslib_order.h",),
            )
        )
        found = Var(values.name, dtype)
        body.known[pair] = found
        body.known[(pair, 1)] = Var(places.name, INT64)
    return body.known[(pair, 1)] if node.output else found


def best(body: Body, monoid: Monoid, axis: Axis, value: Expr) -> tuple[Expr, ...]:
    """Argmax or argmin of a row: its value, and its position (-1 of an empty row)."""
    builder = body.builder
    inner = body.within((axis.name,), vector=True)
    value = inner.lower(value)
    dtype = compute_type(value.dtype)
    buffer = builder.buffers.get(value.tensor) if isinstance(value, Read) else None
    place: Place | None = None
    if buffer is not None and buffer.dtype == dtype and not inner.statements:
        assert isinstance(value, Read)
        free = [axis.name in free_indices(i) for i in value.indices]
        contiguous = buffer.strides and buffer.strides[-1] is ONE
        if contiguous and value.indices[-1] is axis.index and sum(free) == 1:
            place = Place(value.tensor, (*value.indices[:-1], axis.start))
    start = body.let("first", axis.start)
    if place is None:
        length = arith.upper_extent(axis)
        shape = arith.extent(axis) if length is None else length
        row_of = builder.allocate("row", dtype, (shape,), not body.parallel)
        body.statements.append(Alloc(row_of))
        spot = (arith.sub(axis.index, start),)
        inner.statements.append(Store(row_of.name, spot, value))
        body.statements.append(
            For(Axis(axis.name, start, axis.stop), "vector", tuple(inner.statements))
        )
        place = Place(row_of.name, (ZERO,))
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


def _limit(node: Order, axis: Axis) -> Expr:
    """How many of the first elements are asked for; all, unless `at` says fewer."""
    return node.at if isinstance(node.at, Const) else arith.extent(axis)


def sort_meaning(
    values: Any,
    places: Any,
    scratch: Any,
    others: Any,
    count: int,
    limit: int,
    descending: int,
) -> None:
    """What ``ops_sort_D`` leaves: sorted values, positions; stable, nan as in NumPy."""
    del scratch, others, limit
    n = int(count)
    given = np.array(values[:n])
    nan = given != given
    if descending:
        # nan first, equal ones in their old order.
        order = np.concatenate(
            (np.flatnonzero(nan), np.flatnonzero(~nan)[_descending(given[~nan])])
        )
    else:
        order = np.argsort(given, kind="stable")
    values[:n] = given[order]
    places[:n] = order


def _descending(given: Any) -> Any:
    count = len(given)
    backwards = np.argsort(given[::-1], kind="stable")[::-1]
    return count - 1 - backwards
