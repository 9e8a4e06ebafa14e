"""The backend ``npu``: the device families behind one name, the best device first."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from opslib.errors import BackendUnavailable, OpslibWarning
from opslib.ir.binding import Binding
from opslib.ir.dtypes import DType
from opslib.ir.expr import Program
from opslib.ir.view import View
from opslib.runtime.gathering import Gathered, NotCompiled, current
from opslib.runtime.protocol import (
    PROTOCOL_VERSION,
    Arithmetic,
    Device,
    Kernel,
    ProvidedKernel,
    Provides,
)
from opslib.settings import is_never

from .acl.requirements import Need, requirements
from .ascend import report, simulator
from .ascend.device import target_of
from .family import Family, HostMemory

# In the order in which `backend="npu"` takes them: real chips, then the simulator.
# A family is a module that holds `family()`; it is imported on first use, and must be
# importable on every machine.
FAMILIES: tuple[str, ...] = (".acl.family", ".ascend.device", ".onnx.cpu", ".onnx.qnn")

HOST = HostMemory()

NEVER = (
    "simulators are off: OPSLIB_SIMULATE=never is set; unset it, or use a machine "
    "with the chip"
)


@cache
def families() -> tuple[Family, ...]:
    """The families, in order."""
    return tuple(import_module(name, __package__).family() for name in FAMILIES)


class NpuBackend:
    """See `opslib.runtime.protocol.Backend`; each device belongs to one family."""

    name = "npu"
    protocol = PROTOCOL_VERSION
    strided = False

    def __init__(self) -> None:
        self._announced: set[str] = set()

    def devices(self) -> Sequence[Device]:
        """All families' devices: real ones, then simulated ones, each in order."""
        found = [d for family in families() for d in family.devices()]
        if is_never("OPSLIB_SIMULATE"):
            found = [
                replace(d, why_not=d.why_not or NEVER) if d.simulated else d
                for d in found
            ]
        return tuple(sorted(found, key=lambda d: (d.simulated, d.named_only)))

    def supports(self, program: Program, device: Device) -> str | None:
        """What the device's family says."""
        return _family(device).supports(program, device)

    def arithmetic(self, dtype: DType, device: Device) -> Arithmetic | None:
        """What the device's family promises."""
        return _family(device).arithmetic(dtype, device)

    def compile(self, program: Program, device: Device) -> Kernel:
        """The family's kernel; the first one of a simulator comes with a warning."""
        if device.why_not is not None:
            raise BackendUnavailable(device.why_not, code="E0802")
        if current() is not None and device.name.split(":")[1] != "ascend-sim":
            # Only the simulator's kernels are worth gathering.
            raise NotCompiled(program.name)
        kernel = _family(device).compile(program, device)
        if device.simulated and device.name not in self._announced:
            self._announced.add(device.name)
            warnings.warn(
                f"{device.name} is simulated on this machine ({device.description}): "
                f"results are checked, times mean nothing. OPSLIB_SIMULATE=never "
                f"makes this an error",
                OpslibWarning,
                stacklevel=2,
            )
        return kernel

    def provided(self, program: Program, device: Device) -> Sequence[ProvidedKernel]:
        """The vendor's operators of the device's family, if it has any."""
        family = _family(device)
        if current() is not None or not isinstance(family, Provides):
            return ()
        return family.provided(program, device)

    def gathering(self) -> AbstractContextManager[Gathered]:
        """Launches in the block raise NotCompiled; see `Gathered.compile`."""
        return simulator.gathering()

    def plan_text(self, program: Program, binding: Binding, device: Device) -> str:
        """Buffers, pipes, flags and costs on paper of a generated Ascend C kernel."""
        if not device.name.startswith("npu:ascend"):
            return f"{device.name} runs ONNX: what its runtime plans is not shown"
        why = _family(device).supports(program, device)
        if why is not None:
            raise BackendUnavailable(why, code="E0802")
        return report.summary(program, binding, target_of(device))

    def requirements(self) -> Sequence[Need]:
        """What an Ascend chip needs of this machine."""
        return tuple(requirements())

    def owner(self, array: Any) -> Device | None:
        """The device that holds the array; None for arrays of the host."""
        if isinstance(array, np.ndarray | np.generic):
            return None
        found = (family.owner(array) for family in families())
        return next((d for d in found if d is not None), None)

    def asarray(self, array: Any, device: Device) -> Any:
        """The array on the device."""
        return _family(device).asarray(array, device)

    def to_numpy(self, array: Any) -> Any:
        """The array on the host."""
        if isinstance(array, np.ndarray):
            return array
        return self._holder(array).to_numpy(array)

    def empty(self, shape: tuple[int, ...], dtype: DType, device: Device) -> Any:
        """An array on the device, of arbitrary contents."""
        return _family(device).empty(shape, dtype, device)

    def view(self, array: Any, view: View) -> Any:
        """The array in a program's axes, where it lives."""
        return self._holder(array).view(array, view)

    def synchronize(self, device: Device) -> None:
        """Waits for the device."""
        _family(device).synchronize(device)

    def _holder(self, array: Any) -> Any:
        if isinstance(array, np.ndarray):
            return HOST
        device = self.owner(array)
        if device is None:
            raise TypeError(f"{type(array).__name__} is no array of this backend")
        return _family(device)


def _family(device: Device) -> Family:
    name = device.name.split(":")[1]
    return next(f for f in families() if f.name == name)
