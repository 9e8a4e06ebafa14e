"""The command line: ``opslib`` or ``python -m opslib``.

Each command is a module with ``add(commands)``, which declares its arguments, and
``run(given) -> int``, which returns the exit code: 0 done, 1 something is wrong (and
was said), 2 not understood. Results go to standard output, everything else to standard
error, so that what is piped stays clean.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, Protocol, cast

# Imported when asked for: `opslib cache` need not wait for the specs.
COMMANDS = {
    "doctor": "what is usable here, and why the rest is not",
    "ops": "list the operators",
    "show": "all that is known of one operator: spec, sources, bound, cost",
    "conformance": "hold a backend to the specs",
    "bench": "time operators against their peers, and the machine's limits",
    "warm": "compile kernels ahead of time",
    "cache": "list, check or clear the compiled kernels",
    "new-backend": "write the skeleton of a backend package",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    from opslib._version import __version__

    parser = argparse.ArgumentParser(
        prog="opslib",
        description="Write an operator once, as mathematics. Run it, checked, on every "
        "chip.",
        epilog="exit codes: 0 done, 1 something is wrong, 2 not understood",
    )
    parser.add_argument("--version", action="version", version=f"opslib {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    wanted = next((word for word in given if not word.startswith("-")), None)
    for name, help in COMMANDS.items():
        if name == wanted:
            _module(name).add(commands, help)
        else:
            commands.add_parser(name, help=help, add_help=False)
    parsed = parser.parse_args(given)
    if parsed.command is None:
        parser.print_help()
        return 0
    return _guarded(parsed)


class _Command(Protocol):
    """What a command's module has."""

    def add(self, commands: Any, help: str) -> None: ...

    def run(self, given: argparse.Namespace) -> int: ...


def _module(command: str) -> _Command:
    name = command.replace("-", "_")
    return cast(_Command, importlib.import_module(f"opslib.cli.{name}"))


def _guarded(given: argparse.Namespace) -> int:
    from opslib.cli import terminal
    from opslib.errors import OpslibError

    try:
        code = _module(given.command).run(given)
        sys.stdout.flush()
    except OpslibError as error:
        terminal.say_error(str(error))
        return 1
    except KeyboardInterrupt:
        terminal.say_error("interrupted")
        return 130
    except BrokenPipeError:
        # The reader (`head`) has had enough. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        # A file or a folder that the user named; one of our own has a class of its own.
        if error.filename is None:
            raise
        terminal.say_error(f"{error.filename}: {error.strerror}")
        return 1
    return code
