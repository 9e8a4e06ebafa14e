"""Counter-based random numbers: the published vectors, on every backend."""

from __future__ import annotations

import numpy as np
import pytest

import opslib

# Known answers of the authors' Random123 library for Philox4x32-10: all zero, and all
# ones (counter and key).
ZEROS = (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)
ONES = (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)


def usable() -> list[str]:
    return sorted({d.backend for d in opslib.devices() if d.why_not is None})


@pytest.mark.parametrize("backend", usable())
@pytest.mark.parametrize("word", range(4))
def test_known_answers(backend: str, word: int) -> None:
    for value, wanted in ((0, ZEROS), (-1, ONES)):
        f = opslib.op(
            f"op bits(*, shape: shape) -> y: uint32[...shape]\n"
            f"    y[...i] = philox({value}, {value}, {value}, {word})"
        )
        assert int(np.asarray(f(shape=(1,), backend=backend))[0]) == wanted[word]


def test_every_backend_gives_the_same_bits() -> None:
    made = [
        np.asarray(opslib.random_bits(shape=(3, 5, 7), seed=9, offset=4, backend=b))
        for b in usable()
    ]
    for other in made[1:]:
        np.testing.assert_array_equal(made[0], other)


def test_moments() -> None:
    count = 1 << 18
    u = opslib.uniform(shape=(count,), seed=1, low=-1.0, high=3.0)
    n = opslib.normal(shape=(count,), seed=2, mean=5.0, std=2.0)
    # Five standard errors; seeds are fixed, so this cannot flicker.
    assert abs(u.mean() - 1) < 5 * (4 / 12**0.5) / count**0.5
    assert u.min() >= -1
    assert u.max() < 3
    assert abs(n.mean() - 5) < 5 * 2 / count**0.5
    assert abs(n.std() - 2) < 5 * 2 / (2 * count) ** 0.5
    b = opslib.bernoulli(np.full(count, 0.25, np.float32), seed=3)
    assert abs(b.mean() - 0.25) < 5 * (0.25 * 0.75) ** 0.5 / count**0.5


def test_randint_covers_its_range() -> None:
    found = opslib.randint(-3, 4, shape=(10_000,), seed=5)
    assert set(np.unique(found)) == set(range(-3, 4))


def test_dropout_scales_what_it_keeps() -> None:
    x = np.arange(1, 1001, dtype=np.float32)
    y = opslib.dropout(x, p=0.25, seed=7)
    kept = y != 0
    np.testing.assert_allclose(y[kept], x[kept] / 0.75, rtol=1e-6)
    assert 650 < kept.sum() < 850
    np.testing.assert_array_equal(y, opslib.dropout(x, p=0.25, seed=7))
    assert (y != opslib.dropout(x, p=0.25, seed=8)).any()
