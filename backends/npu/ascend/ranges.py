"""Loops over lanes, cut where a condition on the lane's index changes.

``y[i] = a[i] if i < n else b[i - n]`` becomes a loop up to n and one from n, in which
nothing is left to choose and each read is in bounds. A condition that is the same for
all lanes becomes a branch around the loop. ``x[i % n]`` becomes a loop over the rounds
of i, in each of which the read is a run of neighbours.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator

from opslib.ir.dtypes import BOOL, INT64
from opslib.ir.expr import (
    FALSE,
    ONE,
    TRUE,
    Axis,
    Cast,
    Const,
    Expr,
    Index,
    Prim,
    Read,
    Select,
    Var,
    substitute,
    transform,
    walk,
)
from opslib.ir.loops import For, If, Let, Statement, Store
from opslib.lowering.simplify import simplified
from opslib.lowering.skeletons import arith

from .lanes_state import Cannot

_ORDER = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}
# More parts than this would be a text that nobody reads.
_MOST = 12


def cut(s: For) -> tuple[Statement, ...]:
    """The loop in parts; the loop itself where there is nothing to decide.

    `s` is a loop over lanes.

    Raises:
        Cannot: there would be too many parts.
    """
    if not all(isinstance(b, Let | Store) for b in s.body):
        return (s,)
    known: dict[Expr, Expr] = {}
    stores: list[Store] = []
    for b in s.body:
        if isinstance(b, Let):
            known[Var(b.name, b.value.dtype)] = substitute(b.value, known)
        elif isinstance(b, Store):
            where = tuple(substitute(i, known) for i in b.indices)
            stores.append(Store(b.buffer, where, substitute(b.value, known)))
    lane = s.axis.name
    values = [x.value for x in stores]
    if not any(_undecided(v, lane) or _rounds(v, lane) for v in values):
        return (s,)
    parts = list(_parts(s, s.axis, tuple(stores), 0))
    if sum(1 for _ in _loops(parts)) > _MOST:
        raise Cannot("a choice of too many parts")
    return tuple(parts)


def is_whole(s: For) -> bool:
    """Whether a loop stays as it is."""
    try:
        return cut(s) == (s,)
    except Cannot:
        return False


def _loops(body: list[Statement] | tuple[Statement, ...]) -> Iterator[For]:
    for s in body:
        if isinstance(s, For):
            yield s
        elif isinstance(s, If):
            yield from _loops((*s.then, *s.other))


def _parts(
    s: For,
    axis: Axis,
    stores: tuple[Store, ...],
    depth: int,
    facts: tuple[tuple[Expr, bool], ...] = (),
) -> Iterator[Statement]:
    found = (_undecided(x.value, axis.name) for x in stores)
    condition = next((c for c in found if c is not None), None)
    if condition is None:
        rounds = next((r for x in stores for r in _rounds(x.value, axis.name)), None)
        if rounds is None:
            yield dataclasses.replace(s, axis=axis, body=stores)
        else:
            yield _in_rounds(s, axis, stores, depth, *rounds)
        return

    def part(start: Expr, stop: Expr, holds: Expr) -> Iterator[Statement]:
        now = (*facts, (condition, holds is TRUE))
        known = {condition: holds, **_implied(now)}
        body = tuple(
            Store(x.buffer, x.indices, simplified(substitute(x.value, known)))
            for x in stores
        )
        yield from _parts(s, Axis(axis.name, start, stop), body, depth + 1, now)

    if not _on(condition, axis.name):
        then, other = (tuple(part(axis.start, axis.stop, c)) for c in (TRUE, FALSE))
        yield If(condition, then, other)
        return
    op, limit = threshold(condition, axis.name) or ("", condition)
    ends = [limit] if op in ("lt", "ge") else [limit, arith.add(limit, ONE)]
    cuts: list[Expr] = []
    for k, end in enumerate(ends):
        name = f"{axis.name}_cut{depth}{'_end' if k else ''}"
        inside = arith.least(arith.most(end, axis.start), axis.stop)
        yield Let(name, inside)
        cuts.append(Var(name, INT64))
    places = [axis.start, *cuts, axis.stop]
    holds = {"lt": (TRUE, FALSE), "ge": (FALSE, TRUE), "eq": (FALSE, TRUE, FALSE)}
    values = holds.get(op, (TRUE, FALSE, TRUE))
    for start, stop, value in zip(places[:-1], places[1:], values, strict=True):
        yield from part(start, stop, value)


def _implied(facts: tuple[tuple[Expr, bool], ...]) -> dict[Expr, Expr]:
    """Conditions that are false by the others: of -inf and b the larger one is b.

    So where ``max(a, b) == -inf`` does not hold and ``a == -inf`` does, ``b == -inf``
    does not; without this a branch would be left that no call can come to.
    """
    found: dict[Expr, Expr] = {}
    for fact, is_true in facts:
        for other, is_other in facts:
            match fact, other:
                case Prim("eq", (Prim("max", pair), Const() as k)), Prim("eq", (a, b)):
                    holds = not is_true and is_other and b is k and a in pair
                    if holds and k.value == -math.inf:
                        (rest,) = [x for x in pair if x is not a] or [a]
                        found[Prim("eq", (rest, k), BOOL)] = FALSE
    return found


def _in_rounds(
    s: For, axis: Axis, stores: tuple[Store, ...], depth: int, rest: Expr, by: Expr
) -> For:
    """Lanes i with the same floor((i + rest) / by) at a time."""
    turn = Index(f"{axis.name}_turn{depth}")
    first = arith.floordiv(arith.add(axis.start, rest), by)
    last = arith.floordiv(arith.add(arith.sub(axis.stop, ONE), rest), by)
    begin = arith.sub(arith.mul(turn, by), rest)
    inner = Axis(
        axis.name,
        arith.most(axis.start, begin),
        arith.least(axis.stop, arith.add(begin, by)),
    )

    def known(node: Expr) -> Expr | None:
        if not isinstance(node, Prim) or node.op not in ("mod", "floordiv"):
            return None
        if node.args[1] is not by or _offset(node.args[0], axis.name) is not rest:
            return None
        if node.op == "floordiv":
            return turn
        return arith.sub(node.args[0], arith.mul(turn, by))

    body = tuple(
        Store(
            x.buffer,
            tuple(simplified(transform(i, known)) for i in x.indices),
            simplified(transform(x.value, known)),
        )
        for x in stores
    )
    parts = tuple(_parts(s, inner, body, depth + 1))
    return For(Axis(turn.name, first, arith.add(last, ONE)), "serial", parts)


def _offset(node: Expr, lane: str) -> Expr | None:
    """The rest of lane + rest."""
    found = arith.affine(node, lane) if _on(node, lane) else None
    if found is None or found[0] is not ONE or _on(found[1], lane):
        return None
    return found[1]


def _rounds(value: Expr, lane: str) -> list[tuple[Expr, Expr]]:
    """(rest, by) of the reads at (lane + rest) mod by."""
    found = []
    for read in walk(value):
        for node in walk(*read.indices) if isinstance(read, Read) else ():
            if isinstance(node, Prim) and node.op == "mod":
                rest = _offset(node.args[0], lane)
                if rest is not None and not _on(node.args[1], lane):
                    found.append((rest, node.args[1]))
    return found


def _on(node: Expr, lane: str) -> bool:
    return any(isinstance(n, Index) and n.name == lane for n in walk(node))


def threshold(node: Expr, lane: str) -> tuple[str, Expr] | None:
    """(op, limit) with ``lane op limit`` the same as a comparison; None: it is not one.

    op: ``lt``, ``ge``, ``eq`` or ``ne``. The limit is the same for all lanes.
    """
    if not isinstance(node, Prim) or node.op not in _ORDER:
        return None
    if node.args[0].dtype != INT64 or not _on(node, lane):
        return None
    found = arith.affine(arith.sub(node.args[0], node.args[1]), lane)
    if found is None or not isinstance(found[0], Const) or _on(found[1], lane):
        return None
    # step i op limit
    step, limit, op = int(found[0].value), _negated(found[1]), node.op
    if step < 0:
        step, limit, op = -step, _negated(limit), _ORDER[op]
    if op in ("eq", "ne"):
        return None if step != 1 else (op, limit)
    if op in ("le", "gt"):
        limit, op = arith.add(limit, ONE), {"le": "lt", "gt": "ge"}[op]
    return op, arith.ceildiv(limit, arith.integer(step))


def _negated(node: Expr) -> Expr:
    if isinstance(node, Prim) and node.op == "sub":
        return arith.sub(node.args[1], node.args[0])
    return arith.sub(arith.integer(0), node)


def _undecided(node: Expr, lane: str) -> Expr | None:
    """The outermost condition that a part of the lanes decides, or all of them."""
    if isinstance(node, Select):
        condition = _decidable(node.condition, lane)
        if condition is not None:
            reads = _reads if _on(condition, lane) else _reads_of(lane)
            if reads(node.yes) or reads(node.no):
                return condition
    if isinstance(node, Read):
        return None
    for child in node.children:
        found = _undecided(child, lane)
        if found is not None:
            return found
    return None


def plain(root: Expr) -> Expr:
    """The same value without numbers that are chosen first and converted then."""

    def rule(node: Expr) -> Expr | None:
        match node:
            case Cast(Select(condition, Const() as yes, Const() as no), dtype):
                made = Select(condition, Cast(yes, dtype), Cast(no, dtype))
                return simplified(made)
        return None

    return transform(root, rule)


def check_guards(root: Expr) -> None:
    """Raises Cannot where a lane that does not take a branch is hurt by its reads."""
    for node in walk(root):
        if isinstance(node, Select):
            for n in walk(node.yes, node.no):
                if isinstance(n, Read) and not all(
                    isinstance(i, Index | Var | Const) for i in n.indices
                ):
                    raise Cannot("a guarded read")


def _reads(root: Expr) -> bool:
    return any(isinstance(n, Read) for n in walk(root))


def _reads_of(lane: str) -> Callable[[Expr], bool]:
    return lambda root: any(isinstance(n, Read) and _on(n, lane) for n in walk(root))


def _decidable(node: Expr, lane: str) -> Expr | None:
    if isinstance(node, Const):
        return None
    if not _on(node, lane):
        return node
    if threshold(node, lane) is not None:
        return node
    if isinstance(node, Prim) and node.args[0].dtype == BOOL:
        for child in node.args:
            found = _decidable(child, lane)
            if found is not None:
                return found
    return None
