"""Generated Ascend C on the twin: results, tails, limits, errors, the texts."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from opslib.backends.npu.ascend import (
    contraction,
    device,
    machine,
    prove,
    renderer,
    simulator,
)
from opslib.backends.npu.ascend.lower import lower
from opslib.backends.npu.targets import DEFAULT, TARGETS

from opslib.errors import OperandIndexError
from opslib.ir.dtypes import FLOAT64

from .ascend_cases import built, case, expected, has_compiler, normal

pytestmark = pytest.mark.skipif(not has_compiler(), reason="no C++ compiler")

ULP16 = {"float32": 2e-6, "float16": 2e-3, "bfloat16": 1.6e-2}


def agrees(found: Any, rtol: float, atol: float = 0.0) -> None:
    """The twin has no finding, and the values are those of the spec."""
    for got, want in zip(built(found).run(found), expected(found), strict=True):
        np.testing.assert_allclose(got.astype("f8"), want, rtol=rtol, atol=atol)


@pytest.mark.parametrize("n", [1, 7, 8, 63, 64, 65, 4095, 8192, 8193, 50000])
def test_map_tails(n: int) -> None:
    agrees(case("add", normal(n), normal(n, seed=1)), 1e-6)


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 5)])
def test_empty(shape: tuple[int, ...]) -> None:
    found = case("add", normal(*shape), normal(*shape))
    assert built(found).run(found)[0].shape == shape


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("shape", [(3, 1), (2, 17), (5, 300), (2, 4096), (2, 9001)])
def test_softmax_within_and_beyond_ub(dtype: str, shape: tuple[int, int]) -> None:
    import ml_dtypes

    x = normal(*shape).astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    agrees(case("softmax", x), ULP16[dtype] * 4, 1e-7)


def test_rows_that_fit_are_loaded_once() -> None:
    found = case("softmax", normal(4, 300, dtype="float16"))
    made = lower(found.program, "softmax")
    packed, rows, chunked = made.launches
    loads = [
        renderer.print_unit([made]).count(f"void {x.name}(") for x in made.launches
    ]
    assert loads == [1, 1, 1]
    assert packed.rows is not None
    assert rows.rows is not None
    assert chunked.rows is None
    text = "\n".join(n.text for n in _instructions(rows))
    assert text.count("opslib::Load(") == 1
    assert text.count("opslib::Store(") == 1


def _instructions(launch: Any) -> list[Any]:
    from opslib.backends.npu.ascend.machine import instructions

    return list(instructions(launch.body))


@pytest.mark.parametrize("name", ["max", "min", "sum", "any", "all"])
def test_folds(name: str) -> None:
    x = normal(5, 700)
    x[3, 11] = np.nan if name in ("max", "min") else 0.0
    if name in ("any", "all"):
        x = x > 0
    agrees(case(name, x, axis=(1,)), 1e-5, 1e-5)


@pytest.mark.parametrize("n", [1, 9, 300, 30000])
@pytest.mark.parametrize("name", ["max", "min", "softmax"])
def test_extremes_of_rows_with_nan_and_infinities(name: str, n: int) -> None:
    """An infinity is no nan; a row of nothing but the fold's identity keeps it."""
    x = normal(6, n)
    x[0, n // 2], x[1, n - 1] = np.inf, -np.inf
    x[2], x[3] = np.inf, -np.inf
    x[4, n - 1] = np.nan
    axis = -1 if name == "softmax" else (1,)
    agrees(case(name, x, axis=axis), 1e-5, 1e-7)


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (2, 3, 4), (16, 16, 16), (130, 65, 270), (33, 700, 17)]
)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_matmul(shape: tuple[int, int, int], dtype: str) -> None:
    import ml_dtypes

    kind = ml_dtypes.bfloat16 if dtype == "bfloat16" else np.dtype(dtype)
    m, k, n = shape
    a, b = normal(m, k).astype(kind), normal(k, n, seed=1).astype(kind)
    agrees(case("matmul", a, b), ULP16[dtype] * 2, ULP16[dtype] * k**0.5)


def test_sixteen_bit_matmul_is_on_the_cube() -> None:
    found = case("matmul", normal(4, 4, dtype="float16"), normal(4, 4, dtype="float16"))
    made = lower(found.program, "matmul")
    assert [x.unit for x in made.launches] == ["cube"]
    assert made.limits


def test_the_cube_waits_for_no_panel() -> None:
    """One flag for each of the two left matrices in L0, whichever panel it is of."""
    found = case("matmul", normal(4, 4, dtype="float16"), normal(4, 4, dtype="float16"))
    (launch,) = lower(found.program, "matmul").launches
    flags = [s for s in machine.syncs(launch.body) if s.kind == "wait"]
    events = {s.event for s in flags if (s.source, s.target) == ("M", "MTE1")}
    assert events == {0, 1}


def test_an_epilogue_follows_the_cube() -> None:
    x, w = normal(70, 40, dtype="float16"), normal(50, 40, dtype="float16", seed=1)
    found = case("linear", x, w, normal(50, dtype="float16", seed=2))
    assert [x.unit for x in built(found).made.launches] == ["cube", "vector"]
    agrees(found, 4e-3, 2e-2)


def test_beyond_its_limits_another_kernel_runs() -> None:
    found = case("matmul", np.zeros((3, 0), np.float16), np.zeros((0, 5), np.float16))
    kernel = simulator.kernel(found.program)
    (got,) = kernel.launch(found.arrays, (), found.sizes, found.scalars)
    assert not got.any()
    assert kernel._without is not None


def test_a_bad_index_is_reported() -> None:
    x = normal(4, 5)
    found = case("take", x, np.array([0, 9, 1], np.int64), axis=0)
    kernel = simulator.kernel(found.program)
    with pytest.raises(OperandIndexError, match="9"):
        kernel.launch(found.arrays, (), found.sizes, found.scalars)


def test_double_is_excluded_with_the_chips_reason() -> None:
    family = device.family()
    where, *_ = family.devices()
    found = case("add", normal(3).astype("f8"), normal(3).astype("f8"))
    why = family.supports(found.program, where)
    assert why is not None
    assert "double" in why
    assert family.arithmetic(FLOAT64, where) is None


def test_attributes_in_double_are_the_hosts() -> None:
    found = case("layer_norm", normal(3, 40), eps=1e-5)
    assert device.lacking(found.program) is None
    made = lower(found.program, "layer_norm")
    assert made.host is not None
    agrees(found, 1e-4, 1e-5)


GOLDEN = {
    "add_f32": lambda: case("add", normal(3, 5), normal(3, 5)),
    "softmax_f16": lambda: case("softmax", normal(3, 5, dtype="float16")),
    "matmul_f16": lambda: case(
        "matmul", normal(3, 4, dtype="float16"), normal(4, 5, dtype="float16")
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str, golden: Callable[[str, str], None]) -> None:
    made = lower(GOLDEN[name]().program, name)
    golden(f"golden/ascend/{name}.cpp", renderer.print_unit([made]))


@pytest.mark.parametrize("name", GOLDEN)
def test_every_buffer_is_where_it_may_be(name: str) -> None:
    most = {
        "ub": DEFAULT.ub_usable, "l1": DEFAULT.l1, "l0a": DEFAULT.l0a,
        "l0b": DEFAULT.l0b, "l0c": DEFAULT.l0c,
    }  # fmt: skip
    for launch in lower(GOLDEN[name]().program, name).launches:
        spans: dict[str, list[tuple[int, int]]] = {}
        for b in launch.buffers:
            at = launch.addresses[b.name]
            scope = "l1" if b.scope == "l1b" else b.scope
            spans.setdefault(scope, []).append((at, at + b.bytes))
            assert at % (512 if scope in ("l0a", "l0b") else 32) == 0
        for scope, found in spans.items():
            found.sort()
            assert found[-1][1] <= most[scope]
            assert all(a[1] <= b[0] for a, b in itertools.pairwise(found))


def test_proof_and_planner_agree() -> None:
    for make in GOLDEN.values():
        for launch in lower(make().program, "kernel").launches:
            assert prove.missing(launch) == []


def test_a_chip_with_one_core_for_both_has_no_cube_kernels() -> None:
    found = case("matmul", normal(4, 4, dtype="float16"), normal(4, 4, dtype="float16"))
    made = lower(found.program, "matmul", TARGETS[2002])
    assert {x.unit for x in made.launches} == {"aicore"}


def test_only_plain_matrices_go_to_the_cube() -> None:
    x = normal(2, 3, 9, dtype="float16")
    found = case("conv1d", x, normal(4, 3, 3, dtype="float16"))
    assert contraction.lower is not None
    made = lower(found.program, "conv1d")
    assert {x.unit for x in made.launches} == {"vector"}
