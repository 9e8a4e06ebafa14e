#include "opslib_cuda.h"

/* op_matmul_large: skeleton contraction */
extern "C" __global__ void __launch_bounds__(256, 2) op_matmul_large(
    const float *__restrict__ x1, const float *__restrict__ x2, float *__restrict__ y,
    int64_t k, int64_t m, int64_t n, int64_t x1_stride0, int64_t x2_stride0,
    int64_t y_stride0) {
    const int row = threadIdx.x / 16 * 4;
    const int column = threadIdx.x % 16 * 4;
    __shared__ __align__(16) float a_panel[8][132];
    __shared__ __align__(16) float b_panel[8][132];
    const int64_t tiles = (m + 127) / 128;
    const int64_t tile = blockIdx.x;
    const int64_t m0 = ops_rest(tile, tiles) * 128;
    const int64_t rest = ops_quotient(tile, tiles);
    const int64_t n0 = rest * 128;
    const int rows = (int)ops_minimum_i64(128, m - m0);
    const int columns = (int)ops_minimum_i64(128, n - n0);
    float acc[8][8] = {};
    const int64_t end = ops_maximum_i64(k, 1);
    for (int64_t k0 = 0; k0 < end; k0 += 8) {
        const int depth = (int)ops_minimum_i64(8, k - k0);
        #pragma unroll
        for (int c = threadIdx.x; c < 1024; c += 256) {
            const int i = c / 8, l = c % 8;
            float value = 0;
            if (i < rows && l < depth) {
                value = x1[(m0 + i) * x1_stride0 + (k0 + l)];
            }
            a_panel[l][i] = value;
        }
        #pragma unroll
        for (int c = threadIdx.x; c < 1024; c += 256) {
            const int l_2 = c / 128, j = c % 128;
            float value_2 = 0;
            if (j < columns && l_2 < depth) {
                value_2 = x2[(k0 + l_2) * x2_stride0 + (n0 + j)];
            }
            b_panel[l_2][j] = value_2;
        }
        __syncthreads();
        ops_multiply(acc, a_panel, b_panel, row, column);
        __syncthreads();
    }
    #pragma unroll
    for (int r = 0; r < 8; r++) {
        const int i_2 = ops_ptx_anew(row + r / 4 * 64 + r % 4);
        #pragma unroll
        for (int s = 0; s < 8; s++) {
            const int j_2 = column + s / 4 * 64 + s % 4;
            if (i_2 < rows && j_2 < columns) {
                y[(m0 + i_2) * y_stride0 + (n0 + j_2)] = acc[r][s];
            }
        }
    }
}

/* op_matmul: skeleton contraction */
extern "C" __global__ void __launch_bounds__(256, 2) op_matmul(
    const float *__restrict__ x1, const float *__restrict__ x2, float *__restrict__ y,
    int64_t k, int64_t m, int64_t n, int64_t x1_stride0, int64_t x2_stride0,
    int64_t y_stride0) {
    const int row = threadIdx.x / 16 * 4;
    const int column = threadIdx.x % 16 * 4;
    __shared__ __align__(16) float a_panel_1[16][68];
    __shared__ __align__(16) float b_panel_1[16][68];
    const int64_t tiles = (m + 63) / 64;
    const int64_t tile = blockIdx.x;
    const int64_t m0_1 = ops_rest(tile, tiles) * 64;
    const int64_t rest = ops_quotient(tile, tiles);
    const int64_t n0_1 = rest * 64;
    const int rows = (int)ops_minimum_i64(64, m - m0_1);
    const int columns = (int)ops_minimum_i64(64, n - n0_1);
    float acc_1[4][4] = {};
    const int64_t end = ops_maximum_i64(k, 1);
    for (int64_t k0_1 = 0; k0_1 < end; k0_1 += 16) {
        const int depth = (int)ops_minimum_i64(16, k - k0_1);
        #pragma unroll
        for (int c = threadIdx.x; c < 1024; c += 256) {
            const int i_1 = c / 16, l_1 = c % 16;
            float value = 0;
            if (i_1 < rows && l_1 < depth) {
                value = x1[(m0_1 + i_1) * x1_stride0 + (k0_1 + l_1)];
            }
            a_panel_1[l_1][i_1] = value;
        }
        #pragma unroll
        for (int c = threadIdx.x; c < 1024; c += 256) {
            const int l_1_2 = c / 64, j_1 = c % 64;
            float value_2 = 0;
            if (j_1 < columns && l_1_2 < depth) {
                value_2 = x2[(k0_1 + l_1_2) * x2_stride0 + (n0_1 + j_1)];
            }
            b_panel_1[l_1_2][j_1] = value_2;
        }
        __syncthreads();
        ops_multiply(acc_1, a_panel_1, b_panel_1, row, column);
        __syncthreads();
    }
    #pragma unroll
    for (int r = 0; r < 4; r++) {
        const int i_1_2 = ops_ptx_anew(row + r);
        #pragma unroll
        for (int s = 0; s < 4; s++) {
            const int j_1_2 = column + s;
            if (i_1_2 < rows && j_1_2 < columns) {
                y[(m0_1 + i_1_2) * y_stride0 + (n0_1 + j_1_2)] = acc_1[r][s];
            }
        }
    }
}

/* op_matmul_rows_split_0: skeleton contraction */
extern "C" __global__ void __launch_bounds__(256) op_matmul_rows_split_0(
    const float *__restrict__ x1, const float *__restrict__ x2, float *sum_pieces_all,
    int64_t k, int64_t m, int64_t n, int64_t x1_stride0, int64_t x2_stride0) {
    const int thread = threadIdx.x;
    const int64_t size = ops_maximum_i64((k + 255) / 256, 4096);
    const int64_t pieces = ops_quotient(k + (size - 1), size);
    const int64_t stop = m * n * pieces;
    for (int64_t row = blockIdx.x; row < stop; row += gridDim.x) {
        const int64_t piece = ops_rest(row, pieces);
        const int64_t row_1 = ops_quotient(row, pieces);
        const int64_t j = ops_rest(row_1, n);
        const int64_t i = ops_quotient(row_1, n);
        float sum_piece = 0.0f;
        const int64_t start = piece * size;
        const int64_t stop_2 = ops_minimum_i64(piece * size + size, k);
        const float *x1_row = x1 + i * x1_stride0;
        const int64_t packs = ops_packs(stop_2 - start, 4, ops_aligned(x1_row + start));
        for (int64_t p = thread; p < packs; p += 256) {
            const int64_t l_first = start + p * 4;
            float x1_pack[4];
            ops_load(x1_pack, x1_row + l_first);
            #pragma unroll
            for (int e = 0; e < 4; e++) {
                const int64_t l = l_first + e;
                sum_piece = sum_piece + x1_pack[e] * x2[l * x2_stride0 + j];
            }
        }
        for (int64_t l_2 = start + packs * 4 + thread; l_2 < stop_2; l_2 += 256) {
            sum_piece = sum_piece + x1_row[l_2] * x2[l_2 * x2_stride0 + j];
        }
        ops_block_fold<256>([](float &a, float b) { a = a + b; }, sum_piece);
        if (thread == 0) {
            sum_pieces_all[i * (pieces * n) + j * pieces + piece] = sum_piece;
        }
        __syncthreads();
    }
}

/* op_matmul_rows_split_1: skeleton contraction */
extern "C" __global__ void __launch_bounds__(256) op_matmul_rows_split_1(
    float *__restrict__ y, float *sum_pieces_all, int64_t k, int64_t m, int64_t n,
    int64_t y_stride0) {
    const int lane = ops_lane();
    const int64_t stop = m * n;
    for (int64_t row_4 = ops_warp(); row_4 < stop; row_4 += ops_warps()) {
        const int64_t j_2 = ops_rest(row_4, n);
        const int64_t i_2 = ops_quotient(row_4, n);
        float sum_states = 0.0f;
        const int64_t max_of = ops_maximum_i64((k + 255) / 256, 4096);
        const int64_t stop_2 = ops_quotient(k + (max_of - 1), max_of);
        const int64_t k_2 = i_2 * (ops_quotient(k + (max_of - 1), max_of) * n)
            + j_2 * ops_quotient(k + (max_of - 1), max_of);
        float *sum_pieces_all_row = sum_pieces_all + k_2;
        const int64_t packs = ops_packs(stop_2, 4, ops_aligned(sum_pieces_all_row));
        for (int64_t p = lane; p < packs; p += OPS_WARP) {
            const int64_t piece_1_1_first = p * 4;
            float sum_pieces_all_pack[4];
            ops_load(sum_pieces_all_pack, sum_pieces_all_row + piece_1_1_first);
            #pragma unroll
            for (int e = 0; e < 4; e++) {
                sum_states = sum_states + sum_pieces_all_pack[e];
            }
        }
        for (int64_t piece_1_1 = packs * 4
            + lane; piece_1_1 < stop_2; piece_1_1 += OPS_WARP) {
            sum_states = sum_states + sum_pieces_all_row[piece_1_1];
        }
        ops_warp_fold([](float &a, float b) { a = a + b; }, sum_states);
        if (lane == 0) {
            y[i_2 * y_stride0 + j_2] = sum_states;
        }
    }
}

/* op_matmul_rows: skeleton contraction */
extern "C" __global__ void __launch_bounds__(256) op_matmul_rows(
    const float *__restrict__ x1, const float *__restrict__ x2, float *__restrict__ y,
    int64_t k, int64_t m, int64_t n, int64_t x1_stride0, int64_t x2_stride0,
    int64_t y_stride0) {
    const int64_t stop = m * n;
    for (int64_t item = ops_thread(); item < stop; item += ops_threads()) {
        const int64_t j_1 = ops_rest(item, n);
        const int64_t i_1 = ops_quotient(item, n);
        float sum = 0.0f;
        for (int64_t l = 0; l < k; l++) {
            sum = ops_fma_f32(x1[i_1 * x1_stride0 + l], x2[l * x2_stride0 + j_1], sum);
        }
        y[i_1 * y_stride0 + j_1] = sum;
    }
}
