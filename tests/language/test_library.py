"""The shipped specs load, and a text given to `opslib.op` is read kindly."""

from __future__ import annotations

import pytest

from opslib.errors import SpecError
from opslib.language import Source
from opslib.language.checker import warnings
from opslib.language.library import (
    check_sources,
    load_library,
    parse_operator_text,
    shipped_sources,
)


def test_every_shipped_operator_is_well_formed() -> None:
    library = load_library()
    assert library
    assert load_library() is library
    assert all(name == operator.name for name, operator in library.items())
    assert not [w for operator in library.values() for w in warnings(operator, library)]


def test_sources_are_named_by_their_path() -> None:
    names = [source.name for source in shipped_sources()]
    assert names == sorted(names)
    assert all(name.startswith("specs/") and name.endswith(".op") for name in names)


def test_the_library_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        load_library()["new"] = None  # type: ignore[index]


def test_operators_of_several_texts_may_call_each_other() -> None:
    first = Source("a.op", "op f(x: T) -> y: T = g(x) + 1\n")
    second = Source("b.op", "op g(x: T) -> y: T = x\n")
    assert list(check_sources((first, second))) == ["f", "g"]


def test_a_name_in_two_texts_is_refused() -> None:
    sources = tuple(Source(f"{n}.op", "op f(x: T) -> y: T = x\n") for n in "ab")
    with pytest.raises(SpecError) as caught:
        check_sources(sources)
    assert caught.value.code == "E0309"
    assert "a.op" in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "op f(x: T) -> y: T = x",
        "f(x: T) -> y: T = x",
        "\n    # Doc.\n    op f(x: T) -> y: T\n        y[...] = x\n    ",
        "\n    f(x: T) -> y: T\n        y[...] = x\n",
    ],
)
def test_the_word_op_and_an_indentation_are_optional(text: str) -> None:
    operator = parse_operator_text(text, {})
    assert operator.name == "f"
    assert operator.doc == ("Doc." if "Doc" in text else "")


def test_an_operator_of_the_users_may_hide_a_shipped_one() -> None:
    known = check_sources((Source("a.op", "op f(x: T) -> y: T = x\n"),))
    assert parse_operator_text("f(x: T) -> y: T = -x", known).name == "f"
    with pytest.raises(SpecError) as caught:
        parse_operator_text("f(x: T) -> y: T = f(x)", known)
    assert caught.value.code == "E0307"
