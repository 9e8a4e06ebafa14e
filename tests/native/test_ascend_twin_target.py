"""The twin's table of chips is the planner's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from opslib.backends.npu.targets import CUBE_EDGE, REPEATS, TARGETS

from .ascend_twin import COMPILERS, TWIN, run_compiler

PROGRAM = """
#include "opslib_twin_target.h"
#include <stdio.h>
int main() {
    for (const opslib_twin::Target& t : opslib_twin::kTargets)
        printf("%d %u %u %u %u %u %u %d %d %d %d %d %d %d %d %u %u %u %u\\n",
               t.number, t.ub, t.ub_usable, t.l1, t.l0a, t.l0b, t.l0c,
               t.separate_cores, t.l0a_nz, t.bf16_vector, t.int8_vector,
               t.bf16_cube, t.f32_cube, t.copies_bytes, t.saturates,
               t.block_count_limit, t.usable_event_ids, opslib_twin::kRepeatLimit,
               opslib_twin::kCubeEdgeLimit);
}
"""


@pytest.mark.skipif(not COMPILERS, reason="the twin is C++: no compiler here")
def test_both_tables_say_the_same(tmp_path: Path) -> None:
    source = tmp_path / "print.cpp"
    source.write_text(PROGRAM, "utf-8")
    program = tmp_path / "print"
    run_compiler(
        [COMPILERS[0], "-std=c++17", f"-I{TWIN}", str(source), "-o", str(program)]
    )
    text = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    found = {
        int(row.split()[0]): [int(n) for n in row.split()] for row in text.splitlines()
    }
    expected = {
        number: [
            *[t.number, t.ub, t.ub_usable, t.l1, t.l0a, t.l0b, t.l0c, int(t.separate)],
            *[int(t.l0a_layout == "nz"), int(t.bf16_vector), int(t.int8_vector)],
            *[int(t.bf16_cube), int(t.f32_cube), int(t.copies_bytes)],
            *[int(t.saturates), t.block_count, t.event_ids],
            *[REPEATS, CUBE_EDGE],
        ]
        for number, t in TARGETS.items()
    }
    assert found == expected
