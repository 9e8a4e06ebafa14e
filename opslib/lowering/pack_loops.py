"""Copies into panels and row tiles as loops: implicit im2col, fused producers.

A plain strided read becomes one call of a packing function. Anything computed (a
guarded window, a scaled or masked operand, axes that do not merge) becomes loops: the
deep axis outside, then pieces in which the lane axis is linear. A piece is one vector
loop into a line of all lanes, in L1; the line is then cut into panels. (Straight into
the panels, pieces of 32 lanes or less cost three times as much.) Guards of the form
``0 <= i + c < n`` become ranges, so a convolution's inner loop copies without a test.
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
from opslib.ir.loops import Alloc, Buffer, For, If, Let, Place, Statement, Store
from opslib.lowering.hoisting import (
    Fresh,
    Split,
    clipped,
    hoisted,
    split,
    wrapped,
)
from opslib.lowering.simplify import simplified
from opslib.lowering.skeletons.arith import (
    add,
    affine,
    ceildiv,
    integer,
    mul,
)


@dataclass(frozen=True, slots=True)
class Plain:
    """One strided matrix: element (i, l) at place + i * row + l * step."""

    place: Place
    dtype: DType
    row: Expr
    step: Expr


def plain(
    value: Expr, lane: str, deep: str, buffers: dict[str, Buffer]
) -> Plain | None:
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
        lanes: how many lanes there may be, free of loop variables.
        dtype: of the elements.
    """

    buffer: str
    unit: int
    depth: Expr
    dtype: DType
    lanes: Expr = ONE


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
    special = substitute(value, dict.fromkeys(steps, ONE))
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
    more, inner = hoisted(part.rewrite(moved), lane.name, fresh)
    unit = integer(target.unit)
    full = mul(ceildiv(target.lanes, unit), unit)
    line = Buffer(fresh("line"), target.dtype, (full,), (ONE,), "workspace")
    body: list[Statement] = [
        *lets,
        *wrapped(part, [*more, *_ranges(inner, lane.name, part, line, fresh)]),
        *_padding(lane, line, unit, fresh),
        *_panels(lane, deep, line, target, fresh),
    ]
    return [Alloc(line), For(deep, "serial", tuple(body))]


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
    value: Expr, lane: str, part: Split, line: Buffer, fresh: Fresh
) -> list[Statement]:
    """``line[lane] = value`` on a piece, guards as ranges."""

    def stored(v: Expr, low: Expr, high: Expr) -> Statement:
        store = Store(line.name, (Index(lane),), _as(v, line.dtype))
        return For(Axis(lane, low, high), "vector", (store,))

    cut = clipped(value, lane, part.low, part.high)
    if cut is None:
        return [stored(value, part.low, part.high)]
    first, last = fresh("first"), fresh("last")
    begin, end = Var(first, INT64), Var(last, INT64)
    return [
        Let(first, cut.low),
        Let(last, cut.high),
        stored(cut.fill, part.low, begin),
        stored(cut.value, begin, end),
        stored(cut.fill, end, part.high),
    ]


def _padding(lane: Axis, line: Buffer, unit: Expr, fresh: Fresh) -> list[Statement]:
    """Zeros in the lanes that fill up the last panel."""
    zero = Const(0.0 if line.dtype.is_float else 0, line.dtype)
    full = mul(ceildiv(lane.stop, unit), unit)
    t = Index(fresh("t"))
    store = Store(line.name, (t,), zero)
    return [For(Axis(t.name, lane.stop, full), "vector", (store,))]


def _panels(
    lane: Axis, deep: Axis, line: Buffer, target: Target, fresh: Fresh
) -> list[Statement]:
    """The line cut into its panels."""
    unit = integer(target.unit)
    panel, t = Index(fresh("panel")), Index(fresh("t"))
    value = Read(line.name, (add(mul(panel, unit), t),), line.dtype)
    store = Store(target.buffer, (add(mul(panel, target.depth), deep.index), t), value)
    loop = For(Axis(t.name, ZERO, unit), "vector", (store,))
    return [For(Axis(panel.name, ZERO, ceildiv(lane.stop, unit)), "serial", (loop,))]
