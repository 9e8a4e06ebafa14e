"""The command ``opslib conformance`` (also ``python -m opslib.testing``)."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from opslib.dispatch import shipped
from opslib.errors import ArgumentError, OpslibError
from opslib.runtime import registry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's options."""
    parser.description = "Hold a backend to the conformance suite."
    parser.add_argument("--backend", required=True, help="a backend or device")
    parser.add_argument("--op", action="append", help="only this operator; repeatable")
    parser.add_argument("--dtype", action="append", help="only this dtype; repeatable")
    parser.add_argument("--case", type=at_least(0), help="only the case of this number")
    parser.add_argument("--seed", type=at_least(0), default=0)
    parser.add_argument(
        "--profile", choices=("quick", "standard", "deep"), default="standard"
    )
    parser.add_argument(
        "--jobs", type=at_least(1), default=1, help="processes at a time"
    )
    parser.add_argument(
        "--json", type=Path, help="write the report here; resumed when it exists"
    )
    parser.add_argument("--html", type=Path, help="write a page here")
    parser.add_argument(
        "--write-routes",
        nargs="?",
        type=Path,
        const=shipped.folder(),
        metavar="FOLDER",
        help="take the verdicts into the routing table (default: the shipped one)",
    )
    parser.add_argument(
        "--known-failures", type=Path, help="a TOML file besides the shipped one"
    )
    parser.add_argument(
        "--in-process", action="store_true", help="no workers: for a debugger"
    )


def at_least(least: int) -> Callable[[str], int]:
    """An argument that is a whole number from `least` up."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number of at least {least}"
            )
        return value

    return parse


def main(arguments: argparse.Namespace) -> int:
    """Runs the suite; 0 when nothing fails unexpectedly."""
    try:
        return _run(arguments)
    except OpslibError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        if arguments.json is not None and arguments.json.exists():
            print(
                f"{arguments.json} holds what was done; the same command goes on",
                file=sys.stderr,
            )
        raise


def _run(a: argparse.Namespace) -> int:
    from opslib.testing import known, report, runner

    registry.device(a.backend)  # says what is wrong before anything starts
    for path in (a.json, a.html):
        _check_target(path)
    numbers = None if a.case is None else [a.case]
    jobs = runner.plan_jobs(a.op, a.dtype, a.profile, numbers=numbers, seed=a.seed)
    for job in jobs if numbers else ():
        _check_case(job.operator, job.dtype, a.case)
    entries = [*known.shipped()]
    if a.known_failures is not None:
        entries += known.read(a.known_failures)
    with _Progress(len(jobs)) as progress:
        made = runner.run(
            a.backend,
            jobs,
            a.profile,
            workers=a.jobs,
            report=a.json,
            notify=progress,
            known_failures=entries,
            in_process=a.in_process or a.case is not None,
        )
    _print(made, verbose=a.case is not None)
    if a.html is not None:
        a.html.write_text(report.to_html([made]), "utf-8")
    if a.write_routes is not None:
        print(shipped.write_routes(report.to_json(made), a.write_routes))
    return 1 if made.unexpected else 0


def _check_target(path: Path | None) -> None:
    """Refuses a file that could not be written at the end of hours."""
    if path is None:
        return
    folder = path.absolute().parent
    wrong = (
        "is a folder"
        if path.is_dir()
        else f"cannot be written: there is no folder {folder}"
        if not folder.is_dir()
        else f"cannot be written: {folder} is read-only for you"
        if not os.access(folder, os.W_OK)
        else ""
    )
    if wrong:
        raise ArgumentError(f"{path} {wrong}", code="E0704", help="name another file")


def _check_case(operator: str, dtype: str, number: int) -> None:
    """Refuses a number of no case: strata and pairs have numbers of their own."""
    from opslib.testing.conformance import STRATA, pair_numbers

    if number > 2 * STRATA and number not in pair_numbers(operator, dtype):
        raise ArgumentError(
            f"{operator} {dtype} has no case {number}",
            code="E0704",
            help="failures print the command that runs their case again",
        )


class _Progress:
    """A bar on stderr, where that is a terminal."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.bar: Any = None

    def __enter__(self) -> _Progress:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self.bar = Progress(console=Console(stderr=True), transient=True)
            self.bar.start()
            self.task = self.bar.add_task("conformance", total=self.total)
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def __call__(self, done: int, total: int, outcome: Any) -> None:
        if self.bar is not None:
            text = f"{outcome.operator} {outcome.dtype}"
            self.bar.update(self.task, completed=done, total=total, description=text)


def _print(made: Any, verbose: bool) -> None:
    from opslib.testing import known
    from opslib.testing.report import fraction

    for o in sorted(made.outcomes, key=lambda o: (o.operator, o.dtype)):
        if o.state != "pass" or verbose:
            state = "known" if known.is_known(o) else o.state
            print(f"{state:<8} {o.operator} {o.dtype}  {o.reason}".rstrip())
            if verbose:
                levels = ", ".join(f"{k} {fraction(v)}" for k, v in o.levels)
                print(f"         {levels}")
            for f in o.failures[: None if verbose else 3]:
                print(f"         {f.message}\n         {f.line}")
    counts = made.counts()
    cases = sum(o.cases for o in made.outcomes)
    explained = sum(known.is_known(o) for o in made.outcomes)
    print(
        f"{made.backend}: {counts['pass']} pass, {counts['fail']} fail "
        f"({explained} known), {counts['untested']} untested, {cases} cases"
    )
