"""What ``fit(i, s)`` asks of a call: that the shape s broadcasts to the range of i.

An index that is too large fails when the kernel runs; an extent that is too large would
be read in part, and no one would know. Both are found here, before anything is planned,
where shapes can be named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from opslib.errors import ShapeError
from opslib.ir.facts import Facts
from opslib.ir.roles import axes_of, fitted_packs, pack_of
from opslib.ir.statics import UNDEFINED, NotStatic, evaluate, evaluate_pack
from opslib.language import syntax
from opslib.language.tree import names, walk

# How far an axis reaches: a pack's axes, the parts of a composite one, or one number;
# None where it does not follow from the signature.
Extent = list[int] | tuple["int | None", ...] | int | None
# For each index, the number of values it takes; for a pack of indices, of each.
Ranges = dict[str, Extent]


def check_fits(facts: Facts) -> None:
    """Holds the tensors that the definitions broadcast to what they are read by.

    Raises:
        ShapeError: one does not broadcast; with its shape and the one it has to fit.
    """
    operator = facts.operator
    if not fitted_packs(operator):
        return
    shapes: dict[str, list[Extent]] = {}
    for p in operator.tensors:
        if p.name not in _absent(facts):
            shapes[p.name] = [_extent(a, facts) for a in axes_of(p)]
    for r in operator.results:
        if r.instances is None:
            shapes[r.name] = [_extent(a, facts) for a in axes_of(r)]
    for definition in operator.definitions:
        ranges = _ranges(definition, shapes)
        for node in walk(definition.value):
            if isinstance(node, syntax.Apply) and node.function == "fit":
                _check(facts, node, ranges)
        for target in definition.targets:
            shapes.setdefault(target.name, [_known(i, ranges) for i in target.items])


def _absent(facts: Facts) -> set[str]:
    return {name for name, present in facts.present.items() if not present}


def _extent(axis: syntax.Expression, facts: Facts) -> Extent:
    try:
        if isinstance(axis, syntax.Pack):
            if axis.value is None:
                return list(facts.packs[None])
            return [int(n) for n in evaluate_pack(axis.value, facts.scope())]
        if isinstance(axis, syntax.Composite):
            return tuple(int(evaluate(p, facts.scope())) for p in axis.parts)
        return int(evaluate(axis, facts.scope()))
    except (NotStatic, *UNDEFINED):
        return None


def _ranges(
    definition: syntax.Definition, shapes: Mapping[str, list[Extent]]
) -> Ranges:
    """Ranges of the indices that stand alone in an axis of something with a shape."""
    ranges: Ranges = {}
    for target in definition.targets:
        _learn(ranges, target.items, shapes.get(target.name))
    loose = {
        id(read)
        for node in walk(definition.value)
        if isinstance(node, syntax.Otherwise)
        for read in walk(node.read)
    }
    for node in walk(definition.value):
        # Of ``x[i] ?? 0`` nothing follows: i may go beyond x.
        if isinstance(node, syntax.Index) and not node.which and id(node) not in loose:
            _learn(ranges, node.items, shapes.get(node.base))
    # A range that is written is what the index takes, whatever the tensor has.
    for node in walk(definition):
        if isinstance(node, syntax.Binder) and node.stop is not None:
            ranges[node.name] = None
    return ranges


def _learn(
    ranges: Ranges, items: Iterable[syntax.Expression], extents: list[Extent] | None
) -> None:
    items = tuple(items)
    if extents is None or len(items) != len(extents):
        return
    for item, extent in zip(items, extents, strict=True):
        name = pack_of(item) if isinstance(item, syntax.Pack) else None
        if name is not None and isinstance(extent, list):
            ranges.setdefault(name, extent)
        elif isinstance(item, syntax.Composite) and isinstance(extent, tuple):
            _learn(ranges, item.parts, list(extent))
        elif isinstance(item, syntax.Name) and isinstance(extent, int):
            ranges.setdefault(item.name, extent)


def _known(item: syntax.Expression, ranges: Ranges) -> Extent:
    """How far an axis of a local reaches, by the index that its definition has."""
    if isinstance(item, syntax.Pack):
        return ranges.get(pack_of(item) or "")
    if isinstance(item, syntax.Composite):
        found = [_known(p, ranges) for p in item.parts]
        return tuple(n if isinstance(n, int) else None for n in found)
    return ranges.get(item.name) if isinstance(item, syntax.Name) else None


def _check(facts: Facts, node: syntax.Apply, ranges: Ranges) -> None:
    *indices, last = node.arguments
    assert isinstance(last, syntax.Name)
    owner = next(
        (
            p
            for p in facts.operator.tensors
            if any(pack_of(a) == last.name for a in axes_of(p))
        ),
        None,
    )
    if owner is None or owner.name in _absent(facts):
        return
    wanted: list[int | None] = []
    for index in indices:
        extent = _reach(index, ranges, facts)
        if extent is None and isinstance(index, syntax.Name):
            return  # It may be several.
        wanted += extent if isinstance(extent, list) else [extent]
    shape = facts.packs[last.name]
    tail = wanted[len(wanted) - len(shape) :]
    if len(shape) <= len(wanted) and all(
        n == 1 or want is None or n == want for n, want in zip(shape, tail, strict=True)
    ):
        return
    name = facts.operator.name
    target = ", ".join("?" if n is None else str(n) for n in wanted)
    comma = "," if len(wanted) == 1 else ""
    facts.fail(
        ShapeError,
        owner.name,
        f"{name} got '{owner.name}' of shape {tuple(shape)}, which does not broadcast "
        f"to ({target}{comma})",
        "E0702",
        help="axes are matched from the right; each is of that length, or of length 1",
    )


def _reach(
    index: syntax.Expression, ranges: Ranges, facts: Facts
) -> list[int] | int | None:
    """How many values an index takes; of ``h * r + u``, by its largest."""
    if isinstance(index, syntax.Name):
        found = ranges.get(index.name)
        return None if isinstance(found, tuple) else found
    plain = syntax.Name | syntax.Number | syntax.Binary
    for node in walk(index):
        rising = not isinstance(node, syntax.Binary) or node.operator in "+*"
        if not isinstance(node, plain) or not rising:
            return None
    values = dict(facts.values)
    for name in names(index):
        extent = ranges.get(name)
        if isinstance(extent, int):
            values[name] = extent - 1
        elif name not in values:
            return None
    try:
        return 1 + int(evaluate(index, replace(facts.scope(), values=values)))
    except (NotStatic, *UNDEFINED):
        return None
