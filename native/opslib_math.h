/* opslib_math.h -- elementary functions with a stated error.
 *
 * ops_exp_f32(float), ops_exp_v_f32(ops_v_f32), ops_exp_f64(double), ops_exp_v_f64(...), and
 * likewise every function in the table.  A lane of a vector and the scalar give the same
 * bits, on every row and with every compiler (tests/native holds them to it), as long as
 * the flags at the top of opslib_simd.h are used.
 *
 * float32 uses float32 arithmetic and fma only, no double, so the same algorithms serve
 * devices without float64; only gelu and erfc have tables, of 16 entries, one register.  Subnormal inputs and outputs are right, and
 * special values are those of C99 Annex F; composites follow their formula, so
 * silu(-inf) = gelu(-inf) = nan.
 *
 * Largest error in units in the last place, float32 (the rest are exact; ulp.json repeats
 * this for programs, tests/native/test_math.py holds every build to it):
 *
 *           exp 0.9         exp2 0.83       expm1 0.93         log 0.9         log2 0.99       log10 0.85
 *         log1p 0.83         sin 0.86         cos 0.86         tan 0.86        asin 0.63        acos 0.61
 *          atan 0.89       atan2 0.95        sinh 0.77        cosh 0.88        tanh 0.96       asinh 0.63
 *         acosh 0.85       atanh 0.67         erf 1.0         erfc 0.96        cbrt 0.51         pow 0.9
 *          sqrt 0.5        rsqrt 0.51  reciprocal 0.5        hypot 1.0         fmod 0      remainder 0.5
 *       sigmoid 0.78    softplus 0.92 log_sigmoid 0.92        silu 0.8         gelu 0.96   gelu_tanh 0.8
 *
 * These are measured maxima rounded up: over every float where the function is not simply x
 * or a constant, except that cos and tan took every 7th, asinh, acosh and atanh every 3rd,
 * and pow, atan2 and hypot 2^20 pairs.  Vector instructions, loads and constants aside
 * (clang 14; AVX-512, AVX2): exp 13, 20; log 32, 37; tanh 29, 32; sigmoid 38, 56; erf 36, 39;
 * gelu 45, 78; erfc 47, 80; softplus 73, 84.  float64 is libm's error, see opslib_math_f64.h.
 */
#ifndef OPSLIB_MATH_H
#define OPSLIB_MATH_H

#include "opslib_simd.h"

/* 2 sqrt(2/pi) and 0.044715 times it (gelu_tanh), in two floats each. */
#define OPS_GELU_C1_HI 0x1.988454p+0f
#define OPS_GELU_C1_LO -0x1.857936p-25f
#define OPS_GELU_C3_HI 0x1.2444f2p-4f
#define OPS_GELU_C3_LO 0x1.49b16ap-29f
#define OPS_TABLE static

/* ---------------------------------------------------------- rare paths ---- */

/* Payne & Hanek 1983: a = m 2^s with a 24-bit integer m, and a (2/pi) mod 4 needs only the
 * bits of 2/pi from weight 2^(1-s) on; 96 of them leave 62 fraction bits after the
 * product, and no float32 comes nearer than 2^-30 to a multiple of pi/2. */
OPS_CALL void ops_trig_far_f32(float a, float *h, float *l, int32_t *quadrant) {
    static const uint32_t bits[] = {0,          0xa2f9836eu, 0x4e441529u, 0xfc2757d1u,
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
    int64_t fraction = (int64_t)(p - (q << 62)); /* of a quarter turn, times 2^62 */
    float fh = (float)fraction, fl = (float)(fraction - (int64_t)fh);
    float x = fh * 0x1.921fb6p-62f;
    float y = ops_fma_f32(fh, 0x1.921fb6p-62f, -x) +
              ops_fma_f32(fh, -0x1.777a5cp-87f, fl * 0x1.921fb6p-62f);
    *h = x + y;
    *l = y - (*h - x);
    *quadrant = (int32_t)q;
}
/* a mod b for a >= b > 0: subtract b 2^k times a 22-bit quotient, largest k first; each step
 * is exact, and there are at most 13. */
OPS_CALL float ops_fmod_far_f32(float a, float b) {
    while (a >= b) {
        float c = b;
        /* c = b 2^k with a/c in [1, 2^21); a 2^-21 might round, c 2^21 does not */
        while (c * 0x1p21f <= a) c *= 0x1p21f;
        float r = ops_fma_f32(-__builtin_truncf(a / c), c, a);
        a = r < 0 ? r + c : r;
    }
    return a;
}

/* The same for the lanes of a vector that need it (see trig_reduce and fmod). */
OPS_CALL void ops_trig_far_lanes(const float *a, float *h, float *l, int32_t *quadrant) {
    for (int i = 0; i < OPS_LANES; i++)
        if (a[i] > 48000.0f && a[i] < __builtin_inff())
            ops_trig_far_f32(a[i], h + i, l + i, quadrant + i);
}
OPS_CALL void ops_fmod_far_lanes(const float *a, const float *b, float *r) {
    for (int i = 0; i < OPS_LANES; i++)
        if (a[i] >= b[i] && b[i] > 0 && a[i] < __builtin_inff()) r[i] = ops_fmod_far_f32(a[i], b[i]);
}

/* ------------------------------------------------------------- float32 ---- */

OPS_INLINE float ops_from_i32_f32(int32_t i) { return (float)i; }
OPS_INLINE ops_v_f32 ops_from_i32_v_f32(ops_v_i32 i) {
    return __builtin_convertvector(i, ops_v_f32);
}

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

#define OPS_F ops_v_f32
#define OPS_I ops_v_i32
#define OPS_U ops_v_u32
#define OPS_N(name) ops_##name##_v_f32
#define OPS_K(c) ops_splat_f32(c)
#define OPS_ANY(m) ops_any_i32(m)
#define OPS_ENTRY(table, i) ops_table16_v_f32(table, i)
#if defined(OPS_ROW_SCALE2_F32)
#define OPS_SCALE2(p, n) (ops_v_f32) OPS_ROW_SCALE2_F32(p, n)
#endif
#define OPS_TRIG_FAR(a, r, q)                                          \
    do {                                                               \
        float in[OPS_LANES], h[OPS_LANES], l[OPS_LANES];               \
        int32_t quarter[OPS_LANES];                                    \
        memcpy(in, &(a), sizeof in);                                   \
        memcpy(h, &(r)->h, sizeof h);                                  \
        memcpy(l, &(r)->l, sizeof l);                                  \
        memcpy(quarter, q, sizeof quarter);                            \
        ops_trig_far_lanes(in, h, l, quarter);                         \
        memcpy(&(r)->h, h, sizeof h);                                  \
        memcpy(&(r)->l, l, sizeof l);                                  \
        memcpy(q, quarter, sizeof quarter);                            \
    } while (0)
#define OPS_FMOD_FAR(a, b, r)                                          \
    do {                                                               \
        float in[OPS_LANES], by[OPS_LANES], out[OPS_LANES];            \
        memcpy(in, &(a), sizeof in);                                   \
        memcpy(by, &(b), sizeof by);                                   \
        memcpy(out, r, sizeof out);                                    \
        ops_fmod_far_lanes(in, by, out);                               \
        memcpy(r, out, sizeof out);                                    \
    } while (0)
#include "opslib_math_f32.h"
#undef OPS_F
#undef OPS_I
#undef OPS_U
#undef OPS_N
#undef OPS_K
#undef OPS_ANY
#undef OPS_SCALE2
#undef OPS_TRIG_FAR
#undef OPS_FMOD_FAR

/* ------------------------------------------------------------- float64 ---- */

#include "opslib_math_f64.h"

#endif /* OPSLIB_MATH_H */
