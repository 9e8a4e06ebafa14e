"""The reference backend: array expressions printed for NumPy; needs no compiler."""

from __future__ import annotations

from .device import NumpyBackend


def backend() -> NumpyBackend:
    """The entry point of the group ``opslib.backends``."""
    return NumpyBackend()
