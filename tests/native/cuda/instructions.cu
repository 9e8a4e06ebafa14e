// One kernel for each instruction: operands from arrays, results to arrays, so that the
// tests can place each element by the PTX ISA's formulas.
#include "opslib_cuda_ptx.h"
#include "opslib_cuda_sim_entry.h"

#define MMA(NAME, A, B, D)                                                            \
    extern "C" __global__ void NAME(const uint32_t *a, const uint32_t *b, D *d) {     \
        uint32_t ra[A], rb[B];                                                        \
        D rd[4];                                                                      \
        for (int i = 0; i < A; i++) ra[i] = a[threadIdx.x * A + i];                   \
        for (int i = 0; i < B; i++) rb[i] = b[threadIdx.x * B + i];                   \
        for (int i = 0; i < 4; i++) rd[i] = d[threadIdx.x * 4 + i];                   \
        ops_ptx_mma_##NAME(rd, ra, rb);                                               \
        for (int i = 0; i < 4; i++) d[threadIdx.x * 4 + i] = rd[i];                   \
    }                                                                                 \
    OPSLIB_CUDA_SIM_ENTRY(NAME)
MMA(m16n8k8_f16, 2, 1, float)
MMA(m16n8k16_f16, 4, 2, float)
MMA(m16n8k8_bf16, 2, 1, float)
MMA(m16n8k16_bf16, 4, 2, float)
MMA(m16n8k4_tf32, 2, 1, float)
MMA(m16n8k8_tf32, 4, 2, float)
MMA(m16n8k16_s8, 2, 1, int32_t)
MMA(m16n8k32_s8, 4, 2, int32_t)
MMA(m16n8k16_u8, 2, 1, int32_t)
MMA(m16n8k32_u8, 4, 2, int32_t)
MMA(m16n8k32_e4m3, 4, 2, float)
MMA(m16n8k32_e5m2, 4, 2, float)

// 32 rows of 8 elements of 16 bits; lane i names row i.
#define MATRIX(NAME, COUNT)                                                           \
    extern "C" __global__ void ldmatrix_##NAME(const uint32_t *x, uint32_t *y) {      \
        __shared__ __align__(16) uint32_t rows[32][4];                                \
        for (int i = 0; i < 4; i++) rows[threadIdx.x][i] = x[threadIdx.x * 4 + i];    \
        __syncwarp();                                                                 \
        uint32_t r[COUNT];                                                            \
        ops_ptx_ldmatrix_##NAME(r, rows[threadIdx.x]);                                \
        for (int i = 0; i < COUNT; i++) y[threadIdx.x * COUNT + i] = r[i];            \
    }                                                                                 \
    extern "C" __global__ void stmatrix_##NAME(const uint32_t *x, uint32_t *y) {      \
        __shared__ __align__(16) uint32_t rows[32][4];                                \
        uint32_t r[COUNT];                                                            \
        for (int i = 0; i < COUNT; i++) r[i] = x[threadIdx.x * COUNT + i];            \
        ops_ptx_stmatrix_##NAME(rows[threadIdx.x], r);                                \
        __syncwarp();                                                                 \
        if (threadIdx.x < COUNT * 8)                                                  \
            for (int i = 0; i < 4; i++) y[threadIdx.x * 4 + i] = rows[threadIdx.x][i]; \
    }                                                                                 \
    OPSLIB_CUDA_SIM_ENTRY(ldmatrix_##NAME)                                            \
    OPSLIB_CUDA_SIM_ENTRY(stmatrix_##NAME)
MATRIX(x1, 1)
MATRIX(x2, 2)
MATRIX(x4, 4)
MATRIX(x1_trans, 1)
MATRIX(x2_trans, 2)
MATRIX(x4_trans, 4)

// Bytes of shared memory as they come; d, and a in registers, in fragments.
#define WGMMA(NAME, N, D, CALL, CALL_REGISTERS)                                       \
    extern "C" __global__ void NAME(const uint32_t *x, const uint32_t *fragments,     \
                                    D *d, int64_t words, int64_t a_at, int64_t b_at,  \
                                    int64_t a_leading, int64_t a_stride,              \
                                    int64_t b_leading, int64_t b_stride,              \
                                    int64_t swizzle, int64_t add) {                   \
        extern __shared__ __align__(1024) unsigned char ops_shared[];                 \
        uint32_t *const memory = reinterpret_cast<uint32_t *>(ops_shared);            \
        for (int i = threadIdx.x; i < words; i += 128) memory[i] = x[i];              \
        ops_ptx_fence_proxy_async();                                                  \
        __syncthreads();                                                              \
        const uint64_t a = ops_ptx_wgmma_descriptor(ops_shared + a_at, a_leading,     \
                                                    a_stride, int(swizzle));          \
        const uint64_t b = ops_ptx_wgmma_descriptor(ops_shared + b_at, b_leading,     \
                                                    b_stride, int(swizzle));          \
        D rd[N / 2];                                                                  \
        uint32_t ra[4];                                                               \
        for (int i = 0; i < N / 2; i++) rd[i] = d[threadIdx.x * (N / 2) + i];         \
        for (int i = 0; i < 4; i++) ra[i] = fragments[threadIdx.x * 4 + i];           \
        ops_ptx_wgmma_fence();                                                        \
        if (a_at >= 0)                                                                \
            CALL(rd, a, b, add != 0);                                                 \
        else                                                                          \
            CALL_REGISTERS(rd, ra, b, add != 0);                                      \
        ops_ptx_wgmma_commit();                                                       \
        ops_ptx_wgmma_wait<0>();                                                      \
        for (int i = 0; i < N / 2; i++) d[threadIdx.x * (N / 2) + i] = rd[i];         \
    }                                                                                 \
    OPSLIB_CUDA_SIM_ENTRY(NAME)
WGMMA(group_f16, 64, float, ops_ptx_wgmma_m64n64k16_f16, ops_ptx_wgmma_m64n64k16_f16_registers)
WGMMA(group_bf16, 128, float, ops_ptx_wgmma_m64n128k16_bf16, ops_ptx_wgmma_m64n128k16_bf16_registers)
WGMMA(group_f16_turned, 64, float, (ops_ptx_wgmma_m64n64k16_f16<1, 1>), ops_ptx_wgmma_m64n64k16_f16_registers<1>)
WGMMA(group_tf32, 16, float, ops_ptx_wgmma_m64n16k8_tf32, ops_ptx_wgmma_m64n16k8_tf32_registers)
WGMMA(group_e4m3, 32, float, ops_ptx_wgmma_m64n32k32_e4m3, ops_ptx_wgmma_m64n32k32_e4m3_registers)
WGMMA(group_s8, 8, int32_t, ops_ptx_wgmma_m64n8k32_s8, ops_ptx_wgmma_m64n8k32_s8_registers)

// A box, or three, of a tensor to shared memory and from there to y as it lies.
#define BOX(NAME, LOAD, STORE)                                                        \
    extern "C" __global__ void load_##NAME(const __grid_constant__ ops_tensor_map m,  \
                                           uint32_t *y, int64_t bytes, int64_t i,     \
                                           int64_t j, int64_t k) {                    \
        extern __shared__ __align__(1024) unsigned char ops_shared[];                 \
        __shared__ uint64_t arrived;                                                  \
        if (threadIdx.x == 0) {                                                       \
            ops_ptx_mbarrier_init(&arrived, 1);                                       \
            ops_ptx_fence_mbarrier_init();                                            \
        }                                                                             \
        __syncthreads();                                                              \
        if (threadIdx.x == 0) {                                                       \
            ops_ptx_mbarrier_arrive_expect_tx(&arrived, uint32_t(bytes));             \
            LOAD;                                                                     \
        }                                                                             \
        ops_ptx_mbarrier_wait(&arrived, 0);                                           \
        for (int w = threadIdx.x; w < bytes / 4; w += 32)                             \
            y[w] = reinterpret_cast<uint32_t *>(ops_shared)[w];                       \
    }                                                                                 \
    extern "C" __global__ void store_##NAME(const __grid_constant__ ops_tensor_map m, \
                                            const uint32_t *x, int64_t bytes,         \
                                            int64_t i, int64_t j, int64_t k) {        \
        extern __shared__ __align__(1024) unsigned char ops_shared[];                 \
        for (int w = threadIdx.x; w < bytes / 4; w += 32)                             \
            reinterpret_cast<uint32_t *>(ops_shared)[w] = x[w];                       \
        ops_ptx_fence_proxy_async();                                                  \
        __syncwarp();                                                                 \
        if (threadIdx.x == 0) {                                                       \
            STORE;                                                                    \
            ops_ptx_bulk_commit();                                                    \
            ops_ptx_bulk_wait<0>();                                                   \
        }                                                                             \
    }                                                                                 \
    OPSLIB_CUDA_SIM_ENTRY(load_##NAME)                                                \
    OPSLIB_CUDA_SIM_ENTRY(store_##NAME)
BOX(1d, ops_ptx_tensor_load_1d(ops_shared, &m, int(i), &arrived); (void)j; (void)k,
    ops_ptx_tensor_store_1d(&m, int(i), ops_shared); (void)j; (void)k)
BOX(2d, ops_ptx_tensor_load_2d(ops_shared, &m, int(i), int(j), &arrived); (void)k,
    ops_ptx_tensor_store_2d(&m, int(i), int(j), ops_shared); (void)k)
BOX(3d, ops_ptx_tensor_load_3d(ops_shared, &m, int(i), int(j), int(k), &arrived),
    ops_ptx_tensor_store_3d(&m, int(i), int(j), int(k), ops_shared))

// cp.async of 4, 8 and 16 bytes, of which fewer are read.
extern "C" __global__ void copies(const uint8_t *x, uint8_t *y, int64_t bytes) {
    __shared__ __align__(16) uint8_t memory[48];
    if (threadIdx.x == 0) {
        ops_ptx_cp_async16(memory, x, int(bytes));
        ops_ptx_cp_async8(memory + 16, x + 16, int(bytes / 2));
        ops_ptx_cp_async4(memory + 24, x + 32, int(bytes / 4));
        ops_ptx_cp_async_wait_all();
        for (int i = 0; i < 28; i++) y[i] = memory[i];
    }
}

// The f16 conversions of the header, over all patterns.
extern "C" __global__ void conversions(const uint16_t *x, const float *y, float *to,
                                       uint16_t *back) {
    const int i = int(blockIdx.x * blockDim.x + threadIdx.x);
    to[i] = ops_ptx_f16_to_f32(x[i]);
    back[i] = ops_ptx_f32_to_f16(y[i]);
}
