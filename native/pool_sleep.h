/* pool_sleep.h -- one thread blocks until another wakes it.
 *
 * On Linux a futex and not a condition variable: a thread that wakes from one takes its
 * mutex first, and whoever wakes it next waits there if the system takes the processor
 * from the holder. */
#ifndef OPSLIB_POOL_SLEEP_H
#define OPSLIB_POOL_SLEEP_H

#include <stdatomic.h>
#include <stdint.h>

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__linux__) && defined(SYS_futex)
#define HAVE_FUTEX 1
/* Of linux/futex.h, which not every toolchain ships. */
#define WAIT_PRIVATE 128
#define WAKE_PRIVATE 129
#else
#define HAVE_FUTEX 0
#include <pthread.h>
#endif

typedef struct {
    _Atomic int32_t asleep;
#if !HAVE_FUTEX
    pthread_mutex_t mutex;
    pthread_cond_t woken;
#endif
} sleeper;

static void sleeper_reset(sleeper *s) {
    atomic_store(&s->asleep, 0);
#if !HAVE_FUTEX
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->woken, NULL);
#endif
}

/* Blocks while asleep is 1. The owner stores the 1 itself, and then looks once more at
 * what it waits for: the waker changes that first and then calls sleeper_wake, so with
 * both in sequential order one of the two sees the other. May return early. */
static void sleeper_block(sleeper *s) {
#if HAVE_FUTEX
    syscall(SYS_futex, &s->asleep, WAIT_PRIVATE, 1, NULL, NULL, 0);
#else
    pthread_mutex_lock(&s->mutex);
    while (atomic_load(&s->asleep))
        pthread_cond_wait(&s->woken, &s->mutex);
    pthread_mutex_unlock(&s->mutex);
#endif
}

static void sleeper_wake(sleeper *s) {
    if (!atomic_load(&s->asleep) || !atomic_exchange(&s->asleep, 0))
        return;
#if HAVE_FUTEX
    syscall(SYS_futex, &s->asleep, WAKE_PRIVATE, 1, NULL, NULL, 0);
#else
    pthread_mutex_lock(&s->mutex);
    pthread_cond_signal(&s->woken);
    pthread_mutex_unlock(&s->mutex);
#endif
}

#endif
