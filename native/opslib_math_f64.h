/* float64: the scalar functions are libm's (glibc states its errors in the manual, section
 * "Errors in Math Functions"; ulp.json repeats them), composites are formed here so that
 * they neither overflow early nor cancel, and a vector is a loop over its lanes.  So a lane
 * and a scalar give the same bits by construction.  Included by opslib_math.h. */

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

#define OPS_LANES_1(name)                                                               \
    OPS_INLINE ops_v_f64 ops_##name##_v_f64(ops_v_f64 x) {                              \
        for (int i = 0; i < OPS_LANES; i++) x[i] = ops_##name##_f64(x[i]);              \
        return x;                                                                       \
    }
#define OPS_LANES_2(name)                                                               \
    OPS_INLINE ops_v_f64 ops_##name##_v_f64(ops_v_f64 x, ops_v_f64 y) {                 \
        for (int i = 0; i < OPS_LANES; i++) x[i] = ops_##name##_f64(x[i], y[i]);        \
        return x;                                                                       \
    }
OPS_LANES_1(exp) OPS_LANES_1(exp2) OPS_LANES_1(expm1) OPS_LANES_1(log) OPS_LANES_1(log2)
OPS_LANES_1(log10) OPS_LANES_1(log1p) OPS_LANES_1(sin) OPS_LANES_1(cos) OPS_LANES_1(tan)
OPS_LANES_1(asin) OPS_LANES_1(acos) OPS_LANES_1(atan) OPS_LANES_1(sinh) OPS_LANES_1(cosh)
OPS_LANES_1(tanh) OPS_LANES_1(asinh) OPS_LANES_1(acosh) OPS_LANES_1(atanh) OPS_LANES_1(erf)
OPS_LANES_1(erfc) OPS_LANES_1(cbrt) OPS_LANES_1(sigmoid) OPS_LANES_1(silu)
OPS_LANES_1(softplus) OPS_LANES_1(log_sigmoid) OPS_LANES_1(gelu) OPS_LANES_1(gelu_tanh)
OPS_LANES_2(pow) OPS_LANES_2(atan2) OPS_LANES_2(hypot) OPS_LANES_2(fmod)
OPS_LANES_2(remainder)
#undef OPS_LANES_1
#undef OPS_LANES_2

OPS_INLINE ops_v_f64 ops_reciprocal_v_f64(ops_v_f64 x) { return 1.0 / x; }
OPS_INLINE ops_v_f64 ops_rsqrt_v_f64(ops_v_f64 x) { return 1.0 / ops_sqrt_v_f64(x); }
OPS_INLINE ops_v_f64 ops_abs_v_f64(ops_v_f64 x) {
    return (ops_v_f64)((ops_v_u64)x & 0x7fffffffffffffffull);
}
OPS_INLINE ops_v_f64 ops_neg_v_f64(ops_v_f64 x) { return -x; }
OPS_INLINE ops_v_f64 ops_copysign_v_f64(ops_v_f64 x, ops_v_f64 y) {
    return (ops_v_f64)(((ops_v_u64)x & 0x7fffffffffffffffull) |
                       ((ops_v_u64)y & 0x8000000000000000ull));
}
OPS_INLINE ops_v_f64 ops_sign_v_f64(ops_v_f64 x) {
    ops_v_f64 one = ops_copysign_v_f64(ops_splat_f64(1.0), x);
    return ops_select_v_f64((x > 0) | (x < 0), one, x);
}
OPS_INLINE ops_v_i64 ops_isnan_v_f64(ops_v_f64 x) { return x != x; }
OPS_INLINE ops_v_i64 ops_isinf_v_f64(ops_v_f64 x) {
    return ((ops_v_u64)x << 1) == 0xffe0000000000000ull;
}
OPS_INLINE ops_v_i64 ops_isfinite_v_f64(ops_v_f64 x) {
    return ((ops_v_u64)x << 1) < 0xffe0000000000000ull;
}
OPS_INLINE ops_v_i64 ops_signbit_v_f64(ops_v_f64 x) { return (ops_v_i64)x >> 63; }
