"""Typed construction of expressions: promotion, weak numbers, constant folding.

A value is *weak* when it is made of literals, sizes, indices and attributes only: like
a Python scalar it takes the type of what it meets. Strong values come from arrays.
"""

from __future__ import annotations

import math
from functools import reduce

from opslib.errors import DTypeError
from opslib.ir.dtypes import (
    BOOL,
    FLOAT64,
    INT64,
    DType,
    compute_type,
    promote,
)
from opslib.ir.expr import (
    FALSE,
    ONE,
    TRUE,
    ZERO,
    Axis,
    Cast,
    Const,
    Expr,
    Index,
    Prim,
    Scalar,
    Select,
    Size,
    is_const,
    walk,
)
from opslib.ir.primitives import PRIMITIVES


def is_weak(node: Expr) -> bool:
    """Whether the value takes the type of what it is combined with."""
    match node:
        case Const() | Size() | Index() | Scalar() | Axis():
            return True
        case Prim() | Select():
            return all(map(is_weak, node.children))
        case Cast(value, dtype):
            # Made where two weak values met; any other cast is the author's.
            return dtype in (FLOAT64, INT64) and is_weak(value)
    return False


def _counts(node: Expr) -> bool:
    """Whether a weak value is made of extents or positions."""
    return is_weak(node) and any(isinstance(n, Size | Index) for n in walk(node))


def integer(value: int) -> Const:
    """An int64 literal."""
    return Const(value, INT64)


def cast(node: Expr, dtype: DType) -> Expr:
    """`node` as `dtype`; literals and repeated casts are folded."""
    if isinstance(node, Const):
        # Of the same type too: a literal of a spec may have up to 64 bits.
        return Const(_literal(node.value, dtype), dtype)
    if node.dtype == dtype:
        return node
    return Cast(node, dtype)


def _literal(value: bool | int | float, dtype: DType) -> bool | int | float:
    if dtype.is_float:
        return float(value)
    if dtype.kind == "bool":
        return bool(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise DTypeError(f"{value} is not a value of {dtype}", code="E0703")
    wrapped = int(value) & ((1 << dtype.bits) - 1)
    if dtype.kind == "int" and wrapped >> (dtype.bits - 1):
        wrapped -= 1 << dtype.bits
    return wrapped


def coerce(node: Expr, dtype: DType) -> Expr:
    """A weak `node` as the strong `dtype` it meets; raises DTypeError if it cannot."""
    if node.dtype.is_float and not dtype.is_float:
        raise DTypeError(
            f"a fraction cannot be combined with {dtype} without a cast",
            code="E0703",
            help=f"write the cast: float32(...), or an integer {dtype} can hold",
        )
    return cast(node, dtype)


def unify(*nodes: Expr) -> list[Expr]:
    """The operands in one common type."""
    strong = [n.dtype for n in nodes if not is_weak(n)]
    if strong:
        common = compute_type(reduce(_promote, strong))
        if common.is_integer and common.bits < 64 and any(map(_counts, nodes)):
            common = INT64  # Positions and extents do not fit in small integers.
        if common.kind == "bool" and any(
            n.dtype.kind != "bool" for n in nodes if is_weak(n)
        ):
            common = INT64
        return [coerce(n, common) if is_weak(n) else cast(n, common) for n in nodes]
    if any(n.dtype.is_float for n in nodes):
        common = FLOAT64
    elif all(n.dtype.kind == "bool" for n in nodes):
        common = BOOL
    else:
        common = INT64
    return [cast(n, common) for n in nodes]


def _promote(a: DType, b: DType) -> DType:
    """Promotion inside a spec: an integer meets a float as the number it is.

    At a call the array API standard leaves this open and `bind` refuses it; in
    mathematics such as sum / count it means one thing only.
    """
    if a.is_float and b.is_integer:
        return a
    if b.is_float and a.is_integer:
        return b
    return promote(a, b)


def _fold_int(op: str, x: int, y: int) -> int | None:
    match op:
        case "add":
            return x + y
        case "sub":
            return x - y
        case "mul":
            return x * y
        case "floordiv":
            return x // y if y else None
        case "mod":
            return x % y if y else None
        case "max":
            return max(x, y)
        case "min":
            return min(x, y)
    return None


def _fold_float(op: str, x: float, y: float) -> float | None:
    match op:
        case "add":
            return x + y
        case "sub":
            return x - y
        case "mul":
            return x * y
        case "div" if y != 0:
            return x / y
    return None


def _identity(op: str, x: Expr, y: Expr) -> Expr | None:
    """Integer identities only: with floats x + 0 and x * 0 are not x and 0."""
    if op == "add":
        return y if is_const(x, 0) else x if is_const(y, 0) else None
    if op == "sub":
        if x is y:
            return Const(0, x.dtype)
        if is_const(y, 0):
            return x
        # (n - 1) - ... stays; x - (x - k) and (x + k) - x appear in packed offsets.
        return None
    if op == "mul":
        if is_const(x, 0) or is_const(y, 0):
            return Const(0, x.dtype)
        return y if is_const(x, 1) else x if is_const(y, 1) else None
    if op == "floordiv" and is_const(y, 1):
        return x
    return None


def arithmetic(op: str, left: Expr, right: Expr) -> Expr:
    """A binary primitive whose operands are brought to one type."""
    left, right = unify(left, right)
    if op == "div":
        left, right = _divisible(left), _divisible(right)
    if left.dtype.kind == "bool" and op not in ("max", "min"):
        left, right = cast(left, INT64), cast(right, INT64)
    dtype = left.dtype
    if isinstance(left, Const) and isinstance(right, Const):
        if dtype.is_integer:
            folded = _fold_int(op, int(left.value), int(right.value))
            if folded is not None and _literal(folded, dtype) == folded:
                return Const(folded, dtype)
        elif dtype == FLOAT64:
            result = _fold_float(op, float(left.value), float(right.value))
            if result is not None:
                return Const(result, dtype)
    if dtype.is_integer:
        same = _identity(op, left, right)
        if same is not None:
            return same
    elif op == "mul" and (is_const(left, 1) or is_const(right, 1)):
        return right if is_const(left, 1) else left
    if op == "floordiv" and dtype.is_float:
        return _floor_of_quotient(left, right)
    return Prim(op, (left, right), dtype)


def _floor_of_quotient(x: Expr, y: Expr) -> Expr:
    """``x // y`` of floats: the floor of the exact quotient, as Python and NumPy.

    floor(x / y) is not it: 1 / 0.1 rounds up to 10, and the quotient is below. What
    fmod leaves over is exact, so that (x - fmod) / y is within a rounding of a whole
    number. nan for an infinite x, whose remainder is nan; x / 0 for y = 0; the sign
    of the quotient for 0. A finite x and an infinite y of another sign give -1.
    """
    dtype = x.dtype
    zero, one = Const(0.0, dtype), Const(1.0, dtype)
    rest = Prim("fmod", (x, y), dtype)
    multiple = Prim("sub", (x, rest), dtype)
    whole = Prim("round", (Prim("div", (multiple, y), dtype),), dtype)
    below = both(
        compare("ne", rest, zero),
        compare("ne", compare("lt", rest, zero), compare("lt", y, zero)),
    )
    floor = select(below, Prim("sub", (whole, one), dtype), whole)
    quotient = Prim("div", (x, y), dtype)
    signed = Prim("copysign", (zero, quotient), dtype)
    found = select(compare("eq", floor, zero), signed, floor)
    return select(compare("eq", y, zero), quotient, found)


def _divisible(node: Expr) -> Expr:
    if node.dtype.is_float:
        return node
    if is_weak(node):
        return cast(node, FLOAT64)
    raise DTypeError(
        f"'/' of {node.dtype}: integers have no true division",
        code="E0703",
        help="use '//', or cast first: float32(x) / y",
    )


def power(base: Expr, exponent: Expr) -> Expr:
    """``base ^ exponent``: small whole powers are products, 0.5 is a square root."""
    if isinstance(exponent, Const) and not isinstance(base, Const):
        if exponent.value in (1, 2, 3, 4) and base.dtype.kind != "bool":
            square = arithmetic("mul", base, base)
            match exponent.value:
                case 1:
                    return base
                case 2:
                    return square
                case 3:
                    return arithmetic("mul", square, base)
            return arithmetic("mul", square, square)
        if base.dtype.is_float and exponent.value == 0.5:
            # pow(-inf, 0.5) is inf and sqrt(-inf) nan; pow(-0, 0.5) is 0: the
            # square root is what people mean by it, and what NumPy computes.
            return Prim("sqrt", (base,), base.dtype)
    return arithmetic("pow", base, exponent)


_FLIPPED = {"lt": "ge", "ge": "lt", "gt": "le", "le": "gt", "eq": "ne", "ne": "eq"}


def compare(op: str, left: Expr, right: Expr) -> Expr:
    """A comparison; literals are folded."""
    left, right = unify(left, right)
    if isinstance(left, Const) and isinstance(right, Const):
        x, y = left.value, right.value
        truth = {
            "lt": x < y,
            "le": x <= y,
            "gt": x > y,
            "ge": x >= y,
            "eq": x == y,
            "ne": x != y,
        }[op]
        return TRUE if truth else FALSE
    if left is right and left.dtype.kind != "float":
        return TRUE if op in ("le", "ge", "eq") else FALSE
    return Prim(op, (left, right), BOOL)


def boolean(node: Expr) -> Expr:
    """``node != 0`` unless it is a bool already."""
    if node.dtype.kind == "bool":
        return node
    return compare("ne", node, Const(_literal(0, node.dtype), node.dtype))


def both(left: Expr, right: Expr) -> Expr:
    """Conjunction."""
    left, right = boolean(left), boolean(right)
    if left is FALSE or right is FALSE:
        return FALSE
    if left is TRUE or left is right:
        return right
    return left if right is TRUE else Prim("and", (left, right), BOOL)


def either(left: Expr, right: Expr) -> Expr:
    """Disjunction."""
    left, right = boolean(left), boolean(right)
    if left is TRUE or right is TRUE:
        return TRUE
    if left is FALSE or left is right:
        return right
    return left if right is FALSE else Prim("or", (left, right), BOOL)


def negation(node: Expr) -> Expr:
    """Logical not; integer comparisons are turned round."""
    node = boolean(node)
    if isinstance(node, Const):
        return FALSE if node.value else TRUE
    if isinstance(node, Prim):
        if node.op == "not":
            return node.args[0]
        if node.op in _FLIPPED and not node.args[0].dtype.is_float:
            return Prim(_FLIPPED[node.op], node.args, BOOL)
    return Prim("not", (node,), BOOL)


def select(condition: Expr, yes: Expr, no: Expr) -> Expr:
    """``yes if condition else no`` in one type."""
    condition = boolean(condition)
    yes, no = unify(yes, no)
    if isinstance(condition, Const):
        return yes if condition.value else no
    return yes if yes is no else Select(condition, yes, no)


def function(name: str, *arguments: Expr) -> Expr:
    """An elementwise primitive by its name in the language."""
    primitive = PRIMITIVES[name]
    if primitive.classes == "float":
        arguments = tuple(
            cast(a, FLOAT64) if is_weak(a) and not a.dtype.is_float else a
            for a in arguments
        )
    arguments = tuple(unify(*arguments))
    dtype = arguments[0].dtype
    if name in ("isnan", "isinf", "isfinite") and not dtype.is_float:
        return TRUE if name == "isfinite" else FALSE
    if name in ("floor", "ceil", "round", "trunc") and dtype.is_integer:
        return arguments[0]
    if primitive.classes == "float" and not dtype.is_float:
        raise DTypeError(
            f"{name} of {dtype}: it takes floats",
            code="E0703",
            help="cast first: float32(x)",
        )
    if primitive.classes == "int" and not dtype.is_integer:
        raise DTypeError(f"{name} of {dtype}: it takes integers", code="E0703")
    if primitive.classes == "bool":
        arguments = tuple(map(boolean, arguments))
        dtype = BOOL
    if primitive.classes == "number" and dtype.kind == "bool":
        arguments = tuple(cast(a, INT64) for a in arguments)
        dtype = INT64
    if primitive.result == "bool" and primitive.arity == 2:
        return compare(name, *arguments)
    if len(arguments) == 2 and name in ("max", "min"):
        return arithmetic(name, *arguments)
    result = BOOL if primitive.result == "bool" else dtype
    return Prim(name, arguments, result)


def multiply_add(x: Expr, n: Expr, i: Expr) -> Expr:
    """``x * n + i`` of indices."""
    return arithmetic("add", arithmetic("mul", x, n), i)


def product(nodes: list[Expr] | tuple[Expr, ...]) -> Expr:
    """Product of extents; 1 of none."""
    result: Expr = ONE
    for node in nodes:
        result = arithmetic("mul", result, node)
    return result


def extent(axis: Axis) -> Expr:
    """How many values an axis takes (its stop may lie below its start)."""
    if axis.start is ZERO:
        return axis.stop
    return arithmetic("sub", axis.stop, axis.start)
