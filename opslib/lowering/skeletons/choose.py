"""Which skeleton a program gets: the first row of the table that takes it.

A skeleton is a name, a test and a function. To add one, write its file and a row above
``nest``; `lower` may still return None (sizes or layouts that it finds do not suit).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from opslib.ir import loops
from opslib.ir.expr import Expr, Fold, Order, Program, Read, Scan, walk
from opslib.lowering.skeletons import nest
from opslib.lowering.skeletons.builder import Layout

Lower = Callable[[Program, Layout, str | None], loops.Kernel | None]


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A row of the table."""

    name: str
    matches: Callable[[Program], bool]
    lower: Lower


def _nodes(program: Program) -> list[Expr]:
    return [n for d in program.defines for n in walk(d.value)]


def _has(kind: type[Expr]) -> Callable[[Program], bool]:
    return lambda program: any(isinstance(n, kind) for n in _nodes(program))


def _is_map(program: Program) -> bool:
    return not any(isinstance(n, Fold | Scan | Order) for n in _nodes(program)) and all(
        d.is_plain and not d.recurrent for d in program.defines
    )


def _is_gather(program: Program) -> bool:
    return _is_map(program) and any(
        isinstance(n, Read)
        and any(isinstance(m, Read) for i in n.indices for m in walk(i))
        for n in _nodes(program)
    )


def _is_row_fold(program: Program) -> bool:
    return all(d.is_plain and not d.recurrent for d in program.defines) and all(
        a.is_dense for n in _nodes(program) if isinstance(n, Fold) for a in n.axes
    )


def _nest(skeleton: str) -> Lower:
    def lower(program: Program, layout: Layout, name: str | None) -> loops.Kernel:
        return nest.lower(program, layout, name, skeleton)

    return lower


def _optional(module: str) -> tuple[Skeleton, ...]:
    """The row of a skeleton in a file of its own: its `SKELETON`."""
    try:
        found = importlib.import_module(f"opslib.lowering.skeletons.{module}")
    except ModuleNotFoundError as error:
        if error.name != f"opslib.lowering.skeletons.{module}":
            raise
        return ()
    return (found.SKELETON,)


SKELETONS: tuple[Skeleton, ...] = (
    *_optional("streaming"),
    *_optional("contraction"),
    Skeleton("gather", _is_gather, _nest("gather")),
    Skeleton("map", _is_map, _nest("map")),
    Skeleton("order", _has(Order), _nest("order")),
    Skeleton("scan", _has(Scan), _nest("scan")),
    Skeleton("row_fold", _is_row_fold, _nest("row_fold")),
    Skeleton("nest", lambda program: True, _nest("nest")),
)


def choose_skeleton(program: Program) -> str:
    """The name of the first skeleton whose test takes the (simplified) program."""
    return next(s.name for s in SKELETONS if s.matches(program))


def lower_by_skeleton(
    program: Program, layout: Layout, name: str | None = None
) -> loops.Kernel:
    """The kernel by the first skeleton that takes the program and can."""
    for skeleton in SKELETONS:
        if skeleton.matches(program):
            kernel = skeleton.lower(program, layout, name)
            if kernel is not None:
                return kernel
    raise AssertionError("the nest takes every program")
