"""einsum and tensordot against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import opslib

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("ij,jk->ik", [(3, 4), (4, 5)]),
        ("ij,jk", [(3, 4), (4, 5)]),
        ("ba", [(3, 4)]),
        ("ii->i", [(4, 4)]),
        ("ii", [(4, 4)]),
        ("iij->j", [(3, 3, 4)]),
        ("ij->", [(3, 4)]),
        ("i,j->ij", [(3,), (4,)]),
        ("...ij,...jk->...ik", [(2, 3, 4), (2, 4, 5)]),
        ("...ij,jk->...ik", [(6, 2, 3, 4), (4, 5)]),
        ("...i->...", [(2, 3, 4)]),
        ("i...->...i", [(2, 3, 4)]),
        ("...ij,...jk", [(2, 3, 4), (2, 4, 5)]),
        (",ij->ij", [(), (3, 4)]),
        (",", [(), ()]),
        ("ijk,kl,lm->ijm", [(2, 3, 4), (4, 5), (5, 6)]),
        (" i j , j k -> i k ", [(3, 4), (4, 5)]),
        ("Aa,aB->AB", [(3, 4), (4, 5)]),
        ("ij,ij->", [(0, 4), (0, 4)]),
    ],
)
def test_einsum(subscripts: str, shapes: list[tuple[int, ...]]) -> None:
    arrays = [RNG.random(s) for s in shapes]
    want = np.einsum(subscripts, *arrays)
    for backend in ("cpu", "numpy"):
        got = opslib.einsum(subscripts, *arrays, backend=backend)
        assert np.shape(got) == np.shape(want)
        np.testing.assert_allclose(got, want, rtol=1e-12)


@pytest.mark.parametrize(
    ("subscripts", "count"),
    [
        ("ij->ik", 1),
        ("ij,jk->ik", 1),
        ("i1->i", 1),
        ("ij->ii", 1),
        ("i....", 1),
        ("i->j->k", 1),
        ("", 2),
        ("......", 1),
        ("...i...", 1),
    ],
)
def test_einsum_that_is_none(subscripts: str, count: int) -> None:
    with pytest.raises(opslib.OpslibError):
        opslib.einsum(subscripts, *[RNG.random((2, 2))] * count)


@pytest.mark.parametrize("bad", [3, None, b"ij"])
def test_subscripts_are_a_text(bad: Any) -> None:
    with pytest.raises(opslib.ArgumentError, match="text"):
        opslib.einsum(bad, RNG.random((2, 2)))


@pytest.mark.parametrize(
    "axes",
    [0, 1, 2, ((0,), (1,)), ([1, 2], [1, 0]), (-1, 0), ((-1, -2), (0, 1)), ([], [])],
)
def test_tensordot(axes: Any) -> None:
    x, y = RNG.random((3, 4, 4)), RNG.random((4, 4, 3))
    if axes == ((0,), (1,)):
        y = RNG.random((2, 3))
    got = opslib.tensordot(x, y, axes=axes)
    np.testing.assert_allclose(got, np.tensordot(x, y, axes=axes), rtol=1e-12)


@pytest.mark.parametrize(
    "axes",
    [
        4,
        -1,
        ((0,), (0, 1)),
        ((9,), (0,)),
        1.5,
        "ab",
        None,
        (1,),
        ((0, 0), (0, 1)),
        ((0, 1), (0, 0)),
    ],
)
def test_tensordot_that_is_none(axes: Any) -> None:
    with pytest.raises((opslib.OpslibError, TypeError)):
        opslib.tensordot(RNG.random((2, 2, 2)), RNG.random((2, 2, 2)), axes=axes)


def test_operands_that_are_none() -> None:
    with pytest.raises(opslib.ArgumentError):
        opslib.einsum("i->i", [1, 2])
    with pytest.raises(opslib.ArgumentError):
        opslib.tensordot([1, 2], [1, 2], axes=0)
