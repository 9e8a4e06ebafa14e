"""Parsing of operators: the signature, the body, and going on after an error.

An error ends the statement or the signature it is in; reading goes on with the next,
so that several errors are shown at once. See docs/grammar.md for the grammar.
"""

from __future__ import annotations

from dataclasses import replace

from opslib.language.cursor import Cursor
from opslib.language.diagnostics import (
    Diagnostic,
    SpecFailure,
    raise_spec,
    source_of,
)
from opslib.language.lexer import MAX_ERRORS, MAX_STATEMENTS, tokenize
from opslib.language.parser_expressions import (
    after_name,
    close_items,
    parse_binder,
    parse_classes,
    parse_item,
    parse_items,
    parse_whole,
)
from opslib.language.parser_statements import Body, parse_statement
from opslib.language.syntax import (
    AttributeType,
    Binder,
    Definition,
    DTypeClass,
    DTypeExpression,
    Expression,
    Name,
    Number,
    Operator,
    Pack,
    Parameter,
    Result,
    Source,
    Span,
    Target,
    TensorType,
)


def parse_operators(text: Source | str) -> tuple[Operator, ...]:
    """All operators of a text, in order.

    Raises:
        SpecError: showing every error found, under the code of the first.
    """
    cursor = Cursor(tokenize(source_of(text)))
    operators: list[Operator] = []
    errors: list[Diagnostic] = []
    while cursor.next.kind != "end":
        try:
            operators.append(_operator(cursor, errors))
        except SpecFailure as failure:
            errors.append(failure.diagnostic)
            _skip_operator(cursor)
    if errors:
        raise_spec(errors[:MAX_ERRORS])
    return tuple(operators)


def parse_operator(text: Source | str) -> Operator:
    """The one operator of a text.

    Raises:
        SpecError: when it does not parse, or does not hold exactly one operator.
    """
    source = source_of(text)
    operators = parse_operators(source)
    if len(operators) == 1:
        return operators[0]
    if not operators:
        message = "there is no operator in this text"
        place = Span(source, 0, 0)
    else:
        message = "a second operator, where one is expected"
        place = operators[1].name_span
    help = 'write one: "op name(x: T) -> y: T = ..."'
    return raise_spec([Diagnostic("E0211", message, place, (), help)])


def _skip_operator(cursor: Cursor) -> None:
    """Go on after an error in a signature: to the next ``op`` at the margin."""
    cursor.skip_line()
    depth = 0
    while cursor.next.kind != "end":
        if depth <= 0 and cursor.next.kind == "name" and cursor.next.text == "op":
            return
        depth += {"indent": 1, "dedent": -1}.get(cursor.next.kind, 0)
        if cursor.next.kind in {"indent", "dedent"}:
            cursor.advance()
        else:
            cursor.skip_line()


def _operator(cursor: Cursor, errors: list[Diagnostic]) -> Operator:
    doc = cursor.docs.get(cursor.at, "")
    start = cursor.next
    if not cursor.is_word("op"):
        cursor.fail(
            "E0202",
            "expected 'op' at the margin",
            start.span,
            help="a text is a list of operators: op name(x: T) -> y: T = ...",
        )
    cursor.advance()
    name = cursor.name("the operator's name")
    parameters = _parameters(cursor)
    cursor.expect("->", "and the results")
    results = _results(cursor)
    classes: tuple[DTypeClass, ...] = ()
    if cursor.accept("where"):
        classes = _classes(cursor)
    body = Body()
    if cursor.accept("="):
        value = parse_whole(cursor)
        body.definitions.append(_one_line(results, value))
        _end_of_line(cursor)
        if cursor.next.kind == "indent":
            _block(cursor, body, errors)
    elif cursor.next.kind == "newline":
        cursor.advance()
        if cursor.next.kind != "indent":
            message = f"the operator '{name.text}' has no body"
            help = "write '= ...' after the results, or an indented block below"
            cursor.fail("E0205", message, name.span, help=help)
        _block(cursor, body, errors)
    else:
        cursor.unexpected("'where', '=' or the end of the line")
    return Operator(
        name=name.text,
        doc=doc,
        parameters=parameters,
        results=results,
        classes=classes,
        definitions=tuple(body.definitions),
        clauses=body.clauses(),
        name_span=name.span,
        span=start.span.to(_last_word(cursor)),
    )


def _last_word(cursor: Cursor) -> Span:
    at = cursor.at - 1
    while at > 0 and cursor.tokens[at].kind in {"newline", "indent", "dedent"}:
        at -= 1
    return cursor.tokens[at].span


def _one_line(results: tuple[Result, ...], value: Expression) -> Definition:
    """``-> y: T = value``: the body of an operator that is one formula."""
    targets = tuple(
        Target(
            name=r.name,
            items=(Pack(value=None, span=r.span),) if r.type.axes else (),
            which=(
                None
                if r.instances is None
                else Name(name=r.instances.name, span=r.instances.span)
            ),
            span=r.span,
        )
        for r in results
    )
    span = results[0].span.to(value.span)
    return Definition(targets=targets, value=value, span=span)


def _block(cursor: Cursor, body: Body, errors: list[Diagnostic]) -> None:
    """The indented statements; an error costs its line, not the block."""
    cursor.advance()
    while cursor.next.kind not in {"dedent", "end"}:
        if len(body.definitions) >= MAX_STATEMENTS:
            message = f"an operator of more than {MAX_STATEMENTS} definitions"
            help = "split it into operators that call each other"
            cursor.fail("E0108", message, cursor.next.span, help=help)
        if cursor.next.kind == "indent":
            errors.append(_deeper(cursor))
            continue
        try:
            parse_statement(cursor, body)
            _end_of_line(cursor)
        except SpecFailure as failure:
            errors.append(failure.diagnostic)
            cursor.skip_line()
    if cursor.next.kind == "dedent":
        cursor.advance()


def _deeper(cursor: Cursor) -> Diagnostic:
    """Skip lines indented deeper than the block, and say so once."""
    cursor.advance()
    place = cursor.next.span
    depth = 1
    while depth and cursor.next.kind != "end":
        depth += {"indent": 1, "dedent": -1}.get(cursor.advance().kind, 0)
    message = "this line is indented deeper than its block"
    help = "to go on with the line above, begin with an operator or use brackets"
    return Diagnostic("E0207", message, place, (), help)


def _end_of_line(cursor: Cursor) -> None:
    if cursor.next.kind == "newline":
        cursor.advance()
    elif cursor.next.kind != "end":
        after_name(cursor)
        cursor.unexpected("an operator or the end of the line")


def _parameters(cursor: Cursor) -> tuple[Parameter, ...]:
    cursor.expect("(", "and the parameters")
    parameters: list[Parameter] = []
    slash: Span | None = None
    star: Span | None = None
    while not cursor.is_mark(")"):
        token = cursor.next
        is_marker = cursor.peek(1).text in {",", ")"}
        if cursor.is_mark("/") and is_marker:
            cursor.advance()
            if slash or star or not parameters:
                message = "a '/' that has nothing before it, or stands too late"
                help = "parameters before '/' are positional only: (x: T, /)"
                cursor.fail("E0209", message, token.span, help=help)
            slash = token.span
            parameters = [replace(p, placement="positional") for p in parameters]
        elif cursor.is_mark("*") and is_marker:
            cursor.advance()
            if star or cursor.is_mark(")") or cursor.peek(1).text == ")":
                message = "a '*' that has nothing after it, or stands twice"
                help = "parameters after '*' are given by keyword: (x: T, *, k: int)"
                cursor.fail("E0209", message, token.span, help=help)
            star = token.span
        else:
            parameters.append(_parameter(cursor, star is not None))
        if not cursor.accept(","):
            break
    if not cursor.is_mark(")"):
        cursor.unexpected("',' or ')'")
    cursor.advance()
    return tuple(parameters)


def _parameter(cursor: Cursor, keyword: bool) -> Parameter:
    start = cursor.next.span
    variadic = cursor.accept("*") is not None
    name = cursor.name("a parameter")
    if not cursor.is_mark(":"):
        help = f"write the type of '{name.text}': T, T[..., n], float, int ..."
        cursor.unexpected("':'", help)
    cursor.advance()
    kind = _type(cursor)
    optional = False
    default: Expression | None = None
    if isinstance(kind, TensorType):
        optional = cursor.accept("?") is not None
        if variadic and optional:
            message = "a variadic tensor cannot be optional"
            cursor.fail("E0209", message, cursor.last.span, help="it may be empty")
        if cursor.is_mark("="):
            help = "a tensor has no default; make it optional with '?'"
            cursor.unexpected("',' or ')'", help)
    else:
        if variadic:
            message = "only a tensor can be variadic"
            help = "a list of numbers is 'int[2]', 'int[...s]' or 'shape'"
            cursor.fail("E0209", message, start, help=help)
        if cursor.accept("="):
            default = parse_whole(cursor)
    return Parameter(
        name=name.text,
        type=kind,
        optional=optional,
        variadic=variadic,
        default=default,
        placement="keyword" if keyword else "either",
        span=start.to(cursor.last.span),
    )


def _type(cursor: Cursor) -> TensorType | AttributeType:
    token = cursor.next
    if token.kind == "string":
        choices = [str(cursor.advance().value)]
        while cursor.accept("|"):
            choices.append(str(cursor.kind("string", "a further choice").value))
        span = token.span.to(cursor.last.span)
        return AttributeType(kind="string", choices=tuple(choices), span=span)
    bracket = cursor.peek(1).text == "["
    if cursor.is_word("axis", "axes", "gap"):
        cursor.advance()
        pack = None
        if cursor.accept("["):
            dots = cursor.accept("...")
            if not dots or not cursor.is_mark("]"):
                pack = cursor.name("the pack whose axes are meant, or '...'").text
            cursor.expect("]")
        span = token.span.to(cursor.last.span)
        return AttributeType(kind=token.text, pack=pack, span=span)
    if cursor.is_word("dtype", "shape", "number") and not bracket:
        cursor.advance()
        return AttributeType(kind=token.text, span=token.span)
    if cursor.is_word("int", "float", "bool"):
        # bool is a dtype too: bool[2] and bool[...s] are lists, bool[..., n] is not.
        if not bracket:
            cursor.advance()
            return AttributeType(kind=token.text, span=token.span)
        first, after = cursor.peek(2), cursor.peek(3)
        is_count = first.kind == "number" and after.text == "]"
        is_list = first.text == "..." and after.text not in {",", "]"}
        if is_count or (is_list and token.text != "bool"):
            cursor.advance()
            items = parse_items(cursor)
            if len(items) != 1:
                help = "a tensor needs a dtype: int32[..., n], or T with a class"
                cursor.at -= 1
                cursor.unexpected("one count", help)
            span = token.span.to(cursor.last.span)
            if isinstance(items[0], Number):
                _check_count(cursor, items[0])
            return AttributeType(kind=token.text, count=items[0], span=span)
    return parse_tensor(cursor)


# Values of an attribute such as ``stride: int[2]``.
MAX_LIST = 64


def _check_count(cursor: Cursor, count: Number) -> None:
    if not isinstance(count.value, int) or not 0 < count.value <= MAX_LIST:
        message = f"a list of {count.value} values"
        help = f"a list has 1 to {MAX_LIST} values, one for each axis for example"
        cursor.fail("E0106", message, count.span, help=help)


def parse_tensor(cursor: Cursor) -> TensorType:
    """``dtype [ "[" axis { "," axis } "]" ]``; ``T[]`` has rank 0."""
    dtype = parse_dtype(cursor)
    absent: list[str] = []
    axes: tuple[Expression, ...]
    if cursor.is_mark("["):
        axes = _axes(cursor, absent)
    else:
        axes = (Pack(value=None, span=dtype.span),)
    span = dtype.span.to(cursor.last.span)
    return TensorType(dtype=dtype, axes=axes, absent=tuple(absent), span=span)


def _axes(cursor: Cursor, absent: list[str]) -> tuple[Expression, ...]:
    """``"[" axis [ "?" ] { "," axis [ "?" ] } "]"``; notes the axes with a mark."""
    cursor.expect("[")
    axes: list[Expression] = []
    while not cursor.is_mark("]"):
        axes.append(parse_item(cursor))
        if cursor.is_mark("?"):
            axis = axes[-1]
            if not isinstance(axis, Name):
                message = "only an axis that is just a name can be left out"
                help = "write n?, and arithmetic on n elsewhere"
                cursor.fail("E0209", message, axis.span, help=help)
            absent.append(axis.name)
            cursor.advance()
        if not cursor.accept(","):
            break
    close_items(cursor)
    return tuple(axes)


def parse_dtype(cursor: Cursor) -> DTypeExpression:
    """``NAME [ "(" dtype { "," dtype } ")" ]``."""
    cursor.enter()
    token = cursor.name("a dtype")
    arguments: list[DTypeExpression] = []
    if cursor.accept("("):
        while True:
            arguments.append(parse_dtype(cursor))
            if not cursor.accept(","):
                break
        cursor.expect(")")
    cursor.leave()
    span = token.span.to(cursor.last.span)
    return DTypeExpression(name=token.text, arguments=tuple(arguments), span=span)


def _results(cursor: Cursor) -> tuple[Result, ...]:
    if not cursor.accept("("):
        return (_result(cursor),)
    results = [_result(cursor)]
    while cursor.accept(","):
        if cursor.is_mark(")"):
            break
        results.append(_result(cursor))
    cursor.expect(")", "or ','")
    return tuple(results)


def _result(cursor: Cursor) -> Result:
    start = cursor.next.span
    variadic = cursor.accept("*") is not None
    name = cursor.name("a result")
    instances = _instances(cursor) if variadic else None
    if not cursor.is_mark(":"):
        help = f"write the type of '{name.text}': T, T[..., n] ..."
        cursor.unexpected("':'", help)
    cursor.advance()
    kind = parse_tensor(cursor)
    optional = cursor.accept("?") is not None
    if variadic and optional:
        message = "a variadic result cannot be optional"
        cursor.fail("E0209", message, cursor.last.span, help="it may have 0 arrays")
    return Result(
        name=name.text,
        type=kind,
        optional=optional,
        instances=instances,
        span=start.to(cursor.last.span),
    )


def _instances(cursor: Cursor) -> Binder:
    """``[v in 0..count]`` after the name of a variadic result."""
    if not cursor.is_mark("["):
        help = "say how many arrays there are: *ys[v in 0..count]"
        cursor.unexpected("'['", help)
    cursor.advance()
    binder = parse_binder(cursor)
    cursor.expect("]")
    zero = isinstance(binder.start, Number) and binder.start.value == 0
    if binder.pack or binder.bound is not None or not zero:
        message = "the arrays of a variadic result are counted from 0"
        cursor.fail("E0209", message, binder.span, help="write [v in 0..count]")
    return binder


def _classes(cursor: Cursor) -> tuple[DTypeClass, ...]:
    classes = []
    while True:
        name = cursor.name("a dtype of the signature")
        cursor.expect(":", "and the classes")
        names = parse_classes(cursor)
        span = name.span.to(cursor.last.span)
        classes.append(DTypeClass(name=name.text, classes=names, span=span))
        if not cursor.accept(","):
            return tuple(classes)
