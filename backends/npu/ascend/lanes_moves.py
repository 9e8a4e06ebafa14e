"""Tiles between global memory and the chip: what lanes read and store, by DMA.

Elements side by side are one copy; those that lie apart are brought together by
apart.py. Narrow types are widened on the way in and narrowed on the way out. What does
not fit raises `Cannot`; lanes.py then leaves the loop to the scalar unit.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from opslib.codegen.c_expressions import Entry
from opslib.codegen.c_names import Names
from opslib.codegen.c_types import LOOSE, UNARY
from opslib.ir.dtypes import FLOAT32
from opslib.ir.expr import Axis, Cast, Expr, Index, Read, substitute, walk
from opslib.ir.loops import Store
from opslib.ir.printer import expression
from opslib.lowering.skeletons import arith

from ..targets import AscendTarget
from . import apart, blocks
from .lanes_state import Cannot, Chunk, Tiles
from .machine import Access, Instruction
from .plan import Limit
from .scalar import ScalarPrinter, element_type
from .vector import TileValues, Value
from .vector_state import narrowing


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


class MovePrinter(ScalarPrinter):
    """Adds copies of chunks of lanes to the scalar printer.

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
        self._tiles = Tiles(
            names.fresh, self._put, self.block, target.shifts, target.equals_int32
        )
        self._parallel_turns: tuple[int, ...] = ()
        # The indices of serial loops, by the loops' numbers.
        self._indices: dict[int, str] = {}
        # Values of variables that the lanes of the chunk hold, while inside one.
        self._inside: TileValues | None = None
        # Inside a loop of which all parts are for the vector unit, or none; see
        # `Access.part`.
        self._whole_loop = False
        self._part = 0, 0

    def _put(self, instruction: Instruction) -> None:
        if self.touched:
            # Scalar operands of the instruction were read by the scalar unit.
            self.lines.append(Instruction("S", "", tuple(self.touched)))
            self.touched = []
        self.lines.append(instruction)

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

    def _row_key(self, chunk: Chunk, read: Read) -> tuple[str, str]:
        lane: dict[Expr, Expr] = {Index(chunk.lane): Index("#lane")}
        place = substitute(self.linear(read.tensor, read.indices), lane)
        return read.tensor, expression(place)

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
        cut, number = self._part
        # Loops around a part go over the lanes as well.
        turns = tuple(n for n in self.around if n > cut) if number else (chunk.turns,)
        # And one whose index is a coordinate by itself touches other elements in each.
        alone = {i.name for i in indices if isinstance(i, Index)}
        turns += tuple(n for n in self.around if self._indices.get(n) in alone)
        parallel, side = self._parallel_turns, self._tiles.side
        if not (shared and parallel):
            parallel, side = (), 0
        return Access(buffer, write, True, place, turns, parallel, side, self._part)

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
                if self.row is None:
                    return self._fetch(value, values.chunk)
                if self.buffers[value.tensor].scope != "workspace":
                    raise Cannot("a row that is only moved")
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


__all__ = ["MovePrinter", "Row"]
