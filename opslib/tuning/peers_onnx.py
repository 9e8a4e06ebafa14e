"""Operators as one-node ONNX models, run by onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opslib.language.syntax import Operator
from opslib.runtime import pool

_OPSET = 20

# Operator -> (node type, attributes of the node from those of the call).
_Attributes = Callable[[Mapping[str, Any], Sequence[Any]], dict[str, Any]]


def _none(named: Mapping[str, Any], arrays: Sequence[Any]) -> dict[str, Any]:
    return {}


def _axis(named: Mapping[str, Any], arrays: Sequence[Any]) -> dict[str, Any]:
    return {"axis": named.get("axis", -1)}


def _gelu(named: Mapping[str, Any], arrays: Sequence[Any]) -> dict[str, Any]:
    return {"approximate": named.get("approximate", "none")}


def _norm(named: Mapping[str, Any], arrays: Sequence[Any]) -> dict[str, Any]:
    return {"axis": -1, "epsilon": named.get("eps", 1e-5)}


def _keep(named: Mapping[str, Any], arrays: Sequence[Any]) -> dict[str, Any]:
    return {"keepdims": int(named.get("keepdims", False))}


def _permutation(named: Mapping[str, Any], arrays: Sequence[Any]) -> dict[str, Any]:
    axes = named.get("axes") or tuple(reversed(range(arrays[0].ndim)))
    return {"perm": list(axes)}


def _convolution(named: Mapping[str, Any], arrays: Sequence[Any]) -> dict[str, Any]:
    spatial = arrays[0].ndim - 2

    def each(name: str, default: int) -> list[int]:
        value = named.get(name, default)
        return list(value) if isinstance(value, tuple) else [value] * spatial

    return {
        "pads": each("padding", 0) * 2,
        "strides": each("stride", 1),
        "dilations": each("dilation", 1),
        "group": named.get("groups", 1),
    }


_NODES: dict[str, tuple[str, _Attributes]] = {
    "add": ("Add", _none),
    "subtract": ("Sub", _none),
    "multiply": ("Mul", _none),
    "divide": ("Div", _none),
    "matmul": ("MatMul", _none),
    "bmm": ("MatMul", _none),
    "exp": ("Exp", _none),
    "tanh": ("Tanh", _none),
    "sqrt": ("Sqrt", _none),
    "erf": ("Erf", _none),
    "sigmoid": ("Sigmoid", _none),
    "relu": ("Relu", _none),
    "gelu": ("Gelu", _gelu),
    "softmax": ("Softmax", _axis),
    "log_softmax": ("LogSoftmax", _axis),
    "layer_norm": ("LayerNormalization", _norm),
    "sum": ("ReduceSum", _keep),
    "mean": ("ReduceMean", _keep),
    "max": ("ReduceMax", _keep),
    "min": ("ReduceMin", _keep),
    "transpose": ("Transpose", _permutation),
    "permute_dims": ("Transpose", _permutation),
    "conv1d": ("Conv", _convolution),
    "conv2d": ("Conv", _convolution),
    "conv3d": ("Conv", _convolution),
}


def peer(
    operator: Operator, arrays: Sequence[Any], attributes: Mapping[str, Any]
) -> Any:
    """The callable and the conversion, or None where there is no such node."""
    found = _NODES.get(operator.name)
    if found is None or any(a is None or isinstance(a, tuple) for a in arrays):
        return None
    session = _session(*found, arrays, attributes)
    names = [f"x{k}" for k in range(len(arrays))]

    def run(*given: Any) -> Any:
        return session.run(None, dict(zip(names, given, strict=True)))[0]

    return run, list


def _session(
    kind: str, make: _Attributes, arrays: Sequence[Any], named: Mapping[str, Any]
) -> Any:
    import onnxruntime
    from onnx import helper, numpy_helper

    inputs = [
        helper.make_tensor_value_info(
            f"x{k}", helper.np_dtype_to_tensor_dtype(a.dtype), a.shape
        )
        for k, a in enumerate(arrays)
    ]
    element = helper.np_dtype_to_tensor_dtype(arrays[0].dtype)
    output = helper.make_tensor_value_info("y", element, None)
    wired = [i.name for i in inputs]
    constants = []
    if kind.startswith("Reduce") and named.get("axis") is not None:
        import numpy as np

        axes = np.atleast_1d(np.asarray(named["axis"], np.int64))
        constants.append(numpy_helper.from_array(axes, "axes"))
        wired.append("axes")
    node = helper.make_node(kind, wired, ["y"], **make(named, arrays))
    graph = helper.make_graph([node], kind, inputs, [output], constants)
    # Not the newest format that onnx writes: onnxruntime may not read it yet.
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=9
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = pool.num_threads()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
