"""The judge at a call's arguments: reference values and error bounds of its results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from opslib.dispatch import arrays as foreign
from opslib.dispatch import call
from opslib.dispatch.plan import program_for
from opslib.ir.bind import Binding
from opslib.ir.expr import Program
from opslib.ir.view import View
from opslib.runtime import registry

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
    return [
        in_caller_axes(found[t.name], t.view, t.shape) for t in binding.outputs
    ]


def error_bounds(
    handle: Handle,
    tensors: tuple[Any, ...],
    attributes: Mapping[str, Any],
    backend: str,
) -> list[Any]:
    """The rigorous bound of each result, elementwise; see `opslib.analysis.bound`."""
    from opslib.analysis import bound as analysis

    program, binding, inputs = prepared(handle, tensors, attributes)
    found_backend, device = registry.device(backend)
    arithmetic = analysis_arithmetic(found_backend, device)
    found = analysis.evaluate_bounds(
        program, inputs, binding.sizes, binding.scalars, arithmetic
    )
    return [
        in_caller_axes(found[t.name].bound, t.view, t.shape) for t in binding.outputs
    ]


def analysis_arithmetic(backend: Any, device: Any) -> Any:
    """A backend's promises in the form the analysis takes."""
    from opslib.analysis import bound as analysis

    raise NotImplementedError(analysis.__name__, backend, device)
