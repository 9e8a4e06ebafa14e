/* Barriers, fences, and what the lanes of a warp do together.  No __activemask: which
 * lanes run together is up to the hardware, and no kernel may depend on it. */
#ifndef OPSLIB_CUDA_SIM_WARP_H
#define OPSLIB_CUDA_SIM_WARP_H

#if OPS_WARP == 64
typedef unsigned long long opslib_cuda_sim_mask;
#else
typedef unsigned opslib_cuda_sim_mask;
#endif

static inline void __syncthreads(OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::block_barrier(opslib_cuda_sim::Block::Sync, 0, 0, 0, site);
}
static inline int __syncthreads_count(int value, OPSLIB_CUDA_SIM_SITE) {
    return opslib_cuda_sim::block_barrier(opslib_cuda_sim::Block::Count, 0, 0, value,
                                          site);
}
static inline int __syncthreads_and(int value, OPSLIB_CUDA_SIM_SITE) {
    return opslib_cuda_sim::block_barrier(opslib_cuda_sim::Block::And, 0, 0, value,
                                          site);
}
static inline int __syncthreads_or(int value, OPSLIB_CUDA_SIM_SITE) {
    return opslib_cuda_sim::block_barrier(opslib_cuda_sim::Block::Or, 0, 0, value,
                                          site);
}
static inline void __threadfence_block(OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::fence(opslib_cuda_sim::Fence::Block, site);
}
static inline void __threadfence(OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::fence(opslib_cuda_sim::Fence::Device, site);
}
static inline void __threadfence_system(OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::fence(opslib_cuda_sim::Fence::System, site);
}
static inline void __nanosleep(unsigned, OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::relax(site);
}
static inline void __trap(OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::trap("__trap()", site);
}

/* The mask has a default where CUDA has none, or the site could not follow it. */
static inline void __syncwarp(opslib_cuda_sim_mask mask = opslib_cuda_sim_mask(-1),
                              OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::collect(opslib_cuda_sim::Warp::Sync, mask, 0, 0, 0, 0, site);
}
template <typename T>
static inline T __shfl_sync(opslib_cuda_sim_mask mask, T value, int lane,
                            int width = OPS_WARP, OPSLIB_CUDA_SIM_SITE) {
    return opslib_cuda_sim::value_of<T>(
        opslib_cuda_sim::collect(opslib_cuda_sim::Warp::Index, mask,
                                 opslib_cuda_sim::bits_of(value), sizeof value, lane,
                                 width, site)
            .value);
}
template <typename T>
static inline T __shfl_up_sync(opslib_cuda_sim_mask mask, T value, unsigned delta,
                               int width = OPS_WARP, OPSLIB_CUDA_SIM_SITE) {
    return opslib_cuda_sim::value_of<T>(
        opslib_cuda_sim::collect(opslib_cuda_sim::Warp::Up, mask,
                                 opslib_cuda_sim::bits_of(value), sizeof value,
                                 int(delta), width, site)
            .value);
}
template <typename T>
static inline T __shfl_down_sync(opslib_cuda_sim_mask mask, T value, unsigned delta,
                                 int width = OPS_WARP, OPSLIB_CUDA_SIM_SITE) {
    return opslib_cuda_sim::value_of<T>(
        opslib_cuda_sim::collect(opslib_cuda_sim::Warp::Down, mask,
                                 opslib_cuda_sim::bits_of(value), sizeof value,
                                 int(delta), width, site)
            .value);
}
template <typename T>
static inline T __shfl_xor_sync(opslib_cuda_sim_mask mask, T value, int lanes,
                                int width = OPS_WARP, OPSLIB_CUDA_SIM_SITE) {
    return opslib_cuda_sim::value_of<T>(
        opslib_cuda_sim::collect(opslib_cuda_sim::Warp::Xor, mask,
                                 opslib_cuda_sim::bits_of(value), sizeof value, lanes,
                                 width, site)
            .value);
}
static inline int __any_sync(opslib_cuda_sim_mask mask, int predicate,
                             OPSLIB_CUDA_SIM_SITE) {
    return int(opslib_cuda_sim::collect(opslib_cuda_sim::Warp::Any, mask,
                                        predicate != 0, 4, 0, 0, site)
                   .value);
}
static inline int __all_sync(opslib_cuda_sim_mask mask, int predicate,
                             OPSLIB_CUDA_SIM_SITE) {
    return int(opslib_cuda_sim::collect(opslib_cuda_sim::Warp::All, mask,
                                        predicate != 0, 4, 0, 0, site)
                   .value);
}
static inline opslib_cuda_sim_mask __ballot_sync(opslib_cuda_sim_mask mask,
                                                 int predicate, OPSLIB_CUDA_SIM_SITE) {
    return opslib_cuda_sim_mask(
        opslib_cuda_sim::collect(opslib_cuda_sim::Warp::Ballot, mask, predicate != 0, 4,
                                 0, 0, site)
            .value);
}
template <typename T>
static inline opslib_cuda_sim_mask __match_any_sync(opslib_cuda_sim_mask mask, T value,
                                                    OPSLIB_CUDA_SIM_SITE) {
    return opslib_cuda_sim_mask(
        opslib_cuda_sim::collect(opslib_cuda_sim::Warp::MatchAny, mask,
                                 opslib_cuda_sim::bits_of(value), sizeof value, 0, 0,
                                 site)
            .value);
}
template <typename T>
static inline opslib_cuda_sim_mask __match_all_sync(opslib_cuda_sim_mask mask, T value,
                                                    int* all, OPSLIB_CUDA_SIM_SITE) {
    const opslib_cuda_sim::Collected got = opslib_cuda_sim::collect(
        opslib_cuda_sim::Warp::MatchAll, mask, opslib_cuda_sim::bits_of(value),
        sizeof value, 0, 0, site);
    *all = got.flag;
    return opslib_cuda_sim_mask(got.value);
}
#define OPSLIB_CUDA_SIM_REDUCE(NAME, TYPE, WHAT)                                       \
    static inline TYPE __reduce_##NAME##_sync(opslib_cuda_sim_mask mask, TYPE value,   \
                                              OPSLIB_CUDA_SIM_SITE) {                  \
        return TYPE(opslib_cuda_sim::collect(opslib_cuda_sim::Warp::WHAT, mask,        \
                                             opslib_cuda_sim::bits_of(value), 4, 0, 0, \
                                             site)                                     \
                        .value);                                                       \
    }
OPSLIB_CUDA_SIM_REDUCE(add, int, Add)
OPSLIB_CUDA_SIM_REDUCE(add, unsigned, Add)
OPSLIB_CUDA_SIM_REDUCE(min, int, MinSigned)
OPSLIB_CUDA_SIM_REDUCE(min, unsigned, MinUnsigned)
OPSLIB_CUDA_SIM_REDUCE(max, int, MaxSigned)
OPSLIB_CUDA_SIM_REDUCE(max, unsigned, MaxUnsigned)
OPSLIB_CUDA_SIM_REDUCE(and, unsigned, And)
OPSLIB_CUDA_SIM_REDUCE(or, unsigned, Or)
OPSLIB_CUDA_SIM_REDUCE(xor, unsigned, ExclusiveOr)
#undef OPSLIB_CUDA_SIM_REDUCE

#endif
