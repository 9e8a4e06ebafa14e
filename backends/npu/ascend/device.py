"""``npu:ascend-sim``: generated Ascend C on the CPU twin, for each chip of the table.

``npu:ascend-sim`` is the default target; the others, such as ``npu:ascend-sim:3510``,
run by their own names only.
"""

from __future__ import annotations

from collections.abc import Sequence

from opslib.errors import BackendUnavailable
from opslib.ir.dtypes import FLOAT32, DType, compute_type
from opslib.ir.expr import Program, walk
from opslib.lowering.passes import prepare
from opslib.runtime import toolchain
from opslib.runtime.protocol import Arithmetic, Device

from ..family import HostMemory
from ..targets import DEFAULT, TARGETS, AscendTarget
from . import simulator
from .host_scalars import split
from .precision import ULP

NAME = "npu:ascend-sim"


class SimulatorFamily(HostMemory):
    """See `opslib.backends.npu.family.Family`."""

    name = "ascend-sim"

    def devices(self) -> Sequence[Device]:
        """One simulated core complex a chip; unusable without a C++ compiler."""
        try:
            compiler = toolchain.find_toolchain("c++")
            text = f"simulated by generated Ascend C on the CPU twin, {compiler.kind}"
            why_not = None
        except BackendUnavailable as error:
            text, why_not = "no C++ compiler", f"{error.message}; {error.help}"
        return tuple(
            Device(
                name=_name(target),
                backend="npu",
                description=f"{target.name} ({target.number}), {text}",
                why_not=why_not,
                family=f"ascend-{target.number}",
                simulated=True,
                named_only=target is not DEFAULT,
            )
            for target in (DEFAULT, *(t for t in TARGETS.values() if t is not DEFAULT))
        )

    def supports(self, program: Program, device: Device) -> str | None:
        """Everything but types that no unit of the chip has."""
        return device.why_not or lacking(program, target_of(device))

    def arithmetic(self, dtype: DType, device: Device) -> Arithmetic | None:
        """What the generated code promises."""
        return promise(dtype, target_of(device))

    def compile(self, program: Program, device: Device) -> simulator.SimulatedKernel:
        """Compiles for the twin."""
        return simulator.kernel(program, target_of(device))

    def compile_many(
        self, programs: Sequence[Program], device: Device
    ) -> list[simulator.SimulatedKernel]:
        """As `compile`, all in one translation unit."""
        return simulator.kernels(programs, target_of(device))


def target_of(device: Device) -> AscendTarget:
    """The chip that a device is or simulates; the usual one where it is not known."""
    number = device.family.removeprefix("ascend-")
    return TARGETS.get(int(number), DEFAULT) if number.isdigit() else DEFAULT


def promise(dtype: DType, target: AscendTarget) -> Arithmetic | None:
    """Float arithmetic is IEEE; functions as `precision.ULP` states."""
    if not has(dtype.name, target):
        return None
    compute = compute_type(dtype)
    return Arithmetic(
        unit_roundoff=compute.unit_roundoff if compute.is_float else 0.0,
        accumulator=compute,
        ulp=ULP,
        # Infinities become the largest number and nan 0, at every step.
        narrow=FLOAT32 if target.saturates else None,
    )


def _name(target: AscendTarget) -> str:
    return NAME if target is DEFAULT else f"{NAME}:{target.number}"


def has(dtype: str, target: AscendTarget) -> bool:
    """Whether some unit of the chip computes in a type, or converts it."""
    return dtype != "float64" and (dtype != "bfloat16" or target.bf16_cube)


def lacking(program: Program, target: AscendTarget = DEFAULT) -> str | None:
    """Why the chip cannot run a program, if so."""
    tensors = {t.dtype.name for t in (*program.inputs, *program.outputs)}
    if "float64" in tensors:
        return "Ascend chips have no double: neither the vector nor the scalar unit"
    changed, _ = split(prepare(program))
    nodes = {n.dtype.name for d in changed.defines for n in walk(d.value, *d.axes)}
    if "float64" in nodes:
        return "it computes in double, which no unit of an Ascend chip has"
    if any(not has(name, target) for name in tensors | nodes):
        # Not in the lists of Cast of vectors (atlasascendc_api_07_0073) and of scalars
        # (07_0022), nor of Mmad (07_0249), for the inference products' AI cores.
        return f"{target.name} has no bfloat16: it cannot even convert it"
    return None


def family() -> SimulatorFamily:
    """The family, for `opslib.backends.npu.device`."""
    return SimulatorFamily()
