"""Programs as compiled C: lower, print, compile, and what a launch needs.

A kernel is compiled for a layout: for each array whether its last axis has stride 1.
The first launch with another layout compiles that one; sizes and other strides are
arguments, so shapes never compile anything.
"""

from __future__ import annotations

import struct
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from opslib.codegen.c_style import print_unit, symbol
from opslib.errors import KernelError, OperandIndexError
from opslib.ir import loops
from opslib.ir.expr import Const, Program, Scalar
from opslib.ir.printer import fingerprint
from opslib.lowering import cpu_target, lower
from opslib.lowering.passes import show
from opslib.runtime import cache, launcher, pool, toolchain

from .target import blocking_target, compiler_flags, host_target

# More layouts than this of one program share the one that assumes nothing.
MAX_LAYOUTS = 8
# A launch that touches more than this lets other Python threads run meanwhile.
_LONG = 1 << 16

Layout = tuple[str, ...]


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


@dataclass(eq=False)
class CpuKernel:
    """See `opslib.runtime.protocol.Kernel`.

    `variant` is what a fast launcher needs: for arrays like these, the address and
    the packed numbers.
    """

    program: Program
    name: str
    _variants: dict[Layout, Variant] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def skeleton(self) -> str:
        """Which skeleton the kernel came from."""
        return self._default().kernel.skeleton

    @property
    def source(self) -> str:
        """The C text."""
        return self._default().source

    @property
    def address(self) -> int:
        """The function's address, for arrays contiguous along their last axis."""
        return self._default().address

    def _default(self) -> Variant:
        tensors = (*self.program.inputs, *self.program.outputs)
        return self._variant(("contiguous-inner",) * len(tensors))

    def variant(self, arrays: Sequence[Any]) -> Variant:
        """The compiled form for arrays (inputs, then outputs) with these strides."""
        found = self._variants.get(layout := layout_of(arrays))
        return found if found is not None else self._variant(layout)

    def _variant(self, layout: Layout) -> Variant:
        with self._lock:
            if layout not in self._variants and len(self._variants) >= MAX_LAYOUTS:
                layout = ("strided",) * len(layout)
            found = self._variants.get(layout)
            if found is None:
                (found,) = build([(self.program, self.name, layout)])
                self._variants[layout] = found
            return found

    def launch(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        sizes: Mapping[str, int],
        scalars: Mapping[str, int | float],
    ) -> Sequence[Any]:
        """Runs on NumPy arrays in place; what a kernel cannot address is copied."""
        usable = [*map(_usable, inputs), *map(_usable, outputs)]
        variant = self.variant(usable)
        context = pool.context_provider()
        code = launcher.launch(
            variant.address,
            context,
            [a.__array_interface__["data"][0] for a in usable],
            variant.ints(usable, sizes, scalars),
            variant.reals(scalars),
            sum(a.nbytes for a in usable) > _LONG,
        )
        if code:
            raise self.failure(launcher.last_error(context))
        for given, used in zip(outputs, usable[len(inputs) :], strict=True):
            if used is not given:
                given[...] = used
        return outputs

    def failure(self, error: tuple[int, int, int, int]) -> Exception:
        """What a kernel's non-zero code means; `error` is the context's."""
        code, number, value, extent = error
        if code == 1:
            check = self.program.checks[number]
            held = f"{check.operand} holds {value}, and " if check.operand else ""
            return OperandIndexError(
                f"{self.program.name}: {check.message} ({held}the extent is {extent})",
                code="E0708",
                help="indices must be within the axis they index",
            )
        return KernelError(
            f"{self.program.name}: out of memory for scratch"
            if code == 2
            else f"{self.program.name}: the kernel failed with code {code}",
            code="E0804",
            help="free memory, or use fewer threads (opslib.set_num_threads)",
        )

    def assembly(self) -> str:
        """The machine code, disassembled by ``objdump``; for debugging."""
        command = ["objdump", "-d", "--no-show-raw-insn", self._default().path]
        return subprocess.run(
            command, capture_output=True, text=True, check=True
        ).stdout


def _usable(array: Any) -> Any:
    if not array.flags.aligned or any(s % array.itemsize for s in array.strides):
        return np.array(array, order="C")
    return array


def layout_of(arrays: Sequence[Any]) -> Layout:
    """For each array what its last stride promises."""
    found = []
    for a in arrays:
        if a.ndim == 0 or a.shape[-1] <= 1 or a.strides[-1] == a.itemsize:
            found.append("contiguous-inner")
        else:
            found.append("strided" if a.strides[-1] else "broadcast-inner")
    return tuple(found)


def build(requests: Sequence[tuple[Program, str, Layout]]) -> list[Variant]:
    """Compiles programs in one translation unit."""
    kernels = []
    for program, name, layout in requests:
        tensors = (*program.inputs, *program.outputs)
        by_name = {t.name: kind for t, kind in zip(tensors, layout, strict=True)}
        with cpu_target.use(blocking_target()):
            kernels.append(lower(program, by_name, name=name))
    source = print_unit(kernels)
    show("source", source)
    compiler = toolchain.find_toolchain()
    library = cache.default_cache().load(
        source,
        kernels[0].name if len(kernels) == 1 else f"{kernels[0].name}_and_more",
        compiler,
        compiler_flags(host_target(), compiler.kind),
    )
    return [
        Variant(k, library.symbol(symbol(k)), source, str(library.path))
        for k in kernels
    ]


def kernel(program: Program) -> CpuKernel:
    """A kernel, compiled for contiguous arrays."""
    made = CpuKernel(program, program.name)
    made._default()
    return made


def kernels(programs: Sequence[Program]) -> list[CpuKernel]:
    """Many kernels, compiled together: one compiler start for all of them."""
    made = [
        CpuKernel(p, f"{p.name}_{fingerprint(p)[:8]}_{k}")
        for k, p in enumerate(programs)
    ]
    layouts = [("contiguous-inner",) * len((*p.inputs, *p.outputs)) for p in programs]
    requests = [
        (k.program, k.name, layout) for k, layout in zip(made, layouts, strict=True)
    ]
    for k, layout, variant in zip(made, layouts, build(requests), strict=True):
        k._variants[layout] = variant
    return made


__all__ = ["Callable", "Const", "CpuKernel", "Variant", "build", "kernel", "kernels"]
