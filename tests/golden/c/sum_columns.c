#include "opslib_kernel.h"

struct sum_columns_block {
    ops_context *ctx;
    int32_t *status;
    int64_t n;
    int64_t m;
    const float *x;
    int64_t x_stride0;
    float *y;
};

static void sum_columns_block_run(void *state, int64_t first, int64_t past,
                                  int32_t worker)
{
    const struct sum_columns_block *self = state;
    ops_context *ctx = self->ctx;
    int32_t *status = self->status;
    const int64_t n = self->n;
    const int64_t m = self->m;
    const float *x = self->x;
    const int64_t x_stride0 = self->x_stride0;
    float *y = self->y;
    (void)ctx;
    (void)status;
    (void)worker;
    float *sum_row = ctx->workspace(ctx, worker, 512 * (int64_t)sizeof(float));
    if (sum_row == NULL)
        return (void)ops_no_memory(ctx, status);
    for (int64_t block = first; block < past; block++) {
        const int64_t begin = block * 512;
        const int64_t end = ops_minimum_i64(begin + 512, n);
        {
            float *sum_row_from = sum_row - begin;
            int64_t j_1 = begin;
            for (; j_1 + OPS_LANES <= end; j_1 += OPS_LANES) {
                ops_store_f32(sum_row_from + j_1, ops_zero_f32());
            }
            if (j_1 < end) {
                const int64_t live = end - j_1;
                ops_store_n_f32(sum_row_from + j_1, ops_zero_f32(), live);
            }
        }
        const int64_t whole = m / 4 * 4;
        for (int64_t i = 0; i < whole; i += 4) {
            {
                float *sum_row_from_2 = sum_row - begin;
                const float *x_from = x + i * x_stride0;
                const float *x_from_2 = x + (i + 1) * x_stride0;
                const float *x_from_3 = x + (i + 2) * x_stride0;
                const float *x_from_4 = x + (i + 3) * x_stride0;
                int64_t j_1_2 = begin;
                for (; j_1_2 + OPS_LANES <= end; j_1_2 += OPS_LANES) {
                    const ops_v_f32 sum_row_at = ops_load_f32(sum_row_from_2 + j_1_2);
                    const ops_v_f32 old = sum_row_at;
                    const ops_v_f32 x_at = ops_load_f32(x_from + j_1_2);
                    const ops_v_f32 x_at_2 = ops_load_f32(x_from_2 + j_1_2);
                    const ops_v_f32 x_at_3 = ops_load_f32(x_from_3 + j_1_2);
                    const ops_v_f32 x_at_4 = ops_load_f32(x_from_4 + j_1_2);
                    ops_store_f32(sum_row_from_2 + j_1_2, old + x_at + x_at_2 + x_at_3
                        + x_at_4);
                }
                if (j_1_2 < end) {
                    const int64_t live_2 = end - j_1_2;
                    const ops_v_f32 sum_row_at_2 = ops_load_n_f32(sum_row_from_2 + j_1_2,
                        live_2);
                    const ops_v_f32 old_2 = sum_row_at_2;
                    const ops_v_f32 x_at_5 = ops_load_n_f32(x_from + j_1_2, live_2);
                    const ops_v_f32 x_at_6 = ops_load_n_f32(x_from_2 + j_1_2, live_2);
                    const ops_v_f32 x_at_7 = ops_load_n_f32(x_from_3 + j_1_2, live_2);
                    const ops_v_f32 x_at_8 = ops_load_n_f32(x_from_4 + j_1_2, live_2);
                    ops_store_n_f32(sum_row_from_2 + j_1_2, old_2 + x_at_5 + x_at_6
                        + x_at_7 + x_at_8, live_2);
                }
            }
        }
        for (int64_t i_1 = whole; i_1 < m; i_1++) {
            {
                float *sum_row_from_3 = sum_row - begin;
                const float *x_from_5 = x + i_1 * x_stride0;
                int64_t j_1_3 = begin;
                for (; j_1_3 + OPS_LANES <= end; j_1_3 += OPS_LANES) {
                    const ops_v_f32 sum_row_at_3 = ops_load_f32(sum_row_from_3 + j_1_3);
                    const ops_v_f32 old_1 = sum_row_at_3;
                    const ops_v_f32 x_at_9 = ops_load_f32(x_from_5 + j_1_3);
                    ops_store_f32(sum_row_from_3 + j_1_3, old_1 + x_at_9);
                }
                if (j_1_3 < end) {
                    const int64_t live_3 = end - j_1_3;
                    const ops_v_f32 sum_row_at_4 = ops_load_n_f32(sum_row_from_3 + j_1_3,
                        live_3);
                    const ops_v_f32 old_1_2 = sum_row_at_4;
                    const ops_v_f32 x_at_10 = ops_load_n_f32(x_from_5 + j_1_3, live_3);
                    ops_store_n_f32(sum_row_from_3 + j_1_3, old_1_2 + x_at_10, live_3);
                }
            }
        }
        {
            float *sum_row_from_4 = sum_row - begin;
            int64_t j = begin;
            for (; j + OPS_LANES <= end; j += OPS_LANES) {
                const ops_v_f32 sum_row_at_5 = ops_load_f32(sum_row_from_4 + j);
                ops_store_f32(y + j, sum_row_at_5);
            }
            if (j < end) {
                const int64_t live_4 = end - j;
                const ops_v_f32 sum_row_at_6 = ops_load_n_f32(sum_row_from_4 + j, live_4);
                ops_store_n_f32(y + j, sum_row_at_6, live_4);
            }
        }
    }
}

/* sum_columns: skeleton row_fold */
OPS_EXPORT int32_t opslib_sum_columns(ops_context *ctx, void *const *buffers,
                                      const int64_t *ints, const double *reals)
{
    const float *x = buffers[0];
    float *y = buffers[1];
    const int64_t m = ints[0];
    const int64_t n = ints[1];
    const int64_t x_stride0 = ints[2];
    int32_t status_now = OPS_OK, *const status = &status_now;
    (void)ctx;
    (void)buffers;
    (void)ints;
    (void)reals;
    const int64_t blocks = (n + 511) / 512;
    {
        struct sum_columns_block shared = {
            .ctx = ctx,
            .status = status,
            .n = n,
            .m = m,
            .x = x,
            .x_stride0 = x_stride0,
            .y = y,
        };
        ctx->parallel(ctx, sum_columns_block_run, &shared, blocks, 1
            + 32768 / ops_maximum_i64(m, 1));
    }
    if (*status != OPS_OK)
        return *status;
    return *status;
}
