"""A streaming contraction as tiles: the schedule of one block of rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from opslib.ir import loops
from opslib.ir.dtypes import BOOL, INT64, DType
from opslib.ir.expr import (
    ONE,
    ZERO,
    Axis,
    Const,
    Expr,
    Index,
    Prim,
    Read,
    Select,
    Var,
    substitute,
)
from opslib.ir.monoid import Monoid, sum_of
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
from opslib.lowering import cpu_target
from opslib.lowering.flatten import depends
from opslib.lowering.online_softmax import weight
from opslib.lowering.simplify import simplified
from opslib.lowering.skeletons.arith import (
    add,
    affine,
    floordiv,
    integer,
    least,
    mod,
    most,
    mul,
    product,
    sub,
)
from opslib.lowering.skeletons.builder import Builder, Layout
from opslib.lowering.skeletons.contraction import as_type, is_matrix
from opslib.lowering.skeletons.contraction_tiles import global_buffer
from opslib.lowering.skeletons.streaming import Streaming
from opslib.lowering.tiles_to_loops import TILE_M, Cut, Lowering

# Elements of a step along j, and the most rows of a block: the tile of scores, the
# panels of k and v and the sums then share an L2 of 512 KiB at d = 64.
STEP, ROWS = 256, 16


def lower(s: Streaming, layout: Layout, name: str | None) -> loops.Kernel | None:
    """The CPU kernel."""
    target = cpu_target.current()
    builder = Builder(s.program, layout, name)
    units = target.rows, target.columns(s.dtype)
    program = tiles(s, builder, units, TILE_M)
    check_tiles(program)
    first = program.body[0]
    assert isinstance(first, TileLoop)
    lowering = Lowering(target, builder.fresh, dict(builder.buffers))
    depth = product([s.d.extent, s.j.stop])
    cut = Cut(
        s.batch.extent, s.rows.extent, ONE, depth,
        ROWS * units[0], units[1], units[0], units[1],
    )  # fmt: skip
    body = builder.root()
    builder.checks(body)
    body.statements += lowering.grid(first, cut, ONE)
    return builder.kernel(body, "streaming")


def tiles(
    s: Streaming, builder: Builder, units: tuple[int, int], tile_rows: Expr
) -> TileProgram:
    """The schedule, for any machine with tiles."""
    grid = _Schedule(s, builder, units, tile_rows).grid()
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

    def grid(self) -> TileLoop:
        """Blocks of rows of each batch element."""
        s, fresh = self.s, self.builder.fresh
        batch, r0 = Index(fresh("batch")), Index(fresh("r0"))
        self.r0, self.r = r0, Index(fresh("r"))
        self.at: dict[Expr, Expr] = {
            **(s.batch.at(batch) if s.batch.axes else {}),
            **s.rows.at(add(r0, self.r)),
        }
        self.count = least(self.tile_rows, sub(s.rows.extent, r0))
        body = self.block()
        nest = TileLoop(
            Axis(r0.name, ZERO, s.rows.extent), self.tile_rows, "grid", body
        )
        if s.batch.axes:
            axis = Axis(batch.name, ZERO, s.batch.extent)
            nest = TileLoop(axis, ONE, "grid", (nest,))
        return nest

    # -- pieces ----------------------------------------------------------------------

    def buffer(
        self, name: str, *shape: Expr, layout: str = "row", unit: int = 1
    ) -> TileBuffer:
        scope = "l1" if layout == "panel" else "register"
        fresh = self.builder.fresh(name)
        return TileBuffer(fresh, self.s.dtype, shape, scope, layout, unit)

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

    def block(self) -> tuple[TileStatement, ...]:
        """What happens to one block of rows."""
        s, fresh, dtype = self.s, self.builder.fresh, self.s.dtype
        step = integer(STEP)
        d, width = s.d.extent, s.columns.extent
        deep, t, lane = Index(fresh("l")), Index(fresh("t")), Index(fresh("e"))
        j0 = Index(fresh("j0"))
        low, high = self.range()
        here = least(step, sub(high, j0))
        plain = is_matrix(s.q, s.rows, s.d)
        q = self.buffer(
            "q_tile", self.tile_rows, d, layout="panel" if plain else "row",
            unit=self.units[0] if plain else 1,
        )  # fmt: skip
        k = self.buffer("k_panel", step, d, layout="panel", unit=self.units[1])
        # One line of padding: rows of the score tile then differ in their cache set.
        scores = self.buffer("scores", self.tile_rows, integer(STEP + 16))
        peak, old, factor, bare = (
            self.buffer(x, self.tile_rows) for x in ("peak", "before", "factor", "bare")
        )
        allocs = [q, k, scores, peak, old, factor, bare]
        rows = self.rows_axis()
        columns = Axis(lane.name, ZERO, width)
        along = Axis(t.name, ZERO, here)
        depth = Axis(deep.name, ZERO, d)
        zero = (ZERO, ZERO)
        in_d = s.d.at(deep)
        in_j: dict[Expr, Expr] = {s.j.index: add(j0, t)}

        def side(value: Expr, where: dict[Expr, Expr]) -> Expr:
            return substitute(as_type(value, dtype), self.at | where)

        m, read = self.of(peak, self.r), self.of(scores, self.r, t)
        score = substitute(s.score, self.at | in_j | {s.dot: read})
        number = quiet_pivot(m)
        steps: list[TileStatement] = [
            Copy(
                Region(k.name, zero, (here, d)),
                Gather((along, depth), side(s.k, in_d | in_j)),
            ),
            Mma(
                Region(scores.name, zero, (self.count, here)),
                Region(q.name, zero, (self.count, d)),
                Region(k.name, zero, (d, here), None, (1, 0)),
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
            v = self.buffer("v_panel", width, step, layout="panel", unit=self.units[1])
            sums = self.buffer("sums", self.tile_rows, width)
            allocs += [v, sums]
            weighted = self.of(sums, self.r, lane)
            body.append(self.put_all(sums, columns, Const(0.0, dtype)))
            steps.append(
                self.put_all(sums, columns, _times(weighted, self.of(factor, self.r)))
            )
            in_v = {**in_j, **s.columns.at(lane)}
            steps += [
                Copy(
                    Region(v.name, zero, (width, here)),
                    Gather((columns, along), side(s.v, in_v)),
                ),
                Mma(
                    Region(sums.name, zero, (self.count, width)),
                    Region(scores.name, zero, (self.count, here)),
                    Region(v.name, zero, (here, width), None, (1, 0)),
                ),
            ]
        first = Copy(
            Region(q.name, zero, (self.count, d)),
            Gather((rows, depth), side(s.q, in_d)),
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

    # -- the range of j --------------------------------------------------------------

    def range(self) -> tuple[Expr, Expr]:
        """Bounds of j outside which every score of the block is -inf."""
        low, high = ZERO, self.s.j.stop
        node = self.s.score
        lower: Expr = low
        upper: Expr = high
        while isinstance(node, Select):
            if not _is_nothing(node.no):
                break
            lower, upper = self.narrowed(node.condition, lower, upper)
            node = node.yes
        return most(lower, ZERO) if lower is not ZERO else ZERO, upper

    def narrowed(self, condition: Expr, low: Expr, high: Expr) -> tuple[Expr, Expr]:
        """The range in which `condition` may hold for some row of the block."""
        j = self.s.j.name
        if isinstance(condition, Prim) and condition.op == "and":
            for part in condition.args:
                low, high = self.narrowed(part, low, high)
            return low, high
        if isinstance(condition, Prim) and condition.op == "or":
            # ``not causal or j <= ...``: the bound holds where the switch is off.
            for switch, part in (condition.args, condition.args[::-1]):
                if not any(
                    depends(switch, a.name) for a in (self.s.j, *self.s.rows.axes)
                ):
                    inner = self.narrowed(part, low, high)
                    at = substitute(switch, self.at)
                    return Select(at, low, inner[0]), Select(at, high, inner[1])
            return low, high
        if not (
            isinstance(condition, Prim) and condition.op in ("lt", "le", "gt", "ge")
        ):
            return low, high
        left, right = condition.args
        if left.dtype != INT64:
            return low, high
        smaller, larger = (
            (left, right) if condition.op in ("lt", "le") else (right, left)
        )
        difference = affine(sub(larger, smaller), j)
        if difference is None or not isinstance(difference[0], Const):
            return low, high
        slope, rest = int(difference[0].value), difference[1]
        if condition.op in ("lt", "gt"):
            rest = sub(rest, ONE)
        best = self.largest(rest)
        if best is None or slope not in (1, -1):
            return low, high
        if slope < 0:
            return low, least(high, add(best, ONE))
        return most(low, sub(ZERO, best)), high

    def largest(self, node: Expr) -> Expr | None:
        """The largest value of `node` over the rows of the block."""
        *outer, inner = self.s.rows.axes
        if any(depends(node, a.name) for a in outer):
            return None
        linear = affine(node, inner.name)
        if linear is None or not isinstance(linear[0], Const):
            return None
        start, last = self.r0, add(self.r0, sub(self.count, ONE))
        first_row: Expr = start
        last_row: Expr = last
        if outer:
            extent = inner.stop
            one = Prim("eq", (floordiv(start, extent), floordiv(last, extent)), BOOL)
            first_row = Select(one, mod(start, extent), ZERO)
            last_row = Select(one, mod(last, extent), sub(extent, ONE))
        slope = int(linear[0].value)
        row = last_row if slope > 0 else first_row
        value = add(mul(linear[0], row), linear[1])
        return simplified(substitute(value, self.at))


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


def _is_nothing(node: Expr) -> bool:
    return isinstance(node, Const) and node.value == -math.inf


def _times(a: Expr, b: Expr) -> Expr:
    return Prim("mul", (a, b), a.dtype)
