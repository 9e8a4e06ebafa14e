"""Statements and functions of a streaming contraction's text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opslib.codegen.c_expressions import Entry
from opslib.codegen.c_types import value_type
from opslib.ir.expr import (
    Axis,
    Expr,
    Index,
    Prim,
    Read,
    Select,
    Var,
    free_indices,
    substitute,
    walk,
)
from opslib.ir.loops import Buffer, Store

from .attention_plan import Plan
from .launches import LaunchPrinter
from .naming import Naming
from .simt import factors

# Words of the templates' interface.
_WORDS = (
    "row", "deep", "column", "peak", "bare", "first", "weighted", "dot", "attend",
    "attention", "stream", "element", "to", "number", "column0",
)  # fmt: skip


class Text(Naming):
    """Prints statements and functions about rows of a contraction."""

    def __init__(self, printer: LaunchPrinter, plan: Plan) -> None:
        super().__init__(printer)
        self.plan, self.s = plan, plan.s
        self.number = value_type(plan.s.dtype)
        scope = printer.scopes[0]
        for key, entry in list(scope.items()):
            if entry.text in _WORDS:
                scope[key] = Entry(printer.names.fresh(entry.text), entry.ctype)
        for word in _WORDS:
            printer.names.fresh(word)
        # What axes of the batch, and the sequence, are here.
        self.at: dict[Expr, Expr] = {}

    def workspace(self, buffer: Buffer | None) -> str:
        """The name of a workspace."""
        assert buffer is not None
        key = ("buffer", buffer.name)
        if self.p.find(key) is None:
            self.p.alloc(buffer)
        return self.p.need(key).text

    def positive(self, *extents: Expr) -> None:
        """Extents of axes that have a point here: they are not 0."""
        for extent in extents:
            self.p.positive |= set(factors(extent))

    def split(self, at: dict[Expr, Expr], *roots: Expr) -> dict[Expr, Expr]:
        """Values of axes, with names for those that the roots have."""
        free = frozenset[str]().union(*map(free_indices, roots))
        for axis, value in at.items():
            assert isinstance(axis, Index)
            wanted = axis.name in free and isinstance(value, Prim)
            if wanted and self.p.find(("expr", value)) is None:
                self.p.name(value)
        return at

    @contextmanager
    def function(self, given: str, tail: str) -> Iterator[None]:
        """A function of a row or a key; inside, another is returned."""
        with self.p.block(f"[&]({given})", "}" + tail):
            yield

    def finished(self, first: str) -> None:
        """The function of a finished row that stores the outputs."""
        p, s = self.p, self.s
        columns = s.columns.names
        by_place = [o for o in s.outputs if columns & {a.name for a in o[1]}]
        by_row = [o for o in s.outputs if o not in by_place]
        states = {"m": "peak", "bare": "bare", "weighted": "weighted"}
        for name, word in states.items():
            p.scopes[-1][("var", f"#{name}")] = Entry(word, self.number)
        at: dict[Expr, Expr] = {
            **self.at,
            **self.split(
                s.rows.at(self.row_index),
                *(o[2] for o in s.outputs),
                *(a.index for o in s.outputs for a in o[1]),
            ),
            **{Var(n, s.dtype): Var(f"#{n}", s.dtype) for n in states},
        }
        if by_row:
            with p.block(f"if ({first})"):
                self._store(by_row, at)
        column = Index("#column")
        moving = {column, Var("#weighted", s.dtype)}
        places = {**at, **s.columns.at(column)}
        stored = []
        for name, axes, value in by_place:
            indices = [substitute(a.index, places) for a in axes]
            here = substitute(value, places)
            kept = {n: self._kept(n) for n in _costly(here, moving)}
            stored.append((name, axes, substitute(here, kept)))
            for node in _costly(p.linear(name, tuple(indices)), moving):
                p.name(node)
        with p.block(f"return [=](int64_t column, {self.number} weighted)", "};"):
            p.scopes[-1][("index", "#column")] = Entry(self.column, "int64_t")
            p.nonnegative.add("#column")
            self._store(stored, places)

    def _kept(self, node: Expr) -> Expr:
        """A variable for a value that is named here; its parts are not named again."""
        text = self.p.name(node)
        self.p.scopes[-1][("var", f"#{text}")] = Entry(text, value_type(node.dtype))
        return Var(f"#{text}", node.dtype)

    # What a row and a column are in `finished`.
    row_index: Index
    column = "column"

    def _store(
        self,
        outputs: Sequence[tuple[str, tuple[Axis, ...], Expr]],
        at: dict[Expr, Expr],
    ) -> None:
        for name, axes, value in outputs:
            where = tuple(substitute(a.index, at) for a in axes)
            self.p.statement(Store(name, where, substitute(value, at)))


def _costly(root: Expr, moving: set[Expr]) -> Iterator[Expr]:
    """The largest parts of a value that no column changes and that are worth a name."""
    if not any(n in moving for n in walk(root)):
        if isinstance(root, Prim | Select) and any(
            isinstance(n, Read | Prim) for n in walk(*root.children)
        ):
            yield root
        return
    for child in root.children:
        yield from _costly(child, moving)
