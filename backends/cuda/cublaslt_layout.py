"""Sums of products as matrix products in column-major order, which is BLAS's.

What a program is (`sum_of_products`) is told by its indices; how a call's arrays are
matrices (`product_of`) by their strides alone, so a broadcast batch may become rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opslib.ir.expr import (
    Cast,
    Define,
    Expr,
    Fold,
    Index,
    Prim,
    Program,
    Read,
    Size,
    is_const,
)
from opslib.lowering.skeletons.contraction import plain_read


@dataclass(frozen=True, slots=True)
class SumOfProducts:
    """``y = sum(a * b)``, and perhaps a bias along one axis of y.

    Attributes:
        a, b, bias: names of the inputs; `bias` is empty where there is none.
        axes: names of the sizes of all axes, those of y first, then those summed over.
        kept: how many are y's.
        places: by tensor, "" being y, the axis of each of its own axes.
    """

    a: str
    b: str
    bias: str
    axes: tuple[str, ...]
    kept: int
    places: Mapping[str, tuple[int, ...]]

    @property
    def strided(self) -> tuple[str, str, str]:
        """What is read or written through strides: a, b and y."""
        return self.a, self.b, ""


def sum_of_products(program: Program) -> SumOfProducts | None:
    """The program as such, whatever its name; None where it is more or less."""
    if len(program.defines) != 1 or program.locals or program.checks:
        return None
    (define,) = program.defines
    value = _uncast(define.value)
    bias: Read | None = None
    if isinstance(value, Prim) and value.op == "add":
        value, added = value.args
        bias = plain_read(added)
        # Without a bias a zero is added, which only makes a zero positive.
        if not is_const(added, 0) and (bias is None or len(bias.indices) != 1):
            return None
    if not isinstance(value, Fold) or value.monoid.name != "sum" or define.combine:
        return None
    (product,) = value.args
    if not isinstance(product, Prim) or product.op != "mul":
        return None
    a, b = map(plain_read, product.args)
    if a is None or b is None or not _is_dense(define):
        return None
    loops = {x.name: k for k, x in enumerate((*define.axes, *value.axes))}
    sizes = [x.stop for x in (*define.axes, *value.axes)]
    if not all(isinstance(s, Size) for s in sizes) or not value.axes:
        return None
    if not all(x.is_dense for x in value.axes):
        return None
    places: dict[str, tuple[int, ...]] = {"": tuple(range(len(define.axes)))}
    for read in (a, b, *([bias] if bias is not None else [])):
        found = _places(read, loops)
        if found is None or read.tensor in places:
            return None
        places[read.tensor] = found
    if bias is not None and not _is_lane(places, a.tensor, b.tensor, bias.tensor):
        return None
    return SumOfProducts(
        a.tensor,
        b.tensor,
        "" if bias is None else bias.tensor,
        tuple(s.name for s in sizes if isinstance(s, Size)),
        len(define.axes),
        places,
    )


def _uncast(value: Expr) -> Expr:
    while isinstance(value, Cast):
        value = value.value
    return value


def _is_dense(define: Define) -> bool:
    names = [i.name if isinstance(i, Index) else None for i in define.indices]
    return names == [x.name for x in define.axes] and all(
        x.is_dense for x in define.axes
    )


def _places(read: Read, loops: Mapping[str, int]) -> tuple[int, ...] | None:
    """The loop of each axis; None where one is no plain index, or comes twice."""
    names = [i.name for i in read.indices if isinstance(i, Index)]
    if len(names) < len(read.indices) or len(set(names)) < len(names):
        return None
    return tuple(loops[n] for n in names)


def _is_lane(places: Mapping[str, tuple[int, ...]], a: str, b: str, bias: str) -> bool:
    """Whether a bias goes along the one axis that y shares with just one side."""
    (inner,) = places[bias]
    for side, other in ((a, b), (b, a)):
        own = set(places[side]) & set(places[""]) - set(places[other])
        if inner in own:
            return len(own) == 1
    return False


# --- A call's matrices ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Matrix:
    """A column-major matrix, or the one that it is the transpose of.

    Attributes:
        rows, columns: as it lies in memory.
        pitch: elements from column to column, at least `rows`.
        turned: its transpose is what is multiplied.
        step: elements from one matrix of the batch to the next.
    """

    rows: int
    columns: int
    pitch: int
    turned: bool
    step: int


@dataclass(frozen=True, slots=True)
class Product:
    """``y = first second`` for each of a batch, in column-major order.

    Attributes:
        first, second, result: the matrices; `first` has the result's rows.
        names: of the tensors that `first` and `second` are.
        batch: how many products one call makes.
        offsets: for each call, elements from the start of first, second and result.
    """

    first: Matrix
    second: Matrix
    result: Matrix
    names: tuple[str, str]
    batch: int
    offsets: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Copies:
    """Tensors that are no matrices ("" is y), which `copied` would make such."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Axis:
    """An extent, and the strides of three matrices along it.

    `rows` and `columns` are the sides that the result's rows and columns come from.
    """

    extent: int
    rows: int
    columns: int
    y: int


_ONE = _Axis(1, 0, 0, 0)


def product_of(
    found: SumOfProducts, extents: Sequence[int], strides: Mapping[str, Sequence[int]]
) -> Product | Copies:
    """How arrays are multiplied.

    Args:
        found: the program.
        extents: of all axes, each at least 1.
        strides: of a, b and y (""), in elements, in the order of their own axes.
    """
    names = _sides(found, extents, strides)
    along = [
        dict(zip(found.places[name], strides[name], strict=True))
        for name in (*names, "")
    ]
    axes = [_Axis(n, *(s.get(k, 0) for s in along)) for k, n in enumerate(extents)]
    kept = [x for x in axes[: found.kept] if x.extent > 1]
    deep = _merged([x for x in axes[found.kept :] if x.extent > 1])
    rows = _merged([x for x in kept if x.rows and not x.columns])
    if len(deep) > 1:
        return Copies(names)
    inner = axes[found.places[found.bias][0]] if found.bias else _ONE
    if inner.extent > 1 and rows != [inner]:
        return Copies((names[0],))
    columns = _merged([x for x in kept if x.columns and not x.rows])
    batch = _merged([x for x in kept if bool(x.rows) == bool(x.columns)])
    k = deep[0] if deep else _ONE
    row = max(rows, key=lambda x: (x.y == 1, x.extent), default=_ONE)
    column = max(columns, key=lambda x: x.extent, default=_ONE)
    outer = [x for x in (*batch, *rows, *columns) if x is not row and x is not column]
    uphill = [x for x in outer if min(x.rows, x.columns, x.y) >= 0]
    many = max(uphill, key=lambda x: x.extent, default=_ONE)
    first = _matrix(row.extent, k.extent, row.rows, k.rows, many.rows)
    second = _matrix(k.extent, column.extent, k.columns, column.columns, many.columns)
    result = _matrix(row.extent, column.extent, row.y, column.y, many.y)
    if result is not None and result.turned:
        result = None
    if first is None or second is None or result is None:
        made = zip((*names, ""), (first, second, result), strict=True)
        return Copies(tuple(name for name, matrix in made if matrix is None))
    offsets = [(0, 0, 0)]
    for x in outer:
        if x is not many:
            offsets = [
                (f + x.rows * i, s + x.columns * i, r + x.y * i)
                for f, s, r in offsets
                for i in range(x.extent)
            ]
    return Product(first, second, result, names, many.extent, tuple(offsets))


def copied(
    found: SumOfProducts,
    extents: Sequence[int],
    strides: Mapping[str, Sequence[int]],
    name: str,
) -> tuple[int, ...]:
    """Strides of a dense copy of a tensor in which it is a matrix.

    What is read again and again along an axis of y is not repeated, but for a bias.
    """
    places = found.places[name]
    along = {
        n: dict(zip(found.places[n], strides[n], strict=True)) for n in found.strided
    }
    sides = _sides(found, extents, strides)
    rows, columns = (along[n] for n in sides)
    whole = set(range(found.kept, len(extents)))
    if found.bias:
        whole.update(found.places[found.bias])

    def rank(axis: int) -> tuple[int, int, int]:
        # Columns of matrices that need no turning: behind all else lie the rows of the
        # side that has y's, what is summed over of the other, and of y its rows, or
        # its columns where it has no rows.
        row, column = bool(rows.get(axis)), bool(columns.get(axis))
        if not name:
            last = 2 * (row and not column) + (column and not row)
        elif axis >= found.kept:
            last = 1
        else:
            last = 2 * (name == sides[0] and row and not column)
        return last, -abs(along[""].get(axis, 0)), axis

    made = dict.fromkeys(places, 0)
    step = 1
    for axis in sorted(places, key=rank, reverse=True):
        if along[name][axis] or axis in whole or not name:
            made[axis] = step
            step *= extents[axis]
    return tuple(made[axis] for axis in places)


def _sides(
    found: SumOfProducts, extents: Sequence[int], strides: Mapping[str, Sequence[int]]
) -> tuple[str, str]:
    """The sides of the result's rows, which lie side by side in y, and its columns."""
    if found.bias:
        inner = found.places[found.bias][0]
    else:
        y = zip(found.places[""], strides[""], strict=True)
        dense = (k for k, s in y if s == 1 and extents[k] > 1)
        inner = next(dense, -1)
    own = [
        dict(zip(found.places[n], strides[n], strict=True)) for n in (found.a, found.b)
    ]
    if found.bias:
        of_a = inner in found.places[found.a]
    else:
        of_a = bool(own[0].get(inner)) and not own[1].get(inner)
    return (found.a, found.b) if of_a else (found.b, found.a)


def _merged(axes: Sequence[_Axis]) -> list[_Axis]:
    """Axes that all arrays walk with one stride as one, outermost first."""
    made: list[_Axis] = []
    for x in sorted(axes, key=lambda x: (-abs(x.y), -abs(x.rows), -abs(x.columns))):
        last = made[-1] if made else None
        n = x.extent
        if last is not None and (last.rows, last.columns, last.y) == (
            x.rows * n,
            x.columns * n,
            x.y * n,
        ):
            made[-1] = _Axis(last.extent * n, x.rows, x.columns, x.y)
        else:
            made.append(x)
    return made


def _matrix(
    rows: int, columns: int, down: int, across: int, step: int
) -> Matrix | None:
    """The matrix of these strides; None where BLAS has none such."""
    if columns == 1:
        across = max(rows * down, 1)
    if rows == 1:
        down = 1
    if down == 1 and across >= rows:
        return Matrix(rows, columns, across, False, step)
    if columns == 1:
        across = 1
    if across == 1 and down >= columns:
        return Matrix(columns, rows, down, True, step)
    return None
