"""A tensor over named index variables, and how several are brought together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from opslib.codegen.onnx_graph import Graph
from opslib.ir.dtypes import DType

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor whose axes are the index variables `axes`, in that order.

    Attributes:
        name: of the tensor in the graph; "" for a constant that no node needed yet.
        constant: its elements, where they are known; an array over `axes`.
    """

    name: str
    axes: tuple[str, ...]
    dtype: DType
    constant: Array | None = None


def constant(array: Any, axes: tuple[str, ...], dtype: DType) -> Value:
    """Known elements."""
    return Value("", axes, dtype, np.asarray(array, dtype.numpy))


def tensor(graph: Graph, value: Value) -> str:
    """Name of the tensor in the graph."""
    return graph.constant(value.constant) if value.constant is not None else value.name


def union(values: Sequence[Value], order: Mapping[str, int]) -> tuple[str, ...]:
    """All axes of the values, outermost first."""
    return tuple(sorted({a for v in values for a in v.axes}, key=order.__getitem__))


def transposed(graph: Graph, value: Value, axes: Sequence[str]) -> Value:
    """`value` with its axes in the order `axes` (a permutation of its own)."""
    axes = tuple(axes)
    if value.axes == axes:
        return value
    order = [value.axes.index(a) for a in axes]
    if value.constant is not None:
        return Value("", axes, value.dtype, value.constant.transpose(order))
    return Value(graph.transpose(value.name, order), axes, value.dtype)


def aligned(
    graph: Graph, value: Value, axes: Sequence[str], order: Mapping[str, int]
) -> Value:
    """`value` so that it broadcasts against a tensor over `axes`."""
    value = transposed(graph, value, sorted(value.axes, key=order.__getitem__))
    wanted = list(axes)
    while wanted and wanted[0] not in value.axes:
        wanted.pop(0)
    places = [k for k, a in enumerate(wanted) if a not in value.axes]
    if not places:
        return value
    kept = tuple(wanted)
    if value.constant is not None:
        spread = np.expand_dims(value.constant, tuple(places))
        return Value("", kept, value.dtype, spread)
    return Value(graph.unsqueeze(value.name, places), kept, value.dtype)
