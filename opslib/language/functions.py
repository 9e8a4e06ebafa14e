"""What the language knows by name: dtypes, primitives, folds, pack functions.

A spec may define an operator of any of these names (``op sqrt(x: T) -> y: T =
sqrt(x)``): in a call, the language's own meaning comes first wherever it fits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DTYPES = frozenset(
    {"bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"}
    | {"float16", "bfloat16", "float32", "float64"}
    | {"float8_e4m3fn", "float8_e5m2", "int4", "uint4"}
)

CLASSES = frozenset({"any", "bool", "int", "uint", "sint", "float", "number"})

# Functions of dtypes, with the fewest and the most arguments.
DTYPE_FUNCTIONS: dict[str, tuple[int, int]] = {
    "sum_of": (1, 1),  # int -> int64, uint -> uint64, bool -> int64, else the same
    "float_of": (1, 1),  # the default float for integers, else the same
    "real_of": (1, 1),  # the same size, without the complex part
    "result": (1, 16),  # type promotion
    "number_of": (1, 16),  # of numbers: int64 if all are ints, else float32
}

Category = Literal[
    "arithmetic", "function", "rounding", "test", "logic", "bits", "random"
]


@dataclass(frozen=True, slots=True)
class Primitive:
    """An elementwise function; ``most`` is None for any number of arguments."""

    least: int
    most: int | None
    category: Category


def _table(
    names: str, least: int, most: int | None, category: Category
) -> dict[str, Primitive]:
    return {name: Primitive(least, most, category) for name in names.split()}


PRIMITIVES: dict[str, Primitive] = {
    **_table("abs neg sign square reciprocal", 1, 1, "arithmetic"),
    **_table("max min", 2, None, "arithmetic"),
    **_table("fmax fmin fmod copysign nextafter", 2, 2, "arithmetic"),
    **_table("sqrt rsqrt exp exp2 expm1 log log2 log10 log1p", 1, 1, "function"),
    **_table("sin cos tan asin acos atan", 1, 1, "function"),
    **_table("sinh cosh tanh asinh acosh atanh", 1, 1, "function"),
    **_table("erf erfc sigmoid softplus log_sigmoid", 1, 1, "function"),
    **_table("silu gelu gelu_erf gelu_tanh", 1, 1, "function"),
    **_table("pow atan2 hypot", 2, 2, "function"),
    **_table("floor ceil round trunc", 1, 1, "rounding"),
    **_table("isnan isinf isfinite signbit", 1, 1, "test"),
    **_table("xor", 2, 2, "logic"),
    **_table("bitxor", 2, 2, "bits"),
    **_table("philox", 3, 4, "random"),
}

FOLDS = frozenset(
    {"sum", "prod", "mean", "max", "min", "any", "all", "count"} | {"argmax", "argmin"}
)


@dataclass(frozen=True, slots=True)
class Order:
    """A scan or sort along an index; `values` is how many one call gives.

    ``cumsum[j](x[j], i)`` is the running sum at position i; without the position, it
    is the one at j itself, which must then be in scope.
    """

    least: int
    most: int
    values: int
    keywords: frozenset[str]


_SCAN = Order(1, 2, 1, frozenset({"reverse", "exclusive"}))
_SORT = Order(1, 2, 1, frozenset({"descending", "stable"}))
ORDERS: dict[str, Order] = {
    "cumsum": _SCAN,
    "cumprod": _SCAN,
    "cummax": _SCAN,
    "cummin": _SCAN,
    "sort": _SORT,
    "argsort": _SORT,
    # first[v](value, condition): of the first v whose condition holds, for the
    # instances of a variadic tensor.
    "first": Order(2, 2, 1, frozenset()),
    "topk": Order(2, 3, 2, frozenset({"largest", "sorted"})),
}

# Functions of packs and other static values, with fewest and most arguments.
PACK_FUNCTIONS: dict[str, tuple[int, int]] = {
    "rank": (1, 1),  # how many axes a pack has
    "prod": (1, 1),  # the product of a pack's extents
    "count": (1, 1),  # how many tensors a variadic parameter has
    "at": (2, 2),  # one extent of a pack
    "drop": (2, 3),  # a pack without some axes, or with 1 there
    "head": (2, 2),  # the part before an axis
    "tail": (2, 2),  # the part after an axis
    "on": (3, 3),  # one value on some axes, another elsewhere
    "fit": (2, 9),  # an index against a smaller shape, as broadcasting does
    "weave": (3, 3),  # two packs merged: the second at some axes
    "swap": (3, 3),  # a pack with two entries exchanged
    "total": (1, 1),  # the sum of a pack's extents
    "permute": (2, 2),
    "unpermute": (2, 2),
    "ravel": (2, 2),
    "unravel": (2, 2),
    "broadcast": (1, 16),
}
