"""The judge, against NumPy written by hand and against exact arithmetic."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from opslib.errors import OperandIndexError, ShapeError
from opslib.ir import elementwise, evaluator
from opslib.ir.dtypes import BOOL, FLOAT32, INT64
from opslib.ir.evaluate import evaluate
from opslib.ir.expr import (
    ONE,
    ZERO,
    Axis,
    Check,
    Const,
    Define,
    Fold,
    Index,
    Order,
    Prim,
    Program,
    Read,
    Scan,
    Select,
    Size,
    Tensor,
)
from opslib.ir.monoid import arg_of, maximum_of, sum_of
from opslib.ir.primitives import PRIMITIVES

rng = np.random.default_rng(0)
N, M = Size("n"), Size("m")
ROW, COLUMN = Index("i"), Index("j")
X = Tensor("x", FLOAT32, (N,))
OVER_N = Axis("i", ZERO, N)


def program(
    value: Any,
    axes: tuple[Axis, ...] = (OVER_N,),
    inputs: tuple[Tensor, ...] = (X,),
    dtype: Any = FLOAT32,
    checks: tuple[Check, ...] = (),
) -> Program:
    shape = tuple(a.stop for a in axes)
    out = Tensor("y", dtype, shape)
    define = Define("y", axes, tuple(a.index for a in axes), value)
    return Program("op", inputs, (out,), (), (), ("n", "m"), (define,), checks)


def run(p: Program, **arrays: Any) -> np.ndarray:
    sizes = {"n": len(arrays["x"]), "m": int(arrays.pop("m", 0))}
    return evaluate(p, arrays, sizes)["y"]


def x_at(index: Any) -> Read:
    return Read("x", (index,), FLOAT32)


def test_every_primitive_is_covered() -> None:
    assert elementwise.covered() == set(PRIMITIVES)


def test_a_fold_of_nothing_is_the_identity() -> None:
    fold = Fold(maximum_of(FLOAT32), (Axis("j", ZERO, M),), (x_at(COLUMN),))
    assert (run(program(fold), x=np.float32([1, 2])) == -np.inf).all()


@pytest.mark.parametrize("n", [1, 2, 7, 64])
def test_argmax_takes_the_first_of_equals_and_the_first_nan(n: int) -> None:
    x = rng.integers(0, 3, n).astype(np.float32)
    x[n // 2] = np.nan if n > 2 else x[0]
    fold = Fold(arg_of(FLOAT32, True), (Axis("j", ZERO, N),), (x_at(COLUMN), COLUMN))
    assert run(program(fold, (), dtype=INT64), x=x) == np.argmax(x)


def test_long_folds_go_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluator, "BUDGET", 8)
    x = np.arange(100, dtype=np.float32)
    fold = Fold(
        sum_of(FLOAT32), (Axis("j", ZERO, N), Axis("k", ZERO, N)), (x_at(COLUMN),)
    )
    assert run(program(fold, ()), x=x) == 100 * x.sum()


def test_ranges_may_depend_on_data() -> None:
    offsets = Tensor("o", INT64, (Prim("add", (N, ONE), INT64),))
    start, stop = (
        Read("o", (e,), INT64) for e in (ROW, Prim("add", (ROW, ONE), INT64))
    )
    fold = Fold(sum_of(FLOAT32), (Axis("u", start, stop, N),), (x_at(Index("u")),))
    p = program(fold, inputs=(X, offsets))
    y = run(p, x=np.float32([1, 2, 4]), o=np.array([0, 2, 2, 3]))
    assert np.array_equal(y, [3, 0, 4])


def test_a_read_that_is_not_taken_never_happens() -> None:
    before = Prim("sub", (ROW, ONE), INT64)
    guard = Prim("ge", (before, ZERO), BOOL)
    lazy = Select(guard, x_at(before), Const(-1.0, FLOAT32))
    assert np.array_equal(run(program(lazy), x=np.float32([5, 6])), [-1, 5])
    with pytest.raises(OperandIndexError, match=r"E0708.*x is read at -1"):
        run(program(x_at(before)), x=np.float32([5, 6]))


def test_scans_and_orders() -> None:
    x = np.float32([3, np.nan, -0.0, 3, 0])
    scan = Scan(sum_of(FLOAT32), Axis("j", ZERO, N), (x_at(COLUMN),), ROW)
    y = run(program(scan), x=np.nan_to_num(x))
    assert np.array_equal(y, np.cumsum(np.nan_to_num(x)))
    for descending, want in ((False, [2, 4, 0, 3, 1]), (True, [1, 0, 3, 2, 4])):
        order = Order(Axis("j", ZERO, N), x_at(COLUMN), ROW, descending, 1)
        assert np.array_equal(run(program(order, dtype=INT64), x=x), want)


@pytest.mark.parametrize("operand", ["ids", ""])
def test_checks_say_what_is_wrong_and_where(operand: str) -> None:
    small = Prim("lt", (x_at(ROW), Const(3.0, FLOAT32)), BOOL)
    check = Check((OVER_N,), small, "x must be small", operand, x_at(ROW), M)
    p = program(x_at(ROW), checks=(check,))
    with pytest.raises(OperandIndexError if operand else ShapeError) as caught:
        run(p, x=np.float32([1, 7]), m=9)
    assert caught.value.code == ("E0708" if operand else "E0713")
    assert "x must be small" in str(caught.value)
    if operand:
        assert "ids holds 7.0 at (1,), the extent is 9" in str(caught.value)


def test_wide_is_wide_and_exact_is_not() -> None:
    third = Prim("div", (x_at(ROW), Const(3.0, FLOAT32)), FLOAT32)
    p, x = program(third), np.float32([1])
    sizes = {"n": 1, "m": 0}
    assert evaluate(p, {"x": x}, sizes)["y"][0] == np.float32(1) / np.float32(3)
    wide = evaluate(p, {"x": x}, sizes, precision="wide")["y"]
    assert wide.dtype == np.float64
    assert wide[0] == 1 / 3
    longest = evaluate(p, {"x": x}, sizes, precision="longdouble")["y"]
    assert longest.dtype == np.longdouble
    with pytest.raises(ValueError, match="precision"):
        evaluate(p, {"x": x}, sizes, precision="half")


def test_scatter_keeps_order_and_recurrence_runs_in_order(programs: ModuleType) -> None:
    spec = """op put(u: float32[n], ids: int64[n], z: float32[m]) -> y: float32[m]
    y[i] = z[i]
    y[ids[j]] add= u[j]"""
    u = np.float32([1, 2, 4])
    case = programs.case(
        spec, {"u": u, "ids": np.array([1, 1, 0]), "z": np.zeros(3, np.float32)}
    )
    assert np.array_equal(evaluate(*case.arguments)["y"], [4, 3, 0])
    spec = """op decay(x: float32[n]) -> y: float32[n]
    y[t] = 2.0 * (y[t - 1] ?? 0.0) + x[t]"""
    case = programs.case(spec, {"x": u})
    assert np.array_equal(evaluate(*case.arguments)["y"], [1, 4, 12])


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_specs_agree_with_numpy(dtype: Any, programs: ModuleType) -> None:
    x = rng.normal(size=(5, 7)).astype(dtype)
    wide = x.astype(np.float64)
    e = np.exp(wide - wide.max(-1, keepdims=True))
    case = programs.case("softmax", {"x": x})
    got = evaluate(*case.arguments, precision="wide")["y"]
    np.testing.assert_allclose(got, e / e.sum(-1, keepdims=True), rtol=1e-14)


def test_integers_wrap(programs: ModuleType) -> None:
    case = programs.case(
        "op double(x: int8[n]) -> y: int8[n]\n    y[i] = x[i] + x[i]",
        {"x": np.int8([100])},
    )
    assert evaluate(*case.arguments)["y"][0] == np.int8(-56)


@pytest.mark.parametrize("name", ["erf", "erfc", "exp", "tanh", "log1p", "sin"])
def test_functions_agree_with_math(name: str) -> None:
    x = np.linspace(-0.9, 8, 200)
    want = [getattr(math, name)(v) for v in x]
    got = elementwise.apply(name, (x,), np.dtype(np.float64))
    np.testing.assert_allclose(got, want, rtol=1e-15, atol=1e-300)
