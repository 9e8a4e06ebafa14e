"""The twin's instructions against values worked by hand from the documentation.

A page of the API reference is named by its number: 07_0078 is
hiascend.com/.../ascendcopapi/atlasascendc_api_07_0078.html (CANN 8.0, English).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from .ascend_twin import BUILDS, COMPILERS, Run, Twin, compiled

if not COMPILERS:
    pytest.skip("the twin is C++: no compiler here", allow_module_level=True)

F16, F32 = np.float16, np.float32
I16, I32, U16 = np.int16, np.int32, np.uint16
INF, NAN = np.inf, np.nan


@pytest.fixture(params=BUILDS)
def twin(request: pytest.FixtureRequest, capfd: Any) -> Iterator[Twin]:
    yield compiled("values.cpp", request.param.compiler, flags=request.param.flags)
    assert "runtime error" not in capfd.readouterr().err  # of the UB sanitizer


def clean(result: Run) -> None:
    assert result.findings == 0, result.found


def check(twin: Twin, name: str, arrays: list[Any], expected: np.ndarray) -> None:
    out = np.zeros_like(expected)
    filled = [np.ascontiguousarray(a) for a in arrays]
    filled += [np.zeros(8, np.uint8)] * (2 - len(filled))
    clean(twin.run(name, *filled, out))
    assert out.tobytes() == expected.tobytes(), f"{out} and not {expected}"


ELEMENTWISE = [
    ("add_f32", F32, [1, 2, 0.5, -1, 1e30, 3, INF, 1],
     [2, 3, 0.25, 1, 1e30, -3, 1, -INF], [3, 5, 0.75, 0, 2e30, 0, INF, -INF]),
    # half: 2048 + 1 is a tie and goes to the even 2048; 65504 + 16 is one, too, and
    # leaves the range; A2 keeps the Inf/NaN mode.
    ("add_f16", F16, [1, 2048, 65504, 65504, 1, 0.5, -1, 6e-8],
     [2, 1, 15, 16, 2**-11, 0.5, 1, 6e-8], [3, 2048, 65504, INF, 1, 1, 0, 1.2e-7]),
    ("add_i16", I16, [1, -2, 32767, -32768, 5, 6, 7, 8], [1, 1, 1, -1, 0, 1, 2, 3],
     [2, -1, -32768, 32767, 5, 7, 9, 11]),
    ("sub_i32", I32, [1, 2, 3, 4, 5, 6, 7, 8], [8, 7, 6, 5, 4, 3, 2, 1],
     [-7, -5, -3, -1, 1, 3, 5, 7]),
    ("mul_i32", I32, [1, -2, 3, 65536, 5, 6, 7, 8], [8, 7, 6, 65536, 4, 3, 2, 1],
     [8, -14, 18, 0, 20, 18, 14, 8]),
    ("mul_f16", F16, [256, 2, 3, 4, 0.1, 6, 7, 8], [256, 7, 6, 5, 0.1, 3, 2, 1],
     [INF, 14, 18, 20, 0.0099945, 18, 14, 8]),
    ("div_f16", F16, [1, 1, 7, 0, -6, 1, 2, 10], [3, 0, 2, 0, 3, 1, 4, 4],
     [0.33325, INF, 3.5, NAN, -2, 1, 0.5, 2.5]),
    ("div_f32", F32, [1, 1, 7, 8, -6, 1, 2, 10], [3, 8, 2, 2, 3, 1, 4, 4],
     [0.33333334, 0.125, 3.5, 4, -2, 1, 0.5, 2.5]),
    ("max_f32", F32, [1, 2, 3, -4, 5, -INF, 7, 8], [8, 7, 6, -5, 4, 3, INF, 1],
     [8, 7, 6, -4, 5, 3, INF, 8]),
    ("min_i32", I32, [1, 2, 3, -4, 5, 6, 7, 8], [8, 7, 6, -5, 4, 3, 2, 1],
     [1, 2, 3, -5, 4, 3, 2, 1]),
    ("and_u16", U16, [0xFFFF, 0xF0F0, 1, 2, 3, 4, 5, 6],
     [0x1234, 0xFF00, 1, 1, 1, 4, 4, 3], [0x1234, 0xF000, 1, 0, 1, 4, 4, 2]),
    ("or_i16", I16, [1, 2, 4, 8, 0, -1, 5, 6], [2, 2, 3, 1, 0, 7, 2, 1],
     [3, 2, 7, 9, 0, -1, 7, 7]),
    ("exp_f32", F32, [0, 1, -1, 2, 88, -100, INF, -INF], None,
     [1, 2.7182817, 0.36787945, 7.389056, 1.6516363e38, 3.783506e-44, INF, 0]),
    ("exp_f16", F16, [0, 1, -1, 2, 11, 12, -INF, 0.5], None,
     [1, 2.719, 0.3679, 7.39, 59872, INF, 0, 1.6484]),
    ("ln_f32", F32, [1, 2, 10, 0.5, 0, INF, 2.7182817, 4], None,
     [0, 0.6931472, 2.3025851, -0.6931472, -INF, INF, 0.99999994, 1.3862944]),
    ("sqrt_f32", F32, [0, 1, 2, 4, 9, 1e-20, INF, 0.25], None,
     [0, 1, 1.4142135, 2, 3, 1e-10, INF, 0.5]),
    ("rsqrt_f32", F32, [1, 4, 2, 16, 0, INF, 0.25, 100], None,
     [1, 0.5, 0.70710677, 0.25, INF, 0, 2, 0.1]),
    ("reciprocal_f32", F32, [1, 2, 3, -4, 0.1, INF, 8, 10], None,
     [1, 0.5, 0.33333334, -0.25, 10, 0, 0.125, 0.1]),
    ("abs_f16", F16, [1, -2, 0, -0.0, -INF, 3, -65504, 6], None,
     [1, 2, 0, 0, INF, 3, 65504, 6]),
    ("relu_i32", I32, [1, -2, 0, 4, -5, 6, -7, 8], None, [1, 0, 0, 4, 0, 6, 0, 8]),
    ("not_i16", I16, [0, -1, 1, 2, 0x0F0F, 5, 6, 7], None,
     [-1, 0, -2, -3, -3856, -6, -7, -8]),
    ("adds_f16", F16, [1, 2, 3, -0.5, 0, 6, 7, 1024], None,
     [1.5, 2.5, 3.5, 0, 0.5, 6.5, 7.5, 1024]),  # 1024.5: a tie
    ("muls_i16", I16, [1, 2, -3, 4, 0, 6, 7, 16384], None,
     [-3, -6, 9, -12, 0, -18, -21, 16384]),  # -49152 modulo 65536
    ("maxs_f32", F32, [1, 2, -3, 1.5, 0, 6, INF, -INF], None,
     [1.5, 2, 1.5, 1.5, 1.5, 6, INF, 1.5]),
    ("mins_i32", I32, [1, 2, -3, 4, 5, 6, 7, 8], None, [1, 2, -3, 4, 4, 4, 4, 4]),
    ("shl_i32", I32, [1, -1, 0x10000000, 3, 5, 6, 7, 8], None,
     [16, -16, 0, 48, 80, 96, 112, 128]),
    # The example of the page, 07_0058: 1010101010101010 by one bit, signed and not.
    ("shl_i16", I16, [-0x5556, 1, 0x4000, -1, 5, 6, 7, 8], None,
     [-0x2AAC, 2, 0, -2, 10, 12, 14, 16]),
    ("shl_u16", U16, [0xAAAA, 1, 0x4000, 0xFFFF, 5, 6, 7, 8], None,
     [0x5554, 2, 0x8000, 0xFFFE, 10, 12, 14, 16]),
    ("shr_i32", I32, [16, -16, -1, 33, 80, 96, 112, 128], None,
     [1, -1, -1, 2, 5, 6, 7, 8]),
    ("shr_u16", U16, [16, 0xFFFF, 15, 33, 80, 96, 112, 128], None,
     [1, 0x0FFF, 0, 2, 5, 6, 7, 8]),
    ("leaky_f32", F32, [4, -4, 0, -1, 5, -6, 7, -8], None,
     [4, -1, 0, -0.25, 5, -1.5, 7, -2]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "dtype", "a", "b", "expected"),
    ELEMENTWISE,
    ids=[c[0] for c in ELEMENTWISE],
)
def test_elementwise(
    twin: Twin, name: str, dtype: Any, a: Any, b: Any, expected: Any
) -> None:
    arrays = [np.array(a, dtype)] + ([] if b is None else [np.array(b, dtype)])
    out = np.zeros(8, dtype)
    arrays += [np.zeros(8, np.uint8)] * (2 - len(arrays))
    clean(twin.run(name, *arrays, out))
    np.testing.assert_array_equal(out, np.array(expected, dtype))


def test_axpy_adds_the_product_to_the_destination(twin: Twin) -> None:
    a, c = np.arange(8, dtype=F32), np.full(8, 10, F32)
    check(twin, "axpy_f32", [a, c], np.array([10, 12, 14, 16, 18, 20, 22, 24], F32))


def test_duplicate_and_ramps(twin: Twin) -> None:
    check(twin, "duplicate_f16", [], np.full(5, 1.5, F16))
    # CreateVecIndex, 07_0224: firstValue, firstValue + 1, ...
    check(twin, "ramp_i32", [], np.array([7, 8, 9, 10, 11, 12], I32))
    # 07_0856: from the first value on by a step that is not below 0; 07_0090: by 1.
    for name in ("progression_f32", "arange_f32"):
        check(twin, name, [], np.array([-1, -0.5, 0, 0.5, 1], F32))
    check(twin, "ramp_f32", [], np.array([-2, -1, 0, 1, 2], F32))


def test_masks_leave_the_other_lanes_alone(twin: Twin) -> None:
    a, b = np.arange(128, dtype=F32), np.full(128, 100, F32)
    out = np.full(128, -1, F32)
    expected = out.copy()
    expected[[1, 3, 65, 67]] = [101, 103, 165, 167]
    clean(twin.run("masked_add", a, b, out))
    np.testing.assert_array_equal(out, expected)


def test_a_block_stride_of_zero_repeats_a_block(twin: Twin) -> None:
    a = np.arange(128, dtype=F32)
    b = np.repeat(np.array([10, 20], F32), 8)
    out = np.zeros(128, F32)
    clean(twin.run("broadcast_sub", a, b, out))
    np.testing.assert_array_equal(out, a - np.repeat(np.array([10, 20], F32), 64))


def test_compare_sets_a_bit_for_each_element(twin: Twin) -> None:
    a = np.zeros(64, F32)
    a[[1, 8, 15, 63]] = -1
    check(
        twin, "compare_f32", [a, np.zeros(64, F32)],
        np.array([0b10, 0b1, 0, 0, 0, 0, 0, 0x80], np.uint8)
        + np.array([0, 0x80, 0, 0, 0, 0, 0, 0], np.uint8),
    )  # fmt: skip
    h = np.zeros(128, F16)
    h[[0, 5, 127]] = [2, 3, NAN]
    expected = np.zeros(16, np.uint8)
    expected[0] = 0b100001
    check(twin, "compare_scalar_f16", [h], expected)


def test_select(twin: Twin) -> None:
    # The example of 07_0070: a set bit takes src0, a clear one src1.
    rows = np.arange(1, 17, dtype=F32)
    mask = np.array([0b11110000, 0, 0, 0], np.uint8)
    check(twin, "select_f32", [rows, mask], np.array([9, 10, 11, 12, 5, 6, 7, 8], F32))
    mask[0] = 0b00000101
    check(
        twin, "select_scalar_f32", [rows, mask],
        np.array([1, -1, 3, -1, -1, -1, -1, -1], F32),
    )  # fmt: skip
    # Mode 0: the first 64 bits serve each repeat of 64 floats.
    both = np.concatenate([np.arange(128), -np.ones(128)]).astype(F32)
    first = np.zeros(8, np.uint8)
    first[0] = 2
    expected = np.full(128, -1, F32)
    expected[[1, 65]] = [1, 65]
    check(twin, "select_repeating_f32", [both, first], expected)


def test_gather_takes_offsets_in_bytes(twin: Twin) -> None:
    table = np.arange(16, dtype=F16) * 10
    offsets = np.array([0, 2, 4, 26, 0, 8, 6, 2], np.uint32)
    # The base of 4 bytes is two elements.
    check(
        twin, "gather_f16", [table, offsets],
        np.array([20, 30, 40, 150, 20, 60, 50, 30], F16),
    )  # fmt: skip


def test_brcb_fills_a_block_with_each_element(twin: Twin) -> None:
    a = np.array([5, 6, 7, 8, 9, 10, 11, 12], F32)
    check(twin, "brcb_f32", [a], np.repeat(a, 8))


def test_copy(twin: Twin) -> None:
    a = np.arange(128, dtype=I16)
    check(twin, "copy_i16", [a], a)


def test_reduce_sum(twin: Twin) -> None:
    check(twin, "reduce_sum_f32", [np.arange(100, dtype=F32)], np.array([4950], F32))
    # The order of 07_0078: neighbours first, so 1e8 - 1e8 leaves the ones alone; the
    # tail repeat (36 elements) is a tree of its own, added last.
    a = np.ones(100, F32)
    a[[0, 1]] = [1e8, -1e8]
    check(twin, "reduce_sum_f32", [a], np.array([98], F32))
    a[[0, 1, 2]] = [1e8, 1, -1e8]  # (1e8 + 1) + (-1e8 + 1): both ones are lost
    check(twin, "reduce_sum_f32", [a], np.array([96], F32))


@pytest.mark.parametrize("compiler", COMPILERS)
def test_reduce_sum_saturates_where_the_chip_does(compiler: str) -> None:
    # The example of 07_0078: 60000 + 60000 stays at 65504. Its exact rest is -29900 and
    # 35604, which half holds as -29904 and, of the tie 35600, as the even 35584.
    a = np.zeros(16, F16)
    a[:4] = [60000, 60000, -30000, 100]
    out = np.zeros(16, F16)
    clean(compiled("values.cpp", compiler, 2002).run("reduce_sum_f16", a, a, out))
    assert out[0] == 35584
    clean(compiled("values.cpp", compiler, 2201).run("reduce_sum_f16", a, a, out))
    assert out[0] == INF


def test_reduce_extremes(twin: Twin) -> None:
    a = np.array([3, 9, -2, 9, 1, 0, 5, 4], F32)
    out = np.zeros(2, F32)
    clean(twin.run("reduce_max_index", a, a, out))
    # The index is an integer in a float's place (07_0075), the first of equals.
    assert out[0] == 9
    assert out.view(np.int32)[1] == 1
    check(twin, "reduce_min_f16", [a.astype(F16)], np.array([-2], F16))


def test_whole_and_block_reductions(twin: Twin) -> None:
    a = np.arange(128, dtype=F32)
    check(twin, "whole_sum", [a], np.array([2016, 6112], F32))
    out = np.zeros(4, F32)
    clean(twin.run("whole_max", a, a, out))
    assert list(out[[0, 2]]) == [63, 127]
    assert list(out.view(np.int32)[[1, 3]]) == [63, 63]
    check(twin, "whole_min_value", [a[::-1].copy()], np.array([96, 32], F32))
    b = np.arange(64, dtype=F32)
    check(twin, "block_max", [b], np.array([7, 15, 23, 31, 39, 47, 55, 63], F32))
    check(twin, "block_sum_f16", [np.ones(128, F16)], np.full(8, 16, F16))
    check(twin, "pair_sum", [b], np.arange(1, 128, 4, dtype=F32))


def test_data_copy_pad(twin: Twin) -> None:
    # 07_0265: gaps of 8 bytes in GM and of one block in UB; left 1 and right 2 elements
    # of padding make rows of 24 bytes, 32 with what nobody may read.
    a = np.arange(8, dtype=F32)
    check(
        twin, "rows_in", [a],
        np.array([9, 0, 1, 2, 9, 9, 9, 5, 6, 7, 9, 9], F32),
    )  # fmt: skip
    out = np.full(16, -1, F32)
    clean(twin.run("rows_out", np.arange(64, dtype=F32), a, out))
    # Rows of 12 bytes start 64 bytes apart in UB and 20 bytes apart in GM.
    expected = [0, 1, 2, -1, -1, 16, 17, 18, -1, -1, 32, 33, 34, -1, -1, -1]
    np.testing.assert_array_equal(out, np.array(expected, F32))


@pytest.mark.parametrize("compiler", COMPILERS)
def test_wide_integers_of_950_have_no_sign(compiler: str) -> None:
    twin = compiled("values.cpp", compiler, 3510)
    a = np.array([1, 2**63, 2**64 - 1, 5, 6, 7, 8, 0], np.uint64)
    b = np.array([2**63, 1, 3, 2**64 - 2, 6, 8, 7, 0], np.uint64)
    check(twin, "max_u64", [a, b], np.maximum(a, b))
    check(twin, "shr_u64", [a], a >> np.uint64(60))
    check(twin, "compare_u64", [a, b], np.packbits(a < b, bitorder="little"))


def test_sorting(twin: Twin) -> None:
    # 07_0842: descending entries of 8 bytes, the score low and the index high.
    scores = np.array([(i * 37) % 64 for i in range(64)], F32)
    scores[scores == 5] = 6
    index = np.arange(64, dtype=np.uint32) + 100
    out = np.zeros(128, F32)
    clean(twin.run("sort_f32", scores, index, out))
    order = sorted(range(64), key=lambda i: -scores[i])  # stable
    np.testing.assert_array_equal(out[::2], scores[order])
    np.testing.assert_array_equal(out.view(np.uint32)[1::2], index[order])


def test_estimates_are_as_bad_as_a_device_may_be() -> None:
    approximate = compiled("values.cpp", flags=("-DOPSLIB_TWIN_APPROXIMATE",))
    a = np.array([1, 2, 3, 5, 7, 11, 13, 0], F32)
    out = np.zeros(8, F32)
    for name, power in [("rsqrt_f32", -0.5), ("reciprocal_f32", -1)]:
        clean(approximate.run(name, a, a, out))
        error = out[:7] / a[:7].astype(np.float64) ** power - 1
        assert np.all(np.abs(np.abs(error) - 2e-4) < 1e-6)
        assert len(set(np.sign(error))) == 2  # both ways
        assert out[7] == INF
    clean(approximate.run("exp_f32", a, a, out))
    np.testing.assert_array_equal(out, np.exp(a.astype(np.float64)).astype(F32))


def test_a_nan_among_extremes_is_counted(twin: Twin) -> None:
    # No page says what Max makes of a nan, so the twin spreads it and counts the lane,
    # and the approximate one takes the number.
    a = np.array([1, NAN, 3, NAN, 5, 6, 7, 8], F32)
    b = np.array([2, 2, NAN, NAN, 4, 4, 4, 4], F32)
    out = np.zeros(8, F32)
    approximate = compiled("values.cpp", flags=("-DOPSLIB_TWIN_APPROXIMATE",))
    for which, expected in [
        (twin, [2, NAN, NAN, NAN, 5, 6, 7, 8]),
        (approximate, [2, 2, 3, NAN, 5, 6, 7, 8]),
    ]:
        result = which.run("max_f32", a, b, out)
        clean(result)
        np.testing.assert_array_equal(out, np.array(expected, F32))
        assert result.counters["NanChoices"] == 3
    for which, most, index in [(twin, NAN, 1), (approximate, 8, 7)]:
        result = which.run("reduce_max_index", a, a, out)
        clean(result)
        np.testing.assert_array_equal(out[0], F32(most))
        assert out.view(np.int32)[1] == index
        assert result.counters["NanChoices"] > 0


def test_atomic_add(twin: Twin) -> None:
    out = np.array([10, 20, 30, 40], F32)
    clean(twin.run("atomic_add", np.array([1, 2, 3, 4], F32), out, out))
    np.testing.assert_array_equal(out, np.array([11, 22, 33, 44], F32))


def test_scalars(twin: Twin) -> None:
    out = np.zeros(2, np.int64)
    clean(twin.run("scalars", np.array([7, 1 << 40], np.int64), out, out))
    assert list(out) == [(1 << 40) - 5, 0]
    a = np.array([1, -2, 0.5, 0, -0.0, 3, 4, INF], F32)
    check(twin, "reinterpret", [a], a.view(I32))
