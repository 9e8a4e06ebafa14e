"""Every flag of every generated kernel, taken away in turn on the twin."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from opslib.backends.npu.ascend import machine, plan

from .ascend_mutation_calls import FAR, LIMIT, Call, elements
from .ascend_mutation_kernels import Kernel, Prepared, Said, build, kernels

# So many calls are drawn at once, and the smallest of them run first.
_BATCH = 16
# A line is dropped in so many runs at most that come to the same lines about as often:
# to within a factor of two.
_TIMES = 4
# So many calls are drawn around others.
_NEAR = 600


@dataclass
class Verdict:
    """What became of a kernel's lines.

    Attributes:
        caught: the line and the kind of the first finding.
        drains: lines that order nothing because nothing comes after them.
        missed: the others, with the statement.
        redundant: those of `missed` that were noted in every call that ran them.
        wrong: findings without anything dropped.
        calls, drops: how many there were, and how many runs with a line dropped.
        alike: another kernel of the same shape, which was judged.
    """

    operator: str
    dtype: str
    name: str
    caught: dict[int, str] = field(default_factory=dict)
    drains: set[int] = field(default_factory=set)
    missed: dict[int, str] = field(default_factory=dict)
    redundant: set[int] = field(default_factory=set)
    wrong: str = ""
    calls: int = 0
    drops: int = 0
    alike: str = ""


def _smallest_first(calls: Iterator[Call]) -> Iterator[Call]:
    """What a small call tells no large one has to be asked for."""
    while batch := list(islice(calls, _BATCH)):
        yield from sorted(batch, key=elements)


def _is_last(rows: Sequence[str], line: int, is_half: bool) -> bool:
    """Whether no flag is set behind it, and no loop leads back to it."""
    level = 8 if is_half else 4
    if len(rows[line - 1]) - len(rows[line - 1].lstrip()) != level:
        return False
    end = level - 4
    while len(rows[line]) - len(rows[line].lstrip()) != end or not rows[line]:
        if "SetFlag<" in rows[line] or "PipeBarrier<" in rows[line]:
            return False
        line += 1
    return True


class _Judge:
    """What is known so far of a kernel's lines.

    Attributes:
        left: lines that were not noticed yet, and the launch of each.
        last: those behind which no flag is set.
        drains: of lines that ran: one of `last` that only emptied a flag each time.
        spare: whether they ordered nothing new each time.
        tried: how often they were dropped in a run of a kind.
        ran: some calls that came to a line.
        all_drawn: only calls around others follow, which may be larger.
    """

    def __init__(self, kernel: Kernel) -> None:
        source = kernel.sources[0]
        self.kernel = kernel
        self.found = Verdict(source.handle.name, source.dtype, kernel.made.name)
        self.left = {n: k for k, lines in enumerate(kernel.lines) for n in lines}
        self.last = {
            n for k, lines in enumerate(kernel.lines) for n in lines
            if _is_last(kernel.text, n, kernel.made.launches[k].unit == "mix")
        }  # fmt: skip
        self.drains: dict[int, bool] = {}
        self.spare: dict[int, bool] = {}
        self.tried: Counter[Any] = Counter()
        self.ran: dict[int, list[Call]] = {}
        self.all: list[Call] = []
        self.all_drawn = False

    def open(self) -> list[int]:
        """Lines that calls are wanted for."""
        return [line for line in self.left if not self.drains.get(line)]

    def hear(self, one: Call) -> bool:
        """Runs a call; whether the kernel is right."""
        if elements(one) > (FAR if self.all_drawn else LIMIT):
            return True
        ready = Prepared(self.kernel, one)
        whole = ready.run()
        if any(said.is_long for said in whole.values()):
            return True
        wrong = next((s.text for s in whole.values() if s.findings), "")
        if wrong and one.natural:
            first = wrong.splitlines()[0]
            self.found.wrong = f"{one.sizes} {one.scalars}: {first}"
            return False
        if wrong:
            return True
        self.found.calls += 1
        self.all.append(one)
        for k, said in whole.items():
            kind = frozenset((n, times.bit_length()) for n, times in said.ran.items())
            for line in [n for n, of in self.left.items() if of == k and n in said.ran]:
                self.ran.setdefault(line, []).append(one)
                self._try(ready, k, line, said, kind)
        return True

    def _try(
        self, ready: Prepared, launch: int, line: int, said: Said, kind: Any
    ) -> None:
        # All of its runs count.
        drain, redundant = line in said.drains, line in said.redundant
        if drain or redundant:
            ends = drain and line in self.last
            self.drains[line] = ends and self.drains.get(line, True)
            self.spare[line] = redundant and self.spare.get(line, True)
            return
        self.drains[line] = False
        self.spare[line] = False
        self.tried[line, kind] += 1
        if self.tried[line, kind] > _TIMES:
            return
        self.kernel.drop(line)
        self.found.drops += 1
        dropped = ready.again(launch)
        self.kernel.drop(0)
        if dropped.findings:
            self.found.caught[line] = dropped.findings[0]
            del self.left[line]

    def nearby(self) -> Iterator[Call]:
        """For lines that are left, calls like those that came to them."""
        rng = random.Random(0)
        self.all_drawn = True
        for free in range(_NEAR):
            wanted = self.open()
            if not wanted or not self.all:
                return
            # In turn around calls that came to a line that is left, and any.
            line = wanted[free // 2 % len(wanted)]
            known = (free % 2 and self.ran.get(line)) or self.all
            yield from self.kernel.near(rng.choice(known), 1000 + free)

    def verdict(self) -> Verdict:
        """When no more calls come."""
        for line in self.left:
            if self.drains.get(line):
                self.found.drains.add(line)
            else:
                self.found.missed[line] = self.kernel.text[line - 1].strip()
                if self.spare.get(line):
                    self.found.redundant.add(line)
        return self.found


def judge(kernel: Kernel, draws: int = 40, least: int = 10) -> Verdict:
    """Drops every wait and barrier of a kernel in turn.

    Calls are drawn until every line has been noticed, or looks as if it only drained a
    flag in each of `least` calls; first anyhow, then around those that came to a line
    that is left.
    """
    state = _Judge(kernel)
    for calls in (_smallest_first(kernel.calls(draws)), state.nearby()):
        for one in calls:
            if not state.hear(one):
                return state.found
            if state.found.calls >= least and not state.open():
                return state.verdict()
    return state.verdict()


# Kernels in one translation unit.
_UNIT = 30


def shape_of(made: plan.Program) -> tuple[Any, ...]:
    """What flags depend on: pipes, what they touch, loops, flags; names do not count.

    Two kernels of one shape differ in what the vector unit computes, as add and
    subtract do, and are the same to everything here.
    """
    names: dict[str, int] = {}

    def short(text: str) -> str:
        return _WORD.sub(lambda m: str(names.setdefault(m[0], len(names))), text)

    def parts(body: list[machine.Node]) -> tuple[Any, ...]:
        found: list[Any] = []
        for node in body:
            if isinstance(node, machine.Block):
                found.append((node.kind, short(node.head), parts(node.body)))
            elif isinstance(node, machine.Sync):
                found.append(node.text)
            else:
                found.append(
                    (
                        node.pipe,
                        tuple((short(a.buffer), a.write) for a in node.accesses),
                    )
                )
        return tuple(found)

    return tuple((x.unit, parts(x.body)) for x in made.launches)


_WORD = re.compile(r"[A-Za-z_]\w*")


def survey(
    work: Sequence[tuple[str, str]], most: int = 2, draws: int = 40
) -> Iterator[Verdict]:
    """Verdicts on the kernels of operators and dtypes, one for each shape."""
    seen: dict[Any, str] = {}
    waiting: list[Kernel] = []
    for operator, dtype in work:
        for kernel in kernels(operator, dtype, most):
            shape = shape_of(kernel.made)
            if shape in seen:
                yield Verdict(operator, dtype, kernel.made.name, alike=seen[shape])
                continue
            seen[shape] = kernel.made.name
            waiting.append(kernel)
        if len(waiting) >= _UNIT:
            yield from _judged(waiting, draws)
            waiting = []
    if waiting:
        yield from _judged(waiting, draws)


def _judged(waiting: Sequence[Kernel], draws: int) -> Iterator[Verdict]:
    build(waiting)
    for kernel in waiting:
        yield judge(kernel, draws)


def complaints(found: Sequence[Verdict]) -> list[str]:
    """A sentence for each line that can go unnoticed, and for each kernel in error."""
    lines = []
    for v in found:
        if v.wrong:
            lines.append(f"{v.name}: {v.wrong}")
        for line, text in v.missed.items():
            why = "orders nothing in any call" if line in v.redundant else "unnoticed"
            lines.append(f"{v.name}, line {line}: {text} {why}")
    return lines


def rate(found: Sequence[Verdict]) -> str:
    """The catch rate in a line."""
    caught = sum(len(v.caught) for v in found)
    missed = sum(len(v.missed) for v in found)
    drains = sum(len(v.drains) for v in found)
    own = sum(not v.alike for v in found)
    return (
        f"{len(found)} kernels of {own} shapes: {caught} of {caught + missed} waits "
        f"and barriers are noticed when dropped, {drains} more only empty a flag"
    )


def cost(found: Sequence[Verdict]) -> str:
    """What that took, in a line."""
    races = sum(kind == "race" for v in found for kind in v.caught.values())
    return (
        f"{races} noticed as a race; {sum(v.calls for v in found)} calls, "
        f"{sum(v.drops for v in found)} runs with a line dropped"
    )


def markdown(found: Sequence[Verdict], whole: int) -> str:
    """The page of the documentation; `whole` is how many operators and dtypes."""
    done = len({(v.operator, v.dtype) for v in found})
    lines = [
        "# Every flag of every Ascend kernel, dropped",
        "",
        f"{done} of {whole} operators with their dtypes (float32, float16), with the",
        "kernels that calls of their signatures most often come to. Kernels are made",
        "with the least tiles and blocks, which changes no flag, and called with sizes",
        "around their own tile and block lengths. A wait or a barrier is *noticed*",
        "when the twin has a finding in some call while the line orders nothing; the",
        "others are only there to empty a flag at the end. Waits for other cores count",
        "as well. Kernels that differ only in what the vector unit computes are judged",
        "once: *as* names the other.",
        "",
        f"{rate(found)}.",
        "",
        "Made by the deep test of `test_ascend_mutation_catalogue.py`.",
        "",
        "| kernel | noticed | of | only empty a flag | as |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *_rows(found)]) + "\n"


def _rows(found: Sequence[Verdict]) -> list[str]:
    """By name; of kernels that are alike the first one, whichever was judged."""
    judged = {v.name: v for v in found if not v.alike}
    names: dict[str, str] = {}
    rows = []
    for v in sorted(found, key=lambda v: v.name):
        model = judged[v.alike or v.name]
        first = names.setdefault(model.name, v.name)
        if first != v.name:
            rows.append(f"| {v.name} | | | | {first} |")
            continue
        caught, missed = len(model.caught), len(model.missed)
        rows.append(
            f"| {v.name} | {caught} | {caught + missed} | {len(model.drains)} | |"
        )
    return rows
