"""What is known while a graph is printed: index arithmetic on NumPy arrays."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from opslib.codegen import array_helpers
from opslib.codegen.array_dialect import NUMPY
from opslib.ir.dtypes import DType

Array = np.ndarray[Any, np.dtype[Any]]

_OPERATORS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "bitand": operator.and_,
    "bitor": operator.or_,
    "bitxor": operator.xor,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "eq": operator.eq,
    "ne": operator.ne,
    "neg": operator.neg,
    "not": operator.invert,
    "bitnot": operator.invert,
    "reciprocal": lambda x: 1 / x,
    "rsqrt": lambda x: 1 / np.sqrt(x),
}


def apply(op: str, args: list[Array], result: DType) -> Array | None:
    """The primitive on known arrays; None for one that nodes must compute."""
    function = _function(op)
    if function is None:
        return None
    with np.errstate(all="ignore"):
        return np.asarray(function(*args)).astype(result.numpy, copy=False)


def _function(op: str) -> Callable[..., Any] | None:
    if op in _OPERATORS:
        return _OPERATORS[op]
    if op in NUMPY.functions:
        found: Callable[..., Any] = getattr(np, NUMPY.functions[op].partition(".")[2])
        return found
    return getattr(array_helpers, NUMPY.helper_names.get(op, ""), None)


def cast(value: Array, target: DType) -> Array:
    """Conversion as `Cast` has it."""
    with np.errstate(all="ignore"):
        if target.kind == "bool":
            return np.asarray(value != 0)
        return value.astype(target.numpy, copy=False)
