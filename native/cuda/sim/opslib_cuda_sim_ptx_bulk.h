/* mbarriers, bulk copies and tensor copies.  A part of the simulator's opslib_cuda_ptx.h. */
#ifndef OPSLIB_CUDA_SIM_PTX_BULK_H
#define OPSLIB_CUDA_SIM_PTX_BULK_H

/* Made by opslib_cuda_sim_tensor_map. */
struct __align__(64) ops_tensor_map {
    uint64_t words[16];
};

static inline void ops_ptx_mbarrier_init(uint64_t* barrier, uint32_t count,
                                         OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::mbarrier_init(barrier, count, site);
}
static inline void ops_ptx_mbarrier_invalidate(uint64_t* barrier, OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::mbarrier_invalidate(barrier, site);
}
static inline void ops_ptx_mbarrier_arrive(uint64_t* barrier, OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::mbarrier_arrive(barrier, 0, 1, site);
}
static inline void ops_ptx_mbarrier_expect_tx(uint64_t* barrier, uint32_t bytes,
                                              OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::mbarrier_arrive(barrier, bytes, 0, site);
}
static inline void ops_ptx_mbarrier_arrive_expect_tx(uint64_t* barrier, uint32_t bytes,
                                                     OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::mbarrier_arrive(barrier, bytes, 1, site);
}
static inline bool ops_ptx_mbarrier_test_wait(uint64_t* barrier, uint32_t parity,
                                              OPSLIB_CUDA_SIM_SITE) {
    return opslib_cuda_sim::mbarrier_wait(barrier, parity, false, site);
}
static inline bool ops_ptx_mbarrier_try_wait(uint64_t* barrier, uint32_t parity,
                                             OPSLIB_CUDA_SIM_SITE) {
    return opslib_cuda_sim::mbarrier_wait(barrier, parity, true, site);
}
static inline void ops_ptx_mbarrier_wait(uint64_t* barrier, uint32_t parity,
                                         OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::mbarrier_wait(barrier, parity, true, site);
}
static inline void ops_ptx_cp_async_mbarrier_arrive(uint64_t* barrier,
                                                    OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::copy_async_arrive(barrier, site);
}
static inline void ops_ptx_fence_mbarrier_init(OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::fence(opslib_cuda_sim::Fence::Proxy, site);
}
static inline void ops_ptx_fence_proxy_async(OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::fence(opslib_cuda_sim::Fence::Proxy, site);
}

static inline void ops_ptx_bulk_load(void* shared, const void* global, uint32_t bytes,
                                     uint64_t* barrier, OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::bulk_load(shared, global, bytes, barrier, site);
}
static inline void ops_ptx_bulk_store(void* global, const void* shared, uint32_t bytes,
                                      OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::bulk_store(global, shared, bytes, site);
}
static inline void ops_ptx_bulk_commit() { opslib_cuda_sim::bulk_commit(); }
template <int N>
static inline void ops_ptx_bulk_wait(OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::bulk_wait(N, false, site);
}
template <int N>
static inline void ops_ptx_bulk_wait_read(OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::bulk_wait(N, true, site);
}

static inline void ops_ptx_tensor_prefetch(const ops_tensor_map*) {}
OPSLIB_CUDA_SIM_PLAIN static inline void ops_ptx_tensor_load_1d(
    void* shared, const ops_tensor_map* map, int x, uint64_t* barrier,
    OPSLIB_CUDA_SIM_SITE) {
    const int at[] = {x};
    opslib_cuda_sim::tensor_load(shared, map->words, 1, at, barrier, site);
}
OPSLIB_CUDA_SIM_PLAIN static inline void ops_ptx_tensor_load_2d(
    void* shared, const ops_tensor_map* map, int x, int y, uint64_t* barrier,
    OPSLIB_CUDA_SIM_SITE) {
    const int at[] = {x, y};
    opslib_cuda_sim::tensor_load(shared, map->words, 2, at, barrier, site);
}
OPSLIB_CUDA_SIM_PLAIN static inline void ops_ptx_tensor_load_3d(
    void* shared, const ops_tensor_map* map, int x, int y, int z, uint64_t* barrier,
    OPSLIB_CUDA_SIM_SITE) {
    const int at[] = {x, y, z};
    opslib_cuda_sim::tensor_load(shared, map->words, 3, at, barrier, site);
}
OPSLIB_CUDA_SIM_PLAIN static inline void ops_ptx_tensor_store_1d(
    const ops_tensor_map* map, int x, const void* shared, OPSLIB_CUDA_SIM_SITE) {
    const int at[] = {x};
    opslib_cuda_sim::tensor_store(map->words, 1, at, shared, site);
}
OPSLIB_CUDA_SIM_PLAIN static inline void ops_ptx_tensor_store_2d(
    const ops_tensor_map* map, int x, int y, const void* shared, OPSLIB_CUDA_SIM_SITE) {
    const int at[] = {x, y};
    opslib_cuda_sim::tensor_store(map->words, 2, at, shared, site);
}
OPSLIB_CUDA_SIM_PLAIN static inline void ops_ptx_tensor_store_3d(
    const ops_tensor_map* map, int x, int y, int z, const void* shared,
    OPSLIB_CUDA_SIM_SITE) {
    const int at[] = {x, y, z};
    opslib_cuda_sim::tensor_store(map->words, 3, at, shared, site);
}

static inline bool ops_ptx_elect(OPSLIB_CUDA_SIM_SITE) {
    return opslib_cuda_sim::collect(opslib_cuda_sim::Warp::Elect, 0xffffffff, 0, 4, 0, 0,
                                    site)
               .value != 0;
}

/* Clusters are of one block so far. */
static inline uint32_t ops_ptx_cluster_rank() { return 0; }
static inline uint32_t ops_ptx_cluster_size() { return 1; }
static inline void ops_ptx_cluster_sync(OPSLIB_CUDA_SIM_SITE) {
    opslib_cuda_sim::cluster_barrier(site);
}

#endif
