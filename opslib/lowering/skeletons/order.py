"""Sorted rows: values and positions, made where the first of them is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from opslib.ir.dtypes import INT64, compute_type
from opslib.ir.expr import ONE, ZERO, Axis, Const, Expr, Order, Var
from opslib.ir.loops import Alloc, For, Intrinsic, Place, Store
from opslib.lowering.skeletons import arith
from opslib.lowering.skeletons.builder import Body
from opslib.lowering.skeletons.scan import opened

# The C names of element types, as in native/opslib_simd.h.
_SHORT = {
    "bool": "u8", "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64",
    "uint8": "u8", "uint16": "u16", "uint32": "u32", "uint64": "u64",
    "float16": "f32", "bfloat16": "f32", "float32": "f32", "float64": "f64",
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


def _limit(node: Order, axis: Axis) -> Expr:
    """How many of the first elements are asked for; all, unless `at` says fewer."""
    return node.at if isinstance(node.at, Const) else arith.extent(axis)


def sort_meaning(
    values: Any, places: Any, scratch: Any, others: Any,
    count: int, limit: int, descending: int,
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
