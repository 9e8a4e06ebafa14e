"""Proofs that an index stays inside its extent, by affine interval arithmetic."""

from __future__ import annotations

from collections.abc import Mapping

from opslib.ir.expr import (
    Const,
    Expr,
    Index,
    Prim,
    Read,
    Scalar,
    Size,
    free_indices,
)

# A polynomial in sizes and indices: sorted tuple of atoms -> integer coefficient.
Polynomial = dict[tuple[str, ...], int]


def within(node: Expr, extent: Expr, extents: Mapping[str, Expr]) -> bool:
    """Whether ``0 <= node < extent`` follows from each index's range alone.

    Sizes count as at least 0, and as at least 1 where an index ranges over them (a
    point of the loop exists). False means "not proven", never "out of bounds".
    """
    if isinstance(node, Index) and extents.get(node.name) is extent:
        return True
    value, size = _polynomial(node), _polynomial(extent)
    if value is None or size is None:
        return False
    positive = {e.name for e in extents.values() if isinstance(e, Size)}
    low = _extreme(value, extents, lowest=True)
    high = _extreme(value, extents, lowest=False)
    if low is None or high is None:
        return False
    room = _add(size, _scale(high, -1))
    room = _add(room, {(): -1})
    return _nonnegative(low, positive) and _nonnegative(room, positive)


def increases(node: Expr, index: str) -> bool:
    """Whether `node` is the index plus something without it, and so grows with it."""
    if isinstance(node, Prim) and node.op == "add":
        sides = [a for a in node.args if index in free_indices(a)]
        return len(sides) == 1 and increases(sides[0], index)
    return isinstance(node, Index) and node.name == index


def _polynomial(node: Expr) -> Polynomial | None:
    match node:
        case Const():
            return {(): int(node.value)} if node.value else {}
        case Size(name) | Index(name):
            return {(("i:" if isinstance(node, Index) else "s:") + name,): 1}
        case Prim(op="add") | Prim(op="sub") | Prim(op="mul"):
            left, right = (_polynomial(a) for a in node.args)
            if left is None or right is None:
                return None
            if node.op == "mul":
                return _multiply(left, right)
            return _add(left, right if node.op == "add" else _scale(right, -1))
        case Scalar() | Read():
            return None
    return None


def _add(x: Polynomial, y: Polynomial) -> Polynomial:
    result = dict(x)
    for key, value in y.items():
        result[key] = result.get(key, 0) + value
    return {k: v for k, v in result.items() if v}


def _scale(x: Polynomial, factor: int) -> Polynomial:
    return {k: v * factor for k, v in x.items()}


def _multiply(x: Polynomial, y: Polynomial) -> Polynomial:
    result: Polynomial = {}
    for a, v in x.items():
        for b, w in y.items():
            key = tuple(sorted(a + b))
            result[key] = result.get(key, 0) + v * w
    return {k: v for k, v in result.items() if v}


def _extreme(
    value: Polynomial, extents: Mapping[str, Expr], lowest: bool
) -> Polynomial | None:
    """`value` with each index at the end of its range that makes it extreme."""
    result: Polynomial = {}
    for key, coefficient in value.items():
        indices = [a for a in key if a.startswith("i:")]
        sizes = tuple(a for a in key if not a.startswith("i:"))
        if not indices:
            result = _add(result, {key: coefficient})
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
        term = _multiply({sizes: coefficient}, _add(last, {(): -1}))
        result = _add(result, term)
    return result


def _nonnegative(value: Polynomial, positive: set[str]) -> bool:
    """Whether a polynomial of sizes is >= 0 for all sizes (>= 1 where `positive`)."""
    constant = value.get((), 0)
    for key, coefficient in value.items():
        if not key:
            continue
        if coefficient < 0:
            return False
        if all(a[2:] in positive for a in key):
            constant += coefficient
    return constant >= 0
