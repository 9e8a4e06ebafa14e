/* The float32 functions, written once.  opslib_math.h includes this text twice, with the
 * scalar and with the vector types behind the macros, so both run the same operations in
 * the same order and give the same bits.  No include guard, no intrinsic, no double.
 *
 *     OPS_F OPS_I OPS_U    float, int32_t, uint32_t: scalar or vector
 *     OPS_N(name)          ops_<name>_f32 or ops_<name>_v_f32
 *     OPS_K(c) OPS_UK(c)   a constant
 *     OPS_ANY(mask)        does any lane take the rare path?
 *
 * Comparisons give 1 (scalar) or -1 (vector lane); they are only combined with & and |
 * and consumed by OPS_SEL, so the difference does not show.
 *
 * Error-free transforms carry a value as an unevaluated sum h + l (Dekker 1971):
 * two_sum (Knuth), fast_two_sum (|a| >= |b|, or a a multiple of b's last bit), two_prod
 * by fma.  "ff" below is such a pair, about 48 bits.
 *
 * Polynomials: Sollya's fpminimax, coefficients rounded to float32 during the fit
 * (Brisebarre & Chevillard 2007); the stated approximation error is Sollya's
 * dirtyinfnorm, in units of log2.  tests/native/coefficients.sollya regenerates them. */

#define OPS_FMA OPS_N(fma)
#define OPS_SEL OPS_N(select)
#define OPS_BITS OPS_N(bits)
#define OPS_FLT OPS_N(from_bits)
#define OPS_FF OPS_N(ff)
/* The head of a pair in braces; NVRTC's C++ has no compound literals. */
#if defined(__cplusplus)
#define OPS_FF_OF OPS_FF
#else
#define OPS_FF_OF (OPS_FF)
#endif

typedef struct { OPS_F h, l; } OPS_FF;

/* name(i): entry i mod 16 of the numbers listed.  On a device without static data the
 * includer leaves OPS_TABLE empty, and OPS_ENTRY is a plain read. */
#if !defined(OPS_TABLE)
#define OPS_TABLE
#endif
#if !defined(OPS_ENTRY)
#define OPS_ENTRY(table, i) (table)[(i) & 15u]
#endif
#define OPS_TABLE16(name, ...)                          \
    OPS_INLINE OPS_F OPS_N(name)(OPS_U i) {             \
        OPS_TABLE const float table[16] = {__VA_ARGS__}; \
        return OPS_ENTRY(table, i);                     \
    }

/* ------------------------------------------------------ bits and signs ---- */

OPS_INLINE OPS_F OPS_N(abs)(OPS_F x) { return OPS_FLT(OPS_BITS(x) & 0x7fffffffu); }
OPS_INLINE OPS_F OPS_N(neg)(OPS_F x) { return OPS_FLT(OPS_BITS(x) ^ 0x80000000u); }
OPS_INLINE OPS_F OPS_N(copysign)(OPS_F x, OPS_F y) {
    return OPS_FLT((OPS_BITS(x) & 0x7fffffffu) | (OPS_BITS(y) & 0x80000000u));
}
/* Gives x the sign of y times its own. */
OPS_INLINE OPS_F OPS_N(mulsign)(OPS_F x, OPS_F y) {
    return OPS_FLT(OPS_BITS(x) ^ (OPS_BITS(y) & 0x80000000u));
}
/* sign(+-0) = +-0 and sign(nan) = nan, as numpy.sign. */
OPS_INLINE OPS_F OPS_N(sign)(OPS_F x) {
    return OPS_SEL((x > 0) | (x < 0), OPS_N(copysign)(OPS_K(1.0f), x), x);
}
OPS_INLINE OPS_I OPS_N(isnan)(OPS_F x) { return x != x; }
OPS_INLINE OPS_I OPS_N(isinf)(OPS_F x) { return (OPS_I)((OPS_BITS(x) << 1) == 0xff000000u); }
OPS_INLINE OPS_I OPS_N(isfinite)(OPS_F x) { return (OPS_I)((OPS_BITS(x) << 1) < 0xff000000u); }
/* -1 per lane in vectors, 1 in scalars, like every mask here */
OPS_INLINE OPS_I OPS_N(signbit)(OPS_F x) { return (OPS_I)((OPS_I)OPS_BITS(x) < 0); }

/* ------------------------------------------------------- float-float ---- */

OPS_INLINE OPS_FF OPS_N(fast_two_sum)(OPS_F a, OPS_F b) {
    OPS_F s = a + b;
    return OPS_FF_OF{s, b - (s - a)};
}
OPS_INLINE OPS_FF OPS_N(two_sum)(OPS_F a, OPS_F b) {
    OPS_F s = a + b, t = s - a;
    return OPS_FF_OF{s, (a - (s - t)) + (b - t)};
}
OPS_INLINE OPS_FF OPS_N(two_prod)(OPS_F a, OPS_F b) {
    OPS_F p = a * b;
    return OPS_FF_OF{p, OPS_FMA(a, b, -p)};
}
OPS_INLINE OPS_FF OPS_N(ff_mul)(OPS_FF a, OPS_FF b) {
    OPS_FF p = OPS_N(two_prod)(a.h, b.h);
    p.l += OPS_FMA(a.h, b.l, a.l * b.h);
    return p;
}
/* The quotient and its remainder over the divisor: one division serves both. */
OPS_INLINE OPS_FF OPS_N(ff_div)(OPS_FF a, OPS_FF b) {
    OPS_F r = 1.0f / b.h, q = a.h * r;
    OPS_F rest = OPS_FMA(-q, b.h, a.h) + OPS_FMA(-q, b.l, a.l);
    return OPS_N(fast_two_sum)(q, rest * r);
}
/* sqrt(h + l) = r + (h + l - r^2) / 2r */
OPS_INLINE OPS_FF OPS_N(ff_sqrt)(OPS_FF a) {
    OPS_F r = OPS_N(sqrt)(a.h);
    return OPS_FF_OF{r, (OPS_FMA(-r, r, a.h) + a.l) / (r + r)};
}

#include "opslib_math_f32_exponential.h"
#include "opslib_math_f32_hyperbolic.h"
#include "opslib_math_f32_error.h"
#include "opslib_math_f32_trigonometric.h"
#include "opslib_math_f32_power.h"

#undef OPS_LOG_BODY
#undef OPS_FMA
#undef OPS_SEL
#undef OPS_BITS
#undef OPS_FLT
#undef OPS_FF
#undef OPS_FF_OF
#undef OPS_ENTRY
#undef OPS_TABLE16
