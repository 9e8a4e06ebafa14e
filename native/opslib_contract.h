/* opslib_contract.h -- sums of products: the register-blocked microkernels.
 *
 * A block of C stays in registers while k runs over packed panels (BLIS): panels of MR
 * rows of A and of NR columns of B, k slow, so both are read once, forwards. MR, NR and
 * the vector come from the target row; the text is the same for all of them.
 *
 *     ops_block_D            c[m, n] (+)= packed a * packed b
 *     ops_block_in_place_D   the same with a (and b) read where they lie
 *     ops_rows_by_columns_S, ops_rows_by_rows_S   m <= 4: b streamed once, unpacked
 *     ops_pack_window_S, ops_few_window_S   convolutions; see opslib_contract_window.h
 *
 * D is f32, f64, i32, i64 (wrapping) or bf16 (pairs; f32 accumulators; needs AVX512_BF16,
 * whose vdpbf16ps takes subnormal operands and results as 0). S is b's type in memory.
 * Everything is static: what a kernel does not call costs it parsing only.
 */
#ifndef OPSLIB_CONTRACT_H
#define OPSLIB_CONTRACT_H

#include "opslib_simd.h"

/* MR x NV accumulators, NV registers of B and one broadcast must fit the register file.
 * HEIGHTS: the row counts that have a kernel, falling, ending in 1. */
#if OPS_VECTOR_BYTES == 64
#define OPS_MR 14 /* 28 + 2 + 1 of 32 */
#define OPS_NV 2
#define OPS_ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13)
#define OPS_HEIGHTS(X) X(14) X(8) X(4) X(2) X(1)
#elif OPS_VECTOR_BYTES == 32
#define OPS_MR 6 /* 12 + 2 + 1 of 16 */
#define OPS_NV 2
#define OPS_ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5)
#define OPS_HEIGHTS(X) X(6) X(3) X(2) X(1)
#elif defined(__aarch64__)
#define OPS_MR 8 /* 24 + 3 + 2 of 32 */
#define OPS_NV 3
#define OPS_ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define OPS_HEIGHTS(X) X(8) X(4) X(2) X(1)
#else
#define OPS_MR 4 /* 8 + 2 + 1 of 16 */
#define OPS_NV 2
#define OPS_ROWS(X) X(0) X(1) X(2) X(3)
#define OPS_HEIGHTS(X) X(4) X(2) X(1)
#endif

/* The generator sizes panels by its own table: a disagreement must not compile. */
#define OPS_CONTRACT_UNITS(mr, nv) \
    _Static_assert((mr) == OPS_MR && (nv) == OPS_NV, "target table and header disagree")

/* Without hardware fma the exact one is a libm call; the bound holds for both forms. */
#if defined(OPS_ROW_FMA_F32)
#define OPS_MULADD_F32(a, b, c) ((ops_v_f32)OPS_ROW_FMA_F32(a, b, c))
#define OPS_MULADD_F64(a, b, c) ((ops_half_f64)OPS_ROW_FMA_F64(a, b, c))
#else
#define OPS_MULADD_F32(a, b, c) ((c) + (a) * (b))
#define OPS_MULADD_F64(a, b, c) ((c) + (a) * (b))
#endif

/* One register of 64-bit elements, the first n of them. */
#if defined(OPS_ROW_TAIL_64)
OPS_INLINE ops_half_i64 ops_some_64(const void *p, int64_t n) {
    return (ops_half_i64)OPS_ROW_TAIL_64(p, n);
}
OPS_INLINE void ops_put_64(void *p, ops_half_i64 v, int64_t n) {
    OPS_ROW_STORE_TAIL_64(p, n, v);
}
#else
OPS_INLINE ops_half_i64 ops_some_64(const void *p, int64_t n) {
    ops_half_i64 v = {0};
    memcpy(&v, p, (size_t)n * 8);
    return v;
}
OPS_INLINE void ops_put_64(void *p, ops_half_i64 v, int64_t n) {
    memcpy(p, &v, (size_t)n * 8);
}
#endif

#define OPS_K_NAME f32
#define OPS_K_C ops_f32
#define OPS_K_P ops_f32
#define OPS_K_V ops_v_f32
#define OPS_K_W ops_v_f32
#define OPS_K_FMA(a, b, c) OPS_MULADD_F32(a, b, c)
#define OPS_K_LOAD_N(p, n) ops_load_n_f32(p, n)
#define OPS_K_STORE_N(p, v, n) ops_store_n_f32(p, v, n)
#include "opslib_contract_kernel.h"

#define OPS_K_NAME f64
#define OPS_K_C ops_f64
#define OPS_K_P ops_f64
#define OPS_K_V ops_half_f64
#define OPS_K_W ops_half_f64
#define OPS_K_FMA(a, b, c) OPS_MULADD_F64(a, b, c)
#define OPS_K_LOAD_N(p, n) ((ops_half_f64)ops_some_64(p, n))
#define OPS_K_STORE_N(p, v, n) ops_put_64(p, (ops_half_i64)(v), n)
#include "opslib_contract_kernel.h"

/* Unsigned inside, so that wrapping is defined; signed and narrower types are the same
 * bits modulo 2^32 or 2^64. */
#define OPS_K_NAME i32
#define OPS_K_C ops_u32
#define OPS_K_P ops_u32
#define OPS_K_V ops_v_u32
#define OPS_K_W ops_v_u32
#define OPS_K_FMA(a, b, c) ((c) + (a) * (b))
#define OPS_K_LOAD_N(p, n) ops_load_n_u32(p, n)
#define OPS_K_STORE_N(p, v, n) ops_store_n_u32(p, v, n)
#include "opslib_contract_kernel.h"

typedef ops_u64 ops_half_u64 __attribute__((vector_size(OPS_VECTOR_BYTES)));
#define OPS_K_NAME i64
#define OPS_K_C ops_u64
#define OPS_K_P ops_u64
#define OPS_K_V ops_half_u64
#define OPS_K_W ops_half_u64
#define OPS_K_FMA(a, b, c) ((c) + (a) * (b))
#define OPS_K_LOAD_N(p, n) ((ops_half_u64)ops_some_64(p, n))
#define OPS_K_STORE_N(p, v, n) ops_put_64(p, (ops_half_i64)(v), n)
#include "opslib_contract_kernel.h"

#if defined(__AVX512BF16__) && OPS_VECTOR_BYTES == 64
#define OPS_K_NAME bf16
#define OPS_K_C ops_f32
#define OPS_K_P ops_u32
#define OPS_K_V ops_v_f32
#define OPS_K_W ops_v_u32
#define OPS_K_FMA(a, b, c) \
    ((ops_v_f32)_mm512_dpbf16_ps((__m512)(c), (__m512bh)(a), (__m512bh)(b)))
#define OPS_K_LOAD_N(p, n) ops_load_n_f32((const ops_f32 *)(p), n)
#define OPS_K_STORE_N(p, v, n) ops_store_n_f32(p, v, n)
#include "opslib_contract_kernel.h"
#endif

/* How a contraction is cut for the workers: plan = {tile_m, tile_n, grain}.
 *
 * Of the grids with blocks of at most most_m x most_n, takes the one whose busiest worker
 * does least, a block costing its padded area times (1 + what packing both sides adds).
 * `grain` blocks are at least 2^21 multiply-adds, 36 us of Zen 4, which outweigh waking a
 * worker. How k is cut does not depend on any of this, so results do not depend on the
 * threads. */
OPS_CALL void ops_contract_plan(int64_t threads, int64_t batch, int64_t m, int64_t n, int64_t k,
                                int64_t most_m, int64_t most_n, int64_t unit_m, int64_t unit_n,
                                int64_t *plan) {
    const int64_t enough = (int64_t)1 << 21;
    m = m > 0 ? m : 1, n = n > 0 ? n : 1, k = k > 0 ? k : 1, batch = batch > 0 ? batch : 1;
    int64_t least_i = (m + most_m - 1) / most_m, least_j = (n + most_n - 1) / most_n;
    const int64_t work = m * n * k * batch;
    if (threads > work / enough + 1)
        threads = work / enough + 1;
    const int64_t extra = threads > 1 ? (threads < 8 ? threads : 8) : 0;
    double best = 0;
    plan[0] = m, plan[1] = n;
    for (int64_t i = least_i; i <= least_i + extra; i++)
        for (int64_t j = least_j; j <= least_j + extra; j++) {
            int64_t tm = ((m + i - 1) / i + unit_m - 1) / unit_m * unit_m;
            int64_t tn = ((n + j - 1) / j + unit_n - 1) / unit_n * unit_n;
            int64_t blocks = batch * ((m + tm - 1) / tm) * ((n + tn - 1) / tn);
            int64_t waves = (blocks + threads - 1) / threads;
            double cost = (double)waves * ((double)tm * (double)tn + 4.0 * (double)(tm + tn));
            if (best == 0 || cost < best)
                best = cost, plan[0] = tm, plan[1] = tn;
        }
    plan[2] = enough / (plan[0] * plan[1] * k) + 1;
}

/* Which taps u < depth have (at + factor * u) % divisor == 0: {the first, how far apart,
 * how many, (at + factor * u) / divisor of the first, and how far these are apart}. */
OPS_CALL void ops_contract_phase(int64_t at, int64_t factor, int64_t divisor, int64_t depth,
                                 int64_t *out) {
    int64_t first = 0, step = 1;
    while (first < depth && (at + factor * first) % divisor) first++;
    while (factor * step % divisor) step++;
    out[0] = first < depth ? first : 0;
    out[1] = step;
    out[2] = first < depth ? (depth - first + step - 1) / step : 0;
    const int64_t p = at + factor * out[0], q = p / divisor;
    out[3] = q - (q * divisor > p);
    out[4] = factor * step / divisor;
}

#include "opslib_pack.h"
#include "opslib_contract_rows.h"
#include "opslib_contract_window.h"

#endif
