"""Values of a tile: an expression as instructions of the vector unit.

Floats are computed in float, narrow integers only moved and converted, comparisons
give masks of one bit for each element. A mask that is joined with another becomes a
float of 0 and 1 for that, since bit operations on masks would reach past their ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from opslib.codegen.c_types import LOOSE, constant
from opslib.ir.dtypes import BOOL, FLOAT32, DType
from opslib.ir.expr import (
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

from .lanes_state import Cannot, Chunk, Tiles

FLOATS = frozenset({"float16", "bfloat16", "float32"})
COMPARE = {"lt": "LT", "le": "LE", "gt": "GT", "ge": "GE", "eq": "EQ", "ne": "NE"}
MIRRORED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}
ROUND = {"floor": "FLOOR", "ceil": "CEIL", "round": "RINT", "trunc": "TRUNC"}
# Arithmetic of two tensors, and with a scalar.
BINARY = {"add": "Add", "mul": "Mul", "sub": "Sub", "div": "Div"}
WITH_SCALAR = {"add": "Adds", "mul": "Muls"}


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor on the chip. kind: ``float``, ``int32_t`` or ``mask``."""

    kind: str
    name: str
    owned: bool = True


class TileValues:
    """Computes expressions over one chunk of lanes.

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
        for node in walk(*roots):
            if self.varies(node):
                for child in node.children:
                    self.uses[child] = self.uses.get(child, 0) + 1
        for root in roots:
            self.uses[root] = self.uses.get(root, 0) + 1

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

    def used(self, node: Expr) -> bool:
        """Says that a user of the node has run; whether it was the last."""
        self.uses[node] = self.uses.get(node, 1) - 1
        return self.uses[node] <= 0

    # -- instructions ----------------------------------------------------------------

    def emit(
        self, function: str, into: str, reads: tuple[str, ...], *rest: str
    ) -> None:
        """One instruction on all lanes of the chunk."""
        operands = ", ".join((into, *reads, *rest, self.chunk.count))
        self.tiles.instruction("V", f"{function}({operands});", reads, (into,))

    def compare(self, into: str, a: str, b: str, mode: str, half: bool = False) -> None:
        """A mask; Compare takes whole repeats of 256 bytes, so past the last lane."""
        function = "Compare" if b.isidentifier() else "CompareScalar"
        whole = f"opslib::Whole<{'half' if half else 'float'}>({self.chunk.count})"
        self.tiles.instruction(
            "V",
            f"{function}({into}, {a}, {b}, CMPMODE::{mode}, {whole});",
            (a, *((b,) if b.isidentifier() else ())),
            (into,),
        )

    def new(self, kind: str) -> str:
        """A temporary."""
        return self.tiles.temporary("uint8_t" if kind == "mask" else kind)

    def _operands(self, node: Expr) -> list[Value | None]:
        return [self.get(c) if self.varies(c) else None for c in node.children]

    def _close(self, node: Expr, values: list[Value | None], keep: str = "") -> None:
        """Frees what no later instruction needs."""
        for child, value in zip(node.children, values, strict=True):
            if value is None:
                continue
            if self.used(child) and value.owned and value.name != keep:
                self.tiles.free(value.name)

    def _into(self, node: Expr, values: list[Value | None], kind: str) -> str:
        """Where a result goes: an operand that dies here, or a new temporary."""
        for child, value in zip(node.children, values, strict=True):
            last = self.uses.get(child, 1) == 1 and node.children.count(child) == 1
            if value is not None and value.owned and value.kind == kind and last:
                return value.name
        return self.new(kind)

    def _compute(self, node: Expr) -> Value:
        match node:
            case Read():
                return self.load(node)
            case Cast():
                return self._cast(node)
            case Select():
                return self._select(node)
            case Prim():
                return self._prim(node)
        raise Cannot(f"{type(node).__name__} for each lane")

    def splat(self, node: Expr, kind: str) -> str:
        """A temporary with the same value everywhere; the caller frees it."""
        name = self.new(kind)
        text = self.literal(node, kind)
        self.tiles.instruction(
            "V", f"Duplicate({name}, {text}, {self.chunk.count});", (), (name,)
        )
        return name

    def literal(self, node: Expr, kind: str) -> str:
        """A scalar operand of the kind's type."""
        if node.dtype == BOOL and kind == "float":
            return f"{self.scalar(node, 4)} ? 1.0f : 0.0f"
        text = self.scalar(node, LOOSE)
        if kind == "int32_t":
            return f"static_cast<int32_t>({text})"
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
            self.emit("Cast", into, (value.name,), "RoundMode::CAST_NONE")
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

    def select(self, into: str, mask: str, yes: str, no: str) -> None:
        """``into = mask ? yes : no``; `yes` is a tensor, `no` a tensor or a number."""
        tensor = no.isidentifier()
        mode = "VSEL_TENSOR_TENSOR_MODE" if tensor else "VSEL_TENSOR_SCALAR_MODE"
        self.tiles.instruction(
            "V",
            f"Select({into}, {mask}, {yes}, {no}, SELMODE::{mode}, "
            f"{self.chunk.count});",
            (mask, yes, *((no,) if tensor else ())),
            (into,),
        )

    # -- nodes -----------------------------------------------------------------------

    def _cast(self, node: Cast) -> Value:
        source, target = node.value.dtype, node.type
        value = self.get(node.value)
        kind = self.kind_of(target)
        if kind == "mask":
            made = self.as_mask(value)
        elif kind == "float":
            made = self.as_float(value)
            if target.bits < 32 and target != source:
                ctype = "half" if target.name == "float16" else "bfloat16_t"
                short = self.tiles.temporary(ctype)
                self.emit("Cast", short, (made.name,), narrowing(ctype))
                into = self.new("float")
                self.emit("Cast", into, (short,), "RoundMode::CAST_NONE")
                self.tiles.free(short)
                if made is not value and made.owned:
                    self.tiles.free(made.name)
                made = Value("float", into)
        elif value.kind == "int32_t":
            if target.bits < source.bits or target.kind != source.kind:
                raise Cannot(f"{source} to {target}")
            made = value
        else:
            if target.name != "int32":
                raise Cannot(f"{source} to {target}")
            number = self.as_float(value)
            into = self.new("int32_t")
            self.emit("Cast", into, (number.name,), "RoundMode::CAST_TRUNC")
            if number is not value:
                self.tiles.free(number.name)
            made = Value("int32_t", into)
        if made is value:
            # The same tensor under two names: it lives as long as both.
            self.held[node] = Value(value.kind, value.name, False)
            return self.held[node]
        self._close(node, [value])
        return made

    def _select(self, node: Select) -> Value:
        kind = self.kind_of(node.dtype)
        for branch in (node.yes, node.no):
            for n in walk(branch):
                # A lane that does not take the branch must not be hurt by its reads.
                if isinstance(n, Read) and not all(
                    isinstance(i, Index | Var) for i in n.indices
                ):
                    raise Cannot("a guarded read")
        if not self.varies(node.condition):
            raise Cannot("a condition for all lanes")
        values = self._operands(node)
        first = values[0]
        assert first is not None
        test = self.as_mask(first)
        held = "float" if kind == "mask" else kind
        names, made = [], []
        for value in values[1:]:
            if value is None:
                names.append("")
                continue
            number = self.as_float(value) if kind == "mask" else value
            if number is not value:
                made.append(number.name)
            names.append(number.name)
        into = self.new(held)
        yes, no = names
        if not yes:
            yes = self.splat(node.yes, held)
            made.append(yes)
        if not no:
            no = self.literal(node.no, held)
            if held == "int32_t" or not _is_number(no):
                no = self.splat(node.no, held)
                made.append(no)
        if held == "int32_t":
            # Select moves 16 or 32 bits and names them floats.
            cast = ".ReinterpretCast<float>()"
            self.tiles.instruction(
                "V",
                f"Select({into}{cast}, {test.name}, {yes}{cast}, {no}{cast}, "
                f"SELMODE::VSEL_TENSOR_TENSOR_MODE, {self.chunk.count});",
                (test.name, yes, no),
                (into,),
            )
        else:
            self.select(into, test.name, yes, no)
        for name in made:
            self.tiles.free(name)
        if test is not first:
            self.tiles.free(test.name)
        self._close(node, values)
        return Value(held, into)

    def _prim(self, node: Prim) -> Value:
        op, dtype = node.op, node.args[0].dtype
        if dtype == BOOL:
            return self._logic(node)
        if dtype.name not in FLOATS and dtype.name != "int32":
            raise Cannot(f"{op} of {dtype}")
        if op in COMPARE:
            return self._compare(node)
        if dtype.name == "int32":
            if op not in ("add", "sub", "mul", "max", "min", "neg"):
                raise Cannot(f"{op} of {dtype}")
            return self._arithmetic(node, "int32_t")
        if dtype.bits < 32:
            raise Cannot("arithmetic rounded to 16 bits")
        if op in ("add", "sub", "mul", "div", "max", "min", "neg"):
            return self._arithmetic(node, "float")
        unary = getattr(self, f"_do_{op}", None)
        if unary is None:
            raise Cannot(op)
        values = self._operands(node)
        value = values[0]
        assert value is not None
        made: Value = unary(value)
        self._close(node, values, made.name)
        return made

    def _logic(self, node: Prim) -> Value:
        """Of masks, as floats: and is a product, or a maximum."""
        values = self._operands(node)
        numbers = [None if v is None else self.as_float(v) for v in values]
        into = self.new("float")
        first = numbers[0]
        if node.op == "not":
            assert first is not None
            self.emit("Muls", into, (first.name,), "-1.0f")
            self.emit("Adds", into, (into,), "1.0f")
        else:
            names = []
            for child, number in zip(node.args, numbers, strict=True):
                names.append(
                    self.splat(child, "float") if number is None else number.name
                )
            if node.op in ("and", "min"):
                self.emit("Mul", into, (names[0], names[1]))
            elif node.op in ("or", "max"):
                self.emit("Max", into, (names[0], names[1]))
            elif node.op in ("xor", "ne"):
                self.emit("Sub", into, (names[0], names[1]))
                self.emit("Abs", into, (into,))
            elif node.op == "eq":
                self.emit("Sub", into, (names[0], names[1]))
                self.emit("Abs", into, (into,))
                self.emit("Muls", into, (into,), "-1.0f")
                self.emit("Adds", into, (into,), "1.0f")
            else:
                raise Cannot(f"{node.op} of bool")
            for name, number in zip(names, numbers, strict=True):
                if number is None:
                    self.tiles.free(name)
        for value, number in zip(values, numbers, strict=True):
            if number is not None and number is not value:
                self.tiles.free(number.name)
        self._close(node, values)
        return Value("float", into)

    def _compare(self, node: Prim) -> Value:
        values = self._operands(node)
        left, right = values
        op = node.op
        if left is None:
            left, right, op = right, None, MIRRORED[op]
            other: Expr = node.args[0]
        else:
            other = node.args[1]
        assert left is not None
        if left.kind == "int32_t":
            made = self._compare_integers(left, right, other, op)
        else:
            into = self.new("mask")
            if right is not None:
                self.compare(into, left.name, right.name, COMPARE[op])
            else:
                text = self.literal(other, "float")
                # A name alone would be taken for a tensor's.
                text = f"({text})" if text.isidentifier() else text
                self.compare(into, left.name, text, COMPARE[op])
            made = Value("mask", into)
        self._close(node, values)
        return made

    def _compare_integers(
        self, left: Value, right: Value | None, other: Expr, op: str
    ) -> Value:
        """Only equality is there: a <= b where max(a, b) = b."""
        name = self.splat(other, "int32_t") if right is None else right.name
        mask = self.new("mask")
        if op in ("eq", "ne"):
            self.compare(mask, left.name, name, "EQ")
            flip = op == "ne"
        else:
            most = self.new("int32_t")
            self.emit("Max", most, (left.name, name))
            of = name if op in ("le", "gt") else left.name
            self.compare(mask, most, of, "EQ")
            self.tiles.free(most)
            flip = op in ("lt", "gt")
        if right is None:
            self.tiles.free(name)
        if not flip:
            return Value("mask", mask)
        into = self.new("float")
        zeros = self.splat(Const(0.0, FLOAT32), "float")
        self.select(into, mask, zeros, "1.0f")
        self.tiles.free(zeros)
        self.tiles.free(mask)
        return Value("float", into)

    def _arithmetic(self, node: Prim, kind: str) -> Value:
        op = node.op
        values = self._operands(node)
        if op == "neg":
            assert values[0] is not None
            into = self._into(node, values, kind)
            minus = "-1.0f" if kind == "float" else "-1"
            self.emit("Muls", into, (values[0].name,), minus)
            self._close(node, values, into)
            return Value(kind, into)
        if op in ("max", "min"):
            return self._extreme(node, values, kind)
        left, right = values
        scalars: list[str] = []
        if right is None and left is not None and op in ("add", "sub", "mul"):
            into = self._into(node, values, kind)
            text = self.literal(node.args[1], kind)
            if op == "sub":
                text = _negated(text)
            self.emit(
                WITH_SCALAR["add" if op == "sub" else op], into, (left.name,), text
            )
        elif left is None and right is not None and op in ("add", "mul"):
            into = self._into(node, values, kind)
            text = self.literal(node.args[0], kind)
            self.emit(WITH_SCALAR[op], into, (right.name,), text)
        elif left is None and right is not None and op == "sub":
            into = self._into(node, values, kind)
            minus = "-1.0f" if kind == "float" else "-1"
            self.emit("Muls", into, (right.name,), minus)
            self.emit("Adds", into, (into,), self.literal(node.args[0], kind))
        else:
            names = []
            for child, value in zip(node.args, values, strict=True):
                if value is None:
                    scalars.append(self.splat(child, kind))
                names.append(scalars[-1] if value is None else value.name)
            into = self._into(node, values, kind)
            self.emit(BINARY[op], into, (names[0], names[1]))
        for name in scalars:
            self.tiles.free(name)
        self._close(node, values, into)
        return Value(kind, into)

    def _extreme(self, node: Prim, values: list[Value | None], kind: str) -> Value:
        """The larger or smaller; of floats nan if either is, whatever Max does."""
        names, splats = [], []
        for child, value in zip(node.args, values, strict=True):
            if value is None:
                splats.append(self.splat(child, kind))
            names.append(splats[-1] if value is None else value.name)
        into = self.new(kind)
        self.emit("Max" if node.op == "max" else "Min", into, (names[0], names[1]))
        if kind == "float":
            for child, name in zip(node.args, names, strict=True):
                if isinstance(child, Const) and child.value == child.value:
                    continue
                mask = self.new("mask")
                self.compare(mask, name, name, "EQ")
                self.select(into, mask, into, name)
                self.tiles.free(mask)
        for name in splats:
            self.tiles.free(name)
        self._close(node, values)
        return Value(kind, into)

    # -- functions -------------------------------------------------------------------

    def _unary(self, function: str, value: Value, *rest: str) -> Value:
        into = self.new("float")
        self.emit(function, into, (value.name,), *rest)
        return Value("float", into)

    def _do_abs(self, x: Value) -> Value:
        return self._unary("Abs", x)

    def _do_sqrt(self, x: Value) -> Value:
        return self._unary("Sqrt", x)

    def _do_exp(self, x: Value) -> Value:
        return self._unary("Exp", x)

    def _do_log(self, x: Value) -> Value:
        return self._unary("Ln", x)

    def _over(self, into: str) -> None:
        """``into = 1 / into``, rounded once: Reciprocal is an estimate."""
        ones = self.splat(Const(1.0, FLOAT32), "float")
        self.emit("Div", into, (ones, into))
        self.tiles.free(ones)

    def _do_reciprocal(self, x: Value) -> Value:
        into = self.new("float")
        ones = self.splat(Const(1.0, FLOAT32), "float")
        self.emit("Div", into, (ones, x.name))
        self.tiles.free(ones)
        return Value("float", into)

    def _do_rsqrt(self, x: Value) -> Value:
        made = self._do_sqrt(x)
        self._over(made.name)
        return made

    def _do_sigmoid(self, x: Value) -> Value:
        """With e = exp(-|x|): 1 / (1 + e) from 0 on, e / (1 + e) below.

        Below, the result may be subnormal where exp(-x) overflows. A nan stays one.
        """
        made, small = self._do_abs(x), self.new("float")
        self.emit("Muls", made.name, (made.name,), "-1.0f")
        self.emit("Exp", small, (made.name,))
        mask = self.new("mask")
        self.compare(mask, x.name, "0.0f", "GE")
        ones = self.splat(Const(1.0, FLOAT32), "float")
        self.select(made.name, mask, ones, small)
        self.emit("Adds", small, (small,), "1.0f")
        self.emit("Div", made.name, (made.name, small))
        for name in (ones, mask, small):
            self.tiles.free(name)
        return made

    def _do_silu(self, x: Value) -> Value:
        made = self._do_sigmoid(x)
        self.emit("Mul", made.name, (x.name, made.name))
        return made

    def _rounded(self, x: Value, mode: str) -> Value:
        return self._unary("Cast", x, f"RoundMode::CAST_{mode}")

    def _do_floor(self, x: Value) -> Value:
        return self._rounded(x, "FLOOR")

    def _do_ceil(self, x: Value) -> Value:
        return self._rounded(x, "CEIL")

    def _do_round(self, x: Value) -> Value:
        return self._rounded(x, "RINT")

    def _do_trunc(self, x: Value) -> Value:
        return self._rounded(x, "TRUNC")

    def _do_sign(self, x: Value) -> Value:
        """Zeros and nan stay as they are."""
        mask, into = self.new("mask"), self.new("float")
        for mode, one in (("GT", -1.0), ("LT", 1.0)):
            # Where the comparison holds, -one; the first keeps x elsewhere.
            ones = self.splat(Const(-one, FLOAT32), "float")
            self.compare(mask, x.name, "0.0f", mode)
            self.select(into, mask, ones, x.name if mode == "GT" else into)
            self.tiles.free(ones)
        self.tiles.free(mask)
        return Value("float", into)

    def _do_isnan(self, x: Value) -> Value:
        into = self.new("mask")
        self.compare(into, x.name, x.name, "NE")
        return Value("mask", into)

    def _magnitude(self, x: Value, mode: str) -> Value:
        size, into = self._do_abs(x), self.new("mask")
        self.compare(into, size.name, f"({constant(math.inf, FLOAT32)[0]})", mode)
        self.tiles.free(size.name)
        return Value("mask", into)

    def _do_isinf(self, x: Value) -> Value:
        return self._magnitude(x, "EQ")

    def _do_isfinite(self, x: Value) -> Value:
        return self._magnitude(x, "LT")


def narrowing(ctype: str) -> str:
    """The mode that rounds floats to a type of 16 bits, to the nearest.

    CAST_NONE is CAST_RINT where something is lost, and the one that 310P has for half
    (the example of atlas_ascendc_10_00044).
    """
    return f"RoundMode::CAST_{'NONE' if ctype == 'half' else 'RINT'}"


def _is_number(text: str) -> bool:
    return not text.isidentifier()


def _negated(text: str) -> str:
    if text.startswith("-") and text[1:].replace(".", "").rstrip("f").isalnum():
        return text[1:]
    return f"-({text})" if not text.replace(".", "").isalnum() else f"-{text}"
