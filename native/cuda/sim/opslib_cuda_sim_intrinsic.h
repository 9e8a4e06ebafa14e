/* CUDA's integer, bit and rounding intrinsics on the host.  All round as the device's
 * do; the approximate ones (__expf, rsqrtf, __fdividef) are left out on purpose. */
#ifndef OPSLIB_CUDA_SIM_INTRINSIC_H
#define OPSLIB_CUDA_SIM_INTRINSIC_H

/* Macros, so that an access names the kernel's line. */
#define __ldg(pointer) (*(pointer))
#define __ldcg(pointer) (*(pointer))
#define __ldcs(pointer) (*(pointer))
#define __ldca(pointer) (*(pointer))
#define __stcs(pointer, value) (static_cast<void>(*(pointer) = (value)))
#define __stcg(pointer, value) (static_cast<void>(*(pointer) = (value)))

static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __clz(int x) { return x ? __builtin_clz(unsigned(x)) : 32; }
static inline int __clzll(long long x) {
    return x ? __builtin_clzll((unsigned long long)(x)) : 64;
}
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline int __ffsll(long long x) { return __builtin_ffsll(x); }
static inline unsigned __brev(unsigned x) {
    unsigned r = 0;
    for (int i = 0; i < 32; i++) r |= (x >> i & 1) << (31 - i);
    return r;
}
static inline unsigned long long __brevll(unsigned long long x) {
    return (unsigned long long)(__brev(unsigned(x))) << 32 | __brev(unsigned(x >> 32));
}
static inline unsigned __byte_perm(unsigned x, unsigned y, unsigned s) {
    const uint64_t both = uint64_t(y) << 32 | x;
    unsigned r = 0;
    for (int i = 0; i < 4; i++)
        r |= unsigned(both >> (s >> 4 * i & 7) * 8 & 0xff) << 8 * i;
    return r;
}
static inline unsigned __funnelshift_l(unsigned lo, unsigned hi, unsigned shift) {
    return unsigned(((uint64_t(hi) << 32 | lo) << (shift & 31)) >> 32);
}
static inline unsigned __funnelshift_r(unsigned lo, unsigned hi, unsigned shift) {
    return unsigned((uint64_t(hi) << 32 | lo) >> (shift & 31));
}
static inline int __mulhi(int a, int b) { return int((int64_t(a) * b) >> 32); }
static inline unsigned __umulhi(unsigned a, unsigned b) {
    return unsigned((uint64_t(a) * b) >> 32);
}
static inline long long __mul64hi(long long a, long long b) {
    return (long long)((__int128(a) * b) >> 64);
}
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)(((unsigned __int128)(a) * b) >> 64);
}
static inline int __dp4a(int a, int b, int c) {
    for (int i = 0; i < 4; i++) c += int8_t(a >> 8 * i) * int8_t(b >> 8 * i);
    return c;
}

#define OPSLIB_CUDA_SIM_BITS(NAME, FROM, TO)                                         \
    static inline TO NAME(FROM x) {                                                  \
        return opslib_cuda_sim::value_of<TO>(opslib_cuda_sim::bits_of(x));           \
    }
OPSLIB_CUDA_SIM_BITS(__float_as_int, float, int)
OPSLIB_CUDA_SIM_BITS(__float_as_uint, float, unsigned)
OPSLIB_CUDA_SIM_BITS(__int_as_float, int, float)
OPSLIB_CUDA_SIM_BITS(__uint_as_float, unsigned, float)
OPSLIB_CUDA_SIM_BITS(__double_as_longlong, double, long long)
OPSLIB_CUDA_SIM_BITS(__longlong_as_double, long long, double)
#undef OPSLIB_CUDA_SIM_BITS
static inline int __double2hiint(double x) { return int(__double_as_longlong(x) >> 32); }
static inline int __double2loint(double x) { return int(__double_as_longlong(x)); }
static inline double __hiloint2double(int hi, int lo) {
    return __longlong_as_double((long long)(uint64_t(unsigned(hi)) << 32 | unsigned(lo)));
}

static inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
static inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fsub_rn(float a, float b) { return a - b; }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline float __frcp_rn(float a) { return 1.0f / a; }
static inline float __fsqrt_rn(float a) { return sqrtf(a); }
static inline double __dadd_rn(double a, double b) { return a + b; }
static inline double __dmul_rn(double a, double b) { return a * b; }
static inline double __ddiv_rn(double a, double b) { return a / b; }
static inline double __dsqrt_rn(double a) { return sqrt(a); }

/* cvt.rXi.s32.f32 saturates and takes nan to 0 (PTX ISA, "cvt"); for 64 bits nan gives
 * 0x8000000000000000. */
#define OPSLIB_CUDA_SIM_TO_INTEGER(NAME, FROM, TO, ROUND, LOW, HIGH, OF_NAN)         \
    static inline TO NAME(FROM x) {                                                  \
        const double r = double(ROUND(x));                                           \
        if (x != x) return static_cast<TO>(OF_NAN);                                  \
        if (r <= double(LOW)) return static_cast<TO>(LOW);                           \
        return r >= double(HIGH) ? static_cast<TO>(HIGH) : static_cast<TO>(r);       \
    }
#define OPSLIB_CUDA_SIM_CONVERT(MODE, ROUNDF, ROUND)                                      \
    OPSLIB_CUDA_SIM_TO_INTEGER(__float2int_##MODE, float, int, ROUNDF, INT32_MIN,         \
                               INT32_MAX, 0)                                              \
    OPSLIB_CUDA_SIM_TO_INTEGER(__float2uint_##MODE, float, unsigned, ROUNDF, 0,           \
                               UINT32_MAX, 0)                                             \
    OPSLIB_CUDA_SIM_TO_INTEGER(__float2ll_##MODE, float, long long, ROUNDF, INT64_MIN,    \
                               INT64_MAX, INT64_MIN)                                      \
    OPSLIB_CUDA_SIM_TO_INTEGER(__double2int_##MODE, double, int, ROUND, INT32_MIN,        \
                               INT32_MAX, 0)                                              \
    OPSLIB_CUDA_SIM_TO_INTEGER(__double2ll_##MODE, double, long long, ROUND, INT64_MIN,   \
                               INT64_MAX, INT64_MIN)
OPSLIB_CUDA_SIM_CONVERT(rn, rintf, rint)
OPSLIB_CUDA_SIM_CONVERT(rz, truncf, trunc)
OPSLIB_CUDA_SIM_CONVERT(rd, floorf, floor)
OPSLIB_CUDA_SIM_CONVERT(ru, ceilf, ceil)
#undef OPSLIB_CUDA_SIM_CONVERT
#undef OPSLIB_CUDA_SIM_TO_INTEGER
static inline float __int2float_rn(int x) { return float(x); }
static inline float __uint2float_rn(unsigned x) { return float(x); }
static inline float __ll2float_rn(long long x) { return float(x); }

template <typename T>
static inline T max(T a, T b) { return a < b ? b : a; }
template <typename T>
static inline T min(T a, T b) { return b < a ? b : a; }
static inline float max(float a, float b) { return fmaxf(a, b); }
static inline float min(float a, float b) { return fminf(a, b); }

#endif
