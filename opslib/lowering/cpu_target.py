"""What blocking needs to know about a processor: one row of the target table."""

from __future__ import annotations

import os
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


def for_row(
    name: str,
    vector_bytes: int,
    features: frozenset[str] = frozenset(),
    arm: bool = False,
) -> CpuTarget:
    """The target of a row of ``native/targets``.

    MR and NV are those of native/opslib_contract.h, which refuses to compile otherwise:
    as many accumulators as the register file holds beside NV vectors of b.

    Args:
        name: of the row.
        vector_bytes: its vector length, measured where only the machine knows.
        features: words of /proc/cpuinfo.
        arm: whether the machine is 64-bit Arm.
    """
    if vector_bytes == 64:
        dot = name == "avx512" and "avx512_bf16" in features
        return CpuTarget(name, 64, 14, 2, bf16_dot=dot)
    if vector_bytes == 32:
        return CpuTarget(name, 32, 6, 2, l2=512 << 10)
    if arm:
        return CpuTarget(name, 16, 8, 3, l1=64 << 10)
    return CpuTarget(name, 16, 4, 2, l2=256 << 10)


AVX512 = for_row("avx512", 64)
AVX512_BF16 = for_row("avx512", 64, frozenset({"avx512_bf16"}))
AVX2 = for_row("avx2", 32)
NEON = for_row("neon", 16, arm=True)
GENERIC = for_row("generic", 16)


@dataclass(frozen=True, slots=True)
class Blocking:
    """Largest block of a contraction, in elements (multiples of MR, NR and 2)."""

    m: int
    n: int
    k: int


def blocking(target: CpuTarget, accumulator: DType) -> Blocking:
    """Blocks by the sizes of the caches; `k` in elements of the accumulator's width.

    A micro-panel of b (NR x k) is twice L1 at most: it streams from L2 at two loads
    per MR * NV fma, and long k means fewer passes over C, whose rows collide in L1 when
    they are a power of two apart. A packed block of a (m x k) fills L2. A packed block
    of b (k x n) is 2 MiB, a core's share of L3. Measured on Zen 4, 2048^3: 504 x 1024 x
    512 is 7 % faster than 252 x 512 x 256, which keeps both in L2.
    """
    unit_n, unit_m = target.columns(accumulator), target.rows
    k = min(512, max(64, 2 * target.l1 // (accumulator.bytes * unit_n) // 16 * 16))
    m = max(unit_m, target.l2 // (accumulator.bytes * k) // unit_m * unit_m)
    n = max(unit_n, (2 << 20) // (accumulator.bytes * k) // unit_n * unit_n)
    return Blocking(m, n, k)


def _host() -> CpuTarget:
    arm = platform.machine().lower() in ("aarch64", "arm64")
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        text = ""
    line = next((x for x in text.splitlines() if x.startswith("flags")), "")
    features = frozenset(line.split())
    rows = [("generic", 16, frozenset[str]())]
    if arm:
        rows.append(("neon", 16, frozenset()))
    if platform.machine().lower() in ("x86_64", "amd64"):
        rows.append(("avx2", 32, frozenset({"avx2", "fma", "f16c"})))
        needs = frozenset({"avx512f", "avx512bw", "avx512dq", "avx512vl", "fma"})
        rows.append(("avx512", 64, needs))
    usable = [r for r in rows if r[2] <= features]
    if os.environ.get("OPSLIB_CPU_TARGET") == "generic":
        usable = usable[:1]
    name, size, _ = usable[-1]
    return for_row(name, size, features, arm)


_current: ContextVar[CpuTarget | None] = ContextVar("opslib_cpu_target", default=None)


def current() -> CpuTarget:
    """The target of the lowering under way: this machine, unless `use` says another.

    A backend that compiles for a row of its own choice wraps its lowering in `use`.
    """
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
