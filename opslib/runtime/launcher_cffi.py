"""The launcher for where the extension of `opslib.runtime.launcher` cannot be used."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, cast

import cffi
import numpy as np

from opslib.runtime.launcher_types import Array, Guard, KernelFailure, Output, Record

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


def cffi_launch(
    kernel: int,
    context: int,
    pointers: Sequence[Any],
    ints: bytes,
    reals: bytes,
    release_gil: bool,
) -> int:
    """Do as `launcher.launch` says."""
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


def cffi_last_error(context: int) -> KernelFailure:
    """Do as `launcher.last_error` says."""
    found = _ffi().cast("ops_context_provider", context)()
    if found == _ffi().NULL:
        raise MemoryError
    return cast(KernelFailure, tuple(int(value) for value in found.error))


class CffiRecord:
    """A `Record`; arguments as `launcher.record` takes them."""

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


class CffiFastCall:
    """A `FastCall`; arguments as `launcher.fast_call` takes them."""

    __slots__ = ("_empty", "_miss", "_records")

    def __init__(self, miss: Callable[..., Any], empty: Callable[..., Array]) -> None:
        self._miss = miss
        self._empty = empty
        # Never changed, only replaced as a whole: without a GIL a reader then sees some
        # complete list, and two writers at worst lose a record, which is a miss.
        self._records: tuple[CffiRecord, ...] = ()

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
        if not isinstance(record, CffiRecord):
            raise TypeError("insert() takes a Record")
        self._records = (record, *self._records[: _MOST_RECORDS - 1])

    def clear(self) -> None:
        self._records = ()
