"""What kernels over empty ranges taught: see traces.py and flags.py."""

from __future__ import annotations

import pytest
from opslib.backends.npu.ascend import machine, prove, traces
from opslib.backends.npu.ascend.flags import insert_flags
from opslib.backends.npu.ascend.machine import Access, Block, Instruction, Launch

from . import ascend_mutations as mutations
from .ascend_cases import has_compiler


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


def test_constants_of_one_value_are_one_place() -> None:
    """Only then are few enough ranges left to try all of them together."""
    launch = two_ranges("whole", "whole_1")
    launch.body[:0] = [
        Instruction("S", f"const int64_t {name} = n / 4 * 4;")
        for name in ("whole", "whole_1")
    ]
    assert skipped(launch) == {(True, True), (False, False)}


@pytest.mark.parametrize(("first", "second"), [("n", "n"), ("n", "k")])
def test_no_flag_can_be_overtaken(first: str, second: str) -> None:
    launch = two_ranges(first, second)
    insert_flags(launch)
    assert list(machine.syncs(launch.body))
    assert prove.missing(launch) == []


def chunks(number: int, name: str, start: str, stop: str, *body: Instruction) -> Block:
    head = f"for (int64_t {name} = {start}; {name} < {stop}; {name} += TILE)"
    return Block("loop", head, list(body), number)


def blocks_of(extent: str, *inner: machine.Node) -> Block:
    """A loop over the blocks of an axis, with what is in each."""
    head = "for (int64_t at = 0; at < blocks; at += 1)"
    begin = Instruction("S", "const int64_t begin = at * 8192;")
    end = "const int64_t end = ops_minimum_i64(begin + 8192, {});"
    return Block("loop", head, [begin, Instruction("S", end.format(extent)), *inner], 1)


def entered(body: list[machine.Node]) -> set[frozenset[str]]:
    """Which buffers are touched in the runs that come to a block."""
    found = set()
    for run in traces.runs(body):
        steps = [s.node for s in run if isinstance(s.node, Instruction)]
        if steps:
            found.add(frozenset(a.buffer for node in steps for a in node.accesses))
    return found


def test_parts_of_a_block_are_not_all_empty() -> None:
    """The last of them ends where the block does; without that, all may be."""

    def parts(stop: str) -> list[machine.Node]:
        first = chunks(2, "i", "begin", "cut", move("V", "a", True))
        second = chunks(3, "j", "cut", stop, move("V", "b", True))
        return [blocks_of("n", first, second)]

    both = {frozenset("a"), frozenset("b"), frozenset("ab")}
    assert entered(parts("end")) == both
    assert entered(parts("m")) == both | {frozenset()}


@pytest.mark.parametrize(
    ("extent", "turns"), [("n", 3), ("512", 3), ("256", 1), ("1", 1)]
)
def test_a_short_axis_has_no_more_chunks_than_it_needs(extent: str, turns: int) -> None:
    lanes = chunks(2, "i", "begin", "end", move("V", "a", True))
    found = {
        dict(step.turns).get(2, 0)
        for run in traces.runs([blocks_of(extent, lanes)])
        for step in run
    }
    assert found == set(range(turns))


def pairs(step: str) -> Launch:
    """Turns of a parallel loop by twos, each with a buffer of its own."""
    second = Block(
        "branch",
        "if (block + (int64_t)GetBlockNum() < rows)",
        [move("V", "b", True), move("MTE3", "b", False)],
    )
    head = (
        "for (int64_t block = (int64_t)GetBlockIdx(); block < rows; "
        f"block += {step}(int64_t)GetBlockNum())"
    )
    first = [move("V", "a", True), move("MTE3", "a", False)]
    return Launch("pairs", "vector", [Block("loop", head, [*first, second], 1)], [])


def without_second(launch: Launch) -> list[list[int]]:
    """The turns that do not enter the branch, run by run."""
    found = []
    for run in traces.runs(launch.body):
        all_: dict[str, set[int]] = {"a": set(), "b": set()}
        for step in run:
            if isinstance(step.node, Instruction):
                buffer = step.node.accesses[0].buffer
                all_[buffer].add(dict(step.turns)[1])
        found.append(sorted(all_["a"] - all_["b"]))
    return found


def test_only_the_last_of_turns_by_twos_is_without_the_second() -> None:
    found = without_second(pairs("2 * "))
    assert [2] in found
    assert all(turns in ([], [2], [1], [0]) for turns in found)
    assert [0, 1] in without_second(pairs(""))


# What each taught: two parts of one event of which neither needs the other; parts of a
# block; an axis of one element; rows of an outer loop in both branches; a diagonal
# longer than a block; rows with nothing in them; folds of nothing, of no rows.
KERNELS = [
    ("apply_rotary", "float32"),
    ("diag", "float32"),
    ("expand_dims", "float16"),
    ("reshape_and_cache", "float16"),
    ("trace", "float32"),
    ("masked_softmax", "float16"),
    ("var", "float32"),
]


@pytest.mark.skipif(not has_compiler(), reason="no C++ compiler")
@pytest.mark.parametrize(("operator", "dtype"), KERNELS)
def test_no_flag_can_be_spared(operator: str, dtype: str) -> None:
    found = list(mutations.survey([(operator, dtype)]))
    assert mutations.complaints(found) == []
    assert any(v.caught for v in found)
