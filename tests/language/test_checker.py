"""Finer points of the checks that one example per code does not show."""

from __future__ import annotations

import pytest

from opslib.language import parse_operator, parse_operators
from opslib.language.checker import diagnose, warnings
from opslib.language.functions import FOLDS, ORDERS, PRIMITIVES

SIGNATURE = """op f(x: T[..., n], w: T[n], m: T[p, q], ids: I[n], b: T[n]?, *xs: T[n],
     k: int = 1, c: int = none, s: int[2] = 1, mode: "a" | "b" = "a")
     -> y: T[..., n] where T: float, I: int
"""


def codes(body: str, signature: str = SIGNATURE) -> list[str]:
    lines = "".join(f"    {line}\n" for line in body.strip().split("\n"))
    errors, _ = diagnose(parse_operator(signature + lines), {})
    return [error.code for error in errors]


def value(text: str) -> list[str]:
    return codes(f"y[..., i] = {text}")


@pytest.mark.parametrize(
    "text",
    [
        "b[i] ?? 0",
        "b[i] if b is not none else 0",
        "0 if b is none else b[i]",
        "b[i] if not (b is none) else 0",
        "b[i] if b is not none and b[i] > 0 else 0",
        "0 if b is none or b[i] > 0 else b[i]",
        "x[..., i] * c if c is not none else 0",
        "m[k, s[1]]",
        "w[n - 1 - i]",
        "sum[j](w[j]) + sum[j](w[j])",
        "sum[v](xs[v][i])",
        "x[..., i] if mode == 'a' else 0".replace("'", '"'),
        "sum[u in 0..n, v in u..n](w[u] * w[v])",
        "sum[u, t in 0..ids[u] bound n](w[u] * w[t])",
        "T(1) + float32(w[i])",
        "max(1, 2, 3, w[i])",
    ],
)
def test_it_is_well_formed(text: str) -> None:
    assert value(text) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("b[i]", "E0404"),
        ("b[i] if b is none else 0", "E0404"),
        ("b[i] if b is not none or k > 0 else 0", "E0404"),
        ("0 if b is none and k > 0 else b[i]", "E0404"),
        ("b[ids[i]] + (b[i] ?? 0)", "E0404"),
        ("w[b[i]] ?? 0", "E0404"),
        ("x[..., p]", "E0501"),
        ("x[i, ...]", "E0503"),
        ("x[..., 0, i]", "E0503"),
        ("m[i]", "E0503"),
        ("m", "E0503"),
        ("xs", "E0411"),
        ("xs[i]", "E0411"),
        ("w[0][i]", "E0411"),
        ("k[0]", "E0409"),
        ("n[0]", "E0409"),
        ("s[2]", "E0409"),
        ("T[0]", "E0409"),
        ("k is none", "E0408"),
        ("n is none", "E0408"),
        ("c is none or z is none", "E0301"),
        ("i(2)", "E0302"),
        ("max[j, l](m[j, i])", "E0504"),
        ("sum[n](w[i])", "E0308"),
        ("sum[x](w[x])", "E0308"),
        ("sum[j](w[j] * max[j](w[j]))", "E0308"),
        ("sum[j](w[j], 2)", "E0311"),
        ("max(w[i])", "E0311"),
        ("cumsum[j](w[j], i, revers=true)", "E0312"),
        ("U is float", "E0406"),
        ("T is flaot", "E0402"),
        ("mode == 'c'".replace("'", '"'), "E0405"),
        ("(w[i], 1)", "E0412"),
        ("topk[j](w[j], 2)", "E0412"),
        ("(w[i] + 1) ?? 0", "E0410"),
        ("sum[j](w[2 * j] ?? 0)", "E0505"),
    ],
)
def test_it_is_refused(text: str, code: str) -> None:
    assert code in value(text)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("y[..., 0] = 1\ny[..., 1] = 2", ["E0511"]),
        ("y[..., 0] = 1\ny[..., i + 1] = w[i]", ["E0511"]),
        ("y[..., 2 * i] = w[i]", ["E0511"]),
        ("y[..., i] = w[i] for i in 0..n", []),
        ("y[..., i] = w[i] for i in 1..n", ["E0510"]),
        ("y[..., i] = w[i] for j in 0..n", ["E0301"]),
        ("y[..., i] = 0\ny[..., i] = w[i] for i in 0..n", ["E0305"]),
        ("y[..., i] = 0 when i > 1\ny[..., i] = w[i] when i <= 1", []),
        ("y[..., i] = 0 when i > 1\ny[..., i] = w[i] when i < 1", ["E0510"]),
        ("y[..., i] = 0 when i > 1\ny[..., i] = w[i] when i <= 2", ["E0305"]),
        ("y[..., i] = 0 for i in 0..k\ny[..., i] = 1 for i in k..n", ["E0511"]),
        ("a[i] = w[i] when i > 1\ny[..., i] = a[i]", ["E0512"]),
        ("y[..., i] = 0\ny[..., i] add= w[i] for i in 1..n", ["E0512"]),
        ("y[..., i] = 0\ny[..., i // 2] add= i * w[0] for i in 0..n", []),
        ("a[i] = 2 * i for i in 0..n\ny[..., i] = a[i] * w[i]", []),
        ("a[i] = 2 * i for i in 1..n\ny[..., i] = a[i] * w[i]", ["E0512"]),
        ("y[..., 0] = 1\ny[..., 0] = 2", ["E0305"]),
        ("y[..., 0] = 1\ny[..., i] = 2", ["E0305"]),
        ("y[..., i] = 1\ny[..., ids[i]] add= w[i]", []),
        ("y[..., ids[i]] = w[i]", ["E0508"]),
        ("y[..., ids[i]] add= w[i]", ["E0509"]),
        ("a[i] = w[i]\na[j] = w[j]\ny[..., i] = a[i]", ["E0305"]),
        ("a = 1\na[i] = w[i]\ny[..., i] = a", ["E0503", "E0305"]),
        ("y[..., i] = (y[..., i - 1] ?? 0) + w[i]", []),
        ("y[..., i] = (y[..., i + 2] ?? 0) + w[i]", []),
        ("y[..., i] = (y[..., i - 1] ?? 0) + (y[..., i + 1] ?? 0)", ["E0507"]),
        ("y[..., i] = y[..., ids[i]]", ["E0507"]),
        ("y[..., i] = sum[j in 0..i](y[..., j]) + w[i]", []),
        ("y[..., i] = sum[j in i + 1..n](y[..., j]) + w[i]", []),
        ("y[..., i] = sum[j in 0..n](y[..., j]) + w[i]", ["E0507"]),
        ("a[i] = d[i - 1] ?? 0\nd[i] = a[i] + w[i]\ny[..., i] = d[i]", []),
        ("a[i] = d[i] ?? 0\nd[i] = a[i] + w[i]\ny[..., i] = d[i]", ["E0507"]),
        ("y[..., i] = a[i]\na[i] = w[i]", ["E0306"]),
        ("x[..., i] = w[i]\ny[..., i] = 0", ["E0310"]),
        ("mutates x\nx[..., i] = w[i]\ny[..., i] = 0", []),
        ("k = 2\ny[..., i] = 0", ["E0303"]),
    ],
)
def test_definitions(body: str, expected: list[str]) -> None:
    assert codes(body) == expected


def test_a_primitive_of_the_name_comes_first_in_its_own_definition() -> None:
    for name in ["sqrt", "abs", "max"]:
        arguments = "x, x" if name == "max" else "x"
        operator = parse_operator(
            f"op {name}(x: T) -> y: T where T: float = {name}({arguments})"
        )
        assert diagnose(operator, {name: operator}) == ((), ())


def test_the_call_goes_to_an_operator_where_the_primitive_does_not_fit() -> None:
    text = """op gelu(x: T, *, approximate: "none" | "tanh" = "none")
       -> y: T where T: float
    y[...] = gelu_tanh(x) if approximate == "tanh" else gelu(x)
op f(x: T) -> y: T where T: float = gelu(x, approximate="tanh")
op g(x: T) -> y: T where T: float = gelu(x, approximate="tahn")
"""
    known = {operator.name: operator for operator in parse_operators(text)}
    found = [diagnose(operator, known)[0] for operator in known.values()]
    assert [[error.code for error in errors] for errors in found] == [
        [],
        [],
        ["E0405"],
    ]


def test_many_errors_are_cut_off_quickly() -> None:
    body = "\n".join(f"z{i} = u{i} + v{i}" for i in range(900))
    assert len(codes(body)) == 20


def test_warnings_do_not_name_what_is_used_in_a_clause() -> None:
    text = "op f(x: T) -> y: T\n    a = 1\n    b = 2\n    y[...] = x + b\n"
    (warning,) = warnings(parse_operator(text), {})
    assert "'a'" in warning.message


def test_the_tables_do_not_overlap_by_accident() -> None:
    assert set(PRIMITIVES) & FOLDS == {"max", "min"}
    assert not set(ORDERS) & (FOLDS | set(PRIMITIVES))
