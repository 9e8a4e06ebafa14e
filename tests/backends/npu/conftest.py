"""The fake CANN, built once a session, and a way to run scripts on it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from .acl_runs import Run, build, outcome, python


@pytest.fixture(scope="session")
def cann(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CANN's runtime and its compiler."""
    return build(tmp_path_factory.mktemp("cann"), "ascendcl", "acl_rtc")


@pytest.fixture(scope="session")
def full_cann(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with its library of operators."""
    home = tmp_path_factory.mktemp("full_cann")
    return build(home, "ascendcl", "acl_rtc", "opapi")


@pytest.fixture(scope="session")
def warm(cann: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that holds the binary of exp, and the verdict that it is right."""
    folder = tmp_path_factory.mktemp("warm") / "cache"
    script = "opslib.exp(x, backend='npu')"
    outcome(python(script, {"ASCEND_HOME_PATH": str(cann)}, folder))
    return folder


@pytest.fixture
def run(cann: Path, warm: Path, tmp_path: Path) -> Run:
    """Runs a script where CANN is, with a kernel cache of its own."""

    def call(
        script: str, home: Path | None = cann, *, cold: bool = False, **more: str
    ) -> subprocess.CompletedProcess[str]:
        cache = tmp_path / "cache"
        if not cold and not cache.exists():
            shutil.copytree(warm, cache)
        given = {} if home is None else {"ASCEND_HOME_PATH": str(home)}
        return python(script, {**given, **more}, cache)

    return call
