"""The threads that kernels may use: how many, and the compiled pool that runs them.

``native/pool.c`` is compiled once into the kernel cache. Importing this module starts
nothing, nor does asking for a number; workers start with the first region that has work
for them.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import cffi

from opslib.errors import ArgumentError, BackendUnavailable
from opslib.runtime import cache as _cache
from opslib.runtime import toolchain as _toolchain

# As MAX_THREADS of native/pool.c.
MAX_THREADS = 512
_CGROUPS = Path("/sys/fs/cgroup")
_wanted_threads: int | None = None
_FLAGS = ("-std=c11", "-O2", "-fvisibility=hidden", "-pthread")


@dataclass(frozen=True, slots=True)
class _Pool:
    """Addresses in, and functions of, the loaded library."""

    context_provider: int
    set_threads: Callable[[int], None]
    threads: Callable[[], int]
    workers: Callable[[], int]
    context: Callable[[], Any]
    ffi: Any


def available_threads() -> int:
    """Return how many threads this process may run at once.

    That is the processors in its affinity mask, or its cgroup's quota rounded up, or
    ``OPSLIB_NUM_THREADS``, whichever is least; at least 1.

    Raises:
        ArgumentError: ``OPSLIB_NUM_THREADS`` is not a positive integer.
    """
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    quota = _cgroup_quota()
    if quota is not None:
        count = min(count, quota)
    text = os.environ.get("OPSLIB_NUM_THREADS", "").strip()
    if text:
        count = min(count, _checked_count(text, "OPSLIB_NUM_THREADS"))
    return max(1, min(count, MAX_THREADS))


def num_threads() -> int:
    """Return how many threads a kernel uses at most, the calling one included."""
    if _loaded():
        return _pool().threads()
    return _wanted_threads or available_threads()


def set_num_threads(count: int) -> None:
    """Set how many threads a kernel uses at most, the calling one included.

    It holds for all threads of the process from their next kernel on, and in children
    forked later. More than the machine has is allowed, and slow.

    Raises:
        ArgumentError: ``count`` is not an integer of at least 1.
    """
    global _wanted_threads
    _wanted_threads = min(_checked_count(count, "set_num_threads"), MAX_THREADS)
    if _loaded():  # else it is applied on loading: setting a number compiles nothing
        _pool().set_threads(_wanted_threads)


def context_provider() -> int:
    """Return the address of an ``ops_context_provider`` backed by the thread pool.

    It is what `launcher.launch` and `launcher.Record` take as ``context``. A context
    belongs to one thread, so they get the function that returns the caller's own.

    Raises:
        BackendUnavailable: there is no compiler, or no folder for the library.
        CompileError: the compiler failed.
    """
    return _pool().context_provider


def started_workers() -> int:
    """Return how many worker threads this process has started; 0 before first use."""
    return _pool().workers() if _loaded() else 0


def _checked_count(value: object, origin: str) -> int:
    try:
        count = int(value) if isinstance(value, str) else _index(value)
    except (TypeError, ValueError):
        count = 0
    if count < 1:
        raise ArgumentError(
            f"{origin} got {value!r}, which is not an integer of at least 1",
            code="E1011",
            help="give the number of threads; 1 means no worker threads",
        )
    return count


def _index(value: object) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError
    return int(cast(int, value))


def _cgroup_quota() -> int | None:
    """Return the processors that the container's quota is worth, rounded up."""
    pairs = [_words(path) for path in _limit_files(_CGROUPS)]
    old = _CGROUPS / "cpu"
    pairs.append(_words(old / "cpu.cfs_quota_us") + _words(old / "cpu.cfs_period_us"))
    found = []
    for pair in pairs:
        try:
            quota, period = map(int, pair)  # fails for "max": no quota at that level
        except ValueError:
            continue
        if quota > 0 and period > 0:
            found.append(-(-quota // period))
    return min(found, default=None)


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _limit_files(folder: Path) -> list[Path]:
    # Inside a container its own group is mounted as the root; outside, a service's
    # group is further down, named in /proc/self/cgroup, and each level may limit it.
    groups = {folder}
    for word in _words(Path("/proc/self/cgroup")):
        if word.startswith("0::/"):
            own = folder / word[4:]
            groups.update(
                each for each in (own, *own.parents) if folder in each.parents
            )
    return [group / "cpu.max" for group in groups]


def _loaded() -> bool:
    return _pool.cache_info().currsize > 0


@functools.cache
def _pool() -> _Pool:
    source = (_toolchain.native_folder() / "pool.c").read_text(encoding="utf-8")
    library = _cache.default_cache().load(
        source, "pool", _toolchain.find_toolchain(), _FLAGS
    )
    ffi = cffi.FFI()

    def function(kind: str, name: str) -> Any:
        return ffi.cast(kind, library.symbol(name))

    found = function("int32_t(*)(void)", "ops_pool_abi")()
    if found != _cache.ABI_VERSION:
        raise BackendUnavailable(
            f"the thread pool {library.path} has ABI {found}, and opslib wants "
            f"{_cache.ABI_VERSION}",
            code="E1012",
            help="reinstall opslib: its native folder is from another version",
        )
    pool = _Pool(
        context_provider=library.symbol("ops_pool_context"),
        set_threads=function("void(*)(int32_t)", "ops_pool_set_threads"),
        threads=function("int32_t(*)(void)", "ops_pool_threads"),
        workers=function("int32_t(*)(void)", "ops_pool_workers"),
        context=function("void *(*)(void)", "ops_pool_context"),
        ffi=ffi,
    )
    pool.set_threads(_wanted_threads or available_threads())
    return pool
