"""The kernel cache: compiled libraries on disk, named by a digest of their origin.

An entry is a folder named by the sha256 of everything that could change the machine
code: the whole source text, the bytes of every native header it includes, the
compiler's real path and version, the flags, the processor's features, the ABI version.
It holds the readable source, the library, and ``entry.json``, which states the
library's own sha256.

What it promises, and how:

* Half an entry is never seen: it is made in ``tmp/`` and renamed. No handler at exit
  has anything to repair, and a killed process leaves only an old folder in ``tmp/``.
* What is loaded is what was checked: the library is opened once, hashed through that
  descriptor, and loaded through it (``/proc/self/fd``). A wrong digest is a miss.
* Many processes: one compiles, the others wait on a ``flock``, which the kernel drops
  when its holder dies. The lock only saves work; without it all compile and the renames
  still leave one whole entry.
* Nobody else's code: a folder or library owned by another user, or writable by others,
  is refused. A cache of pickles would run code on reading; this one holds JSON.

`cache_digest` names an entry, `cache_build` makes it, `cache_load` loads it, and
`cache_files` is what they share of the disk.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import platformdirs

from opslib.errors import (
    ArgumentError,
    BackendUnavailable,
    CompileError,
    OpslibWarning,
)
from opslib.runtime import cache_files as _files
from opslib.runtime import toolchain as _toolchain
from opslib.runtime.cache_build import Request, build_once
from opslib.runtime.cache_digest import ABI_VERSION, cache_key
from opslib.runtime.cache_files import CacheEntry
from opslib.runtime.cache_load import Loaded, LoadedLibrary, look_up, open_library
from opslib.runtime.toolchain import Toolchain

__all__ = [
    "ABI_VERSION",
    "CacheEntry",
    "KernelCache",
    "LoadedLibrary",
    "cache_key",
    "default_cache",
]


class KernelCache:
    """Compiled kernels under one folder, plus those loaded by this process.

    The folder is created on first use with mode 0700. If it cannot be used (read-only,
    noexec, full, owned by another user, writable by others) kernels go to a private
    folder under the system's temporary folder, and one `OpslibWarning` says so. Entries
    that a read-only folder of ours already holds are still used.

    Args:
        root: the folder; None, with ``reason``, means that there is none to try.
        reason: why there is no folder.
    """

    def __init__(
        self, root: str | os.PathLike[str] | None, *, reason: str = ""
    ) -> None:
        self.root: Path | None = None if root is None else Path(root).absolute()
        self._reason = reason
        # Why nothing more is written to the folder; set by the first failed attempt, so
        # that a full disk costs one futile compile and not one per kernel.
        self._unwritable = ""
        self._fallback: KernelCache | None = None
        self._is_fallback = False
        self._loaded: dict[str, LoadedLibrary] = {}

    def __repr__(self) -> str:
        return f"KernelCache({str(self.active_root)!r})"

    @property
    def active_root(self) -> Path | None:
        """The folder written to: the given one, or the temporary one instead of it."""
        return self.root if self._fallback is None else self._fallback.root

    def load(
        self,
        source: str,
        name_hint: str,
        toolchain: Toolchain,
        flags: Sequence[str] = (),
        *,
        timeout_s: float | None = None,
    ) -> LoadedLibrary:
        """Return the library made from a source text, compiling it at most once.

        Args:
            source: complete C or C++ text; ``#include "x.h"`` finds opslib's native
                headers, whose bytes are part of the key.
            name_hint: what to call the files, such as ``"matmul_float32"``.
            toolchain: the compiler; see `find_toolchain`.
            flags: such as ``("-O3", "-march=x86-64-v3")``; ``-shared``, ``-fPIC`` and
                ``-I`` of the native headers are added.
            timeout_s: limit for the compiler; by default ``OPSLIB_COMPILE_TIMEOUT``, or
                120 s.

        Raises:
            CompileError: the compiler failed; the source is kept, and named in the
                message.
            BackendUnavailable: no folder on this machine can hold a library.
            KernelError: the library was made but cannot be loaded (a library that it
                needs is missing).
        """
        key = cache_key(source, toolchain, flags)
        loaded = self._loaded.get(key)
        if loaded is not None:
            return loaded
        library, _ = self.load_with(
            open_library, source, name_hint, toolchain, flags, timeout_s=timeout_s
        )
        # Whoever compiled it, a later call is a hit. Two threads may load one entry
        # at once: the system maps it once, so either object will do.
        self._loaded[key] = replace(library, was_cached=True)
        return library

    def load_with(
        self,
        use: Callable[[str], Loaded],
        source: str,
        name_hint: str,
        toolchain: Toolchain,
        flags: Sequence[str] = (),
        *,
        timeout_s: float | None = None,
    ) -> tuple[LoadedLibrary, Loaded]:
        """Load as `load` does, but with another loader than ``dlopen``.

        ``use`` is given a path that is valid during the call only and that names
        exactly the checked bytes; it raises OSError or ImportError if they cannot be
        loaded. If it returns an int, that is taken as the library's handle.

        Returns:
            The library, and what ``use`` returned.
        """
        request = Request(
            cache_key(source, toolchain, flags),
            source,
            re.sub(r"[^A-Za-z0-9_]+", "_", name_hint)[:60] or "kernel",
            toolchain,
            tuple(flags),
            _time_limit() if timeout_s is None else timeout_s,
        )
        return self._fetch(request, use)

    def entries(self) -> list[CacheEntry]:
        """Return the readable entries, newest first; damaged ones are left out."""
        root = self.active_root
        found = (
            []
            if root is None
            else [_files.read_entry(each) for each in _files.entry_folders(root)]
        )
        whole = [entry for entry, _ in filter(None, found)]
        return sorted(whole, key=lambda entry: entry.created, reverse=True)

    def size(self) -> int:
        """Return the bytes of all files under the folder."""
        root = self.active_root
        return 0 if root is None else _files.tree_size(root)

    def clear(self) -> int:
        """Remove all entries and return how many; libraries in use stay mapped."""
        root = self.active_root
        if root is None or not root.is_dir():
            return 0
        try:
            _files.check_owner(root)
        except _files.Unusable as problem:
            raise BackendUnavailable(
                f"the kernel cache folder {root} {problem}; nothing was removed",
                code="E1008",
                help=f"remove it by hand, or make it yours alone: chmod 700 {root}",
            ) from None
        removed = 0
        for folder in _files.entry_folders(root):
            # A reader sees the entry whole or not at all.
            removed += _files.discard(root, folder)
        for name in ("failed", "zig"):
            shutil.rmtree(root / name, ignore_errors=True)
        _files.sweep(root, 3600.0)
        return removed

    def verify(self) -> list[tuple[str, str]]:
        """Return (key, problem) of each damaged entry; empty when all are whole."""
        root = self.active_root
        problems = []
        for folder in [] if root is None else _files.entry_folders(root):
            read = _files.read_entry(folder)
            if read is None:
                problems.append((folder.name, "entry.json is missing or unreadable"))
                continue
            entry, digest = read
            try:
                fd = _files.open_checked(entry.path, digest)
            except OSError as error:
                problems.append((folder.name, error.strerror or str(error)))
            else:
                os.close(fd)
        return problems

    def _fetch(
        self, request: Request, use: Callable[[str], Loaded]
    ) -> tuple[LoadedLibrary, Loaded]:
        cause: Exception | None = None
        try:
            root = _files.prepare(self.root, self._reason)
            found = look_up(root, request.key, use, was_cached=True)
            if found is not None:
                return found
            if not self._unwritable:
                return build_once(root, request, use)
        except _files.Unusable as problem:
            cause = problem
            self._unwritable = str(problem)
        if self._is_fallback:
            if isinstance(cause, _files.Unusable) and isinstance(
                cause.__cause__, CompileError
            ):
                raise cause.__cause__
            raise BackendUnavailable(
                f"no folder can hold compiled kernels: {self.root} {self._unwritable}",
                code="E1008",
                help="set OPSLIB_CACHE_DIR to a folder of your own, on a disk with "
                "space that is not mounted noexec",
            ) from cause
        if self._fallback is None:
            self._fallback = _temporary_cache()
            warnings.warn(
                f"the kernel cache folder {self.root or ''} {self._unwritable}; "
                f"kernels go to {self._fallback.root} instead. Set OPSLIB_CACHE_DIR "
                "to a folder that only you can write to",
                OpslibWarning,
                stacklevel=4,
            )
        return self._fallback._fetch(request, use)


def default_cache() -> KernelCache:
    """Return the cache in ``OPSLIB_CACHE_DIR``, else in the user's cache folder."""
    return _default_cache(
        os.environ.get("OPSLIB_CACHE_DIR", ""),
        os.environ.get("XDG_CACHE_HOME", ""),
        os.environ.get("HOME", ""),
    )


# By the variables, so that a changed OPSLIB_CACHE_DIR is obeyed, in tests above all.
@functools.lru_cache(maxsize=64)
def _default_cache(own: str, xdg: str, home: str) -> KernelCache:
    if own:
        return KernelCache(os.path.expanduser(own))
    if not (xdg or home or sys.platform == "win32"):
        # A process without HOME (a system service) has not been given a place of its
        # own; the password database may name a folder it should not touch.
        return KernelCache(None, reason="is unknown, for HOME is not set")
    path = platformdirs.user_cache_path("opslib")
    if not path.is_absolute():
        return KernelCache(None, reason=f"is unknown, for {path} is not absolute")
    return KernelCache(path)


def _temporary_cache() -> KernelCache:
    # One folder per user, not per process: it works as a cache until the next reboot,
    # and nothing has to be removed at exit. Whoever made that name first in /tmp gets
    # nothing from it: a folder that is not ours alone is passed over.
    user = os.geteuid() if hasattr(os, "geteuid") else "user"
    shared = Path(tempfile.gettempdir()) / f"opslib-{user}"
    try:
        if shared.is_symlink():
            raise _files.Unusable("is a link")
        cache = KernelCache(_files.prepare(shared, ""))
    except (_files.Unusable, OSError):
        try:
            cache = KernelCache(tempfile.mkdtemp(prefix="opslib-"))
        except OSError as error:
            cache = KernelCache(None, reason=f"cannot be made: {error}")
    cache._is_fallback = True
    return cache


def _time_limit() -> float:
    text = os.environ.get("OPSLIB_COMPILE_TIMEOUT", "")
    try:
        value = float(text) if text else _toolchain.DEFAULT_TIMEOUT_S
    except ValueError:
        value = 0.0
    if not 0.0 < value < float("inf"):
        raise ArgumentError(
            f"OPSLIB_COMPILE_TIMEOUT={text!r} is not a positive number of seconds",
            code="E1010",
            help="set it to, say, 120, or unset it",
        )
    return value
