"""What a mask hides may be nan: a weight of 0 takes it, or does not read it."""

from __future__ import annotations

import numpy as np

from opslib.dispatch.handle import Handle
from opslib.testing import judge
from opslib.testing.inputs import Case, make_case


def _judged(operator: str) -> tuple[Case, judge.Reference]:
    """A case of special values whose hidden keys hold some that are no numbers."""
    case = make_case(Handle(operator), "float32", 2, kind="special")
    arithmetic = judge.arithmetic_of("cpu", case)
    return case, judge.reference(case, arithmetic)


def test_hidden_keys_leave_a_row_open() -> None:
    _, known = _judged("attention")
    found = known.judgements[0]
    assert found is not None
    assert np.isinf(found.bound).any()
    assert not np.isfinite(found.value[np.isinf(found.bound)]).any()


def test_a_row_of_nans_alone_is_not_open() -> None:
    """Of a product there is nothing hidden: a nan is demanded where one is."""
    _, known = _judged("matmul")
    found = known.judgements[0]
    assert found is not None
    assert np.isnan(found.value).any()
    assert not np.isinf(found.bound[np.isnan(found.value)]).any()
