"""An array over named index variables, and how several are brought together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from opslib.codegen.array_code import Code, method, name


@dataclass(frozen=True, slots=True)
class Kept:
    """The same values from reductions printed with ``keepdims=True``.

    Attributes:
        code: the text with folded axes kept.
        axes: its axes; the kept ones, of length 1, are None.
    """

    code: Code
    axes: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """Code of an array whose axes are the index variables `axes`, in that order.

    `weak` values are Python numbers, which take the dtype of what they meet.
    """

    code: Code
    axes: tuple[str, ...] = ()
    weak: bool = False
    kept: Kept | None = None


def elementwise(
    values: Sequence[Value], build: Callable[[list[Code]], Code]
) -> Kept | None:
    """The kept form of an elementwise operation, if all operands go along with it."""
    shapes = {v.kept.axes for v in values if v.kept is not None}
    if len(shapes) != 1 or any(v.axes and v.kept is None for v in values):
        return None
    codes = [v.code if v.kept is None else v.kept.code for v in values]
    return Kept(build(codes), next(iter(shapes)))


def union(values: Sequence[Value], order: Mapping[str, int]) -> tuple[str, ...]:
    """All axes of the values, outermost first."""
    return tuple(sorted({a for v in values for a in v.axes}, key=order.__getitem__))


def aligned(
    value: Value, axes: Sequence[str], order: Mapping[str, int], module: str
) -> Code:
    """`value` so that it broadcasts against an array over `axes`."""
    value = transposed(value, tuple(sorted(value.axes, key=order.__getitem__)), module)
    if not value.axes:
        return value.code
    wanted: list[str | None] = [a if a in value.axes else None for a in axes]
    while wanted[0] is None:
        wanted.pop(0)
    if None not in wanted:
        return value.code
    if value.kept is not None:
        have = list(value.kept.axes)
        while have and have[0] is None:
            have.pop(0)
        if have == wanted:
            return value.kept.code
    return method(value.code, f"[{_inserted(wanted)}]", view=True)


def _inserted(wanted: Sequence[str | None]) -> str:
    items = [":" if a else "None" for a in wanted]
    tail = 0
    while items[-1 - tail] == "None":
        tail += 1
    if tail and "None" not in items[: len(items) - tail]:
        return ", ".join(["...", *items[len(items) - tail :]])
    while items[-1] == ":":
        items.pop()
    return ", ".join(items)


def transposed(value: Value, axes: tuple[str, ...], module: str) -> Value:
    """`value` with its axes in the order `axes` (a permutation of its own)."""
    if value.axes == axes:
        return value
    rank = len(axes)
    order = [value.axes.index(a) for a in axes]
    if rank == 2:
        text = ".T"
    elif order[:-2] == list(range(rank - 2)):
        swapped = (f"{module}.swapaxes(", value.code, ", -1, -2)")
        return Value(Code(swapped, view=value.code.view), axes, value.weak)
    else:
        text = f".transpose({', '.join(map(str, order))})"
    return Value(method(value.code, text, view=True), axes, value.weak)


def axis_argument(positions: Sequence[int], rank: int) -> list[str]:
    """``axis=...`` as a person would write it; nothing when all axes are meant."""
    if len(positions) == rank:
        return []
    if len(positions) == 1:
        (k,) = positions
        return [f"axis={-1 if k == rank - 1 else k}"]
    shown = positions
    if positions[-1] == rank - 1:
        shown = [k - rank for k in positions]
    return [f"axis=({', '.join(map(str, shown))})"]


def shape_code(extents: Sequence[Code]) -> Code:
    """A tuple of extents."""
    if not extents:
        return name("()")
    parts: list[str | Code] = ["("]
    for i, extent in enumerate(extents):
        parts += [", ", extent] if i else [extent]
    parts.append(",)" if len(extents) == 1 else ")")
    return Code(tuple(parts), view=True)
