/* The scalar half of opslib_math_f64.h, which devices with double share: plain functions of
 * libm, and composites of them. Needs ops_bits_f64. No include guard. */

#define OPS_X(name) \
    OPS_INLINE double ops_##name##_f64(double x) { return __builtin_##name(x); }
OPS_X(exp) OPS_X(exp2) OPS_X(expm1) OPS_X(log) OPS_X(log2) OPS_X(log10) OPS_X(log1p)
OPS_X(sin) OPS_X(cos) OPS_X(tan) OPS_X(asin) OPS_X(acos) OPS_X(atan)
OPS_X(sinh) OPS_X(cosh) OPS_X(tanh) OPS_X(asinh) OPS_X(acosh) OPS_X(atanh)
OPS_X(erf) OPS_X(erfc) OPS_X(cbrt)
#undef OPS_X
#define OPS_X(name) \
    OPS_INLINE double ops_##name##_f64(double x, double y) { return __builtin_##name(x, y); }
OPS_X(pow) OPS_X(atan2) OPS_X(hypot) OPS_X(fmod) OPS_X(copysign)
#undef OPS_X

OPS_INLINE double ops_reciprocal_f64(double x) { return 1.0 / x; }
OPS_INLINE double ops_rsqrt_f64(double x) { return 1.0 / __builtin_sqrt(x); }
/* Both sides divide by a sum in [1, 2], so nothing cancels or overflows. */
OPS_INLINE double ops_sigmoid_f64(double x) {
    double t = __builtin_exp(-__builtin_fabs(x));
    return (x < 0 ? t : 1.0) / (1.0 + t);
}
OPS_INLINE double ops_silu_f64(double x) { return x * ops_sigmoid_f64(x); }
/* log(1 + e^x) = max(x, 0) + log1p(e^-|x|) */
OPS_INLINE double ops_softplus_f64(double x) {
    return (x > 0 ? x : x != x ? x : 0.0) + __builtin_log1p(__builtin_exp(-__builtin_fabs(x)));
}
OPS_INLINE double ops_log_sigmoid_f64(double x) { return -ops_softplus_f64(-x); }
/* x Phi(x); erfc keeps its relative accuracy in the tail, where 1 + erf cancels.  There a
 * rounding of its argument a counts 2 a^2 times, so what a = -x/sqrt 2 loses comes back
 * through the derivative. */
OPS_INLINE double ops_gelu_f64(double x) {
    double a = x * -0x1.6a09e667f3bcdp-1;
    double lost = __builtin_fma(x, -0x1.6a09e667f3bcdp-1, -a) + x * 0x1.bdd3413b26456p-55;
    double t = __builtin_erfc(a);
    if (a > 1 && a < 30) t -= lost * (1.1283791670955126 * __builtin_exp(-a * a));
    return x * (0.5 * t);
}
/* x sigmoid(2u), u = sqrt(2/pi)(x + 0.044715 x^3), does not cancel for negative x.  2u
 * reaches 745, so it is formed as a sum v + l of doubles, and e^(v + l) = e^v (1 + l). */
OPS_INLINE double ops_gelu_tanh_f64(double x) {
    if (x > 40) return x;
    if (x < -40) return x * 0.0; /* -inf: nan, as the formula has it */
    double s = x * x, sl = __builtin_fma(x, x, -s);
    double p = s * 0x1.2444f2a4d8b4bp-4, pl = __builtin_fma(s, 0x1.2444f2a4d8b4bp-4, -p);
    pl += __builtin_fma(sl, 0x1.2444f2a4d8b4bp-4, s * -0x1.6c843a29d1c70p-61);
    double c = p + 0x1.9884533d43651p+0, t = c - p;
    double cl = (p - (c - t)) + (0x1.9884533d43651p+0 - t) + (pl + -0x1.cbc0d30ebfd15p-54);
    double v = x * c, vl = __builtin_fma(x, c, -v) + x * cl;
    double e = __builtin_exp(-__builtin_fabs(v));
    e = __builtin_fma(e, v < 0 ? vl : -vl, e);
    return x * ((v < 0 ? e : 1.0) / (1.0 + e));
}
/* Python's remainder: fmod moved to the divisor's sign; a zero takes that sign too. */
OPS_INLINE double ops_remainder_f64(double x, double y) {
    double r = __builtin_fmod(x, y);
    if (r == 0) return __builtin_copysign(r, y);
    return (r < 0) != (y < 0) ? r + y : r;
}
OPS_INLINE double ops_abs_f64(double x) { return __builtin_fabs(x); }
OPS_INLINE double ops_neg_f64(double x) { return -x; }
OPS_INLINE double ops_sign_f64(double x) { return x > 0 ? 1.0 : x < 0 ? -1.0 : x; }
OPS_INLINE int ops_isnan_f64(double x) { return x != x; }
OPS_INLINE int ops_isinf_f64(double x) { return (ops_bits_f64(x) << 1) == 0xffe0000000000000ull; }
OPS_INLINE int ops_isfinite_f64(double x) { return (ops_bits_f64(x) << 1) < 0xffe0000000000000ull; }
OPS_INLINE int ops_signbit_f64(double x) { return (int)(ops_bits_f64(x) >> 63); }
