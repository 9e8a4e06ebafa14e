"""The suite as tests that a plug-in's own test files can import.

``from opslib.testing.suite import *`` in a file of the plug-in's tests gives one test
for each operator and dtype, run by ``pytest --opslib-backend mychip``. Without such a
file the option alone adds the same tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

__all__ = ["test_opslib_conformance"]


@pytest.mark.opslib_conformance
def test_opslib_conformance(
    opslib_pair: tuple[str, str], pytestconfig: pytest.Config
) -> None:
    """One operator in one dtype within everything the backend promises."""
    hold(pytestconfig, *opslib_pair)


def pairs(config: pytest.Config) -> Iterator[tuple[str, str]]:
    """Operators and dtypes of the chosen profile; none without a backend."""
    if config.getoption("--opslib-backend") is None:
        return
    from opslib.language.library import load_library
    from opslib.testing.conformance import PROFILES
    from opslib.testing.shapes import dtypes_of

    profile = PROFILES[config.getoption("--opslib-profile")]
    only = config.getoption("--opslib-op")
    for name, operator in load_library().items():
        if only is None or name in only:
            for dtype in dtypes_of(operator)[: profile.dtypes]:
                yield name, dtype


def hold(config: pytest.Config, operator: str, dtype: str) -> None:
    """Judges an operator in a dtype; fails, skips, or passes the running test."""
    from opslib.dispatch.handle import Handle
    from opslib.testing import known
    from opslib.testing.conformance import check

    backend = config.getoption("--opslib-backend")
    profile = config.getoption("--opslib-profile")
    seed = config.getoption("--opslib-seed")
    outcome = check(Handle(operator), dtype, backend, profile, seed=seed)
    outcome = known.explained(outcome, _known(config))
    _outcomes(config).append(outcome)
    if outcome.state == "untested":
        pytest.skip(outcome.reason)
    if known.is_known(outcome):
        pytest.xfail(outcome.reason)
    lines = [f"{f.message}\n    {f.line}" for f in outcome.failures[:5]]
    more = len(outcome.failures) - len(lines)
    text = "\n".join([*lines, *([f"and {more} more cases"] if more > 0 else [])])
    assert not outcome.failures, f"{operator} {dtype} on {backend}:\n{text}"


_key = pytest.StashKey[list[Any]]()
_entries = pytest.StashKey[tuple[Any, ...]]()


def _outcomes(config: pytest.Config) -> list[Any]:
    return config.stash.setdefault(_key, [])


def _known(config: pytest.Config) -> tuple[Any, ...]:
    found = config.stash.get(_entries, None)
    if found is None:
        from opslib.testing import known

        path = config.getoption("--opslib-known-failures")
        found = known.shipped() + (() if path is None else known.read(path))
        config.stash[_entries] = found
    return found


def finished(config: pytest.Config, path: Path) -> None:
    """Writes the report of what was tested."""
    from opslib.testing.conformance import family_of
    from opslib.testing.report import Report, write_json

    backend = config.getoption("--opslib-backend")
    if backend is None:
        return
    profile = config.getoption("--opslib-profile")
    seed = config.getoption("--opslib-seed")
    report = Report.new(backend, family_of(backend), profile, seed)
    for outcome in _outcomes(config):
        report.add(outcome, ())
    write_json(report, path)
