/* The CUDA language for a host compiler, so that the unchanged text of a kernel compiles
 * with g++ and runs in the simulator.
 *
 * Force-included before the text (-include opslib_cuda_sim.h).  Memory accesses are seen
 * through the callbacks of -fsanitize=thread, which the engine defines; everything that
 * talks to other threads is a call of the engine (opslib_cuda_sim_engine.h).  */
#ifndef OPSLIB_CUDA_SIM_H
#define OPSLIB_CUDA_SIM_H

#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define OPSLIB_CUDA_SIM 1
/* #pragma unroll */
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
/* NVRTC defines the target's number; the simulator is given it as a flag. */
#ifndef __CUDA_ARCH__
#define __CUDA_ARCH__ 900
#endif
#ifndef OPS_WARP
#define OPS_WARP 32
#endif

#define __global__ __attribute__((noinline))
#define __device__
#define __host__
#define __constant__ static
/* A block-scope thread_local is static, and `extern thread_local` a declaration of the
 * engine's dynamic shared memory, exactly as __shared__ is; all blocks of a launch run
 * on one OS thread, one after the other. */
#define __shared__ thread_local
#define __launch_bounds__(...)
#define __cluster_dims__(...)
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(n) __attribute__((aligned(n)))
#define __noinline__ __attribute__((noinline))

#include "opslib_cuda_sim_vector.h"

#include "opslib_cuda_sim_engine.h"

#define threadIdx (opslib_cuda_sim::thread_index())
#define blockIdx (opslib_cuda_sim::block_index())
#define blockDim (opslib_cuda_sim::block_size())
#define gridDim (opslib_cuda_sim::grid_size())
#define warpSize OPS_WARP

#include "opslib_cuda_sim_warp.h"

#include "opslib_cuda_sim_atomic.h"

#include "opslib_cuda_sim_intrinsic.h"

#endif
