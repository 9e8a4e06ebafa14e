"""Call kernels from Python: through a small extension, or through cffi where it fails.

`FastCall` is what an operator's function calls first. It keeps its few latest plans as
`Record` objects; when the arrays fit one, it allocates the outputs and runs the kernel
without entering Python code, and else it calls ``miss``, the slow path, which plans,
runs, explains errors, and inserts a new `Record`.

The extension, ``native/launcher.c``, is compiled into the kernel cache on first use. A
call of two small arrays takes 0.15 us, two thirds of it in ``np.empty``. It cannot be
used on PyPy or a free-threaded CPython, nor where it cannot be loaded; the cffi version
here does the same in about 7 us (`launcher_kind` says which one runs).
"""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, Protocol, cast

import cffi
import numpy as np
import numpy.typing as npt

from opslib.errors import OpslibError
from opslib.runtime import cache as _cache
from opslib.runtime import toolchain as _toolchain

_EXTENSION = "_opslib_launcher"
_FLAGS = ("-std=c11", "-O2", "-fvisibility=hidden")
# A Python extension leaves the interpreter's symbols open; only macOS's ld minds.
_OPEN_SYMBOLS = ("-undefined", "dynamic_lookup") if sys.platform == "darwin" else ()

Array = npt.NDArray[Any]
# What an argument must be: (dtype by identity, shape, strides in bytes, alignment in
# bytes), or None for an optional array that is absent.
Guard = tuple[np.dtype[Any], tuple[int, ...], tuple[int, ...], int] | None
Output = tuple[tuple[int, ...], np.dtype[Any]]
KernelFailure = tuple[int, int, int, int]


class Record(Protocol):
    """A plan that is ready to run; made by `record`, opaque."""


class FastCall(Protocol):
    """An operator's latest plans; made by `fast_call`."""

    def __call__(self, *arrays: Any, **named: Any) -> Any:
        """Run the plan that fits the arrays, else ``miss(*arrays, **named)``."""

    def insert(self, record: Record, /) -> None:
        """Put a plan first; of more than eight the least recently used is dropped."""

    def clear(self) -> None:
        """Forget all plans."""


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
    return _implementation(os.environ.get("OPSLIB_LAUNCHER", ""))


@functools.cache
def _implementation(wanted: str) -> Implementation:
    reason = _why_no_extension(wanted)
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
        record=_CffiRecord,
        fast_call=_CffiFastCall,
        launch=_cffi_launch,
        last_error=_cffi_last_error,
    )


def _why_no_extension(wanted: str) -> str:
    if wanted == "cffi":
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


# ---- the same through cffi ----------------------------------------------------------

_DECLARATIONS = """
typedef struct ops_context ops_context;
struct ops_context {
    void *parallel;
    int32_t threads;
    void *workspace;
    int64_t error[4];
    void *pool;
    void *parallel_dynamic;
    void (*finish)(ops_context *);
};
typedef int32_t (*ops_kernel)(ops_context *, void *const *, const int64_t *,
                              const double *);
typedef ops_context *(*ops_context_provider)(void);
"""
_OUT_OF_MEMORY = 2
_MOST_RECORDS = 8


@functools.cache
def _ffi() -> Any:
    ffi = cffi.FFI()
    ffi.cdef(_DECLARATIONS)
    return ffi


def _address(item: Any) -> tuple[int, Any]:
    """Return an address, and what must live as long as it is used."""
    if item is None:
        return 0, None
    if isinstance(item, int):
        return item, None
    ffi = _ffi()
    try:
        held = ffi.from_buffer(item)
    except (TypeError, ValueError, BufferError):
        if not isinstance(item, np.ndarray):
            raise
        # from_buffer refuses strides and bfloat16; this takes twice as long.
        return int(item.__array_interface__["data"][0]), item
    return int(ffi.cast("uintptr_t", held)), held


def _run(
    kernel: Any, provider: Any, addresses: list[int], ints: Any, reals: Any
) -> int:
    ffi = _ffi()
    context = provider()
    if context == ffi.NULL:
        return _OUT_OF_MEMORY
    context.error = (0, 0, 0, 0)
    buffers = ffi.new("uintptr_t[]", addresses)
    # cffi always releases the GIL, so release_gil=False cannot be obeyed; no harm done.
    code = int(kernel(context, ffi.cast("void *const *", buffers), ints, reals))
    if context.finish != ffi.NULL:
        context.finish(context)
    return code


def _numbers(ints: bytes, reals: bytes) -> tuple[Any, Any]:
    if len(ints) % 8 or len(reals) % 8:
        raise ValueError("ints or reals is no multiple of 8 bytes")
    ffi = _ffi()
    return ffi.from_buffer("int64_t[]", ints), ffi.from_buffer("double[]", reals)


def _cffi_launch(
    kernel: int,
    context: int,
    pointers: Sequence[Any],
    ints: bytes,
    reals: bytes,
    release_gil: bool,
) -> int:
    if kernel == 0 or context == 0:
        raise ValueError("the address of kernel or context is 0")
    ffi = _ffi()
    located = [_address(item) for item in pointers]
    return _run(
        ffi.cast("ops_kernel", kernel),
        ffi.cast("ops_context_provider", context),
        [address for address, _ in located],
        *_numbers(ints, reals),
    )


def _cffi_last_error(context: int) -> KernelFailure:
    found = _ffi().cast("ops_context_provider", context)()
    if found == _ffi().NULL:
        raise MemoryError
    return cast(KernelFailure, tuple(int(value) for value in found.error))


class _CffiRecord:
    __slots__ = (
        "_context",
        "_kernel",
        "_numbers",
        "_outputs",
        "_pack",
        "guards",
    )

    def __init__(
        self,
        kernel: int,
        context: int,
        guards: tuple[Guard, ...],
        ints: bytes,
        reals: bytes,
        outputs: tuple[Output, ...],
        release_gil: bool,
        pack: Callable[[Any], Any] | None = None,
    ) -> None:
        if kernel == 0 or context == 0:
            raise ValueError("the address of kernel or context is 0")
        if not outputs or len(guards) + len(outputs) > 32:
            raise ValueError("a kernel has 1 output or more, and at most 32 arrays")
        self.guards = guards
        self._kernel = _ffi().cast("ops_kernel", kernel)
        self._context = _ffi().cast("ops_context_provider", context)
        self._numbers = _numbers(ints, reals)
        self._outputs = outputs
        self._pack = pack

    def locate(self, arrays: tuple[Any, ...]) -> list[int] | None:
        """Return the arrays' addresses if they fit, else None."""
        if len(arrays) != len(self.guards):
            return None
        addresses = []
        for array, wanted in zip(arrays, self.guards, strict=True):
            if wanted is None or array is None:
                if wanted is not array:
                    return None
                continue  # A kernel has no buffer for an absent argument.
            dtype, shape, strides, alignment = wanted
            if (
                type(array) is not np.ndarray
                or array.dtype is not dtype
                or array.shape != shape
                or not _same_strides(array.strides, strides, shape)
            ):
                return None
            address, _ = _address(array)
            if address % alignment:
                return None
            addresses.append(address)
        return addresses

    def run(
        self, addresses: list[int], empty: Callable[..., Array]
    ) -> tuple[bool, Any]:
        """Return whether the kernel succeeded, and the result."""
        made = [empty(shape, dtype) for shape, dtype in self._outputs]
        if any(type(array) is not np.ndarray for array in made):
            raise TypeError("empty() returned no numpy.ndarray")
        everything = addresses + [_address(array)[0] for array in made]
        if _run(self._kernel, self._context, everything, *self._numbers) != 0:
            return False, None
        result: Any = made[0] if len(made) == 1 else tuple(made)
        return True, result if self._pack is None else self._pack(result)


def _same_strides(
    given: tuple[int, ...], wanted: tuple[int, ...], shape: tuple[int, ...]
) -> bool:
    # The stride of an axis of size 1 is never used, and NumPy leaves it arbitrary.
    return (
        given == wanted
        or 0 in shape
        or all(
            one == other or size == 1
            for one, other, size in zip(given, wanted, shape, strict=True)
        )
    )


class _CffiFastCall:
    __slots__ = ("_empty", "_miss", "_records")

    def __init__(self, miss: Callable[..., Any], empty: Callable[..., Array]) -> None:
        self._miss = miss
        self._empty = empty
        # Never changed, only replaced as a whole: without a GIL a reader then sees some
        # complete list, and two writers at worst lose a record, which is a miss.
        self._records: tuple[_CffiRecord, ...] = ()

    def __call__(self, *arrays: Any, **named: Any) -> Any:
        if not named:
            records = self._records
            for at, each in enumerate(records):
                addresses = each.locate(arrays)
                if addresses is None:
                    continue
                if at > 0:
                    self._records = (each, *records[:at], *records[at + 1 :])
                succeeded, result = each.run(addresses, self._empty)
                if succeeded:
                    return result
                break
        return self._miss(*arrays, **named)

    def insert(self, record: Record, /) -> None:
        if not isinstance(record, _CffiRecord):
            raise TypeError("insert() takes a Record")
        self._records = (record, *self._records[: _MOST_RECORDS - 1])

    def clear(self) -> None:
        self._records = ()
