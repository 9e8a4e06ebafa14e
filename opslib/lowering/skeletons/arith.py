"""Integer expressions of sizes, as skeletons write them: folded at once."""

from __future__ import annotations

from collections.abc import Iterable

from opslib.ir.dtypes import BOOL, INT64
from opslib.ir.expr import ONE, Axis, Const, Expr, Index, Prim, Read, Size, walk
from opslib.lowering.simplify import simplified


def integer(value: int) -> Const:
    """An int64 literal."""
    return Const(value, INT64)


def _prim(op: str, a: Expr, b: Expr) -> Expr:
    return simplified(Prim(op, (a, b), INT64))


def add(a: Expr, b: Expr) -> Expr:
    """A + b."""
    return _prim("add", a, b)


def sub(a: Expr, b: Expr) -> Expr:
    """A - b."""
    return _prim("sub", a, b)


def mul(a: Expr, b: Expr) -> Expr:
    """A * b."""
    return _prim("mul", a, b)


def floordiv(a: Expr, b: Expr) -> Expr:
    """floor(a / b); 0 for b = 0."""
    return _prim("floordiv", a, b)


def mod(a: Expr, b: Expr) -> Expr:
    """A - b * floor(a / b)."""
    return _prim("mod", a, b)


def least(a: Expr, b: Expr) -> Expr:
    """min(a, b)."""
    return _prim("min", a, b)


def most(a: Expr, b: Expr) -> Expr:
    """max(a, b)."""
    return _prim("max", a, b)


def ceildiv(a: Expr, b: Expr) -> Expr:
    """ceil(a / b) for a >= 0, b > 0."""
    return floordiv(add(a, sub(b, ONE)), b)


def less(a: Expr, b: Expr) -> Expr:
    """A < b."""
    return simplified(Prim("lt", (a, b), BOOL))


def product(values: Iterable[Expr]) -> Expr:
    """The product; 1 of nothing."""
    total: Expr = ONE
    for v in values:
        total = mul(total, v)
    return total


def extent(axis: Axis) -> Expr:
    """Stop - start."""
    return sub(axis.stop, axis.start)


def upper_extent(axis: Axis) -> Expr | None:
    """An extent in sizes alone that the axis never exceeds, or None."""
    if not varies(axis.stop) and not varies(axis.start):
        return extent(axis)
    return axis.bound


def varies(node: Expr) -> bool:
    """Whether the value depends on an index variable or an array's elements."""
    return any(
        isinstance(n, Index | Read) or (n.children and not isinstance(n, Prim))
        for n in walk(node)
    )


def contiguous(shape: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """Row-major strides, in elements."""
    strides: list[Expr] = []
    step: Expr = ONE
    for size in reversed(shape):
        strides.append(step)
        step = mul(step, size)
    return tuple(reversed(strides))


def affine(node: Expr, index: str) -> tuple[Expr, Expr] | None:
    """(c, r) with node == c * index + r, both free of the index; None if it is not."""
    if not any(isinstance(n, Index) and n.name == index for n in walk(node)):
        return integer(0), node
    match node:
        case Index():
            return ONE, integer(0)
        case Prim("add" | "sub" as op, (a, b), _):
            left, right = affine(a, index), affine(b, index)
            if left is None or right is None:
                return None
            do = add if op == "add" else sub
            return do(left[0], right[0]), do(left[1], right[1])
        case Prim("mul", (a, b), _):
            left, right = affine(a, index), affine(b, index)
            if left is None or right is None:
                return None
            for (c, r), (d, s) in ((left, right), (right, left)):
                if c == integer(0):
                    return mul(r, d), mul(r, s)
        case Prim("neg", (a,), _):
            inner = affine(a, index)
            if inner is not None:
                return sub(integer(0), inner[0]), sub(integer(0), inner[1])
    return None


def size_name(node: Expr) -> str | None:
    """The name of a plain size."""
    return node.name if isinstance(node, Size) else None
