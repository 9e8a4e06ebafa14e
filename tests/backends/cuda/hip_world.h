/* What HIP's headers give device code, as far as kernels use it, for a clang without them:
 * the text is then compiled for AMD's chips by the compiler that hiprtc is made of. */
#ifndef HIP_WORLD_H
#define HIP_WORLD_H

#include <stdint.h>

#define __HIPCC__ 1
#define __device__ __attribute__((device))
#define __global__ __attribute__((global))
#define __shared__ __attribute__((shared))
/* The second number is one of waves for each of a compute unit's four SIMDs. */
#define HIP_BOUND(threads) __attribute__((amdgpu_flat_work_group_size(1, threads)))
#define HIP_BOUNDS(threads, waves) HIP_BOUND(threads) __attribute__((amdgpu_waves_per_eu(waves)))
#define HIP_CHOSEN(a, b, chosen, ...) chosen
#define __launch_bounds__(...) HIP_CHOSEN(__VA_ARGS__, HIP_BOUNDS, HIP_BOUND, )(__VA_ARGS__)
#define __align__(n) __attribute__((aligned(n)))
#define HIP_LANES 64
#define HIP_WORLD static inline __device__ __attribute__((always_inline))

struct hip_id { uint32_t x, y, z; };
HIP_WORLD hip_id hip_thread() {
    return {__builtin_amdgcn_workitem_id_x(), __builtin_amdgcn_workitem_id_y(),
            __builtin_amdgcn_workitem_id_z()};
}
HIP_WORLD hip_id hip_block() {
    return {__builtin_amdgcn_workgroup_id_x(), __builtin_amdgcn_workgroup_id_y(),
            __builtin_amdgcn_workgroup_id_z()};
}
HIP_WORLD hip_id hip_block_size() {
    return {__builtin_amdgcn_workgroup_size_x(), __builtin_amdgcn_workgroup_size_y(),
            __builtin_amdgcn_workgroup_size_z()};
}
HIP_WORLD hip_id hip_grid_size() {
    return {__builtin_amdgcn_grid_size_x() / __builtin_amdgcn_workgroup_size_x(),
            __builtin_amdgcn_grid_size_y() / __builtin_amdgcn_workgroup_size_y(),
            __builtin_amdgcn_grid_size_z() / __builtin_amdgcn_workgroup_size_z()};
}
#define threadIdx hip_thread()
#define blockIdx hip_block()
#define blockDim hip_block_size()
#define gridDim hip_grid_size()

HIP_WORLD void __syncthreads() {
    __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup");
    __builtin_amdgcn_s_barrier();
    __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup");
}
extern "C" __device__ int __syncthreads_or(int test);
HIP_WORLD void __threadfence() { __builtin_amdgcn_fence(__ATOMIC_SEQ_CST, "agent"); }
HIP_WORLD void __threadfence_system() { __builtin_amdgcn_fence(__ATOMIC_SEQ_CST, ""); }
/* Of ROCm 6.2 and later: masks of 64 lanes. */
HIP_WORLD void __syncwarp(uint64_t = ~0ull) { __builtin_amdgcn_wave_barrier(); }

HIP_WORLD int hip_lane() {
    return (int)__builtin_amdgcn_mbcnt_hi(~0u, __builtin_amdgcn_mbcnt_lo(~0u, 0u));
}
HIP_WORLD uint32_t hip_from(uint32_t x, int lane) {
    return (uint32_t)__builtin_amdgcn_ds_bpermute(lane * 4, (int)x);
}
HIP_WORLD uint64_t hip_from(uint64_t x, int lane) {
    return hip_from((uint32_t)x, lane) | (uint64_t)hip_from((uint32_t)(x >> 32), lane) << 32;
}
#define HIP_SHUFFLES(type, same)                                                               \
    HIP_WORLD type __shfl_sync(uint64_t, type x, int from) {                                   \
        return (type)hip_from((same)x, from);                                                  \
    }                                                                                          \
    HIP_WORLD type __shfl_down_sync(uint64_t, type x, int by) {                                \
        const int to = hip_lane() + by;                                                        \
        return (type)hip_from((same)x, to < HIP_LANES ? to : hip_lane());                      \
    }                                                                                          \
    HIP_WORLD type __shfl_up_sync(uint64_t, type x, int by) {                                  \
        const int to = hip_lane() - by;                                                        \
        return (type)hip_from((same)x, to >= 0 ? to : hip_lane());                             \
    }
HIP_SHUFFLES(unsigned, uint32_t)
HIP_SHUFFLES(unsigned long long, uint64_t)

#define HIP_ATOMICS(type)                                                                      \
    HIP_WORLD type atomicAdd(type *p, type x) {                                                \
        return __atomic_fetch_add(p, x, __ATOMIC_RELAXED);                                     \
    }                                                                                          \
    HIP_WORLD type atomicMin(type *p, type x) {                                                \
        return __atomic_fetch_min(p, x, __ATOMIC_RELAXED);                                     \
    }                                                                                          \
    HIP_WORLD type atomicMax(type *p, type x) {                                                \
        return __atomic_fetch_max(p, x, __ATOMIC_RELAXED);                                     \
    }                                                                                          \
    HIP_WORLD type atomicExch(type *p, type x) {                                               \
        return __atomic_exchange_n(p, x, __ATOMIC_RELAXED);                                    \
    }                                                                                          \
    HIP_WORLD type atomicCAS(type *p, type was, type x) {                                      \
        __atomic_compare_exchange_n(p, &was, x, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);    \
        return was;                                                                            \
    }
HIP_ATOMICS(int)
HIP_ATOMICS(unsigned)
HIP_ATOMICS(long long)
HIP_ATOMICS(unsigned long long)

#endif /* HIP_WORLD_H */
