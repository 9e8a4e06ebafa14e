/* opslib_simd.h -- portable SIMD for generated kernels.
 *
 * Needs gcc >= 12 or clang >= 14, C11.  Compile with
 *     -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math -Wno-psabi
 * and never -ffast-math.
 *
 * One vector length for a whole kernel: OPS_LANES elements, whatever their type.  A
 * vector of float fills one register; of double or int64_t two, of int16_t half of
 * one, and the compiler splits or shortens them (checked: gcc 12 and clang 14 keep
 * both halves in registers).  So a kernel's loops step by OPS_LANES, and conversions
 * between types never change the number of lanes.
 *
 *     ops_v_D                     vector of OPS_LANES elements of D, where D is one of
 *                                 f64 f32 i64 u64 i32 u32 i16 u16 i8 u8;
 *                                 + - * / & | ^ ~ and comparisons are the compiler's
 *     ops_m_D                     the mask a comparison of ops_v_D yields: the signed
 *                                 integer vector of the same width, each lane 0 or -1
 *     ops_f16 ops_bf16            storage only; computing happens in f32
 *     ops_bool                    uint8_t, 0 or 1
 *
 * Naming: ops_<name>_D is scalar, ops_<name>_v_D takes and gives vectors.  Loads and
 * stores have no scalar form, so they are plain ops_load_D.
 *
 * A *row* (targets/x.h) is what a chip adds: its width, and macros OPS_ROW_* for what
 * vector extensions cannot say (fma, sqrt, roundings, half conversion, masked moves).
 * Every OPS_ROW_* is optional and gives the very bits of the portable text below.
 */
#ifndef OPSLIB_SIMD_H
#define OPSLIB_SIMD_H

#include <stdint.h>
#include <string.h>

#if defined(OPS_TARGET_GENERIC)
#include "targets/generic.h"
#elif defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && \
    defined(__AVX512VL__)
#include "targets/avx512.h"
#elif defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#include "targets/avx2.h"
#elif defined(__ARM_FEATURE_SVE_BITS) && __ARM_FEATURE_SVE_BITS > 0
#include "targets/sve.h"
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include "targets/neon.h"
#elif defined(__riscv_v_fixed_vlen)
#include "targets/rvv.h"
#else
#include "targets/generic.h"
#endif

/* Everything here is inlined, so how vectors would be passed does not matter.  Compilers
 * remark on it where a function is expanded, so this is not popped at the end; gcc prints
 * one of its remarks as a note, which only the flag -Wno-psabi silences. */
#pragma GCC diagnostic ignored "-Wpsabi"

#define OPS_LANES (OPS_VECTOR_BYTES / 4)
#define OPS_INLINE static inline __attribute__((always_inline, unused))
#define OPS_CALL static __attribute__((noinline, unused)) /* rare paths */
#define OPS_LIKELY(x) __builtin_expect(!!(x), 1)
#define OPS_UNLIKELY(x) __builtin_expect(!!(x), 0)
#if defined(__has_builtin)
#define OPS_HAS(x) __has_builtin(x)
#else
#define OPS_HAS(x) 0
#endif

/* ------------------------------------------------------------------ types ---- */

typedef double ops_f64;
typedef float ops_f32;
typedef int64_t ops_i64;
typedef uint64_t ops_u64;
typedef int32_t ops_i32;
typedef uint32_t ops_u32;
typedef int16_t ops_i16;
typedef uint16_t ops_u16;
typedef int8_t ops_i8;
typedef uint8_t ops_u8;
typedef uint8_t ops_bool;
/* Structs, so that nobody adds two halves as integers by mistake. */
typedef struct { uint16_t bits; } ops_f16;
typedef struct { uint16_t bits; } ops_bf16;

/* X(D, U, M): element type, unsigned integer and mask element of the same width. */
#define OPS_FLOAT_TYPES(X) X(f64, u64, i64) X(f32, u32, i32)
#define OPS_INT_TYPES(X)                                                     \
    X(i64, u64, i64) X(u64, u64, i64) X(i32, u32, i32) X(u32, u32, i32)      \
    X(i16, u16, i16) X(u16, u16, i16) X(i8, u8, i8) X(u8, u8, i8)
#define OPS_SIGNED_TYPES(X) X(i64, u64, i64) X(i32, u32, i32) X(i16, u16, i16) X(i8, u8, i8)
#define OPS_UNSIGNED_TYPES(X) X(u64, u64, i64) X(u32, u32, i32) X(u16, u16, i16) X(u8, u8, i8)
#define OPS_ALL_TYPES(X) OPS_FLOAT_TYPES(X) OPS_INT_TYPES(X)

#define OPS_X(D, U, M) \
    typedef ops_##D ops_v_##D __attribute__((vector_size(sizeof(ops_##D) * OPS_LANES)));
OPS_ALL_TYPES(OPS_X)
#undef OPS_X
#define OPS_X(D, U, M) typedef ops_v_##M ops_m_##D;
OPS_ALL_TYPES(OPS_X)
#undef OPS_X

/* One register of 64-bit elements: half of ops_v_f64, which rows work on. */
typedef ops_f64 ops_half_f64 __attribute__((vector_size(OPS_VECTOR_BYTES)));
typedef ops_i64 ops_half_i64 __attribute__((vector_size(OPS_VECTOR_BYTES)));
#define OPS_HALF_LANES (OPS_LANES / 2)

#if OPS_LANES == 4
#define OPS_LOW_64(v) __builtin_shufflevector(v, v, 0, 1)
#define OPS_HIGH_64(v) __builtin_shufflevector(v, v, 2, 3)
#define OPS_JOIN_64(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3)
#elif OPS_LANES == 8
#define OPS_LOW_64(v) __builtin_shufflevector(v, v, 0, 1, 2, 3)
#define OPS_HIGH_64(v) __builtin_shufflevector(v, v, 4, 5, 6, 7)
#define OPS_JOIN_64(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7)
#elif OPS_LANES == 16
#define OPS_LOW_64(v) __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7)
#define OPS_HIGH_64(v) __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15)
#define OPS_JOIN_64(a, b) \
    __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#endif
/* A row's one-register operation, applied to both halves of an f64 vector. */
#define OPS_BOTH_1(op, a)                                                   \
    ((ops_v_f64)OPS_JOIN_64((ops_half_f64)op((ops_half_f64)OPS_LOW_64(a)),  \
                            (ops_half_f64)op((ops_half_f64)OPS_HIGH_64(a))))
#define OPS_BOTH_3(op, a, b, c)                                                       \
    ((ops_v_f64)OPS_JOIN_64(                                                          \
        (ops_half_f64)op(OPS_LOW_64(a), OPS_LOW_64(b), OPS_LOW_64(c)),                \
        (ops_half_f64)op(OPS_HIGH_64(a), OPS_HIGH_64(b), OPS_HIGH_64(c))))

/* ---------------------------------------------------- splat, iota, bits ---- */

#define OPS_X(D, U, M)                                                               \
    OPS_INLINE ops_v_##D ops_splat_##D(ops_##D x) { return x - (ops_v_##D){0}; }     \
    OPS_INLINE ops_v_##D ops_zero_##D(void) { return (ops_v_##D){0}; }               \
    OPS_INLINE ops_v_##D ops_iota_##D(void) {                                        \
        ops_v_##D v;                                                                 \
        for (int i = 0; i < OPS_LANES; i++) v[i] = (ops_##D)i;                       \
        return v;                                                                    \
    }                                                                                \
    OPS_INLINE ops_##D ops_lane_##D(ops_v_##D v, int i) { return v[i]; }
OPS_ALL_TYPES(OPS_X)
#undef OPS_X

OPS_INLINE uint32_t ops_bits_f32(float x) { uint32_t u; memcpy(&u, &x, 4); return u; }
OPS_INLINE float ops_from_bits_f32(uint32_t u) { float x; memcpy(&x, &u, 4); return x; }
OPS_INLINE uint64_t ops_bits_f64(double x) { uint64_t u; memcpy(&u, &x, 8); return u; }
OPS_INLINE double ops_from_bits_f64(uint64_t u) { double x; memcpy(&x, &u, 8); return x; }
OPS_INLINE ops_v_u32 ops_bits_v_f32(ops_v_f32 x) { return (ops_v_u32)x; }
OPS_INLINE ops_v_f32 ops_from_bits_v_f32(ops_v_u32 u) { return (ops_v_f32)u; }
OPS_INLINE ops_v_u64 ops_bits_v_f64(ops_v_f64 x) { return (ops_v_u64)x; }
OPS_INLINE ops_v_f64 ops_from_bits_v_f64(ops_v_u64 u) { return (ops_v_f64)u; }

#include "opslib_simd_memory.h"
#include "opslib_simd_lanes.h"
#include "opslib_simd_integer.h"
#include "opslib_simd_convert.h"

/* ----------------------------------------------- horizontal reductions ---- */
/* A halving tree, the same on every row of one length: lane i is combined with lane
 * i + LANES/2, then the first half with its own upper half, and so on.  Integers wrap;
 * hmax and hmin are trees of maximum and minimum (nan propagates). */

#define OPS_REDUCE(name, D, COMBINE)                                              \
    OPS_INLINE ops_##D ops_##name##_##D(ops_v_##D v) {                            \
        ops_##D a[OPS_LANES];                                                     \
        memcpy(a, &v, sizeof v);                                                  \
        for (int half = OPS_LANES / 2; half > 0; half /= 2)                       \
            for (int i = 0; i < half; i++) a[i] = COMBINE(a[i], a[i + half]);     \
        return a[0];                                                              \
    }
#define OPS_PLUS(a, b) ((a) + (b))
#define OPS_TIMES(a, b) ((a) * (b))
#define OPS_X(D, U, M)                                                            \
    OPS_REDUCE(hsum, D, OPS_PLUS) OPS_REDUCE(hprod, D, OPS_TIMES)                 \
    OPS_REDUCE(hmax, D, ops_maximum_##D) OPS_REDUCE(hmin, D, ops_minimum_##D)
OPS_FLOAT_TYPES(OPS_X)
#undef OPS_X
#define OPS_X(D, U, M)                                                            \
    OPS_REDUCE(hsum, D, ops_add_##D) OPS_REDUCE(hprod, D, ops_mul_##D)            \
    OPS_REDUCE(hmax, D, ops_maximum_##D) OPS_REDUCE(hmin, D, ops_minimum_##D)
OPS_INT_TYPES(OPS_X)
#undef OPS_X

#endif /* OPSLIB_SIMD_H */
