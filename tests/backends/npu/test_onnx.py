"""The ONNX families of the npu backend: ONNX Runtime's CPU provider, and QNN."""

from __future__ import annotations

import contextlib
import importlib.util
import warnings
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from opslib.backends.npu import backend, device
from opslib.backends.npu.onnx import qnn

import opslib
from opslib.analysis.bound import Arithmetic, evaluate_bounds
from opslib.dispatch.handle import Handle
from opslib.errors import BackendUnavailable, CompileError, OperandIndexError
from opslib.ir.dtypes import FLOAT16, FLOAT32
from opslib.runtime import registry
from opslib.testing.inputs import make_case
from opslib.testing.judge import judge_once
from opslib.testing.operator_table import Row, markdown, row, shortened

needs_onnx = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("onnx", "onnxruntime"))),
    reason="onnx and onnxruntime are not installed",
)
needs_qnn = pytest.mark.skipif(
    importlib.util.find_spec("onnxruntime_qnn") is None,
    reason="onnxruntime-qnn is not installed: pip install 'opslib[qnn]'",
)
rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", opslib.OpslibWarning)
        yield


def named(name: str) -> Any:
    return next(d for d in backend().devices() if d.name == name)


# --- Devices ------------------------------------------------------------------------


def test_devices_that_lower_precision_run_only_by_their_own_name() -> None:
    for name in ("npu:onnx", "npu:qnn", "npu:qnn:float16"):
        assert named(name).named_only
    # With nothing else here it is an error, and still not one of those.
    with contextlib.suppress(BackendUnavailable):
        assert not registry.device("npu")[1].named_only


def test_a_missing_package_is_a_reason_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "opslib[qnn]" in named("npu:qnn").why_not
    assert "onnxruntime" in named("npu:onnx").why_not


def test_simulators_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPSLIB_SIMULATE", "never")
    assert all(d.why_not for d in backend().devices() if d.simulated)


@needs_onnx
def test_a_simulator_says_so_once() -> None:
    made = device.NpuBackend()
    program = make_case(Handle("add"), "float32", 1).program
    with pytest.warns(opslib.OpslibWarning, match="npu:onnx is simulated"):
        made.compile(program, named("npu:onnx"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made.compile(program, named("npu:onnx"))


# --- ONNX Runtime's CPU provider ----------------------------------------------------


@needs_onnx
@pytest.mark.parametrize(
    ("operator", "dtype"),
    [("add", "float32"), ("gelu", "float32"), ("softmax", "float16"),
     ("matmul", "float32"), ("argmax", "int32"), ("sort", "float32"),
     ("scatter_add", "float32"), ("embedding", "float32"),
     ("floor_divide", "int8"), ("conv2d", "float32"), ("rotary_embedding", "float32"),
     ("linear_recurrence", "float32"), ("bitwise_xor", "uint16")],
)  # fmt: skip
def test_operators_are_within_the_bounds(operator: str, dtype: str) -> None:
    handle = Handle(operator)
    for number in range(3):
        verdict = judge_once(handle, make_case(handle, dtype, number), "npu:onnx")
        assert verdict.status in ("pass", "vacuous"), verdict.message


@needs_onnx
def test_an_index_out_of_bounds_is_reported() -> None:
    table = np.zeros((3, 2), np.float32)
    with pytest.raises(OperandIndexError):
        opslib.embedding(np.array([0, 3]), table, backend="npu:onnx")


@needs_onnx
def test_every_shape_has_its_session_and_results_of_nothing_need_none(
    programs: ModuleType,
) -> None:
    place = named("npu:onnx")
    case = programs.case("add", {"x1": np.float32([1, 2]), "x2": np.float32([3, 4])})
    kernel = backend().compile(case.program, place)
    for count in (2, 5, 2, 0):
        x = np.ones(count, np.float32)
        (made,) = kernel.launch([x, x], (), {"batch0": count}, {})
        np.testing.assert_array_equal(made, x + x)
    assert len(kernel._sessions) == 3
    assert "Add" in kernel.source


@needs_onnx
def test_attributes_are_part_of_the_graph(programs: ModuleType) -> None:
    case = programs.case("leaky_relu", {"input": np.float32([-1, 2])})
    kernel = backend().compile(case.program, named("npu:onnx"))
    for slope in (0.25, 0.5):
        scalars = dict.fromkeys(case.scalars, slope)
        (made,) = kernel.launch(case.arrays, (), case.sizes, scalars)
        np.testing.assert_array_equal(made, np.float32([-slope, 2]))


# --- QNN ----------------------------------------------------------------------------


def test_float32_is_refused_with_the_remedy() -> None:
    program = make_case(Handle("add"), "float32", 1).program
    why = qnn.family().supports(program, qnn.DEVICE)
    assert why is not None
    assert "npu:qnn:float16" in why
    assert qnn.family().supports(program, qnn.LOWER) is None
    with pytest.raises(CompileError, match="computes in float16"):
        qnn.family().compile(program, qnn.DEVICE)


def test_types_that_the_chip_lacks_are_refused() -> None:
    program = make_case(Handle("add"), "float64", 1).program
    assert "float64" in str(qnn.family().supports(program, qnn.LOWER))


@needs_qnn
@pytest.mark.parametrize(
    "operator",
    ["add", "divide", "exp", "sigmoid", "silu_and_mul", "where", "sum", "max",
     "matmul", "layer_norm", "rms_norm", "embedding", "transpose", "softmax"],
)  # fmt: skip
def test_operators_run_on_qnn_within_float16_bounds(operator: str) -> None:
    found = row(operator, "float16", "npu:qnn", 4)
    assert found.state in ("runs", "part"), found


@needs_qnn
def test_float32_arrays_are_computed_in_float16_where_the_caller_says_so() -> None:
    x = np.float32([1.0001, 2])
    made = opslib.multiply(x, x, backend="npu:qnn:float16")
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, x * x, rtol=2**-9)
    assert made[0] != x[0] * x[0]


@needs_qnn
def test_what_the_chip_does_not_take_is_an_error_not_a_fallback() -> None:
    with pytest.raises(BackendUnavailable, match="refuses the graph"):
        opslib.acos(np.float16([0.5]), backend="npu:qnn")


# --- What a narrower arithmetic promises --------------------------------------------


def bounds(case: Any, arithmetic: Arithmetic) -> Any:
    (found,) = evaluate_bounds(*case.arguments, arithmetic).values()
    return found


def test_a_narrow_type_bounds_constants_range_and_nan(programs: ModuleType) -> None:
    case = programs.case("exp", {"x": np.float32([1, 12, np.nan])})
    wide = bounds(case, Arithmetic())
    half = Arithmetic({"float32": FLOAT16.unit_roundoff}, narrow=FLOAT16)
    narrow = bounds(case, half)
    assert 2**-12 < narrow.bound[0] / wide.value[0] < 2**-8
    # e^12 is beyond float16, and a nan may become anything.
    assert np.isinf(narrow.bound[1:]).all()
    assert np.isfinite(wide.bound[:2]).all()
    assert half.largest(FLOAT32) == 65504


# --- The table ----------------------------------------------------------------------


@needs_onnx
def test_rows_of_the_table_say_what_became_of_an_operator() -> None:
    assert row("add", "float32", "npu:onnx", 2) == Row("add", "float32", "runs", 2)
    refused = row("nextafter", "float32", "npu:onnx", 2)
    assert refused.state == "refused"
    assert "nextafter" in refused.note


@needs_onnx
def test_a_page_counts_its_rows() -> None:
    text = markdown([Row("add", "float32", "runs", 2)], "npu:onnx")
    assert "float32: of 1 operators 1 runs." in text
    assert "| add | float32 | runs | 2 |  |" in text


def test_messages_lose_what_all_of_them_repeat() -> None:
    text = "acos: P refuses the graph: [ONNXRuntimeError] : 1 : FAIL : no | more\nrest"
    assert shortened(text) == "FAIL : no / more"
