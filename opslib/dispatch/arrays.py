"""Arrays of other libraries: what they are, and the way to the host and back.

No array library is imported here: an array tells by its type's module whose it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

from opslib.errors import ArgumentError, DeviceError, DTypeError
from opslib.ir.bind import Argument
from opslib.ir.dtypes import DTYPES, from_numpy

_BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def library_of(array: Any) -> str:
    """``numpy``, ``torch``, ``jax``, ``scalar`` (Python), ``dlpack``, or ````."""
    if isinstance(array, np.ndarray | np.generic):
        return "numpy"
    if isinstance(array, bool | int | float):
        return "scalar"
    root = type(array).__module__.partition(".")[0]
    if root == "torch":
        return "torch"
    if root in ("jax", "jaxlib"):
        return "jax"
    return "dlpack" if hasattr(array, "__dlpack__") else ""


def common_library(arrays: Sequence[Any], operator: str) -> str:
    """The one library of all arrays; raises DeviceError where they are mixed."""
    found = {library_of(a) for a in arrays} - {"scalar"}
    if "" in found:
        culprit = next(a for a in arrays if not library_of(a))
        kind = type(culprit).__name__
        hint = "np.asarray(...)" if isinstance(culprit, list | tuple) else "an array"
        raise ArgumentError(
            f"{operator} got a {kind} where it takes an array",
            code="E0705",
            help=f"pass {hint}: NumPy, JAX, PyTorch, or anything with __dlpack__",
        )
    if len(found) > 1:
        raise DeviceError(
            f"{operator} got arrays of {' and '.join(sorted(found))} in one call",
            code="E0705",
            help="convert them to one library first",
        )
    return found.pop() if found else "numpy"


def argument(array: Any) -> Argument:
    """What binding needs of any array."""
    if isinstance(array, np.ndarray | np.generic):
        return Argument(from_numpy(array.dtype), array.shape)
    if isinstance(array, bool | int | float):
        return Argument(None, (), type(array).__name__)
    name = str(array.dtype).removeprefix("torch.")
    if name not in DTYPES:
        raise DTypeError(
            f"dtype {name} is not one of opslib's",
            code="E0703",
            help="supported: " + ", ".join(DTYPES),
        )
    return Argument(DTYPES[name], tuple(int(n) for n in array.shape))


def to_host(array: Any, library: str) -> Any:
    """A NumPy array of the same elements, without a copy where memory is shared."""
    if library == "numpy" or library == "scalar":
        return np.asarray(array)
    if library == "torch":
        return _torch_to_host(array)
    if library == "jax":
        return np.asarray(array)
    try:
        return np.from_dlpack(array)
    except (BufferError, RuntimeError, TypeError) as error:
        raise DeviceError(
            f"a {type(array).__name__} cannot be seen from the host: {error}",
            code="E0801",
            help="move it to the host first",
        ) from error


def _torch_to_host(tensor: Any) -> Any:
    if tensor.requires_grad:
        import torch

        if torch.is_grad_enabled():
            raise ArgumentError(
                "a tensor that requires grad would lose its gradient here",
                code="E0705",
                help="pass tensor.detach(), or call under torch.no_grad()",
            )
        tensor = tensor.detach()
    if tensor.device.type != "cpu":
        raise DeviceError(
            f"a tensor on {tensor.device} cannot be seen from the host",
            code="E0801",
            help="move it first: tensor.cpu()",
        )
    if tensor.is_conj() or tensor.is_neg():
        tensor = tensor.resolve_conj().resolve_neg()
    if str(tensor.dtype) == "torch.bfloat16":
        import torch

        return tensor.view(torch.int16).numpy().view(_BFLOAT16)
    return tensor.numpy()


def torch_on_host(arrays: Sequence[Any]) -> list[Any] | None:
    """Plain CPU tensors as NumPy arrays of the same memory; None if any is not."""
    hosted: list[Any] = []
    for a in arrays:
        if a is None:
            hosted.append(None)
        elif type(a).__module__ != "torch" or a.requires_grad or not a.is_cpu:
            return None
        else:
            try:
                hosted.append(_torch_to_host(a))
            except (TypeError, RuntimeError):
                return None
    return hosted


def as_torch(result: Any) -> Any:
    """NumPy results as tensors of the same memory; of a named tuple, each."""
    if isinstance(result, tuple):
        made = [None if r is None else from_host(r, "torch") for r in result]
        return type(result)(*made) if hasattr(result, "_fields") else tuple(made)
    return from_host(result, "torch")


def from_host(array: Any, library: str) -> Any:
    """The result as the caller's kind of array, sharing memory where it can."""
    if library == "torch":
        import torch

        if array.dtype == _BFLOAT16:
            return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
        return torch.from_numpy(array)
    if library == "jax":
        import jax

        # The scoped mode, or 64-bit results would silently become 32-bit ones.
        with jax.enable_x64(True):
            return jax.numpy.asarray(array)
    return array
