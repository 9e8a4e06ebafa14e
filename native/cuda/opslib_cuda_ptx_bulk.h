/* mbarriers, bulk copies and tensor copies (TMA). A part of opslib_cuda_ptx.h.
 *
 * PTX ISA, "mbarrier", "cp.async.bulk", "cp.async.bulk.tensor", "elect.sync", "setmaxnreg",
 * "barrier.cluster". */

/* What cuTensorMapEncodeTiled fills in; a kernel takes it as a
 * `const __grid_constant__ ops_tensor_map` parameter. */
struct __align__(64) ops_tensor_map {
    uint64_t words[16];
};

#if __CUDA_ARCH__ >= 800
/* An mbarrier is eight bytes of shared memory, of `count` arrivals a phase. */
static inline __device__ void ops_ptx_mbarrier_init(uint64_t *barrier, uint32_t count) {
    asm volatile("mbarrier.init.shared.b64 [%0], %1;"
                 :
                 : "r"(ops_ptx_shared_address(barrier)), "r"(count)
                 : "memory");
}
static inline __device__ void ops_ptx_mbarrier_invalidate(uint64_t *barrier) {
    asm volatile("mbarrier.inval.shared.b64 [%0];"
                 :
                 : "r"(ops_ptx_shared_address(barrier))
                 : "memory");
}
static inline __device__ void ops_ptx_mbarrier_arrive(uint64_t *barrier) {
    asm volatile("{\n.reg .b64 state;\nmbarrier.arrive.shared.b64 state, [%0];\n}"
                 :
                 : "r"(ops_ptx_shared_address(barrier))
                 : "memory");
}
/* Whether the phase of this parity (0, 1, 0 ...) is over. */
static inline __device__ bool ops_ptx_mbarrier_test_wait(uint64_t *barrier, uint32_t parity) {
    uint32_t over;
    asm volatile("{\n.reg .pred over;\n"
                 "mbarrier.test_wait.parity.shared.b64 over, [%1], %2;\n"
                 "selp.b32 %0, 1, 0, over;\n}"
                 : "=r"(over)
                 : "r"(ops_ptx_shared_address(barrier)), "r"(parity)
                 : "memory");
    return over != 0;
}
/* This thread's cp.async so far arrive when they are done, as one of the arrivals. */
static inline __device__ void ops_ptx_cp_async_mbarrier_arrive(uint64_t *barrier) {
    asm volatile("cp.async.mbarrier.arrive.noinc.shared.b64 [%0];"
                 :
                 : "r"(ops_ptx_shared_address(barrier))
                 : "memory");
}
#endif

#if __CUDA_ARCH__ >= 900
/* As test_wait; may take a while to say no. */
static inline __device__ bool ops_ptx_mbarrier_try_wait(uint64_t *barrier, uint32_t parity) {
    uint32_t over;
    asm volatile("{\n.reg .pred over;\n"
                 "mbarrier.try_wait.parity.shared::cta.b64 over, [%1], %2;\n"
                 "selp.b32 %0, 1, 0, over;\n}"
                 : "=r"(over)
                 : "r"(ops_ptx_shared_address(barrier)), "r"(parity)
                 : "memory");
    return over != 0;
}
static inline __device__ void ops_ptx_mbarrier_wait(uint64_t *barrier, uint32_t parity) {
    while (!ops_ptx_mbarrier_try_wait(barrier, parity)) {
    }
}
/* The phase is not over before copies have brought this many bytes more. */
static inline __device__ void ops_ptx_mbarrier_expect_tx(uint64_t *barrier, uint32_t bytes) {
    asm volatile("mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%0], %1;"
                 :
                 : "r"(ops_ptx_shared_address(barrier)), "r"(bytes)
                 : "memory");
}
static inline __device__ void ops_ptx_mbarrier_arrive_expect_tx(uint64_t *barrier,
                                                                uint32_t bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;"
                 :
                 : "r"(ops_ptx_shared_address(barrier)), "r"(bytes)
                 : "memory");
}

/* What was written before (mbarriers; any shared memory) is seen by copies and products that
 * this thread, or one that is ordered behind it, starts. */
static inline __device__ void ops_ptx_fence_mbarrier_init() {
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
static inline __device__ void ops_ptx_fence_proxy_async() {
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

/* A run of bytes: addresses and size are multiples of 16. Loads signal an mbarrier, stores
 * belong to groups. */
static inline __device__ void ops_ptx_bulk_load(void *shared, const void *global,
                                                uint32_t bytes, uint64_t *barrier) {
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes"
                 " [%0], [%1], %2, [%3];"
                 :
                 : "r"(ops_ptx_shared_address(shared)), "l"(__cvta_generic_to_global(global)),
                   "r"(bytes), "r"(ops_ptx_shared_address(barrier))
                 : "memory");
}
static inline __device__ void ops_ptx_bulk_store(void *global, const void *shared,
                                                 uint32_t bytes) {
    asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;"
                 :
                 : "l"(__cvta_generic_to_global(global)), "r"(ops_ptx_shared_address(shared)),
                   "r"(bytes)
                 : "memory");
}
static inline __device__ void ops_ptx_bulk_commit() {
    asm volatile("cp.async.bulk.commit_group;" ::: "memory");
}
/* Until at most the last N groups of stores are open; _read: until their shared memory may be
 * written again. */
template <int N>
static inline __device__ void ops_ptx_bulk_wait() {
    asm volatile("cp.async.bulk.wait_group %0;" : : "n"(N) : "memory");
}
template <int N>
static inline __device__ void ops_ptx_bulk_wait_read() {
    asm volatile("cp.async.bulk.wait_group.read %0;" : : "n"(N) : "memory");
}

/* The box of a tensor at x, y, z (innermost first), to and from shared memory at a multiple of
 * 128 bytes. What lies outside of the tensor is zero, and not stored. */
static inline __device__ void ops_ptx_tensor_prefetch(const ops_tensor_map *map) {
    asm volatile("prefetch.tensormap [%0];" : : "l"(map) : "memory");
}
#define OPS_PTX_TENSOR(RANK, PLACE, LOAD_PLACES, STORE_PLACES, ARGUMENTS, ...)                  \
    static inline __device__ void ops_ptx_tensor_load_##RANK(                                   \
        void *shared, const ops_tensor_map *map, ARGUMENTS, uint64_t *barrier) {                \
        asm volatile("cp.async.bulk.tensor." PLACE                                              \
                     ".shared::cluster.global.mbarrier::complete_tx::bytes"                     \
                     " [%0], [%1, {" LOAD_PLACES "}], [%2];"                                    \
                     :                                                                          \
                     : "r"(ops_ptx_shared_address(shared)), "l"(map),                           \
                       "r"(ops_ptx_shared_address(barrier)), __VA_ARGS__                        \
                     : "memory");                                                               \
    }                                                                                           \
    static inline __device__ void ops_ptx_tensor_store_##RANK(                                  \
        const ops_tensor_map *map, ARGUMENTS, const void *shared) {                             \
        asm volatile("cp.async.bulk.tensor." PLACE                                              \
                     ".global.shared::cta.bulk_group [%0, {" STORE_PLACES "}], [%1];"           \
                     :                                                                          \
                     : "l"(map), "r"(ops_ptx_shared_address(shared)), __VA_ARGS__               \
                     : "memory");                                                               \
    }
#define OPS_PTX_COMMA ,
OPS_PTX_TENSOR(1d, "1d", "%3", "%2", int x, "r"(x))
OPS_PTX_TENSOR(2d, "2d", "%3, %4", "%2, %3", int x OPS_PTX_COMMA int y, "r"(x), "r"(y))
OPS_PTX_TENSOR(3d, "3d", "%3, %4, %5", "%2, %3, %4",
               int x OPS_PTX_COMMA int y OPS_PTX_COMMA int z, "r"(x), "r"(y), "r"(z))
#undef OPS_PTX_COMMA
#undef OPS_PTX_TENSOR

/* True for one lane of a warp that is all here. */
static inline __device__ bool ops_ptx_elect() {
    uint32_t chosen;
    asm volatile("{\n.reg .pred chosen;\nelect.sync _|chosen, 0xffffffff;\n"
                 "selp.b32 %0, 1, 0, chosen;\n}"
                 : "=r"(chosen)
                 :
                 : "memory");
    return chosen != 0;
}

static inline __device__ uint32_t ops_ptx_cluster_rank() {
    uint32_t rank;
    asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    return rank;
}
static inline __device__ uint32_t ops_ptx_cluster_size() {
    uint32_t size;
    asm volatile("mov.u32 %0, %%cluster_nctarank;" : "=r"(size));
    return size;
}
static inline __device__ void ops_ptx_cluster_sync() {
    asm volatile("barrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;" ::: "memory");
}
#endif
