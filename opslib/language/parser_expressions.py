"""Parsing of expressions, from tokens to the nodes of `syntax`.

Binary operators are parsed with an explicit stack, not one function per precedence:
the depth of Python's own stack then grows by five frames for a bracket instead of
fifteen, which is what lets the nesting limit, not a RecursionError, end a bad text.
"""

from __future__ import annotations

import math
from typing import NoReturn

from opslib.language.cursor import RESERVED, Cursor
from opslib.language.syntax import (
    Along,
    Apply,
    Binary,
    Binder,
    Boolean,
    Composite,
    Conditional,
    DTypeExpression,
    Expression,
    Index,
    IsClass,
    IsNone,
    Name,
    Node,
    Nothing,
    Number,
    Otherwise,
    Pack,
    Span,
    String,
    TupleOf,
    Unary,
)
from opslib.language.tree import children

MAX_DEPTH = 128

PRECEDENCE = {
    "??": 1,
    "or": 2,
    "and": 3,
    "not": 4,
    **dict.fromkeys(["<", "<=", ">", ">=", "==", "!="], 5),
    **dict.fromkeys(["&", "|"], 6),
    **dict.fromkeys(["<<", ">>"], 7),
    **dict.fromkeys(["+", "-"], 8),
    **dict.fromkeys(["*", "/", "//", "%"], 9),
}
COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})


def parse_whole(cursor: Cursor) -> Expression:
    """An expression of a statement, whose tree is not deeper than the limit."""
    expression = parse_expression(cursor)
    depth = 0
    level: list[Node] = [expression]
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            help = "name an inner part as a local of its own"
            message = f"an expression of more than {MAX_DEPTH} steps"
            cursor.fail("E0109", message, expression.span, help=help)
        level = [child for node in level for child in children(node)]
    return expression


def parse_expression(cursor: Cursor) -> Expression:
    """``otherwise [ "if" expression "else" expression ]``."""
    cursor.enter()
    value = _operators(cursor)
    if cursor.is_word("if"):
        cursor.advance()
        condition = parse_expression(cursor)
        cursor.expect("else", "of the conditional")
        other = parse_expression(cursor)
        span = value.span.to(other.span)
        value = Conditional(value=value, condition=condition, other=other, span=span)
    cursor.leave()
    return value


def _operators(cursor: Cursor) -> Expression:
    """All binary operators and ``not``, by precedence climbing on a stack."""
    # Each operand with its first token, so that a span covers its parentheses.
    operands: list[tuple[Span, Expression]] = []
    pending: list[tuple[str, Span]] = []
    while True:
        while cursor.is_word("not"):
            if pending and PRECEDENCE[pending[-1][0]] > PRECEDENCE["not"]:
                help = "write it in parentheses: (not ...)"
                cursor.unexpected("an operand", help)
            token = cursor.advance()
            pending.append(("not", token.span))
        operands.append((cursor.next.span, _unary(cursor)))
        symbol = cursor.next.text
        is_operator = cursor.next.kind in {"mark", "name"} and symbol in PRECEDENCE
        if not is_operator or symbol == "not":
            break
        _reduce(cursor, operands, pending, PRECEDENCE[symbol])
        pending.append((symbol, cursor.advance().span))
    _reduce(cursor, operands, pending, 1)
    if cursor.is_mark("="):
        help = "write '==' to compare"
        span = cursor.next.span
        cursor.fail("E0210", "'=' inside an expression", span, help=help)
    return operands[0][1]


def _reduce(
    cursor: Cursor,
    operands: list[tuple[Span, Expression]],
    pending: list[tuple[str, Span]],
    precedence: int,
) -> None:
    """Apply the pending operators that bind at least as tightly as `precedence`."""
    while pending and PRECEDENCE[pending[-1][0]] >= precedence:
        symbol, span = pending.pop()
        _, right = operands.pop()
        if symbol == "not":
            whole = span.to(cursor.last.span)
            operands.append((span, Unary(operator="not", operand=right, span=whole)))
            continue
        start, left = operands.pop()
        whole = start.to(cursor.last.span)
        if symbol == "??":
            node: Expression = Otherwise(read=left, value=right, span=whole)
        else:
            node = Binary(operator=symbol, left=left, right=right, span=whole)
        operands.append((start, node))
        if symbol in COMPARISONS and precedence == PRECEDENCE["<"]:
            # Nothing but a further comparison has this precedence.
            help = "write 'a < b and b < c'"
            place = cursor.next.span
            cursor.fail("E0203", "a chain of comparisons", place, help=help)


def _unary(cursor: Cursor) -> Expression:
    """``("-" | "~") unary | power``."""
    signs = []
    while cursor.is_mark("-", "~"):
        signs.append(cursor.advance())
    value = parse_postfix(cursor)
    if cursor.is_mark("^"):
        cursor.advance()
        cursor.enter()
        exponent = _unary(cursor)
        cursor.leave()
        span = value.span.to(exponent.span)
        value = Binary(operator="^", left=value, right=exponent, span=span)
    for sign in reversed(signs):
        span = sign.span.to(value.span)
        value = Unary(operator=sign.text, operand=value, span=span)
    return value


def parse_postfix(cursor: Cursor) -> Expression:
    """A number, word, read, call, fold, or something in parentheses."""
    token = cursor.next
    if token.kind == "number":
        cursor.advance()
        assert isinstance(token.value, int | float)
        return Number(value=token.value, span=token.span)
    if token.kind == "string":
        cursor.advance()
        return String(value=str(token.value), span=token.span)
    if token.kind == "name":
        return _word(cursor)
    if cursor.is_mark("("):
        return _parenthesised(cursor)
    if cursor.is_mark("..."):
        help = "'...' stands only in index lists, such as x[..., i]"
        cursor.unexpected("an expression", help)
    return cursor.unexpected("an expression")


def _word(cursor: Cursor) -> Expression:
    token = cursor.advance()
    text, span = token.text, token.span
    constants: dict[str, float] = {
        "inf": math.inf,
        "nan": math.nan,  # This one object, so that equal trees compare equal.
        "pi": math.pi,
    }
    if text in {"true", "false"}:
        return Boolean(value=text == "true", span=span)
    if text == "none":
        return Nothing(span=span)
    if text in constants:
        return Number(value=constants[text], span=span)
    if text in RESERVED:
        help = ""
        if text == "not":
            help = "write it in parentheses: (not ...)"
        cursor.at -= 1
        cursor.unexpected("an expression", help)
    if cursor.is_word("is"):
        return _is(cursor, text, span)
    if cursor.is_mark("(") and cursor.next.glued:
        arguments, keywords = _arguments(cursor)
        whole = span.to(cursor.last.span)
        return Apply(function=text, arguments=arguments, keywords=keywords, span=whole)
    if cursor.is_mark("[") and cursor.next.glued:
        if cursor.closes(("(",)):
            return _along(cursor, text, span)
        return _index(cursor, text, span)
    return Name(name=text, span=span)


def _is(cursor: Cursor, name: str, span: Span) -> Expression:
    """``NAME "is" [ "not" ] ( "none" | class { "|" class } )``."""
    cursor.expect("is")
    negated = cursor.accept("not") is not None
    if cursor.accept("none"):
        whole = span.to(cursor.last.span)
        return IsNone(name=name, negated=negated, span=whole)
    classes = parse_classes(cursor)
    dtype = DTypeExpression(name=name, span=span)
    whole = span.to(cursor.last.span)
    return IsClass(dtype=dtype, classes=classes, negated=negated, span=whole)


def parse_classes(cursor: Cursor) -> tuple[str, ...]:
    """``class { "|" class }``; the checker knows which there are."""
    classes = [cursor.name("a dtype class").text]
    while cursor.accept("|"):
        classes.append(cursor.name("a dtype class").text)
    return tuple(classes)


def _arguments(
    cursor: Cursor,
) -> tuple[tuple[Expression, ...], tuple[tuple[str, Expression], ...]]:
    """``"(" [ argument { "," argument } ] ")"``."""
    cursor.expect("(")
    arguments: list[Expression] = []
    keywords: list[tuple[str, Expression]] = []
    while not cursor.is_mark(")"):
        is_keyword = cursor.next.kind == "name" and cursor.peek(1).text == "="
        if is_keyword:
            name = cursor.name("a keyword argument")
            cursor.expect("=")
            keywords.append((name.text, parse_expression(cursor)))
        else:
            argument = parse_expression(cursor)
            if keywords:
                message = "a positional argument after a keyword argument"
                help = "write the positional arguments first"
                cursor.fail("E0212", message, argument.span, help=help)
            arguments.append(argument)
        if not cursor.accept(","):
            break
    _close(cursor, ")", "an operator, ',' or ')'")
    return tuple(arguments), tuple(keywords)


def _close(cursor: Cursor, text: str, wanted: str) -> None:
    if not cursor.is_mark(text):
        after_name(cursor)
        cursor.unexpected(wanted)
    cursor.advance()


def after_name(cursor: Cursor) -> None:
    """Fail when a bracket follows a name with a blank between them."""
    previous = cursor.last
    if cursor.is_mark("(", "[") and previous.kind == "name":
        bracket = cursor.next.text
        cursor.fail(
            "E0206",
            f"a blank between '{previous.text}' and '{bracket}'",
            previous.span.to(cursor.next.span),
            help=f"write {previous.text}{bracket}...: the bracket touches its name",
        )


def parse_items(cursor: Cursor) -> tuple[Expression, ...]:
    """``"[" index { "," index } "]"``, for reads, targets and axes."""
    cursor.expect("[")
    items: list[Expression] = []
    while not cursor.is_mark("]"):
        items.append(parse_item(cursor))
        if not cursor.accept(","):
            break
    close_items(cursor)
    return tuple(items)


def close_items(cursor: Cursor) -> None:
    """The bracket behind a list of items."""
    _close(cursor, "]", "an operator, ',' or ']'")


def parse_item(cursor: Cursor) -> Expression:
    """``"..." [ NAME [ arguments ] | "(" expression ")" ] | expression``."""
    value: Expression
    if not cursor.is_mark("..."):
        return parse_expression(cursor)
    dots = cursor.advance()
    if cursor.is_mark("("):
        cursor.advance()
        value = parse_expression(cursor)
        cursor.expect(")")
        return Pack(value=value, span=dots.span.to(cursor.last.span))
    if cursor.next.kind == "name" and cursor.next.text not in RESERVED:
        token = cursor.advance()
        value = Name(name=token.text, span=token.span)
        if cursor.is_mark("(") and cursor.next.glued:
            arguments, keywords = _arguments(cursor)
            value = Apply(
                function=token.text,
                arguments=arguments,
                keywords=keywords,
                span=token.span.to(cursor.last.span),
            )
        return Pack(value=value, span=dots.span.to(cursor.last.span))
    return Pack(value=None, span=dots.span)


def _index(cursor: Cursor, base: str, span: Span) -> Expression:
    first = parse_items(cursor)
    which: Expression | None = None
    if cursor.is_mark("[") and cursor.next.glued:
        if len(first) != 1 or isinstance(first[0], Pack):
            whole = span.to(cursor.last.span)
            message = "the selector of a variadic tensor is one index"
            cursor.fail("E0201", message, whole, help="write xs[v][..., i]")
        which = first[0]
        first = parse_items(cursor)
    whole = span.to(cursor.last.span)
    return Index(base=base, items=first, which=which, span=whole)


def _along(cursor: Cursor, function: str, span: Span) -> Expression:
    cursor.expect("[")
    binders: list[Binder] = []
    while not cursor.is_mark("]"):
        binders.append(parse_binder(cursor))
        if not cursor.accept(","):
            break
    if not binders:
        cursor.unexpected("an index to bind")
    _close(cursor, "]", "',' or ']'")
    arguments, keywords = _arguments(cursor)
    return Along(
        function=function,
        binders=tuple(binders),
        arguments=arguments,
        keywords=keywords,
        span=span.to(cursor.last.span),
    )


def parse_binder(cursor: Cursor) -> Binder:
    """``"..." NAME | NAME [ "in" expression ".." expression [ "bound" e ] ]``."""
    if cursor.is_mark("..."):
        dots = cursor.advance()
        name = cursor.name("an index pack, such as '...j'")
        return Binder(name=name.text, pack=True, span=dots.span.to(name.span))
    name = cursor.name("an index to bind")
    start = stop = bound = None
    if cursor.accept("in"):
        start = parse_expression(cursor)
        if not cursor.is_mark(".."):
            cursor.unexpected("'..'", "a range is written lo..hi, without hi itself")
        cursor.advance()
        stop = parse_expression(cursor)
        if cursor.accept("bound"):
            bound = parse_expression(cursor)
    whole = name.span.to(cursor.last.span)
    return Binder(name=name.text, start=start, stop=stop, bound=bound, span=whole)


def _parenthesised(cursor: Cursor) -> Expression:
    """A plain expression, a tuple ``(a, b)`` or a composite axis ``(g r)``."""
    inner = cursor.at + 1
    opener = cursor.expect("(")
    items: list[Expression] = []
    comma = None
    while not cursor.is_mark(")"):
        items.append(parse_expression(cursor))
        if len(items) == 1 and _begins_part(cursor):
            words = Number | Name | Index | Apply | Along
            own_brackets = cursor.partners.get(inner) == cursor.at - 1
            if not own_brackets and not isinstance(items[0], words):
                after_name(cursor)
                _not_simple(cursor, items[0])
            return _composite(cursor, opener.span, items[0])
        comma = cursor.accept(",")
        if comma is None:
            break
    _close(cursor, ")", "an operator, ',' or ')'")
    whole = opener.span.to(cursor.last.span)
    if len(items) == 1 and comma is None:
        return items[0]
    return TupleOf(items=tuple(items), span=whole)


def _begins_part(cursor: Cursor) -> bool:
    token = cursor.next
    if token.kind == "name":
        return token.text not in RESERVED
    return token.kind == "number" or cursor.is_mark("(")


def _composite(cursor: Cursor, opener: Span, first: Expression) -> Expression:
    parts = [first]
    while _begins_part(cursor):
        parts.append(parse_postfix(cursor))
    _close(cursor, ")", "a further part of the axis, or ')'")
    return Composite(parts=tuple(parts), span=opener.to(cursor.last.span))


def _not_simple(cursor: Cursor, part: Expression) -> NoReturn:
    message = "a part of a composite axis is a name, a number or in parentheses"
    help = "write ((i + 1) j) for a composite axis, or a missing operator or ','"
    cursor.fail("E0213", message, part.span, help=help)
