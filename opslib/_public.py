"""The public functions that are not operators."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from opslib.dispatch import arrays as foreign
from opslib.dispatch import inspection
from opslib.dispatch.caches import Cache
from opslib.dispatch.handle import Handle
from opslib.dispatch.inspection import OperatorFunction
from opslib.dispatch.made import made
from opslib.dispatch.templates import einsum_spec, tensordot_spec
from opslib.errors import ArgumentError
from opslib.language.library import load_library
from opslib.language.syntax import Operator
from opslib.runtime import pool, registry
from opslib.runtime.protocol import Device


def spec_library() -> Mapping[str, Operator]:
    """The checked specs of all shipped operators, by name."""
    return load_library()


def operators() -> tuple[str, ...]:
    """Names of all shipped operators; parses no spec."""
    from opslib import _api

    return tuple(_api.__all__)


def op(text: str) -> OperatorFunction:
    """Makes an operator from its spec.

    Args:
        text: ``op name(x: T) -> y: T = ...``, one line or several; it may call every
            shipped operator. See docs/writing-an-operator.md.

    Returns:
        A function with the operator's signature, its docstring, and the attributes
        ``spec``, ``plan``, ``source``, ``bound``, ``cost``, on every backend.

    Raises:
        SpecError: with carets under what is wrong.
    """
    if not isinstance(text, str):
        raise ArgumentError(
            f"a spec is a text, not a {type(text).__name__}", code="E0704"
        )
    return made(text, spec_library())


def devices() -> tuple[Device, ...]:
    """Every device of every registered backend; `why_not` says why one is unusable."""
    return registry.devices()


def explain(
    operator: str | Callable[..., Any],
    *arrays: Any,
    backend: str | None = None,
    **attributes: Any,
) -> inspection.Explanation:
    """Says which device and kernel would run a call, and why not the others.

    Args:
        operator: its name, or its function.
        arrays: of the call.
        attributes: of the call.
        backend: as in the call.
    """
    return inspection.explain(_handle(operator), *arrays, backend=backend, **attributes)


def export_onnx(
    operator: str | Callable[..., Any],
    path: str | os.PathLike[str] | None = None,
    /,
    *arrays: Any,
    dynamic: bool = True,
    specials: bool = True,
    **attributes: Any,
) -> Any:
    """Writes an operator as an ONNX model of standard operators.

    Args:
        operator: its name, or its function; one made by `op` too.
        path: of the file to write; None writes none.
        arrays: one for each tensor parameter: an array, of which only shape and dtype
            count, or a pair such as ``((8, 128), "float32")``. None for an optional
            one that is left out.
        dynamic: give the sizes names where the graph holds for all of them; where it
            does not, and with False, the model takes arrays of these shapes only.
        specials: nan, infinities and signed zeros come out as the spec says, at the
            price of nodes that look for them; False leaves them to the runtime.
        attributes: of the call; they are part of the model. Optional tensors may be
            given by name, too.

    Returns:
        The ``onnx.ModelProto``, checked by onnx. Its inputs and outputs have the names
        of the spec.

    Raises:
        BackendUnavailable: the package onnx is not installed.
        CompileError: the standard's operators cannot express the operator; says what.
        ShapeError, DTypeError, ArgumentError: as for the call itself.

    An index out of bounds, which a call of opslib reports, is whatever the runtime
    makes of it.
    """
    from opslib.dispatch import export

    handle = _handle(operator)
    return export.export(handle, path, arrays, attributes, dynamic, specials)


def _handle(operator: str | Callable[..., Any]) -> Handle:
    if isinstance(operator, str):
        from opslib import _api

        if operator not in _api.__all__:
            raise ArgumentError(
                f"there is no operator {operator!r}",
                code="E0705",
                help="opslib.operators() lists them",
            )
        operator = getattr(_api, operator)
    handle = getattr(operator, "handle", None)
    if not isinstance(handle, Handle):
        raise ArgumentError(f"{operator!r} is not an operator of opslib", code="E0705")
    return handle


def set_num_threads(count: int) -> None:
    """How many threads the CPU backend uses, the caller's included."""
    pool.set_num_threads(count)


def get_num_threads() -> int:
    """How many threads the CPU backend uses, the caller's included."""
    return pool.num_threads()


def einsum(
    subscripts: str,
    *operands: Any,
    out: Any = None,
    backend: str | None = None,
) -> Any:
    """Einstein summation, as `numpy.einsum` and `torch.einsum` have it.

    Args:
        subscripts: such as ``"bij,bjk->bik"``; without ``->`` the indices that occur
            once, in alphabetical order. ``...`` broadcasts.
        operands: one array for each term.
        out: as for every operator.
        backend: as for every operator.
    """
    found = _templated(einsum_spec(subscripts, len(operands)))
    return found(*operands, out=out, backend=backend)


def tensordot(
    x1: Any,
    x2: Any,
    /,
    *,
    axes: Any = 2,
    out: Any = None,
    backend: str | None = None,
) -> Any:
    """Contraction over several axes, as the array API standard has it.

    Args:
        x1: an array.
        x2: another.
        axes: how many of the last axes of `x1` meet the first of `x2`, or a pair of
            sequences of axes.
        out: as for every operator.
        backend: as for every operator.
    """
    x1, x2 = (foreign.plain(a, "tensordot") for a in (x1, x2))
    rank1, rank2 = (len(getattr(a, "shape", ())) for a in (x1, x2))
    found = _templated(tensordot_spec(rank1, rank2, axes))
    return found(x1, x2, out=out, backend=backend)


_templates = Cache(256)


def _templated(text: str) -> OperatorFunction:
    """The operator of an expanded template; each text is made once."""
    found: OperatorFunction = _templates.once(text, lambda: op(text))
    return found
