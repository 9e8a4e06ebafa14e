#include "kernel_operator.h"
#define OPS_DEVICE __aicore__
#define OPS_HALF half
#define OPS_BFLOAT bfloat16_t
#include "opslib_scalar.h"
#include "opslib_ascend.h"

using namespace AscendC;

/*
 * op_softmax_f16_packed: skeleton row_fold
 *
 * ub         0 ..   16384  x_in
 * ub     16384 ..   49152  t
 * ub     49152 ..   50176  max
 * ub     50176 ..   51200  mask
 * ub     51200 ..   83968  t_2
 * ub     83968 ..   84992  marks
 * ub     84992 ..   92928  blocks
 * ub     92928 ..  125696  t_3
 * ub    125696 ..  126720  sum
 * ub    126720 ..  143104  out
 */
extern "C" __global__ __vector__ void op_softmax_f16_packed(__gm__ uint8_t *x_memory,
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
    LocalTensor<half> x_in(TPosition::VECCALC, 0, 8192);
    LocalTensor<float> t(TPosition::VECCALC, 16384, 8192);
    LocalTensor<float> max(TPosition::VECCALC, 49152, 256);
    LocalTensor<uint8_t> mask(TPosition::VECCALC, 50176, 1024);
    LocalTensor<float> t_2(TPosition::VECCALC, 51200, 8192);
    LocalTensor<float> marks(TPosition::VECCALC, 83968, 256);
    LocalTensor<float> blocks(TPosition::VECCALC, 84992, 1984);
    LocalTensor<float> t_3(TPosition::VECCALC, 92928, 8192);
    LocalTensor<float> sum(TPosition::VECCALC, 125696, 256);
    LocalTensor<half> out(TPosition::VECCALC, 126720, 8192);
    constexpr int64_t TILE = 8192;
    Duplicate(marks, 0.0f, 256);
    Duplicate(max, 0.0f, 256);
    Duplicate(sum, 0.0f, 256);
    const int64_t extent = n;
    const int64_t pitch = (extent + 15) / 16 * 16;
    const int64_t each = ops_minimum_i64(ops_minimum_i64(TILE / pitch, 248), (batch0
        + GetBlockNum() - 1) / GetBlockNum());
    SetFlag<HardEvent::V_MTE2>(0);
    SetFlag<HardEvent::MTE3_V>(0);
    for (int64_t b0 =
        (int64_t)GetBlockIdx() * each; b0 < batch0; b0 += (int64_t)GetBlockNum() * each) {
        const uint32_t rows = static_cast<uint32_t>(ops_minimum_i64(each, batch0 - b0));
        const uint32_t whole = (rows + 7) / 8 * 8;
        const uint32_t count = rows * static_cast<uint32_t>(pitch);
        WaitFlag<HardEvent::V_MTE2>(0);
        opslib::LoadRows(x_in, x[b0 * x_stride0 + 0], x_stride0, extent, rows);
        SetFlag<HardEvent::MTE2_V>(0);
        WaitFlag<HardEvent::MTE2_V>(0);
        Cast(t, x_in, RoundMode::CAST_NONE, count);
        SetFlag<HardEvent::V_MTE2>(0);
        PipeBarrier<PIPE_V>();
        Compare(mask, t, t, CMPMODE::EQ, opslib::Whole<float>(count));
        PipeBarrier<PIPE_V>();
        Select(t_2, mask, t, -INFINITY, SELMODE::VSEL_TENSOR_SCALAR_MODE, count);
        PipeBarrier<PIPE_V>();
        WholeReduceMax(max, t_2, extent, rows, 1, 1, pitch / 8,
            ReduceOrder::ORDER_ONLY_VALUE);
        PipeBarrier<PIPE_V>();
        Duplicate(t_2, 0.0f, count);
        PipeBarrier<PIPE_V>();
        Select(t_2, mask, t_2, 1.0f, SELMODE::VSEL_TENSOR_SCALAR_MODE, count);
        PipeBarrier<PIPE_V>();
        WholeReduceMax(marks, t_2, extent, rows, 1, 1, pitch / 8,
            ReduceOrder::ORDER_ONLY_VALUE);
        PipeBarrier<PIPE_V>();
        Compares(mask, marks, 0.0f, CMPMODE::EQ, opslib::Whole<float>(whole));
        PipeBarrier<PIPE_V>();
        Select(max, mask, max, (NAN), SELMODE::VSEL_TENSOR_SCALAR_MODE, whole);
        PipeBarrier<PIPE_V>();
        opslib::Blocks(blocks, max, rows);
        PipeBarrier<PIPE_V>();
        opslib::Spread(t_2, blocks, pitch, rows);
        PipeBarrier<PIPE_V>();
        Sub(t_2, t, t_2, count);
        PipeBarrier<PIPE_V>();
        Exp(t_3, t_2, count);
        PipeBarrier<PIPE_V>();
        WholeReduceSum(sum, t_3, extent, rows, 1, 1, pitch / 8);
        PipeBarrier<PIPE_V>();
        opslib::Blocks(blocks, sum, rows);
        PipeBarrier<PIPE_V>();
        opslib::Spread(t_2, blocks, pitch, rows);
        PipeBarrier<PIPE_V>();
        Div(t_2, t_3, t_2, count);
        PipeBarrier<PIPE_V>();
        WaitFlag<HardEvent::MTE3_V>(0);
        Cast(out, t_2, RoundMode::CAST_NONE, count);
        SetFlag<HardEvent::V_MTE3>(0);
        WaitFlag<HardEvent::V_MTE3>(0);
        opslib::StoreRows(y[b0 * y_stride0 + 0], out, y_stride0, extent, rows);
        SetFlag<HardEvent::MTE3_V>(0);
    }
    WaitFlag<HardEvent::MTE3_V>(0);
    WaitFlag<HardEvent::V_MTE2>(0);
}

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
 * ub     74304 ..   90688  out
 * ub     90688 ..  107072  e_row_in
 * ub    107072 ..  107104  total
 * ub    107104 ..  115296  out_2
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
    LocalTensor<float> out(TPosition::VECCALC, 74304, 4096);
    LocalTensor<float> e_row_in(TPosition::VECCALC, 90688, 4096);
    LocalTensor<float> total(TPosition::VECCALC, 107072, 8);
    LocalTensor<half> out_2(TPosition::VECCALC, 107104, 4096);
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
            PipeBarrier<PIPE_V>();
            Cast(t, x_in, RoundMode::CAST_NONE, count_2);
            SetFlag<HardEvent::V_MTE2>(0);
            PipeBarrier<PIPE_V>();
            Adds(t, t, -max, count_2);
            PipeBarrier<PIPE_V>();
            WaitFlag<HardEvent::MTE3_V>(0);
            Exp(out, t, count_2);
            SetFlag<HardEvent::V_MTE3>(0);
            WaitFlag<HardEvent::V_MTE3>(0);
            opslib::Store(e_row[i], out, count_2);
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
            PipeBarrier<PIPE_V>();
            WaitFlag<HardEvent::MTE2_V>(3);
            Div(t, e_row_in, t_2, count_4);
            SetFlag<HardEvent::V_MTE2>(1);
            PipeBarrier<PIPE_V>();
            WaitFlag<HardEvent::MTE3_V>(1);
            Cast(out_2, t, RoundMode::CAST_NONE, count_4);
            SetFlag<HardEvent::V_MTE3>(1);
            WaitFlag<HardEvent::V_MTE3>(1);
            opslib::Store(y[b0 * y_stride0 + i_1], out_2, count_4);
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

