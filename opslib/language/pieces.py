"""Pieces of a result tried on small sizes: is each element defined exactly once?

A search, not a proof: it finds an example where there is one among small sizes. What
holds for all sizes is proven when the operator is expanded, or checked as it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from opslib.language.syntax import (
    Apply,
    Binary,
    Boolean,
    Composite,
    Conditional,
    Definition,
    Expression,
    Index,
    Name,
    Number,
    Operator,
    Pack,
    Parameter,
    Target,
    TensorType,
    Unary,
)
from opslib.language.tree import names, walk

# Values tried for each size, and for each integer attribute.
_SIZES = range(5)
_ATTRIBUTES = range(-1, 5)
_MOST_ASSIGNMENTS = 2000
_MOST_ELEMENTS = 400

Env = Mapping[str, int]


class Unknown(Exception):
    """The value depends on more than small integers."""


@dataclass(frozen=True, slots=True)
class Example:
    """An element that is not defined exactly once.

    where: the sizes it was found with, in words. element: ``y[..., 3]``. by: the
    definitions that give it, two or none; one for an element outside the result.
    """

    where: str
    element: str
    by: tuple[Definition, ...]


def is_piece(definition: Definition) -> bool:
    """Whether a definition may leave elements of its result to others."""
    if definition.ranges or definition.condition is not None:
        return True
    return not all(
        _whole(item) for target in definition.targets for item in target.items
    )


def _whole(item: Expression) -> bool:
    if isinstance(item, Composite):
        return all(isinstance(part, Name) for part in item.parts)
    return isinstance(item, Name) or (
        isinstance(item, Pack) and isinstance(item.value, Name | None)
    )


def find_example(operator: Operator, result: str) -> Example | None:
    """An element of `result` that its pieces miss, or define twice."""
    declared = next(r for r in operator.results if r.name == result)
    pieces = [
        d
        for d in operator.definitions
        if d.combine is None and d.targets[0].name == result
    ]
    axes = _spread(declared.type.axes)
    if axes is None or any(len(d.targets) > 1 for d in pieces):
        return None
    try:
        bound = [_Piece.of(operator, d, axes) for d in pieces]
        for env in _assignments(operator, declared.type, pieces):
            found = _try(operator, result, axes, bound, env)
            if found is not None:
                return found
    except Unknown:
        return None
    return None


def _spread(axes: tuple[Expression, ...]) -> list[tuple[Expression, ...]] | None:
    """The parts of each axis that is no pack."""
    found = []
    for axis in axes:
        if isinstance(axis, Pack):
            if not isinstance(axis.value, Name | None):
                return None
            continue
        found.append(axis.parts if isinstance(axis, Composite) else (axis,))
    return found


@dataclass(frozen=True, slots=True)
class _Piece:
    """One definition: what stands at each part of each axis, and how far indices go."""

    definition: Definition
    items: tuple[Expression, ...]
    indices: tuple[str, ...]
    ranges: Mapping[str, tuple[Expression, Expression]]

    @staticmethod
    def of(
        operator: Operator,
        definition: Definition,
        axes: list[tuple[Expression, ...]],
    ) -> _Piece:
        target = definition.targets[0]
        given = [item for item in target.items if not isinstance(item, Pack)]
        packs = [item for item in target.items if isinstance(item, Pack)]
        if len(given) != len(axes) or any(
            not isinstance(p.value, Name | None) for p in packs
        ):
            raise Unknown
        items: list[Expression] = []
        for item, parts in zip(given, axes, strict=True):
            if isinstance(item, Composite) and len(item.parts) == len(parts):
                items += item.parts
            elif len(parts) == 1 and not isinstance(item, Composite):
                items.append(item)
            else:
                raise Unknown
        flat = [part for parts in axes for part in parts]
        ranges: dict[str, tuple[Expression, Expression]] = {}
        indices: list[str] = []
        zero = Number(value=0, span=definition.span)
        for written, extent in zip(items, flat, strict=True):
            for name in _free(operator, written):
                if name in indices:
                    continue
                indices.append(name)
                bounds = _range(operator, definition, name)
                if bounds is None:
                    bounds = (zero, extent) if isinstance(written, Name) else None
                if bounds is None:
                    raise Unknown
                ranges[name] = bounds
        return _Piece(definition, tuple(items), tuple(indices), ranges)


def _free(operator: Operator, item: Expression) -> list[str]:
    """Names of an item that are indices: not sizes, and not attributes."""
    known = {name for p in operator.tensors for a in _axes(p) for name in names(a)}
    known |= {p.name for p in operator.parameters}
    return [name for name in names(item) if name not in known]


def _axes(p: Parameter) -> tuple[Expression, ...]:
    return p.type.axes if isinstance(p.type, TensorType) else ()


def _range(
    operator: Operator, definition: Definition, name: str
) -> tuple[Expression, Expression] | None:
    for binder in definition.ranges:
        if binder.name == name and binder.start is not None:
            assert binder.stop is not None
            return binder.start, binder.stop
    target = definition.targets[0]
    if any(isinstance(item, Name) and item.name == name for item in target.items):
        return None
    extent = read_extent(operator, definition.value, name)
    return None if extent is None else (Number(value=0, span=extent.span), extent)


def read_extent(operator: Operator, value: Expression, name: str) -> Expression | None:
    """The axis of a parameter that `name` alone reads somewhere in `value`."""
    tensors = {p.name: _axes(p) for p in operator.tensors}
    for node in walk(value):
        if not isinstance(node, Index) or node.base not in tensors:
            continue
        pairs = _paired(node.items, tensors[node.base])
        for item, axis in pairs:
            if isinstance(item, Name) and item.name == name:
                return axis
            if isinstance(item, Composite) and isinstance(axis, Composite):
                for part, extent in zip(item.parts, axis.parts, strict=False):
                    if isinstance(part, Name) and part.name == name:
                        return extent
    return None


def _paired(
    items: tuple[Expression, ...], axes: tuple[Expression, ...]
) -> list[tuple[Expression, Expression]]:
    """Items with the axes they select from, those beside a pack only."""
    pairs: list[tuple[Expression, Expression]] = []
    for forward in (True, False):
        both = zip(
            items if forward else items[::-1],
            axes if forward else axes[::-1],
            strict=False,
        )
        for item, axis in both:
            if isinstance(item, Pack) or isinstance(axis, Pack):
                break
            pairs.append((item, axis))
    return pairs


# --- the search --------------------------------------------------------------------


def _assignments(
    operator: Operator, kind: TensorType, pieces: list[Definition]
) -> Iterator[dict[str, int]]:
    """Small values of everything that the pieces and the extents speak of."""
    integers = {
        p.name for p in operator.attributes if getattr(p.type, "kind", "") == "int"
    }
    sizes = [n for p in operator.tensors for a in _axes(p) for n in names(a)]
    mentioned = [
        n for axis in kind.axes if not isinstance(axis, Pack) for n in names(axis)
    ]
    for piece in pieces:
        mentioned += names(piece.targets[0].items)
        for binder in piece.ranges:
            mentioned += names((binder.start, binder.stop))
        if piece.condition is not None:
            mentioned += names(piece.condition)
        for item in piece.targets[0].items:
            for name in _free(operator, item):
                extent = read_extent(operator, piece.value, name)
                mentioned += [] if extent is None else names(extent)
    wanted = [n for n in dict.fromkeys(mentioned) if n in integers or n in sizes]
    choices = [_ATTRIBUTES if n in integers else _SIZES for n in wanted]
    for number, values in enumerate(product(*choices)):
        if number >= _MOST_ASSIGNMENTS:
            return
        env = dict(zip(wanted, values, strict=True))
        if _required(operator, env):
            yield env


def _required(operator: Operator, env: Env) -> bool:
    """Whether a call with these sizes is allowed, as far as can be seen."""
    for require in operator.clauses.requires:
        try:
            if not value_of(require.condition, env):
                return False
        except Unknown:
            if set(names(require.condition)) & set(env):
                return False  # It may forbid just this.
    return True


def _try(
    operator: Operator,
    result: str,
    axes: list[tuple[Expression, ...]],
    pieces: list[_Piece],
    env: Env,
) -> Example | None:
    extents = [value_of(part, env) for parts in axes for part in parts]
    total = 1
    for extent in extents:
        total *= extent
        if extent < 0:
            return None
    if total > _MOST_ELEMENTS:
        return None
    found: dict[tuple[int, ...], Definition] = {}
    for piece in pieces:
        for place in _places(piece, env):
            inside = all(0 <= k < n for k, n in zip(place, extents, strict=True))
            if not inside:
                return _example(result, axes, place, env, (piece.definition,))
            if place in found:
                both = (found[place], piece.definition)
                return _example(result, axes, place, env, both)
            found[place] = piece.definition
    for place in product(*map(range, extents)):
        if place not in found:
            return _example(result, axes, place, env, ())
    return None


def _places(piece: _Piece, env: Env) -> Iterator[tuple[int, ...]]:
    def go(depth: int, env: dict[str, int]) -> Iterator[tuple[int, ...]]:
        if depth == len(piece.indices):
            condition = piece.definition.condition
            if condition is None or value_of(condition, env):
                yield tuple(value_of(item, env) for item in piece.items)
            return
        name = piece.indices[depth]
        start, stop = (value_of(end, env) for end in piece.ranges[name])
        for value in range(start, min(stop, start + _MOST_ELEMENTS)):
            yield from go(depth + 1, {**env, name: value})

    yield from go(0, dict(env))


def _example(
    result: str,
    axes: list[tuple[Expression, ...]],
    place: tuple[int, ...],
    env: Env,
    by: tuple[Definition, ...],
) -> Example:
    numbers = iter(place)
    shown = []
    for parts in axes:
        inside = " ".join(str(next(numbers)) for _ in parts)
        shown.append(f"({inside})" if len(parts) > 1 else inside)
    where = ", ".join(f"{name} = {value}" for name, value in env.items())
    return Example(where, f"{result}[{', '.join(shown)}]", by)


# --- small integers ----------------------------------------------------------------


_BINARY: dict[str, Callable[[int, int], int]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "<<": lambda x, y: x << y,
    ">>": lambda x, y: x >> y,
    "&": lambda x, y: x & y,
    "|": lambda x, y: x | y,
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
    "==": lambda x, y: x == y,
    "!=": lambda x, y: x != y,
}


def value_of(node: Expression, env: Env) -> int:
    """The value of an integer expression; raises `Unknown`."""
    match node:
        case Number(value=int() as number):
            return number
        case Boolean():
            return int(node.value)
        case Name() if node.name in env:
            return env[node.name]
        case Composite():
            total = 1
            for part in node.parts:
                total *= value_of(part, env)
            return total
        case Unary():
            operand = value_of(node.operand, env)
            return {"-": -operand, "not": int(not operand)}.get(node.operator, ~operand)
        case Conditional():
            taken = value_of(node.condition, env)
            return value_of(node.value if taken else node.other, env)
        case Binary(operator="and"):
            return value_of(node.left, env) and value_of(node.right, env)
        case Binary(operator="or"):
            return value_of(node.left, env) or value_of(node.right, env)
        case Binary():
            left, right = value_of(node.left, env), value_of(node.right, env)
            if node.operator in ("//", "%") and right:
                return left // right if node.operator == "//" else left % right
            shift = node.operator in ("<<", ">>") and not 0 <= right < 64
            if node.operator in _BINARY and not shift:
                return int(_BINARY[node.operator](left, right))
        case Apply(function="max" | "min" | "abs", keywords=()) if node.arguments:
            values = [value_of(argument, env) for argument in node.arguments]
            if node.function == "abs":
                return abs(values[0])
            return max(values) if node.function == "max" else min(values)
    raise Unknown


def target_text(target: Target) -> str:
    """The left side as it is written."""
    span = target.span
    return span.source.text[span.start : span.stop]
