"""Prefix reductions: a row of all prefixes, computed in one pass where it is needed."""

from __future__ import annotations

from dataclasses import dataclass

from opslib.ir.dtypes import BOOL
from opslib.ir.expr import (
    ONE,
    ZERO,
    Axis,
    Define,
    Expr,
    Fold,
    Index,
    Order,
    Prim,
    Read,
    Scalar,
    Scan,
    Var,
    substitute,
    walk,
)
from opslib.ir.loops import Alloc, Assign, Declare, For, Statement, Store
from opslib.ir.monoid import Monoid
from opslib.ir.printer import rename
from opslib.lowering.skeletons import arith
from opslib.lowering.skeletons.arith import integer
from opslib.lowering.skeletons.builder import (
    PIECE,
    PIECES,
    Body,
    Builder,
    combined,
    finished,
    lifted,
    needs_statements,
)

# Rows that are swept together, and how few are not worth it.
ROWS, FEW = 64, 15


@dataclass(frozen=True, slots=True)
class Walk(For):
    """A serial loop that is a prefix reduction, for machines that can share it.

    After each element's states are joined to the variables `states`, which hold those
    of what lies before the loop at first, `then` is run with the states so far.

    Attributes:
        states: the variables' names.
        monoid: what joins them.
        args: of the element; after the body's other statements.
        then: stores what is wanted.
    """

    states: tuple[str, ...] = ()
    monoid: Monoid | None = None
    args: tuple[Expr, ...] = ()
    then: tuple[Statement, ...] = ()


def row(body: Body, node: Scan) -> Expr:
    """Emits the prefixes along `node.axis`; gives the row buffer's name as a Var."""
    builder, monoid = body.builder, node.monoid
    (args, axis), length = opened(body, node.axis, node.args)
    out = builder.allocate(
        f"{monoid.name}_prefix", node.dtype, (length,), not body.parallel
    )
    body.statements.append(Alloc(out))
    if not body.parallel and arith.upper_extent(axis) is not None:
        _pieces(body, node, axis, args, out.name)
    else:
        _walk(body, node, axis, axis.start, args, out.name, monoid.identity)
    return Var(out.name, node.dtype)


def _walk(
    body: Body,
    node: Scan,
    axis: Axis,
    origin: Expr,
    args: tuple[Expr, ...],
    out: str,
    first: tuple[Expr, ...],
) -> None:
    """One element after the other, from the states `first` on; `origin` is out[0]."""
    monoid = node.monoid
    names = tuple(body.builder.fresh("state") for _ in monoid.state)
    for name, value in zip(names, first, strict=True):
        body.statements.append(Declare(name, value))
    states = tuple(map(Var, names, monoid.state))
    inner = body.within((axis.name,))
    lowered = tuple(map(inner.lower, args))
    new = combined(monoid, states, lifted(monoid, lowered))
    before = tuple(inner.statements)
    place = (arith.sub(axis.index, origin),)
    store = Store(out, place, finished(monoid, node.output, states))
    whole = (*before, Assign(names, new), store)
    body.statements.append(
        Walk(axis, "serial", whole, None, None, names, monoid, lowered, (store,))
    )


def _pieces(
    body: Body, node: Scan, axis: Axis, args: tuple[Expr, ...], out: str
) -> None:
    """Over workers: totals of all pieces but the last, then prefixes of each piece.

    The pieces depend on the length alone, and so do a sum's bits.
    """
    builder, monoid = body.builder, node.monoid
    n = body.let("extent", arith.extent(axis))
    least = arith.most(arith.ceildiv(n, integer(PIECES)), integer(PIECE))
    size = body.let("piece", least)
    count = body.let("pieces", arith.ceildiv(n, size))
    parts = []
    for dtype in monoid.state:
        part = builder.allocate(f"{monoid.name}_parts", dtype, (integer(PIECES),), True)
        body.statements.append(Alloc(part))
        parts.append(part)

    def before(at: Expr) -> tuple[Expr, ...]:
        return tuple(Read(p.name, (at,), p.dtype) for p in parts)

    def keep(at: Expr, states: tuple[Expr, ...]) -> list[Statement]:
        pairs = zip(parts, states, strict=True)
        return [Store(p.name, (at,), state) for p, state in pairs]

    def piece() -> tuple[Index, Body, Axis]:
        index = Index(builder.fresh("part"))
        inner = body.within((index.name,), parallel=True)
        start = arith.add(axis.start, arith.mul(index, size))
        begin = inner.let("begin", start)
        end = inner.let("end", arith.least(arith.add(begin, size), axis.stop))
        return index, inner, Axis(axis.name, begin, end)

    body.statements += keep(ZERO, monoid.identity)
    last = arith.sub(count, ONE)
    index, inner, part_of = piece()
    totals = inner.reduce(monoid, (part_of,), args)
    inner.statements += keep(arith.add(index, ONE), totals)
    whole = Axis(index.name, ZERO, last)
    body.statements.append(For(whole, "parallel", tuple(inner.statements)))
    index = Index(builder.fresh("part"))
    joins = body.within((index.name,))
    earlier = before(arith.sub(index, ONE))
    new = combined(monoid, earlier, before(index))
    new = tuple(joins.let("total", state) for state in new)
    joins.statements += keep(index, new)
    body.statements.append(
        For(Axis(index.name, ONE, count), "serial", tuple(joins.statements))
    )
    index, inner, part_of = piece()
    _walk(inner, node, part_of, axis.start, args, out, before(index))
    whole = Axis(index.name, ZERO, count)
    body.statements.append(For(whole, "parallel", tuple(inner.statements)))


def swept(
    builder: Builder, body: Body, defines: tuple[Define, ...], depth: int
) -> tuple[Expr, list[Statement]] | None:
    """Scans of many rows side by side: when that is better, and its loops.

    Rows whose elements lie apart from each other, next to those of other rows, as the
    columns of a matrix: lanes go over the rows.
    """
    if len(defines) != 1 or depth + 1 != len(defines[0].axes):
        return None
    (define,) = defines
    *_, lane, along = define.axes
    scans = [n for n in walk(define.value) if isinstance(n, Scan)]
    better = _lie_apart(builder, define)
    if better is None or not scans or define.name not in builder.buffers:
        return None
    for n in walk(define.value):
        if isinstance(n, Fold | Order):
            return None
    for n in scans:
        same = n.axis.start is ZERO and n.axis.stop is along.stop
        if not same or n.at is not along.index or any(map(needs_statements, n.args)):
            return None
    if not all(a.is_dense and not arith.varies(a.stop) for a in define.axes):
        return None
    from opslib.lowering.skeletons.rows import unflatten

    outer = Body(builder, body.bound, body.parallel, known=body.known.new_child())
    names = {a.name: builder.fresh(a.name) for a in define.axes}
    flat = builder.fresh("block")
    blocks = outer.let("blocks", arith.ceildiv(lane.stop, integer(ROWS)))
    inner = outer.within((flat,), parallel=True)
    heads = [a.stop for a in define.axes[: depth - 1]]
    *first, block = unflatten(
        inner, flat, [builder.fresh("at") for _ in range(depth)], [*heads, blocks]
    )
    begin = inner.let("begin", arith.mul(block, integer(ROWS)))
    end = inner.let("end", arith.least(arith.add(begin, integer(ROWS)), lane.stop))
    across = Axis(names[lane.name], begin, end)
    points = (*first, across.index, Index(names[along.name]))
    mapping: dict[Expr, Expr] = {
        a.index: p for a, p in zip(define.axes, points, strict=True)
    }
    step = inner.within((names[along.name],))
    lanes = step.within((across.name,), vector=True)
    spot = (arith.sub(across.index, begin),)
    for node in dict.fromkeys(scans):
        monoid = node.monoid
        rows = [
            builder.allocate(f"{monoid.name}_row", t, (integer(ROWS),), False)
            for t in monoid.state
        ]
        for row_of, identity in zip(rows, monoid.identity, strict=True):
            inner.statements.append(Alloc(row_of))
            clear = Store(row_of.name, spot, identity)
            inner.statements.append(For(across, "vector", (clear,)))
        here = {**mapping, node.axis.index: points[-1]}
        args = tuple(lanes.lower(substitute(a, here)) for a in node.args)
        old = tuple(Read(r.name, spot, r.dtype) for r in rows)
        new = tuple(
            lanes.let("state", s) for s in combined(monoid, old, lifted(monoid, args))
        )
        for row_of, state in zip(rows, new, strict=True):
            lanes.statements.append(Store(row_of.name, spot, state))
        found = substitute(node, mapping)
        lanes.known[found] = finished(monoid, node.output, new)
    value = lanes.lower(substitute(define.value, mapping))
    lanes.statements.append(Store(define.name, points, value))
    step.statements.append(For(across, "vector", tuple(lanes.statements)))
    inner.statements.append(
        For(Axis(names[along.name], ZERO, along.stop), "serial", tuple(step.statements))
    )
    count = arith.mul(arith.product(heads), blocks)
    outer.statements.append(
        For(Axis(flat, ZERO, count), "parallel", tuple(inner.statements), None, ONE)
    )
    enough = arith.less(integer(FEW), lane.stop)
    return Prim("and", (enough, better), BOOL), outer.statements


def _lie_apart(builder: Builder, define: Define) -> Expr | None:
    """Whether elements along the last axis lie further apart than along the one before.

    Strides say it at launch; None where it is known to be otherwise.
    """
    *_, lane, along = define.axes
    inside = {n.axis.index for n in walk(define.value) if isinstance(n, Scan)}
    found: Expr | None = None
    for n in walk(define.value):
        buffer = builder.buffers.get(n.tensor) if isinstance(n, Read) else None
        if buffer is None or not isinstance(n, Read):
            continue
        steps: list[Expr | None] = [None, None]
        for index, stride in zip(n.indices, buffer.strides, strict=True):
            if index is lane.index:
                steps[0] = stride
            elif index is along.index or index in inside:
                steps[1] = stride
        if steps[0] is None or not isinstance(steps[1], Scalar):
            return None
        test = arith.less(steps[0], steps[1])
        found = test if found is None else Prim("and", (found, test), BOOL)
    return found


def opened(
    body: Body, axis: Axis, args: tuple[Expr, ...]
) -> tuple[tuple[tuple[Expr, ...], Axis], Expr]:
    """The arguments with a fresh index, its lowered axis, and memory enough for it."""
    name = body.builder.fresh(axis.name)
    named = tuple(rename(body.hoist(a), {axis.name: name}) for a in args)
    start, stop = body.lower(axis.start), body.lower(axis.stop)
    lowered = Axis(name, start, stop)
    length = arith.upper_extent(lowered)
    if length is None:
        length = axis.bound if axis.bound is not None else arith.extent(lowered)
    return (named, lowered), length
