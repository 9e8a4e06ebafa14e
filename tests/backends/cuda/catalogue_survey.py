"""The whole catalogue through NVIDIA's compiler: what each kernel needs of a chip."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from opslib.backends.cuda import nvrtc
from opslib.backends.cuda.launch import unique_name
from opslib.backends.cuda.lower import lower
from opslib.backends.cuda.nvrtc import Usage
from opslib.backends.cuda.renderer import print_unit
from opslib.backends.cuda.targets import TARGETS

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
# Forms that keep a tile of sums in registers: there a spill is in the innermost loop.
_TILES = ("_large", "_small", "_wide")


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
    return [one(*pair, a) for a in architectures for pair in work]


def one(name: str, dtype: str, architecture: str) -> Found:
    """A typical call of an operator, compiled."""
    target = TARGETS[architecture]
    program = sample_program(Handle(name), dtype)
    tensors = (*program.inputs, *program.outputs)
    layout = {t.name: "contiguous-inner" for t in tensors}
    made = lower(program, layout, target, unique_name(program, ("c",)))
    tensor = any("on tensor cores" in note for note in made.notes)
    where = (name, dtype, architecture, made.skeleton)
    try:
        compiled = nvrtc.compile_text(print_unit([made]), made.name, target)
    except CompileError as error:
        return Found(*where, complaints=(error.message,))
    said = complaints(compiled.log)
    wanted = {launch.name for launch in made.launches}
    missing = wanted - {u.name for u in compiled.usage}
    said += tuple(f"{name} is not in the report" for name in sorted(missing))
    return Found(*where, compiled.usage, tensor, said)


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
