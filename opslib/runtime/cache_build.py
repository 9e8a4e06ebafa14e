"""Make a cache entry: compile in ``tmp/``, and rename only what is whole."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from opslib.errors import CompileError
from opslib.runtime import cache_files as _files
from opslib.runtime import toolchain as _toolchain
from opslib.runtime.cache_digest import ABI_VERSION, FORMAT
from opslib.runtime.cache_load import Loaded, LoadedLibrary, look_up
from opslib.runtime.toolchain import Toolchain

_SUFFIX = "dylib" if sys.platform == "darwin" else "so"
_STALE_TMP_S = 24 * 3600.0
_KEPT_FAILURES = 32


@dataclass(frozen=True, slots=True)
class Request:
    """What to load, and how to make it when it is not there."""

    key: str
    source: str
    name: str
    toolchain: Toolchain
    flags: tuple[str, ...]
    timeout_s: float


def build_once(
    root: Path, request: Request, use: Callable[[str], Loaded]
) -> tuple[LoadedLibrary, Loaded]:
    """Make the entry, unless another process does meanwhile, and load it.

    Raises:
        Unusable: the folder cannot be written to.
        CompileError: the compiler failed.
    """
    with _files.exclusive(root, request.key, request.timeout_s + 10.0):
        found = look_up(root, request.key, use, was_cached=True)
        if found is not None:  # another process made it while we waited
            return found
        try:
            try:
                _build(root, request)
            except FileNotFoundError:  # `opslib cache clear` ran meanwhile
                _build(root, request)
        except OSError as error:
            raise _files.Unusable(
                f"cannot be written to: {error.strerror or error}"
            ) from error
        except CompileError as error:
            if _toolchain.disk_is_full(error):
                raise _files.Unusable("is on a full disk") from error
            raise
        found = look_up(root, request.key, use, was_cached=False)
    if found is None:
        raise _files.Unusable("does not return what was written to it")
    return found


def _build(root: Path, request: Request) -> None:
    _files.make_folder(root / "tmp")
    _files.sweep(root, _STALE_TMP_S)
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
        final = _files.entry_folder(root, request.key)
        described = {
            "format": FORMAT,
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
        _files.make_folder(final.parent.parent)
        _files.make_folder(final.parent)
        install(root, request.key, entry, final)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def install(root: Path, key: str, entry: Path, final: Path) -> None:
    """Put a whole entry where it belongs; another process may have been faster."""
    try:
        os.rename(entry, final)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        # Someone was faster (then theirs is as good), or the old one is damaged.
        read = _files.read_entry(final)
        if read is not None:
            try:
                os.close(_files.open_checked(read[0].path, read[1]))
                return
            except OSError:
                pass
        _files.discard(root, final)
        with contextlib.suppress(FileExistsError):
            os.rename(entry, final)


def _keep_failure(
    root: Path, request: Request, source: Path, error: CompileError
) -> CompileError:
    """Keep the refused source where the message says, and only the newest few."""
    if _toolchain.disk_is_full(error):
        return error  # the source is made again in another folder
    kept = root / "failed" / f"{request.name}-{request.key[:12]}"
    try:
        _files.make_folder(kept.parent)
        _files.make_folder(kept)
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
