/* Who works on what: threads, warps and blocks; folds over them. A part of opslib_cuda.h.
 *
 * A fold joins the states of all threads of a team and gives each of them the result, the
 * same bits: `join(a..., b...)` puts the state b, of later threads, behind the state a. */

/* -------------------------------------------------- numbers in the grid ---- */

OPS_INLINE int64_t ops_thread() { return (int64_t)blockIdx.x * blockDim.x + threadIdx.x; }
OPS_INLINE int64_t ops_threads() { return (int64_t)gridDim.x * blockDim.x; }
OPS_INLINE int64_t ops_warp() { return ops_thread() / OPS_WARP; }
OPS_INLINE int64_t ops_warps() { return ops_threads() / OPS_WARP; }
OPS_INLINE int ops_lane() { return (int)threadIdx.x % OPS_WARP; }

/* ------------------------------------------------------------- shuffles ---- */

#if OPS_WARP == 64
typedef uint64_t ops_lanes;
#else
typedef uint32_t ops_lanes;
#endif
OPS_INLINE ops_lanes ops_full_mask() { return ~(ops_lanes)0; }

/* The value that the lane `by` further on has (its own beyond the end), or that lane
 * `from` has: for any type of up to 8 bytes. */
template <class T>
OPS_INLINE T ops_shuffle_down(T x, int by) {
    if constexpr (sizeof(T) == 8) {
        union { T value; unsigned long long word; } c;
        c.value = x;
        c.word = __shfl_down_sync(ops_full_mask(), c.word, by);
        return c.value;
    } else {
        union { T value; unsigned int word; } c;
        c.word = 0;
        c.value = x;
        c.word = __shfl_down_sync(ops_full_mask(), c.word, by);
        return c.value;
    }
}
template <class T>
OPS_INLINE T ops_shuffle_up(T x, int by) {
    if constexpr (sizeof(T) == 8) {
        union { T value; unsigned long long word; } c;
        c.value = x;
        c.word = __shfl_up_sync(ops_full_mask(), c.word, by);
        return c.value;
    } else {
        union { T value; unsigned int word; } c;
        c.word = 0;
        c.value = x;
        c.word = __shfl_up_sync(ops_full_mask(), c.word, by);
        return c.value;
    }
}
template <class T>
OPS_INLINE T ops_shuffle(T x, int from) {
    if constexpr (sizeof(T) == 8) {
        union { T value; unsigned long long word; } c;
        c.value = x;
        c.word = __shfl_sync(ops_full_mask(), c.word, from);
        return c.value;
    } else {
        union { T value; unsigned int word; } c;
        c.word = 0;
        c.value = x;
        c.word = __shfl_sync(ops_full_mask(), c.word, from);
        return c.value;
    }
}

/* ---------------------------------------------------------------- folds ---- */

template <class Join, class... State>
OPS_INLINE void ops_warp_fold(Join join, State &...state) {
#pragma unroll
    for (int by = OPS_WARP / 2; by > 0; by /= 2) join(state..., ops_shuffle_down(state, by)...);
    ((state = ops_shuffle(state, 0)), ...);
}
/* States side by side in shared memory. */
template <class... State>
struct ops_states {};
template <class First, class... Rest>
struct ops_states<First, Rest...> {
    First first;
    ops_states<Rest...> rest;
};
OPS_INLINE void ops_put(ops_states<> &) {}
OPS_INLINE void ops_take(const ops_states<> &) {}
template <class First, class... Rest>
OPS_INLINE void ops_put(ops_states<First, Rest...> &to, First first, Rest... rest) {
    to.first = first;
    ops_put(to.rest, rest...);
}
template <class First, class... Rest>
OPS_INLINE void ops_take(const ops_states<First, Rest...> &from, First &first, Rest &...rest) {
    first = from.first;
    ops_take(from.rest, rest...);
}

/* The warps' states meet in shared memory; each warp folds all of them. There is a barrier
 * within, none at the end: before the same fold comes again, one must lie in between. */
template <int THREADS, class Join, class... State>
OPS_INLINE void ops_block_fold(Join join, State &...state) {
    constexpr int warps = THREADS / OPS_WARP;
    __shared__ ops_states<State...> met[warps];
    ops_warp_fold(join, state...);
    if (ops_lane() == 0) ops_put(met[threadIdx.x / OPS_WARP], state...);
    __syncthreads();
    ops_take(met[ops_lane() % warps], state...);
#pragma unroll
    for (int by = warps / 2; by > 0; by /= 2) join(state..., ops_shuffle_down(state, by)...);
    ((state = ops_shuffle(state, 0)), ...);
}

/* ---------------------------------------------------------------- scans ---- */

/* join(a's states..., b's states...): first those of a, then those of b are taken apart. */
template <class Join, class... Known>
OPS_INLINE void ops_with_second(Join join, const ops_states<> &, Known &...known) {
    join(known...);
}
template <class Join, class First, class... Rest, class... Known>
OPS_INLINE void ops_with_second(Join join, const ops_states<First, Rest...> &b, Known &...known) {
    ops_with_second(join, b.rest, known..., b.first);
}
template <class Join, class B, class... Known>
OPS_INLINE void ops_with_first(Join join, ops_states<> &, const B &b, Known &...known) {
    ops_with_second(join, b, known...);
}
template <class Join, class First, class... Rest, class B, class... Known>
OPS_INLINE void ops_with_first(Join join, ops_states<First, Rest...> &a, const B &b,
                               Known &...known) {
    ops_with_first(join, a.rest, b, known..., a.first);
}
/* a becomes the state of its elements and, after them, those of b. */
template <class Join, class... State>
OPS_INLINE void ops_append(Join join, ops_states<State...> &a, const ops_states<State...> &b) {
    ops_with_first(join, a, b);
}
OPS_INLINE ops_states<> ops_shuffle_up(const ops_states<> &x, int) { return x; }
template <class First, class... Rest>
OPS_INLINE ops_states<First, Rest...> ops_shuffle_up(const ops_states<First, Rest...> &x, int by) {
    return {ops_shuffle_up(x.first, by), ops_shuffle_up(x.rest, by)};
}
OPS_INLINE ops_states<> ops_shuffle(const ops_states<> &x, int) { return x; }
template <class First, class... Rest>
OPS_INLINE ops_states<First, Rest...> ops_shuffle(const ops_states<First, Rest...> &x, int from) {
    return {ops_shuffle(x.first, from), ops_shuffle(x.rest, from)};
}
/* Each lane's state becomes that of all lanes up to and with it. */
template <class Join, class State>
OPS_INLINE void ops_prefixes(Join join, State &state) {
#pragma unroll
    for (int by = 1; by < OPS_WARP; by *= 2) {
        State earlier = ops_shuffle_up(state, by);
        ops_append(join, earlier, state);
        if (ops_lane() >= by) state = earlier;
    }
}
/* The threads of a team have a part each, in order. Its state becomes what lies before it,
 * `carry` and the parts of earlier threads; `carry` becomes the state of all parts. */
template <class Join, class... State>
OPS_INLINE void ops_warp_scan(Join join, ops_states<State...> &carry, State &...part) {
    ops_states<State...> mine, before = carry;
    ops_put(mine, part...);
    ops_prefixes(join, mine);
    const ops_states<State...> earlier = ops_shuffle_up(mine, 1);
    ops_append(join, carry, ops_shuffle(mine, OPS_WARP - 1));
    if (ops_lane() > 0) ops_append(join, before, earlier);
    ops_take(before, part...);
}
/* There is a barrier within, none at the end, as in ops_block_fold. */
template <int THREADS, class Join, class... State>
OPS_INLINE void ops_block_scan(Join join, ops_states<State...> &carry, State &...part) {
    constexpr int warps = THREADS / OPS_WARP;
    __shared__ ops_states<State...> met[warps];
    ops_states<State...> mine, before = carry;
    ops_put(mine, part...);
    ops_prefixes(join, mine);
    const int warp = threadIdx.x / OPS_WARP;
    if (ops_lane() == OPS_WARP - 1) met[warp] = mine;
    const ops_states<State...> earlier = ops_shuffle_up(mine, 1);
    __syncthreads();
    for (int w = 0; w < warps; w++) {
        if (w == warp) before = carry;
        ops_append(join, carry, met[w]);
    }
    if (ops_lane() > 0) ops_append(join, before, earlier);
    ops_take(before, part...);
}
