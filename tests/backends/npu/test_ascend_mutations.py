"""Each flag of generated kernels, taken away in turn: the twin notices every one.

That no flag can be spared is the same statement: one that could would go unnoticed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from opslib.backends.npu.ascend import flags, machine, prove
from opslib.backends.npu.ascend.lower import lower
from opslib.backends.npu.ascend.tune import FORCED, USUAL

from .ascend_cases import (
    SYNC,
    built,
    case,
    compiled,
    expected,
    has_compiler,
    normal,
)

pytestmark = pytest.mark.skipif(not has_compiler(), reason="no C++ compiler")


@pytest.fixture(autouse=True)
def one_tile() -> Iterator[None]:
    """The sizes below are made for this tile, several panels and a tail of each."""
    token = FORCED.set(USUAL)
    yield
    FORCED.reset(token)


def matrices(m: int, k: int, n: int) -> Any:
    return case(
        "matmul",
        normal(m, k, dtype="float16"),
        normal(k, n, dtype="float16", seed=1),
    )


def places(rows: int, columns: int) -> Any:
    """A place in a row for each element."""
    return np.arange(rows * columns).reshape(rows, columns) * 7 % columns


# With one core: several turns of every loop, and sizes at which loops are skipped.
KERNELS: dict[str, Callable[[], list[Any]]] = {
    "add": lambda: [case("add", normal(n), normal(n)) for n in (40, 70000)],
    "relu": lambda: [case("relu", normal(n)) for n in (40, 70000)],
    "softmax": lambda: [
        case("softmax", normal(*s, dtype="float16"))
        for s in ((1000, 40), (3, 700), (3, 30000), (3, 0))
    ],
    "sum": lambda: [
        case("sum", normal(*s), axis=(1,)) for s in ((1000, 40), (5, 300), (3, 30000))
    ],
    "rms_norm": lambda: [
        case("rms_norm", normal(*s), normal(s[1]))
        for s in ((1000, 40), (5, 300), (3, 30000), (3, 0))
    ],
    "tanh": lambda: [case("tanh", normal(n)) for n in (40, 30000)],
    # Some so large that the scalar unit computes them.
    "sin": lambda: [case("sin", normal(n) * 1e5) for n in (40, 10000)],
    "matrix_transpose": lambda: [
        case("matrix_transpose", normal(*s)) for s in ((3, 5), (7000, 3))
    ],
    "take_along_axis": lambda: [
        case("take_along_axis", normal(*s), places(*s), axis=1)
        for s in ((3, 40), (3, 7000))
    ],
    "matmul": lambda: [
        matrices(*s)
        for s in ((2, 700, 3), (40, 1500, 40), (300, 300, 40), (2, 40, 600))
    ],
}


@pytest.mark.parametrize("name", KERNELS)
def test_every_dropped_flag_is_noticed(name: str) -> None:
    found = KERNELS[name]()
    kernel = built(found[0])
    for each in found:
        assert each.program == found[0].program
        assert kernel.findings(each) == ""
    unnoticed = []
    for line in kernel.lines():
        kernel.drop(line)
        try:
            if not any(kernel.findings(each) for each in found):
                unnoticed.append(line)
        finally:
            kernel.drop(0)
    # Dropped, the last waits of the kernel order nothing that comes after them: they
    # take back a flag, and the twin asks for that by other means (below).
    rows = kernel.text.split("\n")
    assert [rows[k - 1] for k in unnoticed if not _drains(rows, k)] == []


def _drains(rows: list[str], line: int) -> bool:
    """Whether only waits follow in the function's own body."""
    while SYNC.match(rows[line - 1]) and rows[line - 1].startswith("    W"):
        line += 1
    return rows[line - 1] == "}"


@pytest.mark.parametrize("name", ["add", "matmul"])
def test_a_wait_that_is_deleted_leaves_its_flag_set(name: str) -> None:
    found = KERNELS[name]()[-1]
    kernel = built(found)
    rows = kernel.text.split("\n")
    drains = [k for k in kernel.lines() if _drains(rows, k)]
    assert drains
    for line in drains[:3]:
        text = "\n".join([*rows[: line - 1], "", *rows[line:]])
        assert "event" in compiled(kernel.made, text).findings(found)


@pytest.mark.parametrize("name", KERNELS)
def test_the_proof_notices_as_well(name: str) -> None:
    for launch in lower(KERNELS[name]()[0].program, name).launches:
        assert prove.missing(launch) == []
        for group in {s.group for s in machine.syncs(launch.body)}:
            body = flags._without(launch.body, group)
            mutant = machine.Launch(launch.name, launch.unit, body, launch.buffers)
            assert prove.missing(mutant), f"{launch.name}: group {group} is not needed"


def test_a_reused_event_is_noticed() -> None:
    found = KERNELS["add"]()[-1]
    kernel = built(found)
    flag = re.compile(r"(SetFlag|WaitFlag)<HardEvent::MTE2_V>\(1\)")
    text = flag.sub(r"\1<HardEvent::MTE2_V>(6)", kernel.text)
    assert "event" in compiled(kernel.made, text).findings(found)


MISTAKES = {
    "a buffer past the end of UB": (
        "add",
        "LocalTensor<float> out(TPosition::VECCALC, ",
        "LocalTensor<float> out(TPosition::VECCALC, 188160 - 32 + 0 * ",
    ),
    "a tail one too long": (
        "add",
        "ops_minimum_i64(end - b0, TILE)",
        "ops_minimum_i64(end - b0 + 1, TILE)",
    ),
    "the right matrix not turned": ("matmul", "LoadRight<true>", "LoadRight<false>"),
    "a panel of half the height": (
        "matmul",
        " block_m);",
        " block_m / 2);",
    ),
    "one element of k too few": (
        "matmul",
        "ops_minimum_i64(deep - k0, block_k)",
        "ops_minimum_i64(deep - k0, block_k - 1)",
    ),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_other_mistakes_are_noticed(what: str) -> None:
    """By the twin, or by the results where the text is a valid program."""
    name, before, after = MISTAKES[what]
    cases = KERNELS[name]()
    kernel = built(cases[0])
    assert before in kernel.text
    mutant = compiled(kernel.made, kernel.text.replace(before, after))

    def differs(found: Any) -> bool:
        (got,), (want,) = mutant.run(found, 1), expected(found)
        return bool(abs(got.astype("f8") - want).max() > 0.1)

    assert any(mutant.findings(found) or differs(found) for found in cases)
