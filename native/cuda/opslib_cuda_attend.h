/* Two products around a softmax on tensor cores, in one pass. A part of opslib_cuda.h.
 *
 * A block of 128 threads takes 64 rows (queries), each of its four warps 16. Step by step
 * along 64 keys: scores by mma, the peak so far and the weights exp(score - peak) in
 * registers, where the fragments of a product's result are those of the next one's a, then
 * the weights times the values. Nothing of the size of rows times keys is in memory.
 *
 * A weight is a float, and the tensor cores take 16 bits. It goes as PARTS numbers, each
 * the rest of those before, so that the sums are as exact as a float's: 11 + 11 bits for
 * float16, lifted by 2^15 because it has no small numbers, 8 + 8 + 8 for bfloat16. Parts
 * differ in sign, and so would infinities times them: a step whose values are not all
 * finite goes value by value. */
#ifndef OPSLIB_CUDA_ATTEND_H
#define OPSLIB_CUDA_ATTEND_H

#include "opslib_cuda_attend_cut.h"
#include "opslib_cuda_tile.h"

#define OPS_ATTEND_THREADS 128
#define OPS_ATTEND_ROWS 64
#define OPS_ATTEND_KEYS 64

template <class T> struct ops_weight;
template <> struct ops_weight<ops_half> {
    /* The bits of an exponent that is not a number's, in two elements, and the lowest. */
    static constexpr uint32_t top = 0x7c007c00u, lowest = 0x04000400u;
    static constexpr int parts = 2;
    static constexpr float lift = 32768.0f;
};
template <> struct ops_weight<ops_bfloat> {
    static constexpr uint32_t top = 0x7f807f80u, lowest = 0x00800080u;
    static constexpr int parts = 3;
    static constexpr float lift = 1.0f;
};
OPS_INLINE ops_half ops_rounded(ops_half, float x) { return ops_f32_to_f16(x); }
OPS_INLINE ops_bfloat ops_rounded(ops_bfloat, float x) { return ops_f32_to_bf16(x); }

/* The rows of a thread: of its warp's 16, number lane / 4 and 8 further. */
OPS_INLINE int ops_attend_row(int which) {
    return (int)threadIdx.x / OPS_WARP * 16 + which * 8 + ops_lane() / 4;
}

template <class T> struct ops_is_pointer { static constexpr bool value = false; };
template <class T> struct ops_is_pointer<T *> { static constexpr bool value = true; };

/* Begins to copy a tile of rows that begin anywhere: `start(row)` says where, and is only
 * asked for the `rows` that are there; what is beyond them, and beyond `columns`, is 0. */
template <class T, int ROWS, int COLUMNS, class Start>
OPS_INLINE void ops_copy_rows(unsigned char *tile, int64_t rows, int64_t columns, Start start) {
    typedef ops_tile<T, ROWS, COLUMNS, OPS_ATTEND_THREADS> tiled;
    constexpr int each = tiled::each, pieces = tiled::pieces;
    static_assert(OPS_ATTEND_THREADS % pieces == 0, "a thread keeps its piece");
    const int piece = (int)threadIdx.x % pieces;
    const int64_t left = columns - piece * each;
    const int count = left > each ? each : left > 0 ? (int)left : 0;
    for (int row = (int)threadIdx.x / pieces; row < ROWS; row += OPS_ATTEND_THREADS / pieces) {
        unsigned char *to = tile + tiled::place(row, piece);
        if (row >= rows || count == 0) {
            *(ops_quad *)to = ops_quad();
            continue;
        }
        const T *from = start(row) + piece * each;
        if (ops_begins_16(from)) {
            ops_ptx_cp_async16(to, from, count * (int)sizeof(T));
        } else {
            union { ops_quad quad; T elements[each]; } both;
#pragma unroll
            for (int e = 0; e < each; e++) both.elements[e] = e < count ? from[e] : T();
            *(ops_quad *)to = both.quad;
        }
    }
}

/* Whether what the thread copied has an element that is not finite. */
template <class T, int ROWS, int COLUMNS>
OPS_INLINE bool ops_copied_strange(const unsigned char *tile) {
    typedef ops_tile<T, ROWS, COLUMNS, OPS_ATTEND_THREADS> tiled;
    constexpr int pieces = tiled::pieces;
    const int piece = (int)threadIdx.x % pieces;
    uint32_t found = 0;
#pragma unroll
    for (int row = (int)threadIdx.x / pieces; row < ROWS; row += OPS_ATTEND_THREADS / pieces) {
        const ops_quad four = *(const ops_quad *)(tile + tiled::place(row, piece));
#pragma unroll
        for (int w = 0; w < 4; w++)
            found |= (four.w[w] & ops_weight<T>::top) + ops_weight<T>::lowest;
    }
    return (found & 0x80008000u) != 0;
}

/* DEEP elements of a query and a key, WIDE of a value: multiples of 16, zeros beyond.
 * HIDDEN: rows of a block may see different values, and what a row does not see has no
 * effect on it, be it nan. Its weight is then -0, which no exponential is. */
template <class T, int DEEP, int WIDE, bool HIDDEN>
struct ops_attention {
    typedef ops_tile<T, OPS_ATTEND_ROWS, DEEP, OPS_ATTEND_THREADS> queries;
    typedef ops_tile<T, OPS_ATTEND_KEYS, DEEP, OPS_ATTEND_THREADS> keys;
    typedef ops_tile<T, OPS_ATTEND_KEYS, WIDE, OPS_ATTEND_THREADS> values;
    static constexpr int strips = OPS_ATTEND_KEYS / 8;

    /* Up to 64 elements of a query stay in registers; of longer ones there is no room. */
    static constexpr bool held = DEEP <= 64;
    uint32_t query[held ? DEEP / 16 : 1][4];
    unsigned char *asked;
    float weighted[WIDE / 8][4];
    float peak[2], bare[2];

    static constexpr int stage = keys::bytes + values::bytes;
    static constexpr int bytes = queries::bytes + 2 * stage;
    int64_t present;
    /* Whether the warp has rows. */
    bool live;

    OPS_DEVICE void begin(unsigned char *tiles, int64_t there) {
        asked = tiles;
        present = there;
        live = (int)threadIdx.x / OPS_WARP * 16 < there;
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

    /* The keys low .. high - 1: `query(row)`, `key(j)` and `value(j)` say where they begin,
     * or `query(row)` gives a function of the depth; `score(row)` gives one of (j, product),
     * -inf where a row does not see a key, and `seen(row)` one of j. */
    template <class Query, class Key, class Value, class Score, class Seen>
    OPS_DEVICE void pass(int64_t low, int64_t high, int64_t deep, int64_t wide, Query query,
                         Key key, Value value, Score score, Seen seen) {
        if (low >= high) return;
        if constexpr (ops_is_pointer<decltype(query(0))>::value) {
            ops_copy_rows<T, OPS_ATTEND_ROWS, DEEP>(asked, present, deep, query);
        } else {
            queries::fill(asked, present, deep, [&](int row, int l) { return query(row)(l); });
        }
        unsigned char *const base = asked + queries::bytes;
        const auto copy = [&](int number, int64_t from) {
            unsigned char *const to = base + number * stage;
            const int64_t left = high - from;
            ops_copy_rows<T, OPS_ATTEND_KEYS, DEEP>(
                to, left, deep, [&](int row) { return key(from + row); });
            ops_copy_rows<T, OPS_ATTEND_KEYS, WIDE>(
                to + keys::bytes, left, wide, [&](int row) { return value(from + row); });
            ops_ptx_cp_async_commit();
        };
        copy(0, low);
        int use = 0;
        for (int64_t first = low; first < high; first += OPS_ATTEND_KEYS) {
            const unsigned char *const from = base + use * stage;
            /* The step's tiles have come for this thread, then for all; and all have left
             * the buffer that is filled now. */
            ops_ptx_cp_async_wait<0>();
            const bool own =
                ops_copied_strange<T, OPS_ATTEND_KEYS, WIDE>(from + keys::bytes);
            const bool strange = __syncthreads_or(own) != 0;
            if (held && first == low) load_all();
            use ^= 1;
            if (first + OPS_ATTEND_KEYS < high) copy(use, first + OPS_ATTEND_KEYS);
            if (live) step(from, from + keys::bytes, first, high, strange, score, seen);
        }
    }

    OPS_DEVICE void load_all() {
#pragma unroll
        for (int d = 0; d < (held ? DEEP / 16 : 0); d++)
            queries::fragment_a(query[d], asked, first_row(), d);
    }
    /* Of the warp's 16. */
    static OPS_DEVICE int first_row() { return (int)threadIdx.x / OPS_WARP * 16; }

    template <class Score, class Seen>
    OPS_DEVICE void step(const unsigned char *key_tile, const unsigned char *value_tile,
                         int64_t first, int64_t high, bool strange, Score score, Seen seen) {
        float s[strips][4];
        dots(s, key_tile);
#pragma unroll
        for (int r = 0; r < 2; r++) {
            const auto scored = score(ops_attend_row(r));
            each(s, r, first, [&](int64_t j, float &x) {
                x = j < high ? scored(j, x) : -__builtin_inff();
            });
        }
        weigh(s);
        if (strange) {
            if constexpr (HIDDEN) hide(s, first, high, seen);
            gather_one_by_one(s, value_tile);
        } else {
            gather(s, value_tile);
        }
    }

    /* Calls `use(j, x)` for each of the thread's numbers of its row r. */
    template <class Use>
    static OPS_DEVICE void each(float (&s)[strips][4], int r, int64_t first, Use use) {
#pragma unroll
        for (int k = 0; k < strips; k++)
#pragma unroll
            for (int e = 2 * r; e < 2 * r + 2; e++)
                use(first + k * 8 + ops_lane() % 4 * 2 + e % 2, s[k][e]);
    }

    OPS_DEVICE void dots(float (&s)[strips][4], const unsigned char *tile) {
#pragma unroll
        for (int k = 0; k < strips; k++)
#pragma unroll
            for (int e = 0; e < 4; e++) s[k][e] = 0;
        /* Told anew: the places of fragments would stay in registers. */
        const int lane = ops_ptx_anew(ops_lane());
#pragma unroll
        for (int d = 0; d < DEEP / 16; d++) {
            if constexpr (!held) queries::fragment_a(query[0], asked, first_row(), d, lane);
#pragma unroll
            for (int k = 0; k < strips; k += 2) {
                uint32_t f[4];
                keys::fragment_b(f, tile, k * 8, d, lane);
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
            const float factor = ops_weigh<4>(peak[r], bare[r], [&](auto use) {
                each(s, r, 0, [&](int64_t, float &x) { use(x); });
            });
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
        const int lane = ops_ptx_anew(ops_lane());
#pragma unroll
        for (int k = 0; k < strips; k += 2) {
            uint32_t a[parts][4];
#pragma unroll
            for (int q = 0; q < 4; q++)
                split<parts>(a, q, p[k + q / 2][q % 2 * 2], p[k + q / 2][q % 2 * 2 + 1]);
#pragma unroll
            for (int c = 0; c < WIDE / 8; c += 2) {
                uint32_t f[4];
                values::turned_b(f, tile, c * 8, k / 2, lane);
                const uint32_t first[2] = {f[0], f[1]}, second[2] = {f[2], f[3]};
#pragma unroll
                for (int part = parts - 1; part >= 0; part--) {
                    ops_mma(T(), weighted[c], a[part], first);
                    ops_mma(T(), weighted[c + 1], a[part], second);
                }
            }
        }
    }

    /* Gives what a row does not see the weight -0. */
    template <class Seen>
    OPS_DEVICE void hide(float (&p)[strips][4], int64_t first, int64_t high, Seen seen) {
#pragma unroll
        for (int r = 0; r < 2; r++) {
            const auto visible = seen(ops_attend_row(r));
            each(p, r, first, [&](int64_t j, float &x) {
                if (j < high && !visible(j)) x = -0.0f;
            });
        }
    }
    /* As `gather`, without what has the weight -0: rare, so it need not be fast. */
    OPS_DEVICE void gather_one_by_one(float (&p)[strips][4], const unsigned char *tile) {
#pragma unroll
        for (int k = 0; k < strips; k++)
#pragma unroll 1
            for (int l = 0; l < 8; l++) {
                float w[2];
#pragma unroll
                for (int r = 0; r < 2; r++) {
                    const float own = l % 2 ? p[k][2 * r + 1] : p[k][2 * r];
                    w[r] = ops_shuffle(own, ops_lane() / 4 * 4 + l / 2) * ops_weight<T>::lift;
                }
#pragma unroll
                for (int c = 0; c < WIDE / 8; c++)
#pragma unroll
                    for (int x = 0; x < 2; x++) {
                        const int column = ops_lane() % 4 * 2 + x;
                        const float v =
                            (float)((const T *)(tile + values::place(k * 8 + l, c)))[column];
#pragma unroll
                        for (int r = 0; r < 2; r++)
                            if (w[r] != 0 || 1 / w[r] > 0) weighted[c][2 * r + x] += w[r] * v;
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

    /* `finish(row, peak, bare, first)` is called by the threads of each row, of which one is
     * the first, and gives a function of (column, weighted sum). */
    template <class Finish>
    OPS_DEVICE void end(int64_t wide, Finish finish) {
#pragma unroll
        for (int r = 0; r < 2; r++) {
#pragma unroll
            for (int by = 1; by < 4; by *= 2) bare[r] += ops_shuffle(bare[r], ops_lane() ^ by);
            if (ops_attend_row(r) >= present) continue;
            const auto element = finish(ops_attend_row(r), ops_final_peak(peak[r], bare[r]),
                                        bare[r], ops_lane() % 4 == 0);
#pragma unroll
            for (int c = 0; c < WIDE / 8; c++)
#pragma unroll
                for (int e = 2 * r; e < 2 * r + 2; e++) {
                    const int column = c * 8 + ops_lane() % 4 * 2 + e % 2;
                    if (column < wide) element(column, weighted[c][e] * (1 / ops_weight<T>::lift));
                }
        }
    }
};

#endif /* OPSLIB_CUDA_ATTEND_H */
