"""Bugs that kernels really have: at the ends of blocks, in special values, in types.

Each changes a kernel's inputs (`before`) or one of its results (`after`), and must be
caught by the quick profile on every operator that is named beside it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from opslib.ir.expr import Program

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Planted:
    """A bug, the operators on which it shows, and the dtype that they run in."""

    name: str
    shows: tuple[str, ...]
    after: Callable[[Program, list[Array], Array], None] | None = None
    before: Callable[[Program, Array], None] | None = None
    dtype: str = "float32"


def is_float(array: Array) -> bool:
    return array.dtype.kind not in "biu"


def _last_column(program: Program, inputs: list[Array], o: Array) -> None:
    if o.ndim and o.shape[-1] > 64:
        o[..., -1] = 0


def _one_lane(program: Program, inputs: list[Array], o: Array) -> None:
    if o.ndim and o.shape[-1] > 32:
        o[..., 31] = o[..., 30]


def _first_of_the_batch(program: Program, inputs: list[Array], o: Array) -> None:
    if o.ndim > 2 and o.shape[0] > 2:
        o[2:] = o[:1]


def _transposed_if_square(program: Program, inputs: list[Array], o: Array) -> None:
    if o.ndim > 1 and o.shape[-1] == o.shape[-2]:
        o[...] = o.swapaxes(-1, -2).copy()


def _nan_is_inf(program: Program, inputs: list[Array], o: Array) -> None:
    if is_float(o):
        o[np.isnan(o)] = np.inf


def _no_number_of_two(program: Program, inputs: list[Array], o: Array) -> None:
    """What has two infinities is 0: inf - inf, inf / inf."""
    if len(inputs) == 2 and all(a.shape == o.shape for a in inputs):
        o[np.isinf(inputs[0]) & np.isinf(inputs[1])] = 0


def _flushed(program: Program, inputs: list[Array], o: Array) -> None:
    if is_float(o):
        tiny = float(ml_dtypes.finfo(o.dtype).tiny)
        with np.errstate(all="ignore"):
            o[np.abs(o.astype(np.float64)) < tiny] = 0


def _large_angles(program: Program, inputs: list[Array], o: Array) -> None:
    o[np.abs(inputs[0].astype(np.float64)) > 1e5] = 0


_TURN = itertools.count()


def _not_twice_alike(program: Program, inputs: list[Array], o: Array) -> None:
    """Every other launch is off by one unit in the last place."""
    if o.dtype == np.float32 and next(_TURN) % 2:
        o[...] = np.where(np.isfinite(o), np.nextafter(o, np.float32(np.inf)), o)


def _too_few_exponents(program: Program, inputs: list[Array], o: Array) -> None:
    if o.dtype == np.float16:
        o[...] = o.astype(ml_dtypes.bfloat16).astype(o.dtype)


def _least_integer(program: Program, inputs: list[Array], o: Array) -> None:
    o[o == np.iinfo(o.dtype).min] = np.iinfo(o.dtype).max


def _cut_factors(program: Program, a: Array) -> None:
    """16 of 24 bits of the mantissa: two bfloat16 instead of three."""
    if a.dtype == np.float32:
        bits = np.ascontiguousarray(a).view(np.uint32) & np.uint32(0xFFFFFF00)
        a[...] = bits.view(np.float32).reshape(a.shape)


def _through_float32(program: Program, a: Array) -> None:
    if a.dtype in (np.int32, np.int64):
        wide = a.astype(np.float32).astype(np.float64)
        info = np.iinfo(a.dtype)
        # The float above the largest integer is none.
        top = np.nextafter(float(info.max), 0)
        a[...] = np.clip(wide, float(info.min), top).astype(a.dtype)


PLANTED = (
    Planted(
        "last column behind 64",
        ("add", "exp", "softmax", "cumsum", "matmul"),
        after=_last_column,
    ),
    Planted("lane 31", ("add", "softmax", "matmul", "layer_norm"), after=_one_lane),
    Planted(
        "first of the batch",
        ("matmul", "softmax", "conv2d", "cumsum", "scaled_dot_product_attention"),
        after=_first_of_the_batch,
    ),
    Planted(
        "transposed if square",
        ("add", "matmul", "softmax", "cumsum"),
        after=_transposed_if_square,
    ),
    Planted(
        "nan is inf", ("add", "matmul", "softmax", "exp", "divide"), after=_nan_is_inf
    ),
    Planted(
        "two infinities",
        ("add", "subtract", "divide", "atan2", "maximum"),
        after=_no_number_of_two,
    ),
    Planted(
        "flushed results",
        ("add", "multiply", "divide", "negative", "abs"),
        after=_flushed,
    ),
    Planted("large angles", ("sin", "cos"), after=_large_angles),
    Planted(
        "not twice alike", ("sum", "softmax", "matmul", "exp"), after=_not_twice_alike
    ),
    Planted(
        "bfloat16 for float16",
        ("sum", "matmul", "softmax"),
        after=_too_few_exponents,
        dtype="float16",
    ),
    Planted(
        "least integer",
        ("add", "multiply", "maximum", "minimum"),
        after=_least_integer,
        dtype="int32",
    ),
    Planted("cut factors", ("matmul", "linear", "conv2d"), before=_cut_factors),
    Planted(
        "32-bit integers through float32",
        ("add", "maximum", "where", "less", "equal"),
        before=_through_float32,
        dtype="int32",
    ),
    Planted(
        "64-bit integers through float32",
        ("add", "multiply", "matmul", "sort", "less"),
        before=_through_float32,
        dtype="int64",
    ),
)
