/* Flags between pipes, barriers within one, and where a block runs. */
#ifndef OPSLIB_TWIN_SYNC_H
#define OPSLIB_TWIN_SYNC_H

#include "opslib_twin_tensor.h"

namespace AscendC {

template <HardEvent event>
inline void SetFlag(int32_t id, OPSLIB_TWIN_LINE) {
    opslib_twin::set_flag(event, id, line);
}
template <HardEvent event>
inline void WaitFlag(int32_t id, OPSLIB_TWIN_LINE) {
    opslib_twin::wait_flag(event, id, line);
}
template <pipe_t pipe>
inline void PipeBarrier(OPSLIB_TWIN_LINE) {
    opslib_twin::barrier(pipe, line);
}

/* Between the cube core and the vector cores of a block.  What a wait names is not looked
 * at: it is for the flag's own mode, and all pipes wait. */
template <uint8_t mode, pipe_t pipe>
inline void CrossCoreSetFlag(uint16_t id, OPSLIB_TWIN_LINE) {
    opslib_twin::cross_set(mode, pipe, id, line);
}
template <uint8_t mode = 0, pipe_t pipe = PIPE_S>
inline void CrossCoreWaitFlag(uint16_t id, OPSLIB_TWIN_LINE) {
    opslib_twin::cross_wait(id, line);
}
#define ASCEND_IS_AIC (opslib_twin::on_cube_core())
#define ASCEND_IS_AIV (!opslib_twin::on_cube_core())

inline int64_t GetSubBlockIdx() { return opslib_twin::sub_block_index(); }
inline int64_t GetTaskRatio() { return opslib_twin::task_ratio(); }
inline int64_t GetBlockIdx() { return opslib_twin::block_index(); }
inline int64_t GetBlockNum() { return opslib_twin::block_number(); }

/* Scalar stores to GM stay in the data cache until it is cleaned. */
template <typename T, CacheLine entire, DcciDst place>
inline void DataCacheCleanAndInvalid(const GlobalTensor<T>& where, OPSLIB_TWIN_LINE) {
    opslib_twin::clean_cache(where.operand, entire == CacheLine::ENTIRE_DATA_CACHE,
                             true, line);
}
template <typename T, CacheLine entire>
inline void DataCacheCleanAndInvalid(const GlobalTensor<T>& where, OPSLIB_TWIN_LINE) {
    opslib_twin::clean_cache(where.operand, entire == CacheLine::ENTIRE_DATA_CACHE,
                             false, line);
}

/* Copies to GM add to what is there, until SetAtomicNone. */
template <typename T>
inline void SetAtomicAdd(OPSLIB_TWIN_LINE) {
    opslib_twin::set_atomic(1, opslib_twin::TypeOf<T>::value, line);
}
template <typename T>
inline void SetAtomicMax(OPSLIB_TWIN_LINE) {
    opslib_twin::set_atomic(2, opslib_twin::TypeOf<T>::value, line);
}
template <typename T>
inline void SetAtomicMin(OPSLIB_TWIN_LINE) {
    opslib_twin::set_atomic(3, opslib_twin::TypeOf<T>::value, line);
}
inline void SetAtomicNone(OPSLIB_TWIN_LINE) {
    opslib_twin::set_atomic(0, opslib_twin::Type::F32, line);
}

}  // namespace AscendC

#endif
