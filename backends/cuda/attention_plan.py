"""How rows and keys of a streaming contraction are cut into blocks.

Blocks have 64 rows of one batch element. Where a row's sequence is counted, no block
has rows of two: a launch before writes where each sequence begins, and a block finds
its own by that (``ops_first_block`` of opslib_cuda_attend_cut.h).

Few rows of many keys would leave multiprocessors idle. Their keys are cut into pieces,
and a launch behind joins what these leave. Whether and how follows from the rows and
keys of the batch element or sequence alone, so that a row's bits are the same in any
batch.
"""

from __future__ import annotations

from dataclasses import dataclass

from opslib.ir.dtypes import BOOL, INT64, DType
from opslib.ir.expr import ONE, ZERO, Expr, Prim, Select
from opslib.ir.loops import Buffer
from opslib.lowering import ragged
from opslib.lowering.online_softmax import derive
from opslib.lowering.skeletons import arith
from opslib.lowering.skeletons.arith import integer
from opslib.lowering.skeletons.builder import Builder
from opslib.lowering.skeletons.streaming import Streaming

from .launches import on_host

ROWS = 64
# Of opslib_cuda_attend_cut.h.
PIECES, PIECE = 16, 256
# Rows of a batch element whose keys are cut: those of 128 heads that share them. Of
# sequences, whose parts need memory for the worst of all, those of a few tokens.
FEW, FEW_OF_SEQUENCE = 128, 16


@dataclass(frozen=True, slots=True)
class Plan:
    """A streaming contraction, cut.

    Attributes:
        s: the contraction.
        blocks: of the grid along x.
        pieces: of the grid along y, at most; 1 where keys are never cut.
        sequences: how many there can be; None where rows have none.
        slots: rows of a batch element whose parts there is memory for.
        begins: where each sequence begins, in rows of the first axis.
        cuts: for each row, where its parts are and how many, see ``ops_note_pieces``.
        peaks, bares, sums: the parts.
    """

    s: Streaming
    blocks: Expr
    pieces: Expr
    sequences: Expr | None
    slots: Expr
    begins: Buffer | None
    cuts: Buffer | None
    peaks: Buffer | None
    bares: Buffer | None
    sums: Buffer | None

    @property
    def few(self) -> int:
        """Rows whose keys are cut."""
        return FEW if self.sequences is None else FEW_OF_SEQUENCE

    @property
    def inner(self) -> Expr:
        """Rows for each point of the first axis."""
        return arith.product(a.stop for a in self.s.rows.axes[1:])


def both(a: Expr, b: Expr) -> Expr:
    """A and b."""
    return Prim("and", (a, b), BOOL)


def plan_of(s: Streaming, builder: Builder) -> Plan:
    """The plan; its workspaces are the builder's."""
    rows, batch = s.rows.extent, s.batch.extent
    blocks = arith.ceildiv(rows, integer(ROWS))
    sequences: Expr | None = None
    begins: Buffer | None = None
    slots = rows
    if s.segment is not None:
        (over,) = s.segment.value.axes
        sequences = arith.add(arith.most(arith.extent(over), ZERO), ONE)
        blocks = arith.add(arith.floordiv(rows, integer(ROWS)), sequences)
        begins = builder.allocate(
            "begins", INT64, (arith.add(sequences, ONE),), shared=True
        )
        slots = arith.least(rows, arith.mul(sequences, integer(FEW_OF_SEQUENCE)))
    blocks = arith.mul(blocks, batch)
    keys = _keys(s)
    if keys is None:
        return Plan(s, blocks, ONE, sequences, slots, begins, *(None,) * 4)
    pieces = arith.least(integer(PIECES), arith.ceildiv(keys, integer(PIECE)))
    pieces = arith.most(ONE, pieces)
    if sequences is None:
        few = Prim("le", (rows, integer(FEW)), BOOL)
        pieces = Select(few, pieces, ONE)
    cut = arith.less(ONE, pieces)

    def workspace(name: str, dtype: DType, count: Expr) -> Buffer:
        return builder.allocate(name, dtype, (Select(cut, count, ZERO),), shared=True)

    parts = arith.product((batch, slots, pieces))
    return Plan(
        s,
        blocks,
        pieces,
        sequences,
        slots,
        begins,
        workspace("cuts", INT64, arith.mul(batch, rows)),
        workspace("peaks", s.dtype, parts),
        workspace("bares", s.dtype, parts),
        workspace("sums", s.dtype, arith.mul(parts, s.columns.extent)),
    )


def _keys(s: Streaming) -> Expr | None:
    """The most keys that a row can have, where the host can tell."""
    whole = arith.sub(s.j.stop, s.j.start)
    if on_host(whole):
        return whole
    for define in s.program.defines:
        online = derive(define.value)
        if online is not None and online.axis.bound is not None:
            return online.axis.bound
    return None


def grows(s: Streaming) -> bool:
    """Whether later rows see further, so that their blocks are longer."""
    return any(_grows(c, s) for c in s.limits)


def _grows(condition: Expr, s: Streaming) -> bool:
    if isinstance(condition, Prim) and condition.op in ("and", "or"):
        return any(_grows(c, s) for c in condition.args)
    found = ragged.limit(condition, s.j.name)
    return (
        found is not None
        and found.upper
        and ragged.varies_with(found.value, s.rows.names)
    )


__all__ = ["FEW", "PIECE", "PIECES", "ROWS", "Plan", "both", "grows", "plan_of"]
