"""The compile budget: 1000 random shapes of an operator make at most 8 kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import opslib
from opslib.dispatch import caches, call
from opslib.runtime import registry

BUDGET = 8
F = np.float32
Rng = np.random.Generator
Make = Callable[[Rng], tuple[list[Any], dict[str, Any]]]


def strided(rng: Rng, *shape: int) -> Any:
    """An array of that shape: contiguous, transposed, stepped, or reversed."""
    kind = rng.integers(4)
    if kind == 0 or not shape:
        return rng.standard_normal(shape).astype(F)
    if kind == 1:
        order = rng.permutation(len(shape))
        base = rng.standard_normal([shape[k] for k in order]).astype(F)
        return base.transpose(np.argsort(order))
    base = rng.standard_normal([2 * n for n in shape]).astype(F)
    if kind == 2:
        return base[tuple(slice(0, 2 * n, 2) for n in shape)]
    return base[tuple(slice(n, 0, -1) if n else slice(0) for n in shape)]


def shape(rng: Rng, most: int = 4) -> tuple[int, ...]:
    return tuple(int(n) for n in rng.integers(0, 5, rng.integers(0, most + 1)))


def add(rng: Rng) -> tuple[list[Any], dict[str, Any]]:
    whole = shape(rng)
    cut = [1 if rng.random() < 0.2 else n for n in whole][rng.integers(0, 2) :]
    return [strided(rng, *whole), strided(rng, *cut)], {}


def softmax(rng: Rng) -> tuple[list[Any], dict[str, Any]]:
    whole = (*shape(rng, 3), int(rng.integers(1, 9)))
    return [strided(rng, *whole)], {"axis": int(rng.integers(len(whole)))}


def matmul(rng: Rng) -> tuple[list[Any], dict[str, Any]]:
    m, k, n = (int(v) for v in rng.integers(1, 9, 3))
    batch = shape(rng, 2)
    return [strided(rng, *batch, m, k), strided(rng, *batch, k, n)], {}


def total(rng: Rng) -> tuple[list[Any], dict[str, Any]]:
    whole = shape(rng)
    chosen = tuple(k for k in range(len(whole)) if rng.random() < 0.5)
    return [strided(rng, *whole)], {"axis": chosen, "keepdims": bool(rng.integers(2))}


def layer_norm(rng: Rng) -> tuple[list[Any], dict[str, Any]]:
    n = int(rng.integers(1, 9))
    return [strided(rng, *shape(rng, 3), n), strided(rng, n), strided(rng, n)], {}


def conv2d(rng: Rng) -> tuple[list[Any], dict[str, Any]]:
    n, c, o, size, window = (int(v) for v in rng.integers(1, 5, 5))
    image = strided(rng, n, c, size + window, size + window + 1)
    return [image, strided(rng, o, c, window, window)], {"stride": int(rng.integers(1, 3))}


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of the kernels and variants that the CPU backend makes in the test."""
    from opslib.backends.cpu import renderer

    made: list[str] = []
    build = renderer.build

    def counted(*args: Any, **named: Any) -> Any:
        made.extend(str(request[0].name) for request in args[0])
        return build(*args, **named)

    monkeypatch.setattr(renderer, "build", counted)
    for cache in (caches.kernels, caches.programs, call._plans):
        cache.clear()
    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    "make", [add, softmax, matmul, total, layer_norm, conv2d], ids=lambda f: f.__name__
)
def test_random_shapes_compile_few_kernels(make: Make, compiled: list[str]) -> None:
    name = "sum" if make is total else make.__name__
    function = getattr(opslib, name)
    function.handle._fast.clear()
    kernels: dict[int, Any] = {}
    rng = np.random.default_rng(7)
    backend, _ = registry.device("cpu")
    assert backend.name == "cpu"
    for _ in range(1000):
        arrays, attributes = make(rng)
        function(*arrays, **attributes)
        plan = function.plan(*arrays, **attributes)
        kernels[id(plan.kernel)] = [t.view.extents for t in plan.merged.inputs]
    assert len(kernels) <= BUDGET, f"{len(kernels)} kernels, such as {kernels}"
    # A kernel may come in a few variants, by which arrays are contiguous.
    assert len(compiled) <= BUDGET, f"{len(compiled)} variants of {len(kernels)} kernels"
