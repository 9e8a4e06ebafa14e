"""Every flag of every generated kernel, taken away in turn on the twin.

Kernels are those of the whole catalogue, with tiles of the least length, so that calls
of a few hundred elements run every loop several times. Sizes are drawn around that
length and below: loops run no turn, one, two and many, rows fit a tile or do not.
"""

from __future__ import annotations

import dataclasses
import json
import math
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from unittest import mock

import numpy as np
from opslib.backends.npu.ascend import (
    allocate,
    device,
    machine,
    plan,
    renderer,
    simulator,
    tune,
)
from opslib.backends.npu.ascend.arguments import (
    chosen,
    failure,
    no_failures,
    prepare,
    within,
)
from opslib.backends.npu.ascend.lower import lower
from opslib.backends.npu.targets import DEFAULT

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
from opslib.runtime import cache as kernel_cache
from opslib.runtime import toolchain
from opslib.testing import indices, inputs, shapes

from .ascend_cases import FFI, SYNC

_UNFIT = (OpslibError, ArithmeticError, LookupError, NotStatic, TypeError, ValueError)

# The least tile of a vector kernel, and a small block for the cube with as many panels,
# so that the kernel is the usual one but for its lengths.
TILE = allocate.STEP
CUBE = tune.Tile(m=32, n=32, depth=32, panels=4)
# Sizes that no kernel has to be asked for: none, one, a few.
FEW = (0, 1, 1, 2, 2, 3, 3, 5, 7, 17, 40)
# Elements of the largest array.
LIMIT = 1 << 17
# Points of the iteration space where valid indices are found by evaluating.
EVALUATED = 1 << 20
# Instructions that a launch may have on the twin, some tenths of a second.
LONGEST = 1 << 17
# So many calls are drawn at once, and the smallest of them run first.
_BATCH = 16
# A line is dropped in so many runs at most that come to the same lines about as often:
# to within a factor of two.
_TIMES = 4
# So many calls are drawn around others.
_NEAR = 300
# Ranks 1, 2, 2 and 3 of shapes.RANKS; one of them with mixed dtypes.
VARIANTS = (1, 0, 3, 2)
MIXED = 3
# Draws of what selects a program, for each variant.
_FIXED = 12
_STEP = re.compile(r"(?<![\w.])(\d+)(?![\w.])|TILE\b")


@contextmanager
def small_tiles() -> Iterator[None]:
    """Kernels made inside have the least tiles."""
    token = tune.FORCED.set(CUBE)
    try:
        with mock.patch.object(allocate, "MOST", TILE):
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


def _size(rng: random.Random, palette: Sequence[int], chosen: bool, style: int) -> int:
    """One size of a call, by the call's style (see `_STYLES`)."""
    few, one_large, lonely = _STYLES[style]
    if one_large:
        return rng.choice(palette if chosen else (1, 2, 3) if lonely else FEW)
    # Half of the sizes are few: several large ones are soon too many elements.
    return rng.choice(FEW if few or rng.random() < 0.5 else palette)


# (all sizes are few, one is large, the others are 1 to 3): a line that only a long axis
# needs is found with one, whatever the number of axes.
_STYLES = ((False, False, False), (False, True, True), (True, False, False),
           (False, True, True), (False, True, False))  # fmt: skip


class _Sized(shapes._Draw):
    """Draws sizes from `palette`: with one size in five equal to an earlier one.

    `large` is which of the sizes is the large one, `asked` how many there were.
    """

    __slots__ = ("asked", "large", "palette", "sizes_style")
    palette: Sequence[int]
    asked: int
    large: int
    sizes_style: int

    def size(self) -> int:
        known = [v for v in self.values.values() if isinstance(v, int) and v >= 0]
        chosen = self.asked == self.large
        self.asked += 1
        if known and self.free.random() < 0.2:
            return self.free.choice(known)
        return _size(self.free, self.palette, chosen, self.sizes_style)


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
        draw.asked, draw.large = 0, draw.free.randrange(self.asked[0])
        draw.sizes_style = free % len(_STYLES)
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
    """Normal numbers; or many of those that formulas ask for."""
    made = rng.standard_normal(shape)
    if not special:
        return made
    those = rng.choice(_SPECIAL, shape)
    return np.where(rng.random(shape) < rng.choice((0.1, 0.6)), those, made)


def _array(dtype: Any, shape: tuple[int, ...], rng: Any, free: int) -> Any:
    if dtype.is_float:
        return _numbers(rng, shape, free % 2 == 1).astype(dtype.numpy)
    return rng.integers(0, 2 if dtype == BOOL else 1, shape).astype(dtype.numpy)


def resized(
    program: Program,
    scalars: dict[str, Any],
    sizes: Sequence[int],
    free: int,
    near: Call | None = None,
) -> Call | None:
    """A call of a program with any sizes, though its operator may refuse them.

    Integers are zeros, which are valid indices as long as there is something to index.
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
    large = rng.randrange(max(1, len(names)))
    # What is equal may have to be: where a launch checks shapes, no other runs then.
    alike = rng.random() < 0.5
    old = dict(known) if near is not None else {}
    changed: dict[Any, int] = {}
    for k, name in enumerate(names):
        before = old.get(name)
        if alike and before in changed:
            known[name] = changed[before]
            continue
        if near is not None and k != large and rng.random() < 0.85:
            continue
        one = _size(rng, sizes, k == large, free % len(_STYLES))
        if near is None and alike and k and rng.random() < 0.5:
            one = known[rng.choice(names[:k])]
        known[name] = 0 if rng.random() < 0.15 else one
        if near is not None:
            changed[before] = known[name]
    chosen = {name: known[name] for name in program.sizes}
    scalars = {name: known[name] for name in scalars}
    found = {
        t.name: tuple(int(plan.number(e, known, {})) for e in t.shape) for t in tensors
    }
    if any(n < 0 for shape in found.values() for n in shape):
        return None
    if max(math.prod(shape) for shape in found.values()) > LIMIT:
        return None
    numbers = np.random.default_rng(free)
    with np.errstate(over="ignore"):
        arrays = [_array(t.dtype, found[t.name], numbers, free) for t in program.inputs]
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


# -- kernels on the twin --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """What the twin said of one launch.

    Attributes:
        findings: kinds of what is wrong.
        ran: lines of waits and barriers that it came to, and how often.
        drains, redundant: those with such a note.
        is_long: it was not run to the end.
    """

    findings: tuple[str, ...]
    ran: dict[int, int]
    drains: frozenset[int]
    redundant: frozenset[int]
    text: str
    is_long: bool


@dataclass(eq=False)
class Kernel:
    """A program on the twin.

    Attributes:
        sources: of calls: several, where calls of different ranks come to one program.
        text: of the unit, by lines.
        entries: of the launches.
        lines: of the waits and barriers, by launch, from 1.
    """

    sources: list[Source]
    program: Program
    made: plan.Program
    text: list[str] = field(default_factory=list)
    entries: list[Any] = field(default_factory=list)
    lines: list[list[int]] = field(default_factory=list)
    drop: Any = None
    limit: Any = None
    lines_run: Any = None

    def calls(self, draws: int) -> Iterator[Call]:
        """Calls that it is for, the first ones short.

        In turn of each source, and one of the program alone with any sizes.
        """
        sizes = palette(self.made)
        short = tuple(n for n in sizes if n < 4 * TILE)
        scalars: list[dict[str, Any]] = []
        for free in range(draws):
            now = short if free < draws // 4 else sizes
            found: list[Call | None] = [
                dataclasses.replace(source, palette=now).call(free)
                for source in self.sources
            ]
            for one in found:
                if one is not None and one.program == self.program:
                    scalars.append(one.scalars)
            if scalars:
                some = scalars[free * 7 % len(scalars)]
                found.append(resized(self.program, some, now, free))
            yield from filter(self._takes, found)

    def near(self, one: Call, free: int) -> Iterator[Call]:
        """A call that is like another but for a size or two."""
        made = resized(self.program, one.scalars, palette(self.made), free, one)
        if made is not None and self._takes(made):
            yield made

    def _takes(self, one: Call | None) -> bool:
        return (
            one is not None
            and one.program == self.program
            and within(self.made, one.sizes, one.scalars, one.arrays)
        )


def kernels(operator: str, dtype: str, most: int = 2) -> Iterator[Kernel]:
    """Up to `most` kernels of an operator that the chip can run, lowered.

    Those that calls of its signature, drawn anyhow, come to most often.
    """
    handle = Handle(operator)
    sources: dict[Program, list[Source]] = {}
    for fixed in range(_FIXED):
        for variant in VARIANTS:
            source = Source(handle, dtype, variant, fixed)
            first = next((c for k in range(3) if (c := source.call(k))), None)
            if first is not None:
                sources.setdefault(first.program, []).append(source)
    usual = sorted(sources.items(), key=lambda item: -len(item[1]))
    chosen = [(p, s) for p, s in usual if device.lacking(p) is None]
    for k, (program, mine) in enumerate(chosen[:most]):
        with small_tiles():
            made = lower(program, f"{operator}_{dtype}_{k}")
        yield Kernel(mine[:4], program, made)


def build(found: Sequence[Kernel]) -> None:
    """Compiles kernels in one translation unit."""
    load(found, renderer.print_unit([k.made for k in found]))


def load(found: Sequence[Kernel], text: str) -> None:
    """The same with a text of one's own."""
    library = kernel_cache.default_cache().load(
        simulator.with_entries(text, [k.made for k in found]),
        f"ascend_{found[0].made.name}_mutated",
        toolchain.find_toolchain("c++"),
        (*simulator.flags(DEFAULT), *simulator.engine(DEFAULT)),
        timeout_s=600,
    )
    drop = FFI.cast("void (*)(int)", library.symbol("opslib_twin_drop_line"))
    limit, lines_run = controls(library)
    rows = text.split("\n")
    syncs = [k for k, row in enumerate(rows, 1) if SYNC.match(row)]
    for kernel in found:
        kernel.text, kernel.drop, kernel.lines, kernel.entries = rows, drop, [], []
        kernel.limit, kernel.lines_run = limit, lines_run
        for launch in kernel.made.launches:
            address = library.symbol(f"{launch.name}_twin")
            kernel.entries.append(FFI.cast("opslib_twin", address))
            # Long heads are wrapped in front of the name.
            start = next(
                k for k, row in enumerate(rows, 1) if f" {launch.name}(" in f" {row}"
            )
            end = rows.index("}", start)
            kernel.lines.append([k for k in syncs if start <= k <= end])


def controls(library: Any) -> tuple[Any, Any]:
    """How to limit launches, and to ask for the lines that one ran."""
    return (
        FFI.cast("void (*)(uint64_t)", library.symbol("opslib_twin_limit")),
        FFI.cast(
            "uint32_t (*)(int32_t *, uint32_t *, uint32_t)",
            library.symbol("opslib_twin_lines_run"),
        ),
    )


def garbage(shape: tuple[int, ...], dtype: Any) -> Any:
    """New memory as a device gives it: with anything in it."""
    made = np.empty(shape, dtype)
    made.view(np.uint8)[...] = 0xFF if made.dtype.kind == "f" else 0x5A
    return made


class Prepared:
    """A call whose arrays are ready, launch by launch."""

    def __init__(self, kernel: Kernel, one: Call, cores: int = 1) -> None:
        made = kernel.made
        outputs = [
            np.zeros(one.shapes[t.name], t.dtype.numpy) for t in one.program.outputs
        ]
        given = [a.copy() for a in one.arrays]
        # How a product is cut is an argument.
        with small_tiles():
            found = prepare(
                made, given, outputs, one.sizes, one.scalars, DEFAULT, garbage
            )
        self.kernel, self.outputs, self.cores = kernel, outputs, cores
        self.status = no_failures(DEFAULT)
        arrays = [*found.arrays, found.numbers, found.reals, self.status]
        self.arrays = [a if a.nbytes else np.zeros(1, a.dtype) for a in arrays]
        self.nbytes = FFI.new("uint64_t[]", [a.nbytes for a in arrays])
        self.pointers = FFI.new(
            "void *[]", [FFI.cast("void *", a.ctypes.data) for a in self.arrays]
        )
        self.chosen = chosen(made, one.sizes, one.scalars)
        self.before: dict[int, list[Any]] = {}

    def run(self) -> dict[int, Said]:
        """All launches in order; what comes before each is kept."""
        found = {}
        for k, _ in self.chosen:
            self.before[k] = [a.copy() for a in self.arrays]
            found[k] = self._launch(k)
            if failure(self.status) is not None or found[k].is_long:
                break
        return found

    def again(self, launch: int) -> Said:
        """One launch once more, on what it got before."""
        for array, old in zip(self.arrays, self.before[launch], strict=True):
            array[...] = old
        return self._launch(launch)

    def _launch(self, k: int) -> Said:
        report = FFI.new("char[]", _REPORT)
        self.kernel.limit(LONGEST)
        self.kernel.entries[k](
            self.kernel.made.launches[k].blocks or self.cores,
            self.pointers,
            self.nbytes,
            report,
            _REPORT,
            FFI.NULL,
            0,
        )
        self.kernel.limit(0)
        lines = FFI.new("int32_t[]", _LINES)
        runs = FFI.new("uint32_t[]", _LINES)
        count = self.kernel.lines_run(lines, runs, _LINES)
        text = FFI.string(report).decode("utf-8", "replace")
        entries = [json.loads(line) for line in text.splitlines()]
        notes: dict[str, set[int]] = {"drain": set(), "redundant": set()}
        kinds = []
        for entry in entries:
            if entry["kind"] in notes:
                notes[entry["kind"]].add(entry["line"])
            else:
                kinds.append(entry["kind"])
        return Said(
            tuple(kinds),
            dict(zip(lines[0:count], runs[0:count], strict=True)),
            frozenset(notes["drain"]),
            frozenset(notes["redundant"]),
            text,
            "long" in kinds,
        )


_REPORT = 1 << 16
_LINES = 512


@dataclass
class Verdict:
    """What became of a kernel's lines.

    Attributes:
        caught: the line and the kind of the first finding.
        drains: lines that order nothing because nothing comes after them.
        missed: the others, with the statement.
        redundant: those of `missed` that were noted in every call that ran them.
        wrong: findings without anything dropped.
        calls, drops: how many there were, and how many runs with a line dropped.
        alike: another kernel of the same shape, which was judged.
    """

    operator: str
    dtype: str
    name: str
    caught: dict[int, str] = field(default_factory=dict)
    drains: set[int] = field(default_factory=set)
    missed: dict[int, str] = field(default_factory=dict)
    redundant: set[int] = field(default_factory=set)
    wrong: str = ""
    calls: int = 0
    drops: int = 0
    alike: str = ""


def elements(one: Call) -> int:
    """Elements, an empty axis as one: loops over the others run without touching it."""
    shapes_of = (*(a.shape for a in one.arrays), *one.shapes.values())
    counts = (math.prod(max(1, n) for n in shape) for shape in shapes_of)
    return max(1, sum(counts), *one.sizes.values())


def _smallest_first(calls: Iterator[Call]) -> Iterator[Call]:
    """What a small call tells no large one has to be asked for."""
    while batch := list(islice(calls, _BATCH)):
        yield from sorted(batch, key=elements)


class _Judge:
    """What is known so far of a kernel's lines.

    Attributes:
        left: lines that were not noticed yet, and the launch of each.
        drains: those that ran, and whether they only emptied a flag each time.
        spare: whether they ordered nothing new each time.
        tried: how often they were dropped in a run of a kind.
        ran: some calls that came to a line.
    """

    def __init__(self, kernel: Kernel) -> None:
        source = kernel.sources[0]
        self.kernel = kernel
        self.found = Verdict(source.handle.name, source.dtype, kernel.made.name)
        self.left = {n: k for k, lines in enumerate(kernel.lines) for n in lines}
        self.drains: dict[int, bool] = {}
        self.spare: dict[int, bool] = {}
        self.tried: Counter[Any] = Counter()
        self.ran: dict[int, list[Call]] = {}
        self.all: list[Call] = []

    def open(self) -> list[int]:
        """Lines that calls are wanted for."""
        return [line for line in self.left if not self.drains.get(line)]

    def hear(self, one: Call) -> bool:
        """Runs a call; whether the kernel is right."""
        if elements(one) > LIMIT:
            return True
        ready = Prepared(self.kernel, one)
        whole = ready.run()
        if any(said.is_long for said in whole.values()):
            return True
        wrong = next((s.text for s in whole.values() if s.findings), "")
        if wrong and one.natural:
            first = wrong.splitlines()[0]
            self.found.wrong = f"{one.sizes} {one.scalars}: {first}"
            return False
        if wrong:
            return True
        self.found.calls += 1
        self.all.append(one)
        for k, said in whole.items():
            kind = frozenset((n, times.bit_length()) for n, times in said.ran.items())
            for line in [n for n, of in self.left.items() if of == k and n in said.ran]:
                self.ran.setdefault(line, []).append(one)
                self._try(ready, k, line, said, kind)
        return True

    def _try(
        self, ready: Prepared, launch: int, line: int, said: Said, kind: Any
    ) -> None:
        # All of its runs count.
        drain, redundant = line in said.drains, line in said.redundant
        if drain or redundant:
            self.drains[line] = drain and self.drains.get(line, True)
            self.spare[line] = redundant and self.spare.get(line, True)
            return
        self.drains[line] = False
        self.spare[line] = False
        self.tried[line, kind] += 1
        if self.tried[line, kind] > _TIMES:
            return
        self.kernel.drop(line)
        self.found.drops += 1
        dropped = ready.again(launch)
        self.kernel.drop(0)
        if dropped.findings:
            self.found.caught[line] = dropped.findings[0]
            del self.left[line]

    def nearby(self) -> Iterator[Call]:
        """For lines that are left, calls like those that came to them."""
        rng = random.Random(0)
        for free in range(_NEAR):
            wanted = self.open()
            if not wanted or not self.all:
                return
            known = self.ran.get(wanted[free % len(wanted)]) or self.all
            yield from self.kernel.near(rng.choice(known), 1000 + free)

    def verdict(self) -> Verdict:
        """When no more calls come."""
        for line in self.left:
            if self.drains.get(line):
                self.found.drains.add(line)
            else:
                self.found.missed[line] = self.kernel.text[line - 1].strip()
                if self.spare.get(line):
                    self.found.redundant.add(line)
        return self.found


def judge(kernel: Kernel, draws: int = 40, least: int = 10) -> Verdict:
    """Drops every wait and barrier of a kernel in turn.

    Calls are drawn until every line has been noticed, or looks as if it only drained a
    flag in each of `least` calls; first anyhow, then around those that came to a line
    that is left.
    """
    state = _Judge(kernel)
    for calls in (_smallest_first(kernel.calls(draws)), state.nearby()):
        for one in calls:
            if not state.hear(one):
                return state.found
            if state.found.calls >= least and not state.open():
                return state.verdict()
    return state.verdict()


# -- the catalogue --------------------------------------------------------------------

# Kernels in one translation unit.
_UNIT = 30


def shape_of(made: plan.Program) -> tuple[Any, ...]:
    """What flags depend on: pipes, what they touch, loops, flags; names do not count.

    Two kernels of one shape differ in what the vector unit computes, as add and
    subtract do, and are the same to everything here.
    """
    names: dict[str, int] = {}

    def short(text: str) -> str:
        return _WORD.sub(lambda m: str(names.setdefault(m[0], len(names))), text)

    def parts(body: list[machine.Node]) -> tuple[Any, ...]:
        found: list[Any] = []
        for node in body:
            if isinstance(node, machine.Block):
                found.append((node.kind, short(node.head), parts(node.body)))
            elif isinstance(node, machine.Sync):
                found.append(node.text)
            else:
                found.append(
                    (
                        node.pipe,
                        tuple((short(a.buffer), a.write) for a in node.accesses),
                    )
                )
        return tuple(found)

    return tuple((x.unit, parts(x.body)) for x in made.launches)


_WORD = re.compile(r"[A-Za-z_]\w*")


def survey(
    work: Sequence[tuple[str, str]], most: int = 2, draws: int = 40
) -> Iterator[Verdict]:
    """Verdicts on the kernels of operators and dtypes, one for each shape."""
    seen: dict[Any, str] = {}
    waiting: list[Kernel] = []
    for operator, dtype in work:
        for kernel in kernels(operator, dtype, most):
            shape = shape_of(kernel.made)
            if shape in seen:
                yield Verdict(operator, dtype, kernel.made.name, alike=seen[shape])
                continue
            seen[shape] = kernel.made.name
            waiting.append(kernel)
        if len(waiting) >= _UNIT:
            yield from _judged(waiting, draws)
            waiting = []
    if waiting:
        yield from _judged(waiting, draws)


def _judged(waiting: Sequence[Kernel], draws: int) -> Iterator[Verdict]:
    build(waiting)
    for kernel in waiting:
        yield judge(kernel, draws)


def complaints(found: Sequence[Verdict]) -> list[str]:
    """A sentence for each line that can go unnoticed, and for each kernel in error."""
    lines = []
    for v in found:
        if v.wrong:
            lines.append(f"{v.name}: {v.wrong}")
        for line, text in v.missed.items():
            why = "orders nothing in any call" if line in v.redundant else "unnoticed"
            lines.append(f"{v.name}, line {line}: {text} {why}")
    return lines


def rate(found: Sequence[Verdict]) -> str:
    """The catch rate in a line."""
    caught = sum(len(v.caught) for v in found)
    missed = sum(len(v.missed) for v in found)
    drains = sum(len(v.drains) for v in found)
    own = sum(not v.alike for v in found)
    races = sum(kind == "race" for v in found for kind in v.caught.values())
    return (
        f"{len(found)} kernels of {own} shapes: {caught} of {caught + missed} waits "
        f"and barriers are noticed when dropped ({races} as a race), {drains} more "
        f"only empty a flag; {sum(v.calls for v in found)} calls, "
        f"{sum(v.drops for v in found)} runs with a line dropped"
    )


def markdown(found: Sequence[Verdict], whole: int) -> str:
    """The page of the documentation; `whole` is how many operators and dtypes."""
    done = len({(v.operator, v.dtype) for v in found})
    lines = [
        "# Every flag of every Ascend kernel, dropped",
        "",
        f"{done} of {whole} operators with their dtypes (float32, float16), with the",
        "kernels that calls of their signatures most often come to. Kernels are made",
        "with the least tiles, which changes no flag, and called with sizes around",
        "their own tile and block lengths. A wait or a barrier is *noticed* when the",
        "twin has a finding in some call while the line orders nothing; the others are",
        "only there to empty a flag at the end. Kernels that differ only in what the",
        "vector unit computes are judged once: *as* names the other.",
        "",
        f"{rate(found)}.",
        "",
        "Made by the deep test of `test_ascend_mutation_catalogue.py`.",
        "",
        "| kernel | noticed | of | by race, overtaken, other | drains | calls | as |",
        "|---|---|---|---|---|---|---|",
    ]
    for v in found:
        kinds = list(v.caught.values())
        races, late = kinds.count("race"), kinds.count("overtaken")
        other = len(kinds) - races - late
        lines.append(
            f"| {v.name} | {len(kinds)} | {len(kinds) + len(v.missed)} | {races}, "
            f"{late}, {other} | {len(v.drains)} | {v.calls} | {v.alike} |"
            if not v.alike
            else f"| {v.name} | | | | | | {v.alike} |"
        )
    return "\n".join(lines) + "\n"
