"""Devices, memory and the stream of ACL: arrays that live on an Ascend chip."""

from __future__ import annotations

import math
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from opslib.errors import DeviceError, OpslibError
from opslib.ir.dtypes import DTYPES

from .library import Acl, acl

# aclrtMemMallocPolicy and aclrtMemcpyKind of the runtime API reference.
HUGE_FIRST = 0
HOST_TO_DEVICE, DEVICE_TO_HOST, DEVICE_TO_DEVICE = 1, 2, 3
# aclrtDevAttr.
CUBE_CORES, VECTOR_CORES = 101, 201
# Arrays that launches may keep alive before the host waits for them.
_HELD_ARRAYS = 4096
# Pinned memory for the arguments of launches between two waits: some 2000 launches.
_STAGE_BYTES = 1 << 20
# Of each part of a staged block: what DMA and the scalar unit's cache work in.
_STAGE_ALIGN = 64


@dataclass(frozen=True, slots=True)
class Chip:
    """One device.

    Attributes:
        index: what aclrtSetDevice takes.
        soc: e.g. ``Ascend910B1``.
        arch: row of the target table, e.g. ``2201``; None for an unknown chip.
        cube_cores, vector_cores: blocks that run at once.
    """

    index: int
    soc: str
    arch: str | None
    cube_cores: int
    vector_cores: int


# The longest prefix that fits decides; names as aclrtGetSocName returns them.
_ARCHITECTURES = {
    "Ascend910B": "2201",
    "Ascend910_93": "2201",
    "Ascend950": "3510",
    "Ascend310P": "2002",
}


def architecture(soc: str) -> str | None:
    """The target table's row for a chip's name; None for a chip it lacks."""
    found = [p for p in _ARCHITECTURES if soc.startswith(p)]
    return _ARCHITECTURES[max(found, key=len)] if found else None


def chips() -> tuple[Chip, ...]:
    """Every device that ACL shows.

    Raises:
        NotInstalled, BackendUnavailable: see `library.acl`.
    """
    opened = acl()
    count = opened.ffi.new("uint32_t *")
    opened.call("aclrtGetDeviceCount", count)
    soc = opened.functions.aclrtGetSocName()
    # The documentation lets it return null for a failure.
    name = "" if soc == opened.ffi.NULL else opened.ffi.string(soc).decode()
    return tuple(
        Chip(
            k,
            name,
            architecture(name),
            _information(opened, k, CUBE_CORES),
            _information(opened, k, VECTOR_CORES),
        )
        for k in range(count[0])
    )


def _information(opened: Acl, index: int, attribute: int) -> int:
    value = opened.ffi.new("int64_t *")
    opened.call("aclrtGetDeviceInfo", index, attribute, value)
    return int(value[0])


@dataclass(slots=True, eq=False, weakref_slot=True)
class DeviceArray:
    """Contiguous memory on a chip; freed with the last reference to it.

    Attributes:
        address: on the device; the host must not read it.
        shape, dtype: elements, row-major.
        device: the chip's index.
        keep: what must live as long (another library's tensor).
    """

    address: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    device: int
    keep: Any = None

    @property
    def nbytes(self) -> int:
        """Bytes of the elements."""
        return math.prod(self.shape) * self.dtype.itemsize

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
    def strides(self) -> tuple[int, ...]:
        """Bytes from one element to the next along each axis."""
        return tuple(
            self.itemsize * math.prod(self.shape[k + 1 :]) for k in range(self.ndim)
        )


class Context:
    """A device's stream, and the memory on it. Thread-safe.

    ACL binds the device to the calling thread, so every entry point sets it first.
    """

    def __init__(self, index: int) -> None:
        self.index = index
        self.acl = acl()
        self._lock = threading.Lock()
        self.activate()
        made = self.acl.ffi.new("aclrtStream *")
        self.acl.call("aclrtCreateStream", made)
        self._stream = made[0]
        # Since the last synchronisation: arrays in use, what was launched, on which
        # streams, and what is to be looked at.
        self._held: list[Any] = []
        self._names: list[str] = []
        self._streams: dict[int, Any] = {}
        self._checks: list[tuple[DeviceArray, Check]] = []
        stage = self.acl.ffi.new("void **")
        self.acl.call("aclrtMallocHost", stage, _STAGE_BYTES)
        self._stage = self.acl.ffi.cast("char *", stage[0])
        self._staged = 0

    def activate(self) -> None:
        """Binds the device to the calling thread."""
        self.acl.call("aclrtSetDevice", self.index)

    @property
    def stream(self) -> Any:
        """The stream that launches and copies go to: torch_npu's where it is used."""
        given = _torch_stream(self.index)
        if given is None:
            return self._stream
        return self.acl.ffi.cast("aclrtStream", given)

    def empty(self, shape: tuple[int, ...], dtype: Any) -> DeviceArray:
        """Allocates. The documentation asks for at least one byte."""
        self.activate()
        made = DeviceArray(0, tuple(shape), np.dtype(dtype), self.index)
        pointer = self.acl.ffi.new("void **")
        # Copies want 32 bytes past the end: the documentation of aclrtMalloc rounds
        # to 32 and adds 32 itself, so the array's own size is enough.
        self.acl.call("aclrtMalloc", pointer, max(1, made.nbytes), HUGE_FIRST)
        made.address = int(self.acl.ffi.cast("uintptr_t", pointer[0]))
        weakref.finalize(made, _free, self.acl, self.index, made.address)
        return made

    def upload(self, array: Any) -> DeviceArray:
        """A host array, copied; the host's memory may change after the call."""
        host = np.ascontiguousarray(array).reshape(np.shape(array))
        made = self.empty(host.shape, host.dtype)
        if host.nbytes:
            # Of unpinned memory the call returns when the copy is done.
            source = self.acl.ffi.from_buffer(host.reshape(-1).view(np.uint8))
            self._copy(made.address, source, host.nbytes, HOST_TO_DEVICE)
        return made

    def download(self, array: DeviceArray) -> np.ndarray[Any, Any]:
        """The elements on the host; waits for the work before it."""
        self.synchronize()
        return self._read(array)

    def _read(self, array: DeviceArray) -> np.ndarray[Any, Any]:
        host = np.empty(array.shape, array.dtype)
        if array.nbytes:
            target = self.acl.ffi.from_buffer(
                host.reshape(-1).view(np.uint8), require_writable=True
            )
            self.activate()
            source = self.acl.ffi.cast("void *", array.address)
            self.acl.call(
                "aclrtMemcpy",
                target,
                host.nbytes,
                source,
                array.nbytes,
                DEVICE_TO_HOST,
            )
        return host

    def copied(self, array: DeviceArray) -> DeviceArray:
        """The same elements in memory of their own, on the stream."""
        made = self.empty(array.shape, array.dtype)
        source = self.acl.ffi.cast("void *", array.address)
        if array.nbytes:
            self._copy(made.address, source, array.nbytes, DEVICE_TO_DEVICE)
        self.hold([array])
        return made

    def stage(self, parts: Sequence[np.ndarray[Any, Any]]) -> list[DeviceArray]:
        """Small host arrays on the device, in one copy that the host does not wait for.

        Copies from memory that is not pinned make the host wait for the stream.
        """
        places, total = [], 0
        for part in parts:
            places.append(total)
            total += -(-max(1, part.nbytes) // _STAGE_ALIGN) * _STAGE_ALIGN
        block = self.empty((total,), np.uint8)
        packed = bytearray(total)
        for part, at in zip(parts, places, strict=True):
            packed[at : at + part.nbytes] = part.tobytes()
        ffi = self.acl.ffi
        with self._lock:
            room = self._staged + total <= _STAGE_BYTES
            if room:
                source = self._stage + self._staged
                self._staged += total
                ffi.memmove(source, packed, total)
                # Under the lock: nobody may take the place before the copy is queued.
                self._copy(block.address, source, total, HOST_TO_DEVICE)
        if not room:
            self._copy(block.address, ffi.from_buffer(packed), total, HOST_TO_DEVICE)
        return [
            DeviceArray(block.address + at, p.shape, p.dtype, self.index, block)
            for p, at in zip(parts, places, strict=True)
        ]

    def hold(self, arrays: Sequence[Any]) -> None:
        """Keeps arrays alive until what was enqueued is done."""
        with self._lock:
            self._held.extend(arrays)
            crowded = len(self._held) > _HELD_ARRAYS
        if crowded:
            self.synchronize()

    def check(self, status: DeviceArray, judge: Check) -> None:
        """Has `judge` look at an array of the device at the next synchronisation."""
        with self._lock:
            self._checks.append((status, judge))

    def launched(self, where: str) -> None:
        """Remembers a launch, for the message of a deferred error."""
        stream = self.stream
        with self._lock:
            self._names.append(where)
            self._streams[int(self.acl.ffi.cast("uintptr_t", stream))] = stream

    def synchronize(self) -> None:
        """Waits; raises what a launch before it ran into: the first of its errors."""
        self.activate()
        with self._lock:
            names, self._names = self._names, []
            held, self._held = self._held, []
            streams, self._streams = self._streams, {}
            checks, self._checks = self._checks, []
            staged = self._staged
        stream = self.stream
        streams[int(self.acl.ffi.cast("uintptr_t", stream))] = stream
        where = " or ".join(dict.fromkeys(names[-3:]))
        try:
            for each in streams.values():
                self.acl.call("aclrtSynchronizeStream", each, where=where)
        except BaseException:
            # The chip may still be at work on them.
            with self._lock:
                self._held += held
            raise
        with self._lock:
            if self._staged == staged:
                self._staged = 0
        found = (judge(self._read(status)) for status, judge in checks)
        failed = next((error for error in found if error is not None), None)
        if failed is not None:
            raise failed

    def _copy(self, target: int, source: Any, count: int, kind: int) -> None:
        self.activate()
        pointer = self.acl.ffi.cast("void *", target)
        self.acl.call(
            "aclrtMemcpyAsync", pointer, count, source, count, kind, self.stream
        )


# Looks at an array of the device; gives the error that it tells of.
Check = Callable[[np.ndarray[Any, Any]], OpslibError | None]


def _free(opened: Acl, index: int, address: int) -> None:
    # Never raises: a finalizer at the interpreter's end may find ACL finished.
    if opened.functions.aclrtSetDevice(index) == 0:
        opened.functions.aclrtFree(opened.ffi.cast("void *", address))


_contexts = threading.Lock()


def context(index: int) -> Context:
    """The context of a device, made on first use."""
    with _contexts:
        return _context(index)


@cache
def _context(index: int) -> Context:
    return Context(index)


# ---- torch_npu ----------------------------------------------------------------------


def _torch_stream(index: int) -> int | None:
    """The current stream of torch_npu; None where it is not loaded."""
    module = sys.modules.get("torch_npu")
    if module is None:
        return None
    return int(module.npu.current_stream(index).npu_stream)


def of_torch(tensor: Any) -> DeviceArray:
    """A tensor of torch_npu without a copy (a contiguous one; else contiguous first).

    Raises:
        DeviceError: a tensor that is not on an NPU.
    """
    if tensor.device.type != "npu":
        raise DeviceError(
            f"the tensor is on {tensor.device}, not on an NPU",
            code="E0814",
            help='move it first: tensor.to("npu")',
        )
    held = tensor.contiguous()
    name = str(held.dtype).removeprefix("torch.")
    return DeviceArray(
        int(held.data_ptr()),
        tuple(held.shape),
        np.dtype(DTYPES[name].numpy),
        int(held.device.index),
        held,
    )
