/* opslib_ascend_rows.h -- what generated Ascend C does with tiles of rows of floats.
 *
 * Thin names for instructions whose strides say what they are for. Needs opslib_ascend.h
 * before it. */
#ifndef OPSLIB_ASCEND_ROWS_H
#define OPSLIB_ASCEND_ROWS_H

namespace opslib {
using namespace AscendC;

/* `rows` rows of `columns` elements, `pitch` elements apart in global memory and `wide` on the
 * chip; the last 32 bytes of a row are filled up with zeros. */
template <class T>
__aicore__ inline void LoadRows(const LocalTensor<T> &to, const GlobalTensor<T> &from, int64_t rows,
                                int64_t columns, int64_t pitch, int64_t wide) {
    constexpr int64_t size = sizeof(T), block = 32 / size;
    const int64_t blocks = (columns + block - 1) / block;
    const uint8_t fill = static_cast<uint8_t>(blocks * block - columns);
    DataCopyExtParams p;
    p.blockCount = static_cast<uint16_t>(rows);
    p.blockLen = static_cast<uint32_t>(columns * size);
    p.srcStride = static_cast<uint32_t>((pitch - columns) * size);
    p.dstStride = static_cast<uint32_t>(wide / block - blocks);
    DataCopyPad(to, from, p, DataCopyPadExtParams<T>{fill != 0, 0, fill, static_cast<T>(0.0f)});
}
template <class T>
__aicore__ inline void StoreRows(const GlobalTensor<T> &to, const LocalTensor<T> &from, int64_t rows,
                                 int64_t columns, int64_t pitch, int64_t wide) {
    constexpr int64_t size = sizeof(T), block = 32 / size;
    const int64_t blocks = (columns + block - 1) / block;
    DataCopyExtParams p;
    p.blockCount = static_cast<uint16_t>(rows);
    p.blockLen = static_cast<uint32_t>(columns * size);
    p.srcStride = static_cast<uint32_t>(wide / block - blocks);
    p.dstStride = static_cast<uint32_t>((pitch - columns) * size);
    DataCopyPad(to, from, p);
}
/* One float for each eight of `count`. */
__aicore__ inline void LargestOfEight(const LocalTensor<float> &to, const LocalTensor<float> &from,
                                      int32_t count) {
    BlockReduceMax(to, from, count / 64, 64, 1, 1, 8);
}
__aicore__ inline void SumOfEight(const LocalTensor<float> &to, const LocalTensor<float> &from,
                                  int32_t count) {
    BlockReduceSum(to, from, count / 64, 64, 1, 1, 8);
}
/* Each of `count` floats eight times. */
__aicore__ inline void EightTimes(const LocalTensor<float> &to, const LocalTensor<float> &from,
                                  int32_t count) {
    Brcb(to, from, static_cast<uint8_t>(count / 8), BrcbRepeatParams{1, 8});
}
/* Each 64 of `count` floats less the number that `each` holds eight times for them. */
__aicore__ inline void SubEach(const LocalTensor<float> &x, const LocalTensor<float> &each,
                               int32_t count) {
    Sub(x, x, each, 64, static_cast<uint8_t>(count / 64), BinaryRepeatParams{1, 1, 0, 8, 8, 1});
}
/* Each of `rows` rows of 128 floats times the number that `each` holds eight times for it. */
__aicore__ inline void MulEach(const LocalTensor<float> &x, const LocalTensor<float> &each,
                               int32_t rows) {
    const BinaryRepeatParams strides{1, 1, 0, 16, 16, 1};
    Mul(x, x, each, 64, static_cast<uint8_t>(rows), strides);
    Mul(x[64], x[64], each, 64, static_cast<uint8_t>(rows), strides);
}

}  // namespace opslib

#endif /* OPSLIB_ASCEND_ROWS_H */
