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
which the mask excludes every row are not run: the range of j comes from the condition,
where that is linear in j. Values behind such a mask are never read, so a nan or inf
there has no effect (the formula's 0 * nan would be nan).
"""

from __future__ import annotations

from dataclasses import dataclass

from opslib.ir import loops
from opslib.ir.dtypes import DType
from opslib.ir.expr import (
    Axis,
    Expr,
    Fold,
    Program,
    Var,
    free_indices,
    is_const,
    substitute,
    walk,
)
from opslib.ir.printer import rename
from opslib.lowering.flatten import Group, absorbed
from opslib.lowering.online_softmax import Online, derive
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
        score: a_j, holding `dot` where the sum of products stands.
        q, k: sides of `dot`; v: what the weighted sum weighs, None without one.
        outputs: (tensor, its axes, value over Var("m"), Var("bare"), Var("weighted")).
    """

    program: Program
    j: Axis
    d: Group
    batch: Group
    rows: Group
    columns: Group
    score: Expr
    dot: Fold
    q: Expr
    k: Expr
    v: Expr | None
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
    return _sorted(whole, first, shared, columns, joined)


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
    if score is not first.score or online.axis.stop is not first.axis.stop:
        return None
    values = tuple(rename(v, names) for v in online.values)
    return target, Online(first.axis, score, values, rename(online.finish, names))


def _sorted(
    whole: Program,
    first: Online,
    shared: tuple[Axis, ...],
    columns: Group,
    passes: list[tuple[str, tuple[Axis, ...], Online]],
) -> Streaming | None:
    dots = outermost_folds(first.score)
    if len(dots) != 1:
        return None
    (dot,) = dots
    if dot.monoid.name != "sum" or not all(a.is_dense for a in dot.axes):
        return None
    dtype = first.score.dtype
    if dot.dtype != dtype or not dtype.is_float:
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
    of_k = free_indices(product_of(k_terms))
    of_v = free_indices(weighted[0]) if weighted else frozenset()
    batch = Group(tuple(a for a in shared if a.name in of_k | of_v))
    rows = Group(tuple(a for a in shared if a.name not in of_k | of_v))
    if not rows.axes or (weighted and not columns.names <= of_v):
        return None
    if not weighted and columns.axes:
        return None
    outputs = []
    for name, axes, p in passes:
        value = _named(p, dtype)
        if value is None:
            return None
        outputs.append((name, axes, value))
    return Streaming(
        whole, j, Group(dot.axes), batch, rows, columns, first.score, dot,
        product_of(q_terms), product_of(k_terms), weighted[0] if weighted else None,
        tuple(outputs),
    )  # fmt: skip


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
