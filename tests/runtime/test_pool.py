"""The thread pool: exact ranges, safe scratch, fork, many callers, and idle cost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import opslib.errors
from opslib.errors import ArgumentError
from opslib.runtime import cache, launcher, pool
from opslib.runtime.toolchain import find_toolchain

# As PARTS of native/pool.c.
PARTS = 16
ROOT = str(Path(opslib.errors.__file__).parents[1])

# `record` logs every piece; the others are named by what they test.
KERNELS = r"""
#include "opslib_abi.h"
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

typedef struct {
    ops_context *ctx; int64_t *begin, *end, *worker, *hits; _Atomic int64_t pieces;
    int64_t spin, most, count;
    int32_t pieces_wanted; /* 0: do not compare with ops_piece_begin */
} log_state;

static void log_piece(void *state, int64_t begin, int64_t end, int32_t worker) {
    log_state *s = state;
    int64_t at = atomic_fetch_add(&s->pieces, 1);
    if (at < s->most) {
        s->begin[at] = begin; s->end[at] = end; s->worker[at] = worker;
    }
    if (s->pieces_wanted > 0) {
        int32_t piece = ops_piece_of(s->count, s->pieces_wanted, begin);
        if (ops_piece_begin(s->count, s->pieces_wanted, piece) > begin ||
            ops_piece_begin(s->count, s->pieces_wanted, piece + 1) < end)
            s->hits[begin] += 1000;
    }
    for (int64_t i = begin; i < end; i++) s->hits[i]++;
    for (volatile int64_t i = 0; i < s->spin; i++) {}
}

/* buffers: hits[count], begin, end, worker [most], pieces[1]
   ints: count, grain, dynamic, spin, most */
int32_t record(ops_context *ctx, void *const *b, const int64_t *n, const double *r) {
    (void)r;
    int32_t wanted = n[2] ? 0 : ops_pieces(n[0], n[1], ctx->threads);
    log_state s = {ctx, b[1], b[2], b[3], b[0], 0, n[3], n[4], n[0], wanted};
    (n[2] ? ctx->parallel_dynamic : ctx->parallel)(ctx, log_piece, &s, n[0], n[1]);
    *(int64_t *)b[4] = s.pieces;
    return OPS_OK;
}

static void outer(void *state, int64_t begin, int64_t end, int32_t worker) {
    log_state *s = state;
    for (int64_t i = begin; i < end; i++) {
        log_state inner = *s;
        int64_t scratch[3][64];
        inner.begin = scratch[0]; inner.end = scratch[1]; inner.worker = scratch[2];
        inner.hits = s->hits + i * 100; inner.pieces = 0; inner.most = 64;
        s->ctx->parallel(s->ctx, log_piece, &inner, 100, 1);
        for (int64_t p = 0; p < inner.pieces; p++)
            if (scratch[2][p] != worker) atomic_fetch_add(&s->pieces, 1);
    }
}
/* hits: 100 per outer index; pieces: inner pieces that ran on another worker */
int32_t nested(ops_context *ctx, void *const *b, const int64_t *n, const double *r) {
    (void)r;
    log_state s = {ctx, 0, 0, 0, b[0], 0, 0, 0, 0, 0};
    ctx->parallel(ctx, outer, &s, n[0], 1);
    *(int64_t *)b[1] = s.pieces;
    return OPS_OK;
}

typedef struct {
    ops_context *ctx; int64_t bytes; _Atomic int64_t wrong;
} scratch_state;
static void use_scratch(void *state, int64_t begin, int64_t end, int32_t worker) {
    scratch_state *s = state;
    for (int64_t i = begin; i < end; i++) {
        unsigned char *block[3];
        for (int k = 0; k < 3; k++) {
            block[k] = s->ctx->workspace(s->ctx, worker, s->bytes + k);
            if (block[k] == NULL || ((uintptr_t)block[k] & 63)) {
                atomic_fetch_add(&s->wrong, 1); return;
            }
            memset(block[k], (int)(worker * 3 + k + 1), (size_t)(s->bytes + k));
        }
        for (int k = 0; k < 3; k++)
            for (int64_t j = 0; j < s->bytes + k; j++)
                if (block[k][j] != (unsigned char)(worker * 3 + k + 1))
                    atomic_fetch_add(&s->wrong, 1);
    }
}
int32_t scratch(ops_context *ctx, void *const *b, const int64_t *n, const double *r) {
    (void)r;
    scratch_state s = {ctx, n[1], 0};
    ctx->parallel(ctx, use_scratch, &s, n[0], 1);
    *(int64_t *)b[0] = s.wrong;
    return OPS_OK;
}

/* ints: worker, sizes...; writes the address of each block */
int32_t blocks(ops_context *ctx, void *const *b, const int64_t *n, const double *r) {
    (void)r;
    int64_t *out = b[0];
    for (int64_t i = 0; i < n[0]; i++)
        out[i] = (int64_t)(intptr_t)ctx->workspace(ctx, (int32_t)n[1], n[2 + i]);
    out[n[0]] = ctx->threads;
    return OPS_OK;
}

static void just_spin(void *state, int64_t begin, int64_t end, int32_t worker) {
    (void)worker;
    for (int64_t i = begin; i < end; i++)
        for (volatile int64_t j = 0; j < *(int64_t *)state; j++) {}
}
int32_t spin(ops_context *ctx, void *const *b, const int64_t *n, const double *r) {
    (void)r; (void)b;
    int64_t much = n[1];
    ctx->parallel(ctx, just_spin, &much, n[0], 1);
    return OPS_OK;
}

/* Worker 1 stays in its first range until the others have done all else; the caller
 * waits for it to begin. Either gives up after 20 s. */
typedef struct {
    int64_t count; _Atomic int64_t done, begun, kept, given_up;
} stall_state;
static void until(stall_state *s, _Atomic int64_t *value, int64_t wanted) {
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    while (atomic_load(value) < wanted) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec - start.tv_sec > 20) {
            atomic_fetch_add(&s->given_up, 1);
            return;
        }
        sched_yield();
    }
}
static void stalled(void *state, int64_t begin, int64_t end, int32_t worker) {
    stall_state *s = state;
    if (worker == 0) {
        until(s, &s->begun, 1);
    } else {
        atomic_fetch_add(&s->kept, end - begin);
        atomic_store(&s->begun, 1);
        until(s, &s->done, s->count - (end - begin));
    }
    atomic_fetch_add(&s->done, end - begin);
}
int32_t stall(ops_context *ctx, void *const *b, const int64_t *n, const double *r) {
    (void)r;
    int64_t *out = b[0];
    stall_state s = {n[0], 0, 0, 0, 0};
    (n[1] ? ctx->parallel_dynamic : ctx->parallel)(ctx, stalled, &s, n[0], 1);
    out[0] = s.done; out[1] = s.kept; out[2] = s.given_up;
    return OPS_OK;
}

typedef struct { ops_context *ctx; int64_t *block; } reuse_state;
static void take_one(void *state, int64_t begin, int64_t end, int32_t worker) {
    reuse_state *s = state;
    (void)end;
    s->block[begin] = (int64_t)(intptr_t)s->ctx->workspace(s->ctx, worker, 1 << 20);
}
int32_t reuse(ops_context *ctx, void *const *b, const int64_t *n, const double *r) {
    (void)r;
    reuse_state s = {ctx, b[0]};
    ctx->parallel(ctx, take_one, &s, n[0], 1);
    return OPS_OK;
}
"""


def library():
    return cache.default_cache().load(
        KERNELS, "pool_test", find_toolchain(), ("-O1", "-std=gnu11")
    )


def launch(name: str, pointers, *ints: int) -> None:
    code = launcher.launch(
        library().symbol(name),
        pool.context_provider(),
        pointers,
        np.array(ints, np.int64).tobytes(),
        b"",
        True,
    )
    assert code == 0


def pieces(count: int, grain: int, dynamic=False, spin=0, most=4096):
    hits = np.zeros(max(count, 1), np.int64)
    begin, end, worker = (np.zeros(most, np.int64) for _ in range(3))
    total = np.zeros(1, np.int64)
    launch(
        "record", (hits, begin, end, worker, total), count, grain, dynamic, spin, most
    )
    assert (hits[:count] == 1).all(), "each index exactly once"
    found = min(int(total[0]), most)
    order = np.argsort(begin[:found], kind="stable")
    return [(int(begin[i]), int(end[i]), int(worker[i])) for i in order]


@pytest.fixture(autouse=True)
def as_before():
    before = pool.num_threads()
    yield
    pool.set_num_threads(before)


def python(code: str, timeout=60.0, **more) -> str:
    """Run code in a new process, with the helpers of this file at hand."""
    prelude = f"""
    import importlib.util, os, sys, threading, time
    spec = importlib.util.spec_from_file_location("test_pool", {__file__!r})
    tests = sys.modules["test_pool"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tests)
    from opslib.runtime import pool
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(prelude) + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, "PYTHONPATH": ROOT, **more.pop("env", {})},
        **more,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("grain", [0, 1, 7, 1000])
def test_static_ranges(threads, grain):
    pool.set_num_threads(threads)
    for count in (0, 1, 2, 3, 6, 7, 8, 63, 64, 65, 999, 12345):
        found = pieces(count, grain)
        assert all(0 <= worker < threads for _, _, worker in found)
        sizes = [end - begin for begin, end, _ in found]
        shares = min(threads, max(1, count // max(grain, 1))) if count else 0
        parts = 1
        if shares > 1:
            parts = max(1, min(PARTS, count // shares // max(grain, 1)))
            assert min(sizes) >= max(grain, 1)
            assert max(sizes) - min(sizes) <= 1
        assert len(found) == shares * parts
        assert [each[:2] for each in pieces(count, grain)] == [
            each[:2] for each in found
        ], "the ranges never depend on timing"


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_dynamic_ranges(threads):
    pool.set_num_threads(threads)
    for count, grain in ((0, 3), (1, 3), (9, 3), (10, 3), (1000, 7), (5, 100)):
        found = pieces(count, grain, dynamic=True)
        assert [each[:2] for each in found] == [
            (begin, min(begin + grain, count)) for begin in range(0, count, grain)
        ]
        assert all(0 <= worker < threads for _, _, worker in found)


def test_huge_counts_do_not_overflow():
    # Only the ranges of an empty body would be practical; the largest piece edges are
    # checked through a count whose product with the piece number exceeds 64 bits.
    code = """
    #include "opslib_abi.h"
    static void body(void *s, int64_t b, int64_t e, int32_t w) {
        int64_t *out = s;
        (void)w;
        if (b > out[0]) out[0] = b;
        if (e > out[1]) out[1] = e;
    }
    int32_t k(ops_context *c, void *const *b, const int64_t *n, const double *r) {
        (void)r; c->parallel(c, body, b[0], n[0], 1); return 0; }
    """
    built = cache.default_cache().load(code, "huge", find_toolchain(), ("-O1",))
    out = np.zeros(2, np.int64)
    pool.set_num_threads(1)
    count = 2**63 - 1
    launcher.launch(
        built.symbol("k"),
        pool.context_provider(),
        (out,),
        np.array([count], np.int64).tobytes(),
        b"",
        False,
    )
    assert out.tolist() == [0, count]


def test_several_threads_do_work():
    pool.set_num_threads(2)
    for _ in range(50):
        if len({worker for _, _, worker in pieces(64, 1, spin=2_000_000)}) == 2:
            break
    else:
        pytest.fail("the second thread never took part")
    assert pool.started_workers() >= 1


@pytest.mark.parametrize("dynamic", [False, True])
def test_a_worker_that_stops_keeps_one_range(dynamic):
    """What a worker that lost its processor has not begun, the caller does."""
    pool.set_num_threads(2)
    out = np.zeros(3, np.int64)
    for _ in range(5):
        launch("stall", (out,), 1000, dynamic)
        assert out[0] == 1000
        assert 0 < out[1] <= 1000 // 2 // PARTS + 1
        assert out[2] == 0, "nobody waited in vain"


@pytest.mark.deep  # measures time: of use on a machine that does nothing else
def test_a_busy_processor_does_not_hold_the_caller():
    """Other processes leave the worker a quarter of its processor.

    Its half of the work would then take twice as long as one thread takes for the
    whole; shared range by range, two threads take 0.8 of that, and one time slice.
    """
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two processors, and affinity")
    code = """
    import subprocess
    one, other = sorted(os.sched_getaffinity(0))[:2]
    pool.set_num_threads(2)
    before = set(os.listdir("/proc/self/task"))
    tests.pieces(1000, 1)
    (worker,) = set(os.listdir("/proc/self/task")) - before
    os.sched_setaffinity(0, {one}); os.sched_setaffinity(int(worker), {other})
    hog = f"import os; os.sched_setaffinity(0, {{{other}}})\\nwhile True: pass"
    hogs = [subprocess.Popen([sys.executable, "-c", hog]) for _ in range(3)]
    try:
        time.sleep(0.3)
        best = {1: 1e9, 2: 1e9}
        for _ in range(5):
            for threads in best:
                pool.set_num_threads(threads)
                began = time.perf_counter()
                tests.launch("spin", (), 1024, 200_000)
                best[threads] = min(best[threads], time.perf_counter() - began)
    finally:
        for each in hogs: each.kill(); each.wait()
    print(best[2] / best[1])
    """
    assert float(python(code)) < 1.5


def test_scratch_of_a_range_is_taken_back():
    pool.set_num_threads(2)
    blocks = np.zeros(2 * PARTS, np.int64)
    launch("reuse", (blocks,), len(blocks))
    launch("reuse", (blocks,), len(blocks))
    assert blocks.all()
    assert len(set(blocks.tolist())) <= 2, "one for each worker"


def test_nested_regions_stay_on_their_worker():
    pool.set_num_threads(4)
    hits, strays = np.zeros(32 * 100, np.int64), np.zeros(1, np.int64)
    for _ in range(50):
        hits[:] = 0
        launch("nested", (hits, strays), 32)
        assert (hits == 1).all()
        assert strays[0] == 0


@pytest.mark.parametrize("bytes_", [1, 100, 5000, 1 << 20])
def test_scratch_blocks_are_disjoint_and_aligned(bytes_):
    pool.set_num_threads(3)
    wrong = np.zeros(1, np.int64)
    for _ in range(20):
        launch("scratch", (wrong,), 12, bytes_)
        assert wrong[0] == 0


def addresses(worker: int, *sizes: int) -> list[int]:
    out = np.zeros(len(sizes) + 1, np.int64)
    launch("blocks", (out,), len(sizes), worker, *sizes)
    return out.tolist()


def test_scratch_is_kept_between_calls():
    pool.set_num_threads(1)
    addresses(0, 1000, 1000, 1000)
    first = addresses(0, 1000, 1000, 1000)
    assert first == addresses(0, 1000, 1000, 1000)
    assert first[1] - first[0] == first[2] - first[1] == 1024


def test_scratch_that_cannot_be():
    pool.set_num_threads(2)
    found = addresses(0, 1 << 62, -1, 0, 2**63 - 1, 64)
    assert found[0] == found[1] == found[3] == 0
    assert found[2] != 0
    assert found[4] != 0
    assert addresses(2, 64)[0] == 0, "a worker that does not exist"
    assert addresses(-1, 64)[0] == 0


def test_scratch_above_the_cap_is_given_back():
    pool.set_num_threads(1)
    size = 256 << 20
    for _ in range(3):
        assert all(addresses(0, size, size))
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        before = pages * os.sysconf("SC_PAGE_SIZE")
        for _ in range(10):
            addresses(0, size)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        assert pages * os.sysconf("SC_PAGE_SIZE") - before < size


def test_set_num_threads():
    pool.set_num_threads(3)
    assert pool.num_threads() == 3
    assert addresses(0)[-1] == 3
    pool.set_num_threads(1)
    assert addresses(0)[-1] == 1
    pool.set_num_threads(np.int32(2))
    assert pool.num_threads() == 2
    pool.set_num_threads(10**6)
    assert pool.num_threads() == pool.MAX_THREADS


@pytest.mark.parametrize("count", [0, -1, 1.5, "x", None, True])
def test_wrong_thread_counts(count):
    with pytest.raises(ArgumentError, match="integer of at least 1"):
        pool.set_num_threads(count)


def test_environment(monkeypatch):
    monkeypatch.setenv("OPSLIB_NUM_THREADS", "1")
    assert pool.available_threads() == 1
    monkeypatch.setenv("OPSLIB_NUM_THREADS", "1000")
    assert pool.available_threads() <= (os.cpu_count() or 1)
    for wrong in ("0", "two", "-3", "1.5"):
        monkeypatch.setenv("OPSLIB_NUM_THREADS", wrong)
        with pytest.raises(ArgumentError, match="OPSLIB_NUM_THREADS"):
            pool.available_threads()


def test_affinity():
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("no affinity here")
    one = min(os.sched_getaffinity(0))
    code = f"os.sched_setaffinity(0, {{{one}}}); print(pool.num_threads())"
    assert python(code).strip() == "1"


@pytest.mark.parametrize(
    ("text", "count"),
    [("max 100000", None), ("150000 100000", 2), ("50000 100000", 1), ("junk", None)],
)
def test_cgroup_version_two(tmp_path, monkeypatch, text, count):
    (tmp_path / "cpu.max").write_text(text)
    monkeypatch.setattr(pool, "_CGROUPS", tmp_path)
    assert pool._cgroup_quota() == count


@pytest.mark.parametrize(("quota", "count"), [("-1", None), ("250000", 3)])
def test_cgroup_version_one(tmp_path, monkeypatch, quota, count):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000")
    monkeypatch.setattr(pool, "_CGROUPS", tmp_path)
    assert pool._cgroup_quota() == count


def test_many_python_threads_at_once():
    pool.set_num_threads(3)
    wrong: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            for step in range(60):
                pieces(100 + seed * 37 + step, 1 + step % 5, dynamic=step % 2 == 1)
                bad = np.zeros(1, np.int64)
                launch("scratch", (bad,), 4, 3000)
                assert bad[0] == 0
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "hangs"
    assert wrong == []


def in_child(work) -> int:
    """Fork, run, and return the child's exit status; 99 if it hangs."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            signal.alarm(30)
            work()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    return 99 if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_fork_after_threads_have_started():
    pool.set_num_threads(3)
    pieces(1000, 1)
    assert pool.started_workers() >= 2

    def child():
        assert pool.started_workers() == 0
        assert pool.num_threads() == 3
        for _ in range(20):
            pieces(1000, 1)
        assert pool.started_workers() == 2

        def grandchild():
            pieces(1000, 1)

        assert in_child(grandchild) == 0

    for _ in range(5):
        assert in_child(child) == 0
        pieces(1000, 1)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_fork_while_other_threads_are_inside_regions():
    pool.set_num_threads(2)
    stop = threading.Event()

    def busy():
        while not stop.is_set():
            launch("spin", (), 8, 200_000)

    threads = [threading.Thread(target=busy) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            assert in_child(lambda: pieces(1000, 1)) == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_multiprocessing_fork_pool():
    code = """
    import multiprocessing, warnings
    warnings.simplefilter("ignore")
    pool.set_num_threads(2)
    tests.pieces(100, 1)
    with multiprocessing.get_context("fork").Pool(3) as workers:
        found = workers.starmap(tests.pieces, [(50, 1)] * 20)
    assert all(len(each) == 2 * tests.PARTS for each in found)
    """
    python(code)


def test_idle_workers_cost_nothing():
    code = """
    pool.set_num_threads(4)
    for _ in range(100): tests.pieces(1000, 1)
    time.sleep(0.05)
    before = time.process_time(); time.sleep(1.0)
    print(time.process_time() - before)
    """
    assert float(python(code)) < 0.05


def test_interpreter_exit_does_not_hang():
    code = """
    pool.set_num_threads(4)
    tests.pieces(1000, 1)
    def forever():
        while True: tests.launch("spin", (), 8, 100_000)
    for _ in range(2): threading.Thread(target=forever, daemon=True).start()
    time.sleep(0.2)
    """
    for _ in range(3):
        python(code, timeout=20)


def test_exit_right_after_start():
    python("pool.set_num_threads(8); tests.pieces(8, 1)", timeout=20)


def test_importing_starts_nothing():
    code = f"""
    import sys; sys.path.insert(0, {ROOT!r})
    import subprocess, os
    subprocess.Popen = os.mkdir = None
    from opslib.runtime import cache, launcher, pool, toolchain
    import threading; assert threading.active_count() == 1
    assert len(os.listdir("/proc/self/task")) <= int(sys.argv[1])
    """
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), "1"],
        check=True,
        # NumPy's BLAS starts threads of its own.
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )


def test_threads_that_cannot_be_started():
    # Address space for the program but for hardly any thread stack: the caller runs
    # what the missing workers would have.
    code = """
    import resource
    tests.library(); tests.launcher.launcher_kind(); pool.set_num_threads(1)
    tests.pieces(10, 1)
    now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + (12 << 20), resource.RLIM_INFINITY))
    pool.set_num_threads(64)
    for _ in range(20): assert len(tests.pieces(1000, 1)) == 64 * 15
    assert pool.started_workers() < 63
    """
    if sys.platform != "linux":
        pytest.skip("RLIMIT_AS is Linux's")
    python(code)


def test_latency_of_an_empty_region():
    """A generous bound; the measured value is 0.1 to 0.2 us on two idle cores."""
    pool.set_num_threads(2)
    kernel, provider = library().symbol("spin"), pool.context_provider()
    run, none = launcher.implementation().launch, np.zeros(2, np.int64).tobytes()
    best = 1e9
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(100):
            assert run(kernel, provider, (), none, b"", False) == 0
        best = min(best, (time.perf_counter() - began) / 100)
    assert best < 100e-6


def test_setting_a_number_compiles_nothing(tmp_path):
    code = """
    pool.set_num_threads(3); assert pool.num_threads() == 3
    assert pool.started_workers() == 0
    assert not pool._loaded()
    tests.pieces(9, 1)
    assert pool.num_threads() == 3 and pool.started_workers() == 2
    """
    python(code)


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs Linux and two processors",
)
def test_a_sleeping_worker_is_not_woken_on_the_callers_processor():
    """Both on one processor, a region took as long as with one thread."""
    program = """if True:
        import os, time
        import numpy as np
        import opslib
        opslib.set_num_threads(2)
        x = np.ones(1 << 22, np.float32)
        everything = os.sched_getaffinity(0)
        opslib.exp(x, backend="cpu")
        time.sleep(0.05)
        opslib.exp(x, backend="cpu")
        masks = [os.sched_getaffinity(int(t)) for t in os.listdir("/proc/self/task")]
        assert any(len(everything - m) == 1 for m in masks), masks
        assert os.sched_getaffinity(0) == everything, "the caller's own is left alone"
    """
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
