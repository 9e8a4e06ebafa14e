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
