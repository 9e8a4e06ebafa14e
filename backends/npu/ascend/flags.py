"""Derives flags and barriers from what instructions touch; no more than are needed.

Runs of the kernel are walked with a vector clock for each pipe. Where an instruction
touches what an earlier one of another pipe touched, and nothing orders the two, a flag
is set after the first and waited for before the second, in the innermost body that
holds both; from one turn of a loop to the next it is also set once before and waited
for once after everything. Afterwards every flag is taken out again unless the kernel
needs it: one that another implies goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations, pairwise

from .across import NONE, Answers
from .barriers import insert_barriers, necessary
from .clocks import SAME, Change, Move, conflict, moves
from .machine import Access, Block, Instruction, Launch, Node, Sync, syncs
from .traces import Step, has_else, plans, run_of, runs

# Pipes on which an instruction may begin before the one before it has ended, so that
# two of them that touch the same memory want a barrier (PipeBarrier's page).
OVERLAPPING = frozenset({"V", "M", "MTE1", "MTE2", "MTE3", "FIX"})
_ROUNDS = 400
_FENCES = 3


class Unordered(Exception):
    """Two steps that nothing orders; `buffer` is what both touch, if that is why."""

    def __init__(self, first: Step, second: Step, why: str, buffer: str = "") -> None:
        super().__init__(why)
        self.first, self.second, self.buffer = first, second, buffer


def insert_flags(launch: Launch, event_ids: int = 6, answers: Answers = NONE) -> None:
    """Adds the flags that `launch` needs to its body, with event ids.

    `answers`: what flags of other cores say of this one; see across.py.

    Raises:
        ValueError: a pair of pipes needs more events than there are.
    """
    # Where too many things are in flight at once, a barrier of all pipes after each
    # turn of a loop, and at last after each instruction, takes the place of flags.
    bare = launch.body[:]
    for fences in range(_FENCES):
        launch.body[:] = _fenced(bare, fences)
        straight = insert_barriers(launch.body)
        planner = _Planner(launch.body, answers, straight, straight)
        planner.complete()
        planner.prune()
        planner.alternate()
        planner.share(event_ids)
        planner.prune()
        if _events(launch.body) <= event_ids:
            break
    _number(launch.body, event_ids)


def _fenced(body: list[Node], fences: int) -> list[Node]:
    """A copy of the body with so many kinds of barriers."""
    found: list[Node] = []
    for node in body:
        if not isinstance(node, Block):
            found.append(node)
            if fences > 1 and isinstance(node, Instruction) and node.accesses:
                found.append(Sync("barrier", "ALL", "ALL", 0))
            continue
        inner = _fenced(node.body, fences)
        if fences == 1 and node.kind == "loop":
            inner.append(Sync("barrier", "ALL", "ALL", 0))
        found.append(Block(node.kind, node.head, inner, node.number))
    return found


def _events(body: list[Node]) -> int:
    """The most events that a pair of pipes has."""
    pairs: dict[tuple[str, str], set[int]] = {}
    for sync in syncs(body):
        if sync.kind != "barrier":
            pairs.setdefault((sync.source, sync.target), set()).add(sync.group)
    return max(map(len, pairs.values()), default=0)


def first_conflict(body: list[Node]) -> Unordered | None:
    """The first two steps of any run that conflict and are not ordered."""
    for run in runs(body):
        if conflict(moves(run), SAME, _clash) is not None:
            return _walk(run)
    return None


# -- clocks ---------------------------------------------------------------------------

_Clock = dict[str, int]


def _join(a: _Clock, b: _Clock) -> None:
    for pipe, time in b.items():
        if time > a.get(pipe, 0):
            a[pipe] = time


def _shortest_first(body: list[Node]) -> list[list[Move]]:
    """The runs of a body, in the order in which a conflict is found soonest."""
    return sorted(map(moves, runs(body)), key=len)


def _walk(run: list[Step], answers: Answers = NONE) -> Unordered | None:
    """One run with a clock for each pipe: what it knows to be complete."""
    known: dict[str, _Clock] = {}
    issued: _Clock = {}
    # What pipes know that have had nothing to do so far.
    all_know: _Clock = {}
    touched: dict[str, list[tuple[Step, Access, str, int]]] = {}
    flags: dict[int, tuple[_Clock, Step]] = {}
    waited: dict[int, tuple[int, str, Step]] = {}
    told: dict[str, list[_Clock]] = {}
    heard: dict[str, int] = {}
    for step in run:
        node = step.node
        if isinstance(node, Sync):
            group = node.group
            mine = known.setdefault(node.source, dict(all_know))
            if node.source == "ALL":
                all_know = dict(issued)
                for clock in known.values():
                    _join(clock, all_know)
            elif node.kind == "barrier":
                mine[node.source] = issued.get(node.source, 0)
            elif node.kind == "set":
                now = dict(mine)
                now[node.source] = issued.get(node.source, 0)
                last = waited.get(group)
                if last is not None and mine.get(last[1], 0) < last[0]:
                    # The flag may be set before it was waited for the last time.
                    return Unordered(last[2], step, "overtaken")
                if group in flags:
                    return Unordered(flags[group][1], step, "set twice")
                flags[group] = now, step
            else:
                if group not in flags:
                    return Unordered(step, step, "never set")
                theirs = known.setdefault(node.target, dict(all_know))
                _join(theirs, flags.pop(group)[0])
                issued[node.target] = issued.get(node.target, 0) + 1
                waited[group] = issued[node.target], node.target, step
                if node.target not in OVERLAPPING:
                    theirs[node.target] = issued[node.target]
            continue
        pipe = node.pipe
        mine = known.setdefault(pipe, dict(all_know))
        for access in node.accesses:
            for earlier, other, where, time in touched.get(access.buffer, ()):
                if mine.get(where, 0) >= time or not _clash(
                    earlier, other, step, access
                ):
                    continue
                return Unordered(earlier, step, "unordered", access.buffer)
        issued[pipe] = issued.get(pipe, 0) + 1
        if pipe not in OVERLAPPING:
            mine[pipe] = issued[pipe]
        for access in node.accesses:
            touched.setdefault(access.buffer, []).append(
                (step, access, pipe, issued[pipe])
            )
        if node.tells:
            told.setdefault(node.tells, []).append({**mine, pipe: issued[pipe]})
        if node.hears:
            number = heard[node.hears] = heard.get(node.hears, 0) + 1
            for flag, lag in answers.get(node.hears, ()):
                sent = told.get(flag, ())
                if 0 < number - lag <= len(sent):
                    for clock in (all_know, *known.values()):
                        _join(clock, sent[number - lag - 1])
    return None


def _clash(first: Step, a: Access, second: Step, b: Access) -> bool:
    if not (a.write or b.write):
        return False
    if not a.is_global:
        return True
    if a.side != b.side:
        return False
    turns, others = dict(first.turns), dict(second.turns)

    def differ(loops: set[int]) -> bool:
        return any(turns.get(n) != others.get(n) for n in loops)

    if differ(set(a.parallel) & set(b.parallel)):
        return False
    if a.place and a.place == b.place and _parts_differ(a, b):
        outer = {n for n in {*turns, *others} if n <= a.part[0]}
        if not differ(outer):
            return False
    return not (a.place and a.place == b.place and differ(set(a.turns) & set(b.turns)))


def _parts_differ(a: Access, b: Access) -> bool:
    """Whether they are in two parts of one cut."""
    (cut, number), (other_cut, other) = a.part, b.part
    return bool(number and other) and cut == other_cut and number != other


# -- planning -------------------------------------------------------------------------


@dataclass(eq=False, slots=True)
class _Planner:
    body: list[Node]
    answers: Answers = field(default_factory=dict)
    groups: int = 0
    # The last group of the barriers that were there before.
    straight: int = 0
    # What the flags of a group were added for; "" is another flag.
    buffers: dict[int, str] = field(default_factory=dict)

    def complete(self) -> None:
        """Adds flags until nothing is unordered."""
        rounds, again = 0, True
        todo = plans(self.body)
        while again:
            again, seen = False, set()
            for plan in todo:
                while True:
                    run = run_of(self.body, plan)
                    what = tuple([id(step.node) for step in run])
                    if what in seen:
                        break
                    if conflict(moves(run), SAME, _clash, self.answers) is None:
                        seen.add(what)
                        break
                    found = _walk(run, self.answers)
                    assert found is not None
                    self._order(found)
                    again, rounds = True, rounds + 1
                    if rounds == _ROUNDS:
                        raise ValueError("flags: no end in sight")

    def _holds(self, found: list[list[Move]], change: Change) -> bool:
        """Whether nothing in any of the runs conflicts after a change."""
        return self._conflict(found, change) is None

    def _conflict(
        self, found: list[list[Move]], change: Change
    ) -> tuple[str, Instruction | Sync] | None:
        """What conflicts in some run after a change, and where.

        The run goes to the front: most flags are asked about several times, and with
        many of them the same run has the conflict.
        """
        for k, run in enumerate(found):
            wrong = conflict(run, change, _clash, self.answers)
            if wrong is not None:
                if k:
                    found.insert(0, found.pop(k))
                return wrong
        return None

    def _order(self, found: Unordered) -> None:
        first, second = found.first, found.second
        source, target = _pipe(first.node), _pipe(second.node, setting=True)
        depth = 0
        while first.path[depth] == second.path[depth]:
            depth += 1
        body = self.body
        for _, place in first.path[:depth]:
            block = body[place]
            assert isinstance(block, Block)
            body = block.body
        (turn, at), (later, before) = first.path[depth], second.path[depth]
        while turn != later and at == before:
            # Both are in one branch: there the flag is set and waited for in pairs,
            # however often the branch is taken.
            block = body[at]
            if not isinstance(block, Block) or block.kind == "loop":
                break
            body, depth = block.body, depth + 1
            at, before = first.path[depth][1], second.path[depth][1]
        self.groups += 1
        self.buffers[self.groups] = found.buffer
        at, before = _after(body, at), _before(body, before)
        if source == target:
            body.insert(before, Sync("barrier", source, source, self.groups))
            return
        set_, wait = (
            Sync(kind, source, target, self.groups) for kind in ("set", "wait")
        )
        if at <= before:
            # Also from one turn to the next: the flag of the next turn covers it.
            body.insert(before, wait)
            body.insert(at, set_)
            return
        assert turn != later
        body.insert(at, set_)
        body.insert(before, wait)
        # Primed and drained in the kernel's own body: within an outer loop the next
        # priming could overtake the draining before it.
        place = first.path[0][1]
        end = _after(self.body, place)
        self.body.insert(end, Sync("wait", source, target, self.groups))
        start = _before(self.body, place)
        self.body.insert(start, Sync("set", source, target, self.groups))

    def prune(self) -> None:
        """Takes out each flag that the rest makes superfluous, or each part of one."""
        found = _shortest_first(self.body)
        kept = self._kept()
        again = True
        while again:
            again = False
            for candidate in self._spared():
                if candidate <= kept:
                    continue
                gone = self._with_guards(found, candidate)
                if gone:
                    again = True
                    _remove(self.body, gone)
                    found = [
                        [s for s in run if id(s.node) not in gone] for run in found
                    ]

    def _kept(self) -> frozenset[int]:
        """Barriers that nothing could make superfluous."""
        groups = necessary(self.body, self.straight)
        return frozenset(id(s) for s in syncs(self.body) if s.group in groups)

    def _with_guards(
        self, found: list[list[Move]], gone: frozenset[int]
    ) -> frozenset[int]:
        """`gone`, and flags that only it kept from being overtaken; none: it stays."""
        while gone:
            change = Change(gone)
            wrong = self._conflict(found, change)
            if wrong is None:
                return gone
            why, node = wrong
            if why != "overtaken" or not isinstance(node, Sync):
                return frozenset()
            gone |= frozenset(map(id, _within(self.body, node.group)))
        return gone

    def _spared(self) -> Iterator[frozenset[int]]:
        """Sets of nodes, by id, without which flags are still set and waited for."""
        for group in range(1, self.groups + 1):
            yield frozenset(map(id, _within(self.body, group)))
        for group in range(1, self.groups + 1):
            # What primes and drains a flag is of all its parts.
            ends = set(map(id, self.body))
            whole = _within(self.body, group)
            mine = [s for s in whole if id(s) not in ends]
            parts = {s.part or s.group for s in mine}
            if len(parts) < 2:
                continue
            for part in sorted(parts):
                yield frozenset(id(s) for s in mine if (s.part or s.group) == part)
            # Two parts that follow each other need not be tied both here and from one
            # turn to the next.
            for one, next_ in pairwise(mine):
                if (one.kind, next_.kind) == ("set", "wait"):
                    yield frozenset((id(one), id(next_)))
            if (mine[0].kind, mine[-1].kind) == ("wait", "set"):
                around = (mine[0], mine[-1], *(s for s in whole if id(s) in ends))
                yield frozenset(map(id, around))

    def alternate(self) -> None:
        """Has flags that are carried for one buffer be one, if that spares others.

        Where several parts of a loop use a buffer in turn, a flag of its own for each
        part leaves the change of parts to yet another flag, which waits for all that
        the part before has done. One flag for all parts waits for the last user only.
        """
        whole, count = self.body[:], _count(self.body)
        made, joins = whole, 0
        found = _shortest_first(whole)
        pipes = _carried(whole)
        for first, second in combinations(sorted(pipes), 2):
            if pipes[first] == pipes[second] and self._same(first, second):
                change = _join_of(made, first, second)
                if change is not None and self._holds(found, change):
                    made, joins = _joined(made, change), joins + 1
                    found = _shortest_first(made)
        if not joins:
            return
        self.body[:] = made
        self.prune()
        if _count(self.body) + joins >= count:
            self.body[:] = whole

    def _same(self, first: int, second: int) -> bool:
        return self.buffers[first] == self.buffers[second] != ""

    def share(self, event_ids: int) -> None:
        """Has flags of one pair of pipes share an event, where there are too many."""
        pairs: dict[tuple[str, str], list[int]] = {}
        for sync in syncs(self.body):
            if sync.kind != "barrier":
                groups = pairs.setdefault((sync.source, sync.target), [])
                if sync.group not in groups:
                    groups.append(sync.group)
        for groups in pairs.values():
            while len(groups) > event_ids:
                if not self._share_one(groups):
                    break

    def _share_one(self, groups: list[int]) -> bool:
        found = _shortest_first(self.body)
        for k, second in enumerate(groups):
            for first in groups[:k]:
                change = _join_of(self.body, first, second)
                if change is not None and self._holds(found, change):
                    self.body[:] = _joined(self.body, change)
                    groups.remove(second)
                    return True
        return False


def _join_of(body: list[Node], first: int, second: int) -> Change | None:
    """Two groups as one: primed before both, drained after both."""
    ends = {
        g: [
            k
            for k, n in enumerate(body)
            if isinstance(n, Sync) and n.group == g and len(_within(body, g)) == 4
        ]
        for g in (first, second)
    }
    a, b = ends[first], ends[second]
    if bool(a) != bool(b):
        return None
    dropped = {max(a[0], b[0]), min(a[-1], b[-1])} if a else set()
    return Change(frozenset(id(body[k]) for k in dropped), {second: first})


def _joined(body: list[Node], change: Change) -> list[Node]:
    """A copy with two groups as one."""
    kept = [n for n in body if id(n) not in change.dropped]
    ((old, new),) = change.names.items()
    return _renamed(kept, old, new)


def _carried(body: list[Node]) -> dict[int, tuple[str, str]]:
    """The groups of flags that are primed before a loop, with their pipes."""
    return {
        s.group: (s.source, s.target)
        for s in body
        if isinstance(s, Sync) and s.kind == "set" and len(_within(body, s.group)) == 4
    }


def _count(body: list[Node]) -> int:
    return len({s.group for s in syncs(body)})


def _within(body: list[Node], group: int) -> list[Sync]:
    return [s for s in syncs(body) if s.group == group]


def _renamed(body: list[Node], old: int, new: int) -> list[Node]:
    found: list[Node] = []
    for node in body:
        if isinstance(node, Block):
            inner = _renamed(node.body, old, new)
            found.append(Block(node.kind, node.head, inner, node.number))
        elif isinstance(node, Sync) and node.group == old:
            part = node.part or old
            found.append(Sync(node.kind, node.source, node.target, new, part=part))
        else:
            found.append(node)
    return found


def _after(body: list[Node], place: int) -> int:
    """Where a statement goes after the one at `place`: not between two branches."""
    while has_else(body, place):
        place += 1
    return place + 1


def _before(body: list[Node], place: int) -> int:
    while place and has_else(body, place - 1):
        place -= 1
    return place


def _pipe(node: Instruction | Sync, setting: bool = False) -> str:
    if isinstance(node, Instruction):
        return node.pipe
    return node.source if setting else node.target


def _without(body: list[Node], group: int) -> list[Node]:
    """A copy of the tree without a group."""
    found: list[Node] = []
    for node in body:
        if isinstance(node, Block):
            inner = _without(node.body, group)
            found.append(Block(node.kind, node.head, inner, node.number))
        elif not (isinstance(node, Sync) and node.group == group):
            found.append(node)
    return found


def _remove(body: list[Node], gone: frozenset[int]) -> None:
    body[:] = [n for n in body if id(n) not in gone]
    for node in body:
        if isinstance(node, Block):
            _remove(node.body, gone)


def _number(body: list[Node], event_ids: int) -> None:
    """Event ids: each flag of a pair of pipes has its own."""
    taken: dict[tuple[str, str], dict[int, int]] = {}
    for sync in syncs(body):
        if sync.kind == "barrier":
            continue
        events = taken.setdefault((sync.source, sync.target), {})
        sync.event = events.setdefault(sync.group, len(events))
    for (source, target), events in taken.items():
        if len(events) > event_ids:
            raise ValueError(f"flags: {len(events)} events of {source}_{target}")
