#include "opslib_cuda.h"

/* op_cumsum_warps: skeleton scan */
extern "C" __global__ void __launch_bounds__(256) op_cumsum_warps(
    const float *__restrict__ x, float *__restrict__ y, int64_t batch0, int64_t n,
    int64_t x_stride0, int64_t y_stride0) {
    const int lane = ops_lane();
    extern __shared__ __align__(16) unsigned char ops_shared[];
    unsigned char *own = ops_shared + threadIdx.x / OPS_WARP * ((n * 4 + 15) / 16 * 16);
    float *sum_prefix = (float *)own;
    for (int64_t b0 = ops_warp(); b0 < batch0; b0 += ops_warps()) {
        float state_ = 0.0f;
        ops_states<float> carry;
        ops_put(carry, state_);
        for (int64_t j_first = 0; j_first < n; j_first += OPS_WARP * 4) {
            float part = 0.0f;
            #pragma unroll
            for (int e = 0; e < 4; e++) {
                const int64_t j = j_first + lane * 4 + e;
                if (j < n) {
                    part = part + x[b0 * x_stride0 + j];
                }
            }
            ops_warp_scan([](float &a, float b) { a = a + b; }, carry, part);
            #pragma unroll
            for (int e = 0; e < 4; e++) {
                const int64_t j_2 = j_first + lane * 4 + e;
                if (j_2 < n) {
                    part = part + x[b0 * x_stride0 + j_2];
                    sum_prefix[j_2] = part;
                }
            }
        }
        ops_take(carry, state_);
        __syncwarp();
        float *y_row = y + b0 * y_stride0;
        const int64_t packs = ops_packs(n, 4, ops_aligned(sum_prefix, y_row));
        for (int64_t p = lane; p < packs; p += OPS_WARP) {
            const int64_t i_first = p * 4;
            float sum_prefix_pack[4];
            ops_load(sum_prefix_pack, sum_prefix + i_first);
            float y_pack[4];
            #pragma unroll
            for (int e = 0; e < 4; e++) {
                y_pack[e] = sum_prefix_pack[e];
            }
            ops_store(y_row + i_first, y_pack);
        }
        for (int64_t i = packs * 4 + lane; i < n; i += OPS_WARP) {
            y_row[i] = sum_prefix[i];
        }
        __syncwarp();
    }
}

/* op_cumsum_blocks: skeleton scan */
extern "C" __global__ void __launch_bounds__(256) op_cumsum_blocks(
    const float *__restrict__ x, float *__restrict__ y, int64_t batch0, int64_t n,
    int64_t x_stride0, int64_t y_stride0) {
    const int thread = threadIdx.x;
    extern __shared__ __align__(16) unsigned char ops_shared[];
    float *sum_prefix = (float *)ops_shared;
    for (int64_t b0 = blockIdx.x; b0 < batch0; b0 += gridDim.x) {
        float state_ = 0.0f;
        ops_states<float> carry;
        ops_put(carry, state_);
        for (int64_t j_first = 0; j_first < n; j_first += 256 * 4) {
            float part = 0.0f;
            #pragma unroll
            for (int e = 0; e < 4; e++) {
                const int64_t j = j_first + thread * 4 + e;
                if (j < n) {
                    part = part + x[b0 * x_stride0 + j];
                }
            }
            ops_block_scan<256>([](float &a, float b) { a = a + b; }, carry, part);
            #pragma unroll
            for (int e = 0; e < 4; e++) {
                const int64_t j_2 = j_first + thread * 4 + e;
                if (j_2 < n) {
                    part = part + x[b0 * x_stride0 + j_2];
                    sum_prefix[j_2] = part;
                }
            }
            __syncthreads();
        }
        ops_take(carry, state_);
        float *y_row = y + b0 * y_stride0;
        const int64_t packs = ops_packs(n, 4, ops_aligned(sum_prefix, y_row));
        for (int64_t p = thread; p < packs; p += 256) {
            const int64_t i_first = p * 4;
            float sum_prefix_pack[4];
            ops_load(sum_prefix_pack, sum_prefix + i_first);
            float y_pack[4];
            #pragma unroll
            for (int e = 0; e < 4; e++) {
                y_pack[e] = sum_prefix_pack[e];
            }
            ops_store(y_row + i_first, y_pack);
        }
        for (int64_t i = packs * 4 + thread; i < n; i += 256) {
            y_row[i] = sum_prefix[i];
        }
    }
}

/* op_cumsum_long: skeleton scan */
extern "C" __global__ void __launch_bounds__(256) op_cumsum_long(
    const float *__restrict__ x, float *__restrict__ y, float *sum_prefix_all,
    int64_t batch0, int64_t n, int64_t x_stride0, int64_t y_stride0) {
    const int thread = threadIdx.x;
    float *sum_prefix = sum_prefix_all + blockIdx.x * n;
    for (int64_t b0 = blockIdx.x; b0 < batch0; b0 += gridDim.x) {
        float state_ = 0.0f;
        ops_states<float> carry;
        ops_put(carry, state_);
        for (int64_t j_first = 0; j_first < n; j_first += 256 * 4) {
            float part = 0.0f;
            #pragma unroll
            for (int e = 0; e < 4; e++) {
                const int64_t j = j_first + thread * 4 + e;
                if (j < n) {
                    part = part + x[b0 * x_stride0 + j];
                }
            }
            ops_block_scan<256>([](float &a, float b) { a = a + b; }, carry, part);
            #pragma unroll
            for (int e = 0; e < 4; e++) {
                const int64_t j_2 = j_first + thread * 4 + e;
                if (j_2 < n) {
                    part = part + x[b0 * x_stride0 + j_2];
                    sum_prefix[j_2] = part;
                }
            }
            __syncthreads();
        }
        ops_take(carry, state_);
        float *y_row = y + b0 * y_stride0;
        const int64_t packs = ops_packs(n, 4, ops_aligned(sum_prefix, y_row));
        for (int64_t p = thread; p < packs; p += 256) {
            const int64_t i_first = p * 4;
            float sum_prefix_pack[4];
            ops_load(sum_prefix_pack, sum_prefix + i_first);
            float y_pack[4];
            #pragma unroll
            for (int e = 0; e < 4; e++) {
                y_pack[e] = sum_prefix_pack[e];
            }
            ops_store(y_row + i_first, y_pack);
        }
        for (int64_t i = packs * 4 + thread; i < n; i += 256) {
            y_row[i] = sum_prefix[i];
        }
    }
}
