/* The binary interface between opslib and every kernel it compiles for the host.
 *
 * A kernel sees nothing of Python: raw addresses in, an error code out. All it may ask of
 * the process, threads and scratch memory, comes through the context, so a kernel can be
 * run by another host (a test harness, an embedded runtime) that fills in this struct.
 *
 * Any change of layout or meaning raises OPS_ABI_VERSION, which is part of every cache
 * key: a stale kernel is then never loaded.
 */
#ifndef OPSLIB_ABI_H
#define OPSLIB_ABI_H

#include <stdint.h>

#define OPS_ABI_VERSION 2

#ifdef __cplusplus
extern "C" {
#endif

/* What a kernel returns. For OPS_INDEX, ctx->error says where:
 * {OPS_INDEX, operand number, the index, the extent it had to be below}. */
enum {
    OPS_OK = 0,
    OPS_INDEX = 1,
    OPS_OUT_OF_MEMORY = 2,
    OPS_REQUIREMENT = 3
};

typedef struct ops_context ops_context;

typedef void (*ops_body)(void *state, int64_t begin, int64_t end, int32_t worker);

struct ops_context {
    /* Runs body over [0, count), split in at most `threads` contiguous pieces, and each of
     * these in ranges of at least `grain`; returns when all are done. The ranges depend on
     * (count, grain, threads) only, never on timing; which worker runs one may vary, and
     * ranges of one piece may run at the same time. A call from inside a body, or while
     * another thread holds the pool, runs the same ranges in order on the calling thread. */
    void (*parallel)(ops_context *ctx, ops_body body, void *state, int64_t count,
                     int64_t grain);

    /* Workers including the caller; worker ids are 0..threads-1. Constant during a call. */
    int32_t threads;

    /* 64-byte aligned scratch of this worker. Each call returns another block, valid until
     * the body that asked for it returns, or, asked for outside of one, the kernel. NULL
     * when out of memory. Not cleared. */
    void *(*workspace)(ops_context *ctx, int32_t worker, int64_t bytes);

    /* Filled by a failing kernel: code, operand, index value, extent. */
    int64_t error[4];

    /* Private to whoever made the context. */
    void *pool;

    /* As `parallel`, but pieces of exactly `grain` (the last may be shorter), handed out
     * in order to whoever is free: for work of uneven cost. */
    void (*parallel_dynamic)(ops_context *ctx, ops_body body, void *state, int64_t count,
                             int64_t grain);

    /* Called by the launcher once the kernel has returned: takes the scratch back. Never
     * called by a kernel. May be NULL. */
    void (*finish)(ops_context *ctx);
};

/* buffers: the arrays, inputs in order and then outputs, NULL for an absent optional one.
 * ints: sizes, strides and integer attributes. reals: real attributes. */
typedef int32_t (*ops_kernel)(ops_context *ctx, void *const *buffers, const int64_t *ints,
                              const double *reals);

/* Returns the context of the calling thread, NULL when out of memory. The launcher asks
 * for it at each call, because a context has one scratch and one error, so two threads
 * must not share it. */
typedef ops_context *(*ops_context_provider)(void);

/* The pieces of `parallel`; a range lies in one of them. */
static inline int32_t ops_pieces(int64_t count, int64_t grain, int32_t threads) {
    int64_t most = count / (grain < 1 ? 1 : grain);
    return count <= 0 ? 0 : most < 1 ? 1 : most < threads ? (int32_t)most : threads;
}

/* The first count % pieces pieces are one longer. No product here can overflow. */
static inline int64_t ops_piece_begin(int64_t count, int32_t pieces, int32_t piece) {
    int64_t size = count / pieces, longer = count % pieces;
    return size * piece + (piece < longer ? piece : longer);
}

/* The piece that starts at `begin`, as a body is given it. */
static inline int32_t ops_piece_of(int64_t count, int32_t pieces, int64_t begin) {
    int64_t size = count / pieces, longer = count % pieces;
    int64_t edge = longer * (size + 1);
    return (int32_t)(begin < edge ? begin / (size + 1) : longer + (begin - edge) / size);
}

#ifdef __cplusplus
}
#endif

#endif
