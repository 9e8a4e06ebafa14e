"""From a program of the index algebra to launches."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from opslib.codegen.c_names import mangle
from opslib.codegen.c_types import Dialect
from opslib.ir import expr, loops
from opslib.ir.dtypes import BOOL
from opslib.ir.expr import ONE, Axis, Expr, Prim, Read, walk
from opslib.lowering.passes import KERNEL_PASSES, prepare
from opslib.lowering.phases import one_of_each, phases_of
from opslib.lowering.skeletons import arith, nest
from opslib.lowering.skeletons.builder import Builder, Machine
from opslib.lowering.skeletons.choose import choose_skeleton

from . import attention, contraction, splits, tensor
from .dialect import CUDA
from .launches import Made, launches
from .machine import Kernel, Launch
from .packs import pack_size
from .targets import GpuTarget


def chunk(builder: Builder, axes: tuple[Axis, ...], values: list[Expr]) -> int:
    """Elements of a map's last axis for one thread: a pack, if any access is wide."""
    if not axes:
        return 1
    last = axes[-1]
    bits = []
    for value in values:
        for n in walk(value):
            if not isinstance(n, Read):
                continue
            name = builder.memory.get(n.tensor, (n.tensor, 0))[0]
            buffer = builder.buffers.get(name)
            if buffer is None or not buffer.strides or not n.indices:
                continue
            found = arith.affine(n.indices[-1], last.name)
            wide = found is not None and found[0] is ONE and buffer.strides[-1] is ONE
            if wide:
                bits.append(max(8, buffer.dtype.bits))
    for b in builder.outputs:
        if b.strides and b.strides[-1] is not ONE:
            return 1
        bits.append(max(8, b.dtype.bits))
    return pack_size(bits) if bits else 1


MACHINE = Machine(chunk=chunk, piece=8192, pieces=512, native=False, tile=32)


def lower(
    program: expr.Program,
    layout: Mapping[str, str] | None = None,
    target: GpuTarget | None = None,
    name: str | None = None,
    dialect: Dialect = CUDA,
) -> Kernel:
    """The launches of a program.

    Args:
        program: what `opslib.ir.expand` gives.
        layout: for each input and output what its last stride promises, as for
            `opslib.lowering.lower`.
        target: a row of targets.py; None is any device.
        name: a C identifier, unique in its translation unit.
        dialect: the language.
    """
    # Exported as C: a kernel called exp would take the place of a function of libm.
    title = f"op_{mangle(name or program.name)}"
    prepared = prepare(program)
    kinds = layout or {}
    made = Made()
    tensored = tensor.lower(prepared, title, kinds, target, dialect, made)
    if tensored is not None:
        return _checked(tensored, made)
    streamed = attention.lower(prepared, title, kinds, target, dialect, made)
    if streamed is not None:
        return _checked(streamed, made)
    skeleton = choose_skeleton(prepared)
    parts: list[Launch] = []
    other: Expr | None = None
    tiled = contraction.lower(prepared, kinds, title, dialect, MACHINE, made)
    stem = title
    if tiled is not None:
        parts, condition = tiled
        other, stem = Prim("not", (condition,), BOOL), f"{title}_rows"
    cut = splits.split(prepared) if skeleton in ("row_fold", "contraction") else None
    if cut is not None:
        changed, condition = cut
        if other is not None:
            condition = Prim("and", (other, condition), BOOL)
        few = dataclasses.replace(MACHINE, together=False)
        _, more = _nest(
            changed, kinds, title, skeleton, few, f"{stem}_split", condition,
            dialect, made,
        )  # fmt: skip
        parts += more
        less = Prim("not", (cut[1],), BOOL)
        other = less if other is None else Prim("and", (other, less), BOOL)
    found, more = _nest(
        prepared, kinds, title, skeleton, MACHINE, stem, other, dialect, made
    )
    parts += more
    whole = Kernel(
        title,
        skeleton,
        tuple(parts),
        made.parameters,
        tuple(made.workspaces.values()),
        made.lets,
        found,
        made.can_fail,
        found.notes,
    )
    return _checked(whole, made)


def _checked(kernel: Kernel, made: Made) -> Kernel:
    """The kernel, whose launches stop after a failed check."""
    if not kernel.can_fail:
        return kernel
    guarded = [_guarded(x, k, made) for k, x in enumerate(kernel.launches)]
    return dataclasses.replace(kernel, launches=tuple(guarded))


def _nest(
    program: expr.Program,
    layout: Mapping[str, str],
    title: str,
    skeleton: str,
    machine: Machine,
    stem: str,
    condition: Expr | None,
    dialect: Dialect,
    made: Made,
) -> tuple[loops.Kernel, list[Launch]]:
    """The launches of a program's loop nest."""
    found = nest.lower(
        program, layout, title, skeleton, transposes=False, machine=machine
    )
    for _, change in KERNEL_PASSES:
        found = change(found)
    phases = phases_of(one_of_each(found.body))
    parts: list[Launch] = []
    for k, body in enumerate(phases):
        own = stem if len(phases) == 1 else f"{stem}_{k}"
        parts += launches(found, dialect, body, own, condition, made)
    return found, parts


def _guarded(launch: Launch, number: int, made: Made) -> Launch:
    """Nothing runs after a failed check: it could read what does not exist."""
    if number == 0:
        return launch
    body = ("    if (ops_failed(status)) return;", *launch.body)
    names = launch.parameters
    if "status" not in names:
        pointers = ("input", "output", "workspace")
        at = sum(made.parameters[n].kind in pointers for n in names)
        names = (*names[:at], "status", *names[at:])
    return dataclasses.replace(launch, body=body, parameters=names)
