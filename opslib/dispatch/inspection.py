"""What an operator's function tells about itself: spec, plan, source, bound, cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opslib.analysis.cost import Cost, program_cost
from opslib.dispatch import arrays as foreign
from opslib.dispatch import call, route
from opslib.dispatch.caches import kernel_for, program_for
from opslib.dispatch.plan import Plan
from opslib.dispatch.state import state
from opslib.errors import ArgumentError, BackendUnavailable, DTypeError, OpslibError
from opslib.ir.dtypes import DTYPES
from opslib.ir.expr import Program
from opslib.ir.sample import sample_binding
from opslib.runtime import registry

if TYPE_CHECKING:
    from opslib.dispatch.gradients import Gradient
    from opslib.dispatch.handle import Handle


class Spec:
    """An operator's spec; ``str()`` gives its text, `tree` the checked syntax."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    def __str__(self) -> str:
        return self._handle.text

    def __repr__(self) -> str:
        return self._handle.text

    @property
    def tree(self) -> Any:
        """The checked `opslib.language.syntax.Operator`."""
        return self._handle.operator


class Described:
    """What an operator's function tells about itself.

    Only a type: the functions are given these attributes by `attach`.
    """

    handle: Handle
    spec: Spec
    grad: Gradient
    __name__: str

    def plan(self, *arrays: Any, backend: str | None = None, **named: Any) -> Plan:
        """The plan that a call with these arguments would run."""
        raise NotImplementedError

    def source(
        self, backend: str = "numpy", *, dtype: str | None = None, rank: int = 1
    ) -> str:
        """The source of the operator's kernel."""
        raise NotImplementedError

    def cost(self, *arrays: Any, **named: Any) -> Cost:
        """Operations and bytes of a call."""
        raise NotImplementedError

    def bound(self, *arrays: Any, backend: str = "cpu", **named: Any) -> list[Any]:
        """Rigorous error bounds of a call, one array for each result."""
        raise NotImplementedError


class OperatorFunction(Described):
    """The function of an operator whose signature is not known beforehand."""

    def __call__(self, *arrays: Any, **named: Any) -> Any:
        """Runs the operator."""
        raise NotImplementedError


def sample_program(
    handle: Handle, dtype: str | None = None, *, rank: int = 1, present: bool = True
) -> Program:
    """The program of a small typical call."""
    binding = sample_binding(handle.operator, dtype, rank=rank, present=present)
    return program_for(handle.operator, binding.statics, handle.library)


def source(
    handle: Handle, backend: str = "numpy", *, dtype: str | None = None, rank: int = 1
) -> str:
    """The source of the operator's kernel, as it is compiled.

    Args:
        handle: the operator.
        backend: whose source; ``"numpy:float64"`` computes in float64.
        dtype: of the arrays; None means float32 where the spec allows it.
        rank: of every ``...``.

    Raises:
        ArgumentError, DTypeError: no array is of that rank or dtype.
        BackendUnavailable: the backend cannot be used, or has no such kernel.
    """
    found, device = registry.device(backend)
    if type(rank) is not int or rank < 0:
        raise ArgumentError(
            f"rank must be a whole number, 0 or more, not {rank!r}", code="E0704"
        )
    if dtype is not None and dtype not in DTYPES:
        raise DTypeError(
            f"dtype {dtype!r} is not one of opslib's",
            code="E0703",
            help="supported: " + ", ".join(DTYPES),
        )
    program = sample_program(handle, dtype, rank=rank)
    taken = {t.dtype.name for t in program.inputs}
    if dtype is not None and taken and dtype not in taken:
        raise DTypeError(f"no argument of {handle.name} may be {dtype}", code="E0703")
    refusal = found.supports(program, device)
    if refusal is not None:
        raise BackendUnavailable(
            f"{handle.name} has no kernel on {device.name}: {refusal}", code="E0802"
        )
    return kernel_for(found, device, program).source


def plan(
    handle: Handle, *arrays: Any, backend: str | None = None, **named: Any
) -> Plan:
    """The plan that a call with these arguments would run; nothing runs."""
    tensors, attributes = dealt(handle, arrays, named)
    request, flat = call.flattened(handle.request(tensors, attributes, None, backend))
    library = foreign.common_library(flat, handle.name)
    return call.find_plan(request, flat, library, state.get())[0]


def dealt(
    handle: Handle, arrays: tuple[Any, ...], named: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and named arguments as tensors and attributes.

    Raises:
        ArgumentError: the operator's function would not take them.
    """
    operator = handle.operator
    tensors: list[Any] = []
    rest = list(arrays)
    attributes = dict(named)
    for p in operator.parameters:
        if p in operator.tensors:
            if p.variadic:
                tensors.append(tuple(rest))
                rest = []
            elif rest:
                tensors.append(rest.pop(0))
            else:
                tensors.append(attributes.pop(p.name, None))
        elif rest and p.placement != "keyword":
            if p.name in attributes:
                raise ArgumentError(
                    f"{handle.name} got two values for '{p.name}'", code="E0705"
                )
            attributes[p.name] = rest.pop(0)
    if rest:
        most = len(arrays) - len(rest)
        raise ArgumentError(
            f"{handle.name} takes {most} argument{'s' if most != 1 else ''} by "
            f"position, and got {len(arrays)}",
            code="E0705",
        )
    return handle.spread(tuple(tensors)), attributes


def cost(handle: Handle, *arrays: Any, **named: Any) -> Cost:
    """Operations and bytes of a call with these arguments: `opslib.analysis.cost`."""
    tensors, attributes = dealt(handle, arrays, named)
    binding = call.bound(handle.request(tensors, attributes))
    program = program_for(handle.operator, binding.statics, handle.library)
    elements = {t.name: math.prod(t.view.shape) for t in binding.inputs}
    return program_cost(program, binding.sizes, binding.scalars, elements)


def bound(
    handle: Handle, *arrays: Any, backend: str = "cpu", **named: Any
) -> list[Any]:
    """Rigorous error bounds of a call, one array for each result.

    The running forward-error bound of docs/numerics.md, for the arithmetic that the
    backend declares: the result of any correct kernel lies within it of the exact one.
    """
    from opslib.dispatch.judging import error_bounds

    tensors, attributes = dealt(handle, arrays, named)
    return error_bounds(handle, tensors, attributes, backend)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What would run a call, and why not the others. Prints as a table."""

    operator: str
    rows: tuple[tuple[str, str, str], ...]

    def __str__(self) -> str:
        width = max((len(r[0]) for r in self.rows), default=0)
        lines = [f"{self.operator}:"]
        for device, verdict, why in self.rows:
            lines.append(f"  {device:<{width}}  {verdict:<5}  {why}")
        return "\n".join(lines)

    __repr__ = __str__


def explain(
    handle: Handle, *arrays: Any, backend: str | None = None, **named: Any
) -> Explanation:
    """Which device would run the call, with the kernel, and why not the others."""
    tensors, attributes = dealt(handle, arrays, named)
    request, flat = call.flattened(handle.request(tensors, attributes, None, backend))
    library = foreign.common_library(flat, handle.name)
    binding = call.bound(request)
    settings = state.get()
    accumulate = None if settings is None else settings.accumulate
    rows: list[tuple[str, str, str]] = []
    chosen = False
    asked: set[str] = set()
    order = call.measured_order(request, binding)
    for candidate in route.candidates(flat, library, backend, settings, None, order):
        asked.add(candidate.device.name)
        if chosen:
            rows.append((candidate.device.name, "also", "an earlier device runs it"))
            continue
        try:
            made, why = call.try_plan(
                request, binding, flat, library, candidate, None, settings
            )
        except OpslibError as error:
            made, why = None, error.message
        if made is None:
            rows.append((candidate.device.name, "no", why))
        else:
            chosen = True
            text = f"{made.kernel.skeleton}; {candidate.because}"
            text = "; ".join((text, *made.passed_over))
            if accumulate is not None:
                kept = call.accumulator(made.backend, made.device, binding)
                text += f"; sums in {kept}" if kept else ""
            rows.append((candidate.device.name, "runs", text))
    for device in registry.devices():
        if device.name not in asked:
            why = device.why_not or (
                "a simulator, never chosen automatically"
                if device.simulated
                else "runs by its own name only"
                if device.named_only
                else "not in the order for these arrays"
            )
            rows.append((device.name, "no", why))
    return Explanation(handle.name, tuple(rows))
