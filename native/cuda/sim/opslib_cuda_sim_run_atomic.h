/* Atomics, fences, and order between blocks through them. */
#ifndef OPSLIB_CUDA_SIM_RUN_ATOMIC_H
#define OPSLIB_CUDA_SIM_RUN_ATOMIC_H

#include "opslib_cuda_sim_number.h"
#include "opslib_cuda_sim_run_mbarrier.h"

namespace opslib_cuda_sim {

inline bool knows_other_block(const Thread& t, uint32_t actor, uint32_t clock) {
    if (!t.past) return false;
    auto found = t.past->upper_bound(clock);
    if (found == t.past->begin()) return false;
    --found;
    return clock <= found->second->at[actor];
}

/* __threadfence: "fence; atomic" of one thread and "atomic; fence" of another that reads
 * it order what is before and behind (PTX ISA, release and acquire patterns). */
inline void fence_memory(Thread& t) {
    t.async.used = g.any_past = true;
    if (t.read) {
        t.past = joined(t.past, t.read);
        const auto mine = t.read->find(g.block_base);
        if (mine != t.read->end()) {
            Known* known = new_known();
            memcpy(known->at, mine->second->at, sizeof known->at);
            acquire(t, known);
            drop_known(known);
        }
        t.read = nullptr;
    }
    auto known = std::make_shared<Known>();
    memcpy(known->at, g.floor, sizeof known->at);
    raise(*known, t);
    auto past = std::make_shared<Past>();
    (*past)[g.block_base] = known;
    t.released = joined(t.past, past);
    advance(t.id);
}

void fence(Fence what, Site site) {
    Thread& t = *self;
    t.site = site;
    bool drop;
    const bool proxy = what == Fence::Proxy;
    const int line = sync_line(proxy ? 69 : 70,
                               proxy ? "fence.proxy.async" : "__threadfence", site, &drop);
    g.sync_lines[size_t(line)].noted = false;
    if (drop) return;
    if (proxy)
        fence_proxy(t);
    else
        fence_memory(t);
}

/* An atomic reads what others have released at its address, and releases there what its
 * thread's last fence covers. */
inline void pass_on(Thread& t, uintptr_t at, bool writes) {
    if (!g.any_past) return;
    auto& here = g.released[at];
    if (here) t.read = joined(t.read, here);
    if (writes && t.released) here = joined(here, t.released);
}

void relax(Site site) {
    self->site = site;
    poll();
}

void trap(const char* text, Site site) {
    finding("trap", place_of(site), 0, self->id, text);
    stop();
}

inline int64_t widened(uint64_t bits, int size) {
    return size == 4 ? int64_t(int32_t(bits)) : int64_t(bits);
}

inline uint64_t combined(Atomic what, uint64_t old, uint64_t value, uint64_t compare,
                         int size) {
    const int64_t a = widened(old, size), b = widened(value, size);
    switch (what) {
        case Atomic::Add:
            return old + value;
        case Atomic::AddF32:
            return bits_of(value_of<float>(old) + value_of<float>(value));
        case Atomic::AddF64:
            return bits_of(value_of<double>(old) + value_of<double>(value));
        case Atomic::AddF16:
            return f16_from_f32(f16_to_f32(uint16_t(old)) + f16_to_f32(uint16_t(value)));
        case Atomic::AddBf16:
            return bf16_from_f32(bf16_to_f32(uint16_t(old)) +
                                 bf16_to_f32(uint16_t(value)));
        case Atomic::Min:
            return a < b ? old : value;
        case Atomic::Max:
            return a < b ? value : old;
        case Atomic::MinUnsigned:
            return old < value ? old : value;
        case Atomic::MaxUnsigned:
            return old < value ? value : old;
        case Atomic::And:
            return old & value;
        case Atomic::Or:
            return old | value;
        case Atomic::Xor:
            return old ^ value;
        case Atomic::Exchange:
        case Atomic::Store:
            return value;
        case Atomic::Compare:
            return old == compare ? value : old;
        case Atomic::Increment:
            return old >= value ? 0 : old + 1;
        case Atomic::Decrement:
            return old == 0 || old > value ? value : old - 1;
        default:
            return old;
    }
}

uint64_t atomic(Atomic what, void* address, int size, uint64_t value,
                       uint64_t compare, int, Site site) {
    Thread& t = *self;
    const uintptr_t at = reinterpret_cast<uintptr_t>(address);
    const Place place = place_of(site);
    t.site = site;
    if (at - t.stack < kStackStride) {
        finding("local", place, 0, t.id, "atomic on local memory");
        stop();
    }
    if (at & uintptr_t(size - 1)) misaligned(at, uint64_t(size), true, place);
    check<Access::Atomic>(at, uint64_t(size), place);
    pass_on(t, at, true);
    give_way(t, place);
    uint64_t old = 0;
    memcpy(&old, address, size_t(size));
    const uint64_t sum = combined(what, old, value, compare, size);
    memcpy(address, &sum, size_t(size));
    return old;
}

}  // namespace opslib_cuda_sim

#endif
