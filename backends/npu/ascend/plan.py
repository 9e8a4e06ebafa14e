"""A whole generated program: its launches, its arguments, and how long they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opslib.ir import expr, loops
from opslib.ir.expr import Expr
from opslib.lowering.numbers import number

from .machine import Launch

if TYPE_CHECKING:
    from .tune import Tile

SIZES = {
    "half": 2, "bfloat16_t": 2, "float": 4,
    "int8_t": 1, "uint8_t": 1, "int16_t": 2, "uint16_t": 2,
    "int32_t": 4, "uint32_t": 4, "int64_t": 8, "uint64_t": 8,
}  # fmt: skip


# Words of a core's status: a line of the scalar unit's cache, which cores do not share.
STATUS = 8


@dataclass(frozen=True, slots=True)
class Limit:
    """A launch-time bound on an integer, beyond which another kernel takes over.

    `parts`: the integer is cut into pieces of the first of them, and these by the next;
    the bound is for the last piece, which may also be 0.
    """

    value: Expr
    least: int
    most: int
    parts: tuple[int, ...] = ()

    def holds(self, value: int) -> bool:
        """Whether a call keeps to it."""
        for part in self.parts:
            value %= part
        return self.least <= value <= self.most or (value == 0 and bool(self.parts))


@dataclass(frozen=True, slots=True)
class Pointer:
    """An argument in global memory and the tensor of it.

    Attributes:
        name: of the tensor in the text.
        argument: of the parameter.
        ctype: of its elements.
        kind: ``input``, ``output``, ``workspace``, ``ints``, ``reals``, ``status``.
        count: the name of the integer that holds the number of elements.
        buffer: of the kernel, for what `kind` says.
        private: each core has a part of its own.
    """

    name: str
    argument: str
    ctype: str
    kind: str
    count: str
    buffer: loops.Buffer | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class Cutting:
    """A product whose tile is chosen for each call (tune.py).

    Attributes:
        names: in `Program.values`: of the tile's rows, its columns, and the elements
            of k in L0 and in L1.
        extents: how many products, rows, columns and terms there are.
        size, out: bytes of an element of the sides, and of the result.
        tile: what it is for all calls; None where the tuner chooses.
    """

    names: tuple[str, str, str, str]
    extents: tuple[Expr, Expr, Expr, Expr]
    size: int
    out: int
    tile: Tile | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """What the simulator and the device launch.

    Attributes:
        kernel: the loops it was made from.
        name: C identifier.
        launches: one after the other, each a barrier.
        pointers: arguments of every launch, in order; the last three are numbers
            (int64), reals (float) and status (`STATUS` int64 for each core: whether
            a check failed there, which, the value, its extent).
        values: (C name, name in the kernel) of the integers in `numbers`; the counts
            of the pointers follow.
        reals: the same for reals.
        lets: definitions of variables that extents of workspaces mention.
        limits: what sizes must keep to; see `cube.Limit`.
        host: gives more scalars, computed by the host; see host_scalars.py.
        cuttings: products; what their tiles are is among `values`.
    """

    kernel: loops.Kernel
    name: str
    launches: tuple[Launch, ...]
    pointers: tuple[Pointer, ...]
    values: tuple[tuple[str, str], ...]
    reals: tuple[tuple[str, str, str], ...]
    lets: Mapping[str, Expr]
    host: expr.Program | None = None
    limits: tuple[Limit, ...] = ()
    cuttings: tuple[Cutting, ...] = ()

    @staticmethod
    def sizeof(ctype: str) -> int:
        """Bytes of an element."""
        return SIZES[ctype]

    @property
    def skeleton(self) -> str:
        """What it was lowered by."""
        return self.kernel.skeleton


def counts(
    program: Program, arrays: Sequence[Any], known: Mapping[str, Any]
) -> list[int]:
    """Elements of each pointer but the last three; of one core where private."""
    found = []
    for pointer, array in zip(program.pointers, arrays, strict=False):
        if array is not None:
            found.append(int(array.size))
            continue
        assert pointer.buffer is not None
        total = 1
        for extent in pointer.buffer.shape:
            total *= max(0, int(number(extent, known, program.lets)))
        # Parts of different cores share no line of the scalar unit's cache.
        line = 64 // SIZES[pointer.ctype]
        found.append((total + line) // line * line)
    return found


__all__ = ["SIZES", "Limit", "Pointer", "Program", "counts", "number"]
