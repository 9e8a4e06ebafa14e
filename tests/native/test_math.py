"""opslib_math.h: errors within native/ulp.json, the same bits everywhere.

The error of a float32 function is measured against float64 libm, whose own error is
some 2^-28 of a float32 ulp; that libm is right is spot-checked with mpmath.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest

SOURCE = "driver.c"
ULP = json.loads(
    (Path(__file__).parents[2] / "native" / "ulp.json").read_text(encoding="utf-8")
)
BINARY = [
    "pow", "atan2", "hypot", "fmod", "remainder", "copysign",
    "maximum", "minimum", "fmax", "fmin",
]  # fmt: skip
UNARY = [name for name in ULP["f32"] if name not in BINARY]
SPECIAL = np.array(
    [0, 1, 2, 3, 0.5, 1.5, 2.5, 0.1, 1e-45, 1.17549421e-38, 1.17549435e-38,
     3.4028235e38, 16777216, 16777215, 8388608, 8388607.5, 2147483648, 1e30, 1e-30,
     88.72284, 103.97208, 127, 128, 149, np.inf, np.nan, 0.99999994, 1.0000001,
     0.70710677, 0.785398, 1.5707964],
    np.float32,
)  # fmt: skip
SPECIAL = np.concatenate([SPECIAL, -SPECIAL])


def strata() -> np.ndarray:
    """All signs and exponents x telling mantissas, the specials, and the ranges where
    functions bend."""
    mantissas = [0, 1, 2, 3, 0x7FFFFF, 0x7FFFFE, 0x400000, 0x3FFFFF, 0x400001]
    mantissas += [0x3504F2, 0x3504F3, 0x3504F4, 0x490FDB, 0x317218, 0x2AAAAB]
    mantissas += list(np.random.default_rng(7).integers(0, 1 << 23, 49))
    exponents = np.arange(512, dtype=np.uint32) << 23
    every = (
        (exponents[:, None] + np.array(mantissas, np.uint32)).ravel().view(np.float32)
    )
    random = np.random.default_rng(11)
    ranges = [random.uniform(-r, r, 1 << 15) for r in (0.5, 1, 2, 10, 30, 110)]
    ranges += [1 + random.normal(0, 0.01, 1 << 14), random.uniform(0, 1, 1 << 14) ** 4]
    return np.concatenate([every, SPECIAL, np.concatenate(ranges).astype(np.float32)])


def random_bits(count: int, seed: int) -> np.ndarray:
    return (
        np.random.default_rng(seed)
        .integers(0, 1 << 32, count, dtype=np.uint32)
        .view(np.float32)
    )


def pairs() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(13)
    n = 1 << 17
    base = np.exp(random.uniform(-80, 80, n))
    x = [base, random.normal(size=n), 1 + random.normal(0, 0.01, n), random_bits(n, 1)]
    y = [random.uniform(-100, 100, n) / np.log(base), random.normal(size=n),
         random.normal(0, 5000, n), random_bits(n, 2)]  # fmt: skip
    whole = np.arange(-20, 21, dtype=np.float32)
    x += [np.repeat(SPECIAL, len(SPECIAL)), np.repeat(whole, len(whole))]
    y += [np.tile(SPECIAL, len(SPECIAL)), np.tile(whole, len(whole))]
    # nearly equal operands, and fmod with huge quotients
    z = random_bits(n, 3)
    x += [z, z]
    y += [np.nextafter(z, np.float32(0)), z * np.float32(2.0**-70)]
    with np.errstate(all="ignore"):
        return (np.concatenate([np.float32(a) for a in x]),
                np.concatenate([np.float32(b) for b in y]))  # fmt: skip


def show(report: np.ndarray) -> str:
    x, y = (float(np.float32(v)).hex() for v in report[1:3])
    return f"{report[0]:.4f} ulp at x = {x}, y = {y}: got {report[3]!r}"


@pytest.mark.parametrize("name", UNARY)
def test_error(compiled: Callable[..., Any], first_build: Any, name: str) -> None:
    driver, report = compiled(SOURCE, first_build), np.zeros(7)
    for x in (strata(), random_bits(1 << 20, 17)):
        driver(f"errors_{name}", x, len(x), report)
    assert report[0] <= ULP["f32"][name], show(report)
    assert report[5] == 0, "a scalar differs from the vector's lane"


@pytest.mark.parametrize("name", BINARY)
def test_error_binary(
    compiled: Callable[..., Any], first_build: Any, name: str
) -> None:
    driver, report = compiled(SOURCE, first_build), np.zeros(7)
    x, y = pairs()
    driver(f"errors_{name}", x, y, len(x), report)
    assert report[0] <= ULP["f32"][name], show(report)
    assert report[5] == 0, "a scalar differs from the vector's lane"


def bits(a: np.ndarray) -> np.ndarray:
    """Bits with all nans made one."""
    return np.where(np.isnan(a), np.float32(np.nan), a).view(np.uint32)


def outputs(driver: Any, form: str) -> dict[str, np.ndarray]:
    x, y, out = strata(), pairs(), {}
    for name in ULP["f32"]:
        arguments = [y[0][::8].copy(), y[1][::8].copy()] if name in BINARY else [x]
        got = np.empty(len(arguments[0]), np.float32)
        driver(f"{form}_{name}", *arguments, got, len(got))
        out[name] = bits(got)
    return out


_expected: dict[str, np.ndarray] = {}


def test_same_bits(compiled: Callable[..., Any], first_build: Any, build: Any) -> None:
    """Scalar or vector, any row, any compiler, with or without an fma instruction."""
    if not _expected:
        _expected.update(outputs(compiled(SOURCE, first_build), "v"))
    driver = compiled(SOURCE, build)
    for form in ("v", "s"):
        for name, got in outputs(driver, form).items():
            wrong = np.flatnonzero(got != _expected[name])
            assert not len(wrong), f"{form}_{name} on {build} differs at {wrong[:5]}"


def test_predicates(compiled: Callable[..., Any], build: Any) -> None:
    driver = compiled(SOURCE, build)
    lanes = driver.lanes
    x = np.resize(SPECIAL, -(-len(SPECIAL) // lanes) * lanes)
    for start in range(0, len(x), lanes):
        part = x[start : start + lanes].copy()
        want = [np.isnan(part), np.isinf(part), np.isfinite(part), np.signbit(part)]
        for form, true in (("v_tests", -1), ("s_tests", 1)):
            got = [np.zeros(lanes, np.int32) for _ in want]
            driver(form, part, *got)
            for g, w in zip(got, want, strict=True):
                assert (g == np.where(w, true, 0)).all()


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mpmath.exp(-x))


EXACT: dict[str, Callable[..., Any]] = {
    **{
        name: getattr(mpmath, name)
        for name in (
            "sqrt", "exp", "expm1", "log", "log10", "log1p", "sin", "cos", "tan",
            "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
            "erf", "erfc", "cbrt", "floor", "ceil", "atan2", "hypot",
        )
    },
    "exp2": lambda x: mpmath.mpf(2) ** x,
    "log2": lambda x: mpmath.log(x) / mpmath.log(2),
    "rsqrt": lambda x: 1 / mpmath.sqrt(x),
    "reciprocal": lambda x: 1 / x,
    "sigmoid": _sigmoid,
    "silu": lambda x: x * _sigmoid(x),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "log_sigmoid": lambda x: -mpmath.log1p(mpmath.exp(-x)),
    "gelu": lambda x: x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2,
    "gelu_tanh": lambda x: x
    * _sigmoid(2 * mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf("0.044715") * x**3)),
    "pow": lambda x, y: x**y,
}  # fmt: skip


def points(name: str, dtype: type) -> list[tuple[float, ...]]:
    """Arguments inside the function's domain, over many magnitudes."""
    random = np.random.default_rng(23)
    x = np.concatenate([random.normal(size=100), 2.0 ** random.uniform(-20, 6, 100)])
    x[::2] *= -1
    if name in ("log", "log2", "log10", "sqrt", "rsqrt", "pow"):
        x = np.abs(x)
    elif name in ("asin", "acos", "atanh"):
        x = x / (1 + np.abs(x))
    elif name == "acosh":
        x = 1 + np.abs(x)
    elif name == "log1p":
        x = np.where(x < -0.99, -x, x)
    elif name == "cbrt":  # mpmath's takes a complex root of negatives
        x = np.abs(x)
    elif name in ("sin", "cos", "tan"):
        x[:20] *= 2.0**40
    x = x.astype(dtype)
    if name in BINARY:
        y = random.normal(size=len(x)).astype(dtype)
        return list(zip(x.tolist(), y.tolist(), strict=True))
    return [(value,) for value in x.tolist()]


def worst_ulp(
    name: str, dtype: type, arguments: list[tuple[float, ...]], got: np.ndarray
) -> float:
    digits, smallest = (24, -149) if dtype is np.float32 else (53, -1074)
    worst = 0.0
    with mpmath.workprec(300):
        for point, value in zip(arguments, got.tolist(), strict=True):
            want = EXACT[name](*(mpmath.mpf(p) for p in point))
            if want == 0:
                assert value == 0
                continue
            exponent = max(
                int(mpmath.floor(mpmath.log(abs(want), 2))) - digits + 1, smallest
            )
            worst = max(worst, float(abs(value - want) / mpmath.mpf(2) ** exponent))
    return worst


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("kind", ["f32", "f64"])
def test_against_mpmath(
    compiled: Callable[..., Any], first_build: Any, kind: str, name: str
) -> None:
    dtype = np.float32 if kind == "f32" else np.float64
    driver, arguments = compiled(SOURCE, first_build), points(name, dtype)
    columns = [np.array(column, dtype) for column in zip(*arguments, strict=True)]
    got = np.empty(len(arguments), dtype)
    driver(("v_" if kind == "f32" else "vd_") + name, *columns, got, len(got))
    # the measured maximum, and no luck beyond it
    assert worst_ulp(name, dtype, arguments, got) <= ULP[kind][name]


@pytest.mark.parametrize("name", ULP["f64"])
def test_float64_lanes_are_the_scalar(
    compiled: Callable[..., Any], build: Any, name: str
) -> None:
    driver = compiled(SOURCE, build)
    with np.errstate(all="ignore"):
        x = np.concatenate(
            [SPECIAL.astype(np.float64), random_bits(997, 5).astype(np.float64)]
        )
    columns = [x, np.roll(x, 7)] if name in BINARY else [x]
    vector, scalar = np.empty(len(x)), np.empty(len(x))
    driver(f"vd_{name}", *columns, vector, len(x))
    driver(f"sd_{name}", *columns, scalar, len(x))
    same = (vector.view(np.uint64) == scalar.view(np.uint64)) | np.isnan(
        vector
    ) & np.isnan(scalar)
    assert same.all()


ANNEX_F = """
    exp -inf = 0; exp inf = inf; expm1 -inf = -1; expm1 -0 = -0; log 0 = -inf;
    log -0 = -inf; log -1 = nan; log 1 = 0; log2 -0 = -inf; log10 -inf = nan;
    log1p -1 = -inf; log1p -0 = -0; log1p -2 = nan; sin -0 = -0; sin inf = nan;
    cos -inf = nan; tan -0 = -0; asin -0 = -0; asin 1.5 = nan; acos 1 = 0;
    acos -2 = nan; atan -0 = -0; sinh -inf = -inf; cosh -inf = inf; tanh -inf = -1;
    tanh -0 = -0; acosh 1 = 0; acosh 0.5 = nan; asinh -inf = -inf; atanh 1 = inf;
    atanh -1 = -inf; atanh 2 = nan; erf -inf = -1; erf -0 = -0; erfc inf = 0;
    erfc -inf = 2; cbrt -0 = -0; cbrt -8 = -2; sqrt -0 = -0; sqrt -1 = nan;
    rsqrt 0 = inf; rsqrt -0 = -inf; rsqrt inf = 0; reciprocal -0 = -inf; round 2.5 = 2;
    round -0.5 = -0; ceil -0.5 = -0; trunc -0.9 = -0; sign -0 = -0; sigmoid -inf = 0;
    sigmoid inf = 1; softplus -inf = 0; softplus inf = inf; log_sigmoid -inf = -inf;
    log_sigmoid inf = -0; silu inf = inf; silu -inf = nan; silu -0 = -0; gelu -0 = -0;
    gelu inf = inf; gelu -inf = nan; gelu_tanh -inf = nan; pow 0 -1 = inf;
    pow -0 -1 = -inf; pow -0 -2 = inf; pow -0 3 = -0; pow -1 inf = 1; pow 1 nan = 1;
    pow nan 0 = 1; pow -2 0.5 = nan; pow 0.5 -inf = inf; pow 2 -inf = 0;
    pow -inf -3 = -0; pow -inf 3 = -inf; pow -inf 2 = inf; pow -inf 0.5 = inf;
    pow inf -1 = 0; pow -8 3 = -512; atan2 0 -0 = 3.1415927; atan2 -0 0 = -0;
    atan2 -0 -1 = -3.1415927; atan2 1 0 = 1.5707964; atan2 1 -inf = 3.1415927;
    atan2 -1 inf = -0; atan2 inf inf = 0.7853982; atan2 -inf -inf = -2.3561945;
    hypot inf nan = inf; hypot -0 0 = 0; fmod -0 1 = -0; fmod 1 0 = nan;
    fmod inf 1 = nan; fmod -1 inf = -1; remainder -1 3 = 2; remainder 1 -3 = -2;
    remainder 3 -3 = -0; remainder -1 inf = inf; maximum nan 1 = nan; maximum -0 0 = 0;
    maximum 0 -0 = 0; minimum 0 -0 = -0; minimum 1 nan = nan; fmax nan 1 = 1;
    fmax -0 0 = 0; fmin 1 nan = 1; fmin 0 -0 = -0;
"""


def special_values() -> list[tuple[str, str, str]]:
    """(function, arguments, result) from the table above."""
    cases = [case.strip() for case in ANNEX_F.split(";") if case.strip()]
    split = [case.split(" = ") for case in cases]
    return [(*left.split(" ", 1), right) for left, right in split]


@pytest.mark.parametrize(("name", "arguments", "want"), special_values())
def test_special_values(
    compiled: Callable[..., Any], first_build: Any, name: str, arguments: str, want: str
) -> None:
    """C99 Annex F, by hand; composites follow their formula."""
    driver = compiled(SOURCE, first_build)
    columns = [np.array([word], np.float32) for word in arguments.split()]
    got = np.empty(1, np.float32)
    driver(f"v_{name}", *columns, got, 1)
    assert bits(got) == bits(np.array([want], np.float32))


@pytest.mark.deep
@pytest.mark.parametrize("name", UNARY)
def test_every_float(compiled: Callable[..., Any], first_build: Any, name: str) -> None:
    driver, report = compiled(SOURCE, first_build), np.zeros(7)
    driver(f"sweep_{name}", 0, 1, 1 << 32, report)
    print(name, show(report), f"bias {report[4] / max(report[6], 1):+.5f}")
    assert report[0] <= ULP["f32"][name], show(report)
