"""The judge: what a Program means, computed slowly from the unlowered tree.

Every expression is evaluated on a grid: one array axis for each index variable in
scope, opened by a Define, a Fold, a Scan or an Order. Inner axes come last, so a value
of an outer grid is brought in by appending axes of length 1. A value has length 1
along the axes it does not depend on.

Laziness is a mask: beside the grid goes the boolean array of the points that are
really reached. A read whose index is out of bounds at a reached point raises; at any
other point it is clipped and its value never used.

What values are is left to an `Algebra`: plain arrays here (`Exact`, `Wide`), pairs of
value and error bound in `opslib.analysis.bound`. No printer shares code with this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from opslib.errors import OperandIndexError, ShapeError
from opslib.ir.algebra import Algebra, Array, Exact, Wide
from opslib.ir.dtypes import INT64, DType
from opslib.ir.expr import (
    Axis,
    Call,
    Cast,
    Check,
    Const,
    Define,
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
    Var,
    walk,
)
from opslib.ir.monoid import Monoid

# Elements of one intermediate array; longer folds go in chunks.
BUDGET = 1 << 21
PRECISIONS = ("exact", "wide", "longdouble")

V = TypeVar("V")


def evaluate(
    program: Program,
    inputs: Mapping[str, Array],
    sizes: Mapping[str, int],
    scalars: Mapping[str, int | float] | None = None,
    *,
    precision: str = "exact",
) -> dict[str, Array]:
    """The outputs of `program`, by name.

    Args:
        program: unlowered.
        inputs: arrays in the program's axes (full rank, already broadcast).
        sizes: every extent of `program.sizes`.
        scalars: every run-time attribute of `program.scalars`.
        precision: ``exact`` computes each node in its own dtype; ``wide`` computes
            floats in float64 and ``longdouble`` in np.longdouble, with constants
            wide and casts between floats left out.

    Raises:
        OperandIndexError: a data-dependent index is out of bounds (E0713).
        ShapeError: another condition of the spec does not hold (E0713).
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}, not one of {PRECISIONS}")
    algebra = (
        Exact() if precision == "exact" else Wide(np.dtype(_WIDE_TYPES[precision]))
    )
    return evaluate_with(algebra, program, inputs, sizes, scalars or {})


_WIDE_TYPES: dict[str, Any] = {"wide": np.float64, "longdouble": np.longdouble}


def evaluate_with(
    algebra: Algebra[V],
    program: Program,
    inputs: Mapping[str, Array],
    sizes: Mapping[str, int],
    scalars: Mapping[str, int | float],
) -> dict[str, V]:
    """The outputs as values of `algebra`."""
    evaluator = Evaluator(algebra, program, sizes, scalars)
    for tensor in program.inputs:
        array = np.asarray(inputs[tensor.name])
        evaluator.arrays[tensor.name] = algebra.load(array, tensor.dtype)
    pending = list(program.checks)
    for position in range(len(program.defines) + 1):
        # A check may look at locals; it runs as soon as they are complete, which is
        # before anything else reads them.
        missing = {d.name for d in program.defines[position:]}
        for check in [c for c in pending if not _tensors(c) & missing]:
            evaluator.check(check)
            pending.remove(check)
        if position < len(program.defines):
            evaluator.define(program.defines[position])
    return {t.name: evaluator.arrays[t.name] for t in program.outputs}


def _tensors(check: Check) -> set[str]:
    roots = (*check.axes, check.condition, check.value, check.extent)
    nodes = walk(*(r for r in roots if r is not None))
    return {n.tensor for n in nodes if isinstance(n, Read)}


@dataclass(slots=True)
class Grid(Generic[V]):
    """The open axes: their lengths, and the value of each index variable."""

    shape: tuple[int, ...]
    index: dict[str, V]
    memo: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    @property
    def ndim(self) -> int:
        """How many axes are open."""
        return len(self.shape)


Mask = Array | None


def _append_axis(a: Array) -> Array:
    return a[..., np.newaxis]


def _both(a: Mask, b: Mask) -> Mask:
    return b if a is None else a if b is None else a & b


class Evaluator(Generic[V]):
    """The state of one evaluation: the arrays so far, sizes and scalars."""

    def __init__(
        self,
        algebra: Algebra[V],
        program: Program,
        sizes: Mapping[str, int],
        scalars: Mapping[str, int | float],
    ) -> None:
        self.algebra = algebra
        self.program = program
        self.sizes = sizes
        self.scalars = scalars
        self.arrays: dict[str, V] = {}
        # With a clamp policy, indices out of bounds are moved to the nearest edge.
        self.clamps = any(c.policy == "clamp" for c in program.checks)
        self._reads: dict[Expr, bool] = {}

    # --- Grids -------------------------------------------------------------------

    def extended(self, grid: Grid[V], name: str, index: Array) -> Grid[V]:
        """`grid` with one more axis, on which the variable `name` has values `index`."""
        each = self.algebra.each
        outer = {k: each(v, _append_axis) for k, v in grid.index.items()}
        outer[name] = self.algebra.integers(index)
        return Grid((*grid.shape, index.shape[-1]), outer)

    def span(self, axis: Axis, grid: Grid[V], mask: Mask) -> tuple[Array, Array, int]:
        """Start and length of `axis` at each point, and the greatest length."""
        start, stop = (
            self.algebra.data(self.value(e, grid, mask))
            for e in (axis.start, axis.stop)
        )
        length = np.maximum(stop - start, 0)
        reached = length if mask is None else np.where(mask, length, 0)
        return start, length, int(reached.max(initial=0))

    def opened(
        self, axis: Axis, grid: Grid[V], mask: Mask, low: int = 0, count: int = -1
    ) -> tuple[Grid[V], Mask, Mask]:
        """`grid` extended by `axis`, the reached points, and those within its range.

        low, count: only that part of the axis, counted from its start.
        """
        start, length, most = self.span(axis, grid, mask)
        steps = np.arange(low, most if count < 0 else low + count)
        inner = self.extended(grid, axis.name, _append_axis(start) + steps)
        within = None if length.size == 1 else steps < _append_axis(length)
        outer = None if mask is None else _append_axis(mask)
        return inner, _both(outer, within), within

    # --- Expressions -------------------------------------------------------------

    def value(self, node: Expr, grid: Grid[V], mask: Mask) -> V:
        """`node` on the grid; valid where `mask` is true."""
        # Only reads look at the mask, so anything without one is remembered for all.
        key = (node, id(mask) if self._has_read(node) else 0)
        found = grid.memo.get(key)
        if found is None:
            # The mask is kept alive with the value: its id must not be reused.
            found = grid.memo[key] = (self._compute(node, grid, mask), mask)
        result: V = found[0]
        return result

    def _has_read(self, node: Expr) -> bool:
        if node not in self._reads:
            for n in walk(node):
                self._reads[n] = isinstance(n, Read | Fold | Scan | Order) or any(
                    self._reads[c] for c in n.children
                )
        return self._reads[node]

    def _compute(self, node: Expr, grid: Grid[V], mask: Mask) -> V:
        algebra = self.algebra
        match node:
            case Const(value, dtype):
                return algebra.constant(value, dtype, grid.ndim)
            case Size(name):
                return algebra.constant(self.sizes[name], INT64, grid.ndim)
            case Scalar(name, dtype):
                return algebra.constant(self.scalars[name], dtype, grid.ndim)
            case Index(name):
                return grid.index[name]
            case Prim(op, args, _):
                operands = tuple(self.value(a, grid, mask) for a in args)
                return algebra.prim(op, operands, args[0].dtype)
            case Cast(value, dtype):
                return algebra.cast(self.value(value, grid, mask), value.dtype, dtype)
            case Select():
                return self._select(node, grid, mask)
            case Read():
                return self._read(node, grid, mask)
            case Fold():
                return self._fold(node, grid, mask)
            case Scan():
                return self._scan(node, grid, mask)
            case Order():
                return self._order(node, grid, mask)
            case Call():
                return self.value(node.expansion, grid, mask)
        raise TypeError(f"{type(node).__name__} is not an expression with a value")

    def _select(self, node: Select, grid: Grid[V], mask: Mask) -> V:
        algebra = self.algebra
        condition = self.value(node.condition, grid, mask)
        branches = []
        for branch, reached in zip(
            (node.yes, node.no), algebra.outcomes(condition), strict=True
        ):
            inner = _both(mask, reached)
            if inner is not None and not inner.any():
                branches.append(algebra.constant(0, branch.dtype, grid.ndim))
            else:
                branches.append(self.value(branch, grid, inner))
        return algebra.select(condition, branches[0], branches[1])

    def _read(self, node: Read, grid: Grid[V], mask: Mask) -> V:
        algebra = self.algebra
        source = self.arrays[node.tensor]
        shape = algebra.data(source).shape
        indices = [self.value(i, grid, mask) for i in node.indices]
        clipped = []
        for axis, (index, extent) in enumerate(zip(indices, shape, strict=True)):
            where = algebra.data(index)
            wrong = (where < 0) | (where >= extent)
            taken = wrong if mask is None else wrong & mask
            if taken.any() and not self.clamps:
                at = int(np.broadcast_to(where, taken.shape)[taken].flat[0])
                raise OperandIndexError(
                    f"{self.program.name}: {node.tensor} is read at {at} on axis {axis}, "
                    f"which has {extent} elements",
                    code="E0713",
                    help="every index must be within 0 .. extent - 1",
                )
            clipped.append(np.clip(where, 0, max(extent - 1, 0)))
        if 0 in shape:
            return algebra.constant(0, node.type, grid.ndim)
        if not clipped:
            return algebra.each(source, lambda a: a.reshape((1,) * grid.ndim))
        at_points = tuple(clipped)
        read = algebra.each(source, lambda a: a[at_points])
        return algebra.doubted(read, indices)

    # --- Folds, scans, order -----------------------------------------------------

    def _fold(self, node: Fold, grid: Grid[V], mask: Mask) -> V:
        key = (node.monoid.name, node.monoid.state, node.axes, node.args, id(mask))
        found = grid.memo.get(key)
        if found is None:
            states = self._states(node.monoid, node.axes, node.args, grid, mask, None)
            found = grid.memo[key] = (states, mask)
        return self.finish(node.monoid, found[0], node.output, grid.ndim)

    def _states(
        self,
        monoid: Monoid,
        axes: Sequence[Axis],
        args: Sequence[Expr],
        grid: Grid[V],
        mask: Mask,
        within: Mask,
    ) -> list[V]:
        """The states of the fold over `axes`; identities outside `within`."""
        algebra = self.algebra
        if not axes:
            values = [self.value(a, grid, mask) for a in args]
            return algebra.lifted(monoid, self._lift(monoid, values, grid.ndim), within)
        axis, *rest = axes
        _, _, most = self.span(axis, grid, mask)
        space = int(np.prod(grid.shape, dtype=np.int64))
        # Inner axes of a fold are short as a rule (windows); leave them room.
        chunk = max(1, BUDGET // max(1, space * 8 ** len(rest)))
        total: list[V] | None = None
        for low in range(0, most, chunk):
            count = min(chunk, most - low)
            inner, reached, own = self.opened(axis, grid, mask, low, count)
            outer = None if within is None else _append_axis(within)
            states = self._states(monoid, rest, args, inner, reached, _both(outer, own))
            part = algebra.reduce(monoid, states, count, self.template)
            total = (
                part
                if total is None
                else algebra.combine(monoid, total, part, self.template)
            )
        if total is None:
            total = algebra.identity(monoid, grid.ndim)
        return total

    def _lift(self, monoid: Monoid, values: Sequence[V], ndim: int) -> list[V]:
        bound = {f"x{i}": v for i, v in enumerate(values)}
        return [self.template(t, bound, ndim) for t in monoid.lift]

    def finish(self, monoid: Monoid, states: Sequence[V], output: int, ndim: int) -> V:
        """One of the finished values of a state."""
        settled = self.algebra.settled(monoid, states)
        bound = {f"s{i}": v for i, v in enumerate(settled)}
        return self.template(monoid.finish[output], bound, ndim)

    def template(self, root: Expr, bound: Mapping[str, V], ndim: int) -> V:
        """A template of a monoid, with its placeholders given."""
        algebra = self.algebra
        done: dict[Expr, V] = {}
        for node in walk(root):
            match node:
                case Var(name, _):
                    done[node] = bound[name]
                case Const(value, dtype):
                    done[node] = algebra.constant(value, dtype, ndim)
                case Prim(op, args, _):
                    operands = tuple(done[a] for a in args)
                    done[node] = algebra.prim(op, operands, args[0].dtype)
                case Cast(value, dtype):
                    done[node] = algebra.cast(done[value], value.dtype, dtype)
                case Select(condition, yes, no):
                    done[node] = algebra.select(done[condition], done[yes], done[no])
                case _:
                    raise TypeError(f"{type(node).__name__} in a monoid's template")
        return done[root]

    def _along(
        self, axis: Axis, exprs: Sequence[Expr], grid: Grid[V], mask: Mask
    ) -> tuple[list[V], int, Mask]:
        """The expressions on an extra last axis, full length there."""
        inner, reached, within = self.opened(axis, grid, mask)
        count = inner.shape[-1]
        return (
            [
                self.algebra.each(self.value(e, inner, reached), _stretch(count))
                for e in exprs
            ],
            count,
            within,
        )

    def _scan(self, node: Scan, grid: Grid[V], mask: Mask) -> V:
        algebra, monoid = self.algebra, node.monoid
        values, count, _ = self._along(node.axis, node.args, grid, mask)
        lifted = self._lift(monoid, values, grid.ndim + 1)
        lifted = algebra.lifted(monoid, lifted, None)
        running = algebra.identity(monoid, grid.ndim)
        prefixes = [running]
        for i in range(count):
            here = [algebra.each(s, _pick(i)) for s in lifted]
            running = algebra.combine(monoid, running, here, self.template)
            prefixes.append(running)
        finished = [self.finish(monoid, p, node.output, grid.ndim) for p in prefixes]
        table = algebra.stacked(finished)
        start = algebra.data(self.value(node.axis.start, grid, mask))
        at = algebra.data(self.value(node.at, grid, mask)) - start + 1
        return algebra.each(table, _take(np.clip(at, 0, count)))

    def _order(self, node: Order, grid: Grid[V], mask: Mask) -> V:
        algebra = self.algebra
        (values,), count, within = self._along(node.axis, [node.value], grid, mask)
        if count == 0:
            return algebra.constant(0, node.dtype, grid.ndim)
        order = _sorting(algebra.data(values), node.descending)
        if within is not None:  # ragged rows: what is outside goes last
            valid = np.take_along_axis(np.broadcast_to(within, order.shape), order, -1)
            kept = np.argsort(~valid, axis=-1, kind="stable")
            order = np.take_along_axis(order, kept, -1)
        at = algebra.data(self.value(node.at, grid, mask))
        position = _take(np.clip(at, 0, count - 1))(order)
        if node.output:
            start = algebra.data(self.value(node.axis.start, grid, mask))
            return algebra.ranked(values, algebra.integers(start + position))
        return algebra.each(algebra.ordered(values), _take(position))

    # --- Statements --------------------------------------------------------------

    def check(self, check: Check) -> None:
        """Raises unless the condition holds at every point (or clamping is asked)."""
        if check.policy == "clamp":
            return
        grid: Grid[V] = Grid((), {})
        mask: Mask = None
        for axis in check.axes:
            grid, mask, _ = self.opened(axis, grid, mask)
        holds = np.broadcast_to(
            self.algebra.data(self.value(check.condition, grid, mask)), grid.shape
        )
        if mask is not None:
            holds = holds | ~np.broadcast_to(mask, grid.shape)
        if holds.all():
            return
        first = tuple(int(p[0]) for p in np.nonzero(~holds)) if grid.shape else ()
        message = f"{self.program.name}: {check.message}"
        if not check.operand:
            raise ShapeError(message, code="E0713")
        if check.value is not None:
            message += f": {check.operand} holds {self._at(check.value, grid, first)}"
            if first:
                message += f" at {first}"
        if check.extent is not None:
            message += f", the extent is {self._at(check.extent, grid, first)}"
        raise OperandIndexError(message, code="E0713")

    def _at(self, node: Expr, grid: Grid[V], point: tuple[int, ...]) -> Any:
        everywhere = self.algebra.data(self.value(node, grid, np.zeros((), bool)))
        return np.broadcast_to(everywhere, grid.shape)[point].item()

    def define(self, define: Define) -> None:
        """Computes a Define and stores it into `arrays`."""
        algebra = self.algebra
        tensor = self.program.tensor(define.name)
        if define.name not in self.arrays:
            root: Grid[V] = Grid((), {})
            shape = tuple(
                int(algebra.data(self.value(s, root, None))) for s in tensor.shape
            )
            self.arrays[define.name] = algebra.zeros(shape, tensor.dtype)
        self._define(define, list(define.axes), Grid((), {}), None)

    def _define(
        self, define: Define, axes: list[Axis], grid: Grid[V], mask: Mask
    ) -> None:
        """Opens the axes; a recurrent one is walked step by step, outermost."""
        recurrent = [a for a in axes if a.name == define.recurrent]
        if recurrent:
            (axis,) = recurrent
            rest = [a for a in axes if a is not axis]
            _, _, most = self.span(axis, grid, mask)
            for step in range(most):
                inner, reached, _ = self.opened(axis, grid, mask, step, 1)
                self._store(define, rest, inner, reached)
        else:
            self._store(define, axes, grid, mask)

    def _store(
        self, define: Define, axes: list[Axis], grid: Grid[V], mask: Mask
    ) -> None:
        algebra = self.algebra
        for axis in axes:
            grid, mask, _ = self.opened(axis, grid, mask)
        if 0 in grid.shape:
            return
        full = grid.shape
        target = self.arrays[define.name]
        shape = algebra.data(target).shape
        where = []
        for axis_number, expr in enumerate(define.indices):
            index = np.broadcast_to(algebra.data(self.value(expr, grid, mask)), full)
            wrong = (index < 0) | (index >= shape[axis_number])
            taken = wrong if mask is None else wrong & mask
            if taken.any() and not self.clamps:
                raise OperandIndexError(
                    f"{self.program.name}: {define.name} is written at "
                    f"{int(index[np.broadcast_to(taken, full)].flat[0])} on axis "
                    f"{axis_number}, which has {shape[axis_number]} elements",
                    code="E0713",
                    help="every index must be within 0 .. extent - 1",
                )
            where.append(np.clip(index, 0, max(shape[axis_number] - 1, 0)))
        value = self.value(define.value, grid, mask)
        value = algebra.cast(value, define.value.dtype, self._type_of(define.name))
        reached = slice(None) if mask is None else np.broadcast_to(mask, full).ravel()
        flat = np.zeros(full, np.int64)
        for index, extent in zip(where, shape, strict=True):
            flat = flat * extent + index
        points = np.atleast_1d(flat).ravel()[reached]
        chosen = algebra.each(
            value, lambda a: np.broadcast_to(a, full).reshape(-1)[reached]
        )
        if define.combine is None:
            algebra.assign(target, points, chosen)
        else:
            lifted = self._lift(define.combine, [chosen], 1)
            algebra.scatter(define.combine, target, points, lifted[0], self.template)

    def _type_of(self, name: str) -> DType:
        return self.program.tensor(name).dtype


def _stretch(count: int) -> Callable[[Array], Array]:
    return lambda a: np.broadcast_to(a, (*a.shape[:-1], count))


def _pick(i: int) -> Callable[[Array], Array]:
    return lambda a: a[..., i]


def _take(at: Array) -> Callable[[Array], Array]:
    """Element `at` (one per point) of the last axis."""

    def take(a: Array) -> Array:
        taken: Array = np.take_along_axis(a, at[..., np.newaxis], axis=-1)
        return taken[..., 0]

    return take


def _sorting(values: Array, descending: bool) -> Array:
    """Stable order along the last axis; NaN last when ascending, else first."""
    if values.dtype.kind == "V":
        values = values.astype(np.float32)
    if values.dtype == np.bool_:
        values = values.astype(np.uint8)
    if not descending:
        return np.argsort(values, axis=-1, kind="stable")
    # Sorting the reversed row and reversing the result keeps equal values in order.
    order = np.argsort(values[..., ::-1], axis=-1, kind="stable")[..., ::-1]
    return np.asarray(values.shape[-1] - 1 - order)
