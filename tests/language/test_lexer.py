"""Spelling: tokens, logical lines, docstrings, brackets and limits."""

from __future__ import annotations

import pytest

from opslib.errors import SpecError
from opslib.language import Source, parse_operators
from opslib.language.lexer import Tokens, tokenize


def lex(text: str) -> Tokens:
    return tokenize(Source("t.op", text))


def words(text: str) -> list[str]:
    return [
        token.text if token.kind in {"name", "number", "string", "mark"} else token.kind
        for token in lex(text).tokens
    ]


def code(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        lex(text)
    return caught.value.code


def test_ranges_and_packs_are_not_numbers() -> None:
    assert words("0..n ...s 1.5..2")[:-2] == [
        "0",
        "..",
        "n",
        "...",
        "s",
        "1.5",
        "..",
        "2",
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("12", 12),
        ("0x1F", 31),
        ("0xffffffffffffffff", (1 << 64) - 1),
        ("1.5", 1.5),
        ("1e-6", 1e-6),
        ("1E+3", 1000.0),
        ("2.5e10", 2.5e10),
    ],
)
def test_numbers_have_the_value_written(text: str, value: float) -> None:
    token = lex(text).tokens[0]
    assert (token.kind, token.value) == ("number", value)
    assert type(token.value) is type(value)


@pytest.mark.parametrize("text", ["0x", "007", "1e", "1_000", "1.x", "9" * 50, "1e400"])
def test_malformed_numbers_are_refused(text: str) -> None:
    assert code(text) == "E0106"


def test_strings_have_three_escapes() -> None:
    assert lex(r'"a\"b\\c\nd"').tokens[0].value == 'a"b\\c\nd'


def test_a_comment_sign_in_a_string_is_text() -> None:
    assert lex('"a # b" # c').tokens[0].value == "a # b"


def test_newlines_in_brackets_are_skipped() -> None:
    assert words("f(a,\n  b)\nc") == [
        *["f", "(", "a", ",", "b", ")", "newline", "c", "newline", "end"]
    ]


@pytest.mark.parametrize(
    "second", ["+ b", "?? 0", "if a else b", "where T: float", "-> y", "= a", "* b"]
)
def test_a_line_no_statement_begins_with_continues(second: str) -> None:
    assert words(f"op f\n    {second}").count("newline") == 1


@pytest.mark.parametrize("second", ["where[i] = a", "wherever = b", "ifs = 1", "b"])
def test_other_lines_do_not_continue(second: str) -> None:
    assert words(f"op f\n    {second}").count("newline") == 2


def test_a_line_after_a_comma_continues() -> None:
    assert words("a b,\n  c").count("newline") == 1


def test_blocks_are_indented_lines() -> None:
    assert words("a\n  b\n  c\nd") == [
        *["a", "newline", "indent", "b", "newline", "c", "newline", "dedent"],
        *["d", "newline", "end"],
    ]


def test_line_ends_of_windows_are_line_ends() -> None:
    text = "# Doc.\r\nop f(x: T) -> y: T\r\n    y[...] = x\r\n"
    (operator,) = parse_operators(text)
    assert operator.doc == "Doc."
    assert parse_operators(text.replace("\r", "")) == (operator,)


def test_the_comment_block_above_an_operator_is_its_docstring() -> None:
    text = """# About the file.

# Not this,

# First line.
#
#   indented
op f(x: T) -> y: T = x  # not this
# Of g.
op g(x: T) -> y: T = x

# Not of h.

op h(x: T) -> y: T = x
"""
    docs = [operator.doc for operator in parse_operators(text)]
    assert docs == ["First line.\n\n  indented", "Of g.", ""]


def test_spans_are_the_characters_written() -> None:
    text = "op f(x: T[..., n]) -> y: T[..., n]\n    y[..., i] = (x[..., i] + 1) * 2\n"
    (operator,) = parse_operators(Source("t.op", text))
    value = operator.definitions[0].value
    assert text[value.span.start : value.span.stop] == "(x[..., i] + 1) * 2"
    assert text[operator.name_span.start : operator.name_span.stop] == "f"
    assert text[operator.span.start : operator.span.stop] == text.rstrip()


def test_an_unclosed_bracket_does_not_swallow_the_next_operator() -> None:
    with pytest.raises(SpecError) as caught:
        lex("op f(x: T) -> y: T = max(x\n\nop g(x: T) -> y: T = max(x\n")
    assert caught.value.message.count("error[E0104]") == 2


@pytest.mark.parametrize("character", ["\x00", "\x0c", "\u202e", "\ud800", "\u2028"])
@pytest.mark.parametrize("place", ["# {}", '"{}"', "a {}"])
def test_characters_that_mislead_are_refused_everywhere(
    character: str, place: str
) -> None:
    assert code(place.format(character)) == "E0101"


def test_limits_end_in_a_spec_error() -> None:
    assert code("(" * 65) == "E0109"
    assert code("a" * 65) == "E0110"
    assert code("a\n" * 200_000) == "E0108"
    assert code(" " * (1 << 21)) == "E0108"


def test_the_number_of_errors_shown_is_limited() -> None:
    with pytest.raises(SpecError) as caught:
        lex("$" * 10_000)
    assert caught.value.message.count("error[") == 20


def test_an_operator_has_a_limited_number_of_definitions() -> None:
    lines = "".join(f"    y[{i}] = 0\n" for i in range(1001))
    with pytest.raises(SpecError) as caught:
        parse_operators(f"op f(x: T[n]) -> y: T[n]\n{lines}")
    assert caught.value.code == "E0108"
