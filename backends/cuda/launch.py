"""Programs as launches, on a GPU or in the simulator.

A kernel is compiled for a layout: for each array whether its last axis has stride 1.
The first launch with another layout compiles that one; sizes and other strides are
arguments, so shapes never compile anything. What a launch needs besides addresses is
worked out once for each set of sizes and strides.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from opslib.ir.expr import Program, Scalar
from opslib.ir.printer import fingerprint
from opslib.lowering.numbers import number
from opslib.lowering.passes import show
from opslib.runtime.gathering import NotCompiled, current

from .machine import MULTIPROCESSORS, Kernel
from .targets import GpuTarget

Numbers = Mapping[str, int | float]
Layout = tuple[str, ...]

# More layouts than this of one program share the one that assumes nothing.
MAX_LAYOUTS = 8
# Sets of sizes for which a variant remembers its launches.
_PLANS = 256
# Where workspaces begin: as the pool's memory does.
_ALIGNED = 256


@dataclass(frozen=True, slots=True)
class Step:
    """One launch of a call.

    Attributes:
        function: its place in `Kernel.launches`.
        grid, block: blocks, and threads of each.
        shared: bytes of dynamic shared memory.
        arguments: in order: an int is the place of a pointer among all of the call's
            (inputs, outputs, workspaces, status); `Value` is a number.
    """

    function: int
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    shared: int
    arguments: tuple[int | Value, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """A number among arguments: ``int64``, ``float32`` or ``float64``."""

    kind: str
    value: int | float


@dataclass(frozen=True, slots=True)
class Steps:
    """All launches of a call, and the workspaces that they share, as (dtype, count)."""

    launches: tuple[Step, ...]
    workspaces: tuple[tuple[Any, int], ...]

    @property
    def room(self) -> tuple[int, Sequence[int]]:
        """Bytes for all workspaces in one piece, and where each of them begins."""
        places = []
        end = 0
        for dtype, count in self.workspaces:
            places.append(end)
            end += -(-count * np.dtype(dtype).itemsize // _ALIGNED) * _ALIGNED
        return end, places


@dataclass(eq=False, slots=True)
class Variant:
    """A program lowered for one layout.

    Attributes:
        made: its launches as data.
        source: their text.
        place: where it runs.
        functions: what a `Place` compiled them to; None until somebody needs them.
        state: what a place keeps beside them (the status words' slot).
    """

    made: Kernel
    source: str
    place: Place
    functions: Sequence[Any] | None = None
    state: Any = None
    plans: dict[Any, Steps] = field(default_factory=dict)


class Place(Protocol):
    """Where kernels run."""

    @property
    def target(self) -> GpuTarget:
        """Whose code they are."""

    @property
    def multiprocessors(self) -> int:
        """What kernels are told of the device's size."""

    def compile(self, variants: Sequence[Variant]) -> None:
        """Fills in `Variant.functions`, in as few units as the place likes."""

    def strides(self, array: Any) -> tuple[int, ...]:
        """Of an array, in elements."""

    def alignment(self, array: Any) -> int:
        """What its address is a multiple of, as a power of two up to 4 (16 bytes)."""

    def run(
        self,
        program: Program,
        variant: Variant,
        steps: Steps,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
    ) -> None:
        """Launches."""


@dataclass(eq=False)
class CudaKernel:
    """See `opslib.runtime.protocol.Kernel`."""

    program: Program
    place: Place
    _variants: dict[Layout, Variant] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def skeleton(self) -> str:
        """Which skeleton the kernel came from."""
        for variant in list(self._variants.values()):
            return variant.made.skeleton
        return self.form(self.contiguous()).made.skeleton

    @property
    def source(self) -> str:
        """The CUDA C++ text, for arrays contiguous along their last axis."""
        return self.form(self.contiguous()).source

    def contiguous(self) -> Layout:
        """The layout of arrays without gaps."""
        tensors = (*self.program.inputs, *self.program.outputs)
        return ("contiguous-inner",) * len(tensors)

    def form(self, layout: Layout) -> Variant:
        """The form for a layout, lowered on first use; not compiled by this."""
        found = self._variants.get(layout)
        if found is not None:
            return found
        with self._lock:
            if layout not in self._variants and len(self._variants) >= MAX_LAYOUTS:
                layout = ("strided",) * len(layout)
            found = self._variants.get(layout)
            if found is None:
                found = lowered(self.program, layout, self.place)
                self._variants[layout] = found
            return found

    def compiled(self, layout: Layout) -> Variant:
        """The form for a layout, ready to be launched.

        Raises:
            NotCompiled: inside `gathering`: it was noted.
        """
        variant = self.form(layout)
        if variant.functions is None:
            gathered = current()
            if gathered is not None:
                gathered.wanted[variant] = None
                raise NotCompiled(variant.made.name)
            with self._lock:
                if variant.functions is None:
                    self.place.compile([variant])
        return variant

    def launch(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        sizes: Numbers,
        scalars: Numbers,
    ) -> Sequence[Any]:
        """Runs on the place's arrays, in place."""
        variant, steps = self.planned((*inputs, *outputs), sizes, scalars)
        self.place.run(self.program, variant, steps, inputs, outputs)
        return outputs

    def planned(
        self, arrays: Sequence[Any], sizes: Numbers, scalars: Numbers
    ) -> tuple[Variant, Steps]:
        """The form for arrays (inputs, then outputs), and what it launches.

        Raises:
            NotCompiled: inside `gathering`: it was noted.
        """
        place = self.place
        strides = tuple([place.strides(a) for a in arrays])
        layout = layout_of(arrays, strides)
        variant = self.compiled(layout)
        aligned = tuple([place.alignment(a) for a in arrays])
        key = (strides, aligned, (*sizes.values(),), (*scalars.values(),))
        steps = variant.plans.get(key)
        if steps is None:
            steps = steps_of(
                variant.made, strides, aligned, sizes, scalars, place.multiprocessors
            )
            if len(variant.plans) >= _PLANS:
                variant.plans.clear()
            variant.plans[key] = steps
        return variant, steps


def layout_of(arrays: Sequence[Any], strides: Sequence[tuple[int, ...]]) -> Layout:
    """For each array, what its last stride promises.

    An axis with fewer than two elements promises whatever is asked of it.
    """
    return tuple(
        [
            "contiguous-inner"
            if not s or s[-1] == 1 or a.shape[-1] <= 1 or 0 in a.shape
            else "strided"
            for a, s in zip(arrays, strides, strict=True)
        ]
    )


def lowered(program: Program, layout: Layout, place: Place) -> Variant:
    """A program as launches for arrays of a layout, and their text."""
    # The lowering is imported when the first program comes, not with the backend.
    from .lower import lower
    from .renderer import print_unit

    tensors = (*program.inputs, *program.outputs)
    by_name = {t.name: kind for t, kind in zip(tensors, layout, strict=True)}
    made = lower(program, by_name, place.target, unique_name(program, layout))
    source = print_unit([made])
    show("source", source)
    return Variant(made, source, place)


def unique_name(program: Program, layout: Layout) -> str:
    """A name that tells programs and layouts apart."""
    kinds = "".join(kind[0] for kind in layout)
    stem = "".join(c if c.isalnum() else "_" for c in program.name)
    return f"{stem}_{fingerprint(program)[:10]}_{kinds}"


def steps_of(
    made: Kernel,
    strides: Sequence[tuple[int, ...]],
    aligned: Sequence[int],
    sizes: Numbers,
    scalars: Numbers,
    multiprocessors: int,
) -> Steps:
    """What a call launches.

    Args:
        made: the kernel.
        strides: of its inputs and outputs, in order.
        aligned: their addresses', see `Place.alignment`.
        sizes: of the call.
        scalars: of the call.
        multiprocessors: of the device.
    """
    known = numbers_of(made, strides, aligned, sizes, scalars, multiprocessors)
    pointers = pointer_names(made)
    place = {name: k for k, name in enumerate(pointers)}
    launches = []
    for k, launch in enumerate(made.launches):
        if launch.condition is not None and not number(
            launch.condition, known, made.lets
        ):
            continue
        x, y, z = (int(number(e, known, made.lets)) for e in launch.grid)
        if min(x, y, z) <= 0:
            continue
        arguments: list[int | Value] = []
        for name in launch.parameters:
            p = made.parameters[name]
            if p.kind == "integer":
                arguments.append(Value("int64", wrapped(int(known[p.source]))))
            elif p.kind == "real":
                arguments.append(Value(p.dtype.name, float(scalars[p.source])))
            else:
                arguments.append(place[p.source])
        shared = int(number(launch.shared, known, made.lets))
        launches.append(Step(k, (x, y, z), launch.block, shared, tuple(arguments)))
    used = {a for step in launches for a in step.arguments if isinstance(a, int)}
    workspaces = tuple(
        # Forms that do not run need no memory.
        (
            w.dtype.numpy,
            int(number(w.count, known, made.lets)) if place[w.name] in used else 0,
        )
        for w in made.workspaces
    )
    return Steps(tuple(launches), workspaces)


def numbers_of(
    made: Kernel,
    strides: Sequence[tuple[int, ...]],
    aligned: Sequence[int],
    sizes: Numbers,
    scalars: Numbers,
    multiprocessors: int,
) -> dict[str, int | float]:
    """Every number that extents may mention, by name."""
    known: dict[str, int | float] = {**sizes, **scalars}
    known[MULTIPROCESSORS.name] = multiprocessors
    buffers = (*made.loops.inputs, *made.loops.outputs)
    for buffer, steps, bits in zip(buffers, strides, aligned, strict=True):
        known[f"{buffer.name}_align"] = bits
        for stride, step in zip(buffer.strides, steps, strict=True):
            if isinstance(stride, Scalar):
                known[stride.name] = step
    return known


def pointer_names(made: Kernel) -> tuple[str, ...]:
    """Sources of the pointers of all launches: the order of `Step.arguments`."""
    buffers = (*made.loops.inputs, *made.loops.outputs)
    status = [p.source for p in made.parameters.values() if p.kind == "status"]
    names = [b.name for b in buffers] + [w.name for w in made.workspaces]
    return (*names, *dict.fromkeys(status))


def wrapped(value: int) -> int:
    """An integer attribute as int64 holds it."""
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)
