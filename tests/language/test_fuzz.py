"""Whatever the text, the front end answers with operators or a SpecError."""

from __future__ import annotations

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from opslib.errors import SpecError
from opslib.language import parse_operators
from opslib.language.checker import diagnose
from opslib.language.diagnostics import CODES, render
from opslib.language.library import parse_operator_text
from opslib.language.printer import print_operator

MARKS = "( ) [ ] , : = + - * / // % ^ << >> & | ~ < <= > >= == != ?? ... .. . -> ?"
NAMES = """op f and or not if else is in none true false inf nan pi x y T n i j where
float int bool dtype shape axis axes sample exact bounds requires workload like grad
mutates accumulate add max sum softmax topk float32 weave rank"""
WORDS = [*MARKS.split(), *NAMES.split(), "0", "1", "1.5", '"s"']
BLANKS = [" ", "", "\n", "\n    ", "\n\n", "  ", "\n# c\n", "\t"]

soup = st.lists(
    st.tuples(st.sampled_from(WORDS), st.sampled_from(BLANKS)), max_size=60
).map(lambda pairs: "".join(word + blank for word, blank in pairs))
patient = settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow]
)


def refused(error: SpecError) -> None:
    assert error.code in CODES
    assert error.message.startswith(f"error[{error.code}]")


def answers(text: str) -> None:
    """Parse, check, render and print `text`; anything but a SpecError is a bug."""
    try:
        operators = parse_operators(text)
    except SpecError as refusal:
        refused(refusal)
        return
    known = {operator.name: operator for operator in operators}
    for operator in operators:
        errors, warnings = diagnose(operator, known)
        for diagnostic in errors + warnings:
            assert diagnostic.code in CODES
            assert render(diagnostic)
        assert parse_operators(print_operator(operator)) == (operator,)


@patient
@given(st.text(max_size=200))
@example("op")
@example("op f")
@example("op f(x: T) -> y: T =")
@example("op f(x: T) -> y: T\n ")
@example('"\\')
def test_any_text(text: str) -> None:
    answers(text)


@patient
@given(soup)
def test_any_words(text: str) -> None:
    answers(text)


@patient
@given(soup, soup)
def test_any_words_in_a_signature_or_a_body(first: str, second: str) -> None:
    flat = first.replace("\n", " ")
    answers(f"op f({flat}) -> y: T = x")
    answers(f"op f(x: T[..., n]) -> y: T[..., n] = {flat}")
    indented = second.replace("\n", "\n    ")
    answers(f"op f(x: T[..., n], i: int = 0) -> y: T[..., n]\n    {indented}")
    answers(f"op f(x: T[..., n]) -> y: T[..., n]\n    y[..., i] = {indented}")


REAL = """op attention(q: T[..., (g r), s, d], k: T[..., g, t, d], m: M[..., s, t]?,
             *, scale: float = 1 / sqrt(d)) -> o: T[..., (g r), s, t] where T: float
    a[..., (h u), i, j] = scale * sum[c](q[..., (h u), i, c] * k[..., h, j, c])
    o[..., (h u), i, j] = a[..., (h u), i, j] + (m[..., i, j] ?? 0) if s < t else -inf
    requires s > 0 : "no rows"
    workload one: q float32[1, 2, 3, 4], k float32[1, 2, 3, 4], scale=1
"""


@patient
@given(st.data())
def test_a_real_operator_with_pieces_cut_or_put_in(data: st.DataObject) -> None:
    text = REAL
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        stop = data.draw(st.integers(start, min(start + 6, len(text))))
        middle = data.draw(st.sampled_from(["", *WORDS, "\n", "\x00", "é"]))
        text = text[:start] + middle + text[stop:]
    answers(text)


@patient
@given(soup)
def test_the_text_given_to_op(text: str) -> None:
    try:
        parse_operator_text(text, {})
    except SpecError as refusal:
        refused(refusal)


def test_large_texts_take_no_longer_than_their_size() -> None:
    import time

    body = "".join(f"    z{i}[..., i] = x[..., i] + {i}\n" for i in range(900))
    text = f"op f(x: T[..., n]) -> y: T[..., n]\n{body}    y[..., i] = z1[..., i]\n"
    start = time.perf_counter()
    answers(text)
    assert time.perf_counter() - start < 10
