"""Launches around those of attention.py: where sequences begin, parts joined."""

from __future__ import annotations

from opslib.codegen.c_expressions import Entry
from opslib.codegen.c_types import TIMES, UNARY, Dialect
from opslib.ir import loops
from opslib.ir.expr import ZERO, Expr, Fold, Index, substitute
from opslib.lowering.skeletons import arith
from opslib.lowering.skeletons.arith import integer

from .attention_plan import Plan
from .attention_text import Text
from .launches import LaunchPrinter, Made, finish
from .machine import Launch
from .teams import THREAD, THREADS


def begins(
    plan: Plan, kernel: loops.Kernel, dialect: Dialect, title: str, made: Made
) -> Launch:
    """Writes where each sequence begins, by its rows, whatever the data are."""
    printer = LaunchPrinter(kernel, dialect, THREAD, False)
    text = _Begins(printer, plan)
    text.kernel()
    rows = plan.s.rows.axes[0].stop
    blocks = arith.add(arith.floordiv(rows, integer(THREADS)), integer(1))
    return finish(printer, f"{title}_begins", blocks, None, (), ZERO, made)


class _Begins(Text):
    def kernel(self) -> None:
        """The whole body: a thread for each row, and one behind them."""
        p, plan, s = self.p, self.plan, self.s
        assert s.segment is not None
        assert plan.sequences is not None
        p.indent = 1
        found = self.workspace(plan.begins)
        rows = self.bound("rows", p.scalar(s.rows.axes[0].stop))
        sequences = self.bound("sequences", p.scalar(plan.sequences))
        own = self.bound("own", "ops_thread()")
        p.line(f"if ({own} > {rows}) return;")
        row = Index("#i")
        value = substitute(s.segment.value, {Index(s.segment.axis): row})
        assert isinstance(value, Fold)
        (over,) = value.axes
        name = p.names.fresh("sequence")
        with p.block(f"const auto {name} = [&](int64_t i)", "};"):
            p.scopes[-1][("index", "#i")] = Entry("i", "int64_t")
            p.line("int64_t count = 0;")
            start, stop = p.scalar(over.start), p.scalar(over.stop)
            k = p.names.fresh(over.name)
            head = f"for (int64_t {k} = {start}; {k} < {stop}; {k}++)"
            with p.block(head):
                p.scopes[-1][("index", over.name)] = Entry(k, "int64_t")
                p.line(f"count += {p.scalar(value.args[0], UNARY)} ? 1 : 0;")
            p.line("return count;")
        before = f"{own} == 0 ? -1 : {name}({own} - 1)"
        mine = f"{own} == {rows} ? {sequences} : {name}({own})"
        p.line(f"ops_note_begins({found}, {own}, {before}, {mine});")


def join(
    plan: Plan,
    kernel: loops.Kernel,
    dialect: Dialect,
    title: str,
    made: Made,
    warp: int,
) -> Launch:
    """Joins the parts of rows whose keys were cut: a warp of so many lanes for each."""
    printer = LaunchPrinter(kernel, dialect, THREAD, False)
    _Join(printer, plan).kernel()
    rows = arith.mul(plan.s.batch.extent, plan.s.rows.extent)
    blocks = arith.ceildiv(rows, integer(THREADS // warp))
    condition = arith.less(integer(1), plan.pieces)
    return finish(printer, f"{title}_join", blocks, condition, (), ZERO, made)


class _Join(Text):
    def kernel(self) -> None:
        """The whole body."""
        p, plan, s = self.p, self.plan, self.s
        p.indent = 1
        self.positive(*(a.stop for a in (*s.batch.axes, *s.rows.axes)))
        cuts, peaks, bares, sums = map(
            self.workspace, (plan.cuts, plan.peaks, plan.bares, plan.sums)
        )
        rows = self.bound("rows", p.scalar(s.rows.extent))
        batches = self.bound("batches", p.scalar(s.batch.extent))
        most = self.bound("most", p.scalar(plan.pieces))
        number = self.bound("number", "ops_warp()")
        p.line(f"if ({number} >= {batches} * {rows}) return;")
        pieces = self.bound("pieces", f"{cuts}[{number}] % 32")
        p.line(f"if ({pieces} < 2) return;")
        part = self.bound("part", f"{cuts}[{number}] / 32 * {most}")
        if s.batch.axes:
            batch = self.index("batch", f"ops_quotient({number}, {rows})")
            at = s.batch.at(batch)
            self.at.update(self.split(at, *(a.index for a in s.batch.axes)))
        self.row_index = self.index("i", f"ops_rest({number}, {rows})")
        if s.segment is not None:
            self._sequence(s.segment.index)
        near = self.bound("near", f"{peaks} + {part}", f"{self.number} *")
        top = self.bound("top", f"ops_parts_peak({near}, {pieces})", self.number)
        given = f"{near}, {pieces}, {top}"
        bare = f"ops_parts_sum({bares} + {part}, 1, {given})"
        p.line(f"const {self.number} bare = {bare};")
        p.line(f"const {self.number} peak = ops_final_peak({top}, bare);")
        with p.block("const auto element = [&]()", "}();"):
            self.finished("ops_lane() == 0")
        wide = self.bound("wide", p.scalar(s.columns.extent))
        head = f"for (int64_t column = ops_lane(); column < {wide}; column += OPS_WARP)"
        with p.block(head):
            from_ = f"{sums} + {part} * {wide} + column"
            p.line(f"element(column, ops_parts_sum({from_}, {wide}, {given}));")

    def _sequence(self, index: Expr) -> None:
        p, plan = self.p, self.plan
        assert plan.sequences is not None
        begins_ = self.workspace(plan.begins)
        inner = p.scalar(plan.inner, TIMES)
        place = self.bound("place", f"{p.scalar(self.row_index)} / {inner}")
        count = p.scalar(plan.sequences)
        head = f"ops_last_start({count}, {place}, [&](int64_t k)"
        self.at[index] = self.index("sequence", f"{head} {{ return {begins_}[k]; }})")
