"""An ONNX graph as it grows: nodes in order, constants, and names; no onnx needed.

Equal nodes become one, so that the printer may ask for the same thing twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from opslib.ir.dtypes import DType

Array = np.ndarray[Any, np.dtype[Any]]

# What one constant may hold before an expression is computed by nodes instead.
LARGEST_CONSTANT = 1 << 18


@dataclass(frozen=True, slots=True)
class Node:
    """One node: its type, the tensors it reads and gives, its attributes."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a graph; lengths that vary have a name."""

    name: str
    dtype: DType
    shape: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Body:
    """The graph inside a Loop: what goes in and comes out."""

    nodes: tuple[Node, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


@dataclass(slots=True)
class Scope:
    """The nodes of a graph, or of the body of a loop in it."""

    nodes: list[Node] = field(default_factory=list)
    known: dict[Any, tuple[str, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class Graph:
    """Nodes, constants and names of one model.

    Attributes:
        opset: the least version of the standard operators that the nodes need.
        scopes: the graph, then the loop bodies that are being written.
    """

    opset: int = 18
    constants: dict[str, Array] = field(default_factory=dict)
    scopes: list[Scope] = field(default_factory=lambda: [Scope()])
    taken: set[str] = field(default_factory=set)
    _by_content: dict[Any, str] = field(default_factory=dict)

    def fresh(self, wanted: str) -> str:
        """A name like `wanted` that no tensor has."""
        wanted = re.sub(r"\W", "_", wanted) or "t"
        name, number = wanted, 1
        while name in self.taken:
            number += 1
            name = f"{wanted}_{number}"
        self.taken.add(name)
        return name

    def op(self, kind: str, *inputs: str, since: int = 0, **attributes: Any) -> str:
        """The one result of a node.

        Args:
            kind: the operator.
            inputs: names of tensors; "" for an optional one that is left out.
            since: the opset that has it in this form.
            attributes: of the node.
        """
        return self.several(kind, inputs, 1, since=since, **attributes)[0]

    def several(
        self,
        kind: str,
        inputs: Sequence[str],
        count: int,
        since: int = 0,
        **attributes: Any,
    ) -> tuple[str, ...]:
        """The results of a node."""
        self.opset = max(self.opset, since)
        given = tuple((k, _frozen(v)) for k, v in sorted(attributes.items()))
        key = (kind, tuple(inputs), count, given)
        for scope in self.scopes:
            if key in scope.known:
                return scope.known[key]
        outputs = tuple(self.fresh(kind.lower()) for _ in range(count))
        node = Node(kind, tuple(inputs), outputs, given)
        self.scopes[-1].nodes.append(node)
        self.scopes[-1].known[key] = outputs
        return outputs

    def constant(self, array: Any, dtype: np.dtype[Any] | None = None) -> str:
        """Name of a tensor that holds `array`."""
        value = np.asarray(array, dtype)
        key = (value.dtype.name, value.shape, value.tobytes())
        if key not in self._by_content:
            name = self.fresh(_label(value))
            self._by_content[key] = name
            self.constants[name] = value
        return self._by_content[key]

    def integers(self, *values: int) -> str:
        """A vector of int64, as shapes and axes are given."""
        return self.constant(np.array(values, np.int64))

    # --- Shapes and types ----------------------------------------------------------

    def cast(self, name: str, dtype: DType) -> str:
        """Another element type."""
        return self.op("Cast", name, to=dtype)

    def reshape(self, name: str, shape: Sequence[int]) -> str:
        """Another shape; a length of 0 is a length of 0."""
        if 0 in shape:
            return self.op("Reshape", name, self.integers(*shape), allowzero=1)
        return self.op("Reshape", name, self.integers(*shape))

    def transpose(self, name: str, order: Sequence[int]) -> str:
        """Axes in another order."""
        if list(order) == list(range(len(order))):
            return name
        return self.op("Transpose", name, perm=tuple(order))

    def unsqueeze(self, name: str, axes: Sequence[int]) -> str:
        """Axes of length 1 at these places of the result."""
        return self.op("Unsqueeze", name, self.integers(*axes)) if axes else name

    def expand(self, name: str, shape: Sequence[int]) -> str:
        """Broadcast to `shape`."""
        return self.op("Expand", name, self.integers(*shape))

    def slice(self, name: str, rows: Sequence[tuple[int, int, int, int]]) -> str:
        """``[start:stop:step]`` along each axis of `rows` (axis, start, stop, step)."""
        if not rows:
            return name
        axes, starts, stops, steps = zip(*rows, strict=True)
        parts = [self.integers(*v) for v in (starts, stops, axes, steps)]
        return self.op("Slice", name, *parts[: 3 if set(steps) == {1} else 4])

    def concat(self, names: Sequence[str], axis: int) -> str:
        """One after the other."""
        return names[0] if len(names) == 1 else self.op("Concat", *names, axis=axis)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _label(value: Array) -> str:
    if value.size != 1:
        return f"{value.dtype.name}_{'x'.join(map(str, value.shape))}"
    text = f"{value.reshape(()).item():g}" if value.dtype.kind in "iuf" else "constant"
    text = text.replace("-", "minus_").replace(".", "p").replace("+", "")
    return f"c_{text}" + ("" if value.ndim == 0 else "_axis")
