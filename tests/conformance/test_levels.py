"""What a level measures."""

from __future__ import annotations

import numpy as np

from opslib.analysis.bound import Judgement
from opslib.ir.dtypes import FLOAT16
from opslib.testing import levels


def test_overflow_is_not_measured_in_ulp() -> None:
    """Where the type has no such number, saturating is the rigorous bound's affair."""
    want = np.array([1000.0, 70000.0, 4e6, -4e6, np.inf])
    got = np.array([1001.0, 65504.0, 65504.0, -65504.0, 65504.0], np.float16)
    judgement = Judgement(want, np.zeros(want.shape), None, None)
    used = levels.ulps(got, judgement, FLOAT16, 1.0)
    assert used[0] > 1
    np.testing.assert_array_equal(used[1:], 0.0)
