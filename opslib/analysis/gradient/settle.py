"""The last touches: sums of sums as one, and bounds asked where the read is.

The transpose of a window is ``sum[u](sum[f](dy[f, p(u)] * w[f, u]) if p(u) is whole and
inside else 0)``. It is written, and recognised by lowering, as one sum of products:
``sum[u, f]((dy[f, p(u)] ?? 0) * w[f, u] if p(u) is whole else 0)``.
"""

from __future__ import annotations

import dataclasses

from opslib.analysis.gradient.scopes import free
from opslib.analysis.gradient.transpose import conjuncts
from opslib.ir.build import both, compare, select
from opslib.ir.expr import (
    TRUE,
    ZERO,
    Cast,
    Const,
    Expr,
    Fold,
    Index,
    Prim,
    Program,
    Read,
    Select,
    is_const,
    transform,
    walk,
)


def settled(program: Program, forward: frozenset[str]) -> Program:
    """`program` with the definitions that are not of `forward` in their last form."""
    shapes = {
        t.name: t.shape for t in (*program.inputs, *program.outputs, *program.locals)
    }

    def guards(node: Expr) -> Expr | None:
        return _bounds_at_reads(node, shapes) if isinstance(node, Select) else None

    return dataclasses.replace(
        program,
        defines=tuple(
            d
            if d.name in forward
            else dataclasses.replace(
                d, value=transform(transform(d.value, one_sum), guards)
            )
            for d in program.defines
        ),
    )


def one_sum(node: Expr) -> Expr | None:
    """A sum over a sum, with or without a condition in between, as one."""
    if not isinstance(node, Fold) or node.monoid.name != "sum":
        return None
    (value,) = node.args
    condition: Expr = TRUE
    if isinstance(value, Select) and is_const(value.no, 0):
        condition, value = value.condition, value.yes
    if not isinstance(value, Fold) or value.monoid != node.monoid:
        return None
    if {a.name for a in node.axes} & {a.name for a in value.axes}:
        return None
    if free(condition) & {a.name for a in value.axes}:
        return None
    (inner,) = value.args
    inner = select(condition, inner, Const(0.0, inner.dtype))
    return Fold(node.monoid, (*node.axes, *value.axes), (inner,))


def _bounds_at_reads(
    node: Select, shapes: dict[str, tuple[Expr, ...]], alone: bool = False
) -> Expr | None:
    """Conditions on where a factor is read, at the factor; `alone`: if it is all."""
    if not is_const(node.no, 0) or not node.no.dtype.is_float:
        return None
    if isinstance(node.yes, Prim) and node.yes.op == "neg":
        inner = Select(node.condition, node.yes.args[0], node.no)
        found = _bounds_at_reads(inner, shapes, True)
        return None if found is None else Prim("neg", (found,), found.dtype)
    factors = _factors(node.yes)
    asked = conjuncts(node.condition)
    for k, factor in enumerate(factors):
        read = factor.value if isinstance(factor, Cast) else factor
        if not isinstance(read, Read):
            continue
        bounds: set[Expr] = set()
        places: set[Expr] = set()
        for index, dim in zip(read.indices, shapes[read.tensor], strict=True):
            if not isinstance(index, Index):
                bounds |= {compare("ge", index, ZERO), compare("lt", index, dim)}
                places.add(index)
        own = [c for c in asked if c in bounds]
        rest = [c for c in asked if c not in bounds]
        others = [*factors[:k], *factors[k + 1 :], *rest]
        elsewhere = any(
            isinstance(n, Read) and places & set(n.indices) for n in walk(*others)
        )
        is_done = len(factors) == 1 and not rest and not alone
        if not own or is_done or elsewhere:
            continue
        condition: Expr = TRUE
        for c in own:
            condition = both(condition, c)
        guarded = select(condition, factor, node.no)
        value = _product([*factors[:k], guarded, *factors[k + 1 :]])
        outer: Expr = TRUE
        for c in rest:
            outer = both(outer, c)
        return select(outer, value, node.no)
    return None


def _factors(node: Expr) -> list[Expr]:
    if isinstance(node, Prim) and node.op == "mul":
        return [f for a in node.args for f in _factors(a)]
    return [node]


def _product(factors: list[Expr]) -> Expr:
    result = factors[0]
    for f in factors[1:]:
        result = Prim("mul", (result, f), result.dtype)
    return result
