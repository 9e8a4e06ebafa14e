"""Ranges that depend on data: what a streamed axis has to do with them.

Sequences of different lengths reach lowering in three forms, and none has a name of its
own:

* an axis whose ends are read (``j in lo[i]..hi[i]``), or a product of such an axis with
  dense ones (pages and the places in a page), which `joined` makes one axis;
* a mask ``j < length[i]`` around the score, which `masks` takes off;
* a row's sequence, ``count[w](begin[w] <= i)``: a step function of the row, constant on
  runs of rows, which `Segment` names so that a run can be treated as a batch element.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from opslib.ir.dtypes import INT64
from opslib.ir.expr import (
    ONE,
    ZERO,
    Axis,
    Const,
    Expr,
    Fold,
    Index,
    Prim,
    Read,
    Select,
    free_indices,
    substitute,
    transform,
    walk,
)
from opslib.lowering.flatten import Group, depends
from opslib.lowering.simplify import simplified
from opslib.lowering.skeletons.arith import add, affine, mul, product, sub


@dataclass(frozen=True, slots=True)
class Segment:
    """A step function of a row, and the variable that stands for its value.

    Attributes:
        index: the variable.
        axis: name of the row axis in which `value` never falls.
        value: ``count[w](begin[w] <= i)``.
    """

    index: Index
    axis: str
    value: Fold


def segment_of(roots: Iterable[Expr], axes: Iterable[str]) -> Segment | None:
    """The one step function of a row axis in `roots`; None for none or several."""
    rows = set(axes)
    found: dict[Fold, str] = {}
    names = set()
    for n in walk(*roots):
        if isinstance(n, Index | Axis):
            names.add(n.name)
        axis = _step(n)
        if axis in rows and isinstance(n, Fold):
            found[n] = axis
    if len(found) != 1:
        return None
    ((value, axis),) = found.items()
    name = "segment"
    while name in names:
        name += "_"
    return Segment(Index(name), axis, value)


def _step(node: Expr) -> str:
    """The index in which `node` is a step function, or an empty string."""
    if not (isinstance(node, Fold) and node.monoid.name == "count"):
        return ""
    (test,) = node.args
    if len(node.axes) != 1 or not isinstance(test, Prim) or len(test.args) != 2:
        return ""
    below, above = test.args if test.op in ("le", "lt") else test.args[::-1]
    if test.op not in ("le", "lt", "ge", "gt") or not isinstance(above, Index):
        return ""
    free = free_indices(below) | free_indices(node.axes[0].start)
    free |= free_indices(node.axes[0].stop)
    return (
        "" if above.name in free or free_indices(node) != {above.name} else above.name
    )


# --- Several axes as one -----------------------------------------------------------


def joined(root: Expr, pattern: tuple[Axis, ...]) -> Expr:
    """`root` with every fold over axes such as `pattern` over one axis instead.

    The order of the points stays: the last axis is the fastest.
    """
    if len(pattern) < 2 or not _joins(pattern):
        return root
    ends = [(a.start, a.stop) for a in pattern]

    def rule(node: Expr) -> Expr | None:
        if isinstance(node, Fold) and [(a.start, a.stop) for a in node.axes] == ends:
            return _joined(node)
        return None

    return transform(root, rule)


def _joins(axes: tuple[Axis, ...]) -> bool:
    """Whether all but the first are dense, and none depends on another."""
    return all(a.is_dense for a in axes[1:])


def _joined(node: Fold) -> Fold:
    first, *rest = node.axes
    inner = product(a.stop for a in rest)
    taken = {n.name for n in walk(*node.args) if isinstance(n, Index | Axis)}
    name = "_".join(a.name for a in node.axes)
    while name in taken:
        name += "_"
    bound = None if first.bound is None else mul(first.bound, inner)
    axis = Axis(name, mul(first.start, inner), mul(first.stop, inner), bound)
    flat = axis.index

    def linear(n: Expr) -> Expr | None:
        """``(p * b + q) * c + r``, written out, is the flat index itself."""
        if not isinstance(n, Prim) or n.op not in ("add", "sub") or n.type != INT64:
            return None
        step: Expr = ONE
        remainder: Expr = n
        for a in reversed(node.axes):
            found = affine(remainder, a.name)
            if found is None or found[0] is not step:
                return None
            remainder = found[1]
            step = mul(step, a.stop) if a is not first else step
        return add(flat, remainder)

    places = Group(node.axes).at(flat)
    args = tuple(substitute(transform(a, linear), places) for a in node.args)
    return Fold(node.monoid, (axis,), args, node.output)


# --- Masks -------------------------------------------------------------------------


def is_nothing(node: Expr) -> bool:
    """Whether `node` is the score of what does not take part."""
    return isinstance(node, Const) and node.value == -math.inf


def masks(score: Expr) -> tuple[tuple[Expr, ...], Expr]:
    """(conditions, inner): `score` is -inf unless all conditions hold, then inner."""
    found: list[Expr] = []
    while True:
        for n in walk(score):
            if (
                isinstance(n, Select)
                and is_nothing(n.no)
                and is_nothing(simplified(substitute(score, {n: n.no})))
            ):
                found += conjuncts(n.condition)
                score = substitute(score, {n: n.yes})
                break
        else:
            return tuple(dict.fromkeys(found)), score


def conjuncts(condition: Expr) -> list[Expr]:
    """The conditions of which `condition` is the conjunction, in order."""
    if isinstance(condition, Prim) and condition.op == "and":
        return [part for a in condition.args for part in conjuncts(a)]
    return [condition]


@dataclass(frozen=True, slots=True)
class Limit:
    """A condition as a bound of j: ``j <= value`` (`upper`) or ``j >= value``."""

    upper: bool
    value: Expr


def limit(condition: Expr, j: str) -> Limit | None:
    """The condition as one bound of `j`, if it is no more than that."""
    if not (isinstance(condition, Prim) and condition.op in ("lt", "le", "gt", "ge")):
        return None
    left, right = condition.args
    if left.dtype != INT64:
        return None
    up = condition.op in ("lt", "le")
    smaller, larger = (left, right) if up else (right, left)
    difference = affine(sub(larger, smaller), j)
    if difference is None or not isinstance(difference[0], Const):
        return None
    slope, rest = int(difference[0].value), difference[1]
    if condition.op in ("lt", "gt"):
        rest = sub(rest, ONE)
    if slope == -1:
        return Limit(True, rest)
    return Limit(False, sub(ZERO, rest)) if slope == 1 else None


def rounds_up(stop: Expr, conditions: Iterable[Expr], j: str) -> bool:
    """Whether ``j < stop`` follows: stop is a length rounded up to whole pages."""
    if not (isinstance(stop, Prim) and stop.op == "mul"):
        return False
    for pages, page in (stop.args, stop.args[::-1]):
        if not (isinstance(pages, Prim) and pages.op == "floordiv"):
            continue
        if pages.args[1] is not page:
            continue
        for c in conditions:
            if not (isinstance(c, Prim) and c.op == "lt" and c.args[0] is Index(j)):
                continue
            length = c.args[1]
            if pages.args[0] is sub(add(length, page), ONE):
                return True
    return False


def looks_up(roots: Iterable[Expr]) -> bool:
    """Whether something is read at a place that is itself read."""
    return any(
        isinstance(n, Read) and any(isinstance(m, Read) for m in walk(*n.indices))
        for n in walk(*roots)
    )


def varies_with(node: Expr, names: frozenset[str]) -> bool:
    """Whether `node` depends on one of the index variables."""
    return bool(free_indices(node) & names)


def bounded_by_rows(node: Expr, rows: Group) -> bool:
    """Whether the largest value over a block of rows is one of its ends' values.

    `node` has to be linear in one axis of the rows, the slowest or the fastest.
    """
    moving = [a for a in rows.axes if depends(node, a.name)]
    if not moving:
        return True
    if len(moving) > 1 or moving[0] not in (rows.axes[0], rows.axes[-1]):
        return False
    found = affine(node, moving[0].name)
    return found is not None and isinstance(found[0], Const)


__all__ = [
    "Limit",
    "Segment",
    "bounded_by_rows",
    "conjuncts",
    "is_nothing",
    "joined",
    "limit",
    "looks_up",
    "masks",
    "rounds_up",
    "segment_of",
    "varies_with",
]
