"""Copies into panels and row tiles as loops: implicit im2col, fused producers.

A plain strided read becomes one call of a packing function. Anything computed (a
guarded window, a scaled or masked operand, axes that do not merge) becomes loops: the
deep axis outside, then pieces in which the lane axis is linear, then panels, then a
vector loop over lanes, which stores contiguously. Guards of the form ``0 <= i + c < n``
are turned into ranges, so the inner loop of a convolution copies without a test.
"""

from __future__ import annotations

from dataclasses import dataclass

from opslib.ir.dtypes import BOOL, INT64, DType
from opslib.ir.expr import (
    ONE,
    ZERO,
    Axis,
    Cast,
    Const,
    Expr,
    Index,
    Prim,
    Read,
    Scalar,
    Var,
    substitute,
    walk,
)
from opslib.ir.loops import Buffer, For, If, Let, Place, Statement, Store
from opslib.lowering.hoisting import Fresh, clipped, hoisted, split, wrapped
from opslib.lowering.simplify import simplified
from opslib.lowering.skeletons.arith import (
    add,
    affine,
    ceildiv,
    floordiv,
    integer,
    least,
    less,
    most,
    mul,
    sub,
)


@dataclass(frozen=True, slots=True)
class Plain:
    """An operand that is one strided matrix: element (i, l) at base + i*row + l*step."""

    place: Place
    dtype: DType
    row: Expr
    step: Expr


def plain(value: Expr, lane: str, deep: str, buffers: dict[str, Buffer]) -> Plain | None:
    """`value` as a strided matrix over the two index variables, or None."""
    read = value.value if isinstance(value, Cast) else value
    if not (isinstance(read, Read) and read.tensor in buffers):
        return None
    buffer = buffers[read.tensor]
    row: Expr = ZERO
    step: Expr = ZERO
    base = []
    for index, stride in zip(read.indices, buffer.strides, strict=True):
        by_lane = affine(index, lane)
        by_deep = None if by_lane is None else affine(by_lane[1], deep)
        if by_lane is None or by_deep is None:
            return None
        if any(isinstance(n, Index) and n.name == deep for n in walk(by_lane[0])):
            return None
        row = add(row, mul(by_lane[0], stride))
        step = add(step, mul(by_deep[0], stride))
        base.append(by_deep[1])
    return Plain(Place(buffer.name, tuple(base)), buffer.dtype, row, step)


@dataclass(frozen=True, slots=True)
class Target:
    """Where packed elements go.

    Attributes:
        buffer: panels (a row of the buffer is one depth of one panel), or, with unit
            0, a row tile whose rows are lanes.
        unit: lanes of a panel.
        depth: how deep the panels are, as packed.
        dtype: of the elements.
    """

    buffer: str
    unit: int
    depth: Expr
    dtype: DType


def copied(
    value: Expr, lane: Axis, deep: Axis, target: Target, fresh: Fresh
) -> list[Statement]:
    """Loops that store `value` for all lanes and depths."""
    steps = _unit_steps(value, lane.name if target.unit else deep.name)
    if not steps:
        return _copied(value, lane, deep, target, fresh)
    one: Expr = Const(True, BOOL)
    for s in steps:
        one = Prim("and", (one, Prim("eq", (s, ONE), BOOL)), BOOL)
    special = substitute(value, {s: ONE for s in steps})
    return [
        If(
            simplified(one),
            tuple(_copied(simplified(special), lane, deep, target, fresh)),
            tuple(_copied(value, lane, deep, target, fresh)),
        )
    ]


def _unit_steps(value: Expr, inner: str) -> list[Expr]:
    """Run-time factors of the inner variable in reads: a stride that is 1 as a rule."""
    found: dict[Expr, None] = {}
    for n in walk(value):
        if isinstance(n, Prim) and n.op == "mul":
            a, b = n.args
            for x, y in ((a, b), (b, a)):
                if isinstance(y, Scalar) and any(
                    isinstance(m, Index) and m.name == inner for m in walk(x)
                ):
                    found[y] = None
    return list(found)


def _copied(
    value: Expr, lane: Axis, deep: Axis, target: Target, fresh: Fresh
) -> list[Statement]:
    if not target.unit:
        return _rows(value, lane, deep, target, fresh)
    lets, moved = hoisted(value, lane.name, fresh)
    part = split([moved], lane.name, lane.stop, fresh)
    inner = part.rewrite(moved)
    more, inner = hoisted(inner, lane.name, fresh)
    body: list[Statement] = list(more)
    body += _ranges(inner, lane.name, part.low, part.high, deep, target, fresh)
    whole = [*lets, *wrapped(part, body), *_padding(lane, deep, target, fresh)]
    return [For(deep, "serial", tuple(whole))]


def _rows(
    value: Expr, lane: Axis, deep: Axis, target: Target, fresh: Fresh
) -> list[Statement]:
    """A row tile: lanes outside, the deep axis is the vector loop."""
    lets, moved = hoisted(value, deep.name, fresh)
    part = split([moved], deep.name, deep.stop, fresh)
    more, inner = hoisted(part.rewrite(moved), deep.name, fresh)
    store = Store(target.buffer, (lane.index, deep.index), _as(inner, target.dtype))
    loop = For(Axis(deep.name, part.low, part.high), "vector", (store,))
    return [For(lane, "serial", (*lets, *wrapped(part, [*more, loop])))]


def _as(value: Expr, dtype: DType) -> Expr:
    return value if value.dtype == dtype else Cast(value, dtype)


def _ranges(
    value: Expr, lane: str, low: Expr, high: Expr, deep: Axis, target: Target, fresh: Fresh
) -> list[Statement]:
    cut = clipped(value, lane, low, high)
    if cut is None:
        return _stores(value, lane, low, high, deep, target, fresh)
    first, last = fresh("first"), fresh("last")
    begin, end = Var(first, INT64), Var(last, INT64)
    statements: list[Statement] = [Let(first, cut.low), Let(last, cut.high)]
    before = _stores(cut.fill, lane, low, begin, deep, target, fresh)
    inside = _stores(cut.value, lane, begin, end, deep, target, fresh)
    after = _stores(cut.fill, lane, end, high, deep, target, fresh)
    return [
        *statements,
        If(less(low, begin), tuple(before)),
        If(less(begin, end), tuple(inside)),
        If(less(end, high), tuple(after)),
    ]


def _stores(
    value: Expr, lane: str, low: Expr, high: Expr, deep: Axis, target: Target, fresh: Fresh
) -> list[Statement]:
    """``panels[lane] = value`` for low <= lane < high."""
    unit = integer(target.unit)
    panel, t = Index(fresh("panel")), Index(fresh("t"))
    base = mul(panel, unit)
    body = _as(substitute(value, {Index(lane): add(base, t)}), target.dtype)
    store = Store(target.buffer, (add(mul(panel, target.depth), deep.index), t), body)
    loop = For(
        Axis(t.name, most(sub(low, base), ZERO), least(sub(high, base), unit)),
        "vector",
        (store,),
    )
    panels = Axis(panel.name, floordiv(low, unit), ceildiv(high, unit))
    return [For(panels, "serial", (loop,))]


def _padding(lane: Axis, deep: Axis, target: Target, fresh: Fresh) -> list[Statement]:
    """Zeros in the lanes that fill up the last panel."""
    unit = integer(target.unit)
    zero = Const(0.0 if target.dtype.is_float else 0, target.dtype)
    full = mul(ceildiv(lane.stop, unit), unit)
    stores = _stores(zero, lane.name, lane.stop, full, deep, target, fresh)
    return [If(less(lane.stop, full), tuple(stores))]
