"""Which dtypes an operator is tested in, from its signature."""

from __future__ import annotations

from opslib.ir.dtypes import CLASSES, DTYPES
from opslib.ir.sample import allowed_types
from opslib.language import syntax


def main_variable(operator: syntax.Operator) -> str | None:
    """The dtype variable that a report's dtype stands for."""
    variables = {
        p.type.dtype.name
        for p in operator.tensors
        if isinstance(p.type, syntax.TensorType) and p.type.dtype.name not in DTYPES
    }
    attributes = {
        p.name
        for p in operator.attributes
        if isinstance(p.type, syntax.AttributeType) and p.type.kind == "dtype"
    }
    for result in operator.results:
        for name in _dtype_names(result.type.dtype):
            if name in variables:
                return name
    if variables:
        first = next(
            p
            for p in operator.tensors
            if isinstance(p.type, syntax.TensorType) and p.type.dtype.name in variables
        )
        assert isinstance(first.type, syntax.TensorType)
        return first.type.dtype.name
    return min(attributes, default=None)


def _dtype_names(node: syntax.DTypeExpression) -> list[str]:
    return [node.name] + [n for a in node.arguments for n in _dtype_names(a)]


def dtypes_of(operator: syntax.Operator) -> tuple[str, ...]:
    """The dtypes that the operator is tested in, the usual ones first."""
    main = main_variable(operator)
    order = ("float32", "bfloat16", "int32", "float16", "float64", "int64", "uint8")
    if main is None:
        fixed = [
            p.type.dtype.name
            for p in operator.tensors
            if isinstance(p.type, syntax.TensorType)
        ] + [r.type.dtype.name for r in operator.results]
        return (next((n for n in fixed if n in DTYPES), "float32"),)
    classes = {c.name: c.classes for c in operator.classes}
    if main in {p.name for p in operator.attributes}:
        allowed = CLASSES["any"]
    else:
        allowed = allowed_types(main, classes)
    rest = sorted(allowed.difference(order), key=list(DTYPES).index)
    return (*(n for n in order if n in allowed), *rest)
