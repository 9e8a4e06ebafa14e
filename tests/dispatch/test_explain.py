"""What an operator tells about itself: explain, source, spec, cost, devices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import opslib
from opslib.runtime import registry

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


@pytest.mark.parametrize(
    "ask",
    [
        opslib.exp.plan,
        opslib.exp.cost,
        opslib.exp.bound,
        lambda *arrays: opslib.explain("exp", *arrays),
    ],
)
def test_what_the_call_would_not_take_is_not_explained(ask: Any) -> None:
    x = np.ones(3, np.float32)
    with pytest.raises(opslib.ArgumentError, match="takes 1 argument"):
        ask(x, x)


def test_an_argument_given_twice() -> None:
    x = np.ones((2, 3), np.float32)
    with pytest.raises(opslib.ArgumentError, match="two values for 'alpha'"):
        opslib.elu.plan(x, 0.5, alpha=2.0)


@pytest.mark.parametrize(
    ("named", "kind", "words"),
    [
        ({"backend": None}, opslib.ArgumentError, "string"),
        ({"backend": 3}, opslib.ArgumentError, "string"),
        ({"dtype": "float31"}, opslib.DTypeError, "float31"),
        ({"dtype": np.float32}, opslib.DTypeError, "float32"),
        ({"dtype": "int32"}, opslib.DTypeError, "int32"),
        ({"rank": "a"}, opslib.ArgumentError, "rank"),
        ({"rank": -1}, opslib.ArgumentError, "rank"),
    ],
)
def test_a_source_that_is_not_there(named: Any, kind: Any, words: str) -> None:
    with pytest.raises(kind, match=words):
        opslib.exp.source(**named)


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


@pytest.mark.parametrize("broken", [RuntimeError("lost"), KeyError("x")])
def test_a_backend_that_cannot_list_its_devices(
    broken: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def devices(self: Any) -> Any:
        raise broken

    monkeypatch.setattr(type(registry.load("numpy")), "devices", devices)
    (found,) = [d for d in opslib.devices() if d.backend == "numpy"]
    assert "cannot list its devices" in str(found.why_not)
    with pytest.raises(opslib.BackendUnavailable, match="cannot list its devices"):
        opslib.op("op listed(x: T) -> y: T = x")(X, backend="numpy")


def test_devices() -> None:
    names = {d.name for d in opslib.devices()}
    assert {"cpu", "numpy"} <= names
