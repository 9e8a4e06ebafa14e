/* The trailer of a kernel's translation unit: OPSLIB_TWIN_ENTRY(NAME, POINTERS) defines
 *
 *     extern "C" int NAME_twin(uint32_t blocks, void** pointers,
 *                              const uint64_t* byte_sizes, char* report,
 *                              uint64_t report_bytes, uint64_t* counters,
 *                              uint32_t n_counters);
 *
 * which runs NAME for the blocks 0 to blocks - 1, each with fresh, poisoned memory.  It
 * returns the number of findings; `report` gets the first of each kind and place as
 * JSON lines, then notes of the kinds "redundant" and "drain", which are no findings.
 */
#ifndef OPSLIB_TWIN_ENTRY_H
#define OPSLIB_TWIN_ENTRY_H

#include "kernel_operator.h"

#ifndef OPSLIB_TWIN_LINKED
#include "opslib_twin_library.h"
#else
namespace opslib_twin {
struct Launch {
    const char* kernel;
    uint32_t blocks;
    void** pointers;
    const uint64_t* byte_sizes;
    uint32_t count;
    char* report;
    uint64_t report_bytes;
    uint64_t* counters;
    uint32_t n_counters;
    bool mix;
};
int launch(const Launch& job, void (*run)(void**));
}  // namespace opslib_twin
#endif

namespace opslib_twin {
template <int... I>
struct Indices {};
template <int N, int... I>
struct CountTo : CountTo<N - 1, N - 1, I...> {};
template <int... I>
struct CountTo<0, I...> {
    using type = Indices<I...>;
};
template <typename F, int... I>
inline void call(F f, void** pointers, Indices<I...>) {
    f(static_cast<uint8_t*>(pointers[I])...);
    static_cast<void>(pointers);
}
}  // namespace opslib_twin

#define OPSLIB_TWIN_ENTRY(NAME, POINTERS) OPSLIB_TWIN_ENTRY_OF(NAME, POINTERS, false)
/* Of a __mix__(1, 2) kernel: each block is a cube core and two vector cores. */
#define OPSLIB_TWIN_MIX_ENTRY(NAME, POINTERS) OPSLIB_TWIN_ENTRY_OF(NAME, POINTERS, true)

#define OPSLIB_TWIN_ENTRY_OF(NAME, POINTERS, MIX)                                   \
    static void NAME##_twin_run(void** pointers) {                                  \
        opslib_twin::call(NAME, pointers,                                           \
                          typename opslib_twin::CountTo<POINTERS>::type());         \
    }                                                                               \
    extern "C" __attribute__((visibility("default"))) int NAME##_twin(              \
        uint32_t blocks, void** pointers, const uint64_t* byte_sizes, char* report, \
        uint64_t report_bytes, uint64_t* counters, uint32_t n_counters) {           \
        return opslib_twin::launch({#NAME, blocks, pointers, byte_sizes, POINTERS,  \
                                    report, report_bytes, counters, n_counters,     \
                                    MIX},                                           \
                                   NAME##_twin_run);                                \
    }

#endif
