"""The name of a cache entry: a sha256 of all that could change the machine code."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path

from opslib.runtime import toolchain as _toolchain
from opslib.runtime.toolchain import Toolchain

# Must equal OPS_ABI_VERSION of native/opslib_abi.h; a test compares them.
ABI_VERSION = 2
# The layout of an entry; raised when older entries can no longer be read.
FORMAT = 1
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


def cache_key(source: str, toolchain: Toolchain, flags: Sequence[str]) -> str:
    """Return the sha256 that names the library made from these."""
    parts = [
        FORMAT,
        ABI_VERSION,
        source,
        included(source, flags),
        toolchain.path,
        toolchain.version,
        toolchain.language,
        list(toolchain.argv[1:]),
        list(flags),
        _processor(),
        [os.environ.get(name, "") for name in _INFLUENCES],
    ]
    return hashlib.sha256(json.dumps(parts).encode("utf-8")).hexdigest()


def included(source: str, flags: Sequence[str]) -> list[tuple[str, str]]:
    """Return (name, digest) of each header that the includes in quotes lead to.

    They are looked for as the compiler does: beside the file, in the folders that the
    flags name, in native/.
    """
    native = _toolchain.native_folder()
    folders = (*_include_folders(flags), native)
    seen: dict[str, str] = {}
    waiting = [
        (native, name.decode("utf-8", "replace"))
        for name in _INCLUDE.findall(source.encode("utf-8", "surrogatepass"))
    ]
    while waiting:
        beside, name = waiting.pop()
        for folder in (beside, *folders):
            path = folder / name
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
    return sorted((os.path.relpath(path, native), seen[path]) for path in seen)


def _include_folders(flags: Sequence[str]) -> list[Path]:
    found = []
    words = iter(flags)
    for word in words:
        if word in ("-I", "-iquote"):
            found.append(Path(next(words, ".")))
        elif word.startswith("-I"):
            found.append(Path(word[2:]))
    return found


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
