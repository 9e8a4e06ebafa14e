"""The whole operator: inputs, definitions in order, outputs, checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from opslib.errors import SpecError
from opslib.ir.binding import Statics
from opslib.ir.build import cast, is_weak
from opslib.ir.dtypes import FLOAT64, compute_type
from opslib.ir.expansion import definitions, values
from opslib.ir.expansion.draft import Draft
from opslib.ir.expansion.frame import Frame, Group, LocalValue, Scope, Shared
from opslib.ir.expansion.instances import define_instances
from opslib.ir.expansion.pieces import joined, pieces_of
from opslib.ir.expansion.recurrences import (
    in_type,
    mirrored,
    reads_itself,
    recurrent_axis,
    recursive_type,
    renamed,
)
from opslib.ir.expansion.scatter import scatter
from opslib.ir.expansion.signature import declare
from opslib.ir.expr import (
    ZERO,
    Axis,
    Check,
    Const,
    Define,
    Expr,
    Program,
    Tensor,
    depends_on_data,
)
from opslib.ir.roles import measured_axes
from opslib.language import syntax
from opslib.language.tree import mentions


def expand(
    operator: syntax.Operator,
    statics: Statics,
    library: Mapping[str, syntax.Operator],
) -> Program:
    """The program of `operator` for a binding's statics.

    Raises:
        SpecError: what only shows at concrete ranks and dtypes, with carets.
    """
    draft = Draft(Frame(Shared(library, values.value), operator), statics)
    declare(draft)
    needed = _needed(operator, statics.results)
    for number, definition in enumerate(operator.definitions):
        draft.frame.shared.definition = number
        if not any(t.name in needed for t in definition.targets):
            continue
        if definition.combine is not None:
            if _applies(draft, definition):
                scatter(draft, definition)
        elif pieces := pieces_of(operator, definition.targets[0].name):
            if definition is pieces[-1]:
                _define_pieces(draft, pieces)
        elif definition.targets[0].which is not None:
            define_instances(draft, definition)
        else:
            for output, target in enumerate(definition.targets):
                _define(draft, definition, target, output)
    _round_outputs(draft)
    _requirements(draft)
    return Program(
        operator.name,
        tuple(draft.inputs),
        tuple(draft.outputs[name] for name in draft.output_names()),
        tuple(draft.locals),
        tuple(draft.scalars),
        tuple(draft.sizes),
        tuple(draft.defines),
        tuple(draft.frame.shared.checks),
        operator.clauses.exact,
        (("op", operator.name), *statics.attributes),
    )


def _applies(draft: Draft, definition: syntax.Definition) -> bool:
    """Whether a combining write is there at all: its condition chooses a program."""
    if definition.condition is None:
        return True
    condition = draft.frame.value(definition.condition, Scope())
    if not isinstance(condition, Const):
        draft.frame.fail(
            definition.condition,
            "whether this write happens must be known before compilation",
            "E0512",
            help="ask for a string or bool attribute, or put it into the value",
        )
    return bool(condition.value)


def _needed(operator: syntax.Operator, results: tuple[str, ...]) -> set[str]:
    """Targets that a wanted result depends on."""
    needed = set(results)
    targets = {t.name for d in operator.definitions for t in d.targets}
    while True:
        more = set(needed)
        for definition in operator.definitions:
            if any(t.name in needed for t in definition.targets):
                sides = (definition.value, *definition.targets)
                more |= {name for name in targets if mentions(sides, name)}
        if more == needed:
            return needed
        needed = more


def _groups(
    draft: Draft, definition: syntax.Definition, target: syntax.Target
) -> list[Group]:
    result = draft.result(target.name)
    if result is not None:
        axes = list(result.type.axes)
        for k, name in measured_axes(result, draft.operator).items():
            draft.frame.sizes[name] = draft.size(name)
            axes[k] = syntax.Name(name=name, span=axes[k].span)
        return definitions.declared_groups(draft.frame, axes)
    return definitions.local_groups(draft.frame, definition, target)


def _define_pieces(draft: Draft, pieces: tuple[syntax.Definition, ...]) -> None:
    """A result in several pieces, defined where the last of them stands."""
    target = pieces[-1].targets[0]
    groups = _groups(draft, pieces[-1], target)
    axes, value = joined(draft, pieces, groups)
    _keep(draft, target, groups, axes, _strong(draft, target, value), None)


def _define(
    draft: Draft, definition: syntax.Definition, target: syntax.Target, output: int
) -> None:
    frame = draft.frame
    groups = _groups(draft, definition, target)
    axes, scope = definitions.bind_target(frame, target, groups)
    scope = replace(scope, output=output)
    if not reads_itself(definition, target):
        value = frame.value(definition.value, scope)
        if draft.result(target.name) is None and not axes and is_weak(value):
            frame.macros[target.name] = value
            return
        _keep(draft, target, groups, axes, _strong(draft, target, value), None)
        return
    # Its type is that of what it is made from; the declared one comes at the end.
    dtype = recursive_type(draft, target)
    draft.offer(target.name, groups, dtype, target.name)
    value = in_type(frame.value(definition.value, scope), dtype)
    along, backward = recurrent_axis(draft, definition, target, axes, value)
    if backward:
        read = mirrored(draft, target, groups, axes, value, along)
        _keep(draft, target, groups, axes, read, None)
    else:
        _keep(draft, target, groups, axes, value, along)


def _strong(draft: Draft, target: syntax.Target, value: Expr) -> Expr:
    """A value made of literals and sizes only takes the type it is stored in."""
    if not is_weak(value):
        return value
    declared = draft.declared(target.name)
    if declared is not None:
        return cast(value, compute_type(declared))
    if value.dtype == FLOAT64:
        for dtype in draft.frame.dtypes.values():
            if dtype.is_float:
                return cast(value, compute_type(dtype))
    return value


def _keep(
    draft: Draft,
    target: syntax.Target,
    groups: list[Group],
    axes: tuple[Axis, ...],
    value: Expr,
    recurrent: str | None,
) -> None:
    """Adds the Define, as an output where it may be written directly.

    A result that other definitions read stays unrounded for them: a local in the
    compute type, which `_round_outputs` copies out.
    """
    name = target.name
    dims = tuple(d for g in groups for d in g.dims)
    indices = tuple(a.index for a in axes)
    declared = draft.declared(name)
    wanted = name in draft.statics.results
    # A recurrence goes on with what it stored, so that must not have been rounded.
    whole = recurrent is None or declared == value.dtype
    if wanted and declared and whole and not _is_read(draft.operator, name):
        draft.outputs[name] = Tensor(name, declared, dims)
        rounded = cast(value, declared)
        draft.defines.append(Define(name, axes, indices, rounded, None, recurrent))
        return
    local = f"{name}_wide" if wanted else name
    if recurrent is not None and local != name:
        value = renamed(value, {name: local})
    draft.locals.append(Tensor(local, value.dtype, dims))
    # A recurrence is not a formula of its index: for checks it counts as a fraction.
    known = FLOAT64 if recurrent is not None else value.dtype
    draft.frame.shared.locals[local] = LocalValue(known, indices, value)
    draft.defines.append(Define(local, axes, indices, value, None, recurrent))
    draft.offer(name, groups, value.dtype, local)


def _is_read(operator: syntax.Operator, name: str) -> bool:
    """Whether another definition reads a result, or combines into it."""
    for definition in operator.definitions:
        own = {t.name for t in definition.targets}
        if name in own:
            if definition.combine is not None:
                return True
        elif mentions(definition.value, name):
            return True
    return False


def _round_outputs(draft: Draft) -> None:
    """Copies results that were kept as wide locals to the outputs, rounding."""
    for name in draft.output_names():
        if name in draft.outputs:
            continue
        operand, dtype = draft.frame.operands[name], draft.declared(name)
        assert dtype is not None
        axes = tuple(Axis(f"o{k}", ZERO, d) for k, d in enumerate(operand.dims))
        indices = tuple(a.index for a in axes)
        value = cast(operand.read(indices, Scope()), dtype)
        draft.outputs[name] = Tensor(name, dtype, operand.dims)
        draft.defines.append(Define(name, axes, indices, value))


def _requirements(draft: Draft) -> None:
    """Requirements on data, as checks; the others were decided while binding."""
    frame = draft.frame
    for require in draft.operator.clauses.requires:
        try:
            condition = frame.value(require.condition, Scope())
        except SpecError:
            continue  # It speaks of packs, as only binding can.
        if depends_on_data(condition):
            frame.shared.checks.append(Check((), condition, require.message))
