/* opslib_cuda.h -- what generated CUDA calls.
 *
 * Element types and scalar mathematics come from opslib_scalar.h, with the bits of the C
 * kernels; here are double, accesses of 16 bytes, folds over warps and blocks, and errors.
 *
 * A warp has OPS_WARP threads: 32, or 64 where the text says so before this header (AMD's
 * gfx9). Nothing else depends on it. */
#ifndef OPSLIB_CUDA_H
#define OPSLIB_CUDA_H

#include "opslib_cuda_ptx.h"

#if !defined(OPS_WARP)
#define OPS_WARP 32
#endif
#define OPS_DEVICE __device__
#define OPS_TABLE static

/* 16-bit floats as they lie in memory; values are held in float. */
struct ops_half {
    uint16_t bits;
    ops_half() = default;
    OPS_DEVICE explicit ops_half(float x) : bits(ops_ptx_f32_to_f16(x)) {}
    OPS_DEVICE explicit operator float() const { return ops_ptx_f16_to_f32(bits); }
};
struct ops_bfloat {
    uint16_t bits;
    ops_bfloat() = default;
    /* Of a float whose lower half is zero, as opslib_scalar.h gives it. */
    OPS_DEVICE explicit ops_bfloat(float x) {
        union { float f; uint32_t u; } c;
        c.f = x;
        bits = (uint16_t)(c.u >> 16);
    }
    OPS_DEVICE explicit operator float() const {
        union { float f; uint32_t u; } c;
        c.u = (uint32_t)bits << 16;
        return c.f;
    }
};
#define OPS_HALF ops_half
#define OPS_BFLOAT ops_bfloat
#if defined(__CUDACC_RTC__)
#pragma nv_diag_suppress 186 /* one text for signed and unsigned tests for negative numbers */
#endif
#include "opslib_scalar.h"

#include "opslib_cuda_f64.h"
#include "opslib_cuda_memory.h"
#include "opslib_cuda_team.h"
#include "opslib_cuda_order.h"
#if !defined(__HIPCC__) /* AMD's matrix units are not used */
#include "opslib_cuda_contract.h"
#include "opslib_cuda_group.h"
#endif

/* ------------------------------------------------------------- indices ---- */

/* a / b and a % b of a >= 0, b > 0; in 32 bits where both fit, which is several times
 * faster than the 64-bit division a GPU does in software. */
OPS_INLINE int64_t ops_quotient(int64_t a, int64_t b) {
    return (a | b) >> 32 ? a / b : (int64_t)((uint32_t)a / (uint32_t)b);
}
OPS_INLINE int64_t ops_rest(int64_t a, int64_t b) {
    return (a | b) >> 32 ? a % b : (int64_t)((uint32_t)a % (uint32_t)b);
}

#if !defined(__HIPCC__)
#include "opslib_cuda_attend.h"
#endif
#include "opslib_cuda_attend_rows.h"

/* -------------------------------------------------------------- errors ---- */

/* The first failure is kept: code 1, the check, the value and the extent.  The fifth word
 * is the address of four words of the host's, or 0: they get a copy, which the host reads
 * without waiting for the device.  Their code is 2 while the others are written. */
OPS_INLINE void ops_fail(int64_t *status, int64_t check, int64_t value, int64_t extent) {
    if (atomicCAS((unsigned long long *)status, 0ull, 1ull) != 0ull) return;
    status[1] = check;
    status[2] = value;
    status[3] = extent;
    int64_t *const note = (int64_t *)status[4];
    if (!note || atomicCAS((unsigned long long *)note, 0ull, 2ull) != 0ull) return;
    note[1] = check;
    note[2] = value;
    note[3] = extent;
    __threadfence_system();
    atomicExch((unsigned long long *)note, 1ull);
}
/* Whether an earlier launch failed: the same answer for all threads of the block. */
OPS_INLINE bool ops_failed(const int64_t *status) {
    __shared__ int64_t code;
    if (threadIdx.x == 0) code = status[0];
    __syncthreads();
    return code != 0;
}

#endif /* OPSLIB_CUDA_H */
