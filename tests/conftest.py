"""Options and fixtures that every test may use."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

TESTS = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--update-golden`` rewrites expected texts instead of comparing."""
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the golden files anew; review the difference before committing",
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """``golden(path, text)``: `text` is what the file (relative to tests/) holds."""
    update = bool(request.config.getoption("--update-golden"))

    def compare(path: str, text: str) -> None:
        file = TESTS / path
        if update:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        assert file.exists(), f"{path} is missing: run pytest --update-golden"
        assert text == file.read_text(encoding="utf-8"), (
            f"{path} differs: if that is meant, run pytest --update-golden"
        )

    return compare


def _loaded(path: Path) -> ModuleType:
    name = f"opslib_test_{path.stem}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def load_module() -> Callable[[Path], ModuleType]:
    """A helper module of some tests, loaded once: test folders are not on sys.path."""
    return _loaded


@pytest.fixture(scope="session")
def programs() -> ModuleType:
    """The module programs.py: programs of shipped specs, bound to arrays."""
    return _loaded(TESTS / "programs.py")
