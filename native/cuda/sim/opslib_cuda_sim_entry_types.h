/* What an entry hands to the engine. */
#ifndef OPSLIB_CUDA_SIM_ENTRY_TYPES_H
#define OPSLIB_CUDA_SIM_ENTRY_TYPES_H

#include <stdint.h>

namespace opslib_cuda_sim {

struct Launch {
    const char* kernel;
    const uint32_t* grid;
    const uint32_t* block;
    uint64_t shared_bytes;
    void** arguments;
    char* report;
    uint64_t report_bytes;
    uint64_t* counters;
    uint32_t n_counters;
    uint32_t lanes;
};

int launch(const Launch& job, void (*run)(void**), void* anchor);

}  // namespace opslib_cuda_sim

#endif
