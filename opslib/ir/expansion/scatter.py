"""Writes to where the data say, with how values that meet combine."""

from __future__ import annotations

from opslib.ir import monoid
from opslib.ir.build import cast
from opslib.ir.dtypes import INT64
from opslib.ir.expansion import access
from opslib.ir.expansion.draft import Draft
from opslib.ir.expansion.extents import infer
from opslib.ir.expansion.frame import Scope
from opslib.ir.expansion.recurrences import in_type
from opslib.ir.expr import ZERO, Axis, Define, Expr
from opslib.language import syntax
from opslib.language.tree import walk

COMBINES = {
    "add": monoid.sum_of,
    "mul": monoid.product_of,
    "max": monoid.maximum_of,
    "min": monoid.minimum_of,
    "set": monoid.last_of,
}


def scatter(draft: Draft, definition: syntax.Definition) -> None:
    """Adds the Define of ``y[ids[i]] add= u[i]``."""
    frame, target = draft.frame, definition.targets[0]
    operand = frame.operands.get(target.name)
    stored = [t for t in draft.locals if t.name in (target.name, f"{target.name}_wide")]
    if operand is None or not stored:
        frame.fail(
            definition,
            f"'{target.name}' has no initial value",
            "E0509",
            help=f"write first: {target.name}[...] = 0",
        )
    axes, scope = _axes(draft, definition, target)
    place = syntax.Index(base=target.name, items=target.items, span=target.span)
    at = access.indices(frame, place, operand, scope)
    at = access.checked(frame, place, operand, at, scope)
    value = in_type(frame.value(definition.value, scope), stored[0].dtype)
    made = COMBINES[str(definition.combine)](stored[0].dtype)
    draft.defines.append(Define(stored[0].name, axes, at, value, made))


def _axes(
    draft: Draft, definition: syntax.Definition, target: syntax.Target
) -> tuple[tuple[Axis, ...], Scope]:
    """Indices of a scatter: every name that is not a size, by first use."""
    frame = draft.frame
    roots = (*target.items, definition.value)
    bound = {
        b.name for n in walk(roots) if isinstance(n, syntax.Along) for b in n.binders
    }
    known = set(frame.sizes) | set(frame.attributes) | set(frame.operands)
    known |= bound | set(frame.macros) | frame.absent | {"pi"}
    names: list[str] = []
    for node in walk(roots):
        if isinstance(node, syntax.Name) and node.name not in known:
            names.append(node.name)
            known.add(node.name)
    found = infer(frame, (target, definition.value), frozenset(names), Scope())
    for binder in definition.ranges:
        assert binder.stop is not None
        found[binder.name] = (cast(frame.value(binder.stop, Scope()), INT64),)
    packed = [n for n in walk(roots) if isinstance(n, syntax.Pack)]
    axes: list[Axis] = []
    indices: dict[str, Expr] = {}
    packs: dict[str | None, tuple[Expr, ...]] = {}
    if any(n.value is None for n in packed):
        dims = frame.packs.get(None, [])
        axes += [Axis(f"b{k}", ZERO, d) for k, d in enumerate(dims)]
        packs[None] = tuple(a.index for a in axes)
    in_packs = {n.value.name for n in packed if isinstance(n.value, syntax.Name)}
    for name in names:
        if name not in found:
            frame.fail(definition, f"nothing says how far '{name}' goes", "E0502")
        if name in in_packs:
            made = [Axis(f"{name}{k}", ZERO, d) for k, d in enumerate(found[name])]
            packs[name] = tuple(a.index for a in made)
        else:
            made = [Axis(name, ZERO, found[name][0])]
            indices[name] = made[0].index
        axes += made
    scope = Scope(indices=indices, packs=packs, axes=tuple(axes))
    return tuple(axes), scope
