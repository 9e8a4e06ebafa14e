"""Loops over contiguous elements: 16 bytes at a time where the addresses allow it.

Whether they do is known at run time only (an array may begin anywhere, a row may have
any length), so each such loop is printed twice: for packs, and one element at a time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from opslib.codegen.c_expressions import Entry, base_name
from opslib.codegen.c_types import LOOSE, SHORT, stored_type, value_type
from opslib.ir.expr import (
    ONE,
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
    walk,
)
from opslib.ir.loops import Assign, Declare, For, If, Let, Reduce, Statement, Store
from opslib.lowering.inline import CHEAP
from opslib.lowering.phases import inside, roots
from opslib.lowering.skeletons import arith

from .folds import FoldPrinter
from .teams import THREAD

# Larger bodies would fill the instruction cache, and need no wide accesses to be fast.
_MOST_NODES = 260


@dataclass(slots=True)
class Packs:
    """The contiguous accesses of a loop.

    Attributes:
        size: elements of a pack.
        loads, stores: (buffer, offset of the loop's element 0), by what is read and
            written there.
    """

    size: int
    loads: list[tuple[str, Expr]] = field(default_factory=list)
    stores: list[tuple[str, Expr]] = field(default_factory=list)


def pack_size(bits: Sequence[int]) -> int:
    """Elements of a pack: 16 bytes of the narrowest type, 4 at least and 8 at most."""
    return max(4, min(8, 128 // min(bits)))


class PackPrinter(FoldPrinter):
    """Adds accesses of 16 bytes."""

    # Of the loop being printed: its index, and the names of packs by place.
    _index: str = ""
    # Whether it is known to have a turn, so that what it reads may be read before.
    _runs = False
    _packs: dict[tuple[str, Expr], str] = {}  # noqa: RUF012  (replaced, never changed)

    # -- what is contiguous ------------------------------------------------------------

    def moves(
        self, buffer: str, indices: tuple[Expr, ...], index: str
    ) -> tuple[Expr, Expr] | None:
        """(step, base) of an offset along an index; None if it is not affine."""
        step: Expr = ZERO
        base: Expr = ZERO
        for i, stride in zip(indices, self.buffers[buffer].strides, strict=True):
            found = arith.affine(i, index)
            if found is None:
                return None
            step = arith.add(step, arith.mul(found[0], stride))
            base = arith.add(base, arith.mul(found[1], stride))
        return step, base

    def packs_of(
        self, axis: Axis, body: tuple[Statement, ...], args: tuple[Expr, ...]
    ) -> Packs | None:
        """What a loop may load and store as packs; None: nothing."""
        inner = _bound(body) | {axis.name}
        nodes = 0
        eager: set[Expr] = set()
        for s in inside(body):
            nodes += sum(1 for _ in walk(*roots(s)))
            if isinstance(s, For | Reduce):
                return None
        for s in body:
            if isinstance(s, Let | Store | Declare | Assign | If):
                eager |= _unconditional(roots(s))
        nodes += sum(1 for _ in walk(*args))
        eager |= _unconditional(args)
        if nodes > _MOST_NODES:
            return None
        stored = [s for s in inside(body) if isinstance(s, Store)]
        targets = {s.buffer for s in stored}
        loads: dict[tuple[str, Expr], None] = {}
        for n in eager:
            if isinstance(n, Read) and n.tensor not in targets:
                place = self._place(n.tensor, n.indices, axis.name, inner)
                if place is not None:
                    loads[place] = None
        read = {
            n.tensor
            for s in inside(body)
            for n in walk(*roots(s))
            if isinstance(n, Read)
        }
        stores: dict[tuple[str, Expr], None] = {}
        for t in stored:
            alone = sum(1 for other in stored if other.buffer == t.buffer) == 1
            place = self._place(t.buffer, t.indices, axis.name, inner)
            if alone and t in body and t.buffer not in read and place is not None:
                stores[place] = None
        places = [*loads, *stores]
        if not places:
            return None
        size = pack_size([max(8, self.buffers[b].dtype.bits) for b, _ in places])
        order = sorted(loads, key=lambda p: (p[0], self.operand_key(p[1])))
        return Packs(size, order, list(stores))

    def operand_key(self, node: Expr) -> str:
        """Something to sort expressions by, the same in each run."""
        from opslib.ir.printer import expression

        return expression(node)

    def _place(
        self, buffer: str, indices: tuple[Expr, ...], index: str, inner: set[str]
    ) -> tuple[str, Expr] | None:
        if self.buffers[buffer].scope == "stack" or not indices:
            return None
        found = self.moves(buffer, indices, index)
        if found is None or found[0] is not ONE:
            return None
        for n in walk(found[1]):
            if isinstance(n, Index | Var) and n.name in inner:
                return None
            if isinstance(n, Read) and (
                not self._runs or self.buffers[n.tensor].scope != "input"
            ):
                return None
        return buffer, found[1]

    # -- where rows begin --------------------------------------------------------------

    def row(self, buffer: str, base: Expr) -> str:
        """The address of a row's element 0, with a name if it is not the buffer's."""
        found = self.find(("row", buffer, base))
        if found is not None:
            return found.text
        if base is ZERO:
            return self.pointer(buffer)
        of = self.buffers[buffer]
        const = "const " if of.scope == "input" else ""
        text = self.shifted(buffer, base)
        name = self.names.fresh(f"{buffer}_row")
        self.line(f"{const}{stored_type(of.dtype)} *{name} = {text};")
        self.scopes[-1][("row", buffer, base)] = Entry(name, "")
        return name

    def _from_row(self, tensor: str, indices: tuple[Expr, ...]) -> str | None:
        if not self._index or not indices:
            return None
        found = self.moves(tensor, indices, self._index)
        if found is None or found[0] is not ONE:
            return None
        row = self.find(("row", tensor, found[1]))
        if row is None:
            return None
        return f"{row.text}[{self.need(('index', self._index)).text}]"

    def _packed(self, node: Read) -> str | None:
        if not self._packs or not node.indices:
            return None
        found = self.moves(node.tensor, node.indices, self._index)
        if found is None or found[0] is not ONE:
            return None
        name = self._packs.get((node.tensor, found[1]))
        return None if name is None else f"{name}[e]"

    def _store_one(self, s: Store) -> None:
        found = None
        if self._index and s.indices:
            found = self.moves(s.buffer, s.indices, self._index)
        place = None
        if found is not None and found[0] is ONE:
            name = self._packs.get((s.buffer, found[1]))
            row = self.find(("row", s.buffer, found[1]))
            if name is not None:
                place = f"{name}[e]"
            elif row is not None:
                place = f"{row.text}[{self.need(('index', self._index)).text}]"
        if place is None:
            super()._store_one(s)
            return
        self.name_shared([s.value])
        self.line(f"{place} = {self.stored(s)};")

    def stored(self, s: Store) -> str:
        """The text of a stored value, in the buffer's type."""
        short = SHORT[self.buffers[s.buffer].dtype.name]
        value = s.value
        if short not in ("f16", "bf16"):
            return self.operand(value, LOOSE)
        inner = value.value if isinstance(value, Cast) else value
        if inner.dtype.name in ("float32", "float64") and inner is not value:
            kind = "f32" if inner.dtype.name == "float32" else "f64"
            return f"ops_{kind}_to_{short}({self.operand(inner, LOOSE)})"
        return f"ops_f32_to_{short}({self.operand(value, LOOSE)})"

    # -- loops -------------------------------------------------------------------------

    def dealt(self, s: For) -> None:
        """A loop dealt to the team: packs, then single elements."""
        found = None if s.step is not None else self.packs_of(s.axis, s.body, ())
        if found is None:
            super().dealt(s)
            return
        self._invariant(s.body, (), s.axis.name)
        self._twice(s.axis, found, lambda: self.body(s.body))
        self.hazards.add(*self.touches([s]))

    def part(self, s: Reduce, axis: Axis, names: list[str]) -> None:
        """The fold of each thread's packs, then of its single elements."""
        found = self.packs_of(axis, s.body, s.args)
        if found is None or len(s.axes) > 1:
            super().part(s, axis, names)
            return
        self._invariant(s.body, s.args, axis.name)
        self._twice(axis, found, lambda: self.step(s, names))

    def _twice(self, axis: Axis, found: Packs, inside: Callable[[], None]) -> None:
        size = found.size
        start, stop = self._ends(axis)
        rows = {p: self.row(*p) for p in (*found.loads, *found.stores)}
        past = "" if start == "0" else f" + {start}"
        places = ", ".join(f"{row}{past}" for row in dict.fromkeys(rows.values()))
        tests = f"ops_aligned({places})"
        count = stop if start == "0" else f"{stop} - {start}"
        packs = self.names.fresh("packs")
        self.line(f"const int64_t {packs} = ops_packs({count}, {size}, {tests});")
        rank, by = self.rank(), self.team.size
        turn = self.names.fresh("p")
        with (
            self.block(
                f"for (int64_t {turn} = {rank}; {turn} < {packs}; {turn} += {by})"
            ),
            self.working(THREAD),
        ):
            first = f"{turn} * {size}"
            self._pack_turn(
                axis, found, rows, first if start == "0" else f"{start} + {first}",
                inside,
            )  # fmt: skip
        name = self.names.fresh(axis.name)
        first = f"{packs} * {size} + {rank}"
        if start != "0":
            first = f"{start} + {first}"
        outer, self._index = self._index, axis.name
        with (
            self.block(
                f"for (int64_t {name} = {first}; {name} < {stop}; {name} += {by})"
            ),
            self.working(THREAD),
        ):
            self.scopes[-1][("index", axis.name)] = Entry(name, "int64_t")
            self._facts(axis)
            inside()
        self._index = outer

    def _pack_turn(
        self,
        axis: Axis,
        found: Packs,
        rows: dict[tuple[str, Expr], str],
        first: str,
        inside: Callable[[], None],
    ) -> None:
        """Loads, the elements one by one in registers, stores."""
        size = found.size
        begin = first
        if not begin.isidentifier():
            begin = self.names.fresh(f"{axis.name}_first")
            self.line(f"const int64_t {begin} = {first};")
        packs: dict[tuple[str, Expr], str] = {}
        for place in (*found.loads, *found.stores):
            of = self.buffers[place[0]]
            packs[place] = self.names.fresh(f"{place[0]}_pack")
            self.line(f"{stored_type(of.dtype)} {packs[place]}[{size}];")
            if place in found.loads:
                self.line(f"ops_load({packs[place]}, {rows[place]} + {begin});")
        outer = self._index, self._packs
        self._index, self._packs = axis.name, packs
        self.line("#pragma unroll")
        with self.block(f"for (int e = 0; e < {size}; e++)"):
            name = self.names.fresh(axis.name)
            at = len(self.lines)
            self.scopes[-1][("index", axis.name)] = Entry(name, "int64_t")
            self._facts(axis)
            inside()
            if any(re.search(rf"\b{name}\b", line) for line in self.lines[at:]):
                text = "    " * self.indent + f"const int64_t {name} = {begin} + e;"
                self.lines.insert(at, text)
            else:
                self.names.restore(self.names.copy() - {name})
        self._index, self._packs = outer
        for place in found.stores:
            self.line(f"ops_store({rows[place]} + {begin}, {packs[place]});")

    def chunk(self, s: For) -> None:
        """A few elements of one thread: a pack if there are enough, else one by one."""
        self._runs = True
        found = self.packs_of(s.axis, s.body, ())
        self._runs = False
        width = s.grain.value if isinstance(s.grain, Const) else 0
        if found is None or not width:
            super().chunk(s)
            return
        found.size = int(width)
        start, stop = self._ends(s.axis)
        rows = {p: self.row(*p) for p in (*found.loads, *found.stores)}
        past = "" if start == "0" else f" + {start}"
        places = ", ".join(f"{row}{past}" for row in dict.fromkeys(rows.values()))
        tests = f"ops_aligned({places})"
        with self.block(f"if ({stop} - {start} == {width} && {tests})"):
            self._pack_turn(s.axis, found, rows, start, lambda: self.body(s.body))
        self.lines.pop()
        outer, self._index = self._index, s.axis.name
        with self.block("} else"):
            self.loop(s.axis, lambda: self.body(s.body))
        self._index = outer

    def _invariant(
        self, body: tuple[Statement, ...], args: tuple[Expr, ...], index: str
    ) -> None:
        """Functions of what is the same along the loop, in front of it."""
        inner = _bound(body) | {index}
        stored = {t.buffer for t in inside(body) if isinstance(t, Store)}
        values = [b.value for b in body if isinstance(b, Let | Store)]
        found: list[Expr] = []
        for root in (*values, *args):
            found += self._invariants(root, inner, stored)
        for node in dict.fromkeys(found):
            reads = any(isinstance(n, Read) for n in walk(node))
            worth = any(isinstance(n, Prim) and n.op not in CHEAP for n in walk(node))
            if reads or not worth or self.find(("expr", node)) is not None:
                continue
            text = self.operand(node, LOOSE)
            self.bind(("expr", node), base_name(node), value_type(node.dtype), text)


def _bound(body: Sequence[Statement]) -> set[str]:
    names: set[str] = set()
    for s in inside(body):
        match s:
            case Let(name, _) | Declare(name, _):
                names.add(name)
            case Assign(found, _):
                names.update(found)
            case Reduce():
                names.update(s.results)
                names.update(a.name for a in s.axes)
            case For():
                names.add(s.axis.name)
    return names


def _unconditional(found: Sequence[Expr]) -> set[Expr]:
    """The nodes that are computed whatever conditions say."""
    sure: set[Expr] = set()
    stack = list(found)
    while stack:
        node = stack.pop()
        if node in sure:
            continue
        sure.add(node)
        if isinstance(node, Select):
            stack.append(node.condition)
        elif isinstance(node, Prim) and node.op in ("and", "or"):
            stack.append(node.args[0])
        else:
            stack.extend(node.children)
    return sure
