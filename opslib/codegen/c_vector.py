"""Vector expressions: OPS_LANES iterations of a loop at once, for the host's SIMD.

Whatever does not depend on the lanes stays scalar. A bool is a mask of 32-bit lanes.
Under a condition that differs between lanes, loads are masked: memory that the spec
does not read is not touched, at tails too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from opslib.codegen.c_expressions import MAX_TEXT, Entry, ExpressionPrinter, base_name
from opslib.codegen.c_types import (
    BITAND,
    CALL,
    COMPARISONS,
    INFIX,
    LOOSE,
    PLUS,
    SHORT,
    TERNARY,
    UNARY,
    Text,
    constant,
    held,
    stored_type,
    value_type,
)
from opslib.ir.dtypes import BOOL, INT64, DType
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

MASK = "ops_v_i32"
_WIDTH = {8: "i8", 16: "i16", 32: "i32", 64: "i64"}
_TESTS = frozenset(("isnan", "isinf", "isfinite", "signbit"))


def vector_type(dtype: DType) -> str:
    """The C type that holds OPS_LANES values."""
    return MASK if dtype == BOOL else f"ops_v_{held(dtype)}"


def mask_width(dtype: DType) -> str:
    """The mask element a comparison of `dtype` gives."""
    if dtype == BOOL:
        return "i32"
    return _WIDTH[32 if held(dtype) == "f32" else dtype.bits]


@dataclass
class Lanes:
    """The vector loop we are in.

    Attributes:
        index: name of the loop's index variable.
        text: its first lane's value, in C.
        count: None for whole vectors, else the C name of how many lanes are live.
        varying: Vars that differ between lanes.
    """

    index: str
    text: str
    count: str | None = None
    varying: set[str] = field(default_factory=set)


class VectorPrinter(ExpressionPrinter):
    """Adds vectors to the scalar printer."""

    lanes: Lanes | None = None
    mask: str | None = None

    # -- what varies -------------------------------------------------------------------

    def varies(self, root: Expr) -> bool:
        """Whether the value differs between lanes."""
        lanes = self.lanes
        if lanes is None:
            return False
        return any(
            (isinstance(n, Index) and n.name == lanes.index)
            or (isinstance(n, Var) and n.name in lanes.varying)
            for n in walk(root)
        )

    # -- naming ------------------------------------------------------------------------

    def name_vectors(self, roots: list[Expr]) -> None:
        """Counts the uses below `roots`, so that shared values are named."""
        uses: dict[Expr, int] = {}
        for node in walk(*roots):
            for child in node.children:
                uses[child] = uses.get(child, 0) + 1
        self.uses = uses

    uses: dict[Expr, int] = {}  # noqa: RUF012  (replaced, never changed in place)

    def vector(self, root: Expr) -> str:
        """The text of a value as a vector, with lines before it as needed."""
        self.name_vectors([root])
        return self.lane_text(root)[0]

    def _key(self, node: Expr) -> object:
        reads = any(isinstance(n, Read) for n in walk(node))
        return ("lanes", node, self.mask if reads else None)

    def lane_operand(self, node: Expr, level: int) -> str:
        """An operand of a vector operation: a vector in parentheses if need be."""
        text, strength = self.lane_text(node)
        if len(text) > MAX_TEXT and self.varies(node):
            text, strength = self.name_lanes(node, text), CALL
        return text if strength >= level else f"({text})"

    def name_lanes(self, node: Expr, text: str) -> str:
        """A local for a vector."""
        base = base_name(node)
        name = self.names.fresh(base)
        self.line(f"const {vector_type(node.dtype)} {name} = {text};")
        self.scopes[-1][self._key(node)] = Entry(name, vector_type(node.dtype), True)
        return name

    def lane_text(self, node: Expr) -> Text:
        """Text and precedence of a value as a vector."""
        if not self.varies(node):
            return self._splat(node)
        found = self.find(self._key(node))
        if found is None and self.mask is not None:
            # Read without a condition before, so it may be used under one.
            found = self.find(("lanes", node, None))
        if found is not None:
            return found.text, CALL
        text = self._lane_render(node)
        found = self.find(self._key(node))
        if found is not None:
            return found.text, CALL
        shared = self.uses.get(node, 0) > 1 and not isinstance(node, Var)
        if shared or isinstance(node, Read | Index):
            return self.name_lanes(node, text[0]), CALL
        return text

    def _splat(self, node: Expr) -> Text:
        text = self._uniform(node)
        if node.dtype == BOOL:
            if isinstance(node, Const):
                return f"ops_splat_i32({-1 if node.value else 0})", CALL
            return f"ops_splat_i32(-(int32_t)({text}))", CALL
        if isinstance(node, Const) and node.value == 0 and text in ("0", "0.0f", "0.0"):
            return f"ops_zero_{held(node.dtype)}()", CALL
        return f"ops_splat_{held(node.dtype)}({text})", CALL

    def _uniform(self, node: Expr) -> str:
        """The scalar text of what all lanes share."""
        if self.mask is None or not any(isinstance(n, Read) for n in walk(node)):
            return self.operand(node, LOOSE)
        key = ("under", node, self.mask)
        found = self.find(key)
        if found is not None:
            return found.text
        self.lazy += 1
        inner = self.operand(node, TERNARY)
        self.lazy -= 1
        zero = "false" if node.dtype == BOOL else "0"
        return self.bind(
            key,
            base_name(node),
            value_type(node.dtype),
            f"ops_any_i32({self.mask}) ? {inner} : {zero}",
        )

    def _bare(self, node: Expr, level: int) -> str:
        """An operand beside a vector: compilers spread a scalar of the same type."""
        if not self.varies(node) and held(node.dtype) in ("f32", "f64"):
            text = self._uniform(node)
            return (
                text
                if text.isidentifier() or isinstance(node, Const)
                else (f"({text})")
            )
        return self.lane_operand(node, level)

    # -- rendering ---------------------------------------------------------------------

    def _lane_render(self, node: Expr) -> Text:
        match node:
            case Index():
                assert self.lanes is not None
                return f"ops_splat_i64({self.lanes.text}) + ops_iota_i64()", PLUS
            case Var(name):
                return self.need(("var", name)).text, CALL
            case Read():
                return self._lane_read(node), CALL
            case Cast(value, dtype):
                return self._lane_cast(value, dtype)
            case Select():
                return self._lane_select(node)
            case Prim():
                return self._lane_prim(node)
        raise TypeError(type(node).__name__)

    def _lane_read(self, node: Read) -> str:
        """A load; see c_moves.py."""
        raise NotImplementedError

    def _lane_cast(self, value: Expr, dtype: DType) -> Text:
        source = value.dtype
        a, b = held(source), SHORT[dtype.name]
        text = self.lane_operand(value, LOOSE)
        if dtype == BOOL:
            return self._widths(f"{self.lane_operand(value, UNARY)} != 0", source)
        if source == BOOL:
            one = f"ops_splat_{held(dtype)}(1)"
            mask = self._mask_as(text, mask_width(dtype))
            zero = f"ops_zero_{held(dtype)}()"
            return f"ops_select_v_{held(dtype)}({mask}, {one}, {zero})", CALL
        if b in ("f16", "bf16"):
            return f"ops_round_v_{a}_to_{b}({text})", CALL
        if a == b:
            return text, LOOSE
        return f"ops_cvt_v_{a}_to_{b}({text})", CALL

    def _widths(self, comparison: str, dtype: DType) -> Text:
        """The mask of a comparison of `dtype`, as 32-bit lanes."""
        width = mask_width(dtype)
        if width == "i32":
            return comparison, INFIX["eq"][1]
        return f"ops_mask_{width}_to_i32({comparison})", CALL

    def _mask_as(self, mask: str, width: str) -> str:
        return mask if width == "i32" else f"ops_mask_i32_to_{width}({mask})"

    def _lane_select(self, node: Select) -> Text:
        if not self.varies(node.condition):
            return self._branch(node)
        test = self.lane_text(node.condition)[0]
        if not test.isidentifier():
            test = self.name_lanes(node.condition, test)
        yes = self._under(node.yes, test, False)
        no = self._under(node.no, test, True)
        short = held(node.dtype) if node.dtype != BOOL else "i32"
        mask = self._mask_as(test, mask_width(node.dtype))
        return f"ops_select_v_{short}({mask}, {yes}, {no})", CALL

    def _under(self, node: Expr, test: str, inverted: bool) -> str:
        """The value where `test` holds (or does not); elsewhere anything."""
        if not any(isinstance(n, Read) for n in walk(node)):
            return self.lane_operand(node, LOOSE)
        if self.find(("lanes", node, None)) or self.find(("lanes", node, self.mask)):
            return self.lane_operand(node, LOOSE)
        key = ("mask", test, inverted, self.mask)
        found = self.find(key)
        if found is None:
            parts = [f"~{test}" if inverted else test]
            if self.mask is not None:
                parts.append(self.mask)
            elif self.lanes is not None and self.lanes.count is not None:
                parts.append(f"ops_first_i32({self.lanes.count})")
            text = " & ".join(parts)
            name = text if text.isidentifier() else self.names.fresh("where")
            if name != text:
                self.line(f"const {MASK} {name} = {text};")
            found = Entry(name, MASK, True)
            self.scopes[-1][key] = found
        outer, self.mask = self.mask, found.text
        text = self.lane_operand(node, LOOSE)
        self.mask = outer
        return text

    def _branch(self, node: Select) -> Text:
        """A condition that all lanes share: only one side is computed."""
        reads = any(isinstance(n, Read) for n in walk(node.yes, node.no))
        condition = self._uniform(node.condition)
        if not condition.isidentifier():
            condition = f"({condition})"
        if not reads:
            yes, no = (
                self.lane_operand(node.yes, UNARY),
                self.lane_operand(node.no, UNARY),
            )
            return f"{condition} ? {yes} : {no}", TERNARY
        name = self.names.fresh("chosen")
        self.line(f"{vector_type(node.dtype)} {name};")
        with self.block(f"if ({bare(condition)})"):
            self.line(f"{name} = {self.lane_text(node.yes)[0]};")
        with self.block("else"):
            self.line(f"{name} = {self.lane_text(node.no)[0]};")
        self.scopes[-1][self._key(node)] = Entry(name, vector_type(node.dtype), True)
        return name, CALL

    def _lane_prim(self, node: Prim) -> Text:
        op, args, dtype = node.op, node.args, node.args[0].dtype
        short = held(dtype) if dtype != BOOL else "i32"
        if dtype == BOOL:
            return self._lane_logic(op, args)
        if op in COMPARISONS:
            sign = INFIX[op][0]
            left, right = self._bare(args[0], PLUS), self._bare(args[1], PLUS)
            return self._widths(f"{left} {sign} {right}", dtype)
        text: Text
        if op in INFIX and (op != "div" or dtype.is_float):
            sign, level = INFIX[op]
            left, right = self._bare(args[0], level), self._bare(args[1], level + 1)
            text = f"{left} {sign} {right}", level
        elif op in ("neg", "bitnot"):
            sign = "-" if op == "neg" else "~"
            text = f"{sign}{self.lane_operand(args[0], CALL)}", UNARY
        elif op == "floordiv" and dtype.is_float:
            left, right = self._bare(args[0], PLUS), self._bare(args[1], UNARY)
            text = f"ops_floor_v_{short}({left} / {right})", CALL
        else:
            kind = SHORT[dtype.name] if op == "nextafter" else short
            function = self.dialect.function(op, f"v_{kind}")
            inner = ", ".join(self.lane_operand(a, LOOSE) for a in args)
            text = f"{function}({inner})", CALL
        if op in _TESTS:
            return self._widths(text[0], dtype)
        if dtype.name in ("float16", "bfloat16") and op != "nextafter":
            kind = SHORT[dtype.name]
            return f"ops_round_v_f32_to_{kind}({text[0]})", CALL
        return text

    def _lane_logic(self, op: str, args: tuple[Expr, ...]) -> Text:
        if op == "not":
            return f"~{self.lane_operand(args[0], CALL)}", UNARY
        if op == "and":
            for known, other in (args, args[::-1]):
                if self.is_true(known):
                    return self.lane_text(other)
        left = self.lane_operand(args[0], CALL)
        if op in ("and", "or") and any(isinstance(n, Read) for n in walk(args[1])):
            # The second operand is read only where the first does not decide.
            if not left.isidentifier():
                left = self._named_mask(left)
            right = self._under(args[1], left, op == "or")
            right = right if right.isidentifier() else f"({right})"
        else:
            right = self.lane_operand(args[1], CALL)
        match op:
            case "and" | "min":
                return f"{left} & {right}", BITAND
            case "or" | "max":
                return f"{left} | {right}", BITAND - 2
            case "xor" | "ne":
                return f"{left} ^ {right}", BITAND - 1
            case "eq":
                return f"~({left} ^ {right})", UNARY
            case "lt":
                return f"~{left} & {right}", BITAND
            case "gt":
                return f"{left} & ~{right}", BITAND
            case "le":
                return f"~{left} | {right}", BITAND - 2
            case "ge":
                return f"{left} | ~{right}", BITAND - 2
        raise ValueError(f"{op} of bools")

    def _named_mask(self, text: str) -> str:
        text = bare(text)
        name = self.names.fresh("test")
        self.line(f"const {MASK} {name} = {text};")
        return name


def bare(text: str) -> str:
    """The text without parentheses around all of it."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for at, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0 and at < len(text) - 1:
            return text
    return text[1:-1]


__all__ = [
    "INT64",
    "MASK",
    "Lanes",
    "VectorPrinter",
    "constant",
    "mask_width",
    "stored_type",
    "vector_type",
]
