// Honest kernels of sm_90: tensor copies, mbarriers, wgmma.
#include "opslib_cuda_ptx.h"

// c = a b': a of m x k, b of n x k, bfloat16, by tensor maps of boxes 64 x 64 with a
// swizzle of 128 bytes; one warpgroup loads, one multiplies; two stages; c float32 by a
// tensor store of boxes 32 x 64. Sizes are multiples of 64.
extern "C" __global__ void __launch_bounds__(256) group_matmul(
    const __grid_constant__ ops_tensor_map a, const __grid_constant__ ops_tensor_map b,
    const __grid_constant__ ops_tensor_map c, int64_t k) {
    constexpr int STAGES = 2, TILE = 64 * 64 * 2;
    extern __shared__ __align__(1024) unsigned char ops_shared[];
    unsigned char *const as = ops_shared, *const bs = as + STAGES * TILE;
    float *const cs = reinterpret_cast<float *>(bs + STAGES * TILE);
    uint64_t *const full = reinterpret_cast<uint64_t *>(cs + 64 * 64);
    uint64_t *const empty = full + STAGES;
    const int t = threadIdx.x % 128, steps = int(k / 64);
    if (threadIdx.x == 0) {
        for (int s = 0; s < STAGES; s++) {
            ops_ptx_mbarrier_init(full + s, 1);
            ops_ptx_mbarrier_init(empty + s, 128);
        }
        ops_ptx_fence_mbarrier_init();  // sync
    }
    __syncthreads();  // sync
    if (threadIdx.x < 128) {
        ops_ptx_registers_decrease<40>();
        if (threadIdx.x == 0)
            for (int step = 0; step < steps; step++) {
                const int s = step % STAGES;
                if (step >= STAGES)
                    ops_ptx_mbarrier_wait(empty + s, (step / STAGES + 1) % 2);  // sync
                ops_ptx_mbarrier_arrive_expect_tx(full + s, 2 * TILE);
                ops_ptx_tensor_load_2d(as + s * TILE, &a, step * 64, int(blockIdx.y) * 64,
                                       full + s);
                ops_ptx_tensor_load_2d(bs + s * TILE, &b, step * 64, int(blockIdx.x) * 64,
                                       full + s);
            }
        return;
    }
    ops_ptx_registers_increase<232>();
    float sums[32] = {};
    for (int step = 0; step < steps; step++) {
        const int s = step % STAGES;
        ops_ptx_mbarrier_wait(full + s, step / STAGES % 2);  // sync
        const uint64_t da = ops_ptx_wgmma_descriptor(as + s * TILE, 16, 1024, 128);
        const uint64_t db = ops_ptx_wgmma_descriptor(bs + s * TILE, 16, 1024, 128);
        ops_ptx_wgmma_hold(sums);
        ops_ptx_wgmma_fence();  // sync
        for (int i = 0; i < 4; i++)
            ops_ptx_wgmma_m64n64k16_bf16(sums, da + i * 2, db + i * 2);
        ops_ptx_wgmma_commit();
        ops_ptx_wgmma_wait<0>();  // sync
        ops_ptx_wgmma_hold(sums);
        ops_ptx_mbarrier_arrive(empty + s);
    }
    const int row = t / 32 * 16 + t % 32 / 4, column = t % 4 * 2;
    for (int i = 0; i < 32; i++) {
        const int r = row + i / 2 % 2 * 8, j = i / 4 * 8 + column + i % 2;
        cs[j / 32 * 64 * 32 + r * 32 + j % 32] = sums[i];
    }
    ops_ptx_fence_proxy_async();  // sync
    ops_ptx_barrier_sync(1, 128);  // sync
    if (t == 0) {
        for (int half = 0; half < 2; half++)
            ops_ptx_tensor_store_2d(&c, int(blockIdx.x) * 64 + half * 32,
                                    int(blockIdx.y) * 64, cs + half * 64 * 32);
        ops_ptx_bulk_commit();
        ops_ptx_bulk_wait_read<0>();  // sync
    }
}

// Rows of a fixed size through shared memory: bulk copies in, doubled, bulk copies out.
extern "C" __global__ void __launch_bounds__(64) double_rows(
    const float *__restrict__ x, float *__restrict__ y, int64_t rows) {
    __shared__ __align__(128) float in[64], out[64];
    __shared__ uint64_t arrived;
    if (threadIdx.x == 0) {
        ops_ptx_mbarrier_init(&arrived, 1);
        ops_ptx_fence_mbarrier_init();  // sync
    }
    __syncthreads();  // sync
    for (int64_t row = 0; row < rows; row++) {
        if (threadIdx.x == 0) {
            ops_ptx_mbarrier_arrive_expect_tx(&arrived, 256);
            ops_ptx_bulk_load(in, x + row * 64, 256, &arrived);
        }
        ops_ptx_mbarrier_wait(&arrived, uint32_t(row % 2));  // sync
        out[threadIdx.x] = in[threadIdx.x] * 2;
        ops_ptx_fence_proxy_async();  // sync
        __syncthreads();  // sync
        if (threadIdx.x == 0) {
            ops_ptx_bulk_store(y + row * 64, out, 256);
            ops_ptx_bulk_commit();
            ops_ptx_bulk_wait_read<0>();  // sync
        }
    }
}

// cp.async that an mbarrier waits for.
extern "C" __global__ void __launch_bounds__(64) copies_that_arrive(
    const float *__restrict__ x, float *__restrict__ y) {
    __shared__ __align__(16) float in[256];
    __shared__ uint64_t arrived;
    if (threadIdx.x == 0) ops_ptx_mbarrier_init(&arrived, 64);
    __syncthreads();  // sync
    ops_ptx_cp_async16(in + threadIdx.x * 4, x + threadIdx.x * 4, 16);
    ops_ptx_cp_async_mbarrier_arrive(&arrived);
    ops_ptx_mbarrier_wait(&arrived, 0);  // sync
    for (int i = threadIdx.x; i < 256; i += 64) y[i] = in[255 - i];
}
