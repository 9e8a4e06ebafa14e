/* Row "generic": 16-byte vectors and nothing but the compiler's vector extensions.
 *
 * A row says what the compiler cannot be told portably; opslib_simd.h fills in
 * whatever a row leaves undefined.  This one leaves everything undefined, so it
 * is also the reference for the other rows (tests compile with
 * -DOPS_TARGET_GENERIC and compare bits).  Without hardware fma the scalar
 * __builtin_fma calls libm: slow, right. */
#ifndef OPS_VECTOR_BYTES
#define OPS_VECTOR_BYTES 16
#endif
#define OPS_TARGET_NAME "generic"
