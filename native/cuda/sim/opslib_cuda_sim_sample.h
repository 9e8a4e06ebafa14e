/* How the lanes of a warp access memory together: 32-byte sectors of global memory, banks
 * of shared memory.  Lanes run one after the other, so accesses are put together by
 * their place in the text and by how often a lane has been there. */
#ifndef OPSLIB_CUDA_SIM_SAMPLE_H
#define OPSLIB_CUDA_SIM_SAMPLE_H

#include <algorithm>

#include "opslib_cuda_sim_shadow.h"

namespace opslib_cuda_sim {

constexpr uint64_t kSampledBlocks = 2;
constexpr uint32_t kSampledTurns = 64;

struct Touch {
    uintptr_t address;
    uint32_t size, lane;
};
struct Sampled {
    bool shared;
    uint32_t turns[64];
    std::vector<std::vector<Touch>> accesses;
};
inline std::map<std::pair<uint32_t, Place>, Sampled> samples;

inline void sample(Thread& t, const Region& r, uintptr_t address, uint64_t size,
                   Place place) {
    Sampled& s = samples[{t.id / g.lanes * 2 + r.shared, place}];
    s.shared = r.shared;
    const uint32_t turn = s.turns[t.lane]++;
    if (turn >= kSampledTurns) return;
    if (s.accesses.size() <= turn) s.accesses.resize(turn + 1);
    s.accesses[turn].push_back({address, uint32_t(size), t.lane});
}

/* Units of `1 << shift` bytes that accesses touch, each once, in order. */
inline std::vector<uintptr_t> units(const std::vector<Touch>& accesses, int shift,
                                    uint32_t first, uint32_t end) {
    std::vector<uintptr_t> found;
    for (const Touch& each : accesses) {
        if (each.lane < first || each.lane >= end) continue;
        const uintptr_t last = (each.address + each.size - 1) >> shift;
        for (uintptr_t unit = each.address >> shift; unit <= last; unit++)
            found.push_back(unit);
    }
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
}

inline void count_samples() {
    for (const auto& entry : samples)
        for (const auto& accesses : entry.second.accesses) {
            if (accesses.empty()) continue;
            if (!entry.second.shared) {
                g.counters[kSampledGlobal]++;
                g.counters[kSampledSectors] += units(accesses, 5, 0, 64).size();
                g.counters[kSampledIdealSectors] +=
                    (units(accesses, 0, 0, 64).size() + 31) / 32;
                continue;
            }
            /* 128 bytes a wavefront: accesses of 8 and 16 bytes go by halves and
             * quarters of a warp.  Lanes that read one word share it. */
            g.counters[kSampledShared]++;
            const uint32_t size = accesses[0].size;
            const uint32_t lanes = size <= 4 ? 32 : 128 / std::min(size, 128u);
            for (uint32_t first = 0; first < g.lanes; first += lanes) {
                uint32_t banks[32] = {}, most = 0;
                for (const uintptr_t word : units(accesses, 2, first, first + lanes))
                    most = std::max(most, ++banks[word % 32]);
                g.counters[kSampledWavefronts] += most;
                g.counters[kSampledIdealWavefronts] += most != 0;
            }
        }
    samples.clear();
}

}  // namespace opslib_cuda_sim

#endif
