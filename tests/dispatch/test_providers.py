"""Vendors' libraries as further kernels: when one is taken, and when not."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import opslib
from opslib.dispatch import caches, call, routing, shipped
from opslib.errors import ArgumentError
from opslib.runtime import registry
from opslib.runtime.protocol import ProvidedKernel

X = np.arange(8, dtype=np.float32)


@dataclass(eq=False)
class Library:
    """An addition by a library, on NumPy's arrays."""

    error: float = 0.0
    most: int = 1 << 40
    skeleton: str = "lib:add@1"
    source: str = "add"
    launches: list[int] = field(default_factory=list)

    def takes(
        self, sizes: Mapping[str, int], scalars: Mapping[str, int | float]
    ) -> bool:
        return all(n <= self.most for n in sizes.values())

    def launch(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        sizes: Mapping[str, int],
        scalars: Mapping[str, int | float],
    ) -> Sequence[Any]:
        assert self.takes(sizes, scalars)
        self.launches.append(inputs[0].size)
        made = inputs[0] + inputs[1] + np.float32(self.error)
        if not outputs:
            return [made]
        outputs[0][...] = made
        return outputs


@pytest.fixture
def provide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Gives NumPy's backend a library, with no verdicts known."""
    monkeypatch.setattr(shipped, "folder", lambda: tmp_path)
    monkeypatch.setenv("OPSLIB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("OPSLIB_SELF_CHECK", raising=False)
    monkeypatch.delenv("OPSLIB_PROVIDERS", raising=False)
    monkeypatch.setattr(call, "_plans", call.Cache())
    monkeypatch.setattr(caches, "libraries", caches.Cache())
    routing.forget()

    def give(*kernels: Library) -> None:
        def provided(program: Any, device: Any) -> Sequence[Library]:
            return kernels if dict(program.claim)["op"] == "add" else ()

        # Not of the class: Python remembers for good that one fits a protocol.
        backend = registry.load("numpy")
        monkeypatch.setattr(backend, "provided", provided, raising=False)

    yield give
    routing.forget()


def who(x: Any = X, **named: Any) -> str:
    with opslib.receipts() as found:
        np.testing.assert_array_equal(opslib.add(x, x, backend="numpy", **named), x + x)
    return found[0].skeleton


def test_it_is_what_the_protocol_asks_for() -> None:
    assert isinstance(Library(), ProvidedKernel)


def test_one_that_passes_is_preferred(provide: Any) -> None:
    library = Library()
    provide(library)
    assert who() == "lib:add@1"
    checked = len(library.launches)
    assert checked == 2
    assert who() == "lib:add@1"
    assert len(library.launches) == 3
    assert "lib:add@1" in str(opslib.explain("add", X, X, backend="numpy"))


def test_a_pickled_plan_keeps_to_the_library(provide: Any) -> None:
    library = Library()
    provide(library)
    plan = opslib.add.plan(X, X, backend="numpy")
    assert plan.kernel.skeleton == "lib:add@1"
    again = pickle.loads(pickle.dumps(plan))
    assert again.kernel is library
    np.testing.assert_array_equal(again(X, X), X + X)
    with opslib.use(providers=False):
        assert pickle.loads(pickle.dumps(plan)).kernel.skeleton == "array"
    # Where it is loaded, the library may be missing, or wrong.
    text = pickle.dumps(plan)
    provide(Library(error=1.0, skeleton="lib:add@2"))
    caches.libraries.clear()
    assert pickle.loads(text).kernel.skeleton == "array"


def test_one_that_fails_is_passed_over_and_stays_so(provide: Any) -> None:
    library = Library(error=1.0)
    provide(library)
    first = str(opslib.explain("add", X, X, backend="numpy"))
    assert "array" in first
    assert "not lib:add@1: its kernel failed the self-check" in first
    assert who() == "array"
    # Another release of the library is another kernel.
    provide(Library(skeleton="lib:add@2"))
    caches.libraries.clear()
    call._plans.clear()
    assert who() == "lib:add@2"


def test_the_first_that_passes_of_several(provide: Any) -> None:
    provide(Library(error=1.0, skeleton="bad@1"), Library(skeleton="good@1"))
    assert who() == "good@1"
    assert "not bad@1" in str(opslib.explain("add", X, X, backend="numpy"))


def test_sizes_that_it_does_not_take(provide: Any) -> None:
    provide(Library(most=20))
    assert who() == "lib:add@1"
    big = np.arange(21, dtype=np.float32)
    assert who(big) == "array"
    text = str(opslib.explain("add", big, big, backend="numpy"))
    assert "it does not take these sizes" in text


def test_it_can_be_left_out(provide: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    provide(Library())
    with opslib.use(providers=False):
        assert who() == "array"
        with opslib.use(providers=True):
            assert who() == "lib:add@1"
    assert who() == "lib:add@1"
    monkeypatch.setenv("OPSLIB_PROVIDERS", "never")
    call._plans.clear()
    assert who() == "array"
    wrong: Any = "never"
    with (
        pytest.raises(ArgumentError, match="providers must be True or False"),
        opslib.use(providers=wrong),
    ):
        pass


def test_without_a_verdict_it_does_not_run(
    provide: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where self-checks are off, opslib's own kernels are trusted and it is not."""
    provide(Library())
    monkeypatch.setenv("OPSLIB_SELF_CHECK", "never")
    assert who() == "array"


def test_a_spec_of_the_same_name_is_another(provide: Any) -> None:
    provide(Library())
    mine = opslib.op("op add(x1: T, x2: T, /) -> y: T where T: float = x1 - x2")
    with opslib.receipts() as found:
        got = mine(X, X, backend="numpy")
    np.testing.assert_array_equal(got, np.zeros_like(X))
    assert found[0].skeleton == "array"
