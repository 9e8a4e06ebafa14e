"""``out=``: the caller's arrays for results, checked, and written safely."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from opslib.dispatch import arrays as foreign
from opslib.dispatch.strides import output_strides, writes_directly
from opslib.errors import ArgumentError, DTypeError, ShapeError
from opslib.ir.binding import Binding

if TYPE_CHECKING:
    from opslib.dispatch.plan import Plan


def listed(out: Any) -> list[Any]:
    """`out` as one array for each result."""
    return list(out) if isinstance(out, tuple) else [out]


def targets(out: Any, operator: str, library: str) -> list[Any] | None:
    """`out` as NumPy arrays of the same memory; None if there is none on the host.

    Raises:
        ArgumentError: something in it is no array that can be written.
    """
    if out is None or _is_resident(out, library):
        return None
    found = []
    for array in listed(out):
        kind = foreign.library_of(array)
        if kind == "jax":
            raise ArgumentError(
                f"out of {operator} is a JAX array, which cannot be written",
                code="E0707",
                help="use the returned array",
            )
        masked = isinstance(array, np.ma.MaskedArray)
        if kind not in ("numpy", "torch") or isinstance(array, np.generic) or masked:
            raise ArgumentError(
                f"out of {operator} must be an array, not a {type(array).__name__}",
                code="E0707",
            )
        if library not in ("scalar", kind):
            raise ArgumentError(
                f"out of {operator} is of {kind}, and the arguments are of {library}",
                code="E0707",
            )
        if kind == "torch" and array.is_neg():
            raise ArgumentError(
                f"out of {operator} is a negated view, which cannot be written",
                code="E0707",
            )
        host = foreign.view_on_host(array)
        found.append(host if type(host) is np.ndarray else np.asarray(host))
    return found


def _is_resident(out: Any, library: str) -> bool:
    """Whether all of `out` are tensors on devices, of a call with tensors."""
    found = listed(out)
    return library == "torch" and all(
        foreign.library_of(o) == "torch" and foreign.is_resident(o, library)
        for o in found
    )


def assign(out: Any, results: Sequence[Any], operator: str) -> list[Any]:
    """Copies results into tensors on devices, by PyTorch; `out` as a list.

    In order with what its current stream does, and never the wrong way round where
    `out` shares memory with an argument.
    """
    given = listed(out)
    if len(given) != len(results):
        raise ArgumentError(
            f"{operator} has {len(results)} results, and out has {len(given)}",
            code="E0707",
        )
    for tensor, result in zip(given, results, strict=True):
        if tensor.shape != result.shape:
            raise ShapeError(
                f"out of {operator} has shape {tuple(tensor.shape)}, and the result "
                f"has {tuple(result.shape)}",
                code="E0707",
                help=f"allocate it with shape {tuple(result.shape)}",
            )
        if tensor.dtype != result.dtype:
            raise DTypeError(
                f"the result of {operator} is {result.dtype}, and out is "
                f"{tensor.dtype}",
                code="E0707",
                help=f"allocate it with dtype {result.dtype}",
            )
        tensor.copy_(result)
    return given


def check(hosts: Sequence[Any], binding: Binding, operator: str) -> None:
    """Raises where `out` does not fit the results: exact shape, same kind of dtype."""
    if len(hosts) != len(binding.outputs):
        raise ArgumentError(
            f"{operator} has {len(binding.outputs)} results, and out has {len(hosts)}",
            code="E0707",
        )
    for host, t in zip(hosts, binding.outputs, strict=True):
        if host.shape != t.shape:
            raise ShapeError(
                f"out of {operator} has shape {host.shape}, and {t.name} has {t.shape}",
                code="E0707",
                help=f"allocate it with shape {t.shape}",
            )
        if not _same_kind(t.dtype.numpy, host.dtype):
            raise DTypeError(
                f"{t.name} of {operator} is {t.dtype}, which does not go into "
                f"{host.dtype}",
                code="E0707",
                help=f"allocate it with dtype {t.dtype}",
            )
    check_memory(hosts, operator)


def check_memory(hosts: Sequence[Any], operator: str) -> None:
    """Raises where an array is read-only, or one place is of several elements.

    Nothing of it shows in the shapes and strides that a plan is kept by: it is asked
    on every call.
    """
    for k, host in enumerate(hosts):
        if not host.flags.writeable:
            raise ArgumentError(f"out of {operator} is read-only", code="E0707")
        if not host.size:
            continue
        if _overlaps_itself(host):
            raise ArgumentError(
                f"out of {operator} has elements that share memory", code="E0707"
            )
        if any(np.may_share_memory(other, host) for other in hosts[:k]):
            raise ArgumentError(
                f"two arrays of out of {operator} share memory", code="E0707"
            )


def _overlaps_itself(host: Any) -> bool:
    """Whether a step along an axis may land within what smaller steps have covered.

    True of broadcast arrays and sliding windows. Layouts exist that interleave without
    sharing anything and are taken for such; nobody is known to write into them.
    """
    covered = host.itemsize
    for stride, n in sorted(
        (abs(s), n) for s, n in zip(host.strides, host.shape, strict=True) if n > 1
    ):
        if stride < covered:
            return True
        covered += stride * (n - 1)
    return False


def _same_kind(source: Any, target: Any) -> bool:
    if source == target:
        return True
    if target.kind in "OSUMm":  # For NumPy same_kind as any number.
        return False
    try:
        return bool(np.can_cast(source, target, casting="same_kind"))
    except TypeError:
        return False


def into(plan: Plan, inputs: Sequence[Any], hosts: Sequence[Any]) -> None:
    """Runs a plan into the caller's arrays, through a copy where memory is shared."""
    strides = dict(plan.key.strides)
    made: list[Any] = []
    for host, t in zip(hosts, plan.binding.outputs, strict=True):
        direct = (
            writes_directly(host, t)
            and output_strides(host, t) == strides[t.name]
            and not any(np.may_share_memory(host, a) for a in inputs)
        )
        made.append(host if direct else np.empty(t.shape, t.dtype.numpy))
    copy(hosts, plan.run(inputs, made))


def copy(hosts: Sequence[Any], results: Sequence[Any]) -> None:
    """Copies results that are not in the caller's arrays already."""
    for host, result in zip(hosts, results, strict=True):
        if host is not result:
            np.copyto(host, result, casting="same_kind")
