"""Every flag of the catalogue's kernels, taken away in turn: the twin notices each.

That no flag can be spared is the same statement: one that could would go unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from opslib.testing.operator_table import pairs

from . import ascend_mutations as mutations
from .ascend_cases import has_compiler

pytestmark = pytest.mark.skipif(not has_compiler(), reason="no C++ compiler")

DTYPES = ("float32", "float16")
# One operator with a dtype in so many, from all over the catalogue.
_SLICE = 41


def test_every_dropped_flag_of_a_slice_is_noticed() -> None:
    """The whole catalogue takes most of an hour: the next test."""
    found = list(mutations.survey(pairs(DTYPES)[::_SLICE], most=1))
    print(mutations.rate(found))
    assert mutations.complaints(found) == []
    assert sum(len(v.caught) for v in found) > 100


@pytest.mark.deep
def test_every_dropped_flag_is_noticed(golden: Callable[[str, str], None]) -> None:
    """With --update-golden it writes the table of the documentation."""
    work = pairs(DTYPES)
    found = list(mutations.survey(work))
    print(mutations.rate(found))
    assert mutations.complaints(found) == []
    golden("../docs/npu-mutations.md", mutations.markdown(found, len(work)))
