"""Maps that read across the grain (transposes): tiles that fit the first-level cache.

Read along the output's rows, a transposed input costs a cache line per element. In a
tile both sides move whole lines: lines of the input go into a small buffer, and the
output's rows are gathered from there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from opslib.ir.expr import ONE, ZERO, Axis, Expr, Index, Read, Select, walk
from opslib.ir.loops import Alloc, Buffer, For, Intrinsic, Place
from opslib.lowering.skeletons import arith
from opslib.lowering.skeletons.arith import integer, product
from opslib.lowering.skeletons.builder import GRAIN, Body, Builder

# 32 x 32 float32 is 4 KiB.
SIDE = 32


class Finish(Protocol):
    """Stores the values of a point; see rows.py."""

    def __call__(
        self, at: Body, points: tuple[Expr, ...], given: Expr | None = None
    ) -> None: ...


def transposed(
    builder: Builder, axes: tuple[Axis, ...], values: list[Expr]
) -> list[tuple[Read, int]]:
    """Reads contiguous along an outer axis, with that axis; none under a condition."""
    if len(axes) < 2:
        return []
    found: list[tuple[Read, int]] = []
    for value in values:
        if any(isinstance(n, Select) for n in walk(value)):
            return []
        for n in walk(value):
            if isinstance(n, Read) and n.tensor not in builder.memory and n.indices:
                names = [i.name for i in n.indices if isinstance(i, Index)]
                buffer = builder.buffers.get(n.tensor)
                if len(names) != len(n.indices) or len(set(names)) != len(names):
                    continue
                if buffer is None or buffer.strides[-1] is not ONE:
                    continue
                if axes[-1].name not in names or names[-1] == axes[-1].name:
                    continue
                for k, a in enumerate(axes[:-1]):
                    if a.name == names[-1]:
                        found.append((n, k))
    # One outer axis only: the first read decides, the others stay strided.
    return [(n, k) for n, k in found if k == found[0][1]]


def emit(
    body: Body, axes: tuple[Axis, ...], values: list[Expr], finish: Finish
) -> None:
    """The whole map, tile by tile."""
    builder = body.builder
    reads = transposed(builder, axes, values)
    across = reads[0][1]
    side = integer(SIDE)
    last = axes[-1]
    counts = [
        body.let("tiles", arith.ceildiv(a.stop, side))
        if k in (across, len(axes) - 1)
        else a.stop
        for k, a in enumerate(axes)
    ]
    flat = builder.fresh("tile")
    inner = body.within((flat,), parallel=True)
    from opslib.lowering.skeletons.rows import unflatten

    places = unflatten(inner, flat, [builder.fresh(a.name) for a in axes], counts)
    row0 = inner.let("top", arith.mul(places[across], side))
    row1 = inner.let("bottom", arith.least(arith.add(row0, side), axes[across].stop))
    col0 = inner.let("left", arith.mul(places[-1], side))
    col1 = inner.let("right", arith.least(arith.add(col0, side), last.stop))
    points = list(places)
    row = Index(builder.fresh(axes[across].name))
    points[across], points[-1] = row, last.index
    known: dict[object, Expr] = {}
    for read, _ in reads:
        tile = Buffer(
            builder.fresh(f"{read.tensor}_tile"),
            read.type,
            (side, side),
            (side, ONE),
            "stack",
        )
        builder.buffers[tile.name] = tile
        inner.statements.append(Alloc(tile))
        corner: dict[Expr, Expr] = {
            a.index: p for a, p in zip(axes, points, strict=True)
        }
        corner[axes[across].index], corner[last.index] = row0, col0
        line = read.indices.index(last.index)
        inner.statements.append(
            Intrinsic(
                "transpose",
                f"ops_transpose_{read.type.bits}"
                f"({{0}}, {SIDE}, {{1}}, {{2}}, {{3}}, {{4}})",
                (
                    Place(tile.name, (ZERO, ZERO), True),
                    Place(read.tensor, tuple(corner[i] for i in read.indices)),
                    builder.buffers[read.tensor].strides[line],
                    arith.sub(col1, col0),
                    arith.sub(row1, row0),
                ),
                _transposer(read.indices, last.index, axes[across].index),
                ("opslib_row.h",),
            )
        )
        whole: dict[Expr, Expr] = {
            a.index: p for a, p in zip(axes, points, strict=True)
        }
        here = Read(read.tensor, tuple(whole[i] for i in read.indices), read.type)
        known[here] = Read(
            tile.name, (arith.sub(row, row0), arith.sub(last.index, col0)), read.type
        )
    outer = inner.within((row.name,))
    lane = outer.within((last.name,), vector=True)
    lane.known.update(known)
    finish(lane, tuple(points))
    outer.statements.append(
        For(Axis(last.name, col0, col1), "vector", tuple(lane.statements))
    )
    inner.statements.append(
        For(Axis(row.name, row0, row1), "serial", tuple(outer.statements))
    )
    grain = integer(max(1, GRAIN // SIDE**2))
    body.statements.append(
        For(
            Axis(flat, ZERO, product(counts)),
            "parallel",
            tuple(inner.statements),
            None,
            grain,
        )
    )


def _transposer(
    indices: tuple[Expr, ...], line: Expr, across: Expr
) -> Callable[..., None]:
    """What the intrinsic means, on a view that begins at the tile's corner."""

    def meaning(tile: Any, source: Any, pitch: int, rows: int, columns: int) -> None:
        del pitch
        window = source[
            tuple(
                slice(int(rows))
                if i is line
                else slice(int(columns))
                if i is across
                else 0
                for i in indices
            )
        ]
        if indices.index(line) < indices.index(across):
            window = window.T
        tile[: int(columns), : int(rows)] = window

    return meaning
