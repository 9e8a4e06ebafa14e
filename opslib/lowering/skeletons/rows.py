"""Emits a group of definitions: loops over rows, within a row one stage at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from opslib.ir.dtypes import BOOL
from opslib.ir.expr import (
    ONE,
    ZERO,
    Axis,
    Define,
    Expr,
    Fold,
    Index,
    Order,
    Prim,
    Read,
    Scan,
    Var,
    free_indices,
    substitute,
    walk,
)
from opslib.ir.loops import Alloc, For, If, Let, Statement, Store
from opslib.ir.printer import rename
from opslib.lowering.skeletons import arith, columns, scan, threads, tiles
from opslib.lowering.skeletons.arith import integer, product
from opslib.lowering.skeletons.builder import (
    GRAIN,
    Body,
    Builder,
    grain_of,
    needs_statements,
)
from opslib.lowering.skeletons.groups import Group, lanes_over_columns

# Columns of one piece of a long row: small enough for the first-level cache with a few
# operands, long enough that the loop over pieces costs nothing.
BLOCK = 8192
# Rows so few that workers would idle, and so long that it pays to split each of them.
FEW_ROWS, LONG_ROW = 16, 65536


class Finish(Protocol):
    """Computes and stores a cluster's values at a point, in a body at that point."""

    def __call__(
        self, at: Body, points: tuple[Expr, ...], given: Expr | None = None
    ) -> None: ...


@dataclass
class Cluster:
    """Maps over the same points, in one loop."""

    axes: tuple[Axis, ...]
    entries: list[tuple[Define, Expr]] = field(default_factory=list)
    alone: bool = False

    @property
    def names(self) -> frozenset[str]:
        """What the cluster defines."""
        return frozenset(d.name for d, _ in self.entries)


def emit(builder: Builder, body: Body, group: Group, kept: frozenset[str]) -> None:
    """The group's loops; `kept` are the locals that other groups read."""
    if group.depth == 0:
        _stages(builder, body, group.defines, (), kept)
        return
    axes = group.defines[0].axes[: group.depth]
    rows = product(a.stop for a in axes)
    works = [_work(d, group.depth) for d in group.defines]
    longest = works[0]
    for w in dict.fromkeys(works[1:]):
        longest = arith.most(longest, w)
    many = _rows(builder, body, group, axes, rows, longest, kept, parallel=True)
    if longest is ONE:
        body.statements += many
        return
    swept = scan.swept(builder, body, group.defines, group.depth)
    if swept is not None:
        many = [If(swept[0], tuple(swept[1]), tuple(many), alternatives=True)]
    few = _rows(builder, body, group, axes, rows, longest, kept, parallel=False)
    is_few = Prim(
        "and",
        (
            arith.less(rows, integer(FEW_ROWS)),
            arith.less(integer(LONG_ROW), longest),
        ),
        BOOL,
    )
    body.statements.append(If(is_few, tuple(few), tuple(many), alternatives=True))


def _work(define: Define, depth: int) -> Expr:
    """Elements that one row of the definition touches, in sizes."""
    extents = [arith.upper_extent(a) for a in define.axes[depth:]]
    total = product(e for e in extents if e is not None)
    inner: Expr = ONE
    for n in walk(define.value):
        if isinstance(n, Fold):
            sizes = [arith.upper_extent(a) for a in n.axes]
            inner = arith.most(inner, product(e for e in sizes if e is not None))
        elif isinstance(n, Scan | Order):
            inner = arith.most(inner, arith.upper_extent(n.axis) or ONE)
    # A fold may not depend on the columns; the larger of both is near enough.
    return arith.most(total, inner)


def _rows(
    builder: Builder,
    body: Body,
    group: Group,
    axes: tuple[Axis, ...],
    rows: Expr,
    work: Expr,
    kept: frozenset[str],
    parallel: bool,
) -> list[Statement]:
    outer = Body(builder, body.bound, body.parallel, known=body.known.new_child())
    names = [builder.fresh(a.name) for a in axes]
    flat = names[0] if len(names) == 1 else builder.fresh("row")
    inner = outer.within((flat,), parallel=parallel)
    places = unflatten(inner, flat, names, [a.stop for a in axes])
    _stages(builder, inner, group.defines, places, kept)
    grain = None
    if parallel:
        grain = arith.add(ONE, arith.floordiv(integer(GRAIN), arith.most(work, ONE)))
    kind = "parallel" if parallel else "serial"
    outer.statements.append(
        For(Axis(flat, ZERO, rows), kind, tuple(inner.statements), None, grain)
    )
    return outer.statements


def unflatten(
    body: Body, flat: str, names: list[str], extents: list[Expr]
) -> tuple[Expr, ...]:
    """The index of each axis from one index over all of them, row-major."""
    if len(names) == 1:
        return (Index(flat),)
    places: list[Expr] = []
    rest: Expr = Index(flat)
    for k in reversed(range(len(names))):
        if k == 0:
            places.append(rest)
        else:
            body.statements.append(Let(names[k], arith.mod(rest, extents[k])))
            places.append(Var(names[k], rest.dtype))
            name = names[0] if k == 1 else body.builder.fresh("row")
            body.statements.append(Let(name, arith.floordiv(rest, extents[k])))
            rest = Var(name, rest.dtype)
    return tuple(reversed(places))


def _stages(
    builder: Builder,
    body: Body,
    defines: tuple[Define, ...],
    places: tuple[Expr, ...],
    kept: frozenset[str],
) -> None:
    """The definitions one after the other, for the row at `places`."""
    depth = len(places)
    locals_ = frozenset(t.name for t in builder.program.locals)
    pending: Cluster | None = None

    def flush(position: int) -> None:
        nonlocal pending
        if pending is None:
            return
        later = {
            n.tensor
            for e in defines[position:]
            for n in walk(e.value)
            if isinstance(n, Read)
        }
        for d, _ in pending.entries:
            # Read only in this very loop, a local needs no memory.
            if d.name in locals_ and d.name not in kept:
                builder.memory.pop(d.name, None)
                if d.name in later:
                    buffer = builder.local(d.name, depth, not body.parallel)
                    body.statements.append(Alloc(buffer))
        _cluster(builder, body, pending, places)
        pending = None

    for position, d in enumerate(defines):
        names = {a.name: builder.fresh(a.name) for a in d.axes[depth:]}
        row: dict[Expr, Expr] = {
            a.index: p for a, p in zip(d.axes[:depth], places, strict=True)
        }
        value = substitute(rename(d.value, names), row)
        axes = []
        for a in d.axes[depth:]:
            named = substitute(rename(a, names), row)
            assert isinstance(named, Axis)
            axes.append(named)
        if pending is not None and not _may_join(pending, value):
            flush(position)
        value = body.hoist(value)
        if not axes:
            flush(position)
            _scalar(builder, body, d, value, places, kept, locals_)
            continue
        axes_now = tuple(_closed(body, axes))
        own = tuple(a.index for a in axes_now)
        alone = needs_statements(value) or any(not _is_plain_axis(a) for a in axes_now)
        if pending is not None:
            pairs: dict[Expr, Expr] = {
                a.index: b.index for a, b in zip(axes_now, pending.axes, strict=False)
            }
            same = len(axes_now) == len(pending.axes) and all(
                a.start is b.start and a.stop is b.stop
                for a, b in zip(axes_now, pending.axes, strict=False)
            )
            pointwise = all(
                n.indices[depth:] == own
                for n in walk(value)
                if isinstance(n, Read) and n.tensor in pending.names
            )
            if alone or pending.alone or not same or not pointwise:
                flush(position)
            else:
                value = substitute(value, pairs)
        if pending is None:
            pending = Cluster(axes_now, [], alone)
        pending.entries.append((d, value))
    flush(len(defines))


def _closed(body: Body, axes: list[Axis]) -> list[Axis]:
    return [
        Axis(a.name, body.lower(a.start), body.lower(a.stop), a.bound)
        if free_indices(a) <= body.bound
        else a
        for a in axes
    ]


def _is_plain_axis(axis: Axis) -> bool:
    return axis.start is ZERO and not needs_statements(axis.stop)


def _may_join(pending: Cluster, value: Expr) -> bool:
    """Whether `value`'s folds need nothing that the pending loop has yet to store."""
    for n in walk(value):
        if isinstance(n, Fold | Scan | Order) and any(
            isinstance(m, Read) and m.tensor in pending.names for m in walk(n)
        ):
            return False
    return True


def _scalar(
    builder: Builder,
    body: Body,
    d: Define,
    value: Expr,
    places: tuple[Expr, ...],
    kept: frozenset[str],
    locals_: frozenset[str],
) -> None:
    lowered = body.lower(value)
    if d.name not in locals_:
        target = builder.place_of(d.name, places)
        body.statements.append(Store(d.name, target, lowered))
        return
    builder.scalar_locals[d.name] = body.let(d.name + "_value", lowered)
    if d.name in kept:
        buffer = builder.memory.get(d.name)
        assert buffer is not None, d.name
        body.statements.append(Store(buffer[0], places, lowered))


def _cluster(
    builder: Builder,
    body: Body,
    cluster: Cluster,
    places: tuple[Expr, ...],
) -> None:
    axes = cluster.axes
    value = cluster.entries[0][1]
    last = axes[-1]
    over_columns = True
    if cluster.alone and needs_statements(value):
        over_columns = lanes_over_columns(builder, value, last)

    def finish(at: Body, points: tuple[Expr, ...], given: Expr | None = None) -> None:
        mapping: dict[Expr, Expr] = {
            a.index: p for a, p in zip(axes, points, strict=True)
        }
        for d, v in cluster.entries:
            lowered = at.lower(substitute(v, mapping) if given is None else given)
            if d.name in builder.memory or d.name not in builder.buffers:
                lowered = at.let(d.name + "_value", lowered)
                at.known[Read(d.name, (*places, *points), lowered.dtype)] = lowered
            if d.name in builder.memory:
                name, dropped = builder.memory[d.name]
                target = (*places, *points)[dropped:]
                at.statements.append(Store(name, target, lowered))
            elif d.name in builder.buffers:
                target = builder.place_of(d.name, (*places, *points))
                at.statements.append(Store(d.name, target, lowered))

    if body.parallel or not all(_is_plain_axis(a) for a in axes):
        _serial(body, axes, value if cluster.alone else None, over_columns, finish)
    else:
        _parallel(body, cluster, over_columns, finish)


def _serial(
    body: Body,
    axes: tuple[Axis, ...],
    value: Expr | None,
    over_columns: bool,
    finish: Finish,
) -> None:
    """Loops of one worker: serial ones, and lanes over the last axis."""
    blocked = body.builder.machine.chunk is None
    if value is not None and over_columns and blocked and columns.applies(value, axes):
        (axis,) = axes
        columns.emit(body, axis, value, axis.stop, finish)
        return
    at = body
    opened = []
    for k, axis in enumerate(axes):
        inner_axis = Axis(axis.name, at.lower(axis.start), at.lower(axis.stop))
        vector = k == len(axes) - 1 and over_columns
        inner = at.within((axis.name,), vector=vector)
        if value is not None and k < len(axes) - 1:
            inner.hoist(value)
        opened.append((at, inner_axis, "vector" if vector else "serial", inner))
        at = inner
    finish(at, tuple(a.index for a in axes))
    for outer, axis, kind, inner in reversed(opened):
        outer.statements.append(For(axis, kind, tuple(inner.statements)))


def _parallel(body: Body, cluster: Cluster, over_columns: bool, finish: Finish) -> None:
    """Loops over workers: all axes flattened, the last one in blocks."""
    builder = body.builder
    axes = cluster.axes
    value = cluster.entries[0][1] if cluster.alone else None
    if (
        value is None
        and builder.transposes
        and tiles.transposed(builder, axes, [v for _, v in cluster.entries])
    ):
        tiles.emit(body, axes, [v for _, v in cluster.entries], finish)
        return
    if builder.machine.chunk is not None:
        values = [v for _, v in cluster.entries]
        threads.emit(body, axes, values, value, over_columns, finish)
        return
    extents = [a.stop for a in axes]
    names = [a.name for a in axes]
    if not over_columns:
        flat = names[0] if len(names) == 1 else builder.fresh("item")
        inner = body.within((flat,), parallel=True)
        points = unflatten(inner, flat, [builder.fresh(n) for n in names], extents)
        finish(inner, points)
        grain = None if value is None else _fold_grain(value)
        body.statements.append(
            For(
                Axis(flat, ZERO, product(extents)),
                "parallel",
                tuple(inner.statements),
                None,
                grain,
            )
        )
        return
    is_few = None if value is None else columns.few(body.hoist(value), axes)
    if is_few is None:
        _blocks(body, axes, value, finish)
        return
    assert value is not None
    many = body.within(())
    _blocks(many, axes, value, finish)
    few = body.within(())
    width = integer(columns.BLOCK)
    columns.emit(few, axes[0], few.hoist(value), width, finish, split=True)
    body.statements.append(
        If(is_few, tuple(few.statements), tuple(many.statements), alternatives=True)
    )


def _blocks(
    body: Body, axes: tuple[Axis, ...], value: Expr | None, finish: Finish
) -> None:
    builder = body.builder
    extents = [a.stop for a in axes]
    names = [a.name for a in axes]
    last = axes[-1]
    size = columns.BLOCK if value is not None else BLOCK
    blocks = body.let("blocks", arith.ceildiv(last.stop, integer(size)))
    flat = builder.fresh("block")
    inner = body.within((flat,), parallel=True)
    fresh = [builder.fresh(n) for n in names[:-1]]
    points = unflatten(
        inner, flat, [*fresh, builder.fresh("at")], [*extents[:-1], blocks]
    )
    begin = inner.let("begin", arith.mul(points[-1], integer(size)))
    end = inner.let("end", arith.least(arith.add(begin, integer(size)), last.stop))
    mapping: dict[Expr, Expr] = {
        a.index: p for a, p in zip(axes[:-1], points[:-1], strict=True)
    }
    if value is not None:
        here = substitute(value, mapping)
        here = inner.hoist(here)
    if value is not None and columns.applies(here, (last,)):

        def done(at: Body, points: tuple[Expr, ...], given: Expr) -> None:
            finish(at, (*outer, *points), given)

        outer = points[:-1]

        columns.emit(
            inner, Axis(last.name, begin, end), here, integer(columns.BLOCK), done
        )
    else:
        lane = inner.within((last.name,), vector=True)
        finish(lane, (*points[:-1], last.index))
        inner.statements.append(
            For(Axis(last.name, begin, end), "vector", tuple(lane.statements))
        )
    weight = _fold_grain(value) if value is not None else None
    per_block = arith.least(last.stop, integer(size))
    grain = weight or arith.add(
        ONE, arith.floordiv(integer(GRAIN), arith.most(per_block, ONE))
    )
    body.statements.append(
        For(
            Axis(flat, ZERO, arith.mul(product(extents[:-1]), blocks)),
            "parallel",
            tuple(inner.statements),
            None,
            grain,
        )
    )


def _fold_grain(value: Expr) -> Expr:
    axes: tuple[Axis, ...] = ()
    for n in walk(value):
        if isinstance(n, Fold) and len(n.axes) > len(axes):
            axes = n.axes
    return grain_of(axes)
