"""Running folds on the vector unit: prefixes of a tile by doubling steps.

Sums, products and extremes. After the step of 1, 2, 4, ... each lane holds the fold of
twice as many lanes up to itself. A step below a block of 32 bytes is a Gather, for
operands begin with a block; longer ones read the tile from further on. What lies before
the tile is joined to all of it, and its last lane is what the next one goes on from.
"""

from __future__ import annotations

from collections.abc import Iterator

from opslib.ir.expr import Expr, Var, substitute
from opslib.ir.loops import Assign, For, Let, Store
from opslib.lowering.skeletons.scan import Walk

from . import ranges
from .allocate import Tile
from .apart import BLOCK
from .folds import FOLDS, FoldPrinter
from .functions import along, expanded
from .lanes_state import Cannot, Chunk
from .machine import Access, Instruction, Node
from .vector import TileValues, Value

# Lanes that Gather steps back; the next step is a whole block of 4-byte elements.
_STEPS = (1, 2, 4)
_FIRST = BLOCK // 4
_NAMES = tuple(f"back_{step}" for step in _STEPS)


class ScanPrinter(FoldPrinter):
    """Adds `Walk` to the printer of vector loops and folds."""

    def _for(self, s: For) -> None:
        if isinstance(s, Walk) and self._inside is None:
            if self.resident:
                self._scan(s)
                return
            if self._try(lambda: self._scan(s)):
                return
        super()._for(s)

    def finished(self, tile: int) -> list[Node]:
        """The launch's body; offsets for the short steps are filled in once."""
        lines = super().finished(tile)
        if _NAMES[0] not in self._tiles.all:
            return lines
        return [*lines[:1], *_offsets(), *lines[1:]]

    def _scan(self, s: Walk) -> None:
        assert s.monoid is not None
        op, kind = self._simple(s.monoid)
        if op not in FOLDS:
            raise Cannot(f"prefixes by {op}")
        store = s.then[0]
        if len(s.then) != 1 or not isinstance(store, Store):
            raise Cannot("prefixes that are not simply stored")
        known: dict[Expr, Expr] = {}
        for b in s.body:
            if isinstance(b, Let):
                known[Var(b.name, b.value.dtype)] = substitute(b.value, known)
            elif not isinstance(b, Assign) and b is not store:
                raise Cannot(f"{type(b).__name__} in a running fold")
        lane = s.axis.name
        args = tuple(substitute(a, known) for a in s.args)
        value = expanded(self._lifted(s.monoid, args), along(lane))
        state = Var(s.states[0], s.monoid.state[0])
        after = substitute(store.value, known)
        ranges.check_guards(after)
        after = expanded(ranges.plain(after), along(lane, frozenset(s.states)))
        where = tuple(substitute(i, known) for i in store.indices)
        name, identity = self.need(("var", s.states[0])).text, self._identity(s.monoid)
        with self._chunks(s.axis) as chunk:
            values = self._values(chunk, [value], {})
            source = self._argument(values, value, kind)
            if kind == "float" and op in ("max", "min"):
                prefix = self._extremes(values, op, source, name)
            else:
                prefix = self._prefix(values, op, kind, source, identity)
                values.emit(f"{FOLDS[op]}s", prefix, (prefix,), name, kind=kind)
            made = self._values(chunk, [after], {state: Value(kind, prefix, False)})
            self._inside = made
            self._store_lanes(made, Store(store.buffer, where, after))
            self._inside = None
            if not self.resident:
                self._go_on(name, prefix, chunk)

    def _go_on(self, name: str, prefix: str, chunk: Chunk) -> None:
        self.line(f"{name} = {prefix}.GetValue({chunk.count} - 1);")
        self.lines[-1].accesses = (Access(prefix, False),)

    def _prefix(
        self, values: TileValues, op: str, kind: str, source: str, identity: str
    ) -> str:
        """A new tensor of the folds of `source` up to each lane."""
        tiles, count = self._tiles, values.chunk.count
        prefix, moved = tiles.temporary(kind, "prefix"), tiles.temporary(kind, "moved")
        one = "1.0f" if kind == "float" else "1"
        values.emit("Muls", prefix, (source,), one, kind=kind)
        for step, back in zip(_STEPS, _NAMES, strict=True):
            if back not in tiles.all:
                tiles.constant(Tile(back, "int32_t"))
            offsets = f"{back}.ReinterpretCast<uint32_t>()"
            text = f"Gather({moved}, {prefix}, {offsets}, 0, {count});"
            tiles.instruction("V", text, (prefix, back), (moved,))
            text = f"Duplicate({moved}, {identity}, {step});"
            tiles.instruction("V", text, (), (moved,))
            values.emit(FOLDS[op], prefix, (prefix, moved), kind=kind)
        far = self.names.fresh("step")
        with self.block(
            f"for (uint32_t {far} = {_FIRST}; {far} < {count}; {far} *= 2)"
        ):
            values.emit("Muls", moved, (prefix,), one, kind=kind)
            later = f"{prefix}[{far}]"
            text = f"{FOLDS[op]}({later}, {later}, {moved}, {count} - {far});"
            tiles.instruction("V", text, (prefix, moved), (prefix,))
        tiles.free(moved)
        return prefix

    def _extremes(self, values: TileValues, op: str, source: str, name: str) -> str:
        """As `_prefix`, with what lies before; nan from the first nan on.

        Max and Min get no nan to see: what they do with one is not documented. Ones in
        the place of nans have prefixes of their own.
        """
        tiles = self._tiles
        worst = "-INFINITY" if op == "max" else "(INFINITY)"
        mask, numbers = values.new("mask"), values.new("float")
        values.compare(mask, source, source, "EQ")
        values.select(numbers, mask, source, worst)
        prefix = self._prefix(values, op, "float", numbers, worst)
        before = f"{name} == {name} ? {name} : {worst}"
        values.emit(f"{FOLDS[op]}s", prefix, (prefix,), before)
        text = f"Duplicate({numbers}, 0.0f, {values.chunk.count});"
        tiles.instruction("V", text, (), (numbers,))
        values.select(numbers, mask, numbers, "1.0f")
        marks = self._prefix(values, "max", "float", numbers, "0.0f")
        values.emit("Maxs", marks, (marks,), f"{name} == {name} ? 0.0f : 1.0f")
        values.compare(mask, marks, "0.0f", "EQ")
        values.select(prefix, mask, prefix, "(NAN)")
        for each in (mask, numbers, marks):
            tiles.free(each)
        return prefix


def _offsets() -> Iterator[Instruction]:
    """Where the lane so many before is, in bytes; for the first lanes lane 0."""
    for name, step in zip(_NAMES, _STEPS, strict=True):
        text = f"CreateVecIndex({name}, -{step}, TILE);"
        yield Instruction("V", text, (Access(name, True),))
    for function in ("Maxs({0}, {0}, 0, TILE);", "Muls({0}, {0}, 4, TILE);"):
        for name in _NAMES:
            changed = (Access(name, False), Access(name, True))
            yield Instruction("V", function.format(name), changed)


__all__ = ["ScanPrinter"]
