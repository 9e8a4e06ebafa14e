/* The functions of native/ behind a plain C ABI, and error sweeps against float64 libm.
 *
 * test_math.py compiles this with each compiler and target row and calls it through
 * ctypes.  The references are float64 formulas whose own error (some 2^-50) is invisible
 * next to a float32 ulp. */
#include "opslib_math.h"

#include <math.h>

int driver_lanes(void) { return OPS_LANES; }
const char *driver_target(void) { return OPS_TARGET_NAME; }

/* ---- references ---- */
static double ref_sqrt(double x) { return sqrt(x); }
static double ref_rsqrt(double x) { return 1 / sqrt(x); }
static double ref_reciprocal(double x) { return 1 / x; }
static double ref_sigmoid(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
static double ref_softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }
static double ref_log_sigmoid(double x) { return -ref_softplus(-x); }
static double ref_silu(double x) { return x * ref_sigmoid(x); }
static double ref_gelu(double x) { return x * (0.5 * erfc(-x * 0.70710678118654752440)); }
static double ref_gelu_tanh(double x) {
    return x * ref_sigmoid(2 * 0.79788456080286535588 * (x + 0.044715 * x * x * x));
}
static double ref_remainder(double x, double y) {
    double r = fmod(x, y);
    if (r == 0) return copysign(0.0, y);
    return (r < 0) != (y < 0) ? r + y : r;
}
static double ref_abs(double x) { return fabs(x); }
static double ref_neg(double x) { return -x; }
static double ref_sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
static double ref_round(double x) { return rint(x); }
static double ref_maximum(double x, double y) {
    return x != x || y != y ? NAN : x > y || (x == y && !signbit(x)) ? x : y;
}
static double ref_minimum(double x, double y) {
    return x != x || y != y ? NAN : x < y || (x == y && signbit(x)) ? x : y;
}
static double ref_fmax(double x, double y) { return x != x ? y : y != y ? x : ref_maximum(x, y); }
static double ref_fmin(double x, double y) { return x != x ? y : y != y ? x : ref_minimum(x, y); }
#define ref_exp exp
#define ref_exp2 exp2
#define ref_expm1 expm1
#define ref_log log
#define ref_log2 log2
#define ref_log10 log10
#define ref_log1p log1p
#define ref_sin sin
#define ref_cos cos
#define ref_tan tan
#define ref_asin asin
#define ref_acos acos
#define ref_atan atan
#define ref_sinh sinh
#define ref_cosh cosh
#define ref_tanh tanh
#define ref_asinh asinh
#define ref_acosh acosh
#define ref_atanh atanh
#define ref_erf erf
#define ref_erfc erfc
#define ref_cbrt cbrt
#define ref_floor floor
#define ref_ceil ceil
#define ref_trunc trunc
#define ref_pow pow
#define ref_atan2 atan2
#define ref_hypot hypot
#define ref_fmod fmod
#define ref_copysign copysign

/* |got - want| in units of the last place of want's binade; inf counts as 2^128, so that
 * FLT_MAX for a true 2^128 is 1 ulp.  A wrong nan, sign of zero, or infinity for a true
 * infinity is an error of 1e30. */
static double ulps(float got, double want) {
    if (want != want) return got != got ? 0 : 1e30;
    if (got != got) return 1e30;
    if (want == 0 || isinf(want)) {
        float exact = (float)want;
        if (memcmp(&exact, &got, 4) == 0) return 0;
        if (isinf(want)) return 1e30;
        return got == 0 ? 1e30 : fabs((double)got) * 0x1p149;
    }
    if (!signbit(got) != !signbit(want)) return 1e30;
    double g = fabs((double)got), w = fabs(want);
    if (isinf(g)) g = 0x1p128;
    if (w > 0x1p128) w = 0x1p128;
    int e;
    frexp(w, &e);
    if (e > 128) e = 128;
    if (e < -125) e = -125;
    return fabs(g - w) * ldexp(1.0, 24 - e);
}

typedef struct {
    double worst;         /* ulp */
    double x, y, got;     /* where */
    double bias;          /* mean signed error in ulp, over the inexact cases */
    double bits_differ;   /* scalar results that differ from the vector's, nan aside */
    double inexact;       /* how many cases bias is the mean of */
} report;

static void tally(report *r, float x, float y, float got, double want) {
    double e = ulps(got, want);
    if (e > r->worst) r->worst = e, r->x = (double)x, r->y = (double)y, r->got = (double)got;
    if (e > 0 && e < 4) r->bias += (double)got > want ? e : -e, r->inexact++;
}
static int differ(float a, float b) {
    return ops_bits_f32(a) != ops_bits_f32(b) && (a == a || b == b);
}

#define UNARY(name)                                                                      \
    void v_##name(const float *x, float *out, int64_t n) {                               \
        for (int64_t i = 0; i < n; i += OPS_LANES) {                                     \
            int64_t left = n - i < OPS_LANES ? n - i : OPS_LANES;                        \
            ops_store_n_f32(out + i, ops_##name##_v_f32(ops_load_n_f32(x + i, left)), left); \
        }                                                                                \
    }                                                                                    \
    void s_##name(const float *x, float *out, int64_t n) {                               \
        for (int64_t i = 0; i < n; i++) out[i] = ops_##name##_f32(x[i]);                 \
    }                                                                                    \
    void vd_##name(const double *x, double *out, int64_t n) {                            \
        for (int64_t i = 0; i < n; i += OPS_LANES) {                                     \
            int64_t left = n - i < OPS_LANES ? n - i : OPS_LANES;                        \
            ops_store_n_f64(out + i, ops_##name##_v_f64(ops_load_n_f64(x + i, left)), left); \
        }                                                                                \
    }                                                                                    \
    void sd_##name(const double *x, double *out, int64_t n) {                            \
        for (int64_t i = 0; i < n; i++) out[i] = ops_##name##_f64(x[i]);                 \
    }                                                                                    \
    void errors_##name(const float *x, int64_t count, report *r) {                       \
        float v[4096];                                                                   \
        for (int64_t done = 0; done < count; done += 4096) {                             \
            int64_t n = count - done < 4096 ? count - done : 4096;                       \
            v_##name(x + done, v, n);                                                    \
            for (int i = 0; i < n; i++) {                                                \
                float a = x[done + i];                                                   \
                tally(r, a, 0, v[i], ref_##name((double)a));                             \
                r->bits_differ += differ(v[i], ops_##name##_f32(a));                     \
            }                                                                            \
        }                                                                                \
    }                                                                                    \
    /* the bit patterns first, first + step, ... */                                      \
    void sweep_##name(int64_t first, int64_t step, int64_t count, report *r) {           \
        float x[4096], v[4096];                                                          \
        for (int64_t done = 0; done < count; done += 4096) {                             \
            int64_t n = count - done < 4096 ? count - done : 4096;                       \
            for (int i = 0; i < n; i++)                                                  \
                x[i] = ops_from_bits_f32((uint32_t)(first + (done + i) * step));         \
            v_##name(x, v, n);                                                           \
            for (int i = 0; i < n; i++) tally(r, x[i], 0, v[i], ref_##name((double)x[i])); \
        }                                                                                \
    }

#define BINARY(name)                                                                     \
    void v_##name(const float *x, const float *y, float *out, int64_t n) {               \
        for (int64_t i = 0; i < n; i += OPS_LANES) {                                     \
            int64_t left = n - i < OPS_LANES ? n - i : OPS_LANES;                        \
            ops_v_f32 a = ops_load_n_f32(x + i, left), b = ops_load_n_f32(y + i, left);  \
            ops_store_n_f32(out + i, ops_##name##_v_f32(a, b), left);                    \
        }                                                                                \
    }                                                                                    \
    void s_##name(const float *x, const float *y, float *out, int64_t n) {               \
        for (int64_t i = 0; i < n; i++) out[i] = ops_##name##_f32(x[i], y[i]);           \
    }                                                                                    \
    void vd_##name(const double *x, const double *y, double *out, int64_t n) {           \
        for (int64_t i = 0; i < n; i += OPS_LANES) {                                     \
            int64_t left = n - i < OPS_LANES ? n - i : OPS_LANES;                        \
            ops_v_f64 a = ops_load_n_f64(x + i, left), b = ops_load_n_f64(y + i, left);  \
            ops_store_n_f64(out + i, ops_##name##_v_f64(a, b), left);                    \
        }                                                                                \
    }                                                                                    \
    void sd_##name(const double *x, const double *y, double *out, int64_t n) {           \
        for (int64_t i = 0; i < n; i++) out[i] = ops_##name##_f64(x[i], y[i]);           \
    }                                                                                    \
    void errors_##name(const float *x, const float *y, int64_t count, report *r) {       \
        float v[4096];                                                                   \
        for (int64_t done = 0; done < count; done += 4096) {                             \
            int64_t n = count - done < 4096 ? count - done : 4096;                       \
            v_##name(x + done, y + done, v, n);                                          \
            for (int i = 0; i < n; i++) {                                                \
                float a = x[done + i], b = y[done + i];                                  \
                tally(r, a, b, v[i], ref_##name((double)a, (double)b));                  \
                r->bits_differ += differ(v[i], ops_##name##_f32(a, b));                  \
            }                                                                            \
        }                                                                                \
    }

UNARY(sqrt) UNARY(rsqrt) UNARY(reciprocal) UNARY(exp) UNARY(exp2) UNARY(expm1) UNARY(log)
UNARY(log2) UNARY(log10) UNARY(log1p) UNARY(sin) UNARY(cos) UNARY(tan) UNARY(asin)
UNARY(acos) UNARY(atan) UNARY(sinh) UNARY(cosh) UNARY(tanh) UNARY(asinh) UNARY(acosh)
UNARY(atanh) UNARY(erf) UNARY(erfc) UNARY(cbrt) UNARY(sigmoid) UNARY(softplus)
UNARY(log_sigmoid) UNARY(silu) UNARY(gelu) UNARY(gelu_tanh) UNARY(floor) UNARY(ceil)
UNARY(trunc) UNARY(round) UNARY(abs) UNARY(neg) UNARY(sign)
BINARY(pow) BINARY(atan2) BINARY(hypot) BINARY(fmod) BINARY(remainder) BINARY(copysign)
BINARY(maximum) BINARY(minimum) BINARY(fmax) BINARY(fmin)

void v_tests(const float *x, int32_t *nan, int32_t *inf, int32_t *finite, int32_t *sign) {
    ops_v_f32 v = ops_load_f32(x);
    ops_store_i32(nan, ops_isnan_v_f32(v));
    ops_store_i32(inf, ops_isinf_v_f32(v));
    ops_store_i32(finite, ops_isfinite_v_f32(v));
    ops_store_i32(sign, ops_signbit_v_f32(v));
}
void s_tests(const float *x, int32_t *nan, int32_t *inf, int32_t *finite, int32_t *sign) {
    for (int i = 0; i < OPS_LANES; i++) {
        nan[i] = ops_isnan_f32(x[i]);
        inf[i] = ops_isinf_f32(x[i]);
        finite[i] = ops_isfinite_f32(x[i]);
        sign[i] = ops_signbit_f32(x[i]);
    }
}
