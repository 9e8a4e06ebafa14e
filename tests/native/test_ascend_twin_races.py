"""Races, redundant syncs and counters of the twin."""

from __future__ import annotations

import ctypes
import re
from collections import Counter

import numpy as np
import pytest

from .ascend_twin import COMPILERS, KERNELS, Run, Twin, compiled

if not COMPILERS:
    pytest.skip("the twin is C++: no compiler here", allow_module_level=True)

TEXT = (KERNELS / "races.cpp").read_text("utf-8")
LINES = TEXT.splitlines()
NAMES = re.findall(r"^KERNEL\((\w+)\)", TEXT, flags=re.M)
ORDERED = [name for name in NAMES if name.startswith("ordered_")]
RACES = {
    "race_write_read": ("MTE2_V", "UB", "write", "read"),
    "race_one_block": ("MTE2_V", "UB", "write", "read"),
    "race_wrong_direction": ("MTE2_V", "UB", "write", "read"),
    "race_set_too_early": ("MTE2_V", "UB", "write", "read"),
    "race_wait_too_late": ("MTE2_V", "UB", "write", "read"),
    "race_barrier_of_another_pipe": ("PipeBarrier<PIPE_V>", "UB", "write", "read"),
    "race_in_place": ("PipeBarrier<PIPE_V>", "UB", "read", "write"),
    "race_scalar_store": ("S_V", "UB", "write", "read"),
    "race_rows_that_overlap": (
        "PipeBarrier<PIPE_MTE3>", "argument 2", "write", "write",
    ),
    "race_cores": ("other core 0", "argument 2", "write", "write"),
}  # fmt: skip


@pytest.fixture(params=COMPILERS)
def twin(request: pytest.FixtureRequest) -> Twin:
    return compiled("races.cpp", request.param)


def run(twin: Twin, name: str) -> Run:
    arrays = [np.ones(256, np.float32) for _ in range(3)]
    return twin.run(name, *arrays, blocks=2 if "cores" in name else 1)


def body(name: str) -> range:
    """The numbers of a kernel's lines."""
    first = LINES.index(f"KERNEL({name}) {{") + 1
    return range(first, LINES.index("}", first) + 2)


def marked(name: str, mark: str) -> list[tuple[int, str]]:
    """Lines of a kernel with a comment `// mark: text`."""
    found = [(n, re.search(rf"// {mark}: (.+)$", LINES[n - 1])) for n in body(name)]
    return [(n, match[1]) for n, match in found if match]


def test_every_race_is_listed() -> None:
    assert {name for name in NAMES if name.startswith("race_")} == set(RACES)


@pytest.mark.parametrize("name", ORDERED)
def test_ordered(twin: Twin, name: str) -> None:
    result = run(twin, name)
    assert result.findings == 0, result.found
    assert not result.redundant


@pytest.mark.parametrize("name", RACES)
def test_a_race_names_both_accesses_and_the_missing_flag(twin: Twin, name: str) -> None:
    missing, scope, first, second = RACES[name]
    found = [f for f in run(twin, name).found if f["kind"] == "race"]
    assert found
    race = found[0]
    assert race["missing"] == missing
    assert race["scope"] == scope
    assert race["first"]["access"] == first
    assert race["second"]["access"] == second
    assert race["first"]["line"] in body(name)
    assert race["second"]["line"] in body(name)
    assert missing in race["text"]


DROPS = [(name, line, what) for name in ORDERED for line, what in marked(name, "sync")]


@pytest.mark.parametrize(("name", "line", "what"), DROPS)
def test_a_dropped_sync_is_a_race(twin: Twin, name: str, line: int, what: str) -> None:
    twin.drop_line(line)
    try:
        races = [f for f in run(twin, name).found if f["kind"] == "race"]
    finally:
        twin.drop_line(0)
    assert what in {race["missing"] for race in races}
    assert run(twin, name).findings == 0


OVERTAKEN = [name for name in NAMES if name.startswith("overtaken_")]


@pytest.mark.parametrize("name", OVERTAKEN)
def test_a_flag_that_may_be_set_twice_in_time(twin: Twin, name: str) -> None:
    result = run(twin, name)
    assert result.kinds == {"overtaken"}
    (set_again,) = {found["line"] for found in result.found}
    assert [(set_again, "MTE2_V")] == marked(name, "overtaken")
    (wait,) = [n for n in body(name) if LINES[n - 1].endswith("// waited")]
    assert f"after the wait of line {wait}: " in result.found[0]["text"]


AGAIN = [(name, *each) for name in ORDERED for each in marked(name, "drops")]


@pytest.mark.parametrize(("name", "line", "what"), AGAIN)
def test_a_dropped_wait_lets_a_flag_be_set_twice(
    twin: Twin, name: str, line: int, what: str
) -> None:
    twin.drop_line(line)
    try:
        kinds = run(twin, name).kinds
    finally:
        twin.drop_line(0)
    assert kinds == {what}


def test_enough_is_dropped() -> None:
    assert len(DROPS) >= 16
    assert len({what for _, _, what in DROPS}) >= 9
    assert len(OVERTAKEN) == 3
    assert len(AGAIN) == 5


def test_waits_that_only_drain_flags_are_notes(twin: Twin) -> None:
    result = run(twin, "ordered_double_buffer")
    waits = [n for n in body("ordered_double_buffer") if "WaitFlag" in LINES[n - 1]]
    unmarked = {n for n in waits if "// sync" not in LINES[n - 1]}
    assert result.drains == unmarked
    assert len(unmarked) == 2
    # A wait whose order is handed on by a SetFlag is no drain.
    assert run(twin, "ordered_handed_on").drains == set()


# ---- any program against reachability in a graph of starts and ends

PIPES = ("V", "MTE2", "MTE3", "S")
ACCESSES = {0: ("V", True), 1: ("V", False), 2: ("MTE2", True), 3: ("MTE3", False),
            4: ("S", True), 5: ("S", False), 12: ("V", True)}  # fmt: skip
EVENTS = [
    ("MTE2", "V"), ("V", "MTE2"), ("V", "MTE3"), ("MTE3", "V"), ("MTE2", "MTE3"),
    ("MTE3", "MTE2"), ("V", "S"), ("S", "V"), ("S", "MTE3"), ("MTE2", "S"),
]  # fmt: skip
BARRIERS = {8: ("V",), 9: ("MTE2",), 10: ("MTE3",), 11: PIPES}


def random_program(random: np.random.Generator) -> list[tuple[int, int]]:
    """Accesses of three blocks between flags and barriers; every flag is paired."""
    program: list[tuple[int, int]] = []
    up: set[int] = set()
    for _ in range(int(random.integers(4, 40))):
        kind = random.random()
        if kind < 0.45:
            what = list(ACCESSES)[int(random.integers(0, len(ACCESSES)))]
            program.append((what, int(random.integers(0, 3))))
        elif kind < 0.93:
            event = int(random.integers(0, len(EVENTS)))
            program.append((7 if event in up else 6, event))
            up ^= {event}
        else:
            program.append((int(random.choice([8, 9, 10, 10, 11])), 0))
    return program + [(7, event) for event in sorted(up)]


def judged(program: list[tuple[int, int]]) -> set[str]:
    """What is wrong: conflicting accesses that are unordered, flags overtaken.

    Node 2 n is the start of operation n and 2 n + 1 its end; a queue passes its flags
    and barriers in order, starts in order, and ends whenever it likes.
    """
    after: list[set[int]] = [set() for _ in range(2 * len(program))]
    gates: dict[str, list[int]] = {pipe: [] for pipe in PIPES}
    ends: dict[str, list[int]] = {pipe: [] for pipe in PIPES}
    raised: dict[int, int] = {}
    accesses: list[tuple[int, int, bool]] = []
    passed: dict[int, int] = {}
    again: list[tuple[int, int]] = []
    for n, (what, argument) in enumerate(program):
        after[2 * n].add(2 * n + 1)
        if what in ACCESSES:
            pipe, write = ACCESSES[what]
            for gate in gates[pipe]:
                after[gate].add(2 * n)
            if pipe == "S":
                for end in ends[pipe]:
                    after[end].add(2 * n)
            ends[pipe].append(2 * n + 1)
            accesses.append((n, argument, write))
            continue
        waits = what == 7
        pipes = BARRIERS.get(what, (EVENTS[argument % len(EVENTS)][waits],))
        for pipe in pipes:
            for node in [*gates[pipe], *([] if waits else ends[pipe])]:
                after[node].add(2 * n)
        if what == 6:  # what waits for it comes after; its own queue goes on
            raised[argument] = 2 * n + 1
            if argument in passed:
                again.append((passed[argument], 2 * n))
            # Later flags of the queue are behind whatever this one was behind.
            continue
        if waits:
            after[raised.pop(argument)].add(2 * n)
            passed[argument] = 2 * n + 1
        for pipe in pipes:
            gates[pipe].append(2 * n + 1)
    reach: list[set[int]] = [set() for _ in after]
    for node in reversed(range(len(after))):  # edges point forwards
        for following in after[node]:
            reach[node] |= {following} | reach[following]
    race = any(
        place == other and (write or wrote) and 2 * m not in reach[2 * n + 1]
        for i, (n, place, write) in enumerate(accesses)
        for m, other, wrote in accesses[i + 1 :]
    )
    overtaken = any(set_ not in reach[wait] for wait, set_ in again)
    found = {"race": race, "overtaken": overtaken}
    return {name for name, wrong in found.items() if wrong}


def test_any_program(twin: Twin) -> None:
    random = np.random.default_rng(1)
    seen: Counter[tuple[str, ...]] = Counter()
    for _ in range(1500):
        program = random_program(random)
        x = np.full(256, -1, np.int32)
        x[: 2 * len(program)] = np.array(program, np.int32).reshape(-1)
        y, z = np.ones(8, np.float32), np.zeros(1024, np.float32)
        result = twin.run("interpreted", x, y, z)
        wrong = judged(program)
        assert result.kinds == wrong, program
        seen[tuple(sorted(wrong))] += 1
    assert len(seen) == 4  # every verdict comes up
    assert min(seen.values()) > 15, seen


def test_redundant_syncs_are_notes(twin: Twin) -> None:
    result = run(twin, "redundant_twice")
    assert result.findings == 0
    expected = [
        {"kind": "redundant", "kernel": "redundant_twice", "line": n, "sync": what,
         "runs": 1}
        for n, what in marked("redundant_twice", "redundant")
    ]  # fmt: skip
    assert result.redundant == expected
    assert result.counters["FlagsRedundant"] == 1
    assert result.counters["BarriersRedundant"] == 1


def test_values_of_the_pipeline(twin: Twin) -> None:
    a, out = np.arange(256, dtype=np.float32), np.zeros(256, np.float32)
    assert twin.run("ordered_double_buffer", a, a, out).findings == 0
    np.testing.assert_array_equal(out, (a + 1) * 2)


def test_the_model_overlaps_pipes(twin: Twin) -> None:
    counters = run(twin, "ordered_double_buffer").counters
    # Four tiles of 256 bytes in unit costs: 8 cycles in, two repeats, 8 cycles out.
    # MTE2 works from 0 to 32 without a stop; V starts each tile at 8, 16, 24 and 32 and
    # stands 8 + 6 + 6 + 6 cycles; MTE3 starts at 10 and never stands again, until 42.
    # At the end MTE2 waits 1 cycle for V's last read, and V 8 for the last copy out.
    expected = {
        "Busy.MTE2": 32, "Busy.V": 8, "Busy.MTE3": 32, "Exposed.MTE2": 1,
        "Exposed.V": 34, "Exposed.MTE3": 10, "Cycles": 42,
    }  # fmt: skip
    assert {name: counters[name] for name in expected} == expected


def test_costs_can_be_set(twin: Twin) -> None:
    # Starts of 5 and 7 cycles and half the speed: opslib_twin::Costs in its order.
    costs = (ctypes.c_double * 5)(5, 2, 7, 16, 16)
    twin.library.opslib_twin_costs(costs, 5)
    try:
        counters = run(twin, "ordered_double_buffer").counters
    finally:
        twin.library.opslib_twin_costs(None, 0)
    assert counters["Busy.V"] == 4 * 2 * (5 + 2)
    assert counters["Busy.MTE2"] == counters["Busy.MTE3"] == 4 * (7 + 16)
    assert run(twin, "ordered_double_buffer").counters["Cycles"] == 42


def test_counters_of_a_kernel_counted_by_hand(twin: Twin) -> None:
    arrays = [np.ones(200, np.float32) for _ in range(3)]
    counters = twin.run("counted", *arrays).counters
    expected = {
        # Three turns: a copy in, two vector instructions, a copy out; one GetValue.
        "Instructions.MTE2": 3, "Instructions.V": 6, "Instructions.MTE3": 3,
        "Instructions.S": 1, "ScalarAccesses": 1,
        # 2 x 400 bytes without a gap are one transfer.
        "BytesIn": 2400, "TransfersIn": 3, "BytesOut": 768, "TransfersOut": 3,
        # 65 floats are two repeats of 256 bytes, 64 are one.
        "Repeats": 9,
        "FlagsSet": 6, "FlagsWaited": 6, "FlagsRedundant": 0,
        "Barriers": 6, "BarriersRedundant": 0,
        # In unit costs a copy takes 25 or 8 cycles and a repeat one, and nothing
        # overlaps: 3 x (25 + 3 + 8), then the GetValue.
        "Busy.MTE2": 75, "Busy.V": 9, "Busy.MTE3": 24, "Cycles": 109,
        # V waits for the copy each time; MTE3 for all that went before.
        "Exposed.S": 0, "PeakUb": 1024 + 65 * 4,
        "CubeFractals": 0, "BytesL1": 0, "BytesFix": 0,
    }  # fmt: skip
    assert {name: counters[name] for name in expected} == expected
