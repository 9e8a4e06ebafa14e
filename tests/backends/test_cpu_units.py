"""Many kernels in one translation unit: robust, and no different from single ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from opslib.backends.cpu import renderer, units

from opslib.dispatch import caches, call, routing
from opslib.dispatch.handle import Handle
from opslib.dispatch.inspection import sample_program
from opslib.errors import BackendUnavailable, CompileError
from opslib.runtime import registry
from opslib.testing.conformance import check
from opslib.testing.gather import gather

NAMES = ("add", "exp", "negative", "sum", "where", "maximum", "tril", "relu")


@pytest.fixture(autouse=True)
def _compiler() -> None:
    try:
        registry.device("cpu")
    except BackendUnavailable as error:
        pytest.skip(error.message)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Names of the kernels of each unit that is compiled; none are there before."""
    found: list[list[str]] = []
    build = units.build

    def counted(kernels: Sequence[Any], *args: Any) -> Any:
        found.append([k.name for k in kernels])
        return build(kernels, *args)

    monkeypatch.setattr(units, "build", counted)
    monkeypatch.setattr(renderer, "build", counted)
    for cache in (caches.kernels, caches.programs, call._plans):
        cache.clear()
    return found


def requests() -> list[tuple[Any, tuple[str, ...]]]:
    programs = [sample_program(Handle(n), "float32", rank=2) for n in NAMES]
    return [(p, ("contiguous-inner",) * len((*p.inputs, *p.outputs))) for p in programs]


def test_they_share_a_unit_and_run(built: list[list[str]]) -> None:
    found = units.build_many(requests(), processes=2)
    assert len(built) == 1
    assert len(set(built[0])) == len(NAMES)
    assert all(isinstance(v, units.Variant) and v.address for v in found)


def test_one_that_does_not_compile_takes_no_other_along(
    built: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = units.print_unit

    def broken(kernels: Sequence[Any]) -> str:
        text = printed(kernels)
        bad = any(k.name.startswith("maximum") for k in kernels)
        return text + ('#error "planted"\n' if bad else "")

    monkeypatch.setattr(units, "print_unit", broken)
    found = units.build_many(requests())
    wrong = [n for n, v in zip(NAMES, found, strict=True) if isinstance(v, Exception)]
    assert wrong == ["maximum"]
    error = found[NAMES.index("maximum")]
    assert isinstance(error, CompileError)
    assert "planted" in error.message
    # 8 fail, then the half with it, and so on: not one compile for each kernel.
    assert [len(unit) for unit in built] == [8, 4, 4, 2, 1, 1, 2]


def test_without_a_compiler_it_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def none(kernels: Sequence[Any], *args: Any) -> Any:
        tried.append(len(kernels))
        raise CompileError("no compiler", code="E1007")

    monkeypatch.setattr(units, "build", none)
    with pytest.raises(CompileError, match="no compiler"):
        units.build_many(requests())
    assert len(tried) == 1


def test_programs_alike_but_for_index_names_have_their_own_names() -> None:
    (request, *_) = requests()
    program, layout = request
    found = units.build_many([request, (program, (*layout[:-1], "strided")), request])
    assert len({v.kernel.name for v in found if isinstance(v, units.Variant)}) == 3


def test_launches_are_noted_and_nothing_runs(built: list[list[str]]) -> None:
    x = np.ones((3, 5), np.float32)
    handle = Handle("exp")
    with routing.trust(), renderer.gathering() as gathered:
        for given in (x, x.T, x):
            with pytest.raises(renderer.NotCompiled):
                handle.call((given,), {}, None, "cpu")
        assert not built
        assert len(gathered.wanted) == 2
    assert gathered.compile() == []
    assert len(built) == 1
    with routing.trust():
        handle.call((x,), {}, None, "cpu")
    assert len(built) == 1


def test_gathered_cases_compile_nothing_when_they_are_judged(
    built: list[list[str]],
) -> None:
    rows = [(Handle(n), "float32", range(4), 0) for n in ("add", "sum", "softmax")]
    assert gather("cpu", rows) == []
    units_made = len(built)
    kernels = sum(map(len, built))
    assert kernels > 5 * units_made
    for handle, dtype, numbers, _ in rows:
        outcome = check(handle, dtype, "cpu", "quick", numbers=numbers)
        assert outcome.state == "pass", outcome.failures
    assert len(built) == units_made, built[units_made:]


def test_a_backend_that_does_not_gather_is_left_alone() -> None:
    assert gather("numpy", [(Handle("add"), "float32", range(2), 0)]) == []
