/* double, as the scalar half of opslib_simd.h and opslib_math.h has it. A part of
 * opslib_cuda.h. Elementary functions are CUDA's own; the CUDA C++ Programming Guide,
 * "Mathematical Functions", states their errors. */

typedef double ops_f64;

OPS_INLINE uint64_t ops_bits_f64(double x) { union { double f; uint64_t u; } c; c.f = x; return c.u; }
OPS_INLINE double ops_from_bits_f64(uint64_t u) { union { double f; uint64_t u; } c; c.u = u; return c.f; }
OPS_INLINE double ops_select_f64(int m, double a, double b) { return m ? a : b; }
OPS_INLINE double ops_fma_f64(double a, double b, double c) { return __builtin_fma(a, b, c); }
OPS_INLINE double ops_sqrt_f64(double a) { return __builtin_sqrt(a); }
OPS_INLINE double ops_round_f64(double x) { return __builtin_rint(x); }
OPS_INLINE double ops_floor_f64(double x) { return __builtin_floor(x); }
OPS_INLINE double ops_ceil_f64(double x) { return __builtin_ceil(x); }
OPS_INLINE double ops_trunc_f64(double x) { return __builtin_trunc(x); }
OPS_INLINE double ops_maximum_f64(double a, double b) {
    double r = a > b ? a : b;
    r = a == b ? ops_from_bits_f64(ops_bits_f64(a) & ops_bits_f64(b)) : r;
    return a != a || b != b ? a + b : r;
}
OPS_INLINE double ops_minimum_f64(double a, double b) {
    double r = a < b ? a : b;
    r = a == b ? ops_from_bits_f64(ops_bits_f64(a) | ops_bits_f64(b)) : r;
    return a != a || b != b ? a + b : r;
}
OPS_INLINE double ops_fmax_f64(double a, double b) {
    return ops_maximum_f64(a == a ? a : b, b == b ? b : a);
}
OPS_INLINE double ops_fmin_f64(double a, double b) {
    return ops_minimum_f64(a == a ? a : b, b == b ? b : a);
}
OPS_INLINE double ops_nextafter_f64(double x, double y) {
    if (x != x || y != y) return x + y;
    if (x == y) return y;
    if (x == 0) return ops_from_bits_f64(y > 0 ? 1u : 0x8000000000000001ull);
    return ops_from_bits_f64(ops_bits_f64(x) + ((x < y) == (x > 0) ? 1ull : ~0ull));
}
#include "opslib_math_f64_scalar.h"

/* Conversions: as opslib_simd_convert.h, which explains them. */
OPS_INLINE int32_t ops_cvt_f64_to_i32(double x) {
    return x > -0x1.00000002p31 && x < 0x1p31 ? (int32_t)x : INT32_MIN;
}
OPS_INLINE int64_t ops_cvt_f64_to_i64(double x) {
    return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x : INT64_MIN;
}
OPS_INLINE uint64_t ops_cvt_f64_to_u64(double x) {
    return x >= 0x1p63 ? (uint64_t)ops_cvt_f64_to_i64(x - 0x1p63) ^ 0x8000000000000000ull
                       : (uint64_t)ops_cvt_f64_to_i64(x);
}
OPS_INLINE uint32_t ops_cvt_f64_to_u32(double x) { return (uint32_t)ops_cvt_f64_to_i64(x); }
OPS_INLINE int16_t ops_cvt_f64_to_i16(double x) { return (int16_t)ops_cvt_f64_to_i32(x); }
OPS_INLINE uint16_t ops_cvt_f64_to_u16(double x) { return (uint16_t)ops_cvt_f64_to_i32(x); }
OPS_INLINE int8_t ops_cvt_f64_to_i8(double x) { return (int8_t)ops_cvt_f64_to_i32(x); }
OPS_INLINE uint8_t ops_cvt_f64_to_u8(double x) { return (uint8_t)ops_cvt_f64_to_i32(x); }
/* Rounded to odd, so that a later rounding to 16 bits is the only one. */
OPS_INLINE float ops_cvt_f64_to_f32_odd(double x) {
    float f = (float)x;
    double back = (double)f;
    uint32_t u = ops_bits_f32(f);
    bool away = (back > x) == (x > 0) && back != x;
    return ops_from_bits_f32(back != x && x == x ? (u - (away ? 1u : 0u)) | 1u : u);
}
OPS_INLINE ops_f16 ops_f64_to_f16(double x) { return ops_f32_to_f16(ops_cvt_f64_to_f32_odd(x)); }
OPS_INLINE ops_bf16 ops_f64_to_bf16(double x) { return ops_f32_to_bf16(ops_cvt_f64_to_f32_odd(x)); }
OPS_INLINE ops_f16 ops_cvt_f64_to_f16(double x) { return ops_f64_to_f16(x); }
OPS_INLINE ops_bf16 ops_cvt_f64_to_bf16(double x) { return ops_f64_to_bf16(x); }
