/* Sums of products by groups of four warps, on Hopper. A part of opslib_cuda.h.
 *
 * As opslib_cuda_contract.h, but wgmma reads both sides from shared memory: two groups, of
 * 64 rows each, make 128 x N sums, 128 bytes of depth at a time. A side's tile is made of
 * atoms of 64 lanes, or 64 rows of depth by 64 lanes where TURNED, swizzled by 128 bytes
 * (PTX ISA, "Shared Memory Matrix Layout"). */
#ifndef OPSLIB_CUDA_GROUP_H
#define OPSLIB_CUDA_GROUP_H
#if defined(__CUDA_ARCH_FEAT_SM90_ALL) || defined(OPSLIB_CUDA_SIM)

#include "opslib_cuda_contract.h"

#define OPS_GROUP_THREADS 256
#define OPS_GROUP_BYTES 128

template <class T, int LANES, bool TURNED>
struct ops_group_side {
    static constexpr int depth = OPS_GROUP_BYTES / (int)sizeof(T);
    static constexpr int bytes = LANES * OPS_GROUP_BYTES;
    static constexpr int atom = 64 * OPS_GROUP_BYTES;
    typedef ops_tile<T, 64, depth, OPS_GROUP_THREADS> tile;

    static OPS_DEVICE void copy(unsigned char *to, const T *from, int64_t pitch,
                                int64_t lanes, int64_t deep, bool aligned) {
#pragma unroll
        for (int a = 0; a < LANES / 64; a++) {
            if constexpr (TURNED)
                tile::copy(to + a * atom, from + a * 64, pitch, deep, lanes - a * 64, aligned);
            else
                tile::copy(to + a * atom, from + a * 64 * pitch, pitch, lanes - a * 64, deep,
                           aligned);
        }
    }
    template <class Value>
    static OPS_DEVICE void fill(unsigned char *to, int64_t lanes, int64_t deep, Value value) {
#pragma unroll 1
        for (int a = 0; a < LANES / 64; a++) {
            if constexpr (TURNED)
                tile::fill(to + a * atom, deep, lanes - a * 64, [&](int row, int column) {
                    return value(a * 64 + column, row);
                });
            else
                tile::fill(to + a * atom, lanes - a * 64, deep, [&](int row, int column) {
                    return value(a * 64 + row, column);
                });
        }
    }
    /* From the atom that begins with `lane` on, 32 bytes of depth: a quarter of the tile. */
    static OPS_DEVICE uint64_t quarter(const unsigned char *from, int lane, int step) {
        const unsigned char *start = from + lane / 64 * atom + step * (TURNED ? 2048 : 32);
        return ops_ptx_wgmma_descriptor(start, TURNED ? atom : 16, 1024, 128);
    }
};

/* A thread's part of the 64 x N sums of its group. */
template <class Sum, int M, int N>
struct ops_group_sums {
    Sum of[N / 2];

    OPS_DEVICE void clear() {
#pragma unroll
        for (int i = 0; i < N / 2; i++) of[i] = 0;
    }
    /* Into planes of M x COLUMNS. */
    template <int COLUMNS>
    OPS_DEVICE void put(Sum *to) {
        ops_ptx_wgmma_hold(of);
        const int l = ops_lane();
#pragma unroll
        for (int i = 0; i < N / 4; i++) {
            const int row = (int)threadIdx.x / OPS_WARP * 16 + i % 2 * 8 + l / 4;
            const int column = i / 2 * 8 % COLUMNS + l % 4 * 2;
            const Sum pair[2] = {of[i * 2], of[i * 2 + 1]};
            ops_store(to + i / 2 * 8 / COLUMNS * (M * COLUMNS) +
                          ops_sum_place<COLUMNS>(row, column),
                      pair);
        }
    }
};

#define OPS_GROUP_TURNING(T, N, NAME)                                                     \
    template <bool A, bool B>                                                             \
    OPS_INLINE void ops_group_mma(T, float (&sums)[N / 2], uint64_t a, uint64_t b) {      \
        ops_ptx_wgmma_m64n##N##k16_##NAME<A, B>(sums, a, b);                              \
    }
#define OPS_GROUP_PLAIN(T, N, NAME)                                                       \
    template <bool A, bool B>                                                             \
    OPS_INLINE void ops_group_mma(T, int32_t (&sums)[N / 2], uint64_t a, uint64_t b) {    \
        static_assert(!A && !B, "wgmma turns elements of 16 bits alone");                 \
        ops_ptx_wgmma_m64n##N##k32_##NAME(sums, a, b);                                    \
    }
OPS_GROUP_TURNING(ops_half, 128, f16)
OPS_GROUP_TURNING(ops_half, 256, f16)
OPS_GROUP_TURNING(ops_bfloat, 128, bf16)
OPS_GROUP_TURNING(ops_bfloat, 256, bf16)
OPS_GROUP_PLAIN(int8_t, 128, s8)
OPS_GROUP_PLAIN(int8_t, 256, s8)
OPS_GROUP_PLAIN(uint8_t, 128, u8)
OPS_GROUP_PLAIN(uint8_t, 256, u8)
#undef OPS_GROUP_TURNING
#undef OPS_GROUP_PLAIN

/* Begins to add the products of one tile of each side. */
template <class T, int M, int N, bool A_TURNED, bool B_TURNED, class Sum>
OPS_INLINE void ops_group_multiply(ops_group_sums<Sum, M, N> &sums, const unsigned char *a,
                                   const unsigned char *b) {
    const int row = (int)threadIdx.x / 128 * 64;
#pragma unroll
    for (int step = 0; step < 4; step++)
        ops_group_mma<A_TURNED, B_TURNED>(T(), sums.of,
                                          ops_group_side<T, M, A_TURNED>::quarter(a, row, step),
                                          ops_group_side<T, N, B_TURNED>::quarter(b, 0, step));
}

/* As ops_pipeline. OPEN products are still under way when the next ones begin, so a buffer
 * is filled again two turns later, and `stage` is STAGES - 2 ahead. */
template <int STAGES, int OPEN, class Stage, class Multiply>
OPS_INLINE void ops_group_walk(int64_t deep, int step, Stage stage, Multiply multiply) {
    const int64_t tiles = (deep + step - 1) / step;
#pragma unroll 1
    for (int s = 0; s < STAGES - 2; s++) {
        if (s < tiles) stage(s, (int64_t)s * step);
        ops_ptx_cp_async_commit();
    }
    int use = 0, next = STAGES - 2;
    for (int64_t t = 0; t < tiles; t++) {
        /* The tile has come for this thread, the tensor cores may see it, and all threads
         * are as far; the products before the last ones have left the next buffer. */
        ops_ptx_cp_async_wait<STAGES - 3>();
        ops_ptx_fence_proxy_async();
        __syncthreads();
        if (t + STAGES - 2 < tiles) stage(next, (t + STAGES - 2) * step);
        ops_ptx_cp_async_commit();
        ops_ptx_wgmma_fence();
        multiply(use, t * step);
        ops_ptx_wgmma_commit();
        ops_ptx_wgmma_wait<OPEN>();
        use = use + 1 == STAGES ? 0 : use + 1;
        next = next + 1 == STAGES ? 0 : next + 1;
    }
    ops_ptx_wgmma_wait<0>();
}

/* The walk of sides that are all `aligned`, or not: `stage(number, first, aligned)`. With
 * both kinds of copies in one loop ptxas gives up on products that stay open (C7515). */
template <int STAGES, class Stage, class Multiply>
OPS_INLINE void ops_group_pipeline(int64_t deep, int step, bool aligned, Stage stage,
                                   Multiply multiply) {
    if (aligned)
        ops_group_walk<STAGES, 1>(
            deep, step, [&](int to, int64_t first) { stage(to, first, true); }, multiply);
    else
        ops_group_walk<STAGES, 0>(
            deep, step, [&](int to, int64_t first) { stage(to, first, false); }, multiply);
}

/* As ops_each_sum. */
template <int M, int N, class Store, class Sum, class... More>
OPS_INLINE void ops_group_each_sum(unsigned char *shared, Store store,
                                   ops_group_sums<Sum, M, N> &first,
                                   ops_group_sums<More, M, N> &...more) {
    Sum *to = (Sum *)shared;
    __syncthreads();
    first.template put<N>(to);
    (more.template put<N>(to += M * N), ...);
    ops_each_place<M, N, 1 + sizeof...(More), OPS_GROUP_THREADS>((const Sum *)shared, store);
}
/* Of two sums with one left side, made by one product: N of one, N of the other. */
template <int M, int N, class Store, class Sum>
OPS_INLINE void ops_group_each_pair(unsigned char *shared, Store store,
                                    ops_group_sums<Sum, M, 2 * N> &sums) {
    __syncthreads();
    sums.template put<N>((Sum *)shared);
    ops_each_place<M, N, 2, OPS_GROUP_THREADS>((const Sum *)shared, store);
}

#endif
#endif /* OPSLIB_CUDA_GROUP_H */
