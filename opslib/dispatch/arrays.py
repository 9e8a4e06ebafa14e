"""Arrays of other libraries: what they are, and the way to the host and back.

No array library is imported here: an array tells by its type's module whose it is.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import ml_dtypes
import numpy as np

from opslib.errors import ArgumentError, DeviceError, DTypeError
from opslib.ir.binding import Argument
from opslib.ir.dtypes import BOOL, DTYPES, DType, from_numpy

_BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
_SCALARS = (bool, int, float)

# What each type of array was found to be; there are few, and asking takes a while.
_libraries: dict[type, str] = {
    np.ndarray: "numpy",
    bool: "scalar",
    int: "scalar",
    float: "scalar",
}


def library_of(array: Any) -> str:
    """``numpy``, ``torch``, ``jax``, ``scalar`` (Python), ``dlpack``, or ````."""
    kind = type(array)
    found = _libraries.get(kind)
    if found is None:
        found = _library_of(array)
        if len(_libraries) > 1000:  # Somebody makes classes in a loop.
            return found
        _libraries[kind] = found
    return found


def _library_of(array: Any) -> str:
    if isinstance(array, np.ndarray | np.generic):
        return "numpy"
    if isinstance(array, _SCALARS):
        return "scalar"
    # A subclass (torch.nn.Parameter, somebody's tensor) is its library's too.
    roots = [c.__module__.partition(".")[0] for c in type(array).__mro__]
    if "torch" in roots:
        return "torch" if hasattr(array, "stride") else ""
    if "jax" in roots or "jaxlib" in roots:
        # Tracers are of this class too; shapes and other things with a dtype are not.
        return "jax" if isinstance(array, sys.modules["jax"].Array) else ""
    return "dlpack" if hasattr(array, "__dlpack__") else ""


def plain(array: Any, operator: str) -> Any:
    """The array as the rest of dispatch knows it; most are returned as they are.

    Subclasses of ndarray (matrix, memmap) count as what they hold. A masked array
    would lose its mask, and is refused. What has ``__dlpack__`` and nothing else is
    taken for the NumPy array that it is a view of.
    """
    kind = type(array)
    if kind is np.ndarray:
        return array
    library = library_of(array)
    if library == "numpy":
        if isinstance(array, np.ma.MaskedArray):
            raise ArgumentError(
                f"{operator} got a masked array, and would forget its mask",
                code="E0705",
                help="pass x.filled(value), or x.data to ignore the mask",
            )
        return np.asarray(array)
    if library == "torch":
        strided = sys.modules["torch"].strided
        if array.layout is not strided or array.is_nested:
            what = "nested" if array.is_nested else str(array.layout)
            raise DeviceError(
                f"{operator} got a tensor that is not dense ({what})",
                code="E0730",
                help="pass a dense tensor",
            )
    if library == "dlpack" and not (
        hasattr(array, "dtype") and hasattr(array, "shape")
    ):
        return _imported(array)
    if not library:
        sequence = isinstance(array, list | tuple)
        hint = "np.asarray(...)" if sequence else "an array"
        raise ArgumentError(
            f"{operator} got a {kind.__name__} where it takes an array",
            code="E0705",
            help=f"pass {hint}: NumPy, JAX, PyTorch, or anything with __dlpack__",
        )
    return array


def common_library(arrays: Sequence[Any], operator: str) -> str:
    """The one library of all arrays; ``scalar`` if there are Python scalars only.

    Raises:
        DeviceError: the arrays are of several libraries.
    """
    found = set(map(library_of, arrays))
    if len(found) > 1:
        found.discard("scalar")
    if len(found) > 1:
        raise DeviceError(
            f"{operator} got arrays of {' and '.join(sorted(found))} in one call",
            code="E0705",
            help="convert them to one library first",
        )
    return found.pop() if found else "numpy"


def is_resident(array: Any, library: str) -> bool:
    """Whether an array of a call may live on a device that has a say in it.

    `library` is the call's. NumPy's arrays and PyTorch's on the host do not.
    """
    if library == "torch":
        return library_of(array) == "torch" and array.device.type != "cpu"
    return library not in ("numpy", "scalar")


def argument(array: Any) -> Argument:
    """What binding needs of any array."""
    library = library_of(array)
    if library == "numpy":
        return Argument(from_numpy(array.dtype), array.shape)
    if library == "scalar":
        kind = next(k for k in _SCALARS if isinstance(array, k))
        return Argument(None, (), kind.__name__)
    name = str(array.dtype).removeprefix("torch.")
    if name not in DTYPES:
        raise DTypeError(
            f"dtype {name} is not one of opslib's",
            code="E0703",
            help="supported: " + ", ".join(DTYPES),
        )
    return Argument(DTYPES[name], tuple(int(n) for n in array.shape))


# --- to the host -------------------------------------------------------------------


def to_host(array: Any, library: str) -> Any:
    """A NumPy array of the same elements, without a copy where memory is shared."""
    return np.asarray(array) if library == "scalar" else _hosted(array, library)


def on_host(array: Any, dtype: DType) -> Any:
    """A NumPy array of the same elements as `dtype`, in native byte order, aligned.

    Shares memory where it can.
    """
    library = library_of(array)
    if library == "scalar":
        return scalar(array, dtype)
    host = _hosted(array, library)
    if host.dtype != dtype.numpy:
        host = host.astype(dtype.numpy)
    if not host.flags.aligned or any(s % host.itemsize for s in host.strides):
        host = host.copy()
    return host


def scalar(value: Any, dtype: DType) -> Any:
    """A Python scalar as a 0-d array of the type it takes beside an array."""
    if dtype.is_integer:
        low = -(1 << (dtype.bits - 1)) if dtype.kind == "int" else 0
        if not low <= value < low + (1 << dtype.bits):
            raise DTypeError(
                f"the Python number {value} does not fit {dtype}",
                code="E0703",
                help="cast the array to a wider type first",
            )
    elif dtype.is_float and isinstance(value, int):
        try:
            value = float(value)
        except OverflowError:
            raise DTypeError(
                f"a Python integer of {value.bit_length()} bits does not fit {dtype}",
                code="E0703",
                help="pass a float, or cast the array",
            ) from None
    if dtype == BOOL:
        value = bool(value)
    if dtype.is_float and (dtype.bits < 32 or not -3e38 < value < 3e38):
        with np.errstate(over="ignore"):  # It becomes inf, as in a cast.
            return np.asarray(value).astype(dtype.numpy)
    return np.array(value, dtype.numpy)


def view_on_host(array: Any) -> Any:
    """A NumPy array of the same memory, to be written; raises if there is none."""
    library = library_of(array)
    return array if library == "numpy" else _hosted(array, library)


def _hosted(array: Any, library: str) -> Any:
    if library == "torch":
        return _torch_to_host(array)
    if library == "dlpack":
        return _imported(array)
    if library == "jax" and is_traced(array):
        raise DeviceError(
            TRACED,
            code="E0730",
            help='pass backend="jax" (or none), or call outside of the traced function',
        )
    return np.asarray(array)


def _imported(array: Any) -> Any:
    try:
        return np.from_dlpack(array)
    except Exception as error:
        # What a foreign __dlpack__ raises is its own affair.
        raise DeviceError(
            f"a {type(array).__name__} cannot be seen from the host: {error}",
            code="E0730",
            help="move it to the host first",
        ) from error


def _torch_to_host(tensor: Any) -> Any:
    torch = sys.modules["torch"]
    if tensor.requires_grad:
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
            code="E0730",
            help="move it first: tensor.cpu()",
        )
    if tensor.is_conj() or tensor.is_neg():
        tensor = tensor.resolve_conj().resolve_neg()
    try:
        if tensor.dtype is torch.bfloat16:
            return tensor.view(torch.int16).numpy().view(_BFLOAT16)
        return tensor.numpy()
    except (RuntimeError, TypeError) as error:  # Sparse, quantised, a subclass ...
        raise DeviceError(
            f"this {type(tensor).__name__} cannot be seen as an array: {error}",
            code="E0730",
            help="pass a dense tensor",
        ) from error


def torch_on_host(arrays: Sequence[Any]) -> list[Any] | None:
    """Plain CPU tensors as NumPy arrays of the same memory; None if any is not.

    Scalars and absent arrays are left as they are.
    """
    torch = sys.modules["torch"]
    tensor, bfloat16 = torch.Tensor, torch.bfloat16
    hosted: list[Any] = []
    for a in arrays:
        if type(a) is tensor:
            try:
                if a.dtype is bfloat16:
                    hosted.append(_torch_to_host(a))
                else:
                    # Refuses other devices, gradients, conjugation and sparsity.
                    hosted.append(a.numpy())
            except (TypeError, RuntimeError, ArgumentError, DeviceError):
                return None
        elif a is None or type(a) in _SCALARS:
            hosted.append(a)
        else:
            return None
    return hosted


TRACED = (
    "an array is traced by jax.jit, vmap or grad and has no elements yet, "
    "and only the jax backend can be traced"
)


def is_traced(array: Any) -> bool:
    """Whether JAX is tracing the array, so that its elements are not known."""
    jax: Any = sys.modules.get("jax")
    tracer = getattr(getattr(jax, "core", None), "Tracer", None)  # (None: importing.)
    return tracer is not None and isinstance(array, tracer)


def untraced() -> AbstractContextManager[Any]:
    """Where JAX computes at once, even while it traces a function of the caller's.

    Nothing where it does not trace: in JAX's own context compiled functions would run
    operation by operation.
    """
    # While another thread imports JAX it lies there without its functions, and nobody
    # traces anything yet.
    jax: Any = sys.modules.get("jax")
    evaluated = getattr(jax, "ensure_compile_time_eval", None)
    numpy: Any = getattr(jax, "numpy", None)
    if evaluated is None or not hasattr(numpy, "zeros"):
        return nullcontext()
    if not is_traced(numpy.zeros(())):
        return nullcontext()
    return cast(AbstractContextManager[Any], evaluated())


# --- and back ----------------------------------------------------------------------


def as_torch(result: Any) -> Any:
    """NumPy results as tensors of the same memory; of a named tuple, each."""
    if isinstance(result, tuple):
        made = [None if r is None else from_host(r, "torch") for r in result]
        plain: Any = type(result)
        return plain(*made) if hasattr(result, "_fields") else tuple(made)
    return from_host(result, "torch")


def from_host(array: Any, library: str) -> Any:
    """The result as the caller's kind of array, sharing memory where it can.

    Scalars and arrays that only have ``__dlpack__`` give NumPy arrays.
    """
    if library == "torch":
        torch = sys.modules["torch"]
        if array.dtype == _BFLOAT16:
            return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
        return torch.from_numpy(array)
    if library == "jax":
        jax = sys.modules["jax"]
        # The scoped mode, or 64-bit results would silently become 32-bit ones.
        with jax.enable_x64(True):
            return jax.numpy.asarray(array)
    return array
