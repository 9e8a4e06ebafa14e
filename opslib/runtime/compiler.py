"""A compiler: run it under a time limit, and explain its failures.

A compiler is called by argument vector, never through a shell, in a process group of
its own: `gcc` is a driver whose children (`cc1`, `ld`) outlive it when only the driver
is killed. Messages are asked for in the C locale, because they are classified below.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from opslib.errors import CompileError

Language = Literal["c", "c++"]

DEFAULT_TIMEOUT_S = 120.0
_MESSAGE_LINES = 12

REMEDY = {
    "c": "apt install gcc libc6-dev (Debian, Ubuntu), dnf install gcc (Fedora), "
    "xcode-select --install (macOS), or pip install ziglang; or name a compiler in "
    "OPSLIB_CC",
    "c++": "apt install g++ (Debian, Ubuntu), dnf install gcc-c++ (Fedora), "
    "xcode-select --install (macOS), or pip install ziglang; or name a compiler in "
    "OPSLIB_CXX",
}


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A compiler that answered when asked for its version.

    Attributes:
        kind: ``"gcc"``, ``"clang"``, ``"zig"`` or ``"unknown"``; decides the flags a
            caller may use, so it comes from the version text, not from the file name
            (macOS's ``gcc`` is clang).
        argv: the command up to the first flag, such as ``("/usr/bin/gcc",)``.
        path: the compiler's real path, links resolved; part of every cache key.
        version: the first line of its version text; part of every cache key.
        language: ``"c"`` or ``"c++"``.
    """

    kind: str
    argv: tuple[str, ...]
    path: str
    version: str
    language: Language = "c"


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of one compiler process."""

    returncode: int
    output: str
    timed_out: bool


def command_line(
    toolchain: Toolchain, source_path: Path, output_path: Path, flags: Sequence[str]
) -> tuple[str, ...]:
    """Return the argument vector that makes a shared library of one source file."""
    libraries = [flag for flag in flags if flag.startswith("-l")]
    others = [flag for flag in flags if not flag.startswith("-l")]
    # ld reads left to right: a library named before the object that needs it is dropped
    # where --as-needed is the default (Debian, Ubuntu).
    return (
        *toolchain.argv,
        *others,
        "-shared",
        "-fPIC",
        "-o",
        str(output_path),
        str(source_path),
        *libraries,
    )


def compile_shared(
    toolchain: Toolchain,
    source_path: Path,
    output_path: Path,
    flags: Sequence[str],
    timeout_s: float = DEFAULT_TIMEOUT_S,
    *,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Compile one source file to a shared library.

    Temporary files go beside ``output_path``, so that whoever removes that folder
    removes what a killed compiler left.

    Raises:
        CompileError: the compiler refused the source, crashed, was killed, ran over the
            time limit, found the disk full, or cannot compile anything at all. The
            message holds its first lines, the command, and where the source is.
    """
    command = command_line(toolchain, source_path, output_path, flags)
    folder = output_path.parent
    settings = {
        "TMPDIR": str(folder),
        "ZIG_LOCAL_CACHE_DIR": str(folder / "zig"),
        **(environment or {}),
    }
    try:
        ran = run(command, timeout_s, settings)
    except OSError as error:
        _raise_os(error, toolchain, command, source_path)
    if ran.returncode == 0 and not ran.timed_out and output_path.is_file():
        return
    raise _diagnose(ran, toolchain, command, source_path, timeout_s, settings)


def probe(toolchain: Toolchain) -> str | None:
    """Compile an empty file; return None if that works, else why it does not.

    A `gcc` package without `cc1` or the C library's headers answers `--version` like a
    whole one, so only this tells them apart. It costs a compile (30 ms with gcc).
    """
    with tempfile.TemporaryDirectory(prefix="opslib-probe-") as folder:
        return _probe(toolchain, Path(folder), {})


def _probe(
    toolchain: Toolchain, folder: Path, settings: Mapping[str, str]
) -> str | None:
    suffix = ".c" if toolchain.language == "c" else ".cpp"
    source = folder / f"probe{suffix}"
    output = folder / "probe.so"
    try:
        # Two common headers: a compiler without the C library passes the empty file.
        source.write_text("#include <stdint.h>\n#include <stdlib.h>\n")
        ran = run(
            command_line(toolchain, source, output, ()),
            60.0,
            {"TMPDIR": str(folder), **settings},
        )
    except OSError as error:
        return error.strerror or str(error)
    if ran.timed_out:
        return "it did not finish within 60 s"
    if ran.returncode == 0:
        return None if output.is_file() else "it succeeded but wrote no library"
    return _first_lines(ran, 4)


def run(command: Sequence[str], timeout_s: float, settings: Mapping[str, str]) -> Ran:
    """Run a command to its end or to the limit; ``settings`` add to the environment."""
    environment = {**os.environ, "LC_ALL": "C", "LANGUAGE": "C", **settings}
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )
    timed_out = False
    try:
        output, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        timed_out = True
        _kill(process)
        output = _drain(process)
    except BaseException:  # KeyboardInterrupt above all: leave no compiler behind
        _kill(process)
        _drain(process)
        raise
    text = output.decode("utf-8", "replace")
    return Ran(process.returncode, text, timed_out)


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except (ProcessLookupError, PermissionError):
        process.kill()


def _drain(process: subprocess.Popen[bytes]) -> bytes:
    try:
        # A grandchild that left the process group may still hold the pipe.
        return process.communicate(timeout=2.0)[0]
    except subprocess.TimeoutExpired:
        return b""


def ending(returncode: int) -> str:
    """Say how a process ended that left no text."""
    if returncode >= 0:
        return f"exit status {returncode}"
    try:
        return f"killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"killed by signal {-returncode}"


def _first_lines(ran: Ran, count: int = _MESSAGE_LINES) -> str:
    lines = [line.rstrip() for line in ran.output.splitlines() if line.strip()]
    if not lines:
        return ending(ran.returncode)
    # gcc prints "In function f:" before the first error; keep from the start, and make
    # sure that the first error itself is inside the window.
    first_error = next(
        (at for at, line in enumerate(lines) if re.search(r"\berror\b", line)), 0
    )
    start = max(0, first_error - 2) if first_error >= count else 0
    shown = lines[start : start + count]
    left = len(lines) - start - len(shown)
    return "\n".join([*shown, *([f"... {left} more lines"] if left > 0 else [])])


def _place(command: Sequence[str], source_path: Path) -> str:
    return f"\n  command: {shlex.join(command)}\n  source:  {source_path}"


def _indent(text: str) -> str:
    return "".join(f"\n    {line}" for line in text.splitlines())


_DISK_FULL = re.compile(
    r"no space left on device|disk quota exceeded|file too large|file size limit"
    r"|NoSpaceLeft|DiskQuota|FileTooBig",
    re.IGNORECASE,
)
_KILLED = re.compile(
    r"killed signal terminated|unable to execute command: killed"
    r"|out of memory|cannot allocate memory"
    r"|virtual memory exhausted|OutOfMemory",
    re.IGNORECASE,
)
_CRASH = re.compile(
    r"internal compiler error|please submit a (full )?bug report"
    r"|segmentation fault|stack dump:|thread \d+ panic",
    re.IGNORECASE,
)
_FULL_ERRNO = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def disk_is_full(error: BaseException) -> bool:
    """Say whether an error of `compile_shared` or of a write means a full disk."""
    if isinstance(error, CompileError):
        return error.code == "E1006"
    return isinstance(error, OSError) and error.errno in _FULL_ERRNO


def _diagnose(
    ran: Ran,
    toolchain: Toolchain,
    command: Sequence[str],
    source_path: Path,
    timeout_s: float,
    settings: Mapping[str, str],
) -> CompileError:
    who = Path(toolchain.argv[0]).name
    said = _indent(_first_lines(ran))
    place = _place(command, source_path)
    if ran.timed_out:
        return CompileError(
            f"{who} did not finish within {timeout_s:g} s and was stopped{place}",
            code="E1003",
            help="raise OPSLIB_COMPILE_TIMEOUT (seconds), or try another compiler "
            "with OPSLIB_CC",
        )
    if _DISK_FULL.search(ran.output) or ran.returncode == -getattr(
        signal, "SIGXFSZ", 25
    ):
        return CompileError(
            f"the disk is full, or a file size limit was met, while {who} wrote to "
            f"{settings.get('TMPDIR')}{said}{place}",
            code="E1006",
            help="free some space, or point OPSLIB_CACHE_DIR to another disk",
        )
    # Before the memory text: a crash report may quote anything of the source.
    if _CRASH.search(ran.output) or ran.returncode in (
        -signal.SIGSEGV,
        -signal.SIGABRT,
        -getattr(signal, "SIGBUS", 7),
    ):
        return CompileError(
            f"{who} itself crashed (an internal compiler error){said}{place}",
            code="E1004",
            help="try another compiler with OPSLIB_CC; the kept source is what its "
            "authors need in a report",
        )
    if ran.returncode == -signal.SIGKILL or _KILLED.search(ran.output):
        return CompileError(
            f"{who} was killed, most likely for lack of memory{said}{place}",
            code="E1005",
            help="free some memory or raise the container's limit; fewer compiles at "
            "once need less",
        )
    broken = _probe(toolchain, Path(settings["TMPDIR"]), settings)
    if broken is not None:
        return CompileError(
            f"{who} cannot compile even an empty file:{_indent(broken)}{place}",
            code="E1007",
            help=REMEDY[toolchain.language],
        )
    return CompileError(
        f"{who} refused the source:{said}{place}",
        code="E1002",
        help="generated code must always compile: report this with the kept source, "
        "or try another compiler with OPSLIB_CC",
    )


def _raise_os(
    error: OSError, toolchain: Toolchain, command: Sequence[str], source_path: Path
) -> NoReturn:
    if error.errno in _FULL_ERRNO:
        code, help = "E1006", "free some space, or point OPSLIB_CACHE_DIR elsewhere"
    elif error.errno in (errno.ENOMEM, errno.EAGAIN):
        code, help = "E1005", "free some memory or raise the process limit (ulimit -u)"
    else:
        code, help = "E1007", REMEDY[toolchain.language]
    raise CompileError(
        f"{toolchain.argv[0]} cannot be started: {error.strerror or error}"
        f"{_place(command, source_path)}",
        code=code,
        help=help,
    ) from error
