"""Addresses on the chip: how long a tile may be, and that everything fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..targets import AscendTarget
from .machine import Buffer
from .plan import SIZES

# Elements of a tile are a multiple of this, so that every tensor is whole repeats.
STEP = 256
# More than this gains nothing: one DMA moves 16 KiB and more.
MOST = 8192


@dataclass(frozen=True, slots=True)
class Tile:
    """A tensor of one element for each of the tile, or of fixed length.

    Attributes:
        name, ctype, note: see `Buffer`.
        per: elements are the tile's divided by this (8 for masks); 0: `fixed` ones.
        fixed: elements, where `per` is 0.
        times: so many elements for each.
        longest: of the tile.
    """

    name: str
    ctype: str
    per: int = 1
    fixed: int = 0
    note: str = ""
    times: int = 1
    longest: int = MOST


def lengths(tiles: Sequence[Tile], target: AscendTarget) -> list[int]:
    """The lengths in elements that a tile may have, the longest first.

    Powers of two, so that a fold by halves ends at one.

    Raises:
        ValueError: not even the shortest tile fits.
    """
    fixed = sum(_rounded(t.fixed * SIZES[t.ctype]) for t in tiles if not t.per)
    each = sum(SIZES[t.ctype] * t.times / t.per for t in tiles if t.per)
    room = (target.ub_usable - fixed) / each if each else MOST
    room = min([room, *(t.longest for t in tiles)])
    found = [n for k in range(16) if (n := MOST >> k) >= STEP and n <= room]
    if not found:
        raise ValueError(
            f"UB of {target.ub_usable} bytes holds no tile of {len(tiles)} tensors"
        )
    return found


def allocate(tiles: Sequence[Tile], length: int) -> list[Buffer]:
    """The buffers in UB of tiles of a length."""
    buffers = []
    for t in tiles:
        count = length * t.times // t.per if t.per else t.fixed
        size = _rounded(count * SIZES[t.ctype])
        buffers.append(Buffer(t.name, t.ctype, size, "ub", t.note))
    return buffers


def _rounded(size: int) -> int:
    return (size + 31) // 32 * 32
