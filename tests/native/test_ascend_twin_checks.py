"""Each of the twin's checks: a kernel that triggers it, a near miss that does not."""

from __future__ import annotations

import re

import numpy as np
import pytest

from .ascend_twin import COMPILERS, KERNELS, Run, compiled

if not COMPILERS:
    pytest.skip("the twin is C++: no compiler here", allow_module_level=True)

KINDS = {
    "capacity": "capacity", "l0a_capacity": "capacity", "extent": "extent",
    "subtensor_extent": "extent", "past_the_buffer": "capacity",
    "alignment": "alignment", "tensor_alignment": "alignment",
    "copy_length": "alignment", "gather_offset": "alignment",
    "gather_extent": "extent", "poison": "poison", "dummy": "poison",
    "poison_out": "poison", "poison_scalar": "poison", "work": "poison",
    "mask": "poison", "bounds": "bounds", "bounds_before": "bounds",
    "bounds_stride": "bounds", "global_count": "bounds", "global_extent": "extent",
    "cache": "cache", "cache_line": "cache", "cache_whole": "cache",
    "block_count": "range", "padding": "range",
    "mask_lanes": "range", "mask_of_bytes": "type", "compare_count": "range",
    "reduce_repeats": "range", "progression": "range",
    "brcb_in_place": "overlap",
    "work_size": "extent", "overlap": "overlap", "cast_overlap": "overlap",
    "work_overlap": "overlap",
    "bf16": "type", "i8": "type", "cast_pair": "type", "cast_mode": "type",
    "compare_type": "type", "position": "position", "event_twice": "event",
    "event_unset": "event", "event_other_pair": "event", "event_left": "event",
    "event_reserved": "event", "event_range": "event", "barrier": "barrier",
    "core": "core", "path": "unsupported",
}  # fmt: skip
TEXT = (KERNELS / "checks.cpp").read_text("utf-8")
ALL = re.findall(r"^KERNEL\((\w+)\)", TEXT, flags=re.M)
BAD = [name.removeprefix("bad_") for name in ALL if name.startswith("bad_")]
GOOD = [name.removeprefix("good_") for name in ALL if name.startswith("good_")]


def run(name: str, compiler: str = COMPILERS[0], target: int = 2201) -> Run:
    arrays = [np.ones(64, np.float32) for _ in range(3)]
    return compiled("checks.cpp", compiler, target).run(name, *arrays)


def test_every_kernel_has_its_kind() -> None:
    assert set(BAD) | set(GOOD) == set(KINDS)


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", BAD)
def test_found(name: str, compiler: str) -> None:
    result = run(f"bad_{name}", compiler)
    assert result.findings > 0
    assert KINDS[name] in result.kinds, result.found
    # Nothing but what was planted, save what follows from it.
    consequences = {"past_the_buffer": {"extent"}, "gather_extent": {"poison"}}
    assert result.kinds - consequences.get(name, set()) <= {KINDS[name]}, result.found


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", GOOD)
def test_near_miss(name: str, compiler: str) -> None:
    result = run(f"good_{name}", compiler)
    assert result.findings == 0, result.found


def test_a_finding_names_its_line() -> None:
    line = TEXT[: TEXT.index("Adds(b, a, 1.0f, 9)")].count("\n") + 1
    (finding,) = run("bad_poison").found
    assert finding["line"] == line
    assert finding["op"] == "Adds"
    assert finding["pipe"] == "V"
    assert finding["kernel"] == "bad_poison"
    assert "byte 32 of UB" in finding["text"]


def test_what_differs_between_the_chips() -> None:
    # 950 computes with bfloat16 and int8 and compares a count; 310P has no DataCopyPad.
    for name in ("bf16", "i8", "compare_count", "compare_type", "block_count"):
        assert run(f"bad_{name}", target=3510).findings == 0, name
    assert run("bad_mask_of_bytes", target=3510).kinds == {"unsupported"}
    assert run("good_capacity", target=3510).findings == 0
    assert run("bad_capacity", target=3510).findings == 0  # 253952 bytes there
    assert run("good_padding", target=2002).kinds == {"unsupported"}
    assert run("good_bf16", target=2002).kinds >= {"unsupported", "type"}
    assert run("bad_core", target=2002).findings == 0  # cube and vector in one core
    assert run("good_cache", target=2002).kinds == {"unsupported"}
    assert "unsupported" in run("good_brcb_in_place", target=2002).kinds


def test_copies_of_blocks_may_reach_behind_an_argument() -> None:
    """Memory of aclrtMalloc has 32 bytes more; what lies there is nobody's."""

    def behind(name: str, target: int = 2002) -> set[str]:
        arrays = [np.ones(5, np.float32) for _ in range(3)]
        return compiled("checks.cpp", COMPILERS[0], target).run(name, *arrays).kinds

    assert behind("behind_the_end") == set()
    assert behind("behind_the_end_used") == {"poison"}
    assert "bounds" in behind("behind_the_end_too_far")
    assert behind("behind_the_end_written") == {"bounds"}
    assert "bounds" in behind("behind_the_end", 2201)


def test_findings_are_counted_per_block_and_reported_once() -> None:
    twin = compiled("checks.cpp")
    arrays = [np.ones(64, np.float32) for _ in range(3)]
    result = twin.run("bad_poison", *arrays, blocks=5)
    assert result.findings == 5
    assert len(result.found) == 1
    assert twin.run("good_poison", *arrays, blocks=5).findings == 0
