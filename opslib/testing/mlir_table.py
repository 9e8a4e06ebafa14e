"""Which operators BiShengIR plans, and why it does not plan the others: a table.

``python -m opslib.testing.mlir_table --write docs/npu-bishengir-operators.md`` makes
it, with ascendnpu-ir installed: one small case of every operator and dtype, whose
kernel the compiler plans for each chip. ``--run`` executes the kernels on the host with
LLVM's tools instead, and holds the results to the operators' bounds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from opslib.codegen.mlir_style import Kernel, render
from opslib.dispatch.handle import Handle
from opslib.dispatch.judging import in_caller_axes, in_program_axes
from opslib.errors import CompileError
from opslib.runtime.bishengir import TARGETS, Verdict, missing, plan
from opslib.runtime.mlir_host import ARITHMETIC, Module, missing_tools
from opslib.testing import levels
from opslib.testing.inputs import Case, NoCase, make_case
from opslib.testing.judge import reference
from opslib.testing.operator_table import pairs

_MODULE = "opslib.testing.mlir_table"
DTYPES = ("float16", "float32", "int32")
# Elements of the largest array. All of a kernel's tensors are in one core's buffer, so
# that what overflows it, sorting by counting, say, is tried once more with the last.
LIMITS = (256, 64)
# Draws after which an operator is taken to have no case without empty arrays.
_DRAWS = 24


@dataclass(frozen=True, slots=True)
class Row:
    """What became of an operator in a dtype, by target."""

    operator: str
    dtype: str
    case: str
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)


def small_case(operator: str, dtype: str, limit: int = LIMITS[0]) -> Case | None:
    """The first small case of plain numbers all of whose arrays have elements."""
    handle = Handle(operator)
    for number in range(_DRAWS):
        try:
            case = make_case(handle, dtype, number, kind="random", limit=limit)
        except NoCase:
            continue
        arrays = [a.size for a in case.flat]
        if all(arrays) and all(all(o.shape) for o in case.binding.outputs):
            return case
    return None


def kernel_of(case: Case) -> Kernel:
    """The kernel of a case; raises NotImplementedError where it has no form."""
    return render(case.program, case.binding.sizes, case.binding.scalars)


def row(operator: str, dtype: str) -> Row:
    """Plans an operator for every target."""
    found = Row(operator, dtype, "", _everywhere("none", "no case with elements"))
    for limit in LIMITS:
        case = small_case(operator, dtype, limit)
        if case is None:
            break
        shapes = ", ".join(f"{list(a.shape)}" for a in case.flat)
        try:
            kernel = kernel_of(case)
        except NotImplementedError as error:
            return Row(operator, dtype, shapes, _everywhere("unprinted", str(error)))
        verdicts = {t: plan(kernel.text, t) for t in TARGETS}
        found = Row(operator, dtype, shapes, verdicts)
        if not any("overflow" in v.reason for v in verdicts.values()):
            break
    return found


def _everywhere(state: str, reason: str) -> dict[str, Verdict]:
    return {t: Verdict(t, state, reason) for t in TARGETS}


def rows(work: Sequence[tuple[str, str]], jobs: int = 1) -> Iterator[Row]:
    """All rows, in order."""
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda one: row(*one), work)


# --- Execution -----------------------------------------------------------------------


def executed(case: Case) -> str | None:
    """Runs a case's kernel on the host: None where every result is within its bounds.

    Raises:
        NotImplementedError, CompileError: there is no kernel.
    """
    module = Module.of(kernel_of(case))
    binding = case.binding
    given = [
        in_program_axes(a.astype(t.dtype.numpy), t.view)
        for t, a in zip(binding.inputs, case.flat, strict=True)
    ]
    with np.errstate(all="ignore"):
        results = module(given)
        known = reference(case, ARITHMETIC)
        for k, t in enumerate(binding.outputs):
            got = np.asarray(in_caller_axes(results[k], t.view, t.shape))
            wants, judgement = known.exact[k], known.judgements[k]
            if wants is not None:
                measure = levels.exact("L0", got, wants)
            else:
                assert judgement is not None
                measure = levels.rigorous(got, judgement)
            if not measure.worst <= 1:
                return (
                    f"{t.name}{list(measure.place)}: {measure.got}, "
                    f"not {measure.want} ({measure.worst:.3g} times the bound)"
                )
    return None


# --- The page ------------------------------------------------------------------------

_MEANINGS = {
    "planned": "the compiler placed every buffer and set every flag",
    "refused": "the compiler says that it cannot; its first line is the reason",
    "crashed": "the compiler ended in an assertion or a signal of its own",
    "timeout": "the compiler did not end",
    "unprinted": "opslib's printer has no form for it",
    "none": "no small case without empty arrays was drawn",
}


def markdown(found: Sequence[Row]) -> str:
    """The table as a page."""
    lines = [
        "# Operators that BiShengIR plans",
        "",
        "One small case of each operator and dtype, as linalg MLIR, given to",
        "`bishengir-compile` of the package ascendnpu-ir (`opslib[ascend-check]`).",
        "A plan is the program with addresses in the chip's buffers and flags between",
        "its pipes; making a binary of it takes `hivmc`, which ships with CANN only.",
        "Each kernel is the program of one block: what is planned are sizes that fit",
        "one core, and nan and infinities are as the chip has them. Where LLVM 19 is",
        f"installed, `python -m {_MODULE} --run` executes the same kernels on the host",
        "and holds the results to the operators' bounds.",
        "",
        *(f"* `{s}`: {text}" for s, text in _MEANINGS.items()),
        "",
        "| target | dtype | operators | " + " | ".join(_MEANINGS) + " |",
        "|---" * (3 + len(_MEANINGS)) + "|",
    ]
    for target in TARGETS:
        for dtype in dict.fromkeys(r.dtype for r in found):
            mine = [r.verdicts[target].state for r in found if r.dtype == dtype]
            counts = [str(mine.count(s)) for s in _MEANINGS]
            lines.append(f"| {target} | {dtype} | {len(mine)} | {' | '.join(counts)} |")
    for target in TARGETS:
        whole = planned(found, target)
        total = len({r.operator for r in found})
        lines += ["", f"{target}: {len(whole)} of {total} operators are planned in"]
        lines[-1] += " every dtype that they take here."
    lines += ["", f"Made by `python -m {_MODULE} --write FILE`.", ""]
    lines += ["| operator | dtype | shapes | " + " | ".join(TARGETS) + " | reasons |"]
    lines += ["|---" * (4 + len(TARGETS)) + "|"]
    lines += map(_line, found)
    return "\n".join(lines) + "\n"


def planned(found: Sequence[Row], target: str) -> set[str]:
    """The operators all of whose rows are planned for a target."""
    bad = {r.operator for r in found if r.verdicts[target].state != "planned"}
    return {r.operator for r in found} - bad


def _line(r: Row) -> str:
    verdicts = [r.verdicts[t] for t in TARGETS]
    reasons = dict.fromkeys(v.reason for v in verdicts if v.reason)
    note = "; ".join(reasons).replace("|", "/")
    states = " | ".join(v.state for v in verdicts)
    return f"| {r.operator} | {r.dtype} | {r.case} | {states} | {note} |"


def main(given: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog=f"python -m {_MODULE}")
    parser.add_argument("--dtype", action="append", choices=DTYPES)
    parser.add_argument("--op", action="append", default=[])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--write", type=Path, help="the page, rather than lines")
    parser.add_argument("--run", action="store_true", help="execute, do not plan")
    parser.add_argument("--show", action="store_true", help="print the kernels")
    options = parser.parse_args(given)
    work = pairs(options.dtype or DTYPES, options.op)
    if options.show:
        for operator, dtype in work:
            case = small_case(operator, dtype)
            print(kernel_of(case).text if case else f"{operator} {dtype}: no case")
        return 0
    why_not = missing_tools() if options.run else missing()
    if why_not is not None:
        print(why_not, file=sys.stderr)
        return 2
    if options.run:
        return _run(work)
    found = []
    for one in rows(work, options.jobs):
        found.append(one)
        if options.write is None:
            print(_line(one), flush=True)
    if options.write is not None:
        options.write.write_text(markdown(found), encoding="utf-8")
    return 0


def _run(work: Sequence[tuple[str, str]]) -> int:
    wrong = right = 0
    for operator, dtype in work:
        case = small_case(operator, dtype)
        if case is None:
            continue
        try:
            message = executed(case)
        except (NotImplementedError, CompileError) as error:
            print(f"{operator} {dtype}: no kernel: {error}", flush=True)
            continue
        wrong, right = wrong + bool(message), right + (not message)
        if message:
            print(f"{operator} {dtype}: {message}", flush=True)
    print(f"{right} right, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
