"""Tensors on the chip while expressions are computed: what is held, and what is free.

Every value lies in a tensor of its kind's type, but an integer may lie in one of floats
whose bits it shares; it is printed as a view then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from opslib.codegen.c_types import LOOSE
from opslib.ir.dtypes import BOOL, FLOAT32, DType
from opslib.ir.expr import Const, Expr, Index, Prim, Read, walk

from .lanes_state import Cannot, Chunk, Tiles

FLOATS = frozenset({"float16", "bfloat16", "float32"})


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor on the chip. kind: ``float``, ``int32_t`` or ``mask``."""

    kind: str
    name: str
    owned: bool = True


class TileHolder:
    """What has been computed of a chunk of lanes, and who still needs it.

    Args:
        tiles: gives temporaries, takes instructions.
        chunk: the lanes.
        scalar: prints an expression that is the same for all lanes.
        load: brings a read of global memory to the chip.
        roots: everything that will be asked for; a value is kept as long as needed.
        held: values of variables that lanes hold already.
    """

    def __init__(
        self,
        tiles: Tiles,
        chunk: Chunk,
        scalar: Callable[[Expr, int], str],
        load: Callable[[Read], Value],
        roots: list[Expr],
        held: dict[Expr, Value],
    ) -> None:
        self.tiles, self.chunk, self.scalar, self.load = tiles, chunk, scalar, load
        self.held = held
        self.done: dict[Expr, Value] = {}
        self._varies: dict[Expr, bool] = {}
        self.uses: dict[Expr, int] = {}
        # Nodes whose value lies in the tensor of another.
        self._base: dict[Expr, Expr] = {}
        # Values that leave the chip as they are, from tensors kept for that: others are
        # used again at once, for which the copy would have to be waited for.
        self._leaving: set[Expr] = set()
        # Integers that will be read as floats.
        self._punned: set[Expr] = set()
        for node in walk(*roots):
            if self.varies(node):
                for child in node.children:
                    self.uses[child] = self.uses.get(child, 0) + 1
            if isinstance(node, Prim) and node.op == "number":
                self._pun(node.args[0])
        for root in roots:
            self.uses[root] = self.uses.get(root, 0) + 1

    def _pun(self, node: Expr) -> None:
        """Integers below a number lie in tensors of floats, where it finds them."""
        if isinstance(node, Prim) and node.op != "bits" and node not in self._punned:
            self._punned.add(node)
            for child in node.args:
                self._pun(child)

    def leaves(self, node: Expr) -> None:
        """Says that a value is stored as it is."""
        while isinstance(node, Prim) and node.op == "number":
            node = node.args[0]
        self._leaving.add(node)

    def varies(self, node: Expr) -> bool:
        """Whether lanes have different values of it."""
        found = self._varies.get(node)
        if found is None:
            found = (
                (isinstance(node, Index) and node.name == self.chunk.lane)
                or node in self.held
                or any(map(self.varies, node.children))
            )
            self._varies[node] = found
        return found

    def get(self, node: Expr) -> Value:
        """The value of a node that varies; computed once."""
        found = self.held.get(node) or self.done.get(node)
        if found is None:
            found = self._compute(node)
            self.done[node] = found
        return found

    def forget(self, buffer: str) -> None:
        """After a store to `buffer`: what was read of it is stale."""
        for node in list(self.done):
            if any(isinstance(n, Read) and n.tensor == buffer for n in walk(node)):
                del self.done[node]

    def same_tensor(self, node: Expr, child: Expr, value: Value) -> Value:
        """Gives a node the tensor of its operand, which then lives as long as both."""
        base = self._base.get(child, child)
        self._base[node] = base
        self.uses[base] = self.uses.get(base, 1) + self.uses.get(node, 1) - 1
        return value

    def keep(self, node: Expr) -> None:
        """Adds a user that never runs."""
        node = self._base.get(node, node)
        self.uses[node] = self.uses.get(node, 1) + 1

    def used(self, node: Expr) -> bool:
        """Says that a user of the node has run; whether it was the last."""
        node = self._base.get(node, node)
        self.uses[node] = self.uses.get(node, 1) - 1
        return self.uses[node] <= 0

    def _compute(self, node: Expr) -> Value:
        raise NotImplementedError

    # -- instructions ----------------------------------------------------------------

    def view(self, name: str, ctype: str) -> str:
        """A tensor's name, as elements of a type of the same size."""
        found = self.tiles.all.get(name)
        if found is None or found.ctype == ctype:
            return name
        return f"{name}.ReinterpretCast<{ctype}>()"

    def emit(
        self,
        function: str,
        into: str,
        reads: tuple[str, ...],
        *rest: str,
        kind: str = "",
    ) -> None:
        """One instruction on all lanes of the chunk; `kind` is of its operands."""
        texts = [self.view(n, kind) if kind else n for n in (into, *reads)]
        operands = ", ".join((*texts, *rest, self.chunk.count))
        self.tiles.instruction("V", f"{function}({operands});", reads, (into,))

    def convert(
        self, into: str, source: str, mode: str, types: tuple[str, str] = ("", "")
    ) -> None:
        """Cast, `types` being those of the result and of the source."""
        to, of = types
        left = self.view(into, to) if to else into
        right = self.view(source, of) if of else source
        text = f"Cast({left}, {right}, RoundMode::CAST_{mode}, {self.chunk.count});"
        self.tiles.instruction("V", text, (source,), (into,))

    def compare(
        self, into: str, a: str, b: str, mode: str, kind: str = "float"
    ) -> None:
        """A mask; Compare takes whole repeats of 256 bytes, so past the last lane."""
        tensor = b.isidentifier()
        function = "Compare" if tensor else "Compares"
        whole = f"opslib::Whole<{kind}>({self.chunk.count})"
        other = self.view(b, kind) if tensor else b
        self.tiles.instruction(
            "V",
            f"{function}({into}, {self.view(a, kind)}, {other}, CMPMODE::{mode}, "
            f"{whole});",
            (a, *((b,) if tensor else ())),
            (into,),
        )

    def select(self, into: str, mask: str, yes: str, no: str) -> None:
        """``into = mask ? yes : no``; `yes` is a tensor, `no` a tensor or a number.

        Select moves 16 or 32 bits and names them floats, whatever they are.
        """
        tensor = no.isidentifier()
        mode = "VSEL_TENSOR_TENSOR_MODE" if tensor else "VSEL_TENSOR_SCALAR_MODE"
        other = self.view(no, "float") if tensor else no
        self.tiles.instruction(
            "V",
            f"Select({self.view(into, 'float')}, {mask}, {self.view(yes, 'float')}, "
            f"{other}, SELMODE::{mode}, {self.chunk.count});",
            (mask, yes, *((no,) if tensor else ())),
            (into,),
        )

    def new(self, kind: str) -> str:
        """A temporary."""
        return self.tiles.temporary("uint8_t" if kind == "mask" else kind)

    def operands(self, node: Expr) -> list[Value | None]:
        """The values of what a node is computed from; None is the same for all."""
        return [self.get(c) if self.varies(c) else None for c in node.children]

    def close(self, node: Expr, values: list[Value | None], keep: str = "") -> None:
        """Frees what no later instruction needs."""
        for child, value in zip(node.children, values, strict=True):
            if value is None:
                continue
            if self.used(child) and value.owned and value.name != keep:
                self.tiles.free(value.name)

    def result(self, node: Expr, kind: str) -> str:
        """A new tensor for a node's value."""
        ctype = "float" if node in self._punned else kind
        if node in self._leaving and kind != "mask":
            return self.tiles.temporary(ctype, "out")
        return self.new(ctype)

    def into(self, node: Expr, values: list[Value | None], kind: str) -> str:
        """Where a result goes: an operand that dies here, or a new temporary."""
        fresh = node in self._leaving
        ctype = "float" if node in self._punned else kind
        for child, value in zip(node.children, values, strict=True):
            base = self._base.get(child, child)
            last = self.uses.get(base, 1) == 1 and node.children.count(child) == 1
            if value is None or fresh or not (last and value.owned):
                continue
            found = self.tiles.all.get(value.name)
            if value.kind == kind and found is not None and found.ctype == ctype:
                return value.name
        return self.result(node, kind)

    def splat(self, node: Expr, kind: str) -> str:
        """A temporary with the same value everywhere; the caller frees it."""
        name = self.result(node, kind)
        text = self.literal(node, kind)
        into = self.view(name, kind)
        self.tiles.instruction(
            "V", f"Duplicate({into}, {text}, {self.chunk.count});", (), (name,)
        )
        return name

    def literal(self, node: Expr, kind: str) -> str:
        """A scalar operand of the kind's type."""
        if node.dtype == BOOL and kind == "float":
            return f"{self.scalar(node, 4)} ? 1.0f : 0.0f"
        text = self.scalar(node, LOOSE)
        if kind == "int32_t":
            return text if _is_small(node) else f"static_cast<int32_t>({text})"
        if node.dtype.name not in FLOATS:
            return f"static_cast<float>({text})"
        return text

    # -- kinds -----------------------------------------------------------------------

    def kind_of(self, dtype: DType) -> str:
        """What a value of a type is held in."""
        if dtype == BOOL:
            return "mask"
        if dtype.name in FLOATS:
            return "float"
        if dtype.is_integer and dtype.bits <= 32 and dtype.name != "uint32":
            return "int32_t"
        raise Cannot(f"the vector unit has no {dtype}")

    def as_float(self, value: Value) -> Value:
        """A mask as 0 and 1, an integer as the nearest float; floats as they are."""
        if value.kind == "float":
            return value
        into = self.new("float")
        if value.kind == "int32_t":
            self.convert(into, value.name, "NONE", ("float", "int32_t"))
            return Value("float", into)
        ones = self.splat(Const(1.0, FLOAT32), "float")
        self.select(into, value.name, ones, "0.0f")
        self.tiles.free(ones)
        return Value("float", into)

    def as_mask(self, value: Value) -> Value:
        """Where a number is not 0."""
        if value.kind == "mask":
            return value
        number = self.as_float(value)
        into = self.new("mask")
        self.compare(into, number.name, "0.0f", "NE")
        if number is not value:
            self.tiles.free(number.name)
        return Value("mask", into)


def narrowing(ctype: str) -> str:
    """The mode that rounds floats to a type of 16 bits, to the nearest.

    CAST_NONE is CAST_RINT where something is lost, and the one that 310P has for half
    (the example of atlas_ascendc_10_00044).
    """
    return "NONE" if ctype == "half" else "RINT"


def _is_small(node: Expr) -> bool:
    """Whether C takes the literal for an int32."""
    return (
        isinstance(node, Const)
        and node.dtype.name == "int32"
        and -(2**31) < node.value < 2**31
    )


__all__ = ["FLOATS", "TileHolder", "Value", "narrowing"]
