"""Performance on paper of kernels for both kinds of cores; see model.py.

A cube core and its two vector cores share what L2 gives a cube core of matmul: each
vector core has half of the rate, and what all of them read together is one more limit,
for the tiles that the cores pass to each other go through L2.
"""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import Any

from opslib.ir.expr import Index, Read, Size, walk
from opslib.lowering.passes import prepare
from opslib.lowering.skeletons import streaming
from opslib.lowering.skeletons.streaming import Streaming

from ..targets import DEFAULT, AscendTarget
from . import model
from .attention import PARTS, ROWS, STEP
from .host_scalars import split
from .model_chips import CHIPS
from .plan import number

# The twin's counters of the vector cores of a block (opslib_twin_counters.h).
VECTOR_BUSY, VECTOR_EXPOSED, _ENTRIES = 49, 56, 63
_CUBE = ("M", "MTE1", "MTE2", "FIX")
_VECTOR = ("V", "MTE2", "MTE3")


@dataclass(frozen=True, slots=True)
class Shares:
    """What a call takes, on paper, and where its time goes.

    Attributes:
        seconds: the longest of the next three.
        core_seconds: of the core with the most to do.
        l2_seconds: of what all cores read through L2.
        memory_seconds: of the arrays at the memory's full bandwidth.
        compute: the share of the cubes' peak that the formula's two products are.
        work: the same, of all products that the cube makes: each weight in its parts.
        busy: of each pipe the share of `core_seconds` in which it works.
    """

    seconds: float
    core_seconds: float
    l2_seconds: float
    memory_seconds: float
    compute: float
    work: float
    busy: dict[str, float]

    @property
    def limit(self) -> str:
        """What the call waits for."""
        if self.seconds > self.core_seconds:
            return "L2" if self.seconds == self.l2_seconds else "the memory"
        return max(self.busy, key=lambda pipe: self.busy[pipe])

    def __str__(self) -> str:
        pipes = ", ".join(f"{p} {100 * x:.0f} %" for p, x in self.busy.items())
        ends = (
            f"{1e6 * s:.0f} us for {what}"
            for s, what in (
                (self.core_seconds, "the slowest core"),
                (self.l2_seconds, "what is read through L2"),
                (self.memory_seconds, "the memory"),
            )
        )
        return (
            f"{1e6 * self.seconds:.0f} us on paper, {100 * self.compute:.0f} % of the "
            f"cubes' peak ({100 * self.work:.0f} % with the parts of the weights); it "
            f"waits for {self.limit}: {', '.join(ends)}; of a core's time at work: "
            f"{pipes}"
        )


def attention(
    heads: int,
    rows: int,
    keys: int,
    size: int,
    dtype: str = "float16",
    target: AscendTarget = DEFAULT,
) -> Shares:
    """``scaled_dot_product_attention`` on [1, heads, rows or keys, size]."""
    shape = (dtype, (1, 1, 8, 8))
    binding, program = model.bound("scaled_dot_product_attention", shape, shape, shape)
    kernel = model.compiled(program, target)
    return shares(kernel, binding.scalars, heads, rows, keys, size)


def shares(
    kernel: model.Kernel, scalars: Any, heads: int, rows: int, keys: int, size: int
) -> Shares:
    """The estimate for a kernel of attention.py.

    A core's cost is linear in the number of its blocks of rows and of steps of each:
    it is counted at 1 and 2 blocks and at 3 and 4 steps.
    """
    target, chip = kernel.target, CHIPS[kernel.target.number]
    found = streaming.match(split(prepare(kernel.program))[0])
    assert found is not None
    dtype = kernel.program.inputs[0].dtype

    def at(blocks: int, steps: int) -> Any:
        return _counted(kernel, scalars, found, blocks * ROWS, steps * STEP, size)

    counts = [[at(blocks, steps) for steps in (3, 4)] for blocks in (1, 2)]
    one, two = (model.line((3, 4), (c[0], c[1]), keys / STEP) for c in counts)
    blocks = -(-rows // ROWS) * heads
    core = model.line((1, 2), (one, two), -(-blocks // target.cubes))
    each = model.line((1, 2), (one, two), blocks)
    clock = chip.clock.value
    core_seconds = float(core[model.CYCLES]) / clock
    l2_seconds = float(each[model.BYTES_IN]) / chip.l2.value
    arrays = dtype.bytes * heads * size * 2 * (rows + keys)
    memory_seconds = arrays / chip.hbm.value
    seconds = max(core_seconds, l2_seconds, memory_seconds)
    macs = 2.0 * heads * rows * keys * size
    peak = chip.cube_macs.value * clock * target.cubes
    cycles = core_seconds * clock

    def of(first: int, pipe: str, cores: int) -> float:
        return float(core[first + model.TWIN_PIPES.index(pipe)]) / cycles / cores

    busy = {f"cube core's {p}": of(model.BUSY, p, 1) for p in _CUBE}
    busy |= {f"vector cores' {p}": of(VECTOR_BUSY, p, 2) for p in _VECTOR}
    compute = macs / peak / seconds
    more = (1 + PARTS[dtype.name]) / 2
    return Shares(
        seconds, core_seconds, l2_seconds, memory_seconds, compute, compute * more, busy
    )


def _counted(
    kernel: model.Kernel, scalars: Any, s: Streaming, rows: int, keys: int, size: int
) -> Any:
    """The twin's counters of one core and its vector cores: float64."""
    sizes = dict.fromkeys(kernel.program.sizes, 1)
    # Masks and biases are as long as what they are read along.
    shapes = {t.name: t.shape for t in s.program.inputs}
    lengths = {s.rows.axes[-1].name: rows, s.j.name: keys}
    for n in walk(s.score, *s.masks):
        if isinstance(n, Read):
            for index, length in zip(n.indices, shapes[n.tensor], strict=True):
                if isinstance(index, Index) and isinstance(length, Size):
                    sizes[length.name] = lengths.get(index.name, 1)
    (deep,), (column,) = s.d.axes, s.columns.axes
    for axis, extent in (
        (s.rows.axes[-1], rows), (s.j, keys), (deep, size), (column, size)
    ):  # fmt: skip
        assert isinstance(axis.stop, Size)
        sizes[axis.stop.name] = extent

    def shaped(tensors: Any) -> list[Any]:
        return [
            types.SimpleNamespace(
                view=types.SimpleNamespace(
                    extents=[number(e, sizes, {}) for e in t.shape]
                )
            )
            for t in tensors
        ]

    binding = types.SimpleNamespace(
        inputs=shaped(kernel.program.inputs),
        outputs=shaped(kernel.program.outputs),
        sizes=sizes,
        scalars=scalars,
    )
    return model.counted(kernel, binding, entries=_ENTRIES)


__all__ = ["Shares", "attention", "shares"]
