"""Prefix reductions: a row of all prefixes, computed in one pass where it is needed."""

from __future__ import annotations

from opslib.ir.expr import Axis, Expr, Scan, Var
from opslib.ir.loops import Alloc, Assign, Declare, For, Store
from opslib.ir.printer import rename
from opslib.lowering.skeletons import arith
from opslib.lowering.skeletons.builder import Body, combined, finished, lifted


def row(body: Body, node: Scan) -> Expr:
    """Emits the prefixes along `node.axis`; gives the row buffer's name as a Var."""
    builder, monoid = body.builder, node.monoid
    (args, axis), length = opened(body, node.axis, node.args)
    out = builder.allocate(
        f"{monoid.name}_prefix", node.dtype, (length,), not body.parallel
    )
    body.statements.append(Alloc(out))
    names = tuple(builder.fresh("state") for _ in monoid.state)
    for name, identity in zip(names, monoid.identity, strict=True):
        body.statements.append(Declare(name, identity))
    states = tuple(map(Var, names, monoid.state))
    inner = body.within((axis.name,))
    lowered = tuple(map(inner.lower, args))
    inner.statements.append(
        Assign(names, combined(monoid, states, lifted(monoid, lowered)))
    )
    inner.statements.append(
        Store(
            out.name,
            (arith.sub(axis.index, axis.start),),
            finished(monoid, node.output, states),
        )
    )
    body.statements.append(For(axis, "serial", tuple(inner.statements)))
    return Var(out.name, node.dtype)


def opened(
    body: Body, axis: Axis, args: tuple[Expr, ...]
) -> tuple[tuple[tuple[Expr, ...], Axis], Expr]:
    """The arguments with a fresh index, its lowered axis, and memory enough for it."""
    name = body.builder.fresh(axis.name)
    named = tuple(rename(body.hoist(a), {axis.name: name}) for a in args)
    start, stop = body.lower(axis.start), body.lower(axis.stop)
    lowered = Axis(name, start, stop)
    length = arith.upper_extent(lowered)
    if length is None:
        length = axis.bound if axis.bound is not None else arith.extent(lowered)
    return (named, lowered), length
