"""From a Python call to a result: the slow path, which explains what is wrong.

The fast path (`opslib.runtime.launcher`) handles repeated calls on the host; this
handles everything else: first calls, other libraries' arrays, other devices, `out`,
receipts, fallbacks and every error.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from opslib.dispatch import admission, outputs, shipped
from opslib.dispatch import arrays as foreign
from opslib.dispatch.caches import Cache, program_for
from opslib.dispatch.coalesce import coalesce
from opslib.dispatch.plan import Plan, PlanKey
from opslib.dispatch.route import Candidate, Measured, candidates, too_narrow
from opslib.dispatch.routing import spec_hash
from opslib.dispatch.state import Receipt, State, state
from opslib.dispatch.strides import Layout, strides_of
from opslib.errors import BackendUnavailable, CompileError, OpslibWarning
from opslib.ir.bind import Given, bind
from opslib.ir.binding import Binding, BoundInput, BoundOutput
from opslib.language.syntax import Operator
from opslib.runtime.protocol import Backend, Device, Hosts

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
    request, flat = flattened(request)
    name = request.operator.name
    library = foreign.common_library(flat, name)
    targets = outputs.targets(request.out, name, library)
    plan, why = find_plan(request, flat, library, settings, targets)
    if targets is not None:
        outputs.check_memory(targets, name)
    if why and settings is not None and settings.fallback == "warn":
        warnings.warn(
            f"{name} runs on {plan.device.name}: {why}", OpslibWarning, stacklevel=5
        )
    results = plan.execute(flat, targets, request.out)
    if settings is not None and settings.receipts is not None:
        settings.receipts.append(_receipt(plan, flat, why))
    return results, plan


def flattened(request: Request) -> tuple[Request, list[Any]]:
    """The call with every array as dispatch knows it, and the arrays in order."""
    flat: list[Any] = []
    same = True
    name = request.operator.name
    tensors: list[Any] = []
    for p, given in zip(request.operator.tensors, request.tensors, strict=True):
        if p.variadic:
            made: Any = tuple(foreign.plain(a, name) for a in given)
            same = same and all(a is b for a, b in zip(made, given, strict=True))
            flat += made
        elif given is None:
            made = None
        else:
            made = foreign.plain(given, name)
            same = same and made is given
            flat.append(made)
        tensors.append(made)
    return (request if same else replace(request, tensors=tuple(tensors))), flat


# --- plans -------------------------------------------------------------------------


def find_plan(
    request: Request,
    flat: Sequence[Any],
    library: str,
    settings: State | None,
    targets: Sequence[Any] | None = None,
) -> tuple[Plan, str]:
    """A plan for the call on the first device that can run it, and why not others.

    Args:
        request: as `flattened` gives it.
        flat: its arrays in order.
        library: of the arrays.
        settings: of the context.
        targets: `out` on the host.
    """
    key = _key(request, flat, library, settings, targets)
    found: tuple[Plan, str] | None = _plans.get(key) if key is not None else None
    if found is None:
        found = _make_plan(request, flat, library, settings, targets)
        if key is not None:
            found = _plans.put(key, found)
    assert found is not None
    return found


def _key(
    request: Request,
    flat: Sequence[Any],
    library: str,
    settings: State | None,
    targets: Sequence[Any] | None,
) -> Any:
    described: list[Any] = []
    for a in flat:
        kind = foreign.library_of(a)
        if kind == "numpy":
            described.append((a.dtype, a.shape, a.strides))
        elif kind == "scalar":
            described.append(type(a))
        elif kind == "torch":
            described.append((a.dtype, a.shape, a.stride(), a.device))
        elif type(a).__name__ == "ArrayImpl":
            described.append((a.dtype, a.shape, a.sharding))
        else:
            return None  # Where it lives may differ; planned anew.
    if targets is not None:
        described.append(tuple((o.dtype, o.shape, o.strides) for o in targets))
    key = (
        id(request.operator),
        tuple(described),
        tuple(
            len(a) if isinstance(a, tuple) else a is not None for a in request.tensors
        ),
        tuple(sorted((k, _frozen(v)) for k, v in request.attributes.items())),
        request.backend,
        request.results,
        (settings.backend, settings.fallback, settings.accumulate, settings.providers)
        if settings
        else None,
        library,
    )
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _frozen(value: Any) -> Any:
    # 1 == 1.0 == True, but as attributes they are not the same call.
    if isinstance(value, list | tuple):
        return (type(value).__name__, tuple(map(_frozen, value)))
    if isinstance(value, float):
        return ("float", value.hex())
    return (type(value).__name__, value)


def arguments_of(request: Request) -> tuple[tuple[str, Given], ...]:
    """What binding sees of a call's arrays."""
    found: list[tuple[str, Given]] = []
    for p, array in zip(request.operator.tensors, request.tensors, strict=True):
        if isinstance(array, tuple):
            found.append((p.name, tuple(map(foreign.argument, array))))
        else:
            found.append((p.name, None if array is None else foreign.argument(array)))
    return tuple(found)


def bound(request: Request, results: Sequence[str] | None = None) -> Binding:
    """The call's binding; raises the errors of a call that does not fit."""
    request, _ = flattened(request)
    wanted = request.results if results is None else results
    arguments = dict(arguments_of(request))
    return bind(request.operator, arguments, request.attributes, wanted)


def _make_plan(
    request: Request,
    flat: Sequence[Any],
    library: str,
    settings: State | None,
    targets: Sequence[Any] | None,
) -> tuple[Plan, str]:
    binding = bound(request)
    if targets is not None:
        outputs.check(targets, binding, request.operator.name)
    refusals: list[str] = []
    allowed = settings is not None and settings.fallback != "error"
    order = measured_order(request, binding)
    for candidate in candidates(
        flat, library, request.backend, settings, refusals, order
    ):
        plan, refusal = try_plan(
            request, binding, flat, library, candidate, targets, settings
        )
        if plan is not None:
            return plan, "; ".join(refusals)
        refusals.append(f"{candidate.device.name}: {refusal}")
        if candidate.wanted and not allowed:
            break
    raise BackendUnavailable(
        f"{request.operator.name} cannot run: {'; '.join(refusals) or 'no device'}",
        code="E0802",
        help="opslib.devices() says what each device lacks",
    )


def measured_order(request: Request, binding: Binding) -> Measured:
    """Backends in the order of the shipped timings; empty without any for the call."""
    if not shipped.timings():
        return ()
    tensors: list[BoundInput | BoundOutput] = [*binding.inputs, *binding.outputs]
    elements = sum(math.prod(t.view.extents) for t in binding.inputs)
    spec = spec_hash(request.operator, request.library)
    return shipped.fastest_first(spec, tensors[0].dtype.name, elements)


def try_plan(
    request: Request,
    binding: Binding,
    flat: Sequence[Any],
    library: str,
    candidate: Candidate,
    targets: Sequence[Any] | None = None,
    settings: State | None = None,
) -> tuple[Plan | None, str]:
    """A plan on one device, or the reason why it cannot be."""
    accumulate = None if settings is None else settings.accumulate
    backend, device = candidate.backend, candidate.device
    tensors: list[BoundInput | BoundOutput] = [*binding.inputs, *binding.outputs]
    for dtype in sorted({t.dtype for t in tensors}, key=str):
        if backend.arithmetic(dtype, device) is None:
            return None, f"it has no {dtype}"
        if accumulate is not None and dtype.is_float:
            refusal = too_narrow(backend, device, dtype, accumulate)
            if refusal is not None:
                return None, refusal
    at_home = tuple(
        foreign.is_resident(a, library) and backend.owner(a) == device for a in flat
    )
    elsewhere = (a for a, home in zip(flat, at_home, strict=True) if not home)
    allowed = settings is not None and settings.fallback != "error"
    if library == "jax" and allowed and any(map(foreign.is_traced, elsewhere)):
        return None, foreign.TRACED
    inputs = list(flat)
    if backend.strided and device.host_memory:
        inputs = [
            a if home else foreign.on_host(a, t.dtype)
            for a, t, home in zip(flat, binding.inputs, at_home, strict=True)
        ]
    elif backend.strided and isinstance(backend, Hosts):
        inputs = [
            Layout(tuple(a.shape), backend.strides(a)) if home else None
            for a, home in zip(flat, at_home, strict=True)
        ]
    strides = strides_of(binding, backend.strided, inputs, targets)
    merged = coalesce(binding, dict(strides))
    program = program_for(request.operator, merged.statics, request.library)
    refusal = backend.supports(program, device)
    if refusal is not None:
        return None, refusal
    try:
        # A self-check computes, which must not become part of a traced function.
        with foreign.untraced():
            choice = admission.choose(
                request.operator,
                request.library,
                backend,
                device,
                program,
                merged,
                settings is None or settings.providers,
            )
    except CompileError as error:
        if candidate.wanted:
            raise
        return None, error.message
    if choice.kernel is None:
        return None, choice.refusal
    key = PlanKey(
        arguments_of(request),
        tuple(request.attributes.items()),
        request.results,
        strides,
        device.name,
        library,
    )
    plan = Plan(
        request.operator,
        backend,
        device,
        binding,
        merged,
        program,
        choice.kernel,
        key,
        at_home,
        choice.passed_over,
    )
    return plan, ""


def _receipt(plan: Plan, flat: Sequence[Any], why: str) -> Receipt:
    return Receipt(
        plan.operator.name,
        plan.device.name,
        plan.kernel.skeleton,
        tuple((t.name, t.dtype.name) for t in plan.binding.inputs),
        tuple(tuple(getattr(a, "shape", ())) for a in flat),
        plan.device.simulated,
        why,
        accumulator(plan.backend, plan.device, plan.binding),
    )


def accumulator(backend: Backend, device: Device, binding: Binding) -> str:
    """The narrowest type in which a call's sums of floats are kept."""
    tensors: list[BoundInput | BoundOutput] = [*binding.inputs, *binding.outputs]
    kept = [
        promise.accumulator
        for t in tensors
        if t.dtype.is_float
        and (promise := backend.arithmetic(t.dtype, device)) is not None
    ]
    return min(kept, key=lambda d: d.bits).name if kept else ""
