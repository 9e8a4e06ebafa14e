"""The generic nest: every program has a kernel, whatever else recognises it.

Plain definitions go through rows.py. Here are the two kinds with an order of their own:
recurrences, walked along their axis, and scatters, whose targets may coincide.
"""

from __future__ import annotations

import dataclasses

from opslib.ir import loops
from opslib.ir.expr import (
    ONE,
    ZERO,
    Axis,
    Cast,
    Const,
    Define,
    Expr,
    Index,
    Program,
    Read,
    free_indices,
    substitute,
    walk,
)
from opslib.ir.loops import Alloc, For, Statement, Store
from opslib.ir.printer import rename
from opslib.lowering.skeletons import arith, rows
from opslib.lowering.skeletons.arith import integer, product
from opslib.lowering.skeletons.builder import (
    HOST,
    Body,
    Builder,
    Layout,
    Machine,
    combined,
    finished,
    lifted,
)
from opslib.lowering.skeletons.groups import Group, groups

# Columns that one worker takes of a recurrence or scatter down an outer axis.
COLUMNS = 256


def lower(
    program: Program,
    layout: Layout,
    name: str | None = None,
    skeleton: str = "nest",
    transposes: bool = True,
    machine: Machine = HOST,
) -> loops.Kernel:
    """The kernel of any program; see `Builder.transposes` and `Machine`."""
    builder = Builder(program, layout, name)
    builder.transposes = transposes
    builder.machine = machine
    body = builder.root()
    builder.checks(body)
    turned = tuple(map(builder.turn, program.defines))
    parts = groups(builder, dataclasses.replace(program, defines=turned))
    kept = _read_elsewhere(program, parts)
    for tensor in program.locals:
        if tensor.name in kept:
            body.statements.append(Alloc(builder.local(tensor.name, 0, True)))
    for group in parts:
        if group.is_special:
            (define,) = group.defines
            special(builder, body, define)
        else:
            rows.emit(builder, body, group, kept)
        builder.scalar_locals.clear()
        for gone in [n for n in builder.memory if n not in kept]:
            del builder.memory[gone]
    return builder.kernel(body, skeleton)


def _read_elsewhere(program: Program, parts: list[Group]) -> frozenset[str]:
    """Locals that live in memory from one group to another, or are special."""
    names = {t.name for t in program.locals}
    home: dict[str, int] = {}
    kept: set[str] = set()
    for k, group in enumerate(parts):
        for d in group.defines:
            if d.name in names and (
                group.is_special or home.setdefault(d.name, k) != k
            ):
                kept.add(d.name)
    for k, group in enumerate(parts):
        for d in group.defines:
            for n in walk(d.value, *d.axes, *d.indices):
                if (
                    isinstance(n, Read)
                    and n.tensor in names
                    and home.get(n.tensor) != k
                ):
                    kept.add(n.tensor)
    for c in program.checks:
        for n in walk(c.condition):
            if isinstance(n, Read) and n.tensor in names:
                kept.add(n.tensor)
    return frozenset(kept)


def special(builder: Builder, body: Body, define: Define) -> None:
    """A recurrence or a scatter: which loops may run in any order, and the rest."""
    names = {a.name: builder.fresh(a.name) for a in define.axes}
    if _runs_backwards(define):
        define = _reversed(define)
    axes = [_renamed(a, names) for a in define.axes]
    value = rename(define.value, names)
    indices = tuple(rename(i, names) for i in define.indices)
    free = _independent(define, names)
    plain = [
        a.is_dense and names[d.name] in free
        for a, d in zip(axes, define.axes, strict=True)
    ]
    outer = 0
    while outer < len(axes) and plain[outer]:
        outer += 1
    lanes = len(axes) - 1 if axes and plain[-1] and outer < len(axes) else None
    ordered = list(axes)
    opened: list[tuple[Body, Axis, str, Body, Expr | None]] = []
    at = body
    points: dict[Expr, Expr] = {}
    heads = ordered[:outer]
    blocks: Expr = ONE
    if lanes is not None:
        last = ordered[lanes]
        blocks = at.let("blocks", arith.ceildiv(last.stop, integer(COLUMNS)))
    count = arith.mul(product(a.stop for a in heads), blocks)
    if heads or lanes is not None:
        flat = builder.fresh("item")
        inner = at.within((flat,), parallel=True)
        extents = [a.stop for a in heads] + ([blocks] if lanes is not None else [])
        fresh = [builder.fresh(f"{a.name}_at") for a in heads]
        fresh += [builder.fresh("block")] if lanes is not None else []
        if len(fresh) == 1:
            flat_axis = Axis(flat, ZERO, count)
            places: tuple[Expr, ...] = (Index(flat),)
        else:
            flat_axis = Axis(flat, ZERO, count)
            places = rows.unflatten(inner, flat, fresh, extents)
        for a, p in zip(heads, places, strict=False):
            points[a.index] = p
        opened.append((at, flat_axis, "parallel", inner, ONE))
        at = inner
        if lanes is not None:
            begin = at.let("begin", arith.mul(places[-1], integer(COLUMNS)))
            end = at.let(
                "end", arith.least(arith.add(begin, integer(COLUMNS)), last.stop)
            )
    for k in range(outer, len(ordered)):
        found = substitute(ordered[k], points)
        assert isinstance(found, Axis)
        a = found
        if k == lanes:
            axis, kind = Axis(a.name, begin, end), "vector"
        else:
            axis, kind = Axis(a.name, at.lower(a.start), at.lower(a.stop)), "serial"
        inner = at.within((a.name,), vector=kind == "vector")
        opened.append((at, axis, kind, inner, None))
        at = inner
    where = tuple(at.lower(substitute(i, points)) for i in indices)
    new = at.lower(substitute(value, points))
    at.statements += _store(builder, define, where, new)
    for outside, axis, kind, inside, grain in reversed(opened):
        outside.statements.append(
            For(axis, kind, tuple(inside.statements), None, grain)
        )


def _renamed(axis: Axis, names: dict[str, str]) -> Axis:
    found = rename(axis, names)
    assert isinstance(found, Axis)
    return found


def _runs_backwards(define: Define) -> bool:
    """Whether the recurrence reads later elements, and so is walked from the end."""
    if define.recurrent is None:
        return False
    own = [
        k
        for k, i in enumerate(define.indices)
        if isinstance(i, Index) and i.name == define.recurrent
    ]
    for n in walk(define.value):
        if own and isinstance(n, Read) and n.tensor == define.name:
            ahead = arith.affine(n.indices[own[0]], define.recurrent)
            if ahead is not None and ahead[0] is ONE:
                return isinstance(ahead[1], Const) and ahead[1].value > 0
    return False


def _reversed(define: Define) -> Define:
    """The same points, the recurrent axis walked from its last index to its first."""
    (axis,) = (a for a in define.axes if a.name == define.recurrent)
    last = arith.sub(arith.add(axis.start, axis.stop), ONE)
    mapping: dict[Expr, Expr] = {axis.index: arith.sub(last, axis.index)}
    return dataclasses.replace(
        define,
        indices=tuple(substitute(i, mapping) for i in define.indices),
        value=substitute(define.value, mapping),
    )


def _store(
    builder: Builder, define: Define, where: tuple[Expr, ...], value: Expr
) -> list[Statement]:
    name = builder.memory.get(define.name, (define.name, 0))[0]
    dtype = builder.buffers[name].dtype
    if define.combine is not None:
        state = define.combine.state[0]
        old: Expr = Read(name, where, dtype)
        if dtype != state:
            old = Cast(old, state)
        new = combined(define.combine, (old,), lifted(define.combine, (value,)))
        value = finished(define.combine, 0, new)
    if value.dtype != dtype:
        value = Cast(value, dtype)
    return [Store(name, where, value)]


def _independent(define: Define, names: dict[str, str]) -> set[str]:
    """Axes whose different values touch different elements: any order will do."""
    free: set[str] = set()
    for axis in define.axes:
        if axis.name == define.recurrent:
            continue
        own = [k for k, i in enumerate(define.indices) if i is axis.index]
        if not own:
            continue
        # Its own earlier elements must be read at the very same place along this axis.
        mine = [
            n
            for n in walk(define.value, *define.axes, *define.indices)
            if isinstance(n, Read) and n.tensor == define.name
        ]
        if all(n.indices[own[0]] is axis.index for n in mine):
            free.add(names[axis.name])
    # A range that depends on a later loop's index keeps the written order.
    for k, axis in enumerate(define.axes):
        for other in define.axes[k + 1 :]:
            if axis.name in free_indices(other) and axis.name == define.recurrent:
                free.discard(names[other.name])
    return free
