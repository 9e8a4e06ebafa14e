#include "kernel_operator.h"
#define OPS_DEVICE __aicore__
#define OPS_HALF half
#define OPS_BFLOAT bfloat16_t
#define OPS_WANT_CUBE
#include "opslib_scalar.h"
#include "opslib_ascend.h"

using namespace AscendC;

/*
 * op_matmul_f16: skeleton contraction
 *
 * l1         0 ..  131072  a_l1  panel of a, NZ
 * l1b   131072 ..  262144  b_l1  panel of b, NZ
 * l0a        0 ..   32768  a_l0  left matrix, ZZ
 * l0b        0 ..   32768  b_l0  right matrix, ZN
 * l1    262144 ..  393216  a_l1_next  panel of a, NZ
 * l1b   393216 ..  524288  b_l1_next  panel of b, NZ
 * l0a    32768 ..   65536  a_l0_next  left matrix, ZZ
 * l0b    32768 ..   65536  b_l0_next  right matrix, ZN
 * l0c        0 ..  131072  sums  block of sums, NZ
 */
extern "C" __global__ __cube__ void op_matmul_f16(__gm__ uint8_t *x1_memory,
    __gm__ uint8_t *x2_memory, __gm__ uint8_t *y_memory, __gm__ uint8_t *numbers_memory,
    __gm__ uint8_t *reals_memory, __gm__ uint8_t *status_memory) {
    GlobalTensor<int64_t> numbers;
    numbers.SetGlobalBuffer((__gm__ int64_t *)numbers_memory, 13);
    const int64_t k = numbers.GetValue(0);
    const int64_t m = numbers.GetValue(1);
    const int64_t n = numbers.GetValue(2);
    const int64_t x1_stride0 = numbers.GetValue(3);
    const int64_t x2_stride0 = numbers.GetValue(4);
    const int64_t y_stride0 = numbers.GetValue(5);
    const int64_t block_m = numbers.GetValue(6);
    const int64_t block_n = numbers.GetValue(7);
    const int64_t block_k = numbers.GetValue(8);
    const int64_t panel_k = numbers.GetValue(9);
    const int64_t x1_count = numbers.GetValue(10);
    const int64_t x2_count = numbers.GetValue(11);
    const int64_t y_count = numbers.GetValue(12);
    GlobalTensor<half> x1;
    x1.SetGlobalBuffer((__gm__ half *)x1_memory, x1_count);
    GlobalTensor<half> x2;
    x2.SetGlobalBuffer((__gm__ half *)x2_memory, x2_count);
    GlobalTensor<half> y;
    y.SetGlobalBuffer((__gm__ half *)y_memory, y_count);
    LocalTensor<half> a_l1(TPosition::A1, 0, 65536);
    LocalTensor<half> b_l1(TPosition::B1, 131072, 65536);
    LocalTensor<half> a_l0(TPosition::A2, 0, 16384);
    LocalTensor<half> b_l0(TPosition::B2, 0, 16384);
    LocalTensor<half> a_l1_next(TPosition::A1, 262144, 65536);
    LocalTensor<half> b_l1_next(TPosition::B1, 393216, 65536);
    LocalTensor<half> a_l0_next(TPosition::A2, 32768, 16384);
    LocalTensor<half> b_l0_next(TPosition::B2, 32768, 16384);
    LocalTensor<float> sums(TPosition::CO1, 0, 32768);
    const int64_t extent = m;
    const int64_t extent_2 = n;
    const int64_t depth = k;
    const int64_t tiles_m = (extent + block_m - 1) / block_m;
    const int64_t tiles_n = (extent_2 + block_n - 1) / block_n;
    const int64_t tiles = 1 * tiles_m * tiles_n;
    SetFlag<HardEvent::M_MTE1>(0);
    SetFlag<HardEvent::M_MTE1>(1);
    SetFlag<HardEvent::MTE1_MTE2>(0);
    SetFlag<HardEvent::MTE1_MTE2>(1);
    SetFlag<HardEvent::FIX_M>(0);
    for (int64_t tile = GetBlockIdx(); tile < tiles; tile += GetBlockNum()) {
        const int64_t n0 = tile % tiles_n * block_n;
        const int64_t m0 = tile / tiles_n % tiles_m * block_m;
        const int64_t batch = tile / (tiles_n * tiles_m);
        const int64_t rows = ops_minimum_i64(extent - m0, block_m);
        const int64_t columns = ops_minimum_i64(extent_2 - n0, block_n);
        WaitFlag<HardEvent::FIX_M>(0);
        for (int64_t k1 = 0; k1 < depth; k1 += 2 * panel_k) {
            const int64_t deep = ops_minimum_i64(k - k1, panel_k);
            WaitFlag<HardEvent::MTE1_MTE2>(0);
            opslib::LoadPanel(a_l1, x1[m0 * x1_stride0 + k1], rows, deep, x1_stride0,
                block_m);
            opslib::LoadPanel(b_l1, x2[k1 * x2_stride0 + n0], deep, columns, x2_stride0,
                panel_k);
            SetFlag<HardEvent::MTE2_MTE1>(0);
            WaitFlag<HardEvent::MTE2_MTE1>(0);
            for (int64_t k0 = 0; k0 < deep; k0 += 2 * block_k) {
                const int64_t now = ops_minimum_i64(deep - k0, block_k);
                WaitFlag<HardEvent::M_MTE1>(0);
                opslib::LoadLeft<false>(a_l0, a_l1, k0, rows, now, block_m / 16);
                opslib::LoadRight<true>(b_l0, b_l1, k0, columns, now, panel_k / 16);
                SetFlag<HardEvent::MTE1_M>(0);
                WaitFlag<HardEvent::MTE1_M>(0);
                PipeBarrier<PIPE_M>();
                opslib::Multiply(sums, a_l0, b_l0, rows, columns, now, k1 + k0 == 0);
                SetFlag<HardEvent::M_MTE1>(0);
                PipeBarrier<PIPE_M>();
                if (k0 + block_k < deep) {
                    const int64_t k0_2 = k0 + block_k;
                    const int64_t now_2 = ops_minimum_i64(deep - k0_2, block_k);
                    WaitFlag<HardEvent::M_MTE1>(1);
                    opslib::LoadLeft<false>(a_l0_next, a_l1, k0_2, rows, now_2,
                        block_m / 16);
                    opslib::LoadRight<true>(b_l0_next, b_l1, k0_2, columns, now_2,
                        panel_k / 16);
                    SetFlag<HardEvent::MTE1_M>(1);
                    WaitFlag<HardEvent::MTE1_M>(1);
                    opslib::Multiply(sums, a_l0_next, b_l0_next, rows, columns, now_2, k1
                        + k0_2 == 0);
                    SetFlag<HardEvent::M_MTE1>(1);
                }
            }
            SetFlag<HardEvent::MTE1_MTE2>(0);
            if (k1 + panel_k < depth) {
                const int64_t k1_2 = k1 + panel_k;
                const int64_t deep_2 = ops_minimum_i64(k - k1_2, panel_k);
                WaitFlag<HardEvent::MTE1_MTE2>(1);
                opslib::LoadPanel(a_l1_next, x1[m0 * x1_stride0 + k1_2], rows, deep_2,
                    x1_stride0, block_m);
                opslib::LoadPanel(b_l1_next, x2[k1_2 * x2_stride0 + n0], deep_2, columns,
                    x2_stride0, panel_k);
                SetFlag<HardEvent::MTE2_MTE1>(1);
                WaitFlag<HardEvent::MTE2_MTE1>(1);
                for (int64_t k0_3 = 0; k0_3 < deep_2; k0_3 += 2 * block_k) {
                    const int64_t now_3 = ops_minimum_i64(deep_2 - k0_3, block_k);
                    WaitFlag<HardEvent::M_MTE1>(0);
                    opslib::LoadLeft<false>(a_l0, a_l1_next, k0_3, rows, now_3,
                        block_m / 16);
                    opslib::LoadRight<true>(b_l0, b_l1_next, k0_3, columns, now_3,
                        panel_k / 16);
                    SetFlag<HardEvent::MTE1_M>(2);
                    WaitFlag<HardEvent::MTE1_M>(2);
                    PipeBarrier<PIPE_M>();
                    opslib::Multiply(sums, a_l0, b_l0, rows, columns, now_3, k1_2
                        + k0_3 == 0);
                    SetFlag<HardEvent::M_MTE1>(0);
                    PipeBarrier<PIPE_M>();
                    if (k0_3 + block_k < deep_2) {
                        const int64_t k0_4 = k0_3 + block_k;
                        const int64_t now_4 = ops_minimum_i64(deep_2 - k0_4, block_k);
                        WaitFlag<HardEvent::M_MTE1>(1);
                        opslib::LoadLeft<false>(a_l0_next, a_l1_next, k0_4, rows, now_4,
                            block_m / 16);
                        opslib::LoadRight<true>(b_l0_next, b_l1_next, k0_4, columns, now_4,
                            panel_k / 16);
                        SetFlag<HardEvent::MTE1_M>(3);
                        WaitFlag<HardEvent::MTE1_M>(3);
                        opslib::Multiply(sums, a_l0_next, b_l0_next, rows, columns, now_4,
                            k1_2 + k0_4 == 0);
                        SetFlag<HardEvent::M_MTE1>(1);
                    }
                }
                SetFlag<HardEvent::MTE1_MTE2>(1);
            }
        }
        SetFlag<HardEvent::M_FIX>(0);
        WaitFlag<HardEvent::M_FIX>(0);
        opslib::Drain<F322F16>(y[m0 * y_stride0 + n0], sums, rows, columns, y_stride0);
        SetFlag<HardEvent::FIX_M>(0);
    }
    WaitFlag<HardEvent::FIX_M>(0);
    WaitFlag<HardEvent::MTE1_MTE2>(1);
    WaitFlag<HardEvent::MTE1_MTE2>(0);
    WaitFlag<HardEvent::M_MTE1>(1);
    WaitFlag<HardEvent::M_MTE1>(0);
}

