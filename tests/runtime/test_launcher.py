"""The launcher: what hits, what misses, and that both implementations agree."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import threading
import timeit
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import ml_dtypes
import numpy as np
import pytest

import opslib.errors
from opslib.runtime import cache, launcher, pool
from opslib.runtime.toolchain import find_toolchain

ROOT = str(Path(opslib.errors.__file__).parents[1])
FLOAT = np.dtype(np.float32)

KERNELS = r"""
#include "opslib_abi.h"
#include <string.h>

/* ints: count, stride of a in elements */
int32_t add(ops_context *c, void *const *b, const int64_t *n, const double *r) {
    (void)c;
    const float *x = b[0], *y = b[1];
    float *out = b[2];
    for (int64_t i = 0; i < n[0]; i++)
        out[i] = x[i * n[1]] + (y ? y[i] : 0) + (float)r[0];
    return OPS_OK;
}
/* ints: bytes */
int32_t copy(ops_context *c, void *const *b, const int64_t *n, const double *r) {
    (void)c; (void)r;
    memcpy(b[1], b[0], (size_t)n[0]);
    return OPS_OK;
}
int32_t twice(ops_context *c, void *const *b, const int64_t *n, const double *r) {
    (void)c; (void)r;
    memcpy(b[1], b[0], (size_t)n[0]);
    memcpy(b[2], b[0], (size_t)n[0]);
    return OPS_OK;
}
/* out-of-bounds report if x[0] < 0 */
int32_t checked(ops_context *c, void *const *b, const int64_t *n, const double *r) {
    (void)r;
    if (*(const float *)b[0] < 0) {
        c->error[0] = OPS_INDEX; c->error[1] = 1; c->error[2] = -7; c->error[3] = n[0];
        return OPS_INDEX;
    }
    *(float *)b[1] = 1;
    return OPS_OK;
}
int32_t code(ops_context *c, void *const *b, const int64_t *n, const double *r) {
    (void)c; (void)b; (void)r;
    return (int32_t)n[0];
}
/* waits until another thread sets b[0] to 1; gives up after ints[0] rounds */
int32_t wait(ops_context *c, void *const *b, const int64_t *n, const double *r) {
    (void)c; (void)r;
    volatile int32_t *flag = b[0];
    for (int64_t i = 0; i < n[0]; i++)
        if (*flag) return OPS_OK;
    return OPS_REQUIREMENT;
}
int32_t nothing(ops_context *c, void *const *b, const int64_t *n, const double *r) {
    (void)c; (void)b; (void)n; (void)r;
    return OPS_OK;
}
/* scratch, then a sum, on all workers */
static void part(void *state, int64_t begin, int64_t end, int32_t worker) {
    void **s = state;
    ops_context *c = s[0];
    const float *x = s[1];
    float *out = s[2];
    float *scratch = c->workspace(c, worker, (end - begin) * 4);
    if (!scratch) return;
    memcpy(scratch, x + begin, (size_t)(end - begin) * 4);
    for (int64_t i = begin; i < end; i++) out[i] = 2 * scratch[i - begin];
}
int32_t twofold(ops_context *c, void *const *b, const int64_t *n, const double *r) {
    (void)r;
    void *state[] = {c, b[0], b[1]};
    c->parallel(c, part, state, n[0], 64);
    return OPS_OK;
}
"""


def address(name: str) -> int:
    library = cache.default_cache().load(
        KERNELS, "launcher_test", find_toolchain(), ("-O1", "-std=c11")
    )
    return library.symbol(name)


def ints(*values: int) -> bytes:
    return np.array(values, np.int64).tobytes()


def reals(*values: float) -> bytes:
    return np.array(values, np.float64).tobytes()


def extension():
    found = launcher._implementation("")
    if found.kind != "extension":
        pytest.skip(f"no extension: {found.reason}")
    return found


def read_fields(wanted: bool) -> bool:
    configure = extension().launch.__self__.configure
    return configure(np.ndarray, np.zeros((3, 5), np.int16)[1:, ::2], wanted)


@pytest.fixture(params=["fields", "buffers", "cffi"])
def made(request, monkeypatch) -> Iterator[launcher.Implementation]:
    """Each implementation; the extension also through the buffer protocol."""
    if request.param == "cffi":
        monkeypatch.setenv("OPSLIB_LAUNCHER", "cffi")
        assert launcher.launcher_kind() == "cffi"
        yield launcher.implementation()
        return
    monkeypatch.setenv("OPSLIB_LAUNCHER", "")
    assert read_fields(request.param == "fields") == (request.param == "fields")
    yield extension()
    read_fields(True)


class Missed(NamedTuple):
    arguments: tuple
    named: dict


def miss(*arguments, **named):
    return Missed(arguments, named)


def plan(name, arrays, outputs, n=(), r=(), release_gil=False, **more):
    """A FastCall with one record that fits the arrays."""
    call = launcher.fast_call(miss)
    call.insert(record(name, arrays, outputs, n, r, release_gil, **more))
    return call


def record(name, arrays, outputs, n=(), r=(), release_gil=False, pack=None):
    return launcher.record(
        address(name),
        pool.context_provider(),
        [None if array is None else launcher.guard(array) for array in arrays],
        ints(*n),
        reals(*r),
        outputs,
        release_gil,
        pack,
    )


def floats(*shape: int) -> np.ndarray:
    return np.arange(1, 1 + np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)


def add_plan(a, b, release_gil=False):
    arrays = (a, b)
    stride = a.strides[0] // 4
    n = (a.shape[0], stride)
    return plan("add", arrays, [(a.shape, FLOAT)], n, (0.5,), release_gil)


@pytest.mark.parametrize("release_gil", [False, True])
def test_hit(made, release_gil):
    a, b = floats(16), floats(16)
    call = add_plan(a, b, release_gil)
    for _ in range(3):
        result = call(a, b)
        assert type(result) is np.ndarray
        np.testing.assert_array_equal(result, a + b + np.float32(0.5))
    other = np.full(16, 3, np.float32)
    np.testing.assert_array_equal(call(other, b), other + b + np.float32(0.5))
    assert call(a, b) is not call(a, b)


def test_strided_and_read_only_inputs_hit(made):
    a, b = floats(32)[::2], floats(16)
    a.flags.writeable = b.flags.writeable = False
    result = add_plan(a, b)(a, b)
    np.testing.assert_array_equal(result, a + b + np.float32(0.5))


def test_negative_strides_hit(made):
    a, b = floats(16)[::-1], floats(16)
    np.testing.assert_array_equal(add_plan(a, b)(a, b), a + b + np.float32(0.5))


def test_optional_array(made):
    a = floats(16)
    # The kernel has no buffer for the absent array: the output is its second.
    call = plan("copy", (a, None), [((16,), FLOAT)], (a.nbytes,), ())
    np.testing.assert_array_equal(call(a, None), a)
    assert isinstance(call(a, a), Missed)
    assert isinstance(add_plan(a, a)(a, None), Missed)


class Subclass(np.ndarray):
    pass


def test_what_misses(made):
    a, b = floats(16), floats(16)
    call = add_plan(a, b)
    unaligned = np.zeros(65, np.uint8)[1:].view(np.float32)
    others = [
        (a.astype(np.float64), b),
        (a.astype(">f4"), b),
        (a.view(np.int32), b),
        (floats(15), b),
        (floats(32)[::2], b),
        (floats(4, 4), b),
        (floats(1, 16), b),
        (a.view(Subclass), b),
        (a.tolist(), b),
        (1.0, b),
        (unaligned, b),
        (a,),
        (),
        (a, b, b),
        (a, b) * 20,
        (a, "text"),
        (object(), b),
    ]
    for arguments in others:
        result = call(*arguments)
        assert isinstance(result, Missed), arguments
        assert all(
            one is other for one, other in zip(result.arguments, arguments, strict=True)
        )
    assert call(a, b, out=a).named == {"out": a}
    assert call(a=a, b=b).arguments == ()
    assert isinstance(call(a, b), np.ndarray)


def test_without_records_everything_misses(made):
    call = launcher.fast_call(miss)
    assert call(1, 2, k=3) == Missed((1, 2), {"k": 3})


def test_the_stride_of_an_axis_of_one_does_not_matter(made):
    a = floats(1, 4)
    odd = np.lib.stride_tricks.as_strided(a, (1, 4), (999 * 4, 4))
    call = plan("copy", (a,), [((1, 4), FLOAT)], (16,))
    np.testing.assert_array_equal(call(odd), a)


@pytest.mark.parametrize(
    "dtype",
    [
        np.bool_,
        np.int8,
        np.uint64,
        np.float16,
        np.float64,
        np.complex128,
        np.dtype(">i4"),
        np.dtype("M8[s]"),
        ml_dtypes.bfloat16,
        ml_dtypes.float8_e4m3fn,
    ],
)
def test_every_dtype_hits(made, dtype):
    a = np.arange(6).astype(np.int64).astype(dtype).reshape(2, 3)
    call = plan("copy", (a,), [((2, 3), a.dtype)], (a.nbytes,))
    result = call(a)
    assert result.dtype == a.dtype
    assert result.tobytes() == a.tobytes()


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (2,) * 20])
def test_odd_shapes(made, shape):
    a = np.ones(shape, np.float32)
    call = plan("copy", (a,), [(shape, FLOAT)], (a.nbytes,))
    result = call(a)
    assert result.shape == shape
    np.testing.assert_array_equal(result, a)


def test_several_outputs_and_pack(made):
    a = floats(4)
    outputs = [((4,), FLOAT), ((2, 2), FLOAT)]
    result = plan("twice", (a,), outputs, (16,))(a)
    assert type(result) is tuple
    np.testing.assert_array_equal(result[1], a.reshape(2, 2))

    class Pair(NamedTuple):
        first: np.ndarray
        second: np.ndarray

    pair = plan("twice", (a,), outputs, (16,), pack=Pair._make)(a)
    assert type(pair) is Pair
    np.testing.assert_array_equal(pair.first, a)
    assert plan("copy", (a,), outputs[:1], (16,), pack=lambda y: y.sum())(a) == 10

    def broken(result):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        plan("copy", (a,), outputs[:1], (16,), pack=broken)(a)


def test_alignment(made):
    raw = np.zeros(64 + 128, np.uint8)
    start = -raw.ctypes.data % 64
    aligned = raw[start : start + 64].view(np.float32)
    shifted = raw[start + 4 : start + 68].view(np.float32)
    call = launcher.fast_call(miss)
    call.insert(
        launcher.record(
            address("copy"),
            pool.context_provider(),
            [launcher.guard(aligned, alignment=64)],
            ints(64),
            b"",
            [((16,), FLOAT)],
            False,
        )
    )
    assert isinstance(call(aligned), np.ndarray)
    assert isinstance(call(shifted), Missed)


@pytest.mark.parametrize("release_gil", [False, True])
def test_a_failing_kernel_goes_the_slow_way(made, release_gil):
    good, bad = np.ones(1, np.float32), -np.ones(1, np.float32)
    call = plan("checked", (good,), [((1,), FLOAT)], (10,), (), release_gil)
    assert call(good)[0] == 1
    assert call(bad) == Missed((bad,), {})
    assert launcher.last_error(pool.context_provider()) == (1, 1, -7, 10)
    assert call(good)[0] == 1
    assert launcher.last_error(pool.context_provider()) == (0, 0, 0, 0)


def test_errors_of_miss_and_empty_come_through(made):
    a = floats(4)

    def raising(*_):
        raise LookupError("slow path")

    with pytest.raises(LookupError, match="slow path"):
        launcher.fast_call(raising)(a)

    def full(shape, dtype):
        raise MemoryError("no room")

    call = launcher.fast_call(miss, full)
    call.insert(record("copy", (a,), [((4,), FLOAT)], (16,)))
    with pytest.raises(MemoryError, match="no room"):
        call(a)
    call = launcher.fast_call(miss, lambda shape, dtype: [1, 2])
    call.insert(record("copy", (a,), [((4,), FLOAT)], (16,)))
    with pytest.raises(TypeError, match=r"no numpy\.ndarray"):
        call(a)


def test_the_least_recently_used_record_is_dropped(made):
    arrays = [floats(size) for size in range(1, 11)]
    call = launcher.fast_call(miss)
    for array in arrays[:8]:
        call.insert(record("copy", (array,), [(array.shape, FLOAT)], (array.nbytes,)))
    for array in arrays[:8]:
        np.testing.assert_array_equal(call(array), array)
    call(arrays[0])
    for array in arrays[8:]:
        call.insert(record("copy", (array,), [(array.shape, FLOAT)], (array.nbytes,)))
    hits = [not isinstance(call(array), Missed) for array in arrays]
    assert hits == [True, False, False, True, True, True, True, True, True, True]
    call.clear()
    assert all(isinstance(call(array), Missed) for array in arrays)


def test_changing_the_list_during_a_call(made):
    a = floats(4)

    def empty(shape, dtype):
        call.clear()
        gc.collect()
        call.insert(record("copy", (floats(5),), [((5,), FLOAT)], (20,)))
        return np.empty(shape, dtype)

    call = launcher.fast_call(miss, empty)
    call.insert(record("copy", (a,), [((4,), FLOAT)], (16,)))
    np.testing.assert_array_equal(call(a), a)
    assert isinstance(call(a), Missed)


def test_calling_itself(made):
    a = floats(4)
    call = launcher.fast_call(lambda array: call(array.astype(np.float32)))
    call.insert(record("copy", (a,), [((4,), FLOAT)], (16,)))
    np.testing.assert_array_equal(call(a.astype(np.float64)), a)


def test_no_reference_is_lost_or_kept(made):
    a, b = floats(16), floats(16)
    shape = (16,)
    call = launcher.fast_call(miss)
    call.insert(record("add", (a, b), [(shape, FLOAT)], (16, 1), (0.0,)))
    bad = -np.ones(16, np.float32)
    failing = plan("checked", (bad,), [(shape, FLOAT)], (10,))

    def counts():
        return [sys.getrefcount(x) for x in (a, b, shape, FLOAT, None, miss, call, bad)]

    def everything():
        for _ in range(1000):
            call(a, b)
            call(a, a.tolist())
            call(a, None)
            failing(bad)
            launcher.launch(address("nothing"), provider, (a, b), b"", b"", True)

    provider = pool.context_provider()
    everything()
    before = counts()
    everything()
    after = counts()
    assert all(abs(one - other) < 50 for one, other in zip(before, after, strict=True))
    sizes = sys.getallocatedblocks()
    everything()
    assert sys.getallocatedblocks() - sizes < 200


def test_cycles_are_collected(made):
    class Owner:
        pass

    def cycle():
        owner = Owner()
        owner.call = launcher.fast_call(lambda *_: owner)
        owner.call.insert(record("copy", (floats(4),), [((4,), FLOAT)], (16,)))
        return weakref.ref(owner)

    gone = cycle()
    gc.collect()
    assert gone() is None


def test_records_may_be_shared(made):
    a = floats(4)
    one = record("copy", (a,), [((4,), FLOAT)], (16,))
    for _ in range(3):
        call = launcher.fast_call(miss)
        call.insert(one)
        np.testing.assert_array_equal(call(a), a)


@pytest.mark.parametrize("bad", [None, 1, "x", object()])
def test_insert_takes_records_only(made, bad):
    with pytest.raises(TypeError, match=r"insert\(\) takes a Record"):
        launcher.fast_call(miss).insert(bad)


def test_malformed_records(made):
    provider, kernel = pool.context_provider(), address("nothing")
    fine = [(np.dtype("f4"), (4,), (4,), 4)]
    out = [((4,), FLOAT)]
    with pytest.raises(ValueError, match="is 0"):
        launcher.record(0, provider, fine, b"", b"", out, False)
    with pytest.raises(ValueError, match="is 0"):
        launcher.record(kernel, 0, fine, b"", b"", out, False)
    with pytest.raises(ValueError, match="multiple of 8"):
        launcher.record(kernel, provider, fine, b"123", b"", out, False)
    with pytest.raises(ValueError, match="multiple of 8"):
        launcher.record(kernel, provider, fine, b"", b"123", out, False)
    with pytest.raises(ValueError, match="1 output or more"):
        launcher.record(kernel, provider, fine, b"", b"", [], False)
    with pytest.raises(ValueError, match=r"at most 32|more than 32"):
        launcher.record(kernel, provider, fine * 33, b"", b"", out, False)
    with pytest.raises(ValueError, match="at most 32"):
        launcher.record(kernel, provider, fine * 20, b"", b"", out * 20, False)


def test_malformed_guards_of_the_extension():
    provider, kernel, make = pool.context_provider(), address("nothing"), extension()
    out = ((((4,), FLOAT)),)
    for wrong in (
        ((FLOAT, (4,), (4, 4), 4),),
        ((FLOAT, (4,), (4,), 3),),
        ((FLOAT, (4,), (4,), 0),),
        ((FLOAT, ("4",), (4,), 4),),
        ((FLOAT, 4, 4, 4),),
        ((FLOAT, (4,)),),
        (5,),
        5,
    ):
        with pytest.raises((ValueError, TypeError, SystemError)):
            make.record(kernel, provider, wrong, b"", b"", out, False)
    for wrong in (((4,),), (5,), 5, ((1, 2, 3),)):
        with pytest.raises((ValueError, TypeError, SystemError)):
            make.record(kernel, provider, (), b"", b"", wrong, False)


# ---- launch -------------------------------------------------------------------------


def test_launch(made):
    a, b, out = floats(16), floats(16), np.zeros(16, np.float32)
    arguments = (address("add"), pool.context_provider())
    tail = (ints(16, 1), reals(0.25), True)
    for pointers in (
        (a, b, out),
        [a, b, out],
        (a.ctypes.data, b.ctypes.data, out.ctypes.data),
        (a.tobytes(), memoryview(b), out),
        (np.int64(a.ctypes.data).item(), b, out.ctypes.data),
    ):
        out[:] = 0
        assert launcher.launch(*arguments, pointers, *tail) == 0
        np.testing.assert_array_equal(out, a + b + np.float32(0.25))
    assert launcher.launch(*arguments, (a, None, out), *tail) == 0
    np.testing.assert_array_equal(out, a + np.float32(0.25))
    brain = np.ones(4, ml_dtypes.bfloat16)
    target = np.zeros(4, ml_dtypes.bfloat16)
    assert (
        launcher.launch(
            address("copy"),
            pool.context_provider(),
            (brain, target),
            ints(8),
            b"",
            False,
        )
        == 0
    )
    assert target.tobytes() == brain.tobytes()


@pytest.mark.parametrize("code", [0, 1, 2, 3, -1, 77])
def test_codes_reach_python(made, code):
    provider = pool.context_provider()
    assert launcher.launch(address("code"), provider, (), ints(code), b"", True) == code


def test_last_error_is_per_thread(made):
    provider = pool.context_provider()
    bad, out = -np.ones(1, np.float32), np.zeros(1, np.float32)
    assert (
        launcher.launch(address("checked"), provider, (bad, out), ints(9), b"", True)
        == 1
    )
    seen = []
    thread = threading.Thread(target=lambda: seen.append(launcher.last_error(provider)))
    thread.start()
    thread.join()
    assert seen == [(0, 0, 0, 0)]
    assert launcher.last_error(provider) == (1, 1, -7, 9)


def test_bad_launches(made):
    provider, kernel = pool.context_provider(), address("nothing")
    with pytest.raises(ValueError, match="is 0"):
        launcher.launch(0, provider, (), b"", b"", False)
    with pytest.raises(ValueError, match="multiple of 8"):
        launcher.launch(kernel, provider, (), b"1", b"", False)
    with pytest.raises(TypeError):
        launcher.launch(kernel, provider, (object(),), b"", b"", False)
    with pytest.raises(TypeError):
        launcher.launch("x", provider, (), b"", b"", False)
    with pytest.raises(TypeError):
        launcher.launch(kernel, provider, 5, b"", b"", False)


def test_release_gil_lets_others_run(made):
    flag = np.zeros(1, np.int32)
    timer = threading.Timer(0.05, lambda: flag.__setitem__(0, 1))
    timer.start()
    code = launcher.launch(
        address("wait"), pool.context_provider(), (flag,), ints(10**11), b"", True
    )
    timer.join()
    assert code == 0


def test_many_threads_share_a_fast_call(made):
    pool.set_num_threads(2)
    arrays = [floats(size) for size in (64, 1000, 5000)]
    calls = launcher.fast_call(miss)
    for array in arrays:
        calls.insert(
            record("twofold", (array,), [(array.shape, FLOAT)], (array.size,), (), True)
        )
    wrong = []

    def work(seed):
        for step in range(200):
            array = arrays[(seed + step) % 3]
            result = calls(array)
            if isinstance(result, Missed):
                # Only the cffi version may lose a record to a simultaneous reordering.
                if launcher.implementation().kind == "extension":
                    wrong.append("missed")
            elif not np.array_equal(result, 2 * array):
                wrong.append(step)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    assert wrong == []


# ---- which implementation -----------------------------------------------------------


def run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": ROOT, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


WHICH = """
    from opslib.runtime import launcher
    print(launcher.launcher_kind(), launcher.implementation().reason)
"""


def test_kind():
    expected = launcher._implementation("").kind
    assert run(WHICH, OPSLIB_LAUNCHER="").split()[0] == expected
    assert run(WHICH, OPSLIB_LAUNCHER="cffi").startswith("cffi OPSLIB_LAUNCHER=cffi")


def test_without_a_compiler_it_is_cffi(tmp_path):
    output = run(
        "import sys; sys.modules['ziglang'] = None" + textwrap.dedent(WHICH),
        PATH=str(tmp_path),
        OPSLIB_CC="",
        CC="",
        OPSLIB_CACHE_DIR=str(tmp_path / "cache"),
    )
    assert output.startswith("cffi [E1001] no c compiler")


@pytest.mark.slow
def test_zig_builds_the_extension(tmp_path):
    ziglang = pytest.importorskip("ziglang")
    zig = Path(ziglang.__file__).with_name("zig")
    output = run(
        WHICH + "    from opslib.runtime import pool\n    print(pool.num_threads())",
        OPSLIB_CC=f"{zig} cc",
        OPSLIB_CACHE_DIR=str(tmp_path),
        OPSLIB_LAUNCHER="",
    )
    assert output.startswith("extension")


def test_speed_of_the_extension():
    """A generous bound; measured: 0.15 us."""
    read_fields(True)
    a, b = floats(16), floats(16)
    call = add_plan(a, b)
    assert isinstance(call(a, b), np.ndarray)
    best = min(timeit.repeat(lambda: call(a, b), number=2000, repeat=10)) / 2000
    assert best < 3e-6
