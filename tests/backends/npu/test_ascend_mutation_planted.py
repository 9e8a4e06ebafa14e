"""Bugs planted in generated kernels: each is noticed, by the twin or by the results."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from . import ascend_planted as planted
from .ascend_cases import has_compiler
from .ascend_mutation_kernels import kernels as kernels_of

pytestmark = pytest.mark.skipif(not has_compiler(), reason="no C++ compiler")

# A map, a fold of rows, rows in two stages, lookups, columns, and two of the cube: all
# forms of text that the kinds look for.
OPERATORS = (
    ("add", "float32"), ("sum", "float32"), ("softmax", "float16"),
    ("take", "float32"), ("matmul", "float16"), ("linear", "float16"),
)  # fmt: skip


def test_every_planted_bug_is_noticed() -> None:
    kernels = [k for name in OPERATORS for k in kernels_of(*name, most=1)]
    made = {k.made.name: list(planted.mutants(k, 2)) for k in kernels}
    entries = planted.build(kernels, [m for of in made.values() for m in of])
    total: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    how: Counter[str] = Counter()
    unnoticed = []
    for kernel in kernels:
        found = planted.noticed(kernel, made[kernel.made.name], entries, 60)
        for mutant in made[kernel.made.name]:
            total[mutant.kind] += 1
            if mutant.name in found:
                caught[mutant.kind] += 1
                how[found[mutant.name]] += 1
            else:
                unnoticed.append(f"{mutant.name}: {mutant.kind}")
    for kind in planted.KINDS:
        print(f"{kind}: {caught[kind]} of {total[kind]}")
    print(f"noticed by: {dict(how.most_common())}")
    assert unnoticed == [], "\n".join(unnoticed)
    # Every kind was tried, and nothing is counted twice.
    assert set(total) == set(planted.KINDS)
    assert np.sum(list(total.values())) > 60
