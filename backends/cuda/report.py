"""What a generated kernel consists of, for people: launches, resources, accesses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from opslib.errors import OpslibError
from opslib.ir.binding import Binding
from opslib.ir.expr import Program
from opslib.runtime import host

from . import nvrtc, simulator
from .launch import Step, Steps, Variant, lowered, steps_of
from .memory import row_major
from .nvrtc import Compiled
from .targets import GpuTarget

# Places of the simulator's counters (native/cuda/sim/opslib_cuda_sim_counters.h).
_READ, _WRITTEN = 1, 2
_SECTORS, _IDEAL_SECTORS = 8, 9
_WAVEFRONTS, _IDEAL_WAVEFRONTS = 11, 12
_BARRIERS, _COLLECTIVES, _FLOPS = 13, 14, 15


def summary(program: Program, binding: Binding, target: GpuTarget) -> str:
    """A text of the kernel's launches for a call.

    Args:
        program: what is lowered, for arrays without gaps.
        binding: of the call.
        target: whose code it is.
    """
    place = simulator.simulator(target)
    tensors = (*program.inputs, *program.outputs)
    variant = lowered(program, ("contiguous-inner",) * len(tensors), place)
    made = variant.made
    views = [t.view.extents for t in binding.inputs]
    views += [t.view.extents for t in binding.outputs]
    steps = steps_of(
        made,
        [row_major(v) for v in views],
        [4] * len(views),
        binding.sizes,
        binding.scalars,
        place.multiprocessors,
    )
    lines = [
        f"{program.name} for {target.name} ({target.product}), {made.skeleton}",
        *(f"  {note}" for note in made.notes),
    ]
    compiled, why = _compiled(variant, target)
    counted, why_not = _counted(program, binding, variant, place)
    running = {s.function: s for s in steps.launches}
    for k, launch in enumerate(made.launches):
        lines += ["", f"launch {launch.name}"]
        lines += [f"  {text}" for text in _launch(running.get(k), launch.condition)]
        if compiled is not None:
            lines.append(f"  {_usage(compiled, launch.name)}")
        lines += [f"  {text}" for text in _accesses(counted.get(launch.name, ()))]
    lines += ["", *_workspaces(steps)]
    lines += [f"registers are not known: {why}"] * bool(why)
    lines += [f"accesses were not counted: {why_not}"] * bool(why_not)
    return "\n".join(lines)


def _launch(step: Step | None, condition: Any) -> Iterator[str]:
    if step is None:
        yield "left out at these sizes"
        return
    blocks = " x ".join(map(str, step.grid))
    threads = math.prod(step.block)
    yield f"{blocks} blocks of {threads} threads, {step.shared} bytes of dynamic shared"
    if condition is not None:
        yield "chosen by the sizes, among launches that do the same"


def _compiled(variant: Variant, target: GpuTarget) -> tuple[Compiled | None, str]:
    try:
        return nvrtc.compile_text(variant.source, variant.made.name, target), ""
    except OpslibError as error:
        return None, error.message


def _usage(compiled: Compiled, name: str) -> str:
    used = compiled.of(name)
    spills = f"{used.spills} bytes spilled" if used.spills else "no spills"
    return (
        f"{used.registers} registers, {spills}, {used.shared} bytes of static shared "
        f"(NVRTC {nvrtc.version()})"
    )


def _counted(
    program: Program, binding: Binding, variant: Variant, place: simulator.Simulator
) -> tuple[Mapping[str, Sequence[int]], str]:
    """Counters of the call in the simulator, by launch; and why there are none."""
    why = simulator.why_not()
    if why is not None:
        return {}, why
    draw = np.random.default_rng(0)
    inputs = []
    for t in binding.inputs:
        # Indices and lengths of 0 are in bounds.
        data: Any = np.zeros(t.view.shape, t.dtype.numpy)
        if t.dtype.is_float:
            data = draw.normal(size=t.view.shape).astype(t.dtype.numpy)
        inputs.append(np.broadcast_to(data, t.view.extents))
    outputs = [
        host.viewed(np.empty(t.shape, t.dtype.numpy), t.view) for t in binding.outputs
    ]
    counting = simulator.Simulator(place.target)
    counting.counters = {}
    try:
        counting.compile([variant])
        arrays = (*inputs, *outputs)
        steps = steps_of(
            variant.made,
            [counting.strides(a) for a in arrays],
            [counting.alignment(a) for a in arrays],
            binding.sizes,
            binding.scalars,
            counting.multiprocessors,
        )
        counting.run(program, variant, steps, inputs, outputs)
    except OpslibError as error:
        return counting.counters, error.message
    return counting.counters, ""


def _accesses(counted: Sequence[int]) -> Iterator[str]:
    if not counted:
        return
    yield f"global memory: {counted[_READ]} bytes read, {counted[_WRITTEN]} written"
    if counted[_SECTORS]:
        ratio = counted[_IDEAL_SECTORS] / counted[_SECTORS]
        yield f"{ratio:.0%} of each sector of 32 bytes that warps touch is used"
    if counted[_WAVEFRONTS]:
        ratio = counted[_WAVEFRONTS] / max(counted[_IDEAL_WAVEFRONTS], 1)
        yield f"{ratio:.2f} turns of the banks for each that shared accesses need"
    waits = f"{counted[_BARRIERS]} barriers, {counted[_COLLECTIVES]} warp collectives"
    yield waits + (f", {counted[_FLOPS]} matrix flops" if counted[_FLOPS] else "")


def _workspaces(steps: Steps) -> Iterator[str]:
    for dtype, count in steps.workspaces:
        yield f"workspace of {count} x {np.dtype(dtype).name}"
