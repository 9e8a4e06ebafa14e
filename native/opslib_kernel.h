/* What generated kernels need beside vectors and functions: leaving with an error, and
 * moves under a mask, which touch no memory that the mask leaves out. */
#ifndef OPSLIB_KERNEL_H
#define OPSLIB_KERNEL_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include "opslib_abi.h"
#include "opslib_simd.h"
#if defined(OPS_WANT_MATH)
#include "opslib_math.h"
#endif

#define OPS_EXPORT __attribute__((visibility("default")))

/* The first failure of a parallel loop is the one reported. */
OPS_CALL int32_t ops_fail(ops_context *ctx, int32_t *status, int64_t check, int64_t value,
                          int64_t extent) {
    int32_t expected = OPS_OK;
    if (__atomic_compare_exchange_n(status, &expected, OPS_INDEX, 0, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED)) {
        ctx->error[0] = OPS_INDEX;
        ctx->error[1] = check;
        ctx->error[2] = value;
        ctx->error[3] = extent;
    }
    return OPS_INDEX;
}

OPS_CALL int32_t ops_no_memory(ops_context *ctx, int32_t *status) {
    ctx->error[0] = OPS_OUT_OF_MEMORY;
    __atomic_store_n(status, OPS_OUT_OF_MEMORY, __ATOMIC_RELAXED);
    return OPS_OUT_OF_MEMORY;
}

/* A mask is mostly all lanes or none (the border of a padded row): those are quick. */
#define OPS_WHERE(D, V)                                                                  \
    OPS_INLINE ops_v_##V ops_load_where_##D(const ops_##D *p, ops_v_i32 m) {             \
        if (OPS_LIKELY(ops_all_i32(m))) return ops_load_##D(p);                          \
        ops_##D a[OPS_LANES] = {0};                                                      \
        for (int i = 0; i < OPS_LANES; i++)                                              \
            if (m[i]) a[i] = p[i];                                                       \
        return ops_load_##D(a);                                                          \
    }                                                                                    \
    OPS_INLINE ops_v_##V ops_loads_where_##D(const ops_##D *p, int64_t stride,           \
                                             ops_v_i32 m) {                              \
        ops_##D a[OPS_LANES] = {0};                                                      \
        for (int i = 0; i < OPS_LANES; i++)                                              \
            if (m[i]) a[i] = p[i * stride];                                              \
        return ops_load_##D(a);                                                          \
    }                                                                                    \
    OPS_INLINE ops_v_##V ops_gather_where_##D(const ops_##D *p, ops_v_i64 index,         \
                                              ops_v_i32 m) {                             \
        ops_##D a[OPS_LANES] = {0};                                                      \
        for (int i = 0; i < OPS_LANES; i++)                                              \
            if (m[i]) a[i] = p[index[i]];                                                \
        return ops_load_##D(a);                                                          \
    }                                                                                    \
    OPS_INLINE void ops_store_where_##D(ops_##D *p, ops_v_##V v, ops_v_i32 m) {          \
        ops_##D a[OPS_LANES];                                                            \
        ops_store_##D(a, v);                                                             \
        for (int i = 0; i < OPS_LANES; i++)                                              \
            if (m[i]) p[i] = a[i];                                                       \
    }                                                                                    \
    OPS_INLINE void ops_stores_where_##D(ops_##D *p, int64_t stride, ops_v_##V v,        \
                                         ops_v_i32 m) {                                  \
        ops_##D a[OPS_LANES];                                                            \
        ops_store_##D(a, v);                                                             \
        for (int i = 0; i < OPS_LANES; i++)                                              \
            if (m[i]) p[i * stride] = a[i];                                              \
    }                                                                                    \
    OPS_INLINE void ops_scatter_where_##D(ops_##D *p, ops_v_i64 index, ops_v_##V v,      \
                                          ops_v_i32 m) {                                 \
        ops_##D a[OPS_LANES];                                                            \
        ops_store_##D(a, v);                                                             \
        for (int i = 0; i < OPS_LANES; i++)                                              \
            if (m[i]) p[index[i]] = a[i];                                                \
    }
OPS_WHERE(f64, f64) OPS_WHERE(f32, f32) OPS_WHERE(i64, i64) OPS_WHERE(u64, u64)
OPS_WHERE(i32, i32) OPS_WHERE(u32, u32) OPS_WHERE(i16, i16) OPS_WHERE(u16, u16)
OPS_WHERE(i8, i8) OPS_WHERE(u8, u8) OPS_WHERE(bool, u8)
#undef OPS_WHERE

#define OPS_HALF_WHERE(H)                                                                \
    OPS_INLINE ops_v_f32 ops_load_where_##H(const ops_##H *p, ops_v_i32 m) {             \
        if (OPS_LIKELY(ops_all_i32(m))) return ops_load_##H(p);                          \
        return ops_cvt_v_##H##_to_f32(ops_load_where_u16(&p->bits, m));                  \
    }                                                                                    \
    OPS_INLINE ops_v_f32 ops_loads_where_##H(const ops_##H *p, int64_t s, ops_v_i32 m) { \
        return ops_cvt_v_##H##_to_f32(ops_loads_where_u16(&p->bits, s, m));              \
    }                                                                                    \
    OPS_INLINE ops_v_f32 ops_gather_where_##H(const ops_##H *p, ops_v_i64 index,         \
                                              ops_v_i32 m) {                             \
        return ops_cvt_v_##H##_to_f32(ops_gather_where_u16(&p->bits, index, m));         \
    }                                                                                    \
    OPS_INLINE void ops_store_where_##H(ops_##H *p, ops_v_f32 v, ops_v_i32 m) {          \
        ops_store_where_u16(&p->bits, ops_cvt_v_f32_to_##H(v), m);                       \
    }                                                                                    \
    OPS_INLINE void ops_stores_where_##H(ops_##H *p, int64_t stride, ops_v_f32 v,        \
                                         ops_v_i32 m) {                                  \
        ops_stores_where_u16(&p->bits, stride, ops_cvt_v_f32_to_##H(v), m);              \
    }                                                                                    \
    OPS_INLINE void ops_scatter_where_##H(ops_##H *p, ops_v_i64 index, ops_v_f32 v,      \
                                          ops_v_i32 m) {                                 \
        ops_scatter_where_u16(&p->bits, index, ops_cvt_v_f32_to_##H(v), m);              \
    }                                                                                    \
    /* Values of H held in f32: rounded once, from any type. */                          \
    OPS_INLINE ops_v_f32 ops_round_v_f32_to_##H(ops_v_f32 v) {                           \
        return ops_cvt_v_##H##_to_f32(ops_cvt_v_f32_to_##H(v));                          \
    }                                                                                    \
    OPS_INLINE ops_v_f32 ops_round_v_f64_to_##H(ops_v_f64 v) {                           \
        return ops_round_v_f32_to_##H(ops_cvt_v_f64_to_f32_odd(v));                      \
    }
OPS_HALF_WHERE(f16) OPS_HALF_WHERE(bf16)
#undef OPS_HALF_WHERE
#define OPS_ROUND_LANES(D, H)                                                            \
    OPS_INLINE ops_v_f32 ops_round_v_##D##_to_##H(ops_v_##D v) {                         \
        ops_v_f32 r;                                                                     \
        for (int i = 0; i < OPS_LANES; i++)                                              \
            r[i] = ops_##H##_to_f32(ops_cvt_##D##_to_##H(v[i]));                         \
        return r;                                                                        \
    }
#define OPS_ROUND_BOTH(D) OPS_ROUND_LANES(D, f16) OPS_ROUND_LANES(D, bf16)
OPS_ROUND_BOTH(i64) OPS_ROUND_BOTH(u64) OPS_ROUND_BOTH(i32) OPS_ROUND_BOTH(u32)
OPS_ROUND_BOTH(i16) OPS_ROUND_BOTH(u16) OPS_ROUND_BOTH(i8) OPS_ROUND_BOTH(u8)
#undef OPS_ROUND_BOTH
#undef OPS_ROUND_LANES

/* Powers of integers wrap; a negative exponent is the power of 1/x, truncated, and 0 of
 * x = 0 (numpy raises there, so any value would do). */
#define OPS_INT_POW(D, U, M)                                                             \
    OPS_INLINE ops_##D ops_pow_##D(ops_##D x, ops_##D y) {                               \
        if (y < 0) return x == 1 ? 1 : x == (ops_##D)-1 ? ((y & 1) ? x : 1) : 0;         \
        ops_##U r = 1, b = (ops_##U)x, e = (ops_##U)y;                                   \
        for (; e; e >>= 1, b = (ops_##U)((uint64_t)b * b))                               \
            if (e & 1) r = (ops_##U)((uint64_t)r * b);                                   \
        return (ops_##D)r;                                                               \
    }                                                                                    \
    OPS_INLINE ops_v_##D ops_pow_v_##D(ops_v_##D x, ops_v_##D y) {                       \
        for (int i = 0; i < OPS_LANES; i++) x[i] = ops_pow_##D(x[i], y[i]);              \
        return x;                                                                        \
    }
OPS_INT_TYPES(OPS_INT_POW)
#undef OPS_INT_POW

#define OPS_NEXT(D, F)                                                                   \
    OPS_INLINE ops_##D ops_nextafter_##D(ops_##D x, ops_##D y) { return F(x, y); }       \
    OPS_INLINE ops_v_##D ops_nextafter_v_##D(ops_v_##D x, ops_v_##D y) {                 \
        for (int i = 0; i < OPS_LANES; i++) x[i] = F(x[i], y[i]);                        \
        return x;                                                                        \
    }
OPS_NEXT(f32, nextafterf) OPS_NEXT(f64, nextafter)
#undef OPS_NEXT

/* The next number of a 16-bit type, its values held in float: one up or down in the bits. */
#define OPS_NEXT_HALF(H)                                                                 \
    OPS_INLINE float ops_nextafter_##H(float x, float y) {                               \
        if (x != x || y != y) return x + y;                                              \
        if (x == y) return y;                                                            \
        ops_##H h = ops_f32_to_##H(x);                                                   \
        if (x == 0) h.bits = (uint16_t)(y > 0 ? 1 : 0x8001);                             \
        else h.bits = (uint16_t)(h.bits + ((x < y) == (x > 0) ? 1 : -1));                \
        return ops_##H##_to_f32(h);                                                      \
    }                                                                                    \
    OPS_INLINE ops_v_f32 ops_nextafter_v_##H(ops_v_f32 x, ops_v_f32 y) {                 \
        for (int i = 0; i < OPS_LANES; i++) x[i] = ops_nextafter_##H(x[i], y[i]);        \
        return x;                                                                        \
    }
OPS_NEXT_HALF(f16) OPS_NEXT_HALF(bf16)
#undef OPS_NEXT_HALF

#endif
