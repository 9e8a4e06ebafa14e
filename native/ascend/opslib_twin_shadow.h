/* Who touched which bytes: races, poison and bounds.
 *
 * Each 32 byte block has a list of accesses with the bytes they took.  An access is
 * ordered after an earlier one when its pipe knows the earlier one complete: by a flag,
 * by a barrier, or on the scalar pipe by program order (PipeBarrier(ISASI): "This
 * synchronization operation needs to be inserted between the same pipelines with data
 * dependency"; "The synchronization between Scalar pipelines is automatically ensured
 * by the hardware").  Two accesses of common bytes, one of them a write, without order
 * are a race.  Bytes and not blocks, because neighbouring rows in GM share blocks. */
#ifndef OPSLIB_TWIN_SHADOW_H
#define OPSLIB_TWIN_SHADOW_H

#include "opslib_twin_state.h"

namespace opslib_twin {

inline uint32_t new_access(Pool& pool) {
    if (pool.free_list) {
        uint32_t index = pool.free_list;
        pool.free_list = pool.items[index].next;
        return index;
    }
    if (pool.used + 1 >= pool.capacity) {
        pool.capacity = pool.capacity ? pool.capacity * 2 : 4096;
        pool.items =
            static_cast<Access*>(realloc(pool.items, pool.capacity * sizeof(Access)));
        if (!pool.items) abort();
    }
    return ++pool.used;
}

/* Of what is in GM the number of its argument follows this one. */
constexpr uint32_t kGlobalScope = 16;

inline void report_race(const Access& earlier, bool write, uint32_t scope,
                        uint64_t address) {
    State& s = *state;
    const Instruction& at = s.now;
    bool other_core = earlier.core != s.core, other_unit = earlier.unit != s.unit;
    if (!first_of("race", at.line, earlier.line, scope)) return;
    char missing[64], extra[640], text[512], where[24];
    if (scope < kGlobalScope)
        snprintf(where, sizeof where, "%s", kScopeFacts[scope].name);
    else
        snprintf(where, sizeof where, "argument %u", scope - kGlobalScope);
    if (other_core)
        snprintf(missing, sizeof missing, "other core %u", earlier.core);
    else if (other_unit)
        snprintf(missing, sizeof missing, "CrossCoreSetFlag<2, PIPE_%s>",
                 kPipeNames[earlier.pipe]);
    else if (earlier.pipe == at.pipe)
        snprintf(missing, sizeof missing, "PipeBarrier<PIPE_%s>", kPipeNames[at.pipe]);
    else
        snprintf(missing, sizeof missing, "%s_%s", kPipeNames[earlier.pipe],
                 kPipeNames[at.pipe]);
    const char* first = earlier.write ? "write" : "read";
    const char* second = write ? "write" : "read";
    snprintf(extra, sizeof extra,
             ",\"scope\":\"%s\",\"address\":%llu,\"missing\":\"%s\","
             "\"first\":{\"access\":\"%s\",\"op\":\"%s\",\"pipe\":\"%s\",\"line\":%d,"
             "\"statement\":%u,\"core\":%u},"
             "\"second\":{\"access\":\"%s\",\"op\":\"%s\",\"pipe\":\"%s\",\"line\":%d,"
             "\"statement\":%u,\"core\":%u}",
             where, static_cast<unsigned long long>(address), missing, first,
             earlier.name, kPipeNames[earlier.pipe], earlier.line, earlier.statement,
             earlier.core, second, at.name, kPipeNames[at.pipe], at.line, at.statement,
             s.core);
    snprintf(text, sizeof text,
             "%s of %s at byte %llu by %s (%s, line %d) is not ordered after its %s by "
             "%s (%s, line %d): %s%s",
             second, where, static_cast<unsigned long long>(address), at.name,
             kPipeNames[at.pipe], at.line, first, earlier.name,
             kPipeNames[earlier.pipe], earlier.line,
             other_core ? "they run on different cores: " : "missing ", missing);
    write_finding("race", at, extra, text);
}

/* Records an access of `bytes` bytes from `begin`, a byte offset from the 32 byte
 * aligned place that heads[0] stands for. */
inline void touch(Pool& pool, uint32_t* heads, uint64_t begin, uint64_t bytes,
                  bool write, uint32_t scope, uint64_t origin, bool atomic) {
    State& s = *state;
    const Instruction& at = s.now;
    uint64_t end = begin + bytes;
    for (uint64_t block = begin / 32; block * 32 < end; block++) {
        uint32_t from = begin > block * 32 ? uint32_t(begin - block * 32) : 0;
        uint32_t to = end < block * 32 + 32 ? uint32_t(end - block * 32) : 32;
        uint32_t mask = (to == 32 ? ~0u : (1u << to) - 1) & ~((1u << from) - 1);
        uint32_t* link = &heads[block];
        bool merged = false;
        uint32_t later[kPipes] = {};
        while (*link) {
            uint32_t index = *link;
            Access& seen = pool.items[index];
            bool same_core = seen.core == s.core;
            bool same_unit = same_core && seen.unit == s.unit;
            if (same_unit && seen.statement == at.statement) {
                if (seen.write == write) {
                    seen.bytes |= mask;
                    merged = true;
                }
                link = &seen.next;
                continue;
            }
            /* Of two reads of a pipe the later one is enough for all that comes after
             * both: but not for this instruction, should it write what it reads. */
            if (!seen.write && same_unit) {
                uint32_t bytes = seen.bytes;
                seen.bytes &= ~later[seen.pipe];
                later[seen.pipe] |= bytes;
            }
            uint32_t common = seen.bytes & mask;
            int known = far_clock(int(s.unit), seen.unit) + seen.pipe;
            bool ordered = same_core && s.clock[at.pipe][known] >= seen.stamp;
            if (common && (write || seen.write) && !ordered &&
                !(atomic && seen.atomic)) {
                uint32_t byte = uint32_t(__builtin_ctz(common));
                report_race(seen, write, scope, block * 32 + byte - origin);
            }
            /* A write hides what came before it.  A read never hides a write: the next
             * reader has to know it, too. */
            if (write) seen.bytes &= ~mask;
            if (!seen.bytes) {
                *link = seen.next;
                seen.next = pool.free_list;
                pool.free_list = index;
            } else {
                link = &seen.next;
            }
        }
        if (merged) continue;
        uint32_t index = new_access(pool);
        pool.items[index] = {heads[block], mask,    s.issued[at.pipe], at.statement,
                             at.name,      at.line, uint16_t(s.core),  at.pipe,
                             uint8_t(s.unit), write, atomic};
        heads[block] = index;
    }
}

inline int scope_of(AscendC::TPosition position) {
    using AscendC::TPosition;
    switch (position) {
        case TPosition::VECIN:
        case TPosition::VECOUT:
        case TPosition::VECCALC: return UB;
        /* Where cube and vector share a core, results leave L0C for UB. */
        case TPosition::CO2: return kTarget.separate_cores ? -1 : UB;
        case TPosition::A1:
        case TPosition::B1: return L1;
        case TPosition::A2: return L0A;
        case TPosition::B2: return L0B;
        case TPosition::CO1: return L0C;
        default: return -1;
    }
}

/* Bounds of an access, in bytes from the tensor's start.  False: it must not run. */
OPSLIB_TWIN_APART inline bool inside(const Local& tensor, uint64_t offset,
                                     uint64_t bytes) {
    State& s = *state;
    int scope = scope_of(tensor.position);
    if (scope < 0) {
        report("position", "a position that the twin does not have");
        return false;
    }
    const ScopeFacts& facts = kScopeFacts[scope];
    uint64_t end = tensor.address + offset + bytes;
    if (end > facts.bytes) {
        report("capacity", "bytes %llu to %llu of %s, which has %u",
               static_cast<unsigned long long>(tensor.address + offset),
               static_cast<unsigned long long>(end), facts.name, facts.bytes);
        return false;
    }
    if (offset + bytes > uint64_t(tensor.count) * tensor.size)
        report("extent", "bytes up to %llu of a tensor of %llu bytes at %s %u",
               static_cast<unsigned long long>(offset + bytes),
               static_cast<unsigned long long>(uint64_t(tensor.count) * tensor.size),
               facts.name, tensor.address);
    uint64_t& peak = s.counters[kPeakUb + scope];
    if (peak < end) peak = end;
    if (s.buffers[scope].touched < end) s.buffers[scope].touched = uint32_t(end);
    return true;
}

OPSLIB_TWIN_APART inline bool aligned(const Local& tensor, uint32_t unit,
                                      const char* which) {
    if (tensor.address % unit == 0) return true;
    report("alignment", "%s starts at byte %u; %s needs a multiple of %u", which,
           tensor.address, state->now.name, unit);
    return false;
}

/* Of a tensor whose position has been checked. */
inline Buffer& buffer_of(const Local& tensor) {
    int scope = scope_of(tensor.position);
    return state->buffers[scope < 0 ? 0 : scope];
}
inline uint8_t* memory(const Local& tensor, uint64_t offset) {
    return buffer_of(tensor).bytes + tensor.address + offset;
}
inline uint8_t* validity(const Local& tensor, uint64_t offset) {
    return buffer_of(tensor).valid + tensor.address + offset;
}

OPSLIB_TWIN_APART inline void touch_local(const Local& tensor, uint64_t offset,
                                          uint64_t bytes, bool write) {
    int scope = scope_of(tensor.position);
    touch(state->pool, state->buffers[scope].heads, tensor.address + offset, bytes,
          write, uint32_t(scope), 0, false);
}

/* Reads by an instruction: bounds, order, poison.  `poison_matters` is false where the
 * documentation makes an instruction read lanes that nobody uses. */
OPSLIB_TWIN_APART inline bool reads(const Local& tensor, uint64_t offset,
                                    uint64_t bytes, bool poison_matters = true) {
    if (!inside(tensor, offset, bytes)) return false;
    touch_local(tensor, offset, bytes, false);
    if (!poison_matters) return true;
    const uint8_t* valid = validity(tensor, offset);
    const void* hole = memchr(valid, 0, bytes);
    if (hole)
        report("poison", "reads byte %llu of %s, which nothing has written",
               static_cast<unsigned long long>(
                   tensor.address + offset +
                   uint64_t(static_cast<const uint8_t*>(hole) - valid)),
               kScopeFacts[scope_of(tensor.position)].name);
    return true;
}

OPSLIB_TWIN_APART inline bool writes(const Local& tensor, uint64_t offset,
                                     uint64_t bytes) {
    if (!inside(tensor, offset, bytes)) return false;
    touch_local(tensor, offset, bytes, true);
    memset(validity(tensor, offset), 1, bytes);
    return true;
}

/* The argument that holds these bytes of GM; nullptr after a finding. */
inline Argument* global_range(const Global& tensor, uint64_t offset, uint64_t bytes) {
    State& s = *state;
    uintptr_t start = reinterpret_cast<uintptr_t>(tensor.base);
    uintptr_t begin = start + offset, end = begin + bytes;
    Argument* nearest = nullptr;
    for (uint32_t i = 0; i < s.argument_count; i++) {
        Argument& argument = s.arguments[i];
        uintptr_t base = reinterpret_cast<uintptr_t>(argument.base);
        if (begin >= base && end <= base + argument.bytes) {
            if (tensor.count != UINT64_MAX &&
                offset + bytes > tensor.count * tensor.size)
                report("extent", "bytes up to %llu of a GlobalTensor of %llu",
                       static_cast<unsigned long long>(offset + bytes),
                       static_cast<unsigned long long>(tensor.count * tensor.size));
            return &argument;
        }
        if (start >= base && start <= base + argument.bytes) nearest = &argument;
    }
    if (nearest)
        report("bounds", "bytes %lld to %lld of argument %d, which has %llu",
               static_cast<long long>(begin) -
                   static_cast<long long>(reinterpret_cast<uintptr_t>(nearest->base)),
               static_cast<long long>(end) -
                   static_cast<long long>(reinterpret_cast<uintptr_t>(nearest->base)),
               int(nearest - s.arguments),
               static_cast<unsigned long long>(nearest->bytes));
    else
        report("bounds", "%llu bytes of GM that belong to no argument",
               static_cast<unsigned long long>(bytes));
    return nullptr;
}

OPSLIB_TWIN_APART inline bool touch_global(const Global& tensor, uint64_t offset,
                                           uint64_t bytes, bool write) {
    if (!bytes) return true;
    Argument* argument = global_range(tensor, offset, bytes);
    if (!argument) return false;
    State& s = *state;
    uintptr_t base = reinterpret_cast<uintptr_t>(argument->base);
    uint64_t lead = base % 32;
    uint64_t begin = reinterpret_cast<uintptr_t>(tensor.base) + offset - base + lead;
    touch(s.global_pool, argument->heads, begin, bytes, write,
          uint32_t(kGlobalScope + (argument - s.arguments)), lead,
          write && s.atomic_mode != 0);
    return true;
}

}  // namespace opslib_twin

#endif
