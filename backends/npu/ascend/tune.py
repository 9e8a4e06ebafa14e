"""How a product is cut, chosen by what each cut would take on paper.

Candidates are all tiles of whole fractals that the memories hold, a set of buffers
twice. The twin counts a kernel to the cycle and takes seconds for it; `score` is the
same model in closed form, some microseconds, from the same constants (`model_chips`).
Tests hold it to the twin. The sizes of a call are known at launch only, so that is
when the tile is chosen, once for each product; it is an argument of the kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache

from ..targets import REPEAT_BYTES, AscendTarget
from .allocate import Tile as Lanes
from .machine import Node, instructions
from .model_chips import CHIPS, Chip
from .plan import SIZES

# A copy that is as large as the guide asks for is taken to run at this much.
LARGE_COPY_SHARE = 0.9
# Products in a fractal's cycle of float16; an element of 4 bytes halves the depth of a
# fractal and, of float32, the rate at which they are multiplied (model_chips, [W]).
FRACTAL_MACS = 4096
FRACTAL = 16
# k in bytes that L0A and L0B hold, and how many of these L1 does. Fractals of 4-byte
# elements are turned in squares of 16, so that 64 bytes are the least.
_DEPTHS = (64, 128, 256, 512, 1024)
_PANELS = (1, 2, 4, 8, 16)
# Rows and columns of a block. Squares of bytes are 32 wide.
_EDGES = (16, 32, 48, 64, 96, 128, 160, 192, 224, 256, 320, 384, 512)


@dataclass(frozen=True, slots=True)
class Tile:
    """How much of a product is on the chip at a time.

    Attributes:
        m, n: rows and columns of the block of sums in L0C.
        depth: bytes of k that L0A and L0B hold.
        panels: how many times that L1 holds.
    """

    m: int = 128
    n: int = 256
    depth: int = 128
    panels: int = 4


# What all products were cut by before any was chosen.
USUAL = Tile()
# For the model, which is asked what other tiles would take, and for kernels that are
# lowered while it is set: they are cut so in all calls.
FORCED: ContextVar[Tile | None] = ContextVar("cube_tile", default=None)


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes of one set of buffers: there are two of each, but one of the sums."""

    l1: int
    l0a: int
    l0b: int
    l0c: int

    def holds(self, tile: Tile) -> bool:
        """Whether a tile fits."""
        panel = tile.depth * tile.panels
        return (
            tile.m * panel <= self.l1
            and tile.n * panel <= self.l1
            and tile.m * tile.depth <= self.l0a
            and tile.n * tile.depth <= self.l0b
            and tile.m * tile.n * 4 <= self.l0c
        )


def room(target: AscendTarget) -> Room:
    """The memories of a chip, shared out: L1 to two panels of each side."""
    return Room(target.l1 // 4, target.l0a // 2, target.l0b // 2, target.l0c)


@dataclass(frozen=True, slots=True)
class Product:
    """``[m, k] x [k, n]``, so many times.

    Attributes:
        size: bytes of an element of both sides.
        out: bytes of an element of the result.
        floats: of 4 bytes, whose products take twice as long as those of 2.
    """

    batch: int
    m: int
    n: int
    k: int
    size: int
    out: int

    @property
    def macs(self) -> int:
        """Multiplications."""
        return self.batch * self.m * self.n * self.k


@dataclass(frozen=True, slots=True)
class Score:
    """What a tile would take.

    Attributes:
        tile: of which.
        cycles: of the core with the most blocks, or of the memory if that is more.
        blocks: all of them.
        limit: the pipe that decides, or ``memory``.
        cube: the share of the cubes' peak that the products are.
    """

    tile: Tile
    cycles: float
    blocks: int
    limit: str
    cube: float

    def __str__(self) -> str:
        t = self.tile
        return (
            f"{t.m} x {t.n}, k {t.depth} B x {t.panels}: {self.cycles:.0f} cycles, "
            f"{100 * self.cube:.0f} % of the cube, {self.blocks} blocks, {self.limit}"
        )


@lru_cache(maxsize=16)
def candidates(target: AscendTarget, size: int) -> tuple[Tile, ...]:
    """Every tile that fits; of elements of so many bytes."""
    holds = room(target).holds
    edges = [e for e in _EDGES if size > 1 or e % 32 == 0]
    return tuple(
        tile
        for m in edges
        for n in edges
        for depth in _DEPTHS
        for panels in _PANELS
        if holds(tile := Tile(m, n, depth, panels))
    )


def choose(product: Product, target: AscendTarget) -> Tile:
    """The tile of a call; `FORCED`, where it is set."""
    return FORCED.get() or best(product, target)


@lru_cache(maxsize=4096)
def best(product: Product, target: AscendTarget) -> Tile:
    """The tile of a call: the first of the fastest. Deterministic."""
    return ranked(product, target)[0].tile


@lru_cache(maxsize=64)
def ranked(product: Product, target: AscendTarget) -> tuple[Score, ...]:
    """All candidates, the fastest first; of equals the one with the larger block."""
    found = [score(product, tile, target) for tile in _worth(product, target)]
    found.sort(key=lambda s: (s.cycles, -s.tile.m * s.tile.n, s.tile.panels))
    return tuple(found)


def _worth(product: Product, target: AscendTarget) -> tuple[Tile, ...]:
    """Without those that another one of these surely equals.

    A block beyond the matrix, or a panel beyond k, does what the smaller one does.
    """
    most_m, most_n = _edge(product.m), _edge(product.n)
    # A product without terms has no tile that is better than another.
    deep = max(product.k * product.size, _DEPTHS[0])

    def needed(tile: Tile) -> bool:
        panel = tile.depth * tile.panels
        return (
            tile.m <= most_m
            and tile.n <= most_n
            and tile.depth < 2 * deep
            and (tile.panels == 1 or panel < 2 * deep)
        )

    return tuple(t for t in candidates(target, product.size) if needed(t))


def _edge(extent: int) -> int:
    """The least candidate that covers an extent."""
    return next((e for e in _EDGES if e >= extent and e % 32 == 0), _EDGES[-1])


def copy_costs(chip: Chip, cores: int) -> tuple[float, float]:
    """Cycles of a copy's start, and bytes a cycle, of one of so many cores."""
    rate = chip.l2.value / cores / chip.clock.value
    return chip.large_copy.value / rate * (1 / LARGE_COPY_SHARE - 1), rate


def score(product: Product, tile: Tile, target: AscendTarget) -> Score:
    """What a tile would take for a product.

    A core works through its blocks one after another. In a block MTE2 brings panels,
    MTE1 steps of them to L0, the cube multiplies, and Fixpipe drains the sums, for
    which the next block's products wait, but not its panels.
    """
    p, chip = product, CHIPS[target.number]
    start, rate = copy_costs(chip, target.cubes)
    down, across = -(-p.m // tile.m), -(-p.n // tile.n)
    blocks = p.batch * down * across
    mine = -(-blocks // target.cubes)
    # Blocks at the edges are smaller; the core with the most to do has few of them.
    rows: float = min(p.m, tile.m)
    columns: float = min(p.n, tile.n)
    if mine > 1:
        rows, columns = p.m / down, p.n / across
    row_fractals, column_fractals = -(-rows // FRACTAL), -(-columns // FRACTAL)
    deep = p.k * p.size
    panel = tile.depth * tile.panels
    panels, steps = -(-deep // panel), -(-deep // tile.depth)
    load = 2 * start * panels + (rows + columns) * deep / rate
    fill = 2 * start + (rows + columns) * min(deep, panel) / rate
    whole = min(deep, tile.depth)
    turn = (row_fractals + -(-whole // 32)) * start
    turn += FRACTAL * (row_fractals + column_fractals) * whole / chip.l1.value
    rounds = 2 if p.size == 4 else 1
    products = row_fractals * column_fractals * -(-whole // 32) * rounds
    multiply = chip.cube_start.value + products * FRACTAL_MACS / chip.cube_macs.value
    drain = start + rows * columns * p.out / rate
    chain = turn + steps * max(turn, multiply) + drain
    # Each panel begins with the first set of buffers in L0. After an odd number of
    # steps that is the one that the cube still reads.
    alone = panels if min(tile.panels, steps) % 2 else 1
    chain += alone * min(turn, multiply)
    pipes = {
        "MTE2": load,
        "MTE1": steps * turn + drain,
        "cube": chain,
    }
    slowest = max(pipes, key=lambda name: pipes[name])
    if slowest == "cube" and turn > multiply:
        slowest = "MTE1"
    # Beyond its own panel nothing is loaded while the sums drain.
    stall = max(0.0, load - max(0.0, chain - fill)) if panels <= 2 else 0.0
    core = fill + mine * max(load, chain) + min(stall, fill) * (mine > 1)
    if load > chain:
        core += drain + multiply
    memory = _memory(p, blocks, load * rate, chip)
    total = max(core, memory)
    peak = p.macs * p.size / 2 / chip.cube_macs.value / target.cubes
    return Score(
        tile, total, blocks, "memory" if memory >= core else slowest, peak / total
    )


def _memory(p: Product, blocks: int, loaded: float, chip: Chip) -> float:
    """Cycles that the memory behind L2 takes."""
    read = float(p.batch * p.size * (p.m * p.k + p.k * p.n))
    if read > chip.l2_bytes.value:
        read = blocks * loaded
    moved = read + p.batch * p.m * p.n * p.out
    return moved / chip.hbm.value * chip.clock.value


# -- tiles of the vector unit ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LaneScore:
    """What a tile of so many lanes takes.

    Attributes:
        length: of the tile.
        cycles: for each lane.
        limit: the pipe that decides; ``all`` where one waits for the other.
    """

    length: int
    cycles: float
    limit: str

    def __str__(self) -> str:
        return f"{self.length} lanes: {self.cycles:.3f} cycles each, {self.limit}"


def lanes(
    body: list[Node],
    tiles: Sequence[Lanes],
    options: Sequence[int],
    target: AscendTarget,
) -> list[LaneScore]:
    """The lengths that a tile may have, the fastest first; of equals the longest.

    Each instruction is counted once: they all are in the loop over tiles, or outside
    of what takes the time. Pipes work side by side where tensors come in pairs.
    """
    # 310P is modelled as its neighbour: little is published of it, and only the order
    # of the candidates counts here.
    chip = CHIPS.get(target.number) or CHIPS[2201]
    start, rate = copy_costs(chip, target.vectors)
    sizes = {t.name: SIZES[t.ctype] for t in tiles if t.per}
    starts: dict[str, float] = {}
    bytes_: dict[str, float] = {}
    for i in instructions(body):
        wide = max((sizes.get(a.buffer, 0) for a in i.accesses), default=0)
        if i.pipe in ("MTE2", "MTE3", "V") and wide:
            first = chip.vector_start.value if i.pipe == "V" else start
            starts[i.pipe] = starts.get(i.pipe, 0) + first
            speed = REPEAT_BYTES / chip.cycles_per_repeat.value
            speed = speed if i.pipe == "V" else rate
            bytes_[i.pipe] = bytes_.get(i.pipe, 0) + wide / speed
    paired = any(t.name.endswith("_next") for t in tiles)
    found = []
    for length in options:
        pipes = {p: starts[p] / length + bytes_[p] for p in starts}
        if not pipes:
            found.append(LaneScore(length, 0.0, "S"))
            continue
        slowest = max(pipes, key=lambda p: pipes[p])
        cycles = pipes[slowest] if paired else sum(pipes.values())
        found.append(LaneScore(length, cycles, slowest if paired else "all"))
    return sorted(found, key=lambda s: (s.cycles, -s.length))
