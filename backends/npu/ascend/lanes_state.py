"""Tiles of a launch while it is printed: temporaries, and where instructions go."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from .allocate import Tile
from .machine import Access, Instruction


class Cannot(Exception):
    """The vector unit does not take this; the scalar unit will."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Lanes that instructions work on.

    Attributes:
        lane: the index variable of `Loops`.
        first: C name of the first lane's index.
        count: C name of the number of lanes.
        turns: the loop whose turns are different chunks.
    """

    lane: str
    first: str
    count: str
    turns: int


@dataclass(slots=True)
class Tiles:
    """Tensors on the chip by name; free ones are used again.

    `shifts`, `equals_int32`: see `AscendTarget`.
    """

    fresh: Callable[[str], str]
    put: Callable[[Instruction], None]
    block: Callable[[str], AbstractContextManager[None]]
    shifts: bool = True
    equals_int32: bool = True
    all: dict[str, Tile] = field(default_factory=dict)
    side: int = 0
    _free: dict[str, list[str]] = field(default_factory=dict)
    _kind: dict[str, str] = field(default_factory=dict)

    def temporary(
        self, ctype: str, base: str = "", per: int = 1, times: int = 1
    ) -> str:
        """A tensor for one element each of the tile, or more; see `free`."""
        kind = f"{base} {ctype} {self.side}"
        waiting = self._free.setdefault(kind, [])
        if waiting:
            return waiting.pop(0)
        mask = ctype == "uint8_t" and not base
        stem = base or (
            "mask" if mask else {"float": "t", "int32_t": "n"}.get(ctype, "h")
        )
        name = self.fresh(f"{stem}_next" if self.side else stem)
        self.all[name] = Tile(name, ctype, 8 if mask else per, times=times)
        self._kind[name] = kind
        return name

    def fixed(self, base: str, ctype: str, count: int) -> str:
        """A short tensor of fixed length, one for each `base`."""
        kind = f"{base} {ctype} {count}"
        for name, found in self._kind.items():
            if found == kind:
                return name
        name = self.fresh(base)
        self.all[name] = Tile(name, ctype, 0, count)
        self._kind[name] = kind
        return name

    def ramp(self) -> str:
        """A tensor of the numbers from 0 on."""
        if "ramp" not in self.all:
            self.constant(Tile("ramp", "float"))
        return "ramp"

    def constant(self, tile: Tile) -> None:
        """A tensor that is filled once; see `apart.ramps`."""
        self.all[tile.name] = tile
        self._kind[tile.name] = tile.name
        self._free[tile.name] = [tile.name]

    def free(self, name: str) -> None:
        """Gives a temporary back."""
        waiting = self._free[self._kind[name]]
        if name not in waiting:
            waiting.append(name)

    def scalar(
        self, text: str, reads: tuple[str, ...], writes: tuple[str, ...]
    ) -> None:
        """A statement of the scalar unit on tensors; "" is part of what follows."""
        self.instruction("S", text, reads, writes)

    def instruction(
        self,
        pipe: str,
        text: str,
        reads: tuple[str, ...],
        writes: tuple[str, ...],
        *memory: Access,
    ) -> None:
        """Adds an instruction."""
        accesses = [Access(r, False) for r in dict.fromkeys(reads)]
        accesses += [Access(w, True) for w in writes]
        self.put(Instruction(pipe, text, (*accesses, *memory)))
