"""Proves that no flag is missing, by other means than flags.py derives them.

What must have happened before what in a run is a graph: a pipe issues in order, a flag
is set when all that its pipe was given before has ended, a wait holds back what comes
after it. Two instructions that touch the same memory, one of them writing, must be
joined by a path from the end of the first to the start of the second.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .across import NONE, Answers, answers
from .machine import Access, Instruction, Launch, Sync, cores
from .traces import Step, runs

# The scalar unit executes one statement after another; no other pipe ends what it
# began in order, as far as the documentation promises.
_SERIAL = "S"


@dataclass(slots=True)
class _Pipe:
    """What a pipe was given: the last wait or barrier, and all since and before."""

    gate: int = 0
    before: int = 0


@dataclass(slots=True)
class _Graph:
    """Bit k of `reach[n]` says that step k has ended before step n starts."""

    reach: list[int] = field(default_factory=list)
    pipes: dict[str, _Pipe] = field(default_factory=dict)
    pending: dict[int, int] = field(default_factory=dict)
    waited: dict[int, int] = field(default_factory=dict)
    ended: int = 0
    answers: Answers = field(default_factory=dict)
    told: dict[str, list[int]] = field(default_factory=dict)
    heard: dict[str, int] = field(default_factory=dict)

    def _pipe(self, name: str) -> _Pipe:
        """The pipe; a new one knows what the last barrier of all has ended."""
        return self.pipes.setdefault(name, _Pipe(self.ended))

    def add(self, step: Step) -> str:
        """One more step of a run; what is wrong with it, or nothing."""
        number = len(self.reach)
        mine = 1 << number
        node = step.node
        if isinstance(node, Instruction):
            pipe = self._pipe(node.pipe)
            self.reach.append(pipe.gate)
            if node.tells:
                self.told.setdefault(node.tells, []).append(pipe.gate | pipe.before)
            pipe.before |= mine
            if node.pipe == _SERIAL:
                pipe.gate |= mine
            if node.hears:
                self._hear(node.hears)
            return ""
        self.reach.append(0)
        if node.kind == "set":
            pipe = self._pipe(node.source)
            known = pipe.gate | pipe.before
            twice = node.group in self.pending
            # Set again before it was waited for: in this order, or in time.
            if twice or self.waited.get(node.group, 0) & ~known:
                return f"{node.text} may overtake the wait before it"
            self.pending[node.group] = known
            return ""
        if node.source == "ALL":
            for pipe in self.pipes.values():
                pipe.gate |= mine - 1
            self.ended = mine - 1
            return ""
        if node.kind == "barrier":
            pipe = self._pipe(node.source)
            pipe.gate |= pipe.before
            return ""
        if node.group not in self.pending:
            return f"{node.text} waits for a flag that is not set"
        pipe = self._pipe(node.target)
        pipe.gate |= self.pending.pop(node.group) | mine
        self.waited[node.group] = mine
        return ""

    def _hear(self, flag: str) -> None:
        """All pipes wait; what the other cores had heard of this one has ended."""
        number = self.heard[flag] = self.heard.get(flag, 0) + 1
        for told, lag in self.answers.get(flag, ()):
            before = self.told.get(told, [])[: max(0, number - lag)]
            for known in before:
                self.ended |= known
        for pipe in self.pipes.values():
            pipe.gate |= self.ended


def missing(launch: Launch) -> list[str]:
    """A sentence for each pair of instructions whose order nothing ensures."""
    found: dict[str, None] = {}
    halves = cores(launch)
    tables = answers(*(c.body for c in halves)) if len(halves) == 2 else (NONE,)
    for core, table in zip(halves, tables, strict=True):
        for run in runs(core.body):
            for sentence in _missing(run, table):
                found[sentence] = None
    return list(found)


def _missing(run: list[Step], table: Answers) -> list[str]:
    graph = _Graph(answers=table)
    touched: dict[str, list[tuple[int, Step, Access]]] = {}
    found = []
    for number, step in enumerate(run):
        wrong = graph.add(step)
        if wrong:
            found.append(wrong)
            return found
        node = step.node
        if isinstance(node, Sync):
            continue
        for access in node.accesses:
            for earlier, other, theirs in touched.get(access.buffer, ()):
                if not (access.write or theirs.write):
                    continue
                if graph.reach[number] >> earlier & 1:
                    continue
                if not _disjoint(other, theirs, step, access):
                    assert isinstance(other.node, Instruction)
                    found.append(
                        f"{other.node.pipe} {other.node.text!r} and {node.pipe} "
                        f"{node.text!r} on {access.buffer}"
                    )
        for access in node.accesses:
            touched.setdefault(access.buffer, []).append((number, step, access))
    if graph.pending:
        found.append(f"{len(graph.pending)} flags are left set")
    return found


def _disjoint(first: Step, a: Access, second: Step, b: Access) -> bool:
    """Whether two accesses of global memory are known to touch different parts."""
    if not a.is_global:
        return False
    mine, theirs = dict(first.turns), dict(second.turns)
    own = [n for n in a.parallel if n in b.parallel]
    if a.side != b.side or any(mine.get(n) != theirs.get(n) for n in own):
        return True
    if a.place == b.place != "" and 0 not in (a.part[1], b.part[1]):
        # Two parts of one cut, in the same turns of the loops around it.
        cut = a.part[0]
        around = [{k: v for k, v in of.items() if k <= cut} for of in (mine, theirs)]
        if b.part[0] == cut and a.part != b.part and around[0] == around[1]:
            return True
    chunks = [n for n in a.turns if n in b.turns]
    return a.place == b.place != "" and any(
        mine.get(n) != theirs.get(n) for n in chunks
    )
