#include "opslib_cuda.h"

/* op_take_0: skeleton gather */
extern "C" __global__ void __launch_bounds__(256) op_take_0(
    const int64_t *__restrict__ indices, int64_t *status, int64_t r0, int64_t s0) {
    for (int64_t b0 = ops_thread(); b0 < r0; b0 += ops_threads()) {
        if (!(indices[b0] >= 0 && indices[b0] < s0)) {
            ops_fail(status, 0, indices[b0], s0);
            return;
        }
    }
}

/* op_take_1: skeleton gather */
extern "C" __global__ void __launch_bounds__(256) op_take_1(
    const float *__restrict__ x, const int64_t *__restrict__ indices,
    float *__restrict__ y, int64_t *status, int64_t r0, int64_t s1, int64_t x_stride0,
    int64_t y_stride0) {
    if (ops_failed(status)) return;
    const int64_t packs = (s1 + 3) / 4;
    const int64_t stop = r0 * packs;
    for (int64_t pack = ops_thread(); pack < stop; pack += ops_threads()) {
        const int64_t c0_1 = ops_rest(pack, packs);
        const int64_t b0_1_1 = ops_quotient(pack, packs);
        const int64_t begin = c0_1 * 4;
        const int64_t end = ops_minimum_i64(begin + 4, s1);
        const float *x_row = x + indices[b0_1_1] * x_stride0;
        float *y_row = y + b0_1_1 * y_stride0;
        if (end - begin == 4 && ops_aligned(x_row + begin, y_row + begin)) {
            float x_pack[4];
            ops_load(x_pack, x_row + begin);
            float y_pack[4];
            #pragma unroll
            for (int e = 0; e < 4; e++) {
                y_pack[e] = x_pack[e];
            }
            ops_store(y_row + begin, y_pack);
        } else {
            for (int64_t c0 = begin; c0 < end; c0++) {
                y_row[c0] = x_row[c0];
            }
        }
    }
}
