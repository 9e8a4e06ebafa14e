"""What a core knows of itself by a flag of the cores of the other kind.

Who hears from another core knows all that the other knew: what that one heard of it
before, too. So a flag that comes back orders pipes of the core that began, and flags of
its own for that would be one too many. Each half of a ``mix`` kernel is planned alone,
with a table of what comes back with which flag.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .machine import Instruction, Node
from .traces import Plan, run_of

# By a flag that is heard: (a flag that was told, lag): the n-th of the one says that
# all is done that was done when the core told the other for the (n - lag)-th time.
Answers = Mapping[str, Sequence[tuple[str, int]]]
NONE: Answers = {}
# Turns of every loop.
_TURNS = 3, 4


@dataclass(slots=True)
class _Core:
    """One half of a run, up to `at`; all by flag.

    Attributes:
        counts: how often it told each flag, by its pipe.
        known: how many of the other's it knows of, of its own by return.
        told: what it knew each time, of the other's and of its own.
        lags: the largest so far, by (heard, told).
    """

    run: list[Instruction]
    at: int = 0
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)
    told: dict[str, list[dict[str, int]]] = field(default_factory=dict)
    heard: dict[str, int] = field(default_factory=dict)
    lags: dict[tuple[str, str], int] = field(default_factory=dict)

    def go(self, other: _Core) -> bool:
        """As far as what the other has told allows; whether that was anything."""
        start = self.at
        while self.at < len(self.run):
            step = self.run[self.at]
            if step.tells:
                self._tell(step)
            elif not self._hear(step.hears, other):
                break
            self.at += 1
        return self.at > start

    def _tell(self, step: Instruction) -> None:
        key = step.tells, step.pipe
        self.counts[key] = self.counts.get(key, 0) + 1
        # Another pipe may not have done yet what it told the other about.
        mine = {f: n for (f, pipe), n in self.counts.items() if pipe == step.pipe}
        self.told.setdefault(step.tells, []).append({**self.known, **mine})

    def _hear(self, flag: str, other: _Core) -> bool:
        number = self.heard.get(flag, 0)
        told = other.told.get(flag, [])
        if number == len(told):
            return False
        self.heard[flag] = number + 1
        for name, n in told[number].items():
            self.known[name] = max(n, self.known.get(name, 0))
        for name, _ in self.counts:
            n = told[number].get(name, 0)
            key = flag, name
            self.lags[key] = max(number + 1 - n, self.lags.get(key, 0))
        return True


def answers(first: list[Node], second: list[Node]) -> tuple[Answers, Answers]:
    """What comes back to each of two halves.

    Raises:
        ValueError: one waits for what the other never tells it.
    """
    short, long = (_lags(first, second, turns) for turns in _TURNS)
    # What lags further behind in a longer run does not come back.
    mine, theirs = (
        {key: lag for key, lag in a.items() if b[key] == lag}
        for a, b in zip(short, long, strict=True)
    )
    return _table(mine), _table(theirs)


_Lags = dict[tuple[str, str], int]


def _lags(first: list[Node], second: list[Node], turns: int) -> tuple[_Lags, _Lags]:
    a, b = (_Core(_flags(body, turns)) for body in (first, second))
    while a.go(b) or b.go(a):
        pass
    if a.at < len(a.run) or b.at < len(b.run):
        raise ValueError("the cores of a kernel wait for each other")
    return a.lags, b.lags


def _flags(body: list[Node], turns: int) -> list[Instruction]:
    """The flags between cores in the usual run, in order."""
    return [
        step.node
        for step in run_of(body, Plan(turns))
        if isinstance(step.node, Instruction) and (step.node.tells or step.node.hears)
    ]


def _table(lags: _Lags) -> Answers:
    found: dict[str, list[tuple[str, int]]] = {}
    for (heard, told), lag in lags.items():
        found.setdefault(heard, []).append((told, lag))
    return found


__all__ = ["NONE", "Answers", "answers"]
