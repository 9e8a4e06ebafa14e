"""Arithmetic, comparisons and logic of tiles."""

from __future__ import annotations

import re

from opslib.codegen.c_types import PLUS
from opslib.ir.dtypes import BOOL, FLOAT32
from opslib.ir.expr import Const, Expr, Prim

from .lanes_state import Cannot
from .ranges import threshold
from .vector_state import FLOATS, TileHolder, Value

COMPARE = {"lt": "LT", "le": "LE", "gt": "GT", "ge": "GE", "eq": "EQ", "ne": "NE"}
MIRRORED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}
# Arithmetic of two tensors, and with a scalar.
BINARY = {"add": "Add", "mul": "Mul", "sub": "Sub", "div": "Div"}
WITH_SCALAR = {"add": "Adds", "mul": "Muls"}
PLAIN = {"pick_max": "Max", "pick_min": "Min"}
PLAIN_SCALAR = {"pick_max": "Maxs", "pick_min": "Mins"}
ROUND = {"floor": "FLOOR", "ceil": "CEIL", "round": "RINT", "trunc": "TRUNC"}
UNARY = {"abs": "Abs", "sqrt": "Sqrt", "exp": "Exp", "log": "Ln"}
_NUMBER = re.compile(r"-?[0-9][0-9a-fx.]*(p[+-]?[0-9]+)?f?")
SHIFT = {"shl": "ShiftLeft", "shr": "ShiftRight"}


class TileArithmetic(TileHolder):
    """Adds primitives."""

    def prim(self, node: Prim) -> Value:
        """A primitive's value."""
        op, dtype = node.op, node.args[0].dtype
        if dtype == BOOL:
            return self._logic(node)
        place = threshold(node, self.chunk.lane)
        if place is not None:
            return self._compare_place(*place)
        if dtype.name not in FLOATS and dtype.name != "int32":
            raise Cannot(f"{op} of {dtype}")
        if op in COMPARE:
            return self._compare(node)
        if op in ("bits", "number"):
            return self._view(node)
        if dtype.name == "int32":
            return self._integer(node)
        if dtype.bits < 32:
            raise Cannot("arithmetic rounded to 16 bits")
        if op.startswith("patched:"):
            return self._patched(node)
        if op in PLAIN or op in BINARY or op in ("max", "min", "neg"):
            return self._arithmetic(node, "float")
        if op not in UNARY and op not in ROUND:
            raise Cannot(op)
        values = self.operands(node)
        value = values[0]
        assert value is not None
        into = self.result(node, "float")
        if op in UNARY:
            self.emit(UNARY[op], into, (value.name,))
        else:
            self.convert(into, value.name, ROUND[op])
        self.close(node, values)
        return Value("float", into)

    def _integer(self, node: Prim) -> Value:
        op = node.op
        if op in ("add", "sub", "mul", "max", "min", "neg"):
            return self._arithmetic(node, "int32_t")
        if op in SHIFT:
            return self._shift(node)
        if op in ("bitand", "bitor", "bitxor", "bitnot"):
            return self._bitwise(node)
        raise Cannot(f"{op} of int32")

    def _view(self, node: Prim) -> Value:
        """The same bits under another type: no instruction."""
        value = self.get(node.args[0])
        kind = "int32_t" if node.op == "bits" else "float"
        return self.same_tensor(
            node, node.args[0], Value(kind, value.name, value.owned)
        )

    def _shift(self, node: Prim) -> Value:
        if not self.tiles.shifts:
            raise Cannot("this chip shifts no lanes")
        count = node.args[1]
        if not isinstance(count, Const) or not 0 <= count.value < 32:
            raise Cannot(f"{node.op} by a number that is not known")
        values = self.operands(node)
        value = values[0]
        assert value is not None
        into = self.into(node, values, "int32_t")
        # To the left without a sign, for ShiftLeft keeps that of signed numbers
        # (07_0058); to the right with one.
        kind, text = ("uint32_t", f"{count.value}u")
        if node.op == "shr":
            kind, text = "int32_t", str(count.value)
        self.emit(SHIFT[node.op], into, (value.name,), text, kind=kind)
        self.close(node, values, into)
        return Value("int32_t", into)

    def _bitwise(self, node: Prim) -> Value:
        """The unit has these of 16 bits only, which is as good."""
        values, splats, names = self.operands(node), [], []
        for child, value in zip(node.args, values, strict=True):
            if value is None:
                splats.append(self.splat(child, "int32_t"))
            names.append(splats[-1] if value is None else value.name)
        if node.op == "bitxor":
            # Either, and not both.
            both = self.new("int32_t")
            into = self.result(node, "int32_t")
            self._bits("And", both, names[0], names[1])
            self._bits("Not", both, both)
            self._bits("Or", into, names[0], names[1])
            self._bits("And", into, into, both)
            self.tiles.free(both)
        else:
            into = self.into(node, values, "int32_t")
            function = {"bitand": "And", "bitor": "Or", "bitnot": "Not"}[node.op]
            self._bits(function, into, *names)
        for name in splats:
            self.tiles.free(name)
        self.close(node, values, into)
        return Value("int32_t", into)

    def _bits(self, function: str, into: str, *reads: str) -> None:
        texts = [self.view(n, "uint16_t") for n in (into, *reads)]
        text = f"{function}({', '.join(texts)}, 2 * {self.chunk.count});"
        self.tiles.instruction("V", text, reads, (into,))

    def _patched(self, node: Prim) -> Value:
        """Lanes of which the instructions know that they are wrong, one by one."""
        values = self.operands(node)
        given, wrong = values[0], values[1]
        if given is None or wrong is None:
            raise Cannot(node.op)
        made, marks = given, self.as_float(wrong)
        if not (given.owned and self.uses.get(node.args[0], 1) == 1):
            made = Value("float", self.new("float"))
            self.emit("Muls", made.name, (given.name,), "1.0f")
        some = self.tiles.fixed("some", "float", 8)
        work = self.tiles.temporary("float", "work")
        self.tiles.instruction(
            "V",
            f"ReduceMax({some}, {marks.name}, {work}, {self.chunk.count});",
            (marks.name,),
            (some, work),
        )
        self.tiles.free(work)
        texts, reads = [], [marks.name]
        for child, value in zip(node.args[2:], values[2:], strict=True):
            if value is None:
                texts.append(self.literal(child, "float"))
            else:
                texts.append(f"{value.name}.GetValue(lane)")
                reads.append(value.name)
        function = self.function(node.op.removeprefix("patched:"))
        call = f"{function}({', '.join(texts)})"
        self.tiles.scalar("", (some,), ())
        with self.tiles.block(f"if ({some}.GetValue(0) != 0.0f)"):
            head = f"for (uint32_t lane = 0; lane < {self.chunk.count}; lane++)"
            with self.tiles.block(head):
                self.tiles.scalar("", (marks.name,), ())
                with self.tiles.block(f"if ({marks.name}.GetValue(lane) != 0.0f)"):
                    text = f"{made.name}.SetValue(lane, {call});"
                    self.tiles.scalar(text, tuple(reads), (made.name,))
        if marks is not wrong:
            self.tiles.free(marks.name)
        self.close(node, values, made.name)
        return made

    def function(self, op: str) -> str:
        """The scalar unit's name of a function of float."""
        return f"ops_{op}_f32"

    def _logic(self, node: Prim) -> Value:
        """Of masks, as floats: and is a product, or a maximum."""
        values = self.operands(node)
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
        self.close(node, values)
        return Value("float", into)

    def _compare(self, node: Prim) -> Value:
        values = self.operands(node)
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
        self.close(node, values)
        return made

    def _compare_place(self, op: str, limit: Expr) -> Value:
        """The lane's index against a limit: places in a tile are exact in float."""
        first, mask = self.chunk.first, self.new("mask")
        text = self.scalar(limit, PLUS + 1)
        at = text if first == "0" else f"{self.scalar(limit, PLUS)} - {first}"
        place = f"opslib::Place({at}, TILE)"
        self.compare(mask, self.tiles.ramp(), place, COMPARE[op])
        return Value("mask", mask)

    def _compare_integers(
        self, left: Value, right: Value | None, other: Expr, op: str
    ) -> Value:
        """Only equality is there: a <= b where max(a, b) = b."""
        name = self.splat(other, "int32_t") if right is None else right.name
        mask = self.new("mask")
        if op in ("eq", "ne"):
            self._equal_integers(mask, left.name, name)
            flip = op == "ne"
        else:
            most = self.new("int32_t")
            self.emit("Max", most, (left.name, name), kind="int32_t")
            of = name if op in ("le", "gt") else left.name
            self._equal_integers(mask, most, of)
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

    def _equal_integers(self, mask: str, left: str, right: str) -> None:
        if self.tiles.equals_int32:
            self.compare(mask, left, right, "EQ", "int32_t")
            return
        # A difference, wrapped or not, is 0 of equals alone, and so is its float.
        apart, number = self.new("int32_t"), self.new("float")
        text = ", ".join(self.view(n, "int32_t") for n in (apart, left, right))
        self.tiles.instruction(
            "V", f"Sub({text}, {self.chunk.count});", (left, right), (apart,)
        )
        self.convert(number, apart, "NONE", ("float", "int32_t"))
        self.compare(mask, number, "0.0f", "EQ")
        self.tiles.free(apart)
        self.tiles.free(number)

    def _arithmetic(self, node: Prim, kind: str) -> Value:
        op = node.op
        values = self.operands(node)
        if op == "neg":
            assert values[0] is not None
            into = self.into(node, values, kind)
            minus = "-1.0f" if kind == "float" else "-1"
            self.emit("Muls", into, (values[0].name,), minus, kind=kind)
            self.close(node, values, into)
            return Value(kind, into)
        if op in ("max", "min"):
            return self._extreme(node, values, kind)
        left, right = values
        scalars: list[str] = []
        scalar = WITH_SCALAR.get(op, PLAIN_SCALAR.get(op, ""))
        if right is None and left is not None and (scalar or op == "sub"):
            into = self.into(node, values, kind)
            text = self.literal(node.args[1], kind)
            if op == "sub":
                text = _negated(text)
            self.emit(scalar or "Adds", into, (left.name,), text, kind=kind)
        elif left is None and right is not None and scalar:
            into = self.into(node, values, kind)
            text = self.literal(node.args[0], kind)
            self.emit(scalar, into, (right.name,), text, kind=kind)
        elif left is None and right is not None and op == "sub":
            into = self.into(node, values, kind)
            minus = "-1.0f" if kind == "float" else "-1"
            self.emit("Muls", into, (right.name,), minus, kind=kind)
            text = self.literal(node.args[0], kind)
            self.emit("Adds", into, (into,), text, kind=kind)
        else:
            names = []
            for child, value in zip(node.args, values, strict=True):
                if value is None:
                    scalars.append(self.splat(child, kind))
                names.append(scalars[-1] if value is None else value.name)
            into = self.into(node, values, kind)
            function = BINARY.get(op) or PLAIN[op]
            self.emit(function, into, (names[0], names[1]), kind=kind)
        for name in scalars:
            self.tiles.free(name)
        self.close(node, values, into)
        return Value(kind, into)

    def _extreme(self, node: Prim, values: list[Value | None], kind: str) -> Value:
        """The larger or smaller; of floats nan if either is, whatever Max does."""
        names, splats = [], []
        for child, value in zip(node.args, values, strict=True):
            if value is None:
                splats.append(self.splat(child, kind))
            names.append(splats[-1] if value is None else value.name)
        into = self.result(node, kind)
        function = "Max" if node.op == "max" else "Min"
        self.emit(function, into, (names[0], names[1]), kind=kind)
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
        self.close(node, values)
        return Value(kind, into)


def is_number(text: str) -> bool:
    """Whether an operand's text is not a tensor's name."""
    return not text.isidentifier()


def _negated(text: str) -> str:
    if _NUMBER.fullmatch(text):
        return text[1:] if text.startswith("-") else f"-{text}"
    return f"-({text})" if not text.replace(".", "").isalnum() else f"-{text}"
