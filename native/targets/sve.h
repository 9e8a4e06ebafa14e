/* Row "sve": Arm SVE at the fixed length given by -msve-vector-bits.
 *
 * The compiler lowers its own vector extensions to SVE at that length, so the row
 * only has to give the length; fma, sqrt and roundings come from
 * __builtin_elementwise_* where the compiler has it, and otherwise from lane
 * loops, which gcc's vectoriser turns into the SVE instruction. */
#define OPS_VECTOR_BYTES (__ARM_FEATURE_SVE_BITS / 8)
#define OPS_TARGET_NAME "sve"
