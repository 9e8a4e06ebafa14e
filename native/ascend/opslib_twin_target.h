/* The chips, as constants.  backends/npu/targets.py holds the same facts for the
 * planner; tests/native/test_ascend_twin_target.py holds the two equal.
 *
 * Sources: the "Hardware Implementation" and "Data layout" chapters of the Ascend C
 * developer guide and the restrictions tables of the API pages named beside each use.
 * OPSLIB_TARGET picks one when the twin's engine is compiled. */
#ifndef OPSLIB_TWIN_TARGET_H
#define OPSLIB_TWIN_TARGET_H

#include <stdint.h>

#ifndef OPSLIB_TARGET
#define OPSLIB_TARGET 2201
#endif

namespace opslib_twin {

struct Target {
    int number;
    /* Bytes.  A kernel may use ub_usable of ub: the rest belongs to the runtime. */
    uint32_t ub, ub_usable, l1, l0a, l0b, l0c, bias;
    /* Cube and vector are cores of their own: a kernel uses one or the other. */
    bool separate_cores;
    /* Layout of the left matrix in L0A: NZ (true) or ZZ. */
    bool l0a_nz;
    bool bf16_vector, int8_vector, bf16_cube, f32_cube;
    /* Compare in count form reads whole 256 byte repeats. */
    bool compare_whole_repeats;
    /* Float results beyond the range saturate; otherwise they become infinite.
     * set_device_sat_mode (CANN 8.5): A2 and A3 keep "the default Inf/NaN mode". */
    bool saturates;
    /* DataCopyPad moves any number of bytes; else copies are of 32 byte blocks. */
    bool copies_bytes;
    uint16_t block_count_limit;
    uint8_t event_ids, usable_event_ids;
};

constexpr Target kTargets[] = {
    /* 910B, A2 and A3 */
    {2201, 192 * 1024, 188160, 512 * 1024, 64 * 1024, 64 * 1024, 128 * 1024, 1024, true,
     false, false, false, true, true, true, false, true, 4095, 8, 6},
    /* Ascend 950; blockCount is a 16 bit number there */
    {3510, 256 * 1024, 248 * 1024, 512 * 1024, 64 * 1024, 64 * 1024, 256 * 1024, 4096,
     true, true, true, true, true, true, false, false, true, 65535, 8, 6},
    /* 310P */
    {2002, 256 * 1024, 248 * 1024, 1024 * 1024, 64 * 1024, 64 * 1024, 256 * 1024, 1024,
     false, false, false, false, false, false, true, true, false, 4095, 8, 6},
};

constexpr const Target& target_of(int number) {
    return number == 3510 ? kTargets[1] : number == 2002 ? kTargets[2] : kTargets[0];
}

static constexpr const Target& kTarget = target_of(OPSLIB_TARGET);
static_assert(kTarget.number == OPSLIB_TARGET, "OPSLIB_TARGET: 2201, 3510 or 2002");

constexpr uint32_t kBlockBytes = 32, kRepeatBytes = 256, kFractalBytes = 512;
constexpr uint32_t kRepeatLimit = 255, kCubeEdgeLimit = 4095;
constexpr uint32_t kBlockLengthLimit = 2097151, kPadBytesLimit = 32;

}  // namespace opslib_twin

#endif
