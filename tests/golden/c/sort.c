#define OPS_WANT_MATH
#include "opslib_kernel.h"
#include "opslib_order.h"

struct sort_block {
    ops_context *ctx;
    int32_t *status;
    int64_t n;
    float *y;
    int64_t i_1;
    int64_t y_stride0;
    int64_t *p;
    int64_t p_stride0;
    float *ordered_1;
    int64_t *places_1;
};

static void sort_block_run(void *state, int64_t first, int64_t past,
                           int32_t worker)
{
    const struct sort_block *self = state;
    ops_context *ctx = self->ctx;
    int32_t *status = self->status;
    const int64_t n = self->n;
    float *y = self->y;
    const int64_t i_1 = self->i_1;
    const int64_t y_stride0 = self->y_stride0;
    int64_t *p = self->p;
    const int64_t p_stride0 = self->p_stride0;
    float *ordered_1 = self->ordered_1;
    int64_t *places_1 = self->places_1;
    (void)ctx;
    (void)status;
    (void)worker;
    for (int64_t block = first; block < past; block++) {
        const int64_t begin = block * 8192;
        const int64_t end = ops_minimum_i64(begin + 8192, n);
        {
            float *y_from = y + i_1 * y_stride0;
            int64_t *p_from = p + i_1 * p_stride0;
            int64_t j_2 = begin;
            for (; j_2 + OPS_LANES <= end; j_2 += OPS_LANES) {
                const ops_v_f32 ordered_1_at = ops_load_f32(ordered_1 + j_2);
                ops_store_f32(y_from + j_2, ordered_1_at);
                const ops_v_i64 places_1_at = ops_load_i64(places_1 + j_2);
                ops_store_i64(p_from + j_2, places_1_at);
            }
            if (j_2 < end) {
                const int64_t live = end - j_2;
                const ops_v_f32 ordered_1_at_2 = ops_load_n_f32(ordered_1 + j_2, live);
                ops_store_n_f32(y_from + j_2, ordered_1_at_2, live);
                const ops_v_i64 places_1_at_2 = ops_load_n_i64(places_1 + j_2, live);
                ops_store_n_i64(p_from + j_2, places_1_at_2, live);
            }
        }
    }
}

struct sort_i {
    ops_context *ctx;
    int32_t *status;
    int64_t n;
    int64_t x_stride0;
    const float *x;
    float *y;
    int64_t y_stride0;
    int64_t *p;
    int64_t p_stride0;
};

static void sort_i_run(void *state, int64_t first, int64_t past,
                       int32_t worker)
{
    const struct sort_i *self = state;
    ops_context *ctx = self->ctx;
    int32_t *status = self->status;
    const int64_t n = self->n;
    const int64_t x_stride0 = self->x_stride0;
    const float *x = self->x;
    float *y = self->y;
    const int64_t y_stride0 = self->y_stride0;
    int64_t *p = self->p;
    const int64_t p_stride0 = self->p_stride0;
    (void)ctx;
    (void)status;
    (void)worker;
    float *ordered = ctx->workspace(ctx, worker, n * (int64_t)sizeof(float));
    if (ordered == NULL)
        return (void)ops_no_memory(ctx, status);
    int64_t *places = ctx->workspace(ctx, worker, n * (int64_t)sizeof(int64_t));
    if (places == NULL)
        return (void)ops_no_memory(ctx, status);
    uint64_t *words = ctx->workspace(ctx, worker, (4 * n) * (int64_t)sizeof(uint64_t));
    if (words == NULL)
        return (void)ops_no_memory(ctx, status);
    for (int64_t i = first; i < past; i++) {
        ops_order_f32(x + i * x_stride0, ordered, places, words, n, 0, n, 1);
        {
            float *y_from_2 = y + i * y_stride0;
            int64_t *p_from_2 = p + i * p_stride0;
            int64_t j = 0;
            for (; j + OPS_LANES <= n; j += OPS_LANES) {
                const ops_v_f32 ordered_at = ops_load_f32(ordered + j);
                ops_store_f32(y_from_2 + j, ordered_at);
                const ops_v_i64 places_at = ops_load_i64(places + j);
                ops_store_i64(p_from_2 + j, places_at);
            }
            if (j < n) {
                const int64_t live_2 = n - j;
                const ops_v_f32 ordered_at_2 = ops_load_n_f32(ordered + j, live_2);
                ops_store_n_f32(y_from_2 + j, ordered_at_2, live_2);
                const ops_v_i64 places_at_2 = ops_load_n_i64(places + j, live_2);
                ops_store_n_i64(p_from_2 + j, places_at_2, live_2);
            }
        }
    }
}

/* sort: skeleton order */
OPS_EXPORT int32_t opslib_sort(ops_context *ctx, void *const *buffers,
                               const int64_t *ints, const double *reals)
{
    const float *x = buffers[0];
    float *y = buffers[1];
    int64_t *p = buffers[2];
    const int64_t m = ints[0];
    const int64_t n = ints[1];
    const int64_t x_stride0 = ints[2];
    const int64_t y_stride0 = ints[3];
    const int64_t p_stride0 = ints[4];
    int32_t status_now = OPS_OK, *const status = &status_now;
    (void)ctx;
    (void)buffers;
    (void)ints;
    (void)reals;
    float *ordered_1 = ctx->workspace(ctx, 0, n * (int64_t)sizeof(float));
    if (ordered_1 == NULL)
        return ops_no_memory(ctx, status);
    int64_t *places_1 = ctx->workspace(ctx, 0, n * (int64_t)sizeof(int64_t));
    if (places_1 == NULL)
        return ops_no_memory(ctx, status);
    uint64_t *words_1 = ctx->workspace(ctx, 0, (4 * n) * (int64_t)sizeof(uint64_t));
    if (words_1 == NULL)
        return ops_no_memory(ctx, status);
    if (m < 16 && 65536 < ops_maximum_i64(1, n)) {
        for (int64_t i_1 = 0; i_1 < m; i_1++) {
            ops_order_f32(x + i_1 * x_stride0, ordered_1, places_1, words_1, n, 0, n, 1);
            const int64_t blocks = (n + 8191) / 8192;
            {
                struct sort_block shared = {
                    .ctx = ctx,
                    .status = status,
                    .n = n,
                    .y = y,
                    .i_1 = i_1,
                    .y_stride0 = y_stride0,
                    .p = p,
                    .p_stride0 = p_stride0,
                    .ordered_1 = ordered_1,
                    .places_1 = places_1,
                };
                ctx->parallel(ctx, sort_block_run, &shared, blocks, 1
                    + 32768 / ops_maximum_i64(ops_minimum_i64(n, 8192), 1));
            }
            if (*status != OPS_OK)
                return *status;
        }
    } else {
        {
            struct sort_i shared = {
                .ctx = ctx,
                .status = status,
                .n = n,
                .x_stride0 = x_stride0,
                .x = x,
                .y = y,
                .y_stride0 = y_stride0,
                .p = p,
                .p_stride0 = p_stride0,
            };
            ctx->parallel(ctx, sort_i_run, &shared, m, 1 + 32768 / ops_maximum_i64(1, n));
        }
        if (*status != OPS_OK)
            return *status;
    }
    return *status;
}
