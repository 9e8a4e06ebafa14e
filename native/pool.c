/* A small thread pool: lazily started, fork-safe, bounded spinning, no library but
 * pthreads.
 *
 * Why our own: OpenMP runtimes differ in what they do after fork (libgomp hangs), spin for
 * milliseconds when idle, and are one more library that two packages can load twice.
 *
 * How a region runs. The caller publishes a job under a new generation number and marks
 * one slot per piece as "free in generation g". Worker w first claims slot w (so that in
 * successive regions the same core meets the same range, and its cache), then any other
 * that is still free; the caller does the same from slot 0. So a worker that the system
 * has not scheduled yet delays nobody: the caller runs its piece. A claim is a
 * compare-and-swap from "free in g" to "taken in g", therefore a worker that wakes late,
 * with an old g in hand, can claim nothing, and it reads the job's fields only after a
 * claim, while the job cannot end. */
#define _GNU_SOURCE
#include "opslib_abi.h"
#include "pool_scratch.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_THREADS 512
#define WAKE_FANOUT 4
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

typedef struct {
    _Alignas(64) _Atomic uint64_t claim; /* generation * 2 + taken */
    _Atomic int32_t asleep;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
} slot;

typedef struct {
    ops_body body;
    void *state;
    int64_t count, grain;
    int32_t pieces;
    int32_t dynamic;
} job;

/* One per process. Not freed: a detached worker may still read it while libc's exit
 * handlers run, and joining workers there is how other pools hang at exit. */
static struct {
    _Alignas(64) _Atomic uint64_t generation;
    _Atomic int32_t pieces;             /* of the current job, for waking only */
    _Alignas(64) job job;
    _Alignas(64) _Atomic int32_t pending; /* pieces not finished */
    _Atomic int32_t unclaimed;          /* hint: spares workers the scan */
    _Atomic int32_t caller_asleep;
    _Alignas(64) _Atomic int64_t next_chunk;
    _Alignas(64) _Atomic int32_t busy;  /* a calling thread holds the pool */
    _Atomic int32_t threads;            /* wanted, including the caller */
    int32_t workers;                    /* started; written by the holder only */
    int32_t cannot_start_more;
    pthread_mutex_t mutex;
    pthread_cond_t done;
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

static void run_piece(const job *j, int32_t piece, int32_t worker) {
    if (!j->dynamic) {
        j->body(j->state, ops_piece_begin(j->count, j->pieces, piece),
                ops_piece_begin(j->count, j->pieces, piece + 1), worker);
        return;
    }
    int64_t chunks = (j->count - 1) / j->grain + 1;
    for (;;) {
        int64_t chunk = atomic_fetch_add_explicit(&pool.next_chunk, 1,
                                                  memory_order_relaxed);
        if (chunk >= chunks)
            return;
        int64_t begin = chunk * j->grain;
        int64_t left = j->count - begin;
        j->body(j->state, begin, begin + (left < j->grain ? left : j->grain), worker);
    }
}

static int try_piece(uint64_t generation, int32_t piece, int32_t worker) {
    uint64_t free_now = generation * 2;
    if (atomic_load_explicit(&pool.slots[piece].claim, memory_order_relaxed) != free_now)
        return 0;
    if (!atomic_compare_exchange_strong(&pool.slots[piece].claim, &free_now,
                                        generation * 2 + 1))
        return 0;
    atomic_fetch_sub_explicit(&pool.unclaimed, 1, memory_order_relaxed);
    run_piece(&pool.job, piece, worker);
    /* Both orders must be seq_cst: either we see the caller asleep or it sees zero. */
    if (atomic_fetch_sub(&pool.pending, 1) == 1 && atomic_load(&pool.caller_asleep)) {
        pthread_mutex_lock(&pool.mutex);
        pthread_cond_signal(&pool.done);
        pthread_mutex_unlock(&pool.mutex);
    }
    return 1;
}

static void wake_children(int32_t worker, int32_t pieces) {
    for (int32_t c = worker * WAKE_FANOUT + 1; c <= worker * WAKE_FANOUT + WAKE_FANOUT;
         c++) {
        if (c >= pieces || c > MAX_THREADS - 1)
            return;
        slot *s = &pool.slots[c];
        if (atomic_load(&s->asleep)) {
            pthread_mutex_lock(&s->mutex);
            pthread_cond_signal(&s->wake);
            pthread_mutex_unlock(&s->mutex);
        }
    }
}

static uint64_t wait_for_job(int32_t worker, uint64_t seen, int64_t deadline) {
    for (;;) {
        for (int i = 0; i < 64; i++) {
            uint64_t g = atomic_load_explicit(&pool.generation, memory_order_acquire);
            if (g != seen)
                return g;
            RELAX();
        }
        if (now_ns() >= deadline)
            break;
    }
    slot *s = &pool.slots[worker];
    uint64_t g;
    pthread_mutex_lock(&s->mutex);
    atomic_store(&s->asleep, 1);
    /* A job too small for this worker does not wake it, and it need not see it. */
    while ((g = atomic_load(&pool.generation)) == seen)
        pthread_cond_wait(&s->wake, &s->mutex);
    atomic_store(&s->asleep, 0);
    pthread_mutex_unlock(&s->mutex);
    return g;
}

static void *work(void *argument) {
    int32_t worker = (int32_t)(intptr_t)argument;
    uint64_t seen = 0;
    int64_t deadline = now_ns() + SPIN_NS;
    current_worker = worker;
    for (;;) {
        seen = wait_for_job(worker, seen, deadline);
        wake_children(worker, atomic_load_explicit(&pool.pieces, memory_order_relaxed));
        /* Take part only if slot `worker` belongs to this job: then worker < threads. */
        if (atomic_load(&pool.slots[worker].claim) / 2 != seen)
            continue;
        try_piece(seen, worker, worker);
        for (int32_t p = 0; p < MAX_THREADS; p++) {
            if (atomic_load_explicit(&pool.unclaimed, memory_order_relaxed) <= 0 ||
                p >= atomic_load_explicit(&pool.pieces, memory_order_relaxed))
                break;
            try_piece(seen, p, worker);
        }
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
    if (j->dynamic)
        for (int64_t begin = 0; begin < j->count;) {
            int64_t left = j->count - begin;
            int64_t size = left < j->grain ? left : j->grain;
            j->body(j->state, begin, begin + size, worker);
            begin += size;
        }
    else
        for (int32_t p = 0; p < j->pieces; p++)
            j->body(j->state, ops_piece_begin(j->count, j->pieces, p),
                    ops_piece_begin(j->count, j->pieces, p + 1), worker);
    current_worker = before;
}

static void run_shared(const job *j) {
    if (pool.workers < j->pieces - 1 && !pool.cannot_start_more)
        start_workers(j->pieces - 1);
    uint64_t g = atomic_load_explicit(&pool.generation, memory_order_relaxed) + 1;
    pool.job = *j;
    atomic_store_explicit(&pool.pieces, j->pieces, memory_order_relaxed);
    atomic_store_explicit(&pool.pending, j->pieces, memory_order_relaxed);
    atomic_store_explicit(&pool.unclaimed, j->pieces, memory_order_relaxed);
    atomic_store_explicit(&pool.next_chunk, 0, memory_order_relaxed);
    for (int32_t p = 0; p < j->pieces; p++)
        atomic_store_explicit(&pool.slots[p].claim, g * 2, memory_order_release);
    atomic_store(&pool.generation, g);
    wake_children(0, j->pieces);
    current_worker = 0;
    for (int32_t p = 0; p < j->pieces; p++)
        try_piece(g, p, 0);
    current_worker = -1;
    if (atomic_load_explicit(&pool.pending, memory_order_acquire) == 0)
        return;
    int64_t deadline = now_ns() + SPIN_NS;
    for (;;) {
        for (int i = 0; i < 64; i++) {
            if (atomic_load_explicit(&pool.pending, memory_order_acquire) == 0)
                return;
            RELAX();
        }
        if (now_ns() >= deadline)
            break;
    }
    pthread_mutex_lock(&pool.mutex);
    atomic_store(&pool.caller_asleep, 1);
    while (atomic_load(&pool.pending) != 0)
        pthread_cond_wait(&pool.done, &pool.mutex);
    atomic_store(&pool.caller_asleep, 0);
    pthread_mutex_unlock(&pool.mutex);
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
    job j = {body, state, count, grain, pieces, dynamic};
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
    pthread_mutex_init(&pool.mutex, NULL);
    pthread_cond_init(&pool.done, NULL);
    for (int32_t i = 0; i < MAX_THREADS; i++) {
        pthread_mutex_init(&pool.slots[i].mutex, NULL);
        pthread_cond_init(&pool.slots[i].wake, NULL);
        atomic_store(&pool.slots[i].asleep, 0);
        atomic_store(&pool.slots[i].claim, 0);
    }
    pool.workers = 0;
    pool.cannot_start_more = 0;
    atomic_store(&pool.pending, 0);
    atomic_store(&pool.caller_asleep, 0);
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
