"""A streaming contraction as tiles: the schedule of one block of rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce

import numpy as np

from opslib.ir import loops
from opslib.ir.dtypes import BOOL, INT64, DType
from opslib.ir.expr import (
    ONE,
    ZERO,
    Axis,
    Const,
    Expr,
    Fold,
    Index,
    Prim,
    Read,
    Select,
    Var,
    substitute,
)
from opslib.ir.monoid import Monoid, count_of, sum_of
from opslib.ir.tiles import (
    AllocTile,
    Copy,
    Gather,
    Map,
    Mma,
    Region,
    RowFold,
    TileBuffer,
    TileLoop,
    TileProgram,
    TileStatement,
)
from opslib.ir.verify_tiles import check_tiles
from opslib.lowering import cpu_target, ragged
from opslib.lowering.flatten import depends
from opslib.lowering.online_softmax import weight
from opslib.lowering.ragged import Segment
from opslib.lowering.simplify import simplified
from opslib.lowering.skeletons.arith import (
    add,
    affine,
    ceildiv,
    floordiv,
    integer,
    least,
    most,
    mul,
    product,
    sub,
    varies,
)
from opslib.lowering.skeletons.builder import Builder, Layout
from opslib.lowering.skeletons.contraction import as_type, is_matrix
from opslib.lowering.skeletons.contraction_tiles import global_buffer
from opslib.lowering.skeletons.streaming import Streaming
from opslib.lowering.skeletons.streaming_range import Block, reach
from opslib.lowering.tiles_to_loops import TILE_M, Lowering

# Elements of a step along j, and the most rows of a block: the tile of scores, the
# panels of k and v and the sums then share an L2 of 512 KiB at d = 64.
STEP, ROWS = 256, 16
# Rows up to which k and v are used as they lie, and elements of a step along j then:
# what one thread reads of k and v grows from 8 to 9 GB/s between 64 and 256.
FEW, SHORT = 8, 256
# Multiply-adds that outweigh waking a worker, as in native/opslib_contract.h.
GRAIN = 1 << 19


def lower(s: Streaming, layout: Layout, name: str | None) -> loops.Kernel | None:
    """The CPU kernel: a schedule for blocks of rows, and one for few rows."""
    target = cpu_target.current()
    builder = Builder(s.program, layout, name)
    units = target.rows, target.columns(s.dtype)
    depth = product([s.d.extent, sub(s.j.stop, s.j.start)])
    if varies(depth):
        depth = product([s.d.extent, s.j.bound or ONE])
    grids = []
    for few in (False, True):
        most_rows, rows = (FEW, integer(FEW)) if few else (ROWS * units[0], TILE_M)
        program = tiles(s, builder, units, rows, few=few)
        check_tiles(program)
        first = program.body[0]
        assert isinstance(first, TileLoop)
        lowering = Lowering(target, builder.fresh, dict(builder.buffers))
        lowering.largest = {TILE_M: integer(most_rows)}
        height = least(rows, s.rows.extent)
        grain = add(floordiv(integer(GRAIN), mul(height, depth)), ONE)
        cut = [] if few else [loops.Let(TILE_M.name, block_rows(s, units[0]))]
        grids.append((*cut, *lowering.grid(first, None, grain)))
    body = builder.root()
    builder.checks(body)
    enough = simplified(Prim("le", (s.rows.extent, integer(FEW)), BOOL))
    body.statements.append(loops.If(enough, grids[1], grids[0]))
    return builder.kernel(body, "streaming")


def block_rows(s: Streaming, unit: int) -> Expr:
    """Rows of a block: a quarter of them, in whole units, within bounds.

    Where a block ends decides how far it reaches along j, and with it how the sums of
    its rows are grouped. So the cut must not depend on the number of workers, nor on
    the batch: it is by the rows alone.
    """
    quarter = ceildiv(ceildiv(s.rows.extent, integer(4)), integer(unit))
    units = least(integer(ROWS), most(integer(ROWS // 4), quarter))
    return mul(units, integer(unit))


def tiles(
    s: Streaming,
    builder: Builder,
    units: tuple[int, int],
    tile_rows: Expr,
    *,
    few: bool = False,
) -> TileProgram:
    """The schedule, for any machine with tiles.

    With `few`, keys and values are used as they lie, row by row: with a handful of
    queries there is nothing to gain from packing them.
    """
    grid = _Schedule(s, builder, units, tile_rows, few).grid()
    p = s.program
    return TileProgram(
        builder.name,
        tuple(global_buffer(builder, t.name) for t in p.inputs),
        tuple(global_buffer(builder, t.name) for t in p.outputs),
        p.sizes,
        p.scalars,
        (grid,),
        "streaming",
    )


@dataclass
class _Schedule:
    s: Streaming
    builder: Builder
    units: tuple[int, int]
    tile_rows: Expr
    few: bool

    def grid(self) -> TileLoop:
        """Blocks of rows of each batch element."""
        s, fresh = self.s, self.builder.fresh
        batch, r0 = Index(fresh("batch")), Index(fresh("r0"))
        self.r = Index(fresh("r"))
        self.outer = s.batch.at(batch) if s.batch.axes else {}
        self.start(r0, least(self.tile_rows, sub(s.rows.extent, r0)))
        body = self.block() if s.segment is None else self.segments(s.segment)
        nest = TileLoop(
            Axis(r0.name, ZERO, s.rows.extent), self.tile_rows, "grid", body
        )
        if s.batch.axes:
            axis = Axis(batch.name, ZERO, s.batch.extent)
            nest = TileLoop(axis, ONE, "grid", (nest,))
        return nest

    def start(self, r0: Expr, count: Expr) -> None:
        """What follows is about the rows ``r0 .. r0 + count``."""
        self.r0, self.count = r0, count
        self.at: dict[Expr, Expr] = {
            **self.outer, **self.s.rows.at(add(r0, self.r))
        }  # fmt: skip

    def segments(self, segment: Segment) -> tuple[TileStatement, ...]:
        """The rows of a block, sequence by sequence.

        A row's sequence never falls, so the rows of one are neighbours: as many lie
        before them as have a lesser sequence. That holds whatever the data are.
        """
        fresh, rows = self.builder.fresh, self.rows_axis()
        r0, block = self.r0, self.count
        which = self.integers("which", self.tile_rows)
        before, until = self.integers("before", ONE), self.integers("until", ONE)
        value = substitute(segment.value, self.at)
        assert isinstance(value, Fold)
        (over,) = value.axes
        row = Region(which.name, (self.r,), (ONE,))
        at = Index(fresh(segment.index.name))
        own = self.of(which, self.r)
        first, last = self.of(which, ZERO), self.of(which, sub(block, ONE))
        fold = [
            RowFold(
                (Region(buffer.name, (ZERO,), (ONE,)),), (), rows, count_of(),
                (Prim(op, (own, at), BOOL),), clear=True,
            )
            for buffer, op in ((before, "lt"), (until, "le"))
        ]  # fmt: skip
        r1 = Index(fresh("r1"))
        begin = add(r0, self.of(before, ZERO))
        end = add(r0, self.of(until, ZERO))
        self.outer = {**self.outer, segment.index: at}
        self.start(r1, sub(end, r1))
        run = TileLoop(
            Axis(r1.name, begin, end), self.tile_rows, "serial", self.block()
        )
        loop = Axis(at.name, first, add(last, ONE))
        return (
            *(AllocTile(b) for b in (which, before, until)),
            RowFold((row,), (rows,), over, value.monoid, value.args, clear=True),
            TileLoop(loop, ONE, "serial", (*fold, run)),
        )

    # -- pieces ----------------------------------------------------------------------

    def buffer(
        self, name: str, *shape: Expr, layout: str = "row", unit: int = 1
    ) -> TileBuffer:
        scope = "l1" if layout == "panel" else "register"
        fresh = self.builder.fresh(name)
        return TileBuffer(fresh, self.s.dtype, shape, scope, layout, unit)

    def integers(self, name: str, extent: Expr) -> TileBuffer:
        """Whole numbers, one for each row."""
        return TileBuffer(self.builder.fresh(name), INT64, (extent,), "register")

    def rows_axis(self) -> Axis:
        return Axis(self.r.name, ZERO, self.count)

    def put(self, buffer: TileBuffer, value: Expr) -> Map:
        """``buffer[r] = value`` for all rows."""
        return Map(Region(buffer.name, (self.r,), (ONE,)), (self.rows_axis(),), value)

    def put_all(self, buffer: TileBuffer, column: Axis, value: Expr) -> Map:
        """``buffer[r, column] = value``."""
        region = Region(buffer.name, (self.r, column.index), (ONE, ONE))
        return Map(region, (self.rows_axis(), column), value)

    def of(self, buffer: TileBuffer, *indices: Expr) -> Read:
        read = Read(buffer.name, indices, buffer.dtype)
        assert isinstance(read, Read)
        return read

    def side(self, value: Expr, where: dict[Expr, Expr]) -> Expr:
        """A side of a product at a place of the block."""
        return substitute(as_type(value, self.s.dtype), self.at | where)

    def masked(self, score: Expr) -> Expr:
        """The score with its conditions."""
        return _when(self.s.masks, score, Const(-math.inf, score.dtype))

    def block(self) -> tuple[TileStatement, ...]:
        """What happens to one block of rows."""
        s, fresh, dtype = self.s, self.builder.fresh, self.s.dtype
        step = integer(SHORT if self.few else STEP)
        d, width = s.d.extent, s.columns.extent
        deep, t, lane = Index(fresh("l")), Index(fresh("t")), Index(fresh("e"))
        j0 = Index(fresh("j0"))
        low, high = reach(s, Block(s.rows, self.r0, self.count, self.at))
        here = least(step, sub(high, j0))
        plain = is_matrix(s.q, s.rows, s.d) and not self.few
        q = self.buffer(
            "q_tile", self.tile_rows, d, layout="panel" if plain else "row",
            unit=self.units[0] if plain else 1,
        )  # fmt: skip
        # One line of padding: rows of the score tile then differ in their cache set.
        pitch = step if self.few else add(step, integer(16))
        scores = self.buffer("scores", self.tile_rows, pitch)
        peak, old, factor, bare = (
            self.buffer(x, self.tile_rows) for x in ("peak", "before", "factor", "bare")
        )
        allocs = [q, scores, peak, old, factor, bare]
        rows = self.rows_axis()
        columns = Axis(lane.name, ZERO, width)
        along = Axis(t.name, ZERO, here)
        depth = Axis(deep.name, ZERO, d)
        zero = (ZERO, ZERO)
        in_d = s.d.at(deep)
        in_j: dict[Expr, Expr] = {s.j.index: add(j0, t)}
        m, read = self.of(peak, self.r), self.of(scores, self.r, t)
        score = substitute(self.masked(s.score), self.at | in_j | {s.dot: read})
        number = quiet_pivot(m)
        k_tiles, k_copies, k_region = self.fetched(
            "k", along, depth, self.side(s.k, in_d | in_j), step, transposed=True
        )
        allocs += k_tiles
        steps: list[TileStatement] = [
            *k_copies,
            Mma(
                Region(scores.name, zero, (self.count, here)),
                Region(q.name, zero, (self.count, d)),
                k_region,
                Const(True, BOOL),
            ),
            self.put(old, m),
            self.put_all(scores, along, score),
            RowFold(
                (Region(peak.name, (self.r,), (ONE,)),), (rows,), along,
                quiet_maximum(dtype), (read,),
            ),
            self.put(factor, weight(quiet_pivot(self.of(old, self.r)), number)),
            self.put(bare, _times(self.of(bare, self.r), self.of(factor, self.r))),
            self.put_all(scores, along, weight(read, number)),
            RowFold(
                (Region(bare.name, (self.r,), (ONE,)),), (rows,), along,
                sum_of(dtype), (read,),
            ),
        ]  # fmt: skip
        body: list[TileStatement] = [
            self.put(peak, Const(-math.inf, dtype)),
            self.put(bare, Const(0.0, dtype)),
        ]
        weighted: Expr | None = None
        if s.v is not None:
            sums = self.buffer("sums", self.tile_rows, width)
            allocs.append(sums)
            weighted = self.of(sums, self.r, lane)
            body.append(self.put_all(sums, columns, Const(0.0, dtype)))
            steps.append(
                self.put_all(sums, columns, _times(weighted, self.of(factor, self.r)))
            )
            value = self.side(s.v, in_j | s.columns.at(lane))
            v_tiles, v_copies, v_region = self.fetched(
                "v", along, columns, value, step, transposed=False
            )
            allocs += v_tiles
            shares = Region(scores.name, zero, (self.count, here))
            if self.few:
                part = self.buffer("part", self.tile_rows, width)
                allocs.append(part)
                target = Region(part.name, zero, (self.count, width))
                both = Prim(
                    "add", (weighted, self.of(part, self.r, lane)), weighted.dtype
                )
                products: tuple[TileStatement, ...] = (
                    Mma(target, shares, v_region, Const(True, BOOL)),
                    self.put_all(sums, columns, both),
                )
            else:
                target = Region(sums.name, zero, (self.count, width))
                products = (Mma(target, shares, v_region),)
            if not s.hidden:
                steps += [*v_copies, *products]
            else:
                tiles_, more = self.seen(
                    along, columns, value, in_j, sums, read, (*v_copies, *products)
                )
                allocs += tiles_
                steps += more
        first = Copy(
            Region(q.name, zero, (self.count, d)),
            Gather((rows, depth), self.side(s.q, in_d)),
        )
        stream = TileLoop(Axis(j0.name, low, high), step, "serial", tuple(steps))
        lost = Prim("isnan", (self.of(bare, self.r),), BOOL)
        finish: list[TileStatement] = [
            self.put(peak, Select(lost, Const(math.nan, dtype), m))
        ]
        for name, axes, value in s.outputs:
            states: dict[Expr, Expr] = {
                Var("m", dtype): m,
                Var("bare", dtype): self.of(bare, self.r),
            }
            if weighted is not None:
                states[Var("weighted", dtype)] = weighted
            where = self.at | s.columns.at(lane)
            done = substitute(value, where | states)
            over = (
                (rows, columns)
                if len(axes) > len(s.batch.axes + s.rows.axes)
                else (rows,)
            )
            place = tuple(substitute(a.index, where) for a in axes)
            finish.append(
                Map(Region(name, place, tuple(ONE for _ in place)), over, done)
            )
        return (*(AllocTile(b) for b in allocs), *body, first, stream, *finish)

    def fetched(
        self,
        name: str,
        along: Axis,
        across: Axis,
        value: Expr,
        step: Expr,
        *,
        transposed: bool,
    ) -> tuple[list[TileBuffer], list[TileStatement], Region]:
        """A step of k or v: its tiles, how they are filled, and b of the product.

        What is looked up comes as rows first: then a place is looked up once for a
        whole row, which is read as it lies, and packing finds a matrix.
        """
        zero, wide = (ZERO, ZERO), across.stop
        whole = (wide, along.stop) if transposed else (along.stop, wide)
        lying = self.lying(value, along, across) if self.few else None
        if lying is not None:
            read, axes = lying
            places: dict[Expr, Expr] = {along.index: ZERO, across.index: ZERO}
            at = tuple(simplified(substitute(i, places)) for i in read.indices)
            return (
                [],
                [],
                Region(
                    read.tensor, at, whole, None, axes[::-1] if transposed else axes
                ),
            )
        tiles_: list[TileBuffer] = []
        copies: list[TileStatement] = []
        if self.few or ragged.looks_up([value]):
            rows = self.buffer(f"{name}_rows", step, wide)
            tiles_.append(rows)
            copies.append(
                Copy(
                    Region(rows.name, zero, (along.stop, wide)),
                    Gather((along, across), value),
                )
            )
            value = self.of(rows, along.index, across.index)
            if self.few:
                axes = (1, 0) if transposed else (0, 1)
                return tiles_, copies, Region(rows.name, zero, whole, None, axes)
        lanes, deep = (along, across) if transposed else (across, along)
        shape = (step, wide) if transposed else (wide, step)
        panel = self.buffer(f"{name}_panel", *shape, layout="panel", unit=self.units[1])
        tiles_.append(panel)
        copies.append(
            Copy(
                Region(panel.name, zero, (lanes.stop, deep.stop)),
                Gather((lanes, deep), value),
            )
        )
        extents = (deep.stop, lanes.stop)
        return tiles_, copies, Region(panel.name, zero, extents, None, (1, 0))

    def lying(
        self, value: Expr, along: Axis, across: Axis
    ) -> tuple[Read, tuple[int, int]] | None:
        """`value` as a matrix that lies in memory, `across` contiguous; its axes."""
        if not isinstance(value, Read) or value.dtype != self.s.dtype:
            return None
        buffer = self.builder.buffers[value.tensor]
        where = []
        for axis in (along, across):
            found = [k for k, i in enumerate(value.indices) if depends(i, axis.name)]
            if len(found) != 1:
                return None
            linear = affine(value.indices[found[0]], axis.name)
            if linear is None or linear[0] is not ONE:
                return None
            where.append(found[0])
        if where[0] == where[1] or buffer.strides[where[1]] is not ONE:
            return None
        return value, (where[0], where[1])

    def seen(
        self,
        along: Axis,
        columns: Axis,
        value: Expr,
        in_j: dict[Expr, Expr],
        sums: TileBuffer,
        share: Expr,
        fast: tuple[TileStatement, ...],
    ) -> tuple[list[TileBuffer], list[TileStatement]]:
        """The weighted sum where rows of a block see different values.

        The product gives what a row does not see the weight 0, which is all it takes
        as long as v is finite. A step with a nan or inf in v goes value by value.
        """
        t = along.index
        strange = self.integers("strange", integer(SHORT if self.few else STEP))
        odd = self.integers("odd", ONE)
        infinite = Prim("not", (Prim("isfinite", (value,), BOOL),), BOOL)
        any_ = self.of(odd, ZERO)
        count = RowFold(
            (Region(strange.name, (t,), (ONE,)),), (along,), columns, count_of(),
            (infinite,), clear=True,
        )  # fmt: skip
        total = RowFold(
            (Region(odd.name, (ZERO,), (ONE,)),), (), along, count_of(),
            (Prim("gt", (self.of(strange, t), ZERO), BOOL),), clear=True,
        )  # fmt: skip
        flag = least(any_, ONE)
        once, one = self.builder.fresh("plain"), self.builder.fresh("t")
        by_value: dict[Expr, Expr] = {t: Index(one)}
        conditions = tuple(substitute(c, self.at | in_j) for c in self.s.hidden)
        weighted = self.of(sums, self.r, columns.index)
        term = _when(conditions, _times(share, value), Const(0.0, self.s.dtype))
        added = Prim("add", (weighted, substitute(term, by_value)), self.s.dtype)
        return [strange, odd], [
            count,
            total,
            TileLoop(Axis(once, flag, ONE), ONE, "serial", fast),
            TileLoop(
                Axis(one, ZERO, mul(flag, along.stop)), ONE, "serial",
                (self.put_all(sums, columns, added),),
            ),
        ]  # fmt: skip


def _when(conditions: tuple[Expr, ...], value: Expr, otherwise: Expr) -> Expr:
    """`value` if all conditions hold; a later one may rely on an earlier one."""
    if not conditions:
        return value
    both = reduce(lambda a, b: Prim("and", (a, b), BOOL), conditions)
    return Select(both, value, otherwise)


# A nan score is nan in its exponential, so the bare sum tells whether there was one,
# and the pivot may ignore it until the end. Nor does a pivot tell -0 from 0. That makes
# the maximum two instructions instead of twenty.


def _larger(a: Expr, b: Expr) -> Expr:
    return Select(Prim("gt", (b, a), BOOL), b, a)


def quiet_maximum(dtype: DType) -> Monoid:
    """The largest number; nan is skipped."""
    a, b = Var("a0", dtype), Var("b0", dtype)
    return Monoid(
        "largest", (dtype,), (Const(-math.inf, dtype),), (Var("x0", dtype),),
        (_larger(a, b),), (Var("s0", dtype),), exact=True, idempotent=True,
    )  # fmt: skip


def quiet_pivot(m: Expr) -> Expr:
    """`online_softmax.pivot` of a number."""
    huge = float(np.finfo(m.dtype.numpy).max)
    low = _larger(Const(-huge, m.dtype), m)
    high = Const(huge, m.dtype)
    return Select(Prim("lt", (low, high), BOOL), low, high)


def _times(a: Expr, b: Expr) -> Expr:
    return Prim("mul", (a, b), a.dtype)
