"""Forms that loops over lanes take on the vector unit: parts, gaps, many short rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from opslib.backends.npu.ascend.lower import lower
from opslib.backends.npu.ascend.machine import Block, instructions
from opslib.backends.npu.ascend.packed import LONGEST
from opslib.backends.npu.ascend.ranges import threshold

from opslib.ir.dtypes import BOOL, INT64
from opslib.ir.expr import Const, Index, Prim, Size
from opslib.lowering.skeletons import arith

from .ascend_cases import built, case, expected, has_compiler, normal

needs_compiler = pytest.mark.skipif(not has_compiler(), reason="no C++ compiler")


def agrees(found: Any, rtol: float = 1e-6, atol: float = 1e-7) -> None:
    """The twin has no finding, and the values are those of the spec."""
    for got, want in zip(built(found).run(found), expected(found), strict=True):
        np.testing.assert_allclose(got.astype("f8"), want, rtol=rtol, atol=atol)


# -- limits of lanes ------------------------------------------------------------------


@pytest.mark.parametrize("op", ["lt", "le", "gt", "ge", "eq", "ne"])
@pytest.mark.parametrize("step", [1, -1, 3, -2])
def test_thresholds(op: str, step: int) -> None:
    """A comparison of step i + 5 with 2 is one of i with the limit, for every i."""
    lane = Index("i")
    left = arith.add(arith.mul(lane, arith.integer(step)), arith.integer(5))
    found = threshold(Prim(op, (left, arith.integer(2)), BOOL), "i")
    compare = {
        "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
        "eq": np.equal, "ne": np.not_equal,
    }  # fmt: skip
    if found is None:
        assert op in ("eq", "ne")
        assert abs(step) != 1
        return
    assert isinstance(found[1], Const)
    for i in range(-9, 10):
        want = compare[op](step * i + 5, 2)
        assert compare[found[0]](i, found[1].value) == want


def test_a_comparison_of_data_is_no_threshold() -> None:
    assert threshold(Prim("lt", (Size("n"), Const(3, INT64)), BOOL), "i") is None


# -- loops in parts -------------------------------------------------------------------


def _is_vector(found: Any) -> bool:
    """Whether the scalar unit has no loop over elements but those that check places."""

    def idle(body: list[Any]) -> bool:
        for node in body:
            if not isinstance(node, Block):
                continue
            inner = list(instructions([node]))
            checks = any("Report(" in i.text for i in inner)
            if node.kind == "loop" and all(i.pipe == "S" for i in inner):
                return not checks
            if idle(node.body):
                return True
        return False

    return not any(idle(x.body) for x in lower(found.program, "kernel").launches)


CUT = {
    "tril": lambda: case("tril", normal(3, 5, 70), k=-1),
    "triu": lambda: case("triu", normal(3, 5, 70), k=3),
    "pad": lambda: case("pad", normal(4, 9), before=(1, 3), after=(2, 0), value=7.0),
    "roll": lambda: case("roll", normal(3, 40), shift=7, axis=1),
    "tile": lambda: case("tile", normal(3, 40), repetitions=(2, 3)),
    "masked_softmax": lambda: case(
        "masked_softmax", normal(5, 90), normal(5, 90, seed=1) > 0.0
    ),
    "causal_softmax": lambda: case("causal_softmax", normal(2, 7, 90)),
}


@needs_compiler
@pytest.mark.parametrize("name", CUT)
def test_choices_by_place_are_parts_of_the_loop(name: str) -> None:
    found = CUT[name]()
    assert _is_vector(found)
    agrees(found, 1e-5)


APART = {
    "matrix_transpose": lambda: case("matrix_transpose", normal(2, 50, 7)),
    "take_along_axis": lambda: case(
        "take_along_axis", normal(3, 40), np.arange(90).reshape(3, 30) % 40, axis=1
    ),
    "diagonal": lambda: case("diagonal", normal(9, 12)),
}


@needs_compiler
@pytest.mark.parametrize("name", APART)
def test_elements_that_lie_apart_come_by_dma(name: str) -> None:
    found = APART[name]()
    assert _is_vector(found)
    agrees(found)


# -- short rows -----------------------------------------------------------------------


def _chosen(found: Any) -> str:
    from opslib.backends.npu.ascend.arguments import chosen

    made = built(found).made
    ((_, launch),) = chosen(made, found.sizes, found.scalars)
    return launch.name.rsplit("_", 1)[-1]


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("shape", [(700, 16), (5, 1), (333, 33), (1, LONGEST)])
def test_short_rows_share_a_tile(shape: tuple[int, int], dtype: str) -> None:
    found = case("softmax", normal(*shape, dtype=dtype))
    assert _chosen(found) == "packed"
    rtol = 2e-6 if dtype == "float32" else 4e-3
    agrees(found, rtol)


@needs_compiler
@pytest.mark.parametrize("extent", [LONGEST + 1, 0])
def test_other_rows_have_launches_of_their_own(extent: int) -> None:
    found = case("softmax", normal(3, extent))
    assert _chosen(found) == ("rows" if extent else "softmax")
    agrees(found, 2e-6)


@needs_compiler
def test_short_rows_with_nan_and_infinities() -> None:
    x = normal(300, 20)
    x[3, 4], x[5], x[7, 19] = np.nan, -np.inf, np.inf
    agrees(case("max", x, axis=(1,)))
    agrees(case("softmax", x), 2e-6)


@needs_compiler
@pytest.mark.parametrize("name", ["rms_norm", "layer_norm"])
def test_weights_are_repeated_for_each_short_row(name: str) -> None:
    found = case(name, normal(300, 40), normal(40, seed=1))
    assert _chosen(found) == "packed"
    agrees(found, 1e-4, 1e-5)


@needs_compiler
@pytest.mark.parametrize("n", [40, 9000])
def test_parts_of_one_turn_are_ordered_with_those_of_the_next(n: int) -> None:
    """Sums over channels: whichever part a turn takes, it reads what the last wrote."""
    agrees(case("local_response_norm", normal(2, 4, n), size=3), rtol=1e-5)
