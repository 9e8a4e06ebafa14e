"""Which axis of an array is which axis of the program: orders, views and tags."""

from __future__ import annotations

import math
from collections.abc import Sequence

from opslib.errors import ArgumentError, ShapeError, SpecError
from opslib.ir.binding import BoundInput, BoundOutput, Tag
from opslib.ir.dtypes import DType
from opslib.ir.facts import Facts, Placed
from opslib.ir.statics import (
    UNDEFINED,
    NotStatic,
    StaticScope,
    evaluate,
    evaluate_pack,
    place_of,
)
from opslib.ir.view import View
from opslib.language import syntax
from opslib.language.tree import mentions


def axis_order(
    facts: Facts,
    declared: Sequence[syntax.Expression],
    shape: tuple[int, ...],
    name: str,
) -> tuple[int, ...]:
    """Array axes in the declared order: the `axis` clause moves one of them."""
    rank = len(shape)
    identity = tuple(range(rank))
    moving = facts.operator.clauses.axis
    packs = [k for k, a in enumerate(declared) if isinstance(a, syntax.Pack)]
    if moving is None or not packs:
        return identity
    spots = [
        k
        for k, a in enumerate(declared)
        if not isinstance(a, syntax.Pack) and mentions(a, moving)
    ]
    if not spots:
        return identity
    spot = spots[0]
    if not -rank <= facts.axis < rank:
        facts.fail(
            ArgumentError,
            name,
            f"axis {facts.axis} of {facts.operator.name} is out of range for an "
            f"array of shape {shape}",
            "E0704",
            help=f"-{rank} <= axis < {rank}" if rank else "",
        )
    # The position in the declared order, counted from the end after a pack.
    target = spot - len(declared) + rank if spot > packs[0] else spot
    order = [k for k in identity if k != facts.axis % rank]
    order.insert(target, facts.axis % rank)
    return tuple(order)


def bound_input(
    facts: Facts,
    array: Placed,
    dtype: DType,
    dealt: Sequence[tuple[syntax.Expression, tuple[int, ...]]],
) -> BoundInput:
    """An array as the program sees it; `dealt` are its declared axes and extents."""
    shape: list[int] = []
    extents: list[int] = []
    tags: list[Tag] = []
    scope = facts.scope()
    for axis, part in dealt:
        if isinstance(axis, syntax.Pack) and axis.value is None:
            full = facts.packs[None]
            shape += [1] * (len(full) - len(part)) + list(part)
            extents += full
            tags += [(None, k) for k in range(len(full))]
        elif isinstance(axis, syntax.Composite):
            factors = [evaluate(f, scope) for f in axis.parts]
            shape += factors
            extents += factors
            tags += [None] * len(factors)
        else:
            shape += part
            extents += part
            tags += _tags(axis, scope, len(part))
    order = facts.orders[array.name]
    if array.given is not None:
        # It leaves axes out; the view puts them in, of length 1.
        order = tuple(range(len(array.given)))
    view = View(order, tuple(shape), tuple(extents))
    parameter = array.parameter.name
    return BoundInput(array.name, parameter, array.instance, dtype, view, tuple(tags))


def bound_output(facts: Facts, result: syntax.Result, dtype: DType) -> BoundOutput:
    """A result: the caller's shape, and the program's view of it."""
    axes = result.type.axes
    final: list[int] = []
    inner: list[int] = []
    tags: list[Tag] = []
    scope = facts.scope()
    left_out = facts.missing & set(result.type.absent)
    try:
        for axis in axes:
            if isinstance(axis, syntax.Pack):
                entries = evaluate_pack(axis, scope)
                final += entries
                kept = _kept_positions(axis.value, scope)
                inner += [n for k, n in enumerate(entries) if k not in kept]
                tags += _tags(axis, scope, len(entries) - len(kept))
            elif isinstance(axis, syntax.Composite):
                factors = [evaluate(f, scope) for f in axis.parts]
                final.append(math.prod(factors))
                inner += factors
                tags += [None] * len(factors)
            else:
                n = evaluate(axis, scope)
                if not (isinstance(axis, syntax.Name) and axis.name in left_out):
                    final.append(n)
                inner.append(n)
                tags.append(None)
    except NotStatic as problem:
        facts.fail(
            SpecError,
            result.name,
            f"an extent of '{result.name}' of {facts.operator.name} does not follow "
            f"from the call: {problem}",
            "E0502",
            help="extents are made of sizes, attributes and whole numbers",
        )
    except UNDEFINED as problem:
        facts.fail(
            ArgumentError,
            result.name,
            f"the shape of '{result.name}' of {facts.operator.name} cannot be "
            f"computed: {problem}",
            "E0704",
        )
    if any(n < 0 for n in (*final, *inner)):
        facts.fail(
            ShapeError,
            result.name,
            f"{facts.operator.name} would give '{result.name}' the shape "
            f"{tuple(final)}",
            "E0702",
        )
    ordered = tuple(final)
    # `order[k]` is the array axis at declared position k; lay out accordingly.
    order = axis_order(facts, axes, ordered, result.name)
    shape = [0] * len(ordered)
    for position, axis_number in enumerate(order):
        shape[axis_number] = ordered[position]
    view = View(order, tuple(inner), tuple(inner))
    return BoundOutput(result.name, dtype, tuple(shape), view, tuple(tags))


def _tags(axis: syntax.Expression, scope: StaticScope, count: int) -> list[Tag]:
    """Which entries of which pack the program axes of a declared axis are."""
    value = axis.value if isinstance(axis, syntax.Pack) else None
    if isinstance(axis, syntax.Pack) and value is None:
        return [(None, k) for k in range(count)]
    if isinstance(value, syntax.Name):
        return [(value.name, k) for k in range(count)]
    if isinstance(value, syntax.Apply) and value.function in ("drop", "head", "tail"):
        source = value.arguments[0]
        if isinstance(source, syntax.Name):
            axis_value = place_of(value.arguments[1], scope)
            gap = isinstance(axis_value, int)
            axes = (axis_value,) if gap else axis_value
            rank = len(scope.packs[source.name])
            if value.function == "drop":
                positions = [k for k in range(rank) if k not in axes]
            elif value.function == "head":
                positions = list(range(axes[0]))
            else:
                positions = list(range(axes[0] if gap else axes[0] + 1, rank))
            return [(source.name, k) for k in positions]
    return [None] * count


def _kept_positions(
    node: syntax.Expression | None, scope: StaticScope
) -> tuple[int, ...]:
    """Positions of the axes of length 1 that `keepdims` keeps; not in the program."""
    if isinstance(node, syntax.Apply) and node.function == "drop":
        arguments = node.arguments
        if len(arguments) > 2 and evaluate(arguments[2], scope):
            axes: tuple[int, ...] = place_of(arguments[1], scope)
            return axes
    return ()
