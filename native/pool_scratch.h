/* pool_scratch.h -- the scratch memory of a kernel's workers: one arena each. */
#ifndef OPSLIB_POOL_SCRATCH_H
#define OPSLIB_POOL_SCRATCH_H

#include "opslib_abi.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Scratch kept between calls, per calling thread and worker; more is given back at once. */
#define KEPT_SCRATCH ((int64_t)64 << 20)
#define ALIGNMENT 64

typedef struct overflow {
    struct overflow *next;
} overflow;

typedef struct {
    _Alignas(64) char *base;
    int64_t capacity, used, wanted;
    overflow *more; /* blocks that did not fit, of `over` bytes in all */
    int64_t over;
} arena;

typedef struct {
    ops_context public; /* first: a context pointer is a pointer to this */
    _Atomic int32_t touched;
    int32_t arenas;
    arena *arena;
} context;

static void *take(ops_context *ctx, int32_t worker, int64_t bytes) {
    context *own = (context *)ctx;
    if (worker < 0 || worker >= ctx->threads || bytes < 0 || bytes > INT64_MAX / 2)
        return NULL;
    bytes = bytes == 0 ? ALIGNMENT : (bytes + ALIGNMENT - 1) & ~(int64_t)(ALIGNMENT - 1);
    if ((uint64_t)bytes > SIZE_MAX / 2)
        return NULL;
    arena *a = &own->arena[worker];
    if (!atomic_load_explicit(&own->touched, memory_order_relaxed))
        atomic_store_explicit(&own->touched, 1, memory_order_relaxed);
    if (a->used == 0 && a->more == NULL && a->capacity < KEPT_SCRATCH) {
        /* Allocated here, by the worker that will write it, for the sake of NUMA. */
        int64_t size = bytes > a->wanted ? bytes : a->wanted;
        if (size > KEPT_SCRATCH)
            size = KEPT_SCRATCH;
        if (size > a->capacity) {
            void *fresh = NULL;
            free(a->base);
            a->base = NULL;
            a->capacity = 0;
            if (posix_memalign(&fresh, ALIGNMENT, (size_t)size) == 0) {
                a->base = fresh;
                a->capacity = size;
            }
        }
    }
    if (bytes <= a->capacity - a->used) {
        void *block = a->base + a->used;
        a->used += bytes;
        return block;
    }
    void *block = NULL;
    if (posix_memalign(&block, ALIGNMENT, (size_t)bytes + ALIGNMENT) != 0)
        return NULL;
    ((overflow *)block)->next = a->more;
    a->more = block;
    a->over += bytes;
    if (a->wanted < a->used + a->over)
        a->wanted = a->used + a->over;
    return (char *)block + ALIGNMENT;
}

static arena *arena_of(ops_context *ctx, int32_t worker) {
    return &((context *)ctx)->arena[worker];
}

/* Gives back what was taken since `before`, a copy. The base may have moved meanwhile,
 * but only if nothing of it was in use. */
static void arena_back_to(arena *a, const arena *before) {
    a->used = before->used;
    a->over = before->over;
    while (a->more != before->more) {
        overflow *next = a->more->next;
        free(a->more);
        a->more = next;
    }
}

static void give_back(ops_context *ctx) {
    context *own = (context *)ctx;
    if (!atomic_load_explicit(&own->touched, memory_order_relaxed))
        return;
    atomic_store_explicit(&own->touched, 0, memory_order_relaxed);
    for (int32_t w = 0; w < own->arenas; w++) {
        arena *a = &own->arena[w];
        arena_back_to(a, &(arena){0});
    }
}

#endif
