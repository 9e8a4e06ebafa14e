/* A small thread pool: lazily started, fork-safe, bounded spinning, no library but
 * pthreads.
 *
 * Why our own: OpenMP runtimes differ in what they do after fork (libgomp hangs), spin for
 * milliseconds when idle, and are one more library that two packages can load twice.
 *
 * How a region runs. The range is cut in one piece per worker and each piece in up to
 * PARTS ranges, by (count, grain, threads) alone. Whoever takes part draws ranges from its
 * own piece first (so that in successive regions the same core meets the same data, and
 * its cache), then from the others'; so a worker that the system has not scheduled, or
 * has stopped, delays nobody but for the one range it is in.
 *
 * The gate says whether a region is open, and how many workers are inside. Joining is a
 * compare-and-swap on it, so a worker that wakes late, with an old gate in hand, joins
 * nothing, and it reads the job only while it is inside. The caller takes part, closes
 * the gate when nothing is left to draw, and waits for those inside. */
#define _GNU_SOURCE
#include "opslib_abi.h"
#include "pool_place.h"
#include "pool_scratch.h"
#include "pool_sleep.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_THREADS 512
#define WAKE_FANOUT 4
/* A worker that stops inside a range keeps 1/16 of its piece from the others. */
#define PARTS 16
/* Long enough to meet the next region of the same kernel without a system call, short
 * enough that an idle pool does not show up in `top`. A futex wake costs 5 us and more on
 * a virtual machine. */
#define SPIN_NS 30000

#if defined(__x86_64__) || defined(__i386__)
#define RELAX() __builtin_ia32_pause()
#elif defined(__aarch64__) || defined(__arm__)
#define RELAX() __asm__ __volatile__("yield" ::: "memory")
#else
#define RELAX() atomic_signal_fence(memory_order_seq_cst)
#endif

#define EXPORT __attribute__((visibility("default")))

/* The gate: generation, odd while open; workers the job has use for; those inside. */
#define INSIDE(gate) ((gate) & 1023)
#define PIECES(gate) ((int32_t)((gate) >> 10 & 1023))
#define GENERATION(gate) ((gate) >> 20)
#define ONE_GENERATION ((uint64_t)1 << 20)

typedef struct {
    _Alignas(64) _Atomic int64_t next; /* range to draw from this piece */
    _Alignas(64) sleeper worker;
    place place;
} slot;

typedef struct {
    ops_context *ctx;
    ops_body body;
    void *state;
    int64_t count, grain, parts; /* parts: ranges per piece */
    int32_t pieces;
    int32_t dynamic; /* one piece for all, in ranges of `grain` */
} job;

/* One per process. Not freed: a detached worker may still read it while libc's exit
 * handlers run, and joining workers there is how other pools hang at exit. */
static struct {
    _Alignas(64) _Atomic uint64_t gate;
    _Alignas(64) job job;
    _Alignas(64) _Atomic int64_t undrawn; /* hint: spares a scan of the pieces */
    _Alignas(64) sleeper caller;
    _Alignas(64) _Atomic int32_t busy;  /* a calling thread holds the pool */
    _Atomic int32_t threads;            /* wanted, including the caller */
    int32_t workers;                    /* started; written by the holder only */
    int32_t cannot_start_more;
    slot slots[MAX_THREADS];
} pool;

/* Where this thread is inside a region, its worker id; -1 outside. */
static _Thread_local int32_t current_worker = -1;

/* ---- regions ------------------------------------------------------------------------ */

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Runs one range, and takes back the scratch that its body took: a worker that draws
 * many needs no more than one. */
static void run_range(const job *j, int32_t piece, int64_t part, int32_t worker) {
    int64_t begin, end;
    if (j->dynamic) {
        begin = part * j->grain;
        end = j->count - begin < j->grain ? j->count : begin + j->grain;
    } else {
        int64_t base = ops_piece_begin(j->count, j->pieces, piece);
        int64_t size = ops_piece_begin(j->count, j->pieces, piece + 1) - base;
        begin = base + ops_piece_begin(size, (int32_t)j->parts, (int32_t)part);
        end = base + ops_piece_begin(size, (int32_t)j->parts, (int32_t)part + 1);
    }
    arena *own = arena_of(j->ctx, worker);
    arena before = *own;
    j->body(j->state, begin, end, worker);
    arena_back_to(own, &before);
}

static void take_part(int32_t worker) {
    const job *j = &pool.job;
    const int32_t pieces = j->dynamic ? 1 : j->pieces;
    for (int32_t q = 0; q < pieces; q++) {
        const int32_t piece = (worker + q) % pieces;
        _Atomic int64_t *next = &pool.slots[piece].next;
        if (atomic_load_explicit(&pool.undrawn, memory_order_relaxed) <= 0)
            return;
        while (atomic_load_explicit(next, memory_order_relaxed) < j->parts) {
            int64_t part = atomic_fetch_add_explicit(next, 1, memory_order_relaxed);
            if (part >= j->parts)
                break;
            atomic_fetch_sub_explicit(&pool.undrawn, 1, memory_order_relaxed);
            run_range(j, piece, part, worker);
        }
    }
}

static void wake_children(int32_t worker, int32_t pieces) {
    for (int32_t c = worker * WAKE_FANOUT + 1; c <= worker * WAKE_FANOUT + WAKE_FANOUT;
         c++) {
        if (c >= pieces || c > MAX_THREADS - 1)
            return;
        /* Those that a worker wakes are left to the system: there are processors enough. */
        if (worker == 0 && atomic_load(&pool.slots[c].worker.asleep))
            place_apart(&pool.slots[c].place);
        sleeper_wake(&pool.slots[c].worker);
    }
}

static int is_news(uint64_t gate, uint64_t seen) {
    return (GENERATION(gate) & 1) && GENERATION(gate) != seen;
}

static uint64_t wait_for_job(int32_t worker, uint64_t seen, int64_t deadline) {
    do {
        for (int i = 0; i < 64; i++) {
            uint64_t gate = atomic_load_explicit(&pool.gate, memory_order_acquire);
            if (is_news(gate, seen))
                return gate;
            RELAX();
        }
    } while (now_ns() < deadline);
    sleeper *own = &pool.slots[worker].worker;
    for (;;) {
        /* A job too small for this worker does not wake it, and it need not see it. */
        atomic_store(&own->asleep, 1);
        uint64_t gate = atomic_load(&pool.gate);
        if (is_news(gate, seen)) {
            atomic_store(&own->asleep, 0);
            return gate;
        }
        sleeper_block(own);
    }
}

static int join(uint64_t gate) {
    const uint64_t generation = GENERATION(gate);
    while (GENERATION(gate) == generation)
        if (atomic_compare_exchange_weak(&pool.gate, &gate, gate + 1))
            return 1;
    return 0;
}

static void *work(void *argument) {
    int32_t worker = (int32_t)(intptr_t)argument;
    uint64_t seen = 0;
    int64_t deadline = now_ns() + SPIN_NS;
    current_worker = worker;
    place_enter(&pool.slots[worker].place);
    for (;;) {
        uint64_t gate = wait_for_job(worker, seen, deadline);
        seen = GENERATION(gate);
        wake_children(worker, PIECES(gate));
        if (worker >= PIECES(gate) || !join(gate))
            continue;
        take_part(worker);
        gate = atomic_fetch_sub(&pool.gate, 1) - 1;
        if (INSIDE(gate) == 0 && !(GENERATION(gate) & 1))
            sleeper_wake(&pool.caller);
        /* Only having taken part renews the right to spin: a stream of small jobs for two
         * workers must not keep the other sixty awake. */
        deadline = now_ns() + SPIN_NS;
    }
    return NULL;
}

static void start_workers(int32_t wanted) {
    sigset_t all, before;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, (size_t)4 << 20); /* musl's is 128 KiB */
    /* Python handles signals on its main thread; workers must not receive any. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool.workers < wanted) {
        pthread_t thread;
        int32_t id = pool.workers + 1;
        if (pthread_create(&thread, &attributes, work, (void *)(intptr_t)id) != 0) {
            pool.cannot_start_more = 1; /* the others, or the caller, do its pieces */
            break;
        }
        pool.workers++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
}

static void run_here(const job *j, int32_t worker) {
    int32_t before = current_worker;
    current_worker = worker;
    for (int32_t p = 0; p < (j->dynamic ? 1 : j->pieces); p++)
        for (int64_t part = 0; part < j->parts; part++)
            run_range(j, p, part, worker);
    current_worker = before;
}

static int all_left(void) { return INSIDE(atomic_load(&pool.gate)) == 0; }

static void run_shared(const job *j) {
    if (pool.workers < j->pieces - 1 && !pool.cannot_start_more)
        start_workers(j->pieces - 1);
    uint64_t generation = GENERATION(atomic_load(&pool.gate)) + 1;
    pool.job = *j;
    int32_t pieces = j->dynamic ? 1 : j->pieces;
    for (int32_t p = 0; p < pieces; p++)
        atomic_store_explicit(&pool.slots[p].next, 0, memory_order_relaxed);
    atomic_store_explicit(&pool.undrawn, pieces * j->parts, memory_order_relaxed);
    atomic_store(&pool.gate, generation << 20 | (uint64_t)j->pieces << 10);
    wake_children(0, j->pieces);
    current_worker = 0;
    take_part(0);
    current_worker = -1;
    atomic_fetch_add(&pool.gate, ONE_GENERATION);
    int64_t deadline = now_ns() + SPIN_NS;
    do {
        for (int i = 0; i < 64; i++) {
            if (all_left())
                return;
            RELAX();
        }
    } while (now_ns() < deadline);
    for (;;) {
        atomic_store(&pool.caller.asleep, 1);
        if (all_left())
            break;
        sleeper_block(&pool.caller);
    }
    atomic_store(&pool.caller.asleep, 0);
}

static void start(ops_context *ctx, ops_body body, void *state, int64_t count,
                  int64_t grain, int32_t dynamic) {
    if (count <= 0)
        return;
    if (grain < 1)
        grain = 1;
    /* Dynamic: no more takers than there are chunks. */
    int32_t pieces = dynamic ? ops_pieces((count - 1) / grain + 1, 1, ctx->threads)
                             : ops_pieces(count, grain, ctx->threads);
    int64_t parts = (count - 1) / grain + 1;
    if (!dynamic && pieces == 1) {
        parts = 1;
    } else if (!dynamic) {
        parts = count / pieces / grain;
        parts = parts < 1 ? 1 : parts < PARTS ? parts : PARTS;
    }
    job j = {ctx, body, state, count, grain, parts, pieces, dynamic};
    int32_t worker = current_worker;
    if (worker >= 0 || pieces == 1) {
        run_here(&j, worker >= 0 ? worker : 0);
        return;
    }
    int32_t idle = 0;
    if (!atomic_compare_exchange_strong_explicit(&pool.busy, &idle, 1,
                                                 memory_order_acquire,
                                                 memory_order_relaxed)) {
        run_here(&j, 0);
        return;
    }
    run_shared(&j);
    atomic_store_explicit(&pool.busy, 0, memory_order_release);
}

static void parallel(ops_context *ctx, ops_body body, void *state, int64_t count,
                     int64_t grain) {
    start(ctx, body, state, count, grain, 0);
}

static void parallel_dynamic(ops_context *ctx, ops_body body, void *state, int64_t count,
                             int64_t grain) {
    start(ctx, body, state, count, grain, 1);
}

/* ---- process and thread life -------------------------------------------------------- */

static void reset(void) {
    sleeper_reset(&pool.caller);
    for (int32_t i = 0; i < MAX_THREADS; i++) {
        sleeper_reset(&pool.slots[i].worker);
        place_reset(&pool.slots[i].place);
    }
    pool.workers = 0;
    pool.cannot_start_more = 0;
    atomic_store(&pool.gate, 0);
    atomic_store(&pool.busy, 0);
    current_worker = -1;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t context_key;
static int context_key_made;
static _Thread_local context *own_context;

static void drop_context(void *argument) {
    context *own = argument;
    give_back(&own->public);
    for (int32_t w = 0; w < own->arenas; w++)
        free(own->arena[w].base);
    free(own->arena);
    free(own);
    own_context = NULL;
}

static void set_up(void) {
    reset();
    if (atomic_load(&pool.threads) < 1)
        atomic_store(&pool.threads, 1);
    context_key_made = pthread_key_create(&context_key, drop_context) == 0;
    /* Only the forking thread lives on in the child: its pool starts again from nothing,
     * whatever the parent's other threads were in the middle of. */
    pthread_atfork(NULL, NULL, reset);
}

EXPORT int32_t ops_pool_abi(void) { return OPS_ABI_VERSION; }

EXPORT void ops_pool_set_threads(int32_t threads) {
    pthread_once(&once, set_up);
    atomic_store(&pool.threads,
                 threads < 1 ? 1 : threads > MAX_THREADS ? MAX_THREADS : threads);
}

EXPORT int32_t ops_pool_threads(void) { return atomic_load(&pool.threads); }

/* Started so far in this process; for tests and `opslib doctor`. */
EXPORT int32_t ops_pool_workers(void) { return pool.workers; }

EXPORT ops_context *ops_pool_context(void) {
    context *own = own_context;
    int32_t threads = atomic_load_explicit(&pool.threads, memory_order_relaxed);
    if (own != NULL && own->public.threads == threads)
        return &own->public;
    if (own == NULL) {
        pthread_once(&once, set_up);
        threads = atomic_load(&pool.threads);
        own = calloc(1, sizeof *own);
        if (own == NULL)
            return NULL;
        own->public.parallel = parallel;
        own->public.parallel_dynamic = parallel_dynamic;
        own->public.workspace = take;
        own->public.finish = give_back;
        own->public.pool = &pool;
        if (context_key_made)
            pthread_setspecific(context_key, own);
        own_context = own;
    }
    if (threads > own->arenas) {
        void *larger = NULL;
        if (posix_memalign(&larger, 64, sizeof(arena) * (size_t)threads) != 0)
            return NULL;
        memset(larger, 0, sizeof(arena) * (size_t)threads);
        if (own->arenas > 0)
            memcpy(larger, own->arena, sizeof(arena) * (size_t)own->arenas);
        free(own->arena);
        own->arena = larger;
        own->arenas = threads;
    }
    own->public.threads = threads;
    return &own->public;
}
