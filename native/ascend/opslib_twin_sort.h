/* Sorting: 32 elements at a time, then merges of up to four sorted lists.  An entry is
 * 8 bytes, the score in the low ones and the index in the high four (Sort, 07_0842). */
#ifndef OPSLIB_TWIN_SORT_H
#define OPSLIB_TWIN_SORT_H

#include "opslib_twin_tensor.h"

namespace AscendC {

template <typename T>
struct MrgSortSrcList {
    LocalTensor<T> src1, src2, src3, src4;
    MrgSortSrcList() = default;
    MrgSortSrcList(const LocalTensor<T>& a, const LocalTensor<T>& b,
                   const LocalTensor<T>& c, const LocalTensor<T>& d)
        : src1(a), src2(b), src3(c), src4(d) {}
};

struct MrgSort4Info {
    uint16_t elementLengths[4] = {0, 0, 0, 0};
    bool ifExhaustedSuspension = false;
    uint16_t validBit = 0;
    uint8_t repeatTimes = 1;
    MrgSort4Info() = default;
    MrgSort4Info(const uint16_t lengths[4], bool suspend, uint16_t valid,
                 uint16_t repeats)
        : elementLengths{lengths[0], lengths[1], lengths[2], lengths[3]},
          ifExhaustedSuspension(suspend),
          validBit(valid),
          repeatTimes(uint8_t(repeats)) {}
};

}  // namespace AscendC

namespace opslib_twin {
void sort_32(const Local& dst, const Local& scores, const Local& indices,
             int32_t repeats, int line);
void merge_sorted(const Local& dst, const Local* lists,
                  const AscendC::MrgSort4Info& info, int line);
}  // namespace opslib_twin

namespace AscendC {

template <typename T>
inline void Sort32(const LocalTensor<T>& dst, const LocalTensor<T>& scores,
                   const LocalTensor<uint32_t>& indices, int32_t repeatTime,
                   OPSLIB_TWIN_LINE) {
    opslib_twin::sort_32(dst.operand, scores.operand, indices.operand, repeatTime,
                         line);
}

template <typename T>
inline void MrgSort(const LocalTensor<T>& dst, const MrgSortSrcList<T>& lists,
                    const MrgSort4Info& info, OPSLIB_TWIN_LINE) {
    const opslib_twin::Local operands[4] = {lists.src1.operand, lists.src2.operand,
                                            lists.src3.operand, lists.src4.operand};
    opslib_twin::merge_sorted(dst.operand, operands, info, line);
}

}  // namespace AscendC

#endif
