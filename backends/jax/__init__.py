"""Programs printed for jax.numpy and compiled by XLA; jax is imported on first use."""

from __future__ import annotations

from .device import JaxBackend


def backend() -> JaxBackend:
    """The entry point of the group ``opslib.backends``."""
    return JaxBackend()
