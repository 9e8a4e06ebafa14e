/* Integer arithmetic without undefined behaviour.
 * A part of opslib_simd.h, which see. */

/* ------------------------------------------------------------- integers ---- */
/* No undefined behaviour anywhere: + - * wrap modulo 2^w; division and remainder by 0
 * give 0; INT_MIN / -1 wraps to INT_MIN, remainder 0; shift counts are read as unsigned
 * and counts >= w give 0, or the sign for >> of a signed type. */

#define OPS_X(D, U, M)                                                                     \
    OPS_INLINE ops_##D ops_add_##D(ops_##D a, ops_##D b) {                                 \
        return (ops_##D)(ops_##U)((ops_##U)a + (ops_##U)b);                                \
    }                                                                                      \
    OPS_INLINE ops_##D ops_sub_##D(ops_##D a, ops_##D b) {                                 \
        return (ops_##D)(ops_##U)((ops_##U)a - (ops_##U)b);                                \
    }                                                                                      \
    /* widened to u64: uint16_t * uint16_t would promote to int and could overflow */      \
    OPS_INLINE ops_##D ops_mul_##D(ops_##D a, ops_##D b) {                                 \
        return (ops_##D)(ops_##U)((uint64_t)(ops_##U)a * (uint64_t)(ops_##U)b);            \
    }                                                                                      \
    OPS_INLINE ops_##D ops_neg_##D(ops_##D a) { return ops_sub_##D(0, a); }                \
    OPS_INLINE ops_v_##D ops_add_v_##D(ops_v_##D a, ops_v_##D b) {                         \
        return (ops_v_##D)((ops_v_##U)a + (ops_v_##U)b);                                   \
    }                                                                                      \
    OPS_INLINE ops_v_##D ops_sub_v_##D(ops_v_##D a, ops_v_##D b) {                         \
        return (ops_v_##D)((ops_v_##U)a - (ops_v_##U)b);                                   \
    }                                                                                      \
    OPS_INLINE ops_v_##D ops_mul_v_##D(ops_v_##D a, ops_v_##D b) {                         \
        return (ops_v_##D)((ops_v_##U)a * (ops_v_##U)b);                                   \
    }                                                                                      \
    OPS_INLINE ops_v_##D ops_neg_v_##D(ops_v_##D a) { return ops_sub_v_##D((ops_v_##D){0}, a); } \
    OPS_INLINE ops_##D ops_maximum_##D(ops_##D a, ops_##D b) { return a > b ? a : b; }     \
    OPS_INLINE ops_##D ops_minimum_##D(ops_##D a, ops_##D b) { return a < b ? a : b; }     \
    OPS_INLINE ops_v_##D ops_maximum_v_##D(ops_v_##D a, ops_v_##D b) {                     \
        return ops_select_v_##D(a > b, a, b);                                              \
    }                                                                                      \
    OPS_INLINE ops_v_##D ops_minimum_v_##D(ops_v_##D a, ops_v_##D b) {                     \
        return ops_select_v_##D(a < b, a, b);                                              \
    }                                                                                      \
    OPS_INLINE ops_##D ops_fmax_##D(ops_##D a, ops_##D b) { return ops_maximum_##D(a, b); } \
    OPS_INLINE ops_##D ops_fmin_##D(ops_##D a, ops_##D b) { return ops_minimum_##D(a, b); } \
    OPS_INLINE ops_v_##D ops_fmax_v_##D(ops_v_##D a, ops_v_##D b) { return ops_maximum_v_##D(a, b); } \
    OPS_INLINE ops_v_##D ops_fmin_v_##D(ops_v_##D a, ops_v_##D b) { return ops_minimum_v_##D(a, b); } \
    OPS_INLINE ops_##D ops_shl_##D(ops_##D a, ops_##D count) {                             \
        return (ops_##U)count >= 8 * sizeof a                                              \
                   ? 0                                                                     \
                   : (ops_##D)(ops_##U)((uint64_t)(ops_##U)a << (ops_##U)count);           \
    }                                                                                      \
    OPS_INLINE ops_v_##D ops_shl_v_##D(ops_v_##D a, ops_v_##D count) {                     \
        ops_v_##U c = (ops_v_##U)count;                                                    \
        ops_v_##U wide = (ops_v_##U)(c >= (ops_##U)(8 * sizeof(ops_##D)));                 \
        return (ops_v_##D)(((ops_v_##U)a << (c & ~wide)) & ~wide);                         \
    }
OPS_INT_TYPES(OPS_X)
#undef OPS_X

#define OPS_X(D, U, M)                                                                     \
    OPS_INLINE ops_##D ops_shr_##D(ops_##D a, ops_##D count) {                             \
        ops_##U c = (ops_##U)count;                                                        \
        return (ops_##D)(a >> (c >= 8 * sizeof a ? 8 * sizeof a - 1 : c));                 \
    }                                                                                      \
    OPS_INLINE ops_v_##D ops_shr_v_##D(ops_v_##D a, ops_v_##D count) {                     \
        ops_v_##U c = (ops_v_##U)count;                                                    \
        ops_v_##U last = (ops_v_##U){0} + (ops_##U)(8 * sizeof(ops_##D) - 1);              \
        return a >> (ops_v_##D)ops_minimum_v_##U(c, last);                                 \
    }                                                                                      \
    OPS_INLINE ops_##D ops_abs_##D(ops_##D a) { return a < 0 ? ops_neg_##D(a) : a; }       \
    OPS_INLINE ops_v_##D ops_abs_v_##D(ops_v_##D a) {                                      \
        return ops_select_v_##D(a < 0, ops_neg_v_##D(a), a);                               \
    }                                                                                      \
    OPS_INLINE ops_##D ops_sign_##D(ops_##D a) { return (ops_##D)((a > 0) - (a < 0)); }    \
    OPS_INLINE ops_v_##D ops_sign_v_##D(ops_v_##D a) {                                     \
        return (ops_v_##D)(a < 0) - (ops_v_##D)(a > 0);                                    \
    }                                                                                      \
    /* C's division, toward zero */                                                        \
    OPS_INLINE ops_##D ops_truncdiv_##D(ops_##D a, ops_##D b) {                            \
        return b == 0 ? 0 : b == -1 ? ops_neg_##D(a) : (ops_##D)(a / b);                   \
    }                                                                                      \
    OPS_INLINE ops_##D ops_fmod_##D(ops_##D a, ops_##D b) {                                \
        return b == 0 || b == -1 ? 0 : (ops_##D)(a % b);                                   \
    }                                                                                      \
    /* Python's division, toward -inf, and the remainder with the divisor's sign */        \
    OPS_INLINE ops_##D ops_floordiv_##D(ops_##D a, ops_##D b) {                            \
        ops_##D q = ops_truncdiv_##D(a, b), r = ops_fmod_##D(a, b);                        \
        return (ops_##D)(q - (r != 0 && (r ^ b) < 0));                                     \
    }                                                                                      \
    OPS_INLINE ops_##D ops_remainder_##D(ops_##D a, ops_##D b) {                           \
        ops_##D r = ops_fmod_##D(a, b);                                                    \
        return r != 0 && (r ^ b) < 0 ? ops_add_##D(r, b) : r;                              \
    }
OPS_SIGNED_TYPES(OPS_X)
#undef OPS_X
#define OPS_X(D, U, M)                                                                     \
    OPS_INLINE ops_##D ops_shr_##D(ops_##D a, ops_##D count) {                             \
        return count >= 8 * sizeof a ? 0 : (ops_##D)(a >> count);                          \
    }                                                                                      \
    OPS_INLINE ops_v_##D ops_shr_v_##D(ops_v_##D a, ops_v_##D count) {                     \
        ops_v_##D wide = (ops_v_##D)(count >= (ops_##D)(8 * sizeof(ops_##D)));             \
        return (a >> (count & ~wide)) & ~wide;                                             \
    }                                                                                      \
    OPS_INLINE ops_##D ops_abs_##D(ops_##D a) { return a; }                                \
    OPS_INLINE ops_v_##D ops_abs_v_##D(ops_v_##D a) { return a; }                          \
    OPS_INLINE ops_##D ops_sign_##D(ops_##D a) { return a != 0; }                          \
    OPS_INLINE ops_v_##D ops_sign_v_##D(ops_v_##D a) { return (ops_v_##D)(a != 0) & 1; }   \
    OPS_INLINE ops_##D ops_truncdiv_##D(ops_##D a, ops_##D b) {                            \
        return b == 0 ? 0 : (ops_##D)(a / b);                                              \
    }                                                                                      \
    OPS_INLINE ops_##D ops_fmod_##D(ops_##D a, ops_##D b) {                                \
        return b == 0 ? 0 : (ops_##D)(a % b);                                              \
    }                                                                                      \
    OPS_INLINE ops_##D ops_floordiv_##D(ops_##D a, ops_##D b) { return ops_truncdiv_##D(a, b); } \
    OPS_INLINE ops_##D ops_remainder_##D(ops_##D a, ops_##D b) { return ops_fmod_##D(a, b); }
OPS_UNSIGNED_TYPES(OPS_X)
#undef OPS_X
/* No SIMD set here divides integers: a loop over lanes. */
#define OPS_Y(name, D)                                                                \
    OPS_INLINE ops_v_##D ops_##name##_v_##D(ops_v_##D a, ops_v_##D b) {               \
        for (int i = 0; i < OPS_LANES; i++) a[i] = ops_##name##_##D(a[i], b[i]);      \
        return a;                                                                     \
    }
#define OPS_X(D, U, M) \
    OPS_Y(truncdiv, D) OPS_Y(fmod, D) OPS_Y(floordiv, D) OPS_Y(remainder, D)
OPS_INT_TYPES(OPS_X)
#undef OPS_X
#undef OPS_Y
