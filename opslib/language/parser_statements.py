"""Parsing of a line of a body: a definition, or a clause that is not mathematics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

from opslib.language.cursor import Cursor
from opslib.language.lexer import Token
from opslib.language.parser_expressions import parse_binder, parse_items, parse_whole
from opslib.language.syntax import (
    Binder,
    Clauses,
    Definition,
    Expression,
    Gradient,
    Name,
    Number,
    Require,
    Sample,
    Span,
    Target,
    Unary,
    Upstream,
    Workload,
)
from opslib.spelling import did_you_mean

COMBINES = ("add", "mul", "max", "min", "set")
BOUNDS = ("raise", "clamp")


@dataclass(slots=True)
class Body:
    """What was read of a body so far."""

    definitions: list[Definition] = field(default_factory=list)
    axis: str | None = None
    exact: bool = False
    accumulate: str | None = None
    samples: list[Sample] = field(default_factory=list)
    bounds: list[tuple[str, str]] = field(default_factory=list)
    mutates: list[str] = field(default_factory=list)
    requires: list[Require] = field(default_factory=list)
    workloads: list[Workload] = field(default_factory=list)
    upstream: list[Upstream] = field(default_factory=list)
    gradients: list[Gradient] = field(default_factory=list)
    seen: dict[tuple[str, str], Span] = field(default_factory=dict)

    def clauses(self) -> Clauses:
        """The clauses, frozen."""
        return Clauses(
            axis=self.axis,
            samples=tuple(self.samples),
            exact=self.exact,
            bounds=tuple(self.bounds),
            accumulate=self.accumulate,
            mutates=tuple(self.mutates),
            requires=tuple(self.requires),
            workloads=tuple(self.workloads),
            upstream=tuple(self.upstream),
            gradients=tuple(self.gradients),
            places=tuple(
                (f"{word} {about}".strip(), span)
                for (word, about), span in self.seen.items()
            ),
        )


def statement_kind(cursor: Cursor) -> str:
    """``definition``, or the word of the clause that the next line is.

    A clause's word is followed by another word (``exact`` by the end of the line),
    a target by a bracket, a comma or an equals sign; so no word is taken from names.
    """
    word, after, then = cursor.next, cursor.peek(1), cursor.peek(2)
    if word.kind != "name":
        return "definition"
    if after.kind == "newline":
        return word.text
    if word.text == "requires" and not (
        after.kind == "mark" and after.text in {"[", ",", "="} and then.text != ":"
    ):
        return word.text
    if after.kind not in {"name", "number", "string"}:
        return "definition"
    combines = then.kind == "mark" and then.text == "=" and word.text != "grad"
    return "definition" if combines else word.text


def parse_statement(cursor: Cursor, body: Body) -> None:
    """Read one definition or clause into `body`."""
    kind = statement_kind(cursor)
    if kind == "definition":
        body.definitions.append(_definition(cursor))
        return
    parse = _CLAUSES.get(kind)
    if parse is None:
        if cursor.peek(1).kind == "newline":
            cursor.advance()
            cursor.unexpected("'=' or a clause")
        help = did_you_mean(kind, _CLAUSES)
        help = help or "the clauses are " + ", ".join(sorted(_CLAUSES))
        if kind == "return":
            help = "there is no 'return': define the result, y[...] = ..."
        message = f"there is no clause '{kind}'"
        cursor.fail("E0601", message, cursor.next.span, help=help)
    parse(cursor, body, cursor.advance())


def _definition(cursor: Cursor) -> Definition:
    start = cursor.next.span
    targets = [_target(cursor)]
    while cursor.accept(","):
        targets.append(_target(cursor))
    combine = None
    word = cursor.next
    if word.kind == "name" and cursor.peek(1).text == "=":
        cursor.advance()
        if word.text not in COMBINES:
            message = f"there is no '{word.text}='"
            help = "the combining writes are add=, mul=, max= and min="
            cursor.fail("E0208", message, word.span, help=help)
        combine = word.text
    if not cursor.is_mark("="):
        cursor.unexpected("'=' and the value" if combine is None else "'='")
    cursor.advance()
    value = parse_whole(cursor)
    ranges: list[Binder] = []
    if cursor.accept("for"):
        while True:
            binder = parse_binder(cursor)
            if binder.start is None:
                message = "a piece needs the range of its index"
                help = f"write: for {binder.name} in lo..hi"
                cursor.fail("E0201", message, binder.span, help=help)
            ranges.append(binder)
            if not cursor.accept(","):
                break
    condition = parse_whole(cursor) if cursor.accept("when") else None
    span = start.to(cursor.last.span)
    return Definition(
        targets=tuple(targets),
        value=value,
        combine=combine,
        ranges=tuple(ranges),
        condition=condition,
        span=span,
    )


def _target(cursor: Cursor) -> Target:
    name = cursor.name("a result or a local")
    items: tuple[Expression, ...] = ()
    if cursor.is_mark("["):
        items = parse_items(cursor)
    which = None
    if cursor.is_mark("["):
        first = items[0] if len(items) == 1 else None
        if not isinstance(first, Name):
            message = f"which of the arrays '{name.text}' is meant is one name"
            help = f"write {name.text}[v][..., i]"
            cursor.fail("E0201", message, cursor.last.span, help=help)
        which, items = first, parse_items(cursor)
    span = name.span.to(cursor.last.span)
    return Target(name=name.text, items=items, which=which, span=span)


def _once(cursor: Cursor, body: Body, word: Token, about: str = "") -> None:
    """Refuse a clause that was given before (about the same name)."""
    key = (word.text, about)
    if key in body.seen:
        subject = f" for '{about}'" if about else ""
        message = f"the clause '{word.text}' is given twice{subject}"
        labels = ((body.seen[key], "first given here"),)
        cursor.fail("E0602", message, word.span, labels, "keep one of the two")
    body.seen[key] = word.span.to(cursor.last.span)


def _one_of(cursor: Cursor, choices: tuple[str, ...], what: str) -> str:
    if cursor.next.kind == "name" and cursor.next.text in choices:
        return cursor.advance().text
    message = f"expected {what}, found '{cursor.next.text.strip()}'"
    help = "one of " + ", ".join(choices)
    return cursor.fail("E0606", message, cursor.next.span, help=help)


def _axis(cursor: Cursor, body: Body, word: Token) -> None:
    name = cursor.name("the size of the axis")
    _once(cursor, body, word)
    body.axis = name.text


def _sample(cursor: Cursor, body: Body, word: Token) -> None:
    name = cursor.name("a parameter")
    _once(cursor, body, word, name.text)
    cursor.expect("in", "and an interval")
    cursor.expect("[")
    low = _number(cursor)
    cursor.expect(",")
    high = _number(cursor)
    cursor.expect("]")
    span = word.span.to(cursor.last.span)
    if not low < high:
        message = f"the interval [{low:g}, {high:g}] is empty"
        cursor.fail("E0605", message, span, help="the lower end comes first")
    body.samples.append(Sample(name=name.text, low=low, high=high, span=span))


def _number(cursor: Cursor) -> float:
    """A number, possibly negative, or an infinity or pi."""
    start = cursor.next
    value = parse_whole(cursor)
    negative = isinstance(value, Unary) and value.operator == "-"
    inner = value.operand if isinstance(value, Unary) and negative else value
    if not isinstance(inner, Number):
        cursor.at -= 1
        message = "expected a number"
        cursor.fail("E0606", message, start.span.to(value.span), help="such as -30")
    return float(-inner.value if negative else inner.value)


def _exact(cursor: Cursor, body: Body, word: Token) -> None:
    _once(cursor, body, word)
    body.exact = True


def _accumulate(cursor: Cursor, body: Body, word: Token) -> None:
    name = cursor.name("a dtype")
    _once(cursor, body, word)
    body.accumulate = name.text


def _mutates(cursor: Cursor, body: Body, word: Token) -> None:
    while True:
        name = cursor.name("a tensor parameter")
        _once(cursor, body, word, name.text)
        body.mutates.append(name.text)
        if not cursor.accept(","):
            return


def _bounds(cursor: Cursor, body: Body, word: Token) -> None:
    name = cursor.name("a tensor parameter")
    _once(cursor, body, word, name.text)
    action = _one_of(cursor, BOUNDS, "what to do outside the bounds")
    body.bounds.append((name.text, action))


def _requires(cursor: Cursor, body: Body, word: Token) -> None:
    condition = parse_whole(cursor)
    cursor.expect(":", "and a message in quotes")
    message = str(cursor.kind("string", "a message in quotes").value)
    span = word.span.to(cursor.last.span)
    body.requires.append(Require(condition=condition, message=message, span=span))


def _workload(cursor: Cursor, body: Body, word: Token) -> None:
    label = cursor.name("the workload's name")
    _once(cursor, body, word, label.text)
    cursor.expect(":", "and the shapes")
    tensors: list[tuple[str, str, tuple[int, ...]]] = []
    attributes: list[tuple[str, Expression]] = []
    while True:
        name = cursor.name("a parameter")
        if cursor.accept("="):
            attributes.append((name.text, parse_whole(cursor)))
        else:
            dtype = cursor.name("a dtype, or '=' and a value")
            tensors.append((name.text, dtype.text, _sizes(cursor)))
        if not cursor.accept(","):
            break
    body.workloads.append(
        Workload(
            label=label.text,
            tensors=tuple(tensors),
            attributes=tuple(attributes),
            span=word.span.to(cursor.last.span),
        )
    )


def _sizes(cursor: Cursor) -> tuple[int, ...]:
    if not cursor.is_mark("["):
        cursor.unexpected("'[' and the sizes")
    items = parse_items(cursor)
    sizes = []
    for item in items:
        if not isinstance(item, Number) or not isinstance(item.value, int):
            message = "the size of a workload is an integer"
            cursor.fail("E0606", message, item.span, help="write x float32[64, 128]")
        sizes.append(item.value)
    return tuple(sizes)


def _like(cursor: Cursor, body: Body, word: Token) -> None:
    parts = [cursor.name("an upstream function").text]
    while cursor.accept("."):
        parts.append(cursor.kind("name", "a further part of the name").text)
    status, reason = "aligned", ""
    if cursor.next.kind == "name":
        status = _one_of(cursor, ("adapted", "custom"), "the kind of likeness")
        reason = str(cursor.kind("string", "the reason, in quotes").value)
    span = word.span.to(cursor.last.span)
    function = ".".join(parts)
    _once(cursor, body, word, function)
    body.upstream.append(
        Upstream(function=function, status=status, reason=reason, span=span)
    )


def _grad(cursor: Cursor, body: Body, word: Token) -> None:
    name = cursor.name("a tensor parameter")
    _once(cursor, body, word, name.text)
    if not cursor.is_mark("="):
        _needs_value(cursor)
    cursor.advance()
    value = parse_whole(cursor)
    span = word.span.to(cursor.last.span)
    body.gradients.append(Gradient(name=name.text, value=value, span=span))


def _needs_value(cursor: Cursor) -> NoReturn:
    cursor.unexpected("'=' and the gradient", "write grad x = ...")


_CLAUSES: dict[str, Callable[[Cursor, Body, Token], None]] = {
    "axis": _axis,
    "sample": _sample,
    "exact": _exact,
    "accumulate": _accumulate,
    "mutates": _mutates,
    "bounds": _bounds,
    "requires": _requires,
    "workload": _workload,
    "like": _like,
    "grad": _grad,
}

CLAUSE_NAMES = frozenset(_CLAUSES)
