"""Index arithmetic as polynomials: one form for equal indices, and what solves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opslib.ir.build import arithmetic, compare, integer
from opslib.ir.dtypes import INT64
from opslib.ir.expr import (
    ONE,
    TRUE,
    ZERO,
    Axis,
    Const,
    Expr,
    Index,
    Prim,
    free_indices,
    transform,
)
from opslib.ir.polynomial import added, multiplied, scaled
from opslib.ir.ranges import within

# Atoms, in the order in which they were met, to a whole coefficient.
Polynomial = dict[tuple[Expr, ...], int]


def polynomial(node: Expr) -> Polynomial:
    """An int64 expression as a polynomial; what is no sum or product is an atom."""
    match node:
        case Const(value):
            return {(): int(value)} if value else {}
        case Prim("add" | "sub" | "mul" as op, (left, right), dtype) if dtype == INT64:
            x, y = polynomial(left), polynomial(right)
            if op == "mul" and len(x) > 1 and len(y) > 1:
                return {(node,): 1}  # Not multiplied out: it would not be read again.
            if op == "mul":
                return multiplied(x, y, _rank)
            return added(x, y if op == "add" else scaled(y, -1))
        case Prim("neg", (value,), dtype) if dtype == INT64:
            return scaled(polynomial(value), -1)
    return {(node,): 1}


def _rank(atom: Expr) -> tuple[int, str]:
    """Indices first, then what scales them, each by its name."""
    name = getattr(atom, "name", None)
    if isinstance(atom, Index):
        return 0, str(name)
    return (1, str(name)) if name is not None else (2, repr(atom))


def expression(value: Polynomial) -> Expr:
    """The polynomial as an expression: what is added first, then what is taken off."""
    result: Expr | None = None
    terms = sorted(value.items(), key=lambda term: _order(*term))
    for atoms, coefficient in terms:
        term: Expr = ONE
        for atom in atoms:
            term = arithmetic("mul", term, atom)
        if abs(coefficient) != 1 or not atoms:
            term = arithmetic("mul", integer(abs(coefficient)), term)
        if result is None:
            result = term if coefficient > 0 else arithmetic("sub", ZERO, term)
        else:
            result = arithmetic("add" if coefficient > 0 else "sub", result, term)
    return ZERO if result is None else result


def _order(atoms: tuple[Expr, ...], coefficient: int) -> tuple[bool, bool, bool]:
    indexed = any(isinstance(a, Index) for a in atoms)
    return coefficient < 0, not indexed, not atoms


def tidy(node: Expr) -> Expr:
    """`node` with all index arithmetic in it in one form, so equal parts are one."""
    return transform(node, _tidied)


def _tidied(node: Expr) -> Expr | None:
    if not isinstance(node, Prim) or node.dtype != INT64:
        return None
    if node.op in ("add", "sub", "mul", "neg"):
        return expression(polynomial(node))
    if node.op in ("floordiv", "mod"):
        return _quotient(node)
    return None


def _quotient(node: Prim) -> Expr | None:
    """``(c x + y) // c`` and ``% c`` where y is the whole or no multiple of c.

    Only where the divisor is a literal above 0: a quotient by 0 is 0.
    """
    top, bottom = node.args
    if not isinstance(bottom, Const) or int(bottom.value) <= 0:
        return None
    c = int(bottom.value)
    value = polynomial(top)
    whole = {k: v // c for k, v in value.items() if v % c == 0}
    rest = {k: v for k, v in value.items() if v % c}
    if c == 1 or not rest:
        return ZERO if node.op == "mod" else expression(whole)
    return None


def part_of(node: Expr, name: str) -> tuple[Polynomial, Polynomial] | None:
    """(c, r) with ``node = c * name + r``, both without the index; None if not so."""
    factor: Polynomial = {}
    rest: Polynomial = {}
    for atoms, coefficient in polynomial(node).items():
        own = [a for a in atoms if isinstance(a, Index) and a.name == name]
        others = tuple(a for a in atoms if a not in own)
        if len(own) > 1 or any(name in free_indices(a) for a in others):
            return None
        (factor if own else rest)[others] = coefficient
    return factor, rest


def extents_of(axes: Sequence[Axis]) -> dict[str, Expr]:
    """How far each index that begins at 0 goes, as proofs of ranges want it."""
    return {a.name: a.stop for a in axes if a.start is ZERO}


def is_nonnegative(
    node: Expr, extents: Mapping[str, Expr], path: Sequence[Expr] = ()
) -> bool:
    """Whether an index is proven to be 0 or more."""
    return within(node, arithmetic("add", node, ONE), extents, path)


def is_certain(
    condition: Expr, extents: Mapping[str, Expr], path: Sequence[Expr] = ()
) -> bool:
    """Whether a comparison of indices is proven to hold at every point."""
    if condition is TRUE or condition in path:
        return True
    # Comparisons of fractions prove nothing about places.
    path = [c for c in path if all(a.dtype.is_integer for a in c.children)]
    match condition:
        case Prim("and", (left, right)):
            return is_certain(left, extents, path) and is_certain(right, extents, path)
        case Prim("lt" | "le" | "gt" | "ge" as op, (left, right)):
            if left.dtype != INT64:
                return False
            small, large = (left, right) if op in ("lt", "le") else (right, left)
            room = added(polynomial(large), scaled(polynomial(small), -1))
            if op in ("lt", "gt"):
                room = added(room, {(): -1})
            return is_nonnegative(expression(room), extents, path)
        case Prim("eq", (left, right)):
            return left is right
        case Prim("ne", (left, right)) if left.dtype == INT64:
            return any(
                is_certain(compare("lt", small, large), extents, path)
                for small, large in ((left, right), (right, left))
            )
    return False


def is_one(value: Polynomial) -> int:
    """1 or -1 if the polynomial is that, else 0."""
    return value.get((), 0) if set(value) == {()} and abs(value[()]) == 1 else 0
