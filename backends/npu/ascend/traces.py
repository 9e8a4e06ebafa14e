"""Runs of a kernel for analysis: loops unrolled a few turns, branches taken or not.

An order between instructions that holds in every run of at most `TURNS` turns holds in
all runs: flags connect an instruction with one of the same turn or of the next, so what
is not ordered at a distance of two turns is not ordered at any.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain, combinations, permutations
from typing import NamedTuple

from .allocate import STEP
from .machine import Block, Instruction, Node, Sync, instructions

TURNS = 3
# Up to so many ranges are empty in every combination, more of them by twos.
_FEW = 4
# Blocks, by their ids.
_Group = tuple[int, ...]
_VARIABLE = re.compile(r"for \(\w+ (\w+) = ")
_ASSIGNED = re.compile(r"(const )?(?:\w+ )?(\w+) [-+*/]?= (.*)")
_CONSTANT = re.compile(r"const int64_t (\w+) = (.*);$")
_NAMES = re.compile(r"[A-Za-z_]\w*")
# A loop from 0 to `stop` with `stop`; in its body, what its first and last turn lack.
_BEGIN = re.compile(r"const int64_t (\w+) = \w+ \* (\d+);")
_RANGE = re.compile(
    r"const int64_t (\w+) = ops_minimum_i64\((\w+) \+ (\d+), (?:(\d+)\))?"
)
_CHUNKS = re.compile(r"for \(\w+ \w+ = (\w+); \w+ < (\w+); \w+ \+= TILE\)")
# A loop over turns of all cores that takes two of them at once, and the second.
_PAIRS = re.compile(
    r"for \(\w+ (\w+) = [^;]*; \1 < ([^;]+); \1 \+= 2 \* \(int64_t\)GetBlockNum\(\)\)"
)
_SECOND = re.compile(r"if \((\w+) \+ \(int64_t\)GetBlockNum\(\) < (.+)\)$")
_WITH_END = re.compile(r"for \(\w+ (\w+) = 0; \1 <= (\w+); ")


class Step(NamedTuple):
    """An instruction or flag as it comes up in a run; many thousands are made.

    `path` leads to it: for each enclosing body (its block's number of turns so far, the
    position in it); the first element is of the kernel's own body.
    """

    node: Instruction | Sync
    path: tuple[tuple[int, int], ...]
    turns: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does; blocks are named by their ids.

    Attributes:
        turns: of a loop.
        limits: of loops and branches that are for fewer.
        choice: whether each of two branches is taken; else they take turns.
        phases: blocks that only even or only odd turns of the loop around them enter.
        cut: blocks that the last turn of the loop around them does not enter.
    """

    turns: int = TURNS
    limits: Mapping[int, int] = field(default_factory=dict)
    choice: Mapping[int, bool] = field(default_factory=dict)
    phases: Mapping[int, int] = field(default_factory=dict)
    cut: frozenset[int] = frozenset()


def runs(body: list[Node]) -> Iterator[list[Step]]:
    """The runs that are enough to judge a kernel."""
    seen = set()
    for plan in plans(body):
        run = run_of(body, plan)
        what = tuple([id(step.node) for step in run])
        if what not in seen:
            seen.add(what)
            yield run


def plans(body: list[Node]) -> list[Plan]:
    """The plans of these runs; flags in the body make no difference to them."""
    single = {k: 1 for k, length in _of_blocks(body).items() if length <= STEP}
    return [replace(p, limits={**single, **p.limits}) for p in _plans(body)]


def _plans(body: list[Node]) -> Iterator[Plan]:
    found = list(_blocks(body))
    depths = [d for b, d in found if b.kind == "loop"]
    yield Plan()
    # Inner loops that run once: nothing of their own turns orders outer ones.
    for depth in range(max(depths, default=-1) + 1):
        once = {id(b): 1 for b, d in found if b.kind == "loop" and d >= depth}
        yield Plan(limits=once)
    for choice in _choices(body, {}):
        yield Plan(2, choice=choice)
    halves = frozenset(_second_halves(body))
    if halves:
        yield Plan(cut=halves)
    settled = frozenset((*_settled(body), *_of_blocks(body), *halves))
    blocks = [
        b for b, _ in found
        if b.kind != "scope" and b.head != "else" and id(b) not in settled
    ]  # fmt: skip
    alike = _alike(blocks, _named(body))
    covers = _covers(body)
    for skipped in _subsets(body, alike):
        gone = frozenset(chain(*skipped))
        if not any(cover <= gone for cover in covers):
            yield Plan(2, dict.fromkeys(gone, 0))
    # What is skipped in some turns only, as with rows of different lengths.
    varying = _varying(body)
    for head, blocks_of in alike.items():
        if varying & set(_NAMES.findall(head)):
            for first in range(2):
                yield Plan(phases=dict.fromkeys(blocks_of, first))
    for phases in _in_turn(body, settled):
        yield Plan(phases=phases)


def _of_blocks(body: Sequence[Node]) -> dict[int, int]:
    """Loops over the chunks of a block of an axis, by id, and how long a block is.

    A block has something in it, for an axis is cut into no more than it needs; and of
    one that is no longer than the least tile there is one chunk.
    """
    ranges = _ranges(body)
    found: dict[int, int] = {}
    for block, _ in _blocks(body):
        m = _CHUNKS.match(block.head)
        if m is not None and (m[1], m[2]) in ranges:
            found[id(block)] = ranges[m[1], m[2]]
    return found


def _ranges(body: Sequence[Node]) -> dict[tuple[str, str], int]:
    """Blocks of axes, by the names of where they begin and end, and how long they are.

    No longer than their axis, where that is known.
    """
    texts = [i.text for i in instructions(body) if i.pipe == "S"]
    begins = {(m[1], m[2]) for t in texts if (m := _BEGIN.match(t))}
    return {
        (m[2], m[1]): min(int(m[3]), int(m[4] or m[3]))
        for t in texts
        if (m := _RANGE.match(t)) and (m[2], m[3]) in begins
    }


def _covers(body: Sequence[Node]) -> list[frozenset[int]]:
    """Loops that share a block between them, by ids: not all of them are empty."""
    ranges = _ranges(body)
    found = []
    for nodes in (body, *(b.body for b, _ in _blocks(body))):
        loops = [n for n in nodes if isinstance(n, Block) and n.kind == "loop"]
        ends = {m[1]: (m[2], id(n)) for n in loops if (m := _CHUNKS.match(n.head))}
        for begin, end in ranges:
            parts: list[int] = []
            at = begin
            while at in ends and len(parts) < len(ends):
                at, part = ends[at]
                parts.append(part)
            if at == end and len(parts) > 1:
                found.append(frozenset(parts))
    return found


def _stage(loop: Block | None, branch: Block) -> str:
    """Whether a branch is left out in the ``first`` or ``last`` turn of its loop alone.

    So are the stages of a pipeline, which are no choice.
    """
    return "" if loop is None else _stage_of(loop.head, branch.head)


@cache
def _stage_of(loop: str, branch: str) -> str:
    found = _WITH_END.match(loop)
    if found is None:
        return ""
    name, stop = found.groups()
    return {f"if ({name} > 0)": "first", f"if ({name} < {stop})": "last"}.get(
        branch, ""
    )


def _settled(body: Sequence[Node], loop: Block | None = None) -> Iterator[int]:
    """The branches of which it is known in which turns they are taken, by id."""
    for node in body:
        if isinstance(node, Block):
            if _stage(loop, node):
                yield id(node)
            yield from _settled(node.body, node if node.kind == "loop" else None)


def _second_halves(body: Sequence[Node], loop: str = "") -> Iterator[int]:
    """Branches for a loop's odd turns, where one of its own stands for two, by id.

    Only the last of these can be without.
    """
    for node in body:
        if not isinstance(node, Block):
            continue
        if (
            node.kind == "branch"
            and (of := _PAIRS.match(loop))
            and (m := _SECOND.match(node.head))
            and m.groups() == of.groups()
        ):
            yield id(node)
        yield from _second_halves(node.body, node.head if node.kind == "loop" else "")


def _subsets(
    body: Sequence[Node], alike: dict[str, _Group]
) -> Iterator[tuple[_Group, ...]]:
    """Which blocks to skip at once: each condition's, and those of several loops.

    A call may have any of its ranges empty.
    """
    yield from ((group,) for group in alike.values())
    around = dict(_around(body, frozenset()))
    loops = [group for head, group in alike.items() if head.startswith("for ")]

    def apart(first: _Group, second: _Group) -> bool:
        """Whether skipping one of the two leaves some of the other."""
        outer = set(second)
        return any(outer.isdisjoint(around[each]) for each in first)

    for size in range(2, (_FEW if len(loops) <= _FEW else 2) + 1):
        for chosen in combinations(loops, size):
            if all(apart(*two) for two in permutations(chosen, 2)):
                yield chosen


def _around(
    body: Sequence[Node], above: frozenset[int]
) -> Iterator[tuple[int, frozenset[int]]]:
    """Blocks, by id, with those that they are in."""
    for node in body:
        if isinstance(node, Block):
            yield id(node), above
            yield from _around(node.body, above | {id(node)})


def _varying(body: Sequence[Node]) -> set[str]:
    """Variables that may change from turn to turn of a loop."""
    found: set[str] = set()

    def visit(nodes: Sequence[Node], inside: bool) -> None:
        for node in nodes:
            if isinstance(node, Block):
                name = _VARIABLE.match(node.head)
                if name is not None:
                    found.add(name[1])
                visit(node.body, inside or node.kind == "loop")
            elif isinstance(node, Instruction) and node.pipe == "S" and inside:
                made = _ASSIGNED.match(node.text)
                if made is None:
                    continue
                constant, name_of, value = made.groups()
                read = "GetValue" in value or found & set(_NAMES.findall(value))
                if read or not constant:
                    found.add(name_of)

    visit(body, False)
    return found


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


def _named(body: Sequence[Node]) -> dict[str, str]:
    """What constants are, where that is no more than arithmetic."""
    found: dict[str, str] = {}
    for node in instructions(body):
        made = _CONSTANT.match(node.text) if node.pipe == "S" else None
        if made is not None and "GetValue" not in made[2]:
            found[made[1]] = made[2]
    return found


def _alike(blocks: Sequence[Block], named: dict[str, str]) -> dict[str, _Group]:
    """Blocks that are skipped together, by the condition that they are under.

    The ranges of an operator are few: loops that end at the same place, whatever their
    variables are called, and whatever the place is, run no turn in the same calls.
    """
    known = {v: k for k, v in reversed(named.items())}
    first = {name: known[value] for name, value in named.items()}
    found: dict[str, list[int]] = {}
    for block in blocks:
        name = _VARIABLE.match(block.head)
        head = re.sub(rf"\b{name[1]}\b", "", block.head) if name else block.head
        head = _NAMES.sub(lambda m: first.get(m[0], m[0]), head)
        found.setdefault(head, []).append(id(block))
    return {head: tuple(ids) for head, ids in found.items()}


def _in_turn(
    body: Sequence[Node], settled: frozenset[int], within: bool = False
) -> Iterator[dict[int, int]]:
    """For branches of one loop, turns in which to take them: never two in a row."""
    branches = [
        n for k, n in enumerate(body)
        if isinstance(n, Block) and n.kind == "branch" and n.head != "else"
        and not has_else(body, k) and id(n) not in settled
    ]  # fmt: skip
    if within and len(branches) > 1:
        for first in range(2):
            yield {id(b): (k + first) % 2 for k, b in enumerate(branches)}
    for node in body:
        if isinstance(node, Block):
            yield from _in_turn(node.body, settled, node.kind == "loop")


def _blocks(body: Sequence[Node], depth: int = 0) -> Iterator[tuple[Block, int]]:
    """Blocks, with the number of loops around each."""
    for node in body:
        if isinstance(node, Block):
            yield node, depth
            yield from _blocks(node.body, depth + (node.kind == "loop"))


def _has_stages(loop: Block) -> bool:
    return any(isinstance(n, Block) and _stage(loop, n) for n in loop.body)


def run_of(body: Sequence[Node], plan: Plan) -> list[Step]:
    """One run."""
    out: list[Step] = []
    limits, choice, phases = plan.limits, plan.choice, plan.phases

    def follow(
        body: Sequence[Node],
        path: tuple[tuple[int, int], ...],
        loops: tuple[tuple[int, int], ...],
        turn: int,
        loop: Block | None,
        last: int,
    ) -> None:
        taken = 0
        for place, node in enumerate(body):
            here = (*path, (turn, place))
            if not isinstance(node, Block):
                out.append(Step(node, here, loops))
                continue
            count = plan.turns if node.kind == "loop" else 1
            # Deep nests need no more than two turns of the inner loops for each outer
            # one.
            if node.kind == "loop" and len(loops) >= 2:
                count = min(count, 2)
            count = min(count, limits.get(id(node), count))
            if node.kind == "loop" and count and _has_stages(node):
                # So many turns with each of its stages.
                count += 1
            stage = _stage(loop, node)
            if (stage == "first" and turn == 0) or (stage == "last" and turn == last):
                count = 0
            if id(node) in plan.cut and turn == last:
                count = 0
            if has_else(body, place):
                # Of two branches one is taken; which, changes with the turns around.
                swaps = sum(n for _, n in loops) % 2 == 1
                if not choice.get(id(node), not swaps):
                    count = 0
            if phases and turn % 2 != phases.get(id(node), turn % 2):
                count = 0
            if node.head == "else":
                count = 1 - taken
            taken = count
            inside = node if node.kind == "loop" else None
            for each in range(count):
                inner = (*loops, (node.number, each)) if inside else loops
                follow(node.body, here, inner, each, inside, count - 1)

    follow(body, (), (), 0, None, 0)
    return out


def has_else(body: Sequence[Node], place: int) -> bool:
    """Whether the block at a place is the first of two branches."""
    after = body[place + 1] if place + 1 < len(body) else None
    return isinstance(after, Block) and after.head == "else"
