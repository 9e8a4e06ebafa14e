"""Call kernels from Python: through a small extension, or through cffi where it fails.

`FastCall` is what an operator's function calls first. It keeps its few latest plans as
`Record` objects; when the arrays fit one, it allocates the outputs and runs the kernel
without entering Python code, and else it calls ``miss``, the slow path, which plans,
runs, explains errors, and inserts a new `Record`.

The extension, ``native/launcher.c``, is compiled into the kernel cache on first use. A
call of two small arrays takes 0.15 us, two thirds of it in ``np.empty``. It cannot be
used on PyPy or a free-threaded CPython, nor where it cannot be loaded; the cffi version
(`launcher_cffi`) does the same in about 7 us (`launcher_kind` says which one runs).
"""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import numpy as np

from opslib.errors import OpslibError
from opslib.runtime import cache as _cache
from opslib.runtime import toolchain as _toolchain
from opslib.runtime.launcher_cffi import (
    CffiFastCall,
    CffiRecord,
    cffi_last_error,
    cffi_launch,
)
from opslib.runtime.launcher_types import (
    Array,
    FastCall,
    Guard,
    KernelFailure,
    Output,
    Record,
)
from opslib.settings import words

__all__ = [
    "Array",
    "FastCall",
    "Guard",
    "Implementation",
    "KernelFailure",
    "Output",
    "Record",
    "fast_call",
    "guard",
    "implementation",
    "last_error",
    "launch",
    "launcher_kind",
    "record",
]

_EXTENSION = "_opslib_launcher"
_FLAGS = ("-std=c11", "-O2", "-fvisibility=hidden")
# A Python extension leaves the interpreter's symbols open; only macOS's ld minds.
_OPEN_SYMBOLS = ("-undefined", "dynamic_lookup") if sys.platform == "darwin" else ()


@dataclass(frozen=True, slots=True)
class Implementation:
    """The functions in use, for callers that want them without one more call.

    Attributes:
        kind: ``"extension"`` or ``"cffi"``.
        reason: why it is not the extension; empty if it is.
    """

    kind: Literal["extension", "cffi"]
    reason: str
    record: Callable[..., Record]
    fast_call: Callable[..., FastCall]
    launch: Callable[..., int]
    last_error: Callable[[int], KernelFailure]


def guard(array: Array, alignment: int | None = None) -> Guard:
    """Return the guard that fits arrays like this one.

    Args:
        array: an array a plan was made for.
        alignment: bytes its address must be a multiple of; by default what its dtype
            needs, which all but hand-made views fulfil.
    """
    needed = array.dtype.alignment if alignment is None else alignment
    return array.dtype, array.shape, array.strides, needed


def record(
    kernel: int,
    context: int,
    guards: Sequence[Guard],
    ints: bytes,
    reals: bytes,
    outputs: Sequence[Output],
    release_gil: bool,
    pack: Callable[[Any], Any] | None = None,
) -> Record:
    """Make a `Record`: all that a call needs, once its arrays are known to fit.

    Args:
        kernel: address of an ``ops_kernel``.
        context: address of an ``ops_context_provider`` (`pool.context_provider`).
        guards: one per argument, in order; see `guard`.
        ints: the kernel's ``ints``, as the bytes of an int64 array.
        reals: the kernel's ``reals``, as the bytes of a float64 array.
        outputs: (shape, dtype) of each output; allocated in C order. The kernel's
            buffers are the arguments and then the outputs, at most 32 together.
        release_gil: whether other Python threads may run meanwhile; costs about 50 ns.
        pack: makes the result of the output, or of the tuple of several, such as a
            named tuple's ``_make``.
    """
    return implementation().record(
        kernel, context, tuple(guards), ints, reals, tuple(outputs), release_gil, pack
    )


def fast_call(
    miss: Callable[..., Any], empty: Callable[..., Array] = np.empty
) -> FastCall:
    """Make a `FastCall` without plans.

    Args:
        miss: called with the same arguments if no plan fits them, and if a kernel
            reports a failure: it runs the operator again and raises what is wrong.
        empty: called as ``empty(shape, dtype)`` for each output.
    """
    return implementation().fast_call(miss, empty)


def launch(
    kernel: int,
    context: int,
    pointers: Sequence[Any],
    ints: bytes,
    reals: bytes,
    release_gil: bool,
) -> int:
    """Run a kernel once and return its code: 0, or what `last_error` explains.

    Args:
        kernel: address of an ``ops_kernel``.
        context: address of an ``ops_context_provider``.
        pointers: per buffer an address, an array, another object with a buffer, or
            None. Nothing is checked: a kernel writes past the end of a small array.
        ints: as for `record`.
        reals: as for `record`.
        release_gil: as for `record`.
    """
    return implementation().launch(kernel, context, pointers, ints, reals, release_gil)


def last_error(context: int) -> KernelFailure:
    """Return (code, operand, index, extent) of this thread's last kernel."""
    return implementation().last_error(context)


def launcher_kind() -> Literal["extension", "cffi"]:
    """Return which launcher this process uses; builds the extension if need be."""
    return implementation().kind


def implementation() -> Implementation:
    """Return the launcher that ``OPSLIB_LAUNCHER`` allows and this Python can use."""
    return _implementation(bool(words("OPSLIB_LAUNCHER", ("cffi",))))


@functools.cache
def _implementation(cffi: bool) -> Implementation:
    reason = _why_no_extension(cffi)
    if not reason:
        try:
            module = _extension()
            return Implementation(
                kind="extension",
                reason="",
                record=module.Record,
                fast_call=module.FastCall,
                launch=module.launch,
                last_error=module.last_error,
            )
        except (OpslibError, ImportError, OSError) as error:
            reason = str(error)
    return Implementation(
        kind="cffi",
        reason=reason,
        record=CffiRecord,
        fast_call=CffiFastCall,
        launch=cffi_launch,
        last_error=cffi_last_error,
    )


def _why_no_extension(cffi: bool) -> str:
    if cffi:
        return "OPSLIB_LAUNCHER=cffi"
    if sys.implementation.name != "cpython":
        return f"{sys.implementation.name} is not CPython"
    if "t" in getattr(sys, "abiflags", ""):
        return "a free-threaded CPython lays out objects differently"
    return ""


def _extension() -> ModuleType:
    source = (_toolchain.native_folder() / "launcher.c").read_text(encoding="utf-8")
    _, module = _cache.default_cache().load_with(
        _import_from,
        source,
        "launcher",
        _toolchain.find_toolchain(),
        (*_FLAGS, *_OPEN_SYMBOLS),
    )
    # Fields are read only if the C code finds this array's where it expects them; their
    # offsets are looked at only if the object is large enough to have them.
    sample = np.zeros((3, 5), np.int16)[1:, ::2]
    large_enough = np.ndarray.__basicsize__ >= 7 * 8
    module.configure(np.ndarray, sample, large_enough)
    return module


def _import_from(path: str) -> ModuleType:
    loader = importlib.machinery.ExtensionFileLoader(_EXTENSION, path)
    spec = importlib.util.spec_from_loader(_EXTENSION, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module
