"""The fixture `forms`: the module forms.py beside this file."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

NAME = "opslib_test_forms"


def load() -> ModuleType:
    """The module, loaded once: importlib mode puts no test folder on sys.path."""
    if NAME not in sys.modules:
        file = Path(__file__).with_name("forms.py")
        spec = importlib.util.spec_from_file_location(NAME, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[NAME] = module
        spec.loader.exec_module(module)
    return sys.modules[NAME]


@pytest.fixture(scope="session")
def forms() -> ModuleType:
    """Hand-made programs that reach every skeleton."""
    return load()
