"""What a typed expression was made from: powers, literals, random bits."""

from __future__ import annotations

import itertools
import math

from opslib.ir.dtypes import INT64, UINT32
from opslib.ir.expansion import philox as bits
from opslib.ir.expr import Const, Expr, Prim, walk

# A text, and how tightly it holds together.
Text = tuple[str, int]
_ATOM, _UNARY = 12, 10
# Fewer nodes than this are not the ten rounds of philox.
_ROUNDS_SIZE = 60


def drawn_bits(node: Prim) -> tuple[Expr, Expr, Expr, int] | None:
    """Seed, offset, position and word, where a value is `philox` of them."""
    if node.dtype != UINT32:
        return None
    below = list(walk(node))
    if len(below) < _ROUNDS_SIZE:
        return None
    parts = [
        n
        for n in dict.fromkeys(c for b in below if b.dtype != INT64 for c in b.children)
        if n.dtype == INT64 and not isinstance(n, Const)
    ]
    constants = [Const(0, INT64)]
    for seed, offset, place in itertools.product([*parts, *constants], repeat=3):
        for word in range(4):
            if bits.philox(seed, offset, place, word) is node:
                return seed, offset, place, word
    return None


def one_part(text: str) -> str:
    """A part of a composite axis; in parentheses unless it is a name."""
    return text if text.isidentifier() else f"({text})"


def constant(node: Const) -> Text:
    """A literal; whole fractions without their point."""
    value = node.value
    if isinstance(value, bool):
        return ("true" if value else "false"), _ATOM
    if isinstance(value, float):
        if math.isnan(value):
            return "nan", _ATOM
        if math.isinf(value):
            return ("inf", _ATOM) if value > 0 else ("-inf", _UNARY)
        if value.is_integer() and abs(value) < 1 << 53:
            value = int(value)
    return (repr(value), _ATOM) if value >= 0 else (f"-{-value!r}", _UNARY)


def power(node: Prim) -> tuple[Expr, int] | None:
    """The base and exponent of x * x, x * x * x and (x * x) * (x * x)."""
    if node.op != "mul" or node.dtype.kind == "bool":
        return None
    left, right = node.args
    if left is right:
        inner = power(left) if isinstance(left, Prim) else None
        return (inner[0], 4) if inner and inner[1] == 2 else (left, 2)
    if isinstance(left, Prim) and left.op == "mul":
        x, y = left.args
        if x is y is right:
            return right, 3
    return None
