/* opslib_contract_window.h -- sides that are windows: convolutions of any rank.
 *
 * An element of such a side is read at positions that are sums over its lane axes (the
 * image and the place in it) and its deep axes (the channel and the place in the window),
 * and is zero where a position leaves the array: im2col, without the copy of it.
 *
 *     ops_pack_window_D_S    panels of it for the microkernel
 *     ops_few_window_D_S     its product with at most 4 rows, as it lies: depthwise
 *
 * A window is a list of integers:
 *     dims, lanes, deep, the extents of the lane axes, those of the deep axes, and for
 *     each dim: base, limit (-1: it never leaves), stride, a factor for each lane axis
 *     and for each deep axis; the position along the dim is base + the sum of factors
 *     times indices.
 *
 * Along the innermost lane axis positions advance evenly, so what is inside is a range:
 * lanes are taken in *strips* along it, and the ranges are found once for all depths that
 * share their place in the window (a *group*), not tested for each element.
 */
#ifndef OPSLIB_CONTRACT_WINDOW_H
#define OPSLIB_CONTRACT_WINDOW_H

#define OPS_WINDOW_AXES 8
#define OPS_WINDOW_DEPTH 512

typedef struct {
    int64_t dims, lanes, deep;
    const int64_t *lane, *depth, *dim;
} ops_window;

/* Lanes along the innermost axis: `at` is the first one's position, `offset` its place. */
typedef struct {
    int64_t count, offset, at[OPS_WINDOW_AXES];
} ops_strip;

/* Depths k0 .. k0 + k: group g has those at list[first[g]] .. list[first[g + 1]], each
 * `offset` elements on from the strip, their positions `at` on from its positions. Group
 * by group, depth l + 1 comes after l where `spill` says so. */
typedef struct {
    int64_t groups;
    int64_t at[OPS_WINDOW_DEPTH][OPS_WINDOW_AXES];
    int64_t offset[OPS_WINDOW_DEPTH];
    int32_t first[OPS_WINDOW_DEPTH + 1], list[OPS_WINDOW_DEPTH];
    uint8_t spill[OPS_WINDOW_DEPTH];
} ops_depths;

OPS_INLINE ops_window ops_window_of(const int64_t *w) {
    return (ops_window){w[0], w[1], w[2], w + 3, w + 3 + w[1], w + 3 + w[1] + w[2]};
}
OPS_INLINE const int64_t *ops_window_dim(const ops_window *w, int64_t d) {
    return w->dim + d * (3 + w->lanes + w->deep);
}

OPS_CALL void ops_window_strip(const ops_window *w, int64_t n, int64_t most, ops_strip *s) {
    int64_t index[OPS_WINDOW_AXES] = {0};
    for (int64_t a = w->lanes - 1; a > 0; a--)
        index[a] = n % w->lane[a], n /= w->lane[a];
    index[0] = n;
    const int64_t last = w->lanes - 1, left = w->lane[last] - index[last];
    s->count = left < most ? left : most;
    s->offset = 0;
    for (int64_t d = 0; d < w->dims; d++) {
        const int64_t *dim = ops_window_dim(w, d);
        s->at[d] = dim[0];
        for (int64_t a = 0; a < w->lanes; a++) s->at[d] += dim[3 + a] * index[a];
        s->offset += s->at[d] * dim[2];
    }
}

OPS_CALL void ops_window_depths(const ops_window *w, int64_t k0, int64_t k, ops_depths *t) {
    int64_t index[OPS_WINDOW_AXES] = {0}, step[OPS_WINDOW_AXES] = {0}, rest = k0, places = 1;
    int guarded[OPS_WINDOW_AXES] = {0};
    for (int64_t a = w->deep - 1; a >= 0; a--) {
        index[a] = a ? rest % w->depth[a] : rest;
        rest /= w->depth[a];
        for (int64_t d = 0; d < w->dims; d++) {
            const int64_t *dim = ops_window_dim(w, d), factor = dim[3 + w->lanes + a];
            guarded[a] |= dim[1] >= 0 && factor != 0;
            step[a] += factor * dim[2];
        }
        if (guarded[a] && places <= OPS_WINDOW_DEPTH)
            places *= w->depth[a];
    }
    /* Too many places for a list of each: every depth is a group of its own. */
    const int alone = places > OPS_WINDOW_DEPTH;
    int32_t count[OPS_WINDOW_DEPTH] = {0}, place[OPS_WINDOW_DEPTH];
    for (int64_t l = 0; l < k; l++) {
        int64_t here = 0, offset = 0;
        for (int64_t a = 0; a < w->deep; a++) {
            offset += step[a] * index[a];
            if (guarded[a]) here = here * w->depth[a] + index[a];
        }
        if (alone)
            here = l;
        t->offset[l] = offset;
        place[l] = (int32_t)here;
        if (!count[here]++)
            for (int64_t d = 0; d < w->dims; d++) {
                const int64_t *factor = ops_window_dim(w, d) + 3 + w->lanes;
                t->at[here][d] = 0;
                for (int64_t a = 0; a < w->deep; a++) t->at[here][d] += factor[a] * index[a];
            }
        for (int64_t a = w->deep - 1; a >= 0 && ++index[a] == w->depth[a] && a; a--)
            index[a] = 0;
    }
    t->groups = alone ? k : places;
    t->first[0] = 0;
    for (int64_t g = 0; g < t->groups; g++) t->first[g + 1] = t->first[g] + count[g];
    for (int64_t l = k - 1; l >= 0; l--) {
        t->list[t->first[place[l]] + --count[place[l]]] = (int32_t)l;
        t->spill[l] = l + 1 < k && place[l + 1] >= place[l];
    }
}

/* The lanes from..to of a strip at which a group of depths is inside. */
OPS_INLINE void ops_window_range(const ops_window *w, const ops_strip *s, const int64_t *at,
                                 int64_t *from, int64_t *to) {
    int64_t a = 0, b = s->count;
    for (int64_t d = 0; d < w->dims; d++) {
        const int64_t *dim = ops_window_dim(w, d);
        if (dim[1] < 0)
            continue;
        const int64_t p = s->at[d] + at[d], step = dim[2 + w->lanes], limit = dim[1];
        if (step == 0) {
            if (p < 0 || p >= limit)
                b = 0;
        } else if (step > 0) {
            const int64_t low = p < 0 ? (step - 1 - p) / step : 0;
            const int64_t high = p < limit ? (limit - p + step - 1) / step : 0;
            a = a > low ? a : low, b = b < high ? b : high;
        } else {
            const int64_t low = p >= limit ? (p - limit) / -step + 1 : 0;
            const int64_t high = p >= 0 ? p / -step + 1 : 0;
            a = a > low ? a : low, b = b < high ? b : high;
        }
    }
    *from = a < b ? a : 0, *to = a < b ? b : 0;
}

/* How far apart the lanes of a strip are. */
OPS_INLINE int64_t ops_window_step(const ops_window *w) {
    int64_t step = 0;
    for (int64_t d = 0; d < w->dims; d++) {
        const int64_t *dim = ops_window_dim(w, d);
        step += dim[2 + w->lanes] * dim[2];
    }
    return step;
}

/* One store into a panel: `count` elements from `offset` on, or zeros (keep = 0). */
typedef struct {
    int64_t offset, keep, lane, count;
} ops_move;

/* No panel is wider than 64 lanes, so it has at most 64 strips; every move but those that
 * cut a part into vectors ends a part of a lane or more. */
#define OPS_WINDOW_LANES 64
#define OPS_MOVES (2 * OPS_WINDOW_LANES)

OPS_INLINE int64_t ops_moves(ops_move *m, int64_t n, int64_t lane, int64_t count,
                             int64_t offset, int64_t step, int64_t keep, int64_t wide) {
    for (int64_t t = 0; t < count; t += wide)
        m[n++] = (ops_move){offset + t * step, keep, lane + t,
                            count - t < wide ? count - t : wide};
    return n;
}

/* Every second element from p on, whole vectors; touches p[0] .. p[2 L - 2]. */
#if OPS_LANES == 16
#define OPS_EVEN 0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31
#elif OPS_LANES == 8
#define OPS_EVEN 0, 2, 4, 6, 9, 11, 13, 15
#else
#define OPS_EVEN 0, 2, 5, 7
#endif

/* P: panel element; V: vector of L of them; LOAD, LOAD_N, ONE: from S. */
#define OPS_WINDOW_PACK(NAME, P, V, L, S, LOAD, LOAD_N, ONE, STORE_N)                      \
    OPS_INLINE V NAME##_load(const int even, const S *q, int64_t n, int64_t step) {        \
        if (even == 1)                                                                     \
            return n == L ? LOAD(q) : LOAD_N(q, n);                                        \
        if (even == 2) {                                                                   \
            const int64_t high = 2 * n - L;                                                \
            const V a = 2 * n > L ? LOAD(q) : LOAD_N(q, 2 * n - 1);                        \
            const V b = high == L   ? LOAD(q + L - 1)                                      \
                        : high > 0 ? LOAD_N(q + L - 1, high)                               \
                                   : (V){0};                                               \
            return __builtin_shufflevector(a, b, OPS_EVEN);                                \
        }                                                                                  \
        V v = {0};                                                                         \
        for (int i = 0; i < n; i++) v[i] = ONE(q[i * step]);                               \
        return v;                                                                          \
    }                                                                                      \
    /* All depths of a group: `most` moves, or as many as there are (0); step `even`. */   \
    OPS_INLINE void NAME##_group(const int even, const int most, P *panel, int64_t unit,   \
                                 const ops_depths *t, int64_t g, int64_t moves,            \
                                 const ops_move *m, const S *source, int64_t step) {       \
        for (int32_t i = t->first[g]; i < t->first[g + 1]; i++) {                          \
            const int64_t l = t->list[i], offset = t->offset[l];                           \
            const int spill = t->spill[l];                                                 \
            P *d = panel + l * unit;                                                       \
            for (int64_t j = 0; j < (most ? most : moves); j++) {                          \
                V v = {0};                                                                 \
                if (m[j].keep)                                                             \
                    v = NAME##_load(even, source + m[j].offset + offset, m[j].count, step); \
                /* What is past `count` the next move overwrites, or the next depth. */    \
                if (OPS_LIKELY(spill || m[j].lane + L <= unit))                            \
                    memcpy(d + m[j].lane, &v, sizeof v);                                   \
                else                                                                       \
                    STORE_N(d + m[j].lane, v, m[j].count);                                 \
            }                                                                              \
        }                                                                                  \
    }                                                                                      \
    OPS_INLINE void NAME##_moves(const int even, P *panel, int64_t unit,                   \
                                 const ops_depths *t, int64_t g, int64_t moves,            \
                                 const ops_move *m, const S *source, int64_t step) {       \
        switch (moves) {                                                                   \
            case 2: NAME##_group(even, 2, panel, unit, t, g, 2, m, source, step); break;   \
            case 3: NAME##_group(even, 3, panel, unit, t, g, 3, m, source, step); break;   \
            case 4: NAME##_group(even, 4, panel, unit, t, g, 4, m, source, step); break;   \
            case 5: NAME##_group(even, 5, panel, unit, t, g, 5, m, source, step); break;   \
            case 6: NAME##_group(even, 6, panel, unit, t, g, 6, m, source, step); break;   \
            default: NAME##_group(even, 0, panel, unit, t, g, moves, m, source, step);     \
        }                                                                                  \
    }                                                                                      \
    OPS_CALL void NAME(P *out, int64_t unit, const S *source, const int64_t *window,       \
                       int64_t n0, int64_t rows, int64_t k0, int64_t k) {                  \
        const ops_window w = ops_window_of(window);                                        \
        const int64_t step = ops_window_step(&w);                                          \
        ops_depths t;                                                                      \
        ops_strip strip[OPS_WINDOW_LANES];                                                 \
        ops_move m[OPS_MOVES];                                                             \
        for (int64_t l0 = 0; l0 < k; l0 += OPS_WINDOW_DEPTH) {                             \
            const int64_t deep = k - l0 < OPS_WINDOW_DEPTH ? k - l0 : OPS_WINDOW_DEPTH;    \
            ops_window_depths(&w, k0 + l0, deep, &t);                                      \
            for (int64_t r = 0; r < rows; r += unit) {                                     \
                P *panel = out + (r * k + l0 * unit);                                      \
                const int64_t lanes = rows - r < unit ? rows - r : unit;                   \
                int64_t strips = 0;                                                        \
                for (int64_t n = 0; n < lanes; n += strip[strips++].count)                 \
                    ops_window_strip(&w, n0 + r + n, lanes - n, &strip[strips]);           \
                for (int64_t g = 0; g < t.groups; g++) {                                   \
                    int64_t n = 0, lane = 0, a, b;                                         \
                    for (int64_t i = 0; i < strips; lane += strip[i++].count) {            \
                        const ops_strip *s = &strip[i];                                    \
                        ops_window_range(&w, s, t.at[g], &a, &b);                          \
                        n = ops_moves(m, n, lane, a, 0, 0, 0, L);                          \
                        n = ops_moves(m, n, lane + a, b - a, s->offset + a * step, step, 1, L); \
                        n = ops_moves(m, n, lane + b, s->count - b, 0, 0, 0, L);           \
                    }                                                                      \
                    n = ops_moves(m, n, lanes, unit - lanes, 0, 0, 0, L);                  \
                    if (step == 1)                                                         \
                        NAME##_moves(1, panel, unit, &t, g, n, m, source, step);           \
                    else if (step == 2)                                                    \
                        NAME##_moves(2, panel, unit, &t, g, n, m, source, step);           \
                    else                                                                   \
                        NAME##_group(0, 0, panel, unit, &t, g, n, m, source, step);        \
                }                                                                          \
            }                                                                              \
        }                                                                                  \
    }

#define OPS_WINDOW_F32(S, LOAD, LOAD_N, ONE)                                                \
    OPS_WINDOW_PACK(ops_pack_window_f32_##S, ops_f32, ops_v_f32, OPS_LANES, ops_##S, LOAD,  \
                    LOAD_N, ONE, ops_store_n_f32)
OPS_WINDOW_F32(f32, ops_load_f32, ops_load_n_f32, OPS_SAME)
OPS_WINDOW_F32(f16, ops_load_f16, ops_load_n_f16, ops_cvt_f16_to_f32)
OPS_WINDOW_F32(bf16, ops_load_bf16, ops_load_n_bf16, ops_cvt_bf16_to_f32)

OPS_WINDOW_PACK(ops_pack_window_f64_f64, ops_f64, ops_v_f64, OPS_LANES, ops_f64, ops_load_f64,
                ops_load_n_f64, OPS_SAME, ops_store_n_f64)

/* Products with few rows read the window from lines: the rows of the array that a strip
 * needs, zeros around them, one for all depths that differ in their place along it. */
#define OPS_LINES 8192

typedef struct {
    int64_t along, step, stride, limit; /* the dim that the strip runs along */
    int64_t least, span;                /* the depths' places along it */
    int64_t lines, most;                /* how many, for strips of so many lanes */
    int64_t key[OPS_WINDOW_DEPTH];      /* of a line: place of its first position 0 */
    int32_t first[OPS_WINDOW_DEPTH + 1]; /* its first depth */
    int64_t tap[OPS_WINDOW_DEPTH];      /* of a depth: where it begins in its line */
    const int64_t *at[OPS_WINDOW_DEPTH];
} ops_lines;

/* 0 where lanes do not run forwards along exactly one dim, or lines would be too long. */
OPS_CALL int ops_window_lines(const ops_window *w, const ops_depths *t, int64_t k,
                              ops_lines *n) {
    n->along = -1;
    for (int64_t d = 0; d < w->dims; d++) {
        const int64_t *dim = ops_window_dim(w, d);
        if (dim[2 + w->lanes] == 0)
            continue;
        if (n->along >= 0 || dim[2 + w->lanes] < 0)
            return 0;
        n->along = d, n->step = dim[2 + w->lanes], n->stride = dim[2], n->limit = dim[1];
    }
    if (n->along < 0)
        return 0;
    const int64_t *at[OPS_WINDOW_DEPTH];
    for (int64_t g = 0; g < t->groups; g++)
        for (int32_t i = t->first[g]; i < t->first[g + 1]; i++) at[t->list[i]] = t->at[g];
    int64_t high = at[0][n->along];
    n->least = high, n->lines = 0;
    for (int64_t l = 0; l < k; l++) {
        const int64_t tap = at[l][n->along], key = t->offset[l] - tap * n->stride;
        n->least = n->least < tap ? n->least : tap, high = high > tap ? high : tap;
        n->tap[l] = tap;
        int same = l > 0 && n->key[n->lines - 1] == key;
        for (int64_t d = 0; same && d < w->dims; d++)
            same = d == n->along || at[l][d] == at[l - 1][d];
        if (!same) {
            n->key[n->lines] = key, n->at[n->lines] = at[l];
            n->first[n->lines++] = (int32_t)l;
        }
    }
    n->first[n->lines] = (int32_t)k;
    n->span = high - n->least;
    n->most = (OPS_LINES / n->lines - n->span - 2 * OPS_LANES * n->step) / n->step;
    return n->most >= 4 * OPS_LANES;
}

/* Whether a line is inside along all dims but its own. */
OPS_INLINE int ops_window_inside(const ops_window *w, const ops_strip *s, const ops_lines *n,
                                 int64_t line) {
    for (int64_t d = 0; d < w->dims; d++) {
        const int64_t limit = ops_window_dim(w, d)[1], p = s->at[d] + n->at[line][d];
        if (d != n->along && limit >= 0 && (p < 0 || p >= limit))
            return 0;
    }
    return 1;
}

#define OPS_WINDOW_RUN(D, FMA)                                                             \
    OPS_INLINE void ops_window_run_##D(const int vectors, const int step, int64_t last,    \
                                       int64_t k, const ops_##D *f, const int64_t *offset, \
                                       const ops_##D *s, int64_t apart, ops_##D *y,        \
                                       ops_##D start, int add) {                           \
        ops_v_##D v[4];                                                                    \
        for (int j = 0; j < vectors; j++) v[j] = ops_splat_##D(start);                     \
        for (int64_t i = 0; i < k; i++) {                                                  \
            const ops_v_##D x = ops_splat_##D(f[i]);                                       \
            for (int j = 0; j < vectors; j++) {                                            \
                const ops_##D *q = s + offset[i] + j * OPS_LANES * (step ? step : apart);  \
                ops_v_##D e = {0};                                                         \
                if (step == 1)                                                             \
                    e = ops_load_##D(q);                                                   \
                else if (step == 2)                                                        \
                    e = __builtin_shufflevector(ops_load_##D(q), ops_load_##D(q + OPS_LANES - 1), \
                                                OPS_EVEN);                                 \
                else                                                                       \
                    e = ops_loads_##D(q, apart, OPS_LANES);                                \
                v[j] = FMA(x, e, v[j]);                                                    \
            }                                                                              \
        }                                                                                  \
        for (int j = 0; j < vectors; j++) {                                                \
            ops_##D *o = y + j * OPS_LANES;                                                \
            const int64_t here = j + 1 < vectors ? OPS_LANES : last;                       \
            if (add)                                                                       \
                v[j] += ops_load_n_##D(o, here);                                           \
            ops_store_n_##D(o, v[j], here);                                                \
        }                                                                                  \
    }                                                                                      \
    OPS_INLINE void ops_window_strips_##D(const int step, int64_t n, int64_t k,            \
                                          const ops_##D *f, const int64_t *offset,         \
                                          const ops_##D *s, int64_t apart, ops_##D *y,     \
                                          ops_##D start, int add) {                        \
        for (; n > 0; n -= 4 * OPS_LANES, s += 4 * OPS_LANES * apart, y += 4 * OPS_LANES) { \
            const int64_t last = n % OPS_LANES && n < 4 * OPS_LANES ? n % OPS_LANES : OPS_LANES; \
            if (n > 3 * OPS_LANES)                                                         \
                ops_window_run_##D(4, step, last, k, f, offset, s, apart, y, start, add);  \
            else if (n > 2 * OPS_LANES)                                                    \
                ops_window_run_##D(3, step, last, k, f, offset, s, apart, y, start, add);  \
            else if (n > OPS_LANES)                                                        \
                ops_window_run_##D(2, step, last, k, f, offset, s, apart, y, start, add);  \
            else                                                                           \
                ops_window_run_##D(1, step, last, k, f, offset, s, apart, y, start, add);  \
        }                                                                                  \
    }
OPS_WINDOW_RUN(f32, OPS_MULADD_F32)
OPS_WINDOW_RUN(f64, ops_muladd_v_f64)

/* m x n products of x, m x k and packed, with the lanes n0 .. n0 + n. */
#define OPS_WINDOW_FEW(D, S, LOAD, LOAD_N, ONE)                                            \
    /* Positions p .. p + n of the array's row `s`, and zeros where it is not. */          \
    OPS_INLINE void ops_window_line_##D##_##S(ops_##D *o, int64_t n, const ops_##S *s,     \
                                              int64_t p, int64_t stride, int64_t limit) {  \
        const int64_t a = limit < 0 || p >= 0 ? 0 : -p < n ? -p : n;                       \
        const int64_t b = limit < 0 || p + n <= limit ? n : limit - p > a ? limit - p : a; \
        for (int64_t i = 0; i < a; i += OPS_LANES) ops_store_##D(o + i, ops_zero_##D());   \
        int64_t i = a;                                                                     \
        if (stride == 1)                                                                   \
            for (; i < b; i += OPS_LANES)                                                  \
                ops_store_##D(o + i, b - i >= OPS_LANES ? LOAD(s + p + i)                  \
                                                        : LOAD_N(s + p + i, b - i));       \
        else                                                                               \
            for (; i < b; i++) o[i] = ONE(s[(p + i) * stride]);                            \
        for (i = b; i < n; i += OPS_LANES) ops_store_##D(o + i, ops_zero_##D());           \
    }                                                                                      \
    /* Element by element, for windows without lines. */                                   \
    OPS_CALL void ops_window_each_##D##_##S(const ops_window *w, const ops_depths *t,      \
                                            const ops_##D *x, const ops_##S *source,       \
                                            int64_t n0, int64_t n, ops_##D *y, int add) {  \
        ops_strip s;                                                                       \
        for (int64_t j = 0; j < n; j++) {                                                  \
            ops_##D sum = add ? y[j] : 0;                                                  \
            ops_window_strip(w, n0 + j, 1, &s);                                            \
            for (int64_t g = 0; g < t->groups; g++) {                                      \
                int64_t a, b;                                                              \
                ops_window_range(w, &s, t->at[g], &a, &b);                                 \
                for (int32_t i = t->first[g]; i < t->first[g + 1]; i++)                    \
                    sum += x[t->list[i]] *                                                 \
                           (a < b ? ONE(source[s.offset + t->offset[t->list[i]]]) : 0);    \
            }                                                                              \
            y[j] = sum;                                                                    \
        }                                                                                  \
    }                                                                                      \
    OPS_CALL void ops_few_window_##D##_##S(int64_t m, int64_t n, int64_t k,                \
                                           const ops_##D *x, const ops_##S *source,        \
                                           const int64_t *window, int64_t n0, ops_##D *y,  \
                                           int64_t y_row) {                                \
        const ops_window w = ops_window_of(window);                                        \
        ops_depths t;                                                                      \
        ops_lines lines;                                                                   \
        ops_strip s;                                                                       \
        ops_##D line[OPS_LINES + OPS_LANES], f[OPS_WINDOW_DEPTH];                          \
        int64_t offset[OPS_WINDOW_DEPTH], deep;                                            \
        for (int64_t i = 0; i < m && k == 0; i++)                                          \
            for (int64_t j = 0; j < n; j++) y[i * y_row + j] = 0;                          \
        for (int64_t l0 = 0; l0 < k; l0 += deep) {                                         \
            deep = k - l0 < OPS_WINDOW_DEPTH ? k - l0 : OPS_WINDOW_DEPTH;                  \
            int fits;                                                                      \
            for (;; deep = (deep + 1) / 2) {                                               \
                ops_window_depths(&w, l0, deep, &t);                                       \
                fits = ops_window_lines(&w, &t, deep, &lines);                             \
                if (fits || deep == 1 || lines.along < 0)                                  \
                    break;                                                                 \
            }                                                                              \
            if (!fits) {                                                                   \
                for (int64_t i = 0; i < m; i++)                                            \
                    ops_window_each_##D##_##S(&w, &t, x + i * k + l0, source, n0, n,       \
                                              y + i * y_row, l0 > 0);                      \
                continue;                                                                  \
            }                                                                              \
            for (int64_t j = 0; j < n; j += s.count) {                                     \
                ops_window_strip(&w, n0 + j, n - j < lines.most ? n - j : lines.most, &s); \
                const int64_t p = s.at[lines.along] + lines.least;                         \
                const int64_t length = (s.count - 1) * lines.step + lines.span + 1;        \
                /* Vectors of lanes run past the end, but stay in the line's room. */      \
                const int64_t room = (s.count + OPS_LANES) * lines.step + lines.span;      \
                const ops_##S *from = source + s.offset - s.at[lines.along] * lines.stride; \
                for (int64_t i = 0; i < m; i++) {                                          \
                    const ops_##D *row = x + i * k + l0;                                   \
                    /* Zeros outside count: times inf or nan they are nan. */              \
                    ops_##D start = 0;                                                     \
                    int64_t live = 0;                                                      \
                    for (int64_t r = 0; r < lines.lines; r++) {                            \
                        const int inside = ops_window_inside(&w, &s, &lines, r);           \
                        if (inside && i == 0)                                              \
                            ops_window_line_##D##_##S(line + r * room, length,             \
                                                      from + lines.key[r], p,              \
                                                      lines.stride, lines.limit);          \
                        for (int32_t l = lines.first[r]; l < lines.first[r + 1]; l++)      \
                            if (inside) {                                                  \
                                f[live] = row[l];                                          \
                                offset[live++] = r * room + lines.tap[l] - lines.least;    \
                            } else {                                                       \
                                start += row[l] * 0;                                       \
                            }                                                              \
                    }                                                                      \
                    ops_##D *o = y + i * y_row + j;                                        \
                    if (lines.step == 1)                                                   \
                        ops_window_strips_##D(1, s.count, live, f, offset, line, 1, o,     \
                                              start, l0 > 0);                              \
                    else if (lines.step == 2)                                              \
                        ops_window_strips_##D(2, s.count, live, f, offset, line, 2, o,     \
                                              start, l0 > 0);                              \
                    else                                                                   \
                        ops_window_strips_##D(0, s.count, live, f, offset, line,           \
                                              lines.step, o, start, l0 > 0);               \
                }                                                                          \
            }                                                                              \
        }                                                                                  \
    }
OPS_WINDOW_FEW(f32, f32, ops_load_f32, ops_load_n_f32, OPS_SAME)
OPS_WINDOW_FEW(f32, f16, ops_load_f16, ops_load_n_f16, ops_cvt_f16_to_f32)
OPS_WINDOW_FEW(f32, bf16, ops_load_bf16, ops_load_n_bf16, ops_cvt_bf16_to_f32)
OPS_WINDOW_FEW(f64, f64, ops_load_f64, ops_load_n_f64, OPS_SAME)

#endif
