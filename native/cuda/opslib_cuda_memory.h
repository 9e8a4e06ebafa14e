/* Accesses of 16 bytes. A part of opslib_cuda.h.
 *
 * A pack is COUNT elements side by side in memory, an array in registers. How many a
 * thread takes follows from the narrowest array of a loop, so wider ones take several
 * accesses. */

struct __align__(16) ops_quad { uint32_t w[4]; };
struct __align__(8) ops_pair { uint32_t w[2]; };

/* Whether 16 bytes may be moved at once from and to all of the places. */
template <class... T>
OPS_INLINE bool ops_aligned(const T *...places) {
    return (((uintptr_t)places | ...) & 15) == 0;
}

/* Whole packs among `count` elements: none where an address is not aligned. */
OPS_INLINE int64_t ops_packs(int64_t count, int size, bool aligned) {
    return aligned && count > 0 ? count / size : 0;
}

/* The elements from an aligned address on. */
template <class T, int COUNT>
OPS_INLINE void ops_load(T (&pack)[COUNT], const T *from) {
    constexpr int bytes = COUNT * (int)sizeof(T);
    if constexpr (bytes % 16 == 0) {
        union { ops_quad quads[bytes / 16]; T elements[COUNT]; } both;
#pragma unroll
        for (int i = 0; i < bytes / 16; i++) both.quads[i] = ((const ops_quad *)from)[i];
#pragma unroll
        for (int i = 0; i < COUNT; i++) pack[i] = both.elements[i];
    } else if constexpr (bytes % 8 == 0) {
        union { ops_pair pairs[bytes / 8]; T elements[COUNT]; } both;
#pragma unroll
        for (int i = 0; i < bytes / 8; i++) both.pairs[i] = ((const ops_pair *)from)[i];
#pragma unroll
        for (int i = 0; i < COUNT; i++) pack[i] = both.elements[i];
    } else {
        union { uint32_t words[bytes / 4]; T elements[COUNT]; } both;
#pragma unroll
        for (int i = 0; i < bytes / 4; i++) both.words[i] = ((const uint32_t *)from)[i];
#pragma unroll
        for (int i = 0; i < COUNT; i++) pack[i] = both.elements[i];
    }
}
template <class T, int COUNT>
OPS_INLINE void ops_store(T *to, const T (&pack)[COUNT]) {
    constexpr int bytes = COUNT * (int)sizeof(T);
    if constexpr (bytes % 16 == 0) {
        union { ops_quad quads[bytes / 16]; T elements[COUNT]; } both;
#pragma unroll
        for (int i = 0; i < COUNT; i++) both.elements[i] = pack[i];
#pragma unroll
        for (int i = 0; i < bytes / 16; i++) ((ops_quad *)to)[i] = both.quads[i];
    } else if constexpr (bytes % 8 == 0) {
        union { ops_pair pairs[bytes / 8]; T elements[COUNT]; } both;
#pragma unroll
        for (int i = 0; i < COUNT; i++) both.elements[i] = pack[i];
#pragma unroll
        for (int i = 0; i < bytes / 8; i++) ((ops_pair *)to)[i] = both.pairs[i];
    } else {
        union { uint32_t words[bytes / 4]; T elements[COUNT]; } both;
#pragma unroll
        for (int i = 0; i < COUNT; i++) both.elements[i] = pack[i];
#pragma unroll
        for (int i = 0; i < bytes / 4; i++) ((uint32_t *)to)[i] = both.words[i];
    }
}

/* ------------------------------------------------------- sums of products ---- */

OPS_INLINE float ops_multiply_add(float a, float b, float c) { return ops_fma_f32(a, b, c); }
OPS_INLINE double ops_multiply_add(double a, double b, double c) { return ops_fma_f64(a, b, c); }
OPS_INLINE int32_t ops_multiply_add(int32_t a, int32_t b, int32_t c) {
    return (int32_t)((uint32_t)a * (uint32_t)b + (uint32_t)c);
}
OPS_INLINE uint32_t ops_multiply_add(uint32_t a, uint32_t b, uint32_t c) { return a * b + c; }
OPS_INLINE int64_t ops_multiply_add(int64_t a, int64_t b, int64_t c) {
    return (int64_t)((uint64_t)a * (uint64_t)b + (uint64_t)c);
}
OPS_INLINE uint64_t ops_multiply_add(uint64_t a, uint64_t b, uint64_t c) { return a * b + c; }

/* sums += a b for the thread's rows and columns of two panels, which hold the depth's rows.
 * It has 4 neighbours of every 64: neighbouring threads then meet different banks. */
template <class T, int ROWS, int COLUMNS, int DEPTH, int PITCH>
OPS_INLINE void ops_multiply(T (&sums)[ROWS][COLUMNS], const T (&a)[DEPTH][PITCH],
                             const T (&b)[DEPTH][PITCH], int row, int column) {
#pragma unroll
    for (int k = 0; k < DEPTH; k++) {
        T x[ROWS / 4][4], y[COLUMNS / 4][4];
#pragma unroll
        for (int r = 0; r < ROWS / 4; r++) ops_load(x[r], a[k] + row + 64 * r);
#pragma unroll
        for (int s = 0; s < COLUMNS / 4; s++) ops_load(y[s], b[k] + column + 64 * s);
#pragma unroll
        for (int r = 0; r < ROWS; r++)
#pragma unroll
            for (int s = 0; s < COLUMNS; s++)
                sums[r][s] = ops_multiply_add(x[r / 4][r % 4], y[s / 4][s % 4], sums[r][s]);
    }
}
