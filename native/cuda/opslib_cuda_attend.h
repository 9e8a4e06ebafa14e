/* Two products around a softmax on tensor cores, in one pass. A part of opslib_cuda.h.
 *
 * A block of 128 threads takes 64 rows (queries), each of its four warps 16. Step by step
 * along 64 keys: scores by mma, the peak so far and the weights exp(score - peak) in
 * registers, where the fragments of a product's result are those of the next one's a, then
 * the weights times the values. Nothing of the size of rows times keys is in memory.
 *
 * A weight is a float, and the tensor cores take 16 bits. It goes as PARTS numbers, each
 * the rest of those before, so that the sums are as exact as a float's: 11 + 11 bits for
 * float16, lifted by 2^15 because it has no small numbers, 8 + 8 + 8 for bfloat16. */
#ifndef OPSLIB_CUDA_ATTEND_H
#define OPSLIB_CUDA_ATTEND_H

#include "opslib_cuda_tile.h"

#define OPS_ATTEND_THREADS 128
#define OPS_ATTEND_ROWS 64
#define OPS_ATTEND_KEYS 64

template <class T> struct ops_weight;
template <> struct ops_weight<ops_half> {
    static constexpr int parts = 2;
    static constexpr float lift = 32768.0f;
};
template <> struct ops_weight<ops_bfloat> {
    static constexpr int parts = 3;
    static constexpr float lift = 1.0f;
};
OPS_INLINE ops_half ops_rounded(ops_half, float x) { return ops_f32_to_f16(x); }
OPS_INLINE ops_bfloat ops_rounded(ops_bfloat, float x) { return ops_f32_to_bf16(x); }

/* The rows of a thread: of its warp's 16, number lane / 4 and 8 further. */
OPS_INLINE int ops_attend_row(int which) {
    return (int)threadIdx.x / OPS_WARP * 16 + which * 8 + ops_lane() / 4;
}

/* What is subtracted from scores: the finite number nearest to the peak. */
OPS_INLINE float ops_pivot(float peak) {
    constexpr float huge = 0x1.fffffep+127f;
    return peak > huge ? huge : peak < -huge ? -huge : peak;
}

/* DEEP elements of a query and a key, WIDE of a value: multiples of 16, zeros beyond. */
template <class T, int DEEP, int WIDE>
struct ops_attention {
    typedef ops_tile<T, OPS_ATTEND_ROWS, DEEP, OPS_ATTEND_THREADS> queries;
    typedef ops_tile<T, OPS_ATTEND_KEYS, DEEP, OPS_ATTEND_THREADS> keys;
    typedef ops_tile<T, OPS_ATTEND_KEYS, WIDE, OPS_ATTEND_THREADS> values;
    static constexpr int strips = OPS_ATTEND_KEYS / 8;

    /* Up to 64 elements of a query stay in registers; of longer ones there is no room. */
    static constexpr bool held = DEEP <= 64;
    uint32_t query[held ? DEEP / 16 : 1][4];
    const unsigned char *asked;
    float weighted[WIDE / 8][4];
    float peak[2], bare[2];

    /* From the tile of queries, which stays; all threads come by a barrier. */
    OPS_DEVICE void begin(const unsigned char *tile) {
        asked = tile;
        __syncthreads();
        if constexpr (held) {
#pragma unroll
            for (int d = 0; d < DEEP / 16; d++) load(query[d], d);
        }
#pragma unroll
        for (int c = 0; c < WIDE / 8; c++)
#pragma unroll
            for (int e = 0; e < 4; e++) weighted[c][e] = 0;
#pragma unroll
        for (int r = 0; r < 2; r++) {
            peak[r] = -__builtin_inff();
            bare[r] = 0;
        }
    }

    OPS_DEVICE void load(uint32_t (&f)[4], int d) {
        queries::fragment_a(f, asked, (int)threadIdx.x / OPS_WARP * 16, d);
    }

    /* One step: `score(row, key, dot)` is -inf where a row does not see a key. */
    template <class Score>
    OPS_DEVICE void step(const unsigned char *key_tile, const unsigned char *value_tile,
                         Score score) {
        float s[strips][4];
        dots(s, key_tile);
#pragma unroll
        for (int k = 0; k < strips; k++)
#pragma unroll
            for (int e = 0; e < 4; e++)
                s[k][e] = score(ops_attend_row(e / 2), k * 8 + ops_lane() % 4 * 2 + e % 2,
                                s[k][e]);
        weigh(s);
        gather(s, value_tile);
    }

    OPS_DEVICE void dots(float (&s)[strips][4], const unsigned char *tile) {
#pragma unroll
        for (int k = 0; k < strips; k++)
#pragma unroll
            for (int e = 0; e < 4; e++) s[k][e] = 0;
#pragma unroll
        for (int d = 0; d < DEEP / 16; d++) {
            if constexpr (!held) load(query[0], d);
#pragma unroll
            for (int k = 0; k < strips; k += 2) {
                uint32_t f[4];
                keys::fragment_b(f, tile, k * 8, d);
                const uint32_t first[2] = {f[0], f[1]}, second[2] = {f[2], f[3]};
                ops_mma(T(), s[k], query[held ? d : 0], first);
                ops_mma(T(), s[k + 1], query[held ? d : 0], second);
            }
        }
    }

    /* Scores become weights; what was summed before is scaled to the new peak. */
    OPS_DEVICE void weigh(float (&s)[strips][4]) {
#pragma unroll
        for (int r = 0; r < 2; r++) {
            float high = peak[r];
#pragma unroll
            for (int k = 0; k < strips; k++) {
                high = s[k][2 * r] > high ? s[k][2 * r] : high;
                high = s[k][2 * r + 1] > high ? s[k][2 * r + 1] : high;
            }
            /* Four neighbouring lanes share a row. */
#pragma unroll
            for (int by = 1; by < 4; by *= 2) {
                const float other = ops_shuffle(high, ops_lane() ^ by);
                high = other > high ? other : high;
            }
            const float pivot = ops_pivot(high);
            const float factor =
                peak[r] == -__builtin_inff() ? 0.0f : ops_exp_f32(ops_pivot(peak[r]) - pivot);
            peak[r] = high;
            float sum = bare[r] * factor;
#pragma unroll
            for (int k = 0; k < strips; k++)
#pragma unroll
                for (int e = 2 * r; e < 2 * r + 2; e++) {
                    s[k][e] = ops_exp_f32(s[k][e] - pivot);
                    sum += s[k][e];
                }
            bare[r] = sum;
#pragma unroll
            for (int c = 0; c < WIDE / 8; c++) {
                weighted[c][2 * r] *= factor;
                weighted[c][2 * r + 1] *= factor;
            }
        }
    }

    /* Adds weights times values. */
    OPS_DEVICE void gather(float (&p)[strips][4], const unsigned char *tile) {
        constexpr int parts = ops_weight<T>::parts;
#pragma unroll
        for (int k = 0; k < strips; k += 2) {
            uint32_t a[parts][4];
#pragma unroll
            for (int q = 0; q < 4; q++)
                split<parts>(a, q, p[k + q / 2][q % 2 * 2], p[k + q / 2][q % 2 * 2 + 1]);
#pragma unroll
            for (int c = 0; c < WIDE / 8; c += 2) {
                uint32_t f[4];
                values::turned_b(f, tile, c * 8, k / 2);
                const uint32_t first[2] = {f[0], f[1]}, second[2] = {f[2], f[3]};
#pragma unroll
                for (int part = parts - 1; part >= 0; part--) {
                    ops_mma(T(), weighted[c], a[part], first);
                    ops_mma(T(), weighted[c + 1], a[part], second);
                }
            }
        }
    }

    /* Two neighbouring weights as the q-th register of each part. */
    template <int PARTS>
    static OPS_DEVICE void split(uint32_t (&a)[PARTS][4], int q, float x, float y) {
        x *= ops_weight<T>::lift;
        y *= ops_weight<T>::lift;
#pragma unroll
        for (int part = 0; part < PARTS; part++) {
            const T first = ops_rounded(T(), x), second = ops_rounded(T(), y);
            a[part][q] = (uint32_t)first.bits | (uint32_t)second.bits << 16;
            x -= (float)first;
            y -= (float)second;
        }
    }

    /* Calls `row(number, peak, bare)` for the thread's rows, by one thread of each, and
     * `element(number, column, peak, bare, weighted)` for its places. */
    template <class Row, class Element>
    OPS_DEVICE void end(Row row, Element element) {
#pragma unroll
        for (int r = 0; r < 2; r++) {
#pragma unroll
            for (int by = 1; by < 4; by *= 2) bare[r] += ops_shuffle(bare[r], ops_lane() ^ by);
            if (ops_lane() % 4 == 0) row(ops_attend_row(r), peak[r], bare[r]);
#pragma unroll
            for (int c = 0; c < WIDE / 8; c++)
#pragma unroll
                for (int e = 2 * r; e < 2 * r + 2; e++)
                    element(ops_attend_row(r), c * 8 + ops_lane() % 4 * 2 + e % 2, peak[r],
                            bare[r], weighted[c][e] * (1 / ops_weight<T>::lift));
        }
    }
};

#endif /* OPSLIB_CUDA_ATTEND_H */
