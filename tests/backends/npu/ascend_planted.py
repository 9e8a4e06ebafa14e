"""Bugs planted in the text of generated kernels, one at a time, and who notices.

Each kind is a change that a mistake in the generator would make: found by the form of
the text, in every kernel that has such a place.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from opslib.backends.npu.ascend import renderer, simulator
from opslib.backends.npu.ascend.arguments import failure
from opslib.backends.npu.targets import DEFAULT

from opslib.runtime import cache as kernel_cache
from opslib.runtime import toolchain

from .ascend_cases import FFI
from .ascend_mutation_calls import LIMIT, TILE, elements
from .ascend_mutation_kernels import Kernel, Prepared, controls

_FLAG = re.compile(r"(SetFlag|WaitFlag)<HardEvent::(\w+?)_(\w+)>\((\d+)\)")
_TENSOR = re.compile(r"(LocalTensor<\w+> \w+\(TPosition::\w+, )(\d+)(, \d+\);)")
# Two, so that results that belong to another core are noticed.
CORES = 2
# What `Put` is without the cleaning of the cache behind it.
_PUT = """
template <class T, class V>
inline void planted_put(GlobalTensor<T> to, int64_t at, V value) {
    to.SetValue(at, static_cast<T>(value));
}
"""


def _each(pattern: str, new: str) -> Callable[[str], Iterator[str]]:
    """One text for each match, with that match replaced."""

    def change(text: str) -> Iterator[str]:
        for match in re.finditer(pattern, text):
            yield text[: match.start()] + match.expand(new) + text[match.end() :]

    return change


def _all(pattern: str, new: str) -> Callable[[str], Iterator[str]]:
    """One text with all matches replaced, if there are any."""

    def change(text: str) -> Iterator[str]:
        made = re.sub(pattern, new, text)
        if made != text:
            yield made

    return change


def _event_reused(text: str) -> Iterator[str]:
    """Each event that is carried around a loop becomes the first one that is.

    Both are set before the loop. Flags that are set and waited for at once may share.
    """
    events = Counter((m[2], m[3], m[4]) for m in _FLAG.finditer(text))
    carried = sorted(event for event, times in events.items() if times >= 4)
    for source, target, number in carried:
        first = next(n for s, t, n in carried if (s, t) == (source, target))
        if number != first:
            yield re.sub(
                rf"Flag<HardEvent::{source}_{target}>\({number}\)",
                f"Flag<HardEvent::{source}_{target}>({first})",
                text,
            )


def _tile_too_large(text: str) -> Iterator[str]:
    """Where chunks are counted by it: rows that fit a tile are as long as they are."""
    if len(re.findall(r"\bTILE\b", text)) > 1:
        length = f"constexpr int64_t TILE = {TILE}"
        yield text.replace(f"{length};", f"{length} + 64;")


def _wrong_pipe(text: str) -> Iterator[str]:
    """Another pipe waits for a flag than the one that must."""
    events = sorted({(m[2], m[3], m[4]) for m in _FLAG.finditer(text)})
    others = {"V": "MTE3", "MTE3": "V", "MTE2": "MTE3", "S": "MTE2"}
    for source, target, number in events:
        other = others.get(target, "")
        if target == "MTE2" and source == "MTE3":
            other = "V"
        if not other or other == source:
            continue
        yield re.sub(
            rf"Flag<HardEvent::{source}_{target}>\({number}\)",
            f"Flag<HardEvent::{source}_{other}>(5)",
            text,
        )


def _overlapping(text: str) -> Iterator[str]:
    """Of two sources in UB of one instruction, one is put where the other is.

    Others may share a place, as long as the vector unit is done with one of them when
    it begins with the other: that is no bug.
    """
    found = {
        m[1].partition("> ")[2].partition("(")[0]: m
        for m in _TENSOR.finditer(text)
        if "VECCALC" in m[1]
    }
    pairs = re.findall(r"\b[A-Z]\w+\(\w+, (\w+), (\w+), ", text)
    for first, second in dict.fromkeys(pairs):
        if first != second and first in found and second in found:
            place, match = found[first][2], found[second]
            moved = match[1] + place + match[3]
            yield text[: match.start()] + moved + text[match.end() :]


# By what went wrong; where it applies, how the text changes.
KINDS: dict[str, Callable[[str], Iterator[str]]] = {
    "tile one block too large": _tile_too_large,
    "block of the cube one fractal too large": _each(
        r"(ops_minimum_i64\(\w+ - [mn]0\w*, block_[mn])\)", r"\1 + 16)"
    ),
    "fractals that should be turned": _each(
        r"(Load(?:Left|Right))<true>", r"\1<false>"
    ),
    "fractals that should not be turned": _each(
        r"(Load(?:Left|Right))<false>", r"\1<true>"
    ),
    "fractals of a panel half as far apart": _each(
        r"(LoadPanel\([^;]*?, )(block_[mn]|panel_k)\);", r"\g<1>\2 / 2);"
    ),
    "tail off by one": _each(
        r"ops_minimum_i64\((\w+) - (\w+), TILE\)",
        r"ops_minimum_i64(\1 - \2 + 1, TILE)",
    ),
    "event id reused": _event_reused,
    "wrong pipe in a flag": _wrong_pipe,
    "overlapping buffers": _overlapping,
    "capacity exceeded": _each(
        r"(LocalTensor<\w+> \w+\(TPosition::VECCALC, )\d+(, \d+\);)",
        rf"\g<1>{DEFAULT.ub_usable}\2",
    ),
    "copy in one too long": _each(r"(opslib::Load\([^;]*?)\);", r"\1 + 1);"),
    "copy out one too long": _each(r"(opslib::Store\([^;]*?)\);", r"\1 + 1);"),
    "cache not cleaned": _all(r"opslib::Put\(", "planted_put("),
}


@dataclass(eq=False)
class Mutant:
    """A kernel with a bug in one launch."""

    kernel: Kernel
    kind: str
    launch: int
    name: str
    text: str


def mutants(kernel: Kernel, most: int) -> Iterator[Mutant]:
    """Up to `most` places of each kind, spread over the text of each launch."""
    whole = renderer.print_unit([kernel.made])
    for k, launch in enumerate(kernel.made.launches):
        if launch.unit == "mix":
            continue
        start = whole.index(f"void {launch.name}(")
        start = whole.rindex("\n", 0, start) + 1
        text = whole[start : whole.index("\n}\n", start) + 3]
        for kind, change in KINDS.items():
            made = list(change(text))
            step = max(1, -(-len(made) // most))
            for n, one in enumerate(made[::step]):
                name = f"{launch.name}_{list(KINDS).index(kind)}_{n}"
                one = one.replace(f"void {launch.name}(", f"void {name}(")
                yield Mutant(kernel, kind, k, name, one)


def build(kernels: Sequence[Kernel], planted: Sequence[Mutant]) -> dict[str, object]:
    """Compiles kernels and their mutants; the entries of the mutants by name."""
    programs = [k.made for k in kernels]
    text = renderer.print_unit(programs) + _PUT + "\n".join(m.text for m in planted)
    entries = [
        f"OPSLIB_TWIN_ENTRY({m.name}, {len(m.kernel.made.pointers)})" for m in planted
    ]
    library = kernel_cache.default_cache().load(
        "\n".join([simulator.with_entries(text, programs), *entries, ""]),
        "ascend_planted",
        toolchain.find_toolchain("c++"),
        (*simulator.flags(DEFAULT), *simulator.engine(DEFAULT)),
        timeout_s=600,
    )
    for kernel in kernels:
        kernel.limit, kernel.lines_run = controls(library)
        kernel.entries = [
            FFI.cast("opslib_twin", library.symbol(f"{x.name}_twin"))
            for x in kernel.made.launches
        ]
    return {
        m.name: FFI.cast("opslib_twin", library.symbol(f"{m.name}_twin"))
        for m in planted
    }


def noticed(
    kernel: Kernel, planted: Sequence[Mutant], entries: dict[str, object], draws: int
) -> dict[str, str]:
    """For each mutant that was noticed by what: a kind of finding, or the results."""
    found: dict[str, str] = {}
    for one in kernel.calls(draws):
        left = [m for m in planted if m.name not in found]
        if not left:
            break
        if not one.natural or elements(one) > LIMIT:
            continue
        good = Prepared(kernel, one, CORES)
        said = good.run()
        if any(s.is_long for s in said.values()):
            continue
        assert not any(s.findings for s in said.values())
        for mutant in left:
            if mutant.launch not in said:
                continue
            right = kernel.entries[mutant.launch]
            kernel.entries[mutant.launch] = entries[mutant.name]
            try:
                bad = Prepared(kernel, one, CORES)
                heard = [f for s in bad.run().values() for f in s.findings]
            finally:
                kernel.entries[mutant.launch] = right
            same = failure(good.status) == failure(bad.status) and all(
                np.array_equal(a.view(np.uint8), b.view(np.uint8))
                for a, b in zip(good.outputs, bad.outputs, strict=True)
                if a.size
            )
            if heard or not same:
                found[mutant.name] = heard[0] if heard else "results"
    return found
