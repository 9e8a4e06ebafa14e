"""The elementwise primitives: the one list every printer and evaluator covers.

`result` says the type of the value: ``same`` as the operands, or ``bool``. `classes`
is what the operands may be. A test holds every printer to the whole list.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Primitive:
    """Name, number of operands, operand classes and result of a primitive."""

    name: str
    arity: int
    classes: str
    result: str
    meaning: str


_ARITHMETIC = (
    ("add", 2, "number", "same", "x + y; integers wrap"),
    ("sub", 2, "number", "same", "x - y; integers wrap"),
    ("mul", 2, "number", "same", "x * y; integers wrap"),
    ("div", 2, "float", "same", "x / y, correctly rounded"),
    ("floordiv", 2, "int", "same", "floor(x / y); y = 0 gives 0; floats: see build"),
    ("mod", 2, "number", "same", "x - floor(x / y) * y, sign of y; integer y = 0: 0"),
    ("fmod", 2, "number", "same", "x - trunc(x / y) * y, sign of x; integer y = 0: 0"),
    ("pow", 2, "number", "same", "x to the y; integers wrap, negative y: C99 of 1/x"),
    ("neg", 1, "number", "same", "-x"),
    ("abs", 1, "number", "same", "|x|; the smallest integer stays"),
    ("sign", 1, "number", "same", "-1, 0, 1; nan stays nan, -0 stays -0"),
    ("max", 2, "any", "same", "the larger; nan if either is; max(-0, 0) = 0"),
    ("min", 2, "any", "same", "the smaller; nan if either is; min(-0, 0) = -0"),
    ("fmax", 2, "float", "same", "the larger; a nan loses"),
    ("fmin", 2, "float", "same", "the smaller; a nan loses"),
    ("copysign", 2, "float", "same", "|x| with the sign of y"),
    ("atan2", 2, "float", "same", "angle of (y, x), C99 specials"),
    ("hypot", 2, "float", "same", "sqrt(x^2 + y^2) without overflow"),
    ("nextafter", 2, "float", "same", "the next number from x towards y"),
)
_LOGIC = (
    ("and", 2, "bool", "same", "both"),
    ("or", 2, "bool", "same", "either"),
    ("xor", 2, "bool", "same", "exactly one"),
    ("not", 1, "bool", "same", "negation"),
    ("bitand", 2, "int", "same", "bitwise and"),
    ("bitor", 2, "int", "same", "bitwise or"),
    ("bitxor", 2, "int", "same", "bitwise exclusive or"),
    ("bitnot", 1, "int", "same", "bitwise complement"),
    ("shl", 2, "int", "same", "x * 2^y wrapped; y outside 0..bits-1 gives 0"),
    ("shr", 2, "int", "same", "floor(x / 2^y); y outside 0..bits-1: sign fill"),
)
_COMPARISON = tuple(
    (name, 2, "any", "bool", meaning)
    for name, meaning in (
        ("lt", "x < y"),
        ("le", "x <= y"),
        ("gt", "x > y"),
        ("ge", "x >= y"),
        ("eq", "x == y"),
        ("ne", "x != y"),
    )
)
_ROUNDING = tuple(
    (name, 1, "float", "same", meaning)
    for name, meaning in (
        ("floor", "largest integer not above x"),
        ("ceil", "smallest integer not below x"),
        ("round", "nearest integer, half to even"),
        ("trunc", "integer part"),
    )
)
_FUNCTIONS = tuple(
    (name, 1, "float", "same", meaning)
    for name, meaning in (
        ("sqrt", "square root"),
        ("rsqrt", "1 / sqrt(x)"),
        ("reciprocal", "1 / x"),
        ("exp", "e^x"),
        ("exp2", "2^x"),
        ("expm1", "e^x - 1"),
        ("log", "natural logarithm"),
        ("log2", "logarithm to base 2"),
        ("log10", "logarithm to base 10"),
        ("log1p", "log(1 + x)"),
        ("sin", "sine"),
        ("cos", "cosine"),
        ("tan", "tangent"),
        ("asin", "arc sine"),
        ("acos", "arc cosine"),
        ("atan", "arc tangent"),
        ("sinh", "hyperbolic sine"),
        ("cosh", "hyperbolic cosine"),
        ("tanh", "hyperbolic tangent"),
        ("asinh", "inverse hyperbolic sine"),
        ("acosh", "inverse hyperbolic cosine"),
        ("atanh", "inverse hyperbolic tangent"),
        ("erf", "error function"),
        ("erfc", "1 - erf(x), without cancellation"),
        ("sigmoid", "1 / (1 + e^-x)"),
        ("log_sigmoid", "log(sigmoid(x))"),
        ("softplus", "log(1 + e^x), without overflow"),
        ("silu", "x * sigmoid(x)"),
        ("gelu", "x * erfc(-x / sqrt(2)) / 2"),
        (
            "gelu_tanh",
            "x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), as x * sigmoid(2 ...)",
        ),
    )
)
_TESTS = tuple(
    (name, 1, "float", "bool", meaning)
    for name, meaning in (
        ("isnan", "whether x is nan"),
        ("isinf", "whether x is inf or -inf"),
        ("isfinite", "whether x is a number"),
        ("signbit", "whether the sign bit is set"),
    )
)

PRIMITIVES: dict[str, Primitive] = {
    row[0]: Primitive(*row)
    for row in (
        *_ARITHMETIC,
        *_LOGIC,
        *_COMPARISON,
        *_ROUNDING,
        *_FUNCTIONS,
        *_TESTS,
    )
}
