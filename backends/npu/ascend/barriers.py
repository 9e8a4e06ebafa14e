"""Barriers of the vector unit in straight-line code, before flags are derived.

A barrier orders all that its pipe did before against all that follows; in a list of
instructions the fewest are found by putting each as late as it may be. What spans
blocks, or turns of a loop, is left to flags.py, which would find these as well, one by
one, each at the price of a walk through the whole kernel.
"""

from __future__ import annotations

from .machine import Access, Block, Instruction, Node, Sync


def insert_barriers(body: list[Node], groups: int = 0) -> int:
    """Adds barriers to a body and the blocks in it.

    Returns:
        The number of the last group; theirs are `groups` + 1 and up.
    """
    found: list[Node] = []
    open_: list[Access] = []
    for node in body:
        if isinstance(node, Block):
            groups = insert_barriers(node.body, groups)
            open_ = []
        elif isinstance(node, Instruction) and node.pipe == "V":
            if any(_clash(a, b) for a in open_ for b in node.accesses):
                groups += 1
                found.append(Sync("barrier", "V", "V", groups))
                open_ = []
            open_ += node.accesses
        elif isinstance(node, Instruction) and node.pipe == "S" and node.accesses:
            # What the scalar unit waits for may come back as a flag.
            open_ = []
        found.append(node)
    body[:] = found
    return groups


def necessary(body: list[Node], last: int) -> set[int]:
    """Groups up to `last` that no flag of this body could make superfluous."""
    found: set[int] = set()
    flagged = True
    for node in body:
        if isinstance(node, Block):
            found |= necessary(node.body, last)
            flagged = True
        elif isinstance(node, Sync):
            if node.kind == "barrier" and node.source == "V":
                if node.group <= last and not flagged:
                    found.add(node.group)
                flagged = False
            elif node.kind == "wait" and node.target == "V":
                flagged = True
    return found


def _clash(a: Access, b: Access) -> bool:
    return a.buffer == b.buffer and (a.write or b.write)
