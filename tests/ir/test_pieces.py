"""Results in pieces: what is proven of a partition, what is checked as it runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import opslib
from opslib.dispatch.call import bound
from opslib.ir.expansion import expand
from opslib.ir.expr import Program

BACKENDS = ("numpy", "cpu", "jax")

A, B, C = np.arange(4.0), -np.arange(4.0) - 1, np.arange(3.0) + 10

INTERLEAVED = """op f(a: T[..., n], b: T[..., n]) -> y: T[..., 2 * n]
    y[..., 2 * i] = a[..., i]
    y[..., 2 * i + 1] = b[..., i]
"""
BEHIND = """op f(a: T[n], b: T[m]) -> y: T[n + m]
    y[i] = a[i] for i in 0..n
    y[i] = b[i - n] for i in n..n + m
"""
SHIFTED = """op f(a: T[n], b: T[m]) -> y: T[n + m]
    y[i + m] = a[i]
    y[i] = b[i] for i in 0..m
"""
MIRRORED = """op f(a: T[n], b: T[m]) -> y: T[n + m]
    y[n - 1 - i] = a[i]
    y[n + i] = b[i]
"""
FIRST = """op f(a: T[n]) -> y: T[n + 1]
    y[0] = 5
    y[i + 1] = a[i]
"""
HALVES = """op f(a: T[n], b: T[n]) -> y: T[(2 n)]
    y[(0 i)] = a[i]
    y[(1 i)] = b[i]
"""
GUARDED = """op f(a: T[n]) -> y: T[n]
    y[i] = a[i] when i % 3 == 0
    y[i] = -a[i] when i % 3 != 0
"""
BLOCKS = """op f(a: T[m, n], b: T[m, p], c: T[q, n], d: T[q, p]) -> y: T[m + q, n + p]
    y[i, j] = a[i, j] for i in 0..m, j in 0..n
    y[i, n + j] = b[i, j] for i in 0..m
    y[m + i, j] = c[i, j] for j in 0..n
    y[m + i, n + j] = d[i, j]
"""
# Its partition depends on an attribute, or on data, or is more than affine.
ATTRIBUTE = """op f(a: T[n], *, k: int) -> y: T[n]
    y[i] = a[i] for i in 0..k
    y[i] = -a[i] for i in k..n
    requires 0 <= k and k <= n : "k lies within the axis"
"""
DATA = """op f(a: T[n], k: int64[1]) -> y: T[n]
    y[i] = a[i] for i in 0..k[0]
    y[i] = -a[i] for i in k[0]..n
"""
THREE = """op f(a: T[n]) -> y: T[n]
    y[i] = a[i] when i % 3 == 0
    y[i] = -a[i] when i % 3 == 1
    y[i] = 7 when i % 3 > 1
"""

ONES = np.ones((2, 2))
BLOCK = np.block(
    [[ONES, 2 * np.ones((2, 3))], [3 * np.ones((1, 2)), 4 * np.ones((1, 3))]]
)

CASES: list[tuple[str, tuple[Any, ...], dict[str, Any], Any]] = [
    (INTERLEAVED, (A, B), {}, np.stack([A, B], 1).ravel()),
    (BEHIND, (A, C), {}, np.concatenate([A, C])),
    (SHIFTED, (A, C), {}, np.concatenate([C, A])),
    (MIRRORED, (A, C), {}, np.concatenate([A[::-1], C])),
    (FIRST, (A,), {}, np.concatenate([[5], A])),
    (HALVES, (A, B), {}, np.concatenate([A, B])),
    (GUARDED, (A,), {}, np.array([0.0, -1, -2, 3])),
    (BLOCKS, (ONES, BLOCK[:2, 2:], BLOCK[2:, :2], BLOCK[2:, 2:]), {}, BLOCK),
]
CHECKED: list[tuple[str, tuple[Any, ...], dict[str, Any], Any]] = [
    (ATTRIBUTE, (A,), {"k": 2}, np.array([0.0, 1, -2, -3])),
    (DATA, (A, np.array([3])), {}, np.array([0.0, 1, 2, -3])),
    (THREE, (A,), {}, np.array([0.0, -1, 7, 3])),
]


def program(
    function: Any, arrays: tuple[Any, ...], attributes: dict[str, Any]
) -> Program:
    handle = function.handle
    binding = bound(handle.request(arrays, attributes))
    return expand(handle.operator, binding.statics, handle.library)


@pytest.mark.parametrize(("text", "arrays", "attributes", "expected"), CASES + CHECKED)
@pytest.mark.parametrize("backend", BACKENDS)
def test_each_element_comes_from_its_piece(
    backend: str,
    text: str,
    arrays: tuple[Any, ...],
    attributes: dict[str, Any],
    expected: Any,
) -> None:
    found = opslib.op(text)(*arrays, backend=backend, **attributes)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("text", "arrays", "attributes", "expected"), CASES)
def test_partitions_of_all_sizes_are_proven(
    text: str, arrays: tuple[Any, ...], attributes: dict[str, Any], expected: Any
) -> None:
    made = program(opslib.op(text), arrays, attributes)
    assert made.checks == ()
    assert len(made.defines) == 1
    assert made.defines[0].is_plain


@pytest.mark.parametrize(("text", "arrays", "attributes", "expected"), CHECKED)
def test_other_partitions_are_checked(
    text: str, arrays: tuple[Any, ...], attributes: dict[str, Any], expected: Any
) -> None:
    made = program(opslib.op(text), arrays, attributes)
    assert any("exactly once" in check.message for check in made.checks)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cut", [-1, 5, 2**40])
def test_data_that_make_no_partition_are_refused(backend: str, cut: int) -> None:
    function = opslib.op(DATA)
    with pytest.raises(opslib.ShapeError, match="exactly once") as caught:
        function(A, np.array([cut]), backend=backend)
    assert caught.value.code == "E0713"


def test_pieces_work_on_empty_axes() -> None:
    nothing = np.zeros(0)
    assert opslib.op(INTERLEAVED)(nothing, nothing).shape == (0,)
    np.testing.assert_array_equal(opslib.op(BEHIND)(nothing, C), C)
    np.testing.assert_array_equal(opslib.op(FIRST)(nothing), [5])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("y[i * i] = a[i]", "E0510"),
        ("y[i // 2] = a[i]\n    y[n + i] = b[i]", "E0305"),
        ("y[k * i] = a[i]\n    y[n + i] = b[i]", "E0511"),
    ],
)
def test_what_is_no_partition_is_refused(body: str, code: str) -> None:
    head = "op f(a: T[n], b: T[n], *, k: int = 1) -> y: T[2 * n]"
    with pytest.raises(opslib.SpecError) as caught:
        opslib.op(f"{head}\n    {body}\n")
    assert caught.value.code == code
