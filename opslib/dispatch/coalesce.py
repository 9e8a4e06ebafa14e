"""Merging axes, so that a kernel's rank stays small and few kernels are compiled.

Two neighbouring entries of a pack become one axis when every array that has them can
be walked with one stride. A contiguous array of any rank is one axis to an
elementwise operator, and a reduction over the middle of five axes has three. Axes of
length 1 are then put in front where that lets one kernel serve several ranks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from opslib.ir.binding import (
    Binding,
    BoundInput,
    BoundOutput,
    Tag,
    pack_name,
)
from opslib.ir.view import View
from opslib.language import syntax
from opslib.language.functions import PACK_FUNCTIONS
from opslib.language.tree import names, walk

# Functions under which merging neighbours changes nothing but the number of axes.
_NEUTRAL = frozenset({"drop", "head", "tail", "weave", "at", "prod", "ravel"})

# Which argument of them is an attribute that says where.
_PLACES = {"drop": 1, "head": 1, "tail": 1, "weave": 2, "at": 1, "on": 0}

# Packs of so many axes get none in front: NumPy's arrays have 64 at most.
_DEEP = 32

# One group of neighbouring positions of a pack for each axis that is left.
Groups = tuple[tuple[int, ...], ...]


def mergeable_packs(operator: syntax.Operator) -> Mapping[str | None, str | None]:
    """Packs whose axes may merge, each with the attribute that splits it (or None).

    The anonymous pack always may. A named one may unless the spec does arithmetic on
    packs, computes with the number, place or length of an axis, or has an attribute
    with an entry for each axis.
    """
    result: dict[str | None, str | None] = {None: None}
    splitting: dict[str, list[str]] = {}
    for p in operator.attributes:
        kind = p.type
        assert isinstance(kind, syntax.AttributeType)
        if kind.kind in ("axis", "axes", "gap"):
            splitting.setdefault(str(kind.pack), []).append(p.name)
        elif isinstance(kind.count, syntax.Pack) or kind.kind == "shape":
            return result
    read = {p.name for p in operator.tensors}
    # A condition on sizes alone is decided before anything is merged.
    later = [
        r.condition for r in operator.clauses.requires if read & set(names(r.condition))
    ]
    roots = (operator.parameters, operator.results, operator.definitions, *later)
    if _counts_axes(operator, roots, {n for k in splitting.values() for n in k}):
        return result
    for p in operator.tensors:
        assert isinstance(p.type, syntax.TensorType)
        for axis in p.type.axes:
            name = getattr(getattr(axis, "value", None), "name", None)
            if isinstance(axis, syntax.Pack) and name is not None:
                attributes = splitting.get(name, [])
                if len(attributes) <= 1:
                    result[name] = attributes[0] if attributes else None
    return result


def _counts_axes(
    operator: syntax.Operator, roots: tuple[Any, ...], attributes: set[str]
) -> bool:
    """Whether anything in `roots` would have another value after merging."""
    packs = {name for p in operator.tensors for name in _named_packs(p.type)}
    nodes = list(walk(roots))
    # One product for all axes of a pack is that of the merged ones: prod(on(a, s, 1)).
    products = [
        n.arguments[0]
        for n in nodes
        if isinstance(n, syntax.Apply) and n.function == "prod"
    ]
    placing = 0
    for node in nodes:
        if isinstance(node, syntax.Pack) and not _plain(node.value):
            return True
        if not isinstance(node, syntax.Apply) or node.function not in PACK_FUNCTIONS:
            continue
        factor = node.function == "on" and any(node is p for p in products)
        if factor and any(not _factors(a) for a in node.arguments[1:]):
            return True
        if not factor and node.function not in _NEUTRAL | {"count"}:
            return True
        place = _PLACES.get(node.function)
        given = None if place is None else node.arguments[place]
        known = isinstance(given, syntax.Name) and given.name in attributes
        placing += known
        if node.function == "at" and not known:
            return True
        # The product of indices is none of the flat index.
        if node.function == "prod" and set(names(node)) - packs - attributes:
            return True
    # An axis that stands anywhere else is a number.
    mentioned = [n for n in nodes if isinstance(n, syntax.Name)]
    return sum(n.name in attributes for n in mentioned) > placing


def _factors(value: syntax.Expression) -> bool:
    """A pack of sizes, or the number that changes no product."""
    return isinstance(value, syntax.Name) or (
        isinstance(value, syntax.Number) and value.value == 1
    )


def _named_packs(kind: Any) -> list[str]:
    return [n for a in kind.axes if isinstance(a, syntax.Pack) for n in names(a)]


def _plain(value: syntax.Expression | None) -> bool:
    if value is None or isinstance(value, syntax.Name):
        return True
    return (
        isinstance(value, syntax.Apply)
        and value.function in _NEUTRAL
        and all(isinstance(a, syntax.Name) for a in value.arguments)
    )


def coalesce(
    binding: Binding,
    strides: Mapping[str, Sequence[int]],
) -> Binding:
    """The same call with as few axes as the arrays' strides allow.

    Args:
        binding: the call.
        strides: of each input and output by name, in program axes (any unit, 0 where
            broadcast). Arrays without strides (JAX) count as contiguous.
    """
    statics = binding.statics
    ranks = dict(statics.ranks)
    attributes = dict(statics.attributes)
    grouping: dict[str | None, Groups] = {}
    for pack, attribute in mergeable_packs(binding.operator).items():
        rank = ranks.get(pack, 0)
        if rank < 2:
            continue
        cuts = _cuts(attributes.get(attribute) if attribute else None, rank)
        groups = _groups(pack, rank, cuts, binding, strides)
        if len(groups) < rank:
            grouping[pack] = groups
            if attribute is not None:
                attributes[attribute] = _regrouped(attributes[attribute], groups)
    # `keepdims` says how a result looks, and the program does not see it.
    attributes |= dict.fromkeys(_only_for_looks(binding.operator), False)
    if not grouping:
        same = replace(statics, attributes=tuple(sorted(attributes.items())))
        return _padded(replace(binding, statics=same))
    sizes = _sizes(binding, ranks, grouping)
    merged = replace(
        statics,
        ranks=tuple(
            (pack, len(grouping[pack]) if pack in grouping else rank)
            for pack, rank in statics.ranks
        ),
        attributes=tuple(sorted(attributes.items())),
    )
    return _padded(
        replace(
            binding,
            statics=merged,
            sizes=sizes,
            inputs=tuple(_merged(t, grouping) for t in binding.inputs),
            outputs=tuple(_merged(t, grouping) for t in binding.outputs),
        )
    )


def _padded(binding: Binding) -> Binding:
    """The same call with axes of length 1 in front of some packs.

    An outer loop of one iteration costs nothing measurable, and 1000 random shapes of
    a sum need 5 kernels with it, 9 without.
    """
    operator, statics = binding.operator, binding.statics
    ranks, attributes = dict(statics.ranks), dict(statics.attributes)
    fronts: dict[str | None, int] = {}
    for pack, attribute in mergeable_packs(operator).items():
        chosen = attributes.get(attribute) if attribute else None
        if ranks.get(pack, _DEEP) >= _DEEP:
            continue
        if not isinstance(chosen, int) and _alone(operator, pack):
            fronts[pack] = _units(ranks[pack], chosen)
            if chosen is not None:
                moved = tuple(k + fronts[pack] for k in chosen)
                attributes[str(attribute)] = moved
    fronts = {pack: front for pack, front in fronts.items() if front}
    if not fronts:
        return binding
    sizes = dict(binding.sizes)
    for pack, front in fronts.items():
        old = [sizes.pop(pack_name(pack, k)) for k in range(ranks[pack])]
        for k, n in enumerate((*[1] * front, *old)):
            sizes[pack_name(pack, k)] = n
    padded = replace(
        statics,
        ranks=tuple((p, rank + fronts.get(p, 0)) for p, rank in statics.ranks),
        attributes=tuple(sorted(attributes.items())),
    )
    packs = {p.name: _pack_of(p.type) for p in operator.tensors}
    return replace(
        binding,
        statics=padded,
        sizes=sizes,
        inputs=tuple(_fronted(t, packs[t.parameter], fronts) for t in binding.inputs),
        outputs=tuple(
            _fronted(t, _pack_of(operator.results[0].type), fronts)
            for t in binding.outputs
        ),
    )


def _units(rank: int, chosen: Any) -> int:
    """How many axes of length 1 to put before a pack of that rank.

    `chosen` are the positions that an operator folds over; None where it only walks.
    """
    if chosen is None:  # 1, 2, 4, 6, ...
        return 1 if rank == 0 or (rank > 2 and rank % 2) else 0
    # Kept and folded axes alternate: always beginning with a kept one.
    return 1 if rank == 0 or 0 in chosen else 0


def _alone(operator: syntax.Operator, pack: str | None) -> bool:
    """Whether the pack is all of the shape of the tensors that have it."""
    found = False
    for p in operator.tensors:
        of = _pack_of(p.type)
        if of == ("all", pack):
            found = True
        elif of[0] == "mixed":
            return False
    return found and all(_pack_of(r.type) == ("all", pack) for r in operator.results)


def _pack_of(kind: Any) -> tuple[str, str | None]:
    """("all", p) if the shape is pack p or what is left of it, "none" without packs."""
    assert isinstance(kind, syntax.TensorType)
    packs = [a for a in kind.axes if isinstance(a, syntax.Pack)]
    if not packs:
        return "none", None
    value = packs[0].value
    if len(kind.axes) > 1:
        return "mixed", None
    if isinstance(value, syntax.Apply) and value.function == "drop":
        value = value.arguments[0]
    if value is None or isinstance(value, syntax.Name):
        return "all", None if value is None else value.name
    return "mixed", None


def _fronted(
    tensor: Any, pack: tuple[str, str | None], fronts: Mapping[str | None, int]
) -> Any:
    """A tensor with the axes of length 1 that its pack gets."""
    front = fronts.get(pack[1], 0) if pack[0] == "all" else 0
    if not front:
        return tensor
    view, ones = tensor.view, (1,) * front
    tags = tuple(
        tag if tag is None else (tag[0], tag[1] + front) for tag in tensor.tags
    )
    return replace(
        tensor,
        view=View(view.permutation, ones + view.shape, ones + view.extents),
        tags=tuple((pack[1], k) for k in range(front)) + tags,
    )


def _only_for_looks(operator: syntax.Operator) -> list[str]:
    """Attributes that occur as the third argument of ``drop`` only."""
    kept: dict[str, int] = {}
    for node in walk(operator.results):
        if isinstance(node, syntax.Apply) and node.function == "drop":
            for argument in node.arguments[2:]:
                if isinstance(argument, syntax.Name):
                    kept[argument.name] = kept.get(argument.name, 0) + 1
    roots = (operator.parameters, operator.results, operator.definitions)
    mentioned = [n.name for n in walk(roots) if isinstance(n, syntax.Name)]
    return [name for name, count in kept.items() if mentioned.count(name) == count]


def _cuts(value: Any, rank: int) -> frozenset[int]:
    """Positions k such that k - 1 and k must stay apart because of an axis."""
    if value is None:
        return frozenset()
    if isinstance(value, int):  # A gap lies between two axes.
        return frozenset({value})
    inside = [k in value for k in range(rank)]
    return frozenset(k for k in range(1, rank) if inside[k] != inside[k - 1])


def _groups(
    pack: str | None,
    rank: int,
    cuts: frozenset[int],
    binding: Binding,
    strides: Mapping[str, Sequence[int]],
) -> Groups:
    tensors: list[BoundInput | BoundOutput] = [*binding.inputs, *binding.outputs]
    groups: list[list[int]] = [[0]]
    for k in range(1, rank):
        joined = k not in cuts and all(
            _joins(t, strides[t.name], pack, groups[-1], k) for t in tensors
        )
        if joined:
            groups[-1].append(k)
        else:
            groups.append([k])
    return tuple(map(tuple, groups))


def _joins(
    tensor: BoundInput | BoundOutput,
    strides: Sequence[int],
    pack: str | None,
    group: Sequence[int],
    k: int,
) -> bool:
    """Whether entry k of the pack can join a group of them in one axis of a tensor."""
    places = [
        [d for d, tag in enumerate(tensor.tags) if tag == (pack, j)]
        for j in (*group, k)
    ]
    if not any(places):
        return True
    if any(len(found) != 1 for found in places):
        return False
    axes = [found[0] for found in places]
    if axes != list(range(axes[0], axes[0] + len(axes))):
        return False
    shape, extents = tensor.view.shape, tensor.view.extents
    # An axis of length 1 has no stride worth the name, and merges with anything: what
    # counts is the nearest longer one, for (a, 1, b) are two axes or one by a and b.
    longer = [d for d in axes[:-1] if extents[d] != 1]
    last = axes[-1]
    if not longer or extents[last] == 1:
        return True
    if (shape[longer[-1]] == extents[longer[-1]]) != (shape[last] == extents[last]):
        return False  # Broadcast beside one that is not.
    if 0 in shape:
        return True  # There is nothing to stride over.
    return strides[longer[-1]] == strides[last] * extents[last]


def _regrouped(value: Any, groups: Groups) -> Any:
    """An axis attribute (or a gap) in the positions of the merged axes."""
    if isinstance(value, int):
        return sum(1 for g in groups if g[-1] < value)
    return tuple(j for j, g in enumerate(groups) if g[0] in value)


def _sizes(
    binding: Binding,
    ranks: Mapping[str | None, int],
    grouping: Mapping[str | None, Groups],
) -> dict[str, int]:
    sizes = dict(binding.sizes)
    for pack, groups in grouping.items():
        old = [sizes.pop(pack_name(pack, k)) for k in range(ranks[pack])]
        for j, group in enumerate(groups):
            sizes[pack_name(pack, j)] = math.prod(old[k] for k in group)
    return sizes


def _merged(tensor: Any, grouping: Mapping[str | None, Groups]) -> Any:
    shape: list[int] = []
    extents: list[int] = []
    tags: list[Tag] = []
    view = tensor.view
    for d, tag in enumerate(tensor.tags):
        groups = grouping.get(tag[0]) if tag is not None else None
        if tag is None or groups is None:
            shape.append(view.shape[d])
            extents.append(view.extents[d])
            tags.append(tag)
            continue
        j = next(j for j, g in enumerate(groups) if tag[1] in g)
        if tags and tags[-1] == (tag[0], j):
            shape[-1] *= view.shape[d]
            extents[-1] *= view.extents[d]
        else:
            shape.append(view.shape[d])
            extents.append(view.extents[d])
            tags.append((tag[0], j))
    merged = View(view.permutation, tuple(shape), tuple(extents))
    return replace(tensor, view=merged, tags=tuple(tags))
