"""`opslib.export_onnx`: models that onnx checks, and that runtimes agree on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import opslib

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
ort = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

rng = np.random.default_rng(0)


def normal(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return rng.normal(size=shape).astype(dtype)


def shapes(ports: Any) -> list[list[str | int]]:
    return [
        [d.dim_param or d.dim_value for d in p.type.tensor_type.shape.dim]
        for p in ports
    ]


def run(model: Any, arrays: list[np.ndarray]) -> list[list[np.ndarray]]:
    """By ONNX Runtime, and by ONNX's own reference evaluator."""
    from onnx.reference import ReferenceEvaluator

    feeds = dict(zip([i.name for i in model.graph.input], arrays, strict=True))
    session = ort.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return [session.run(None, feeds), ReferenceEvaluator(model).run(None, feeds)]


CASES: list[tuple[str, list[np.ndarray], dict[str, Any]]] = [
    ("add", [normal(3, 4), normal(4)], {}),
    ("add", [normal(3, 1), normal(4)], {}),
    ("softmax", [normal(3, 4, 5)], {"axis": 1}),
    ("layer_norm", [normal(3, 8), normal(8), normal(8)], {}),
    ("matmul", [normal(2, 3, 4), normal(4, 5)], {}),
    ("linear", [normal(3, 4), normal(5, 4), normal(5)], {}),
    ("conv2d", [normal(1, 3, 8, 8), normal(4, 3, 3, 3)], {"padding": 1}),
    ("mean", [normal(3, 4, dtype=np.float16)], {"axis": 0, "keepdims": True}),
    ("embedding", [np.array([[1, 2, 9]]), normal(10, 4)], {}),
    ("transpose", [normal(2, 3, 4)], {"axes": (2, 0, 1)}),
    ("silu_and_mul", [normal(3, 8)], {}),
    ("where", [np.array([True, False]), normal(2), normal(2)], {}),
]


@pytest.mark.parametrize(("name", "arrays", "attributes"), CASES)
@pytest.mark.parametrize("dynamic", [True, False])
def test_runtimes_agree_with_the_operator(
    name: str, arrays: list[np.ndarray], attributes: Any, dynamic: bool
) -> None:
    model = opslib.export_onnx(name, None, *arrays, dynamic=dynamic, **attributes)
    want = getattr(opslib, name)(*arrays, backend="numpy", **attributes)
    tolerance = 2e-3 if arrays[0].dtype == np.float16 else 1e-5
    for (got,) in run(model, arrays):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


def test_sizes_have_names_and_the_model_takes_others() -> None:
    model = opslib.export_onnx("rms_norm", None, ((2, 4), "float32"), normal(4))
    assert shapes(model.graph.input) == [["batch0", "n"], ["n"]]
    x, weight = normal(7, 33), normal(33)
    for (got,) in run(model, [x, weight]):
        want = opslib.rms_norm(x, weight, backend="numpy")
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_without_dynamic_sizes_are_numbers() -> None:
    model = opslib.export_onnx("add", None, normal(3, 4), normal(4), dynamic=False)
    assert shapes([*model.graph.input, *model.graph.output]) == [[3, 4], [4], [3, 4]]


def test_a_file_is_written_and_checks(tmp_path: Path) -> None:
    path = tmp_path / "gelu.onnx"
    opslib.export_onnx(opslib.gelu, path, ((8, 128), "float32"), approximate="tanh")
    onnx.checker.check_model(onnx.load(path), full_check=True)


def test_bfloat16_models_check() -> None:
    # No runtime here takes bfloat16 arrays from Python; the types must still agree.
    model = opslib.export_onnx("silu", None, ((3,), "bfloat16"))
    assert model.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.BFLOAT16


def test_an_operator_made_here_exports_too() -> None:
    made = opslib.op(
        "op twice(x: T[n]) -> y: T[n] where T: float\n    y[i] = x[i] + x[i]"
    )
    x = normal(5)
    for (got,) in run(opslib.export_onnx(made, None, x), [x]):
        np.testing.assert_array_equal(got, 2 * x)


def test_what_onnx_cannot_express_is_an_error_that_names_it() -> None:
    with pytest.raises(opslib.CompileError, match="primitive 'nextafter'"):
        opslib.export_onnx("nextafter", None, normal(3), normal(3))


def test_calls_that_do_not_fit_raise_what_the_operator_raises() -> None:
    with pytest.raises(opslib.ShapeError):
        opslib.export_onnx("matmul", None, normal(2, 3), normal(4, 5))
    with pytest.raises(opslib.ArgumentError, match="no element type"):
        opslib.export_onnx("abs", None, ((3,), "float7"))
    with pytest.raises(opslib.ArgumentError, match="no operator"):
        opslib.export_onnx("no_such_operator", None)


def test_without_onnx_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(opslib.BackendUnavailable) as caught:
        opslib.export_onnx("abs", None, normal(3))
    assert "opslib[onnx]" in caught.value.help
