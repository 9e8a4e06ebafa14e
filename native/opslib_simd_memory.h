/* Loads and stores: whole, partial, strided, gathered.
 * A part of opslib_simd.h, which see. */

/* ---------------------------------------------------------- loads, stores ---- */
/* Unaligned always; *_n touches exactly the first n <= OPS_LANES elements, and lanes
 * past n read as 0.  Strides and indices count elements; whole vectors of stride 1 and 0
 * are told apart while running, so that one kernel serves arrays whether or not they are
 * broadcast (0.7 ns more for 16 lanes in the first cache, nothing measurable beyond). */

#define OPS_X(D, U, M)                                                                  \
    OPS_INLINE ops_v_##D ops_load_##D(const ops_##D *p) {                               \
        ops_v_##D v;                                                                    \
        memcpy(&v, p, sizeof v);                                                        \
        return v;                                                                       \
    }                                                                                   \
    OPS_INLINE void ops_store_##D(ops_##D *p, ops_v_##D v) { memcpy(p, &v, sizeof v); } \
    OPS_INLINE ops_v_##D ops_loads_##D(const ops_##D *p, int64_t stride, int64_t n) {   \
        if (stride == 1 && n == OPS_LANES) return ops_load_##D(p);                      \
        if (stride == 0 && n == OPS_LANES) return ops_splat_##D(*p);                    \
        ops_v_##D v = {0};                                                              \
        for (int i = 0; i < OPS_LANES; i++)                                             \
            if (i < n) v[i] = p[i * stride];                                            \
        return v;                                                                       \
    }                                                                                   \
    OPS_INLINE void ops_stores_##D(ops_##D *p, int64_t stride, ops_v_##D v, int64_t n) {\
        for (int i = 0; i < OPS_LANES; i++)                                             \
            if (i < n) p[i * stride] = v[i];                                            \
    }                                                                                   \
    OPS_INLINE ops_v_##D ops_gather_##D(const ops_##D *p, ops_v_i64 index, int64_t n) { \
        ops_v_##D v = {0};                                                              \
        for (int i = 0; i < OPS_LANES; i++)                                             \
            if (i < n) v[i] = p[index[i]];                                              \
        return v;                                                                       \
    }
OPS_ALL_TYPES(OPS_X)
#undef OPS_X

/* Tails.  The portable form copies lane by lane through a small buffer. */
#define OPS_TAIL_PORTABLE(D)                                                           \
    OPS_INLINE ops_v_##D ops_load_n_##D(const ops_##D *p, int64_t n) {                 \
        ops_##D buffer[OPS_LANES] = {0};                                               \
        for (int i = 0; i < OPS_LANES; i++)                                            \
            if (i < n) buffer[i] = p[i];                                               \
        ops_v_##D v;                                                                   \
        memcpy(&v, buffer, sizeof v);                                                  \
        return v;                                                                      \
    }                                                                                  \
    OPS_INLINE void ops_store_n_##D(ops_##D *p, ops_v_##D v, int64_t n) {              \
        ops_##D buffer[OPS_LANES];                                                     \
        memcpy(buffer, &v, sizeof v);                                                  \
        for (int i = 0; i < OPS_LANES; i++)                                            \
            if (i < n) p[i] = buffer[i];                                               \
    }
#define OPS_TAIL_ROW(D, LOAD, STORE)                                                   \
    OPS_INLINE ops_v_##D ops_load_n_##D(const ops_##D *p, int64_t n) {                 \
        return (ops_v_##D)LOAD(p, n);                                                  \
    }                                                                                  \
    OPS_INLINE void ops_store_n_##D(ops_##D *p, ops_v_##D v, int64_t n) {              \
        STORE(p, n, v);                                                                \
    }
/* Masks for the first n lanes, as a row with mask vectors (AVX2) wants them. */
OPS_INLINE ops_v_i32 ops_first_i32(int64_t n) {
    return ops_iota_i32() < ops_splat_i32((int32_t)n);
}
OPS_INLINE ops_v_i64 ops_first_i64(int64_t n) { return ops_iota_i64() < ops_splat_i64(n); }

#if defined(OPS_ROW_LOAD_N_32)
#define OPS_LOAD_TAIL_32(p, n) OPS_ROW_LOAD_N_32(p, ops_first_i32(n))
#define OPS_STORE_TAIL_32(p, n, v) OPS_ROW_STORE_N_32(p, ops_first_i32(n), v)
#elif defined(OPS_ROW_TAIL_32)
#define OPS_LOAD_TAIL_32(p, n) OPS_ROW_TAIL_32(p, n)
#define OPS_STORE_TAIL_32(p, n, v) OPS_ROW_STORE_TAIL_32(p, n, v)
#endif
#if defined(OPS_ROW_LOAD_N_64)
#define OPS_LOW_N(p, n) OPS_ROW_LOAD_N_64(p, OPS_LOW_64(ops_first_i64(n)))
#define OPS_HIGH_N(p, n) OPS_ROW_LOAD_N_64((p) + OPS_HALF_LANES, OPS_HIGH_64(ops_first_i64(n)))
#define OPS_LOAD_TAIL_64(p, n) \
    OPS_JOIN_64((ops_half_i64)OPS_LOW_N(p, n), (ops_half_i64)OPS_HIGH_N(p, n))
#define OPS_STORE_TAIL_64(p, n, v)                                                 \
    do {                                                                           \
        OPS_ROW_STORE_N_64(p, OPS_LOW_64(ops_first_i64(n)), OPS_LOW_64(v));        \
        OPS_ROW_STORE_N_64((p) + OPS_HALF_LANES, OPS_HIGH_64(ops_first_i64(n)),    \
                           OPS_HIGH_64(v));                                        \
    } while (0)
#elif defined(OPS_ROW_TAIL_64)
#define OPS_N_LOW(n) ((n) < OPS_HALF_LANES ? (n) : OPS_HALF_LANES)
#define OPS_N_HIGH(n) ((n) > OPS_HALF_LANES ? (n)-OPS_HALF_LANES : 0)
#define OPS_LOAD_TAIL_64(p, n)                                       \
    OPS_JOIN_64((ops_half_i64)OPS_ROW_TAIL_64(p, OPS_N_LOW(n)),      \
                (ops_half_i64)OPS_ROW_TAIL_64((p) + OPS_HALF_LANES, OPS_N_HIGH(n)))
#define OPS_STORE_TAIL_64(p, n, v)                                                       \
    do {                                                                                 \
        OPS_ROW_STORE_TAIL_64(p, OPS_N_LOW(n), OPS_LOW_64(v));                           \
        OPS_ROW_STORE_TAIL_64((p) + OPS_HALF_LANES, OPS_N_HIGH(n), OPS_HIGH_64(v));      \
    } while (0)
#endif

#if defined(OPS_LOAD_TAIL_32)
OPS_TAIL_ROW(f32, OPS_LOAD_TAIL_32, OPS_STORE_TAIL_32)
OPS_TAIL_ROW(i32, OPS_LOAD_TAIL_32, OPS_STORE_TAIL_32)
OPS_TAIL_ROW(u32, OPS_LOAD_TAIL_32, OPS_STORE_TAIL_32)
#else
OPS_TAIL_PORTABLE(f32)
OPS_TAIL_PORTABLE(i32)
OPS_TAIL_PORTABLE(u32)
#endif
#if defined(OPS_LOAD_TAIL_64)
OPS_TAIL_ROW(f64, OPS_LOAD_TAIL_64, OPS_STORE_TAIL_64)
OPS_TAIL_ROW(i64, OPS_LOAD_TAIL_64, OPS_STORE_TAIL_64)
OPS_TAIL_ROW(u64, OPS_LOAD_TAIL_64, OPS_STORE_TAIL_64)
#else
OPS_TAIL_PORTABLE(f64)
OPS_TAIL_PORTABLE(i64)
OPS_TAIL_PORTABLE(u64)
#endif
#if defined(OPS_ROW_TAIL_16)
OPS_TAIL_ROW(i16, OPS_ROW_TAIL_16, OPS_ROW_STORE_TAIL_16)
OPS_TAIL_ROW(u16, OPS_ROW_TAIL_16, OPS_ROW_STORE_TAIL_16)
#else
OPS_TAIL_PORTABLE(i16)
OPS_TAIL_PORTABLE(u16)
#endif
#if defined(OPS_ROW_TAIL_8)
OPS_TAIL_ROW(i8, OPS_ROW_TAIL_8, OPS_ROW_STORE_TAIL_8)
OPS_TAIL_ROW(u8, OPS_ROW_TAIL_8, OPS_ROW_STORE_TAIL_8)
#else
OPS_TAIL_PORTABLE(i8)
OPS_TAIL_PORTABLE(u8)
#endif
