/* Every load, store, conversion, reduction and integer helper of opslib_simd.h behind a plain
 * C ABI: the vector form into v, the scalar form into s.  Counts are whole vectors. */
#include "opslib_simd.h"

int driver_lanes(void) { return OPS_LANES; }
const char *driver_target(void) { return OPS_TARGET_NAME; }

#define MEMORY(D)                                                                      \
    void load_n_##D(const ops_##D *p, int64_t n, ops_##D *out) {                       \
        ops_store_##D(out, ops_load_n_##D(p, n));                                      \
    }                                                                                  \
    void store_n_##D(ops_##D *p, int64_t n, const ops_##D *in) {                       \
        ops_store_n_##D(p, ops_load_##D(in), n);                                       \
    }                                                                                  \
    void loads_##D(const ops_##D *p, int64_t stride, int64_t n, ops_##D *out) {        \
        ops_store_##D(out, ops_loads_##D(p, stride, n));                               \
    }                                                                                  \
    void stores_##D(ops_##D *p, int64_t stride, int64_t n, const ops_##D *in) {        \
        ops_stores_##D(p, stride, ops_load_##D(in), n);                                \
    }                                                                                  \
    void gather_##D(const ops_##D *p, const int64_t *index, int64_t n, ops_##D *out) { \
        ops_store_##D(out, ops_gather_##D(p, ops_load_i64(index), n));                 \
    }
MEMORY(f64) MEMORY(f32) MEMORY(i64) MEMORY(u64) MEMORY(i32) MEMORY(u32) MEMORY(i16)
MEMORY(u16) MEMORY(i8) MEMORY(u8)

#define LANES_OF(D)                                                                    \
    void iota_##D(ops_##D *out) { ops_store_##D(out, ops_iota_##D()); }                \
    void splat_##D(const ops_##D *x, ops_##D *out) { ops_store_##D(out, ops_splat_##D(*x)); } \
    void hsum_##D(const ops_##D *p, ops_##D *out) { *out = ops_hsum_##D(ops_load_##D(p)); }   \
    void hprod_##D(const ops_##D *p, ops_##D *out) { *out = ops_hprod_##D(ops_load_##D(p)); } \
    void hmax_##D(const ops_##D *p, ops_##D *out) { *out = ops_hmax_##D(ops_load_##D(p)); }   \
    void hmin_##D(const ops_##D *p, ops_##D *out) { *out = ops_hmin_##D(ops_load_##D(p)); }   \
    void less_select_##D(const ops_##D *a, const ops_##D *b, ops_##D *out) {           \
        ops_v_##D x = ops_load_##D(a), y = ops_load_##D(b);                            \
        ops_store_##D(out, ops_select_v_##D(x < y, x, y));                             \
    }
LANES_OF(f64) LANES_OF(f32) LANES_OF(i64) LANES_OF(u64) LANES_OF(i32) LANES_OF(u32)
LANES_OF(i16) LANES_OF(u16) LANES_OF(i8) LANES_OF(u8)

#define BOTH(name, D)                                                                  \
    void name##_##D(const ops_##D *a, const ops_##D *b, ops_##D *v, ops_##D *s,        \
                    int64_t n) {                                                       \
        for (int64_t i = 0; i < n; i += OPS_LANES)                                     \
            ops_store_##D(v + i, ops_##name##_v_##D(ops_load_##D(a + i), ops_load_##D(b + i))); \
        for (int64_t i = 0; i < n; i++) s[i] = ops_##name##_##D(a[i], b[i]);           \
    }
#define ONE(name, D)                                                                   \
    void name##_##D(const ops_##D *a, ops_##D *v, ops_##D *s, int64_t n) {             \
        for (int64_t i = 0; i < n; i += OPS_LANES)                                     \
            ops_store_##D(v + i, ops_##name##_v_##D(ops_load_##D(a + i)));             \
        for (int64_t i = 0; i < n; i++) s[i] = ops_##name##_##D(a[i]);                 \
    }
#define INTEGER(D)                                                                     \
    BOTH(add, D) BOTH(sub, D) BOTH(mul, D) BOTH(maximum, D) BOTH(minimum, D)           \
    BOTH(shl, D) BOTH(shr, D) BOTH(truncdiv, D) BOTH(fmod, D) BOTH(floordiv, D)        \
    BOTH(remainder, D) ONE(neg, D) ONE(abs, D) ONE(sign, D)
INTEGER(i64) INTEGER(u64) INTEGER(i32) INTEGER(u32) INTEGER(i16) INTEGER(u16) INTEGER(i8)
INTEGER(u8)

#define CONVERT(A, B)                                                                  \
    void cvt_##A##_to_##B(const ops_##A *a, ops_##B *v, ops_##B *s, int64_t n) {       \
        for (int64_t i = 0; i < n; i += OPS_LANES)                                     \
            ops_store_##B(v + i, ops_cvt_v_##A##_to_##B(ops_load_##A(a + i)));         \
        for (int64_t i = 0; i < n; i++) s[i] = ops_cvt_##A##_to_##B(a[i]);             \
    }
#define CONVERT_ALL(A)                                                                 \
    CONVERT(A, f64) CONVERT(A, f32) CONVERT(A, i64) CONVERT(A, u64) CONVERT(A, i32)    \
    CONVERT(A, u32) CONVERT(A, i16) CONVERT(A, u16) CONVERT(A, i8) CONVERT(A, u8)      \
    CONVERT(A, bool)
CONVERT_ALL(f64) CONVERT_ALL(f32) CONVERT_ALL(i64) CONVERT_ALL(u64) CONVERT_ALL(i32)
CONVERT_ALL(u32) CONVERT_ALL(i16) CONVERT_ALL(u16) CONVERT_ALL(i8) CONVERT_ALL(u8)

#define HALF(H)                                                                        \
    void cvt_##H##_to_f32(const ops_##H *a, float *v, float *s, int64_t n) {           \
        for (int64_t i = 0; i < n; i += OPS_LANES) ops_store_f32(v + i, ops_load_##H(a + i)); \
        for (int64_t i = 0; i < n; i++) s[i] = ops_##H##_to_f32(a[i]);                 \
    }                                                                                  \
    void cvt_f32_to_##H(const float *a, ops_##H *v, ops_##H *s, int64_t n) {           \
        for (int64_t i = 0; i < n; i += OPS_LANES) ops_store_##H(v + i, ops_load_f32(a + i)); \
        for (int64_t i = 0; i < n; i++) s[i] = ops_f32_to_##H(a[i]);                   \
    }                                                                                  \
    void cvt_f64_to_##H(const double *a, ops_##H *v, ops_##H *s, int64_t n) {          \
        for (int64_t i = 0; i < n; i += OPS_LANES)                                     \
            ops_store_##H(v + i, ops_cvt_v_f64_to_f32_odd(ops_load_f64(a + i)));       \
        for (int64_t i = 0; i < n; i++) s[i] = ops_f64_to_##H(a[i]);                   \
    }                                                                                  \
    void cvt_i64_to_##H(const int64_t *a, ops_##H *s, int64_t n) {                     \
        for (int64_t i = 0; i < n; i++) s[i] = ops_cvt_i64_to_##H(a[i]);               \
    }                                                                                  \
    /* the number of floats first, first + step, ... where vector and scalar differ */ \
    int64_t f32_to_##H##_differ(int64_t first, int64_t step, int64_t count) {          \
        int64_t bad = 0;                                                               \
        for (int64_t done = 0; done < count; done += OPS_LANES) {                      \
            float x[OPS_LANES];                                                        \
            ops_##H v[OPS_LANES];                                                      \
            for (int i = 0; i < OPS_LANES; i++)                                        \
                x[i] = ops_from_bits_f32((uint32_t)(first + (done + i) * step));       \
            ops_store_##H(v, ops_load_f32(x));                                         \
            for (int i = 0; i < OPS_LANES; i++) bad += v[i].bits != ops_f32_to_##H(x[i]).bits; \
        }                                                                              \
        return bad;                                                                    \
    }                                                                                  \
    void load_n_##H(const ops_##H *p, int64_t n, float *out) {                         \
        ops_store_f32(out, ops_load_n_##H(p, n));                                      \
    }                                                                                  \
    void store_n_##H(ops_##H *p, int64_t n, const float *in) {                         \
        ops_store_n_##H(p, ops_load_f32(in), n);                                       \
    }
HALF(f16) HALF(bf16)

/* mask of a bool, back to a bool, through every mask width; any and all */
void bools(const ops_bool *b, ops_bool *o64, ops_bool *o32, ops_bool *o16, ops_bool *o8,
           int32_t *any_all) {
    ops_v_u8 v = ops_load_bool(b);
    ops_v_i64 m64 = ops_bool_to_mask_i64(v);
    ops_v_i32 m32 = ops_mask_i64_to_i32(m64);
    ops_v_i16 m16 = ops_mask_i32_to_i16(m32);
    ops_v_i8 m8 = ops_mask_i16_to_i8(m16);
    ops_store_bool(o64, ops_mask_i64_to_bool(m64));
    ops_store_bool(o32, ops_mask_i32_to_bool(m32));
    ops_store_bool(o16, ops_mask_i16_to_bool(m16));
    ops_store_bool(o8, ops_mask_i8_to_bool(m8));
    any_all[0] = ops_any_i64(m64), any_all[1] = ops_all_i64(m64);
    any_all[2] = ops_any(m32), any_all[3] = ops_all(m32);
    any_all[4] = ops_any_i16(m16), any_all[5] = ops_all_i16(m16);
    any_all[6] = ops_any_i8(m8), any_all[7] = ops_all_i8(m8);
}
