"""Functions that the vector unit lacks, as straight-line programs of what it has.

A table from primitives to formulas, built from what vector units have: sums, products,
quotients, exp, ln, sqrt, roundings, comparisons, choices, and integers that share bits
with floats. There is no fused multiply-add to lean on (no page of the API
says that MulAddDst or Axpy round once), so exact products are Dekker's. `precision.ULP`
states the errors; tests/backends/npu/test_ascend_functions.py holds the formulas to it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from opslib.ir.dtypes import FLOAT32
from opslib.ir.expr import Expr, Index, Prim, Var, substitute, transform, walk

from . import functions_exponential as exponential
from . import functions_other as other
from . import functions_trigonometric as trigonometric
from .formula import X

TABLE: dict[str, Callable[..., X]] = {
    "exp2": exponential.exp2,
    "expm1": exponential.expm1,
    "log1p": exponential.log1p,
    "log2": exponential.log2,
    "log10": exponential.log10,
    "sigmoid": exponential.sigmoid,
    "silu": exponential.silu,
    "softplus": exponential.softplus,
    "log_sigmoid": exponential.log_sigmoid,
    "gelu": exponential.gelu,
    "gelu_tanh": exponential.gelu_tanh,
    "erf": exponential.erf,
    "erfc": exponential.erfc,
    "tanh": exponential.tanh,
    "sinh": exponential.sinh,
    "cosh": exponential.cosh,
    "asinh": exponential.asinh,
    "acosh": exponential.acosh,
    "atanh": exponential.atanh,
    "sin": trigonometric.sin,
    "cos": trigonometric.cos,
    "tan": trigonometric.tan,
    "asin": trigonometric.asin,
    "acos": trigonometric.acos,
    "atan": trigonometric.atan,
    "atan2": trigonometric.atan2,
    "pow": other.power,
    "hypot": other.hypot,
    "fmod": other.fmod,
    "mod": other.mod,
    "reciprocal": other.reciprocal,
    "rsqrt": other.rsqrt,
    "sign": other.sign,
    "copysign": other.copysign,
    "nextafter": other.nextafter,
    "signbit": other.signbit,
    "isnan": other.isnan,
    "isinf": other.isinf,
    "isfinite": other.isfinite,
    "fmax": other.fmax,
    "fmin": other.fmin,
}


@functools.cache
def formula(op: str, arity: int) -> Expr:
    """What stands for a function, in terms of variables ``a0``, ``a1``."""
    arguments = [X(Var(f"a{k}", FLOAT32)) for k in range(arity)]
    return TABLE[op](*arguments).node


def expanded(root: Expr, varies: Callable[[Expr], bool]) -> Expr:
    """The expression with formulas in the place of functions of what varies.

    The scalar unit has functions of its own for what is the same in all lanes.
    """

    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Prim) or node.op not in TABLE:
            return None
        if node.args[0].dtype != FLOAT32 or not varies(node):
            return None
        made = formula(node.op, len(node.args))
        arguments: dict[Expr, Expr] = {
            Var(f"a{k}", FLOAT32): a for k, a in enumerate(node.args)
        }
        return substitute(made, arguments)

    return transform(root, rule)


def along(lane: str, names: frozenset[str] = frozenset()) -> Callable[[Expr], bool]:
    """Whether an expression depends on a lane, or on variables that lanes hold."""
    known: dict[Expr, bool] = {}

    def varies(root: Expr) -> bool:
        for node in walk(root):
            if node not in known:
                known[node] = (
                    (isinstance(node, Index) and node.name == lane)
                    or (isinstance(node, Var) and node.name in names)
                    or any(known[c] for c in node.children)
                )
        return known[root]

    return varies
