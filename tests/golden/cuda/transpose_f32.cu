#include "opslib_cuda.h"

/* op_matrix_transpose: skeleton map */
extern "C" __global__ void __launch_bounds__(256) op_matrix_transpose(
    const float *__restrict__ x, float *__restrict__ y, int64_t m, int64_t n,
    int64_t x_stride0, int64_t y_stride0) {
    const int thread = threadIdx.x;
    extern __shared__ __align__(16) unsigned char ops_shared[];
    float *x_tile = (float *)ops_shared;
    const int64_t tiles = (n + 31) / 32;
    const int64_t tiles_1 = (m + 31) / 32;
    const int64_t stop = tiles * tiles_1;
    for (int64_t tile = blockIdx.x; tile < stop; tile += gridDim.x) {
        const int64_t i_1 = ops_rest(tile, tiles_1);
        const int64_t j_1 = ops_quotient(tile, tiles_1);
        const int64_t top = j_1 * 32;
        const int64_t left_ = i_1 * 32;
        for (int64_t element = thread; element < 1024; element += 256) {
            const int64_t line = element / 32;
            const int64_t at = element % 32;
            const int64_t j_2 = top + at;
            const int64_t i_2 = left_ + line;
            if (j_2 < n && i_2 < m) {
                x_tile[line * 33 + at] = x[i_2 * x_stride0 + j_2];
            }
        }
        __syncthreads();
        for (int64_t element_1 = thread; element_1 < 1024; element_1 += 256) {
            const int64_t line_1 = element_1 / 32;
            const int64_t at_1 = element_1 % 32;
            const int64_t j_3 = top + line_1;
            const int64_t i_3 = left_ + at_1;
            if (j_3 < n && i_3 < m) {
                y[j_3 * y_stride0 + i_3] = x_tile[at_1 * 33 + line_1];
            }
        }
        __syncthreads();
    }
}
