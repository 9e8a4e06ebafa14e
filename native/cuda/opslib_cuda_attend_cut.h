/* Who takes which rows and keys of a streamed softmax, a step of it, and parts joined. A
 * part of opslib_cuda.h.
 *
 * Few rows with many keys are cut along the keys, into pieces that are blocks of their
 * own: each leaves its peak and its sums, and another launch joins them. How the keys of a
 * row are cut follows from their number alone, so its bits do not depend on its
 * neighbours. */
#ifndef OPSLIB_CUDA_ATTEND_CUT_H
#define OPSLIB_CUDA_ATTEND_CUT_H

/* Pieces at most, and keys of one at least: as many as keep 130 multiprocessors busy with
 * 8 heads, and work that outweighs a block's start. */
#define OPS_ATTEND_PIECES 16
#define OPS_ATTEND_PIECE 256

OPS_INLINE float ops_exp_of(float x) { return ops_exp_f32(x); }
OPS_INLINE double ops_exp_of(double x) { return ops_exp_f64(x); }

/* What is subtracted from scores: the finite number nearest to the peak. */
OPS_INLINE float ops_pivot(float peak) {
    constexpr float huge = 0x1.fffffep+127f;
    return peak > huge ? huge : peak < -huge ? -huge : peak;
}
OPS_INLINE double ops_pivot(double peak) {
    constexpr double huge = 0x1.fffffffffffffp+1023;
    return peak > huge ? huge : peak < -huge ? -huge : peak;
}
/* What sums below one peak are multiplied by to be below another pivot. */
template <class T> OPS_INLINE T ops_rescale(T peak, T pivot) {
    return peak == -(T)__builtin_inff() ? (T)0 : ops_exp_of(ops_pivot(peak) - pivot);
}
/* The peak of a finished row. Peaks skip scores that are nan; the bare sum has them. */
template <class T> OPS_INLINE T ops_final_peak(T peak, T bare) {
    return bare != bare ? bare : peak;
}

/* A step of a row's softmax: its scores become weights below the new peak, and what was
 * summed before must be multiplied by the result. LANES neighbouring lanes share the row;
 * `each(use)` calls use(score) for each score of this one. */
template <int LANES, class T, class Each>
OPS_INLINE T ops_weigh(T &peak, T &bare, Each each) {
    T high = peak;
    each([&](T &score) { high = score > high ? score : high; });
#pragma unroll
    for (int by = 1; by < LANES; by *= 2) {
        const T other = ops_shuffle(high, ops_lane() ^ by);
        high = other > high ? other : high;
    }
    const T pivot = ops_pivot(high), factor = ops_rescale(peak, pivot);
    peak = high;
    T sum = bare * factor;
    each([&](T &score) {
        score = ops_exp_of(score - pivot);
        sum += score;
    });
    bare = sum;
    return factor;
}

/* ------------------------------------------------------------- the order ---- */

/* Blocks come in runs, along which each is longer than the one before: the number of the
 * block that is `place` places behind the longest. They start in the order of their
 * numbers, and what starts last should end soon. */
OPS_INLINE int64_t ops_longest_first(int64_t place, int64_t blocks, int64_t run) {
    const int64_t runs = ops_quotient(blocks, run);
    return run - 1 - ops_quotient(place, runs) + ops_rest(place, runs) * run;
}

/* ---------------------------------------------------- rows of sequences ---- */

/* Sequence k has the rows begins[k] to begins[k + 1] - 1. A thread for each row, and one
 * behind them, has the sequence of its row and that of the row before. */
OPS_INLINE void ops_note_begins(int64_t *begins, int64_t row, int64_t before, int64_t own) {
    for (int64_t k = before + 1; k <= own; k++) begins[k] = row;
}
/* The last of `count` numbers whose start, which never falls, is not behind `place`. */
template <class Start>
OPS_INLINE int64_t ops_last_start(int64_t count, int64_t place, Start start) {
    int64_t low = 0, high = count;
    while (high - low > 1) {
        const int64_t middle = (low + high) / 2;
        if (start(middle) <= place) low = middle;
        else high = middle;
    }
    return low;
}
/* Blocks of `size` rows that lie in one sequence each. Sequence k has as many numbers as
 * it can need wherever it begins, from this one on; some of them have no rows. */
OPS_INLINE int64_t ops_first_block(const int64_t *begins, int64_t inner, int size, int64_t k) {
    return begins[k] * inner / size + k;
}

/* ------------------------------------------------------------- the pieces ---- */

OPS_INLINE int64_t ops_piece(int64_t keys) {
    const int64_t even = (keys + OPS_ATTEND_PIECES - 1) / OPS_ATTEND_PIECES;
    return even <= OPS_ATTEND_PIECE ? OPS_ATTEND_PIECE : (even + 63) / 64 * 64;
}
OPS_INLINE int64_t ops_pieces(int64_t keys) {
    return keys <= OPS_ATTEND_PIECE ? 1 : (keys + ops_piece(keys) - 1) / ops_piece(keys);
}
/* Notes for each row of a block where its parts begin, and how many there are. */
OPS_INLINE void ops_note_pieces(int64_t *cuts, int64_t rows, int64_t slot, int64_t pieces) {
    for (int64_t r = threadIdx.x; r < rows; r += blockDim.x)
        cuts[r] = pieces > 1 ? (slot + r) * 32 + pieces : 0;
}

/* -------------------------------------------------------------- the parts ---- */

template <class T> OPS_INLINE T ops_parts_peak(const T *peaks, int64_t pieces) {
    T high = peaks[0];
    for (int64_t k = 1; k < pieces; k++) high = peaks[k] > high ? peaks[k] : high;
    return high;
}
/* The sum of the parts, `step` apart, below the peak of all. */
template <class T>
OPS_INLINE T ops_parts_sum(const T *parts, int64_t step, const T *peaks, int64_t pieces, T peak) {
    const T pivot = ops_pivot(peak);
    T sum = 0;
    for (int64_t k = 0; k < pieces; k++) sum += parts[k * step] * ops_rescale(peaks[k], pivot);
    return sum;
}

#endif /* OPSLIB_CUDA_ATTEND_CUT_H */
