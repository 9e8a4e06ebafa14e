#include "opslib_cuda.h"

/* op_sum_split_0: skeleton row_fold */
extern "C" __global__ void __launch_bounds__(256) op_sum_split_0(
    const float *__restrict__ x, float *sum_pieces_all, int64_t s0, int64_t s1,
    int64_t x_stride0) {
    const int64_t size = ops_maximum_i64((s0 + 255) / 256, 64);
    const int64_t pieces = ops_quotient(s0 + (size - 1), size);
    const int64_t stop = pieces * s1;
    for (int64_t item = ops_thread(); item < stop; item += ops_threads()) {
        const int64_t i0_1 = ops_rest(item, s1);
        const int64_t piece_1 = ops_quotient(item, s1);
        float sum_piece = 0.0f;
        const int64_t start = piece_1 * size;
        const int64_t stop_2 = ops_minimum_i64(piece_1 * size + size, s0);
        for (int64_t j0 = start; j0 < stop_2; j0++) {
            sum_piece = sum_piece + x[j0 * x_stride0 + i0_1];
        }
        sum_pieces_all[piece_1 * s1 + i0_1] = sum_piece;
    }
}

/* op_sum_split_1: skeleton row_fold */
extern "C" __global__ void __launch_bounds__(256) op_sum_split_1(
    float *__restrict__ y, float *sum_pieces_all, int64_t s0, int64_t s1) {
    for (int64_t i0_2 = ops_thread(); i0_2 < s1; i0_2 += ops_threads()) {
        float sum_states = 0.0f;
        const int64_t max_of = ops_maximum_i64((s0 + 255) / 256, 64);
        const int64_t stop = ops_quotient(s0 + (max_of - 1), max_of);
        for (int64_t piece_1_1 = 0; piece_1_1 < stop; piece_1_1++) {
            sum_states = sum_states + sum_pieces_all[piece_1_1 * s1 + i0_2];
        }
        y[i0_2] = sum_states;
    }
}

/* op_sum: skeleton row_fold */
extern "C" __global__ void __launch_bounds__(256) op_sum(
    const float *__restrict__ x, float *__restrict__ y, int64_t s0, int64_t s1,
    int64_t x_stride0) {
    for (int64_t i0 = ops_thread(); i0 < s1; i0 += ops_threads()) {
        float sum = 0.0f;
        for (int64_t j0 = 0; j0 < s0; j0++) {
            sum = sum + x[j0 * x_stride0 + i0];
        }
        y[i0] = sum;
    }
}
