/* Which types an instruction takes, by chip, and what accuracy a device promises.
 *
 * Beside each list is the page of hiascend.com that it was held against: 07_NNNN is
 * atlasascendc_api_07_NNNN of the Ascend C reference (of CANN 9.1 where no other is
 * named), tik_NNNN is atlastikapi_07_NNNN (TIK, which issues the same instructions of
 * 2201 and 2002), cce_NNNN is cceapi_NNNN (the intrinsics of 2201).  Their columns:
 * "Atlas A2" is 2201, "Atlas inference products AI Core" 2002, "Atlas 350" or "Ascend
 * 950PR" 3510.
 *
 * ASSUMED is a row for which no page was found, and what it is taken to be.  Kernels
 * that call such a row: tests/backends/npu/test_ascend_assumed.py.  What it names is to
 * be held against a device's own compiler. */
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

/* Add, Sub, Mul, Max, Min and with a scalar: tik_0065 (vec_add), tik_0074 (vec_adds)
 * for 2201 and 2002; Add 07_0035 and Max 07_0039, which have the other types of 3510.
 * ASSUMED: Sub, Mul and Min take there what they take on 2201. */
constexpr uint32_t kArithmetic = kF16 | kF32 | kI16 | kI32;
/* Duplicate, 07_0087 and tik_0099 (vec_dup). */
constexpr uint32_t kDuplicateTypes = kF16 | kF32 | kI16 | kU16 | kI32 | kU32 |
                                     (k2201 || k3510 ? kBF16 : 0) |
                                     on_3510(kI8 | kU8 | kI64 | kU64);
/* CreateVecIndex, 07_0090: all three columns. */
constexpr uint32_t kRampTypes = kF16 | kF32 | kI16 | kI32 | on_3510(kI8 | kI64);
/* ArithProgression, 07_0856 of CANN 8.3, which 8.5 and later call Arange: all three
 * columns. */
constexpr uint32_t kProgressionTypes = kF16 | kF32 | kI16 | kI32 | on_3510(kI64);
/* Copy, 07_0106: "Atlas inference products AI Core: x". */
constexpr uint32_t kCopyTypes =
    k2201 || k3510 ? kF16 | kBF16 | kF32 | kI16 | kU16 | kI32 | kU32 |
                         on_3510(kI8 | kU8 | kI64 | kU64)
                   : 0;
/* Select: half and float by vsel, cce_0039.  ASSUMED: 2002 and 3510 as 2201. */
constexpr uint32_t kSelectTypes = kHalfFloat;
/* Brcb, 07_0089: all three columns; 3510's bytes and 64 bits the twin has not.  Both
 * operands may not be the same memory, and on 2002 it takes 8 KiB of UB for itself. */
constexpr uint32_t kBlockTypes = kF16 | kF32 | kI16 | kU16 | kI32 | kU32 |
                                 (k2201 || k3510 ? kBF16 : 0);
/* Gather, 07_0092: all three columns. */
constexpr uint32_t kGatherTypes = kF16 | kF32 | kI16 | kU16 | kI32 | kU32 |
                                  (k2201 || k3510 ? kBF16 : 0) |
                                  on_3510(kI8 | kU8 | kI64 | kU64);
/* ReduceMax, 07_0075: all three columns; 3510 takes whole numbers, too, which the twin
 * has not.  WholeReduceMax, 07_0079.  ASSUMED: the other reductions take halves and
 * floats as these do. */
constexpr uint32_t kReduceTypes = kHalfFloat;

constexpr uint32_t types_of(Op op) {
    switch (op) {
        case Op::Add:
        case Op::Max: return kArithmetic | on_3510(kBF16 | kWholes3510);
        case Op::Sub:
        case Op::Mul:
        case Op::Min: return kArithmetic;
        case Op::Div: /* 07_0038: all three columns */
            return kHalfFloat | on_3510(kI16 | kU16 | kI32 | kU32 | kI64 | kU64);
        case Op::And: /* 07_0041.  ASSUMED: Or takes what And takes */
        case Op::Or: return kI16 | kU16 | on_3510(kWholes3510 | kI32);
        case Op::Not: /* 07_0031; of half and float, which 3510 has, too, not here */
            return kI16 | kU16 | on_3510(kWholes3510 | kI32);
        case Op::ShiftLeft:
        case Op::ShiftRight:
            /* 07_0058: "Atlas inference products AI Core: x"; 07_0069 of CANN 8.0.RC2
             * lists 2201 and no 2002; 3510: 07_00251, 07_00252. */
            if (kTarget.number == 2002) return 0;
            return kI16 | kU16 | kI32 | kU32 | on_3510(kI8 | kU8 | kI64 | kU64);
        case Op::Abs: /* 07_0027: all three columns */
            return kHalfFloat | on_3510(kI8 | kI16 | kI32 | kI64);
        case Op::Relu: /* 07_0032: all three columns */
            return kHalfFloat | kI32 | on_3510(kI64);
        case Op::Neg: /* 07_00244: 3510 only */
            return on_3510(kHalfFloat | kI8 | kI16 | kI32 | kI64);
        case Op::Exp: /* 07_0025: all three columns */
        case Op::Ln:  /* ASSUMED: this and the others take what Exp takes */
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

/* Compares, which was CompareScalar (07_0078 of CANN 8.0.RC2): half and float on 2002
 * and 2201, there int32_t "for CMPMODE::EQ only", too.  3510: 07_0066 (Compare).
 * ASSUMED: Compare takes what Compares takes on 2002 and 2201, and the other way round
 * on 3510. */
inline bool compare_allowed(Type type, AscendC::CMPMODE mode) {
    if (bit(type) & kHalfFloat) return true;
    if (k3510) return bit(type) & (kBF16 | kI16 | kI32 | kWholes3510);
    return k2201 && type == Type::I32 && mode == AscendC::CMPMODE::EQ;
}

/* Cast, 07_0073: pairs and rounding modes (CAST_NONE, the five of whole numbers, ODD).
 *
 * 2201: row for row the conversions that hivm.hir.vcast of the official compiler takes
 * (AscendNPU-IR, HIVMVectorOps.td, Apache-2.0: where it has rint alone, CAST_NONE is the
 * mode that says that nothing is rounded); float to half, int64, int32 and int16 also by
 * 07_0090 of CANN 7.0, bfloat16 to float and int32 by vconv, cce_0049, float to half
 * with ODD and to int32 by the scalar form, 07_0018.
 * 2002: float to int32 with five modes, int32 to float and half to float with none, and
 * float to half with none or ODD are those of the scalar conversion, tik_0044.
 * ASSUMED: half to and from int8 and uint8 on 2002 as on 2201, float to float and half to
 * int32 there, too; all of 3510 as 2201. */
constexpr uint8_t kNone = 1, kFive = 2 | 4 | 8 | 16 | 32, kOdd = 64,
                  kSix = kNone | kFive;
struct CastRule {
    Type from, to;
    uint8_t on_2201, on_2002, on_3510;
};
constexpr CastRule kCasts[] = {
    {Type::F32, Type::F32, kFive, kFive, kFive},
    /* 310P: the example of predefined macros, atlas_ascendc_10_00044, and 07_0018. */
    {Type::F32, Type::F16, kSix | kOdd, kNone | kOdd, kSix | kOdd},
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
