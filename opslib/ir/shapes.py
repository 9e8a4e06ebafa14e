"""Ranks of packs and values of sizes, solved from the shapes of a call's arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from opslib.errors import ShapeError
from opslib.ir.axes import axis_order
from opslib.ir.binding import Argument
from opslib.ir.facts import Facts, Placed
from opslib.ir.roles import axes_of, instance_sizes, pack_of
from opslib.ir.statics import (
    UNDEFINED,
    NotStatic,
    StaticScope,
    evaluate,
    evaluate_pack,
)
from opslib.language import syntax
from opslib.language.tree import names


@dataclass(frozen=True, slots=True)
class Equation:
    """An axis of an array, as it is declared and as long as it is."""

    array: Placed
    position: int
    axis: syntax.Expression
    extent: int


def solve_ranks(facts: Facts) -> None:
    """Finds the rank of every named pack; an array of a wrong rank is an error."""
    facts.ranks = {k: len(v) for k, v in facts.packs.items()}
    waiting = list(facts.arrays)
    while waiting:
        rest = [array for array in waiting if not _solve_rank(facts, array)]
        if len(rest) == len(waiting):
            _wrong_rank(facts, rest[0].parameter, rest[0].argument)
        waiting = rest


def solve_sizes(facts: Facts) -> list[Equation]:
    """Finds every size; the equations that need defaults of attributes are left."""
    equations: list[Equation] = []
    batches: list[tuple[str, tuple[int, ...]]] = []
    own = instance_sizes(facts.operator)
    for array in facts.arrays:
        p, shape = array.parameter, array.argument.shape
        order = axis_order(facts, axes_of(p), shape, p.name)
        facts.orders[array.name] = order
        declared = split(facts, p, tuple(shape[k] for k in order))
        for position, (axis, extents) in enumerate(declared):
            if isinstance(axis, syntax.Pack):
                _pack(facts, array, axis, extents, batches)
            elif isinstance(axis, syntax.Name) and p.variadic and axis.name in own:
                facts.instances.setdefault(axis.name, []).append(extents[0])
            else:
                equations.append(Equation(array, position, axis, extents[0]))
    for p in facts.operator.tensors:
        for axis in axes_of(p):
            # Packs that only an absent array has: nothing will read their entries.
            name = pack_of(axis)
            if name is not None and name not in facts.packs:
                facts.packs[name] = []
                facts.ranks[name] = 0
    _broadcast(facts, batches)
    return _solve(facts, equations)


def check_shapes(facts: Facts, unsolved: list[Equation]) -> None:
    """Holds the arrays to what could not be decided before all names were known."""
    for equation in _solve(facts, unsolved):
        _mismatch(facts, equation, None)
    for array in facts.arrays:
        p, argument = array.parameter, array.argument
        shape = tuple(argument.shape[k] for k in facts.orders[array.name])
        for position, (axis, extents) in enumerate(split(facts, p, shape)):
            if not isinstance(axis, syntax.Pack):
                continue
            if isinstance(axis.value, syntax.Name | None):
                continue
            wanted = tuple(evaluate_pack(axis, facts.scope()))
            if wanted != extents:
                facts.fail(
                    ShapeError,
                    f"{p.name}:{position}",
                    f"{facts.operator.name} got '{p.name}' of shape "
                    f"{argument.shape}, and needs {wanted} here",
                    "E0702",
                )


def split(
    facts: Facts, p: syntax.Parameter, shape: tuple[int, ...]
) -> list[tuple[syntax.Expression, tuple[int, ...]]]:
    """The array's extents, in declared order, dealt out to the declared axes."""
    axes = axes_of(p)
    widths: list[int | None] = []
    for axis in axes:
        name = _pack_name(axis, facts.ranks)
        if isinstance(axis, syntax.Pack):
            widths.append(None if name is None else facts.ranks[name])
        else:
            widths.append(1)
    free = len(shape) - sum(width or 0 for width in widths)
    result, at = [], 0
    for axis, width in zip(axes, widths, strict=True):
        n = free if width is None else width
        result.append((axis, shape[at : at + n]))
        at += n
    return result


# --- ranks -------------------------------------------------------------------------


def _pack_name(axis: syntax.Expression, ranks: Mapping[str | None, int]) -> str | None:
    """The pack that decides how many axes a declared one stands for."""
    if not isinstance(axis, syntax.Pack) or axis.value is None:
        return None
    found = pack_of(axis)
    if found is not None:
        return found
    return next((n for n in names(axis.value) if n in ranks), None)


def _solve_rank(facts: Facts, array: Placed) -> bool:
    axes, argument = axes_of(array.parameter), array.argument
    left = len(argument.shape) - sum(not isinstance(a, syntax.Pack) for a in axes)
    unknown: list[str | None] = []
    for axis in axes:
        if isinstance(axis, syntax.Pack):
            # The anonymous pack broadcasts: each array has its own rank.
            name = _pack_name(axis, facts.ranks)
            if name is not None and name in facts.ranks:
                left -= facts.ranks[name]
            else:
                unknown.append(name)
    if left < 0 or (left > 0 and not unknown):
        _wrong_rank(facts, array.parameter, argument)
    if len(unknown) > 1:
        return False
    if unknown and unknown[0] is not None:
        facts.ranks[unknown[0]] = left
    return True


def _wrong_rank(facts: Facts, p: syntax.Parameter, argument: Argument) -> NoReturn:
    axes = axes_of(p)
    assert isinstance(p.type, syntax.TensorType)
    least = sum(not isinstance(a, syntax.Pack) for a in axes) - len(p.type.absent)
    open_ended = False
    for axis in axes:
        if isinstance(axis, syntax.Pack):
            known = facts.ranks.get(pack_of(axis) or "")
            least += known or 0
            open_ended |= known is None
    rank = len(argument.shape)
    facts.fail(
        ShapeError,
        p.name,
        f"{facts.operator.name} got '{p.name}' of shape {argument.shape}, which "
        f"has {rank} {'axis' if rank == 1 else 'axes'}, and needs "
        f"{'at least ' if open_ended else ''}{least}",
        "E0701",
    )


# --- packs -------------------------------------------------------------------------


def _pack(
    facts: Facts,
    array: Placed,
    axis: syntax.Pack,
    extents: tuple[int, ...],
    batches: list[tuple[str, tuple[int, ...]]],
) -> None:
    if axis.value is None:
        batches.append((array.parameter.name, extents))
        return
    name = pack_of(axis)
    if name is None:
        return  # Arithmetic on a pack: checked when all packs are known.
    known = facts.packs.get(name)
    if known is None:
        facts.packs[name] = list(extents)
        facts.origin[f"...{name}"] = f"'{array.label}' has ...{name} = {extents}"
    elif tuple(known) != extents:
        origin = facts.origin.get(f"...{name}", f"...{name} = {tuple(known)}")
        facts.fail(
            ShapeError,
            array.parameter.name,
            f"{facts.operator.name} got '{array.label}' with ...{name} = {extents}, "
            f"but {origin}",
            "E0702",
        )


def _broadcast(facts: Facts, batches: list[tuple[str, tuple[int, ...]]]) -> None:
    rank = max((len(extents) for _, extents in batches), default=0)
    result = [1] * rank
    for name, extents in batches:
        for k, n in enumerate(extents, rank - len(extents)):
            if n != 1 and result[k] not in (1, n):
                shapes = "; ".join(f"'{b}' has ... = {e}" for b, e in batches)
                facts.fail(
                    ShapeError,
                    name,
                    f"the arguments of {facts.operator.name} do not broadcast: "
                    f"{shapes}",
                    "E0702",
                )
            if n != 1:
                result[k] = n
    facts.packs[None] = result
    facts.ranks[None] = rank


# --- sizes -------------------------------------------------------------------------


def _solve(facts: Facts, equations: list[Equation]) -> list[Equation]:
    """Solves what can be; returns the equations that no value is known for yet."""
    waiting = equations
    while waiting:
        rest = [e for e in waiting if not _solved(facts, e)]
        if len(rest) == len(waiting):
            return rest
        waiting = rest
    return []


def _solved(facts: Facts, equation: Equation) -> bool:
    axis, extent = equation.axis, equation.extent
    unknown = [n for n in names(axis) if n not in facts.values]
    if len(unknown) > 1:
        return False
    if unknown:
        attribute = unknown[0] in {p.name for p in facts.operator.attributes}
        if attribute and not isinstance(axis, syntax.Name | syntax.Composite):
            return False
    value: int | None
    try:
        if unknown:
            value = _invert(axis, extent, unknown[0], facts.scope())
        else:
            value = evaluate(axis, facts.scope())
    except NotStatic:
        return False
    except UNDEFINED:
        value = None
    if not unknown:
        if value != extent:
            _mismatch(facts, equation, value)
        return True
    if value is None or value < 0:
        _mismatch(facts, equation, None)
    facts.values[unknown[0]] = value
    facts.origin[unknown[0]] = (
        f"'{equation.array.label}' has shape {equation.array.shape}, "
        f"so {unknown[0]} = {value}"
    )
    return True


def _mismatch(facts: Facts, equation: Equation, value: int | None) -> NoReturn:
    name, shape = equation.array.parameter.name, equation.array.shape
    label = equation.array.label
    span = equation.axis.span
    text = span.source.text[span.start : span.stop]
    place = f"{name}:{equation.position}"
    known = [n for n in names(equation.axis) if n in facts.origin]
    wants = "where no size fits" if value is None else f"but {text} = {value}"
    because = "; ".join(facts.origin[n] for n in known)
    notes: list[tuple[syntax.Span | str, str]] = [
        (place, f"'{label}' has shape {shape}: {equation.extent} here")
    ]
    for n in known:
        other = _declared_at(facts.operator, n, name)
        if other:
            notes.append((other, facts.origin[n]))
    facts.fail(
        ShapeError,
        place,
        f"{facts.operator.name} got '{label}' of shape {shape}, whose axis {text} is "
        f"{equation.extent}, {wants}" + (f" ({because})" if because else ""),
        "E0702",
        labels=notes,
    )


def _declared_at(operator: syntax.Operator, size: str, not_in: str) -> str | None:
    for p in operator.tensors:
        for k, axis in enumerate(axes_of(p)):
            if p.name != not_in and isinstance(axis, syntax.Name) and axis.name == size:
                return f"{p.name}:{k}"
    return None


def _invert(
    node: syntax.Expression, extent: int, unknown: str, scope: StaticScope
) -> int | None:
    """The value of the one unknown for which `node` equals `extent`, or None."""
    match node:
        case syntax.Name():
            return extent
        case syntax.Composite():
            known, place = 1, None
            for part in node.parts:
                if unknown in names(part):
                    place = part
                else:
                    known *= evaluate(part, scope)
            if known == 0 or extent % known:
                return 0 if known == 0 and extent == 0 else None
            assert place is not None
            return _invert(place, extent // known, unknown, scope)
        case syntax.Binary():
            left = unknown in names(node.left)
            side, other = (node.left, node.right) if left else (node.right, node.left)
            value = evaluate(other, scope)
            match node.operator:
                case "+":
                    return _invert(side, extent - value, unknown, scope)
                case "-":
                    rest = extent + value if left else value - extent
                    return _invert(side, rest, unknown, scope)
                case "*" if value and extent % value == 0:
                    return _invert(side, extent // value, unknown, scope)
                case "//" if left:
                    return _invert(side, extent * value, unknown, scope)
    return None
