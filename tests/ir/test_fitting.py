"""What is read through ``fit`` has to broadcast: too large is as wrong as too small."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import opslib

Q = np.ones((1, 4, 5, 8), np.float32)
K = np.ones((1, 2, 7, 8), np.float32)
A = np.ones((2, 3), np.float32)


def addmm(shape: tuple[int, ...], **named: Any) -> Any:
    given = np.ones(shape, np.float32)
    return opslib.addmm(given, A, np.ones((3, 4), np.float32), **named)


def baddbmm(shape: tuple[int, ...]) -> Any:
    given = np.ones(shape, np.float32)
    return opslib.baddbmm(given, A[None], np.ones((1, 3, 4), np.float32))


def broadcast(shape: tuple[int, ...]) -> Any:
    return opslib.broadcast_to(np.ones(shape, np.float32), (2, 4))


def masked(shape: tuple[int, ...]) -> Any:
    return opslib.attention(Q, K, K, np.ones(shape, bool))


def biased(shape: tuple[int, ...]) -> Any:
    return opslib.attention(Q, K, K, None, np.ones(shape, np.float32))


def torch_masked(shape: tuple[int, ...]) -> Any:
    mask = np.ones(shape, bool)
    return opslib.scaled_dot_product_attention(Q, K, K, mask, enable_gqa=True)


CASES: dict[Any, tuple[str, list[tuple[int, ...]], list[tuple[int, ...]]]] = {
    addmm: (
        "'input' of shape {}, which does not broadcast to (2, 4)",
        [(), (1,), (4,), (2, 1), (1, 4), (2, 4)],
        [(0,), (2,), (5,), (3, 4), (1, 2, 4), (2, 2, 4)],
    ),
    baddbmm: (
        "'input' of shape {}, which does not broadcast to (1, 2, 4)",
        [(4,), (1, 2, 4), (1, 1, 1)],
        [(3, 2, 4), (0, 2, 4), (1, 1, 2, 4), (5,)],
    ),
    broadcast: (
        "'x' of shape {}, which does not broadcast to (2, 4)",
        [(), (4,), (2, 1), (1, 1)],
        [(5,), (3, 4), (0, 4), (1, 2, 4)],
    ),
    masked: (
        "'mask' of shape {}, which does not broadcast to (1, 4, 5, 7)",
        [(7,), (5, 1), (4, 5, 7), (1, 1, 5, 7)],
        [(8,), (5,), (2, 5, 7), (5, 5, 7), (2, 4, 5, 7), (1, 1, 1, 5, 7)],
    ),
    biased: (
        "'bias' of shape {}, which does not broadcast to (1, 4, 5, 7)",
        [(7,), (4, 1, 7)],
        [(8,), (8, 5, 7), (0,)],
    ),
    torch_masked: (
        "'attn_mask' of shape {}, which does not broadcast to (1, 4, 5, 7)",
        [(7,), (4, 5, 7)],
        [(8,), (6, 5, 7)],
    ),
}


@pytest.fixture(autouse=True)
def _numpy() -> Any:
    with opslib.use("numpy"):
        yield


@pytest.mark.parametrize("call", CASES, ids=lambda c: c.__name__)
def test_what_broadcasts_is_taken(call: Any) -> None:
    for shape in CASES[call][1]:
        call(shape)


@pytest.mark.parametrize("call", CASES, ids=lambda c: c.__name__)
def test_what_does_not_is_named_with_both_shapes(call: Any) -> None:
    text, _, wrong = CASES[call]
    for shape in wrong:
        with pytest.raises(opslib.ShapeError) as caught:
            call(shape)
        assert caught.value.code == "E0702"
        assert text.format(shape) in str(caught.value)


def test_a_factor_of_zero_makes_no_shape_right() -> None:
    """As in torch: which shapes fit does not depend on a number."""
    with pytest.raises(opslib.ShapeError):
        addmm((3,), beta=0.0)
    assert addmm((4,), beta=0.0).shape == (2, 4)


def test_ranges_that_the_definition_writes_are_left_alone() -> None:
    """A fold over a part of an axis reads a tensor that is just as long."""
    part = opslib.op(
        "op part(x: T[n], w: T[...s]) -> y: T[]\n"
        "    y[] = sum[i in 0..n - 1](x[i] * w[...(fit(i, s))])\n"
    )
    assert part(np.ones(5, np.float32), np.ones(4, np.float32)) == 4


def test_through_a_local() -> None:
    """The extent of an index is found through what a definition above is made of."""
    through = opslib.op(
        "op through(x: T[m, n], w: T[...s]) -> y: T[m, n]\n"
        "    a[i, j] = 2 * x[i, j]\n"
        "    y[i, j] = a[i, j] * w[...(fit(i, j, s))]\n"
    )
    assert through(A, np.ones(3, np.float32)).shape == (2, 3)
    with pytest.raises(opslib.ShapeError, match="broadcast to"):
        through(A, np.ones(4, np.float32))
