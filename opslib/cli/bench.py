"""``opslib bench``: operators against their peers and the machine's limits."""

from __future__ import annotations

import argparse
import importlib.metadata
import math
import os
from dataclasses import asdict
from typing import Any

from rich.text import Text

import opslib
from opslib.cli import terminal
from opslib.cli.show import handle_of
from opslib.errors import ArgumentError
from opslib.runtime import registry
from opslib.tuning import machine, peers
from opslib.tuning.bench import Row, bench


def add(commands: Any, help: str) -> None:
    """Declares the arguments."""
    parser = commands.add_parser(
        "bench",
        help=help,
        description=f"{help[0].upper()}{help[1:]}, on the specs' workloads.",
        epilog="ratio: the contender's time over opslib's, above 1 opslib is faster. "
        "limit: the least time the measured multiply-adds and bytes a second allow, "
        "over the contender's.",
    )
    parser.add_argument("operator", nargs="*", metavar="OP")
    parser.add_argument(
        "--against",
        default="",
        metavar="LIST",
        help=f"peers, separated by commas: {', '.join(peers.NAMES)}, or all",
    )
    parser.add_argument(
        "--backend",
        default="",
        metavar="LIST",
        help="backends of opslib; ratios refer to the first",
    )
    parser.add_argument("--workload", help="only the workload of this label")
    parser.add_argument(
        "--seconds", type=_seconds, default=2.0, help="for each workload, about"
    )
    parser.add_argument(
        "--threads", type=int, help="for opslib and, where it can be set, the peers"
    )
    parser.add_argument("--list", action="store_true", help="operators with workloads")
    parser.add_argument("--json", action="store_true", help="one JSON document")


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def run(given: argparse.Namespace) -> int:
    """Times and prints; exit code 1 where a contender's result differs."""
    library = opslib.spec_library()
    if given.list:
        for name in sorted(n for n, o in library.items() if o.clauses.workloads):
            terminal.console().print(name)
        return 0
    if not given.operator:
        raise ArgumentError(
            "bench needs the name of an operator",
            code="E0705",
            help="`opslib bench --list` names those with workloads",
        )
    handles = [handle_of(name) for name in given.operator]
    for handle in handles:
        if not handle.operator.clauses.workloads:
            raise ArgumentError(
                f"the spec of {handle.name} names no workload",
                code="E0705",
                help="add a `workload` clause to it; `opslib bench --list`",
            )
        labels = [w.label for w in handle.operator.clauses.workloads]
        if given.workload and given.workload not in labels:
            raise ArgumentError(
                f"{handle.name} has no workload {given.workload!r}",
                code="E0704",
                help=f"it has {', '.join(labels)}",
            )
    if given.threads is not None:
        opslib.set_num_threads(given.threads)
    against = _listed(given.against, peers.NAMES)
    for name in against:
        if name not in peers.NAMES:
            raise ArgumentError(
                f"there is no peer {name!r}",
                code="E0704",
                help=f"peers: {', '.join(peers.NAMES)}",
            )
    backends = _listed(given.backend, ())
    for name in backends:
        registry.device(name)  # says what is wrong before anything is measured
    _warn(against)
    with terminal.errors().status("Measuring the machine's limits"):
        limits = machine.limits(given.threads)
    rows: list[Row] = []
    with terminal.progress() as bar:
        for handle in handles:
            task = bar.add_task(handle.name, total=None)
            rows += bench(
                getattr(opslib, handle.name),
                handle,
                against=against,
                backends=backends,
                only=given.workload,
                seconds=given.seconds,
                limits=limits,
                on_progress=lambda done, total, task=task: bar.update(  # type: ignore[misc]
                    task, completed=done, total=total
                ),
            )
            bar.remove_task(task)
    if given.json:
        terminal.print_json(_document(limits, rows))
    else:
        _print(limits, rows)
    return 0 if all(r.agrees for r in rows) else 1


def _listed(text: str, everything: tuple[str, ...]) -> list[str]:
    if text == "all":
        return list(everything)
    return [word.strip() for word in text.split(",") if word.strip()]


def _warn(against: list[str]) -> None:
    if "numpy" in against and os.environ.get("OPENBLAS_CORETYPE"):
        terminal.say(
            "OPENBLAS_CORETYPE is set, which may hold NumPy's matmul back: unset it "
            "to compare with NumPy at its best"
        )
    loads = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if loads > 0.5 * (os.cpu_count() or 1):
        terminal.say(
            f"other programs keep this machine busy (load {loads:.1f}): times will be "
            "longer and limits lower than they are"
        )


def _document(limits: machine.Limits, rows: list[Row]) -> dict[str, Any]:
    return {
        "schema": 1,
        "opslib": opslib.__version__,
        "peers": {name: _version(name) for name in peers.NAMES},
        "limits": asdict(limits),
        "rows": [asdict(row) for row in rows],
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def seconds_text(seconds: float) -> str:
    """Three digits and a unit: ``12.3 ms``."""
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def _print(limits: machine.Limits, rows: list[Row]) -> None:
    out = terminal.console()
    title = ""
    block: list[Row] = []
    for row in [*rows, None]:
        this = "" if row is None else f"{row.operator}  {row.workload}"
        if this != title:
            if block:
                terminal.print_heading(title)
                _print_block(block)
                out.print()
            title, block = this, []
        if row is not None:
            block.append(row)
    out.print(
        f"limits: {limits.flops / 1e9:.0f} GFLOP/s float32, "
        f"{limits.bandwidth / 1e9:.1f} GB/s copied, {limits.threads} threads "
        f"({limits.how})"
    )


def _print_block(rows: list[Row]) -> None:
    lines: list[tuple[str | Text, ...]] = []
    for r in rows:
        if r.result is None:
            lines.append((r.contender, "", "", "", "", "", f"skipped: {r.why_not}"))
            continue
        assert r.ratio is None or r.ratio >= 0
        ratio: str | Text = "" if r.ratio is None else f"{r.ratio:.2f}x"
        if r.ratio is not None and not r.contender.startswith("opslib"):
            ratio = Text(str(ratio), style="green" if r.ratio >= 1 else "red")
        lines.append(
            (
                r.contender,
                seconds_text(r.result.seconds),
                f"±{100 * r.result.spread:.0f} %",
                ratio,
                "" if r.of_limit is None else f"{100 * r.of_limit:.0f} %",
                str(r.result.samples),
                r.skeleton if r.agrees else Text("differs!", style="bold red"),
            )
        )
    terminal.print_table(
        ("contender", "median", "spread", "ratio", "limit", "runs", "kernel"),
        lines,
        right=("median", "spread", "ratio", "limit", "runs"),
        wide=("kernel",),
        indent=2,
    )
