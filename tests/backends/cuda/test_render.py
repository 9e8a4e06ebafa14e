"""Generated CUDA: what it computes in the simulator, how it is cut, how it reads."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from opslib.backends.cuda import lower as lowering
from opslib.backends.cuda import renderer, simulator, splits
from opslib.backends.cuda.dialect import HIP
from opslib.backends.cuda.launch import CudaKernel
from opslib.backends.cuda.machine import Kernel, Launch
from opslib.backends.cuda.targets import TARGETS

import opslib
from opslib.dispatch import judging
from opslib.ir.expr import Program, Scalar, walk
from opslib.lowering.numbers import number

needs_simulator = pytest.mark.skipif(
    simulator.why_not() is not None, reason="the simulator needs a C++ compiler"
)
pytestmark = pytest.mark.filterwarnings("ignore::opslib.OpslibWarning")
KINDS = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}


def _programs() -> ModuleType:
    """tests/programs.py; see tests/conftest.py."""
    name = "opslib_test_programs"
    if name not in sys.modules:
        file = Path(__file__).parents[2] / "programs.py"
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def program_of(name: str, *arrays: Any, **attributes: Any) -> Program:
    """The program of a call, whose names of tensors and sizes are the spec's."""
    tensors = [p.name for p in getattr(opslib, name).handle.operator.tensors]
    given = dict(zip(tensors, arrays, strict=False))
    found: Program = _programs().case(name, given, attributes).program
    return found


def lowered(name: str, *arrays: Any, **attributes: Any) -> Kernel:
    return lowering.lower(program_of(name, *arrays, **attributes), {}, None, name)


def text_of(name: str, *arrays: Any, **attributes: Any) -> str:
    return renderer.print_unit([lowered(name, *arrays, **attributes)])


def normal(*shape: int, dtype: str = "float32", seed: int = 0) -> Any:
    values = np.random.default_rng(seed).standard_normal(shape)
    return values.astype(KINDS.get(dtype, dtype))


def agrees(name: str, *arrays: Any, ulp: float = 64.0, **attributes: Any) -> None:
    """The results are those of NumPy in float64, but for roundings."""
    function = getattr(opslib, name)
    with np.errstate(all="ignore"):
        got = function(*arrays, backend="cuda:sim", **attributes)
        wide = [
            a.astype(np.float64)
            if isinstance(a, np.ndarray) and a.dtype.kind in "fV"
            else a
            for a in arrays
        ]
        wanted = function(*wide, backend="numpy", **attributes)
    many = isinstance(got, tuple)
    for g, w in zip(got if many else [got], wanted if many else [wanted], strict=True):
        assert g.shape == w.shape
        if g.dtype.kind in "iub":
            np.testing.assert_array_equal(g, w)
            continue
        unit = float(ml_dtypes.finfo(g.dtype).eps)
        np.testing.assert_allclose(
            g.astype(np.float64), w, rtol=ulp * unit, atol=ulp * unit
        )


def chosen(kernel: Kernel, **sizes: int) -> list[Launch]:
    """The launches for these sizes, all strides being those of contiguous arrays."""
    known = {"multiprocessors": 100, **sizes}
    for b in (*kernel.loops.inputs, *kernel.loops.outputs):
        step = 1
        for axis in reversed(range(len(b.shape))):
            known[f"{b.name}_stride{axis}"] = step
            step *= int(number(b.shape[axis], known, {}))
    return [
        x
        for x in kernel.launches
        if x.condition is None or number(x.condition, known, kernel.lets)
    ]


# -- maps -----------------------------------------------------------------------------


@needs_simulator
@pytest.mark.parametrize("n", [0, 1, 3, 4, 5, 1023, 1024, 1031])
def test_maps_have_tails(n: int) -> None:
    agrees("add", normal(n), normal(n, seed=1), ulp=1)


@needs_simulator
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int8", "int64"])
def test_maps_of_every_width(dtype: str) -> None:
    x = normal(5, 77, dtype="float64") * 20
    x = x.astype(KINDS.get(dtype, dtype))
    agrees("multiply", x, x[:1], ulp=1)


@needs_simulator
@pytest.mark.parametrize("offset", [0, 1, 2])
def test_addresses_that_are_not_aligned(offset: int) -> None:
    x = normal(3, 70)[:, offset : offset + 64]
    agrees("exp", x, ulp=2)
    agrees("sum", x, axis=1)


@needs_simulator
def test_strides_of_every_sign() -> None:
    x = normal(6, 40)
    for view in (x[::-1, ::2], x[:, ::-1], x.T, np.broadcast_to(x[:1], (4, 40))):
        agrees("add", view, view, ulp=1)
        agrees("softmax", view)


@needs_simulator
@pytest.mark.parametrize("shape", [(1, 1), (33, 65), (2, 31, 70), (0, 4)])
def test_transposes(shape: tuple[int, ...]) -> None:
    x = normal(*shape)
    axes = tuple(reversed(range(len(shape))))
    got = opslib.permute_dims(x, axes, backend="cuda:sim")
    np.testing.assert_array_equal(got, x.transpose(axes))


def test_transposes_go_through_shared_memory() -> None:
    text = text_of("matrix_transpose", normal(3, 5))
    assert "float *x_tile = (float *)ops_shared;" in text
    assert "__syncthreads();" in text


# -- rows -----------------------------------------------------------------------------


@needs_simulator
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
@pytest.mark.parametrize(
    "shape", [(3, 1), (5, 33), (4, 1030), (600, 300), (2, 13000), (1, 40000)]
)
def test_softmax_of_every_length(dtype: str, shape: tuple[int, int]) -> None:
    if dtype != "float32" and shape[0] * shape[1] > 40000:
        pytest.skip("many rows are the same for every type")
    agrees("softmax", normal(*shape, dtype=dtype))


@needs_simulator
@pytest.mark.parametrize("n", [1, 40, 1100, 5000])
def test_normalisations(n: int) -> None:
    x, w, b = normal(3, n), normal(n, seed=1), normal(n, seed=2)
    agrees("layer_norm", x, w, b, ulp=256)
    agrees("rms_norm", x, w, ulp=256)


@needs_simulator
@pytest.mark.parametrize("n", [1, 33, 1200, 70000])
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_the_first_of_equals_and_the_first_nan(name: str, n: int) -> None:
    x = np.round(normal(4, n) * 2)
    x[1, n // 2 :] = np.nan
    agrees(name, x, axis=1)


@needs_simulator
@pytest.mark.parametrize("name", ["max", "min"])
def test_extremes_of_nan_infinities_and_zeros(name: str) -> None:
    x = normal(6, 300)
    x[0, 7], x[1], x[2], x[3, 299] = np.nan, np.inf, -np.inf, -np.inf
    x[4], x[4, 5] = -0.0, 0.0
    agrees(name, x, axis=1)
    got = getattr(opslib, name)(x, axis=1, backend="cuda:sim")
    assert np.signbit(got[4]) == (name == "min")


@needs_simulator
@pytest.mark.parametrize(
    "axis", [None, 0, 1, 2, (0, 2), (1, 2), (0, 1)], ids=lambda a: f"axis {a}"
)
def test_sums_over_any_axes(axis: Any) -> None:
    agrees("sum", normal(7, 65, 40), axis=axis)
    agrees("sum", normal(700, 3, 40), axis=axis, ulp=4096)


@needs_simulator
def test_folds_of_columns_are_split_where_they_are_few() -> None:
    agrees("sum", normal(3000, 5), axis=0, ulp=4096)
    agrees("max", normal(3000, 5), axis=0)


@needs_simulator
def test_a_fold_of_nothing() -> None:
    agrees("sum", normal(4, 0), axis=1)
    agrees("sum", normal(0, 4), axis=1)


def test_who_takes_a_row_depends_on_its_length() -> None:
    kernel = lowered("softmax", normal(3, 5))

    def names(rows: int, columns: int) -> list[str]:
        (rows_name, columns_name) = kernel.loops.sizes
        found = chosen(kernel, **{rows_name: rows, columns_name: columns})
        return [x.name.removeprefix("op_softmax_") for x in found]

    assert names(10000, 100) == ["warps"]
    assert names(100, 1000) == ["blocks"]
    assert names(10000, 4096) == ["blocks"]
    assert names(10000, 40000) == ["long"]
    assert names(3, 100000) == [f"split_{k}" for k in range(5)]


@pytest.mark.parametrize(
    ("name", "arguments", "attributes"),
    [
        ("softmax", (normal(3, 5),), {}),
        ("sum", (normal(3, 5),), {"axis": (1,)}),
        ("sum", (normal(3, 5),), {"axis": (0,)}),
        ("argmax", (normal(3, 5),), {"axis": 1}),
        ("layer_norm", (normal(3, 5), normal(5), normal(5)), {}),
        ("var", (normal(3, 5),), {"axis": (1,)}),
    ],
)
def test_one_form_for_all_sizes(
    name: str, arguments: tuple[Any, ...], attributes: dict[str, Any]
) -> None:
    """Alternatives exclude each other, and one of them always applies."""
    kernel = lowered(name, *arguments, **attributes)
    for rows in (1, 3, 255, 256, 511, 512, 100000):
        for columns in (1, 32, 33, 256, 257, 1024, 1025, 12000, 32769, 1 << 20):
            found = chosen(
                kernel, **dict(zip(kernel.loops.sizes, (rows, columns), strict=True))
            )
            stems = {x.name.split("_split")[0] for x in found if "_split" in x.name}
            whole = [x for x in found if "_split" not in x.name]
            assert bool(stems) != bool(whole), (rows, columns)
            assert len(whole) <= 1, (rows, columns)


def test_shared_memory_is_what_every_device_gives() -> None:
    kernel = lowered("softmax", normal(3, 5))
    rows_name, columns_name = kernel.loops.sizes
    for columns in (1, 1000, 1024, 11000, 12000, 13000, 1 << 20):
        known = {rows_name: 10000, columns_name: columns, "multiprocessors": 100}
        for x in chosen(kernel, **{rows_name: 10000, columns_name: columns}):
            assert number(x.shared, known, kernel.lets) <= 48 << 10


def test_pieces_depend_on_the_length_alone() -> None:
    """So do a sum's bits: no number of multiprocessors, no batch."""
    program = program_of("sum", normal(3, 5), axis=(1,))
    found = splits.split(lowering.prepare(program))
    assert found is not None
    changed, _ = found
    for d in changed.defines:
        for n in walk(d.value, *d.axes):
            assert not (isinstance(n, Scalar) and n.name == "multiprocessors")


# -- scans and orders -----------------------------------------------------------------


@needs_simulator
@pytest.mark.parametrize("n", [1, 5, 128, 129, 1100, 2500])
@pytest.mark.parametrize("reverse", [False, True])
def test_running_sums(n: int, reverse: bool) -> None:
    agrees("cumsum", normal(3, n)[:, :: -1 if reverse else 1], axis=1, ulp=2048)


@needs_simulator
def test_a_running_sum_of_one_long_row() -> None:
    agrees("cumsum", np.arange(20000) % 7, axis=0)


@needs_simulator
@pytest.mark.parametrize("n", [1, 2, 3, 31, 64, 100, 1537, 3000])
@pytest.mark.parametrize("descending", [False, True])
def test_sorted_rows_are_stable(n: int, descending: bool) -> None:
    x = np.round(normal(2, n) * 3)
    x[1, ::3] = np.nan
    x[0, ::5] = -0.0
    got = opslib.argsort(x, axis=1, descending=descending, backend="cuda:sim")
    wanted = opslib.argsort(x, axis=1, descending=descending, backend="numpy")
    np.testing.assert_array_equal(got, wanted)


@needs_simulator
@pytest.mark.parametrize("dtype", ["int8", "uint16", "int64", "float16", "float64"])
def test_sorts_of_every_type(dtype: str) -> None:
    x = (normal(3, 70, dtype="float64") * 50).astype(dtype)
    got = opslib.sort(x, axis=1, backend="cuda:sim")
    np.testing.assert_array_equal(got, np.sort(x, axis=1))


# -- contractions ---------------------------------------------------------------------


@needs_simulator
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
@pytest.mark.parametrize(
    "shape", [(1, 5, 3), (8, 0, 8), (9, 17, 70), (65, 33, 64), (130, 20, 67)]
)
def test_products(dtype: str, shape: tuple[int, int, int]) -> None:
    m, k, n = shape
    a = (normal(m, k, dtype="float64") * 9).astype(dtype)
    b = (normal(k, n, dtype="float64", seed=1) * 9).astype(dtype)
    agrees("matmul", a, b, ulp=8192)
    agrees("matmul", a, np.ascontiguousarray(b.T).T, ulp=8192)


@needs_simulator
@pytest.mark.parametrize("shape", [(130, 20, 67), (257, 9, 129)])
def test_large_tiles_give_the_same_bits(
    shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    m, k, n = shape
    program = program_of("matmul", normal(m, k), normal(k, n))
    arrays = normal(m, k), normal(k, n, seed=1)
    sizes = {"m": m, "k": k, "n": n}
    found = []
    for multiprocessors in (1, 1000):
        place = simulator.Simulator()
        monkeypatch.setattr(place, "multiprocessors", multiprocessors, raising=False)
        kernel = CudaKernel(program, place)
        out = np.full((m, n), np.nan, np.float32)
        kernel.launch(arrays, [out], sizes, {})
        names = [x.name for x in kernel.form(kernel.contiguous()).made.launches]
        assert any(name.endswith("_large") for name in names)
        found.append(out)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_allclose(found[0], arrays[0] @ arrays[1], rtol=1e-4, atol=1e-4)


@needs_simulator
def test_products_in_batches_and_of_windows() -> None:
    agrees("matmul", normal(3, 20, 9), normal(3, 9, 30), ulp=1024)
    agrees("linear", normal(2, 11, 9), normal(20, 9), normal(20), ulp=1024)
    agrees("conv2d", normal(2, 3, 9, 10), normal(8, 3, 3, 3), ulp=4096, padding=(1, 1))


# -- failures -------------------------------------------------------------------------


@needs_simulator
def test_a_bad_index_is_reported_and_nothing_is_read() -> None:
    x = normal(4, 5)
    with pytest.raises(opslib.OpslibError, match="9"):
        opslib.take(x, np.array([0, 9, 1]), axis=0, backend="cuda:sim")


def test_later_launches_leave_after_a_failure() -> None:
    kernel = lowered("take", normal(3, 5), np.array([1]), axis=0)
    assert kernel.can_fail
    first, *later = kernel.launches
    assert "status" in first.parameters
    for x in later:
        assert x.body[0].strip() == "if (ops_failed(status)) return;"


# -- the text -------------------------------------------------------------------------

GOLDEN: dict[str, Callable[[], Kernel]] = {
    "add_f32": lambda: lowered("add", normal(3, 5), normal(3, 5)),
    "gelu_bf16": lambda: lowered("gelu", normal(5, dtype="bfloat16")),
    "softmax_f16": lambda: lowered("softmax", normal(3, 5, dtype="float16")),
    "sum_f32": lambda: lowered("sum", normal(3, 5), axis=(0,)),
    "argmax_f32": lambda: lowered("argmax", normal(3, 5), axis=1),
    "cumsum_f32": lambda: lowered("cumsum", normal(3, 5), axis=1),
    "take_f32": lambda: lowered("take", normal(3, 5), np.array([1]), axis=0),
    "matmul_f32": lambda: lowered("matmul", normal(3, 4), normal(4, 5)),
    "transpose_f32": lambda: lowered("matrix_transpose", normal(3, 5)),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"golden/cuda/{name}.cu", renderer.print_unit([GOLDEN[name]()]))


@pytest.mark.parametrize("name", GOLDEN)
def test_the_text_is_like_a_persons(name: str) -> None:
    lines = renderer.print_unit([GOLDEN[name]()]).splitlines()
    assert max(map(len, lines)) <= 100
    assert not any("asm" in line or "__nv" in line for line in lines)
    assert not any(line != line.rstrip() for line in lines)


def test_no_warp_has_a_fixed_width() -> None:
    """64 lanes are one more definition: nothing in the text says 32."""
    for name in ("softmax_f16", "argmax_f32", "cumsum_f32"):
        kernel = GOLDEN[name]()
        assert renderer.print_unit([kernel], HIP).startswith("#define OPS_WARP 64\n")
        body = "\n".join(line for x in kernel.launches for line in x.body)
        assert "OPS_WARP" in body
        assert "% 32" not in body
        assert "/ 32" not in body


@needs_simulator
@pytest.mark.parametrize(
    ("name", "shape"),
    [("softmax", (300, 200)), ("softmax", (5, 1500)), ("cumsum", (5, 1500))],
)
def test_warps_of_64_lanes(name: str, shape: tuple[int, int]) -> None:
    x = normal(*shape)
    found = _programs().case(name, {"x": x}, {"axis": 1})
    kernel = CudaKernel(found.program, simulator.Simulator(TARGETS["gfx942"]))
    out = np.zeros(shape, np.float32)
    kernel.launch(found.arrays, [out], found.sizes, found.scalars)
    wanted = getattr(opslib, name)(x.astype("f8"), axis=1, backend="numpy")
    np.testing.assert_allclose(out, wanted, rtol=1e-5, atol=1e-4)


@needs_simulator
def test_attention_in_pieces_by_warps_of_64_lanes() -> None:
    """A block joins half as many rows as one of 32 lanes does."""
    q, k, v = normal(4, 9, 8), normal(4, 1000, 8), normal(4, 1000, 8)
    handle = opslib.scaled_dot_product_attention.handle
    program, binding, inputs = judging.prepared(handle, (q, k, v, None), {})
    kernel = CudaKernel(program, simulator.Simulator(TARGETS["gfx942"]))
    out = np.zeros(binding.outputs[0].view.extents, np.float32)
    given = [inputs[t.name] for t in program.inputs]
    kernel.launch(given, [out], binding.sizes, binding.scalars)
    wide = (x.astype("f8") for x in (q, k, v))
    wanted = opslib.scaled_dot_product_attention(*wide, backend="numpy")
    np.testing.assert_allclose(out.reshape(4, 9, 8), wanted, rtol=1e-5, atol=1e-5)


def test_parameters_are_all_there() -> None:
    for make in GOLDEN.values():
        kernel = make()
        for x in kernel.launches:
            for p in x.parameters:
                assert p in kernel.parameters
        sources = {w.name for w in kernel.workspaces}
        used = {p.source for p in kernel.parameters.values() if p.kind == "workspace"}
        assert used <= sources
