"""`Tiles`: moves between memories and operations on tiles.

The form in which a machine with tile hardware is programmed: copies with completion
tokens, matrix-multiply-accumulate, maps and row folds on tiles, waits; buffers carry
scope, layout and the number of stages, regions carry a role. The skeletons emit it;
a CPU has it lowered to `Loops`, a GPU's or NPU's renderer prints it.

What must fit here without a new wall (see docs/design.md): cp.async + mma.sync,
TMA + wgmma with warp-specialised roles, and Ascend's cube (GM -> L1 by nd2nz,
L1 -> L0A/L0B, Mmad into L0C, Fixpipe out) with flags between pipes. Tokens are the
abstract form of flags, barriers and commit groups: a pass assigns real ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from opslib.ir.dtypes import DType
from opslib.ir.expr import Axis, Const, Expr, Scalar
from opslib.ir.monoid import Monoid

# Where memory is. `global` is what the caller's arrays live in; `register` holds
# accumulators and fragments; the rest are named as the vendors name them.
SCOPES = ("global", "l2", "l1", "shared", "ub", "l0a", "l0b", "l0c", "register")

# How a tile's elements are placed. `row` is plain row-major with padding to the
# buffer's pitch; `panel` is BLIS packing (panels of `unit` rows or columns, the long
# axis slow); nz/zz/zn are Ascend's fractal orders; `fragment` is what an mma
# instruction keeps in registers; `swizzle` is a shared-memory xor pattern.
LAYOUTS = ("row", "column", "panel", "nz", "zz", "zn", "fragment", "swizzle")

ROLES = ("all", "producer", "consumer", "cube", "vector")


@dataclass(frozen=True, slots=True)
class TileBuffer:
    """Memory for a tile, or an argument (scope ``global``).

    Attributes:
        name: unique in the program.
        dtype: of the elements.
        shape: extents of one stage; constants for on-chip scopes.
        scope, layout: see `SCOPES` and `LAYOUTS`.
        unit: width of a panel or side of a fractal; 1 where it has no meaning.
        stages: copies of the tile for double (2) or deeper buffering.
        strides: of a ``global`` buffer, in elements (Const 1 or a launch scalar).
    """

    name: str
    dtype: DType
    shape: tuple[Expr, ...]
    scope: str
    layout: str = "row"
    unit: int = 1
    stages: int = 1
    strides: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Region:
    """A box of a buffer: per axis an offset and an extent; stage for buffered ones.

    A region may reach over the buffer's end: a `Copy` clips and fills, so that tails
    need no code of their own. `axes` permutes: which buffer axis each axis of the
    region walks (None: the order of the buffer).
    """

    buffer: str
    offsets: tuple[Expr, ...]
    extents: tuple[Expr, ...]
    stage: Expr | None = None
    axes: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Gather:
    """A source that is computed, not a box: the value of element `axes` of the tile.

    Convolution's implicit im2col, paged keys, fused producers (a cast, a mask, a
    scale): `value` reads global buffers at indices over the tile's axes.
    """

    axes: tuple[Axis, ...]
    value: Expr


@dataclass(frozen=True, slots=True)
class Copy:
    """Moves (and re-lays-out, converts, fills) a tile; asynchronous with a `token`."""

    target: Region
    source: Region | Gather
    fill: Const | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Mma:
    """``accumulator[m, n] += sum_k a[m, k] * b[k, n]``; `clear` starts from zero.

    The extents come from the regions; a and b may be padded with zeros along k.
    """

    accumulator: Region
    a: Region
    b: Region
    clear: Expr | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Map:
    """``target[axes] = value``; reads name tile buffers (or globals) by `Read`."""

    target: Region
    axes: tuple[Axis, ...]
    value: Expr
    token: str | None = None


@dataclass(frozen=True, slots=True)
class RowFold:
    """``target[rows] = combine(target[rows], fold over `axis` of `value`)``.

    `targets` hold the monoid's state, one buffer for each component; with `clear`
    they start from the identity.
    """

    targets: tuple[Region, ...]
    rows: tuple[Axis, ...]
    axis: Axis
    monoid: Monoid
    args: tuple[Expr, ...]
    clear: bool = False
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Blocks this role until the token's operations are complete."""

    token: str


@dataclass(frozen=True, slots=True)
class TileLoop:
    """A loop over tiles. kind: ``grid`` (parallel launch), ``serial``, ``pipelined``.

    The index takes start, start + step, ... `stages` of a pipelined loop is the
    number of iterations whose copies may be in flight.
    """

    axis: Axis
    step: Expr
    kind: str
    body: tuple[TileStatement, ...]
    stages: int = 1


@dataclass(frozen=True, slots=True)
class Role:
    """Statements that only one kind of core or warp group runs."""

    role: str
    body: tuple[TileStatement, ...]


@dataclass(frozen=True, slots=True)
class AllocTile:
    """A buffer that lives to the end of the enclosing body."""

    buffer: TileBuffer


TileStatement = Copy | Mma | Map | RowFold | Wait | TileLoop | Role | AllocTile


@dataclass(frozen=True, slots=True)
class TileProgram:
    """One launch of a tiled kernel; the fields are those of `loops.Kernel`."""

    name: str
    inputs: tuple[TileBuffer, ...]
    outputs: tuple[TileBuffer, ...]
    sizes: tuple[str, ...]
    scalars: tuple[Scalar, ...]
    body: tuple[TileStatement, ...]
    skeleton: str
    notes: tuple[str, ...] = ()
