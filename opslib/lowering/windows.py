"""Sides of contractions that are windows: one description for packing and streaming.

A convolution reads its input at positions that are sums over the output's axes and the
fold's, and takes zero outside. Such a side is described by a list of integers, known
at launch, which the functions of ``native/opslib_contract_window.h`` walk: a loop nest
per rank, stride and guard would be printed otherwise, and tested per element.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from opslib.ir.dtypes import DType
from opslib.ir.expr import (
    ZERO,
    Axis,
    Cast,
    Const,
    Expr,
    Index,
    Prim,
    Read,
    Select,
    walk,
)
from opslib.ir.loops import Buffer, Intrinsic, Place
from opslib.lowering.flatten import Group
from opslib.lowering.skeletons.arith import add, affine, integer, mul

# Limits of the C text: OPS_WINDOW_AXES, OPS_WINDOW_LANES.
MOST_AXES = 8
MOST_LANES = 64

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Dim:
    """An axis of the tensor: base + lanes * their indices + deep * theirs.

    `guarded`: outside of the extent the value is zero; otherwise it is never outside.
    """

    base: Expr
    extent: Expr
    stride: Expr
    lanes: tuple[Expr, ...]
    deep: tuple[Expr, ...]
    guarded: bool


@dataclass(frozen=True, slots=True)
class Window:
    """A side: `dtype` is that of the tensor in memory."""

    tensor: str
    dtype: DType
    lanes: tuple[Axis, ...]
    deep: tuple[Axis, ...]
    dims: tuple[Dim, ...]

    @property
    def guarded(self) -> bool:
        """Whether it can leave the tensor."""
        return any(d.guarded for d in self.dims)

    @property
    def integers(self) -> tuple[Expr, ...]:
        """The description."""
        out: list[Expr] = [
            integer(len(self.dims)), integer(len(self.lanes)), integer(len(self.deep))
        ]  # fmt: skip
        out += [a.stop for a in (*self.lanes, *self.deep)]
        for d in self.dims:
            out += [d.base, d.extent if d.guarded else integer(-1), d.stride]
            out += [*d.lanes, *d.deep]
        return tuple(out)

    @property
    def place(self) -> Place:
        """Where positions count from."""
        return Place(self.tensor, (ZERO,) * len(self.dims))

    def at(self, change: Callable[[Expr], Expr]) -> Window:
        """The window with its bases rewritten."""
        return replace(
            self, dims=tuple(replace(d, base=change(d.base)) for d in self.dims)
        )

    def nested(self) -> list[tuple[Expr, Expr]]:
        """Equal pairs that make the lanes, and the depths, one strided axis each."""
        return [
            (outer, mul(inner, axis.stop))
            for axes, which in ((self.lanes, "lanes"), (self.deep, "deep"))
            for steps in [self.steps(which)]
            for outer, inner, axis in zip(steps, steps[1:], axes[1:], strict=False)
        ]

    def steps(self, which: str) -> list[Expr]:
        """Elements of memory from one index to the next, for each axis."""
        count = len(self.lanes if which == "lanes" else self.deep)
        total: list[Expr] = [ZERO] * count
        for d in self.dims:
            for k, factor in enumerate(d.lanes if which == "lanes" else d.deep):
                total[k] = add(total[k], mul(factor, d.stride))
        return total


def window(
    value: Expr, lanes: Group, deep: Group, buffers: dict[str, Buffer]
) -> Window | None:
    """`value` as a window over two groups of axes, or None."""
    node = value.value if isinstance(value, Cast) else value
    condition: Expr | None = None
    if isinstance(node, Select):
        if not (isinstance(node.no, Const) and node.no.value == 0):
            return None
        condition, node = node.condition, node.yes
        if isinstance(node, Cast):
            if node.type != value.dtype:
                return None  # rounded twice
            node = node.value
    if not (isinstance(node, Read) and node.tensor in buffers and lanes.axes):
        return None
    if not deep.axes or not node.indices:
        return None
    if max(len(lanes.axes), len(deep.axes), len(node.indices)) > MOST_AXES:
        return None
    buffer = buffers[node.tensor]
    tests = None if condition is None else _conjuncts(condition)
    guards = [False] * len(node.indices)
    for test in tests or []:
        at = _guard(test, node.indices, buffer)
        if at is None:
            return None
        guards[at] = True
    names = lanes.names | deep.names
    dims = []
    for k, index in enumerate(node.indices):
        rest = index
        factors: dict[str, Expr] = {}
        for axis in (*lanes.axes, *deep.axes):
            linear = affine(rest, axis.name)
            if linear is None or _mentions(linear[0], names):
                return None
            factors[axis.name], rest = linear
        dims.append(
            Dim(
                rest,
                buffer.shape[k],
                buffer.strides[k],
                tuple(factors[a.name] for a in lanes.axes),
                tuple(factors[a.name] for a in deep.axes),
                guards[k],
            )
        )
    return Window(node.tensor, buffer.dtype, lanes.axes, deep.axes, tuple(dims))


def _mentions(root: Expr, names: frozenset[str]) -> bool:
    return any(isinstance(n, Index) and n.name in names for n in walk(root))


def _conjuncts(root: Expr) -> list[Expr]:
    if isinstance(root, Prim) and root.op == "and":
        return [c for a in root.args for c in _conjuncts(a)]
    return [root]


def _guard(test: Expr, indices: tuple[Expr, ...], buffer: Buffer) -> int | None:
    """The dim whose bounds `test` is a half of: ``0 <= i`` or ``i < extent``."""
    if not (isinstance(test, Prim) and test.op in ("ge", "lt") and len(test.args) == 2):
        return None
    index, bound = test.args
    for k, i in enumerate(indices):
        if i is index and bound == (ZERO if test.op == "ge" else buffer.shape[k]):
            return k
    return None


# --- Meanings ----------------------------------------------------------------------


def _places(extents: list[int], first: int, count: int) -> Array:
    """Indices (axes, count) of the points number first, first + 1, ..."""
    out = np.empty((len(extents), count), np.int64)
    flat = np.arange(first, first + count)
    for k in range(len(extents) - 1, 0, -1):
        out[k], flat = flat % extents[k], flat // extents[k]
    out[0] = flat
    return out


def gathered(
    source: Array, numbers: list[int], n0: int, rows: int, k0: int, k: int
) -> Array:
    """The side as a matrix, rows x k."""
    dims, lanes, deep = numbers[:3]
    extents, rest = numbers[3 : 3 + lanes + deep], numbers[3 + lanes + deep :]
    lane = _places(extents[:lanes], n0, rows)
    depth = _places(extents[lanes:], k0, k)
    offset = np.zeros((rows, k), np.int64)
    inside = np.ones((rows, k), bool)
    wide = 3 + lanes + deep
    for d in range(dims):
        base, limit, stride, *factors = rest[d * wide : (d + 1) * wide]
        by_lane = np.array(factors[:lanes], np.int64) @ lane
        by_depth = np.array(factors[lanes:], np.int64) @ depth
        at = base + by_lane[:, None] + by_depth[None, :]
        if limit >= 0:
            inside &= (at >= 0) & (at < limit)
        offset += at * stride
    out = np.zeros((rows, k), source.dtype)
    if inside.any():
        # Strides may be negative, so memory before the place counts too.
        used = offset[inside]
        low, high = int(min(used.min(), 0)), int(max(used.max(), 0))
        after = as_strided(source, (high + 1,), (source.itemsize,))
        before = as_strided(source, (1 - low,), (-source.itemsize,))
        out[inside] = np.where(
            used >= 0, after[np.maximum(used, 0)], before[np.maximum(-used, 0)]
        )
    return out


def meaning_pack(out: Array, unit: int, source: Array, *numbers: int) -> None:
    """Panels of a window; see microkernels.meaning_pack."""
    *window, n0, rows, k0, k = (int(n) for n in numbers)
    matrix = gathered(source, window, n0, rows, k0, k).astype(out.dtype)
    panels = -(-rows // unit)
    full = np.zeros((panels * unit, k), out.dtype)
    full[:rows] = matrix
    shape = (panels, k, unit)
    item = out.itemsize
    as_strided(out, shape, (k * unit * item, unit * item, item))[...] = full.reshape(
        panels, unit, k
    ).transpose(0, 2, 1)


def meaning_few(
    m: int, n: int, k: int, x: Array, source: Array, y: Array, y_row: int, *numbers: int
) -> None:
    """Few rows times a window."""
    *window, n0 = (int(v) for v in numbers)
    right = gathered(source, window, n0, n, 0, k).astype(x.dtype)
    left = as_strided(x, (m, k), (k * x.itemsize, x.itemsize))
    with np.errstate(all="ignore"):
        target = as_strided(y, (m, n), (y_row * y.itemsize, y.itemsize))
        target[...] = left @ right.T


def literal(first: int, count: int) -> str:
    """A C literal of the arguments first, first + 1, ..."""
    places = ", ".join(f"{{{k}}}" for k in range(first, first + count))
    return f"(const int64_t[]){{{{{places}}}}}"


def pack(
    name: str, panel: str, stored: str, unit: int, target: Place, w: Window,
    span: tuple[Expr, Expr, Expr, Expr], headers: tuple[str, ...],
) -> Intrinsic:  # fmt: skip
    """Panels of a window: lanes and depths `span` = (n0, rows, k0, k) of it."""
    numbers = w.integers
    last = 2 + len(numbers)

    def meaning(out: Array, source: Array, *rest: int) -> None:
        meaning_pack(out, unit, source, *rest)

    text = (
        f"{name}((ops_{panel} *)({{0}}), {unit}, (const ops_{stored} *)({{1}}), "
        f"{literal(2, len(numbers))}, {{{last}}}, {{{last + 1}}}, {{{last + 2}}}, "
        f"{{{last + 3}}});"
    )
    return Intrinsic(name, text, (target, w.place, *numbers, *span), meaning, headers)


def few(
    name: str, panel: str, stored: str, m: Expr, n: Expr, k: Expr, x: Place, w: Window,
    n0: Expr, y: Place, y_row: Expr, headers: tuple[str, ...],
) -> Intrinsic:  # fmt: skip
    """Few rows times a window."""
    numbers = w.integers
    text = (
        f"{name}({{0}}, {{1}}, {{2}}, (const ops_{panel} *)({{3}}), "
        f"(const ops_{stored} *)({{4}}), {literal(7, len(numbers))}, "
        f"{{{7 + len(numbers)}}}, (ops_{panel} *)({{5}}), {{6}});"
    )
    arguments: tuple[Expr | Place, ...]
    arguments = (m, n, k, x, w.place, y, y_row, *numbers, n0)
    return Intrinsic(name, text, arguments, meaning_few, headers)


__all__ = ["MOST_LANES", "Dim", "Window", "few", "pack", "window"]
