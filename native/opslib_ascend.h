/* opslib_ascend.h -- what generated Ascend C calls: moves of whole tiles and panels.
 *
 * Thin names for instructions of the basic API, so that a kernel reads as its plan. Needs
 * kernel_operator.h before it; OPS_WANT_CUBE adds the cube's moves, OPS_WANT_BLOCKS those
 * of chips that copy whole blocks of 32 bytes. */
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
/* `rows` rows of `extent` elements that lie `step` apart, each to whole blocks of 32 bytes, filled up
 * with zeros, and back. */
template <class T>
__aicore__ inline void LoadRows(const LocalTensor<T> &to, const GlobalTensor<T> &from, int64_t step,
                                int64_t extent, uint32_t rows) {
    const uint32_t bytes = static_cast<uint32_t>(extent * sizeof(T));
    const uint32_t gap = static_cast<uint32_t>((step - extent) * static_cast<int64_t>(sizeof(T)));
    const uint8_t fill = static_cast<uint8_t>((32 - bytes % 32) % 32 / sizeof(T));
    DataCopyPad(to, from, DataCopyExtParams{static_cast<uint16_t>(rows), bytes, gap, 0, 0},
                DataCopyPadExtParams<T>{true, 0, fill, static_cast<T>(0)});
}
template <class T>
__aicore__ inline void StoreRows(const GlobalTensor<T> &to, const LocalTensor<T> &from, int64_t step,
                                 int64_t extent, uint32_t rows) {
    const uint32_t bytes = static_cast<uint32_t>(extent * sizeof(T));
    const uint32_t gap = static_cast<uint32_t>((step - extent) * static_cast<int64_t>(sizeof(T)));
    DataCopyPad(to, from, DataCopyExtParams{static_cast<uint16_t>(rows), bytes, 0, gap, 0});
}
/* A row of at most 256 bytes, `pitch` elements, once for each of many. */
template <class T>
__aicore__ inline void Repeat(const LocalTensor<T> &to, const LocalTensor<T> &row, int64_t pitch,
                              uint32_t rows) {
    const uint16_t width = static_cast<uint16_t>(pitch * sizeof(T) / 32);
    Copy(to, row, static_cast<uint64_t>(pitch), static_cast<uint8_t>(rows),
         CopyRepeatParams{1, 1, width, 0});
}
/* An element of each row to a block of 32 bytes. */
__aicore__ inline void Blocks(const LocalTensor<float> &to, const LocalTensor<float> &row,
                              uint32_t rows) {
    Brcb(to, row, static_cast<uint8_t>((rows + 7) / 8), BrcbRepeatParams{1, 8});
}
/* A block for each row to all elements of the row. */
__aicore__ inline void Spread(const LocalTensor<float> &to, const LocalTensor<float> &blocks,
                              int64_t pitch, uint32_t rows) {
    Copy(to, blocks, static_cast<uint64_t>(pitch), static_cast<uint8_t>(rows),
         CopyRepeatParams{1, 0, static_cast<uint16_t>(pitch / 8), 1});
}
/* `count` elements that lie `step` apart, each to a block of 32 bytes of its own. */
template <class T>
__aicore__ inline void LoadApart(const LocalTensor<T> &to, const GlobalTensor<T> &from, int64_t step,
                                 uint32_t count) {
    const uint32_t gap = static_cast<uint32_t>((step - 1) * static_cast<int64_t>(sizeof(T)));
    DataCopyPad(to, from,
                DataCopyExtParams{static_cast<uint16_t>(count), static_cast<uint32_t>(sizeof(T)), gap, 0, 0},
                DataCopyPadExtParams<T>{false, 0, 0, static_cast<T>(0)});
}
/* A place from a tile's first element on, which may lie before it or behind its end. */
__aicore__ inline float Place(int64_t place, int64_t tile) {
    return static_cast<float>(place < -1 ? -1 : place > tile ? tile : place);
}
/* An element, written through the scalar unit's cache. */
template <class T, class V>
__aicore__ inline void Put(GlobalTensor<T> to, int64_t at, V value) {
    to.SetValue(at, static_cast<T>(value));
    DataCacheCleanAndInvalid<T, CacheLine::SINGLE_CACHE_LINE>(to[at]);
}
/* A check that failed. Each core has a line of the cache to itself: two that shared one
 * would write back each other's half. */
__aicore__ inline void Report(GlobalTensor<int64_t> status, int64_t check, int64_t value,
                              int64_t extent) {
    const int64_t line = 8 * static_cast<int64_t>(GetBlockIdx());
    Put(status, line + 1, check);
    Put(status, line + 2, value);
    Put(status, line + 3, extent);
    Put(status, line, 1);
}
/* Whether one of so many cores reported a failure in an earlier launch. */
__aicore__ inline bool Failed(GlobalTensor<int64_t> status, int64_t cores) {
    for (int64_t core = 0; core < cores; core++) {
        if (status.GetValue(8 * core) != 0) {
            return true;
        }
    }
    return false;
}
/* Everything that the scalar unit has written goes to memory. */
template <class T>
__aicore__ inline void Flush(GlobalTensor<T> to) {
    DataCacheCleanAndInvalid<T, CacheLine::ENTIRE_DATA_CACHE>(to);
}
/* As many elements as whole repeats of 256 bytes hold. */
template <class T>
__aicore__ inline uint32_t Whole(uint32_t count) {
    constexpr uint32_t repeat = 256 / sizeof(T);
    return (count + repeat - 1) / repeat * repeat;
}

#if defined(OPS_WANT_BLOCKS)
/* As Load; up to 31 bytes behind the last element come along, and nobody looks at them.
 * Behind a tensor there always are so many: aclrtMalloc adds 32 bytes to each. */
template <class T>
__aicore__ inline void LoadBlocks(const LocalTensor<T> &to, const GlobalTensor<T> &from,
                                  uint32_t count) {
    constexpr uint32_t block = 32 / sizeof(T);
    DataCopy(to, from, (count + block - 1) / block * block);
}
/* 0, step, 2 step, ... for as long as the tensor is. */
__aicore__ inline void Ramp(LocalTensor<uint32_t> to, uint32_t step) {
    for (uint32_t i = 0; i < to.GetSize(); i++) {
        to.SetValue(i, i * step);
    }
}
/* The last 32 bytes of `count` elements, where these do not end with a block. */
template <class T>
__aicore__ inline void Tail(const LocalTensor<T> &tail, const LocalTensor<T> &from,
                            const LocalTensor<uint32_t> &lanes, uint32_t count) {
    const uint32_t bytes = count * static_cast<uint32_t>(sizeof(T));
    if (bytes % 32 == 0) {
        return;
    }
    if constexpr (sizeof(T) == 2) {
        Gather(tail.template ReinterpretCast<uint16_t>(),
               from.template ReinterpretCast<uint16_t>(), lanes, bytes - 32, 16);
    } else {
        Gather(tail.template ReinterpretCast<uint32_t>(),
               from.template ReinterpretCast<uint32_t>(), lanes, bytes - 32, 8);
    }
}
/* The same for bytes, which Gather takes as halves only. */
template <class T>
__aicore__ inline void Tail(const LocalTensor<T> &tail, const LocalTensor<T> &from,
                            const LocalTensor<half> &wide, const LocalTensor<half> &moved,
                            const LocalTensor<uint32_t> &lanes, uint32_t count) {
    if (count % 32 == 0) {
        return;
    }
    const uint32_t first = (count - 32) / 32 * 32;
    Cast(wide, from[first], RoundMode::CAST_NONE, count - first);
    PipeBarrier<PIPE_V>();
    Gather(moved, wide, lanes, (count - 32 - first) * 2, 32);
    PipeBarrier<PIPE_V>();
    Cast(tail, moved, RoundMode::CAST_NONE, 32);
}
/* As Store, of 32 bytes at least: whole blocks, and the last 32 bytes over what they
 * share with these. */
template <class T>
__aicore__ inline void StoreBlocks(const GlobalTensor<T> &to, const LocalTensor<T> &from,
                                   const LocalTensor<T> &tail, uint32_t count) {
    constexpr uint32_t block = 32 / sizeof(T);
    const uint32_t whole = count / block * block;
    DataCopy(to, from, whole);
    if (whole < count) {
        PipeBarrier<PIPE_MTE3>();
        DataCopy(to[count - block], tail, block);
    }
}
/* One element after another, through the scalar unit's cache. */
template <class T>
__aicore__ inline void StoreEach(const GlobalTensor<T> &to, const LocalTensor<T> &from,
                                 uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        Put(to, i, from.GetValue(i));
    }
}
#endif

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
/* Rows of 4-byte elements whose columns are the lanes, to be transposed on the way to
 * L0: groups of 16 rows, each `block` lanes wide, whose fractals lie side by side in
 * squares of 16 x 16. */
template <class T>
__aicore__ inline void LoadSquares(const LocalTensor<T> &to, const GlobalTensor<T> &from, int64_t rows,
                                   int64_t columns, int64_t pitch, int64_t block) {
    for (int64_t i = 0; i < rows; i += 16) {
        LoadPanel(to[i * block], from[i * pitch], rows - i < 16 ? rows - i : 16, columns, pitch, 16);
    }
}
/* Squares from L1 to pairs of fractals: of bytes 32 x 32, of 4-byte elements 16 x 16,
 * transposed [LoadDataWithTranspose, 07_0239]. Gaps are counted from the end of a
 * fractal to the start of the next. */
template <class T>
__aicore__ inline void TurnSquares(const LocalTensor<T> &to, const LocalTensor<T> &from, int64_t first,
                                   int64_t count, int64_t stride, int64_t gap, int64_t second) {
    LoadData2dTransposeParams p;
    p.startIndex = first;
    p.repeatTimes = count;
    p.srcStride = stride;
    p.dstGap = gap;
    p.dstFracGap = second;
    LoadDataWithTranspose(to, from, p);
}
/* The right matrix, `deep` x `columns` from depth `k` of a panel on: ZN, a fractal for
 * each 16 columns and 32 bytes of depth. `pitch` is from one column of fractals of the
 * panel to the next; of LoadSquares, squares in a group of rows. */
template <bool turned, class T>
__aicore__ inline void LoadRight(const LocalTensor<T> &to, const LocalTensor<T> &from, int64_t k,
                                 int64_t columns, int64_t deep, int64_t pitch) {
    constexpr int64_t wide = 32 / sizeof(T), fractal = 16 * wide;
    const int64_t down = (deep + wide - 1) / wide, across = (columns + 15) / 16;
    if constexpr (turned && sizeof(T) == 4) {
        for (int64_t i = 0; i < down; i += 2) {
            const int64_t first = (k / 16 + i / 2) * pitch;
            TurnSquares(to[i * across * fractal], from, first, across, 1, 0, across - 1);
        }
    } else if constexpr (turned && sizeof(T) == 1) {
        for (int64_t i = 0; i < down; i++) {
            if (i > 0 && across % 2 > 0) {
                // The row before was one fractal too long.
                PipeBarrier<PIPE_MTE1>();
            }
            TurnSquares(to[i * across * fractal], from, k / 32 + i, (across + 1) / 2, pitch / 2, 1, 0);
        }
    } else {
        for (int64_t i = 0; i < down; i++) {
            LoadData2DParams p;
            p.startIndex = turned ? i + k / 16 : (i + k / wide) * pitch;
            p.repeatTimes = across;
            p.srcStride = turned ? pitch : 1;
            p.ifTranspose = turned;
            LoadData(to[i * across * fractal], from, p);
        }
    }
}
/* The left matrix, `rows` x `deep` from depth `k` of a panel on: ZZ, but NZ on chips of
 * the architecture 3510, which has these fractals where ZN has them. */
template <bool turned, class T>
__aicore__ inline void LoadLeft(const LocalTensor<T> &to, const LocalTensor<T> &from, int64_t k,
                                int64_t rows, int64_t deep, int64_t pitch) {
#if defined(__NPU_ARCH__) && __NPU_ARCH__ == 3510
    LoadRight<turned>(to, from, k, rows, deep, pitch);
#else
    constexpr int64_t wide = 32 / sizeof(T), fractal = 16 * wide;
    const int64_t down = (rows + 15) / 16, across = (deep + wide - 1) / wide;
    if constexpr (turned && sizeof(T) == 4) {
        for (int64_t i = 0; i < down; i++) {
            if (i > 0 && across % 2 > 0) {
                // The row before was one fractal too long.
                PipeBarrier<PIPE_MTE1>();
            }
            TurnSquares(to[i * across * fractal], from, k / 16 * pitch + i, (across + 1) / 2, pitch, 1, 0);
        }
    } else if constexpr (turned && sizeof(T) == 1) {
        for (int64_t i = 0; i < down; i += 2) {
            const int64_t first = i / 2 * (pitch / 2) + k / 32;
            TurnSquares(to[i * across * fractal], from, first, across, 1, 0, across - 1);
        }
    } else {
        for (int64_t i = 0; i < down; i++) {
            LoadData2DParams p;
            p.startIndex = turned ? i * pitch + k / 16 : i + k / wide * pitch;
            p.repeatTimes = across;
            p.srcStride = turned ? 1 : pitch;
            p.ifTranspose = turned;
            LoadData(to[i * across * fractal], from, p);
        }
    }
#endif
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
