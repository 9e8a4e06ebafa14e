"""The printer's state, and expressions as ONNX nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from opslib.codegen import (
    onnx_constants,
    onnx_folds,
    onnx_primitives,
    onnx_reads,
    onnx_scans,
)
from opslib.codegen.array_integers import polynomial
from opslib.codegen.onnx_graph import LARGEST_CONSTANT, Graph
from opslib.codegen.onnx_primitives import carrier
from opslib.codegen.onnx_value import (
    Value,
    aligned,
    constant,
    tensor,
    transposed,
    union,
)
from opslib.ir.dtypes import BOOL, INT64, DType
from opslib.ir.expr import (
    Axis,
    Call,
    Cast,
    Const,
    Expr,
    Fold,
    Index,
    Order,
    Prim,
    Program,
    Read,
    Scan,
    Select,
    Size,
    depends_on_data,
)


@dataclass(frozen=True, slots=True)
class Options:
    """What a graph is printed for.

    Attributes:
        specials: nan, infinities and signed zeros come out as the spec says, at the
            price of nodes that look for them; otherwise as the runtime has them.
        whole: what the standard has as one node (Softmax, Gelu, Sigmoid) becomes that
            node; otherwise composites where runtimes are known to be rough.
        half: the runtime holds float32 as float16.
    """

    specials: bool = True
    whole: bool = True
    half: bool = False


@dataclass(slots=True)
class Printer:
    """The state of printing one program, all of whose sizes are numbers.

    Attributes:
        tensors: the program's tensors so far, each over its own shape.
        order, index: the index variables in scope, outermost first.
        dense: start and stop of those that run over known ranges.
        length: of a tensor along a variable.
        shown: for each size an input and the axis that has it.
        absent: for tensors that are broadcast, the axes that they do not have.
        guards: how many conditions stand around the expression; a read under one may
            be out of bounds where it is not taken.
    """

    program: Program
    options: Options
    shown: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    absent: Mapping[str, frozenset[int]] = field(default_factory=dict)
    graph: Graph = field(default_factory=Graph)
    tensors: dict[str, str] = field(default_factory=dict)
    order: dict[str, int] = field(default_factory=dict)
    index: dict[str, Value] = field(default_factory=dict)
    dense: dict[str, tuple[int, int]] = field(default_factory=dict)
    length: dict[str, int] = field(default_factory=dict)
    memo: dict[tuple[Expr, bool], Value] = field(default_factory=dict)
    guards: int = 0

    # --- Index variables -----------------------------------------------------------

    def enter(self, axes: tuple[Axis, ...]) -> list[Value]:
        """A new scope with these index variables; masks of the ragged ones."""
        for table in (self.order, self.index, self.dense, self.length, self.memo):
            table.clear()
        return [m for m in map(self.bind, axes) if m is not None]

    def bind(self, axis: Axis) -> Value | None:
        """Brings an index variable into scope; the mask of its range, if ragged."""
        name = axis.name
        if name not in self.length:
            self.order[name] = len(self.order)
            start, stop = self.number(axis.start), self.number(axis.stop)
            if start is not None and stop is not None:
                self.dense[name] = (start, stop)
                self.length[name] = max(stop - start, 0)
                steps = np.arange(start, start + self.length[name])
                self.index[name] = constant(steps, (name,), INT64)
                return None
            bound = None if axis.bound is None else self.number(axis.bound)
            low = self.emit(axis.start)
            if bound is None:
                bound = self._reach(axis, low)
            self.length[name] = max(bound, 0)
            steps_ = constant(np.arange(self.length[name]), (name,), INT64)
            self.index[name] = self.prim("add", [low, steps_], INT64, INT64)
        if name in self.dense:
            return None
        return self.prim("lt", [self.index[name], self.emit(axis.stop)], INT64, BOOL)

    def _reach(self, axis: Axis, low: Value) -> int:
        """The greatest length of a range whose ends are known."""
        high = self.emit(axis.stop)
        if low.constant is None or high.constant is None:
            raise NotImplementedError("a range that depends on data and has no bound")
        ends = self.prim("sub", [high, low], INT64, INT64).constant
        return 0 if ends is None else int(ends.max(initial=0))

    # --- Values --------------------------------------------------------------------

    def name(self, value: Value) -> str:
        """The tensor of a value."""
        return tensor(self.graph, value)

    def align(self, value: Value, axes: tuple[str, ...]) -> Value:
        """`value` so that it broadcasts over `axes`."""
        return aligned(self.graph, value, axes, self.order)

    def shape(self, axes: tuple[str, ...]) -> list[int]:
        """Lengths along the variables."""
        return [self.length[a] for a in axes]

    def number(self, node: Expr) -> int | None:
        """The integer that an expression of sizes is; None where it is not known."""
        found = polynomial(node)
        if found is not None and not found.keys() - {()}:
            return found.get((), 0)
        if depends_on_data(node):
            return None
        value = self.emit(node).constant
        return None if value is None else int(value)

    def extent(self, node: Expr) -> int:
        """A size expression, all of whose sizes are numbers."""
        found = self.number(node)
        if found is None:
            raise NotImplementedError("an extent that depends on data")
        return max(found, 0)

    def full(self, value: Value, axes: tuple[str, ...]) -> str:
        """A tensor that really has all of `axes`, in that order."""
        known = tuple(sorted(axes, key=self.order.__getitem__))
        if set(value.axes) != set(axes):
            value = self._stretched(value, known)
        return self.name(transposed(self.graph, value, axes))

    def _stretched(self, value: Value, axes: tuple[str, ...]) -> Value:
        place = self.align(value, axes)
        missing = [a for a in axes if a not in value.axes]
        shape = self.shape(axes)
        if place.constant is not None and np.prod(shape) <= LARGEST_CONSTANT:
            return constant(np.broadcast_to(place.constant, shape), axes, value.dtype)
        name = self.name(place)
        if all(self.length[a] == 1 for a in missing):
            lead = range(len(axes) - len(place.axes))
            return Value(self.graph.unsqueeze(name, lead), axes, value.dtype)
        return Value(self.graph.expand(name, shape), axes, value.dtype)

    def prim(self, op: str, values: list[Value], dtype: DType, result: DType) -> Value:
        """A primitive on values, over all their axes."""
        axes = union(values, self.order)
        placed = [self.align(v, axes) for v in values]
        known = [p.constant for p in placed if p.constant is not None]
        if len(known) == len(placed):
            size = np.prod(np.broadcast_shapes(*(k.shape for k in known)))
            if size <= LARGEST_CONSTANT:
                found = onnx_constants.apply(op, known, result)
                if found is not None:
                    return constant(found, axes, result)
        name = onnx_primitives.apply(
            self.graph,
            op,
            [self.name(p) for p in placed],
            dtype,
            result,
            specials=self.options.specials,
            whole=self.options.whole,
            half=self.options.half,
        )
        return Value(name, axes, result)

    def cast(self, value: Value, target: DType) -> Value:
        """Another element type."""
        if value.dtype == target:
            return value
        if value.constant is not None:
            return constant(
                onnx_constants.cast(value.constant, target), value.axes, target
            )
        return Value(self.graph.cast(value.name, target), value.axes, target)

    def where(self, condition: Value, yes: Value, no: Value) -> Value:
        """Elementwise choice; `yes` and `no` have one type."""
        dtype = yes.dtype
        if condition.constant is not None:
            if condition.constant.all():
                return yes
            if not condition.constant.any():
                return no
        if dtype == BOOL:
            first = self.prim("and", [condition, yes], BOOL, BOOL)
            other = self.prim("not", [condition], BOOL, BOOL)
            second = self.prim("and", [other, no], BOOL, BOOL)
            return self.prim("or", [first, second], BOOL, BOOL)
        axes = union([condition, yes, no], self.order)
        parts = [self.align(v, axes) for v in (condition, yes, no)]
        known = [p.constant for p in parts if p.constant is not None]
        if len(known) == 3:
            return constant(np.where(*known), axes, dtype)
        carried = carrier(dtype)
        names = [self.name(parts[0])]
        names += [self.name(self.cast(p, carried)) for p in parts[1:]]
        made = Value(self.graph.op("Where", *names), axes, carried)
        return self.cast(made, dtype)

    def guarded(self, node: Expr) -> Value:
        """`node` where it may be evaluated beyond the points that need it."""
        self.guards += 1
        try:
            return self.emit(node)
        finally:
            self.guards -= 1

    # --- Expressions ---------------------------------------------------------------

    def emit(self, node: Expr) -> Value:
        """The value of `node`."""
        key = (node, self.guards > 0)
        if key not in self.memo:
            self.memo[key] = self._emit(node)
        return self.memo[key]

    def _emit(self, node: Expr) -> Value:
        match node:
            case Const(value, dtype):
                return constant(np.array(value).astype(dtype.numpy), (), dtype)
            case Size(size):
                return Value(self._size(size), (), INT64)
            case Index(variable):
                return self.index[variable]
            case Prim(op, args, dtype):
                values = [self.emit(a) for a in args]
                return self.prim(op, values, args[0].dtype, dtype)
            case Cast(value, dtype):
                return self.cast(self.emit(value), dtype)
            case Select():
                return self._select(node)
            case Read():
                return onnx_reads.read(self, node)
            case Fold():
                return onnx_folds.fold(self, node)
            case Scan():
                return onnx_scans.scan(self, node)
            case Order():
                return onnx_scans.order(self, node)
            case Call():
                return self.emit(node.expansion)
        raise NotImplementedError(f"a {type(node).__name__}")

    def _select(self, node: Select) -> Value:
        condition = self.emit(node.condition)
        if condition.constant is not None and condition.constant.size == 1:
            # Known beforehand, and lazy: the other branch may have no value at all.
            chosen = node.yes if condition.constant.all() else node.no
            return self.emit(chosen)
        return self.where(condition, self.guarded(node.yes), self.guarded(node.no))

    def _size(self, size: str) -> str:
        """An extent that the graph reads off an input, so that it may vary."""
        if size not in self.shown:
            raise NotImplementedError(f"the extent {size}, which no input shows")
        given, axis = self.shown[size]
        axis -= len([a for a in self.absent.get(given, ()) if a < axis])
        shape = self.graph.op("Shape", self.tensors[given])
        return self.graph.op(
            "Gather", shape, self.graph.constant(np.int64(axis)), axis=0
        )
