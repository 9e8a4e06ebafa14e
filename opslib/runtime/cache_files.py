"""The kernel cache on disk: whose folders it trusts, its entries, and its locks."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from opslib.runtime.cache_digest import FORMAT

if sys.platform != "win32":
    import fcntl


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


class Unusable(Exception):
    """A folder that cannot hold the cache; the text ends "the folder ..."."""


# ---- folders ------------------------------------------------------------------------


def prepare(root: Path | None, reason: str) -> Path:
    """Make the folder of a cache and return it; `Unusable` if it cannot hold one."""
    if root is None:
        raise Unusable(reason)
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unusable(f"cannot be made: {error.strerror or error}") from error
    check_owner(root)
    if hasattr(os, "statvfs"):
        flag = getattr(os, "ST_NOEXEC", 0)
        if os.statvfs(root).f_flag & flag:
            raise Unusable("is on a disk mounted noexec")
    return root


def check_owner(path: Path) -> None:
    """Raise `Unusable` if somebody else could have put code there."""
    status = path.stat()
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        raise Unusable(f"is owned by another user (uid {status.st_uid})")
    if sys.platform != "win32" and status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Unusable(
            f"is writable by other users (mode {stat.S_IMODE(status.st_mode):04o})"
        )


def make_folder(path: Path) -> None:
    """Make one folder, for us alone, if it is not there."""
    # Not `parents=True`: that makes the parents with whatever the umask leaves.
    path.mkdir(mode=0o700, exist_ok=True)


def entry_folder(root: Path, key: str) -> Path:
    """Return where the entry of a key lies, or would lie."""
    return root / "kernels" / key[:2] / key


def entry_folders(root: Path) -> list[Path]:
    """Return the folders of all entries, damaged ones too."""
    return sorted(path for path in root.glob("kernels/??/*") if path.is_dir())


def tree_size(root: Path) -> int:
    """Return the bytes of all files under a folder."""
    total = 0
    for folder, _, names in os.walk(root):
        for name in names:
            with contextlib.suppress(OSError):  # removed by another process meanwhile
                total += os.lstat(os.path.join(folder, name)).st_size
    return total


def discard(root: Path, folder: Path) -> bool:
    """Move a folder away in one step, then remove it at leisure."""
    try:
        make_folder(root / "tmp")
        trash = Path(tempfile.mkdtemp(prefix="trash-", dir=root / "tmp"))
        os.rename(folder, trash / "old")
    except OSError:
        return False
    shutil.rmtree(trash, ignore_errors=True)
    return True


def sweep(root: Path, older_than_s: float) -> None:
    """Remove what killed processes left in ``tmp/``."""
    now = time.time()
    for path in (root / "tmp").glob("*"):
        with contextlib.suppress(OSError):
            if now - path.stat().st_mtime > older_than_s:
                shutil.rmtree(path, ignore_errors=True)


# ---- reading an entry ---------------------------------------------------------------


def read_entry(folder: Path) -> tuple[CacheEntry, str] | None:
    """Return what ``entry.json`` says and the digest; None if it is damaged."""
    try:
        found = json.loads((folder / "entry.json").read_bytes())
        if found["format"] != FORMAT:
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
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def open_checked(path: Path, digest: str) -> int:
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


# ---- the lock of a key --------------------------------------------------------------


@contextlib.contextmanager
def exclusive(root: Path, key: str, limit_s: float) -> Iterator[None]:
    """Hold the lock of a key, or go on without it once the limit has passed.

    There are 256 lock files, not one per key, so that they need no removal (removing a
    lock file that another process is about to lock is a classic race).
    """
    fd = -1
    try:
        if sys.platform != "win32":
            make_folder(root / "locks")
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
