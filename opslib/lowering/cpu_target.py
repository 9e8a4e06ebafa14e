"""What blocking needs to know about a processor: one row of the target table."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from opslib.ir.dtypes import DType


@dataclass(frozen=True, slots=True)
class CpuTarget:
    """A vector unit and its caches.

    Attributes:
        name: of the row in ``native/targets``.
        vector_bytes: width of a register.
        rows: MR, rows of the microkernel's block.
        vectors: its columns, in registers; NR is that many vectors.
        l1, l2: bytes of the caches of one core.
        bf16_dot: the unit has vdpbf16ps (pairs of bfloat16 into float32).
    """

    name: str
    vector_bytes: int
    rows: int
    vectors: int
    l1: int = 32 << 10
    l2: int = 1 << 20
    bf16_dot: bool = False

    def columns(self, dtype: DType) -> int:
        """NR for accumulators of a type."""
        return self.vectors * self.vector_bytes // dtype.bytes


# MR and NV are those of native/opslib_contract.h, which refuses to compile otherwise.
AVX512 = CpuTarget("avx512", 64, 14, 2)
AVX512_BF16 = CpuTarget("avx512", 64, 14, 2, bf16_dot=True)
AVX2 = CpuTarget("avx2", 32, 6, 2, l2=512 << 10)
NEON = CpuTarget("neon", 16, 8, 3, l1=64 << 10)
GENERIC = CpuTarget("generic", 16, 4, 2, l2=256 << 10)


@dataclass(frozen=True, slots=True)
class Blocking:
    """Largest block of a contraction, in elements (multiples of MR, NR and 2)."""

    m: int
    n: int
    k: int


def blocking(target: CpuTarget, accumulator: DType) -> Blocking:
    """Blocks by the sizes of the caches; `k` in elements of the accumulator's width.

    A micro-panel of b (NR x k) is twice L1 at most: it streams from L2 at two loads per
    MR * NV fma, and long k means fewer passes over C, whose rows collide in L1 when they
    are a power of two apart. A packed block of a (m x k) fills L2. A packed block of b
    (k x n) is 2 MiB, a core's share of L3. Measured on Zen 4, 2048^3: 504 x 1024 x 512
    is 7 % faster than 252 x 512 x 256, which keeps both in L2.
    """
    unit_n, unit_m = target.columns(accumulator), target.rows
    k = min(512, max(64, 2 * target.l1 // (accumulator.bytes * unit_n) // 16 * 16))
    m = max(unit_m, target.l2 // (accumulator.bytes * k) // unit_m * unit_m)
    n = max(unit_n, (2 << 20) // (accumulator.bytes * k) // unit_n * unit_n)
    return Blocking(m, n, k)


def _host() -> CpuTarget:
    machine = platform.machine().lower()
    if machine in ("aarch64", "arm64"):
        return NEON
    if machine not in ("x86_64", "amd64"):
        return GENERIC
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return AVX2
    line = next((x for x in text.splitlines() if x.startswith("flags")), "")
    flags = set(line.split())
    if {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= flags:
        return AVX512_BF16 if "avx512_bf16" in flags else AVX512
    return AVX2 if {"avx2", "fma", "f16c"} <= flags else GENERIC


_current: ContextVar[CpuTarget | None] = ContextVar("opslib_cpu_target", default=None)


def current() -> CpuTarget:
    """The target of the lowering under way: this machine, unless `use` says another."""
    return _current.get() or host()


@lru_cache(maxsize=1)
def host() -> CpuTarget:
    """The row of this machine, as a compiler with ``-march=native`` sees it."""
    return _host()


@contextmanager
def use(target: CpuTarget) -> Iterator[None]:
    """Lowers for `target` inside the block: for a compiler given other flags."""
    token = _current.set(target)
    try:
        yield
    finally:
        _current.reset(token)
