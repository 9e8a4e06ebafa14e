/* Copies between GM, UB and L1. */
#ifndef OPSLIB_TWIN_MOVE_H
#define OPSLIB_TWIN_MOVE_H

#include "opslib_twin_tensor.h"

namespace AscendC {

template <typename T>
inline void DataCopyPad(const LocalTensor<T>& dst, const GlobalTensor<T>& src,
                        const DataCopyExtParams& p, const DataCopyPadExtParams<T>& pad,
                        OPSLIB_TWIN_LINE) {
    opslib_twin::copy_in("DataCopyPad", dst.operand, src.operand, p.blockCount,
                         p.blockLen, p.srcStride, p.dstStride, pad.isPad,
                         pad.leftPadding, pad.rightPadding,
                         opslib_twin::bits_of(pad.paddingValue), line);
}
template <typename T>
inline void DataCopyPad(const GlobalTensor<T>& dst, const LocalTensor<T>& src,
                        const DataCopyExtParams& p, OPSLIB_TWIN_LINE) {
    opslib_twin::copy_out("DataCopyPad", dst.operand, src.operand, p.blockCount,
                          p.blockLen, p.srcStride, p.dstStride, line);
}

template <typename T>
inline void DataCopy(const LocalTensor<T>& dst, const GlobalTensor<T>& src,
                     uint32_t count, OPSLIB_TWIN_LINE) {
    opslib_twin::copy_in("DataCopy", dst.operand, src.operand, 1,
                         uint64_t(count) * sizeof(T), 0, 0, false, 0, 0, 0, line);
}
template <typename T>
inline void DataCopy(const LocalTensor<T>& dst, const GlobalTensor<T>& src,
                     const DataCopyParams& p, OPSLIB_TWIN_LINE) {
    opslib_twin::copy_in("DataCopy", dst.operand, src.operand, p.blockCount,
                         p.blockLen * 32ull, p.srcStride * 32ull, p.dstStride, false, 0,
                         0, 0, line);
}
template <typename T>
inline void DataCopy(const GlobalTensor<T>& dst, const LocalTensor<T>& src,
                     uint32_t count, OPSLIB_TWIN_LINE) {
    opslib_twin::copy_out("DataCopy", dst.operand, src.operand, 1,
                          uint64_t(count) * sizeof(T), 0, 0, line);
}
template <typename T>
inline void DataCopy(const GlobalTensor<T>& dst, const LocalTensor<T>& src,
                     const DataCopyParams& p, OPSLIB_TWIN_LINE) {
    opslib_twin::copy_out("DataCopy", dst.operand, src.operand, p.blockCount,
                          p.blockLen * 32ull, p.srcStride, p.dstStride * 32ull, line);
}
template <typename T>
inline void DataCopy(const LocalTensor<T>& dst, const LocalTensor<T>& src,
                     uint32_t count, OPSLIB_TWIN_LINE) {
    opslib_twin::copy_local(dst.operand, src.operand, 1, uint64_t(count) * sizeof(T), 0,
                            0, line);
}
template <typename T>
inline void DataCopy(const LocalTensor<T>& dst, const LocalTensor<T>& src,
                     const DataCopyParams& p, OPSLIB_TWIN_LINE) {
    opslib_twin::copy_local(dst.operand, src.operand, p.blockCount, p.blockLen * 32ull,
                            p.srcStride, p.dstStride, line);
}

}  // namespace AscendC

#endif
