"""libascendcl and libacl_rtc, opened by name; nothing of CANN is linked or shipped.

The prototypes are those of the public runtime API reference (CANN 9.1) for the calls
that opslib makes.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cffi

from .errors import acl_error

RUNTIME = "libascendcl.so"
COMPILER = "libacl_rtc.so"

_PROTOTYPES = """
    typedef int aclError;
    typedef void *aclrtStream;
    typedef void *aclrtEvent;
    typedef void *aclrtBinHandle;
    typedef void *aclrtFuncHandle;
    typedef struct { int type; union { uint32_t isLazyLoad; uint32_t magic;
                     int32_t cpuKernelMode; uint32_t rsv[4]; } value;
                   } aclrtBinaryLoadOption;
    typedef struct { aclrtBinaryLoadOption *options; size_t numOpt;
                   } aclrtBinaryLoadOptions;
    aclError aclInit(const char *configPath);
    aclError aclrtGetVersion(int32_t *major, int32_t *minor, int32_t *patch);
    const char *aclGetRecentErrMsg(void);
    const char *aclrtGetSocName(void);
    aclError aclrtGetDeviceCount(uint32_t *count);
    aclError aclrtGetDeviceInfo(uint32_t device, int attribute, int64_t *value);
    aclError aclrtSetDevice(int32_t device);
    aclError aclrtMalloc(void **pointer, size_t size, int policy);
    aclError aclrtFree(void *pointer);
    aclError aclrtMallocHost(void **pointer, size_t size);
    aclError aclrtMemcpy(void *target, size_t room, const void *source, size_t count,
                         int kind);
    aclError aclrtMemcpyAsync(void *target, size_t room, const void *source,
                              size_t count, int kind, aclrtStream stream);
    aclError aclrtCreateStream(aclrtStream *stream);
    aclError aclrtDestroyStream(aclrtStream stream);
    aclError aclrtSynchronizeStream(aclrtStream stream);
    aclError aclrtCreateEvent(aclrtEvent *event);
    aclError aclrtDestroyEvent(aclrtEvent event);
    aclError aclrtRecordEvent(aclrtEvent event, aclrtStream stream);
    aclError aclrtStreamWaitEvent(aclrtStream stream, aclrtEvent event);
    aclError aclrtSynchronizeEvent(aclrtEvent event);
    aclError aclrtEventElapsedTime(float *milliseconds, aclrtEvent start,
                                   aclrtEvent end);
    aclError aclrtBinaryLoadFromData(const void *data, size_t length,
                                     const aclrtBinaryLoadOptions *options,
                                     aclrtBinHandle *binary);
    aclError aclrtBinaryUnLoad(aclrtBinHandle binary);
    aclError aclrtBinaryGetFunction(const aclrtBinHandle binary, const char *name,
                                    aclrtFuncHandle *function);
    aclError aclrtLaunchKernelWithArgsArray(void *function, uint32_t blocks,
                                            aclrtStream stream, void *config,
                                            void **arguments);
"""
_COMPILER_PROTOTYPES = """
    typedef int aclError;
    typedef void *aclrtcProg;
    aclError aclrtcCreateProg(aclrtcProg *program, const char *source,
                              const char *name, int headers, const char **texts,
                              const char **names);
    aclError aclrtcCompileProg(aclrtcProg program, int count, const char **options);
    aclError aclrtcGetBinDataSize(aclrtcProg program, size_t *size);
    aclError aclrtcGetBinData(aclrtcProg program, char *data);
    aclError aclrtcGetCompileLogSize(aclrtcProg program, size_t *size);
    aclError aclrtcGetCompileLog(aclrtcProg program, char *log);
    aclError aclrtcDestroyProg(aclrtcProg *program);
"""


@dataclass(frozen=True, slots=True)
class Acl:
    """An opened and initialised ACL. Thread-safe, as ACL's calls are.

    Attributes:
        ffi, functions: of the runtime.
        path: the file, for reports.
        version: major, minor, patch of the runtime, e.g. ``1.17.0``.
    """

    ffi: Any
    functions: Any
    path: str
    version: str

    def call(self, name: str, *arguments: Any, where: str = "") -> None:
        """Calls; raises what the return code means."""
        code = getattr(self.functions, name)(*arguments)
        if code:
            raise acl_error(code, name, self.message(), where=where)

    def message(self) -> str:
        """ACL's account of this thread's last error; clears it."""
        text = self.functions.aclGetRecentErrMsg()
        if text == self.ffi.NULL:
            return ""
        return bytes(self.ffi.string(text)).decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Rtc:
    """The run-time compiler's library."""

    ffi: Any
    functions: Any
    path: str


class NotInstalled(Exception):
    """CANN, or a part of it, is not there; the text is a sentence with the remedy."""


_lock = threading.Lock()


def acl() -> Acl:
    """The runtime, initialised once in this process.

    Raises:
        NotInstalled: no libascendcl.
        BackendUnavailable: it is there and does not start.
    """
    with _lock:
        return _acl(search_path())


def rtc() -> Rtc:
    """The run-time compiler; raises NotInstalled where CANN is older than 9.0."""
    with _lock:
        return _rtc(search_path())


@cache
def _acl(folders: tuple[str, ...]) -> Acl:
    ffi = cffi.FFI()
    ffi.cdef(_PROTOTYPES)
    functions, path = open_library(ffi, RUNTIME, folders)
    code = functions.aclInit(ffi.NULL)
    # 100002: another library of this process, such as torch_npu, did it before.
    opened = Acl(ffi, functions, path, "")
    if code not in (0, 100002):
        raise acl_error(code, "aclInit", opened.message())
    numbers = ffi.new("int32_t[3]")
    opened.call("aclrtGetVersion", numbers, numbers + 1, numbers + 2)
    return Acl(ffi, functions, path, ".".join(map(str, numbers)))


@cache
def _rtc(folders: tuple[str, ...]) -> Rtc:
    ffi = cffi.FFI()
    ffi.cdef(_COMPILER_PROTOTYPES)
    functions, path = open_library(ffi, COMPILER, folders)
    return Rtc(ffi, functions, path)


def search_path() -> tuple[str, ...]:
    """Where set_env.sh of CANN says it is, then the usual place."""
    home = os.environ.get("ASCEND_HOME_PATH") or os.environ.get("ASCEND_TOOLKIT_HOME")
    roots = [home] if home else []
    roots.append("/usr/local/Ascend/ascend-toolkit/latest")
    return tuple(str(Path(r) / "lib64") for r in roots)


def open_library(ffi: Any, name: str, folders: tuple[str, ...]) -> tuple[Any, str]:
    """A library of CANN, and the path it was found at; raises NotInstalled."""
    tried = []
    for path in (*(str(Path(f) / name) for f in folders), name):
        if "/" in path and not Path(path).is_file():
            continue
        try:
            return ffi.dlopen(path), path
        except OSError as error:
            tried.append(str(error))
    broken = [t for t in tried if "No such file" not in t.split(":", 1)[-1]]
    if broken:
        raise NotInstalled(
            f"{name} does not load: {broken[0]}; source set_env.sh of CANN and check "
            f"that the driver fits it"
        )
    raise NotInstalled(
        f"CANN is not installed ({name} not found); install CANN 9.0 or later and "
        f"source its set_env.sh"
    )
