"""Which axes of a program are alike at every position, read off its index algebra.

An axis of a tensor and an index variable belong together where the variable alone is
the index of that axis. Where an index is computed (``i + k``), is itself a value (a
causal mask, an argmax), or is the position in a scan or a sorted row, its axis is
*fixed*. What remains can be permuted, in all inputs and outputs at once, and the
results are the permuted ones: batches, heads, rows, and the terms of a sum. An axis
that is never folded can also be cut: a part of the inputs gives that part of the
outputs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from opslib.ir.expr import (
    ZERO,
    Axis,
    Call,
    Define,
    Expr,
    Fold,
    Index,
    Order,
    Program,
    Read,
    Scan,
    Size,
)

# Folds whose terms may come in any order.
_COMMUTATIVE = frozenset(
    {"sum", "prod", "max", "min", "fmax", "fmin", "any", "all", "and", "or", "count"}
)
_Node = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Symmetry:
    """Axes that belong together.

    Attributes:
        axes: (tensor, axis) of inputs and outputs, in the program's axes.
        folded: whether a reduction runs along them.
    """

    axes: tuple[tuple[str, int], ...]
    folded: bool


def symmetries(program: Program) -> tuple[Symmetry, ...]:
    """All sets of axes of inputs that may be permuted together."""
    found = _Analysis(program)
    for k, define in enumerate(program.defines):
        found.define(define, str(k))
    return found.result()


@dataclass(slots=True)
class _Analysis:
    program: Program
    parents: dict[_Node, _Node] = field(default_factory=dict)
    fixed: set[_Node] = field(default_factory=set)
    folded: set[_Node] = field(default_factory=set)
    extents: dict[_Node, Expr] = field(default_factory=dict)
    measured: set[Expr] = field(default_factory=set)
    scope: str = ""

    def __post_init__(self) -> None:
        program = self.program
        for t in (*program.inputs, *program.outputs, *program.locals):
            for k, extent in enumerate(t.shape):
                self.extents["tensor", t.name, k] = extent

    def find(self, node: _Node) -> _Node:
        parent = self.parents.setdefault(node, node)
        if parent != node:
            parent = self.parents[node] = self.find(parent)
        return parent

    def join(self, a: _Node, b: _Node) -> None:
        self.parents[self.find(a)] = self.find(b)

    def variable(self, name: str) -> _Node:
        return ("index " + self.scope, name, 0)

    def define(self, define: Define, scope: str) -> None:
        self.scope = scope
        for axis in define.axes:
            self.axis(axis)
        for k, index in enumerate(define.indices):
            self.index(("tensor", define.name, k), index)
        if define.combine is not None:
            # What meets in one element is summed there.
            self.folded |= {self.variable(a.name) for a in define.axes}
        ordered = define.recurrent is not None or (
            define.combine is not None and define.combine.name not in _COMMUTATIVE
        )
        if ordered or (define.combine is None and not define.is_plain):
            # Later writes win, or earlier elements are read.
            self.fixed |= {self.variable(a.name) for a in define.axes}
        self.value(define.value)

    def axis(self, axis: Axis) -> None:
        node = self.variable(axis.name)
        if axis.start is not ZERO or axis.bound is not None:
            self.fixed.add(node)
        if self.extents.setdefault(node, axis.stop) is not axis.stop:
            self.fixed.add(node)  # one name, two ranges
        for bound in (axis.start, axis.stop):
            if not isinstance(bound, Size):
                self.value(bound)

    def index(self, place: _Node, index: Expr) -> None:
        if isinstance(index, Index):
            self.join(place, self.variable(index.name))
        else:
            self.fixed.add(place)
            self.value(index)

    def value(self, root: Expr) -> None:
        waiting, seen = [root], set()
        while waiting:
            node = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            match node:
                case Read(tensor, indices, _):
                    for k, index in enumerate(indices):
                        if isinstance(index, Index):
                            self.join(("tensor", tensor, k), self.variable(index.name))
                        else:
                            self.fixed.add(("tensor", tensor, k))
                            waiting.append(index)
                case Index(name):
                    self.fixed.add(self.variable(name))
                case Size():
                    self.measured.add(node)
                case Fold(monoid, axes, args, _):
                    for axis in axes:
                        self.axis(axis)
                        self.folded.add(self.variable(axis.name))
                        if monoid.name not in _COMMUTATIVE:
                            self.fixed.add(self.variable(axis.name))
                    waiting += args
                case Scan(_, axis, args, at, _):
                    self.axis(axis)
                    self.fixed.add(self.variable(axis.name))
                    waiting += (*args, at)
                case Order(axis, value, at, _, output):
                    self.axis(axis)
                    self.folded.add(self.variable(axis.name))
                    if output:  # positions
                        self.fixed.add(self.variable(axis.name))
                    waiting += (value, at)
                case Call():
                    waiting.append(node.expansion)
                case _:
                    waiting += node.children

    def result(self) -> tuple[Symmetry, ...]:
        groups: dict[_Node, list[_Node]] = {}
        for node in list(self.extents) + list(self.parents):
            group = groups.setdefault(self.find(node), [])
            if node not in group:
                group.append(node)
        names = {t.name for t in (*self.program.inputs, *self.program.outputs)}
        inputs = {t.name for t in self.program.inputs}
        found = []
        for group in groups.values():
            if any(n in self.fixed for n in group):
                continue
            extents = {self.extents[n] for n in group if n in self.extents}
            if len(extents) != 1:
                continue
            axes = tuple(
                sorted(
                    (n[1], n[2]) for n in group if n[0] == "tensor" and n[1] in names
                )
            )
            if not any(tensor in inputs for tensor, _ in axes):
                continue
            folded = any(n in self.folded for n in group)
            # A mean divides by the extent: no fold, but not a part of the whole.
            found.append(Symmetry(axes, folded or extents <= self.measured))
        return tuple(found)
