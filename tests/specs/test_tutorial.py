"""The operators of docs/writing-an-operator.md are operators."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from opslib.language.checker import diagnose
from opslib.language.diagnostics import render
from opslib.language.functions import FOLDS, ORDERS, PACK_FUNCTIONS, PRIMITIVES
from opslib.language.parser import parse_operators
from opslib.language.syntax import Operator, Source

PAGE = Path(__file__).parents[2] / "docs" / "writing-an-operator.md"
TEXT = PAGE.read_text(encoding="utf-8")


def written() -> list[Operator]:
    """The operators of the page, in order."""
    blocks = re.findall(r"^```\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    texts = [b for b in blocks if re.search(r"^op ", b, re.MULTILINE)]
    texts += re.findall(r'opslib\.op\("(.*?)"\)', TEXT)
    return [o for t in texts for o in parse_operators(Source(PAGE.name, t))]


@pytest.mark.parametrize("operator", written(), ids=lambda o: o.name)
def test_operator_is_well_formed(operator: Operator) -> None:
    errors, warnings = diagnose(operator, {})
    found = [*errors, *warnings]
    assert not found, "\n".join(render(d) for d in found)


@pytest.mark.parametrize("name", sorted({*FOLDS, *ORDERS, *PACK_FUNCTIONS}))
def test_reference_names_folds_and_pack_functions(name: str) -> None:
    undocumented = {"topk", "broadcast"}  # Reachable as operators, or internal.
    if name not in undocumented:
        assert re.search(rf"\b{name}\b", TEXT.partition("# Reference")[2])


@pytest.mark.parametrize("name", sorted(PRIMITIVES))
def test_reference_names_functions(name: str) -> None:
    internal = {"bitxor", "gelu_erf", "neg", "philox"}
    if name not in internal:
        assert re.search(rf"\b{name}\b", TEXT.partition("# Reference")[2])
