"""Whether anything in a run of a kernel is unordered: the walk of flags.py, made quick.

Planning flags asks that some ten thousand times for a kernel of both kinds of cores.
What is asked is only whether there is a conflict, so a write speaks for all that came
before it, and of the reads of a pipe the last speaks for the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from .across import NONE, Answers
from .machine import PIPES, Access, Instruction, Sync
from .traces import Step

_NUMBER = {pipe: k for k, pipe in enumerate(PIPES)}
_SERIAL = _NUMBER["S"]
_INSTRUCTION, _SET, _WAIT, _BARRIER, _ALL, _TELLS, _HEARS = range(7)

Clash = Callable[[Step, Access, Step, Access], bool]


@dataclass(frozen=True, slots=True)
class Change:
    """Flags to be judged as if they were others.

    Attributes:
        dropped: ids of the nodes that are not there.
        names: groups by what they are part of.
    """

    dropped: frozenset[int] = frozenset()
    names: Mapping[int, int] = field(default_factory=dict)


SAME = Change()


class Move(NamedTuple):
    """A step: what it is, of which pipe (and to which), its group, what it touches.

    `chip` are (buffer, whether it is written), `memory` accesses of global memory.
    `flag` is of a flag between cores. Made as often as `Step`.
    """

    kind: int
    pipe: int
    target: int
    group: int
    node: Instruction | Sync
    step: Step
    chip: tuple[tuple[str, bool], ...]
    memory: tuple[Access, ...]
    flag: str


_Facts = tuple[
    int, int, int, int, tuple[tuple[str, bool], ...], tuple[Access, ...], str
]


def moves(run: Sequence[Step]) -> list[Move]:
    """A run in the form that is walked."""
    known: dict[int, _Facts] = {}
    found = []
    for step in run:
        node = step.node
        facts = known.get(id(node))
        if facts is None:
            facts = known[id(node)] = _facts(node)
        kind, pipe, target, group, chip, memory, flag = facts
        found.append(Move(kind, pipe, target, group, node, step, chip, memory, flag))
    return found


def _facts(node: Instruction | Sync) -> _Facts:
    if isinstance(node, Instruction):
        chip = tuple((a.buffer, a.write) for a in node.accesses if not a.is_global)
        memory = tuple(a for a in node.accesses if a.is_global)
        kind = _TELLS if node.tells else _HEARS if node.hears else _INSTRUCTION
        flag = node.tells or node.hears
        return kind, _NUMBER[node.pipe], 0, 0, chip, memory, flag
    if node.source == "ALL":
        return _ALL, 0, 0, node.group, (), (), ""
    kind = {"set": _SET, "wait": _WAIT, "barrier": _BARRIER}[node.kind]
    pipes = _NUMBER[node.source], _NUMBER[node.target]
    return kind, *pipes, node.group, (), (), ""


def conflict(
    run: Sequence[Move], change: Change, clash: Clash, answers: Answers = NONE
) -> tuple[str, Instruction | Sync] | None:
    """What is wrong with a run, and where it shows; None: nothing.

    `answers`: see across.py.
    """
    count = len(PIPES)
    known = [[0] * count for _ in range(count)]
    issued = [0] * count
    written: dict[str, tuple[int, int]] = {}
    read: dict[str, dict[int, int]] = {}
    memory: dict[str, list[tuple[Step, Access, int, int]]] = {}
    flags: dict[int, list[int]] = {}
    waited: dict[int, tuple[int, int]] = {}
    told: dict[str, list[list[int]]] = {}
    heard: dict[str, int] = {}
    dropped, names = change.dropped, change.names
    for move in run:
        kind, pipe = move.kind, move.pipe
        if kind == _INSTRUCTION:
            mine = known[pipe]
            for buffer, write in move.chip:
                last = written.get(buffer)
                if last is not None and mine[last[0]] < last[1]:
                    return "unordered", move.node
                if write and buffer in read:
                    for other, time in read[buffer].items():
                        if mine[other] < time:
                            return "unordered", move.node
            for access in move.memory:
                for earlier, theirs, other, time in memory.get(access.buffer, ()):
                    if mine[other] < time and clash(earlier, theirs, move.step, access):
                        return "unordered", move.node
            issued[pipe] = time = issued[pipe] + 1
            if pipe == _SERIAL:
                mine[pipe] = time
            for buffer, write in move.chip:
                if write:
                    written[buffer] = pipe, time
                    read[buffer] = {}
                else:
                    read.setdefault(buffer, {})[pipe] = time
            for access in move.memory:
                each = memory.setdefault(access.buffer, [])
                each.append((move.step, access, pipe, time))
            continue
        if kind == _TELLS:
            issued[pipe] += 1
            now = known[pipe][:]
            now[pipe] = issued[pipe]
            told.setdefault(move.flag, []).append(now)
            continue
        if kind == _HEARS:
            issued[pipe] += 1
            known[pipe][pipe] = issued[pipe]
            number = heard[move.flag] = heard.get(move.flag, 0) + 1
            for mine_told, lag in answers.get(move.flag, ()):
                sent = told.get(mine_told, ())
                if 0 < number - lag <= len(sent):
                    answer = sent[number - lag - 1]
                    known = [
                        [max(pair) for pair in zip(clock, answer, strict=True)]
                        for clock in known
                    ]
            continue
        if dropped and id(move.node) in dropped:
            continue
        group = names.get(move.group, move.group) if names else move.group
        if kind == _BARRIER:
            known[pipe][pipe] = issued[pipe]
        elif kind == _SET:
            mine = known[pipe]
            before = waited.get(group)
            if before is not None and mine[before[1]] < before[0]:
                return "overtaken", move.node
            if group in flags:
                return "set twice", move.node
            flags[group] = now = mine[:]
            now[pipe] = issued[pipe]
        elif kind == _WAIT:
            if group not in flags:
                return "never set", move.node
            target = move.target
            mine = known[target]
            for other, time in enumerate(flags.pop(group)):
                if mine[other] < time:
                    mine[other] = time
            issued[target] += 1
            waited[group] = issued[target], target
            if target == _SERIAL:
                mine[target] = issued[target]
        else:
            known = [
                [max(pair) for pair in zip(clock, issued, strict=True)]
                for clock in known
            ]
    if flags:
        return "left set", run[-1].node
    return None


__all__ = ["SAME", "Change", "Move", "conflict", "moves"]
