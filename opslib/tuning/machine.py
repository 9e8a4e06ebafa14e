"""What this machine can do at most: fused multiply-adds and copied bytes a second.

Measured, not looked up: a container's share of the cores, the clock under vector load
and the memory's real speed are in no table. Two small C kernels are compiled into the
cache; without a compiler NumPy's matmul and copy stand in, and the result says so.
"""

from __future__ import annotations

import ctypes
import functools
import platform
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from opslib.errors import OpslibError
from opslib.runtime import pool
from opslib.runtime.cache import default_cache
from opslib.runtime.toolchain import Toolchain, find_toolchain
from opslib.tuning.statistics import timing

# 16 accumulators: enough to hide a latency of 4 cycles on two units, few enough to
# stay in registers, even where a 64-byte vector takes two of them.
_SOURCE = r"""
#include <stdint.h>
#include <string.h>

typedef float lanes __attribute__((vector_size(OPS_BYTES)));

#define EACH(F) F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11)
#define START(k) lanes a##k = x + k;
#define STEP(k) a##k = a##k * m + x;
#define TOTAL(k) s += a##k;

/* 12 fused multiply-adds of a vector in each round. */
__attribute__((visibility("default")))
void ops_fma(int64_t rounds, float *out)
{
    lanes m = {0}, x = {0}, s = {0};
    m = m + out[0];
    x = x + out[1];
    EACH(START)
    for (int64_t i = 0; i < rounds; i++) {
        EACH(STEP)
        __asm__ volatile("" ::: "memory");
    }
    EACH(TOTAL)
    for (int k = 0; k < (int)(sizeof s / sizeof(float)); k++)
        out[0] += s[k];
}

__attribute__((visibility("default")))
void ops_copy(const char *from, char *to, int64_t bytes)
{
    memcpy(to, from, (size_t)bytes);
}
"""
_ACCUMULATORS = 12
_COPY_BYTES = 128 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Measured limits of the machine, with `threads` threads.

    Attributes:
        flops: float32 operations a second; a fused multiply-add is two.
        bandwidth: bytes a second read and written by a copy that no cache holds.
        threads: how many were used.
        how: ``C kernels`` or ``NumPy``.
    """

    flops: float
    bandwidth: float
    threads: int
    how: str

    def least_seconds(self, operations: float, bytes: float) -> float:
        """The time no program can beat that does this much."""
        return max(operations / self.flops, bytes / self.bandwidth)


@functools.lru_cache(maxsize=4)
def limits(threads: int | None = None) -> Limits:
    """The limits; measured once a process, in about a second."""
    count = threads or pool.num_threads()
    try:
        toolchain = find_toolchain()
        width, flags = _target_flags(toolchain)
        source = _SOURCE.replace("OPS_BYTES", str(width))
        library = default_cache().load(source, "machine_limits", toolchain, flags)
    except OpslibError:
        return _numpy_limits(count)
    pointer, size = ctypes.c_void_p, ctypes.c_int64
    fma = ctypes.CFUNCTYPE(None, size, pointer)(library.symbol("ops_fma"))
    copy = ctypes.CFUNCTYPE(None, pointer, pointer, size)(library.symbol("ops_copy"))
    return Limits(
        _peak(fma, width // 4, count), _bandwidth(copy, count), count, "C kernels"
    )


def _target_flags(toolchain: Toolchain) -> tuple[int, tuple[str, ...]]:
    machine = platform.machine()
    native = "-mcpu=native" if machine in ("aarch64", "arm64") else "-march=native"
    if toolchain.kind == "zig":
        native = "-mcpu=native"
    flags = ("-O3", "-ffp-contract=fast", "-fvisibility=hidden", "-Wno-psabi")
    if machine not in ("x86_64", "AMD64"):
        return 16, (*flags, native)
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            text = stream.read(1 << 16)
    except OSError:
        text = ""
    if " avx512f" in text:
        return 64, (*flags, native, "-mprefer-vector-width=512")
    return (32 if " avx2" in text else 16), (*flags, native)


def _together(works: list[Callable[[], Any]]) -> float:
    """Seconds until all have finished, started at once, each on its own thread."""
    gate = threading.Barrier(len(works) + 1)

    def run(work: Callable[[], Any]) -> None:
        gate.wait()
        work()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    gate.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start


def _peak(fma: Any, lanes: int, threads: int) -> float:
    outs = [np.array([0.5, 0.25], np.float32) for _ in range(threads)]
    rounds = 1 << 16

    def works() -> list[Callable[[], Any]]:
        return [functools.partial(fma, rounds, o.ctypes.data) for o in outs]

    while _together(works()) < 0.02 and rounds < 1 << 32:
        rounds *= 2
    seconds = timing([_together(works()) for _ in range(9)]).seconds
    return 2.0 * _ACCUMULATORS * lanes * rounds * threads / seconds


def _bandwidth(copy: Any, threads: int) -> float:
    source = np.ones(_COPY_BYTES, np.uint8)
    target = np.zeros(_COPY_BYTES, np.uint8)
    part = _COPY_BYTES // threads // 64 * 64
    works: list[Callable[[], Any]] = [
        functools.partial(
            copy, source.ctypes.data + k * part, target.ctypes.data + k * part, part
        )
        for k in range(threads)
    ]
    _together(works)
    seconds = timing([_together(works) for _ in range(9)]).seconds
    return 2.0 * part * threads / seconds


def _numpy_limits(threads: int) -> Limits:
    n = 1024
    a = np.ones((n, n), np.float32)
    source, target = np.ones(1 << 24, np.float32), np.ones(1 << 24, np.float32)
    products, copies = [], []
    for _ in range(5):
        start = time.perf_counter()
        a @ a
        products.append(time.perf_counter() - start)
        start = time.perf_counter()
        np.copyto(target, source)
        copies.append(time.perf_counter() - start)
    return Limits(
        2.0 * n**3 / timing(products).seconds,
        2.0 * source.nbytes / timing(copies).seconds,
        threads,
        "NumPy",
    )


def cache_bytes() -> int:
    """Size of the largest cache of a processor; 32 MiB where nothing tells."""
    from pathlib import Path

    sizes = []
    for file in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        try:
            text = file.read_text().strip()
            scale = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(text[-1:], 1)
            sizes.append(int(text.rstrip("KMG")) * scale)
        except (OSError, ValueError):
            continue
    return max(sizes, default=32 << 20)
