"""libopapi, CANN's operator library, opened by name: aclnnXxx calls in two phases.

The first phase checks the arguments and says how much workspace the second needs; the
executor that it gives is used up by the second ("aclDestroyAclOpExecutor", aolapi/
operatorlist_00021 of CANN 9.1). Objects are made and undone by libnnopbase, on which
libopapi depends: its functions are found through either.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cffi

from .library import NotInstalled, acl, open_library, search_path

OPERATORS = "libopapi.so"

# aolapi/operatorlist_00019 (aclCreateTensor) and its neighbours, CANN 9.1.
_PROTOTYPES = """
    typedef int aclnnStatus;
    typedef void *aclrtStream;
    typedef struct aclTensor aclTensor;
    typedef struct aclScalar aclScalar;
    typedef struct aclIntArray aclIntArray;
    typedef struct aclOpExecutor aclOpExecutor;
    aclTensor *aclCreateTensor(const int64_t *viewDims, uint64_t viewDimsNum,
                               int dataType, const int64_t *stride, int64_t offset,
                               int format, const int64_t *storageDims,
                               uint64_t storageDimsNum, void *tensorData);
    aclScalar *aclCreateScalar(void *value, int dataType);
    aclIntArray *aclCreateIntArray(const int64_t *value, uint64_t size);
    aclnnStatus aclDestroyTensor(const aclTensor *tensor);
    aclnnStatus aclDestroyScalar(const aclScalar *scalar);
    aclnnStatus aclDestroyIntArray(const aclIntArray *array);
    aclnnStatus aclSetAclOpExecutorRepeatable(aclOpExecutor *executor);
    aclnnStatus aclDestroyAclOpExecutor(aclOpExecutor *executor);
"""


@dataclass(frozen=True, slots=True)
class Opapi:
    """The opened library.

    Attributes:
        ffi, functions: the calls of the table that was given.
        path: the file, for reports.
        version: of CANN's runtime, which it is shipped with.
    """

    ffi: Any
    functions: Any
    path: str
    version: str

    def has(self, call: str) -> bool:
        """Whether this release has an operator."""
        return all(
            hasattr(self.functions, name) for name in (call, f"{call}GetWorkspaceSize")
        )


_lock = threading.Lock()


def opapi(calls: Iterable[tuple[str, tuple[str, ...]]]) -> Opapi | None:
    """The operator library with calls of these names and argument types.

    None where it is not installed: it is a part of CANN of its own.

    Raises:
        BackendUnavailable: ACL does not start.
    """
    with _lock:
        try:
            return _opapi(search_path(), tuple(calls))
        except NotInstalled:
            return None


@cache
def _opapi(
    folders: tuple[str, ...], calls: tuple[tuple[str, tuple[str, ...]], ...]
) -> Opapi:
    runtime = acl()
    ffi = cffi.FFI()
    ffi.cdef(_PROTOTYPES)
    for call, ctypes in calls:
        first = ", ".join((*ctypes, "uint64_t *", "aclOpExecutor **"))
        ffi.cdef(
            f"aclnnStatus {call}GetWorkspaceSize({first});"
            f"aclnnStatus {call}(void *, uint64_t, aclOpExecutor *, aclrtStream);"
        )
    functions, path = open_library(ffi, OPERATORS, folders)
    return Opapi(ffi, functions, str(Path(path)), runtime.version)


def destroy(library: Opapi, made: Iterable[tuple[str, Any]]) -> None:
    """Undoes objects; never raises, for it may run at the interpreter's end."""
    for function, item in made:
        if function:
            getattr(library.functions, function)(item)
