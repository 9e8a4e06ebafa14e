"""Two products around a softmax on tensor cores."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opslib.backends.cuda import attention, simulator
from opslib.backends.cuda import lower as lowering
from opslib.backends.cuda.machine import Kernel
from opslib.backends.cuda.targets import TARGETS

import opslib
from opslib.dispatch.inspection import sample_program

needs_simulator = pytest.mark.skipif(
    simulator.why_not() is not None, reason="the simulator needs a C++ compiler"
)
pytestmark = pytest.mark.filterwarnings("ignore::opslib.OpslibWarning")
Array = np.ndarray[Any, np.dtype[Any]]


def lowered(name: str, dtype: str, target: str = "sm_90") -> Kernel:
    program = sample_program(getattr(opslib, name).handle, dtype)
    return lowering.lower(program, {}, TARGETS[target], name)


def wide(kernel: Kernel) -> list[str]:
    return [x.name for x in kernel.launches if any("tensor" in n for n in x.notes)]


@pytest.mark.parametrize("name", ["attention", "scaled_dot_product_attention"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types_have_a_launch_for_each_width(name: str, dtype: str) -> None:
    assert wide(lowered(name, dtype)) == [f"op_{name}_{w}" for w in attention.WIDTHS]


@pytest.mark.parametrize(
    ("name", "dtype", "target"),
    [
        ("attention", "float32", "sm_90"),
        ("attention", "float16", "sm_75"),
        ("softmax", "float16", "sm_90"),
    ],
)
def test_the_rest_has_none(name: str, dtype: str, target: str) -> None:
    assert not wide(lowered(name, dtype, target))


def check(q: Array, k: Array, v: Array, *more: Any, **attributes: Any) -> None:
    """Within a rounding of the result of what float64 gives."""
    op = opslib.scaled_dot_product_attention

    def exact(x: Any) -> Any:
        return x if x is None or x.dtype == bool else x.astype(np.float64)

    got = op(q, k, v, *more, backend="cuda:sim", **attributes)
    wanted = op(*map(exact, (q, k, v, *more)), backend="numpy", **attributes)
    roundoff = 2.0**-8 if q.dtype == ml_dtypes.bfloat16 else 2.0**-11
    error = np.abs(got.astype(np.float64) - wanted)
    # Half a unit of the result, and what scores in float32 are off.
    assert (error <= roundoff * np.abs(wanted) + 1e-5).all()


@needs_simulator
@settings(max_examples=15, deadline=None)
@given(
    rows=st.integers(1, 140),
    keys=st.integers(1, 140),
    deep=st.integers(1, 40),
    columns=st.integers(1, 40),
    heads=st.sampled_from([(1, 1), (2, 2), (4, 2)]),
    causal=st.booleans(),
    dtype=st.sampled_from([np.float16, ml_dtypes.bfloat16]),
    seed=st.integers(0, 2**16),
)
def test_any_size(
    rows: int,
    keys: int,
    deep: int,
    columns: int,
    heads: tuple[int, int],
    causal: bool,
    dtype: Any,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)

    def array(*shape: int) -> Array:
        return rng.standard_normal(shape).astype(dtype)

    check(
        array(heads[0], rows, deep),
        array(heads[1], keys, deep),
        array(heads[1], keys, columns),
        is_causal=causal,
        enable_gqa=heads[0] != heads[1],
    )


@needs_simulator
def test_long_rows_of_many_steps_and_wide_heads() -> None:
    rng = np.random.default_rng(3)
    q, k, v = (
        (4 * rng.standard_normal((1, n, 128))).astype(np.float16)
        for n in (70, 300, 300)
    )
    # Peaks that come late: what was summed before is scaled down.
    k[:, 250:] *= 2
    check(q, k, v)


@needs_simulator
def test_masks_and_biases() -> None:
    rng = np.random.default_rng(4)
    q, k, v = (rng.standard_normal((2, 90, 32)).astype(np.float16) for _ in range(3))
    mask = rng.random((90, 90)) > 0.3
    mask[5] = False
    check(q, k, v, mask)
    bias = rng.standard_normal((90, 90)).astype(np.float16)
    bias[:, :70] = -np.inf
    check(q, k, v, bias)


@needs_simulator
def test_a_nan_behind_the_mask_is_not_seen() -> None:
    rng = np.random.default_rng(6)
    q, k, v = (rng.standard_normal((1, 40, 16)).astype(np.float16) for _ in range(3))
    k[0, 30] = np.nan
    mask = np.ones((40, 40), bool)
    mask[:, 30] = False
    op = opslib.scaled_dot_product_attention
    got = op(q, k, v, mask, backend="cuda:sim")
    assert np.isfinite(got).all()
