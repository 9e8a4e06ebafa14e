"""Do the pieces of a result cover each element exactly once, for all sizes?

Along one axis the pieces are intervals behind one another, or residue classes; over
several axes they are partitioned one axis after the other. What does not follow from
the ranges is left to a check: that the ends meet in order where the pieces are
intervals, and otherwise at each element that exactly one piece holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from opslib.ir.build import arithmetic, both, cast, compare, integer, negation
from opslib.ir.dtypes import INT64
from opslib.ir.expr import ONE, TRUE, ZERO, Const, Expr, Index
from opslib.ir.ranges import equal, nonnegative

# A condition, and whether it is asked at every element or once.
Demand = tuple[Expr, bool]


@dataclass(frozen=True, slots=True)
class Part:
    """The places ``factor * i + offset`` for ``start <= i < stop``; factor 0 is all."""

    factor: int
    offset: Expr = ZERO
    start: Expr = ZERO
    stop: Expr = ZERO

    @staticmethod
    def all() -> Part:
        """The whole axis."""
        return Part(0)

    @staticmethod
    def single(at: Expr) -> Part:
        """One place."""
        return Part(1, at, ZERO, ONE)

    def interval(self) -> tuple[Expr, Expr]:
        """First place and the one after the last, of a factor of 1 or -1."""
        if self.factor > 0:
            low = arithmetic("add", self.offset, self.start)
            return low, arithmetic("add", self.offset, self.stop)
        # offset - i falls from offset - start.
        low = arithmetic("sub", arithmetic("add", self.offset, ONE), self.stop)
        return low, arithmetic("sub", arithmetic("add", self.offset, ONE), self.start)


Piece = tuple[tuple[Part, ...], Expr]


def partition_checks(
    pieces: Sequence[Piece], extents: Sequence[Expr], ranges: Mapping[str, Expr]
) -> list[Demand]:
    """What must be checked so that the pieces are a partition; nothing if proven.

    Args:
        pieces: what each takes of every axis, and its condition.
        extents: of the axes.
        ranges: the index of each axis with its extent, in the order of the axes.
    """
    found = _proven(list(pieces), tuple(extents), 0)
    if found is not None:
        return [(condition, False) for condition in found if condition is not TRUE]
    holds = [_holds(piece, list(ranges)) for piece in pieces]
    counts = [cast(h, INT64) for h in holds]
    total = reduce(lambda x, y: arithmetic("add", x, y), counts)
    inside = [_inside(piece, extents) for piece in pieces]
    demands = [(condition, False) for condition in inside if condition is not TRUE]
    return [*demands, (compare("eq", total, ONE), True)]


def _holds(piece: Piece, indices: Sequence[str]) -> Expr:
    """Whether the element at these indices belongs to a piece."""
    parts, when = piece
    condition = when
    for part, name in zip(parts, indices, strict=True):
        if part.factor == 0:
            continue
        moved = arithmetic("sub", Index(name), part.offset)
        if part.factor < 0:
            moved = arithmetic("sub", part.offset, Index(name))
        size = integer(abs(part.factor))
        index = moved if abs(part.factor) == 1 else arithmetic("floordiv", moved, size)
        ends = both(compare("ge", index, part.start), compare("lt", index, part.stop))
        if abs(part.factor) > 1:
            ends = both(compare("eq", arithmetic("mod", moved, size), ZERO), ends)
        condition = both(ends, condition)
    return condition


def _inside(piece: Piece, extents: Sequence[Expr]) -> Expr:
    """That a piece lies inside the result, or is empty."""
    condition: Expr = TRUE
    for part, extent in zip(piece[0], extents, strict=True):
        if part.factor == 0:
            continue
        last = arithmetic("sub", part.stop, ONE)
        ends = [
            arithmetic("add", arithmetic("mul", integer(part.factor), i), part.offset)
            for i in (part.start, last)
        ]
        low, high = ends if part.factor > 0 else ends[::-1]
        if nonnegative(low) and nonnegative(_less(extent, high)):
            continue
        fits = both(compare("ge", low, ZERO), compare("lt", high, extent))
        empty = compare("ge", part.start, part.stop)
        condition = both(condition, negation(both(negation(empty), negation(fits))))
    return condition


def _less(extent: Expr, place: Expr) -> Expr:
    return arithmetic("sub", arithmetic("sub", extent, ONE), place)


def _proven(
    pieces: list[Piece], extents: tuple[Expr, ...], axis: int
) -> list[Expr] | None:
    """Conditions that are left to check once, or None where nothing is proven."""
    if axis == len(extents):
        return _exclusive([when for _, when in pieces])
    groups: dict[Part, list[Piece]] = {}
    for piece in pieces:
        groups.setdefault(piece[0][axis], []).append(piece)
    along = _along_axis(list(groups), extents[axis])
    if along is None:
        return None
    demands = list(along)
    for group in groups.values():
        inner = _proven(group, extents, axis + 1)
        if inner is None:
            return None
        demands += inner
    return demands


def _exclusive(conditions: list[Expr]) -> list[Expr] | None:
    """Of one place: a single piece without a condition, or one and its negation."""
    if conditions == [TRUE]:
        return []
    if len(conditions) == 2 and negation(conditions[0]) is conditions[1]:
        return []
    return None


def _along_axis(parts: list[Part], extent: Expr) -> list[Expr] | None:
    if len(parts) == 1 and parts[0].factor == 0:
        return []
    if any(part.factor == 0 for part in parts):
        return None
    if all(abs(part.factor) == 1 for part in parts):
        return _intervals([part.interval() for part in parts], extent)
    return _residues(parts, extent)


def _intervals(parts: list[tuple[Expr, Expr]], extent: Expr) -> list[Expr] | None:
    """Intervals from 0 to the extent, each beginning where another ends."""
    demands: list[Expr] = []
    at: Expr = ZERO
    left = list(parts)
    while left:
        following = [p for p in left if equal(p[0], at)]
        if not following:
            return None
        # Of several that begin here, all but the last are empty.
        chosen = next((p for p in following if equal(p[1], at)), following[0])
        left.remove(chosen)
        if not nonnegative(arithmetic("sub", chosen[1], chosen[0])):
            demands.append(compare("le", chosen[0], chosen[1]))
        at = chosen[1]
    return demands if equal(at, extent) else None


def _residues(parts: list[Part], extent: Expr) -> list[Expr] | None:
    """Every residue of one modulus, each for as long as the axis goes."""
    modulus = parts[0].factor
    offsets = [p.offset.value for p in parts if isinstance(p.offset, Const)]
    same = all(p.factor == modulus > 0 and equal(p.start, ZERO) for p in parts)
    if not same or sorted(map(int, offsets)) != list(range(modulus)):
        return None
    for part in parts:
        # As many as modulus * m places hold, for an extent that is this product.
        length = arithmetic("mul", integer(modulus), part.stop)
        if not equal(length, extent):
            return None
    return []
