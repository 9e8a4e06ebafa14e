"""Loops and reductions over lanes, a tile at a time on the vector unit.

A vector loop of `Loops` becomes a loop over chunks of at most TILE lanes: tensors come
in by DMA (MTE2), values are computed (V), results leave by DMA (MTE3). Tails are
counts. A reduction keeps a tile of partial states and folds it at the end. What the
vector unit cannot do is left to scalar.py, whole loop by whole loop.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from opslib.codegen.c_expressions import Entry
from opslib.codegen.c_names import Names
from opslib.codegen.c_types import LOOSE, UNARY
from opslib.ir.dtypes import FLOAT32
from opslib.ir.expr import (
    ZERO,
    Axis,
    Cast,
    Expr,
    Index,
    Read,
    Var,
    substitute,
    walk,
)
from opslib.ir.loops import For, If, Let, Reduce, Statement, Store
from opslib.ir.printer import expression
from opslib.lowering.skeletons import arith

from ..targets import AscendTarget
from . import apart, blocks, ranges
from .allocate import Tile
from .functions import along, expanded
from .lanes_state import Cannot, Chunk, Tiles
from .machine import Access, Instruction, Node
from .plan import Limit
from .scalar import ScalarPrinter, element_type
from .vector import TileValues, Value
from .vector_state import narrowing

# Maps of more nodes than this spend their time computing: two sets of buffers would
# only make the tiles shorter.
_SMALL = 24


@dataclass(slots=True)
class Row:
    """What UB holds of the row at hand.

    Attributes:
        values: by tensor and place, in terms of the lane.
        count: C name of the number of lanes.
        whole: C name of the least power of two that is not smaller.
    """

    values: dict[tuple[str, str], Value] = field(default_factory=dict)
    count: str = ""
    whole: str = ""


class LanePrinter(ScalarPrinter):
    """Adds vector loops to the scalar printer.

    Args:
        names: of the launch's function.
        target: the chip.
        only_scalar: buffers that DMA must not touch; see lower.py.
        resident: rows stay in UB from their first load on: for rows of at most a tile.
            Whatever does not fit that raises `Cannot`.
        each: where copies are of whole blocks, the scalar unit stores; see blocks.py.
    """

    def __init__(
        self,
        names: Names,
        target: AscendTarget,
        only_scalar: frozenset[str],
        resident: bool = False,
        each: bool = False,
    ) -> None:
        super().__init__(names)
        self.resident = resident
        self.each = each
        # The ranges that are stored in whole blocks, and the range being printed.
        self.pieces: dict[Limit, None] = {}
        self._range: Axis | None = None
        self.row: Row | None = None
        # The length of the rows, where they are resident.
        self.length: Expr | None = None
        self.target = target
        self.only_scalar = only_scalar
        self.moved: set[str] = set()
        self.stored: set[str] = set()
        self.why: list[str] = []
        self._tiles = Tiles(names.fresh, self._put, self.block, target.shifts)
        self._parallel_turns: tuple[int, ...] = ()
        # Values of variables that the lanes of the chunk hold, while inside one.
        self._inside: TileValues | None = None
        # Inside a loop of which all parts are for the vector unit, or none.
        self._whole_loop = False

    def _put(self, instruction: Instruction) -> None:
        if self.touched:
            # Scalar operands of the instruction were read by the scalar unit.
            self.lines.append(Instruction("S", "", tuple(self.touched)))
            self.touched = []
        self.lines.append(instruction)

    def tiles(self) -> list[Tile]:
        """Tensors that the launch needs in UB."""
        return list(self._tiles.all.values())

    def finished(self, tile: int) -> list[Node]:
        """The launch's body; the tile's length is a constant in it."""
        if not self._tiles.all:
            return list(self.lines)
        text = f"constexpr int64_t TILE = {tile};"
        lines: list[Node] = [Instruction("S", text), *blocks.ramps(self._tiles)]
        return [*lines, *apart.ramps(self._tiles), *self.lines]

    # -- trying ----------------------------------------------------------------------

    def _try(self, run: Callable[[], None]) -> bool:
        """Runs a printer of vector code; undoes everything if it cannot."""
        lines, length = self.lines, len(self.lines)
        names = self.names.copy()
        scopes = [dict(s) for s in self.scopes]
        tiles = dict(self._tiles.all), _copied(self._tiles._free)
        kinds = dict(self._tiles._kind)
        state = (
            set(self.moved),
            set(self.stored),
            set(self.scalar_reads),
            set(self.scalar_writes),
            list(self.workspaces),
            dict(self.lets),
        )
        indent, lazy, touched = self.indent, self.lazy, list(self.touched)
        try:
            run()
            return True
        except Cannot as reason:
            self.why.append(str(reason))
        self.names.restore(names)
        self.lines = lines
        del self.lines[length:]
        self.scopes = scopes
        self._tiles.all, self._tiles._free = tiles
        self._tiles._kind = kinds
        self.moved, self.stored, self.scalar_reads, self.scalar_writes = state[:4]
        self.workspaces, self.lets = state[4:]
        self.indent, self.lazy, self.touched = indent, lazy, touched
        self._inside = None
        self._whole_loop = False
        return False

    def parallel(self, s: For) -> None:
        """As in scalar.py; its turns touch different parts of shared memory."""
        outer = self._parallel_turns
        self._parallel_turns = (*outer, self.loops + 1)
        super().parallel(s)
        self._parallel_turns = outer

    def takes_turns(self, s: For) -> bool:
        """For maps: while one tile is computed, the next comes in."""
        if self.resident:
            return False
        loops = [b for b in s.body if isinstance(b, For)]
        rest = [b for b in s.body if not isinstance(b, For | Let)]
        if len(loops) != 1 or rest or loops[0].kind != "vector":
            return False
        values = [b for b in loops[0].body if isinstance(b, Store | Let)]
        if len(values) < len(loops[0].body):
            return False
        lane = loops[0].axis.name
        if (
            sum(1 for b in values for _ in walk(expanded(b.value, along(lane))))
            > _SMALL
        ):
            return False
        if self.target.copies_bytes and not ranges.is_whole(loops[0]):
            return False
        # A rehearsal tells whether the loop is one for the vector unit.
        found: list[bool] = []

        def rehearse() -> None:
            with self.block("for (rehearsal;;)"):
                self.scopes[-1][("index", s.axis.name)] = Entry("#", "int64_t")
                for b in s.body:
                    if b is loops[0]:
                        found.append(self._try(lambda: self._cut_for(loops[0])))
                    else:
                        self.statement(b)
            raise Cannot("rehearsed")

        self._try(rehearse)
        self.why.remove("rehearsed")
        return found == [True]

    def side(self, s: For, which: int) -> None:
        """See scalar.py; each side has tensors of its own."""
        outer, self._tiles.side = self._tiles.side, which
        if self.resident:
            if self.row is not None:
                raise Cannot("rows in rows")
            self.row = Row()
        super().side(s, which)
        self.row = None
        self._tiles.side = outer

    def loop(
        self, axis: Axis, inside: Callable[[], None], step: Expr | None = None
    ) -> None:
        """A serial loop; in it, what a row holds would change from turn to turn."""
        if self.resident:
            raise Cannot("a loop in a row")
        super().loop(axis, inside, step)

    def _if(self, s: If) -> None:
        if self.resident and any(
            isinstance(b, For | Reduce) for b in (*s.then, *s.other)
        ):
            raise Cannot("a loop in a branch")
        super()._if(s)

    def _for(self, s: For) -> None:
        if self.resident and s.kind == "vector":
            self._vector_for(s)
            return
        if (
            s.kind == "vector"
            and s.step is None
            and self._inside is None
            and (self._whole_loop or self._try(lambda: self._cut_for(s)))
        ):
            if self._whole_loop:
                self._vector_for(s)
            return
        super()._for(s)

    def _cut_for(self, s: For) -> None:
        """A loop over lanes in parts of which each is for the vector unit."""
        self._whole_loop = True
        # Where copies are of whole blocks, the lengths of all parts would have to be
        # known before the launch.
        for part in ranges.cut(s) if self.target.copies_bytes else (s,):
            self.statement(part)
        self._whole_loop = False

    # -- chunks ----------------------------------------------------------------------

    @contextmanager
    def _chunks(self, axis: Axis) -> Iterator[Chunk]:
        """A loop over the chunks of a range."""
        self._range = axis
        if self.resident:
            busy = self._busy()
            yield self._whole(axis)
            self._release(busy)
            return
        start, stop = self._ends(axis)
        first, count = self.names.fresh(axis.name), self.names.fresh("count")
        turns = self.loops + 1
        with self.block(
            f"for (int64_t {first} = {start}; {first} < {stop}; {first} += TILE)"
        ):
            self.scopes[-1][("index", axis.name)] = Entry(first, "int64_t")
            self._facts(axis)
            left = f"ops_minimum_i64({stop} - {first}, TILE)"
            self.line(f"const uint32_t {count} = static_cast<uint32_t>({left});")
            busy = self._busy()
            yield Chunk(axis.name, first, count, turns)
            for name in sorted(self._busy() - busy):
                self._tiles.free(name)

    def _whole(self, axis: Axis) -> Chunk:
        """The row as one chunk."""
        if self.row is None or axis.start is not ZERO:
            raise Cannot("a range that is no row")
        if self.length is None:
            if arith.varies(axis.stop):
                raise Cannot("rows of different lengths")
            self.length = axis.stop
        if axis.stop is not self.length:
            raise Cannot("a second range in a row")
        if not self.row.count:
            self.row.count = self.names.fresh("count")
            text = self.scalar(axis.stop, UNARY)
            self.line(
                f"const uint32_t {self.row.count} = static_cast<uint32_t>({text});"
            )
        self.scopes[-1][("index", axis.name)] = Entry("0", "int64_t")
        return Chunk(axis.name, "0", self.row.count, 0)

    def _release(self, busy: set[str]) -> None:
        """Frees temporaries made since, but for what the row holds."""
        assert self.row is not None
        held = {v.name for v in self.row.values.values()}
        for name in sorted(self._busy() - busy - held):
            self._tiles.free(name)

    def _row_key(self, chunk: Chunk, read: Read) -> tuple[str, str]:
        lane: dict[Expr, Expr] = {Index(chunk.lane): Index("#lane")}
        place = substitute(self.linear(read.tensor, read.indices), lane)
        return read.tensor, expression(place)

    def _busy(self) -> set[str]:
        free = {n for names in self._tiles._free.values() for n in names}
        per = {n for n, t in self._tiles.all.items() if t.per}
        return per - free

    def _uniform_text(self, node: Expr, level: int) -> str:
        return self.operand(node, level)

    def _values(
        self, chunk: Chunk, roots: list[Expr], held: dict[Expr, Value]
    ) -> TileValues:
        values = TileValues(
            self._tiles,
            chunk,
            self._uniform_text,
            lambda read: self._loaded(values, read),
            roots,
            held,
        )
        return values

    def _vector_for(self, s: For) -> None:
        stored = [b.buffer for b in s.body if isinstance(b, Store)]
        with self._chunks(s.axis) as chunk:
            held: dict[Expr, Value] = {}
            known: dict[Expr, Expr] = {}
            roots: list[Expr] = []
            steps: list[Statement] = []
            folds = [r for b in s.body if isinstance(b, Reduce) for r in b.results]
            varies = along(chunk.lane, frozenset(folds))
            for b in s.body:
                match b:
                    case Let(name, value):
                        value = expanded(substitute(value, known), varies)
                        if len(stored) > 1 and any(
                            isinstance(n, Read) and n.tensor in stored
                            for n in walk(value)
                        ):
                            raise Cannot("a value of what the loop changes")
                        known[Var(name, value.dtype)] = value
                    case Store(buffer, indices, value):
                        where = tuple(substitute(i, known) for i in indices)
                        value = substitute(value, known)
                        ranges.check_guards(value)
                        value = expanded(ranges.plain(value), varies)
                        done = Store(buffer, where, value)
                        roots.append(done.value)
                        steps.append(done)
                    case Reduce():
                        axes = tuple(_axis(a, known) for a in b.axes)
                        args = tuple(substitute(a, known) for a in b.args)
                        if b.body:
                            raise Cannot("statements in a fold of lanes")
                        fold = dataclasses.replace(b, axes=axes, args=args)
                        steps.append(fold)
                    case _:
                        raise Cannot(f"{type(b).__name__} in a vector loop")
            for step in steps:
                if isinstance(step, Reduce):
                    held.update(self.lane_fold(chunk, step, held))
            values = self._values(chunk, roots, held)
            self._inside = values
            for step in steps:
                if isinstance(step, Store):
                    self._store_lanes(values, step)
            self._inside = None

    # -- DMA -------------------------------------------------------------------------

    def _affine(
        self, chunk: Chunk, buffer: str, indices: tuple[Expr, ...]
    ) -> Expr | None:
        """How far apart the accesses of neighbouring lanes are; None: anywhere."""
        step: Expr = arith.integer(0)
        for index, stride in zip(indices, self.buffers[buffer].strides, strict=True):
            found = arith.affine(index, chunk.lane)
            if found is None or any(
                isinstance(n, Index) and n.name == chunk.lane for n in walk(*found)
            ):
                return None
            step = arith.add(step, arith.mul(found[0], stride))
        return step

    def _dma(
        self, buffer: str, write: bool, indices: tuple[Expr, ...], chunk: Chunk
    ) -> Access:
        found = self.buffers[buffer]
        if found.scope == "stack" or buffer in self.only_scalar:
            raise Cannot(f"{buffer} is the scalar unit's")
        if not (write and self.each):
            self.moved.add(buffer)
        if write and not self.each:
            self.stored.add(buffer)
        shared = found.scope != "workspace" or found.shared
        # By the names of `Loops`, so that both sides of a loop agree.
        place = expression(self.linear(buffer, indices))
        if not (shared and self._parallel_turns):
            return Access(buffer, write, True, place, (chunk.turns,))
        parallel, side = self._parallel_turns, self._tiles.side
        return Access(buffer, write, True, place, (chunk.turns,), parallel, side)

    def _loaded(self, values: TileValues, read: Read) -> Value:
        chunk, buffer = values.chunk, self.buffers[read.tensor]
        if self.row is not None:
            key = self._row_key(chunk, read)
            found = self.row.values.get(key)
            if found is None and buffer.scope == "workspace":
                raise Cannot("a row that is not there")
            if found is not None:
                return found
        raw = self._fetch(read, chunk)
        made = self._widened(values, raw, buffer.dtype.name)
        if self.row is not None:
            made = Value(made.kind, made.name, False)
            self.row.values[key] = made
        return made

    def _fetch(self, read: Read, chunk: Chunk) -> str:
        """What lanes read, side by side in a tensor of the type in memory."""
        affine = self._affine(chunk, read.tensor, read.indices)
        if affine is not arith.integer(1):
            return self._fetch_apart(read, chunk, affine)
        tensor, buffer = read.tensor, self.buffers[read.tensor]
        memory = self._dma(tensor, False, read.indices, chunk)
        place = self.operand(self.linear(tensor, read.indices), LOOSE)
        c = self.pointer(tensor)
        raw = self._tiles.temporary(element_type(buffer.dtype), f"{c}_in")
        at = c if place == "0" else f"{c}[{place}]"
        accesses = (memory,) if buffer.scope != "input" else ()
        self._tiles.instruction(
            "MTE2",
            f"{blocks.load(self.target.copies_bytes)}({raw}, {at}, {chunk.count});",
            (),
            (raw,),
            *accesses,
        )
        return raw

    def _fetch_apart(self, read: Read, chunk: Chunk, step: Expr | None) -> str:
        """As `_fetch`, of elements that do not lie side by side; see apart.py."""
        buffer, c = self.buffers[read.tensor], self.pointer(read.tensor)
        ctype = element_type(buffer.dtype)
        if not self.target.copies_bytes or not apart.gathers(ctype):
            raise Cannot(f"a strided read of {buffer.dtype}")
        memory = self._dma(read.tensor, False, read.indices, chunk)
        if step is None:
            # Wherever in the tensor.
            memory = dataclasses.replace(memory, place="", turns=())
        accesses = (memory,) if buffer.scope != "input" else ()
        where = self.linear(read.tensor, read.indices)
        if step is not None and apart.is_pitch(step):
            return apart.strided(
                self._tiles, c, ctype, self.operand(where, LOOSE),
                self.operand(step, UNARY), chunk.count, accesses,
            )  # fmt: skip
        self.lazy += 1
        first = "" if chunk.first == "0" else f"{chunk.first} + "
        # What is named on the way to the place differs from lane to lane: it goes into
        # their loop, and is forgotten behind it.
        outer, self.lines = self.lines, []
        self.scopes.append({("index", chunk.lane): Entry(f"({first}lane)", "int64_t")})
        place = self.operand(where, LOOSE)
        self.scopes.pop()
        named, self.lines = self.lines, outer
        self.lazy -= 1
        if not all(isinstance(n, Instruction) and n.pipe == "S" for n in named):
            raise Cannot("a place that takes more than names")
        return apart.scattered(
            self._tiles, c, ctype, place, chunk.count, accesses,
            tuple(n.text for n in named),
        )  # fmt: skip

    def _widened(self, values: TileValues, raw: str, dtype: str) -> Value:
        """What came in, in the type that is computed in."""
        if dtype == "float32":
            return Value("float", raw, False)
        if dtype == "int32":
            return Value("int32_t", raw, False)
        if dtype in ("float16", "bfloat16"):
            into = values.new("float")
            values.convert(into, raw, "NONE")
            return Value("float", into)
        if dtype in ("bool", "int8", "uint8"):
            half = self._tiles.temporary("half")
            values.convert(half, raw, "NONE")
            if dtype == "bool":
                mask = values.new("mask")
                values.compare(mask, half, "static_cast<half>(0.0f)", "NE", "half")
                self._tiles.free(half)
                return Value("mask", mask)
            number = values.new("int32_t")
            values.convert(number, half, "RINT")
            self._tiles.free(half)
            return Value("int32_t", number)
        if dtype == "int16":
            wide = values.new("float")
            values.convert(wide, raw, "NONE")
            number = values.new("int32_t")
            values.convert(number, wide, "RINT")
            self._tiles.free(wide)
            return Value("int32_t", number)
        raise Cannot(f"the vector unit has no {dtype}")

    def _store_lanes(self, values: TileValues, s: Store) -> None:
        chunk, buffer = values.chunk, self.buffers[s.buffer]
        if self._affine(chunk, s.buffer, s.indices) is not arith.integer(1):
            raise Cannot("a strided store")
        place = self.operand(self.linear(s.buffer, s.indices), LOOSE)
        value = s.value
        if self.row is not None and buffer.scope == "workspace" and not buffer.shared:
            if s.indices != (Index(chunk.lane),) or not values.varies(value):
                raise Cannot("a row stored elsewhere")
            if buffer.dtype.name not in ("float32", "int32", "bool"):
                raise Cannot(f"a row of {buffer.dtype}")
            got = values.get(value)
            read = Read(s.buffer, s.indices, buffer.dtype)
            assert isinstance(read, Read)
            self.row.values[self._row_key(chunk, read)] = Value(
                got.kind, got.name, False
            )
            values.keep(value)
            return
        short = buffer.dtype.name in ("float16", "bfloat16")
        if short and isinstance(value, Cast) and value.value.dtype == FLOAT32:
            # Storing rounds; the cast is the same rounding.
            values.uses[value.value] = values.uses.get(value.value, 0) + 1
            value = value.value
        out = self._outgoing(values, value, buffer.dtype.name)
        memory = self._dma(s.buffer, True, s.indices, chunk)
        c = self.pointer(s.buffer)
        at = c if place == "0" else f"{c}[{place}]"
        self._send(at, out, chunk, memory, self.linear(s.buffer, s.indices))
        values.forget(s.buffer)

    def _send(
        self, at: str, out: str, chunk: Chunk, memory: Access, where: Expr
    ) -> None:
        """A tensor to global memory, where `at` is the text and `where` the place."""
        del where
        if self.target.copies_bytes:
            text = f"opslib::Store({at}, {out}, {chunk.count});"
            self._tiles.instruction("MTE3", text, (out,), (), memory)
        elif self.each:
            self.scalar_writes.add(memory.buffer)
            blocks.store_each(self._tiles, at, out, chunk.count, memory)
        else:
            assert self._range is not None
            dtype = self.buffers[memory.buffer].dtype
            self.pieces[blocks.piece(self._range, self.lets, dtype)] = None
            blocks.store(self._tiles, at, out, chunk.count, memory)

    def _outgoing(self, values: TileValues, value: Expr, dtype: str) -> str:
        """A tensor of the stored type."""
        if isinstance(value, Read) and value.type.name == dtype:
            found = values.held.get(value) or values.done.get(value)
            if found is None and values.varies(value):
                # Only moved: whatever the type, and a nan keeps its bits.
                if self.row is not None:
                    raise Cannot("a row that is only moved")
                return self._fetch(value, values.chunk)
        ctype = {"float32": "float", "int32": "int32_t"}.get(dtype)
        if ctype is not None:
            values.leaves(value)
        if not values.varies(value):
            kind = values.kind_of(value.dtype)
            held = Value(kind, values.splat(value, kind)) if kind != "mask" else None
            if held is None:
                held = Value("float", values.splat(value, "float"))
        else:
            held = values.get(value)
        if dtype == "float32":
            held = values.as_float(held)
        c = {"float16": "half", "bfloat16": "bfloat16_t"}.get(dtype, ctype)
        if dtype in ("float16", "bfloat16"):
            assert c is not None
            out = self._tiles.temporary(c, "out")
            held = values.as_float(held)
            values.convert(out, held.name, narrowing(c))
            return out
        if dtype == "bool":
            held = values.as_float(held)
            half = self._tiles.temporary("half")
            values.convert(half, held.name, "NONE")
            out = self._tiles.temporary("uint8_t", "out")
            values.convert(out, half, "NONE")
            self._tiles.free(half)
            return out
        if ctype is None or (ctype == "int32_t" and held.kind != "int32_t"):
            raise Cannot(f"a store of {dtype}")
        return held.name

    def lane_fold(
        self, chunk: Chunk, s: Reduce, held: dict[Expr, Value]
    ) -> dict[Expr, Value]:
        """A fold of its own for each lane; see folds.py."""
        raise NotImplementedError


def _axis(axis: Axis, known: dict[Expr, Expr]) -> Axis:
    found = substitute(axis, known)
    assert isinstance(found, Axis)
    return found


def _copied(free: dict[str, list[str]]) -> dict[str, list[str]]:
    return {k: list(v) for k, v in free.items()}


__all__ = ["LanePrinter"]
