"""Neural processing units: Ascend through generated Ascend C, others through ONNX."""

from __future__ import annotations

from .device import NpuBackend


def backend() -> NpuBackend:
    """The entry point of the group ``opslib.backends``."""
    return NpuBackend()
