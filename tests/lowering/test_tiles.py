# ruff: noqa: E501
"""The text of Tiles, and the verifier against planted faults."""

from __future__ import annotations

import dataclasses

import pytest

from opslib.errors import VerifyError
from opslib.ir.dtypes import BOOL, FLOAT16, FLOAT32, INT64
from opslib.ir.expr import ONE, ZERO, Axis, Const, Expr, Index, Read, Scalar, Size
from opslib.ir.monoid import maximum_of
from opslib.ir.print_tiles import tile_program_text
from opslib.ir.tiles import (
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
from opslib.ir.verify_tiles import check_tiles


def number(value: int) -> Expr:
    return Const(value, INT64)


M, N = Size("m"), Size("n")
AT_I, AT_J, M0 = Index("i"), Index("j"), Index("m0")
A = TileBuffer(
    "a", FLOAT32, (M, N), "global", strides=(Scalar("a_stride0", INT64), ONE)
)
C = TileBuffer(
    "c", FLOAT32, (M, N), "global", strides=(Scalar("c_stride0", INT64), ONE)
)
LEFT = TileBuffer("left", FLOAT32, (number(8), number(4)), "l1", "panel", 4, 2)
RIGHT = TileBuffer("right", FLOAT32, (number(16), number(4)), "l1", "panel", 8)
ACC = TileBuffer("acc", FLOAT32, (number(8), number(16)), "register")
PEAK = TileBuffer("peak", FLOAT32, (number(8),), "register")
ZEROS = (ZERO, ZERO)
ROWS, COLUMNS = Axis("i", ZERO, number(8)), Axis("j", ZERO, number(16))
DEEP = Axis("l", ZERO, number(4))


def copy(buffer: TileBuffer, lane: Axis, token: str | None = None) -> Copy:
    value = Read("a", (lane.index, Index("l")), FLOAT32)
    region = Region(buffer.name, ZEROS, (lane.stop, number(4)))
    return Copy(region, Gather((lane, DEEP), value), None, token)


MMA = Mma(
    Region("acc", ZEROS, (number(8), number(16))),
    Region("left", ZEROS, (number(8), number(4)), ZERO),
    Region("right", ZEROS, (number(4), number(16)), None, (1, 0)),
    Const(True, BOOL),
)
STORE = Map(
    Region("c", (AT_I, AT_J), (ONE, ONE)),
    (ROWS, COLUMNS),
    Read("acc", (AT_I, AT_J), FLOAT32),
)
PEAKS = RowFold(
    (Region("peak", (AT_I,), (ONE,)),), (ROWS,), COLUMNS, maximum_of(FLOAT32),
    (Read("acc", (AT_I, AT_J), FLOAT32),), True,
)  # fmt: skip
GOOD: tuple[TileStatement, ...] = (
    *(AllocTile(b) for b in (LEFT, RIGHT, ACC, PEAK)),
    Role("producer", (copy(LEFT, ROWS, "loaded"), copy(RIGHT, COLUMNS))),
    Wait("loaded"),
    MMA,
    PEAKS,
    STORE,
)


def program(body: tuple[TileStatement, ...]) -> TileProgram:
    loop = TileLoop(Axis("m0", ZERO, M), number(8), "grid", body)
    return TileProgram("demo", (A,), (C,), ("m", "n"), (), (loop,), "contraction")


def test_good_program_passes() -> None:
    check_tiles(program(GOOD))


def test_text() -> None:
    assert (
        tile_program_text(program(GOOD))
        == """\
tiles demo (contraction)
    input a: float32[m, n] global row strides [a_stride0:int64, 1:int64]
    output c: float32[m, n] global row strides [c_stride0:int64, 1:int64]
    size m
    size n
    grid m0 in 0:int64..m step 8:int64
        alloc left: float32[8:int64, 4:int64] l1 panel of 4 x2
        alloc right: float32[16:int64, 4:int64] l1 panel of 8
        alloc acc: float32[8:int64, 16:int64] register row
        alloc peak: float32[8:int64] register row
        role producer
            copy left[0:int64 +8:int64, 0:int64 +4:int64] <- gather [i in 0:int64..8:int64, l in 0:int64..4:int64] a[i, l] -> loaded
            copy right[0:int64 +16:int64, 0:int64 +4:int64] <- gather [j in 0:int64..16:int64, l in 0:int64..4:int64] a[j, l]
        wait loaded
        mma acc[0:int64 +8:int64, 0:int64 +16:int64] += left@0:int64[0:int64 +8:int64, 0:int64 +4:int64] * right[0:int64 +16:int64, 0:int64 +4:int64] by (1, 0) clear if True:bool
        fold [i in 0:int64..8:int64] peak[i] = max<float32>[j in 0:int64..16:int64](acc[i, j])
        map [i in 0:int64..8:int64, j in 0:int64..16:int64] c[i, j] = acc[i, j]
"""
    )


def changed(index: int, statement: TileStatement) -> tuple[TileStatement, ...]:
    return (*GOOD[:index], statement, *GOOD[index + 1 :])


FAULTS: dict[str, tuple[TileStatement, ...]] = {
    "buffer not allocated": GOOD[1:],
    "allocated twice": (GOOD[0], *GOOD),
    "unknown layout": changed(0, AllocTile(dataclasses.replace(LEFT, layout="spiral"))),
    "unknown scope": changed(0, AllocTile(dataclasses.replace(LEFT, scope="attic"))),
    "strides on chip": changed(0, AllocTile(dataclasses.replace(LEFT, strides=(ONE, ONE)))),
    "global in a body": changed(2, AllocTile(dataclasses.replace(ACC, scope="global"))),
    "unknown role": changed(4, Role("ghost", ())),
    "wait for nothing": changed(5, Wait("never")),
    "extents of the mma": changed(
        6, dataclasses.replace(MMA, a=Region("left", ZEROS, (number(8), number(3)), ZERO))
    ),
    "types of the mma": changed(
        1, AllocTile(dataclasses.replace(RIGHT, dtype=FLOAT16))
    ),
    "clear is a number": changed(6, dataclasses.replace(MMA, clear=ONE)),
    "no such stage": changed(
        6,
        dataclasses.replace(
            MMA, b=Region("right", ZEROS, (number(4), number(16)), ONE, (1, 0))
        ),
    ),
    "fold into the wrong type": changed(
        3, AllocTile(dataclasses.replace(PEAK, dtype=FLOAT16))
    ),
    "fold of too few states": changed(7, dataclasses.replace(PEAKS, targets=())),
    "map of another type": changed(
        8, dataclasses.replace(STORE, value=Const(1.0, FLOAT16))
    ),
    "unbound index": changed(
        8, dataclasses.replace(STORE, value=Read("acc", (AT_I, Index("z")), FLOAT32))
    ),
    "read of another rank": changed(
        8, dataclasses.replace(STORE, value=Read("acc", (AT_I,), FLOAT32))
    ),
    "read of a stranger": changed(
        8, dataclasses.replace(STORE, value=Read("who", (AT_I, AT_J), FLOAT32))
    ),
    "copy of another extent": changed(
        4,
        Copy(
            Region("left", ZEROS, (number(7), number(4))),
            Gather((ROWS, DEEP), Read("a", (AT_I, Index("l")), FLOAT32)),
        ),
    ),
    "a loop of no kind": (TileLoop(Axis("q", ZERO, M), ONE, "spiral", ()),),
    "a loop that does not move": (TileLoop(Axis("q", ZERO, M), ZERO, "serial", ()),),
}  # fmt: skip


@pytest.mark.parametrize("fault", list(FAULTS))
def test_faults_are_found(fault: str) -> None:
    with pytest.raises(VerifyError) as caught:
        check_tiles(program(FAULTS[fault]))
    assert caught.value.code == "E0901"


def test_names_do_not_leak_out_of_a_body() -> None:
    inner = TileLoop(Axis("q", ZERO, M), ONE, "serial", (AllocTile(ACC),))
    with pytest.raises(VerifyError):
        check_tiles(program((inner, STORE)))
