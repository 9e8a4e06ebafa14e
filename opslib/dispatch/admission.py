"""Whether a kernel may run: what the routing table knows, else one self-check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opslib.dispatch import routing
from opslib.dispatch.caches import kernel_for, provided_for
from opslib.dispatch.selfcheck import self_check
from opslib.dispatch.stamp import generator_stamp
from opslib.ir.binding import Binding
from opslib.ir.expr import Program
from opslib.language.library import load_library
from opslib.language.syntax import Operator
from opslib.runtime.protocol import Backend, Device, Kernel, ProvidedKernel
from opslib.settings import is_never


@dataclass(frozen=True, slots=True)
class Choice:
    """What runs a program on a device.

    Attributes:
        kernel: None where none may.
        refusal: why, then.
        passed_over: libraries that have the operator and do not run it, a clause each.
    """

    kernel: Kernel | None
    refusal: str = ""
    passed_over: tuple[str, ...] = ()


def choose(
    operator: Operator,
    library: Mapping[str, Operator],
    backend: Backend,
    device: Device,
    program: Program,
    merged: Binding,
    providers: bool = True,
) -> Choice:
    """A vendor's library where there is one that passes, else the backend's kernel.

    `merged` is the call, for whose sizes a library's kernel is asked; `providers`
    says whether it may be (see `opslib.use`).

    Raises:
        CompileError: the backend's compiler failed.
    """
    passed: list[str] = []
    wanted = providers and not is_never("OPSLIB_PROVIDERS")
    if wanted and _is_shipped(operator, library):
        for other in provided_for(backend, device, program):
            why = _against(operator, library, backend, device, program, other, merged)
            if why is None:
                return Choice(other, "", tuple(passed))
            passed.append(f"not {other.skeleton}: {why}")
    kernel = kernel_for(backend, device, program)
    refused = refusal(operator, library, backend, device, program, kernel)
    if refused is not None:
        return Choice(None, refused, tuple(passed))
    return Choice(kernel, "", tuple(passed))


def _is_shipped(operator: Operator, library: Mapping[str, Operator]) -> bool:
    """Whether it means what the shipped operator of its name means.

    A library is matched by the name, and a user may give one to another spec.
    """
    shipped = load_library()
    known = shipped.get(operator.name)
    if known is None or operator is known:
        return known is not None
    mine = routing.spec_hash(operator, library)
    return mine == routing.spec_hash(known, shipped)


def _against(
    operator: Operator,
    library: Mapping[str, Operator],
    backend: Backend,
    device: Device,
    program: Program,
    kernel: ProvidedKernel,
    merged: Binding,
) -> str | None:
    """Why a library's kernel does not run the call; None when it may.

    It needs a verdict: where none could be reached, opslib's own kernel runs.
    """
    if not kernel.takes(merged.sizes, merged.scalars):
        return "it does not take these sizes"
    key = key_of(operator, library, device, program, kernel)
    why = refusal(operator, library, backend, device, program, kernel)
    if why is None and routing.state_of(key) != "pass":
        why = "it was not tested here"
    return why


def key_of(
    operator: Operator,
    library: Mapping[str, Operator],
    device: Device,
    program: Program,
    kernel: Kernel,
) -> routing.Key:
    """The kernel's row of the routing table."""
    return routing.Key(
        routing.spec_hash(operator, library),
        generator_stamp(device.backend),
        (program.inputs or program.outputs)[0].dtype.name,
        kernel.skeleton,
        device.family,
    )


def refusal(
    operator: Operator,
    library: Mapping[str, Operator],
    backend: Backend,
    device: Device,
    program: Program,
    kernel: Kernel,
) -> str | None:
    """None when the kernel may run, else why not.

    A failed kernel is no candidate. An untested one is compared with the judge on a
    small case first, and the verdict is stored. ``OPSLIB_SELF_CHECK=never`` trusts
    untested kernels, for start-up time; failed ones stay out.
    """
    key = key_of(operator, library, device, program, kernel)
    state = routing.state_of(key)
    if state == "untested" and not is_never("OPSLIB_SELF_CHECK"):
        verdict = self_check(backend, device, program, kernel)
        if verdict.state != "inconclusive":
            state = verdict.state
            routing.record_verdict(key, state, verdict.reason)
            if state == "fail":
                return f"its kernel failed the self-check: {verdict.reason}"
    if state == "fail":
        return f"its {kernel.skeleton} kernel for {key.dtype} is known to be wrong here"
    return None
