#include "opslib_kernel.h"

struct sum_columns_part {
    ops_context *ctx;
    int32_t *status;
    int64_t piece;
    int64_t m;
    int64_t n;
    const float *x;
    int64_t x_stride0;
    float *sum_parts;
};

static void sum_columns_part_run(void *state, int64_t first, int64_t past,
                                 int32_t worker)
{
    const struct sum_columns_part *self = state;
    ops_context *ctx = self->ctx;
    int32_t *status = self->status;
    const int64_t piece = self->piece;
    const int64_t m = self->m;
    const int64_t n = self->n;
    const float *x = self->x;
    const int64_t x_stride0 = self->x_stride0;
    float *sum_parts = self->sum_parts;
    (void)ctx;
    (void)status;
    (void)worker;
    float *sum_row_1 = ctx->workspace(ctx, worker, 1024 * (int64_t)sizeof(float));
    if (sum_row_1 == NULL)
        return (void)ops_no_memory(ctx, status);
    for (int64_t part = first; part < past; part++) {
        const int64_t begin_1 = part * piece;
        const int64_t end_1 = ops_minimum_i64(begin_1 + piece, m);
        {
            int64_t j_2 = 0;
            for (; j_2 + OPS_LANES <= n; j_2 += OPS_LANES) {
                ops_store_f32(sum_row_1 + j_2, ops_zero_f32());
            }
            if (j_2 < n) {
                const int64_t live = n - j_2;
                ops_store_n_f32(sum_row_1 + j_2, ops_zero_f32(), live);
            }
        }
        const int64_t whole_1 = begin_1 + ops_floordiv_i64(end_1 - begin_1, 16) * 16;
        for (int64_t i_2 = begin_1; i_2 < whole_1; i_2 += 16) {
            {
                const float *x_from = x + i_2 * x_stride0;
                const float *x_from_2 = x + (i_2 + 1) * x_stride0;
                const float *x_from_3 = x + (i_2 + 2) * x_stride0;
                const float *x_from_4 = x + (i_2 + 3) * x_stride0;
                const float *x_from_5 = x + (i_2 + 4) * x_stride0;
                const float *x_from_6 = x + (i_2 + 5) * x_stride0;
                const float *x_from_7 = x + (i_2 + 6) * x_stride0;
                const float *x_from_8 = x + (i_2 + 7) * x_stride0;
                const float *x_from_9 = x + (i_2 + 8) * x_stride0;
                const float *x_from_10 = x + (i_2 + 9) * x_stride0;
                const float *x_from_11 = x + (i_2 + 10) * x_stride0;
                const float *x_from_12 = x + (i_2 + 11) * x_stride0;
                const float *x_from_13 = x + (i_2 + 12) * x_stride0;
                const float *x_from_14 = x + (i_2 + 13) * x_stride0;
                const float *x_from_15 = x + (i_2 + 14) * x_stride0;
                const float *x_from_16 = x + (i_2 + 15) * x_stride0;
                int64_t j_2_2 = 0;
                for (; j_2_2 + OPS_LANES <= n; j_2_2 += OPS_LANES) {
                    const ops_v_f32 sum_row_1_at = ops_load_f32(sum_row_1 + j_2_2);
                    const ops_v_f32 old_2 = sum_row_1_at;
                    const ops_v_f32 x_at = ops_load_f32(x_from + j_2_2);
                    const ops_v_f32 x_at_2 = ops_load_f32(x_from_2 + j_2_2);
                    const ops_v_f32 x_at_3 = ops_load_f32(x_from_3 + j_2_2);
                    const ops_v_f32 x_at_4 = ops_load_f32(x_from_4 + j_2_2);
                    const ops_v_f32 x_at_5 = ops_load_f32(x_from_5 + j_2_2);
                    const ops_v_f32 x_at_6 = ops_load_f32(x_from_6 + j_2_2);
                    const ops_v_f32 x_at_7 = ops_load_f32(x_from_7 + j_2_2);
                    const ops_v_f32 x_at_8 = ops_load_f32(x_from_8 + j_2_2);
                    const ops_v_f32 t = x_at + x_at_2 + (x_at_3 + x_at_4) + (x_at_5
                        + x_at_6 + (x_at_7 + x_at_8));
                    const ops_v_f32 x_at_9 = ops_load_f32(x_from_9 + j_2_2);
                    const ops_v_f32 x_at_10 = ops_load_f32(x_from_10 + j_2_2);
                    const ops_v_f32 x_at_11 = ops_load_f32(x_from_11 + j_2_2);
                    const ops_v_f32 x_at_12 = ops_load_f32(x_from_12 + j_2_2);
                    const ops_v_f32 x_at_13 = ops_load_f32(x_from_13 + j_2_2);
                    const ops_v_f32 x_at_14 = ops_load_f32(x_from_14 + j_2_2);
                    const ops_v_f32 x_at_15 = ops_load_f32(x_from_15 + j_2_2);
                    const ops_v_f32 x_at_16 = ops_load_f32(x_from_16 + j_2_2);
                    const ops_v_f32 t_2 = x_at_9 + x_at_10 + (x_at_11 + x_at_12)
                        + (x_at_13 + x_at_14 + (x_at_15 + x_at_16));
                    ops_store_f32(sum_row_1 + j_2_2, old_2 + (t + t_2));
                }
                if (j_2_2 < n) {
                    const int64_t live_2 = n - j_2_2;
                    const ops_v_f32 sum_row_1_at_2 = ops_load_n_f32(sum_row_1 + j_2_2,
                        live_2);
                    const ops_v_f32 old_2_2 = sum_row_1_at_2;
                    const ops_v_f32 x_at_17 = ops_load_n_f32(x_from + j_2_2, live_2);
                    const ops_v_f32 x_at_18 = ops_load_n_f32(x_from_2 + j_2_2, live_2);
                    const ops_v_f32 x_at_19 = ops_load_n_f32(x_from_3 + j_2_2, live_2);
                    const ops_v_f32 x_at_20 = ops_load_n_f32(x_from_4 + j_2_2, live_2);
                    const ops_v_f32 x_at_21 = ops_load_n_f32(x_from_5 + j_2_2, live_2);
                    const ops_v_f32 x_at_22 = ops_load_n_f32(x_from_6 + j_2_2, live_2);
                    const ops_v_f32 x_at_23 = ops_load_n_f32(x_from_7 + j_2_2, live_2);
                    const ops_v_f32 x_at_24 = ops_load_n_f32(x_from_8 + j_2_2, live_2);
                    const ops_v_f32 t_3 = x_at_17 + x_at_18 + (x_at_19 + x_at_20)
                        + (x_at_21 + x_at_22 + (x_at_23 + x_at_24));
                    const ops_v_f32 x_at_25 = ops_load_n_f32(x_from_9 + j_2_2, live_2);
                    const ops_v_f32 x_at_26 = ops_load_n_f32(x_from_10 + j_2_2, live_2);
                    const ops_v_f32 x_at_27 = ops_load_n_f32(x_from_11 + j_2_2, live_2);
                    const ops_v_f32 x_at_28 = ops_load_n_f32(x_from_12 + j_2_2, live_2);
                    const ops_v_f32 x_at_29 = ops_load_n_f32(x_from_13 + j_2_2, live_2);
                    const ops_v_f32 x_at_30 = ops_load_n_f32(x_from_14 + j_2_2, live_2);
                    const ops_v_f32 x_at_31 = ops_load_n_f32(x_from_15 + j_2_2, live_2);
                    const ops_v_f32 x_at_32 = ops_load_n_f32(x_from_16 + j_2_2, live_2);
                    const ops_v_f32 t_4 = x_at_25 + x_at_26 + (x_at_27 + x_at_28)
                        + (x_at_29 + x_at_30 + (x_at_31 + x_at_32));
                    ops_store_n_f32(sum_row_1 + j_2_2, old_2_2 + (t_3 + t_4), live_2);
                }
            }
        }
        for (int64_t i_3 = whole_1; i_3 < end_1; i_3++) {
            {
                const float *x_from_17 = x + i_3 * x_stride0;
                int64_t j_2_3 = 0;
                for (; j_2_3 + OPS_LANES <= n; j_2_3 += OPS_LANES) {
                    const ops_v_f32 sum_row_1_at_3 = ops_load_f32(sum_row_1 + j_2_3);
                    const ops_v_f32 old_3 = sum_row_1_at_3;
                    const ops_v_f32 x_at_33 = ops_load_f32(x_from_17 + j_2_3);
                    ops_store_f32(sum_row_1 + j_2_3, old_3 + x_at_33);
                }
                if (j_2_3 < n) {
                    const int64_t live_3 = n - j_2_3;
                    const ops_v_f32 sum_row_1_at_4 = ops_load_n_f32(sum_row_1 + j_2_3,
                        live_3);
                    const ops_v_f32 old_3_2 = sum_row_1_at_4;
                    const ops_v_f32 x_at_34 = ops_load_n_f32(x_from_17 + j_2_3, live_3);
                    ops_store_n_f32(sum_row_1 + j_2_3, old_3_2 + x_at_34, live_3);
                }
            }
        }
        {
            float *sum_parts_from = sum_parts + part * 1024;
            int64_t j_3 = 0;
            for (; j_3 + OPS_LANES <= n; j_3 += OPS_LANES) {
                const ops_v_f32 sum_row_1_at_5 = ops_load_f32(sum_row_1 + j_3);
                ops_store_f32(sum_parts_from + j_3, sum_row_1_at_5);
            }
            if (j_3 < n) {
                const int64_t live_4 = n - j_3;
                const ops_v_f32 sum_row_1_at_6 = ops_load_n_f32(sum_row_1 + j_3, live_4);
                ops_store_n_f32(sum_parts_from + j_3, sum_row_1_at_6, live_4);
            }
        }
    }
}

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
    float *sum_row = ctx->workspace(ctx, worker, 1024 * (int64_t)sizeof(float));
    if (sum_row == NULL)
        return (void)ops_no_memory(ctx, status);
    for (int64_t block = first; block < past; block++) {
        const int64_t begin = block * 1024;
        const int64_t end = ops_minimum_i64(begin + 1024, n);
        {
            float *sum_row_from = sum_row - begin;
            int64_t j_1 = begin;
            for (; j_1 + OPS_LANES <= end; j_1 += OPS_LANES) {
                ops_store_f32(sum_row_from + j_1, ops_zero_f32());
            }
            if (j_1 < end) {
                const int64_t live_9 = end - j_1;
                ops_store_n_f32(sum_row_from + j_1, ops_zero_f32(), live_9);
            }
        }
        const int64_t whole = m / 4 * 4;
        for (int64_t i = 0; i < whole; i += 4) {
            {
                float *sum_row_from_2 = sum_row - begin;
                const float *x_from_18 = x + i * x_stride0;
                const float *x_from_19 = x + (i + 1) * x_stride0;
                const float *x_from_20 = x + (i + 2) * x_stride0;
                const float *x_from_21 = x + (i + 3) * x_stride0;
                int64_t j_1_2 = begin;
                for (; j_1_2 + OPS_LANES <= end; j_1_2 += OPS_LANES) {
                    const ops_v_f32 sum_row_at = ops_load_f32(sum_row_from_2 + j_1_2);
                    const ops_v_f32 old = sum_row_at;
                    const ops_v_f32 x_at_35 = ops_load_f32(x_from_18 + j_1_2);
                    const ops_v_f32 x_at_36 = ops_load_f32(x_from_19 + j_1_2);
                    const ops_v_f32 x_at_37 = ops_load_f32(x_from_20 + j_1_2);
                    const ops_v_f32 x_at_38 = ops_load_f32(x_from_21 + j_1_2);
                    ops_store_f32(sum_row_from_2 + j_1_2, old + (x_at_35 + x_at_36
                        + (x_at_37 + x_at_38)));
                }
                if (j_1_2 < end) {
                    const int64_t live_10 = end - j_1_2;
                    const ops_v_f32 sum_row_at_2 = ops_load_n_f32(sum_row_from_2 + j_1_2,
                        live_10);
                    const ops_v_f32 old_6 = sum_row_at_2;
                    const ops_v_f32 x_at_39 = ops_load_n_f32(x_from_18 + j_1_2, live_10);
                    const ops_v_f32 x_at_40 = ops_load_n_f32(x_from_19 + j_1_2, live_10);
                    const ops_v_f32 x_at_41 = ops_load_n_f32(x_from_20 + j_1_2, live_10);
                    const ops_v_f32 x_at_42 = ops_load_n_f32(x_from_21 + j_1_2, live_10);
                    ops_store_n_f32(sum_row_from_2 + j_1_2, old_6 + (x_at_39 + x_at_40
                        + (x_at_41 + x_at_42)), live_10);
                }
            }
        }
        for (int64_t i_1 = whole; i_1 < m; i_1++) {
            {
                float *sum_row_from_3 = sum_row - begin;
                const float *x_from_22 = x + i_1 * x_stride0;
                int64_t j_1_3 = begin;
                for (; j_1_3 + OPS_LANES <= end; j_1_3 += OPS_LANES) {
                    const ops_v_f32 sum_row_at_3 = ops_load_f32(sum_row_from_3 + j_1_3);
                    const ops_v_f32 old_1 = sum_row_at_3;
                    const ops_v_f32 x_at_43 = ops_load_f32(x_from_22 + j_1_3);
                    ops_store_f32(sum_row_from_3 + j_1_3, old_1 + x_at_43);
                }
                if (j_1_3 < end) {
                    const int64_t live_11 = end - j_1_3;
                    const ops_v_f32 sum_row_at_4 = ops_load_n_f32(sum_row_from_3 + j_1_3,
                        live_11);
                    const ops_v_f32 old_1_2 = sum_row_at_4;
                    const ops_v_f32 x_at_44 = ops_load_n_f32(x_from_22 + j_1_3, live_11);
                    ops_store_n_f32(sum_row_from_3 + j_1_3, old_1_2 + x_at_44, live_11);
                }
            }
        }
        {
            float *sum_row_from_4 = sum_row - begin;
            int64_t j_5 = begin;
            for (; j_5 + OPS_LANES <= end; j_5 += OPS_LANES) {
                const ops_v_f32 sum_row_at_5 = ops_load_f32(sum_row_from_4 + j_5);
                ops_store_f32(y + j_5, sum_row_at_5);
            }
            if (j_5 < end) {
                const int64_t live_12 = end - j_5;
                const ops_v_f32 sum_row_at_6 = ops_load_n_f32(sum_row_from_4 + j_5,
                    live_12);
                ops_store_n_f32(y + j_5, sum_row_at_6, live_12);
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
    float *sum_parts = ctx->workspace(ctx, 0, 65536 * (int64_t)sizeof(float));
    if (sum_parts == NULL)
        return ops_no_memory(ctx, status);
    float *sum_states_row = ctx->workspace(ctx, 0, 1024 * (int64_t)sizeof(float));
    if (sum_states_row == NULL)
        return ops_no_memory(ctx, status);
    if (n < 1024 && 131072 < m * n) {
        const int64_t max_of = ops_maximum_i64(n, 1);
        const int64_t piece = ops_maximum_i64((m + 63) / 64, (32768
            + (max_of - 1)) / max_of);
        const int64_t pieces = ops_floordiv_i64(m + (piece - 1), piece);
        {
            struct sum_columns_part shared = {
                .ctx = ctx,
                .status = status,
                .piece = piece,
                .m = m,
                .n = n,
                .x = x,
                .x_stride0 = x_stride0,
                .sum_parts = sum_parts,
            };
            ctx->parallel(ctx, sum_columns_part_run, &shared, pieces, 1);
        }
        if (*status != OPS_OK)
            return *status;
        {
            int64_t j_4 = 0;
            for (; j_4 + OPS_LANES <= n; j_4 += OPS_LANES) {
                ops_store_f32(sum_states_row + j_4, ops_zero_f32());
            }
            if (j_4 < n) {
                const int64_t live_5 = n - j_4;
                ops_store_n_f32(sum_states_row + j_4, ops_zero_f32(), live_5);
            }
        }
        const int64_t whole_2 = ops_floordiv_i64(pieces, 4) * 4;
        for (int64_t part_1_1 = 0; part_1_1 < whole_2; part_1_1 += 4) {
            {
                float *sum_parts_from_2 = sum_parts + part_1_1 * 1024;
                float *sum_parts_from_3 = sum_parts + (part_1_1 + 1) * 1024;
                float *sum_parts_from_4 = sum_parts + (part_1_1 + 2) * 1024;
                float *sum_parts_from_5 = sum_parts + (part_1_1 + 3) * 1024;
                int64_t j_4_2 = 0;
                for (; j_4_2 + OPS_LANES <= n; j_4_2 += OPS_LANES) {
                    const ops_v_f32 sum_states_row_at = ops_load_f32(sum_states_row
                        + j_4_2);
                    const ops_v_f32 old_4 = sum_states_row_at;
                    const ops_v_f32 sum_parts_at = ops_load_f32(sum_parts_from_2 + j_4_2);
                    const ops_v_f32 sum_parts_at_2 = ops_load_f32(sum_parts_from_3 + j_4_2);
                    const ops_v_f32 sum_parts_at_3 = ops_load_f32(sum_parts_from_4 + j_4_2);
                    const ops_v_f32 sum_parts_at_4 = ops_load_f32(sum_parts_from_5 + j_4_2);
                    const ops_v_f32 t_5 = sum_parts_at + sum_parts_at_2 + (sum_parts_at_3
                        + sum_parts_at_4);
                    ops_store_f32(sum_states_row + j_4_2, old_4 + t_5);
                }
                if (j_4_2 < n) {
                    const int64_t live_6 = n - j_4_2;
                    const ops_v_f32 sum_states_row_at_2 = ops_load_n_f32(sum_states_row
                        + j_4_2, live_6);
                    const ops_v_f32 old_4_2 = sum_states_row_at_2;
                    const ops_v_f32 sum_parts_at_5 = ops_load_n_f32(sum_parts_from_2
                        + j_4_2, live_6);
                    const ops_v_f32 sum_parts_at_6 = ops_load_n_f32(sum_parts_from_3
                        + j_4_2, live_6);
                    const ops_v_f32 sum_parts_at_7 = ops_load_n_f32(sum_parts_from_4
                        + j_4_2, live_6);
                    const ops_v_f32 sum_parts_at_8 = ops_load_n_f32(sum_parts_from_5
                        + j_4_2, live_6);
                    const ops_v_f32 t_6 = sum_parts_at_5 + sum_parts_at_6
                        + (sum_parts_at_7 + sum_parts_at_8);
                    ops_store_n_f32(sum_states_row + j_4_2, old_4_2 + t_6, live_6);
                }
            }
        }
        for (int64_t part_1_2 = whole_2; part_1_2 < pieces; part_1_2++) {
            {
                float *sum_parts_from_6 = sum_parts + part_1_2 * 1024;
                int64_t j_4_3 = 0;
                for (; j_4_3 + OPS_LANES <= n; j_4_3 += OPS_LANES) {
                    const ops_v_f32 sum_states_row_at_3 = ops_load_f32(sum_states_row
                        + j_4_3);
                    const ops_v_f32 old_5 = sum_states_row_at_3;
                    const ops_v_f32 sum_parts_at_9 = ops_load_f32(sum_parts_from_6 + j_4_3);
                    ops_store_f32(sum_states_row + j_4_3, old_5 + sum_parts_at_9);
                }
                if (j_4_3 < n) {
                    const int64_t live_7 = n - j_4_3;
                    const ops_v_f32 sum_states_row_at_4 = ops_load_n_f32(sum_states_row
                        + j_4_3, live_7);
                    const ops_v_f32 old_5_2 = sum_states_row_at_4;
                    const ops_v_f32 sum_parts_at_10 = ops_load_n_f32(sum_parts_from_6
                        + j_4_3, live_7);
                    ops_store_n_f32(sum_states_row + j_4_3, old_5_2 + sum_parts_at_10,
                        live_7);
                }
            }
        }
        {
            int64_t j = 0;
            for (; j + OPS_LANES <= n; j += OPS_LANES) {
                const ops_v_f32 sum_states_row_at_5 = ops_load_f32(sum_states_row + j);
                ops_store_f32(y + j, sum_states_row_at_5);
            }
            if (j < n) {
                const int64_t live_8 = n - j;
                const ops_v_f32 sum_states_row_at_6 = ops_load_n_f32(sum_states_row + j,
                    live_8);
                ops_store_n_f32(y + j, sum_states_row_at_6, live_8);
            }
        }
    } else {
        const int64_t blocks = (n + 1023) / 1024;
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
    }
    return *status;
}
