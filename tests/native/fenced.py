"""Kernels of the cpu backend between fences: what test_sanitizers.py starts.

``python fenced.py HOW`` reads jobs as JSON lines on stdin and says on stdout, line
by line, which case it begins, what went wrong in it, and that it is over, so that a
case that ends the process is known. Every launch is made three times: as it is; then
twice by a host that forgives nothing (strict_context.c), on copies of the arrays whose
layout is the same but which lie

* against a page that may not be touched, once before it and once behind (``pages``);
* in memory of their own, for the address sanitizer's red zones, and between such pages
  (``heap``).

Inputs are read-only there; results and scratch memory hold other values in each of the
two. All three must give the same bits, and nothing beside the results may have changed.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import json
import mmap
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from opslib.backends.cpu import renderer
from opslib.backends.cpu.renderer import CpuKernel

from opslib.dispatch import handle as handles
from opslib.dispatch import routing
from opslib.dispatch.handle import Handle
from opslib.errors import OpslibError
from opslib.runtime import cache, launcher, toolchain
from opslib.testing.conformance import case_of
from opslib.testing.inputs import NoCase
from opslib.testing.judge import run_case

HERE = Path(__file__).parent
PAGE = mmap.PAGESIZE
# What is in memory that nobody has written: nan in every float, and a plain number.
FILLS = (0xFF, 0x3C)
Array = np.ndarray[Any, np.dtype[Any]]
Place = Callable[[int, int], Array]
_libc = ctypes.CDLL(None, use_errno=True)


class Memory:
    """Pages between two that may not be touched; `free` gives them back."""

    def __init__(self, size: int, fill: int) -> None:
        self.length = (-(-size // PAGE) + 2) * PAGE
        self.pages = mmap.mmap(-1, self.length)
        whole = np.frombuffer(self.pages, np.uint8)
        self.base = whole.ctypes.data
        self.inner = whole[PAGE:-PAGE]
        self.inner[:] = fill
        self.protect(self.base, PAGE, 0)
        self.protect(self.base + self.length - PAGE, PAGE, 0)

    def protect(self, start: int, length: int, how: int) -> None:
        """mprotect; raises where it fails."""
        if _libc.mprotect(ctypes.c_void_p(start), ctypes.c_size_t(length), how):
            raise OSError(ctypes.get_errno(), "mprotect")


class Copy:
    """An array's elements in other memory, in the same layout.

    where: ``behind`` or ``before`` a page that may not be touched, or on the ``heap``.
    """

    def __init__(self, array: Array, where: str, fill: int, *, is_input: bool) -> None:
        low, high = np.lib.array_utils.byte_bounds(array)
        size = high - low if array.size else 0
        self.fill = fill
        self.pages = None if where == "heap" else Memory(size, fill)
        if self.pages is None:
            self.around = np.full(size, fill, np.uint8)
            start = self.around
        else:
            self.around = self.pages.inner
            first = self.around.size - size if where == "before" else 0
            start = self.around[first : first + size]
        offset = array.ctypes.data - low if array.size else 0
        self.array = self._seen(start, offset, array.dtype, array)
        if is_input:
            self.array[...] = array
            if self.pages is not None and self.around.size:
                self.pages.protect(self.around.ctypes.data, self.around.size, 1)

    @staticmethod
    def _seen(memory: Array, offset: int, dtype: Any, like: Array) -> Array:
        made = np.ndarray(like.shape, dtype, memory, offset, like.strides)
        if like.size == 0:  # NumPy may point such an array anywhere: here, to the edge.
            made = np.ndarray(like.shape, dtype, memory[memory.size :])
        return made

    def beside(self) -> int:
        """How many bytes that are no element were written; loses the elements."""
        raw = self.array.view()
        raw.dtype = np.dtype((np.void, self.array.itemsize))
        raw[...] = np.void(bytes([self.fill]) * self.array.itemsize)
        return int((self.around != self.fill).sum())


@functools.cache
def strict() -> tuple[Callable[[int, int], None], int]:
    """``strict_use`` and the address of the provider of strict_context.c."""
    loaded = cache.default_cache().load(
        (HERE / "strict_context.c").read_text(encoding="utf-8"),
        "strict_context",
        toolchain.find_toolchain(),
        ("-std=gnu11", "-O1"),
    )
    use = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_int)
    return use(loaded.symbol("strict_use")), loaded.symbol("strict_context")


def same_bits(a: Array, b: Array) -> bool:
    """Any nan equals any other."""
    if a.dtype.kind not in "biu":
        if not np.array_equal(np.isnan(a), np.isnan(b)):
            return False
        nan = np.isnan(a)
        a, b = np.where(nan, a.dtype.type(0), a), np.where(nan, b.dtype.type(0), b)
    return a.tobytes() == b.tobytes()


class Launches:
    """Takes the place of `CpuKernel.launch`."""

    def __init__(self, how: str) -> None:
        self.wheres = {"pages": ("before", "behind"), "heap": ("heap", "before")}[how]
        self.launch = CpuKernel.launch
        self.problems: list[str] = []
        self.count = 0

    def __call__(
        self,
        kernel: CpuKernel,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        sizes: Mapping[str, int],
        scalars: Mapping[str, int | float],
    ) -> Sequence[Any]:
        usable = [*map(renderer._usable, inputs), *map(renderer._usable, outputs)]
        kernel.variant(usable)  # Inside `gather` this is as far as it goes.
        found, codes = [], []
        for where, fill in zip(self.wheres, FILLS, strict=True):
            copies = [
                Copy(a, where, fill, is_input=k < len(inputs))
                for k, a in enumerate(usable)
            ]
            codes.append(self._run(kernel, copies, sizes, scalars, where, fill))
            made = copies[len(inputs) :]
            found.append([np.array(c.array) for c in made])
            strays = [c.beside() for c in made]
            if any(strays):
                self.say(kernel, where, f"wrote {strays} bytes beside its results")
        self.count += 1
        if any(codes):
            if codes[0] != codes[1]:
                self.say(kernel, "", f"ends with the codes {codes}")
            return self.launch(kernel, inputs, outputs, sizes, scalars)  # Raises.
        self.launch(kernel, inputs, outputs, sizes, scalars)
        for first, second, plain in zip(*found, outputs, strict=True):
            if not same_bits(first, second):
                self.say(kernel, "", "depends on where its arrays lie, or on garbage")
            elif not same_bits(first, np.array(plain)):
                self.say(kernel, "", "depends on threads or on alignment")
        return outputs

    def _run(
        self,
        kernel: CpuKernel,
        copies: Sequence[Copy],
        sizes: Mapping[str, int],
        scalars: Mapping[str, int | float],
        where: str,
        fill: int,
    ) -> int:
        use, provider = strict()
        use(fill, where != "heap")
        arrays = [c.array for c in copies]
        variant = kernel.variant(arrays)
        return launcher.launch(
            variant.address,
            provider,
            [a.__array_interface__["data"][0] for a in arrays],
            variant.ints(arrays, sizes, scalars),
            variant.reals(scalars),
            False,
        )

    def say(self, kernel: CpuKernel, where: str, what: str) -> None:
        """Notes a problem."""
        self.problems.append(f"{kernel.program.name} {where}: {what}")


def calls(jobs: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Any, Callable[[], Any]]]:
    """Every case of the jobs: its name, and what runs it."""
    for job in jobs:
        handle = Handle(job["operator"])
        for number in job["numbers"]:
            name = [handle.name, job["dtype"], number]
            try:
                case = case_of(handle, job["dtype"], number, 0)
            except NoCase:
                continue
            yield name, functools.partial(run_case, handle, case, "cpu")


def gather(every: Sequence[tuple[Any, Callable[[], Any]]]) -> None:
    """Compiles what the calls need, many kernels at a time."""
    with renderer.gathering() as gathered:
        for _, call in every:
            with contextlib.suppress(Exception):  # A launch raises; so may the spec.
                call()
    gathered.compile(int(os.environ.get("OPSLIB_NUM_THREADS", "1")))


def main(how: str) -> None:
    """Runs the jobs of stdin."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(**message: Any) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    launches = Launches(how)

    def launch(kernel: CpuKernel, *rest: Any) -> Sequence[Any]:
        return launches(kernel, *rest)

    CpuKernel.launch = launch
    # A prepared call does not pass there.
    handles.record = lambda plan, arrays, pack: None
    with np.errstate(all="ignore"), routing.trust():
        every = list(calls([json.loads(line) for line in sys.stdin]))
        gather(every)
        for name, call in every:
            say(start=name)
            launches.count, launches.problems = 0, []
            try:
                call()
            except OpslibError as error:
                # Such as an index out of bounds, which the case may be about.
                say(raised=str(error))
            say(launched=launches.count, problems=launches.problems)
    say(done=True)


if __name__ == "__main__":
    main(sys.argv[1])
