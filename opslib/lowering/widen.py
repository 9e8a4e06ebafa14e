"""Indices and ranges as int64: arrays may hold them in any integer type."""

from __future__ import annotations

import dataclasses

from opslib.ir.dtypes import INT64
from opslib.ir.expr import Axis, Cast, Expr, Program, Read, transform


def widen(program: Program) -> Program:
    """Casts every index, and both ends of every range, to int64."""
    defines = tuple(
        dataclasses.replace(
            d,
            axes=tuple(map(_axis, d.axes)),
            indices=tuple(_wide(_all(i)) for i in d.indices),
            value=_all(d.value),
        )
        for d in program.defines
    )
    checks = tuple(
        dataclasses.replace(
            c,
            axes=tuple(map(_axis, c.axes)),
            condition=_all(c.condition),
            value=None if c.value is None else _wide(_all(c.value)),
            extent=None if c.extent is None else _wide(_all(c.extent)),
        )
        for c in program.checks
    )
    return dataclasses.replace(program, defines=defines, checks=checks)


def _wide(index: Expr) -> Expr:
    return index if index.dtype == INT64 else Cast(index, INT64)


def _all(root: Expr) -> Expr:
    return transform(root, _rule)


def _axis(axis: Axis) -> Axis:
    found = _all(axis)
    assert isinstance(found, Axis)
    return found


def _rule(node: Expr) -> Expr | None:
    if isinstance(node, Read):
        return Read(node.tensor, tuple(map(_wide, node.indices)), node.type)
    if isinstance(node, Axis):
        bound = None if node.bound is None else _wide(node.bound)
        return Axis(node.name, _wide(node.start), _wide(node.stop), bound)
    return None
