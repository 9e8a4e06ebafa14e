/* opslib_cuda_ptx.h -- the simulator's twin of native/cuda/opslib_cuda_ptx.h: the same
 * functions, with the meaning that the PTX ISA gives their instructions.  Each takes, as
 * a last parameter that calls leave out, the place from which it was called. */
#ifndef OPSLIB_CUDA_SIM_PTX_H
#define OPSLIB_CUDA_SIM_PTX_H

#include "opslib_cuda_sim.h"

#include "opslib_cuda_sim_number.h"

static inline uint32_t ops_ptx_shared_address(const void* shared) {
    return opslib_cuda_sim::shared_address(shared);
}

static inline int ops_ptx_anew(int x) { return x; }

/* -------------------------------------------------------- conversions ---- */

static inline float ops_ptx_f16_to_f32(uint16_t x) {
    return opslib_cuda_sim::f16_to_f32(x);
}
static inline uint16_t ops_ptx_f32_to_f16(float x) {
    return opslib_cuda_sim::f16_from_f32(x);
}

/* ------------------------------------------------- matrices of a warp ---- */

#define OPSLIB_CUDA_SIM_MMA(NAME, TYPE, K, D, A, B)                                   \
    static inline void ops_ptx_mma_##NAME(D (&d)[4], const uint32_t (&a)[A],          \
                                          const uint32_t (&b)[B],                     \
                                          OPSLIB_CUDA_SIM_SITE) {                     \
        opslib_cuda_sim::matrix(opslib_cuda_sim::Number::TYPE, K, d, a, b, site);     \
    }
OPSLIB_CUDA_SIM_MMA(m16n8k8_f16, F16, 8, float, 2, 1)
OPSLIB_CUDA_SIM_MMA(m16n8k16_f16, F16, 16, float, 4, 2)
OPSLIB_CUDA_SIM_MMA(m16n8k8_bf16, BF16, 8, float, 2, 1)
OPSLIB_CUDA_SIM_MMA(m16n8k16_bf16, BF16, 16, float, 4, 2)
OPSLIB_CUDA_SIM_MMA(m16n8k4_tf32, TF32, 4, float, 2, 1)
OPSLIB_CUDA_SIM_MMA(m16n8k8_tf32, TF32, 8, float, 4, 2)
OPSLIB_CUDA_SIM_MMA(m16n8k16_s8, S8, 16, int32_t, 2, 1)
OPSLIB_CUDA_SIM_MMA(m16n8k32_s8, S8, 32, int32_t, 4, 2)
OPSLIB_CUDA_SIM_MMA(m16n8k16_u8, U8, 16, int32_t, 2, 1)
OPSLIB_CUDA_SIM_MMA(m16n8k32_u8, U8, 32, int32_t, 4, 2)
OPSLIB_CUDA_SIM_MMA(m16n8k32_e4m3, E4M3, 32, float, 4, 2)
OPSLIB_CUDA_SIM_MMA(m16n8k32_e5m2, E5M2, 32, float, 4, 2)
#undef OPSLIB_CUDA_SIM_MMA

#define OPSLIB_CUDA_SIM_LDMATRIX(NAME, COUNT, TRANSPOSED)                             \
    static inline void ops_ptx_ldmatrix_##NAME(uint32_t (&r)[COUNT], const void* row, \
                                               OPSLIB_CUDA_SIM_SITE) {                \
        opslib_cuda_sim::load_matrix(COUNT, TRANSPOSED, r, row, site);                \
    }
OPSLIB_CUDA_SIM_LDMATRIX(x1, 1, false)
OPSLIB_CUDA_SIM_LDMATRIX(x2, 2, false)
OPSLIB_CUDA_SIM_LDMATRIX(x4, 4, false)
OPSLIB_CUDA_SIM_LDMATRIX(x1_trans, 1, true)
OPSLIB_CUDA_SIM_LDMATRIX(x2_trans, 2, true)
OPSLIB_CUDA_SIM_LDMATRIX(x4_trans, 4, true)
#undef OPSLIB_CUDA_SIM_LDMATRIX
#define OPSLIB_CUDA_SIM_STMATRIX(NAME, COUNT, TRANSPOSED)                             \
    static inline void ops_ptx_stmatrix_##NAME(void* row, const uint32_t (&r)[COUNT], \
                                               OPSLIB_CUDA_SIM_SITE) {                \
        opslib_cuda_sim::store_matrix(COUNT, TRANSPOSED, r, row, site);               \
    }
OPSLIB_CUDA_SIM_STMATRIX(x1, 1, false)
OPSLIB_CUDA_SIM_STMATRIX(x2, 2, false)
OPSLIB_CUDA_SIM_STMATRIX(x4, 4, false)
OPSLIB_CUDA_SIM_STMATRIX(x1_trans, 1, true)
OPSLIB_CUDA_SIM_STMATRIX(x2_trans, 2, true)
OPSLIB_CUDA_SIM_STMATRIX(x4_trans, 4, true)
#undef OPSLIB_CUDA_SIM_STMATRIX

/* ----------------------------------------------------------- cp.async ---- */

static inline void ops_ptx_cp_async4(void* shared, const void* global, int bytes,
                                     OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::copy_async(shared, global, 4, bytes, site);
}
static inline void ops_ptx_cp_async8(void* shared, const void* global, int bytes,
                                     OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::copy_async(shared, global, 8, bytes, site);
}
static inline void ops_ptx_cp_async16(void* shared, const void* global, int bytes,
                                      OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::copy_async(shared, global, 16, bytes, site);
}
static inline void ops_ptx_cp_async_commit() { opslib_cuda_sim::copy_async_commit(); }
template <int N>
static inline void ops_ptx_cp_async_wait(OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::copy_async_wait(N, site);
}
static inline void ops_ptx_cp_async_wait_all(OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::copy_async_wait(-1, site);
}

/* ----------------------------------------------------- named barriers ---- */

static inline void ops_ptx_barrier_sync(int id, int threads, OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::block_barrier(opslib_cuda_sim::Block::Named, id, threads, 0, site);
}
static inline void ops_ptx_barrier_arrive(int id, int threads, OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::block_arrive(id, threads, site);
}

#include "opslib_cuda_sim_ptx_bulk.h"

#include "opslib_cuda_sim_ptx_group.h"

#endif
