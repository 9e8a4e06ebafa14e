"""Folds over an axis that is not the contiguous one: rows of accumulators.

Summing columns one at a time would touch a new cache line, and soon a new page, at
every step. Instead a block of columns has its accumulators in the first-level cache
and whole rows are added to them.
"""

from __future__ import annotations

from typing import Protocol

from opslib.ir.dtypes import BOOL
from opslib.ir.expr import (
    ONE,
    ZERO,
    Axis,
    Expr,
    Fold,
    Index,
    Order,
    Prim,
    Read,
    Scan,
    Select,
    free_indices,
    substitute,
    walk,
)
from opslib.ir.loops import Alloc, For, Statement, Store
from opslib.ir.printer import rename
from opslib.lowering.skeletons import arith
from opslib.lowering.skeletons.arith import integer
from opslib.lowering.skeletons.builder import (
    PIECE,
    PIECES,
    Body,
    combined,
    finished,
    joined,
    lifted,
    needs_statements,
)

# 4 KiB of float32: a page of each row, and room in the cache for several states.
BLOCK = 1024
# Rows added at a time, for arguments of few operations.
ROWS, _SMALL = 4, 12
# The same where a row is a vector or less.
NARROW_ROWS = 16


class Finish(Protocol):
    """Stores the finished value of a point; see rows.py."""

    def __call__(self, at: Body, points: tuple[Expr, ...], given: Expr) -> None: ...


def applies(value: Expr, axes: tuple[Axis, ...]) -> bool:
    """Whether every fold in `value` is a plain one over ranges without the columns."""
    if len(axes) != 1 or arith.upper_extent(axes[0]) is None:
        return False
    folds = [n for n in walk(value) if isinstance(n, Fold | Scan | Order)]
    column = axes[0].name
    if not _may_run_early(value):
        return False
    return bool(folds) and all(
        isinstance(n, Fold)
        and column in free_indices(n)
        and all(a.is_dense for a in n.axes)
        and not any(needs_statements(e) for e in n.args)
        for n in folds
    )


def _may_run_early(value: Expr) -> bool:
    """Whether folds under a condition read only what exists whatever it says."""
    stack, seen = [(value, False)], set()
    while stack:
        node, guarded = stack.pop()
        if (node, guarded) in seen:
            continue
        seen.add((node, guarded))
        if isinstance(node, Fold) and guarded:
            reads = [n for n in walk(node) if isinstance(n, Read)]
            if not all(isinstance(i, Index) for n in reads for i in n.indices):
                return False
        if isinstance(node, Select):
            stack.append((node.condition, guarded))
            stack += [(node.yes, True), (node.no, True)]
        else:
            stack += [(c, guarded) for c in node.children]
    return True


def emit(
    body: Body,
    axis: Axis,
    value: Expr,
    width: Expr,
    finish: Finish,
    split: bool = False,
) -> None:
    """Accumulates the columns of `axis`, at most `width`, then finishes the points.

    With `split`, workers share the rows; else it is one worker's.
    """
    known: dict[object, Expr] = {}
    seen: dict[object, tuple[Expr, ...]] = {}
    for fold in walk(value):
        if not isinstance(fold, Fold):
            continue
        key = (fold.monoid, fold.axes, fold.args)
        if key not in seen:
            accumulate = _split if split else _accumulate
            seen[key] = accumulate(body, axis, fold, width)
        known[fold] = finished(fold.monoid, fold.output, seen[key])
    lane = body.within((axis.name,), vector=True)
    lane.known.update(known)
    finish(lane, (axis.index,), value)
    body.statements.append(For(axis, "vector", tuple(lane.statements)))


def few(value: Expr, axes: tuple[Axis, ...]) -> Expr | None:
    """When the columns are too few for all workers, the rows enough; None: never."""
    folds = [n for n in walk(value) if isinstance(n, Fold)]
    if len(axes) != 1 or not applies(value, axes):
        return None
    work = arith.upper_extent(folds[0].axes[0])
    if work is None or any(arith.varies(a.stop) for f in folds for a in f.axes):
        return None
    work = arith.mul(work, axes[0].stop)
    return Prim(
        "and",
        (
            arith.less(axes[0].stop, integer(BLOCK)),
            arith.less(integer(4 * PIECE), work),
        ),
        BOOL,
    )


def _split(body: Body, axis: Axis, fold: Fold, width: Expr) -> tuple[Expr, ...]:
    """As `_accumulate`, by all workers: pieces of the rows, then these in order.

    How many pieces there are depends on sizes alone, and so do a sum's bits.
    """
    builder, monoid = body.builder, fold.monoid
    first, rest = fold.axes[0], fold.axes[1:]
    extents = [axis.stop, *(arith.extent(a) for a in rest)]
    least = arith.ceildiv(integer(PIECE), arith.most(arith.product(extents), ONE))
    n = body.let("extent", first.stop)
    size = body.let("piece", arith.most(arith.ceildiv(n, integer(PIECES)), least))
    count = body.let("pieces", arith.ceildiv(n, size))
    parts = []
    for dtype in monoid.state:
        shape = (integer(PIECES), width)
        parts.append(builder.allocate(f"{monoid.name}_parts", dtype, shape, True))
        body.statements.append(Alloc(parts[-1]))
    at = builder.fresh("part")
    inner = body.within((at,), parallel=True)
    begin = inner.let("begin", arith.mul(Index(at), size))
    end = inner.let("end", arith.least(arith.add(begin, size), n))
    piece = Axis(first.name, begin, end)
    piece_fold = Fold(monoid, (piece, *rest), fold.args, fold.output)
    states = _accumulate(inner, axis, piece_fold, width, NARROW_ROWS)
    here = Axis(builder.fresh(axis.name), axis.start, axis.stop)
    own: dict[Expr, Expr] = {axis.index: here.index}
    inner.statements.append(
        For(
            here,
            "vector",
            tuple(
                Store(part.name, (Index(at), here.index), substitute(state, own))
                for part, state in zip(parts, states, strict=True)
            ),
        )
    )
    body.statements.append(
        For(Axis(at, ZERO, count), "parallel", tuple(inner.statements))
    )
    again = builder.fresh("part")
    index = Index(again)
    reads = tuple(Read(p.name, (index, axis.index), p.dtype) for p in parts)
    whole = Fold(joined(monoid), (Axis(again, ZERO, count),), reads, 0)
    return _accumulate(body, axis, whole, width)


def _accumulate(
    body: Body, axis: Axis, fold: Fold, width: Expr, rows: int = ROWS
) -> tuple[Expr, ...]:
    """The fold's states for all columns, as reads at `axis`."""
    builder, monoid = body.builder, fold.monoid
    accumulators = []
    for dtype in monoid.state:
        acc = builder.allocate(f"{monoid.name}_row", dtype, (width,), not body.parallel)
        body.statements.append(Alloc(acc))
        accumulators.append(acc)
    at = Axis(builder.fresh(axis.name), axis.start, axis.stop)
    place = (arith.sub(at.index, axis.start),)
    clear = tuple(
        Store(acc.name, place, identity)
        for acc, identity in zip(accumulators, monoid.identity, strict=True)
    )
    body.statements.append(For(at, "vector", clear))
    outer, last = fold.axes[:-1], fold.axes[-1]
    stop = body.lower(last.stop)
    if len(monoid.state) == 1 and sum(1 for _ in walk(*fold.args)) <= _SMALL:
        # Several rows at a time: a sum is loaded and stored once for all of them.
        start = body.lower(last.start)
        groups = arith.floordiv(arith.sub(stop, start), integer(rows))
        end = body.let("whole", arith.add(start, arith.mul(groups, integer(rows))))
        parts = [(start, end, rows), (end, stop, 1)]
    else:
        parts = [(last.start, stop, 1)]
    nests: list[Statement] = []
    for begin, until, count in parts:
        names = {a.name: builder.fresh(a.name) for a in fold.axes}
        inner = body.within((*names.values(), at.name), vector=True)
        mapping: dict[Expr, Expr] = {axis.index: at.index}
        states = tuple(
            inner.let("old", Read(acc.name, place, acc.dtype)) for acc in accumulators
        )
        found = []
        for row in range(count):
            index = Index(names[last.name])
            mapping[index] = arith.add(index, integer(row))
            args = tuple(
                inner.lower(substitute(rename(a, names), mapping)) for a in fold.args
            )
            found.append(lifted(monoid, args))
        # In pairs, so that operations need not wait for each other.
        while len(found) > 1:
            pairs = zip(found[::2], found[1::2], strict=True)
            found = [combined(monoid, a, b) for a, b in pairs]
        states = combined(monoid, states, found[0])
        inner.statements += [
            Store(acc.name, place, state)
            for acc, state in zip(accumulators, states, strict=True)
        ]
        nest: Statement = For(at, "vector", tuple(inner.statements))
        step = integer(count) if count > 1 else None
        nest = For(Axis(names[last.name], begin, until), "serial", (nest,), step)
        for a in reversed(outer):
            ends = (body.lower(a.start), body.lower(a.stop))
            nest = For(Axis(names[a.name], *ends), "serial", (nest,))
        nests.append(nest)
    body.statements += nests
    own = (arith.sub(axis.index, axis.start),)
    return tuple(Read(acc.name, own, acc.dtype) for acc in accumulators)
