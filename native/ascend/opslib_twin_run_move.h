/* Copies and scalar accesses.  Part of the engine. */
#ifndef OPSLIB_TWIN_RUN_MOVE_H
#define OPSLIB_TWIN_RUN_MOVE_H

#include "opslib_twin_cost.h"
#include "opslib_twin_number.h"
#include "opslib_twin_rules.h"
#include "opslib_twin_shadow.h"

namespace opslib_twin {

/* DataCopyPad, 07_0265, table of DataCopyExtParams. */
inline bool copy_ranges(uint32_t blocks, uint64_t length) {
    if (blocks > kTarget.block_count_limit) {
        report("range", "blockCount %u; at most %u", blocks, kTarget.block_count_limit);
        return false;
    }
    if (length > kBlockLengthLimit) {
        report("range", "blockLen %llu; at most %u",
               static_cast<unsigned long long>(length), kBlockLengthLimit);
        return false;
    }
    return blocks && length;
}

inline bool is_pad(const char* name) { return name[8] == 'P'; }

inline bool copy_supported(const char* name, uint64_t length) {
    if (is_pad(name)) {
        if (kTarget.copies_bytes) return true;
        report("unsupported", "this chip has no DataCopyPad");
        return false;
    }
    if (length % kBlockBytes == 0) return true;
    report("alignment", "DataCopy of %llu bytes; it moves multiples of 32",
           static_cast<unsigned long long>(length));
    return false;
}

/* How many bytes of a copy lie behind the end of its argument, where they may: memory
 * of aclrtMalloc is rounded up to 32 bytes and has 32 more, and who divides memory has
 * to do the same for each part (aclrtMallocAlign32, aclcppdevg_03_0096).  A chip without
 * DataCopyPad leans on that: "redundant data" comes in with each row (the chapter on
 * data that is not aligned, atlas_ascendc_10_0034). */
inline uint64_t beyond_end(const Global& src, uint64_t from, uint64_t length) {
    const State& s = *state;
    uintptr_t begin = reinterpret_cast<uintptr_t>(src.base) + from;
    for (uint32_t i = 0; i < s.argument_count; i++) {
        uintptr_t base = reinterpret_cast<uintptr_t>(s.arguments[i].base);
        uintptr_t end = base + s.arguments[i].bytes;
        if (begin < base || begin >= end || begin + length <= end) continue;
        uint64_t over = begin + length - end;
        return over < kBlockBytes ? over : 0;
    }
    return 0;
}

void copy_in(const char* name, const Local& dst, const Global& src, uint32_t blocks,
             uint64_t length, uint64_t src_gap, uint64_t dst_gap, bool pad,
             uint32_t left, uint32_t right, uint64_t pad_bits, int line) {
    begin(MTE2, name, line);
    int scope = scope_of(dst.position);
    if (scope != UB && scope != L1) {
        report("position", "a copy from GM goes to UB or to L1");
        return;
    }
    if (!copy_ranges(blocks, length) || !copy_supported(name, length)) return;
    aligned(dst, 32, "the destination");
    uint32_t lead = left * dst.size, trail = right * dst.size;
    if (lead > kPadBytesLimit || trail > kPadBytesLimit)
        report("range", "padding of %u and %u bytes; at most 32", lead, trail);
    uint64_t row =
        (lead + length + trail + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
    for (uint32_t b = 0; b < blocks; b++) {
        uint64_t at = b * (row + dst_gap * kBlockBytes), from = b * (length + src_gap);
        uint64_t there = length;
        if (!kTarget.copies_bytes) there -= beyond_end(src, from, length);
        if (!touch_global(src, from, there, false) || !writes(dst, at, row)) return;
        /* What fills a block up to 32 bytes is "dummy" data: nothing to compute with.
         */
        uint8_t *to = memory(dst, at), *valid = validity(dst, at);
        memset(to, 0xff, row);
        memset(valid, 0, row);
        memcpy(to + lead, src.base + from, there);
        memset(valid + lead, 1, there);
        if (!pad) continue;
        for (uint32_t i = 0; i < lead; i += dst.size)
            memcpy(to + i, &pad_bits, dst.size);
        for (uint32_t i = 0; i < trail; i += dst.size)
            memcpy(to + lead + length + i, &pad_bits, dst.size);
        memset(valid, 1, lead + length + trail);
    }
    bool whole = src_gap == 0;
    state->counters[kBytesIn] += length * blocks;
    state->counters[kTransfersIn] += whole ? 1 : blocks;
    spend(copy_share() * (costs.copy_start + double(length) * blocks /
                                                costs.in_bytes_per_cycle));
}

/* Adds, or takes the extreme, in place of storing: SetAtomicAdd and its kin. */
inline void combine_atomic(uint8_t* to, const uint8_t* from, uint64_t bytes) {
    State& s = *state;
    Op op = s.atomic_mode == 1 ? Op::Add : s.atomic_mode == 2 ? Op::Max : Op::Min;
    uint32_t size = uint32_t(size_of(s.atomic_type));
    for (uint64_t i = 0; i + size <= bytes; i += size) {
        if (is_real(s.atomic_type))
            store_real(to + i, s.atomic_type,
                       op == Op::Add ? load_real(to + i, s.atomic_type) +
                                           load_real(from + i, s.atomic_type)
                       : (load_real(from + i, s.atomic_type) >
                          load_real(to + i, s.atomic_type)) == (op == Op::Max)
                           ? load_real(from + i, s.atomic_type)
                           : load_real(to + i, s.atomic_type));
        else {
            int64_t a = load_whole(to + i, s.atomic_type);
            int64_t b = load_whole(from + i, s.atomic_type);
            int64_t value = op == Op::Add ? int64_t(uint64_t(a) + uint64_t(b))
                            : (b > a) == (op == Op::Max) ? b
                                                         : a;
            store_whole(to + i, s.atomic_type, value);
        }
    }
}

void copy_out(const char* name, const Global& dst, const Local& src, uint32_t blocks,
              uint64_t length, uint64_t src_gap, uint64_t dst_gap, int line) {
    begin(MTE3, name, line);
    if (scope_of(src.position) != UB) {
        report("position", "a copy to GM comes from UB; L0C goes by Fixpipe");
        return;
    }
    if (!copy_ranges(blocks, length) || !copy_supported(name, length)) return;
    aligned(src, 32, "the source");
    uint64_t row = (length + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
    for (uint32_t b = 0; b < blocks; b++) {
        uint64_t from = b * (row + src_gap * kBlockBytes), at = b * (length + dst_gap);
        if (!reads(src, from, length) || !touch_global(dst, at, length, true)) return;
        if (state->atomic_mode)
            combine_atomic(dst.base + at, memory(src, from), length);
        else
            memcpy(dst.base + at, memory(src, from), length);
    }
    state->counters[kBytesOut] += length * blocks;
    state->counters[kTransfersOut] += dst_gap == 0 ? 1 : blocks;
    spend(copy_share() * (costs.copy_start + double(length) * blocks /
                                                costs.out_bytes_per_cycle));
}

/* UB to UB on the vector pipe; UB to L1 on MTE3 (DataCopy, 07_0103). */
void copy_local(const Local& dst, const Local& src, uint32_t blocks, uint64_t length,
                uint64_t src_gap, uint64_t dst_gap, int line) {
    bool to_l1 = scope_of(dst.position) == L1;
    begin(to_l1 ? MTE3 : V, "DataCopy", line);
    if (scope_of(src.position) != UB || (!to_l1 && scope_of(dst.position) != UB)) {
        report("position", "a local copy goes from UB to UB or to L1");
        return;
    }
    if (!copy_ranges(blocks, length) || !copy_supported("DataCopy", length)) return;
    if (to_l1 && kTarget.number == 2201) {
        report("unsupported", "this chip has no path from UB to L1");
        return;
    }
    aligned(dst, 32, "the destination");
    aligned(src, 32, "the source");
    for (uint32_t b = 0; b < blocks; b++) {
        uint64_t from = b * (length + src_gap * kBlockBytes);
        uint64_t at = b * (length + dst_gap * kBlockBytes);
        if (!reads(src, from, length) || !writes(dst, at, length)) return;
        memmove(memory(dst, at), memory(src, from), length);
    }
    spend_repeats((length * blocks + kRepeatBytes - 1) / kRepeatBytes);
}

uint64_t scalar_load(const Local& src, uint32_t index, int line) {
    begin(S, "GetValue", line);
    state->counters[kScalarAccesses]++;
    spend(costs.scalar_access);
    uint64_t bits = 0;
    if (reads(src, uint64_t(index) * src.size, src.size))
        memcpy(&bits, memory(src, uint64_t(index) * src.size), src.size);
    return bits;
}

void scalar_store(const Local& dst, uint32_t index, uint64_t bits, int line) {
    begin(S, "SetValue", line);
    state->counters[kScalarAccesses]++;
    spend(costs.scalar_access);
    if (writes(dst, uint64_t(index) * dst.size, dst.size))
        memcpy(memory(dst, uint64_t(index) * dst.size), &bits, dst.size);
}

uint64_t global_load(const Global& src, uint64_t index, int line) {
    begin(S, "GetValue", line);
    state->counters[kScalarAccesses]++;
    spend(costs.scalar_access);
    uint64_t bits = 0;
    if (touch_global(src, index * src.size, src.size, false))
        memcpy(&bits, src.base + index * src.size, src.size);
    return bits;
}

/* GlobalTensor::SetValue writes to the data cache; without DataCacheCleanAndInvalid the
 * value may never reach GM (GlobalTensor, 07_0006; DataCacheCleanAndInvalid, 07_0177).
 */
void global_store(const Global& dst, uint64_t index, uint64_t bits, int line) {
    begin(S, "SetValue", line);
    State& s = *state;
    s.counters[kScalarAccesses]++;
    spend(costs.scalar_access);
    if (!touch_global(dst, index * dst.size, dst.size, true)) return;
    uint8_t* to = dst.base + index * dst.size;
    memcpy(to, &bits, dst.size);
    uintptr_t cache_line = reinterpret_cast<uintptr_t>(to) / 64;
    for (uint32_t i = 0; i < s.dirty_count; i++)
        if (s.dirty[i] == cache_line) return;
    if (s.dirty_count < sizeof s.dirty / sizeof *s.dirty)
        s.dirty[s.dirty_count++] = cache_line;
}

/* `named`: with a destination, which 310P's form has not (07_0177). */
void clean_cache(const Global& where, bool whole, bool named, int line) {
    begin(S, "DataCacheCleanAndInvalid", line);
    if (named && kTarget.number == 2002)
        report("unsupported", "this chip's DataCacheCleanAndInvalid has no DcciDst");
    State& s = *state;
    uintptr_t cache_line = reinterpret_cast<uintptr_t>(where.base) / 64;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s.dirty_count; i++)
        if (!whole && s.dirty[i] != cache_line) s.dirty[kept++] = s.dirty[i];
    s.dirty_count = kept;
}

void set_atomic(int mode, Type type, int line) {
    begin(S, "SetAtomic", line);
    state->atomic_mode = mode;
    state->atomic_type = type;
}

}  // namespace opslib_twin

#endif
