"""The self-check: does an untested kernel agree with the judge on one small case?

Small whole numbers make every sum exact, so a wrong index, a lost tail or a forgotten
stride cannot hide in rounding. The check is quick (a few milliseconds besides the
kernel), and says so when it could not decide.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from opslib.analysis.bound import evaluate_bounds, usage
from opslib.dispatch.judging import analysis_arithmetic
from opslib.errors import BackendUnavailable, CompileError, DeviceFailure, said
from opslib.ir.expr import Program
from opslib.runtime.protocol import Backend, Device, Kernel, ProvidedKernel

Array = np.ndarray[Any, np.dtype[Any]]

# A tail behind a vector of 4, 8 or 16 lanes, and small sizes for what must be small.
_SIZES = ((17, 3, 9, 2), (3, 2, 4, 5), (9, 9, 9, 9), (4, 2, 2, 2), (1, 1, 1, 1))
# Elements of an array of the check, which is of milliseconds.
_LARGEST = 1 << 20

ENVIRONMENT = (
    BackendUnavailable,
    CompileError,
    DeviceFailure,
    MemoryError,
    OSError,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``pass``, ``fail``, or ``inconclusive`` where the judge could not be asked."""

    state: Literal["pass", "fail", "inconclusive"]
    reason: str = ""


def self_check(
    backend: Backend, device: Device, program: Program, kernel: Kernel
) -> Verdict:
    """Runs the kernel on small whole numbers and compares with the judge."""
    dtypes = {t.dtype for t in (*program.inputs, *program.outputs, *program.locals)}
    arithmetic = analysis_arithmetic(backend, device, dtypes)
    why = "no sizes were tried"
    # An error that an earlier call deferred is that call's, not this kernel's.
    backend.synchronize(device)
    for choice in range(len(_SIZES)):
        case = _case(program, choice)
        if case is None:
            continue
        inputs, sizes, scalars = case
        if isinstance(kernel, ProvidedKernel) and not kernel.takes(sizes, scalars):
            why = "it takes none of the sizes that were tried"
            continue
        try:
            with np.errstate(all="ignore"):
                known = evaluate_bounds(program, inputs, sizes, scalars, arithmetic)
            shapes = [known[t.name].value.shape for t in program.outputs]
        except Exception as error:
            # These sizes or indices do not fit the spec; others may.
            why = f"the judge says {type(error).__name__}"
            continue
        if all(0 in s for s in shapes):
            why = "the results are empty"
            continue
        try:
            given, outputs = _placed(backend, device, program, inputs, shapes)
        except Exception as error:
            # Whatever the backend's memory raises: the kernel was not even called.
            return Verdict("inconclusive", said(error))
        try:
            made = kernel.launch(given, outputs, sizes, scalars)
            backend.synchronize(device)
            results = [np.asarray(backend.to_numpy(r)) for r in made]
        except ENVIRONMENT as error:
            # Of the machine's state, not the kernel's: no verdict is kept of it.
            return Verdict("inconclusive", said(error))
        except Exception as error:
            # Whatever else a kernel raises is what the check looks for.
            return Verdict("fail", said(error))
        for t, got in zip(program.outputs, results, strict=True):
            wanted = known[t.name].value
            if got.shape != wanted.shape:
                text = f"{t.name} has shape {got.shape}, not {wanted.shape}"
                return Verdict("fail", text)
            try:
                used = usage(known[t.name], got)
            except Exception as error:
                # The judge's fault, whatever it is: nothing was learnt of the kernel.
                return Verdict("inconclusive", f"the judge says {said(error)}")
            if used.size and not float(used.max()) <= 1:
                at = np.unravel_index(int(np.argmax(used)), used.shape)
                place = [int(k) for k in at]
                return Verdict(
                    "fail", f"{t.name}{place} is {got[at]}, not {wanted[at]}"
                )
        return Verdict("pass")
    return Verdict("inconclusive", why)


Case = tuple[dict[str, Array], dict[str, int], dict[str, int | float]]


def _case(program: Program, choice: int) -> Case | None:
    rng = np.random.default_rng([zlib.crc32(program.name.encode()), choice])
    numbers = _SIZES[choice]
    sizes = {n: numbers[k % len(numbers)] for k, n in enumerate(program.sizes)}
    if any(
        math.prod(_shape(t.shape, sizes) or ()) > _LARGEST
        for t in (*program.inputs, *program.outputs)
    ):
        # So many axes that all of them longer than 1 would fill the memory.
        sizes = {n: m if k < 6 else 1 for k, (n, m) in enumerate(sizes.items())}
    scalars: dict[str, int | float] = {
        s.name: 1.0 if s.type.is_float else 1 for s in program.scalars
    }
    least = min(sizes.values(), default=1)
    inputs = {}
    for t in program.inputs:
        shape = _shape(t.shape, sizes)
        if shape is None:
            return None
        if t.dtype.kind == "bool":
            made: Array = np.asarray(rng.random(shape) < 0.5)
        elif t.dtype.is_float:
            made = rng.integers(1, 8, shape)
        else:
            made = rng.integers(0, max(least, 1), shape)
        inputs[t.name] = np.asarray(made).astype(t.dtype.numpy)
    return inputs, sizes, scalars


def _shape(
    extents: tuple[Any, ...], sizes: Mapping[str, int]
) -> tuple[int, ...] | None:
    from opslib.ir.expr import Const, Size

    shape = []
    for extent in extents:
        if isinstance(extent, Size):
            shape.append(sizes[extent.name])
        elif isinstance(extent, Const):
            shape.append(int(extent.value))
        else:
            return None
    return tuple(shape)


def _placed(
    backend: Backend,
    device: Device,
    program: Program,
    inputs: Mapping[str, Array],
    shapes: list[tuple[int, ...]],
) -> tuple[list[Any], list[Any]]:
    """A case's arrays on the device, and room for the results where it takes any."""
    given = [backend.asarray(inputs[t.name], device) for t in program.inputs]
    if not backend.strided:
        return given, []
    return given, [
        backend.empty(shape, t.dtype, device)
        for shape, t in zip(shapes, program.outputs, strict=True)
    ]
