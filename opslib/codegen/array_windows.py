"""Sliding windows that an array library has as one operator: convolution, pooling.

Recognised from structure, not from names: a fold over window indices u of a read at
``s * i + d * u - p`` along some axes, guarded by nothing but those axes' bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from opslib.codegen import array_integers as integers
from opslib.codegen.array_code import Code, call, method, name
from opslib.codegen.array_integers import Polynomial
from opslib.codegen.array_value import Value, shape_code, transposed
from opslib.ir.expr import Cast, Const, Expr, Fold, Index, Prim, Read, Select

if TYPE_CHECKING:
    from opslib.codegen.array_printer import Printer


@dataclass(frozen=True, slots=True)
class Window:
    """One axis of the operand: output index, window index, and how they combine."""

    output: str
    window: str
    stride: Polynomial
    dilation: Polynomial
    start: Polynomial


@dataclass(frozen=True, slots=True)
class Operand:
    """A windowed read: for each axis the index variable, or a Window."""

    read: Read
    casts: tuple[Expr, ...]
    axes: tuple[str | Window, ...]

    @property
    def windows(self) -> list[Window]:
        """The windowed axes."""
        return [a for a in self.axes if isinstance(a, Window)]


def pooling(printer: Printer, node: Fold) -> Value | None:
    """A fold of a windowed read by a monoid that ``reduce_window`` has."""
    if node.monoid.name not in ("max", "min", "sum") or not node.dtype.is_float:
        return None
    operand = _operand(printer, node, node.args[0], node.monoid.identity[0].value)
    folded = {a.name for a in node.axes}
    if operand is None or {w.window for w in operand.windows} != folded:
        return None
    plain = [a for a in operand.axes if isinstance(a, str)]
    if set(plain) & folded or not operand.windows:
        return None
    order = (*plain, *(w.output for w in operand.windows))
    array = _array(printer, operand, order)
    sizes = [printer.extents[w.window] for w in operand.windows]
    function = printer.helper("reduce_windows")
    text = call(
        function,
        array,
        f'"{node.monoid.name}"',
        Code(("sizes=", shape_code(sizes))),
        *_placement(printer, operand.windows),
    )
    return Value(text, order)


def convolution(printer: Printer, node: Fold) -> Value | None:
    """A sum of products of a windowed read and a read of a kernel."""
    product = node.args[0]
    if not (isinstance(product, Prim) and product.op == "mul" and node.dtype.is_float):
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
    if not (whole and len(channels) == len(outputs) == 1 and len(groups) <= 1):
        return None
    if set(outputs) & {w.output for w in windows}:
        return None
    rows = [w.output for w in windows]
    text = call(
        printer.helper("convolution"),
        _array(printer, operand, (*batch, *groups, *channels, *rows)),
        _array(printer, weight, (*groups, *outputs, *channels, *taps)),
        f"batch={len(batch)}",
        *_placement(printer, windows),
    )
    return Value(text, (*batch, *groups, *outputs, *rows))


def _placement(printer: Printer, windows: list[Window]) -> list[Code]:
    """Keywords that say where the windows lie."""

    def keyword(text: str, values: list[Code]) -> Code:
        return Code((f"{text}=", shape_code(values)))

    return [
        keyword("strides", [printer.integer(w.stride) for w in windows]),
        keyword("dilations", [printer.integer(w.dilation) for w in windows]),
        keyword("starts", [printer.integer(w.start) for w in windows]),
        keyword("outputs", [printer.extents[w.output] for w in windows]),
    ]


def _array(printer: Printer, operand: Operand, order: tuple[str, ...]) -> Code:
    axes = tuple(a if isinstance(a, str) else a.output for a in operand.axes)
    value = Value(name(printer.names[operand.read.tensor]), axes)
    code = transposed(value, order, printer.module).code
    for cast in operand.casts:
        code = method(code, f".astype({printer.dtype(cast.dtype)})")
    return code


def _operand(
    printer: Printer, node: Fold, value: Expr, absent: bool | int | float
) -> Operand | None:
    """A read of a whole tensor, with `absent` outside its bounds."""
    casts: list[Expr] = []
    while isinstance(value, Cast):
        casts.insert(0, value)
        value = value.value
    conditions: list[Expr] = []
    if isinstance(value, Select):
        if not (isinstance(value.no, Const) and value.no.value == absent):
            return None
        conditions = _conjuncts(value.condition)
        value = value.yes
        while isinstance(value, Cast):
            casts.insert(0, value)
            value = value.value
    if not isinstance(value, Read):
        return None
    shape = printer.program.tensor(value.tensor).shape
    axes: list[str | Window] = []
    folded = frozenset(a.name for a in node.axes)
    for index, extent in zip(value.indices, shape, strict=True):
        axis = _axis(printer, index, extent, folded)
        if axis is None:
            return None
        axes.append(axis)
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
    return Operand(value, tuple(casts), tuple(axes))


def _conjuncts(node: Expr) -> list[Expr]:
    if isinstance(node, Prim) and node.op == "and":
        return [c for a in node.args for c in _conjuncts(a)]
    return [node]


def _axis(
    printer: Printer, index: Expr, extent: Expr, folded: frozenset[str]
) -> str | Window | None:
    value = integers.polynomial(index)
    parts = None if value is None else integers.split(value, frozenset(printer.dense))
    if parts is None:
        return None
    coefficients, rest = parts
    whole = all(
        integers.polynomial(printer.dense[v][0]) == {} and v in printer.dense
        for v in coefficients
    )
    if not whole:
        return None
    if isinstance(index, Index):
        stop = integers.polynomial(printer.dense[index.name][1])
        return index.name if stop == integers.polynomial(extent) else None
    inner = [v for v in coefficients if v in folded]
    outer = [v for v in coefficients if v not in folded]
    if len(inner) != 1 or len(outer) != 1:
        return None
    stride, dilation = coefficients[outer[0]], coefficients[inner[0]]
    return Window(outer[0], inner[0], stride, dilation, rest)
