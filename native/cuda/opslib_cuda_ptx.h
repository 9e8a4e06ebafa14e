/* opslib_cuda_ptx.h -- everything that is PTX, as small functions with plain names.
 *
 * Kernels and opslib_cuda.h hold no assembly: the simulator has a file of this name, first
 * on its include path, with the same functions in C++ (and with the types and built-ins of
 * CUDA that a host compiler lacks). tests/native compares the two lists. */
#ifndef OPSLIB_CUDA_PTX_H
#define OPSLIB_CUDA_PTX_H

#if !defined(__CUDACC__) && !defined(__HIPCC__)
/* A host compiler: the simulator. (Quotes find this file before any include path.) */
#include "sim/opslib_cuda_ptx.h"
#else

#if defined(__CUDACC_RTC__)
/* NVRTC has no standard headers. */
typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef short int16_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;
typedef uint64_t uintptr_t;
#define INT64_C(x) x##LL
#define UINT64_C(x) x##ULL
/* gcc's names, which the functions shared with C kernels use. */
#define __builtin_nanf(tag) __int_as_float(0x7fffffff)
#define __builtin_inff() __int_as_float(0x7f800000)
#define __builtin_fmaf fmaf
#define __builtin_sqrtf sqrtf
#define __builtin_fma fma
#define __builtin_sqrt sqrt
#define __builtin_fabs fabs
#define __builtin_rint rint
#define __builtin_floor floor
#define __builtin_ceil ceil
#define __builtin_trunc trunc
#define __builtin_exp exp
#define __builtin_exp2 exp2
#define __builtin_expm1 expm1
#define __builtin_log log
#define __builtin_log2 log2
#define __builtin_log10 log10
#define __builtin_log1p log1p
#define __builtin_sin sin
#define __builtin_cos cos
#define __builtin_tan tan
#define __builtin_asin asin
#define __builtin_acos acos
#define __builtin_atan atan
#define __builtin_sinh sinh
#define __builtin_cosh cosh
#define __builtin_tanh tanh
#define __builtin_asinh asinh
#define __builtin_acosh acosh
#define __builtin_atanh atanh
#define __builtin_erf erf
#define __builtin_erfc erfc
#define __builtin_cbrt cbrt
#define __builtin_pow pow
#define __builtin_atan2 atan2
#define __builtin_hypot hypot
#define __builtin_fmod fmod
#define __builtin_copysign copysign
#endif

#if defined(__HIPCC__)
/* AMD: no PTX, so only what needs none. */
static inline __device__ float ops_ptx_f16_to_f32(uint16_t x) {
    union { uint16_t bits; _Float16 value; } c;
    c.bits = x;
    return (float)c.value;
}
static inline __device__ uint16_t ops_ptx_f32_to_f16(float x) {
    union { uint16_t bits; _Float16 value; } c;
    c.value = (_Float16)x;
    return c.bits;
}
static inline __device__ int ops_ptx_anew(int x) { return x; }
#else

/* Addresses in asm: generic ones of global memory, 32-bit ones of shared memory. All asm is
 * volatile and clobbers memory, for the compiler must not move it over loads and stores. */
static inline __device__ uint32_t ops_ptx_shared_address(const void *shared) {
    return (uint32_t)__cvta_generic_to_shared(shared);
}

/* The same number, of which the compiler knows nothing: what follows from it is computed
 * where it is wanted, and not kept in registers from before a loop on. */
static inline __device__ int ops_ptx_anew(int x) {
    asm volatile("" : "+r"(x));
    return x;
}

/* ---------------------------------------------------------- conversions ---- */

/* float16 as 16 bits: to nearest even, subnormals kept (PTX ISA, cvt). */
static inline __device__ float ops_ptx_f16_to_f32(uint16_t x) {
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x));
    return y;
}
static inline __device__ uint16_t ops_ptx_f32_to_f16(float x) {
    uint16_t y;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x));
    return y;
}

/* --------------------------------------------------- matrices of a warp ---- */

/* d += a b: d of 16 x 8, a of 16 x k by rows, b of k x 8 by columns; fragments as in PTX ISA,
 * "Matrix Fragments for mma.m16n8k8" and its relatives. */
#define OPS_PTX_MMA2(NAME, SHAPE, TYPES, D, C)                                                  \
    static inline __device__ void ops_ptx_mma_##NAME(D (&d)[4], const uint32_t (&a)[2],         \
                                                     const uint32_t (&b)[1]) {                  \
        asm volatile("mma.sync.aligned." SHAPE ".row.col." TYPES                                \
                     " {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"                     \
                     : "+" C(d[0]), "+" C(d[1]), "+" C(d[2]), "+" C(d[3])                       \
                     : "r"(a[0]), "r"(a[1]), "r"(b[0]));                                        \
    }
#define OPS_PTX_MMA4(NAME, SHAPE, TYPES, D, C)                                                  \
    static inline __device__ void ops_ptx_mma_##NAME(D (&d)[4], const uint32_t (&a)[4],         \
                                                     const uint32_t (&b)[2]) {                  \
        asm volatile("mma.sync.aligned." SHAPE ".row.col." TYPES                                \
                     " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"         \
                     : "+" C(d[0]), "+" C(d[1]), "+" C(d[2]), "+" C(d[3])                       \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));       \
    }
#if __CUDA_ARCH__ >= 750
OPS_PTX_MMA2(m16n8k8_f16, "m16n8k8", "f32.f16.f16.f32", float, "f")
#endif
#if __CUDA_ARCH__ >= 800
OPS_PTX_MMA4(m16n8k16_f16, "m16n8k16", "f32.f16.f16.f32", float, "f")
OPS_PTX_MMA2(m16n8k8_bf16, "m16n8k8", "f32.bf16.bf16.f32", float, "f")
OPS_PTX_MMA4(m16n8k16_bf16, "m16n8k16", "f32.bf16.bf16.f32", float, "f")
OPS_PTX_MMA2(m16n8k4_tf32, "m16n8k4", "f32.tf32.tf32.f32", float, "f")
OPS_PTX_MMA4(m16n8k8_tf32, "m16n8k8", "f32.tf32.tf32.f32", float, "f")
OPS_PTX_MMA2(m16n8k16_s8, "m16n8k16", "s32.s8.s8.s32", int32_t, "r")
OPS_PTX_MMA4(m16n8k32_s8, "m16n8k32", "s32.s8.s8.s32", int32_t, "r")
OPS_PTX_MMA2(m16n8k16_u8, "m16n8k16", "s32.u8.u8.s32", int32_t, "r")
OPS_PTX_MMA4(m16n8k32_u8, "m16n8k32", "s32.u8.u8.s32", int32_t, "r")
#endif
#if __CUDA_ARCH__ >= 890
OPS_PTX_MMA4(m16n8k32_e4m3, "m16n8k32", "f32.e4m3.e4m3.f32", float, "f")
OPS_PTX_MMA4(m16n8k32_e5m2, "m16n8k32", "f32.e5m2.e5m2.f32", float, "f")
#endif
#undef OPS_PTX_MMA2
#undef OPS_PTX_MMA4

/* 1, 2 or 4 matrices of 8 rows of 16 bytes; lane i names row i of them (PTX ISA, ldmatrix and
 * stmatrix). Each lane holds four bytes of row lane / 4, transposed of column lane / 4. */
#define OPS_PTX_LDMATRIX(SUFFIX, TRANS)                                                         \
    static inline __device__ void ops_ptx_ldmatrix_x1##SUFFIX(uint32_t (&r)[1],                 \
                                                              const void *row) {                \
        asm volatile("ldmatrix.sync.aligned.m8n8.x1" TRANS ".shared.b16 {%0}, [%1];"            \
                     : "=r"(r[0])                                                               \
                     : "r"(ops_ptx_shared_address(row))                                         \
                     : "memory");                                                               \
    }                                                                                           \
    static inline __device__ void ops_ptx_ldmatrix_x2##SUFFIX(uint32_t (&r)[2],                 \
                                                              const void *row) {                \
        asm volatile("ldmatrix.sync.aligned.m8n8.x2" TRANS ".shared.b16 {%0, %1}, [%2];"        \
                     : "=r"(r[0]), "=r"(r[1])                                                   \
                     : "r"(ops_ptx_shared_address(row))                                         \
                     : "memory");                                                               \
    }                                                                                           \
    static inline __device__ void ops_ptx_ldmatrix_x4##SUFFIX(uint32_t (&r)[4],                 \
                                                              const void *row) {                \
        asm volatile("ldmatrix.sync.aligned.m8n8.x4" TRANS                                      \
                     ".shared.b16 {%0, %1, %2, %3}, [%4];"                                      \
                     : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])                           \
                     : "r"(ops_ptx_shared_address(row))                                         \
                     : "memory");                                                               \
    }
#define OPS_PTX_STMATRIX(SUFFIX, TRANS)                                                         \
    static inline __device__ void ops_ptx_stmatrix_x1##SUFFIX(void *row,                        \
                                                              const uint32_t (&r)[1]) {         \
        asm volatile("stmatrix.sync.aligned.m8n8.x1" TRANS ".shared.b16 [%0], {%1};"            \
                     :                                                                          \
                     : "r"(ops_ptx_shared_address(row)), "r"(r[0])                              \
                     : "memory");                                                               \
    }                                                                                           \
    static inline __device__ void ops_ptx_stmatrix_x2##SUFFIX(void *row,                        \
                                                              const uint32_t (&r)[2]) {         \
        asm volatile("stmatrix.sync.aligned.m8n8.x2" TRANS ".shared.b16 [%0], {%1, %2};"        \
                     :                                                                          \
                     : "r"(ops_ptx_shared_address(row)), "r"(r[0]), "r"(r[1])                   \
                     : "memory");                                                               \
    }                                                                                           \
    static inline __device__ void ops_ptx_stmatrix_x4##SUFFIX(void *row,                        \
                                                              const uint32_t (&r)[4]) {         \
        asm volatile("stmatrix.sync.aligned.m8n8.x4" TRANS                                      \
                     ".shared.b16 [%0], {%1, %2, %3, %4};"                                      \
                     :                                                                          \
                     : "r"(ops_ptx_shared_address(row)), "r"(r[0]), "r"(r[1]), "r"(r[2]),       \
                       "r"(r[3])                                                                \
                     : "memory");                                                               \
    }
#if __CUDA_ARCH__ >= 750
OPS_PTX_LDMATRIX(, "")
OPS_PTX_LDMATRIX(_trans, ".trans")
#endif
#if __CUDA_ARCH__ >= 900
OPS_PTX_STMATRIX(, "")
OPS_PTX_STMATRIX(_trans, ".trans")
#endif
#undef OPS_PTX_LDMATRIX
#undef OPS_PTX_STMATRIX

/* ------------------------------------------------------------- cp.async ---- */

/* From global to shared memory beside the thread: 4, 8 or 16 bytes, both addresses aligned to
 * them; `bytes` are read, the rest is zero. 16 bytes go past L1. What is copied is there when
 * its group has been waited for, and for other threads after a barrier behind that. */
#if __CUDA_ARCH__ >= 800
static inline __device__ void ops_ptx_cp_async4(void *shared, const void *global, int bytes) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;"
                 :
                 : "r"(ops_ptx_shared_address(shared)), "l"(__cvta_generic_to_global(global)),
                   "r"(bytes)
                 : "memory");
}
static inline __device__ void ops_ptx_cp_async8(void *shared, const void *global, int bytes) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 8, %2;"
                 :
                 : "r"(ops_ptx_shared_address(shared)), "l"(__cvta_generic_to_global(global)),
                   "r"(bytes)
                 : "memory");
}
static inline __device__ void ops_ptx_cp_async16(void *shared, const void *global, int bytes) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                 :
                 : "r"(ops_ptx_shared_address(shared)), "l"(__cvta_generic_to_global(global)),
                   "r"(bytes)
                 : "memory");
}
static inline __device__ void ops_ptx_cp_async_commit() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}
/* Until at most the last N groups are open. */
template <int N>
static inline __device__ void ops_ptx_cp_async_wait() {
    asm volatile("cp.async.wait_group %0;" : : "n"(N) : "memory");
}
static inline __device__ void ops_ptx_cp_async_wait_all() {
    asm volatile("cp.async.wait_all;" ::: "memory");
}
#endif

/* ------------------------------------------------------- named barriers ---- */

/* Barriers 1 to 15 (0 is __syncthreads'), of a multiple of 32 threads. */
static inline __device__ void ops_ptx_barrier_sync(int id, int threads) {
    asm volatile("bar.sync %0, %1;" : : "r"(id), "r"(threads) : "memory");
}
static inline __device__ void ops_ptx_barrier_arrive(int id, int threads) {
    asm volatile("bar.arrive %0, %1;" : : "r"(id), "r"(threads) : "memory");
}

#include "opslib_cuda_ptx_bulk.h"

#include "opslib_cuda_ptx_group.h"

#if defined(__CUDA_ARCH_FEAT_SM90_ALL) || defined(__CUDA_ARCH_FEAT_SM100_ALL)
/* How many registers the threads of a warpgroup have from here on: a multiple of 8 from 24 to
 * 256, the same for all of its warps. */
template <int N>
static inline __device__ void ops_ptx_registers_increase() {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" : : "n"(N));
}
template <int N>
static inline __device__ void ops_ptx_registers_decrease() {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" : : "n"(N));
}
#endif

#endif /* HIP */
#endif /* a host compiler */
#endif /* OPSLIB_CUDA_PTX_H */
