/* planted.c -- kernels with one fault each, that fenced.py must find (planted.py).
 *
 * buffers: float32 x[n], y[n]; ints: n, the stride of x, the stride of y. */
#include "opslib_abi.h"

#include <stddef.h>
#include <string.h>

#define KERNEL(name)                                                                     \
    __attribute__((visibility("default"), noinline)) int32_t name(                       \
        ops_context *ctx, void *const *buffers, const int64_t *ints, const double *reals)

#define ARGUMENTS                                                                        \
    float *x = buffers[0], *y = buffers[1];                                              \
    const int64_t n = ints[0], by_x = ints[1], by_y = ints[2];                           \
    (void)ctx;                                                                           \
    (void)reals;                                                                         \
    for (int64_t i = 0; i < n; i++)                                                      \
        y[i * by_y] = x[i * by_x]

static volatile float sink;

KERNEL(nothing) {
    ARGUMENTS;
    return 0;
}

KERNEL(reads_behind) {
    ARGUMENTS;
    sink = x[n * by_x];
    return 0;
}

KERNEL(reads_before) {
    ARGUMENTS;
    sink = x[-1];
    return 0;
}

KERNEL(writes_behind) {
    ARGUMENTS;
    y[(n - 1) * by_y + 1] = 1;
    return 0;
}

KERNEL(writes_between) {
    ARGUMENTS;
    y[1] = 1;
    return 0;
}

KERNEL(writes_input) {
    ARGUMENTS;
    x[0] = 1;
    return 0;
}

KERNEL(leaves_out) {
    ARGUMENTS;
    memset(y, ((const unsigned char *)ctx->workspace(ctx, 0, 64))[0], 4);
    return 0;
}

KERNEL(reads_behind_scratch) {
    ARGUMENTS;
    const float *scratch = ctx->workspace(ctx, 0, 64);
    sink = scratch[16];
    return 0;
}

static void body(void *state, int64_t begin, int64_t end, int32_t worker) {
    void **found = state;
    (void)begin;
    (void)end;
    found[1] = ((ops_context *)found[0])->workspace(found[0], worker, 64);
}

KERNEL(keeps_scratch) {
    ARGUMENTS;
    void *state[2] = {ctx, NULL};
    ctx->parallel(ctx, body, state, 1, 1);
    sink = ((const float *)state[1])[0];
    return 0;
}

KERNEL(alignment) { /* Believes in 64 bytes: a sum whose grouping depends on them. */
    ARGUMENTS;
    y[0] = (uintptr_t)y % 64 == 0 ? 1.0f : 2.0f;
    return 0;
}

KERNEL(shifts) {
    ARGUMENTS;
    volatile int32_t by = 32;
    sink = (float)(1 << by);
    return 0;
}

KERNEL(overruns) {
    ARGUMENTS;
    volatile float row[8] = {0};
    volatile int64_t at = 8;
    sink = row[at];
    return 0;
}
