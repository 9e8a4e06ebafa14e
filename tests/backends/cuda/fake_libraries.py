"""Fakes of torch, CuPy and JAX, as far as opslib looks at their arrays on a GPU.

They allocate from the fake driver's memory, free in the order of their stream, and say
what the real ones say by the same names. Each array's contents are read through
`numpy`, which waits.
"""

from __future__ import annotations

import sys
import types
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

DTYPES = ("float32", "float16", "bfloat16", "float64", "int64", "int32", "bool")


class DType:
    """As torch's: its text is ``torch.float32``."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return f"torch.{self.name}"


@dataclass(frozen=True)
class Place:
    """As torch.device."""

    type: str
    index: int


class Memory:
    """Elements on the fake GPU, freed with the last reference, in a stream's order."""

    def __init__(self, fake: Any, nbytes: int, stream: Any) -> None:
        self.fake, self.stream = fake, stream
        self.address = fake.WORLD.allocate(max(nbytes, 1))

    def __del__(self) -> None:
        address, world = self.address, self.fake.WORLD
        self.stream.enqueue(
            lambda: world.release(address) if address in world.memory else None
        )


class Array:
    """Strided elements; `module` is the library's name."""

    __module__ = "nowhere"

    def __init__(
        self, fake: Any, shape: Any, kind: Any, stream: Any, index: int = 0
    ) -> None:
        self.fake, self.kind, self.stream_ = fake, np.dtype(kind), stream
        self.shape = tuple(shape)
        steps = np.empty(0 if 0 in self.shape else self.shape, self.kind).strides
        self.steps = tuple(s // self.kind.itemsize for s in steps)
        if 0 in self.shape:
            self.steps = (0,) * len(self.shape)
        nbytes = int(np.prod(self.shape)) * self.kind.itemsize
        self.memory = Memory(fake, nbytes, stream)
        self.address, self.index = self.memory.address, index

    def numpy_now(self) -> Any:
        """The elements as they are now, whatever is enqueued."""
        import ctypes

        raw = (ctypes.c_char * max(self._bytes(), 1)).from_address(self.address)
        flat = np.frombuffer(raw, np.uint8)[: self._bytes()].view(self.kind)
        steps = tuple(s * self.kind.itemsize for s in self.steps)
        return np.lib.stride_tricks.as_strided(flat, self.shape, steps)

    def _bytes(self) -> int:
        if 0 in self.shape:
            return 0
        last = sum((n - 1) * s for n, s in zip(self.shape, self.steps, strict=True))
        return (last + 1) * self.kind.itemsize

    def read(self) -> Any:
        """The elements, after the stream's work."""
        self.stream_.run_to(len(self.stream_.queue))
        return self.numpy_now().copy()

    def seen(self, shape: Any, steps: Any) -> Any:
        """A view of the same memory."""
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        made.shape, made.steps = tuple(shape), tuple(steps)
        return made


class Tensor(Array):
    """torch.Tensor on ``cuda:N``."""

    requires_grad = False
    layout = "torch.strided"
    is_nested = False

    @property
    def dtype(self) -> DType:
        return getattr(sys.modules["torch"], self.kind.name)  # type: ignore[no-any-return]

    @property
    def device(self) -> Any:
        return Place("cuda", self.index)

    def stride(self) -> tuple[int, ...]:
        return self.steps

    def data_ptr(self) -> int:
        return self.address

    def copy_(self, other: Tensor) -> Tensor:
        torch = sys.modules["torch"]
        to, what = self.numpy_now(), other.numpy_now()

        def write() -> None:
            to[...] = what

        torch.stream.enqueue(write)
        return self

    def detach(self) -> Tensor:
        return self

    def is_conj(self) -> bool:
        return False

    def is_neg(self) -> bool:
        return False

    def numpy(self) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


Tensor.__module__ = "torch"


class ByDLPack(Array):
    """What speaks DLPack."""

    @property
    def dtype(self) -> Any:
        return self.kind

    @property
    def strides(self) -> tuple[int, ...]:
        return tuple(s * self.kind.itemsize for s in self.steps)

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self.index

    def __dlpack__(self, stream: int | None = None) -> Any:
        if stream not in (None, -1):
            self.fake.Stream.from_handle(stream).wait(self.stream_)
        return self.fake.StridedMemoryView(
            ptr=self.address,
            shape=self.shape,
            strides=self.steps,
            dtype=self.kind,
            memory=self.memory,
        )


class Ndarray(ByDLPack):
    """cupy.ndarray."""


Ndarray.__module__ = "cupy._core"


class ArrayImpl(ByDLPack):
    """A JAX array on a GPU."""

    sharding = "a GPU"


ArrayImpl.__module__ = "jaxlib._jax"


def torch(patch: pytest.MonkeyPatch, fake: Any) -> Any:
    """The fake torch, in ``sys.modules``; ``torch.stream`` is its current stream."""
    module: Any = types.ModuleType("torch")
    for name in DTYPES:
        setattr(module, name, DType(name))
    import ml_dtypes

    kinds = {n: np.dtype(getattr(ml_dtypes, n, n)) for n in DTYPES}
    module.stream = fake.Device(0)
    fake.Device(0).set_current()
    module.stream = fake.Device(0).create_stream()
    module.Tensor, module.strided = Tensor, Tensor.layout
    module.is_grad_enabled = lambda: True

    def empty(shape: Any, dtype: DType, device: Any) -> Tensor:
        return Tensor(fake, shape, kinds[dtype.name], module.stream, device.index)

    def tensor(values: Any) -> Tensor:
        """On the current stream, as ``torch.tensor(...).cuda(non_blocking=True)``."""
        values = np.asarray(values)
        made = Tensor(fake, values.shape, values.dtype, module.stream)
        held = values.copy()

        def write() -> None:
            made_now[...] = held

        made_now = made.numpy_now()
        module.stream.enqueue(write)
        return made

    module.empty, module.tensor = empty, tensor
    module.cuda = types.SimpleNamespace(
        current_stream=lambda index: types.SimpleNamespace(
            cuda_stream=module.stream.handle
        )
    )
    patch.setitem(sys.modules, "torch", module)
    return module


def cupy(patch: pytest.MonkeyPatch, fake: Any, kind: type = Ndarray) -> Any:
    """The fake CuPy; with ``kind=ArrayImpl``, the arrays of a fake JAX."""
    module: Any = types.ModuleType("cupy")
    fake.Device(0).set_current()
    module.stream = fake.Device(0).create_stream()

    def array(values: Any) -> Any:
        values = np.asarray(values)
        made = kind(fake, values.shape, values.dtype, module.stream)
        held, now = values.copy(), made.numpy_now()

        def write() -> None:
            now[...] = held

        module.stream.enqueue(write)
        return made

    module.array = array
    module.empty = lambda shape, dtype: kind(fake, shape, dtype, module.stream)
    module.cuda = types.SimpleNamespace(
        get_current_stream=lambda: types.SimpleNamespace(ptr=module.stream.handle)
    )
    patch.setitem(sys.modules, "cupy", module)
    return module
