/* Conversions between element types, the 16-bit floats among them.
 * A part of opslib_simd.h, which see. */

/* ----------------------------------------------------------- conversions ---- */
/* int -> int wraps; int -> float rounds to nearest even; float -> int truncates.  Out of
 * range and nan give what x86 and so NumPy there give, on every chip and compiler:
 *     i32, i64          the minimum
 *     i16 u16 i8 u8     as i32, then the low bits (nan: 0)
 *     u32               as i64, then the low bits (nan: 0, -1.0: 2^32 - 1)
 *     u64               below 2^63 as i64, bits kept (nan: 2^63); 2^64 and above: 0 */

OPS_INLINE int32_t ops_cvt_f32_to_i32(float x) {
    return x >= -0x1p31f && x < 0x1p31f ? (int32_t)x : INT32_MIN;
}
OPS_INLINE int64_t ops_cvt_f32_to_i64(float x) {
    return x >= -0x1p63f && x < 0x1p63f ? (int64_t)x : INT64_MIN;
}
OPS_INLINE int32_t ops_cvt_f64_to_i32(double x) {
    return x > -0x1.00000002p31 && x < 0x1p31 ? (int32_t)x : INT32_MIN;
}
OPS_INLINE int64_t ops_cvt_f64_to_i64(double x) {
    return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x : INT64_MIN;
}
OPS_INLINE ops_v_i32 ops_cvt_v_f32_to_i32(ops_v_f32 x) {
#if defined(OPS_ROW_F32_TO_I32)
    return (ops_v_i32)OPS_ROW_F32_TO_I32(x);
#else
    ops_v_i32 ok = (x >= -0x1p31f) & (x < 0x1p31f);
    ops_v_i32 r = __builtin_convertvector((ops_v_f32)((ops_v_i32)x & ok), ops_v_i32);
    return (r & ok) | (~ok & INT32_MIN);
#endif
}
OPS_INLINE ops_v_i64 ops_cvt_v_f64_to_i64(ops_v_f64 x) {
    ops_v_i64 ok = (x >= -0x1p63) & (x < 0x1p63);
    ops_v_i64 r = __builtin_convertvector((ops_v_f64)((ops_v_i64)x & ok), ops_v_i64);
    return (r & ok) | (~ok & INT64_MIN);
}
OPS_INLINE ops_v_i32 ops_cvt_v_f64_to_i32(ops_v_f64 x) {
    ops_v_i64 ok = (x > -0x1.00000002p31) & (x < 0x1p31);
    x = ops_select_v_f64(ok, x, ops_splat_f64(-0x1p31));
    return __builtin_convertvector(x, ops_v_i32);
}
OPS_INLINE ops_v_i64 ops_cvt_v_f32_to_i64(ops_v_f32 x) {
    return ops_cvt_v_f64_to_i64(__builtin_convertvector(x, ops_v_f64));
}
#define OPS_X(F, BIG)                                                                     \
    OPS_INLINE uint64_t ops_cvt_##F##_to_u64(ops_##F x) {                                 \
        return x >= BIG ? (uint64_t)ops_cvt_##F##_to_i64(x - BIG) ^ 0x8000000000000000ull \
                        : (uint64_t)ops_cvt_##F##_to_i64(x);                              \
    }                                                                                     \
    OPS_INLINE ops_v_u64 ops_cvt_v_##F##_to_u64(ops_v_##F x) {                            \
        ops_v_u64 r;                                                                      \
        for (int i = 0; i < OPS_LANES; i++) r[i] = ops_cvt_##F##_to_u64(x[i]);            \
        return r;                                                                         \
    }                                                                                     \
    OPS_INLINE uint32_t ops_cvt_##F##_to_u32(ops_##F x) {                                 \
        return (uint32_t)ops_cvt_##F##_to_i64(x);                                         \
    }                                                                                     \
    OPS_INLINE ops_v_u32 ops_cvt_v_##F##_to_u32(ops_v_##F x) {                            \
        return __builtin_convertvector(ops_cvt_v_##F##_to_i64(x), ops_v_u32);             \
    }
OPS_X(f32, 0x1p63f)
OPS_X(f64, 0x1p63)
#undef OPS_X
#define OPS_X(F, D)                                                                       \
    OPS_INLINE ops_##D ops_cvt_##F##_to_##D(ops_##F x) {                                  \
        return (ops_##D)ops_cvt_##F##_to_i32(x);                                          \
    }                                                                                     \
    OPS_INLINE ops_v_##D ops_cvt_v_##F##_to_##D(ops_v_##F x) {                            \
        return __builtin_convertvector(ops_cvt_v_##F##_to_i32(x), ops_v_##D);             \
    }
OPS_X(f32, i16) OPS_X(f32, u16) OPS_X(f32, i8) OPS_X(f32, u8)
OPS_X(f64, i16) OPS_X(f64, u16) OPS_X(f64, i8) OPS_X(f64, u8)
#undef OPS_X

#define OPS_PLAIN(A, B)                                                              \
    OPS_INLINE ops_##B ops_cvt_##A##_to_##B(ops_##A x) { return (ops_##B)x; }        \
    OPS_INLINE ops_v_##B ops_cvt_v_##A##_to_##B(ops_v_##A x) {                       \
        return __builtin_convertvector(x, ops_v_##B);                                \
    }
#define OPS_FROM_INT(A)                                                              \
    OPS_PLAIN(A, f64) OPS_PLAIN(A, f32) OPS_PLAIN(A, i64) OPS_PLAIN(A, u64)          \
    OPS_PLAIN(A, i32) OPS_PLAIN(A, u32) OPS_PLAIN(A, i16) OPS_PLAIN(A, u16)          \
    OPS_PLAIN(A, i8) OPS_PLAIN(A, u8)
OPS_FROM_INT(i64) OPS_FROM_INT(u64) OPS_FROM_INT(i32) OPS_FROM_INT(u32)
OPS_FROM_INT(i16) OPS_FROM_INT(u16) OPS_FROM_INT(i8) OPS_FROM_INT(u8)
OPS_PLAIN(f32, f32) OPS_PLAIN(f32, f64) OPS_PLAIN(f64, f32) OPS_PLAIN(f64, f64)
#undef OPS_FROM_INT
#undef OPS_PLAIN

/* f64 -> f32 rounded to odd: cut off, and the last bit set if anything was lost.  A later
 * rounding to a format at least two bits shorter then acts as if it saw the double
 * (Boldo & Melquiond 2008), so storing f64 as f16 or bf16 rounds once. */
OPS_INLINE float ops_cvt_f64_to_f32_odd(double x) {
    float f = (float)x;
    double back = (double)f;
    uint32_t u = ops_bits_f32(f);
    int away = (back > x) == (x > 0) && back != x; /* rounded away from zero */
    uint32_t odd = back != x && x == x ? (u - (uint32_t)away) | 1u : u;
    return ops_from_bits_f32(odd);
}
OPS_INLINE ops_v_f32 ops_cvt_v_f64_to_f32_odd(ops_v_f64 x) {
    ops_v_f32 f = __builtin_convertvector(x, ops_v_f32);
    ops_v_f64 back = __builtin_convertvector(f, ops_v_f64);
    ops_v_i32 lost = ops_mask_i64_to_i32((back != x) & (x == x));
    ops_v_i32 away = ops_mask_i64_to_i32(((back > x) == (x > 0)) & (back != x));
    ops_v_u32 u = (ops_v_u32)f;
    return (ops_v_f32)ops_select_v_u32(lost, (u + (ops_v_u32)away) | 1u, u);
}

/* ------------------------------------------------------- f16 and bfloat16 ---- */

/* Portable f16 -> f32.  Shifting the half's bits into place gives a float whose exponent
 * is too small by 127 - 15 = 112; multiplying by 2^112 is exact and turns half
 * subnormals into floats at once.  inf and nan keep all their bits, nan is quieted. */
OPS_INLINE float ops_f16_to_f32(ops_f16 h) {
    uint32_t mag = (h.bits & 0x7fffu) << 13, sign = (uint32_t)(h.bits & 0x8000u) << 16;
    uint32_t u = ops_bits_f32(ops_from_bits_f32(mag) * 0x1p112f);
    if (mag >= 0x0f800000u) u = mag | 0x7f800000u | (mag > 0x0f800000u ? 0x400000u : 0);
    return ops_from_bits_f32(u | sign);
}
OPS_INLINE ops_v_f32 ops_cvt_v_f16_to_f32(ops_v_u16 bits) {
#if defined(OPS_ROW_F16_TO_F32)
    return (ops_v_f32)OPS_ROW_F16_TO_F32(bits);
#else
    ops_v_u32 h = __builtin_convertvector(bits, ops_v_u32);
    ops_v_u32 mag = (h & 0x7fffu) << 13, sign = (h & 0x8000u) << 16;
    ops_v_u32 u = (ops_v_u32)((ops_v_f32)mag * 0x1p112f);
    ops_v_u32 nan = (ops_v_u32)(mag > 0x0f800000u) & 0x400000u;
    u = ops_select_v_u32((ops_v_i32)(mag >= 0x0f800000u), mag | 0x7f800000u | nan, u);
    return (ops_v_f32)(u | sign);
#endif
}

/* Portable f32 -> f16, nearest even.  Normal results: rebias, then add half a unit in the
 * last place less one, plus the last kept bit, before cutting; the carry runs into the
 * exponent, up to inf.  Below 2^-14: adding 0.5 lines the half's subnormal grid
 * (2^-24) up with the float's last bit, so the adder rounds. */
OPS_INLINE ops_f16 ops_f32_to_f16(float x) {
    uint32_t u = ops_bits_f32(x), sign = u & 0x80000000u, mag = u ^ sign, r;
    if (mag > 0x7f800000u) r = 0x7e00u | ((mag >> 13) & 0x3ffu);
    else if (mag >= 0x47800000u) r = 0x7c00u; /* 2^16 */
    else if (mag >= 0x38800000u) /* 2^-14 */
        r = (mag - 0x38000000u + 0xfffu + ((mag >> 13) & 1u)) >> 13;
    else r = ops_bits_f32(ops_from_bits_f32(mag) + 0.5f) - 0x3f000000u;
    return (ops_f16){(uint16_t)(r | sign >> 16)};
}
OPS_INLINE ops_v_u16 ops_cvt_v_f32_to_f16(ops_v_f32 x) {
#if defined(OPS_ROW_F32_TO_F16)
    return (ops_v_u16)OPS_ROW_F32_TO_F16(x);
#else
    ops_v_u32 u = (ops_v_u32)x, sign = u & 0x80000000u, mag = u ^ sign;
    ops_v_u32 normal = (mag - 0x38000000u + 0xfffu + ((mag >> 13) & 1u)) >> 13;
    ops_v_u32 small = (ops_v_u32)((ops_v_f32)mag + 0.5f) - 0x3f000000u;
    ops_v_u32 r = ops_select_v_u32((ops_v_i32)(mag >= 0x38800000u), normal, small);
    r = ops_select_v_u32((ops_v_i32)(mag >= 0x47800000u), ops_splat_u32(0x7c00u), r);
    r = ops_select_v_u32((ops_v_i32)(mag > 0x7f800000u), 0x7e00u | ((mag >> 13) & 0x3ffu), r);
    return __builtin_convertvector(r | (sign >> 16), ops_v_u16);
#endif
}

/* bfloat16 is the upper half of a float.  AVX512_BF16 is not used: its conversion takes
 * subnormals for zero. */
OPS_INLINE float ops_bf16_to_f32(ops_bf16 h) {
    uint32_t u = (uint32_t)h.bits << 16;
    return ops_from_bits_f32((u & 0x7fffffffu) > 0x7f800000u ? u | 0x400000u : u);
}
OPS_INLINE ops_v_f32 ops_cvt_v_bf16_to_f32(ops_v_u16 bits) {
    /* a signalling nan stays one here; the first operation on it quiets it */
    return (ops_v_f32)(__builtin_convertvector(bits, ops_v_u32) << 16);
}
OPS_INLINE ops_bf16 ops_f32_to_bf16(float x) {
    uint32_t u = ops_bits_f32(x);
    uint32_t r = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    if ((u & 0x7fffffffu) > 0x7f800000u) r = u >> 16 | 0x40u;
    return (ops_bf16){(uint16_t)r};
}
OPS_INLINE ops_v_u16 ops_cvt_v_f32_to_bf16(ops_v_f32 x) {
    ops_v_u32 u = (ops_v_u32)x;
    ops_v_u32 r = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    r = ops_select_v_u32(x != x, u >> 16 | 0x40u, r);
    return __builtin_convertvector(r, ops_v_u16);
}
OPS_INLINE ops_f16 ops_f64_to_f16(double x) { return ops_f32_to_f16(ops_cvt_f64_to_f32_odd(x)); }
OPS_INLINE ops_bf16 ops_f64_to_bf16(double x) { return ops_f32_to_bf16(ops_cvt_f64_to_f32_odd(x)); }

/* 64-bit integers to f16 and bf16, rounded once: the low 11 bits become a sticky bit, which
 * makes the value an exact double, rounded to odd. */
OPS_INLINE double ops_odd_u64(uint64_t u) {
    uint64_t low = u & 0x7ffu;
    return u >> 53 ? (double)((u - low) | (low ? 0x800u : 0)) : (double)u;
}
OPS_INLINE double ops_odd_i64(int64_t i) {
    return i < 0 ? -ops_odd_u64(0 - (uint64_t)i) : ops_odd_u64((uint64_t)i);
}

/* Loads give f32, stores take f32; the bits travel as ops_v_u16. */
#define OPS_X(H)                                                                           \
    OPS_INLINE ops_v_f32 ops_load_##H(const ops_##H *p) {                                  \
        return ops_cvt_v_##H##_to_f32(ops_load_u16(&p->bits));                             \
    }                                                                                      \
    OPS_INLINE ops_v_f32 ops_load_n_##H(const ops_##H *p, int64_t n) {                     \
        return ops_cvt_v_##H##_to_f32(ops_load_n_u16(&p->bits, n));                        \
    }                                                                                      \
    OPS_INLINE ops_v_f32 ops_loads_##H(const ops_##H *p, int64_t stride, int64_t n) {      \
        return ops_cvt_v_##H##_to_f32(ops_loads_u16(&p->bits, stride, n));                 \
    }                                                                                      \
    OPS_INLINE ops_v_f32 ops_gather_##H(const ops_##H *p, ops_v_i64 index, int64_t n) {    \
        return ops_cvt_v_##H##_to_f32(ops_gather_u16(&p->bits, index, n));                 \
    }                                                                                      \
    OPS_INLINE void ops_store_##H(ops_##H *p, ops_v_f32 v) {                               \
        ops_store_u16(&p->bits, ops_cvt_v_f32_to_##H(v));                                  \
    }                                                                                      \
    OPS_INLINE void ops_store_n_##H(ops_##H *p, ops_v_f32 v, int64_t n) {                  \
        ops_store_n_u16(&p->bits, ops_cvt_v_f32_to_##H(v), n);                             \
    }                                                                                      \
    OPS_INLINE void ops_stores_##H(ops_##H *p, int64_t stride, ops_v_f32 v, int64_t n) {   \
        ops_stores_u16(&p->bits, stride, ops_cvt_v_f32_to_##H(v), n);                      \
    }                                                                                      \
    OPS_INLINE ops_v_f32 ops_splat_##H(ops_##H x) { return ops_splat_f32(ops_##H##_to_f32(x)); }
OPS_X(f16) OPS_X(bf16)
#undef OPS_X

/* Scalar conversions between storage types, for all pairs: ops_cvt_f16_to_i32, ... */
OPS_INLINE float ops_cvt_f16_to_f32(ops_f16 x) { return ops_f16_to_f32(x); }
OPS_INLINE float ops_cvt_bf16_to_f32(ops_bf16 x) { return ops_bf16_to_f32(x); }
OPS_INLINE ops_f16 ops_cvt_f32_to_f16(float x) { return ops_f32_to_f16(x); }
OPS_INLINE ops_bf16 ops_cvt_f32_to_bf16(float x) { return ops_f32_to_bf16(x); }
OPS_INLINE ops_f16 ops_cvt_f64_to_f16(double x) { return ops_f64_to_f16(x); }
OPS_INLINE ops_bf16 ops_cvt_f64_to_bf16(double x) { return ops_f64_to_bf16(x); }
OPS_INLINE ops_f16 ops_cvt_f16_to_f16(ops_f16 x) { return x; }
OPS_INLINE ops_bf16 ops_cvt_bf16_to_bf16(ops_bf16 x) { return x; }
OPS_INLINE ops_bf16 ops_cvt_f16_to_bf16(ops_f16 x) { return ops_f32_to_bf16(ops_f16_to_f32(x)); }
OPS_INLINE ops_f16 ops_cvt_bf16_to_f16(ops_bf16 x) { return ops_f32_to_f16(ops_bf16_to_f32(x)); }
#define OPS_Y(H, D) \
    OPS_INLINE ops_##D ops_cvt_##H##_to_##D(ops_##H x) { return ops_cvt_f32_to_##D(ops_##H##_to_f32(x)); }
#define OPS_X(H)                                                                      \
    OPS_Y(H, f64) OPS_Y(H, i64) OPS_Y(H, u64) OPS_Y(H, i32) OPS_Y(H, u32)             \
    OPS_Y(H, i16) OPS_Y(H, u16) OPS_Y(H, i8) OPS_Y(H, u8)                             \
    OPS_INLINE ops_bool ops_cvt_##H##_to_bool(ops_##H x) { return (x.bits & 0x7fffu) != 0; }  \
    OPS_INLINE ops_##H ops_cvt_i64_to_##H(int64_t x) { return ops_f64_to_##H(ops_odd_i64(x)); } \
    OPS_INLINE ops_##H ops_cvt_u64_to_##H(uint64_t x) { return ops_f64_to_##H(ops_odd_u64(x)); } \
    OPS_INLINE ops_##H ops_cvt_i32_to_##H(int32_t x) { return ops_f64_to_##H(x); }    \
    OPS_INLINE ops_##H ops_cvt_u32_to_##H(uint32_t x) { return ops_f64_to_##H(x); }   \
    OPS_INLINE ops_##H ops_cvt_i16_to_##H(int16_t x) { return ops_f32_to_##H(x); }    \
    OPS_INLINE ops_##H ops_cvt_u16_to_##H(uint16_t x) { return ops_f32_to_##H(x); }   \
    OPS_INLINE ops_##H ops_cvt_i8_to_##H(int8_t x) { return ops_f32_to_##H(x); }      \
    OPS_INLINE ops_##H ops_cvt_u8_to_##H(uint8_t x) { return ops_f32_to_##H(x); }     \
    OPS_INLINE ops_##H ops_cvt_bool_to_##H(ops_bool x) { return ops_f32_to_##H((float)(x != 0)); }
OPS_X(f16) OPS_X(bf16)
#undef OPS_X
#undef OPS_Y
#define OPS_X(D, U, M)                                                                    \
    OPS_INLINE ops_bool ops_cvt_##D##_to_bool(ops_##D x) { return x != 0; }               \
    OPS_INLINE ops_##D ops_cvt_bool_to_##D(ops_bool x) { return (ops_##D)(x != 0); }      \
    OPS_INLINE ops_v_u8 ops_cvt_v_##D##_to_bool(ops_v_##D x) {                            \
        return ops_mask_##M##_to_bool((ops_v_##M)(x != 0));                               \
    }                                                                                     \
    OPS_INLINE ops_v_##D ops_cvt_v_bool_to_##D(ops_v_u8 x) {                              \
        return ops_cvt_v_u8_to_##D((ops_v_u8)(x != 0) & 1);                               \
    }
OPS_ALL_TYPES(OPS_X)
#undef OPS_X
OPS_INLINE ops_bool ops_cvt_bool_to_bool(ops_bool x) { return x != 0; }
