"""Tiles for a machine without tile hardware: panels are packed, Mma is a microkernel.

A chain of grid loops becomes one parallel loop over blocks; buffers become workspaces
of the worker; copies become packing; consecutive maps and row folds over the same rows
become one loop over rows, so that a row stays in L1 between them.

Tile sizes that the skeleton left open (``Var("tile_m")``, ``Var("tile_n")``) are chosen
at launch by ``ops_contract_plan`` from the extents and the number of workers. How k is
cut is fixed, so a result's bits do not depend on how many workers there are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from opslib.ir.dtypes import BFLOAT16, BOOL, INT64, UINT32
from opslib.ir.expr import (
    ONE,
    TRUE,
    ZERO,
    Axis,
    Cast,
    Const,
    Expr,
    Index,
    Prim,
    Read,
    Select,
    Var,
    substitute,
    walk,
)
from opslib.ir.loops import Alloc, Buffer, For, If, Let, Place, Reduce, Statement
from opslib.ir.loops import Store as LoopStore
from opslib.ir.printer import expression
from opslib.ir.tiles import (
    AllocTile,
    Copy,
    Gather,
    Map,
    Mma,
    Role,
    RowFold,
    TileBuffer,
    TileLoop,
    TileStatement,
    Wait,
)
from opslib.lowering import microkernels
from opslib.lowering.cpu_target import CpuTarget
from opslib.lowering.hoisting import clipped, hoisted, split, wrapped
from opslib.lowering.microkernels import BF16, Kind, kind_of
from opslib.lowering.pack_loops import Target, copied, plain
from opslib.lowering.simplify import simplified
from opslib.lowering.skeletons.arith import (
    add,
    ceildiv,
    contiguous,
    floordiv,
    integer,
    least,
    mod,
    mul,
    product,
    sub,
)
from opslib.lowering.skeletons.builder import combined
from opslib.lowering.windows import Window

TILE_M, TILE_N = Var("tile_m", INT64), Var("tile_n", INT64)


# For a loop over k: a condition, and what to run in its place when that holds.
Instead = Callable[[TileLoop], tuple[Expr, list[Statement]] | None]


@dataclass(frozen=True, slots=True)
class Cut:
    """What the launch-time plan needs: extents, largest blocks, units."""

    batch: Expr
    m: Expr
    n: Expr
    k: Expr
    most_m: int
    most_n: int
    unit_m: int
    unit_n: int


@dataclass
class Lowering:
    """The state of one lowering.

    Attributes:
        target: microkernel shape.
        fresh: makes names nobody has.
        buffers: loops buffers by name, arguments included.
        tiles: the tile buffers that have been allocated.
        names: what grid indices and shared extents became.
        largest: the open tile sizes at their largest.
        direct: accumulators that are a place of an output instead: (place, row stride).
        instead: for a pipelined loop, a condition and what to run when it holds.
        windows: buffers that are packed from a window of a tensor: the window, and the
            first lane and depth.
    """

    target: CpuTarget
    fresh: Callable[[str], str]
    buffers: dict[str, Buffer]
    tiles: dict[str, TileBuffer] = field(default_factory=dict)
    names: dict[Expr, Expr] = field(default_factory=dict)
    largest: dict[Expr, Expr] = field(default_factory=dict)
    direct: dict[str, tuple[Place, Expr]] = field(default_factory=dict)
    instead: Instead | None = None
    windows: dict[str, tuple[Window, Expr, Expr]] = field(default_factory=dict)

    def fixed(self, root: Expr) -> Expr:
        """`root` with grid indices as the variables they became."""
        return substitute(root, self.names) if self.names else root

    def named(self, statements: tuple[TileStatement, ...]) -> list[Statement]:
        """Names for the extents that the statements of a body share."""
        made = {name for s in statements for name in _written(s)}
        found = {
            e
            for s in statements
            for e in extents(s)
            if e.children
            and not any(isinstance(n, Read) and n.tensor in made for n in walk(e))
        }
        found -= set(self.names)
        lets: list[Statement] = []
        for e in sorted(found, key=lambda e: (sum(1 for _ in walk(e)), expression(e))):
            name = self.fresh("extent")
            lets.append(Let(name, simplified(self.fixed(e))))
            self.names[e] = Var(name, INT64)
        return lets

    # -- statements ----------------------------------------------------------------

    def body(self, statements: tuple[TileStatement, ...]) -> list[Statement]:
        """All statements in order, with rows fused."""
        out: list[Statement] = []
        rows: list[Map | RowFold] = []
        for s in statements:
            if isinstance(s, Map | RowFold):
                if rows and _row_axis(rows[0]) is not _row_axis(s):
                    out += self.rows(rows)
                    rows = []
                rows.append(s)
                continue
            out += self.rows(rows)
            rows = []
            match s:
                case AllocTile(buffer):
                    out += self.allocate(buffer)
                case TileLoop():
                    out += self.loop(s)
                case Copy():
                    out += self.copy(s)
                case Mma():
                    out += self.mma(s)
                case Role(_, inner):
                    out += self.body(inner)
                case Wait():
                    pass  # copies are synchronous here
        return out + self.rows(rows)

    def loop(self, s: TileLoop) -> list[Statement]:
        """A serial loop; grid loops are taken by `grid`."""
        axis = Axis(s.axis.name, self.fixed(s.axis.start), self.fixed(s.axis.stop))
        outer = dict(self.names)
        named = self.named(s.body)
        inner = (*named, *self.body(s.body))
        self.names = outer
        loop: Statement = For(axis, "serial", inner, self.fixed(s.step))
        other = self.instead(s) if self.instead and s.kind == "pipelined" else None
        return [loop] if other is None else [If(other[0], tuple(other[1]), (loop,))]

    def grid(self, s: TileLoop, cut: Cut | None, grain: Expr) -> list[Statement]:
        """A chain of grid loops as one parallel loop over blocks."""
        out: list[Statement] = []
        if cut is not None:
            out += self.plan(cut)
            self.largest = {TILE_M: integer(cut.most_m), TILE_N: integer(cut.most_n)}
            grain = Var("grain", INT64)
        chain = [s]
        while (
            isinstance(chain[-1].body[0], TileLoop) and chain[-1].body[0].kind == "grid"
        ):
            chain.append(chain[-1].body[0])
        counts = []
        for g in chain:
            count = ceildiv(sub(g.axis.stop, g.axis.start), g.step)
            name = self.fresh("blocks")
            out.append(Let(name, count))
            counts.append(Var(name, INT64))
        cell = self.fresh("block")
        rest: Expr = Index(cell)
        inner: list[Statement] = []
        for depth in reversed(range(len(chain))):
            g = chain[depth]
            at = rest if depth == 0 else mod(rest, counts[depth])
            inner.append(Let(g.axis.name, add(g.axis.start, mul(at, g.step))))
            self.names[g.axis.index] = Var(g.axis.name, INT64)
            rest = floordiv(rest, counts[depth])
        inner += self.named(chain[-1].body)
        inner += self.body(chain[-1].body)
        axis = Axis(cell, ZERO, product(counts))
        out.append(For(axis, "parallel", tuple(inner), None, grain))
        return out

    def plan(self, cut: Cut) -> list[Statement]:
        """Chooses tile_m, tile_n and grain."""
        name = self.fresh("plan")
        buffer = Buffer(name, INT64, (integer(3),), (ONE,), "stack")
        self.buffers[name] = buffer
        call = microkernels.plan(
            cut.batch, cut.m, cut.n, cut.k,
            (integer(cut.most_m), integer(cut.most_n)),
            (integer(cut.unit_m), integer(cut.unit_n)),
            Place(name, (ZERO,), writes=True),
        )  # fmt: skip
        lets = [
            Let(v, Read(name, (integer(i),), INT64))
            for i, v in enumerate((TILE_M.name, TILE_N.name, "grain"))
        ]
        return [Alloc(buffer), call, *lets]

    def allocate(self, buffer: TileBuffer) -> list[Statement]:
        """A workspace of this worker."""
        self.tiles[buffer.name] = buffer
        if buffer.name in self.direct:
            return []
        # The largest a tile may be: constant, so a worker asks for the memory once.
        shape = tuple(simplified(substitute(e, self.largest)) for e in buffer.shape)
        dtype = buffer.dtype
        if buffer.layout == "panel":
            lanes, depth = shape
            unit = integer(buffer.unit)
            if dtype == BFLOAT16:
                dtype, depth = UINT32, ceildiv(depth, integer(2))
            shape = (mul(ceildiv(lanes, unit), depth), unit)
            strides: tuple[Expr, ...] = (unit, ONE)
        else:
            strides = contiguous(shape)
        made = Buffer(buffer.name, dtype, shape, strides, "workspace")
        self.buffers[buffer.name] = made
        return [Alloc(made)]

    # -- copies and products -------------------------------------------------------

    def copy(self, s: Copy) -> list[Statement]:
        """Packing, by a function where the source is a strided matrix."""
        assert isinstance(s.source, Gather), "skeletons here emit gathers"
        buffer = self.tiles[s.target.buffer]
        lane, deep = (
            Axis(a.name, self.fixed(a.start), self.fixed(a.stop)) for a in s.source.axes
        )
        value = self.fixed(s.source.value)
        unit = buffer.unit if buffer.layout == "panel" else 0
        matrix = plain(value, lane.name, deep.name, self.buffers)
        if unit and matrix is not None:
            kind = BF16 if buffer.dtype == BFLOAT16 else kind_of(buffer.dtype)
            if kind is not None and matrix.dtype.name in kind.packs:
                target = Place(buffer.name, (ZERO, ZERO), writes=True)
                return [
                    microkernels.pack(
                        kind, matrix.dtype, unit, target, matrix.place, matrix.row,
                        matrix.step, lane.stop, deep.stop,
                    )
                ]  # fmt: skip
        lanes = simplified(substitute(buffer.shape[0], self.largest))
        target_ = Target(buffer.name, unit, deep.stop, buffer.dtype, lanes)
        if buffer.name in self.windows:
            return self.window(buffer.name, unit, value, lane, deep)
        return copied(value, lane, deep, target_, self.fresh)

    def window(
        self, panel: str, unit: int, value: Expr, lane: Axis, deep: Axis
    ) -> list[Statement]:
        """Packing of a window."""
        kind = kind_of(self.buffers[panel].dtype)
        assert kind is not None
        found, n0, k0 = self.windows[panel]
        w, target = found.at(self.fixed), Place(panel, (ZERO, ZERO), writes=True)
        span = self.fixed(n0), lane.stop, self.fixed(k0), deep.stop
        packed = microkernels.pack_window(kind, unit, target, w, span)
        if w.guarded:
            return [packed]
        # Axes that lie one in the other make a matrix, transposed in registers.
        one: Expr = TRUE
        for x, y in w.nested():
            one = simplified(Prim("and", (one, Prim("eq", (x, y), BOOL)), BOOL))
        call = microkernels.pack(
            kind, w.dtype, unit, target, self.first(value, lane, deep),
            w.steps("lanes")[-1], w.steps("deep")[-1], lane.stop, deep.stop,
        )  # fmt: skip
        return [If(one, (call,), (packed,))]

    def first(self, value: Expr, lane: Axis, deep: Axis) -> Place:
        """The place of a computed read at the first lane and depth."""
        read = value.value if isinstance(value, Cast) else value
        assert isinstance(read, Read)
        zero: dict[Expr, Expr] = {lane.index: ZERO, deep.index: ZERO}
        return Place(
            read.tensor,
            tuple(simplified(substitute(i, zero)) for i in read.indices),
        )

    def mma(self, s: Mma) -> list[Statement]:
        """The microkernel."""
        c, a = (self.tiles[r.buffer] for r in (s.accumulator, s.a))
        b = self.tiles.get(s.b.buffer)
        kind: Kind | None = BF16 if a.dtype == BFLOAT16 else kind_of(c.dtype)
        assert kind is not None
        m, k = map(self.fixed, s.a.extents)
        n = self.fixed(s.b.extents[1])
        zero = (ZERO, ZERO)
        out = Place(c.name, zero, writes=True)
        if c.name in self.direct:
            place, c_row = self.direct[c.name]
            out = Place(
                place.buffer, tuple(map(self.fixed, place.indices)), writes=True
            )
        else:
            c_row = self.buffers[c.name].strides[0]
        accumulate: Expr = ONE
        if s.clear is not None:
            accumulate = simplified(Select(self.fixed(s.clear), ZERO, ONE))
        deep = ceildiv(k, integer(2)) if kind is BF16 else k
        if b is None or b.layout == "row":
            return self.rows_product(kind, s, (m, n, k), out, c_row, accumulate)
        first, second = Place(a.name, zero), Place(b.name, zero)
        if a.layout == "panel":
            call = microkernels.block(
                kind, self.target, m, n, deep, first, second, out, c_row, accumulate
            )
        else:
            unit = integer(b.unit)
            call = microkernels.block_in_place(
                kind, self.target, m, n, k, first, self.buffers[a.name].strides[0], ONE,
                second, unit, mul(unit, k), out, c_row, accumulate,
            )  # fmt: skip
        return [call]

    def rows_product(
        self, kind: Kind, s: Mma, extents: tuple[Expr, Expr, Expr],
        out: Place, c_row: Expr, accumulate: Expr,
    ) -> list[Statement]:  # fmt: skip
        """A product of a few rows with b as it lies, in a tile or in memory.

        Its elements are neighbours along n or, transposed, along k.
        """
        (m, n, k), (a, b) = extents, (self.buffers[r.buffer] for r in (s.a, s.b))
        by_k, by_n = (b.strides[axis] for axis in s.b.axes or (0, 1))
        assert accumulate is ZERO
        # Four rows at a time. The functions take row i of a at x + i * k: where a has
        # padding, or is not full, it is one row at a time.
        four, row = integer(4), Index(self.fresh("four"))
        step = simplified(Select(Prim("eq", (k, a.strides[0]), BOOL), four, ONE))
        call = microkernels.few(
            kind, b.dtype, by_n is ONE, least(step, sub(m, row)), n, k,
            Place(a.name, (row, ZERO)),
            Place(b.name, tuple(map(self.fixed, s.b.offsets))),
            by_k if by_n is ONE else by_n,
            Place(out.buffer, (row, ZERO), writes=True), c_row,
        )  # fmt: skip
        return [For(Axis(row.name, ZERO, m), "serial", (call,), step)]

    # -- rows ----------------------------------------------------------------------

    def rows(self, group: list[Map | RowFold]) -> list[Statement]:
        """One loop over rows for all of them."""
        if not group:
            return []
        axis = _row_axis(group[0])
        if axis is None:
            return [x for s in group for x in self.row(s, None)]
        inner: list[Statement] = []
        for s in group:
            inner += self.row(s, axis.name)
        if not inner:
            return []
        whole = Axis(axis.name, self.fixed(axis.start), self.fixed(axis.stop))
        return [For(whole, "serial", tuple(inner))]

    def row(self, s: Map | RowFold, row: str | None) -> list[Statement]:
        """What one statement does in one row."""
        if isinstance(s, RowFold):
            return self.fold(s)
        value = self.fixed(s.value)
        places = tuple(map(self.fixed, s.target.offsets))
        columns = [a for a in s.axes if a.name != row]
        if self.direct and isinstance(s.value, Read) and s.value.tensor in self.direct:
            return []
        if not columns:
            return [LoopStore(s.target.buffer, places, value)]
        (column,) = columns
        lets, moved = hoisted(value, column.name, self.fresh)
        stop = self.fixed(column.stop)
        part = split([moved, *places], column.name, stop, self.fresh)
        more, inner = hoisted(part.rewrite(moved), column.name, self.fresh)
        stores = tuple(map(part.rewrite, places))

        def loop(low: Expr, high: Expr, v: Expr) -> Statement:
            store = LoopStore(s.target.buffer, stores, v)
            return For(Axis(column.name, low, high), "vector", (store,))

        cut = clipped(inner, column.name, part.low, part.high)
        if cut is None or not isinstance(cut.fill, Const):
            return [*lets, *wrapped(part, [*more, loop(part.low, part.high, inner)])]
        # A mask that is a range: no test in the loop.
        first, last = self.fresh("first"), self.fresh("last")
        begin, end = Var(first, INT64), Var(last, INT64)
        ranges = [
            Let(first, cut.low),
            Let(last, cut.high),
            loop(part.low, begin, cut.fill),
            loop(begin, end, cut.value),
            loop(end, part.high, cut.fill),
        ]
        return [*lets, *wrapped(part, [*more, *ranges])]

    def fold(self, s: RowFold) -> list[Statement]:
        """A vector reduction joined to what the targets hold."""
        axis = Axis(s.axis.name, self.fixed(s.axis.start), self.fixed(s.axis.stop))
        lets: list[Statement] = []
        args = []
        for a in s.args:
            more, inner = hoisted(self.fixed(a), axis.name, self.fresh)
            lets += more
            args.append(inner)
        names = tuple(self.fresh(s.monoid.name) for _ in s.monoid.state)
        new: tuple[Expr, ...] = tuple(map(Var, names, s.monoid.state))
        out: list[Statement] = [
            *lets, Reduce((axis,), "vector", s.monoid, tuple(args), names)
        ]  # fmt: skip
        places = [tuple(map(self.fixed, t.offsets)) for t in s.targets]
        if not s.clear:
            old: tuple[Expr, ...] = tuple(
                Read(t.buffer, p, d)
                for t, p, d in zip(s.targets, places, s.monoid.state, strict=True)
            )
            new = combined(s.monoid, old, new)
        for t, p, v in zip(s.targets, places, new, strict=True):
            out.append(LoopStore(t.buffer, p, v))
        return out


def extents(s: TileStatement) -> list[Expr]:
    """The extents a statement mentions, outside of what it nests."""
    match s:
        case TileLoop():
            return [s.axis.start, s.axis.stop]
        case Copy():
            inner = s.source.axes if isinstance(s.source, Gather) else ()
            return [*s.target.extents, *(a.stop for a in inner)]
        case Mma():
            return [*s.accumulator.extents, *s.a.extents, *s.b.extents]
        case Map():
            return [a.stop for a in s.axes]
        case RowFold():
            return [a.stop for a in (*s.rows, s.axis)]
    return []


def _written(s: TileStatement) -> list[str]:
    """The buffers a statement writes, outside of what it nests."""
    match s:
        case Copy() | Map():
            return [s.target.buffer]
        case Mma():
            return [s.accumulator.buffer]
        case RowFold():
            return [t.buffer for t in s.targets]
    return []


def _row_axis(s: Map | RowFold) -> Axis | None:
    axes = s.rows if isinstance(s, RowFold) else s.axes[:-1] or s.axes
    if isinstance(s, Map) and len(s.axes) == 1:
        axes = s.axes
    return axes[0] if axes else None
