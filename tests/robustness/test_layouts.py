"""Arrays as people have them: strided, misaligned, empty, read-only, overlapping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import opslib

from .test_arguments import usable

BACKENDS = ("numpy", "cpu", "jax")
Unary = Callable[..., Any]

# One of each kind of kernel, on a float32 array [n, m].
OPERATORS: dict[str, Unary] = {
    "exp": lambda x, **k: opslib.exp(x, **k),
    "softmax": lambda x, **k: opslib.softmax(x, **k),
    "softmax0": lambda x, **k: opslib.softmax(x, axis=0, **k),
    "sum": lambda x, **k: opslib.sum(x, axis=1, **k),
    "sum0": lambda x, **k: opslib.sum(x, axis=0, **k),
    "gram": lambda x, **k: opslib.matmul(x, x.T, **k),
    "cumsum": lambda x, **k: opslib.cumsum(x, axis=1, **k),
    "sort": lambda x, **k: opslib.sort(x, **k),
    "transpose": lambda x, **k: opslib.matrix_transpose(x, **k),
    "flip": lambda x, **k: opslib.flip(x, axis=1, **k),
}


def base() -> Any:
    return np.random.default_rng(0).standard_normal((26, 34)).astype(np.float32)


def misaligned(x: Any) -> Any:
    raw = np.zeros(x.nbytes + 1, np.uint8)
    made = raw[1:].view(x.dtype).reshape(x.shape)
    made[...] = x
    assert not made.flags.aligned
    return made


def offset(x: Any) -> Any:
    raw = np.zeros(x.size + 1, x.dtype)
    made = raw[1:].reshape(x.shape)
    made[...] = x
    return made


def read_only(x: Any) -> Any:
    made = x.copy()
    made.flags.writeable = False
    return made


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "contiguous": lambda x: x,
    "transposed": lambda x: x.T,
    "fortran": np.asfortranarray,
    "every second": lambda x: x[::2, ::2],
    "a column block": lambda x: x[:, 3:20],
    "backwards": lambda x: x[::-1, ::-1],
    "broadcast rows": lambda x: np.broadcast_to(x[0], (9, x.shape[1])),
    "broadcast columns": lambda x: np.broadcast_to(x[:, :1], (x.shape[0], 9)),
    "overlapping windows": lambda x: np.lib.stride_tricks.sliding_window_view(x[0], 5),
    "offset by an element": offset,
    "misaligned": misaligned,
    "read-only": read_only,
    "one row": lambda x: x[:1],
    "one column": lambda x: x[:, :1],
    "one element": lambda x: x[:1, :1],
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str, backend: str) -> None:
    usable(backend)
    x = LAYOUTS[layout](base())
    plain = np.array(x, np.float32, order="C")
    before = plain.copy()
    for name, operator in OPERATORS.items():
        got = operator(x, backend=backend)
        want = operator(plain, backend="numpy")
        np.testing.assert_allclose(
            got, want, rtol=2e-5, atol=2e-5, err_msg=f"{name} {layout}"
        )
        assert got.dtype == np.float32
    np.testing.assert_array_equal(np.asarray(x, np.float32), before)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(0, 4), (0, 0), (4, 0)])
def test_empty_arrays(shape: tuple[int, int], backend: str) -> None:
    usable(backend)
    x = np.zeros(shape, np.float32)
    n, m = shape
    assert opslib.exp(x, backend=backend).shape == shape
    assert opslib.softmax(x, backend=backend).shape == shape
    assert opslib.cumsum(x, axis=1, backend=backend).shape == shape
    assert opslib.sort(x, backend=backend).shape == shape
    gram = opslib.matmul(x, x.T, backend=backend)
    np.testing.assert_array_equal(gram, np.zeros((n, n)))
    total = opslib.sum(x, axis=1, backend=backend)
    np.testing.assert_array_equal(total, np.zeros(n))
    joined = opslib.concat(x, x, axis=0, backend=backend)
    assert joined.shape == (2 * n, m)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_an_empty_axis_that_is_not_padded(mode: str, backend: str) -> None:
    usable(backend)
    before, after = (0, 0, 2), (0, 0, 1)
    for shape in ((0, 2, 4), (2, 0, 4), (0, 0, 4)):
        x = np.zeros(shape, np.float32)
        padded = opslib.pad(x, before, after, mode=mode, backend=backend)
        assert padded.shape == (*shape[:2], 7)
    with pytest.raises(ValueError, match="empty axis"):
        opslib.pad(np.zeros((0, 4), np.float32), 1, 1, mode=mode, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_scalars_and_zero_dimensions(backend: str) -> None:
    usable(backend)
    got = opslib.exp(np.array(1.0, np.float32), backend=backend)
    assert got.shape == ()
    np.testing.assert_allclose(got, np.exp(np.float32(1)), rtol=1e-6)
    summed = opslib.sum(np.float32(3), backend=backend)
    assert float(summed) == 3.0


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_out_that_overlaps_an_input(backend: str) -> None:
    usable(backend)
    for back in (False, True):
        memory = np.arange(1.0, 101.0, dtype=np.float32)
        x, out = memory[:-1], memory[1:]
        if back:
            x, out = out, x
        want = opslib.add(x.copy(), x[::-1].copy(), backend="numpy")
        got = opslib.add(x, x[::-1], out=out, backend=backend)
        assert got is out
        np.testing.assert_array_equal(out, want)


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_out_is_the_input_itself(backend: str) -> None:
    usable(backend)
    for name, operator in OPERATORS.items():
        x = base()[:26, :26].copy()
        want = operator(x.copy(), backend="numpy")
        if want.shape != x.shape:
            continue
        got = operator(x, out=x, backend=backend)
        assert got is x
        np.testing.assert_allclose(x, want, rtol=2e-5, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("backend", ["numpy", "cpu", "jax"])
def test_strided_out(backend: str) -> None:
    usable(backend)
    x = base()
    memory = np.full((2 * x.shape[0], 3 * x.shape[1]), 7, np.float32)
    out = memory[::2, 1::3]
    assert opslib.softmax(x, out=out, backend=backend) is out
    want = opslib.softmax(x, backend="numpy")
    np.testing.assert_allclose(out, want, rtol=1e-5)
    rest = np.ones(memory.shape, bool)
    rest[::2, 1::3] = False
    assert (memory[rest] == 7).all(), "something was written beside out"


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_torch_tensors_of_every_layout(backend: str) -> None:
    torch = pytest.importorskip("torch")
    usable(backend)
    x = torch.from_numpy(base())
    for seen in (x, x.T, x[::2, 3:], x[0].expand(4, -1)):
        got = opslib.softmax(seen, backend=backend)
        assert type(got) is torch.Tensor
        torch.testing.assert_close(got, torch.softmax(seen, -1))
    half = x.to(torch.bfloat16)
    got = opslib.add(half, half, backend=backend)
    assert got.dtype == torch.bfloat16
    torch.testing.assert_close(got, half + half)
