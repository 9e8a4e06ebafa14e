/* Reductions and their counterpart, the broadcast of eight elements to eight blocks. */
#ifndef OPSLIB_TWIN_REDUCE_H
#define OPSLIB_TWIN_REDUCE_H

#include "opslib_twin_tensor.h"

namespace AscendC {

template <typename T>
inline void ReduceSum(const LocalTensor<T>& dst, const LocalTensor<T>& src,
                      const LocalTensor<T>& work, int32_t count, OPSLIB_TWIN_LINE) {
    opslib_twin::reduce("ReduceSum", opslib_twin::Fold::Sum, dst.operand, src.operand,
                        work.operand, count, false, line);
}
template <typename T>
inline void ReduceMax(const LocalTensor<T>& dst, const LocalTensor<T>& src,
                      const LocalTensor<T>& work, int32_t count, bool calIndex = false,
                      OPSLIB_TWIN_LINE) {
    opslib_twin::reduce("ReduceMax", opslib_twin::Fold::Max, dst.operand, src.operand,
                        work.operand, count, calIndex, line);
}
template <typename T>
inline void ReduceMin(const LocalTensor<T>& dst, const LocalTensor<T>& src,
                      const LocalTensor<T>& work, int32_t count, bool calIndex = false,
                      OPSLIB_TWIN_LINE) {
    opslib_twin::reduce("ReduceMin", opslib_twin::Fold::Min, dst.operand, src.operand,
                        work.operand, count, calIndex, line);
}

inline opslib_twin::Walk OpslibTwinReduceWalk(int32_t mask, int32_t repeats,
                                              int32_t src_block, int32_t src_repeat) {
    opslib_twin::Walk walk{false,
                           0,
                           uint32_t(repeats),
                           {0, 0},
                           {1, uint16_t(src_block), 1},
                           {8, uint16_t(src_repeat), 8}};
    opslib_twin::first_lanes(uint64_t(mask), walk.mask);
    return walk;
}

/* One result for each repeat; dstRepStride counts elements for a sum, and value-index
 * pairs for the extremes (in the default order). */
template <typename T>
inline void WholeReduceSum(const LocalTensor<T>& dst, const LocalTensor<T>& src,
                           int32_t mask, int32_t repeatTime, int32_t dstRepStride,
                           int32_t srcBlkStride, int32_t srcRepStride,
                           OPSLIB_TWIN_LINE) {
    opslib_twin::whole_reduce(
        "WholeReduceSum", opslib_twin::Fold::Sum, dst.operand, src.operand,
        OpslibTwinReduceWalk(mask, repeatTime, srcBlkStride, srcRepStride),
        uint32_t(dstRepStride), ReduceOrder::ORDER_ONLY_VALUE, false, line);
}
template <typename T>
inline void WholeReduceMax(const LocalTensor<T>& dst, const LocalTensor<T>& src,
                           int32_t mask, int32_t repeatTime, int32_t dstRepStride,
                           int32_t srcBlkStride, int32_t srcRepStride,
                           ReduceOrder order = ReduceOrder::ORDER_VALUE_INDEX,
                           OPSLIB_TWIN_LINE) {
    opslib_twin::whole_reduce(
        "WholeReduceMax", opslib_twin::Fold::Max, dst.operand, src.operand,
        OpslibTwinReduceWalk(mask, repeatTime, srcBlkStride, srcRepStride),
        uint32_t(dstRepStride), order, true, line);
}
template <typename T>
inline void WholeReduceMin(const LocalTensor<T>& dst, const LocalTensor<T>& src,
                           int32_t mask, int32_t repeatTime, int32_t dstRepStride,
                           int32_t srcBlkStride, int32_t srcRepStride,
                           ReduceOrder order = ReduceOrder::ORDER_VALUE_INDEX,
                           OPSLIB_TWIN_LINE) {
    opslib_twin::whole_reduce(
        "WholeReduceMin", opslib_twin::Fold::Min, dst.operand, src.operand,
        OpslibTwinReduceWalk(mask, repeatTime, srcBlkStride, srcRepStride),
        uint32_t(dstRepStride), order, true, line);
}

/* One result for each 32 byte block: eight for a repeat. */
#define OPSLIB_TWIN_BLOCK_REDUCE(NAME, FOLD)                                         \
    template <typename T>                                                            \
    inline void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src,           \
                     int32_t repeatTime, int32_t mask, int32_t dstRepStride,         \
                     int32_t srcBlkStride, int32_t srcRepStride, OPSLIB_TWIN_LINE) { \
        opslib_twin::Walk walk =                                                     \
            OpslibTwinReduceWalk(mask, repeatTime, srcBlkStride, srcRepStride);      \
        walk.repeat[0] = uint16_t(dstRepStride);                                     \
        opslib_twin::block_reduce(#NAME, opslib_twin::Fold::FOLD, dst.operand,       \
                                  src.operand, walk, line);                          \
    }
OPSLIB_TWIN_BLOCK_REDUCE(BlockReduceSum, Sum)
OPSLIB_TWIN_BLOCK_REDUCE(BlockReduceMax, Max)
OPSLIB_TWIN_BLOCK_REDUCE(BlockReduceMin, Min)
#undef OPSLIB_TWIN_BLOCK_REDUCE

/* dst[i] = src[2 i] + src[2 i + 1] */
template <typename T>
inline void PairReduceSum(const LocalTensor<T>& dst, const LocalTensor<T>& src,
                          int32_t repeatTime, int32_t mask, int32_t dstRepStride,
                          int32_t srcBlkStride, int32_t srcRepStride,
                          OPSLIB_TWIN_LINE) {
    opslib_twin::Walk walk =
        OpslibTwinReduceWalk(mask, repeatTime, srcBlkStride, srcRepStride);
    walk.repeat[0] = uint16_t(dstRepStride);
    opslib_twin::pair_reduce(dst.operand, src.operand, walk, line);
}

/* Each repeat takes eight elements and fills one 32 byte block with each. */
template <typename T>
inline void Brcb(const LocalTensor<T>& dst, const LocalTensor<T>& src,
                 uint8_t repeatTime, const BrcbRepeatParams& params, OPSLIB_TWIN_LINE) {
    opslib_twin::broadcast_blocks(dst.operand, src.operand, repeatTime, params, line);
}

}  // namespace AscendC

#endif
