"""The host's processor: what it promises, and NumPy arrays as its memory."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from opslib.errors import BackendUnavailable
from opslib.ir.dtypes import BFLOAT16, DType, compute_type
from opslib.ir.expr import Program
from opslib.runtime import host, pool, toolchain
from opslib.runtime.protocol import PROTOCOL_VERSION, Arithmetic, Device, View

from .renderer import CpuKernel, Gathered, gathering, kernel, kernels
from .target import blocking_target, has_amx, host_target, processor_name


class CpuBackend:
    """See `opslib.runtime.protocol.Backend`."""

    name = "cpu"
    protocol = PROTOCOL_VERSION
    strided = True

    def devices(self) -> Sequence[Device]:
        """The host; unusable without a C compiler."""
        return (_device(),)

    def supports(self, program: Program, device: Device) -> str | None:
        """None: the generic nest takes every program."""
        return device.why_not

    def arithmetic(self, dtype: DType, device: Device) -> Arithmetic | None:
        """IEEE arithmetic in the compute type; functions as native/ulp.json states.

        Contractions of bfloat16 use vdpbf16ps where the processor has it, which takes
        subnormals as zero (Intel SDM, "DAZ and FTZ" of the instruction).
        """
        compute = compute_type(dtype)
        return Arithmetic(
            unit_roundoff=compute.unit_roundoff if compute.is_float else 0.0,
            accumulator=compute,
            ulp=_ulp().get("f64" if compute.bits == 64 else "f32", {}),
            flushes=dtype == BFLOAT16 and blocking_target().bf16_dot,
        )

    def compile(self, program: Program, device: Device) -> CpuKernel:
        """Compiles for contiguous arrays; other layouts on first use."""
        return kernel(program)

    def compile_many(
        self, programs: Sequence[Program], device: Device
    ) -> list[CpuKernel]:
        """As `compile`, many in one translation unit."""
        return kernels(programs)

    def gathering(self) -> AbstractContextManager[Gathered]:
        """Launches in the block raise NotCompiled; see `Gathered.compile`."""
        return gathering()

    def owner(self, array: Any) -> Device | None:
        """The host, for NumPy arrays and scalars."""
        return _device() if isinstance(array, np.ndarray | np.generic) else None

    def asarray(self, array: Any, device: Device) -> Any:
        """The same memory where a kernel can address it, else an aligned copy."""
        array = host.as_numpy(array)
        if not array.flags.aligned or any(s % array.itemsize for s in array.strides):
            return np.array(array, order="C")
        return array

    def to_numpy(self, array: Any) -> Any:
        """The array itself."""
        return array

    def empty(self, shape: tuple[int, ...], dtype: DType, device: Device) -> Any:
        """A C-contiguous array."""
        return np.empty(shape, dtype.numpy)

    def view(self, array: Any, view: View) -> Any:
        """A view of the same memory."""
        return host.viewed(array, view)

    def synchronize(self, device: Device) -> None:
        """Nothing is pending: launches are synchronous."""


def _device() -> Device:
    try:
        compiler = toolchain.find_toolchain()
    except BackendUnavailable as error:
        return _described("no compiler", f"{error.message}; {error.help}")
    return _described(_named(compiler), _probe(compiler))


def _named(compiler: toolchain.Toolchain) -> str:
    """``gcc (Debian ...) 12.2.0``: versions mostly begin with the compiler's name."""
    kind, version = compiler.kind, compiler.version
    return version if version.startswith(kind) else f"{kind} {version}"


@functools.cache
def _probe(compiler: toolchain.Toolchain) -> str | None:
    problem = toolchain.probe(compiler)
    return None if problem is None else f"{compiler.argv[0]} cannot compile: {problem}"


@functools.lru_cache(maxsize=8)
def _described(compiler: str, why_not: str | None) -> Device:
    target = host_target()
    amx = ", AMX permitted" if has_amx() else ""
    return Device(
        name="cpu",
        backend="cpu",
        description=f"{processor_name()}, {pool.available_threads()} threads, "
        f"{target.name}{amx}, {compiler}",
        why_not=why_not,
        family=f"cpu-{target.name}",
    )


@functools.cache
def _ulp() -> dict[str, dict[str, float]]:
    """Worst errors in units in the last place, as the native tests measured them."""
    text = (toolchain.native_folder() / "ulp.json").read_text(encoding="utf-8")
    found = json.loads(text)
    return {
        kind: {
            name: float(row["ulp"] if isinstance(row, dict) else row)
            for name, row in table.items()
            if isinstance(row, int | float) or (isinstance(row, dict) and "ulp" in row)
        }
        for kind, table in found.items()
        if isinstance(table, dict)
    }
