"""The 64-bit mode of jax, for the length of a call only.

Without it jax turns float64 into float32 and the int64 2^40 into 0, silently; turned
on globally it would change the user's own programs.
"""

from __future__ import annotations

import importlib
from contextlib import AbstractContextManager
from typing import Any


def wide_types() -> AbstractContextManager[Any]:
    """A context in which jax has 64-bit types; nests, and is local to the thread."""
    import jax

    scoped: Any = getattr(jax, "enable_x64", None)
    if scoped is None:  # before jax 0.8
        scoped = importlib.import_module("jax.experimental").enable_x64
    context: AbstractContextManager[Any] = scoped(True)
    return context


def is_concrete(array: Any) -> bool:
    """Whether the elements can be looked at: not so inside a trace."""
    import jax

    return not isinstance(array, jax.core.Tracer)
