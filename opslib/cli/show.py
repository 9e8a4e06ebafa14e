"""``opslib show OP``: all that is known of one operator."""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
from rich.syntax import Syntax
from rich.text import Text

import opslib
from opslib.cli import ops, terminal
from opslib.cli.highlight import spec_text
from opslib.dispatch import routing
from opslib.dispatch.caches import program_for
from opslib.dispatch.handle import Handle
from opslib.dispatch.inspection import sample_program
from opslib.dispatch.plan import kernel_for
from opslib.dispatch.route import DEFAULT_ORDER
from opslib.dispatch.stamp import generator_stamp
from opslib.errors import OperandIndexError, OpslibError, ShapeError
from opslib.ir.binding import Binding
from opslib.ir.expr import Program
from opslib.ir.sample import sample_binding
from opslib.runtime import registry
from opslib.runtime.protocol import Device
from opslib.testing.names import checked_operator
from opslib.tuning.workloads import abstract_call, sample_arrays, workload_text

PARTS = (
    "about",
    "signature",
    "spec",
    "gradient",
    "reference",
    "source",
    "plan",
    "bound",
    "cost",
    "coverage",
)


def add(commands: Any, help: str) -> None:
    """Declares the arguments."""
    parser = commands.add_parser(
        "show",
        help=help,
        description=help,
        epilog="The kernel's source is shown with --backend, or with --only source.",
    )
    parser.add_argument("operator", metavar="OP")
    parser.add_argument("--backend", help="whose kernel to show, such as cpu or jax")
    parser.add_argument("--dtype", help="of the arrays; default float32 where allowed")
    parser.add_argument("--rank", type=int, default=1, help="of every ... (default 1)")
    parser.add_argument("--only", choices=PARTS, help="one part, without its heading")
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(given: argparse.Namespace) -> int:
    """Prints the parts; a part that cannot be had says why."""
    handle = handle_of(given.operator)
    wanted: tuple[str, ...] = PARTS if given.only is None else (given.only,)
    if given.only is None and given.backend is None:
        wanted = tuple(p for p in PARTS if p != "source")
    if given.only is None and _planner(given.backend) is None:
        wanted = tuple(p for p in wanted if p != "plan")
    texts: dict[str, str] = {}
    failed = False
    for part in wanted:
        try:
            texts[part] = _MAKERS[part](handle, given)
        except OpslibError as error:
            texts[part] = f"not available: {error}"
            failed = failed or given.only is not None
        except (ImportError, NotImplementedError):
            texts[part] = "not available in this version"
            failed = failed or given.only is not None
    if given.json:
        terminal.print_json({"operator": handle.name, **texts})
        return 0
    for part, text in texts.items():
        if given.only is None:
            if part != wanted[0]:
                terminal.console().print()
            terminal.print_heading(_heading(part, given))
        _print(part, text)
    return 1 if failed else 0


def handle_of(name: str) -> Handle:
    """The operator of that name.

    Raises:
        ArgumentError: there is none; close names are suggested.
    """
    checked_operator(name, opslib.operators())
    handle: Handle = getattr(opslib, name).handle
    return handle


def _heading(part: str, given: argparse.Namespace) -> str:
    operator: str = given.operator
    return {
        "about": operator,
        "reference": "reference (NumPy)",
        "source": f"kernel ({given.backend or 'cpu'})",
        "plan": f"plan ({given.backend}; costs are on paper)",
        "bound": "error bound",
    }.get(part, part)


def _print(part: str, text: str) -> None:
    out = terminal.console()
    if not out.is_terminal:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
    elif part in ("spec", "gradient"):
        out.print(spec_text(text))
    elif part in ("signature", "reference", "source"):
        lexer = "c" if part == "source" and "#include" in text else "python"
        out.print(
            Syntax(text.rstrip(), lexer, theme="ansi_dark", background_color="default")
        )
    else:
        out.print(Text(text))


class _Bare(str):
    """A text whose repr is itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


# --- the parts ---------------------------------------------------------------------


def _about(handle: Handle, given: argparse.Namespace) -> str:
    operator = handle.operator
    e = ops.entry(operator)
    lines = [operator.doc.strip(), ""]
    if operator.clauses.upstream:
        for u in operator.clauses.upstream:
            because = f": {u.reason}" if u.reason else ""
            lines.append(f"{u.status.capitalize()} with {u.function}{because}.")
    else:
        lines.append("Custom: no upstream.")
    lines.append(f"From specs/{e.group}.op.")
    return "\n".join(lines)


def _signature(handle: Handle, given: argparse.Namespace) -> str:
    function: Callable[..., Any] = getattr(opslib, handle.name)
    found = inspect.signature(function)
    # Annotations are kept as texts, and would be shown in quotes.
    unquoted = [
        p.replace(annotation=_Bare(p.annotation)) for p in found.parameters.values()
    ]
    found = found.replace(
        parameters=unquoted, return_annotation=_Bare(found.return_annotation)
    )
    one = f"opslib.{handle.name}{found}"
    if len(one) <= 88:
        return one
    parts: list[str] = []
    kind = None
    for p in found.parameters.values():
        if kind == p.POSITIONAL_ONLY and p.kind != kind:
            parts.append("/")
        before = (None, p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        if p.kind == p.KEYWORD_ONLY and kind in before:
            parts.append("*")
        parts.append(str(p))
        kind = p.kind
    body = "".join(f"    {part},\n" for part in parts)
    return f"opslib.{handle.name}(\n{body}) -> {found.return_annotation}"


def _spec(handle: Handle, given: argparse.Namespace) -> str:
    return str(handle.text)


def _gradient(handle: Handle, given: argparse.Namespace) -> str:
    function: Any = getattr(opslib, handle.name)
    return str(function.grad.text(given.dtype, rank=given.rank))


def _reference(handle: Handle, given: argparse.Namespace) -> str:
    return _source_of(handle, "numpy", given)


def _source(handle: Handle, given: argparse.Namespace) -> str:
    return _source_of(handle, given.backend or "cpu", given)


@runtime_checkable
class _Plans(Protocol):
    """A backend that has more to say of a kernel than its source."""

    def plan_text(self, program: Program, binding: Binding, device: Device) -> str:
        """Its memory, its pipes, what they wait for, what it would cost."""


def _planner(backend: str | None) -> tuple[_Plans, Device] | None:
    if backend is None:
        return None
    try:
        found, device = registry.device(backend)
    except OpslibError:
        return None  # the parts that need it say so
    return (found, device) if isinstance(found, _Plans) else None


def _plan(handle: Handle, given: argparse.Namespace) -> str:
    found = _planner(given.backend)
    if found is None:
        return "this backend's kernels have no plan; those of npu and cuda do"
    planner, device = found
    binding = sample_binding(handle.operator, given.dtype, rank=given.rank)
    program = program_for(handle.operator, binding.statics, handle.library)
    return planner.plan_text(program, binding, device)


def _source_of(handle: Handle, backend: str, given: argparse.Namespace) -> str:
    from opslib.dispatch import inspection

    text = inspection.source(handle, backend, dtype=given.dtype, rank=given.rank)
    return text.strip("\n")


def _bound(handle: Handle, given: argparse.Namespace) -> str:
    backend = given.backend or "cpu"
    arrays, found = _sample_bounds(handle, given, backend)
    real = [a for a in _flat(arrays) if isinstance(a, np.ndarray)]
    shapes = ", ".join(f"{a.dtype.name}{list(a.shape)}" for a in real)
    lines = [f"for random {shapes}, by what {backend} declares of its arithmetic:"]
    for result, bound in zip(handle.operator.results, found, strict=False):
        finite = np.asarray(bound, np.float64)
        worst = float(finite.max()) if finite.size else 0.0
        lines.append(
            f"  {result.name}: exact"
            if worst == 0
            else f"  {result.name}: within {worst:.3g} of the exact result, everywhere"
        )
    return "\n".join(lines)


def _sample_bounds(
    handle: Handle, given: argparse.Namespace, backend: str
) -> tuple[tuple[Any, ...], Any]:
    """The arrays of a small call, and the bounds of its results."""
    function: Any = getattr(opslib, handle.name)
    failure: OpslibError | None = None
    for seed in range(20):
        # Shapes and indices drawn from the signature alone may not fit the data.
        call = sample_arrays(handle.operator, given.dtype, given.rank, seed)
        try:
            with np.errstate(all="ignore"):
                return call[0], function.bound(*call[0], backend=backend, **call[1])
        except (OperandIndexError, ShapeError) as error:
            failure = error
    assert failure is not None
    raise failure


def _cost(handle: Handle, given: argparse.Namespace) -> str:
    function: Any = getattr(opslib, handle.name)
    lines = []
    for workload in handle.operator.clauses.workloads:
        arrays, attributes = abstract_call(handle.operator, workload)
        found = function.cost(*arrays, **attributes)
        functions = f" + {_counted(found.transcendental)} functions"
        lines.append(
            f"{workload_text(workload)}\n"
            f"  {_counted(found.flops)} operations"
            f"{functions if found.transcendental else ''}, "
            f"{_counted(found.bytes_read)} B read, "
            f"{_counted(found.bytes_written)} B written: "
            f"{found.intensity:.3g} operations for each byte"
        )
    return "\n".join(lines) or "the spec names no workload"


def _counted(value: float) -> str:
    """Three digits: ``2.15 G``."""
    for scale, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value:.0f}"


def _coverage(handle: Handle, given: argparse.Namespace) -> str:
    program = sample_program(handle, given.dtype, rank=given.rank)
    dtype = given.dtype or str(program.inputs[0].dtype if program.inputs else "float32")
    rows = []
    with terminal.remarks():  # A simulator's: the rows say that it is one.
        for name in registry.names():
            for device in registry.devices(name):
                found = _covered(handle, program, device, dtype, given.backend)
                rows.append(f"{device.name}: {found}")
    return "\n".join(rows)


def _covered(
    handle: Handle, program: Program, device: Device, dtype: str, wanted: str | None
) -> str:
    """What a device makes of a program. Only one that is asked for compiles it."""
    if device.why_not is not None:
        return f"no: {device.why_not}"
    backend = registry.load(device.backend)
    refusal = backend.supports(program, device)
    if refusal is not None:
        return f"no: {refusal}"
    automatic = not device.simulated and device.backend in DEFAULT_ORDER
    if not (automatic if wanted is None else wanted in (device.name, device.backend)):
        simulated = ", simulated" if device.simulated else ""
        return f"takes it{simulated}; --backend {device.name} compiles it"
    kernel = kernel_for(backend, device, program)
    state = _verdict(handle, device.backend, device.family, dtype, kernel.skeleton)
    return f"{kernel.skeleton} kernel, {dtype}: {state}"


def _verdict(
    handle: Handle, backend: str, family: str, dtype: str, skeleton: str
) -> str:
    """What conformance runs have said of a kernel."""
    key = routing.Key(
        spec=routing.spec_hash(handle.operator, handle.library),
        stamp=generator_stamp(backend),
        dtype=dtype,
        skeleton=skeleton,
        family=family,
    )
    words = {"pass": "passes", "fail": "fails", "untested": "not tested"}
    return words[routing.state_of(key)]


def _flat(arrays: tuple[Any, ...]) -> list[Any]:
    return [x for a in arrays for x in (a if isinstance(a, tuple) else (a,))]


_MAKERS: dict[str, Callable[[Handle, argparse.Namespace], str]] = {
    "about": _about,
    "signature": _signature,
    "spec": _spec,
    "gradient": _gradient,
    "reference": _reference,
    "source": _source,
    "plan": _plan,
    "bound": _bound,
    "cost": _cost,
    "coverage": _coverage,
}
