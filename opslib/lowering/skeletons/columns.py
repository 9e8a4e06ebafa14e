"""Folds over an axis that is not the contiguous one: rows of accumulators.

Summing columns one at a time would touch a new cache line, and soon a new page, at
every step. Instead a block of columns has its accumulators in the first-level cache
and whole rows are added to them.
"""

from __future__ import annotations

from typing import Protocol

from opslib.ir.expr import (
    Axis,
    Expr,
    Fold,
    Order,
    Read,
    Scan,
    free_indices,
    substitute,
    walk,
)
from opslib.ir.loops import Alloc, For, Statement, Store
from opslib.ir.printer import rename
from opslib.lowering.skeletons import arith
from opslib.lowering.skeletons.builder import (
    Body,
    combined,
    finished,
    lifted,
    needs_statements,
)

# 2 KiB of float32: half a page of each row, and room in the cache for several states.
BLOCK = 512


class Finish(Protocol):
    """Stores the finished value of a point; see rows.py."""

    def __call__(self, at: Body, points: tuple[Expr, ...], given: Expr) -> None: ...


def applies(value: Expr, axes: tuple[Axis, ...]) -> bool:
    """Whether every fold in `value` is a plain one over ranges without the columns."""
    if len(axes) != 1 or arith.upper_extent(axes[0]) is None:
        return False
    folds = [n for n in walk(value) if isinstance(n, Fold | Scan | Order)]
    column = axes[0].name
    return bool(folds) and all(
        isinstance(n, Fold)
        and column in free_indices(n)
        and all(a.is_dense for a in n.axes)
        and not any(needs_statements(e) for e in n.args)
        for n in folds
    )


def emit(body: Body, axis: Axis, value: Expr, width: Expr, finish: Finish) -> None:
    """Accumulates the columns of `axis`, at most `width`, then finishes the points."""
    builder = body.builder
    known: dict[Expr, Expr] = {}
    seen: dict[object, tuple[Expr, ...]] = {}
    for fold in walk(value):
        if not isinstance(fold, Fold):
            continue
        key = (fold.monoid, fold.axes, fold.args)
        if key not in seen:
            seen[key] = _accumulate(body, axis, fold, width)
        known[fold] = finished(fold.monoid, fold.output, seen[key])
    lane = body.within((axis.name,), vector=True)
    lane.known.update(known)
    finish(lane, (axis.index,), value)
    body.statements.append(For(axis, "vector", tuple(lane.statements)))


def _accumulate(body: Body, axis: Axis, fold: Fold, width: Expr) -> tuple[Expr, ...]:
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
    names = {a.name: builder.fresh(a.name) for a in fold.axes}
    inner = body.within((*names.values(), at.name), vector=True)
    mapping: dict[Expr, Expr] = {axis.index: at.index}
    args = tuple(inner.lower(substitute(rename(a, names), mapping)) for a in fold.args)
    old = tuple(
        inner.let("old", Read(acc.name, place, acc.dtype)) for acc in accumulators
    )
    new = combined(monoid, old, lifted(monoid, args))
    for acc, state in zip(accumulators, new, strict=True):
        inner.statements.append(Store(acc.name, place, state))
    nest: Statement = For(at, "vector", tuple(inner.statements))
    for a in reversed(fold.axes):
        stop = body.lower(a.stop)
        nest = For(Axis(names[a.name], a.start, stop), "serial", (nest,))
    body.statements.append(nest)
    own = (arith.sub(axis.index, axis.start),)
    return tuple(Read(acc.name, own, acc.dtype) for acc in accumulators)
