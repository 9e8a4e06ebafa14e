"""Contractions as tiles: packed panels, sums in registers, the epilogue on the way out.

One grid cell is a block of the output. Along k, panels of both sides are packed (which
is where casts, scales, masks and windows are computed) and multiplied into the sums;
the outputs' expressions are then evaluated on the block and stored.
"""

from __future__ import annotations

from dataclasses import dataclass

from opslib.ir.dtypes import BFLOAT16, BOOL, DType
from opslib.ir.expr import (
    ONE,
    ZERO,
    Axis,
    Cast,
    Expr,
    Index,
    Prim,
    Read,
    substitute,
)
from opslib.ir.tiles import (
    AllocTile,
    Copy,
    Gather,
    Map,
    Mma,
    Region,
    TileBuffer,
    TileLoop,
    TileProgram,
    TileStatement,
)
from opslib.lowering.skeletons.arith import add, least, most, sub
from opslib.lowering.skeletons.builder import Builder
from opslib.lowering.skeletons.contraction import Contraction, as_type


@dataclass(frozen=True, slots=True)
class Panel:
    """What a packed buffer holds: a side, from which lane and depth on."""

    value: Expr
    is_a: bool
    first: Expr
    deep: Expr


@dataclass(frozen=True, slots=True)
class Tiled:
    """A contraction as tiles, and its panels by the name of their buffer."""

    program: TileProgram
    panels: dict[str, Panel]
    batch: dict[Expr, Expr]


def tiles(
    c: Contraction,
    builder: Builder,
    accumulator: DType,
    units: tuple[int, int],
    sizes: tuple[Expr, Expr, Expr],
    pairs: bool,
) -> Tiled:
    """The contraction as tiles.

    Args:
        c: what was matched.
        builder: gives names and the argument buffers.
        accumulator: type of the sums.
        units: lanes of a panel of a and of b.
        sizes: of a block along m, n and k.
        pairs: whether bfloat16 operands stay bfloat16 (pairs along k).
    """
    fresh = builder.fresh
    tile_m, tile_n, tile_k = sizes
    names = {x: fresh(x) for x in ("batch", "m0", "n0", "k0", "i", "j", "l")}
    i, j, deep = Index(names["i"]), Index(names["j"]), Index(names["l"])
    batch, m0, n0, k0 = (Index(names[x]) for x in ("batch", "m0", "n0", "k0"))
    rows = least(tile_m, sub(c.m.extent, m0))
    columns = least(tile_n, sub(c.n.extent, n0))
    depth = least(tile_k, sub(c.k.extent, k0))
    by_batch = c.batch.at(batch) if c.batch.axes else {}
    at: dict[Expr, Expr] = {
        **by_batch,
        **c.m.at(add(m0, i)),
        **c.n.at(add(n0, j)),
        **c.k.at(add(k0, deep)),
    }
    at = c.at(at)
    packed = BFLOAT16 if pairs else accumulator
    zero = (ZERO, ZERO)
    buffers: list[TileBuffer] = []
    panels: dict[tuple[Expr, bool], TileBuffer] = {}
    inner: list[TileStatement] = []

    def panel(value: Expr, is_a: bool) -> TileBuffer:
        """The panel that holds a side, packed once however many sums share it."""
        if (value, is_a) not in panels:
            name, tile, unit = (
                ("a_panel", tile_m, units[0]) if is_a else ("b_panel", tile_n, units[1])
            )
            made = TileBuffer(fresh(name), packed, (tile, tile_k), "l1", "panel", unit)
            lane, count = (i, rows) if is_a else (j, columns)
            source = substitute(side_value(value, packed), at)
            axes = (Axis(lane.name, ZERO, count), Axis(deep.name, ZERO, depth))
            inner.append(
                Copy(Region(made.name, zero, (count, depth)), Gather(axes, source))
            )
            panels[value, is_a] = made
            buffers.append(made)
        return panels[value, is_a]

    totals: dict[Expr, Expr] = {}
    for s in c.sums:
        acc = TileBuffer(fresh("acc"), accumulator, (tile_m, tile_n), "register")
        buffers.append(acc)
        left, right = panel(s.a, True), panel(s.b, False)
        inner.append(
            Mma(
                Region(acc.name, zero, (rows, columns)),
                Region(left.name, zero, (rows, depth)),
                Region(right.name, zero, (depth, columns), None, (1, 0)),
                Prim("eq", (k0, ZERO), BOOL),
            )
        )
        totals[s.fold] = as_type(Read(acc.name, (i, j), accumulator), s.fold.dtype)
    # With k = 0 the loop still runs once, on nothing: the sums are then zero.
    loop = TileLoop(
        Axis(k0.name, ZERO, most(c.k.extent, ONE)), tile_k, "pipelined", tuple(inner)
    )
    body: list[TileStatement] = [*map(AllocTile, buffers), loop]
    where = tuple(substitute(x.index, at) for x in c.axes)
    for name, value in c.outputs:
        done = substitute(value, at | totals)
        region = Region(name, where, tuple(ONE for _ in where))
        grid = (Axis(i.name, ZERO, rows), Axis(j.name, ZERO, columns))
        body.append(Map(region, grid, done))
    nest: TileStatement = TileLoop(
        Axis(m0.name, ZERO, c.m.extent), tile_m, "grid", tuple(body)
    )
    nest = TileLoop(Axis(n0.name, ZERO, c.n.extent), tile_n, "grid", (nest,))
    if c.batch.axes:
        nest = TileLoop(Axis(batch.name, ZERO, c.batch.extent), ONE, "grid", (nest,))
    p = c.program
    program = TileProgram(
        builder.name,
        tuple(global_buffer(builder, t.name) for t in p.inputs),
        tuple(global_buffer(builder, t.name) for t in p.outputs),
        p.sizes,
        p.scalars,
        (nest,),
        "contraction",
    )
    made_of = {
        buffer.name: Panel(value, is_a, m0 if is_a else n0, k0)
        for (value, is_a), buffer in panels.items()
    }
    return Tiled(program, made_of, by_batch)


def side_value(value: Expr, packed: DType) -> Expr:
    """A side in the type of its panel."""
    node = value.value if isinstance(value, Cast) and packed == BFLOAT16 else value
    return as_type(node, packed)


def global_buffer(builder: Builder, name: str) -> TileBuffer:
    """An argument."""
    b = builder.buffers[name]
    return TileBuffer(b.name, b.dtype, b.shape, "global", strides=b.strides)
