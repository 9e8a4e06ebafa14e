"""Short rows, many to a tile: folds give a value for each row, and not one at a time.

Rows of at most 64 floats lie `pitch` elements apart, whole blocks. Arithmetic runs over
all of them at once, gaps included; WholeReduce folds each row to an element of a tensor
of rows, where values of a row are computed; Brcb and Copy bring those back to every
element of their row. Nothing passes through the scalar unit.
"""

from __future__ import annotations

from opslib.codegen.c_expressions import Entry
from opslib.codegen.c_types import LOOSE, UNARY
from opslib.ir.dtypes import BOOL
from opslib.ir.expr import (
    ZERO,
    Axis,
    Expr,
    Index,
    Read,
    Var,
    substitute,
    walk,
)
from opslib.ir.loops import For, Let, Reduce, Statement, Store
from opslib.lowering.skeletons import arith
from opslib.lowering.skeletons.scan import Walk

from . import apart
from .folds import FOLDS
from .functions import along, expanded
from .lanes_state import Cannot, Chunk
from .machine import Access, Instruction, Node
from .plan import SIZES
from .scalar import element_type
from .scans import ScanPrinter
from .vector import TileValues, Value

# One repeat of WholeReduce: 64 floats. A count of repeats is at most 255.
LONGEST = 64
MOST = 248


class PackedPrinter(ScanPrinter):
    """Prints launches for rows of at most `LONGEST` elements; raises `Cannot`."""

    _turn: Chunk | None = None
    _pitch = ""
    _extent = ""
    _width = 0

    def parallel(self, s: For) -> None:
        """Turns are as many rows as a tile holds, or as a core has to do."""
        if self.is_parallel or s.step is not None or s.axis.start is not ZERO:
            raise Cannot("rows that are not simply counted")
        self.is_parallel = True
        self.length = _length(s.body)
        self._lets: dict[Expr, Expr] = {}
        self._results: dict[Expr, Value] = {}
        row = s.axis.name
        _, stop = self._ends(s.axis)
        self._extent = self.names.fresh("extent")
        self.line(f"const int64_t {self._extent} = {self.operand(self.length, LOOSE)};")
        self._pitch = self.names.fresh("pitch")
        self._width = self._element_size(s)
        unit = apart.BLOCK // self._width
        text = f"({self._extent} + {unit - 1}) / {unit} * {unit}"
        self.line(f"const int64_t {self._pitch} = {text};")
        each = self.names.fresh("each")
        share = f"({stop} + GetBlockNum() - 1) / GetBlockNum()"
        self.line(
            f"const int64_t {each} = ops_minimum_i64("
            f"ops_minimum_i64(TILE / {self._pitch}, {MOST}), {share});"
        )
        first = self.names.fresh(row)
        head = (
            f"for (int64_t {first} = (int64_t)GetBlockIdx() * {each}; "
            f"{first} < {stop}; {first} += (int64_t)GetBlockNum() * {each})"
        )
        outer = self._parallel_turns
        self._parallel_turns = (*outer, self.loops + 1)
        with self.block(head):
            self.scopes[-1][("index", row)] = Entry(first, "int64_t")
            rows, count = self.names.fresh("rows"), self.names.fresh("count")
            whole = self.names.fresh("whole")
            self.line(
                f"const uint32_t {rows} = static_cast<uint32_t>("
                f"ops_minimum_i64({each}, {stop} - {first}));"
            )
            self.line(f"const uint32_t {whole} = ({rows} + 7) / 8 * 8;")
            pitch = f"static_cast<uint32_t>({self._pitch})"
            self.line(f"const uint32_t {count} = {rows} * {pitch};")
            self._turn = Chunk(row, first, whole, 0)
            self._count, self._number = count, rows
            self.side(s, 0)
        self._parallel_turns = outer

    def _element_size(self, s: For) -> int:
        """Bytes of what is loaded and stored: all the same, for rows are as wide."""
        sizes = {
            SIZES[element_type(b.dtype)]
            for b in self.buffers.values()
            if b.scope in ("input", "output") and _touches(s, b.name)
        }
        if len(sizes) != 1 or not sizes <= {2, 4}:
            raise Cannot("rows of elements of several sizes")
        return sizes.pop()

    def finished(self, tile: int) -> list[Node]:
        """The launch's body; tensors of rows hold numbers from the start."""
        lines = super().finished(tile)
        fills: list[Node] = [
            Instruction(
                "V", f"Duplicate({v.name}, 0.0f, 256);", (Access(v.name, True),)
            )
            for v in self._results.values()
        ]
        return [lines[0], *fills, *lines[1:]]

    # -- values of rows --------------------------------------------------------------

    def _let(self, name: str, value: Expr) -> None:
        if self._turn is None:
            super()._let(name, value)
            return
        self._lets[Var(name, value.dtype)] = substitute(value, self._lets)

    def _of_rows(self, node: Expr, lane: str) -> bool:
        """Whether a value is one for each row."""
        assert self._turn is not None
        found = False
        for n in walk(node):
            if isinstance(n, Index) and n.name == lane:
                return False
            if isinstance(n, Read) or (
                isinstance(n, Index) and n.name == self._turn.lane
            ):
                return False
            found = found or n in self._results or n in self._lets
        return found

    def _values(
        self, chunk: Chunk, roots: list[Expr], held: dict[Expr, Value]
    ) -> TileValues:
        if self._turn is not None and chunk is not self._turn:
            held = dict(held)
            for node in self._outermost(roots, chunk.lane):
                held[node] = self._spread(node)
        return super()._values(chunk, roots, held)

    def _outermost(self, roots: list[Expr], lane: str) -> list[Expr]:
        assert self._turn is not None
        found: dict[Expr, None] = {}
        stack = list(roots)
        seen: set[Expr] = set()
        while stack:
            node = stack.pop()
            if node in seen or isinstance(node, Read):
                continue
            seen.add(node)
            if self._of_rows(node, lane):
                found[node] = None
            elif isinstance(node, Index) and node.name == self._turn.lane:
                raise Cannot("a row's number as a value")
            else:
                stack += node.children
        return list(found)

    def _spread(self, node: Expr) -> Value:
        """A value of each row for all elements of the row."""
        assert self._turn is not None
        rows = self._turn
        if node.dtype.name != "float32":
            raise Cannot(f"a value of {node.dtype} for each row")
        value = substitute(node, self._lets)
        names = frozenset(n.name for n in self._results if isinstance(n, Var))
        value = expanded(value, along(rows.lane, names))
        values = super()._values(rows, [value], dict(self._results))
        row = values.get(value)
        into = self._tiles.temporary("float")
        blocks = self._tiles.fixed("blocks", "float", 8 * MOST)
        self._tiles.instruction(
            "V",
            f"opslib::Blocks({blocks}, {row.name}, {self._number});",
            (row.name,),
            (blocks,),
        )
        self._tiles.instruction(
            "V",
            f"opslib::Spread({into}, {blocks}, {self._pitch}, {self._number});",
            (blocks,),
            (into,),
        )
        if row.owned:
            self._tiles.free(row.name)
        return Value("float", into)

    def need(self, key: tuple[str, str]) -> Entry:
        """A value of a row has no name on the scalar unit."""
        try:
            return super().need(key)
        except KeyError as error:
            raise Cannot(str(error)) from error

    def _store_one(self, s: Store) -> None:
        """A value of each row to a tensor of them."""
        if self._turn is None:
            super()._store_one(s)
            return
        names = frozenset(n.name for n in self._results if isinstance(n, Var))
        value = substitute(s.value, self._lets)
        value = expanded(value, along(self._turn.lane, names))
        values = super()._values(self._turn, [value], dict(self._results))
        if not values.varies(value):
            raise Cannot("a store that is the same for all rows")
        busy = self._busy()
        self._store_lanes(values, Store(s.buffer, s.indices, value))
        self._release(busy)

    def _scan(self, s: Walk) -> None:
        raise Cannot("prefixes in packed rows")

    # -- folds -----------------------------------------------------------------------

    def _vector_reduce(self, s: Reduce) -> None:
        if self._turn is None or self.row is None:
            raise Cannot("a fold outside of rows")
        if len(s.axes) != 1 or not all(isinstance(b, Let) for b in s.body):
            raise Cannot("a fold of several axes in a row")
        op, kind = self._simple(s.monoid)
        if kind != "float" or op not in ("add", "max", "min"):
            raise Cannot(f"a fold by {op} in packed rows")
        if s.monoid.state[0] == BOOL:
            raise Cannot("a fold of conditions in packed rows")
        known: dict[Expr, Expr] = {}
        for b in s.body:
            assert isinstance(b, Let)
            known[Var(b.name, b.value.dtype)] = substitute(b.value, known)
        args = tuple(substitute(a, known) for a in s.args)
        lane = s.axes[0].name
        value = expanded(self._lifted(s.monoid, args), along(lane))
        chunk, busy = self._whole(s.axes[0]), self._busy()
        values = self._values(chunk, [value], {})
        name = self._argument(values, value, kind)
        result = self._tiles.fixed(s.results[0], "float", 256)
        if op == "add":
            self._fold("Sum", result, name)
        else:
            self._extreme_of_rows(FOLDS[op], result, name, values)
        self._release(busy)
        self._results[Var(s.results[0], s.monoid.state[0])] = Value(
            "float", result, False
        )

    def _fold(self, which: str, into: str, name: str) -> None:
        order = "" if which == "Sum" else ", ReduceOrder::ORDER_ONLY_VALUE"
        self._tiles.instruction(
            "V",
            f"WholeReduce{which}({into}, {name}, {self._extent}, {self._number}, 1, 1, "
            f"{self._pitch} / 8{order});",
            (name,),
            (into,),
        )

    def _extreme_of_rows(
        self, which: str, into: str, name: str, values: TileValues
    ) -> None:
        """As `_extreme` in folds.py: no nan is shown, marks tell of them."""
        assert self._turn is not None
        worst = "-INFINITY" if which == "Max" else "(INFINITY)"
        mask, numbers = values.new("mask"), values.new("float")
        values.compare(mask, name, name, "EQ")
        values.select(numbers, mask, name, worst)
        self._fold(which, into, numbers)
        flag = "1.0f" if which == "Max" else "-1.0f"
        count = self._count
        self._tiles.instruction(
            "V", f"Duplicate({numbers}, 0.0f, {count});", (), (numbers,)
        )
        values.select(numbers, mask, numbers, flag)
        marks = self._tiles.fixed("marks", "float", 256)
        self._results.setdefault(Var("#marks", BOOL), Value("float", marks, False))
        self._fold(which, marks, numbers)
        rows = super()._values(self._turn, [], {})
        rows.compare(mask, marks, "0.0f", "EQ")
        rows.select(into, mask, into, "(NAN)")
        self._tiles.free(mask)
        self._tiles.free(numbers)

    # -- rows ------------------------------------------------------------------------

    def _whole(self, axis: Axis) -> Chunk:
        if self.row is None or axis.start is not ZERO or axis.stop is not self.length:
            raise Cannot("a second range in a row")
        self.scopes[-1][("index", axis.name)] = Entry("0", "int64_t")
        return Chunk(axis.name, "0", self._count, 0)

    def _fetch(self, read: Read, chunk: Chunk) -> str:
        if chunk is self._turn:
            raise Cannot("an element for each row")
        buffer, c = self.buffers[read.tensor], self.pointer(read.tensor)
        ctype = element_type(buffer.dtype)
        if self._affine(chunk, read.tensor, read.indices) is not arith.integer(1):
            raise Cannot("a strided read in packed rows")
        pitch = self._between_rows(read.tensor, read.indices)
        memory = self._dma(read.tensor, False, read.indices, chunk)
        accesses = (memory,) if buffer.scope != "input" else ()
        place = self.operand(self.linear(read.tensor, read.indices), LOOSE)
        raw = self._tiles.temporary(ctype, f"{c}_in")
        if pitch is not arith.integer(0):
            operands = f"{self.operand(pitch, UNARY)}, {self._extent}, {self._number}"
            text = f"opslib::LoadRows({raw}, {c}[{place}], {operands});"
            self._tiles.instruction("MTE2", text, (), (raw,), *accesses)
            return raw
        one = self._tiles.fixed(f"{c}_row", ctype, LONGEST)
        text = (
            f"opslib::LoadRows({one}, {c}[{place}], {self._extent}, {self._extent}, 1);"
        )
        self._tiles.instruction("MTE2", text, (), (one,), *accesses)
        text = f"opslib::Repeat({raw}, {one}, {self._pitch}, {self._number});"
        self._tiles.instruction("V", text, (one,), (raw,))
        return raw

    def _send(
        self, at: str, out: str, chunk: Chunk, memory: Access, where: Expr
    ) -> None:
        assert self._turn is not None
        if chunk is self._turn:
            text = f"opslib::Store({at}, {out}, {self._number});"
            self._tiles.instruction("MTE3", text, (out,), (), memory)
            return
        found = arith.affine(where, self._turn.lane)
        if found is None or not apart.is_pitch(found[0]):
            raise Cannot("rows that do not follow each other")
        operands = f"{self.operand(found[0], UNARY)}, {self._extent}, {self._number}"
        text = f"opslib::StoreRows({at}, {out}, {operands});"
        self._tiles.instruction("MTE3", text, (out,), (), memory)

    def _between_rows(self, tensor: str, indices: tuple[Expr, ...]) -> Expr:
        assert self._turn is not None
        found = arith.affine(self.linear(tensor, indices), self._turn.lane)
        if found is None:
            raise Cannot("rows that do not follow each other")
        if found[0] is not arith.integer(0) and not apart.is_pitch(found[0]):
            raise Cannot("rows that do not follow each other")
        return found[0]


def _touches(s: For, name: str) -> bool:
    def read(nodes: tuple[Expr, ...]) -> bool:
        return any(isinstance(n, Read) and n.tensor == name for n in walk(*nodes))

    def within(body: tuple[Statement, ...]) -> bool:
        for b in body:
            match b:
                case For():
                    if within(b.body):
                        return True
                case Reduce():
                    if read(b.args) or within(b.body):
                        return True
                case Let(_, value):
                    if read((value,)):
                        return True
                case _:
                    if not isinstance(b, Store):
                        continue
                    if b.buffer == name or read((b.value,)):
                        return True
        return False

    return within(s.body)


def _length(body: tuple[Statement, ...]) -> Expr:
    """The length of all folds and loops in a row."""
    stops = [b.axis.stop for b in body if isinstance(b, For)]
    stops += [a.stop for b in body if isinstance(b, Reduce) for a in b.axes]
    if len(set(stops)) != 1 or arith.varies(stops[0]):
        raise Cannot("rows of different lengths")
    return stops[0]


__all__ = ["LONGEST", "PackedPrinter"]
