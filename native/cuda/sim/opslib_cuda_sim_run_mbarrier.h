/* mbarrier objects, proxy fences, and the agents that work beside the threads.
 * PTX ISA, "Parallel Synchronization and Communication Instructions: mbarrier". */
#ifndef OPSLIB_CUDA_SIM_RUN_MBARRIER_H
#define OPSLIB_CUDA_SIM_RUN_MBARRIER_H

#include "opslib_cuda_sim_run_copy.h"

namespace opslib_cuda_sim {

/* An agent for one operation; what it does has a clock that nobody had. */
inline uint32_t new_agent() {
    const uint32_t id = kMaxThreads + uint32_t(g.agents++ % kAgents);
    advance(id);
    return id;
}
/* All that a thread knows, for what it starts: later accesses of its own are not among
 * it. */
inline Known* knowledge(Thread& t) {
    Known* known = nothing_known();
    raise(*known, t);
    advance(t.id);
    return known;
}

inline void fence_proxy(Thread& t) {
    t.async.used = true;
    t.async.fences.push_back(g.clock[t.id]);
    t.async.fenced_at.assign(g.floor, g.floor + g.threads);
    Known* known = nothing_known();
    raise(*known, t);
    for (uint32_t i = 0; i < g.threads; i++)
        if (t.async.fenced_at[i] < known->at[i]) t.async.fenced_at[i] = known->at[i];
    drop_known(known);
    advance(t.id);
}

/* Whether a fence.proxy.async lies between a thread's access and what `by` starts now:
 * of that thread, known to `by`, or of `by` itself. */
inline bool proxied(const Thread& by, const Known& known, uint32_t actor,
                    uint32_t clock) {
    if (clock < g.block_base) return true;
    if (actor < by.async.fenced_at.size() && clock <= by.async.fenced_at[actor])
        return true;
    const uint32_t seen =
        known.at[actor] > g.floor[actor] ? known.at[actor] : g.floor[actor];
    for (const uint32_t fence : g.thread[actor].async.fences)
        if (clock <= fence && fence < seen) return true;
    return false;
}

/* Generic writes that the asynchronous proxy is going to read. */
inline void check_proxy(const Thread& by, const Known& known, const Region& r,
                        uint64_t offset, uint64_t size, Place place) {
    for (uint64_t i = offset >> r.shift; i <= (offset + size - 1) >> r.shift; i++) {
        const Stamp wrote = r.cells[i].stamp[kWrite];
        const uint32_t actor = actor_of(wrote);
        if (!wrote || actor >= kMaxThreads || proxied(by, known, actor, clock_of(wrote)))
            continue;
        const Place before = r.cells[i].place[kWrite];
        if (told("proxy", place, before)) return;
        finding("proxy", place, before, by.id,
                format("an asynchronous copy or product reads byte %llu of %s, which %s "
                       "has written (%s); missing: fence.proxy.async between them",
                       static_cast<unsigned long long>(i << r.shift), name_of(r).c_str(),
                       thread_name(actor).c_str(), shown(where_is(before)).c_str()),
                ", \"missing\": \"fence.proxy.async\"");
        return;
    }
}

inline Mbarrier& find_mbarrier(void* address, const char* what, Place place) {
    Thread& t = *self;
    const auto found = g.mbarriers.find(reinterpret_cast<uintptr_t>(address));
    if (found == g.mbarriers.end()) {
        finding("mbarrier", place, 0, t.id,
                format("%s of an mbarrier that was not initialised", what));
        stop();
    }
    Mbarrier& m = found->second;
    if (m.thread != t.id && !knows(t, m.thread, m.clock))
        finding("race", place, place_of(m.site), t.id,
                format("%s of an mbarrier that %s initialises (%s) without an order "
                       "between them; missing: __syncthreads",
                       what, thread_name(m.thread).c_str(),
                       shown({m.site.file, m.site.line}).c_str()),
                ", \"missing\": \"__syncthreads\"");
    return m;
}

void mbarrier_init(void* barrier, uint32_t count, Site site) {
    Thread& t = *self;
    const uintptr_t at = reinterpret_cast<uintptr_t>(barrier);
    const Place place = place_of(site);
    t.site = site;
    if (at & 7) misaligned(at, 8, true, place);
    Region* const r = shared_region(barrier, 8, "mbarrier.init", place);
    if (!count || count > (1u << 20) - 1) {
        finding("range", place, 0, t.id, format("mbarrier of %u arrivals", count));
        stop();
    }
    const auto found = g.mbarriers.find(at);
    if (found == g.mbarriers.end()) check<Access::Write>(at, 8, place);
    put_in_flight(*r, at - r->base, 8, kMbarrier, g.clock[t.id], place);
    g.mbarriers[at] = {count, count, 0, 0, nullptr, nullptr, t.id, g.clock[t.id], site};
    advance(t.id);
}

void mbarrier_invalidate(void* barrier, Site site) {
    Thread& t = *self;
    const uintptr_t at = reinterpret_cast<uintptr_t>(barrier);
    const Place place = place_of(site);
    t.site = site;
    find_mbarrier(barrier, "mbarrier.inval", place);
    Region* const r = shared_region(barrier, 8, "mbarrier.inval", place);
    for (uint64_t i = (at - r->base) >> r->shift; i <= (at - r->base + 7) >> r->shift; i++)
        r->cells[i].stamp[kWrite] = stamp_of(g.clock[t.id], t.id);
    g.mbarriers.erase(at);
}

/* Ends the phase when nothing is lacking. */
inline void try_complete(uintptr_t at, Mbarrier& m) {
    if (m.pending || m.bytes) return;
    m.phase++;
    m.pending = m.count;
    drop_known(m.done);
    m.done = m.now;
    m.now = nullptr;
    g.progress++;
    for (uint32_t i = 0; i < g.threads; i++) {
        Thread& t = g.thread[i];
        if (t.wait == Wait::Mbarrier && t.mask == at && (m.phase & 1) != t.value)
            make_ready(t);
    }
}

inline void count_arrivals(uintptr_t at, Mbarrier& m, uint32_t count, Place place) {
    if (count > m.pending) {
        finding("mbarrier", place, 0, self->id,
                format("%u arrivals at an mbarrier that lacks %u of %u", count,
                       m.pending, m.count));
        stop();
    }
    m.pending -= count;
    try_complete(at, m);
}

void mbarrier_arrive(void* barrier, uint32_t bytes, uint32_t count, Site site) {
    Thread& t = *self;
    const Place place = place_of(site);
    t.site = site;
    Mbarrier& m = find_mbarrier(barrier, "mbarrier.arrive", place);
    m.bytes += bytes;
    if (m.bytes > (1 << 20) - 1) {
        finding("range", place, 0, t.id, "an mbarrier expects more than 2^20 - 1 bytes");
        stop();
    }
    if (count) release(m.now, t);
    count_arrivals(reinterpret_cast<uintptr_t>(barrier), m, count, place);
}

bool mbarrier_wait(void* barrier, uint32_t parity, bool wait, Site site) {
    Thread& t = *self;
    const Place place = place_of(site);
    t.site = site;
    Mbarrier& m = find_mbarrier(barrier, "mbarrier.try_wait", place);
    bool drop;
    const int line = sync_line(65, "mbarrier.try_wait", site, &drop);
    g.sync_lines[size_t(line)].noted = false;
    while ((m.phase & 1) == (parity & 1)) {
        if (!wait) {
            poll();
            if ((m.phase & 1) == (parity & 1)) return false;
            break;
        }
        t.mask = reinterpret_cast<uintptr_t>(barrier);
        t.value = parity & 1;
        make_waiting(t, Wait::Mbarrier);
        run_others();
    }
    if (!drop) acquire(t, m.done);
    return true;
}

void copy_async_arrive(void* barrier, Site site) {
    Thread& t = *self;
    const Place place = place_of(site);
    t.site = site;
    Mbarrier& m = find_mbarrier(barrier, "cp.async.mbarrier.arrive", place);
    const uint32_t agent = new_agent();
    const Stamp stamp = stamp_of(g.clock[agent], agent);
    while (!t.async.copy_groups.empty()) {
        arrive(t.async.copy_groups.front(), stamp);
        t.async.copy_groups.pop_front();
    }
    arrive(t.async.copies, stamp);
    t.async.copies.clear();
    release(m.now, t);
    m.now->at[agent] = g.clock[agent];
    count_arrivals(reinterpret_cast<uintptr_t>(barrier), m, 1, place);
}

inline void forget_asynchronous(Thread& t) {
    Async& a = t.async;
    if (!a.used) return;
    a.used = false;
    for (auto& group : a.product_groups)
        for (Product& each : group) drop_known(each.done);
    for (Product& each : a.products) drop_known(each.done);
    a.copies.clear();
    a.copy_groups.clear();
    a.bulks.clear();
    a.bulk_groups.clear();
    a.products.clear();
    a.product_groups.clear();
    a.operands.clear();
    a.fences.clear();
    a.fenced_at.clear();
    a.fenced = false;
    a.group_matrices = 0;
    t.past = t.released = t.read = nullptr;
}

inline void forget_mbarriers() {
    for (auto& each : g.mbarriers) {
        drop_known(each.second.now);
        drop_known(each.second.done);
    }
    g.mbarriers.clear();
}

}  // namespace opslib_cuda_sim

#endif
