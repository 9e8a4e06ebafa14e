"""Runs of a kernel for analysis: loops unrolled a few turns, branches taken or not.

An order between instructions that holds in every run of at most `TURNS` turns holds in
all runs: flags connect an instruction with one of the same turn or of the next, so what
is not ordered at a distance of two turns is not ordered at any.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .machine import Block, Instruction, Node, Sync

TURNS = 3
# Kernels with more blocks than this have their blocks skipped in fewer combinations.
_MANY = 24


@dataclass(frozen=True, slots=True)
class Step:
    """An instruction or flag as it comes up in a run.

    `path` leads to it: for each enclosing body (its block's number of turns so far, the
    position in it); the first element is of the kernel's own body.
    """

    node: Instruction | Sync
    path: tuple[tuple[int, int], ...]
    turns: tuple[tuple[int, int], ...]


def runs(body: list[Node]) -> Iterator[list[Step]]:
    """The runs that are enough to judge a kernel."""
    found = list(_blocks(body))
    depths = [d for b, d in found if b.kind == "loop"]
    yield list(_run(body, {}, {}, TURNS))
    # Inner loops that run once: nothing of their own turns orders outer ones.
    for depth in range(max(depths, default=-1) + 1):
        once = {id(b): 1 for b, d in found if b.kind == "loop" and d >= depth}
        yield list(_run(body, once, {}, TURNS))
    for choice in _choices(body, {}):
        yield list(_run(body, {}, choice, 2))
    blocks = [b for b, _ in found if b.kind != "scope" and b.head != "else"]
    if len(blocks) <= _MANY:
        for block in blocks:
            yield list(_run(body, {id(block): 0}, {}, 2))


def _choices(body: Sequence[Node], above: dict[int, bool]) -> Iterator[dict[int, bool]]:
    """For each of two branches, what to take so that it is reached in every turn."""
    for place, node in enumerate(body):
        if not isinstance(node, Block):
            continue
        here = above
        if has_else(body, place):
            here = {**above, id(node): True, id(body[place + 1]): False}
            yield here
        elif node.head == "else":
            here = {**above, id(body[place - 1]): False, id(node): True}
            yield here
        yield from _choices(node.body, here)


def _blocks(body: Sequence[Node], depth: int = 0) -> Iterator[tuple[Block, int]]:
    """Blocks, with the number of loops around each."""
    for node in body:
        if isinstance(node, Block):
            yield node, depth
            yield from _blocks(node.body, depth + (node.kind == "loop"))


def _run(
    body: Sequence[Node],
    limits: dict[int, int],
    choice: dict[int, bool],
    turns: int,
    path: tuple[tuple[int, int], ...] = (),
    loops: tuple[tuple[int, int], ...] = (),
    turn: int = 0,
) -> Iterator[Step]:
    for place, node in enumerate(body):
        here = (*path, (turn, place))
        if not isinstance(node, Block):
            yield Step(node, here, loops)
            continue
        count = turns if node.kind == "loop" else 1
        # Deep nests need no more than two turns of the inner loops for each outer one.
        if node.kind == "loop" and len(loops) >= 2:
            count = min(count, 2)
        count = min(count, limits.get(id(node), count))
        if has_else(body, place) or node.head == "else":
            # Of two branches one is taken; which, changes with the turns around them.
            swaps = sum(n for _, n in loops) % 2 == 1
            if not choice.get(id(node), swaps == (node.head == "else")):
                count = 0
        for each in range(count):
            inner = (*loops, (node.number, each)) if node.kind == "loop" else loops
            yield from _run(node.body, limits, choice, turns, here, inner, each)


def has_else(body: Sequence[Node], place: int) -> bool:
    """Whether the block at a place is the first of two branches."""
    after = body[place + 1] if place + 1 < len(body) else None
    return isinstance(after, Block) and after.head == "else"
