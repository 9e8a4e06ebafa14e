// Kernels whose order is right (ordered_...), and the same without one flag or barrier
// (race_...).  A test drops each sync line of the ordered ones in turn.
#include "kernels.h"

namespace {
const DataCopyPadExtParams<float> kNoPad{false, 0, 0, 0.0f};
const DataCopyExtParams kRow{1, 256, 0, 0, 0};
}  // namespace

// x + 1 in two buffers over four tiles: every flag of a double buffered pipeline.
KERNEL(ordered_double_buffer) {
    auto in = gm<float>(x, 256), out = gm<float>(z, 256);
    LocalTensor<float> a[2] = {ub<float>(0, 64), ub<float>(256, 64)};
    LocalTensor<float> b[2] = {ub<float>(512, 64), ub<float>(768, 64)};
    for (int i = 0; i < 2; i++) {
        SetFlag<HardEvent::V_MTE2>(i);
        SetFlag<HardEvent::MTE3_V>(i);
    }
    for (int t = 0; t < 4; t++) {
        int i = t % 2;
        WaitFlag<HardEvent::V_MTE2>(i);  // sync: V_MTE2
        DataCopyPad(a[i], in[t * 64], kRow, kNoPad);
        SetFlag<HardEvent::MTE2_V>(i);
        WaitFlag<HardEvent::MTE2_V>(i);  // sync: MTE2_V
        WaitFlag<HardEvent::MTE3_V>(i);  // sync: MTE3_V
        Adds(b[i], a[i], 1.0f, 64);
        SetFlag<HardEvent::V_MTE2>(i);
        PipeBarrier<PIPE_V>();  // sync: PipeBarrier<PIPE_V>
        Muls(b[i], b[i], 2.0f, 64);
        SetFlag<HardEvent::V_MTE3>(i);
        WaitFlag<HardEvent::V_MTE3>(i);  // sync: V_MTE3
        DataCopyPad(out[t * 64], b[i], kRow);
        SetFlag<HardEvent::MTE3_V>(i);
    }
    for (int i = 0; i < 2; i++) {
        WaitFlag<HardEvent::V_MTE2>(i);
        WaitFlag<HardEvent::MTE3_V>(i);
    }
}

// A maximum by the scalar unit: V to S and back.
KERNEL(ordered_scalar) {
    auto a = ub<float>(0, 64), w = ub<float>(256, 64), c = ub<float>(512, 8);
    DataCopyPad(a, gm<float>(x, 64), kRow, kNoPad);
    SetFlag<HardEvent::MTE2_V>(0);
    WaitFlag<HardEvent::MTE2_V>(0);  // sync: MTE2_V
    ReduceMax(c, a, w, 64);
    SetFlag<HardEvent::V_S>(0);
    WaitFlag<HardEvent::V_S>(0);  // sync: V_S
    float most = c.GetValue(0);
    SetFlag<HardEvent::S_V>(0);
    WaitFlag<HardEvent::S_V>(0);  // sync: S_V
    Duplicate(c, most, 8);
    SetFlag<HardEvent::V_MTE3>(0);
    WaitFlag<HardEvent::V_MTE3>(0);  // sync: V_MTE3
    DataCopyPad(gm<float>(z, 8), c, DataCopyExtParams{1, 32, 0, 0, 0});
}

// Through GM and back: MTE3 to MTE2.
KERNEL(ordered_global) {
    auto a = ub<float>(0, 64), b = ub<float>(256, 64);
    auto g = gm<float>(z, 64);
    Duplicate(a, 3.0f, 64);
    SetFlag<HardEvent::V_MTE3>(0);
    WaitFlag<HardEvent::V_MTE3>(0);  // sync: V_MTE3
    DataCopyPad(g, a, kRow);
    SetFlag<HardEvent::MTE3_MTE2>(0);
    WaitFlag<HardEvent::MTE3_MTE2>(0);  // sync: MTE3_MTE2
    DataCopyPad(b, g, kRow, kNoPad);
}

// Two copies into one place, two copies out to one place.
KERNEL(ordered_same_pipe) {
    auto a = ub<float>(0, 64);
    DataCopyPad(a, gm<float>(x, 64), kRow, kNoPad);
    PipeBarrier<PIPE_MTE2>();  // sync: PipeBarrier<PIPE_MTE2>
    DataCopyPad(a, gm<float>(y, 64), kRow, kNoPad);
    SetFlag<HardEvent::MTE2_MTE3>(0);
    WaitFlag<HardEvent::MTE2_MTE3>(0);  // sync: MTE2_MTE3
    DataCopyPad(gm<float>(z, 64), a, kRow);
    PipeBarrier<PIPE_MTE3>();  // sync: PipeBarrier<PIPE_MTE3>
    DataCopyPad(gm<float>(z, 64), a, kRow);
}

// An order that comes by way of another pipe is an order, too: no barrier on MTE2 or V.
KERNEL(ordered_by_way) {
    auto a = ub<float>(0, 64), b = ub<float>(256, 64);
    for (int t = 0; t < 2; t++) {
        DataCopyPad(a, gm<float>(x, 64), kRow, kNoPad);
        SetFlag<HardEvent::MTE2_V>(0);
        WaitFlag<HardEvent::MTE2_V>(0);  // sync: MTE2_V
        Adds(b, a, 1.0f, 64);
        SetFlag<HardEvent::V_MTE2>(0);
        WaitFlag<HardEvent::V_MTE2>(0);  // sync: V_MTE2
    }
}

// MTE3 gets the copy in from V, which only passes it on.
KERNEL(ordered_handed_on) {
    auto a = ub<float>(0, 64);
    DataCopyPad(a, gm<float>(x, 64), kRow, kNoPad);
    SetFlag<HardEvent::MTE2_V>(0);
    WaitFlag<HardEvent::MTE2_V>(0);  // sync: MTE2_MTE3
    SetFlag<HardEvent::V_MTE3>(0);
    WaitFlag<HardEvent::V_MTE3>(0);  // sync: MTE2_MTE3
    DataCopyPad(gm<float>(z, 64), a, kRow);
}

// A flag is set again once its wait is known to have passed: V says so to MTE2.
KERNEL(ordered_set_again) {
    auto a = ub<float>(0, 64);
    for (int t = 0; t < 3; t++) {
        SetFlag<HardEvent::MTE2_V>(0);
        WaitFlag<HardEvent::MTE2_V>(0);  // drops: overtaken
        SetFlag<HardEvent::V_MTE2>(0);
        WaitFlag<HardEvent::V_MTE2>(0);  // drops: overtaken
    }
    DataCopyPad(a, gm<float>(x, 64), kRow, kNoPad);
}
// The same by way of a third pipe, and by the scalar unit, which is in order.
KERNEL(ordered_set_again_by_way) {
    auto a = ub<float>(0, 64);
    for (int t = 0; t < 2; t++) {
        SetFlag<HardEvent::MTE2_V>(0);
        WaitFlag<HardEvent::MTE2_V>(0);  // drops: overtaken
        SetFlag<HardEvent::V_S>(0);
        WaitFlag<HardEvent::V_S>(0);  // drops: overtaken
        SetFlag<HardEvent::S_MTE2>(0);
        WaitFlag<HardEvent::S_MTE2>(0);  // drops: overtaken
    }
    DataCopyPad(a, gm<float>(x, 64), kRow, kNoPad);
}
// Nothing but the program's order puts the second SetFlag after the first WaitFlag.
KERNEL(overtaken_in_a_loop) {
    for (int t = 0; t < 2; t++) {
        SetFlag<HardEvent::MTE2_V>(0);   // overtaken: MTE2_V
        WaitFlag<HardEvent::MTE2_V>(0);  // waited
    }
}
KERNEL(overtaken_with_work) {
    auto a = ub<float>(0, 64), b = ub<float>(256, 64);
    DataCopyPad(a, gm<float>(x, 64), kRow, kNoPad);
    SetFlag<HardEvent::MTE2_V>(1);
    WaitFlag<HardEvent::MTE2_V>(1);  // waited
    Adds(b, a, 1.0f, 64);
    SetFlag<HardEvent::MTE2_V>(0);
    DataCopyPad(a[32], gm<float>(y, 64), DataCopyExtParams{1, 0, 0, 0, 0}, kNoPad);
    WaitFlag<HardEvent::MTE2_V>(0);
    SetFlag<HardEvent::MTE2_V>(1);  // overtaken: MTE2_V
    WaitFlag<HardEvent::MTE2_V>(1);
}
// V tells MTE2 of what it did before the wait, which does not say that it passed it.
KERNEL(overtaken_told_too_early) {
    SetFlag<HardEvent::MTE2_V>(0);
    SetFlag<HardEvent::V_MTE2>(0);
    WaitFlag<HardEvent::MTE2_V>(0);  // waited
    WaitFlag<HardEvent::V_MTE2>(0);
    SetFlag<HardEvent::MTE2_V>(0);  // overtaken: MTE2_V
    WaitFlag<HardEvent::MTE2_V>(0);
}

// ---- planted races, one each
KERNEL(race_write_read) {
    auto a = ub<float>(0, 64), b = ub<float>(256, 64);
    DataCopyPad(a, gm<float>(x, 64), kRow, kNoPad);
    Adds(b, a, 1.0f, 64);
}
KERNEL(race_one_block) {
    auto a = ub<float>(0, 72), b = ub<float>(512, 64);
    Duplicate(a, 1.0f, 72);
    PipeBarrier<PIPE_ALL>();
    DataCopyPad(a[64], gm<float>(x, 8), DataCopyExtParams{1, 32, 0, 0, 0}, kNoPad);
    Adds(b, a[8], 1.0f, 64);
}
KERNEL(ordered_next_block) {
    auto a = ub<float>(0, 72), b = ub<float>(512, 64);
    Duplicate(a, 1.0f, 72);
    PipeBarrier<PIPE_ALL>();
    DataCopyPad(a[64], gm<float>(x, 8), DataCopyExtParams{1, 32, 0, 0, 0}, kNoPad);
    Adds(b, a, 1.0f, 64);
}
KERNEL(race_wrong_direction) {
    auto a = ub<float>(0, 64), b = ub<float>(256, 64);
    DataCopyPad(a, gm<float>(x, 64), kRow, kNoPad);
    SetFlag<HardEvent::V_MTE2>(0);
    WaitFlag<HardEvent::V_MTE2>(0);
    Adds(b, a, 1.0f, 64);
}
KERNEL(race_set_too_early) {
    auto a = ub<float>(0, 64), b = ub<float>(256, 64);
    SetFlag<HardEvent::MTE2_V>(0);
    DataCopyPad(a, gm<float>(x, 64), kRow, kNoPad);
    WaitFlag<HardEvent::MTE2_V>(0);
    Adds(b, a, 1.0f, 64);
}
KERNEL(race_wait_too_late) {
    auto a = ub<float>(0, 64), b = ub<float>(256, 64);
    DataCopyPad(a, gm<float>(x, 64), kRow, kNoPad);
    SetFlag<HardEvent::MTE2_V>(0);
    Adds(b, a, 1.0f, 64);
    WaitFlag<HardEvent::MTE2_V>(0);
}
KERNEL(race_barrier_of_another_pipe) {
    auto a = ub<float>(0, 64);
    Duplicate(a, 1.0f, 64);
    PipeBarrier<PIPE_MTE2>();
    Adds(a, a, 1.0f, 64);
}
// Adds reads and writes b; that it reads it, too, does not hide Mul's read.
KERNEL(race_in_place) {
    auto a = ub<float>(0, 64), b = ub<float>(256, 64);
    Duplicate(a, 1.0f, 64);
    Duplicate(b, 1.0f, 64);
    PipeBarrier<PIPE_V>();
    Mul(a, a, b, 64);
    Adds(b, b, 1.0f, 64);
}
KERNEL(race_scalar_store) {
    auto a = ub<float>(0, 64), b = ub<float>(256, 64);
    Duplicate(a, 1.0f, 64);
    SetFlag<HardEvent::V_S>(0);
    WaitFlag<HardEvent::V_S>(0);
    a.SetValue(1, 2.0f);
    Adds(b, a, 1.0f, 64);
}
// The scalar unit is in order with itself.
KERNEL(ordered_scalar_alone) {
    auto a = ub<int32_t>(0, 8);
    for (int i = 0; i < 8; i++) a.SetValue(i, i ? a.GetValue(i - 1) + 1 : 0);
}
// Neighbouring rows of 12 bytes in GM share blocks of 32: that is no race.
KERNEL(ordered_rows_in_one_block) {
    auto a = ub<float>(0, 64);
    Duplicate(a, 1.0f, 64);
    PipeBarrier<PIPE_ALL>();
    for (int i = 0; i < 8; i++)
        DataCopyPad(gm<float>(z, 64)[3 * i], a[8 * i],
                    DataCopyExtParams{1, 12, 0, 0, 0});
}
KERNEL(race_rows_that_overlap) {
    auto a = ub<float>(0, 64);
    Duplicate(a, 1.0f, 64);
    PipeBarrier<PIPE_ALL>();
    for (int i = 0; i < 8; i++)
        DataCopyPad(gm<float>(z, 64)[2 * i], a[8 * i],
                    DataCopyExtParams{1, 12, 0, 0, 0});
}

// ---- between cores: each block writes 16 floats of z
KERNEL(race_cores) {
    auto a = ub<float>(0, 64);
    Duplicate(a, 1.0f, 64);
    PipeBarrier<PIPE_ALL>();
    DataCopyPad(gm<float>(z, 64)[GetBlockIdx() * 15], a,
                DataCopyExtParams{1, 64, 0, 0, 0});
}
KERNEL(ordered_cores) {
    auto a = ub<float>(0, 64);
    Duplicate(a, 1.0f, 64);
    PipeBarrier<PIPE_ALL>();
    DataCopyPad(gm<float>(z, 64)[GetBlockIdx() * 16], a,
                DataCopyExtParams{1, 64, 0, 0, 0});
}
KERNEL(ordered_cores_atomic) {
    auto a = ub<float>(0, 64);
    Duplicate(a, 1.0f, 64);
    PipeBarrier<PIPE_ALL>();
    SetAtomicAdd<float>();
    DataCopyPad(gm<float>(z, 64), a, DataCopyExtParams{1, 64, 0, 0, 0});
    SetAtomicNone();
}

// ---- any program: x is pairs of an operation and its argument, until -1
namespace {

template <HardEvent event>
void flag(bool set) {
    if (set)
        SetFlag<event>(0);
    else
        WaitFlag<event>(0);
}

void flag(int event, bool set) {
    switch (event) {
        case 0: return flag<HardEvent::MTE2_V>(set);
        case 1: return flag<HardEvent::V_MTE2>(set);
        case 2: return flag<HardEvent::V_MTE3>(set);
        case 3: return flag<HardEvent::MTE3_V>(set);
        case 4: return flag<HardEvent::MTE2_MTE3>(set);
        case 5: return flag<HardEvent::MTE3_MTE2>(set);
        case 6: return flag<HardEvent::V_S>(set);
        case 7: return flag<HardEvent::S_V>(set);
        case 8: return flag<HardEvent::S_MTE3>(set);
        default: return flag<HardEvent::MTE2_S>(set);
    }
}

}  // namespace

KERNEL(interpreted) {
    auto program = gm<int32_t>(x, 256);
    auto blocks = ub<float>(0, 64), rest = ub<float>(4096, 1024);
    Duplicate(blocks, 1.0f, 64);
    PipeBarrier<PIPE_ALL>();
    for (uint32_t n = 0; program.GetValue(2 * n) >= 0; n++) {
        int32_t what = program.GetValue(2 * n), argument = program.GetValue(2 * n + 1);
        auto block = blocks[uint32_t(argument) % 8 * 8];
        const DataCopyExtParams one{1, 32, 0, 0, 0};
        switch (what) {
            case 0: Duplicate(block, 2.0f, 8); break;
            case 1: Adds(rest[n * 8], block, 1.0f, 8); break;
            case 2: DataCopyPad(block, gm<float>(y, 8), one, kNoPad); break;
            case 3: DataCopyPad(gm<float>(z, 1024)[n * 8], block, one); break;
            case 4: block.SetValue(0, 3.0f); break;
            case 5: block.GetValue(0); break;
            case 6: flag(argument, true); break;
            case 7: flag(argument, false); break;
            case 8: PipeBarrier<PIPE_V>(); break;
            case 9: PipeBarrier<PIPE_MTE2>(); break;
            case 10: PipeBarrier<PIPE_MTE3>(); break;
            case 12: Adds(block, block, 1.0f, 8); break;
            default: PipeBarrier<PIPE_ALL>(); break;
        }
    }
}

// ---- syncs that order nothing new
KERNEL(redundant_twice) {
    auto a = ub<float>(0, 64), b = ub<float>(256, 64);
    DataCopyPad(a, gm<float>(x, 64), kRow, kNoPad);
    SetFlag<HardEvent::MTE2_V>(0);
    SetFlag<HardEvent::MTE2_V>(1);
    WaitFlag<HardEvent::MTE2_V>(0);
    WaitFlag<HardEvent::MTE2_V>(1);  // redundant: MTE2_V 1
    Adds(b, a, 1.0f, 64);
    PipeBarrier<PIPE_V>();
    PipeBarrier<PIPE_V>();  // redundant: PIPE_V
    Adds(b, b, 1.0f, 64);
}

// ---- counters, by hand: see the test
KERNEL(counted) {
    auto a = ub<float>(0, 256), b = ub<float>(1024, 256);
    for (int t = 0; t < 3; t++) {
        DataCopyPad(a, gm<float>(x, 200), DataCopyExtParams{2, 400, 0, 0, 0}, kNoPad);
        SetFlag<HardEvent::MTE2_V>(0);
        WaitFlag<HardEvent::MTE2_V>(0);
        Adds(b, a, 1.0f, 65);
        PipeBarrier<PIPE_V>();
        Muls(b, b, 2.0f, 64);
        SetFlag<HardEvent::V_MTE3>(0);
        WaitFlag<HardEvent::V_MTE3>(0);
        DataCopyPad(gm<float>(z, 200), b, DataCopyExtParams{1, 256, 0, 0, 0});
        PipeBarrier<PIPE_ALL>();
    }
    b.GetValue(0);
}
