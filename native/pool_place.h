/* pool_place.h -- a worker that is woken does not share the caller's processor.
 *
 * Linux likes to wake a thread where its waker runs. The caller does not stop, so both
 * then share one processor for as long as no tick balances them: on two processors, half
 * of the regions that began with a sleeping worker took as long as with one thread. So
 * the caller takes its own processor out of the sleeper's affinity before it wakes it: a
 * system call when the caller has moved, nothing when it has not. */
#ifndef OPSLIB_POOL_PLACE_H
#define OPSLIB_POOL_PLACE_H

#include <stdatomic.h>
#include <stdint.h>

#if defined(__linux__)
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

typedef struct {
    _Atomic int32_t thread; /* the system's number of the worker; 0: not known yet */
    int32_t avoids;         /* processor that it keeps off, plus 1; 0: none */
} place;

static void place_reset(place *p) {
    atomic_store(&p->thread, 0);
    p->avoids = 0;
}

/* The worker says who it is. */
static void place_enter(place *p) {
#if defined(__linux__) && defined(SYS_gettid)
    atomic_store(&p->thread, (int32_t)syscall(SYS_gettid));
#else
    (void)p;
#endif
}

/* Called by the thread that is about to wake it, one at a time. What it may use is what
 * the caller may use; nothing is changed where that is a single processor. */
static void place_apart(place *p) {
#if defined(__linux__) && defined(SYS_gettid) && defined(CPU_COUNT)
    const int here = sched_getcpu();
    const int32_t thread = atomic_load(&p->thread);
    if (here < 0 || thread == 0 || p->avoids == here + 1)
        return;
    cpu_set_t allowed;
    /* Fails where there are more processors than the set has bits: they then have room. */
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return;
    CPU_CLR(here, &allowed);
    if (CPU_COUNT(&allowed) == 0)
        return;
    if (sched_setaffinity(thread, sizeof allowed, &allowed) == 0)
        p->avoids = here + 1;
#else
    (void)p;
#endif
}

#endif
