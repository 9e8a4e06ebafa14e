"""Reverse mode over one expression: from the adjoint of a value to those of its reads.

A node's adjoint is a list of terms. A term lives on index axes (those of the definition
and of the folds around the node), and under guards: the conditions of the lazy choices
on the way, without which what it reads need not exist. What arrives at a node that
depends on fewer axes is summed over the others there and then, so that the mean of a
row gets one adjoint for the row and not one for each element.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from opslib.analysis.gradient import rules
from opslib.analysis.gradient.integers import tidy
from opslib.analysis.gradient.products import Products
from opslib.analysis.gradient.scopes import free, replaced
from opslib.ir.build import (
    arithmetic,
    both,
    cast,
    compare,
    either,
    integer,
    negation,
    select,
)
from opslib.ir.dtypes import compute_type
from opslib.ir.expr import (
    FALSE,
    TRUE,
    ZERO,
    Axis,
    Cast,
    Const,
    Expr,
    Fold,
    Index,
    Order,
    Prim,
    Read,
    Scan,
    Select,
    is_const,
    walk,
)
from opslib.ir.monoid import count_of, sum_of


class NoGradient(Exception):
    """There is no rule for what an operator computes; the message says for what."""


@dataclass(frozen=True, slots=True)
class Term:
    """A part of an adjoint: `value` at the points of `axes` where the guards hold."""

    axes: tuple[Axis, ...]
    guards: tuple[Expr, ...]
    value: Expr


@dataclass(frozen=True, slots=True)
class Contribution:
    """What an element of a tensor gets: ``tensor[indices] += term``."""

    tensor: str
    indices: tuple[Expr, ...]
    term: Term


@dataclass
class Reverse:
    """The walk, and what it shares among all definitions of a program.

    Attributes:
        active: tensors that want an adjoint.
        stops: nodes that carry none (pivots).
        products: the normal form of adjoints.
        local: adds a tensor and gives its name: (axes, along, value). Along an axis it
            is a recurrence, and value a function of the read of the next element.
        names: gives an index name that is not used yet.
    """

    active: Collection[str]
    stops: Collection[Expr]
    products: Products
    local: Callable[[tuple[Axis, ...], Axis | None, Callable[[Expr], Expr]], str]
    names: Callable[[str], str]
    found: list[Contribution] = field(default_factory=list)

    def run(self, root: Expr, term: Term) -> None:
        """Adds what the reads below `root` get, whose adjoint is `term`."""
        order = list(walk(root))
        wants = self._wanting(order)
        if not wants[root]:
            return
        terms: dict[Expr, list[Term]] = {root: [term]}
        for node in reversed(order):
            for t in self._merged(terms.pop(node, [])):
                self._step(node, t, wants, terms)

    def _wanting(self, order: Sequence[Expr]) -> dict[Expr, bool]:
        """Which nodes have a read below them that wants an adjoint."""
        wants: dict[Expr, bool] = {}
        for node in order:
            match node:
                case Read(tensor):
                    wants[node] = tensor in self.active and node.dtype.is_float
                case Select(_, yes, no):
                    wants[node] = wants[yes] or wants[no]
                case Order(_, value, _, _, output):
                    wants[node] = output == 0 and wants[value]
                case Prim(op, args) if rules.RULES.get(op) is not rules.RULES["sign"]:
                    wants[node] = node.dtype.is_float and any(wants[a] for a in args)
                case Cast(value):
                    wants[node] = node.dtype.is_float and wants[value]
                case Fold(_, _, args) | Scan(_, _, args):
                    wants[node] = node.dtype.is_float and any(wants[a] for a in args)
                case _:
                    wants[node] = False
            if node in self.stops:
                wants[node] = False
        return wants

    def replaced(self, root: Expr, mapping: Mapping[Expr, Expr]) -> Expr:
        """Free nodes of `root` replaced."""
        return replaced(root, mapping, self.names)

    # --- terms ---------------------------------------------------------------------

    def _deposit(self, node: Expr, term: Term, terms: dict[Expr, list[Term]]) -> None:
        """Adds to a node's adjoint, summed over the axes it does not depend on."""
        if not is_const(term.value, 0):
            terms.setdefault(node, []).append(self.lowered(term, free(node)))

    def lowered(self, term: Term, needed: frozenset[str]) -> Term:
        """The term summed over all axes that `needed` indices do not depend on."""
        kept: list[Axis] = []
        for axis in reversed(term.axes):
            if axis.name in needed:
                kept.append(axis)
                needed = needed | free(axis)
        summed = tuple(a for a in term.axes if a not in kept)
        if not summed:
            return term
        names = {a.name for a in summed}
        inner = [g for g in term.guards if free(g) & names]
        outer = tuple(g for g in term.guards if g not in inner)
        value = self.guarded(term.value, inner)
        return Term(tuple(reversed(kept)), outer, self.products.folded(summed, value))

    def guarded(self, value: Expr, guards: Sequence[Expr]) -> Expr:
        """The value where all guards hold, else 0.

        Tests of indices come first, as one; a test that reads elsewhere than at plain
        indices is asked only where those before it hold.
        """
        stages: list[Expr] = []
        for g in sorted(guards, key=_reads_elsewhere):
            if stages and not _reads_elsewhere(g):
                stages[-1] = both(stages[-1], g)
            else:
                stages.append(g)
        for condition in reversed(stages):
            value = select(condition, value, Const(0.0, value.dtype))
        return value

    def _merged(self, terms: list[Term]) -> list[Term]:
        """Terms on the same axes as one, where one of them holds wherever others do."""
        groups: dict[tuple[Axis, ...], list[Term]] = {}
        for t in terms:
            groups.setdefault(t.axes, []).append(t)
        found: list[Term] = []
        for axes, group in groups.items():
            same: dict[tuple[Expr, ...], list[Expr]] = {}
            for t in group:
                same.setdefault(t.guards, []).append(t.value)
            summed = {g: self.products.plus(*v) for g, v in same.items()}
            least = min(summed, key=len)
            if all(set(least) <= set(g) for g in summed):
                parts = [
                    self.guarded(v, [c for c in g if c not in least])
                    for g, v in summed.items()
                ]
                found.append(Term(axes, least, self.products.plus(*parts)))
            else:
                found += [Term(axes, g, v) for g, v in summed.items()]
        return found

    # --- nodes ---------------------------------------------------------------------

    def _step(
        self,
        node: Expr,
        t: Term,
        wants: dict[Expr, bool],
        terms: dict[Expr, list[Term]],
    ) -> None:
        """Hands the adjoint of a node on to its operands."""
        match node:
            case Read(tensor, indices):
                self.found.append(Contribution(tensor, indices, t))
            case Cast(value):
                given = cast(t.value, compute_type(value.dtype))
                self._deposit(value, Term(t.axes, t.guards, given), terms)
            case Select(condition, yes, no):
                for branch, guard in ((yes, condition), (no, _opposite(condition))):
                    guards = _with(t, guard)
                    if wants[branch] and guards is not None:
                        self._deposit(branch, Term(t.axes, guards, t.value), terms)
            case Prim(op, args):
                wanted = [wants[a] for a in args]
                if op in rules.UNDEFINED:
                    raise NoGradient(f"{op}: {rules.UNDEFINED[op]}")
                adjoints = rules.derivative(node, t.value, wanted, self.products)
                for arg, g in zip(args, adjoints, strict=True):
                    if g is not None and wants[arg]:
                        self._deposit(arg, Term(t.axes, t.guards, g), terms)
            case Fold():
                self._fold(node, t, terms)
            case Scan():
                self._scan(node, t, terms)
            case Order():
                # The place it comes from gets all of it.
                there = Order(node.axis, node.value, node.at, node.descending, 1)
                value = self.replaced(node.value, {node.axis.index: there})
                self.run(value, t)
            case _:
                raise NoGradient(f"no rule for a {type(node).__name__}")

    def _fold(self, fold: Fold, t: Term, terms: dict[Expr, list[Term]]) -> None:
        name = fold.monoid.name
        arg = fold.args[0]
        g = t.value
        node: Expr = fold
        if name != "sum":
            node = self._named(fold, t)
            g = self.products.tidy(self.replaced(g, {fold: node}))
        match name:
            case "sum":
                value = g
            case "prod":
                others = self._others(fold)
                whole = self.products.over(self.products.times(g, node), arg)
                without = self.products.times(g, others)
                value = select(compare("ne", arg, _zero(arg)), whole, without)
            case "max" | "min":
                value = self._extreme(fold, node, g, t)
            case _:
                raise NoGradient(f"no rule for a fold by {name}")
        self._deposit(arg, Term(t.axes + fold.axes, t.guards, value), terms)

    def _named(self, node: Expr, t: Term) -> Expr:
        """A read of a new local, so that a whole fold is not computed at every element.

        Not under guards: without them it need not exist.
        """
        own = tuple(a for a in t.axes if a.name in free(node))
        if t.guards or any(free(a) or a.start is not ZERO for a in own):
            return node
        name = self.local(own, None, lambda _: node)
        return Read(name, tuple(a.index for a in own), node.dtype)

    def _extreme(self, fold: Fold, node: Expr, g: Expr, t: Term) -> Expr:
        """All that are the largest share alike."""
        arg = fold.args[0]
        again = self._renamed(fold.axes)
        there = self.replaced(arg, {a.index: b.index for a, b in again})
        axes = tuple(b for _, b in again)
        ties = Fold(count_of(), axes, (compare("eq", there, node),))
        share = self.products.over(g, cast(ties, g.dtype))
        share = self._named(share, t)
        return select(compare("eq", arg, node), share, _zero(g))

    def _others(self, node: Fold) -> Expr:
        """The product of all arguments but the one at the fold's own indices."""
        again = self._renamed(node.axes)
        there = self.replaced(node.args[0], {a.index: b.index for a, b in again})
        differs: Expr = FALSE
        for a, b in again:
            differs = either(differs, compare("ne", b.index, a.index))
        value = select(differs, there, Const(1.0, there.dtype))
        return Fold(node.monoid, tuple(b for _, b in again), (value,))

    def _renamed(self, axes: Sequence[Axis]) -> list[tuple[Axis, Axis]]:
        """The axes with others of the same ranges."""
        made: list[tuple[Axis, Axis]] = []
        for a in axes:
            known: dict[Expr, Expr] = {x.index: y.index for x, y in made}
            start, stop = self.replaced(a.start, known), self.replaced(a.stop, known)
            made.append((a, Axis(self.names(a.name), start, stop, a.bound)))
        return made

    # --- running folds -------------------------------------------------------------

    def _scan(self, node: Scan, t: Term, terms: dict[Expr, list[Term]]) -> None:
        axis, arg = node.axis, node.args[0]
        along = next((a for a in t.axes if a.index is node.at), None)
        if along is None or (along.start, along.stop) != (axis.start, axis.stop):
            self._scan_anywhere(node, t, terms)
            return
        g = self.guarded(t.value, [g for g in t.guards if along.name in free(g)])
        guards = tuple(g for g in t.guards if along.name not in free(g))
        axes = tuple(axis if a is along else a for a in t.axes)
        if node.monoid.name == "sum":
            value = self._reversed_sum(axis, g, along)
        else:
            value = self._carried(node, g, along, t.axes)
        self._deposit(arg, Term(axes, guards, value), terms)

    def _reversed_sum(self, axis: Axis, g: Expr, along: Axis) -> Expr:
        """The sum of all adjoints from a place on: a running sum from the end."""
        inner = Axis(self.names(axis.name), axis.start, axis.stop)
        mirrored = tidy(self.replaced(g, {along.index: _mirrored(axis, inner.index)}))
        at = _mirrored(axis, axis.index)
        return Scan(sum_of(g.dtype), inner, (mirrored,), at)

    def _carried(
        self, node: Scan, g: Expr, along: Axis, axes: tuple[Axis, ...]
    ) -> Expr:
        """Running product and extremes: a carry walks back along the axis.

        ``h[t] = g[t] + f[t + 1] h[t + 1]``, where f is how the running value at t + 1
        depends on the one before it. Of equals, the first keeps the maximum.
        """
        name, axis, arg, here = node.monoid.name, node.axis, node.args[0], along.index

        def at(root: Expr, place: Expr) -> Expr:
            return tidy(self.replaced(root, {axis.index: place}))

        def running(place: Expr) -> Expr:
            return Scan(node.monoid, axis, node.args, tidy(place))

        after = arithmetic("add", here, integer(1))
        if name == "prod":

            def carry(next_one: Expr) -> Expr:
                return self.products.times(at(arg, after), next_one)

        elif name in ("max", "min"):
            keeps = "ge" if name == "max" else "le"

            def carry(next_one: Expr) -> Expr:
                stays = compare(keeps, running(here), at(arg, after))
                return select(stays, next_one, _zero(g))

        else:
            raise NoGradient(f"no rule for a running fold by {name}")

        def value(next_one: Expr) -> Expr:
            inside = compare("lt", after, axis.stop)
            return self.products.plus(g, select(inside, carry(next_one), _zero(g)))

        local = self.local(axes, along, value)
        place = tuple(axis.index if a is along else a.index for a in axes)
        carried = Read(local, place, g.dtype)
        before = running(arithmetic("sub", axis.index, integer(1)))
        first = compare("le", axis.index, axis.start)
        if name == "prod":
            one = Const(1.0, g.dtype)
            return self.products.times(carried, select(first, one, before))
        beats = compare("gt" if name == "max" else "lt", arg, before)
        return select(first, carried, select(beats, carried, _zero(g)))

    def _scan_anywhere(
        self, node: Scan, t: Term, terms: dict[Expr, list[Term]]
    ) -> None:
        """A running sum at any place: every element up to it gets the adjoint."""
        if node.monoid.name != "sum":
            raise NoGradient(f"no rule for a running {node.monoid.name} out of order")
        upto = compare("le", node.axis.index, node.at)
        guards = (*t.guards, upto)
        term = Term((*t.axes, node.axis), guards, t.value)
        self._deposit(node.args[0], term, terms)


def _reads_elsewhere(condition: Expr) -> bool:
    """Whether a test reads a tensor at computed places."""
    return any(
        not isinstance(i, Index)
        for n in walk(condition)
        if isinstance(n, Read)
        for i in n.indices
    )


def _with(t: Term, guard: Expr) -> tuple[Expr, ...] | None:
    """The guards of a term and one more; None where they exclude each other."""
    if guard is TRUE or guard in t.guards:
        return t.guards
    if guard is FALSE or _opposite(guard) in t.guards:
        return None
    return (*t.guards, guard)


def _opposite(condition: Expr) -> Expr:
    """Its negation; of ``x == y`` it is ``x != y``, for fractions and nan too."""
    if isinstance(condition, Prim) and condition.op in ("eq", "ne"):
        other = "ne" if condition.op == "eq" else "eq"
        return Prim(other, condition.args, condition.type)
    return negation(condition)


def _zero(node: Expr) -> Const:
    return Const(0.0, node.dtype)


def _mirrored(axis: Axis, at: Expr) -> Expr:
    last = arithmetic("sub", axis.stop, integer(1))
    return arithmetic("sub", arithmetic("add", axis.start, last), at)
