"""CUDA's built-ins in the simulator, and its counters."""

from __future__ import annotations

import ctypes
import threading

import numpy as np
import pytest

from .cuda_sim import COMPILERS, Run, Unit, compiled, compiled_text
from .test_cuda_sim_instructions import aligned

if not COMPILERS:
    pytest.skip("the simulator needs a C++ compiler on Linux", allow_module_level=True)


@pytest.fixture(params=COMPILERS)
def unit(request: pytest.FixtureRequest) -> Unit:
    return compiled("language.cu", request.param)


def clean(result: Run) -> None:
    assert result.findings == 0, result.found


def test_places(unit: Unit) -> None:
    grid, block = (3, 2, 2), (4, 3, 2)
    y = np.full((2, 2, 3, 2, 3, 4, 6), -1, np.int32)
    clean(unit.run("places", y, grid=grid, block=block))
    expected = np.stack(np.meshgrid(*map(np.arange, y.shape[:6]), indexing="ij"), -1)
    np.testing.assert_array_equal(y, expected[..., [5, 4, 3, 2, 1, 0]])


def test_shuffles(unit: Unit) -> None:
    x = np.random.default_rng(0).integers(0, 100, 32).astype(np.int32)
    lane = np.arange(32)
    unsigned = (x - 50).astype(np.uint32)
    same = np.array([[1 << j if (x[i] & 3) == (x[j] & 3) else 0 for j in lane]
                     for i in lane])  # fmt: skip

    def up(by: int, width: int) -> np.ndarray:
        return np.where(lane % width < by, lane, lane - by)

    def down(by: int, width: int) -> np.ndarray:
        return np.where(lane % width + by >= width, lane, lane + by)

    xor9 = lane ^ 9
    expected = [
        np.full(32, x[5]), x[lane // 8 * 8 + (lane + 3) % 8], x[up(3, 32)], x[up(3, 8)],
        x[down(7, 32)], x[down(7, 16)], x[xor9],
        # Into a segment behind its own a lane does not reach.
        x[np.where(xor9 >= lane // 8 * 8 + 8, lane, xor9)],
        x[lane ^ 1], x[down(1, 32)], np.ones(32), np.ones(32),
        np.full(32, (x & 1) @ (1 << lane)), same.sum(1), np.zeros(32), np.zeros(32),
        np.full(32, x.sum()), np.full(32, x.min() - 50), np.full(32, x.max() - 50),
        np.full(32, unsigned.min()), np.full(32, unsigned.max()),
        np.full(32, np.bitwise_and.reduce(x | 64)),
        np.full(32, np.bitwise_or.reduce(x)),
        np.full(32, np.bitwise_xor.reduce(x)),
    ]  # fmt: skip
    y = np.zeros((len(expected), 32), np.int32)
    clean(unit.run("shuffles", x, y))
    for k, row in enumerate(expected):
        wanted = row.astype(np.int64).astype(np.uint32).view(np.int32)
        np.testing.assert_array_equal(y[k], wanted, err_msg=str(k))


def test_votes_of_blocks(unit: Unit) -> None:
    for fill in (0, 1):
        x, y = np.full(96, fill, np.int32), np.zeros((3, 96), np.int32)
        x[::5] = 77
        clean(unit.run("votes_of_blocks", x, y, block=96))
        assert (y[0] == np.count_nonzero(x)).all()
        assert (y[1] == fill).all()
        assert (y[2] == 1).all()


def test_atomics(unit: Unit) -> None:
    i, u = np.zeros(9, np.int32), np.zeros(4, np.uint32)
    i[4], u[2] = -1, 2**32 - 1
    whole, f, d = np.zeros(1, np.uint64), np.zeros(1, np.float32), np.zeros(1)
    result = unit.run("atomics", i, u, whole, f, d, block=64)
    clean(result)
    total = 63 * 64 // 2
    assert 1 <= i[7] <= 64  # whoever was first
    i[7] = 0
    assert i.tolist() == [total, -total, -63, 63, ~0xFF, 0xFF, 0, 0, 64]
    # Increments go 0 to 9 and round; decrements 9 to 0 and round, from 0.
    assert u.tolist() == [64 % 10, (0 - 64) % 10, 2**31, 2**31 + 63]
    assert whole[0] == 64 << 32
    assert (f[0], d[0]) == (32, 16)
    assert result.counters["SharedAtomics"] == 64
    assert result.counters["GlobalAtomics"] == 15 * 64


def test_bits(unit: Unit) -> None:
    random = np.random.default_rng(1)
    a = random.integers(0, 2**32, 64, np.uint32)
    b = random.integers(0, 2**32, 64, np.uint32)
    a[:3], b[:2] = (0, 1, 2**31), (0, 2**32 - 1)
    y, z = np.zeros((13, 64), np.uint32), np.zeros((3, 64), np.uint64)
    clean(unit.run("bits", a, b, y, z, block=64))

    def signed(x: int, width: int = 32) -> int:
        return x - (1 << width) if x >> (width - 1) else x

    def reverse(x: int, width: int) -> int:
        return int(f"{x:0{width}b}"[::-1], 2)

    for t in range(64):
        u, v = int(a[t]), int(b[t])
        w, both = u << 32 | v, v << 32 | u
        some = [both >> 8 * k & 255 for k in range(8)]
        dot = sum(signed(u >> 8 * k & 255, 8) * signed(v >> 8 * k & 255, 8)
                  for k in range(4))  # fmt: skip
        expected = [
            u.bit_count(), 32 - u.bit_length(), (u & -u).bit_length(), reverse(u, 32),
            # Selectors 2, 7, 1, 6 from the least significant byte on.
            some[2] | some[7] << 8 | some[1] << 16 | some[6] << 24,
            both << 13 >> 32, both >> 13, signed(u) * signed(v) >> 32, u * v >> 32,
            w.bit_count(), 64 - w.bit_length(), (w & -w).bit_length(), 1 + dot,
        ]  # fmt: skip
        assert y[:, t].tolist() == [e % 2**32 for e in expected], t
        inverse = w ^ (2**64 - 1)
        assert z[:, t].tolist() == [
            w * inverse >> 64,
            (signed(w, 64) * signed(inverse, 64) >> 64) % 2**64,
            reverse(w, 64),
        ]


def test_rounding(unit: Unit) -> None:
    special = [0.5, -0.5, 1.5, 2.5, -2.5, 3e9, -3e9, 5e18, 1e20, -1e20, np.inf, -np.inf,
               np.nan, -0.0, 2147483520.0, 0.99999994]  # fmt: skip
    x = np.resize(np.array(special, np.float32), 64)
    y, z = np.zeros((6, 64), np.int32), np.zeros(64, np.int64)
    clean(unit.run("rounding", x, y, z, block=64))
    wide = x.astype(np.float64)
    for row, function in enumerate((np.rint, np.trunc, np.floor, np.ceil)):
        wanted = np.clip(np.nan_to_num(function(wide), nan=0), -(2**31), 2**31 - 1)
        np.testing.assert_array_equal(y[row], wanted.astype(np.int64))
    unsigned = np.clip(np.nan_to_num(np.trunc(wide), nan=0), 0, 2**32 - 1)
    np.testing.assert_array_equal(y[4].view(np.uint32), unsigned.astype(np.uint64))
    np.testing.assert_array_equal(y[5], x.view(np.int32))
    for value, got in zip(wide, z.tolist(), strict=True):
        if np.isnan(value):
            assert got == -(2**63)  # cvt of nan to 64 bits
        else:
            exact = (
                int(np.rint(value)) if np.isfinite(value) else 2**70 * np.sign(value)
            )
            assert got == max(min(int(exact), 2**63 - 1), -(2**63))


def test_small_floats(unit: Unit) -> None:
    x = np.random.default_rng(3).standard_normal(64).astype(np.float32)
    x[:4] = 70000, 1e-7, -0.0, 65519
    h, b = np.zeros(64, np.uint16), np.zeros(64, np.uint16)
    y = np.zeros((2, 64), np.float32)
    clean(unit.run("small_floats", x, h, b, y, block=64))
    with np.errstate(over="ignore"):
        half = x.astype(np.float16)
    np.testing.assert_array_equal(h, half.view(np.uint16))
    bits = x.view(np.uint32)
    near = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    np.testing.assert_array_equal(b, near)
    np.testing.assert_array_equal(y[1], (near << 16).view(np.float32))
    wide = half.astype(np.float32)
    np.testing.assert_array_equal(y[0], wide + wide.reshape(32, 2)[:, ::-1].ravel())


def test_sizes_of_buffers(unit: Unit) -> None:
    # Shadows of buffers that are gone are used again by others of about their size.
    for count in [*range(1, 70, 3), *range(100, 6000, 97), 100_000]:
        x, y = np.full(count, count, np.float32), np.zeros(count, np.float32)
        clean(unit.run("copied", x, y, count, block=64, sample=False))
        assert (y == count).all()


def test_launches_from_several_threads(unit: Unit) -> None:
    wrong: list[object] = []

    def work(number: int) -> None:
        for k in range(40):
            count = 64 + number * 37 + k
            x, y = np.full(count, k, np.float32), np.zeros(count, np.float32)
            result = unit.run("copied", x, y, count, block=64, sample=False)
            if result.findings or not (y == k).all():
                wrong.append((number, k, result.lines))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


SIXTY_FOUR = """
#include "opslib_cuda_ptx.h"
// A warp of AMD's has 64 lanes.
extern "C" __global__ void sums(const int *x, unsigned long long *y, int *z) {
    int sum = x[threadIdx.x];
    for (int k = OPS_WARP / 2; k; k /= 2) sum += __shfl_xor_sync(~0ull, sum, k);
    z[threadIdx.x] = sum;
    y[threadIdx.x] = __ballot_sync(~0ull, x[threadIdx.x] & 1);
    __shared__ int box[64];
    box[threadIdx.x] = sum;
    __syncwarp();
    z[threadIdx.x] += box[63 - threadIdx.x];
}
"""


@pytest.mark.parametrize("compiler", COMPILERS)
def test_warps_of_64(compiler: str) -> None:
    x = np.random.default_rng(4).integers(0, 100, 64).astype(np.int32)
    y, z = np.zeros(64, np.uint64), np.zeros(64, np.int32)
    unit = compiled_text(SIXTY_FOUR, compiler, ("-DOPS_WARP=64",))
    clean(unit.run("sums", x, y, z, block=64))
    assert (z == 2 * x.sum()).all()
    assert (y == sum(1 << i for i in range(64) if x[i] & 1)).all()


def test_a_clock_that_runs_out() -> None:
    text = """
#include "opslib_cuda_ptx.h"
extern "C" __global__ void spin(const int *x, int *y, int64_t n) {
    for (int64_t i = 0; i < n; i++) __syncthreads();
    y[threadIdx.x] = x[threadIdx.x];
}
"""
    unit = compiled_text(text, COMPILERS[0])
    x, y = np.ones(32, np.int32), np.zeros(32, np.int32)
    # Over many launches the clocks begin again; within a block they cannot.
    for _ in range(15):
        clean(unit.run("spin", x, y, 100_000))
    assert unit.run("spin", x, y, 1_100_000).kinds == {"limit"}
    clean(unit.run("spin", x, y, 10))


# ---- counters


def sampled(unit: Unit, name: str, *arrays: np.ndarray) -> dict[str, int]:
    unit.engine.opslib_cuda_sim_sample(ctypes.c_int(1))
    try:
        result = unit.run(name, *arrays)
    finally:
        unit.engine.opslib_cuda_sim_sample(ctypes.c_int(0))
    clean(result)
    return result.counters


def test_columns_are_counted(unit: Unit) -> None:
    x, y = aligned((32, 32), np.float32), aligned(64, np.float32)
    counters = sampled(unit, "columns", x, y)
    # 32 rows in, a column of x, two rows of y: a row is 4 sectors, a column 32.
    assert counters["GlobalReadBytes"] == 32 * 128 + 128
    assert counters["GlobalWriteBytes"] == 256
    assert counters["SampledGlobal"] == 32 + 1 + 2
    assert counters["SampledSectors"] == 32 * 4 + 32 + 2 * 4
    assert counters["SampledIdealSectors"] == 35 * 4
    # Rows go in without conflict; a column of 32 is one bank, of 33 all of them.
    assert counters["SharedWriteBytes"] == 2 * 4096
    assert counters["SampledShared"] == 64 + 2
    assert counters["SampledWavefronts"] == 64 + 32 + 1
    assert counters["SampledIdealWavefronts"] == 66
    assert counters["WarpCollectives"] == 1


def test_quads_are_counted(unit: Unit) -> None:
    x, y = aligned((32, 4), np.float32), aligned((32, 4), np.float32)
    x[:] = np.arange(128).reshape(32, 4)
    counters = sampled(unit, "quads", x, y)
    np.testing.assert_array_equal(y, x[::-1])
    assert counters["GlobalReadBytes"] == counters["GlobalWriteBytes"] == 512
    assert counters["SampledSectors"] == counters["SampledIdealSectors"]
    assert counters["SampledWavefronts"] == counters["SampledIdealWavefronts"]
    assert counters["SampledSectors"] == 2 * 16
    assert counters["SampledWavefronts"] == 2 * 4
