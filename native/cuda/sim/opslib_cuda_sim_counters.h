/* What a launch counts, in the order in which the entry hands it out. */
#ifndef OPSLIB_CUDA_SIM_COUNTERS_H
#define OPSLIB_CUDA_SIM_COUNTERS_H

namespace opslib_cuda_sim {

enum Counter {
    kThreads,
    kGlobalReadBytes,
    kGlobalWriteBytes,
    kGlobalAtomics,
    kSharedReadBytes,
    kSharedWriteBytes,
    kSharedAtomics,
    /* Of accesses of whole warps in the first blocks, the first times a line runs: how
     * many, the sectors of 32 bytes they touched, and those their bytes would fill. */
    kSampledGlobal,
    kSampledSectors,
    kSampledIdealSectors,
    /* The same for shared memory: how often the banks of 4 bytes were gone through, and
     * how often that many bytes need at least. */
    kSampledShared,
    kSampledWavefronts,
    kSampledIdealWavefronts,
    kBlockBarriers,
    kWarpCollectives,
    kMatrixFlops,
    kAsyncBytes,
    kSharedPeak,
    kSwitches,
    kCounters
};

}  // namespace opslib_cuda_sim

#endif
