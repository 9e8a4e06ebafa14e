/* The trailer of a unit of kernels: OPSLIB_CUDA_SIM_ENTRY(NAME) defines
 *
 *     extern "C" int NAME_sim(const uint32_t grid[3], const uint32_t block[3],
 *                             uint64_t shared_bytes, void** arguments, char* report,
 *                             uint64_t report_bytes, uint64_t* counters,
 *                             uint32_t n_counters);
 *
 * which runs the kernel NAME.  `arguments` are pointers to the values of its parameters,
 * as cuLaunchKernel takes them.  Memory it may touch is announced before by
 * opslib_cuda_sim_buffer.  Returns the number of findings; `report` gets the first of
 * each kind and place as JSON lines, then notes of the kind "redundant", which are no
 * findings.  Without `counters` nothing is sampled.  */
#ifndef OPSLIB_CUDA_SIM_ENTRY_H
#define OPSLIB_CUDA_SIM_ENTRY_H

#include "opslib_cuda_sim_entry_types.h"

namespace opslib_cuda_sim {

template <typename T>
struct Plain {
    using type = T;
};
template <typename T>
struct Plain<const T> {
    using type = T;
};
template <int... I>
struct Indices {};
template <int N, int... I>
struct CountTo : CountTo<N - 1, N - 1, I...> {};
template <int... I>
struct CountTo<0, I...> {
    using type = Indices<I...>;
};
template <typename... A, int... I>
OPSLIB_CUDA_SIM_PLAIN inline void call(void (*kernel)(A...), void** arguments,
                                       Indices<I...>) {
    kernel(*static_cast<typename Plain<A>::type*>(arguments[I])...);
    static_cast<void>(arguments);
}
template <typename... A>
OPSLIB_CUDA_SIM_PLAIN inline void call(void (*kernel)(A...), void** arguments) {
    call(kernel, arguments, typename CountTo<int(sizeof...(A))>::type());
}

}  // namespace opslib_cuda_sim

#define OPSLIB_CUDA_SIM_ENTRY(NAME)                                                    \
    OPSLIB_CUDA_SIM_PLAIN static void NAME##_sim_run(void** arguments) {               \
        opslib_cuda_sim::call(NAME, arguments);                                        \
    }                                                                                  \
    extern "C" __attribute__((visibility("default"))) OPSLIB_CUDA_SIM_PLAIN int        \
        NAME##_sim(const uint32_t* grid, const uint32_t* block, uint64_t shared_bytes, \
                   void** arguments, char* report, uint64_t report_bytes,              \
                   uint64_t* counters, uint32_t n_counters) {                          \
        static thread_local volatile char anchor;                                      \
        anchor = 0; /* makes the thread-local storage of this module */                \
        return opslib_cuda_sim::launch(                                                \
            {#NAME, grid, block, shared_bytes, arguments, report, report_bytes,        \
             counters, n_counters, OPS_WARP},                                          \
            NAME##_sim_run, const_cast<char*>(&anchor));                               \
    }

#endif
