"""The compile budget: 1000 random shapes of an operator make at most 8 kernels.

That counts every function the CPU backend compiles: programs, and their variants for
arrays that are not contiguous. Arrays whose axes cannot merge (every second element
along each) need more; those are not in the budget, nor are attributes that make another
program, such as each permutation of a transpose.
"""

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
    """An array of that shape: contiguous, or a part of a larger one."""
    if rng.integers(2) or not shape:
        return rng.standard_normal(shape).astype(F)
    base = rng.standard_normal([shape[0] + 2, *shape[1:]]).astype(F)
    return base[1:-1]


def shape(rng: Rng, most: int = 4) -> tuple[int, ...]:
    return tuple(int(n) for n in rng.integers(0, 5, rng.integers(0, most + 1)))


def add(rng: Rng) -> tuple[list[Any], dict[str, Any]]:
    whole = shape(rng)
    cut = [1 if rng.random() < 0.2 else n for n in whole][rng.integers(0, 2) :]
    return [strided(rng, *whole), strided(rng, *cut)], {}


def both(rng: Rng) -> tuple[list[Any], dict[str, Any]]:
    """Either array may be the one that is broadcast, along any axis."""
    whole = shape(rng)
    cuts = [[1 if rng.random() < 0.3 else n for n in whole] for _ in range(2)]
    return [strided(rng, *c[rng.integers(0, 2) :]) for c in cuts], {}


def where(rng: Rng) -> tuple[list[Any], dict[str, Any]]:
    (x, y), _ = both(rng)
    condition = rng.integers(0, 2, [1 if rng.random() < 0.3 else n for n in x.shape])
    return [condition.astype(bool), x, y], {}


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


def folded(rng: Rng) -> tuple[list[Any], dict[str, Any]]:
    """As `total`, of at least one element."""
    whole = tuple(max(n, 1) for n in shape(rng))
    chosen = tuple(k for k in range(len(whole)) if rng.random() < 0.5)
    return [strided(rng, *whole)], {"axis": chosen, "keepdims": bool(rng.integers(2))}


def argmax(rng: Rng) -> tuple[list[Any], dict[str, Any]]:
    whole = (*(max(n, 1) for n in shape(rng, 3)), int(rng.integers(1, 9)))
    return [strided(rng, *whole)], {"axis": int(rng.integers(len(whole)))}


def transpose(rng: Rng) -> tuple[list[Any], dict[str, Any]]:
    return [strided(rng, *shape(rng))], {}


def concat(rng: Rng) -> tuple[list[Any], dict[str, Any]]:
    whole = [*shape(rng, 3), int(rng.integers(0, 5))]
    axis = int(rng.integers(len(whole)))
    other = [*whole]
    other[axis] = int(rng.integers(0, 5))
    return [strided(rng, *whole), strided(rng, *other)], {"axis": axis}


def layer_norm(rng: Rng) -> tuple[list[Any], dict[str, Any]]:
    n = int(rng.integers(1, 9))
    return [strided(rng, *shape(rng, 3), n), strided(rng, n), strided(rng, n)], {}


def conv2d(rng: Rng) -> tuple[list[Any], dict[str, Any]]:
    n, c, o, size, window = (int(v) for v in rng.integers(1, 5, 5))
    image = strided(rng, n, c, size + window, size + window + 1)
    return [image, strided(rng, o, c, window, window)], {
        "stride": int(rng.integers(1, 3))
    }


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of the kernels and variants that the CPU backend makes in the test."""
    from opslib.backends.cpu import renderer

    made: list[str] = []
    build = renderer.build

    def counted(*args: Any, **named: Any) -> Any:
        made.extend(str(lowered.name) for lowered in args[0])
        return build(*args, **named)

    monkeypatch.setattr(renderer, "build", counted)
    for cache in (caches.kernels, caches.programs, call._plans):
        cache.clear()
    return made


CASES: dict[str, tuple[str, Make]] = {
    "add": ("add", add),
    "add, either broadcast": ("add", both),
    "where": ("where", where),
    "softmax": ("softmax", softmax),
    "matmul": ("matmul", matmul),
    "sum": ("sum", total),
    "max": ("max", folded),
    "mean": ("mean", folded),
    "argmax": ("argmax", argmax),
    "transpose": ("transpose", transpose),
    "concat": ("concat", concat),
    "layer_norm": ("layer_norm", layer_norm),
    "conv2d": ("conv2d", conv2d),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_random_shapes_compile_few_kernels(case: str, compiled: list[str]) -> None:
    name, make = CASES[case]
    function = getattr(opslib, name)
    function.handle._fast.clear()
    rng = np.random.default_rng(7)
    backend, _ = registry.device("cpu")
    assert backend.name == "cpu"
    for _ in range(1000):
        arrays, attributes = make(rng)
        function(*arrays, **attributes)
    assert 0 < len(compiled) <= BUDGET, f"{len(compiled)} kernels were compiled"
