"""Attention as one kernel for cube and vector cores: bounds, tails, variants, flags."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opslib.backends.npu.ascend import across, attention, machine, prove, simulator
from opslib.backends.npu.ascend.lower import lower
from opslib.backends.npu.ascend.precision import ULP
from opslib.backends.npu.targets import DEFAULT, TARGETS

from opslib.analysis.bound import Arithmetic, evaluate_bounds, usage

from .ascend_cases import built, case, has_compiler, normal

pytestmark = pytest.mark.skipif(not has_compiler(), reason="no C++ compiler")

TYPES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32}


def sdpa(
    heads: int, s: int, t: int, d: int, e: int, dtype: str = "float16", *extra: Any,
    **attributes: Any,
) -> Any:  # fmt: skip
    shapes = (1, heads, s, d), (1, heads, t, d), (1, heads, t, e)
    q, k, v = (
        normal(*shape, seed=n).astype(TYPES[dtype]) for n, shape in enumerate(shapes)
    )
    return case("scaled_dot_product_attention", q, k, v, *extra, **attributes)


def is_mixed(found: Any) -> bool:
    return built(found).made.launches[-1].unit == "mix"


def holds(found: Any, cores: int = 0) -> None:
    """No finding of the twin, and every element within the derived bound."""
    assert is_mixed(found)
    for got, judged in zip(
        built(found).run(found, cores),
        evaluate_bounds(*found.arguments, Arithmetic(ulp=ULP)).values(),
        strict=True,
    ):
        assert usage(judged, got).max(initial=0.0) <= 1


EDGES = [1, 2, 7, 16, 17, 63, 64, 65, 127, 128, 129]


@settings(
    max_examples=12, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
@given(
    heads=st.integers(1, 3),
    s=st.sampled_from([*EDGES, 200, 300]),
    t=st.sampled_from([*EDGES, 511, 512, 513, 900]),
    d=st.sampled_from([1, 8, 15, 16, 40, 64, 128, 130, 256]),
    e=st.sampled_from([1, 8, 15, 16, 40, 64, 72, 128]),
)
def test_tails(heads: int, s: int, t: int, d: int, e: int) -> None:
    holds(sdpa(heads, s, t, d, e))


@pytest.mark.parametrize(
    ("s", "t"), [(1, 1), (5, 300), (300, 5), (130, 1100), (600, 600)]
)
def test_causal(s: int, t: int) -> None:
    holds(sdpa(2, s, t, 24, 40, is_causal=True))


@pytest.mark.parametrize("cores", [1, 3])
def test_blocks_are_dealt_to_the_cores_there_are(cores: int) -> None:
    holds(sdpa(2, 300, 700, 24, 40), cores)


@pytest.mark.parametrize(
    ("s", "t", "d", "e"), [(1, 1, 8, 8), (70, 90, 64, 64), (150, 600, 130, 128)]
)
def test_bfloat16(s: int, t: int, d: int, e: int) -> None:
    holds(sdpa(1, s, t, d, e, "bfloat16"))


@pytest.mark.parametrize("size", [1.0, 30.0])
def test_weights_have_all_bits_of_a_float32(size: float) -> None:
    """Where the largest weight is of a value 0, only small weights are left to see."""
    found = sdpa(1, 3, 600, 16, 8)
    found.inputs["query"] = (found.inputs["query"] * size).astype(np.float16)
    best = (found.inputs["query"][0, 0, 0, 0].astype("f8")
            @ found.inputs["key"][0, 0].T.astype("f8")).argmax()  # fmt: skip
    found.inputs["value"] = found.inputs["value"].copy()
    found.inputs["value"][..., best, :] = 0
    holds(found)


def test_a_mask_and_rows_that_see_nothing() -> None:
    seen = np.random.default_rng(0).random((70, 600)) > 0.4
    seen[3], seen[:, 500:] = False, False
    holds(sdpa(2, 70, 600, 24, 40, "float16", seen))


def test_what_a_row_does_not_see_at_all_does_not_show() -> None:
    """The formula's result is 0 there, be the values nan."""
    seen = np.ones((70, 600), bool)
    seen[3] = False
    found = sdpa(2, 70, 600, 24, 40, "float16", seen)
    found.inputs["value"] = np.full_like(found.inputs["value"], np.nan)
    (got,) = built(found).run(found)
    assert not got[..., 3, :].any()
    assert np.isnan(np.delete(got, 3, -2)).all()


def test_nan_and_infinite_scores() -> None:
    found = sdpa(1, 20, 40, 16, 8)
    q = found.inputs["query"].copy()
    q[..., 2, :], q[..., 5, 0] = np.nan, np.inf
    found.inputs["query"] = q
    (got,) = built(found).run(found)
    (judged,) = evaluate_bounds(*found.arguments, Arithmetic(ulp=ULP)).values()
    assert np.isnan(got[..., 2, :]).all()
    assert np.isfinite(np.delete(got, (2, 5), -2)).all()
    assert (np.isnan(got) == np.isnan(judged.value)).all()


def test_attention_with_everything() -> None:
    """Groups of heads, a mask, a bias, a sink, causal and in a window."""
    q, k, v = (
        normal(1, g, n, 24, dtype="float16", seed=g + n)
        for g, n in ((4, 70), (2, 600), (2, 601))
    )
    v = v[:, :, :600]
    seen = np.random.default_rng(0).random((70, 600)) > 0.3
    found = case(
        "attention", q, k, v, seen, normal(4, 70, 600), normal(4),
        causal=True, window=(400, 30),
    )  # fmt: skip
    holds(found)


def test_a_softcap_is_for_another_kernel() -> None:
    q, k, v = (normal(2, 9, 8, dtype="float16", seed=n) for n in range(3))
    found = case("attention", q, k, v, softcap=2.0)
    kernel = simulator.kernel(found.program)
    assert kernel.made.launches[-1].unit == "mix"
    kernel.launch(found.arrays, (), found.sizes, found.scalars)
    assert kernel._without is not None


def test_float32_stays_on_the_loops() -> None:
    """The cube cannot turn values of 32 bits on their way to it."""
    found = sdpa(1, 9, 9, 8, 8, "float32")
    assert {x.unit for x in lower(found.program, "f32").launches} == {"vector"}


@pytest.mark.parametrize("chip", [2002, 3510])
def test_only_where_cube_and_vector_cores_are_apart_and_zz(chip: int) -> None:
    made = lower(sdpa(1, 9, 9, 8, 8).program, "other", TARGETS[chip])
    assert "mix" not in {x.unit for x in made.launches}


def test_beyond_its_limits_another_kernel_runs() -> None:
    found = sdpa(1, 3, 5, 8, attention.WIDE + 1)
    kernel = simulator.kernel(found.program)
    (got,) = kernel.launch(found.arrays, (), found.sizes, found.scalars)
    (judged,) = evaluate_bounds(*found.arguments, Arithmetic(ulp=ULP)).values()
    assert kernel._without is not None
    assert usage(judged, got).max() <= 1


def test_workspaces_do_not_grow_with_the_call() -> None:
    made = built(sdpa(1, 9, 9, 8, 8)).made
    spaces = [p for p in made.pointers if p.private]
    total = sum(p.buffer.shape[0].value * made.sizeof(p.ctype) for p in spaces)
    # Of all cores together: they stay in L2, which holds 192 MB.
    assert total * DEFAULT.cubes < 32 << 20


def test_proof_of_both_halves() -> None:
    (launch,) = built(sdpa(1, 9, 9, 8, 8)).made.launches
    assert [x.unit for x in machine.cores(launch)] == ["cube", "vector"]
    assert prove.missing(launch) == []


def test_every_dropped_flag_is_noticed() -> None:
    """Within cores and between them; with one core, several blocks, steps and tails.

    Where there are no keys, nothing comes back from the other cores; of few
    rows, one of the vector cores has none.
    """
    shapes = (
        (1, 20, 600, 24), (2, 20, 600, 24), (1, 150, 20, 24), (1, 70, 300, 8),
        (1, 140, 1100, 130), (1, 300, 0, 24),
    )  # fmt: skip
    cases = [sdpa(*shape, 40) for shape in shapes]
    kernel = built(cases[0])
    for each in cases:
        assert kernel.findings(each) == ""
    rows = kernel.text.split("\n")
    lines = [
        k
        for k, row in enumerate(rows, 1)
        if row.lstrip().startswith(("WaitFlag", "PipeBarrier", "CrossCoreWaitFlag"))
    ]
    unnoticed = []
    for line in lines:
        kernel.drop(line)
        try:
            if not any(kernel.findings(each) for each in cases):
                unnoticed.append(line)
        finally:
            kernel.drop(0)
    # What is left takes back flags at the end of a core's half.
    assert [rows[k - 1] for k in unnoticed if not _drains(rows, k)] == []


def test_what_a_round_trip_orders_has_no_flag_of_its_own() -> None:
    """Without the other core's flags, the same half needs more."""
    (launch,) = built(sdpa(1, 9, 9, 8, 8)).made.launches
    cube, vector = machine.cores(launch)
    back, _ = across.answers(cube.body, vector.body)
    # Weights come when the scores of their step have been read: the cube core has then
    # scored the next step, too.
    assert dict(back["WEIGHTS"]) == {"SCORES": 0, "PRODUCTS": 2}
    alone = machine.Launch("alone", "cube", cube.body, [])
    assert any("may overtake" not in s for s in prove.missing(alone))


def _drains(rows: list[str], line: int) -> bool:
    """Whether only waits follow in the body of a half."""
    while rows[line - 1].startswith("        WaitFlag"):
        line += 1
    return rows[line - 1] == "    }"
