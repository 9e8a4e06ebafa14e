"""What C-like languages share: names of types, literals, precedence, the dialect."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from opslib.ir.dtypes import BOOL, DType

SHORT = {
    "bool": "bool",
    "int8": "i8",
    "int16": "i16",
    "int32": "i32",
    "int64": "i64",
    "uint8": "u8",
    "uint16": "u16",
    "uint32": "u32",
    "uint64": "u64",
    "float16": "f16",
    "bfloat16": "bf16",
    "float32": "f32",
    "float64": "f64",
}
_CTYPE = {
    "bool": "bool",
    "float16": "float",
    "bfloat16": "float",
    "float32": "float",
    "float64": "double",
}
_STORED = {"bool": "ops_bool", "float16": "ops_f16", "bfloat16": "ops_bf16"}

# C's precedence, the tighter the larger.
CALL, UNARY, TIMES, PLUS, SHIFT, ORDER, EQUAL = 15, 14, 13, 12, 11, 10, 9
BITAND, BITXOR, BITOR, AND, OR, TERNARY, LOOSE = 8, 7, 6, 5, 4, 3, 0
INFIX = {
    "add": ("+", PLUS),
    "sub": ("-", PLUS),
    "mul": ("*", TIMES),
    "div": ("/", TIMES),
    "lt": ("<", ORDER),
    "le": ("<=", ORDER),
    "gt": (">", ORDER),
    "ge": (">=", ORDER),
    "eq": ("==", EQUAL),
    "ne": ("!=", EQUAL),
    "bitand": ("&", BITAND),
    "bitor": ("|", BITOR),
    "bitxor": ("^", BITXOR),
}
LOGIC = {"and": ("&&", AND), "or": ("||", OR), "xor": ("!=", EQUAL)}
COMPARISONS = frozenset(("lt", "le", "gt", "ge", "eq", "ne"))
# Primitives whose function has another name than the primitive.
RENAMED = {"max": "maximum", "min": "minimum", "mod": "remainder"}


Text = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a C-like language changes.

    Attributes:
        name: for messages.
        function: a primitive's scalar function: (name, short type) -> text.
        address_space: printed before pointers to arguments, e.g. ``__gm__``.
        includes: lines at the head of a translation unit.
        wraps: whether signed + - * wrap (``-fwrapv``); else functions are called.
    """

    name: str
    function: Callable[[str, str], str]
    address_space: str = ""
    includes: tuple[str, ...] = ()
    wraps: bool = True


HOST = Dialect(
    "c",
    lambda name, short: f"ops_{RENAMED.get(name, name)}_{short}",
    "",
    ('#include "opslib_kernel.h"',),
)


def value_type(dtype: DType) -> str:
    """The C type in which a value of `dtype` is held."""
    return _CTYPE.get(dtype.name, f"{dtype.name}_t")


def stored_type(dtype: DType) -> str:
    """The C type of an element in memory."""
    return _STORED.get(dtype.name) or value_type(dtype)


def held(dtype: DType) -> str:
    """The short name of the type a value is held in: f32 for 16-bit floats."""
    return "f32" if dtype.name in ("float16", "bfloat16") else SHORT[dtype.name]


def constant(value: bool | int | float, dtype: DType) -> Text:
    """A literal that gives exactly `value` rounded to `dtype`."""
    if dtype == BOOL:
        return ("true" if value else "false"), CALL
    if dtype.is_integer:
        return _integer(int(value), dtype)
    wide = dtype.name == "float64"
    with np.errstate(all="ignore"):
        exact = float(dtype.numpy.type(value))
    if math.isnan(exact):
        return ("(double)NAN" if wide else "NAN"), UNARY
    if math.isinf(exact):
        text = "(double)INFINITY" if wide else "INFINITY"
        return (f"-{text}" if exact < 0 else text), UNARY
    suffix = "" if wide else "f"
    short = repr(exact)
    if len(short) > 8 or "e" in short:
        short = exact.hex()
        head, _, tail = short.partition("p")
        short = f"{head.rstrip('0').rstrip('.') if '.' in head else head}p{tail}"
    return f"{short}{suffix}", UNARY if short.startswith("-") else CALL


def _integer(value: int, dtype: DType) -> Text:
    if dtype.kind == "uint":
        return (f"{value}u" if dtype.bits < 64 else f"UINT64_C({value})"), CALL
    if value == -(1 << 63):
        return "INT64_MIN", CALL
    if dtype.bits == 32 and value == -(1 << 31):
        return "INT32_MIN", CALL
    text = str(value) if abs(value) < 1 << 31 else f"INT64_C({value})"
    return text, UNARY if value < 0 else CALL
