/* cp.async.bulk and cp.async.bulk.tensor: PTX ISA, "Data Movement and Conversion
 * Instructions: Bulk copy", "Tensors" (tiled mode, bounding box, swizzling modes). */
#ifndef OPSLIB_CUDA_SIM_RUN_BULK_H
#define OPSLIB_CUDA_SIM_RUN_BULK_H

#include "opslib_cuda_sim_run_mbarrier.h"
#include "opslib_cuda_sim_tensor_map.h"

namespace opslib_cuda_sim {

/* Calls f(address in shared memory, offset from the base or -1 for outside, bytes, how
 * many of them exist) for each run of up to 16 bytes of a box. */
template <typename F>
inline void for_each_run(const TensorMap& map, const int* at, uintptr_t shared, F f) {
    uint64_t rows = 1;
    for (int d = 1; d < map.rank; d++) rows *= map.box[d];
    const uint64_t inner = uint64_t(map.box[0]) * map.bytes;
    for (uint64_t row = 0; row < rows; row++) {
        uint64_t rest = row;
        int64_t offset = 0;
        bool inside = true;
        for (int d = 1; d < map.rank; d++) {
            const int64_t i = int64_t(at[d]) + int64_t(rest % map.box[d]);
            rest /= map.box[d];
            inside = inside && i >= 0 && uint64_t(i) < map.size[d];
            offset += i * int64_t(map.stride[d]);
        }
        for (uint64_t byte = 0; byte < inner; byte += 16) {
            uintptr_t to = shared + row * inner + byte;
            to ^= (to >> 7 & map.swizzle) << 4;
            const int64_t first = int64_t(at[0]) * map.bytes + int64_t(byte);
            f(to, inside ? offset : -1, first, int64_t(map.size[0]) * map.bytes);
        }
    }
}

inline const TensorMap decoded(const uint64_t* words, int rank, Place place) {
    TensorMap map;
    if (!decode(words, &map) || map.rank != rank) {
        finding("tensor", place, 0, self->id,
                "a tensor map that was not made, or of another rank");
        stop();
    }
    return map;
}

inline Region* tensor_region(const void* shared, const TensorMap& map, Place place) {
    const uintptr_t at = reinterpret_cast<uintptr_t>(shared);
    if (at & 127) {
        finding("alignment", place, 0, self->id,
                "the shared memory of a tensor copy begins at no multiple of 128 bytes");
        stop();
    }
    return shared_region(shared, map.box_bytes(), "cp.async.bulk.tensor", place);
}

/* A copy to shared memory begins: from now on its agent writes there. */
inline void start_load(Bulk& bulk, Region& r, uintptr_t barrier, Site site) {
    Thread& t = *self;
    const uint64_t offset = reinterpret_cast<uintptr_t>(bulk.shared) - r.base;
    Mbarrier& m = find_mbarrier(reinterpret_cast<void*>(barrier), "cp.async.bulk",
                                bulk.place);
    bulk.load = true;
    bulk.mbarrier = barrier;
    bulk.known = knowledge(t);
    bulk.thread = &t;
    bulk.writer = new_agent();
    bulk.writer_clock = g.clock[bulk.writer];
    if (!proxied(t, *bulk.known, m.thread, m.clock))
        finding("proxy", bulk.place, place_of(m.site), t.id,
                format("a copy signals an mbarrier that %s has initialised (%s); missing: "
                       "fence.mbarrier_init or fence.proxy.async between them",
                       thread_name(m.thread).c_str(),
                       shown({m.site.file, m.site.line}).c_str()),
                ", \"missing\": \"fence.proxy.async\"");
    const Actor actor{&t, bulk.known, bulk.writer,
                      stamp_of(bulk.writer_clock, bulk.writer)};
    touch<Access::Write>(actor, r, offset, bulk.bytes, bulk.place);
    put_in_flight(r, offset, bulk.bytes, bulk.writer, bulk.writer_clock, bulk.place);
    t.site = site;
    g.counters[kAsyncBytes] += bulk.bytes;
    g.loads.push_back(bulk);
}

inline void touch_global(const Bulk& bulk, uintptr_t at, uint64_t size, bool write) {
    Region* const r = find_region(at);
    Thread* const before = self;
    self = const_cast<Thread*>(bulk.thread);
    if (!r || r->shared || at - r->base + size > r->bytes)
        outside(at, size, write, bulk.place);
    if (write && !r->writable) read_only(*r, bulk.place);
    const uint32_t agent = write ? bulk.writer : bulk.reader;
    const uint32_t clock = write ? bulk.writer_clock : bulk.reader_clock;
    const Actor actor{bulk.thread, bulk.known, agent, stamp_of(clock, agent)};
    if (write)
        touch<Access::Write>(actor, *r, at - r->base, size, bulk.place);
    else
        touch<Access::Read>(actor, *r, at - r->base, size, bulk.place);
    g.counters[write ? kGlobalWriteBytes : kGlobalReadBytes] += size;
    self = before;
}

/* Bytes of a run that lie in the tensor: [begin, end) of 16. */
inline void clip(int64_t first, int64_t size, int64_t* begin, int64_t* end) {
    *begin = first < 0 ? -first : 0;
    *end = size - first < 16 ? size - first : 16;
    if (*begin > 16) *begin = 16;
    if (*end < *begin) *end = *begin;
}

inline void finish_load(Bulk& bulk) {
    TensorMap map;
    bulk.reader = bulk.writer;
    bulk.reader_clock = bulk.writer_clock;
    if (decode(bulk.map, &map)) {
        for_each_run(map, bulk.at, reinterpret_cast<uintptr_t>(bulk.shared),
                     [&](uintptr_t to, int64_t offset, int64_t first, int64_t size) {
                         uint8_t* const bytes = reinterpret_cast<uint8_t*>(to);
                         int64_t begin = 0, end = 0;
                         if (offset >= 0) clip(first, size, &begin, &end);
                         fill(map, bytes);
                         if (begin == end) return;
                         const uintptr_t from =
                             map.base + uintptr_t(offset + first + begin);
                         touch_global(bulk, from, uint64_t(end - begin), false);
                         memcpy(bytes + begin, reinterpret_cast<void*>(from),
                                size_t(end - begin));
                     });
    } else {
        touch_global(bulk, reinterpret_cast<uintptr_t>(bulk.global), bulk.bytes, false);
        memcpy(bulk.shared, bulk.global, bulk.bytes);
    }
    const auto found = g.mbarriers.find(bulk.mbarrier);
    if (found != g.mbarriers.end()) {
        Mbarrier& m = found->second;
        if (!m.now) m.now = nothing_known();
        if (m.now->references > 1) {
            Known* copy = new_known();
            memcpy(copy->at, m.now->at, sizeof copy->at);
            drop_known(m.now);
            m.now = copy;
        }
        if (m.now->at[bulk.writer] < bulk.writer_clock)
            m.now->at[bulk.writer] = bulk.writer_clock;
        m.bytes -= int64_t(bulk.bytes);
        try_complete(bulk.mbarrier, m);
    }
    g.progress++;
    drop_known(bulk.known);
}

inline bool run_asynchronous() {
    if (g.loads.empty()) return false;
    Bulk bulk = g.loads.front();
    g.loads.pop_front();
    finish_load(bulk);
    return true;
}

void bulk_load(void* shared, const void* global, uint32_t bytes, void* barrier,
               Site site) {
    Bulk bulk{};
    bulk.place = place_of(site);
    self->site = site;
    const uintptr_t from = reinterpret_cast<uintptr_t>(global);
    if (!bytes || ((reinterpret_cast<uintptr_t>(shared) | from | bytes) & 15)) {
        finding("alignment", bulk.place, 0, self->id,
                "cp.async.bulk of addresses or a size that are no multiples of 16");
        stop();
    }
    bulk.shared = static_cast<uint8_t*>(shared);
    bulk.global = const_cast<uint8_t*>(static_cast<const uint8_t*>(global));
    bulk.bytes = bytes;
    start_load(bulk, *shared_region(shared, bytes, "cp.async.bulk", bulk.place),
               reinterpret_cast<uintptr_t>(barrier), site);
}

void tensor_load(void* shared, const uint64_t* map, int rank, const int* at,
                 void* barrier, Site site) {
    Bulk bulk{};
    bulk.place = place_of(site);
    self->site = site;
    const TensorMap found = decoded(map, rank, bulk.place);
    memcpy(bulk.map, map, sizeof bulk.map);
    for (int d = 0; d < rank; d++) bulk.at[d] = at[d];
    bulk.shared = static_cast<uint8_t*>(shared);
    bulk.bytes = found.box_bytes();
    start_load(bulk, *tensor_region(shared, found, bulk.place),
               reinterpret_cast<uintptr_t>(barrier), site);
}

/* A copy from shared memory begins: one agent reads, another writes. */
inline void start_store(Bulk& bulk, Region& r) {
    Thread& t = *self;
    const uint64_t offset = reinterpret_cast<uintptr_t>(bulk.shared) - r.base;
    bulk.known = knowledge(t);
    bulk.thread = &t;
    bulk.reader = new_agent();
    bulk.reader_clock = g.clock[bulk.reader];
    bulk.writer = new_agent();
    bulk.writer_clock = g.clock[bulk.writer];
    const Actor actor{&t, bulk.known, bulk.reader,
                      stamp_of(bulk.reader_clock, bulk.reader)};
    touch<Access::Read>(actor, r, offset, bulk.bytes, bulk.place);
    check_proxy(t, *bulk.known, r, offset, bulk.bytes, bulk.place);
    g.counters[kAsyncBytes] += bulk.bytes;
    t.async.used = true;
    t.async.bulks.push_back(bulk);
}

void bulk_store(void* global, const void* shared, uint32_t bytes, Site site) {
    Bulk bulk{};
    bulk.place = place_of(site);
    self->site = site;
    const uintptr_t to = reinterpret_cast<uintptr_t>(global);
    if (!bytes || ((reinterpret_cast<uintptr_t>(shared) | to | bytes) & 15)) {
        finding("alignment", bulk.place, 0, self->id,
                "cp.async.bulk of addresses or a size that are no multiples of 16");
        stop();
    }
    bulk.shared = static_cast<uint8_t*>(const_cast<void*>(shared));
    bulk.global = static_cast<uint8_t*>(global);
    bulk.bytes = bytes;
    start_store(bulk, *shared_region(shared, bytes, "cp.async.bulk", bulk.place));
}

void tensor_store(const uint64_t* map, int rank, const int* at, const void* shared,
                  Site site) {
    Bulk bulk{};
    bulk.place = place_of(site);
    self->site = site;
    const TensorMap found = decoded(map, rank, bulk.place);
    memcpy(bulk.map, map, sizeof bulk.map);
    for (int d = 0; d < rank; d++) bulk.at[d] = at[d];
    bulk.shared = static_cast<uint8_t*>(const_cast<void*>(shared));
    bulk.bytes = found.box_bytes();
    start_store(bulk, *tensor_region(shared, found, bulk.place));
}

inline void finish_store(Bulk& bulk) {
    if (bulk.read) return;
    bulk.read = true;
    TensorMap map;
    if (decode(bulk.map, &map)) {
        for_each_run(map, bulk.at, reinterpret_cast<uintptr_t>(bulk.shared),
                     [&](uintptr_t from, int64_t offset, int64_t first, int64_t size) {
                         int64_t begin = 0, end = 0;
                         if (offset >= 0) clip(first, size, &begin, &end);
                         if (begin == end) return;
                         const uintptr_t to =
                             map.base + uintptr_t(offset + first + begin);
                         touch_global(bulk, to, uint64_t(end - begin), true);
                         memcpy(reinterpret_cast<void*>(to),
                                reinterpret_cast<uint8_t*>(from) + begin,
                                size_t(end - begin));
                     });
    } else {
        touch_global(bulk, reinterpret_cast<uintptr_t>(bulk.global), bulk.bytes, true);
        memcpy(bulk.global, bulk.shared, bulk.bytes);
    }
    drop_known(bulk.known);
}

void bulk_commit() {
    self->async.used = true;
    self->async.bulk_groups.push_back(std::move(self->async.bulks));
    self->async.bulks.clear();
}

void bulk_wait(int open, bool read_only, Site site) {
    Thread& t = *self;
    t.site = site;
    bool drop;
    const int line = sync_line(66, "cp.async.bulk.wait_group", site, &drop);
    g.sync_lines[size_t(line)].noted = false;
    if (drop) return;
    auto& groups = t.async.bulk_groups;
    for (size_t k = 0; k + size_t(open) < groups.size(); k++)
        for (Bulk& bulk : groups[k]) {
            if (read_only && bulk.read) continue;
            finish_store(bulk);
            Known* done = only_known(bulk.reader, bulk.reader_clock);
            if (!read_only) done->at[bulk.writer] = bulk.writer_clock;
            acquire(t, done);
            drop_known(done);
        }
    if (read_only) return;
    while (int(groups.size()) > open) groups.pop_front();
}

/* What nobody has waited for when a thread leaves: shared memory may be another block's
 * by then. */
inline void leave_asynchronous(Thread& t) {
    for (auto& group : t.async.bulk_groups) {
        for (Bulk& bulk : group) {
            if (!bulk.read)
                finding("async", bulk.place, 0, t.id,
                        "a thread leaves while its copy from shared memory may still be "
                        "read; missing: cp.async.bulk.wait_group.read",
                        ", \"missing\": \"cp.async.bulk.wait_group.read\"");
            finish_store(bulk);
        }
    }
    for (Bulk& bulk : t.async.bulks) {
        finding("async", bulk.place, 0, t.id,
                "a copy from shared memory is in no group; missing: "
                "cp.async.bulk.commit_group",
                ", \"missing\": \"cp.async.bulk.commit_group\"");
        finish_store(bulk);
    }
}

/* Copies to shared memory that are still on their way when the block ends. */
inline void end_asynchronous() {
    for (Bulk& bulk : g.loads) {
        finding("async", bulk.place, 0, bulk.thread->id,
                "the block ends while this copy to its shared memory is on its way; "
                "missing: a wait on its mbarrier",
                ", \"missing\": \"mbarrier.try_wait\"");
        drop_known(bulk.known);
    }
    g.loads.clear();
    forget_mbarriers();
}

}  // namespace opslib_cuda_sim

#endif
