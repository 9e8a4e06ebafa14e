/* __nv_bfloat16: 16 bits with conversions.  Arithmetic is done in float by kernels, so
 * there is none here. */
#ifndef OPSLIB_CUDA_SIM_BF16_H
#define OPSLIB_CUDA_SIM_BF16_H

#include "opslib_cuda_sim_number.h"

struct __nv_bfloat16 {
    uint16_t bits;
    __nv_bfloat16() = default;
    explicit __nv_bfloat16(float x) : bits(opslib_cuda_sim::bf16_from_f32(x)) {}
    explicit operator float() const { return opslib_cuda_sim::bf16_to_f32(bits); }
};
struct __align__(4) __nv_bfloat162 {
    __nv_bfloat16 x, y;
};
typedef __nv_bfloat16 nv_bfloat16;
typedef __nv_bfloat162 nv_bfloat162;

static inline float __bfloat162float(__nv_bfloat16 x) { return float(x); }
static inline __nv_bfloat16 __float2bfloat16(float x) { return __nv_bfloat16(x); }
static inline __nv_bfloat16 __float2bfloat16_rn(float x) { return __nv_bfloat16(x); }
static inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 x) { return x.bits; }
static inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short bits) {
    __nv_bfloat16 x;
    x.bits = bits;
    return x;
}
static inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y) {
    return {__nv_bfloat16(x), __nv_bfloat16(y)};
}
static inline float2 __bfloat1622float2(__nv_bfloat162 x) {
    return make_float2(float(x.x), float(x.y));
}

#endif
