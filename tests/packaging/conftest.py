"""Copies of the checkout, and environments to install them into without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("opslib", "backends", "native", "specs")
FILES = ("LICENSE", "README.md", "THIRD_PARTY.md", "pyproject.toml")


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment that sees our dependencies, but not our opslib."""

    python: Path

    def run(self, *arguments: str, cwd: Path) -> str:
        """Run its Python, and return what it printed; fail with all its output."""
        hidden = ("PYTHONPATH", "PYTHONSAFEPATH", "PYTHONHOME")
        done = subprocess.run(
            [str(self.python), *arguments],
            cwd=cwd,
            env={k: v for k, v in os.environ.items() if k not in hidden},
            text=True,
            capture_output=True,
            timeout=300,
        )
        assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def install(self, *arguments: str) -> None:
        """Install with pip, offline."""
        offline = ("--no-deps", "--no-build-isolation", "--no-index")
        pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        self.run(*pip, *offline, *arguments, cwd=self.python.parent)


@pytest.fixture(scope="session")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="session")
def make_checkout(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """A fresh copy of what a package is built from, so that the clone stays clean."""

    def make() -> Path:
        copy = tmp_path_factory.mktemp("checkout")
        for folder in SOURCES:
            ignored = shutil.ignore_patterns("__pycache__", ".*")
            shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
        for file in FILES:
            shutil.copy(ROOT / file, copy / file)
        return copy

    return make


@pytest.fixture(scope="session")
def make_environment(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[], Environment]:
    """A fresh environment; our dependencies are linked into it, one by one.

    Not one `.pth` line for all of site-packages: that would bring the opslib installed
    there, which would hide an editable one.
    """

    def make() -> Environment:
        home = tmp_path_factory.mktemp("environment")
        venv.create(home, with_pip=False, symlinks=True)
        (packages,) = home.glob("lib/python*/site-packages")
        for folder in map(Path, sys.path):
            if folder.name not in ("site-packages", "dist-packages"):
                continue
            for entry in folder.iterdir():
                link = packages / entry.name
                ours = "opslib" in entry.name or entry.suffix == ".pth"
                if not ours and not link.is_symlink() and entry.name != "__pycache__":
                    link.symlink_to(entry)
        return Environment(home / "bin" / "python")

    return make
