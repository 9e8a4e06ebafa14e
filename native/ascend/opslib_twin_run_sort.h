/* Sort32 and MrgSort.  Part of the engine. */
#ifndef OPSLIB_TWIN_RUN_SORT_H
#define OPSLIB_TWIN_RUN_SORT_H

#include "opslib_twin_run_vector.h"
#include "opslib_twin_sort.h"

namespace opslib_twin {

constexpr uint32_t kEntryBytes = 8;

/* Descending; of equal scores the earlier comes first. */
void sort_32(const Local& dst, const Local& scores, const Local& indices,
             int32_t repeats, int line) {
    begin(V, "Sort32", line);
    if (!require_types("Sort32", kHalfFloat, dst.type)) return;
    if (kTarget.number == 2002) {
        report("unsupported", "this chip has no Sort32");
        return;
    }
    if (!in_unified(dst) || !in_unified(scores) || !in_unified(indices)) return;
    if (repeats < 0 || uint32_t(repeats) > kRepeatLimit) {
        report("range", "%d repeats; at most %u", repeats, kRepeatLimit);
        return;
    }
    aligned(dst, 32, "the destination");
    aligned(scores, 32, "the scores");
    aligned(indices, 32, "the indices");
    for (uint32_t r = 0; r < uint32_t(repeats); r++) {
        uint64_t from = uint64_t(r) * 32 * scores.size, at = uint64_t(r) * 32 * 8;
        if (!reads(scores, from, 32u * scores.size) ||
            !reads(indices, uint64_t(r) * 128, 128) ||
            !writes(dst, at, 32 * kEntryBytes))
            return;
        uint8_t order[32];
        double value[32];
        for (uint32_t i = 0; i < 32; i++) {
            value[i] = load_real(memory(scores, from + i * scores.size), scores.type);
            uint32_t place = i;
            while (place && value[i] > value[order[place - 1]]) {
                order[place] = order[place - 1];
                place--;
            }
            order[place] = uint8_t(i);
        }
        for (uint32_t i = 0; i < 32; i++) {
            uint8_t* to = memory(dst, at + i * kEntryBytes);
            memset(to, 0, kEntryBytes);
            memcpy(to, memory(scores, from + order[i] * scores.size), scores.size);
            memcpy(to + 4, memory(indices, uint64_t(r) * 128 + order[i] * 4u), 4);
        }
    }
    spend_repeats(uint32_t(repeats));
}

/* MrgSort, 07_0847.  validBit says how many lists take part: 3, 7 or 15. */
void merge_sorted(const Local& dst, const Local* lists,
                  const AscendC::MrgSort4Info& info, int line) {
    begin(V, "MrgSort", line);
    if (!require_types("MrgSort", kHalfFloat, dst.type)) return;
    uint32_t used = info.validBit == 3    ? 2
                    : info.validBit == 7  ? 3
                    : info.validBit == 15 ? 4
                                          : 0;
    if (!used || info.repeatTimes != 1) {
        report("range",
               "MrgSort takes validBit 3, 7 or 15, and in the twin one repeat");
        return;
    }
    if (info.ifExhaustedSuspension) {
        report("unsupported", "the twin's MrgSort does not stop at an exhausted list");
        return;
    }
    uint32_t total = 0, place[4] = {0, 0, 0, 0};
    for (uint32_t q = 0; q < used; q++) {
        if (info.elementLengths[q] > 4095)
            report("range", "a list of %u entries; at most 4095",
                   info.elementLengths[q]);
        if (!in_unified(lists[q])) return;
        aligned(lists[q], 32, "a list");
        uint64_t bytes = uint64_t(info.elementLengths[q]) * kEntryBytes;
        if (!reads(lists[q], 0, bytes)) return;
        total += info.elementLengths[q];
    }
    if (!in_unified(dst) || !writes(dst, 0, uint64_t(total) * kEntryBytes)) return;
    aligned(dst, 32, "the destination");
    for (uint32_t q = 0; q < used; q++)
        overlap_ok(dst, uint64_t(total) * kEntryBytes, lists[q],
                   uint64_t(info.elementLengths[q]) * kEntryBytes);
    for (uint32_t i = 0; i < total; i++) {
        int best = -1;
        double top = 0;
        for (uint32_t q = 0; q < used; q++) {
            if (place[q] == info.elementLengths[q]) continue;
            double value =
                load_real(memory(lists[q], place[q] * kEntryBytes), dst.type);
            if (best < 0 || value > top) best = int(q), top = value;
        }
        memcpy(memory(dst, i * kEntryBytes),
               memory(lists[best], place[best]++ * kEntryBytes), kEntryBytes);
    }
    spend_repeats((total * kEntryBytes + kRepeatBytes - 1) / kRepeatBytes);
}

}  // namespace opslib_twin

#endif
