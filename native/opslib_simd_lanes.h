/* Masks and what one lane does with another: fma, rounding, extremes.
 * A part of opslib_simd.h, which see. */

/* --------------------------------------------------------- masks, select ---- */

#define OPS_MASK_PAIRS(X)                                                \
    X(i64, i32) X(i64, i16) X(i64, i8) X(i32, i64) X(i32, i16) X(i32, i8) \
    X(i16, i64) X(i16, i32) X(i16, i8) X(i8, i64) X(i8, i32) X(i8, i16)
#define OPS_X(A, B)                                             \
    OPS_INLINE ops_v_##B ops_mask_##A##_to_##B(ops_v_##A m) {   \
        return __builtin_convertvector(m, ops_v_##B);           \
    }
OPS_MASK_PAIRS(OPS_X)
#undef OPS_X

/* A stored bool (any non-zero byte is true) as a mask and back (0 or 1). */
#define OPS_X(M)                                                                        \
    OPS_INLINE ops_v_##M ops_mask_##M##_to_##M(ops_v_##M m) { return m; }               \
    OPS_INLINE ops_v_##M ops_bool_to_mask_##M(ops_v_u8 b) {                             \
        return __builtin_convertvector((ops_v_i8)(b != 0), ops_v_##M);                  \
    }                                                                                   \
    OPS_INLINE ops_v_u8 ops_mask_##M##_to_bool(ops_v_##M m) {                           \
        return (ops_v_u8)(-__builtin_convertvector(m, ops_v_i8));                       \
    }
OPS_X(i64) OPS_X(i32) OPS_X(i16) OPS_X(i8)
#undef OPS_X
OPS_INLINE ops_v_u8 ops_load_bool(const ops_bool *p) { return ops_load_u8(p); }
OPS_INLINE ops_v_u8 ops_load_n_bool(const ops_bool *p, int64_t n) { return ops_load_n_u8(p, n); }
OPS_INLINE ops_v_u8 ops_loads_bool(const ops_bool *p, int64_t stride, int64_t n) {
    return ops_loads_u8(p, stride, n);
}
OPS_INLINE ops_v_u8 ops_gather_bool(const ops_bool *p, ops_v_i64 index, int64_t n) {
    return ops_gather_u8(p, index, n);
}
OPS_INLINE void ops_store_bool(ops_bool *p, ops_v_u8 v) { ops_store_u8(p, v); }
OPS_INLINE void ops_store_n_bool(ops_bool *p, ops_v_u8 v, int64_t n) { ops_store_n_u8(p, v, n); }
OPS_INLINE void ops_stores_bool(ops_bool *p, int64_t stride, ops_v_u8 v, int64_t n) {
    ops_stores_u8(p, stride, v, n);
}

/* Lane i of a where the mask is -1, of b where it is 0. */
#define OPS_X(D, U, M)                                                                     \
    OPS_INLINE ops_v_##D ops_select_v_##D(ops_v_##M m, ops_v_##D a, ops_v_##D b) {         \
        return (ops_v_##D)((m & (ops_v_##M)a) | (~m & (ops_v_##M)b));                      \
    }
#define OPS_Y(D)                                                                     \
    OPS_INLINE ops_v_##D ops_select_v_##D(ops_v_i32 m, ops_v_##D a, ops_v_##D b) {   \
        return (ops_v_##D)OPS_ROW_SELECT_32(m, a, b);                                \
    }
OPS_X(f64, u64, i64) OPS_X(i64, u64, i64) OPS_X(u64, u64, i64)
OPS_X(i16, u16, i16) OPS_X(u16, u16, i16) OPS_X(i8, u8, i8) OPS_X(u8, u8, i8)
#if defined(OPS_ROW_SELECT_32)
OPS_Y(f32) OPS_Y(i32) OPS_Y(u32)
#else
OPS_X(f32, u32, i32) OPS_X(i32, u32, i32) OPS_X(u32, u32, i32)
#endif
#undef OPS_X
#undef OPS_Y
/* The scalar twins, so one text serves both; a scalar mask is 0 or non-zero. */
#define OPS_X(D, U, M)                                                             \
    OPS_INLINE ops_##D ops_select_##D(ops_##M m, ops_##D a, ops_##D b) {           \
        return m ? a : b;                                                          \
    }
OPS_ALL_TYPES(OPS_X)
#undef OPS_X

#define OPS_X(M)                                                         \
    OPS_INLINE int ops_any_##M(ops_v_##M m) {                            \
        ops_##M r = 0;                                                   \
        for (int i = 0; i < OPS_LANES; i++) r = (ops_##M)(r | m[i]);     \
        return r != 0;                                                   \
    }                                                                    \
    OPS_INLINE int ops_all_##M(ops_v_##M m) {                            \
        ops_##M r = -1;                                                  \
        for (int i = 0; i < OPS_LANES; i++) r = (ops_##M)(r & m[i]);     \
        return r != 0;                                                   \
    }
OPS_X(i64) OPS_X(i16) OPS_X(i8)
#if defined(OPS_ROW_ANY_32)
OPS_INLINE int ops_any_i32(ops_v_i32 m) { return OPS_ROW_ANY_32(m); }
OPS_INLINE int ops_all_i32(ops_v_i32 m) { return OPS_ROW_ALL_32(m); }
#else
OPS_X(i32)
#endif
#undef OPS_X
OPS_INLINE int ops_any(ops_v_i32 m) { return ops_any_i32(m); }
OPS_INLINE int ops_all(ops_v_i32 m) { return ops_all_i32(m); }

/* ------------------------------------------- fma, sqrt, rounding, min, max ---- */

/* Scalar: with hardware fma one instruction, else libm's exact software one. */
OPS_INLINE float ops_fma_f32(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
OPS_INLINE double ops_fma_f64(double a, double b, double c) { return __builtin_fma(a, b, c); }
OPS_INLINE ops_v_f32 ops_fma_v_f32(ops_v_f32 a, ops_v_f32 b, ops_v_f32 c) {
#if defined(OPS_ROW_FMA_F32)
    return (ops_v_f32)OPS_ROW_FMA_F32(a, b, c);
#elif OPS_HAS(__builtin_elementwise_fma)
    return __builtin_elementwise_fma(a, b, c);
#else
    for (int i = 0; i < OPS_LANES; i++) c[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return c;
#endif
}
OPS_INLINE ops_v_f64 ops_fma_v_f64(ops_v_f64 a, ops_v_f64 b, ops_v_f64 c) {
#if defined(OPS_ROW_FMA_F64)
    return OPS_BOTH_3(OPS_ROW_FMA_F64, a, b, c);
#elif OPS_HAS(__builtin_elementwise_fma)
    return __builtin_elementwise_fma(a, b, c);
#else
    for (int i = 0; i < OPS_LANES; i++) c[i] = __builtin_fma(a[i], b[i], c[i]);
    return c;
#endif
}

/* ROW: the row's macro; B: clang's elementwise builtin; S: the scalar builtin. */
#define OPS_LANEWISE_F32(name, S)                                                \
    OPS_INLINE ops_v_f32 ops_##name##_v_f32(ops_v_f32 a) {                       \
        for (int i = 0; i < OPS_LANES; i++) a[i] = __builtin_##S##f(a[i]);       \
        return a;                                                                \
    }
#define OPS_LANEWISE_F64(name, S)                                                \
    OPS_INLINE ops_v_f64 ops_##name##_v_f64(ops_v_f64 a) {                       \
        for (int i = 0; i < OPS_LANES; i++) a[i] = __builtin_##S(a[i]);          \
        return a;                                                                \
    }
#define OPS_ELEMENTWISE(name, B)                                                 \
    OPS_INLINE ops_v_f32 ops_##name##_v_f32(ops_v_f32 a) { return B(a); }        \
    OPS_INLINE ops_v_f64 ops_##name##_v_f64(ops_v_f64 a) { return B(a); }
#define OPS_BY_ROW(name, ROW)                                                    \
    OPS_INLINE ops_v_f32 ops_##name##_v_f32(ops_v_f32 a) {                       \
        return (ops_v_f32)ROW##_F32(a);                                          \
    }                                                                            \
    OPS_INLINE ops_v_f64 ops_##name##_v_f64(ops_v_f64 a) {                       \
        return OPS_BOTH_1(ROW##_F64, a);                                         \
    }

OPS_INLINE float ops_sqrt_f32(float a) { return __builtin_sqrtf(a); }
OPS_INLINE double ops_sqrt_f64(double a) { return __builtin_sqrt(a); }
#if defined(OPS_ROW_SQRT_F32)
OPS_BY_ROW(sqrt, OPS_ROW_SQRT)
#elif OPS_HAS(__builtin_elementwise_sqrt)
OPS_ELEMENTWISE(sqrt, __builtin_elementwise_sqrt)
#else
OPS_LANEWISE_F32(sqrt, sqrt)
OPS_LANEWISE_F64(sqrt, sqrt)
#endif

/* Portable roundings.  rint: adding and taking away 2^23 (2^52) rounds |x| to an integer,
 * ties to even, in the default rounding mode; larger values are integers already, and
 * nan fails the comparison and so passes through.  The sign bit is put back, so that
 * -0.3 gives -0.  The others correct rint by one. */
#define OPS_ROUNDINGS(V, D, U, M, UT, FT, SEL, SIGN, BIG)                               \
    OPS_INLINE FT ops_round_##V##D(FT x) {                                              \
        UT sign = (UT)ops_bits_##V##D(x) & SIGN;                                        \
        FT a = ops_from_bits_##V##D(ops_bits_##V##D(x) & ~sign);                        \
        FT r = ops_from_bits_##V##D(ops_bits_##V##D((a + BIG) - BIG) | sign);           \
        return SEL(a < BIG, r, x);                                                      \
    }                                                                                   \
    OPS_INLINE FT ops_floor_##V##D(FT x) {                                              \
        UT sign = (UT)ops_bits_##V##D(x) & SIGN;                                        \
        FT r = ops_round_##V##D(x);                                                     \
        r = r - SEL(r > x, (FT){0} + 1, (FT){0});                                       \
        return ops_from_bits_##V##D(ops_bits_##V##D(r) | sign);                         \
    }                                                                                   \
    OPS_INLINE FT ops_ceil_##V##D(FT x) { return -ops_floor_##V##D(-x); }               \
    OPS_INLINE FT ops_trunc_##V##D(FT x) {                                              \
        UT sign = (UT)ops_bits_##V##D(x) & SIGN;                                        \
        FT a = ops_from_bits_##V##D(ops_bits_##V##D(x) & ~sign);                        \
        return ops_from_bits_##V##D(ops_bits_##V##D(ops_floor_##V##D(a)) | sign);       \
    }
#if defined(OPS_ROW_RINT_F32)
OPS_BY_ROW(round, OPS_ROW_RINT)
OPS_BY_ROW(floor, OPS_ROW_FLOOR)
OPS_BY_ROW(ceil, OPS_ROW_CEIL)
OPS_BY_ROW(trunc, OPS_ROW_TRUNC)
OPS_INLINE float ops_round_f32(float x) { return __builtin_rintf(x); }
OPS_INLINE float ops_floor_f32(float x) { return __builtin_floorf(x); }
OPS_INLINE float ops_ceil_f32(float x) { return __builtin_ceilf(x); }
OPS_INLINE float ops_trunc_f32(float x) { return __builtin_truncf(x); }
OPS_INLINE double ops_round_f64(double x) { return __builtin_rint(x); }
OPS_INLINE double ops_floor_f64(double x) { return __builtin_floor(x); }
OPS_INLINE double ops_ceil_f64(double x) { return __builtin_ceil(x); }
OPS_INLINE double ops_trunc_f64(double x) { return __builtin_trunc(x); }
#else
#define OPS_SIGN_F32 0x80000000u
#define OPS_SIGN_F64 0x8000000000000000ull
OPS_ROUNDINGS(, f32, u32, i32, uint32_t, float, ops_select_f32, OPS_SIGN_F32, 0x1p23f)
OPS_ROUNDINGS(, f64, u64, i64, uint64_t, double, ops_select_f64, OPS_SIGN_F64, 0x1p52)
OPS_ROUNDINGS(v_, f32, u32, i32, ops_v_u32, ops_v_f32, ops_select_v_f32, OPS_SIGN_F32, 0x1p23f)
OPS_ROUNDINGS(v_, f64, u64, i64, ops_v_u64, ops_v_f64, ops_select_v_f64, OPS_SIGN_F64, 0x1p52)
#endif

/* a > b ? a : b and a < b ? a : b, nothing more: b if either is nan.  What x86 has. */
OPS_INLINE float ops_pick_max_f32(float a, float b) { return a > b ? a : b; }
OPS_INLINE float ops_pick_min_f32(float a, float b) { return a < b ? a : b; }
OPS_INLINE ops_v_f32 ops_pick_max_v_f32(ops_v_f32 a, ops_v_f32 b) {
#if defined(OPS_ROW_PICK_MAX_F32)
    return (ops_v_f32)OPS_ROW_PICK_MAX_F32(a, b);
#else
    return ops_select_v_f32(a > b, a, b);
#endif
}
OPS_INLINE ops_v_f32 ops_pick_min_v_f32(ops_v_f32 a, ops_v_f32 b) {
#if defined(OPS_ROW_PICK_MIN_F32)
    return (ops_v_f32)OPS_ROW_PICK_MIN_F32(a, b);
#else
    return ops_select_v_f32(a < b, a, b);
#endif
}

/* Lane i: entry i mod 16 of a table. */
OPS_INLINE ops_v_f32 ops_table16_v_f32(const float *table, ops_v_u32 index) {
#if defined(OPS_ROW_TABLE16_F32)
    return (ops_v_f32)OPS_ROW_TABLE16_F32(table, index);
#else
    ops_v_f32 v;
    for (int i = 0; i < OPS_LANES; i++) v[i] = table[index[i] & 15u];
    return v;
#endif
}

/* maximum, minimum: a nan in either operand gives nan; -0 < +0.  Equal operands differ at
 * most in the sign of a zero, so and (or) of their bits is their maximum (minimum).
 * fmax, fmin: a nan operand is ignored; nan only if both are. */
#define OPS_X(D, U, M)                                                                    \
    OPS_INLINE ops_v_##D ops_maximum_v_##D(ops_v_##D a, ops_v_##D b) {                    \
        ops_v_##D r = ops_select_v_##D(a > b, a, b);                                      \
        r = ops_select_v_##D(a == b, (ops_v_##D)((ops_v_##U)a & (ops_v_##U)b), r);        \
        return ops_select_v_##D((a != a) | (b != b), a + b, r);                           \
    }                                                                                     \
    OPS_INLINE ops_v_##D ops_minimum_v_##D(ops_v_##D a, ops_v_##D b) {                    \
        ops_v_##D r = ops_select_v_##D(a < b, a, b);                                      \
        r = ops_select_v_##D(a == b, (ops_v_##D)((ops_v_##U)a | (ops_v_##U)b), r);        \
        return ops_select_v_##D((a != a) | (b != b), a + b, r);                           \
    }                                                                                     \
    OPS_INLINE ops_##D ops_maximum_##D(ops_##D a, ops_##D b) {                            \
        ops_##D r = a > b ? a : b;                                                        \
        r = a == b ? ops_from_bits_##D(ops_bits_##D(a) & ops_bits_##D(b)) : r;            \
        return a != a || b != b ? a + b : r;                                              \
    }                                                                                     \
    OPS_INLINE ops_##D ops_minimum_##D(ops_##D a, ops_##D b) {                            \
        ops_##D r = a < b ? a : b;                                                        \
        r = a == b ? ops_from_bits_##D(ops_bits_##D(a) | ops_bits_##D(b)) : r;            \
        return a != a || b != b ? a + b : r;                                              \
    }                                                                                     \
    OPS_INLINE ops_v_##D ops_fmax_v_##D(ops_v_##D a, ops_v_##D b) {                       \
        return ops_maximum_v_##D(ops_select_v_##D(a == a, a, b), ops_select_v_##D(b == b, b, a)); \
    }                                                                                     \
    OPS_INLINE ops_v_##D ops_fmin_v_##D(ops_v_##D a, ops_v_##D b) {                       \
        return ops_minimum_v_##D(ops_select_v_##D(a == a, a, b), ops_select_v_##D(b == b, b, a)); \
    }                                                                                     \
    OPS_INLINE ops_##D ops_fmax_##D(ops_##D a, ops_##D b) {                               \
        return ops_maximum_##D(a == a ? a : b, b == b ? b : a);                           \
    }                                                                                     \
    OPS_INLINE ops_##D ops_fmin_##D(ops_##D a, ops_##D b) {                               \
        return ops_minimum_##D(a == a ? a : b, b == b ? b : a);                           \
    }
OPS_FLOAT_TYPES(OPS_X)
#undef OPS_X
