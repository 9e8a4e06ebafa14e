#define OPS_WANT_MATH
#include "opslib_kernel.h"
#include "opslib_row.h"

struct transpose_tile {
    ops_context *ctx;
    int32_t *status;
    int64_t tiles_1;
    int64_t m;
    int64_t n;
    int64_t x_stride0;
    const float *x;
    float *y;
    int64_t y_stride0;
};

static void transpose_tile_run(void *state, int64_t first, int64_t past,
                               int32_t worker)
{
    const struct transpose_tile *self = state;
    ops_context *ctx = self->ctx;
    int32_t *status = self->status;
    const int64_t tiles_1 = self->tiles_1;
    const int64_t m = self->m;
    const int64_t n = self->n;
    const int64_t x_stride0 = self->x_stride0;
    const float *x = self->x;
    float *y = self->y;
    const int64_t y_stride0 = self->y_stride0;
    (void)ctx;
    (void)status;
    (void)worker;
    for (int64_t tile = first; tile < past; tile++) {
        const int64_t j_1 = tile % tiles_1;
        const int64_t i_1 = tile / tiles_1;
        const int64_t top = i_1 * 32;
        const int64_t bottom = ops_minimum_i64(top + 32, m);
        const int64_t left_ = j_1 * 32;
        const int64_t right = ops_minimum_i64(left_ + 32, n);
        float x_tile[1024] __attribute__((aligned(64)));
        ops_transpose_32(x_tile, 32, x + left_ * x_stride0 + top, x_stride0, right - left_,
            bottom - top);
        for (int64_t i_2 = top; i_2 < bottom; i_2++) {
            {
                float *y_from = y + i_2 * y_stride0;
                float *x_tile_from = x_tile + (i_2 - top) * 32 - left_;
                int64_t j = left_;
                for (; j + OPS_LANES <= right; j += OPS_LANES) {
                    const ops_v_f32 x_tile_at = ops_load_f32(x_tile_from + j);
                    ops_store_f32(y_from + j, x_tile_at);
                }
                if (j < right) {
                    const int64_t live = right - j;
                    const ops_v_f32 x_tile_at_2 = ops_load_n_f32(x_tile_from + j, live);
                    ops_store_n_f32(y_from + j, x_tile_at_2, live);
                }
            }
        }
    }
}

/* transpose: skeleton map */
OPS_EXPORT int32_t opslib_transpose(ops_context *ctx, void *const *buffers,
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
    const int64_t tiles = (m + 31) / 32;
    const int64_t tiles_1 = (n + 31) / 32;
    {
        struct transpose_tile shared = {
            .ctx = ctx,
            .status = status,
            .tiles_1 = tiles_1,
            .m = m,
            .n = n,
            .x_stride0 = x_stride0,
            .x = x,
            .y = y,
            .y_stride0 = y_stride0,
        };
        ctx->parallel(ctx, transpose_tile_run, &shared, tiles * tiles_1, 32);
    }
    if (*status != OPS_OK)
        return *status;
    return *status;
}
