/* A process of another machine that runs what it is sent: test_foreign.py speaks to it.
 *
 * Compiled with -DUNIT="file", generated kernels and a table `kernels` of them, and with
 * the float32 functions as further kernels.  A request on stdin is int64: number of the
 * kernel, of buffers, ints and reals; bytes of each buffer; the ints; the reals; then the
 * buffers.  The answer is an int64 status and all the buffers. */
#define OPS_WANT_MATH
#include UNIT

#include <stdio.h>
#include <stdlib.h>

static void serial(ops_context *ctx, ops_body body, void *state, int64_t count, int64_t grain) {
    (void)ctx;
    (void)grain;
    if (count > 0) body(state, 0, count, 0);
}
static void *workspace(ops_context *ctx, int32_t worker, int64_t bytes) {
    (void)ctx;
    (void)worker;
    return aligned_alloc(64, (size_t)(bytes + 127) / 64 * 64); /* freed by the exit */
}

#define X(name)                                                                          \
    static int32_t f_##name(ops_context *c, void *const *b, const int64_t *i, const double *r) { \
        (void)c;                                                                         \
        (void)r;                                                                         \
        for (int64_t k = 0; k < i[0]; k += OPS_LANES) {                                  \
            int64_t n = i[0] - k < OPS_LANES ? i[0] - k : OPS_LANES;                     \
            ops_v_f32 x = ops_load_n_f32((const float *)b[0] + k, n);                    \
            ops_store_n_f32((float *)b[1] + k, ops_##name##_v_f32(x), n);                \
        }                                                                                \
        return 0;                                                                        \
    }
FUNCTIONS(X)
#undef X
#define X(name) f_##name,
static const ops_kernel functions[] = {FUNCTIONS(X)};
#undef X

static void take(void *to, size_t bytes) {
    if (fread(to, 1, bytes, stdin) != bytes) exit(3);
}

int main(int count, char **words) {
    (void)words;
    if (count > 1) {
        printf("%s %d\n", OPS_TARGET_NAME, OPS_LANES);
        return 0;
    }
    int64_t head[4];
    while (fread(head, sizeof head, 1, stdin) == 1) {
        int64_t sizes[32], ints[128];
        double reals[32];
        void *buffers[32];
        take(sizes, (size_t)head[1] * 8);
        take(ints, (size_t)head[2] * 8);
        take(reals, (size_t)head[3] * 8);
        for (int b = 0; b < head[1]; b++) {
            buffers[b] = workspace(NULL, 0, sizes[b]);
            take(buffers[b], (size_t)sizes[b]);
        }
        ops_context ctx = {.parallel = serial, .threads = 1, .workspace = workspace,
                           .parallel_dynamic = serial};
        const int64_t generated = sizeof kernels / sizeof *kernels;
        ops_kernel run = head[0] < generated ? kernels[head[0]] : functions[head[0] - generated];
        int64_t status = run(&ctx, (void *const *)buffers, ints, reals);
        fwrite(&status, 8, 1, stdout);
        for (int b = 0; b < head[1]; b++) fwrite(buffers[b], 1, (size_t)sizes[b], stdout);
    }
    return 0;
}
