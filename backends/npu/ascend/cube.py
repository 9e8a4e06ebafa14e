"""Contractions on the cube: GM -> L1 -> L0A, L0B -> Mmad into L0C -> Fixpipe -> GM.

One core computes blocks of M x N of the result, each in L0C all along k. Panels of both
sides come to L1 in fractals of 16 rows of 32 bytes (nd2nz); from there a quarter of
their depth at a time goes to L0A and L0B, transposed on the way where the lanes lie
side by side: 16-bit elements by fractals, others by squares of two fractals. Both
levels have two sets of buffers, so that the next load runs while the cube multiplies.

float32 is multiplied as it is: that its elements are rounded to HF32 is a mode that a
kernel asks for (SetHF32Mode, 07_0258), and none here does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from opslib.codegen.c_expressions import Entry
from opslib.codegen.c_names import Names
from opslib.codegen.c_types import LOOSE, PLUS, UNARY
from opslib.ir import loops
from opslib.ir.dtypes import DType
from opslib.ir.expr import ONE, Cast, Expr, Index, Read, Scalar, substitute
from opslib.lowering.flatten import Group
from opslib.lowering.skeletons.contraction import Contraction, Sum, plain_read

from ..targets import AscendTarget
from .machine import Access, Buffer, Instruction, Launch
from .plan import Limit
from .scalar import ScalarPrinter, element_type
from .tune import Room


@dataclass(frozen=True, slots=True)
class Cut:
    """Names in the kernel of how it is cut, which `tune.choose` says for a call.

    Attributes:
        m, n: rows and columns of the block of sums in L0C.
        step: elements of k that L0A and L0B hold.
        panel: elements of k that L1 holds.
    """

    m: str
    n: str
    step: str
    panel: str


# Nd2Nz counts the distance of rows in 16 bits [R: DataCopy, Nd2NzParams].
MOST_PITCH = 65535
_CUBE = {
    "float16": "float32",
    "bfloat16": "float32",
    "float32": "float32",
    "int8": "int32",
}
_QUANT = {"float16": "F322F16", "bfloat16": "F322BF16"}


@dataclass(frozen=True, slots=True)
class Side:
    """A matrix in global memory.

    Attributes:
        read: of an element, at the axes of the contraction.
        pitch: elements from row to row; rows are `lanes`, or k where `turned`.
        turned: k is the slow axis, the lanes lie side by side.
    """

    read: Read
    pitch: Expr
    turned: bool


def side_of(
    value: Expr, lanes: Group, k: Group, batch: Group, buffers: dict[str, loops.Buffer]
) -> Side | None:
    """The matrix that a side is, if the cube can load it."""
    read = plain_read(value)
    if read is None or len(lanes.axes) > 1 or len(k.axes) != 1:
        return None
    buffer = buffers.get(read.tensor)
    if buffer is None or buffer.dtype.name not in _CUBE:
        return None
    names = [i.name if isinstance(i, Index) else None for i in read.indices]
    known = {a.name for g in (lanes, k, batch) for a in g.axes}
    if None in names or not set(names) <= known or len(set(names)) < len(names):
        return None
    (deep,) = k.axes
    last = names[-1] if names else None
    if buffer.strides[-1] is not ONE:
        return None
    if last == deep.name:
        slow = [a.name for a in lanes.axes]
        pitch = buffer.strides[names.index(slow[0])] if slow else ONE
        return Side(read, pitch, False)
    if lanes.axes and last == lanes.axes[0].name and deep.name in names:
        return Side(read, buffer.strides[names.index(deep.name)], True)
    return None


def sides(
    c: Contraction, s: Sum, buffers: dict[str, loops.Buffer], target: AscendTarget
) -> tuple[Side, Side] | None:
    """Both matrices of a sum, if the cube multiplies their types."""
    a = side_of(s.a, c.m, c.k, c.batch, buffers)
    b = side_of(s.b, c.n, c.k, c.batch, buffers)
    if a is None or b is None or len(c.m.axes) > 1 or len(c.n.axes) != 1:
        return None
    dtype = a.read.type
    if dtype != b.read.type or _CUBE[dtype.name] != s.fold.dtype.name:
        return None
    if dtype.name == "bfloat16" and not target.bf16_cube:
        return None
    if dtype.name == "float32" and not target.f32_cube:
        return None
    return a, b


def stored(value: Expr, s: Sum) -> DType | None:
    """The type in which Fixpipe can write the sum itself; None: more is to be done."""
    if isinstance(value, Cast) and value.type == value.value.dtype:
        value = value.value
    if value is s.fold:
        return s.fold.dtype
    if isinstance(value, Cast) and value.value is s.fold and value.type.name in _QUANT:
        return value.type if s.fold.dtype.name == "float32" else None
    return None


class CubePrinter(ScalarPrinter):
    """Prints one sum of products as a cube kernel."""

    def __init__(
        self,
        names: Names,
        c: Contraction,
        matrices: tuple[Side, Side],
        out: loops.Buffer,
        places: tuple[Expr, ...],
        cut: Cut,
        room: Room,
    ) -> None:
        super().__init__(names)
        self.cut = cut
        self.c, self.matrices, self.out, self.places = c, matrices, out, places
        a, _ = matrices
        self.dtype = a.read.type
        ctype = element_type(self.dtype)
        acc = "int32_t" if self.dtype.name == "int8" else "float"
        self.chip: list[Buffer] = []
        for k in range(2):
            tail = "" if k == 0 else "_next"
            self.chip += [
                Buffer(f"a_l1{tail}", ctype, room.l1, "l1", "panel of a, NZ"),
                Buffer(f"b_l1{tail}", ctype, room.l1, "l1b", "panel of b, NZ"),
                Buffer(f"a_l0{tail}", ctype, room.l0a, "l0a", "left matrix, ZZ"),
                Buffer(f"b_l0{tail}", ctype, room.l0b, "l0b", "right matrix, ZN"),
            ]
        self.chip.append(Buffer("sums", acc, room.l0c, "l0c", "block of sums, NZ"))
        for b in self.chip:
            names.fresh(b.name)

    def issue(self, pipe: str, text: str, *accesses: Access) -> None:
        """One instruction."""
        self.lines.append(Instruction(pipe, text, accesses))

    def _bound(self, base: str, text: str, ctype: str = "int64_t") -> str:
        name = self.names.fresh(base)
        self.line(f"const {ctype} {name} = {text};")
        return name

    def emit(self) -> None:
        """The whole kernel."""
        c, cut = self.c, self.cut
        rows, columns = (self._extent(g) for g in (c.m, c.n))
        depth = self._bound("depth", self.scalar(c.k.extent))
        # Index variables of blocks, as the printer sees them.
        batch, m, n, k = (Index(f"#{x}") for x in ("batch", "m", "n", "k"))
        tiles_m = self._bound("tiles_m", f"({rows} + {cut.m} - 1) / {cut.m}")
        tiles_n = self._bound("tiles_n", f"({columns} + {cut.n} - 1) / {cut.n}")
        batches = self.scalar(c.batch.extent, UNARY)
        total = self._bound("tiles", f"{batches} * tiles_m * tiles_n")
        tile = self.names.fresh("tile")
        turn = self.loops + 1
        with self.block(
            f"for (int64_t {tile} = GetBlockIdx(); {tile} < {total}; "
            f"{tile} += GetBlockNum())"
        ):
            bound: dict[Expr, str] = {
                n: self._bound("n0", f"{tile} % {tiles_n} * {cut.n}"),
                m: self._bound("m0", f"{tile} / {tiles_n} % {tiles_m} * {cut.m}"),
                batch: self._bound("batch", f"{tile} / ({tiles_n} * {tiles_m})"),
            }
            for node, text in bound.items():
                assert isinstance(node, Index)
                self.scopes[-1][("index", node.name)] = Entry(text, "int64_t")
            self.at: dict[Expr, Expr] = {
                **(c.batch.at(batch) if c.batch.axes else {}),
                **c.m.at(m),
                **c.n.at(n),
                **c.k.at(k),
            }
            left_rows = f"ops_minimum_i64({rows} - {bound[m]}, {cut.m})"
            left_columns = f"ops_minimum_i64({columns} - {bound[n]}, {cut.n})"
            self.rows = self._bound("rows", left_rows)
            self.columns = self._bound("columns", left_columns)
            self._twice("k1", "0", depth, cut.panel, self._panels)
            self._drain(turn)

    def _extent(self, group: Group) -> str:
        return self._bound("extent", self.scalar(group.extent))

    def _twice(
        self,
        base: str,
        start: str,
        stop: str,
        step: str,
        part: Callable[[str, str], None],
    ) -> None:
        """A loop whose turns take turns with two sets of buffers."""
        name = self.names.fresh(base)
        with self.block(
            f"for (int64_t {name} = {start}; {name} < {stop}; {name} += 2 * {step})"
        ):
            part(name, "")
            with self.block(f"if ({name} + {step} < {stop})"):
                second = self._bound(base, f"{name} + {step}")
                part(second, "_next")

    def _panels(self, k1: str, tail: str) -> None:
        """One panel of each side, GM to L1, and the products of it."""
        stop = self.scalar(self.c.k.extent, PLUS)
        deep = self._bound("deep", f"ops_minimum_i64({stop} - {k1}, {self.cut.panel})")
        self.scopes[-1][("index", "#k")] = Entry(k1, "int64_t")
        for name, side, lanes, block in (
            ("a_l1", self.matrices[0], self.rows, self.cut.m),
            ("b_l1", self.matrices[1], self.columns, self.cut.n),
        ):
            across, along = (lanes, deep) if not side.turned else (deep, lanes)
            pitch = self.scalar(side.pitch, PLUS)
            height = block if not self._by_panel(side) else self.cut.panel
            squares = side.turned and self.dtype.bytes == 4
            load = "LoadSquares" if squares else "LoadPanel"
            self.issue(
                "MTE2",
                f"opslib::{load}({name}{tail}, {self._address(side)}, {across}, "
                f"{along}, {pitch}, {height});",
                Access(name + tail, True),
            )
        self._twice("k0", "0", deep, self.cut.step, self._products(k1, deep, tail))

    def _products(self, k1: str, deep: str, panel: str) -> Callable[[str, str], None]:
        def part(k0: str, tail: str) -> None:
            now = self._bound("now", f"ops_minimum_i64({deep} - {k0}, {self.cut.step})")
            for into, name, side, lanes, block in (
                ("a_l0", "a_l1", self.matrices[0], self.rows, self.cut.m),
                ("b_l0", "b_l1", self.matrices[1], self.columns, self.cut.n),
            ):
                which = "Left" if into == "a_l0" else "Right"
                pitch = f"{self.cut.panel if self._by_panel(side) else block} / 16"
                turned = "true" if side.turned else "false"
                self.issue(
                    "MTE1",
                    f"opslib::Load{which}<{turned}>({into}{tail}, {name}{panel}, "
                    f"{k0}, {lanes}, {now}, {pitch});",
                    Access(name + panel, False),
                    Access(into + tail, True),
                )
            self.issue(
                "M",
                f"opslib::Multiply(sums, a_l0{tail}, b_l0{tail}, {self.rows}, "
                f"{self.columns}, {now}, {k1} + {k0} == 0);",
                Access(f"a_l0{tail}", False),
                Access(f"b_l0{tail}", False),
                Access("sums", True),
            )

        return part

    def _by_panel(self, side: Side) -> bool:
        """Whether a panel's fractals lie along k, a whole panel's depth of them."""
        return side.turned and self.dtype.bytes != 4

    def _address(self, side: Side) -> str:
        indices = tuple(substitute(i, self.at) for i in side.read.indices)
        offset = self.operand(self.linear(side.read.tensor, indices), LOOSE)
        name = self.pointer(side.read.tensor)
        return name if offset == "0" else f"{name}[{offset}]"

    def _drain(self, turn: int) -> None:
        """The block, L0C to GM, in the type of the result."""
        places = tuple(substitute(i, self.at) for i in self.places)
        offset = self.operand(self.linear(self.out.name, places), LOOSE)
        c = self.pointer(self.out.name)
        at = c if offset == "0" else f"{c}[{offset}]"
        pitch: Expr = ONE
        if self.c.m.axes:
            row = self.c.m.axes[0].index
            pitch = self.out.strides[self.places.index(row)]
        quant = _QUANT.get(self.out.dtype.name, "NoQuant")
        self.issue(
            "FIX",
            f"opslib::Drain<{quant}>({at}, sums, {self.rows}, {self.columns}, "
            f"{self.scalar(pitch, PLUS)});",
            Access("sums", False),
            Access(self.out.name, True, True, offset, (), (turn,)),
        )

    def launch(self, name: str) -> Launch:
        """The function, with its buffers placed."""
        made = Launch(name, "cube", list(self.lines), self.chip)
        ends: dict[str, int] = {}
        for b in self.chip:
            # Both panels share L1.
            scope = "l1" if b.scope == "l1b" else b.scope
            made.addresses[b.name] = ends.get(scope, 0)
            ends[scope] = made.addresses[b.name] + b.bytes
        return made


def limits(c: Contraction, matrices: tuple[Side, Side]) -> list[Limit]:
    """What the sizes of a call must keep to."""
    found = [Limit(c.k.extent, 1, 1 << 31)]
    for side in matrices:
        if isinstance(side.pitch, Scalar):
            found.append(Limit(side.pitch, 1, MOST_PITCH))
    return found


__all__ = ["CubePrinter", "Cut", "limits", "sides", "stored"]
