"""Qualcomm's Hexagon NPU through ``onnxruntime-qnn``, or its emulation on x86.

The vendor's own libraries compile and run the graph, for a named chip, without falling
back to the host: what they do not take is refused. On x86 they emulate the chip.
"""

from __future__ import annotations

import importlib.util
import platform
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from opslib.codegen.onnx_style import Options
from opslib.errors import CompileError
from opslib.ir.dtypes import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, DType
from opslib.ir.expr import Program
from opslib.runtime.protocol import Arithmetic, Device

from ..family import HostMemory
from .kernel import OnnxKernel, printable

MISSING = "onnxruntime-qnn is not installed: pip install 'opslib[qnn]'"

# Snapdragon 8 Gen 3: SM8650 is number 57 of Qualcomm's list, its NPU a Hexagon v75.
# Without them the emulation computes in float32, as no chip does.
_CHIP = {"soc_model": "57", "htp_arch": "75", "enable_htp_fp16_precision": "1"}

_EMULATED = platform.machine().lower() in ("x86_64", "amd64")

DEVICE = Device(
    name="npu:qnn",
    backend="npu",
    description="Hexagon v75 through ONNX Runtime"
    + (", emulated by Qualcomm's x86 libraries" if _EMULATED else ""),
    family="qnn-htp75",
    simulated=_EMULATED,
    host_memory=False,
    # It computes in float16: nobody gets that without having asked for it.
    named_only=True,
)
# Takes float32 arrays too, and computes them in float16: its name is the caller's word.
LOWER = replace(
    DEVICE,
    name="npu:qnn:float16",
    description=f"{DEVICE.description}; float32 computed in float16",
    family="qnn-htp75-lower",
)

OPTIONS = Options(specials=False, whole=False, half=True)

# Units in float16's last place, onnxruntime-qnn 2.7 on x86: 13000 points of +-1, 5, 10
# and of all exponents; the largest error found, with room. ONNX lacks expm1, log1p,
# exp2, log2, log10, erfc, atan2, hypot, and a gelu without cancellation: those are
# composites.
ULP: dict[str, float] = {
    "div": 1.5,
    "reciprocal": 1.5,
    "sqrt": 1.0,
    "rsqrt": 2.0,
    "exp": 1.5,
    "exp2": 1.5,
    "expm1": 2.0,
    "log": 2.5,
    "log2": 3.0,
    "log10": 4.0,
    "log1p": 6.0,
    "pow": 4.0,
    # Sine and cosine are good to 0.01, the arc tangent to 10^-4, whatever they are.
    "sin": 8192.0,
    "cos": 8192.0,
    "tan": 8192.0,
    "atan": 2048.0,
    "atan2": 2048.0,
    "hypot": 4.0,
    "tanh": 3.0,
    "sigmoid": 3.0,
    "log_sigmoid": 8.0,
    "softplus": 8.0,
    "silu": 8.0,
    "erfc": 12.0,
    "gelu": 24.0,
    "gelu_tanh": 24.0,
}


class QnnFamily(HostMemory):
    """See `..family.Family`."""

    name = "qnn"

    def devices(self) -> Sequence[Device]:
        """One for float16 arrays, and one that computes float32 in float16."""
        why_not = _why_not()
        return replace(DEVICE, why_not=why_not), replace(LOWER, why_not=why_not)

    def supports(self, program: Program, device: Device) -> str | None:
        """None, or which type the chip has not, or what has no form in ONNX."""
        for t in program.inputs:
            if t.dtype == FLOAT32 and device.name == DEVICE.name:
                return (
                    f"{t.name} is float32, and this chip computes in float16: give "
                    f"float16 arrays, or name the device {LOWER.name!r}, which lowers "
                    f"the precision"
                )
        for t in (*program.inputs, *program.outputs):
            if t.dtype in (FLOAT64, BFLOAT16):
                return f"{t.name} is {t.dtype}, which the chip does not have"
        return printable(program, OPTIONS)

    def arithmetic(self, dtype: DType, device: Device) -> Arithmetic | None:
        """Everything in float16, as far as it is not whole numbers."""
        if dtype in (FLOAT64, BFLOAT16):
            return None
        if not dtype.is_float:
            return Arithmetic(unit_roundoff=0.0, accumulator=dtype)
        return Arithmetic(
            unit_roundoff=FLOAT16.unit_roundoff,
            accumulator=FLOAT16,
            ulp=ULP,
            flushes=True,
            narrow=FLOAT16,
        )

    def compile(self, program: Program, device: Device) -> OnnxKernel:
        """A kernel that opens a session for each set of sizes."""
        why_not = self.supports(program, device)
        if why_not is not None:
            raise CompileError(f"{program.name}: {why_not}", code="E0802")
        return OnnxKernel(program, OPTIONS, _open, "Qualcomm's QNN provider")


def _why_not() -> str | None:
    names = ("onnx", "onnxruntime", "onnxruntime_qnn")
    return None if all(map(importlib.util.find_spec, names)) else MISSING


_lock = threading.Lock()
_device: list[Any] = []


def _provider() -> Any:
    """The vendor's library, registered once in a process."""
    import onnxruntime
    import onnxruntime_qnn

    with _lock:
        if not _device:
            path = onnxruntime_qnn.get_library_path()
            onnxruntime.register_execution_provider_library("QNN", path)
            found = [d for d in onnxruntime.get_ep_devices() if d.ep_name == "QNN"]
            _device.append(found[0])
    return _device[0]


def _open(model: bytes) -> Any:
    import onnxruntime
    import onnxruntime_qnn

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    backend = {"backend_path": onnxruntime_qnn.get_qnn_htp_path()}
    options.add_provider_for_devices([_provider()], {**backend, **_CHIP})
    session = onnxruntime.InferenceSession(model, options)
    # Python's own fallback, after a failed run, is another one.
    session.disable_fallback()
    return session


def family() -> QnnFamily:
    """The family, for `..device`."""
    return QnnFamily()
