"""Which operators a device runs: a table for the documentation, made by running them.

``python -m opslib.testing.operator_table --backend npu:qnn --dtype float16`` prints
it. Each operator runs a few cases of the conformance suite, in a child process, as a
vendor's library may crash; each case is judged by the bounds of the device's own
arithmetic.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from opslib.errors import OpslibWarning

_MODULE = "opslib.testing.operator_table"


@dataclass(frozen=True, slots=True)
class Row:
    """What became of an operator in a dtype.

    state: ``runs`` (every case that ran was right), ``part`` (some cases were refused,
        the others right), ``refused``, ``wrong``, ``crashed`` or ``nothing`` (no case
        proved anything).
    """

    operator: str
    dtype: str
    state: str
    cases: int
    note: str = ""


def row(operator: str, dtype: str, backend: str, cases: int) -> Row:
    """Runs an operator in this process."""
    from opslib.dispatch.handle import Handle
    from opslib.testing.inputs import NoCase, make_case
    from opslib.testing.judge import Verdict, judge_once

    handle = Handle(operator)
    found: list[Verdict] = []
    for number in range(cases):
        try:
            case = make_case(handle, dtype, number)
            verdict = judge_once(handle, case, backend)
        except NoCase:
            continue
        except Exception as error:
            # The judge, or the suite, met something that it did not expect.
            text = f"{type(error).__name__}: {error}"
            verdict = Verdict(number, "fail", text)
        found.append(verdict)
    wrong = [v for v in found if v.status == "fail"]
    right = [v for v in found if v.status == "pass"]
    refused = [v for v in found if v.status == "unsupported"]
    if wrong:
        return Row(operator, dtype, "wrong", len(found), shortened(wrong[0].message))
    if right:
        note = shortened(refused[0].message) if refused else ""
        return Row(operator, dtype, "part" if refused else "runs", len(right), note)
    if refused:
        note = shortened(refused[0].message)
        return Row(operator, dtype, "refused", len(refused), note)
    return Row(operator, dtype, "nothing", len(found), "no case proved anything")


def shortened(message: str) -> str:
    """What a device said, without the names that every message repeats."""
    text = message.splitlines()[0]
    text = re.sub(
        r"^.*?(refuses the graph: |failed: |cannot run: [^:]+:\w+: )", "", text
    )
    text = re.sub(r"\[ONNXRuntimeError\] : \d+ : ", "", text)
    return text[:160].replace("|", "/")


def pairs(dtypes: Sequence[str], only: Sequence[str] = ()) -> list[tuple[str, str]]:
    """The operators, each with those of the dtypes that it takes."""
    from opslib.language.library import load_library
    from opslib.testing.shapes import dtypes_of

    return [
        (name, dtype)
        for name, operator in load_library().items()
        for dtype in dtypes
        if dtype in dtypes_of(operator) and (not only or name in only)
    ]


def rows(work: Sequence[tuple[str, str]], backend: str, cases: int) -> Iterator[Row]:
    """All rows, in order, from child processes that may die."""
    left = list(work)
    while left:
        text = json.dumps(left)
        command = [sys.executable, "-m", _MODULE, "--backend", backend]
        command += ["--cases", str(cases), "--child"]
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(text)
            child.stdin.close()
            for line in child.stdout:
                if line.startswith("{"):  # vendors' libraries print there too
                    yield Row(**json.loads(line))
                    left.pop(0)
        if left and child.returncode:
            operator, dtype = left.pop(0)
            how = f"its process ended with {child.returncode}"
            yield Row(operator, dtype, "crashed", 0, how)


def markdown(found: Sequence[Row], backend: str) -> str:
    """The table as a page."""
    from opslib.runtime import registry

    device = registry.device(backend)[1]
    dtypes = dict.fromkeys(r.dtype for r in found)
    lines = [f"# Operators on {backend}", ""]
    lines += [f"Device: {device.description}.", ""]
    for dtype in dtypes:
        mine = [r for r in found if r.dtype == dtype]
        counts = {s: sum(r.state == s for r in mine) for s in _MEANINGS}
        lines.append(
            f"{dtype}: of {len(mine)} operators "
            + ", ".join(f"{n} {s}" for s, n in counts.items() if n)
            + "."
        )
    lines += ["", *(f"* `{s}`: {text}" for s, text in _MEANINGS.items()), ""]
    command = f"python -m {_MODULE} --backend {backend}"
    lines += [f"Made by `{command} {' '.join(f'--dtype {d}' for d in dtypes)}`.", ""]
    lines += ["| operator | dtype | state | cases | what the device says, or gave |"]
    lines += ["|---|---|---|---|---|"]
    for r in found:
        lines.append(f"| {r.operator} | {r.dtype} | {r.state} | {r.cases} | {r.note} |")
    return "\n".join(lines) + "\n"


_MEANINGS = {
    "runs": "every case is right within the bounds of the device's arithmetic",
    "part": "some cases are refused, the others are right",
    "refused": "the device, or the printer, says that it cannot",
    "wrong": "a case is outside the bounds",
    "crashed": "the vendor's library ended the process",
    "nothing": "no case proved anything: the bounds exceed the values",
}


def main(given: Sequence[str] | None = None) -> int:
    """Prints the table; 0 always: it says what is, not what should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", required=True)
    parser.add_argument("--dtype", action="append")
    parser.add_argument("--op", action="append", default=[])
    parser.add_argument("--cases", type=int, default=4)
    parser.add_argument("--json", type=Path, help="write the rows here, too")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    a = parser.parse_args(given)
    warnings.simplefilter("ignore", OpslibWarning)
    if a.child:
        for operator, dtype in json.load(sys.stdin):
            line = json.dumps(asdict(row(operator, dtype, a.backend, a.cases)))
            print(f"\n{line}", flush=True)
        return 0
    found: list[Row] = []
    for made in rows(pairs(a.dtype or ["float16"], a.op), a.backend, a.cases):
        found.append(made)
        if a.json is not None:  # as it grows: a whole run takes a while
            text = json.dumps([asdict(r) for r in found], indent=1)
            a.json.write_text(text, "utf-8")
    print(markdown(found, a.backend), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
