"""A program as a kernel of linalg MLIR, for BiShengIR and for MLIR's own tools.

Index algebra becomes whole-tensor operations once, in the ONNX printer; this prints the
graph of those. Sizes are numbers. The kernel copies its operands from memory into local
buffers, computes on tensors, and copies the results back: the form of a block program,
which BiShengIR plans into the unified buffer and the cube's buffers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opslib.codegen import mlir_elementwise, mlir_moves, mlir_products
from opslib.codegen.mlir_function import Function
from opslib.codegen.mlir_value import Array, Value, tensor_type
from opslib.codegen.onnx_graph import Body, Node, Port
from opslib.codegen.onnx_style import Options, needed, reads
from opslib.codegen.onnx_style import render as graph_of
from opslib.ir.dtypes import BOOL, DTYPES, FLOAT32, INT8, INT64, DType
from opslib.ir.expr import Program

__all__ = ["Kernel", "render"]

# The launch's program ids and counts, which BiShengIR expects of a block program.
_BLOCKS = 6
# Memory that a kernel of both cores gets from the launcher; its size is not the type's.
SPARE = ("lock", "workspace")
# Composites rather than whole operators, and special values as the chip has them.
_OPTIONS = Options(specials=False, whole=False)
# Nodes that only move elements, so that a cast may as well come after them.
_MOVES = frozenset({"Transpose", "Reshape", "Unsqueeze", "Squeeze", "Expand"})


@dataclass(frozen=True, slots=True)
class Kernel:
    """A printed program.

    Attributes:
        name: of the function; its arguments are inputs, tables, outputs and six
            32-bit integers that say which block of how many this is.
        tables: constant arrays to pass.
        spare: how many bytes of memory come before all else: `SPARE`, or none.
    """

    name: str
    text: str
    inputs: tuple[Port, ...]
    tables: tuple[Array, ...]
    outputs: tuple[Port, ...]
    spare: int = 0


def render(
    program: Program,
    sizes: Mapping[str, int],
    scalars: Mapping[str, bool | int | float] | None = None,
) -> Kernel:
    """The program for these sizes and attributes.

    Raises:
        NotImplementedError: it has no form; the message names what.
    """
    graph = graph_of(program, sizes, scalars, _OPTIONS)
    nodes = _sunk(graph.nodes)
    nodes = needed(nodes, {p.name for p in graph.outputs})
    printer = _Printer(Function(), {}, graph.graph.constants)
    f = printer.function
    blocks = [f.fresh(f"block{k}") for k in range(_BLOCKS)]
    spare = [f.fresh(name) for name in SPARE]
    arguments = []
    used = {n for one in nodes for n in reads(one)}
    for port in graph.inputs:
        name = f.fresh(f"{port.name}_memory")
        arguments.append(f"{name}: {_memory(port)}")
        if port.name in used:
            printer.values[port.name] = _loaded(f, port, name)
    for node in nodes:
        printer.node(node)
    for port in graph.outputs:
        name = f.fresh(f"{port.name}_memory")
        arguments.append(f"{name}: {_memory(port)}")
        _stored(f, printer.value(port.name), port, name)
    tables, lines = _tables(f)
    arguments[len(graph.inputs) : len(graph.inputs)] = tables
    arguments += [f"{name}: i32" for name in blocks]
    marks = 'global_kernel = "local", mix_mode = '
    marks += '"mix"' if f.products else '"aiv"'
    if f.products:  # through which the cube and the vector cores exchange
        arguments[:0] = [f"{name}: memref<1xi8>" for name in spare]
        marks = f"SyncBlockLockArgIdx = 0 : i64, WorkspaceArgIdx = 1 : i64, {marks}"
    header = [f"    {name} = {value}" for value, name in f.header.items()]
    text = ["module {", f"  func.func @{program.name}("]
    text += [f"      {a}," for a in arguments[:-1]] + [f"      {arguments[-1]}"]
    text += [f"  ) attributes {{{marks}}} {{"]
    text += [*f.swept([*header, *lines, *f.lines]), "    return", "  }", "}"]
    return Kernel(
        program.name,
        "\n".join(text) + "\n",
        graph.inputs,
        tuple(f.tables.values()),
        graph.outputs,
        len(SPARE) if f.products else 0,
    )


def _lengths(port: Port) -> tuple[int, ...]:
    return tuple(int(n) for n in port.shape)


def _memory(port: Port) -> str:
    dtype = INT8 if port.dtype == BOOL else port.dtype
    return tensor_type(_lengths(port), dtype).replace("tensor", "memref")


def _loaded(f: Function, port: Port, memory: str) -> Value:
    shape = _lengths(port)
    if port.dtype == BOOL:
        return f.narrowed(f.load(memory, shape, INT8, shape))
    return f.load(memory, shape, port.dtype, shape)


def _stored(f: Function, value: Value, port: Port, memory: str) -> None:
    f.store(f.widened(value) if port.dtype == BOOL else f.ready(value), memory)


def _tables(f: Function) -> tuple[list[str], list[str]]:
    """The arguments that hold constants, and the lines that load them."""
    arguments = []
    loader = dataclasses.replace(f, lines=[])
    for name, array in f.tables.items():
        dtype = _dtype(array)
        stored = INT8 if dtype == BOOL else dtype
        kind = tensor_type(array.shape, stored).replace("tensor", "memref")
        memory = f"{name}_memory"
        arguments.append(f"{memory}: {kind}")
        local = f"{name}_local"
        f.buffers.add(local)
        loader.line(f"{local} = memref.alloc() : {kind}")
        loader.line(f"memref.copy {memory}, {local} : {kind} to {kind}")
        made = f"bufferization.to_tensor {local} restrict writable : {kind}"
        loader.line(f"{name} = {made}")
    return arguments, loader.lines


def _dtype(array: Array) -> DType:
    return DTYPES[array.dtype.name]


def _sunk(nodes: Sequence[Node]) -> list[Node]:
    """Casts from 16 bits after the moves: a product then sees its narrow operands."""
    casts: dict[str, Node] = {}
    result: list[Node] = []
    for node in nodes:
        if node.kind == "Cast" and dict(node.attributes)["to"] == FLOAT32:
            casts[node.outputs[0]] = node
        elif node.kind in _MOVES and node.inputs[0] in casts:
            cast = casts[node.inputs[0]]
            narrow = f"{node.outputs[0]}_narrow"
            moved = (cast.inputs[0], *node.inputs[1:])
            result.append(dataclasses.replace(node, inputs=moved, outputs=(narrow,)))
            node = dataclasses.replace(cast, inputs=(narrow,), outputs=node.outputs)
            casts[node.outputs[0]] = node
        result.append(node)
    return result


class _Printer:
    """The tensors of a graph as values of a function."""

    def __init__(
        self,
        function: Function,
        values: dict[str, Value],
        constants: Mapping[str, Array],
    ) -> None:
        self.function = function
        self.values = values
        self.constants = constants
        # Values that are casts, and what of: products take narrow operands.
        self.narrow: dict[str, Value] = {}

    def value(self, name: str) -> Value:
        """The tensor of that name in the graph."""
        if name not in self.values:
            array = self.constants[name]
            self.values[name] = Value("", array.shape, _dtype(array), array)
        return self.values[name]

    def node(self, node: Node) -> None:
        """Prints a node."""
        given = [self.value(n) for n in node.inputs if n]
        options = dict(node.attributes)
        if node.kind == "Loop":
            self.values[node.outputs[0]] = self._loop(node, options["body"])
        elif node.kind == "TopK":
            made = mlir_moves.top(
                self.function, given[0], options["axis"], bool(options["largest"])
            )
            for name, value in zip(node.outputs, made, strict=True):
                self.values[name] = value
        else:
            self.values[node.outputs[0]] = self._one(node, given, options)

    def _one(self, node: Node, given: list[Value], options: dict[str, Any]) -> Value:
        f, kind = self.function, node.kind
        if kind in _MOVERS and given[0].dtype == BOOL:
            moved = [f.widened(v) if v.dtype == BOOL else v for v in given]
            return f.narrowed(f.ready(self._moved(kind, moved, options)))
        if kind in _MOVERS:
            return self._moved(kind, given, options)
        match kind:
            case "Identity":
                return given[0]
            case "Cast":
                made = mlir_elementwise.cast(f, given[0], options["to"])
                if given[0].dtype.is_float and given[0].dtype.bits == 16:
                    self.narrow[made.name] = given[0]
                return made
            case "MatMul":
                a, b = self._operands(given)
                return mlir_products.matmul(f, a, b, given[0].dtype)
            case "Conv":
                a, b = self._operands(given)
                return mlir_products.convolution(f, a, b, options, given[0].dtype)
            case "MaxPool":
                return mlir_products.max_pool(f, given[0], options)
            case "CumSum":
                (axis,) = mlir_moves.numbers(given[1])
                return mlir_moves.cumsum(f, given[0], axis)
            case "ArgMax" | "ArgMin":
                return _first(f, given[0], options["axis"], kind[3:])
            case _ if kind.startswith("Reduce"):
                return _reduce(f, kind[6:], given, options)
        direction = options.get("direction", "")
        return mlir_elementwise.apply(f, kind, given, direction)

    def _operands(self, given: list[Value]) -> list[Value]:
        """What the cube multiplies: of casts from 16 bits the narrow values."""
        narrow = [self.narrow.get(v.name, v) for v in given]
        return given if len({v.dtype for v in narrow}) > 1 else narrow

    def _moved(self, kind: str, given: list[Value], options: dict[str, Any]) -> Value:
        f, value = self.function, given[0]
        numbers = mlir_moves.numbers
        match kind:
            case "Reshape":
                return f.reshape(value, numbers(given[1]))
            case "Unsqueeze":
                axes = numbers(given[1])
                lengths = iter(value.shape)
                count = len(value.shape) + len(axes)
                shape = [1 if k in axes else next(lengths) for k in range(count)]
                return f.reshape(value, shape)
            case "Squeeze":
                axes = numbers(given[1])
                kept = [n for k, n in enumerate(value.shape) if k not in axes]
                return f.reshape(value, kept)
            case "Transpose":
                return mlir_moves.transpose(f, value, options["perm"])
            case "Expand":
                return _expanded(f, value, numbers(given[1]))
            case "Slice":
                return mlir_moves.sliced(f, value, list(map(numbers, given[1:])))
            case "Concat":
                return mlir_moves.concat(f, given, options["axis"])
            case "Gather":
                return mlir_moves.gather(f, value, given[1], options["axis"])
            case "GatherElements":
                return mlir_moves.gather_elements(f, value, given[1], options["axis"])
            case "ScatterND":
                how = options.get("reduction", "none")
                return mlir_moves.scatter(f, value, given[1], given[2], how)
        raise NotImplementedError(f"the node '{kind}'")

    def _loop(self, node: Node, body: Body) -> Value:
        """A recurrence: what is carried is the tensor that it defines."""
        count, _, start = (self.value(n) for n in node.inputs)
        f = self.function
        (steps,) = mlir_moves.numbers(count)
        step, _, carried = (p.name for p in body.inputs)

        def one(at: str, made: Value) -> Value:
            number = f.scalar(f"arith.index_cast {at} : index to i64")
            kind = tensor_type((), INT64)
            text = f"tensor.from_elements {number} : {kind}"
            inner = _Printer(f, dict(self.values), self.constants)
            inner.values[step] = f.emit(text, (), INT64, "number")
            inner.values[carried] = made
            for inside in body.nodes:
                if inside.kind != "Identity" or inside.outputs[0] != going:
                    inner.node(inside)
            return inner.value(body.outputs[1].name)

        going = body.outputs[0].name
        if start.constant is not None:
            start = f.filled(0, start.shape, start.dtype)
        return f.repeat(steps, start, one)


_MOVERS = _MOVES | {"Slice", "Concat", "Gather", "GatherElements", "ScatterND"}


def _expanded(f: Function, value: Value, wanted: Sequence[int]) -> Value:
    shape = list(wanted)
    for k in range(1, len(value.shape) + 1):
        shape[-k] = max(shape[-k], value.shape[-k])
    return f.broadcast(value, shape)


def _reduce(
    f: Function, how: str, given: list[Value], options: dict[str, Any]
) -> Value:
    value = given[0]
    axes = [a % len(value.shape) for a in mlir_moves.numbers(given[1])]
    made = mlir_moves.reduced(f, value, sorted(axes), how)
    if not options.get("keepdims", 1):
        return made
    shape = [1 if k in axes else n for k, n in enumerate(value.shape)]
    return f.reshape(made, shape)


def _first(f: Function, value: Value, axis: int, how: str) -> Value:
    """The first position of the largest, or smallest, along an axis."""
    shape = value.shape
    best = mlir_moves.reduced(f, value, [axis], how)
    kept = [1 if k == axis else n for k, n in enumerate(shape)]
    best = f.broadcast(f.reshape(best, kept), shape)
    ops = mlir_elementwise.Ops(f, [value])
    counting = f.count(shape[axis])
    along = [n if k == axis else 1 for k, n in enumerate(shape)]
    places = f.broadcast(f.reshape(counting, along), shape)
    none = ops.number(shape[axis] - 1, INT64)
    found = ops.where(ops.compare("eq", value, best), places, none)
    return mlir_moves.reduced(f, found, [axis], "Min")
