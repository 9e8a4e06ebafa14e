"""Programs in processes of their own, with the environment that a test says."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

import opslib

ROOT = Path(opslib.__file__).resolve().parents[1]
# Before opslib is imported: as if the ziglang package were not installed.
NO_ZIG = "import sys; sys.modules['ziglang'] = None\n"


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """``program(code, **environment)`` runs it with a cache folder of its own."""

    def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
        settings = {
            **os.environ,
            "OPSLIB_CACHE_DIR": str(tmp_path / "cache"),
            "PYTHONPATH": str(ROOT),
            **environment,
        }
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            capture_output=True,
            text=True,
            env={name: value for name, value in settings.items() if value},
            cwd=tmp_path,
            timeout=300,
        )

    return run


@pytest.fixture
def no_path(tmp_path: Path) -> str:
    """A PATH on which there is nothing."""
    folder = tmp_path / "nothing"
    folder.mkdir()
    return str(folder)


def has_cpu() -> bool:
    """Whether the cpu backend can be used here."""
    return any(d.name == "cpu" and d.why_not is None for d in opslib.devices())
