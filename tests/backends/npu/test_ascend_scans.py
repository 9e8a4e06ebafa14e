"""Running folds on the vector unit: prefixes of a tile, and what goes on from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from opslib.backends.npu.ascend.lower import lower
from opslib.backends.npu.ascend.machine import instructions
from opslib.backends.npu.targets import TARGETS

from . import ascend_mutations as mutations
from .ascend_cases import built, case, expected, has_compiler, normal

needs_compiler = pytest.mark.skipif(not has_compiler(), reason="no C++ compiler")

SCANS = ("cumsum", "cumprod", "cummax", "cummin")
# Lengths around a block of 8, and more than two tiles of the launch for long rows.
LENGTHS = (1, 2, 7, 8, 9, 64, 257)
LONG = 2 * 8192 + 5


def _factors(*shape: int) -> Any:
    """Numbers whose products neither vanish nor leave the range."""
    return np.exp(0.01 * normal(*shape)).astype("float32")


def _checked(operator: str, x: Any, rtol: float = 1e-5) -> None:
    found = case(operator, x)
    for got, want in zip(built(found).run(found), expected(found), strict=True):
        if operator in ("cummax", "cummin"):
            np.testing.assert_array_equal(got, want.astype(got.dtype))
        else:
            scale = np.abs(x.astype("f8")).cumsum(-1) if operator == "cumsum" else want
            close = np.abs(got.astype("f8") - want) <= rtol * np.abs(scale)
            assert np.all(close | (np.isnan(got) & np.isnan(want)))


@needs_compiler
@pytest.mark.parametrize("operator", SCANS)
@pytest.mark.parametrize("n", LENGTHS)
def test_rows_that_stay_on_the_chip(operator: str, n: int) -> None:
    _checked(operator, (_factors if operator == "cumprod" else normal)(3, n))


@needs_compiler
@pytest.mark.parametrize("operator", SCANS)
def test_rows_of_several_tiles(operator: str) -> None:
    _checked(operator, (_factors if operator == "cumprod" else normal)(2, LONG))


@needs_compiler
@pytest.mark.parametrize("operator", SCANS)
@pytest.mark.parametrize("at", [0, 5, 8191, 8192])
def test_a_nan_is_there_from_its_place_on(operator: str, at: int) -> None:
    x = _factors(2, LONG)
    x[0, at] = np.nan
    found = case(operator, x)
    (got,) = built(found).run(found)
    np.testing.assert_array_equal(np.isnan(got[0]), np.arange(LONG) >= at)
    assert not np.isnan(got[1]).any()


@needs_compiler
@pytest.mark.parametrize("operator", ["cummax", "cummin"])
def test_whole_numbers(operator: str) -> None:
    x = np.random.default_rng(0).integers(-(2**31), 2**31, (2, 300)).astype("int32")
    x[1, :2] = [-(2**31), 2**31 - 1]
    _checked(operator, x)


@needs_compiler
def test_infinities() -> None:
    x = normal(4, 40)
    x[0, 7], x[1, 8], x[1, 20], x[2, :] = np.inf, -np.inf, np.inf, -np.inf
    for operator in ("cummax", "cummin"):
        _checked(operator, x)
    found = case("cumsum", x)
    (got,) = built(found).run(found)
    np.testing.assert_array_equal(np.isnan(got[1]), np.arange(40) >= 20)


@pytest.mark.parametrize("target", sorted(TARGETS))
@pytest.mark.parametrize("operator", SCANS)
def test_no_element_passes_through_the_scalar_unit(operator: str, target: int) -> None:
    """One element of a tile does: what the next tile goes on from."""
    made = lower(case(operator, normal(3, 5)).program, operator, TARGETS[target])
    for launch in made.launches:
        texts = [i.text for i in instructions(launch.body) if i.pipe == "S"]
        assert not any("Put(" in t for t in texts), launch.name
        assert sum("GetValue(" in t for t in texts) <= 1, launch.name
    assert any(launch.rows for launch in made.launches)


@needs_compiler
def test_every_flag_is_needed() -> None:
    work = [("cumsum", "float32"), ("cummax", "float16")]
    found = list(mutations.survey(work, most=1))
    assert mutations.complaints(found) == []
    assert sum(len(v.caught) for v in found) > 40
