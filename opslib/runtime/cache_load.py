"""Load what was checked: the library of a cache entry, through one descriptor."""

from __future__ import annotations

import functools
import itertools
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import cffi

from opslib.errors import KernelError
from opslib.runtime import cache_files as _files

Loaded = TypeVar("Loaded")
_DECLARATIONS = """
void *dlopen(const char *path, int flags);
void *dlsym(void *handle, const char *name);
char *dlerror(void);
"""
_spelling = itertools.count(1)


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
        address = address_of(self._handle, name)
        if address == 0:
            raise KernelError(
                f"{self.path} exports no {name!r}; its source is {self.source_path}",
                code="E1009",
                help="this is a bug in the code generator that named the kernel",
            )
        return address


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


def look_up(
    root: Path,
    key: str,
    use: Callable[[str], Loaded],
    was_cached: bool,
) -> tuple[LoadedLibrary, Loaded] | None:
    """Load the entry of a key with ``use``; None if it is missing or damaged.

    Raises:
        Unusable: the folder does not allow mapping code.
        KernelError: the entry is whole and still cannot be loaded.
    """
    folder = _files.entry_folder(root, key)
    read = _files.read_entry(folder)
    if read is None:
        return None
    entry, digest = read
    try:
        fd = _files.open_checked(entry.path, digest)
    except OSError:
        return None
    try:
        loaded = use(_load_path(fd, entry.path))
    except (OSError, ImportError) as error:
        text = str(error)
        # What Linux and macOS say where mapping code is forbidden (noexec inside a
        # sandbox, SELinux), though the mount flags do not show it.
        if re.search(r"failed to map|not permitted|permission denied", text, re.I):
            raise _files.Unusable(
                f"does not allow loading libraries: {text}"
            ) from error
        raise KernelError(
            f"the library {entry.path} cannot be loaded: {text}",
            code="E1008",
            help="install what it names as missing; its source lies beside it",
        ) from error
    finally:
        os.close(fd)
    handle = loaded if isinstance(loaded, int) else 0
    library = LoadedLibrary(entry.path, entry.source_path, was_cached, key, handle)
    return library, loaded


@functools.cache
def _loader() -> tuple[Any, Any, Any, Any]:
    # cffi's own `ffi.dlopen` wants every symbol declared beforehand; through it, the
    # three functions of the system that do not. All are looked up here and now: a later
    # look-up would itself clear the message that dlerror is about to return.
    ffi = cffi.FFI()
    ffi.cdef(_DECLARATIONS)
    system = ffi.dlopen(None)
    return ffi, system.dlopen, system.dlsym, system.dlerror


def open_library(path: str) -> int:
    """Map a library, raising OSError with the loader's words, and return its handle."""
    ffi, dlopen, _, dlerror = _loader()
    handle = dlopen(os.fsencode(path), ffi.RTLD_NOW | ffi.RTLD_LOCAL)
    if handle == ffi.NULL:
        text = dlerror()
        raise OSError(ffi.string(text).decode("utf-8", "replace") if text else path)
    return int(ffi.cast("uintptr_t", handle))


def address_of(handle: int, name: str) -> int:
    """Return the address of a symbol; 0 if there is none."""
    ffi, _, dlsym, _ = _loader()
    address = dlsym(ffi.cast("void *", handle), name.encode("utf-8"))
    return int(ffi.cast("uintptr_t", address))
