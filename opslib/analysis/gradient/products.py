"""Sums of products in one form, so that a derivative reads as a person writes it.

An adjoint is a sum of products of forward values. Here equal terms are added up, powers
collected, factors that all terms share taken out, and factors that do not depend on a
fold's axes taken out of the fold. Sums that the spec itself wrote, such as ``x - m``,
are kept whole: they are `given`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Sequence

from opslib.ir.build import cast, extent, power, product, select
from opslib.ir.dtypes import DType
from opslib.ir.expr import (
    Axis,
    Const,
    Expr,
    Fold,
    Prim,
    Select,
    free_indices,
    is_const,
)
from opslib.ir.monoid import sum_of

# A product: factors with their powers (in the order in which they were met).
Factors = tuple[tuple[Expr, int], ...]
# A sum of them, each with its coefficient.
Terms = list[tuple[float, Factors]]


class Products:
    """The rewriting, for one program.

    Args:
        given: sums and negations of the forward program, which stay whole.
        vanishes: whether a sum over axes is known to be 0.
    """

    def __init__(
        self,
        given: Container[Expr],
        vanishes: Callable[[Sequence[Axis], Expr], bool] = lambda axes, value: False,
    ) -> None:
        self._given = given
        self._vanishes = vanishes
        self._known: dict[Expr, Expr] = {}

    # --- building ------------------------------------------------------------------

    def times(self, *factors: Expr) -> Expr:
        """A product."""
        result = factors[0]
        for f in factors[1:]:
            result = Prim("mul", (result, f), result.dtype)
        return self.tidy(result)

    def over(self, top: Expr, bottom: Expr) -> Expr:
        """A quotient."""
        return self.tidy(Prim("div", (top, bottom), top.dtype))

    def minus(self, value: Expr) -> Expr:
        """A negation."""
        return self.tidy(Prim("neg", (value,), value.dtype))

    def plus(self, *values: Expr) -> Expr:
        """A sum; of choices under one condition a choice of sums."""
        result: Expr | None = None
        for v in self._chosen(values):
            result = v if result is None else Prim("add", (result, v), v.dtype)
        assert result is not None
        return self.tidy(result)

    def _chosen(self, values: Sequence[Expr]) -> list[Expr]:
        """Values of which those that are 0 under one condition are added up."""
        groups: dict[Expr, list[Expr]] = {}
        found: list[Expr] = []
        for v in values:
            if isinstance(v, Select) and is_const(v.no, 0):
                groups.setdefault(v.condition, []).append(v.yes)
            else:
                found.append(v)
        for condition, parts in groups.items():
            total = self.plus(*parts) if len(parts) > 1 else parts[0]
            found.append(select(condition, total, Const(0.0, total.dtype)))
        return found

    def folded(self, axes: Sequence[Axis], value: Expr) -> Expr:
        """The sum of `value` over `axes`, without what does not depend on them."""
        names = {a.name for a in axes}
        if isinstance(value, Select) and is_const(value.no, 0):
            common, inner = self._split(value.yes, names)
            if inner is not None and not is_const(inner, 1):
                value = Select(value.condition, inner, value.no)
                return self._joined(common, _sum(axes, value))
            return _sum(axes, value)
        common, rest = self._split(value, names)
        if rest is None:
            if any(free_indices(e) & names for a in axes for e in (a.start, a.stop)):
                one = Const(1.0, value.dtype)
                return self._joined(common, _sum(axes, one))
            count = cast(product([extent(a) for a in axes]), value.dtype)
            return self._joined(common, count)
        if self._vanishes(axes, rest):
            return Const(0.0, value.dtype)
        return self._joined(common, _sum(axes, rest))

    def _split(self, value: Expr, names: set[str]) -> tuple[list[Expr], Expr | None]:
        """Factors without the indices, and the rest (None: there is nothing left)."""
        terms = self._terms(value)
        shared, rest = _common(terms)
        free = [(a, e) for a, e in shared if not free_indices(a) & names]
        bound = tuple((a, e) for a, e in shared if free_indices(a) & names)
        dtype = value.dtype
        if len(rest) == 1:
            coefficient, factors = rest[0]
            assert not factors
            common = [self._product(coefficient, tuple(free), dtype)]
            left = self._product(1.0, bound, dtype) if bound else None
            return common, left
        inner = [(c, _joined_factors(bound, f)) for c, f in rest]
        return [self._product(1.0, tuple(free), dtype)], self._sum(inner, dtype)

    def _joined(self, factors: list[Expr], value: Expr) -> Expr:
        return self.times(*factors, value)

    # --- the normal form -----------------------------------------------------------

    def tidy(self, node: Expr) -> Expr:
        """`node`, a sum of products, in the form of this module."""
        found = self._known.get(node)
        if found is None:
            found = self._sum(self._terms(node), node.dtype)
            self._known[node] = found
            self._known[found] = found
        return found

    def _terms(self, node: Expr) -> Terms:
        if not node.dtype.is_float:
            return [(1.0, ((node, 1),))]
        match node:
            case Const(value) if math.isfinite(value):
                return [(float(value), ())] if value else []
            case Prim("neg", (value,)) if node not in self._given:
                return [(-c, f) for c, f in self._terms(value)]
            case Prim("add" | "sub" as op, (left, right)) if node not in self._given:
                sign = 1.0 if op == "add" else -1.0
                right_terms = [(sign * c, f) for c, f in self._terms(right)]
                return _merged([*self._terms(left), *right_terms])
            case Prim("mul", (left, right)):
                x, y = self._one(left), self._one(right)
                if x is None or y is None:
                    return []
                return [(x[0] * y[0], _joined_factors(x[1], y[1]))]
            case Prim("div", (left, right)):
                x, y = self._one(left), self._one(right)
                if x is None:
                    return []
                if y is None or y[0] == 0 or not _is_power_of_two(y[0]):
                    return [(x[0], _joined_factors(x[1], ((right, -1),)))]
                below = tuple((a, -e) for a, e in y[1])
                return [(x[0] / y[0], _joined_factors(x[1], below))]
        return [(1.0, ((node, 1),))]

    def _one(self, node: Expr) -> tuple[float, Factors] | None:
        """`node` as one product; a sum is taken apart into shared factors and itself.

        None stands for zero.
        """
        terms = self._terms(node)
        if not terms:
            return None
        if len(terms) == 1:
            return terms[0]
        shared, rest = _common(terms)
        atom = self._sum(rest, node.dtype)
        return 1.0, _joined_factors(shared, ((atom, 1),))

    def _sum(self, terms: Terms, dtype: DType) -> Expr:
        if not terms:
            return Const(0.0, dtype)
        shared, rest = _common(terms)
        if len(rest) == 1:
            coefficient, factors = rest[0]
            return self._product(coefficient, _joined_factors(shared, factors), dtype)
        scale = _common_coefficient(rest)
        rest = [(c / scale, f) for c, f in rest]
        total: Expr | None = None
        for coefficient, factors in sorted(rest, key=lambda term: term[0] < 0):
            part = self._product(abs(coefficient), factors, dtype)
            if total is None:
                total = part if coefficient > 0 else _negative(part)
            else:
                total = Prim(
                    "add" if coefficient > 0 else "sub", (total, part), part.dtype
                )
        assert total is not None
        if not shared and scale == 1:
            return total
        self._known[total] = total
        return self._product(scale, (*shared, (total, 1)), dtype)

    def _product(self, coefficient: float, factors: Factors, dtype: DType) -> Expr:
        factors = _with_means(factors)
        top = [_power(a, e) for a, e in factors if e > 0]
        below = [_power(a, -e) for a, e in factors if e < 0]
        size = abs(coefficient)
        if not top:
            top = [Const(size, dtype)]
        elif size < 1 and _is_power_of_two(size):
            below.insert(0, Const(1 / size, dtype))
        elif size != 1:
            top.insert(0, Const(size, dtype))
        result = _multiplied(top)
        if below:
            result = Prim("div", (result, _multiplied(below)), result.dtype)
        return _negative(result) if coefficient < 0 else result


def _multiplied(factors: Sequence[Expr]) -> Expr:
    result = factors[0]
    for f in factors[1:]:
        result = Prim("mul", (result, f), result.dtype)
    return result


def _with_means(factors: Factors) -> Factors:
    """A sum, divided by how many it is of, as one factor: a mean."""
    powers = dict(factors)
    for atom, exponent in factors:
        if isinstance(atom, Fold) and exponent == 1 and atom.monoid.name == "sum":
            count = cast(product([extent(a) for a in atom.axes]), atom.dtype)
            if powers.get(count, 0) < 0:
                powers[count] += 1
                mean = Prim("div", (atom, count), atom.dtype)
                powers = {mean if a is atom else a: e for a, e in powers.items()}
    return tuple((a, e) for a, e in powers.items() if e)


def _power(atom: Expr, exponent: int) -> Expr:
    if exponent == 1:
        return atom
    return power(atom, Const(float(exponent), atom.dtype))


def _negative(node: Expr) -> Expr:
    if isinstance(node, Const):
        return Const(-float(node.value), node.type)
    return Prim("neg", (node,), node.dtype)


def _is_power_of_two(value: float) -> bool:
    return value != 0 and math.frexp(abs(value))[0] == 0.5


def _sum(axes: Sequence[Axis], value: Expr) -> Expr:
    return Fold(sum_of(value.dtype), tuple(axes), (value,))


def _joined_factors(x: Factors, y: Factors) -> Factors:
    found = dict(x)
    for atom, exponent in y:
        found[atom] = found.get(atom, 0) + exponent
    return tuple((a, e) for a, e in found.items() if e)


def _merged(terms: Terms) -> Terms:
    """Terms of the same factors added up."""
    found: dict[frozenset[tuple[Expr, int]], tuple[float, Factors]] = {}
    for coefficient, factors in terms:
        key = frozenset(factors)
        before = found.get(key)
        total = coefficient + (before[0] if before else 0.0)
        found[key] = (total, before[1] if before else factors)
    return [term for term in found.values() if term[0]]


def _common(terms: Terms) -> tuple[Factors, Terms]:
    """The factors that all terms share, and the terms without them."""
    if not terms:
        return (), terms
    shared = dict(terms[0][1])
    for _, factors in terms[1:]:
        powers = dict(factors)
        kept = {}
        for atom, exponent in shared.items():
            other = powers.get(atom, 0)
            if exponent > 0 and other > 0:
                kept[atom] = min(exponent, other)
            elif exponent < 0 and other < 0:
                kept[atom] = max(exponent, other)
        shared = kept
    common = tuple(shared.items())
    inverse = tuple((a, -e) for a, e in common)
    return common, [(c, _joined_factors(f, inverse)) for c, f in terms]


def _common_coefficient(terms: Terms) -> float:
    """A number to take out: where all are the same, or negative."""
    sizes = {abs(c) for c, _ in terms}
    size = sizes.pop() if len(sizes) == 1 else 1.0
    return -size if all(c < 0 for c, _ in terms) else size
