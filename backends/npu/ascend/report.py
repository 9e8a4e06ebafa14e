"""What a generated kernel consists of, for people: buffers, pipes, flags, costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from opslib.ir.binding import Binding
from opslib.ir.expr import Program

from ..targets import DEFAULT, AscendTarget
from . import assumed, model, model_attention, tune
from .arguments import product_of
from .lower import lower, mangle
from .machine import Block, Instruction, Launch, Node, Sync, cores, instructions
from .plan import Program as Made

_CAPACITIES = {"ub": "ub_usable", "l1": "l1", "l0a": "l0a", "l0b": "l0b", "l0c": "l0c"}
_UNITS = {
    "S": "scalar unit",
    "V": "vector unit",
    "M": "cube",
    "MTE1": "L1 to L0A, L0B",
    "MTE2": "global memory to the chip",
    "MTE3": "UB to global memory",
    "FIX": "L0C to global memory",
}


def summary(
    program: Program, binding: Any = None, target: AscendTarget = DEFAULT
) -> str:
    """A text of the kernel's launches.

    Args:
        program: what is lowered.
        binding: of a call whose costs are counted on the twin; None leaves them out,
            and needs no compiler.
        target: the chip.
    """
    made = lower(program, mangle(program.name), target)
    lines = [f"{program.name} for {target.name} ({target.number}), {made.skeleton}"]
    for launch in (core for x in made.launches for core in cores(x)):
        lines += ["", f"launch {launch.name} on {launch.unit} cores", *_plan(launch)]
        capacity = _capacities(launch, target)
        lines += [f"  {text}" for text in capacity]
        lines += [f"  {text}" for text in _pipes(launch)]
        lines += [f"  {text}" for text in _flags(launch)]
    lines += _assumptions(made.launches, target)
    if binding is not None:
        lines += _tiles(made, binding, target)
    if binding is not None:
        lines += ["", *_costs(program, binding, target)]
    return "\n".join(lines)


def _plan(launch: Launch) -> Iterator[str]:
    for b in launch.buffers:
        at = launch.addresses[b.name]
        end = at + b.bytes
        note = f"  {b.note}" if b.note else ""
        yield f"  {b.scope:<4}{at:>8} .. {end:>8}  {b.name} ({b.ctype}){note}"


def _capacities(launch: Launch, target: AscendTarget) -> Iterator[str]:
    ends: dict[str, int] = {}
    for b in launch.buffers:
        # Both panels of a product lie in L1.
        scope = "l1" if b.scope == "l1b" else b.scope
        ends[scope] = max(ends.get(scope, 0), launch.addresses[b.name] + b.bytes)
    for scope, end in ends.items():
        room = getattr(target, _CAPACITIES[scope])
        yield f"{scope.upper()}: {end} of {room} bytes, {100 * end / room:.0f} %"


def _pipes(launch: Launch) -> Iterator[str]:
    counts = Counter(i.pipe for i in instructions(launch.body))
    for pipe, count in counts.items():
        yield f"pipe {pipe} ({_UNITS[pipe]}): {count} instructions in the text"


def _flags(launch: Launch) -> Iterator[str]:
    flat = list(_flat(launch.body))
    groups: dict[int, list[int]] = {}
    for k, node in enumerate(flat):
        if isinstance(node, Sync):
            groups.setdefault(node.group, []).append(k)
    for places in groups.values():
        first = flat[places[0]]
        assert isinstance(first, Sync)
        through = ", ".join(sorted(_purpose(flat, places))) or "an order of its own"
        if first.kind == "barrier":
            yield f"PipeBarrier {first.source}: for {through}"
            continue
        carried = ", also from turn to turn" if len(places) > 2 else ""
        name = f"{first.source}_{first.target} {first.event}"
        yield f"flag {name}: for {through}{carried}"


def _assumptions(launches: Sequence[Launch], target: AscendTarget) -> Iterator[str]:
    found: dict[str, str] = {}
    for launch in launches:
        found.update(assumed.of_launch(launch, target))
    if found:
        yield ""
        yield "assumed, for no page of the documentation says so of this chip:"
        yield from (f"  {name} takes {why}" for name, why in sorted(found.items()))


def _flat(body: Sequence[Node]) -> Iterator[Instruction | Sync]:
    for node in body:
        if isinstance(node, Block):
            yield from _flat(node.body)
        else:
            yield node


def _purpose(flat: list[Instruction | Sync], places: list[int]) -> set[str]:
    """The memory that both sides of a flag touch, one of them writing."""
    sync = flat[places[0]]
    assert isinstance(sync, Sync)
    before = _touched(flat, sync.source, range(len(flat)))
    after = _touched(flat, sync.target, range(len(flat)))
    sets = [k for k in places if flat[k].text.startswith("SetFlag")]
    waits = [k for k in places if not flat[k].text.startswith("SetFlag")]
    near = _nearest(flat, sync.source, sets or places, -1)
    far = _nearest(flat, sync.target, waits, 1)
    for first, second in ((near, far), (before, after)):
        shared = {
            name
            for name, write in first.items()
            if name in second and (write or second[name])
        }
        if shared:
            return shared
    return set()


def _touched(
    flat: list[Instruction | Sync], pipe: str, places: Sequence[int]
) -> dict[str, bool]:
    found: dict[str, bool] = {}
    for k in places:
        node = flat[k]
        if isinstance(node, Instruction) and node.pipe == pipe:
            for access in node.accesses:
                found[access.buffer] = found.get(access.buffer, False) or access.write
    return found


def _nearest(
    flat: list[Instruction | Sync], pipe: str, places: list[int], step: int
) -> dict[str, bool]:
    """What the instructions of a pipe next to its flags touch."""
    chosen = []
    for k in places:
        at = k + step
        while 0 <= at < len(flat):
            node = flat[at]
            if isinstance(node, Instruction) and node.pipe == pipe:
                chosen.append(at)
                break
            at += step
    return _touched(flat, pipe, chosen)


# A size at which a kernel for both kinds of cores is at its best.
_LARGE = 32, 4096, 128
# Of how many candidates a report tells.
_SHOWN = 5


def _tiles(made: Made, binding: Binding, target: AscendTarget) -> Iterator[str]:
    """How the products of a call are cut, and how else they might be."""
    known = {**binding.sizes, **binding.scalars}
    for cutting in made.cuttings:
        product = product_of(cutting, made, known)
        found = tune.ranked(product, target)
        yield ""
        yield (
            f"tiles for [{product.m}, {product.k}] x [{product.k}, {product.n}], "
            f"{product.batch} times, on paper; {len(found)} candidates, the first is "
            "taken:"
        )
        yield from (f"  {s}" for s in found[:_SHOWN])
        if len(found) > _SHOWN:
            yield f"  ... and the last: {found[-1]}"
        usual = tune.score(product, tune.USUAL, target)
        yield f"  what all were cut by before: {usual}"


def _costs(program: Program, binding: Any, target: AscendTarget) -> Iterator[str]:
    shapes = ", ".join(str(list(o.view.extents)) for o in binding.inputs)
    kernel = model.compiled(program, target)
    counters = model.counted(kernel, binding)
    total = counters[model.CYCLES]
    yield (
        f"on paper, one core, arrays of {shapes}: {total:.0f} cycles. Counted by the "
        "twin with the constants of model_chips.py; never measured on a chip"
    )
    for k, pipe in enumerate(model.TWIN_PIPES):
        busy, exposed = counters[model.BUSY + k], counters[model.EXPOSED + k]
        if busy or exposed:
            yield f"  {pipe}: {busy:.0f} cycles at work, {exposed:.0f} at waits"
    yield (
        f"  {counters[model.BYTES_IN]:.0f} bytes in, "
        f"{counters[model.BYTES_OUT] + counters[model.BYTES_FIX]:.0f} out"
    )
    if any(x.unit == "mix" for x in kernel.made.launches):
        heads, rows, size = _LARGE
        found = model_attention.shares(kernel, binding.scalars, heads, rows, rows, size)
        yield f"all cores, {heads} times [{rows}, {size}] by as many keys: {found}"


__all__ = ["summary"]
