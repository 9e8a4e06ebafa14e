"""Index arithmetic as polynomials, so that ``0 + 1 * n`` prints as ``n``.

Atoms are expressions: sizes, integer attributes, index variables, and whatever else of
sizes is no polynomial (a floor division, a maximum).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from opslib.codegen.array_code import PRODUCT, SUM, Code, infix, number, prefix
from opslib.ir.expr import (
    Cast,
    Const,
    Expr,
    Fold,
    Index,
    Order,
    Prim,
    Read,
    Scalar,
    Scan,
    Size,
    walk,
)
from opslib.ir.polynomial import added, multiplied, scaled

Polynomial = dict[tuple[Expr, ...], int]


def polynomial(node: Expr) -> Polynomial | None:
    """`node` as a polynomial; None where it depends on data or on no integers."""
    if not node.dtype.is_integer:
        return None
    match node:
        case Const(value):
            return {(): int(value)} if value else {}
        case Prim("add" | "sub", (x, y)):
            left, right = polynomial(x), polynomial(y)
            if left is None or right is None:
                return None
            return added(left, right if node.op == "add" else scaled(right, -1))
        case Prim("mul", (x, y)):
            left, right = polynomial(x), polynomial(y)
            return None if left is None or right is None else times(left, right)
        case Prim("neg", (x,)):
            inner = polynomial(x)
            return None if inner is None else scaled(inner, -1)
        case Cast(value, dtype) if dtype.bits == 64 and value.dtype.is_integer:
            return polynomial(value)
        case Size() | Scalar() | Index():
            return {(node,): 1}
    if any(isinstance(n, Read | Index | Fold | Scan | Order) for n in walk(node)):
        return None
    return {(node,): 1}


def minus(x: Polynomial, y: Polynomial) -> Polynomial:
    """Difference."""
    return added(x, scaled(y, -1))


def times(x: Polynomial, y: Polynomial) -> Polynomial:
    """Product."""
    return multiplied(x, y, id)


def constant(value: int) -> Polynomial:
    """A number."""
    return {(): value} if value else {}


def split(
    value: Polynomial, loose: frozenset[str]
) -> tuple[dict[str, Polynomial], Polynomial] | None:
    """Coefficients of the index variables in `loose`, and the rest; None if not affine.

    Index variables outside `loose` (those of a Python loop) are plain numbers.
    """
    coefficients: dict[str, Polynomial] = {}
    rest: Polynomial = {}
    for atoms, factor in value.items():
        indices = [a for a in atoms if isinstance(a, Index) and a.name in loose]
        if not indices:
            rest = added(rest, {atoms: factor})
        elif len(indices) == 1:
            others = tuple(a for a in atoms if a is not indices[0])
            name = indices[0].name
            found = coefficients.get(name, {})
            coefficients[name] = added(found, {others: factor})
        else:
            return None
    return coefficients, rest


def code(value: Polynomial, atom: Callable[[Expr], Code]) -> Code:
    """The polynomial as text: positive terms first."""
    terms = sorted(value.items(), key=lambda item: (item[1] < 0, not item[0]))
    total: Code | None = None
    for atoms, factor in terms:
        factors = [atom(a) for a in atoms]
        if abs(factor) != 1 or not factors:
            factors.insert(0, number(abs(factor)))
        term = factors[0]
        for other in factors[1:]:
            term = infix("*", PRODUCT, term, other)
        if total is None:
            total = prefix("-", term) if factor < 0 else term
        else:
            total = infix("-" if factor < 0 else "+", SUM, total, term)
    return number(0) if total is None else replace(total, view=True)
