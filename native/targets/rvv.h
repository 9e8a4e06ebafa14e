/* Row "rvv": RISC-V vectors at the fixed length given by -mrvv-vector-bits=zvl (clang).
 *
 * As for SVE, the compiler lowers vector extensions to V at that length; the row
 * only gives the length. */
#define OPS_VECTOR_BYTES (__riscv_v_fixed_vlen / 8)
#define OPS_TARGET_NAME "rvv"
