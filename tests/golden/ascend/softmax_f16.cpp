#include "kernel_operator.h"
#define OPS_DEVICE __aicore__
#define OPS_HALF half
#define OPS_BFLOAT bfloat16_t
#include "opslib_scalar.h"
#include "opslib_ascend.h"

using namespace AscendC;

/*
 * op_softmax_f16_rows: skeleton row_fold
 *
 * ub         0 ..    8192  x_in
 * ub      8192 ..   24576  t
 * ub     24576 ..   25088  mask
 * ub     25088 ..   41472  t_2
 * ub     41472 ..   41536  extreme
 * ub     41536 ..   57920  work
 * ub     57920 ..   74304  t_3
 * ub     74304 ..   74336  total
 * ub     74336 ..   90720  t_4
 * ub     90720 ..   98912  out
 */
extern "C" __global__ __vector__ void op_softmax_f16_rows(__gm__ uint8_t *x_memory,
    __gm__ uint8_t *y_memory, __gm__ uint8_t *e_row_memory, __gm__ uint8_t *numbers_memory,
    __gm__ uint8_t *reals_memory, __gm__ uint8_t *status_memory) {
    GlobalTensor<int64_t> numbers;
    numbers.SetGlobalBuffer((__gm__ int64_t *)numbers_memory, 7);
    const int64_t batch0 = numbers.GetValue(0);
    const int64_t n = numbers.GetValue(1);
    const int64_t x_stride0 = numbers.GetValue(2);
    const int64_t y_stride0 = numbers.GetValue(3);
    const int64_t x_count = numbers.GetValue(4);
    const int64_t y_count = numbers.GetValue(5);
    GlobalTensor<half> x;
    x.SetGlobalBuffer((__gm__ half *)x_memory, x_count);
    GlobalTensor<half> y;
    y.SetGlobalBuffer((__gm__ half *)y_memory, y_count);
    LocalTensor<half> x_in(TPosition::VECCALC, 0, 4096);
    LocalTensor<float> t(TPosition::VECCALC, 8192, 4096);
    LocalTensor<uint8_t> mask(TPosition::VECCALC, 24576, 512);
    LocalTensor<float> t_2(TPosition::VECCALC, 25088, 4096);
    LocalTensor<float> extreme(TPosition::VECCALC, 41472, 16);
    LocalTensor<float> work(TPosition::VECCALC, 41536, 4096);
    LocalTensor<float> t_3(TPosition::VECCALC, 57920, 4096);
    LocalTensor<float> total(TPosition::VECCALC, 74304, 8);
    LocalTensor<float> t_4(TPosition::VECCALC, 74336, 4096);
    LocalTensor<half> out(TPosition::VECCALC, 90720, 4096);
    constexpr int64_t TILE = 4096;
    SetFlag<HardEvent::V_MTE2>(0);
    SetFlag<HardEvent::S_V>(0);
    SetFlag<HardEvent::S_V>(1);
    SetFlag<HardEvent::MTE3_V>(0);
    for (int64_t b0 = (int64_t)GetBlockIdx(); b0 < batch0; b0 += (int64_t)GetBlockNum()) {
        const uint32_t count = static_cast<uint32_t>(n);
        WaitFlag<HardEvent::V_MTE2>(0);
        opslib::Load(x_in, x[b0 * x_stride0 + 0], count);
        SetFlag<HardEvent::MTE2_V>(0);
        WaitFlag<HardEvent::MTE2_V>(0);
        Cast(t, x_in, RoundMode::CAST_NONE, count);
        SetFlag<HardEvent::V_MTE2>(0);
        PipeBarrier<PIPE_V>();
        Compare(mask, t, t, CMPMODE::EQ, opslib::Whole<float>(count));
        PipeBarrier<PIPE_V>();
        Select(t_2, mask, t, -INFINITY, SELMODE::VSEL_TENSOR_SCALAR_MODE, count);
        PipeBarrier<PIPE_V>();
        WaitFlag<HardEvent::S_V>(0);
        ReduceMax(extreme, t_2, work, count);
        PipeBarrier<PIPE_V>();
        Duplicate(t_2, 0.0f, count);
        PipeBarrier<PIPE_V>();
        Select(t_2, mask, t_2, 1.0f, SELMODE::VSEL_TENSOR_SCALAR_MODE, count);
        PipeBarrier<PIPE_V>();
        ReduceMax(extreme[8], t_2, work, count);
        SetFlag<HardEvent::V_S>(0);
        WaitFlag<HardEvent::V_S>(0);
        const float folded = extreme.GetValue(8) == 0.0f ? extreme.GetValue(0) : NAN;
        const float max = folded;
        SetFlag<HardEvent::S_V>(0);
        PipeBarrier<PIPE_V>();
        Adds(t_2, t, -max, count);
        PipeBarrier<PIPE_V>();
        Exp(t_3, t_2, count);
        PipeBarrier<PIPE_V>();
        WaitFlag<HardEvent::S_V>(1);
        ReduceSum(total, t_3, work, count);
        SetFlag<HardEvent::V_S>(1);
        WaitFlag<HardEvent::V_S>(1);
        const float sum = total.GetValue(0);
        SetFlag<HardEvent::S_V>(1);
        Duplicate(t_2, sum, count);
        PipeBarrier<PIPE_V>();
        Div(t_4, t_3, t_2, count);
        PipeBarrier<PIPE_V>();
        WaitFlag<HardEvent::MTE3_V>(0);
        Cast(out, t_4, RoundMode::CAST_NONE, count);
        SetFlag<HardEvent::V_MTE3>(0);
        WaitFlag<HardEvent::V_MTE3>(0);
        opslib::Store(y[b0 * y_stride0 + 0], out, count);
        SetFlag<HardEvent::MTE3_V>(0);
    }
    WaitFlag<HardEvent::MTE3_V>(0);
    WaitFlag<HardEvent::S_V>(1);
    WaitFlag<HardEvent::S_V>(0);
    WaitFlag<HardEvent::V_MTE2>(0);
}

/*
 * op_softmax_f16: skeleton row_fold
 *
 * ub         0 ..   16384  sums
 * ub     16384 ..   24576  x_in
 * ub     24576 ..   40960  t
 * ub     40960 ..   41472  mask
 * ub     41472 ..   57856  t_2
 * ub     57856 ..   57920  extreme
 * ub     57920 ..   74304  work
 * ub     74304 ..   90688  t_3
 * ub     90688 ..  107072  e_row_in
 * ub    107072 ..  107104  total
 * ub    107104 ..  115296  out
 */
extern "C" __global__ __vector__ void op_softmax_f16(__gm__ uint8_t *x_memory,
    __gm__ uint8_t *y_memory, __gm__ uint8_t *e_row_memory, __gm__ uint8_t *numbers_memory,
    __gm__ uint8_t *reals_memory, __gm__ uint8_t *status_memory) {
    GlobalTensor<int64_t> numbers;
    numbers.SetGlobalBuffer((__gm__ int64_t *)numbers_memory, 7);
    const int64_t batch0 = numbers.GetValue(0);
    const int64_t n = numbers.GetValue(1);
    const int64_t x_stride0 = numbers.GetValue(2);
    const int64_t y_stride0 = numbers.GetValue(3);
    const int64_t x_count = numbers.GetValue(4);
    const int64_t y_count = numbers.GetValue(5);
    const int64_t e_row_count = numbers.GetValue(6);
    GlobalTensor<half> x;
    x.SetGlobalBuffer((__gm__ half *)x_memory, x_count);
    GlobalTensor<half> y;
    y.SetGlobalBuffer((__gm__ half *)y_memory, y_count);
    GlobalTensor<float> e_row;
    e_row.SetGlobalBuffer((__gm__ float *)e_row_memory + GetBlockIdx() * e_row_count,
        e_row_count);
    LocalTensor<float> sums(TPosition::VECCALC, 0, 4096);
    LocalTensor<half> x_in(TPosition::VECCALC, 16384, 4096);
    LocalTensor<float> t(TPosition::VECCALC, 24576, 4096);
    LocalTensor<uint8_t> mask(TPosition::VECCALC, 40960, 512);
    LocalTensor<float> t_2(TPosition::VECCALC, 41472, 4096);
    LocalTensor<float> extreme(TPosition::VECCALC, 57856, 16);
    LocalTensor<float> work(TPosition::VECCALC, 57920, 4096);
    LocalTensor<float> t_3(TPosition::VECCALC, 74304, 4096);
    LocalTensor<float> e_row_in(TPosition::VECCALC, 90688, 4096);
    LocalTensor<float> total(TPosition::VECCALC, 107072, 8);
    LocalTensor<half> out(TPosition::VECCALC, 107104, 4096);
    constexpr int64_t TILE = 4096;
    SetFlag<HardEvent::V_MTE2>(0);
    SetFlag<HardEvent::MTE3_V>(0);
    SetFlag<HardEvent::V_MTE2>(1);
    SetFlag<HardEvent::MTE3_V>(1);
    SetFlag<HardEvent::S_V>(0);
    SetFlag<HardEvent::S_V>(1);
    SetFlag<HardEvent::MTE2_MTE3>(0);
    for (int64_t b0 = (int64_t)GetBlockIdx(); b0 < batch0; b0 += (int64_t)GetBlockNum()) {
        PipeBarrier<PIPE_V>();
        Duplicate(sums, -INFINITY, TILE);
        for (int64_t j = 0; j < n; j += TILE) {
            const uint32_t count = static_cast<uint32_t>(ops_minimum_i64(n - j, TILE));
            WaitFlag<HardEvent::V_MTE2>(0);
            opslib::Load(x_in, x[b0 * x_stride0 + j], count);
            SetFlag<HardEvent::MTE2_V>(0);
            WaitFlag<HardEvent::MTE2_V>(0);
            Cast(t, x_in, RoundMode::CAST_NONE, count);
            SetFlag<HardEvent::V_MTE2>(0);
            PipeBarrier<PIPE_V>();
            Compare(mask, t, t, CMPMODE::EQ, opslib::Whole<float>(count));
            Max(t_2, sums, t, count);
            PipeBarrier<PIPE_V>();
            Select(t_2, mask, t_2, t, SELMODE::VSEL_TENSOR_TENSOR_MODE, count);
            PipeBarrier<PIPE_V>();
            Compare(mask, sums, sums, CMPMODE::EQ, opslib::Whole<float>(count));
            PipeBarrier<PIPE_V>();
            Select(sums, mask, t_2, sums, SELMODE::VSEL_TENSOR_TENSOR_MODE, count);
        }
        PipeBarrier<PIPE_V>();
        Compare(mask, sums, sums, CMPMODE::EQ, opslib::Whole<float>(TILE));
        PipeBarrier<PIPE_V>();
        Select(t_2, mask, sums, -INFINITY, SELMODE::VSEL_TENSOR_SCALAR_MODE, TILE);
        PipeBarrier<PIPE_V>();
        WaitFlag<HardEvent::S_V>(0);
        ReduceMax(extreme, t_2, work, TILE);
        PipeBarrier<PIPE_V>();
        Duplicate(t_2, 0.0f, TILE);
        PipeBarrier<PIPE_V>();
        Select(t_2, mask, t_2, 1.0f, SELMODE::VSEL_TENSOR_SCALAR_MODE, TILE);
        PipeBarrier<PIPE_V>();
        ReduceMax(extreme[8], t_2, work, TILE);
        SetFlag<HardEvent::V_S>(0);
        WaitFlag<HardEvent::V_S>(0);
        const float folded = extreme.GetValue(8) == 0.0f ? extreme.GetValue(0) : NAN;
        const float max = folded;
        SetFlag<HardEvent::S_V>(0);
        for (int64_t i = 0; i < n; i += TILE) {
            const uint32_t count_2 = static_cast<uint32_t>(ops_minimum_i64(n - i, TILE));
            WaitFlag<HardEvent::V_MTE2>(0);
            opslib::Load(x_in, x[b0 * x_stride0 + i], count_2);
            SetFlag<HardEvent::MTE2_V>(1);
            WaitFlag<HardEvent::MTE2_V>(1);
            Cast(t, x_in, RoundMode::CAST_NONE, count_2);
            SetFlag<HardEvent::V_MTE2>(0);
            PipeBarrier<PIPE_V>();
            Adds(t_2, t, -max, count_2);
            PipeBarrier<PIPE_V>();
            WaitFlag<HardEvent::MTE3_V>(0);
            Exp(t_3, t_2, count_2);
            SetFlag<HardEvent::V_MTE3>(0);
            WaitFlag<HardEvent::V_MTE3>(0);
            opslib::Store(e_row[i], t_3, count_2);
            SetFlag<HardEvent::MTE3_V>(0);
        }
        WaitFlag<HardEvent::MTE2_MTE3>(0);
        SetFlag<HardEvent::MTE3_MTE2>(0);
        Duplicate(sums, 0.0f, TILE);
        WaitFlag<HardEvent::MTE3_MTE2>(0);
        SetFlag<HardEvent::MTE2_MTE3>(0);
        PipeBarrier<PIPE_V>();
        for (int64_t j2 = 0; j2 < n; j2 += TILE) {
            const uint32_t count_3 = static_cast<uint32_t>(ops_minimum_i64(n - j2, TILE));
            WaitFlag<HardEvent::V_MTE2>(1);
            opslib::Load(e_row_in, e_row[j2], count_3);
            SetFlag<HardEvent::MTE2_V>(2);
            WaitFlag<HardEvent::MTE2_V>(2);
            Add(sums, sums, e_row_in, count_3);
            SetFlag<HardEvent::V_MTE2>(1);
        }
        PipeBarrier<PIPE_V>();
        WaitFlag<HardEvent::S_V>(1);
        ReduceSum(total, sums, work, TILE);
        SetFlag<HardEvent::V_S>(1);
        WaitFlag<HardEvent::V_S>(1);
        const float sum = total.GetValue(0);
        SetFlag<HardEvent::S_V>(1);
        for (int64_t i_1 = 0; i_1 < n; i_1 += TILE) {
            const uint32_t count_4 = static_cast<uint32_t>(ops_minimum_i64(n - i_1, TILE));
            WaitFlag<HardEvent::V_MTE2>(1);
            opslib::Load(e_row_in, e_row[i_1], count_4);
            SetFlag<HardEvent::MTE2_V>(3);
            Duplicate(t_2, sum, count_4);
            WaitFlag<HardEvent::MTE2_V>(3);
            PipeBarrier<PIPE_V>();
            Div(t, e_row_in, t_2, count_4);
            SetFlag<HardEvent::V_MTE2>(1);
            PipeBarrier<PIPE_V>();
            WaitFlag<HardEvent::MTE3_V>(1);
            Cast(out, t, RoundMode::CAST_NONE, count_4);
            SetFlag<HardEvent::V_MTE3>(1);
            WaitFlag<HardEvent::V_MTE3>(1);
            opslib::Store(y[b0 * y_stride0 + i_1], out, count_4);
            SetFlag<HardEvent::MTE3_V>(1);
        }
    }
    WaitFlag<HardEvent::MTE2_MTE3>(0);
    WaitFlag<HardEvent::S_V>(1);
    WaitFlag<HardEvent::S_V>(0);
    WaitFlag<HardEvent::MTE3_V>(1);
    WaitFlag<HardEvent::V_MTE2>(1);
    WaitFlag<HardEvent::MTE3_V>(0);
    WaitFlag<HardEvent::V_MTE2>(0);
}

