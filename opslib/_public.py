"""The public functions that are not operators."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping
from typing import Any

from opslib.dispatch import inspection
from opslib.dispatch.handle import Handle, attach
from opslib.dispatch.signature import (
    HEADER,
    function_source,
    result_class,
    result_class_source,
)
from opslib.errors import ArgumentError
from opslib.language.syntax import Operator
from opslib.runtime import pool, registry
from opslib.runtime.protocol import Device


def spec_library() -> Mapping[str, Operator]:
    """The checked specs of all shipped operators, by name."""
    from opslib.language.library import load_library

    return load_library()


def operators() -> tuple[str, ...]:
    """Names of all shipped operators; parses no spec."""
    from opslib import _api

    return tuple(_api.__all__)


def op(text: str) -> Callable[..., Any]:
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
    from opslib.language.library import parse_operator_text

    library = dict(spec_library())
    operator = parse_operator_text(text, library)
    library[operator.name] = operator
    names: dict[str, Any] = {}
    made = result_class_source(operator)
    source = f"{HEADER}\n\n{made}\n\n\n{function_source(operator)}\n"
    filename = f"<opslib op {operator.name} {id(operator):x}>"
    lines = source.splitlines(keepends=True)
    linecache.cache[filename] = (len(source), None, lines, filename)
    exec(compile(source, filename, "exec"), names)
    result = names[result_class(operator)] if made else None
    handle = Handle(operator.name, result, operator, library)
    names[f"_{operator.name}"] = handle
    function: Callable[..., Any] = names[operator.name]
    attach(function, handle)
    return function


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
        arrays, attributes: of the call.
        backend: as in the call.
    """
    return inspection.explain(_handle(operator), *arrays, backend=backend, **attributes)


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
        out, backend: as for every operator.
    """
    from opslib.dispatch.templates import einsum_spec

    made = _templated(einsum_spec(subscripts, len(operands)))
    return made(*operands, out=out, backend=backend)


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
        x1, x2: the arrays.
        axes: how many of the last axes of `x1` meet the first of `x2`, or a pair of
            sequences of axes.
        out, backend: as for every operator.
    """
    from opslib.dispatch.templates import tensordot_spec

    made = _templated(tensordot_spec(x1.ndim, x2.ndim, axes))
    return made(x1, x2, out=out, backend=backend)


_TEMPLATED: dict[str, Callable[..., Any]] = {}


def _templated(text: str) -> Callable[..., Any]:
    """The operator of an expanded template; each text is made once."""
    found = _TEMPLATED.get(text)
    if found is None:
        found = _TEMPLATED.setdefault(text, op(text))
    return found
