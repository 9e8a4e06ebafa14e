"""Calls that do not fit: a class that NumPy users expect, a sentence, a remedy."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest

import opslib

F4 = np.ones((2, 3), np.float32)
I8 = np.ones((2, 3), np.int64)
IMAGE, KERNEL = np.ones((1, 2, 5, 5), np.float32), np.ones((2, 2, 3, 3), np.float32)
WINDOWS = np.lib.stride_tricks.as_strided(np.zeros(4, "f4"), (2, 3), (4, 4))


def grown(extent: str) -> Any:
    """An operator whose result is as long as a text says, called."""
    made = opslib.op(f"op grown(x: T[n]) -> y: T[{extent}]\n    y[i] = x[0]\n")
    return made(F4[0], backend="numpy")


# What is called, the class, and words that the message has.
WRONG: list[tuple[Callable[[], Any], type[Exception], tuple[str, ...]]] = [
    (lambda: opslib.matmul(F4, F4), ValueError, ("matmul", "3", "2")),
    (lambda: opslib.linear(F4, np.ones(3, "f4")), ValueError, ("linear", "weight")),
    # Windows: sizes whose product is positive though each is negative; what crops.
    (lambda: opslib.unfold(IMAGE, 9), ValueError, ("unfold", "taller")),
    (lambda: opslib.unfold(IMAGE, (2, 6)), ValueError, ("unfold", "wider")),
    (lambda: opslib.unfold(IMAGE, 2, padding=-1), ValueError, ("unfold", "padding")),
    (lambda: opslib.unfold(IMAGE, 2, dilation=0), ValueError, ("dilation", "positive")),
    (lambda: opslib.unfold(IMAGE, 0), ValueError, ("kernel_size", "positive")),
    (lambda: opslib.max_pool2d(IMAGE, (6, 2)), ValueError, ("taller",)),
    (lambda: opslib.max_pool1d(IMAGE[0], 3, dilation=3), ValueError, ("longer",)),
    (lambda: opslib.avg_pool2d(IMAGE, (2, 6)), ValueError, ("wider",)),
    (lambda: opslib.avg_pool1d(IMAGE[0], 6), ValueError, ("longer",)),
    (
        lambda: opslib.conv_transpose2d(IMAGE, KERNEL, padding=(-1, 0)),
        ValueError,
        ("padding", "negative"),
    ),
    (
        lambda: opslib.conv_transpose2d(IMAGE, KERNEL, output_padding=-1),
        ValueError,
        ("output_padding", "negative"),
    ),
    (lambda: opslib.softmax(np.float32(1)), ValueError, ("softmax", "x")),
    (lambda: opslib.add(F4, np.ones((4, 3), "f4")), ValueError, ("add", "x2")),
    (lambda: opslib.softmax(F4, axis=5), ValueError, ("softmax", "axis", "5")),
    (lambda: opslib.softmax(I8), TypeError, ("softmax", "int64")),
    (lambda: opslib.divide(I8, I8), TypeError, ("divide", "int64")),
    (lambda: opslib.add(F4, I8), TypeError, ("add", "int64", "float32")),
    (lambda: opslib.embedding(F4, F4), TypeError, ("embedding", "float32")),
    (lambda: opslib.exp(F4.astype(complex)), TypeError, ("complex128",)),
    (lambda: opslib.exp(np.array(["a"])), TypeError, ()),
    (lambda: opslib.exp(np.array([None])), TypeError, ("'O'", "float32")),
    (lambda: opslib.exp(F4.astype(">f4")), TypeError, ("byte order", "astype")),
    (lambda: opslib.exp([1.0, 2.0]), ValueError, ("exp", "list", "np.asarray")),
    (lambda: opslib.exp(None), ValueError, ("exp",)),
    (lambda: opslib.exp(F4, backend="cup"), RuntimeError, ("did you mean 'cpu'",)),
    (lambda: opslib.exp(F4, backend=3), ValueError, ("backend", "3")),
    (lambda: opslib.exp(F4, out=np.ones(2, "f4")), ValueError, ("out", "(2, 3)")),
    (lambda: opslib.exp(F4, out=np.ones((2, 3), "i4")), TypeError, ("int32",)),
    (lambda: opslib.exp(F4, out="here"), ValueError, ("out", "str")),
    (lambda: opslib.gelu(F4, approximate="erf"), ValueError, ("erf", "tanh")),
    (
        lambda: opslib.embedding(np.array([0, 2]), F4),
        IndexError,
        ("embedding", "2"),
    ),
    (lambda: opslib.concat(), ValueError, ("concat", "at least one")),
    (lambda: opslib.concat([]), ValueError, ("concat", "at least one")),
    (lambda: opslib.concat([[F4]]), ValueError, ("concat", "list")),
    (lambda: opslib.concat([F4], [F4]), ValueError, ("concat", "list")),
    (lambda: opslib.concat(*[F4] * 129), ValueError, ("concat", "129", "128")),
    (lambda: opslib.elu(F4, 10**5000), ValueError, ("elu", "16610 bits")),
    (lambda: opslib.softmax(F4, axis=10**5000), ValueError, ("softmax", "64 bits")),
    (lambda: opslib.gelu(F4, approximate=F4), ValueError, ("gelu", "'tanh'")),
    (lambda: opslib.zeros((1 << 62,)), ValueError, ("zeros", "64 bits")),
    (lambda: opslib.zeros((1 << 40, 1 << 40)), ValueError, ("zeros", "64 bits")),
    (lambda: opslib.exp(F4, out=WINDOWS), ValueError, ("out", "share memory")),
    (lambda: opslib.tensordot(None, F4), ValueError, ("tensordot", "NoneType")),
    (lambda: opslib.tensordot([1.0], F4), ValueError, ("tensordot", "list")),
    (lambda: grown("n * 9^9999"), ValueError, ("shape of 'y'", "4096 bits")),
    (lambda: grown("9^9^9^9"), ValueError, ("shape of 'y'", "4096 bits")),
    (lambda: grown("1 << 99999999999"), ValueError, ("shape of 'y'", "shift")),
    (lambda: grown("n * 9^900"), ValueError, ("'y'", "64 bits")),
    (lambda: opslib.op("op f(x: T) -> y: T = z"), opslib.SpecError, ("z", "^")),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_what_is_wrong_is_said(number: int) -> None:
    call, kind, words = WRONG[number]
    with pytest.raises(opslib.OpslibError) as caught:
        call()
    error = caught.value
    assert isinstance(error, kind), f"{type(error).__name__}: {error}"
    text = str(error)
    assert error.code.startswith("E")
    assert error.code in text
    for word in words:
        assert word in text, text


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_errors_pickle(number: int) -> None:
    call, _, _ = WRONG[number]
    with pytest.raises(opslib.OpslibError) as caught:
        call()
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is type(caught.value)
    assert str(again) == str(caught.value)
    assert again.code == caught.value.code
    assert again.help == caught.value.help


@pytest.mark.parametrize("backend", ["numpy", "cpu", "jax"])
def test_an_index_out_of_bounds_raises_everywhere(backend: str) -> None:
    usable(backend)
    for bad in (-1, 2, 2**40):
        with pytest.raises(opslib.OperandIndexError):
            opslib.embedding(np.array([0, bad]), F4, backend=backend)
    # And the device is whole afterwards.
    again = opslib.embedding(np.array([1, 0]), F4, backend=backend)
    np.testing.assert_array_equal(again, F4)


def test_errors_come_out_of_a_process_pool() -> None:
    context = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        future = pool.submit(opslib.matmul, F4, F4)
        with pytest.raises(opslib.ShapeError, match="matmul"):
            future.result(timeout=120)


def test_mixed_libraries_are_refused() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(opslib.DeviceError, match="numpy and torch"):
        opslib.add(F4, torch.ones(2, 3))


def test_a_tensor_that_requires_grad_is_refused() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(opslib.ArgumentError, match="detach"):
        opslib.exp(torch.ones(2, requires_grad=True))


def test_a_tensor_elsewhere_is_refused() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(opslib.OpslibError, match="meta"):
        opslib.exp(torch.ones(2, device="meta"))


def test_a_jax_out_is_refused() -> None:
    jax = pytest.importorskip("jax")
    x = jax.numpy.ones(3)
    with pytest.raises(opslib.ArgumentError, match="cannot be written"):
        opslib.exp(x, out=x)


def test_a_read_only_out_is_refused() -> None:
    out = np.ones((2, 3), np.float32)
    out.flags.writeable = False
    with pytest.raises(opslib.ArgumentError, match="read-only"):
        opslib.exp(F4, out=out)


def usable(backend: str) -> None:
    """Skips where a backend cannot be used, with its reason."""
    found = [d for d in opslib.devices() if d.backend == backend]
    why = next((d.why_not for d in found if d.why_not is not None), None)
    if why is not None or not found:
        pytest.skip(f"{backend}: {why}")
