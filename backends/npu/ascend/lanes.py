"""Loops and reductions over lanes, a tile at a time on the vector unit.

A vector loop of `Loops` becomes a loop over chunks of at most TILE lanes: tensors come
in by DMA (lanes_moves.py), values are computed (V), results leave by DMA. Tails are
counts. A reduction keeps a tile of partial states and folds it at the end. What the
vector unit cannot do is left to scalar.py, whole loop by whole loop.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from opslib.codegen.c_expressions import Entry
from opslib.codegen.c_types import UNARY
from opslib.ir.expr import ZERO, Axis, Expr, Read, Var, substitute, walk
from opslib.ir.loops import For, If, Let, Reduce, Statement, Store
from opslib.lowering.skeletons import arith

from . import apart, blocks, ranges
from .allocate import Tile
from .functions import along, expanded
from .lanes_moves import MovePrinter, Row
from .lanes_state import Cannot, Chunk
from .machine import Instruction, Node
from .vector import Value

# Maps of more nodes than this spend their time computing: two sets of buffers would
# only make the tiles shorter.
_SMALL = 24


class LanePrinter(MovePrinter):
    """Adds vector loops to the printer of copies; see `MovePrinter`."""

    def tiles(self) -> list[Tile]:
        """Tensors that the launch needs in UB."""
        return list(self._tiles.all.values())

    def finished(self, tile: int) -> list[Node]:
        """The launch's body; the tile's length is a constant in it."""
        if not self._tiles.all:
            return list(self.lines)
        text = f"constexpr int64_t TILE = {tile};"
        lines: list[Node] = [Instruction("S", text), *blocks.ramps(self._tiles)]
        return [*lines, *apart.ramps(self._tiles), *self.lines]

    # -- trying ----------------------------------------------------------------------

    def _try(self, run: Callable[[], None]) -> bool:
        """Runs a printer of vector code; undoes everything if it cannot."""
        lines, length = self.lines, len(self.lines)
        names = self.names.copy()
        scopes = [dict(s) for s in self.scopes]
        tiles = dict(self._tiles.all), _copied(self._tiles._free)
        kinds = dict(self._tiles._kind)
        state = (
            set(self.moved),
            set(self.stored),
            set(self.scalar_reads),
            set(self.scalar_writes),
            list(self.workspaces),
            dict(self.lets),
        )
        indent, lazy, touched = self.indent, self.lazy, list(self.touched)
        around = list(self.around)
        try:
            run()
            return True
        except Cannot as reason:
            self.why.append(str(reason))
        self.names.restore(names)
        self.lines = lines
        del self.lines[length:]
        self.scopes = scopes
        self._tiles.all, self._tiles._free = tiles
        self._tiles._kind = kinds
        self.moved, self.stored, self.scalar_reads, self.scalar_writes = state[:4]
        self.workspaces, self.lets = state[4:]
        self.indent, self.lazy, self.touched = indent, lazy, touched
        self.around = around
        self._inside = None
        self._whole_loop, self._part = False, (0, 0)
        return False

    def parallel(self, s: For) -> None:
        """As in scalar.py; its turns touch different parts of shared memory."""
        outer = self._parallel_turns
        self._parallel_turns = (*outer, self.loops + 1)
        super().parallel(s)
        self._parallel_turns = outer

    def takes_turns(self, s: For) -> bool:
        """For maps: while one tile is computed, the next comes in."""
        if self.resident:
            return False
        loops = [b for b in s.body if isinstance(b, For)]
        rest = [b for b in s.body if not isinstance(b, For | Let)]
        if len(loops) != 1 or rest or loops[0].kind != "vector":
            return False
        values = [b for b in loops[0].body if isinstance(b, Store | Let)]
        if len(values) < len(loops[0].body):
            return False
        lane = loops[0].axis.name
        if (
            sum(1 for b in values for _ in walk(expanded(b.value, along(lane))))
            > _SMALL
        ):
            return False
        if self.target.copies_bytes and not ranges.is_whole(loops[0]):
            return False
        # A rehearsal tells whether the loop is one for the vector unit.
        found: list[bool] = []

        def rehearse() -> None:
            with self.block("for (rehearsal;;)"):
                self.scopes[-1][("index", s.axis.name)] = Entry("#", "int64_t")
                for b in s.body:
                    if b is loops[0]:
                        found.append(self._try(lambda: self._cut_for(loops[0])))
                    else:
                        self.statement(b)
            raise Cannot("rehearsed")

        self._try(rehearse)
        self.why.remove("rehearsed")
        return found == [True]

    def side(self, s: For, which: int) -> None:
        """See scalar.py; each side has tensors of its own."""
        outer, self._tiles.side = self._tiles.side, which
        if self.resident:
            if self.row is not None:
                raise Cannot("rows in rows")
            self.row = Row()
        super().side(s, which)
        self.row = None
        self._tiles.side = outer

    def loop(
        self, axis: Axis, inside: Callable[[], None], step: Expr | None = None
    ) -> None:
        """A serial loop; in it, what a row holds would change from turn to turn."""
        if self.resident:
            raise Cannot("a loop in a row")

        def named() -> None:
            self._indices[self.around[-1]] = axis.name
            inside()

        super().loop(axis, named, step)

    def _if(self, s: If) -> None:
        if self.resident and any(
            isinstance(b, For | Reduce) for b in (*s.then, *s.other)
        ):
            raise Cannot("a loop in a branch")
        super()._if(s)

    def _for(self, s: For) -> None:
        if self.resident and s.kind == "vector":
            self._vector_for(s)
            return
        if (
            s.kind == "vector"
            and s.step is None
            and self._inside is None
            and (self._whole_loop or self._try(lambda: self._cut_for(s)))
        ):
            if self._whole_loop:
                cut, number = self._part
                self._part = cut, number + 1
                self._vector_for(s)
            return
        super()._for(s)

    def _cut_for(self, s: For) -> None:
        """A loop over lanes in parts of which each is for the vector unit."""
        self._whole_loop, self._part = True, (self.loops, 0)
        # Where copies are of whole blocks, the lengths of all parts would have to be
        # known before the launch.
        for part in ranges.cut(s) if self.target.copies_bytes else (s,):
            self.statement(part)
        self._whole_loop, self._part = False, (0, 0)

    # -- chunks ----------------------------------------------------------------------

    @contextmanager
    def _chunks(self, axis: Axis) -> Iterator[Chunk]:
        """A loop over the chunks of a range."""
        self._range = axis
        if self.resident:
            busy = self._busy()
            yield self._whole(axis)
            self._release(busy)
            return
        start, stop = self._ends(axis)
        first, count = self.names.fresh(axis.name), self.names.fresh("count")
        turns = self.loops + 1
        with self.block(
            f"for (int64_t {first} = {start}; {first} < {stop}; {first} += TILE)"
        ):
            self.scopes[-1][("index", axis.name)] = Entry(first, "int64_t")
            self._facts(axis)
            left = f"ops_minimum_i64({stop} - {first}, TILE)"
            self.line(f"const uint32_t {count} = static_cast<uint32_t>({left});")
            busy = self._busy()
            yield Chunk(axis.name, first, count, turns)
            for name in sorted(self._busy() - busy):
                self._tiles.free(name)

    def _whole(self, axis: Axis) -> Chunk:
        """The row as one chunk."""
        if self.row is None or axis.start is not ZERO:
            raise Cannot("a range that is no row")
        if self.length is None:
            if arith.varies(axis.stop):
                raise Cannot("rows of different lengths")
            self.length = axis.stop
        if axis.stop is not self.length:
            raise Cannot("a second range in a row")
        if not self.row.count:
            self.row.count = self.names.fresh("count")
            text = self.scalar(axis.stop, UNARY)
            self.line(
                f"const uint32_t {self.row.count} = static_cast<uint32_t>({text});"
            )
        self.scopes[-1][("index", axis.name)] = Entry("0", "int64_t")
        return Chunk(axis.name, "0", self.row.count, 0)

    def _release(self, busy: set[str]) -> None:
        """Frees temporaries made since, but for what the row holds."""
        assert self.row is not None
        held = {v.name for v in self.row.values.values()}
        for name in sorted(self._busy() - busy - held):
            self._tiles.free(name)

    def _vector_for(self, s: For) -> None:
        stored = [b.buffer for b in s.body if isinstance(b, Store)]
        with self._chunks(s.axis) as chunk:
            held: dict[Expr, Value] = {}
            known: dict[Expr, Expr] = {}
            roots: list[Expr] = []
            steps: list[Statement] = []
            folds = [r for b in s.body if isinstance(b, Reduce) for r in b.results]
            varies = along(chunk.lane, frozenset(folds))
            for b in s.body:
                match b:
                    case Let(name, value):
                        value = expanded(substitute(value, known), varies)
                        if len(stored) > 1 and any(
                            isinstance(n, Read) and n.tensor in stored
                            for n in walk(value)
                        ):
                            raise Cannot("a value of what the loop changes")
                        known[Var(name, value.dtype)] = value
                    case Store(buffer, indices, value):
                        where = tuple(substitute(i, known) for i in indices)
                        value = substitute(value, known)
                        ranges.check_guards(value)
                        value = expanded(ranges.plain(value), varies)
                        done = Store(buffer, where, value)
                        roots.append(done.value)
                        steps.append(done)
                    case Reduce():
                        axes = tuple(_axis(a, known) for a in b.axes)
                        args = tuple(substitute(a, known) for a in b.args)
                        if b.body:
                            raise Cannot("statements in a fold of lanes")
                        fold = dataclasses.replace(b, axes=axes, args=args)
                        steps.append(fold)
                    case _:
                        raise Cannot(f"{type(b).__name__} in a vector loop")
            for step in steps:
                if isinstance(step, Reduce):
                    held.update(self.lane_fold(chunk, step, held))
            values = self._values(chunk, roots, held)
            self._inside = values
            for step in steps:
                if isinstance(step, Store):
                    self._store_lanes(values, step)
            self._inside = None

    def lane_fold(
        self, chunk: Chunk, s: Reduce, held: dict[Expr, Value]
    ) -> dict[Expr, Value]:
        """A fold of its own for each lane; see folds.py."""
        raise NotImplementedError


def _axis(axis: Axis, known: dict[Expr, Expr]) -> Axis:
    found = substitute(axis, known)
    assert isinstance(found, Axis)
    return found


def _copied(free: dict[str, list[str]]) -> dict[str, list[str]]:
    return {k: list(v) for k, v in free.items()}


__all__ = ["LanePrinter"]
