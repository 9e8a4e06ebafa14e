"""ONNX graphs: the nodes that are printed, and that they mean what the spec says."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from opslib.codegen import onnx_primitives, onnx_style
from opslib.codegen.onnx_layout import layout
from opslib.codegen.onnx_style import Options
from opslib.ir.primitives import PRIMITIVES
from opslib.ir.view import View

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
ort = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

rng = np.random.default_rng(0)


def normal(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return rng.normal(size=shape).astype(dtype)


def kinds(rendered: onnx_style.Rendered) -> list[str]:
    return [n.kind for n in rendered.nodes]


def printed(case: Any, **options: bool) -> onnx_style.Rendered:
    return onnx_style.render(case.program, case.sizes, case.scalars, Options(**options))


def by_runtime(rendered: onnx_style.Rendered, case: Any) -> list[np.ndarray]:
    model = onnx_style.model(rendered)
    onnx.checker.check_model(model, full_check=True)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feeds = dict(zip([p.name for p in rendered.inputs], case.arrays, strict=True))
    feeds = {k: np.ascontiguousarray(v) for k, v in feeds.items()}
    used = {i.name for i in session.get_inputs()}
    return session.run(None, {k: v for k, v in feeds.items() if k in used})


def by_numpy(case: Any) -> list[np.ndarray]:
    from opslib.codegen.array_style import NUMPY, render

    text = render(case.program, NUMPY)
    given = {p: case.sizes[s] for s, p in text.sizes.items()}
    given |= {p: case.scalars[s] for s, p in text.scalars.items()}
    with np.errstate(all="ignore"):
        found = text.function()(*case.arrays, **given)
    return list(found) if isinstance(found, tuple) else [found]


# The one node, or the few, that an operator must become.
NODES: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    ("add", {"x1": normal(3, 4), "x2": normal(3, 4)}, {}, ["Add"]),
    ("matmul", {"x1": normal(3, 4), "x2": normal(4, 5)}, {}, ["MatMul"]),
    ("matmul", {"x1": normal(2, 3, 4), "x2": normal(2, 4, 5)}, {}, ["MatMul"]),
    ("embedding", {"input": np.array([[2, 0]]), "weight": normal(3, 4)}, {},
     ["Gather"]),
    ("softmax", {"x": normal(3, 5)}, {}, ["Softmax"]),
    ("gelu", {"input": normal(7)}, {}, ["Gelu"]),
    ("cumsum", {"x": normal(3, 5)}, {}, ["CumSum"]),
    ("sum", {"x": normal(3, 5)}, {"axis": 1}, ["ReduceSum"]),
    ("flip", {"x": normal(3, 5)}, {"axis": 1}, ["Slice"]),
    ("where", {"condition": np.array([True, False]), "x1": normal(2),
               "x2": normal(2)}, {}, ["Where"]),
    ("take_along_axis", {"x": normal(3, 5), "indices": np.zeros((3, 2), np.int64)},
     {"axis": 1}, ["GatherElements"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arrays", "attributes", "want"), NODES)
def test_an_operator_becomes_the_node_that_means_it(
    programs: ModuleType, name: str, arrays: Any, attributes: Any, want: list[str]
) -> None:
    case = programs.case(name, arrays, attributes)
    assert kinds(printed(case)) == want


@pytest.mark.parametrize(
    ("name", "arrays", "attributes"),
    [
        ("conv2d", {"input": normal(2, 4, 6, 5), "weight": normal(6, 2, 3, 2)},
         {"groups": 2, "padding": (1, 0), "stride": (2, 1)}),
        ("conv1d", {"input": normal(2, 4, 9), "weight": normal(6, 4, 3)},
         {"dilation": 2, "stride": 2}),
        ("avg_pool2d", {"input": normal(2, 7, 6)}, {"kernel_size": 3, "padding": 1}),
    ],
)  # fmt: skip
def test_windows_become_convolutions(
    programs: ModuleType, name: str, arrays: Any, attributes: Any
) -> None:
    case = programs.case(name, arrays, attributes)
    rendered = printed(case, specials=False)
    assert "Conv" in kinds(rendered)
    for got, want in zip(by_runtime(rendered, case), by_numpy(case), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_a_maximum_over_windows_is_a_pooling_where_nan_may_be_lost(
    programs: ModuleType,
) -> None:
    case = programs.case(
        "max_pool2d", {"input": normal(2, 7, 6)}, {"kernel_size": 3, "padding": 1}
    )
    assert "MaxPool" in kinds(printed(case, specials=False))
    assert "MaxPool" not in kinds(printed(case))
    for options in ({}, {"specials": False}):
        (got,) = by_runtime(printed(case, **options), case)
        np.testing.assert_array_equal(got, by_numpy(case)[0])


VALUES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("add", {"x1": normal(3, 1), "x2": normal(4)}, {}),
    ("add", {"x1": np.int8([100, -100]), "x2": np.int8([100, -100])}, {}),
    ("floor_divide", {"x1": np.int32([7, -7, 7, -7, 5, -(2**31)]),
                      "x2": np.int32([2, 2, -2, -2, 0, -1])}, {}),
    ("remainder", {"x1": np.int32([7, -7, 7, -7, 5, -(2**31)]),
                   "x2": np.int32([2, 2, -2, -2, 0, -1])}, {}),
    ("floor_divide", {"x1": np.uint64([2**64 - 1, 9]), "x2": np.uint64([3, 0])}, {}),
    ("maximum", {"x1": np.uint64([2**63, 1]), "x2": np.uint64([1, 2**63])}, {}),
    ("pow", {"x1": np.int32([-3, 2, 7, -1]), "x2": np.int32([3, 33, 0, -5])}, {}),
    ("bitwise_right_shift", {"x1": np.int16([-9, 9, -1]),
                             "x2": np.int16([1, 40, 3])}, {}),
    ("max", {"x": np.float32([[1, np.nan, 2], [4, 3, -np.inf]])}, {"axis": 1}),
    ("argmax", {"x": np.float32([[1, np.nan, 2, np.nan], [4, 3, 4, 0]])}, {"axis": 1}),
    ("sort", {"x": np.float32([[3, np.nan, -1, np.inf], [2, 2, -np.inf, 0]])}, {}),
    ("topk", {"x": np.float32([[1, 3, 3, np.nan, -0.0, 0]])}, {"k": 4}),
    ("argsort", {"x": np.int8([[3, 1, 3, -128]])}, {"descending": True}),
    ("cummax", {"x": np.float32([[1, np.nan, 3, 2]])}, {}),
    ("cumprod", {"x": normal(4, 9)}, {}),
    ("concat", {"xs": [normal(2, 3), normal(1, 3)]}, {"axis": 0}),
    ("pad", {"x": normal(2, 3)}, {"before": (1, 0), "after": (0, 2)}),
    ("roll", {"x": normal(2, 5)}, {"shift": 2, "axis": 1}),
    ("diagonal", {"x": normal(3, 3)}, {}),
    ("scatter_add", {"input": normal(3, 4), "index": np.array([[0, 0, 2]]),
                     "src": normal(1, 3)}, {"dim": 0}),
    ("scatter", {"input": normal(4), "index": np.array([1, 1, 3]),
                 "src": normal(3)}, {"dim": 0}),
    ("linear_recurrence", {"a": normal(2, 6), "x": normal(2, 6)}, {}),
    ("linear_recurrence", {"a": normal(2, 40), "x": normal(2, 40)}, {}),
    ("linear_recurrence", {"a": normal(2, 0), "x": normal(2, 0)}, {}),
    ("scaled_dot_product_attention",
     {"query": normal(2, 4, 5, 8), "key": normal(2, 2, 6, 8),
      "value": normal(2, 2, 6, 3)}, {"enable_gqa": True, "is_causal": True}),
    ("layer_norm", {"x": normal(3, 8), "weight": normal(8), "bias": normal(8)}, {}),
    ("logcumsumexp", {"x": normal(2, 20)}, {}),
    ("sum", {"x": normal(0, 3)}, {"axis": 0}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arrays", "attributes"), VALUES)
@pytest.mark.parametrize("whole", [True, False])
def test_the_runtime_agrees_with_numpy(
    programs: ModuleType, name: str, arrays: Any, attributes: Any, whole: bool
) -> None:
    case = programs.case(name, arrays, attributes)
    got = by_runtime(printed(case, whole=whole), case)
    for mine, want in zip(got, by_numpy(case), strict=True):
        assert mine.dtype == want.dtype
        if want.dtype.kind in "biu":
            np.testing.assert_array_equal(mine, want)
        else:
            np.testing.assert_allclose(mine, want, rtol=2e-6, atol=2e-6)


def test_onnx_reference_agrees_too(programs: ModuleType) -> None:
    from onnx.reference import ReferenceEvaluator

    case = programs.case(
        "layer_norm", {"x": normal(3, 8), "weight": normal(8), "bias": normal(8)}
    )
    rendered = printed(case)
    feeds = dict(zip([p.name for p in rendered.inputs], case.arrays, strict=True))
    (got,) = ReferenceEvaluator(onnx_style.model(rendered)).run(None, feeds)
    np.testing.assert_allclose(got, by_numpy(case)[0], rtol=1e-5, atol=1e-6)


def test_every_primitive_has_a_form_or_is_known_to_have_none() -> None:
    # It would take the bits of a float, which ONNX does not show.
    assert set(PRIMITIVES) - onnx_primitives.covered() == {"nextafter"}


@pytest.mark.parametrize(
    ("name", "arrays", "message"),
    [("nextafter", {"x1": normal(2), "x2": normal(2)}, "primitive 'nextafter'")],
)
def test_what_has_no_form_says_so(
    programs: ModuleType, name: str, arrays: Any, message: str
) -> None:
    with pytest.raises(NotImplementedError, match=message):
        printed(programs.case(name, arrays))


# --- Sizes that may vary ------------------------------------------------------------


def symbolic(case: Any) -> onnx_style.Rendered | None:
    program = case.program
    layouts = {}
    for t, array in zip(program.inputs, case.arrays, strict=True):
        view = View(tuple(range(array.ndim)), array.shape, array.shape)
        layouts[t.name] = layout(view, array.shape)
    for t in program.outputs:
        shape = case.shapes[t.name]
        view = View(tuple(range(len(shape))), shape, shape)
        layouts[t.name] = layout(view, shape)
    return onnx_style.symbolic(program, case.scalars, layouts=layouts)


def test_sizes_get_names_where_the_graph_holds_for_all(programs: ModuleType) -> None:
    case = programs.case("rms_norm", {"x": normal(3, 8), "weight": normal(8)})
    found = symbolic(case)
    assert found is not None
    assert [p.shape for p in found.inputs] == [("batch0", "n"), ("n",)]
    # The n of the mean is read off the input.
    assert "Shape" in kinds(found)
    other = programs.case("rms_norm", {"x": normal(5, 33), "weight": normal(33)})
    (got,) = by_runtime(found, other)
    np.testing.assert_allclose(got, by_numpy(other)[0], rtol=1e-5)


def test_sizes_stay_numbers_where_the_graph_needs_them(programs: ModuleType) -> None:
    assert symbolic(programs.case("sort", {"x": normal(3, 8)})) is None


# --- Layouts ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("view", "shape", "axes", "absent"),
    [
        (View((0, 1), (2, 3), (2, 3)), (2, 3), (0, 1), set()),
        (View((1, 0), (3, 2), (3, 2)), (2, 3), (0, 1), set()),
        (View((0,), (1, 3), (2, 3)), (3,), (1,), {0}),
        (View((0, 1), (1, 3), (2, 3)), (1, 3), (0, 1), {0}),
        (View((0, 1), (3,), (3,)), (1, 3), (None, 0), set()),
    ],
)
def test_axes_of_the_caller_and_of_the_program(
    view: View, shape: tuple[int, ...], axes: Any, absent: set[int]
) -> None:
    found = layout(view, shape)
    assert found.axes == axes
    assert found.absent == absent


def test_a_view_that_splits_an_axis_has_no_axes() -> None:
    assert layout(View((0,), (2, 3), (2, 3)), (6,)).axes is None


def test_half_composites_stay_within_float16(programs: ModuleType) -> None:
    """What is computed on the way is what a chip holds in float16."""
    x = np.float32([-500, -20, -1e-3, 1e-3, 0.3, 5])
    for name in ("expm1", "log1p", "erfc", "sigmoid", "silu"):
        arrays = {"x": np.maximum(x, -0.9) if name == "log1p" else x}
        if name in ("erfc", "sigmoid", "silu"):
            arrays = {"input": x}
        case = programs.case(name, arrays)
        rendered = printed(case, specials=False, whole=False, half=True)
        for value in rendered.graph.constants.values():
            if value.dtype.kind == "f":
                assert np.abs(value[np.isfinite(value)]).max(initial=0) < 65504
        (got,) = by_runtime(rendered, case)
        want = by_numpy(case)[0]
        # Below e^-20, which is zero in float16, nothing is told apart.
        np.testing.assert_allclose(got, want, rtol=2e-3, atol=2e-6)
