"""The element types, their classes, and type promotion by the array API standard."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np

from opslib.errors import DTypeError


@dataclass(frozen=True, slots=True)
class DType:
    """An element type.

    kind: ``bool``, ``int`` (signed), ``uint`` or ``float``.
    mantissa: bits of the significand with the hidden one, 0 for non-floats.
    """

    name: str
    kind: str
    bits: int
    mantissa: int = 0

    def __str__(self) -> str:
        return self.name

    @property
    def bytes(self) -> int:
        """Size of an element in memory, in bytes."""
        return self.bits // 8

    @property
    def is_float(self) -> bool:
        """Whether this is a floating-point type."""
        return self.kind == "float"

    @property
    def is_integer(self) -> bool:
        """Whether this is a signed or unsigned integer type."""
        return self.kind in ("int", "uint")

    @property
    def unit_roundoff(self) -> float:
        """U = 2^-p: half the distance from 1 to the next number."""
        return 2.0**-self.mantissa

    @property
    def numpy(self) -> np.dtype[Any]:
        """The NumPy dtype of the same elements."""
        return _NUMPY[self.name]


BOOL = DType("bool", "bool", 8)
INT8, INT16 = DType("int8", "int", 8), DType("int16", "int", 16)
INT32, INT64 = DType("int32", "int", 32), DType("int64", "int", 64)
UINT8, UINT16 = DType("uint8", "uint", 8), DType("uint16", "uint", 16)
UINT32, UINT64 = DType("uint32", "uint", 32), DType("uint64", "uint", 64)
FLOAT16 = DType("float16", "float", 16, 11)
BFLOAT16 = DType("bfloat16", "float", 16, 8)
FLOAT32 = DType("float32", "float", 32, 24)
FLOAT64 = DType("float64", "float", 64, 53)

DTYPES: dict[str, DType] = {
    d.name: d
    for d in (
        BOOL,
        INT8,
        INT16,
        INT32,
        INT64,
        UINT8,
        UINT16,
        UINT32,
        UINT64,
        FLOAT16,
        BFLOAT16,
        FLOAT32,
        FLOAT64,
    )
}

_NUMPY: dict[str, np.dtype[Any]] = {
    name: np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)
    for name in DTYPES
}
_FROM_NUMPY = {dtype: DTYPES[name] for name, dtype in _NUMPY.items()}

# Classes a where-clause may name; unions are written `float | int`.
CLASSES: dict[str, frozenset[str]] = {
    "any": frozenset(DTYPES),
    "bool": frozenset({"bool"}),
    "sint": frozenset(n for n, d in DTYPES.items() if d.kind == "int"),
    "uint": frozenset(n for n, d in DTYPES.items() if d.kind == "uint"),
    "int": frozenset(n for n, d in DTYPES.items() if d.is_integer),
    "float": frozenset(n for n, d in DTYPES.items() if d.is_float),
    "number": frozenset(n for n in DTYPES if n != "bool"),
}


def from_numpy(dtype: np.dtype[Any]) -> DType:
    """The `DType` of a NumPy dtype; raises DTypeError for one opslib has not."""
    try:
        return _FROM_NUMPY[dtype]
    except KeyError:
        native = dtype.newbyteorder("=")
        if native != dtype and native in _FROM_NUMPY:
            raise DTypeError(
                f"dtype {dtype!r} has the other byte order",
                code="E0703",
                help=f"convert it first: x.astype({native.name!r})",
            ) from None
        raise DTypeError(
            f"dtype {dtype!r} is not one of opslib's",
            code="E0703",
            help="supported: " + ", ".join(DTYPES),
        ) from None


def compute_type(dtype: DType) -> DType:
    """The type in which values of `dtype` are computed: float32 for 16-bit floats."""
    return FLOAT32 if dtype.is_float and dtype.bits < 32 else dtype


@cache
def promote(a: DType, b: DType) -> DType:
    """Type promotion of the array API standard; raises where it leaves it undefined.

    float16 with bfloat16 gives float32 (as JAX and PyTorch do).
    """
    if a == b:
        return a
    if a.kind == b.kind:
        if a.is_float and a.bits == b.bits:
            return FLOAT32
        return a if a.bits > b.bits else b
    if a.is_integer and b.is_integer:
        signed, unsigned = (a, b) if a.kind == "int" else (b, a)
        if signed.bits > unsigned.bits:
            return signed
        if unsigned.bits < 64:
            return DTYPES[f"int{unsigned.bits * 2}"]
    raise DTypeError(
        f"{a} and {b} have no common type in the array API standard",
        code="E0703",
        help=f"cast one of them, e.g. opslib.astype(x, dtype={_wider(a, b)!r})",
    )


def _wider(a: DType, b: DType) -> str:
    for d in (a, b):
        if d.is_float:
            return d.name
    return (a if a.kind != "bool" else b).name


def sum_type(dtype: DType) -> DType:
    """What a sum or product of `dtype` is: 64-bit for integers and bool."""
    if dtype.kind in ("int", "bool"):
        return INT64
    return UINT64 if dtype.kind == "uint" else dtype
