"""Values of attributes, as users write them, made canonical."""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from opslib.ir.dtypes import DTYPES, DType, from_numpy
from opslib.language.syntax import AttributeType, Nothing, Number, Parameter


class AttributeProblem(ValueError):
    """The value does not fit; the text says what would."""


def shown(value: Any) -> str:
    """A value as a message shows it: never longer than a line, whatever was passed."""
    if isinstance(value, int) and value.bit_length() > 256:
        return f"an integer of {value.bit_length()} bits"  # Python prints only so many.
    return reprlib.repr(value)


def normalise(parameter: Parameter, value: Any, rank: int | None) -> Any:
    """The canonical value of an attribute.

    Args:
        parameter: the attribute.
        value: what the caller gave (or the evaluated default).
        rank: rank of the pack that an ``axis``/``axes``/``gap``/``int[...s]`` kind
            names, None where the kind names none.

    Returns:
        int, float, bool, str, `DType`, a tuple of ints, or None. ``axis`` and
        ``axes`` become tuples of non-negative positions, ``gap`` an int.
    """
    kind = parameter.type
    assert isinstance(kind, AttributeType)
    if value is None:
        if not isinstance(parameter.default, Nothing):
            raise AttributeProblem("must not be None")
        if kind.kind != "axes":
            return None
    match kind.kind:
        case "string":
            if not isinstance(value, str) or value not in kind.choices:
                choices = ", ".join(map(repr, kind.choices))
                raise AttributeProblem(f"must be one of {choices}, not {shown(value)}")
            return value
        case "dtype":
            return _dtype(value)
        case "shape":
            return _shape(value)
        case "axis":
            return (_axis(value, rank or 0),)
        case "gap":
            return _axis(value, (rank or 0) + 1)
        case "axes":
            return _axes(value, rank or 0)
    if kind.count is not None:
        count = kind.count.value if isinstance(kind.count, Number) else rank
        return _list(kind.kind, value, int(count or 0))
    return _scalar(kind.kind, value)


def _scalar(kind: str, value: Any) -> Any:
    if kind == "bool":
        if isinstance(value, bool | np.bool_):
            return bool(value)
        raise AttributeProblem(f"must be True or False, not {shown(value)}")
    if kind == "int":
        if isinstance(value, bool | np.bool_):
            raise AttributeProblem(f"must be an integer, not {shown(value)}")
        try:
            number = operator.index(value)
        except TypeError:
            raise AttributeProblem(f"must be an integer, not {shown(value)}") from None
        if not -(1 << 63) <= number < 1 << 63:
            raise AttributeProblem("must fit in 64 bits")
        return number
    if kind == "number" and hasattr(value, "__index__"):
        return _scalar("int", value)
    try:
        if isinstance(value, str | bytes | bool):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise AttributeProblem(f"must be a number, not {shown(value)}") from None


def _list(kind: str, value: Any, count: int) -> tuple[Any, ...]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        if len(value) != count:
            raise AttributeProblem(
                f"must be one {kind} or {count} of them, not {len(value)}"
            )
        return tuple(_scalar(kind, v) for v in value)
    return (_scalar(kind, value),) * count


def _shape(value: Any) -> tuple[int, ...]:
    items = value if isinstance(value, Sequence) else (value,)
    extents = tuple(_scalar("int", v) for v in items)
    if any(n < 0 for n in extents):
        raise AttributeProblem(f"must not have negative extents: {extents}")
    return extents


def _axis(value: Any, rank: int) -> int:
    axis = int(_scalar("int", value))
    if not -rank <= axis < rank:
        have = f"-{rank} <= axis < {rank}" if rank else "there is no axis"
        raise AttributeProblem(f"is {axis}, out of range: {have}")
    return axis % rank


def _axes(value: Any, rank: int) -> tuple[int, ...]:
    if value is None:
        return tuple(range(rank))
    items = value if isinstance(value, Sequence) else (value,)
    axes = tuple(sorted(_axis(v, rank) for v in items))
    if len(set(axes)) < len(axes):
        raise AttributeProblem(f"names an axis twice: {shown(value)}")
    return axes


def _dtype(value: Any) -> DType:
    if isinstance(value, DType):
        return value
    if isinstance(value, str) and value in DTYPES:
        return DTYPES[value]
    name = getattr(value, "__name__", None) or str(value)
    short = str(name).removeprefix("torch.")
    if short in DTYPES:
        return DTYPES[short]
    try:
        return from_numpy(np.dtype(value))
    except TypeError:
        raise AttributeProblem(f"must be a dtype, not {shown(value)}") from None
