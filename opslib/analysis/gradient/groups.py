"""How a tensor's axes are grouped in its declaration: composite axes are one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opslib.language import syntax


def grouped(
    axes: Sequence[syntax.Expression], ranks: Mapping[str | None, int]
) -> list[int] | None:
    """How many program axes each declared one has; None where packs are computed."""
    groups: list[int] = []
    for axis in axes:
        if isinstance(axis, syntax.Composite):
            groups.append(len(axis.parts))
        elif isinstance(axis, syntax.Pack):
            value = axis.value
            if value is not None and not isinstance(value, syntax.Name):
                return None
            groups += [1] * ranks.get(None if value is None else value.name, 0)
        else:
            groups.append(1)
    return groups
