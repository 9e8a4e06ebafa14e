#include "opslib_cuda.h"

/* op_argmax_split_0: skeleton row_fold */
extern "C" __global__ void __launch_bounds__(256) op_argmax_split_0(
    const float *__restrict__ x, float *argmax_pieces_all, int64_t s0, int64_t s1,
    int64_t x_stride0) {
    const int thread = threadIdx.x;
    const int64_t size = ops_maximum_i64((s1 + 255) / 256, 4096);
    const int64_t pieces = ops_quotient(s1 + (size - 1), size);
    const int64_t stop = s0 * pieces;
    for (int64_t row = blockIdx.x; row < stop; row += gridDim.x) {
        const int64_t piece = ops_rest(row, pieces);
        const int64_t i0 = ops_quotient(row, pieces);
        float argmax_piece = -INFINITY;
        int64_t argmax_piece_1 = -1;
        const int64_t start = piece * size;
        const int64_t stop_2 = ops_minimum_i64(piece * size + size, s1);
        const float *x_row = x + i0 * x_stride0;
        const int64_t packs = ops_packs(stop_2 - start, 4, ops_aligned(x_row + start));
        for (int64_t p = thread; p < packs; p += 256) {
            const int64_t j0_first = start + p * 4;
            float x_pack[4];
            ops_load(x_pack, x_row + j0_first);
            #pragma unroll
            for (int e = 0; e < 4; e++) {
                const int64_t j0 = j0_first + e;
                const float value = x_pack[e];
                const bool test = value != value;
                const bool test_2 = (value > argmax_piece || test)
                    && argmax_piece == argmax_piece;
                const bool test_3 = argmax_piece == value
                    || (argmax_piece != argmax_piece && test);
                const bool test_4 = argmax_piece_1 < 0 || (test_2 || (test_3
                    && j0 < argmax_piece_1));
                const float next = test_4 ? value : argmax_piece;
                const int64_t next_2 = test_4 ? j0 : argmax_piece_1;
                argmax_piece = next;
                argmax_piece_1 = next_2;
            }
        }
        for (int64_t j0_2 = start + packs * 4 + thread; j0_2 < stop_2; j0_2 += 256) {
            const float value_2 = x_row[j0_2];
            const bool test_5 = value_2 != value_2;
            const bool test_6 = (value_2 > argmax_piece || test_5)
                && argmax_piece == argmax_piece;
            const bool test_7 = argmax_piece == value_2 || (argmax_piece != argmax_piece
                && test_5);
            const bool test_8 = argmax_piece_1 < 0 || (test_6 || (test_7
                && j0_2 < argmax_piece_1));
            const float next_3 = test_8 ? value_2 : argmax_piece;
            const int64_t next_4 = test_8 ? j0_2 : argmax_piece_1;
            argmax_piece = next_3;
            argmax_piece_1 = next_4;
        }
        ops_block_fold<256>([](float &a, int64_t &a_2, float b, int64_t b_2) {
            const bool test_9 = b != b;
            const bool test_10 = ((b > a || test_9) && a == a) || ((a == b || (a != a
                && test_9)) && b_2 < a_2);
            const bool test_11 = b_2 >= 0 && (a_2 < 0 || test_10);
            const float next_5 = test_11 ? b : a;
            const int64_t next_6 = test_11 ? b_2 : a_2;
            a = next_5;
            a_2 = next_6;
        }, argmax_piece, argmax_piece_1);
        if (thread == 0) {
            argmax_pieces_all[i0 * pieces + piece] = argmax_piece;
        }
        __syncthreads();
    }
}

/* op_argmax_split_1: skeleton row_fold */
extern "C" __global__ void __launch_bounds__(256) op_argmax_split_1(
    const float *__restrict__ x, int64_t *argmax_pieces_1_all, int64_t s0, int64_t s1,
    int64_t x_stride0) {
    const int thread = threadIdx.x;
    const int64_t size = ops_maximum_i64((s1 + 255) / 256, 4096);
    const int64_t pieces = ops_quotient(s1 + (size - 1), size);
    const int64_t stop = s0 * pieces;
    for (int64_t row_2 = blockIdx.x; row_2 < stop; row_2 += gridDim.x) {
        const int64_t piece_3 = ops_rest(row_2, pieces);
        const int64_t i0_2 = ops_quotient(row_2, pieces);
        float argmax_piece_6 = -INFINITY;
        int64_t argmax_piece_7 = -1;
        const int64_t start = piece_3 * size;
        const int64_t stop_2 = ops_minimum_i64(piece_3 * size + size, s1);
        const float *x_row = x + i0_2 * x_stride0;
        const int64_t packs = ops_packs(stop_2 - start, 4, ops_aligned(x_row + start));
        for (int64_t p = thread; p < packs; p += 256) {
            const int64_t j0_2_first = start + p * 4;
            float x_pack[4];
            ops_load(x_pack, x_row + j0_2_first);
            #pragma unroll
            for (int e = 0; e < 4; e++) {
                const int64_t j0_2 = j0_2_first + e;
                const float value = x_pack[e];
                const bool test = value != value;
                const bool test_2 = (value > argmax_piece_6 || test)
                    && argmax_piece_6 == argmax_piece_6;
                const bool test_3 = argmax_piece_6 == value
                    || (argmax_piece_6 != argmax_piece_6 && test);
                const bool test_4 = argmax_piece_7 < 0 || (test_2 || (test_3
                    && j0_2 < argmax_piece_7));
                const float next = test_4 ? value : argmax_piece_6;
                const int64_t next_2 = test_4 ? j0_2 : argmax_piece_7;
                argmax_piece_6 = next;
                argmax_piece_7 = next_2;
            }
        }
        for (int64_t j0_2_2 = start + packs * 4 + thread; j0_2_2 < stop_2; j0_2_2 += 256) {
            const float value_2 = x_row[j0_2_2];
            const bool test_5 = value_2 != value_2;
            const bool test_6 = (value_2 > argmax_piece_6 || test_5)
                && argmax_piece_6 == argmax_piece_6;
            const bool test_7 = argmax_piece_6 == value_2
                || (argmax_piece_6 != argmax_piece_6 && test_5);
            const bool test_8 = argmax_piece_7 < 0 || (test_6 || (test_7
                && j0_2_2 < argmax_piece_7));
            const float next_3 = test_8 ? value_2 : argmax_piece_6;
            const int64_t next_4 = test_8 ? j0_2_2 : argmax_piece_7;
            argmax_piece_6 = next_3;
            argmax_piece_7 = next_4;
        }
        ops_block_fold<256>([](float &a, int64_t &a_2, float b, int64_t b_2) {
            const bool test_9 = b != b;
            const bool test_10 = ((b > a || test_9) && a == a) || ((a == b || (a != a
                && test_9)) && b_2 < a_2);
            const bool test_11 = b_2 >= 0 && (a_2 < 0 || test_10);
            const float next_5 = test_11 ? b : a;
            const int64_t next_6 = test_11 ? b_2 : a_2;
            a = next_5;
            a_2 = next_6;
        }, argmax_piece_6, argmax_piece_7);
        if (thread == 0) {
            argmax_pieces_1_all[i0_2 * pieces + piece_3] = argmax_piece_7;
        }
        __syncthreads();
    }
}

/* op_argmax_split_2: skeleton row_fold */
extern "C" __global__ void __launch_bounds__(256) op_argmax_split_2(
    int64_t *__restrict__ y, float *argmax_pieces_all, int64_t *argmax_pieces_1_all,
    int64_t s0, int64_t s1) {
    const int lane = ops_lane();
    for (int64_t i0_4 = ops_warp(); i0_4 < s0; i0_4 += ops_warps()) {
        float argmax_states = -INFINITY;
        int64_t argmax_states_1 = -1;
        const int64_t max_of = ops_maximum_i64((s1 + 255) / 256, 4096);
        const int64_t stop = ops_quotient(s1 + (max_of - 1), max_of);
        int64_t *argmax_pieces_1_all_row = argmax_pieces_1_all + i0_4 * ops_quotient(s1
            + (max_of - 1), max_of);
        float *argmax_pieces_all_row = argmax_pieces_all + i0_4 * ops_quotient(s1
            + (max_of - 1), max_of);
        const int64_t packs = ops_packs(stop, 4, ops_aligned(argmax_pieces_1_all_row,
            argmax_pieces_all_row));
        for (int64_t p = lane; p < packs; p += OPS_WARP) {
            const int64_t piece_1_1_first = p * 4;
            int64_t argmax_pieces_1_all_pack[4];
            ops_load(argmax_pieces_1_all_pack, argmax_pieces_1_all_row + piece_1_1_first);
            float argmax_pieces_all_pack[4];
            ops_load(argmax_pieces_all_pack, argmax_pieces_all_row + piece_1_1_first);
            #pragma unroll
            for (int e = 0; e < 4; e++) {
                const float value = argmax_pieces_all_pack[e];
                const int64_t value_2 = argmax_pieces_1_all_pack[e];
                const bool test = value != value;
                const bool test_2 = (value > argmax_states || test)
                    && argmax_states == argmax_states;
                const bool test_3 = argmax_states == value
                    || (argmax_states != argmax_states && test);
                const bool test_4 = argmax_states_1 < 0 || (test_2 || (test_3
                    && value_2 < argmax_states_1));
                const bool test_5 = value_2 >= 0 && test_4;
                const float next = test_5 ? value : argmax_states;
                const int64_t next_2 = test_5 ? value_2 : argmax_states_1;
                argmax_states = next;
                argmax_states_1 = next_2;
            }
        }
        for (int64_t piece_1_1 = packs * 4
            + lane; piece_1_1 < stop; piece_1_1 += OPS_WARP) {
            const float value_3 = argmax_pieces_all_row[piece_1_1];
            const int64_t value_4 = argmax_pieces_1_all_row[piece_1_1];
            const bool test_6 = value_3 != value_3;
            const bool test_7 = (value_3 > argmax_states || test_6)
                && argmax_states == argmax_states;
            const bool test_8 = argmax_states == value_3
                || (argmax_states != argmax_states && test_6);
            const bool test_9 = argmax_states_1 < 0 || (test_7 || (test_8
                && value_4 < argmax_states_1));
            const bool test_10 = value_4 >= 0 && test_9;
            const float next_3 = test_10 ? value_3 : argmax_states;
            const int64_t next_4 = test_10 ? value_4 : argmax_states_1;
            argmax_states = next_3;
            argmax_states_1 = next_4;
        }
        ops_warp_fold([](float &a, int64_t &a_2, float b, int64_t b_2) {
            const bool test_11 = b != b;
            const bool test_12 = ((b > a || test_11) && a == a) || ((a == b || (a != a
                && test_11)) && b_2 < a_2);
            const bool test_13 = b_2 >= 0 && (a_2 < 0 || test_12);
            const float next_5 = test_13 ? b : a;
            const int64_t next_6 = test_13 ? b_2 : a_2;
            a = next_5;
            a_2 = next_6;
        }, argmax_states, argmax_states_1);
        if (lane == 0) {
            y[i0_4] = argmax_states_1;
        }
    }
}

/* op_argmax_threads: skeleton row_fold */
extern "C" __global__ void __launch_bounds__(256) op_argmax_threads(
    const float *__restrict__ x, int64_t *__restrict__ y, int64_t s0, int64_t s1,
    int64_t x_stride0) {
    for (int64_t i0 = ops_thread(); i0 < s0; i0 += ops_threads()) {
        float argmax = -INFINITY;
        int64_t argmax_1 = -1;
        for (int64_t j0 = 0; j0 < s1; j0++) {
            const float value = x[i0 * x_stride0 + j0];
            const bool test = value != value;
            const bool test_2 = (argmax == value || (argmax != argmax && test))
                && j0 < argmax_1;
            const bool test_3 = argmax_1 < 0 || (((value > argmax || test)
                && argmax == argmax) || test_2);
            const float next = test_3 ? value : argmax;
            const int64_t next_2 = test_3 ? j0 : argmax_1;
            argmax = next;
            argmax_1 = next_2;
        }
        y[i0] = argmax_1;
    }
}

/* op_argmax_warps: skeleton row_fold */
extern "C" __global__ void __launch_bounds__(256) op_argmax_warps(
    const float *__restrict__ x, int64_t *__restrict__ y, int64_t s0, int64_t s1,
    int64_t x_stride0) {
    const int lane = ops_lane();
    for (int64_t i0 = ops_warp(); i0 < s0; i0 += ops_warps()) {
        float argmax = -INFINITY;
        int64_t argmax_1 = -1;
        const float *x_row = x + i0 * x_stride0;
        const int64_t packs = ops_packs(s1, 4, ops_aligned(x_row));
        for (int64_t p = lane; p < packs; p += OPS_WARP) {
            const int64_t j0_first = p * 4;
            float x_pack[4];
            ops_load(x_pack, x_row + j0_first);
            #pragma unroll
            for (int e = 0; e < 4; e++) {
                const int64_t j0 = j0_first + e;
                const float value = x_pack[e];
                const bool test = value != value;
                const bool test_2 = (argmax == value || (argmax != argmax && test))
                    && j0 < argmax_1;
                const bool test_3 = argmax_1 < 0 || (((value > argmax || test)
                    && argmax == argmax) || test_2);
                const float next = test_3 ? value : argmax;
                const int64_t next_2 = test_3 ? j0 : argmax_1;
                argmax = next;
                argmax_1 = next_2;
            }
        }
        for (int64_t j0_2 = packs * 4 + lane; j0_2 < s1; j0_2 += OPS_WARP) {
            const float value_2 = x_row[j0_2];
            const bool test_4 = value_2 != value_2;
            const bool test_5 = (argmax == value_2 || (argmax != argmax && test_4))
                && j0_2 < argmax_1;
            const bool test_6 = ((value_2 > argmax || test_4) && argmax == argmax)
                || test_5;
            const bool test_7 = argmax_1 < 0 || test_6;
            const float next_3 = test_7 ? value_2 : argmax;
            const int64_t next_4 = test_7 ? j0_2 : argmax_1;
            argmax = next_3;
            argmax_1 = next_4;
        }
        ops_warp_fold([](float &a, int64_t &a_2, float b, int64_t b_2) {
            const bool test_8 = b != b;
            const bool test_9 = ((b > a || test_8) && a == a) || ((a == b || (a != a
                && test_8)) && b_2 < a_2);
            const bool test_10 = b_2 >= 0 && (a_2 < 0 || test_9);
            const float next_5 = test_10 ? b : a;
            const int64_t next_6 = test_10 ? b_2 : a_2;
            a = next_5;
            a_2 = next_6;
        }, argmax, argmax_1);
        if (lane == 0) {
            y[i0] = argmax_1;
        }
    }
}

/* op_argmax_blocks: skeleton row_fold */
extern "C" __global__ void __launch_bounds__(256) op_argmax_blocks(
    const float *__restrict__ x, int64_t *__restrict__ y, int64_t s0, int64_t s1,
    int64_t x_stride0) {
    const int thread = threadIdx.x;
    for (int64_t i0 = blockIdx.x; i0 < s0; i0 += gridDim.x) {
        float argmax = -INFINITY;
        int64_t argmax_1 = -1;
        const float *x_row = x + i0 * x_stride0;
        const int64_t packs = ops_packs(s1, 4, ops_aligned(x_row));
        for (int64_t p = thread; p < packs; p += 256) {
            const int64_t j0_first = p * 4;
            float x_pack[4];
            ops_load(x_pack, x_row + j0_first);
            #pragma unroll
            for (int e = 0; e < 4; e++) {
                const int64_t j0 = j0_first + e;
                const float value = x_pack[e];
                const bool test = value != value;
                const bool test_2 = (argmax == value || (argmax != argmax && test))
                    && j0 < argmax_1;
                const bool test_3 = argmax_1 < 0 || (((value > argmax || test)
                    && argmax == argmax) || test_2);
                const float next = test_3 ? value : argmax;
                const int64_t next_2 = test_3 ? j0 : argmax_1;
                argmax = next;
                argmax_1 = next_2;
            }
        }
        for (int64_t j0_2 = packs * 4 + thread; j0_2 < s1; j0_2 += 256) {
            const float value_2 = x_row[j0_2];
            const bool test_4 = value_2 != value_2;
            const bool test_5 = (argmax == value_2 || (argmax != argmax && test_4))
                && j0_2 < argmax_1;
            const bool test_6 = ((value_2 > argmax || test_4) && argmax == argmax)
                || test_5;
            const bool test_7 = argmax_1 < 0 || test_6;
            const float next_3 = test_7 ? value_2 : argmax;
            const int64_t next_4 = test_7 ? j0_2 : argmax_1;
            argmax = next_3;
            argmax_1 = next_4;
        }
        ops_block_fold<256>([](float &a, int64_t &a_2, float b, int64_t b_2) {
            const bool test_8 = b != b;
            const bool test_9 = ((b > a || test_8) && a == a) || ((a == b || (a != a
                && test_8)) && b_2 < a_2);
            const bool test_10 = b_2 >= 0 && (a_2 < 0 || test_9);
            const float next_5 = test_10 ? b : a;
            const int64_t next_6 = test_10 ? b_2 : a_2;
            a = next_5;
            a_2 = next_6;
        }, argmax, argmax_1);
        if (thread == 0) {
            y[i0] = argmax_1;
        }
        __syncthreads();
    }
}
