"""Reductions on the vector unit: a tile of partial states, folded at the end.

Floats are folded by ReduceSum, ReduceMax and ReduceMin, the last two once nans are
taken out and counted; products and integers go by halves of the tile.
"""

from __future__ import annotations

from opslib.codegen.c_expressions import Entry
from opslib.codegen.c_types import LOOSE, value_type
from opslib.ir.dtypes import BOOL, FLOAT32
from opslib.ir.expr import Axis, Cast, Expr, Index, Prim, Var, substitute, walk
from opslib.ir.loops import Let, Reduce
from opslib.ir.monoid import Monoid

from .functions import along, expanded
from .lanes import LanePrinter
from .lanes_state import Cannot, Chunk
from .machine import Access
from .ranges import check_guards
from .vector import TileValues, Value

# How a fold of partial states is written, by the primitive that joins two.
FOLDS = {"add": "Add", "mul": "Mul", "max": "Max", "min": "Min"}


class FoldPrinter(LanePrinter):
    """Adds `Reduce` to the printer of vector loops."""

    def reduce(self, s: Reduce) -> None:
        """Over lanes where the vector unit can; else one after another."""
        if self.resident:
            self._vector_reduce(s)
            return
        if (
            s.kind == "vector"
            and self._inside is None
            and self._try(lambda: self._vector_reduce(s))
        ):
            return
        self._in_order(s)

    # -- folds -----------------------------------------------------------------------

    def _simple(self, monoid: Monoid) -> tuple[str, str]:
        """(primitive, kind) of a monoid of one state that a primitive joins."""
        combine = monoid.combine[0]
        if len(monoid.state) != 1 or not isinstance(combine, Prim):
            raise Cannot(f"a fold by {monoid.name}")
        if not all(isinstance(a, Var) for a in combine.args):
            raise Cannot(f"a fold by {monoid.name}")
        op, state = combine.op, monoid.state[0]
        if monoid.name == "count":
            return "count", "float"
        if state == BOOL:
            op = {"or": "max", "and": "min"}.get(op, op)
        if op not in FOLDS or (op == "mul" and state == BOOL):
            raise Cannot(f"a fold by {op}")
        if state == BOOL or state.name == "float32":
            return op, "float"
        if state.name == "int32":
            return op, "int32_t"
        raise Cannot(f"a fold in {state}")

    def _lifted(self, monoid: Monoid, args: tuple[Expr, ...]) -> Expr:
        for a in args:
            check_guards(a)
        mapping: dict[Expr, Expr] = {
            Var(f"x{k}", a.dtype): a for k, a in enumerate(args)
        }
        return substitute(monoid.lift[0], mapping)

    def _identity(self, monoid: Monoid) -> str:
        value = monoid.identity[0]
        if value.dtype == BOOL:
            return "1.0f" if value.value else "0.0f"
        text = self.operand(value, LOOSE)
        return f"static_cast<int32_t>({text})" if value.dtype.is_integer else text

    def _joined(
        self, values: TileValues, op: str, kind: str, into: str, value: str
    ) -> None:
        """``into = into op value``; a nan stays."""
        if kind == "float" and op in ("max", "min"):
            mask = values.new("mask")
            values.compare(mask, value, value, "EQ")
            joined = values.new("float")
            values.emit(FOLDS[op], joined, (into, value))
            values.select(joined, mask, joined, value)
            values.compare(mask, into, into, "EQ")
            values.select(into, mask, joined, into)
            self._tiles.free(joined)
            self._tiles.free(mask)
            return
        values.emit(FOLDS[op], into, (into, value))

    def lane_fold(
        self, chunk: Chunk, s: Reduce, held: dict[Expr, Value]
    ) -> dict[Expr, Value]:
        """A fold of its own for each lane, over ranges that lanes share."""
        if any(
            isinstance(n, Index) and n.name == chunk.lane
            for a in s.axes
            for n in walk(a)
        ):
            raise Cannot("a range for each lane")
        op, kind = self._simple(s.monoid)
        if op == "count":
            raise Cannot("a count for each lane")
        acc = self._tiles.temporary(kind, "sums")
        self._tiles.instruction(
            "V",
            f"Duplicate({acc}, {self._identity(s.monoid)}, {chunk.count});",
            (),
            (acc,),
        )
        held_names = frozenset(n.name for n in held if isinstance(n, Var))
        varies = along(chunk.lane, held_names)
        value = expanded(self._lifted(s.monoid, s.args), varies)

        def innermost() -> None:
            values = self._values(chunk, [value], held)
            busy = self._busy()
            name = self._argument(values, value, kind)
            self._joined(values, op, kind, acc, name)
            for each in self._busy() - busy:
                self._tiles.free(each)

        def nest(axes: tuple[Axis, ...]) -> None:
            if axes:
                self.loop(axes[0], lambda: nest(axes[1:]))
            else:
                innermost()

        nest(s.axes)
        return {Var(s.results[0], s.monoid.state[0]): Value(kind, acc, False)}

    def _argument(self, values: TileValues, value: Expr, kind: str) -> str:
        if not values.varies(value):
            return values.splat(value, kind)
        found = values.get(value)
        if kind == "float":
            found = values.as_float(found)
        if found.kind != kind:
            raise Cannot(f"a fold of {found.kind} in {kind}")
        return found.name

    def _vector_reduce(self, s: Reduce) -> None:
        if s.body and not all(isinstance(b, Let) for b in s.body):
            raise Cannot("statements in a fold")
        op, kind = self._simple(s.monoid)
        known: dict[Expr, Expr] = {}
        for b in s.body:
            assert isinstance(b, Let)
            known[Var(b.name, b.value.dtype)] = substitute(b.value, known)
        args = tuple(substitute(a, known) for a in s.args)
        lifted = self._lifted(s.monoid, args)
        if op == "count":
            # Of conditions: a tile's is exact in float.
            lifted = Cast(args[0], FLOAT32)
        value = expanded(lifted, along(s.axes[-1].name))
        result = self.names.fresh(s.results[0])
        if self.row is not None:
            text = self._fold_row(s, op, kind, value)
            self._result(s, text, result)
            return
        if op == "count":
            self._count_all(s, value, result)
            return
        acc = self._tiles.temporary(kind, "sums")
        self._tiles.instruction(
            "V", f"Duplicate({acc}, {self._identity(s.monoid)}, TILE);", (), (acc,)
        )

        def nest(axes: tuple[Axis, ...]) -> None:
            if len(axes) > 1:
                self.loop(axes[0], lambda: nest(axes[1:]))
                return
            with self._chunks(axes[0]) as chunk:
                values = self._values(chunk, [value], {})
                name = self._argument(values, value, kind)
                self._joined(values, op, kind, acc, name)

        nest(s.axes)
        text = self._folded(op, kind, acc, "TILE")
        self._tiles.free(acc)
        self._result(s, text, result)

    def _fold_row(self, s: Reduce, op: str, kind: str, value: Expr) -> str:
        """The fold of a row that is there."""
        if len(s.axes) != 1:
            raise Cannot("a fold of several axes in a row")
        assert self.row is not None
        chunk, busy = self._whole(s.axes[0]), self._busy()
        values = self._values(chunk, [value], {})
        if kind == "float" and op in ("add", "count"):
            name = self._argument(values, value, kind)
            text = self._total(name, chunk.count)
            self._release(busy)
            return text
        if kind == "float" and op in ("max", "min"):
            name = self._argument(values, value, kind)
            text = self._extreme(op, name, chunk.count)
            self._release(busy)
            return text
        if not self.row.whole:
            # The least power of two that holds the row, for the fold by halves.
            self.row.whole = self.names.fresh("whole")
            self.line(f"int64_t {self.row.whole} = 16;")
            with self.block(f"while ({self.row.whole} < {chunk.count})"):
                self.line(f"{self.row.whole} *= 2;")
        acc = self._tiles.temporary(kind, "sums")
        text = f"Duplicate({acc}, {self._identity(s.monoid)}, {self.row.whole});"
        self._tiles.instruction("V", text, (), (acc,))
        name = self._argument(values, value, kind)
        self._joined(values, op, kind, acc, name)
        folded = self._folded(op, kind, acc, self.row.whole)
        self._release(busy)
        return folded

    def _count_all(self, s: Reduce, value: Expr, result: str) -> None:
        """A count, tile by tile, in an integer of the scalar unit."""
        self.line(f"int64_t {result} = 0;")

        def nest(axes: tuple[Axis, ...]) -> None:
            if len(axes) > 1:
                self.loop(axes[0], lambda: nest(axes[1:]))
                return
            with self._chunks(axes[0]) as chunk:
                values = self._values(chunk, [value], {})
                text = self._total(self._argument(values, value, "float"), chunk.count)
                self.line(f"{result} += static_cast<int64_t>({text});")
                self.lines[-1].accesses = (Access(self._last, False),)

        nest(s.axes)
        self.scopes[-1][("var", s.results[0])] = Entry(result, "int64_t")

    def _result(self, s: Reduce, text: str, result: str) -> None:
        """Names the folded value."""
        state = s.monoid.state[0]
        ctype = value_type(state)
        if state == BOOL:
            text = f"{text} != 0.0f"
        if s.monoid.name == "count":
            text = f"static_cast<int64_t>({text})"
        self.line(f"const {ctype} {result} = {text};")
        self.lines[-1].accesses = (Access(self._last, False),)
        self.scopes[-1][("var", s.results[0])] = Entry(result, ctype)

    _last = ""

    def _total(self, name: str, count: str) -> str:
        """The text of the sum of floats, brought to the scalar unit."""
        tiles = self._tiles
        total = tiles.fixed("total", "float", 8)
        work = tiles.temporary("float", "work")
        tiles.instruction(
            "V", f"ReduceSum({total}, {name}, {work}, {count});", (name,), (total, work)
        )
        tiles.free(work)
        self._last = total
        return f"{total}.GetValue(0)"

    def _extreme(self, op: str, name: str, count: str) -> str:
        """As `_total`, of the largest or smallest; nan if there is one.

        ReduceMax gets no nan to see: what it does with one is not documented. Ones in
        the place of nans, zeros elsewhere, are reduced as well and tell of them.
        """
        tiles, values = self._tiles, self._values(Chunk("", "", count, 0), [], {})
        # In parentheses: a name alone would be taken for a tensor's.
        worst = "-INFINITY" if op == "max" else "(INFINITY)"
        mask, numbers = values.new("mask"), values.new("float")
        values.compare(mask, name, name, "EQ")
        values.select(numbers, mask, name, worst)
        # The extreme, and 32 bytes behind it the mark: what is read at once waits once.
        both = tiles.fixed("extreme", "float", 16)
        work = tiles.temporary("float", "work")

        def put(into: str) -> None:
            text = f"Reduce{FOLDS[op]}({into}, {numbers}, {work}, {count});"
            tiles.instruction("V", text, (numbers,), (both, work))

        put(both)
        flag = "1.0f" if op == "max" else "-1.0f"
        tiles.instruction("V", f"Duplicate({numbers}, 0.0f, {count});", (), (numbers,))
        values.select(numbers, mask, numbers, flag)
        put(f"{both}[8]")
        for each in (mask, numbers, work):
            tiles.free(each)
        found = self.names.fresh("folded")
        self.line(
            f"const float {found} = {both}.GetValue(8) == 0.0f ? "
            f"{both}.GetValue(0) : NAN;"
        )
        self.lines[-1].accesses = (Access(both, False),)
        self._last = both
        return found

    def _folded(self, op: str, kind: str, acc: str, length: str) -> str:
        """As `_total`, of a tile of partial states whose length is a power of two."""
        tiles = self._tiles
        if kind == "float" and op == "add":
            return self._total(acc, length)
        if kind == "float" and op in ("max", "min"):
            return self._extreme(op, acc, length)
        # By halves; what is below one block of 32 bytes goes through the scalar unit.
        half = self.names.fresh("half_of")
        with self.block(
            f"for (int64_t {half} = {length} / 2; {half} >= 8; {half} /= 2)"
        ):
            count = f"static_cast<uint32_t>({half})"
            upper = f"{acc}[{half}]"
            tiles.instruction(
                "V", f"{FOLDS[op]}({acc}, {acc}, {upper}, {count});", (acc,), (acc,)
            )
        join = {"max": "ops_maximum_i32", "min": "ops_minimum_i32"}.get(op, "")
        found = self.names.fresh("folded")
        self.line(f"{kind} {found} = {acc}.GetValue(0);")
        self.lines[-1].accesses = (Access(acc, False),)
        with self.block("for (int32_t lane = 1; lane < 8; lane++)"):
            item = f"{acc}.GetValue(lane)"
            text = (
                f"{join}({found}, {item})"
                if op in ("max", "min")
                else f"{found} {'+' if op == 'add' else '*'} {item}"
            )
            self.line(f"{found} = {text};")
            self.lines[-1].accesses = (Access(acc, False),)
        self._last = acc
        return found
