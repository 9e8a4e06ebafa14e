"""Online softmax, derived: sums of exponentials in one pass, with a running pivot.

A fold ``sum_j exp(a_j - c) g_j`` whose c is free of j equals ``exp(m - c) * s`` with
m = max_j a_j and s = sum_j exp(a_j - m) g_j, and (m, s) is the state of a monoid: two
parts join by ``m = max(m1, m2)``, ``s = s1 exp(m1 - m) + s2 exp(m2 - m)``. So softmax,
logsumexp and attention need one pass over j, whatever j-free c they subtract.

Infinite pivots. Tried naively, two fully masked parts give exp(-inf - -inf) = nan,
which poisons the valid ones. The pivot that is subtracted is therefore m clamped to
finite numbers, and everything follows from ordinary arithmetic:

* a part that is all -inf has exponentials exp(-inf + huge) = 0, so s = 0, and its
  factor exp(-huge - m) is 0 beside a finite m;
* a_j = +inf gives exp(inf - huge) = inf, as in exp(inf - c); terms beside it vanish;
* finishing, exp(clamp(m) - c) is 1 when c = m is finite, and for c = m = -inf it is
  exp(inf) = inf, so inf * 0 = nan: the softmax of a row of all -inf is nan, as the
  spec's own formula says, and logsumexp (c = 0 there) gives log(0) = -inf.
* g_j that is nan or inf behind a weight of 0 stays nan, as in the formula.

One difference is left, where c = -inf lies below m: the formula's masked terms are then
exp(-inf - -inf) = nan, and here they are 0 beside the infinite others. No softmax has
such a pivot.

j-free factors leave the fold; the rest of the expression is kept as `Online.finish`.

The axis may have ends that are read (a sequence's), or be the product of such an axis
with dense ones (pages and the places in a page), which is joined to one. A term
``exp(a_j - c) g_j if p_j else 0`` counts as g_j where p_j, else 0, if a_j is -inf then:
what p_j guards is then never read.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import reduce

import numpy as np

from opslib.ir.dtypes import BOOL, DType
from opslib.ir.expr import (
    FALSE,
    Axis,
    Const,
    Expr,
    Fold,
    Prim,
    Program,
    Select,
    Var,
    free_indices,
    is_const,
    rebuild,
    substitute,
    walk,
)
from opslib.ir.monoid import Monoid
from opslib.ir.printer import rename
from opslib.lowering import ragged
from opslib.lowering.flatten import absorbed
from opslib.lowering.simplify import simplified

NAME = "online_softmax"


@dataclass(frozen=True, slots=True)
class Online:
    """A value as one pass over `axis`.

    Attributes:
        axis: what is streamed over.
        score: a_j.
        values: the g_j, one for each sum; `Const(1)` for a sum of bare exponentials.
        finish: the value, over ``Var("m")`` (the maximum) and ``Var("s0")`` ...
    """

    axis: Axis
    score: Expr
    values: tuple[Expr, ...]
    finish: Expr


def pivot(m: Expr) -> Expr:
    """`m` as what is subtracted: the nearest finite number (nan stays nan)."""
    huge = float(np.finfo(m.dtype.numpy).max)
    low = Prim("max", (m, Const(-huge, m.dtype)), m.dtype)
    return Prim("min", (low, Const(huge, m.dtype)), m.dtype)


def weight(a: Expr, m: Expr) -> Expr:
    """exp(a - m), with the pivot finite."""
    return Prim("exp", (Prim("sub", (a, m), a.dtype),), a.dtype)


def online_monoid(dtype: DType, sums: int) -> Monoid:
    """States (m, s0, s1 ...) over arguments (a, g0, g1 ...)."""
    names = range(1, sums + 1)
    m = Prim("max", (Var("a0", dtype), Var("b0", dtype)), dtype)
    parts = []
    for side in "ab":
        factor = weight(pivot(Var(f"{side}0", dtype)), pivot(m))
        parts.append(
            [Prim("mul", (Var(f"{side}{k}", dtype), factor), dtype) for k in names]
        )
    own = weight(Var("x0", dtype), pivot(Var("x0", dtype)))
    return Monoid(
        NAME,
        (dtype,) * (sums + 1),
        (Const(-math.inf, dtype), *(Const(0.0, dtype) for _ in names)),
        (
            Var("x0", dtype),
            *(Prim("mul", (Var(f"x{k}", dtype), own), dtype) for k in names),
        ),
        (m, *(Prim("add", pair, dtype) for pair in zip(*parts, strict=True))),
        tuple(Var(f"s{k}", dtype) for k in range(sums + 1)),
    )


def derive(root: Expr) -> Online | None:
    """`root` as one pass, if all its sums of exponentials share one score."""
    axes = _axes(root)
    if axes is None:
        return None
    root = ragged.joined(root, axes)
    (axis,) = _axes(root) or axes
    found = _Rule(axis)
    value = found.rewrite(root)
    if not found.sums or len(found.scores) != 1:
        return None
    (score,) = found.scores
    mapping: dict[Expr, Expr] = {}
    for folded, name in found.maxima.items():
        mine = folded.args[0] is score
        mapping[name] = Var("m", score.dtype) if mine else _restored(folded, found)
    if any(isinstance(n, Var) and n.name.startswith("max_") for n in walk(score)):
        return None
    # A maximum inside a maximum: from the outside in.
    for _ in range(len(mapping)):
        value = substitute(value, mapping)
    if axis.name in free_indices(value):
        return None
    return Online(axis, score, tuple(found.sums), value)


def _axes(root: Expr) -> tuple[Axis, ...] | None:
    """The axes of an outermost sum over a product with an exponential."""
    for n in walk(root):
        if (
            isinstance(n, Fold)
            and n.monoid.name == "sum"
            and all(a.is_dense for a in n.axes[1:])
            and any(
                isinstance(f, Prim) and f.op == "exp"
                for f in _factors(_guarded(n.args[0])[1])[0]
            )
        ):
            return n.axes
    return None


def _guarded(term: Expr) -> tuple[Expr | None, Expr]:
    """``(p, t)`` for ``t if p else 0``, else (None, term)."""
    if isinstance(term, Select) and is_const(term.no, 0.0):
        return term.condition, term.yes
    return None, term


def _factors(root: Expr) -> tuple[list[Expr], list[Expr]]:
    """Numerator and denominator of a product."""
    if isinstance(root, Prim) and root.op in ("mul", "div"):
        (a, b), (c, d) = map(_factors, root.args)
        return (a + c, b + d) if root.op == "mul" else (a + d, b + c)
    return [root], []


def _product(terms: list[Expr], dtype: DType) -> Expr:
    if not terms:
        return Const(1.0, dtype)
    return reduce(lambda x, y: Prim("mul", (x, y), dtype), terms)


def _restored(folded: Fold, rule: _Rule) -> Expr:
    return rule.originals[folded]


class _Rule:
    """One application: what has been found while rewriting bottom-up."""

    def __init__(self, axis: Axis) -> None:
        self.axis = axis
        self.scores: set[Expr] = set()
        self.sums: dict[Expr, Expr] = {}
        self.maxima: dict[Fold, Var] = {}
        self.originals: dict[Fold, Expr] = {}

    def rewrite(self, root: Expr) -> Expr:
        done: dict[Expr, Expr] = {}
        for node in walk(root):
            new = rebuild(node, done.__getitem__)
            if isinstance(new, Fold) and self._is_over_axis(new):
                new = self._fold(new) or new
            done[node] = new
        return done[root]

    def _is_over_axis(self, node: Fold) -> bool:
        return len(node.axes) == 1 and (node.axes[0].start, node.axes[0].stop) == (
            self.axis.start,
            self.axis.stop,
        )

    def _fold(self, node: Fold) -> Expr | None:
        """What stands for a fold over the axis; None leaves it."""
        own = rename(node, {node.axes[0].name: self.axis.name})
        assert isinstance(own, Fold)
        name = self.axis.name
        if node.monoid.name == "max" and name in free_indices(own.args[0]):
            if own not in self.maxima:
                dtype = own.dtype
                self.maxima[own] = Var(f"max_{len(self.maxima)}", dtype)
                self.originals[own] = own
            return self.maxima[own]
        if node.monoid.name != "sum":
            return None
        dtype = own.dtype
        guard, term = _guarded(own.args[0])
        above, below = _factors(term)
        if any(name in free_indices(t) for t in below):
            return None
        moving = [t for t in above if name in free_indices(t)]
        fixed = [t for t in above if name not in free_indices(t)]
        exps = [t for t in moving if isinstance(t, Prim) and t.op == "exp"]
        if len(exps) != 1 or exps[0].dtype != dtype:
            return None
        (power,) = exps
        assert isinstance(power, Prim)
        score, shift = _exponent(power.args[0], name)
        value = _product([t for t in moving if t is not power], dtype)
        if guard is not None:
            if not ragged.is_nothing(simplified(substitute(score, {guard: FALSE}))):
                return None
            value = Select(guard, value, Const(0.0, dtype))
        self.scores.add(score)
        state = self.sums.setdefault(value, Var(f"s{len(self.sums)}", dtype))
        pivoted = pivot(Var("m", dtype))
        factor = (
            weight(pivoted, shift)
            if shift is not None
            else Prim("exp", (pivoted,), dtype)
        )
        result = _product([*fixed, factor, state], dtype)
        if below:
            result = Prim("div", (result, _product(below, dtype)), dtype)
        # A sum of nothing is 0, whatever factors (inf, nan) were taken out of it.
        some = Prim("lt", (self.axis.start, self.axis.stop), BOOL)
        return Select(some, result, Const(0.0, dtype))


def _exponent(node: Expr, index: str) -> tuple[Expr, Expr | None]:
    """``a - c`` as (a, c) with c free of the index; (node, None) otherwise."""
    if isinstance(node, Prim) and node.op == "sub":
        a, c = node.args
        if index not in free_indices(c):
            return a, c
    return node, None


def apply(program: Program) -> Program:
    """Every definition that the rule fits, as folds by `online_monoid`.

    The program means the same; each such definition then has one fold over j, given
    here as several `Fold` nodes that differ in `output` only.
    """
    whole = absorbed(program)
    if whole is None:
        return program
    defines = []
    for d in whole.defines:
        online = derive(d.value)
        if online is None:
            defines.append(d)
            continue
        monoid = online_monoid(online.score.dtype, len(online.values))
        args = (online.score, *online.values)
        mapping: dict[Expr, Expr] = {}
        for k, name in enumerate(("m", *(f"s{i}" for i in range(len(online.values))))):
            state = Fold(monoid, (online.axis,), args, k)
            mapping[Var(name, online.score.dtype)] = state
        defines.append(dataclasses.replace(d, value=substitute(online.finish, mapping)))
    return dataclasses.replace(whole, defines=tuple(defines))


__all__ = ["NAME", "Online", "apply", "derive", "online_monoid", "pivot", "weight"]
