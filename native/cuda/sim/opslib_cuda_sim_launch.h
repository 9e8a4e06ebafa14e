/* A launch: blocks one after the other, the host's view of the engine. */
#ifndef OPSLIB_CUDA_SIM_LAUNCH_H
#define OPSLIB_CUDA_SIM_LAUNCH_H

#include <link.h>

#include <algorithm>

#include "opslib_cuda_sim_entry_types.h"
#include "opslib_cuda_sim_run_atomic.h"
#include "opslib_cuda_sim_run_block.h"
#include "opslib_cuda_sim_run_group.h"
#include "opslib_cuda_sim_sample.h"
#include "opslib_cuda_sim_tsan.h"

/* The dynamic shared memory of every kernel. */
alignas(1024) thread_local unsigned char ops_shared[opslib_cuda_sim::kDynamicBytes];

namespace opslib_cuda_sim {

/* Buffers announced by this OS thread for its launches. */
struct Announced {
    uintptr_t base;
    uint64_t bytes;
    int flags;
};
inline thread_local std::vector<Announced> announced;
inline thread_local bool announced_changed = false;
/* Whose announcements the buffers are. */
inline const std::vector<Announced>* shadowed = nullptr;

/* The module that holds a kernel: its segments, and its shared memory in thread-local
 * storage. */
struct Module {
    uintptr_t code, fixed, fixed_bytes, within;
    std::vector<std::pair<uintptr_t, uintptr_t>> segments;
};
inline int look_at_module(dl_phdr_info* info, size_t, void* data) {
    Module& m = *static_cast<Module*>(data);
    bool mine = false;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const auto& p = info->dlpi_phdr[i];
        const uintptr_t start = info->dlpi_addr + p.p_vaddr;
        if (p.p_type == PT_LOAD && m.within - start < p.p_memsz) mine = true;
    }
    if (!mine) return 0;
    m.code = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const auto& p = info->dlpi_phdr[i];
        const uintptr_t start = info->dlpi_addr + p.p_vaddr;
        if (p.p_type == PT_LOAD) m.segments.push_back({start, start + p.p_memsz});
        if (p.p_type == PT_TLS) {
            m.fixed = reinterpret_cast<uintptr_t>(info->dlpi_tls_data);
            m.fixed_bytes = p.p_memsz;
        }
    }
    return 1;
}

inline void set_shared(Region& r, uintptr_t base, uint64_t bytes) {
    if (r.cells && r.base == base && r.bytes == bytes) return;
    const uint8_t shift = r.cells ? r.shift : 2;
    drop_cells(r);
    r = Region{base, bytes, nullptr, 0, 2, true, true, false, 0, 0, 0};
    if (!make_cells(r, shift)) abort();
}
inline void clear_cells(Region& r) {
    if (r.cells) memset(r.cells, 0, r.cell_bytes);
    r.touched = 0;
}

/* Clocks have run out: every access so far becomes an old one. */
inline void forget_accesses() {
    clear_cells(g.fixed);
    clear_cells(g.dynamic);
    for (Region& r : g.buffers) {
        for (uint64_t i = 0; i <= r.bytes >> r.shift; i++) {
            Cell& cell = r.cells[i];
            if (cell.stamp[kWrite]) cell.stamp[kWrite] = stamp_of(1, 0);
            for (int k = kRead; k <= kReadWarp; k++) cell.stamp[k] = 0;
        }
        /* What is behind was another buffer's, and may become one's again. */
        const uint64_t used = ((r.bytes >> r.shift) + 1) * sizeof(Cell);
        memset(reinterpret_cast<uint8_t*>(r.cells) + used, 0, r.cell_bytes - used);
    }
    drop_pool();
    g.next_base = 2;
    g.launch_base = 2;
    g.block_bases.clear();
}

inline void set_buffers() {
    std::vector<Announced> wanted = announced;
    std::sort(wanted.begin(), wanted.end(),
              [](const Announced& a, const Announced& b) { return a.base < b.base; });
    std::vector<Region> made;
    for (const Announced& each : wanted) {
        if (!each.bytes) continue;
        Region r{each.base, each.bytes, nullptr, 0, 2, false, (each.flags & 1) != 0,
                 (each.flags & 2) != 0, 0, 0, 0};
        /* The number in the order of announcement. */
        for (size_t i = 0; i < announced.size(); i++)
            if (announced[i].base == each.base) r.number = int(i);
        r.valid = r.initialised ? 0 : stamp_of(1, 0);
        if (!make_cells(r, each.base & 1 ? 0 : each.base & 3 ? 1 : 2)) abort();
        made.push_back(r);
    }
    for (Region& r : g.buffers) drop_cells(r);
    g.buffers = made;
}

inline void begin_block() {
    /* Room for the steps of this block; the first of a launch forgets nothing by it. */
    if (g.next_base > (g.block_bases.empty() ? kMaxClock / 4 : kMaxClock / 4 * 3))
        forget_accesses();
    g.block_base = g.next_base;
    g.block_bases.push_back(g.block_base);
    for (uint32_t i = 0; i < kActors; i++) g.clock[i] = g.block_base;
    for (uint32_t i = 0; i < kActors; i++) g.floor[i] = g.block_base - 1;
    for (uint32_t i = 0; i < g.threads; i++)
        g.warp_floor[i] = g.old_floor[i] = g.old_warp_floor[i] = g.block_base - 1;
    g.next_base = g.block_base + 1;
    g.floor_sync = kNoSync;
    g.fixed.valid = g.dynamic.valid = stamp_of(g.block_base, 0);
    g.exited = g.polling = 0;
    g.ready_warps = 0;
    for (uint32_t i = 0; i < g.threads; i++) {
        Thread& t = g.thread[i];
        t.stack_pointer = nullptr;
        t.stack = 0;
        t.wait = Wait::No;
        t.atomics = 0;
        drop_known(t.known);
        forget_asynchronous(t);
    }
    g.any_known = false;
    for (uint32_t i = 0; i < g.warps; i++) {
        WarpState& w = g.warp[i];
        w.ready = w.members;
        w.waiting = w.exited = 0;
        w.sync = kNoSync;
        g.ready_warps |= 1ull << i;
    }
    for (BarrierState& b : g.barrier) open_barrier(b);
    g.counters[kThreads] += g.threads;
}

inline void run_block() {
    begin_block();
    self = g.thread;
    self->stack = take_stack();
    void* const sp = fresh_stack(self->stack + kGuardBytes, top_of(self->stack),
                                 thread_body);
    opslib_cuda_sim_switch(&g.main_stack, sp);
    for (Bulk& bulk : g.loads)
        if (g.stopped) drop_known(bulk.known);
    if (g.stopped) {
        g.loads.clear();
        forget_mbarriers();
        /* Fibres that will not go on: their stacks are free again. */
        stacks.free.clear();
        for (uint32_t i = kMaxThreads; i-- > 0;)
            stacks.free.push_back(stacks.base + i * kStackStride);
    } else {
        end_asynchronous();
        check_groups();
    }
    self = nullptr;
}

/* Bytes of arrays of fixed size that a block has used: what the kernel has of them, for a
 * unit holds those of many kernels. */
inline uint64_t fixed_bytes() {
    uint64_t cells = 0;
    const Stamp first = stamp_of(g.block_base, 0);
    for (uint64_t i = 0; i < g.fixed.touched; i++)
        cells += g.fixed.cells[i].stamp[kWrite] >= first ||
                 g.fixed.cells[i].stamp[kRead] >= first;
    return cells << g.fixed.shift;
}
/* nvcc's limit of arrays of fixed size, on all targets. */
constexpr uint64_t kFixedBytes = 48 * 1024;
inline void check_shared() {
    const uint64_t fixed = fixed_bytes(), all = fixed + g.dynamic.bytes;
    g.counters[kSharedPeak] = all;
    if (fixed <= kFixedBytes && all <= g.shared_limit) return;
    finding("launch", place_of(Site{g.kernel, 0}), 0, kActors,
            format("%llu bytes of shared memory, %llu of them in arrays of fixed size; "
                   "possible are %llu, and %llu of those",
                   static_cast<unsigned long long>(all),
                   static_cast<unsigned long long>(fixed),
                   static_cast<unsigned long long>(g.shared_limit),
                   static_cast<unsigned long long>(kFixedBytes)));
}

inline void make_threads() {
    g.warps = (g.threads + g.lanes - 1) / g.lanes;
    for (uint32_t i = 0; i < g.threads; i++) {
        Thread& t = g.thread[i];
        t.id = i;
        t.lane = i % g.lanes;
        t.warp = &g.warp[i / g.lanes];
        t.index = {i % g.block.x, i / g.block.x % g.block.y,
                   i / g.block.x / g.block.y};
    }
    for (uint32_t i = 0; i < g.warps; i++) {
        WarpState& w = g.warp[i];
        const uint32_t count = std::min(g.lanes, g.threads - i * g.lanes);
        w.members = count == 64 ? ~0ull : (1ull << count) - 1;
        w.threads = &g.thread[i * g.lanes];
    }
}

inline void append_notes() {
    for (size_t i = 0; i < g.sync_lines.size(); i++) {
        const SyncLine& line = g.sync_lines[i];
        if (line.useful || !line.noted || int(i) + 1 == dropped) continue;
        append_line(format("{\"kind\": \"redundant\", \"kernel\": ") + quoted(g.kernel) +
                    ", " + json_of({line.site.file, line.site.line}) +
                    ", \"sync\": " + quoted(line.what) +
                    format(", \"runs\": %llu, \"number\": %zu}",
                           static_cast<unsigned long long>(line.runs), i + 1));
    }
}

inline bool valid_launch(const Launch& job) {
    const uint64_t threads = uint64_t(job.block[0]) * job.block[1] * job.block[2];
    const Site site = {job.kernel, 0};
    const Place place = place_of(site);
    std::string text;
    if (!threads || threads > kMaxThreads || job.block[2] > 64)
        text = format("a block of %llu threads; 1 to %u are possible",
                      static_cast<unsigned long long>(threads), kMaxThreads);
    else if (!job.grid[0] || !job.grid[1] || !job.grid[2] || job.grid[0] > 0x7fffffff ||
             job.grid[1] > 65535 || job.grid[2] > 65535)
        text = format("a grid of [%u, %u, %u]; 1 to [2147483647, 65535, 65535] are "
                      "possible",
                      job.grid[0], job.grid[1], job.grid[2]);
    else if (job.shared_bytes > kDynamicBytes || job.shared_bytes > g.shared_limit)
        text = format("%llu bytes of dynamic shared memory; the target has %llu",
                      static_cast<unsigned long long>(job.shared_bytes),
                      static_cast<unsigned long long>(
                          std::min<uint64_t>(kDynamicBytes, g.shared_limit)));
    if (text.empty()) return true;
    finding("launch", place, 0, kActors, text);
    return false;
}

int launch(const Launch& job, void (*run)(void**), void* anchor) {
    const std::lock_guard<std::mutex> lock(launching);
    if (!make_stacks()) return -1;
    g.kernel = job.kernel;
    g.run = run;
    g.arguments = job.arguments;
    g.grid = {job.grid[0], job.grid[1], job.grid[2]};
    g.block = {job.block[0], job.block[1], job.block[2]};
    g.block_at = {0, 0, 0};
    g.lanes = job.lanes;
    g.shared_bytes = job.shared_bytes;
    if (!g.shared_limit) g.shared_limit = kDynamicBytes;
    g.stopped = false;
    g.findings = 0;
    g.seen.clear();
    g.told.clear();
    g.launches++;
    g.sites.assign(1, Site{"", 0});
    g.site_numbers.clear();
    g.sync_lines.clear();
    g.sync_numbers.clear();
    g.report = job.report;
    g.report_bytes = job.report_bytes;
    g.report_used = 0;
    if (job.report && job.report_bytes) *job.report = 0;
    memset(g.counters, 0, sizeof g.counters);
    if (valid_launch(job)) {
        g.threads = job.block[0] * job.block[1] * job.block[2];
        Module module{0, 0, 0, reinterpret_cast<uintptr_t>(run), {}};
        dl_iterate_phdr(look_at_module, &module);
        static_cast<void>(anchor);
        g.code = module.code;
        g.segments = module.segments;
        set_shared(g.fixed, module.fixed, module.fixed_bytes);
        set_shared(g.dynamic, reinterpret_cast<uintptr_t>(ops_shared),
                   job.shared_bytes);
        if (announced_changed || shadowed != &announced) set_buffers();
        announced_changed = false;
        shadowed = &announced;
        g.last = &g.fixed;
        if (g.next_base < 2) g.next_base = 2;
        g.launch_base = g.next_base;
        g.block_bases.clear();
        g.released.clear();
        g.any_past = false;
        g.idle = 0;
        make_threads();
        uint64_t number = 0;
        for (uint32_t z = 0; z < job.grid[2] && !g.stopped; z++)
            for (uint32_t y = 0; y < job.grid[1] && !g.stopped; y++)
                for (uint32_t x = 0; x < job.grid[0] && !g.stopped; x++) {
                    g.block_at = {x, y, z};
                    g.sampling = g.sample && number++ < kSampledBlocks;
                    run_block();
                    if (!(x | y | z)) check_shared();
                    if (g.sampling) count_samples();
                }
        append_notes();
    }
    for (uint32_t i = 0; i < job.n_counters && i < kCounters; i++)
        job.counters[i] = g.counters[i];
    return int(g.findings > 0x7fffffff ? 0x7fffffff : g.findings);
}

/* Not inline: kernels call them. */
uint3 thread_index() { return self->index; }
uint3 block_index() { return g.block_at; }
uint3 block_size() { return g.block; }
uint3 grid_size() { return g.grid; }

}  // namespace opslib_cuda_sim

OPSLIB_CUDA_SIM_EXPORT void opslib_cuda_sim_buffer(void* address, uint64_t bytes,
                                                   int flags) {
    opslib_cuda_sim::announced.push_back(
        {reinterpret_cast<uintptr_t>(address), bytes, flags});
    opslib_cuda_sim::announced_changed = true;
}
OPSLIB_CUDA_SIM_EXPORT void opslib_cuda_sim_forget() {
    opslib_cuda_sim::announced.clear();
    opslib_cuda_sim::announced_changed = true;
}
OPSLIB_CUDA_SIM_EXPORT void opslib_cuda_sim_drop(int n) { opslib_cuda_sim::dropped = n; }
OPSLIB_CUDA_SIM_EXPORT int opslib_cuda_sim_syncs() {
    return int(opslib_cuda_sim::g.sync_lines.size());
}
/* Whether launches sample how warps access memory, which takes time. */
OPSLIB_CUDA_SIM_EXPORT void opslib_cuda_sim_sample(int on) {
    opslib_cuda_sim::g.sample = on != 0;
}
/* cuTensorMapEncodeTiled, but for the promotion to L2: 0, or 1 for invalid values. */
OPSLIB_CUDA_SIM_EXPORT int opslib_cuda_sim_tensor_map(
    uint64_t* map, int type, uint32_t rank, void* base, const uint64_t* sizes,
    const uint64_t* strides, const uint32_t* box, const uint32_t* steps, int interleave,
    int swizzle, int fill) {
    return opslib_cuda_sim::encode(map, type, rank, base, sizes, strides, box, steps,
                                   interleave, swizzle, fill);
}
OPSLIB_CUDA_SIM_EXPORT void opslib_cuda_sim_shared_limit(uint64_t bytes) {
    opslib_cuda_sim::g.shared_limit = bytes;
}

#endif
