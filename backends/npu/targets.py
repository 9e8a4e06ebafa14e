"""The Ascend chips that code is generated for: one row each, with sources.

Sources (public documentation, read in November 2026): [H] Ascend C developer guide,
"Hardware Implementation" and "NPU architecture" (memory sizes, cores, pipes, layouts);
[R] its API reference, the restrictions and data types of the page of each function;
[S] "Synchronization control", SetFlag/WaitFlag and PipeBarrier; [P] the product pages
(core counts); [O] aclrtFloatOverflowMode (aclcppdevg_03_1389).
"""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024


@dataclass(frozen=True, slots=True)
class AscendTarget:
    """A chip generation.

    Attributes:
        number: as in ``--npu-arch=dav-2201``.
        name: of a product, for people.
        cubes, vectors: cores of the product [P].
        ub, l1, l0a, l0b, l0c: bytes of the on-chip memories of one core [H].
        ub_usable: what a kernel may use of ``ub``: the rest is the runtime's [H].
        separate: cube and vector are cores of their own, joined by global memory [H].
        l0a_layout: of the left matrix; the right one is zn, the result nz [H].
        bf16_vector, int8_vector: whether vector arithmetic takes the type [R: Add].
        bf16_cube, f32_cube: whether Mmad does [R: Mmad].
        shifts: whether the vector unit shifts integers [R: ShiftLeft, 07_0058].
        equals_int32: whether Compare tells int32 apart [R: CompareScalar, 07_0078 of
            CANN 8.0.RC2].
        copies_bytes: DataCopyPad moves any number of bytes; without it a copy is of
            whole blocks of 32 [R: DataCopyPad, its table of products].
        saturates: float results beyond the range become the largest number, and nan 0:
            no other mode is there [O].
        block_count: most blocks of a DataCopyPad [R: DataCopyPad].
        event_ids: event ids that a kernel may use of each pair of pipes [S].
    """

    number: int
    name: str
    cubes: int
    vectors: int
    ub: int
    ub_usable: int
    l1: int
    l0a: int
    l0b: int
    l0c: int
    separate: bool
    l0a_layout: str
    bf16_vector: bool
    int8_vector: bool
    bf16_cube: bool
    f32_cube: bool
    shifts: bool
    equals_int32: bool
    copies_bytes: bool
    saturates: bool
    block_count: int
    event_ids: int = 6


TARGETS: dict[int, AscendTarget] = {
    t.number: t
    for t in (
        AscendTarget(
            2201, "Ascend 910B1", 24, 48,
            192 * KIB, 188160, 512 * KIB, 64 * KIB, 64 * KIB, 128 * KIB,
            separate=True, l0a_layout="zz",
            bf16_vector=False, int8_vector=False, bf16_cube=True, f32_cube=True,
            shifts=True, equals_int32=True,
            copies_bytes=True, saturates=False, block_count=4095,
        ),
        AscendTarget(
            3510, "Ascend 950", 32, 64,
            256 * KIB, 248 * KIB, 512 * KIB, 64 * KIB, 64 * KIB, 256 * KIB,
            separate=True, l0a_layout="nz",
            bf16_vector=True, int8_vector=True, bf16_cube=True, f32_cube=True,
            shifts=True, equals_int32=True,
            copies_bytes=True, saturates=False, block_count=65535,
        ),
        AscendTarget(
            2002, "Ascend 310P", 8, 8,
            256 * KIB, 248 * KIB, 1024 * KIB, 64 * KIB, 64 * KIB, 256 * KIB,
            separate=False, l0a_layout="zz",
            bf16_vector=False, int8_vector=False, bf16_cube=False, f32_cube=False,
            shifts=False, equals_int32=False,
            copies_bytes=False, saturates=True, block_count=4095,
        ),
    )
}  # fmt: skip

# Alignments in bytes, the same on all chips [R: LocalTensor; H]: of DMA in UB, L1, of
# fractals in L0A and L0B, of Mmad's destination in L0C. Global memory has none.
UB_ALIGN, L0_ALIGN, L0C_ALIGN = 32, 512, 1024
# A vector instruction works on repeats of this many bytes, at most so many [R].
REPEAT_BYTES, REPEATS = 256, 255
# A fractal is 16 rows of 32 bytes; in L0C 16 x 16 elements of 4 bytes [H: data layout].
FRACTAL_ROWS, FRACTAL_BYTES = 16, 512
# m, n and k of one Mmad are at most this [R: Mmad].
CUBE_EDGE = 4095

DEFAULT = TARGETS[2201]
