"""Shapes, dtypes and attributes that fit a signature, by drawing and rejecting.

Sizes come from where kernels break: 0, 1, odd numbers, primes, one more and one less
than every vector and tile width. What the spec's `requires` refuse is drawn again; so
that this ends soon, sizes and attributes are often drawn equal to, or next to, others.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from opslib.errors import OpslibError
from opslib.ir.bind import Argument, Binding, bind
from opslib.ir.dtypes import DTYPES, DType, promote
from opslib.ir.sample import allowed_types
from opslib.ir.statics import NotStatic, StaticScope, evaluate, evaluate_pack
from opslib.language import syntax
from opslib.language.tree import names
from opslib.testing.signature import dtypes_of, main_variable

# By case number. "square" gives all sizes one value, so that only transposed axes tell.
STYLES = ("tails", "square", "small", "tails", "edge", "primes", "mixed")
_SIZES = {
    "square": (9, 17, 5),
    "tails": (9, 17, 33, 65),
    "mixed": (7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65),
    "small": (1, 2, 3, 4, 5),
    "primes": (2, 3, 5, 7, 11, 13),
    "edge": (0, 0, 1, 1, 2, 3),
    "tiny": (1, 2, 3),
    # Of one axis, the others being short: behind every block that kernels cut.
    "long": (129, 257, 513, 1025),
}
# Case numbers in which one axis after the other is long, the last one first.
LONG = 900_000
RANKS = (2, 1, 3, 2, 0, 1)
# Variants of three cases each: every other one mixes dtypes, arrays without axes and
# Python scalars, where a signature has room for them.
MIXED = 2
_TRIES = 600
Given = Argument | tuple[Argument, ...] | None


__all__ = ["STYLES", "Call", "NoCase", "draw_call", "dtypes_of", "main_variable"]


class NoCase(Exception):
    """No call that fits the signature was found."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call without elements."""

    arguments: Mapping[str, Given]
    attributes: Mapping[str, Any]
    results: tuple[str, ...]
    binding: Binding


@dataclass(slots=True)
class _Draw:
    """One attempt: what has been drawn so far."""

    operator: syntax.Operator
    dtype: DType
    style: str
    # What selects a program is drawn by `fixed`, alike for several cases, so that they
    # share compiled kernels; numbers are drawn by `free`.
    fixed: random.Random
    free: random.Random
    values: dict[str, Any] = field(default_factory=dict)
    packs: dict[str | None, list[int]] = field(default_factory=dict)
    rank: int = 1
    side: int = 0
    # Of "long": which of the sizes that are drawn it is, and how many have been.
    long: int = -1
    drawn: int = 0
    mixed: bool = False
    lone: bool = False
    attributes: dict[str, Any] = field(default_factory=dict)
    dtypes: dict[str, DType] = field(default_factory=dict)

    def size(self) -> int:
        style = self.style
        if style == "square":
            if not self.side:
                self.side = self.free.choice(_SIZES[style])
            return self.side
        if style == "long":
            self.drawn += 1
            here = self.drawn - 1 == self.long
            return self.free.choice(_SIZES["long" if here else "small"])
        if style in ("tails", "mixed") and self.free.random() < 0.45:
            style = "small"
        drawn = self.free.choice(_SIZES[style])
        others = [v for v in self.values.values() if isinstance(v, int)]
        if others and self.free.random() < 0.25:
            drawn = self.free.choice(others) + self.free.choice((0, 0, 1))
        return max(drawn, 0)

    def pack(self, rank: int | None = None) -> list[int]:
        known = [p for p in self.packs.values() if rank is None or len(p) == rank]
        if known and self.fixed.random() < 0.6:
            made = list(self.free.choice(known))
            if made and self.free.random() < 0.4:
                made[self.free.randrange(len(made))] = self.size()
            return made
        if rank is None:
            # The first pack has the rank that the variant wants.
            rank = self.rank if not self.packs else self.fixed.choice((0, 1, 1, 2, 2))
        made = [self.size() for _ in range(rank)]
        if made and self.style == "tails" and self.free.random() < 0.7:
            made[-1] = self.free.choice(_SIZES["tails"])
        return made

    def call(self) -> Call:
        operator = self.operator
        for p in operator.attributes:
            assert isinstance(p.type, syntax.AttributeType)
            if p.type.kind == "int" and p.type.count is None:
                self.values[p.name] = self._int(p)
        if self._has_anonymous():
            self.packs[None] = self.pack()
        for p in operator.tensors:
            assert isinstance(p.type, syntax.TensorType)
            for axis in p.type.axes:
                if isinstance(axis, syntax.Pack):
                    for name in names(axis.value) if axis.value is not None else []:
                        if name not in self.packs:
                            self.packs[name] = self.pack()
                else:
                    for name in names(axis):
                        if name not in self.values:
                            self.values[name] = self.size()
        for p in operator.attributes:
            self._attribute(p)
        self._bind_dtypes()
        moving = operator.clauses.axis
        along: int | None = None
        if moving is not None:
            along = self.fixed.choice((-1, -1, -2, 0, 1))
            if along != -1 or self.fixed.random() < 0.5:
                self.attributes["axis"] = along
        arguments = {p.name: self._argument(p, along) for p in operator.tensors}
        wanted = tuple(
            r.name
            for r in operator.results
            if not r.optional or self.fixed.random() < 0.5
        )
        binding = bind(operator, arguments, self.attributes, wanted)
        return Call(arguments, self.attributes, wanted, binding)

    def _has_anonymous(self) -> bool:
        return any(
            isinstance(axis, syntax.Pack) and axis.value is None
            for p in self.operator.tensors
            if isinstance(p.type, syntax.TensorType)
            for axis in p.type.axes
        )

    # --- Attributes ----------------------------------------------------------------

    def _int(self, p: syntax.Parameter) -> int | None:
        if isinstance(p.default, syntax.Nothing) and self.fixed.random() < 0.5:
            return None
        if isinstance(p.default, syntax.Number) and self.free.random() < 0.5:
            return int(p.default.value)
        sizes = [v for v in self.values.values() if isinstance(v, int)]
        sizes += [n for pack in self.packs.values() for n in pack]
        choices = [0, 1, 2, 3, 4, 5, 8, 9, -1, -2, *sizes]
        return self.free.choice(choices)

    def _attribute(self, p: syntax.Parameter) -> None:
        kind = p.type
        assert isinstance(kind, syntax.AttributeType)
        if p.name in self.values:
            value = self.values[p.name]
            given = value is not None
            if given and not (p.default is not None and self._is_default(p, value)):
                self.attributes[p.name] = value
            return
        numeric = kind.kind in ("float", "int")
        keep = self.free if numeric else self.fixed
        if p.default is not None and keep.random() < (0.4 if numeric else 0.3):
            return
        value = self._value(p, kind)
        if value is not None or kind.kind == "axes":
            self.attributes[p.name] = value
            self.values.setdefault(p.name, value)

    def _is_default(self, p: syntax.Parameter, value: Any) -> bool:
        return isinstance(p.default, syntax.Number) and p.default.value == value

    def _value(self, p: syntax.Parameter, kind: syntax.AttributeType) -> Any:
        fixed, free = self.fixed, self.free
        match kind.kind:
            case "bool":
                return fixed.random() < 0.5
            case "string":
                return fixed.choice(kind.choices)
            case "dtype":
                if p.name == main_variable(self.operator):
                    return self.dtype.name
                return fixed.choice(list(DTYPES))
            case "float":
                default = p.default
                if isinstance(default, syntax.Number) and free.random() < 0.5:
                    return float(default.value) * free.choice((0.5, 1.0, 2.0))
                return free.choice((0.0, 0.25, 0.5, 1.0, 1.5, 2.0, -1.0))
            case "number":
                return free.choice((0, 1, 2, 5, 9, -3, 0.25, 0.5, 2.5))
            case "shape":
                return self._shape()
        if kind.kind in ("axis", "axes", "gap"):
            return self._axes(kind, p.default is not None)
        if isinstance(kind.count, syntax.Pack):
            name = getattr(kind.count.value, "name", None)
            return self._list(self.packs[name])
        count = int(kind.count.value) if isinstance(kind.count, syntax.Number) else 1
        if free.random() < 0.4:
            return free.choice((0, 1, 1, 2, 3))
        return tuple(free.choice((0, 1, 1, 2, 3)) for _ in range(count))

    def _axes(self, kind: syntax.AttributeType, optional: bool) -> Any:
        rank = len(self.packs.get(kind.pack, ()))
        fixed = self.fixed
        if kind.kind == "gap":
            return fixed.randint(-rank - 1, rank)
        if kind.kind == "axis":
            return fixed.randint(-rank, rank - 1) if rank else 0
        ones = [k for k, n in enumerate(self.packs.get(kind.pack, ())) if n == 1]
        choice = fixed.random()
        if choice < 0.2 and optional:
            return None
        if choice < 0.4 and ones:
            return tuple(fixed.sample(ones, fixed.randint(1, len(ones))))
        if choice < 0.6 and rank:
            return fixed.randint(-rank, rank - 1)
        chosen = fixed.sample(range(rank), fixed.randint(0, rank))
        return tuple(a - rank if fixed.random() < 0.5 else a for a in chosen)

    def _shape(self) -> tuple[int, ...]:
        """A new shape: at times the same number of elements, or one broadcast to."""
        known = list(self.packs.values())
        choice = self.fixed.random()
        if not known or choice < 0.25:
            made = [self.size() for _ in range(self.fixed.choice((0, 1, 2, 3)))]
            return tuple(made)
        base = list(known[0])
        if choice < 0.5:
            self.free.shuffle(base)
            return tuple(base)
        if choice < 0.65:
            return (int(np.prod(base)),)
        if choice < 0.75 and base:
            return (int(np.prod(base[:2])), *base[2:], 1)
        wider = [self.size() if n == 1 else n for n in base]
        return tuple([self.size() for _ in range(self.fixed.choice((0, 1)))] + wider)

    def _list(self, extents: list[int]) -> tuple[int, ...]:
        """One number for each axis: a permutation, a part of the extents, small."""
        rank, free = len(extents), self.free
        choice = self.fixed.random()
        if choice < 0.25:
            return tuple(self.fixed.sample(range(rank), rank))
        if choice < 0.5:
            return tuple(free.randint(0, n) for n in extents)
        if choice < 0.6:
            return tuple(extents)
        return tuple(free.choice((0, 1, 1, 2, 3)) for _ in extents)

    # --- Tensors -------------------------------------------------------------------

    def _bind_dtypes(self) -> None:
        operator = self.operator
        main = main_variable(operator)
        classes = {c.name: c.classes for c in operator.classes}
        for p in operator.tensors:
            assert isinstance(p.type, syntax.TensorType)
            name = p.type.dtype.name
            if name in DTYPES or name in self.dtypes:
                continue
            allowed = allowed_types(name, classes)
            if name == main or (
                self.dtype.name in allowed and self.fixed.random() < 0.7
            ):
                self.dtypes[name] = self.dtype
            else:
                usual = ["int64", "int32", "float32", "bool", self.dtype.name]
                several = [n for n in usual if n in allowed] or sorted(allowed)
                self.dtypes[name] = DTYPES[self.fixed.choice(several)]

    def _argument(self, p: syntax.Parameter, axis: int | None) -> Given:
        if p.optional and self.fixed.random() < 0.4:
            return None
        if not p.variadic:
            if self.mixed and self._has_company(p) and self.fixed.random() < 0.5:
                return self._lone(p)
            return self._one(p, axis, 0)
        return tuple(self._one(p, axis, k) for k in range(self.fixed.randint(1, 4)))

    def _has_company(self, p: syntax.Parameter) -> bool:
        """Whether the dtype and the shape come from another operand as well."""
        assert isinstance(p.type, syntax.TensorType)
        anonymous = len(p.type.axes) == 1 and (
            isinstance(p.type.axes[0], syntax.Pack) and p.type.axes[0].value is None
        )
        others = [
            q.type
            for q in self.operator.tensors
            if q is not p and not q.optional and isinstance(q.type, syntax.TensorType)
        ]
        # The first of them stays an array: all scalars have no dtype to follow.
        later = self.operator.tensors.index(p) > 0 or self.fixed.random() < 0.5
        name = p.type.dtype.name
        return anonymous and later and any(t.dtype.name == name for t in others)

    def _lone(self, p: syntax.Parameter) -> Argument:
        """One value for all elements: a Python scalar, or an array without axes."""
        dtype = self._dtype(p)
        if self.fixed.random() < 0.35 or self.lone:
            return Argument(dtype, ())
        self.lone = True
        weak = "float" if dtype.is_float else "bool" if dtype.kind == "bool" else "int"
        return Argument(None, (), weak)

    def _one(self, p: syntax.Parameter, axis: int | None, instance: int) -> Argument:
        assert isinstance(p.type, syntax.TensorType)
        values = dict(self.values)
        moving = self.operator.clauses.axis
        if instance and moving is not None:
            values[moving] = self.size()
        scope = StaticScope(values, self.packs, {}, {}, {}, {})
        shape: list[int] = []
        spot, has_pack = None, False
        for part in p.type.axes:
            if isinstance(part, syntax.Pack):
                has_pack = True
                extents = list(evaluate_pack(part, scope))
                shape += self._broadcast(extents) if part.value is None else extents
            else:
                if moving is not None and moving in names(part):
                    spot = len(shape)
                shape.append(evaluate(part, scope))
        if any(n < 0 for n in shape):
            raise ValueError(f"{p.name} would have the shape {shape}")
        if axis is not None and spot is not None and has_pack:
            rank = len(shape)
            if -rank <= axis < rank:
                shape.insert(axis % rank, shape.pop(spot))
        return Argument(self._dtype(p), tuple(shape))

    def _broadcast(self, extents: list[int]) -> list[int]:
        """The anonymous pack as one operand has it: axes missing, or of length 1."""
        if self.style == "square" or self.fixed.random() < 0.6:
            return extents
        dropped = self.fixed.randint(0, len(extents))
        return [1 if self.fixed.random() < 0.4 else n for n in extents[dropped:]]

    def _dtype(self, p: syntax.Parameter) -> DType:
        assert isinstance(p.type, syntax.TensorType)
        name = p.type.dtype.name
        if name in DTYPES:
            return DTYPES[name]
        whole = self.dtypes[name]
        tensors = sum(
            q.type.dtype.name == name
            for q in self.operator.tensors
            if isinstance(q.type, syntax.TensorType)
        )
        if tensors < 2 or self.fixed.random() > (0.4 if self.mixed else 0.1):
            return whole
        # A narrower dtype that promotes to the whole one.
        classes = {c.name: c.classes for c in self.operator.classes}
        return DTYPES[self.fixed.choice(sorted(_below(name, whole, classes)))]


def _below(
    name: str, whole: DType, classes: Mapping[str, tuple[str, ...]]
) -> list[str]:
    found = []
    for candidate in allowed_types(name, classes):
        try:
            if promote(DTYPES[candidate], whole) == whole:
                found.append(candidate)
        except OpslibError:
            continue
    return found


def draw_call(
    operator: syntax.Operator, dtype: str, number: int, seed: int, limit: int
) -> Call:
    """A call that binds, with at most `limit` elements in any array.

    Raises:
        NoCase: with the reason of the last rejection.
    """
    # A long one has the program of case 0, whose kernel it shares.
    long = number - LONG if number >= LONG else None
    variant = number // 3 if long is None else 0
    drawn = measured = 0
    why = "nothing was drawn"
    for turn in range(_TRIES):
        attempt = turn - measured
        key = f"{operator.name} {dtype} {seed}"
        fixed = random.Random(f"{key} variant {variant} {attempt}")
        free = random.Random(f"{key} case {number} {attempt}")
        style = STYLES[number % len(STYLES)] if long is None else "long"
        if attempt >= _TRIES // 3:
            style = "tiny"
        if _TRIES // 6 < attempt < _TRIES // 3:
            style = "small"
        draw = _Draw(operator, DTYPES[dtype], style, fixed, free)
        draw.mixed = variant % MIXED == MIXED - 1
        if long is not None:
            # How many sizes a call has shows when it is drawn: the first has none that
            # is long, and is drawn again.
            draw.long = drawn - 1 - long % drawn if drawn else -1
        draw.rank = RANKS[variant % len(RANKS)] if attempt < 50 else attempt % 4
        try:
            call = draw.call()
        except OpslibError as error:
            why = error.message
        except (ArithmeticError, IndexError, KeyError, NotStatic) as error:
            why = f"{type(error).__name__}: {error}"
        except (TypeError, ValueError) as error:
            why = f"{type(error).__name__}: {error}"
        else:
            binding = call.binding
            if style == "long" and draw.long < 0 and draw.drawn:
                drawn, measured = draw.drawn, measured + 1
                continue
            if max((_elements(t) for t in _shapes(binding)), default=0) <= limit:
                return call
            why = "too many elements"
    raise NoCase(f"{operator.name} {dtype} case {number}: {why}")


def _shapes(binding: Binding) -> list[tuple[int, ...]]:
    shapes = [t.view.extents for t in binding.inputs]
    return shapes + [t.shape for t in binding.outputs]


def _elements(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=np.int64))
