"""Reads: index items against a tensor's axes, bounds, guards and checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opslib.ir.build import (
    arithmetic,
    both,
    cast,
    compare,
    either,
    multiply_add,
    negation,
)
from opslib.ir.dtypes import INT64
from opslib.ir.expansion.frame import Frame, Group, Operand, Scope
from opslib.ir.expansion.packs import Entries, pack
from opslib.ir.expr import (
    ONE,
    TRUE,
    ZERO,
    Axis,
    Check,
    Expr,
    Prim,
    Read,
    free_indices,
    substitute,
    transform,
    walk,
)
from opslib.ir.ranges import increases, within
from opslib.language import syntax

# An item of an access after packs are spread: one index, or a composite's parts.
Entry = Expr | tuple[Expr, ...]


def indices(
    frame: Frame, node: syntax.Index, operand: Operand, scope: Scope
) -> tuple[Expr, ...]:
    """Flat program indices of ``x[items]``."""
    entries: list[tuple[Entry, syntax.Expression]] = []
    for item in node.items:
        if isinstance(item, syntax.Pack):
            spread = pack(frame, item, scope)
            spread = spread if isinstance(spread, list) else [spread]
            entries += [(e, item) for e in spread]
        elif isinstance(item, syntax.Composite):
            parts = tuple(frame.value(p, scope) for p in item.parts)
            entries.append((parts, item))
        else:
            entries.append((frame.value(item, scope), item))
    found = _match(frame, node, operand.groups, entries, scope)
    for index in found:
        if not index.dtype.is_integer:
            frame.fail(node, f"an index is an integer, not {index.dtype}", "E0409")
    return tuple(cast(index, INT64) for index in found)


def _match(
    frame: Frame,
    node: syntax.Index,
    groups: Sequence[Group],
    entries: list[tuple[Entry, syntax.Expression]],
    scope: Scope,
) -> tuple[Expr, ...]:
    axes = spread_groups(groups)
    if len(axes) != len(entries):
        frame.fail(
            node,
            f"'{node.base}' has {len(axes)} axes here, and is read with "
            f"{len(entries)} indices",
            "E0503",
        )
    result: Entries = []
    for axis, (entry, item) in zip(axes, entries, strict=True):
        if isinstance(entry, tuple):
            if len(axis) == len(entry):
                result += entry
            elif len(axis) == 1:
                result.append(mixed_radix(frame, item, entry, scope))
            else:
                frame.fail(item, "this composite has other parts", "E0503")
        elif len(axis) == 1:
            result.append(entry)
        else:
            result += split(entry, axis)
    return tuple(result)


def spread_groups(groups: Sequence[Group]) -> list[tuple[Expr, ...]]:
    """The declared axes with packs spread: one dim each, several for composites."""
    axes: list[tuple[Expr, ...]] = []
    for g in groups:
        if g.kind == "composite":
            axes.append(g.dims)
        else:
            axes += [(d,) for d in g.dims]
    return axes


def split(flat: Expr, dims: Sequence[Expr]) -> list[Expr]:
    """A flat index into a composite axis, as one index for each part."""
    result: list[Expr] = []
    for dim in reversed(dims[1:]):
        result.append(arithmetic("mod", flat, dim))
        flat = arithmetic("floordiv", flat, dim)
    result.append(flat)
    return result[::-1]


def mixed_radix(
    frame: Frame, item: syntax.Expression, parts: tuple[Expr, ...], scope: Scope
) -> Expr:
    """The flat index of a composite one: its parts are live indices."""
    flat = parts[0]
    ranges = {a.index: a.stop for a in scope.axes}
    for part in parts[1:]:
        if part not in ranges:
            frame.fail(item, "the extent of this part is not known", "E0502")
        flat = multiply_add(flat, ranges[part], part)
    return flat


def in_bounds(found: tuple[Expr, ...], dims: Sequence[Expr], scope: Scope) -> Expr:
    """The condition under which the indices are inside; TRUE where proven."""
    condition: Expr = TRUE
    extents = scope.extents
    for index, dim in zip(found, dims, strict=True):
        if not within(index, dim, extents, scope.path):
            condition = both(condition, compare("ge", index, ZERO))
            condition = both(condition, compare("lt", index, dim))
    return condition


def checked(
    frame: Frame,
    node: syntax.Index,
    operand: Operand,
    found: tuple[Expr, ...],
    scope: Scope,
) -> tuple[Expr, ...]:
    """The indices of an unguarded read, with a Check for each that is not proven.

    An index that holds data is reported with its operand; with ``bounds x clamp`` it
    is clamped instead.
    """
    policies = dict(frame.operator.clauses.bounds)
    extents = scope.extents
    result = list(found)
    for k, (index, dim) in enumerate(zip(found, operand.dims, strict=True)):
        if within(index, dim, extents, scope.path):
            continue
        inside = both(compare("ge", index, ZERO), compare("lt", index, dim))
        if inside in scope.path:
            continue
        source = _source(frame, index)
        if policies.get(source) == "clamp":
            last = arithmetic("sub", dim, ONE)
            result[k] = arithmetic("max", ZERO, arithmetic("min", index, last))
            continue
        condition = _whole_range(index, dim, scope) or inside
        _add_check(frame, node, condition, source, index, dim, scope)
    return tuple(result)


def _whole_range(index: Expr, dim: Expr, scope: Scope) -> Expr | None:
    """For a bare index: that its whole range is inside, without a loop over it.

    Not where the way here depends on the index, as in ``x[i] if i < n else ...``.
    """
    for axis in scope.axes:
        if any(axis.name in free_indices(taken) for taken in scope.path):
            continue
        if axis.index is index:
            empty = compare("le", axis.stop, axis.start)
            low = compare("ge", axis.start, ZERO)
            return either(empty, both(low, compare("le", axis.stop, dim)))
    return None


def _source(frame: Frame, index: Expr) -> str:
    """The tensor whose elements an index is made of: an input where it can be seen.

    In ``table[row[i], p]`` that is `table`, whatever decides the row.
    """
    whole = inlined_integers(frame, index)
    reads = [n for n in walk(index if whole is None else whole) if isinstance(n, Read)]
    inner = {n for r in reads for n in walk(*r.indices)}
    return next((r.tensor for r in reads if r not in inner), "")


def _add_check(
    frame: Frame,
    node: syntax.Index,
    inside: Expr,
    source: str,
    index: Expr,
    dim: Expr,
    scope: Scope,
) -> None:
    """Adds the check, under the conditions on the way to this read.

    A check runs before anything is computed, so it may read inputs only: integer
    locals are put in by their definitions. A condition on the way that depends on a
    computed fraction is left out; then an index is refused even where the read
    would not have happened.
    """
    condition = inlined_integers(frame, inside)
    if condition is None or condition is TRUE:
        return
    ranges = {a.name: a for a in scope.axes}
    used = free_indices(condition)
    for taken in reversed(scope.path):
        known = inlined_integers(frame, taken)
        if known is not None:
            known = _weakest(known, used, ranges)
            condition = either(negation(known), condition)
    value = inlined_integers(frame, index)
    needed = free_indices(condition)
    if value is not None and not free_indices(value) <= needed:
        value = None  # The range as a whole was looked at.
    axes: list[Axis] = []
    # Ranges may themselves depend on outer indices: take those along.
    for axis in reversed(scope.axes):
        if axis.name in needed:
            whole = inlined_integers(frame, axis)
            if not isinstance(whole, Axis):
                return
            axes.append(whole)
            needed |= free_indices(whole)
    what = f"an index in '{source}'" if source else f"an index into '{node.base}'"
    check = Check(
        tuple(reversed(axes)),
        condition,
        f"{what} is outside the axis of '{node.base}' it selects from",
        source or node.base,
        value,
        None if value is None else dim,
    )
    if check not in frame.shared.checks:
        frame.shared.checks.append(check)


def _weakest(guard: Expr, used: frozenset[str], ranges: Mapping[str, Axis]) -> Expr:
    """A guard without the indices that only it has, where it is easy to say so.

    ``p * z + w < n`` holds for some w if it holds for the first: so a check need not
    run over w. Where there is no w at all the check then asks more than it must.
    """
    if not isinstance(guard, Prim) or guard.op not in ("lt", "le"):
        return guard
    left, right = guard.args
    for name in free_indices(left) - used - free_indices(right):
        axis = ranges.get(name)
        if axis is not None and increases(left, name):
            left = substitute(left, {axis.index: axis.start})
    return compare(guard.op, left, right)


def inlined_integers(frame: Frame, node: Expr) -> Expr | None:
    """`node` with integer locals replaced by their values; None if others remain."""
    locals_ = frame.shared.locals

    def rule(inner: Expr) -> Expr | None:
        if isinstance(inner, Read) and inner.tensor in locals_:
            define = locals_[inner.tensor]
            if define.dtype.is_float:
                return None
            mapping: dict[Expr, Expr] = dict(
                zip(define.indices, inner.indices, strict=True)
            )
            # Its definition may read locals above it.
            return transform(substitute(define.value, mapping), rule)
        return None

    result = transform(node, rule)
    if any(isinstance(n, Read) and n.tensor in locals_ for n in walk(result)):
        return None
    return result
