/* strict_context.c -- what a kernel is given by a host that forgives nothing.
 *
 * A block of scratch memory is as long as was asked for: behind it lies a page that may
 * not be touched, or, where the sanitizer looks on, its red zone. Its contents are what
 * strict_fill says. Pieces of parallel loops run last to first, each by another worker. */
#include "opslib_abi.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define THREADS 3
#define BLOCKS 4096

static void *blocks[BLOCKS];
static size_t lengths[BLOCKS]; /* of the mapping; 0 for one of the heap's */
static int32_t taken;
static int fill, fenced;

__attribute__((visibility("default"))) void strict_use(int byte, int with_fences) {
    fill = byte;
    fenced = with_fences;
}

static void *workspace(ops_context *ctx, int32_t worker, int64_t bytes) {
    (void)ctx;
    if (worker < 0 || worker >= THREADS || bytes < 0 || taken == BLOCKS)
        return NULL;
    char *block;
    if (!fenced) {
        if (posix_memalign((void **)&block, 64, bytes ? (size_t)bytes : 1))
            return NULL;
        blocks[taken] = block;
        lengths[taken++] = 0;
    } else {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        size_t room = ((size_t)bytes + page - 1) / page * page;
        char *base = mmap(NULL, room + page, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (base == MAP_FAILED)
            return NULL;
        mprotect(base + room, page, PROT_NONE);
        blocks[taken] = base;
        lengths[taken++] = room + page;
        block = base + (room - (size_t)bytes) / 64 * 64; /* scratch is aligned */
    }
    memset(block, fill, (size_t)bytes);
    return block;
}

static void back_to(int32_t before) {
    while (taken > before) {
        taken--;
        if (lengths[taken])
            munmap(blocks[taken], lengths[taken]);
        else
            free(blocks[taken]);
    }
}

static void finish(ops_context *ctx) {
    (void)ctx;
    back_to(0);
}

/* A block lives as long as the body that asked for it. */
static void run(ops_body body, void *state, int64_t begin, int64_t end, int32_t worker) {
    int32_t before = taken;
    body(state, begin, end, worker);
    back_to(before);
}

static void parallel(ops_context *ctx, ops_body body, void *state, int64_t count,
                     int64_t grain) {
    int32_t pieces = ops_pieces(count, grain, ctx->threads);
    for (int32_t k = pieces - 1; k >= 0; k--)
        run(body, state, ops_piece_begin(count, pieces, k),
            ops_piece_begin(count, pieces, k + 1), k);
}

static void parallel_dynamic(ops_context *ctx, ops_body body, void *state, int64_t count,
                             int64_t grain) {
    if (grain < 1)
        grain = 1;
    for (int64_t k = (count + grain - 1) / grain - 1; k >= 0; k--) {
        int64_t end = (k + 1) * grain < count ? (k + 1) * grain : count;
        run(body, state, k * grain, end, (int32_t)(k % ctx->threads));
    }
}

static ops_context context = {
    .parallel = parallel,
    .threads = THREADS,
    .workspace = workspace,
    .parallel_dynamic = parallel_dynamic,
    .finish = finish,
};

__attribute__((visibility("default"))) ops_context *strict_context(void) {
    return &context;
}
