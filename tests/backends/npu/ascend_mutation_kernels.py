"""Kernels of the catalogue on the twin, whose waits can be taken away one by one."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from opslib.backends.npu.ascend import device, plan, renderer, simulator
from opslib.backends.npu.ascend.arguments import (
    chosen,
    failure,
    no_failures,
    prepare,
    within,
)
from opslib.backends.npu.ascend.lower import lower
from opslib.backends.npu.targets import DEFAULT

from opslib.dispatch.handle import Handle
from opslib.ir.expr import Program
from opslib.runtime import cache as kernel_cache
from opslib.runtime import toolchain

from .ascend_cases import FFI, SYNC
from .ascend_mutation_calls import (
    DRAWS,
    LONGEST,
    TILE,
    VARIANTS,
    Call,
    Source,
    palette,
    resized,
    small_tiles,
)


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
    for fixed in range(DRAWS):
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
