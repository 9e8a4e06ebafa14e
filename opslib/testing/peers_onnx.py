"""ONNX's reference evaluator as a peer: which node an operator is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opslib.testing.peers import Adapter, Refused, resolve

# Operator -> node type and its attributes, from those of the call.
Node = tuple[str, Callable[[dict[str, Any]], Mapping[str, Any] | None]]


def _none(_: dict[str, Any]) -> Mapping[str, Any]:
    return {}


def _plain(*names: str) -> Callable[[dict[str, Any]], Mapping[str, Any]]:
    return lambda a: {k: a[k] for k in names if k in a}


def _axis(a: dict[str, Any]) -> Mapping[str, Any]:
    return {"axis": a.get("axis", -1)}


ONNX: dict[str, Node] = {
    **{
        name: (kind, _none)
        for name, kind in {
            "abs": "Abs",
            "acos": "Acos",
            "acosh": "Acosh",
            "add": "Add",
            "asin": "Asin",
            "asinh": "Asinh",
            "atan": "Atan",
            "atanh": "Atanh",
            "ceil": "Ceil",
            "cos": "Cos",
            "cosh": "Cosh",
            "divide": "Div",
            "equal": "Equal",
            "erf": "Erf",
            "exp": "Exp",
            "floor": "Floor",
            "greater": "Greater",
            "greater_equal": "GreaterOrEqual",
            "hardswish": "HardSwish",
            "less": "Less",
            "less_equal": "LessOrEqual",
            "log": "Log",
            "logical_and": "And",
            "logical_not": "Not",
            "logical_or": "Or",
            "logical_xor": "Xor",
            "matmul": "MatMul",
            "mish": "Mish",
            "multiply": "Mul",
            "negative": "Neg",
            "pow": "Pow",
            "reciprocal": "Reciprocal",
            "relu": "Relu",
            "round": "Round",
            "sigmoid": "Sigmoid",
            "sign": "Sign",
            "sin": "Sin",
            "sinh": "Sinh",
            "softsign": "Softsign",
            "sqrt": "Sqrt",
            "subtract": "Sub",
            "tan": "Tan",
            "tanh": "Tanh",
            "where": "Where",
        }.items()
    },
    "softmax": ("Softmax", _axis),
    "log_softmax": ("LogSoftmax", _axis),
    "gelu": ("Gelu", _plain("approximate")),
    "celu": ("Celu", _plain("alpha")),
    "elu": ("Elu", _plain("alpha")),
    "leaky_relu": (
        "LeakyRelu",
        lambda a: {"alpha": a.get("negative_slope", 0.01)},
    ),
    "selu": ("Selu", _none),
    "hardsigmoid": ("HardSigmoid", lambda a: {"alpha": 1 / 6, "beta": 0.5}),
    "isinf": ("IsInf", _none),
    "isnan": ("IsNaN", _none),
}


def onnx_adapter(name: str) -> Adapter:
    """The operator by ONNX's reference evaluator."""
    if name not in ONNX:
        raise Refused("ONNX has no such operator")
    resolve("onnx.reference")
    kind, attributes = ONNX[name]

    def call(t: Sequence[Any], a: dict[str, Any]) -> Any:
        from onnx import TensorProto, helper
        from onnx.helper import np_dtype_to_tensor_dtype
        from onnx.reference import ReferenceEvaluator

        names = [f"x{k}" for k in range(len(t))]
        node = helper.make_node(kind, names, ["y"], **(attributes(a) or {}))
        inputs = [
            helper.make_tensor_value_info(n, np_dtype_to_tensor_dtype(x.dtype), None)
            for n, x in zip(names, t, strict=True)
        ]
        output = helper.make_tensor_value_info("y", TensorProto.UNDEFINED, None)
        graph = helper.make_graph([node], "g", inputs, [output])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
        run = ReferenceEvaluator(model).run
        found: Any = run(None, dict(zip(names, t, strict=True)))
        return found[0]

    return call
