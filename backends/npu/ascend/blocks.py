"""Stores of chips whose copies are of whole blocks of 32 bytes.

Such a chip has no DataCopyPad (atlasascendc_api_07_0265: not on the AI cores of 310P).
What does not fill its last block is stored twice in part: the block that ends where the
tensor ends is gathered and copied as well, over values that are there already. Nothing
outside is written, so that cores need not know of each other. Pieces shorter than a
block cannot be stored so: kernels have a limit that says when there would be one, and
beyond it another kernel stores one element after another, on one core.
"""

from __future__ import annotations

from collections.abc import Mapping

from opslib.ir.dtypes import DType
from opslib.ir.expr import Axis, Const, Expr, Index, Prim, Read, Var, substitute, walk
from opslib.lowering.skeletons import arith

from .lanes_state import Tiles
from .machine import Access, Instruction
from .plan import SIZES, Limit

BLOCK = 32


class NoBlocks(Exception):
    """How long the pieces are that a loop stores is not known before the launch."""


def load(copies_bytes: bool) -> str:
    """The function that brings lanes to UB."""
    return "opslib::Load" if copies_bytes else "opslib::LoadBlocks"


def store(tiles: Tiles, at: str, out: str, count: str, memory: Access) -> None:
    """Lanes to global memory, by DMA."""
    ctype = tiles.all[out].ctype
    size, side = SIZES[ctype], "_next" if tiles.side else ""
    # Gather takes elements of 16 and 32 bits [R: Gather, 07_0092]; bytes become halves.
    step = 4 if size >= 4 else 2
    places = BLOCK if size == 1 else BLOCK // step
    lanes = tiles.fixed(f"lanes{step}", "uint32_t", places)
    tail = tiles.fixed(f"tail{side}", ctype, BLOCK // size)
    between: tuple[str, ...] = ()
    if size == 1:
        # The 33 to 63 bytes from the last block's start that is aligned, and those
        # wanted of them.
        between = (
            tiles.fixed(f"wide{side}", "half", 2 * BLOCK),
            tiles.fixed(f"moved{side}", "half", BLOCK),
        )
    operands = ", ".join((tail, out, *between, lanes, count))
    tiles.instruction("V", f"opslib::Tail({operands});", (out, lanes), (tail, *between))
    text = f"opslib::StoreBlocks({at}, {out}, {tail}, {count});"
    tiles.instruction("MTE3", text, (out, tail), (), memory)


def store_each(tiles: Tiles, at: str, out: str, count: str, memory: Access) -> None:
    """Lanes to global memory, by the scalar unit."""
    text = f"opslib::StoreEach({at}, {out}, {count});"
    tiles.instruction("S", text, (out,), (), memory)


def ramps(tiles: Tiles) -> list[Instruction]:
    """What fills the tensors of places that `store` asks for, once."""
    found = []
    for name, kind in tiles._kind.items():
        if name in tiles.all and kind.startswith("lanes"):
            step = kind.partition(" ")[0].removeprefix("lanes")
            text = f"opslib::Ramp({name}, {step});"
            found.append(Instruction("S", text, (Access(name, True),)))
    return found


def piece(axis: Axis, lets: Mapping[str, Expr], dtype: DType) -> Limit:
    """How short the last piece of a loop may be: 0, or a block and more.

    Loops over a whole extent, and over blocks of one, whose ends are ``begin`` and
    ``min(begin + size, extent)``.

    Raises:
        NoBlocks: it is neither.
    """
    start, stop = _known(axis.start, lets), _known(axis.stop, lets)
    least = BLOCK // dtype.bytes if dtype.bytes < BLOCK else 1
    total = arith.sub(stop, start)
    parts: tuple[int, ...] = ()
    match stop:
        case Prim("min", (Prim("add", (begin, Const(size, _))), extent), _) if (
            begin is start and start is not arith.integer(0)
        ):
            if not _divides(start, int(size)):
                raise NoBlocks
            total, parts = extent, (int(size),)
    if any(isinstance(n, Index | Read | Var) for n in walk(total)):
        raise NoBlocks
    return Limit(total, least, 1 << 62, parts)


def _divides(node: Expr, size: int) -> bool:
    if not (isinstance(node, Prim) and node.op == "mul"):
        return False
    return any(isinstance(a, Const) and int(a.value) % size == 0 for a in node.args)


def _known(node: Expr, lets: Mapping[str, Expr]) -> Expr:
    """Without variables, as far as their values are known."""
    for _ in range(len(lets) + 1):
        names = {n for n in walk(node) if isinstance(n, Var) and n.name in lets}
        if not names:
            break
        node = substitute(node, {n: lets[n.name] for n in names})
    return node


__all__ = ["BLOCK", "NoBlocks", "load", "piece", "ramps", "store", "store_each"]
