"""``opslib ops``: the list of operators."""

from __future__ import annotations

import argparse
import fnmatch
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

from rich.text import Text

from opslib._public import spec_library
from opslib.cli import terminal
from opslib.errors import ArgumentError
from opslib.language.syntax import Operator

STATUS_STYLE = {"Aligned": "green", "Adapted": "yellow", "Custom": "blue"}


@dataclass(frozen=True, slots=True)
class Entry:
    """An operator in the list.

    status: Aligned (as its upstream has it), Adapted (with a stated difference) or
    Custom. group: the spec file's name. upstream: the function it follows, or "".
    """

    name: str
    group: str
    status: str
    upstream: str
    doc: str


def add(commands: Any, help: str) -> None:
    """Declares the arguments."""
    parser = commands.add_parser("ops", help=help, description=help)
    parser.add_argument(
        "pattern", nargs="?", help="part of a name or sentence, or a pattern with *"
    )
    parser.add_argument("--group", help="only one spec file, such as attention")
    parser.add_argument(
        "--status", choices=("aligned", "adapted", "custom"), help="only these"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(given: argparse.Namespace) -> int:
    """Prints the list; exit code 1 where nothing matches."""
    found = [e for e in entries() if _wanted(e, given)]
    if given.json:
        terminal.print_json([asdict(e) for e in found])
        return 0 if found else 1
    if not found:
        groups = sorted({e.group for e in entries()})
        raise ArgumentError(
            "no operator matches",
            code="E0705",
            help=f"groups: {', '.join(groups)}; `opslib ops` lists all",
        )
    rows = [
        (
            Text(e.name, style="cyan"),
            e.group,
            Text(e.status, style=STATUS_STYLE[e.status]),
            e.doc,
        )
        for e in found
    ]
    terminal.print_table(("operator", "group", "status", "what"), rows, wide=("what",))
    return 0


def entries() -> tuple[Entry, ...]:
    """All shipped operators, by name."""
    return tuple(entry(o) for _, o in sorted(spec_library().items()))


def entry(operator: Operator) -> Entry:
    """The line of one operator."""
    upstream = operator.clauses.upstream
    return Entry(
        operator.name,
        PurePosixPath(operator.span.source.name).stem,
        status(operator),
        upstream[0].function if upstream else "",
        first_sentence(operator.doc),
    )


def status(operator: Operator) -> str:
    """``Aligned``, ``Adapted`` or ``Custom``: the loosest of its upstreams'."""
    order = ("aligned", "adapted", "custom")
    found = [u.status for u in operator.clauses.upstream] or ["custom"]
    return max(found, key=order.index).capitalize()


def first_sentence(doc: str) -> str:
    """The start of a docstring up to its first full stop, on one line."""
    paragraph = " ".join(doc.strip().partition("\n\n")[0].split())
    head, stop, _ = paragraph.partition(". ")
    return head + stop.strip() if stop else paragraph


def _wanted(e: Entry, given: argparse.Namespace) -> bool:
    if given.group and e.group != given.group.removesuffix(".op"):
        return False
    if given.status and e.status.lower() != given.status:
        return False
    if not given.pattern:
        return True
    pattern = given.pattern.lower()
    if any(c in pattern for c in "*?["):
        return fnmatch.fnmatchcase(e.name, pattern)
    return any(pattern in text.lower() for text in _searched(e))


def _searched(e: Entry) -> Iterable[str]:
    return e.name, e.doc, e.upstream
