# ruff: noqa: E501 -- specs and C text keep their lines
"""The rule against the program it came from, with infinities and nan in any place."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from opslib.ir import verify
from opslib.ir.dtypes import FLOAT64
from opslib.ir.evaluate import evaluate
from opslib.ir.expr import Fold, Program, Var, walk
from opslib.lowering import online_softmax
from opslib.lowering.flatten import absorbed


def _load() -> ModuleType:
    name = "opslib_test_programs"
    if name not in sys.modules:
        file = Path(__file__).parents[1] / "programs.py"
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


case = _load().case

SOFTMAX = """\
op weighted(x: T[m, n], v: T[n, d]) -> y: T[m, d] where T: float
    p[i, j] = exp(x[i, j] - max[k](x[i, k])) / sum[l](exp(x[i, l] - max[k](x[i, k])))
    y[i, c] = sum[j](p[i, j] * v[j, c])
"""
GUARDED = """\
op guarded(x: T[m, n], v: T[n, d]) -> (y: T[m, d], lse: T[m]) where T: float
    t[i] = max[j](x[i, j])
    p[i] = 0 if t[i] == -inf else t[i]
    s[i] = sum[j](exp(x[i, j] - p[i]))
    y[i, c] = 0 if t[i] == -inf else sum[j](exp(x[i, j] - p[i]) * v[j, c]) / s[i]
    lse[i] = p[i] + log(s[i])
"""
SINK = """\
op sink(x: T[m, n], v: T[n, d], b: T[m]) -> y: T[m, d] where T: float
    t[i] = max(max[j](x[i, j]), b[i])
    s[i] = sum[j](exp(x[i, j] - t[i])) + exp(b[i] - t[i])
    y[i, c] = sum[j](exp(x[i, j] - t[i]) * v[j, c]) / s[i]
"""
ANY_PIVOT = """\
op shifted(x: T[m, n], v: T[n, d], b: T[m]) -> y: T[m, d] where T: float
    y[i, c] = sum[j](exp(x[i, j] - b[i]) * v[j, c])
"""
NO_PIVOT = """\
op bare(x: T[m, n], v: T[n, d]) -> y: T[m, d] where T: float
    y[i, c] = 2 * sum[j](v[j, c] * exp(x[i, j])) / 3
"""


def bound(spec: str, **given_arrays: np.ndarray):
    return case(spec, given_arrays)


def both(spec: str, **given_arrays: np.ndarray) -> list[dict[str, np.ndarray]]:
    made = bound(spec, **given_arrays)
    changed = online_softmax.apply(made.program)
    verify.check_program(changed)
    names = {
        n.monoid.name
        for d in changed.defines
        for n in walk(d.value)
        if isinstance(n, Fold)
    }
    assert names == {online_softmax.NAME}
    with np.errstate(all="ignore"):
        return [
            evaluate(p, made.inputs, made.sizes, made.scalars)
            for p in (made.program, changed)
        ]


def agree(spec: str, **given_arrays: np.ndarray) -> None:
    plain, online = both(spec, **given_arrays)
    for name, want in plain.items():
        np.testing.assert_allclose(
            online[name], want, rtol=1e-9, atol=1e-12, equal_nan=True, err_msg=name
        )


scores = st.one_of(
    st.floats(-30, 30),
    st.sampled_from([-np.inf, -np.inf, np.inf, np.nan, 0.0, -0.0, 700.0, -700.0]),
)
grids = st.tuples(st.integers(1, 4), st.integers(0, 7)).flatmap(
    lambda s: arrays(np.float64, s, elements=scores)
)


@settings(max_examples=60, deadline=None)
@given(x=grids)
@pytest.mark.parametrize("spec", [SOFTMAX, GUARDED])
def test_same_value(spec: str, x: np.ndarray) -> None:
    v = np.arange(1.0, 1 + x.shape[1] * 2).reshape(x.shape[1], 2)
    agree(spec, x=x, v=v)


@settings(max_examples=60, deadline=None)
@given(x=grids, b=st.sampled_from([-np.inf, -3.0, 0.0, 5.0, np.inf, np.nan]))
@pytest.mark.parametrize("spec", [SINK, ANY_PIVOT])
def test_any_pivot(spec: str, x: np.ndarray, b: float) -> None:
    # The one difference, stated in the module: a pivot of -inf below the maximum.
    assume(spec is SINK or b != -np.inf)
    v = np.arange(1.0, 1 + x.shape[1] * 2).reshape(x.shape[1], 2)
    agree(spec, x=x, v=v, b=np.full(x.shape[0], b))


@settings(max_examples=30, deadline=None)
@given(x=grids)
def test_no_pivot(x: np.ndarray) -> None:
    agree(NO_PIVOT, x=x, v=np.ones((x.shape[1], 2)))


def test_values_behind_a_mask_count_as_the_formula_says() -> None:
    """0 * nan is nan: a masked key with a nan value is not the same as no key."""
    x = np.array([[0.0, -np.inf], [1.0, 2.0]])
    v = np.array([[1.0], [np.nan]])
    agree(SOFTMAX, x=x, v=v)


# --- The monoid --------------------------------------------------------------------


def states(x: np.ndarray, v: np.ndarray) -> tuple[float, ...]:
    """The state of a stretch, by one fold of the monoid."""
    made = bound(GUARDED, x=x[None, :], v=v[:, None])
    whole = absorbed(made.program)
    assert whole is not None
    online = online_softmax.derive(whole.defines[0].value)
    assert online is not None
    changed = online_softmax.apply(made.program)
    define = changed.defines[0]
    found = [n for n in walk(define.value) if isinstance(n, Fold)]
    by_output = {n.output: n for n in found}
    results = []
    for output in sorted(by_output):
        program = Program(
            "state", changed.inputs, changed.outputs[:1], (), changed.scalars,
            changed.sizes, (type(define)(define.name, define.axes, define.indices, by_output[output]),),
        )  # fmt: skip
        with np.errstate(all="ignore"):
            done = evaluate(program, made.inputs, made.sizes, made.scalars)
        results.append(float(done[define.name][0, 0]))
    return tuple(results)


def test_two_masked_parts_do_not_poison_a_valid_one() -> None:
    """Tried naively, exp(-inf - -inf) = nan."""
    x = np.full(9, -np.inf)
    x[8] = 2.0
    m, *sums = states(x, np.arange(9.0))
    assert m == 2.0
    assert sorted(sums) == [1.0, 8.0]


def test_a_part_of_nothing_is_the_identity() -> None:
    monoid = online_softmax.online_monoid(FLOAT64, 2)
    assert [c.value for c in monoid.identity] == [-np.inf, 0.0, 0.0]
    m, *sums = states(np.full(4, -np.inf), np.arange(4.0))
    assert m == -np.inf
    assert sums == [0.0, 0.0]


def test_what_the_rule_finds() -> None:
    made = bound(SINK, x=np.zeros((2, 3)), v=np.zeros((3, 2)), b=np.zeros(2))
    whole = absorbed(made.program)
    assert whole is not None
    online = online_softmax.derive(whole.defines[0].value)
    assert online is not None
    assert len(online.values) == 2
    used = {n.name for n in walk(online.finish) if isinstance(n, Var)}
    assert used == {"m", "s0", "s1"}
    assert not any(isinstance(n, Fold) for n in walk(online.finish))


# Two scores at once; no exponential; a product of them; a sum inside.
OTHERS = (
    "sum[j](exp(x[i, j])) + sum[k](exp(y[i, k]))",
    "sum[j](x[i, j] * y[i, j])",
    "sum[j](exp(x[i, j]) * exp(y[i, j]))",
    "sum[j](exp(x[i, j]) + y[i, j])",
)


@pytest.mark.parametrize("formula", OTHERS)
def test_what_it_leaves_alone(formula: str) -> None:
    head = "op f(x: T[m, n], y: T[m, n]) -> z: T[m] where T: float"
    made = bound(
        f"{head}\n    z[i] = {formula}\n", x=np.zeros((2, 3)), y=np.zeros((2, 3))
    )
    changed = online_softmax.apply(made.program)
    folds = [n for d in changed.defines for n in walk(d.value) if isinstance(n, Fold)]
    assert all(f.monoid.name == "sum" for f in folds)
