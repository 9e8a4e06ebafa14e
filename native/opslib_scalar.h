/* opslib_scalar.h -- scalar arithmetic for devices programmed in C++ without double.
 *
 * The same names and bits as the scalar half of opslib_simd.h and opslib_math.h: the float32
 * functions are the one text of opslib_math_f32.h.  No vectors, no double, no memory: 16-bit
 * floats are the device's own types, which OPS_HALF and OPS_BFLOAT name.
 *
 * Integer rules: + - * wrap; x / 0 = 0; shift counts are read as unsigned. */
#ifndef OPSLIB_SCALAR_H
#define OPSLIB_SCALAR_H

#if !defined(__CUDACC_RTC__) /* NVRTC has no standard headers; opslib_cuda_ptx.h stands in */
#include <stdint.h>
#endif

#if !defined(OPS_DEVICE)
#define OPS_DEVICE
#endif
#define OPS_INLINE OPS_DEVICE static inline __attribute__((unused))
#define OPS_CALL OPS_INLINE
#define OPS_LIKELY(x) (x)
#define OPS_UNLIKELY(x) (x)
#if !defined(NAN)
#define NAN __builtin_nanf("")
#define INFINITY __builtin_inff()
#endif
#if !defined(INT64_MIN)
#define INT64_MIN (-9223372036854775807LL - 1)
#define INT32_MIN (-2147483647 - 1)
#endif

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
typedef OPS_HALF ops_f16;
typedef OPS_BFLOAT ops_bf16;

OPS_INLINE uint32_t ops_bits_f32(float x) { union { float f; uint32_t u; } c; c.f = x; return c.u; }
OPS_INLINE float ops_from_bits_f32(uint32_t u) { union { float f; uint32_t u; } c; c.u = u; return c.f; }
OPS_INLINE float ops_number_i32(int32_t i) { return ops_from_bits_f32((uint32_t)i); }

/* ------------------------------------------------------------- integers ---- */

#define OPS_SIGNED(X) X(i64, u64) X(i32, u32) X(i16, u16) X(i8, u8)
#define OPS_UNSIGNED(X) X(u64, u64) X(u32, u32) X(u16, u16) X(u8, u8)
#define OPS_INTEGERS(X) OPS_SIGNED(X) OPS_UNSIGNED(X)
#define OPS_X(D, U)                                                                      \
    OPS_INLINE ops_##D ops_neg_##D(ops_##D a) { return (ops_##D)(ops_##U)(0 - (ops_##U)a); }        \
    OPS_INLINE ops_##D ops_maximum_##D(ops_##D a, ops_##D b) { return a > b ? a : b; }   \
    OPS_INLINE ops_##D ops_minimum_##D(ops_##D a, ops_##D b) { return a < b ? a : b; }   \
    OPS_INLINE ops_##D ops_fmax_##D(ops_##D a, ops_##D b) { return a > b ? a : b; }      \
    OPS_INLINE ops_##D ops_fmin_##D(ops_##D a, ops_##D b) { return a < b ? a : b; }      \
    OPS_INLINE ops_##D ops_select_##D(int m, ops_##D a, ops_##D b) { return m ? a : b; } \
    OPS_INLINE ops_##D ops_shl_##D(ops_##D a, ops_##D count) {                           \
        return (ops_##U)count >= 8 * sizeof a                                            \
                   ? (ops_##D)0                                                          \
                   : (ops_##D)(ops_##U)((uint64_t)(ops_##U)a << (ops_##U)count);         \
    }                                                                                    \
    OPS_INLINE ops_##D ops_pow_##D(ops_##D x, ops_##D y) {                               \
        ops_##D minus = (ops_##D)-1;                                                     \
        if (y < 0) return x == 1 ? x : x == minus ? ((y & 1) ? x : (ops_##D)1) : (ops_##D)0; \
        ops_##U r = 1, b = (ops_##U)x, e = (ops_##U)y;                                   \
        for (; e; e >>= 1, b = (ops_##U)((uint64_t)b * b))                               \
            if (e & 1) r = (ops_##U)((uint64_t)r * b);                                   \
        return (ops_##D)r;                                                               \
    }
OPS_INTEGERS(OPS_X)
#undef OPS_X
#define OPS_X(D, U)                                                                      \
    OPS_INLINE ops_##D ops_shr_##D(ops_##D a, ops_##D count) {                           \
        ops_##U c = (ops_##U)count;                                                      \
        return (ops_##D)(a >> (c >= 8 * sizeof a ? 8 * sizeof a - 1 : c));               \
    }                                                                                    \
    OPS_INLINE ops_##D ops_abs_##D(ops_##D a) { return a < 0 ? ops_neg_##D(a) : a; }     \
    OPS_INLINE ops_##D ops_sign_##D(ops_##D a) { return (ops_##D)((a > 0) - (a < 0)); }  \
    OPS_INLINE ops_##D ops_truncdiv_##D(ops_##D a, ops_##D b) {                          \
        return b == 0 ? (ops_##D)0 : b == -1 ? ops_neg_##D(a) : (ops_##D)(a / b);        \
    }                                                                                    \
    OPS_INLINE ops_##D ops_fmod_##D(ops_##D a, ops_##D b) {                              \
        return b == 0 || b == -1 ? (ops_##D)0 : (ops_##D)(a % b);                        \
    }                                                                                    \
    OPS_INLINE ops_##D ops_floordiv_##D(ops_##D a, ops_##D b) {                          \
        ops_##D q = ops_truncdiv_##D(a, b), r = ops_fmod_##D(a, b);                      \
        return (ops_##D)(q - (r != 0 && (r ^ b) < 0));                                   \
    }                                                                                    \
    OPS_INLINE ops_##D ops_remainder_##D(ops_##D a, ops_##D b) {                         \
        ops_##D r = ops_fmod_##D(a, b);                                                  \
        return r != 0 && (r ^ b) < 0 ? (ops_##D)(ops_##U)((ops_##U)r + (ops_##U)b) : r;  \
    }
OPS_SIGNED(OPS_X)
#undef OPS_X
#define OPS_X(D, U)                                                                      \
    OPS_INLINE ops_##D ops_shr_##D(ops_##D a, ops_##D count) {                           \
        return count >= 8 * sizeof a ? (ops_##D)0 : (ops_##D)(a >> count);               \
    }                                                                                    \
    OPS_INLINE ops_##D ops_abs_##D(ops_##D a) { return a; }                              \
    OPS_INLINE ops_##D ops_sign_##D(ops_##D a) { return a != 0; }                        \
    OPS_INLINE ops_##D ops_truncdiv_##D(ops_##D a, ops_##D b) {                          \
        return b == 0 ? (ops_##D)0 : (ops_##D)(a / b);                                   \
    }                                                                                    \
    OPS_INLINE ops_##D ops_fmod_##D(ops_##D a, ops_##D b) {                              \
        return b == 0 ? (ops_##D)0 : (ops_##D)(a % b);                                   \
    }                                                                                    \
    OPS_INLINE ops_##D ops_floordiv_##D(ops_##D a, ops_##D b) { return ops_truncdiv_##D(a, b); } \
    OPS_INLINE ops_##D ops_remainder_##D(ops_##D a, ops_##D b) { return ops_fmod_##D(a, b); }
OPS_UNSIGNED(OPS_X)
#undef OPS_X

/* --------------------------------------------------------------- floats ---- */

OPS_INLINE float ops_select_f32(int m, float a, float b) { return m ? a : b; }
OPS_INLINE float ops_fma_f32(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
OPS_INLINE float ops_sqrt_f32(float a) { return __builtin_sqrtf(a); }
OPS_INLINE float ops_pick_max_f32(float a, float b) { return a > b ? a : b; }
OPS_INLINE float ops_pick_min_f32(float a, float b) { return a < b ? a : b; }
/* Nearest, ties to even, by adding 2^23 (see opslib_simd_lanes.h); the others correct it. */
OPS_INLINE float ops_round_f32(float x) {
    uint32_t sign = ops_bits_f32(x) & 0x80000000u;
    float a = ops_from_bits_f32(ops_bits_f32(x) & ~sign);
    float r = ops_from_bits_f32(ops_bits_f32((a + 0x1p23f) - 0x1p23f) | sign);
    return a < 0x1p23f ? r : x;
}
OPS_INLINE float ops_floor_f32(float x) {
    uint32_t sign = ops_bits_f32(x) & 0x80000000u;
    float r = ops_round_f32(x);
    r = r - (r > x ? 1.0f : 0.0f);
    return ops_from_bits_f32(ops_bits_f32(r) | sign);
}
OPS_INLINE float ops_ceil_f32(float x) { return -ops_floor_f32(-x); }
OPS_INLINE float ops_trunc_f32(float x) {
    uint32_t sign = ops_bits_f32(x) & 0x80000000u;
    float a = ops_from_bits_f32(ops_bits_f32(x) & ~sign);
    return ops_from_bits_f32(ops_bits_f32(ops_floor_f32(a)) | sign);
}
OPS_INLINE float ops_maximum_f32(float a, float b) {
    float r = a > b ? a : b;
    r = a == b ? ops_from_bits_f32(ops_bits_f32(a) & ops_bits_f32(b)) : r;
    return a != a || b != b ? a + b : r;
}
OPS_INLINE float ops_minimum_f32(float a, float b) {
    float r = a < b ? a : b;
    r = a == b ? ops_from_bits_f32(ops_bits_f32(a) | ops_bits_f32(b)) : r;
    return a != a || b != b ? a + b : r;
}
OPS_INLINE float ops_fmax_f32(float a, float b) {
    return ops_maximum_f32(a == a ? a : b, b == b ? b : a);
}
OPS_INLINE float ops_fmin_f32(float a, float b) {
    return ops_minimum_f32(a == a ? a : b, b == b ? b : a);
}
/* The next number from x towards y: one up or down in the bits. */
OPS_INLINE float ops_nextafter_f32(float x, float y) {
    if (x != x || y != y) return x + y;
    if (x == y) return y;
    if (x == 0) return ops_from_bits_f32(y > 0 ? 1u : 0x80000001u);
    return ops_from_bits_f32(ops_bits_f32(x) + ((x < y) == (x > 0) ? 1u : 0xffffffffu));
}

#define OPS_GELU_C1_HI 0x1.988454p+0f
#define OPS_GELU_C1_LO -0x1.857936p-25f
#define OPS_GELU_C3_HI 0x1.2444f2p-4f
#define OPS_GELU_C3_LO 0x1.49b16ap-29f

/* As in opslib_math.h, which explains it. */
OPS_CALL void ops_trig_far_f32(float a, float *h, float *l, int32_t *quadrant) {
    const uint32_t bits[] = {0,           0xa2f9836eu, 0x4e441529u, 0xfc2757d1u,
                             0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu};
    uint32_t u = ops_bits_f32(a), m = (u & 0x7fffffu) | 0x800000u;
    uint32_t start = (u >> 23) - 127 + 7, word = start >> 5, shift = start & 31;
    uint32_t w[3];
    for (int i = 0; i < 3; i++) {
        uint64_t pair = (uint64_t)bits[word + (unsigned)i] << 32 | bits[word + (unsigned)i + 1];
        w[i] = (uint32_t)(pair << shift >> 32);
    }
    uint64_t p = ((uint64_t)m * w[0] << 32) + (uint64_t)m * w[1] + ((uint64_t)m * w[2] >> 32);
    uint64_t q = (p + (1ull << 61)) >> 62;
    int64_t fraction = (int64_t)(p - (q << 62));
    float fh = (float)fraction, fl = (float)(fraction - (int64_t)fh);
    float x = fh * 0x1.921fb6p-62f;
    float y = ops_fma_f32(fh, 0x1.921fb6p-62f, -x) +
              ops_fma_f32(fh, -0x1.777a5cp-87f, fl * 0x1.921fb6p-62f);
    *h = x + y;
    *l = y - (*h - x);
    *quadrant = (int32_t)q;
}
OPS_CALL float ops_fmod_far_f32(float a, float b) {
    while (a >= b) {
        float c = b;
        while (c * 0x1p21f <= a) c *= 0x1p21f;
        float r = ops_fma_f32(-ops_trunc_f32(a / c), c, a);
        a = r < 0 ? r + c : r;
    }
    return a;
}
OPS_INLINE float ops_from_i32_f32(int32_t i) { return (float)i; }

#define OPS_F float
#define OPS_I int32_t
#define OPS_U uint32_t
#define OPS_N(name) ops_##name##_f32
#define OPS_K(c) (c)
#define OPS_ANY(m) (m)
#define OPS_TRIG_FAR(a, r, q) ops_trig_far_f32(a, &(r)->h, &(r)->l, q)
#define OPS_FMOD_FAR(a, b, r) (*(r) = ops_fmod_far_f32(a, b))
#include "opslib_math_f32.h"
#undef OPS_F
#undef OPS_I
#undef OPS_U
#undef OPS_N
#undef OPS_K
#undef OPS_ANY
#undef OPS_TRIG_FAR
#undef OPS_FMOD_FAR

/* ---------------------------------------------------------- conversions ---- */
/* As opslib_simd_convert.h: out of range and nan give what x86 gives. */

OPS_INLINE int32_t ops_cvt_f32_to_i32(float x) {
    return x >= -0x1p31f && x < 0x1p31f ? (int32_t)x : INT32_MIN;
}
OPS_INLINE int64_t ops_cvt_f32_to_i64(float x) {
    return x >= -0x1p63f && x < 0x1p63f ? (int64_t)x : INT64_MIN;
}
OPS_INLINE uint64_t ops_cvt_f32_to_u64(float x) {
    return x >= 0x1p63f ? (uint64_t)ops_cvt_f32_to_i64(x - 0x1p63f) ^ 0x8000000000000000ull
                        : (uint64_t)ops_cvt_f32_to_i64(x);
}
OPS_INLINE uint32_t ops_cvt_f32_to_u32(float x) { return (uint32_t)ops_cvt_f32_to_i64(x); }
OPS_INLINE int16_t ops_cvt_f32_to_i16(float x) { return (int16_t)ops_cvt_f32_to_i32(x); }
OPS_INLINE uint16_t ops_cvt_f32_to_u16(float x) { return (uint16_t)ops_cvt_f32_to_i32(x); }
OPS_INLINE int8_t ops_cvt_f32_to_i8(float x) { return (int8_t)ops_cvt_f32_to_i32(x); }
OPS_INLINE uint8_t ops_cvt_f32_to_u8(float x) { return (uint8_t)ops_cvt_f32_to_i32(x); }

OPS_INLINE float ops_f16_to_f32(ops_f16 x) { return static_cast<float>(x); }
OPS_INLINE float ops_bf16_to_f32(ops_bf16 x) { return static_cast<float>(x); }
OPS_INLINE ops_f16 ops_f32_to_f16(float x) { return static_cast<ops_f16>(x); }
/* The upper half of a float, nearest even; nan stays nan. */
OPS_INLINE ops_bf16 ops_f32_to_bf16(float x) {
    uint32_t u = ops_bits_f32(x);
    uint32_t r = u + 0x7fffu + ((u >> 16) & 1u);
    if ((u & 0x7fffffffu) > 0x7f800000u) r = u | 0x400000u;
    return static_cast<ops_bf16>(ops_from_bits_f32(r & 0xffff0000u));
}
/* Integers to 16-bit floats, rounded once: what does not fit 24 bits becomes a sticky bit. */
OPS_INLINE float ops_odd_u64(uint64_t u) {
    float scale = 1.0f;
    while (u >> 24) {
        u = u >> 1 | (u & 1u);
        scale = scale + scale;
    }
    return (float)(int32_t)u * scale;
}
OPS_INLINE float ops_odd_i64(int64_t i) {
    return i < 0 ? -ops_odd_u64(0 - (uint64_t)i) : ops_odd_u64((uint64_t)i);
}
#define OPS_Y(H, D, W)                                                                  \
    OPS_INLINE ops_##H ops_cvt_##D##_to_##H(ops_##D x) {                                \
        return ops_f32_to_##H(ops_odd_##W(x));                                          \
    }
#define OPS_X(H)                                                                        \
    OPS_Y(H, i64, i64) OPS_Y(H, u64, u64) OPS_Y(H, i32, i64) OPS_Y(H, u32, u64)         \
    OPS_Y(H, i16, i64) OPS_Y(H, u16, u64) OPS_Y(H, i8, i64) OPS_Y(H, u8, u64)           \
    OPS_INLINE ops_##H ops_cvt_bool_to_##H(bool x) { return ops_f32_to_##H(x ? 1.0f : 0.0f); }
OPS_X(f16) OPS_X(bf16)
#undef OPS_X
#undef OPS_Y

/* The next number of a 16-bit type, its values held in float. */
#define OPS_NEXT_HALF(H, STEPS, TINY)                                                   \
    OPS_INLINE float ops_nextafter_##H(float x, float y) {                              \
        if (x != x || y != y) return x + y;                                             \
        if (x == y) return y;                                                           \
        if (x == 0) return y > 0 ? TINY : -TINY;                                        \
        union { ops_##H h; uint16_t u; } c = {ops_f32_to_##H(x)};                       \
        c.u = (uint16_t)(c.u + ((x < y) == (x > 0) ? 1 : -1));                          \
        return ops_##H##_to_f32(c.h);                                                   \
    }
OPS_NEXT_HALF(f16, 0x400, 0x1p-24f) OPS_NEXT_HALF(bf16, 0x80, 0x1p-133f)
#undef OPS_NEXT_HALF

/* ------------------------------------------------------- rows of memory ---- */
/* Tensors are anything with GetValue and SetValue. */

#define OPS_SHORT_TYPES(X) \
    X(f32) X(i64) X(u64) X(i32) X(u32) X(i16) X(u16) X(i8) X(u8)
/* Whether a comes before b; a nan is the last ascending and the first descending. */
template <class T>
OPS_INLINE bool ops_before(T a, T b, bool descending) {
    if (a != a || b != b) return descending ? a != a && b == b : a == a && b != b;
    return descending ? a > b : a < b;
}
/* Values and positions in order, stable: merge sort of positions in `words`. */
template <class T, class Row, class Values, class Places, class Words>
OPS_INLINE void ops_order(Row row, Values values, Places places, Words words, int64_t n,
                          int64_t first, int64_t last, bool descending) {
    int64_t from = 0, to = n;
    for (int64_t i = 0; i < n; i++) words.SetValue(i, (uint64_t)i);
    for (int64_t run = 1; run < n; run += run) {
        for (int64_t begin = 0; begin < n; begin += 2 * run) {
            int64_t middle = begin + run < n ? begin + run : n;
            int64_t end = begin + 2 * run < n ? begin + 2 * run : n;
            int64_t a = begin, b = middle;
            for (int64_t k = begin; k < end; k++) {
                bool right = a >= middle;
                if (!right && b < end) {
                    T x = row.GetValue(words.GetValue(from + a));
                    T y = row.GetValue(words.GetValue(from + b));
                    right = ops_before<T>(y, x, descending);
                }
                words.SetValue(to + k, words.GetValue(from + (right ? b : a)));
                if (right) b++;
                else a++;
            }
        }
        int64_t swap = from;
        from = to;
        to = swap;
    }
    if (first < 0) first = 0;
    if (last > n) last = n;
    for (int64_t k = first; k < last; k++) {
        uint64_t at = words.GetValue(from + k);
        values.SetValue(k, row.GetValue(at));
        places.SetValue(k, (int64_t)at);
    }
}
/* The first of the largest (smallest) of a row, or its first nan; n > 0. */
template <class T, class Row>
OPS_INLINE void ops_best(Row row, int64_t n, T *value, int64_t *at, bool largest) {
    T best = row.GetValue(0);
    int64_t place = 0;
    for (int64_t i = 1; i < n && best == best; i++) {
        T x = row.GetValue(i);
        if (x != x || (largest ? x > best : x < best)) {
            best = x;
            place = i;
        }
    }
    *value = best;
    *at = place;
}
#define OPS_X(D)                                                                           \
    template <class R, class V, class P, class W>                                          \
    OPS_INLINE void ops_order_##D(R row, V values, P places, W words, int64_t n,           \
                                  int64_t first, int64_t last, int64_t descending) {       \
        ops_order<ops_##D>(row, values, places, words, n, first, last, descending != 0);   \
    }                                                                                      \
    template <class R>                                                                     \
    OPS_INLINE void ops_argmax_##D(R row, int64_t n, ops_##D *value, int64_t *at) {        \
        ops_best<ops_##D>(row, n, value, at, true);                                        \
    }                                                                                      \
    template <class R>                                                                     \
    OPS_INLINE void ops_argmin_##D(R row, int64_t n, ops_##D *value, int64_t *at) {        \
        ops_best<ops_##D>(row, n, value, at, false);                                       \
    }
OPS_SHORT_TYPES(OPS_X)
#undef OPS_X

#endif /* OPSLIB_SCALAR_H */
