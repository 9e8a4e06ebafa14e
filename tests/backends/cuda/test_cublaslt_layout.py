"""Arrays as column-major matrices: every layout multiplies as the strides say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from opslib.backends.cuda.cublaslt_layout import (
    Copies,
    Matrix,
    Product,
    SumOfProducts,
    copied,
    product_of,
    sum_of_products,
)

import opslib
from opslib.dispatch.caches import program_for
from opslib.dispatch.call import bound
from opslib.dispatch.coalesce import coalesce
from opslib.dispatch.handle import Handle
from opslib.dispatch.strides import strides_of
from opslib.ir.expr import Program

Array = np.ndarray[Any, np.dtype[Any]]


def program(name: str, *arrays: Array) -> Program:
    handle = Handle(name)
    absent = len(handle.operator.tensors) - len(arrays)
    binding = bound(handle.request((*arrays, *[None] * absent), {}))
    merged = coalesce(binding, dict(strides_of(binding, True, arrays, None)))
    return program_for(handle.operator, merged.statics, handle.library)


def f(*shape: int) -> Array:
    return np.zeros(shape, np.float16)


MATMUL = ((2, 4, 5), (2, 5, 6))


@pytest.mark.parametrize(
    ("name", "shapes", "bias"),
    [
        ("matmul", MATMUL, ""),
        ("bmm", MATMUL, ""),
        ("mm", ((4, 5), (5, 6)), ""),
        ("matvec", ((4, 5), (5,)), ""),
        ("vecmat", ((5,), (5, 6)), ""),
        ("linear", ((3, 5), (6, 5)), ""),
        ("linear", ((3, 5), (6, 5), (6,)), "bias"),
    ],
)
def test_programs_that_are_sums_of_products(
    name: str, shapes: tuple[tuple[int, ...], ...], bias: str
) -> None:
    found = sum_of_products(program(name, *(f(*s) for s in shapes)))
    assert found is not None
    assert found.bias == bias


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("addmm", ((6,), (4, 5), (5, 6))),
        ("gate_up", ((3, 5), (6, 5), (6, 5))),
        ("bilinear", ((3, 4), (3, 5), (2, 4, 5))),
        ("outer", ((3,), (4,))),
        ("softmax", ((3, 4),)),
        ("add", ((3, 4), (3, 4))),
        ("sum", ((3, 4),)),
        ("conv1d", ((1, 2, 9), (3, 2, 3))),
    ],
)
def test_programs_that_are_not(name: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    assert name in opslib.operators()
    assert sum_of_products(program(name, *(f(*s) for s in shapes))) is None


# --- Layouts -------------------------------------------------------------------------

# einsum's letters: y's axes first, then those summed over; a, b; the bias's axis.
FORMS = [
    ("bij", "l", "bil", "blj", ""),
    ("ij", "l", "il", "jl", "j"),
    ("ij", "l", "jl", "il", "j"),
    ("bcij", "l", "bcil", "bclj", ""),
    ("ij", "lm", "ilm", "ljm", ""),
    ("bcdi", "l", "bcdl", "il", "i"),
    ("i", "l", "il", "l", ""),
    ("b", "l", "bl", "bl", ""),
    ("bhij", "l", "bil", "hlj", ""),
]


def described(form: tuple[str, str, str, str, str]) -> SumOfProducts:
    y, deep, a, b, bias = form
    letters = y + deep
    places = {
        name: tuple(letters.index(c) for c in axes)
        for name, axes in (("", y), ("a", a), ("b", b), ("bias", bias))
        if axes
    }
    return SumOfProducts(
        "a", "b", "bias" if bias else "", tuple(letters), len(y), places
    )


def random_strides(
    rng: np.random.Generator, extents: Sequence[int], *, result: bool
) -> tuple[int, ...]:
    """Axes in any order, with gaps; inputs' also broadcast or backwards."""
    made = [0] * len(extents)
    step = 1 if rng.random() < 0.7 else 2
    for k in rng.permutation(len(extents)):
        made[k] = step
        step *= extents[k] * (1 if rng.random() < 0.7 else 2)
        if not result and rng.random() < 0.15:
            made[k] *= int(rng.choice([0, -1]))
    return tuple(made)


def elements(extents: Sequence[int], strides: Sequence[int]) -> Array:
    """The places of an array's elements, from its first."""
    grid = np.zeros(extents, np.int64)
    for k, s in enumerate(strides):
        shape = [1] * len(extents)
        shape[k] = extents[k]
        grid = grid + (np.arange(extents[k]) * s).reshape(shape)
    return grid


def laid(values: Array, strides: Sequence[int]) -> tuple[Array, int]:
    """Memory that holds values at strides (the last wins), and where they begin."""
    places = elements(values.shape, strides)
    low = int(places.min())
    memory = np.full(int(places.max()) - low + 1, np.nan)
    memory[places - low] = values
    return memory, -low


def matrix(memory: Array, start: int, m: Matrix) -> Array:
    """What a library sees."""
    assert m.pitch >= m.rows, "no BLAS takes such a matrix"
    rows, columns = np.arange(m.rows), np.arange(m.columns)
    return memory[start + rows[:, None] + m.pitch * columns[None, :]]


def multiplied(
    p: Product,
    memories: Mapping[str, tuple[Array, int]],
    y: Array,
    bias: Array | None,
) -> None:
    """As the library does it."""
    assert not p.result.turned
    assert p.first.step >= 0
    assert p.second.step >= 0
    for offsets in p.offsets:
        for n in range(p.batch):
            sides = []
            for name, m, offset in zip(
                p.names, (p.first, p.second), offsets[:2], strict=True
            ):
                memory, start = memories[name]
                seen = matrix(memory, start + offset + n * m.step, m)
                sides.append(seen.T if m.turned else seen)
            made = sides[0] @ sides[1]
            if bias is not None:
                made = made + bias[:, None]
            r = p.result
            start = offsets[2] + n * r.step
            rows, columns = np.arange(r.rows), np.arange(r.columns)
            assert r.pitch >= r.rows
            assert made.shape == (r.rows, r.columns)
            y[start + rows[:, None] + r.pitch * columns[None, :]] = made


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f"{f[2]},{f[3]}->{f[0]}")
def test_any_strides(form: tuple[str, str, str, str, str]) -> None:
    """The product of random layouts is einsum's, after at most a copy of each."""
    found = described(form)
    rng = np.random.default_rng(7)
    y, deep, a, b, bias = form
    copies = 0
    for _ in range(250):
        extents = [int(n) for n in rng.choice([1, 2, 3], len(y + deep))]
        size = dict(zip(y + deep, extents, strict=True))
        shape = {n: [size[c] for c in axes] for n, axes in (("a", a), ("b", b))}
        strides = {n: random_strides(rng, s, result=False) for n, s in shape.items()}
        strides[""] = random_strides(rng, [size[c] for c in y], result=True)
        memories, values = {}, {}
        for name, axes in shape.items():
            given = rng.integers(-4, 5, axes).astype(float)
            for k, s in enumerate(strides[name]):
                if s == 0:  # Broadcast: what lies at one place is one value.
                    given = np.repeat(given.take([0], k), axes[k], k)
            values[name] = given
            memories[name] = laid(given, strides[name])
        shift = None if not bias else rng.integers(-4, 5, size[bias]).astype(float)
        want = np.einsum(f"{a},{b}->{y}", values["a"], values["b"])
        if shift is not None:
            lanes = [size[c] if c == bias else 1 for c in y]
            want = want + shift.reshape(lanes)
        now = dict(strides)
        for _ in range(4):
            made = product_of(found, extents, now)
            if isinstance(made, Product):
                break
            for name in made.names:
                copies += 1
                now[name] = copied(found, extents, now, name)
                if name:
                    memories[name] = laid(values[name], now[name])
        assert isinstance(made, Product), (extents, strides, now)
        places = elements([size[c] for c in y], now[""])
        memory = np.full(int(places.max()) + 1, np.nan)
        multiplied(made, memories, memory, shift)
        assert (memory[places] == want).all(), (extents, strides)
        assert np.isnan(memory).sum() == memory.size - np.unique(places).size
    assert copies, "nothing needed a copy"


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("columns", [False, True])
def test_plain_and_transposed_matrices_are_not_copied(
    rows: bool, columns: bool
) -> None:
    """Both orders of either side, one call, no batch."""
    found = described(FORMS[0])
    m, n, k = 3, 4, 5
    strides = {
        "a": (m * k, 1, m) if rows else (m * k, k, 1),
        "b": (n * k, 1, k) if columns else (n * k, n, 1),
        "": (m * n, n, 1),
    }
    made = product_of(found, (7, m, n, k), strides)
    assert isinstance(made, Product)
    assert made.names == ("b", "a")
    assert (made.first.turned, made.second.turned) == (columns, rows)
    assert made.batch == 7
    assert made.offsets == ((0, 0, 0),)


def test_a_shared_matrix_makes_one_product_of_a_batch() -> None:
    """A weight for all of a batch: the batch becomes rows."""
    found = described(FORMS[0])
    strides = {"a": (15, 5, 1), "b": (0, 4, 1), "": (12, 4, 1)}
    made = product_of(found, (7, 3, 4, 5), strides)
    assert isinstance(made, Product)
    assert made.batch == 1
    assert made.second.columns == 21


def test_copies_do_not_repeat_what_is_broadcast() -> None:
    """A batch that shares a matrix of odd strides gets one copy of it."""
    found = described(FORMS[0])
    extents = (7, 3, 4, 5)
    strides = {"a": (15, 5, 1), "b": (0, 2, 10), "": (12, 4, 1)}
    assert product_of(found, extents, strides) == Copies(("b",))
    assert copied(found, extents, strides, "b") == (0, 4, 1)
    assert math.prod(extents[2:]) == 20
