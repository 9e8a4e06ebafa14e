"""The tuner: what it chooses, how fast, and how well its model agrees with the twin."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest
from opslib.backends.npu.ascend import model, report, tune
from opslib.backends.npu.ascend.arguments import product_of, tiles
from opslib.backends.npu.ascend.lower import lower
from opslib.backends.npu.ascend.tune import FORCED, USUAL, Product, Tile
from opslib.backends.npu.targets import DEFAULT, TARGETS

from .ascend_cases import has_compiler

needs_compiler = pytest.mark.skipif(not has_compiler(), reason="no C++ compiler")

# Square, skinny, tall, of a batch, and with tails: [m, k] x [k, n], so many times.
SHAPES = [
    (1, 4096, 4096, 4096), (1, 1024, 1024, 1024), (1, 512, 512, 512),
    (1, 8192, 8192, 8192), (1, 256, 256, 256), (1, 1, 4096, 4096), (1, 16, 4096, 4096),
    (1, 128, 11008, 4096), (1, 4096, 16, 4096), (1, 11008, 128, 4096),
    (1, 32000, 32, 4096), (1, 64, 64, 65536), (1, 4096, 4096, 32), (64, 128, 128, 128),
    (8, 512, 64, 512), (512, 16, 16, 64), (32, 1, 4096, 128), (1, 1000, 1000, 1000),
    (1, 257, 129, 33), (3, 100, 700, 2000),
]  # fmt: skip


def product(batch: int, m: int, n: int, k: int, size: int = 2) -> Product:
    return Product(batch, m, n, k, size, size)


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("number", [2201, 3510])
def test_candidates_fit_and_are_whole_fractals(number: int, size: int) -> None:
    target = TARGETS[number]
    found = tune.candidates(target, size)
    assert USUAL in found
    for t in found:
        panel = t.depth * t.panels
        # Both sides, two sets of each; the sums once.
        assert 2 * (t.m + t.n) * panel <= target.l1
        assert 2 * t.m * t.depth <= target.l0a
        assert 2 * t.n * t.depth <= target.l0b
        assert t.m * t.n * 4 <= target.l0c
        assert t.m % 16 == t.n % 16 == 0
        assert t.depth % 32 == 0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [2, 4])
def test_never_worse_than_what_was_fixed(shape: tuple[int, ...], size: int) -> None:
    batch, m, n, k = shape
    p = product(batch, m, n, k, size)
    best = tune.ranked(p, DEFAULT)[0]
    assert best.tile == tune.choose(p, DEFAULT)
    assert best.cycles <= tune.score(p, USUAL, DEFAULT).cycles


def test_small_and_skinny_products_gain() -> None:
    """Where the fixed block leaves cores without work, or their cubes without rows."""
    for shape in ((1, 512, 512, 512), (1, 64, 64, 65536), (1, 257, 129, 33)):
        p = product(*shape)
        gain = tune.score(p, USUAL, DEFAULT).cycles / tune.ranked(p, DEFAULT)[0].cycles
        assert gain > 1.5, shape


def test_choices_are_fast_and_the_same_again() -> None:
    tune.candidates(DEFAULT, 2)
    taken = []
    for shape in SHAPES:
        tune.best.cache_clear()
        tune.ranked.cache_clear()
        before = time.process_time()
        first = tune.choose(product(*shape), DEFAULT)
        taken.append(time.process_time() - before)
        tune.best.cache_clear()
        tune.ranked.cache_clear()
        assert tune.choose(product(*shape), DEFAULT) == first
    assert sorted(taken)[len(taken) // 2] < 0.05
    before = time.process_time()
    for _ in range(100):
        tune.choose(product(1, 4096, 4096, 4096), DEFAULT)
    assert time.process_time() - before < 0.05


def test_goals_on_paper() -> None:
    """By the closed form; test_ascend_model.py has the same by the twin."""
    p = product(1, 4096, 4096, 4096)
    assert tune.ranked(p, DEFAULT)[0].cube >= 0.85
    assert tune.score(p, Tile(16, 16, 32, 1), DEFAULT).cube < 0.2


@needs_compiler
def test_the_closed_form_agrees_with_the_twin() -> None:
    """Within a tenth for tiles worth taking, a quarter for the worst; in order."""
    shapes = [(4096, 4096, 4096), (1024, 1024, 1024), (128, 4096, 4096)]
    chosen = [
        Tile(), Tile(128, 256, 128, 2), Tile(128, 128, 128, 4), Tile(64, 256, 128, 4),
        Tile(32, 128, 256, 2), Tile(16, 256, 128, 4), Tile(16, 16, 64, 1),
        Tile(128, 192, 128, 1),
    ]  # fmt: skip
    for m, n, k in shapes:
        pairs = []
        for tile in chosen:
            counted = model.matmul(m, n, k, tile=tile)
            clock = model.CHIPS[2201].clock.value
            said = tune.score(product(1, m, n, k), tile, DEFAULT).cycles
            pairs.append((counted.seconds * clock, said))
        for tile, (twin, said) in zip(chosen, pairs, strict=True):
            room = 0.25 if tile.m * tile.n < 4096 else 0.1
            assert said == pytest.approx(twin, rel=room), (m, n, k, tile)
        # A tile that the twin finds much slower is never ranked before.
        for (a, x), (b, y) in itertools.permutations(pairs, 2):
            assert not (a < 0.8 * b and x > y), (m, n, k)


@needs_compiler
@pytest.mark.parametrize(
    "shape", [(1024, 1024, 1024), (512, 512, 512), (64, 64, 65536), (1000, 1000, 1000)]
)
def test_choices_gain_by_the_twin_too(shape: tuple[int, int, int]) -> None:
    """The model chooses, and another judges."""
    fixed = model.matmul(*shape, tile=USUAL).seconds
    assert model.matmul(*shape).seconds < 0.9 * fixed


@needs_compiler
def test_a_kernel_is_right_whatever_the_tile() -> None:
    """One kernel, all tiles: the same bits, and the twin has no findings."""
    import numpy as np

    import opslib

    rng = np.random.default_rng(3)
    for dtype, (m, k, n) in (("float16", (70, 300, 90)), ("float32", (33, 70, 50))):
        a = rng.normal(size=(m, k)).astype(dtype)
        b = rng.normal(size=(k, n)).astype(dtype)
        found: list[Any] = []
        for tile in (None, USUAL, Tile(16, 16, 64, 1), Tile(32, 64, 256, 2),
                     Tile(256, 128, 128, 4), Tile(64, 32, 64, 8)):  # fmt: skip
            token = FORCED.set(tile)
            try:
                found.append(opslib.matmul(a, b, backend="npu:ascend-sim"))
            finally:
                FORCED.reset(token)
        for other in found[1:]:
            np.testing.assert_array_equal(found[0], other)


def test_the_tile_is_an_argument_of_the_call() -> None:
    """Sizes choose it, not the compiler: one text serves all of them."""
    _, program = model.bound("matmul", *[("float16", (64, 64))] * 2)
    made = lower(program, "matmul")
    (cutting,) = made.cuttings
    for sizes in ({"m": 4096, "n": 4096, "k": 4096}, {"m": 1, "n": 64, "k": 7}):
        p = product_of(cutting, made, sizes)
        best = tune.choose(p, DEFAULT)
        step = best.depth // 2
        assert tiles(made, sizes, DEFAULT) == dict(
            zip(cutting.names, (best.m, best.n, step, step * best.panels), strict=True)
        )


def test_tiles_of_the_vector_unit_are_the_fastest_that_fit() -> None:
    """Longer tiles spread the start of a copy; UB is the limit."""
    for name, arguments, more in (
        ("add", [("float32", (8, 64))] * 2, {}),
        ("softmax", [("float32", (8, 64))], {"axis": -1}),
    ):
        _, program = model.bound(name, *arguments, **more)
        made = lower(program, name)
        for launch in made.launches:
            end = max(launch.addresses[b.name] + b.bytes for b in launch.buffers)
            assert DEFAULT.ub_usable / 3 < end <= DEFAULT.ub_usable, launch.name


@needs_compiler
def test_the_report_tells_of_the_candidates() -> None:
    shapes = ("float16", (512, 512)), ("float16", (512, 512))
    binding, program = model.bound("matmul", *shapes)
    text = report.summary(program, binding)
    assert "tiles for [512, 512] x [512, 512], 1 times, on paper" in text
    assert str(tune.ranked(product(1, 512, 512, 512), DEFAULT)[0]) in text
    assert "what all were cut by before: 128 x 256" in text
