"""Which definitions share their outer loops, and how deep.

Softmax's exponentials and its result are both defined for rows and, within a row, for
columns; kept together row by row, the exponentials never leave the cache.
"""

from __future__ import annotations

from dataclasses import dataclass

from opslib.ir.expr import (
    Axis,
    Define,
    Expr,
    Fold,
    Order,
    Program,
    Read,
    Scan,
    free_indices,
    walk,
)
from opslib.lowering.skeletons import arith
from opslib.lowering.skeletons.builder import Builder, needs_statements, row_of


@dataclass(frozen=True, slots=True)
class Group:
    """Consecutive definitions under `depth` common outer loops (0: none)."""

    defines: tuple[Define, ...]
    depth: int

    @property
    def is_special(self) -> bool:
        """A scatter or a recurrence, which has a loop order of its own."""
        return any(not d.is_plain or d.recurrent for d in self.defines)


def groups(builder: Builder, program: Program) -> list[Group]:
    """The definitions in order, each in one group."""
    found: list[Group] = []
    locals_ = frozenset(t.name for t in program.locals)
    for define in program.defines:
        alone = Group((define,), _wanted_depth(builder, define))
        sharing = builder.machine.together
        if sharing and found and not alone.is_special and not found[-1].is_special:
            last = found[-1]
            depth = min(last.depth, alone.depth)
            together = Group((*last.defines, define), depth)
            if not any(needs_statements(d.value) for d in together.defines):
                # Maps alone need no rows: their loops are flattened over workers.
                found[-1] = Group(together.defines, 0)
                continue
            while depth > 0 and not _fits(together.defines, depth, locals_):
                depth -= 1
            if depth > 0 or _whole(together.defines):
                found[-1] = Group(together.defines, depth)
                continue
        found.append(alone)
    return [
        g
        if any(needs_statements(d.value) for d in g.defines) or g.is_special
        else Group(g.defines, 0)
        for g in found
    ]


def _whole(defines: tuple[Define, ...]) -> bool:
    """Whether no loops are common because there are none: a total, a single row."""
    return all(len(d.axes) <= 1 for d in defines)


def _wanted_depth(builder: Builder, define: Define) -> int:
    """All axes if lanes are wanted within each value, else all but the last."""
    rank = len(define.axes)
    if rank and not lanes_over_columns(builder, define.value, define.axes[-1]):
        return rank
    if rank and builder.machine.chunk is not None:
        last = define.axes[-1].name
        folds = [n for n in walk(define.value) if isinstance(n, Fold)]
        if folds and all(last in free_indices(n) for n in folds):
            # Nothing belongs to a whole row, and single columns are enough work.
            return 0
    return max(0, rank - 1)


def lanes_over_columns(builder: Builder, value: Expr, last: Axis) -> bool:
    """Whether lanes go over the output's last axis, not over the folds' own."""
    inside = [
        n
        for n in walk(value)
        if isinstance(n, Fold | Scan | Order) and last.name in free_indices(row_of(n))
    ]
    if not inside:
        return True
    if any(not isinstance(n, Fold) for n in inside):
        return False
    if any(
        last.name in free_indices(a)
        for n in inside
        for a in n.children
        if isinstance(a, Axis)
    ):
        # Windows: lanes would each have a range of their own.
        return False
    over_columns = over_fold = 0
    for fold in inside:
        assert isinstance(fold, Fold)
        for n in walk(*fold.args):
            if isinstance(n, Read):
                over_columns += read_cost(builder, n, last.name)
                over_fold += read_cost(builder, n, fold.axes[-1].name)
    return over_columns < over_fold


def _fits(defines: tuple[Define, ...], depth: int, locals_: frozenset[str]) -> bool:
    """Whether the first `depth` loops can be common to all."""
    first = defines[0].axes[:depth]
    mine = frozenset(d.name for d in defines) & locals_
    for d in defines:
        if len(d.axes) < depth:
            return False
        for a, b in zip(first, d.axes[:depth], strict=True):
            if not b.is_dense or a.stop is not b.stop:
                return False
        own = tuple(a.index for a in d.axes[:depth])
        for n in walk(d.value, *d.axes):
            if isinstance(n, Read) and n.tensor in mine and n.indices[:depth] != own:
                return False
    return True


def read_cost(builder: Builder, read: Read, index: str) -> int:
    """1 for an invariant or contiguous read along `index`, more for a strided one."""
    if index not in free_indices(read):
        return 1
    name = builder.memory.get(read.tensor, (read.tensor, 0))[0]
    buffer = builder.buffers.get(name)
    if buffer is not None and buffer.strides and buffer.strides[-1] != arith.integer(1):
        return 8
    rest, last = read.indices[:-1], read.indices[-1]
    if any(index in free_indices(i) for i in rest):
        return 8
    found = arith.affine(last, index)
    return 1 if found is not None and found[0] == arith.integer(1) else 8
