"""The devices that jax sees, and what XLA's arithmetic promises."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from typing import Any

from opslib.errors import BackendUnavailable, CompileError
from opslib.ir.dtypes import DType, compute_type
from opslib.ir.expr import Program
from opslib.runtime.protocol import PROTOCOL_VERSION, Arithmetic, Device, View

from .renderer import JaxKernel, kernel, rendered
from .scope import is_concrete, wide_types

MISSING = "jax is not installed: pip install 'opslib[jax]'"

# Units in the last place on XLA's CPU, jax 0.10, float32. Measured on 3 * 10^5 points
# of +-20 and +-1e30: exp 1.0, log2 2.1, tanh 4.3, erf 4.9, expm1 4.9, sinh and cosh
# 24.4, erfc 63.6, the others below 3.4; stated with room, as float64 is not measured.
# XLA turns a division by a constant into a product.
ULP = {
    **dict.fromkeys(("exp", "exp2", "expm1", "log", "log2", "log10", "log1p"), 8.0),
    **dict.fromkeys(("sin", "cos", "tan", "asin", "acos", "atan", "atan2"), 8.0),
    **dict.fromkeys(("tanh", "asinh", "acosh", "atanh"), 8.0),
    **dict.fromkeys(("sinh", "cosh"), 32.0),
    **dict.fromkeys(("hypot", "pow"), 8.0),
    "div": 1.5,
    "reciprocal": 1.0,
    "rsqrt": 2.0,
    "sqrt": 1.0,
    "sigmoid": 8.0,
    "softplus": 8.0,
    "log_sigmoid": 8.0,
    "silu": 9.0,
    "erf": 8.0,
    "erfc": 128.0,
    "gelu": 512.0,
    "gelu_tanh": 512.0,
}


class JaxBackend:
    """See `opslib.runtime.protocol.Backend`."""

    name = "jax"
    protocol = PROTOCOL_VERSION
    strided = False

    def devices(self) -> Sequence[Device]:
        """The devices of every platform that jax finds, its default first."""
        if "jax" not in sys.modules and importlib.util.find_spec("jax") is None:
            return (_missing(MISSING),)
        try:
            import jax

            found = list(jax.devices())
            if found[0].platform != "cpu":
                found += jax.devices("cpu")
        except Exception as error:  # a broken jaxlib or driver raises anything
            reason = f"jax does not start: {type(error).__name__}: {error}"
            return (_missing(reason.splitlines()[0]),)
        return tuple(_described(d) for d in found)

    def supports(self, program: Program, device: Device) -> str | None:
        """None, or what cannot be traced."""
        try:
            rendered(program)
        except NotImplementedError as error:
            return f"no jax form for {error}"
        return None

    def arithmetic(self, dtype: DType, device: Device) -> Arithmetic | None:
        """XLA's, with subnormals flushed on processors."""
        compute = compute_type(dtype)
        return Arithmetic(
            unit_roundoff=compute.unit_roundoff if compute.is_float else 0.0,
            accumulator=compute,
            ulp=ULP,
            flushes=True,
        )

    def compile(self, program: Program, device: Device) -> JaxKernel:
        """Prints the function; XLA compiles it for each shape on its first launch."""
        if device.why_not is not None:
            raise BackendUnavailable(device.why_not, code="E0802")
        try:
            return kernel(program)
        except NotImplementedError as error:
            raise CompileError(
                f"{program.name}: no jax form for {error}", code="E0801"
            ) from None

    def owner(self, array: Any) -> Device | None:
        """Where a jax array lives; a tracer belongs to the default device."""
        jax: Any = sys.modules.get("jax")
        if jax is None or not isinstance(array, getattr(jax, "Array", ())):
            return None
        if not is_concrete(array):
            return _described(jax.devices()[0])
        placed: Any = array
        (first, *_) = sorted(placed.devices(), key=lambda d: d.id)
        return _described(first)

    def asarray(self, array: Any, device: Device) -> Any:
        """A jax array on `device`, of the same 64-bit type."""
        import jax

        with wide_types():
            if isinstance(array, jax.core.Tracer):
                return array
            if hasattr(array, "__dlpack__") and not hasattr(array, "__array__"):
                array = jax.numpy.from_dlpack(array)
            return jax.device_put(array, _jax_device(device))

    def to_numpy(self, array: Any) -> Any:
        """A host copy, once the array is ready.

        Raises:
            MemoryError: there was not room for it.
        """
        import numpy as np

        with wide_types():
            _settle(array)
            return np.asarray(array)

    def empty(self, shape: tuple[int, ...], dtype: DType, device: Device) -> Any:
        """Zeros: jax has no uninitialised arrays."""
        import jax

        with wide_types():
            zeros = jax.numpy.zeros(shape, dtype.numpy)
            return jax.device_put(zeros, _jax_device(device))

    def view(self, array: Any, view: View) -> Any:
        """A new array in the program's axes."""
        import jax

        with wide_types():
            seen = array.transpose(view.permutation).reshape(view.shape)
            if view.shape != view.extents:
                seen = jax.numpy.broadcast_to(seen, view.extents)
            return seen

    def synchronize(self, device: Device) -> None:
        """Waits until the device has done what was asked of it so far."""
        import jax

        jax.device_put(0.0, _jax_device(device)).block_until_ready()
        jax.effects_barrier()  # type: ignore[no-untyped-call,unused-ignore]


def _settle(array: Any) -> None:
    """Waits for an array, so that a failure is an error here.

    NumPy asks for the bytes through the buffer protocol, and XLA answers for an array
    that could not be made by ending the process.
    """
    if not is_concrete(array) or not hasattr(array, "block_until_ready"):
        return
    try:
        array.block_until_ready()
    except RuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise MemoryError(str(error).partition("\n")[0]) from None


def _missing(reason: str) -> Device:
    return Device("jax", "jax", "jax", why_not=reason, family="jax", host_memory=False)


def _described(device: Any) -> Device:
    return Device(
        name=f"jax:{device.platform}:{device.id}",
        backend="jax",
        description=f"{device.device_kind}, through XLA",
        family=f"jax-{device.platform}",
        host_memory=False,
    )


def _jax_device(device: Device) -> Any:
    import jax

    _, platform, number = device.name.split(":")
    for candidate in jax.devices(platform):
        if candidate.id == int(number):
            return candidate
    raise BackendUnavailable(f"jax has no device {device.name}", code="E0802")
