#define OPS_WANT_MATH
#include "opslib_kernel.h"

struct softmax_part {
    ops_context *ctx;
    int32_t *status;
    int64_t piece;
    int64_t n;
    const float *x;
    int64_t i_1;
    int64_t x_stride0;
    float *max_parts;
};

static void softmax_part_run(void *state, int64_t first, int64_t past,
                             int32_t worker)
{
    const struct softmax_part *self = state;
    ops_context *ctx = self->ctx;
    int32_t *status = self->status;
    const int64_t piece = self->piece;
    const int64_t n = self->n;
    const float *x = self->x;
    const int64_t i_1 = self->i_1;
    const int64_t x_stride0 = self->x_stride0;
    float *max_parts = self->max_parts;
    (void)ctx;
    (void)status;
    (void)worker;
    for (int64_t part = first; part < past; part++) {
        const int64_t begin = part * piece;
        const int64_t end = ops_minimum_i64(n, begin + piece);
        float max_1;
        {
            ops_v_f32 max_1_part[4];
            for (int p = 0; p < 4; p++)
                max_1_part[p] = ops_splat_f32(-INFINITY);
            int64_t k_1_group = begin;
            for (; k_1_group + 4 * OPS_LANES <= end; k_1_group += 4 * OPS_LANES) {
                #pragma GCC unroll 4
                for (int p = 0; p < 4; p++) {
                    const int64_t k_1 = k_1_group + p * OPS_LANES;
                    const ops_v_f32 x_at = ops_load_f32(x + i_1 * x_stride0 + k_1);
                    max_1_part[p] = ops_maximum_v_f32(max_1_part[p], x_at);
                }
            }
            for (int64_t k_1_2 = k_1_group; k_1_2 < end; k_1_2 += OPS_LANES) {
                const int64_t live = ops_minimum_i64(end - k_1_2, OPS_LANES);
                const ops_v_f32 x_at_2 = ops_load_n_f32(x + i_1 * x_stride0 + k_1_2, live);
                max_1_part[0] = ops_select_v_f32(ops_first_i32(live),
                    ops_maximum_v_f32(max_1_part[0], x_at_2), max_1_part[0]);
            }
            for (int p = 0; p < 2; p++) {
                max_1_part[p] = ops_maximum_v_f32(max_1_part[p], max_1_part[p + 2]);
            }
            for (int p = 0; p < 1; p++) {
                max_1_part[p] = ops_maximum_v_f32(max_1_part[p], max_1_part[p + 1]);
            }
            max_1 = ops_hmax_f32(max_1_part[0]);
        }
        max_parts[part] = max_1;
    }
}

struct softmax_block {
    ops_context *ctx;
    int32_t *status;
    int64_t n;
    const float *x;
    int64_t i_1;
    int64_t x_stride0;
    float max_2;
    float *e_row_1;
};

static void softmax_block_run(void *state, int64_t first, int64_t past,
                              int32_t worker)
{
    const struct softmax_block *self = state;
    ops_context *ctx = self->ctx;
    int32_t *status = self->status;
    const int64_t n = self->n;
    const float *x = self->x;
    const int64_t i_1 = self->i_1;
    const int64_t x_stride0 = self->x_stride0;
    const float max_2 = self->max_2;
    float *e_row_1 = self->e_row_1;
    (void)ctx;
    (void)status;
    (void)worker;
    for (int64_t block = first; block < past; block++) {
        const int64_t begin_1 = block * 8192;
        const int64_t end_1 = ops_minimum_i64(begin_1 + 8192, n);
        {
            const float *x_from = x + i_1 * x_stride0;
            int64_t j_2 = begin_1;
            for (; j_2 + OPS_LANES <= end_1; j_2 += OPS_LANES) {
                const ops_v_f32 x_at_3 = ops_load_f32(x_from + j_2);
                const ops_v_f32 e_value_1 = ops_exp_v_f32(x_at_3 - max_2);
                ops_store_f32(e_row_1 + j_2, e_value_1);
            }
            if (j_2 < end_1) {
                const int64_t live_2 = end_1 - j_2;
                const ops_v_f32 x_at_4 = ops_load_n_f32(x_from + j_2, live_2);
                const ops_v_f32 e_value_1_2 = ops_exp_v_f32(x_at_4 - max_2);
                ops_store_n_f32(e_row_1 + j_2, e_value_1_2, live_2);
            }
        }
    }
}

struct softmax_part_2 {
    ops_context *ctx;
    int32_t *status;
    int64_t piece_1;
    int64_t n;
    float *e_row_1;
    float *sum_parts;
};

static void softmax_part_2_run(void *state, int64_t first, int64_t past,
                               int32_t worker)
{
    const struct softmax_part_2 *self = state;
    ops_context *ctx = self->ctx;
    int32_t *status = self->status;
    const int64_t piece_1 = self->piece_1;
    const int64_t n = self->n;
    float *e_row_1 = self->e_row_1;
    float *sum_parts = self->sum_parts;
    (void)ctx;
    (void)status;
    (void)worker;
    for (int64_t part_2 = first; part_2 < past; part_2++) {
        const int64_t begin_2 = part_2 * piece_1;
        const int64_t end_2 = ops_minimum_i64(n, begin_2 + piece_1);
        float sum_1;
        {
            ops_v_f32 sum_1_part[4];
            for (int p = 0; p < 4; p++)
                sum_1_part[p] = ops_zero_f32();
            int64_t l_1_group = begin_2;
            for (; l_1_group + 4 * OPS_LANES <= end_2; l_1_group += 4 * OPS_LANES) {
                #pragma GCC unroll 4
                for (int p = 0; p < 4; p++) {
                    const int64_t l_1 = l_1_group + p * OPS_LANES;
                    const ops_v_f32 e_row_1_at = ops_load_f32(e_row_1 + l_1);
                    sum_1_part[p] = sum_1_part[p] + e_row_1_at;
                }
            }
            for (int64_t l_1_2 = l_1_group; l_1_2 < end_2; l_1_2 += OPS_LANES) {
                const int64_t live_3 = ops_minimum_i64(end_2 - l_1_2, OPS_LANES);
                const ops_v_f32 e_row_1_at_2 = ops_load_n_f32(e_row_1 + l_1_2, live_3);
                sum_1_part[0] = ops_select_v_f32(ops_first_i32(live_3), sum_1_part[0]
                    + e_row_1_at_2, sum_1_part[0]);
            }
            for (int p = 0; p < 2; p++) {
                sum_1_part[p] = sum_1_part[p] + sum_1_part[p + 2];
            }
            for (int p = 0; p < 1; p++) {
                sum_1_part[p] = sum_1_part[p] + sum_1_part[p + 1];
            }
            sum_1 = ops_hsum_f32(sum_1_part[0]);
        }
        sum_parts[part_2] = sum_1;
    }
}

struct softmax_block_1 {
    ops_context *ctx;
    int32_t *status;
    int64_t n;
    float *y;
    int64_t i_1;
    int64_t y_stride0;
    float *e_row_1;
    float sum_2;
};

static void softmax_block_1_run(void *state, int64_t first, int64_t past,
                                int32_t worker)
{
    const struct softmax_block_1 *self = state;
    ops_context *ctx = self->ctx;
    int32_t *status = self->status;
    const int64_t n = self->n;
    float *y = self->y;
    const int64_t i_1 = self->i_1;
    const int64_t y_stride0 = self->y_stride0;
    float *e_row_1 = self->e_row_1;
    const float sum_2 = self->sum_2;
    (void)ctx;
    (void)status;
    (void)worker;
    for (int64_t block_1 = first; block_1 < past; block_1++) {
        const int64_t begin_3 = block_1 * 8192;
        const int64_t end_3 = ops_minimum_i64(begin_3 + 8192, n);
        {
            float *y_from = y + i_1 * y_stride0;
            int64_t j_3 = begin_3;
            for (; j_3 + OPS_LANES <= end_3; j_3 += OPS_LANES) {
                const ops_v_f32 e_row_1_at_3 = ops_load_f32(e_row_1 + j_3);
                ops_store_f32(y_from + j_3, e_row_1_at_3 / sum_2);
            }
            if (j_3 < end_3) {
                const int64_t live_4 = end_3 - j_3;
                const ops_v_f32 e_row_1_at_4 = ops_load_n_f32(e_row_1 + j_3, live_4);
                ops_store_n_f32(y_from + j_3, e_row_1_at_4 / sum_2, live_4);
            }
        }
    }
}

struct softmax_i {
    ops_context *ctx;
    int32_t *status;
    int64_t n;
    const float *x;
    int64_t x_stride0;
    float *y;
    int64_t y_stride0;
};

static void softmax_i_run(void *state, int64_t first, int64_t past,
                          int32_t worker)
{
    const struct softmax_i *self = state;
    ops_context *ctx = self->ctx;
    int32_t *status = self->status;
    const int64_t n = self->n;
    const float *x = self->x;
    const int64_t x_stride0 = self->x_stride0;
    float *y = self->y;
    const int64_t y_stride0 = self->y_stride0;
    (void)ctx;
    (void)status;
    (void)worker;
    float *e_row = ctx->workspace(ctx, worker, n * (int64_t)sizeof(float));
    if (e_row == NULL)
        return (void)ops_no_memory(ctx, status);
    for (int64_t i = first; i < past; i++) {
        float max;
        {
            ops_v_f32 max_part[4];
            for (int p = 0; p < 4; p++)
                max_part[p] = ops_splat_f32(-INFINITY);
            int64_t k_group = 0;
            for (; k_group + 4 * OPS_LANES <= n; k_group += 4 * OPS_LANES) {
                #pragma GCC unroll 4
                for (int p = 0; p < 4; p++) {
                    const int64_t k = k_group + p * OPS_LANES;
                    const ops_v_f32 x_at_5 = ops_load_f32(x + i * x_stride0 + k);
                    max_part[p] = ops_maximum_v_f32(max_part[p], x_at_5);
                }
            }
            for (int64_t k_2 = k_group; k_2 < n; k_2 += OPS_LANES) {
                const int64_t live_5 = ops_minimum_i64(n - k_2, OPS_LANES);
                const ops_v_f32 x_at_6 = ops_load_n_f32(x + i * x_stride0 + k_2, live_5);
                max_part[0] = ops_select_v_f32(ops_first_i32(live_5),
                    ops_maximum_v_f32(max_part[0], x_at_6), max_part[0]);
            }
            for (int p = 0; p < 2; p++) {
                max_part[p] = ops_maximum_v_f32(max_part[p], max_part[p + 2]);
            }
            for (int p = 0; p < 1; p++) {
                max_part[p] = ops_maximum_v_f32(max_part[p], max_part[p + 1]);
            }
            max = ops_hmax_f32(max_part[0]);
        }
        float sum;
        {
            ops_v_f32 sum_part[4];
            for (int p = 0; p < 4; p++)
                sum_part[p] = ops_zero_f32();
            int64_t l_group = 0;
            for (; l_group + 4 * OPS_LANES <= n; l_group += 4 * OPS_LANES) {
                #pragma GCC unroll 1
                for (int p = 0; p < 4; p++) {
                    const int64_t l = l_group + p * OPS_LANES;
                    const ops_v_f32 x_at_7 = ops_load_f32(x + i * x_stride0 + l);
                    const ops_v_f32 e_value = ops_exp_v_f32(x_at_7 - max);
                    const ops_v_f32 e_row_value = e_value;
                    ops_store_f32(e_row + l, e_row_value);
                    sum_part[p] = sum_part[p] + e_row_value;
                }
            }
            for (int64_t l_2 = l_group; l_2 < n; l_2 += OPS_LANES) {
                const int64_t live_6 = ops_minimum_i64(n - l_2, OPS_LANES);
                const ops_v_f32 x_at_8 = ops_load_n_f32(x + i * x_stride0 + l_2, live_6);
                const ops_v_f32 e_value_2 = ops_exp_v_f32(x_at_8 - max);
                const ops_v_f32 e_row_value_2 = e_value_2;
                ops_store_n_f32(e_row + l_2, e_row_value_2, live_6);
                sum_part[0] = ops_select_v_f32(ops_first_i32(live_6), sum_part[0]
                    + e_row_value_2, sum_part[0]);
            }
            for (int p = 0; p < 2; p++) {
                sum_part[p] = sum_part[p] + sum_part[p + 2];
            }
            for (int p = 0; p < 1; p++) {
                sum_part[p] = sum_part[p] + sum_part[p + 1];
            }
            sum = ops_hsum_f32(sum_part[0]);
        }
        {
            float *y_from_2 = y + i * y_stride0;
            int64_t j_1 = 0;
            for (; j_1 + OPS_LANES <= n; j_1 += OPS_LANES) {
                const ops_v_f32 e_row_at = ops_load_f32(e_row + j_1);
                ops_store_f32(y_from_2 + j_1, e_row_at / sum);
            }
            if (j_1 < n) {
                const int64_t live_7 = n - j_1;
                const ops_v_f32 e_row_at_2 = ops_load_n_f32(e_row + j_1, live_7);
                ops_store_n_f32(y_from_2 + j_1, e_row_at_2 / sum, live_7);
            }
        }
    }
}

/* softmax: skeleton row_fold */
OPS_EXPORT int32_t opslib_softmax(ops_context *ctx, void *const *buffers,
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
    float *max_parts = ctx->workspace(ctx, 0, 64 * (int64_t)sizeof(float));
    if (max_parts == NULL)
        return ops_no_memory(ctx, status);
    float *e_row_1 = ctx->workspace(ctx, 0, n * (int64_t)sizeof(float));
    if (e_row_1 == NULL)
        return ops_no_memory(ctx, status);
    float *sum_parts = ctx->workspace(ctx, 0, 64 * (int64_t)sizeof(float));
    if (sum_parts == NULL)
        return ops_no_memory(ctx, status);
    if (m < 16 && 65536 < ops_maximum_i64(1, n)) {
        for (int64_t i_1 = 0; i_1 < m; i_1++) {
            const int64_t piece = ops_maximum_i64((n + 63) / 64, 32768);
            const int64_t pieces = (n + (piece - 1)) / piece;
            {
                struct softmax_part shared = {
                    .ctx = ctx,
                    .status = status,
                    .piece = piece,
                    .n = n,
                    .x = x,
                    .i_1 = i_1,
                    .x_stride0 = x_stride0,
                    .max_parts = max_parts,
                };
                ctx->parallel(ctx, softmax_part_run, &shared, pieces, 1);
            }
            if (*status != OPS_OK)
                return *status;
            float max_2 = -INFINITY;
            for (int64_t part_1 = 0; part_1 < pieces; part_1++) {
                max_2 = ops_maximum_f32(max_2, max_parts[part_1]);
            }
            const int64_t blocks = (n + 8191) / 8192;
            {
                struct softmax_block shared = {
                    .ctx = ctx,
                    .status = status,
                    .n = n,
                    .x = x,
                    .i_1 = i_1,
                    .x_stride0 = x_stride0,
                    .max_2 = max_2,
                    .e_row_1 = e_row_1,
                };
                ctx->parallel(ctx, softmax_block_run, &shared, blocks, 1
                    + 32768 / ops_maximum_i64(ops_minimum_i64(n, 8192), 1));
            }
            if (*status != OPS_OK)
                return *status;
            const int64_t piece_1 = ops_maximum_i64((n + 63) / 64, 32768);
            const int64_t pieces_1 = (n + (piece_1 - 1)) / piece_1;
            {
                struct softmax_part_2 shared = {
                    .ctx = ctx,
                    .status = status,
                    .piece_1 = piece_1,
                    .n = n,
                    .e_row_1 = e_row_1,
                    .sum_parts = sum_parts,
                };
                ctx->parallel(ctx, softmax_part_2_run, &shared, pieces_1, 1);
            }
            if (*status != OPS_OK)
                return *status;
            float sum_2 = 0.0f;
            for (int64_t part_3 = 0; part_3 < pieces_1; part_3++) {
                sum_2 = sum_2 + sum_parts[part_3];
            }
            const int64_t blocks_1 = (n + 8191) / 8192;
            {
                struct softmax_block_1 shared = {
                    .ctx = ctx,
                    .status = status,
                    .n = n,
                    .y = y,
                    .i_1 = i_1,
                    .y_stride0 = y_stride0,
                    .e_row_1 = e_row_1,
                    .sum_2 = sum_2,
                };
                ctx->parallel(ctx, softmax_block_1_run, &shared, blocks_1, 1
                    + 32768 / ops_maximum_i64(ops_minimum_i64(n, 8192), 1));
            }
            if (*status != OPS_OK)
                return *status;
        }
    } else {
        {
            struct softmax_i shared = {
                .ctx = ctx,
                .status = status,
                .n = n,
                .x = x,
                .x_stride0 = x_stride0,
                .y = y,
                .y_stride0 = y_stride0,
            };
            ctx->parallel(ctx, softmax_i_run, &shared, m, 1 + 32768 / ops_maximum_i64(1,
                n));
        }
        if (*status != OPS_OK)
            return *status;
    }
    return *status;
}
