"""Scalar expressions as C: types, constants, precedence, and what is named.

What differs between hosts of C-like text (CUDA, Ascend C) is the `Dialect`; the rest is
shared. Shared subexpressions are printed once, as named locals; a line that would grow
long is cut the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opslib.codegen.c_names import Names
from opslib.codegen.c_types import (
    BITOR,
    CALL,
    COMPARISONS,
    EQUAL,
    INFIX,
    LOGIC,
    LOOSE,
    PLUS,
    SHORT,
    TERNARY,
    TIMES,
    UNARY,
    Dialect,
    Text,
    constant,
    held,
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
    Scalar,
    Select,
    Size,
    Var,
    walk,
)
from opslib.ir.loops import Buffer
from opslib.lowering.skeletons import arith

# Longer operands become named locals; so do shared values of this many nodes, and a
# condition with larger branches becomes an if statement.
MAX_TEXT = 58
_WEIGHTY = 3
_BIG_BRANCH = 14


@dataclass(frozen=True, slots=True)
class Entry:
    """What a name of the kernel is in C."""

    text: str
    ctype: str
    varying: bool = False


class ExpressionPrinter:
    """Prints scalar expressions of one C function.

    Scopes hold what is in sight: keys are ``("index", name)``, ``("var", name)``,
    ``("value", name)`` (sizes, strides and scalars), ``("buffer", name)``,
    ``("expr", node)``.
    """

    def __init__(
        self, dialect: Dialect, names: Names, parent: ExpressionPrinter | None = None
    ) -> None:
        self.dialect = dialect
        self.names = names
        self.parent = parent
        self.scopes: list[dict[object, Entry]] = [{}]
        self.captured: dict[str, str] = {}
        self.lines: list[str] = []
        self.indent = 1
        self.lazy = 0
        self.buffers: dict[str, Buffer] = dict(parent.buffers) if parent else {}
        self.nonnegative: set[object] = set(parent.nonnegative) if parent else set()
        self.positive: set[Expr] = set(parent.positive) if parent else set()

    # -- text ----------------------------------------------------------------------

    def line(self, text: str) -> None:
        """One line of the function's body."""
        self.lines.append("    " * self.indent + text if text else "")

    @contextmanager
    def block(self, head: str | None, tail: str = "}") -> Iterator[None]:
        """A braced block with a scope of its own."""
        self.line("{" if head is None else f"{head} {{")
        self.indent += 1
        self.scopes.append({})
        lazy, self.lazy = self.lazy, 0
        yield
        self.lazy = lazy
        self.scopes.pop()
        self.indent -= 1
        self.line(tail)

    def find(self, key: object) -> Entry | None:
        """What `key` is here; what an enclosing function has is captured."""
        for scope in reversed(self.scopes):
            if key in scope:
                return scope[key]
        if self.parent is None:
            return None
        found = self.parent.find(key)
        if found is not None and not found.varying:
            if isinstance(key, tuple) and key[0] == "expr":
                return None
            self.captured[found.text] = found.ctype
            self.scopes[0][key] = found
        return found

    def need(self, key: tuple[str, str]) -> Entry:
        """As `find`; a missing name is a bug of the caller."""
        found = self.find(key)
        if found is None:
            raise KeyError(f"{key[0]} {key[1]} is not in scope")
        return found

    def bind(self, key: object, base: str, ctype: str, text: str) -> str:
        """Declares a constant local and puts it in scope."""
        name = self.names.fresh(base)
        space = "" if ctype.endswith("*") else " "
        self.line(f"const {ctype}{space}{name} = {text};")
        self.scopes[-1][key] = Entry(name, ctype)
        return name

    # -- expressions -----------------------------------------------------------------

    def scalar(self, root: Expr, level: int = LOOSE) -> str:
        """The text of a value, with what it shares named in lines before."""
        if not self.lazy:
            self.name_shared([root])
        return self.operand(root, level)

    def name_shared(self, roots: list[Expr]) -> None:
        """Names the subexpressions used more than once below `roots`."""
        uses: dict[Expr, int] = {}
        weight: dict[Expr, int] = {}
        eager = _eager(roots)
        for node in walk(*roots):
            weight[node] = 1 + sum(weight[c] for c in node.children)
            for child in node.children:
                uses[child] = uses.get(child, 0) + 1
        for node in walk(*roots):
            if uses.get(node, 0) < 2 or weight[node] < _WEIGHTY or node not in eager:
                continue
            if self.find(("expr", node)) is None:
                self.name(node)

    def name(self, node: Expr) -> str:
        """A local for the value of `node`."""
        found = self.find(("expr", node))
        if found is not None:
            return found.text
        text = self.render(node)[0]
        return self.bind(("expr", node), base_name(node), value_type(node.dtype), text)

    def operand(self, node: Expr, level: int) -> str:
        """The text of an operand of something that binds at `level`."""
        text, strength = self.render(node)
        if len(text) > MAX_TEXT and level != LOOSE and self._may_name(node):
            return self.name(node)
        return text if strength >= level else f"({text})"

    def _may_name(self, node: Expr) -> bool:
        return not self.lazy or not any(isinstance(n, Read) for n in walk(node))

    def render(self, node: Expr) -> Text:
        """Text and precedence of a value."""
        found = self.find(("expr", node))
        if found is not None:
            return found.text, CALL
        match node:
            case Const(value, dtype):
                return constant(value, dtype)
            case Size(name) | Scalar(name):
                return self.need(("value", name)).text, CALL
            case Index(name):
                return self.need(("index", name)).text, CALL
            case Var(name):
                return self.need(("var", name)).text, CALL
            case Read():
                return self._read(node)
            case Cast(value, dtype):
                return self._cast(value, dtype)
            case Select():
                return self._select(node)
            case Prim():
                return self._prim(node)
        raise TypeError(f"{type(node).__name__} in a kernel")

    def _read(self, node: Read) -> Text:
        place = f"{self.pointer(node.tensor)}[{self.offset(node.tensor, node.indices)}]"
        if node.type.name in ("float16", "bfloat16"):
            return f"ops_{SHORT[node.type.name]}_to_f32({place})", CALL
        return (f"{place} != 0", EQUAL) if node.type == BOOL else (place, CALL)

    def pointer(self, buffer: str) -> str:
        """The name of a buffer's first element."""
        return self.need(("buffer", buffer)).text

    def offset(self, buffer: str, indices: tuple[Expr, ...]) -> str:
        """The text of a linear offset, in elements."""
        return self.operand(self.linear(buffer, indices), LOOSE)

    def linear(self, buffer: str, indices: tuple[Expr, ...]) -> Expr:
        """The linear offset, in elements, as an expression."""
        total: Expr = arith.integer(0)
        for index, stride in zip(indices, self.buffers[buffer].strides, strict=True):
            total = arith.add(total, arith.mul(index, stride))
        return total

    def _cast(self, value: Expr, dtype: DType) -> Text:
        return self.cast_text(self.operand(value, UNARY), value.dtype, dtype)

    def cast_text(self, text: str, source: DType, target: DType) -> Text:
        """A value of one type as another; `text` binds at UNARY."""
        a, b = held(source), SHORT[target.name]
        if target == BOOL:
            return f"{text} != 0", EQUAL
        if b in ("f16", "bf16"):
            inner = (
                f"ops_f32_to_{b}({text})"
                if a == "f32"
                else (f"ops_cvt_{a}_to_{b}({text})")
            )
            return f"ops_{b}_to_f32({inner})", CALL
        if source.is_float and target.is_integer:
            return f"ops_cvt_{a}_to_{b}({text})", CALL
        if a == b:
            return text, UNARY
        return f"({value_type(target)}){text}", UNARY

    def _select(self, node: Select) -> Text:
        size = len(list(walk(node.yes, node.no)))
        if size > _BIG_BRANCH and not self.lazy:
            name = self.names.fresh("chosen")
            ctype = value_type(node.dtype)
            condition = self.scalar(node.condition)
            self.line(f"{ctype} {name};")
            with self.block(f"if ({condition})", "} else {"):
                self.line(f"{name} = {self.scalar(node.yes)};")
            self.lines.pop()
            with self.block("} else"):
                self.line(f"{name} = {self.scalar(node.no)};")
            self.scopes[-1][("expr", node)] = Entry(name, ctype)
            return name, CALL
        condition = self.operand(node.condition, TERNARY + 1)
        self.lazy += 1
        yes, no = self.operand(node.yes, TERNARY), self.operand(node.no, TERNARY)
        self.lazy -= 1
        return f"{condition} ? {yes} : {no}", TERNARY

    def _prim(self, node: Prim) -> Text:
        op, args, dtype = node.op, node.args, node.args[0].dtype
        text: Text
        if dtype == BOOL and op in ("max", "min"):
            op = "or" if op == "max" else "and"
        if op in LOGIC:
            return self._logic(op, args)
        if op == "not":
            return f"!{self.operand(args[0], UNARY)}", UNARY
        if op in INFIX and not (op == "div" and dtype.is_integer):
            sign, level = INFIX[op]
            tight = level + 1
            if op in COMPARISONS or op.startswith("bit"):
                left, right = self.operand(args[0], PLUS), self.operand(args[1], PLUS)
            else:
                left = self.operand(args[0], level)
                right = self.operand(args[1], tight)
            text = f"{left} {sign} {right}", level
        elif op in ("neg", "bitnot"):
            sign = "-" if op == "neg" else "~"
            inner = self.operand(args[0], UNARY)
            if inner.startswith(sign):
                inner = f"({inner})"
            text = f"{sign}{inner}", UNARY
        elif op in ("floordiv", "mod") and dtype == INT64 and self._divides(*args):
            sign = "/" if op == "floordiv" else "%"
            left, right = self.operand(args[0], TIMES), self.operand(args[1], UNARY)
            text = f"{left} {sign} {right}", TIMES
        elif op == "floordiv" and dtype.is_float:
            inner = f"{self.operand(args[0], TIMES)} / {self.operand(args[1], UNARY)}"
            text = f"{self.dialect.function('floor', held(dtype))}({inner})", CALL
        else:
            short = SHORT[dtype.name] if op == "nextafter" else held(dtype)
            function = self.dialect.function(op, short)
            inner = ", ".join(self.operand(a, TERNARY) for a in args)
            text = f"{function}({inner})", CALL
        return self._narrowed(node, text)

    def _narrowed(self, node: Prim, text: Text) -> Text:
        """C computes narrow integers in int, and halves in float: cut the result."""
        dtype = node.dtype
        if dtype.name in ("float16", "bfloat16") and node.op != "nextafter":
            short = SHORT[dtype.name]
            return f"ops_{short}_to_f32(ops_f32_to_{short}({text[0]}))", CALL
        if dtype.is_integer and dtype.bits < 32 and text[1] != CALL:
            return f"({value_type(dtype)})({text[0]})", UNARY
        return text

    def _logic(self, op: str, args: tuple[Expr, ...]) -> Text:
        sign, level = LOGIC[op]
        if op == "and":
            for known, other in (args, args[::-1]):
                if self.is_true(known):
                    return self.render(other)
        if op == "xor":
            left, right = self.operand(args[0], PLUS), self.operand(args[1], PLUS)
            return f"{left} {sign} {right}", level
        # gcc warns about && inside || without parentheses, and so do readers.
        tight = BITOR if op == "or" else level
        left = self.operand(args[0], tight if args[0].children else level)
        if isinstance(args[0], Prim) and args[0].op == op:
            left = self.operand(args[0], level)
        self.lazy += 1
        right = self.operand(args[1], BITOR)
        self.lazy -= 1
        return f"{left} {sign} {right}", level

    # -- signs -----------------------------------------------------------------------

    def _divides(self, a: Expr, b: Expr) -> bool:
        """Whether C's division of a by b is the floor, and b is not 0."""
        return self.is_positive(b) and self.is_nonnegative(a)

    def is_true(self, node: Expr) -> bool:
        """Whether the test is a lower bound of 0 that is known to hold here."""
        match node:
            case Prim("ge", (a, Const(value, dtype)), _) if dtype == INT64:
                return value == 0 and self.is_nonnegative(a)
        return False

    def is_positive(self, node: Expr) -> bool:
        """Whether the integer is known to be above 0 here."""
        match node:
            case Const(value, _):
                return value > 0
            case Prim("max", (a, b), _):
                return self.is_positive(a) or self.is_positive(b)
            case Prim("mul" | "min", (a, b), _):
                return self.is_positive(a) and self.is_positive(b)
            case Prim("add", (a, b), _):
                return (self.is_positive(a) and self.is_nonnegative(b)) or (
                    self.is_positive(b) and self.is_nonnegative(a)
                )
        return node in self.positive

    def is_nonnegative(self, node: Expr) -> bool:
        """Whether the integer is known not to be below 0 here."""
        match node:
            case Const(value, _):
                return value >= 0
            case Size():
                return True
            case Index(name) | Var(name):
                return name in self.nonnegative or node in self.positive
            case Prim("max", (a, b), _):
                return self.is_nonnegative(a) or self.is_nonnegative(b)
            case Prim("add" | "mul" | "min" | "floordiv", (a, b), _):
                return self.is_nonnegative(a) and self.is_nonnegative(b)
            case Prim("mod", (_, b), _):
                return self.is_nonnegative(b)
            case Prim("sub", (a, Const(value, _)), _) if value == 1:
                return self.is_positive(a)
        return node in self.positive


def base_name(node: Expr) -> str:
    """What to call a local that holds `node`."""
    match node:
        case Read(tensor):
            return f"{tensor}_at"
        case Prim("lt" | "le" | "gt" | "ge" | "eq" | "ne" | "and" | "or" | "not"):
            return "test"
        case Prim("add" | "sub" | "mul"):
            return "t" if node.dtype.is_float else "k"
        case Prim(op):
            return f"{op}_of"
    return "t"


def _eager(roots: list[Expr]) -> set[Expr]:
    """Nodes that may be computed at once: not only under a condition, or no reads."""
    sure: set[Expr] = set()
    stack = list(roots)
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
    reading: dict[Expr, bool] = {}
    for node in walk(*roots):
        reading[node] = isinstance(node, Read) or any(reading[c] for c in node.children)
        if not reading[node]:
            sure.add(node)
    return sure
