// Each check has a kernel that triggers it (bad_...) and a near miss that does not
// (good_...).  All run on 2201 unless the test says otherwise.
#include "kernels.h"

namespace {
const DataCopyPadExtParams<float> kNoPad{false, 0, 0, 0.0f};
}

// ---- capacity: 188160 bytes of UB are usable, 47040 floats
KERNEL(bad_capacity) { ub<float>(0, 47041); }
KERNEL(good_capacity) { ub<float>(0, 47040); }
KERNEL(bad_l0a_capacity) { LocalTensor<half>(TPosition::A2, 512, 32 * 1024); }
KERNEL(good_l0a_capacity) { LocalTensor<half>(TPosition::A2, 0, 32 * 1024); }
// a tile one block too large: past the declared tensor, not past UB
KERNEL(bad_extent) {
    auto a = ub<float>(0, 64);
    Duplicate(a, 1.0f, 72);
}
KERNEL(good_extent) {
    auto a = ub<float>(0, 64);
    Duplicate(a, 1.0f, 64);
}
KERNEL(bad_subtensor_extent) {
    auto a = ub<float>(0, 64);
    Duplicate(a[32], 1.0f, 33);
}
KERNEL(good_subtensor_extent) {
    auto a = ub<float>(0, 64);
    Duplicate(a[32], 1.0f, 32);
}
KERNEL(bad_past_the_buffer) {
    auto a = ub<float>(188128, 8);
    Duplicate(a, 1.0f, 4000);
}

// ---- alignment
KERNEL(bad_alignment) {
    auto a = ub<float>(0, 64);
    Duplicate(a[1], 1.0f, 8);
}
KERNEL(good_alignment) {
    auto a = ub<float>(0, 64);
    Duplicate(a[8], 1.0f, 8);
}
KERNEL(bad_tensor_alignment) { ub<float>(48, 8); }
KERNEL(good_tensor_alignment) { ub<float>(64, 8); }
KERNEL(bad_copy_length) {
    auto a = ub<float>(0, 64);
    DataCopy(a, gm<float>(x, 64), 7u);
}
KERNEL(good_copy_length) {
    auto a = ub<float>(0, 64);
    DataCopy(a, gm<float>(x, 64), 8u);
}
KERNEL(bad_gather_offset) {
    auto a = ub<float>(0, 8), c = ub<float>(64, 8);
    auto o = ub<uint32_t>(128, 8);
    load(a, x, 8);
    Duplicate(o, 2u, 8);
    PipeBarrier<PIPE_V>();
    Gather(c, a, o, 0, 8);
}
KERNEL(good_gather_offset) {
    auto a = ub<float>(0, 8), c = ub<float>(64, 8);
    auto o = ub<uint32_t>(128, 8);
    load(a, x, 8);
    Duplicate(o, 28u, 8);
    PipeBarrier<PIPE_V>();
    Gather(c, a, o, 0, 8);
}
KERNEL(bad_gather_extent) {
    auto a = ub<float>(0, 8), c = ub<float>(64, 8);
    auto o = ub<uint32_t>(128, 8);
    load(a, x, 8);
    Duplicate(o, 32u, 8);
    PipeBarrier<PIPE_V>();
    Gather(c, a, o, 0, 8);
}

// ---- poison
KERNEL(bad_poison) {
    auto a = ub<float>(0, 64), b = ub<float>(256, 64);
    Duplicate(a, 1.0f, 8);
    PipeBarrier<PIPE_V>();
    Adds(b, a, 1.0f, 9);
}
KERNEL(good_poison) {
    auto a = ub<float>(0, 64), b = ub<float>(256, 64);
    Duplicate(a, 1.0f, 9);
    PipeBarrier<PIPE_V>();
    Adds(b, a, 1.0f, 9);
}
// the dummy bytes that fill the last block of a copy
KERNEL(bad_dummy) {
    auto a = ub<float>(0, 8), b = ub<float>(256, 8);
    load(a, x, 5);
    Adds(b, a, 1.0f, 6);
}
KERNEL(good_dummy) {
    auto a = ub<float>(0, 8), b = ub<float>(256, 8);
    load(a, x, 5);
    Adds(b, a, 1.0f, 5);
}
KERNEL(bad_poison_out) {
    auto a = ub<float>(0, 8);
    Duplicate(a, 1.0f, 3);
    store(z, a, 4);
}
KERNEL(good_poison_out) {
    auto a = ub<float>(0, 8);
    Duplicate(a, 1.0f, 4);
    store(z, a, 4);
}
KERNEL(bad_poison_scalar) {
    auto a = ub<int32_t>(0, 8);
    a.SetValue(0, 1);
    a.SetValue(1, a.GetValue(2));
}
KERNEL(good_poison_scalar) {
    auto a = ub<int32_t>(0, 8);
    a.SetValue(0, 1);
    a.SetValue(1, a.GetValue(0));
}
// what a reduction leaves in its work tensor
KERNEL(bad_work) {
    auto a = ub<float>(0, 64), w = ub<float>(256, 64), c = ub<float>(512, 8);
    Duplicate(a, 1.0f, 64);
    Duplicate(w, 1.0f, 64);
    PipeBarrier<PIPE_V>();
    ReduceSum(c, a, w, 64);
    PipeBarrier<PIPE_V>();
    Adds(a, w, 1.0f, 8);
}
KERNEL(good_work) {
    auto a = ub<float>(0, 64), w = ub<float>(256, 64), c = ub<float>(512, 8);
    Duplicate(a, 1.0f, 64);
    Duplicate(w, 1.0f, 64);
    PipeBarrier<PIPE_V>();
    ReduceSum(c, a, w, 64);
    PipeBarrier<PIPE_V>();
    Adds(a, w[8], 1.0f, 8);
}
// mask bits that come from lanes nobody wrote
KERNEL(bad_mask) {
    auto a = ub<float>(0, 64), c = ub<float>(256, 64);
    auto m = ub<uint8_t>(512, 32);
    Duplicate(a, 1.0f, 8);
    Duplicate(c, 1.0f, 16);
    PipeBarrier<PIPE_V>();
    CompareScalar(m, a, 0.0f, CMPMODE::GT, 64);
    PipeBarrier<PIPE_V>();
    Select(c, m, c, 0.0f, SELMODE::VSEL_TENSOR_SCALAR_MODE, 16);
}
KERNEL(good_mask) {
    auto a = ub<float>(0, 64), c = ub<float>(256, 64);
    auto m = ub<uint8_t>(512, 32);
    Duplicate(a, 1.0f, 9);
    Duplicate(c, 1.0f, 16);
    PipeBarrier<PIPE_V>();
    CompareScalar(m, a, 0.0f, CMPMODE::GT, 64);
    PipeBarrier<PIPE_V>();
    Select(c, m, c, 0.0f, SELMODE::VSEL_TENSOR_SCALAR_MODE, 16);
}

// ---- global memory: x has 64 floats
KERNEL(bad_bounds) {
    auto a = ub<float>(0, 72);
    DataCopyPad(a, gm<float>(x, 64)[61], DataCopyExtParams{1, 16, 0, 0, 0}, kNoPad);
}
KERNEL(good_bounds) {
    auto a = ub<float>(0, 72);
    DataCopyPad(a, gm<float>(x, 64)[60], DataCopyExtParams{1, 16, 0, 0, 0}, kNoPad);
}
KERNEL(bad_bounds_before) {
    auto g = gm<float>(x, 64);
    g[-1].GetValue(0);
}
KERNEL(bad_bounds_stride) {
    auto a = ub<float>(0, 72);
    DataCopyPad(a, gm<float>(x, 64), DataCopyExtParams{3, 4, 124, 0, 0}, kNoPad);
}
KERNEL(good_bounds_stride) {
    auto a = ub<float>(0, 72);
    DataCopyPad(a, gm<float>(x, 64), DataCopyExtParams{2, 4, 124, 0, 0}, kNoPad);
}
KERNEL(bad_global_count) { gm<float>(x, 65); }
KERNEL(good_global_count) { gm<float>(x + 4, 63); }
KERNEL(bad_global_extent) { gm<float>(x, 3).GetValue(3); }
KERNEL(good_global_extent) { gm<float>(x, 3).GetValue(2); }
KERNEL(bad_cache) { gm<float>(z, 64).SetValue(0, 1.0f); }
KERNEL(good_cache) {
    auto g = gm<float>(z, 64);
    g.SetValue(0, 1.0f);
    DataCacheCleanAndInvalid<float, CacheLine::SINGLE_CACHE_LINE,
                             DcciDst::CACHELINE_OUT>(g);
}
KERNEL(bad_cache_line) {
    auto g = gm<float>(z, 64);
    g.SetValue(32, 1.0f);
    DataCacheCleanAndInvalid<float, CacheLine::SINGLE_CACHE_LINE,
                             DcciDst::CACHELINE_OUT>(g);
}
KERNEL(good_cache_whole) {
    auto g = gm<float>(z, 64);
    g.SetValue(32, 1.0f);
    DataCacheCleanAndInvalid<float, CacheLine::ENTIRE_DATA_CACHE,
                             DcciDst::CACHELINE_OUT>(g);
}

// ---- behind an argument of 20 bytes, where 310P may look and find nothing
void behind(const LocalTensor<float>& a, __gm__ uint8_t* x, uint32_t count) {
    DataCopy(a, gm<float>(x, 5), count);
    PipeBarrier<PIPE_ALL>();
}
KERNEL(behind_the_end) {
    auto a = ub<float>(0, 8), b = ub<float>(32, 8);
    behind(a, x, 8);
    Adds(b, a, 1.0f, 5);
}
KERNEL(behind_the_end_used) {
    auto a = ub<float>(0, 8), b = ub<float>(32, 8);
    behind(a, x, 8);
    Adds(b, a, 1.0f, 6);
}
KERNEL(behind_the_end_too_far) { behind(ub<float>(0, 16), x, 16); }
KERNEL(behind_the_end_written) {
    auto a = ub<float>(0, 8);
    Duplicate(a, 1.0f, 8);
    PipeBarrier<PIPE_ALL>();
    DataCopy(gm<float>(z, 5), a, 8);
}

// ---- ranges
KERNEL(bad_block_count) {
    auto a = ub<float>(0, 40000);
    DataCopyPad(a, gm<float>(x, 64), DataCopyExtParams{4096, 0, 0, 0, 0}, kNoPad);
}
KERNEL(good_block_count) {
    auto a = ub<float>(0, 40000);
    DataCopyPad(a, gm<float>(x, 64), DataCopyExtParams{4095, 0, 0, 0, 0}, kNoPad);
}
KERNEL(bad_padding) {
    auto a = ub<float>(0, 64);
    DataCopyPad(a, gm<float>(x, 64), DataCopyExtParams{1, 4, 0, 0, 0},
                DataCopyPadExtParams<float>{true, 0, 9, 0.0f});
}
KERNEL(good_padding) {
    auto a = ub<float>(0, 64);
    DataCopyPad(a, gm<float>(x, 64), DataCopyExtParams{1, 4, 0, 0, 0},
                DataCopyPadExtParams<float>{true, 0, 8, 0.0f});
}
KERNEL(bad_mask_lanes) {
    auto a = ub<float>(0, 128);
    Duplicate(a, 1.0f, uint64_t(65), 1, 1, 8);
}
KERNEL(good_mask_lanes) {
    auto a = ub<float>(0, 128);
    Duplicate(a, 1.0f, uint64_t(64), 1, 1, 8);
}
KERNEL(bad_mask_of_bytes) {
    auto a = ub<int8_t>(0, 256);
    Duplicate(a, int8_t(1), uint64_t(8), 1, 1, 8);
}
KERNEL(bad_compare_count) {
    auto a = ub<float>(0, 128);
    auto m = ub<uint8_t>(512, 32);
    load(a, x, 64);
    CompareScalar(m, a, 0.0f, CMPMODE::GT, 60);
}
KERNEL(good_compare_count) {
    auto a = ub<float>(0, 128);
    auto m = ub<uint8_t>(512, 32);
    load(a, x, 60);
    CompareScalar(m, a, 0.0f, CMPMODE::GT, 64);
}
KERNEL(bad_reduce_repeats) {
    auto a = ub<float>(0, 64), c = ub<float>(256, 8);
    load(a, x, 64);
    WholeReduceSum(c, a, 64, 256, 0, 1, 0);
}
KERNEL(good_reduce_repeats) {
    auto a = ub<float>(0, 64), c = ub<float>(256, 8);
    load(a, x, 64);
    WholeReduceSum(c, a, 64, 1, 0, 1, 0);
}
KERNEL(bad_work_size) {
    auto a = ub<float>(0, 64 * 9), w = ub<float>(4096, 8), c = ub<float>(8192, 8);
    Duplicate(a, 1.0f, 64 * 9);
    PipeBarrier<PIPE_V>();
    ReduceSum(c, a, w, 64 * 9);
}
KERNEL(good_work_size) {
    auto a = ub<float>(0, 64 * 9), w = ub<float>(4096, 16), c = ub<float>(8192, 8);
    Duplicate(a, 1.0f, 64 * 9);
    PipeBarrier<PIPE_V>();
    ReduceSum(c, a, w, 64 * 9);
}
KERNEL(bad_overlap) {
    auto a = ub<float>(0, 64);
    Duplicate(a, 1.0f, 64);
    PipeBarrier<PIPE_V>();
    Adds(a[8], a, 1.0f, 16);
}
KERNEL(good_overlap) {
    auto a = ub<float>(0, 64);
    Duplicate(a, 1.0f, 64);
    PipeBarrier<PIPE_V>();
    Adds(a, a, 1.0f, 16);
}
KERNEL(bad_work_overlap) {
    auto a = ub<float>(0, 64), w = ub<float>(256, 64), c = ub<float>(256, 8);
    Duplicate(a, 1.0f, 64);
    PipeBarrier<PIPE_V>();
    ReduceSum(c, a, w, 64);
}
KERNEL(good_work_overlap) {
    auto a = ub<float>(0, 64), w = ub<float>(256, 64), c = ub<float>(512, 8);
    Duplicate(a, 1.0f, 64);
    PipeBarrier<PIPE_V>();
    ReduceSum(c, a, w, 64);
}
KERNEL(bad_cast_overlap) {
    auto a = ub<float>(0, 64);
    Duplicate(a, 1.0f, 64);
    PipeBarrier<PIPE_V>();
    Cast(a.ReinterpretCast<half>(), a, RoundMode::CAST_RINT, 16);
}
KERNEL(good_cast_overlap) {
    auto a = ub<float>(0, 64);
    Duplicate(a, 1.0f, 64);
    PipeBarrier<PIPE_V>();
    Cast(a.ReinterpretCast<int32_t>(), a, RoundMode::CAST_RINT, 16);
}

// ---- types
KERNEL(bad_bf16) {
    auto a = ub<bfloat16_t>(0, 64);
    load(a, x, 8);
    Add(a, a, a, 8);
}
KERNEL(good_bf16) {
    auto a = ub<bfloat16_t>(0, 64);
    auto b = ub<float>(256, 64);
    load(a, x, 8);
    Cast(b, a, RoundMode::CAST_NONE, 8);
}
KERNEL(bad_i8) {
    auto a = ub<int8_t>(0, 64);
    load(a, x, 8);
    Adds(a, a, int8_t(1), 8);
}
KERNEL(good_i8) {
    auto a = ub<int8_t>(0, 64);
    auto b = ub<half>(256, 64);
    load(a, x, 8);
    Cast(b, a, RoundMode::CAST_NONE, 8);
}
KERNEL(bad_cast_pair) {
    auto a = ub<int8_t>(0, 64);
    auto b = ub<float>(256, 64);
    load(a, x, 8);
    Cast(b, a, RoundMode::CAST_NONE, 8);
}
KERNEL(bad_cast_mode) {
    auto a = ub<half>(0, 64);
    auto b = ub<float>(256, 64);
    load(a, x, 8);
    Cast(b, a, RoundMode::CAST_RINT, 8);
}
KERNEL(good_cast_mode) {
    auto a = ub<half>(0, 64);
    auto b = ub<float>(256, 64);
    load(a, x, 8);
    Cast(b, a, RoundMode::CAST_NONE, 8);
}
KERNEL(bad_compare_type) {
    auto a = ub<int32_t>(0, 64);
    auto m = ub<uint8_t>(512, 32);
    load(a, x, 64);
    CompareScalar(m, a, 0, CMPMODE::GT, 64);
}
KERNEL(good_compare_type) {
    auto a = ub<int32_t>(0, 64);
    auto m = ub<uint8_t>(512, 32);
    load(a, x, 64);
    CompareScalar(m, a, 0, CMPMODE::EQ, 64);
}
KERNEL(bad_progression) {
    auto a = ub<float>(0, 64);
    ArithProgression(a, 1.0f, -0.5f, 64);
}
KERNEL(good_progression) {
    auto a = ub<float>(0, 64);
    ArithProgression(a, 1.0f, 0.0f, 64);
}
KERNEL(bad_brcb_in_place) {
    auto a = ub<float>(0, 64);
    load(a, x, 64);
    Brcb(a, a, 1, BrcbRepeatParams{1, 8});
}
KERNEL(good_brcb_in_place) {
    auto a = ub<float>(0, 64), c = ub<float>(256, 64);
    load(a, x, 64);
    Brcb(c, a, 1, BrcbRepeatParams{1, 8});
}
KERNEL(bad_position) {
    LocalTensor<float> a(TPosition::A1, 0, 64);
    Duplicate(a, 1.0f, 64);
}

// ---- events
KERNEL(bad_event_twice) {
    SetFlag<HardEvent::V_MTE2>(0);
    SetFlag<HardEvent::V_MTE2>(0);
    WaitFlag<HardEvent::V_MTE2>(0);
}
KERNEL(good_event_twice) {
    SetFlag<HardEvent::V_MTE2>(0);
    SetFlag<HardEvent::V_MTE2>(1);
    WaitFlag<HardEvent::V_MTE2>(0);
    WaitFlag<HardEvent::V_MTE2>(1);
}
KERNEL(bad_event_unset) { WaitFlag<HardEvent::V_MTE2>(0); }
KERNEL(bad_event_other_pair) {
    SetFlag<HardEvent::V_MTE2>(0);
    WaitFlag<HardEvent::V_MTE3>(0);
}
KERNEL(bad_event_left) { SetFlag<HardEvent::V_MTE2>(0); }
KERNEL(bad_event_reserved) {
    SetFlag<HardEvent::V_MTE2>(6);
    WaitFlag<HardEvent::V_MTE2>(6);
}
KERNEL(good_event_reserved) {
    SetFlag<HardEvent::V_MTE2>(5);
    WaitFlag<HardEvent::V_MTE2>(5);
}
KERNEL(bad_event_range) { SetFlag<HardEvent::V_MTE2>(8); }
KERNEL(bad_barrier) { PipeBarrier<PIPE_S>(); }
KERNEL(good_barrier) { PipeBarrier<PIPE_V>(); }

// ---- cores and paths
KERNEL(bad_core) {
    auto a = ub<float>(0, 8);
    Duplicate(a, 1.0f, 8);
    LocalTensor<half> b(TPosition::A1, 0, 256), c(TPosition::A2, 0, 256);
    DataCopy(b, gm<half>(x, 128), 128);
    PipeBarrier<PIPE_ALL>();
    LoadData(c, b, LoadData2DParams{0, 1, 1, 0, 0, false, 0});
}
KERNEL(good_core) {
    LocalTensor<half> b(TPosition::A1, 0, 256), c(TPosition::A2, 0, 256);
    DataCopy(b, gm<half>(x, 128), 128);
    PipeBarrier<PIPE_ALL>();
    LoadData(c, b, LoadData2DParams{0, 1, 1, 0, 0, false, 0});
}
KERNEL(bad_path) {
    auto a = ub<half>(0, 16);
    LocalTensor<half> b(TPosition::A1, 0, 256);
    Duplicate(a, half(1.0f), 16);
    PipeBarrier<PIPE_ALL>();
    DataCopy(b, a, 16);
}
