"""What the values of an evaluation are: the operations `evaluate` asks for.

`Exact` computes with plain arrays in each node's own type, `Wide` with floats in
float64 or long double. The pairs (value, bound) of the error analysis are a third
algebra, in `opslib.analysis.bound`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from opslib.ir import elementwise
from opslib.ir.dtypes import DType
from opslib.ir.expr import Expr
from opslib.ir.monoid import Monoid

Array = np.ndarray[Any, np.dtype[Any]]
V = TypeVar("V")
Template = Callable[[Expr, Mapping[str, V], int], V]


class Algebra(Generic[V]):
    """Operations on the values of an evaluation.

    A value stands for one or more arrays of equal shape; `each` applies a change of
    shape to all of them, `data` is the one that holds the value itself.
    """

    def each(self, value: V, change: Callable[[Array], Array]) -> V:
        """Applies a rearrangement of elements to the value's arrays."""
        raise NotImplementedError

    def data(self, value: V) -> Array:
        """The array of values."""
        raise NotImplementedError

    def load(self, array: Array, dtype: DType) -> V:
        """An input."""
        raise NotImplementedError

    def zeros(self, shape: tuple[int, ...], dtype: DType) -> V:
        """A new array that `assign` and `scatter` may write."""
        raise NotImplementedError

    def integers(self, array: Array) -> V:
        """Exactly known int64 values (indices)."""
        raise NotImplementedError

    def constant(self, number: bool | int | float, dtype: DType, ndim: int) -> V:
        """A number, with `ndim` axes of length 1."""
        raise NotImplementedError

    def prim(self, op: str, args: tuple[V, ...], dtype: DType) -> V:
        """A primitive; `dtype` is that of its operands."""
        raise NotImplementedError

    def cast(self, value: V, source: DType, target: DType) -> V:
        """A conversion."""
        raise NotImplementedError

    def outcomes(self, condition: V) -> tuple[Array, Array]:
        """Where a condition may be true, and where it may be false."""
        raise NotImplementedError

    def select(self, condition: V, yes: V, no: V) -> V:
        """A choice, both sides given."""
        raise NotImplementedError

    def doubted(self, read: V, indices: Sequence[V]) -> V:
        """What was read at indices that may themselves be uncertain."""
        return read

    def ranked(self, values: V, positions: V) -> V:
        """Positions of sorted values that may themselves be uncertain."""
        return positions

    def ordered(self, values: V) -> V:
        """Values that are about to be sorted along their last axis."""
        return values

    # --- Folds: states are values, one for each component -------------------------

    def identity(self, monoid: Monoid, ndim: int) -> list[V]:
        """The state of nothing."""
        return [self.constant(c.value, c.type, ndim) for c in monoid.identity]

    def lifted(self, monoid: Monoid, states: list[V], within: Array | None) -> list[V]:
        """Lifted arguments as states; the identity where not `within`."""
        if within is None:
            return states
        nothing = self.identity(monoid, within.ndim)
        return [self.where(within, s, i) for s, i in zip(states, nothing, strict=True)]

    def where(self, mask: Array, yes: V, no: V) -> V:
        """A choice by a mask that is certain."""
        raise NotImplementedError

    def combine(
        self,
        monoid: Monoid,
        earlier: Sequence[V],
        later: Sequence[V],
        template: Template[V],
    ) -> list[V]:
        """Two states to one."""
        bound = {f"a{i}": v for i, v in enumerate(earlier)}
        bound |= {f"b{i}": v for i, v in enumerate(later)}
        ndim = max(self.data(v).ndim for v in (*earlier, *later))
        return [template(t, bound, ndim) for t in monoid.combine]

    def reduce(
        self, monoid: Monoid, states: Sequence[V], count: int, template: Template[V]
    ) -> list[V]:
        """Joins the states along the last axis, neighbours first, order kept."""
        current = [self.each(s, _full(count)) for s in states]
        while count > 1:
            even = [
                self.each(s, lambda a: a[..., 0 : a.shape[-1] - 1 : 2]) for s in current
            ]
            odd = [self.each(s, lambda a: a[..., 1::2]) for s in current]
            joined = self.combine(monoid, even, odd, template)
            if count % 2:
                last = [self.each(s, lambda a: a[..., -1:]) for s in current]
                joined = [
                    self.concatenated(j, r) for j, r in zip(joined, last, strict=True)
                ]
            current, count = joined, (count + 1) // 2
        return [self.each(s, lambda a: a[..., 0]) for s in current]

    def concatenated(self, first: V, second: V) -> V:
        """One after the other along the last axis, broadcast elsewhere."""
        raise NotImplementedError

    def stacked(self, values: Sequence[V]) -> V:
        """A new last axis."""
        raise NotImplementedError

    def settled(self, monoid: Monoid, states: Sequence[V]) -> Sequence[V]:
        """States as plain values, before they are finished."""
        return states

    # --- Writing -----------------------------------------------------------------

    def assign(self, target: V, points: Array, value: V) -> None:
        """Stores `value` at flat positions; a later one wins."""
        raise NotImplementedError

    def scatter(
        self,
        monoid: Monoid,
        target: V,
        points: Array,
        value: V,
        template: Template[V],
    ) -> None:
        """Combines `value` into what is at the flat positions, in order."""
        # In rounds, each with at most one value per position.
        order = np.argsort(points, kind="stable")
        ranked = points[order]
        first = np.r_[True, ranked[1:] != ranked[:-1]] if len(ranked) else ranked
        starts = np.maximum.accumulate(np.where(first, np.arange(len(ranked)), 0))
        turn = np.arange(len(ranked)) - starts
        for i in range(int(turn.max(initial=-1)) + 1):
            chosen = order[turn == i]
            where = points[chosen]
            old = self.each(target, lambda a, w=where: a.reshape(-1)[w])  # type: ignore[misc]
            new = self.each(value, lambda a, c=chosen: a[c])  # type: ignore[misc]
            joined = self.combine(monoid, [old], [new], template)
            self.assign(target, where, joined[0])


def _full(count: int) -> Callable[[Array], Array]:
    return lambda a: np.broadcast_to(a, (*a.shape[:-1], count))


class Exact(Algebra[Array]):
    """Plain arrays; every node in its own type."""

    def narrow(self, dtype: DType) -> np.dtype[Any]:
        """The NumPy type that values of `dtype` have."""
        return dtype.numpy

    def each(self, value: Array, change: Callable[[Array], Array]) -> Array:
        return change(value)

    def data(self, value: Array) -> Array:
        return value

    def load(self, array: Array, dtype: DType) -> Array:
        return array.astype(self.narrow(dtype), copy=False)

    def zeros(self, shape: tuple[int, ...], dtype: DType) -> Array:
        return np.zeros(shape, self.narrow(dtype))

    def integers(self, array: Array) -> Array:
        return array

    def constant(self, number: bool | int | float, dtype: DType, ndim: int) -> Array:
        value = elementwise.numpy_constant(number, self.narrow(dtype))
        return value.reshape((1,) * ndim)

    def prim(self, op: str, args: tuple[Array, ...], dtype: DType) -> Array:
        return elementwise.apply(op, args, self.narrow(dtype))

    def cast(self, value: Array, source: DType, target: DType) -> Array:
        return elementwise.cast(value, self.narrow(target))

    def outcomes(self, condition: Array) -> tuple[Array, Array]:
        return condition, ~condition

    def select(self, condition: Array, yes: Array, no: Array) -> Array:
        return np.where(condition, yes, no)

    def where(self, mask: Array, yes: Array, no: Array) -> Array:
        return np.where(mask, yes, no)

    def concatenated(self, first: Array, second: Array) -> Array:
        lead = np.broadcast_shapes(first.shape[:-1], second.shape[:-1])
        parts = [np.broadcast_to(a, (*lead, a.shape[-1])) for a in (first, second)]
        return np.concatenate(parts, axis=-1)

    def stacked(self, values: Sequence[Array]) -> Array:
        return np.stack(np.broadcast_arrays(*values), axis=-1)

    def assign(self, target: Array, points: Array, value: Array) -> None:
        target.reshape(-1)[points] = value


class Wide(Exact):
    """Floats in one wide type; casts among floats do nothing."""

    def __init__(self, wide: np.dtype[Any]) -> None:
        self.wide = wide

    def narrow(self, dtype: DType) -> np.dtype[Any]:
        return self.wide if dtype.is_float else dtype.numpy

    def prim(self, op: str, args: tuple[Array, ...], dtype: DType) -> Array:
        if op == "nextafter":  # neighbours are those of the type itself
            narrow = [a.astype(dtype.numpy) for a in args]
            return elementwise.apply(op, tuple(narrow), dtype.numpy).astype(self.wide)
        return super().prim(op, args, dtype)
