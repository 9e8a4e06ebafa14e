"""The judge at a call's arguments: reference values and error bounds of its results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from opslib.analysis import bound as analysis
from opslib.dispatch import arrays as foreign
from opslib.dispatch import call
from opslib.dispatch.plan import program_for
from opslib.ir.bind import Binding
from opslib.ir.dtypes import DTYPES, DType, compute_type
from opslib.ir.expr import Program
from opslib.ir.view import View
from opslib.runtime import registry
from opslib.runtime.protocol import Backend, Device

if TYPE_CHECKING:
    from opslib.dispatch.handle import Handle


def in_program_axes(array: Any, view: View) -> Any:
    """A NumPy array as the program sees it (a copy where a view will not do)."""
    seen = array.transpose(view.permutation).reshape(view.shape)
    return np.broadcast_to(seen, view.extents)


def in_caller_axes(array: Any, view: View, shape: tuple[int, ...]) -> Any:
    """A result in a program's axes, back in the caller's shape."""
    permuted = tuple(shape[k] for k in view.permutation)
    back = tuple(view.permutation.index(k) for k in range(len(shape)))
    return np.asarray(array).reshape(permuted).transpose(back)


def prepared(
    handle: Handle, tensors: tuple[Any, ...], attributes: Mapping[str, Any]
) -> tuple[Program, Binding, dict[str, Any]]:
    """The unmerged program of a call, its binding, and the inputs it reads."""
    request = handle.request(tensors, attributes)
    binding = call.bound(request)
    program = program_for(handle.operator, binding.statics, handle.library)
    flat = [a for t in tensors for a in (t if isinstance(t, tuple) else (t,))]
    flat = [a for a in flat if a is not None]
    inputs = {}
    for array, t in zip(flat, binding.inputs, strict=True):
        host = foreign.to_host(array, foreign.library_of(array))
        inputs[t.name] = in_program_axes(host.astype(t.dtype.numpy), t.view)
    return program, binding, inputs


def reference(
    handle: Handle,
    tensors: tuple[Any, ...],
    attributes: Mapping[str, Any],
    precision: str = "wide",
) -> list[Any]:
    """What the spec means, by the slow evaluator of the unlowered tree."""
    from opslib.ir.evaluate import evaluate

    program, binding, inputs = prepared(handle, tensors, attributes)
    found = evaluate(
        program, inputs, binding.sizes, binding.scalars, precision=precision
    )
    return [in_caller_axes(found[t.name], t.view, t.shape) for t in binding.outputs]


def error_bounds(
    handle: Handle,
    tensors: tuple[Any, ...],
    attributes: Mapping[str, Any],
    backend: str,
) -> list[Any]:
    """The rigorous bound of each result, elementwise; see `opslib.analysis.bound`."""
    program, binding, inputs = prepared(handle, tensors, attributes)
    found_backend, device = registry.device(backend)
    dtypes = {t.dtype for t in (*program.inputs, *program.outputs, *program.locals)}
    arithmetic = analysis_arithmetic(found_backend, device, dtypes)
    found = analysis.evaluate_bounds(
        program, inputs, binding.sizes, binding.scalars, arithmetic
    )
    return [
        in_caller_axes(found[t.name].bound, t.view, t.shape) for t in binding.outputs
    ]


def analysis_arithmetic(
    backend: Backend, device: Device, dtypes: Iterable[DType] = ()
) -> analysis.Arithmetic:
    """A backend's promises in the form the analysis takes.

    `dtypes` are those that a program uses: the worst promise about any of them counts.
    Empty means all floats that the device has.
    """
    wanted = [d for d in dtypes if d.is_float] or [
        d for d in DTYPES.values() if d.is_float
    ]
    units: dict[str, float] = {}
    sums: dict[str, float] = {}
    ulp: dict[str, float] = {}
    flushes = False
    narrow: DType | None = None
    # Attributes and constants are computed in these whatever the arrays are.
    for dtype in dict.fromkeys((*wanted, *map(compute_type, wanted))):
        promise = backend.arithmetic(dtype, device)
        if promise is None:
            continue
        name = compute_type(dtype).name
        units[name] = max(units.get(name, 0.0), promise.unit_roundoff)
        # A wider accumulator is still rounded once, at the end.
        unit = max(promise.accumulator.unit_roundoff, promise.unit_roundoff)
        if promise.accumulator.is_float:
            sums[name] = max(sums.get(name, 0.0), unit)
        for primitive, worst in promise.ulp.items():
            ulp[primitive] = max(ulp.get(primitive, 0.0), worst)
        flushes |= promise.flushes
        narrow = narrow or promise.narrow
    return analysis.Arithmetic(units, sums, ulp, flushes, narrow)
