"""Prepared calls for arrays on a GPU: what the next call like the last one needs.

A record is found by the dtypes, shapes, strides and devices of a call's arrays; what is
left are addresses, the current stream, memory for the results, and the launches. What
no record knows (other libraries, gradients, another current device) gives None, and the
slow path takes the call.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter, itemgetter, methodcaller
from typing import Any, Protocol

import numpy as np

from opslib.ir.binding import Binding
from opslib.ir.dtypes import DType
from opslib.ir.expr import Program

from .cublaslt import BlasKernel
from .gpu import Gpu, Launched, is_nvidias
from .gpus import argument_of, configuration, imported_here, workspaces
from .launch import CudaKernel, Steps, Value, Variant
from .memory import (
    DTYPES_BY_NUMPY,
    DeviceArray,
    device_index,
    library_of,
    row_major,
    viewed,
)
from .simulator import alignment_bits

# Records of one operator with the same attributes, and alignments of one record.
_RECORDS = 256
_FORMS = 16
# Values of a Python number whose address is remembered.
_NUMBERS = 64
_NUMBER = frozenset({bool, int, float})

Arrays = tuple[Any, ...]
# Enqueues a call: the stream, and addresses of the inputs and then the outputs.
Launch = Callable[[Any, list[int]], None]
# A Python number as an array of one element of a type.
Scalar = Callable[[Any, DType], Any]


class Plan(Protocol):
    """What is asked of `opslib.dispatch.plan.Plan`."""

    kernel: Any
    program: Program
    binding: Binding
    merged: Binding


class Calls:
    """The prepared calls of an operator with certain attributes; called with arrays."""

    __slots__ = ("_records",)

    def __init__(self) -> None:
        self._records: dict[Arrays, Record] = {}

    def __call__(self, arrays: Arrays) -> Any:
        """The result of a call, or None where no record fits it."""
        described: list[Any] = []
        torch, tensors = _torch()
        for a in arrays:
            kind = type(a)
            if kind in tensors:
                if a.is_neg() or (a.requires_grad and torch.is_grad_enabled()):
                    return None
                try:
                    described += a.dtype, a.shape, a.stride(), a.device
                except RuntimeError:  # sparse, nested
                    return None
            elif kind is DeviceArray:
                own = a.gpu.stream
                if a.borrowed or (a.stream is not own and a.stream is not None):
                    return None
                described += a.dtype, a.shape, a.strides, a.gpu
            else:
                # A number or nothing; of anything else there is no record.
                described.append(kind)
        record = self._records.get(tuple(described))
        return None if record is None else record(arrays)

    def add(self, plan: Plan, arrays: Arrays, pack: Any, scalar: Scalar) -> None:
        """Leaves a record for calls like one that just ran, where there can be one.

        Args:
            plan: that ran.
            arrays: of the call, in parameter order; None where absent.
            pack: makes the result of several outputs; None for one.
            scalar: makes a Python number an array of one element.
        """
        made = record_of(plan, arrays, pack, scalar)
        if made is None:
            return
        described: list[Any] = []
        for a in arrays:
            if a is None or type(a) in _NUMBER:
                described.append(type(a))
            elif type(a) is DeviceArray:
                described += a.dtype, a.shape, a.strides, a.gpu
            else:
                described += a.dtype, a.shape, a.stride(), a.device
        if len(self._records) >= _RECORDS:
            self._records.clear()
        self._records[tuple(described)] = made


_known: tuple[Any, frozenset[type]] = (None, frozenset())


def _torch() -> tuple[Any, frozenset[type]]:
    """PyTorch, if somebody has imported it, and its plain tensors' types."""
    global _known
    torch: Any = sys.modules.get("torch")
    if torch is not _known[0]:
        kinds = [torch.Tensor] if hasattr(torch, "Tensor") else []
        if hasattr(torch, "nn"):
            kinds.append(torch.nn.Parameter)
        _known = torch, frozenset(kinds)
    return _known


@dataclass(frozen=True, slots=True)
class Number:
    """A Python number among the arrays.

    Attributes:
        place: among the inputs.
        addresses: of values that were uploaded. Not of zeros, of which there are two.
    """

    place: int
    dtype: DType
    scalar: Scalar
    addresses: dict[Any, int] = field(default_factory=dict)

    def address(self, value: Any, here: Gpu) -> int | None:
        """Where its value lies on the device; None where it does not stay there."""
        found = self.addresses.get(value)
        if found is None:
            array = here.constant(self.scalar(value, self.dtype))
            if array.stream is not None:
                return None  # Too many are kept already: this one is its caller's.
            found = array.address
            if value and len(self.addresses) < _NUMBERS:
                self.addresses[value] = found
        return found


@dataclass(slots=True)
class Record:
    """A call that was prepared; called with arrays that its key describes.

    Attributes:
        here: the GPU.
        stream: gives the current stream.
        address: of an array.
        empty: for each output, makes an array for it on a stream.
        prepare: makes launches for addresses.
        numbers: inputs that are Python numbers.
        pack: makes the result of several outputs; None for one.
        aligned: launches where all addresses are multiples of 16.
        forms: others, by what each address is a multiple of.
    """

    here: Gpu
    stream: Callable[[], Any]
    address: Callable[[Any], int]
    empty: tuple[Callable[[Any], Any], ...]
    prepare: Callable[[Sequence[int]], Launch]
    numbers: tuple[Number, ...]
    pack: Any
    aligned: Launch | None = None
    forms: dict[tuple[int, ...], Launch] = field(default_factory=dict)

    def __call__(self, arrays: Arrays) -> Any:
        """Runs it; None where this thread uses another device."""
        here, address = self.here, self.address
        if not here.is_current():
            return None
        if here.is_watched:
            here.raise_failed()
        addresses: list[int]
        if self.numbers or None in arrays:
            addresses = []
            given = [a for a in arrays if a is not None]
            addresses = [0 if type(a) in _NUMBER else address(a) for a in given]
            for n in self.numbers:
                found = n.address(given[n.place], here)
                if found is None:
                    return None
                addresses[n.place] = found
        else:
            addresses = [address(a) for a in arrays]
        try:
            stream = self.stream()
            made = [empty(stream) for empty in self.empty]
            addresses += [address(a) for a in made]
            bits = 0
            for a in addresses:
                bits |= a
            launch = self.form(addresses) if bits & 15 else self.aligned
            if launch is None:
                launch = self.aligned = self.prepare(addresses)
            launch(stream, addresses)
        except Exception as error:
            # What torch's allocator says is more than we could, and a mistake of this
            # package must not pass for the driver's.
            if not is_nvidias(error):
                raise
            raise here.error_of(error) from error
        return made[0] if self.pack is None else self.pack(made)

    def form(self, addresses: Sequence[int]) -> Launch:
        """The launches for addresses of which some are no multiples of 16."""
        key = tuple(map(alignment_bits, addresses))
        found = self.forms.get(key)
        if found is None:
            found = self.prepare(addresses)
            if len(self.forms) < _FORMS:
                self.forms[key] = found
        return found


# --- Making a record -----------------------------------------------------------------


def record_of(plan: Plan, arrays: Arrays, pack: Any, scalar: Scalar) -> Record | None:
    """The record of a call; None where each call has to be looked at anew."""
    given = [a for a in arrays if a is not None]
    held = [a for a in given if type(a) not in _NUMBER]
    inputs = plan.binding.inputs
    if not held or len(given) != len(inputs):
        return None
    if not isinstance(plan.kernel, CudaKernel | BlasKernel):
        return None
    library, index = library_of(held[0]), device_index(held[0])
    if index is None:
        return None
    _, tensors = _torch()
    for a in held:
        plain = type(a) in tensors if library == "torch" else type(a) is DeviceArray
        if not plain or device_index(a) != index:
            return None
    here = imported_here(held[0], index).gpu
    numbers = tuple(
        Number(k, t.dtype, scalar)
        for k, (a, t) in enumerate(zip(given, inputs, strict=True))
        if type(a) in _NUMBER
    )
    made = _torchs(here, plan, held[0]) if library == "torch" else _own(here, plan)
    stream, address, empty = made
    return Record(
        here,
        stream,
        address,
        empty,
        partial(_prepared, plan, here, _seen(plan, given, here)),
        numbers,
        pack,
    )


_Made = tuple[Callable[[], Any], Callable[[Any], int], tuple[Callable[[Any], Any], ...]]


def _torchs(here: Gpu, plan: Plan, like: Any) -> _Made:
    """Stream, addresses and results by PyTorch."""
    torch = sys.modules["torch"]
    index = here.index
    current = getattr(getattr(torch, "_C", None), "_cuda_getCurrentRawStream", None)
    if current is None:  # The public way makes an object of it.
        current = lambda k: torch.cuda.current_stream(k).cuda_stream  # noqa: E731

    def stream() -> Any:
        return here.stream_of(current(index))

    def made(shape: tuple[int, ...], dtype: Any) -> Callable[[Any], Any]:
        kind = getattr(torch, DTYPES_BY_NUMPY[np.dtype(dtype)])
        empty = partial(torch.empty, shape, dtype=kind, device=like.device)
        return lambda _: empty()

    outputs = tuple(made(t.shape, t.dtype.numpy) for t in plan.merged.outputs)
    return stream, methodcaller("data_ptr"), outputs


def _own(here: Gpu, plan: Plan) -> _Made:
    """Stream, addresses and results of `DeviceArray`."""

    def made(shape: tuple[int, ...], dtype: Any) -> Callable[[Any], Any]:
        return lambda stream: here.empty_here(shape, np.dtype(dtype), stream)

    outputs = tuple(made(t.shape, t.dtype.numpy) for t in plan.merged.outputs)
    return lambda: here.stream, attrgetter("address"), outputs


def _seen(plan: Plan, given: Sequence[Any], here: Gpu) -> list[DeviceArray]:
    """Inputs and outputs as the program sees them, without memory or address."""

    def bare(shape: tuple[int, ...], strides: tuple[int, ...], dtype: Any) -> Any:
        return DeviceArray(0, shape, strides, np.dtype(dtype), here, here.stream)

    found = []
    for a, t in zip(given, plan.merged.inputs, strict=True):
        if type(a) in _NUMBER:
            array = bare((), (), t.dtype.numpy)
        else:
            seen = imported_here(a, here.index)
            array = bare(seen.shape, seen.strides, seen.dtype)
        found.append(viewed(array, t.view))
    for o in plan.merged.outputs:
        made = bare(o.shape, row_major(o.shape), o.dtype.numpy)
        found.append(viewed(made, o.view))
    return found


def _prepared(
    plan: Plan, here: Gpu, seen: Sequence[DeviceArray], addresses: Sequence[int]
) -> Launch:
    """The launches for arrays that lie like `seen`, at addresses so aligned."""
    arrays = [
        DeviceArray(at, a.shape, a.strides, a.dtype, here, here.stream)
        for at, a in zip(addresses, seen, strict=True)
    ]
    merged, kernel = plan.merged, plan.kernel
    what = Launched(plan.program, tuple(a.shape for a in arrays))
    count = len(merged.inputs)
    if isinstance(kernel, BlasKernel):
        return kernel.prepared(arrays[:count], arrays[count:], merged.sizes, what)
    variant, steps = kernel.planned(arrays, merged.sizes, merged.scalars)
    return launches(here, variant, steps, what)


def launches(here: Gpu, variant: Variant, steps: Steps, what: Launched) -> Launch:
    """All launches of a call, with everything but pointers filled in."""
    assert variant.functions is not None
    launch = here.launch
    pointers = len(variant.made.loops.inputs) + len(variant.made.loops.outputs)
    pointers += len(steps.workspaces) + (variant.state is not None)
    constants: list[Any] = []
    ready = []
    for step in steps.launches:
        places = []
        for a in step.arguments:
            if isinstance(a, Value):
                places.append(pointers + len(constants))
                constants.append(argument_of(a))
            else:
                places.append(a)
        function = variant.functions[step.function]
        config = configuration(here, function, step)
        ready.append((config, function.handle, _getter(places)))
    remember = here.launched

    def enqueue(stream: Any, addresses: list[int]) -> None:
        values = [*addresses, *constants]
        remember(what, None)
        for config, function, arguments in ready:
            launch(stream, config, function, *arguments(values))

    def enqueue_with_work(stream: Any, addresses: list[int]) -> None:
        work, more, slot = workspaces(here, variant, steps, stream)
        values = [*addresses, *more, *constants]
        remember(what, slot)
        for config, function, arguments in ready:
            launch(stream, config, function, *arguments(values))
        for w in work:
            w.close(stream)

    if steps.room[0] or variant.state is not None:
        return enqueue_with_work
    # Workspaces of forms that do not run: pointers that nobody passes.
    constants[:0] = [0] * len(steps.workspaces)
    return enqueue


def _getter(places: Sequence[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """Picks values of a list, as a tuple."""
    if len(places) == 1:
        (only,) = places
        return lambda values: (values[only],)
    return itemgetter(*places)
