/* opslib_pack.h -- panels for the microkernels.
 *
 *     ops_pack_D_S(panels, unit, source, row, step, rows, k)
 *
 * copies rows x k elements, (i, l) at source[i * row + l * step], into panels of `unit`
 * rows: panel p holds rows p * unit ..., element (i, l) at [l * unit + i]; rows past the
 * end are zero. S is the type in memory, D that of the panel (conversions exact). The
 * pack of bf16 pairs holds k / 2 words (the last one half empty when k is odd).
 *
 * Contiguous rows are copied, contiguous k is transposed in registers (L vectors by
 * log2 L rounds of interleaving: a quarter of a shuffle per element at L = 16), anything
 * else goes element by element.
 */
#ifndef OPSLIB_PACK_H
#define OPSLIB_PACK_H

#define OPS_LO_2 0, 2
#define OPS_HI_2 1, 3
#define OPS_LO_4 0, 4, 1, 5
#define OPS_HI_4 2, 6, 3, 7
#define OPS_LO_8 0, 8, 1, 9, 2, 10, 3, 11
#define OPS_HI_8 4, 12, 5, 13, 6, 14, 7, 15
#define OPS_LO_16 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define OPS_HI_16 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#if OPS_LANES == 16
#define OPS_LO_32 OPS_LO_16
#define OPS_HI_32 OPS_HI_16
#define OPS_LO_64 OPS_LO_8
#define OPS_HI_64 OPS_HI_8
#define OPS_LOG_32 4
#elif OPS_LANES == 8
#define OPS_LO_32 OPS_LO_8
#define OPS_HI_32 OPS_HI_8
#define OPS_LO_64 OPS_LO_4
#define OPS_HI_64 OPS_HI_4
#define OPS_LOG_32 3
#else
#define OPS_LO_32 OPS_LO_4
#define OPS_HI_32 OPS_HI_4
#define OPS_LO_64 OPS_LO_2
#define OPS_HI_64 OPS_HI_2
#define OPS_LOG_32 2
#endif

/* v[i][j] becomes v[j][i]. */
#define OPS_TURN(B, V, L, ROUNDS)                                       \
    OPS_INLINE void ops_turn_##B(V v[L]) {                              \
        _Pragma("GCC unroll 4") for (int round = 0; round < ROUNDS; round++) { \
            V w[L];                                                          \
            _Pragma("GCC unroll 16") for (int i = 0; i < L / 2; i++) {       \
                w[2 * i] = __builtin_shufflevector(v[i], v[i + L / 2], OPS_LO_##B); \
                w[2 * i + 1] = __builtin_shufflevector(v[i], v[i + L / 2], OPS_HI_##B); \
            }                                                                \
            _Pragma("GCC unroll 16") for (int i = 0; i < L; i++) v[i] = w[i]; \
        }                                                                    \
    }
OPS_TURN(32, ops_v_f32, OPS_LANES, OPS_LOG_32)
OPS_TURN(64, ops_half_f64, OPS_HALF_LANES, (OPS_LOG_32 - 1))

/* P: panel element; V: vector of L of them, moved as F (the float type of that width);
 * LOAD, LOAD_N: from S to V; ONE: a single element; WIDE(unit): memory steps of a word. */
#define OPS_PACK(NAME, B, P, V, L, F, S, LOAD, LOAD_N, ONE, STORE_N)                    \
    OPS_CALL void NAME(P *out, int64_t unit, const S *source, int64_t row,              \
                       int64_t step, int64_t rows, int64_t k) {                         \
        for (int64_t r = 0; r < rows; r += unit, out += unit * k) {                     \
            const int64_t n = rows - r < unit ? rows - r : unit;                        \
            const S *s = source + r * row;                                              \
            if (row == 1) {                                                             \
                for (int64_t l = 0; l < k; l++) {                                       \
                    for (int64_t j = 0; j < unit; j += L) {                             \
                        const int64_t here = n - j < L ? (n > j ? n - j : 0) : L;       \
                        const V v = here == L ? LOAD(s + l * step + j)                  \
                                    : here    ? LOAD_N(s + l * step + j, here)          \
                                              : (V){0};                                 \
                        if (unit - j >= L)                                              \
                            memcpy(out + l * unit + j, &v, sizeof v);                   \
                        else                                                            \
                            STORE_N(out + l * unit + j, v, unit - j);                   \
                    }                                                                   \
                }                                                                       \
            } else if (step == 1) {                                                     \
                for (int64_t l = 0; l < k; l += L) {                                    \
                    const int64_t deep = k - l < L ? k - l : L;                         \
                    for (int64_t j = 0; j < unit; j += L) {                             \
                        F v[L];                                                         \
                        const S *q = s + j * row + l;                                   \
                        if (deep == L && n - j >= L) {                                  \
                            _Pragma("GCC unroll 16") for (int i = 0; i < L; i++)        \
                                v[i] = (F)LOAD(q + i * row);                            \
                        } else if (deep == L) {                                         \
                            _Pragma("GCC unroll 16") for (int i = 0; i < L; i++)        \
                                v[i] = i < n - j ? (F)LOAD(q + i * row) : (F){0};       \
                        } else {                                                        \
                            _Pragma("GCC unroll 16") for (int i = 0; i < L; i++)        \
                                v[i] = i < n - j ? (F)LOAD_N(q + i * row, deep) : (F){0}; \
                        }                                                               \
                        ops_turn_##B(v);                                           \
                        P *d = out + l * unit + j;                                      \
                        if (unit - j >= L && deep == L) {                               \
                            _Pragma("GCC unroll 16") for (int i = 0; i < L; i++)        \
                                memcpy(d + i * unit, &v[i], sizeof v[i]);               \
                        } else if (deep == L) {                                         \
                            _Pragma("GCC unroll 16") for (int i = 0; i < L; i++)        \
                                STORE_N(d + i * unit, (V)v[i], unit - j);               \
                        } else {                                                        \
                            _Pragma("GCC unroll 16") for (int i = 0; i < L; i++)        \
                                if (i < deep)                                           \
                                    STORE_N(d + i * unit, (V)v[i],                      \
                                            unit - j < L ? unit - j : L);               \
                        }                                                               \
                    }                                                                   \
                }                                                                       \
            } else {                                                                    \
                for (int64_t l = 0; l < k; l++)                                         \
                    for (int64_t j = 0; j < unit; j++)                                  \
                        out[l * unit + j] = j < n ? ONE(s[j * row + l * step]) : (P)0;  \
            }                                                                           \
        }                                                                               \
    }

#define OPS_SAME(x) (x)
#define OPS_PACK_F32(S, LOAD, LOAD_N, ONE)                                               \
    OPS_PACK(ops_pack_f32_##S, 32, ops_f32, ops_v_f32, OPS_LANES, ops_v_f32, ops_##S, LOAD, \
             LOAD_N, ONE, ops_store_n_f32)
OPS_PACK_F32(f32, ops_load_f32, ops_load_n_f32, OPS_SAME)
OPS_PACK_F32(f16, ops_load_f16, ops_load_n_f16, ops_cvt_f16_to_f32)
OPS_PACK_F32(bf16, ops_load_bf16, ops_load_n_bf16, ops_cvt_bf16_to_f32)

OPS_INLINE ops_half_f64 ops_half_load(const void *p) {
    ops_half_f64 v;
    memcpy(&v, p, sizeof v);
    return v;
}
#define OPS_HALF_SOME(p, n) ((ops_half_f64)ops_some_64(p, n))
#define OPS_HALF_PUT(p, v, n) ops_put_64(p, (ops_half_i64)(v), n)
OPS_PACK(ops_pack_f64_f64, 64, ops_f64, ops_half_f64, OPS_HALF_LANES, ops_half_f64, ops_f64,
         ops_half_load, OPS_HALF_SOME, OPS_SAME, OPS_HALF_PUT)
OPS_PACK(ops_pack_i64_i64, 64, ops_u64, ops_half_f64, OPS_HALF_LANES, ops_half_f64, ops_i64,
         ops_half_load, OPS_HALF_SOME, (ops_u64), OPS_HALF_PUT)

/* Widening keeps the value, so it keeps it modulo 2^32. */
#define OPS_PACK_I32(S)                                                                     \
    OPS_INLINE ops_v_u32 ops_widen_##S(const ops_##S *p) {                                  \
        return __builtin_convertvector(ops_load_##S(p), ops_v_u32);                         \
    }                                                                                       \
    OPS_INLINE ops_v_u32 ops_widen_n_##S(const ops_##S *p, int64_t n) {                     \
        return __builtin_convertvector(ops_load_n_##S(p, n), ops_v_u32);                    \
    }                                                                                       \
    OPS_PACK(ops_pack_i32_##S, 32, ops_u32, ops_v_u32, OPS_LANES, ops_v_f32, ops_##S,       \
             ops_widen_##S, ops_widen_n_##S, (ops_u32), ops_store_n_u32)
OPS_PACK_I32(i32)
OPS_PACK_I32(i16)
OPS_PACK_I32(u16)
OPS_PACK_I32(i8)
OPS_PACK_I32(u8)

/* bf16 pairs: (k, k + 1) in one word, the earlier in the low half. */
OPS_INLINE ops_u32 ops_pair(ops_bf16 low, ops_bf16 high) {
    return (ops_u32)low.bits | (ops_u32)high.bits << 16;
}
#define OPS_PAIR_LOAD(p) ops_load_u32((const ops_u32 *)(p))
#define OPS_PAIR_LOAD_N(p, n) ops_load_n_u32((const ops_u32 *)(p), n)
typedef struct { uint16_t low, high; } ops_pair_of_bf16; /* 2-byte aligned word */
OPS_INLINE ops_u32 ops_pair_word(ops_pair_of_bf16 x) {
    return (ops_u32)x.low | (ops_u32)x.high << 16;
}
OPS_PACK(ops_pack_pairs, 32, ops_u32, ops_v_u32, OPS_LANES, ops_v_f32, ops_pair_of_bf16,
         OPS_PAIR_LOAD, OPS_PAIR_LOAD_N, ops_pair_word, ops_store_n_u32)

OPS_CALL void ops_pack_bf16_bf16(ops_u32 *out, int64_t unit, const ops_bf16 *source,
                                 int64_t row, int64_t step, int64_t rows, int64_t k) {
    const int64_t words = (k + 1) / 2;
    if (step == 1 && row % 2 == 0 && k % 2 == 0) {
        ops_pack_pairs(out, unit, (const ops_pair_of_bf16 *)source, row / 2, 1, rows, words);
        return;
    }
    const ops_bf16 none = {0};
    for (int64_t r = 0; r < rows; r += unit, out += unit * words) {
        const int64_t n = rows - r < unit ? rows - r : unit;
        const ops_bf16 *s = source + r * row;
        for (int64_t w = 0; w < words; w++) {
            const ops_bf16 *low = s + 2 * w * step, *high = low + step;
            const int both = 2 * w + 1 < k;
            ops_u32 *d = out + w * unit;
            int64_t j = 0;
            if (row == 1)
                for (; j < n; j += OPS_LANES) {
                    const int64_t m = n - j < OPS_LANES ? n - j : OPS_LANES;
                    const ops_v_u16 x = ops_load_n_u16(&low[j].bits, m);
                    const ops_v_u16 y = both ? ops_load_n_u16(&high[j].bits, m) : (ops_v_u16){0};
                    const ops_v_u32 v = __builtin_convertvector(x, ops_v_u32) |
                                        __builtin_convertvector(y, ops_v_u32) << 16;
                    ops_store_n_u32(d + j, v, m);
                }
            else
                for (; j < n; j++)
                    d[j] = ops_pair(low[j * row], both ? high[j * row] : none);
            for (j = n; j < unit; j++)
                d[j] = 0;
        }
    }
}

#endif
