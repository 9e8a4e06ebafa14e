/* opslib_contract_rows.h -- products with few rows (m <= 4), at the speed of memory.
 *
 * With m = 1 each element of B is used once: packing it would triple the traffic. Here B
 * is streamed as it lies, once, converted in registers:
 *
 *     ops_rows_by_columns_S   B's n is contiguous: rows of B, four at a time (with m = 1
 *                             eight: 3 to 10 % faster from memory, sixteen no more), are added
 *                             to y, which stays in L1 (long runs suit the prefetcher and
 *                             the TLB; columns of tiles would touch a page per row)
 *     ops_rows_by_rows_S      B's k is contiguous: four dot products side by side
 *
 * x is m x k, packed (row i at x + i * k); y is m x n with rows y_row apart; b_row is the
 * distance of B's rows, all in elements.
 */
#ifndef OPSLIB_CONTRACT_ROWS_H
#define OPSLIB_CONTRACT_ROWS_H

#define OPS_FEW(D, S, LOAD, LOAD_N, FMA)                                                  \
    OPS_INLINE void ops_columns_##D##_##S(const int m, const int deep, int64_t n,         \
                                          const ops_##D *x, int64_t k, const ops_##S *b,  \
                                          int64_t b_row, ops_##D *y, int64_t y_row,       \
                                          int add) {                                      \
        ops_v_##D w[4][8];                                                                \
        for (int i = 0; i < m; i++)                                                       \
            for (int l = 0; l < deep; l++)                                                \
                w[i][l] = ops_splat_##D(x[i * k + l]);                                    \
        for (int64_t j = 0; j < n; j += OPS_LANES) {                                      \
            const int64_t here = n - j;                                                   \
            if (OPS_LIKELY(here >= OPS_LANES)) {                                          \
                ops_v_##D v[8];                                                           \
                for (int l = 0; l < deep; l++) v[l] = LOAD(b + l * b_row + j);            \
                for (int i = 0; i < m; i++) {                                             \
                    ops_##D *o = y + i * y_row + j;                                       \
                    ops_v_##D s = add ? ops_load_##D(o) : ops_zero_##D();                 \
                    for (int l = 0; l < deep; l++) s = FMA(w[i][l], v[l], s);             \
                    ops_store_##D(o, s);                                                  \
                }                                                                         \
            } else {                                                                      \
                ops_v_##D v[8];                                                           \
                for (int l = 0; l < deep; l++) v[l] = LOAD_N(b + l * b_row + j, here);    \
                for (int i = 0; i < m; i++) {                                             \
                    ops_##D *o = y + i * y_row + j;                                       \
                    ops_v_##D s = add ? ops_load_n_##D(o, here) : ops_zero_##D();         \
                    for (int l = 0; l < deep; l++) s = FMA(w[i][l], v[l], s);             \
                    ops_store_n_##D(o, s, here);                                          \
                }                                                                         \
            }                                                                             \
        }                                                                                 \
    }                                                                                     \
    OPS_CALL void ops_rows_by_columns_##D##_##S(int64_t m, int64_t n, int64_t k,          \
                                                const ops_##D *x, const ops_##S *b,       \
                                                int64_t b_row, ops_##D *y, int64_t y_row) { \
        for (int64_t i = 0; i < m && k == 0; i++)                                         \
            for (int64_t j = 0; j < n; j++) y[i * y_row + j] = 0;                         \
        /* Eight weights fill half of the smallest register file. */                      \
        const int64_t eight = m == 1 && sizeof(ops_v_##D) == OPS_VECTOR_BYTES ? 8 : 4;    \
        for (int64_t l = 0, deep; l < k; l += deep) {                                     \
            deep = k - l >= eight ? eight : k - l < 4 ? k - l : 4;                        \
            const ops_##S *s = b + l * b_row;                                             \
            if (deep == 8)                                                                \
                ops_columns_##D##_##S(1, 8, n, x + l, k, s, b_row, y, y_row, l > 0);      \
            else if (m == 1 && deep == 4)                                                 \
                ops_columns_##D##_##S(1, 4, n, x + l, k, s, b_row, y, y_row, l > 0);      \
            else if (m == 2 && deep == 4)                                                 \
                ops_columns_##D##_##S(2, 4, n, x + l, k, s, b_row, y, y_row, l > 0);      \
            else if (m == 3 && deep == 4)                                                 \
                ops_columns_##D##_##S(3, 4, n, x + l, k, s, b_row, y, y_row, l > 0);      \
            else if (deep == 4)                                                           \
                ops_columns_##D##_##S(4, 4, n, x + l, k, s, b_row, y, y_row, l > 0);      \
            else                                                                          \
                for (int64_t i = 0; i < m; i++)                                           \
                    for (int64_t q = 0; q < deep; q++)                                    \
                        ops_columns_##D##_##S(1, 1, n, x + i * k + l + q, k,              \
                                              s + q * b_row, b_row, y + i * y_row, y_row, \
                                              l + q > 0);                                 \
        }                                                                                 \
    }                                                                                     \
    OPS_INLINE void ops_dots_##D##_##S(const int m, const int wide, int64_t k,            \
                                       const ops_##D *x, const ops_##S *b, int64_t b_row, \
                                       ops_##D *y, int64_t y_row) {                       \
        ops_v_##D s[4][4];                                                                \
        for (int i = 0; i < m; i++)                                                       \
            for (int j = 0; j < wide; j++) s[i][j] = ops_zero_##D();                      \
        int64_t l = 0;                                                                    \
        for (; l + OPS_LANES <= k; l += OPS_LANES)                                        \
            for (int j = 0; j < wide; j++) {                                              \
                const ops_v_##D v = LOAD(b + j * b_row + l);                              \
                for (int i = 0; i < m; i++)                                               \
                    s[i][j] = FMA(ops_load_##D(x + i * k + l), v, s[i][j]);               \
            }                                                                             \
        if (l < k)                                                                        \
            for (int j = 0; j < wide; j++) {                                              \
                const ops_v_##D v = LOAD_N(b + j * b_row + l, k - l);                     \
                for (int i = 0; i < m; i++)                                               \
                    s[i][j] = FMA(ops_load_n_##D(x + i * k + l, k - l), v, s[i][j]);      \
            }                                                                             \
        for (int i = 0; i < m; i++)                                                       \
            for (int j = 0; j < wide; j++) {                                              \
                ops_##D lanes[OPS_LANES];                                                 \
                memcpy(lanes, &s[i][j], sizeof lanes);                                    \
                for (int half = OPS_LANES / 2; half; half /= 2)                           \
                    for (int q = 0; q < half; q++) lanes[q] += lanes[q + half];           \
                y[i * y_row + j] = lanes[0];                                              \
            }                                                                             \
    }                                                                                     \
    OPS_CALL void ops_rows_by_rows_##D##_##S(int64_t m, int64_t n, int64_t k,             \
                                             const ops_##D *x, const ops_##S *b,          \
                                             int64_t b_row, ops_##D *y, int64_t y_row) {  \
        int64_t j = 0;                                                                    \
        for (; j + 4 <= n; j += 4) {                                                      \
            const ops_##S *s = b + j * b_row;                                             \
            if (m == 1)                                                                   \
                ops_dots_##D##_##S(1, 4, k, x, s, b_row, y + j, y_row);                   \
            else if (m == 2)                                                              \
                ops_dots_##D##_##S(2, 4, k, x, s, b_row, y + j, y_row);                   \
            else if (m == 3)                                                              \
                ops_dots_##D##_##S(3, 4, k, x, s, b_row, y + j, y_row);                   \
            else                                                                          \
                ops_dots_##D##_##S(4, 4, k, x, s, b_row, y + j, y_row);                   \
        }                                                                                 \
        for (; j < n; j++)                                                                \
            for (int64_t i = 0; i < m; i++)                                               \
                ops_dots_##D##_##S(1, 1, k, x + i * k, b + j * b_row, b_row,              \
                                   y + i * y_row + j, y_row);                             \
    }

OPS_INLINE ops_v_f64 ops_muladd_v_f64(ops_v_f64 a, ops_v_f64 b, ops_v_f64 c) {
#if defined(OPS_ROW_FMA_F64)
    return ops_fma_v_f64(a, b, c);
#else
    return c + a * b;
#endif
}
OPS_FEW(f32, f32, ops_load_f32, ops_load_n_f32, OPS_MULADD_F32)
OPS_FEW(f32, f16, ops_load_f16, ops_load_n_f16, OPS_MULADD_F32)
OPS_FEW(f32, bf16, ops_load_bf16, ops_load_n_bf16, OPS_MULADD_F32)
OPS_FEW(f64, f64, ops_load_f64, ops_load_n_f64, ops_muladd_v_f64)

#endif
