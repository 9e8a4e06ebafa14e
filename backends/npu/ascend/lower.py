"""From a program of the index algebra to a machine program: lowering, then launches.

A kernel's top-level statements that write memory become launches, for a launch is the
only barrier between all cores. What only computes values is repeated in each launch
that needs it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from opslib.codegen.c_expressions import Entry
from opslib.codegen.c_names import Names, mangle
from opslib.codegen.c_types import value_type
from opslib.ir import expr, loops
from opslib.ir.expr import Expr
from opslib.ir.loops import For, Reduce, Statement
from opslib.lowering.passes import prepare
from opslib.lowering.phases import one_of_each, phases_of, writes
from opslib.lowering.skeletons import nest
from opslib.lowering.skeletons.choose import choose_skeleton
from opslib.lowering.skeletons.scan import Walk

from ..targets import DEFAULT, AscendTarget
from . import attention, contraction
from .allocate import allocate, lengths
from .blocks import NoBlocks
from .flags import insert_flags
from .host_scalars import split
from .lanes_state import Cannot
from .machine import Launch
from .packed import LONGEST, PackedPrinter
from .plan import STATUS, Limit, Pointer, Program
from .scalar import element_type
from .scans import ScanPrinter
from .tune import lanes

_SKELETONS = {"streaming": "streaming", "contraction": "contraction"}


def lower(
    program: expr.Program,
    name: str,
    target: AscendTarget = DEFAULT,
    fallback: bool = False,
) -> Program:
    """The machine program; `name` is a C identifier, without ``op_`` in front.

    `fallback` takes the skeletons that keep to no `Program.limits`.
    """
    # Exported as C: a kernel called exp would take the place of libm's.
    name = f"op_{name}"
    prepared, host = split(prepare(program))
    if not fallback and target.separate:
        for form in (contraction.lower, attention.lower):
            made = form(prepared, name, target, from_loops)
            if made is not None:
                return dataclasses.replace(made, host=host)
    skeleton = choose_skeleton(prepared)
    kernel = nest.lower(prepared, {}, name, skeleton, transposes=False)
    return dataclasses.replace(from_loops(kernel, name, target, fallback), host=host)


def from_loops(
    kernel: loops.Kernel,
    name: str,
    target: AscendTarget = DEFAULT,
    fallback: bool = False,
) -> Program:
    """A machine program of a loop nest; with `fallback` one without limits."""
    if target.copies_bytes or fallback:
        return _from_loops(kernel, name, target, not target.copies_bytes)
    try:
        return _from_loops(kernel, name, target, False)
    except NoBlocks:
        return _from_loops(kernel, name, target, True)


def _from_loops(
    kernel: loops.Kernel, name: str, target: AscendTarget, each: bool
) -> Program:
    """See `blocks` for `each`."""
    # Loops that mix the scalar unit's cached accesses with DMA on one buffer would need
    # the cache cleaned in between; such buffers are left to the scalar unit altogether.
    scalar: frozenset[str] = frozenset()
    phases = phases_of(one_of_each(kernel.body))
    while True:
        made = [_Phase(kernel, name, target, scalar, p, each=each) for p in phases]
        mixed = frozenset().union(
            *(p.printer.scalar_writes & p.printer.moved for p in made),
            *((p.printer.scalar_reads & q.printer.stored) for p in made for q in made),
            *((p.printer.scalar_writes & q.printer.moved) for p in made for q in made),
        )
        if mixed <= scalar:
            break
        scalar |= mixed
    first = made[0]
    lets: dict[str, Expr] = {}
    for phase in made:
        lets.update(phase.printer.lets)
    workspaces: dict[str, Pointer] = {}
    for phase in made:
        for b in phase.printer.workspaces:
            c = phase.printer.need(("buffer", b.name)).text
            workspaces.setdefault(b.name, _pointer(c, b, "workspace", not b.shared))
    pointers = [
        *(_pointer(first.tensor(b), b, b.scope, False) for b in kernel.inputs),
        *(_pointer(first.tensor(b), b, b.scope, False) for b in kernel.outputs),
        *workspaces.values(),
        Pointer("numbers", "numbers_memory", "int64_t", "ints", ""),
        Pointer("reals", "reals_memory", "float", "reals", ""),
        Pointer(
            "status", "status_memory", "int64_t", "status", str(STATUS * target.vectors)
        ),
    ]
    launches = []
    for k, phase in enumerate(made):
        title = f"{name}_{k}" if len(made) > 1 else name
        rows = None
        if target.copies_bytes:
            packed = _packed(kernel, name, target, scalar, phases[k], phase)
            if packed is not None:
                launches.append(packed.launch(f"{title}_packed", LONGEST))
        if not each:
            rows = _rows(kernel, name, target, scalar, phases[k], phase)
        if rows is not None:
            launches.append(rows.launch(f"{title}_rows"))
        launches.append(phase.launch(title))
    for launch in launches:
        insert_flags(launch, target.event_ids)
    return Program(
        kernel,
        name,
        tuple(launches),
        tuple(pointers),
        first.values,
        first.reals,
        lets,
        limits=tuple(x for phase in made for x in phase.limits),
    )


def _rows(
    kernel: loops.Kernel,
    name: str,
    target: AscendTarget,
    scalar: frozenset[str],
    body: tuple[Statement, ...],
    chunked: _Phase,
) -> _Phase | None:
    """The launch for rows that fit UB, if that saves moving them more than once."""
    if not chunked.is_parallel or not _folds(body):
        return None
    try:
        made = _Phase(kernel, name, target, scalar, body, resident=True)
    except Cannot:
        return None
    return made if made.printer.length is not None else None


def _packed(
    kernel: loops.Kernel,
    name: str,
    target: AscendTarget,
    scalar: frozenset[str],
    body: tuple[Statement, ...],
    chunked: _Phase,
) -> _Phase | None:
    """The launch for rows so short that a tile is for many."""
    if not chunked.is_parallel or not _folds(body):
        return None
    try:
        return _Phase(kernel, name, target, scalar, body, printer=PackedPrinter)
    except Cannot:
        return None


def _folds(body: Sequence[Statement]) -> bool:
    return any(
        isinstance(s, Reduce | Walk) or (isinstance(s, For) and _folds(s.body))
        for s in body
    )


def _pointer(c: str, b: loops.Buffer, kind: str, private: bool) -> Pointer:
    return Pointer(
        c, f"{c}_memory", element_type(b.dtype), kind, f"{c}_count", b, private
    )


class _Phase:
    """One launch, printed."""

    def __init__(
        self,
        kernel: loops.Kernel,
        name: str,
        target: AscendTarget,
        scalar: frozenset[str],
        body: tuple[Statement, ...],
        resident: bool = False,
        each: bool = False,
        printer: type[ScanPrinter] = ScanPrinter,
    ) -> None:
        self.target = target
        self.limits: tuple[Limit, ...] = ()
        names = Names()
        for taken in (
            "numbers",
            "reals",
            "status",
            "Load",
            "Store",
            "opslib",
            "TILE",
            "ramp",
            "blocks_at",
            "lane",
            "back_1",
            "back_2",
            "back_4",
        ):
            names.fresh(taken)
        resident = resident or printer is PackedPrinter
        self.printer = printer(names, target, scalar, resident, each)
        scope = self.printer.scopes[0]
        types = {s.name: s.type for s in kernel.scalars}
        self._tensors: dict[str, str] = {}
        for b in (*kernel.inputs, *kernel.outputs):
            c = names.fresh(b.name)
            self._tensors[b.name] = c
            self.printer.buffers[b.name] = b
            scope[("buffer", b.name)] = Entry(c, "")
        values, reals = [], []
        for n in kernel.integers:
            c = names.fresh(n)
            dtype = types.get(n)
            ctype = "int64_t" if dtype is None else value_type(dtype)
            scope[("value", n)] = Entry(c, ctype)
            values.append((c, n))
        for n in kernel.reals:
            c = names.fresh(n)
            dtype = types[n]
            scope[("value", n)] = Entry(c, value_type(dtype))
            reals.append((c, n, value_type(dtype)))
        self.values, self.reals = tuple(values), tuple(reals)
        self.printer.body(body)
        self.is_parallel = self.printer.is_parallel
        shared = {
            b.name
            for b in (*kernel.outputs, *(w for w in self.printer.workspaces))
            if b.scope == "output" or getattr(b, "shared", False)
        }
        # Cores do not see each other's caches, and share lines at the borders of what
        # they write; the scalar unit therefore writes shared memory alone.
        self.alone = (
            sum(map(writes, body)) > 1
            or not self.is_parallel
            or bool(self.printer.scalar_writes & shared)
        )

    def tensor(self, buffer: loops.Buffer) -> str:
        """Its name in the text."""
        return self._tensors[buffer.name]

    def launch(self, name: str, longest: int = 0) -> Launch:
        """The function; `longest`, if not 0, is how long its rows may be."""
        tiles = self.printer.tiles()
        options = lengths(tiles, self.target)
        # Rows that stay in UB are as long as there is room for.
        tile = options[0]
        if self.printer.length is None:
            found = lanes(self.printer.lines, tiles, options, self.target)
            tile = found[0].length
        buffers = allocate(tiles, tile)
        body = self.printer.finished(tile)
        unit = "vector" if self.target.separate else "aicore"
        made = Launch(name, unit, body, buffers, 1 if self.alone else 0)
        pieces = self.printer.pieces
        self.limits = tuple(
            dataclasses.replace(x, parts=(*x.parts, tile)) for x in pieces
        )
        if self.printer.length is not None:
            least = max((x.least for x in pieces), default=1)
            made.rows = self.printer.length, least, longest or tile
        address = 0
        for b in buffers:
            made.addresses[b.name] = address
            address += b.bytes
        return made


__all__ = ["from_loops", "lower", "mangle"]
