/* The cost model behind the cycle counters.  The defaults are units, not a chip: one
 * 256 byte repeat, one cube fractal product, one 32 byte block of a copy each cycle, no
 * start-up.  Whoever wants a chip's estimate sets the constants, with their sources, by
 * opslib_twin_costs. */
#ifndef OPSLIB_TWIN_COST_H
#define OPSLIB_TWIN_COST_H

#include "opslib_twin_state.h"

namespace opslib_twin {

struct Costs {
    double vector_start = 0, cycles_per_repeat = 1;
    double copy_start = 0, in_bytes_per_cycle = 32, out_bytes_per_cycle = 32;
    double l1_bytes_per_cycle = 32, fix_bytes_per_cycle = 32;
    double cube_start = 0, cycles_per_fractal = 1;
    double scalar_access = 1;
};

inline Costs costs;

/* Of the time of a copy: a vector core of a mix kernel moves half as fast as the cube core
 * that it belongs to, for there are two of them. */
inline double copy_share() { return state->mix && state->unit ? 2 : 1; }

inline void spend_repeats(uint64_t repeats) {
    state->counters[kRepeats] += repeats;
    spend(costs.vector_start + double(repeats) * costs.cycles_per_repeat);
}

}  // namespace opslib_twin

#endif
