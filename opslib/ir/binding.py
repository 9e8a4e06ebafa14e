"""A bound call, as data: what every later stage may ask about a call's arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opslib.ir.dtypes import DType
from opslib.ir.view import View
from opslib.language import syntax


@dataclass(frozen=True, slots=True)
class Argument:
    """What binding needs of an array: dtype and shape.

    `weak` is ``bool``, ``int`` or ``float`` for a Python scalar, whose dtype follows
    the other arguments.
    """

    dtype: DType | None
    shape: tuple[int, ...]
    weak: str = ""


@dataclass(frozen=True, slots=True)
class Statics:
    """Everything about a call that selects its program; hashable."""

    dtypes: tuple[tuple[str, DType], ...]
    ranks: tuple[tuple[str | None, int], ...]
    attributes: tuple[tuple[str, Any], ...]
    present: tuple[tuple[str, bool], ...]
    counts: tuple[tuple[str, int], ...]
    results: tuple[str, ...]


# Which entry of which pack a program axis is; None for an axis outside packs.
Tag = tuple[str | None, int] | None


@dataclass(frozen=True, slots=True)
class BoundInput:
    """One array as the program sees it.

    name: of the program's tensor (``xs1`` for instance 1 of ``*xs``).
    parameter, instance: where the caller's array is; instance -1 if not variadic.
    tags: for each program axis the pack and the position in it, or None.
    """

    name: str
    parameter: str
    instance: int
    dtype: DType
    view: View
    tags: tuple[Tag, ...]


@dataclass(frozen=True, slots=True)
class BoundOutput:
    """One result: `shape` as the caller gets it, `view` as the program writes it."""

    name: str
    dtype: DType
    shape: tuple[int, ...]
    view: View
    tags: tuple[Tag, ...]


@dataclass(frozen=True, slots=True)
class Binding:
    """A call, bound. `sizes` and `scalars` are by the program's names."""

    operator: syntax.Operator
    statics: Statics
    sizes: Mapping[str, int]
    scalars: Mapping[str, int | float]
    inputs: tuple[BoundInput, ...]
    outputs: tuple[BoundOutput, ...]


def pack_name(pack: str | None, k: int) -> str:
    """Name of the k-th size of a pack; the anonymous one is called ``batch``."""
    return f"{pack or 'batch'}{k}"
