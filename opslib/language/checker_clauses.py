"""Checks of the clauses: they name what the signature has, and fit it."""

from __future__ import annotations

from dataclasses import replace

from opslib.language.checker_expressions import check_expression
from opslib.language.checker_scope import Context, Scope, axes_text
from opslib.language.functions import DTYPES
from opslib.language.syntax import (
    Clauses,
    Composite,
    Name,
    Number,
    Pack,
    Parameter,
    Span,
    TensorType,
    Workload,
)
from opslib.spelling import did_you_mean


def check_clauses(context: Context, clauses: Clauses) -> None:
    """Report every clause that does not fit the signature."""
    signature = context.signature
    nowhere = context.operator.name_span
    if clauses.axis is not None and clauses.axis not in signature.sizes:
        message = f"'axis {clauses.axis}' names no size of a tensor"
        help = did_you_mean(clauses.axis, signature.sizes)
        help = help or f"name an axis so: x: T[..., {clauses.axis}]"
        context.error("E0603", message, clauses.place("axis") or nowhere, help)
    for sample in clauses.samples:
        known = [*signature.tensors, *signature.attributes]
        _named(context, "sample", sample.name, known, sample.span)
    for name, _ in clauses.bounds:
        place = clauses.place(f"bounds {name}") or nowhere
        _named(context, "bounds", name, [*signature.tensors], place)
    for name in clauses.mutates:
        place = clauses.place(f"mutates {name}") or nowhere
        _named(context, "mutates", name, [*signature.tensors], place)
    accumulate = clauses.accumulate
    dtypes = [*DTYPES, *signature.dtypes]
    if accumulate is not None and accumulate not in dtypes:
        place = clauses.place("accumulate") or nowhere
        message = f"there is no dtype '{accumulate}'"
        context.error("E0401", message, place, did_you_mean(accumulate, dtypes))
    for require in clauses.requires:
        check_expression(context, Scope(), require.condition)
    for workload in clauses.workloads:
        _workload(context, workload)
    # In a gradient, the adjoint of a result y is dy, and a bare name is the element
    # at the position of the parameter.
    adjoints = {f"d{name}" for name in signature.results}
    with_adjoints = replace(context, adjoints=adjoints, definition=-1)
    scope = Scope(packs=frozenset({None}), whole=True)
    for gradient in clauses.gradients:
        known = [*signature.tensors]
        if _named(context, "grad", gradient.name, known, gradient.span):
            check_expression(with_adjoints, scope, gradient.value)


def _named(
    context: Context, clause: str, name: str, known: list[str], span: Span
) -> bool:
    if name in known:
        return True
    kind = context.signature.kind_of(name)
    message = f"'{clause} {name}' names no {_what(clause)}"
    help = did_you_mean(name, known) if not kind else f"'{name}' is {kind}"
    if not help and known:
        help = "there is " + ", ".join(known)
    context.error("E0603", message, span, help)
    return False


def _what(clause: str) -> str:
    return "parameter" if clause == "sample" else "tensor parameter"


def _workload(context: Context, workload: Workload) -> None:
    signature = context.signature
    sizes: dict[str, int] = {}
    seen: set[str] = set()
    for name, dtype, shape in workload.tensors:
        parameter = signature.tensors.get(name)
        if parameter is None:
            _misfit(
                context,
                workload,
                f"names no tensor parameter '{name}'",
                did_you_mean(name, signature.tensors),
            )
            continue
        if name in seen and not parameter.variadic:
            _misfit(context, workload, f"gives '{name}' twice")
        seen.add(name)
        if dtype not in DTYPES:
            help = did_you_mean(dtype, DTYPES)
            _misfit(context, workload, f"has no dtype '{dtype}'", help)
        problem = _shape_problem(parameter, shape, sizes)
        if problem:
            _misfit(context, workload, problem)
    attributes = set(signature.attributes)
    if context.operator.clauses.axis is not None:
        attributes.add("axis")  # the attribute that the clause stands for
    for name, _ in workload.attributes:
        if name not in attributes:
            help = did_you_mean(name, attributes)
            _misfit(context, workload, f"names no attribute '{name}'", help)
    given = {name for name, _ in workload.attributes} | seen
    for parameter in context.operator.parameters:
        absent = parameter.name not in given
        implied = parameter.optional or parameter.variadic or parameter.default
        if absent and not implied:
            _misfit(context, workload, f"misses '{parameter.name}'")


def _misfit(context: Context, workload: Workload, problem: str, help: str = "") -> None:
    message = f"the workload '{workload.label}' {problem}"
    if not help and "but the axes are" in problem:
        help = "one size for each axis, such as x float32[8, 64]"
    context.error("E0604", message, workload.span, help)


def _shape_problem(
    parameter: Parameter, shape: tuple[int, ...], sizes: dict[str, int]
) -> str:
    """What is wrong with a shape; remembers the sizes it determines."""
    assert isinstance(parameter.type, TensorType)
    axes = parameter.type.axes
    packs = [i for i, axis in enumerate(axes) if isinstance(axis, Pack)]
    plain = len(axes) - len(packs)
    declared = axes_text(parameter.name, axes)
    if len(shape) < plain or (not packs and len(shape) > plain):
        count = f"{len(shape)} size" + ("" if len(shape) == 1 else "s")
        return f"gives '{parameter.name}' {count}, but the axes are {declared}"
    if len(packs) > 1 or parameter.variadic:
        return ""
    before = packs[0] if packs else len(axes)
    pairs = list(zip(axes[:before], shape, strict=False))
    after = len(axes) - before - 1
    if packs and after:
        pairs += list(zip(axes[-after:], shape[-after:], strict=True))
    for axis, size in pairs:
        if isinstance(axis, Name):
            known = sizes.setdefault(axis.name, size)
            if known != size:
                return f"gives '{axis.name}' both {known} and {size}"
        elif isinstance(axis, Number) and axis.value != size:
            return f"gives {size} for an axis that is {axis.value}"
        elif isinstance(axis, Composite):
            for part in axis.parts:
                divisor = part.value if isinstance(part, Number) else 1
                if isinstance(part, Name):
                    divisor = sizes.get(part.name, 1)
                if divisor and size % divisor:
                    return f"gives {size} for an axis that {divisor} divides"
    return ""
