"""The helpers of these tests, which are no package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def differences(load_module: Callable[[Path], ModuleType]) -> ModuleType:
    """Central differences."""
    return load_module(HERE / "differences.py")


@pytest.fixture(scope="session")
def calls(load_module: Callable[[Path], ModuleType]) -> ModuleType:
    """Calls of operators and of their gradients."""
    return load_module(HERE / "calls.py")


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
