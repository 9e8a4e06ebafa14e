"""Ascend C to a device binary: aclrtc where CANN has it, else bisheng; cached.

The key of the cache is the source, the architecture, the compiler and CANN's version;
the folder, its rights and its digests are those of opslib's kernel cache.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opslib.errors import CompileError

from .errors import acl_error
from .library import NotInstalled, Rtc, rtc

# ACL's option strings; the numbers name the instruction set (npu.md's target table).
ARCHITECTURES = {"2201": "dav-2201", "3510": "dav-3510", "2002": "dav-2002"}
TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class Compiler:
    """How sources become binaries here.

    Attributes:
        kind: ``aclrtc`` or ``bisheng``.
        path: of the library or the program.
        library: of aclrtc; None for bisheng.
    """

    kind: str
    path: str
    library: Rtc | None = None

    def compile(self, source: str, name: str, arch: str) -> bytes:
        """The binary: a device object of aclrtc, a shared object of bisheng.

        Raises:
            CompileError: with the compiler's own log.
        """
        if self.library is not None:
            return _with_rtc(self.library, source, name, arch)
        return _with_bisheng(self.path, source, name, arch)


def compiler() -> Compiler:
    """The compiler of the CANN that is installed.

    Raises:
        NotInstalled: neither is there; the text is the remedy.
    """
    try:
        library = rtc()
    except NotInstalled as reason:
        program = shutil.which("bisheng") or _bisheng_of_cann()
        if program is None:
            raise NotInstalled(
                "CANN has neither libacl_rtc nor bisheng here; install the toolkit of "
                "CANN 9.0 or later, not only its runtime"
            ) from reason
        return Compiler("bisheng", os.path.realpath(program))
    return Compiler("aclrtc", library.path, library)


def _bisheng_of_cann() -> str | None:
    home = os.environ.get("ASCEND_HOME_PATH", "")
    for place in ("compiler/ccec_compiler/bin/bisheng", "bin/bisheng"):
        path = Path(home) / place
        if home and path.is_file():
            return str(path)
    return None


def _with_rtc(library: Rtc, source: str, name: str, arch: str) -> bytes:
    ffi, functions = library.ffi, library.functions
    handle = ffi.new("aclrtcProg *")
    code = functions.aclrtcCreateProg(
        handle, source.encode(), name.encode(), 0, ffi.NULL, ffi.NULL
    )
    if code:
        raise acl_error(code, "aclrtcCreateProg")
    try:
        option = ffi.new("char[]", f"--npu-arch={ARCHITECTURES[arch]}".encode())
        options = ffi.new("const char *[]", [option])
        code = functions.aclrtcCompileProg(handle[0], 1, options)
        if code:
            log = _text(ffi, functions, handle[0])
            raise acl_error(code, "aclrtcCompileProg", log, where=name)
        size = ffi.new("size_t *")
        code = functions.aclrtcGetBinDataSize(handle[0], size)
        if code or not size[0]:
            raise acl_error(code or 500000, "aclrtcGetBinDataSize", where=name)
        data = ffi.new("char[]", size[0])
        code = functions.aclrtcGetBinData(handle[0], data)
        if code:
            raise acl_error(code, "aclrtcGetBinData", where=name)
        return bytes(ffi.buffer(data))
    finally:
        functions.aclrtcDestroyProg(handle)


def _text(ffi: Any, functions: Any, program: Any) -> str:
    size = ffi.new("size_t *")
    if functions.aclrtcGetCompileLogSize(program, size) or not size[0]:
        return ""
    log = ffi.new("char[]", size[0] + 1)
    if functions.aclrtcGetCompileLog(program, log):
        return ""
    return bytes(ffi.string(log)).decode(errors="replace")


def _with_bisheng(program: str, source: str, name: str, arch: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="opslib-npu-") as folder:
        text, made = Path(folder) / f"{name}.asc", Path(folder) / f"{name}.so"
        text.write_text(source, encoding="utf-8")
        command = [
            program,
            "-shared",
            "-fPIC",
            "-xasc",
            f"--npu-arch={ARCHITECTURES[arch]}",
            str(text),
            "-o",
            str(made),
        ]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise CompileError(
                f"bisheng did not finish {name} in {TIMEOUT_S} s", code="E0812"
            ) from error
        if done.returncode or not made.is_file():
            raise CompileError(
                f"bisheng failed on {name} (status {done.returncode}):\n"
                f"{done.stderr.strip()[-4000:]}",
                code="E0812",
                help="the source is in the message's kernel: `opslib show` prints it",
            )
        return made.read_bytes()
