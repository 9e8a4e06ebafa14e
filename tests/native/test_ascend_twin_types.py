"""Which types an instruction takes, on each chip: the twin's lists against the pages.

The sets are those that a page gives for each product (see native/ascend's
opslib_twin_rules.h for its numbers), less what the twin says that it does not have.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from .ascend_twin import COMPILERS, TARGETS, TWIN, run_compiler

if not COMPILERS:
    pytest.skip("the twin is C++: no compiler here", allow_module_level=True)

TYPES = ["f16", "bf16", "f32", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64"]
WHOLES = "i8 u8 i16 u16 i32 u32 i64 u64"
REALS = "f16 f32"
WORDS = f"{REALS} i16 i32"
MOVED = f"{REALS} i16 u16 i32 u32"

# By instruction: what 910B (2201), 950 (3510) and 310P (2002) take.
PAGES = {
    "Add": (WORDS, f"{REALS} bf16 {WHOLES}", WORDS),  # 07_0035
    "Max": (WORDS, f"{REALS} bf16 {WHOLES}", WORDS),  # 07_0039
    "Mul": (WORDS, WORDS, WORDS),  # tik_0065; 950 assumed
    "Div": (REALS, f"{REALS} i16 u16 i32 u32 i64 u64", REALS),  # 07_0038
    "Abs": (REALS, f"{REALS} i8 i16 i32 i64", REALS),  # 07_0027
    "Neg": ("", f"{REALS} i8 i16 i32 i64", ""),  # 07_00244
    "And": ("i16 u16", WHOLES, "i16 u16"),  # 07_0041
    "Not": ("i16 u16", WHOLES, "i16 u16"),  # 07_0031
    "Relu": (f"{REALS} i32", f"{REALS} i32 i64", f"{REALS} i32"),  # 07_0032
    "ShiftLeft": ("i16 u16 i32 u32", WHOLES, ""),  # 07_0058
    "Exp": (REALS, REALS, REALS),  # 07_0025
    "Duplicate": (f"{MOVED} bf16", f"{REALS} bf16 {WHOLES}", MOVED),  # 07_0087
    "CreateVecIndex": (WORDS, f"{WORDS} i8 i64", WORDS),  # 07_0090
    "ArithProgression": (WORDS, f"{WORDS} i64", WORDS),  # 07_0856
    "Copy": (f"{MOVED} bf16", f"{REALS} bf16 {WHOLES}", ""),  # 07_0106
    "Gather": (f"{MOVED} bf16", f"{REALS} bf16 {WHOLES}", MOVED),  # 07_0092
    "Brcb": (f"{MOVED} bf16", f"{MOVED} bf16", MOVED),  # 07_0089
    "ReduceMax": (REALS, REALS, REALS),  # 07_0075
    # 07_0078 of CANN 8.0.RC2; 950: 07_0066.
    "Compares, EQ": (f"{REALS} i32", f"{REALS} bf16 {WHOLES}", REALS),
    "Compares, LT": (REALS, f"{REALS} bf16 {WHOLES}", REALS),
}
LISTS = {
    "Duplicate": "kDuplicateTypes",
    "CreateVecIndex": "kRampTypes",
    "ArithProgression": "kProgressionTypes",
    "Copy": "kCopyTypes",
    "Gather": "kGatherTypes",
    "Brcb": "kBlockTypes",
    "ReduceMax": "kReduceTypes",
}


def expression(name: str) -> str:
    """Which of the types, as bits."""
    name, _, mode = name.partition(", ")
    if mode:
        return f"compared(CMPMODE::{mode})"
    return LISTS.get(name, f"types_of(Op::{name})")


PROGRAM = f"""
#include "kernel_operator.h"
#include "opslib_twin_entry.h"
#include <stdio.h>
using namespace opslib_twin;
using AscendC::CMPMODE;
static uint32_t compared(CMPMODE mode) {{
    uint32_t found = 0;
    for (int t = 0; t < {len(TYPES)}; t++)
        if (compare_allowed(Type(t), mode)) found |= 1u << t;
    return found;
}}
int main() {{
{"".join(f"    printf({chr(34)}%u{chr(92)}n{chr(34)}, {expression(n)});{chr(10)}" for n in PAGES)}}}
"""  # noqa: E501


@pytest.mark.parametrize("target", TARGETS)
def test_the_lists_are_those_of_the_pages(tmp_path: Path, target: int) -> None:
    source, program = tmp_path / "types.cpp", tmp_path / "types"
    source.write_text(PROGRAM, "utf-8")
    run_compiler(
        [
            *[COMPILERS[0], "-std=c++17", f"-DOPSLIB_TARGET={target}", f"-I{TWIN}"],
            *[str(source), "-o", str(program)],
        ]
    )
    text = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    column = TARGETS.index(target)
    for (name, sets), bits in zip(PAGES.items(), text.split(), strict=True):
        found = {t for k, t in enumerate(TYPES) if int(bits) >> k & 1}
        assert found == set(sets[column].split()), (name, target)
