// Shorthand for the kernels of the tests of the CPU twin.
#ifndef ASCEND_TWIN_KERNELS_H
#define ASCEND_TWIN_KERNELS_H

#include "kernel_operator.h"
using namespace AscendC;

#define KERNEL(NAME)                                                               \
    extern "C" __global__ __vector__ void NAME([[maybe_unused]] __gm__ uint8_t* x, \
                                               [[maybe_unused]] __gm__ uint8_t* y, \
                                               [[maybe_unused]] __gm__ uint8_t* z)

template <typename T>
inline LocalTensor<T> ub(uint32_t address, uint32_t count) {
    return LocalTensor<T>(TPosition::VECCALC, address, count);
}
template <typename T>
inline GlobalTensor<T> gm(__gm__ uint8_t* base, uint64_t count) {
    GlobalTensor<T> tensor;
    tensor.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(base), count);
    return tensor;
}

// A copy in, and all pipes behind it.
template <typename T>
inline void load(const LocalTensor<T>& dst, __gm__ uint8_t* base, uint32_t count) {
    DataCopyPad(dst, gm<T>(base, count),
                DataCopyExtParams{1, uint32_t(count * sizeof(T)), 0, 0, 0},
                DataCopyPadExtParams<T>{false, 0, 0, T()});
    PipeBarrier<PIPE_ALL>();
}
// All pipes, and a copy out behind them.
template <typename T>
inline void store(__gm__ uint8_t* base, const LocalTensor<T>& src, uint32_t count) {
    PipeBarrier<PIPE_ALL>();
    DataCopyPad(gm<T>(base, count), src,
                DataCopyExtParams{1, uint32_t(count * sizeof(T)), 0, 0, 0});
    PipeBarrier<PIPE_ALL>();
}
// The same for whole blocks, where DataCopyPad does not exist.
template <typename T>
inline void load_blocks(const LocalTensor<T>& dst, __gm__ uint8_t* base,
                        uint32_t count) {
    DataCopy(dst, gm<T>(base, count), count);
    PipeBarrier<PIPE_ALL>();
}
template <typename T>
inline void store_blocks(__gm__ uint8_t* base, const LocalTensor<T>& src,
                         uint32_t count) {
    PipeBarrier<PIPE_ALL>();
    DataCopy(gm<T>(base, count), src, count);
    PipeBarrier<PIPE_ALL>();
}

#endif
