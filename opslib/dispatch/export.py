"""An operator as an ONNX model: what `opslib.export_onnx` does."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from opslib.codegen import onnx_style
from opslib.codegen.onnx_layout import Layout, layout
from opslib.codegen.onnx_style import Options, Rendered
from opslib.dispatch import arrays as foreign
from opslib.dispatch import call
from opslib.dispatch.caches import program_for
from opslib.dispatch.handle import Handle
from opslib.dispatch.inspection import dealt
from opslib.errors import ArgumentError, BackendUnavailable, CompileError
from opslib.ir.dtypes import DTYPES


def example(given: Any) -> Any:
    """An array to bind an operator to, of no memory where `given` is (shape, dtype)."""
    pair = isinstance(given, tuple | list) and len(given) == 2
    if not (pair and isinstance(given[0], tuple | list)):
        return given
    shape, dtype = given
    name = dtype if isinstance(dtype, str) else np.dtype(dtype).name
    if name not in DTYPES:
        raise ArgumentError(
            f"{dtype!r} is no element type of opslib",
            code="E0703",
            help=f"one of {', '.join(DTYPES)}",
        )
    return np.broadcast_to(np.zeros((), DTYPES[name].numpy), tuple(shape))


def rendered(
    handle: Handle,
    arrays: Sequence[Any],
    named: Mapping[str, Any],
    dynamic: bool,
    specials: bool,
) -> Rendered:
    """The graph of an operator for arrays like these.

    Raises:
        CompileError: ONNX cannot express it; says what.
    """
    examples = {k: example(v) for k, v in named.items()}
    tensors, attributes = dealt(handle, tuple(map(example, arrays)), examples)
    request, flat = call.flattened(handle.request(tensors, attributes))
    binding = call.bound(request)
    program = program_for(handle.operator, binding.statics, handle.library)
    layouts: dict[str, Layout] = {}
    for array, t in zip(flat, binding.inputs, strict=True):
        layouts[t.name] = layout(t.view, foreign.argument(array).shape)
    for made in binding.outputs:
        layouts[made.name] = layout(made.view, made.shape)
    options = Options(specials=specials)
    try:
        if dynamic:
            found = onnx_style.symbolic(
                program, binding.scalars, options, layouts=layouts
            )
            if found is not None:
                return found
        return onnx_style.render(
            program, binding.sizes, binding.scalars, options, layouts=layouts
        )
    except NotImplementedError as error:
        raise CompileError(
            f"{handle.name} cannot be exported: ONNX has no form for {error}",
            code="E0802",
            help="the standard's operators cannot express it",
        ) from None


def export(
    handle: Handle,
    path: str | os.PathLike[str] | None,
    arrays: Sequence[Any],
    named: Mapping[str, Any],
    dynamic: bool,
    specials: bool,
) -> Any:
    """The model, checked, and written where a path is given."""
    try:
        import onnx
    except ImportError:
        raise BackendUnavailable(
            "export_onnx needs the package onnx",
            code="E0801",
            help="pip install 'opslib[onnx]'",
        ) from None
    made = onnx_style.model(rendered(handle, arrays, named, dynamic, specials))
    onnx.checker.check_model(made, full_check=True)
    if path is not None:
        Path(path).write_bytes(made.SerializeToString())
    return made
