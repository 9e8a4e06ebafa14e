"""Values with error bounds: the algebra that `bound` evaluates a program in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np

from opslib.analysis import bound_rules
from opslib.ir import elementwise
from opslib.ir.algebra import Algebra, Array, Template, Wide
from opslib.ir.dtypes import DType
from opslib.ir.monoid import Monoid


def _limit(dtype: DType, which: str) -> float:
    """``max``, ``tiny`` (the smallest normal) or ``smallest_subnormal`` of a float."""
    info: Any = ml_dtypes.finfo
    return float(getattr(info(dtype.numpy), which))


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """What the arithmetic under judgement promises; see `docs/numerics.md`.

    Attributes:
        unit_roundoff: by dtype name; a dtype that is absent rounds to nearest.
        accumulator: unit roundoff of long sums, by dtype name of the sum; a dtype that
            is absent sums in its own unit roundoff.
        ulp: primitive -> worst error in units in the last place; a primitive that is
            absent is correctly rounded.
        flushes: subnormal operands and results may become zero.
        narrow: a type, no wider than the compute type, in which every value is held.
            Beyond its range, and from a nan, anything may come.
    """

    unit_roundoff: Mapping[str, float] = field(default_factory=dict)
    accumulator: Mapping[str, float] = field(default_factory=dict)
    ulp: Mapping[str, float] = field(default_factory=dict)
    flushes: bool = False
    narrow: DType | None = None

    def unit(self, dtype: DType) -> float:
        """Unit roundoff of a float type."""
        return self.unit_roundoff.get(dtype.name, dtype.unit_roundoff)

    def sum_unit(self, dtype: DType) -> float:
        """Unit roundoff of a long sum of a float type."""
        return self.accumulator.get(dtype.name, self.unit(dtype))

    def tiny(self, dtype: DType) -> float:
        """What underflow may cost: a normal number when flushing, else a subnormal."""
        which = "tiny" if self.flushes else "smallest_subnormal"
        least = _limit(dtype, which)
        return least if self.narrow is None else max(least, _limit(self.narrow, which))

    def largest(self, dtype: DType) -> float:
        """The greatest finite number."""
        most = _limit(dtype, "max")
        return most if self.narrow is None else min(most, _limit(self.narrow, "max"))

    def held(self, value: Array, dtype: DType) -> Array | float:
        """What it costs to bring values of a type into the narrower one."""
        if self.narrow is None:
            return 0.0
        size = np.abs(np.asarray(value, np.float64))
        error = np.zeros(size.shape)
        if self.narrow.mantissa < dtype.mantissa:
            rounding = self.narrow.unit_roundoff * size + self.tiny(dtype)
            error = np.where(size > 0, rounding, 0.0)
        return np.where(size <= self.largest(dtype), error, np.inf)


@dataclass(frozen=True, slots=True)
class Pair:
    """Values and, of the same shape, how far a correct kernel may be from them.

    For bool, a positive bound means "may be the other one".
    """

    value: Array
    bound: Array


@dataclass(frozen=True, slots=True)
class Sums:
    """The state of a float sum: enough for a bound that holds for any order."""

    value: Array
    bound: Array
    size: Array
    count: Array
    dtype: DType


Value = Pair | Sums


def _paired(value: Array, bound: Array | float) -> Pair:
    return Pair(value, np.broadcast_to(np.asarray(bound, np.float64), value.shape))


class Pairs(Algebra[Value]):
    """See the module's docstring."""

    def __init__(self, arithmetic: Arithmetic, wide: np.dtype[Any]) -> None:
        self.arithmetic = arithmetic
        self.plain = Wide(wide)

    # --- Shape and plain values ---------------------------------------------------

    def each(self, value: Value, change: Callable[[Array], Array]) -> Value:
        if isinstance(value, Sums):
            return Sums(
                change(value.value),
                change(value.bound),
                change(value.size),
                change(value.count),
                value.dtype,
            )
        return Pair(change(value.value), change(value.bound))

    def data(self, value: Value) -> Array:
        return value.value

    def load(self, array: Array, dtype: DType) -> Value:
        value = self.plain.load(array, dtype)
        bound: Array | float = 0.0
        if self.arithmetic.flushes and dtype.is_float:
            normal = self.arithmetic.tiny(dtype)
            bound = np.where(np.abs(value) < normal, np.abs(value), 0)
        if dtype.is_float:
            bound = bound + self.arithmetic.held(value, dtype)
        return _paired(value, bound)

    def zeros(self, shape: tuple[int, ...], dtype: DType) -> Value:
        return Pair(self.plain.zeros(shape, dtype), np.zeros(shape))

    def integers(self, array: Array) -> Value:
        return _paired(array, 0.0)

    def constant(self, number: bool | int | float, dtype: DType, ndim: int) -> Value:
        value = self.plain.constant(number, dtype, ndim)
        bound: Array | float = 0.0
        if dtype.is_float and np.isfinite(float(number)):
            stored = float(
                elementwise.numpy_constant(number, dtype.numpy).astype(float)
            )
            if stored != float(number):
                bound = dtype.unit_roundoff * abs(float(number))
            bound = bound + self.arithmetic.held(value, dtype)
        return _paired(value, bound)

    def where(self, mask: Array, yes: Value, no: Value) -> Value:
        return Pair(
            np.where(mask, yes.value, no.value), np.where(mask, yes.bound, no.bound)
        )

    def concatenated(self, first: Value, second: Value) -> Value:
        join = self.plain.concatenated
        return Pair(join(first.value, second.value), join(first.bound, second.bound))

    def stacked(self, values: Sequence[Value]) -> Value:
        return Pair(
            self.plain.stacked([v.value for v in values]),
            self.plain.stacked([v.bound for v in values]),
        )

    # --- Operations ---------------------------------------------------------------

    def prim(self, op: str, args: tuple[Value, ...], dtype: DType) -> Value:
        values, bounds = [a.value for a in args], [a.bound for a in args]
        result = self.plain.prim(op, tuple(values), dtype)
        with np.errstate(all="ignore"):
            if result.dtype == np.bool_:
                return _paired(result, _doubt(op, values, bounds))
            error = bound_rules.propagated(op, values, bounds, result)
            if op in ("add", "sub"):
                error = np.where(_overflowed(args[0]), np.inf, error)
                error = np.where(_overflowed(args[1]), np.inf, error)
            error = np.broadcast_to(error, result.shape)
            if dtype.is_float and op not in bound_rules.EXACT:
                ulp = 2 * self.arithmetic.ulp.get(op, 0.5)
                error = self._rounded(result, error, ulp, dtype)
                if op in _PRODUCTS:
                    # The other factor may underflow although the product does not.
                    far = np.abs(values[0]) * self.arithmetic.tiny(dtype)
                    left = (values[0] < -16) & np.isfinite(values[0])
                    error = error + np.where(left, far, 0)
            infinite = sum(np.isinf(b).astype(float) for b in bounds)
            factors = args if op == "mul" else ()
            overflowed = np.asarray(sum(map(_overflowed, factors), np.False_))
            return self._settled(
                result, error, np.asarray(infinite) > 0, dtype, overflowed
            )

    def _rounded(self, value: Array, error: Array, ulp: float, dtype: DType) -> Array:
        """`error` and that of rounding: `ulp` times u, and what underflow costs."""
        size = np.abs(value) + error
        rounded = error + ulp * self.arithmetic.unit(dtype) * size
        normal = _limit(dtype, "tiny")
        low = (np.abs(value) - rounded < normal) & (size > 0)
        rounded = np.where(low, rounded + self.arithmetic.tiny(dtype), rounded)
        # An infinity is not rounded: x - inf is -inf, and certain.
        return np.where(np.isfinite(value), rounded, error)

    def _settled(
        self,
        value: Array,
        error: Array,
        doubtful: Array,
        dtype: DType,
        overflowed: Array | bool = False,
    ) -> Pair:
        """Where the type overflows, and where the value is no number."""
        error = np.asarray(error, np.float64)
        if dtype.is_float and self.arithmetic.narrow is not None:
            most = self.arithmetic.largest(dtype)
            far = np.isfinite(value) & (np.abs(value) + error > most)
            error = np.where(far | np.isnan(value), np.inf, error)
        if dtype.is_float:
            largest = _limit(dtype, "max")
            size = np.abs(value)
            finite = np.isfinite(value)
            surely = finite & (size - error > largest * (1 + dtype.unit_roundoff))
            perhaps = finite & ~surely & (size + error > largest)
            value = np.where(surely, np.copysign(np.inf, value), value)
            error = np.where(perhaps, np.inf, error)
            lost = np.where(doubtful | (error == np.inf), np.inf, 0.0)
            lost = np.where(surely | overflowed, np.maximum(lost, _OVERFLOWED), lost)
            error = np.where(np.isfinite(value), error, lost)
        return _paired(value, np.where(np.isnan(error), np.inf, error))

    def cast(self, value: Value, source: DType, target: DType) -> Value:
        if source == target:
            return value
        result = self.plain.cast(value.value, source, target)
        error = value.bound
        with np.errstate(all="ignore"):
            if target.kind == "bool":
                return _paired(result, (np.abs(value.value) <= error) & (error > 0))
            if not target.is_float:
                if source.is_float:
                    low, high = (
                        np.trunc(value.value + s * error) - np.trunc(value.value)
                        for s in (-1, 1)
                    )
                    moved = np.maximum(np.abs(low), np.abs(high))
                    moved = np.where(error > 0, moved, 0)
                    within = _fits(value.value, error, target)
                    error = np.where(within, moved, np.inf)
                return _paired(result, error)
            exact = source.is_float and source.mantissa <= target.mantissa
            exact = exact and (source.name, target.name) != ("bfloat16", "float16")
            if source.is_integer:
                # Integers below 2^mantissa are exact.
                big = np.abs(result) > 2.0**target.mantissa
                step = target.unit_roundoff * np.abs(result)
                error = error + np.where(big, step, 0)
            elif not exact and source.is_float:
                unit = target.unit_roundoff
                size = np.abs(result) + error
                low = size < _limit(target, "tiny")
                tiny = np.where(low & (size > 0), self.arithmetic.tiny(target), 0)
                rounded = error + unit * size + tiny
                error = np.where(np.isfinite(result), rounded, error)
            return self._settled(result, error, np.isinf(value.bound), target)

    def outcomes(self, condition: Value) -> tuple[Array, Array]:
        doubt = condition.bound > 0
        return condition.value | doubt, ~condition.value | doubt

    def select(self, condition: Value, yes: Value, no: Value) -> Value:
        """Where the condition is in doubt, the hull of both outcomes."""
        value = np.where(condition.value, yes.value, no.value)
        bound = np.where(condition.value, yes.bound, no.bound)
        doubt = condition.bound > 0
        if doubt.any():
            other = np.where(condition.value, no.bound, yes.bound)
            with np.errstate(all="ignore"):
                if value.dtype == np.bool_:
                    gap = (yes.value != no.value).astype(float)
                else:
                    gap = np.abs(yes.value.astype(float) - no.value.astype(float))
                    gap = np.where(yes.value == no.value, 0.0, gap)
            hull = np.maximum(bound, np.where(np.isnan(gap), np.inf, gap) + other)
            bound = np.where(doubt, hull, bound)
        return _paired(value, bound)

    def doubted(self, read: Value, indices: Sequence[Value]) -> Value:
        if not any(i.bound.any() for i in indices):
            return read
        doubt = sum((i.bound > 0).astype(float) for i in indices)
        return _paired(read.value, np.where(np.asarray(doubt) > 0, np.inf, read.bound))

    def ordered(self, values: Value) -> Value:
        # The k-th smallest moves by no more than the worst of the row.
        worst = values.bound.max(axis=-1, keepdims=True, initial=0.0)
        return _paired(values.value, worst)

    def ranked(self, values: Value, positions: Value) -> Value:
        doubt = values.bound.any(axis=-1)
        return _paired(positions.value, np.where(doubt, np.inf, 0.0))

    # --- Sums ---------------------------------------------------------------------

    def identity(self, monoid: Monoid, ndim: int) -> list[Value]:
        if not _is_sum(monoid):
            return super().identity(monoid, ndim)
        zero = self.plain.constant(0.0, monoid.state[0], ndim)
        none = np.zeros((1,) * ndim)
        return [Sums(zero, none, zero, none, monoid.state[0])]

    def lifted(
        self, monoid: Monoid, states: list[Value], within: Array | None
    ) -> list[Value]:
        if not _is_sum(monoid):
            return super().lifted(monoid, states, within)
        value = states[0].value
        bound = np.where(_overflowed(states[0]), np.inf, states[0].bound)
        count = np.ones(value.shape)
        if within is not None:
            value = np.where(within, value, np.zeros_like(value))
            bound, count = np.where(within, bound, 0), np.where(within, count, 0)
        return [Sums(value, bound, _finite_size(value), count, monoid.state[0])]

    def combine(
        self,
        monoid: Monoid,
        earlier: Sequence[Value],
        later: Sequence[Value],
        template: Template[Value],
    ) -> list[Value]:
        a, b = earlier[0], later[0]
        if not (isinstance(a, Sums) and isinstance(b, Sums)):
            return super().combine(monoid, earlier, later, template)
        return [
            Sums(
                a.value + b.value,
                a.bound + b.bound,
                a.size + b.size,
                a.count + b.count,
                a.dtype,
            )
        ]

    def reduce(
        self,
        monoid: Monoid,
        states: Sequence[Value],
        count: int,
        template: Template[Value],
    ) -> list[Value]:
        if isinstance(states[0], Sums):
            return [
                self.each(
                    states[0],
                    lambda a: np.broadcast_to(a, (*a.shape[:-1], count)).sum(axis=-1),
                )
            ]
        return super().reduce(monoid, states, count, template)

    def settled(self, monoid: Monoid, states: Sequence[Value]) -> Sequence[Value]:
        state = states[0]
        if not isinstance(state, Sums):
            return states
        with np.errstate(all="ignore"):
            value = state.value
            factor = _gamma(state.count - 1, self.arithmetic.sum_unit(state.dtype))
            # The terms as computed are larger by their own errors.
            error = state.bound + factor * (state.size + state.bound)
            if self.arithmetic.flushes:
                error = error + state.count * self.arithmetic.tiny(state.dtype)
            error = np.where(state.count > 0, error, 0)
            largest = self.arithmetic.largest(state.dtype)
            # A partial sum may overflow although the whole does not, or the other way
            # than the infinity that is among the terms.
            perhaps = state.size + error > largest
            error = np.where(perhaps, np.inf, error)
            return [self._settled(value, error, np.isinf(state.bound), state.dtype)]

    # --- Writing ------------------------------------------------------------------

    def assign(self, target: Value, points: Array, value: Value) -> None:
        target.value.reshape(-1)[points] = value.value
        target.bound.reshape(-1)[points] = value.bound

    def scatter(
        self,
        monoid: Monoid,
        target: Value,
        points: Array,
        value: Value,
        template: Template[Value],
    ) -> None:
        if not _is_sum(monoid):
            super().scatter(monoid, target, points, value, template)
            return
        total, error = target.value.reshape(-1), target.bound.reshape(-1)
        size, count = _finite_size(total).astype(np.float64), np.zeros(total.shape)
        np.add.at(total, points, value.value)
        np.add.at(error, points, np.where(_overflowed(value), np.inf, value.bound))
        np.add.at(size, points, _finite_size(value.value).astype(np.float64))
        np.add.at(count, points, 1.0)
        unit = self.arithmetic.sum_unit(monoid.state[0])
        error += np.where(count > 0, _gamma(count, unit) * (size + error), 0)
        largest = _limit(monoid.state[0], "max")
        error[(count > 0) & (size + error > largest)] = np.inf


def _fits(value: Array, error: Array, target: DType) -> Array:
    """Where an integer type surely holds a float; false for nan.

    What a conversion gives elsewhere is left open by C, NumPy, PyTorch and XLA, and
    differs between processors.
    """
    info = np.iinfo(target.numpy)
    low, high = np.trunc(value - error), np.trunc(value + error)
    return np.asarray((low >= float(info.min)) & (high < float(info.max + 1)))


# x times a function that falls to zero.
_PRODUCTS = frozenset({"silu", "gelu", "gelu_tanh"})


def _is_sum(monoid: Monoid) -> bool:
    return monoid.name == "sum" and monoid.state[0].is_float


# The bound of an infinity that finite operands gave. As a result it is certain, but in
# a sum it need not appear: a fused multiply-add does not round the product.
_OVERFLOWED = 1.0


def _overflowed(value: Value) -> Array:
    return np.asarray(np.isinf(value.value) & (value.bound > 0))


def _finite_size(value: Array) -> Array:
    """Absolute values; 0 of an infinity, which no rounding changes."""
    return np.where(np.isfinite(value), np.abs(value), 0)


def _gamma(n: Array, unit: float) -> Array:
    """Relative error of n roundings: n u / (1 - n u)."""
    n = np.maximum(n, 0)
    return np.where(n * unit < 1, n * unit / (1 - np.minimum(n * unit, 0.999)), np.inf)


def _doubt(op: str, values: Sequence[Array], bounds: Sequence[Array]) -> Array:
    """Where a comparison, test or logical operation may come out otherwise."""
    if not any(b.any() for b in bounds):
        return np.zeros(())
    if op in ("isnan", "isinf", "isfinite"):
        return np.isinf(bounds[0])
    if op == "signbit":
        return (np.abs(values[0]) <= bounds[0]) & (bounds[0] > 0)
    if op == "not":
        return bounds[0] > 0
    x, y = values
    dx, dy = bounds
    if x is y and op in ("eq", "ne"):  # the test for nan: certain where x is
        return np.isinf(dx)
    if op in ("and", "or"):
        absorbing = op == "or"
        return np.asarray(
            ((dx > 0) & ((y != absorbing) | (dy > 0)))
            | ((dy > 0) & ((x != absorbing) | (dx > 0)))
        )
    if x.dtype == np.bool_:
        return (dx > 0) | (dy > 0)
    near = np.abs(x.astype(float) - y.astype(float)) <= dx + dy
    return np.asarray((dx + dy > 0) & (near | np.isinf(dx + dy)))
