"""CUDA C++ to machine code by NVRTC, which needs neither a GPU nor its driver; cached.

The report of ptxas (``-v``) is kept beside the machine code: registers, spills and
shared memory of each kernel.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from opslib.errors import BackendUnavailable, CompileError
from opslib.runtime.cache import default_cache
from opslib.runtime.cache_blobs import blob_key, cached_blob
from opslib.runtime.cache_digest import included
from opslib.runtime.toolchain import native_folder

from .packages import NotInstalled, bindings, core
from .targets import GpuTarget

# Lines of the compiler's log in a message.
_SHOWN = 12
# For ptxas, where it spilled: at its usual level (5 of 0 to 10) it moves work ahead
# until registers run out, and puts up to a dozen values into memory to stay below the
# number that lets another block run. At 3 it mostly has the same number and no spills,
# for which it gives up some of the moving; so this is no default.
_SPARING = "--register-usage-level=3"
# Then, for launches that do not say how many blocks a multiprocessor must hold at once:
# fewer than ptxas aims at by itself. It stops at 48, 64 or 80 registers for the sake of
# one more block, be it that 252 bytes spill (conv_transpose2d of float32 on sm_100).
_ROOM = (2, 1)
# More bytes than this are not what sparing was seen to save, and it would be half a
# minute for nothing (conv3d).
_FEW = 64


@dataclass(frozen=True, slots=True)
class Usage:
    """What ptxas reports of one kernel.

    Attributes:
        name: of the function.
        registers: of a thread.
        spill_stores, spill_loads: bytes of registers that went to memory.
        stack: bytes of a thread's local memory, spilled registers among them.
        shared: bytes of static shared memory.
        barriers: named barriers in use.
    """

    name: str
    registers: int
    spill_stores: int
    spill_loads: int
    stack: int
    shared: int
    barriers: int

    @property
    def spills(self) -> int:
        """Bytes that are stored or loaded only for want of registers."""
        return self.spill_stores + self.spill_loads


@dataclass(frozen=True, slots=True)
class Compiled:
    """Machine code of one translation unit.

    Attributes:
        cubin: as the driver loads it.
        usage: of each kernel, in the order of the report.
        log: warnings and the report, as text.
    """

    cubin: bytes
    usage: tuple[Usage, ...]
    log: str

    @property
    def spills(self) -> int:
        """Bytes of all kernels."""
        return sum(u.spills for u in self.usage)

    def of(self, name: str) -> Usage:
        """One kernel's usage; raises KeyError."""
        found = {u.name: u for u in self.usage}
        return found[name]


def compile_text(source: str, name: str, target: GpuTarget) -> Compiled:
    """The machine code of a text, from the kernel cache where it is there.

    Args:
        source: CUDA C++17; ``#include "opslib_cuda.h"`` finds opslib's headers.
        name: of the unit, for messages and files.
        target: its `arch` is compiled for; its dialect must be ``cuda``.

    Raises:
        CompileError: NVRTC or ptxas refused it: the first error with its line, the log.
        BackendUnavailable: NVRTC is not installed; how to.
    """
    try:
        folders = include_folders()
        by = f"NVRTC {version()}"
    except NotInstalled as missing:
        raise BackendUnavailable(str(missing), code="E0803") from missing
    key = blob_key(
        "nvrtc",
        source,
        json.dumps(included(source, [f"-I{f}" for f in folders])),
        target.arch,
        json.dumps(sorted(options(target).items())),
        _SPARING,
        str(_ROOM),
        by,
    )

    def make() -> bytes:
        return _packed(_without_spills(source, name, target, folders))

    safe = re.sub(r"\W", "_", name)[:60]
    data = cached_blob(default_cache(), key, safe, source, f"{by}, {target.arch}", make)
    return _unpacked(data)


def options(target: GpuTarget) -> dict[str, Any]:
    """Of ``cuda.core.ProgramOptions``, but for the name and the folders.

    Products and sums are rounded one by one, as the specs mean them: `fma` is used only
    where it is written. Division and square root are rounded to nearest, subnormals
    kept. The line numbers are for profilers and compute-sanitizer; they change no code.
    """
    return {
        "std": "c++17",
        "arch": target.arch,
        "fma": False,
        "ftz": False,
        "prec_div": True,
        "prec_sqrt": True,
        "use_fast_math": False,
        "lineinfo": True,
        "ptxas_options": ["-v"],
    }


def include_folders() -> tuple[str, ...]:
    """Where headers are looked for; kernels need none of CUDA's."""
    native = native_folder()
    return (str(native / "cuda"), str(native))


@cache
def version() -> str:
    """NVRTC's, e.g. ``13.5``."""
    try:
        code, major, minor = bindings("nvrtc").nvrtcVersion()
    except (RuntimeError, OSError) as error:  # the wheel is there, its library is not
        raise NotInstalled(f"NVRTC does not load: {error}") from error
    if int(code):
        raise NotInstalled(f"NVRTC does not say its version: {code}")
    return f"{major}.{minor}"


def _without_spills(
    source: str, name: str, target: GpuTarget, folders: Sequence[str]
) -> Compiled:
    """The code of ptxas's usual choices, or of those here that spill least."""
    best = _compile(source, name, target, folders)
    spilling = [u.name for u in best.usage if u.spills]
    can_have_room = _with_room(source, spilling, _ROOM[0]) != source
    if 0 < best.spills <= _FEW or (spilling and not can_have_room):
        best = _better(best, _compile(source, name, target, folders, (_SPARING,)))
    for blocks in _ROOM if best.spills else ():
        text = _with_room(source, [u.name for u in best.usage if u.spills], blocks)
        if best.spills and text != source:
            best = _better(best, _compile(text, name, target, folders))
    return best


def _better(a: Compiled, b: Compiled) -> Compiled:
    return b if b.spills < a.spills else a


def _with_room(source: str, names: Sequence[str], blocks: int) -> str:
    """The text with some launches for so many blocks, where they say nothing of it."""
    for name in names:
        source = re.sub(
            rf"__launch_bounds__\((\d+)\) {re.escape(name)}\(",
            rf"__launch_bounds__(\1, {blocks}) {name}(",
            source,
        )
    return source


def _compile(
    source: str,
    name: str,
    target: GpuTarget,
    folders: Sequence[str],
    more: Sequence[str] = (),
) -> Compiled:
    module = core()
    # An empty log has no object of its own in `cuda.core`.
    log = io.StringIO()
    chosen = options(target)
    chosen["ptxas_options"] = [*chosen["ptxas_options"], *more]
    given = module.ProgramOptions(
        name=f"{name}.cu", include_path=list(folders), **chosen
    )
    try:
        made = module.Program(source, "c++", given)
        code = bytes(made.compile("cubin", logs=log).code)
    except Exception as error:
        # `cuda.core` has no public class for a refusal; the log is in its text.
        raise refusal(str(error), source, name, target) from error
    text = _clean(log.getvalue())
    return Compiled(code, tuple(usage(text)), text)


# --- The report --------------------------------------------------------------------

_ENTRY = re.compile(r"Compiling entry function '([^']+)'")
_STACK = re.compile(
    r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads"
)
_USED = re.compile(r"Used (\d+) registers")
_SHARED = re.compile(r"(\d+) bytes smem")
_BARRIERS = re.compile(r"used (\d+) barriers")


def usage(log: str) -> list[Usage]:
    """What a report of ``ptxas -v`` says of each kernel.

    A function that is called and not inlined has its own stack and spills in the
    report; they are counted to the kernel before it.
    """
    found: list[Usage] = []
    name = ""
    stack = stores = loads = 0
    for line in log.splitlines():
        if entry := _ENTRY.search(line):
            name = entry[1]
            stack = stores = loads = 0
        elif frame := _STACK.search(line):
            stack += int(frame[1])
            stores += int(frame[2])
            loads += int(frame[3])
        elif (used := _USED.search(line)) and name:
            shared = _SHARED.search(line)
            barriers = _BARRIERS.search(line)
            found.append(
                Usage(
                    name,
                    int(used[1]),
                    stores,
                    loads,
                    stack,
                    int(shared[1]) if shared else 0,
                    int(barriers[1]) if barriers else 0,
                )
            )
    return found


# --- Errors ------------------------------------------------------------------------

_ERROR = re.compile(r"^(?P<file>[^\s(]+)\((?P<line>\d+)\): .*?error: (?P<text>.*)$")
_PTXAS = re.compile(r"^ptxas .*?(?:error|fatal)\s*: (?P<text>.*)$")


def refusal(said: str, source: str, name: str, target: GpuTarget) -> CompileError:
    """The error for a compiler that refused a text, from what `cuda.core` raised."""
    log = _clean(said.partition("compilation log:")[2] or said)
    lines = [line for line in log.splitlines() if line.strip()]
    found = next(filter(None, map(_ERROR.match, lines)), None)
    if found is not None:
        place = _place(found, source, name)
        return _refused(found["text"], place, log, target, name)
    found = next(filter(None, map(_PTXAS.match, lines)), None)
    first = lines[0] if lines else "it says nothing"
    return _refused(first if found is None else found["text"], "", log, target, name)


def _place(found: re.Match[str], source: str, name: str) -> str:
    number = int(found["line"])
    if found["file"] != f"{name}.cu":
        return f"\n  at {found['file']}:{number}"
    lines = source.splitlines()
    text = lines[number - 1].strip() if 0 < number <= len(lines) else ""
    return f"\n  line {number}: {text}"


def _refused(
    what: str, place: str, log: str, target: GpuTarget, name: str
) -> CompileError:
    lines = [line for line in log.splitlines() if line.strip()]
    shown = "".join(f"\n    {line}" for line in lines[:_SHOWN])
    more = f"\n    ... {len(lines) - _SHOWN} more lines" if len(lines) > _SHOWN else ""
    return CompileError(
        f"NVRTC refused {name} for {target.arch}: {what}{place}{shown}{more}",
        code="E1002",
        help="generated code must always compile: report this with the source, which "
        "`opslib show OPERATOR --backend cuda` prints",
    )


def _clean(text: str) -> str:
    """A log without the zeros that end its parts."""
    return text.replace("\0", "\n").strip()


# --- In the cache ------------------------------------------------------------------


def _packed(made: Compiled) -> bytes:
    """One line of JSON, then the machine code."""
    head = {"log": made.log, "usage": [asdict(u) for u in made.usage]}
    return json.dumps(head).encode() + b"\n" + made.cubin


def _unpacked(data: bytes) -> Compiled:
    head, _, cubin = data.partition(b"\n")
    found = json.loads(head)
    return Compiled(cubin, tuple(Usage(**u) for u in found["usage"]), found["log"])
