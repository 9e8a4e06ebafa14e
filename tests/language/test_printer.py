"""The canonical text: parse(print(tree)) is the tree, for every tree."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opslib.language import Source, parse_operator, parse_operators
from opslib.language.cursor import RESERVED
from opslib.language.library import shipped_sources
from opslib.language.parser_expressions import PRECEDENCE
from opslib.language.printer import (
    print_expression,
    print_operator,
    print_signature,
)
from opslib.language.syntax import (
    Along,
    Apply,
    AttributeType,
    Binary,
    Binder,
    Boolean,
    Clauses,
    Composite,
    Conditional,
    Definition,
    DTypeClass,
    DTypeExpression,
    Expression,
    Gradient,
    Index,
    IsClass,
    IsNone,
    Name,
    Nothing,
    Number,
    Operator,
    Otherwise,
    Pack,
    Parameter,
    Require,
    Result,
    Sample,
    Span,
    String,
    Target,
    TensorType,
    TupleOf,
    Unary,
    Upstream,
    Workload,
)

HERE = Span(Source("generated", ""), 0, 0)

names = st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_]{0,5}\Z").filter(
    lambda name: name not in RESERVED
) | st.sampled_from(["where", "sum", "grad", "axis", "op", "in", "bound", "exact"])
texts = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), max_size=8)
texts = texts | st.sampled_from(['"', "\\", "\\n", "\n", 'a "b" \\ \n'])
BINARY = sorted({*PRECEDENCE, "^"} - {"not", "??"})


def build(node: type, /, **parts: Any) -> st.SearchStrategy[Any]:
    return st.builds(node, **parts, span=st.just(HERE))


def tuples(of: st.SearchStrategy[Any], least: int = 0, most: int = 3) -> Any:
    return st.lists(of, min_size=least, max_size=most).map(tuple)


numbers = (
    st.integers(0, (1 << 64) - 1)
    | st.floats(0, allow_infinity=False).map(abs)
    | st.sampled_from([math.inf, math.nan, math.pi])
)
leaves = (
    build(Number, value=numbers)
    | build(Boolean, value=st.booleans())
    | build(String, value=texts)
    | build(Nothing)
    | build(Name, name=names)
    | build(IsNone, name=names, negated=st.booleans())
    | build(
        IsClass,
        dtype=build(DTypeExpression, name=names, arguments=st.just(())),
        classes=tuples(names, 1),
        negated=st.booleans(),
    )
)


def larger(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    packs = build(Pack, value=st.none() | inner)
    items = tuples(inner | packs)
    ranges = st.tuples(inner, inner, st.none() | inner)
    binders = st.one_of(
        build(Binder, name=names, pack=st.booleans()),
        st.builds(
            lambda name, r: Binder(
                name=name, start=r[0], stop=r[1], bound=r[2], span=HERE
            ),
            names,
            ranges,
        ),
    )
    keywords = tuples(st.tuples(names, inner), 0, 2)
    return st.one_of(
        build(Unary, operator=st.sampled_from(["-", "~", "not"]), operand=inner),
        build(Binary, operator=st.sampled_from(BINARY), left=inner, right=inner),
        build(Conditional, value=inner, condition=inner, other=inner),
        build(Otherwise, read=inner, value=inner),
        build(TupleOf, items=tuples(inner)),
        build(Composite, parts=tuples(inner, 2)),
        build(Index, base=names, items=items, which=st.none() | inner),
        build(Apply, function=names, arguments=tuples(inner), keywords=keywords),
        build(
            Along,
            function=names,
            binders=tuples(binders, 1),
            arguments=tuples(inner),
            keywords=keywords,
        ),
    )


expressions = st.recursive(leaves, larger, max_leaves=12)
axes = tuples(expressions | build(Pack, value=st.none() | expressions))
dtypes = st.recursive(
    build(DTypeExpression, name=names, arguments=st.just(())),
    lambda inner: build(DTypeExpression, name=names, arguments=tuples(inner, 1, 2)),
    max_leaves=3,
)
KINDS = {"int", "float", "bool", "dtype", "shape", "axis", "axes"}
tensors = build(
    TensorType, dtype=dtypes.filter(lambda d: d.name not in KINDS), axes=axes
)
counts = st.none() | build(Number, value=st.integers(1, 64))
named_pack = build(Pack, value=build(Name, name=names))
attributes = st.one_of(
    build(AttributeType, kind=st.sampled_from(["int", "float", "bool"]), count=counts),
    build(AttributeType, kind=st.sampled_from(["int", "float"]), count=named_pack),
    build(AttributeType, kind=st.just("string"), choices=tuples(texts, 1)),
    build(AttributeType, kind=st.sampled_from(["dtype", "shape"])),
    build(
        AttributeType, kind=st.sampled_from(["axis", "axes"]), pack=st.none() | names
    ),
)
any_tensor = build(Parameter, name=names, type=tensors, optional=st.booleans()) | build(
    Parameter, name=names, type=tensors, variadic=st.just(True)
)
any_attribute = build(
    Parameter, name=names, type=attributes, default=st.none() | expressions
)


@st.composite
def signatures(draw: st.DrawFn) -> tuple[Parameter, ...]:
    """Parameters as the parser places them: some ``/``, perhaps a ``*``."""
    from dataclasses import replace

    drawn = draw(st.lists(any_tensor | any_attribute, max_size=5))
    slash = draw(st.integers(0, len(drawn)))
    last = len(drawn) - 1
    star = draw(st.none() | st.integers(slash, last)) if slash <= last else None
    tensor_at = [i for i, p in enumerate(drawn) if isinstance(p.type, TensorType)]
    implied = max([slash, *(i + 1 for i in tensor_at)])
    keyword_from = implied if star is None else star
    return tuple(
        replace(
            p,
            placement="positional"
            if i < slash
            else "keyword"
            if i >= keyword_from
            else "either",
        )
        for i, p in enumerate(drawn)
    )


targets = build(
    Target,
    name=names,
    items=tuples(expressions | build(Pack, value=st.none() | expressions)),
)
definitions = build(
    Definition,
    targets=tuples(targets, 1, 2),
    value=expressions,
    combine=st.none() | st.sampled_from(["add", "mul", "max", "min"]),
)
finite = st.floats(allow_nan=False)
intervals = st.tuples(finite, finite).filter(lambda pair: pair[0] < pair[1])
samples = st.builds(
    lambda name, pair: Sample(name=name, low=pair[0], high=pair[1], span=HERE),
    names,
    intervals,
)
workloads = build(
    Workload,
    label=names,
    tensors=tuples(st.tuples(names, names, tuples(st.integers(0, 1 << 40))), 1, 3),
    attributes=tuples(st.tuples(names, expressions)),
)
upstreams = build(
    Upstream,
    function=tuples(names, 1).map(".".join),
    status=st.just("aligned"),
    reason=st.just(""),
) | build(
    Upstream,
    function=tuples(names, 1).map(".".join),
    status=st.sampled_from(["adapted", "custom"]),
    reason=texts,
)


def distinct(of: st.SearchStrategy[Any], key: Any) -> Any:
    return st.lists(of, max_size=2, unique_by=key).map(tuple)


clauses = st.builds(
    Clauses,
    axis=st.none() | names,
    samples=distinct(samples, lambda sample: sample.name),
    exact=st.booleans(),
    bounds=distinct(
        st.tuples(names, st.sampled_from(["raise", "clamp"])), lambda pair: pair[0]
    ),
    accumulate=st.none() | names,
    mutates=distinct(names, str),
    requires=tuples(build(Require, condition=expressions, message=texts), 0, 2),
    workloads=distinct(workloads, lambda workload: workload.label),
    upstream=distinct(upstreams, lambda upstream: upstream.function),
    gradients=distinct(
        build(Gradient, name=names, value=expressions), lambda grad: grad.name
    ),
)
docs = st.lists(texts.filter(lambda text: "\n" not in text), max_size=3).map("\n".join)
operators = st.builds(
    Operator,
    name=names,
    doc=docs.map(lambda doc: "" if not doc.strip() else doc),
    parameters=signatures(),
    results=tuples(
        build(Result, name=names, type=tensors, optional=st.booleans()), 1, 2
    ),
    classes=tuples(build(DTypeClass, name=names, classes=tuples(names, 1)), 0, 2),
    definitions=tuples(definitions, 1, 3),
    clauses=clauses,
    name_span=st.just(HERE),
    span=st.just(HERE),
)
patient = settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@patient
@given(expressions)
def test_an_expression_prints_as_itself(expression: Expression) -> None:
    text = print_expression(expression)
    (definition,) = parse_operator(f"op f(x: T) -> y: T = {text}").definitions
    assert definition.value == expression
    assert print_expression(definition.value) == text


@patient
@given(operators)
def test_an_operator_prints_as_itself(operator: Operator) -> None:
    text = print_operator(operator)
    assert parse_operators(text) == (operator,)
    assert print_operator(parse_operator(text)) == text


def test_the_shipped_operators_print_as_themselves() -> None:
    for source in shipped_sources():
        for operator in parse_operators(source):
            assert parse_operators(print_operator(operator)) == (operator,)


def test_two_spellings_have_one_text() -> None:
    spaced = "op f( x:T[ ...,n ] )->y:T[...,n]\n  y[...,i]=((x[...,i])+(1))*2"
    plain = "op f(x: T[..., n]) -> y: T[..., n]\n    y[..., i] = (x[..., i] + 1) * 2\n"
    assert print_operator(parse_operator(spaced)) == plain


def test_a_hash_leaves_the_docstring_out() -> None:
    (documented,) = parse_operators("# Doc.\nop f(x: T) -> y: T = x\n")
    (bare,) = parse_operators("op f(x: T) -> y: T = x\n")
    assert print_operator(documented, doc=False) == print_operator(bare)
    assert print_operator(documented).startswith("# Doc.\nop f")


def test_the_signature_alone() -> None:
    text = "op f(x: T, /, k: int = 1, *, s: axes[s] = none) -> y: T[...]"
    operator = parse_operator(text + " = x")
    assert print_signature(operator) == text.removesuffix("[...]")
