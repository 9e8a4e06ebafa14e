"""Few rows, each of them long: folds in pieces, so that every multiprocessor has work.

A fold becomes two definitions: the states of its pieces, and these joined. Both are
plain programs again, so that all else is lowered as ever; only what belongs to one row
is no longer kept together. How a row is cut depends on its length alone, and so do its
bits.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from opslib.ir.dtypes import BOOL
from opslib.ir.expr import (
    ONE,
    ZERO,
    Axis,
    Const,
    Define,
    Expr,
    Fold,
    Index,
    Order,
    Prim,
    Program,
    Read,
    Scan,
    Tensor,
    Var,
    free_indices,
    transform,
    walk,
)
from opslib.ir.monoid import Monoid
from opslib.lowering.flatten import absorbed
from opslib.lowering.skeletons import arith
from opslib.lowering.skeletons.arith import integer
from opslib.lowering.skeletons.builder import joined

# Rows below this number leave multiprocessors idle if each is one block's; longer ones
# than LONG pay for a second launch, about 5 us.
FEW, LONG = 256, 32768
# Columns: one thread walks each, so there must be far more of them.
FEW_COLUMNS, LONG_COLUMNS = 16384, 1024
# Pieces of a row: at most so many, of so many elements at least.
PIECES, PIECE, PIECE_ROWS = 256, 4096, 64


@dataclass
class _Split:
    """The program being written."""

    program: Program
    locals: list[Tensor] = field(default_factory=list)
    defines: list[Define] = field(default_factory=list)
    done: dict[object, Expr] = field(default_factory=dict)
    conditions: list[Expr] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    def fresh(self, base: str) -> str:
        name, count = base, 1
        while name in self.taken:
            name, count = f"{base}_{count}", count + 1
        self.taken.add(name)
        return name


def split(program: Program) -> tuple[Program, Expr] | None:
    """The program with folds in pieces, and the condition for which it is better.

    None where no fold belongs to a row.
    """
    # What a row kept for itself, such as softmax's exponentials, is computed again:
    # that is cheaper than memory for whole arrays.
    program = absorbed(program) or program
    state = _Split(program)
    state.taken = {t.name for t in (*program.inputs, *program.outputs, *program.locals)}
    state.taken |= {*program.sizes, *(s.name for s in program.scalars)}
    for d in program.defines:
        state.taken |= {a.name for a in walk(d.value, *d.axes) if isinstance(a, Axis)}
    for define in program.defines:
        if not define.is_plain or define.recurrent is not None:
            return None
        value = transform(define.value, lambda n, d=define: _piecewise(state, d, n))  # type: ignore[misc]
        state.defines.append(dataclasses.replace(define, value=value))
    if not state.conditions:
        return None
    condition = state.conditions[0]
    changed = dataclasses.replace(
        program,
        locals=(*program.locals, *state.locals),
        defines=tuple(state.defines),
    )
    return changed, condition


def _piecewise(state: _Split, define: Define, fold: Expr) -> Expr | None:
    if not isinstance(fold, Fold) or not _splittable(fold):
        return None
    free = free_indices(fold)
    axes = [a for a in define.axes if a.name in free]
    if not axes or len(axes) < len(free) or not all(a.is_dense for a in axes):
        return None
    key = fold.monoid, fold.axes, fold.args, tuple(a.name for a in axes)
    found = state.done.get((key, fold.output))
    if found is not None:
        return found
    first = fold.axes[0]
    rest = arith.product(a.stop for a in fold.axes[1:])
    across = _across(fold, axes[-1])
    least = PIECE_ROWS if across else PIECE
    size = arith.most(
        arith.ceildiv(first.stop, integer(PIECES)),
        arith.ceildiv(integer(least), arith.most(rest, ONE)),
    )
    piece = Axis(state.fresh("piece"), ZERO, arith.ceildiv(first.stop, size))
    begin = arith.mul(piece.index, size)
    end = arith.least(arith.add(begin, size), first.stop)
    part = Axis(first.name, begin, end, size)
    monoid = _states(fold.monoid)
    order = (piece, *axes) if across else (*axes, piece)
    shape = tuple(a.stop for a in order)
    names = []
    for k, dtype in enumerate(fold.monoid.state):
        names.append(state.fresh(f"{fold.monoid.name}_pieces"))
        state.locals.append(Tensor(names[-1], dtype, shape))
        value = Fold(monoid, (part, *fold.axes[1:]), fold.args, k)
        state.defines.append(
            Define(names[-1], order, tuple(a.index for a in order), value)
        )
    again = Axis(state.fresh("piece"), ZERO, piece.stop, integer(PIECES))
    where = tuple(again.index if a is piece else a.index for a in order)
    reads = tuple(
        Read(n, where, t) for n, t in zip(names, fold.monoid.state, strict=True)
    )
    whole = Fold(joined(fold.monoid), (again,), reads, fold.output)
    if len(axes) == len(define.axes):
        # Wanted once for each row: joined where it is wanted.
        state.done[key, fold.output] = whole
        _note(state, axes, arith.mul(first.stop, rest), across)
        return whole
    total = state.fresh(f"{fold.monoid.name}_total")
    state.locals.append(Tensor(total, fold.dtype, tuple(a.stop for a in axes)))
    own = tuple(a.index for a in axes)
    state.defines.append(Define(total, tuple(axes), own, whole))
    _note(state, axes, arith.mul(first.stop, rest), across)
    state.done[key, fold.output] = Read(total, own, fold.dtype)
    return state.done[key, fold.output]


def _note(state: _Split, axes: list[Axis], work: Expr, across: bool) -> None:
    """The sizes for which a fold is better in pieces."""
    rows = arith.product(a.stop for a in axes)
    few, least = (FEW_COLUMNS, LONG_COLUMNS) if across else (FEW, LONG)
    tests = arith.less(rows, integer(few)), arith.less(integer(least), work)
    state.conditions.append(Prim("and", tests, BOOL))


def _splittable(fold: Fold) -> bool:
    """Whether pieces of it may be computed early: it reads whole arrays, in order."""
    if not all(a.is_dense for a in fold.axes):
        return False
    for n in walk(*fold.args):
        if isinstance(n, Fold | Scan | Order):
            return False
        if isinstance(n, Read) and not all(
            isinstance(i, Index | Const) for i in n.indices
        ):
            return False
    return True


def _across(fold: Fold, last: Axis) -> bool:
    """Whether neighbours along the rows' last axis, not the fold's, are contiguous."""
    inner = fold.axes[-1]
    for n in walk(*fold.args):
        if isinstance(n, Read) and n.indices:
            if n.indices[-1] is inner.index:
                return False
            if n.indices[-1] is last.index:
                return True
    return False


def _states(monoid: Monoid) -> Monoid:
    """The monoid that gives its states, unfinished."""
    finish = tuple(Var(f"s{k}", t) for k, t in enumerate(monoid.state))
    return dataclasses.replace(monoid, name=f"{monoid.name}_piece", finish=finish)
