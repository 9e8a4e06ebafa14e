/* wgmma.  A part of the simulator's opslib_cuda_ptx.h. */
#ifndef OPSLIB_CUDA_SIM_PTX_GROUP_H
#define OPSLIB_CUDA_SIM_PTX_GROUP_H

static inline uint64_t ops_ptx_wgmma_descriptor(const void* shared, uint32_t leading,
                                                uint32_t stride, int swizzle) {
    const uint64_t mode = swizzle == 128 ? 1 : swizzle == 64 ? 2 : swizzle == 32 ? 3 : 0;
    return uint64_t((ops_ptx_shared_address(shared) & 0x3ffff) >> 4) |
           uint64_t((leading & 0x3ffff) >> 4) << 16 |
           uint64_t((stride & 0x3ffff) >> 4) << 32 | mode << 62;
}

static inline void ops_ptx_wgmma_fence(OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::group_fence(site);
}
static inline void ops_ptx_wgmma_commit(OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::group_commit(site);
}
template <int N>
static inline void ops_ptx_wgmma_wait(OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::group_wait(N, site);
}
template <int COUNT>
static inline void ops_ptx_wgmma_hold(float (&)[COUNT]) {}
template <int COUNT>
static inline void ops_ptx_wgmma_hold(int32_t (&)[COUNT]) {}

#define OPSLIB_CUDA_SIM_WGMMA_TURNED(N, NAME, TYPE)                                   \
    template <int TURN_A = 0, int TURN_B = 0>                                         \
    static inline void ops_ptx_wgmma_m64n##N##k16_##NAME(                             \
        float (&d)[N / 2], uint64_t a, uint64_t b, bool add = true,                   \
        OPSLIB_CUDA_SIM_SITE) {                                                       \
        opslib_cuda_sim::group_matrix(opslib_cuda_sim::Number::TYPE, N, d, nullptr,   \
                                      a, b, add, TURN_A, TURN_B, site);               \
    }                                                                                 \
    template <int TURN_B = 0>                                                         \
    static inline void ops_ptx_wgmma_m64n##N##k16_##NAME##_registers(                 \
        float (&d)[N / 2], const uint32_t (&a)[4], uint64_t b, bool add = true,       \
        OPSLIB_CUDA_SIM_SITE) {                                                       \
        opslib_cuda_sim::group_matrix(opslib_cuda_sim::Number::TYPE, N, d, a, 0, b,   \
                                      add, false, TURN_B, site);                      \
    }
#define OPSLIB_CUDA_SIM_WGMMA(N, K, NAME, TYPE, D)                                    \
    static inline void ops_ptx_wgmma_m64n##N##k##K##_##NAME(                          \
        D (&d)[N / 2], uint64_t a, uint64_t b, bool add = true,                       \
        OPSLIB_CUDA_SIM_SITE) {                                                       \
        opslib_cuda_sim::group_matrix(opslib_cuda_sim::Number::TYPE, N, d, nullptr,   \
                                      a, b, add, false, false, site);                 \
    }                                                                                 \
    static inline void ops_ptx_wgmma_m64n##N##k##K##_##NAME##_registers(              \
        D (&d)[N / 2], const uint32_t (&a)[4], uint64_t b, bool add = true,           \
        OPSLIB_CUDA_SIM_SITE) {                                                       \
        opslib_cuda_sim::group_matrix(opslib_cuda_sim::Number::TYPE, N, d, a, 0, b,   \
                                      add, false, false, site);                       \
    }
#define OPSLIB_CUDA_SIM_WGMMA_ALL(N)                  \
    OPSLIB_CUDA_SIM_WGMMA_TURNED(N, f16, F16)         \
    OPSLIB_CUDA_SIM_WGMMA_TURNED(N, bf16, BF16)       \
    OPSLIB_CUDA_SIM_WGMMA(N, 8, tf32, TF32, float)    \
    OPSLIB_CUDA_SIM_WGMMA(N, 32, e4m3, E4M3, float)   \
    OPSLIB_CUDA_SIM_WGMMA(N, 32, e5m2, E5M2, float)   \
    OPSLIB_CUDA_SIM_WGMMA(N, 32, s8, S8, int32_t)     \
    OPSLIB_CUDA_SIM_WGMMA(N, 32, u8, U8, int32_t)
OPSLIB_CUDA_SIM_WGMMA_ALL(8)
OPSLIB_CUDA_SIM_WGMMA_ALL(16)
OPSLIB_CUDA_SIM_WGMMA_ALL(32)
OPSLIB_CUDA_SIM_WGMMA_ALL(64)
OPSLIB_CUDA_SIM_WGMMA_ALL(96)
OPSLIB_CUDA_SIM_WGMMA_ALL(128)
OPSLIB_CUDA_SIM_WGMMA_ALL(192)
OPSLIB_CUDA_SIM_WGMMA_ALL(256)
#undef OPSLIB_CUDA_SIM_WGMMA_ALL
#undef OPSLIB_CUDA_SIM_WGMMA
#undef OPSLIB_CUDA_SIM_WGMMA_TURNED

template <int N>
static inline void ops_ptx_registers_increase() {
    static_assert(N % 8 == 0 && N >= 24 && N <= 256, "a multiple of 8 from 24 to 256");
}
template <int N>
static inline void ops_ptx_registers_decrease() {
    static_assert(N % 8 == 0 && N >= 24 && N <= 256, "a multiple of 8 from 24 to 256");
}

#endif
