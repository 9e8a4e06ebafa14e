"""How far a block of rows reaches along the streamed axis."""

from __future__ import annotations

from dataclasses import dataclass

from opslib.ir.dtypes import BOOL
from opslib.ir.expr import ONE, ZERO, Const, Expr, Prim, Select, substitute
from opslib.lowering import ragged
from opslib.lowering.flatten import Group, depends
from opslib.lowering.simplify import simplified
from opslib.lowering.skeletons.arith import (
    add,
    affine,
    floordiv,
    least,
    mod,
    most,
    mul,
    product,
    sub,
)
from opslib.lowering.skeletons.streaming import Streaming


@dataclass(frozen=True, slots=True)
class Block:
    """Rows ``start .. start + count`` of the flattened rows.

    Attributes:
        rows: their axes.
        at: what the other index variables are in the block.
    """

    rows: Group
    start: Expr
    count: Expr
    at: dict[Expr, Expr]


def reach(s: Streaming, block: Block) -> tuple[Expr, Expr]:
    """Bounds of j outside which no row of the block has a term."""
    low, high = (substitute(e, block.at) for e in (s.j.start, s.j.stop))
    for condition in s.limits:
        low, high = _narrowed(s, block, condition, low, high)
    return low, high


def _narrowed(
    s: Streaming, block: Block, condition: Expr, low: Expr, high: Expr
) -> tuple[Expr, Expr]:
    """The range in which `condition` may hold for some row of the block."""
    if isinstance(condition, Prim) and condition.op == "and":
        for part in condition.args:
            low, high = _narrowed(s, block, part, low, high)
        return low, high
    if isinstance(condition, Prim) and condition.op == "or":
        # ``not causal or j <= ...``: the bound holds where the switch is off.
        for switch, part in (condition.args, condition.args[::-1]):
            if not any(depends(switch, a.name) for a in (s.j, *s.rows.axes)):
                inner = _narrowed(s, block, part, low, high)
                at = substitute(switch, block.at)
                return Select(at, low, inner[0]), Select(at, high, inner[1])
        return low, high
    limit = ragged.limit(condition, s.j.name)
    if limit is None:
        return low, high
    value = limit.value if limit.upper else sub(ZERO, limit.value)
    best = _largest(value, block)
    if best is None:
        return low, high
    if limit.upper:
        return low, least(high, add(best, ONE))
    return most(low, sub(ZERO, best)), high


def _largest(node: Expr, block: Block) -> Expr | None:
    """The largest value of `node` over the rows of the block."""
    rows = block.rows
    if not ragged.bounded_by_rows(node, rows):
        return None
    moving = [a for a in rows.axes if depends(node, a.name)]
    if not moving:
        return simplified(substitute(node, block.at))
    (axis,) = moving
    linear = affine(node, axis.name)
    assert linear is not None
    assert isinstance(linear[0], Const)
    start, last = block.start, add(block.start, sub(block.count, ONE))
    first_row: Expr = start
    last_row: Expr = last
    if axis is rows.axes[0]:
        inner = product(a.stop for a in rows.axes[1:])
        first_row, last_row = floordiv(start, inner), floordiv(last, inner)
    else:
        extent = axis.stop
        one = Prim("eq", (floordiv(start, extent), floordiv(last, extent)), BOOL)
        first_row = Select(one, mod(start, extent), ZERO)
        last_row = Select(one, mod(last, extent), sub(extent, ONE))
    slope = int(linear[0].value)
    row = last_row if slope > 0 else first_row
    value = add(mul(linear[0], row), linear[1])
    return simplified(substitute(value, block.at))


__all__ = ["Block", "reach"]
