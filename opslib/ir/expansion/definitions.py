"""Left sides: what a definition's target indexes, and over what ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from opslib.ir.build import cast, multiply_add
from opslib.ir.dtypes import INT64
from opslib.ir.expansion.extents import infer
from opslib.ir.expansion.frame import Frame, Group, Scope
from opslib.ir.expansion.packs import pack
from opslib.ir.expr import ZERO, Axis, Expr
from opslib.language import syntax
from opslib.language.tree import walk


def declared_groups(frame: Frame, axes: Sequence[syntax.Expression]) -> list[Group]:
    """The program dims of a tensor type's axes."""
    groups: list[Group] = []
    scope = Scope()
    for axis in axes:
        if isinstance(axis, syntax.Pack):
            entries = pack(frame, axis, scope)
            dims = entries if isinstance(entries, list) else [entries]
            groups.append(Group("pack", tuple(dims)))
        elif isinstance(axis, syntax.Composite):
            parts = tuple(frame.value(p, scope) for p in axis.parts)
            groups.append(Group("composite", parts))
        else:
            groups.append(Group("single", (frame.value(axis, scope),)))
    return groups


def target_names(target: syntax.Target) -> tuple[list[str], list[str]]:
    """Index names and index packs that a target binds."""
    plain: list[str] = []
    packs: list[str] = []
    for item in target.items:
        if isinstance(item, syntax.Name):
            plain.append(item.name)
        elif isinstance(item, syntax.Composite):
            plain += [p.name for p in item.parts if isinstance(p, syntax.Name)]
        elif isinstance(item, syntax.Pack) and isinstance(item.value, syntax.Name):
            packs.append(item.value.name)
    return plain, packs


def local_groups(
    frame: Frame, definition: syntax.Definition, target: syntax.Target
) -> list[Group]:
    """The dims of a local: inferred from the reads on the right side."""
    plain, packs = target_names(target)
    names = frozenset(plain + packs)
    found = infer(frame, (definition.value,), names, Scope())
    for binder in definition.ranges:
        assert binder.stop is not None
        found[binder.name] = (cast(frame.value(binder.stop, Scope()), INT64),)
    if not names <= set(found):
        found = _from_uses(frame, target, names) | found
    groups: list[Group] = []
    for item in target.items:
        match item:
            case syntax.Pack(value=None):
                groups.append(Group("pack", tuple(frame.packs.get(None, []))))
            case syntax.Pack(value=syntax.Name() as name):
                groups.append(Group("pack", _extent(frame, found, name)))
            case syntax.Composite():
                dims = tuple(
                    _extent(frame, found, p)[0]
                    for p in item.parts
                    if isinstance(p, syntax.Name)
                )
                groups.append(Group("composite", dims))
            case syntax.Name():
                groups.append(Group("single", _extent(frame, found, item)))
            case _:
                frame.fail(item, "a local is indexed by plain indices", "E0508")
    return groups


def _from_uses(
    frame: Frame,
    target: syntax.Target,
    names: frozenset[str],
    visiting: frozenset[str] = frozenset(),
) -> dict[str, tuple[Expr, ...]]:
    """Extents of a local's indices from where it is read, results first.

    ``y[i] = w[g[i]]`` says how far the i of ``g[i] = ...`` goes; where y is a local
    too, its own i is asked first.
    """
    found: dict[str, tuple[Expr, ...]] = {}
    if target.name in visiting:
        return found
    visiting |= {target.name}
    results = {r.name: r for r in frame.operator.results}
    for user in frame.operator.definitions:
        uses = [
            n
            for n in walk(user.value)
            if isinstance(n, syntax.Index) and n.base == target.name
        ]
        for side in user.targets if uses else ():
            if side.name in results:
                groups = declared_groups(frame, results[side.name].type.axes)
                ranges = _target_ranges(frame, side, groups)
            else:
                plain, packs = target_names(side)
                wanted = frozenset(plain + packs)
                ranges = infer(frame, (user.value,), wanted, Scope())
                if not wanted <= set(ranges):
                    ranges = _from_uses(frame, side, wanted, visiting) | ranges
            for node in uses:
                for own, there in zip(target.items, node.items, strict=False):
                    _match_use(own, there, names, ranges, found)
    return found


def _target_ranges(
    frame: Frame, side: syntax.Target, groups: Sequence[Group]
) -> dict[str, tuple[Expr, ...]]:
    ranges: dict[str, tuple[Expr, ...]] = {}
    for item, part in zip(side.items, widths(frame, side, groups), strict=True):
        dims = tuple(d for g in part for d in g.dims)
        if isinstance(item, syntax.Name):
            ranges[item.name] = dims
        elif isinstance(item, syntax.Pack) and isinstance(item.value, syntax.Name):
            ranges[item.value.name] = dims
        elif isinstance(item, syntax.Composite):
            for p, d in zip(item.parts, dims, strict=False):
                if isinstance(p, syntax.Name):
                    ranges[p.name] = (d,)
    return ranges


def _match_use(
    own: syntax.Expression,
    there: syntax.Expression,
    names: frozenset[str],
    ranges: dict[str, tuple[Expr, ...]],
    found: dict[str, tuple[Expr, ...]],
) -> None:
    if isinstance(own, syntax.Pack) and isinstance(there, syntax.Pack):
        if own.value is not None and there.value is not None:
            _match_use(own.value, there.value, names, ranges, found)
        return
    if not isinstance(own, syntax.Name) or not isinstance(there, syntax.Name):
        return
    if own.name in names and there.name in ranges:
        found.setdefault(own.name, ranges[there.name])


def _extent(
    frame: Frame, found: dict[str, tuple[Expr, ...]], name: syntax.Name
) -> tuple[Expr, ...]:
    if name.name not in found:
        frame.fail(
            name,
            f"nothing says how far '{name.name}' goes",
            "E0502",
            help="read some array at this index alone, or define a result",
        )
    return found[name.name]


def widths(
    frame: Frame, target: syntax.Target, groups: Sequence[Group]
) -> list[list[Group]]:
    """For each item of a target the declared dims it stands for."""
    if len(target.items) == len(groups):
        return [[g] for g in groups]
    # Packs were spread differently: `y[...i]` of a type with several axes.
    flat: list[Group] = []
    for g in groups:
        if g.kind == "pack":
            flat += [Group("single", (d,)) for d in g.dims]
        else:
            flat.append(g)
    open_items = [k for k, i in enumerate(target.items) if isinstance(i, syntax.Pack)]
    fixed = len(target.items) - len(open_items)
    if len(open_items) != 1 or len(flat) < fixed:
        frame.fail(
            target,
            f"'{target.name}' has {len(flat)} axes here, and is indexed by "
            f"{len(target.items)}",
            "E0503",
        )
    result: list[list[Group]] = []
    at = 0
    for k in range(len(target.items)):
        n = len(flat) - fixed if k == open_items[0] else 1
        result.append(flat[at : at + n])
        at += n
    return result


def bind_target(
    frame: Frame,
    target: syntax.Target,
    groups: Sequence[Group],
    given: Sequence[Expr] | None = None,
) -> tuple[tuple[Axis, ...], Scope]:
    """The axes of a plain target, and the scope of its right side.

    With `given` indices (an inlined call reads one element) no axes are made.
    """
    axes: list[Axis] = []
    indices: dict[str, Expr] = {}
    packs: dict[str | None, tuple[Expr, ...]] = {}
    supply = iter(given) if given is not None else None

    def entry(base: str, dim: Expr) -> Expr:
        if supply is not None:
            return next(supply)
        axis = Axis(unique(frame, base, axes), ZERO, dim)
        axes.append(axis)
        return axis.index

    for item, part in zip(target.items, widths(frame, target, groups), strict=True):
        dims = [d for g in part for d in g.dims]
        match item:
            case syntax.Pack(value=None):
                packs[None] = tuple(entry(f"b{k}", d) for k, d in enumerate(dims))
            case syntax.Pack(value=syntax.Name() as name):
                packs[name.name] = tuple(
                    entry(f"{name.name}{k}", d) for k, d in enumerate(dims)
                )
            case syntax.Composite():
                if len(item.parts) != len(dims):
                    frame.fail(
                        item,
                        f"this axis has {len(dims)} parts, and {len(item.parts)} "
                        "indices stand here",
                        "E0503",
                        help="one index for each part of the declared axis",
                    )
                for p, d in zip(item.parts, dims, strict=True):
                    assert isinstance(p, syntax.Name)
                    indices[p.name] = entry(p.name, d)
            case syntax.Name() if len(dims) == 1:
                indices[item.name] = entry(item.name, dims[0])
            case syntax.Name():
                # A flat index over a composite axis: one loop for each part.
                flat: Expr = ZERO
                for k, d in enumerate(dims):
                    flat = multiply_add(flat, d, entry(f"{item.name}{k}", d))
                indices[item.name] = flat
            case _:
                frame.fail(
                    item,
                    "a result is defined at plain indices, or with a combine",
                    "E0508",
                    help="write 'add=' after an initial value",
                )
    return tuple(axes), Scope(indices=indices, packs=packs, axes=tuple(axes))


def unique(frame: Frame, base: str, axes: Sequence[Axis]) -> str:
    """`base`, or with underscores where a size, tensor or axis has that name."""
    taken = {a.name for a in axes} | set(frame.sizes) | set(frame.operands)
    taken |= {d.name for ds in frame.packs.values() for d in ds if hasattr(d, "name")}
    name = base
    while name in taken:
        name += "_"
    return name


def scope_in(scope: Scope, outer: Scope) -> Scope:
    """A callee's scope with the live axes and the path of its caller."""
    return replace(scope, axes=outer.axes + scope.axes, path=outer.path)
