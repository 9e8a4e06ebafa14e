"""What a call costs, counted from its program: operations and bytes moved.

The count is of the mathematics, not of a kernel. An expression is counted once for
each value of the indices it depends on, as if nothing were computed twice, and an
array is moved once. Where a range is data its declared bound counts, and of a
conditional both sides do: then the numbers are bounds from above.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

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
    Scalar,
    Scan,
    Select,
    Size,
    free_indices,
    walk,
)
from opslib.ir.monoid import Monoid

_ARITHMETIC = frozenset(
    {"add", "sub", "mul", "div", "floordiv", "mod", "fmod", "max", "min", "fmax"}
    | {"fmin", "neg", "abs", "sqrt", "reciprocal"}
)
_TRANSCENDENTAL = frozenset(
    {"pow", "atan2", "hypot", "rsqrt", "exp", "exp2", "expm1", "log", "log2", "log10"}
    | {"log1p", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh"}
    | {"asinh", "acosh", "atanh", "erf", "erfc", "sigmoid", "log_sigmoid", "softplus"}
    | {"silu", "gelu", "gelu_tanh"}
)


@dataclass(frozen=True, slots=True)
class Cost:
    """Operations and traffic of a call.

    Attributes:
        flops: additions, subtractions, multiplications, divisions, square roots,
            maxima and minima, of integers too; index arithmetic is not counted.
        transcendental: exp, log, rsqrt, tanh ... and powers; not part of `flops`.
        bytes_read: of the inputs; of one that is read at a few places only, those.
        bytes_written: of the results.
    """

    flops: int
    bytes_read: int
    bytes_written: int
    transcendental: int

    @property
    def intensity(self) -> float:
        """Operations for each byte moved: what a roofline model asks for."""
        return (self.flops + self.transcendental) / max(
            self.bytes_read + self.bytes_written, 1
        )


def program_cost(
    program: Program,
    sizes: Mapping[str, int],
    scalars: Mapping[str, int | float] | None = None,
    elements: Mapping[str, int] | None = None,
) -> Cost:
    """The cost of a program at the given sizes.

    Args:
        program: what is counted.
        sizes: by the program's names.
        scalars: attributes by the program's names; those that decide an extent, such
            as a stride, must be there, or the count is far too high.
        elements: of inputs that are broadcast, how many there really are.
    """
    scalars = scalars or {}
    flops = transcendental = 0
    reads: dict[str, int] = {}
    for define in program.defines:
        counter = _Counter(sizes, scalars, define.axes, define.value)
        # What a scatter combines, it does for every point.
        if define.combine is not None:
            flops += counter.points([a.name for a in define.axes])
        for node in _computed(define.value):
            free = free_indices(node)
            match node:
                case Prim():
                    if node.op in _ARITHMETIC:
                        flops += counter.points(free)
                    elif node.op in _TRANSCENDENTAL:
                        transcendental += counter.points(free)
                case Fold():
                    names = free | {a.name for a in node.axes}
                    flops += counter.points(names) * _combine_cost(node.monoid)
                case Scan():
                    names = (_free(node.args) | free | {node.axis.name}) - _only(node)
                    flops += counter.points(names) * _combine_cost(node.monoid)
                case Order():
                    # Sorted once for each row, by comparisons.
                    n = counter.extent(node.axis.name)
                    rows = counter.points(free - free_indices(node.at))
                    flops += rows * math.ceil(n * math.log2(max(n, 1)))
                case Read():
                    points = counter.points(free)
                    reads[node.tensor] = reads.get(node.tensor, 0) + points
    numbers = _Counter(sizes, scalars)
    read = written = 0
    for t in program.inputs:
        held = math.prod(numbers.value(n) for n in t.shape)
        held = min(held, (elements or {}).get(t.name, held))
        read += min(held, reads.get(t.name, 0)) * t.dtype.bytes
    for t in program.outputs:
        written += math.prod(numbers.value(n) for n in t.shape) * t.dtype.bytes
    return Cost(flops, read, written, transcendental)


def _computed(root: Expr) -> Iterator[Expr]:
    """Distinct nodes whose values are computed: not indices, ranges or positions."""
    seen: set[Expr] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        yield node
        match node:
            case Read():
                # An index that is data is read too, but its arithmetic is not counted.
                stack += [
                    n for i in node.indices for n in walk(i) if isinstance(n, Read)
                ]
            case Fold() | Scan():
                stack += node.args
            case Order():
                stack.append(node.value)
            case Call():
                stack.append(node.expansion)
            case Select():
                stack += (node.yes, node.no)
                stack += [n for n in walk(node.condition) if isinstance(n, Read)]
            case Prim() | Cast():
                stack += node.children


def _free(nodes: tuple[Expr, ...]) -> frozenset[str]:
    return frozenset().union(*map(free_indices, nodes))


def _only(scan: Scan) -> frozenset[str]:
    """Indices that only say where a scan is read: it runs once for all of them."""
    return free_indices(scan.at) - _free(scan.args)


def _combine_cost(monoid: Monoid) -> int:
    """Operations that join one more element to a fold."""
    counted = {
        n
        for n in walk(*monoid.combine)
        if isinstance(n, Prim) and n.op in _ARITHMETIC | _TRANSCENDENTAL
    }
    return max(len(counted), 1)


class _Counter:
    """Extents of the indices below one definition.

    Args:
        sizes, scalars: by name.
        axes: of the definition.
        values: its right side, whose folds have axes too.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        scalars: Mapping[str, int | float],
        axes: tuple[Axis, ...] = (),
        *values: Expr,
    ) -> None:
        self.sizes = sizes
        self.scalars = scalars
        inner = [n for n in walk(*values) if isinstance(n, Axis)]
        self.ranges: dict[str, Axis] = {a.name: a for a in (*axes, *inner)}
        self.known: dict[str, int] = {}

    def points(self, names: Iterable[str]) -> int:
        """How many points the indices run over together."""
        return math.prod(self.extent(n) for n in names)

    def extent(self, name: str) -> int:
        """How many values an index takes, at most."""
        if name not in self.known:
            axis = self.ranges.get(name)
            self.known[name] = 1 if axis is None else self._length(axis)
        return self.known[name]

    def _length(self, axis: Axis) -> int:
        if axis.bound is not None:
            return max(self.value(axis.bound), 0)
        return max(self.value(axis.stop) - self.value(axis.start, low=True), 0)

    def value(self, node: Expr, low: bool = False) -> int:
        """An extent as a number; the largest (or with `low` the smallest) it may be."""
        match node:
            case Const():
                return int(node.value)
            case Size():
                return self.sizes[node.name]
            case Scalar() if node.name in self.scalars:
                return int(self.scalars[node.name])
            case Index():
                return 0 if low else max(self.extent(node.name) - 1, 0)
            case Cast():
                return self.value(node.value, low)
            case Prim(op="add"):
                return self.value(node.args[0], low) + self.value(node.args[1], low)
            case Prim(op="sub"):
                return self.value(node.args[0], low) - self.value(node.args[1], not low)
            case Prim(op="mul"):
                return self.value(node.args[0], low) * self.value(node.args[1], low)
            case Prim(op="floordiv"):
                return self.value(node.args[0], low) // max(
                    self.value(node.args[1], not low), 1
                )
            case Prim(op="min"):
                return min(self.value(a, low) for a in node.args)
            case Prim(op="max"):
                return max(self.value(a, low) for a in node.args)
        # Data, or arithmetic on an attribute: no longer than the longest axis.
        return 0 if low else max(self.sizes.values(), default=1)
