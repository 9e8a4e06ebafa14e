"""Sums of products of atoms with whole coefficients: arithmetic on sizes and indices.

What an atom is (a name, an expression) and in which order a product has its atoms is
the caller's affair; equal products must be equal tuples.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Atom = TypeVar("Atom")


def added(
    x: dict[tuple[Atom, ...], int], y: dict[tuple[Atom, ...], int]
) -> dict[tuple[Atom, ...], int]:
    """The sum; terms that cancel are left out."""
    result = dict(x)
    for key, value in y.items():
        result[key] = result.get(key, 0) + value
    return {k: v for k, v in result.items() if v}


def scaled(x: dict[tuple[Atom, ...], int], factor: int) -> dict[tuple[Atom, ...], int]:
    """A multiple."""
    return {k: v * factor for k, v in x.items()}


def multiplied(
    x: dict[tuple[Atom, ...], int],
    y: dict[tuple[Atom, ...], int],
    rank: Callable[[Atom], Any] | None = None,
) -> dict[tuple[Atom, ...], int]:
    """The product; each term's atoms in the order of `rank` (by default their own)."""
    result: dict[tuple[Atom, ...], int] = {}
    for a, v in x.items():
        for b, w in y.items():
            key: tuple[Atom, ...] = tuple(sorted((*a, *b), key=rank))  # type: ignore[type-var,arg-type]
            result[key] = result.get(key, 0) + v * w
    return {k: v for k, v in result.items() if v}
