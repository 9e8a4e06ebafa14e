"""The elementwise nodes of a tensor graph, on whole tensors of `arith` and `math`.

What BiShengIR has no form for on every chip (hyperbolic functions, rounding to even) is
a composite of what it has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from opslib.codegen.mlir_function import Function
from opslib.codegen.mlir_value import Value, tensor_type
from opslib.ir.dtypes import BOOL, FLOAT32, DType

Rule = Callable[["Ops"], Value]


class Ops:
    """The operands of one node, of one shape, and how more is made of them."""

    def __init__(self, function: Function, values: Sequence[Value]) -> None:
        self.function = function
        shape = np.broadcast_shapes(*(v.shape for v in values))
        self.shape = tuple(map(int, shape))
        self.values = [function.broadcast(v, self.shape) for v in values]
        self.dtype = values[0].dtype

    def __call__(self, op: str, *values: Value) -> Value:
        """``op a, b``: operands and result of one type."""
        dtype = values[0].dtype
        names = ", ".join(v.name for v in values)
        text = f"{op} {names} : {tensor_type(self.shape, dtype)}"
        return self.function.emit(text, self.shape, dtype, op.split(".")[-1])

    def number(self, value: float, dtype: DType | None = None) -> Value:
        """A constant."""
        return self.function.splat(value, self.shape, dtype or self.dtype)

    def compare(self, how: str, x: Value, y: Value) -> Value:
        """``x how y``, with `how` one of lt, le, gt, ge, eq and ne."""
        dtype = x.dtype
        kind = "arith.cmpf" if dtype.is_float else "arith.cmpi"
        if dtype.is_float:
            how = ("u" if how == "ne" else "o") + how
        elif how not in ("eq", "ne"):
            how = ("s" if dtype.kind == "int" else "u") + how
        text = f"{kind} {how}, {x.name}, {y.name} : {tensor_type(self.shape, dtype)}"
        return self.function.emit(text, self.shape, BOOL, how)

    def where(self, condition: Value, yes: Value, no: Value) -> Value:
        """Elementwise choice."""
        kinds = [tensor_type(self.shape, d) for d in (BOOL, yes.dtype)]
        text = f"arith.select {condition.name}, {yes.name}, {no.name} : "
        return self.function.emit(
            text + ", ".join(kinds), self.shape, yes.dtype, "select"
        )

    def negative(self, x: Value) -> Value:
        """``x < 0``."""
        return self.compare("lt", x, self.number(0))

    def signed(self, size: Value, x: Value) -> Value:
        """`size` with the sign of `x`."""
        return self.where(self.negative(x), self("arith.negf", size), size)


def _arithmetic(name: str, unsigned: str = "") -> Rule:
    def rule(o: Ops) -> Value:
        if o.dtype == BOOL:
            raise NotImplementedError(f"'{name}' of bools")
        if o.dtype.is_float:
            return o(f"arith.{name}f", *o.values)
        suffix = (unsigned or "si") if name in ("div", "rem") else "i"
        if name in ("div", "rem") and o.dtype.kind == "uint":
            suffix = "ui"
        return o(f"arith.{name}{suffix}", *o.values)

    return rule


def _extreme(name: str) -> Rule:
    def rule(o: Ops) -> Value:
        if o.dtype.is_float:
            made = o(f"arith.{name}imumf", *o.values[:2])
            for other in o.values[2:]:
                made = o(f"arith.{name}imumf", made, other)
            return made
        return o(f"arith.{name}{'si' if o.dtype.kind == 'int' else 'ui'}", *o.values)

    return rule


def _neg(o: Ops) -> Value:
    (x,) = o.values
    if o.dtype.is_float:
        return o("arith.negf", x)
    return o("arith.subi", o.number(0), x)


def _abs(o: Ops) -> Value:
    (x,) = o.values
    if o.dtype.is_float:
        return o("math.absf", x)
    return o("arith.maxsi", x, o("arith.subi", o.number(0), x))


def _sign(o: Ops) -> Value:
    (x,) = o.values
    zero, one = o.number(0), o.number(1)
    above = o.where(o.compare("gt", x, zero), one, zero)
    return o.where(o.negative(x), o.number(-1), above)


def _comparison(how: str) -> Rule:
    def rule(o: Ops) -> Value:
        x, y = o.values
        if o.dtype == BOOL:  # only equality is asked of bools
            return _not_of(o, o("arith.xori", x, y))
        return o.compare(how, x, y)

    return rule


def _not_of(o: Ops, x: Value) -> Value:
    return o("arith.xori", x, o.number(1, BOOL))


def _logic(op: str) -> Rule:
    return lambda o: o(op, *o.values)


def _bitnot(o: Ops) -> Value:
    return o("arith.xori", o.values[0], o.number(-1))


def _math(name: str) -> Rule:
    return lambda o: o(f"math.{name}", *o.values)


def _round(o: Ops) -> Value:
    """To even: what is added leaves no bits behind the point, and is taken away."""
    (x,) = o.values
    large = o.number(2.0 ** (o.dtype.mantissa - 1))
    size = o("math.absf", x)
    near = o("arith.subf", o("arith.addf", size, large), large)
    return o.where(o.compare("lt", size, large), o.signed(near, x), x)


def _asin(o: Ops) -> Value:
    (x,) = o.values
    one = o.number(1)
    rest = o("arith.mulf", o("arith.subf", one, x), o("arith.addf", one, x))
    return o("math.atan", o("arith.divf", x, o("math.sqrt", rest)))


def _acos(o: Ops) -> Value:
    (x,) = o.values
    one = o.number(1)
    ratio = o("arith.divf", o("arith.subf", one, x), o("arith.addf", one, x))
    half = o("math.atan", o("math.sqrt", ratio))
    return o("arith.addf", half, half)


def _sinh(o: Ops) -> Value:
    (x,) = o.values
    less = o("math.expm1", o("math.absf", x))
    rest = o("arith.divf", less, o("arith.addf", less, o.number(1)))
    # e^x alone where the quotient of two infinities would be nan.
    rest = o.where(o.compare("gt", less, o.number(2.0**30)), o.number(1), rest)
    twice = o("arith.addf", less, rest)
    return o.signed(o("arith.mulf", twice, o.number(0.5)), x)


def _cosh(o: Ops) -> Value:
    half = o.number(0.5)
    large = o("arith.mulf", o("math.exp", o("math.absf", o.values[0])), half)
    small = o("arith.divf", o.number(0.25), large)
    return o("arith.addf", large, small)


def _asinh(o: Ops) -> Value:
    (x,) = o.values
    one, size = o.number(1), o("math.absf", x)
    square = o("arith.mulf", size, size)
    root = o("math.sqrt", o("arith.addf", square, one))
    inner = o("arith.divf", square, o("arith.addf", root, one))
    near = o("math.log1p", o("arith.addf", size, inner))
    far = o("arith.addf", o("math.log", size), o.number(math.log(2)))
    large = o.compare("gt", size, o.number(2.0**20))
    return o.signed(o.where(large, far, near), x)


def _acosh(o: Ops) -> Value:
    (x,) = o.values
    less = o("arith.subf", x, o.number(1))
    inner = o("arith.addf", o("arith.mulf", less, less), o("arith.addf", less, less))
    near = o("math.log1p", o("arith.addf", less, o("math.sqrt", inner)))
    far = o("arith.addf", o("math.log", x), o.number(math.log(2)))
    return o.where(o.compare("gt", x, o.number(2.0**20)), far, near)


def _atanh(o: Ops) -> Value:
    (x,) = o.values
    size = o("math.absf", x)
    ratio = o("arith.divf", o("arith.addf", size, size),
              o("arith.subf", o.number(1), size))  # fmt: skip
    half = o("arith.mulf", o("math.log1p", ratio), o.number(0.5))
    return o.signed(half, x)


def _relu(o: Ops) -> Value:
    return o("arith.maximumf", o.values[0], o.number(0))


def _reciprocal(o: Ops) -> Value:
    return o("arith.divf", o.number(1), o.values[0])


def _isnan(o: Ops) -> Value:
    (x,) = o.values
    return o.compare("ne", x, x)


def _isinf(o: Ops) -> Value:
    size = o("math.absf", o.values[0])
    return o.compare("eq", size, o.number(math.inf))


def _where(o: Ops) -> Value:
    return o.where(*o.values)


def _shift(left: bool) -> Rule:
    # The graph shifts unsigned integers only, by fewer than their bits.
    return lambda o: o("arith.shli" if left else "arith.shrui", *o.values)


def _pow(o: Ops) -> Value:
    if not o.dtype.is_float:
        raise NotImplementedError("a power of integers")
    return o("math.powf", *o.values)


RULES: dict[str, Rule] = {
    "Add": _arithmetic("add"),
    "Sub": _arithmetic("sub"),
    "Mul": _arithmetic("mul"),
    "Div": _arithmetic("div"),
    "Mod": _arithmetic("rem"),
    "Pow": _pow,
    "Max": _extreme("max"),
    "Min": _extreme("min"),
    "Neg": _neg,
    "Abs": _abs,
    "Sign": _sign,
    "Relu": _relu,
    "Reciprocal": _reciprocal,
    "Less": _comparison("lt"),
    "LessOrEqual": _comparison("le"),
    "Greater": _comparison("gt"),
    "GreaterOrEqual": _comparison("ge"),
    "Equal": _comparison("eq"),
    "And": _logic("arith.andi"),
    "Or": _logic("arith.ori"),
    "Xor": _logic("arith.xori"),
    "Not": lambda o: _not_of(o, o.values[0]),
    "BitwiseAnd": _logic("arith.andi"),
    "BitwiseOr": _logic("arith.ori"),
    "BitwiseXor": _logic("arith.xori"),
    "BitwiseNot": _bitnot,
    "Where": _where,
    "IsNaN": _isnan,
    "IsInf": _isinf,
    "Round": _round,
    "Asin": _asin,
    "Acos": _acos,
    "Sinh": _sinh,
    "Cosh": _cosh,
    "Asinh": _asinh,
    "Acosh": _acosh,
    "Atanh": _atanh,
    **{
        name: _math(name.lower())
        for name in ("Exp", "Log", "Sqrt", "Sin", "Cos", "Tan", "Tanh", "Atan", "Erf",
                     "Floor", "Ceil")
    },
}  # fmt: skip


def apply(
    function: Function, kind: str, values: Sequence[Value], direction: str = ""
) -> Value:
    """The result of a node of this kind."""
    rule = _shift(direction == "LEFT") if kind == "BitShift" else RULES.get(kind)
    if rule is None:
        raise NotImplementedError(f"the node '{kind}'")
    return rule(Ops(function, values))


def cast(function: Function, value: Value, to: DType) -> Value:
    """Another element type: as `Cast` of the graph does."""
    given = value.dtype
    if given == to:
        return value
    if value.constant is not None:
        array = value.constant.astype(to.numpy)
        return Value("", value.shape, to, array)
    value = function.ready(value)
    if to == BOOL:
        ops = Ops(function, [value])
        return ops.compare("ne", value, ops.number(0))
    if given == BOOL and not to.is_float:
        how = "extui"
    elif given.is_float and to.is_float:
        how = "extf" if to.bits > given.bits else "truncf"
        if to.bits == given.bits:  # float16 and bfloat16
            return cast(function, cast(function, value, FLOAT32), to)
    elif given.is_float:
        how = "fptosi" if to.kind == "int" else "fptoui"
    elif to.is_float:
        how = "sitofp" if given.kind == "int" else "uitofp"
    elif given.bits == to.bits:
        return Value(value.name, value.shape, to)
    elif to.bits < given.bits:
        how = "trunci"
    else:
        how = "extsi" if given.kind == "int" else "extui"
    kinds = (tensor_type(value.shape, d) for d in (given, to))
    text = f"arith.{how} {value.name} : {' to '.join(kinds)}"
    return function.emit(text, value.shape, to, how)
