"""The vector cores' half of an attention kernel: weights, and what is summed with them.

Scores come `group` rows at a time, on two sets of buffers in turn. Everything but masks
and biases works on all of them at once. Of 512 scores the largest is three times the
largest of eight; and what a row is to be reduced by is each time eight times itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from opslib.codegen.c_expressions import Entry
from opslib.codegen.c_names import Names
from opslib.codegen.c_types import LOOSE
from opslib.ir.dtypes import FLOAT32
from opslib.ir.expr import (
    ONE,
    ZERO,
    Const,
    Expr,
    Index,
    Prim,
    Select,
    Var,
    free_indices,
    substitute,
    walk,
)
from opslib.lowering import ragged
from opslib.lowering.skeletons.streaming_range import Block, reach

from ..targets import AscendTarget
from .allocate import Tile
from .attention import HALF, LIFT, ROWS, STEP, WIDE, Attention
from .attention_tasks import HalfPrinter, Task
from .lanes import LanePrinter
from .lanes_state import Cannot, Chunk
from .machine import Access, Buffer, Instruction, Launch
from .plan import SIZES
from .scalar import element_type
from .vector_state import Value

# Rows of sums that are added to at a time.
_SOME = HALF // 4
# The largest finite float: pivots are finite.
_HUGE = "3.402823466e38f"


@dataclass(frozen=True, slots=True)
class _Group:
    """C names of what a group of rows is: see `VectorHalf._rows_of`.

    Attributes:
        first: the core's first row in the block.
        j0, keys: the first key of the step, and how many it has.
        g, now: the group's first row of the core's, and how many it has.
        at: where its rows begin in a set of the workspace.
        tail: which of the two sets of buffers it has.
    """

    first: str
    j0: str
    keys: str
    g: str
    now: str
    at: str
    tail: str

    @property
    def scores(self) -> str:
        """The buffer of its scores."""
        return f"scores{self.tail}"


class VectorHalf(LanePrinter):
    """Prints the half; see attention.py for what it works with."""

    def __init__(self, names: Names, a: Attention, target: AscendTarget) -> None:
        super().__init__(names, target, frozenset())
        self.a = a
        self.half = HalfPrinter(self, a)
        # Three parts of bfloat16 and what the vector unit needs to split them off leave
        # room for half as many rows.
        self.group = 16 if a.parts == 2 else 8
        self.count = self.group * STEP
        self.alias: dict[str, str] = {}
        self.chip: dict[str, Buffer] = {}
        short = element_type(a.dtype)
        tile = 4 * self.count
        for tail in ("", "_next"):
            self._buffer(f"scores{tail}", "float", tile, "rows of scores, then weights")
            for k in range(a.parts):
                note = f"part {k} of the weights" if k else "the weights, rounded"
                self._buffer(f"part{k}{tail}", short, tile // 2, note)
        if short == "bfloat16_t":
            self._buffer("back", "float", tile, "a part as floats again")
        self._buffer("sums", "float", 4 * HALF * WIDE, "weighted sums")
        self._buffer("added", "float", 4 * _SOME * WIDE, "products of a step")
        self._buffer("eighths", "float", tile // 8, "of each eight; one for each 64")
        self._buffer("few", "float", tile // 64, "of each 64; eight for each row")
        self._buffer("most", "float", 64, "of each row of the group")
        for name, note in (
            ("peaks", "largest score of each row"),
            ("pivots", "the same, but finite"),
            ("bare", "sums of weights"),
            ("ratios", "what the sums are multiplied by"),
        ):
            self._buffer(name, "float", 4 * HALF, note)
        self._buffer("factors", "float", 8 * HALF, "by which sums shrink, of two steps")
        self._buffer("eight", "float", 32 * HALF, "ratios or factors, eight times")
        # The results, rounded: as many numbers as a part of 16 rows of weights.
        self.out = "part0"
        if self.count < HALF * WIDE:
            self.out = "rounded"
            self._buffer("rounded", short, 2 * HALF * WIDE, "results")
        self._buffer("lanes", "float", 4 * STEP, "0, 1, 2 ...")
        self._buffer("limit", "uint8_t", STEP // 8, "keys within a limit")
        for buffer, _, wide in a.outputs:
            if not wide:
                self._buffer(f"{buffer.name}_out", "float", 4 * HALF, "of each row")

    def _buffer(self, name: str, ctype: str, size: int, note: str) -> None:
        if self.names.fresh(name) != name:
            raise Cannot(f"a tensor called {name}")
        self.chip[name] = Buffer(name, ctype, size, "ub", note)

    def _put(self, instruction: Instruction) -> None:
        """Rows have names of their own; what they touch is the buffer."""
        instruction.accesses = tuple(
            Access(self.alias.get(x.buffer, x.buffer), x.write, x.is_global, x.place,
                   x.turns, x.parallel, x.side)
            for x in instruction.accesses
        )  # fmt: skip
        super()._put(instruction)

    def _v(self, text: str, reads: str, writes: str) -> None:
        """An instruction of the vector unit; names of buffers, separated by spaces."""
        self._put(
            Instruction(
                "V",
                text,
                (
                    *(Access(x, False) for x in reads.split()),
                    *(Access(x, True) for x in writes.split()),
                ),
            )
        )

    # -- the whole -------------------------------------------------------------------

    def emit(self) -> None:
        """The half; raises Cannot where the vector unit lacks something."""
        half = self.half
        column = self.a.s.columns.axes[0]
        self.wide = half.constant("wide", self.scalar(column.stop))
        first = half.constant("start", f"GetSubBlockIdx() * {HALF}")
        # Rows and keys that a tile does not have are computed as well, for nothing.
        for tail in ("", "_next"):
            name = f"scores{tail}"
            self._v(f"Duplicate({name}, 0.0f, {self.count});", "", name)
        self._v(f"Duplicate(added, 0.0f, {_SOME * WIDE});", "", "added")
        for name, count in (("ratios", HALF), ("factors", 2 * HALF)):
            self._v(f"Duplicate({name}, 0.0f, {count});", "", name)
        self._v("CreateVecIndex(lanes, 0.0f, 512);", "", "lanes")
        with half.tasks("GetBlockIdx() / GetTaskRatio()") as t:
            text = f"ops_minimum_i64({t.rows} - {first}, {HALF})"
            mine = half.constant("mine", text)
            for name, value in (
                ("peaks", "-INFINITY"), ("pivots", f"-{_HUGE}"), ("bare", "0.0f")
            ):  # fmt: skip
                self._v(f"Duplicate({name}, {value}, {HALF});", "", name)
            self._v(f"Duplicate(sums, 0.0f, {HALF * WIDE});", "", "sums")
            with half.steps(t) as (step, steps):
                with self.block(f"if ({step} < {steps})"):
                    self._weights(t, step, first, mine)
                with self.block(f"if ({step} > 0)"):
                    self._sums(step, first, mine)
            with self.block(f"if ({mine} > 0)"):
                self._finish(t, first, mine)

    # -- weights ---------------------------------------------------------------------

    def _weights(self, t: Task, step: str, first: str, mine: str) -> None:
        """The weights of a step, a group of rows at a time."""
        half, group = self.half, self.group
        j0, keys = half.keys(t, step)
        self.half.index(Index("#j"), j0)
        self.scopes[-1][("index", self.a.s.j.name)] = Entry(j0, "int64_t")
        half.wait_flag("SCORES")
        g = self.names.fresh("g")
        with (
            self.block(f"if ({mine} > 0)"),
            self.block(f"for (int64_t {g} = 0; {g} < {mine}; {g} += {2 * group})"),
        ):
            self._group(t, step, self._rows_of(first, mine, j0, keys, g, ""))
            with self.block(f"if ({g} + {group} < {mine})"):
                second = half.constant("g", f"{g} + {group}")
                rows = self._rows_of(first, mine, j0, keys, second, "_next")
                self._group(t, step, rows)
        half.set_flag("WEIGHTS", "MTE3")

    def _rows_of(
        self, first: str, mine: str, j0: str, keys: str, g: str, tail: str
    ) -> _Group:
        text = f"ops_minimum_i64({mine} - {g}, {self.group})"
        now = self.half.constant("now", text)
        at = self.half.constant("at", f"({first} + {g}) * {STEP}")
        return _Group(first, j0, keys, g, now, at, tail)

    def _group(self, t: Task, step: str, rows: _Group) -> None:
        """The weights of a group of rows."""
        half, count, group = self.half, self.count, self.group
        scores, g = rows.scores, rows.g
        place = f"{step} % 2 * {ROWS * STEP} + {rows.at}"
        half.issue(
            "MTE2",
            f"opslib::LoadRows({scores}, scores_space[{place}], {rows.now}, "
            f"{rows.keys}, {STEP}, {STEP});",
            Access(scores, True),
        )
        self._scored(t, rows)
        self._folded("Max", scores)
        peaks, pivots, bare = (f"{x}[{g}]" for x in ("peaks", "pivots", "bare"))
        factors = f"factors[{step} % 2 * {HALF} + {g}]"
        self._v(f"Max({peaks}, {peaks}, most, {group});", "peaks most", "peaks")
        self._v(f"Maxs(most, {peaks}, -{_HUGE}, {group});", "peaks", "most")
        self._v(f"Mins(most, most, {_HUGE}, {group});", "most", "most")
        self._v(f"Sub({factors}, {pivots}, most, {group});", "pivots most", "factors")
        self._v(f"Exp({factors}, {factors}, {group});", "factors", "factors")
        self._v(f"Adds({pivots}, most, 0.0f, {group});", "most", "pivots")
        self._v(f"opslib::EightTimes(few, most, {group});", "most", "few")
        self._v(f"opslib::EightTimes(eighths, few, {8 * group});", "few", "eighths")
        self._v(f"opslib::SubEach({scores}, eighths, {count});", f"{scores} eighths",
                scores)  # fmt: skip
        self._v(f"Exp({scores}, {scores}, {count});", scores, scores)
        lift = LIFT.get(self.a.dtype.name)
        if lift is not None:
            text = f"Muls({scores}, {scores}, {lift:.1f}f, {count});"
            self._v(text, scores, scores)
        self._folded("Sum", scores)
        self._v(f"Mul({bare}, {bare}, {factors}, {group});", "bare factors", "bare")
        self._v(f"Add({bare}, {bare}, most, {group});", "bare most", "bare")
        self._split(step, rows)

    def _folded(self, fold: str, scores: str) -> None:
        """`most` of each row of scores."""
        name = {"Max": "LargestOfEight", "Sum": "SumOfEight"}[fold]
        count = self.count
        for into, source, n in (
            ("eighths", scores, count),
            ("few", "eighths", count // 8),
            ("most", "few", count // 64),
        ):
            self._v(f"opslib::{name}({into}, {source}, {n});", source, into)

    def _split(self, step: str, rows: _Group) -> None:
        """The weights in parts of 16 bits, to the cube core."""
        parts, count, scores = self.a.parts, self.count, rows.scores
        half = element_type(self.a.dtype) == "half"
        for k in range(parts):
            part = f"part{k}{rows.tail}"
            self._v(f"Cast({part}, {scores}, RoundMode::CAST_RINT, {count});", scores,
                    part)  # fmt: skip
            shift = f" + {k * ROWS * STEP}" if k else ""
            place = f"{step} % 2 * {parts * ROWS * STEP}{shift} + {rows.at}"
            self.half.issue(
                "MTE3",
                f"opslib::Store(weights_space[{place}], {part}, {rows.now} * {STEP});",
                Access(part, False),
            )
            if k == parts - 1:
                continue
            if half:
                minus = "static_cast<half>(-1.0f)"
                self._v(f"Axpy({scores}, {part}, {minus}, {count});",
                        f"{scores} {part}", scores)  # fmt: skip
                continue
            self._v(f"Cast(back, {part}, RoundMode::CAST_NONE, {count});", part, "back")
            self._v(
                f"Sub({scores}, {scores}, back, {count});", f"{scores} back", scores
            )

    # -- scores ----------------------------------------------------------------------

    def _scored(self, t: Task, group: _Group) -> None:
        """What the formula makes of the products: scaled, masked, biased."""
        s = self.a.s
        dot = Var("dot", FLOAT32)
        score = substitute(s.score, {s.dot: dot})
        scale = _scale(score, dot)
        if scale is not None:
            if scale is not ONE:
                x, by = group.scores, self.operand(substitute(scale, t.at), LOOSE)
                self._v(f"Muls({x}, {x}, {by}, {self.count});", x, x)
            score = dot
        straight = [c for c in s.limits if self._straight(c)]
        # Each takes what the one before made of the products.
        formulas = [] if score is dot else [score]
        for c in s.masks:
            if c not in straight:
                formulas.append(Select(c, dot, Const(-math.inf, FLOAT32)))
        if formulas or straight:
            self._row_by_row(t, group, formulas, straight)
            return
        with self.block(f"if ({group.keys} < {STEP})"):
            self._row_by_row(t, group, [], [])

    def _straight(self, c: Expr) -> bool:
        """Whether a condition is a range of keys, for one row exactly."""
        s = self.a.s
        if isinstance(c, Prim) and c.op == "and":
            return all(map(self._straight, c.args))
        if isinstance(c, Prim) and c.op == "or":
            for switch, part in (c.args, c.args[::-1]):
                if not free_indices(switch) & (s.rows.names | {s.j.name}):
                    return self._straight(part)
            return False
        found = ragged.limit(c, s.j.name)
        return found is not None and ragged.bounded_by_rows(found.value, s.rows)

    def _row_by_row(
        self, t: Task, group: _Group, formulas: list[Expr], straight: list[Expr]
    ) -> None:
        """Row by row what is not the same for all of them."""
        half, s, j0, keys = self.half, self.a.s, group.j0, group.keys
        r = self.names.fresh("r")
        with self.block(f"for (int64_t {r} = 0; {r} < {group.now}; {r}++)"):
            text = f"{group.scores}[{r} * {STEP}]"
            row = half.constant("row", text, "LocalTensor<float>")
            self.alias[row] = group.scores
            self._tiles.all[row] = Tile(row, "float", 0, STEP)
            number = Index("#row")
            if formulas or straight:
                text = f"{t.r0} + {group.first} + {group.g} + {r}"
                half.index(number, half.constant("i", text))
            at = {**t.at, **s.rows.at(number)}
            for formula in formulas:
                self._formula(substitute(formula, at), group, row)
            if not straight:
                with self.block(f"if ({keys} < {STEP})" if formulas else None):
                    self._limited(row, keys, "LT")
                return
            first, last = (
                substitute(e, at) for e in reach(s, Block(s.rows, number, ONE, at))
            )
            if first is not ZERO:
                low = half.constant("from", self.scalar(first))
                with self.block(f"if ({low} > {j0})"):
                    self._limited(row, f"{low} - {j0}", "GE")
            high = half.constant("to", self.scalar(last))
            high = half.constant("until", f"ops_minimum_i64({high}, {j0} + {keys})")
            with self.block(f"if ({high} < {j0} + {STEP})"):
                self._limited(row, f"{high} - {j0}", "LT")

    def _limited(self, row: str, place: str, mode: str) -> None:
        """Scores beyond a key are not there."""
        self._v(
            f"Compares(limit, lanes, static_cast<float>({place}), "
            f"CMPMODE::{mode}, {STEP});",
            "lanes",
            "limit",
        )
        self._v(
            f"Select({row}, limit, {row}, -INFINITY, "
            f"SELMODE::VSEL_TENSOR_SCALAR_MODE, {STEP});",
            f"limit {row}",
            row,
        )

    def _formula(self, score: Expr, group: _Group, row: str) -> None:
        """A row of what `score` makes of it."""
        text = f"static_cast<uint32_t>({group.keys})"
        count = self.half.constant("count", text, "uint32_t")
        chunk = Chunk(self.a.s.j.name, group.j0, count, 0)
        busy = self._busy()
        dot = Var("dot", FLOAT32)
        values = self._values(chunk, [score], {dot: Value("float", row, False)})
        made = values.get(score)
        if made.kind != "float":
            raise Cannot("scores that are no floats")
        self._v(f"Adds({row}, {made.name}, 0.0f, {count});", made.name, row)
        for name in sorted(self._busy() - busy):
            self._tiles.free(name)

    # -- sums ------------------------------------------------------------------------

    def _sums(self, step: str, first: str, mine: str) -> None:
        """The products of the step before are added."""
        half = self.half
        half.wait_flag("PRODUCTS")
        side = half.constant("side", f"({step} + 1) % 2")
        g = self.names.fresh("g")
        with (
            self.block(f"if ({mine} > 0)"),
            self.block(f"for (int64_t {g} = 0; {g} < {mine}; {g} += {_SOME})"),
        ):
            now = half.constant("now", f"ops_minimum_i64({mine} - {g}, {_SOME})")
            place = f"{side} * {ROWS * WIDE} + ({first} + {g}) * {WIDE}"
            half.issue(
                "MTE2",
                f"opslib::LoadRows(added, products_space[{place}], {now}, {self.wide}, "
                f"{WIDE}, {WIDE});",
                Access("added", True),
            )
            self._multiplied(f"factors[{side} * {HALF} + {g}]", "factors", g, _SOME)
            sums, count = f"sums[{g} * {WIDE}]", _SOME * WIDE
            self._v(f"Add({sums}, {sums}, added, {count});", "sums added", "sums")

    def _multiplied(self, by: str, buffer: str, g: str, rows: int) -> None:
        """Rows of sums from `g` on, each times its number."""
        self._v(f"opslib::EightTimes(eight, {by}, {rows});", buffer, "eight")
        sums = "sums" if g == "0" else f"sums[{g} * {WIDE}]"
        self._v(f"opslib::MulEach({sums}, eight, {rows});", "sums eight", "sums")

    # -- results ---------------------------------------------------------------------

    def _finish(self, t: Task, first: str, mine: str) -> None:
        """The outputs, by the rows' states."""
        half, a = self.half, self.a
        r = self.names.fresh("r")
        with self.block(f"for (int64_t {r} = 0; {r} < {mine}; {r}++)"):
            states = self._states(r)
            number = Index("#row")
            half.index(number, half.constant("i", f"{t.r0} + {first} + {r}"))
            at = {**t.at, **a.s.rows.at(number)}
            for buffer, value, wide in a.outputs:
                done = substitute(substitute(value, states), at)
                if not wide:
                    self._row_value(f"{buffer.name}_out", r, done)
                    continue
                ratio = half.constant("ratio", self.scalar(done), "float")
                self._row_store("ratios", r, ratio)
                # Nothing times nan is nan: what does not count must not show.
                with self.block(f"if ({ratio} == 0.0f)"):
                    self._v(f"Duplicate(sums[{r} * {WIDE}], 0.0f, {WIDE});", "", "sums")
        self.half.index(Index("#first"), f"({t.r0} + {first})")
        for buffer, _, wide in a.outputs:
            self._leave(t, buffer.name, wide, mine)

    def _states(self, r: str) -> dict[Expr, Expr]:
        """The row's maximum, and its sums as factors of what the buffers hold."""
        half = self.half
        dtype = self.a.s.dtype
        found = {}
        for base, buffer in (("peak", "peaks"), ("weight", "bare")):
            name = half.constant(base, f"{buffer}.GetValue({r})", "float")
            self.lines[-1].accesses = (Access(buffer, False),)
            found[base] = name
        lift = LIFT.get(self.a.dtype.name)
        back = f"{1 / lift!r}f" if lift is not None else "1.0f"
        weight = found["weight"]
        # A nan among the scores is in their sum, whatever the maximum made of it.
        peak = half.constant(
            "largest", f"{weight} == {weight} ? {found['peak']} : NAN", "float"
        )
        if lift is not None:
            weight = half.constant("total", f"{weight} * {back}", "float")
        scope = self.scopes[-1]
        scope[("var", "peak")] = Entry(peak, "float")
        scope[("var", "total")] = Entry(weight, "float")
        unit = Const(1.0 if lift is None else 1 / lift, dtype)
        return {
            Var("m", dtype): Var("peak", dtype),
            Var("bare", dtype): Var("total", dtype),
            Var("weighted", dtype): unit,
        }

    def _row_value(self, buffer: str, r: str, value: Expr) -> None:
        self._row_store(buffer, r, self.scalar(value))

    def _row_store(self, buffer: str, r: str, text: str) -> None:
        self.line(f"{buffer}.SetValue({r}, {text});")
        self.lines[-1].accesses = (Access(buffer, True),)

    def _leave(self, t: Task, name: str, wide: bool, mine: str) -> None:
        """An output, to global memory."""
        s = self.a.s
        (defined,) = [axes for n, axes, _ in s.outputs if n == name]
        number = Index("#first")
        at = {**t.at, **s.rows.at(number), s.columns.axes[0].index: ZERO}
        places = tuple(substitute(x.index, at) for x in defined)
        offset = self.operand(self.linear(name, places), LOOSE)
        out = self.pointer(name)
        to = out if offset == "0" else f"{out}[{offset}]"
        if not wide:
            self.half.issue(
                "MTE3",
                f"opslib::Store({to}, {name}_out, {mine});",
                Access(f"{name}_out", False),
            )
            return
        self._multiplied("ratios", "ratios", "0", HALF)
        buffer = self.a.buffers[name]
        source = "sums"
        if buffer.dtype.name != "float32":
            source = self.out
            text = f"Cast({source}, sums, RoundMode::CAST_RINT, {HALF * WIDE});"
            self._v(text, "sums", source)
        pitch = self.half.row_pitch(name, [x.name for x in defined])
        self.half.issue(
            "MTE3",
            f"opslib::StoreRows({to}, {source}, {mine}, {self.wide}, {pitch}, {WIDE});",
            Access(source, False),
        )

    # -- memory ----------------------------------------------------------------------

    def launch(self, name: str) -> Launch:
        """The half as a launch of its own, for the flags within its core."""
        chip = list(self.chip.values())
        for tile in self._tiles.all.values():
            if tile.name in self.alias:
                continue
            count = STEP // tile.per if tile.per else tile.fixed
            size = (count * SIZES[tile.ctype] + 31) // 32 * 32
            chip.append(Buffer(tile.name, tile.ctype, size, "ub", "of a row"))
        made = Launch(name, "vector", list(self.lines), chip)
        at = 0
        for b in chip:
            made.addresses[b.name] = at
            at += b.bytes
        if at > self.target.ub_usable:
            raise Cannot(f"{at} bytes in UB")
        return made


def _scale(score: Expr, dot: Var) -> Expr | None:
    """The number that a score is a multiple by; None if it is more than that."""
    if score is dot:
        return ONE
    match score:
        case Prim("mul", (a, b)):
            for one, other in ((a, b), (b, a)):
                if one is dot and not free_indices(other) and dot not in walk(other):
                    return other
    return None


__all__ = ["VectorHalf"]
