/* What -fsanitize=thread calls before every access of a kernel. */
#ifndef OPSLIB_CUDA_SIM_TSAN_H
#define OPSLIB_CUDA_SIM_TSAN_H

#include "opslib_cuda_sim_run_group.h"

namespace opslib_cuda_sim {

template <bool kWrites>
inline void seen(void* where, uint64_t size, bool aligned, void* from) {
    Thread* const t = self;
    const uintptr_t address = reinterpret_cast<uintptr_t>(where);
    if (!t) return;
    const Place place = place_of(from);
    if (address - t->stack < kStackStride) {
        if (!t->async.operands.empty()) watch(*t, address, size, kWrites, place);
        return;
    }
    if (aligned && (address & (size - 1))) misaligned(address, size, kWrites, place);
    check<kWrites ? Access::Write : Access::Read>(address, size, place);
}

inline void copied(void* to, const void* from, size_t size, void* here) {
    if (!self || !size) return;
    if (find_region(reinterpret_cast<uintptr_t>(from)))
        seen<false>(const_cast<void*>(from), size, false, here);
    if (find_region(reinterpret_cast<uintptr_t>(to))) seen<true>(to, size, false, here);
}

/* What -fsanitize=bounds calls, for arrays of known size (its ABI: ubsan_handlers.h of
 * compiler-rt): inside a block's shared memory and a thread's own nothing else would see
 * an index that runs into the next array. */
struct BoundsType {
    uint16_t kind, info;
    char name[1];
};
struct BoundsData {
    const char* file;
    uint32_t line, column;
    const BoundsType *array, *index;
};
inline void index_out_of_bounds(const BoundsData& data, uintptr_t index) {
    if (!self) return;
    finding("bounds", place_of(Site{data.file, int(data.line)}), 0, self->id,
            format("index %lld of an array of type %s",
                   static_cast<long long>(int64_t(index)), data.array->name),
            format(", \"index\": %lld", static_cast<long long>(int64_t(index))));
    stop();
}

}  // namespace opslib_cuda_sim

#define OPSLIB_CUDA_SIM_EXPORT extern "C" __attribute__((visibility("default")))
#define OPSLIB_CUDA_SIM_HERE __builtin_return_address(0)
#define OPSLIB_CUDA_SIM_SEEN(SIZE)                                                     \
    OPSLIB_CUDA_SIM_EXPORT void __tsan_read##SIZE(void* where) {                       \
        opslib_cuda_sim::seen<false>(where, SIZE, true, OPSLIB_CUDA_SIM_HERE);         \
    }                                                                                  \
    OPSLIB_CUDA_SIM_EXPORT void __tsan_write##SIZE(void* where) {                      \
        opslib_cuda_sim::seen<true>(where, SIZE, true, OPSLIB_CUDA_SIM_HERE);          \
    }                                                                                  \
    OPSLIB_CUDA_SIM_EXPORT void __tsan_read_write##SIZE(void* where) {                 \
        opslib_cuda_sim::seen<false>(where, SIZE, true, OPSLIB_CUDA_SIM_HERE);         \
        opslib_cuda_sim::seen<true>(where, SIZE, true, OPSLIB_CUDA_SIM_HERE);          \
    }                                                                                  \
    OPSLIB_CUDA_SIM_EXPORT void __tsan_unaligned_read##SIZE(void* where) {             \
        opslib_cuda_sim::seen<false>(where, SIZE, false, OPSLIB_CUDA_SIM_HERE);        \
    }                                                                                  \
    OPSLIB_CUDA_SIM_EXPORT void __tsan_unaligned_write##SIZE(void* where) {            \
        opslib_cuda_sim::seen<true>(where, SIZE, false, OPSLIB_CUDA_SIM_HERE);         \
    }                                                                                  \
    OPSLIB_CUDA_SIM_EXPORT void __tsan_unaligned_read_write##SIZE(void* where) {       \
        opslib_cuda_sim::seen<false>(where, SIZE, false, OPSLIB_CUDA_SIM_HERE);        \
        opslib_cuda_sim::seen<true>(where, SIZE, false, OPSLIB_CUDA_SIM_HERE);         \
    }                                                                                  \
    OPSLIB_CUDA_SIM_EXPORT void __tsan_volatile_read##SIZE(void* where) {              \
        opslib_cuda_sim::seen<false>(where, SIZE, true, OPSLIB_CUDA_SIM_HERE);         \
    }                                                                                  \
    OPSLIB_CUDA_SIM_EXPORT void __tsan_volatile_write##SIZE(void* where) {             \
        opslib_cuda_sim::seen<true>(where, SIZE, true, OPSLIB_CUDA_SIM_HERE);          \
    }
OPSLIB_CUDA_SIM_SEEN(1)
OPSLIB_CUDA_SIM_SEEN(2)
OPSLIB_CUDA_SIM_SEEN(4)
OPSLIB_CUDA_SIM_SEEN(8)
OPSLIB_CUDA_SIM_SEEN(16)
#undef OPSLIB_CUDA_SIM_SEEN
OPSLIB_CUDA_SIM_EXPORT void __tsan_read_range(void* where, unsigned long size) {
    opslib_cuda_sim::seen<false>(where, size, false, OPSLIB_CUDA_SIM_HERE);
}
OPSLIB_CUDA_SIM_EXPORT void __tsan_write_range(void* where, unsigned long size) {
    opslib_cuda_sim::seen<true>(where, size, false, OPSLIB_CUDA_SIM_HERE);
}
OPSLIB_CUDA_SIM_EXPORT void __tsan_init() {}
OPSLIB_CUDA_SIM_EXPORT void __tsan_func_entry(void*) {}
OPSLIB_CUDA_SIM_EXPORT void __tsan_func_exit() {}
OPSLIB_CUDA_SIM_EXPORT void __tsan_vptr_read(void**) {}
OPSLIB_CUDA_SIM_EXPORT void __tsan_vptr_update(void**, void*) {}
/* memcpy and its relatives, which neither compiler instruments: linking with
 * -Wl,--wrap=memcpy and so on brings them here.  The entry's own copies of arguments
 * come too, so that memory of the host is none of our business. */
OPSLIB_CUDA_SIM_EXPORT void* __wrap_memcpy(void* to, const void* from, size_t size) {
    opslib_cuda_sim::copied(to, from, size, OPSLIB_CUDA_SIM_HERE);
    return memcpy(to, from, size);
}
OPSLIB_CUDA_SIM_EXPORT void* __wrap_memmove(void* to, const void* from, size_t size) {
    opslib_cuda_sim::copied(to, from, size, OPSLIB_CUDA_SIM_HERE);
    return memmove(to, from, size);
}
OPSLIB_CUDA_SIM_EXPORT void* __wrap_memset(void* to, int value, size_t size) {
    opslib_cuda_sim::copied(to, nullptr, size, OPSLIB_CUDA_SIM_HERE);
    return memset(to, value, size);
}
OPSLIB_CUDA_SIM_EXPORT void __ubsan_handle_out_of_bounds(
    opslib_cuda_sim::BoundsData* data, uintptr_t index) {
    opslib_cuda_sim::index_out_of_bounds(*data, index);
}

#endif
