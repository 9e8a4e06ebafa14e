"""The pack functions of the language, over lists of anything.

A pack is the entries that ``...s`` stands for, one for each axis. The same functions
serve extents (Python ints while binding) and index expressions (while expanding), so
they only move entries; `ravel` and `unravel` take the arithmetic as arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Entry = TypeVar("Entry")


def weave(
    outer: Sequence[Entry], inner: Sequence[Entry], axes: Sequence[int]
) -> list[Entry]:
    """`inner` at the positions `axes`, `outer` elsewhere, in order.

    `outer` may have an entry for the axes too (a kept axis of length 1): they are
    passed over.
    """
    rank = len(axes) + len(outer)
    if len(outer) > 0 and any(a >= rank for a in axes):
        raise ValueError("axes do not fit")
    result: list[Entry] = []
    rest, bound = iter(outer), iter(inner)
    for k in range(rank):
        result.append(next(bound) if k in axes else next(rest))
    return result


def on(
    axes: Sequence[int], chosen: Sequence[Entry], other: Sequence[Entry]
) -> list[Entry]:
    """`chosen` at the positions `axes`, `other` elsewhere (both of full rank)."""
    return [chosen[k] if k in axes else other[k] for k in range(len(other))]


def swap(entries: Sequence[Entry], first: int, second: int) -> list[Entry]:
    """Two entries exchanged; unchanged where one of them does not exist."""
    result = list(entries)
    if max(first, second) < len(result):
        result[first], result[second] = result[second], result[first]
    return result


def permute(entries: Sequence[Entry], axes: Sequence[int]) -> list[Entry]:
    """Entry ``axes[k]`` at position k: the shape of a transposed array."""
    return [entries[a] for a in axes]


def unpermute(entries: Sequence[Entry], axes: Sequence[int]) -> list[Entry]:
    """Entry k at position ``axes[k]``: where a transposed element comes from."""
    result = list(entries)
    for k, a in enumerate(axes):
        result[a] = entries[k]
    return result


def ravel(
    indices: Sequence[Entry],
    extents: Sequence[Entry],
    zero: Entry,
    multiply_add: Callable[[Entry, Entry, Entry], Entry],
) -> Entry:
    """The row-major flat index; ``multiply_add(x, n, i) = x * n + i``."""
    flat = zero
    for index, extent in zip(indices, extents, strict=True):
        flat = multiply_add(flat, extent, index)
    return flat


def unravel(
    flat: Entry,
    extents: Sequence[Entry],
    divide: Callable[[Entry, Entry], Entry],
    remainder: Callable[[Entry, Entry], Entry],
) -> list[Entry]:
    """The row-major indices of a flat index."""
    result: list[Entry] = []
    for extent in reversed(extents[1:]):
        result.append(remainder(flat, extent))
        flat = divide(flat, extent)
    if extents:
        result.append(flat)
    return result[::-1]
