"""Cast in every documented pair and rounding mode, exhaustively from 16 bits.

The rules are those of Cast, 07_0073; what they say is worked out here by looking up the
two neighbours of a value in the list of all values of the target type, not by bits.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from .ascend_twin import BUILDS, COMPILERS, KERNELS, Twin, compiled

if not COMPILERS:
    pytest.skip("the twin is C++: no compiler here", allow_module_level=True)

TYPES: dict[str, Any] = {
    "f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "i8": np.int8,
    "u8": np.uint8, "i16": np.int16, "i32": np.int32, "i64": np.int64,
}  # fmt: skip
NAMES = re.findall(
    r"^CAST\((\w+)_(\w+)_(\w+),", (KERNELS / "casts.cpp").read_text("utf-8"), re.M
)


@pytest.fixture(scope="module", params=BUILDS)
def twin(request: pytest.FixtureRequest) -> Twin:
    return compiled("casts.cpp", request.param.compiler, flags=request.param.flags)


def convert(
    twin: Twin, source: str, target: str, mode: str, x: np.ndarray
) -> np.ndarray:
    out = np.zeros(x.shape, TYPES[target])
    result = twin.run(f"{source}_{target}_{mode}", x, np.array([x.size], np.int64), out)
    assert result.findings == 0, result.found
    return out


@cache
def inputs(source: str, target: str) -> np.ndarray:
    """All values of 8 and 16 bits; of wider types the neighbourhoods of all values of
    the target, of the edges of the integers, and random bits."""
    dtype = np.dtype(TYPES[source])
    if dtype.itemsize <= 2:
        return np.arange(1 << (8 * dtype.itemsize), dtype=f"u{dtype.itemsize}").view(
            dtype
        )
    random = np.random.default_rng(0)
    bits = random.integers(0, 256, 20000 * dtype.itemsize, np.uint8).view(dtype)
    if dtype.kind == "i":
        edges = [s * (1 << p) + d for p in range(8 * dtype.itemsize - 1)
                 for s in (-1, 1) for d in (-1, 0, 1)]  # fmt: skip
        limits = np.iinfo(dtype)
        edges = [e for e in edges if limits.min <= e <= limits.max]
        small = random.integers(-(1 << 26), 1 << 26, 20000)
        return np.concatenate([bits, small.astype(dtype), np.array(edges, dtype)])
    parts = [bits]
    if target in ("f16", "bf16"):
        every = np.arange(1 << 16, dtype=np.uint16).view(TYPES[target])
        values = every[np.isfinite(every.astype(np.float32))].astype(np.float64)
        values = np.unique(values)
        with np.errstate(over="ignore"):
            half = ((values[1:] + values[:-1]) / 2).astype(np.float32)
        parts += [np.nextafter(half, np.float32(end)) for end in (np.inf, -np.inf)]
        parts += [half, values.astype(np.float32)]
    whole = np.arange(-300, 300)[:, None] + np.array([-0.5, -0.25, 0, 0.25, 0.5])
    powers = np.concatenate(
        [2.0**p + np.array([-1, -0.5, 0, 0.5, 1]) for p in range(66)]
    )
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 3e38])
    parts += [whole.reshape(-1), powers, -powers, special]
    return np.concatenate([p.astype(np.float32) for p in parts])


def pick(
    value: np.ndarray, low: np.ndarray, high: np.ndarray, even: np.ndarray, mode: str
) -> np.ndarray:
    """low or high, the neighbours of value; `even`: low is the even one.  Differences
    are exact: all of this is in float64 or long double."""
    down, up = value - low, high - value
    tie = down == up
    negative = value < 0
    nearest = np.where(tie, ~even, down > up)
    upwards = {
        "none": nearest, "rint": nearest, "floor": np.zeros(value.shape, bool),
        "ceil": np.ones(value.shape, bool),
        "round": np.where(tie, ~negative, down > up), "trunc": negative, "odd": even,
    }[mode]  # fmt: skip
    upwards = np.where(value == high, True, upwards)  # the largest number itself
    return np.where(value == low, low, np.where(upwards, high, low))


def to_float(x: np.ndarray, target: str, mode: str) -> np.ndarray:
    """Into a floating format of 16 bits, by its sorted values."""
    every = np.arange(1 << 16, dtype=np.uint16).view(TYPES[target])
    wide = every.astype(np.float64)
    order = wide[np.isfinite(wide) & ~((wide == 0) & np.signbit(wide))]
    order = np.sort(order)
    value = x.astype(np.float64)
    finite = np.isfinite(value)
    safe = np.clip(np.where(finite, value, 0), order[0], order[-1])
    at = np.clip(np.searchsorted(order, safe, side="right") - 1, 0, order.size - 2)
    low, high = order[at], order[at + 1]
    even = np.abs(low).astype(TYPES[target]).view(np.uint16) % 2 == 0
    out = pick(safe, low, high, even, mode)
    # Beyond the largest number m: a nearest mode goes to infinity from half a step on.
    step = order[-1] - order[-2]
    beyond = finite & (np.abs(value) > order[-1])
    sign = np.sign(value)
    near = np.abs(value) >= order[-1] + step / 2
    to_inf = {
        "none": near, "rint": near, "round": near, "floor": sign < 0, "ceil": sign > 0,
        "trunc": np.zeros(x.shape, bool), "odd": np.zeros(x.shape, bool),
    }[mode]  # fmt: skip
    out = np.where(beyond, np.where(to_inf, sign * np.inf, sign * order[-1]), out)
    out = np.where(np.isnan(value), np.nan, np.where(np.isinf(value), value, out))
    return np.copysign(out, value).astype(TYPES[target])


def to_whole(x: np.ndarray, target: str, mode: str) -> np.ndarray:
    """Into an integer: rounded, then saturated; nan becomes 0."""
    limits = np.iinfo(TYPES[target])
    out = []
    for value in x.astype(np.float64).tolist():
        if value != value:
            out.append(0)
            continue
        if abs(value) == np.inf:
            out.append(limits.max if value > 0 else limits.min)
            continue
        low = int(np.floor(value))
        rest = value - low  # exact: float32 has at most 24 bits
        up = {
            "none": rest > 0.5 or (rest == 0.5 and low % 2 == 1),
            "floor": False, "ceil": rest > 0, "trunc": value < 0 and rest > 0,
            "round": rest > 0.5 or (rest == 0.5 and value > 0),
        }["none" if mode == "rint" else mode]  # fmt: skip
        out.append(min(max(low + up, limits.min), limits.max))
    return np.array(out, TYPES[target])


def whole_to_f32(x: np.ndarray, mode: str) -> np.ndarray:
    """Integers into float32, by integer arithmetic."""
    out = []
    for value in x.tolist():
        size = abs(value)
        shift = max(size.bit_length() - 24, 0)
        low, rest, half = size >> shift, size & ((1 << shift) - 1), (1 << shift) >> 1
        nearest = rest > half or (rest == half and low % 2 == 1)
        up = shift > 0 and {
            "none": nearest, "rint": nearest, "round": rest >= half,
            "floor": rest > 0 and value < 0, "ceil": rest > 0 and value > 0,
            "trunc": False,
        }[mode]  # fmt: skip
        out.append((-1 if value < 0 else 1) * ((low + up) << shift))
    return np.array([float(v) for v in out]).astype(np.float32)


@cache
@np.errstate(invalid="ignore", over="ignore")
def expected(source: str, target: str, mode: str) -> np.ndarray:
    x = inputs(source, target)
    if TYPES[source] is TYPES[target]:  # float32 to whole float32
        function = {
            "rint": np.rint, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc,
            "round": lambda v: np.copysign(np.floor(np.abs(v) + 0.5), v),
        }  # fmt: skip
        wide = function[mode](x.astype(np.float64))
        return np.copysign(wide, x.astype(np.float64)).astype(np.float32)
    if target in ("f16", "bf16"):
        return to_float(x, target, mode)
    if target == "f32":
        integer = x.dtype.kind == "i"
        return whole_to_f32(x, mode) if integer else x.astype(np.float32)
    if x.dtype.kind in "iu":
        limits = np.iinfo(TYPES[target])
        return np.clip(x, limits.min, limits.max).astype(TYPES[target])
    return to_whole(x, target, mode)


@np.errstate(invalid="ignore")
@pytest.mark.parametrize(("source", "target", "mode"), NAMES)
def test_cast(
    twin: Twin, source: str, target: str, mode: str, capfd: pytest.CaptureFixture[str]
) -> None:
    x = inputs(source, target)
    out = convert(twin, source, target, mode, x)
    want = expected(source, target, mode)
    if want.dtype.kind in "fV" or target == "bf16":
        got, right = out.astype(np.float64), want.astype(np.float64)
        np.testing.assert_array_equal(np.isnan(got), np.isnan(right))
        finite = ~np.isnan(right)
        bits = f"u{want.dtype.itemsize}"
        np.testing.assert_array_equal(out.view(bits)[finite], want.view(bits)[finite])
    else:
        np.testing.assert_array_equal(out, want)
    assert "runtime error" not in capfd.readouterr().err  # of the UB sanitizer


# Table 1 of 07_0073: 0.5 + 2^-12 has the bits 0.1000000000 01 after half's ten.
TABLE = {
    ("f32", "f16", 0.5 + 2**-12): {
        "rint": 0.5, "floor": 0.5, "ceil": 0.5 + 2**-11, "round": 0.5 + 2**-11,
        "trunc": 0.5, "odd": 0.5 + 2**-11,
    },
    ("f32", "f32", 0.5): {"rint": 0, "floor": 0, "ceil": 1, "round": 1, "trunc": 0},
    ("f32", "i32", 2**22 + 0.5): {
        "rint": 2**22, "floor": 2**22, "ceil": 2**22 + 1, "round": 2**22 + 1,
        "trunc": 2**22,
    },
    ("f32", "i64", 2**22 + 0.5): {
        "rint": 2**22, "floor": 2**22, "ceil": 2**22 + 1, "round": 2**22 + 1,
        "trunc": 2**22,
    },
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE, ids=lambda c: f"{c[0]}_{c[1]}")
def test_the_examples_of_the_documentation(twin: Twin, case: Any) -> None:
    source, target, value = case
    x = np.full(8, value, TYPES[source])
    for mode, result in TABLE[case].items():
        assert convert(twin, source, target, mode, x)[0] == result, mode
