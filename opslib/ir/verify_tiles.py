"""Well-formedness of `Tiles`, checked after the skeleton that emits it.

Every buffer is allocated (or an argument) before use and used with its rank; names are
unique; on-chip buffers have no strides and arguments have them; extents of a copy, an
Mma, a map and a row fold agree; indices are bound by the loop or the statement that
uses them; a token is waited for after something was started under it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NoReturn

from opslib.errors import VerifyError
from opslib.ir.dtypes import BOOL, INT64
from opslib.ir.expr import Const, Expr, Read, free_indices, walk
from opslib.ir.printer import expression
from opslib.ir.tiles import (
    LAYOUTS,
    ROLES,
    SCOPES,
    AllocTile,
    Copy,
    Gather,
    Map,
    Mma,
    Region,
    Role,
    RowFold,
    TileBuffer,
    TileLoop,
    TileProgram,
    TileStatement,
    Wait,
)
from opslib.ir.verify import check_expression

LOOP_KINDS = ("grid", "serial", "pipelined")


def _fail(message: str, place: str) -> NoReturn:
    raise VerifyError(
        f"{message}, in {place}",
        code="E0901",
        help="this is a bug in the skeleton that emitted it, not in the program",
    )


@dataclass
class _Checker:
    place: str
    buffers: dict[str, TileBuffer] = field(default_factory=dict)
    bound: frozenset[str] = frozenset()
    tokens: set[str] = field(default_factory=set)

    def add(self, b: TileBuffer, argument: bool) -> None:
        if b.name in self.buffers:
            _fail(f"two buffers named {b.name!r}", self.place)
        if b.scope not in SCOPES or b.layout not in LAYOUTS:
            _fail(f"{b.name} has scope {b.scope!r}, layout {b.layout!r}", self.place)
        if (b.scope == "global") != argument:
            _fail(f"{b.name} of scope {b.scope!r} in the wrong place", self.place)
        if argument and len(b.strides) != len(b.shape):
            _fail(f"{b.name} has {len(b.strides)} strides", self.place)
        if not argument and b.strides:
            _fail(f"{b.name} is on chip and has strides", self.place)
        if b.unit < 1 or b.stages < 1:
            _fail(f"{b.name} has unit {b.unit} and {b.stages} stages", self.place)
        if b.layout == "panel" and len(b.shape) != 2:
            _fail(f"{b.name} is a panel of rank {len(b.shape)}", self.place)
        self.buffers[b.name] = b

    def value(self, root: Expr, more: Iterable[str] = ()) -> None:
        check_expression(root, self.place)
        unbound = free_indices(root) - self.bound - frozenset(more)
        if unbound:
            _fail(f"{sorted(unbound)} unbound in {expression(root)}", self.place)
        for n in walk(root):
            if isinstance(n, Read):
                b = self.buffers.get(n.tensor)
                if b is None:
                    _fail(f"{n.tensor} is read and is no buffer", self.place)
                if len(b.shape) != len(n.indices) or b.dtype != n.type:
                    _fail(f"{expression(n)} does not fit {n.tensor}", self.place)

    def region(self, r: Region, more: Iterable[str] = ()) -> TileBuffer:
        b = self.buffers.get(r.buffer)
        if b is None:
            _fail(f"{r.buffer} is no buffer", self.place)
        if len(r.offsets) != len(b.shape):
            _fail(
                f"{r.buffer} has rank {len(b.shape)}, not {len(r.offsets)}", self.place
            )
        walked = r.axes if r.axes is not None else tuple(range(len(r.extents)))
        if len(walked) != len(r.extents) or len(set(walked)) != len(walked):
            _fail(f"a region of {r.buffer} walks axes {walked}", self.place)
        if any(not 0 <= a < len(b.shape) for a in walked):
            _fail(f"a region of {r.buffer} walks axes {walked}", self.place)
        if r.stage is not None and b.stages == 1:
            _fail(f"{r.buffer} has one stage", self.place)
        for e in (*r.offsets, *r.extents, *([r.stage] if r.stage else [])):
            self.value(e, more)
            if e.dtype != INT64:
                _fail(f"{expression(e)} is an offset or extent", self.place)
        return b

    def body(self, body: Iterable[TileStatement]) -> None:
        outer = dict(self.buffers)
        for s in body:
            self.statement(s)
        self.buffers = outer

    def statement(self, s: TileStatement) -> None:
        match s:
            case AllocTile(b):
                for e in b.shape:
                    self.value(e)
                self.add(b, argument=False)
            case Copy(target, source, fill):
                b = self.region(target)
                self.copied(target, source)
                if fill is not None and fill.type != b.dtype:
                    _fail(f"{b.name} filled with {fill.type}", self.place)
            case Mma():
                self.mma(s)
            case Map(target, axes, value):
                names = [a.name for a in axes]
                for a in axes:
                    self.value(a.start)
                    self.value(a.stop)
                b = self.region(target, names)
                self.value(value, names)
                if value.dtype != b.dtype:
                    _fail(f"{b.name} = a {value.dtype}", self.place)
            case RowFold():
                self.fold(s)
            case Wait(token):
                if token not in self.tokens:
                    _fail(f"a wait for {token}, which nothing signals", self.place)
            case TileLoop(axis, step, kind, inner, stages):
                if kind not in LOOP_KINDS or stages < 1:
                    _fail(f"a loop of kind {kind!r}, {stages} stages", self.place)
                for e in (axis.start, axis.stop, step):
                    self.value(e)
                if isinstance(step, Const) and int(step.value) < 1:
                    _fail(f"a loop with step {step.value}", self.place)
                before = self.bound
                self.bound |= {axis.name}
                self.body(inner)
                self.bound = before
            case Role(role, inner):
                if role not in ROLES:
                    _fail(f"role {role!r}", self.place)
                self.body(inner)
        if isinstance(s, Copy | Mma | Map | RowFold) and s.token is not None:
            self.tokens.add(s.token)

    def copied(self, target: Region, source: Region | Gather) -> None:
        if isinstance(source, Region):
            self.region(source)
            if source.extents != target.extents:
                _fail(f"a copy to {target.buffer} of another extent", self.place)
            return
        names = [a.name for a in source.axes]
        for a in source.axes:
            self.value(a.start)
            self.value(a.stop)
        self.value(source.value, names)
        if tuple(a.stop for a in source.axes) != target.extents:
            _fail(f"a gather to {target.buffer} of another extent", self.place)

    def mma(self, s: Mma) -> None:
        c, a, b = (self.region(r) for r in (s.accumulator, s.a, s.b))
        shapes = [r.extents for r in (s.accumulator, s.a, s.b)]
        if any(len(x) != 2 for x in shapes):
            _fail("an mma of other than matrices", self.place)
        (m, n), (m2, k), (k2, n2) = shapes
        if (m, n, k) != (m2, n2, k2):
            _fail(f"an mma into {c.name} whose extents differ", self.place)
        if a.dtype != b.dtype:
            _fail(f"an mma of {a.dtype} and {b.dtype}", self.place)
        if s.clear is not None:
            self.value(s.clear)
            if s.clear.dtype != BOOL:
                _fail("an mma's clear is no condition", self.place)

    def fold(self, s: RowFold) -> None:
        rows = [a.name for a in s.rows]
        if len(s.targets) != len(s.monoid.state):
            _fail(f"{len(s.targets)} targets for {s.monoid.name}", self.place)
        for t, dtype in zip(s.targets, s.monoid.state, strict=True):
            if self.region(t, rows).dtype != dtype:
                _fail(f"{t.buffer} holds a {dtype} of {s.monoid.name}", self.place)
        for a in (*s.rows, s.axis):
            self.value(a.start, rows)
            self.value(a.stop, rows)
        for arg in s.args:
            self.value(arg, [*rows, s.axis.name])


def check_tiles(program: TileProgram) -> None:
    """Raises VerifyError (E0901) with the place when the program is ill-formed."""
    checker = _Checker(f"tiles {program.name}")
    for b in (*program.inputs, *program.outputs):
        checker.add(b, argument=True)
    checker.body(program.body)
