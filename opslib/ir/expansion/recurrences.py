"""Definitions that read themselves: along which axis, and in which direction."""

from __future__ import annotations

from collections.abc import Mapping

from opslib.ir.build import arithmetic, cast, coerce, integer, is_weak
from opslib.ir.dtypes import FLOAT64, DType, compute_type
from opslib.ir.expansion.draft import Draft
from opslib.ir.expansion.frame import Group, LocalValue
from opslib.ir.expr import (
    Axis,
    Const,
    Define,
    Expr,
    Prim,
    Read,
    Tensor,
    Var,
    substitute,
    transform,
    walk,
)
from opslib.language import syntax, tree


def reads_itself(definition: syntax.Definition, target: syntax.Target) -> bool:
    """Whether the target stands on the right side too."""
    return any(
        isinstance(n, syntax.Index) and n.base == target.name
        for n in tree.walk(definition.value)
    )


def recursive_type(draft: Draft, target: syntax.Target) -> DType:
    """The type a recurrence is kept in: it is not seen from its right side."""
    declared = draft.declared(target.name)
    if declared is not None:
        return compute_type(declared)
    for dtype in draft.frame.dtypes.values():
        return compute_type(dtype)
    return FLOAT64


def in_type(value: Expr, dtype: DType) -> Expr:
    """A value in the type of what it is stored in."""
    return coerce(value, dtype) if is_weak(value) else cast(value, dtype)


def recurrent_axis(
    draft: Draft,
    definition: syntax.Definition,
    target: syntax.Target,
    axes: tuple[Axis, ...],
    value: Expr,
) -> tuple[str, bool]:
    """The axis along which the target reads itself, and whether backwards."""
    found: set[tuple[str, bool]] = set()
    for node in walk(value):
        if isinstance(node, Read) and node.tensor == target.name:
            for axis, index in zip(axes, node.indices, strict=True):
                if index is not axis.index:
                    found.add((axis.name, _shift(axis, index) > 0))
    if len(found) != 1:
        draft.frame.fail(
            definition,
            f"'{target.name}' must read itself along exactly one axis",
            "E0507",
            help="such as y[t - 1] in the definition of y[t]",
        )
    return found.pop()


def mirrored(
    draft: Draft,
    target: syntax.Target,
    groups: list[Group],
    axes: tuple[Axis, ...],
    value: Expr,
    along: str,
) -> Expr:
    """A recurrence that reads later elements, as a forward one of the mirror image.

    ``r[t] = y[n - 1 - t]`` turns y[t + k] into r[t - k], so that everything behind
    this point knows one direction only. Adds r, and returns the value of y.
    """
    place = next(k for k, a in enumerate(axes) if a.name == along)
    axis = axes[place]
    mirror = f"{target.name}_mirrored"
    last = arithmetic("sub", axis.stop, integer(1))
    there = arithmetic("sub", last, axis.index)
    # First everything else at the mirrored place, then the reads of itself.
    own = [n for n in walk(value) if isinstance(n, Read) and n.tensor == target.name]
    hidden: dict[Expr, Expr] = {n: Var(f"own{k}", n.dtype) for k, n in enumerate(own)}
    shown: dict[Expr, Expr] = {}
    for node in own:
        indices = list(node.indices)
        shift = _shift(axis, indices[place])
        indices[place] = arithmetic("sub", axis.index, integer(shift))
        shown[hidden[node]] = Read(mirror, tuple(indices), node.type)
    made = substitute(substitute(value, hidden), {axis.index: there})
    made = substitute(made, shown)
    positions = tuple(a.index for a in axes)
    dims = tuple(d for g in groups for d in g.dims)
    draft.locals.append(Tensor(mirror, made.dtype, dims))
    draft.frame.shared.locals[mirror] = LocalValue(FLOAT64, positions, made)
    draft.defines.append(Define(mirror, axes, positions, made, None, along))
    back = tuple(there if k == place else i for k, i in enumerate(positions))
    return Read(mirror, back, made.dtype)


def renamed(value: Expr, new: Mapping[str, str]) -> Expr:
    """`value` with reads of one tensor made reads of another."""

    def rule(node: Expr) -> Expr | None:
        if isinstance(node, Read) and node.tensor in new:
            return Read(new[node.tensor], node.indices, node.type)
        return None

    return transform(value, rule)


def _shift(axis: Axis, index: Expr) -> int:
    """K of the index ``axis + k``; the checker admits only literal shifts."""
    if isinstance(index, Prim) and index.op in ("add", "sub"):
        left, right = index.args
        sign = 1 if index.op == "add" else -1
        if left is axis.index and isinstance(right, Const):
            return sign * int(right.value)
        if right is axis.index and isinstance(left, Const) and sign > 0:
            return int(left.value)
    return -1
