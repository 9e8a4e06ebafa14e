/* cp.async: data arrives when its group is waited for, and not a moment earlier. */
#ifndef OPSLIB_CUDA_SIM_RUN_COPY_H
#define OPSLIB_CUDA_SIM_RUN_COPY_H

#include "opslib_cuda_sim_shadow.h"

namespace opslib_cuda_sim {

/* Bytes of shared memory from an address on; stops where there are fewer. */
inline Region* shared_region(const void* address, uint64_t size, const char* what,
                             Place place) {
    const uintptr_t at = reinterpret_cast<uintptr_t>(address);
    Region* const r = find_region(at);
    if (!r || !r->shared) {
        finding("range", place, 0, self->id,
                format("%s of memory that is not shared memory of the block", what));
        stop();
    }
    if (at - r->base + size > r->bytes) outside(at, size, true, place);
    return r;
}

/* From now on nobody may touch these bytes: they are written at some time. */
inline void put_in_flight(Region& r, uint64_t offset, uint64_t size, uint32_t actor,
                          uint32_t clock, Place place) {
    for (uint64_t i = offset >> r.shift; i <= (offset + size - 1) >> r.shift; i++) {
        r.cells[i].stamp[kWrite] = stamp_of(clock, actor);
        r.cells[i].place[kWrite] = place;
        for (int part = kRead; part <= kReadWarp; part++) r.cells[i].stamp[part] = 0;
    }
    memset(reinterpret_cast<void*>(r.base + offset), 0xff, size);
}

void copy_async(void* shared, const void* global, int size, int bytes, Site site) {
    Thread& t = *self;
    const Place place = place_of(site);
    const uintptr_t to = reinterpret_cast<uintptr_t>(shared);
    const uintptr_t from = reinterpret_cast<uintptr_t>(global);
    t.site = site;
    if (bytes < 0 || bytes > size) {
        finding("range", place, 0, t.id,
                format("cp.async of %d of %d bytes", bytes, size));
        stop();
    }
    if (to & uintptr_t(size - 1)) misaligned(to, uint64_t(size), true, place);
    if (from & uintptr_t(size - 1) && bytes)
        misaligned(from, uint64_t(size), false, place);
    Region* const r = shared_region(shared, uint64_t(size), "cp.async", place);
    /* What is read is read until the wait, what is written from now on. */
    if (bytes) check<Access::Read>(from, uint64_t(bytes), place);
    g.last = r;
    check<Access::Write>(to, uint64_t(size), place);
    put_in_flight(*r, to - r->base, uint64_t(size), kFlight, g.clock[t.id], place);
    g.counters[kAsyncBytes] += uint64_t(size);
    t.async.used = true;
    t.async.copies.push_back(
        {static_cast<uint8_t*>(shared), static_cast<const uint8_t*>(global), size, bytes,
         place});
}

void copy_async_commit() {
    self->async.used = true;
    self->async.copy_groups.push_back(std::move(self->async.copies));
    self->async.copies.clear();
}

/* The copies of a group arrive, written by an actor at its clock. */
inline void arrive(const std::vector<Copy>& copies, Stamp stamp) {
    for (const Copy& each : copies) {
        Region* const r = find_region(reinterpret_cast<uintptr_t>(each.shared));
        const uint64_t offset = reinterpret_cast<uintptr_t>(each.shared) - r->base;
        for (uint64_t i = offset >> r->shift;
             i <= (offset + uint64_t(each.size) - 1) >> r->shift; i++)
            r->cells[i].stamp[kWrite] = stamp;
        memcpy(each.shared, each.global, size_t(each.bytes));
        memset(each.shared + each.bytes, 0, size_t(each.size - each.bytes));
    }
}

void copy_async_wait(int open, Site site) {
    Thread& t = *self;
    t.site = site;
    bool drop;
    const int line = sync_line(64, "cp.async.wait_group", site, &drop);
    if (drop) return;
    const Stamp stamp = stamp_of(g.clock[t.id], t.id);
    while (int(t.async.copy_groups.size()) > (open < 0 ? 0 : open)) {
        if (!t.async.copy_groups.front().empty()) g.sync_lines[line].useful = true;
        arrive(t.async.copy_groups.front(), stamp);
        t.async.copy_groups.pop_front();
    }
    if (open < 0) {
        if (!t.async.copies.empty()) g.sync_lines[line].useful = true;
        arrive(t.async.copies, stamp);
        t.async.copies.clear();
    }
}

}  // namespace opslib_cuda_sim

#endif
