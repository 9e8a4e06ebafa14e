"""NVIDIA's Python packages, imported on first use, and what is missing of them.

Everything of CUDA goes through ``cuda.core`` (streams, memory, modules, NVRTC) and,
where it has no word for something, ``cuda.bindings``. Both come with `opslib[cuda]` and
import on a machine without a GPU.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from functools import cache
from typing import Any

INSTALL = "pip install 'opslib[cuda]' (CUDA 13), or 'opslib[cuda12]' for older drivers"


class NotInstalled(Exception):
    """Part of CUDA is missing on this machine; the text is the remedy."""


def core() -> Any:
    """The module ``cuda.core``.

    Raises:
        NotInstalled: it is not there, or does not load.
    """
    return _module("cuda.core", "cuda-core")


def bindings(name: str) -> Any:
    """The module ``cuda.bindings.NAME``, such as ``driver``."""
    return _module(f"cuda.bindings.{name}", "cuda-bindings")


def cublaslt() -> Any:
    """The module ``nvmath.bindings.cublasLt``; the library itself opens on first use.

    Raises:
        NotInstalled: it is not there, or does not load.
    """
    return _module("nvmath.bindings.cublasLt", "nvmath-python")


def _module(name: str, package: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        why = "is not installed" if not _version(package) else f"fails: {error}"
        raise NotInstalled(f"{package} {why}; {INSTALL}") from error


def version(package: str) -> str:
    """The version of an installed package; empty where it is not."""
    return _version(package)


@cache
def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
