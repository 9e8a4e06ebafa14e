"""From a spec and statics to a program: checks, names, laziness, errors with carets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import opslib
from opslib.errors import OperandIndexError, SpecError
from opslib.ir.expansion import expand
from opslib.ir.expr import Fold, Index, Program, Read, walk
from opslib.ir.sample import sample_binding
from opslib.ir.verify import check_program
from opslib.language.library import load_library, parse_operator_text

LIBRARY = load_library()


def program(text: str, **named: Any) -> Program:
    operator = parse_operator_text(text, LIBRARY)
    binding = sample_binding(operator, **named)
    return expand(operator, binding.statics, LIBRARY)


@pytest.mark.parametrize("present", [False, True])
@pytest.mark.parametrize("name", sorted(LIBRARY))
def test_every_operator_expands_to_a_well_formed_program(
    name: str, present: bool
) -> None:
    for rank in (1, 2):
        binding = sample_binding(LIBRARY[name], rank=rank, present=present)
        made = expand(LIBRARY[name], binding.statics, LIBRARY)
        check_program(made)
        assert set(made.sizes) <= set(binding.sizes)
        assert {s.name for s in made.scalars} <= set(binding.scalars)


def test_expansion_is_deterministic() -> None:
    for name in ("attention", "layer_norm", "conv2d", "group_norm"):
        statics = sample_binding(LIBRARY[name]).statics
        assert expand(LIBRARY[name], statics, LIBRARY) == expand(
            LIBRARY[name], statics, LIBRARY
        )


def test_indices_are_bound_once() -> None:
    made = program(
        "op f(x: T[n, n]) -> y: T[n]\n    y[i] = sum[j](x[i, j]) + sum[j](x[j, i])\n"
    )
    (define,) = made.defines
    folds = [n for n in walk(define.value) if isinstance(n, Fold)]
    bound = [a.name for f in folds for a in f.axes]
    assert "i" not in bound
    assert {n.name for n in walk(define.value) if isinstance(n, Index)} <= {*bound, "i"}


def test_the_branch_not_taken_is_never_read() -> None:
    f = opslib.op(
        "op f(x: T[n], ids: I[m]) -> y: T[m] where T: float, I: int\n"
        "    y[i] = x[ids[i]] if ids[i] >= 0 else 0\n"
    )
    for backend in ("numpy", "cpu"):
        got = f(np.array([1.0, 2]), np.array([1, -1, 0]), backend=backend)
        assert got.tolist() == [2, 0, 1]
        with pytest.raises(OperandIndexError, match="'ids'"):
            f(np.array([1.0, 2]), np.array([2]), backend=backend)


def test_a_guard_through_two_locals() -> None:
    text = """op f(x: T[p, z], table: int32[p], ids: int32[m]) -> y: T[m, p, z]
    k[i] = ids[i]
    seen[i] = k[i] + 1
    y[i, a, w] = x[table[a], w] if a * z + w < seen[i] else 0
"""
    f = opslib.op(text)
    x = np.arange(6.0).reshape(3, 2)
    table = np.array([1, 2, -1], np.int32)
    got = f(x, table, np.array([2], np.int32), backend="numpy")
    assert got[0].tolist() == [[2, 3], [4, 0], [0, 0]]
    with pytest.raises(OperandIndexError, match="'table'"):
        f(x, table, np.array([4], np.int32), backend="numpy")


def test_paged_prefill_with_unused_pages() -> None:
    rng = np.random.default_rng(0)
    table = np.array([[1, 0, -1]], np.int32)
    query = rng.random((2, 2, 3))
    cache = rng.random((2, 4, 2, 3))
    lens, starts = np.array([6], np.int32), np.array([0, 2], np.int32)
    keys = cache[[1, 0]].reshape(8, 2, 3)
    want = np.zeros((2, 2, 3))
    for i in range(2):
        for h in range(2):
            a = keys[: 5 + i, h] @ query[i, h] / np.sqrt(3)
            p = np.exp(a - a.max())
            want[i, h] = p / p.sum() @ keys[: 5 + i, h]
    args = (query, cache, cache, table, lens, starts)
    got = opslib.paged_prefill_attention(*args, backend="numpy")
    np.testing.assert_allclose(got, want)
    table[0, 1] = -1
    with pytest.raises(OperandIndexError, match="'block_tables'"):
        opslib.paged_prefill_attention(*args, backend="numpy")


@pytest.mark.parametrize("name", ["sum", "prod", "max", "min", "mean", "any", "all"])
def test_a_fold_over_no_axes(name: str) -> None:
    x = np.array([[2.0, 0.0], [1.0, 3.0]])
    if name in ("any", "all"):
        x = x > 0
    for backend in ("numpy", "cpu"):
        got = getattr(opslib, name)(x, axis=(), backend=backend)
        np.testing.assert_array_equal(got, getattr(np, name)(x, axis=()))
        scalar = getattr(opslib, name)(x[0, 0], backend=backend)
        np.testing.assert_array_equal(scalar, x[0, 0])


def test_deep_nesting_is_linear() -> None:
    value = "x[i]"
    for _ in range(40):
        value = f"max({value} + 1, 0)"
    made = program(f"op f(x: T[n]) -> y: T[n] where T: float\n    y[i] = {value}\n")
    assert sum(isinstance(n, Read) for n in walk(made.defines[0].value)) == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("y[i] = x[i] + exp(k[i])", "takes floats, not an integer"),
        ("y[i] = x[i] + 0.5 * T(k[i] * 0.5)", "have no common type"),
    ],
)
def test_errors_stand_in_the_text(body: str, words: str) -> None:
    with pytest.raises(SpecError, match=words) as caught:
        program(f"op f(x: T[n], k: int32[n]) -> y: T[n] where T: float\n    {body}\n")
    assert "--> <op>:2:" in str(caught.value)
    assert "^" in str(caught.value)
