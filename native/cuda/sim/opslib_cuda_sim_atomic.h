/* atomicAdd and its relatives, in global and shared memory; all are relaxed, as CUDA's
 * are: order comes from __threadfence around them. */
#ifndef OPSLIB_CUDA_SIM_ATOMIC_H
#define OPSLIB_CUDA_SIM_ATOMIC_H

#define OPSLIB_CUDA_SIM_ATOMIC(NAME, TYPE, WHAT)                                     \
    static inline TYPE NAME(TYPE* address, TYPE value, OPSLIB_CUDA_SIM_SITE) {       \
        return opslib_cuda_sim::value_of<TYPE>(opslib_cuda_sim::atomic(              \
            opslib_cuda_sim::Atomic::WHAT, address, sizeof value,                    \
            opslib_cuda_sim::bits_of(value), 0, 0, site));                           \
    }
#define OPSLIB_CUDA_SIM_ATOMIC_INTEGER(NAME, SIGNED, UNSIGNED)                       \
    OPSLIB_CUDA_SIM_ATOMIC(NAME, int, SIGNED)                                        \
    OPSLIB_CUDA_SIM_ATOMIC(NAME, unsigned, UNSIGNED)                                 \
    OPSLIB_CUDA_SIM_ATOMIC(NAME, unsigned long long, UNSIGNED)
OPSLIB_CUDA_SIM_ATOMIC_INTEGER(atomicAdd, Add, Add)
OPSLIB_CUDA_SIM_ATOMIC(atomicAdd, float, AddF32)
OPSLIB_CUDA_SIM_ATOMIC(atomicAdd, double, AddF64)
OPSLIB_CUDA_SIM_ATOMIC_INTEGER(atomicMin, Min, MinUnsigned)
OPSLIB_CUDA_SIM_ATOMIC(atomicMin, long long, Min)
OPSLIB_CUDA_SIM_ATOMIC_INTEGER(atomicMax, Max, MaxUnsigned)
OPSLIB_CUDA_SIM_ATOMIC(atomicMax, long long, Max)
OPSLIB_CUDA_SIM_ATOMIC_INTEGER(atomicAnd, And, And)
OPSLIB_CUDA_SIM_ATOMIC_INTEGER(atomicOr, Or, Or)
OPSLIB_CUDA_SIM_ATOMIC_INTEGER(atomicXor, Xor, Xor)
OPSLIB_CUDA_SIM_ATOMIC_INTEGER(atomicExch, Exchange, Exchange)
OPSLIB_CUDA_SIM_ATOMIC(atomicExch, float, Exchange)
OPSLIB_CUDA_SIM_ATOMIC(atomicInc, unsigned, Increment)
OPSLIB_CUDA_SIM_ATOMIC(atomicDec, unsigned, Decrement)
#undef OPSLIB_CUDA_SIM_ATOMIC_INTEGER
#undef OPSLIB_CUDA_SIM_ATOMIC
#define OPSLIB_CUDA_SIM_NEGATED(TYPE)                                                \
    static inline TYPE atomicSub(TYPE* address, TYPE value, OPSLIB_CUDA_SIM_SITE) {  \
        return atomicAdd(address, TYPE(TYPE(0) - value), site);                      \
    }
OPSLIB_CUDA_SIM_NEGATED(int)
OPSLIB_CUDA_SIM_NEGATED(unsigned)
#undef OPSLIB_CUDA_SIM_NEGATED
#define OPSLIB_CUDA_SIM_COMPARE(TYPE)                                                \
    static inline TYPE atomicCAS(TYPE* address, TYPE compare, TYPE value,            \
                                 OPSLIB_CUDA_SIM_SITE) {                             \
        return opslib_cuda_sim::value_of<TYPE>(opslib_cuda_sim::atomic(              \
            opslib_cuda_sim::Atomic::Compare, address, sizeof value,                 \
            opslib_cuda_sim::bits_of(value), opslib_cuda_sim::bits_of(compare), 0,   \
            site));                                                                  \
    }
OPSLIB_CUDA_SIM_COMPARE(int)
OPSLIB_CUDA_SIM_COMPARE(unsigned)
OPSLIB_CUDA_SIM_COMPARE(unsigned long long)
OPSLIB_CUDA_SIM_COMPARE(unsigned short)
#undef OPSLIB_CUDA_SIM_COMPARE

#endif
