/* Numbers: exact conversion between all element types in every rounding mode.
 *
 * A finite value is magnitude * 2^exponent with 64 bits of magnitude, which holds every
 * value of every type, so each conversion rounds once.  Rules: Cast, atlasascendc_api
 * 07_0073 (CANN 8.0), "the binary rounding rules". */
#ifndef OPSLIB_TWIN_NUMBER_H
#define OPSLIB_TWIN_NUMBER_H

#include <math.h>
#include <string.h>

#include "opslib_twin_engine.h"
#include "opslib_twin_target.h"

namespace opslib_twin {

struct Number {
    bool negative;
    enum Kind : uint8_t {
        Finite,
        Infinite,
        Nan
    } kind;
    int exponent;
    uint64_t magnitude;
};

/* `fraction` bits, then an exponent of `width` bits, then the sign. */
inline Number decompose(uint64_t bits, int fraction, int width) {
    uint64_t top = (1ull << width) - 1;
    uint64_t exponent = bits >> fraction & top;
    uint64_t low = bits & ((1ull << fraction) - 1);
    Number n{(bits >> (fraction + width) & 1) != 0, Number::Finite, 0, low};
    int bias = int(top >> 1);
    if (exponent == top)
        n.kind = low ? Number::Nan : Number::Infinite;
    else if (exponent == 0)
        n.exponent = 1 - bias - fraction;
    else {
        n.magnitude |= 1ull << fraction;
        n.exponent = int(exponent) - bias - fraction;
    }
    return n;
}

inline Number number_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return decompose(bits, 52, 11);
}

inline Number number_of_whole(int64_t value) {
    bool negative = value < 0;
    return {negative, Number::Finite, 0,
            negative ? uint64_t(0) - uint64_t(value) : uint64_t(value)};
}

/* magnitude / 2^shift as an integer.  CAST_NONE rounds like CAST_RINT where it loses
 * anything (RoundMode: "If accuracy drop is involved during conversion, the CAST_RINT
 * mode is used"); CAST_ODD sets the last bit of anything inexact (Von Neumann). */
OPSLIB_TWIN_APART inline uint64_t round_shift(uint64_t magnitude, int shift,
                                              bool negative, AscendC::RoundMode mode) {
    using AscendC::RoundMode;
    if (shift <= 0) return shift > -64 ? magnitude << -shift : 0;
    if (magnitude == 0) return 0;
    uint64_t whole = shift >= 64 ? 0 : magnitude >> shift;
    uint64_t half = shift > 64 ? 0 : 1ull << (shift - 1);
    uint64_t rest = shift >= 64 ? magnitude : magnitude & ((1ull << shift) - 1);
    if (rest == 0) return whole;
    /* Beyond 64 places the rest is below a half, whatever it is. */
    bool above = shift <= 64 && rest > half, tie = shift <= 64 && rest == half;
    switch (mode) {
        case RoundMode::CAST_FLOOR: return whole + (negative ? 1 : 0);
        case RoundMode::CAST_CEIL: return whole + (negative ? 0 : 1);
        case RoundMode::CAST_TRUNC: return whole;
        case RoundMode::CAST_ROUND: return whole + (above || tie ? 1 : 0);
        case RoundMode::CAST_ODD: return whole | 1;
        default: return whole + (above || (tie && (whole & 1)) ? 1 : 0);
    }
}

inline int bit_length(uint64_t value) {
    return value ? 64 - __builtin_clzll(value) : 0;
}

/* The bits of n in a binary format.  Beyond the range: the largest number where the
 * target saturates or the mode rounds toward zero, as IEEE 754 has it, else infinity.
 * With saturation infinity becomes the largest number and nan becomes 0. */
OPSLIB_TWIN_APART inline uint64_t compose(const Number& n, int fraction, int width,
                                          AscendC::RoundMode mode, bool saturates) {
    using AscendC::RoundMode;
    uint64_t top = (1ull << width) - 1;
    uint64_t sign = uint64_t(n.negative) << (fraction + width);
    uint64_t infinity = top << fraction, largest = infinity - 1;
    if (n.kind == Number::Nan) return saturates ? 0 : infinity | 1ull << (fraction - 1);
    if (n.kind == Number::Infinite) return sign | (saturates ? largest : infinity);
    if (n.magnitude == 0) return sign;
    int bias = int(top >> 1), least = 1 - bias;
    int leading = n.exponent + bit_length(n.magnitude) - 1;
    int last = (leading > least ? leading : least) - fraction;
    uint64_t rounded = round_shift(n.magnitude, last - n.exponent, n.negative, mode);
    /* The hidden bit, and a carry out of the fraction, add one to the exponent. */
    uint64_t bits = rounded + (uint64_t(last + fraction - least) << fraction);
    if (bits >= infinity) {
        bool inward = mode == RoundMode::CAST_TRUNC || mode == RoundMode::CAST_ODD ||
                      (mode == RoundMode::CAST_FLOOR && !n.negative) ||
                      (mode == RoundMode::CAST_CEIL && n.negative);
        bits = saturates || inward ? largest : infinity;
    }
    return sign | bits;
}

/* Saturated to the range of the type; nan becomes 0. */
inline int64_t whole_of(const Number& n, int width, bool is_signed,
                        AscendC::RoundMode mode) {
    uint64_t limit = is_signed     ? (1ull << (width - 1)) - (n.negative ? 0 : 1)
                     : n.negative  ? 0
                     : width == 64 ? ~0ull
                                   : (1ull << width) - 1;
    uint64_t magnitude = limit;
    if (n.kind == Number::Nan) return 0;
    if (n.kind == Number::Finite) {
        bool fits = n.magnitude == 0 || bit_length(n.magnitude) + n.exponent <= 64;
        if (fits) {
            magnitude = round_shift(n.magnitude, -n.exponent, n.negative, mode);
            if (magnitude > limit) magnitude = limit;
        }
    }
    return n.negative ? int64_t(uint64_t(0) - magnitude) : int64_t(magnitude);
}

inline bool is_real(Type type) {
    return type == Type::F16 || type == Type::BF16 || type == Type::F32;
}
inline bool is_signed(Type type) {
    return type == Type::I8 || type == Type::I16 || type == Type::I32 ||
           type == Type::I64;
}
inline int size_of(Type type) {
    constexpr uint8_t sizes[] = {2, 2, 4, 1, 1, 2, 2, 4, 4, 8, 8};
    return sizes[int(type)];
}
inline const char* name_of(Type type) {
    constexpr const char* names[] = {"half",     "bfloat16_t", "float",    "int8_t",
                                     "uint8_t",  "int16_t",    "uint16_t", "int32_t",
                                     "uint32_t", "int64_t",    "uint64_t"};
    return names[int(type)];
}

inline float half_to_float(uint16_t bits) {
    uint32_t sign = uint32_t(bits & 0x8000) << 16, exponent = bits >> 10 & 31;
    uint32_t low = bits & 0x3ff;
    float value;
    if (exponent == 0) {
        value = float(low) * 0x1p-24f;
        return sign ? -value : value;
    }
    uint32_t out =
        sign | (exponent == 31 ? 255u << 23 : (exponent + 112) << 23) | low << 13;
    memcpy(&value, &out, sizeof value);
    return value;
}

inline float bfloat16_to_float(uint16_t bits) {
    uint32_t out = uint32_t(bits) << 16;
    float value;
    memcpy(&value, &out, sizeof value);
    return value;
}

OPSLIB_TWIN_APART inline double load_real(const uint8_t* at, Type type) {
    uint16_t bits;
    float value;
    switch (type) {
        case Type::F16: memcpy(&bits, at, 2); return half_to_float(bits);
        case Type::BF16: memcpy(&bits, at, 2); return bfloat16_to_float(bits);
        default: memcpy(&value, at, 4); return value;
    }
}

OPSLIB_TWIN_APART inline void store_real(
    uint8_t* at, Type type, double value,
    AscendC::RoundMode mode = AscendC::RoundMode::CAST_RINT) {
    if (type == Type::F32) {
        float single;
        if (mode == AscendC::RoundMode::CAST_RINT && !kTarget.saturates) {
            single = float(value);
        } else {
            uint32_t bits =
                uint32_t(compose(number_of(value), 23, 8, mode, kTarget.saturates));
            memcpy(&single, &bits, sizeof single);
        }
        memcpy(at, &single, 4);
        return;
    }
    int fraction = type == Type::F16 ? 10 : 7;
    uint16_t bits = uint16_t(
        compose(number_of(value), fraction, 15 - fraction, mode, kTarget.saturates));
    memcpy(at, &bits, 2);
}

OPSLIB_TWIN_APART inline int64_t load_whole(const uint8_t* at, Type type) {
    uint64_t bits = 0;
    int size = size_of(type);
    memcpy(&bits, at, size_t(size));
    if (!is_signed(type) || size == 8) return int64_t(bits);
    uint64_t sign = 1ull << (8 * size - 1);
    return int64_t((bits ^ sign) - sign);
}

inline void store_whole(uint8_t* at, Type type, int64_t value) {
    uint64_t bits = uint64_t(value);
    memcpy(at, &bits, size_t(size_of(type)));
}

inline Number load_number(const uint8_t* at, Type type) {
    if (is_real(type)) return number_of(load_real(at, type));
    if (type == Type::U64) {
        uint64_t bits;
        memcpy(&bits, at, 8);
        return {false, Number::Finite, 0, bits};
    }
    return number_of_whole(load_whole(at, type));
}

inline void store_number(uint8_t* at, Type type, const Number& n,
                         AscendC::RoundMode mode) {
    if (!is_real(type)) {
        store_whole(at, type, whole_of(n, 8 * size_of(type), is_signed(type), mode));
        return;
    }
    int fraction = type == Type::F16 ? 10 : type == Type::BF16 ? 7 : 23;
    int width = type == Type::F16 ? 5 : 8;
    uint64_t bits = compose(n, fraction, width, mode, kTarget.saturates);
    memcpy(at, &bits, size_t(size_of(type)));
}

/* float to float: to a whole number, still as float. */
inline double round_to_whole(double value, AscendC::RoundMode mode) {
    Number n = number_of(value);
    if (n.kind != Number::Finite || n.exponent >= 0 || n.magnitude == 0) return value;
    double whole = double(round_shift(n.magnitude, -n.exponent, n.negative, mode));
    return n.negative ? -whole : whole;
}

}  // namespace opslib_twin

#endif
