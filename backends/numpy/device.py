"""Host memory as NumPy sees it, and what NumPy's arithmetic promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from opslib.errors import CompileError
from opslib.ir.dtypes import FLOAT64, DType, compute_type
from opslib.ir.expr import Program
from opslib.runtime import host
from opslib.runtime.protocol import PROTOCOL_VERSION, Arithmetic, Device, View

from .renderer import NumpyKernel, kernel, rendered

DEVICE = Device(
    name="numpy",
    backend="numpy",
    description=f"NumPy {np.__version__}, on the host",
    family="numpy",
)

# Everything in float64, results rounded once: for those who ask for wide sums. Not what
# backend="numpy" means, so it is only taken by its name or for its accumulator.
WIDE = Device(
    name="numpy:float64",
    backend="numpy",
    description=f"NumPy {np.__version__}, on the host, computing in float64",
    family="numpy-float64",
    named_only=True,
)

# NumPy states 4 units in the last place for its vectorised functions; the others are
# compositions of two or three rounded operations, or computed in float64.
ULP = {
    **dict.fromkeys(("exp", "exp2", "expm1", "log", "log2", "log10", "log1p"), 4.0),
    **dict.fromkeys(("sin", "cos", "tan", "asin", "acos", "atan", "atan2"), 4.0),
    **dict.fromkeys(("sinh", "cosh", "tanh", "asinh", "acosh", "atanh"), 4.0),
    **dict.fromkeys(("hypot", "pow"), 4.0),
    "rsqrt": 1.5,
    "sigmoid": 1.0,
    "softplus": 1.0,
    "log_sigmoid": 1.0,
    "silu": 1.0,
    "gelu": 1.0,
    "gelu_tanh": 1.0,
    "erf": 1.0,
    "erfc": 1.0,
}
# In float64 nothing wider is at hand.
ULP_FLOAT64 = {
    **ULP,
    "sigmoid": 5.0,
    "softplus": 5.0,
    "log_sigmoid": 5.0,
    "silu": 6.0,
    "gelu": 130.0,
    "gelu_tanh": 16.0,
    "erf": 5.0,
    "erfc": 8.0,
}


class NumpyBackend:
    """See `opslib.runtime.protocol.Backend`."""

    name = "numpy"
    protocol = PROTOCOL_VERSION
    strided = True

    def devices(self) -> Sequence[Device]:
        """The host, in the types of the arrays and in float64."""
        return (DEVICE, WIDE)

    def supports(self, program: Program, device: Device) -> str | None:
        """None, or what the array printer has no form for."""
        try:
            rendered(program, device == WIDE)
        except NotImplementedError as error:
            return f"no array form for {error}"
        return None

    def arithmetic(self, dtype: DType, device: Device) -> Arithmetic | None:
        """IEEE arithmetic in the compute type; long sums are kept in it too.

        The wide device promises no less for a single operation, and sums in float64.
        """
        compute = compute_type(dtype)
        wide = device == WIDE and compute.is_float
        return Arithmetic(
            unit_roundoff=compute.unit_roundoff if compute.is_float else 0.0,
            accumulator=FLOAT64 if wide else compute,
            ulp=ULP_FLOAT64 if compute == FLOAT64 else ULP,
        )

    def compile(self, program: Program, device: Device) -> NumpyKernel:
        """Prints and executes the function."""
        try:
            return kernel(program, device == WIDE)
        except NotImplementedError as error:
            raise CompileError(
                f"{program.name}: no array form for {error}", code="E0801"
            ) from None

    def owner(self, array: Any) -> Device | None:
        """The host, for NumPy arrays and scalars."""
        return DEVICE if isinstance(array, np.ndarray | np.generic) else None

    def asarray(self, array: Any, device: Device) -> Any:
        """The same memory for a NumPy array or a DLPack one on the host."""
        return host.as_numpy(array)

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
