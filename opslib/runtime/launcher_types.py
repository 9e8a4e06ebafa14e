"""What the launchers share: what a plan is made of, and what they offer of it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
# What an argument must be: (dtype by identity, shape, strides in bytes, alignment in
# bytes), or None for an optional array that is absent.
Guard = tuple[np.dtype[Any], tuple[int, ...], tuple[int, ...], int] | None
Output = tuple[tuple[int, ...], np.dtype[Any]]
KernelFailure = tuple[int, int, int, int]


class Record(Protocol):
    """A plan that is ready to run; made by `record`, opaque."""


class FastCall(Protocol):
    """An operator's latest plans; made by `fast_call`."""

    def __call__(self, *arrays: Any, **named: Any) -> Any:
        """Run the plan that fits the arrays, else ``miss(*arrays, **named)``."""

    def insert(self, record: Record, /) -> None:
        """Put a plan first; of more than eight the least recently used is dropped."""

    def clear(self) -> None:
        """Forget all plans."""
