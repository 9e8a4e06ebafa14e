/* 16-bit floats as bits. */
#ifndef OPSLIB_CUDA_SIM_NUMBER_H
#define OPSLIB_CUDA_SIM_NUMBER_H

#include <stdint.h>

namespace opslib_cuda_sim {

__attribute__((no_sanitize("thread"))) inline float float_of(uint32_t bits) {
    float x;
    __builtin_memcpy(&x, &bits, 4);
    return x;
}
__attribute__((no_sanitize("thread"))) inline uint32_t bits_of_float(float x) {
    uint32_t bits;
    __builtin_memcpy(&bits, &x, 4);
    return bits;
}

__attribute__((no_sanitize("thread"))) inline float f16_to_f32(uint16_t h) {
    const uint32_t sign = uint32_t(h & 0x8000) << 16, rest = h & 0x7fff;
    if (rest >= 0x7c00) return float_of(sign | 0x7f800000 | (rest & 0x3ff) << 13);
    /* 2^-14 times what the bits say 2^112 too low: subnormals come out right. */
    const float scaled = float_of(rest << 13) * float_of(0x77800000);
    return float_of(sign | bits_of_float(scaled));
}
/* To nearest, ties to even; nan to 0x7fff, as cvt.rn.f16.f32 does. */
__attribute__((no_sanitize("thread"))) inline uint16_t f16_from_f32(float x) {
    const uint32_t bits = bits_of_float(x), sign = bits >> 16 & 0x8000;
    const uint32_t rest = bits & 0x7fffffff;
    if (rest > 0x7f800000) return 0x7fff;
    if (rest >= 0x477ff000) return uint16_t(sign | 0x7c00); /* 65520 and above */
    if (rest < 0x38800000) {
        /* Subnormal: adding 0.5 leaves units of 2^-24, rounded, in the last bits. */
        const float sum = float_of(rest) + 0.5f;
        return uint16_t(sign | (bits_of_float(sum) - 0x3f000000));
    }
    const uint32_t rounded = rest + 0xfff + (rest >> 13 & 1);
    return uint16_t(sign | (rounded - 0x38000000) >> 13);
}
__attribute__((no_sanitize("thread"))) inline float bf16_to_f32(uint16_t b) {
    return float_of(uint32_t(b) << 16);
}
/* To nearest, ties to even; nan to 0x7fff, as cvt.rn.bf16.f32 does. */
__attribute__((no_sanitize("thread"))) inline uint16_t bf16_from_f32(float x) {
    const uint32_t bits = bits_of_float(x);
    if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fff;
    return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* OCP 8-bit floats: e4m3 has no infinities, and nan where all bits but the sign are set;
 * e5m2 is a float16 cut short. */
__attribute__((no_sanitize("thread"))) inline float e4m3_to_f32(uint8_t b) {
    const uint32_t sign = uint32_t(b & 0x80) << 24, rest = b & 0x7f;
    if (rest == 0x7f) return float_of(sign | 0x7fc00000);
    const float scaled = float_of(rest << 20) * float_of(0x7b800000); /* 2^120 */
    return float_of(sign | bits_of_float(scaled));
}
__attribute__((no_sanitize("thread"))) inline float e5m2_to_f32(uint8_t b) {
    return f16_to_f32(uint16_t(b << 8));
}

}  // namespace opslib_cuda_sim

#endif
