"""``npu:ascend``: the chips that CANN shows on this machine."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from opslib.errors import BackendUnavailable, OpslibError
from opslib.ir.dtypes import DType
from opslib.ir.expr import Program
from opslib.ir.view import View
from opslib.runtime.protocol import Arithmetic, Device

from ..ascend.device import lacking, promise, target_of
from .aclnn import AclnnKernel, provided
from .compiler import compiler
from .device import Chip, DeviceArray, architecture, chips, context, of_torch
from .library import NotInstalled
from .program import AclKernel, kernel
from .views import viewed


class AscendFamily:
    """See `opslib.backends.npu.family.Family`."""

    name = "ascend"

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._chips: dict[str, Chip] = {}

    def devices(self) -> Sequence[Device]:
        """One for each chip; without CANN a single one that says what is missing."""
        try:
            found = chips()
        except NotInstalled as reason:
            return (_missing(str(reason)),)
        except OpslibError as error:
            return (_missing(f"{error.message}; {error.help}"),)
        if not found:
            return (_missing("CANN shows no device; check `npu-smi info`"),)
        why = None
        try:
            compiler()
        except NotInstalled as reason:
            why = str(reason)
        made = []
        for chip in found:
            name = f"npu:ascend:{chip.index}"
            self._chips[name] = chip
            unknown = None
            if architecture(chip.soc) is None:
                unknown = f"{chip.soc} is not in opslib's target table; report it"
            made.append(
                Device(
                    name=name,
                    backend="npu",
                    description=f"{chip.soc}, {chip.cube_cores} cube and "
                    f"{chip.vector_cores} vector cores",
                    why_not=unknown or why,
                    family=f"ascend-{chip.arch}",
                    host_memory=False,
                )
            )
        return tuple(made)

    def supports(self, program: Program, device: Device) -> str | None:
        """Everything but double, which no unit of the chip has."""
        return device.why_not or lacking(program, target_of(device))

    def arithmetic(self, dtype: DType, device: Device) -> Arithmetic | None:
        """What the generated code promises; the twin is held to the same."""
        return promise(dtype, target_of(device))

    def compile(self, program: Program, device: Device) -> AclKernel:
        """Compiles with CANN's compiler and loads the binary."""
        return kernel(program, self._chip(device))

    def provided(self, program: Program, device: Device) -> Sequence[AclnnKernel]:
        """CANN's own operators, where they are installed."""
        return provided(program, self._chip(device))

    def owner(self, array: Any) -> Device | None:
        """The chip of a DeviceArray, or of a tensor of torch_npu."""
        if isinstance(array, DeviceArray):
            index = array.device
        elif getattr(getattr(array, "device", None), "type", "") == "npu":
            index = array.device.index
        else:
            return None
        named = f"npu:ascend:{index}"
        return next((d for d in self.devices() if d.name == named), None)

    def asarray(self, array: Any, device: Device) -> DeviceArray:
        """Uploads a host array; a tensor of torch_npu is used where it lies."""
        if isinstance(array, DeviceArray):
            return array
        if getattr(getattr(array, "device", None), "type", "") == "npu":
            return of_torch(array)
        return context(self._chip(device).index).upload(np.asarray(array))

    def to_numpy(self, array: Any) -> Any:
        """Downloads; waits for what fills it."""
        held = array if isinstance(array, DeviceArray) else of_torch(array)
        return context(held.device).download(held)

    def empty(self, shape: tuple[int, ...], dtype: DType, device: Device) -> Any:
        """Memory on the chip."""
        return context(self._chip(device).index).empty(shape, dtype.numpy)

    def view(self, array: Any, view: View) -> Any:
        """The array in a program's axes; what is moved is moved on the chip."""
        held = array if isinstance(array, DeviceArray) else of_torch(array)
        return viewed(held, view, self._chip_of(held.device))

    def synchronize(self, device: Device) -> None:
        """Waits, and raises the first deferred error with the operator it names."""
        context(self._chip(device).index).synchronize()

    def _chip_of(self, index: int) -> Chip:
        with self._lock:
            if not self._chips:
                self.devices()
            return self._chips[f"npu:ascend:{index}"]

    def _chip(self, device: Device) -> Chip:
        with self._lock:
            if device.name not in self._chips:
                self.devices()
            if device.name not in self._chips:
                raise BackendUnavailable(
                    device.why_not or f"there is no {device.name}", code="E0811"
                )
            return self._chips[device.name]


def _missing(why_not: str) -> Device:
    return Device(
        name="npu:ascend",
        backend="npu",
        description="Huawei Ascend through CANN",
        why_not=why_not,
        family="ascend",
        host_memory=False,
    )


def family() -> AscendFamily:
    """The family, for `opslib.backends.npu.device`."""
    return AscendFamily()
