"""Every flag of the catalogue's kernels, taken away in turn: the twin notices each.

That no flag can be spared is the same statement: one that could would go unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from opslib.backends.npu.ascend import machine, plan
from opslib.backends.npu.ascend.lower import lower

from opslib.testing.operator_table import pairs

from . import ascend_mutations as mutations
from .ascend_cases import has_compiler
from .ascend_mutation_kernels import kernels

compiled = pytest.mark.skipif(not has_compiler(), reason="no C++ compiler")

DTYPES = ("float32", "float16")
# One operator with a dtype in so many, from all over the catalogue.
_SLICE = 41


def flags(made: plan.Program) -> list[list[str]]:
    return [[s.text for s in machine.syncs(x.body)] for x in made.launches]


@pytest.mark.parametrize(
    "operator", ["add", "softmax", "sum", "diag", "apply_rotary", "cumsum", "matmul"]
)
def test_the_least_tiles_change_no_flag(operator: str) -> None:
    """What is said of kernels made with them is true of those that users get."""
    for kernel in kernels(operator, "float32", 2):
        usual = lower(kernel.program, kernel.made.name)
        assert flags(usual) == flags(kernel.made)


@compiled
def test_every_dropped_flag_of_a_slice_is_noticed() -> None:
    """The whole catalogue takes most of an hour: the next test."""
    found = list(mutations.survey(pairs(DTYPES)[::_SLICE], most=1))
    print(mutations.rate(found), mutations.cost(found), sep="; ")
    assert mutations.complaints(found) == []
    assert sum(len(v.caught) for v in found) > 100


@compiled
@pytest.mark.deep
def test_every_dropped_flag_is_noticed(golden: Callable[[str, str], None]) -> None:
    """With --update-golden it writes the table of the documentation."""
    work = pairs(DTYPES)
    found = list(mutations.survey(work))
    print(mutations.rate(found), mutations.cost(found), sep="; ")
    assert mutations.complaints(found) == []
    golden("../docs/npu-mutations.md", mutations.markdown(found, len(work)))
