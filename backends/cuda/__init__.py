"""NVIDIA GPUs: kernels in CUDA C++, compiled by NVRTC, launched through cuda-core."""

from __future__ import annotations

from .device import CudaBackend


def backend() -> CudaBackend:
    """The entry point of the group ``opslib.backends``."""
    return CudaBackend()
