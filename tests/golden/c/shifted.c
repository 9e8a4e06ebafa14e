#include "opslib_kernel.h"

struct shifted_block {
    ops_context *ctx;
    int32_t *status;
    int64_t blocks;
    int64_t n;
    float *y;
    int64_t y_stride0;
    const float *x;
    int64_t x_stride0;
};

static void shifted_block_run(void *state, int64_t first, int64_t past,
                              int32_t worker)
{
    const struct shifted_block *self = state;
    ops_context *ctx = self->ctx;
    int32_t *status = self->status;
    const int64_t blocks = self->blocks;
    const int64_t n = self->n;
    float *y = self->y;
    const int64_t y_stride0 = self->y_stride0;
    const float *x = self->x;
    const int64_t x_stride0 = self->x_stride0;
    (void)ctx;
    (void)status;
    (void)worker;
    for (int64_t block = first; block < past; block++) {
        const int64_t at = block % blocks;
        const int64_t i_1 = block / blocks;
        const int64_t begin = at * 8192;
        const int64_t end = ops_minimum_i64(begin + 8192, n);
        {
            float *y_from = y + i_1 * y_stride0;
            const float *x_from = x + i_1 * x_stride0 + -1;
            int64_t j = begin;
            for (; j + OPS_LANES <= end; j += OPS_LANES) {
                const ops_v_i64 t = ops_splat_i64(j) + ops_iota_i64();
                const ops_v_i64 k = t - ops_splat_i64(1);
                const ops_v_i32 test = ops_mask_i64_to_i32(k >= ops_zero_i64());
                const ops_v_f32 x_at = ops_load_where_f32(x_from + j, test);
                ops_store_f32(y_from + j, ops_select_v_f32(test, x_at,
                    ops_splat_f32(-1.0f)));
            }
            if (j < end) {
                const int64_t live = end - j;
                const ops_v_i64 t_2 = ops_splat_i64(j) + ops_iota_i64();
                const ops_v_i64 k_2 = t_2 - ops_splat_i64(1);
                const ops_v_i32 test_2 = ops_mask_i64_to_i32(k_2 >= ops_zero_i64());
                const ops_v_i32 where = test_2 & ops_first_i32(live);
                const ops_v_f32 x_at_2 = ops_load_where_f32(x_from + j, where);
                ops_store_n_f32(y_from + j, ops_select_v_f32(test_2, x_at_2,
                    ops_splat_f32(-1.0f)), live);
            }
        }
    }
}

/* shifted: skeleton map */
OPS_EXPORT int32_t opslib_shifted(ops_context *ctx, void *const *buffers,
                                  const int64_t *ints, const double *reals)
{
    const float *x = buffers[0];
    float *y = buffers[1];
    const int64_t m = ints[0];
    const int64_t n = ints[1];
    const int64_t x_stride0 = ints[2];
    const int64_t y_stride0 = ints[3];
    int32_t status_now = OPS_OK, *const status = &status_now;
    (void)ctx;
    (void)buffers;
    (void)ints;
    (void)reals;
    const int64_t blocks = (n + 8191) / 8192;
    {
        struct shifted_block shared = {
            .ctx = ctx,
            .status = status,
            .blocks = blocks,
            .n = n,
            .y = y,
            .y_stride0 = y_stride0,
            .x = x,
            .x_stride0 = x_stride0,
        };
        ctx->parallel(ctx, shifted_block_run, &shared, m * blocks, 1
            + 32768 / ops_maximum_i64(ops_minimum_i64(n, 8192), 1));
    }
    if (*status != OPS_OK)
        return *status;
    return *status;
}
