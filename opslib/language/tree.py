"""Walking a tree without knowing its nodes."""

from __future__ import annotations

from dataclasses import fields

from opslib.language.syntax import Node


def children(node: Node) -> list[Node]:
    """The nodes directly below `node`, in the order they are written."""
    found: list[Node] = []
    for slot in _slots(type(node)):
        value = getattr(node, slot)
        if isinstance(value, Node):
            found.append(value)
        elif isinstance(value, tuple):
            for item in value:
                last = item[-1] if isinstance(item, tuple) and item else item
                if isinstance(last, Node):
                    found.append(last)
    return found


_SLOTS: dict[type[Node], tuple[str, ...]] = {}


def _slots(kind: type[Node]) -> tuple[str, ...]:
    """The fields of a node that may hold nodes (`span` does not)."""
    if kind not in _SLOTS:
        _SLOTS[kind] = tuple(slot.name for slot in fields(kind) if slot.compare)
    return _SLOTS[kind]
