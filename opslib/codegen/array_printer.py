"""The printer's state, and expressions as array code."""

from __future__ import annotations

import itertools
import keyword
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from opslib.codegen import array_folds, array_reads, array_scans
from opslib.codegen.array_code import (
    CONDITIONAL,
    PRODUCT,
    SHIFT,
    Code,
    call,
    grouped,
    infix,
    method,
    name,
    named,
    number,
    prefix,
    wrapped,
)
from opslib.codegen.array_dialect import INFIX, Dialect
from opslib.codegen.array_integers import Polynomial, code, polynomial
from opslib.codegen.array_value import Value, aligned, elementwise, shape_code, union
from opslib.ir.dtypes import INT64, DType
from opslib.ir.expr import (
    Call,
    Cast,
    Const,
    Expr,
    Fold,
    Index,
    Order,
    Prim,
    Program,
    Read,
    Scalar,
    Scan,
    Select,
    Size,
    Tensor,
    walk,
)

# Functions of the helper modules besides those of primitives.
HELPERS = frozenset(
    {"clipped", "fold", "scan", "argsort", "cummax", "cummin", "check", "scatter"}
    | {"convolution", "reduce_windows"}
)


@dataclass(slots=True)
class Printer:
    """The state of printing one program."""

    program: Program
    dialect: Dialect
    wide: bool
    lines: list[str] = field(default_factory=list)
    prelude: list[str] = field(default_factory=list)
    indent: int = 1
    entry: str = ""
    names: dict[str, str] = field(default_factory=dict)
    # Index variables: how deep they were bound, their values, and of the dense ones
    # start and stop. `extents` is the length of an array along the variable.
    order: dict[str, int] = field(default_factory=dict)
    index: dict[str, Value] = field(default_factory=dict)
    dense: dict[str, tuple[Expr, Expr]] = field(default_factory=dict)
    extents: dict[str, Code] = field(default_factory=dict)
    memo: dict[tuple[Expr, bool], Value] = field(default_factory=dict)
    guards: int = 0
    helpers: set[str] = field(default_factory=set)
    combiners: dict[Any, str] = field(default_factory=dict)
    fresh: Iterator[str] = field(default_factory=lambda: iter(()))

    def __post_init__(self) -> None:
        taken = {"np", "jnp", "lax", "bfloat16", "max", "min", "float", "abs", "range"}
        taken |= set(self.dialect.helper_names.values()) | HELPERS
        taken |= set(self.dialect.reductions.values())
        program = self.program
        self.entry = identifier(program.name, taken)
        taken.add(self.entry)
        wanted = [t.name for t in (*program.inputs, *program.outputs, *program.locals)]
        wanted += [s.name for s in program.scalars] + list(program.sizes)
        for one in wanted:
            if one not in self.names:
                self.names[one] = identifier(one, taken)
                taken.add(self.names[one])
        self.fresh = (
            t for t in map("t{}".format, itertools.count(1)) if t not in taken
        )

    # --- Text --------------------------------------------------------------------

    def line(self, text: str) -> None:
        """A line of the function's body."""
        self.lines.append("    " * self.indent + text if text else "")

    def assign(self, target: str, value: Code, operator: str = "=") -> None:
        """An assignment, preceded by those of shared sub-expressions."""
        self.statement(f"{target} {operator} ", self.settled(value))

    def statement(self, before: str, value: Code) -> None:
        """``before value``, on as many lines as it takes."""
        self.lines += wrapped(value, "    " * self.indent + before, "", 88)

    def settled(self, value: Code) -> Code:
        """`value` with its shared sub-expressions assigned to names before."""
        assignments, rest = named(value, self.fresh)
        for target, part in assignments:
            self.statement(f"{target} = ", part)
        return rest

    def helper(self, text: str) -> str:
        """Name of a function of the helper module, which is then imported."""
        self.helpers.add(text)
        return text

    @property
    def module(self) -> str:
        """Alias of the array module."""
        return self.dialect.module

    def dtype(self, dtype: DType) -> str:
        """Text of an element type."""
        return self.dialect.dtype(
            "float64" if self.wide and dtype.is_float else dtype.name
        )

    def fresh_index(self, wanted: str) -> str:
        """A Python name for a loop variable."""
        text = identifier(wanted, set(self.names.values()))
        self.names[f"index {wanted}"] = text
        return text

    # --- Integers ----------------------------------------------------------------

    def integer(self, value: Polynomial | Expr) -> Code:
        """A size expression, simplified."""
        if isinstance(value, Expr):
            found = polynomial(value)
            if found is None:
                return self.emit(value).code
            value = found
        return code(value, self._atom)

    def _atom(self, node: Expr) -> Code:
        return self.emit(node).code

    def _used(self, names: Iterable[str]) -> list[str]:
        words = {w for line in self.lines for w in re.findall(r"\w+", line)}
        return [n for n in names if self.names[n] in words]

    def used_sizes(self) -> list[str]:
        """The sizes that the body mentions."""
        return self._used(self.program.sizes)

    def used_scalars(self) -> list[str]:
        """The run-time attributes that the body mentions."""
        return self._used(s.name for s in self.program.scalars)

    def keyword_sizes(self) -> list[str]:
        """Used sizes that no input's shape shows."""
        return [s for s in self.used_sizes() if self.size_source(s) is None]

    def size_source(self, size: str) -> str | None:
        """``x.shape[k]`` that equals a size."""
        for tensor in self.program.inputs:
            for k, extent in enumerate(tensor.shape):
                if extent is Size(size):
                    at = -1 if k == len(tensor.shape) - 1 else k
                    return f"{self.names[tensor.name]}.shape[{at}]"
        return None

    def shape_of(self, tensor: Tensor) -> list[Code]:
        """Extents of a tensor."""
        return [self.integer(s) for s in tensor.shape]

    # --- Arrays ------------------------------------------------------------------

    def align(self, value: Value, axes: tuple[str, ...]) -> Code:
        """`value` so that it broadcasts over `axes`."""
        return aligned(value, axes, self.order, self.module)

    def together(self, values: list[Value]) -> tuple[list[Code], tuple[str, ...]]:
        """The values, made to broadcast against each other."""
        axes = union(values, self.order)
        return [self.align(v, axes) for v in values], axes

    def full(self, value: Value, axes: tuple[str, ...]) -> Code:
        """`value` as an array that really has all of `axes`, in that order."""
        known = tuple(sorted(axes, key=self.order.__getitem__))
        if set(value.axes) >= set(axes) and not value.weak:
            return array_folds.permuted(self, value, axes).code
        extents = [self.extents[a] for a in known]
        shape = shape_code(extents)
        whole = call(f"{self.module}.broadcast_to", self.align(value, known), shape)
        return array_folds.permuted(self, Value(whole, known), axes).code

    def strong(self, value: Value, dtype: DType) -> Value:
        """`value` with the dtype it has, where a Python number would take another."""
        if not value.weak:
            return value
        return Value(call(self.dtype(dtype), value.code), value.axes)

    def guarded(self, node: Expr) -> Value:
        """`node` where it may be evaluated beyond the points that need it."""
        self.guards += 1
        try:
            return self.emit(node)
        finally:
            self.guards -= 1

    def emit(self, node: Expr) -> Value:
        """The value of `node`."""
        key = (node, self.guards > 0)
        if key not in self.memo:
            self.memo[key] = self._emit(node)
        return self.memo[key]

    def _emit(self, node: Expr) -> Value:
        match node:
            case Const(value, dtype):
                return Value(_literal(value, dtype, self.module), weak=True)
            case Size(size):
                return Value(name(self.names[size]), weak=True)
            case Scalar(scalar):
                return Value(name(self.names[scalar]), weak=True)
            case Index(variable):
                return self.index[variable]
            case Prim():
                return self._prim(node)
            case Cast(value, dtype):
                return self._cast(self.emit(value), value.dtype, dtype)
            case Select():
                return self._select(node)
            case Read():
                return array_reads.read(self, node)
            case Fold():
                return array_folds.fold(self, node)
            case Scan():
                return array_scans.scan(self, node)
            case Order():
                return array_scans.order(self, node)
            case Call():
                return self.emit(node.expansion)
        raise TypeError(f"{type(node).__name__} has no array form")

    def _cast(self, value: Value, source: DType, target: DType) -> Value:
        same_wide = self.wide and source.is_float and target.is_float
        if same_wide or source == target:
            return value
        if value.weak and (target.is_float or (target == INT64 and source.is_integer)):
            # A Python number takes the type of what it meets. Not where the cast may
            # wrap: NumPy refuses a Python integer that an array's type cannot hold.
            return value
        if target.kind == "bool":
            zero = name("0")
            return Value(infix("!=", INFIX["ne"][1], value.code, zero), value.axes)
        strong = self.strong(value, source)
        text = f".astype({self.dtype(target)})"
        kept = elementwise([strong], lambda codes: method(codes[0], text))
        return Value(method(strong.code, text), value.axes, kept=kept)

    def _select(self, node: Select) -> Value:
        condition = self.emit(node.condition)
        if condition.weak and (self.dialect.mutable or _is_static(node.condition)):
            # A condition of numbers only: Python's own, and lazy.
            values = [self.emit(node.yes), self.emit(node.no)]
            (yes, no), axes = self.together(values)
            parts = (*grouped(yes, CONDITIONAL + 1), " if ")
            parts += (*grouped(condition.code, CONDITIONAL + 1), " else ")
            parts += grouped(no, CONDITIONAL)
            weak = all(v.weak for v in values)
            if axes and any(set(v.axes) != set(axes) for v in values):
                yes, no = (self.full(self.strong(v, node.dtype), axes) for v in values)
                parts = (*grouped(yes, 1), " if ", *grouped(condition.code, 1))
                parts += (" else ", *grouped(no, CONDITIONAL))
            return Value(Code(parts, CONDITIONAL), axes, weak)
        yes_value, no_value = self.guarded(node.yes), self.guarded(node.no)
        if yes_value.weak and no_value.weak:
            yes_value = self.strong(yes_value, node.dtype)
        parts3, axes = self.together([condition, yes_value, no_value])
        return Value(call(f"{self.module}.where", *parts3), axes)

    def _prim(self, node: Prim) -> Value:
        op, operand = node.op, node.args[0].dtype
        values = [self.emit(a) for a in node.args]
        weak = all(v.weak for v in values)
        if weak:
            # Python's integers do not wrap; extents and positions never need to.
            wraps = operand.is_integer and operand != INT64
            whole = None if wraps else self._number(op, values, node)
            if whole is not None:
                return whole
            values[0] = self.strong(values[0], operand)
        args, axes = self.together(values)
        kept = elementwise(values, lambda codes: self._operation(op, codes, node))
        return Value(self._operation(op, args, node), axes, kept=kept)

    def _number(self, op: str, values: list[Value], node: Prim) -> Value | None:
        """An operation on Python numbers that Python does as the table says."""
        codes = [v.code for v in values]
        integers = node.args[0].dtype.is_integer
        if op in INFIX and op != "div":
            symbol, level = INFIX[op]
            return Value(infix(symbol, level, *codes), weak=True)
        if op == "neg":
            return Value(prefix("-", codes[0]), weak=True)
        if op in ("max", "min", "abs") and integers:
            return Value(call(op, *codes), weak=True)
        divisor = node.args[-1]
        if op in ("floordiv", "mod") and integers:
            symbol = "//" if op == "floordiv" else "%"
            if _is_positive(divisor) or isinstance(divisor, Scalar):
                return Value(infix(symbol, PRODUCT, *codes), weak=True)
            # Takes Python numbers, too, and gives 0 for a divisor of 0.
            return Value(call(self.helper(op), *codes), weak=True)
        return None

    def _operation(self, op: str, args: list[Code], node: Prim) -> Code:
        dtype, divisor = node.args[0].dtype, node.args[-1]
        if op in INFIX:
            symbol, level = INFIX[op]
            return infix(symbol, level, *args)
        match op:
            case "neg":
                return prefix("-", args[0])
            case "not" | "bitnot":
                return prefix("~", args[0])
            case "reciprocal":
                return infix("/", PRODUCT, number(1), args[0])
            case "rsqrt":
                root = call(f"{self.module}.sqrt", args[0])
                return infix("/", PRODUCT, number(1), root)
            case "floordiv" | "mod" if dtype.is_integer and _is_positive(divisor):
                return infix("//" if op == "floordiv" else "%", PRODUCT, *args)
            case "shl" | "shr" if _shift_is_small(divisor, dtype):
                return infix("<<" if op == "shl" else ">>", SHIFT, *args)
            case "max" | "min" if not dtype.is_float or any(map(_nonzero, node.args)):
                # Only of two zeros does NumPy leave the sign open.
                return call(f"{self.module}.{op}imum", *args)
        if op in self.dialect.functions:
            return call(self.dialect.functions[op], *args)
        return call(self.helper(self.dialect.helper_names[op]), *args)


def identifier(text: str, taken: set[str]) -> str:
    """A Python name like `text` that is no keyword and not taken."""
    text = "".join(c if c.isalnum() or c == "_" else "_" for c in text)
    if not text or not (text[0].isalpha() or text[0] == "_"):
        text = f"_{text}"
    while keyword.iskeyword(text) or keyword.issoftkeyword(text) or text in taken:
        text += "_"
    return text


def _literal(value: bool | int | float, dtype: DType, module: str) -> Code:
    if dtype.kind == "bool":
        return name(str(bool(value)))
    if dtype.is_integer:
        if value >= 1 << 63:  # Of a bare Python integer jax makes an int64.
            return name(f"{module}.uint64({int(value)})")
        return number(int(value))
    value = float(value)
    if value != value:
        return name(f"{module}.nan")
    text = repr(abs(value)) if abs(value) != float("inf") else f"{module}.inf"
    negative = repr(value).startswith("-")
    return prefix("-", name(text)) if negative else name(text)


def _is_positive(node: Expr) -> bool:
    return isinstance(node, Const) and node.value > 0


def _nonzero(node: Expr) -> bool:
    return isinstance(node, Const) and node.value != 0


def _is_static(node: Expr) -> bool:
    """Whether jax knows the value while tracing: sizes and whole numbers only."""
    return not any(
        isinstance(n, Index) or (isinstance(n, Scalar) and n.type.is_float)
        for n in walk(node)
    )


def _shift_is_small(node: Expr, dtype: DType) -> bool:
    return isinstance(node, Const) and 0 <= node.value < dtype.bits
