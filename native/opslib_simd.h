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

/* ---------------------------------------------------------- loads, stores ---- */
/* Unaligned always; *_n touches exactly the first n <= OPS_LANES elements, and lanes
 * past n read as 0.  Strides and indices count elements. */

#define OPS_X(D, U, M)                                                                  \
    OPS_INLINE ops_v_##D ops_load_##D(const ops_##D *p) {                               \
        ops_v_##D v;                                                                    \
        memcpy(&v, p, sizeof v);                                                        \
        return v;                                                                       \
    }                                                                                   \
    OPS_INLINE void ops_store_##D(ops_##D *p, ops_v_##D v) { memcpy(p, &v, sizeof v); } \
    OPS_INLINE ops_v_##D ops_loads_##D(const ops_##D *p, int64_t stride, int64_t n) {   \
        ops_v_##D v = {0};                                                              \
        for (int i = 0; i < OPS_LANES; i++)                                             \
            if (i < n) v[i] = p[i * stride];                                            \
        return v;                                                                       \
    }                                                                                   \
    OPS_INLINE void ops_stores_##D(ops_##D *p, int64_t stride, ops_v_##D v, int64_t n) {\
        for (int i = 0; i < OPS_LANES; i++)                                             \
            if (i < n) p[i * stride] = v[i];                                            \
    }                                                                                   \
    OPS_INLINE ops_v_##D ops_gather_##D(const ops_##D *p, ops_v_i64 index, int64_t n) { \
        ops_v_##D v = {0};                                                              \
        for (int i = 0; i < OPS_LANES; i++)                                             \
            if (i < n) v[i] = p[index[i]];                                              \
        return v;                                                                       \
    }
OPS_ALL_TYPES(OPS_X)
#undef OPS_X

/* Tails.  The portable form copies lane by lane through a small buffer. */
#define OPS_TAIL_PORTABLE(D)                                                           \
    OPS_INLINE ops_v_##D ops_load_n_##D(const ops_##D *p, int64_t n) {                 \
        ops_##D buffer[OPS_LANES] = {0};                                               \
        for (int i = 0; i < OPS_LANES; i++)                                            \
            if (i < n) buffer[i] = p[i];                                               \
        ops_v_##D v;                                                                   \
        memcpy(&v, buffer, sizeof v);                                                  \
        return v;                                                                      \
    }                                                                                  \
    OPS_INLINE void ops_store_n_##D(ops_##D *p, ops_v_##D v, int64_t n) {              \
        ops_##D buffer[OPS_LANES];                                                     \
        memcpy(buffer, &v, sizeof v);                                                  \
        for (int i = 0; i < OPS_LANES; i++)                                            \
            if (i < n) p[i] = buffer[i];                                               \
    }
#define OPS_TAIL_ROW(D, LOAD, STORE)                                                   \
    OPS_INLINE ops_v_##D ops_load_n_##D(const ops_##D *p, int64_t n) {                 \
        return (ops_v_##D)LOAD(p, n);                                                  \
    }                                                                                  \
    OPS_INLINE void ops_store_n_##D(ops_##D *p, ops_v_##D v, int64_t n) {              \
        STORE(p, n, v);                                                                \
    }
/* Masks for the first n lanes, as a row with mask vectors (AVX2) wants them. */
OPS_INLINE ops_v_i32 ops_first_i32(int64_t n) {
    return ops_iota_i32() < ops_splat_i32((int32_t)n);
}
OPS_INLINE ops_v_i64 ops_first_i64(int64_t n) { return ops_iota_i64() < ops_splat_i64(n); }

#if defined(OPS_ROW_LOAD_N_32)
#define OPS_LOAD_TAIL_32(p, n) OPS_ROW_LOAD_N_32(p, ops_first_i32(n))
#define OPS_STORE_TAIL_32(p, n, v) OPS_ROW_STORE_N_32(p, ops_first_i32(n), v)
#elif defined(OPS_ROW_TAIL_32)
#define OPS_LOAD_TAIL_32(p, n) OPS_ROW_TAIL_32(p, n)
#define OPS_STORE_TAIL_32(p, n, v) OPS_ROW_STORE_TAIL_32(p, n, v)
#endif
#if defined(OPS_ROW_LOAD_N_64)
#define OPS_LOW_N(p, n) OPS_ROW_LOAD_N_64(p, OPS_LOW_64(ops_first_i64(n)))
#define OPS_HIGH_N(p, n) OPS_ROW_LOAD_N_64((p) + OPS_HALF_LANES, OPS_HIGH_64(ops_first_i64(n)))
#define OPS_LOAD_TAIL_64(p, n) \
    OPS_JOIN_64((ops_half_i64)OPS_LOW_N(p, n), (ops_half_i64)OPS_HIGH_N(p, n))
#define OPS_STORE_TAIL_64(p, n, v)                                                 \
    do {                                                                           \
        OPS_ROW_STORE_N_64(p, OPS_LOW_64(ops_first_i64(n)), OPS_LOW_64(v));        \
        OPS_ROW_STORE_N_64((p) + OPS_HALF_LANES, OPS_HIGH_64(ops_first_i64(n)),    \
                           OPS_HIGH_64(v));                                        \
    } while (0)
#elif defined(OPS_ROW_TAIL_64)
#define OPS_N_LOW(n) ((n) < OPS_HALF_LANES ? (n) : OPS_HALF_LANES)
#define OPS_N_HIGH(n) ((n) > OPS_HALF_LANES ? (n)-OPS_HALF_LANES : 0)
#define OPS_LOAD_TAIL_64(p, n)                                       \
    OPS_JOIN_64((ops_half_i64)OPS_ROW_TAIL_64(p, OPS_N_LOW(n)),      \
                (ops_half_i64)OPS_ROW_TAIL_64((p) + OPS_HALF_LANES, OPS_N_HIGH(n)))
#define OPS_STORE_TAIL_64(p, n, v)                                                       \
    do {                                                                                 \
        OPS_ROW_STORE_TAIL_64(p, OPS_N_LOW(n), OPS_LOW_64(v));                           \
        OPS_ROW_STORE_TAIL_64((p) + OPS_HALF_LANES, OPS_N_HIGH(n), OPS_HIGH_64(v));      \
    } while (0)
#endif

#if defined(OPS_LOAD_TAIL_32)
OPS_TAIL_ROW(f32, OPS_LOAD_TAIL_32, OPS_STORE_TAIL_32)
OPS_TAIL_ROW(i32, OPS_LOAD_TAIL_32, OPS_STORE_TAIL_32)
OPS_TAIL_ROW(u32, OPS_LOAD_TAIL_32, OPS_STORE_TAIL_32)
#else
OPS_TAIL_PORTABLE(f32)
OPS_TAIL_PORTABLE(i32)
OPS_TAIL_PORTABLE(u32)
#endif
#if defined(OPS_LOAD_TAIL_64)
OPS_TAIL_ROW(f64, OPS_LOAD_TAIL_64, OPS_STORE_TAIL_64)
OPS_TAIL_ROW(i64, OPS_LOAD_TAIL_64, OPS_STORE_TAIL_64)
OPS_TAIL_ROW(u64, OPS_LOAD_TAIL_64, OPS_STORE_TAIL_64)
#else
OPS_TAIL_PORTABLE(f64)
OPS_TAIL_PORTABLE(i64)
OPS_TAIL_PORTABLE(u64)
#endif
#if defined(OPS_ROW_TAIL_16)
OPS_TAIL_ROW(i16, OPS_ROW_TAIL_16, OPS_ROW_STORE_TAIL_16)
OPS_TAIL_ROW(u16, OPS_ROW_TAIL_16, OPS_ROW_STORE_TAIL_16)
#else
OPS_TAIL_PORTABLE(i16)
OPS_TAIL_PORTABLE(u16)
#endif
#if defined(OPS_ROW_TAIL_8)
OPS_TAIL_ROW(i8, OPS_ROW_TAIL_8, OPS_ROW_STORE_TAIL_8)
OPS_TAIL_ROW(u8, OPS_ROW_TAIL_8, OPS_ROW_STORE_TAIL_8)
#else
OPS_TAIL_PORTABLE(i8)
OPS_TAIL_PORTABLE(u8)
#endif

/* --------------------------------------------------------- masks, select ---- */

#define OPS_MASK_PAIRS(X)                                                \
    X(i64, i32) X(i64, i16) X(i64, i8) X(i32, i64) X(i32, i16) X(i32, i8) \
    X(i16, i64) X(i16, i32) X(i16, i8) X(i8, i64) X(i8, i32) X(i8, i16)
#define OPS_X(A, B)                                             \
    OPS_INLINE ops_v_##B ops_mask_##A##_to_##B(ops_v_##A m) {   \
        return __builtin_convertvector(m, ops_v_##B);           \
    }
OPS_MASK_PAIRS(OPS_X)
#undef OPS_X

/* A stored bool (any non-zero byte is true) as a mask and back (0 or 1). */
#define OPS_X(M)                                                                        \
    OPS_INLINE ops_v_##M ops_mask_##M##_to_##M(ops_v_##M m) { return m; }               \
    OPS_INLINE ops_v_##M ops_bool_to_mask_##M(ops_v_u8 b) {                             \
        return __builtin_convertvector((ops_v_i8)(b != 0), ops_v_##M);                  \
    }                                                                                   \
    OPS_INLINE ops_v_u8 ops_mask_##M##_to_bool(ops_v_##M m) {                           \
        return (ops_v_u8)(-__builtin_convertvector(m, ops_v_i8));                       \
    }
OPS_X(i64) OPS_X(i32) OPS_X(i16) OPS_X(i8)
#undef OPS_X
OPS_INLINE ops_v_u8 ops_load_bool(const ops_bool *p) { return ops_load_u8(p); }
OPS_INLINE ops_v_u8 ops_load_n_bool(const ops_bool *p, int64_t n) { return ops_load_n_u8(p, n); }
OPS_INLINE ops_v_u8 ops_loads_bool(const ops_bool *p, int64_t stride, int64_t n) {
    return ops_loads_u8(p, stride, n);
}
OPS_INLINE ops_v_u8 ops_gather_bool(const ops_bool *p, ops_v_i64 index, int64_t n) {
    return ops_gather_u8(p, index, n);
}
OPS_INLINE void ops_store_bool(ops_bool *p, ops_v_u8 v) { ops_store_u8(p, v); }
OPS_INLINE void ops_store_n_bool(ops_bool *p, ops_v_u8 v, int64_t n) { ops_store_n_u8(p, v, n); }
OPS_INLINE void ops_stores_bool(ops_bool *p, int64_t stride, ops_v_u8 v, int64_t n) {
    ops_stores_u8(p, stride, v, n);
}

/* Lane i of a where the mask is -1, of b where it is 0. */
#define OPS_X(D, U, M)                                                                     \
    OPS_INLINE ops_v_##D ops_select_v_##D(ops_v_##M m, ops_v_##D a, ops_v_##D b) {         \
        return (ops_v_##D)((m & (ops_v_##M)a) | (~m & (ops_v_##M)b));                      \
    }
#define OPS_Y(D)                                                                     \
    OPS_INLINE ops_v_##D ops_select_v_##D(ops_v_i32 m, ops_v_##D a, ops_v_##D b) {   \
        return (ops_v_##D)OPS_ROW_SELECT_32(m, a, b);                                \
    }
OPS_X(f64, u64, i64) OPS_X(i64, u64, i64) OPS_X(u64, u64, i64)
OPS_X(i16, u16, i16) OPS_X(u16, u16, i16) OPS_X(i8, u8, i8) OPS_X(u8, u8, i8)
#if defined(OPS_ROW_SELECT_32)
OPS_Y(f32) OPS_Y(i32) OPS_Y(u32)
#else
OPS_X(f32, u32, i32) OPS_X(i32, u32, i32) OPS_X(u32, u32, i32)
#endif
#undef OPS_X
#undef OPS_Y
/* The scalar twins, so one text serves both; a scalar mask is 0 or non-zero. */
#define OPS_X(D, U, M)                                                             \
    OPS_INLINE ops_##D ops_select_##D(ops_##M m, ops_##D a, ops_##D b) {           \
        return m ? a : b;                                                          \
    }
OPS_ALL_TYPES(OPS_X)
#undef OPS_X

#define OPS_X(M)                                                         \
    OPS_INLINE int ops_any_##M(ops_v_##M m) {                            \
        ops_##M r = 0;                                                   \
        for (int i = 0; i < OPS_LANES; i++) r = (ops_##M)(r | m[i]);     \
        return r != 0;                                                   \
    }                                                                    \
    OPS_INLINE int ops_all_##M(ops_v_##M m) {                            \
        ops_##M r = -1;                                                  \
        for (int i = 0; i < OPS_LANES; i++) r = (ops_##M)(r & m[i]);     \
        return r != 0;                                                   \
    }
OPS_X(i64) OPS_X(i16) OPS_X(i8)
#if defined(OPS_ROW_ANY_32)
OPS_INLINE int ops_any_i32(ops_v_i32 m) { return OPS_ROW_ANY_32(m); }
OPS_INLINE int ops_all_i32(ops_v_i32 m) { return OPS_ROW_ALL_32(m); }
#else
OPS_X(i32)
#endif
#undef OPS_X
OPS_INLINE int ops_any(ops_v_i32 m) { return ops_any_i32(m); }
OPS_INLINE int ops_all(ops_v_i32 m) { return ops_all_i32(m); }

/* ------------------------------------------- fma, sqrt, rounding, min, max ---- */

/* Scalar: with hardware fma one instruction, else libm's exact software one. */
OPS_INLINE float ops_fma_f32(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
OPS_INLINE double ops_fma_f64(double a, double b, double c) { return __builtin_fma(a, b, c); }
OPS_INLINE ops_v_f32 ops_fma_v_f32(ops_v_f32 a, ops_v_f32 b, ops_v_f32 c) {
#if defined(OPS_ROW_FMA_F32)
    return (ops_v_f32)OPS_ROW_FMA_F32(a, b, c);
#elif OPS_HAS(__builtin_elementwise_fma)
    return __builtin_elementwise_fma(a, b, c);
#else
    for (int i = 0; i < OPS_LANES; i++) c[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return c;
#endif
}
OPS_INLINE ops_v_f64 ops_fma_v_f64(ops_v_f64 a, ops_v_f64 b, ops_v_f64 c) {
#if defined(OPS_ROW_FMA_F64)
    return OPS_BOTH_3(OPS_ROW_FMA_F64, a, b, c);
#elif OPS_HAS(__builtin_elementwise_fma)
    return __builtin_elementwise_fma(a, b, c);
#else
    for (int i = 0; i < OPS_LANES; i++) c[i] = __builtin_fma(a[i], b[i], c[i]);
    return c;
#endif
}

/* ROW: the row's macro; B: clang's elementwise builtin; S: the scalar builtin. */
#define OPS_LANEWISE_F32(name, S)                                                \
    OPS_INLINE ops_v_f32 ops_##name##_v_f32(ops_v_f32 a) {                       \
        for (int i = 0; i < OPS_LANES; i++) a[i] = __builtin_##S##f(a[i]);       \
        return a;                                                                \
    }
#define OPS_LANEWISE_F64(name, S)                                                \
    OPS_INLINE ops_v_f64 ops_##name##_v_f64(ops_v_f64 a) {                       \
        for (int i = 0; i < OPS_LANES; i++) a[i] = __builtin_##S(a[i]);          \
        return a;                                                                \
    }
#define OPS_ELEMENTWISE(name, B)                                                 \
    OPS_INLINE ops_v_f32 ops_##name##_v_f32(ops_v_f32 a) { return B(a); }        \
    OPS_INLINE ops_v_f64 ops_##name##_v_f64(ops_v_f64 a) { return B(a); }
#define OPS_BY_ROW(name, ROW)                                                    \
    OPS_INLINE ops_v_f32 ops_##name##_v_f32(ops_v_f32 a) {                       \
        return (ops_v_f32)ROW##_F32(a);                                          \
    }                                                                            \
    OPS_INLINE ops_v_f64 ops_##name##_v_f64(ops_v_f64 a) {                       \
        return OPS_BOTH_1(ROW##_F64, a);                                         \
    }

OPS_INLINE float ops_sqrt_f32(float a) { return __builtin_sqrtf(a); }
OPS_INLINE double ops_sqrt_f64(double a) { return __builtin_sqrt(a); }
#if defined(OPS_ROW_SQRT_F32)
OPS_BY_ROW(sqrt, OPS_ROW_SQRT)
#elif OPS_HAS(__builtin_elementwise_sqrt)
OPS_ELEMENTWISE(sqrt, __builtin_elementwise_sqrt)
#else
OPS_LANEWISE_F32(sqrt, sqrt)
OPS_LANEWISE_F64(sqrt, sqrt)
#endif

/* Portable roundings.  rint: adding and taking away 2^23 (2^52) rounds |x| to an integer,
 * ties to even, in the default rounding mode; larger values are integers already, and
 * nan fails the comparison and so passes through.  The sign bit is put back, so that
 * -0.3 gives -0.  The others correct rint by one. */
#define OPS_ROUNDINGS(V, D, U, M, UT, FT, SEL, SIGN, BIG)                               \
    OPS_INLINE FT ops_round_##V##D(FT x) {                                              \
        UT sign = (UT)ops_bits_##V##D(x) & SIGN;                                        \
        FT a = ops_from_bits_##V##D(ops_bits_##V##D(x) & ~sign);                        \
        FT r = ops_from_bits_##V##D(ops_bits_##V##D((a + BIG) - BIG) | sign);           \
        return SEL(a < BIG, r, x);                                                      \
    }                                                                                   \
    OPS_INLINE FT ops_floor_##V##D(FT x) {                                              \
        UT sign = (UT)ops_bits_##V##D(x) & SIGN;                                        \
        FT r = ops_round_##V##D(x);                                                     \
        r = r - SEL(r > x, (FT){0} + 1, (FT){0});                                       \
        return ops_from_bits_##V##D(ops_bits_##V##D(r) | sign);                         \
    }                                                                                   \
    OPS_INLINE FT ops_ceil_##V##D(FT x) { return -ops_floor_##V##D(-x); }               \
    OPS_INLINE FT ops_trunc_##V##D(FT x) {                                              \
        UT sign = (UT)ops_bits_##V##D(x) & SIGN;                                        \
        FT a = ops_from_bits_##V##D(ops_bits_##V##D(x) & ~sign);                        \
        return ops_from_bits_##V##D(ops_bits_##V##D(ops_floor_##V##D(a)) | sign);       \
    }
#if defined(OPS_ROW_RINT_F32)
OPS_BY_ROW(round, OPS_ROW_RINT)
OPS_BY_ROW(floor, OPS_ROW_FLOOR)
OPS_BY_ROW(ceil, OPS_ROW_CEIL)
OPS_BY_ROW(trunc, OPS_ROW_TRUNC)
OPS_INLINE float ops_round_f32(float x) { return __builtin_rintf(x); }
OPS_INLINE float ops_floor_f32(float x) { return __builtin_floorf(x); }
OPS_INLINE float ops_ceil_f32(float x) { return __builtin_ceilf(x); }
OPS_INLINE float ops_trunc_f32(float x) { return __builtin_truncf(x); }
OPS_INLINE double ops_round_f64(double x) { return __builtin_rint(x); }
OPS_INLINE double ops_floor_f64(double x) { return __builtin_floor(x); }
OPS_INLINE double ops_ceil_f64(double x) { return __builtin_ceil(x); }
OPS_INLINE double ops_trunc_f64(double x) { return __builtin_trunc(x); }
#else
#define OPS_SIGN_F32 0x80000000u
#define OPS_SIGN_F64 0x8000000000000000ull
OPS_ROUNDINGS(, f32, u32, i32, uint32_t, float, ops_select_f32, OPS_SIGN_F32, 0x1p23f)
OPS_ROUNDINGS(, f64, u64, i64, uint64_t, double, ops_select_f64, OPS_SIGN_F64, 0x1p52)
OPS_ROUNDINGS(v_, f32, u32, i32, ops_v_u32, ops_v_f32, ops_select_v_f32, OPS_SIGN_F32, 0x1p23f)
OPS_ROUNDINGS(v_, f64, u64, i64, ops_v_u64, ops_v_f64, ops_select_v_f64, OPS_SIGN_F64, 0x1p52)
#endif

/* a > b ? a : b and a < b ? a : b, nothing more: b if either is nan.  What x86 has. */
OPS_INLINE float ops_pick_max_f32(float a, float b) { return a > b ? a : b; }
OPS_INLINE float ops_pick_min_f32(float a, float b) { return a < b ? a : b; }
OPS_INLINE ops_v_f32 ops_pick_max_v_f32(ops_v_f32 a, ops_v_f32 b) {
#if defined(OPS_ROW_PICK_MAX_F32)
    return (ops_v_f32)OPS_ROW_PICK_MAX_F32(a, b);
#else
    return ops_select_v_f32(a > b, a, b);
#endif
}
OPS_INLINE ops_v_f32 ops_pick_min_v_f32(ops_v_f32 a, ops_v_f32 b) {
#if defined(OPS_ROW_PICK_MIN_F32)
    return (ops_v_f32)OPS_ROW_PICK_MIN_F32(a, b);
#else
    return ops_select_v_f32(a < b, a, b);
#endif
}

/* maximum, minimum: a nan in either operand gives nan; -0 < +0.  Equal operands differ at
 * most in the sign of a zero, so and (or) of their bits is their maximum (minimum).
 * fmax, fmin: a nan operand is ignored; nan only if both are. */
#define OPS_X(D, U, M)                                                                    \
    OPS_INLINE ops_v_##D ops_maximum_v_##D(ops_v_##D a, ops_v_##D b) {                    \
        ops_v_##D r = ops_select_v_##D(a > b, a, b);                                      \
        r = ops_select_v_##D(a == b, (ops_v_##D)((ops_v_##U)a & (ops_v_##U)b), r);        \
        return ops_select_v_##D((a != a) | (b != b), a + b, r);                           \
    }                                                                                     \
    OPS_INLINE ops_v_##D ops_minimum_v_##D(ops_v_##D a, ops_v_##D b) {                    \
        ops_v_##D r = ops_select_v_##D(a < b, a, b);                                      \
        r = ops_select_v_##D(a == b, (ops_v_##D)((ops_v_##U)a | (ops_v_##U)b), r);        \
        return ops_select_v_##D((a != a) | (b != b), a + b, r);                           \
    }                                                                                     \
    OPS_INLINE ops_##D ops_maximum_##D(ops_##D a, ops_##D b) {                            \
        ops_##D r = a > b ? a : b;                                                        \
        r = a == b ? ops_from_bits_##D(ops_bits_##D(a) & ops_bits_##D(b)) : r;            \
        return a != a || b != b ? a + b : r;                                              \
    }                                                                                     \
    OPS_INLINE ops_##D ops_minimum_##D(ops_##D a, ops_##D b) {                            \
        ops_##D r = a < b ? a : b;                                                        \
        r = a == b ? ops_from_bits_##D(ops_bits_##D(a) | ops_bits_##D(b)) : r;            \
        return a != a || b != b ? a + b : r;                                              \
    }                                                                                     \
    OPS_INLINE ops_v_##D ops_fmax_v_##D(ops_v_##D a, ops_v_##D b) {                       \
        return ops_maximum_v_##D(ops_select_v_##D(a == a, a, b), ops_select_v_##D(b == b, b, a)); \
    }                                                                                     \
    OPS_INLINE ops_v_##D ops_fmin_v_##D(ops_v_##D a, ops_v_##D b) {                       \
        return ops_minimum_v_##D(ops_select_v_##D(a == a, a, b), ops_select_v_##D(b == b, b, a)); \
    }                                                                                     \
    OPS_INLINE ops_##D ops_fmax_##D(ops_##D a, ops_##D b) {                               \
        return ops_maximum_##D(a == a ? a : b, b == b ? b : a);                           \
    }                                                                                     \
    OPS_INLINE ops_##D ops_fmin_##D(ops_##D a, ops_##D b) {                               \
        return ops_minimum_##D(a == a ? a : b, b == b ? b : a);                           \
    }
OPS_FLOAT_TYPES(OPS_X)
#undef OPS_X

/* ------------------------------------------------------------- integers ---- */
/* No undefined behaviour anywhere: + - * wrap modulo 2^w; division and remainder by 0
 * give 0; INT_MIN / -1 wraps to INT_MIN, remainder 0; shift counts are read as unsigned
 * and counts >= w give 0, or the sign for >> of a signed type. */

#define OPS_X(D, U, M)                                                                     \
    OPS_INLINE ops_##D ops_add_##D(ops_##D a, ops_##D b) {                                 \
        return (ops_##D)(ops_##U)((ops_##U)a + (ops_##U)b);                                \
    }                                                                                      \
    OPS_INLINE ops_##D ops_sub_##D(ops_##D a, ops_##D b) {                                 \
        return (ops_##D)(ops_##U)((ops_##U)a - (ops_##U)b);                                \
    }                                                                                      \
    /* widened to u64: uint16_t * uint16_t would promote to int and could overflow */      \
    OPS_INLINE ops_##D ops_mul_##D(ops_##D a, ops_##D b) {                                 \
        return (ops_##D)(ops_##U)((uint64_t)(ops_##U)a * (uint64_t)(ops_##U)b);            \
    }                                                                                      \
    OPS_INLINE ops_##D ops_neg_##D(ops_##D a) { return ops_sub_##D(0, a); }                \
    OPS_INLINE ops_v_##D ops_add_v_##D(ops_v_##D a, ops_v_##D b) {                         \
        return (ops_v_##D)((ops_v_##U)a + (ops_v_##U)b);                                   \
    }                                                                                      \
    OPS_INLINE ops_v_##D ops_sub_v_##D(ops_v_##D a, ops_v_##D b) {                         \
        return (ops_v_##D)((ops_v_##U)a - (ops_v_##U)b);                                   \
    }                                                                                      \
    OPS_INLINE ops_v_##D ops_mul_v_##D(ops_v_##D a, ops_v_##D b) {                         \
        return (ops_v_##D)((ops_v_##U)a * (ops_v_##U)b);                                   \
    }                                                                                      \
    OPS_INLINE ops_v_##D ops_neg_v_##D(ops_v_##D a) { return ops_sub_v_##D((ops_v_##D){0}, a); } \
    OPS_INLINE ops_##D ops_maximum_##D(ops_##D a, ops_##D b) { return a > b ? a : b; }     \
    OPS_INLINE ops_##D ops_minimum_##D(ops_##D a, ops_##D b) { return a < b ? a : b; }     \
    OPS_INLINE ops_v_##D ops_maximum_v_##D(ops_v_##D a, ops_v_##D b) {                     \
        return ops_select_v_##D(a > b, a, b);                                              \
    }                                                                                      \
    OPS_INLINE ops_v_##D ops_minimum_v_##D(ops_v_##D a, ops_v_##D b) {                     \
        return ops_select_v_##D(a < b, a, b);                                              \
    }                                                                                      \
    OPS_INLINE ops_##D ops_fmax_##D(ops_##D a, ops_##D b) { return ops_maximum_##D(a, b); } \
    OPS_INLINE ops_##D ops_fmin_##D(ops_##D a, ops_##D b) { return ops_minimum_##D(a, b); } \
    OPS_INLINE ops_v_##D ops_fmax_v_##D(ops_v_##D a, ops_v_##D b) { return ops_maximum_v_##D(a, b); } \
    OPS_INLINE ops_v_##D ops_fmin_v_##D(ops_v_##D a, ops_v_##D b) { return ops_minimum_v_##D(a, b); } \
    OPS_INLINE ops_##D ops_shl_##D(ops_##D a, ops_##D count) {                             \
        return (ops_##U)count >= 8 * sizeof a                                              \
                   ? 0                                                                     \
                   : (ops_##D)(ops_##U)((uint64_t)(ops_##U)a << (ops_##U)count);           \
    }                                                                                      \
    OPS_INLINE ops_v_##D ops_shl_v_##D(ops_v_##D a, ops_v_##D count) {                     \
        ops_v_##U c = (ops_v_##U)count;                                                    \
        ops_v_##U wide = (ops_v_##U)(c >= (ops_##U)(8 * sizeof(ops_##D)));                 \
        return (ops_v_##D)(((ops_v_##U)a << (c & ~wide)) & ~wide);                         \
    }
OPS_INT_TYPES(OPS_X)
#undef OPS_X

#define OPS_X(D, U, M)                                                                     \
    OPS_INLINE ops_##D ops_shr_##D(ops_##D a, ops_##D count) {                             \
        ops_##U c = (ops_##U)count;                                                        \
        return (ops_##D)(a >> (c >= 8 * sizeof a ? 8 * sizeof a - 1 : c));                 \
    }                                                                                      \
    OPS_INLINE ops_v_##D ops_shr_v_##D(ops_v_##D a, ops_v_##D count) {                     \
        ops_v_##U c = (ops_v_##U)count;                                                    \
        ops_v_##U last = (ops_v_##U){0} + (ops_##U)(8 * sizeof(ops_##D) - 1);              \
        return a >> (ops_v_##D)ops_minimum_v_##U(c, last);                                 \
    }                                                                                      \
    OPS_INLINE ops_##D ops_abs_##D(ops_##D a) { return a < 0 ? ops_neg_##D(a) : a; }       \
    OPS_INLINE ops_v_##D ops_abs_v_##D(ops_v_##D a) {                                      \
        return ops_select_v_##D(a < 0, ops_neg_v_##D(a), a);                               \
    }                                                                                      \
    OPS_INLINE ops_##D ops_sign_##D(ops_##D a) { return (ops_##D)((a > 0) - (a < 0)); }    \
    OPS_INLINE ops_v_##D ops_sign_v_##D(ops_v_##D a) {                                     \
        return (ops_v_##D)(a < 0) - (ops_v_##D)(a > 0);                                    \
    }                                                                                      \
    /* C's division, toward zero */                                                        \
    OPS_INLINE ops_##D ops_truncdiv_##D(ops_##D a, ops_##D b) {                            \
        return b == 0 ? 0 : b == -1 ? ops_neg_##D(a) : (ops_##D)(a / b);                   \
    }                                                                                      \
    OPS_INLINE ops_##D ops_fmod_##D(ops_##D a, ops_##D b) {                                \
        return b == 0 || b == -1 ? 0 : (ops_##D)(a % b);                                   \
    }                                                                                      \
    /* Python's division, toward -inf, and the remainder with the divisor's sign */        \
    OPS_INLINE ops_##D ops_floordiv_##D(ops_##D a, ops_##D b) {                            \
        ops_##D q = ops_truncdiv_##D(a, b), r = ops_fmod_##D(a, b);                        \
        return (ops_##D)(q - (r != 0 && (r ^ b) < 0));                                     \
    }                                                                                      \
    OPS_INLINE ops_##D ops_remainder_##D(ops_##D a, ops_##D b) {                           \
        ops_##D r = ops_fmod_##D(a, b);                                                    \
        return r != 0 && (r ^ b) < 0 ? ops_add_##D(r, b) : r;                              \
    }
OPS_SIGNED_TYPES(OPS_X)
#undef OPS_X
#define OPS_X(D, U, M)                                                                     \
    OPS_INLINE ops_##D ops_shr_##D(ops_##D a, ops_##D count) {                             \
        return count >= 8 * sizeof a ? 0 : (ops_##D)(a >> count);                          \
    }                                                                                      \
    OPS_INLINE ops_v_##D ops_shr_v_##D(ops_v_##D a, ops_v_##D count) {                     \
        ops_v_##D wide = (ops_v_##D)(count >= (ops_##D)(8 * sizeof(ops_##D)));             \
        return (a >> (count & ~wide)) & ~wide;                                             \
    }                                                                                      \
    OPS_INLINE ops_##D ops_abs_##D(ops_##D a) { return a; }                                \
    OPS_INLINE ops_v_##D ops_abs_v_##D(ops_v_##D a) { return a; }                          \
    OPS_INLINE ops_##D ops_sign_##D(ops_##D a) { return a != 0; }                          \
    OPS_INLINE ops_v_##D ops_sign_v_##D(ops_v_##D a) { return (ops_v_##D)(a != 0) & 1; }   \
    OPS_INLINE ops_##D ops_truncdiv_##D(ops_##D a, ops_##D b) {                            \
        return b == 0 ? 0 : (ops_##D)(a / b);                                              \
    }                                                                                      \
    OPS_INLINE ops_##D ops_fmod_##D(ops_##D a, ops_##D b) {                                \
        return b == 0 ? 0 : (ops_##D)(a % b);                                              \
    }                                                                                      \
    OPS_INLINE ops_##D ops_floordiv_##D(ops_##D a, ops_##D b) { return ops_truncdiv_##D(a, b); } \
    OPS_INLINE ops_##D ops_remainder_##D(ops_##D a, ops_##D b) { return ops_fmod_##D(a, b); }
OPS_UNSIGNED_TYPES(OPS_X)
#undef OPS_X
/* No SIMD set here divides integers: a loop over lanes. */
#define OPS_Y(name, D)                                                                \
    OPS_INLINE ops_v_##D ops_##name##_v_##D(ops_v_##D a, ops_v_##D b) {               \
        for (int i = 0; i < OPS_LANES; i++) a[i] = ops_##name##_##D(a[i], b[i]);      \
        return a;                                                                     \
    }
#define OPS_X(D, U, M) \
    OPS_Y(truncdiv, D) OPS_Y(fmod, D) OPS_Y(floordiv, D) OPS_Y(remainder, D)
OPS_INT_TYPES(OPS_X)
#undef OPS_X
#undef OPS_Y

/* ----------------------------------------------------------- conversions ---- */
/* int -> int wraps; int -> float rounds to nearest even; float -> int truncates.  Out of
 * range and nan give what x86 and so NumPy there give, on every chip and compiler:
 *     i32, i64          the minimum
 *     i16 u16 i8 u8     as i32, then the low bits (nan: 0)
 *     u32               as i64, then the low bits (nan: 0, -1.0: 2^32 - 1)
 *     u64               below 2^63 as i64, bits kept (nan: 2^63); 2^64 and above: 0 */

OPS_INLINE int32_t ops_cvt_f32_to_i32(float x) {
    return x >= -0x1p31f && x < 0x1p31f ? (int32_t)x : INT32_MIN;
}
OPS_INLINE int64_t ops_cvt_f32_to_i64(float x) {
    return x >= -0x1p63f && x < 0x1p63f ? (int64_t)x : INT64_MIN;
}
OPS_INLINE int32_t ops_cvt_f64_to_i32(double x) {
    return x > -0x1.00000002p31 && x < 0x1p31 ? (int32_t)x : INT32_MIN;
}
OPS_INLINE int64_t ops_cvt_f64_to_i64(double x) {
    return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x : INT64_MIN;
}
OPS_INLINE ops_v_i32 ops_cvt_v_f32_to_i32(ops_v_f32 x) {
#if defined(OPS_ROW_F32_TO_I32)
    return (ops_v_i32)OPS_ROW_F32_TO_I32(x);
#else
    ops_v_i32 ok = (x >= -0x1p31f) & (x < 0x1p31f);
    ops_v_i32 r = __builtin_convertvector((ops_v_f32)((ops_v_i32)x & ok), ops_v_i32);
    return (r & ok) | (~ok & INT32_MIN);
#endif
}
OPS_INLINE ops_v_i64 ops_cvt_v_f64_to_i64(ops_v_f64 x) {
    ops_v_i64 ok = (x >= -0x1p63) & (x < 0x1p63);
    ops_v_i64 r = __builtin_convertvector((ops_v_f64)((ops_v_i64)x & ok), ops_v_i64);
    return (r & ok) | (~ok & INT64_MIN);
}
OPS_INLINE ops_v_i32 ops_cvt_v_f64_to_i32(ops_v_f64 x) {
    ops_v_i64 ok = (x > -0x1.00000002p31) & (x < 0x1p31);
    x = ops_select_v_f64(ok, x, ops_splat_f64(-0x1p31));
    return __builtin_convertvector(x, ops_v_i32);
}
OPS_INLINE ops_v_i64 ops_cvt_v_f32_to_i64(ops_v_f32 x) {
    return ops_cvt_v_f64_to_i64(__builtin_convertvector(x, ops_v_f64));
}
#define OPS_X(F, BIG)                                                                     \
    OPS_INLINE uint64_t ops_cvt_##F##_to_u64(ops_##F x) {                                 \
        return x >= BIG ? (uint64_t)ops_cvt_##F##_to_i64(x - BIG) ^ 0x8000000000000000ull \
                        : (uint64_t)ops_cvt_##F##_to_i64(x);                              \
    }                                                                                     \
    OPS_INLINE ops_v_u64 ops_cvt_v_##F##_to_u64(ops_v_##F x) {                            \
        ops_v_u64 r;                                                                      \
        for (int i = 0; i < OPS_LANES; i++) r[i] = ops_cvt_##F##_to_u64(x[i]);            \
        return r;                                                                         \
    }                                                                                     \
    OPS_INLINE uint32_t ops_cvt_##F##_to_u32(ops_##F x) {                                 \
        return (uint32_t)ops_cvt_##F##_to_i64(x);                                         \
    }                                                                                     \
    OPS_INLINE ops_v_u32 ops_cvt_v_##F##_to_u32(ops_v_##F x) {                            \
        return __builtin_convertvector(ops_cvt_v_##F##_to_i64(x), ops_v_u32);             \
    }
OPS_X(f32, 0x1p63f)
OPS_X(f64, 0x1p63)
#undef OPS_X
#define OPS_X(F, D)                                                                       \
    OPS_INLINE ops_##D ops_cvt_##F##_to_##D(ops_##F x) {                                  \
        return (ops_##D)ops_cvt_##F##_to_i32(x);                                          \
    }                                                                                     \
    OPS_INLINE ops_v_##D ops_cvt_v_##F##_to_##D(ops_v_##F x) {                            \
        return __builtin_convertvector(ops_cvt_v_##F##_to_i32(x), ops_v_##D);             \
    }
OPS_X(f32, i16) OPS_X(f32, u16) OPS_X(f32, i8) OPS_X(f32, u8)
OPS_X(f64, i16) OPS_X(f64, u16) OPS_X(f64, i8) OPS_X(f64, u8)
#undef OPS_X

#define OPS_PLAIN(A, B)                                                              \
    OPS_INLINE ops_##B ops_cvt_##A##_to_##B(ops_##A x) { return (ops_##B)x; }        \
    OPS_INLINE ops_v_##B ops_cvt_v_##A##_to_##B(ops_v_##A x) {                       \
        return __builtin_convertvector(x, ops_v_##B);                                \
    }
#define OPS_FROM_INT(A)                                                              \
    OPS_PLAIN(A, f64) OPS_PLAIN(A, f32) OPS_PLAIN(A, i64) OPS_PLAIN(A, u64)          \
    OPS_PLAIN(A, i32) OPS_PLAIN(A, u32) OPS_PLAIN(A, i16) OPS_PLAIN(A, u16)          \
    OPS_PLAIN(A, i8) OPS_PLAIN(A, u8)
OPS_FROM_INT(i64) OPS_FROM_INT(u64) OPS_FROM_INT(i32) OPS_FROM_INT(u32)
OPS_FROM_INT(i16) OPS_FROM_INT(u16) OPS_FROM_INT(i8) OPS_FROM_INT(u8)
OPS_PLAIN(f32, f32) OPS_PLAIN(f32, f64) OPS_PLAIN(f64, f32) OPS_PLAIN(f64, f64)
#undef OPS_FROM_INT
#undef OPS_PLAIN

/* f64 -> f32 rounded to odd: cut off, and the last bit set if anything was lost.  A later
 * rounding to a format at least two bits shorter then acts as if it saw the double
 * (Boldo & Melquiond 2008), so storing f64 as f16 or bf16 rounds once. */
OPS_INLINE float ops_cvt_f64_to_f32_odd(double x) {
    float f = (float)x;
    double back = (double)f;
    uint32_t u = ops_bits_f32(f);
    int away = (back > x) == (x > 0) && back != x; /* rounded away from zero */
    uint32_t odd = back != x && x == x ? (u - (uint32_t)away) | 1u : u;
    return ops_from_bits_f32(odd);
}
OPS_INLINE ops_v_f32 ops_cvt_v_f64_to_f32_odd(ops_v_f64 x) {
    ops_v_f32 f = __builtin_convertvector(x, ops_v_f32);
    ops_v_f64 back = __builtin_convertvector(f, ops_v_f64);
    ops_v_i32 lost = ops_mask_i64_to_i32((back != x) & (x == x));
    ops_v_i32 away = ops_mask_i64_to_i32(((back > x) == (x > 0)) & (back != x));
    ops_v_u32 u = (ops_v_u32)f;
    return (ops_v_f32)ops_select_v_u32(lost, (u + (ops_v_u32)away) | 1u, u);
}

/* ------------------------------------------------------- f16 and bfloat16 ---- */

/* Portable f16 -> f32.  Shifting the half's bits into place gives a float whose exponent
 * is too small by 127 - 15 = 112; multiplying by 2^112 is exact and turns half
 * subnormals into floats at once.  inf and nan keep all their bits, nan is quieted. */
OPS_INLINE float ops_f16_to_f32(ops_f16 h) {
    uint32_t mag = (h.bits & 0x7fffu) << 13, sign = (uint32_t)(h.bits & 0x8000u) << 16;
    uint32_t u = ops_bits_f32(ops_from_bits_f32(mag) * 0x1p112f);
    if (mag >= 0x0f800000u) u = mag | 0x7f800000u | (mag > 0x0f800000u ? 0x400000u : 0);
    return ops_from_bits_f32(u | sign);
}
OPS_INLINE ops_v_f32 ops_cvt_v_f16_to_f32(ops_v_u16 bits) {
#if defined(OPS_ROW_F16_TO_F32)
    return (ops_v_f32)OPS_ROW_F16_TO_F32(bits);
#else
    ops_v_u32 h = __builtin_convertvector(bits, ops_v_u32);
    ops_v_u32 mag = (h & 0x7fffu) << 13, sign = (h & 0x8000u) << 16;
    ops_v_u32 u = (ops_v_u32)((ops_v_f32)mag * 0x1p112f);
    ops_v_u32 nan = (ops_v_u32)(mag > 0x0f800000u) & 0x400000u;
    u = ops_select_v_u32((ops_v_i32)(mag >= 0x0f800000u), mag | 0x7f800000u | nan, u);
    return (ops_v_f32)(u | sign);
#endif
}

/* Portable f32 -> f16, nearest even.  Normal results: rebias, then add half a unit in the
 * last place less one, plus the last kept bit, before cutting; the carry runs into the
 * exponent, up to inf.  Below 2^-14: adding 0.5 lines the half's subnormal grid
 * (2^-24) up with the float's last bit, so the adder rounds. */
OPS_INLINE ops_f16 ops_f32_to_f16(float x) {
    uint32_t u = ops_bits_f32(x), sign = u & 0x80000000u, mag = u ^ sign, r;
    if (mag > 0x7f800000u) r = 0x7e00u | ((mag >> 13) & 0x3ffu);
    else if (mag >= 0x47800000u) r = 0x7c00u; /* 2^16 */
    else if (mag >= 0x38800000u) /* 2^-14 */
        r = (mag - 0x38000000u + 0xfffu + ((mag >> 13) & 1u)) >> 13;
    else r = ops_bits_f32(ops_from_bits_f32(mag) + 0.5f) - 0x3f000000u;
    return (ops_f16){(uint16_t)(r | sign >> 16)};
}
OPS_INLINE ops_v_u16 ops_cvt_v_f32_to_f16(ops_v_f32 x) {
#if defined(OPS_ROW_F32_TO_F16)
    return (ops_v_u16)OPS_ROW_F32_TO_F16(x);
#else
    ops_v_u32 u = (ops_v_u32)x, sign = u & 0x80000000u, mag = u ^ sign;
    ops_v_u32 normal = (mag - 0x38000000u + 0xfffu + ((mag >> 13) & 1u)) >> 13;
    ops_v_u32 small = (ops_v_u32)((ops_v_f32)mag + 0.5f) - 0x3f000000u;
    ops_v_u32 r = ops_select_v_u32((ops_v_i32)(mag >= 0x38800000u), normal, small);
    r = ops_select_v_u32((ops_v_i32)(mag >= 0x47800000u), ops_splat_u32(0x7c00u), r);
    r = ops_select_v_u32((ops_v_i32)(mag > 0x7f800000u), 0x7e00u | ((mag >> 13) & 0x3ffu), r);
    return __builtin_convertvector(r | (sign >> 16), ops_v_u16);
#endif
}

/* bfloat16 is the upper half of a float.  AVX512_BF16 is not used: its conversion takes
 * subnormals for zero. */
OPS_INLINE float ops_bf16_to_f32(ops_bf16 h) {
    uint32_t u = (uint32_t)h.bits << 16;
    return ops_from_bits_f32((u & 0x7fffffffu) > 0x7f800000u ? u | 0x400000u : u);
}
OPS_INLINE ops_v_f32 ops_cvt_v_bf16_to_f32(ops_v_u16 bits) {
    /* a signalling nan stays one here; the first operation on it quiets it */
    return (ops_v_f32)(__builtin_convertvector(bits, ops_v_u32) << 16);
}
OPS_INLINE ops_bf16 ops_f32_to_bf16(float x) {
    uint32_t u = ops_bits_f32(x);
    uint32_t r = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    if ((u & 0x7fffffffu) > 0x7f800000u) r = u >> 16 | 0x40u;
    return (ops_bf16){(uint16_t)r};
}
OPS_INLINE ops_v_u16 ops_cvt_v_f32_to_bf16(ops_v_f32 x) {
    ops_v_u32 u = (ops_v_u32)x;
    ops_v_u32 r = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    r = ops_select_v_u32(x != x, u >> 16 | 0x40u, r);
    return __builtin_convertvector(r, ops_v_u16);
}
OPS_INLINE ops_f16 ops_f64_to_f16(double x) { return ops_f32_to_f16(ops_cvt_f64_to_f32_odd(x)); }
OPS_INLINE ops_bf16 ops_f64_to_bf16(double x) { return ops_f32_to_bf16(ops_cvt_f64_to_f32_odd(x)); }

/* 64-bit integers to f16 and bf16, rounded once: the low 11 bits become a sticky bit, which
 * makes the value an exact double, rounded to odd. */
OPS_INLINE double ops_odd_u64(uint64_t u) {
    uint64_t low = u & 0x7ffu;
    return u >> 53 ? (double)((u - low) | (low ? 0x800u : 0)) : (double)u;
}
OPS_INLINE double ops_odd_i64(int64_t i) {
    return i < 0 ? -ops_odd_u64(0 - (uint64_t)i) : ops_odd_u64((uint64_t)i);
}

/* Loads give f32, stores take f32; the bits travel as ops_v_u16. */
#define OPS_X(H)                                                                           \
    OPS_INLINE ops_v_f32 ops_load_##H(const ops_##H *p) {                                  \
        return ops_cvt_v_##H##_to_f32(ops_load_u16(&p->bits));                             \
    }                                                                                      \
    OPS_INLINE ops_v_f32 ops_load_n_##H(const ops_##H *p, int64_t n) {                     \
        return ops_cvt_v_##H##_to_f32(ops_load_n_u16(&p->bits, n));                        \
    }                                                                                      \
    OPS_INLINE ops_v_f32 ops_loads_##H(const ops_##H *p, int64_t stride, int64_t n) {      \
        return ops_cvt_v_##H##_to_f32(ops_loads_u16(&p->bits, stride, n));                 \
    }                                                                                      \
    OPS_INLINE ops_v_f32 ops_gather_##H(const ops_##H *p, ops_v_i64 index, int64_t n) {    \
        return ops_cvt_v_##H##_to_f32(ops_gather_u16(&p->bits, index, n));                 \
    }                                                                                      \
    OPS_INLINE void ops_store_##H(ops_##H *p, ops_v_f32 v) {                               \
        ops_store_u16(&p->bits, ops_cvt_v_f32_to_##H(v));                                  \
    }                                                                                      \
    OPS_INLINE void ops_store_n_##H(ops_##H *p, ops_v_f32 v, int64_t n) {                  \
        ops_store_n_u16(&p->bits, ops_cvt_v_f32_to_##H(v), n);                             \
    }                                                                                      \
    OPS_INLINE void ops_stores_##H(ops_##H *p, int64_t stride, ops_v_f32 v, int64_t n) {   \
        ops_stores_u16(&p->bits, stride, ops_cvt_v_f32_to_##H(v), n);                      \
    }                                                                                      \
    OPS_INLINE ops_v_f32 ops_splat_##H(ops_##H x) { return ops_splat_f32(ops_##H##_to_f32(x)); }
OPS_X(f16) OPS_X(bf16)
#undef OPS_X

/* Scalar conversions between storage types, for all pairs: ops_cvt_f16_to_i32, ... */
OPS_INLINE float ops_cvt_f16_to_f32(ops_f16 x) { return ops_f16_to_f32(x); }
OPS_INLINE float ops_cvt_bf16_to_f32(ops_bf16 x) { return ops_bf16_to_f32(x); }
OPS_INLINE ops_f16 ops_cvt_f32_to_f16(float x) { return ops_f32_to_f16(x); }
OPS_INLINE ops_bf16 ops_cvt_f32_to_bf16(float x) { return ops_f32_to_bf16(x); }
OPS_INLINE ops_f16 ops_cvt_f64_to_f16(double x) { return ops_f64_to_f16(x); }
OPS_INLINE ops_bf16 ops_cvt_f64_to_bf16(double x) { return ops_f64_to_bf16(x); }
OPS_INLINE ops_f16 ops_cvt_f16_to_f16(ops_f16 x) { return x; }
OPS_INLINE ops_bf16 ops_cvt_bf16_to_bf16(ops_bf16 x) { return x; }
OPS_INLINE ops_bf16 ops_cvt_f16_to_bf16(ops_f16 x) { return ops_f32_to_bf16(ops_f16_to_f32(x)); }
OPS_INLINE ops_f16 ops_cvt_bf16_to_f16(ops_bf16 x) { return ops_f32_to_f16(ops_bf16_to_f32(x)); }
#define OPS_Y(H, D) \
    OPS_INLINE ops_##D ops_cvt_##H##_to_##D(ops_##H x) { return ops_cvt_f32_to_##D(ops_##H##_to_f32(x)); }
#define OPS_X(H)                                                                      \
    OPS_Y(H, f64) OPS_Y(H, i64) OPS_Y(H, u64) OPS_Y(H, i32) OPS_Y(H, u32)             \
    OPS_Y(H, i16) OPS_Y(H, u16) OPS_Y(H, i8) OPS_Y(H, u8)                             \
    OPS_INLINE ops_bool ops_cvt_##H##_to_bool(ops_##H x) { return (x.bits & 0x7fffu) != 0; }  \
    OPS_INLINE ops_##H ops_cvt_i64_to_##H(int64_t x) { return ops_f64_to_##H(ops_odd_i64(x)); } \
    OPS_INLINE ops_##H ops_cvt_u64_to_##H(uint64_t x) { return ops_f64_to_##H(ops_odd_u64(x)); } \
    OPS_INLINE ops_##H ops_cvt_i32_to_##H(int32_t x) { return ops_f64_to_##H(x); }    \
    OPS_INLINE ops_##H ops_cvt_u32_to_##H(uint32_t x) { return ops_f64_to_##H(x); }   \
    OPS_INLINE ops_##H ops_cvt_i16_to_##H(int16_t x) { return ops_f32_to_##H(x); }    \
    OPS_INLINE ops_##H ops_cvt_u16_to_##H(uint16_t x) { return ops_f32_to_##H(x); }   \
    OPS_INLINE ops_##H ops_cvt_i8_to_##H(int8_t x) { return ops_f32_to_##H(x); }      \
    OPS_INLINE ops_##H ops_cvt_u8_to_##H(uint8_t x) { return ops_f32_to_##H(x); }     \
    OPS_INLINE ops_##H ops_cvt_bool_to_##H(ops_bool x) { return ops_f32_to_##H((float)(x != 0)); }
OPS_X(f16) OPS_X(bf16)
#undef OPS_X
#undef OPS_Y
#define OPS_X(D, U, M)                                                                    \
    OPS_INLINE ops_bool ops_cvt_##D##_to_bool(ops_##D x) { return x != 0; }               \
    OPS_INLINE ops_##D ops_cvt_bool_to_##D(ops_bool x) { return (ops_##D)(x != 0); }      \
    OPS_INLINE ops_v_u8 ops_cvt_v_##D##_to_bool(ops_v_##D x) {                            \
        return ops_mask_##M##_to_bool((ops_v_##M)(x != 0));                               \
    }                                                                                     \
    OPS_INLINE ops_v_##D ops_cvt_v_bool_to_##D(ops_v_u8 x) {                              \
        return ops_cvt_v_u8_to_##D((ops_v_u8)(x != 0) & 1);                               \
    }
OPS_ALL_TYPES(OPS_X)
#undef OPS_X
OPS_INLINE ops_bool ops_cvt_bool_to_bool(ops_bool x) { return x != 0; }

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
