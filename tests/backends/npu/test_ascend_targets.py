"""Every chip of the table is a device; 310P stores whole blocks, and saturates."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from opslib.backends.npu.ascend import (
    blocks,
    device,
    flags,
    machine,
    prove,
    renderer,
    simulator,
)
from opslib.backends.npu.ascend.lower import lower
from opslib.backends.npu.ascend.plan import Limit
from opslib.backends.npu.targets import DEFAULT, TARGETS

from opslib.ir.dtypes import BFLOAT16, FLOAT32
from opslib.ir.expr import Axis, Index, Size
from opslib.lowering.skeletons import arith
from opslib.runtime import registry

from .ascend_cases import case, expected, has_compiler, normal

pytestmark = pytest.mark.skipif(not has_compiler(), reason="no C++ compiler")

P310 = TARGETS[2002]


def test_each_chip_is_a_device_and_910b_the_usual_one() -> None:
    found = device.family().devices()
    assert [d.name for d in found] == [
        "npu:ascend-sim",
        "npu:ascend-sim:3510",
        "npu:ascend-sim:2002",
    ]
    assert [d.named_only for d in found] == [False, True, True]
    assert [device.target_of(d).number for d in found] == [2201, 3510, 2002]
    assert len({d.family for d in found}) == 3
    for d in found:
        assert registry.device(d.name)[1].family == d.family
    assert registry.device("npu:ascend-sim")[1].family == f"ascend-{DEFAULT.number}"


def test_310p_has_no_bfloat16_and_says_so() -> None:
    family = device.family()
    p310 = registry.device("npu:ascend-sim:2002")[1]
    x = normal(3).astype(ml_dtypes.bfloat16)
    why = family.supports(case("add", x, x).program, p310)
    assert why is not None
    assert "bfloat16" in why
    assert family.arithmetic(BFLOAT16, p310) is None
    promise = family.arithmetic(FLOAT32, p310)
    assert promise is not None
    assert promise.narrow == FLOAT32


# -- whole blocks ---------------------------------------------------------------------

LENGTHS = [0, 1, 7, 8, 9, 31, 32, 33, 100, 4095, 8191, 8192, 8193, 8199, 8200, 20001]


def same_lengths(dtype: str, n: int) -> dict[str, Any]:
    """Operators that store floats, halves, bytes and what they only move."""
    x, y = normal(n).astype(dtype), normal(n, seed=1).astype(dtype)
    rows = normal(5, n).astype(dtype)
    whole = (normal(n) * 50).astype(np.int8)
    wide = np.arange(2 * n, dtype=np.int64).reshape(2, n)
    return {
        "add": case("add", x, y),
        "equal": case("equal", x, y),
        "softmax": case("softmax", rows, axis=-1),
        "bytes": case("concat", [whole, whole], axis=0),
        "moved": case("concat", [wide, wide], axis=1),
    }


@cache
def kernels(dtype: str) -> dict[Any, simulator.SimulatedKernel]:
    programs = [c.program for c in same_lengths(dtype, 40).values()]
    made = simulator.kernels(programs, P310)
    return dict(zip(programs, made, strict=True))


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_nothing_but_the_result_is_written(dtype: str, n: int) -> None:
    """The twin checks each access; what neighbours hold is compared as well."""
    for found in same_lengths(dtype, n).values():
        kernel = kernels(dtype)[found.program]
        (got,) = kernel.launch(found.arrays, (), found.sizes, found.scalars)
        (want,) = expected(found)
        rtol = 1e-5 if dtype == "float32" else 4e-3
        np.testing.assert_allclose(got.astype("f8"), want, rtol=rtol, atol=1e-6)


def test_only_pieces_shorter_than_a_block_are_left_to_one_core() -> None:
    made = lower(case("add", normal(5), normal(5)).program, "add", P310)
    (launch,) = made.launches
    assert launch.unit == "aicore"
    assert launch.blocks == 0
    text = renderer.print_unit([made])
    assert "opslib::StoreBlocks(" in text
    assert "__global__ __aicore__ void" in text
    assert "DataCopyPad" not in text
    (limit,) = made.limits
    tile = limit.parts[-1]
    assert [n for n in range(3 * tile) if not limit.holds(n)] == [
        *range(1, 8), *range(tile + 1, tile + 8), *range(2 * tile + 1, 2 * tile + 8),
    ]  # fmt: skip
    other = lower(case("add", normal(5), normal(5)).program, "add", P310, True)
    assert other.limits == ()
    assert [x.blocks for x in other.launches] == [1]
    assert "opslib::StoreEach(" in renderer.print_unit([other])


@pytest.mark.parametrize("fallback", [False, True])
def test_no_flag_is_missing_around_blocks(fallback: bool) -> None:
    for name, found in same_lengths("float16", 40).items():
        for launch in lower(found.program, name, P310, fallback).launches:
            assert prove.missing(launch) == [], name


def test_a_limit_is_for_the_last_piece() -> None:
    n = Size("n")
    limit = Limit(n, 8, 1 << 62, (1024, 256))
    assert [v for v in range(1300) if not limit.holds(v)] == [
        *range(1, 8), *range(257, 264), *range(513, 520), *range(769, 776),
        *range(1025, 1032), *range(1281, 1288),
    ]  # fmt: skip
    assert not Limit(n, 1, 9).holds(0)


def test_a_range_that_only_the_device_knows_has_no_blocks() -> None:
    axis = Axis("j", arith.integer(0), Index("i"))
    with pytest.raises(blocks.NoBlocks):
        blocks.piece(axis, {}, FLOAT32)


# -- event ids ------------------------------------------------------------------------


def many_results(count: int) -> Any:
    """A tile for each of so many results: more flags than there are events."""
    return case("unstack", normal(count, 700), axis=0)


def _with_few_events(events: int) -> machine.Launch:
    """A softmax for a chip that has so many."""
    *_, launch = lower(case("softmax", normal(3, 40)).program, "softmax").launches
    launch.body[:] = _without(launch.body, lambda sync: True)
    flags.insert_flags(launch, events)
    return launch


@pytest.mark.parametrize("events", [0, 6])
def test_where_events_run_out_barriers_of_all_pipes_come(events: int) -> None:
    launch = _with_few_events(events)
    found = list(machine.syncs(launch.body))
    assert all(s.event < events for s in found if s.kind != "barrier")
    assert ("ALL" in {s.source for s in found}) == (events == 0)
    assert prove.missing(launch) == []


def test_the_proof_sees_when_such_a_barrier_is_missing() -> None:
    launch = _with_few_events(0)
    launch.body[:] = _without(launch.body, lambda sync: sync.source == "ALL")
    assert prove.missing(launch)


def _without(
    body: list[machine.Node], goes: Callable[[machine.Sync], bool]
) -> list[machine.Node]:
    kept: list[machine.Node] = []
    for node in body:
        if isinstance(node, machine.Block):
            inner = _without(node.body, goes)
            kept.append(machine.Block(node.kind, node.head, inner, node.number))
        elif not (isinstance(node, machine.Sync) and goes(node)):
            kept.append(node)
    return kept


@pytest.mark.parametrize("chip", sorted(TARGETS))
def test_many_results(chip: int) -> None:
    found = many_results(7)
    kernel = simulator.kernel(found.program, TARGETS[chip])
    got = kernel.launch(found.arrays, (), found.sizes, found.scalars)
    for one, want in zip(got, expected(found), strict=True):
        np.testing.assert_array_equal(one, want)


def test_a_kernel_with_few_flags_has_no_such_barrier() -> None:
    made = lower(case("softmax", normal(3, 40)).program, "softmax")
    assert "PIPE_ALL" not in renderer.print_unit([made])
    assert flags.first_conflict(made.launches[0].body) is None
