"""Each elementwise primitive as ONNX nodes.

Runtimes have the standard's operators for few element types. Arithmetic therefore goes
through the types that all of them have (`carrier`): float32 and float64, int32 and
int64, bool. An integer of another width is widened, computed and cast back, which wraps
as the primitives do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from opslib.codegen.onnx_graph import Graph
from opslib.ir.dtypes import (
    BOOL,
    DTYPES,
    FLOAT32,
    FLOAT64,
    INT32,
    INT64,
    UINT64,
    DType,
)

__all__ = ["Ops", "apply", "carrier", "covered"]


def carrier(dtype: DType) -> DType:
    """The type in which values of `dtype` are computed."""
    if dtype.is_float:
        return dtype if dtype.bits > 16 else FLOAT32
    if dtype.is_integer:
        return INT32 if dtype.bits < 32 else dtype if dtype == INT32 else INT64
    return dtype


@dataclass(frozen=True, slots=True)
class Ops:
    """Nodes on tensors of one element type.

    Attributes:
        graph: what they are added to.
        dtype: the primitive's operand type; `type` is its carrier.
        specials: nan, infinities and signed zeros come out as the table says; otherwise
            as the runtime has them.
        whole: a function that the standard has is that node. Runtimes approximate
            some to so much of 1; otherwise those are composites, which keep the
            relative error of small results.
        half: the runtime holds float32 as float16, so that nothing that is computed on
            the way may leave its range.
    """

    graph: Graph
    dtype: DType
    type: DType
    specials: bool
    whole: bool
    half: bool

    def __call__(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self.graph.op(kind, *inputs, **attributes)

    def number(self, value: float) -> str:
        """A constant of the carrier."""
        return self.graph.constant(np.array(value).astype(self.type.numpy))

    def where(self, condition: str, yes: str, no: str) -> str:
        """Elementwise choice."""
        return self("Where", condition, yes, no)

    def zero_or_nan(self, x: str) -> str:
        """Whether x is no nonzero number."""
        return self("Not", self("Greater", self("Abs", x), self.number(0)))


Rule = Callable[..., str]


def _same(kind: str, since: int = 0) -> Rule:
    return lambda o, *x: o(kind, *x, since=since)


# --- Arithmetic ----------------------------------------------------------------------


def _extreme(kind: str, sign: int) -> Rule:
    def rule(o: Ops, x: str, y: str) -> str:
        if o.type == BOOL:
            return o("Or" if sign > 0 else "And", x, y)
        if o.dtype == UINT64:
            return o.where(
                _compare(o, "Less", y, x) if sign > 0 else _compare(o, "Less", x, y),
                x,
                y,
            )
        plain = o(kind, x, y)
        if not (o.type.is_float and o.specials):
            return plain
        # Of two zeros the sum is -0 only if both are; and the other way round.
        total = o("Add", x, y) if sign > 0 else o("Neg", o("Sub", o("Neg", x), y))
        zero = o.number(0)
        both = o("And", o("Equal", x, zero), o("Equal", y, zero))
        result = o.where(both, total, plain)
        nan = o("Or", o("IsNaN", x), o("IsNaN", y))
        return o.where(nan, o("Add", x, y), result)

    return rule


def _number_wins(kind: str, sign: int) -> Rule:
    def rule(o: Ops, x: str, y: str) -> str:
        if not o.specials:
            return o(kind, x, y)
        inner = o.where(o("IsNaN", y), x, _extreme(kind, sign)(o, x, y))
        return o.where(o("IsNaN", x), y, inner)

    return rule


def _safe_divisor(o: Ops, y: str) -> str:
    """`y`, or 1 where a processor would trap: 0, and -1 under the least integer."""
    zero, one = o.number(0), o.number(1)
    trap = o("Equal", y, zero)
    if o.dtype.kind == "int":
        trap = o("Or", trap, o("Equal", y, o.number(-1)))
    return o.where(trap, one, y)


def _whole_quotient(o: Ops, x: str, y: str) -> tuple[str, str]:
    """Quotient and remainder towards zero; not for divisors 0 and -1."""
    if o.dtype == UINT64:
        # The carrier is int64, in which the largest half would be negative.
        wide = [o.graph.cast(v, UINT64) for v in (x, y)]
        q = o.graph.cast(o("Div", *wide), INT64)
    else:
        q = o("Div", x, y)
    return q, o("Sub", x, o("Mul", q, y))


def _floordiv(o: Ops, x: str, y: str) -> str:
    if o.type.is_float:
        rest = o("Mod", x, y, fmod=1)
        zero = o.number(0)
        apart = o(
            "And",
            o("Not", o("Equal", rest, zero)),
            o("Xor", o("Less", rest, zero), o("Less", y, zero)),
        )
        near = o("Div", o("Sub", x, rest), y)
        near = o.where(apart, o("Sub", near, o.number(1)), near)
        result = o("Round", near)
        if not o.specials:
            return result
        plain = o("Div", x, y)
        result = o.where(o("Equal", result, zero), o("Mul", zero, plain), result)
        special = o("Or", o("Equal", y, zero), o("IsInf", x))
        infinite = o("And", o("IsInf", y), o("Not", o("IsInf", x)))
        minus = o(
            "And",
            o("Xor", o("Less", x, zero), o("Less", y, zero)),
            o("Not", o("Equal", x, zero)),
        )
        far = o.where(minus, o.number(-1), plain)
        result = o.where(infinite, far, result)
        return o.where(special, plain, result)
    safe = _safe_divisor(o, y)
    q, r = _whole_quotient(o, x, safe)
    zero = o.number(0)
    if o.dtype.kind == "int":
        apart = o(
            "And",
            o("Not", o("Equal", r, zero)),
            o("Xor", o("Less", r, zero), o("Less", safe, zero)),
        )
        q = o.where(apart, o("Sub", q, o.number(1)), q)
        q = o.where(o("Equal", y, o.number(-1)), o("Neg", x), q)
    return o.where(o("Equal", y, zero), zero, q)


def _remainder(floor: bool) -> Rule:
    def rule(o: Ops, x: str, y: str) -> str:
        zero = o.number(0)
        if not o.type.is_float:
            safe = _safe_divisor(o, y)
            _, r = _whole_quotient(o, x, safe)
            if floor and o.dtype.kind == "int":
                apart = o(
                    "And",
                    o("Not", o("Equal", r, zero)),
                    o("Xor", o("Less", r, zero), o("Less", safe, zero)),
                )
                r = o.where(apart, o("Add", r, safe), r)
            return o.where(o("Equal", y, zero), zero, r)
        r = o("Mod", x, y, fmod=1)
        if floor:
            none = o("Equal", r, zero)
            apart = o(
                "And", o("Not", none), o("Xor", o("Less", r, zero), o("Less", y, zero))
            )
            r = o.where(apart, o("Add", r, y), r)
            if o.specials:
                r = o.where(none, _copysign(o, zero, y), r)
        return r

    return rule


def _pow(o: Ops, x: str, y: str) -> str:
    if o.type.is_float:
        return o("Pow", x, y)
    one, zero = o.number(1), o.number(0)
    negative = o("Less", y, zero) if o.dtype.kind == "int" else ""
    left = o("Max", y, zero) if negative else y
    result, base = one, x
    for bit in range(o.dtype.bits - (o.dtype.kind == "int")):
        digit = _digit(o, left, bit)
        result = o.where(digit, o("Mul", result, base), result)
        base = o("Mul", base, base)
    if not negative:
        return result
    odd = o.where(_digit(o, y, 0), x, one)
    unit = o("Equal", o("Abs", x), one)
    return o.where(negative, o.where(unit, odd, zero), result)


def _digit(o: Ops, x: str, bit: int) -> str:
    """Whether a bit of an integer is set."""
    mask = o.number(1 << bit if bit < o.type.bits - 1 else -(1 << bit))
    masked = o("BitwiseAnd", x, mask)
    return o("Not", o("Equal", masked, o.number(0)))


def _sign(o: Ops, x: str) -> str:
    sign = o("Sign", x)
    if o.dtype == UINT64:
        return o.where(o("Equal", x, o.number(0)), x, o.number(1))
    if not (o.type.is_float and o.specials):
        return sign
    return o.where(o.zero_or_nan(x), x, sign)


def _abs(o: Ops, x: str) -> str:
    return x if o.dtype.kind == "uint" else o("Abs", x)


def _signbit(o: Ops, x: str) -> str:
    zero = o.number(0)
    negative = o("Less", x, zero)
    if not o.specials:
        return negative
    # -0 is told by its reciprocal. The sign of a nan cannot be seen.
    below = o("Less", o("Reciprocal", x), zero)
    return o("Or", negative, o("And", o("Equal", x, zero), below))


def _copysign(o: Ops, x: str, y: str) -> str:
    size = o("Abs", x)
    return o.where(_signbit(o, y), o("Neg", size), size)


def _hypot(o: Ops, x: str, y: str) -> str:
    a, b = o("Abs", x), o("Abs", y)
    large, small = o("Max", a, b), o("Min", a, b)
    zero = o.number(0)
    ratio = o("Div", small, o.where(o("Equal", large, zero), o.number(1), large))
    root = o("Sqrt", o("Add", o.number(1), o("Mul", ratio, ratio)))
    result = o("Mul", large, root)
    if not o.specials:
        return result
    infinite = o("Or", o("IsInf", x), o("IsInf", y))
    nan = o("Or", o("IsNaN", x), o("IsNaN", y))
    result = o.where(nan, o("Add", a, b), result)
    return o.where(infinite, o.number(math.inf), result)


def _atan(o: Ops, x: str) -> str:
    if o.half:  # beyond, it is pi / 2 to float16, and Hexagon's emulation gives nan
        limit = 2.0**12
        x = o("Min", o("Max", x, o.number(-limit)), o.number(limit))
    return o("Atan", x)


def _atan2(o: Ops, y: str, x: str) -> str:
    zero, one = o.number(0), o.number(1)
    a, b = o("Abs", y), o("Abs", x)
    steep = o("Greater", a, b)
    small, large = o.where(steep, b, a), o.where(steep, a, b)
    safe = o.where(o("Equal", large, zero), one, large)
    ratio = o("Div", small, safe)
    if o.specials:
        ratio = o.where(o("And", o("IsInf", small), o("IsInf", large)), one, ratio)
    angle = o("Atan", ratio)
    angle = o.where(steep, o("Sub", o.number(math.pi / 2), angle), angle)
    left = _signbit(o, x)
    angle = o.where(left, o("Sub", o.number(math.pi), angle), angle)
    result = o.where(_signbit(o, y), o("Neg", angle), angle)
    if o.specials:
        nan = o("Or", o("IsNaN", x), o("IsNaN", y))
        result = o.where(nan, o("Add", x, y), result)
    return result


# --- Comparison, logic, bits ---------------------------------------------------------


def _compare(o: Ops, kind: str, x: str, y: str) -> str:
    if o.type == BOOL:
        if kind == "Equal":
            return o("Equal", x, y)
        x, y = (o.graph.cast(v, INT32) for v in (x, y))
    elif o.dtype == UINT64 and kind != "Equal":
        # Moved by half the range, so that int64 orders them alike.
        least = o.number(-(1 << 63))
        x, y = o("Add", x, least), o("Add", y, least)
    return o(kind, x, y)


def _comparison(kind: str) -> Rule:
    return lambda o, x, y: _compare(o, kind, x, y)


def _unequal(o: Ops, x: str, y: str) -> str:
    return o("Not", _compare(o, "Equal", x, y))


def _shift(direction: str) -> Rule:
    def rule(o: Ops, x: str, y: str) -> str:
        bits = o.dtype.bits
        # The unsigned type of the same width, in which ONNX shifts.
        unsigned = DTYPES[f"uint{bits if bits != 16 else 32}"]
        zero = o.number(0)
        inside = o("And", o("GreaterOrEqual", y, zero), o("Less", y, o.number(bits)))
        count = o.graph.cast(o.where(inside, y, zero), unsigned)

        def shifted(value: str) -> str:
            given = o.graph.cast(value, unsigned)
            made = o("BitShift", given, count, direction=direction)
            return o.graph.cast(made, o.type)

        if direction == "LEFT":
            return o.where(inside, shifted(x), zero)
        if o.dtype.kind == "uint":
            return o.where(inside, shifted(x), zero)
        negative = o("Less", x, zero)
        folded = o.where(negative, o("BitwiseNot", x, since=18), x)
        moved = o.where(inside, shifted(folded), zero)
        return o.where(negative, o("BitwiseNot", moved, since=18), moved)

    return rule


# --- Functions -----------------------------------------------------------------------


def _trunc(o: Ops, x: str) -> str:
    return o.where(o("Less", x, o.number(0)), o("Ceil", x), o("Floor", x))


def _over(kind: str, divisor: float) -> Rule:
    return lambda o, x: o("Mul", o(kind, x), o.number(1 / divisor))


def _exp(o: Ops, x: str) -> str:
    # Hexagon's emulation gives nan from -24 or so down to -32768.
    return o("Exp", o("Max", x, o.number(-20)) if o.half else x)


def _exp2(o: Ops, x: str) -> str:
    return o("Pow", o.number(2), o("Max", x, o.number(-30)) if o.half else x)


def _series(o: Ops, x: str, terms: tuple[float, ...]) -> str:
    """``t0 + x (t1 + x (t2 + ...))``."""
    total = o.number(terms[-1])
    for term in terms[-2::-1]:
        total = o("Add", o("Mul", total, x), o.number(term))
    return total


def _expm1(o: Ops, x: str) -> str:
    if o.half:
        # The trick below needs the roundings that it undoes; x^6 / 720 is no loss here.
        near = o("Less", o("Abs", x), o.number(0.5))
        small = o.where(near, x, o.number(0))
        series = _series(o, small, (1, 1 / 2, 1 / 6, 1 / 24, 1 / 120))
        rest = o("Sub", _exp(o, x), o.number(1))
        return o.where(near, o("Mul", small, series), rest)
    # Kahan: (u - 1) x / log u is good where u = e^x is rounded, since both err alike.
    one = o.number(1)
    far = o("Greater", o("Abs", x), o.number(_FAR[o.type.name]))
    exact, x = _exp(o, x), o.where(far, one, x)
    u = _exp(o, x)
    less = o("Sub", u, one)
    plain = o("Equal", u, one)
    log = o("Log", o.where(plain, o.number(2), u))
    good = o("Div", o("Mul", less, x), log)
    # Far off, the 1 is lost in e^x, or all that is left.
    return o.where(far, o("Sub", exact, one), o.where(plain, x, good))


_FAR = {"float32": 17.0, "float64": 40.0}


def _log1p(o: Ops, x: str) -> str:
    if o.half:
        # log((1 + s) / (1 - s)) = 2 s (1 + s^2 / 3 + ...) with s = x / (2 + x).
        near = o("Less", o("Abs", x), o.number(0.25))
        small = o.where(near, x, o.number(0))
        ratio = o("Div", small, o("Add", small, o.number(2)))
        series = _series(o, o("Mul", ratio, ratio), (2, 2 / 3, 2 / 5))
        rest = o("Log", o("Add", x, o.number(1)))
        return o.where(near, o("Mul", ratio, series), rest)
    one = o.number(1)
    large = o("Greater", x, o.number(_LARGE[o.type.name]))
    given, x = x, o.where(large, one, x)
    u = o("Add", one, x)
    plain = o("Equal", u, one)
    less = o.where(plain, one, o("Sub", u, one))
    good = o("Div", o("Mul", o("Log", u), x), less)
    return o.where(large, o("Log", given), o.where(plain, x, good))


# From here on the 1 is less than half of the last place.
_LARGE = {"float32": 2.0**25, "float64": 2.0**54}


def _softplus(o: Ops, x: str) -> str:
    if o.whole:
        return o("Softplus", x)
    small = _exp(o, o("Neg", o("Abs", x)))
    return o("Add", o("Relu", x), _log1p(o, small))


def _log_sigmoid(o: Ops, x: str) -> str:
    return o("Neg", _softplus(o, o("Neg", x)))


def _tanh(o: Ops, x: str) -> str:
    made = o("Tanh", x)
    if o.whole:
        return made
    # Below 2^-12 the cubic term is less than half of float32's last place.
    small = o("Less", o("Abs", x), o.number(2.0**-12))
    return o.where(small, x, made) if o.type == FLOAT32 else made


def _sigmoid(o: Ops, x: str) -> str:
    if o.whole:
        return o("Sigmoid", x)
    small = _exp(o, o("Neg", o("Abs", x)))
    one = o.number(1)
    top = o.where(o("Less", x, o.number(0)), small, one)
    return o("Div", top, o("Add", one, small))


def _silu(o: Ops, x: str) -> str:
    return o("Mul", x, _sigmoid(o, x))


# erfc(x) = t exp(-x^2 + P(t)), t = 1 / (1 + x / 2), x >= 0: W. H. Press et al.,
# Numerical Recipes, 2nd edition, 6.2: relative error below 1.2e-7 everywhere.
_ERFC = (
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806,
    0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277,
)  # fmt: skip


def _erfc(o: Ops, x: str) -> str:
    if o.type == FLOAT64:
        raise NotImplementedError("'erfc' in float64")
    size = o("Abs", x)
    one = o.number(1)
    t = o("Reciprocal", o("Add", one, o("Mul", size, o.number(0.5))))
    p = o.number(_ERFC[-1])
    for c in _ERFC[-2::-1]:
        p = o("Add", o("Mul", p, t), o.number(c))
    # x^2 in two parts, or its rounding would scale the result.
    high = o("Div", o("Round", o("Mul", size, o.number(64))), o.number(64))
    low = o("Mul", o("Sub", high, size), o("Add", high, size))
    top = _exp(o, o("Neg", o("Mul", high, high)))
    tail = o("Mul", o("Mul", t, top), _exp(o, o("Add", low, p)))
    far = o("Greater", size, o.number(11))
    tail = o.where(far, o.number(0), tail)
    negative = o("Less", x, o.number(0))
    return o.where(negative, o("Sub", o.number(2), tail), tail)


def _gelu(o: Ops, x: str) -> str:
    if o.whole:
        return o("Gelu", x, since=20)
    tail = _erfc(o, o("Mul", x, o.number(-math.sqrt(0.5))))
    return o("Mul", x, o("Mul", tail, o.number(0.5)))


def _gelu_tanh(o: Ops, x: str) -> str:
    if o.whole:
        return o("Gelu", x, approximate="tanh", since=20)
    cube = o("Mul", o("Mul", o("Mul", x, x), x), o.number(0.044715))
    inner = o("Mul", o("Add", x, cube), o.number(2 * math.sqrt(2 / math.pi)))
    return o("Mul", x, _sigmoid(o, inner))


def _isfinite(o: Ops, x: str) -> str:
    return o("Less", o("Abs", x), o.number(math.inf))


_RULES: dict[str, Rule] = {
    "add": _same("Add"),
    "sub": _same("Sub"),
    "mul": _same("Mul"),
    "div": _same("Div"),
    "floordiv": _floordiv,
    "mod": _remainder(floor=True),
    "fmod": _remainder(floor=False),
    "pow": _pow,
    "neg": _same("Neg"),
    "abs": _abs,
    "sign": _sign,
    "max": _extreme("Max", 1),
    "min": _extreme("Min", -1),
    "fmax": _number_wins("Max", 1),
    "fmin": _number_wins("Min", -1),
    "copysign": _copysign,
    "atan2": _atan2,
    "hypot": _hypot,
    "and": _same("And"),
    "or": _same("Or"),
    "xor": _same("Xor"),
    "not": _same("Not"),
    "bitand": _same("BitwiseAnd", 18),
    "bitor": _same("BitwiseOr", 18),
    "bitxor": _same("BitwiseXor", 18),
    "bitnot": _same("BitwiseNot", 18),
    "shl": _shift("LEFT"),
    "shr": _shift("RIGHT"),
    "lt": _comparison("Less"),
    "le": _comparison("LessOrEqual"),
    "gt": _comparison("Greater"),
    "ge": _comparison("GreaterOrEqual"),
    "eq": _comparison("Equal"),
    "ne": _unequal,
    "floor": _same("Floor"),
    "ceil": _same("Ceil"),
    "round": _same("Round"),
    "trunc": _trunc,
    "sqrt": _same("Sqrt"),
    "rsqrt": lambda o, x: o("Reciprocal", o("Sqrt", x)),
    "reciprocal": _same("Reciprocal"),
    "exp": _exp,
    "exp2": _exp2,
    "expm1": _expm1,
    "log": _same("Log"),
    "log2": _over("Log", math.log(2)),
    "log10": _over("Log", math.log(10)),
    "log1p": _log1p,
    **{n: _same(n.capitalize()) for n in ("sin", "cos", "tan", "asin", "acos")},
    **{n: _same(n.capitalize()) for n in ("sinh", "cosh")},
    **{n: _same(n.capitalize()) for n in ("asinh", "acosh", "atanh", "erf")},
    "atan": _atan,
    "tanh": _tanh,
    "erfc": _erfc,
    "sigmoid": _sigmoid,
    "log_sigmoid": _log_sigmoid,
    "softplus": _softplus,
    "silu": _silu,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "isnan": _same("IsNaN"),
    "isinf": _same("IsInf"),
    "isfinite": _isfinite,
    "signbit": _signbit,
}


def covered() -> frozenset[str]:
    """The primitives that have a form in ONNX."""
    return frozenset(_RULES)


def apply(
    graph: Graph,
    op: str,
    names: list[str],
    dtype: DType,
    result: DType,
    *,
    specials: bool,
    whole: bool,
    half: bool,
) -> str:
    """The primitive `op` on tensors of type `dtype`.

    Raises:
        NotImplementedError: ONNX has nothing that means it.
    """
    rule = _RULES.get(op)
    if rule is None:
        raise NotImplementedError(f"the primitive '{op}'")
    carried = carrier(dtype)
    given = names
    if carried != dtype:
        given = [graph.cast(n, carried) for n in names]
    made = rule(Ops(graph, dtype, carried, specials, whole, half), *given)
    if result == BOOL or carrier(result) == result:
        return made
    return graph.cast(made, result)
