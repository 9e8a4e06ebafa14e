// Kernels for a cube core and two vector cores, which meet in y.
#include "kernels.h"

#define MIX(NAME)                                              \
    extern "C" __global__ __mix__(1, 2) void NAME(              \
        [[maybe_unused]] __gm__ uint8_t* x, \
        [[maybe_unused]] __gm__ uint8_t* y, \
        [[maybe_unused]] __gm__ uint8_t* z)

constexpr uint16_t READY = 0, TAKEN = 1;
constexpr int32_t COUNT = 64;

// Each vector core fills its half of y.
inline void give(__gm__ uint8_t* y, float value) {
    LocalTensor<float> tile = ub<float>(0, COUNT);
    Duplicate(tile, value, COUNT);
    PipeBarrier<PIPE_ALL>();
    GlobalTensor<float> all = gm<float>(y, 2 * COUNT);
    DataCopyPad(all[GetSubBlockIdx() * COUNT], tile, DataCopyExtParams{1, COUNT * 4, 0, 0, 0});
}
// The cube core takes both halves to L1.
inline void take(__gm__ uint8_t* y) {
    LocalTensor<float> panel(TPosition::A1, 0, 2 * COUNT);
    Nd2NzParams p;
    p.ndNum = 1;
    p.nValue = 16;
    p.dValue = 8;
    p.srcDValue = 8;
    p.dstNzC0Stride = 16;
    p.dstNzNStride = 1;
    p.dstNzMatrixStride = 1;
    DataCopy(panel, gm<float>(y, 2 * COUNT), p);
}

MIX(ordered_there_and_back) {
    if ASCEND_IS_AIC {
        for (int turn = 0; turn < 3; turn++) {
            CrossCoreWaitFlag(READY);  // sync: CrossCoreSetFlag<2, PIPE_MTE3>
            take(y);
            CrossCoreSetFlag<2, PIPE_MTE2>(TAKEN);
        }
    }
    if ASCEND_IS_AIV {
        for (int turn = 0; turn < 3; turn++) {
            if (turn > 0) {
                CrossCoreWaitFlag(TAKEN);  // sync: CrossCoreSetFlag<2, PIPE_MTE2>
            }
            give(y, float(turn));
            CrossCoreSetFlag<2, PIPE_MTE3>(READY);
        }
        CrossCoreWaitFlag(TAKEN);
    }
}

// What the other core wrote is read without a flag.
MIX(race_no_flag) {
    if ASCEND_IS_AIC {
        take(y);
    }
    if ASCEND_IS_AIV {
        give(y, 1.0f);
    }
}

// The flag says that MTE2 is done, and MTE3 wrote.
MIX(race_flag_of_another_pipe) {
    if ASCEND_IS_AIC {
        CrossCoreWaitFlag(READY);
        take(y);
    }
    if ASCEND_IS_AIV {
        give(y, 1.0f);
        CrossCoreSetFlag<2, PIPE_MTE2>(READY);
    }
}

// The two vector cores write the same bytes: a flag to the cube core does not help.
MIX(race_between_vector_cores) {
    if ASCEND_IS_AIC {
        CrossCoreWaitFlag(READY);
    }
    if ASCEND_IS_AIV {
        LocalTensor<float> tile = ub<float>(0, COUNT);
        Duplicate(tile, 1.0f, COUNT);
        store(y, tile, COUNT);
        CrossCoreSetFlag<2, PIPE_MTE3>(READY);
    }
}

// One of the two vector cores sets the flag; the cube core waits for both.
MIX(event_one_of_two) {
    if ASCEND_IS_AIC {
        CrossCoreWaitFlag(READY);
    }
    if ASCEND_IS_AIV {
        if (GetSubBlockIdx() == 0) {
            CrossCoreSetFlag<2, PIPE_MTE3>(READY);
        }
    }
}

MIX(event_left_set) {
    if ASCEND_IS_AIC {
        CrossCoreSetFlag<2, PIPE_FIX>(READY);
    }
}

MIX(event_set_sixteen_times) {
    if ASCEND_IS_AIC {
        for (int turn = 0; turn < 16; turn++) CrossCoreSetFlag<2, PIPE_FIX>(READY);
    }
    if ASCEND_IS_AIV {
        for (int turn = 0; turn < 15; turn++) CrossCoreWaitFlag(READY);
    }
}

MIX(event_no_such_flag) {
    if ASCEND_IS_AIC {
        CrossCoreSetFlag<2, PIPE_FIX>(11);
    }
}

MIX(core_vector_on_cube) {
    if ASCEND_IS_AIC {
        Duplicate(ub<float>(0, COUNT), 1.0f, COUNT);
    }
}

MIX(core_cube_on_vector) {
    if ASCEND_IS_AIV {
        LocalTensor<half> a(TPosition::A1, 0, 256), b(TPosition::A2, 0, 256);
        LoadData(b, a, LoadData2DParams{0, 1, 1, 0, 0, false, 0});
    }
}

MIX(numbers) {
    GlobalTensor<int64_t> out = gm<int64_t>(y, 48);
    const int64_t ratio = GetTaskRatio(), block = GetBlockIdx() / ratio;
    const int64_t unit = ratio == 1 ? 0 : 1 + GetSubBlockIdx();
    // A line of the cache for each core.
    const int64_t at = (3 * block + unit) * 8;
    const int64_t values[] = {GetBlockIdx(), GetBlockNum(), GetSubBlockIdx(), ratio};
    for (int k = 0; k < 4; k++) out.SetValue(at + k, values[k]);
    DataCacheCleanAndInvalid<int64_t, CacheLine::SINGLE_CACHE_LINE, DcciDst::CACHELINE_OUT>(out[at]);
}
