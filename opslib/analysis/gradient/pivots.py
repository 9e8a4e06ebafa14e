"""Pivots: maxima that a spec subtracts and adds again, which carry no gradient.

``exp(x - m) / sum(exp(x - m))`` does not depend on m, whatever m is; m is the maximum
so that nothing overflows. The derivative with respect to it is 0, and following it
would give a sum that is 0 but for rounding. Whether a value is a pivot is decided by
adding a constant c to it and following what becomes of every other value: it may get
``k c`` more (`Shift`), or ``exp(k c)`` times as large (`Scale`). Results that get
neither do not depend on it.

Where the maximum is infinite, the specs choose another value by a test (``m == -inf``);
no gradient passes there, so that the branch of a finite m is followed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from opslib.ir.expr import (
    Cast,
    Const,
    Define,
    Expr,
    Fold,
    Index,
    Prim,
    Program,
    Read,
    Select,
    walk,
)


@dataclass(frozen=True, slots=True)
class Shift:
    """The value gets `k` times the constant more; 0: it stays."""

    k: float


@dataclass(frozen=True, slots=True)
class Scale:
    """The value gets exp(k times the constant) times as large."""

    k: float


STILL = Shift(0.0)
# None: something else happens to it. ZERO: it is 0, which any scale leaves so.
Effect = Shift | Scale | None
ZERO = Scale(math.nan)


def pivots(program: Program) -> frozenset[Expr]:
    """The maxima and minima in the program that its results do not depend on."""
    candidates: list[Expr] = []
    for d in program.defines:
        for node in walk(d.value):
            folds = isinstance(node, Fold) and node.monoid.name in ("max", "min")
            joins = isinstance(node, Prim) and node.op in ("max", "min")
            if folds or (joins and any(isinstance(n, Fold) for n in walk(node))):
                candidates.append(node)
    found = [c for c in dict.fromkeys(candidates) if is_pivot(program, c)]
    return frozenset(found)


def is_pivot(program: Program, candidate: Expr) -> bool:
    """Whether no result changes when a constant is added to the candidate."""
    if not candidate.dtype.is_float:
        return False
    tensors: dict[str, Effect] = {t.name: STILL for t in program.inputs}
    for d in program.defines:
        if not _defined(d, tensors, candidate):
            return False
    return all(tensors[t.name] == STILL for t in program.outputs)


def _defined(d: Define, tensors: dict[str, Effect], candidate: Expr) -> bool:
    if d.recurrent or d.combine is not None:
        before = tensors.get(d.name, STILL)
        tensors.setdefault(d.name, STILL)
        effect = _effect((d.value, *d.indices), tensors, candidate)
        # What depends on itself must not change at all.
        return effect == STILL and before == STILL
    tensors[d.name] = _effect((d.value,), tensors, candidate)
    return True


def _effect(
    roots: tuple[Expr, ...], tensors: Mapping[str, Effect], candidate: Expr
) -> Effect:
    known: dict[Expr, Effect] = {candidate: Shift(1.0)}
    for node in walk(*roots):
        if node not in known:
            known[node] = _one(node, known, tensors)
    effects = {known[r] for r in roots}
    return effects.pop() if len(effects) == 1 else None


def _one(
    node: Expr, known: Mapping[Expr, Effect], tensors: Mapping[str, Effect]
) -> Effect:
    below = [known[c] for c in node.children]
    match node:
        case Read(tensor):
            if any(e != STILL for e in below):
                return None
            return tensors[tensor]
        case Const(value):
            return ZERO if isinstance(value, float) and value == 0 else STILL
        case Index():
            return STILL
        case Cast():
            return below[0] if node.type.is_float else _still(below)
        case Select(condition, yes, no):
            return _chosen(condition, known[yes], known[no], known)
        case Prim():
            return _primitive(node, below)
        case Fold():
            axes, args = below[: len(node.axes)], below[len(node.axes) :]
            if any(e != STILL for e in axes):
                return None
            if all(_is_still(e) for e in args):
                return STILL
            if len(args) == 1 and node.monoid.name in ("max", "min"):
                return args[0]
            if len(args) == 1 and node.monoid.name == "sum":
                return args[0] if isinstance(args[0], Scale) else None
            return None
    return _still(below)


def _is_still(effect: Effect) -> bool:
    return effect in (STILL, ZERO) or effect == Scale(0.0)


def _still(below: list[Effect]) -> Effect:
    return STILL if all(map(_is_still, below)) else None


def _chosen(
    condition: Expr, yes: Effect, no: Effect, known: Mapping[Expr, Effect]
) -> Effect:
    finite = _if_finite(condition, known)
    if finite is not None:
        return yes if finite else no
    if not _is_still(known[condition]):
        return None
    if yes == no:
        return yes
    for one, other in ((yes, no), (no, yes)):
        if one is ZERO:
            if _is_still(other):
                return STILL
            if isinstance(other, Scale):
                return other
    return STILL if _is_still(yes) and _is_still(no) else None


def _if_finite(condition: Expr, known: Mapping[Expr, Effect]) -> bool | None:
    """What a test of a shifted value for infinity gives where the value is finite."""
    match condition:
        case Prim("isfinite", (value,)) if _moves(known[value]):
            return True
        case Prim("isinf" | "isnan", (value,)) if _moves(known[value]):
            return False
        case Prim("eq" | "ne" as op, (left, right)):
            for value, other in ((left, right), (right, left)):
                is_limit = isinstance(other, Const) and not math.isfinite(other.value)
                if is_limit and _moves(known[value]):
                    return op == "ne"
        case Prim("not", (inner,)):
            found = _if_finite(inner, known)
            return None if found is None else not found
    return None


def _moves(effect: Effect) -> bool:
    return isinstance(effect, Shift) and effect != STILL


def _primitive(node: Prim, below: list[Effect]) -> Effect:
    if all(map(_is_still, below)):
        return ZERO if node.op == "mul" and ZERO in below else STILL
    shifts = [
        e.k if isinstance(e, Shift) else 0.0 if e is ZERO else None for e in below
    ]
    scales = [
        e.k if isinstance(e, Scale) else 0.0 if e == STILL else None for e in below
    ]
    match node.op:
        case "add" | "sub":
            if None not in shifts:
                first, second = (k or 0.0 for k in shifts)
                return Shift(first + second if node.op == "add" else first - second)
            left, right = below
            for one, other in ((left, right), (right, left)):
                if one is ZERO:
                    return other
            return left if isinstance(left, Scale) and left == right else None
        case "mul" | "div":
            if ZERO in below:
                return ZERO if node.op == "mul" or below[0] is ZERO else None
            if None in scales:
                return None
            first, second = (k or 0.0 for k in scales)
            k = first + second if node.op == "mul" else first - second
            return Scale(k) if k else STILL
        case "neg":
            (effect,) = below
            return Shift(-effect.k) if isinstance(effect, Shift) else effect
        case "max" | "min":
            return below[0] if below[0] == below[1] else None
        case "exp":
            (effect,) = below
            return Scale(effect.k) if isinstance(effect, Shift) else None
        case "log":
            (effect,) = below
            return Shift(effect.k) if isinstance(effect, Scale) else None
    return None
