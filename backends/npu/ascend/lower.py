"""From a program of the index algebra to a machine program: lowering, then launches.

A kernel's top-level statements that write memory become launches, for a launch is the
only barrier between all cores. What only computes values is repeated in each launch
that needs it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from opslib.codegen.c_expressions import Entry
from opslib.codegen.c_names import Names, mangle
from opslib.codegen.c_types import value_type
from opslib.ir import expr, loops
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
from opslib.lowering.passes import prepare
from opslib.lowering.skeletons import nest
from opslib.lowering.skeletons.choose import choose_skeleton

from ..targets import DEFAULT, AscendTarget
from . import contraction
from .allocate import allocate
from .flags import insert_flags
from .folds import FoldPrinter
from .host_scalars import split
from .lanes_state import Cannot
from .machine import Launch
from .plan import Pointer, Program
from .scalar import element_type

_SKELETONS = {"streaming": "streaming", "contraction": "contraction"}


def lower(
    program: expr.Program,
    name: str,
    target: AscendTarget = DEFAULT,
    fallback: bool = False,
) -> Program:
    """The machine program; `name` is a C identifier, without ``op_`` in front.

    `fallback` takes the skeletons that keep to no `Program.limits`.
    """
    # Exported as C: a kernel called exp would take the place of libm's.
    name = f"op_{name}"
    prepared, host = split(prepare(program))
    if not fallback and target.separate:
        made = contraction.lower(prepared, name, target, from_loops)
        if made is not None:
            return dataclasses.replace(made, host=host)
    skeleton = choose_skeleton(prepared)
    kernel = nest.lower(prepared, {}, name, skeleton, transposes=False)
    return dataclasses.replace(from_loops(kernel, name, target), host=host)


def from_loops(
    kernel: loops.Kernel, name: str, target: AscendTarget = DEFAULT
) -> Program:
    """A machine program of a loop nest."""
    # Loops that mix the scalar unit's cached accesses with DMA on one buffer would need
    # the cache cleaned in between; such buffers are left to the scalar unit altogether.
    scalar: frozenset[str] = frozenset()
    phases = _phases(_one_of_each(kernel.body))
    while True:
        made = [_Phase(kernel, name, target, scalar, p) for p in phases]
        mixed = frozenset().union(
            *(p.printer.scalar_writes & p.printer.moved for p in made),
            *((p.printer.scalar_reads & q.printer.stored) for p in made for q in made),
            *((p.printer.scalar_writes & q.printer.moved) for p in made for q in made),
        )
        if mixed <= scalar:
            break
        scalar |= mixed
    first = made[0]
    lets: dict[str, Expr] = {}
    for phase in made:
        lets.update(phase.printer.lets)
    workspaces: dict[str, Pointer] = {}
    for phase in made:
        for b in phase.printer.workspaces:
            c = phase.printer.need(("buffer", b.name)).text
            workspaces.setdefault(b.name, _pointer(c, b, "workspace", not b.shared))
    pointers = [
        *(_pointer(first.tensor(b), b, b.scope, False) for b in kernel.inputs),
        *(_pointer(first.tensor(b), b, b.scope, False) for b in kernel.outputs),
        *workspaces.values(),
        Pointer("numbers", "numbers_memory", "int64_t", "ints", ""),
        Pointer("reals", "reals_memory", "float", "reals", ""),
        Pointer("status", "status_memory", "int64_t", "status", "4"),
    ]
    launches = []
    for k, phase in enumerate(made):
        title = f"{name}_{k}" if len(made) > 1 else name
        rows = _rows(kernel, name, target, scalar, phases[k], phase)
        if rows is not None:
            launches.append(rows.launch(f"{title}_rows"))
        launches.append(phase.launch(title))
    for launch in launches:
        insert_flags(launch, target.event_ids)
    return Program(
        kernel,
        name,
        tuple(launches),
        tuple(pointers),
        first.values,
        first.reals,
        lets,
    )


def _rows(
    kernel: loops.Kernel,
    name: str,
    target: AscendTarget,
    scalar: frozenset[str],
    body: tuple[Statement, ...],
    chunked: _Phase,
) -> _Phase | None:
    """The launch for rows that fit UB, if that saves moving them more than once."""
    if not chunked.is_parallel or not _folds(body):
        return None
    try:
        made = _Phase(kernel, name, target, scalar, body, resident=True)
    except Cannot:
        return None
    return made if made.printer.length is not None else None


def _folds(body: Sequence[Statement]) -> bool:
    return any(
        isinstance(s, Reduce) or (isinstance(s, For) and _folds(s.body)) for s in body
    )


def _pointer(c: str, b: loops.Buffer, kind: str, private: bool) -> Pointer:
    return Pointer(
        c, f"{c}_memory", element_type(b.dtype), kind, f"{c}_count", b, private
    )


class _Phase:
    """One launch, printed."""

    def __init__(
        self,
        kernel: loops.Kernel,
        name: str,
        target: AscendTarget,
        scalar: frozenset[str],
        body: tuple[Statement, ...],
        resident: bool = False,
    ) -> None:
        self.target = target
        names = Names()
        for taken in ("numbers", "reals", "status", "Load", "Store", "opslib", "TILE"):
            names.fresh(taken)
        self.printer = FoldPrinter(names, target, scalar, resident)
        scope = self.printer.scopes[0]
        types = {s.name: s.type for s in kernel.scalars}
        self._tensors: dict[str, str] = {}
        for b in (*kernel.inputs, *kernel.outputs):
            c = names.fresh(b.name)
            self._tensors[b.name] = c
            self.printer.buffers[b.name] = b
            scope[("buffer", b.name)] = Entry(c, "")
        values, reals = [], []
        for n in kernel.integers:
            c = names.fresh(n)
            dtype = types.get(n)
            ctype = "int64_t" if dtype is None else value_type(dtype)
            scope[("value", n)] = Entry(c, ctype)
            values.append((c, n))
        for n in kernel.reals:
            c = names.fresh(n)
            dtype = types[n]
            scope[("value", n)] = Entry(c, value_type(dtype))
            reals.append((c, n, value_type(dtype)))
        self.values, self.reals = tuple(values), tuple(reals)
        self.printer.body(body)
        self.is_parallel = self.printer.is_parallel
        shared = {
            b.name
            for b in (*kernel.outputs, *(w for w in self.printer.workspaces))
            if b.scope == "output" or getattr(b, "shared", False)
        }
        # Cores do not see each other's caches, and share lines at the borders of what
        # they write; the scalar unit therefore writes shared memory alone.
        self.alone = (
            sum(map(_writes, body)) > 1
            or not self.is_parallel
            or bool(self.printer.scalar_writes & shared)
        )

    def tensor(self, buffer: loops.Buffer) -> str:
        """Its name in the text."""
        return self._tensors[buffer.name]

    def launch(self, name: str) -> Launch:
        """The function."""
        tile, buffers = allocate(self.printer.tiles(), self.target)
        body = self.printer.finished(tile)
        made = Launch(name, "vector", body, buffers, 1 if self.alone else 0)
        if self.printer.length is not None:
            made.rows = self.printer.length, tile
        address = 0
        for b in buffers:
            made.addresses[b.name] = address
            address += b.bytes
        return made


def _one_of_each(body: Sequence[Statement]) -> tuple[Statement, ...]:
    """Without alternatives.

    Those for few rows split them over workers that wait for each other, which here
    would be launches.
    """
    found: list[Statement] = []
    for s in body:
        match s:
            case If(alternatives=True):
                found += _one_of_each(s.other)
            case If():
                then, other = _one_of_each(s.then), _one_of_each(s.other)
                found.append(If(s.condition, then, other))
            case For():
                found.append(dataclasses.replace(s, body=_one_of_each(s.body)))
            case _:
                found.append(s)
    return tuple(found)


# -- launches -------------------------------------------------------------------------


def _phases(body: Sequence[Statement]) -> list[tuple[Statement, ...]]:
    """The statements of each launch."""
    found = []
    for k, s in enumerate(body):
        if not _writes(s):
            continue
        needed = _needed(body[:k], s)
        if needed is None:
            # A variable that a statement with effects gives: one core runs it all.
            return [tuple(body)]
        found.append((*needed, s))
    return found or [tuple(body)]


def _writes(s: Statement) -> bool:
    """Whether a statement has an effect that outlives it, beyond variables."""
    match s:
        case Store() | Fail():
            return True
        case For():
            return any(map(_writes, s.body))
        case If():
            return any(map(_writes, (*s.then, *s.other)))
        case Reduce():
            return any(map(_writes, s.body))
        case Intrinsic():
            return any(isinstance(a, Place) and a.writes for a in s.arguments)
    return False


@dataclass(slots=True)
class _Uses:
    names: set[str]
    buffers: set[str]


def _needed(before: Sequence[Statement], s: Statement) -> list[Statement] | None:
    """The statements in front of `s` that it depends on; None: one has effects."""
    uses = _Uses(set(), set())
    _collect(s, uses)
    found: list[Statement] = []
    for each in reversed(before):
        if isinstance(each, Alloc):
            if each.buffer.name in uses.buffers:
                found.append(each)
                uses_of(each.buffer.shape, uses)
        elif _defines(each) & uses.names:
            if _writes(each):
                return None
            found.append(each)
            _collect(each, uses)
    return found[::-1]


def uses_of(roots: Sequence[Expr], uses: _Uses) -> None:
    """Adds the variables and buffers that the expressions mention."""
    for n in walk(*roots):
        if isinstance(n, Var):
            uses.names.add(n.name)
        elif isinstance(n, Read):
            uses.buffers.add(n.tensor)


def _defines(s: Statement) -> set[str]:
    match s:
        case Let(name, _) | Declare(name, _):
            return {name}
        case Assign(names, _):
            return set(names)
        case Reduce():
            return set(s.results)
        case For():
            return set().union(*map(_defines, s.body))
        case If():
            return set().union(*map(_defines, (*s.then, *s.other)))
    return set()


def _collect(s: Statement, uses: _Uses) -> None:
    match s:
        case Let(_, value) | Declare(_, value):
            uses_of([value], uses)
        case Assign(_, values):
            uses_of(values, uses)
        case Store(buffer, indices, value):
            uses.buffers.add(buffer)
            uses_of([value, *indices], uses)
        case Reduce():
            uses_of([*s.axes, *s.args], uses)
            for each in s.body:
                _collect(each, uses)
        case For():
            uses_of([s.axis, *([s.step] if s.step else [])], uses)
            for each in s.body:
                _collect(each, uses)
        case If():
            uses_of([s.condition], uses)
            for each in (*s.then, *s.other):
                _collect(each, uses)
        case Fail():
            uses_of([s.condition, s.value, s.extent], uses)
        case Intrinsic():
            for a in s.arguments:
                if isinstance(a, Place):
                    uses.buffers.add(a.buffer)
                    uses_of(a.indices, uses)
                else:
                    uses_of([a], uses)
        case Alloc(buffer):
            uses_of(buffer.shape, uses)


__all__ = ["from_loops", "lower", "mangle"]
