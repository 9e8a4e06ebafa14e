"""Is every element of a result defined exactly once?"""

from __future__ import annotations

from opslib.language.checker_scope import Context
from opslib.language.pieces import find_example, is_piece
from opslib.language.syntax import (
    Binder,
    Composite,
    Definition,
    Name,
    Number,
    Pack,
    Result,
    Span,
    Target,
)
from opslib.spelling import did_you_mean


def check_coverage(context: Context) -> None:
    """Every result is defined, whole definitions once, combines after a start."""
    first: dict[str, Target] = {}
    whole: dict[str, Target] = {}
    patterns: dict[tuple[object, ...], Target] = {}
    pieces: dict[str, list[Definition]] = {}
    broken: set[str] = set()
    for definition in context.operator.definitions:
        _ranges(context, definition)
        for target in definition.targets:
            name = target.name
            if definition.combine is not None:
                if name not in first and name not in context.signature.tensors:
                    message = f"'{name}' has no value yet to combine with"
                    help = f"give the initial value first, such as {name}[...] = 0"
                    context.error("E0509", message, target.span, help)
                first.setdefault(name, target)
                continue
            piece = is_piece(definition)
            limited = bool(definition.ranges) or definition.condition is not None
            pattern = (name, *_pattern(target))
            other = whole.get(name)
            if not limited:
                other = other or patterns.get(pattern)
            if other is None and not piece:
                other = first.get(name)
            if other is not None:
                message = f"elements of '{name}' are defined twice"
                labels = ((other.span, "first defined here"),)
                help = "define each once; or combine: add=, mul=, max=, min="
                context.error("E0305", message, target.span, help, labels)
                broken.add(name)
            first.setdefault(name, target)
            if not limited:
                patterns.setdefault(pattern, target)
            if not piece and _covers_all(target):
                whole.setdefault(name, target)
            if piece:
                pieces.setdefault(name, []).append(definition)
    for result in context.operator.results:
        if result.name not in first:
            message = f"the result '{result.name}' is never defined"
            names = [name for name in first if name not in context.signature.results]
            help = did_you_mean(result.name, names)
            help = help or f"define it: {result.name}[...] = ..."
            context.error("E0304", message, result.span, help)
        elif result.name in pieces and result.name not in broken:
            _pieces(context, result, pieces[result.name])


def _from_zero(binder: Binder) -> bool:
    return isinstance(binder.start, Number) and binder.start.value == 0


def _ranges(context: Context, definition: Definition) -> None:
    """Ranges and conditions stand behind pieces of results only."""
    if not definition.ranges and definition.condition is None:
        return
    target = definition.targets[0]
    place = definition.ranges[0].span if definition.ranges else definition.span
    if definition.combine is not None:
        if not all(map(_from_zero, definition.ranges)):
            message = "a range behind a combining write that does not begin at 0"
            help = "its indices go as far as they read; shift them instead"
            context.error("E0512", message, place, help)
    elif len(definition.targets) > 1:
        message = "a range or condition behind several results"
        help = "write a condition as a value: ... if c else 0"
        context.error("E0512", message, place, help)
    elif target.name not in context.signature.results:
        # Behind a local, ranges from 0 say how far its indices go.
        if definition.condition is None and all(map(_from_zero, definition.ranges)):
            return
        message = f"'{target.name}' is a local, which is defined as a whole"
        help = "write the condition as a value: ... if c else 0"
        context.error("E0512", message, place, help)
    elif target.which is not None:
        message = f"an array of '{target.name}' is defined as a whole"
        help = "write the condition as a value: ... if c else 0"
        context.error("E0512", message, place, help)


def _pieces(context: Context, result: Result, pieces: list[Definition]) -> None:
    """Look for an element that the pieces of a result miss, or define twice."""
    found = find_example(context.operator, result.name)
    if found is None:
        return
    where = f" with {found.where}" if found.where else ""
    spans = [d.targets[0].span for d in pieces]
    if not found.by:
        message = f"{found.element} is not defined{where}"
        labels = tuple((span, "a piece of it") for span in spans)
        help = "add the piece that is missing, or a 'requires' that forbids these sizes"
        context.error("E0510", message, result.span, help, labels)
    elif len(found.by) == 1:
        message = f"{found.element} is defined{where}, and lies outside '{result.name}'"
        target = found.by[0].targets[0]
        help = "a piece stays inside: limit it by 'for i in lo..hi', or by 'requires'"
        context.error("E0511", message, target.span, help, _declared(result))
    else:
        message = f"{found.element} is defined twice{where}"
        labels = ((found.by[0].targets[0].span, "first defined here"),)
        help = "limit one of them: for i in lo..hi, or when c; or combine: add="
        context.error("E0305", message, found.by[1].targets[0].span, help, labels)


def _declared(result: Result) -> tuple[tuple[Span, str], ...]:
    return ((result.span, "declared here"),)


def _covers_all(target: Target) -> bool:
    """Whether the left side runs over every element: all items are free names."""
    names = [
        part
        for item in target.items
        for part in (item.parts if isinstance(item, Composite) else (item,))
    ]
    free = all(
        isinstance(part, Name)
        or (isinstance(part, Pack) and isinstance(part.value, Name | None))
        for part in names
    )
    distinct = [part.name for part in names if isinstance(part, Name)]
    return free and len(set(distinct)) == len(distinct)


def _pattern(target: Target) -> tuple[object, ...]:
    """The items with literal numbers kept: two equal patterns overlap."""
    return tuple(
        item.value if isinstance(item, Number) else item for item in target.items
    )
