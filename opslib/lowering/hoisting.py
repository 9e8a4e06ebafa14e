"""Innermost loops: what does not move with them goes out, guards become ranges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from opslib.ir.dtypes import INT64
from opslib.ir.expr import (
    ONE,
    Axis,
    Cast,
    Const,
    Expr,
    Index,
    Prim,
    Read,
    Scalar,
    Select,
    Size,
    Var,
    rebuild,
    substitute,
    walk,
)
from opslib.ir.loops import For, Let, Statement
from opslib.lowering.flatten import depends, quotient_in
from opslib.lowering.simplify import simplified
from opslib.lowering.skeletons.arith import (
    add,
    affine,
    floordiv,
    integer,
    least,
    most,
    mul,
    sub,
)

Fresh = Callable[[str], str]


def hoisted(root: Expr, index: str, fresh: Fresh) -> tuple[list[Statement], Expr]:
    """Lets for the parts of `root` that do not move with `index`, and what is left.

    A read that a Select guards stays where it is: it may not exist elsewhere.
    """
    lets: list[Statement] = []
    moving: dict[Expr, bool] = {}
    reads: dict[Expr, bool] = {}
    for n in walk(root):
        moving[n] = any(moving[c] for c in n.children) or (
            isinstance(n, Index) and n.name == index
        )
        reads[n] = isinstance(n, Read) or any(reads[c] for c in n.children)
    done: dict[tuple[Expr, bool], Expr] = {}

    def visit(node: Expr, guarded: bool) -> Expr:
        if isinstance(node, Const | Var | Index | Size | Scalar):
            return node
        guarded = guarded and reads[node]
        key = node, guarded
        if key in done:
            return done[key]
        new: Expr
        if not moving[node] and not guarded:
            name = fresh("fixed")
            lets.append(Let(name, node))
            new = Var(name, node.dtype)
        elif isinstance(node, Select):
            new = Select(
                visit(node.condition, guarded),
                visit(node.yes, True),
                visit(node.no, True),
            )
        else:
            new = rebuild(node, lambda c: visit(c, guarded))
        done[key] = new
        return new

    return lets, visit(root, False)


@dataclass(frozen=True, slots=True)
class Split:
    """A loop over ``0..count`` cut where a flattened axis wraps.

    Attributes:
        loop: the loop over the pieces (None: there is one piece), body left to fill.
        before: statements inside it, ahead of the piece.
        low, high: the piece.
        rewrite: makes an expression linear in the index, within the piece.
    """

    loop: Axis | None
    before: list[Statement]
    low: Expr
    high: Expr
    rewrite: Callable[[Expr], Expr]


def split(roots: list[Expr], index: str, count: Expr, fresh: Fresh) -> Split:
    """Cuts the loop over `index` so that ``//`` and ``%`` of it become constants."""
    whole = Split(None, [], integer(0), count, lambda e: e)
    quotients = {q for r in roots if (q := quotient_in(r, index)) is not None}
    if len(quotients) != 1:
        return whole
    (quotient,) = quotients
    flat, extent = quotient.args
    linear = affine(flat, index)
    assert linear is not None
    base = linear[1]
    name = fresh("line")
    line = Index(name)
    last = floordiv(add(base, sub(count, ONE)), extent)
    loop = Axis(name, floordiv(base, extent), add(last, ONE))
    shift = fresh("shift")
    before: list[Statement] = [Let(shift, sub(mul(line, extent), base))]
    start = Var(shift, INT64)
    low, high = fresh("low"), fresh("high")
    before.append(Let(low, most(integer(0), start)))
    before.append(Let(high, least(count, add(start, extent))))
    mapping: dict[Expr, Expr] = {
        quotient: line,
        Prim("mod", (flat, extent), INT64): sub(Index(index), start),
    }

    def rewrite(root: Expr) -> Expr:
        return simplified(substitute(root, mapping))

    return Split(loop, before, Var(low, INT64), Var(high, INT64), rewrite)


def wrapped(part: Split, inner: list[Statement]) -> list[Statement]:
    """The piece's statements inside the loop over the pieces."""
    if part.loop is None:
        return [*part.before, *inner]
    return [For(part.loop, "serial", (*part.before, *inner))]


@dataclass(frozen=True, slots=True)
class Clipped:
    """A guarded value as ranges: `value` on low..high, `fill` before and after."""

    low: Expr
    high: Expr
    value: Expr
    fill: Expr


def clipped(root: Expr, index: str, low: Expr, high: Expr) -> Clipped | None:
    """``yes if 0 <= i + c < n ... else no`` as a range of i; None when it is not one.

    Conditions without the index make the range empty or leave it whole.
    """
    casts: list[Cast] = []
    node = root
    while isinstance(node, Cast):
        casts.append(node)
        node = node.value
    if not isinstance(node, Select) or depends(node.no, index):
        return None
    ends = _narrowed(node.condition, index, low, high)
    if ends is None:
        return None
    begin, end = ends
    value, fill = node.yes, node.no
    for c in reversed(casts):
        value, fill = Cast(value, c.type), Cast(fill, c.type)
    begin = least(begin, high)
    return Clipped(begin, most(begin, end), value, simplified(fill))


def _narrowed(
    condition: Expr, index: str, low: Expr, high: Expr
) -> tuple[Expr, Expr] | None:
    """The part of low..high in which the condition holds, if that is a range."""
    if not depends(condition, index):
        return low, Select(condition, high, low)
    if not isinstance(condition, Prim):
        return None
    if condition.op == "and":
        first = _narrowed(condition.args[0], index, low, high)
        return None if first is None else _narrowed(condition.args[1], index, *first)
    if condition.op == "or":
        # A switch: ``not causal or j <= i``.
        for switch, part in (condition.args, condition.args[::-1]):
            if not depends(switch, index):
                inner = _narrowed(part, index, low, high)
                if inner is None:
                    return None
                return Select(switch, low, inner[0]), Select(switch, high, inner[1])
        return None
    if condition.op not in ("lt", "le", "gt", "ge"):
        return None
    left, right = condition.args
    if left.dtype != INT64:
        return None
    up = condition.op in ("lt", "le")
    smaller, larger = (left, right) if up else (right, left)
    difference = affine(sub(larger, smaller), index)
    if difference is None or not isinstance(difference[0], Const):
        return None
    # step * i + rest >= 0
    step, rest = int(difference[0].value), difference[1]
    if condition.op in ("lt", "gt"):
        rest = sub(rest, ONE)
    if step > 0:
        bound = floordiv(add(sub(integer(0), rest), integer(step - 1)), integer(step))
        return most(low, bound), high
    if step < 0:
        return low, least(high, add(floordiv(rest, integer(-step)), ONE))
    return None
