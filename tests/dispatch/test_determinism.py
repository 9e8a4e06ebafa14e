"""Bits of CPU kernels: the same in every call, with any number of threads.

One case for each skeleton and each way it has of splitting work; shapes are large
enough for several workers, and no multiple of a vector. What depends on the *shape* of
a call is in docs/design.md ("The same bits").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import opslib

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = opslib.get_num_threads()
    yield
    opslib.set_num_threads(before)


def normal(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return rng.standard_normal(shape).astype(dtype)


def indices(high: int, *shape: int) -> np.ndarray:
    return rng.integers(0, high, shape)


STARTS = np.array([0, 100, 101, 400, 1000], np.int32)
PAGES = rng.permutation(256).reshape(4, 64).astype(np.int32)
LENGTHS = np.array([1000, 3, 500, 1024], np.int32)


def attention(q: Any, k: Any, v: Any) -> Any:
    return opslib.scaled_dot_product_attention(q, k, v, is_causal=True)


def packed(q: Any, k: Any, v: Any) -> Any:
    return opslib.varlen_attention(q, k, v, STARTS, STARTS, causal=True)


def paged(q: Any, k: Any, v: Any) -> Any:
    return opslib.paged_attention(q, k, v, PAGES, LENGTHS)


def decode(q: Any, k: Any, v: Any) -> Any:
    return opslib.scaled_dot_product_attention(q, k, v, enable_gqa=True)


def grouped(x: Any, w: Any) -> Any:
    return opslib.conv2d(x, w, groups=16)


def down(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function along the first axis."""
    return lambda x: function(x, axis=0)


HALF = ml_dtypes.bfloat16
CASES: dict[str, tuple[str, Callable[..., Any], tuple[np.ndarray, ...]]] = {
    "map": ("map", opslib.exp, (normal(300_001),)),
    "across the grain": ("map", lambda x: opslib.add(x.T, x), (normal(700, 700),)),
    "gather": ("gather", opslib.embedding, (indices(90, 4000), normal(90, 67))),
    "rows": ("row_fold", lambda x: opslib.sum(x, axis=-1), (normal(300, 3001),)),
    "one row": ("row_fold", opslib.sum, (normal(1_000_001),)),
    "columns": ("row_fold", down(opslib.sum), (normal(3001, 300),)),
    "few columns": ("row_fold", down(opslib.sum), (normal(100_003, 7),)),
    "stages of a row": ("row_fold", opslib.softmax, (normal(200, 4099),)),
    "one long row": ("row_fold", opslib.softmax, (normal(1, 500_003),)),
    "normalisation": ("row_fold", opslib.layer_norm, (normal(300, 1023),)),
    "grouped": ("contraction", grouped, (normal(2, 16, 40, 40), normal(16, 1, 3, 3))),
    "blocks": ("contraction", opslib.matmul, (normal(301, 700), normal(700, 203))),
    "small": ("contraction", opslib.matmul, (normal(41, 60), normal(60, 51))),
    "half": (
        "contraction",
        opslib.matmul,
        (normal(301, 700, dtype=HALF), normal(700, 203, dtype=HALF)),
    ),
    "few rows": ("contraction", opslib.matmul, (normal(3, 2048), normal(2048, 1501))),
    "few, transposed": (
        "contraction",
        opslib.linear,
        (normal(3, 999), normal(1501, 999)),
    ),
    "windows": (
        "contraction",
        opslib.conv2d,
        (normal(2, 16, 40, 40), normal(32, 16, 3, 3)),
    ),
    "attention": ("streaming", attention, tuple(normal(2, 3, 700, 32) for _ in "qkv")),
    "one block": ("streaming", attention, tuple(normal(1, 1, 223, 32) for _ in "qkv")),
    "packed": ("streaming", packed, tuple(normal(1000, 3, 32) for _ in "qkv")),
    "paged": (
        "streaming",
        paged,
        (normal(4, 8, 32), normal(256, 16, 2, 32), normal(256, 16, 2, 32)),
    ),
    "decode": (
        "streaming",
        decode,
        (normal(2, 8, 1, 32), normal(2, 2, 3000, 32), normal(2, 2, 3000, 32)),
    ),
    "scan of rows": ("scan", lambda x: opslib.cumsum(x, axis=-1), (normal(200, 3001),)),
    "scan of columns": ("scan", down(opslib.cumsum), (normal(3001, 200),)),
    "scan of one row": ("scan", opslib.cumsum, (normal(1_000_001),)),
    "order": ("order", opslib.sort, (normal(200, 3001),)),
    "scatter": (
        "nest",
        lambda x, i, s: opslib.scatter_add(x, 0, i, s),
        (normal(100, 50), indices(100, 9000, 50), normal(9000, 50)),
    ),
}


def bits(value: Any) -> bytes:
    return np.asarray(value).tobytes()


def moved(array: np.ndarray) -> np.ndarray:
    """The same values where no vector is aligned."""
    raw = np.empty(array.nbytes + 128, np.uint8)
    first = -raw.ctypes.data % 64 + array.itemsize
    copy = raw[first : first + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


@pytest.mark.parametrize("case", list(CASES))
def test_the_same_bits(case: str) -> None:
    skeleton, function, arrays = CASES[case]
    with opslib.use("cpu"), opslib.receipts() as found:
        opslib.set_num_threads(1)
        first = bits(function(*arrays))
        for count in (1, 2, 3, 5):
            opslib.set_num_threads(count)
            assert bits(function(*arrays)) == first, f"{count} threads"
        assert bits(function(*map(moved, arrays))) == first, "other alignment"
    assert {r.skeleton for r in found} == {skeleton}


def test_every_skeleton_is_here() -> None:
    from opslib.lowering.skeletons.choose import SKELETONS

    assert {skeleton for skeleton, _, _ in CASES.values()} == {
        s.name for s in SKELETONS
    }


# A row alone, and the same row among others: what is promised to those who batch.
ALONE: dict[str, tuple[Callable[..., Any], int]] = {
    "sum": (lambda x: opslib.sum(x, axis=-1), 1003),
    "softmax": (opslib.softmax, 1003),
    "layer_norm": (opslib.layer_norm, 1003),
    "cumsum": (lambda x: opslib.cumsum(x, axis=-1), 1003),
    "sort": (opslib.sort, 1003),
    "gelu": (opslib.gelu, 1003),
}


@pytest.mark.parametrize("name", list(ALONE))
def test_a_row_does_not_depend_on_its_batch(name: str) -> None:
    function, width = ALONE[name]
    x = normal(300, width)
    with opslib.use("cpu"):
        whole = function(x)
        for count in (1, 2, 17):
            assert bits(function(x[:count].copy())) == bits(whole[:count])


def test_a_sequence_does_not_depend_on_its_batch() -> None:
    q, k, v = (normal(3, 2, 300, 32) for _ in "qkv")
    with opslib.use("cpu"):
        whole = attention(q, k, v)
        for b in range(3):
            one = attention(q[b : b + 1], k[b : b + 1], v[b : b + 1])
            assert bits(one) == bits(whole[b : b + 1])
