"""Sliding windows that the standard has as one node: convolution, pooling.

Recognised from structure, not from names: a fold over window indices u of a read at
``s * i + d * u - p`` along some axes, guarded by nothing but those axes' bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from opslib.codegen import array_integers as integers
from opslib.codegen import onnx_reads
from opslib.codegen.onnx_primitives import carrier
from opslib.codegen.onnx_value import Value
from opslib.ir.dtypes import DType
from opslib.ir.expr import Cast, Const, Expr, Fold, Index, Prim, Read, Select

if TYPE_CHECKING:
    from opslib.codegen.onnx_printer import Printer


@dataclass(frozen=True, slots=True)
class Window:
    """One axis of the operand: output index, window index, and how they combine."""

    output: str
    window: str
    stride: int
    dilation: int
    start: int
    extent: int


@dataclass(frozen=True, slots=True)
class Operand:
    """A windowed read: for each axis the index variable, or a Window.

    An axis that several variables walk together counts as several; `shape` then has
    the lengths of all.
    """

    read: Read
    axes: tuple[str | Window, ...]
    shape: tuple[int, ...]

    @property
    def windows(self) -> list[Window]:
        """The windowed axes."""
        return [a for a in self.axes if isinstance(a, Window)]


def pooling(printer: Printer, node: Fold) -> Value | None:
    """A maximum, or a sum, over windows; a sum is a convolution with ones."""
    monoid = node.monoid.name
    if monoid not in ("max", "sum") or not node.dtype.is_float:
        return None
    absent = node.monoid.identity[0].value
    operand = _operand(printer, node, node.args[0], absent)
    folded = {a.name for a in node.axes}
    if operand is None or not operand.windows or len(operand.windows) > 3:
        return None
    plain = [a for a in operand.axes if isinstance(a, str)]
    if {w.window for w in operand.windows} != folded or set(plain) & folded:
        return None
    if monoid == "max" and printer.options.specials:
        return None  # a nan in a window: ReduceMax knows how to keep it
    windows = operand.windows
    axes = (*plain, *(w.output for w in windows))
    lead = int(np.prod(printer.shape(tuple(plain))))
    lengths = [printer.length[w.window] for w in windows]
    pads = _pads(printer, windows)
    if pads is None or 0 in printer.shape(axes):
        return None
    graph = printer.graph
    carried = carrier(node.dtype)
    shape = [lead, 1, *(w.extent for w in windows)]
    image = _array(printer, operand, axes, shape, carried)
    options: dict[str, Any] = {
        "strides": [w.stride for w in windows],
        "dilations": [w.dilation for w in windows],
        "pads": pads,
    }
    if monoid == "max":
        if any(p >= n for p, n in zip(pads, lengths * 2, strict=True)):
            return None  # a window of padding alone is refused
        name = graph.op("MaxPool", image, kernel_shape=lengths, **options)
    else:
        ones = graph.constant(np.ones([1, 1, *lengths], carried.numpy))
        name = graph.op("Conv", image, ones, kernel_shape=lengths, **options)
    name = graph.reshape(name, printer.shape(axes))
    return printer.cast(Value(name, axes, carried), node.dtype)


def convolution(printer: Printer, node: Fold) -> Value | None:
    """A sum of products of a windowed read and a read of a kernel."""
    product = node.args[0]
    if node.monoid.name != "sum" or not node.dtype.is_float:
        return None
    if not (isinstance(product, Prim) and product.op == "mul"):
        return None
    for image, kernel in (product.args, product.args[::-1]):
        found = _convolution(printer, node, image, kernel)
        if found is not None:
            return found
    return None


def _convolution(
    printer: Printer, node: Fold, image: Expr, kernel: Expr
) -> Value | None:
    operand = _operand(printer, node, image, 0.0)
    weight = _operand(printer, node, kernel, 0.0)
    if operand is None or weight is None or not operand.windows or weight.windows:
        return None
    folded = {a.name for a in node.axes}
    windows = operand.windows
    plain = [a for a in operand.axes if isinstance(a, str)]
    taps = [w.window for w in windows]
    others = [str(a) for a in weight.axes]
    channels = [a for a in plain if a in folded]
    groups = [a for a in plain if a not in folded and a in others]
    outputs = [a for a in others if a not in plain and a not in folded]
    batch = [a for a in plain if a not in folded and a not in others]
    whole = {*taps, *channels} == folded and {*taps, *channels} <= set(others)
    if not whole or len(windows) > 3 or set(outputs) & {w.output for w in windows}:
        return None

    def count(names: list[str]) -> int:
        return int(np.prod(printer.shape(tuple(names))))

    axes = (*batch, *groups, *outputs, *(w.output for w in windows))
    pads = _pads(printer, windows)
    if pads is None or 0 in printer.shape(axes):
        return None
    graph = printer.graph
    carried = carrier(node.dtype)
    order = (*batch, *groups, *channels, *(w.output for w in windows))
    shape = [count(batch), count(groups) * count(channels)]
    shape += [w.extent for w in windows]
    data = _array(printer, operand, order, shape, carried)
    order = (*groups, *outputs, *channels, *taps)
    shape = [count(groups) * count(outputs), count(channels)]
    shape += [printer.length[t] for t in taps]
    filters = _array(printer, weight, order, shape, carried)
    name = graph.op(
        "Conv",
        data,
        filters,
        kernel_shape=[printer.length[t] for t in taps],
        strides=[w.stride for w in windows],
        dilations=[w.dilation for w in windows],
        pads=pads,
        group=count(groups),
    )
    name = graph.reshape(name, printer.shape(axes))
    return printer.cast(Value(name, axes, carried), node.dtype)


def _pads(printer: Printer, windows: list[Window]) -> list[int] | None:
    """Padding before each axis, then after each; None where some would be cut off."""
    before = [-w.start for w in windows]
    after = []
    for w in windows:
        reach = (printer.length[w.output] - 1) * w.stride
        reach += (printer.length[w.window] - 1) * w.dilation + w.start
        after.append(reach - w.extent + 1)
    # Elements that no window reaches are no padding: the strides leave them out.
    slack = [min(a, 0) + w.stride > 0 for a, w in zip(after, windows, strict=True)]
    if min(before, default=0) < 0 or not all(slack):
        return None
    return before + [max(a, 0) for a in after]


def _array(
    printer: Printer,
    operand: Operand,
    order: tuple[str, ...],
    shape: list[int],
    to: DType,
) -> str:
    """The operand with its axes in the order `order`, as a tensor of `shape`."""
    graph = printer.graph
    axes = [a if isinstance(a, str) else a.output for a in operand.axes]
    name = printer.tensors[operand.read.tensor]
    if operand.shape:
        name = graph.reshape(name, operand.shape)
    name = graph.transpose(name, [axes.index(a) for a in order])
    name = graph.reshape(name, shape)
    return name if operand.read.dtype == to else graph.cast(name, to)


def _operand(
    printer: Printer, node: Fold, value: Expr, absent: bool | int | float
) -> Operand | None:
    """A read of a whole tensor, with `absent` outside its bounds."""
    conditions: list[Expr] = []
    widened = 0
    while isinstance(value, Cast | Select):
        if isinstance(value, Cast):
            widened, value = widened + 1, value.value
        elif isinstance(value.no, Const) and value.no.value == absent:
            conditions += _conjuncts(value.condition)
            value = value.yes
        else:
            return None
    if not isinstance(value, Read) or widened > 1:
        return None  # of several casts one may round, which no node here would do
    missing = printer.absent.get(value.tensor, frozenset())
    shape = printer.program.tensor(value.tensor).shape
    axes: list[str | Window] = []
    lengths: list[int] = []
    folded = frozenset(a.name for a in node.axes)
    for k, (index, extent) in enumerate(zip(value.indices, shape, strict=True)):
        if k in missing:
            continue
        axis = _axis(printer, index, printer.extent(extent), folded)
        if axis is None:
            return None
        walked = axis if isinstance(axis, tuple) else (axis,)
        axes += walked
        for one in walked:
            if isinstance(one, Window):
                lengths.append(one.extent)
            else:
                lengths.append(printer.length[one])
    names = [n for a in axes for n in ([a] if isinstance(a, str) else [a.output])]
    names += [a.window for a in axes if isinstance(a, Window)]
    allowed = {
        Prim(op, (index, bound), conditions[0].dtype)
        for index, extent in zip(value.indices, shape, strict=True)
        for op, bound in (("ge", Const(0, index.dtype)), ("lt", extent))
        if conditions
    }
    if len(set(names)) != len(names) or not set(conditions) <= allowed:
        return None
    merged = len(axes) + len(missing) != len(shape)
    return Operand(value, tuple(axes), tuple(lengths) if merged else ())


def _conjuncts(node: Expr) -> list[Expr]:
    if isinstance(node, Prim) and node.op == "and":
        return [c for a in node.args for c in _conjuncts(a)]
    return [node]


def _axis(
    printer: Printer, index: Expr, extent: int, folded: frozenset[str]
) -> str | tuple[str, ...] | Window | None:
    value = integers.polynomial(index)
    parts = None if value is None else integers.split(value, frozenset(printer.length))
    if parts is None:
        return None
    coefficients = {v: c.get((), 0) for v, c in parts[0].items()}
    if any(printer.dense.get(v, (1, 0))[0] != 0 for v in coefficients):
        return None
    if isinstance(index, Index):
        return index.name if printer.length[index.name] == extent else None
    if len(coefficients) > 1 and not parts[1]:
        merged = onnx_reads.merged(printer, dict(coefficients), extent)
        if merged is not None:
            return merged.variables
    inner = [v for v in coefficients if v in folded]
    outer = [v for v in coefficients if v not in folded]
    if len(inner) != 1 or len(outer) != 1:
        return None
    stride, dilation = coefficients[outer[0]], coefficients[inner[0]]
    if stride < 1 or dilation < 1:
        return None
    start = parts[1].get((), 0)
    return Window(outer[0], inner[0], stride, dilation, start, extent)
