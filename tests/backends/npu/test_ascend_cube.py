"""Products on the cube: every type, however its matrices lie, one or a batch."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from opslib.backends.npu.ascend import simulator
from opslib.backends.npu.ascend.lower import lower
from opslib.backends.npu.targets import TARGETS, AscendTarget

from .ascend_cases import expected, has_compiler, programs

pytestmark = pytest.mark.skipif(not has_compiler(), reason="no C++ compiler")

CHIPS = [2201, 3510]
DTYPES = ["float32", "float16", "bfloat16", "int8"]
# Sums of int8 are int32 in the cube; the others are as wide as their result here.
RESULT = {"int8": "int32"}
LAYOUTS = list(itertools.product(("m, k", "k, m"), ("k, n", "n, k")))
# Off the fractals, on them, more than one block of the result or of k; an odd number of
# fractals in each direction, for squares are of two.
SHAPES = [
    (1, 1, 1),
    (2, 3, 4),
    (16, 32, 16),
    (33, 40, 17),
    (20, 72, 24),
    (130, 65, 270),
    (17, 700, 33),
    (50, 520, 40),
]


def operator(dtype: str, left: str, right: str, batch: bool) -> str:
    """A spec of a product, in the given layouts."""
    g, of = ("g, ", "z, ") if batch else ("", "")
    a = ", ".join({"m": "i", "k": "l"}[x] for x in left.split(", "))
    b = ", ".join({"k": "l", "n": "j"}[x] for x in right.split(", "))
    result = RESULT.get(dtype, dtype)
    wide = (lambda x: f"{result}({x})") if dtype != result else (lambda x: x)
    return (
        f"op product(a: {dtype}[{g}{left}], b: {dtype}[{g}{right}]) "
        f"-> y: {result}[{g}m, n]\n"
        f"    y[{of}i, j] = sum[l]({wide(f'a[{of}{a}]')} * {wide(f'b[{of}{b}]')})\n"
    )


def case(
    dtype: str, left: str, right: str, shape: tuple[int, int, int], batch: int = 0
) -> Any:
    """A product of numbers, the same ones each time; of whole ones for int8."""
    rng = np.random.default_rng(sum(shape))
    sizes = dict(zip("mkn", shape, strict=True))
    front = (batch,) if batch else ()

    def numbers(axes: str) -> Any:
        extents = (*front, *(sizes[x] for x in axes.split(", ")))
        if dtype == "int8":
            return rng.integers(-128, 128, extents).astype(np.int8)
        kind = ml_dtypes.bfloat16 if dtype == "bfloat16" else np.dtype(dtype)
        return rng.standard_normal(extents).astype(kind)

    text = operator(dtype, left, right, batch > 0)
    return programs().case(text, {"a": numbers(left), "b": numbers(right)})


@cache
def kernels(chip: int, batch: bool) -> dict[Any, simulator.SimulatedKernel]:
    """A kernel for each type and layout, in one translation unit."""
    cases = [
        case(dtype, *layout, (4, 4, 4), 2 if batch else 0)
        for dtype in DTYPES
        for layout in LAYOUTS
    ]
    made = simulator.kernels([c.program for c in cases], TARGETS[chip])
    return {c.program: k for c, k in zip(cases, made, strict=True)}


def agrees(chip: int, dtype: str, found: Any) -> None:
    """The twin has no finding, and the sums are right."""
    kernel = kernels(chip, len(found.shapes["y"]) > 2)[found.program]
    (got,) = kernel.launch(found.arrays, (), found.sizes, found.scalars)
    (want,) = expected(found)
    if dtype == "int8":
        np.testing.assert_array_equal(got, want)
        return
    k = found.sizes["k"]
    unit = {"float32": 2e-7, "float16": 5e-4, "bfloat16": 4e-3}[dtype]
    np.testing.assert_allclose(got.astype("f8"), want, rtol=unit, atol=2e-7 * k)


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS, ids=" by ".join)
def test_layouts(chip: int, dtype: str, layout: tuple[str, str]) -> None:
    for shape in SHAPES:
        agrees(chip, dtype, case(dtype, *layout, shape))


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS, ids=" by ".join)
def test_batches(chip: int, dtype: str, layout: tuple[str, str]) -> None:
    for shape, batch in (((33, 40, 17), 3), ((1, 9, 1), 2), ((130, 65, 18), 2)):
        agrees(chip, dtype, case(dtype, *layout, shape, batch))


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS, ids=" by ".join)
def test_they_are_on_the_cube(chip: int, dtype: str, layout: tuple[str, str]) -> None:
    target: AscendTarget = TARGETS[chip]
    made = lower(case(dtype, *layout, (4, 4, 4)).program, "product", target)
    assert [x.unit for x in made.launches] == ["cube"]


def test_what_catalogue_operators_multiply_is_on_the_cube() -> None:
    """float32 as it is and int8 with its sums narrowed, in one batch and in many."""
    library = programs()
    for dtype in ("float32", "int8"):
        a, b = np.zeros((2, 5, 3), dtype), np.zeros((2, 3, 4), dtype)
        for name, given in (
            ("matmul", {"x1": a, "x2": b}),
            ("linear", {"input": a[0], "weight": b[0].T}),
            ("bmm", {"input": a, "mat2": b}),
        ):
            made = lower(library.case(name, given).program, name)
            assert made.launches[0].unit == "cube", (name, dtype)
