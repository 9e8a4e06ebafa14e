"""Is a parsed operator well formed? Names, ranks, coverage, recurrences, clauses.

What needs sizes or dtypes of a call (whether extents agree, whether every element is
covered) is checked later, when they are known; everything else is found here, before
anybody calls the operator. All errors are reported at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from opslib.language.checker_calls import called, fits_primitive, value_count
from opslib.language.checker_clauses import check_clauses
from opslib.language.checker_coverage import check_coverage
from opslib.language.checker_dtypes import check_dtypes
from opslib.language.checker_expressions import check_expression
from opslib.language.checker_order import check_order, circle_of
from opslib.language.checker_scope import (
    Context,
    Scope,
    check_rank,
    example_read,
    is_tensor,
    size_as_index,
)
from opslib.language.checker_signature import (
    Report,
    check_signature,
    declare,
    names_in,
)
from opslib.language.checker_values import check_values
from opslib.language.diagnostics import Diagnostic, raise_spec
from opslib.language.lexer import MAX_ERRORS
from opslib.language.syntax import (
    Apply,
    Conditional,
    Definition,
    Expression,
    Index,
    Name,
    Node,
    Operator,
    Pack,
    Span,
    Target,
    TupleOf,
)
from opslib.language.tree import children


def check(operator: Operator, known: Mapping[str, Operator]) -> Operator:
    """Return `operator`, or raise.

    Args:
        operator: as parsed.
        known: the other operators that it may call, by name.

    Raises:
        SpecError: showing every error found, under the code of the first.
    """
    errors, _ = diagnose(operator, known)
    if errors:
        raise_spec(errors[:MAX_ERRORS])
    return operator


def warnings(
    operator: Operator, known: Mapping[str, Operator]
) -> tuple[Diagnostic, ...]:
    """What is suspicious, but allowed: locals never used (W0301)."""
    return diagnose(operator, known)[1]


def diagnose(
    operator: Operator, known: Mapping[str, Operator]
) -> tuple[tuple[Diagnostic, ...], tuple[Diagnostic, ...]]:
    """The errors in the order of the text, at most `MAX_ERRORS`, and all warnings."""
    errors: dict[Diagnostic, None] = {}

    def report(error: Diagnostic) -> None:
        errors[error] = None
        if len(errors) >= MAX_ERRORS:
            raise _Enough

    warned: list[Diagnostic] = []
    with suppress(_Enough):
        warned = _check(operator, known, report)
    ordered = sorted(errors, key=lambda e: e.span.start if e.span else -1)
    return tuple(ordered), tuple(warned)


class _Enough(Exception):
    """As many errors as are shown; finding more takes time for nothing."""


def _check(
    operator: Operator, known: Mapping[str, Operator], report: Report
) -> list[Diagnostic]:
    """Report the errors; returns the warnings."""
    found = 0

    def count(error: Diagnostic) -> None:
        nonlocal found
        found += 1
        report(error)

    signature = declare(operator, count)
    check_signature(signature, count)
    context = Context(operator, known, signature, count)
    _declare_locals(context)
    for number, definition in enumerate(operator.definitions):
        context.definition = number
        _definition(context, definition)
    context.definition = -1
    check_values(context)
    check_coverage(context)
    check_order(context, operator.definitions)
    check_clauses(context, operator.clauses)
    _circle(context)
    if not found:
        # The types of an ill-formed body would only repeat its errors.
        check_dtypes(context)
    unused = [name for name in context.declared if name not in context.used]
    return [
        Diagnostic("W0301", f"'{name}' is never used", context.declared[name])
        for name in unused
    ]


def _declare_locals(context: Context) -> None:
    """Collect the locals first: what a forward read means is known then."""
    signature = context.signature
    for definition in context.operator.definitions:
        for target in definition.targets:
            name = target.name
            if name in signature.tensors or name in signature.results:
                continue
            kind = signature.kind_of(name)
            if kind:
                message = f"'{name}' is {kind} already"
                help = "every name of an operator means one thing"
                context.error("E0303", message, target.span, help)
                continue
            if name not in context.declared:
                context.declared[name] = target.span
                calls = isinstance(definition.value, Apply)
                whole = not target.items and calls and _is_call(context, definition)
                context.locals[name] = None if whole else target.items


def _is_call(context: Context, definition: Definition) -> bool:
    """Whether the value is the whole result of an operator."""
    value = definition.value
    is_call = isinstance(value, Apply) and not fits_primitive(value)
    return is_call and getattr(value, "function", "") in context.known


def _definition(context: Context, definition: Definition) -> None:
    scope = Scope()
    signature = context.signature
    for target in definition.targets:
        name = target.name
        parameter = signature.tensors.get(name)
        if parameter is not None and name not in context.operator.clauses.mutates:
            message = f"'{name}' is a parameter, and cannot be defined"
            help = f"choose another name, or declare 'mutates {name}'"
            context.error("E0310", message, target.span, help)
        scope = _target(context, scope, target, definition)
    _values(context, definition)
    for binder in definition.ranges:
        if binder.name not in scope.indices and definition.combine is None:
            message = f"'{binder.name}' is no index of the left side"
            help = "a range behind a definition says where its own index goes"
            context.error("E0301", message, binder.span, help)
        for end in (binder.start, binder.stop):
            if end is not None:
                check_expression(context, Scope(), end)
    if definition.condition is not None:
        check_expression(context, scope, definition.condition)
    check_expression(context, scope, definition.value)


def _target(
    context: Context, scope: Scope, target: Target, definition: Definition
) -> Scope:
    """Check a left side; returns the scope with its indices."""
    name, signature = target.name, context.signature
    declared = signature.tensors.get(name) or signature.results.get(name)
    axes = getattr(getattr(declared, "type", None), "axes", None)
    if axes is None:
        axes = context.locals.get(name)
    whole = not target.items and isinstance(definition.value, Apply)
    if axes is not None and not (whole and _is_call(context, definition)):
        help = ""
        if declared is not None and target.span == declared.span:
            body = example_read(name, axes)
            help = f"one line is for results of the type T[...]; write a body: {body} ="
        check_rank(context, name, axes, target.items, target.span, help)
    indices: set[str] = set(scope.indices)
    packs: set[str | None] = set(scope.packs)
    _instance(context, target, indices)
    depends: Node | None = None
    for item in target.items:
        if size_as_index(context, scope, item):
            continue
        if isinstance(item, Pack) and item.value is None:
            packs.add(None)
            continue
        for node in _names_and_reads(item):
            if isinstance(node, Index):
                depends = depends or (node if is_tensor(context, node.base) else None)
            elif is_tensor(context, node.name):
                depends = depends or node
            elif not signature.kind_of(node.name):
                (packs if isinstance(item, Pack) else indices).add(node.name)
    scope = Scope(indices=frozenset(indices), packs=frozenset(packs))
    for item in target.items:
        if not isinstance(item, Name):
            check_expression(context, scope, item)
    if depends is not None and definition.combine is None:
        message = f"'{name}' is written where the data say, perhaps twice"
        help = f"say how writes combine: {name}[...] add= ..., or mul=, max=, min="
        context.error("E0508", message, depends.span, help)
    return scope


def _instance(context: Context, target: Target, indices: set[str]) -> None:
    """Check the selector of a variadic result; it is an index on the right side."""
    result = context.signature.results.get(target.name)
    variadic = result is not None and result.instances is not None
    if variadic != (target.which is not None):
        message = f"'{target.name}' is {'variadic' if variadic else 'one tensor'}"
        help = f"define each: {target.name}[v][...] = ..." if variadic else ""
        help = help or f"write {target.name}[...], without a selector"
        context.error("E0411", message, target.span, help)
    if target.which is None:
        return
    kind = context.signature.kind_of(target.which.name)
    if kind:
        message = f"'{target.which.name}' is {kind} already"
        context.error("E0308", message, target.which.span, "bind another name")
    indices.add(target.which.name)


def _names_and_reads(item: Expression) -> list[Name | Index]:
    found: list[Name | Index] = list(names_in(item))
    stack: list[Node] = [item]
    while stack:
        node = stack.pop()
        if isinstance(node, Index):
            found.append(node)
        stack.extend(children(node))
    return found


def _values(context: Context, definition: Definition) -> None:
    """Report a number of targets that is not the number of values."""
    targets = len(definition.targets)
    stack: list[Expression] = [definition.value]
    while stack:
        value = stack.pop()
        if isinstance(value, Conditional):
            stack += [value.value, value.other]
            continue
        count = value_count(context, value)
        if isinstance(value, TupleOf):
            count = len(value.items)
        if count is None or count == targets:
            continue
        message = f"{_plural(count, 'value')} for {_plural(targets, 'target')}"
        names = ", ".join(f"{'abcdefgh'[i % 8]}[r]" for i in range(min(count, 4)))
        help = f"write {names} = ..." if targets == 1 else "name one target per value"
        context.error("E0412", message, value.span, help)


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _circle(context: Context) -> None:
    """Report an operator that calls itself, directly or by others."""
    operator = context.operator
    calls: dict[str, Mapping[str, Span]] = {}
    queue = [operator]
    for caller in queue:
        if caller.name in calls:
            continue
        calls[caller.name] = called(caller)
        queue += [context.known[n] for n in calls[caller.name] if n in context.known]
    way = circle_of(operator.name, calls)
    if way:
        through = " -> ".join(f"'{name}'" for name in way)
        message = f"'{operator.name}' calls itself: {through}"
        help = "an operator is expanded where it is called; a recurrence reads y[t - 1]"
        context.error("E0307", message, calls[operator.name][way[1]], help)
