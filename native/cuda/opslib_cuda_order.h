/* A row in order, with positions, by one block. A part of opslib_cuda.h.
 *
 * Elements become keys that compare as words; key and position together differ, so any
 * network sorts stably. A bitonic one whose comparisons all point the same way sorts any
 * length: what would lie beyond the end counts as largest, and stays there. */

/* Ascending, a nan is the last; descending is the complement. -0 counts as 0. */
OPS_INLINE uint64_t ops_key(float x) {
    uint32_t u = ops_bits_f32(x == 0 ? 0.0f : x);
    return x != x ? 0xffffffffu : (u >> 31 ? ~u : u | 0x80000000u);
}
OPS_INLINE uint64_t ops_key(double x) {
    uint64_t u = ops_bits_f64(x == 0 ? 0.0 : x);
    return x != x ? ~0ull : (u >> 63 ? ~u : u | 0x8000000000000000ull);
}
OPS_INLINE uint64_t ops_key(int64_t x) { return (uint64_t)x ^ 0x8000000000000000ull; }
OPS_INLINE uint64_t ops_key(int32_t x) { return ops_key((int64_t)x); }
OPS_INLINE uint64_t ops_key(int16_t x) { return ops_key((int64_t)x); }
OPS_INLINE uint64_t ops_key(int8_t x) { return ops_key((int64_t)x); }
OPS_INLINE uint64_t ops_key(uint64_t x) { return x; }
OPS_INLINE uint64_t ops_key(uint32_t x) { return x; }
OPS_INLINE uint64_t ops_key(uint16_t x) { return x; }
OPS_INLINE uint64_t ops_key(uint8_t x) { return x; }

/* Puts the lesser of two elements first. */
OPS_INLINE void ops_exchange(uint64_t *keys, uint64_t *at, int64_t low, int64_t high) {
    uint64_t a = keys[low], b = keys[high], i = at[low], j = at[high];
    if (b < a || (b == a && j < i)) {
        keys[low] = b;
        keys[high] = a;
        at[low] = j;
        at[high] = i;
    }
}

/* Values and positions of the ranks first..last; `words` has room for 2 n. All threads of
 * the block call it; the results are for all after the next barrier. */
template <class T>
OPS_INLINE void ops_block_order(const T *row, T *values, int64_t *places, uint64_t *words,
                                int64_t n, int64_t first, int64_t last, bool descending) {
    uint64_t *keys = words, *at = words + n;
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
        keys[i] = descending ? ~ops_key(row[i]) : ops_key(row[i]);
        at[i] = (uint64_t)i;
    }
    __syncthreads();
    for (int64_t width = 2; width < 2 * n; width *= 2) {
        const int64_t half = width / 2;
        /* Two sorted halves: the first step meets them head to head. */
        for (int64_t p = threadIdx.x;; p += blockDim.x) {
            const int64_t low = (p & ~(half - 1)) * 2 + (p & (half - 1));
            if (low >= n) break;
            const int64_t high = low ^ (width - 1);
            if (high < n) ops_exchange(keys, at, low, high);
        }
        __syncthreads();
        for (int64_t by = half / 2; by > 0; by /= 2) {
            for (int64_t p = threadIdx.x;; p += blockDim.x) {
                const int64_t low = (p & ~(by - 1)) * 2 + (p & (by - 1));
                if (low >= n) break;
                if (low + by < n) ops_exchange(keys, at, low, low + by);
            }
            __syncthreads();
        }
    }
    const int64_t begin = first > 0 ? first : 0, end = last < n ? last : n;
    for (int64_t k = begin + threadIdx.x; k < end; k += blockDim.x) {
        values[k] = row[at[k]];
        places[k] = (int64_t)at[k];
    }
}
