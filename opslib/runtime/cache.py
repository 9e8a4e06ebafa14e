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
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import itertools
import json
import os
import platform
import re
import shlex
import shutil
import stat
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import cffi
import platformdirs

from opslib.errors import (
    ArgumentError,
    BackendUnavailable,
    CompileError,
    KernelError,
    OpslibWarning,
)
from opslib.runtime import toolchain as _toolchain
from opslib.runtime.toolchain import Toolchain

if sys.platform != "win32":
    import fcntl

_Loaded = TypeVar("_Loaded")

# Must equal OPS_ABI_VERSION of native/opslib_abi.h; a test compares them.
ABI_VERSION = 1
# The layout of an entry; raised when older entries can no longer be read.
_FORMAT = 1
_SUFFIX = "dylib" if sys.platform == "darwin" else "so"
# Text of the environment that gcc and clang let change what a command means.
_INFLUENCES = (
    "CPATH",
    "C_INCLUDE_PATH",
    "CPLUS_INCLUDE_PATH",
    "LIBRARY_PATH",
    "COMPILER_PATH",
    "GCC_EXEC_PREFIX",
    "SDKROOT",
    "MACOSX_DEPLOYMENT_TARGET",
)
_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"', re.MULTILINE)
_STALE_TMP_S = 24 * 3600.0
_KEPT_FAILURES = 32


@dataclass(frozen=True, slots=True)
class LoadedLibrary:
    """A library mapped into this process; it is never unmapped.

    Attributes:
        path: where the library lies (or lay) on disk.
        source_path: the readable source it was compiled from.
        was_cached: False if this very call compiled it.
        key: the sha256 that names its entry.
    """

    path: Path
    source_path: Path
    was_cached: bool
    key: str
    _handle: int

    def symbol(self, name: str) -> int:
        """Return the address of an exported function or object.

        Raises:
            KernelError: the library exports no such name.
        """
        address = _symbol(self._handle, name)
        if address == 0:
            raise KernelError(
                f"{self.path} exports no {name!r}; its source is {self.source_path}",
                code="E1009",
                help="this is a bug in the code generator that named the kernel",
            )
        return address


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One kernel on disk, as its ``entry.json`` describes it."""

    key: str
    name: str
    path: Path
    source_path: Path
    size: int
    created: float
    compiler: str
    command: str


class _Unusable(Exception):
    """A folder that cannot hold the cache; the text ends "the folder ..."."""


@dataclass(frozen=True, slots=True)
class _Request:
    """What to load, and how to make it when it is not there."""

    key: str
    source: str
    name: str
    toolchain: Toolchain
    flags: tuple[str, ...]
    timeout_s: float


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
            _dlopen, source, name_hint, toolchain, flags, timeout_s=timeout_s
        )
        # Whoever compiled it, a later call is a hit. Two threads may load one entry
        # at once: the system maps it once, so either object will do.
        self._loaded[key] = replace(library, was_cached=True)
        return library

    def load_with(
        self,
        use: Callable[[str], _Loaded],
        source: str,
        name_hint: str,
        toolchain: Toolchain,
        flags: Sequence[str] = (),
        *,
        timeout_s: float | None = None,
    ) -> tuple[LoadedLibrary, _Loaded]:
        """Load as `load` does, but with another loader than ``dlopen``.

        ``use`` is given a path that is valid during the call only and that names
        exactly the checked bytes; it raises OSError or ImportError if they cannot be
        loaded. If it returns an int, that is taken as the library's handle.

        Returns:
            The library, and what ``use`` returned.
        """
        request = _Request(
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
        found = [] if root is None else [_read_entry(path) for path in _folders(root)]
        whole = [entry for entry, _ in filter(None, found)]
        return sorted(whole, key=lambda entry: entry.created, reverse=True)

    def size(self) -> int:
        """Return the bytes of all files under the folder."""
        root = self.active_root
        return 0 if root is None else _tree_size(root)

    def clear(self) -> int:
        """Remove all entries and return how many; libraries in use stay mapped."""
        root = self.active_root
        if root is None or not root.is_dir():
            return 0
        try:
            _check_owner(root)
        except _Unusable as problem:
            raise BackendUnavailable(
                f"the kernel cache folder {root} {problem}; nothing was removed",
                code="E1008",
                help=f"remove it by hand, or make it yours alone: chmod 700 {root}",
            ) from None
        removed = 0
        for folder in _folders(root):
            # A reader sees the entry whole or not at all.
            removed += _discard(root, folder)
        for name in ("failed", "zig"):
            shutil.rmtree(root / name, ignore_errors=True)
        _sweep(root, 3600.0)
        return removed

    def verify(self) -> list[tuple[str, str]]:
        """Return (key, problem) of each damaged entry; empty when all are whole."""
        root = self.active_root
        problems = []
        for folder in [] if root is None else _folders(root):
            read = _read_entry(folder)
            if read is None:
                problems.append((folder.name, "entry.json is missing or unreadable"))
                continue
            entry, digest = read
            try:
                fd = _open_checked(entry.path, digest)
            except OSError as error:
                problems.append((folder.name, error.strerror or str(error)))
            else:
                os.close(fd)
        return problems

    def _fetch(
        self, request: _Request, use: Callable[[str], _Loaded]
    ) -> tuple[LoadedLibrary, _Loaded]:
        cause: Exception | None = None
        try:
            root = _prepare(self.root, self._reason)
            found = _lookup(root, request, use, was_cached=True)
            if found is not None:
                return found
            if not self._unwritable:
                return _build_once(root, request, use)
        except _Unusable as problem:
            cause = problem
            self._unwritable = str(problem)
        if self._is_fallback:
            if isinstance(cause, _Unusable) and isinstance(
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


def cache_key(source: str, toolchain: Toolchain, flags: Sequence[str]) -> str:
    """Return the sha256 that names the library made from these."""
    parts = [
        _FORMAT,
        ABI_VERSION,
        source,
        _included(source),
        toolchain.path,
        toolchain.version,
        toolchain.language,
        list(toolchain.argv[1:]),
        list(flags),
        _processor(),
        [os.environ.get(name, "") for name in _INFLUENCES],
    ]
    return hashlib.sha256(json.dumps(parts).encode("utf-8")).hexdigest()


def _included(source: str) -> list[tuple[str, str]]:
    """Return (name, digest) of each header that opslib's own includes lead to."""
    folder = _toolchain.native_folder()
    seen: dict[str, str] = {}
    waiting = [
        (folder, name.decode("utf-8", "replace"))
        for name in _INCLUDE.findall(source.encode("utf-8", "surrogatepass"))
    ]
    while waiting:
        beside, name = waiting.pop()
        for path in (beside / name, folder / name):
            if not path.is_file():
                continue
            real = str(path)
            if real not in seen:
                status = path.stat()
                digest, names = _header(real, status.st_mtime_ns, status.st_size)
                seen[real] = digest
                waiting.extend((path.parent, inner) for inner in names)
            break
        # Found nowhere: the compiler will look on its own path, or say so.
    # Relative names, so that two installs of the same opslib share one cache.
    return sorted((os.path.relpath(path, folder), seen[path]) for path in seen)


@functools.lru_cache(maxsize=256)
def _header(path: str, mtime_ns: int, size: int) -> tuple[str, tuple[str, ...]]:
    data = Path(path).read_bytes()
    names = tuple(name.decode("utf-8", "replace") for name in _INCLUDE.findall(data))
    return hashlib.sha256(data).hexdigest(), names


@functools.cache
def _processor() -> str:
    """Return a text that differs where ``-march=native`` would.

    One home folder may be mounted on unlike machines, and zig compiles for the machine
    at hand unless told otherwise.
    """
    wanted = (
        "vendor_id",
        "cpu family",
        "model",
        "flags",
        "CPU implementer",
        "CPU part",
        "Features",
        "isa",
    )
    lines = [platform.machine()]
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as stream:
            # The first processor only: the file grows with the machine, and reading all
            # of it takes 30 ms on 256 cores.
            for line in itertools.takewhile(str.strip, stream):
                if line.partition(":")[0].strip() in wanted:
                    lines.append(line.strip())
    except OSError:
        lines.append(platform.processor())
    return "\n".join(lines)


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


# ---- folders ------------------------------------------------------------------------


def _prepare(root: Path | None, reason: str) -> Path:
    if root is None:
        raise _Unusable(reason)
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _Unusable(f"cannot be made: {error.strerror or error}") from error
    _check_owner(root)
    if hasattr(os, "statvfs"):
        flag = getattr(os, "ST_NOEXEC", 0)
        if os.statvfs(root).f_flag & flag:
            raise _Unusable("is on a disk mounted noexec")
    return root


def _check_owner(path: Path) -> None:
    status = path.stat()
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        raise _Unusable(f"is owned by another user (uid {status.st_uid})")
    if sys.platform != "win32" and status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise _Unusable(
            f"is writable by other users (mode {stat.S_IMODE(status.st_mode):04o})"
        )


def _temporary_cache() -> KernelCache:
    # One folder per user, not per process: it works as a cache until the next reboot,
    # and nothing has to be removed at exit. Whoever made that name first in /tmp gets
    # nothing from it: a folder that is not ours alone is passed over.
    user = os.geteuid() if hasattr(os, "geteuid") else "user"
    shared = Path(tempfile.gettempdir()) / f"opslib-{user}"
    try:
        if shared.is_symlink():
            raise _Unusable("is a link")
        cache = KernelCache(_prepare(shared, ""))
    except (_Unusable, OSError):
        try:
            cache = KernelCache(tempfile.mkdtemp(prefix="opslib-"))
        except OSError as error:
            cache = KernelCache(None, reason=f"cannot be made: {error}")
    cache._is_fallback = True
    return cache


def _make_folder(path: Path) -> None:
    # Not `parents=True`: that makes the parents with whatever the umask leaves.
    path.mkdir(mode=0o700, exist_ok=True)


def _folder(root: Path, key: str) -> Path:
    return root / "kernels" / key[:2] / key


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.glob("kernels/??/*") if path.is_dir())


def _tree_size(root: Path) -> int:
    total = 0
    for folder, _, names in os.walk(root):
        for name in names:
            with contextlib.suppress(OSError):  # removed by another process meanwhile
                total += os.lstat(os.path.join(folder, name)).st_size
    return total


def _discard(root: Path, folder: Path) -> bool:
    """Move a folder away in one step, then remove it at leisure."""
    try:
        _make_folder(root / "tmp")
        trash = Path(tempfile.mkdtemp(prefix="trash-", dir=root / "tmp"))
        os.rename(folder, trash / "old")
    except OSError:
        return False
    shutil.rmtree(trash, ignore_errors=True)
    return True


def _sweep(root: Path, older_than_s: float) -> None:
    """Remove what killed processes left in ``tmp/``."""
    now = time.time()
    for path in (root / "tmp").glob("*"):
        with contextlib.suppress(OSError):
            if now - path.stat().st_mtime > older_than_s:
                shutil.rmtree(path, ignore_errors=True)


# ---- reading an entry ---------------------------------------------------------------


def _read_entry(folder: Path) -> tuple[CacheEntry, str] | None:
    """Return what ``entry.json`` says and the digest; None if it is damaged."""
    try:
        found = json.loads((folder / "entry.json").read_bytes())
        if found["format"] != _FORMAT:
            return None
        # The last component only: an entry cannot point out of its own folder.
        library = folder / Path(str(found["library"])).name
        source = folder / Path(str(found["source"])).name
        entry = CacheEntry(
            key=folder.name,
            name=str(found["name"]),
            path=library,
            source_path=source,
            size=library.stat().st_size,
            created=float(found["created"]),
            compiler=str(found["compiler"]),
            command=str(found["command"]),
        )
        return entry, str(found["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _open_checked(path: Path, digest: str) -> int:
    """Open a library and return the descriptor, having hashed what it leads to."""
    flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    fd = os.open(path, flags)
    try:
        status = os.fstat(fd)
        if hasattr(os, "geteuid") and (
            status.st_uid != os.geteuid()
            or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        ):
            raise PermissionError(errno.EPERM, "is not ours alone", str(path))
        with open(fd, "rb", closefd=False) as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != digest:
                raise OSError(errno.EIO, "differs from its digest", str(path))
    except BaseException:
        os.close(fd)
        raise
    return fd


_spelling = itertools.count(1)


def _load_path(fd: int, path: Path) -> str:
    """Return a path by which the loader opens what ``fd`` has open.

    glibc takes a library for loaded already if one was loaded *under the same name*, so
    a descriptor number used twice would return the first library for the second. The
    name is therefore spelled anew each time, a counter written in ``./`` and ``.//``.
    """
    if not os.path.exists(f"/proc/self/fd/{fd}"):
        return str(path)
    count = f"{next(_spelling):b}"
    dots = "".join("./" if bit == "0" else ".//" for bit in count)
    return f"/proc/self/fd/{dots}{fd}"


def _lookup(
    root: Path,
    request: _Request,
    use: Callable[[str], _Loaded],
    was_cached: bool,
) -> tuple[LoadedLibrary, _Loaded] | None:
    folder = _folder(root, request.key)
    read = _read_entry(folder)
    if read is None:
        return None
    entry, digest = read
    try:
        fd = _open_checked(entry.path, digest)
    except OSError:
        return None
    try:
        loaded = use(_load_path(fd, entry.path))
    except (OSError, ImportError) as error:
        text = str(error)
        # What Linux and macOS say where mapping code is forbidden (noexec inside a
        # sandbox, SELinux), though the mount flags do not show it.
        if re.search(r"failed to map|not permitted|permission denied", text, re.I):
            raise _Unusable(f"does not allow loading libraries: {text}") from error
        raise KernelError(
            f"the library {entry.path} cannot be loaded: {text}",
            code="E1008",
            help="install what it names as missing; its source lies beside it",
        ) from error
    finally:
        os.close(fd)
    handle = loaded if isinstance(loaded, int) else 0
    library = LoadedLibrary(
        entry.path, entry.source_path, was_cached, request.key, handle
    )
    return library, loaded


# ---- making an entry ----------------------------------------------------------------


def _build_once(
    root: Path, request: _Request, use: Callable[[str], _Loaded]
) -> tuple[LoadedLibrary, _Loaded]:
    with _exclusive(root, request.key, request.timeout_s + 10.0):
        found = _lookup(root, request, use, was_cached=True)
        if found is not None:  # another process made it while we waited
            return found
        try:
            try:
                _build(root, request)
            except FileNotFoundError:  # `opslib cache clear` ran meanwhile
                _build(root, request)
        except OSError as error:
            raise _Unusable(
                f"cannot be written to: {error.strerror or error}"
            ) from error
        except CompileError as error:
            if _toolchain.disk_is_full(error):
                raise _Unusable("is on a full disk") from error
            raise
        found = _lookup(root, request, use, was_cached=False)
    if found is None:
        raise _Unusable("does not return what was written to it")
    return found


def _build(root: Path, request: _Request) -> None:
    _make_folder(root / "tmp")
    _sweep(root, _STALE_TMP_S)
    work = Path(
        tempfile.mkdtemp(prefix=f"{request.key[:8]}-{os.getpid()}-", dir=root / "tmp")
    )
    try:
        entry, scratch = work / "entry", work / "scratch"
        entry.mkdir(mode=0o700)
        scratch.mkdir(mode=0o700)
        suffix = "c" if request.toolchain.language == "c" else "cpp"
        source = entry / f"{request.name}.{suffix}"
        output = scratch / f"{request.name}.{_SUFFIX}"
        source.write_text(request.source, encoding="utf-8")
        flags = (*request.flags, "-I", str(_toolchain.native_folder()))
        try:
            _toolchain.compile_shared(
                request.toolchain,
                source,
                output,
                flags,
                request.timeout_s,
                environment={"ZIG_GLOBAL_CACHE_DIR": str(root / "zig")},
            )
        except CompileError as error:
            raise _keep_failure(root, request, source, error) from error.__cause__
        library = entry / output.name
        # ld obeys the umask, and a library that others can write to is refused.
        output.chmod(0o700)
        os.rename(output, library)
        command = _toolchain.command_line(request.toolchain, source, library, flags)
        final = _folder(root, request.key)
        described = {
            "format": _FORMAT,
            "abi": ABI_VERSION,
            "name": request.name,
            "library": library.name,
            "source": source.name,
            "sha256": hashlib.sha256(library.read_bytes()).hexdigest(),
            "created": time.time(),
            "compiler": f"{request.toolchain.path}: {request.toolchain.version}",
            "command": shlex.join(command).replace(str(entry), str(final)),
        }
        (entry / "entry.json").write_text(
            json.dumps(described, indent=1), encoding="utf-8"
        )
        _make_folder(final.parent.parent)
        _make_folder(final.parent)
        _install(root, request.key, entry, final)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _install(root: Path, key: str, entry: Path, final: Path) -> None:
    try:
        os.rename(entry, final)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        # Someone was faster (then theirs is as good), or the old one is damaged.
        read = _read_entry(final)
        if read is not None:
            try:
                os.close(_open_checked(read[0].path, read[1]))
                return
            except OSError:
                pass
        _discard(root, final)
        with contextlib.suppress(FileExistsError):
            os.rename(entry, final)


def _keep_failure(
    root: Path, request: _Request, source: Path, error: CompileError
) -> CompileError:
    """Keep the refused source where the message says, and only the newest few."""
    if _toolchain.disk_is_full(error):
        return error  # the source is made again in another folder
    kept = root / "failed" / f"{request.name}-{request.key[:12]}"
    try:
        _make_folder(kept.parent)
        _make_folder(kept)
        shutil.copyfile(source, kept / source.name)
        (kept / "message.txt").write_text(error.message, encoding="utf-8")
        others = sorted(
            (root / "failed").iterdir(), key=lambda path: path.stat().st_mtime
        )
        for old in others[:-_KEPT_FAILURES]:
            shutil.rmtree(old, ignore_errors=True)
    except OSError:
        return error
    message = error.message.replace(str(source.parent), str(kept))
    return CompileError(message, code=error.code, help=error.help)


@contextlib.contextmanager
def _exclusive(root: Path, key: str, limit_s: float) -> Iterator[None]:
    """Hold the lock of a key, or go on without it once the limit has passed.

    There are 256 lock files, not one per key, so that they need no removal (removing a
    lock file that another process is about to lock is a classic race).
    """
    fd = -1
    try:
        if sys.platform != "win32":
            _make_folder(root / "locks")
            fd = os.open(
                root / "locks" / f"{key[:2]}.lock",
                os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW,
                0o600,
            )
            _wait_for_lock(fd, time.monotonic() + limit_s)
    except OSError:
        pass  # read-only, full, or without locks: the rename alone must do
    try:
        yield
    finally:
        if fd >= 0:
            # Not only close: a child forked meanwhile shares the lock.
            with contextlib.suppress(OSError):
                fcntl.flock(fd, fcntl.LOCK_UN)
            os.close(fd)


def _wait_for_lock(fd: int, deadline: float) -> None:
    pause = 0.002
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return
        time.sleep(pause)
        pause = min(2 * pause, 0.05)


# ---- the system's loader ------------------------------------------------------------

_DECLARATIONS = """
void *dlopen(const char *path, int flags);
void *dlsym(void *handle, const char *name);
char *dlerror(void);
"""


@functools.cache
def _loader() -> tuple[Any, Any, Any, Any]:
    # cffi's own `ffi.dlopen` wants every symbol declared beforehand; through it, the
    # three functions of the system that do not. All are looked up here and now: a later
    # look-up would itself clear the message that dlerror is about to return.
    ffi = cffi.FFI()
    ffi.cdef(_DECLARATIONS)
    system = ffi.dlopen(None)
    return ffi, system.dlopen, system.dlsym, system.dlerror


def _dlopen(path: str) -> int:
    ffi, dlopen, _, dlerror = _loader()
    handle = dlopen(os.fsencode(path), ffi.RTLD_NOW | ffi.RTLD_LOCAL)
    if handle == ffi.NULL:
        text = dlerror()
        raise OSError(ffi.string(text).decode("utf-8", "replace") if text else path)
    return int(ffi.cast("uintptr_t", handle))


def _symbol(handle: int, name: str) -> int:
    ffi, _, dlsym, _ = _loader()
    address = dlsym(ffi.cast("void *", handle), name.encode("utf-8"))
    return int(ffi.cast("uintptr_t", address))
