/* Vector instructions.  Each is documented in its "first n data elements" form, and
 * most in the "high-dimensional sharding" form with a mask, a repeat count and strides.
 */
#ifndef OPSLIB_TWIN_VECTOR_H
#define OPSLIB_TWIN_VECTOR_H

#include "opslib_twin_tensor.h"

namespace AscendC {

template <typename T>
inline opslib_twin::Walk OpslibTwinWalk(uint64_t mask, uint32_t repeats,
                                        const BinaryRepeatParams& p) {
    opslib_twin::Walk walk{false,
                           0,
                           repeats,
                           {0, 0},
                           {p.dstBlkStride, p.src0BlkStride, p.src1BlkStride},
                           {p.dstRepStride, p.src0RepStride, p.src1RepStride}};
    opslib_twin::first_lanes(mask, walk.mask);
    return walk;
}
template <typename T>
inline opslib_twin::Walk OpslibTwinWalk(const uint64_t* mask, uint32_t repeats,
                                        const BinaryRepeatParams& p) {
    return {false,
            0,
            repeats,
            {mask[0], sizeof(T) >= 4 ? 0 : mask[1]},
            {p.dstBlkStride, p.src0BlkStride, p.src1BlkStride},
            {p.dstRepStride, p.src0RepStride, p.src1RepStride}};
}
template <typename T>
inline opslib_twin::Walk OpslibTwinWalk(uint64_t mask, uint32_t repeats,
                                        const UnaryRepeatParams& p) {
    opslib_twin::Walk walk{false,
                           0,
                           repeats,
                           {0, 0},
                           {p.dstBlkStride, p.srcBlkStride, 1},
                           {p.dstRepStride, p.srcRepStride, 8}};
    opslib_twin::first_lanes(mask, walk.mask);
    return walk;
}
template <typename T>
inline opslib_twin::Walk OpslibTwinWalk(const uint64_t* mask, uint32_t repeats,
                                        const UnaryRepeatParams& p) {
    return {false,
            0,
            repeats,
            {mask[0], sizeof(T) >= 4 ? 0 : mask[1]},
            {p.dstBlkStride, p.srcBlkStride, 1},
            {p.dstRepStride, p.srcRepStride, 8}};
}

/* clang-format off */
#define OPSLIB_TWIN_BINARY(NAME)                                                       \
    template <typename T>                                                              \
    inline void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src0,            \
                     const LocalTensor<T>& src1, int32_t count, OPSLIB_TWIN_LINE) {    \
        opslib_twin::vector(#NAME, opslib_twin::Op::NAME, dst.operand, src0.operand,   \
                            &src1.operand, nullptr, opslib_twin::counted(count), line);\
    }                                                                                  \
    template <typename T>                                                              \
    inline void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src0,            \
                     const LocalTensor<T>& src1, uint64_t mask, uint8_t repeatTime,    \
                     const BinaryRepeatParams& params, OPSLIB_TWIN_LINE) {             \
        opslib_twin::vector(#NAME, opslib_twin::Op::NAME, dst.operand, src0.operand,   \
                            &src1.operand, nullptr,                                    \
                            OpslibTwinWalk<T>(mask, repeatTime, params), line);        \
    }                                                                                  \
    template <typename T>                                                              \
    inline void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src0,            \
                     const LocalTensor<T>& src1, uint64_t* mask, uint8_t repeatTime,   \
                     const BinaryRepeatParams& params, OPSLIB_TWIN_LINE) {             \
        opslib_twin::vector(#NAME, opslib_twin::Op::NAME, dst.operand, src0.operand,   \
                            &src1.operand, nullptr,                                    \
                            OpslibTwinWalk<T>(mask, repeatTime, params), line);        \
    }
OPSLIB_TWIN_BINARY(Add)
OPSLIB_TWIN_BINARY(Sub)
OPSLIB_TWIN_BINARY(Mul)
OPSLIB_TWIN_BINARY(Div)
OPSLIB_TWIN_BINARY(Max)
OPSLIB_TWIN_BINARY(Min)
OPSLIB_TWIN_BINARY(And)
OPSLIB_TWIN_BINARY(Or)
#undef OPSLIB_TWIN_BINARY

#define OPSLIB_TWIN_SCALAR(NAME, OP)                                                   \
    template <typename T>                                                              \
    inline void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src,             \
                     const T& value, int32_t count, OPSLIB_TWIN_LINE) {                \
        opslib_twin::Scalar scalar = opslib_twin::scalar_of(value);                    \
        opslib_twin::vector(#NAME, opslib_twin::Op::OP, dst.operand, src.operand,      \
                            nullptr, &scalar, opslib_twin::counted(count), line);      \
    }                                                                                  \
    template <typename T>                                                              \
    inline void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src,             \
                     const T& value, uint64_t mask, uint8_t repeatTime,                \
                     const UnaryRepeatParams& params, OPSLIB_TWIN_LINE) {              \
        opslib_twin::Scalar scalar = opslib_twin::scalar_of(value);                    \
        opslib_twin::vector(#NAME, opslib_twin::Op::OP, dst.operand, src.operand,      \
                            nullptr, &scalar,                                          \
                            OpslibTwinWalk<T>(mask, repeatTime, params), line);        \
    }                                                                                  \
    template <typename T>                                                              \
    inline void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src,             \
                     const T& value, uint64_t* mask, uint8_t repeatTime,               \
                     const UnaryRepeatParams& params, OPSLIB_TWIN_LINE) {              \
        opslib_twin::Scalar scalar = opslib_twin::scalar_of(value);                    \
        opslib_twin::vector(#NAME, opslib_twin::Op::OP, dst.operand, src.operand,      \
                            nullptr, &scalar,                                          \
                            OpslibTwinWalk<T>(mask, repeatTime, params), line);        \
    }
OPSLIB_TWIN_SCALAR(Adds, Add)
OPSLIB_TWIN_SCALAR(Muls, Mul)
OPSLIB_TWIN_SCALAR(Maxs, Max)
OPSLIB_TWIN_SCALAR(Mins, Min)
OPSLIB_TWIN_SCALAR(ShiftLeft, ShiftLeft)
OPSLIB_TWIN_SCALAR(ShiftRight, ShiftRight)
OPSLIB_TWIN_SCALAR(LeakyRelu, LeakyRelu)
#undef OPSLIB_TWIN_SCALAR

#define OPSLIB_TWIN_UNARY(NAME)                                                        \
    template <typename T>                                                              \
    inline void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src,             \
                     int32_t count, OPSLIB_TWIN_LINE) {                                \
        opslib_twin::vector(#NAME, opslib_twin::Op::NAME, dst.operand, src.operand,    \
                            nullptr, nullptr, opslib_twin::counted(count), line);      \
    }                                                                                  \
    template <typename T>                                                              \
    inline void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src,             \
                     uint64_t mask, uint8_t repeatTime,                                \
                     const UnaryRepeatParams& params, OPSLIB_TWIN_LINE) {              \
        opslib_twin::vector(#NAME, opslib_twin::Op::NAME, dst.operand, src.operand,    \
                            nullptr, nullptr,                                          \
                            OpslibTwinWalk<T>(mask, repeatTime, params), line);        \
    }                                                                                  \
    template <typename T>                                                              \
    inline void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src,             \
                     uint64_t* mask, uint8_t repeatTime,                               \
                     const UnaryRepeatParams& params, OPSLIB_TWIN_LINE) {              \
        opslib_twin::vector(#NAME, opslib_twin::Op::NAME, dst.operand, src.operand,    \
                            nullptr, nullptr,                                          \
                            OpslibTwinWalk<T>(mask, repeatTime, params), line);        \
    }
OPSLIB_TWIN_UNARY(Exp)
OPSLIB_TWIN_UNARY(Ln)
OPSLIB_TWIN_UNARY(Sqrt)
OPSLIB_TWIN_UNARY(Rsqrt)
OPSLIB_TWIN_UNARY(Reciprocal)
OPSLIB_TWIN_UNARY(Abs)
OPSLIB_TWIN_UNARY(Relu)
OPSLIB_TWIN_UNARY(Neg)
OPSLIB_TWIN_UNARY(Not)
#undef OPSLIB_TWIN_UNARY

/* dst += src * value */
template <typename T, typename U>
inline void Axpy(const LocalTensor<T>& dst, const LocalTensor<U>& src, const U& value,
                 int32_t count, OPSLIB_TWIN_LINE) {
    opslib_twin::Scalar scalar = opslib_twin::scalar_of(value);
    opslib_twin::vector("Axpy", opslib_twin::Op::MulAdd, dst.operand, src.operand,
                        &dst.operand, &scalar, opslib_twin::counted(count), line);
}

template <typename T>
inline void Duplicate(const LocalTensor<T>& dst, const T& value, int32_t count,
                      OPSLIB_TWIN_LINE) {
    opslib_twin::duplicate(dst.operand, opslib_twin::scalar_of(value),
                           opslib_twin::counted(count), line);
}
template <typename T>
inline void Duplicate(const LocalTensor<T>& dst, const T& value, uint64_t mask,
                      uint8_t repeatTime, uint16_t dstBlockStride,
                      uint8_t dstRepeatStride, OPSLIB_TWIN_LINE) {
    opslib_twin::Walk walk{false, 0, repeatTime, {0, 0}, {dstBlockStride, 1, 1},
                           {dstRepeatStride, 8, 8}};
    opslib_twin::first_lanes(mask, walk.mask);
    opslib_twin::duplicate(dst.operand, opslib_twin::scalar_of(value), walk, line);
}

template <typename T>
inline void CreateVecIndex(LocalTensor<T> dst, const T& first, uint32_t count,
                           OPSLIB_TWIN_LINE) {
    opslib_twin::index_ramp("CreateVecIndex", dst.operand,
                            opslib_twin::scalar_of(first), {1, 1}, count, line);
}
/* ArithProgression's name from CANN 8.5 on. */
template <typename T>
inline void Arange(const LocalTensor<T>& dst, const T first, const T step,
                   int32_t count, OPSLIB_TWIN_LINE) {
    opslib_twin::index_ramp("Arange", dst.operand, opslib_twin::scalar_of(first),
                            opslib_twin::scalar_of(step), count, line);
}
template <typename T>
inline void ArithProgression(const LocalTensor<T>& dst, const T first, const T step,
                             int32_t count, OPSLIB_TWIN_LINE) {
    opslib_twin::index_ramp("ArithProgression", dst.operand,
                            opslib_twin::scalar_of(first), opslib_twin::scalar_of(step),
                            count, line);
}

template <typename T>
inline void Copy(const LocalTensor<T>& dst, const LocalTensor<T>& src, uint64_t mask,
                 uint8_t repeatTime, const CopyRepeatParams& p, OPSLIB_TWIN_LINE) {
    opslib_twin::Walk walk{false, 0, repeatTime, {0, 0}, {p.dstStride, p.srcStride, 1},
                           {p.dstRepeatSize, p.srcRepeatSize, 8}};
    opslib_twin::first_lanes(mask, walk.mask);
    opslib_twin::copy(dst.operand, src.operand, walk, line);
}

template <typename T, typename U>
inline void Cast(const LocalTensor<T>& dst, const LocalTensor<U>& src,
                 const RoundMode& mode, uint32_t count, OPSLIB_TWIN_LINE) {
    opslib_twin::cast(dst.operand, src.operand, mode, count, line);
}

/* One bit for each element, the first in the lowest bit. */
template <typename T, typename U>
inline void Compare(const LocalTensor<U>& dst, const LocalTensor<T>& src0,
                    const LocalTensor<T>& src1, CMPMODE mode, uint32_t count,
                    OPSLIB_TWIN_LINE) {
    opslib_twin::compare("Compare", dst.operand, src0.operand, &src1.operand, {0, 0},
                         mode, count, line);
}
template <typename T, typename U>
inline void CompareScalar(const LocalTensor<U>& dst, const LocalTensor<T>& src,
                          const T value, CMPMODE mode, uint32_t count,
                          OPSLIB_TWIN_LINE) {
    opslib_twin::compare("CompareScalar", dst.operand, src.operand, nullptr,
                         opslib_twin::scalar_of(value), mode, count, line);
}
template <typename T, typename U>
inline void Compares(const LocalTensor<U>& dst, const LocalTensor<T>& src,
                     const T value, CMPMODE mode, uint32_t count, OPSLIB_TWIN_LINE) {
    opslib_twin::compare("Compares", dst.operand, src.operand, nullptr,
                         opslib_twin::scalar_of(value), mode, count, line);
}

/* dst = mask bit ? src0 : src1 */
template <typename T, typename U>
inline void Select(const LocalTensor<T>& dst, const LocalTensor<U>& mask,
                   const LocalTensor<T>& src0, const LocalTensor<T>& src1, SELMODE mode,
                   uint32_t count, OPSLIB_TWIN_LINE) {
    opslib_twin::select(dst.operand, mask.operand, src0.operand, &src1.operand, {0, 0},
                        mode, count, line);
}
template <typename T, typename U>
inline void Select(const LocalTensor<T>& dst, const LocalTensor<U>& mask,
                   const LocalTensor<T>& src0, T src1, SELMODE mode, uint32_t count,
                   OPSLIB_TWIN_LINE) {
    opslib_twin::select(dst.operand, mask.operand, src0.operand, nullptr,
                        opslib_twin::scalar_of(src1), mode, count, line);
}
/* clang-format on */

/* dst[i] = the element `base + offsets[i]` bytes after the start of src */
template <typename T>
inline void Gather(const LocalTensor<T>& dst, const LocalTensor<T>& src,
                   const LocalTensor<uint32_t>& offsets, uint32_t base, uint32_t count,
                   OPSLIB_TWIN_LINE) {
    opslib_twin::gather(dst.operand, src.operand, offsets.operand, base, count, line);
}

}  // namespace AscendC

#endif
