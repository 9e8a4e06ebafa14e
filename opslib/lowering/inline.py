"""Inlining: calls become their expansion, and locals not worth memory disappear.

A local stays when it is read at several places, or again and again at one place
(softmax's exponentials, a mean used for a whole row), unless it is cheaper to compute
than to load.
"""

from __future__ import annotations

import dataclasses

from opslib.ir.expr import (
    Axis,
    Call,
    Cast,
    Const,
    Define,
    Expr,
    Fold,
    Index,
    Order,
    Prim,
    Program,
    Read,
    Scan,
    Size,
    rebuild,
    substitute,
    transform,
    walk,
)
from opslib.ir.printer import rename

# Operations that cost about as much as the load of a local.
CHEAP = frozenset(
    (
        *("add", "sub", "mul", "neg", "abs", "max", "min", "and", "or", "not", "xor"),
        *("lt", "le", "gt", "ge", "eq", "ne"),
        *("bitand", "bitor", "bitxor", "bitnot"),
    )
)
_CHEAP_LIMIT = 4


def inline(program: Program) -> Program:
    """Removes every Call, and the locals that need not be kept."""
    defines = [
        dataclasses.replace(
            d,
            axes=_axes(d.axes, without_calls),
            indices=tuple(map(without_calls, d.indices)),
            value=without_calls(d.value),
        )
        for d in program.defines
    ]
    checks = tuple(
        dataclasses.replace(
            c,
            axes=_axes(c.axes, without_calls),
            condition=without_calls(c.condition),
            value=None if c.value is None else without_calls(c.value),
            extent=None if c.extent is None else without_calls(c.extent),
        )
        for c in program.checks
    )
    counter = 0
    for local in program.locals:
        mine = [d for d in defines if d.name == local.name]
        if len(mine) != 1 or not mine[0].is_plain or mine[0].recurrent:
            continue
        read_by_checks = any(
            isinstance(n, Read) and n.tensor == local.name
            for c in checks
            for n in walk(c.condition, *c.axes)
        )
        others = [d for d in defines if d.name != local.name]
        if read_by_checks or not _worth_inlining(mine[0], others):
            continue
        new = []
        for d in others:
            counter += 1
            new.append(_inlined(d, mine[0], f"_{counter}"))
        defines = new
    left = {d.name for d in defines}
    return dataclasses.replace(
        program,
        locals=tuple(t for t in program.locals if t.name in left),
        defines=tuple(defines),
        checks=checks,
    )


def without_calls(root: Expr) -> Expr:
    """`root` with each Call replaced by its expansion."""
    return transform(root, lambda n: n.expansion if isinstance(n, Call) else None)


def _axes(axes: tuple[Axis, ...], change: object) -> tuple[Axis, ...]:
    assert callable(change)
    return tuple(rebuild(a, change) for a in axes)  # type: ignore[misc]


def is_cheap(value: Expr) -> bool:
    """Whether computing `value` again costs no more than loading it."""
    cost = 0
    for n in walk(value):
        match n:
            case Fold() | Scan() | Order():
                return False
            case Prim(op):
                if op not in CHEAP:
                    return False
                cost += n.dtype.is_float
            case Read(_, indices):
                cost += 1
                if not all(isinstance(i, Index | Const | Size) for i in indices):
                    cost += 2
            case Cast():
                cost += 1
    return cost <= _CHEAP_LIMIT


def _worth_inlining(local: Define, others: list[Define]) -> bool:
    uses = [u for d in others for u in _uses(d, local.name)]
    if not uses or is_cheap(local.value):
        return True
    return len(uses) == 1 and uses[0]


def _uses(define: Define, name: str) -> list[bool]:
    """One entry for each read of the local: whether each element is read just once."""
    found: list[bool] = []

    def visit(
        node: Expr, around: frozenset[str], seen: set[tuple[Expr, object]]
    ) -> None:
        if (node, around) in seen:
            return
        seen.add((node, around))
        match node:
            case Read(tensor, indices) if tensor == name:
                used = [i.name for i in indices if isinstance(i, Index)]
                once = len(used) == len(indices) == len(set(used))
                found.append(once and set(used) == around)
            case Fold():
                around |= {a.name for a in node.axes}
            case Scan() | Order():
                around |= {node.axis.name, "?"}
        for child in node.children:
            visit(child, around, seen)

    around = frozenset(a.name for a in define.axes)
    seen: set[tuple[Expr, object]] = set()
    for root in (*define.axes, *define.indices, define.value):
        visit(root, around, seen)
    return found


def _inlined(define: Define, local: Define, suffix: str) -> Define:
    if not any(
        isinstance(n, Read) and n.tensor == local.name
        for n in walk(*define.axes, *define.indices, define.value)
    ):
        return define
    # The same names for all uses in one definition, so that equal folds stay equal.
    taken = {a.name for a in walk(define.value, *define.axes) if isinstance(a, Axis)}
    taken |= {a.name for a in define.axes}
    binders = {a.name for a in walk(local.value) if isinstance(a, Axis)}
    value = rename(local.value, {n: n + suffix for n in binders & taken})

    def expand(node: Expr) -> Expr | None:
        if isinstance(node, Read) and node.tensor == local.name:
            pairs = zip(local.axes, node.indices, strict=True)
            mapping: dict[Expr, Expr] = {a.index: i for a, i in pairs}
            return substitute(value, mapping)
        return None

    def change(root: Expr) -> Expr:
        return transform(root, expand)

    return dataclasses.replace(
        define,
        axes=_axes(define.axes, change),
        indices=tuple(map(change, define.indices)),
        value=change(define.value),
    )
