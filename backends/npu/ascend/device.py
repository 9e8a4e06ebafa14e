"""``npu:ascend-sim``: generated Ascend C on the CPU twin."""

from __future__ import annotations

from collections.abc import Sequence

from opslib.errors import BackendUnavailable
from opslib.ir.dtypes import DType, compute_type
from opslib.ir.expr import Program, walk
from opslib.lowering.passes import prepare
from opslib.runtime import toolchain
from opslib.runtime.protocol import Arithmetic, Device

from ..family import HostMemory
from ..targets import DEFAULT
from . import simulator
from .host_scalars import split
from .precision import ULP

NAME = "npu:ascend-sim"


class SimulatorFamily(HostMemory):
    """See `opslib.backends.npu.family.Family`."""

    name = "ascend-sim"

    def devices(self) -> Sequence[Device]:
        """One simulated core complex; unusable without a C++ compiler."""
        try:
            compiler = toolchain.find_toolchain("c++")
            text = f"simulated by generated Ascend C on the CPU twin, {compiler.kind}"
            why_not = None
        except BackendUnavailable as error:
            text, why_not = "no C++ compiler", f"{error.message}; {error.help}"
        return (
            Device(
                name=NAME,
                backend="npu",
                description=f"{DEFAULT.name} ({DEFAULT.number}), {text}",
                why_not=why_not,
                family=f"ascend-{DEFAULT.number}",
                simulated=True,
            ),
        )

    def supports(self, program: Program, device: Device) -> str | None:
        """Everything but double, which no unit of the chip has."""
        return device.why_not or lacking(program)

    def arithmetic(self, dtype: DType, device: Device) -> Arithmetic | None:
        """Float arithmetic is IEEE; functions as `precision.ULP` states."""
        if dtype.name == "float64":
            return None
        compute = compute_type(dtype)
        return Arithmetic(
            unit_roundoff=compute.unit_roundoff if compute.is_float else 0.0,
            accumulator=compute,
            ulp=ULP,
        )

    def compile(self, program: Program, device: Device) -> simulator.SimulatedKernel:
        """Compiles for the twin."""
        return simulator.kernel(program)

    def compile_many(
        self, programs: Sequence[Program], device: Device
    ) -> list[simulator.SimulatedKernel]:
        """As `compile`, all in one translation unit."""
        return simulator.kernels(programs)


def lacking(program: Program) -> str | None:
    """Why the chip cannot run a program, if so."""
    tensors = (*program.inputs, *program.outputs)
    if "float64" in {t.dtype.name for t in tensors}:
        return "Ascend chips have no double: neither the vector nor the scalar unit"
    changed, _ = split(prepare(program))
    nodes = {n.dtype.name for d in changed.defines for n in walk(d.value, *d.axes)}
    if "float64" in nodes:
        return "it computes in double, which no unit of an Ascend chip has"
    return None


def family() -> SimulatorFamily:
    """The family, for `opslib.backends.npu.device`."""
    return SimulatorFamily()
