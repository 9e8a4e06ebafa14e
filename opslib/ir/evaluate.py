"""The judge: what a Program means, computed slowly from the unlowered tree.

Every expression is evaluated on a grid: one array axis for each index variable in
scope, opened by a Define, a Fold, a Scan or an Order. Inner axes come last, so a value
of an outer grid is brought in by appending axes of length 1. A value has length 1
along the axes it does not depend on.

Laziness is a mask: beside the grid goes the boolean array of the points that are
really reached. A read whose index is out of bounds at a reached point raises; at any
other point it is clipped and its value never used.

What values are is left to an `Algebra`: plain arrays here (`Exact`, `Wide`), pairs of
value and error bound in `opslib.analysis.bound`. No printer shares code with this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from opslib.errors import OperandIndexError, ShapeError
from opslib.ir.algebra import Algebra, Array, Exact, Wide
from opslib.ir.evaluator import Evaluator, Grid, Mask
from opslib.ir.expr import (
    Axis,
    Check,
    Define,
    Expr,
    Program,
    Read,
    walk,
)

PRECISIONS = ("exact", "wide", "longdouble")

V = TypeVar("V")


def evaluate(
    program: Program,
    inputs: Mapping[str, Array],
    sizes: Mapping[str, int],
    scalars: Mapping[str, int | float] | None = None,
    *,
    precision: str = "exact",
) -> dict[str, Array]:
    """The outputs of `program`, by name.

    Args:
        program: unlowered.
        inputs: arrays in the program's axes (full rank, already broadcast).
        sizes: every extent of `program.sizes`.
        scalars: every run-time attribute of `program.scalars`.
        precision: ``exact`` computes each node in its own dtype; ``wide`` computes
            floats in float64 and ``longdouble`` in np.longdouble, with constants
            wide and casts between floats left out.

    Raises:
        OperandIndexError: a data-dependent index is out of bounds (E0708).
        ShapeError: another condition of the spec does not hold (E0713).
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}, not one of {PRECISIONS}")
    algebra = (
        Exact() if precision == "exact" else Wide(np.dtype(_WIDE_TYPES[precision]))
    )
    return evaluate_with(algebra, program, inputs, sizes, scalars or {})


_WIDE_TYPES: dict[str, Any] = {"wide": np.float64, "longdouble": np.longdouble}


def evaluate_with(
    algebra: Algebra[V],
    program: Program,
    inputs: Mapping[str, Array],
    sizes: Mapping[str, int],
    scalars: Mapping[str, int | float],
) -> dict[str, V]:
    """The outputs as values of `algebra`."""
    evaluator = Evaluator(algebra, program, sizes, scalars)
    for tensor in program.inputs:
        array = np.asarray(inputs[tensor.name])
        evaluator.arrays[tensor.name] = algebra.load(array, tensor.dtype)
    pending = list(program.checks)
    for position in range(len(program.defines) + 1):
        # A check may look at locals; it runs as soon as they are complete, which is
        # before anything else reads them.
        missing = {d.name for d in program.defines[position:]}
        for check in [c for c in pending if not _tensors(c) & missing]:
            _check(evaluator, check)
            pending.remove(check)
        if position < len(program.defines):
            _define(evaluator, program.defines[position])
    return {t.name: evaluator.arrays[t.name] for t in program.outputs}


def _tensors(check: Check) -> set[str]:
    roots = (*check.axes, check.condition, check.value, check.extent)
    nodes = walk(*(r for r in roots if r is not None))
    return {n.tensor for n in nodes if isinstance(n, Read)}


# --- Statements ------------------------------------------------------------------


def _check(judge: Evaluator[V], check: Check) -> None:
    """Raises unless the condition holds at every point (or clamping is asked)."""
    if check.policy == "clamp":
        return
    grid: Grid[V] = Grid((), {})
    mask: Mask = None
    for axis in check.axes:
        grid, mask, _ = judge.opened(axis, grid, mask)
    holds = np.broadcast_to(
        judge.algebra.data(judge.value(check.condition, grid, mask)), grid.shape
    )
    if mask is not None:
        holds = holds | ~np.broadcast_to(mask, grid.shape)
    if holds.all():
        return
    first = tuple(int(p[0]) for p in np.nonzero(~holds)) if grid.shape else ()
    message = f"{judge.program.name}: {check.message}"
    if not check.operand:
        raise ShapeError(message, code="E0713")
    if check.value is not None:
        message += f": {check.operand} holds {_at(judge, check.value, grid, first)}"
        if first:
            message += f" at {first}"
    if check.extent is not None:
        message += f", the extent is {_at(judge, check.extent, grid, first)}"
    raise OperandIndexError(message, code="E0708")


def _at(judge: Evaluator[V], node: Expr, grid: Grid[V], point: tuple[int, ...]) -> Any:
    everywhere = judge.algebra.data(judge.value(node, grid, np.zeros((), bool)))
    return np.broadcast_to(everywhere, grid.shape)[point].item()


def _define(judge: Evaluator[V], define: Define) -> None:
    """Computes a Define and stores it into `arrays`."""
    algebra = judge.algebra
    tensor = judge.program.tensor(define.name)
    if define.name not in judge.arrays:
        root: Grid[V] = Grid((), {})
        shape = tuple(
            int(algebra.data(judge.value(s, root, None))) for s in tensor.shape
        )
        judge.arrays[define.name] = algebra.zeros(shape, tensor.dtype)
    _fill(judge, define, list(define.axes), Grid((), {}), None)


def _fill(
    judge: Evaluator[V], define: Define, axes: list[Axis], grid: Grid[V], mask: Mask
) -> None:
    """Opens the axes; a recurrent one is walked step by step, outermost."""
    recurrent = [a for a in axes if a.name == define.recurrent]
    if recurrent:
        (axis,) = recurrent
        rest = [a for a in axes if a is not axis]
        _, _, most = judge.span(axis, grid, mask)
        for step in range(most):
            inner, reached, _ = judge.opened(axis, grid, mask, step, 1)
            _store(judge, define, rest, inner, reached)
    else:
        _store(judge, define, axes, grid, mask)


def _store(
    judge: Evaluator[V], define: Define, axes: list[Axis], grid: Grid[V], mask: Mask
) -> None:
    algebra = judge.algebra
    for axis in axes:
        grid, mask, _ = judge.opened(axis, grid, mask)
    if 0 in grid.shape:
        return
    full = grid.shape
    target = judge.arrays[define.name]
    shape = algebra.data(target).shape
    where = []
    for axis_number, expr in enumerate(define.indices):
        index = np.broadcast_to(algebra.data(judge.value(expr, grid, mask)), full)
        wrong = (index < 0) | (index >= shape[axis_number])
        taken = wrong if mask is None else wrong & mask
        if taken.any() and not judge.clamps:
            raise OperandIndexError(
                f"{judge.program.name}: {define.name} is written at "
                f"{int(index[np.broadcast_to(taken, full)].flat[0])} on axis "
                f"{axis_number}, which has {shape[axis_number]} elements",
                code="E0708",
                help="every index must be within 0 .. extent - 1",
            )
        where.append(np.clip(index, 0, max(shape[axis_number] - 1, 0)))
    value = judge.value(define.value, grid, mask)
    value = algebra.cast(
        value, define.value.dtype, judge.program.tensor(define.name).dtype
    )
    reached = slice(None) if mask is None else np.broadcast_to(mask, full).ravel()
    flat = np.zeros(full, np.int64)
    for index, extent in zip(where, shape, strict=True):
        flat = flat * extent + index
    points = np.atleast_1d(flat).ravel()[reached]
    chosen = algebra.each(
        value, lambda a: np.broadcast_to(a, full).reshape(-1)[reached]
    )
    if define.combine is None:
        algebra.assign(target, points, chosen)
    else:
        lifted = judge.lift(define.combine, [chosen], 1)
        algebra.scatter(define.combine, target, points, lifted[0], judge.template)
