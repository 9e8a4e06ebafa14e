#include "opslib_kernel.h"

struct scatter_i {
    ops_context *ctx;
    int32_t *status;
    const int64_t *ids;
    int64_t s;
};

static void scatter_i_run(void *state, int64_t first, int64_t past,
                          int32_t worker)
{
    const struct scatter_i *self = state;
    ops_context *ctx = self->ctx;
    int32_t *status = self->status;
    const int64_t *ids = self->ids;
    const int64_t s = self->s;
    (void)ctx;
    (void)status;
    (void)worker;
    for (int64_t i = first; i < past; i++) {
        if (!(ids[i] >= 0 && ids[i] < s)) {
            return (void)ops_fail(ctx, status, 0, ids[i], s);
        }
    }
}

struct scatter_block {
    ops_context *ctx;
    int32_t *status;
    int64_t blocks;
    int64_t n;
    float *y;
    int64_t y_stride0;
};

static void scatter_block_run(void *state, int64_t first, int64_t past,
                              int32_t worker)
{
    const struct scatter_block *self = state;
    ops_context *ctx = self->ctx;
    int32_t *status = self->status;
    const int64_t blocks = self->blocks;
    const int64_t n = self->n;
    float *y = self->y;
    const int64_t y_stride0 = self->y_stride0;
    (void)ctx;
    (void)status;
    (void)worker;
    for (int64_t block = first; block < past; block++) {
        const int64_t at = block % blocks;
        const int64_t i_1_1 = block / blocks;
        const int64_t begin = at * 8192;
        const int64_t end = ops_minimum_i64(begin + 8192, n);
        {
            float *y_from = y + i_1_1 * y_stride0;
            int64_t j = begin;
            for (; j + OPS_LANES <= end; j += OPS_LANES) {
                ops_store_f32(y_from + j, ops_zero_f32());
            }
            if (j < end) {
                const int64_t live = end - j;
                ops_store_n_f32(y_from + j, ops_zero_f32(), live);
            }
        }
    }
}

struct scatter_item {
    ops_context *ctx;
    int32_t *status;
    int64_t n;
    int64_t m;
    const int64_t *ids;
    const float *x;
    int64_t x_stride0;
    float *y;
    int64_t y_stride0;
};

static void scatter_item_run(void *state, int64_t first, int64_t past,
                             int32_t worker)
{
    const struct scatter_item *self = state;
    ops_context *ctx = self->ctx;
    int32_t *status = self->status;
    const int64_t n = self->n;
    const int64_t m = self->m;
    const int64_t *ids = self->ids;
    const float *x = self->x;
    const int64_t x_stride0 = self->x_stride0;
    float *y = self->y;
    const int64_t y_stride0 = self->y_stride0;
    (void)ctx;
    (void)status;
    (void)worker;
    for (int64_t item = first; item < past; item++) {
        const int64_t begin_1 = item * 256;
        const int64_t end_1 = ops_minimum_i64(begin_1 + 256, n);
        for (int64_t i_2 = 0; i_2 < m; i_2++) {
            {
                const int64_t ids_at = begin_1 < end_1 ? ids[i_2] : 0;
                const float *x_from = x + i_2 * x_stride0;
                int64_t j_1 = begin_1;
                for (; j_1 + OPS_LANES <= end_1; j_1 += OPS_LANES) {
                    const ops_v_f32 y_at = ops_load_f32(y + ids_at * y_stride0 + j_1);
                    const ops_v_f32 x_at = ops_load_f32(x_from + j_1);
                    ops_store_f32(y + ids_at * y_stride0 + j_1, y_at + x_at);
                }
                if (j_1 < end_1) {
                    const int64_t live_2 = end_1 - j_1;
                    const ops_v_f32 y_at_2 = ops_load_n_f32(y + ids_at * y_stride0 + j_1,
                        live_2);
                    const ops_v_f32 x_at_2 = ops_load_n_f32(x_from + j_1, live_2);
                    ops_store_n_f32(y + ids_at * y_stride0 + j_1, y_at_2 + x_at_2, live_2);
                }
            }
        }
    }
}

/* scatter: skeleton nest */
OPS_EXPORT int32_t opslib_scatter(ops_context *ctx, void *const *buffers,
                                  const int64_t *ints, const double *reals)
{
    const int64_t *ids = buffers[0];
    const float *x = buffers[1];
    float *y = buffers[2];
    const int64_t m = ints[0];
    const int64_t n = ints[1];
    const int64_t s = ints[2];
    const int64_t x_stride0 = ints[3];
    const int64_t y_stride0 = ints[4];
    int32_t status_now = OPS_OK, *const status = &status_now;
    (void)ctx;
    (void)buffers;
    (void)ints;
    (void)reals;
    {
        struct scatter_i shared = {
            .ctx = ctx,
            .status = status,
            .ids = ids,
            .s = s,
        };
        ctx->parallel(ctx, scatter_i_run, &shared, m, 32768);
    }
    if (*status != OPS_OK)
        return *status;
    const int64_t blocks = (n + 8191) / 8192;
    {
        struct scatter_block shared = {
            .ctx = ctx,
            .status = status,
            .blocks = blocks,
            .n = n,
            .y = y,
            .y_stride0 = y_stride0,
        };
        ctx->parallel(ctx, scatter_block_run, &shared, s * blocks, 1
            + 32768 / ops_maximum_i64(ops_minimum_i64(n, 8192), 1));
    }
    if (*status != OPS_OK)
        return *status;
    const int64_t blocks_1 = (n + 255) / 256;
    {
        struct scatter_item shared = {
            .ctx = ctx,
            .status = status,
            .n = n,
            .m = m,
            .ids = ids,
            .x = x,
            .x_stride0 = x_stride0,
            .y = y,
            .y_stride0 = y_stride0,
        };
        ctx->parallel(ctx, scatter_item_run, &shared, blocks_1, 1);
    }
    if (*status != OPS_OK)
        return *status;
    return *status;
}
