/* Sums of products on tensor cores. A part of opslib_cuda.h.
 *
 * A block of 128 threads, two by two warps, makes M x N sums. The depth is walked 64 bytes
 * at a time (32 elements of 16 bits): STAGES tiles of each side are on their way to shared
 * memory while one is multiplied, and there is one barrier for each. Elements beyond the
 * operands are zeros, which add nothing to any sum.
 *
 * A tile lies as in memory: LANES rows of 64 bytes, or TURNED, the depth's rows of LANES
 * elements. */
#ifndef OPSLIB_CUDA_CONTRACT_H
#define OPSLIB_CUDA_CONTRACT_H

#include "opslib_cuda_tile.h"

#define OPS_CONTRACT_THREADS 128
#define OPS_CONTRACT_BYTES 64

template <class T, int LANES, bool TURNED>
struct ops_side {
    static constexpr int depth = OPS_CONTRACT_BYTES / (int)sizeof(T);
    typedef ops_tile<T, TURNED ? depth : LANES, TURNED ? LANES : depth, OPS_CONTRACT_THREADS>
        tile;
    static constexpr int bytes = tile::bytes;

    static OPS_DEVICE void copy(unsigned char *to, const T *from, int64_t pitch,
                                int64_t lanes, int64_t deep, bool aligned) {
        tile::copy(to, from, pitch, TURNED ? deep : lanes, TURNED ? lanes : deep, aligned);
    }
    /* Of elements that `value(lane, depth)` computes. */
    template <class Value>
    static OPS_DEVICE void fill(unsigned char *to, int64_t lanes, int64_t deep, Value value) {
        if constexpr (TURNED)
            tile::fill(to, deep, lanes, [&](int row, int column) { return value(column, row); });
        else
            tile::fill(to, lanes, deep, value);
    }
    static OPS_DEVICE void fragment_a(uint32_t (&f)[4], const unsigned char *from, int lane,
                                      int step) {
        if constexpr (TURNED) tile::turned_a(f, from, lane, step);
        else tile::fragment_a(f, from, lane, step);
    }
    static OPS_DEVICE void fragment_b(uint32_t (&f)[4], const unsigned char *from, int lane,
                                      int step) {
        if constexpr (TURNED) tile::turned_b(f, from, lane, step);
        else tile::fragment_b(f, from, lane, step);
    }
};

OPS_INLINE int ops_warp_row() { return (int)threadIdx.x / OPS_WARP / 2; }
OPS_INLINE int ops_warp_column() { return (int)threadIdx.x / OPS_WARP % 2; }
/* Where a sum of an M x N block lies in shared memory. Fragments are pairs of neighbours in
 * eight rows: four of these meet four sets of banks. */
template <int N>
OPS_INLINE int ops_sum_place(int row, int column) {
    return row * N + (column ^ row % 4 * 8);
}

/* The sums of one thread: a quarter of the block is its warp's, 16 x 8 of that at a time
 * are one instruction's, and four of these are its own. */
template <class Sum, int M, int N>
struct ops_sums {
    Sum of[M / 32][N / 16][4];

    OPS_DEVICE void clear() {
#pragma unroll
        for (int i = 0; i < M / 32; i++)
#pragma unroll
            for (int j = 0; j < N / 16; j++)
#pragma unroll
                for (int e = 0; e < 4; e++) of[i][j][e] = 0;
    }
    OPS_DEVICE void put(Sum *to) const {
        const int l = ops_lane();
#pragma unroll
        for (int i = 0; i < M / 32; i++)
#pragma unroll
            for (int j = 0; j < N / 16; j++)
#pragma unroll
                for (int half = 0; half < 2; half++) {
                    const int row = ops_warp_row() * (M / 2) + i * 16 + half * 8 + l / 4;
                    const int column = ops_warp_column() * (N / 2) + j * 8 + l % 4 * 2;
                    const Sum pair[2] = {of[i][j][half * 2], of[i][j][half * 2 + 1]};
                    ops_store(to + ops_sum_place<N>(row, column), pair);
                }
    }
};

/* Adds the products of one tile of each side. */
template <class T, int M, int N, bool A_TURNED, bool B_TURNED, class Sum>
OPS_INLINE void ops_multiply(ops_sums<Sum, M, N> &sums, const unsigned char *a,
                             const unsigned char *b) {
#pragma unroll
    for (int step = 0; step < 2; step++) {
        uint32_t rows[M / 32][4], columns[N / 32][4];
#pragma unroll
        for (int i = 0; i < M / 32; i++)
            ops_side<T, M, A_TURNED>::fragment_a(rows[i], a, ops_warp_row() * (M / 2) + i * 16,
                                                 step);
#pragma unroll
        for (int j = 0; j < N / 32; j++)
            ops_side<T, N, B_TURNED>::fragment_b(columns[j], b,
                                                 ops_warp_column() * (N / 2) + j * 16, step);
#pragma unroll
        for (int i = 0; i < M / 32; i++)
#pragma unroll
            for (int j = 0; j < N / 16; j++) {
                const uint32_t pair[2] = {columns[j / 2][j % 2 * 2],
                                          columns[j / 2][j % 2 * 2 + 1]};
                ops_mma(T(), sums.of[i][j], rows[i], pair);
            }
    }
}

/* Calls `store(row, column, sums...)` with the COUNT sums of a place, `step` apart. */
template <int COUNT, class Sum, class Store, class... Found>
OPS_INLINE void ops_with_sums(const Sum *from, int step, Store store, int row, int column,
                              Found... found) {
    if constexpr (COUNT == 0)
        store(row, column, found...);
    else
        ops_with_sums<COUNT - 1>(from + step, step, store, row, column, found..., *from);
}

/* The same for all places, whose sums the block's threads have put into shared memory:
 * neighbouring threads store neighbours, and the text of a store, with the divisions of
 * its indices, is there four times and not for each sum that a thread has. */
template <int M, int N, int COUNT, int THREADS, class Sum, class Store>
OPS_INLINE void ops_each_place(const Sum *sums, Store store) {
    __syncthreads();
#pragma unroll 4
    for (int e = (int)threadIdx.x; e < M * N; e += THREADS) {
        const int row = e / N, column = e % N;
        ops_with_sums<COUNT>(sums + ops_sum_place<N>(row, column), M * N, store, row, column);
    }
}

/* Calls `store(row, column, sums...)` for each place of the block, through the shared memory
 * that the tiles were in. */
template <int M, int N, class Store, class Sum, class... More>
OPS_INLINE void ops_each_sum(unsigned char *shared, Store store, const ops_sums<Sum, M, N> &first,
                             const ops_sums<More, M, N> &...more) {
    Sum *to = (Sum *)shared;
    __syncthreads();
    first.put(to);
    (more.put(to += M * N), ...);
    ops_each_place<M, N, 1 + sizeof...(More), OPS_CONTRACT_THREADS>((const Sum *)shared, store);
}

/* Blocks of M x N sums. */
template <int M, int N>
OPS_INLINE int64_t ops_block_count(int64_t rows, int64_t columns) {
    return ((rows + M - 1) / M) * ((columns + N - 1) / N);
}

/* The place of one of them: eight blocks of rows go through the columns together, so that
 * what runs at one time shares both sides in the second-level cache. */
template <int M, int N>
OPS_INLINE void ops_block_place(int64_t number, int64_t rows, int64_t columns, int64_t &m0,
                                int64_t &n0) {
    const int64_t down = (rows + M - 1) / M, across = (columns + N - 1) / N;
    const int64_t band = number / (8 * across), within = number % (8 * across);
    const int64_t high = down - band * 8 < 8 ? down - band * 8 : 8;
    m0 = (band * 8 + within % high) * M;
    n0 = within / high * N;
}

#endif /* OPSLIB_CUDA_CONTRACT_H */
