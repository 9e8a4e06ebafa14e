/* Two products around a softmax without tensor cores, in one pass. A part of
 * opslib_cuda.h.
 *
 * A block of 256 threads takes 64 rows and 64 keys at a time. A thread has 4 rows by 4
 * keys of the scores, and of the sums 4 rows by 4 columns of every 64: the 16 threads of a
 * row are neighbours, so what belongs to it is folded by shuffles. Queries and keys pass
 * through two panels, some depth at a time, and values through the same memory; each sum
 * is taken in order. */
#ifndef OPSLIB_CUDA_ATTEND_ROWS_H
#define OPSLIB_CUDA_ATTEND_ROWS_H

#include "opslib_cuda_attend_cut.h"

/* A block has up to WIDEST columns; wider values are several blocks', each with the scores
 * of its own. HIDDEN: rows of a block may see different values, and what a row does not
 * see has no effect on it, be it nan. Its weight is then -0, which no exponential is. */
template <class T, int WIDEST, bool HIDDEN>
struct ops_stream {
    static constexpr int rows = 64, keys = 64, widest = WIDEST, threads = 256;
    static constexpr int depth = 128 / (int)sizeof(T);
    /* 4 more than there are: columns of a panel then meet other banks. */
    static constexpr int pitch = 68;
    static constexpr int room = 2 * depth * pitch;
    static constexpr int bytes = (room + keys * pitch) * (int)sizeof(T);
    typedef T panel[depth][pitch];

    T *memory;
    T sums[4][widest / 16];
    T peak[4], bare[4];
    int present;

    /* The first of the thread's rows and columns; whether its warp has rows. They are told
     * anew each time, for registers are scarce. A warp has a row for each 4 threads. */
    static OPS_DEVICE int row() { return (int)threadIdx.x / 16 * 4; }
    static OPS_DEVICE int column() { return (int)threadIdx.x % 16 * 4; }
    OPS_DEVICE bool live() const {
        return (int)threadIdx.x / OPS_WARP * (OPS_WARP / 4) < present;
    }

    OPS_DEVICE void begin(unsigned char *shared, int64_t there) {
        memory = (T *)shared;
        present = there < rows ? (int)there : rows;
#pragma unroll
        for (int r = 0; r < 4; r++) {
            peak[r] = -(T)__builtin_inff();
            bare[r] = 0;
#pragma unroll
            for (int c = 0; c < widest / 16; c++) sums[r][c] = 0;
        }
    }

    /* The keys low .. high - 1 of `deep` elements, the values' `wide` first columns.
     * `query(row)`, `key(j)` and `value(j)` give functions of the depth or the column;
     * `score(row)` one of (j, product), -inf where a row does not see a key; `seen(row)`
     * one of j. */
    template <class Query, class Key, class Value, class Score, class Seen>
    OPS_DEVICE void pass(int64_t low, int64_t high, int64_t deep, int64_t wide, Query query,
                         Key key, Value value, Score score, Seen seen) {
        panel &queries = *(panel *)memory, &lines = *(panel *)(memory + room / 2);
        for (int64_t first = low; first < high; first += keys) {
            const int here = high - first < keys ? (int)(high - first) : keys;
            T s[4][4] = {};
            for (int64_t d = 0; d < deep; d += depth) {
                fill(queries, present, d, deep, query);
                fill(lines, here, d, deep, [&](int k) { return key(first + k); });
                __syncthreads();
                if (live()) ops_multiply(s, queries, lines, row(), column());
                __syncthreads();
            }
            if (live()) weigh(s, first, here, score, seen);
            if (wide > 0) gather(first, here, wide, value);
        }
    }

    /* A panel: eight threads along the depth, four along the lanes, so that memory is read
     * in sectors and the panel written without conflicts. */
    template <class Lane>
    static OPS_DEVICE void fill(panel &to, int there, int64_t begin, int64_t deep,
                                Lane lane) {
        const int l0 = (int)threadIdx.x % 8;
        for (int k = (int)threadIdx.x / 8; k < pitch - 4; k += threads / 8) {
            if (k < there) {
                const auto element = lane(k);
#pragma unroll
                for (int l = l0; l < depth; l += 8)
                    to[l][k] = begin + l < deep ? element(begin + l) : (T)0;
            } else {
#pragma unroll
                for (int l = l0; l < depth; l += 8) to[l][k] = 0;
            }
        }
    }

    OPS_DEVICE T (*weights())[pitch] { return (T(*)[pitch])(memory + room); }

    /* Scores become weights; what was summed before is scaled to the new peak. */
    template <class Score, class Seen>
    OPS_DEVICE void weigh(T (&s)[4][4], int64_t first, int here, Score score, Seen seen) {
#pragma unroll
        for (int r = 0; r < 4; r++) {
            const auto scored = score(ops_ptx_anew(row() + r));
#pragma unroll
            for (int c = 0; c < 4; c++)
                s[r][c] = column() + c < here ? scored(first + column() + c, s[r][c])
                                              : -(T)__builtin_inff();
            const T factor = ops_weigh<16>(peak[r], bare[r], [&](auto use) {
#pragma unroll
                for (int c = 0; c < 4; c++) use(s[r][c]);
            });
            if constexpr (HIDDEN) {
                const auto visible = seen(ops_ptx_anew(row() + r));
#pragma unroll
                for (int c = 0; c < 4; c++)
                    if (column() + c < here && !visible(first + column() + c)) s[r][c] = -(T)0;
            }
#pragma unroll
            for (int c = 0; c < widest / 16; c++) sums[r][c] *= factor;
        }
#pragma unroll
        for (int c = 0; c < 4; c++) {
            const T own[4] = {s[0][c], s[1][c], s[2][c], s[3][c]};
            ops_store(weights()[column() + c] + row(), own);
        }
    }

    /* Adds weights times values: as many keys at a time as the panels have room for. */
    template <class Value>
    OPS_DEVICE void gather(int64_t first, int here, int64_t wide, Value value) {
        const int width = ((int)(wide < widest ? wide : widest) + 63) / 64 * 64;
        const int most = room / width;
        for (int start = 0; start < here; start += most) {
            const int count = here - start < most ? here - start : most;
            bool strange = false;
            for (int k = (int)threadIdx.x / 32; k < count; k += threads / 32) {
                const auto element = value(first + start + k);
                for (int c = (int)threadIdx.x % 32; c < width; c += 32) {
                    const T v = c < wide ? element(c) : (T)0;
                    memory[k * width + c] = v;
                    strange |= !(v - v == 0);
                }
            }
            if constexpr (HIDDEN) strange = __syncthreads_or(strange) != 0;
            else __syncthreads();
            if (live()) {
                if (HIDDEN && strange) add<true>(start, count, width);
                else add<false>(start, count, width);
            }
            __syncthreads();
        }
    }
    template <bool STRANGE>
    OPS_DEVICE void add(int start, int count, int width) {
        for (int k = 0; k < count; k++) {
            T w[4];
            ops_load(w, weights()[start + k] + row());
#pragma unroll
            for (int s = 0; s < widest / 64; s++) {
                if (64 * s >= width) continue;
                T v[4];
                ops_load(v, memory + k * width + 64 * s + column());
#pragma unroll
                for (int r = 0; r < 4; r++) {
                    if (STRANGE && w[r] == 0 && 1 / w[r] < 0) continue;
#pragma unroll
                    for (int c = 0; c < 4; c++)
                        sums[r][4 * s + c] = ops_multiply_add(w[r], v[c], sums[r][4 * s + c]);
                }
            }
        }
    }

    /* `finish(row, peak, bare, first)` is called by the threads of each row, of which one is
     * the first, and gives a function of (column, weighted sum). */
    template <class Finish>
    OPS_DEVICE void end(int64_t wide, Finish finish) {
#pragma unroll
        for (int r = 0; r < 4; r++) {
#pragma unroll
            for (int by = 1; by < 16; by *= 2) bare[r] += ops_shuffle(bare[r], ops_lane() ^ by);
            if (row() + r >= present) continue;
            const auto element =
                finish(row() + r, ops_final_peak(peak[r], bare[r]), bare[r], column() == 0);
#pragma unroll
            for (int s = 0; s < widest / 64; s++)
#pragma unroll
                for (int c = 0; c < 4; c++) {
                    const int own = 64 * s + column() + c;
                    if (own < wide) element(own, sums[r][4 * s + c]);
                }
        }
    }
};

#endif /* OPSLIB_CUDA_ATTEND_ROWS_H */
