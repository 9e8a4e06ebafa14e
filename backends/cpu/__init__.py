"""The host's processor, by generated C with explicit SIMD and the system's compiler."""

from __future__ import annotations

from .device import CpuBackend


def backend() -> CpuBackend:
    """The backend, for the entry point ``opslib.backends``."""
    return CpuBackend()
