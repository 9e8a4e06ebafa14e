"""Every backend usable here, held to the suite: a part of it that fits a test run."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from opslib.dispatch.handle import Handle
from opslib.errors import BackendUnavailable
from opslib.language.library import load_library
from opslib.runtime import registry
from opslib.testing import known, runner
from opslib.testing.conformance import Outcome, pair_numbers
from opslib.testing.report import Report
from opslib.testing.shapes import dtypes_of

PARTS: dict[str, Any] = tomllib.loads(
    Path(__file__).with_name("parts.toml").read_text("utf-8")
)


def usable() -> list[str]:
    found = []
    for name in PARTS:
        try:
            registry.device(name)
        except BackendUnavailable:
            continue
        found.append(name)
    return found


def rows() -> list[tuple[str, str]]:
    return [
        (backend, operator)
        for backend in usable()
        for operator in PARTS[backend].get("operators", load_library())
    ]


@cache
def report(backend: str) -> Report:
    """All rows of a backend, in two workers at a time."""
    part = PARTS[backend]
    jobs = [
        runner.Job(name, dtype, (*part["cases"], *pair_numbers(name, dtype)), 0)
        for name in part.get("operators", load_library())
        for dtype in dtypes_of(Handle(name).operator)[: part["dtypes"]]
    ]
    return runner.run(backend, jobs, "quick", workers=2, known_failures=known.shipped())


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "operator"), rows())
def test_conformance(backend: str, operator: str) -> None:
    mine: list[Outcome] = [
        o for o in report(backend).outcomes if o.operator == operator
    ]
    if all(o.state == "untested" for o in mine):
        pytest.skip(mine[0].reason)
    failures = [
        f"{f.message}\n    {f.line}"
        for o in mine
        for f in o.failures
        if not known.is_known(o)
    ]
    assert not failures, "\n".join(failures)
    explained = [o.reason for o in mine if known.is_known(o)]
    if explained:
        pytest.xfail(explained[0])


def test_each_part_says_why_it_is_one() -> None:
    for part in PARTS.values():
        assert len(part["reason"]) > 20
        assert set(part.get("operators", ())) <= set(load_library())
