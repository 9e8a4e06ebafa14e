"""The cube path of the twin, its fractals laid out here by the documentation alone.

Layouts: Mmad, 07_0249.  A fractal is 16 rows of 32 bytes; "small Z" is row-major inside
a fractal and "small N" column-major; "big Z" puts fractals row after row and "big N"
column after column.  L0A is ZZ (big and small) on 2201 and 2002 and NZ (big N, small Z)
on 3510, L0B is ZN (big Z, small N).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from .ascend_twin import BUILDS, COMPILERS, Build, Run, Twin, compiled

if not COMPILERS:
    pytest.skip("the twin is C++: no compiler here", allow_module_level=True)

BF16 = ml_dtypes.bfloat16


@pytest.fixture(params=BUILDS)
def made(request: pytest.FixtureRequest, capfd: Any) -> Iterator[Build]:
    yield request.param
    assert "runtime error" not in capfd.readouterr().err  # of the UB sanitizer


def twin(made: Build, target: int = 2201) -> Twin:
    return compiled("cube.cpp", made.compiler, target, made.flags)


def clean(result: Run) -> None:
    assert result.findings == 0, result.found


def blocks(matrix: np.ndarray, down: int, across: int) -> np.ndarray:
    """[i, j, r, c]: fractal (i, j) of down x across elements, filled up with zeros."""
    rows, columns = -(-matrix.shape[0] // down), -(-matrix.shape[1] // across)
    full = np.zeros((rows * down, columns * across), matrix.dtype)
    full[: matrix.shape[0], : matrix.shape[1]] = matrix
    return full.reshape(rows, down, columns, across).transpose(0, 2, 1, 3)


def zz(a: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(blocks(a, 16, 32 // a.itemsize)).reshape(-1)


def nz(a: np.ndarray) -> np.ndarray:
    order = blocks(a, 16, 32 // a.itemsize).transpose(1, 0, 2, 3)
    return np.ascontiguousarray(order).reshape(-1)


def zn(b: np.ndarray) -> np.ndarray:
    order = blocks(b, 32 // b.itemsize, 16).transpose(0, 1, 3, 2)
    return np.ascontiguousarray(order).reshape(-1)


def integers(shape: tuple[int, int], dtype: Any, seed: int) -> np.ndarray:
    """Small whole numbers: every order of summation gives the same bits."""
    return np.random.default_rng(seed).integers(-8, 9, shape).astype(dtype)


CASES = {
    "fractals_f16": (np.float16, np.float32, 50),
    "fractals_f16_to_f16": (np.float16, np.float16, 50),
    "fractals_bf16": (BF16, BF16, 50),
    "fractals_f32": (np.float32, np.float32, 20),
    "fractals_i8": (np.int8, np.int32, 50),
}


@pytest.mark.parametrize("target", [2201, 3510])
@pytest.mark.parametrize("name", CASES)
def test_fractals(made: Build, name: str, target: int) -> None:
    dtype, out_dtype, k = CASES[name]
    a, b = integers((20, k), dtype, 1), integers((k, 40), dtype, 2)
    wide = np.int64 if dtype is np.int8 else np.float64
    expected = (a.astype(wide) @ b.astype(wide)).astype(out_dtype)
    right, wrong = (zz, nz) if target == 2201 else (nz, zz)
    out = np.zeros((20, 40), out_dtype)
    clean(twin(made, target).run(name, right(a), zn(b), out))
    np.testing.assert_array_equal(out, expected)
    # A wrong fractal gives wrong numbers: of A, of B, and B not transposed inside.
    for bad_a, bad_b in [
        (wrong(a), zn(b)),
        (right(a), zn(b).reshape(-1, 512 // b.itemsize)[::-1].copy()),
        (right(a), np.ascontiguousarray(blocks(b, 32 // b.itemsize, 16)).reshape(-1)),
    ]:
        clean(twin(made, target).run(name, bad_a, bad_b, out))
        assert (out != expected).mean() > 0.5


def test_matmul_of_row_major_matrices(made: Build) -> None:
    a, b = integers((40, 72), np.float16, 3), integers((72, 56), np.float16, 4)
    expected = a.astype(np.float32) @ b.astype(np.float32)
    out = np.zeros((40, 56), np.float32)
    result = twin(made).run("matmul_f16", a, b, out)
    clean(result)
    np.testing.assert_array_equal(out, expected)
    # 3 x 4 fractals of the result, 3 and 2 fractals of depth.
    assert result.counters["CubeFractals"] == 12 * 5
    assert result.counters["CubeCycles"] == 60
    assert result.counters["BytesL1"] == (3 + 4) * 5 * 512
    assert result.counters["BytesFix"] == 40 * 56 * 4
    assert result.counters["BytesIn"] == (40 * 72 + 72 * 56) * 2
    assert result.counters["TransfersIn"] == 40 + 72
    clean(twin(made).run("matmul_forgets_the_first_step", a, b, out))
    last = a[:, 48:].astype(np.float32) @ b[48:].astype(np.float32)
    np.testing.assert_array_equal(out, last)


def test_rectangles_of_950(made: Build) -> None:
    a, b = integers((40, 72), np.float16, 5), integers((72, 56), np.float16, 6)
    out = np.zeros((40, 56), np.float32)
    clean(twin(made, 3510).run("rectangle_f16", a, b, out))
    np.testing.assert_array_equal(out, a.astype(np.float32) @ b.astype(np.float32))
    assert twin(made).run("rectangle_f16", a, b, out).kinds >= {"unsupported"}


def test_results_leave_l0c_through_ub_on_310p(made: Build) -> None:
    a, b = integers((48, 72), np.float16, 8), integers((72, 64), np.float16, 9)
    out = np.zeros((48, 64), np.float16)
    clean(twin(made, 2002).run("through_ub", zz(a), zn(b), out))
    np.testing.assert_array_equal(out, (a.astype(np.float32) @ b).astype(np.float16))


def squares(b: np.ndarray) -> np.ndarray:
    """B of 32 x 32 as LoadDataWithTranspose takes it (07_0239): squares of 16 x 16 (of
    8 bits 32 x 32) row after row, each as fractals of 16 rows of 32 bytes."""
    edge, wide = (32, 32) if b.itemsize == 1 else (16, 32 // b.itemsize)
    parts = [
        np.ascontiguousarray(blocks(square, 16, wide)).reshape(-1)
        for row in blocks(b, edge, edge)
        for square in row
    ]
    return np.concatenate(parts)


@pytest.mark.parametrize(
    ("name", "dtype", "out_dtype"),
    [
        ("transposing_f16", np.float16, np.float32),
        ("transposing_f32", np.float32, np.float32),
        ("transposing_i8", np.int8, np.int32),
    ],
)
def test_transposing_loads(made: Build, name: str, dtype: Any, out_dtype: Any) -> None:
    b = integers((32, 32), dtype, 7)
    out = np.zeros((32, 32), out_dtype)
    clean(twin(made).run(name, zz(np.eye(32, dtype=dtype)), squares(b), out))
    np.testing.assert_array_equal(out, b)


KINDS = {
    "vector": "range", "depth": "poison", "edge": "range", "first": "poison",
    "accumulation": "race", "large_accumulation": "race",
    "result_alignment": "alignment", "result_types": "type",
    "quantisation": "type", "source": "position", "transpose": "type",
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_checks(made: Build, name: str) -> None:
    x = np.zeros(4096, np.float16)
    result = twin(made).run(f"bad_{name}", x, x, x)
    assert result.kinds == {KINDS[name]}, result.found


@pytest.mark.parametrize(
    "name",
    ["vector", "depth", "accumulation", "result_alignment",
     "quantisation"],
)  # fmt: skip
def test_near_misses(made: Build, name: str) -> None:
    x = np.zeros(4096, np.float16)
    clean(twin(made).run(f"good_{name}", x, x, x))


def test_a_race_in_the_cube_asks_for_its_barrier(made: Build) -> None:
    x = np.zeros(4096, np.float16)
    (race,) = twin(made).run("bad_accumulation", x, x, x).found
    assert race["missing"] == "PipeBarrier<PIPE_M>"
    assert race["scope"] == "L0C"
