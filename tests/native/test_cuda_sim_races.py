"""Honest kernels are clean and right; each barrier, wait and fence of theirs that is
dropped is found; random programs against reachability in a graph."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from .cuda_sim import COMPILERS, KERNELS, Run, Unit, compiled
from .test_cuda_sim_instructions import aligned, bf16_bits, tensor_map

if not COMPILERS:
    pytest.skip("the simulator needs a C++ compiler on Linux", allow_module_level=True)


@dataclass(frozen=True, slots=True)
class Case:
    """A kernel with its launch; `check` is asked for the results."""

    source: str
    kernel: str
    launch: Callable[[Unit, int], Run]
    check: Callable[[], None]


def bf16_value(bits: np.ndarray) -> np.ndarray:
    return (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def simple(
    kernel: str, inputs: list[Any], out: np.ndarray, expected: np.ndarray,
    after: tuple[int, ...] = (), source: str = "honest.cu", **launch: Any,
) -> Case:  # fmt: skip
    for x in inputs:
        x.flags.writeable = False

    def run(unit: Unit, drop: int) -> Run:
        out[:] = 0
        return unit.run(kernel, *inputs, out, *after, drop=drop, **launch)

    def check() -> None:
        np.testing.assert_allclose(out, expected, rtol=2e-5, atol=2e-4)

    return Case(source, kernel, run, check)


def cases() -> dict[str, Case]:
    random = np.random.default_rng(2)

    def real(*shape: int) -> np.ndarray:
        x = aligned(shape, np.float32)
        x[...] = random.standard_normal(shape)
        return x

    x, long = real(3, 1000), real(70, 45)
    soft = np.exp(x - x.max(1, keepdims=True))
    words = aligned(64, np.int32)
    words[:] = random.integers(0, 100, 64)
    turned = words.reshape(2, 32)[:, ::-1].ravel() + np.zeros((3, 1), np.int32)
    for turn in range(3):
        turned[turn] += turn
    a, b = aligned((64, 160), np.uint16), aligned((160, 128), np.uint16)
    a[:], b[:] = bf16_bits(real(64, 160)), bf16_bits(real(160, 128))
    rows, flat = real(7, 64), real(256)
    found = [
        simple("block_sum", [x], aligned(3, np.float32), x.sum(1), (1000,), grid=3,
               block=256),
        simple("transpose", [long], aligned((45, 70), np.float32), long.T, (70, 45),
               grid=3, block=256),
        simple("softmax", [x], aligned((3, 1000), np.float32),
               soft / soft.sum(1, keepdims=True), (1000,), grid=3, block=128,
               shared=4000),
        simple("reverse_warps", [words], aligned((3, 64), np.int32), turned, block=64),
        simple("matmul", [a, b], aligned((64, 128), np.float32),
               bf16_value(a) @ bf16_value(b), (128, 160), grid=(2, 1), block=128,
               shared=3 * (64 * 40 + 32 * 72) * 2),
        simple("handed_on", [rows], aligned((7, 64), np.float32), rows[:, ::-1], (7,),
               block=128),
        simple("double_rows", [rows], aligned((7, 64), np.float32), rows * 2, (7,),
               "hopper.cu", block=64),
        simple("copies_that_arrive", [flat], aligned(256, np.float32), flat[::-1], (),
               "hopper.cu", block=64),
        group_matmul(random),
    ]  # fmt: skip
    return {case.kernel: case for case in found}


def group_matmul(random: np.random.Generator) -> Case:
    m, n, k = 64, 128, 320
    a, b = aligned((m, k), np.uint16), aligned((n, k), np.uint16)
    a[:] = bf16_bits(random.standard_normal((m, k)))
    b[:] = bf16_bits(random.standard_normal((n, k)))
    c = aligned((m, n), np.float32)

    def run(unit: Unit, drop: int) -> Run:
        c[:] = 0
        maps = [
            tensor_map(unit, a, (64, 64), 128, kind=9),
            tensor_map(unit, b, (64, 64), 128, kind=9),
            tensor_map(unit, c, (64, 32), kind=7),
        ]
        return unit.run(
            "group_matmul", *maps, k, grid=(n // 64, m // 64), block=256,
            shared=4 * 8192 + 64 * 64 * 4 + 64, buffers=[a, b, c], drop=drop,
        )  # fmt: skip

    def check() -> None:
        np.testing.assert_allclose(
            c, bf16_value(a) @ bf16_value(b).T, rtol=1e-5, atol=1e-4
        )

    return Case("hopper.cu", "group_matmul", run, check)


CASES = cases()
SYNCS = {
    "__syncthreads", "__syncwarp", "bar.sync", "cp.async.wait_group",
    "mbarrier.try_wait", "cp.async.bulk.wait_group", "wgmma.fence", "wgmma.wait_group",
    "fence.proxy.async",
}  # fmt: skip


def marked(case: Case) -> int:
    """Lines of a kernel that are marked as needed."""
    text = (KERNELS / case.source).read_text("utf-8")
    start = text.index(f" {case.kernel}(")
    body = text[start : text.index("\n}\n", start)]
    return len(re.findall(r"// sync$", body, flags=re.M))


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("kernel", CASES)
def test_honest(kernel: str, compiler: str) -> None:
    case = CASES[kernel]
    result = case.launch(compiled(case.source, compiler), 0)
    assert result.findings == 0, result.found
    assert not result.redundant
    case.check()


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("kernel", CASES)
def test_each_dropped_line_is_found(kernel: str, compiler: str) -> None:
    case = CASES[kernel]
    unit = compiled(case.source, compiler)
    syncs = case.launch(unit, 0).syncs
    assert syncs == marked(case)  # what is marked runs, and nothing else
    for drop in range(1, syncs + 1):
        assert case.launch(unit, drop).findings > 0, f"line {drop} of {syncs}"
    assert case.launch(unit, 0).findings == 0


def test_enough_is_dropped() -> None:
    assert sum(marked(case) for case in CASES.values()) >= 29


def test_redundant_barriers_are_notes() -> None:
    text = """
extern "C" __global__ void twice(const float *x, float *y) {
    __shared__ float box[64];
    box[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    __syncthreads();
    y[threadIdx.x] = box[63 - threadIdx.x];
    __syncwarp();
}
"""
    from .cuda_sim import compiled_text

    x, y = np.ones(64, np.float32), np.zeros(64, np.float32)
    result = compiled_text(text, COMPILERS[0]).run("twice", x, y, block=64)
    assert result.findings == 0
    notes = [(note["line"], note["sync"], note["runs"]) for note in result.redundant]
    # Each of the two could go, not both.
    assert notes == [
        (5, "__syncthreads", 1), (6, "__syncthreads", 1), (8, "__syncwarp", 2)
    ]  # fmt: skip


# ---- any program against reachability in a graph

THREADS, CELLS = 64, 6
WRITE, READ, SYNC, SYNCWARP, HALF, ARRIVE = range(6)

INTERPRETER = """
#include "opslib_cuda_ptx.h"
// A program of triples (what, threads, cell): accesses are of one thread.
extern "C" __global__ void interpreted(const int *program, int *out, int64_t steps) {
    __shared__ int cells[6];
    const int t = threadIdx.x;
    if (t < 6) cells[t] = 0;
    __syncthreads();
    int sum = 0;
    for (int64_t i = 0; i < steps; i++) {
        const int *const step = program + 3 * i;
        const int what = step[0], who = step[1], cell = step[2];
        if (what == 0 && t == who) cells[cell] = t;
        if (what == 1 && t == who) sum += cells[cell];
        if (what == 2) __syncthreads();
        if (what == 3 && t / 32 == who) __syncwarp();
        if (what == 4 && t / 16 == who) __syncwarp(0xffffu << who % 2 * 16);
        if (what == 5 && t / 32 == who) ops_ptx_barrier_arrive(1, 64);
        if (what == 5 && t / 32 != who) ops_ptx_barrier_sync(1, 64);
    }
    out[t] = sum;
}
"""


def random_program(random: np.random.Generator) -> list[tuple[int, int, int]]:
    found = []
    # Few threads, of both warps and of both halves of them.
    threads = [0, 1, 15, 16, 31, 32, 33, 48]
    for _ in range(int(random.integers(3, 14))):
        draw = random.random()
        if draw < 0.6:
            what = WRITE if random.random() < 0.4 else READ
            found.append(
                (what, int(random.choice(threads)), int(random.integers(0, 3)))
            )
        elif draw < 0.7:
            found.append((SYNC, 0, 0))
        elif draw < 0.82:
            found.append((SYNCWARP, int(random.integers(0, 2)), 0))
        elif draw < 0.92:
            found.append((HALF, int(random.integers(0, 4)), 0))
        else:
            # Twice in a row, and those who only arrive could be there twice.
            found += [(ARRIVE, int(random.integers(0, 2)), 0), (READ, 0, 3)]
            found.append((SYNC, 0, 0) if random.random() < 0.8 else (READ, 0, 4))
            if found[-1][0] != SYNC:
                return found
    return found


def has_race(program: list[tuple[int, int, int]]) -> bool:
    """Whether two conflicting accesses of different threads are unordered.

    Each thread's steps are a chain, and a barrier is an edge from all who come to all
    who wait.
    """
    known: list[set[int]] = [
        set() for _ in range(THREADS)
    ]  # accesses before, of thread
    accesses: list[tuple[int, int, bool]] = []
    for what, who, cell in program:
        if what in (WRITE, READ):
            write = what == WRITE
            for n, (thread, place, wrote) in enumerate(accesses):
                conflict = place == cell and (write or wrote) and thread != who
                if conflict and n not in known[who]:
                    return True
            known[who].add(len(accesses))
            accesses.append((who, cell, write))
            continue
        if what == SYNC:
            come = wait = list(range(THREADS))
        elif what == SYNCWARP:
            come = wait = list(range(32 * who, 32 * who + 32))
        elif what == HALF:
            come = wait = list(range(16 * who, 16 * who + 16))
        else:
            come = list(range(THREADS))
            wait = [t for t in come if t // 32 != who]
        together = set().union(*(known[t] for t in come))
        for t in wait:
            known[t] |= together
    return False


@pytest.mark.parametrize("compiler", COMPILERS)
def test_any_program(compiler: str) -> None:
    from .cuda_sim import compiled_text

    unit = compiled_text(INTERPRETER, compiler)
    random = np.random.default_rng(1)
    seen = {True: 0, False: 0}
    for _ in range(1500):
        program = random_program(random)
        words, out = np.array(program, np.int32), np.zeros(THREADS, np.int32)
        words.flags.writeable = False
        result = unit.run("interpreted", words, out, len(program), block=THREADS)
        race = has_race(program)
        assert result.kinds == ({"race"} if race else set()), program
        seen[race] += 1
    assert min(seen.values()) > 300  # both verdicts are common
