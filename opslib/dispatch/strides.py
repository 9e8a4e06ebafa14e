"""Strides of arrays in a program's axes: what decides which axes may merge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from opslib.ir.binding import Binding, BoundOutput
from opslib.ir.view import View

# By the program's names. An array whose layout does not matter counts as contiguous.
Strides = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """How an array lies that is not the host's: strides in elements."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def seen(self, view: View) -> tuple[int, ...]:
        """The strides in a program's axes."""
        axes = [(self.shape[k], self.strides[k]) for k in view.permutation]
        split = split_strides(axes, view.shape)
        return tuple(
            s if n == extent else 0
            for s, n, extent in zip(split, view.shape, view.extents, strict=True)
        )


def strides_of(
    binding: Binding,
    strided: bool,
    inputs: Sequence[Any],
    outputs: Sequence[Any] | None,
) -> Strides:
    """The strides that a call's arrays have, or will have, in the program's axes.

    Args:
        binding: of the call.
        strided: whether the backend reads and writes through strides.
        inputs: NumPy arrays and layouts count with their strides.
        outputs: as `inputs`, or None where the results are allocated anew. An array
            that a kernel cannot write itself does not count either.
    """
    found: list[tuple[str, tuple[int, ...]]] = []
    for k, t in enumerate(binding.inputs):
        given = inputs[k]
        if strided and isinstance(given, Layout):
            found.append((t.name, given.seen(t.view)))
        elif strided and isinstance(given, np.ndarray):
            found.append((t.name, host_strides(given, t.view)))
        else:
            found.append((t.name, _contiguous(t.view)))
    for k, o in enumerate(binding.outputs):
        if strided and outputs is not None and writes_directly(outputs[k], o):
            found.append((o.name, output_strides(outputs[k], o)))
        else:
            found.append((o.name, _allocated(o.shape, o.view)))
    return tuple(found)


def writes_directly(array: Any, output: BoundOutput) -> bool:
    """Whether a kernel can write into the array itself."""
    return (
        array.dtype == output.dtype.numpy
        and bool(array.flags.aligned)
        and not any(s % array.itemsize for s in array.strides)
    )


def output_strides(array: Any, output: BoundOutput) -> tuple[int, ...]:
    """Strides of a result's array in the program's axes, in elements."""
    axes = [
        (array.shape[k], array.strides[k] // array.itemsize)
        for k in output.view.permutation
    ]
    return split_strides(axes, output.view.shape)


def host_strides(array: Any, view: View) -> tuple[int, ...]:
    """Strides in bytes of a NumPy array in a program's axes."""
    seen = array.transpose(view.permutation).reshape(view.shape)
    return tuple(np.broadcast_to(seen, view.extents).strides)


def _contiguous(view: View) -> tuple[int, ...]:
    """Strides after a transposition has been made real, 0 where broadcast."""
    strides = [0] * len(view.shape)
    step = 1
    for k in reversed(range(len(view.shape))):
        strides[k] = 0 if view.shape[k] != view.extents[k] else step
        step *= view.shape[k]
    return tuple(strides)


def _allocated(shape: tuple[int, ...], view: View) -> tuple[int, ...]:
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
