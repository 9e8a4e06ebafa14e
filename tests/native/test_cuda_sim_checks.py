"""Each of the simulator's checks: kernels that trigger it, near misses that do not."""

from __future__ import annotations

import ctypes
import re

import numpy as np
import pytest

from .cuda_sim import COMPILERS, KERNELS, Run, compiled, unwritten
from .test_cuda_sim_instructions import aligned, tensor_map

if not COMPILERS:
    pytest.skip("the simulator needs a C++ compiler on Linux", allow_module_level=True)

TEXT = (KERNELS / "checks.cu").read_text("utf-8")
NAMES = re.findall(r"^(?:KERNEL\(|extern .* )(bad_\w+|good_\w+)", TEXT, flags=re.M)
BAD = [name for name in NAMES if name.startswith("bad_")]
GOOD = [name for name in NAMES if name.startswith("good_")]
# The second word of a name is its kind, with these exceptions.
KINDS = {"bad_bounds_local": "bounds", "bad_read_only": "read_only"}
BLOCKS = ("_blocks", "_last_block")
# What follows from a fault: who reads too early may find what nobody has written yet.
CONSEQUENCES = {"race": {"poison"}, "async": {"poison"}}
# clang takes loads of 16 bytes apart before its sanitizer sees them, leaves small
# memset out, and does not look at elements of local arrays (a wgmma's registers).
ONLY_GCC = (
    "bad_alignment", "bad_alignment_load", "bad_bounds_straddle", "group_fence_twice",
    "group_async", "group_async_no_commit", "group_async_touched",
)  # fmt: skip


def kind_of(name: str) -> str:
    return KINDS.get(name, name.split("_")[1])


def run(name: str, compiler: str = COMPILERS[0], drop: int = 0) -> Run:
    x, y = aligned(256, np.float32), aligned(256, np.float32)
    x.flags.writeable = False
    z = unwritten(64, np.float32)
    blocks = 2 if any(part in name for part in BLOCKS) else 1
    return compiled("checks.cu", compiler).run(
        name, x, y, z, grid=blocks, block=64, shared=256, drop=drop
    )


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", BAD)
def test_found(name: str, compiler: str) -> None:
    if compiler != "g++" and name in ONLY_GCC:
        pytest.skip("see ONLY_GCC")
    result = run(name, compiler)
    assert result.findings > 0
    assert kind_of(name) in result.kinds, result.found
    # Nothing but what was planted, save what follows from it.
    extra = result.kinds - {kind_of(name)} - CONSEQUENCES.get(kind_of(name), set())
    assert not extra, result.found


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", GOOD)
def test_near_miss(name: str, compiler: str) -> None:
    result = run(name, compiler)
    assert result.findings == 0, result.found


def test_every_kernel_is_run() -> None:
    assert set(NAMES) == set(BAD) | set(GOOD)
    kinds = {kind_of(name) for name in BAD}
    assert kinds >= {
        "bounds", "read_only", "poison", "alignment", "race", "divergent", "deadlock",
        "mask", "undefined", "range", "trap", "local", "async", "mbarrier", "proxy",
    }  # fmt: skip


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", re.findall(r"^TENSOR\((\w+),", TEXT, flags=re.M))
def test_tensor(name: str, compiler: str) -> None:
    unit = compiled("checks.cu", compiler)
    x, y = aligned((8, 32), np.float32), aligned(64, np.float32)
    mapped = tensor_map(unit, x, (4, 32), kind=7)
    result = unit.run(name, mapped, y, block=64, shared=512, buffers=[x])
    kind = name.removeprefix("tensor_")
    assert result.kinds == (set() if kind == "good" else {kind}), result.found


def test_no_tensor_map() -> None:
    unit = compiled("checks.cu")
    y = aligned(64, np.float32)
    empty = (ctypes.c_uint64 * 16)()
    result = unit.run("tensor_good", empty, y, block=64, shared=512)
    assert result.kinds == {"tensor"}


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", re.findall(r"^GROUP\((\w+),", TEXT, flags=re.M))
def test_group(name: str, compiler: str) -> None:
    if compiler != "g++" and name in ONLY_GCC:
        pytest.skip("see ONLY_GCC")
    y = aligned(512, np.float32)
    result = compiled("checks.cu", compiler).run(name, y, block=128, shared=4096)
    kind = name.split("_")[1]
    expected = set() if kind == "good" else {kind}
    if name == "group_async_shared":  # what is written there has not been fenced either
        expected.add("proxy")
    assert result.kinds == expected, result.found


# ---- what findings say


def test_a_finding_names_its_places() -> None:
    line = TEXT[: TEXT.index("KERNEL(bad_race_neighbour")].count("\n") + 1
    first = run("bad_race_neighbour").found[0]
    assert first["kind"] == "race"
    assert first["kernel"] == "bad_race_neighbour"
    assert first["block"] == [0, 0, 0]
    assert first["line"] == line
    assert first["memory"] == "shared memory"
    assert first["first"]["line"] == first["second"]["line"] == line
    assert {first["first"]["access"], first["second"]["access"]} == {"read", "write"}
    assert first["first"]["thread"] != first["second"]["thread"]
    assert first["missing"] in ("__syncthreads", "__syncwarp")
    assert first["missing"] in first["text"]


def test_bounds_name_the_buffer() -> None:
    (finding,) = run("bad_bounds_behind").found
    assert finding["memory"] == "buffer 0"
    assert finding["offset"] == 1024
    assert "at byte 1024 of buffer 0 of 1024 bytes" in finding["text"]
    (finding,) = run("bad_bounds_array").found
    assert "index 64" in finding["text"]


def test_a_deadlock_says_who_waits_where() -> None:
    (finding,) = run("bad_divergent_half").found
    line = TEXT[: TEXT.index("KERNEL(bad_divergent_half")].count("\n") + 1
    assert finding["waiting"] == [
        {"threads": [0, 31], "count": 32,
         "what": f"wait at __syncthreads (kernels0.cpp:{line})".replace(
             "kernels0.cpp", finding["file"])},
        {"threads": [32, 63], "count": 32, "what": "left the kernel"},
    ]  # fmt: skip


def test_findings_are_counted_and_told_once() -> None:
    result = run("bad_race_all_write")
    assert result.findings == 63
    assert len(result.found) == 1


# ---- launches


def launch(block: int, shared: int = 0, limit: int = 0) -> Run:
    unit = compiled("checks.cu")
    x, y = aligned(256, np.float32), aligned(256, np.float32)
    unit.engine.opslib_cuda_sim_shared_limit(ctypes.c_uint64(limit))
    try:
        z = unwritten(64, np.float32)
        return unit.run("good_bounds_shared", x, y, z, block=block, shared=shared)
    finally:
        unit.engine.opslib_cuda_sim_shared_limit(ctypes.c_uint64(0))


def test_launches() -> None:
    assert launch(64, shared=256).findings == 0
    assert launch(1025).kinds == {"launch"}
    assert launch(0).kinds == {"launch"}
    assert launch(64, shared=227 * 1024).findings == 0
    assert launch(64, shared=227 * 1024 + 16).kinds == {"launch"}
    assert launch(64, shared=48 * 1024, limit=48 * 1024).findings == 0
    assert launch(64, shared=48 * 1024 + 16, limit=48 * 1024).kinds == {"launch"}


def test_after_a_fault_the_next_launch_is_as_new() -> None:
    for name in ("bad_bounds_behind", "bad_divergent_half", "bad_deadlock_second_phase",
                 "bad_async_no_wait", "bad_race_all_write"):  # fmt: skip
        assert run(name).findings > 0
        for good in (
            "good_async_wait",
            "good_mbarrier",
            "good_race_flag",
            "good_store",
        ):
            assert run(good).findings == 0
