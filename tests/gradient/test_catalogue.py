"""Every operator's gradient against central differences, in float64."""

from __future__ import annotations

import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import opslib
from opslib.errors import ArgumentError
from opslib.testing.inputs import NoCase, generator

WITHOUT = tomllib.loads((Path(__file__).parent / "without.toml").read_text())
NONE = {*WITHOUT["discrete"], *WITHOUT["constant"], *WITHOUT["other"]}
DIFFERENTIABLE = [n for n in opslib.operators() if n not in NONE]
# Calls that are compared, of so many that are tried: some numbers have no call.
CASES, TRIED = 3, 60
# Gradients that are 0 times an infinite derivative, with where that happens.
SINGULAR = {"std": "the standard deviation of one number, where sqrt'(0) is infinite"}


def compared(name: str, number: int, call: Any, differences: ModuleType) -> int:
    """How many directions of a call could be compared; all of them fit."""
    rng = generator("cotangents", name, number)
    cotangents = call.cotangents(rng)
    gradients = call.gradients(cotangents)
    for k, g in gradients.items():
        assert g.shape == call.inputs[k].shape
        assert g.dtype == call.inputs[k].dtype
    finite = all(np.isfinite(g).all() for g in gradients.values())
    if name in SINGULAR and not finite:
        return 0
    wide = {k: g for k, g in gradients.items() if g.dtype == np.float64}
    found = differences.compare(call.forward, call.inputs, cotangents, wide, rng)
    assert not found.wrong, f"case {number}, {call.case.describe()}: {found.wrong}"
    counted: int = found.counted
    return counted


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_the_gradient_is_the_derivative(
    name: str, calls: ModuleType, differences: ModuleType
) -> None:
    counted = made = 0
    for number in range(1, TRIED, 2):
        if made == CASES:
            break
        try:
            call = calls.make(name, number)
        except NoCase:
            continue
        if not call.is_full:
            continue
        made += 1
        counted += compared(name, number, call, differences)
    assert counted, f"{name}: no direction could be compared"


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    name=st.sampled_from(DIFFERENTIABLE),
    number=st.integers(0, 200),
    seed=st.integers(0, 1000),
)
def test_of_any_shape(
    name: str, number: int, seed: int, calls: ModuleType, differences: ModuleType
) -> None:
    try:
        call = calls.make(name, number, seed=seed)
    except NoCase:
        return
    if call.is_full:
        compared(name, number, call, differences)


@pytest.mark.parametrize("name", sorted(NONE))
def test_what_has_no_gradient_says_so(name: str) -> None:
    with pytest.raises(ArgumentError, match="has no gradient"):
        getattr(opslib, name).grad.text()
    assert "has no gradient" in repr(getattr(opslib, name).grad)


def test_the_list_of_exceptions_names_operators() -> None:
    assert set(opslib.operators()) >= NONE
