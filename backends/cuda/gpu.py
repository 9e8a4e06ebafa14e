"""One GPU: its stream, its memory, what was launched on it, and what went wrong there.

Everything is enqueued; nothing here waits but `Gpu.download` and `Gpu.synchronize`. So
a launch may be captured into a CUDA graph.
"""

from __future__ import annotations

import ctypes
import math
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from opslib.errors import DeviceFailure, KernelError
from opslib.ir.expr import Program
from opslib.runtime.failures import failed_check

from .memory import DeviceArray, row_major
from .packages import bindings, core
from .targets import GpuTarget, target_of

# What kernels leave for the host when a check fails: code, check, value, extent.
_NOTE_WORDS = 4
# Kernels that can fail, on one device: a page of notes has so many slots.
_SLOTS = 1024
# Values of Python numbers that are kept, some 512 bytes each. None is ever dropped, for
# a captured graph may read it.
_CONSTANTS = 4096
# Launches that are remembered, for the message of an error that comes later.
_REMEMBERED = 8


@dataclass(frozen=True, slots=True)
class Launched:
    """What an asynchronous error may be about."""

    program: Program
    shapes: tuple[tuple[int, ...], ...]

    def __str__(self) -> str:
        shapes = ", ".join(map(str, self.shapes))
        return f"{self.program.name} on arrays of {shapes}"


class Gpu:
    """A device. Thread-safe.

    Attributes:
        index: the driver's number.
        device: of `cuda.core`.
        target: its row of the table; None for a chip older than all of them.
        multiprocessors: how many it has.
        stream: opslib's own, for callers that have none.
    """

    def __init__(self, index: int) -> None:
        self.index = index
        self._core = core()
        self.device = self._core.Device(index)
        self._threads = threading.local()
        self._lock = threading.Lock()
        with self.current():
            capability = self.device.compute_capability
            self.target: GpuTarget | None = target_of(*capability)
            self.multiprocessors = int(self.device.properties.multiprocessor_count)
            self.stream = self.device.create_stream()
        self._streams: dict[int, Any] = {int(self.stream.handle): self.stream}
        self._recent: deque[Launched] = deque(maxlen=_REMEMBERED)
        self._pages: list[tuple[Any, np.ndarray[Any, Any]]] = []
        self._slots = 0
        # Slots of kernels that were launched since they were last looked at.
        self._watched: dict[int, Launched] = {}
        # Events after launches, and what must live until they have come.
        self._held: deque[tuple[Any, Any]] = deque()
        self._constants: dict[tuple[str, bytes], DeviceArray] = {}

    @contextmanager
    def current(self) -> Iterator[None]:
        """Where this device is the thread's current one; the caller's comes back."""
        known = getattr(self._threads, "known", False)
        before = self._core.Device() if known else None
        if before is not None and before.device_id == self.index:
            yield
            return
        if before is None:
            # A thread that has no context yet says device 0, which then harms nobody.
            before = self._core.Device()
            self._threads.known = True
        # `Device` objects belong to a thread.
        self._core.Device(self.index).set_current()
        try:
            yield
        finally:
            if before.device_id != self.index:
                before.set_current()

    def is_current(self) -> bool:
        """Whether this device is known to be the thread's current one."""
        if not getattr(self._threads, "known", False):
            return False
        return bool(self._core.Device().device_id == self.index)

    # --- Streams -------------------------------------------------------------------

    def stream_of(self, handle: int) -> Any:
        """The stream with an address, as another library names it."""
        # 0 and 1 are the default one, 2 the one of the calling thread (DLPack).
        if handle in (0, 1):
            return self._core.LEGACY_DEFAULT_STREAM
        if handle == 2:
            return self._core.PER_THREAD_DEFAULT_STREAM
        found = self._streams.get(handle)
        if found is None:
            found = self._core.Stream.from_handle(handle)
            with self._lock:
                if len(self._streams) > 256:  # Somebody makes streams in a loop.
                    self._streams = {int(self.stream.handle): self.stream}
                self._streams[handle] = found
        return found

    # --- Memory --------------------------------------------------------------------

    def empty(
        self, shape: tuple[int, ...], dtype: Any, stream: Any = None
    ) -> DeviceArray:
        """Memory from the device's pool, in order with a stream; it goes back there."""
        on = self.stream if stream is None else stream
        with self.current(), self.explained():
            return self.empty_here(tuple(shape), np.dtype(dtype), on)

    def empty_here(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], stream: Any
    ) -> DeviceArray:
        """As `empty`, where the device is current; errors are `cuda.core`'s."""
        bytes_ = math.prod(shape) * dtype.itemsize
        buffer = None
        if bytes_:
            buffer = self._core.Device(self.index).allocate(bytes_, stream=stream)
        address = 0 if buffer is None else int(buffer.handle)
        return DeviceArray(
            address, shape, row_major(shape), dtype, self, stream, buffer
        )

    def device_here(self) -> Any:
        """The device's object for the calling thread, in its context."""
        return self._core.Device(self.index)

    def upload(self, array: Any, stream: Any = None) -> DeviceArray:
        """A host array's elements, in row-major order.

        The host's memory may change after the call: the driver has read pageable memory
        by then (CUDA driver API, "API synchronization behavior").
        """
        host = np.ascontiguousarray(array).reshape(np.shape(array))
        made = self.empty(host.shape, host.dtype, stream)
        if host.nbytes:
            with self.current(), self.explained():
                source = self._core.Buffer.from_handle(
                    host.ctypes.data, host.nbytes, owner=host
                )
                made.keep.copy_from(source, stream=made.stream)
        return made

    def constant(self, array: Any) -> DeviceArray:
        """A host array of one element, uploaded once for each value and type.

        Such are the Python numbers beside arrays. A copy from the host could not be
        captured into a graph; what lies there already can be read by one.
        """
        key = (array.dtype.name, array.tobytes())
        found = self._constants.get(key)
        if found is None:
            if len(self._constants) >= _CONSTANTS:
                return self.upload(array)
            found = self._constants[key] = self.resident(array)
        return found

    def resident(self, array: Any) -> DeviceArray:
        """A host array that is there when the call returns, for any stream."""
        made = self.upload(array)
        with self.current(), self.explained():
            made.stream.sync()
        made.stream = None
        return made

    def download(self, array: DeviceArray) -> np.ndarray[Any, Any]:
        """The elements on the host; waits for the work before."""
        # A view is fetched as the memory that it lies in, gaps and all.
        last = [(n - 1) * s for n, s in zip(array.shape, array.strides, strict=True)]
        low = sum(k for k in last if k < 0)
        count = sum(k for k in last if k > 0) - low + 1 if array.size else 0
        host = np.empty(count, array.dtype)
        if count:
            first = array.address + low * array.itemsize
            stream = array.stream or self.stream
            with self.current(), self.explained():
                source = self._core.Buffer.from_handle(first, host.nbytes, owner=array)
                target = self._core.Buffer.from_handle(
                    host.ctypes.data, host.nbytes, owner=host
                )
                source.copy_to(target, stream=stream)
                stream.sync()
        self.raise_failed()
        if array.is_contiguous:
            return host.reshape(array.shape)
        steps = tuple(s * array.itemsize for s in array.strides)
        seen = np.lib.stride_tricks.as_strided(host[-low:], array.shape, steps)
        return seen.copy()

    # --- Kernels -------------------------------------------------------------------

    def load(self, cubin: bytes, names: tuple[str, ...]) -> tuple[Any, ...]:
        """Functions of machine code, by name."""
        with self.current(), self.explained():
            module = self._core.ObjectCode.from_cubin(cubin)
            return tuple(module.get_kernel(name) for name in names)

    def allow_shared(self, function: Any, bytes_: int) -> None:
        """Lets a function ask for more dynamic shared memory than blocks have.

        `cuda.core` only reads this attribute.
        """
        driver = bindings("driver")
        attribute = driver.CUfunction_attribute
        (code,) = driver.cuKernelSetAttribute(
            attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
            bytes_,
            function.handle,
            driver.CUdevice(self.index),
        )
        if int(code):
            raise DeviceFailure(
                f"cuKernelSetAttribute refuses {bytes_} bytes of shared memory: {code}",
                code="E0821",
                help="this is a bug of opslib's target table; report the GPU's name",
            )

    @property
    def launch(self) -> Any:
        """The function `cuda.core.launch`."""
        return self._core.launch

    def launched(self, what: Launched, slot: int | None) -> None:
        """Remembers a launch for the errors that it may still cause."""
        self._recent.append(what)
        if slot is not None:
            self._watched[slot] = what

    def hold(self, stream: Any, objects: list[Any]) -> None:
        """Keeps objects until what is enqueued on a stream by now is done."""
        while self._held and self._held[0][0].is_done:
            self._held.popleft()
        self._held.append((stream.record(), objects))

    # --- Errors --------------------------------------------------------------------

    def new_slot(self) -> tuple[int, DeviceArray]:
        """A place for a kernel's notes: its number, and the status it begins with.

        Notes lie in pinned memory, so that the host reads them without asking the
        device, while a kernel runs or a graph is captured. The status itself is each
        launch's own, a copy of the one given here: zeros, and the note's address.
        """
        with self._lock:
            slot = self._slots
            self._slots += 1
            if slot // _SLOTS == len(self._pages):
                self._pages.append(self._page())
            _, words = self._pages[slot // _SLOTS]
            note = int(words[slot % _SLOTS].ctypes.data)
        return slot, self.resident(np.array([0, 0, 0, 0, note], np.int64))

    def _page(self) -> tuple[Any, np.ndarray[Any, Any]]:
        count = _SLOTS * _NOTE_WORDS
        with self.current():
            memory = self._core.LegacyPinnedMemoryResource()
            buffer = memory.allocate(8 * count)
        raw = (ctypes.c_int64 * count).from_address(int(buffer.handle))
        words = np.ctypeslib.as_array(raw).reshape(_SLOTS, _NOTE_WORDS)
        words[...] = 0
        return buffer, words

    @property
    def is_watched(self) -> bool:
        """Whether there may be a failed check to raise."""
        return bool(self._watched)

    def raise_failed(self) -> None:
        """Raises the first failed check that kernels have reported so far."""
        if not self._watched:
            return
        for slot, what in list(self._watched.items()):
            words = self._pages[slot // _SLOTS][1][slot % _SLOTS]
            if words[0] == 1:
                _, number, value, extent = (int(w) for w in words)
                words[...] = 0
                self._watched.pop(slot, None)
                error = failed_check(what.program, number, value, extent)
                error.message += f", in a launch of {what}"
                raise error

    def synchronize(self) -> None:
        """Waits for the device, and raises what launches before it ran into."""
        with self.current(), self.explained():
            self.device_here().sync()
        try:
            self.raise_failed()
        finally:
            self._watched.clear()
            self._held.clear()

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Errors of NVIDIA's in the block become opslib's, and name the launches."""
        try:
            yield
        except Exception as error:
            if not is_nvidias(error):
                raise
            raise self.error_of(error) from error

    def error_of(self, error: Exception) -> KernelError:
        """What an error of `cuda.core` means, with the latest launches."""
        return cuda_error(str(error), [str(w) for w in self._recent])


def is_nvidias(error: Exception) -> bool:
    """Whether an error is of the driver or a library, as NVIDIA's packages raise it.

    The CUDAError of `cuda.core` has no public name.
    """
    return type(error).__module__.partition(".")[0] in ("cuda", "nvmath")


def cuda_error(said: str, launched: list[str]) -> KernelError:
    """What the driver's message means, for people.

    Args:
        said: as `cuda.core` words it: the code's name, then its description.
        launched: what may have caused it, the latest last.
    """
    where = f" while running {' or '.join(dict.fromkeys(launched))}" if launched else ""
    message = f"CUDA: {said.strip()}{where}"
    if "OUT_OF_MEMORY" in said:
        return DeviceFailure(
            message, code="E0821", help="free memory on the GPU, or use smaller arrays"
        )
    if any(name in said for name in _KERNELS_FAULT):
        return KernelError(
            message,
            code="E0822",
            help="the process must start anew: CUDA answers every later call with this "
            "error. Report the operator and the shapes; "
            "`compute-sanitizer python ...` names the line",
        )
    return DeviceFailure(
        message, code="E0821", help="`nvidia-smi` shows the device's state"
    )


# CUresult names after which the context is lost, and which a kernel's text causes.
_KERNELS_FAULT = (
    "ILLEGAL_ADDRESS",
    "MISALIGNED_ADDRESS",
    "LAUNCH_FAILED",
    "ILLEGAL_INSTRUCTION",
    "INVALID_ADDRESS_SPACE",
    "HARDWARE_STACK_ERROR",
    "INVALID_PC",
    "ASSERT",
    "LAUNCH_TIMEOUT",
)


_making = threading.Lock()


def gpu(index: int) -> Gpu:
    """The device, set up on first use."""
    with _making:
        return _gpu(index)


@cache
def _gpu(index: int) -> Gpu:
    return Gpu(index)
