"""The backend ``cuda``: the GPUs of this machine, then the simulator."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from opslib.errors import BackendUnavailable, OpslibWarning
from opslib.ir.binding import Binding
from opslib.ir.dtypes import DType
from opslib.ir.expr import Program
from opslib.ir.view import View
from opslib.runtime import host
from opslib.runtime.gathering import Gathered, current
from opslib.runtime.gathering import gathering as _gathering
from opslib.runtime.protocol import (
    PROTOCOL_VERSION,
    Arithmetic,
    Device,
    ProvidedKernel,
)
from opslib.settings import is_never

from . import cublaslt, gpus, memory, report, resident, simulator
from .launch import CudaKernel, Place, Variant
from .precision import arithmetic
from .requirements import Need, requirements
from .targets import DEFAULT, TARGETS

SIMULATOR = "cuda:sim"

NEVER = (
    "simulators are off: OPSLIB_SIMULATE=never is set; unset it, or use a machine "
    "with a GPU"
)


class CudaBackend:
    """See `opslib.runtime.protocol.Backend`."""

    name = "cuda"
    protocol = PROTOCOL_VERSION
    strided = True

    def __init__(self) -> None:
        self._announced = False

    def devices(self) -> Sequence[Device]:
        """GPUs, then the simulator."""
        return (*gpus.devices(), _simulated())

    def supports(self, program: Program, device: Device) -> str | None:
        """None: the generic nest takes every program."""
        return device.why_not

    def arithmetic(self, dtype: DType, device: Device) -> Arithmetic | None:
        """The same on GPUs and in the simulator."""
        return arithmetic(dtype)

    def compile(self, program: Program, device: Device) -> CudaKernel:
        """Compiles for contiguous arrays; other layouts on first use.

        The first kernel for the simulator comes with a warning.
        """
        if device.why_not is not None:
            raise BackendUnavailable(device.why_not, code="E0802")
        if device.simulated and not self._announced:
            self._announced = True
            warnings.warn(
                f"{device.name} is simulated on this machine ({device.description}): "
                f"results are checked, times mean nothing. OPSLIB_SIMULATE=never "
                f"makes this an error",
                OpslibWarning,
                stacklevel=2,
            )
        made = CudaKernel(program, _place(device))
        if current() is None:
            made.compiled(made.contiguous())
        return made

    def provided(self, program: Program, device: Device) -> Sequence[ProvidedKernel]:
        """The products that cuBLASLt makes, on a GPU."""
        if device.simulated or device.why_not is not None or current() is not None:
            return ()
        return cublaslt.provided(program, gpus.place(_index(device)))

    def prepared_calls(self) -> resident.Calls:
        """A place for prepared calls of one operator, on arrays of GPUs."""
        return resident.Calls()

    def gathering(self) -> AbstractContextManager[Gathered]:
        """Launches in the block raise NotCompiled; see `Gathered.compile`."""
        return _gathering(_compile)

    def plan_text(self, program: Program, binding: Binding, device: Device) -> str:
        """Launches, registers and accesses of a call, by NVRTC and the simulator."""
        family = device.family.removesuffix("-sim")
        return report.summary(program, binding, TARGETS[family])

    def requirements(self) -> Sequence[Need]:
        """What a GPU needs of this machine."""
        return tuple(requirements())

    # --- Memory --------------------------------------------------------------------

    def owner(self, array: Any) -> Device | None:
        """The GPU that holds the array; None for arrays of the host."""
        if isinstance(array, np.ndarray | np.generic):
            return None
        index = memory.device_index(array)
        if index is None:
            return None
        named = f"cuda:{index}"
        return next((d for d in gpus.devices() if d.name == named), None)

    def asarray(self, array: Any, device: Device) -> Any:
        """On a GPU, its memory or a copy there; for the simulator, the host's."""
        if device.simulated:
            array = host.as_numpy(array)
            if not array.flags.aligned or any(
                s % array.itemsize for s in array.strides
            ):
                return np.array(array, order="C")
            return array
        index = _index(device)
        if memory.device_index(array) is not None:
            return gpus.imported_here(array, index)
        array = np.asarray(array)
        here = gpus.place(index).gpu
        return here.constant(array) if array.ndim == 0 else here.upload(array)

    def to_numpy(self, array: Any) -> Any:
        """The array on the host; waits for what fills it."""
        if isinstance(array, np.ndarray):
            return array
        found = self._imported(array)
        return found.gpu.download(found)

    def empty(self, shape: tuple[int, ...], dtype: DType, device: Device) -> Any:
        """Memory from the GPU's pool, or the host's."""
        if device.simulated:
            return np.empty(shape, dtype.numpy)
        return gpus.place(_index(device)).gpu.empty(shape, dtype.numpy)

    def empty_like(
        self, like: Any, shape: tuple[int, ...], dtype: DType, device: Device
    ) -> Any:
        """See `opslib.runtime.protocol.Hosts`."""
        here = gpus.place(_index(device)).gpu
        return memory.empty_like(like, shape, dtype.numpy, here)

    def restored(self, array: Any, like: Any) -> Any:
        """See `opslib.runtime.protocol.Hosts`."""
        return memory.restored(array, like)

    def strides(self, array: Any) -> tuple[int, ...]:
        """See `opslib.runtime.protocol.Hosts`."""
        return self._imported(array).strides

    def view(self, array: Any, view: View) -> Any:
        """A view of the same memory."""
        if isinstance(array, np.ndarray):
            return host.viewed(array, view)
        return memory.viewed(self._imported(array), view)

    def synchronize(self, device: Device) -> None:
        """Waits for the GPU, and raises the first deferred error."""
        if not device.simulated:
            gpus.place(_index(device)).gpu.synchronize()

    def _imported(self, array: Any) -> memory.DeviceArray:
        index = memory.device_index(array)
        if index is None:
            raise TypeError(f"{type(array).__name__} is no array of this backend")
        return gpus.imported_here(array, index)


def _simulated() -> Device:
    why_not = simulator.why_not()
    if is_never("OPSLIB_SIMULATE"):
        why_not = why_not or NEVER
    return Device(
        name=SIMULATOR,
        backend="cuda",
        description=f"{DEFAULT.name}, simulated by the same CUDA text through g++",
        why_not=why_not,
        family=f"{DEFAULT.name}-sim",
        simulated=True,
    )


def _index(device: Device) -> int:
    return int(device.name.partition(":")[2])


def _place(device: Device) -> Place:
    if device.simulated:
        return simulator.simulator()
    return gpus.place(_index(device))


def _compile(variants: Sequence[Variant]) -> None:
    """Compiles gathered variants where they belong."""
    for place, mine in _by_place(variants):
        place.compile(mine)


def _by_place(variants: Sequence[Variant]) -> Iterator[tuple[Place, list[Variant]]]:
    found: dict[int, tuple[Place, list[Variant]]] = {}
    for v in variants:
        found.setdefault(id(v.place), (v.place, []))[1].append(v)
    yield from found.values()
