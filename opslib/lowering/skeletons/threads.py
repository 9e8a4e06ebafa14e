"""Parallel loops for a machine with very many workers: a point each, or a few.

Neighbouring workers take neighbouring points, so that their accesses become wide ones.
A fold across the grain is one worker's for each column, in order; any other fold is
left to a team of workers for each point.
"""

from __future__ import annotations

from typing import Protocol

from opslib.ir.dtypes import BOOL
from opslib.ir.expr import ONE, ZERO, Axis, Expr, Index, Prim, Read, substitute
from opslib.ir.loops import Alloc, For, If, Store
from opslib.lowering.skeletons import arith, tiles
from opslib.lowering.skeletons.arith import integer, product
from opslib.lowering.skeletons.builder import Body


class Finish(Protocol):
    """Stores the values of a point; see rows.py."""

    def __call__(
        self, at: Body, points: tuple[Expr, ...], given: Expr | None = None
    ) -> None: ...


def emit(
    body: Body,
    axes: tuple[Axis, ...],
    values: list[Expr],
    fold: Expr | None,
    over_columns: bool,
    finish: Finish,
) -> None:
    """The loop over all points.

    Args:
        body: where it belongs.
        axes: of the points; plain.
        values: what is stored there.
        fold: the value, where it has folds.
        over_columns: whether these are across the grain.
        finish: computes and stores.
    """
    from opslib.lowering.skeletons.rows import unflatten

    builder = body.builder
    if fold is None and builder.machine.tile:
        reads = tiles.transposed(builder, axes, values)
        if reads:
            _through_tiles(body, axes, reads, finish)
            return
    chunk = builder.machine.chunk
    size = 1 if fold is not None or chunk is None else chunk(builder, axes, values)
    *outer, last = axes
    names = [builder.fresh(a.name) for a in axes]
    if size == 1:
        flat = axes[0].name if len(axes) == 1 else builder.fresh("item")
        alone = fold is not None and over_columns
        inner = body.within((flat,), parallel=True, vector=alone)
        points = unflatten(inner, flat, names, [a.stop for a in axes])
        finish(inner, points)
        count = product(a.stop for a in axes)
    else:
        width = integer(size)
        packs = body.let("packs", arith.ceildiv(last.stop, width))
        flat = builder.fresh("pack")
        inner = body.within((flat,), parallel=True)
        *where, at = unflatten(inner, flat, names, [*(a.stop for a in outer), packs])
        begin = inner.let("begin", arith.mul(at, width))
        end = inner.let("end", arith.least(arith.add(begin, width), last.stop))
        few = inner.within((last.name,))
        finish(few, (*where, last.index))
        ends = Axis(last.name, begin, end)
        inner.statements.append(For(ends, "unroll", tuple(few.statements), None, width))
        count = arith.mul(product(a.stop for a in outer), packs)
    body.statements.append(
        For(Axis(flat, ZERO, count), "parallel", tuple(inner.statements))
    )


def _through_tiles(
    body: Body, axes: tuple[Axis, ...], reads: list[tuple[Read, int]], finish: Finish
) -> None:
    """A team's tile: filled along the inputs' lines, used along the outputs'.

    A line of the tile is one element longer than it need be, so that walking it across
    meets other banks of memory.
    """
    from opslib.lowering.skeletons.rows import unflatten

    builder = body.builder
    across, last = reads[0][1], axes[-1]
    side = integer(builder.machine.tile)
    counts = [
        body.let("tiles", arith.ceildiv(a.stop, side))
        if k in (across, len(axes) - 1)
        else a.stop
        for k, a in enumerate(axes)
    ]
    flat = builder.fresh("tile")
    inner = body.within((flat,), parallel=True)
    places = unflatten(inner, flat, [builder.fresh(a.name) for a in axes], counts)
    top = inner.let("top", arith.mul(places[across], side))
    left = inner.let("left", arith.mul(places[-1], side))
    tile_of: dict[Read, str] = {}
    for read, _ in reads:
        shape = (side, arith.add(side, ONE))
        made = builder.allocate(f"{read.tensor}_tile", read.type, shape, False)
        inner.statements.append(Alloc(made))
        tile_of[read] = made.name
    for filling in (True, False):
        element = builder.fresh("element")
        each = inner.within((element,), vector=True)
        slow = each.let("line", arith.floordiv(Index(element), side))
        fast = each.let("at", arith.mod(Index(element), side))
        down, right = (fast, slow) if filling else (slow, fast)
        row = each.let(axes[across].name, arith.add(top, down))
        column = each.let(last.name, arith.add(left, right))
        points = list(places)
        points[across], points[-1] = row, column
        here: dict[Expr, Expr] = {a.index: p for a, p in zip(axes, points, strict=True)}
        there = each.within(())
        for read, _ in reads:
            found = substitute(read, here)
            spot = Read(tile_of[read], (right, down), read.type)
            if filling:
                there.statements.append(Store(spot.tensor, spot.indices, found))
            else:
                there.known[found] = spot
        if not filling:
            finish(there, tuple(points))
        inside = Prim(
            "and",
            (arith.less(row, axes[across].stop), arith.less(column, last.stop)),
            BOOL,
        )
        each.statements.append(If(inside, tuple(there.statements)))
        whole = Axis(element, ZERO, arith.mul(side, side))
        inner.statements.append(For(whole, "vector", tuple(each.statements)))
    body.statements.append(
        For(Axis(flat, ZERO, product(counts)), "parallel", tuple(inner.statements))
    )
