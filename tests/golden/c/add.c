#include "opslib_kernel.h"

struct add_block {
    ops_context *ctx;
    int32_t *status;
    int64_t blocks;
    int64_t n;
    float *z;
    int64_t z_stride0;
    const float *x;
    int64_t x_stride0;
    const float *y;
    int64_t y_stride0;
};

static void add_block_run(void *state, int64_t first, int64_t past,
                          int32_t worker)
{
    const struct add_block *self = state;
    ops_context *ctx = self->ctx;
    int32_t *status = self->status;
    const int64_t blocks = self->blocks;
    const int64_t n = self->n;
    float *z = self->z;
    const int64_t z_stride0 = self->z_stride0;
    const float *x = self->x;
    const int64_t x_stride0 = self->x_stride0;
    const float *y = self->y;
    const int64_t y_stride0 = self->y_stride0;
    (void)ctx;
    (void)status;
    (void)worker;
    for (int64_t block = first; block < past; block++) {
        const int64_t at = block % blocks;
        const int64_t i_1 = block / blocks;
        const int64_t begin = at * 8192;
        const int64_t end = ops_minimum_i64(begin + 8192, n);
        {
            float *z_from = z + i_1 * z_stride0;
            const float *x_from = x + i_1 * x_stride0;
            const float *y_from = y + i_1 * y_stride0;
            int64_t j = begin;
            for (; j + OPS_LANES <= end; j += OPS_LANES) {
                const ops_v_f32 x_at = ops_load_f32(x_from + j);
                const ops_v_f32 y_at = ops_load_f32(y_from + j);
                ops_store_f32(z_from + j, x_at + y_at);
            }
            if (j < end) {
                const int64_t live = end - j;
                const ops_v_f32 x_at_2 = ops_load_n_f32(x_from + j, live);
                const ops_v_f32 y_at_2 = ops_load_n_f32(y_from + j, live);
                ops_store_n_f32(z_from + j, x_at_2 + y_at_2, live);
            }
        }
    }
}

/* add: skeleton map */
OPS_EXPORT int32_t opslib_add(ops_context *ctx, void *const *buffers,
                              const int64_t *ints, const double *reals)
{
    const float *x = buffers[0];
    const float *y = buffers[1];
    float *z = buffers[2];
    const int64_t m = ints[0];
    const int64_t n = ints[1];
    const int64_t x_stride0 = ints[2];
    const int64_t y_stride0 = ints[3];
    const int64_t z_stride0 = ints[4];
    int32_t status_now = OPS_OK, *const status = &status_now;
    (void)ctx;
    (void)buffers;
    (void)ints;
    (void)reals;
    const int64_t blocks = (n + 8191) / 8192;
    {
        struct add_block shared = {
            .ctx = ctx,
            .status = status,
            .blocks = blocks,
            .n = n,
            .z = z,
            .z_stride0 = z_stride0,
            .x = x,
            .x_stride0 = x_stride0,
            .y = y,
            .y_stride0 = y_stride0,
        };
        ctx->parallel(ctx, add_block_run, &shared, m * blocks, 1
            + 32768 / ops_maximum_i64(ops_minimum_i64(n, 8192), 1));
    }
    if (*status != OPS_OK)
        return *status;
    return *status;
}
