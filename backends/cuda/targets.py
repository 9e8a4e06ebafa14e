"""The GPUs that code is generated for: one row each, with sources.

Sources, read in November 2026: [T] the table "Technical Specifications per Compute
Capability" of the CUDA programming guide (docs.nvidia.com/cuda/cuda-programming-guide,
appendix "Compute Capabilities"), whose numbers are also those of
``cuda/__device/arch_traits.h`` (github.com/NVIDIA/cccl) and of ``cuda_occupancy.h`` in
the CUDA runtime's wheel; [P] the PTX ISA (docs.nvidia.com/cuda/
parallel-thread-execution), "Target ISA Notes" of mma, cp.async, cp.async.bulk.tensor,
wgmma and tcgen05; [A] "AMD GPU specifications" and HIP's "Hardware implementation"
(rocm.docs.amd.com); [H] Hygon's optimisation notes (github.com/yuguo-Jack/
cuda-optimized-skill): waves of 64 lanes; sizes of memories are not in public pages.

Which instructions a row has is also asked of the compiler: tests/backends/cuda/
test_targets.py compiles each one for each row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

KIB = 1024

# Rows, columns and depth of one matrix instruction of a warp.
Shape = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class GpuTarget:
    """A GPU generation.

    Attributes:
        name: ``sm_90``, ``gfx942``: the key of the table, and `Device.family`.
        arch: what the compiler is told. The suffix ``a`` opens what later generations
            do not have (wgmma, tcgen05) [P: "Target"].
        product: one of its chips, for people.
        dialect: ``cuda`` or ``hip``.
        warp: threads that run in step.
        threads_per_block, threads_per_sm, blocks_per_sm: most that may be resident [T].
        shared_static: bytes of shared memory that a block has without asking [T].
        shared_per_block: bytes that it may ask for at its launch [T].
        shared_per_sm: bytes of all blocks of one multiprocessor [T].
        registers_per_sm: of 32 bits [T].
        registers_per_thread: at most [T].
        mma: shapes of the matrix instructions of one warp, by operand type, the largest
            first; sums are float32, for integers int32, for float64 itself [P: mma].
        cp_async: copies global to shared memory without registers [P].
        tma: copies whole tiles, described once, tracked by mbarriers [P].
        clusters: blocks that share their shared memory [P].
        wgmma: matrix instructions of four warps on shared memory [P].
        tcgen05: matrix instructions on tensor memory [P].
        grid: most blocks along each axis [T].
    """

    name: str
    arch: str
    product: str
    threads_per_sm: int
    blocks_per_sm: int
    shared_per_sm: int
    shared_per_block: int
    mma: Mapping[str, tuple[Shape, ...]] = field(default_factory=dict, hash=False)
    dialect: str = "cuda"
    warp: int = 32
    threads_per_block: int = 1024
    shared_static: int = 48 * KIB
    registers_per_sm: int = 64 * KIB
    registers_per_thread: int = 255
    cp_async: bool = False
    tma: bool = False
    clusters: bool = False
    wgmma: bool = False
    tcgen05: bool = False
    grid: Shape = ((1 << 31) - 1, 65535, 65535)

    @property
    def number(self) -> int:
        """The compute capability: 90 for sm_90; 0 where there is none."""
        return int(self.name.removeprefix("sm_")) if self.dialect == "cuda" else 0


# [P: mma, "Target ISA Notes"]: m16n8k8 of f16 and m8n8k16 of s8 since sm_75; m16n8k16,
# bf16, tf32 and f64 since sm_80; e4m3 and e5m2 since sm_89. Float64 has m8n8k4 on all,
# and larger shapes on sm_90.
_TURING = {
    "float16": ((16, 8, 8),),
    "int8": ((8, 8, 16),),
}
_AMPERE = {
    "float16": ((16, 8, 16), (16, 8, 8)),
    "bfloat16": ((16, 8, 16), (16, 8, 8)),
    "tfloat32": ((16, 8, 8), (16, 8, 4)),
    "float64": ((8, 8, 4),),
    "int8": ((16, 8, 32), (16, 8, 16), (8, 8, 16)),
}
_ADA = {
    **_AMPERE,
    "float8_e4m3": ((16, 8, 32),),
    "float8_e5m2": ((16, 8, 32),),
}
_HOPPER = {**_ADA, "float64": ((16, 8, 16), (16, 8, 8), (16, 8, 4), (8, 8, 4))}


def _sm(
    number: int,
    product: str,
    threads: int,
    blocks: int,
    shared: int,
    mma: Mapping[str, tuple[Shape, ...]],
    suffix: str = "",
    reserved: int = KIB,
    **features: bool,
) -> GpuTarget:
    """A row; `reserved` bytes of shared memory in each block are the system's [T]."""
    return GpuTarget(
        f"sm_{number}",
        f"sm_{number}{suffix}",
        product,
        threads,
        blocks,
        shared * KIB,
        shared * KIB - reserved,
        MappingProxyType(dict(mma)),
        **features,  # type: ignore[arg-type]
    )


def _gfx(name: str, product: str) -> GpuTarget:
    # [A]: waves of 64; LDS of 64 KiB is a compute unit's and may be one workgroup's;
    # a vector register file of 512 KiB; four SIMDs of 8 waves each; workgroups of 1024.
    # Matrix instructions (MFMA, MMAC) are not generated: sums of products are scalar.
    return GpuTarget(
        name,
        name,
        product,
        threads_per_sm=2048,
        blocks_per_sm=32,
        shared_per_sm=64 * KIB,
        shared_per_block=64 * KIB,
        shared_static=64 * KIB,
        dialect="hip",
        warp=64,
        registers_per_sm=128 * KIB,
        registers_per_thread=512,
    )


TARGETS: dict[str, GpuTarget] = {
    t.name: t
    for t in (
        _sm(75, "T4", 1024, 16, 64, _TURING, reserved=0),
        _sm(80, "A100", 2048, 32, 164, _AMPERE, cp_async=True),
        _sm(86, "A10, RTX 3090", 1536, 16, 100, _AMPERE, cp_async=True),
        _sm(89, "L40S, RTX 4090", 1536, 24, 100, _ADA, cp_async=True),
        _sm(
            90, "H100, H200", 2048, 32, 228, _HOPPER, "a",
            cp_async=True, tma=True, clusters=True, wgmma=True,
        ),
        _sm(
            100, "B200", 2048, 32, 228, _HOPPER, "a",
            cp_async=True, tma=True, clusters=True, tcgen05=True,
        ),
        _sm(
            103, "B300", 2048, 32, 228, _HOPPER, "a",
            cp_async=True, tma=True, clusters=True, tcgen05=True,
        ),
        _sm(
            120, "RTX 5090", 1536, 24, 100, _HOPPER, "a",
            cp_async=True, tma=True, clusters=True,
        ),
        _gfx("gfx90a", "AMD Instinct MI250X"),
        _gfx("gfx942", "AMD Instinct MI300X"),
        # [H] gives the waves; the rest is AMD's gfx9, whose instructions it follows.
        _gfx("gfx936", "Hygon DCU K100 AI"),
    )
}  # fmt: skip

# What the simulator plays, and the kernels that `opslib show --backend cuda` prints.
DEFAULT = TARGETS["sm_90"]


def target_of(major: int, minor: int) -> GpuTarget | None:
    """The row for a compute capability: its own, or the last before it in its family.

    Machine code runs on later chips of one major number [P: "cubin compatibility"],
    but not that for a name with the suffix ``a``. None for a chip older than all rows.
    """
    number = 10 * major + minor
    own = TARGETS.get(f"sm_{number}")
    if own is not None:
        return own
    older = [
        t
        for t in TARGETS.values()
        if t.dialect == "cuda" and t.number < number and t.number // 10 == major
    ]
    if not older:
        return None
    found = max(older, key=lambda t: t.number)
    return _plain(found)


def _plain(target: GpuTarget) -> GpuTarget:
    """The row without what only its own chips have."""
    return GpuTarget(
        target.name,
        target.name,
        target.product,
        target.threads_per_sm,
        target.blocks_per_sm,
        target.shared_per_sm,
        target.shared_per_block,
        target.mma,
        cp_async=target.cp_async,
        tma=target.tma,
        clusters=target.clusters,
    )
