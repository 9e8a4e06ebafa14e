"""Performance on paper: what a kernel would take on a chip, by the twin's counters.

Nothing here was measured on a chip. The twin runs a kernel with the costs of one chip
(`model_chips`), each pipe with a clock of its own that flags and barriers tie together,
so that its time is that of the busiest pipe and of the waits that nothing hides. That
is done for one core and few tiles, at sizes whose costs grow linearly; `grown` extends
the line to the sizes asked for. The memory that all cores share is one more pipe: the
estimate is the longer of the slowest core's time and the time of the bytes.

What is left out: conflicts of banks and of cores, misses of the L2 cache once it is
large enough, refresh, the launch itself, and that exp or a division may take more than
the one cycle that an addition takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from opslib.ir.bind import Argument, bind
from opslib.ir.dtypes import DTYPES
from opslib.ir.expansion import expand
from opslib.ir.expr import Program
from opslib.language.library import load_library
from opslib.runtime import cache, toolchain

from ..targets import DEFAULT, AscendTarget
from . import simulator
from .lower import lower, mangle
from .model_chips import CHIPS, Chip
from .plan import Program as Made
from .renderer import print_unit
from .tune import FORCED, Product, Tile, best, copy_costs

# The twin's order (opslib_twin_counters.h).
TWIN_PIPES = ("S", "V", "M", "MTE1", "MTE2", "MTE3", "FIX")
BUSY, EXPOSED, BYTES_IN, BYTES_OUT, BYTES_FIX, CYCLES = 7, 14, 21, 23, 26, 36
_ENTRIES = 42


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a call takes, on paper.

    Attributes:
        seconds: the longer of `core_seconds` and `memory_seconds`.
        core_seconds: of the core with the most to do.
        memory_seconds: of the call's arrays at the full bandwidth of the memory.
        compute: the share of the cube cores' peak that the products are; 0 without.
        busy: of each pipe of that core, the share of `seconds` in which it works.
        exposed: the share in which the pipe stands at a wait.
    """

    seconds: float
    core_seconds: float
    memory_seconds: float
    compute: float
    busy: dict[str, float]
    exposed: dict[str, float]

    @property
    def dma(self) -> float:
        """The share of the memory's bandwidth that is used."""
        return self.memory_seconds / self.seconds

    def __str__(self) -> str:
        pipes = ", ".join(f"{p} {100 * x:.0f} %" for p, x in self.busy.items())
        kinds = f"memory {100 * self.dma:.0f} %"
        if self.compute:
            kinds = f"cube {100 * self.compute:.0f} % of the peak, {kinds}"
        return f"{self.seconds * 1e6:.1f} us on paper: {kinds}; at work: {pipes}"


def costs(chip: Chip, target: AscendTarget, cube: bool) -> list[float]:
    """The constants of the twin's cost model (opslib_twin_cost.h), for one core.

    A core copies as fast as its share of L2 allows, in each direction. What all of them
    ask of the memory together is accounted for in `estimate`.
    """
    cores = target.cubes if cube else target.vectors
    start, rate = copy_costs(chip, cores)
    return [
        chip.vector_start.value,
        chip.cycles_per_repeat.value,
        start,
        rate,
        rate,
        chip.l1.value,
        rate,
        chip.cube_start.value,
        4096 / chip.cube_macs.value,
        1.0,
    ]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel on the twin, with its cost model at hand."""

    program: Program
    made: Made
    entries: list[Any]
    set_costs: Any
    target: AscendTarget

    @property
    def on_cube(self) -> bool:
        """Whether a launch of it is for cube cores."""
        return any(x.unit in ("cube", "mix") for x in self.made.launches)


def compiled(program: Program, target: AscendTarget = DEFAULT) -> Kernel:
    """Compiles a program."""
    made = lower(program, mangle(program.name), target)
    ffi = simulator._FFI
    library = cache.default_cache().load(
        simulator.with_entries(print_unit([made]), [made]),
        f"ascend_{made.name}",
        toolchain.find_toolchain("c++"),
        (*simulator.flags(target), *simulator.engine(target)),
        timeout_s=600,
    )
    entries = [
        ffi.cast("opslib_twin", library.symbol(f"{x.name}_twin")) for x in made.launches
    ]
    setter = ffi.cast(
        "void (*)(double *, uint32_t)", library.symbol("opslib_twin_costs")
    )
    return Kernel(program, made, entries, setter, target)


def bound(operator: str, *arguments: tuple[str, tuple[int, ...]], **named: Any) -> Any:
    """A call of an operator: its binding and its program. Arguments: dtype, shape."""
    library = load_library()
    spec = library[operator]
    given: dict[str, Any] = {p.name: None for p in spec.tensors}
    for p, (dtype, shape) in zip(spec.tensors, arguments, strict=False):
        given[p.name] = Argument(DTYPES[dtype], shape)
    binding = bind(spec, given, named)
    return binding, expand(spec, binding.statics, library)


def counted(
    kernel: Kernel, binding: Any, tile: Tile | None = None, entries: int = _ENTRIES
) -> Any:
    """The twin's counters of a call on one core, with the costs of the chip: float64.

    `tile` is how a product is cut, if not as the tuner chooses for these sizes.

    Of several launches the sum, since one waits for the other. The arrays are zeros:
    no cost depends on a value.
    """
    target, ffi = kernel.target, simulator._FFI
    given, results = (
        [
            np.zeros(tuple(o.view.extents), t.dtype.numpy)
            for o, t in zip(ends, tensors, strict=True)
        ]
        for ends, tensors in (
            (binding.inputs, kernel.program.inputs),
            (binding.outputs, kernel.program.outputs),
        )
    )
    values = costs(CHIPS[target.number], target, kernel.on_cube)
    found: dict[str, list[int]] = {}
    kernel.set_costs(ffi.new("double[]", values), len(values))
    token = FORCED.set(tile)
    try:
        simulator.run(
            kernel.made, kernel.entries, given, results, binding.sizes,
            binding.scalars, target, kernel.program.name, found, 1,
        )  # fmt: skip
    finally:
        FORCED.reset(token)
        kernel.set_costs(ffi.NULL, 0)
    return np.sum([c[:entries] for c in found.values()], axis=0, dtype=np.float64)


def line(points: tuple[float, float], values: tuple[Any, Any], at: float) -> Any:
    """The line through the values at two points, at a third."""
    (a, b), (x, y) = points, values
    return x + (y - x) * ((at - a) / (b - a))


def matmul(
    m: int,
    n: int,
    k: int,
    dtype: str = "float16",
    tile: Tile | None = None,
    target: AscendTarget = DEFAULT,
) -> Estimate:
    """``matmul(a[m, k], b[k, n])``, cut by `tile`, or as the tuner does.

    One core's cost is linear in the depth and in the number of blocks: it is counted
    at 2 and 3 blocks and at 4 and 6 panels of depth. Before that the line has a bend:
    MTE2 fills both panels of L1 while the cube has nothing to do yet.
    """
    size = DTYPES[dtype].bytes
    tile = tile or best(Product(1, m, n, k, size, size), target)
    chip = CHIPS[target.number]
    panel = tile.panels * tile.depth // size
    _, program = bound("matmul", (dtype, (64, 64)), (dtype, (64, 64)))
    kernel = compiled(program, target)

    rows, columns = min(m, tile.m), min(n, tile.n)

    def at(blocks: int, panels: int) -> Any:
        deep = panels * panel
        shapes = (dtype, (rows, deep)), (dtype, (deep, blocks * columns))
        return counted(kernel, bound("matmul", *shapes)[0], tile)

    blocks = -(-m // tile.m) * -(-n // tile.n)
    most = -(-blocks // target.cubes)
    two, three = (line((4, 6), (at(b, 4), at(b, 6)), k / panel) for b in (2, 3))
    per_core = line((2, 3), (two, three), most)
    arrays = size * (m * k + k * n + m * n)
    moved = float(arrays)
    if size * (m * k + k * n) > chip.l2_bytes.value:
        moved = float(per_core[BYTES_IN] + per_core[BYTES_FIX]) * target.cubes
    return _estimate(per_core, chip, target, moved, float(m) * n * k)


def rows(
    operator: str,
    count: int,
    length: int,
    dtype: str = "float32",
    target: AscendTarget = DEFAULT,
    **attributes: Any,
) -> Estimate:
    """An operator on ``[count, length]``, each row for itself: softmax, for example.

    One core's cost is linear in the number of its rows: it is counted at 16 and 48.
    """
    chip = CHIPS[target.number]
    few, many = 16, 48
    calls = [
        bound(operator, (dtype, (height, length)), **attributes)
        for height in (few, many)
    ]
    kernel = compiled(calls[0][1], target)
    values = tuple(counted(kernel, binding) for binding, _ in calls)
    assert len(values) == 2
    per_core = line((few, many), values, -(-count // target.vectors))
    moved = line((few, many), values, count)[[BYTES_IN, BYTES_OUT]].sum()
    return _estimate(per_core, chip, target, float(moved), 0)


def _estimate(
    counters: Any, chip: Chip, target: AscendTarget, moved: float, macs: float
) -> Estimate:
    """The estimate of a call by the counters of its busiest core."""
    core = float(counters[CYCLES]) / chip.clock.value
    memory = moved / chip.hbm.value
    seconds = max(core, memory)
    cycles = seconds * chip.clock.value
    peak = chip.cube_macs.value * chip.clock.value * target.cubes

    def share(first: int) -> dict[str, float]:
        found = zip(TWIN_PIPES, counters[first : first + 7] / cycles, strict=True)
        return {pipe: float(value) for pipe, value in found if value > 0}

    return Estimate(
        seconds, core, memory, macs / peak / seconds, share(BUSY), share(EXPOSED)
    )
