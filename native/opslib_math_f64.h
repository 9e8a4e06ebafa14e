/* float64: the scalar functions are libm's (glibc states its errors in the manual, section
 * "Errors in Math Functions"; ulp.json repeats them), composites are formed here so that
 * they neither overflow early nor cancel, and a vector is a loop over its lanes.  So a lane
 * and a scalar give the same bits by construction.  Included by opslib_math.h. */

#include "opslib_math_f64_scalar.h"

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
