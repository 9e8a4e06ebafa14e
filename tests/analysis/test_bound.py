"""Bounds hold for correct kernels, and planted bugs land outside them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import opslib
from opslib.analysis.bound import (
    Arithmetic,
    Judgement,
    evaluate_bounds,
    statistical_bound,
    usage,
)
from opslib.ir.dtypes import FLOAT32
from opslib.language.library import load_library

U = FLOAT32.unit_roundoff
f32 = np.float32


def normal(*shape: int, seed: int = 0, positive: bool = False) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=shape).astype(f32)
    return np.abs(x) if positive else x


def judged(programs: ModuleType, operator: str, **arrays: Any) -> Judgement:
    case = programs.case(operator, arrays)
    (judgement,) = evaluate_bounds(*case.arguments).values()
    return judgement


def worst(judgement: Judgement, got: np.ndarray) -> float:
    return float(usage(judgement, got).max())


# --- Contractions ------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 33, 1024])
@pytest.mark.parametrize("positive", [False, True])
def test_correct_matmuls_pass(k: int, positive: bool, programs: ModuleType) -> None:
    a, b = normal(8, k, positive=positive), normal(k, 9, seed=1, positive=positive)
    judgement = judged(programs, "matmul", x1=a, x2=b)
    statistical = statistical_bound(judgement, FLOAT32, U, Arithmetic())
    assert statistical is not None
    assert judgement.terms is not None
    assert (judgement.terms == k).all()
    backwards = np.zeros((8, 9), f32)
    for i in reversed(range(k)):
        backwards += a[:, i : i + 1] * b[i]
    for got in (a @ b, backwards, np.einsum("ik,kj->ij", a, b)):
        assert 0 <= worst(judgement, got) <= 1
        assert usage(judgement, got, statistical).max() <= 1


def test_planted_matmul_bugs_are_caught(programs: ModuleType) -> None:
    k = 1024
    a, b = normal(16, k), normal(k, 16, seed=1)
    judgement = judged(programs, "matmul", x1=a, x2=b)
    statistical = statistical_bound(judgement, FLOAT32, U, Arithmetic())
    half = np.zeros((16, 16), np.float16)
    for i in range(k):
        half = (half + (a[:, i : i + 1] * b[i]).astype(np.float16)).astype(np.float16)
    dropped = a[:, :-1] @ b[:-1]
    assert worst(judgement, half.astype(f32)) > 1
    assert worst(judgement, dropped) > 10
    narrow = [x.astype(np.float16).astype(f32) for x in (a, b)]
    share = (usage(judgement, narrow[0] @ narrow[1], statistical) > 1).mean()
    assert share > 0.8  # numerics.md: 92 % at K = 1024
    brain = [x.astype(ml_dtypes.bfloat16).astype(f32) for x in (a, b)]
    assert worst(judgement, brain[0] @ brain[1]) > 1


# --- Rows --------------------------------------------------------------------------


def test_softmax_and_its_bugs(programs: ModuleType) -> None:
    x = 4 * normal(8, 100)
    judgement = judged(programs, "softmax", x=x)
    e = np.exp(x - x.max(-1, keepdims=True))
    assert worst(judgement, e / e.sum(-1, keepdims=True)) <= 1
    assert worst(judgement, e / e[:, :-1].sum(-1, keepdims=True)) > 10
    low = e.astype(np.float16).astype(f32)
    assert worst(judgement, low / low.sum(-1, keepdims=True)) > 1


def test_norm_over_the_wrong_count_is_caught(programs: ModuleType) -> None:
    x = normal(4, 64) + 1
    spec = """op spread(x: float32[..., n]) -> y: float32[...]
    m[...] = mean[j](x[..., j])
    y[...] = mean[j]((x[..., j] - m[...])^2)"""
    judgement = judged(programs, spec, x=x)
    assert worst(judgement, x.var(-1)) <= 1
    assert worst(judgement, x.var(-1, ddof=1)) > 10


@pytest.mark.parametrize("operator", ["exp", "tanh", "silu", "gelu", "erf", "log1p"])
def test_a_wrong_function_is_caught(operator: str, programs: ModuleType) -> None:
    x = normal(500, positive=True)
    (parameter,) = load_library()[operator].tensors
    judgement = judged(programs, operator, **{parameter.name: x})
    right = judgement.value.astype(f32)
    assert worst(judgement, right) <= 1
    assert worst(judgement, right * f32(1 + 1e-6)) > 1


# --- Doubt -------------------------------------------------------------------------

PICK = """op pick(x: float32[n], t: float32[n]) -> y: float32[n]
    s[i] = x[i] + 0.1
    y[i] = 1.0 if s[i] < t[i] else 2.0"""


def test_either_side_of_a_doubtful_choice_passes(programs: ModuleType) -> None:
    x = f32([1, 1, 1])
    t = f32([1.1, 1.2, 1.0])
    judgement = judged(programs, PICK, x=x, t=t)
    assert usage(judgement, f32([1, 1, 2])).max() <= 1
    assert usage(judgement, f32([2, 1, 2])).max() <= 1
    assert usage(judgement, f32([1, 2, 2])).max() > 1
    assert usage(judgement, f32([1, 1, 1])).max() > 1


def test_argmax_of_computed_values_takes_any_rival(programs: ModuleType) -> None:
    spec = """op best(x: float32[n]) -> y: int64[]
    s[i] = x[i] * 0.1
    y = argmax[i](s[i])"""
    x = f32([1, 3, np.nextafter(f32(3), f32(4)), 2])
    judgement = judged(programs, spec, x=x)
    assert usage(judgement, np.int64(1)).max() <= 1
    assert usage(judgement, np.int64(2)).max() <= 1
    assert usage(judgement, np.int64(0)).max() > 1


def test_what_is_certain_has_no_slack(programs: ModuleType) -> None:
    x = normal(6)
    judgement = judged(programs, "flip", x=x)
    assert not judgement.bound.any()
    assert worst(judgement, x[::-1]) == 0
    assert worst(judgement, np.nextafter(x[::-1], f32(9))) == np.inf


# --- Special values ----------------------------------------------------------------


def test_nan_and_inf_must_be_where_they_belong(programs: ModuleType) -> None:
    a, b = normal(3, 4), normal(4, 3, seed=1)
    a[0, 1], a[1, 2] = np.nan, np.inf
    judgement = judged(programs, "matmul", x1=a, x2=b)
    with np.errstate(invalid="ignore"):
        right = a @ b
    assert worst(judgement, right) <= 1
    leaked = right.copy()
    leaked[2] = np.nan
    assert worst(judgement, leaked) == np.inf
    lost = right.copy()
    lost[0] = 0
    assert worst(judgement, lost) == np.inf


def test_overflow_is_stated(programs: ModuleType) -> None:
    judgement = judged(programs, "square", x=f32([3e38, 1e10]))
    assert judgement.value[0] == np.inf
    assert np.isfinite(judgement.value[1])
    assert worst(judgement, f32([np.inf, 1e20])) <= 1


def test_flushing_must_be_declared(programs: ModuleType) -> None:
    case = programs.case(
        "op scale(x: float32[n]) -> y: float32[n]\n    y[i] = x[i] * 0.5",
        {"x": f32([1e-38, 1])},
    )
    flushed = f32([0, 0.5])
    kept = evaluate_bounds(*case.arguments)["y"]
    assert worst(kept, flushed) > 1
    loose = evaluate_bounds(*case.arguments, Arithmetic(flushes=True))["y"]
    assert worst(loose, flushed) <= 1


def test_rounding_of_the_result_counts(programs: ModuleType) -> None:
    x = normal(100).astype(np.float16)
    spec = "op third(x: float16[n]) -> y: float16[n]\n    y[i] = x[i] / 3.0"
    judgement = judged(programs, spec, x=x)
    right = (x.astype(f32) / f32(3)).astype(np.float16)
    assert worst(judgement, right) <= 1
    assert worst(judgement, np.nextafter(right, np.float16(9))) > 1


def test_float64_is_judged_in_something_wider(programs: ModuleType) -> None:
    x = np.random.default_rng(0).normal(size=50)
    judgement = judged(programs, "exp", x=x)
    assert judgement.value.dtype == np.longdouble
    assert worst(judgement, np.exp(x)) < 1.5


def test_scatter_and_scan_have_bounds(programs: ModuleType) -> None:
    x = normal(3, 200)
    judgement = judged(programs, "cumsum", x=x)
    assert worst(judgement, np.cumsum(x, -1)) <= 1
    assert worst(judgement, np.cumsum(x[:, ::-1], -1)) > 1


@pytest.mark.parametrize("target", ["int8", "uint8", "int32", "uint64", "int64"])
def test_what_no_integer_type_holds_is_left_open(target: str) -> None:
    """Anything may come of nan, and of numbers that do not fit; cut ones do."""
    info = np.iinfo(target)
    inside = [info.min - 0.75 if info.bits == 8 else info.min, -0.75, 1.5, 100]
    outside = [np.nan, np.inf, -np.inf, 1e20, float(info.max) + 1, info.min * 4 - 4]
    for dtype in ("float32", "float64"):
        x = np.array(inside + outside, dtype)
        (bound,) = opslib.astype.bound(x, dtype=target)
        np.testing.assert_array_equal(bound[: len(inside)], 0)
        np.testing.assert_array_equal(bound[len(inside) :], np.inf)
