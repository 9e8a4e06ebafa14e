"""A contraction on a CPU: tiles as loops, and three shapes that are not worth packing.

* Few rows (m or n at most 4): each element of the large side is used once or a few
  times, so it is streamed where it lies, at the speed of memory.
* Small: both sides fit in L1 or L2 as they lie; the microkernel reads them in place.
* Sums that are the result: they are kept in the output, not in a buffer beside it.

Which of them applies depends on sizes and strides, so the kernel asks at launch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from opslib.ir import loops
from opslib.ir.dtypes import BFLOAT16, BOOL, INT64, DType
from opslib.ir.expr import (
    ONE,
    TRUE,
    ZERO,
    Axis,
    Const,
    Expr,
    Index,
    Prim,
    Program,
    Read,
    Var,
    substitute,
)
from opslib.ir.loops import Alloc, Buffer, For, If, Let, Place, Statement
from opslib.ir.tiles import Copy, Gather, Map, Mma, Region, TileLoop
from opslib.ir.verify_tiles import check_tiles
from opslib.lowering import cpu_target, microkernels, windows
from opslib.lowering.cpu_target import CpuTarget, blocking
from opslib.lowering.flatten import Group
from opslib.lowering.microkernels import F32, F64, Kind, kind_of
from opslib.lowering.pack_loops import Plain, Target, copied, plain
from opslib.lowering.simplify import simplified
from opslib.lowering.skeletons import contraction, contraction_tiles
from opslib.lowering.skeletons import contraction_phases as phases
from opslib.lowering.skeletons.arith import add, integer, least, mul, product, sub
from opslib.lowering.skeletons.builder import Builder, Layout
from opslib.lowering.skeletons.contraction import Contraction
from opslib.lowering.tiles_to_loops import TILE_M, TILE_N, Cut, Instead, Lowering
from opslib.lowering.windows import Window

FEW = 4
# Multiply-adds up to which the microkernel reads both sides where they lie: 128^3.
SMALL = 1 << 21
# Lanes of the large side that a worker streams at once, at most. Where they are
# contiguous, long runs count: one thread of Zen 4 reads 13 GB/s in runs of 256 float32,
# 16 in runs of 1024 and 23 in runs of 4096; the sums, 16 KiB, still fit L1.
CHUNK = 4096


def lower(
    program: Program, layout: Layout, name: str | None = None
) -> loops.Kernel | None:
    """The kernel of a program that is a contraction, else None."""
    found = contraction.match(program, phased=True)
    if found is None:
        return None
    kind = kind_of(found.dtype)
    sides = {x.dtype for s in found.sums for x in (s.a, s.b)}
    if kind is None or sides != {found.dtype}:
        return None
    builder = Builder(found.program, layout, name)
    deepest = found.k.extent
    make = _Make(found, builder, kind, cpu_target.current(), deepest)
    if not (found.m.axes or found.phases or make.few(False)):
        return None  # a block would be all padding
    return make.kernel()


@dataclass
class _Make:
    c: Contraction
    builder: Builder
    kind: Kind
    target: CpuTarget
    deepest: Expr

    def kernel(self) -> loops.Kernel:
        """All variants behind their conditions."""
        body = self.builder.root()
        body.statements += self.phased() if self.c.phases else self.variants()
        checks = self.builder.root()
        self.builder.checks(checks)
        body.statements[:0] = checks.statements
        return self.builder.kernel(body, "contraction")

    def variants(self) -> list[Statement]:
        """The ways to do it, behind their conditions."""
        body = self.blocked()
        for swapped in (True, False):
            streamed = self.few(swapped)
            if streamed is not None and streamed[0] == TRUE:
                body = streamed[1]
            elif streamed is not None:
                body = [If(streamed[0], tuple(streamed[1]), tuple(body))]
        return body

    def phased(self) -> list[Statement]:
        """Each remainder of each phase on its own: loops around a contraction."""
        heads = []
        for p in self.c.phases:
            self.c, head = phases.one(self.c, p, self.builder.fresh)
            heads.append(head)
        body = self.variants()
        for p, (remainder, lets) in reversed(
            list(zip(self.c.phases, heads, strict=True))
        ):
            axis = Axis(remainder, ZERO, p.divisor)
            body = [For(axis, "serial", (*lets, *body))]
        return body

    # -- blocks ----------------------------------------------------------------------

    def blocked(self) -> list[Statement]:
        """Packed panels and the microkernel."""
        c, target = self.c, self.target
        accumulator = self.kind.accumulator
        pairs = self.pairs()
        block = blocking(target, accumulator)
        deep = block.k * (2 if pairs else 1)
        units = target.rows, target.columns(accumulator)
        sizes = (TILE_M, TILE_N, integer(deep))
        tiled = contraction_tiles.tiles(
            c, self.builder, accumulator, units, sizes, pairs
        )
        program = tiled.program
        check_tiles(program)
        lowering = Lowering(target, self.builder.fresh, dict(self.builder.buffers))
        first = program.body[0]
        assert isinstance(first, TileLoop)
        inner = innermost(first)
        lowering.direct = self.direct(inner)
        lowering.instead = self.small(lowering, pairs)
        lowering.windows = self.windows(tiled, units)
        cut = Cut(
            c.batch.extent, c.m.extent, c.n.extent, c.k.extent, block.m, block.n, *units
        )
        return lowering.grid(first, cut, ONE)

    def windows(
        self, tiled: contraction_tiles.Tiled, units: tuple[int, int]
    ) -> dict[str, tuple[Window, Expr, Expr]]:
        """The panels packed from windows: where axes do not merge into a matrix."""
        c, found = self.c, {}
        for name, panel in tiled.panels.items():
            lanes, unit = (c.m, units[0]) if panel.is_a else (c.n, units[1])
            if not contraction.is_matrix(panel.value, lanes, c.k):
                w = self.window(panel.value, lanes, tiled.batch)
                if w is not None and unit <= windows.MOST_LANES:
                    found[name] = (w, panel.first, panel.deep)
        return found

    def window(
        self, value: Expr, lanes: Group, batch: dict[Expr, Expr]
    ) -> Window | None:
        """A side as a window, if there are functions for its type."""
        w = windows.window(value, lanes, self.c.k, self.builder.buffers)
        if w is None or w.dtype.name not in self.kind.few:
            return None
        return w.at(lambda e: simplified(substitute(e, batch)))

    def pairs(self) -> bool:
        """Whether bfloat16 stays so: strided matrices, and a unit that has it."""
        return self.target.bf16_dot and self.kind is F32 and self.matrices(BFLOAT16)

    def matrices(self, stored: DType) -> bool:
        """Whether all sides are strided matrices of a type in memory."""
        c = self.c
        return all(
            contraction.stored_type(s.a) == stored
            and contraction.stored_type(s.b) == stored
            and contraction.is_matrix(s.a, c.m, c.k)
            and contraction.is_matrix(s.b, c.n, c.k)
            for s in c.sums
        )

    def direct(self, inner: TileLoop) -> dict[str, tuple[Place, Expr]]:
        """The accumulator's place in the output, when it needs no buffer of its own."""
        c = self.c
        if len(c.outputs) != 1 or c.outputs[0][1] is not c.sums[0].fold:
            return {}
        buffer = self.builder.buffers[c.outputs[0][0]]
        if buffer.dtype != self.kind.accumulator or len(c.m.axes) > 1:
            return {}
        if c.n.axes != c.axes[-1:] or buffer.strides[-1] is not ONE:
            return {}
        row: Expr = ONE
        if c.m.axes:
            row = buffer.strides[c.axes.index(c.m.axes[0])]
        stored = inner.body[-1]
        assert isinstance(stored, Map)
        assert isinstance(stored.value, Read)
        zero: dict[Expr, Expr] = {a.index: ZERO for a in stored.axes}
        place = tuple(simplified(substitute(o, zero)) for o in stored.target.offsets)
        return {stored.value.tensor: (Place(buffer.name, place, writes=True), row)}

    def small(self, lowering: Lowering, pairs: bool) -> Instead | None:
        """How to do a small product in place; None when the sides do not allow it."""
        c, kind = self.c, self.kind
        if pairs or kind not in (F32, F64) or not self.matrices(kind.accumulator):
            return None
        unit = integer(self.target.columns(kind.accumulator))

        def instead(loop: TileLoop) -> tuple[Expr, list[Statement]] | None:
            zero: dict[Expr, Expr] = {loop.axis.index: ZERO}
            sides: dict[str, Plain] = {}
            counts: dict[str, Expr] = {}
            calls: list[Statement] = []
            work = product([c.m.extent, c.n.extent, c.k.extent])
            fits = _le(work, integer(SMALL))
            for s in loop.body:
                if isinstance(s, Copy):
                    assert isinstance(s.source, Gather)
                    lane, deep = s.source.axes
                    value = substitute(lowering.fixed(s.source.value), zero)
                    side = plain(
                        simplified(value), lane.name, deep.name, lowering.buffers
                    )
                    if side is None:
                        return None
                    sides[s.target.buffer] = side
                    counts[s.target.buffer] = lowering.fixed(s.target.extents[0])
                elif isinstance(s, Mma):
                    a, b = sides[s.a.buffer], sides[s.b.buffer]
                    fits = _and(fits, _eq(b.row, ONE))
                    place, row = self.accumulator(lowering, s.accumulator.buffer)
                    calls.append(
                        microkernels.block_in_place(
                            kind, self.target, counts[s.a.buffer], counts[s.b.buffer],
                            c.k.extent, a.place, a.row, a.step, b.place, b.step, unit,
                            place, row, ZERO,
                        )
                    )  # fmt: skip
            return None if fits == Const(False, BOOL) else (fits, calls)

        return instead

    def accumulator(self, lowering: Lowering, name: str) -> tuple[Place, Expr]:
        """Where sums are kept, and the distance of their rows."""
        if name in lowering.direct:
            place, row = lowering.direct[name]
            return replace(
                place, indices=tuple(map(lowering.fixed, place.indices))
            ), row
        return Place(name, (ZERO, ZERO), writes=True), lowering.buffers[name].strides[0]

    # -- few rows --------------------------------------------------------------------

    def few(self, swapped: bool) -> tuple[Expr, list[Statement]] | None:
        """Streaming of b (swapped: of a) when the other side has at most 4 lanes."""
        c, kind = self.c, self.kind
        lanes, wide = (c.n, c.m) if swapped else (c.m, c.n)
        if not wide.axes:
            return None
        pairs = [(s.b, s.a) if swapped else (s.a, s.b) for s in c.sums]
        if any(not contraction.is_matrix(b, wide, c.k) for _, b in pairs):
            return None if swapped else self.few_windows(lanes, wide, pairs)
        for _, b_value in pairs:
            stored = contraction.stored_type(b_value)
            if stored is None or stored.name not in kind.few:
                return None
        enough = _le(lanes.extent, integer(FEW))
        if enough == Const(False, BOOL):
            return None
        parts = []
        for columns in (True, False):
            part = self.streamed(lanes, wide, pairs, columns)
            if part is not None:
                parts.append(part)
        if not parts:
            return None
        fits = parts[0][0]
        statements = list(parts[0][1])
        if len(parts) == 2 and fits is not TRUE:
            fits = simplified(Prim("or", (fits, parts[1][0]), BOOL))
            statements = [If(parts[0][0], tuple(statements), tuple(parts[1][1]))]
        return _and(enough, fits), statements

    def few_windows(
        self, lanes: Group, wide: Group, pairs: list[tuple[Expr, Expr]]
    ) -> tuple[Expr, list[Statement]] | None:
        """Few lanes against a window, which is not worth packing (depthwise)."""
        found: dict[Expr, Window] = {}
        for _, b_value in pairs:
            w = self.window(b_value, wide, {})
            if w is None:
                return None
            found[b_value] = w
        enough = _le(lanes.extent, integer(FEW))
        if enough == Const(False, BOOL):
            return None
        part = self.streamed(lanes, wide, pairs, True, found)
        return None if part is None else (enough, part[1])

    def streamed(
        self,
        lanes: Group,
        wide: Group,
        pairs: list[tuple[Expr, Expr]],
        columns: bool,
        found: dict[Expr, Window] | None = None,
    ) -> tuple[Expr, list[Statement]] | None:
        """One way through the large side, and the condition on its strides."""
        c, kind, fresh = self.c, self.kind, self.builder.fresh
        accumulator = kind.accumulator
        lowering = Lowering(self.target, fresh, dict(self.builder.buffers))
        cell, batch, n0 = fresh("block"), fresh("batch"), fresh("n0")
        i, j, deep = Index(fresh("i")), Index(fresh("j")), Index(fresh("l"))
        start = Var(n0, INT64)
        at: dict[Expr, Expr] = {
            **(c.batch.at(Var(batch, INT64)) if c.batch.axes else {}),
            **lanes.at(i),
            **wide.at(add(start, j)),
            **c.k.at(deep),
        }
        most_n, chunk = integer(CHUNK), TILE_N
        k = c.k.extent
        count = fresh("count")
        chunks = _ceildiv(wide.extent, chunk)
        width = Var(count, INT64)
        rest = Index(cell)
        body: list[Statement] = [
            Let(batch, simplified(Prim("floordiv", (rest, chunks), INT64))),
            Let(n0, mul(simplified(Prim("mod", (rest, chunks), INT64)), chunk)),
            Let(count, least(chunk, sub(wide.extent, start))),
        ]
        condition: Expr = TRUE
        packed: dict[Expr, Buffer] = {}
        zero = (ZERO, ZERO)
        totals: dict[Expr, Expr] = {}
        for s, (x_value, b_value) in zip(c.sums, pairs, strict=True):
            b = plain(substitute(b_value, at), j.name, deep.name, lowering.buffers)
            outer: Expr = ONE
            if not found:
                if b is None:
                    return None
                inner, outer = (b.row, b.step) if columns else (b.step, b.row)
                condition = _and(condition, _eq(inner, ONE))
            if x_value not in packed:
                x = self.scratch(lowering, "x", k, self.deepest)
                packed[x_value] = x
                value = contraction.as_type(substitute(x_value, at), accumulator)
                lane, depth = Axis(i.name, ZERO, lanes.extent), Axis(deep.name, ZERO, k)
                body.append(Alloc(x))
                body += copied(
                    value, lane, depth, Target(x.name, 0, k, accumulator), fresh
                )
            y = self.scratch(lowering, "y", most_n)
            body.append(Alloc(y))
            x, few = packed[x_value], lanes.extent
            if found:
                w = found[b_value].at(lambda e: simplified(substitute(e, at)))
                places = Place(x.name, zero), Place(y.name, zero, writes=True)
                body.append(
                    microkernels.few_window(
                        kind, few, width, k, places[0], w, start, places[1],
                        y.strides[0],
                    )
                )  # fmt: skip
            else:
                assert b is not None
                body.append(self.call(b, columns, few, width, k, x, outer, y))
            read = Read(y.name, (i, j), accumulator)
            totals[s.fold] = contraction.as_type(read, s.fold.dtype)
        if condition == Const(False, BOOL):
            return None
        at = c.at(at)
        where = tuple(substitute(a.index, at) for a in c.axes)
        for name, value in c.outputs:
            done = substitute(value, at | totals)
            grid = (Axis(i.name, ZERO, lanes.extent), Axis(j.name, ZERO, width))
            region = Region(name, where, tuple(ONE for _ in where))
            body += lowering.rows([Map(region, grid, done)])
        axis = Axis(cell, ZERO, mul(c.batch.extent, chunks))
        unit = integer(self.target.columns(accumulator) if columns else 4)
        cut = Cut(
            c.batch.extent, lanes.extent, wide.extent, k, FEW, CHUNK, 1, int(unit.value)
        )
        loop = For(axis, "parallel", tuple(body), None, Var("grain", INT64))
        return condition, [*lowering.plan(cut), loop]

    def scratch(
        self, lowering: Lowering, name: str, width: Expr, most: Expr | None = None
    ) -> Buffer:
        """A few rows of the worker's memory; `most`: of arguments alone."""
        fresh = self.builder.fresh(name)
        shape = (integer(FEW), most or width)
        made = Buffer(fresh, self.kind.accumulator, shape, (width, ONE), "workspace")
        lowering.buffers[fresh] = made
        return made

    def call(
        self, b: Plain, columns: bool, m: Expr, n: Expr, k: Expr,
        x: Buffer, b_row: Expr, y: Buffer,
    ) -> Statement:  # fmt: skip
        """The streaming function."""
        zero = (ZERO, ZERO)
        return microkernels.few(
            self.kind, b.dtype, columns, m, n, k, Place(x.name, zero), b.place, b_row,
            Place(y.name, zero, writes=True), y.strides[0],
        )  # fmt: skip


def innermost(loop: TileLoop) -> TileLoop:
    """The last of a chain of grid loops."""
    while isinstance(loop.body[0], TileLoop) and loop.body[0].kind == "grid":
        loop = loop.body[0]
    return loop


def _le(a: Expr, b: Expr) -> Expr:
    return simplified(Prim("le", (a, b), BOOL))


def _eq(a: Expr, b: Expr) -> Expr:
    return simplified(Prim("eq", (a, b), BOOL))


def _and(a: Expr, b: Expr) -> Expr:
    return simplified(Prim("and", (a, b), BOOL))


def _ceildiv(a: Expr, b: Expr) -> Expr:
    return simplified(Prim("floordiv", (add(a, sub(b, ONE)), b), INT64))
