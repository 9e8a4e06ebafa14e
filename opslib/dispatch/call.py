"""From a Python call to a result: the slow path, which explains what is wrong.

The fast path (`opslib.runtime.launcher`) handles repeated calls on the host; this
handles everything else: first calls, other libraries' arrays, other devices, `out`,
receipts, fallbacks and every error.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from opslib.dispatch import arrays as foreign
from opslib.dispatch.plan import Cache, Plan, kernel_for, merge, program_for
from opslib.dispatch.route import Candidate, candidates
from opslib.dispatch.state import Receipt, State, state
from opslib.errors import (
    ArgumentError,
    BackendUnavailable,
    CompileError,
    DTypeError,
    OpslibWarning,
    ShapeError,
)
from opslib.ir.bind import Argument, Binding, bind
from opslib.language.syntax import Operator

_plans = Cache()


@dataclass(frozen=True, slots=True)
class Request:
    """One call, as the generated function hands it over.

    tensors: for each tensor parameter in order an array, None, or a tuple (variadic).
    attributes: those the caller gave.
    results: names of the results wanted, or None for all that are not optional.
    """

    operator: Operator
    library: Mapping[str, Operator]
    tensors: tuple[Any, ...]
    attributes: Mapping[str, Any]
    out: Any = None
    backend: str | None = None
    results: tuple[str, ...] | None = None


def run(request: Request) -> list[Any]:
    """Runs a call; the results are the caller's kind of array, in order."""
    return run_planned(request)[0]


def run_planned(request: Request) -> tuple[list[Any], Plan]:
    """As `run`, with the plan that ran."""
    settings = state.get()
    flat = _flatten(request)
    library = foreign.common_library(flat, request.operator.name)
    plan, why = find_plan(request, flat, library, settings)
    outs = _checked_out(request, plan.binding, library)
    results = _execute(plan, flat, library, outs)
    if settings is not None and settings.receipts is not None:
        settings.receipts.append(_receipt(plan, flat, why))
    return results, plan


def _flatten(request: Request) -> list[Any]:
    flat: list[Any] = []
    for array in request.tensors:
        if isinstance(array, tuple):
            flat += array
        elif array is not None:
            flat.append(array)
    return flat


# --- plans -------------------------------------------------------------------------


def find_plan(
    request: Request, flat: Sequence[Any], library: str, settings: State | None
) -> tuple[Plan, str]:
    """A plan for the call on the first device that can run it, and why not others."""
    key = _key(request, flat, library, settings)
    found = _plans.get(key) if key is not None else None
    if found is None:
        found = _make_plan(request, flat, library, settings)
        if key is not None:
            found = _plans.put(key, found)
    plan, why = found
    return plan, why


def _key(
    request: Request, flat: Sequence[Any], library: str, settings: State | None
) -> Any:
    described = []
    for a in flat:
        if isinstance(a, np.ndarray):
            described.append((a.dtype, a.shape, a.strides))
        elif library in ("scalar", "numpy"):
            described.append((type(a), getattr(a, "dtype", None), ()))
        elif library == "torch":
            described.append((a.dtype, tuple(a.shape), tuple(a.stride())))
        else:
            return None  # Where it lives may differ; planned anew.
    out = request.out
    if out is not None:
        outs = out if isinstance(out, tuple) else (out,)
        described.append(
            tuple((o.shape, getattr(o, "strides", None)) for o in outs)
            if all(isinstance(o, np.ndarray) for o in outs)
            else ("out", library)
        )
    wanted = (settings.backend, settings.fallback) if settings else None
    present = tuple(
        len(a) if isinstance(a, tuple) else a is not None for a in request.tensors
    )
    key = (
        id(request.operator),
        tuple(described),
        present,
        tuple(sorted((k, _frozen(v)) for k, v in request.attributes.items())),
        request.backend,
        request.results,
        wanted,
        library,
    )
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _frozen(value: Any) -> Any:
    # 1 == 1.0 == True, but as attributes they are not the same call.
    if isinstance(value, list):
        return ("list", tuple(map(_frozen, value)))
    if isinstance(value, float):
        return ("float", value.hex())
    return (type(value).__name__, value)


def bound(request: Request, results: Sequence[str] | None = None) -> Binding:
    """The call's binding; raises the errors of a call that does not fit."""
    arguments: dict[str, Argument | tuple[Argument, ...] | None] = {}
    for p, array in zip(request.operator.tensors, request.tensors, strict=True):
        if isinstance(array, tuple):
            arguments[p.name] = tuple(map(foreign.argument, array))
        else:
            arguments[p.name] = None if array is None else foreign.argument(array)
    wanted = request.results if results is None else results
    return bind(request.operator, arguments, request.attributes, wanted)


def _make_plan(
    request: Request, flat: Sequence[Any], library: str, settings: State | None
) -> tuple[Plan, str]:
    binding = bound(request)
    refusals: list[str] = []
    allowed = settings is not None and settings.fallback != "error"
    for candidate in candidates(flat, library, request.backend, settings):
        plan, refusal = try_plan(request, binding, flat, library, candidate)
        if plan is not None:
            why = "; ".join(refusals)
            if refusals and settings is not None and settings.fallback == "warn":
                warnings.warn(
                    f"{request.operator.name} runs on {plan.device.name}: {why}",
                    OpslibWarning,
                    stacklevel=5,
                )
            return plan, why
        refusals.append(f"{candidate.device.name}: {refusal}")
        if candidate.wanted and not allowed:
            break
    raise BackendUnavailable(
        f"{request.operator.name} cannot run: {'; '.join(refusals) or 'no device'}",
        code="E0802",
        help="opslib.devices() says what each device lacks",
    )


def try_plan(
    request: Request,
    binding: Binding,
    flat: Sequence[Any],
    library: str,
    candidate: Candidate,
) -> tuple[Plan | None, str]:
    """A plan on one device, or the reason why it cannot be."""
    backend, device = candidate.backend, candidate.device
    types = {t.dtype for t in (*binding.inputs, *binding.outputs)}
    for dtype in sorted(types, key=str):
        if backend.arithmetic(dtype, device) is None:
            return None, f"it has no {dtype}"
    inputs = [
        foreign.to_host(a, library) if backend.strided and device.host_memory else a
        for a in flat
    ]
    inputs = [_converted(a, t.dtype.numpy) for a, t in zip(
        inputs, binding.inputs, strict=True
    )]
    merged = merge(binding, backend, inputs, _out_arrays(request, library))
    program = program_for(request.operator, merged.statics, request.library)
    refusal = backend.supports(program, device)
    if refusal is not None:
        return None, refusal
    try:
        kernel = kernel_for(backend, device, program)
    except CompileError as error:
        if candidate.wanted:
            raise
        return None, error.message
    plan = Plan(
        request.operator, backend, device, binding, merged, program, kernel
    )
    return plan, ""


def _converted(array: Any, dtype: Any) -> Any:
    """In the program's dtype, native byte order, aligned (NumPy arrays only)."""
    if not isinstance(array, np.ndarray):
        return array
    if array.dtype != dtype:
        array = array.astype(dtype)
    if not array.flags.aligned or any(s % array.itemsize for s in array.strides):
        array = array.copy()
    return array


# --- running -----------------------------------------------------------------------


def _execute(
    plan: Plan, flat: Sequence[Any], library: str, outs: list[Any] | None
) -> list[Any]:
    backend, device = plan.backend, plan.device
    native = [backend.owner(a) == device for a in flat]
    inputs = []
    for array, t, at_home in zip(flat, plan.binding.inputs, native, strict=True):
        if at_home and library != "numpy":
            inputs.append(array)
            continue
        host = _converted(foreign.to_host(array, library), t.dtype.numpy)
        inputs.append(backend.asarray(host, device))
    on_host = backend.strided and device.host_memory
    if outs is not None and on_host:
        return _into(plan, inputs, outs, library)
    results = plan.run(inputs, None)
    at_home = any(native) and library not in ("numpy", "scalar")
    if at_home and outs is None:
        return results
    hosted = [r if on_host else backend.to_numpy(r) for r in results]
    if outs is not None:
        for target, result in zip(outs, hosted, strict=True):
            host = foreign.to_host(target, library)
            np.copyto(host, result, casting="same_kind")
        return outs
    return [foreign.from_host(r, library) for r in hosted]


def _into(
    plan: Plan, inputs: list[Any], outs: list[Any], library: str
) -> list[Any]:
    """Writes into the caller's arrays, through a copy where memory is shared."""
    hosts = [foreign.to_host(o, library) for o in outs]
    targets = []
    for k, (host, t) in enumerate(zip(hosts, plan.binding.outputs, strict=True)):
        others = [*inputs, *hosts[:k], *hosts[k + 1 :]]
        direct = host.dtype == t.dtype.numpy and host.flags.aligned
        direct = direct and not any(np.may_share_memory(host, a) for a in others)
        targets.append(host if direct else np.empty(t.shape, t.dtype.numpy))
    made = plan.run(inputs, targets)
    for host, result in zip(hosts, made, strict=True):
        if host is not result:
            np.copyto(host, result, casting="same_kind")
    return outs


def _out_arrays(request: Request, library: str) -> list[Any] | None:
    if request.out is None:
        return None
    outs = request.out if isinstance(request.out, tuple) else (request.out,)
    if library == "numpy" or library == "scalar":
        return [o if isinstance(o, np.ndarray) else None for o in outs]
    return None


def _checked_out(
    request: Request, binding: Binding, library: str
) -> list[Any] | None:
    """The caller's `out` arrays: exact shape, same_kind dtype, writeable."""
    if request.out is None:
        return None
    name = request.operator.name
    outs = request.out if isinstance(request.out, tuple) else (request.out,)
    if len(outs) != len(binding.outputs):
        raise ArgumentError(
            f"{name} has {len(binding.outputs)} results, and out has {len(outs)}",
            code="E0707",
        )
    for array, t in zip(outs, binding.outputs, strict=True):
        kind = foreign.library_of(array)
        if kind == "jax":
            raise ArgumentError(
                f"out of {name} is a JAX array, which cannot be written",
                code="E0707",
                help="use the returned array",
            )
        if kind not in ("numpy", "torch") or isinstance(array, np.generic):
            raise ArgumentError(
                f"out of {name} must be an array, not {type(array).__name__}",
                code="E0707",
            )
        if library not in ("scalar", kind):
            raise ArgumentError(
                f"out of {name} is a {kind} array, and the arguments are {library}'s",
                code="E0707",
            )
        if tuple(array.shape) != t.shape:
            raise ShapeError(
                f"out of {name} has shape {tuple(array.shape)}, and {t.name} has "
                f"{t.shape}",
                code="E0707",
                help=f"allocate it with shape {t.shape}",
            )
        have = foreign.argument(array).dtype
        assert have is not None
        if not _same_kind(t.dtype.numpy, have.numpy):
            raise DTypeError(
                f"{t.name} of {name} is {t.dtype}, which does not go into {have}",
                code="E0707",
            )
        if kind == "numpy" and not array.flags.writeable:
            raise ArgumentError(f"out of {name} is read-only", code="E0707")
    return list(outs)


def _same_kind(source: Any, target: Any) -> bool:
    if source == target:
        return True
    try:
        return bool(np.can_cast(source, target, casting="same_kind"))
    except TypeError:
        return False


def _receipt(plan: Plan, flat: Sequence[Any], why: str) -> Receipt:
    return Receipt(
        plan.operator.name,
        plan.device.name,
        plan.kernel.skeleton,
        tuple((t.name, t.dtype.name) for t in plan.binding.inputs),
        tuple(tuple(getattr(a, "shape", ())) for a in flat),
        plan.device.simulated,
        why,
    )
