// Kernels without a fault: nothing may be found in them, and each dropped line marked
// "sync" must be. They are the patterns of generated kernels, by hand.
#include "opslib_cuda_ptx.h"

// The sum of each row: warps, then the block.
extern "C" __global__ void __launch_bounds__(256) block_sum(
    const float *__restrict__ x, float *__restrict__ y, int64_t n) {
    __shared__ float partial[32];
    const int64_t row = blockIdx.x;
    float sum = 0;
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) sum += x[row * n + i];
    for (int k = OPS_WARP / 2; k; k /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, k);
    if (threadIdx.x % OPS_WARP == 0) partial[threadIdx.x / OPS_WARP] = sum;
    __syncthreads();  // sync
    if (threadIdx.x < OPS_WARP) {
        sum = threadIdx.x < blockDim.x / OPS_WARP ? partial[threadIdx.x] : 0;
        for (int k = OPS_WARP / 2; k; k /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, k);
        if (threadIdx.x == 0) y[row] = sum;
    }
}

// Tiles of 32 x 32, a column of padding against bank conflicts.
extern "C" __global__ void __launch_bounds__(256) transpose(
    const float *__restrict__ x, float *__restrict__ y, int64_t m, int64_t n) {
    __shared__ float tile[32][33];
    const int column = threadIdx.x % 32, first = threadIdx.x / 32;
    for (int64_t tiles = blockIdx.x; tiles < (m + 31) / 32 * ((n + 31) / 32);
         tiles += gridDim.x) {
        const int64_t i = tiles / ((n + 31) / 32) * 32, j = tiles % ((n + 31) / 32) * 32;
        for (int r = first; r < 32; r += 8)
            if (i + r < m && j + column < n) tile[r][column] = x[(i + r) * n + j + column];
        __syncthreads();  // sync
        for (int r = first; r < 32; r += 8)
            if (j + r < n && i + column < m) y[(j + r) * m + i + column] = tile[column][r];
        __syncthreads();  // sync
    }
}

// A row a block, in shared memory.
extern "C" __global__ void __launch_bounds__(128) softmax(
    const float *__restrict__ x, float *__restrict__ y, int64_t n) {
    extern __shared__ __align__(16) unsigned char ops_shared[];
    __shared__ float partial[4];
    float *const row = reinterpret_cast<float *>(ops_shared);
    const int64_t at = int64_t(blockIdx.x) * n;
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    float most = -INFINITY;
    for (int64_t i = threadIdx.x; i < n; i += 128) {
        row[i] = x[at + i];
        most = fmaxf(most, row[i]);
    }
    for (int k = 16; k; k /= 2) most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, k));
    if (lane == 0) partial[warp] = most;
    __syncthreads();  // sync
    most = fmaxf(fmaxf(partial[0], partial[1]), fmaxf(partial[2], partial[3]));
    __syncthreads();  // sync
    float sum = 0;
    for (int64_t i = threadIdx.x; i < n; i += 128) {
        row[i] = expf(row[i] - most);
        sum += row[i];
    }
    for (int k = 16; k; k /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, k);
    if (lane == 0) partial[warp] = sum;
    __syncthreads();  // sync
    sum = (partial[0] + partial[1]) + (partial[2] + partial[3]);
    for (int64_t i = threadIdx.x; i < n; i += 128) y[at + i] = row[i] / sum;
}

// Lanes of a warp by way of shared memory.
extern "C" __global__ void __launch_bounds__(64) reverse_warps(
    const int *__restrict__ x, int *__restrict__ y) {
    __shared__ int box[64];
    const int lane = threadIdx.x % 32, first = threadIdx.x - lane;
    for (int turn = 0; turn < 3; turn++) {
        box[threadIdx.x] = x[threadIdx.x] + turn;
        __syncwarp();  // sync
        y[turn * 64 + threadIdx.x] = box[first + 31 - lane];
        __syncwarp();  // sync
    }
}

// c = a b: a of m x k, b of k x n, bfloat16; tiles of 64 x 64 x 32, three stages of
// cp.async, four warps of 32 x 32. Sizes are multiples of the tiles.
extern "C" __global__ void __launch_bounds__(128) matmul(
    const uint16_t *__restrict__ a, const uint16_t *__restrict__ b, float *__restrict__ c,
    int64_t n, int64_t k) {
    constexpr int TM = 64, TN = 64, TK = 32, STAGES = 3, AP = TK + 8, BP = TN + 8;
    extern __shared__ __align__(16) unsigned char ops_shared[];
    uint16_t *const as = reinterpret_cast<uint16_t *>(ops_shared);
    uint16_t *const bs = as + STAGES * TM * AP;
    const int t = threadIdx.x, lane = t % 32, warp = t / 32;
    const int wm = warp / 2 * 32, wn = warp % 2 * 32;
    const int64_t row = int64_t(blockIdx.y) * TM, column = int64_t(blockIdx.x) * TN;
    float sums[2][4][4] = {};
    const auto load = [&](int64_t step) {
        const int64_t k0 = step * TK;
        uint16_t *const to_a = as + step % STAGES * TM * AP;
        uint16_t *const to_b = bs + step % STAGES * TK * BP;
        for (int i = t; i < TM * TK / 8; i += 128)
            ops_ptx_cp_async16(to_a + i / 4 * AP + i % 4 * 8,
                               a + (row + i / 4) * k + k0 + i % 4 * 8, 16);
        for (int i = t; i < TK * TN / 8; i += 128)
            ops_ptx_cp_async16(to_b + i / 8 * BP + i % 8 * 8,
                               b + (k0 + i / 8) * n + column + i % 8 * 8, 16);
    };
    const int64_t steps = k / TK;
    for (int s = 0; s < STAGES - 1; s++) {
        if (s < steps) load(s);
        ops_ptx_cp_async_commit();
    }
    for (int64_t step = 0; step < steps; step++) {
        ops_ptx_cp_async_wait<STAGES - 2>();  // sync
        __syncthreads();  // sync
        if (step + STAGES - 1 < steps) load(step + STAGES - 1);
        ops_ptx_cp_async_commit();
        const uint16_t *const ta = as + step % STAGES * TM * AP;
        const uint16_t *const tb = bs + step % STAGES * TK * BP;
        for (int kk = 0; kk < TK; kk += 16) {
            uint32_t fa[2][4], fb[4][2];
            for (int i = 0; i < 2; i++)
                ops_ptx_ldmatrix_x4(fa[i], ta + (wm + i * 16 + lane % 16) * AP + kk +
                                               lane / 16 * 8);
            for (int j = 0; j < 4; j++)
                ops_ptx_ldmatrix_x2_trans(fb[j],
                                          tb + (kk + lane % 16) * BP + wn + j * 8);
            for (int i = 0; i < 2; i++)
                for (int j = 0; j < 4; j++)
                    ops_ptx_mma_m16n8k16_bf16(sums[i][j], fa[i], fb[j]);
        }
    }
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 4; j++) {
            const int64_t r = row + wm + i * 16 + lane / 4;
            const int64_t at = column + wn + j * 8 + lane % 4 * 2;
            *reinterpret_cast<float2 *>(c + r * n + at) =
                make_float2(sums[i][j][0], sums[i][j][1]);
            *reinterpret_cast<float2 *>(c + (r + 8) * n + at) =
                make_float2(sums[i][j][2], sums[i][j][3]);
        }
}

// Half the warps produce, half consume: named barriers, two stages.
extern "C" __global__ void __launch_bounds__(128) handed_on(
    const float *__restrict__ x, float *__restrict__ y, int64_t steps) {
    __shared__ float box[2][64];
    const int t = threadIdx.x % 64;
    if (threadIdx.x < 64) {
        for (int64_t s = 0; s < steps; s++) {
            if (s >= 2) ops_ptx_barrier_sync(3 + int(s % 2), 128);  // sync
            box[s % 2][t] = x[s * 64 + t];
            ops_ptx_barrier_arrive(1 + int(s % 2), 128);
        }
    } else {
        for (int64_t s = 0; s < steps; s++) {
            ops_ptx_barrier_sync(1 + int(s % 2), 128);  // sync
            y[s * 64 + t] = box[s % 2][63 - t];
            if (s + 2 < steps) ops_ptx_barrier_arrive(3 + int(s % 2), 128);
        }
    }
}
