# ruff: noqa: E501 -- specs and C text keep their lines
"""The microkernels and the packing, called directly: exact integers, and planted bugs.

A driver in C exports the static functions of ``opslib_contract.h``; what they compute
is compared with their *meaning*, the Python that stands beside them in
``opslib.lowering.microkernels``, on every target row this machine can run.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from opslib.lowering import cpu_target, microkernels, windows

NATIVE = Path(__file__).parents[2] / "native"
FLAGS = "-std=gnu11 -O2 -ffp-contract=off -fno-math-errno -fno-trapping-math -Wno-psabi"

DRIVER = """
#include "opslib_contract.h"
#define OUT __attribute__((visibility("default")))
#define BLOCK(D, P, C) \\
    OUT void block_##D(int64_t m, int64_t n, int64_t k, const P *a, const P *b, C *c, \\
                       int64_t row, int64_t add) { \\
        ops_block_##D(m, n, k, a, b, c, row, (int)add); \\
    }
#define PLACE(D, P) \\
    OUT void place_##D(int64_t m, int64_t n, int64_t k, const P *a, int64_t a_row, \\
                       int64_t a_k, const P *b, int64_t b_k, int64_t b_panel, P *c, \\
                       int64_t row, int64_t add) { \\
        ops_block_in_place_##D(m, n, k, a, a_row, a_k, b, b_k, b_panel, c, row, \\
                               (int)add); \\
    }
#define PACK(D, S, P) \\
    OUT void pack_##D##_##S(P *o, int64_t unit, const ops_##S *s, int64_t row, \\
                            int64_t step, int64_t rows, int64_t k) { \\
        ops_pack_##D##_##S(o, unit, s, row, step, rows, k); \\
    }
#define FEW(D, S) \\
    OUT void columns_##D##_##S(int64_t m, int64_t n, int64_t k, const ops_##D *x, \\
                               const ops_##S *b, int64_t b_row, ops_##D *y, \\
                               int64_t row) { \\
        ops_rows_by_columns_##D##_##S(m, n, k, x, b, b_row, y, row); \\
    } \\
    OUT void rows_##D##_##S(int64_t m, int64_t n, int64_t k, const ops_##D *x, \\
                            const ops_##S *b, int64_t b_row, ops_##D *y, \\
                            int64_t row) { \\
        ops_rows_by_rows_##D##_##S(m, n, k, x, b, b_row, y, row); \\
    }
#define WINDOW(D, S) \\
    OUT void window_##D##_##S(ops_##D *o, int64_t unit, const ops_##S *s, \\
                              const int64_t *w, int64_t n0, int64_t rows, int64_t k0, \\
                              int64_t k) { \\
        ops_pack_window_##D##_##S(o, unit, s, w, n0, rows, k0, k); \\
    } \\
    OUT void few_window_##D##_##S(int64_t m, int64_t n, int64_t k, const ops_##D *x, \\
                                  const ops_##S *s, const int64_t *w, int64_t n0, \\
                                  ops_##D *y, int64_t row) { \\
        ops_few_window_##D##_##S(m, n, k, x, s, w, n0, y, row); \\
    }
WINDOW(f32, f32)
BLOCK(f32, ops_f32, ops_f32) PLACE(f32, ops_f32) PACK(f32, f32, ops_f32)
#ifndef ONLY_F32
BLOCK(f64, ops_f64, ops_f64)
BLOCK(i32, ops_u32, ops_u32) BLOCK(i64, ops_u64, ops_u64)
PLACE(f64, ops_f64) PLACE(i32, ops_u32) PLACE(i64, ops_u64)
PACK(f32, f16, ops_f32) PACK(f32, bf16, ops_f32)
PACK(f64, f64, ops_f64) PACK(i64, i64, ops_u64) PACK(i32, i32, ops_u32)
PACK(i32, i16, ops_u32) PACK(i32, u16, ops_u32) PACK(i32, i8, ops_u32)
PACK(i32, u8, ops_u32) PACK(bf16, bf16, ops_u32)
FEW(f32, f32) FEW(f32, f16) FEW(f32, bf16) FEW(f64, f64)
WINDOW(f32, f16) WINDOW(f32, bf16) WINDOW(f64, f64)
#if defined(__AVX512BF16__) && OPS_VECTOR_BYTES == 64
BLOCK(bf16, ops_u32, ops_f32)
#endif
#endif
OUT void plan(int64_t threads, int64_t batch, int64_t m, int64_t n, int64_t k,
              int64_t most_m, int64_t most_n, int64_t unit_m, int64_t unit_n,
              int64_t *out) {
    ops_contract_plan(threads, batch, m, n, k, most_m, most_n, unit_m, unit_n, out);
}
OUT void phase(int64_t at, int64_t factor, int64_t divisor, int64_t depth, int64_t *out) {
    ops_contract_phase(at, factor, divisor, depth, out);
}
OUT int64_t units(void) { return OPS_MR * 1000 + OPS_NV; }
"""

ROWS = {
    "native": (("-march=native",), cpu_target.host()),
    "haswell": (("-march=haswell",), cpu_target.AVX2),
    "generic": (("-DOPS_TARGET_GENERIC",), cpu_target.GENERIC),
}


class Driver:
    """A compiled driver and the target it was compiled for."""

    def __init__(self, path: Path, target: cpu_target.CpuTarget) -> None:
        self.library = ctypes.CDLL(str(path))
        self.target = target

    def call(self, name: str, *arguments: object) -> None:
        """Arrays go as pointers, integers as int64."""
        packed = [
            ctypes.c_void_p(a.ctypes.data)
            if isinstance(a, np.ndarray)
            else ctypes.c_int64(int(a))  # type: ignore[call-overload]
            for a in arguments
        ]
        getattr(self.library, name)(*packed)

    def has(self, name: str) -> bool:
        """Whether this row has the function."""
        return hasattr(self.library, name)


def compiled(
    folder: Path, name: str, native: Path = NATIVE, more: tuple[str, ...] = ()
) -> Path:
    """The driver as a library; skips where there is no compiler."""
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("needs gcc or clang")
    flags, _ = ROWS[name]
    source, out = folder / f"{name}.c", folder / f"{name}.so"
    source.write_text(DRIVER, encoding="utf-8")
    command = [
        compiler,
        *FLAGS.split(),
        *flags,
        *more,
        "-shared",
        "-fPIC",
        f"-I{native}",
    ]
    ran = subprocess.run(
        [*command, str(source), "-o", str(out), "-lm"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[:2000]
    return out


@pytest.fixture(scope="module", params=list(ROWS))
def driver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    name = request.param
    if name == "haswell" and cpu_target.host().vector_bytes < 32:
        pytest.skip("no AVX2 here")
    if name == "haswell" and cpu_target.host().name not in ("avx2", "avx512"):
        pytest.skip("no x86")
    path = compiled(tmp_path_factory.mktemp(name), name)
    return Driver(path, ROWS[name][1])


def integers(rng: np.random.Generator, *shape: int, dtype: object = np.float32):
    """Small integers: every order of summation gives the same bits."""
    return rng.integers(-9, 10, shape).astype(dtype)


def lanes(driver: Driver, kind: microkernels.Kind) -> tuple[int, int]:
    return driver.target.rows, driver.target.columns(kind.accumulator)


KINDS = [microkernels.F32, microkernels.F64, microkernels.I32, microkernels.I64]


def packed(rows: int, k: int, unit: int, dtype: object) -> np.ndarray:
    """Room for panels, with a guard behind that must not change."""
    return np.full(-(-max(rows, 1) // unit) * unit * k + 64, 77).astype(dtype)


def test_units_agree(driver: Driver) -> None:
    found = driver.library.units()
    assert divmod(found, 1000) == (driver.target.rows, driver.target.vectors)


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_blocks_are_exact(driver: Driver, kind: microkernels.Kind) -> None:
    rng = np.random.default_rng(0)
    mr, nr = lanes(driver, kind)
    dtype = kind.accumulator.numpy
    pointer = {"i32": "i32", "i64": "i64"}.get(kind.name, kind.name)
    heights = [1, 2, 3, mr - 1, mr, mr + 1, 2 * mr + 5]
    widths = [1, 5, nr // 2, nr - 1, nr, nr + 1, 2 * nr + 3]
    for m in heights:
        for n in widths:
            for k in (0, 1, 7, 33):
                a, b = (
                    integers(rng, m, k, dtype=dtype),
                    integers(rng, k, n, dtype=dtype),
                )
                pa, pb = packed(m, k, mr, dtype), packed(n, k, nr, dtype)
                name = f"pack_{kind.name}_{pointer}"
                driver.call(name, pa, mr, a, k, 1, m, k)
                driver.call(name, pb, nr, b, 1, n, n, k)
                wide = n + 3
                start = integers(rng, m, wide, dtype=dtype)
                for add in (0, 1):
                    c = start.copy()
                    driver.call(f"block_{kind.name}", m, n, k, pa, pb, c, wide, add)
                    want = start.copy()
                    want[:, :n] = start[:, :n] * add + a @ b
                    assert np.array_equal(c, want), (m, n, k, add)
                    c = start.copy()
                    driver.call(
                        f"place_{kind.name}", m, n, k, a, k, 1, b, n, nr, c, wide, add
                    )
                    assert np.array_equal(c, want), ("in place", m, n, k, add)
                    c = start.copy()
                    driver.call(
                        f"place_{kind.name}",
                        *(m, n, k, a, k, 1, pb, nr, nr * k, c, wide, add),
                    )
                    assert np.array_equal(c, want), ("b packed", m, n, k, add)


PACKS = [
    ("f32", "f32", np.float32),
    ("f32", "f16", np.float16),
    ("f32", "bf16", ml_dtypes.bfloat16),
    ("f64", "f64", np.float64),
    ("i64", "i64", np.int64),
    ("i32", "i32", np.int32),
    ("i32", "i16", np.int16),
    ("i32", "u16", np.uint16),
    ("i32", "i8", np.int8),
    ("i32", "u8", np.uint8),
    ("bf16", "bf16", ml_dtypes.bfloat16),
]
PANELS = {
    "f32": np.float32,
    "f64": np.float64,
    "i64": np.int64,
    "i32": np.int32,
    "bf16": np.uint32,
}


@pytest.mark.parametrize(("kind", "stored", "dtype"), PACKS, ids=lambda x: str(x))
def test_packing_means_what_it_says(
    driver: Driver, kind: str, stored: str, dtype: object
) -> None:
    """Every layout, every tail: bit-equal to the meaning, and nothing behind it moves."""
    rng = np.random.default_rng(1)
    panel = PANELS[kind]
    unsigned = np.dtype(dtype).kind == "u"
    for unit in (driver.target.rows, 32 if driver.target.vector_bytes == 64 else 16):
        for rows in (1, unit - 1, unit, unit + 1, 2 * unit + 3):
            for k in (1, 2, 15, 16, 17, 40):
                low = 0 if unsigned else -100
                big = rng.integers(low, 101, (rows + 2, 2 * k + 3)).astype(dtype)
                layouts = {
                    "k contiguous": big[1 : rows + 1, 1 : k + 1],
                    "rows contiguous": np.asfortranarray(big[:rows, :k]),
                    "neither": big[:rows, 0 : 2 * k : 2],
                    "backwards": big[:rows, :k][::-1, ::-1],
                    "broadcast": np.broadcast_to(big[:1, :k], (rows, k)),
                }
                for label, source in layouts.items():
                    item = source.itemsize
                    row, step = (s // item for s in source.strides)
                    got = packed(rows, k, unit, panel)
                    want = got.copy()
                    driver.call(
                        f"pack_{kind}_{stored}", got, unit, source, row, step, rows, k
                    )
                    microkernels.meaning_pack(
                        want, unit, source, row, step, rows, k, pairs=kind == "bf16"
                    )
                    assert got.tobytes() == want.tobytes(), (label, unit, rows, k)


def test_bfloat16_pairs(driver: Driver) -> None:
    """vdpbf16ps: exact on integers, odd k included; the meaning agrees."""
    if not driver.has("block_bf16"):
        pytest.skip("no AVX512_BF16")
    rng = np.random.default_rng(2)
    mr, nr = lanes(driver, microkernels.BF16)
    for m, n, k in [(1, 1, 1), (mr, nr, 2), (mr + 3, nr + 5, 7), (33, 65, 257)]:
        a = integers(rng, m, k, dtype=ml_dtypes.bfloat16)
        b = integers(rng, k, n, dtype=ml_dtypes.bfloat16)
        words = (k + 1) // 2
        pa, pb = packed(m, words, mr, np.uint32), packed(n, words, nr, np.uint32)
        driver.call("pack_bf16_bf16", pa, mr, a, k, 1, m, k)
        driver.call("pack_bf16_bf16", pb, nr, b, 1, n, n, k)
        c, meant = np.zeros((m, n), np.float32), np.zeros((m, n), np.float32)
        driver.call("block_bf16", m, n, words, pa, pb, c, n, 0)
        microkernels.meaning_block(
            m, n, words, pa, pb, meant, n, 0, unit_m=mr, unit_n=nr, pairs=True
        )
        want = a.astype(np.float32) @ b.astype(np.float32)
        assert np.array_equal(c, want)
        assert np.array_equal(meant, want)


@pytest.mark.parametrize(
    ("d", "s", "dtype"),
    [
        ("f32", "f32", np.float32),
        ("f32", "f16", np.float16),
        ("f32", "bf16", ml_dtypes.bfloat16),
        ("f64", "f64", np.float64),
    ],
)
def test_few_rows(driver: Driver, d: str, s: str, dtype: object) -> None:
    rng = np.random.default_rng(3)
    wide = np.float32 if d == "f32" else np.float64
    for m in (1, 2, 3, 4):
        for n in (1, 3, 4, 15, 16, 17, 70):
            for k in (0, 1, 3, 4, 5, 17, 64, 70):
                x = integers(rng, m, k, dtype=wide)
                b = integers(rng, k, n + 2, dtype=dtype)
                y = np.full((m, n + 1), 5, wide)
                driver.call(f"columns_{d}_{s}", m, n, k, x, b, n + 2, y, n + 1)
                want = x @ b[:, :n].astype(wide)
                assert np.array_equal(y[:, :n], want), (m, n, k)
                assert (y[:, n] == 5).all()
                bt = integers(rng, n, k + 2, dtype=dtype)
                y = np.full((m, n + 1), 5, wide)
                driver.call(f"rows_{d}_{s}", m, n, k, x, bt, k + 2, y, n + 1)
                assert np.array_equal(y[:, :n], x @ bt[:, :k].astype(wide).T), (m, n, k)
                assert (y[:, n] == 5).all()


def _convolution(
    image: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: int,
    pad: int,
    dilation: int,
) -> tuple[list[int], list[int], list[int]]:
    """The window of a convolution over (n, c, ...): integers, lane and deep extents."""
    n, c, *sizes = image
    places = [
        (s + 2 * pad - dilation * (k - 1) - 1) // stride + 1
        for s, k in zip(sizes, kernel, strict=True)
    ]
    lanes, deep = [n, *places], [c, *kernel]
    strides = [int(np.prod(image[d + 1 :])) for d in range(len(image))]
    numbers = [len(image), len(lanes), len(deep), *lanes, *deep]
    for d in range(len(image)):
        by_lane, by_depth = [0] * len(lanes), [0] * len(deep)
        if d == 0:
            by_lane[0] = 1
        elif d == 1:
            by_depth[0] = 1
        else:
            by_lane[d - 1], by_depth[d - 1] = stride, dilation
        base, limit = (-pad, image[d]) if d > 1 else (0, -1)
        numbers += [base, limit, strides[d], *by_lane, *by_depth]
    return numbers, lanes, deep


# image, kernel, stride, padding, dilation
CONVOLUTIONS = [
    ((1, 1, 5), (1,), 1, 0, 1),
    ((2, 3, 40), (5,), 1, 2, 1),
    ((1, 2, 300), (3,), 1, 1, 1),
    ((1, 1, 600), (7,), 3, 9, 4),
    ((2, 2, 9, 11), (3, 3), 1, 1, 1),
    ((3, 4, 7, 7), (3, 3), 1, 1, 1),
    ((1, 2, 20, 70), (3, 5), 2, 2, 1),
    ((1, 60, 6, 6), (3, 3), 2, 1, 1),
    ((2, 1, 12, 33), (7, 7), 1, 3, 1),
    ((2, 2, 9, 9), (2, 2), 3, 4, 2),
    ((1, 2, 4, 5, 18), (2, 3, 3), 1, 1, 1),
    ((1, 1, 700), (600,), 1, 300, 1),
]
WINDOWS = [
    ("f32", "f32", np.float32), ("f32", "f16", np.float16),
    ("f32", "bf16", ml_dtypes.bfloat16), ("f64", "f64", np.float64),
]  # fmt: skip


def _whole(source: np.ndarray) -> np.ndarray:
    """The same values in memory that ends where they do, so that a sanitizer sees it."""
    return np.ascontiguousarray(source)


@pytest.mark.parametrize(("d", "s", "dtype"), WINDOWS, ids=lambda x: str(x))
@pytest.mark.parametrize("shape", CONVOLUTIONS, ids=str)
def test_windows_mean_what_they_say(
    driver: Driver, d: str, s: str, dtype: object, shape: tuple
) -> None:
    """Packed and streamed: any part of the lanes and depths, nothing behind moves."""
    rng = np.random.default_rng(5)
    source = _whole(integers(rng, *shape[0], dtype=dtype))
    numbers, lanes, deep = _convolution(*shape)
    window = np.array(numbers, np.int64)
    n, k = int(np.prod(lanes)), int(np.prod(deep))
    wide = np.dtype(np.float32 if d == "f32" else np.float64)
    unit = driver.target.vectors * driver.target.vector_bytes // wide.itemsize
    spans = [
        (0, min(n, 200), 0, k),
        (n // 3, min(n - n // 3, unit + 3), k // 2, k - k // 2),
    ]
    for n0, rows, k0, depth in spans:
        got = packed(rows, depth, unit, wide)
        want = got.copy()
        driver.call(f"window_{d}_{s}", got, unit, source, window, n0, rows, k0, depth)
        windows.meaning_pack(want, unit, source, *numbers, n0, rows, k0, depth)
        assert got.tobytes() == want.tobytes(), (n0, rows, k0, depth)
    for m, n0, count in [(1, 0, n), (3, n // 3, n - n // 3), (4, n - 1, 1)]:
        x = integers(rng, m, k, dtype=wide)
        y, want = np.full((m, count + 1), 5, wide), np.full((m, count + 1), 5, wide)
        driver.call(
            f"few_window_{d}_{s}", m, count, k, x, source, window, n0, y, count + 1
        )
        windows.meaning_few(m, count, k, x, source, want, count + 1, *numbers, n0)
        assert np.array_equal(y, want), (m, n0, count)


def test_windows_of_other_structure(driver: Driver) -> None:
    """Lanes backwards, along two dims at once, along none, and strides below zero."""
    rng = np.random.default_rng(6)
    image = integers(rng, 12, 50)
    side = np.arange(12 * 50, dtype=np.float32).reshape(12, 50)
    cases = {
        # dims, lanes, deep, extents; base, limit, stride, by lane, by depth
        "backwards": [2, 1, 2, 40, 3, 4, 2, -1, 50, 0, 1, 0, 45, 50, 1, -1, 0, 3],
        "diagonal": [2, 1, 2, 9, 3, 4, -1, 12, 50, 1, 1, 0, 2, 50, 1, 1, 0, 1],
        "still": [2, 1, 2, 9, 3, 4, 2, -1, 50, 0, 1, 0, -1, 50, 1, 0, 0, 2],
        "steps of 40": [2, 1, 2, 2, 3, 4, 2, -1, 50, 0, 1, 0, -1, 50, 1, 40, 0, 2],
    }
    for name, numbers in cases.items():
        window = np.array(numbers, np.int64)
        n, k = numbers[3], 12
        for source in (image, side):
            got, want = packed(n, k, 32, np.float32), packed(n, k, 32, np.float32)
            driver.call("window_f32_f32", got, 32, source, window, 0, n, 0, k)
            windows.meaning_pack(want, 32, source, *numbers, 0, n, 0, k)
            assert got.tobytes() == want.tobytes(), name
            x = integers(rng, 2, k)
            y, meant = np.zeros((2, n), np.float32), np.zeros((2, n), np.float32)
            driver.call("few_window_f32_f32", 2, n, k, x, source, window, 0, y, n)
            windows.meaning_few(2, n, k, x, source, meant, n, *numbers, 0)
            assert np.array_equal(y, meant), name
    turned = image[::-1, ::-1]
    numbers = [2, 2, 1, 12, 46, 5, 0, -1, -50, 1, 0, 0, 0, -1, -1, 0, 1, 1]
    got, want = packed(552, 5, 32, np.float32), packed(552, 5, 32, np.float32)
    driver.call("window_f32_f32", got, 32, turned, np.array(numbers), 0, 552, 0, 5)
    windows.meaning_pack(want, 32, turned, *numbers, 0, 552, 0, 5)
    assert got.tobytes() == want.tobytes()


def test_zeros_outside_are_factors(driver: Driver) -> None:
    """An infinite weight makes nan of the zero it meets in the padding."""
    numbers, _, _ = _convolution((1, 1, 6, 20), (3, 3), 1, 1, 1)
    x = np.ones((1, 9), np.float32)
    x[0, 0] = np.inf
    source = np.ones((1, 1, 6, 20), np.float32)
    y = np.zeros((1, 120), np.float32)
    driver.call(
        "few_window_f32_f32", 1, 120, 9, x, source, np.array(numbers), 0, y, 120
    )
    y = y.reshape(6, 20)
    assert np.isnan(y[0]).all()
    assert np.isnan(y[:, 0]).all()
    assert np.isposinf(y[1:, 1:]).all()


def test_integers_wrap(driver: Driver) -> None:
    a = np.full((2, 3), 1 << 30, np.int32)
    b = np.full((3, 2), 5, np.int32)
    c = np.zeros((2, 2), np.int32)
    nr = driver.target.columns(microkernels.INT32)
    driver.call("place_i32", 2, 2, 3, a, 3, 1, b, 2, nr, c, 2, 0)
    assert (c == a @ b).all()


def test_the_plan_is_the_same_in_python(driver: Driver) -> None:
    rng = np.random.default_rng(4)
    for _ in range(300):
        threads, batch = int(rng.integers(1, 130)), int(rng.integers(0, 5))
        m, n, k = (int(x) for x in rng.integers(0, 5000, 3))
        got, want = np.zeros(3, np.int64), np.zeros(3, np.int64)
        driver.call("plan", threads, batch, m, n, k, 504, 1024, 14, 32, got)
        microkernels.meaning_plan(
            batch, m, n, k, 504, 1024, 14, 32, want, threads=threads
        )
        assert got.tolist() == want.tolist(), (threads, batch, m, n, k)
        assert got[0] % 14 == 0
        assert got[1] % 32 == 0


def test_phases_are_the_same_in_python(driver: Driver) -> None:
    rng = np.random.default_rng(7)
    for _ in range(500):
        at, factor = int(rng.integers(-30, 31)), int(rng.integers(-9, 10))
        divisor, depth = int(rng.integers(1, 13)), int(rng.integers(0, 12))
        got, want = np.zeros(5, np.int64), np.zeros(5, np.int64)
        driver.call("phase", at, factor, divisor, depth, got)
        microkernels.meaning_phase(at, factor, divisor, depth, want)
        assert got.tolist() == want.tolist(), (at, factor, divisor, depth)
        taps = [u for u in range(depth) if (at + factor * u) % divisor == 0]
        first, step, count, base, shift = got.tolist()
        assert [first + v * step for v in range(count)] == taps
        assert [base + v * shift for v in range(count)] == [
            (at + factor * u) // divisor for u in taps
        ]


# --- Planted bugs ------------------------------------------------------------------

MUTATIONS = {
    "last step of k dropped": ("l < k; l++) {\n        OPS_K_W", "l + 1 < k; l++) {\n        OPS_K_W"),
    "tail one lane too wide": ("OPS_K_STORE_N(p, v, n);", "OPS_K_STORE_N(p, v, n + 1);"),
    "tail one lane too narrow": ("OPS_K_STORE_N(p, v, n);", "OPS_K_STORE_N(p, v, n - 1);"),
    "accumulate forgotten": ("v += old;", "(void)old;"),
    "rows of the rest taken twice": ("panel += r, out +=", "out +="),
}  # fmt: skip


WINDOW_MUTATIONS = {
    "range one lane short": ("(limit - p + step - 1) / step : 0", "(limit - p + step - 1) / step - 1 : 0"),
    "left padding forgotten": ("const int64_t low = p < 0 ? (step - 1 - p) / step : 0;", "const int64_t low = 0;"),
    "store spills over": ("t->spill[l] = l + 1 < k && place[l + 1] >= place[l];", "t->spill[l] = 1;"),
    "strips start anew": ("ops_window_strip(&w, n0 + r + n,", "ops_window_strip(&w, n0 + n,"),
    "depths in the wrong order": ("here = here * w->depth[a] + index[a];", "here += index[a];"),
    "line too far left": ("s.at[lines.along] + lines.least;", "s.at[lines.along];"),
    "rows outside kept": ("if (d != n->along && limit >= 0 && (p < 0 || p >= limit))", "if (0 && p == limit)"),
    "chunks not added": ("v[j] += ops_load_n_##D(o, here);", "(void)o;"),
}  # fmt: skip


@pytest.mark.parametrize("bug", list(WINDOW_MUTATIONS))
def test_planted_bugs_in_windows_are_caught(bug: str, tmp_path: Path) -> None:
    native = tmp_path / "native"
    shutil.copytree(NATIVE, native)
    file = native / "opslib_contract_window.h"
    text = file.read_text(encoding="utf-8")
    old, new = WINDOW_MUTATIONS[bug]
    assert old in text, "the header changed: write the mutation anew"
    file.write_text(text.replace(old, new), encoding="utf-8")
    path = compiled(tmp_path, "native", native, ("-DONLY_F32", "-O1"))
    broken = Driver(path, cpu_target.host())

    def caught(shape: tuple) -> bool:
        try:
            test_windows_mean_what_they_say(broken, *WINDOWS[0], shape)
        except AssertionError:
            return True
        return False

    assert any(caught(shape) for shape in CONVOLUTIONS)


@pytest.mark.parametrize("bug", list(MUTATIONS))
def test_planted_bugs_are_caught(bug: str, tmp_path: Path) -> None:
    """The exactness test above fails on each of these."""
    native = tmp_path / "native"
    shutil.copytree(NATIVE, native)
    file = native / "opslib_contract_kernel.h"
    text = file.read_text(encoding="utf-8")
    old, new = MUTATIONS[bug]
    assert old in text, "the header changed: write the mutation anew"
    file.write_text(text.replace(old, new), encoding="utf-8")
    path = compiled(tmp_path, "native", native, ("-DONLY_F32", "-O1"))
    broken = Driver(path, cpu_target.host())
    with pytest.raises(AssertionError):
        test_blocks_are_exact(broken, microkernels.F32)
