"""Calls of the catalogue's programs, of the sizes that make kernels run every line.

Kernels are made with tiles and blocks of the least length, so that calls of a few
hundred elements run every loop several times. Sizes are drawn around those lengths and
below: loops run no turn, one, two and many, rows fit a tile or do not.
"""

from __future__ import annotations

import functools
import math
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any
from unittest import mock

import numpy as np
from opslib.backends.npu.ascend import allocate, machine, plan, tune

from opslib.dispatch.coalesce import coalesce
from opslib.dispatch.handle import Handle
from opslib.dispatch.judging import in_program_axes
from opslib.dispatch.plan import program_for
from opslib.dispatch.strides import strides_of
from opslib.errors import OpslibError
from opslib.ir.binding import Binding
from opslib.ir.dtypes import BOOL, DTYPES
from opslib.ir.expr import Program, Scalar, walk
from opslib.ir.statics import NotStatic
from opslib.lowering.skeletons import columns, nest, rows, scan
from opslib.lowering.skeletons.builder import Machine
from opslib.testing import indices, inputs, shapes

_UNFIT = (OpslibError, ArithmeticError, LookupError, NotStatic, TypeError, ValueError)

# The least tile of a vector kernel, and a small block for the cube with as many panels,
# so that the kernel is the usual one but for its lengths.
TILE = allocate.STEP
# Axes are cut into blocks, and long folds into pieces, of two tiles: of one, the flags
# of a loop over its tiles would not be the usual ones (traces.py).
BLOCK = 2 * TILE
CUBE = tune.Tile(m=32, n=32, depth=32, panels=4)
# Sizes that no kernel has to be asked for: none, one, a few.
FEW = (0, 1, 1, 2, 2, 3, 3, 5, 7, 17, 40)
# Elements of the largest array, and of one for a line that nothing has noticed yet:
# some need two long axes of one array.
LIMIT, FAR = 1 << 17, 1 << 20
# Elements of an array with an empty axis, if that had one: numpy has a limit here.
HUGE = 1 << 40
# Points of the iteration space where valid indices are found by evaluating.
EVALUATED = 1 << 20
# Instructions that a launch may have on the twin, some tenths of a second.
LONGEST = 1 << 17
# Ranks 1, 2, 2 and 3 of shapes.RANKS; one of them with mixed dtypes.
VARIANTS = (1, 0, 3, 2)
MIXED = 3
# Draws of what selects a program, for each variant.
DRAWS = 12
_STEP = re.compile(r"(?<![\w.])(\d+)(?![\w.])|TILE\b")


@contextmanager
def small_tiles() -> Iterator[None]:
    """Kernels made inside have the least tiles, blocks and pieces."""
    token = tune.FORCED.set(CUBE)
    pieces = functools.partial(nest.lower, machine=Machine(piece=BLOCK))
    lengths = (
        (allocate, "MOST", TILE), (rows, "BLOCK", BLOCK), (scan, "PIECE", BLOCK),
        (columns, "PIECE", BLOCK), (nest, "lower", pieces),
    )  # fmt: skip
    try:
        with ExitStack() as patches:
            for module, name, value in lengths:
                patches.enter_context(mock.patch.object(module, name, value))
            yield
    finally:
        tune.FORCED.reset(token)


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a program.

    `natural` says that the operator takes it.
    """

    program: Program
    arrays: list[Any]
    sizes: dict[str, int]
    scalars: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]
    natural: bool = True


def elements(one: Call) -> int:
    """Elements, an empty axis as one: loops over the others run without touching it."""
    shapes_of = (*(a.shape for a in one.arrays), *one.shapes.values())
    counts = (math.prod(max(1, n) for n in shape) for shape in shapes_of)
    return max(1, sum(counts), *one.sizes.values())


@dataclass(frozen=True, slots=True)
class _Style:
    """How the sizes of a call are drawn.

    Attributes:
        large: how many are of the palette; None: each with even chance.
        others: what the others are.
    """

    large: int | None
    others: Sequence[int] = FEW

    def size(self, rng: random.Random, palette: Sequence[int], chosen: bool) -> int:
        """One size, which is of the palette if it is `chosen`."""
        if self.large is None:
            # Half of the sizes are few: several large ones are soon too many elements.
            return rng.choice(self.others if rng.random() < 0.5 else palette)
        return rng.choice(palette if chosen else self.others)

    def choose(self, rng: random.Random, count: int) -> frozenset[int]:
        """Which of so many sizes are of the palette."""
        return frozenset(rng.sample(range(count), min(count, self.large or 0)))


# A line that only a long axis needs is found with one, whatever the number of axes; and
# one that needs two, such as a diagonal of several tiles, with two and no others. What
# keeps flags apart in turns without anything to do is found with several sizes of none.
_STYLES = (
    _Style(None),
    _Style(1, (1, 2, 3)),
    _Style(0, (0, 0, 2, 3)),
    _Style(2, (1, 1, 2)),
    _Style(1),
    _Style(1, (1, 2, 3)),
    _Style(2, (1, 1, 2)),
)


class _Sized(shapes._Draw):
    """Draws sizes from `palette`: with one size in five equal to an earlier one.

    `large` are those of the sizes that are large, `asked` is how many there were.
    """

    __slots__ = ("asked", "large", "manner", "palette")
    palette: Sequence[int]
    asked: int
    large: frozenset[int]
    manner: _Style

    def size(self) -> int:
        known = [v for v in self.values.values() if isinstance(v, int) and v >= 0]
        chosen = self.asked in self.large
        self.asked += 1
        if known and self.free.random() < 0.2:
            return self.free.choice(known)
        return self.manner.size(self.free, self.palette, chosen)


@dataclass(frozen=True, eq=False)
class Source:
    """Calls of one program.

    Attributes:
        fixed: the draw of what selects the program.
        palette: sizes, from the lengths that the kernel has in it.
    """

    handle: Handle
    dtype: str
    variant: int
    fixed: int
    palette: tuple[int, ...] = (TILE + 3,)
    asked: list[int] = field(default_factory=lambda: [1])

    def _drawn(self, free: int) -> Any:
        key = f"{self.handle.name} {self.dtype} {self.variant} {self.fixed}"
        draw = _Sized(
            self.handle.operator, DTYPES[self.dtype], "mixed",
            random.Random(key), random.Random(f"{key} {free}"),
        )  # fmt: skip
        draw.palette = self.palette
        draw.manner = _STYLES[free % len(_STYLES)]
        draw.asked, draw.large = 0, draw.manner.choose(draw.free, self.asked[0])
        draw.rank = shapes.RANKS[self.variant % len(shapes.RANKS)]
        draw.mixed = self.variant == MIXED
        try:
            made = draw.call()
        except _UNFIT:
            return None
        finally:
            self.asked[0] = max(self.asked[0], draw.asked)
        counts = [math.prod(s) for s in shapes._shapes(made.binding)]
        sizes = made.binding.sizes.values()
        if max(counts, default=0) > LIMIT or min(sizes, default=0) < 0:
            return None
        return made

    def call(self, free: int) -> Call | None:
        """A call, its axes merged as a backend gets them; None: nothing that fits."""
        handle, made = self.handle, self._drawn(free)
        if made is None:
            return None
        binding: Binding = made.binding
        try:
            program = program_for(handle.operator, binding.statics, handle.library)
        except OpslibError:
            return None
        looked_up = indices.index_operands(program) or program.checks
        if looked_up and inputs.iterations(program, binding.sizes) > EVALUATED:
            return None
        rng = inputs.generator(handle.name, self.dtype, self.variant, self.fixed, free)
        kind = ("random", "integers")[free % 2]
        elements = inputs._elements(handle.operator, made, program, kind, 0, rng)
        if elements is None:
            return None
        strides = strides_of(binding, False, elements[0], None)
        merged = coalesce(binding, dict(strides))
        program = program_for(handle.operator, merged.statics, handle.library)
        arrays = [
            np.ascontiguousarray(in_program_axes(np.asarray(a, t.dtype.numpy), t.view))
            for a, t in zip(elements[0], merged.inputs, strict=True)
        ]
        return Call(
            program, arrays, dict(merged.sizes), dict(merged.scalars),
            {o.name: tuple(o.view.extents) for o in merged.outputs},
        )  # fmt: skip


# The last ones are so large and so small that formulas leave them to the scalar unit.
_SPECIAL = (0.0, 1.0, math.inf, -math.inf, math.nan, 6e4, 1e9, 1e-4, 1e-9)


def _numbers(rng: np.random.Generator, shape: tuple[int, ...], special: bool) -> Any:
    """Normal numbers; or many of those that formulas ask for, or nothing but one."""
    made = rng.standard_normal(shape)
    if not special:
        return made
    if rng.random() < 0.2:
        return np.full(shape, rng.choice(_SPECIAL))
    those = rng.choice(_SPECIAL, shape)
    return np.where(rng.random(shape) < rng.choice((0.1, 0.6)), those, made)


def _array(
    dtype: Any, shape: tuple[int, ...], rng: Any, free: int, alone: float | None
) -> Any:
    """`alone`: what all floats of the call are."""
    if dtype.is_float and alone is not None:
        return np.full(shape, alone).astype(dtype.numpy)
    if dtype.is_float:
        return _numbers(rng, shape, free % 2 == 1).astype(dtype.numpy)
    if dtype == BOOL and rng.random() < 0.3:
        # No row that is masked in part.
        return np.full(shape, rng.random() < 0.5)
    # Lengths of more than nothing, and places beyond the first.
    most = 2 if dtype == BOOL else rng.choice((1, 1, 2, 4))
    return rng.integers(0, most, shape).astype(dtype.numpy)


def _sizes(
    rng: random.Random, names: Sequence[str], style: _Style, palette: Sequence[int]
) -> dict[str, int]:
    """A size for each name."""
    found: dict[str, int] = {}
    large = style.choose(rng, len(names))
    alike = rng.random() < 0.5
    for k, name in enumerate(names):
        one = style.size(rng, palette, k in large)
        if alike and k and rng.random() < 0.5:
            one = found[rng.choice(names[:k])]
        found[name] = 0 if rng.random() < 0.15 else one
    return found


def _changed(
    rng: random.Random,
    before: Mapping[str, int],
    style: _Style,
    palette: Sequence[int],
    turn: int,
) -> dict[str, int]:
    """Those of a call, but for a few."""
    found = dict(before)
    large = style.choose(rng, len(before))
    if style.large == 2 and len(before) > 2:
        # Every two in turn.
        both = [*combinations(range(len(before)), 2)]
        large = frozenset(both[turn % len(both)])
    # What is equal may have to be: where a launch checks shapes, no other runs then.
    alike = rng.random() < 0.5
    # Two long axes leave room for no others.
    kept = {0: 0.2, 2: 0.4}.get(1 if style.large is None else style.large, 0.85)
    new: dict[int, int] = {}
    longest: list[int] = []
    long = [n for n in palette if n > TILE] or palette
    for k, (name, old) in enumerate(before.items()):
        if alike and old in new:
            found[name] = new[old]
            continue
        if k not in large and rng.random() < kept:
            continue
        one = style.size(rng, palette, k in large)
        if k in large:
            if rng.random() < 0.5:
                one = rng.choice(long)
            if longest and rng.random() < 0.6:
                # One axis is often a part of the other, or must be longer.
                n = longest[-1]
                one = rng.choice((n - 1, n + 1, n // 2, n // 2 - 1, 2 * n, 2 * n + 1))
            longest.append(one)
        found[name] = 0 if rng.random() < (0.05 if k in large else 0.15) else one
        new[old] = found[name]
    return found


def resized(
    program: Program,
    scalars: dict[str, Any],
    sizes: Sequence[int],
    free: int,
    near: Call | None = None,
) -> Call | None:
    """A call of a program with any sizes, though its operator may refuse them.

    Integers are small, or zeros, which are valid indices as long as there is something
    to index.
    With `near` most sizes are those of that call.
    """
    rng = random.Random(free)
    scalars = {
        n: type(v)(rng.choice((0, 1, 1, 2))) if rng.random() < 0.2 else v
        for n, v in scalars.items()
    }
    known: dict[str, Any] = {**scalars, **(near.sizes if near is not None else {})}
    tensors = (*program.inputs, *program.outputs)
    # Of a result whose extents are attributes (eye, full), those are sizes as well.
    shaped = {n.name for t in tensors for n in walk(*t.shape) if isinstance(n, Scalar)}
    names = (*program.sizes, *sorted(shaped & set(scalars)))
    turn, which = divmod(free, len(_STYLES))
    style = _STYLES[which]
    if near is None:
        known.update(_sizes(rng, names, style, sizes))
    else:
        known.update(_changed(rng, {n: known[n] for n in names}, style, sizes, turn))
    chosen = {name: known[name] for name in program.sizes}
    scalars = {name: known[name] for name in scalars}
    found = {
        t.name: tuple(int(plan.number(e, known, {})) for e in t.shape) for t in tensors
    }
    if any(n < 0 for shape in found.values() for n in shape):
        return None
    most = LIMIT if near is None else FAR
    if max(math.prod(shape) for shape in found.values()) > most:
        return None
    if max(math.prod(max(1, n) for n in shape) for shape in found.values()) > HUGE:
        return None
    numbers = np.random.default_rng(free)
    with np.errstate(over="ignore"):
        alone = rng.choice(_SPECIAL[2:5]) if rng.random() < 0.3 else None
        arrays = [
            _array(t.dtype, found[t.name], numbers, free, alone) for t in program.inputs
        ]
    outputs = {t.name: found[t.name] for t in program.outputs}
    return Call(program, arrays, chosen, scalars, outputs, natural=False)


def palette(made: plan.Program) -> tuple[int, ...]:
    """Sizes around the lengths that a kernel's loops and blocks have.

    One less, one more, several with a tail; an operator's name decides nothing.
    """
    found = {TILE}
    for cutting in made.cuttings:
        if (tile := cutting.tile) is not None:
            step = tile.depth // cutting.size
            found |= {tile.m, tile.n, step, step * tile.panels}
    for launch in made.launches:
        for head in _heads(launch.body):
            for step in _STEP.findall(head):
                found.add(int(step) if step else TILE)
    sizes: set[int] = set()
    for step in found:
        if 1 < step <= LIMIT:
            sizes |= {step - 1, step, step + 1, 2 * step + 1, 3 * step + 5}
    return tuple(sorted(n for n in sizes if n <= LIMIT))


def _heads(body: list[machine.Node]) -> Iterator[str]:
    """The text of loops and of scalar statements."""
    for node in body:
        if isinstance(node, machine.Block):
            yield node.head
            yield from _heads(node.body)
        elif isinstance(node, machine.Instruction) and node.pipe == "S":
            yield node.text
