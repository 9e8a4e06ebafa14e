"""Tests of the tests: each planted bug must be caught, and the right backend pass."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opslib.dispatch import caches, call
from opslib.dispatch.handle import Handle
from opslib.errors import OpslibError
from opslib.language.library import load_library
from opslib.runtime import registry
from opslib.testing import pairs
from opslib.testing.conformance import Outcome, check, verdicts


def _load(name: str) -> Any:
    # importlib mode has no sys.path entry for tests/, so siblings come by their path.
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"opslib_tests_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


fakes = _load("fakes")
planted = _load("planted")
OPERATORS = sorted(
    {o for ops in fakes.SHOWS.values() for o in ops} & set(load_library())
)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    loaded, points = dict(registry._loaded), dict(registry._entry_points())
    yield
    registry._loaded.clear()
    registry._loaded.update(loaded)
    registry._entry_points().clear()
    registry._entry_points().update(points)


def outcomes(backend: str, operators: list[str]) -> list[Outcome]:
    return [check(Handle(name), "float32", backend, "quick") for name in operators]


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_right_backend_passes(operator: str) -> None:
    name = fakes.install(None, "fake_right")
    (outcome,) = outcomes(name, [operator])
    assert outcome.state == "pass", outcome.failures


@pytest.mark.parametrize("bug", fakes.BUGS, ids=lambda b: b.name.replace(" ", "-"))
def test_a_planted_bug_is_caught(bug: Any) -> None:
    name = fakes.install(bug, f"fake_{bug.name.replace(' ', '_')}")
    operators = [o for o in fakes.SHOWS[bug.name] if o in load_library()]
    found = outcomes(name, operators)
    missed = [o.operator for o in found if o.state != "fail"]
    assert not missed, f"{bug.name} is not seen in {', '.join(missed)}"


@pytest.mark.parametrize("bug", planted.PLANTED, ids=lambda b: b.name.replace(" ", "-"))
def test_a_real_kernels_bug_is_caught(bug: Any) -> None:
    def before(program: Any, inputs: list[Any]) -> list[Any]:
        for a in inputs:
            bug.before(program, a)
        return inputs

    def after(program: Any, inputs: list[Any], outputs: list[Any]) -> list[Any]:
        for o in outputs:
            bug.after(program, inputs, o)
        return outputs

    made = fakes.Bug(bug.name, bug.before and before, bug.after and after)
    name = fakes.install(made, f"fake_{bug.name.replace(' ', '_')}")
    found = [check(Handle(o), bug.dtype, name, "quick") for o in bug.shows]
    missed = [o.operator for o in found if o.state != "fail"]
    assert not missed, f"{bug.name} is not seen in {', '.join(missed)}"


@pytest.mark.parametrize(
    ("relation", "bug", "operators"), fakes.RELATIONS, ids=lambda v: str(v)[:12]
)
def test_a_relation_sees_the_bug_that_breaks_it(
    relation: str, bug: Any, operators: tuple[str, ...]
) -> None:
    """The relation itself: other levels see these bugs where there is a reference."""
    name = fakes.install(bug, f"fake_relation_{bug.name.replace(' ', '_')}")
    for operator in operators:
        handle = Handle(operator)
        with np.errstate(all="ignore"):
            found = [
                m.got
                for verdict in verdicts(handle, "float32", name, range(24))
                for m in verdict.measures
                if m.level == "M" and not m.holds
            ]
        assert any(relation in got for got in found), f"{operator}: {found[:3]}"


@pytest.mark.parametrize(
    "k", range(len(pairs.rows())), ids=lambda k: pairs.rows()[k].of
)
def test_a_relation_between_operators_can_fail(k: int) -> None:
    """One wrong result of the row's operator, and the row does not hold any more."""
    row = pairs.rows()[k]
    dtype = row.dtypes[0]
    name = fakes.install(None, "fake_right")
    status, _, message = pairs.judge_row(name, k, dtype, 0)
    assert status == "pass", message
    seen = []
    for launch in range(4):
        bug = fakes.Bug("off", after=fakes.off, launch=launch, program=row.of)
        fakes.LAUNCHES[0] = 0
        caches.kernels.clear()
        call._plans.clear()
        pairs._handle.cache_clear()
        name = fakes.install(bug, "fake_off")
        try:
            status, _, _ = pairs.judge_row(name, k, dtype, 0)
        except OpslibError:
            status = "fail"  # (an index that is off is not one of the array)
        seen.append(status)
    assert "fail" in seen, f"{row.left} == {row.right}: {seen}"


def test_the_catch_rate(capsys: pytest.CaptureFixture[str]) -> None:
    caught = tried = 0
    lines = []
    for bug in fakes.BUGS:
        name = fakes.install(bug, f"fake_rate_{bug.name.replace(' ', '_')}")
        operators = [o for o in fakes.SHOWS[bug.name] if o in load_library()]
        found = outcomes(name, operators)
        seen = sum(o.state == "fail" for o in found)
        first = next((o.failures[0].message for o in found if o.failures), "")
        lines.append(f"{bug.name}: {seen} of {len(found)}; e.g. {first[:100]}")
        caught, tried = caught + seen, tried + len(found)
    with capsys.disabled():
        print(f"\ncatch rate: {caught} of {tried}")
        print("\n".join(f"  {line}" for line in lines))
    assert caught == tried
