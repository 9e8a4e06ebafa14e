"""Proofs that an index stays inside its extent, by affine interval arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opslib.ir.expr import (
    Const,
    Expr,
    Index,
    Prim,
    Size,
    free_indices,
)
from opslib.ir.polynomial import added, multiplied, scaled

# A polynomial in sizes and indices: sorted tuple of atoms -> integer coefficient.
Polynomial = dict[tuple[str, ...], int]


def within(
    node: Expr,
    extent: Expr,
    extents: Mapping[str, Expr],
    path: Sequence[Expr] = (),
) -> bool:
    """Whether ``0 <= node < extent`` follows from each index's range and the path.

    Sizes count as at least 0, and as at least 1 where an index ranges over them (a
    point of the loop exists). Of the path, conditions under which this point is
    reached, integer comparisons are used, one at a time. False means "not proven",
    never "out of bounds".
    """
    if isinstance(node, Index) and extents.get(node.name) is extent:
        return True
    value, size = _polynomial(node, atoms=True), _polynomial(extent)
    if value is None or size is None:
        return False
    room = added(added(size, scaled(value, -1)), {(): -1})
    known = [{}, *_facts(path)]
    return all(_follows(goal, known, extents) for goal in (value, room))


def _follows(
    goal: Polynomial, known: Sequence[Polynomial], extents: Mapping[str, Expr]
) -> bool:
    """Whether `goal` >= 0: it is one of what is known to be, plus something >= 0."""
    positive = {e.name for e in extents.values() if isinstance(e, Size)}
    for fact in known:
        rest = _extreme(added(goal, scaled(fact, -1)), extents, lowest=True)
        if rest is not None and _nonnegative(rest, positive):
            return True
    return False


def _facts(path: Sequence[Expr]) -> list[Polynomial]:
    """What is at least 0 where all conditions of a path hold."""
    found: list[Polynomial] = []
    waiting = list(path)
    while waiting:
        condition = waiting.pop()
        if not isinstance(condition, Prim):
            continue
        if condition.op == "and":
            waiting += condition.args
        elif condition.op in ("lt", "le", "gt", "ge", "eq"):
            sides = [_polynomial(a, atoms=True) for a in condition.args]
            left, right = sides
            if left is None or right is None or not condition.args[0].dtype.is_integer:
                continue
            above = added(right, scaled(left, -1))  # of left <= right
            if condition.op in ("lt", "le", "eq"):
                strict = -1 if condition.op == "lt" else 0
                found.append(added(above, {(): strict}))
            if condition.op in ("gt", "ge", "eq"):
                strict = -1 if condition.op == "gt" else 0
                found.append(added(scaled(above, -1), {(): strict}))
    return found


def equal(left: Expr, right: Expr) -> bool:
    """Whether two integer expressions are the same polynomial of sizes."""
    if left is right:
        return True
    a, b = _polynomial(left, atoms=True), _polynomial(right, atoms=True)
    return a is not None and a == b


def nonnegative(node: Expr) -> bool:
    """Whether an integer expression of sizes is at least 0, whatever they are."""
    value = _polynomial(node)
    return value is not None and _nonnegative(value, set())


def increases(node: Expr, index: str) -> bool:
    """Whether `node` is the index plus something without it, and so grows with it."""
    if isinstance(node, Prim) and node.op == "add":
        sides = [a for a in node.args if index in free_indices(a)]
        return len(sides) == 1 and increases(sides[0], index)
    return isinstance(node, Index) and node.name == index


def _polynomial(node: Expr, atoms: bool = False) -> Polynomial | None:
    """`node` as a polynomial; what is none, is None, or an atom of its own."""
    match node:
        case Const():
            return {(): int(node.value)} if node.value else {}
        case Size(name) | Index(name):
            return {(("i:" if isinstance(node, Index) else "s:") + name,): 1}
        case Prim(op="add") | Prim(op="sub") | Prim(op="mul"):
            left, right = (_polynomial(a, atoms) for a in node.args)
            if left is None or right is None:
                return None
            if node.op == "mul":
                return multiplied(left, right)
            return added(left, right if node.op == "add" else scaled(right, -1))
    # Nodes are interned: one expression has one id while it lives.
    return {(f"x:{id(node)}",): 1} if atoms else None


def _extreme(
    value: Polynomial, extents: Mapping[str, Expr], lowest: bool
) -> Polynomial | None:
    """`value` with each index at the end of its range that makes it extreme."""
    result: Polynomial = {}
    for key, coefficient in value.items():
        indices = [a for a in key if a.startswith("i:")]
        sizes = tuple(a for a in key if not a.startswith("i:"))
        if not indices:
            result = added(result, {key: coefficient})
            continue
        if len(indices) > 1:
            return None
        at_start = (coefficient > 0) == lowest
        if at_start:
            continue  # The index is 0 there.
        extent = extents.get(indices[0][2:])
        last = _polynomial(extent) if extent is not None else None
        if last is None:
            return None
        term = multiplied({sizes: coefficient}, added(last, {(): -1}))
        result = added(result, term)
    return result


def _nonnegative(value: Polynomial, positive: set[str]) -> bool:
    """Whether a polynomial of sizes is >= 0 for all sizes (>= 1 where `positive`)."""
    constant = value.get((), 0)
    for key, coefficient in value.items():
        if not key:
            continue
        if coefficient < 0 or any(not a.startswith("s:") for a in key):
            return False
        if all(a[2:] in positive for a in key):
            constant += coefficient
    return constant >= 0
