"""``opslib conformance``: hold a backend to the specs; see docs/numerics.md."""

from __future__ import annotations

import argparse
from typing import Any

from opslib.testing import command


def add(commands: Any, help: str) -> None:
    """Declares the arguments."""
    parser = commands.add_parser(
        "conformance",
        help=help,
        epilog="Exit codes: 0 all pass or are known failures, 1 something fails that "
        "is not known, 2 the backend cannot be used.",
    )
    command.add_arguments(parser)


def run(given: argparse.Namespace) -> int:
    """Runs the suite, in killable workers."""
    return command.main(given)
