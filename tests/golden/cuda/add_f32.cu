#include "opslib_cuda.h"

/* op_add: skeleton map */
extern "C" __global__ void __launch_bounds__(256) op_add(
    const float *__restrict__ x1, const float *__restrict__ x2, float *__restrict__ y,
    int64_t batch0, int64_t batch1, int64_t x1_stride0, int64_t x2_stride0,
    int64_t y_stride0) {
    const int64_t packs = (batch1 + 3) / 4;
    const int64_t stop = batch0 * packs;
    for (int64_t pack = ops_thread(); pack < stop; pack += ops_threads()) {
        const int64_t b1_1 = ops_rest(pack, packs);
        const int64_t b0_1 = ops_quotient(pack, packs);
        const int64_t begin = b1_1 * 4;
        const int64_t end = ops_minimum_i64(begin + 4, batch1);
        const float *x1_row = x1 + b0_1 * x1_stride0;
        const float *x2_row = x2 + b0_1 * x2_stride0;
        float *y_row = y + b0_1 * y_stride0;
        if (end - begin == 4 && ops_aligned(x1_row + begin, x2_row + begin, y_row
            + begin)) {
            float x1_pack[4];
            ops_load(x1_pack, x1_row + begin);
            float x2_pack[4];
            ops_load(x2_pack, x2_row + begin);
            float y_pack[4];
            #pragma unroll
            for (int e = 0; e < 4; e++) {
                y_pack[e] = x1_pack[e] + x2_pack[e];
            }
            ops_store(y_row + begin, y_pack);
        } else {
            for (int64_t b1 = begin; b1 < end; b1++) {
                y_row[b1] = x1_row[b1] + x2_row[b1];
            }
        }
    }
}
