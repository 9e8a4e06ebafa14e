"""``opslib new-backend NAME``: the skeleton of an out-of-tree backend package."""

from __future__ import annotations

import argparse
import keyword
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from opslib._version import __version__
from opslib.cli import terminal
from opslib.errors import ArgumentError
from opslib.runtime import registry
from opslib.runtime.protocol import PROTOCOL_VERSION

# Template in opslib/cli/templates -> file of the package. ``@name@`` is replaced.
FILES = {
    "pyproject.toml.txt": "pyproject.toml",
    "README.md.txt": "README.md",
    "init.py.txt": "src/opslib_@name@/__init__.py",
    "device.py.txt": "src/opslib_@name@/device.py",
    "memory.py.txt": "src/opslib_@name@/memory.py",
    "test_conformance.py.txt": "tests/test_conformance.py",
}


def add(commands: Any, help: str) -> None:
    """Declares the arguments."""
    parser = commands.add_parser(
        "new-backend",
        help=help,
        description=f"{help[0].upper()}{help[1:]}, which already passes the suite by "
        "evaluating programs with NumPy, in a memory of its own.",
    )
    parser.add_argument("name", metavar="NAME", help="what users write: backend='NAME'")
    parser.add_argument(
        "--into", type=Path, metavar="FOLDER", help="default: ./opslib-NAME"
    )
    parser.add_argument("--description", default="", help="of the device, for people")


def run(given: argparse.Namespace) -> int:
    """Writes the files; refuses a folder that has something in it."""
    name: str = given.name
    checked_name(name)
    folder: Path = given.into or Path(f"opslib-{name}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ArgumentError(
            f"{folder} exists and is not empty",
            code="E0704",
            help="name another folder with --into",
        )
    written = write(name, folder, given.description or f"the {name} device")
    for path in written:
        terminal.console().print(str(path), soft_wrap=True)
    terminal.say(
        f"\nNext:\n  pip install -e {folder}\n"
        f"  opslib conformance --backend {name} --op add\n"
        "and see docs/adding-a-backend.md for the order of work."
    )
    return 0


def checked_name(name: str) -> None:
    """Raises ArgumentError for a name that cannot be a backend's."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,31}", name) or keyword.iskeyword(name):
        raise ArgumentError(
            f"{name!r} cannot be a backend's name",
            code="E0704",
            help="2 to 32 lower-case letters, digits and _, beginning with a letter; "
            "no keyword of Python",
        )
    if name in registry.names():
        raise ArgumentError(
            f"there is a backend {name!r} already", code="E0704", help="take another"
        )


def write(name: str, folder: Path, description: str) -> list[Path]:
    """Writes the package and returns its files."""
    values = {
        "name": name,
        "Name": "".join(part.capitalize() for part in name.split("_")),
        "description": description.replace("\\", "").replace('"', "'"),
        "protocol": str(PROTOCOL_VERSION),
        "version": __version__,
    }
    written = []
    for template, target in FILES.items():
        text = template_text(template)
        path = folder / filled(target, values)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(filled(text, values), encoding="utf-8")
        written.append(path)
    return written


def template_text(name: str) -> str:
    """A shipped template."""
    path = files("opslib.cli") / "templates" / name
    return path.read_text(encoding="utf-8")


def filled(text: str, values: dict[str, str]) -> str:
    """The text with each ``@key@`` replaced."""
    return re.sub(r"@(\w+)@", lambda found: values[found[1]], text)
