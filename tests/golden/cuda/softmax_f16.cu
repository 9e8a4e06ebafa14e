#include "opslib_cuda.h"

/* op_softmax_split_0: skeleton row_fold */
extern "C" __global__ void __launch_bounds__(256) op_softmax_split_0(
    const ops_f16 *__restrict__ x, float *max_pieces_all, int64_t batch0, int64_t n,
    int64_t x_stride0) {
    const int thread = threadIdx.x;
    const int64_t size = ops_maximum_i64((n + 255) / 256, 4096);
    const int64_t pieces = ops_quotient(n + (size - 1), size);
    const int64_t stop = batch0 * pieces;
    for (int64_t row = blockIdx.x; row < stop; row += gridDim.x) {
        const int64_t piece = ops_rest(row, pieces);
        const int64_t b0 = ops_quotient(row, pieces);
        float max_piece = -INFINITY;
        const int64_t start = piece * size;
        const int64_t stop_2 = ops_minimum_i64(piece * size + size, n);
        const ops_f16 *x_row = x + b0 * x_stride0;
        const int64_t packs = ops_packs(stop_2 - start, 8, ops_aligned(x_row + start));
        for (int64_t p = thread; p < packs; p += 256) {
            const int64_t j_first = start + p * 8;
            ops_f16 x_pack[8];
            ops_load(x_pack, x_row + j_first);
            #pragma unroll
            for (int e = 0; e < 8; e++) {
                max_piece = ops_maximum_f32(max_piece, ops_f16_to_f32(x_pack[e]));
            }
        }
        for (int64_t j = start + packs * 8 + thread; j < stop_2; j += 256) {
            max_piece = ops_maximum_f32(max_piece, ops_f16_to_f32(x_row[j]));
        }
        ops_block_fold<256>([](float &a, float b) { a = ops_maximum_f32(a, b); },
            max_piece);
        if (thread == 0) {
            max_pieces_all[b0 * pieces + piece] = max_piece;
        }
        __syncthreads();
    }
}

/* op_softmax_split_1: skeleton row_fold */
extern "C" __global__ void __launch_bounds__(256) op_softmax_split_1(
    float *max_pieces_all, float *max_total_all, int64_t batch0, int64_t n) {
    const int lane = ops_lane();
    for (int64_t b0_2 = ops_warp(); b0_2 < batch0; b0_2 += ops_warps()) {
        float max_states = -INFINITY;
        const int64_t max_of = ops_maximum_i64((n + 255) / 256, 4096);
        const int64_t stop = ops_quotient(n + (max_of - 1), max_of);
        float *max_pieces_all_row = max_pieces_all + b0_2 * ops_quotient(n + (max_of - 1),
            max_of);
        const int64_t packs = ops_packs(stop, 4, ops_aligned(max_pieces_all_row));
        for (int64_t p = lane; p < packs; p += OPS_WARP) {
            const int64_t piece_1_1_first = p * 4;
            float max_pieces_all_pack[4];
            ops_load(max_pieces_all_pack, max_pieces_all_row + piece_1_1_first);
            #pragma unroll
            for (int e = 0; e < 4; e++) {
                max_states = ops_maximum_f32(max_states, max_pieces_all_pack[e]);
            }
        }
        for (int64_t piece_1_1 = packs * 4
            + lane; piece_1_1 < stop; piece_1_1 += OPS_WARP) {
            max_states = ops_maximum_f32(max_states, max_pieces_all_row[piece_1_1]);
        }
        ops_warp_fold([](float &a, float b) { a = ops_maximum_f32(a, b); }, max_states);
        if (lane == 0) {
            max_total_all[b0_2] = max_states;
        }
    }
}

/* op_softmax_split_2: skeleton row_fold */
extern "C" __global__ void __launch_bounds__(256) op_softmax_split_2(
    const ops_f16 *__restrict__ x, float *max_total_all, float *sum_pieces_all,
    int64_t batch0, int64_t n, int64_t x_stride0) {
    const int thread = threadIdx.x;
    const int64_t size = ops_maximum_i64((n + 255) / 256, 4096);
    const int64_t pieces = ops_quotient(n + (size - 1), size);
    const int64_t stop = batch0 * pieces;
    for (int64_t row_2 = blockIdx.x; row_2 < stop; row_2 += gridDim.x) {
        const int64_t piece_2_1 = ops_rest(row_2, pieces);
        const int64_t b0_4 = ops_quotient(row_2, pieces);
        float sum_piece = 0.0f;
        const int64_t start = piece_2_1 * size;
        const int64_t stop_2 = ops_minimum_i64(piece_2_1 * size + size, n);
        const ops_f16 *x_row = x + b0_4 * x_stride0;
        const int64_t packs = ops_packs(stop_2 - start, 8, ops_aligned(x_row + start));
        for (int64_t p = thread; p < packs; p += 256) {
            const int64_t j2_first = start + p * 8;
            ops_f16 x_pack[8];
            ops_load(x_pack, x_row + j2_first);
            #pragma unroll
            for (int e = 0; e < 8; e++) {
                const float exp_of =
                    ops_exp_f32(ops_f16_to_f32(x_pack[e]) - max_total_all[b0_4]);
                sum_piece = sum_piece + exp_of;
            }
        }
        for (int64_t j2 = start + packs * 8 + thread; j2 < stop_2; j2 += 256) {
            const float exp_of_2 =
                ops_exp_f32(ops_f16_to_f32(x_row[j2]) - max_total_all[b0_4]);
            sum_piece = sum_piece + exp_of_2;
        }
        ops_block_fold<256>([](float &a, float b) { a = a + b; }, sum_piece);
        if (thread == 0) {
            sum_pieces_all[b0_4 * pieces + piece_2_1] = sum_piece;
        }
        __syncthreads();
    }
}

/* op_softmax_split_3: skeleton row_fold */
extern "C" __global__ void __launch_bounds__(256) op_softmax_split_3(
    float *sum_pieces_all, float *sum_total_all, int64_t batch0, int64_t n) {
    const int lane = ops_lane();
    for (int64_t b0_6 = ops_warp(); b0_6 < batch0; b0_6 += ops_warps()) {
        float sum_states = 0.0f;
        const int64_t max_of = ops_maximum_i64((n + 255) / 256, 4096);
        const int64_t stop = ops_quotient(n + (max_of - 1), max_of);
        float *sum_pieces_all_row = sum_pieces_all + b0_6 * ops_quotient(n + (max_of - 1),
            max_of);
        const int64_t packs = ops_packs(stop, 4, ops_aligned(sum_pieces_all_row));
        for (int64_t p = lane; p < packs; p += OPS_WARP) {
            const int64_t piece_3_1_first = p * 4;
            float sum_pieces_all_pack[4];
            ops_load(sum_pieces_all_pack, sum_pieces_all_row + piece_3_1_first);
            #pragma unroll
            for (int e = 0; e < 4; e++) {
                sum_states = sum_states + sum_pieces_all_pack[e];
            }
        }
        for (int64_t piece_3_1 = packs * 4
            + lane; piece_3_1 < stop; piece_3_1 += OPS_WARP) {
            sum_states = sum_states + sum_pieces_all_row[piece_3_1];
        }
        ops_warp_fold([](float &a, float b) { a = a + b; }, sum_states);
        if (lane == 0) {
            sum_total_all[b0_6] = sum_states;
        }
    }
}

/* op_softmax_split_4: skeleton row_fold */
extern "C" __global__ void __launch_bounds__(256) op_softmax_split_4(
    const ops_f16 *__restrict__ x, ops_f16 *__restrict__ y, float *max_total_all,
    float *sum_total_all, int64_t batch0, int64_t n, int64_t x_stride0,
    int64_t y_stride0) {
    const int64_t packs = (n + 7) / 8;
    const int64_t stop = batch0 * packs;
    for (int64_t pack = ops_thread(); pack < stop; pack += ops_threads()) {
        const int64_t i_1 = ops_rest(pack, packs);
        const int64_t b0_8_1 = ops_quotient(pack, packs);
        const int64_t begin_4 = i_1 * 8;
        const int64_t end_4 = ops_minimum_i64(begin_4 + 8, n);
        const ops_f16 *x_row = x + b0_8_1 * x_stride0;
        ops_f16 *y_row = y + b0_8_1 * y_stride0;
        if (end_4 - begin_4 == 8 && ops_aligned(x_row + begin_4, y_row + begin_4)) {
            ops_f16 x_pack[8];
            ops_load(x_pack, x_row + begin_4);
            ops_f16 y_pack[8];
            #pragma unroll
            for (int e = 0; e < 8; e++) {
                const float exp_of =
                    ops_exp_f32(ops_f16_to_f32(x_pack[e]) - max_total_all[b0_8_1]);
                y_pack[e] = ops_f32_to_f16(exp_of / sum_total_all[b0_8_1]);
            }
            ops_store(y_row + begin_4, y_pack);
        } else {
            for (int64_t i = begin_4; i < end_4; i++) {
                const float exp_of_2 =
                    ops_exp_f32(ops_f16_to_f32(x_row[i]) - max_total_all[b0_8_1]);
                y_row[i] = ops_f32_to_f16(exp_of_2 / sum_total_all[b0_8_1]);
            }
        }
    }
}

/* op_softmax_warps: skeleton row_fold */
extern "C" __global__ void __launch_bounds__(256) op_softmax_warps(
    const ops_f16 *__restrict__ x, ops_f16 *__restrict__ y, int64_t batch0, int64_t n,
    int64_t x_stride0, int64_t y_stride0) {
    const int lane = ops_lane();
    extern __shared__ __align__(16) unsigned char ops_shared[];
    unsigned char *own = ops_shared + threadIdx.x / OPS_WARP * ((n * 4 + 15) / 16 * 16);
    float *e_row = (float *)own;
    for (int64_t b0 = ops_warp(); b0 < batch0; b0 += ops_warps()) {
        float max = -INFINITY;
        const ops_f16 *x_row = x + b0 * x_stride0;
        const int64_t packs = ops_packs(n, 8, ops_aligned(x_row));
        for (int64_t p = lane; p < packs; p += OPS_WARP) {
            const int64_t j_first = p * 8;
            ops_f16 x_pack[8];
            ops_load(x_pack, x_row + j_first);
            #pragma unroll
            for (int e = 0; e < 8; e++) {
                max = ops_maximum_f32(max, ops_f16_to_f32(x_pack[e]));
            }
        }
        for (int64_t j = packs * 8 + lane; j < n; j += OPS_WARP) {
            max = ops_maximum_f32(max, ops_f16_to_f32(x_row[j]));
        }
        ops_warp_fold([](float &a, float b) { a = ops_maximum_f32(a, b); }, max);
        float sum = 0.0f;
        const int64_t packs_2 = ops_packs(n, 8, ops_aligned(x_row, e_row));
        for (int64_t p_2 = lane; p_2 < packs_2; p_2 += OPS_WARP) {
            const int64_t j2_first = p_2 * 8;
            ops_f16 x_pack_2[8];
            ops_load(x_pack_2, x_row + j2_first);
            float e_row_pack[8];
            #pragma unroll
            for (int e = 0; e < 8; e++) {
                const float e_value = ops_exp_f32(ops_f16_to_f32(x_pack_2[e]) - max);
                e_row_pack[e] = e_value;
                sum = sum + e_value;
            }
            ops_store(e_row + j2_first, e_row_pack);
        }
        for (int64_t j2 = packs_2 * 8 + lane; j2 < n; j2 += OPS_WARP) {
            const float e_value_2 = ops_exp_f32(ops_f16_to_f32(x_row[j2]) - max);
            e_row[j2] = e_value_2;
            sum = sum + e_value_2;
        }
        ops_warp_fold([](float &a, float b) { a = a + b; }, sum);
        __syncwarp();
        ops_f16 *y_row = y + b0 * y_stride0;
        const int64_t packs_3 = ops_packs(n, 8, ops_aligned(e_row, y_row));
        for (int64_t p_3 = lane; p_3 < packs_3; p_3 += OPS_WARP) {
            const int64_t i_1_first = p_3 * 8;
            float e_row_pack_2[8];
            ops_load(e_row_pack_2, e_row + i_1_first);
            ops_f16 y_pack[8];
            #pragma unroll
            for (int e = 0; e < 8; e++) {
                y_pack[e] = ops_f32_to_f16(e_row_pack_2[e] / sum);
            }
            ops_store(y_row + i_1_first, y_pack);
        }
        for (int64_t i_1 = packs_3 * 8 + lane; i_1 < n; i_1 += OPS_WARP) {
            y_row[i_1] = ops_f32_to_f16(e_row[i_1] / sum);
        }
        __syncwarp();
    }
}

/* op_softmax_blocks: skeleton row_fold */
extern "C" __global__ void __launch_bounds__(256) op_softmax_blocks(
    const ops_f16 *__restrict__ x, ops_f16 *__restrict__ y, int64_t batch0, int64_t n,
    int64_t x_stride0, int64_t y_stride0) {
    const int thread = threadIdx.x;
    extern __shared__ __align__(16) unsigned char ops_shared[];
    float *e_row = (float *)ops_shared;
    for (int64_t b0 = blockIdx.x; b0 < batch0; b0 += gridDim.x) {
        float max = -INFINITY;
        const ops_f16 *x_row = x + b0 * x_stride0;
        const int64_t packs = ops_packs(n, 8, ops_aligned(x_row));
        for (int64_t p = thread; p < packs; p += 256) {
            const int64_t j_first = p * 8;
            ops_f16 x_pack[8];
            ops_load(x_pack, x_row + j_first);
            #pragma unroll
            for (int e = 0; e < 8; e++) {
                max = ops_maximum_f32(max, ops_f16_to_f32(x_pack[e]));
            }
        }
        for (int64_t j = packs * 8 + thread; j < n; j += 256) {
            max = ops_maximum_f32(max, ops_f16_to_f32(x_row[j]));
        }
        ops_block_fold<256>([](float &a, float b) { a = ops_maximum_f32(a, b); }, max);
        float sum = 0.0f;
        const int64_t packs_2 = ops_packs(n, 8, ops_aligned(x_row, e_row));
        for (int64_t p_2 = thread; p_2 < packs_2; p_2 += 256) {
            const int64_t j2_first = p_2 * 8;
            ops_f16 x_pack_2[8];
            ops_load(x_pack_2, x_row + j2_first);
            float e_row_pack[8];
            #pragma unroll
            for (int e = 0; e < 8; e++) {
                const float e_value = ops_exp_f32(ops_f16_to_f32(x_pack_2[e]) - max);
                e_row_pack[e] = e_value;
                sum = sum + e_value;
            }
            ops_store(e_row + j2_first, e_row_pack);
        }
        for (int64_t j2 = packs_2 * 8 + thread; j2 < n; j2 += 256) {
            const float e_value_2 = ops_exp_f32(ops_f16_to_f32(x_row[j2]) - max);
            e_row[j2] = e_value_2;
            sum = sum + e_value_2;
        }
        ops_block_fold<256>([](float &a, float b) { a = a + b; }, sum);
        ops_f16 *y_row = y + b0 * y_stride0;
        const int64_t packs_3 = ops_packs(n, 8, ops_aligned(e_row, y_row));
        for (int64_t p_3 = thread; p_3 < packs_3; p_3 += 256) {
            const int64_t i_1_first = p_3 * 8;
            float e_row_pack_2[8];
            ops_load(e_row_pack_2, e_row + i_1_first);
            ops_f16 y_pack[8];
            #pragma unroll
            for (int e = 0; e < 8; e++) {
                y_pack[e] = ops_f32_to_f16(e_row_pack_2[e] / sum);
            }
            ops_store(y_row + i_1_first, y_pack);
        }
        for (int64_t i_1 = packs_3 * 8 + thread; i_1 < n; i_1 += 256) {
            y_row[i_1] = ops_f32_to_f16(e_row[i_1] / sum);
        }
    }
}

/* op_softmax_long: skeleton row_fold */
extern "C" __global__ void __launch_bounds__(256) op_softmax_long(
    const ops_f16 *__restrict__ x, ops_f16 *__restrict__ y, float *e_row_all,
    int64_t batch0, int64_t n, int64_t x_stride0, int64_t y_stride0) {
    const int thread = threadIdx.x;
    float *e_row = e_row_all + blockIdx.x * n;
    for (int64_t b0 = blockIdx.x; b0 < batch0; b0 += gridDim.x) {
        float max = -INFINITY;
        const ops_f16 *x_row = x + b0 * x_stride0;
        const int64_t packs = ops_packs(n, 8, ops_aligned(x_row));
        for (int64_t p = thread; p < packs; p += 256) {
            const int64_t j_first = p * 8;
            ops_f16 x_pack[8];
            ops_load(x_pack, x_row + j_first);
            #pragma unroll
            for (int e = 0; e < 8; e++) {
                max = ops_maximum_f32(max, ops_f16_to_f32(x_pack[e]));
            }
        }
        for (int64_t j = packs * 8 + thread; j < n; j += 256) {
            max = ops_maximum_f32(max, ops_f16_to_f32(x_row[j]));
        }
        ops_block_fold<256>([](float &a, float b) { a = ops_maximum_f32(a, b); }, max);
        float sum = 0.0f;
        const int64_t packs_2 = ops_packs(n, 8, ops_aligned(x_row, e_row));
        for (int64_t p_2 = thread; p_2 < packs_2; p_2 += 256) {
            const int64_t j2_first = p_2 * 8;
            ops_f16 x_pack_2[8];
            ops_load(x_pack_2, x_row + j2_first);
            float e_row_pack[8];
            #pragma unroll
            for (int e = 0; e < 8; e++) {
                const float e_value = ops_exp_f32(ops_f16_to_f32(x_pack_2[e]) - max);
                e_row_pack[e] = e_value;
                sum = sum + e_value;
            }
            ops_store(e_row + j2_first, e_row_pack);
        }
        for (int64_t j2 = packs_2 * 8 + thread; j2 < n; j2 += 256) {
            const float e_value_2 = ops_exp_f32(ops_f16_to_f32(x_row[j2]) - max);
            e_row[j2] = e_value_2;
            sum = sum + e_value_2;
        }
        ops_block_fold<256>([](float &a, float b) { a = a + b; }, sum);
        ops_f16 *y_row = y + b0 * y_stride0;
        const int64_t packs_3 = ops_packs(n, 8, ops_aligned(e_row, y_row));
        for (int64_t p_3 = thread; p_3 < packs_3; p_3 += 256) {
            const int64_t i_1_first = p_3 * 8;
            float e_row_pack_2[8];
            ops_load(e_row_pack_2, e_row + i_1_first);
            ops_f16 y_pack[8];
            #pragma unroll
            for (int e = 0; e < 8; e++) {
                y_pack[e] = ops_f32_to_f16(e_row_pack_2[e] / sum);
            }
            ops_store(y_row + i_1_first, y_pack);
        }
        for (int64_t i_1 = packs_3 * 8 + thread; i_1 < n; i_1 += 256) {
            y_row[i_1] = ops_f32_to_f16(e_row[i_1] / sum);
        }
    }
}
