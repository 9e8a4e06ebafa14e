// A kernel with a fault for each of the simulator's checks (bad_), and near misses
// (good_). `x` is read-only, `y` is written; both of 256 floats, `z` of 64 that nobody
// has written. A grid of one block of 64 threads unless the test says otherwise.
#include "opslib_cuda_ptx.h"
#include "opslib_cuda_sim_entry.h"

#define KERNEL(NAME, ...)                                                             \
    extern "C" __global__ void NAME(const float *__restrict__ x, float *__restrict__ y, \
                                    float *__restrict__ z) {                          \
        const int t = threadIdx.x;                                                    \
        (void)x, (void)y, (void)z, (void)t;                                           \
        __VA_ARGS__                                                                   \
    }                                                                                 \
    OPSLIB_CUDA_SIM_ENTRY(NAME)
#define SHARED extern __shared__ __align__(16) unsigned char ops_shared[];
#define FULL 0xffffffffu

// ---- bounds
KERNEL(bad_bounds_behind, y[t] = x[t * 4 + 4];)
KERNEL(good_bounds_behind, y[t] = x[t * 4 + 3];)
KERNEL(bad_bounds_before, y[t] = x[t - 1];)
KERNEL(bad_bounds_write, y[t * 4 + 4] = 0;)
KERNEL(bad_bounds_null, y[t] = *(const float *)uintptr_t(t >> 8);)
struct Four {
    float v[4];
};
KERNEL(bad_bounds_straddle, *(Four *)(y + t * 4 + (t == 63)) = Four{};)
KERNEL(bad_bounds_shared, SHARED((float *)ops_shared)[t + 1] = 0;)
KERNEL(good_bounds_shared, SHARED((float *)ops_shared)[t] = 0;)
KERNEL(bad_bounds_array, __shared__ float a[64]; __shared__ float b[64]; a[t] = b[t] = 0;
       __syncthreads(); y[t] = a[t + 1];)
KERNEL(good_bounds_array, __shared__ float a[65]; a[t] = 0; if (t == 0) a[64] = 0; __syncthreads();
       y[t] = a[t + 1];)
KERNEL(bad_bounds_row, __shared__ float a[8][8]; a[t / 8][t % 8] = x[t];
       y[t] = a[t / 8][t % 8 + t / 63];)
KERNEL(bad_bounds_local, float a[4]; for (int i = 0; i < 4; i++) a[i] = x[i]; y[t] = a[t];)
KERNEL(bad_read_only, const_cast<float *>(x)[t] = 0;)
// Constants of the text are no buffers, but may be read.
static const float table[64] = {1, 2, 3};
KERNEL(good_constants, y[t] = table[t];)

// ---- memory that nobody has written
KERNEL(bad_poison_shared, __shared__ float a[64]; if (t != 5) a[t] = 0; __syncwarp(); y[t] = a[t];)
KERNEL(good_poison_shared, __shared__ float a[64]; if (t != 5) a[t] = 0; __syncwarp();
       y[t] = t != 5 ? a[t] : 0;)
KERNEL(bad_poison_buffer, y[t] = z[t];)
KERNEL(good_poison_buffer, z[t] = 1; y[t] = z[t];)
// Shared memory does not outlive a block.
KERNEL(bad_poison_blocks, __shared__ float a[64]; if (blockIdx.x == 0) a[t] = 0;
       y[blockIdx.x * 64 + t] = a[t];)

// ---- alignment
KERNEL(bad_alignment, *(float4 *)(y + t * 4 - t % 2 * 2) = make_float4(0, 0, 0, 0);)
KERNEL(good_alignment, *(float2 *)(y + t * 2) = make_float2(0, 0);)
KERNEL(bad_alignment_load, float4 v = *(const float4 *)(x + 1); y[t] = v.x + v.w;)
KERNEL(bad_alignment_async, SHARED ops_ptx_cp_async16(ops_shared + t % 8 * 16 + 8, x, 16);)
KERNEL(bad_alignment_source, SHARED ops_ptx_cp_async8(ops_shared + t * 8 % 256, x + 1, 8);)

// ---- races
KERNEL(bad_race_neighbour, __shared__ float a[64]; a[t] = 0; __syncthreads(); a[t] = x[t]; y[t] = a[t ^ 1];)
KERNEL(bad_race_all_write, y[0] = x[t];)
KERNEL(good_race_one_writes, if (t == 0) y[0] = x[t];)
KERNEL(bad_race_same_value, __shared__ float a; a = 1; __syncthreads(); y[t] = a;)
KERNEL(bad_race_read_first, __shared__ float a[64]; a[t] = x[t]; __syncthreads();
       const float v = a[63 - t]; a[t] = v;)
KERNEL(good_race_read_first, __shared__ float a[64]; a[t] = x[t]; __syncthreads();
       const float v = a[63 - t]; __syncthreads(); a[t] = v;)
// Shuffles and votes order no memory.
KERNEL(bad_race_shuffle, __shared__ float a[64]; a[t] = x[t];
       const float v = __shfl_xor_sync(FULL, x[t], 1); y[t] = a[t ^ 1] + v;)
KERNEL(bad_race_warp, __shared__ float a[64]; a[t] = x[t]; __syncwarp(); y[t] = a[63 - t];)
KERNEL(good_race_warp, __shared__ float a[64]; a[t] = x[t]; __syncwarp(); y[t] = a[t ^ 31];)
KERNEL(bad_race_half_warp, __shared__ float a[64]; a[t] = x[t];
       __syncwarp(t % 32 < 16 ? 0xffffu : 0xffff0000u); y[t] = a[t ^ 16];)
KERNEL(good_race_half_warp, __shared__ float a[64]; a[t] = x[t];
       __syncwarp(t % 32 < 16 ? 0xffffu : 0xffff0000u); y[t] = a[t ^ 8];)
KERNEL(bad_race_bytes, ((unsigned char *)y)[t / 2] = 1;)
KERNEL(good_race_bytes, ((unsigned char *)y)[t] = 1;)
KERNEL(bad_race_atomic, atomicAdd(y, 1.0f); if (t == 5) y[0] = 0;)
KERNEL(good_race_atomic, atomicAdd(y, 1.0f); atomicAdd(y + 1, x[t]);)
KERNEL(bad_race_named, __shared__ float a[64]; if (t < 32) a[t] = x[t];
       if (t < 32) ops_ptx_barrier_arrive(1, 64); else ops_ptx_barrier_sync(1, 64);
       if (t >= 32) a[t - 32] = 0; if (t < 32) y[t] = a[t];)
KERNEL(good_race_named, __shared__ float a[64]; if (t < 32) a[t] = x[t];
       if (t < 32) ops_ptx_barrier_arrive(1, 64); else ops_ptx_barrier_sync(1, 64);
       if (t >= 32) y[t] = a[t - 32];)
KERNEL(bad_race_blocks, y[t] = float(blockIdx.x);)
KERNEL(bad_race_blocks_read, y[blockIdx.x * 64 + t] = blockIdx.x ? y[t] : 0;)
KERNEL(good_race_blocks, y[blockIdx.x * 64 + t] = x[t];)
// The last block adds what the others have left.
KERNEL(good_race_last_block, __shared__ bool last; y[1 + blockIdx.x * 64 + t] = 1;
       __syncthreads(); if (t == 0) {
           __threadfence();
           last = atomicAdd((unsigned *)y, 1u) == gridDim.x - 1;
           __threadfence();
       } __syncthreads(); if (last) z[t] = y[1 + t] + y[65 + t];)
KERNEL(bad_race_last_block_release, __shared__ bool last; y[1 + blockIdx.x * 64 + t] = 1;
       __syncthreads(); if (t == 0) {
           last = atomicAdd((unsigned *)y, 1u) == gridDim.x - 1;
           __threadfence();
       } __syncthreads(); if (last) z[t] = y[1 + t] + y[65 + t];)
KERNEL(bad_race_last_block_acquire, __shared__ bool last; y[1 + blockIdx.x * 64 + t] = 1;
       __syncthreads(); if (t == 0) {
           __threadfence();
           last = atomicAdd((unsigned *)y, 1u) == gridDim.x - 1;
       } __syncthreads(); if (last) z[t] = y[1 + t] + y[65 + t];)
KERNEL(bad_race_last_block_early, __shared__ bool last; y[1 + blockIdx.x * 64 + t] = 1;
       if (t == 0) {
           __threadfence();
           last = atomicAdd((unsigned *)y, 1u) == gridDim.x - 1;
           __threadfence();
       } __syncthreads(); if (last) z[t] = y[1 + t] + y[65 + t];)
// A flag between warps.
KERNEL(good_race_flag, __shared__ float a; __shared__ unsigned flag; if (t == 0) flag = 0;
       __syncthreads(); if (t == 32) { a = 1; __threadfence(); atomicExch(&flag, 1u); }
       if (t == 0) { while (!atomicAdd(&flag, 0u)) {} __threadfence(); y[0] = a; })

// ---- barriers that not all reach
KERNEL(bad_divergent_half, if (t < 32) __syncthreads(); y[t] = 0;)
extern "C" __global__ void bad_divergent_lines(const float *x, float *y, float *z) {
    if (threadIdx.x < 32)
        __syncthreads();
    else
        __syncthreads();
    (void)x, (void)y, (void)z;
}
KERNEL(bad_divergent_exit, if (t == 63) return; __syncthreads(); y[t] = 0;)
KERNEL(bad_divergent_forms, int n = 0; if (t < 32) __syncthreads();
       else n = __syncthreads_count(1); y[t] = float(n);)
KERNEL(good_divergent_exit, __syncthreads(); if (t == 63) return; y[t] = 0;)
KERNEL(bad_divergent_lanes, if (t % 2) __syncwarp(); else y[t] = __shfl_sync(FULL, x[t], 0);)
KERNEL(bad_divergent_count, if (t >= 32) ops_ptx_barrier_sync(1, 64); else y[t] = 0;)
KERNEL(good_divergent_branches, float v; if (t % 2) v = __shfl_sync(FULL, x[t], 0);
       else v = __shfl_sync(FULL, x[t], 0); y[t] = v;)

// ---- masks and ranges
KERNEL(bad_mask_left_out, y[t] = t == 7 ? __shfl_sync(0xffu & ~(1u << 7), x[t], 0) : 0;)
KERNEL(bad_undefined_lane, y[t] = t % 32 < 16 ? __shfl_xor_sync(0xffffu, x[t], 16) : 0;)
KERNEL(good_undefined_lane, y[t] = t % 32 < 16 ? __shfl_xor_sync(0xffffu, x[t], 8) : 0;)
KERNEL(bad_undefined_left, if (t == 20) return; y[t] = __shfl_down_sync(FULL, x[t], 1);)
KERNEL(good_undefined_left, if (t >= 16) return; y[t] = __shfl_xor_sync(0xffffu, x[t], 1);)
KERNEL(bad_range_width, y[t] = __shfl_sync(FULL, x[t], 0, 12);)
KERNEL(bad_range_barrier, ops_ptx_barrier_sync(1, 33);)
KERNEL(bad_range_barrier_id, ops_ptx_barrier_sync(16 + 1, 64);)
KERNEL(bad_range_bytes, SHARED ops_ptx_cp_async16(ops_shared, x, 17);)
KERNEL(bad_range_global, ops_ptx_cp_async16(y, x, 16);)
KERNEL(bad_trap, if (x[t] >= 0) __trap();)
KERNEL(bad_local, __shared__ const float *a; const float mine = x[t]; if (t == 0) a = &mine;
       __syncthreads(); y[t] = *a; __syncthreads(); y[t] += mine;)

// ---- cp.async
KERNEL(bad_async_no_wait, SHARED ops_ptx_cp_async4(ops_shared + t * 4, x + t, 4);
       ops_ptx_cp_async_commit(); y[t] = ((float *)ops_shared)[t];)
KERNEL(good_async_wait, SHARED ops_ptx_cp_async4(ops_shared + t * 4, x + t, 4);
       ops_ptx_cp_async_commit(); ops_ptx_cp_async_wait<0>();
       y[t] = ((float *)ops_shared)[t];)
KERNEL(bad_async_wait_too_few, SHARED ops_ptx_cp_async4(ops_shared + t * 4, x + t, 4);
       ops_ptx_cp_async_commit(); ops_ptx_cp_async_wait<1>();
       y[t] = ((float *)ops_shared)[t];)
KERNEL(bad_async_no_commit, SHARED ops_ptx_cp_async4(ops_shared + t * 4, x + t, 4);
       ops_ptx_cp_async_wait<0>(); y[t] = ((float *)ops_shared)[t];)
KERNEL(bad_race_async_barrier, SHARED ops_ptx_cp_async4(ops_shared + t * 4, x + t, 4);
       ops_ptx_cp_async_wait_all(); y[t] = ((float *)ops_shared)[t ^ 1];)
KERNEL(bad_race_async_overwrite, SHARED float *const a = (float *)ops_shared; a[t] = 0;
       __syncthreads(); y[t] = a[t ^ 1]; ops_ptx_cp_async4(a + t, x + t, 4);
       ops_ptx_cp_async_wait_all();)

// ---- mbarriers, bulk copies
#define LOADED                                                                        \
    __shared__ __align__(128) float a[64];                                            \
    __shared__ uint64_t m[1];                                                         \
    if (t == 0) {                                                                     \
        ops_ptx_mbarrier_init(m, 1);                                                  \
        ops_ptx_fence_mbarrier_init();                                                \
    }                                                                                 \
    __syncthreads();                                                                  \
    (void)a;
#define LOAD(BYTES)                                                                   \
    if (t == 0) {                                                                     \
        ops_ptx_mbarrier_arrive_expect_tx(m, BYTES);                                  \
        ops_ptx_bulk_load(a, x, 256, m);                                              \
    }
KERNEL(good_mbarrier, LOADED LOAD(256) ops_ptx_mbarrier_wait(m, 0); y[t] = a[t];)
KERNEL(bad_async_parity, LOADED LOAD(256) ops_ptx_mbarrier_wait(m, 1); y[t] = a[t];)
KERNEL(bad_async_no_mbarrier_wait, LOADED LOAD(256) y[t] = a[t];)
KERNEL(bad_async_one_waits, LOADED LOAD(256) if (t == 0) ops_ptx_mbarrier_wait(m, 0); y[t] = a[t];)
KERNEL(bad_deadlock_too_many_bytes, LOADED LOAD(260) ops_ptx_mbarrier_wait(m, 0); y[t] = a[t];)
KERNEL(bad_deadlock_second_phase, LOADED LOAD(256) ops_ptx_mbarrier_wait(m, 0);
       ops_ptx_mbarrier_wait(m, 1); y[t] = a[t];)
KERNEL(bad_async_overwrite, LOADED a[t] = 0; __syncthreads(); y[t] = a[t]; LOAD(256)
       ops_ptx_mbarrier_wait(m, 0);)
KERNEL(good_async_overwrite, LOADED a[t] = 0; y[t] = a[t]; __syncthreads(); LOAD(256)
       ops_ptx_mbarrier_wait(m, 0);)
KERNEL(bad_mbarrier_arrivals, LOADED ops_ptx_mbarrier_arrive(m);
       if (t == 5) ops_ptx_mbarrier_expect_tx(m, 4); ops_ptx_mbarrier_arrive(m);)
KERNEL(bad_mbarrier_not_made, __shared__ uint64_t m; ops_ptx_mbarrier_arrive(&m);)
KERNEL(bad_mbarrier_plain, LOADED y[t] = float(m[0]); a[t] = 0;)
KERNEL(bad_race_mbarrier_init, __shared__ uint64_t m; if (t == 0) ops_ptx_mbarrier_init(&m, 64);
       __syncwarp(); ops_ptx_mbarrier_arrive(&m);)
KERNEL(bad_proxy_mbarrier, __shared__ __align__(128) float a[64]; __shared__ uint64_t m;
       if (t == 0) ops_ptx_mbarrier_init(&m, 1); __syncthreads(); if (t == 0) {
           ops_ptx_mbarrier_arrive_expect_tx(&m, 256);
           ops_ptx_bulk_load(a, x, 256, &m);
       } ops_ptx_mbarrier_wait(&m, 0); y[t] = a[t];)
#define STORED(FENCE, END)                                                            \
    __shared__ __align__(128) float a[64];                                            \
    a[t] = x[t];                                                                      \
    FENCE;                                                                            \
    __syncthreads();                                                                  \
    if (t == 0) {                                                                     \
        ops_ptx_bulk_store(y, a, 256);                                                \
        END;                                                                          \
    }
KERNEL(good_store, STORED(ops_ptx_fence_proxy_async(), ops_ptx_bulk_commit(); ops_ptx_bulk_wait_read<0>()))
KERNEL(good_store_fence_behind, __shared__ __align__(128) float a[64]; a[t] = x[t];
       __syncthreads(); if (t == 0) {
           ops_ptx_fence_proxy_async();
           ops_ptx_bulk_store(y, a, 256);
           ops_ptx_bulk_commit();
           ops_ptx_bulk_wait<0>();
           y[0] = 1;
       })
KERNEL(bad_proxy_store, STORED(, ops_ptx_bulk_commit(); ops_ptx_bulk_wait_read<0>()))
KERNEL(bad_async_store_left, STORED(ops_ptx_fence_proxy_async(), ops_ptx_bulk_commit()))
KERNEL(bad_async_store_no_commit, STORED(ops_ptx_fence_proxy_async(), ops_ptx_bulk_wait_read<0>()))
KERNEL(bad_async_store_reused, STORED(ops_ptx_fence_proxy_async(), ops_ptx_bulk_commit(); a[0] = 0; ops_ptx_bulk_wait_read<0>()))
KERNEL(bad_async_store_read_back, STORED(ops_ptx_fence_proxy_async(), ops_ptx_bulk_commit(); ops_ptx_bulk_wait_read<0>(); y[1] = y[0]))
KERNEL(bad_alignment_bulk, LOADED if (t == 0) ops_ptx_bulk_load(a, x, 200, m);)
KERNEL(bad_bounds_bulk, LOADED if (t == 0) {
    ops_ptx_mbarrier_arrive_expect_tx(m, 256);
    ops_ptx_bulk_load(a, x + 196, 256, m);
} ops_ptx_mbarrier_wait(m, 0);)

// ---- tensor copies: a map of 8 rows of 32 floats of x, boxes of 4 x 32 (512 bytes)
#define TENSOR(NAME, SHARED_BYTES, TX, PLACE)                                         \
    extern "C" __global__ void NAME(const __grid_constant__ ops_tensor_map map,       \
                                    float *__restrict__ y) {                          \
        extern __shared__ __align__(1024) unsigned char ops_shared[];                 \
        __shared__ uint64_t m;                                                        \
        const int t = threadIdx.x;                                                    \
        if (t == 0) {                                                                 \
            ops_ptx_mbarrier_init(&m, 1);                                             \
            ops_ptx_fence_mbarrier_init();                                            \
        }                                                                             \
        __syncthreads();                                                              \
        if (t == 0) {                                                                 \
            ops_ptx_mbarrier_arrive_expect_tx(&m, TX);                                \
            ops_ptx_tensor_load_2d(ops_shared + PLACE, &map, 0, 0, &m);               \
        }                                                                             \
        ops_ptx_mbarrier_wait(&m, 0);                                                 \
        y[t] = ((float *)(ops_shared + PLACE))[t];                                    \
    }                                                                                 \
    OPSLIB_CUDA_SIM_ENTRY(NAME)
TENSOR(tensor_good, 512, 512, 0)
TENSOR(tensor_bounds, 512, 512, 128)       // the box is larger than what is left
TENSOR(tensor_alignment, 512, 512, 64)
TENSOR(tensor_deadlock, 512, 1024, 0)

// ---- wgmma, one warpgroup of 128 threads; zeros in shared memory
#define GROUP(NAME, FIRST, SECOND, AFTER)                                             \
    extern "C" __global__ void NAME(float *__restrict__ y) {                          \
        extern __shared__ __align__(1024) unsigned char ops_shared[];                 \
        const int t = threadIdx.x;                                                    \
        for (int i = t; i < 1024; i += 128) ((float *)ops_shared)[i] = 0;             \
        FIRST;                                                                        \
        __syncthreads();                                                              \
        const uint64_t a = ops_ptx_wgmma_descriptor(ops_shared, 128, 256, 0);         \
        const uint64_t b = ops_ptx_wgmma_descriptor(ops_shared + 2048, 128, 256, 0);  \
        float d[4] = {1, 2, 3, 4};                                                    \
        (void)a, (void)b;                                                             \
        SECOND;                                                                       \
        AFTER;                                                                        \
        for (int i = 0; i < 4; i++) y[t * 4 + i] = d[i];                              \
    }                                                                                 \
    OPSLIB_CUDA_SIM_ENTRY(NAME)
#define PROXY ops_ptx_fence_proxy_async()
#define FENCE ops_ptx_wgmma_fence()
#define PRODUCT ops_ptx_wgmma_m64n8k16_f16(d, a, b)
#define END ops_ptx_wgmma_commit(); ops_ptx_wgmma_wait<0>()
GROUP(group_good, PROXY, FENCE; PRODUCT; PRODUCT, END)
GROUP(group_good_twice, PROXY, FENCE; PRODUCT; END; d[0] += 1; FENCE; PRODUCT, END)
GROUP(group_fence, PROXY, PRODUCT, END)
GROUP(group_fence_twice, PROXY, FENCE; PRODUCT; END; d[0] += 1; PRODUCT, END)
GROUP(group_async, PROXY, FENCE; PRODUCT, ops_ptx_wgmma_commit())
GROUP(group_async_no_commit, PROXY, FENCE; PRODUCT, ops_ptx_wgmma_wait<0>())
GROUP(group_async_touched, PROXY, FENCE; PRODUCT; d[0] += 1, END)
GROUP(group_async_shared, PROXY, FENCE; PRODUCT; ((float *)ops_shared)[t] = 0, END)
GROUP(group_proxy, , FENCE; PRODUCT, END)
GROUP(group_divergent, PROXY, FENCE; if (t < 96) PRODUCT, END)
GROUP(group_descriptor, PROXY, FENCE; ops_ptx_wgmma_m64n8k16_f16(d, a + t / 16, b), END)
GROUP(group_bounds, PROXY, FENCE; ops_ptx_wgmma_m64n8k16_f16(d, a, b + 128), END)

// ---- more shared memory than there is: 48 KiB of fixed size, 227 KiB in all
template <int WORDS>
static __device__ void use_shared(float *y) {
    __shared__ float box[WORDS];
    for (int i = threadIdx.x; i < WORDS; i += 64) box[i] = 0;
    __syncthreads();
    y[threadIdx.x] = box[63 - threadIdx.x];
}
KERNEL(good_launch_shared, use_shared<12 * 1024>(y);)
KERNEL(bad_launch_shared, use_shared<12 * 1024 + 1>(y);)

// ---- the matrix instructions of a warp
KERNEL(bad_mask_matrix, if (t % 32 < 31) {
    float d[4] = {}; uint32_t a[4] = {}, b[2] = {};
    ops_ptx_mma_m16n8k16_f16(d, a, b);
    y[t] = d[0];
})
KERNEL(bad_alignment_matrix, SHARED for (int i = t; i < 64; i += 64) ((float *)ops_shared)[i] = 0;
       __syncthreads(); uint32_t r[1]; ops_ptx_ldmatrix_x1(r, ops_shared + t % 8 * 16 + 8);
       y[t] = float(r[0]);)
KERNEL(bad_poison_matrix, SHARED if (t < 20) ((float *)ops_shared)[t] = 0; __syncthreads();
       uint32_t r[1]; ops_ptx_ldmatrix_x1(r, ops_shared + t % 8 * 16); y[t] = float(r[0]);)
