"""Plans: a call's arguments, bound, merged, expanded, compiled; ready to run again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from opslib.dispatch.coalesce import coalesce
from opslib.ir.bind import Binding, Statics
from opslib.ir.expansion import expand
from opslib.ir.expr import Program
from opslib.ir.view import View
from opslib.language.syntax import Operator
from opslib.runtime.protocol import Backend, Device, Kernel

_LIMIT = 4096


class Cache:
    """A bounded, thread-safe map; the least recently used entry goes first."""

    def __init__(self, limit: int = _LIMIT) -> None:
        self._entries: OrderedDict[Any, Any] = OrderedDict()
        self._lock = threading.Lock()
        self._limit = limit

    def get(self, key: Any) -> Any:
        """The entry, or None."""
        with self._lock:
            found = self._entries.get(key)
            if found is not None:
                self._entries.move_to_end(key)
            return found

    def put(self, key: Any, value: Any) -> Any:
        """Keeps `value` unless another thread was first; returns the one kept."""
        with self._lock:
            kept = self._entries.setdefault(key, value)
            if len(self._entries) > self._limit:
                self._entries.popitem(last=False)
            return kept

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)


programs = Cache()
kernels = Cache()


@dataclass(frozen=True, slots=True)
class Plan:
    """A call that has been prepared for one device.

    Attributes:
        binding: as the caller sees it; `merged` as the program does.
    """

    operator: Operator
    backend: Backend
    device: Device
    binding: Binding
    merged: Binding
    program: Program
    kernel: Kernel

    def run(self, inputs: Sequence[Any], outputs: Sequence[Any] | None) -> list[Any]:
        """Runs on the backend's own arrays, in the order of ``binding.inputs``.

        `outputs` are arrays of the results' shapes to write, or None to allocate.
        Results have the callers' shapes.
        """
        backend = self.backend
        views = [
            backend.view(a, t.view)
            for a, t in zip(inputs, self.merged.inputs, strict=True)
        ]
        if not backend.strided:
            made = self.kernel.launch(
                views, (), self.merged.sizes, self.merged.scalars
            )
            return [
                _restored(backend, r, t.view, t.shape)
                for r, t in zip(made, self.merged.outputs, strict=True)
            ]
        if outputs is None:
            outputs = [
                backend.empty(t.shape, t.dtype, self.device)
                for t in self.merged.outputs
            ]
        targets = [
            backend.view(a, t.view)
            for a, t in zip(outputs, self.merged.outputs, strict=True)
        ]
        self.kernel.launch(views, targets, self.merged.sizes, self.merged.scalars)
        return list(outputs)


def _restored(backend: Backend, array: Any, view: View, shape: tuple[int, ...]) -> Any:
    """A result in a program's axes as an array of the caller's `shape`."""
    permuted = tuple(shape[k] for k in view.permutation)
    order = tuple(range(len(shape)))
    if len(view.extents) or shape:
        flat = tuple(range(len(view.extents)))
        array = backend.view(array, View(flat, permuted, permuted))
    if view.permutation == order:
        return array
    back = tuple(view.permutation.index(k) for k in order)
    return backend.view(array, View(back, shape, shape))


def program_for(
    operator: Operator, statics: Statics, library: Mapping[str, Operator]
) -> Program:
    """The expanded program, from the cache."""
    # By identity: hashing a whole syntax tree would cost more than a small kernel.
    # The entry keeps the operator alive, so that its id is not given to another.
    key = (id(operator), statics)
    found = programs.get(key)
    if found is None:
        made = (operator, expand(operator, statics, library))
        found = programs.put(key, made)
    program: Program = found[1]
    return program


def kernel_for(backend: Backend, device: Device, program: Program) -> Kernel:
    """The compiled kernel, from the cache."""
    key = (device.name, program)
    found = kernels.get(key)
    if found is None:
        found = kernels.put(key, backend.compile(program, device))
    kernel: Kernel = found
    return kernel


def merge(
    binding: Binding,
    backend: Backend,
    inputs: Sequence[Any],
    outputs: Sequence[Any] | None,
) -> Binding:
    """`coalesce` by the strides that the arrays have, or will have."""
    strides: dict[str, tuple[int, ...]] = {}
    for k, t in enumerate(binding.inputs):
        array = inputs[k]
        if backend.strided and isinstance(array, np.ndarray):
            strides[t.name] = host_strides(array, t.view)
        else:
            strides[t.name] = _contiguous_strides(t.view)
    for k, o in enumerate(binding.outputs):
        if outputs is not None and isinstance(outputs[k], np.ndarray):
            strides[o.name] = host_strides(outputs[k], o.view)
        else:
            strides[o.name] = _output_strides(o.shape, o.view)
    return coalesce(binding, strides)


def host_strides(array: Any, view: View) -> tuple[int, ...]:
    """Strides in bytes of a NumPy array in a program's axes."""
    seen = array.transpose(view.permutation).reshape(view.shape)
    return tuple(np.broadcast_to(seen, view.extents).strides)


def _contiguous_strides(view: View) -> tuple[int, ...]:
    """Strides after a transposition has been made real, 0 where broadcast."""
    strides = [0] * len(view.shape)
    step = 1
    for k in reversed(range(len(view.shape))):
        strides[k] = 0 if view.shape[k] != view.extents[k] else step
        step *= view.shape[k]
    return tuple(strides)


def _output_strides(shape: tuple[int, ...], view: View) -> tuple[int, ...]:
    """Strides of a freshly allocated result, in the program's axes."""
    # A zero-strided stand-in cannot be reshaped faithfully, so count on positions.
    strides = [0] * len(shape)
    step = 1
    for k in reversed(range(len(shape))):
        strides[k] = step
        step *= shape[k]
    permuted = [(shape[k], strides[k]) for k in view.permutation]
    return split_strides(permuted, view.shape)


def split_strides(
    axes: Sequence[tuple[int, int]], shape: tuple[int, ...]
) -> tuple[int, ...]:
    """Strides after a reshape that splits axes and drops or adds axes of length 1."""
    source = [(n, s) for n, s in axes if n != 1]
    result: list[int] = []
    k = 0
    left, stride = (1, 0)
    for n in shape:
        if n == 1:
            result.append(0)
            continue
        if left == 1:
            if k >= len(source):
                result.append(0)
                continue
            left, stride = source[k]
            k += 1
        left = left // n if n else 0
        result.append(stride * left if left else stride)
        if left == 0:
            left = 1
    return tuple(result)
