/* Reductions and Brcb.  Part of the engine. */
#ifndef OPSLIB_TWIN_RUN_REDUCE_H
#define OPSLIB_TWIN_RUN_REDUCE_H

#include "opslib_twin_run_vector.h"

namespace opslib_twin {

/* Rounds to the element type, as a partial result in a register is. */
inline double rounded(double value, Type type) {
    uint8_t bytes[8];
    store_real(bytes, type, value);
    return load_real(bytes, type);
}

/* ReduceSum, 07_0078: within a repeat neighbours are added, then neighbouring results,
 * and so on.  Lanes that take no part count as zero. */
inline double tree_sum(double* lanes, uint32_t count, Type type) {
    for (uint32_t width = count; width > 1; width /= 2)
        for (uint32_t i = 0; i < width / 2; i++)
            lanes[i] = rounded(lanes[2 * i] + lanes[2 * i + 1], type);
    return lanes[0];
}

inline bool better(Fold fold, double candidate, double best) {
    if (best != best || candidate != candidate) {
        double kept = with_nan(best, candidate);
        bool both = best != best && candidate != candidate;
        return !both && (kept != kept) == (candidate != candidate);
    }
    return fold == Fold::Max ? candidate > best : candidate < best;
}

/* The least work tensor in elements: ReduceSum 07_0078, ReduceMax 07_0075. */
inline uint64_t work_elements(Fold fold, uint64_t count, uint32_t size, bool index) {
    uint64_t per_block = kBlockBytes / size, per_repeat = kRepeatBytes / size;
    auto units = [](uint64_t n, uint64_t unit) { return (n + unit - 1) / unit; };
    uint64_t repeats = count / per_repeat ? count / per_repeat : 1;
    if (fold == Fold::Sum) return units(repeats, per_block) * per_block;
    uint64_t first = repeats * 2;
    uint64_t second_start = units(first, per_block) * per_block;
    if (!index) return second_start;
    uint64_t second = units(first, per_repeat) * 2;
    uint64_t third_start = units(second, per_block) * per_block;
    uint64_t third = units(second, per_repeat) * 2;
    return second_start + third_start + units(third, per_block) * per_block;
}

void reduce(const char* name, Fold fold, const Local& dst, const Local& src,
            const Local& work, int64_t count, bool index, int line) {
    begin(V, name, line);
    if (!require_types(name, kReduceTypes, dst.type)) return;
    Walk walk = counted(count);
    bool in_ub = in_unified(dst) && in_unified(src) && in_unified(work);
    if (!in_ub || !walk_ok(walk, src.size) || !walk.count) return;
    aligned(dst, fold == Fold::Sum ? dst.size : 2 * dst.size, "the destination");
    aligned(src, 32, "the source");
    aligned(work, 32, "the work tensor");
    uint64_t need = work_elements(fold, walk.count, src.size, index);
    if (work.count < need) {
        report("extent", "a work tensor of %u elements; %s of %u needs %llu",
               work.count, name, walk.count, static_cast<unsigned long long>(need));
        return;
    }
    uint64_t bytes = uint64_t(walk.count) * src.size;
    overlap_ok(work, need * work.size, src, bytes);
    overlap_ok(work, need * work.size, dst, uint64_t(dst.size) * (index ? 2 : 1));
    if (!reads(src, 0, bytes) || !writes(work, 0, need * work.size)) return;
    if (!writes(dst, 0, uint64_t(index ? 2 : 1) * dst.size)) return;
    const uint8_t* from = memory(src, 0);
    uint32_t lanes = kRepeatBytes / src.size, place = 0;
    double result = 0;
    if (fold == Fold::Sum) {
        double row[128];
        for (uint32_t start = 0; start < walk.count; start += lanes) {
            for (uint32_t i = 0; i < lanes; i++)
                row[i] = start + i < walk.count
                             ? load_real(from + size_t(start + i) * src.size, src.type)
                             : 0;
            double part = tree_sum(row, lanes, src.type);
            result = start ? rounded(result + part, src.type) : part;
        }
    } else {
        result = load_real(from, src.type);
        for (uint32_t i = 1; i < walk.count; i++) {
            double value = load_real(from + size_t(i) * src.size, src.type);
            if (better(fold, value, result)) result = value, place = i;
        }
    }
    /* What the work tensor holds afterwards is not documented. */
    memset(memory(work, 0), 0xff, need * work.size);
    memset(validity(work, 0), 0, need * work.size);
    memset(validity(dst, 0), 1, uint64_t(index ? 2 : 1) * dst.size);
    store_real(memory(dst, 0), dst.type, result);
    /* The index is an integer of the element's width in the element's place. */
    if (index) memcpy(memory(dst, dst.size), &place, dst.size);
    uint64_t repeats = repeats_of(walk, src.size);
    spend_repeats(repeats + (repeats > 1 ? (repeats * 2 + lanes - 1) / lanes : 0));
}

/* The result of one repeat, and for the extremes its first lane. */
inline void whole_reduce_one(Fold fold, const Local& src, const Walk& walk, uint32_t r,
                             double* value, uint32_t* place) {
    uint32_t size = src.size, lanes = kRepeatBytes / size,
             per_block = kBlockBytes / size;
    double row[128];
    bool found = false;
    for (uint32_t i = 0; i < lanes; i++) {
        row[i] = 0;
        if (!(walk.mask[i >> 6] >> (i & 63) & 1)) continue;
        uint64_t at =
            uint64_t(r * walk.repeat[1] + i / per_block * walk.block[1]) * kBlockBytes +
            i % per_block * size;
        if (!reads(src, at, size)) continue;
        row[i] = load_real(memory(src, at), src.type);
        if (fold != Fold::Sum && (!found || better(fold, row[i], *value)))
            *value = row[i], *place = i;
        found = true;
    }
    if (fold == Fold::Sum) *value = tree_sum(row, lanes, src.type);
}

void whole_reduce(const char* name, Fold fold, const Local& dst, const Local& src,
                  const Walk& walk, uint32_t dst_step, AscendC::ReduceOrder order,
                  bool has_order, int line) {
    using AscendC::ReduceOrder;
    begin(V, name, line);
    if (!require_types(name, kReduceTypes, dst.type)) return;
    if (!in_unified(dst) || !in_unified(src) || !walk_ok(walk, src.size)) return;
    bool only_value = !has_order || order == ReduceOrder::ORDER_ONLY_VALUE;
    bool only_index = has_order && order == ReduceOrder::ORDER_ONLY_INDEX;
    bool pair = !only_value && !only_index;
    aligned(dst, pair ? 2 * dst.size : dst.size, "the destination");
    aligned(src, 32, "the source");
    uint32_t step = dst_step * (pair ? 2 : 1) * dst.size;
    for (uint32_t r = 0; r < walk.repeats; r++) {
        double value = 0;
        uint32_t place = 0;
        whole_reduce_one(fold, src, walk, r, &value, &place);
        uint64_t at = uint64_t(r) * step;
        if (!writes(dst, at, uint64_t(pair ? 2 : 1) * dst.size)) return;
        uint8_t* to = memory(dst, at);
        bool index_first = pair && order == ReduceOrder::ORDER_INDEX_VALUE;
        if (!only_index) store_real(to + (index_first ? dst.size : 0), dst.type, value);
        /* The index is an integer of the element's width, alone as well as in a pair.
         */
        if (!only_value)
            memcpy(to + (pair && !index_first ? dst.size : 0), &place, dst.size);
    }
    spend_repeats(walk.repeats);
}

void block_reduce(const char* name, Fold fold, const Local& dst, const Local& src,
                  const Walk& walk, int line) {
    begin(V, name, line);
    if (!require_types(name, kReduceTypes, dst.type)) return;
    if (!in_unified(dst) || !in_unified(src) || !walk_ok(walk, src.size)) return;
    uint32_t size = src.size, per_block = kBlockBytes / size;
    aligned(dst, 8 * size, "the destination");
    aligned(src, 32, "the source");
    for (uint32_t r = 0; r < walk.repeats; r++)
        for (uint32_t b = 0; b < 8; b++) {
            double row[16], best = 0;
            bool found = false;
            for (uint32_t i = 0; i < per_block; i++) {
                uint32_t lane = b * per_block + i;
                row[i] = 0;
                if (!(walk.mask[lane >> 6] >> (lane & 63) & 1)) continue;
                uint64_t at =
                    uint64_t(r * walk.repeat[1] + b * walk.block[1]) * kBlockBytes +
                    i * size;
                if (!reads(src, at, size)) continue;
                row[i] = load_real(memory(src, at), src.type);
                if (!found || better(fold, row[i], best)) best = row[i];
                found = true;
            }
            /* A block without lanes leaves its result alone. */
            if (!found) continue;
            uint64_t at = uint64_t(r) * walk.repeat[0] * 8 * size + b * size;
            if (!writes(dst, at, size)) return;
            store_real(memory(dst, at), dst.type,
                       fold == Fold::Sum ? tree_sum(row, per_block, src.type) : best);
        }
    spend_repeats(walk.repeats);
}

void pair_reduce(const Local& dst, const Local& src, const Walk& walk, int line) {
    begin(V, "PairReduceSum", line);
    if (!require_types("PairReduceSum", kReduceTypes, dst.type)) return;
    if (!in_unified(dst) || !in_unified(src) || !walk_ok(walk, src.size)) return;
    uint32_t size = src.size, lanes = kRepeatBytes / size,
             per_block = kBlockBytes / size;
    aligned(dst, 4 * kBlockBytes, "the destination");
    aligned(src, 32, "the source");
    for (uint32_t r = 0; r < walk.repeats; r++)
        for (uint32_t i = 0; i < lanes; i += 2) {
            double sum = 0;
            bool found = false;
            for (uint32_t lane = i; lane < i + 2; lane++) {
                if (!(walk.mask[lane >> 6] >> (lane & 63) & 1)) continue;
                uint64_t at =
                    uint64_t(r * walk.repeat[1] + lane / per_block * walk.block[1]) *
                        kBlockBytes +
                    lane % per_block * size;
                if (!reads(src, at, size)) continue;
                sum += load_real(memory(src, at), src.type);
                found = true;
            }
            if (!found) continue;
            uint64_t at =
                uint64_t(r) * walk.repeat[0] * (kRepeatBytes / 2) + i / 2 * size;
            if (!writes(dst, at, size)) return;
            store_real(memory(dst, at), dst.type, sum);
        }
    spend_repeats(walk.repeats);
}

void broadcast_blocks(const Local& dst, const Local& src, uint8_t repeats,
                      const AscendC::BrcbRepeatParams& params, int line) {
    begin(V, "Brcb", line);
    if (!require_types("Brcb", kBlockTypes, dst.type)) return;
    if (kTarget.number == 2002) {
        report("unsupported", "the twin does not keep the 8 KiB that Brcb takes here");
        return;
    }
    if (!in_unified(dst) || !in_unified(src)) return;
    aligned(dst, 32, "the destination");
    aligned(src, 32, "the source");
    if (dst.address == src.address)
        report("overlap", "Brcb's operands may not be the same memory");
    for (uint32_t r = 0; r < repeats; r++) {
        if (!reads(src, uint64_t(r) * 8 * src.size, 8u * src.size)) return;
        for (uint32_t b = 0; b < 8; b++) {
            uint64_t at = uint64_t(r * params.dstRepStride + b * params.dstBlkStride) *
                          kBlockBytes;
            if (!writes(dst, at, kBlockBytes)) return;
            const uint8_t* from = memory(src, uint64_t(r * 8 + b) * src.size);
            for (uint32_t i = 0; i < kBlockBytes; i += dst.size)
                memcpy(memory(dst, at + i), from, dst.size);
        }
    }
    spend_repeats(repeats);
}

}  // namespace opslib_twin

#endif
