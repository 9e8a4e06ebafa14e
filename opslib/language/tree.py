"""Walking a tree without knowing its nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from opslib.language.syntax import Index, Name, Node, Target


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


def walk(root: Node | tuple[Any, ...]) -> Iterator[Node]:
    """Every node of `root` (a node, or a tuple of them), each before those below it."""
    if isinstance(root, Node):
        yield root
        for slot in _slots(type(root)):
            yield from walk(getattr(root, slot))
    elif isinstance(root, tuple):
        for item in root:
            yield from walk(item)


def names(root: Node | tuple[Any, ...]) -> list[str]:
    """Names that `root` mentions as values or brackets, in order, each once."""
    found = [
        node.name if isinstance(node, Name) else node.base
        for node in walk(root)
        if isinstance(node, Name | Index)
    ]
    return list(dict.fromkeys(found))


def mentions(root: Node | tuple[Any, ...], name: str) -> bool:
    """Whether `root` mentions `name`, on a left side too."""
    return any(
        (isinstance(node, Name | Target) and node.name == name)
        or (isinstance(node, Index) and node.base == name)
        for node in walk(root)
    )
