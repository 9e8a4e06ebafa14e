"""``cuda:0`` ...: kernels compiled by NVRTC, launched through `cuda.core`."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from opslib.errors import BackendUnavailable, KernelError
from opslib.ir.expr import Program
from opslib.runtime.protocol import Device

from . import nvrtc
from .gpu import Gpu, Launched, gpu
from .launch import Step, Steps, Value, Variant
from .memory import DeviceArray, imported
from .packages import NotInstalled, core
from .simulator import alignment_bits
from .targets import GpuTarget, target_of

# How many kernels NVRTC compiles at a time where many are wanted: it is thread-safe and
# lets other Python threads run.
_COMPILERS = 8


class GpuPlace:
    """See `launch.Place`; one GPU."""

    def __init__(self, here: Gpu) -> None:
        self.gpu = here
        target = here.target
        if target is None:
            raise BackendUnavailable(
                f"cuda:{here.index} is older than all of opslib's targets", code="E0802"
            )
        self.target: GpuTarget = target
        self.multiprocessors = here.multiprocessors

    def strides(self, array: Any) -> tuple[int, ...]:
        """Of a `DeviceArray`."""
        found: tuple[int, ...] = array.strides
        return found

    def alignment(self, array: Any) -> int:
        """Of a `DeviceArray`'s address."""
        return alignment_bits(array.address)

    def compile(self, variants: Sequence[Variant]) -> None:
        """Compiles and loads each; NVRTC takes one text for one kernel."""
        with ThreadPoolExecutor(min(_COMPILERS, len(variants))) as pool:
            list(pool.map(self._one, variants))

    def _one(self, variant: Variant) -> None:
        made = variant.made
        code = nvrtc.compile_text(variant.source, made.name, self.target)
        names = tuple(launch.name for launch in made.launches)
        functions = self.gpu.load(code.cubin, names)
        if made.can_fail:
            variant.state = self.gpu.new_slot()
        variant.functions = [Function(f) for f in functions]

    def run(
        self,
        program: Program,
        variant: Variant,
        steps: Steps,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
    ) -> None:
        """Enqueues the launches on the callers' stream; waits for nothing."""
        here = self.gpu
        here.raise_failed()
        arrays: list[DeviceArray] = [*inputs, *outputs]
        stream, others = meeting(here, arrays)
        what = Launched(program, tuple(a.shape for a in arrays))
        with here.current(), here.explained():
            for other in others:
                stream.wait(other)
            work, places, slot = workspaces(here, variant, steps, stream)
            pointers = [*(a.address for a in arrays), *places]
            here.launched(what, slot)
            assert variant.functions is not None
            for step in steps.launches:
                launch(here, stream, variant.functions[step.function], step, pointers)
            for w in work:
                w.close(stream)  # Back to the pool, in order with the launches.
            for other in others:
                # What was made there may be freed there, and used by others.
                other.wait(stream)
            borrowed = [a for a in arrays if a.borrowed]
            if borrowed:
                here.hold(stream, borrowed)


def workspaces(
    here: Gpu, variant: Variant, steps: Steps, stream: Any
) -> tuple[list[Any], list[int], int | None]:
    """Memory of a call besides its arrays, on the current device.

    Returns:
        The buffers, which are to be closed on the stream; addresses, in the order of
        the call's pointers; the slot of the kernel's notes, where it can fail.
    """
    slot, fresh = variant.state or (None, None)
    device = here.device_here()
    bytes_, places = steps.room
    buffers: list[Any] = []
    if bytes_:
        buffers.append(device.allocate(bytes_, stream=stream))
        base = int(buffers[0].handle)
        places = [base + offset for offset in places]
    if fresh is not None:
        status = device.allocate(fresh.nbytes, stream=stream)
        status.copy_from(fresh.keep, stream=stream)
        buffers.append(status)
        places = [*places, int(status.handle)]
    return buffers, list(places), slot


class Function:
    """A loaded kernel, and the launch configurations that it was given.

    Attributes:
        handle: of `cuda.core`.
        shared: bytes of dynamic shared memory that it may ask for.
    """

    __slots__ = ("configurations", "handle", "shared")

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        self.shared = 0
        self.configurations: dict[Any, Any] = {}


# Above this a kernel has to be allowed its dynamic shared memory (CUDA programming
# guide, "Shared Memory" of compute capability 7.x and later).
_PLAIN_SHARED = 48 * 1024


def launch(
    here: Gpu, stream: Any, function: Function, step: Step, pointers: Sequence[int]
) -> None:
    """Enqueues one launch."""
    config = configuration(here, function, step)
    arguments = [
        argument_of(a) if isinstance(a, Value) else pointers[a] for a in step.arguments
    ]
    core().launch(stream, config, function.handle, *arguments)


def configuration(here: Gpu, function: Function, step: Step) -> Any:
    """How a function is launched, for `cuda.core`."""
    key = (step.grid, step.block, step.shared)
    config = function.configurations.get(key)
    if config is None:
        if step.shared > max(_PLAIN_SHARED, function.shared):
            here.allow_shared(function.handle, step.shared)
            function.shared = step.shared
        config = core().LaunchConfig(
            grid=step.grid, block=step.block, shmem_size=step.shared
        )
        if len(function.configurations) > 1024:
            function.configurations.clear()
        function.configurations[key] = config
    return config


def argument_of(value: Value) -> Any:
    """A number as `cuda.core` passes it: an int as 64 bits, a float as a double."""
    return ctypes.c_float(value.value) if value.kind == "float32" else value.value


def meeting(here: Gpu, arrays: Sequence[DeviceArray]) -> tuple[Any, list[Any]]:
    """The stream of a launch, and those that it has to wait for, and they for it.

    It is the first array's that is another library's, else opslib's own.
    """
    own = here.stream
    streams = {id(a.stream): a.stream for a in arrays if a.stream is not None}
    stream = next((s for s in streams.values() if s is not own), own)
    return stream, [s for s in streams.values() if s is not stream]


@cache
def place(index: int) -> GpuPlace:
    """The place of a device."""
    return GpuPlace(gpu(index))


# --- Devices -------------------------------------------------------------------------


def devices() -> tuple[Device, ...]:
    """Every GPU that the driver shows; one that says what is missing, if none can be.

    Opens no context on any.
    """
    try:
        found = _found()
        why_not = _why_no_compiler()
    except NotInstalled as missing:
        return (_missing(str(missing)),)
    if not found:
        return (_missing("the driver shows no GPU; check `nvidia-smi`"),)
    return tuple(_described(k, *each, why_not) for k, each in enumerate(found))


@cache
def _found() -> tuple[tuple[str, tuple[int, int], int], ...]:
    """Name, compute capability and multiprocessors of each GPU."""
    module = core()
    try:
        return tuple(
            (
                str(d.name),
                (int(d.compute_capability[0]), int(d.compute_capability[1])),
                int(d.properties.multiprocessor_count),
            )
            for d in module.Device.get_all_devices()
        )
    except Exception as error:
        # No driver, or one that does not start: `cuda.core` raises what it likes.
        text = str(error).strip() or type(error).__name__
        first = text.splitlines()[0].rstrip(".")
        raise NotInstalled(
            f"NVIDIA's driver does not start: {first}; install it, or hand the GPU "
            "into the container (--gpus all)"
        ) from error


@cache
def _why_no_compiler() -> str | None:
    try:
        nvrtc.version()
    except NotInstalled as missing:
        return str(missing)
    return None


def _described(
    index: int,
    name: str,
    capability: tuple[int, int],
    multiprocessors: int,
    why_not: str | None,
) -> Device:
    target = target_of(*capability)
    if target is None:
        why_not = f"compute capability {capability[0]}.{capability[1]} is not supported"
    return Device(
        name=f"cuda:{index}",
        backend="cuda",
        description=f"{name}, {multiprocessors} multiprocessors, compute capability "
        f"{capability[0]}.{capability[1]}",
        why_not=why_not,
        family="" if target is None else target.name,
        host_memory=False,
    )


def _missing(why_not: str) -> Device:
    return Device(
        name="cuda:0",
        backend="cuda",
        description="NVIDIA GPU through cuda-core",
        why_not=why_not,
        family="cuda",
        host_memory=False,
    )


def imported_here(array: Any, index: int) -> DeviceArray:
    """An array of any library that lives on this GPU."""
    found = imported(array, gpu(index))
    if found.gpu.index != index:
        raise KernelError(
            f"an array of cuda:{found.gpu.index} was given to cuda:{index}",
            code="E0730",
            help="move it first",
        )
    return found
