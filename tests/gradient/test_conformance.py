"""Derived operators under the ordinary judge: bounds, on each backend."""

from __future__ import annotations

import pytest

import opslib
from opslib.dispatch.handle import Handle
from opslib.testing.inputs import NoCase, make_case
from opslib.testing.judge import judge

SLICE = (
    "silu",
    "multiply",
    "relu",
    "rms_norm",
    "layer_norm",
    "softmax",
    "logsumexp",
    "matmul",
    "linear",
    "mse_loss",
    "cumsum",
    "linear_recurrence",
    "embedding",
    "take_along_axis",
    "conv1d",
    "avg_pool1d",
    "max_pool1d",
    "roll",
    "concat",
    "sort",
    "sum",
    "scaled_dot_product_attention",
)
CASES = 3


def derived(name: str) -> Handle:
    """The operator that the gradient of a typical call is."""
    handle: Handle = opslib.op(str(getattr(opslib, name).grad)).handle
    return handle


@pytest.mark.parametrize("backend", ["numpy", "cpu", "jax"])
@pytest.mark.parametrize("name", SLICE)
def test_the_derived_operator_keeps_its_bounds(name: str, backend: str) -> None:
    handle = derived(name)
    judged = 0
    for dtype in ("float32", "bfloat16"):
        for number in range(CASES):
            try:
                case = make_case(handle, dtype, number, 0, limit=256)
            except NoCase:
                continue
            verdict = judge(handle, case, backend)
            assert verdict.status in ("pass", "vacuous"), (
                f"{dtype} {case.describe()}: {verdict}"
            )
            judged += 1
    assert judged
