/* The register-blocked microkernel, a template: included once per kind of arithmetic.
 *
 * The includer defines
 *     OPS_K_NAME      suffix of every name
 *     OPS_K_C         element of the accumulators and of the C tile
 *     OPS_K_P         element of the panels (a pair of bfloat16 counts as one)
 *     OPS_K_V         vector of accumulators, one register
 *     OPS_K_W         vector of panel elements, as many lanes
 *     OPS_K_FMA(a, b, c)   c + a * b
 *     OPS_K_LOAD_N, OPS_K_STORE_N   the first n lanes of memory
 *
 * OPS_MR x OPS_K_NV registers hold a block of C while k runs, so per step of k the core
 * does MR * NV fma on NV loads and MR broadcasts. Accumulators are named variables, not
 * an array: gcc unrolls loops over arrays of vectors too late to keep them in registers.
 */
#define OPS_K_CAT_(a, b) a##_##b
#define OPS_K_CAT(a, b) OPS_K_CAT_(a, b)
#define OPS_K_FN(name) OPS_K_CAT(name, OPS_K_NAME)
#define OPS_K_L ((int64_t)(sizeof(OPS_K_V) / sizeof(OPS_K_C)))
#define OPS_K_NR (OPS_NV * OPS_K_L)

#if OPS_NV == 3
#define OPS_K_THIRD(...) __VA_ARGS__
#else
#define OPS_K_THIRD(...)
#endif

#define OPS_K_ZERO(i) OPS_K_V c##i##0 = {0}, c##i##1 = {0} OPS_K_THIRD(, c##i##2 = {0});
#define OPS_K_ROW(i)                                        \
    if (rows > i) {                                         \
        OPS_K_W x = a[i * a_row] - (OPS_K_W){0};            \
        c##i##0 = OPS_K_FMA(x, b0, c##i##0);                \
        if (!narrow) {                                      \
            c##i##1 = OPS_K_FMA(x, b1, c##i##1);            \
            OPS_K_THIRD(c##i##2 = OPS_K_FMA(x, b2, c##i##2);) \
        }                                                   \
    }
#define OPS_K_PUT(i)                                                       \
    if (rows > i) {                                                        \
        OPS_K_C *row = c + i * c_row;                                      \
        OPS_K_FN(ops_put)(row, c##i##0, columns, accumulate);              \
        OPS_K_FN(ops_put)(row + OPS_K_L, c##i##1, columns - OPS_K_L, accumulate); \
        OPS_K_THIRD(OPS_K_FN(ops_put)(row + 2 * OPS_K_L, c##i##2,          \
                                      columns - 2 * OPS_K_L, accumulate);) \
    }

OPS_INLINE void OPS_K_FN(ops_put)(OPS_K_C *p, OPS_K_V v, int64_t n, int accumulate) {
    if (OPS_LIKELY(n >= OPS_K_L)) {
        if (accumulate) {
            OPS_K_V old;
            memcpy(&old, p, sizeof old);
            v += old;
        }
        memcpy(p, &v, sizeof v);
    } else if (n > 0) {
        if (accumulate)
            v += OPS_K_LOAD_N(p, n);
        OPS_K_STORE_N(p, v, n);
    }
}

OPS_INLINE OPS_K_W OPS_K_FN(ops_some)(const OPS_K_P *p, int64_t n) {
    if (n <= 0)
        return (OPS_K_W){0};
    return (OPS_K_W)OPS_K_LOAD_N((const OPS_K_C *)p, n < OPS_K_L ? n : OPS_K_L);
}

/* rows x NR of C (+)= A's rows x k times B's k x NR. Element (i, l) of A is
 * a[i * a_row + l * a_k], row l of B begins at b + l * b_k. `tail`: B has only
 * `columns` elements in a row and must not be read past them; `narrow`: one vector of
 * them, or less. */
OPS_INLINE void OPS_K_FN(ops_tile)(const int rows, const int tail, const int narrow, int64_t k,
                                   const OPS_K_P *a, int64_t a_row, int64_t a_k,
                                   const OPS_K_P *b, int64_t b_k, OPS_K_C *c,
                                   int64_t c_row, int64_t columns, int accumulate) {
    OPS_ROWS(OPS_K_ZERO)
    for (int i = 0; i < rows; i++) {
        __builtin_prefetch(c + i * c_row, 1);
        __builtin_prefetch(c + i * c_row + OPS_K_L, 1);
    }
#pragma GCC unroll 4
    for (int64_t l = 0; l < k; l++) {
        OPS_K_W b0, b1;
        OPS_K_THIRD(OPS_K_W b2;)
        if (tail) {
            b0 = OPS_K_FN(ops_some)(b, columns);
            b1 = narrow ? b0 : OPS_K_FN(ops_some)(b + OPS_K_L, columns - OPS_K_L);
            OPS_K_THIRD(b2 = narrow ? b0 : OPS_K_FN(ops_some)(b + 2 * OPS_K_L, columns - 2 * OPS_K_L);)
        } else {
            memcpy(&b0, b, sizeof b0);
            memcpy(&b1, b + OPS_K_L, sizeof b1);
            OPS_K_THIRD(memcpy(&b2, b + 2 * OPS_K_L, sizeof b2);)
        }
        OPS_ROWS(OPS_K_ROW)
        a += a_k;
        b += b_k;
    }
    OPS_ROWS(OPS_K_PUT)
}

/* Packed panels: what a whole block is made of. */
#define OPS_K_PACKED(r)                                                               \
    OPS_CALL void OPS_K_FN(ops_packed_##r)(int64_t k, const OPS_K_P *a,               \
                                           const OPS_K_P *b, OPS_K_C *c,              \
                                           int64_t c_row, int64_t columns,            \
                                           int accumulate) {                          \
        OPS_K_FN(ops_tile)(r, 0, 0, k, a, 1, OPS_MR, b, OPS_K_NR, c, c_row, columns,  \
                           accumulate);                                               \
    }
/* A as it lies in memory; B packed or, with b_k, as it lies in memory too. */
#define OPS_K_STRIDED(r)                                                               \
    OPS_CALL void OPS_K_FN(ops_strided_##r)(int64_t k, const OPS_K_P *a, int64_t a_row, \
                                            int64_t a_k, const OPS_K_P *b, int64_t b_k, \
                                            OPS_K_C *c, int64_t c_row, int64_t columns, \
                                            int accumulate) {                          \
        if (columns <= OPS_K_L)                                                        \
            OPS_K_FN(ops_tile)(r, 1, 1, k, a, a_row, a_k, b, b_k, c, c_row, columns,   \
                               accumulate);                                            \
        else if (columns >= OPS_K_NR || b_k == OPS_K_NR)                               \
            OPS_K_FN(ops_tile)(r, 0, 0, k, a, a_row, a_k, b, b_k, c, c_row, columns,   \
                               accumulate);                                            \
        else                                                                           \
            OPS_K_FN(ops_tile)(r, 1, 0, k, a, a_row, a_k, b, b_k, c, c_row, columns,   \
                               accumulate);                                            \
    }

OPS_HEIGHTS(OPS_K_PACKED)
OPS_HEIGHTS(OPS_K_STRIDED)

/* c[m, n] (+)= sum over k of a packed block; rows that do not fill an MR-panel are taken
 * by lower kernels, columns that do not fill an NR-panel are masked when stored. */
OPS_CALL void OPS_K_FN(ops_block)(int64_t m, int64_t n, int64_t k, const OPS_K_P *a,
                                  const OPS_K_P *b, OPS_K_C *c, int64_t c_row,
                                  int accumulate) {
    for (int64_t j = 0; j < n; j += OPS_K_NR) {
        const int64_t columns = n - j < OPS_K_NR ? n - j : OPS_K_NR;
        for (int64_t i = 0; i < m; i += OPS_MR) {
            const OPS_K_P *panel = a + i * k;
            OPS_K_C *out = c + i * c_row + j;
            int64_t left = m - i < OPS_MR ? m - i : OPS_MR;
#define OPS_K_TAKE(r)                                                                   \
    while (left >= r) {                                                                 \
        OPS_K_FN(ops_packed_##r)(k, panel, b + j * k, out, c_row, columns, accumulate); \
        panel += r, out += r * c_row, left -= r;                                        \
    }
            OPS_HEIGHTS(OPS_K_TAKE)
#undef OPS_K_TAKE
        }
    }
}

/* The same with A where it lies, and B packed (b_k = NR, panels b_panel apart) or where
 * it lies (b_panel = NR): for blocks too small, or too short-lived, to be worth packing. */
OPS_CALL void OPS_K_FN(ops_block_in_place)(int64_t m, int64_t n, int64_t k,
                                           const OPS_K_P *a, int64_t a_row, int64_t a_k,
                                           const OPS_K_P *b, int64_t b_k,
                                           int64_t b_panel, OPS_K_C *c, int64_t c_row,
                                           int accumulate) {
    for (int64_t j = 0; j < n; j += OPS_K_NR, b += b_panel) {
        const int64_t columns = n - j < OPS_K_NR ? n - j : OPS_K_NR;
        const OPS_K_P *x = a;
        OPS_K_C *out = c + j;
        int64_t left = m;
#define OPS_K_TAKE(r)                                                                   \
    while (left >= r) {                                                                 \
        OPS_K_FN(ops_strided_##r)(k, x, a_row, a_k, b, b_k, out, c_row, columns,        \
                                  accumulate);                                          \
        x += r * a_row, out += r * c_row, left -= r;                                    \
    }
        OPS_HEIGHTS(OPS_K_TAKE)
#undef OPS_K_TAKE
    }
}

#undef OPS_K_PACKED
#undef OPS_K_STRIDED
#undef OPS_K_ZERO
#undef OPS_K_ROW
#undef OPS_K_PUT
#undef OPS_K_THIRD
#undef OPS_K_NR
#undef OPS_K_L
#undef OPS_K_FN
#undef OPS_K_CAT
#undef OPS_K_CAT_
#undef OPS_K_NAME
#undef OPS_K_C
#undef OPS_K_P
#undef OPS_K_V
#undef OPS_K_W
#undef OPS_K_FMA
#undef OPS_K_LOAD_N
#undef OPS_K_STORE_N
