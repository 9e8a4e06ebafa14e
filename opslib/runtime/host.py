"""NumPy arrays as a backend's memory: what every backend on the host does alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from opslib.errors import DeviceError
from opslib.ir.view import View


def as_numpy(array: Any) -> Any:
    """The same memory for a NumPy array or a DLPack one on the host, else a copy.

    Raises:
        DeviceError: the array lives where the host cannot see it.
    """
    if isinstance(array, np.ndarray):
        return array
    if hasattr(array, "__dlpack__"):
        try:
            return np.from_dlpack(array)
        except (BufferError, RuntimeError) as error:
            raise DeviceError(
                f"the array cannot be seen from the host: {error}",
                code="E0730",
                help="move it to the host first",
            ) from error
    return np.asarray(array)


def viewed(array: Any, view: View) -> Any:
    """A view of the same memory in a program's axes."""
    seen = array.transpose(view.permutation)
    if seen.shape != view.shape:
        # Raises where a copy would be needed: a result must not land in a copy.
        seen = seen.reshape(view.shape, copy=False)
    if seen.shape != view.extents:
        seen = np.broadcast_to(seen, view.extents)
    return seen
