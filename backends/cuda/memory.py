"""Arrays on a GPU: opslib's own, and those of PyTorch, CuPy, JAX and others in place.

A `DeviceArray` says where elements lie and on which stream they are made. It holds
memory of opslib's, or keeps another library's array alive.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from opslib.errors import ArgumentError, DeviceError
from opslib.ir.dtypes import DTYPES
from opslib.ir.view import View

from .packages import core

if TYPE_CHECKING:
    from .gpu import Gpu

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
# DLPack's number for memory of a CUDA device (dlpack.h, kDLCUDA).
DL_CUDA = 2


@dataclass(slots=True, eq=False, weakref_slot=True)
class DeviceArray:
    """Elements on a GPU.

    Attributes:
        address: of the first element, on the device.
        shape: extents.
        strides: from one element to the next along each axis, in elements.
        dtype: of the elements.
        gpu: the device.
        stream: of `cuda.core`: what fills the array is enqueued there. None where that
            is done long since.
        keep: what owns the memory.
        borrowed: its owner may use the memory again as soon as `keep` is gone, whatever
            is enqueued: it must be held until launches that use it are done.
    """

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype[Any]
    gpu: Gpu
    stream: Any
    keep: Any = None
    borrowed: bool = False

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of the elements, without gaps."""
        return self.size * self.itemsize

    @property
    def is_contiguous(self) -> bool:
        """Whether the elements lie without gaps, in row-major order."""
        return self.size == 0 or all(
            s == d or n == 1
            for s, d, n in zip(
                self.strides, row_major(self.shape), self.shape, strict=True
            )
        )

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """For CuPy, Numba and others; they wait for the stream that is named here."""
        if self.dtype == BFLOAT16:
            raise AttributeError("the CUDA array interface has no bfloat16")
        return {
            "version": 3,
            "shape": self.shape,
            "typestr": self.dtype.str,
            "data": (self.address, False),
            "strides": tuple(s * self.itemsize for s in self.strides),
            "stream": 1 if self.stream is None else int(self.stream.handle) or 1,
        }

    def __dlpack_device__(self) -> tuple[int, int]:
        """The device, as DLPack counts them."""
        return DL_CUDA, self.gpu.index

    def __dlpack__(self, *, stream: int | None = None, **options: Any) -> Any:
        """A capsule of the same memory, ordered before what the consumer enqueues.

        Args:
            stream: the consumer's: an address, 1 or None for the default one, 2 for the
                one of its thread, -1 for no ordering.
            options: as of the array API standard; a copy is never made.
        """
        if stream != -1 and self.stream is not None:
            self.gpu.stream_of(1 if stream is None else stream).wait(self.stream)
        return self._memory_view().__dlpack__(**options)

    def _memory_view(self) -> Any:
        """As `cuda.core` describes arrays."""
        module = core()
        # Up to the last element: strides may leave gaps.
        last = sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))
        bytes_ = (last + 1) * self.itemsize if self.size else 0
        buffer = module.Buffer.from_handle(self.address, bytes_, owner=self)
        # Its printers know no bfloat16; who asks sees to that (`as_jax`).
        dtype = np.dtype(np.uint16) if self.dtype == BFLOAT16 else self.dtype
        return module.utils.StridedMemoryView.from_buffer(
            buffer, self.shape, self.strides, dtype=dtype
        )


def row_major(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides in elements without gaps."""
    found = [1] * len(shape)
    for k in reversed(range(len(shape) - 1)):
        found[k] = found[k + 1] * shape[k + 1]
    return tuple(found)


def viewed(array: DeviceArray, view: View) -> DeviceArray:
    """The same memory in a program's axes.

    Raises:
        DeviceError: axes are to be merged that do not lie one behind the other.
    """
    strides = _viewed(array.shape, array.strides, view)
    if strides is None:
        raise DeviceError(
            f"an array of {array.shape} with strides {array.strides} has no view of "
            f"{view.shape} without a copy",
            code="E0804",
            help="this is a bug in opslib; report the operator and its shapes",
        )
    return DeviceArray(
        array.address,
        view.extents,
        strides,
        array.dtype,
        array.gpu,
        array.stream,
        array,
        array.borrowed,
    )


@lru_cache(maxsize=4096)
def _viewed(
    shape: tuple[int, ...], strides: tuple[int, ...], view: View
) -> tuple[int, ...] | None:
    """Strides after the view, 0 where broadcast; None where it needs a copy."""
    axes = [(shape[k], strides[k]) for k in view.permutation if shape[k] != 1]
    if math.prod(n for n, _ in axes) == 0:
        return (0,) * len(view.extents)
    made: list[int] = []
    for n in reversed(view.shape):
        if n == 1:
            made.append(0)
            continue
        # From the innermost on: so much of the source's axes makes this one.
        stride, have = 0, 1
        while have < n:
            if not axes:
                return None
            extent, step = axes.pop()
            if have == 1:
                stride = step
            elif step != stride * have:
                return None
            need = n // have
            if extent > need:  # An axis that is split: the rest is for the next one.
                if extent % need:
                    return None
                axes.append((extent // need, step * need))
                extent = need
            have *= extent
        if have != n:
            return None
        made.append(stride)
    made.reverse()
    return tuple(
        0 if extent != n else stride
        for extent, n, stride in zip(view.extents, view.shape, made, strict=True)
    )


# --- Other libraries' arrays ---------------------------------------------------------


# What each type of array was found to be; there are few, and asking takes a while.
_libraries: dict[type, str] = {}


def library_of(array: Any) -> str:
    """``torch``, ``cupy``, ``jax``, ``opslib`` or ``other``."""
    kind = type(array)
    found = _libraries.get(kind)
    if found is None:
        found = _library_of(kind)
        if len(_libraries) < 1000:  # Else somebody makes classes in a loop.
            _libraries[kind] = found
    return found


def _library_of(kind: type) -> str:
    if issubclass(kind, DeviceArray):
        return "opslib"
    # A subclass (torch.nn.Parameter) is its library's too.
    roots = {c.__module__.partition(".")[0] for c in kind.__mro__}
    for name in ("torch", "cupy"):
        if name in roots:
            return name
    return "jax" if roots & {"jax", "jaxlib"} else "other"


def device_index(array: Any) -> int | None:
    """The CUDA device on which any library's array lives; None for other places."""
    if isinstance(array, DeviceArray):
        return array.gpu.index
    if library_of(array) == "torch":
        return array.device.index if array.device.type == "cuda" else None
    device = getattr(array, "__dlpack_device__", None)
    if device is not None:
        try:
            kind, index = device()
        except Exception:  # foreign code: an array that cannot say so is not ours
            return None
        return int(index) if int(kind) == DL_CUDA else None
    return 0 if hasattr(array, "__cuda_array_interface__") else None


def imported(array: Any, gpu: Gpu) -> DeviceArray:
    """The same memory as a `DeviceArray`, in order with its library's work.

    PyTorch's and CuPy's arrays go on on their library's current stream; what comes from
    elsewhere is waited for on opslib's own.
    """
    if isinstance(array, DeviceArray):
        return array
    library = library_of(array)
    if library == "torch":
        return _of_torch(array, gpu)
    if library == "cupy":
        current = sys.modules["cupy"].cuda.get_current_stream().ptr
        return _of_interface(array, gpu, gpu.stream_of(current), -1)
    own = gpu.stream
    return _of_interface(array, gpu, own, int(own.handle))


def _of_torch(tensor: Any, gpu: Gpu) -> DeviceArray:
    torch = sys.modules["torch"]
    if tensor.requires_grad:
        if torch.is_grad_enabled():
            raise ArgumentError(
                "a tensor that requires grad would lose its gradient here",
                code="E0705",
                help="pass tensor.detach(), or call under torch.no_grad()",
            )
        tensor = tensor.detach()
    if tensor.is_conj() or tensor.is_neg():
        tensor = tensor.resolve_conj().resolve_neg()
    try:
        strides = tuple(tensor.stride())
    except RuntimeError as error:  # sparse, nested
        raise DeviceError(
            f"this {type(tensor).__name__} cannot be seen as an array: {error}",
            code="E0730",
            help="pass a dense tensor",
        ) from error
    return DeviceArray(
        tensor.data_ptr(),
        tuple(tensor.shape),
        strides,
        _TORCH[str(tensor.dtype)],
        gpu,
        gpu.stream_of(torch.cuda.current_stream(gpu.index).cuda_stream),
        tensor,
    )


_TORCH = {f"torch.{name}": np.dtype(d.numpy) for name, d in DTYPES.items()}


def _of_interface(array: Any, gpu: Gpu, stream: Any, order: int) -> DeviceArray:
    """Through DLPack or ``__cuda_array_interface__``; `order` as `cuda.core` takes it.

    That is the address of the stream which is to wait for the array's work, or -1.
    """
    view = core().utils.StridedMemoryView.from_any_interface(array, stream_ptr=order)
    shape = tuple(view.shape)
    strides = view.strides
    return DeviceArray(
        int(view.ptr),
        shape,
        row_major(shape) if strides is None else tuple(strides),
        np.dtype(view.dtype),
        gpu,
        stream,
        view,
        # CuPy frees in the order of its stream, where launches go.
        borrowed=order != -1,
    )


def empty_like(like: Any, shape: tuple[int, ...], dtype: Any, gpu: Gpu) -> Any:
    """An array of `like`'s library, or a `DeviceArray` where it must be made of one.

    PyTorch and CuPy allocate themselves, from their own pools and, inside a capture,
    from the graph's.
    """
    library = library_of(like)
    if library == "torch":
        torch = sys.modules["torch"]
        kind = getattr(torch, DTYPES_BY_NUMPY[np.dtype(dtype)])
        return torch.empty(shape, dtype=kind, device=like.device)
    if library == "cupy" and np.dtype(dtype) != BFLOAT16:
        return sys.modules["cupy"].empty(shape, dtype)
    return gpu.empty(shape, dtype)


DTYPES_BY_NUMPY = {np.dtype(d.numpy): name for name, d in DTYPES.items()}


def restored(array: Any, like: Any) -> Any:
    """A result as an array of `like`'s library, without a copy."""
    if not isinstance(array, DeviceArray) or library_of(like) != "jax":
        return array
    jax = sys.modules["jax"]
    with jax.enable_x64(True):
        made = jax.dlpack.from_dlpack(array)
        if array.dtype == BFLOAT16:
            made = jax.lax.bitcast_convert_type(made, jax.numpy.bfloat16)
    return made
