"""Lowered programs as compiled code: alone, or many in one translation unit.

The headers cost gcc a third of a second, a map three hundredths: many kernels in one
unit are compiled several times faster than each in its own. One kernel that does not
compile must not take the others along, so a unit that fails is cut in halves.
"""

from __future__ import annotations

import struct
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from opslib.codegen.c_style import print_unit, symbol
from opslib.errors import CompileError
from opslib.ir import loops
from opslib.ir.expr import Program, Scalar
from opslib.ir.printer import fingerprint
from opslib.lowering import cpu_target, lower
from opslib.lowering.passes import show
from opslib.runtime import cache, toolchain

from .target import blocking_target, compiler_flags, host_target

Layout = tuple[str, ...]

# A unit takes as long as about this many maps, 2 to 10 s of gcc: longer units save
# little more, and lose more when one kernel fails or time runs out.
_UNIT = 48
# How long gcc takes for a kernel of a skeleton, in maps (measured: 40 ms to 2 s).
_WEIGHTS = {"contraction": 12, "streaming": 12, "nest": 6, "order": 6, "row_fold": 3}
# What may be one kernel's fault: refused, out of time, a crash, out of memory.
_OWN_FAULT = ("E1002", "E1003", "E1004", "E1005")


@dataclass(frozen=True, slots=True)
class Variant:
    """A program compiled for one layout: an address and its calling convention."""

    kernel: loops.Kernel
    address: int
    source: str
    path: str

    def ints(
        self,
        arrays: Sequence[Any],
        sizes: Mapping[str, int],
        scalars: Mapping[str, int | float],
    ) -> bytes:
        """The kernel's ``ints``: sizes, strides in elements, integer attributes."""
        values = [int(sizes[n]) for n in self.kernel.sizes]
        buffers = (*self.kernel.inputs, *self.kernel.outputs)
        for buffer, array in zip(buffers, arrays, strict=True):
            for axis, stride in enumerate(buffer.strides):
                if isinstance(stride, Scalar):
                    values.append(array.strides[axis] // array.itemsize)
        values += [
            _wrapped(int(scalars[s.name]))
            for s in self.kernel.scalars
            if not s.type.is_float
        ]
        return struct.pack(f"={len(values)}q", *values)

    def reals(self, scalars: Mapping[str, int | float]) -> bytes:
        """The kernel's ``reals``: the real attributes."""
        values = [float(scalars[n]) for n in self.kernel.reals]
        return struct.pack(f"={len(values)}d", *values)


def _wrapped(value: int) -> int:
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


def lowered(program: Program, name: str, layout: Layout) -> loops.Kernel:
    """The loop nest of a program for arrays of a layout."""
    tensors = (*program.inputs, *program.outputs)
    by_name = {t.name: kind for t, kind in zip(tensors, layout, strict=True)}
    with cpu_target.use(blocking_target()):
        kernel: loops.Kernel = lower(program, by_name, name=name)
    return kernel


def unique_name(program: Program, layout: Layout) -> str:
    """A name that tells programs and layouts apart."""
    kinds = "".join(kind[0] for kind in layout)
    return f"{program.name}_{fingerprint(program)[:10]}_{kinds}"


def build(
    kernels: Sequence[loops.Kernel], timeout_s: float | None = None
) -> list[Variant]:
    """Compiles kernels, whose names differ, in one translation unit."""
    source = print_unit(kernels)
    show("source", source)
    compiler = toolchain.find_toolchain()
    library = cache.default_cache().load(
        source,
        kernels[0].name if len(kernels) == 1 else f"{kernels[0].name}_and_more",
        compiler,
        compiler_flags(host_target(), compiler.kind),
        timeout_s=timeout_s,
    )
    return [
        Variant(k, library.symbol(symbol(k)), source, str(library.path))
        for k in kernels
    ]


def build_many(
    requests: Sequence[tuple[Program, Layout]], processes: int = 1
) -> list[Variant | Exception]:
    """Compiles programs in as few units as is sensible.

    Args:
        requests: all different.
        processes: how many compilers run at a time.

    Returns:
        For each request its variant, or why it has none: a CompileError of its own, or
        whatever lowering it raised.

    Raises:
        CompileError: nothing can be compiled here (no space, no working compiler).
    """
    found: dict[int, Variant | Exception] = {}
    kernels: dict[int, loops.Kernel] = {}
    names: Counter[str] = Counter()
    for k, (program, layout) in enumerate(requests):
        name = unique_name(program, layout)
        # Programs that differ in the names of indices only share a fingerprint.
        names[name] += 1
        if names[name] > 1:
            name = f"{name}_{names[name]}"
        try:
            kernels[k] = lowered(program, name, layout)
        except Exception as error:
            # Of any class, a bug in lowering included: one kernel's, not the others'.
            found[k] = error
    lock = threading.Lock()

    def work(unit: list[int]) -> None:
        made = _unit([kernels[k] for k in unit])
        with lock:
            found.update(zip(unit, made, strict=True))

    with ThreadPoolExecutor(max(processes, 1)) as pool:
        list(pool.map(work, _units(kernels)))
    return [found[k] for k in range(len(requests))]


def _units(kernels: Mapping[int, loops.Kernel]) -> Iterator[list[int]]:
    unit: list[int] = []
    weight = 0
    for k, kernel in kernels.items():
        own = _WEIGHTS.get(kernel.skeleton, 1)
        if unit and weight + own > _UNIT:
            yield unit
            unit, weight = [], 0
        unit.append(k)
        weight += own
    if unit:
        yield unit


def _unit(kernels: Sequence[loops.Kernel]) -> list[Variant | Exception]:
    """One unit; in halves, and those in halves, where it does not compile."""
    try:
        return [*build(kernels)]
    except CompileError as error:
        if error.code not in _OWN_FAULT:
            raise
        if len(kernels) == 1:
            return [error]
    middle = len(kernels) // 2
    return _unit(kernels[:middle]) + _unit(kernels[middle:])
