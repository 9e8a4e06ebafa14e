"""A fake of the part of ``cuda.core`` that opslib uses, with the simulator as its GPU.

It is as asynchronous as CUDA allows a device to be: work runs when somebody waits for
it and not before, in the order of its stream. What was allocated holds garbage, and
does again as soon as its memory is freed in the order of its stream; the host's memory
is read when a copy from it is called for, as the driver does with pageable memory. So a
wait that is missing shows as garbage in a result.

Machine code is the source text itself. `install` puts the fake in the place of the real
package; torch's and CuPy's own arrays are in `fake_libraries`.
"""

from __future__ import annotations

import ctypes
import re
import sys
import threading
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from opslib.backends.cuda import gpu, gpus, nvrtc, simulator
from opslib.backends.cuda.launch import Step, Value
from opslib.backends.cuda.targets import DEFAULT

GARBAGE = 0xAB
KERNEL = re.compile(r"__global__\s+void\s+(?:__launch_bounds__\([^)]*\)\s*)?(\w+)\s*\(")


class CUDAError(Exception):
    """As `cuda.core` raises them; the class has no public name there either."""

    __module__ = "cuda.core._utils.cuda_utils"


class World:
    """All state of the fake; a new one for each test."""

    def __init__(self, devices: int = 1) -> None:
        self.devices = devices
        self.streams: dict[int, Stream] = {}
        # Live device and pinned memory: address -> the bytes.
        self.memory: dict[int, Any] = {}
        self.freed: list[Any] = []
        self.next_handle = 1000
        self.launches: list[str] = []
        self.calls: list[str] = []
        # Name of a call -> what it raises, once.
        self.failures: dict[str, str] = {}
        self.shared: dict[str, int] = {}
        self.thread = threading.local()
        # Streams run in whoever waits: one at a time.
        self.one = threading.RLock()

    def called(self, name: str) -> None:
        """Notes a call; raises what was planted for it."""
        self.calls.append(name)
        said = self.failures.pop(name, None)
        if said is not None:
            raise CUDAError(said)

    def allocate(self, size: int) -> int:
        """Memory with garbage in it; 256 bytes aligned, as the driver's."""
        raw = np.full(size + 256, GARBAGE, np.uint8)
        address = -(-raw.ctypes.data // 256) * 256
        self.memory[address] = (raw, size)
        return address

    def release(self, address: int) -> None:
        """Fills memory with garbage. It stays mapped: a late access reads garbage."""
        raw, _ = self.memory.pop(address)
        raw[...] = GARBAGE
        self.freed.append(raw)


WORLD = World()


class Stream:
    """A queue that runs when it is waited for."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self.queue: list[Callable[[], None]] = []
        self.done = 0
        self.capture: list[Callable[[], None]] | None = None
        WORLD.streams[handle] = self

    @staticmethod
    def from_handle(handle: int) -> Stream:
        return WORLD.streams.get(int(handle)) or Stream(int(handle))

    @property
    def handle(self) -> int:
        return self._handle

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self._handle

    def enqueue(self, work: Callable[[], None]) -> None:
        if self.capture is not None:
            self.capture.append(work)
        else:
            self.queue.append(work)

    def run_to(self, mark: int) -> None:
        with WORLD.one:
            while self.done < mark:
                work = self.queue[self.done]
                self.done += 1
                work()

    def sync(self) -> None:
        WORLD.called("stream.sync")
        if self.capture is not None:
            raise CUDAError("CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED: sync in a capture")
        self.run_to(len(self.queue))

    def wait(self, other: Any) -> None:
        if isinstance(other, Event):
            stream, mark = other.stream, other.mark
        else:
            stream, mark = other, len(other.queue)
        if (self.capture is None) != (stream.capture is None):
            raise CUDAError("CUDA_ERROR_STREAM_CAPTURE_ISOLATION")
        self.enqueue(lambda: stream.run_to(mark))

    def record(self, event: Any = None, options: Any = None) -> Event:
        return Event(self, len(self.queue))


class Event:
    """A place in a stream."""

    def __init__(self, stream: Stream, mark: int) -> None:
        self.stream, self.mark = stream, mark

    @property
    def is_done(self) -> bool:
        return self.stream.done >= self.mark

    def sync(self) -> None:
        self.stream.run_to(self.mark)


class Buffer:
    """Memory; freed in the order of a stream."""

    def __init__(self, address: int, size: int, owner: Any, stream: Any) -> None:
        self.handle, self.size, self.owner = address, size, owner
        self.stream = stream

    @staticmethod
    def from_handle(address: int, size: int, owner: Any = None) -> Buffer:
        return Buffer(address, size, owner, None)

    def close(self, stream: Any = None) -> None:
        on, self.stream = stream or self.stream, None
        if on is not None:
            address, world = self.handle, WORLD
            on.enqueue(lambda: world.release(address))

    def __del__(self) -> None:
        self.close()

    def copy_from(self, source: Buffer, *, stream: Stream) -> None:
        source.copy_to(self, stream=stream)

    def copy_to(self, target: Buffer, *, stream: Stream) -> None:
        WORLD.called("copy")
        assert source_fits(self, target)
        # By address: what is enqueued keeps nothing alive.
        to, at, count = target.handle, self.handle, self.size
        if is_device(at):
            # The driver writes pageable memory before such a copy returns, and we only
            # when somebody waits: then it must still be there.
            held = None if is_device(to) else target.owner
            stream.enqueue(lambda: move(to, at, count, held))
            return
        if stream.capture is not None:
            raise CUDAError("CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED: pageable memory")
        read = ctypes.string_at(at, count)
        stream.enqueue(lambda: move(to, read, count))


def source_fits(source: Buffer, target: Buffer) -> bool:
    return source.size == target.size


def is_device(address: int) -> bool:
    return any(a <= address < a + n for a, (_, n) in WORLD.memory.items())


def move(target: int, source: int | bytes, count: int, held: Any = None) -> None:
    ctypes.memmove(target, source, count)


class Properties:
    multiprocessor_count = 4


class Device:
    """A GPU like the simulator's target."""

    def __init__(self, device_id: int | None = None) -> None:
        current = getattr(WORLD.thread, "current", None)
        self.device_id = (current or 0) if device_id is None else device_id
        if self.device_id >= WORLD.devices:
            raise CUDAError("CUDA_ERROR_INVALID_DEVICE")
        self.name = "a fake GPU"
        self.compute_capability = (9, 0)
        self.properties = Properties()

    @classmethod
    def get_all_devices(cls) -> tuple[Device, ...]:
        return tuple(cls(k) for k in range(WORLD.devices))

    def set_current(self) -> None:
        WORLD.thread.current = self.device_id

    def _check(self) -> None:
        # As the driver: what needs a context needs this device's.
        if getattr(WORLD.thread, "current", None) != self.device_id:
            raise CUDAError("CUDA_ERROR_INVALID_CONTEXT: another device is current")

    def create_stream(self, obj: Any = None, options: Any = None) -> Stream:
        self._check()
        WORLD.next_handle += 16
        return Stream(WORLD.next_handle)

    def allocate(self, size: int, *, stream: Stream) -> Buffer:
        WORLD.called("allocate")
        self._check()
        return Buffer(WORLD.allocate(size), size, None, stream)

    def sync(self) -> None:
        WORLD.called("device.sync")
        self._check()
        for stream in list(WORLD.streams.values()):
            stream.run_to(len(stream.queue))


class LegacyPinnedMemoryResource:
    """Memory of both; never freed here."""

    def allocate(self, size: int, *, stream: Any = None) -> Buffer:
        return Buffer(WORLD.allocate(size), size, None, None)


class ProgramOptions:
    def __init__(self, **given: Any) -> None:
        self.given = given


class Compiled:
    def __init__(self, code: bytes) -> None:
        self.code = code


class Program:
    """NVRTC: machine code is the text."""

    def __init__(self, code: str, code_type: str, options: ProgramOptions) -> None:
        assert code_type == "c++"
        self.code = code

    def compile(self, target_type: str, logs: Any = None) -> Compiled:
        assert target_type == "cubin"
        WORLD.called("compile")
        for name in KERNEL.findall(self.code):
            logs.write(
                f"ptxas info    : Compiling entry function '{name}' for 'sm_90a'\n"
            )
            logs.write("ptxas info    : Used 32 registers, used 1 barriers\n")
        return Compiled(self.code.encode())


class ObjectCode:
    """A loaded module: the text, compiled for the simulator."""

    def __init__(self, text: str) -> None:
        self.names = KERNEL.findall(text)
        named = [[types.SimpleNamespace(name=n) for n in self.names]]
        source = simulator.with_entries(text, named)
        self.library = simulator.build(source, "fake_module", DEFAULT)

    @staticmethod
    def from_cubin(module: bytes) -> ObjectCode:
        WORLD.called("load")
        return ObjectCode(module.decode())

    def get_kernel(self, name: str) -> Kernel:
        if name not in self.names:
            raise CUDAError("CUDA_ERROR_NOT_FOUND: named symbol not found")
        return Kernel(name, simulator.entries(self.library, [name])[0])


class Kernel:
    def __init__(self, name: str, entry: Any) -> None:
        self.handle = name
        self.entry = entry


class LaunchConfig:
    def __init__(self, grid: Any, block: Any, shmem_size: int = 0) -> None:
        assert min(*grid, *block) > 0
        self.grid, self.block, self.shmem_size = grid, block, shmem_size


def launch(stream: Stream, config: LaunchConfig, kernel: Kernel, *given: Any) -> None:
    WORLD.called("launch")
    if config.shmem_size > max(48 * 1024, WORLD.shared.get(kernel.handle, 0)):
        raise CUDAError("CUDA_ERROR_INVALID_VALUE: too much shared memory")
    WORLD.launches.append(kernel.handle)
    arguments = tuple(map(_value, given))
    step = Step(0, config.grid, config.block, config.shmem_size, arguments)
    stream.enqueue(lambda: _run(kernel, step))


def _value(given: Any) -> Value:
    """By the rules of `cuda.core`: an int is 64 bits, a float a double."""
    if isinstance(given, ctypes.c_float):
        return Value("float32", given.value)
    assert type(given) in (int, float), f"{type(given)} is passed as something else"
    return Value("int64" if type(given) is int else "float64", given)


def _run(kernel: Kernel, step: Step) -> None:
    library = simulator.engine(DEFAULT)
    simulator.announce(library, [(a, n, 3) for a, (_, n) in WORLD.memory.items()])
    try:
        found = simulator.call(kernel.entry, step, ())
    finally:
        simulator.forget(library)
    if found.count:
        raise CUDAError(f"CUDA_ERROR_ILLEGAL_ADDRESS: {found.report}")


class StridedMemoryView:
    """What `cuda.core.utils` makes of any library's array."""

    def __init__(self, **given: Any) -> None:
        self.__dict__.update(given)

    @classmethod
    def from_any_interface(cls, array: Any, stream_ptr: int) -> StridedMemoryView:
        if hasattr(array, "__dlpack__"):
            view: StridedMemoryView = array.__dlpack__(stream=stream_ptr)
            view.exporting_obj = array
            return view
        seen = array.__cuda_array_interface__
        if stream_ptr != -1 and seen.get("stream"):
            Stream.from_handle(stream_ptr).wait(Stream.from_handle(seen["stream"]))
        kind = np.dtype(seen["typestr"])
        strides = seen.get("strides")
        return cls(
            ptr=seen["data"][0],
            shape=seen["shape"],
            strides=strides and tuple(s // kind.itemsize for s in strides),
            dtype=kind,
            exporting_obj=array,
        )

    @classmethod
    def from_buffer(
        cls, buffer: Buffer, shape: Any, strides: Any, *, dtype: Any
    ) -> StridedMemoryView:
        return cls(
            ptr=buffer.handle, shape=shape, strides=strides, dtype=dtype, keep=buffer
        )

    def __dlpack__(self, **options: Any) -> StridedMemoryView:
        return self


class _Driver(types.ModuleType):
    class CUfunction_attribute:
        CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8

    @staticmethod
    def CUdevice(index: int) -> int:
        return index

    @staticmethod
    def cuKernelSetAttribute(
        attribute: int, value: int, kernel: str, device: int
    ) -> tuple[int]:
        assert attribute == 8
        if value > DEFAULT.shared_per_block:
            return (1,)
        WORLD.shared[kernel] = value
        return (0,)


@contextmanager
def captured(stream: Stream) -> Iterator[list[Callable[[], None]]]:
    """A CUDA graph of what is enqueued in the block; each entry runs one node."""
    stream.capture = []
    try:
        yield stream.capture
    finally:
        stream.capture = None


def install(patch: pytest.MonkeyPatch, devices: int = 1) -> World:
    """Puts the fake in the place of ``cuda.core`` and of what of ``cuda.bindings``."""
    global WORLD
    WORLD = World(devices)
    module: Any = types.ModuleType("cuda.core")
    for name in (
        "Buffer",
        "Device",
        "LaunchConfig",
        "LegacyPinnedMemoryResource",
        "ObjectCode",
        "Program",
        "ProgramOptions",
        "Stream",
        "launch",
    ):
        setattr(module, name, globals()[name])
    module.LEGACY_DEFAULT_STREAM = Stream(1)
    module.PER_THREAD_DEFAULT_STREAM = Stream(2)
    module.utils = types.SimpleNamespace(StridedMemoryView=StridedMemoryView)
    compiler: Any = types.ModuleType("cuda.bindings.nvrtc")
    compiler.nvrtcVersion = lambda: (0, 0, 0)
    patch.setitem(sys.modules, "cuda.core", module)
    patch.setitem(sys.modules, "cuda.bindings.nvrtc", compiler)
    patch.setitem(sys.modules, "cuda.bindings.driver", _Driver("cuda.bindings.driver"))
    forget()
    return WORLD


def forget() -> None:
    """Drops all that was found out of the GPUs there are."""
    from opslib.dispatch import caches, call

    for cached in (gpus._found, gpus._why_no_compiler, gpus.place, gpu._gpu):
        cached.cache_clear()
    nvrtc.version.cache_clear()
    call._plans.clear()
    caches.kernels.clear()
