/* The elements of a row in order, with their positions: all, or those of some ranks.
 *
 * Each element becomes one unsigned word, its key above and its position below, so that
 * words differ and compare as the order wants: equal elements by position, -0 as 0, nan
 * after everything. Descending, keys are complemented, positions are not. What is sorted,
 * selected and moved are words; the elements themselves are read again at the end.
 *
 *   all ranks   radix sort from the lowest digit; short rows are merged
 *   few ranks   selection among the words; before it, where a row is much longer than the
 *               ranks go, whole vectors that cannot change the first `last` are skipped */
#ifndef OPSLIB_ORDER_H
#define OPSLIB_ORDER_H

#include "opslib_simd.h"

typedef uint64_t ops_w64;                        /* key < 2^32, position < 2^32 */
__extension__ typedef unsigned __int128 ops_w128; /* key, position < 2^64 */

#define OPS_WORDS(W, COUNT)                                                              \
    /* At most 24 words: each goes where the number of lesser ones says, unguessed. */   \
    OPS_INLINE void ops_place_##W(ops_##W *a, int64_t n) {                               \
        ops_##W x[24];                                                                   \
        COUNT at[24] = {0};                                                              \
        for (int64_t i = 0; i < n; i++) x[i] = a[i];                                     \
        for (int64_t i = n; i < 24; i++) x[i] = 0;                                       \
        for (int64_t j = 0; j < n; j++)                                                  \
            for (int i = 0; i < 24; i++) at[i] += a[j] < x[i];                           \
        for (int64_t i = 0; i < n; i++) a[at[i]] = x[i];                                 \
    }                                                                                    \
    OPS_CALL ops_##W *ops_merge_##W(ops_##W *a, ops_##W *b, int64_t n) {                 \
        for (int64_t i = 0; i < n; i += 16)                                              \
            ops_place_##W(a + i, n - i < 16 ? n - i : 16);                               \
        for (int64_t width = 16; width < n; width *= 2) {                                \
            for (int64_t low = 0; low < n; low += 2 * width) {                           \
                int64_t middle = low + width < n ? low + width : n;                      \
                int64_t high = low + 2 * width < n ? low + 2 * width : n;                \
                int64_t i = low, j = middle, k = low;                                    \
                while (i < middle && j < high) {                                         \
                    int right = a[j] < a[i];                                             \
                    b[k++] = right ? a[j] : a[i];                                        \
                    j += right;                                                          \
                    i += !right;                                                         \
                }                                                                        \
                memcpy(b + k, a + (i < middle ? i : j), (size_t)(high - k) * sizeof *a); \
            }                                                                            \
            ops_##W *swap = a;                                                           \
            a = b;                                                                       \
            b = swap;                                                                    \
        }                                                                                \
        return a;                                                                        \
    }                                                                                    \
    /* By the `bits` from `low` on; a digit that all words share is passed over. */      \
    OPS_INLINE ops_##W *ops_digits_##W(ops_##W *a, ops_##W *b, int64_t n, int low, int bits, \
                                       int digit) {                                      \
        COUNT count[6 << 11];                                                            \
        const COUNT size = (COUNT)1 << digit;                                            \
        const int passes = (bits + digit - 1) / digit;                                   \
        memset(count, 0, (size_t)passes * size * sizeof *count);                         \
        for (int64_t i = 0; i < n; i++) {                                                \
            uint64_t key = (uint64_t)(a[i] >> low);                                      \
            for (int p = 0; p < passes; p++)                                             \
                count[p * (int64_t)size + (int64_t)(key >> (p * digit) & (size - 1))]++; \
        }                                                                                \
        for (int p = 0; p < passes; p++) {                                               \
            COUNT *at = count + p * (int64_t)size, total = 0;                            \
            const int shift = low + p * digit;                                           \
            if (at[(COUNT)(a[0] >> shift) & (size - 1)] == (COUNT)n) continue;           \
            for (COUNT d = 0; d < size; d++) {                                           \
                COUNT here = at[d];                                                      \
                at[d] = total;                                                           \
                total += here;                                                           \
            }                                                                            \
            for (int64_t i = 0; i < n; i++) {                                            \
                ops_##W x = a[i];                                                        \
                b[at[(COUNT)(x >> shift) & (size - 1)]++] = x;                           \
            }                                                                            \
            ops_##W *swap = a;                                                           \
            a = b;                                                                       \
            b = swap;                                                                    \
        }                                                                                \
        return a;                                                                        \
    }                                                                                    \
    OPS_CALL ops_##W *ops_radix_long_##W(ops_##W *a, ops_##W *b, int64_t n, int low, int bits) { \
        return ops_digits_##W(a, b, n, low, bits, 11);                                   \
    }                                                                                    \
    OPS_CALL ops_##W *ops_radix_##W(ops_##W *a, ops_##W *b, int64_t n, int low, int bits) { \
        return ops_digits_##W(a, b, n, low, bits, 8);                                    \
    }                                                                                    \
    /* Sorts words whose positions, all below `end`, are in order already or not; the    \
     * result is a or b. */                                                              \
    OPS_INLINE ops_##W *ops_ordered_##W(ops_##W *a, ops_##W *b, int64_t n, int half,     \
                                        int bits, int64_t end, int mixed) {              \
        if (n < (mixed ? 1024 : 192)) return ops_merge_##W(a, b, n);                     \
        if (mixed) {                                                                     \
            int places = 64 - __builtin_clzll((unsigned long long)end);                  \
            ops_##W *s = ops_radix_long_##W(a, b, n, 0, places);                         \
            if (s == b) b = a;                                                           \
            a = s;                                                                       \
        }                                                                                \
        if (n < 2048 || bits <= 16) return ops_radix_##W(a, b, n, half, bits);           \
        return ops_radix_long_##W(a, b, n, half, bits);                                  \
    }                                                                                    \
    /* Moves the k least words to the front. Words differ, so the median of three splits \
     * off something on both sides; a row that splits badly again and again is sorted. */ \
    OPS_CALL void ops_select_##W(ops_##W *a, ops_##W *b, int64_t n, int64_t k) {         \
        int64_t low = 0, high = n;                                                       \
        int rounds = 0;                                                                  \
        while (high - low > 24 && k > low && k < high) {                                 \
            int64_t length = high - low;                                                 \
            if (rounds++ > 64) {                                                         \
                ops_##W *s = ops_merge_##W(a + low, b, length);                          \
                if (s != a + low) memcpy(a + low, s, (size_t)length * sizeof *a);        \
                return;                                                                  \
            }                                                                            \
            ops_##W x = a[low + length / 4], y = a[low + length / 2];                    \
            ops_##W z = a[high - 1 - length / 4];                                        \
            ops_##W least = x < y ? x : y, most = x < y ? y : x;                         \
            ops_##W pivot = z < least ? least : z < most ? z : most;                     \
            int64_t m = low;                                                             \
            for (int64_t i = low; i < high; i++) {                                       \
                ops_##W t = a[i];                                                        \
                a[i] = a[m];                                                             \
                a[m] = t;                                                                \
                m += t < pivot;                                                          \
            }                                                                            \
            if (k <= m) high = m;                                                        \
            else low = m;                                                                \
        }                                                                                \
        if (k > low && k < high) ops_place_##W(a + low, high - low);                     \
    }                                                                                    \
    OPS_INLINE ops_##W ops_most_##W(const ops_##W *a, int64_t n) {                       \
        ops_##W most = a[0];                                                             \
        for (int64_t i = 1; i < n; i++) most = a[i] > most ? a[i] : most;                \
        return most;                                                                     \
    }
OPS_WORDS(w64, uint32_t)
OPS_WORDS(w128, uint64_t)

#define OPS_KEY_FLOAT(D, U, BITS)                                                        \
    OPS_INLINE ops_##U ops_key_##D(ops_##D x) {                                          \
        const ops_##U top = (ops_##U)1 << (BITS - 1);                                    \
        ops_##U b = ops_bits_##D(x);                                                     \
        b ^= (ops_##U)-(b >> (BITS - 1)) | top;                                          \
        b = x == 0 ? top : b;                                                            \
        return x != x ? (ops_##U)-1 : b;                                                 \
    }
#define OPS_KEY_SIGNED(D, U, BITS)                                                       \
    OPS_INLINE ops_##U ops_key_##D(ops_##D x) {                                          \
        return (ops_##U)((ops_##U)x ^ (ops_##U)((ops_##U)1 << (BITS - 1)));              \
    }
#define OPS_KEY_UNSIGNED(D, U, BITS)                                                     \
    OPS_INLINE ops_##U ops_key_##D(ops_##D x) { return x; }
OPS_KEY_FLOAT(f32, u32, 32) OPS_KEY_FLOAT(f64, u64, 64)
OPS_KEY_SIGNED(i64, u64, 64) OPS_KEY_SIGNED(i32, u32, 32)
OPS_KEY_SIGNED(i16, u16, 16) OPS_KEY_SIGNED(i8, u8, 8)
OPS_KEY_UNSIGNED(u64, u64, 64) OPS_KEY_UNSIGNED(u32, u32, 32)
OPS_KEY_UNSIGNED(u16, u16, 16) OPS_KEY_UNSIGNED(u8, u8, 8)

/* D: elements, U: keys of BITS bits, M: elements of masks, W: words with keys at HALF. */
#define OPS_RANKS(D, U, M, BITS, W, HALF, RARE)                                          \
    OPS_INLINE ops_##W ops_word_##D##_##W(ops_##D x, ops_##U flip, int64_t at) {         \
        return (ops_##W)(ops_##U)(ops_key_##D(x) ^ flip) << HALF | (ops_##W)at;          \
    }                                                                                    \
    OPS_INLINE ops_v_##M ops_beyond_##D##_##W(const ops_##D *x, ops_v_##D edge,          \
                                              int down) {                                \
        return down ? ~(ops_v_##M)(ops_load_##D(x) <= edge)                              \
                    : ~(ops_v_##M)(ops_load_##D(x) >= edge);                             \
    }                                                                                    \
    /* Words of the first `last`, and of others that came by; gives how many. */         \
    RARE OPS_CALL int64_t ops_first_##D##_##W(const ops_##D *x, ops_##W *a, ops_##W *b,  \
                                              int64_t n, int64_t last, int64_t room,     \
                                              ops_##U flip) {                            \
        int64_t have = room, i = room;                                                   \
        ops_##U bar = 0;                                                                 \
        ops_v_##D edge = {0};                                                            \
        for (int64_t j = 0; j < room; j++) a[j] = ops_word_##D##_##W(x[j], flip, j);     \
        while (i < n) {                                                                  \
            /* The room is full: only what comes before the `last`-th so far matters. */ \
            if (have + OPS_LANES > room) {                                               \
                ops_select_##W(a, b, have, last);                                        \
                have = last;                                                             \
                /* A little at a time from here: the bar soon rises. */                  \
                room = 2 * last + 4 * OPS_LANES;                                         \
                const ops_##W edge_word = ops_most_##W(a, last);                         \
                edge = ops_splat_##D(x[(int64_t)(edge_word & (((ops_##W)1 << HALF) - 1))]); \
                bar = (ops_##U)(edge_word >> HALF);                                      \
                if (bar == 0) return have;                                               \
            }                                                                            \
            /* A nan anywhere stops it: the words decide. */                             \
            for (; i + 4 * OPS_LANES <= n; i += 4 * OPS_LANES) {                         \
                ops_v_##M m = {0};                                                       \
                for (int p = 0; p < 4; p++)                                              \
                    m |= ops_beyond_##D##_##W(x + i + p * OPS_LANES, edge, flip != 0);   \
                if (ops_any_i32(__builtin_convertvector(m, ops_v_i32))) break;           \
            }                                                                            \
            int64_t end = i + 4 * OPS_LANES < n ? i + 4 * OPS_LANES : n;                 \
            while (i < end && have + OPS_LANES <= room) {                                \
                int64_t left = end - i < OPS_LANES ? end - i : OPS_LANES;                \
                if (left == OPS_LANES) {                                                 \
                    ops_v_##M m = ops_beyond_##D##_##W(x + i, edge, flip != 0);          \
                    if (ops_any_i32(__builtin_convertvector(m, ops_v_i32))) {            \
                        ops_##U key[OPS_LANES];                                          \
                        for (int l = 0; l < OPS_LANES; l++)                              \
                            key[l] = (ops_##U)(ops_key_##D(x[i + l]) ^ flip);            \
                        for (int l = 0; l < OPS_LANES; l++) {                            \
                            a[have] = (ops_##W)key[l] << HALF | (ops_##W)(i + l);        \
                            have += key[l] < bar;                                        \
                        }                                                                \
                    }                                                                    \
                } else {                                                                 \
                    for (int64_t j = i; j < end; j++) {                                  \
                        a[have] = ops_word_##D##_##W(x[j], flip, j);                     \
                        have += (ops_##U)(a[have] >> HALF) < bar;                        \
                    }                                                                    \
                }                                                                        \
                i += left;                                                               \
            }                                                                            \
        }                                                                                \
        return have;                                                                     \
    }                                                                                    \
    RARE OPS_CALL void ops_ranks_##D##_##W(const ops_##D *x, ops_##D *values, int64_t *at, \
                                           uint64_t *work, int64_t n, int64_t first,     \
                                           int64_t last, int64_t descending) {           \
        ops_##W *a = (ops_##W *)work, *b = a + n;                                        \
        const ops_##U flip = descending ? (ops_##U)-1 : 0;                               \
        int64_t have = n, room = last < 128 ? 512 : 4 * last;                            \
        if (last < n / 8 && room < n / 2)                                                \
            have = ops_first_##D##_##W(x, a, b, n, last, room, flip);                    \
        else                                                                             \
            for (int64_t i = 0; i < n; i++) a[i] = ops_word_##D##_##W(x[i], flip, i);    \
        int mixed = have < n;                                                            \
        if (first > 0 || last <= have / 4 * 3) {                                         \
            mixed = 1;                                                                   \
            ops_select_##W(a, b, have, last);                                            \
            ops_select_##W(a, b, last, first);                                           \
            have = last;                                                                 \
        }                                                                                \
        const ops_##W *s =                                                               \
            ops_ordered_##W(a + first, b, have - first, HALF, BITS, n, mixed);           \
        for (int64_t i = first; i < last; i++) {                                         \
            int64_t from = (int64_t)(s[i - first] & (((ops_##W)1 << HALF) - 1));         \
            at[i] = from;                                                                \
            values[i] = x[from];                                                         \
        }                                                                                \
    }
#define OPS_ORDER(D, W)                                                                  \
    /* The elements of ranks first .. last - 1 of the n in x, and their positions, are left \
     * at these places of values and at. Room for 4 n is in work, aligned to 16 bytes. */ \
    OPS_CALL void ops_order_##D(const ops_##D *x, ops_##D *values, int64_t *at,          \
                                uint64_t *work, int64_t n, int64_t first, int64_t last,  \
                                int64_t descending) {                                    \
        last = last < n ? last : n;                                                      \
        first = first > 0 ? first : 0;                                                   \
        if (first >= last) return;                                                       \
        if (n > UINT32_MAX) ops_ranks_##D##_w128(x, values, at, work, n, first, last, descending); \
        else ops_ranks_##D##_##W(x, values, at, work, n, first, last, descending);       \
    }

#define OPS_NARROW(D, U, M, BITS)                                                        \
    OPS_RANKS(D, U, M, BITS, w64, 32, )                                                  \
    OPS_RANKS(D, U, M, BITS, w128, 64, __attribute__((cold)))                            \
    OPS_ORDER(D, w64)
#define OPS_WIDE(D)                                                                      \
    OPS_RANKS(D, u64, i64, 64, w128, 64, )                                               \
    OPS_ORDER(D, w128)
OPS_NARROW(f32, u32, i32, 32) OPS_NARROW(i32, u32, i32, 32) OPS_NARROW(u32, u32, i32, 32)
OPS_NARROW(i16, u16, i16, 16) OPS_NARROW(u16, u16, i16, 16)
OPS_NARROW(i8, u8, i8, 8) OPS_NARROW(u8, u8, i8, 8)
OPS_WIDE(f64) OPS_WIDE(i64) OPS_WIDE(u64)

#endif
