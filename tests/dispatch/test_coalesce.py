"""Merging axes changes nothing but the number of axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import opslib

extents = st.lists(st.sampled_from([0, 1, 1, 2, 3]), max_size=6)


@st.composite
def arrays(draw: st.DrawFn, shape: list[int]) -> Any:
    """An array of the shape with any strides: transposed, stepped, reversed, 0."""
    order = draw(st.permutations(range(len(shape))))
    steps = [draw(st.sampled_from([1, 1, 2, -1, -2, 0])) for _ in shape]
    base_shape = [
        1 if steps[k] == 0 else max(shape[k] * abs(steps[k]), 1) for k in order
    ]
    size = int(np.prod(base_shape))
    base = np.arange(1, size + 1, dtype=np.float32).reshape(base_shape)
    array = base.transpose(np.argsort(order)) if shape else base
    cut: list[slice] = []
    for n, step in zip(shape, steps, strict=True):
        if step == 0:
            cut.append(slice(None))
        elif step > 0:
            cut.append(slice(0, n * step, step))
        else:
            cut.append(slice(None, None, step) if n else slice(0, 0))
    return np.broadcast_to(array[tuple(cut)], shape)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Any, Any]:
    shape = draw(extents)
    other = [1 if draw(st.booleans()) else n for n in shape]
    return draw(arrays(shape)), draw(arrays(other[draw(st.integers(0, len(other))) :]))


BACKENDS = ["cpu", "numpy"]


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=150, deadline=None)
@given(pairs())
def test_elementwise(backend: str, pair: tuple[Any, Any]) -> None:
    x, y = pair
    np.testing.assert_array_equal(opslib.add(x, y, backend=backend), x + y)
    plan = opslib.add.plan(x, y, backend=backend)
    merged = [len(t.view.extents) for t in plan.merged.inputs]
    contiguous = all(a.flags.c_contiguous and a.shape == x.shape for a in (x, y))
    if contiguous and backend == "cpu":
        assert max(merged) <= 1
    most = max(x.ndim, y.ndim)
    # Ranks 0, 3 and 5 use the kernels of 1, 4 and 6.
    assert max(merged) <= {0: 1, 3: 4, 5: 6}.get(most, most)


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_reductions(backend: str, data: st.DataObject) -> None:
    x = data.draw(extents.flatmap(lambda shape: arrays(shape)))
    axis = tuple(k for k in range(x.ndim) if data.draw(st.booleans()))
    keep = data.draw(st.booleans())
    got = opslib.sum(x, axis=axis, keepdims=keep, backend=backend)
    np.testing.assert_allclose(got, x.sum(axis=axis, keepdims=keep), rtol=1e-5)
    assert got.shape == x.sum(axis=axis, keepdims=keep).shape


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_into_any_layout(backend: str, data: st.DataObject) -> None:
    x, y = data.draw(pairs())
    shape = np.broadcast_shapes(x.shape, y.shape)
    order = data.draw(st.permutations(range(len(shape))))
    base = np.full([3 * shape[k] + 1 for k in order], -1, np.float32)
    steps = [data.draw(st.sampled_from([1, 2, 3, -1])) for _ in shape]
    out = base.transpose(np.argsort(order)) if shape else base
    out = out[
        tuple(
            slice(0, n * s, s) if s > 0 else slice(n, 0, -1)
            for n, s in zip(shape, steps, strict=True)
        )
    ]
    if not isinstance(out, np.ndarray):
        return  # A 0-d element, not an array.
    assert opslib.add(x, y, out=out, backend=backend) is out
    np.testing.assert_array_equal(out, x + y)
    out[...] = -1
    assert (base == -1).all()


def test_an_axis_of_length_one_is_no_bridge() -> None:
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    x = base[:, :3].reshape(4, 1, 3)
    np.testing.assert_array_equal(opslib.add(x, x), x + x)
    np.testing.assert_array_equal(opslib.sum(x, axis=1), x.sum(1))
    assert len(opslib.add.plan(x, x).merged.inputs[0].view.extents) == 2


def test_the_rank_of_kernels_stays_small() -> None:
    x = np.zeros((2,) * 7, np.float32)
    assert len(opslib.exp.plan(x).merged.inputs[0].view.extents) == 1
    plan = opslib.sum.plan(x, axis=(2, 3, 4))
    assert len(plan.merged.inputs[0].view.extents) == 3
    for axis, rank in (((0, 1), 3), ((0, 1, 5, 6), 4), ((5, 6), 2), ((0, 6), 4)):
        plan = opslib.sum.plan(x, axis=axis)
        assert len(plan.merged.inputs[0].view.extents) == rank, axis
    assert len(opslib.sum.plan(x).merged.inputs[0].view.extents) == 2
    plan = opslib.softmax.plan(x, axis=3)
    assert len(plan.merged.inputs[0].view.extents) <= 3


NUMBERS = {
    "x + d": lambda shape, d: d % len(shape),
    "x * 1 + (100 if d > 1 else 7)": lambda shape, d: 100 if d % len(shape) > 1 else 7,
    "x + at(s, d)": lambda shape, d: shape[d],
    "x + at(s, 0)": lambda shape, d: shape[0],
    "x + total(s)": lambda shape, d: sum(shape),
    "x + total(drop(s, d))": lambda shape, d: sum(shape) - shape[d],
    "x + prod(head(s, d))": lambda shape, d: math.prod(shape[: d % len(shape)]),
    "x + rank(s) - d": lambda shape, d: len(shape) - d % len(shape),
}


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_of_axes_are_those_of_the_call(text: str) -> None:
    """What an operator computes with positions and lengths is of unmerged axes."""
    value = text.replace("x", "x[...i]", 1)
    spec = f"op placed(x: T[...s], d: axis[s]) -> y: T[...s]\n    y[...i] = {value}"
    placed = opslib.op(spec)
    for shape in [(2, 3, 4), (5,), (3, 1, 2)]:
        x = np.zeros(shape, np.float32)
        for d in range(-len(shape), len(shape)):
            want = np.full(shape, NUMBERS[text](shape, d))
            for backend in BACKENDS:
                got = placed(x, d, backend=backend)
                np.testing.assert_array_equal(got, want, f"{backend} {shape} {d}")


def test_sums_of_indices_are_those_of_the_call() -> None:
    diagonal = opslib.op(
        "op sloped(x: T[...s]) -> y: T[...s]\n    y[...i] = x[...i] + total(i)"
    )
    x = np.zeros((2, 3, 4), np.float32)
    for backend in BACKENDS:
        got = diagonal(x, backend=backend)
        np.testing.assert_array_equal(got, np.indices(x.shape).sum(0))


def test_an_axis_decides_a_shape() -> None:
    """An axis is a number in the shape of a result and in `requires` too."""
    rows = opslib.op(
        "op rows(x: T[...s], d: axis[s]) -> y: T[d, 2]\n"
        "    y[i, j] = i + 2 * j\n"
        '    requires d > 0 : "not the first axis"'
    )
    x = np.zeros((2, 3, 4), np.float32)
    for backend in BACKENDS:
        got = rows(x, -1, backend=backend)
        np.testing.assert_array_equal(got, [[0, 2], [1, 3]])
        with pytest.raises(opslib.ArgumentError, match="not the first axis"):
            rows(x, -3, backend=backend)
