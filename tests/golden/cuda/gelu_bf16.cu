#include "opslib_cuda.h"

/* op_gelu: skeleton map */
extern "C" __global__ void __launch_bounds__(256) op_gelu(
    const ops_bf16 *__restrict__ input, ops_bf16 *__restrict__ y, int64_t batch0) {
    const int64_t packs = (batch0 + 7) / 8;
    for (int64_t pack = ops_thread(); pack < packs; pack += ops_threads()) {
        const int64_t begin = pack * 8;
        const int64_t end = ops_minimum_i64(begin + 8, batch0);
        if (end - begin == 8 && ops_aligned(input + begin, y + begin)) {
            ops_bf16 input_pack[8];
            ops_load(input_pack, input + begin);
            ops_bf16 y_pack[8];
            #pragma unroll
            for (int e = 0; e < 8; e++) {
                y_pack[e] = ops_f32_to_bf16(ops_gelu_f32(ops_bf16_to_f32(input_pack[e])));
            }
            ops_store(y + begin, y_pack);
        } else {
            for (int64_t b0 = begin; b0 < end; b0++) {
                y[b0] = ops_f32_to_bf16(ops_gelu_f32(ops_bf16_to_f32(input[b0])));
            }
        }
    }
}
