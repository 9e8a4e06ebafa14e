"""Expressions written as formulas: operators, and arithmetic without a rounding error.

Beyond the primitives of `opslib.ir.primitives` these formulas use a few that only
vector.py knows:

* ``bits``, ``number``: the int32 of a float's bits, and back;
* ``pick_max``, ``pick_min``: whatever the instruction makes of a nan;
* ``patched:f``: (value, where it does not hold, arguments of f): there the scalar unit
  computes f, lane by lane.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from opslib.ir.dtypes import BOOL, FLOAT32, INT32, DType
from opslib.ir.expr import Cast, Const, Expr, Prim, Select

# Adding it rounds to a whole number, and leaves it in the low bits of the sum.
MAGIC = float.fromhex("0x1.8p23")


@dataclass(frozen=True, slots=True)
class X:
    """An expression with operators; numbers beside it become literals of its type."""

    node: Expr

    def _given(self, other: Given) -> Expr:
        if isinstance(other, X):
            return other.node
        value = int(other) if self.node.dtype.is_integer else float(other)
        return Const(value, self.node.dtype)

    def _do(self, op: str, other: Given, result: DType | None = None) -> X:
        args = (self.node, self._given(other))
        return X(Prim(op, args, result or self.node.dtype))

    def _after(self, op: str, other: Given) -> X:
        return X(Prim(op, (self._given(other), self.node), self.node.dtype))

    def __add__(self, other: Given) -> X:
        return self._do("add", other)

    def __radd__(self, other: Given) -> X:
        return self._after("add", other)

    def __sub__(self, other: Given) -> X:
        return self._do("sub", other)

    def __rsub__(self, other: Given) -> X:
        return self._after("sub", other)

    def __mul__(self, other: Given) -> X:
        return self._do("mul", other)

    def __rmul__(self, other: Given) -> X:
        return self._after("mul", other)

    def __truediv__(self, other: Given) -> X:
        return self._do("div", other)

    def __rtruediv__(self, other: Given) -> X:
        return self._after("div", other)

    def __neg__(self) -> X:
        return call("neg", self)

    def __and__(self, other: Given) -> X:
        return self._do("bitand", other)

    def __or__(self, other: Given) -> X:
        return self._do("bitor", other)

    def __lshift__(self, count: int) -> X:
        return self._do("shl", count)

    def __rshift__(self, count: int) -> X:
        return self._do("shr", count)

    def __lt__(self, other: Given) -> X:
        return self._do("lt", other, BOOL)

    def __le__(self, other: Given) -> X:
        return self._do("le", other, BOOL)

    def __gt__(self, other: Given) -> X:
        return self._do("gt", other, BOOL)

    def __ge__(self, other: Given) -> X:
        return self._do("ge", other, BOOL)

    def equals(self, other: Given) -> X:
        """Where both are the same number."""
        return self._do("eq", other, BOOL)

    def differs(self, other: Given) -> X:
        """Where they are not: everywhere for a nan."""
        return self._do("ne", other, BOOL)


Given = X | float | int


def call(op: str, *args: X) -> X:
    """A primitive of numbers."""
    return X(Prim(op, tuple(a.node for a in args), args[0].node.dtype))


def literal(value: float) -> X:
    """A float."""
    return X(Const(float(value), FLOAT32))


def hexadecimal(text: str) -> float:
    """A float as the headers write it: exactly."""
    return float.fromhex(text)


def choose(condition: X, yes: Given, no: Given) -> X:
    """Yes where the condition holds, else no; both are computed."""
    values = [v if isinstance(v, X) else literal(v) for v in (yes, no)]
    return X(Select(condition.node, values[0].node, values[1].node))


def bits(x: X) -> X:
    """The int32 of a float's bits."""
    if isinstance(x.node, Const):
        return X(Const(struct.unpack("<i", struct.pack("<f", x.node.value))[0], INT32))
    return X(Prim("bits", (x.node,), INT32))


def number(i: X) -> X:
    """The float of an int32's bits."""
    if isinstance(i.node, Const):
        return literal(struct.unpack("<f", struct.pack("<i", i.node.value))[0])
    return X(Prim("number", (i.node,), FLOAT32))


def whole(x: X) -> X:
    """The int32 of a float that is a whole number."""
    return X(Cast(x.node, INT32))


def real(i: X) -> X:
    """The float of an int32."""
    return X(Cast(i.node, FLOAT32))


def patched(op: str, value: X, wrong: X, *arguments: X) -> X:
    """The value, and the scalar unit's function where it is wrong, which is rare."""
    args = (value.node, wrong.node, *(a.node for a in arguments))
    return X(Prim(f"patched:{op}", args, FLOAT32))


def magnitude(x: X) -> X:
    """The absolute value."""
    return call("abs", x)


def most(x: X, limit: float) -> X:
    """At most the limit; a nan is what the instruction makes of it."""
    return call("pick_min", x, literal(limit))


def least(x: X, limit: float) -> X:
    """At least the limit; see `most`."""
    return call("pick_max", x, literal(limit))


def with_sign(x: X, y: X) -> X:
    """|x| with the sign bit of y."""
    if isinstance(x.node, Const):
        size = bits(literal(abs(x.node.value)))
    else:
        size = bits(x) & 0x7FFFFFFF
    return number(size | (bits(y) & -0x80000000))


def polynomial(x: X, *coefficients: str) -> X:
    """By Horner's rule, the highest power first."""
    value: X | None = None
    for text in coefficients:
        c = hexadecimal(text)
        value = literal(c) if value is None else value * x + c
    assert value is not None
    return value


def bit(i: X, place: int) -> X:
    """Where a bit of an int32 is set: it is shifted into all places, which is -1."""
    up = i << (31 - place) if place < 31 else i
    return real(up >> 31) < 0.0


def has_sign(x: X) -> X:
    """Where the sign bit of a float is set."""
    return bit(bits(x), 31)


# -- without rounding errors ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pair:
    """The sum high + low, some 48 bits."""

    high: X
    low: X


def two_sum(a: X, b: X) -> Pair:
    """A + b (Knuth)."""
    s = a + b
    t = s - a
    return Pair(s, (a - (s - t)) + (b - t))


def fast_two_sum(a: X, b: X) -> Pair:
    """A + b for |a| >= |b| (Dekker)."""
    s = a + b
    return Pair(s, b - (s - a))


def head(x: X) -> X:
    """The upper 12 of a float's 24 bits; what is left has no more than 12."""
    return number((bits(x) >> 12) << 12)


def two_product(a: X, b: X) -> Pair:
    """A b (Dekker): products of halves are exact."""
    p = a * b
    ah, bh = head(a), head(b)
    al, bl = a - ah, b - bh
    return Pair(p, (((ah * bh - p) + ah * bl) + al * bh) + al * bl)


def pair_product(a: Pair, b: Pair) -> Pair:
    """The product of two pairs, to some 45 bits."""
    p = two_product(a.high, b.high)
    return Pair(p.high, p.low + (a.high * b.low + a.low * b.high))


def pair_root(a: X) -> Pair:
    """sqrt(a) = r + (a - r^2) / 2r; the second part is nan for 0."""
    r = call("sqrt", a)
    square = two_product(r, r)
    return Pair(r, ((a - square.high) - square.low) / (r + r))


def scaled(p: X, n: X) -> X:
    """P 2^n for an int32 n in [-252, 254], by two factors, rounded once.

    2^n alone may be no float. Results may be subnormal.
    """
    half = n >> 1
    one = 0x3F800000
    first = number((half << 23) + one)
    second = number(((n - half) << 23) + one)
    return p * first * second
