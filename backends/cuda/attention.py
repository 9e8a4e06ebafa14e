"""Two products around a softmax, on tensor cores, in one pass.

What is recognised is the streaming contraction (`opslib.lowering.skeletons.streaming`),
not attention. ``native/cuda/opslib_cuda_attend.h`` has the pass; printed here is what a
spec decides: where queries, keys and values lie, what becomes of a score, how far a
block of rows reaches along the keys, and what a finished row is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opslib.codegen.c_expressions import Entry
from opslib.codegen.c_types import TIMES, Dialect
from opslib.ir import expr
from opslib.ir.dtypes import BOOL, DType
from opslib.ir.expr import ZERO, Expr, Index, Prim, Var, free_indices, substitute
from opslib.ir.loops import Store
from opslib.lowering.flatten import Group
from opslib.lowering.skeletons import arith, streaming
from opslib.lowering.skeletons.arith import integer
from opslib.lowering.skeletons.builder import Builder
from opslib.lowering.skeletons.streaming import Streaming
from opslib.lowering.skeletons.streaming_range import Block, reach

from .launches import LaunchPrinter, Made, finish, launches
from .machine import Launch
from .operands import BlockText, Side, narrow_type, narrowed, side_of
from .targets import GpuTarget
from .teams import THREAD

# Of opslib_cuda_attend.h.
THREADS, ROWS, KEYS = 128, 64, 64
# Elements of a query and of a value that a block is made for, the smallest that holds
# them: 128 of each take 180 registers and more would not stay in them.
WIDTHS = (64, 128)
_TYPES = ("float16", "bfloat16")


@dataclass(frozen=True, slots=True)
class Attention:
    """A streaming contraction that tensor cores can do.

    Attributes:
        s: the contraction.
        dtype: of queries, keys and values.
        q, k, v: where they are; k and v are matrices.
    """

    s: Streaming
    dtype: DType
    q: Side
    k: Side
    v: Side


def lower(
    program: expr.Program,
    title: str,
    layout: Mapping[str, str],
    target: GpuTarget | None,
    dialect: Dialect,
    made: Made,
) -> tuple[list[Launch], Expr] | None:
    """The launches, and the condition on sizes for which they are.

    None where tensor cores cannot do it: sequences of different lengths, keys that are
    looked up, and types that they would round.
    """
    if target is None or target.dialect != "cuda" or not target.cp_async:
        return None
    s = streaming.match(program)
    if s is None:
        return None
    builder = Builder(s.program, layout, title)
    checks = builder.root()
    builder.checks(checks)
    kernel = builder.kernel(checks, "streaming")
    a = _attention(s, {b.name: b.strides for b in kernel.inputs})
    if a is None or a.dtype.name not in target.mma:
        return None
    most = _fits(s, WIDTHS[-1])
    parts: list[Launch] = []
    for k, check in enumerate(kernel.body):
        parts += launches(kernel, dialect, (check,), f"{title}_check{k}", most, made)
    before: Expr | None = None
    for width in WIDTHS:
        condition = fits = _fits(s, width)
        if before is not None:
            condition = _both(fits, Prim("not", (before,), BOOL))
        before = fits
        printer = LaunchPrinter(kernel, dialect, THREAD, False)
        _Text(printer, a, width).kernel()
        # A tile of queries, and two of keys and of values.
        shared = integer((ROWS + 4 * KEYS) * width * a.dtype.bytes)
        note = f"{a.dtype.name} on tensor cores, up to {width} wide"
        parts.append(
            finish(
                printer, f"{title}_{width}", _blocks(s), condition, (), shared, made,
                THREADS, (note,),
            )
        )  # fmt: skip
    return parts, most


def _fits(s: Streaming, width: int) -> Expr:
    return _both(
        arith.less(s.d.extent, integer(width + 1)),
        arith.less(s.columns.extent, integer(width + 1)),
    )


def _both(a: Expr, b: Expr) -> Expr:
    return Prim("and", (a, b), BOOL)


def _blocks(s: Streaming) -> Expr:
    rows = arith.ceildiv(s.rows.extent, integer(ROWS))
    return arith.mul(rows, s.batch.extent)


def _attention(
    s: Streaming, strides: Mapping[str, tuple[Expr, ...]]
) -> Attention | None:
    if s.segment is not None or s.hidden or s.v is None:
        return None
    if len(s.d.axes) != 1 or len(s.columns.axes) != 1 or s.dtype.name != "float32":
        return None
    dtype = narrow_type(s.k)
    if dtype is None or dtype.name not in _TYPES:
        return None
    q, k, v = (narrowed(x, dtype) for x in (s.q, s.k, s.v))
    if q is None or k is None or v is None:
        return None
    keys = Group((s.j,))
    found = Attention(
        s,
        dtype,
        side_of(q, s.rows, s.d, s.batch, strides),
        side_of(k, keys, s.d, s.batch, strides),
        side_of(v, s.columns, keys, s.batch, strides),
    )
    if found.k.matrix is None or found.k.turned:
        return None
    if found.v.matrix is None or not found.v.turned:
        return None
    return found


class _Text(BlockText):
    """Prints one launch."""

    def __init__(self, printer: LaunchPrinter, a: Attention, width: int) -> None:
        super().__init__(printer, a.dtype)
        self.a, self.s, self.width = a, a.s, width
        for word in ("to", "from", "stage", "first", "use", "row", "key", "dot"):
            printer.names.fresh(word)
        for word in ("column", "peak", "bare", "weighted", "attend", "attention"):
            printer.names.fresh(word)

    def kernel(self) -> None:
        """The whole body."""
        p, s = self.p, self.s
        p.indent = 1
        p.line("extern __shared__ __align__(16) unsigned char ops_shared[];")
        kind = f"ops_attention<{self.element}, {self.width}, {self.width}>"
        p.line(f"typedef {kind} attention;")
        rows = self.bound("rows", p.scalar(s.rows.extent))
        place = "blockIdx.x"
        batch: Expr | None = None
        if s.batch.axes:
            blocks = self.bound("blocks", f"({rows} + {ROWS - 1}) / {ROWS}")
            batch = self.index("batch", f"ops_quotient(blockIdx.x, {blocks})")
            place = f"ops_rest(blockIdx.x, {blocks})"
        self.batch = {} if batch is None else s.batch.at(batch)
        self.start = self.index("row0", f"(int64_t){place} * {ROWS}")
        self.row0 = p.scalar(self.start, TIMES)
        self.present = self.bound("present", f"{rows} - {self.row0}")
        count = self.index(
            "count", f"{self.present} < {ROWS} ? {self.present} : {ROWS}"
        )
        low, high = reach(s, Block(s.rows, self.start, count, self.batch))
        self.low = self.bound("low", p.scalar(low))
        self.high = self.bound("high", p.scalar(high))
        self.deep = self.bound("deep", p.scalar(s.d.extent))
        self.wide = self.bound("wide", p.scalar(s.columns.extent))
        p.line("attention attend;")
        self._queries()
        self._pass()
        self._rows()

    def at(self, row: Expr, key: Expr, depth: Expr, column: Expr) -> dict[Expr, Expr]:
        """Values of the contraction's axes."""
        s = self.s
        return {
            **self.batch,
            **s.rows.at(row),
            s.j.index: key,
            **s.d.at(depth),
            **s.columns.at(column),
        }

    def _matrix(self, side: Side, suffix: str, row: Expr, key: Expr) -> tuple[str, ...]:
        """See `BlockText.matrix`."""
        assert side.matrix is not None
        at = self.at(row, key, ZERO, ZERO)
        return self.matrix(side.matrix, side.pitch, suffix, at)

    def _queries(self) -> None:
        p, side = self.p, self.a.q
        if side.matrix is not None and not side.turned:
            start, pitch, aligned = self._matrix(side, "q", self.start, ZERO)
            given = f"{start}, {pitch}, {self.present}, {self.deep}, {aligned}"
            p.line(f"attention::queries::copy(ops_shared, {given});")
            p.line("ops_ptx_cp_async_commit();")
            p.line("ops_ptx_cp_async_wait<0>();")
        else:
            head = "attention::queries::fill(ops_shared, "
            head += f"{self.present}, {self.deep}, [&](int row, int column)"
            with p.block(head, "});"):
                row = self.index("i", f"{self.row0} + row")
                p.scopes[-1][("index", "#column")] = Entry("column", "int64_t")
                at = self.at(row, ZERO, Index("#column"), ZERO)
                text = self.element_of(substitute(side.value, at))
                p.line(f"return {text};")
        p.line("attend.begin(ops_shared);")

    def _pass(self) -> None:
        p = self.p
        low = Index("#low")
        p.scopes[-1][("index", "#low")] = Entry(self.low, "int64_t")
        keys = self._matrix(self.a.k, "k", ZERO, low)
        values = self._matrix(self.a.v, "v", ZERO, low)
        size = "attention::keys::bytes + attention::values::bytes"
        size = self.bound("size", size, "int")
        base = "ops_shared + attention::queries::bytes"
        p.line(
            f"ops_pipeline<2>({self.high} - {self.low}, {KEYS}, "
            "[&](int stage, int64_t first) {"
        )
        p.indent += 1
        p.line(f"unsigned char *to = {base} + stage * {size};")
        left = self.bound("keys", f"{self.high} - {self.low} - first")
        start, pitch, aligned = keys
        given = f"{start} + first * {pitch}, {pitch}, {left}, {self.deep}, {aligned}"
        p.line(f"attention::keys::copy(to, {given});")
        start, pitch, aligned = values
        given = f"{start} + first * {pitch}, {pitch}, {left}, {self.wide}, {aligned}"
        p.line(f"attention::values::copy(to + attention::keys::bytes, {given});")
        p.indent -= 1
        p.line("}, [&](int use, int64_t first) {")
        p.indent += 1
        p.line(f"const unsigned char *from = {base} + use * {size};")
        head = "attend.step(from, from + attention::keys::bytes, "
        with p.block(head + "[&](int row, int key, float dot) -> float", "});"):
            self._score()
        p.indent -= 1
        p.line("});")

    def _score(self) -> None:
        """A score, -inf where the row does not see the key."""
        p, s = self.p, self.s
        j = self.index("j", f"{self.low} + first + key")
        p.line(f"if ({p.scalar(j)} >= {self.high}) return -__builtin_inff();")
        moving = {a.name for a in s.rows.axes}
        row: Expr = ZERO
        if any(free_indices(e) & moving for e in (s.score, *s.masks)):
            row = self.index("i", f"{self.row0} + row")
            # Rows beyond the last are computed too, and not stored.
            p.line(f"if (row >= {self.present}) return -__builtin_inff();")
        at = self.at(row, j, ZERO, ZERO)
        for mask in s.masks:
            p.line(
                f"if (!({p.scalar(substitute(mask, at))})) return -__builtin_inff();"
            )
        p.scopes[-1][("var", "#dot")] = Entry("dot", "float")
        at[s.dot] = Var("#dot", s.dot.dtype)
        p.line(f"return {p.scalar(substitute(s.score, at))};")

    def _rows(self) -> None:
        """The finished rows."""
        p, s = self.p, self.s
        columns = s.columns.names
        by_row = [o for o in s.outputs if not columns & {a.name for a in o[1]}]
        by_place = [o for o in s.outputs if o not in by_row]
        p.line("attend.end(")
        p.indent += 1
        ends = (
            (by_row, "int row, float peak, float bare", "},"),
            (
                by_place,
                "int row, int column, float peak, float bare, float weighted",
                "});",
            ),
        )
        for outputs, given, tail in ends:
            if not outputs:
                p.line(f"[&]({given}) {{ {tail}")
                continue
            with p.block(f"[&]({given})", tail):
                wide = outputs is by_place
                beyond = f" || column >= {self.wide}" if wide else ""
                p.line(f"if (row >= {self.present}{beyond}) return;")
                row = self.index("i", f"{self.row0} + row")
                p.scopes[-1][("index", "#column")] = Entry("column", "int64_t")
                at = self.at(row, ZERO, ZERO, Index("#column"))
                for name, word in (("m", "peak"), ("bare", "bare")):
                    p.scopes[-1][("var", f"#{name}")] = Entry(word, "float")
                    at[Var(name, s.dtype)] = Var(f"#{name}", s.dtype)
                if wide:
                    p.scopes[-1][("var", "#weighted")] = Entry("weighted", "float")
                    at[Var("weighted", s.dtype)] = Var("#weighted", s.dtype)
                for name, axes, value in outputs:
                    where = tuple(substitute(a.index, at) for a in axes)
                    p.statement(Store(name, where, substitute(value, at)))
        p.indent -= 1
