"""What an operator tells about itself: explain, source, spec, cost, devices."""

from __future__ import annotations

import numpy as np
import pytest

import opslib

X = np.ones((3, 4), np.float32)


def test_explain_says_who_runs_and_why_not_the_others() -> None:
    found = opslib.explain("matmul", X, X.T)
    verdicts = {device: verdict for device, verdict, _ in found.rows}
    assert verdicts["cpu"] == "runs"
    assert set(verdicts) == {d.name for d in opslib.devices()}
    assert str(found).splitlines()[0] == "matmul:"
    assert "asked for by the argument" in str(
        opslib.explain(opslib.add, X, X, backend="numpy")
    )
    with opslib.use("numpy"):
        assert "opslib.use" in str(opslib.explain("add", X, X))


def test_explain_of_a_call_that_does_not_fit() -> None:
    with pytest.raises(opslib.ShapeError):
        opslib.explain("matmul", X, X)
    with pytest.raises(opslib.ArgumentError, match="no operator 'matmull'"):
        opslib.explain("matmull", X, X)
    with pytest.raises(opslib.ArgumentError, match="not an operator"):
        opslib.explain(len, X)


def test_spec_and_source() -> None:
    assert str(opslib.softmax.spec).startswith("op softmax(")
    assert opslib.softmax.spec.tree.name == "softmax"
    assert "def " in opslib.softmax.source()
    assert opslib.softmax.source("cpu", dtype="float64") != opslib.softmax.source("cpu")
    with pytest.raises(opslib.BackendUnavailable):
        opslib.softmax.source("nothing")


def test_bound_holds() -> None:
    x = np.random.default_rng(0).standard_normal((4, 50)).astype(np.float32)
    (bound,) = opslib.softmax.bound(x)
    exact = np.exp(x.astype(float) - x.max(-1, keepdims=True))
    exact /= exact.sum(-1, keepdims=True)
    assert (np.abs(opslib.softmax(x) - exact) <= bound).all()


def test_devices() -> None:
    names = {d.name for d in opslib.devices()}
    assert {"cpu", "numpy"} <= names
