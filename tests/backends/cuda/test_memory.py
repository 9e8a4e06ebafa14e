"""How arrays are seen in a program's axes, without a GPU: strides against NumPy's."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opslib.backends.cuda import memory
from opslib.backends.cuda.memory import DeviceArray

from opslib.errors import DeviceError
from opslib.ir.view import View


def described(array: Any) -> DeviceArray:
    """A NumPy array's address, shape and strides."""
    size = array.itemsize
    return DeviceArray(
        array.__array_interface__["data"][0],
        array.shape,
        tuple(s // size for s in array.strides),
        array.dtype,
        None,  # type: ignore[arg-type]
        None,
    )


@st.composite
def arrays(draw: st.DrawFn) -> Any:
    """Strided arrays of up to four axes: permuted, stepped, reversed, broadcast."""
    shape = draw(st.lists(st.integers(1, 6), max_size=4))
    steps = [draw(st.sampled_from((1, 1, 2, -1))) for _ in shape]
    base = np.arange(math.prod(n * abs(s) for n, s in zip(shape, steps, strict=True)))
    full = base.reshape([n * abs(s) for n, s in zip(shape, steps, strict=True)])
    seen = full[tuple(slice(None, None, s) for s in steps)]
    return seen.transpose(draw(st.permutations(range(seen.ndim))))


@st.composite
def views(draw: st.DrawFn) -> tuple[Any, View]:
    """An array and a view: transposed, axes split and merged, broadcast."""
    array = draw(arrays())
    order = tuple(draw(st.permutations(range(array.ndim))))
    shape: list[int] = []
    for k in order:
        n = array.shape[k]
        cut = draw(st.sampled_from([d for d in range(1, n + 1) if n % d == 0]))
        shape += [cut, n // cut] if draw(st.booleans()) else [n]
    k = 0
    while k < len(shape):  # Some neighbours are merged, where that may be impossible.
        if k + 1 < len(shape) and draw(st.integers(0, 3)) == 0:
            shape[k : k + 2] = [shape[k] * shape[k + 1]]
        k += 1
    if draw(st.booleans()):
        shape.insert(draw(st.integers(0, len(shape))), 1)
    extents = tuple(
        draw(st.integers(0, 5)) if n == 1 and draw(st.booleans()) else n for n in shape
    )
    return array, View(order, tuple(shape), extents)


@settings(max_examples=600, deadline=None)
@given(views())
def test_views_are_numpys(drawn: tuple[Any, View]) -> None:
    """The same elements at the same places; where NumPy would copy, a refusal."""
    array, view = drawn
    try:
        want = array.transpose(view.permutation).reshape(view.shape, copy=False)
    except ValueError:
        with pytest.raises(DeviceError):
            memory.viewed(described(array), view)
        return
    want = np.broadcast_to(want, view.extents)
    got = memory.viewed(described(array), view)
    assert got.shape == view.extents
    assert got.address == array.__array_interface__["data"][0]
    for n, mine, numpys in zip(view.extents, got.strides, want.strides, strict=True):
        # The stride of an axis with fewer than two elements means nothing.
        assert n < 2 or mine * array.itemsize == numpys


def test_contiguous() -> None:
    a = np.zeros((3, 4, 5), np.float32)
    assert described(a).is_contiguous
    assert not described(a[:, :, ::2]).is_contiguous
    assert not described(a.transpose(2, 0, 1)).is_contiguous
    assert described(a[1:2, :, :]).is_contiguous
    assert described(a[:0]).is_contiguous
    assert described(np.zeros((), np.float32)).is_contiguous
    assert memory.row_major((3, 4, 5)) == (20, 5, 1)
    assert memory.row_major(()) == ()


def test_bfloat16_has_no_array_interface() -> None:
    """Its type string would be bytes to everybody; DLPack has the type."""
    a = described(np.zeros(3, ml_dtypes.bfloat16))
    assert not hasattr(a, "__cuda_array_interface__")


def test_whose_arrays_they_are() -> None:
    class Tensor:
        __module__ = "torch"

    class Parameter(Tensor):
        __module__ = "somebody.elses"

    Tensor.__module__ = "torch"
    assert memory.library_of(Parameter()) == "torch"
    assert memory.library_of(described(np.zeros(3))) == "opslib"
    assert memory.library_of(3) == "other"
    assert memory.device_index(np.zeros(3)) is None
    assert memory.device_index(3.0) is None
