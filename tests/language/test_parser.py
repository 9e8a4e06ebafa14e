"""The tree of tricky expressions, signatures and clauses; operators that must pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from opslib.errors import SpecError
from opslib.language import Source, check, parse_operator, parse_operators
from opslib.language.printer import print_expression, print_operator
from opslib.language.syntax import (
    Along,
    AttributeType,
    Binary,
    Composite,
    Conditional,
    Expression,
    Index,
    Name,
    Number,
    Operator,
    Otherwise,
    Pack,
    TensorType,
    TupleOf,
    Unary,
)


def expression(text: str) -> Expression:
    return parse_operator(f"op f(x: T) -> y: T = {text}").definitions[0].value


def grouped(node: Expression) -> str:
    """The text with every operator in parentheses."""
    match node:
        case Binary():
            return f"({grouped(node.left)} {node.operator} {grouped(node.right)})"
        case Otherwise():
            return f"({grouped(node.read)} ?? {grouped(node.value)})"
        case Unary():
            return f"({node.operator} {grouped(node.operand)})"
        case Conditional():
            parts = (node.value, node.condition, node.other)
            a, b, c = (grouped(part) for part in parts)
            return f"({a} if {b} else {c})"
    return print_expression(node)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("a + b * c", "(a + (b * c))"),
        ("a - b - c", "((a - b) - c)"),
        ("a / b * c // d % e", "((((a / b) * c) // d) % e)"),
        ("-a^2", "(- (a ^ 2))"),
        ("a^-b", "(a ^ (- b))"),
        ("a^b^c", "(a ^ (b ^ c))"),
        ("-a * -b", "((- a) * (- b))"),
        ("~a & b | c", "(((~ a) & b) | c)"),
        ("a | b & c", "((a | b) & c)"),
        ("a << 1 + b >> c", "((a << (1 + b)) >> c)"),
        ("a & 1 == b", "((a & 1) == b)"),
        ("not a == b and c or d", "(((not (a == b)) and c) or d)"),
        ("not not a", "(not (not a))"),
        ("a or not b and c", "(a or ((not b) and c))"),
        ("x[i] ?? a ?? b", "((x[i] ?? a) ?? b)"),
        ("a or b ?? c", "((a or b) ?? c)"),
        ("a if b else c if d else e", "(a if b else (c if d else e))"),
        ("a if b if c else d else e", "(a if (b if c else d) else e)"),
        ("a + b if c < d else -inf", "((a + b) if (c < d) else (- inf))"),
        ("(a < b) == (c < d)", "((a < b) == (c < d))"),
        ("(a)", "a"),
    ],
)
def test_precedence(text: str, meaning: str) -> None:
    assert grouped(expression(text)) == meaning


def test_composites_calls_and_tuples_are_told_apart() -> None:
    (item,) = index("x[(g r)]").items
    assert item == Composite(parts=(name("g"), name("r")), span=item.span)
    (item,) = index("x[(2 n)]").items
    assert isinstance(item, Composite)
    assert isinstance(item.parts[0], Number)
    (item,) = index("x[(i (j + 1))]").items
    assert isinstance(item, Composite)
    assert isinstance(item.parts[1], Binary)
    (item,) = index("x[((i + 1) j)]").items
    assert isinstance(item, Composite)
    (item,) = index("x[(h[i] (a b) f(c))]").items
    assert isinstance(item, Composite)
    assert len(item.parts) == 3
    assert isinstance(expression("(a, b)"), TupleOf)
    assert isinstance(expression("(a,)"), TupleOf)
    assert isinstance(expression("()"), TupleOf)
    assert isinstance(
        expression("f(a)(b)" if False else "f(a)"), type(expression("g()"))
    )


def name(text: str) -> Name:
    value = expression(text)
    assert isinstance(value, Name)
    return value


def index(text: str) -> Index:
    value = expression(text)
    assert isinstance(value, Index)
    return value


def test_packs_stand_in_index_lists() -> None:
    items = index("x[..., ...s, ...(s + lo), ...head(s, axis)]").items
    assert all(isinstance(item, Pack) for item in items)
    assert [print_expression(item) for item in items] == [
        *["...", "...s", "...(s + lo)", "...head(s, axis)"]
    ]


def test_a_variadic_read_has_a_selector() -> None:
    read = index("xs[v][..., i]")
    assert read.which == name("v")
    assert len(read.items) == 2


def test_a_fold_is_a_bracket_followed_by_a_call() -> None:
    fold = expression("sum[u in a[i]..a[i + 1] bound 8, v, ...s](x[u, v])")
    assert isinstance(fold, Along)
    first, second, third = fold.binders
    assert isinstance(first.start, Index)
    assert isinstance(first.stop, Index)
    assert first.bound == Number(value=8, span=fold.span)
    assert (second.start, second.pack, third.pack) == (None, False, True)
    assert isinstance(expression("(sum[j](x[j]) (a b))"), Composite)


def test_words_of_the_grammar_are_names_elsewhere() -> None:
    text = """
op where(op: T, axis: T, in: T, bound: T, like: T) -> exact: T
    sample[...] = op + axis
    grad[...] = sample + in
    requires[...] = grad + bound
    workload, accumulate = topk[j](like[...])
    exact[...] = sum[bound in in..bound bound bound](axis) + where
"""
    operator = parse_operator(text)
    assert operator.name == "where"
    assert len(operator.definitions) == 5
    assert operator.definitions[3].targets[1].name == "accumulate"


def test_combining_writes() -> None:
    text = "op f(x: T) -> y: T\n    y[...] = 0\n    y[i] add= x\n    z max= 1\n"
    assert [d.combine for d in parse_operator(text).definitions] == [None, "add", "max"]


def signature(text: str) -> list[tuple[str, str]]:
    operator = parse_operator(f"op f({text}) -> y: float32 = 0")
    return [(p.name, p.placement) for p in operator.parameters]


@pytest.mark.parametrize(
    ("text", "placements"),
    [
        ("x: T, k: int", "either either"),
        ("k: int, x: T", "either either"),
        ("x: T, /, k: int", "positional either"),
        ("x: T, /, y: T", "positional either"),
        ("x: T, k: int, *, s: int", "either either keyword"),
        ("x: T, *, w: T", "either keyword"),
        ("x: T, k: int, /", "positional positional"),
        ("x: T, /, *, k: int", "positional keyword"),
    ],
)
def test_placement(text: str, placements: str) -> None:
    assert " ".join(placement for _, placement in signature(text)) == placements


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("int", "int"),
        ("int[2]", "int"),
        ("int[...s]", "int"),
        ("bool", "bool"),
        ("bool[2]", "bool"),
        ("float[3]", "float"),
        ('"a" | "b"', "string"),
        ('"a"', "string"),
        ("dtype", "dtype"),
        ("shape", "shape"),
        ("axis[s]", "axis"),
        ("axes[...]", "axes"),
        ("axes", "axes"),
    ],
)
def test_kinds_of_attributes(text: str, kind: str) -> None:
    (parameter,) = parse_operator(f"op f(k: {text}) -> y: float32 = 0").parameters
    assert isinstance(parameter.type, AttributeType)
    assert parameter.type.kind == kind


@pytest.mark.parametrize("text", ["bool[...]", "bool[n]", "bool[...s]", "T", "T[]"])
def test_kinds_of_tensors(text: str) -> None:
    (parameter,) = parse_operator(f"op f(k: {text}) -> y: float32 = 0").parameters
    assert isinstance(parameter.type, TensorType)


def test_a_result_of_rank_zero_has_no_position() -> None:
    operator = parse_operator("op f(x: T[n]) -> y: T[] = sum[i](x[i])")
    assert operator.definitions[0].targets[0].items == ()
    check(operator, {})


PASSING = Source(
    "passing.op", Path(__file__).with_name("passing.op").read_text(encoding="utf-8")
)
SOFTMAX = """op softmax(x: T[..., n]) -> y: T[..., n]
    y[..., i] = x[..., i]
    axis n"""


@pytest.mark.parametrize("operator", parse_operators(PASSING), ids=lambda o: o.doc)
def test_it_passes_and_prints_as_itself(operator: Operator) -> None:
    check(operator, {"softmax": parse_operator(SOFTMAX)})
    assert parse_operators(print_operator(operator)) == (operator,)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("op f(x: T, /, y: T, /) -> z: T = x", "E0209"),
        ("op f(/, x: T) -> z: T = x", "E0209"),
        ("op f(x: T, *, y: T, *, k: T) -> z: T = x", "E0209"),
        ("op f(x: T, *xs: T?) -> z: T = x", "E0209"),
        ("op f(x: T = 1) -> z: T = x", "E0201"),
        ("op f(x: T) -> () = x", "E0201"),
        ("op f(x: T) = x", "E0201"),
        ("op f(x: T) -> y: T = ...", "E0201"),
        ("op f(x: T) -> y: T = a + not b", "E0201"),
        ("op f(x: T) -> y: T = a < b < c", "E0203"),
        ("op f(x: T) -> y: T = x[i][j][k]", "E0201"),
        ("op f(x: T) -> y: T = x[i, j][k]", "E0201"),
        ("op f(x: T) -> y: T = sum[](x)", "E0201"),
        ("op f(x: T) -> y: T = (a, b c)", "E0201"),
        ("op f(x: T) -> y: T = x if y", "E0201"),
        ("op f(x: T) -> y: T = true is none", "E0201"),
        ("op f(x: T) -> y: T = x = 1", "E0210"),
        ("op f(x: T) -> y: T = x\n    like", "E0201"),
        ("op f(x: T) -> y: T = x\n    requires x > 0", "E0201"),
        ("op f(x: T) -> y: T = x\n    sample x in [a, 1]", "E0606"),
        ("op f(x: T) -> y: T = x\n    workload a: x float32[1.5]", "E0606"),
    ],
)
def test_it_is_refused(text: str, code: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_operator(text)
    assert caught.value.code == code


def test_chains_are_as_long_as_the_limit_not_as_the_stack() -> None:
    parse_operator("op f(x: T) -> y: T = " + " + ".join(["x"] * 120))
    for text in (
        " + ".join(["x"] * 10_000),
        "-" * 10_000 + "x",
        "not " * 10_000 + "x",
        "^".join(["x"] * 10_000),
        "x if x else " * 10_000 + "x",
        "(" * 60 + "-x" + " + 1)" * 60 + " * x" * 100,
    ):
        with pytest.raises(SpecError) as caught:
            parse_operator(f"op f(x: T) -> y: T = {text}")
        assert caught.value.code == "E0109"
