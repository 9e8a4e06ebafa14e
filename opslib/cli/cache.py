"""``opslib cache``: the compiled kernels on disk."""

from __future__ import annotations

import argparse
import time
from typing import Any

from opslib.cli import terminal
from opslib.runtime.cache import default_cache


def add(commands: Any, help: str) -> None:
    """Declares the arguments."""
    parser = commands.add_parser("cache", help=help, description=help)
    parser.add_argument(
        "action",
        nargs="?",
        default="list",
        choices=("list", "size", "path", "verify", "clear"),
        help="list (default), size in bytes, path, verify digests, or clear",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(given: argparse.Namespace) -> int:
    """Does it; ``verify`` exits with 1 where an entry is damaged."""
    actions = {
        "list": _list,
        "size": _size,
        "path": _path,
        "verify": _verify,
        "clear": _clear,
    }
    return actions[given.action](given.json)


def megabytes(count: int) -> str:
    """A number of bytes for people."""
    if count < 1 << 10:
        return f"{count} B"
    if count < 1 << 20:
        return f"{count / (1 << 10):.0f} KiB"
    return f"{count / (1 << 20):.1f} MiB"


def age(seconds: float) -> str:
    """A span of time for people."""
    for limit, unit, name in (
        (120, 1, "s"),
        (7200, 60, "min"),
        (172800, 3600, "h"),
    ):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86400:.0f} days"


def _list(as_json: bool) -> int:
    entries = default_cache().entries()
    if as_json:
        terminal.print_json(
            [
                {
                    "key": e.key,
                    "name": e.name,
                    "bytes": e.size,
                    "created": e.created,
                    "compiler": e.compiler,
                    "command": e.command,
                    "source": str(e.source_path),
                    "library": str(e.path),
                }
                for e in entries
            ]
        )
        return 0
    now = time.time()
    rows = [
        (
            e.name,
            megabytes(e.size),
            age(max(0.0, now - e.created)),
            e.compiler,
            str(e.source_path.parent),
        )
        for e in entries
    ]
    if rows:
        columns = ("kernel", "library", "age", "compiler", "folder")
        terminal.print_table(
            columns, rows, right=("library", "age"), wide=("folder", "compiler")
        )
    total = megabytes(default_cache().size())
    terminal.say(f"{len(rows)} kernels, {total}, in {default_cache().active_root}")
    return 0


def _size(as_json: bool) -> int:
    size = default_cache().size()
    if as_json:
        terminal.print_json({"bytes": size})
    else:
        terminal.console().print(str(size))
        terminal.say(megabytes(size))
    return 0


def _path(as_json: bool) -> int:
    root = str(default_cache().active_root or "")
    if as_json:
        terminal.print_json({"path": root})
    else:
        terminal.console().print(root, soft_wrap=True)
    return 0 if root else 1


def _verify(as_json: bool) -> int:
    problems = default_cache().verify()
    if as_json:
        terminal.print_json([{"key": k, "problem": p} for k, p in problems])
    elif problems:
        terminal.print_table(("key", "problem"), problems, wide=("problem",))
        terminal.say("a damaged entry is compiled anew when next used")
    else:
        count = len(default_cache().entries())
        terminal.console().print(f"{count} kernels are whole")
    return 1 if problems else 0


def _clear(as_json: bool) -> int:
    removed = default_cache().clear()
    if as_json:
        terminal.print_json({"removed": removed})
    else:
        terminal.console().print(f"removed {removed} kernels")
    return 0
