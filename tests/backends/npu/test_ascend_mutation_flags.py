"""What kernels over empty ranges taught: see traces.py and flags.py."""

from __future__ import annotations

import pytest
from opslib.backends.npu.ascend import machine, prove, traces
from opslib.backends.npu.ascend.flags import insert_flags
from opslib.backends.npu.ascend.machine import Access, Block, Instruction, Launch


def loop(number: int, name: str, stop: str, body: list[machine.Node]) -> Block:
    head = f"for (int64_t {name} = 0; {name} < {stop}; {name} += 1)"
    return Block("loop", head, body, number)


def move(pipe: str, buffer: str, write: bool) -> Instruction:
    return Instruction(pipe, f"{pipe} {buffer}", (Access(buffer, write),))


def two_ranges(first: str, second: str) -> Launch:
    """In each row, what one range brings in the other writes out."""
    inner = [
        loop(2, "j", first, [move("MTE2", "a", True)]),
        loop(3, "l", second, [move("MTE3", "a", False)]),
    ]
    return Launch("rows", "vector", [loop(1, "i", "rows", inner)], [])


def skipped(launch: Launch) -> set[tuple[bool, bool]]:
    """Which of the two inner ranges the runs of a kernel enter."""
    found = set()
    for run in traces.runs(launch.body):
        pipes = {s.node.pipe for s in run if isinstance(s.node, Instruction)}
        found.add(("MTE2" in pipes, "MTE3" in pipes))
    return found


def test_ranges_are_empty_in_every_combination() -> None:
    every = {(a, b) for a in (True, False) for b in (True, False)}
    assert skipped(two_ranges("n", "k")) == every


def test_equal_ranges_are_empty_together() -> None:
    assert skipped(two_ranges("n", "n")) == {(True, True), (False, False)}


@pytest.mark.parametrize(("first", "second"), [("n", "n"), ("n", "k")])
def test_no_flag_can_be_overtaken(first: str, second: str) -> None:
    launch = two_ranges(first, second)
    insert_flags(launch)
    assert list(machine.syncs(launch.body))
    assert prove.missing(launch) == []
