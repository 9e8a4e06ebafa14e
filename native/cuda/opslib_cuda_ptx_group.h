/* wgmma: products of four warps on shared memory, for sm_90a alone. A part of opslib_cuda_ptx.h.
 *
 * PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions". d += a b (d = a b where not
 * `add`): d of 64 x n in fragments, a of 64 x k and b of k x n in shared memory, named by
 * descriptors; or a in registers, as fragments of mma.m16n8k16 and its relatives. Elements of
 * 16 bits may lie the other way round: TURN_A: M side by side, TURN_B: N. */

/* A matrix in shared memory, at a multiple of 16 bytes (of 1024 with a swizzle of 128): byte
 * distances as PTX ISA has them, "Strides" of "Shared Memory Matrix Layout"; the swizzle is
 * 0, 32, 64 or 128 bytes. */
static inline __device__ uint64_t ops_ptx_wgmma_descriptor(const void *shared,
                                                           uint32_t leading, uint32_t stride,
                                                           int swizzle) {
    const uint64_t mode = swizzle == 128 ? 1 : swizzle == 64 ? 2 : swizzle == 32 ? 3 : 0;
    return (uint64_t)((ops_ptx_shared_address(shared) & 0x3ffff) >> 4) |
           (uint64_t)((leading & 0x3ffff) >> 4) << 16 |
           (uint64_t)((stride & 0x3ffff) >> 4) << 32 | mode << 62;
}

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
/* Registers of d and a that were touched are ready for the products behind. */
static inline __device__ void ops_ptx_wgmma_fence() {
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
static inline __device__ void ops_ptx_wgmma_commit() {
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
/* Until at most the last N groups of products are open. */
template <int N>
static inline __device__ void ops_ptx_wgmma_wait() {
    asm volatile("wgmma.wait_group.sync.aligned %0;" : : "n"(N) : "memory");
}
/* For the compiler: no access of d moves over this. Around products, and behind their wait. */
template <int COUNT>
static inline __device__ void ops_ptx_wgmma_hold(float (&d)[COUNT]) {
#pragma unroll
    for (int i = 0; i < COUNT; i++) asm volatile("" : "+f"(d[i]) : : "memory");
}
template <int COUNT>
static inline __device__ void ops_ptx_wgmma_hold(int32_t (&d)[COUNT]) {
#pragma unroll
    for (int i = 0; i < COUNT; i++) asm volatile("" : "+r"(d[i]) : : "memory");
}

/* Operands of the asm below: registers of d, their places in the text, then those of what
 * comes behind. */
#define OPS_PTX_D4(C, i) "+" C(d[i]), "+" C(d[i + 1]), "+" C(d[i + 2]), "+" C(d[i + 3])
#define OPS_PTX_D8(C, i) OPS_PTX_D4(C, i), OPS_PTX_D4(C, i + 4)
#define OPS_PTX_D16(C, i) OPS_PTX_D8(C, i), OPS_PTX_D8(C, i + 8)
#define OPS_PTX_D32(C, i) OPS_PTX_D16(C, i), OPS_PTX_D16(C, i + 16)
#define OPS_PTX_D64(C, i) OPS_PTX_D32(C, i), OPS_PTX_D32(C, i + 32)
#define OPS_PTX_P4 "%0, %1, %2, %3"
#define OPS_PTX_P8 OPS_PTX_P4 ", %4, %5, %6, %7"
#define OPS_PTX_P16 OPS_PTX_P8 ", %8, %9, %10, %11, %12, %13, %14, %15"
#define OPS_PTX_P32 OPS_PTX_P16 \
    ", %16, %17, %18, %19, %20, %21, %22, %23" \
    ", %24, %25, %26, %27, %28, %29, %30, %31"
#define OPS_PTX_P48 OPS_PTX_P32 \
    ", %32, %33, %34, %35, %36, %37, %38, %39" \
    ", %40, %41, %42, %43, %44, %45, %46, %47"
#define OPS_PTX_P64 OPS_PTX_P48 \
    ", %48, %49, %50, %51, %52, %53, %54, %55" \
    ", %56, %57, %58, %59, %60, %61, %62, %63"
#define OPS_PTX_P96 OPS_PTX_P64 \
    ", %64, %65, %66, %67, %68, %69, %70, %71" \
    ", %72, %73, %74, %75, %76, %77, %78, %79" \
    ", %80, %81, %82, %83, %84, %85, %86, %87" \
    ", %88, %89, %90, %91, %92, %93, %94, %95"
#define OPS_PTX_P128 OPS_PTX_P96 \
    ", %96, %97, %98, %99, %100, %101, %102, %103" \
    ", %104, %105, %106, %107, %108, %109, %110, %111" \
    ", %112, %113, %114, %115, %116, %117, %118, %119" \
    ", %120, %121, %122, %123, %124, %125, %126, %127"

/* D: registers of d; OUT, PLACES: see above; N0 to N7: the places behind them. */
#define OPS_PTX_WGMMA_TURNED(N, D, OUT, PLACES, NAME, TYPES, N0, N1, N2, N3, N4, N5, N6)         \
    template <int TURN_A = 0, int TURN_B = 0>                                                   \
    static inline __device__ void ops_ptx_wgmma_m64n##N##k16_##NAME(                            \
        float (&d)[D], uint64_t a, uint64_t b, bool add = true) {                               \
        asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " N2 ", 0;\n"                            \
                     "wgmma.mma_async.sync.aligned.m64n" #N "k16." TYPES " {" PLACES "}, " N0   \
                     ", " N1 ", p, 1, 1, " N3 ", " N4 ";\n}"                                    \
                     : OUT("f")                                                                 \
                     : "l"(a), "l"(b), "r"((int)add), "n"(TURN_A), "n"(TURN_B)                  \
                     : "memory");                                                               \
    }                                                                                           \
    template <int TURN_B = 0>                                                                   \
    static inline __device__ void ops_ptx_wgmma_m64n##N##k16_##NAME##_registers(                \
        float (&d)[D], const uint32_t (&a)[4], uint64_t b, bool add = true) {                   \
        asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " N5 ", 0;\n"                            \
                     "wgmma.mma_async.sync.aligned.m64n" #N "k16." TYPES " {" PLACES "}, {" N0  \
                     ", " N1 ", " N2 ", " N3 "}, " N4 ", p, 1, 1, " N6 ";\n}"                   \
                     : OUT("f")                                                                 \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"((int)add),       \
                       "n"(TURN_B)                                                              \
                     : "memory");                                                               \
    }
#define OPS_PTX_WGMMA(N, K, D, OUT, PLACES, NAME, TYPES, R, C, SCALES, N0, N1, N2, N3, N4, N5)   \
    static inline __device__ void ops_ptx_wgmma_m64n##N##k##K##_##NAME(                         \
        R (&d)[D], uint64_t a, uint64_t b, bool add = true) {                                   \
        asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " N2 ", 0;\n"                            \
                     "wgmma.mma_async.sync.aligned.m64n" #N "k" #K "." TYPES " {" PLACES        \
                     "}, " N0 ", " N1 ", p" SCALES ";\n}"                                       \
                     : OUT(C)                                                                   \
                     : "l"(a), "l"(b), "r"((int)add)                                            \
                     : "memory");                                                               \
    }                                                                                           \
    static inline __device__ void ops_ptx_wgmma_m64n##N##k##K##_##NAME##_registers(             \
        R (&d)[D], const uint32_t (&a)[4], uint64_t b, bool add = true) {                       \
        asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " N5 ", 0;\n"                            \
                     "wgmma.mma_async.sync.aligned.m64n" #N "k" #K "." TYPES " {" PLACES        \
                     "}, {" N0 ", " N1 ", " N2 ", " N3 "}, " N4 ", p" SCALES ";\n}"             \
                     : OUT(C)                                                                   \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"((int)add)        \
                     : "memory");                                                               \
    }
#define OPS_PTX_WGMMA_ALL(N, D, OUT, PLACES, N0, N1, N2, N3, N4, N5, N6)                         \
    OPS_PTX_WGMMA_TURNED(N, D, OUT, PLACES, f16, "f32.f16.f16", N0, N1, N2, N3, N4, N5, N6)     \
    OPS_PTX_WGMMA_TURNED(N, D, OUT, PLACES, bf16, "f32.bf16.bf16", N0, N1, N2, N3, N4, N5, N6)  \
    OPS_PTX_WGMMA(N, 8, D, OUT, PLACES, tf32, "f32.tf32.tf32", float, "f", ", 1, 1", N0, N1,    \
                  N2, N3, N4, N5)                                                               \
    OPS_PTX_WGMMA(N, 32, D, OUT, PLACES, e4m3, "f32.e4m3.e4m3", float, "f", ", 1, 1", N0, N1,   \
                  N2, N3, N4, N5)                                                               \
    OPS_PTX_WGMMA(N, 32, D, OUT, PLACES, e5m2, "f32.e5m2.e5m2", float, "f", ", 1, 1", N0, N1,   \
                  N2, N3, N4, N5)                                                               \
    OPS_PTX_WGMMA(N, 32, D, OUT, PLACES, s8, "s32.s8.s8", int32_t, "r", "", N0, N1, N2, N3, N4, \
                  N5)                                                                           \
    OPS_PTX_WGMMA(N, 32, D, OUT, PLACES, u8, "s32.u8.u8", int32_t, "r", "", N0, N1, N2, N3, N4, \
                  N5)
#define OPS_PTX_OUT4(C) OPS_PTX_D4(C, 0)
#define OPS_PTX_OUT8(C) OPS_PTX_D8(C, 0)
#define OPS_PTX_OUT16(C) OPS_PTX_D16(C, 0)
#define OPS_PTX_OUT32(C) OPS_PTX_D32(C, 0)
#define OPS_PTX_OUT48(C) OPS_PTX_D32(C, 0), OPS_PTX_D16(C, 32)
#define OPS_PTX_OUT64(C) OPS_PTX_D64(C, 0)
#define OPS_PTX_OUT96(C) OPS_PTX_D64(C, 0), OPS_PTX_D32(C, 64)
#define OPS_PTX_OUT128(C) OPS_PTX_D64(C, 0), OPS_PTX_D64(C, 64)
OPS_PTX_WGMMA_ALL(8, 4, OPS_PTX_OUT4, OPS_PTX_P4, "%4", "%5", "%6", "%7", "%8", "%9", "%10")
OPS_PTX_WGMMA_ALL(16, 8, OPS_PTX_OUT8, OPS_PTX_P8, "%8", "%9", "%10", "%11", "%12", "%13", "%14")
OPS_PTX_WGMMA_ALL(32, 16, OPS_PTX_OUT16, OPS_PTX_P16, "%16", "%17", "%18", "%19", "%20",
                  "%21", "%22")
OPS_PTX_WGMMA_ALL(64, 32, OPS_PTX_OUT32, OPS_PTX_P32, "%32", "%33", "%34", "%35", "%36",
                  "%37", "%38")
OPS_PTX_WGMMA_ALL(96, 48, OPS_PTX_OUT48, OPS_PTX_P48, "%48", "%49", "%50", "%51", "%52",
                  "%53", "%54")
OPS_PTX_WGMMA_ALL(128, 64, OPS_PTX_OUT64, OPS_PTX_P64, "%64", "%65", "%66", "%67", "%68",
                  "%69", "%70")
OPS_PTX_WGMMA_ALL(192, 96, OPS_PTX_OUT96, OPS_PTX_P96, "%96", "%97", "%98", "%99", "%100",
                  "%101", "%102")
OPS_PTX_WGMMA_ALL(256, 128, OPS_PTX_OUT128, OPS_PTX_P128, "%128", "%129", "%130", "%131",
                  "%132", "%133", "%134")
#endif
