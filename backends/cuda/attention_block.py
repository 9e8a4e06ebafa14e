"""The text of a block of a streaming contraction: which rows and keys, what of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from opslib.codegen.c_expressions import Entry
from opslib.codegen.c_types import SHORT, TIMES, UNARY, stored_type, value_type
from opslib.ir.dtypes import BOOL
from opslib.ir.expr import (
    ONE,
    ZERO,
    Expr,
    Index,
    Read,
    Var,
    free_indices,
    substitute,
    walk,
)
from opslib.lowering.online_softmax import derive
from opslib.lowering.skeletons.contraction import as_type
from opslib.lowering.skeletons.streaming_range import Block, reach

from .attention_plan import ROWS, Plan, grows
from .attention_text import Text
from .launches import LaunchPrinter


class BlockText(Text):
    """Prints a launch whose blocks have rows each.

    Attributes:
        type: of the template's instance.
    """

    type = ""

    def __init__(self, printer: LaunchPrinter, plan: Plan) -> None:
        super().__init__(printer, plan)
        # Elements as they are stored, by the variables that stand for them.
        self.raw: dict[str, str] = {}

    def kernel(self) -> None:
        """The whole body."""
        p, s = self.p, self.s
        p.indent = 1
        p.line("extern __shared__ __align__(16) unsigned char ops_shared[];")
        p.line(f"typedef {self.type} {self.word};")
        self.positive(*(a.stop for a in s.batch.axes))
        self.rows = self.bound("rows", p.scalar(s.rows.extent))
        if self.plan.sequences is None:
            self._block()
        else:
            self._block_of_sequence()
        self.positive(*(a.stop for a in s.rows.axes))
        count = self.index(
            "count", f"{self.present} < {ROWS} ? {self.present} : {ROWS}"
        )
        low, high = reach(s, Block(s.rows, self.start, count, self.at))
        self.count = p.scalar(count)
        self.low = self.bound("low", p.scalar(low))
        self.high = self.bound("high", p.scalar(high))
        self._piece()
        self.deep = self.bound("depth", p.scalar(s.d.extent))
        self.wide = self.bound("wide", self.width())
        p.line(f"{self.word} attend;")
        # Where there is a key, no factor of their number is 0.
        known = set(p.positive)
        self.positive(*self._key_extents())
        self.passes()
        p.positive = known
        self._finish()

    word = "attention"

    # -- which rows ------------------------------------------------------------------

    def _dealt(self, blocks: str) -> tuple[str, str]:
        """(batch element, number among its `blocks`), the longest first."""
        p, s = self.p, self.s
        if not grows(s):
            if not s.batch.axes:
                return "", "blockIdx.x"
            return (
                f"ops_quotient(blockIdx.x, {blocks})",
                f"ops_rest(blockIdx.x, {blocks})",
            )
        batches = ""
        if s.batch.axes:
            batches = self.bound("batches", p.scalar(s.batch.extent))
        place = f"ops_quotient(blockIdx.x, {batches})" if batches else "blockIdx.x"
        batch = f"ops_rest(blockIdx.x, {batches})" if batches else ""
        run = blocks
        last = s.rows.axes[-1]
        if self.plan.sequences is None and len(s.rows.axes) > 1:
            size = p.scalar(last.stop, TIMES)
            run = self.bound(
                "run", f"{size} % {ROWS} == 0 ? {size} / {ROWS} : {blocks}"
            )
        return batch, f"ops_longest_first({place}, {blocks}, {run})"

    def _block(self) -> None:
        p, s = self.p, self.s
        blocks = self.bound("blocks", f"({self.rows} + {ROWS - 1}) / {ROWS}")
        batch, place = self._dealt(blocks)
        self._batch(batch)
        self.start = self.index("row0", f"(int64_t){place} * {ROWS}")
        self.present = self.bound("present", f"{self.rows} - {p.scalar(self.start)}")
        self.among = self.rows
        self.slot = p.scalar(self.start)
        if s.batch.axes:
            self.slot = f"{self.batch} * {self.rows} + {self.slot}"
        self.note = self.slot

    def _batch(self, text: str) -> None:
        if text:
            batch = self.index("batch", text)
            self.batch = self.p.scalar(batch)
            at = self.s.batch.at(batch)
            self.at.update(self.split(at, *(a.index for a in self.s.batch.axes)))

    def _block_of_sequence(self) -> None:
        p, s, plan = self.p, self.s, self.plan
        assert plan.sequences is not None
        assert s.segment is not None
        begins = self.workspace(plan.begins)
        sequences = self.bound("sequences", p.scalar(plan.sequences))
        blocks = self.bound("blocks", f"{self.rows} / {ROWS} + {sequences}")
        inner = self.bound("inner", p.scalar(plan.inner))
        batch, place = self._dealt(blocks)
        self._batch(batch)
        number = self.bound("number", place)
        head = f"ops_last_start({sequences}, {number}, [&](int64_t k)"
        starts = f"ops_first_block({begins}, {inner}, {ROWS}, k)"
        found = self.index("sequence", f"{head} {{ return {starts}; }})")
        self.at[s.segment.index] = found
        own = p.scalar(found)
        begin = self.bound("begin", f"{begins}[{own}] * {inner}")
        end = self.bound("end", f"{begins}[{own} + 1] * {inner}")
        past = f"{number} - ops_first_block({begins}, {inner}, {ROWS}, {own})"
        self.start = self.index("row0", f"{begin} + ({past}) * {ROWS}")
        self.present = self.bound("present", f"{end} - {p.scalar(self.start)}")
        p.line(f"if ({self.present} <= 0) return;")
        self.among = f"{end} - {begin}"
        row = p.scalar(self.start)
        ahead = f"{self.batch} * " if s.batch.axes else "0 * "
        self.note = f"{ahead}{self.rows} + {row}" if s.batch.axes else row
        if plan.cuts is not None:
            slots = self.bound("slots", p.scalar(plan.slots))
            mine = f"{own} * {plan.few} + {row} - {begin}"
            place = f"({slots} == {self.rows} ? {row} : {mine})"
            self.slot = f"{ahead}{slots} + {place}" if s.batch.axes else place

    # -- which keys ------------------------------------------------------------------

    def _piece(self) -> None:
        """Cuts low .. high where rows are few, and notes it."""
        plan, p = self.plan, self.p
        if plan.cuts is None:
            return
        keys = f"{self.high} - {self.low}"
        few = f"{self.among} <= {plan.few}"
        self.pieces = self.bound("pieces", f"{few} ? ops_pieces({keys}) : 1")
        p.line(f"if (blockIdx.y >= {self.pieces}) return;")
        self.slot = self.bound("slot", self.slot)
        cuts = self.workspace(plan.cuts)
        with p.block("if (gridDim.y > 1 && blockIdx.y == 0 && blockIdx.z == 0)"):
            given = f"{self.count}, {self.slot}, {self.pieces}"
            p.line(f"ops_note_pieces({cuts} + {self.note}, {given});")
        whole = self.low, self.high
        cut = f"{self.pieces} > 1"
        size = self.bound("size", f"ops_piece({whole[1]} - {whole[0]})")
        self.low = self.bound(
            "low", f"{cut} ? {whole[0]} + blockIdx.y * {size} : {whole[0]}"
        )
        end = f"{self.low} + {size}"
        self.high = self.bound(
            "high", f"{cut} && {end} < {whole[1]} ? {end} : {whole[1]}"
        )

    def _key_extents(self) -> Iterator[Expr]:
        for define in self.s.program.defines:
            online = derive(define.value)
            if online is not None and online.axis.start is ZERO:
                yield online.axis.bound or online.axis.stop
                return

    # -- functions -------------------------------------------------------------------

    def passes(self) -> None:
        """The call that walks the keys."""
        raise NotImplementedError

    def width(self) -> str:
        """Columns of the block."""
        return self.p.scalar(self.s.columns.extent)

    def row_here(self) -> Index:
        """The row whose number in the block is ``row``; the last for all behind it."""
        row = f"(row < {self.present} ? row : {self.present} - 1)"
        return self.index("i", f"{self.p.scalar(self.start)} + {row}")

    def scores(self, tail: str) -> None:
        """Scores of a row, -inf where it does not see the key."""
        p, s = self.p, self.s
        with self.function("int row", tail):
            at = {**self.at}
            score = substitute(s.score, {s.dot: Var("#dot", s.dot.dtype)})
            if any(free_indices(e) & s.rows.names for e in (score, *s.masks)):
                at |= self.split(s.rows.at(self.row_here()), score, *s.masks)
            head = f"return [=](int64_t j, {self.number} dot) -> {self.number}"
            with p.block(head, "};"):
                at[s.j.index] = self.given("j")
                for mask in s.masks:
                    test = p.scalar(substitute(mask, at))
                    p.line(f"if (!({test})) return -INFINITY;")
                p.scopes[-1][("var", "#dot")] = Entry("dot", self.number)
                p.line(f"return {p.scalar(substitute(score, at))};")

    def seen(self, tail: str) -> None:
        """Whether a row sees the value of a key."""
        p, s = self.p, self.s
        if not s.hidden:
            p.line("[](int) { return [](int64_t) { return true; }; }" + tail)
            return
        with self.function("int row", tail):
            at = {**self.at, **self.split(s.rows.at(self.row_here()), *s.hidden)}
            with p.block("return [=](int64_t j)", "};"):
                at[s.j.index] = self.given("j")
                for condition in s.hidden:
                    test = p.scalar(substitute(condition, at))
                    p.line(f"if (!({test})) return false;")
                p.line("return true;")

    def elements(
        self,
        value: Expr,
        given: str,
        at: Callable[[], dict[Expr, Expr]],
        along: dict[Expr, Expr],
        tail: str,
        narrow: bool = False,
    ) -> None:
        """A function of a row or key, which gives one of an element along ``deep``."""
        p = self.p
        with self.function(given, tail):
            here = substitute(value, {**at(), **along})
            starts: dict[Expr, Expr] = {}
            for n in walk(here):
                if isinstance(n, Read) and not any(
                    isinstance(i, Read) and "#deep" in free_indices(i)
                    for i in walk(*n.indices)
                ):
                    found = p.moves(n.tensor, n.indices, "#deep") if n.indices else None
                    if found is not None and found[0] is not ZERO:
                        starts[n] = self._from(n, *found)
            with p.block("return [=](int64_t deep)", "};"):
                p.scopes[-1][("index", "#deep")] = Entry("deep", "int64_t")
                p.nonnegative.add("#deep")
                here = substitute(here, starts)
                if not narrow:
                    p.line(f"return {p.scalar(as_type(here, self.s.dtype))};")
                elif isinstance(here, Var):
                    p.line(f"return {self.raw[here.name]};")
                else:
                    short = SHORT[here.dtype.name]
                    p.line(f"return ops_f32_to_{short}({p.scalar(here)});")

    def _from(self, node: Read, step: Expr, base: Expr) -> Var:
        """A variable for an element of what begins at `base`, by ``deep``."""
        p = self.p
        start = self.pointer(node.tensor, base)
        by = "deep" if step is ONE else f"deep * {p.scalar(step, UNARY)}"
        place = f"{start}[{by}]"
        text = place
        name = f"#read_{start}"
        self.raw[name] = place
        if node.type.name in ("float16", "bfloat16"):
            text = f"ops_{SHORT[node.type.name]}_to_f32({place})"
        elif node.type == BOOL:
            text = f"({place} != 0)"
        p.scopes[-1][("var", name)] = Entry(text, value_type(node.type))
        return Var(name, node.type)

    def pointer(self, tensor: str, base: Expr) -> str:
        """A name for where something begins."""
        p = self.p
        text = p.pointer(tensor)
        if base is not ZERO:
            text = f"{text} + {p.scalar(base)}"
        ctype = f"const {stored_type(p.buffers[tensor].dtype)} *"
        name = p.names.fresh(f"{tensor}_at")
        p.line(f"{ctype}{name} = {text};")
        return name

    # -- rows that are done ------------------------------------------------------------

    def _finish(self) -> None:
        p, plan = self.p, self.plan
        head = f"int row, {self.number} peak, {self.number} bare, bool first"
        if plan.cuts is not None:
            peaks, bares, sums = map(
                self.workspace, (plan.peaks, plan.bares, plan.sums)
            )
            with p.block(f"if ({self.pieces} > 1)"):
                p.line(f"attend.end({self.wide},")
                with self.function(head, ");"):
                    part = f"({self.slot} + row) * gridDim.y + blockIdx.y"
                    part = self.bound("part", part)
                    with p.block(f"if ({self.first})"):
                        p.line(f"{peaks}[{part}] = peak;")
                        p.line(f"{bares}[{part}] = bare;")
                    extent = p.scalar(self.s.columns.extent, UNARY)
                    p.line(f"{self.number} *const to = {sums} + {part} * {extent};")
                    with p.block(
                        f"return [=](int64_t column, {self.number} weighted)", "};"
                    ):
                        p.line(f"to[{self.column}] = weighted;")
                p.line("return;")
        p.line(f"attend.end({self.wide},")
        with self.function(head, ");"):
            self.row_index = self.index("i", f"{p.scalar(self.start)} + row")
            self.finished(self.first)

    first = "first"
