/* __half: 16 bits with conversions.  Arithmetic is done in float by kernels, so
 * there is none here. */
#ifndef OPSLIB_CUDA_SIM_FP16_H
#define OPSLIB_CUDA_SIM_FP16_H

#include "opslib_cuda_sim_number.h"

struct __half {
    uint16_t bits;
    __half() = default;
    explicit __half(float x) : bits(opslib_cuda_sim::f16_from_f32(x)) {}
    explicit operator float() const { return opslib_cuda_sim::f16_to_f32(bits); }
};
struct __align__(4) __half2 {
    __half x, y;
};
typedef __half half;
typedef __half2 half2;

static inline float __half2float(__half x) { return float(x); }
static inline __half __float2half(float x) { return __half(x); }
static inline __half __float2half_rn(float x) { return __half(x); }
static inline unsigned short __half_as_ushort(__half x) { return x.bits; }
static inline __half __ushort_as_half(unsigned short bits) {
    __half x;
    x.bits = bits;
    return x;
}
static inline __half2 __floats2half2_rn(float x, float y) {
    return {__half(x), __half(y)};
}
static inline float2 __half22float2(__half2 x) {
    return make_float2(float(x.x), float(x.y));
}

#endif
