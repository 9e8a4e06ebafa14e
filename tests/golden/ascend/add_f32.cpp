#include "kernel_operator.h"
#define OPS_DEVICE __aicore__
#define OPS_HALF half
#define OPS_BFLOAT bfloat16_t
#include "opslib_scalar.h"
#include "opslib_ascend.h"

using namespace AscendC;

/*
 * op_add_f32: skeleton map
 *
 * ub         0 ..   16384  x1_in
 * ub     16384 ..   32768  x2_in
 * ub     32768 ..   49152  out
 * ub     49152 ..   65536  x1_in_next
 * ub     65536 ..   81920  x2_in_next
 * ub     81920 ..   98304  out_next
 */
extern "C" __global__ __vector__ void op_add_f32(__gm__ uint8_t *x1_memory,
    __gm__ uint8_t *x2_memory, __gm__ uint8_t *y_memory, __gm__ uint8_t *numbers_memory,
    __gm__ uint8_t *reals_memory, __gm__ uint8_t *status_memory) {
    GlobalTensor<int64_t> numbers;
    numbers.SetGlobalBuffer((__gm__ int64_t *)numbers_memory, 8);
    const int64_t batch0 = numbers.GetValue(0);
    const int64_t batch1 = numbers.GetValue(1);
    const int64_t x1_stride0 = numbers.GetValue(2);
    const int64_t x2_stride0 = numbers.GetValue(3);
    const int64_t y_stride0 = numbers.GetValue(4);
    const int64_t x1_count = numbers.GetValue(5);
    const int64_t x2_count = numbers.GetValue(6);
    const int64_t y_count = numbers.GetValue(7);
    GlobalTensor<float> x1;
    x1.SetGlobalBuffer((__gm__ float *)x1_memory, x1_count);
    GlobalTensor<float> x2;
    x2.SetGlobalBuffer((__gm__ float *)x2_memory, x2_count);
    GlobalTensor<float> y;
    y.SetGlobalBuffer((__gm__ float *)y_memory, y_count);
    LocalTensor<float> x1_in(TPosition::VECCALC, 0, 4096);
    LocalTensor<float> x2_in(TPosition::VECCALC, 16384, 4096);
    LocalTensor<float> out(TPosition::VECCALC, 32768, 4096);
    LocalTensor<float> x1_in_next(TPosition::VECCALC, 49152, 4096);
    LocalTensor<float> x2_in_next(TPosition::VECCALC, 65536, 4096);
    LocalTensor<float> out_next(TPosition::VECCALC, 81920, 4096);
    constexpr int64_t TILE = 4096;
    const int64_t blocks = (batch1 + 8191) / 8192;
    const int64_t stop = batch0 * blocks;
    SetFlag<HardEvent::V_MTE2>(0);
    SetFlag<HardEvent::MTE3_V>(0);
    SetFlag<HardEvent::V_MTE2>(1);
    SetFlag<HardEvent::MTE3_V>(1);
    for (int64_t block =
        (int64_t)GetBlockIdx(); block < stop; block += 2 * (int64_t)GetBlockNum()) {
        const int64_t at = block % blocks;
        const int64_t b0_1 = block / blocks;
        const int64_t begin = at * 8192;
        const int64_t end = ops_minimum_i64(begin + 8192, batch1);
        for (int64_t b1 = begin; b1 < end; b1 += TILE) {
            const uint32_t count = static_cast<uint32_t>(ops_minimum_i64(end - b1, TILE));
            WaitFlag<HardEvent::V_MTE2>(0);
            opslib::Load(x1_in, x1[b0_1 * x1_stride0 + b1], count);
            opslib::Load(x2_in, x2[b0_1 * x2_stride0 + b1], count);
            SetFlag<HardEvent::MTE2_V>(0);
            WaitFlag<HardEvent::MTE2_V>(0);
            WaitFlag<HardEvent::MTE3_V>(0);
            Add(out, x1_in, x2_in, count);
            SetFlag<HardEvent::V_MTE2>(0);
            SetFlag<HardEvent::V_MTE3>(0);
            WaitFlag<HardEvent::V_MTE3>(0);
            opslib::Store(y[b0_1 * y_stride0 + b1], out, count);
            SetFlag<HardEvent::MTE3_V>(0);
        }
        if (block + (int64_t)GetBlockNum() < stop) {
            const int64_t block_2 = block + (int64_t)GetBlockNum();
            const int64_t at_2 = block_2 % blocks;
            const int64_t b0_1_2 = block_2 / blocks;
            const int64_t begin_2 = at_2 * 8192;
            const int64_t end_2 = ops_minimum_i64(begin_2 + 8192, batch1);
            for (int64_t b1_2 = begin_2; b1_2 < end_2; b1_2 += TILE) {
                const uint32_t count_2 =
                    static_cast<uint32_t>(ops_minimum_i64(end_2 - b1_2, TILE));
                WaitFlag<HardEvent::V_MTE2>(1);
                opslib::Load(x1_in_next, x1[b0_1_2 * x1_stride0 + b1_2], count_2);
                opslib::Load(x2_in_next, x2[b0_1_2 * x2_stride0 + b1_2], count_2);
                SetFlag<HardEvent::MTE2_V>(1);
                WaitFlag<HardEvent::MTE2_V>(1);
                WaitFlag<HardEvent::MTE3_V>(1);
                Add(out_next, x1_in_next, x2_in_next, count_2);
                SetFlag<HardEvent::V_MTE2>(1);
                SetFlag<HardEvent::V_MTE3>(1);
                WaitFlag<HardEvent::V_MTE3>(1);
                opslib::Store(y[b0_1_2 * y_stride0 + b1_2], out_next, count_2);
                SetFlag<HardEvent::MTE3_V>(1);
            }
        }
    }
    WaitFlag<HardEvent::MTE3_V>(1);
    WaitFlag<HardEvent::V_MTE2>(1);
    WaitFlag<HardEvent::MTE3_V>(0);
    WaitFlag<HardEvent::V_MTE2>(0);
}

