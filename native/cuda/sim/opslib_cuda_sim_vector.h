/* CUDA's built-in vector types, with the alignments of the C++ programming guide. */
#ifndef OPSLIB_CUDA_SIM_VECTOR_H
#define OPSLIB_CUDA_SIM_VECTOR_H

#define OPSLIB_CUDA_SIM_VECTORS(NAME, TYPE, A2, A4)                                 \
    struct NAME##1 {                                                                \
        TYPE x;                                                                     \
    };                                                                              \
    struct alignas(A2) NAME##2 {                                                    \
        TYPE x, y;                                                                  \
    };                                                                              \
    struct NAME##3 {                                                                \
        TYPE x, y, z;                                                               \
    };                                                                              \
    struct alignas(A4) NAME##4 {                                                    \
        TYPE x, y, z, w;                                                            \
    };                                                                              \
    static inline NAME##1 make_##NAME##1(TYPE x) { return {x}; }                    \
    static inline NAME##2 make_##NAME##2(TYPE x, TYPE y) { return {x, y}; }         \
    static inline NAME##3 make_##NAME##3(TYPE x, TYPE y, TYPE z) {                  \
        return {x, y, z};                                                           \
    }                                                                               \
    static inline NAME##4 make_##NAME##4(TYPE x, TYPE y, TYPE z, TYPE w) {          \
        return {x, y, z, w};                                                        \
    }
OPSLIB_CUDA_SIM_VECTORS(char, signed char, 2, 4)
OPSLIB_CUDA_SIM_VECTORS(uchar, unsigned char, 2, 4)
OPSLIB_CUDA_SIM_VECTORS(short, short, 4, 8)
OPSLIB_CUDA_SIM_VECTORS(ushort, unsigned short, 4, 8)
OPSLIB_CUDA_SIM_VECTORS(int, int, 8, 16)
OPSLIB_CUDA_SIM_VECTORS(uint, unsigned int, 8, 16)
OPSLIB_CUDA_SIM_VECTORS(longlong, long long, 16, 16)
OPSLIB_CUDA_SIM_VECTORS(ulonglong, unsigned long long, 16, 16)
OPSLIB_CUDA_SIM_VECTORS(float, float, 8, 16)
OPSLIB_CUDA_SIM_VECTORS(double, double, 16, 16)
#undef OPSLIB_CUDA_SIM_VECTORS

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

#endif
