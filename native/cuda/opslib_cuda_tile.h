/* Tiles in shared memory, and the fragments of them that a warp multiplies. A part of
 * opslib_cuda.h.
 *
 * A tile has rows of pieces of 16 bytes. The pieces are shuffled within their row, so that
 * the eight rows which ldmatrix takes together lie in different banks. */
#ifndef OPSLIB_CUDA_TILE_H
#define OPSLIB_CUDA_TILE_H

OPS_INLINE bool ops_begins_16(const void *p) { return ((uintptr_t)p & 15) == 0; }

template <class T, int ROWS, int COLUMNS, int THREADS>
struct ops_tile {
    static constexpr int each = 16 / (int)sizeof(T);
    static constexpr int pieces = COLUMNS / each;
    static constexpr int bytes = ROWS * COLUMNS * (int)sizeof(T);

    /* Rows of 8 pieces or more fill all banks, of those of 4 two do. */
    static OPS_DEVICE int place(int row, int piece) {
        constexpr int rows = pieces < 8 ? 8 / pieces : 1;
        constexpr int mask = (pieces < 8 ? pieces : 8) - 1;
        return (row * pieces + (piece ^ ((row / rows) & mask))) * 16;
    }

    /* Begins to copy a tile of a matrix, of which `rows` and `columns` are there; what is
     * beyond is zero. Unless `aligned`, rows begin anywhere. */
    static OPS_DEVICE void copy(unsigned char *tile, const T *from, int64_t pitch,
                                int64_t rows, int64_t columns, bool aligned) {
#pragma unroll
        for (int i = (int)threadIdx.x; i < ROWS * pieces; i += THREADS) {
            const int row = i / pieces, piece = i % pieces;
            const int64_t left = row < rows ? columns - piece * each : 0;
            const int count = left > each ? each : left > 0 ? (int)left : 0;
            const T *source = count ? from + row * pitch + piece * each : from;
            unsigned char *to = tile + place(row, piece);
            if (aligned) {
                ops_ptx_cp_async16(to, source, count * (int)sizeof(T));
            } else {
                union { ops_quad quad; T elements[each]; } both;
#pragma unroll
                for (int e = 0; e < each; e++) both.elements[e] = e < count ? source[e] : T();
                *(ops_quad *)to = both.quad;
            }
        }
    }

    /* A tile of computed elements, given row and column. An element's text may be long: a
     * convolution's has eight divisions. With eight elements side by side ptxas took a
     * minute, and 648 bytes of spills; one at a time it takes seconds and none. */
    template <class Value>
    static OPS_DEVICE void fill(unsigned char *tile, int64_t rows, int64_t columns,
                                Value value) {
#pragma unroll 1
        for (int i = (int)threadIdx.x; i < ROWS * pieces; i += THREADS) {
            const int row = i / pieces, piece = i % pieces;
            T *const to = (T *)(tile + place(row, piece));
#pragma unroll 1
            for (int e = 0; e < each; e++) {
                const int column = piece * each + e;
                to[e] = row < rows && column < columns ? value(row, column) : T();
            }
        }
    }

    /* Fragments of 16 lanes by 32 bytes of depth (PTX ISA, "Matrix Fragments for
     * mma.m16n8k16"). Of a, the quarters are lanes 0 and 8 on, then the depth's second
     * half; of b the halves of the depth, then lanes 8 on. Lanes are the tile's rows and
     * the depth its columns, `step` times 32 bytes on; or, turned, the other way. */
    static OPS_DEVICE void fragment_a(uint32_t (&f)[4], const unsigned char *tile, int lane,
                                      int step, int l = ops_lane()) {
        ops_ptx_ldmatrix_x4(f, tile + place(lane + l % 16, step * 2 + l / 16));
    }
    static OPS_DEVICE void fragment_b(uint32_t (&f)[4], const unsigned char *tile, int lane,
                                      int step, int l = ops_lane()) {
        const int quarter = l / 8;
        const int row = lane + quarter / 2 * 8 + l % 8;
        ops_ptx_ldmatrix_x4(f, tile + place(row, step * 2 + quarter % 2));
    }
    static OPS_DEVICE void turned_a(uint32_t (&f)[4], const unsigned char *tile, int lane,
                                    int step, int l = ops_lane()) {
        const int quarter = l / 8;
        const int row = step * 16 + quarter / 2 * 8 + l % 8;
        ops_ptx_ldmatrix_x4_trans(f, tile + place(row, lane / 8 + quarter % 2));
    }
    static OPS_DEVICE void turned_b(uint32_t (&f)[4], const unsigned char *tile, int lane,
                                    int step, int l = ops_lane()) {
        const int quarter = l / 8;
        const int row = step * 16 + quarter % 2 * 8 + l % 8;
        ops_ptx_ldmatrix_x4_trans(f, tile + place(row, lane / 8 + quarter / 2));
    }
};

/* Before Ampere there are smaller ones only, and no tiles are made for them. */
#if __CUDA_ARCH__ >= 800
OPS_INLINE void ops_mma(ops_half, float (&sum)[4], const uint32_t (&a)[4],
                        const uint32_t (&b)[2]) {
    ops_ptx_mma_m16n8k16_f16(sum, a, b);
}
OPS_INLINE void ops_mma(ops_bfloat, float (&sum)[4], const uint32_t (&a)[4],
                        const uint32_t (&b)[2]) {
    ops_ptx_mma_m16n8k16_bf16(sum, a, b);
}
OPS_INLINE void ops_mma(int8_t, int32_t (&sum)[4], const uint32_t (&a)[4],
                        const uint32_t (&b)[2]) {
    ops_ptx_mma_m16n8k32_s8(sum, a, b);
}
OPS_INLINE void ops_mma(uint8_t, int32_t (&sum)[4], const uint32_t (&a)[4],
                        const uint32_t (&b)[2]) {
    ops_ptx_mma_m16n8k32_u8(sum, a, b);
}
#endif

/* Calls `stage(number, first)` for each tile along a depth of `deep` elements, STAGES - 1
 * ahead of `multiply(number, first)`; `number` counts the buffers. */
template <int STAGES, class Stage, class Multiply>
OPS_INLINE void ops_pipeline(int64_t deep, int step, Stage stage, Multiply multiply) {
    const int64_t tiles = (deep + step - 1) / step;
#pragma unroll 1
    for (int s = 0; s < STAGES - 1; s++) {
        if (s < tiles) stage(s, (int64_t)s * step);
        ops_ptx_cp_async_commit();
    }
    int use = 0, next = STAGES - 1;
    for (int64_t t = 0; t < tiles; t++) {
        /* The tile has come for this thread, then for all; and all have left the buffer
         * that is filled now. */
        ops_ptx_cp_async_wait<STAGES - 2>();
        __syncthreads();
        if (t + STAGES - 1 < tiles) stage(next, (t + STAGES - 1) * step);
        ops_ptx_cp_async_commit();
        multiply(use, t * step);
        use = use + 1 == STAGES ? 0 : use + 1;
        next = next + 1 == STAGES ? 0 : next + 1;
    }
}

#endif /* OPSLIB_CUDA_TILE_H */
