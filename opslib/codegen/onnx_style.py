"""A program as an ONNX graph of standard operators.

A graph is printed for given sizes and attributes: index arithmetic is then done while
printing, and what is left are the nodes that move and compute data. `symbolic` says
whether the same graph holds for other sizes as well.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opslib.codegen import onnx_claims, onnx_statements
from opslib.codegen.onnx_graph import Body, Graph, Node, Port
from opslib.codegen.onnx_layout import Layout
from opslib.codegen.onnx_layout import given as layout_given
from opslib.codegen.onnx_layout import returned as layout_returned
from opslib.codegen.onnx_printer import Options, Printer
from opslib.ir.dtypes import DType
from opslib.ir.expr import (
    Axis,
    Cast,
    Const,
    Define,
    Expr,
    Prim,
    Program,
    Scalar,
    Size,
    Tensor,
    rebuild,
)
from opslib.lowering.simplify import simplify

__all__ = ["Options", "Rendered", "model", "render", "symbolic"]

# The newest IR version that ONNX Runtime 1.20 and later read.
_IR_VERSION = 10


@dataclass(frozen=True, slots=True)
class Rendered:
    """A printed program."""

    name: str
    graph: Graph
    nodes: tuple[Node, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    @property
    def text(self) -> str:
        """The nodes, one a line."""
        lines = [f"{self.name}, opset {self.graph.opset}"]
        lines += [f"  input {_port(p)}" for p in self.inputs]
        lines += [f"  output {_port(p)}" for p in self.outputs]
        lines += [
            f"  constant {n}: {a.dtype}[{', '.join(map(str, a.shape))}]"
            for n, a in self.graph.constants.items()
        ]
        return "\n".join([*lines, *(f"  {_line(n)}" for n in self.nodes)]) + "\n"


def _port(port: Port) -> str:
    return f"{port.name}: {port.dtype}[{', '.join(map(str, port.shape))}]"


def _line(node: Node) -> str:
    given = ", ".join(f"{k}={v}" for k, v in node.attributes if k != "body")
    options = f" {{{given}}}" if given else ""
    return f"{', '.join(node.outputs)} = {node.kind}({', '.join(node.inputs)}){options}"


def render(
    program: Program,
    sizes: Mapping[str, int],
    scalars: Mapping[str, bool | int | float] | None = None,
    options: Options = Options(),  # noqa: B008  frozen
    *,
    layouts: Mapping[str, Layout] | None = None,
    open_sizes: bool = False,
) -> Rendered:
    """The program for these sizes and attributes.

    Args:
        program: unlowered.
        sizes: every extent of ``program.sizes``.
        scalars: every attribute of ``program.scalars``.
        options: what the graph is for.
        layouts: of the caller's arrays, by tensor; without, the graph's inputs and
            outputs are in the program's axes.
        open_sizes: a size that is an operand of floating-point arithmetic (the n of a
            mean) is read off the inputs' shapes, so that it may vary.

    Raises:
        NotImplementedError: ONNX cannot express it; the message names what.
    """
    fixed = specialised(program, sizes, scalars or {}, open_sizes)
    known = layouts or {}
    absent = {n: how.absent for n, how in known.items()}
    printer = Printer(fixed, options, _shown(program, absent), absent)
    graph = printer.graph
    inputs = []
    for t in fixed.inputs:
        name = graph.fresh(t.name)
        shape = tuple(printer.extent(e) for e in t.shape)
        if t.name in known:
            how = known[t.name]
            inputs.append(Port(name, t.dtype, how.shape))
            printer.tensors[t.name] = layout_given(graph, name, how)
        else:
            inputs.append(Port(name, t.dtype, shape))
            printer.tensors[t.name] = name
    given = {p.name for p in inputs}
    shapes = [tuple(printer.extent(e) for e in t.shape) for t in fixed.outputs]
    if not onnx_claims.claim(printer):
        for one in fixed.defines:
            onnx_statements.define(printer, one)
    outputs = []
    for t, shape in zip(fixed.outputs, shapes, strict=True):
        source = printer.tensors[t.name]
        if t.name in known:
            source, shape = (
                layout_returned(graph, source, known[t.name]),
                (known[t.name].shape),
            )
        # An output has a name of its own, and is neither an input nor a constant.
        name = graph.fresh(t.name)
        graph.scopes[0].nodes.append(Node("Identity", (source,), (name,)))
        outputs.append(Port(name, t.dtype, shape))
    nodes = _joined(graph.scopes[0].nodes, {*given, *graph.constants})
    nodes = needed(nodes, {p.name for p in outputs})
    return Rendered(program.name, graph, tuple(nodes), tuple(inputs), tuple(outputs))


def specialised(
    program: Program,
    sizes: Mapping[str, int],
    scalars: Mapping[str, bool | int | float],
    open_sizes: bool = False,
) -> Program:
    """The program with numbers in the place of sizes and attributes."""

    def fixed(node: Expr, free: bool) -> Expr:
        done: dict[Expr, Expr] = {}

        def change(one: Expr) -> Expr:
            if one in done:
                return done[one]
            match one:
                case Size(name):
                    made: Expr = Const(sizes[name], one.dtype)
                case Scalar(name, dtype):
                    made = Const(scalars[name], dtype)
                case Cast(value, dtype) if free and dtype.is_float and _of_sizes(value):
                    made = one
                case _:
                    made = rebuild(one, change)
            done[one] = made
            return made

        return change(node)

    def axes(found: tuple[Axis, ...]) -> Any:
        return tuple(fixed(a, False) for a in found)

    def defined(one: Define) -> Define:
        return dataclasses.replace(
            one,
            axes=axes(one.axes),
            indices=tuple(fixed(i, False) for i in one.indices),
            value=fixed(one.value, open_sizes),
        )

    def tensors(found: tuple[Any, ...]) -> Any:
        return tuple(
            dataclasses.replace(t, shape=tuple(fixed(e, False) for e in t.shape))
            for t in found
        )

    result = dataclasses.replace(
        program,
        inputs=tensors(program.inputs),
        outputs=tensors(program.outputs),
        locals=tensors(program.locals),
        defines=tuple(map(defined, program.defines)),
        checks=tuple(c for c in program.checks if c.policy == "clamp"),
    )
    return simplify(result)


def _shown(
    program: Program, absent: Mapping[str, frozenset[int]]
) -> dict[str, tuple[str, int]]:
    """For each size an input and the axis that has it."""
    return {
        extent.name: (given.name, k)
        for given in reversed(program.inputs)
        for k, extent in enumerate(given.shape)
        if isinstance(extent, Size) and k not in absent.get(given.name, ())
    }


def _of_sizes(node: Expr) -> bool:
    if isinstance(node, Prim) and node.op in ("add", "sub", "mul"):
        return any(map(_of_sizes, node.args)) and all(
            isinstance(a, Const) or _of_sizes(a) for a in node.args
        )
    return isinstance(node, Size)


def _joined(nodes: list[Node], kept: set[str]) -> list[Node]:
    """Without the copies to outputs, where a node can give the output itself."""
    result = list(nodes)
    used: dict[str, int] = {}
    for node in nodes:
        for name in reads(node):
            used[name] = used.get(name, 0) + 1
    for node in nodes:
        if node.kind != "Identity" or node.inputs[0] in kept:
            continue
        source, target = node.inputs[0], node.outputs[0]
        makers = [k for k, n in enumerate(result) if source in n.outputs]
        if used[source] != 1 or len(makers) != 1:
            continue
        maker = result[makers[0]]
        names = tuple(target if o == source else o for o in maker.outputs)
        result[makers[0]] = dataclasses.replace(maker, outputs=names)
        result.remove(node)
    return result


def reads(node: Node) -> list[str]:
    names = [n for n in node.inputs if n]
    for _, value in node.attributes:
        if isinstance(value, Body):
            names += [n for inner in value.nodes for n in reads(inner)]
            names += [p.name for p in value.outputs]
    return names


def needed(nodes: list[Node], wanted: set[str]) -> list[Node]:
    """The nodes that the outputs depend on."""
    kept = []
    wanted = set(wanted)
    for node in reversed(nodes):
        if wanted & set(node.outputs):
            kept.append(node)
            wanted |= set(reads(node))
    return kept[::-1]


# --- The model -----------------------------------------------------------------------


def model(rendered: Rendered, producer: str = "opslib") -> Any:
    """The ``onnx.ModelProto``; needs the package onnx."""
    import onnx

    helper, numpy_helper = onnx.helper, onnx.numpy_helper

    def type_of(dtype: DType) -> int:
        found: int = getattr(
            onnx.TensorProto, _TYPES.get(dtype.name, dtype.name.upper())
        )
        return found

    def info(port: Port) -> Any:
        kind = type_of(port.dtype)
        return helper.make_tensor_value_info(port.name, kind, port.shape)

    def node(one: Node) -> Any:
        given: dict[str, Any] = {}
        for key, value in one.attributes:
            if isinstance(value, DType):
                given[key] = type_of(value)
            elif isinstance(value, Body):
                given[key] = helper.make_graph(
                    [node(n) for n in value.nodes],
                    "body",
                    list(map(info, value.inputs)),
                    list(map(info, value.outputs)),
                )
            else:
                given[key] = value
        return helper.make_node(one.kind, list(one.inputs), list(one.outputs), **given)

    used = {n for one in rendered.nodes for n in reads(one)}
    constants = [
        numpy_helper.from_array(array, name)
        for name, array in rendered.graph.constants.items()
        if name in used
    ]
    graph = helper.make_graph(
        [node(n) for n in rendered.nodes],
        rendered.name,
        list(map(info, rendered.inputs)),
        list(map(info, rendered.outputs)),
        constants,
    )
    opset = helper.make_opsetid("", rendered.graph.opset)
    made = helper.make_model(graph, opset_imports=[opset], producer_name=producer)
    made.ir_version = _IR_VERSION
    return made


_TYPES = {"float32": "FLOAT", "float64": "DOUBLE"}


def symbolic(
    program: Program,
    scalars: Mapping[str, bool | int | float],
    options: Options = Options(),  # noqa: B008  frozen
    *,
    layouts: Mapping[str, Layout],
) -> Rendered | None:
    """The program with names in the place of sizes; None where the graph needs numbers.

    It is printed for two sets of sizes that share no number. Where the nodes and
    constants are the same, they hold for all sizes: nothing in them can be one.
    """
    # Primes, so that no product or sum of some is another.
    primes = (101, 211, 307, 401, 503, 601, 701, 809, 907, 1009, 1103, 1201)
    whole = all(how.axes is not None for how in layouts.values())
    if len(program.sizes) * 2 > len(primes) or not whole:
        return None
    tries = []
    for first in (0, 1):
        chosen = {s: primes[2 * k + first] for k, s in enumerate(program.sizes)}
        moved = _moved(program, chosen, scalars, layouts)
        made = render(program, chosen, scalars, options, layouts=moved, open_sizes=True)
        tries.append(made)
    one, other = tries
    if _content(one) != _content(other):
        return None

    def named(port: Port, twin: Port, tensor: Tensor) -> Port:
        how = layouts[tensor.name]
        dims: list[int | str] = []
        for k, (n, m) in enumerate(zip(port.shape, twin.shape, strict=True)):
            axis = (how.axes or ())[how.permutation.index(k)]
            extent = None if axis is None else tensor.shape[axis]
            if n == m:
                dims.append(n)
            elif isinstance(extent, Size):
                dims.append(extent.name)
            else:  # a sum or product of sizes: left open
                dims.append(f"{port.name}_{k}")
        return Port(port.name, port.dtype, tuple(dims))

    inputs = tuple(map(named, one.inputs, other.inputs, program.inputs))
    outputs = tuple(map(named, one.outputs, other.outputs, program.outputs))
    return dataclasses.replace(one, inputs=inputs, outputs=outputs)


def _moved(
    program: Program,
    sizes: Mapping[str, int],
    scalars: Mapping[str, bool | int | float],
    layouts: Mapping[str, Layout],
) -> dict[str, Layout]:
    """The layouts of arrays whose lengths are other `sizes`."""
    fixed = specialised(program, sizes, scalars)
    printer = Printer(fixed, Options())
    moved = {}
    for t in (*fixed.inputs, *fixed.outputs):
        how = layouts[t.name]
        extents = tuple(printer.extent(e) for e in t.shape)
        shape = list(how.shape)
        for k, axis in enumerate(how.axes or ()):
            if axis is not None and axis not in how.absent:
                shape[how.permutation[k]] = extents[axis]
        moved[t.name] = dataclasses.replace(how, shape=tuple(shape), extents=extents)
    return moved


def _content(rendered: Rendered) -> Any:
    used = {n for one in rendered.nodes for n in reads(one)}
    constants = {
        n: (a.dtype.name, a.shape, a.tobytes())
        for n, a in rendered.graph.constants.items()
        if n in used
    }
    return rendered.nodes, constants
