/* opslib_ascend.h -- what generated Ascend C calls: moves of whole tiles and panels.
 *
 * Thin names for instructions of the basic API, so that a kernel reads as its plan. Needs
 * kernel_operator.h before it; OPS_WANT_CUBE adds the cube's moves. */
#ifndef OPSLIB_ASCEND_H
#define OPSLIB_ASCEND_H

namespace opslib {
using namespace AscendC;

/* `count` elements side by side, from global memory to the chip and back. */
template <class T>
__aicore__ inline void Load(const LocalTensor<T> &to, const GlobalTensor<T> &from, uint32_t count) {
    const uint32_t bytes = count * static_cast<uint32_t>(sizeof(T));
    DataCopyPad(to, from, DataCopyExtParams{1, bytes, 0, 0, 0},
                DataCopyPadExtParams<T>{false, 0, 0, static_cast<T>(0)});
}
template <class T>
__aicore__ inline void Store(const GlobalTensor<T> &to, const LocalTensor<T> &from, uint32_t count) {
    const uint32_t bytes = count * static_cast<uint32_t>(sizeof(T));
    DataCopyPad(to, from, DataCopyExtParams{1, bytes, 0, 0, 0});
}
/* An element, written through the scalar unit's cache. */
template <class T, class V>
__aicore__ inline void Put(GlobalTensor<T> to, int64_t at, V value) {
    to.SetValue(at, static_cast<T>(value));
    DataCacheCleanAndInvalid<T, CacheLine::SINGLE_CACHE_LINE, DcciDst::CACHELINE_OUT>(to[at]);
}
/* Everything that the scalar unit has written goes to memory. */
template <class T>
__aicore__ inline void Flush(GlobalTensor<T> to) {
    DataCacheCleanAndInvalid<T, CacheLine::ENTIRE_DATA_CACHE, DcciDst::CACHELINE_OUT>(to);
}
/* As many elements as whole repeats of 256 bytes hold. */
template <class T>
__aicore__ inline uint32_t Whole(uint32_t count) {
    constexpr uint32_t repeat = 256 / sizeof(T);
    return (count + repeat - 1) / repeat * repeat;
}

#if defined(OPS_WANT_CUBE)
/* In fractals of 16 rows of 32 bytes. */

/* `rows` rows of `columns` elements to L1 as fractals, columns of fractals `height` rows
 * apart; the last fractal of a row is filled up with zeros. */
template <class T>
__aicore__ inline void LoadPanel(const LocalTensor<T> &to, const GlobalTensor<T> &from, int64_t rows,
                                 int64_t columns, int64_t pitch, int64_t height) {
    Nd2NzParams p;
    p.ndNum = 1;
    p.nValue = rows;
    p.dValue = columns;
    p.srcNdMatrixStride = 0;
    p.srcDValue = pitch;
    p.dstNzC0Stride = height;
    p.dstNzNStride = 1;
    p.dstNzMatrixStride = 1;
    DataCopy(to, from, p);
}
/* The left matrix, `rows` x `deep` from depth `k` of a panel on: ZZ. */
template <bool turned, class T>
__aicore__ inline void LoadLeft(const LocalTensor<T> &to, const LocalTensor<T> &from, int64_t k,
                                int64_t rows, int64_t deep, int64_t pitch) {
    constexpr int64_t wide = 32 / sizeof(T), fractal = 16 * wide;
    const int64_t down = (rows + 15) / 16, across = (deep + wide - 1) / wide;
    for (int64_t i = 0; i < down; i++) {
        LoadData2DParams p;
        p.startIndex = turned ? i * pitch + k / 16 : i + k / wide * pitch;
        p.repeatTimes = across;
        p.srcStride = turned ? 1 : pitch;
        p.ifTranspose = turned;
        LoadData(to[i * across * fractal], from, p);
    }
}
/* The right matrix, `deep` x `columns` from depth `k` of a panel on: ZN. */
template <bool turned, class T>
__aicore__ inline void LoadRight(const LocalTensor<T> &to, const LocalTensor<T> &from, int64_t k,
                                 int64_t columns, int64_t deep, int64_t pitch) {
    constexpr int64_t wide = 32 / sizeof(T), fractal = 16 * wide;
    const int64_t down = (deep + wide - 1) / wide, across = (columns + 15) / 16;
    for (int64_t i = 0; i < down; i++) {
        LoadData2DParams p;
        p.startIndex = turned ? i + k / 16 : (i + k / wide) * pitch;
        p.repeatTimes = across;
        p.srcStride = turned ? pitch : 1;
        p.ifTranspose = turned;
        LoadData(to[i * across * fractal], from, p);
    }
}
/* sums += a b, or = where `first`. One row would be taken for a vector's. */
template <class C, class T>
__aicore__ inline void Multiply(const LocalTensor<C> &sums, const LocalTensor<T> &a,
                                const LocalTensor<T> &b, int64_t rows, int64_t columns, int64_t deep,
                                bool first) {
    MmadParams p;
    p.m = rows;
    p.n = columns;
    p.k = deep;
    p.cmatrixInitVal = first;
    p.disableGemv = true;
    Mmad(sums, a, b, p);
}
/* The block in rows, converted on the way. */
template <QuantMode_t quant, class T, class C>
__aicore__ inline void Drain(const GlobalTensor<T> &to, const LocalTensor<C> &sums, int64_t rows,
                             int64_t columns, int64_t pitch) {
    FixpipeParamsV220 p;
    p.nSize = columns;
    p.mSize = rows;
    p.srcStride = (rows + 15) / 16 * 16;
    p.dstStride = pitch;
    p.quantPre = quant;
    Fixpipe<T, C, CFG_ROW_MAJOR>(to, sums, p);
}
#endif

}  // namespace opslib

#endif /* OPSLIB_ASCEND_H */
