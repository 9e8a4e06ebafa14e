"""ONNX Runtime's CPU provider: a simulator by which the ONNX lowering is judged."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

from opslib.codegen.onnx_style import Options
from opslib.errors import CompileError
from opslib.ir.dtypes import BFLOAT16, FLOAT64, DType, compute_type
from opslib.ir.expr import Program
from opslib.runtime.protocol import Arithmetic, Device

from ..family import HostMemory
from .kernel import OnnxKernel, printable

MISSING = "onnx and onnxruntime are not installed: pip install onnx onnxruntime"

DEVICE = Device(
    name="npu:onnx",
    backend="npu",
    description="ONNX Runtime's CPU provider, for tests of the ONNX lowering",
    family="onnx-cpu",
    simulated=True,
    host_memory=False,
    named_only=True,
)

OPTIONS = Options(specials=True, whole=False)

# Units in the last place of ONNX Runtime 1.32 on x86: 2 * 10^5 points of +-1, 5, 20 and
# of all exponents; the largest error found, with room. ONNX has no expm1, log1p, exp2,
# log2, log10, erfc, atan2, hypot: those are composites.
ULP = {
    **dict.fromkeys(("exp", "exp2", "sin", "cos", "tan", "cosh"), 2.0),
    **dict.fromkeys(("sinh", "asinh", "acosh", "atanh", "rsqrt", "sigmoid"), 3.0),
    **dict.fromkeys(("expm1", "log", "log2", "log10", "log1p", "atan", "pow"), 5.0),
    **dict.fromkeys(("asin", "acos", "log_sigmoid", "softplus", "hypot"), 6.0),
    **dict.fromkeys(("tanh", "atan2", "erfc"), 8.0),
    "erf": 2.0,
    # Far below zero the results are subnormal.
    "silu": 16.0,
    "gelu": 256.0,
    "gelu_tanh": 256.0,
}
# Its float64 sine and cosine reduce the argument roughly, so that they are off near
# their zeros.
ULP_FLOAT64 = {**ULP, "sin": 2.0**18, "cos": 2.0**18, "tanh": 8.0, "gelu_tanh": 4096.0}


class OnnxCpuFamily(HostMemory):
    """See `..family.Family`."""

    name = "onnx"

    def devices(self) -> Sequence[Device]:
        """One."""
        from dataclasses import replace

        missing = [
            n for n in ("onnx", "onnxruntime") if importlib.util.find_spec(n) is None
        ]
        return (replace(DEVICE, why_not=MISSING if missing else None),)

    def supports(self, program: Program, device: Device) -> str | None:
        """None, or what the printer or the runtime has not."""
        tensors = (*program.inputs, *program.outputs)
        if any(t.dtype == BFLOAT16 for t in tensors):
            return "ONNX Runtime's Python interface takes no bfloat16 arrays"
        return printable(program, OPTIONS)

    def arithmetic(self, dtype: DType, device: Device) -> Arithmetic | None:
        """That of the compute type: 16-bit floats are computed in float32."""
        compute = compute_type(dtype)
        return Arithmetic(
            unit_roundoff=compute.unit_roundoff if compute.is_float else 0.0,
            accumulator=compute,
            ulp=ULP_FLOAT64 if dtype == FLOAT64 else ULP,
        )

    def compile(self, program: Program, device: Device) -> OnnxKernel:
        """A kernel that opens a session for each set of sizes."""
        why_not = self.supports(program, device)
        if why_not is not None:
            raise CompileError(f"{program.name}: {why_not}", code="E0802")
        return OnnxKernel(program, OPTIONS, _open, "ONNX Runtime's CPU provider")


def _open(model: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # What runs are the nodes as they were printed.
    options.graph_optimization_level = (
        onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    )
    return onnxruntime.InferenceSession(
        model, options, providers=["CPUExecutionProvider"]
    )


def family() -> OnnxCpuFamily:
    """The family, for `..device`."""
    return OnnxCpuFamily()
