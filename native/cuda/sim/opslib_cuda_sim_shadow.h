/* Of each granule of memory: who wrote and who read it last.  Every access of a kernel
 * comes through here: bounds, memory that nobody wrote, alignment, races. */
#ifndef OPSLIB_CUDA_SIM_SHADOW_H
#define OPSLIB_CUDA_SIM_SHADOW_H

#include <sys/mman.h>

#include "opslib_cuda_sim_schedule.h"

namespace opslib_cuda_sim {

/* Cells of buffers that are gone, by size, for the next ones: old stamps in them are of
 * other launches and mean nothing, so only memory that counts as unwritten is cleared. */
constexpr uint64_t kPooledBytes = 1ull << 28;
struct CellPool {
    std::multimap<uint64_t, void*> free;
    uint64_t bytes = 0;
};
inline CellPool cell_pool;

inline void drop_pool() {
    for (const auto& each : cell_pool.free) munmap(each.second, each.first);
    cell_pool.free.clear();
    cell_pool.bytes = 0;
}

inline bool make_cells(Region& r, uint8_t shift) {
    const uint64_t count = (r.bytes >> shift) + 2;
    uint64_t bytes = 4096;
    while (bytes < count * sizeof(Cell)) bytes += (bytes / 16384 + 1) * 4096;
    void* at = nullptr;
    const auto found = cell_pool.free.find(bytes);
    if (found != cell_pool.free.end()) {
        at = found->second;
        cell_pool.free.erase(found);
        cell_pool.bytes -= bytes;
        if (!r.initialised) memset(at, 0, count * sizeof(Cell));
    } else {
        at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED) return false;
#ifdef MADV_HUGEPAGE
        if (bytes >= 1u << 22) madvise(at, bytes, MADV_HUGEPAGE);
#endif
    }
    r.cells = static_cast<Cell*>(at);
    r.cell_bytes = bytes;
    r.shift = shift;
    r.touched = 0;
    return true;
}
inline void drop_cells(Region& r) {
    if (r.cells && cell_pool.bytes + r.cell_bytes <= kPooledBytes) {
        cell_pool.free.emplace(r.cell_bytes, r.cells);
        cell_pool.bytes += r.cell_bytes;
    } else if (r.cells) {
        munmap(r.cells, r.cell_bytes);
    }
    r.cells = nullptr;
}
/* Cells for smaller granules, when an access does not fit those there are. */
inline void refine(Region& r, uint8_t shift) {
    Region old = r;
    if (!make_cells(r, shift)) abort();
    const uint64_t times = 1ull << (old.shift - shift);
    const uint64_t count = r.shared ? old.touched : (r.bytes >> old.shift) + 1;
    for (uint64_t i = 0; i < count; i++) {
        const Cell& cell = old.cells[i];
        if (!(cell.stamp[0] | cell.stamp[1])) continue;
        for (uint64_t k = 0; k < times; k++)
            if ((i * times + k) << shift <= r.bytes) r.cells[i * times + k] = cell;
    }
    r.touched = old.touched * times;
    drop_cells(old);
}

inline std::string name_of(const Region& r) {
    if (r.shared) return &r == &g.dynamic ? "dynamic shared memory" : "shared memory";
    return format("buffer %d", r.number);
}

inline Region* find_region(uintptr_t address) {
    if (address - g.fixed.base < g.fixed.bytes) return &g.fixed;
    if (address - g.dynamic.base < g.dynamic.bytes) return &g.dynamic;
    size_t low = 0, high = g.buffers.size();
    while (low < high) {
        const size_t middle = (low + high) / 2;
        Region& r = g.buffers[middle];
        if (address < r.base)
            high = middle;
        else if (address - r.base >= r.bytes)
            low = middle + 1;
        else
            return &r;
    }
    return nullptr;
}

/* Neither memory of the block nor a buffer: constants of the text, or out of bounds. */
[[gnu::cold, gnu::noinline]] inline void outside(uintptr_t address, uint64_t size,
                                                 bool write, Place place) {
    const Thread& t = *self;
    for (const auto& each : g.segments)
        if (address >= each.first && address + size <= each.second) return;
    const char* what = write ? "write" : "read";
    if (address - stacks.base < kStackStride * kMaxThreads) {
        finding("local", place, 0, t.id,
                format("%s of %llu bytes in the local memory of another thread", what,
                       static_cast<unsigned long long>(size)));
        stop();
    }
    /* The nearest memory that there is. */
    const Region* near = nullptr;
    int64_t distance = 0;
    const auto look = [&](const Region& r) {
        if (!r.bytes) return;
        const int64_t off = int64_t(address - r.base);
        const int64_t away = off < 0 ? off : off - int64_t(r.bytes) + int64_t(size);
        if (!near || llabs(away) < llabs(distance)) {
            near = &r;
            distance = away;
        }
    };
    for (const Region& r : g.buffers) look(r);
    look(g.fixed);
    look(g.dynamic);
    std::string text = format("%s of %llu bytes out of bounds", what,
                              static_cast<unsigned long long>(size)),
                extra;
    if (!address) {
        text += ", at a null pointer";
    } else if (near) {
        const int64_t off = int64_t(address - near->base);
        text += off < 0 ? format(", %lld bytes before %s of %llu bytes",
                                 static_cast<long long>(-off), name_of(*near).c_str(),
                                 static_cast<unsigned long long>(near->bytes))
                        : format(", at byte %lld of %s of %llu bytes",
                                 static_cast<long long>(off), name_of(*near).c_str(),
                                 static_cast<unsigned long long>(near->bytes));
        extra = ", \"memory\": " + quoted(name_of(*near)) +
                format(", \"offset\": %lld", static_cast<long long>(off));
    }
    finding("bounds", place, 0, t.id, text, extra);
    stop();
}

inline std::string actor_json(const char* name, const char* access, Stamp stamp,
                              Place place) {
    std::string text = format(", \"%s\": {\"access\": \"%s\"", name, access);
    if (actor_of(stamp) < kMaxThreads) text += format(", \"thread\": %u", actor_of(stamp));
    return text + ", " + json_of(where_is(place)) + "}";
}

/* Two accesses that nothing orders. */
[[gnu::cold, gnu::noinline]] inline void race(Region& r, uint64_t offset, Stamp before,
                                              Place place_before, bool wrote,
                                              uint32_t actor, Place place, bool write) {
    const uint32_t other = actor_of(before), clock = clock_of(before);
    const bool both_atomic = (before & kAtomic) != 0;
    const char *first = wrote ? (both_atomic ? "atomic" : "write") : "read",
               *second = write ? "write" : "read";
    std::string missing, text;
    const Thread* const a = other < kMaxThreads ? &g.thread[other] : nullptr;
    const Thread* const b = actor < kMaxThreads ? &g.thread[actor] : nullptr;
    const char* kind = "race";
    if (told("unordered", place, place_before)) return;
    if (clock < g.block_base) {
        size_t block = g.block_bases.size();
        while (block > 0 && g.block_bases[block - 1] > clock) block--;
        const uint64_t n = block ? block - 1 : 0;
        missing = "another launch, or an atomic";
        text = format("%s of byte %llu of %s, which block [%llu, %llu, %llu] %s (%s): "
                      "blocks are not ordered; missing: %s",
                      second, static_cast<unsigned long long>(offset),
                      name_of(r).c_str(),
                      static_cast<unsigned long long>(n % g.grid.x),
                      static_cast<unsigned long long>(n / g.grid.x % g.grid.y),
                      static_cast<unsigned long long>(n / g.grid.x / g.grid.y),
                      wrote ? "has written" : "has read",
                      shown(where_is(place_before)).c_str(), missing.c_str());
    } else if (other == kFlight) {
        kind = "async";
        missing = "cp.async.wait_group";
        text = format("%s of byte %llu of %s, which a cp.async is still writing (%s); "
                      "missing: %s, and a barrier if another thread copies",
                      second, static_cast<unsigned long long>(offset),
                      name_of(r).c_str(), shown(where_is(place_before)).c_str(),
                      missing.c_str());
    } else if (other == kMbarrier) {
        kind = "mbarrier";
        missing = "mbarrier.inval";
        text = format("%s of byte %llu of %s, which is an mbarrier (%s)", second,
                      static_cast<unsigned long long>(offset), name_of(r).c_str(),
                      shown(where_is(place_before)).c_str());
    } else if (!a || !b) {
        kind = "async";
        missing = !a ? wrote ? "a wait on the mbarrier of the copy"
                             : "cp.async.bulk.wait_group.read or wgmma.wait_group"
                     : "an mbarrier or a barrier before the copy or product";
        text = format("%s of byte %llu of %s, which %s (%s) %s without an order between "
                      "them; missing: %s",
                      second, static_cast<unsigned long long>(offset),
                      name_of(r).c_str(), thread_name(other).c_str(),
                      shown(where_is(place_before)).c_str(),
                      wrote ? "writes" : "reads", missing.c_str());
    } else {
        missing = a->warp == b->warp ? "__syncwarp" : "__syncthreads";
        text = format("%s of byte %llu of %s, which %s (%s) has %s: nothing orders the "
                      "two; missing: %s between %s and %s",
                      second, static_cast<unsigned long long>(offset),
                      name_of(r).c_str(), thread_name(other).c_str(),
                      shown(where_is(place_before)).c_str(),
                      wrote ? "written" : "read", missing.c_str(),
                      shown(where_is(place_before)).c_str(),
                      shown(where_is(place)).c_str());
    }
    finding(kind, place, place_before, actor, text,
            ", \"memory\": " + quoted(name_of(r)) +
                format(", \"offset\": %llu", static_cast<unsigned long long>(offset)) +
                actor_json("first", first, before, place_before) +
                actor_json("second", second, stamp_of(0, actor), place) +
                ", \"missing\": " + quoted(missing));
}

[[gnu::cold, gnu::noinline]] inline void poison(const Region& r, uint64_t offset,
                                                Place place, uint32_t actor) {
    if (told("unwritten", place, 0)) return;
    finding("poison", place, 0, actor,
            format("read of byte %llu of %s, which nobody has written",
                   static_cast<unsigned long long>(offset), name_of(r).c_str()),
            ", \"memory\": " + quoted(name_of(r)) +
                format(", \"offset\": %llu", static_cast<unsigned long long>(offset)));
}

bool knows_other_block(const Thread& t, uint32_t actor, uint32_t clock);

/* Who does an access: a thread, or an agent for one that has asked for a copy or a
 * product and whose knowledge it has. */
struct Actor {
    const Thread* thread;
    const Known* known; /* of an agent, null for a thread */
    uint32_t id;
    Stamp stamp;
};
inline Actor actor_of(const Thread& t) {
    return {&t, nullptr, t.id, stamp_of(g.clock[t.id], t.id)};
}

inline bool ordered(const Actor& me, const Region& r, Stamp before) {
    const uint32_t other = actor_of(before), clock = clock_of(before);
    /* Shared memory is new for each block. */
    if (clock < g.block_base)
        return r.shared || clock < g.launch_base ||
               knows_other_block(*me.thread, other, clock);
    if (other == me.id) return true;
    if (other >= kFlight) return false;
    if (me.known) return known_to_all(other, clock) || clock <= me.known->at[other];
    return knows(*me.thread, other, clock);
}

inline void note_read(Cell& cell, Stamp mine, Place place) {
    const Stamp before = cell.stamp[kRead];
    if (actor_of(before) != actor_of(mine) && before) {
        const CellPart part =
            (actor_of(before) ^ actor_of(mine)) / g.lanes == 0 &&
                    clock_of(before) >= g.block_base
                ? kReadLane
                : kReadWarp;
        if (part == kReadWarp) cell.stamp[kReadLane] = 0;
        cell.stamp[part] = before;
        cell.place[part] = cell.place[kRead];
    }
    cell.stamp[kRead] = mine;
    cell.place[kRead] = place;
}

enum class Access : uint8_t {
    Read,
    Write,
    Atomic,
};

template <Access kind>
inline void touch(const Actor& me, Region& r, uint64_t offset, uint64_t size,
                  Place place) {
    if (((offset | size) & ((1u << r.shift) - 1)) != 0)
        refine(r, (offset | size) & 1 ? 0 : 1);
    const uint64_t first = offset >> r.shift;
    const uint64_t end = (offset + size - 1) >> r.shift;
    if (r.touched <= end) r.touched = end + 1;
    const Stamp mine = me.stamp | (kind == Access::Atomic ? kAtomic : 0);
    for (uint64_t i = first; i <= end; i++) {
        Cell& cell = r.cells[i];
        const Stamp wrote = cell.stamp[kWrite];
        if (kind != Access::Write && wrote < r.valid) {
            poison(r, i << r.shift, place, me.id);
            continue;
        }
        if (wrote && ((wrote ^ mine) & ~kAtomic)) {
            if (!(kind == Access::Atomic && (wrote & kAtomic)) && !ordered(me, r, wrote))
                race(r, i << r.shift, wrote, cell.place[kWrite], true, me.id, place,
                     kind != Access::Read);
        }
        if (kind == Access::Read) {
            if (cell.stamp[kRead] != mine) note_read(cell, mine, place);
            continue;
        }
        for (int part = kRead; part <= kReadWarp; part++) {
            const Stamp read = cell.stamp[part];
            if (!read) continue;
            if (read != mine && !ordered(me, r, read))
                race(r, i << r.shift, read, cell.place[part], false, me.id, place, true);
            cell.stamp[part] = 0;
        }
        cell.stamp[kWrite] = mine;
        cell.place[kWrite] = place;
    }
}

void sample(Thread& t, const Region& r, uintptr_t address, uint64_t size, Place place);

[[gnu::cold, gnu::noinline]] inline void misaligned(uintptr_t address, uint64_t size,
                                                    bool write, Place place) {
    finding("alignment", place, 0, self->id,
            format("%s of %llu bytes at an address that is %llu bytes past a multiple "
                   "of it",
                   write ? "write" : "read", static_cast<unsigned long long>(size),
                   static_cast<unsigned long long>(address % size)));
    stop();
}
[[gnu::cold, gnu::noinline]] inline void read_only(const Region& r, Place place) {
    finding("read_only", place, 0, self->id,
            "write to " + name_of(r) + ", which is an input");
    stop();
}

/* An access of memory that is not the thread's own. */
template <Access kind>
inline void check(uintptr_t address, uint64_t size, Place place) {
    Thread& t = *self;
    Region* r = g.last;
    if (address - r->base >= r->bytes) {
        r = find_region(address);
        if (!r) {
            outside(address, size, kind != Access::Read, place);
            return;
        }
        g.last = r;
    }
    const uint64_t offset = address - r->base;
    if (offset + size > r->bytes) {
        outside(address, size, kind != Access::Read, place);
        return;
    }
    if (kind != Access::Read && !r->writable) read_only(*r, place);
    if (kind == Access::Atomic)
        g.counters[r->shared ? kSharedAtomics : kGlobalAtomics]++;
    else
        g.counters[(r->shared ? kSharedReadBytes : kGlobalReadBytes) +
                   (kind == Access::Write)] += size;
    if (g.sampling) sample(t, *r, address, size, place);
    touch<kind>(actor_of(t), *r, offset, size, place);
}

}  // namespace opslib_cuda_sim

#endif
