"""The fakes of this folder, as fixtures."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _module(name: str) -> ModuleType:
    # importlib mode has no sys.path entry for tests/, so siblings come by their path.
    known = f"opslib_tests_cuda_{name}"
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            known, Path(__file__).with_name(f"{name}.py")
        )
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[known] = module
        spec.loader.exec_module(module)
    return sys.modules[known]


@pytest.fixture
def libraries() -> ModuleType:
    """The module `fake_libraries`."""
    return _module("fake_libraries")


@pytest.fixture
def fake(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Any]:
    """The module `fake_core`, in the place of ``cuda.core``.

    A test's marker ``@pytest.mark.parametrize("fake", [2], indirect=True)`` asks for so
    many devices.
    """
    if shutil.which("g++") is None:
        pytest.skip("the simulator is compiled with g++")
    module = _module("fake_core")
    # A verdict on the fake is none on a GPU, and must not be kept as one.
    monkeypatch.setenv("OPSLIB_SELF_CHECK", "never")
    module.install(monkeypatch, getattr(request, "param", 1))
    yield module
    monkeypatch.undo()
    module.forget()
