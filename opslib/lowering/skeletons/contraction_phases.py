"""Transposed convolutions as contractions: one remainder of the stride at a time.

``sum[u](x[(i + p - u * d) // s] * w[u] if (i + p - u * d) % s == 0)``: positions
i = r + s * t of one remainder r meet the taps u = u0 + step * v, and read x at
base + t + v * shift. Written so, it is a convolution over t and v, without a test and
without the s - 1 of s products that are zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from opslib.ir.dtypes import INT64
from opslib.ir.expr import ZERO, Axis, Expr, Index, Prim, Read, Var, substitute
from opslib.ir.loops import Alloc, Buffer, Let, Place, Statement
from opslib.lowering import microkernels
from opslib.lowering.flatten import Group
from opslib.lowering.simplify import simplified
from opslib.lowering.skeletons.arith import add, ceildiv, integer, most, mul, sub
from opslib.lowering.skeletons.contraction import Contraction, Phase

# What ops_contract_phase finds: the first tap, the distance of taps and their number,
# the position of the first, and the distance of positions.
FOUND = ("tap", "taps", "count", "base", "shift")


def one(
    c: Contraction, p: Phase, fresh: Callable[[str], str]
) -> tuple[Contraction, tuple[str, list[Statement]]]:
    """The contraction for one remainder; the remainder's name and what it needs."""
    remainder, buffer = fresh("phase"), fresh("taps")
    r = Var(fresh("remainder"), INT64)
    lane = next(a for a in c.axes if a.name == p.lane)
    deep = next(a for a in c.k.axes if a.name == p.deep)
    found = {x: Var(fresh(x), INT64) for x in FOUND}
    rows = Var(fresh("rows"), INT64)
    memory = Buffer(buffer, INT64, (integer(len(FOUND)),), (integer(1),), "stack")
    lets: list[Statement] = [
        Let(r.name, Index(remainder)),
        Alloc(memory),
        microkernels.phase(
            add(r, p.rest), p.factor, p.divisor, deep.stop,
            Place(buffer, (ZERO,), writes=True),
        ),
        *(
            Let(v.name, Read(buffer, (integer(k),), INT64))
            for k, v in enumerate(found.values())
        ),
        Let(rows.name, most(ZERO, ceildiv(sub(lane.stop, r), p.divisor))),
    ]  # fmt: skip
    t = Axis(fresh(f"{p.lane}_turn"), ZERO, rows)
    v = Axis(fresh(f"{p.deep}_turn"), ZERO, found["count"])
    quotient = Prim("floordiv", (p.numerator, p.divisor), INT64)
    position = add(found["base"], add(t.index, mul(v.index, found["shift"])))
    points: dict[Expr, Expr] = {
        lane.index: add(r, mul(p.divisor, t.index)),
        deep.index: add(found["tap"], mul(found["taps"], v.index)),
    }

    def side(value: Expr) -> Expr:
        """A side over t and v."""
        return simplified(substitute(value, {quotient: position} | points))

    def group(g: Group) -> Group:
        return Group(tuple(t if a is lane else v if a is deep else a for a in g.axes))

    sums = tuple(replace(s, a=side(s.a), b=side(s.b)) for s in c.sums)
    places = (*c.places, (lane.index, points[lane.index]))
    made = replace(
        c, m=group(c.m), n=group(c.n), k=group(c.k), sums=sums, places=places
    )
    return made, (remainder, lets)
