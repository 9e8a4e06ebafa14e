"""Tensors of a kernel in MLIR, and how their types, numbers and shapes are written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from opslib.ir.dtypes import BOOL, DType

Array = np.ndarray[Any, np.dtype[Any]]

_TYPES = {
    "bool": "i1",
    "float16": "f16",
    "bfloat16": "bf16",
    "float32": "f32",
    "float64": "f64",
}
# inf and nan have no decimal form in MLIR: their bits are written.
_INFINITE = {
    "float16": 0x7C00,
    "bfloat16": 0x7F80,
    "float32": 0x7F800000,
    "float64": 0x7FF0000000000000,
}


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor of the kernel; `constant` where its elements are known beforehand."""

    name: str
    shape: tuple[int, ...]
    dtype: DType
    constant: Array | None = None

    @property
    def size(self) -> int:
        """How many elements there are."""
        return math.prod(self.shape)


def element(dtype: DType) -> str:
    """The element type; MLIR's integers have no sign."""
    return _TYPES.get(dtype.name, f"i{dtype.bits}")


def tensor_type(shape: Sequence[int], dtype: DType) -> str:
    """``tensor<2x3xf32>``."""
    return f"tensor<{'x'.join((*map(str, shape), element(dtype)))}>"


def literal(value: Any, dtype: DType) -> str:
    """A number of the type, as MLIR reads it."""
    if dtype == BOOL:
        return "true" if value else "false"
    if not dtype.is_float:
        number = int(value)
        # Signless: the upper half of an unsigned type is written as negative.
        if number >= 1 << (dtype.bits - 1):
            number -= 1 << dtype.bits
        return str(number)
    real = float(value)
    if math.isfinite(real):
        return f"{real:.{17 if dtype.bits == 64 else 9}e}"
    bits = _INFINITE[dtype.name]
    if math.isnan(real):
        bits |= 1 << (dtype.mantissa - 2)
    elif real < 0:
        bits |= 1 << (dtype.bits - 1)
    return f"0x{bits:X}"


def box(
    starts: Sequence[int | str], lengths: Sequence[int], steps: Sequence[int]
) -> str:
    """``[starts] [lengths] [steps]``."""
    parts = (", ".join(map(str, p)) for p in (starts, lengths, steps))
    return " ".join(f"[{p}]" for p in parts)


def grouped(
    source: Sequence[int], target: Sequence[int]
) -> tuple[tuple[int, ...], str, str]:
    """How one shape becomes another: the shape between, what is joined, what is split.

    The groups are the smallest runs of axes with the same number of elements: only
    those are joined that must be, as a row that is joined may have to move.
    """
    joins: list[list[int]] = []
    splits: list[list[int]] = []
    i = j = 0
    while i < len(source) and j < len(target):
        left, right = [i], [j]
        have, want = source[i], target[j]
        i, j = i + 1, j + 1
        while have != want:
            if have < want:
                have, i = have * source[i], i + 1
                left.append(i - 1)
            else:
                want, j = want * target[j], j + 1
                right.append(j - 1)
        joins.append(left)
        splits.append(right)
    # Axes of length 1 that are left over go with the last group.
    if joins:
        joins[-1] += range(i, len(source))
        splits[-1] += range(j, len(target))
    middle = tuple(math.prod(source[k] for k in run) for run in joins)
    return middle, str(joins), str(splits)
