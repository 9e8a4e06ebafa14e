"""How a program's outputs move when an input does, read off its index algebra.

`shift_of`: what is added to the outputs when a number is added to every element of an
input. Of softmax 0, of a maximum and of logsumexp 1, and None where there is no such
number. `linear_in`: whether the outputs are linear in an input, the others held.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from opslib.ir.expr import (
    Call,
    Cast,
    Const,
    Expr,
    Fold,
    Order,
    Prim,
    Program,
    Read,
    Scan,
    Select,
)

_COMPARISONS = frozenset({"lt", "le", "gt", "ge", "eq", "ne"})
_EXTREMES = frozenset({"max", "min", "fmax", "fmin"})
# Fits any: an infinity is the same wherever it is moved to, a zero however scaled.
ANY = math.nan
Rule = Callable[[Expr, Callable[[Expr], float | None]], float | None]


def shift_of(program: Program, tensor: str) -> dict[str, float | None]:
    """For each output the multiple of c that it moves by when the input moves by c."""
    return _propagated(program, tensor, _shift)


def linear_in(program: Program, tensor: str) -> bool:
    """Whether f(a + b) = f(a) + f(b) in that input."""
    found = _propagated(program, tensor, _degree)
    return bool(found) and all(v == 1 for v in found.values())


def _propagated(program: Program, tensor: str, rule: Rule) -> dict[str, float | None]:
    known: dict[str, float | None] = {
        t.name: float(t.name == tensor) for t in program.inputs
    }
    memo: dict[Expr, float | None] = {}

    def value(node: Expr) -> float | None:
        if node not in memo:
            memo[node] = _read(node, known, value)
            if not isinstance(node, Read):
                memo[node] = rule(node, value)
        return memo[node]

    for define in program.defines:
        found = value(define.value)
        steady = all(value(i) == 0 for i in (*define.indices, *define.axes))
        if define.combine is not None and found != 0:
            found = None
        if define.recurrent is not None and found != 0:
            found = None
        if not steady:
            found = None
        if define.name in known:
            found = same((known[define.name], found))
        known[define.name] = found
        memo.clear()
    return {t.name: known.get(t.name) for t in program.outputs}


def _read(
    node: Expr,
    known: Mapping[str, float | None],
    value: Callable[[Expr], float | None],
) -> float | None:
    if not isinstance(node, Read):
        return None
    if any(value(i) != 0 for i in node.indices):
        return None
    # A local that is not there yet reads its own earlier elements.
    return known.get(node.tensor)


def same(values: tuple[float | None, ...]) -> float | None:
    """The one value that all have, `ANY` left aside; None where they differ."""
    found = {v for v in values if v is None or not math.isnan(v)}
    if len(found) > 1:
        return None
    return found.pop() if found else ANY


def _still(node: Expr, value: Callable[[Expr], float | None]) -> float | None:
    """0 where nothing below moves."""
    below = [value(c) for c in node.children]
    return (
        0.0 if all(v == 0 or (v is not None and math.isnan(v)) for v in below) else None
    )


def _shift(node: Expr, value: Callable[[Expr], float | None]) -> float | None:
    match node:
        case Const(number, dtype) if dtype.is_float and not math.isfinite(number):
            return ANY
        case Cast(inner, dtype) if dtype.is_float and inner.dtype.is_float:
            return value(inner)
        case Prim("add" | "sub" as op, (x, y), _):
            a, b = value(x), value(y)
            if a is None or b is None:
                return None
            return a + b if op == "add" else a - b
        case Prim("neg", (x,), _):
            a = value(x)
            return None if a is None else -a
        case Prim("mul", (x, y), _):
            for factor, other in ((x, y), (y, x)):
                moved = value(other)
                if isinstance(factor, Const) and moved is not None:
                    return float(factor.value) * moved
        case Prim(op, (x, y), _) if op in _EXTREMES:
            return same((value(x), value(y)))
        case Prim(op, (x, y), _) if op in _COMPARISONS:
            return None if same((value(x), value(y))) is None else 0.0
        case Prim("isnan" | "isinf" | "isfinite", (x,), _):
            return None if value(x) is None else 0.0
        case Select(condition, yes, no):
            if value(condition) == 0:
                return same((value(yes), value(no)))
            return None
        case Fold(monoid, axes, args, output):
            if any(value(a) != 0 for a in axes):
                return None
            if monoid.name in _EXTREMES:
                return value(args[0])
            if monoid.name in ("argmax", "argmin") and len(args) == 2:
                moved = value(args[0])
                if moved is None or value(args[1]) != 0:
                    return None
                return 0.0 if node.dtype.is_integer else moved
        case Scan(monoid, axis, args, at, _):
            if monoid.name in _EXTREMES and value(axis) == 0 == value(at):
                return value(args[0])
        case Order(axis, inner, at, _, output):
            if value(axis) == 0 == value(at) and value(inner) is not None:
                return 0.0 if output else value(inner)
            return None
        case Call():
            return value(node.expansion)
    return _still(node, value)


def _degree(node: Expr, value: Callable[[Expr], float | None]) -> float | None:
    match node:
        case Const(number, _) if number == 0 and not isinstance(number, bool):
            return ANY if node.dtype.is_float else 0.0
        case Cast(inner, dtype) if dtype.is_float and inner.dtype.is_float:
            return value(inner)
        case Prim("add" | "sub", (x, y), dtype) if dtype.is_float:
            return same((value(x), value(y)))
        case Prim("neg", (x,), dtype) if dtype.is_float:
            return value(x)
        case Prim("mul", (x, y), dtype) if dtype.is_float:
            a, b = value(x), value(y)
            if a is None or b is None:
                return None
            return ANY if math.isnan(a + b) else a + b if a + b <= 1 else None
        case Prim("div", (x, y), dtype) if dtype.is_float:
            return value(x) if value(y) == 0 else None
        case Select(condition, yes, no):
            return same((value(yes), value(no))) if value(condition) == 0 else None
        case Fold(monoid, axes, args, _):
            if monoid.name == "sum" and all(value(a) == 0 for a in axes):
                return value(args[0])
        case Scan(monoid, axis, args, at, _):
            if monoid.name == "sum" and value(axis) == 0 == value(at):
                return value(args[0])
        case Call():
            return value(node.expansion)
    return _still(node, value)
