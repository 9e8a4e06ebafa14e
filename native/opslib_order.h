/* Sorting a row with its positions: stable, nan last ascending and first descending.
 *
 * Bottom-up merge sort of 16-element insertion-sorted runs. The comparison is one strict
 * order "a before b", so equal elements, and nans among themselves, keep their order. */
#ifndef OPSLIB_ORDER_H
#define OPSLIB_ORDER_H

#include "opslib_simd.h"

/* LESS(a, b): a goes strictly before b. */
#define OPS_UP_FLOAT(a, b) ((a) < (b) || ((b) != (b) && (a) == (a)))
#define OPS_DOWN_FLOAT(a, b) ((a) > (b) || ((a) != (a) && (b) == (b)))
#define OPS_UP_INT(a, b) ((a) < (b))
#define OPS_DOWN_INT(a, b) ((a) > (b))

#define OPS_SORT(D, WAY, LESS)                                                           \
    OPS_CALL void ops_sort_##WAY##_##D(ops_##D *v, int64_t *at, ops_##D *w, int64_t *to, \
                                       int64_t n) {                                      \
        for (int64_t run = 0; run < n; run += 16) {                                      \
            int64_t end = run + 16 < n ? run + 16 : n;                                   \
            for (int64_t i = run; i < end; i++) {                                        \
                ops_##D x = v[i];                                                        \
                int64_t j = i;                                                           \
                for (; j > run && LESS(x, v[j - 1]); j--) {                              \
                    v[j] = v[j - 1];                                                     \
                    at[j] = at[j - 1];                                                   \
                }                                                                        \
                v[j] = x;                                                                \
                at[j] = i;                                                               \
            }                                                                            \
        }                                                                                \
        ops_##D *from = v, *into = w;                                                    \
        int64_t *from_at = at, *into_at = to;                                            \
        for (int64_t width = 16; width < n; width *= 2) {                                \
            for (int64_t low = 0; low < n; low += 2 * width) {                           \
                int64_t middle = low + width < n ? low + width : n;                      \
                int64_t high = low + 2 * width < n ? low + 2 * width : n;                \
                int64_t i = low, j = middle, k = low;                                    \
                while (i < middle && j < high) {                                         \
                    int right = LESS(from[j], from[i]);                                  \
                    int64_t take = right ? j : i;                                        \
                    into[k] = from[take];                                                \
                    into_at[k++] = from_at[take];                                        \
                    j += right;                                                          \
                    i += !right;                                                         \
                }                                                                        \
                int64_t rest = i < middle ? i : j, count = high - k;                     \
                memcpy(into + k, from + rest, (size_t)count * sizeof *v);                \
                memcpy(into_at + k, from_at + rest, (size_t)count * sizeof *at);         \
            }                                                                            \
            ops_##D *swap = from;                                                        \
            int64_t *swap_at = from_at;                                                  \
            from = into;                                                                 \
            into = swap;                                                                 \
            from_at = into_at;                                                           \
            into_at = swap_at;                                                           \
        }                                                                                \
        if (from != v) {                                                                 \
            memcpy(v, from, (size_t)n * sizeof *v);                                      \
            memcpy(at, from_at, (size_t)n * sizeof *at);                                 \
        }                                                                                \
    }                                                                                    \
    /* The first k in order: those that cannot be among them are dropped as they pass a  \
     * full buffer, which is sorted again when it has collected k more. */               \
    OPS_CALL void ops_top_##WAY##_##D(ops_##D *v, int64_t *at, ops_##D *w, int64_t *to,  \
                                      int64_t n, int64_t k) {                            \
        if (k <= 0) return;                                                              \
        int64_t room = 2 * k < 64 ? 64 : 2 * k;                                          \
        if (room >= n / 2) {                                                             \
            ops_sort_##WAY##_##D(v, at, w, to, n);                                       \
            return;                                                                      \
        }                                                                                \
        /* v[0..room) is the buffer: what is read is always at or past what is written. */\
        ops_sort_##WAY##_##D(v, at, w, to, room);                                        \
        int64_t have = k;                                                                \
        for (int64_t i = room; i < n; i++) {                                             \
            ops_##D x = v[i];                                                            \
            if (!LESS(x, v[k - 1])) continue;                                            \
            v[have] = x;                                                                 \
            at[have++] = i;                                                              \
            if (have == room || 0) {                                                     \
                ops_again_##WAY##_##D(v, at, w, to, have);                               \
                have = k;                                                                \
            }                                                                            \
        }                                                                                \
        ops_again_##WAY##_##D(v, at, w, to, have);                                       \
    }
/* Sorts a buffer whose positions are given, not its own: ranks first, then both move. */
#define OPS_AGAIN(D, WAY, LESS)                                                          \
    OPS_CALL void ops_sort_##WAY##_##D(ops_##D *v, int64_t *at, ops_##D *w, int64_t *to, \
                                       int64_t n);                                       \
    OPS_CALL void ops_again_##WAY##_##D(ops_##D *v, int64_t *at, ops_##D *w, int64_t *to,\
                                        int64_t n) {                                     \
        int64_t *old = to + n;                                                           \
        memcpy(old, at, (size_t)n * sizeof *at);                                         \
        ops_sort_##WAY##_##D(v, at, w, to, n);                                           \
        for (int64_t i = 0; i < n; i++) at[i] = old[at[i]];                              \
    }
#define OPS_BOTH_WAYS(D, KIND)                                                           \
    OPS_AGAIN(D, up, OPS_UP_##KIND) OPS_SORT(D, up, OPS_UP_##KIND)                       \
    OPS_AGAIN(D, down, OPS_DOWN_##KIND) OPS_SORT(D, down, OPS_DOWN_##KIND)               \
    /* n values in v; on return the first `limit` are in order, with their positions. w  \
     * and to are scratch of n elements. */                                              \
    OPS_CALL void ops_sort_##D(ops_##D *v, int64_t *at, ops_##D *w, int64_t *to,         \
                               int64_t n, int64_t limit, int64_t descending) {           \
        if (limit < n && descending) ops_top_down_##D(v, at, w, to, n, limit);           \
        else if (limit < n) ops_top_up_##D(v, at, w, to, n, limit);                      \
        else if (descending) ops_sort_down_##D(v, at, w, to, n);                         \
        else ops_sort_up_##D(v, at, w, to, n);                                           \
    }
OPS_BOTH_WAYS(f32, FLOAT) OPS_BOTH_WAYS(f64, FLOAT)
OPS_BOTH_WAYS(i64, INT) OPS_BOTH_WAYS(u64, INT) OPS_BOTH_WAYS(i32, INT) OPS_BOTH_WAYS(u32, INT)
OPS_BOTH_WAYS(i16, INT) OPS_BOTH_WAYS(u16, INT) OPS_BOTH_WAYS(i8, INT) OPS_BOTH_WAYS(u8, INT)

#endif
