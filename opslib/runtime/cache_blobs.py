"""Binaries that are no host library (a chip's machine code) in the kernel cache.

Entries have the form, the checks and the promises of `cache`; what differs is that the
maker is a function instead of a compiler's command, and that bytes are handed out
instead of a mapping.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from opslib.runtime import cache_files as _files
from opslib.runtime.cache import KernelCache
from opslib.runtime.cache_build import install
from opslib.runtime.cache_digest import ABI_VERSION, FORMAT

_LOCK_S = 310.0


def blob_key(*parts: str) -> str:
    """The sha256 over everything that may change the bytes; parts keep their order."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(f"{len(data)}:".encode())
        digest.update(data)
    return digest.hexdigest()


def cached_blob(
    cache: KernelCache,
    key: str,
    name: str,
    source: str,
    compiler: str,
    make: Callable[[], bytes],
) -> bytes:
    """The bytes kept under a key, made at most once among well-behaved processes.

    Args:
        cache: whose folder holds it.
        key: see `blob_key`.
        name: of the kernel; names the files.
        source: readable text that is kept beside the binary.
        compiler: its path and version, for ``opslib cache``.
        make: compiles; its exceptions pass through.

    A cache that cannot be used (full, read-only, of another user) only costs time.
    """
    root = cache.root
    try:
        root = _files.prepare(root, "there is no cache folder")
    except (_files.Unusable, OSError):
        return make()
    found = _read(root, key)
    if found is not None:
        return found
    with _files.exclusive(root, key, _LOCK_S):
        found = _read(root, key)
        if found is None:
            found = make()
            # Not kept where that fails: it is compiled again next time.
            with contextlib.suppress(OSError):
                _write(root, key, name, source, compiler, found)
    return found


def _read(root: Path, key: str) -> bytes | None:
    read = _files.read_entry(_files.entry_folder(root, key))
    if read is None:
        return None
    entry, digest = read
    try:
        with open(_files.open_checked(entry.path, digest), "rb") as stream:
            stream.seek(0)  # the digest was taken through the same descriptor
            return stream.read()
    except OSError:
        return None  # damaged: a miss


def _write(
    root: Path, key: str, name: str, source: str, compiler: str, data: bytes
) -> None:
    _files.make_folder(root / "tmp")
    work = Path(tempfile.mkdtemp(prefix=f"{key[:8]}-{os.getpid()}-", dir=root / "tmp"))
    try:
        entry = work / "entry"
        entry.mkdir(mode=0o700)
        binary, text = entry / f"{name}.bin", entry / f"{name}.asc"
        descriptor = os.open(binary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as stream:
            stream.write(data)
        text.write_text(source, encoding="utf-8")
        described = {
            "format": FORMAT,
            "abi": ABI_VERSION,
            "name": name,
            "library": binary.name,
            "source": text.name,
            "sha256": hashlib.sha256(data).hexdigest(),
            "created": time.time(),
            "compiler": compiler,
            "command": "",
        }
        (entry / "entry.json").write_text(
            json.dumps(described, indent=1), encoding="utf-8"
        )
        final = _files.entry_folder(root, key)
        _files.make_folder(final.parent.parent)
        _files.make_folder(final.parent)
        install(root, key, entry, final)
    finally:
        shutil.rmtree(work, ignore_errors=True)
