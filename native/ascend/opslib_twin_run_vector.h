/* Elementwise vector instructions.  Part of the engine. */
#ifndef OPSLIB_TWIN_RUN_VECTOR_H
#define OPSLIB_TWIN_RUN_VECTOR_H

#include "opslib_twin_cost.h"
#include "opslib_twin_number.h"
#include "opslib_twin_rules.h"
#include "opslib_twin_shadow.h"

namespace opslib_twin {

/* Calls f(dst, a, b, n) with byte offsets and a number of elements for each contiguous
 * piece of the walk; false stops. */
template <typename F>
inline void each_piece(const Walk& walk, uint32_t size, F f) {
    if (walk.counted) {
        if (walk.count) f(0u, 0u, 0u, walk.count);
        return;
    }
    uint32_t lanes = kBlockBytes / size;
    for (uint32_t r = 0; r < walk.repeats; r++)
        for (uint32_t b = 0; b < 8; b++) {
            uint32_t first = b * lanes;
            uint64_t bits = walk.mask[first >> 6] >> (first & 63);
            for (uint32_t i = 0; i < lanes;) {
                if (!(bits >> i & 1)) {
                    i++;
                    continue;
                }
                uint32_t from = i;
                while (i < lanes && (bits >> i & 1)) i++;
                f((r * walk.repeat[0] + b * walk.block[0]) * kBlockBytes + from * size,
                  (r * walk.repeat[1] + b * walk.block[1]) * kBlockBytes + from * size,
                  (r * walk.repeat[2] + b * walk.block[2]) * kBlockBytes + from * size,
                  i - from);
            }
        }
}

/* Whole repeats, whatever the mask. */
inline uint32_t repeats_of(const Walk& walk, uint32_t size) {
    if (!walk.counted) return walk.repeats;
    return uint32_t((uint64_t(walk.count) * size + kRepeatBytes - 1) / kRepeatBytes);
}

inline bool walk_ok(const Walk& walk, uint32_t size) {
    if (walk.counted) {
        if (walk.count < 0x80000000u) return true;
        report("range", "a negative count");
        return false;
    }
    if (walk.repeats > kRepeatLimit) {
        report("range", "%u repeats; at most %u", walk.repeats, kRepeatLimit);
        return false;
    }
    if (size == 1) {
        report("unsupported", "the twin has no masks for elements of 8 bits");
        return false;
    }
    uint32_t lanes = kRepeatBytes / size;
    if ((!walk.mask[0] && !walk.mask[1]) ||
        (lanes <= 64 && (walk.mask[1] || (lanes < 64 && walk.mask[0] >> lanes)))) {
        report("range", "a mask without lanes, or with more than the %u of a repeat",
               lanes);
        return false;
    }
    return true;
}

/* "General constraints": operands may be the same memory, but not overlap in part. */
inline void overlap_ok(const Local& dst, uint64_t dst_bytes, const Local& src,
                       uint64_t src_bytes) {
    if (scope_of(dst.position) != scope_of(src.position)) return;
    if (dst.address == src.address && dst_bytes == src_bytes) return;
    if (dst.address < src.address + src_bytes && src.address < dst.address + dst_bytes)
        report("overlap", "destination at %u and source at %u overlap in part",
               dst.address, src.address);
}

/* What a device may give for an estimate: see kHalfError in opslib_twin_rules.h.  The
 * sign of the error follows the last bits of the value, so that errors do not cancel in
 * a quotient of two estimates. */
inline double estimate(double value, [[maybe_unused]] Type type) {
#ifdef OPSLIB_TWIN_APPROXIMATE
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    double error = type == Type::F16 ? kHalfError : kFloatError;
    return value * (__builtin_parityll(bits) ? 1 + error : 1 - error);
#else
    return value;
#endif
}

/* What Max and Min make of a nan is on no page.  Here it is a nan, which spreads, and
 * the lane is counted; the approximate twin takes the number instead, so that a kernel
 * which leans on either gives itself away. */
inline double with_nan(double a, double b) {
    state->counters[kNanChoices]++;
#ifdef OPSLIB_TWIN_APPROXIMATE
    return a != a ? b : a;
#else
    return a != a ? a : b;
#endif
}

inline double real_op(Op op, double a, double b, double c, Type type) {
    switch (op) {
        case Op::Add: return a + b;
        case Op::Sub: return a - b;
        case Op::Mul: return a * b;
        case Op::Div: return a / b;
        case Op::Max: return a != a || b != b ? with_nan(a, b) : a > b ? a : b;
        case Op::Min: return a != a || b != b ? with_nan(a, b) : a < b ? a : b;
        case Op::Exp: return exp(a);
        case Op::Ln: return log(a);
        case Op::Sqrt: return sqrt(a);
        case Op::Rsqrt: return estimate(1 / sqrt(a), type);
        case Op::Reciprocal: return estimate(1 / a, type);
        case Op::Abs: return fabs(a);
        case Op::Relu: return a > 0 || a != a ? a : 0;
        case Op::Neg: return -a;
        case Op::LeakyRelu: return a >= 0 || a != a ? a : a * c;
        case Op::MulAdd: return a * c + b;
        default: return 0;
    }
}

/* ShiftLeft, 07_0058: the sign bit of signed numbers stays as it is ("the second
 * highest bit is discarded"). */
inline int64_t shifted_left(int64_t a, int64_t b, int width, bool is_signed) {
    if (b < 0 || b >= width) return 0;
    uint64_t moved = uint64_t(a) << b, sign = 1ull << (width - 1);
    return int64_t(is_signed ? (moved & ~sign) | (uint64_t(a) & sign) : moved);
}

/* Modulo 2^64 here, and modulo the width when stored. */
inline int64_t whole_op(Op op, int64_t a, int64_t b, int width, bool is_signed) {
    uint64_t x = uint64_t(a), y = uint64_t(b);
    switch (op) {
        case Op::Add: return int64_t(x + y);
        case Op::Sub: return int64_t(x - y);
        case Op::Mul: return int64_t(x * y);
        case Op::Max: return a > b ? a : b;
        case Op::Min: return a < b ? a : b;
        case Op::And: return a & b;
        case Op::Or: return a | b;
        case Op::Xor: return a ^ b;
        case Op::ShiftLeft: return shifted_left(a, b, width, is_signed);
        case Op::ShiftRight: return b < 0 || b >= width ? (a < 0 ? -1 : 0) : a >> b;
        case Op::Abs: return a < 0 ? int64_t(0 - x) : a;
        case Op::Relu: return a > 0 ? a : 0;
        case Op::Neg: return int64_t(0 - x);
        case Op::Not: return ~a;
        case Op::Div: return b == -1 ? int64_t(0 - x) : b ? a / b : 0;
        default: return 0;
    }
}

/* Where 64 bits without a sign differ from the above. */
inline int64_t unsigned_op(Op op, int64_t a, int64_t b) {
    uint64_t x = uint64_t(a), y = uint64_t(b);
    switch (op) {
        case Op::Max: return int64_t(x > y ? x : y);
        case Op::Min: return int64_t(x < y ? x : y);
        case Op::ShiftRight: return y >= 64 ? 0 : int64_t(x >> y);
        case Op::Div: return y ? int64_t(x / y) : 0;
        default: return whole_op(op, a, b, 64, false);
    }
}

inline void apply(Op op, Type type, Type source, uint8_t* dst, const uint8_t* a,
                  const uint8_t* b, const Scalar* scalar, uint32_t count) {
    uint32_t size = uint32_t(size_of(type)), narrow = uint32_t(size_of(source));
    if (is_real(type)) {
        double c = scalar ? scalar->real : 0;
        for (uint32_t i = 0; i < count; i++) {
            double x = load_real(a + size_t(i) * narrow, source);
            double y = b ? load_real(b + size_t(i) * size, type) : c;
            store_real(dst + size_t(i) * size, type, real_op(op, x, y, c, type));
        }
        return;
    }
    int64_t c = scalar ? scalar->whole : 0;
    for (uint32_t i = 0; i < count; i++) {
        int64_t x = load_whole(a + size_t(i) * size, type);
        int64_t y = b ? load_whole(b + size_t(i) * size, type) : c;
        store_whole(dst + size_t(i) * size, type,
                    type == Type::U64 ? unsigned_op(op, x, y)
                                      : whole_op(op, x, y, int(size) * 8,
                                                 is_signed(type)));
    }
}

void vector(const char* name, Op op, const Local& dst, const Local& a, const Local* b,
            const Scalar* scalar, const Walk& walk, int line) {
    begin(V, name, line);
    if (!type_allowed(op, dst.type)) {
        report("type", "%s does not take %s on this chip", name, name_of(dst.type));
        return;
    }
    bool in_ub = in_unified(dst) && in_unified(a) && (!b || in_unified(*b));
    if (!in_ub || !walk_ok(walk, dst.size)) return;
    aligned(dst, 32, "the destination");
    aligned(a, 32, "the source");
    if (b) aligned(*b, 32, "the second source");
    if (walk.counted) {
        uint64_t bytes = uint64_t(walk.count) * dst.size;
        overlap_ok(dst, bytes, a, uint64_t(walk.count) * a.size);
        if (b) overlap_ok(dst, bytes, *b, bytes);
    }
    each_piece(walk, dst.size, [&](uint32_t d, uint32_t x, uint32_t y, uint32_t n) {
        if (!reads(a, x, uint64_t(n) * a.size)) return;
        if (b && !reads(*b, y, uint64_t(n) * b->size)) return;
        if (!writes(dst, d, uint64_t(n) * dst.size)) return;
        apply(op, dst.type, a.type, memory(dst, d), memory(a, x),
              b ? memory(*b, y) : nullptr, scalar, n);
    });
    spend_repeats(repeats_of(walk, dst.size));
}

void duplicate(const Local& dst, Scalar value, const Walk& walk, int line) {
    begin(V, "Duplicate", line);
    if (!require_types("Duplicate", kDuplicateTypes, dst.type)) return;
    if (!in_unified(dst) || !walk_ok(walk, dst.size)) return;
    aligned(dst, 32, "the destination");
    each_piece(walk, dst.size, [&](uint32_t d, uint32_t, uint32_t, uint32_t n) {
        if (!writes(dst, d, uint64_t(n) * dst.size)) return;
        for (uint32_t i = 0; i < n; i++) {
            uint8_t* at = memory(dst, d + i * dst.size);
            if (is_real(dst.type))
                store_real(at, dst.type, value.real);
            else
                store_whole(at, dst.type, value.whole);
        }
    });
    spend_repeats(repeats_of(walk, dst.size));
}

void index_ramp(const char* name, const Local& dst, Scalar first, Scalar step,
                int64_t count, int line) {
    begin(V, name, line);
    bool index = name[0] == 'C';
    if (!require_types(name, index ? kRampTypes : kProgressionTypes, dst.type)) return;
    if (!index && (step.real < 0 || step.whole < 0 || count < 1)) {
        report("range", "%s with a step below 0, or of nothing", name);
        return;
    }
    Walk walk = counted(count);
    if (!in_unified(dst) || !walk_ok(walk, dst.size)) return;
    aligned(dst, 32, "the destination");
    if (!writes(dst, 0, uint64_t(walk.count) * dst.size)) return;
    for (uint32_t i = 0; i < walk.count; i++) {
        uint8_t* at = memory(dst, uint64_t(i) * dst.size);
        if (is_real(dst.type))
            store_real(at, dst.type, first.real + i * step.real);
        else
            store_whole(at, dst.type, first.whole + int64_t(i) * step.whole);
    }
    spend_repeats(repeats_of(walk, dst.size));
}

void copy(const Local& dst, const Local& src, const Walk& walk, int line) {
    begin(V, "Copy", line);
    if (!require_types("Copy", kCopyTypes, dst.type)) return;
    if (!in_unified(dst) || !in_unified(src) || !walk_ok(walk, dst.size)) return;
    aligned(dst, 32, "the destination");
    aligned(src, 32, "the source");
    each_piece(walk, dst.size, [&](uint32_t d, uint32_t a, uint32_t, uint32_t n) {
        uint64_t bytes = uint64_t(n) * dst.size;
        if (reads(src, a, bytes) && writes(dst, d, bytes))
            memmove(memory(dst, d), memory(src, a), bytes);
    });
    spend_repeats(walk.repeats);
}

void cast(const Local& dst, const Local& src, AscendC::RoundMode mode, int64_t count,
          int line) {
    begin(V, "Cast", line);
    if (!cast_allowed(dst.type, src.type, mode)) {
        report("type", "Cast of %s to %s with rounding mode %d is not one of this chip",
               name_of(src.type), name_of(dst.type), int(mode));
        return;
    }
    uint8_t wide = dst.size > src.size ? dst.size : src.size;
    Walk walk = counted(count);
    if (!in_unified(dst) || !in_unified(src) || !walk_ok(walk, wide)) return;
    aligned(dst, 32, "the destination");
    aligned(src, 32, "the source");
    uint64_t out = uint64_t(walk.count) * dst.size,
             in = uint64_t(walk.count) * src.size;
    overlap_ok(dst, out, src, in);
    if (!walk.count || !reads(src, 0, in) || !writes(dst, 0, out)) return;
    const uint8_t* from = memory(src, 0);
    uint8_t* to = memory(dst, 0);
    for (uint32_t i = 0; i < walk.count; i++, from += src.size, to += dst.size) {
        if (dst.type == src.type)
            store_real(to, dst.type, round_to_whole(load_real(from, src.type), mode));
        else
            store_number(to, dst.type, load_number(from, src.type), mode);
    }
    spend_repeats(repeats_of(walk, wide));
}

inline bool holds(AscendC::CMPMODE mode, bool less, bool equal, bool greater) {
    using AscendC::CMPMODE;
    switch (mode) {
        case CMPMODE::LT: return less;
        case CMPMODE::GT: return greater;
        case CMPMODE::EQ: return equal;
        case CMPMODE::LE: return less || equal;
        case CMPMODE::GE: return greater || equal;
        default: return !equal;
    }
}

void compare(const char* name, const Local& dst, const Local& a, const Local* b,
             Scalar scalar, AscendC::CMPMODE mode, int64_t count, int line) {
    begin(V, name, line);
    if (!compare_allowed(a.type, mode)) {
        report("type", "%s of %s in mode %d is not one of this chip", name,
               name_of(a.type), int(mode));
        return;
    }
    if (dst.size != 1) report("type", "the mask of %s is int8_t or uint8_t", name);
    Walk walk = counted(count);
    bool in_ub = in_unified(dst) && in_unified(a) && (!b || in_unified(*b));
    if (!in_ub || !walk_ok(walk, a.size) || !walk.count) return;
    aligned(dst, 32, "the mask");
    aligned(a, 32, "the source");
    if (b) aligned(*b, 32, "the second source");
    uint64_t bytes = uint64_t(walk.count) * a.size, out = (walk.count + 7) / 8;
    if (kTarget.compare_whole_repeats && bytes % kRepeatBytes)
        report("range", "%s of %llu bytes; it takes multiples of 256", name,
               static_cast<unsigned long long>(bytes));
    /* The last repeat is read whole, wherever the caller's data ends. */
    if (!reads(a, 0, bytes, false) || (b && !reads(*b, 0, bytes, false))) return;
    if (!writes(dst, 0, out)) return;
    uint8_t* mask = memory(dst, 0);
    uint8_t* mask_valid = validity(dst, 0);
    const uint8_t *x = memory(a, 0), *y = b ? memory(*b, 0) : nullptr;
    const uint8_t *x_valid = validity(a, 0), *y_valid = b ? validity(*b, 0) : nullptr;
    memset(mask, 0, out);
    for (uint32_t i = 0; i < walk.count; i++) {
        size_t at = size_t(i) * a.size;
        /* Eight bits share a byte, which is as good as its first element. */
        if (i % 8 == 0) mask_valid[i / 8] = x_valid[at] && (!b || y_valid[at]);
        bool less, equal, greater;
        if (is_real(a.type)) {
            double p = load_real(x + at, a.type);
            double q = b ? load_real(y + at, a.type) : scalar.real;
            less = p<q, equal = p == q, greater = p> q;
        } else {
            int64_t p = load_whole(x + at, a.type);
            int64_t q = b ? load_whole(y + at, a.type) : scalar.whole;
            if (a.type == Type::U64) {
                /* Flipping the sign bit orders them as signed numbers. */
                p ^= INT64_MIN;
                q ^= INT64_MIN;
            }
            less = p<q, equal = p == q, greater = p> q;
        }
        if (holds(mode, less, equal, greater)) mask[i / 8] |= uint8_t(1 << i % 8);
    }
    spend_repeats(repeats_of(walk, a.size));
}

void select(const Local& dst, const Local& mask, const Local& a, const Local* b,
            Scalar scalar, AscendC::SELMODE mode, int64_t count, int line) {
    using AscendC::SELMODE;
    begin(V, "Select", line);
    if (!require_types("Select", kSelectTypes, dst.type)) return;
    if (mode == SELMODE::VSEL_TENSOR_SCALAR_MODE ? b != nullptr : b == nullptr) {
        report("range", "Select's mode does not fit its second source");
        return;
    }
    Walk walk = counted(count);
    bool in_ub =
        in_unified(dst) && in_unified(mask) && in_unified(a) && (!b || in_unified(*b));
    if (!in_ub || !walk_ok(walk, dst.size) || !walk.count) return;
    aligned(dst, 32, "the destination");
    aligned(mask, 32, "the mask");
    aligned(a, 32, "the source");
    if (b) aligned(*b, 32, "the second source");
    uint64_t bytes = uint64_t(walk.count) * dst.size;
    /* Mode 0 uses the bits of the first repeat for every repeat. */
    uint32_t period =
        mode == SELMODE::VSEL_CMPMASK_SPR ? kRepeatBytes / dst.size : 0xffffffffu;
    uint32_t bits = walk.count < period ? walk.count : period;
    overlap_ok(dst, bytes, a, bytes);
    if (b) overlap_ok(dst, bytes, *b, bytes);
    if (!reads(mask, 0, (bits + 7) / 8) || !reads(a, 0, bytes)) return;
    if (b && !reads(*b, 0, bytes)) return;
    if (!writes(dst, 0, bytes)) return;
    const uint8_t* chosen = memory(mask, 0);
    for (uint32_t i = 0; i < walk.count; i++) {
        uint32_t bit = i % period;
        uint64_t at = uint64_t(i) * dst.size;
        uint8_t* to = memory(dst, at);
        if (chosen[bit / 8] >> bit % 8 & 1)
            memmove(to, memory(a, at), dst.size);
        else if (b)
            memmove(to, memory(*b, at), dst.size);
        else if (is_real(dst.type))
            store_real(to, dst.type, scalar.real);
        else
            store_whole(to, dst.type, scalar.whole);
    }
    spend_repeats(repeats_of(walk, dst.size));
}

void gather(const Local& dst, const Local& src, const Local& offsets, uint32_t base,
            int64_t count, int line) {
    begin(V, "Gather", line);
    if (!require_types("Gather", kGatherTypes, dst.type)) return;
    Walk walk = counted(count);
    bool in_ub = in_unified(dst) && in_unified(src) && in_unified(offsets);
    if (!in_ub || !walk_ok(walk, 4) || !walk.count) return;
    aligned(dst, 32, "the destination");
    aligned(src, 32, "the source");
    aligned(offsets, 32, "the offsets");
    if (!reads(offsets, 0, uint64_t(walk.count) * 4)) return;
    if (!writes(dst, 0, uint64_t(walk.count) * dst.size)) return;
    for (uint32_t i = 0; i < walk.count; i++) {
        uint32_t offset;
        memcpy(&offset, memory(offsets, uint64_t(i) * 4), 4);
        uint64_t at = uint64_t(base) + offset;
        if (at % src.size) {
            report("alignment", "offset %llu of Gather is no multiple of %u bytes",
                   static_cast<unsigned long long>(at), unsigned(src.size));
            continue;
        }
        if (reads(src, at, src.size))
            memcpy(memory(dst, uint64_t(i) * dst.size), memory(src, at), src.size);
    }
    spend_repeats(repeats_of(walk, 4));
}

}  // namespace opslib_twin

#endif
