"""What processors there are: one row for each vector instruction set.

A row is a fact sheet, not code: which compiler flags turn the set on, how long its
vectors are, and by which word in /proc/cpuinfo a machine shows that it has it. The
first row whose words are all there is this machine's; ``generic`` needs none.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
from dataclasses import dataclass

from opslib.lowering.cpu_target import CpuTarget, for_row


@dataclass(frozen=True, slots=True)
class Target:
    """A row of the table.

    Attributes:
        name: as in native/targets/NAME.h; part of the device family.
        machines: values of ``platform.machine()`` it is for; empty for any.
        needs: words that must be in /proc/cpuinfo's flags or Features.
        vector_bytes: length of a vector; 0 where only the machine knows (SVE, RVV).
        flags: for gcc and clang; ``{bits}`` is the vector length found.
        zig_flags: for ``zig cc``, whose ``-march`` differs.
    """

    name: str
    machines: tuple[str, ...]
    needs: tuple[str, ...]
    vector_bytes: int
    flags: tuple[str, ...]
    zig_flags: tuple[str, ...] = ("-mcpu=native",)

    @property
    def lanes(self) -> int:
        """OPS_LANES of native/opslib_simd.h: 32-bit elements in a vector."""
        return max(self.vector_bytes, 16) // 4


_X86 = ("x86_64", "AMD64")
_ARM = ("aarch64", "arm64")
# -march=native is safe here: the processor's flags are part of every cache key.
TARGETS: tuple[Target, ...] = (
    Target(
        "avx512",
        _X86,
        ("avx512f", "avx512bw", "avx512dq", "avx512vl", "fma"),
        64,
        ("-march=native", "-mprefer-vector-width=512"),
    ),
    Target(
        "avx2",
        _X86,
        ("avx2", "fma", "f16c"),
        32,
        ("-march=x86-64-v3", "-mtune=native"),
        ("-mcpu=x86_64_v3",),
    ),
    Target(
        "sve",
        _ARM,
        ("sve",),
        0,
        ("-march=native", "-msve-vector-bits={bits}"),
    ),
    Target("neon", _ARM, (), 16, ("-mcpu=native",)),
    Target(
        "rvv",
        ("riscv64",),
        ("v",),
        0,
        ("-march=rv64gcv_zvl{bits}b", "-mrvv-vector-bits=zvl"),
    ),
    Target("generic", (), (), 16, (), ()),
)


@functools.cache
def processor_flags() -> frozenset[str]:
    """The instruction-set words of /proc/cpuinfo, or else archspec's."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as stream:
            for line in stream:
                key, _, value = line.partition(":")
                if key.strip() in ("flags", "Features"):
                    return frozenset(value.split())
                if key.strip() == "isa":  # RISC-V: rv64imafdcv_zicsr
                    letters = value.strip().split("_")[0].removeprefix("rv64")
                    return frozenset(letters) | frozenset(value.strip().split("_")[1:])
    except OSError:
        pass
    try:
        import archspec.cpu

        return frozenset(archspec.cpu.host().features)
    except Exception:
        # archspec reads what the kernel says of processors, and fails in many ways on
        # ones that it does not know; without it the portable row is used.
        return frozenset()


@functools.cache
def host_target() -> Target:
    """This machine's row; ``OPSLIB_CPU_TARGET`` names another (to test one)."""
    wanted = os.environ.get("OPSLIB_CPU_TARGET", "")
    for row in TARGETS:
        if wanted and row.name != wanted:
            continue
        if row.machines and platform.machine() not in row.machines:
            continue
        if set(row.needs) <= processor_flags() and (
            row.vector_bytes or vector_bits(row)
        ):
            return row
    return TARGETS[-1]


@functools.cache
def blocking_target() -> CpuTarget:
    """This machine's row as the contraction skeletons block for it."""
    row = host_target()
    size = row.vector_bytes or vector_bits(row) // 8
    arm = platform.machine() in _ARM
    return for_row(row.name, size, processor_flags(), arm)


def vector_bits(target: Target) -> int:
    """The vector length in bits; 0 if unknown."""
    if target.vector_bytes:
        return target.vector_bytes * 8
    if target.name == "sve":
        try:
            pr_sve_get_vl = 51
            found = ctypes.CDLL(None).prctl(pr_sve_get_vl, 0, 0, 0, 0)
        except (OSError, AttributeError):
            return 0
        return (found & 0xFFFF) * 8 if found > 0 else 0
    if target.name == "rvv":
        return 128  # every RVA profile with V has at least this
    return 0


def compiler_flags(target: Target, compiler: str) -> tuple[str, ...]:
    """All flags of a kernel's compilation.

    -fwrapv: signed integers wrap, as the specs say. -fno-strict-aliasing: native row
    operations move elements as bits of their size. No -ffast-math: nan and inf mean
    something. -ffp-contract=off: a sum of a product rounds twice unless fma is written.
    """
    rows = target.zig_flags if compiler == "zig" else target.flags
    if target.name == "generic":
        rows = ("-DOPS_TARGET_GENERIC",)
    bits = vector_bits(target)
    return (
        "-std=gnu11",
        "-O3",
        "-fwrapv",
        "-fno-strict-aliasing",
        "-ffp-contract=off",
        "-fno-math-errno",
        "-fno-trapping-math",
        "-fvisibility=hidden",
        "-Wno-psabi",
        *(f.format(bits=bits) for f in rows),
        "-lm",
    )


@functools.cache
def has_amx() -> bool:
    """Whether the kernel would let this process use AMX tiles (reported only)."""
    if "amx_tile" not in processor_flags() or platform.machine() not in _X86:
        return False
    try:
        arch_prctl, get_permission = 158, 0x1022
        state = ctypes.c_uint64()
        libc = ctypes.CDLL(None, use_errno=True)
        code = libc.syscall(arch_prctl, get_permission, ctypes.byref(state))
    except (OSError, AttributeError):
        return False
    return code == 0 and bool(state.value >> 18 & 1)


def processor_name() -> str:
    """For people: the model's name."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as stream:
            for line in stream:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
