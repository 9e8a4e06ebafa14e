/* What the headers of the CUDA language call: the simulator's engine.  It is compiled
 * once (opslib_cuda_sim_library.h) and linked to by every unit of kernels. */
#ifndef OPSLIB_CUDA_SIM_ENGINE_H
#define OPSLIB_CUDA_SIM_ENGINE_H

#include <stdint.h>

/* Defaulted last parameter of whatever findings may name: where it was called. */
#define OPSLIB_CUDA_SIM_SITE \
    opslib_cuda_sim::Site site = {__builtin_FILE(), int(__builtin_LINE())}
/* Not worth a look by the race detector: the simulator's own code. */
#define OPSLIB_CUDA_SIM_PLAIN __attribute__((no_sanitize("thread")))

namespace opslib_cuda_sim {

struct Site {
    const char* file;
    int line;
};

/* Constant for a thread, and a thread never changes while its kernel runs. */
__attribute__((const)) uint3 thread_index();
__attribute__((const)) uint3 block_index();
__attribute__((const)) uint3 block_size();
__attribute__((const)) uint3 grid_size();

enum class Warp : uint8_t {
    Sync,
    Index,
    Up,
    Down,
    Xor,
    Any,
    All,
    Ballot,
    MatchAny,
    MatchAll,
    Add,
    MinSigned,
    MaxSigned,
    MinUnsigned,
    MaxUnsigned,
    And,
    Or,
    ExclusiveOr,
    /* Those of opslib_cuda_ptx.h. */
    Matrix,
    LoadMatrix,
    StoreMatrix,
    Elect,
    GroupMatrix,
};

struct Collected {
    uint64_t value;
    bool flag;
};

/* Waits for the lanes of `mask`; see __shfl_sync and its relatives.  `size` is that of
 * the value in bytes. */
Collected collect(Warp what, uint64_t mask, uint64_t value, int size, int argument,
                  int width, Site site);

enum class Block : uint8_t {
    Sync,
    Count,
    And,
    Or,
    Named,
};
/* bar.sync and bar.red; `threads` of 0 is all of the block. */
int block_barrier(Block what, int id, int threads, int value, Site site);
/* bar.arrive */
void block_arrive(int id, int threads, Site site);

enum class Fence : uint8_t {
    Block,
    Device,
    System,
    Proxy,
};
void fence(Fence what, Site site);
/* Lets other threads run. */
void relax(Site site);
[[noreturn]] void trap(const char* text, Site site);

enum class Atomic : uint8_t {
    Add,
    AddF32,
    AddF64,
    AddF16,
    AddBf16,
    Min,
    Max,
    MinUnsigned,
    MaxUnsigned,
    And,
    Or,
    Xor,
    Exchange,
    Compare,
    Increment,
    Decrement,
    Load,
    Store,
};
/* `order`: 0 relaxed, 1 acquire, 2 release, 3 both. */
uint64_t atomic(Atomic what, void* address, int size, uint64_t value, uint64_t compare,
                int order, Site site);

/* ---- PTX; see opslib_cuda_ptx.h */

enum class Number : uint8_t {
    F16,
    BF16,
    TF32,
    S8,
    U8,
    E4M3,
    E5M2,
};
/* mma.sync.aligned.m16n8k`k`: d += a b of a warp, fragments in registers.  d are 4
 * floats, or 4 int32 for whole numbers. */
void matrix(Number type, int k, void* d, const uint32_t* a, const uint32_t* b,
            Site site);
/* ldmatrix and stmatrix of 1, 2 or 4 matrices of 8 rows of 16 bytes. */
void load_matrix(int count, bool transposed, uint32_t* registers, const void* row,
                 Site site);
void store_matrix(int count, bool transposed, const uint32_t* registers, void* row,
                  Site site);

/* cp.async: `size` of 4, 8 or 16, of which `bytes` are read and the rest is zero. */
void copy_async(void* shared, const void* global, int size, int bytes, Site site);
void copy_async_commit();
/* All groups but the last `open`; -1 for everything, committed or not. */
void copy_async_wait(int open, Site site);

/* mbarrier: objects of eight bytes in shared memory. */
void mbarrier_init(void* barrier, uint32_t count, Site site);
void mbarrier_invalidate(void* barrier, Site site);
/* Expects `bytes` more of copies, then arrives `count` times. */
void mbarrier_arrive(void* barrier, uint32_t bytes, uint32_t count, Site site);
/* Whether the phase of this parity is over; waits for it when told so. */
bool mbarrier_wait(void* barrier, uint32_t parity, bool wait, Site site);
/* cp.async.mbarrier.arrive.noinc */
void copy_async_arrive(void* barrier, Site site);

/* cp.async.bulk: without a map `global` is an address, with one null. */
void bulk_load(void* shared, const void* global, uint32_t bytes, void* barrier,
               Site site);
void bulk_store(void* global, const void* shared, uint32_t bytes, Site site);
void tensor_load(void* shared, const uint64_t* map, int rank, const int* at,
                 void* barrier, Site site);
void tensor_store(const uint64_t* map, int rank, const int* at, const void* shared,
                  Site site);
void bulk_commit();
void bulk_wait(int open, bool read_only, Site site);

uint32_t shared_address(const void* shared);
/* wgmma.mma_async.m64n`n`: `a` are registers, or null for a descriptor. */
void group_matrix(Number type, int n, void* d, const uint32_t* a, uint64_t a_matrix,
                  uint64_t b_matrix, bool add, bool turn_a, bool turn_b, Site site);
void group_fence(Site site);
void group_commit(Site site);
void group_wait(int open, Site site);
void cluster_barrier(Site site);

template <typename T>
OPSLIB_CUDA_SIM_PLAIN inline uint64_t bits_of(T value) {
    static_assert(sizeof(T) <= 8, "at most eight bytes");
    uint64_t bits = 0;
    __builtin_memcpy(&bits, &value, sizeof value);
    return bits;
}
template <typename T>
OPSLIB_CUDA_SIM_PLAIN inline T value_of(uint64_t bits) {
    T value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

}  // namespace opslib_cuda_sim

#endif
