"""The vector unit's functions: errors of the formulas, kernels that compute them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from opslib.backends.npu.ascend import functions
from opslib.backends.npu.ascend.precision import ULP

from opslib.ir.expr import Cast, Const, Expr, Prim, Select, Var, walk

from .ascend_cases import built, case, has_compiler

FLOAT, INT = np.float32, np.int32


def _erfc(x: Any) -> Any:
    return np.vectorize(math.erfc, otypes=[float])(x)


def _sigmoid(x: Any) -> Any:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, e) / (1.0 + e)


def _gelu(x: Any) -> Any:
    tail = np.abs(x) * _erfc(np.abs(x) / math.sqrt(2)) / 2
    finite = np.where(x > 0, x - tail, -tail)
    return np.where(x == math.inf, x, np.where(x == -math.inf, math.nan, finite))


def _gelu_tanh(x: Any) -> Any:
    u = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return np.where(x == -math.inf, math.nan, x * _sigmoid(2 * u))


def _silu(x: Any) -> Any:
    return np.where(x == -math.inf, math.nan, x * _sigmoid(x))


def _softplus(x: Any) -> Any:
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


# In float64; of the same names as the primitives.
REFERENCE: dict[str, Callable[..., Any]] = {
    "exp2": np.exp2, "expm1": np.expm1, "log1p": np.log1p, "log2": np.log2,
    "log10": np.log10, "sigmoid": _sigmoid, "silu": _silu, "softplus": _softplus,
    "log_sigmoid": lambda x: -_softplus(-x), "gelu": _gelu, "gelu_tanh": _gelu_tanh,
    "erf": np.vectorize(math.erf, otypes=[float]), "erfc": _erfc, "tanh": np.tanh,
    "sinh": np.sinh, "cosh": np.cosh, "asinh": np.arcsinh, "acosh": np.arccosh,
    "atanh": np.arctanh, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2,
    "pow": np.power, "hypot": np.hypot, "fmod": np.fmod, "mod": np.mod,
    "reciprocal": np.reciprocal, "rsqrt": lambda x: 1 / np.sqrt(x), "sign": np.sign,
    "copysign": np.copysign, "fmax": np.fmax, "fmin": np.fmin,
    "isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite,
    "signbit": np.signbit,
}  # fmt: skip
TWO = {"atan2", "pow", "hypot", "fmod", "mod", "copysign", "fmax", "fmin", "nextafter"}
TINY, MOST = 2.0**-126, 3.4028235e38
SPECIAL = np.array(
    [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 1e-45, -1e-45, TINY, -TINY,
     MOST, -MOST, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 2.5, 1e-40, -1e-40, 48000.0, 1e9],
    FLOAT,
)  # fmt: skip


def samples(count: int) -> tuple[Any, Any]:
    """Pairs of floats: of every exponent, of usual sizes, near 1, special ones."""
    rng = np.random.default_rng(0)
    every = rng.integers(0, 2**32, (2, count), np.uint64).astype(np.uint32).view(FLOAT)
    usual = [rng.uniform(-m, m, (2, count)).astype(FLOAT) for m in (1.2, 6.0, 30.0)]
    wide = rng.uniform(-110, 110, (2, count)).astype(FLOAT)
    near = 1 + rng.uniform(-1e-3, 1e-3, (2, count)).astype(FLOAT)
    quarters = rng.integers(-30000, 30000, (2, count)) * (math.pi / 2)
    pairs = np.array(np.meshgrid(SPECIAL, SPECIAL)).reshape(2, -1)
    parts = [every, *usual, wide, near, quarters.astype(FLOAT), pairs]
    first, second = np.concatenate(parts, axis=1)
    return first, second


def _cast(x: Any, node: Cast) -> Any:
    if node.type.is_float:
        return np.asarray(x).astype(FLOAT)
    inside = np.abs(np.nan_to_num(x, nan=2.0**31)) < 2.0**31
    return np.where(inside, np.trunc(np.where(inside, x, 0)), -(2.0**31)).astype(INT)


PRIMS: dict[str, Callable[..., Any]] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide,
    "neg": np.negative, "abs": np.abs, "sqrt": np.sqrt, "round": np.rint,
    "trunc": np.trunc, "floor": np.floor, "ceil": np.ceil,
    "exp": lambda x: np.exp(np.asarray(x, float)).astype(FLOAT),
    "log": lambda x: np.log(np.asarray(x, float)).astype(FLOAT),
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
    "eq": np.equal, "ne": np.not_equal,
    "bits": lambda x: np.asarray(x, FLOAT).view(INT),
    "number": lambda x: np.asarray(x, INT).view(FLOAT),
    "pick_max": lambda a, b: np.where(a > b, a, b),
    "pick_min": lambda a, b: np.where(a < b, a, b),
    "bitand": np.bitwise_and, "bitor": np.bitwise_or,
    "shl": lambda a, b: (np.asarray(a, np.int64) << int(b)).astype(INT),
    "shr": np.right_shift,
}  # fmt: skip


def evaluated(root: Expr, arguments: dict[str, Any]) -> Any:
    """The formula as the unit computes it: every operation rounded to float32."""
    done: dict[Expr, Any] = {}
    for node in walk(root):
        match node:
            case Var(name, _):
                done[node] = arguments[name]
            case Const(value, dtype):
                done[node] = FLOAT(value) if dtype.is_float else INT(value)
            case Cast():
                done[node] = _cast(done[node.value], node)
            case Select(condition, yes, no):
                done[node] = np.where(done[condition], done[yes], done[no])
            case Prim(op, args, _):
                given = [done[a] for a in args]
                if op.startswith("patched:"):
                    wide = [np.asarray(g, float) for g in given[2:]]
                    right = REFERENCE[op.removeprefix("patched:")](*wide)
                    done[node] = np.where(given[1], right.astype(FLOAT), given[0])
                else:
                    done[node] = PRIMS[op](*given)
    return np.asarray(done[root])


def ulps(got: Any, want: Any) -> Any:
    """Distances in units of the last place of the wanted number's float32."""
    size = np.clip(np.abs(want), TINY, MOST).astype(FLOAT)
    distance = np.abs(got.astype(float) - want) / np.spacing(size).astype(float)
    with np.errstate(over="ignore"):
        same = (got == want.astype(FLOAT)) | (np.isnan(got) & np.isnan(want))
    return np.where(same, 0.0, np.where(np.isnan(distance), math.inf, distance))


@pytest.mark.parametrize("name", sorted(REFERENCE))
def test_errors_are_within_what_is_promised(name: str) -> None:
    first, second = samples(20000)
    given = (first, second) if name in TWO else (first,)
    with np.errstate(all="ignore"):
        arguments = {f"a{k}": x for k, x in enumerate(given)}
        got = evaluated(functions.formula(name, len(given)), arguments)
        want = REFERENCE[name](*(np.asarray(x, float) for x in given))
        if got.dtype == bool:
            assert (got == want).all()
            return
        errors = ulps(got, want)
    worst = int(errors.argmax())
    assert errors[worst] <= ULP.get(name, 0.0), [float(x[worst]) for x in given]


def test_nextafter_is_numpys() -> None:
    first, second = samples(5000)
    with np.errstate(all="ignore"):
        got = evaluated(functions.formula("nextafter", 2), {"a0": first, "a1": second})
        want = np.nextafter(first, second)
    assert ((got == want) | (np.isnan(got) & np.isnan(want))).all()


@pytest.mark.parametrize("name", ["erf", "tanh", "sinh", "asinh", "sin", "tan", "atan"])
def test_odd_functions_keep_the_sign_of_zero(name: str) -> None:
    with np.errstate(all="ignore"):
        got = evaluated(functions.formula(name, 1), {"a0": np.array([-0.0], FLOAT)})
    assert got[0] == 0.0
    assert np.signbit(got[0])


# Operators of the same name whose kernel is the formula and nothing else.
KERNELS = [
    "erf", "erfc", "tanh", "expm1", "log1p", "log2", "exp2", "sin", "tan", "atan",
    "asin", "sinh", "silu", "softplus", "pow", "atan2", "hypot", "fmod", "copysign",
    "signbit", "nextafter",
]  # fmt: skip


@pytest.mark.skipif(not has_compiler(), reason="no C++ compiler")
@pytest.mark.parametrize("name", KERNELS)
def test_kernels_compute_the_formulas(name: str) -> None:
    """Bit by bit, special values among them."""
    first, second = samples(60)
    given = (first, second) if name in TWO else (first,)
    found = case(name, *given)
    assert built(found).made.launches[0].buffers
    (got,) = built(found).run(found)
    with np.errstate(all="ignore"):
        arguments = {f"a{k}": x for k, x in enumerate(given)}
        want = evaluated(functions.formula(name, len(given)), arguments)
    if got.dtype == bool:
        assert (got == want).all()
        return
    # What the scalar unit patched may differ from float64 by its own error.
    errors = ulps(got, want.astype(float))
    limit = ULP.get(name, 0.0) if name in ("sin", "tan") else 0.0
    assert errors.max() <= limit
    assert (np.isnan(got) == np.isnan(want)).all()
