"""Expressions on grids: the core of the judge; see `opslib.ir.evaluate`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from opslib.errors import OperandIndexError
from opslib.ir.algebra import Algebra, Array
from opslib.ir.dtypes import INT64
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
    Var,
    walk,
)
from opslib.ir.monoid import Monoid

# Elements of one intermediate array; longer folds go in chunks.
BUDGET = 1 << 21

V = TypeVar("V")


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


def both(a: Mask, b: Mask) -> Mask:
    """The points that two masks let through; None lets all."""
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
        """`grid` with one more axis, where the variable `name` has values `index`."""
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
        return inner, both(outer, within), within

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
            inner = both(mask, reached)
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
                    f"{self.program.name}: {node.tensor} is read at {at} on axis "
                    f"{axis}, which has {extent} elements",
                    code="E0708",
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
            return algebra.lifted(monoid, self.lift(monoid, values, grid.ndim), within)
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
            states = self._states(monoid, rest, args, inner, reached, both(outer, own))
            part = algebra.reduce(monoid, states, count, self.template)
            total = (
                part
                if total is None
                else algebra.combine(monoid, total, part, self.template)
            )
        if total is None:
            total = algebra.identity(monoid, grid.ndim)
        return total

    def lift(self, monoid: Monoid, values: Sequence[V], ndim: int) -> list[V]:
        """Arguments of a fold as states."""
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
        lifted = self.lift(monoid, values, grid.ndim + 1)
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
