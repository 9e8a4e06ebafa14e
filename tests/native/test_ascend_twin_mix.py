"""Mix kernels on the twin: flags between a cube core and its two vector cores."""

from __future__ import annotations

import re

import numpy as np
import pytest

from .ascend_twin import COMPILERS, KERNELS, Run, Twin, compiled

if not COMPILERS:
    pytest.skip("the twin is C++: no compiler here", allow_module_level=True)

TEXT = (KERNELS / "mix.cpp").read_text("utf-8")
LINES = TEXT.splitlines()
NAMES = re.findall(r"^MIX\((\w+)\)", TEXT, flags=re.M)


@pytest.fixture(params=COMPILERS)
def twin(request: pytest.FixtureRequest) -> Twin:
    return compiled("mix.cpp", request.param)


def run(twin: Twin, name: str, blocks: int = 1) -> Run:
    return twin.run(name, *(np.zeros(128, np.float32) for _ in range(3)), blocks=blocks)


def test_flags_order_what_goes_there_and_back(twin: Twin) -> None:
    result = run(twin, "ordered_there_and_back")
    assert result.findings == 0, result.found
    assert not result.redundant


@pytest.mark.parametrize("name", [n for n in NAMES if not n.startswith(("o", "n"))])
def test_mistakes_are_found(twin: Twin, name: str) -> None:
    found = run(twin, name)
    assert found.kinds == {name.split("_")[0]}, found.found


def test_a_race_names_the_flag_that_is_missing(twin: Twin) -> None:
    (race, *_) = run(twin, "race_no_flag").found
    assert race["missing"].startswith("CrossCoreSetFlag<2, PIPE_")


def test_a_dropped_wait_is_a_race(twin: Twin) -> None:
    name = "ordered_there_and_back"
    first = LINES.index(f"MIX({name}) {{") + 1
    last = LINES.index("}", first)
    marked = [
        (k, match[1])
        for k in range(first, last)
        if (match := re.search(r"// sync: (.+)$", LINES[k - 1]))
    ]
    assert len(marked) == 2
    for line, what in marked:
        twin.drop_line(line)
        try:
            found = run(twin, name).found
        finally:
            twin.drop_line(0)
        assert what in {f.get("missing") for f in found}
    assert run(twin, name).findings == 0


def test_a_core_that_waits_for_nobody_is_reported_and_ends(twin: Twin) -> None:
    (found,) = run(twin, "event_one_of_two").found
    assert "hang" in found["text"]


def test_numbers_of_cores(twin: Twin) -> None:
    # From the start of a line of the cache: each core cleans its own.
    whole = np.zeros(56, np.int64)
    skip = -whole.__array_interface__["data"][0] % 64 // 8
    y = whole[skip : skip + 48]
    assert twin.run("numbers", y, y, blocks=2).findings == 0
    rows = y.reshape(6, 8)[:, :4].tolist()
    # Of each block: the cube core, and the two vector cores.
    assert rows == [
        [0, 2, 0, 1], [0, 2, 0, 2], [1, 2, 1, 2],
        [1, 2, 0, 1], [2, 2, 0, 2], [3, 2, 1, 2],
    ]  # fmt: skip
