/* What the engine holds while a launch runs.  Part of opslib_cuda_sim_library.h. */
#ifndef OPSLIB_CUDA_SIM_STATE_H
#define OPSLIB_CUDA_SIM_STATE_H

#include <stdlib.h>

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "opslib_cuda_sim_counters.h"

namespace opslib_cuda_sim {

constexpr uint32_t kMaxThreads = 1024, kMaxWarps = 32, kBarriers = 16;
/* barrier.cluster, of the one block that a cluster has here. */
constexpr int kClusterBarrier = 16;
/* Copies and products that run beside the threads take part in orders as threads of
 * their own: agents, numbered behind the threads and used in turn. */
constexpr uint32_t kAgents = 512, kActors = kMaxThreads + kAgents;
/* The writer of bytes that a cp.async will fill; never known to anyone. */
constexpr uint32_t kFlight = kActors;
/* The writer of an mbarrier's own bytes. */
constexpr uint32_t kMbarrier = kActors + 1;
/* The most a block has on any target (sm_90 and sm_100: 227 KiB). */
constexpr uint32_t kDynamicBytes = 227 * 1024;
constexpr size_t kStackBytes = 256 * 1024, kGuardBytes = 4096;

/* One access: a clock (20 bits), whether atomic, and the actor (11 bits).  Clocks start
 * at 1, so 0 is no access. */
using Stamp = uint32_t;
constexpr uint32_t kActorBits = 11, kClockShift = 12, kMaxClock = (1u << 20) - 2;
constexpr Stamp kActorMask = (1u << kActorBits) - 1, kAtomic = 1u << kActorBits;
constexpr Stamp stamp_of(uint32_t clock, uint32_t actor) {
    return clock << kClockShift | actor;
}
constexpr uint32_t clock_of(Stamp stamp) { return stamp >> kClockShift; }
constexpr uint32_t actor_of(Stamp stamp) { return stamp & kActorMask; }

/* A place in the text: an address relative to the kernel's code, or with the top bit
 * the number of a Site. */
using Place = uint32_t;
constexpr Place kIsSite = 1u << 31;

/* Of a granule of memory: the last write, the last read, the last read of another lane
 * of that warp, and the last read of another warp. */
struct Cell {
    Stamp stamp[4];
    Place place[4];
};
enum CellPart {
    kWrite,
    kRead,
    kReadLane,
    kReadWarp
};

/* What an actor knows of all actors beyond barriers of the block and its warp. */
struct Known {
    uint32_t references;
    uint32_t at[kActors];
};

/* What is known of other blocks, by the first clock of each: through fences and atomics.
 * Never changed once made. */
using Past = std::map<uint32_t, std::shared_ptr<const Known>>;

struct Region {
    uintptr_t base;
    uint64_t bytes;
    Cell* cells;
    uint64_t cell_bytes;
    uint8_t shift; /* a cell is for 1 << shift bytes */
    bool shared, writable, initialised;
    /* Stamps below are of memory that nobody wrote: the start of the block for shared
     * memory. */
    Stamp valid;
    uint64_t touched; /* shared memory: cells behind are clean */
    int number;
};

enum class Wait : uint8_t {
    No,
    Warp,
    Block,
    Mbarrier,
    Poll,
    Exited
};

struct WarpState;
struct Thread;

/* One cp.async that has not arrived. */
struct Copy {
    uint8_t* shared;
    const uint8_t* global;
    int size, bytes;
    Place place;
};
/* A cp.async.bulk; `map` is a tensor map, all zero for one run of bytes. */
struct Bulk {
    bool load;
    uint64_t map[16];
    int at[5];
    uint8_t *shared, *global;
    uint64_t bytes;
    uintptr_t mbarrier;
    uint32_t reader, writer; /* agents */
    uint32_t reader_clock, writer_clock;
    Known* known;
    const Thread* thread;
    Place place;
    bool read;
};
/* The results of a wgmma for one lane, before they are waited for. */
struct Product {
    void* d;
    std::vector<uint32_t> results;
    Known* done;
};
/* Registers that a wgmma uses: whether a thread has touched them since the last
 * wgmma.fence. */
struct Operand {
    uintptr_t at, bytes;
    int pending;
    bool touched;
    Place place, pending_place;
};
/* What a thread has asked for and not waited for, and the open group of each kind. */
struct Async {
    bool used;
    std::vector<Copy> copies;
    std::deque<std::vector<Copy>> copy_groups;
    std::vector<Bulk> bulks;
    std::deque<std::vector<Bulk>> bulk_groups;
    std::vector<Product> products;
    std::deque<std::vector<Product>> product_groups;
    std::vector<Operand> operands;
    bool fenced;
    uint64_t group_matrices;
    /* Clocks of its fence.proxy.async, and what it knew at the last. */
    std::vector<uint32_t> fences;
    std::vector<uint32_t> fenced_at;
};
struct Mbarrier {
    uint32_t count, pending, phase;
    int64_t bytes;
    Known *now, *done; /* of this phase's arrivals, of the last one's */
    uint32_t thread, clock;
    Site site;
};

/* A fibre has a stack from its first wait on; see opslib_cuda_sim_fibre.h. */
struct Thread {
    void* stack_pointer;
    uintptr_t stack;
    uint3 index;
    uint32_t id, lane;
    WarpState* warp;
    Wait wait;
    /* What it waits for. */
    Warp what;
    int size, argument, width, barrier;
    uint64_t mask, value, result;
    bool flag;
    void* data;
    Site site;
    Known* known;
    Async async;
    /* Of other blocks: what it knows, what its last fence releases, and what an atomic
     * has read that a fence will make known. */
    std::shared_ptr<const Past> past, released, read;
    uint32_t atomics;
};

struct WarpState {
    uint64_t members, ready, waiting, exited;
    Thread* threads;
    int sync; /* index of the sync line by which warp_floor was last raised */
};

struct BarrierState {
    int expected, arrived, total, value;
    Block what;
    Site site;
    std::vector<uint32_t> waiting;
    /* Of those who have only arrived: what they knew then. */
    Known* known;
    std::shared_ptr<const Past> past;
};

/* A barrier, wait or fence of the text. */
struct SyncLine {
    Site site;
    std::string what;
    uint64_t runs;
    bool useful, noted;
};

struct Finding {
    const char* kind;
    std::string text, json;
};

struct State {
    const char* kernel;
    void (*run)(void**);
    void** arguments;
    uint3 grid, block, block_at;
    uint32_t threads, warps, lanes;
    uint64_t shared_bytes, shared_limit;
    uintptr_t code;
    void* main_stack;
    bool stopped;

    Thread thread[kMaxThreads];
    WarpState warp[kMaxWarps];
    uint64_t ready_warps;
    uint32_t exited, polling;
    uint64_t progress, polled;
    uint64_t idle, idle_progress;
    BarrierState barrier[kBarriers + 1];

    /* clock[a]: of the accesses an actor does now.  floor[a]: what everybody knows by
     * a barrier of the block; warp_floor[a]: what its warp knows. */
    uint32_t clock[kActors], floor[kActors], warp_floor[kMaxThreads];
    /* Both before the last barrier: what only that one has made known. */
    uint32_t old_floor[kMaxThreads], old_warp_floor[kMaxThreads];
    int floor_sync;
    bool any_known;
    uint32_t block_base, launch_base, next_base;
    /* First clock of each block of the launch: whose a stamp is. */
    std::vector<uint32_t> block_bases;
    std::vector<Known*> known_pool;
    /* The last sum of two clocks; held, so that neither changes. */
    Known *sum_of[2], *sum;

    /* What atomics have released, by address. */
    std::unordered_map<uintptr_t, std::shared_ptr<const Past>> released;
    bool any_past;
    std::map<uintptr_t, Mbarrier> mbarriers;
    std::deque<Bulk> loads;
    uint64_t agents;

    std::vector<Region> buffers;
    Region fixed, dynamic;
    Region* last;
    std::vector<std::pair<uintptr_t, uintptr_t>> segments;

    std::vector<Site> sites;
    std::map<std::pair<const char*, int>, uint32_t> site_numbers;
    std::vector<SyncLine> sync_lines;
    std::map<std::pair<int, std::pair<const char*, int>>, int> sync_numbers;

    uint64_t findings;
    std::vector<std::string> seen;
    std::set<std::tuple<const char*, Place, Place>> told;
    uint64_t launches;
    char* report;
    uint64_t report_bytes, report_used;
    uint64_t counters[kCounters];
    bool sampling, sample;
};

/* One launch at a time: a kernel's threads are all of one OS thread, and so is its
 * shared memory. */
inline std::mutex launching;
inline State g;
inline Thread* self = nullptr;
/* The sync line that orders nothing, from 1 in the order of first execution, for
 * mutation tests; 0 for none. */
inline int dropped = 0;

constexpr int kNoSync = -1;

}  // namespace opslib_cuda_sim

#endif
