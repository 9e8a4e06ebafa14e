"""Reads of elements that do not lie side by side: each comes in a block of its own.

One copy with a stride where neighbouring lanes are equally far apart, else one for each
lane, from places that the scalar unit works out. Gather then closes the gaps.
"""

from __future__ import annotations

from collections.abc import Iterator

from opslib.ir.expr import Const, Expr, Prim, Scalar, Size

from .allocate import Tile
from .lanes_state import Tiles
from .machine import Access, Instruction
from .plan import SIZES

BLOCK = 32
# A copy is of at most 4095 blocks (DataCopyPad, 07_0265), and tiles are powers of two.
LONGEST = 2048


def gathers(ctype: str) -> bool:
    """Whether Gather takes elements of a type: those of 16 and 32 bits."""
    return SIZES[ctype] in (2, 4)


def is_pitch(step: Expr) -> bool:
    """Whether a distance in elements is at least one, as strides and sizes are."""
    match step:
        case Const(value, _):
            return value >= 1
        case Scalar(name, _):
            return "_stride" in name
        case Size():
            return True
        case Prim("mul" | "add", (a, b), _):
            return is_pitch(a) and is_pitch(b)
    return False


def strided(
    tiles: Tiles,
    tensor: str,
    ctype: str,
    place: str,
    step: str,
    count: str,
    accesses: tuple[Access, ...],
) -> str:
    """Elements `step` apart from `place` on, side by side; the tensor's name."""
    spaced = _spaced(tiles, tensor, ctype)
    text = f"opslib::LoadApart({spaced}, {tensor}[{place}], {step}, {count});"
    tiles.instruction("MTE2", text, (), (spaced,), *accesses)
    return _closed(tiles, spaced, tensor, ctype, count)


def scattered(
    tiles: Tiles,
    tensor: str,
    ctype: str,
    place: str,
    count: str,
    accesses: tuple[Access, ...],
    named: tuple[str, ...] = (),
) -> str:
    """As `strided`, from a place that depends on ``lane``; `named` leads to it."""
    spaced = _spaced(tiles, tensor, ctype)
    width = BLOCK // SIZES[ctype]
    text = (
        f"for (int64_t lane = 0; lane < {count}; lane++) {{\n"
        + "".join(f"    {line}\n" for line in named)
        + f"    opslib::Load({spaced}[{width} * lane], {tensor}[{place}], 1);\n}}"
    )
    tiles.instruction("MTE2", text, (), (spaced,), *accesses)
    return _closed(tiles, spaced, tensor, ctype, count)


def _spaced(tiles: Tiles, tensor: str, ctype: str) -> str:
    return tiles.temporary(ctype, f"{tensor}_apart", times=BLOCK // SIZES[ctype])


def _closed(tiles: Tiles, spaced: str, tensor: str, ctype: str, count: str) -> str:
    """Gather's offsets are in bytes, 32 to a block."""
    if "blocks_at" not in tiles.all:
        tiles.constant(Tile("blocks_at", "int32_t", longest=LONGEST))
    raw = tiles.temporary(ctype, f"{tensor}_in")
    offsets = "blocks_at.ReinterpretCast<uint32_t>()"
    text = f"Gather({raw}, {spaced}, {offsets}, 0, {count});"
    tiles.instruction("V", text, (spaced, "blocks_at"), (raw,))
    tiles.free(spaced)
    return raw


def ramps(tiles: Tiles) -> Iterator[Instruction]:
    """Fills the tensors that a kernel reads and never changes."""
    if "ramp" in tiles.all:
        text = "CreateVecIndex(ramp, 0.0f, TILE);"
        yield Instruction("V", text, (Access("ramp", True),))
    if "blocks_at" in tiles.all:
        written = (Access("blocks_at", True),)
        yield Instruction("V", "CreateVecIndex(blocks_at, 0, TILE);", written)
        text = f"Muls(blocks_at, blocks_at, {BLOCK}, TILE);"
        yield Instruction("V", text, (Access("blocks_at", False), *written))
