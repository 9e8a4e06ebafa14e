"""How NumPy and jax.numpy spell what the array printer needs: one table each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opslib.codegen.array_code import (
    BIT_AND,
    BIT_OR,
    BIT_XOR,
    COMPARE,
    PRODUCT,
    SUM,
)

# Operators that Python has: symbol and precedence.
INFIX: dict[str, tuple[str, int]] = {
    "add": ("+", SUM),
    "sub": ("-", SUM),
    "mul": ("*", PRODUCT),
    "div": ("/", PRODUCT),
    "and": ("&", BIT_AND),
    "or": ("|", BIT_OR),
    "xor": ("^", BIT_XOR),
    "bitand": ("&", BIT_AND),
    "bitor": ("|", BIT_OR),
    "bitxor": ("^", BIT_XOR),
    "lt": ("<", COMPARE),
    "le": ("<=", COMPARE),
    "gt": (">", COMPARE),
    "ge": (">=", COMPARE),
    "eq": ("==", COMPARE),
    "ne": ("!=", COMPARE),
}

# Functions of the array module under the same meaning.
_MODULE: dict[str, str] = {
    "abs": "abs",
    "fmod": "fmod",
    "copysign": "copysign",
    "atan2": "arctan2",
    "hypot": "hypot",
    "nextafter": "nextafter",
    "floor": "floor",
    "ceil": "ceil",
    "round": "rint",
    "trunc": "trunc",
    "sqrt": "sqrt",
    "exp": "exp",
    "exp2": "exp2",
    "expm1": "expm1",
    "log": "log",
    "log2": "log2",
    "log10": "log10",
    "log1p": "log1p",
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "sinh": "sinh",
    "cosh": "cosh",
    "tanh": "tanh",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
    "isnan": "isnan",
    "isinf": "isinf",
    "isfinite": "isfinite",
    "signbit": "signbit",
}

# Functions of the helper module, where the array module differs from the primitive
# table (signed zeros, zero divisors, shift counts) or lacks the function.
_HELPERS = (
    "floordiv",
    "mod",
    "pow",
    "sign",
    "maximum",
    "minimum",
    "fmax",
    "fmin",
    "shl",
    "shr",
    "erf",
    "erfc",
    "sigmoid",
    "log_sigmoid",
    "softplus",
    "silu",
    "gelu",
    "gelu_tanh",
)
_RENAMED = {"max": "maximum", "min": "minimum"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """The spelling of one array library.

    Attributes:
        name: ``numpy`` or ``jax``.
        module: alias of the array module in the printed text.
        imports: the first lines of the text.
        helpers: module that the helper functions come from.
        functions: primitive -> text of the function to call.
        helper_names: primitive -> name of a helper function.
        cumulative: monoid -> text of its running form.
        reductions: fold -> helper that takes the place of the library's own.
        mutable: arrays are written in place; otherwise through ``.at[...]``.
        clamps: every data-dependent index is clipped (inside a trace nothing raises).
        windows: convolutions and poolings are operators of the library.
        matmul_options, einsum_options: appended to every such call.
    """

    name: str
    module: str
    imports: str
    helpers: str
    functions: Mapping[str, str]
    helper_names: Mapping[str, str]
    cumulative: Mapping[str, str]
    reductions: Mapping[str, str]
    mutable: bool = True
    clamps: bool = False
    windows: bool = False
    matmul_options: tuple[str, ...] = ()
    einsum_options: tuple[str, ...] = ()

    def dtype(self, name: str) -> str:
        """Text of an element type."""
        if name == "bool":
            return f"{self.module}.bool_"
        if name == "bfloat16" and self.name == "numpy":
            return "bfloat16"
        return f"{self.module}.{name}"


def covered(dialect: Dialect) -> frozenset[str]:
    """The primitives that the printer can spell in a dialect."""
    special = {"neg", "not", "bitnot", "rsqrt", "reciprocal"}
    return frozenset(special | {*INFIX, *dialect.functions, *dialect.helper_names})


_HELPER_NAMES = {
    **{n: n for n in _HELPERS if n not in _RENAMED.values()},
    **_RENAMED,
}

NUMPY = Dialect(
    name="numpy",
    module="np",
    imports="import numpy as np",
    helpers="opslib.codegen.array_helpers",
    functions={k: f"np.{v}" for k, v in _MODULE.items()},
    helper_names=_HELPER_NAMES,
    cumulative={
        "sum": "np.cumsum",
        "prod": "np.cumprod",
        "max": "cummax",
        "min": "cummin",
    },
    reductions={"max": "amax", "min": "amin"},
    einsum_options=("optimize=True",),
)

JAX = Dialect(
    name="jax",
    module="jnp",
    imports="import jax.numpy as jnp",
    helpers="opslib.backends.jax.helpers",
    functions={k: f"jnp.{v}" for k, v in _MODULE.items() if k not in ("fmod", "exp2")},
    helper_names={**_HELPER_NAMES, "fmod": "fmod", "exp2": "exp2"},
    cumulative={
        "sum": "jnp.cumsum",
        "prod": "jnp.cumprod",
        "max": "cummax",
        "min": "cummin",
    },
    reductions={"max": "amax", "min": "amin", "argmax": "argmax", "argmin": "argmin"},
    mutable=False,
    clamps=True,
    windows=True,
    # Without it XLA may multiply float32 as bfloat16 or TF32.
    matmul_options=("precision=lax.Precision.HIGHEST",),
    einsum_options=("precision=lax.Precision.HIGHEST",),
)
