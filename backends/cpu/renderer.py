"""Programs as compiled C: lower, print, compile, and what a launch needs.

A kernel is compiled for a layout: for each array whether its last axis has stride 1.
The first launch with another layout compiles that one; sizes and other strides are
arguments, so shapes never compile anything.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from opslib.errors import DeviceFailure, KernelError
from opslib.ir.expr import Const, Program
from opslib.runtime import launcher, pool
from opslib.runtime.failures import failed_check

from .units import Layout, Variant, build, build_many, lowered

# More layouts than this of one program share the one that assumes nothing.
MAX_LAYOUTS = 8
# A launch that touches more than this lets other Python threads run meanwhile.
_LONG = 1 << 16


class NotCompiled(Exception):
    """What a launch inside `gathering` raises: its variant was noted, not compiled."""


@dataclass(slots=True)
class Gathered:
    """Variants that launches asked for, to be compiled together."""

    wanted: dict[tuple[CpuKernel, Layout], None] = field(default_factory=dict)

    def compile(self, processes: int = 1) -> list[str]:
        """Compiles all of them, `processes` units at a time.

        Returns:
            What failed, a sentence each. Such a kernel is compiled alone, and raises
            its error, when it is launched.
        """
        todo = list(self.wanted)
        self.wanted.clear()
        requests = dict.fromkeys((k.program, layout) for k, layout in todo)
        made = dict(zip(requests, build_many([*requests], processes), strict=True))
        for k, layout in todo:
            found = made[k.program, layout]
            if isinstance(found, Variant):
                k._variants[layout] = found
        return [
            f"{program.name} ({', '.join(layout)}): {found}"
            for (program, layout), found in made.items()
            if not isinstance(found, Variant)
        ]


_gathered: ContextVar[Gathered | None] = ContextVar("gathered", default=None)


@contextmanager
def gathering() -> Iterator[Gathered]:
    """Notes what launches in the block would compile, instead of running them.

    To be used under `routing.trust`: a self-check that cannot run is no verdict.
    """
    found = Gathered()
    token = _gathered.set(found)
    try:
        yield found
    finally:
        _gathered.reset(token)


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
        for variant in list(self._variants.values()):
            return variant.kernel.skeleton
        return lowered(self.program, self.name, _contiguous(self.program)).skeleton

    @property
    def source(self) -> str:
        """The C text."""
        return self._default().source

    @property
    def address(self) -> int:
        """The function's address, for arrays contiguous along their last axis."""
        return self._default().address

    def _default(self) -> Variant:
        return self._variant(_contiguous(self.program))

    def variant(self, arrays: Sequence[Any]) -> Variant:
        """The compiled form for arrays (inputs, then outputs) with these strides."""
        layout = layout_of(arrays, len(self.program.inputs))
        found = self._variants.get(layout)
        return found if found is not None else self._variant(layout)

    def _variant(self, layout: Layout) -> Variant:
        with self._lock:
            if layout not in self._variants and len(self._variants) >= MAX_LAYOUTS:
                layout = ("strided",) * len(layout)
            found = self._variants.get(layout)
            if found is None:
                gathered = _gathered.get()
                if gathered is not None:
                    gathered.wanted[self, layout] = None
                    raise NotCompiled(self.name)
                (found,) = build([lowered(self.program, self.name, layout)])
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
            return failed_check(self.program, number, value, extent)
        if code == 2:
            return DeviceFailure(
                f"{self.program.name}: out of memory for scratch",
                code="E0804",
                help="free memory, or use fewer threads (opslib.set_num_threads)",
            )
        return KernelError(
            f"{self.program.name}: the kernel failed with code {code}",
            code="E0804",
            help="this is a bug in opslib; report the operator and its shapes",
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


def layout_of(arrays: Sequence[Any], inputs: int) -> Layout:
    """For each array, the `inputs` first, what its last stride promises.

    Which inputs are broadcast along the last axis promises nothing: one kernel serves
    all such calls, and asks for the strides while it runs (see `ops_loads_f32`). An
    input without a second element along it goes with the results.
    """
    found = []
    for a in arrays:
        if a.ndim == 0 or a.shape[-1] <= 1 or a.size == 0:
            found.append("any")
        elif a.strides[-1] == a.itemsize:
            found.append("contiguous-inner")
        else:
            found.append("strided" if a.strides[-1] else "broadcast-inner")
    if "broadcast-inner" in found[:inputs]:
        found[:inputs] = ["strided"] * inputs
    results = {*found[inputs:]}
    free = "strided" if results == {"strided"} else "contiguous-inner"
    return tuple(free if kind == "any" else kind for kind in found)


def kernel(program: Program) -> CpuKernel:
    """A kernel, compiled for contiguous arrays (inside `gathering`: for none)."""
    made = CpuKernel(program, program.name)
    if _gathered.get() is None:
        made._default()
    return made


def kernels(programs: Sequence[Program]) -> list[CpuKernel]:
    """Many kernels for contiguous arrays, compiled together."""
    made = [CpuKernel(p, p.name) for p in programs]
    layouts = [_contiguous(p) for p in programs]
    requests = dict.fromkeys(zip(programs, layouts, strict=True))
    variants = dict(zip(requests, build_many([*requests]), strict=True))
    for k, layout in zip(made, layouts, strict=True):
        found = variants[k.program, layout]
        if isinstance(found, Exception):
            raise found
        k._variants[layout] = found
    return made


def _contiguous(program: Program) -> Layout:
    return ("contiguous-inner",) * len((*program.inputs, *program.outputs))


__all__ = [
    "Callable",
    "Const",
    "CpuKernel",
    "Gathered",
    "NotCompiled",
    "Variant",
    "gathering",
    "kernel",
    "kernels",
]
