"""A device family: one way to reach a chip, or a simulator of it, under ``npu:``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from opslib.ir.dtypes import DType
from opslib.ir.expr import Program
from opslib.ir.view import View
from opslib.runtime import host
from opslib.runtime.protocol import Arithmetic, Device, Kernel


class Family(Protocol):
    """What `NpuBackend` asks of each family.

    Kernels of a family get contiguous arrays in the program's axes and return new
    ones (`Backend.strided` is false for all of ``npu``); everything else is as in
    `opslib.runtime.protocol.Backend`, for the devices that the family lists.
    """

    @property
    def name(self) -> str:
        """Its devices are ``npu:NAME`` and ``npu:NAME:...``."""

    def devices(self) -> Sequence[Device]:
        """Every device, usable or not (`Device.why_not`); never raises."""

    def supports(self, program: Program, device: Device) -> str | None:
        """None when `compile` will succeed, else the reason why not."""

    def arithmetic(self, dtype: DType, device: Device) -> Arithmetic | None:
        """Its promise about a dtype; None when it has no such type."""

    def compile(self, program: Program, device: Device) -> Kernel:
        """Compiles; raises CompileError or BackendUnavailable."""

    def owner(self, array: Any) -> Device | None:
        """The device on which `array` lives, if it is this family's kind of array."""

    def asarray(self, array: Any, device: Device) -> Any:
        """Imports a NumPy array."""

    def to_numpy(self, array: Any) -> Any:
        """Exports to NumPy; waits for pending work on it."""

    def empty(self, shape: tuple[int, ...], dtype: DType, device: Device) -> Any:
        """Allocates; contents are arbitrary."""

    def view(self, array: Any, view: View) -> Any:
        """The array in a program's axes, contiguous."""

    def synchronize(self, device: Device) -> None:
        """Waits for all launches and raises the first deferred error."""


class HostMemory:
    """The memory half of a family whose kernels take NumPy arrays."""

    def owner(self, array: Any) -> Device | None:
        """None: an array of the host does not ask for a simulator."""
        return None

    def asarray(self, array: Any, device: Device) -> Any:
        """The same memory, where it can be."""
        return host.as_numpy(array)

    def to_numpy(self, array: Any) -> Any:
        """The array itself."""
        return array

    def empty(self, shape: tuple[int, ...], dtype: DType, device: Device) -> Any:
        """A C-contiguous array."""
        return np.empty(shape, dtype.numpy)

    def view(self, array: Any, view: View) -> Any:
        """A contiguous array in the program's axes; a copy where need be."""
        seen = array.transpose(view.permutation).reshape(view.shape)
        if seen.shape != view.extents:
            seen = np.broadcast_to(seen, view.extents)
        return np.ascontiguousarray(seen).reshape(view.extents)

    def synchronize(self, device: Device) -> None:
        """Nothing is pending: launches are synchronous."""
