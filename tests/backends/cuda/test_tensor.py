"""Contractions on tensor cores: which there are, how they read, what they compute."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opslib.backends.cuda import lower as lowering
from opslib.backends.cuda import simulator, tensor
from opslib.backends.cuda.machine import Kernel
from opslib.backends.cuda.targets import TARGETS

import opslib
from opslib.dispatch.inspection import sample_program
from opslib.ir.expr import Const

needs_simulator = pytest.mark.skipif(
    simulator.why_not() is not None, reason="the simulator needs a C++ compiler"
)
pytestmark = pytest.mark.filterwarnings("ignore::opslib.OpslibWarning")


def lowered(name: str, dtype: str, target: str = "sm_90", rank: int = 0) -> Kernel:
    handle = getattr(opslib, name).handle
    program = sample_program(handle, dtype, rank=rank)
    return lowering.lower(program, {}, TARGETS[target], name)


def is_tensor(kernel: Kernel) -> bool:
    return any("on tensor cores" in note for note in kernel.notes)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int8"])
@pytest.mark.parametrize("name", ["matmul", "linear"])
def test_narrow_types_run_on_tensor_cores(name: str, dtype: str) -> None:
    if (name, dtype) == ("linear", "int8"):
        pytest.skip("linear is of floats")
    assert is_tensor(lowered(name, dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_types_that_they_would_round_do_not(dtype: str) -> None:
    assert not is_tensor(lowered("matmul", dtype))


@pytest.mark.parametrize("target", ["sm_75", "gfx942"])
def test_chips_without_cp_async_do_without(target: str) -> None:
    assert not is_tensor(lowered("matmul", "float16", target))


@pytest.mark.parametrize("target", [t for t in TARGETS.values() if t.cp_async])
def test_tiles_fit_shared_memory_and_are_cut_finer_and_finer(target: Any) -> None:
    for name in ("matmul", "gate_up"):
        for launch in lowered(name, "float16", target.name).launches:
            assert isinstance(launch.shared, Const)
            assert launch.shared.value <= target.shared_per_block
    for sums in (1, 2, 3):
        ways = tensor.cuts(sums, target)
        sizes = [w.rows * w.columns for w in ways]
        assert sizes == sorted(sizes, reverse=True)
        assert ways[-1].prefix == "ops"


def test_hopper_multiplies_by_groups_of_warps() -> None:
    names = [x.name for x in lowered("matmul", "float16").launches]
    assert names == ["op_matmul_wide", "op_matmul", "op_matmul_small"]
    body = "\n".join(lowered("matmul", "float16").launches[0].body)
    assert "ops_group_multiply<ops_f16, 128, 256, false, true>" in body


def check(name: str, *arrays: Any, **attributes: Any) -> None:
    """The results, within the rounding of one sum in another order."""
    function = getattr(opslib, name)
    with np.errstate(all="ignore"):
        got = function(*arrays, backend="cuda:sim", **attributes)
        wide = [
            a.astype(np.float64)
            if isinstance(a, np.ndarray) and a.dtype.kind in "fV"
            else a
            for a in arrays
        ]
        wanted = function(*wide, backend="numpy", **attributes)
    assert got.shape == wanted.shape
    if got.dtype.kind in "iu":
        assert np.array_equal(got, wanted.astype(got.dtype))
        return
    roundoff = 2.0**-8 if got.dtype == ml_dtypes.bfloat16 else 2.0**-11
    scale = np.abs(wanted).max(initial=0) + 1
    error = np.abs(got.astype(np.float64) - wanted).max(initial=0)
    assert error <= 2 * roundoff * scale


SIZES = st.integers(1, 150)


@needs_simulator
@settings(max_examples=25, deadline=None)
@given(
    m=SIZES,
    n=SIZES,
    k=st.integers(0, 150),
    turned=st.tuples(st.booleans(), st.booleans()),
    dtype=st.sampled_from([np.float16, ml_dtypes.bfloat16, np.int8]),
    odd=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_matmul_of_any_size_and_order(
    m: int,
    n: int,
    k: int,
    turned: tuple[bool, bool],
    dtype: Any,
    odd: bool,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)

    def matrix(rows: int, columns: int, is_turned: bool) -> np.ndarray[Any, Any]:
        shape = (columns, rows) if is_turned else (rows, columns)
        if dtype is np.int8:
            whole = rng.integers(-128, 128, (shape[0], shape[1] + odd)).astype(np.int8)
        else:
            whole = rng.standard_normal((shape[0], shape[1] + odd)).astype(dtype)
        # An odd pitch leaves rows without an alignment of 16 bytes.
        found = whole[:, : shape[1]]
        return found.T if is_turned else found

    check("matmul", matrix(m, k, turned[0]), matrix(k, n, turned[1]))


@needs_simulator
def test_epilogues_batches_and_computed_operands() -> None:
    rng = np.random.default_rng(5)

    def half(*shape: int) -> np.ndarray[Any, Any]:
        return rng.standard_normal(shape).astype(np.float16)

    check("linear", half(40, 48), half(33, 48), half(33))
    check("matmul", half(3, 40, 48), half(3, 48, 72))
    check("matmul", half(2, 1, 40, 48), half(3, 48, 72))
    check("conv2d", half(2, 4, 9, 9), half(6, 4, 3, 3), None, 1, 1)
    check("conv2d", half(1, 6, 8, 7), half(4, 3, 3, 2), half(4), 2, 1, 1, 2)


@needs_simulator
def test_infinities_and_nans_stay_where_they_are() -> None:
    a, b = np.ones((20, 40), np.float16), np.ones((40, 24), np.float16)
    a[3, 5], a[7, 1] = np.inf, np.nan
    got = opslib.matmul(a, b, backend="cuda:sim")
    assert np.isposinf(got[3]).all()
    assert np.isnan(got[7]).all()
    assert np.isfinite(np.delete(got, (3, 7), 0)).all()


@needs_simulator
def test_sizes_may_be_called_as_the_kernel_calls_its_own() -> None:
    op = opslib.op(
        "op turned(x: T[b, columns, deep], y: T[b, deep, rows])"
        " -> z: T[b, columns, rows]"
        " where T: float\n"
        "    z[h, i, j] = sum[k](x[h, i, k] * y[h, k, j])\n"
    )
    rng = np.random.default_rng(8)
    x = rng.standard_normal((3, 20, 40)).astype(np.float16)
    y = rng.standard_normal((3, 40, 300)).astype(np.float16)
    got = op(x, y, backend="cuda:sim").astype(np.float64)
    assert np.abs(got - x.astype(np.float64) @ y.astype(np.float64)).max() < 0.05
