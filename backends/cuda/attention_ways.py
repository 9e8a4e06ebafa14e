"""The two ways in which a block goes along the keys: with and without tensor cores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from opslib.codegen.c_expressions import Entry
from opslib.codegen.c_types import stored_type
from opslib.ir.dtypes import DType
from opslib.ir.expr import ZERO, Const, Expr, Index, Prim, Read, substitute

from .attention_block import BlockText
from .attention_plan import Plan
from .launches import LaunchPrinter

# Of opslib_cuda_attend_rows.h.
ROWS_THREADS = 256
_KEYS, _PITCH = 64, 68


@dataclass(frozen=True, slots=True)
class Sides:
    """Queries, keys and values as tensor cores take them.

    Attributes:
        dtype: their type in memory.
        q: an element of a query; where `lying`, a row's elements are neighbours.
        k, v: reads whose rows' elements are neighbours.
    """

    dtype: DType
    q: Expr
    lying: bool
    k: Read
    v: Read


class TensorText(BlockText):
    """On tensor cores."""

    def __init__(
        self, printer: LaunchPrinter, plan: Plan, sides: Sides, width: int
    ) -> None:
        super().__init__(printer, plan)
        self.sides = sides
        hidden = "true" if plan.s.hidden else "false"
        element = stored_type(sides.dtype)
        self.type = f"ops_attention<{element}, {width}, {width}, {hidden}>"

    def passes(self) -> None:
        """The walk along the keys."""
        p, s, sides = self.p, self.s, self.sides
        p.line(f"attend.begin(ops_shared, {self.present});")
        p.line(f"attend.pass({self.low}, {self.high}, {self.deep}, {self.wide},")
        p.indent += 1
        if sides.lying:
            assert isinstance(sides.q, Read)
            self._begins(sides.q, "int row", self._row, s.d.at(ZERO), ",")
        else:
            self.elements(
                sides.q, "int row", self._row, s.d.at(Index("#deep")), ",", narrow=True
            )
        self._begins(sides.k, "int64_t j", self._key, s.d.at(ZERO), ",")
        self._begins(sides.v, "int64_t j", self._key, s.columns.at(ZERO), ",")
        self.scores(",")
        self.seen(");")
        p.indent -= 1

    def _row(self) -> dict[Expr, Expr]:
        return {**self.at, **self.split(self.s.rows.at(self.row_here()), self.s.q)}

    def _key(self) -> dict[Expr, Expr]:
        return {**self.at, self.s.j.index: self.given("j")}

    def _begins(
        self,
        read: Read,
        given: str,
        at: Callable[[], dict[Expr, Expr]],
        along: dict[Expr, Expr],
        tail: str,
    ) -> None:
        """A function of a row or key that says where its elements begin."""
        p = self.p
        with self.function(given, tail):
            where = {**at(), **along}
            indices = tuple(substitute(i, where) for i in read.indices)
            p.line(
                f"return {p.pointer(read.tensor)} + {p.offset(read.tensor, indices)};"
            )


class RowsText(BlockText):
    """Without tensor cores."""

    word = "stream"

    def __init__(self, printer: LaunchPrinter, plan: Plan, widest: int) -> None:
        super().__init__(printer, plan)
        hidden = "true" if plan.s.hidden else "false"
        self.type = f"ops_stream<{self.number}, {widest}, {hidden}>"
        size = plan.s.dtype.bytes
        depth = 128 // size
        self.bytes = (2 * depth * _PITCH + _KEYS * _PITCH) * size
        if plan.s.v is not None:
            self.column = "(column0 + column)"
            self.first = "first && blockIdx.z == 0"

    def width(self) -> str:
        """As many columns as one block can have, from its first on."""
        whole = self.p.scalar(self.s.columns.extent)
        if self.s.v is None:
            return "0"
        self.p.line("const int64_t column0 = (int64_t)blockIdx.z * stream::widest;")
        left = self.bound("left", f"{whole} - column0")
        return f"{left} < stream::widest ? {left} : stream::widest"

    def passes(self) -> None:
        """The walk along the keys."""
        p, s = self.p, self.s
        p.line(f"attend.begin(ops_shared, {self.present});")
        p.line(f"attend.pass({self.low}, {self.high}, {self.deep}, {self.wide},")
        p.indent += 1
        deep = Index("#deep")
        self.elements(s.q, "int row", self._row, s.d.at(deep), ",")
        self.elements(s.k, "int64_t j", self._key, s.d.at(deep), ",")
        if s.v is None:
            zero = Const(0.0, s.dtype)
            self.elements(zero, "int64_t j", self._key, {}, ",")
        else:
            column = Prim("add", (Index("#column0"), deep), deep.dtype)
            p.scopes[-1][("index", "#column0")] = Entry("column0", "int64_t")
            p.nonnegative.add("#column0")
            self.elements(s.v, "int64_t j", self._key, s.columns.at(column), ",")
        self.scores(",")
        self.seen(");")
        p.indent -= 1

    def _row(self) -> dict[Expr, Expr]:
        row = self.index("i", f"{self.p.scalar(self.start)} + row")
        return {**self.at, **self.split(self.s.rows.at(row), self.s.q)}

    def _key(self) -> dict[Expr, Expr]:
        return {**self.at, self.s.j.index: self.given("j")}
