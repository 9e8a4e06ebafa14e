"""opslib_simd.h: every row and compiler gives the bits that NumPy gives."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

TYPES = {
    "f64": np.float64, "f32": np.float32, "i64": np.int64, "u64": np.uint64,
    "i32": np.int32, "u32": np.uint32, "i16": np.int16, "u16": np.uint16,
    "i8": np.int8, "u8": np.uint8,
}  # fmt: skip
INTEGERS = [name for name in TYPES if name[0] in "iu"]
SOURCE = "simd_driver.c"


@pytest.fixture
def driver(compiled: Callable[..., Any], build: Any) -> Any:
    return compiled(SOURCE, build)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal bits, any nan being equal to any other."""
    if a.dtype.kind == "f":
        nan = np.isnan(a) & np.isnan(b)
        a, b = np.where(nan, 0, a), np.where(nan, 0, b)
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


def sample(name: str, count: int, seed: int = 0) -> np.ndarray:
    """Random bits, half of them near the edges of the type."""
    dtype = np.dtype(TYPES[name])
    random = np.random.default_rng(seed)
    out = random.integers(0, 256, count * dtype.itemsize, dtype=np.uint8).view(dtype)
    if dtype.kind == "f":
        out[: count // 2] = random.normal(0, 1000, count // 2).astype(dtype)
    else:
        info = np.iinfo(dtype)
        edges = [info.min, info.min + 1, info.max, info.max - 1, 0, 1, 2, 3, 5, 7]
        edges += [-1, -2, -3] if info.min < 0 else []
        out[: count // 2] = random.choice(np.array(edges, dtype), count // 2)
    return out


def guarded(array: np.ndarray) -> tuple[np.ndarray, Any]:
    """A copy whose last byte is followed by a page that may not be touched."""
    page = mmap.PAGESIZE
    size = -(-array.nbytes // page) * page
    memory = mmap.mmap(-1, size + page)
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mprotect(ctypes.c_void_p(base + size), ctypes.c_size_t(page), 0) == 0
    raw = (ctypes.c_char * array.nbytes).from_address(base + size - array.nbytes)
    copy = np.frombuffer(raw, array.dtype)
    copy.setflags(write=True)
    copy[:] = array
    return copy, memory


@pytest.mark.parametrize("name", TYPES)
def test_tails_touch_nothing_behind(driver: Any, name: str) -> None:
    lanes, values = driver.lanes, sample(name, 64)
    for n in range(lanes + 1):
        source, _keep = guarded(values[:n]) if n else (values, None)
        if n == 0:  # a pointer to the guard page itself
            source, _keep = guarded(values[:1])
            source = source[1:]
        out = np.ones(lanes, TYPES[name])
        driver(f"load_n_{name}", source, n, out)
        assert same(out[:n], values[:n])
        assert not out[n:].any()
        driver(f"store_n_{name}", source, n, values[16 : 16 + lanes].copy())
        assert same(source[:n], values[16 : 16 + n])


@pytest.mark.parametrize("half", ["f16", "bf16"])
def test_half_tails(driver: Any, half: str) -> None:
    lanes = driver.lanes
    bits = np.arange(lanes, dtype=np.uint16) + 0x3C00
    for n in range(1, lanes + 1):
        source, _keep = guarded(bits[:n])
        out = np.ones(lanes, np.float32)
        driver(f"load_n_{half}", source, n, out)
        back = np.zeros(lanes, np.uint16)
        driver(f"store_n_{half}", back, lanes, out)
        assert same(back[:n], bits[:n])
        assert not out[n:].any()
        driver(f"store_n_{half}", source, n, np.zeros(lanes, np.float32))
        assert not source.any()


@pytest.mark.parametrize("name", TYPES)
def test_strides_and_gather(driver: Any, name: str) -> None:
    lanes, values = driver.lanes, sample(name, 400)
    for stride in (1, 3, -2, 0):
        for n in (0, 1, lanes - 1, lanes):
            first = 200
            want = np.zeros(lanes, TYPES[name])
            want[:n] = [values[first + i * stride] for i in range(n)]
            out = np.ones(lanes, TYPES[name])
            driver(f"loads_{name}", values[first:], stride, n, out)
            assert same(out, want)
            target, expected = np.zeros(400, TYPES[name]), np.zeros(400, TYPES[name])
            for i in range(n):
                expected[first + i * stride] = values[i]
            driver(f"stores_{name}", target[first:], stride, n, values[:lanes].copy())
            assert same(target, expected)
    index = np.random.default_rng(1).integers(-200, 200, lanes)
    out = np.ones(lanes, TYPES[name])
    driver(f"gather_{name}", values[200:], index, lanes - 1, out)
    assert same(out[:-1], values[200 + index[:-1]])
    assert out[-1] == 0


@pytest.mark.parametrize("name", TYPES)
def test_lanes(driver: Any, name: str) -> None:
    lanes, dtype = driver.lanes, TYPES[name]
    out, values = np.empty(lanes, dtype), sample(name, 2 * lanes)
    driver(f"iota_{name}", out)
    assert same(out, np.arange(lanes).astype(dtype))
    for x in (values, np.array([-0.0]).astype(dtype)):
        driver(f"splat_{name}", x, out)
        assert same(out, np.full(lanes, x[0]))
    a, b = values[:lanes].copy(), values[lanes:].copy()
    driver(f"less_select_{name}", a, b, out)
    assert same(out, np.where(a < b, a, b))


@pytest.mark.parametrize("name", TYPES)
def test_horizontal_reductions_are_halving_trees(driver: Any, name: str) -> None:
    lanes, dtype = driver.lanes, TYPES[name]
    combine = {
        "hsum": np.add,
        "hprod": np.multiply,
        "hmax": np.maximum,
        "hmin": np.minimum,
    }
    for seed in range(20):
        values = sample(name, 2 * lanes, seed)[:lanes].copy()
        for what, function in combine.items():
            tree = values
            with np.errstate(all="ignore"):
                while len(tree) > 1:
                    half = len(tree) // 2
                    tree = function(tree[:half], tree[half:])
            out = np.empty(1, dtype)
            driver(f"{what}_{name}", values, out)
            assert same(out, tree), what


@pytest.mark.parametrize("name", INTEGERS)
def test_integer_helpers(driver: Any, name: str) -> None:
    count, dtype = 4096, TYPES[name]
    a, b = sample(name, count, 1), sample(name, count, 2)
    big = [int(x) for x in a], [int(x) for x in b]
    width, info = 8 * a.itemsize, np.iinfo(dtype)

    def wrap(x: int) -> int:
        x &= (1 << width) - 1
        return x - (1 << width) if info.min < 0 and x >> (width - 1) else x

    def truncdiv(x: int, y: int) -> int:
        q = abs(x) // abs(y) if y else 0
        return q if (x < 0) == (y < 0) else -q

    def counted(y: int) -> int:
        return min(y & ((1 << width) - 1), width)

    want = {
        "add": lambda x, y: x + y,
        "sub": lambda x, y: x - y,
        "mul": lambda x, y: x * y,
        "maximum": max,
        "minimum": min,
        "shl": lambda x, y: x << counted(y),
        "shr": lambda x, y: x >> counted(y),
        "truncdiv": truncdiv,
        "fmod": lambda x, y: x - y * truncdiv(x, y) if y else 0,
        "floordiv": lambda x, y: x // y if y else 0,
        "remainder": lambda x, y: x % y if y else 0,
    }
    small = np.where(np.arange(count) % 2 == 0, b, b % dtype(width + 3))
    for what, function in want.items():
        y, big_y = (
            (small, [int(v) for v in small]) if what in ("shl", "shr") else (b, big[1])
        )
        expected = np.array(
            [wrap(function(p, q)) for p, q in zip(big[0], big_y, strict=True)], dtype
        )
        vector, scalar = np.empty(count, dtype), np.empty(count, dtype)
        driver(f"{what}_{name}", a, y, vector, scalar, count)
        assert same(vector, expected), what
        assert same(scalar, expected), what
    unary = {"neg": lambda x: -x, "abs": abs, "sign": lambda x: (x > 0) - (x < 0)}
    for what, one in unary.items():
        expected = np.array([wrap(one(x)) for x in big[0]], dtype)
        vector, scalar = np.empty(count, dtype), np.empty(count, dtype)
        driver(f"{what}_{name}", a, vector, scalar, count)
        assert same(vector, expected), what
        assert same(scalar, expected), what


def converted(a: np.ndarray, name: str) -> np.ndarray:
    """What the header promises, in exact integer arithmetic."""
    dtype = np.dtype(TYPES[name])
    if a.dtype.kind != "f" or dtype.kind == "f":
        with np.errstate(all="ignore"):
            return a.astype(dtype)
    via = {"i64": 64, "u64": 64, "u32": 64}.get(name, 32)
    out = []
    with np.errstate(all="ignore"):
        wide = a.astype(np.float64)
    for x in wide:
        whole = int(x) if np.isfinite(x) else None
        if name == "u64" and whole is not None and whole >= 1 << 63:
            out.append(whole if whole < 1 << 64 else 0)
            continue
        if name == "u64" and np.isposinf(x):
            out.append(0)
            continue
        if whole is None or not -(1 << (via - 1)) <= whole < 1 << (via - 1):
            whole = -(1 << (via - 1))
        out.append(whole & ((1 << (8 * dtype.itemsize)) - 1))
    return np.array(out, np.uint64).astype(f"u{dtype.itemsize}").view(dtype)


@pytest.mark.parametrize("source", TYPES)
def test_conversions(driver: Any, source: str) -> None:
    count = 4096
    a = sample(source, count)
    if source[0] == "f":
        edges = [s * 2.0**e + d for s in (1, -1) for e in (7, 8, 15, 16, 31, 32, 63, 64)
                 for d in (-1, -0.5, 0, 0.5, 1)]  # fmt: skip
        a[: len(edges)] = edges
        a[len(edges) : len(edges) + 6] = [np.nan, np.inf, -np.inf, -0.0, 0.9, -0.9]
        wide = np.random.default_rng(3).normal(size=count // 4) * 2.0 ** np.arange(
            -16, 16
        ).repeat(32)
        a[count // 4 : count // 2] = wide
    for target in TYPES:
        vector, scalar = np.empty(count, TYPES[target]), np.empty(count, TYPES[target])
        driver(f"cvt_{source}_to_{target}", a, vector, scalar, count)
        expected = converted(a, target)
        assert same(scalar, expected), target
        assert same(vector, expected), target
    vector, scalar = np.empty(count, np.uint8), np.empty(count, np.uint8)
    driver(f"cvt_{source}_to_bool", a, vector, scalar, count)
    assert same(scalar, (a != 0).astype(np.uint8))
    assert same(vector, scalar)


def to_bf16(a: np.ndarray) -> np.ndarray:
    """Nearest even by exact arithmetic in float64: 8 bits, exponents from -133."""
    x = a.astype(np.float64)
    with np.errstate(all="ignore"):
        exponent = np.maximum(np.frexp(np.where(np.isfinite(x), x, 1))[1] - 1, -126) - 7
        rounded = np.ldexp(np.rint(np.ldexp(x, -exponent)), exponent)
    # beyond bfloat16's largest, 2^128 is inf
    bits = np.where(np.abs(rounded) >= 2.0**128, np.copysign(np.inf, x), rounded)
    with np.errstate(all="ignore"):
        return (bits.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def float_strata() -> np.ndarray:
    """All exponents, mantissas around every half-way point of f16 and bf16."""
    mantissas = [0, 1, 2, 0x7FFFFF, 0x7FFFFE]
    for bits in (13, 16):  # dropped bits
        for k in (0, 1, 2, 3, (1 << (23 - bits)) - 1):
            mantissas += [(k << bits) + (1 << (bits - 1)) + d for d in (-1, 0, 1)]
    exponents = np.arange(512, dtype=np.uint32) << 23
    strata = (exponents[:, None] + np.array(mantissas, np.uint32)).ravel()
    random = np.random.default_rng(5).integers(0, 2**32, 1 << 16, dtype=np.uint32)
    every = np.concatenate([strata, random])
    return np.resize(every, -(-len(every) // 64) * 64).view(np.float32)


def test_half_to_float_exhaustively(driver: Any) -> None:
    bits = np.arange(1 << 16, dtype=np.uint16)
    for half in ("f16", "bf16"):
        vector, scalar = np.empty(1 << 16, np.float32), np.empty(1 << 16, np.float32)
        driver(f"cvt_{half}_to_f32", bits, vector, scalar, 1 << 16)
        if half == "f16":
            expected = bits.view(np.float16).astype(np.float32)
        else:
            expected = (bits.astype(np.uint32) << 16).view(np.float32)
        assert same(vector, expected)
        assert same(scalar, expected)
        # and back: every half is its own nearest half
        narrow, narrow_scalar = (
            np.empty(1 << 16, np.uint16),
            np.empty(1 << 16, np.uint16),
        )
        driver(f"cvt_f32_to_{half}", vector, narrow, narrow_scalar, 1 << 16)
        number = ~np.isnan(expected)
        assert same(narrow[number], bits[number])
        assert same(narrow, narrow_scalar)
        driver(f"cvt_{half}_to_f32", narrow, vector, scalar, 1 << 16)
        assert np.isnan(vector[~number]).all()


@pytest.mark.parametrize("half", ["f16", "bf16"])
def test_float_to_half(driver: Any, half: str) -> None:
    a = float_strata()
    vector, scalar = np.empty(len(a), np.uint16), np.empty(len(a), np.uint16)
    driver(f"cvt_f32_to_{half}", a, vector, scalar, len(a))
    with np.errstate(all="ignore"):
        expected = a.astype(np.float16).view(np.uint16) if half == "f16" else to_bf16(a)
    number = ~np.isnan(a)
    assert same(vector[number], expected[number])
    assert same(vector, scalar)
    back = np.empty(len(a), np.float32)
    driver(f"cvt_{half}_to_f32", vector, back, np.empty(len(a), np.float32), len(a))
    assert np.isnan(back[~number]).all()


@pytest.mark.parametrize("half", ["f16", "bf16"])
def test_double_to_half_rounds_once(driver: Any, half: str) -> None:
    """Doubles a hair beside half-way points: a detour through float32 is wrong."""
    with np.errstate(all="ignore"):
        a = float_strata().astype(np.float64)
    a = np.concatenate([a, np.nextafter(a, np.inf), np.nextafter(a, -np.inf)])
    a = np.concatenate([a, sample("f64", 1 << 14)])
    vector, scalar = np.empty(len(a), np.uint16), np.empty(len(a), np.uint16)
    driver(f"cvt_f64_to_{half}", a, vector, scalar, len(a))
    with np.errstate(all="ignore"):
        expected = a.astype(np.float16).view(np.uint16) if half == "f16" else to_bf16(a)
    number = ~np.isnan(a)
    assert same(scalar[number], expected[number])
    assert same(vector[number], expected[number])


def from_bf16(bits: int) -> int:
    return int(np.array([bits << 16], np.uint32).view(np.float32)[0])


def test_int64_to_bf16_rounds_once(driver: Any) -> None:
    a = sample("i64", 4096)
    a[:200] = [
        (1 << 62) + (1 << 54) * k + d for k in range(40) for d in (-1, 0, 1, 2, -2)
    ]
    out = np.empty(len(a), np.uint16)
    driver("cvt_i64_to_bf16", a, out, len(a))
    for value, bits in zip(a.tolist(), out.tolist(), strict=True):
        near = [(b & 0xFFFF) for b in (bits - 1, bits, bits + 1)]
        numbers = [from_bf16(b) for b in near if (b & 0x7F80) != 0x7F80]
        got = from_bf16(bits)
        best = min(abs(value - n) for n in numbers)
        assert abs(value - got) == best
        ties = [
            b for b, n in zip(near, numbers, strict=False) if abs(value - n) == best
        ]
        assert len(ties) == 1 or bits % 2 == 0


@pytest.mark.parametrize("count", [0, 1, 5, 64])
def test_bools_and_masks(driver: Any, count: int) -> None:
    lanes = driver.lanes
    stored = np.zeros(lanes, np.uint8)
    stored[:count] = 1 + np.arange(min(count, lanes)) % 7  # any non-zero byte is true
    outs = [np.empty(lanes, np.uint8) for _ in range(4)]
    any_all = np.empty(8, np.int32)
    driver("bools", stored, *outs, any_all)
    for out in outs:
        assert same(out, (stored != 0).astype(np.uint8))
    assert (any_all[::2] != 0).all() == stored.any()
    assert (any_all[1::2] != 0).all() == stored.all()


@pytest.mark.deep
@pytest.mark.parametrize("half", ["f16", "bf16"])
def test_every_float_to_half(driver: Any, half: str) -> None:
    assert driver(f"f32_to_{half}_differ", 0, 1, 1 << 32) == 0
    step = 1 << 22
    for first in range(0, 1 << 32, step):
        a = (np.arange(step, dtype=np.uint32) + np.uint32(first)).view(np.float32)
        vector = np.empty(step, np.uint16)
        driver(f"cvt_f32_to_{half}", a, vector, np.empty(step, np.uint16), step)
        with np.errstate(all="ignore"):
            expected = (
                a.astype(np.float16).view(np.uint16) if half == "f16" else to_bf16(a)
            )
        number = ~np.isnan(a)
        assert same(vector[number], expected[number])
