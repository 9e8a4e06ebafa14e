"""A loop nest cut into launches: pieces between which the whole machine waits.

Top-level statements that write memory become launches, for on a machine without a
barrier between all of its cores a launch is the only one. What only computes values is
repeated in each launch that needs it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from opslib.ir.expr import Expr, Read, Var, walk
from opslib.ir.loops import (
    Alloc,
    Assign,
    Declare,
    Fail,
    For,
    If,
    Intrinsic,
    Let,
    Place,
    Reduce,
    Statement,
    Store,
)


def one_of_each(body: Sequence[Statement]) -> tuple[Statement, ...]:
    """Without alternatives.

    Those for few rows split them over workers that wait for each other, which here
    would be launches.
    """
    found: list[Statement] = []
    for s in body:
        match s:
            case If(alternatives=True):
                found += one_of_each(s.other)
            case If():
                then, other = one_of_each(s.then), one_of_each(s.other)
                found.append(If(s.condition, then, other))
            case For():
                found.append(dataclasses.replace(s, body=one_of_each(s.body)))
            case _:
                found.append(s)
    return tuple(found)


def phases_of(body: Sequence[Statement]) -> list[tuple[Statement, ...]]:
    """The statements of each launch."""
    found = []
    for k, s in enumerate(body):
        if not writes(s):
            continue
        before = needed(body[:k], s)
        if before is None:
            # A variable that a statement with effects gives: one core runs it all.
            return [tuple(body)]
        found.append((*before, s))
    return found or [tuple(body)]


def writes(s: Statement) -> bool:
    """Whether a statement has an effect that outlives it, beyond variables."""
    match s:
        case Store() | Fail():
            return True
        case For():
            return any(map(writes, s.body))
        case If():
            return any(map(writes, (*s.then, *s.other)))
        case Reduce():
            return any(map(writes, s.body))
        case Intrinsic():
            return any(isinstance(a, Place) and a.writes for a in s.arguments)
    return False


@dataclass(slots=True)
class _Uses:
    names: set[str]
    buffers: set[str]


def needed(before: Sequence[Statement], s: Statement) -> list[Statement] | None:
    """The statements in front of `s` that it depends on; None: one has effects."""
    uses = _Uses(set(), set())
    _collect(s, uses)
    found: list[Statement] = []
    for each in reversed(before):
        if isinstance(each, Alloc):
            if each.buffer.name in uses.buffers:
                found.append(each)
                _uses_of(each.buffer.shape, uses)
        elif defines(each) & uses.names:
            if writes(each):
                return None
            found.append(each)
            _collect(each, uses)
    return found[::-1]


def _uses_of(roots: Sequence[Expr], uses: _Uses) -> None:
    """Adds the variables and buffers that the expressions mention."""
    for n in walk(*roots):
        if isinstance(n, Var):
            uses.names.add(n.name)
        elif isinstance(n, Read):
            uses.buffers.add(n.tensor)


def defines(s: Statement) -> set[str]:
    """The variables that a statement gives to those after it."""
    match s:
        case Let(name, _) | Declare(name, _):
            return {name}
        case Assign(names, _):
            return set(names)
        case Reduce():
            return set(s.results)
        case For():
            return set().union(*map(defines, s.body))
        case If():
            return set().union(*map(defines, (*s.then, *s.other)))
    return set()


def _collect(s: Statement, uses: _Uses) -> None:
    for each in inside([s]):
        _uses_of(roots(each), uses)
        if isinstance(each, Store):
            uses.buffers.add(each.buffer)
        elif isinstance(each, Intrinsic):
            places = [a for a in each.arguments if isinstance(a, Place)]
            uses.buffers.update(a.buffer for a in places)


def inside(body: Sequence[Statement]) -> Iterator[Statement]:
    """The statements and all those within them."""
    for s in body:
        yield s
        match s:
            case For() | Reduce():
                yield from inside(s.body)
            case If():
                yield from inside((*s.then, *s.other))


def accesses(body: Sequence[Statement]) -> tuple[set[str], set[str]]:
    """The buffers that the statements read, and those that they write."""
    read: set[str] = set()
    written: set[str] = set()
    for s in inside(body):
        for n in walk(*roots(s)):
            if isinstance(n, Read):
                read.add(n.tensor)
        if isinstance(s, Store):
            written.add(s.buffer)
        elif isinstance(s, Intrinsic):
            for a in s.arguments:
                if isinstance(a, Place):
                    (written if a.writes else read).add(a.buffer)
    return read, written


def roots(s: Statement) -> list[Expr]:
    """The expressions of the statement itself."""
    match s:
        case Let(_, value) | Declare(_, value):
            return [value]
        case Assign(_, values):
            return list(values)
        case Store(_, indices, value):
            return [value, *indices]
        case Reduce():
            return [*s.axes, *s.args]
        case For():
            return [s.axis, *([s.step] if s.step else [])]
        case If():
            return [s.condition]
        case Fail():
            return [s.condition, s.value, s.extent]
        case Intrinsic():
            found: list[Expr] = []
            for a in s.arguments:
                found += a.indices if isinstance(a, Place) else [a]
            return found
        case Alloc(buffer):
            return list(buffer.shape)
    return []
