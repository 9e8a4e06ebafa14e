"""Constant folding and the identities that hold for every value, nan and -0 included.

Floating-point rules are few on purpose: ``x * 1`` and ``x - 0`` keep all bits, but
``x + 0`` changes -0, and ``x * 0`` loses nan, inf and the sign.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from opslib.ir.dtypes import BOOL, FLOAT32, FLOAT64, DType
from opslib.ir.expr import (
    FALSE,
    TRUE,
    Axis,
    Cast,
    Const,
    Expr,
    Prim,
    Program,
    Select,
    is_const,
    transform,
)

_INTEGER: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "max": max,
    "min": min,
    "floordiv": lambda a, b: a // b if b else 0,
    "mod": lambda a, b: a % b if b else 0,
}
_FLOAT = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
}


def simplify(program: Program) -> Program:
    """Applies `simplified` to every expression of the program."""

    def axes(found: tuple[Axis, ...]) -> tuple[Axis, ...]:
        return tuple(
            Axis(
                a.name,
                simplified(a.start),
                simplified(a.stop),
                None if a.bound is None else simplified(a.bound),
            )
            for a in found
        )

    defines = tuple(
        dataclasses.replace(
            d,
            axes=axes(d.axes),
            indices=tuple(map(simplified, d.indices)),
            value=simplified(d.value),
        )
        for d in program.defines
    )
    checks = tuple(
        dataclasses.replace(
            c,
            axes=axes(c.axes),
            condition=simplified(c.condition),
            value=None if c.value is None else simplified(c.value),
            extent=None if c.extent is None else simplified(c.extent),
        )
        for c in program.checks
    )
    kept = tuple(c for c in checks if c.condition is not TRUE)
    return dataclasses.replace(program, defines=defines, checks=kept)


def simplified(root: Expr) -> Expr:
    """The same value, at every input, by fewer operations."""
    return transform(root, _rule)


def _rule(node: Expr) -> Expr | None:
    match node:
        case Select(condition, yes, no):
            if condition is TRUE or yes is no:
                return yes
            return no if condition is FALSE else None
        case Cast(value, dtype):
            return _cast(value, dtype)
        case Prim(op, (a, b), dtype):
            if isinstance(a, Const) and isinstance(b, Const):
                folded = _fold(op, a, b, dtype)
                if folded is not None:
                    return folded
            return _binary(op, a, b, dtype)
        case Prim("not", (Const(value, _),), _):
            return FALSE if value else TRUE
        case Prim("not", (Prim("not", (inner,), _),), _):
            return inner
        case Prim("neg", (Const(value, _),), dtype) if dtype.kind != "uint":
            return Const(_wrap(-value, dtype), dtype)
    return None


def _wrap(value: bool | int | float, dtype: DType) -> bool | int | float:
    if not dtype.is_integer:
        return value
    low = int(value) & ((1 << dtype.bits) - 1)
    return (
        low - (1 << dtype.bits)
        if dtype.kind == "int" and low >> (dtype.bits - 1)
        else low
    )


def _cast(value: Expr, dtype: DType) -> Expr | None:
    if value.dtype == dtype:
        return value
    if isinstance(value, Const):
        given = value.value
        if dtype.is_float and isinstance(given, int):
            exact = abs(given) <= 1 << dtype.mantissa
            return Const(float(given), dtype) if exact else None
        if dtype.is_integer and isinstance(given, int):
            return Const(_wrap(int(given), dtype), dtype)
        if dtype in (FLOAT32, FLOAT64) and isinstance(given, float):
            with np.errstate(all="ignore"):
                narrow = float(dtype.numpy.type(given))
            return Const(narrow, dtype)
    if isinstance(value, Cast) and _holds(value.type, value.value.dtype):
        # A widening that lost nothing, then another cast: one cast will do.
        return _cast(value.value, dtype) or Cast(value.value, dtype)
    return None


def _holds(wide: DType, narrow: DType) -> bool:
    """Whether every value of `narrow` is exactly one of `wide`."""
    if wide.is_float and narrow.is_float:
        return wide.bits > narrow.bits
    if wide.is_float and narrow.is_integer:
        return narrow.bits <= wide.mantissa
    if wide.is_integer and narrow.is_integer:
        return wide.bits > narrow.bits and (wide.kind == "int" or narrow.kind == "uint")
    return False


def _fold(op: str, a: Const, b: Const, dtype: DType) -> Expr | None:
    if op in _COMPARE:
        return Const(bool(_COMPARE[op](a.value, b.value)), BOOL)
    if dtype.is_integer and op in _INTEGER:
        return Const(_wrap(_INTEGER[op](int(a.value), int(b.value)), dtype), dtype)
    if dtype in (FLOAT32, FLOAT64) and op in _FLOAT:
        kind = dtype.numpy.type
        with np.errstate(all="ignore"):
            value = float(_FLOAT[op](kind(a.value), kind(b.value)))
        return None if math.isnan(value) else Const(value, dtype)
    return None


def _binary(op: str, a: Expr, b: Expr, dtype: DType) -> Expr | None:
    integer = dtype.is_integer
    match op:
        case "add" if integer:
            if is_const(b, 0):
                return a
            if is_const(a, 0):
                return b
            # (x + c) + d, and x - c + d: index arithmetic of pads and slices.
            if isinstance(b, Const) and isinstance(a, Prim):
                if a.op == "add" and isinstance(a.args[1], Const):
                    return _shift(a.args[0], int(a.args[1].value) + int(b.value), dtype)
                if a.op == "sub" and isinstance(a.args[1], Const):
                    return _shift(a.args[0], int(b.value) - int(a.args[1].value), dtype)
            if isinstance(a, Prim) and a.op == "sub" and a.args[1] is b:
                return a.args[0]
            for x, y in ((a, b), (b, a)):  # x + (0 - z)
                if isinstance(y, Prim) and y.op == "sub" and is_const(y.args[0], 0):
                    return Prim("sub", (x, y.args[1]), dtype)
        case "sub":
            if is_const(b, 0) and (integer or math.copysign(1, _float(b)) > 0):
                return a
            if integer and a is b:
                return Const(0, dtype)
            if integer and isinstance(a, Prim) and a.op == "add":
                if a.args[1] is b:
                    return a.args[0]
                if a.args[0] is b:
                    return a.args[1]
            if integer and isinstance(b, Const) and isinstance(a, Prim):
                if a.op == "add" and isinstance(a.args[1], Const):
                    return _shift(a.args[0], int(a.args[1].value) - int(b.value), dtype)
                if a.op == "sub" and isinstance(a.args[1], Const):
                    total = int(a.args[1].value) + int(b.value)
                    return _shift(a.args[0], -total, dtype)
        case "mul":
            if is_const(b, 1):
                return a
            if is_const(a, 1):
                return b
            if integer and (is_const(a, 0) or is_const(b, 0)):
                return Const(0, dtype)
        case "div" | "floordiv" if is_const(b, 1) and (integer or op == "div"):
            return a
        case "mod" if integer and is_const(b, 1):
            return Const(0, dtype)
        case "and":
            return _logic(a, b, TRUE, FALSE)
        case "or":
            return _logic(a, b, FALSE, TRUE)
        case "max" | "min" if integer and a is b:
            return a
        case "max" if integer:
            # max(x, max(x, y)), and constants together: extents that skeletons write.
            for x, y in ((a, b), (b, a)):
                if isinstance(y, Prim) and y.op == "max":
                    if x in y.args:
                        return y
                    for u, v in (y.args, y.args[::-1]):
                        if isinstance(x, Const) and isinstance(u, Const):
                            return Prim(
                                "max", (u if u.value >= x.value else x, v), dtype
                            )
    return None


def _float(node: Expr) -> float:
    return float(node.value) if isinstance(node, Const) else 0.0


def _shift(a: Expr, by: int, dtype: DType) -> Expr:
    """``a + by`` with the sign shown, as a person would write it."""
    if by == 0:
        return a
    op = "add" if by > 0 else "sub"
    return Prim(op, (a, Const(abs(by), dtype)), dtype)


def _logic(a: Expr, b: Expr, neutral: Expr, absorbing: Expr) -> Expr | None:
    if a is neutral or a is b:
        return b
    if b is neutral:
        return a
    # `b` may be guarded by `a`, so only `a` may decide; but a constant reads nothing.
    return absorbing if absorbing in (a, b) else None
