/* Row operations that lanes of generated code would do poorly: the place of the best
 * element, and transposing a tile. */
#ifndef OPSLIB_ROW_H
#define OPSLIB_ROW_H

#include "opslib_simd.h"

/* ---- argmax, argmin: the first of equals wins, and the first nan beats every number ----
 *
 * A lane keeps its best element and the step at which it saw it; steps go up, so a later
 * element takes over only if it is strictly better. NOT_BETTER(b, a) is false as well
 * where either is a nan; a nan in `a` stays by a == a. Pieces keep steps within 32 bits. */
#define OPS_ARG(D, V, LOAD, WAY, BEST, BETTER, NOT_BETTER)                               \
    OPS_INLINE int64_t ops_arg##WAY##_piece_##D(const ops_##D *x, int64_t n, ops_##V *out) { \
        enum { PARTS = 4 };                                                              \
        ops_v_##V a[PARTS];                                                              \
        ops_m_##V at[PARTS], now = {0}, lane, most;                                      \
        for (int l = 0; l < OPS_LANES; l++) lane[l] = l;                                 \
        for (int p = 0; p < PARTS; p++) {                                                \
            a[p] = LOAD(x + p * OPS_LANES);                                              \
            at[p] = now;                                                                 \
        }                                                                                \
        for (int64_t i = PARTS * OPS_LANES; i < n; i += PARTS * OPS_LANES) {             \
            now += 1;                                                                    \
            _Pragma("GCC unroll 4") for (int p = 0; p < PARTS; p++) {                    \
                ops_v_##V b = LOAD(x + i + p * OPS_LANES);                               \
                ops_m_##V take = ~(ops_m_##V)(NOT_BETTER(b, a[p])) &                     \
                                 (ops_m_##V)(a[p] == a[p]);                              \
                a[p] = ops_select_v_##V(take, b, a[p]);                                  \
                at[p] = (ops_m_##V)ops_select_v_##V(take, (ops_v_##V)now, (ops_v_##V)at[p]); \
            }                                                                            \
        }                                                                                \
        for (int p = 0; p < PARTS; p++) at[p] = (at[p] * PARTS + p) * OPS_LANES + lane;  \
        for (int p = 1; p < PARTS; p++) {                                                \
            ops_m_##V same = (ops_m_##V)(a[p] == a[0]) |                                 \
                             ((ops_m_##V)(a[p] != a[p]) & (ops_m_##V)(a[0] != a[0]));    \
            ops_m_##V take = ~(ops_m_##V)(NOT_BETTER(a[p], a[0])) &                      \
                             (ops_m_##V)(a[0] == a[0]);                                  \
            take = (take & ~same) | (same & (at[p] < at[0]));                            \
            a[0] = ops_select_v_##V(take, a[p], a[0]);                                   \
            at[0] = (take & at[p]) | (~take & at[0]);                                    \
        }                                                                                \
        ops_##V best = ops_h##BEST##_##V(a[0]);                                          \
        most = (ops_m_##V)((ops_m_##V)(a[0] == best) |                                   \
                           ((ops_m_##V)(a[0] != a[0]) & -(best != best)));               \
        ops_m_##V big = (ops_m_##V){0} + OPS_BIG_##V;                                    \
        at[0] = (most & at[0]) | (~most & big);                                          \
        *out = best;                                                                     \
        return OPS_FIRST_##V(at[0]);                                                     \
    }                                                                                    \
    OPS_CALL void ops_arg##WAY##_##D(const ops_##D *x, int64_t n, ops_##D *best,         \
                                     int64_t *at) {                                      \
        const int64_t group = 4 * OPS_LANES, most = 1 << 30;                             \
        ops_##V value = (ops_##V)x[0];                                                   \
        int64_t where = 0, i = 0;                                                        \
        while (n - i >= group) {                                                         \
            int64_t piece = (n - i < most ? n - i : most) / group * group;               \
            ops_##V b;                                                                   \
            int64_t j = i + ops_arg##WAY##_piece_##D(x + i, piece, &b);                  \
            if (value == value && (BETTER(b, value) || b != b || i == 0)) {              \
                value = b;                                                               \
                where = j;                                                               \
            }                                                                            \
            i += piece;                                                                  \
        }                                                                                \
        for (; i < n; i++) {                                                             \
            ops_##V b = (ops_##V)x[i];                                                   \
            if (value == value && (BETTER(b, value) || b != b)) {                        \
                value = b;                                                               \
                where = i;                                                               \
            }                                                                            \
        }                                                                                \
        *best = (ops_##D)value;                                                          \
        *at = where;                                                                     \
    }
#define OPS_BIG_f32 INT32_MAX
#define OPS_BIG_i32 INT32_MAX
#define OPS_BIG_u32 INT32_MAX
#define OPS_BIG_f64 INT64_MAX
#define OPS_BIG_i64 INT64_MAX
#define OPS_BIG_u64 INT64_MAX
#define OPS_FIRST_f32 ops_hmin_i32
#define OPS_FIRST_i32 ops_hmin_i32
#define OPS_FIRST_u32 ops_hmin_i32
#define OPS_FIRST_f64 ops_hmin_i64
#define OPS_FIRST_i64 ops_hmin_i64
#define OPS_FIRST_u64 ops_hmin_i64
#define OPS_GT(b, a) ((b) > (a))
#define OPS_LE(b, a) ((b) <= (a))
#define OPS_LT(b, a) ((b) < (a))
#define OPS_GE(b, a) ((b) >= (a))
#define OPS_ARG_BOTH(D, V, LOAD)                     \
    OPS_ARG(D, V, LOAD, max, max, OPS_GT, OPS_LE)    \
    OPS_ARG(D, V, LOAD, min, min, OPS_LT, OPS_GE)
#define OPS_WIDE_I8(p) ops_cvt_v_i8_to_i32(ops_load_i8(p))
#define OPS_WIDE_U8(p) ops_cvt_v_u8_to_i32(ops_load_u8(p))
#define OPS_WIDE_I16(p) ops_cvt_v_i16_to_i32(ops_load_i16(p))
#define OPS_WIDE_U16(p) ops_cvt_v_u16_to_i32(ops_load_u16(p))
OPS_ARG_BOTH(f32, f32, ops_load_f32)
OPS_ARG_BOTH(f64, f64, ops_load_f64)
OPS_ARG_BOTH(i64, i64, ops_load_i64)
OPS_ARG_BOTH(u64, u64, ops_load_u64)
OPS_ARG_BOTH(i32, i32, ops_load_i32)
OPS_ARG_BOTH(u32, u32, ops_load_u32)
OPS_ARG_BOTH(i8, i32, OPS_WIDE_I8)
OPS_ARG_BOTH(u8, i32, OPS_WIDE_U8)
OPS_ARG_BOTH(i16, i32, OPS_WIDE_I16)
OPS_ARG_BOTH(u16, i32, OPS_WIDE_U16)

/* ---- transpose: to[j * to_pitch + i] = from[i * from_pitch + j], i < rows, j < columns -
 *
 * Squares of L x L in registers: in each of log2(L) rounds, row k is interleaved with row
 * k + L/2 into rows 2k and 2k + 1, a perfect shuffle of rows and columns at once. */
#if OPS_LANES == 16
#define OPS_LOW_HALVES 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define OPS_HIGH_HALVES 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif OPS_LANES == 8
#define OPS_LOW_HALVES 0, 8, 1, 9, 2, 10, 3, 11
#define OPS_HIGH_HALVES 4, 12, 5, 13, 6, 14, 7, 15
#elif OPS_LANES == 4
#define OPS_LOW_HALVES 0, 4, 1, 5
#define OPS_HIGH_HALVES 2, 6, 3, 7
#endif

#define OPS_TRANSPOSE_LOOP(U, i0, i1, j0, j1)                                            \
    for (int64_t r = i0; r < i1; r++)                                                    \
        for (int64_t c = j0; c < j1; c++)                                                \
            ((ops_##U *)to)[c * to_pitch + r] = ((const ops_##U *)from)[r * from_pitch + c];

#if defined(OPS_LOW_HALVES)
#define OPS_TRANSPOSE_SQUARES(U)                                                         \
    int64_t i = 0;                                                                       \
    for (; i + OPS_LANES <= rows; i += OPS_LANES) {                                      \
        int64_t j = 0;                                                                   \
        for (; j + OPS_LANES <= columns; j += OPS_LANES) {                               \
            ops_v_##U a[OPS_LANES], b[OPS_LANES];                                        \
            _Pragma("GCC unroll 16") for (int k = 0; k < OPS_LANES; k++)                 \
                a[k] = ops_load_##U((const ops_##U *)from + (i + k) * from_pitch + j);   \
            _Pragma("GCC unroll 4") for (int round = 1; round < OPS_LANES; round *= 2) { \
                _Pragma("GCC unroll 16") for (int k = 0; k < OPS_LANES / 2; k++) {       \
                    b[2 * k] = __builtin_shufflevector(a[k], a[k + OPS_LANES / 2],       \
                                                       OPS_LOW_HALVES);                  \
                    b[2 * k + 1] = __builtin_shufflevector(a[k], a[k + OPS_LANES / 2],   \
                                                           OPS_HIGH_HALVES);             \
                }                                                                        \
                _Pragma("GCC unroll 16") for (int k = 0; k < OPS_LANES; k++) a[k] = b[k];\
            }                                                                            \
            _Pragma("GCC unroll 16") for (int k = 0; k < OPS_LANES; k++)                 \
                ops_store_##U((ops_##U *)to + (j + k) * to_pitch + i, a[k]);             \
        }                                                                                \
        OPS_TRANSPOSE_LOOP(U, i, i + OPS_LANES, j, columns)                              \
    }                                                                                    \
    OPS_TRANSPOSE_LOOP(U, i, rows, 0, columns)
#else
#define OPS_TRANSPOSE_SQUARES(U) OPS_TRANSPOSE_LOOP(U, 0, rows, 0, columns)
#endif

#define OPS_TRANSPOSE(BITS, BODY)                                                        \
    OPS_CALL void ops_transpose_##BITS(void *to, int64_t to_pitch, const void *from,     \
                                       int64_t from_pitch, int64_t rows,                 \
                                       int64_t columns) {                                \
        BODY                                                                             \
    }
OPS_TRANSPOSE(8, OPS_TRANSPOSE_SQUARES(u8))
OPS_TRANSPOSE(16, OPS_TRANSPOSE_SQUARES(u16))
OPS_TRANSPOSE(32, OPS_TRANSPOSE_SQUARES(u32))
/* Vectors of 64-bit elements are two registers; a plain loop over 8 x 8 does as well. */
OPS_TRANSPOSE(64, for (int64_t i0 = 0; i0 < rows; i0 += 8)
                      for (int64_t j0 = 0; j0 < columns; j0 += 8) {
                          int64_t i1 = i0 + 8 < rows ? i0 + 8 : rows;
                          int64_t j1 = j0 + 8 < columns ? j0 + 8 : columns;
                          OPS_TRANSPOSE_LOOP(u64, i0, i1, j0, j1)
                      })
#endif
