"""Find a C or C++ compiler, and the C text that ships with opslib.

What is then done with the compiler is in `opslib.runtime.compiler`.
"""

from __future__ import annotations

import functools
import importlib.resources
import importlib.util
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from opslib.errors import BackendUnavailable
from opslib.runtime.compiler import (
    DEFAULT_TIMEOUT_S,
    REMEDY,
    Language,
    Toolchain,
    command_line,
    compile_shared,
    disk_is_full,
    ending,
    probe,
    run,
)

__all__ = [
    "DEFAULT_TIMEOUT_S",
    "Language",
    "Toolchain",
    "command_line",
    "compile_shared",
    "disk_is_full",
    "find_toolchain",
    "native_folder",
    "probe",
]

# Asking for a version does no work; a compiler that needs longer is hung (a wrapper
# waiting for a licence server, a dead network file system).
_VERSION_TIMEOUT_S = 20.0


@functools.cache
def native_folder() -> Path:
    """Return the folder of the C text that ships with opslib.

    Returns:
        ``opslib/native`` of an installed opslib, or ``native`` beside the package in a
        plain source checkout.

    Raises:
        BackendUnavailable: neither exists on disk (an incomplete or zipped install).
    """
    try:
        found = Path(str(importlib.resources.files("opslib.native")))
        if (found / "opslib_abi.h").is_file():
            return found
    except (ModuleNotFoundError, TypeError):
        pass
    beside = Path(__file__).resolve().parents[2] / "native"
    if (beside / "opslib_abi.h").is_file():
        return beside
    raise BackendUnavailable(
        f"the C sources of opslib are missing; looked for {beside / 'opslib_abi.h'}",
        code="E1000",
        help="reinstall opslib unzipped: pip install --force-reinstall opslib",
    )


def find_toolchain(language: Language = "c") -> Toolchain:
    """Return the compiler to use; the answer is kept for the life of the process.

    The order is ``OPSLIB_CC``, ``CC``, gcc, clang, cc, and the ``zig cc`` of the
    installed ``ziglang`` package (``OPSLIB_CXX``, ``CXX``, g++ ... for C++). A wrong
    ``OPSLIB_CC`` is an error; a wrong ``CC`` is passed over, for it may belong to
    another project.

    Raises:
        BackendUnavailable: no compiler, or ``OPSLIB_CC`` names none.
    """
    own, common = ("OPSLIB_CC", "CC") if language == "c" else ("OPSLIB_CXX", "CXX")
    return _find(
        language,
        os.environ.get(own, ""),
        os.environ.get(common, ""),
        os.environ.get("PATH", os.defpath),
    )


# The environment is in the key, so that a test or a notebook that changes OPSLIB_CC
# gets the compiler it asked for, and nobody else runs `gcc --version` twice.
@functools.lru_cache(maxsize=16)
def _find(language: Language, own: str, common: str, search_path: str) -> Toolchain:
    variable = "OPSLIB_CC" if language == "c" else "OPSLIB_CXX"
    if own.strip():
        argv = _command(own, search_path)
        reason = f"{variable}={own!r} is not an executable on PATH"
        if argv is not None:
            asked = _ask(argv, language)
            if isinstance(asked, Toolchain):
                return asked
            reason = f"{variable}={own!r} {asked}"
        raise BackendUnavailable(
            f"no {language} compiler: {reason}",
            code="E1001",
            help=f"correct {variable}, or unset it to let opslib search",
        )
    tried: list[str] = []
    for candidate in _candidates(language, common):
        argv = (
            candidate
            if isinstance(candidate, tuple)
            else _command(candidate, search_path)
        )
        if argv is None:
            tried.append(f"{candidate} (not found)")
            continue
        asked = _ask(argv, language)
        if isinstance(asked, Toolchain):
            return asked
        tried.append(f"{shlex.join(argv)} ({asked})")
    tried.append("the ziglang package" if _zig("cc") is None else "")
    raise BackendUnavailable(
        f"no {language} compiler; tried {', '.join(filter(None, tried))}",
        code="E1001",
        help=REMEDY[language],
    )


def _candidates(language: Language, common: str) -> Iterator[str | tuple[str, ...]]:
    if common.strip():
        yield common
    yield from ("gcc", "clang", "cc") if language == "c" else ("g++", "clang++", "c++")
    zig = _zig("cc" if language == "c" else "c++")
    if zig is not None:
        yield zig


def _command(text: str, search_path: str) -> tuple[str, ...] | None:
    """Split ``"ccache gcc -m64"``; a whole string that is a file stays one word."""
    words = [text] if os.path.isfile(text) else _split(text)
    found = shutil.which(words[0], path=search_path) if words else None
    return None if found is None else (found, *words[1:])


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # an unclosed quote
        return []


def _zig(mode: str) -> tuple[str, ...] | None:
    try:
        spec = importlib.util.find_spec("ziglang")
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    binary = Path(spec.origin).with_name("zig")
    # `python -m ziglang cc` only starts this binary, 30 ms later.
    if os.access(binary, os.X_OK):
        return (str(binary), mode)
    return (sys.executable, "-m", "ziglang", mode)


def _ask(argv: tuple[str, ...], language: Language) -> Toolchain | str:
    """Ask a command for its version; a string says why it is not a compiler."""
    try:
        ran = run((*argv, "--version"), _VERSION_TIMEOUT_S, {})
    except OSError as error:
        return f"cannot be started: {error.strerror or error}"
    if ran.timed_out:
        return f"did not answer --version within {_VERSION_TIMEOUT_S:g} s"
    first = next((line for line in ran.output.splitlines() if line.strip()), "")
    if ran.returncode != 0 or not first:
        return f"failed when asked for --version: {first or ending(ran.returncode)}"
    low = ran.output.lower()
    if "zig" in Path(argv[0]).name or "ziglang" in argv:
        kind = "zig"
    elif "clang" in low:
        kind = "clang"
    elif "free software foundation" in low or "gcc" in first.lower():
        kind = "gcc"
    else:
        kind = "unknown"
    return Toolchain(kind, argv, os.path.realpath(argv[0]), first.strip(), language)
