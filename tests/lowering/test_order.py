"""Ordered rows against a stable sort, and scans and folds that workers share."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.codegen.loops_interpreter import interpret
from opslib.ir import loops
from opslib.ir.dtypes import INT64
from opslib.ir.expr import ZERO, Axis, Const, Order, Scan, Size, Tensor
from opslib.ir.monoid import sum_of
from opslib.lowering import lower
from opslib.lowering.skeletons.order import order_meaning

NATIVE = Path(__file__).parents[2] / "native"
TYPES = {
    f"{letter}{bits}": np.dtype(f"{letter}{bits // 8}").type
    for letter, sizes in (
        ("f", (32, 64)),
        ("i", (8, 16, 32, 64)),
        ("u", (8, 16, 32, 64)),
    )
    for bits in sizes
}
FLAGS = ("-std=gnu11", "-O3", "-ffp-contract=off", "-fno-math-errno")
ROWS = ((), ("-march=native",), ("-march=native", "-DOPS_TARGET_GENERIC"))
LENGTHS = (
    *(0, 1, 2, 3, 15, 16, 17, 33, 64, 191, 192, 193),
    *(500, 1023, 1024, 1500, 2047, 2048, 4100, 9001),
)
KINDS = ("random", "few", "equal", "special", "ascending", "descending", "subnormal")
Call = Callable[..., tuple[np.ndarray, np.ndarray]]


def stable_order(row: np.ndarray, descending: bool) -> np.ndarray:
    """Positions in order, one element at a time: (is it nan, value, position)."""

    def key(at: int) -> tuple:
        x = row[at].item()
        nan = x != x
        if descending:
            return (not nan, 0 if nan else -x, at)
        return (nan, 0 if nan else x, at)

    return np.array(sorted(range(len(row)), key=key), np.int64)


def row_of(dtype: type, length: int, kind: str, seed: int) -> np.ndarray:
    """A row that is hard for a sort in one way."""
    rng = np.random.default_rng(seed)
    floating = np.issubdtype(dtype, np.floating)
    if floating:
        row = rng.standard_normal(length).astype(dtype)
        values = [0.0, -0.0, np.nan, -np.nan, np.inf, -np.inf, 1, -1]
    else:
        info = np.iinfo(dtype)
        row = rng.integers(info.min, info.max, length, dtype, endpoint=True)
        values = [info.min, info.max, 0, 1]
    if kind == "few":
        row = rng.integers(0, 4, length).astype(dtype)
    elif kind == "equal":
        row = np.full(length, values[2], dtype)
    elif kind == "special":
        row = rng.choice(np.array(values, dtype), length)
    elif kind == "ascending":
        row = np.sort(row)
    elif kind == "descending":
        row = np.sort(row)[::-1].copy()
    elif kind == "subnormal" and floating:
        row = (row * np.finfo(dtype).smallest_subnormal * 50).astype(dtype)
    return row


@pytest.fixture(scope="module", params=ROWS, ids=["plain", "native", "generic"])
def native(request: pytest.FixtureRequest, tmp_path_factory) -> Call:
    """``ops_order_D``, compiled: ``native(kind, row, first, last, descending)``."""
    compiler = shutil.which("gcc") or shutil.which("clang") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("order")
    text = '#include "opslib_order.h"\n' + "\n".join(
        f"void order_{d}(const ops_{d} *x, ops_{d} *v, int64_t *at, uint64_t *w,"
        " int64_t n, int64_t first, int64_t last, int64_t down)"
        f" {{ ops_order_{d}(x, v, at, w, n, first, last, down); }}"
        for d in TYPES
    )
    (folder / "order.c").write_text(text)
    warnings = ("-Wall", "-Wextra", "-Werror", "-Wno-psabi")
    command = (compiler, *FLAGS, "-fno-trapping-math", *warnings, *request.param)
    files = (f"-I{NATIVE}", "-shared", "-fPIC", "-o", "order.so", "order.c")
    subprocess.run([*command, *files], check=True, cwd=folder)
    library = ctypes.CDLL(str(folder / "order.so"))

    def call(kind, row, first, last, descending):
        n = len(row)
        values, places = np.zeros(n, row.dtype), np.full(n, -1, np.int64)
        memory = np.empty(4 * n + 2, np.uint64)
        skip = memory.ctypes.data % 16
        pointers = [a.ctypes.data for a in (row, values, places, memory)]
        pointers[-1] += skip
        getattr(library, f"order_{kind}")(
            *map(ctypes.c_void_p, pointers),
            *map(ctypes.c_int64, (n, first, last, int(descending))),
        )
        return values, places

    return call


def check(found, row: np.ndarray, first: int, last: int, descending: bool) -> None:
    """The ranks asked for are those of a stable sort, to the bit."""
    order = stable_order(row, descending)[first:last]
    assert found[1][first:last].tolist() == order.tolist()
    assert found[0][first:last].tobytes() == row[order].tobytes()


@pytest.mark.parametrize("kind", TYPES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_ranks_are_those_of_a_stable_sort(native: Call, kind: str, data) -> None:
    n = data.draw(st.sampled_from(LENGTHS))
    shape = data.draw(st.sampled_from(KINDS))
    row = row_of(TYPES[kind], n, shape, data.draw(st.integers(0, 99)))
    down = data.draw(st.booleans())
    k = data.draw(st.integers(0, n))
    small = min(n, data.draw(st.integers(0, 200)))
    for first, last in ((0, n), (0, small), (0, k), (k, min(n, k + 1))):
        check(native(kind, row, first, last, down), row, first, last, down)


@pytest.mark.parametrize("kind", ["f32", "f64", "i16"])
def test_ranks_beyond_the_row_are_left_out(native: Call, kind: str) -> None:
    row = row_of(TYPES[kind], 700, "few", 0)
    check(native(kind, row, -3, 10**6, True), row, 0, 700, True)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("shape", KINDS)
def test_the_meaning_is_that_of_the_text(descending: bool, shape: str) -> None:
    row = row_of(np.float32, 300, shape, 5)
    values, places = np.zeros(300, np.float32), np.full(300, -1, np.int64)
    order_meaning(row, values, places, None, 300, 4, 90, int(descending))
    check((values, places), row, 4, 90, descending)
    assert (places[90:] == -1).all()


def test_values_and_places_share_one_ordering_of_k_ranks(forms: ModuleType) -> None:
    k = Size("k")
    axes = (forms.ROWS, forms.along("j", k))
    parts = [
        Order(
            Axis(name, ZERO, forms.N),
            forms.read("x", forms.ROW, index),
            forms.J,
            True,
            output,
        )
        for name, index, output in (
            ("k1", forms.Index("k1"), 0),
            ("k2", forms.Index("k2"), 1),
        )
    ]
    outputs = (
        Tensor("y", forms.F, (forms.M, k)),
        Tensor("p", INT64, (forms.M, k)),
    )
    defines = [
        forms.define(t.name, part, axes) for t, part in zip(outputs, parts, strict=True)
    ]
    program = forms.program(
        "best", (forms.X,), outputs, *defines, sizes=("m", "n", "k")
    )
    kernel = lower(program)
    calls = list(intrinsics(kernel.body))
    # One in the loops over rows, one where rows are few.
    assert len(calls) == 2
    assert {c.arguments[6] for c in calls} == {k}
    x = np.random.default_rng(2).integers(0, 5, (4, 30)).astype(np.float32)
    y, p = np.zeros((4, 7), np.float32), np.zeros((4, 7), np.int64)
    interpret(kernel, (x,), (y, p), {"m": 4, "n": 30, "k": 7}, {})
    for r in range(4):
        order = stable_order(x[r], True)[:7]
        assert p[r].tolist() == order.tolist()
        assert y[r].tolist() == x[r][order].tolist()


def test_ranks_along_an_outer_axis_order_each_row_once(forms: ModuleType) -> None:
    k = Size("k")
    at = forms.Index("r")
    value = Order(
        forms.along("k", forms.N), forms.read("x", forms.ROW, forms.K), at, True, 1
    )
    out = Tensor("p", INT64, (k, forms.M))
    axes = (forms.along("r", k), forms.ROWS)
    definition = forms.define("p", value, axes)
    sizes = ("m", "n", "k")
    kernel = lower(forms.program("best", (forms.X,), (out,), definition, sizes=sizes))
    assert len(list(intrinsics(kernel.body))) == 2
    assert isinstance(kernel.body[-1], loops.If)
    x = np.random.default_rng(7).integers(0, 5, (6, 20)).astype(np.float32)
    p = np.zeros((3, 6), np.int64)
    interpret(kernel, (x,), (p,), {"m": 6, "n": 20, "k": 3}, {})
    for r in range(6):
        assert p[:, r].tolist() == stable_order(x[r], True)[:3].tolist()


def test_one_rank_asks_for_that_alone(forms: ModuleType) -> None:
    at = Const(2, INT64)
    value = Order(
        forms.along("k", forms.N), forms.read("x", forms.ROW, forms.K), at, False, 0
    )
    out = Tensor("y", forms.F, (forms.M,))
    program = forms.program(
        "third", (forms.X,), (out,), forms.define("y", value, (forms.ROWS,))
    )
    kernel = lower(program)
    (call, *_) = intrinsics(kernel.body)
    assert call.arguments[5:7] == (at, Const(3, INT64))
    x = np.random.default_rng(3).standard_normal((5, 9)).astype(np.float32)
    y = np.zeros(5, np.float32)
    interpret(kernel, (x,), (y,), {"m": 5, "n": 9}, {})
    assert y.tolist() == np.sort(x, 1)[:, 2].tolist()


@pytest.mark.parametrize("shape", [(20, 3), (70, 5), (3, 40)])
def test_rows_that_lie_apart_are_scanned_side_by_side(
    forms: ModuleType, shape: tuple[int, int]
) -> None:
    kernel = lower(forms.cumsum(), {"x": "strided", "y": "strided"})
    sizes = dict(zip("mn", shape, strict=True))
    x = np.random.default_rng(4).integers(-9, 9, shape).astype(np.float32)
    for order in "CF":
        given_, y = np.array(x, order=order), np.zeros(shape, np.float32, order)
        interpret(kernel, (given_,), (y,), sizes, {})
        assert (y == x.cumsum(1)).all()


@pytest.mark.parametrize("n", [0, 1, 4, 5, 17, 64])
def test_a_long_row_is_scanned_in_pieces(
    forms: ModuleType, monkeypatch: pytest.MonkeyPatch, n: int
) -> None:
    monkeypatch.setattr("opslib.lowering.skeletons.scan.PIECE", 4)
    monkeypatch.setattr("opslib.lowering.skeletons.scan.PIECES", 8)
    value = Scan(
        sum_of(forms.F), forms.along("k", forms.N), (forms.read("x", forms.K),), forms.J
    )
    given_, out = (Tensor(t, forms.F, (forms.N,)) for t in "xy")
    program = forms.program(
        "one",
        (given_,),
        (out,),
        forms.define("y", value, (forms.COLUMNS,)),
        sizes=("n",),
    )
    kernel = lower(program)
    x = np.random.default_rng(5).integers(-9, 9, n).astype(np.float32)
    y = np.zeros(n, np.float32)
    interpret(kernel, (x,), (y,), {"n": n}, {})
    assert (y == x.cumsum()).all()


@pytest.mark.parametrize("m", [0, 1, 7, 40, 67])
def test_few_columns_are_folded_in_pieces_of_their_rows(
    forms: ModuleType, monkeypatch: pytest.MonkeyPatch, m: int
) -> None:
    monkeypatch.setattr("opslib.lowering.skeletons.columns.PIECE", 8)
    monkeypatch.setattr("opslib.lowering.skeletons.columns.PIECES", 5)
    kernel = lower(forms.sum_columns())
    x = np.random.default_rng(6).integers(-9, 9, (m, 3)).astype(np.float32)
    y = np.zeros(3, np.float32)
    interpret(kernel, (x,), (y,), {"m": m, "n": 3}, {})
    assert (y == x.sum(0)).all()


def intrinsics(body):
    """All intrinsics of the statements."""
    for s in body:
        match s:
            case loops.Intrinsic():
                yield s
            case loops.If(_, then, other):
                yield from intrinsics(then)
                yield from intrinsics(other)
            case loops.For():
                yield from intrinsics(s.body)
