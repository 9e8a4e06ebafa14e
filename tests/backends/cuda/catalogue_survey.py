"""The whole catalogue through NVIDIA's compiler: what each kernel needs of a chip."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from opslib.backends.cuda import nvrtc
from opslib.backends.cuda.launch import unique_name
from opslib.backends.cuda.lower import lower
from opslib.backends.cuda.machine import Kernel
from opslib.backends.cuda.nvrtc import Usage
from opslib.backends.cuda.renderer import print_unit
from opslib.backends.cuda.targets import TARGETS, GpuTarget

from opslib.dispatch.handle import Handle
from opslib.dispatch.inspection import sample_program
from opslib.errors import CompileError
from opslib.language.library import load_library
from opslib.testing.shapes import dtypes_of

# One of each kind of code: float, both 16-bit floats, a wide and a narrow integer.
DTYPES = ("float32", "float16", "bfloat16", "int32", "int8")
# Lines of the report of ptxas, and those of them that complain (C7515 and others).
_REPORT = re.compile(r"\s*(ptxas (info )?\s*[:.]|\d+ bytes stack frame)")
_LOSS = re.compile(r"[Ww]arning|Potential Performance Loss")
# Kernels of a unit, and lines of those that share one: to parse the headers costs as
# much as a dozen of them. Longer ones take ptxas seconds.
UNIT, LINES = 16, 150
# Forms that keep a tile of sums in registers: there a spill is in the innermost loop.
_TILES = ("_large", "_small", "_wide")
# An operator, a type, and what it becomes.
Lowered = tuple[str, str, Kernel]


@dataclass(frozen=True, slots=True)
class Found:
    """One operator in one type for one chip.

    Attributes:
        operator, dtype, architecture: which.
        skeleton: it was lowered by.
        usage: of each launch, whose name is what follows the operator's.
        tensor: whether tensor cores multiply.
        complaints: of the compiler: an error, or warnings.
    """

    operator: str
    dtype: str
    architecture: str
    skeleton: str
    usage: tuple[Usage, ...] = ()
    tensor: bool = False
    complaints: tuple[str, ...] = ()

    def bad(self) -> Iterator[str]:
        """What must not be."""
        where = f"{self.operator} {self.dtype} {self.architecture}"
        yield from (f"{where}: {text}" for text in self.complaints)
        for u in self.usage:
            if u.spills and (self.tensor or u.name.endswith(_TILES)):
                yield f"{where}: {u.name} spills {u.spills} bytes of its sums"


def pairs() -> Iterator[tuple[str, str]]:
    """Operators with their types of `DTYPES`, or their first type."""
    for name in load_library():
        types = dtypes_of(Handle(name).operator)
        for dtype in [t for t in DTYPES if t in types] or types[:1]:
            yield name, dtype


def survey(
    work: Sequence[tuple[str, str]], architectures: Sequence[str]
) -> list[Found]:
    """Compiles all; what the kernel cache has is not compiled again.

    So a run that was cut short goes on where it was.
    """
    return [f for a in architectures for f in _survey(work, TARGETS[a])]


def _survey(work: Sequence[tuple[str, str]], target: GpuTarget) -> Iterator[Found]:
    short: list[Lowered] = []
    for name, dtype in work:
        kernel = _lowered(name, dtype, target)
        if sum(len(x.body) for x in kernel.launches) > LINES:
            yield alone((name, dtype, kernel), target)
            continue
        short.append((name, dtype, kernel))
        if len(short) == UNIT:
            yield from together(short, target)
            short = []
    yield from together(short, target)


def _lowered(name: str, dtype: str, target: GpuTarget) -> Kernel:
    """A typical call of an operator."""
    program = sample_program(Handle(name), dtype)
    tensors = (*program.inputs, *program.outputs)
    layout = {t.name: "contiguous-inner" for t in tensors}
    return lower(program, layout, target, unique_name(program, ("c",)))


def together(work: Sequence[Lowered], target: GpuTarget) -> list[Found]:
    """Kernels as one unit; alone, as users have them, where anything is wrong."""
    if not work:
        return []
    unit = f"survey_{work[0][2].name}"
    try:
        compiled = nvrtc.compile_text(print_unit([k for *_, k in work]), unit, target)
    except CompileError:
        return [alone(x, target) for x in work]
    if compiled.spills or complaints(compiled.log):
        return [alone(x, target) for x in work]
    return [_found(x, target, compiled.usage) for x in work]


def alone(work: Lowered, target: GpuTarget) -> Found:
    """One kernel."""
    name, dtype, kernel = work
    try:
        compiled = nvrtc.compile_text(print_unit([kernel]), kernel.name, target)
    except CompileError as error:
        said = (error.message,)
        return Found(name, dtype, target.name, kernel.skeleton, complaints=said)
    return _found(work, target, compiled.usage, complaints(compiled.log))


def _found(
    work: Lowered,
    target: GpuTarget,
    usage: Sequence[Usage],
    said: tuple[str, ...] = (),
) -> Found:
    name, dtype, kernel = work
    tensor = any("on tensor cores" in note for note in kernel.notes)
    wanted = {launch.name for launch in kernel.launches}
    own = tuple(u for u in usage if u.name in wanted)
    missing = wanted - {u.name for u in own}
    said += tuple(f"{x} is not in the report" for x in sorted(missing))
    return Found(name, dtype, target.name, kernel.skeleton, own, tensor, said)


def complaints(log: str) -> tuple[str, ...]:
    """What compilers say beside the report: nothing, of a good text."""
    lines = [x for x in log.splitlines() if x.strip()]
    return tuple(x for x in lines if not _REPORT.match(x) or _LOSS.search(x))


def markdown(found: Sequence[Found]) -> str:
    """The page of the documentation."""
    count = len({(f.operator, f.dtype) for f in found})
    lines = [
        "# CUDA kernels: registers and spills",
        "",
        "Written by `tests/backends/cuda/test_catalogue.py`",
        f"(`-m deep --update-golden`): a typical call of each operator, {count} pairs",
        f"of operator and type, compiled by NVRTC {nvrtc.version()}. Nothing was run.",
        "",
        "| chip | skeleton | programs | launches | registers | spill | most bytes |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    groups = sorted({(f.architecture, f.skeleton) for f in found}, key=_order)
    for group in groups:
        mine = [f for f in found if (f.architecture, f.skeleton) == group]
        usage = [u for f in mine for u in f.usage]
        spills = [u.spills for u in usage if u.spills]
        most = max((u.registers for u in usage), default=0)
        cells = (
            *group,
            len(mine),
            len(usage),
            most,
            len(spills),
            max(spills, default=0),
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    lines += ["", "## Launches that spill", ""]
    lines += ["| operator | type | architecture | launch | registers | bytes |"]
    lines += ["|---|---|---|---|---:|---:|"]
    for f in found:
        for u in f.usage:
            if u.spills:
                short = _short(u.name)
                cells = (
                    f.operator,
                    f.dtype,
                    f.architecture,
                    short,
                    u.registers,
                    u.spills,
                )
                lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


def _order(group: tuple[str, str]) -> tuple[int, str]:
    return int(group[0].removeprefix("sm_")), group[1]


def _short(name: str) -> str:
    """A launch's form: what follows the program's digest."""
    return re.sub(r"^op_.*_[0-9a-f]{10}_c", "", name) or "-"
