"""What the performance model takes for true of each chip: a number, and who says so.

Sources, public, read in November 2026:
[W] Huawei's Ascend 950 NPU architecture white paper, its table of the generations (the
    cores, clock, cube and vector peak and memory bandwidth of an Ascend 910B2 and an
    Ascend 950PR), as quoted in gitcode.com/cann/ops-transformer/issues/5487.
[F] hiascend.com, guide for inference of large models, "Bandwidth optimization"
    (foundmodelinfer/atlaslmimog_0048): MTE2 moves 3.87 TB/s in a matmul whose reads hit
    the L2 cache 93.8 % of the time.
[B] hiascend.com, Ascend C best practices, "Move data in large blocks": copies of 16 KiB
    and more come near the best bandwidth.
[L] hiascend.com, Ascend C best practices, "L2 cache tiling"
    (atlas_ascendc_best_practices_10_10012): L2 holds 192 MB, and is read three to four
    times as fast as global memory.
"assumed": no public figure was found; the reason for the value is given.

Of Ascend 310P too little is published for a model.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, its unit, and its source or the reason for an assumption."""

    value: float
    unit: str
    source: str

    @property
    def assumed(self) -> bool:
        """Whether no publication states it."""
        return self.source.startswith("assumed")


@dataclass(frozen=True, slots=True)
class Chip:
    """Constants of a chip; its memories and cores are in `..targets`.

    Attributes:
        clock: of all pipes.
        hbm: what all cores together read and write of global memory.
        l2: what all cores together read through L2; each has its share, and writes as
            fast as it reads.
        l2_bytes: what L2 holds.
        cube_macs: products of float16 of one core.
        cycles_per_repeat: of a vector instruction, for 256 bytes.
        vector_start, cube_start: of each instruction.
        l1: what MTE1 moves from L1.
        large_copy: a copy of this size runs at 90 % of the rate; the start of each copy
            follows from it.
    """

    clock: Constant
    hbm: Constant
    l2: Constant
    l2_bytes: Constant
    cube_macs: Constant
    cycles_per_repeat: Constant
    vector_start: Constant
    cube_start: Constant
    l1: Constant
    large_copy: Constant

    def rows(self) -> list[tuple[str, Constant]]:
        """All constants with their names."""
        return [(f.name, getattr(self, f.name)) for f in fields(self)]


_START = Constant(16, "cycles", "assumed: of the order of the depth of a pipeline")
_L1 = Constant(
    256,
    "B/cycle",
    "assumed: products of 128 x 256 x 64 need 96; below that MTE1 would be the limit",
)
_LARGE = Constant(16384, "B", "[B], 'near' read as 90 %")

CHIPS: dict[int, Chip] = {
    2201: Chip(
        clock=Constant(1.8e9, "Hz", "[W] of 910B2; 910B1 has as many cores"),
        hbm=Constant(1.6e12, "B/s", "[W] of 910B2"),
        l2=Constant(3.87e12, "B/s", "[F]"),
        l2_bytes=Constant(192e6, "B", "[L]"),
        cube_macs=Constant(4096, "1/cycle", "[W] 353 TFLOPS / 24 cores / 1.8 GHz / 2"),
        cycles_per_repeat=Constant(
            1, "cycles", "[W] 22 TFLOPS / 48 cores / 1.8 GHz / 2: 128 halves a cycle"
        ),
        vector_start=_START,
        cube_start=_START,
        l1=_L1,
        large_copy=_LARGE,
    ),
    3510: Chip(
        clock=Constant(1.65e9, "Hz", "[W]"),
        hbm=Constant(1.6e12, "B/s", "[W]"),
        l2=Constant(4.73e12, "B/s", "assumed: bytes per core and cycle of 910B, [F]"),
        l2_bytes=Constant(96e6, "B", "assumed: half of 910B's, to be safe"),
        cube_macs=Constant(4096, "1/cycle", "[W] 432 TFLOPS / 32 cores / 1.65 GHz / 2"),
        cycles_per_repeat=Constant(
            0.5, "cycles", "[W] 54 TFLOPS / 64 cores / 1.65 GHz / 2: 256 halves a cycle"
        ),
        vector_start=_START,
        cube_start=_START,
        l1=_L1,
        large_copy=_LARGE,
    ),
}
