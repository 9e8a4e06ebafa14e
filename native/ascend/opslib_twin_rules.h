/* Which types an instruction takes, by chip, and what accuracy a device promises.  Each
 * table names the page of the API reference (hiascend.com, atlasascendc_api_07_NNNN).
 */
#ifndef OPSLIB_TWIN_RULES_H
#define OPSLIB_TWIN_RULES_H

#include "opslib_twin_number.h"
#include "opslib_twin_shadow.h"

namespace opslib_twin {

constexpr uint32_t bit(Type type) { return 1u << int(type); }
constexpr uint32_t kF16 = bit(Type::F16), kBF16 = bit(Type::BF16),
                   kF32 = bit(Type::F32), kI8 = bit(Type::I8), kU8 = bit(Type::U8),
                   kI16 = bit(Type::I16), kU16 = bit(Type::U16), kI32 = bit(Type::I32),
                   kU32 = bit(Type::U32), kI64 = bit(Type::I64), kU64 = bit(Type::U64);
constexpr bool k3510 = kTarget.number == 3510, k2201 = kTarget.number == 2201;
constexpr uint32_t kHalfFloat = kF16 | kF32;
constexpr uint32_t kWholes3510 = kI8 | kU8 | kU16 | kU32 | kI64 | kU64;
constexpr uint32_t on_3510(uint32_t types) { return k3510 ? types : 0; }

/* Accuracy.  The twin rounds every function exactly.  A device promises less:
 *   Rsqrt (and Reciprocal, its neighbour with the same high precision variant): "for
 *     float16 the accuracy does not meet 1/1000, for float32 not 1/10000" (vec_rsqrt,
 *     atlastikapi_07_0061, on the inference products; vec_rec_high_preci, 07_0060).
 *   Exp, Ln, Sqrt, Div: the pages give no figure.
 * OPSLIB_TWIN_APPROXIMATE makes Rsqrt and Reciprocal wrong by twice the bound that they
 * do not meet.  A kernel that is to be trusted on a device passes with it, too: it
 * divides, or refines the estimate. */
constexpr double kHalfError = 2e-3, kFloatError = 2e-4;

constexpr uint32_t kArithmetic =
    kF16 | kF32 | kI16 | kI32 | on_3510(kBF16 | kWholes3510);
constexpr uint32_t kDuplicateTypes = kF16 | kF32 | kI16 | kU16 | kI32 | kU32 |
                                     (k2201 || k3510 ? kBF16 : 0) |
                                     on_3510(kI8 | kU8 | kI64 | kU64);
constexpr uint32_t kRampTypes = kF16 | kF32 | kI16 | kI32 | on_3510(kI8 | kI64);
constexpr uint32_t kCopyTypes =
    kF16 | kF32 | kI16 | kU16 | kI32 | kU32 | (k2201 || k3510 ? kBF16 : 0);
constexpr uint32_t kSelectTypes =
    kHalfFloat | on_3510(kBF16 | kI8 | kU8 | kI16 | kU16 | kI32 | kU32 | kI64 | kU64);
constexpr uint32_t kGatherTypes = kF16 | kF32 | kI16 | kU16 | kI32 | kU32 |
                                  (k2201 || k3510 ? kBF16 : 0) |
                                  on_3510(kI8 | kU8 | kI64 | kU64);
constexpr uint32_t kReduceTypes = kHalfFloat;

constexpr uint32_t types_of(Op op) {
    switch (op) {
        case Op::Add:
        case Op::Sub:
        case Op::Mul:
        case Op::Max:
        case Op::Min: return kArithmetic;
        case Op::Div:
            return kHalfFloat | on_3510(kI16 | kU16 | kI32 | kU32 | kI64 | kU64);
        case Op::And:
        case Op::Or:
        case Op::Not:
            return kI16 | kU16 | on_3510(kI8 | kU8 | kI32 | kU32 | kI64 | kU64);
        case Op::ShiftLeft:
        case Op::ShiftRight:
            return kI16 | kU16 | kI32 | kU32 | on_3510(kI8 | kU8 | kI64 | kU64);
        case Op::Abs: return kHalfFloat | on_3510(kI8 | kI16 | kI32 | kI64);
        case Op::Relu: return kHalfFloat | kI32;
        case Op::Neg: return on_3510(kHalfFloat | kI8 | kI16 | kI32 | kI64);
        case Op::Exp:
        case Op::Ln:
        case Op::Sqrt:
        case Op::Rsqrt:
        case Op::Reciprocal:
        case Op::LeakyRelu:
        case Op::MulAdd: return kHalfFloat;
        default: return 0;
    }
}

inline bool type_allowed(Op op, Type type) { return types_of(op) & bit(type); }

inline bool require_types(const char* name, uint32_t types, Type type) {
    if (types & bit(type)) return true;
    report("type", "%s does not take %s on this chip", name, name_of(type));
    return false;
}

/* Vector operands are in the unified buffer. */
inline bool in_unified(const Local& tensor) {
    if (scope_of(tensor.position) == UB) return true;
    report("position", "%s works on VECIN, VECCALC and VECOUT", state->now.name);
    return false;
}

inline bool compare_allowed(Type type, AscendC::CMPMODE mode) {
    if (bit(type) & kHalfFloat) return true;
    if (k3510)
        return bit(type) &
               (kBF16 | kI8 | kU8 | kI16 | kU16 | kI32 | kU32 | kI64 | kU64);
    return type == Type::I32 && mode == AscendC::CMPMODE::EQ;
}

/* Cast, 07_0073: pairs and rounding modes (CAST_NONE, the five of whole numbers, ODD).
 * The page's examples confirm float to half, float and the wide integers; the other rows
 * are its support table as remembered, not re-read: hold them against a device's own
 * compiler before leaning on them. */
constexpr uint8_t kNone = 1, kFive = 2 | 4 | 8 | 16 | 32, kOdd = 64,
                  kSix = kNone | kFive;
struct CastRule {
    Type from, to;
    uint8_t on_2201, on_2002, on_3510;
};
constexpr CastRule kCasts[] = {
    {Type::F32, Type::F32, kFive, kFive, kFive},
    {Type::F32, Type::F16, kSix | kOdd, kSix | kOdd, kSix | kOdd},
    {Type::F32, Type::BF16, kFive, 0, kFive},
    {Type::F32, Type::I64, kFive, 0, kFive},
    {Type::F32, Type::I32, kFive, kFive, kFive},
    {Type::F32, Type::I16, kFive, 0, kFive},
    {Type::F16, Type::F32, kNone, kNone, kNone},
    {Type::F16, Type::I32, kFive, kFive, kFive},
    {Type::F16, Type::I16, kFive, 0, kFive},
    {Type::F16, Type::I8, kSix, kSix, kSix},
    {Type::F16, Type::U8, kSix, kSix, kSix},
    {Type::BF16, Type::F32, kNone, 0, kNone},
    {Type::BF16, Type::I32, kFive, 0, kFive},
    {Type::BF16, Type::F16, 0, 0, kFive},
    {Type::F16, Type::BF16, 0, 0, kFive},
    {Type::U8, Type::F16, kNone, kNone, kNone},
    {Type::I8, Type::F16, kNone, kNone, kNone},
    {Type::I16, Type::F16, kSix, 0, kSix},
    {Type::I16, Type::F32, kNone, 0, kNone},
    {Type::I32, Type::F32, kSix, kNone, kSix},
    {Type::I32, Type::I64, kNone, 0, kNone},
    {Type::I32, Type::I16, kNone, 0, kNone},
    {Type::I64, Type::I32, kNone, 0, kNone},
    {Type::I64, Type::F32, kFive, 0, kFive},
};

inline bool cast_allowed(Type to, Type from, AscendC::RoundMode mode) {
    for (const CastRule& rule : kCasts)
        if (rule.from == from && rule.to == to) {
            uint8_t modes = k3510 ? rule.on_3510 : k2201 ? rule.on_2201 : rule.on_2002;
            return modes >> int(mode) & 1;
        }
    return false;
}

}  // namespace opslib_twin

#endif
