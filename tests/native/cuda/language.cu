// The built-ins of CUDA that kernels use, one array of results each.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "opslib_cuda_ptx.h"

#define FULL 0xffffffffu

extern "C" __global__ void places(int *y) {
    const int at = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    const int t = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    int *const mine = y + (at * blockDim.x * blockDim.y * blockDim.z + t) * 6;
    mine[0] = threadIdx.x, mine[1] = threadIdx.y, mine[2] = threadIdx.z;
    mine[3] = blockIdx.x, mine[4] = blockIdx.y, mine[5] = blockIdx.z;
}

extern "C" __global__ void shuffles(const int *x, int *y) {
    const int t = threadIdx.x, v = x[t];
    int k = 0;
    const auto put = [&](int value) { y[k++ * 32 + t] = value; };
    put(__shfl_sync(FULL, v, 5));
    put(__shfl_sync(FULL, v, t + 3, 8));
    put(__shfl_up_sync(FULL, v, 3));
    put(__shfl_up_sync(FULL, v, 3, 8));
    put(__shfl_down_sync(FULL, v, 7));
    put(__shfl_down_sync(FULL, v, 7, 16));
    put(__shfl_xor_sync(FULL, v, 9));
    put(__shfl_xor_sync(FULL, v, 9, 8));
    put(int(__shfl_xor_sync(FULL, (long long)(v) << 33, 1) >> 33));
    put(int(__shfl_down_sync(FULL, double(v), 1)));
    put(__any_sync(FULL, v == x[3]));
    put(__all_sync(FULL, v >= 0));
    put(int(__ballot_sync(FULL, v & 1)));
    put(int(__match_any_sync(FULL, v & 3)));
    int all = 0;
    put(int(__match_all_sync(FULL, v & 3, &all)));
    put(all);
    put(__reduce_add_sync(FULL, v));
    put(__reduce_min_sync(FULL, v - 50));
    put(__reduce_max_sync(FULL, v - 50));
    put(int(__reduce_min_sync(FULL, unsigned(v) - 50u)));
    put(int(__reduce_max_sync(FULL, unsigned(v) - 50u)));
    put(int(__reduce_and_sync(FULL, unsigned(v) | 64u)));
    put(int(__reduce_or_sync(FULL, unsigned(v))));
    put(int(__reduce_xor_sync(FULL, unsigned(v))));
}

extern "C" __global__ void votes_of_blocks(const int *x, int *y) {
    const int t = threadIdx.x;
    y[t] = __syncthreads_count(x[t]);
    y[96 + t] = __syncthreads_and(x[t]);
    y[192 + t] = __syncthreads_or(x[t] == 77);
}

extern "C" __global__ void atomics(int *i, unsigned *u, unsigned long long *l, float *f,
                                   double *d) {
    __shared__ int held;
    if (threadIdx.x == 0) held = 0;
    __syncthreads();
    const int t = int(threadIdx.x);
    atomicAdd(i, t);
    atomicSub(i + 1, t);
    atomicMin(i + 2, -t);
    atomicMax(i + 3, t);
    atomicAnd(i + 4, ~(1 << t % 8));
    atomicOr(i + 5, 1 << t % 8);
    atomicXor(i + 6, t);
    atomicCAS(i + 7, 0, t + 1);
    atomicAdd(&held, 1);
    atomicInc(u, 9u);
    atomicDec(u + 1, 9u);
    atomicMin(u + 2, 0x80000000u + unsigned(t));
    atomicMax(u + 3, 0x80000000u + unsigned(t));
    atomicAdd(l, 0x100000000ull);
    atomicAdd(f, 0.5f);
    atomicAdd(d, 0.25);
    __syncthreads();
    if (t == 0) i[8] = held;
}

extern "C" __global__ void bits(const unsigned *a, const unsigned *b, unsigned *y,
                                unsigned long long *z) {
    const int t = threadIdx.x;
    const unsigned u = a[t], v = b[t];
    const unsigned long long w = (unsigned long long)(u) << 32 | v;
    int k = 0;
    const auto put = [&](unsigned value) { y[k++ * 64 + t] = value; };
    put(unsigned(__popc(u)));
    put(unsigned(__clz(int(u))));
    put(unsigned(__ffs(int(u))));
    put(__brev(u));
    put(__byte_perm(u, v, 0x6172));
    put(__funnelshift_l(u, v, 13));
    put(__funnelshift_r(u, v, 13));
    put(unsigned(__mulhi(int(u), int(v))));
    put(__umulhi(u, v));
    put(unsigned(__popcll(w)));
    put(unsigned(__clzll((long long)(w))));
    put(unsigned(__ffsll((long long)(w))));
    put(unsigned(__dp4a(int(u), int(v), 1)));
    z[t] = __umul64hi(w, ~w);
    z[64 + t] = (unsigned long long)(__mul64hi((long long)(w), (long long)(~w)));
    z[128 + t] = __brevll(w);
}

extern "C" __global__ void rounding(const float *x, int *y, long long *z) {
    const int t = threadIdx.x;
    y[t] = __float2int_rn(x[t]);
    y[64 + t] = __float2int_rz(x[t]);
    y[128 + t] = __float2int_rd(x[t]);
    y[192 + t] = __float2int_ru(x[t]);
    y[256 + t] = int(__float2uint_rz(x[t]));
    y[320 + t] = __float_as_int(x[t]);
    z[t] = __float2ll_rn(x[t]);
}

// Warps read columns: of rows of 32, and of rows of 33 floats.
extern "C" __global__ void columns(const float *x, float *y) {
    __shared__ float narrow[32][32], wide[32][33];
    const int t = threadIdx.x;
    for (int r = 0; r < 32; r++) narrow[r][t] = wide[r][t] = x[r * 32 + t];
    __syncwarp();
    y[t] = narrow[t][0] + wide[t][0];
    y[32 + t] = x[t * 32];
}
extern "C" __global__ void quads(const float4 *x, float4 *y) {
    __shared__ float4 box[32];
    box[threadIdx.x] = x[threadIdx.x];
    __syncwarp();
    y[threadIdx.x] = box[31 - threadIdx.x];
}

extern "C" __global__ void small_floats(const float *x, __half *h, __nv_bfloat16 *b,
                                        float *y) {
    const int t = threadIdx.x;
    h[t] = __float2half(x[t]);
    b[t] = __float2bfloat16(x[t]);
    const __half2 pair = __floats2half2_rn(x[t], x[t ^ 1]);
    y[t] = __half2float(h[t]) + __half22float2(pair).y;
    y[64 + t] = __bfloat162float(b[t]);
}

extern "C" __global__ void copied(const float *x, float *y, int64_t n) {
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) y[i] = x[i];
}
