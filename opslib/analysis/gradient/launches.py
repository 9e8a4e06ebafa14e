"""Which results of a gradient are computed together, and which by themselves.

Skeletons are chosen for a program, so two contractions in one program, such as the two
operands' of a product, would get neither microkernels nor tensor cores.
"""

from __future__ import annotations

from opslib.ir.expr import Define, Fold, Program, Read, walk


def launches(program: Program) -> tuple[tuple[str, ...], ...]:
    """Groups of results, in order: those that share locals stay together.

    Results that share none and are folds are each a group; maps are one.
    """
    of = {t.name: _reached(program, t.name) for t in program.outputs}
    groups: list[list[str]] = []
    for name in of:
        mine = [g for g in groups if any(of[name] & of[other] for other in g)]
        if not mine and not _folds(program, name):
            mine = [g for g in groups if not any(_folds(program, o) for o in g)]
        merged = [name]
        for g in mine:
            merged = [*g, *merged]
            groups.remove(g)
        groups.append(merged)
    order = list(of)
    return tuple(
        sorted((tuple(g) for g in groups), key=lambda group: order.index(group[0]))
    )


def _reached(program: Program, name: str) -> frozenset[str]:
    """The locals that a result needs."""
    locals_ = {t.name for t in program.locals}
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for d in _defines(program, waiting.pop()):
            for e in (*d.axes, *d.indices, d.value):
                for n in walk(e):
                    if isinstance(n, Read) and n.tensor in locals_ - found:
                        found.add(n.tensor)
                        waiting.append(n.tensor)
    return frozenset(found)


def _folds(program: Program, name: str) -> bool:
    return any(
        isinstance(n, Fold) for d in _defines(program, name) for n in walk(d.value)
    )


def _defines(program: Program, name: str) -> list[Define]:
    return [d for d in program.defines if d.name == name]
