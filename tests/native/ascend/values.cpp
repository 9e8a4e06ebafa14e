// One kernel for each instruction; the tests say what comes out.
#include "kernels.h"

#define BINARY(NAME, OP, T)                                                 \
    KERNEL(NAME) {                                                          \
        auto a = ub<T>(0, 256), b = ub<T>(2048, 256), c = ub<T>(4096, 256); \
        load(a, x, 8);                                                      \
        load(b, y, 8);                                                      \
        OP(c, a, b, 8);                                                     \
        store(z, c, 8);                                                     \
    }
#define UNARY(NAME, OP, T)                            \
    KERNEL(NAME) {                                    \
        auto a = ub<T>(0, 256), c = ub<T>(4096, 256); \
        load(a, x, 8);                                \
        OP(c, a, 8);                                  \
        store(z, c, 8);                               \
    }
#define SCALAR(NAME, OP, T, VALUE)                    \
    KERNEL(NAME) {                                    \
        auto a = ub<T>(0, 256), c = ub<T>(4096, 256); \
        load(a, x, 8);                                \
        OP(c, a, VALUE, 8);                           \
        store(z, c, 8);                               \
    }

BINARY(add_f32, Add, float)
BINARY(add_f16, Add, half)
BINARY(add_i16, Add, int16_t)
BINARY(sub_i32, Sub, int32_t)
BINARY(mul_i32, Mul, int32_t)
BINARY(mul_f16, Mul, half)
BINARY(div_f16, Div, half)
BINARY(div_f32, Div, float)
BINARY(max_f32, Max, float)
BINARY(min_i32, Min, int32_t)
BINARY(and_u16, And, uint16_t)
BINARY(or_i16, Or, int16_t)
UNARY(exp_f32, Exp, float)
UNARY(exp_f16, Exp, half)
UNARY(ln_f32, Ln, float)
UNARY(sqrt_f32, Sqrt, float)
UNARY(rsqrt_f32, Rsqrt, float)
UNARY(reciprocal_f32, Reciprocal, float)
UNARY(abs_f16, Abs, half)
UNARY(relu_i32, Relu, int32_t)
UNARY(not_i16, Not, int16_t)
SCALAR(adds_f16, Adds, half, half(0.5f))
SCALAR(muls_i16, Muls, int16_t, int16_t(-3))
SCALAR(maxs_f32, Maxs, float, 1.5f)
SCALAR(mins_i32, Mins, int32_t, 4)
SCALAR(shl_i32, ShiftLeft, int32_t, 4)
SCALAR(shl_i16, ShiftLeft, int16_t, int16_t(1))
SCALAR(shl_u16, ShiftLeft, uint16_t, uint16_t(1))
SCALAR(shr_i32, ShiftRight, int32_t, 4)
SCALAR(shr_u16, ShiftRight, uint16_t, uint16_t(4))
SCALAR(leaky_f32, LeakyRelu, float, 0.25f)

KERNEL(axpy_f32) {
    auto a = ub<float>(0, 64), c = ub<float>(1024, 64);
    load(a, x, 8);
    load(c, y, 8);
    Axpy(c, a, 2.0f, 8);
    store(z, c, 8);
}

KERNEL(duplicate_f16) {
    auto c = ub<half>(0, 64);
    Duplicate(c, half(1.5f), 5);
    store(z, c, 5);
}

KERNEL(ramp_i32) {
    auto c = ub<int32_t>(0, 64);
    CreateVecIndex(c, 7, 6u);
    store(z, c, 6);
}

KERNEL(progression_f32) {
    auto c = ub<float>(0, 64);
    ArithProgression(c, -1.0f, 0.5f, 5);
    store(z, c, 5);
}

KERNEL(arange_f32) {
    auto c = ub<float>(0, 64);
    Arange(c, -1.0f, 0.5f, 5);
    store(z, c, 5);
}

KERNEL(ramp_f32) {
    auto c = ub<float>(0, 64);
    CreateVecIndex(c, -2.0f, 5u);
    store(z, c, 5);
}

// Lanes 1 and 3 of two repeats of four blocks apart; the rest of z stays.
KERNEL(masked_add) {
    auto a = ub<float>(0, 256), b = ub<float>(2048, 256), c = ub<float>(4096, 256);
    load(a, x, 128);
    load(b, y, 128);
    load(c, z, 128);
    uint64_t mask[2] = {0xa, 0};
    Add(c, a, b, mask, 2, BinaryRepeatParams{1, 1, 1, 8, 8, 8});
    store(z, c, 128);
}

// Row minus its own broadcast block: src1's blocks and repeats advance by hand.
KERNEL(broadcast_sub) {
    auto a = ub<float>(0, 128), b = ub<float>(2048, 16), c = ub<float>(4096, 128);
    load(a, x, 128);
    load(b, y, 16);
    Sub(c, a, b, uint64_t(64), 2, BinaryRepeatParams{1, 1, 0, 8, 8, 1});
    store(z, c, 128);
}

KERNEL(compare_f32) {
    auto a = ub<float>(0, 64), b = ub<float>(1024, 64);
    auto m = ub<uint8_t>(2048, 32);
    load(a, x, 64);
    load(b, y, 64);
    Compare(m, a, b, CMPMODE::LT, 64);
    store(z, m, 8);
}

KERNEL(compare_scalar_f16) {
    auto a = ub<half>(0, 128);
    auto m = ub<uint8_t>(2048, 32);
    load(a, x, 128);
    Compares(m, a, half(2.0f), CMPMODE::GE, 128);
    store(z, m, 16);
}

KERNEL(select_f32) {
    auto a = ub<float>(0, 64), b = ub<float>(1024, 64), c = ub<float>(3072, 64);
    auto m = ub<uint8_t>(2048, 32);
    load(a, x, 8);
    load(b, x + 32, 8);
    load(m, y, 1);
    Select(c, m, a, b, SELMODE::VSEL_TENSOR_TENSOR_MODE, 8);
    store(z, c, 8);
}

KERNEL(select_scalar_f32) {
    auto a = ub<float>(0, 64), c = ub<float>(3072, 64);
    auto m = ub<uint8_t>(2048, 32);
    load(a, x, 8);
    load(m, y, 1);
    Select(c, m, a, -1.0f, SELMODE::VSEL_TENSOR_SCALAR_MODE, 8);
    store(z, c, 8);
}

KERNEL(select_repeating_f32) {
    auto a = ub<float>(0, 128), b = ub<float>(1024, 128), c = ub<float>(3072, 128);
    auto m = ub<uint8_t>(2048, 32);
    load(a, x, 128);
    load(b, x + 512, 128);
    load(m, y, 8);
    Select(c, m, a, b, SELMODE::VSEL_CMPMASK_SPR, 128);
    store(z, c, 128);
}

KERNEL(gather_f16) {
    auto a = ub<half>(0, 64), c = ub<half>(2048, 64);
    auto o = ub<uint32_t>(1024, 64);
    load(a, x, 16);
    load(o, y, 8);
    Gather(c, a, o, 4, 8);
    store(z, c, 8);
}

KERNEL(brcb_f32) {
    auto a = ub<float>(0, 8), c = ub<float>(1024, 64);
    load(a, x, 8);
    Brcb(c, a, 1, BrcbRepeatParams{1, 8});
    store(z, c, 64);
}

KERNEL(copy_i16) {
    auto a = ub<int16_t>(0, 256), c = ub<int16_t>(1024, 256);
    load(a, x, 128);
    Copy(c, a, 128, 1, CopyRepeatParams{1, 1, 8, 8});
    store(z, c, 128);
}

KERNEL(reduce_sum_f32) {
    auto a = ub<float>(0, 256), w = ub<float>(2048, 64), c = ub<float>(4096, 8);
    load(a, x, 100);
    ReduceSum(c, a, w, 100);
    store(z, c, 1);
}

KERNEL(reduce_sum_f16) {
    auto a = ub<half>(0, 256), w = ub<half>(2048, 64), c = ub<half>(4096, 16);
    load_blocks(a, x, 16);
    Adds(c, a, half(0.0f), 16);
    PipeBarrier<PIPE_V>();
    ReduceSum(c, a, w, 4);
    store_blocks(z, c, 16);
}

KERNEL(reduce_max_index) {
    auto a = ub<float>(0, 256), w = ub<float>(2048, 64), c = ub<float>(4096, 8);
    load(a, x, 8);
    ReduceMax(c, a, w, 8, true);
    store(z, c, 2);
}

KERNEL(reduce_min_f16) {
    auto a = ub<half>(0, 256), w = ub<half>(2048, 64), c = ub<half>(4096, 16);
    load(a, x, 8);
    ReduceMin(c, a, w, 8);
    store(z, c, 1);
}

KERNEL(whole_sum) {
    auto a = ub<float>(0, 128), c = ub<float>(4096, 8);
    load(a, x, 128);
    WholeReduceSum(c, a, 64, 2, 1, 1, 8);
    store(z, c, 2);
}

KERNEL(whole_max) {
    auto a = ub<float>(0, 128), c = ub<float>(4096, 8);
    load(a, x, 128);
    WholeReduceMax(c, a, 64, 2, 1, 1, 8);
    store(z, c, 4);
}

KERNEL(whole_min_value) {
    auto a = ub<float>(0, 128), c = ub<float>(4096, 8);
    load(a, x, 128);
    WholeReduceMin(c, a, 32, 2, 1, 1, 8, ReduceOrder::ORDER_ONLY_VALUE);
    store(z, c, 2);
}

KERNEL(block_max) {
    auto a = ub<float>(0, 64), c = ub<float>(4096, 8);
    load(a, x, 64);
    BlockReduceMax(c, a, 1, 64, 1, 1, 8);
    store(z, c, 8);
}

KERNEL(block_sum_f16) {
    auto a = ub<half>(0, 128), c = ub<half>(4096, 16);
    load(a, x, 128);
    BlockReduceSum(c, a, 1, 128, 1, 1, 8);
    store(z, c, 8);
}

KERNEL(pair_sum) {
    auto a = ub<float>(0, 64), c = ub<float>(4096, 32);
    load(a, x, 64);
    PairReduceSum(c, a, 1, 64, 1, 1, 8);
    store(z, c, 32);
}

// Two rows of three floats, one element of padding before and two behind, a gap of one
// block between the rows in UB and of two floats in GM.
KERNEL(rows_in) {
    auto a = ub<float>(0, 64);
    Duplicate(a, -7.0f, 64);
    PipeBarrier<PIPE_ALL>();
    DataCopyPad(a, gm<float>(x, 8), DataCopyExtParams{2, 12, 8, 1, 0},
                DataCopyPadExtParams<float>{true, 1, 2, 9.0f});
    PipeBarrier<PIPE_ALL>();
    DataCopyPad(gm<float>(z, 12), a, DataCopyExtParams{2, 24, 1, 0, 0});
}

KERNEL(rows_out) {
    auto a = ub<float>(0, 64);
    load(a, x, 64);
    DataCopyPad(gm<float>(z, 16), a, DataCopyExtParams{3, 12, 1, 8, 0});
}

KERNEL(atomic_add) {
    auto a = ub<float>(0, 8);
    load(a, x, 4);
    SetAtomicAdd<float>();
    DataCopyPad(gm<float>(z, 4), a, DataCopyExtParams{1, 16, 0, 0, 0});
    SetAtomicNone();
}

KERNEL(scalars) {
    auto a = ub<int16_t>(0, 16);
    a.SetValue(3, int16_t(-5));
    auto in = gm<int64_t>(x, 2);
    auto out = gm<int64_t>(z, 2);
    out.SetValue(0, in.GetValue(1) + a.GetValue(3));
    DataCacheCleanAndInvalid<int64_t, CacheLine::SINGLE_CACHE_LINE,
                             DcciDst::CACHELINE_OUT>(out);
}

KERNEL(reinterpret) {
    auto a = ub<float>(0, 8);
    load(a, x, 8);
    store(z, a.ReinterpretCast<int32_t>(), 8);
}

// Two runs of 32, then one list of 64 entries of 8 bytes.
KERNEL(sort_f32) {
    auto a = ub<float>(0, 64), c = ub<float>(1024, 128), d = ub<float>(2048, 128);
    auto i = ub<uint32_t>(512, 64);
    load(a, x, 64);
    load(i, y, 64);
    Sort32(c, a, i, 2);
    PipeBarrier<PIPE_V>();
    const uint16_t lengths[4] = {32, 32, 0, 0};
    MrgSort(d, MrgSortSrcList<float>(c, c[64], c, c),
            MrgSort4Info(lengths, false, 3, 1));
    store(z, d, 128);
}

// 950 has 64 bit integers without a sign.
BINARY(max_u64, Max, uint64_t)
SCALAR(shr_u64, ShiftRight, uint64_t, uint64_t(60))
KERNEL(compare_u64) {
    auto a = ub<uint64_t>(0, 8), b = ub<uint64_t>(64, 8);
    auto m = ub<uint8_t>(128, 32);
    load(a, x, 8);
    load(b, y, 8);
    Compare(m, a, b, CMPMODE::LT, 8);
    store(z, m, 1);
}
