"""``opslib warm``: compiles kernels ahead of time."""

from __future__ import annotations

import argparse
import os
import threading
from collections import Counter
from dataclasses import asdict
from typing import Any

from opslib.cli import terminal
from opslib.cli.ops import entries
from opslib.dispatch.handle import Handle
from opslib.errors import ArgumentError
from opslib.runtime import registry
from opslib.testing.names import checked_dtype, checked_operator
from opslib.testing.signature import dtypes_of
from opslib.tuning.warm import Warmed, warm


def add(commands: Any, help: str) -> None:
    """Declares the arguments."""
    parser = commands.add_parser(
        "warm",
        help=help,
        description="Compiles the kernels of operators into the cache, so that their "
        "first calls start at once: for arrays in C order, of any size.",
    )
    parser.add_argument("op", nargs="*", help="operators; all of them by default")
    parser.add_argument("--group", help="those of one spec file, such as attention")
    parser.add_argument("--backend", help="where they will run; else the usual choice")
    parser.add_argument(
        "--dtype", action="append", help="may be repeated; float32 by default"
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="compilers at a time"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(given: argparse.Namespace) -> int:
    """Compiles; exit code 1 where an operator that was named has no kernel."""
    if given.backend is not None:
        registry.device(given.backend)  # Says what is wrong before anything starts.
    wanted = _wanted(given)
    lock = threading.Lock()
    with terminal.remarks() as remarks, terminal.progress() as bar:
        task = bar.add_task("compiling", total=len(wanted))

        def notify(made: Warmed) -> None:
            with lock:
                bar.update(task, advance=1, description=f"{made.operator} {made.dtype}")

        found = warm(wanted, given.backend, given.jobs, notify)
    for text in dict.fromkeys(remarks):
        terminal.say(text)
    if given.json:
        terminal.print_json([asdict(w) for w in found])
    else:
        _print(found)
    return 1 if given.op and any(w.reason for w in found) else 0


def _wanted(given: argparse.Namespace) -> list[tuple[Handle, str]]:
    dtypes = [checked_dtype(d) for d in given.dtype or ["float32"]]
    names = given.op
    if not names:
        names = [e.name for e in entries() if given.group in (None, e.group)]
        if not names:
            raise ArgumentError(
                f"there is no group {given.group!r}",
                code="E0705",
                help="groups: " + ", ".join(sorted({e.group for e in entries()})),
            )
    pairs = []
    for name in names:
        handle = Handle(checked_operator(name))
        taken = dtypes_of(handle.operator)
        if given.op and not set(dtypes) & set(taken):
            raise ArgumentError(
                f"{name} takes no {', no '.join(dtypes)}",
                code="E0705",
                help="it takes " + ", ".join(taken),
            )
        pairs += [(handle, dtype) for dtype in dtypes if dtype in taken]
    return pairs


def _print(found: list[Warmed]) -> None:
    devices = Counter(w.device for w in found if not w.reason)
    out = terminal.console()
    for device, count in devices.most_common():
        out.print(f"{device}: {count} operators ready")
    for w in found:
        if w.reason:
            out.print(f"not {w.operator} {w.dtype}: {w.reason}")
