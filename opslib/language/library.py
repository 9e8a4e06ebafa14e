"""The shipped specs, read once when first asked for, and specs given as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType

from opslib.language.checker import diagnose
from opslib.language.diagnostics import Diagnostic, raise_spec, source_of
from opslib.language.lexer import MAX_ERRORS
from opslib.language.parser import parse_operator, parse_operators
from opslib.language.syntax import Operator, Source


@lru_cache(maxsize=1)
def load_library() -> Mapping[str, Operator]:
    """All shipped operators by name, parsed and checked, in the order of the files.

    Raises:
        SpecError: when a shipped spec is not well formed.
    """
    return check_sources(shipped_sources())


def shipped_sources() -> tuple[Source, ...]:
    """The texts of `opslib.specs`, by path."""
    root = files("opslib.specs")
    found = sorted(_texts(root, "specs"), key=lambda source: source.name)
    return tuple(found)


def _texts(folder: Traversable, path: str) -> Iterator[Source]:
    for entry in folder.iterdir():
        name = f"{path}/{entry.name}"
        if entry.is_dir():
            yield from _texts(entry, name)
        elif entry.name.endswith(".op"):
            yield Source(name, entry.read_text(encoding="utf-8"))


def parse_sources(sources: tuple[Source, ...]) -> Mapping[str, Operator]:
    """The operators of several texts by name, parsed but not checked.

    Raises:
        SpecError: when a text does not parse, or a name is used twice.
    """
    operators: dict[str, Operator] = {}
    errors: list[Diagnostic] = []
    for source in sources:
        for operator in parse_operators(source):
            first = operators.setdefault(operator.name, operator)
            if first is not operator:
                errors.append(_second(operator, first))
    if errors:
        raise_spec(errors[:MAX_ERRORS])
    return MappingProxyType(operators)


def _second(operator: Operator, first: Operator) -> Diagnostic:
    message = f"there is an operator '{operator.name}' already"
    labels = ((first.name_span, "the first one"),)
    help = f"the first one is in {first.span.source.name}; rename one of the two"
    return Diagnostic("E0309", message, operator.name_span, labels, help)


def check_sources(sources: tuple[Source, ...]) -> Mapping[str, Operator]:
    """The operators of several texts by name; each may call all others.

    Raises:
        SpecError: showing the errors of all texts.
    """
    operators = parse_sources(sources)
    errors: list[Diagnostic] = []
    for operator in operators.values():
        errors += diagnose(operator, operators)[0]
    if errors:
        raise_spec(errors[:MAX_ERRORS])
    return operators


def parse_operator_text(text: str, known: Mapping[str, Operator]) -> Operator:
    """The operator that ``opslib.op("...")`` is given, checked.

    Args:
        text: one operator; a common indentation, and the word ``op``, may be there.
        known: the operators that it may call.

    Raises:
        SpecError: when the text is not one well-formed operator.
    """
    source = source_of(_at_margin(text))
    operator = parse_operator(source)
    # Its own name does not refer to a shipped operator of that name.
    others = {name: o for name, o in known.items() if name != operator.name}
    errors, _ = diagnose(operator, others)
    if errors:
        raise_spec(errors[:MAX_ERRORS])
    return operator


def _at_margin(text: str) -> str:
    """The text without common indentation, beginning with ``op`` or a comment.

    Lines are only shortened, so that carets still stand under what was written.
    """
    if len(text) > 1 << 20:
        return text  # The lexer refuses it.
    from textwrap import dedent

    text = dedent(text).lstrip("\n")
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if line.strip() and not line.startswith("#"):
            if not line.startswith(("op ", "op\t", " ", "\t")):
                lines[number] = f"op {line}"
            break
    return "\n".join(lines)
