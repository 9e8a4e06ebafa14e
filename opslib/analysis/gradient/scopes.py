"""Replacing nodes under binders: what a fold binds is not what is replaced.

Adjoints mention forward values beside the indices of the folds that made them: in
``de[j] / sum[j](e[j])`` one j is an axis of the adjoint and the other is bound. So
unlike `opslib.ir.expr.substitute`, what is here knows scopes.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping

from opslib.ir.expr import (
    Axis,
    Expr,
    Fold,
    Index,
    Order,
    Scan,
    rebuild,
)

_FREE: weakref.WeakKeyDictionary[Expr, frozenset[str]] = weakref.WeakKeyDictionary()


def free(node: Expr) -> frozenset[str]:
    """Names of the indices that a node depends on and does not bind; remembered."""
    found = _FREE.get(node)
    if found is None:
        found = frozenset().union(*(free(c) for c in node.children))
        if isinstance(node, Index):
            found |= {node.name}
        elif isinstance(node, Fold):
            found -= {a.name for a in node.axes}
        elif isinstance(node, Scan | Order):
            inner = (*node.children[1:-1], node.axis)
            inside = frozenset().union(*(free(c) for c in inner)) - {node.axis.name}
            found = inside | free(node.at)
        _FREE[node] = found
    return found


def replaced(
    root: Expr, mapping: Mapping[Expr, Expr], names: Callable[[str], str]
) -> Expr:
    """`root` with the free occurrences of nodes replaced.

    A binder whose name would catch what is put in gets another, from `names`.
    """
    return _replaced(root, dict(mapping), names, {})


def _replaced(
    node: Expr,
    mapping: dict[Expr, Expr],
    names: Callable[[str], str],
    done: dict[tuple[Expr, tuple[Expr, ...]], Expr],
) -> Expr:
    if not mapping:
        return node
    key = (node, tuple(mapping))
    found = done.get(key)
    if found is None:
        found = mapping.get(node)
        if found is None:
            found = _one(node, mapping, names, done)
        done[key] = found
    return found


def _one(
    node: Expr,
    mapping: dict[Expr, Expr],
    names: Callable[[str], str],
    done: dict[tuple[Expr, tuple[Expr, ...]], Expr],
) -> Expr:
    if not isinstance(node, Fold | Scan | Order):
        return rebuild(node, lambda c: _replaced(c, mapping, names, done))
    axes = node.axes if isinstance(node, Fold) else (node.axis,)
    bound = {a.name for a in axes}
    inner = {k: v for k, v in mapping.items() if not free(k) & bound}
    caught = bound & frozenset().union(*(free(v) for v in inner.values()))
    if caught and any(free(k) & free(node) for k in inner):
        new: dict[Expr, Expr] = {Index(n): Index(names(n)) for n in sorted(caught)}
        node = _with_binders(node, new, names)
        axes = node.axes if isinstance(node, Fold) else (node.axis,)
    outside = node.at if isinstance(node, Scan | Order) else None

    def change(child: Expr) -> Expr:
        if child is outside:
            return _replaced(child, mapping, names, done)
        return _replaced(child, inner, names, done)

    return rebuild(node, change)


def _with_binders(
    node: Fold | Scan | Order, new: dict[Expr, Expr], names: Callable[[str], str]
) -> Fold | Scan | Order:
    """The node with other names for what it binds."""

    def axis(a: Axis) -> Axis:
        renamed = new.get(a.index)
        name = renamed.name if isinstance(renamed, Index) else a.name
        start, stop = replaced(a.start, new, names), replaced(a.stop, new, names)
        return Axis(name, start, stop, a.bound)

    if isinstance(node, Fold):
        args = tuple(replaced(a, new, names) for a in node.args)
        return Fold(node.monoid, tuple(map(axis, node.axes)), args, node.output)
    if isinstance(node, Scan):
        args = tuple(replaced(a, new, names) for a in node.args)
        return Scan(node.monoid, axis(node.axis), args, node.at, node.output)
    value = replaced(node.value, new, names)
    return Order(axis(node.axis), value, node.at, node.descending, node.output)
