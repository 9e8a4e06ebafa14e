"""Reads turned round: from ``x[f(i)]`` with an adjoint g(i) to what x[p] gets.

``dx[p] = sum of g(i) over all i with f(i) == p``. The equations are solved for as many
of the indices as they determine; what is left of i is summed over:

* ``x[i]``: i = p, and nothing is left (maps, and the operands of contractions);
* ``x[i * stride + u * dilation - pad]``: i follows from p and u, where the division
  leaves no rest (convolution, pooling: a transposed convolution);
* ``x[n * i + u]`` with u below n: i = p // n, u = p % n (reshapes);
* ``x[i // n]``: the n values of i that lead to p (repetition);
* ``x[i % n]``: those n apart (rolling, tiling);
* ``x[ids[i], j]``, with i otherwise known: a condition, ``ids[i] == p``.

Where an equation remains that says nothing of this kind, and it holds data or cannot be
turned round, the adjoints are added where they belong, a scatter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from opslib.analysis.gradient.integers import (
    expression,
    extents_of,
    is_certain,
    is_one,
    part_of,
    polynomial,
    tidy,
)
from opslib.analysis.gradient.reverse import Contribution, Reverse, Term
from opslib.analysis.gradient.scopes import free, replaced
from opslib.ir.build import arithmetic, both, compare, select
from opslib.ir.expr import (
    ONE,
    TRUE,
    ZERO,
    Axis,
    Const,
    Expr,
    Index,
    Order,
    Prim,
    Read,
    Select,
    Size,
    transform,
)
from opslib.ir.polynomial import added, scaled


@dataclass
class Equations:
    """``place == index`` for each axis of a tensor, and what they say of the indices.

    Attributes:
        open: equations that say nothing yet.
        unknown: axes that no equation has determined, by name; in order.
        solved: what the others are, in terms of the places and of unknown ones.
        conditions: under which the solution is one.
        asked: places whose equation is such a condition.
    """

    names: Callable[[str], str]
    local: Callable[[tuple[Axis, ...], None, Callable[[Expr], Expr]], str]
    open: list[tuple[Expr, Expr]]
    unknown: dict[str, Axis]
    places: Sequence[Axis]
    solved: dict[Expr, Expr] = field(default_factory=dict)
    conditions: list[Expr] = field(default_factory=list)
    asked: set[Expr] = field(default_factory=set)

    def __post_init__(self) -> None:
        # All axes, for what is computed at all points of them.
        self.axes = {**{p.name: p for p in self.places}, **self.unknown}

    def solve(self) -> bool:
        """Solves what can be; False where an equation remains in unknown indices."""
        while any(
            rule()
            for rule in (
                self._bare,
                self._pair,
                self._one,
                self._digit,
                self._quotient,
                self._remainder,
                self._order,
                self._window,
            )
        ):
            self.open = [(p, self._now(f)) for p, f in self.open]
        left = False
        for place, index in self.open:
            if free(index) & set(self.unknown):
                left = True
            else:
                self.asked.add(place)
                self.conditions.append(compare("eq", index, place))
        return not left

    def _now(self, node: Expr) -> Expr:
        return tidy(replaced(node, self.solved, self.names))

    def _unknown_in(self, node: Expr) -> list[str]:
        inside = free(node)
        return [n for n in self.unknown if n in inside]

    def _set(self, name: str, value: Expr) -> None:
        """One index is known; it must lie in its range."""
        axis = self.unknown.pop(name)
        known: dict[Expr, Expr] = {Index(name): value}
        self.solved = {
            k: tidy(replaced(v, known, self.names)) for k, v in self.solved.items()
        }
        self.solved[Index(name)] = value
        self.conditions.append(compare("ge", value, axis.start))
        self.conditions.append(compare("lt", value, axis.stop))

    def _bare(self) -> bool:
        for k, (place, index) in enumerate(self.open):
            if isinstance(index, Index) and index.name in self.unknown:
                del self.open[k]
                self._set(index.name, place)
                return True
        return False

    def _pair(self) -> bool:
        """``x[i // n, i % n]``: i = n p + q."""
        for place, index in self.open:
            if not (isinstance(index, Prim) and index.op == "floordiv"):
                continue
            for other, rest in self.open:
                if (
                    isinstance(rest, Prim)
                    and rest.op == "mod"
                    and (rest.args == index.args)
                ):
                    if not self._unknown_in(index.args[0]):
                        continue
                    self.open.remove((place, index))
                    self.open.remove((other, rest))
                    flat = arithmetic("mul", place, index.args[1])
                    whole = tidy(arithmetic("add", flat, other))
                    self.open.append((whole, index.args[0]))
                    return True
        return False

    def _one(self) -> bool:
        """One unknown index, plus or minus something."""
        for k, (place, index) in enumerate(self.open):
            names = self._unknown_in(index)
            if len(names) == 1 and self._take(k, place, index, names[0], True):
                return True
        return False

    def _digit(self) -> bool:
        """``x[n * i + u]`` with u in 0..n: its last digit."""
        for k, (place, index) in enumerate(self.open):
            for name in self._unknown_in(index):
                axis = self.unknown[name]
                parts = part_of(index, name)
                if axis.start is not ZERO or parts is None or is_one(parts[0]) != 1:
                    continue
                rest = _divided(expression(parts[1]), axis.stop)
                if rest is None or not self._unknown_in(rest):
                    continue
                self.open[k] = (arithmetic("floordiv", place, axis.stop), rest)
                self._set(name, arithmetic("mod", place, axis.stop))
                return True
        return False

    def _quotient(self) -> bool:
        """``x[i // n]``: n values of i."""
        for k, (place, index) in enumerate(self.open):
            if not (isinstance(index, Prim) and index.op == "floordiv"):
                continue
            inner, n = index.args
            if self._unknown_in(n) or not self._unknown_in(inner):
                continue
            digit = Axis(self.names("u"), ZERO, n)
            self.unknown[digit.name] = digit
            whole = arithmetic("add", arithmetic("mul", place, n), digit.index)
            # The new axis is summed over: it must not be what is solved for.
            for name in self._unknown_in(inner):
                if self._take(k, tidy(whole), inner, name, True):
                    return True
            del self.unknown[digit.name]
        return False

    def _remainder(self) -> bool:
        """``x[i % n]``: every n-th value of i."""
        for k, (place, index) in enumerate(self.open):
            if not (isinstance(index, Prim) and index.op == "mod"):
                continue
            inner, n = index.args
            names = self._unknown_in(inner)
            if len(names) != 1 or self._unknown_in(n):
                continue
            axis = self.unknown[names[0]]
            parts = part_of(inner, names[0])
            if parts is None or is_one(parts[0]) != 1 or axis.start is not ZERO:
                continue
            first = place
            if parts[1]:
                back = arithmetic("sub", place, expression(parts[1]))
                first = arithmetic("mod", tidy(back), n)
            del self.open[k]
            if axis.stop is n:
                self._set(names[0], first)
                return True
            above = arithmetic("sub", arithmetic("add", axis.stop, n), ONE)
            turn = Axis(self.names("u"), ZERO, arithmetic("floordiv", above, n))
            self.unknown[turn.name] = turn
            turns = arithmetic("mul", turn.index, n)
            self._set(names[0], tidy(arithmetic("add", first, turns)))
            return True
        return False

    def _order(self) -> bool:
        """``x[argsort[j](v[j], i)]``: i is where that permutation has p."""
        for k, (place, index) in enumerate(self.open):
            if not (isinstance(index, Order) and index.output == 1):
                continue
            at = index.at
            if not isinstance(at, Index) or at.name not in self.unknown:
                continue
            whole = Order(index.axis, index.value, at, index.descending, 1)
            axis = index.axis
            others = free(whole) - {at.name}
            if axis.start is not ZERO or not others <= set(self.axes):
                continue
            # The permutation as a whole, though only some of it may be asked for.
            every = Axis(self.names(at.name), ZERO, axis.stop)
            own = tuple(self.axes[n] for n in self.axes if n in others)
            moved = replaced(whole, {at: every.index}, self.names)
            name = self.local((*own, every), None, lambda _, v=moved: v)  # type: ignore[misc]
            one = Axis(self.names(at.name), ZERO, axis.stop)
            there = (*(a.index for a in own), one.index)
            read = Read(name, tuple(self._now(i) for i in there), index.dtype)
            del self.open[k]
            self._set(at.name, Order(one, read, place, False, 1))
            return True
        return False

    def _window(self) -> bool:
        """``x[stride * i + u - pad]``: i follows from u; the first is solved for."""
        for k, (place, index) in enumerate(self.open):
            for name in self._unknown_in(index):
                if self._take(k, place, index, name, False):
                    return True
        return False

    def _take(
        self, k: int, place: Expr, index: Expr, name: str, only_one: bool
    ) -> bool:
        """Solves an equation for an index that it is linear in."""
        parts = part_of(index, name)
        if parts is None or not parts[0]:
            return False
        factor, rest = parts
        size = expression(factor)
        if self._unknown_in(size):
            return False
        sign = is_one(factor)
        if only_one and not sign:
            return False
        left = added(polynomial(place), scaled(rest, -1))
        if sign:
            value = expression(scaled(left, sign))
        else:
            top = expression(left)
            value = arithmetic("floordiv", top, size)
            self.conditions.append(compare("eq", arithmetic("mod", top, size), ZERO))
        del self.open[k]
        self._set(name, value)
        return True


def _divided(node: Expr, by: Expr) -> Expr | None:
    """`node` over a size that divides every term of it; None where it does not."""
    found = {}
    for atoms, coefficient in polynomial(node).items():
        if isinstance(by, Size) and by in atoms:
            rest = list(atoms)
            rest.remove(by)
            found[tuple(rest)] = coefficient
        else:
            number = polynomial(by)
            divisor = number.get((), 0) if set(number) == {()} else 0
            if not divisor or coefficient % divisor:
                factors = [a for a in atoms if a is by]
                if not factors:
                    return None
                rest = list(atoms)
                rest.remove(by)
                found[tuple(rest)] = coefficient
            else:
                found[atoms] = coefficient // divisor
    return expression(found)


@dataclass(frozen=True, slots=True)
class Scattered:
    """Adjoints that are added at places that only they know."""

    axes: tuple[Axis, ...]
    indices: tuple[Expr, ...]
    value: Expr


def turned(
    c: Contribution, places: Sequence[Axis], reverse: Reverse
) -> Expr | Scattered:
    """What the element at `places` gets from a contribution, or the scatter it needs.

    Args:
        c: the contribution.
        places: an axis for each axis of the tensor.
        reverse: for sums and names.
    """
    term = c.term
    equations = Equations(
        reverse.names,
        reverse.local,
        [(p.index, tidy(i)) for p, i in zip(places, c.indices, strict=True)],
        {a.name: a for a in term.axes},
        places,
    )
    if not equations.solve():
        return scattered(c, reverse)
    # What was solved for leads back to the place itself: said, not computed again.
    back = {
        tidy(i): p.index
        for p, i in zip(places, c.indices, strict=True)
        if not isinstance(i, Index | Const) and p.index not in equations.asked
    }
    known = {**back, **equations.solved}
    rest = tuple(_moved(a, known, reverse) for a in equations.unknown.values())
    # Ranges first: the guards of a place may be read only where the place exists.
    conditions = [
        tidy(reverse.replaced(g, known)) for g in (*equations.conditions, *term.guards)
    ]
    extents = extents_of((*places, *rest))
    kept: list[Expr] = []
    for condition in dict.fromkeys(conditions):
        if not is_certain(condition, extents, kept):
            kept.append(condition)
    value = settled(tidy(reverse.replaced(term.value, known)), extents)
    whole = Term((*places, *rest), tuple(kept), reverse.products.tidy(value))
    found = reverse.lowered(whole, frozenset(p.name for p in places))
    return reverse.guarded(found.value, found.guards)


def settled(root: Expr, extents: Mapping[str, Expr]) -> Expr:
    """`root` without tests that are proven to hold at every point of the places."""

    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Select):
            return None
        condition: Expr = TRUE
        for part in conjuncts(node.condition):
            if not is_certain(part, extents):
                condition = both(condition, part)
        return select(condition, node.yes, node.no)

    return transform(root, rule)


def conjuncts(condition: Expr) -> list[Expr]:
    """The conditions that a condition is the conjunction of."""
    if isinstance(condition, Prim) and condition.op == "and":
        return [c for a in condition.args for c in conjuncts(a)]
    return [condition]


def _moved(axis: Axis, known: dict[Expr, Expr], reverse: Reverse) -> Axis:
    start, stop = (
        reverse.replaced(axis.start, known),
        reverse.replaced(axis.stop, known),
    )
    bound = None if axis.bound is None else reverse.replaced(axis.bound, known)
    return Axis(axis.name, tidy(start), tidy(stop), bound)


def scattered(c: Contribution, reverse: Reverse) -> Scattered:
    """The contribution as it is. Where a guard fails, 0 is added at the first place."""
    needed = frozenset().union(*(free(i) for i in c.indices))
    term = reverse.lowered(c.term, needed)
    value = reverse.guarded(term.value, term.guards)
    extents = extents_of(term.axes)
    indices = []
    for index in c.indices:
        index = tidy(index)
        inside = [g for g in term.guards if not is_certain(g, extents)]
        for g in inside:
            index = select(g, index, ZERO)
        indices.append(index)
    return Scattered(term.axes, tuple(indices), value)


def everywhere(c: Contribution, places: Sequence[Axis], reverse: Reverse) -> Expr:
    """What an element gets, looked for at every point: for what cannot be scattered."""
    equal = [
        compare("eq", tidy(i), p.index) for p, i in zip(places, c.indices, strict=True)
    ]
    whole = Term((*places, *c.term.axes), (*c.term.guards, *equal), c.term.value)
    found = reverse.lowered(whole, frozenset(p.name for p in places))
    return reverse.guarded(found.value, found.guards)
