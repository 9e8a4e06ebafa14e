"""Streaming contraction: two products around a softmax, in one pass over j.

Nothing here knows attention. What is recognised is a value that `online_softmax`
derives as one pass over an axis j, whose score holds one sum of products
``s[i, j] = sum_d q[i, d] k[j, d]`` and whose weighted sums are bare (the denominator)
or weigh something free of i, ``v[j, c]``. Everything j-local around s (scale, softcap,
bias, a mask) is evaluated on the tile of scores; everything j-free (a sink, the
division, logsumexp) on the finished row. Axes of q alone are rows (the query position,
and the heads of a group that share k and v), axes of v alone are columns, the others
are batch.

Per block of rows and step of j: s = q k^T by the microkernel, scores and their maximum,
exponentials and their sum, a rescaling of what was summed before, o += p v. Steps in
which the mask excludes every row are not run: the range of j comes from the conditions
that are linear in j. Values behind a mask are never read where the formula would read
them, so a nan or inf there has no effect (the formula's 0 * nan would be nan).

The ends of j may be read (sequences of different lengths), keys may be looked up (a
table of blocks), and a row's sequence may be counted: then a block of rows is walked
sequence by sequence, each with its own range (lowering/ragged.py). What the formula
itself excludes, behind the end of a row's sequence, has no effect whatever it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from opslib.ir import loops
from opslib.ir.dtypes import BOOL, DType
from opslib.ir.expr import (
    Axis,
    Expr,
    Fold,
    Prim,
    Program,
    Select,
    Var,
    free_indices,
    is_const,
    substitute,
    walk,
)
from opslib.ir.printer import rename
from opslib.lowering import ragged
from opslib.lowering.flatten import Group, absorbed
from opslib.lowering.online_softmax import Online, derive
from opslib.lowering.ragged import Segment
from opslib.lowering.skeletons.arith import add
from opslib.lowering.skeletons.builder import Layout
from opslib.lowering.skeletons.contraction import (
    Row,
    checks_stand_alone,
    factors,
    outermost_folds,
    product_of,
)


@dataclass(frozen=True, slots=True)
class Streaming:
    """A streamed pass with its axes sorted.

    Attributes:
        j, d: the streamed axis, and the axes of the inner sum of products.
        batch, rows, columns: see the module's docstring.
        masks: the score is -inf unless all of them hold; in the order of the formula.
        limits: the conditions on j, the masks included, that may bound its range.
        score: a_j behind the masks, holding `dot` where the sum of products stands.
        q, k: sides of `dot`; v: what the weighted sum weighs, None without one.
        hidden: what must hold for v to be seen by a row, if rows differ in that and the
            formula has no term otherwise.
        segment: the sequence of a row, by which k, v or the range of j are chosen.
        outputs: (tensor, its axes, value over Var("m"), Var("bare"), Var("weighted")).
    """

    program: Program
    j: Axis
    d: Group
    batch: Group
    rows: Group
    columns: Group
    masks: tuple[Expr, ...]
    limits: tuple[Expr, ...]
    score: Expr
    dot: Fold
    q: Expr
    k: Expr
    v: Expr | None
    hidden: tuple[Expr, ...]
    segment: Segment | None
    outputs: tuple[tuple[str, tuple[Axis, ...], Expr], ...]

    @property
    def dtype(self) -> DType:
        """The type in which all of it is computed."""
        return self.score.dtype


def match(program: Program) -> Streaming | None:
    """The streaming contraction that `program` is, or None."""
    whole = absorbed(program)
    if whole is None or not checks_stand_alone(whole):
        return None
    passes: list[tuple[str, tuple[Axis, ...], Online]] = []
    for d in whole.defines:
        online = derive(d.value)
        if online is None or not all(a.is_dense for a in d.axes):
            return None
        passes.append((d.name, d.axes, online))
    if not passes:
        return None
    _, axes, first = max(passes, key=lambda p: len(p[1]))
    in_score = free_indices(first.score)
    columns = Group(tuple(a for a in axes if a.name not in in_score))
    shared = tuple(a for a in axes if a.name in in_score)
    joined = []
    for name, own, online in passes:
        same = _aligned(own, online, axes, shared, first)
        if same is None:
            return None
        joined.append((name, *same))
    roots = [first.axis, first.score, *first.values]
    segment = ragged.segment_of(roots, (a.name for a in shared))
    if segment is not None:
        runs = [(n, a, _in_segment(p, segment)) for n, a, p in joined]
        found = _sorted(
            whole, _in_segment(first, segment), shared, columns, runs, segment
        )
        if found is not None:
            return found
    return _sorted(whole, first, shared, columns, joined, None)


def _in_segment(online: Online, segment: Segment) -> Online:
    """The pass of a row whose sequence is ``segment.index``."""
    mapping: dict[Expr, Expr] = {segment.value: segment.index}
    axis = substitute(online.axis, mapping)
    assert isinstance(axis, Axis)
    score, finish = (substitute(e, mapping) for e in (online.score, online.finish))
    values = tuple(substitute(v, mapping) for v in online.values)
    return Online(axis, score, values, finish)


def _aligned(
    own: tuple[Axis, ...],
    online: Online,
    axes: tuple[Axis, ...],
    shared: tuple[Axis, ...],
    first: Online,
) -> tuple[tuple[Axis, ...], Online] | None:
    """The pass over the names of the first one; None if it is another pass."""
    target = axes if len(own) == len(axes) else shared
    if [a.stop for a in own] != [a.stop for a in target]:
        return None
    names = {a.name: b.name for a, b in zip(own, target, strict=True)}
    names[online.axis.name] = first.axis.name
    score = rename(online.score, names)
    ends = [rename(e, names) for e in (online.axis.start, online.axis.stop)]
    if score is not first.score or ends != [first.axis.start, first.axis.stop]:
        return None
    values = tuple(rename(v, names) for v in online.values)
    return target, Online(first.axis, score, values, rename(online.finish, names))


def _sorted(
    whole: Program,
    first: Online,
    shared: tuple[Axis, ...],
    columns: Group,
    passes: list[tuple[str, tuple[Axis, ...], Online]],
    segment: Segment | None,
) -> Streaming | None:
    masks, score = ragged.masks(first.score)
    dots = outermost_folds(score)
    if len(dots) != 1:
        return None
    (dot,) = dots
    if dot.monoid.name != "sum" or not all(a.is_dense for a in dot.axes):
        return None
    dtype = score.dtype
    if dot.dtype != dtype or not dtype.is_float or _has_fold(list(masks)):
        return None
    j = first.axis
    terms = factors(dot.args[0])
    k_terms = [t for t in terms if j.name in free_indices(t)]
    q_terms = [t for t in terms if j.name not in free_indices(t)]
    if not k_terms or not q_terms or _has_fold(terms):
        return None
    values = {v for _, _, p in passes for v in p.values}
    weighted = [v for v in values if not is_const(v, 1.0)]
    if len(weighted) > 1 or _has_fold(weighted):
        return None
    needed: tuple[Expr, ...] = ()
    v: Expr | None = None
    if weighted:
        needed, v = _unguarded(weighted[0])
    of_k = free_indices(product_of(k_terms))
    of_v = free_indices(v) if v is not None else frozenset()
    batch = Group(tuple(a for a in shared if a.name in of_k | of_v))
    rows = Group(tuple(a for a in shared if a.name not in of_k | of_v))
    if not rows.axes or (v is not None and not columns.names <= of_v):
        return None
    if v is None and columns.axes:
        return None
    if segment is not None and rows.axes[0].name != segment.axis:
        return None
    moving = [product_of(k_terms), *([v] if v is not None else [])]
    ranged = _ranged(j, rows, masks, needed, moving)
    if ranged is None:
        return None
    outputs = []
    for name, axes, p in passes:
        value = _named(p, dtype)
        if value is None:
            return None
        outputs.append((name, axes, value))
    return Streaming(
        whole, ranged.j, Group(dot.axes), batch, rows, columns, ranged.masks,
        ranged.limits, score, dot, product_of(q_terms), product_of(k_terms), v,
        ranged.hidden, segment, tuple(outputs),
    )  # fmt: skip


def _unguarded(value: Expr) -> tuple[tuple[Expr, ...], Expr]:
    """Conditions and v for ``v if conditions else 0``."""
    found: list[Expr] = []
    while isinstance(value, Select) and is_const(value.no, 0.0):
        found += ragged.conjuncts(value.condition)
        value = value.yes
    return tuple(found), value


@dataclass(frozen=True, slots=True)
class _Ranged:
    """The axis j with ends that all rows share, and what then has to be asked."""

    j: Axis
    masks: tuple[Expr, ...]
    limits: tuple[Expr, ...]
    hidden: tuple[Expr, ...]


def _ranged(
    j: Axis,
    rows: Group,
    masks: tuple[Expr, ...],
    needed: tuple[Expr, ...],
    moving: list[Expr],
) -> _Ranged | None:
    """`masks` are the score's conditions, `needed` those of v, `moving` k and v."""
    ends: list[Expr] = []
    start, stop = j.start, j.stop
    if ragged.varies_with(start, rows.names):
        # Both ends with the row, and no size to fall back on.
        return None
    if ragged.varies_with(stop, rows.names):
        if j.bound is None:
            return None
        if not ragged.rounds_up(stop, masks, j.name):
            ends.append(Prim("lt", (j.index, stop), BOOL))
        stop = add(start, j.bound)
    limits = (*ends, *masks)

    def same_for_all(c: Expr) -> bool:
        free = ragged.varies_with(c, rows.names)
        return not free and ragged.limit(c, j.name) is not None

    if ragged.looks_up(moving):
        # Only what some row of a block reads may be read: one end may move with the
        # row, and a block must know exactly how far.
        found = [ragged.limit(c, j.name) for c in (*limits, *needed)]
        sides = set()
        for c in found:
            if c is None or not ragged.bounded_by_rows(c.value, rows):
                return None
            if ragged.varies_with(c.value, rows.names):
                sides.add(c.upper)
        if len(sides) > 1:
            return None
    kept = tuple(c for c in limits if not same_for_all(c))
    hidden = tuple(c for c in (*ends, *needed) if not same_for_all(c))
    every = tuple(dict.fromkeys((*limits, *needed)))
    return _Ranged(Axis(j.name, start, stop), kept, every, hidden)


def _named(online: Online, dtype: DType) -> Expr | None:
    """The finish with its sums called ``bare`` and ``weighted``; no folds remain."""
    mapping: dict[Expr, Expr] = {}
    for i, value in enumerate(online.values):
        name = "bare" if is_const(value, 1.0) else "weighted"
        mapping[Var(f"s{i}", dtype)] = Var(name, dtype)
    result = substitute(online.finish, mapping)
    return None if _has_fold([result]) else result


def _has_fold(roots: list[Expr]) -> bool:
    return any(isinstance(n, Fold) for r in roots for n in walk(r))


def _lower(program: Program, layout: Layout, name: str | None) -> loops.Kernel | None:
    from opslib.lowering.skeletons import streaming_tiles

    found = match(program)
    return None if found is None else streaming_tiles.lower(found, layout, name)


SKELETON = Row("streaming", lambda program: match(program) is not None, _lower)
__all__ = ["SKELETON", "Streaming", "match"]
