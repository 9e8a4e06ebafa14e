"""Rows of which a mask leaves nothing: what the specs' sentences say of them."""

from __future__ import annotations

import numpy as np
import pytest

import opslib

NOTHING = -np.inf


@pytest.mark.parametrize("backend", ["numpy", "cpu", "jax"])
@pytest.mark.parametrize("count", [3, 1200])
def test_a_sink_takes_what_a_masked_row_leaves(backend: str, count: int) -> None:
    if not any(d.backend == backend and d.why_not is None for d in opslib.devices()):
        pytest.skip(f"no {backend} here")
    scores = np.zeros((1, 3, 2, count), np.float32)
    scores[:, :2] = NOTHING
    sink = np.array([NOTHING, 1.0, NOTHING], np.float32)
    given = opslib.softmax_with_sink(scores, sink, backend=backend)
    assert (given[:, :2] == 0).all()
    np.testing.assert_allclose(given[:, 2], 1 / count, rtol=1e-5)
