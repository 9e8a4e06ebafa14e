"""The helpers of these tests, which are no package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent


def load(name: str) -> ModuleType:
    """A module beside this one."""
    full = f"opslib_gradient_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, HERE / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module
        spec.loader.exec_module(module)
    return sys.modules[full]


@pytest.fixture(scope="session")
def differences() -> ModuleType:
    """Central differences."""
    return load("differences")


@pytest.fixture(scope="session")
def calls() -> ModuleType:
    """Calls of operators and of their gradients."""
    return load("calls")


# Files of which each case takes seconds: one in so many of them runs by default, the
# rest with `pytest -m deep tests/gradient`. XLA 0.10 aborts the process while it
# compiles some derived operator of the conformance slice: jax is among the rest there.
EVERY = {"test_catalogue.py": 6, "test_peers.py": 10, "test_conformance.py": 8}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what does not run by default."""
    for name, every in EVERY.items():
        cases = [i for i in items if i.path.parent == HERE and i.path.name == name]
        for k, item in enumerate(cases):
            if k % every or (name == "test_conformance.py" and "jax" in item.name):
                item.add_marker(pytest.mark.deep)
