"""The fixture `programs`: the module ../programs.py."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parents[1] / "programs.py"


@pytest.fixture(scope="session")
def programs() -> ModuleType:
    """Programs of shipped specs, bound to arrays."""
    name = "opslib_test_programs"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, FILE)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]
