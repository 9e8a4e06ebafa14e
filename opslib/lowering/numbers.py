"""Integer expressions of sizes and attributes, computed by the host before a launch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opslib.ir.expr import Cast, Const, Expr, Index, Prim, Scalar, Select, Size, Var


def number(node: Expr, known: Mapping[str, Any], lets: Mapping[str, Expr]) -> Any:
    """The value of an expression of sizes, strides and attributes.

    Args:
        node: the expression.
        known: the values of sizes, scalars and, as their largest value, indices.
        lets: definitions of variables that it mentions.

    Raises:
        ValueError: it depends on an array's elements.
        KeyError: a name is in neither mapping.
    """
    match node:
        case Const(value, _):
            return value
        case Size(name) | Scalar(name) | Index(name):
            return known[name]
        case Var(name):
            return known[name] if name in known else number(lets[name], known, lets)
        case Cast(value, _):
            return int(number(value, known, lets))
        case Select(condition, yes, no):
            chosen = yes if number(condition, known, lets) else no
            return number(chosen, known, lets)
        case Prim(op, args, _):
            return _PRIMS[op](*(number(a, known, lets) for a in args))
    raise ValueError(f"an extent that only the device knows: {type(node).__name__}")


_PRIMS: dict[str, Any] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "neg": lambda a: -a,
    "floordiv": lambda a, b: a // b if b else 0,
    "mod": lambda a, b: a % b if b else 0,
    "min": min,
    "max": max,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "and": lambda a, b: a and b,
    "or": lambda a, b: a or b,
    "not": lambda a: not a,
    "abs": abs,
}
