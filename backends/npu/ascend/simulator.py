"""Kernels on the CPU twin: compiled with g++, launched, their findings raised.

The twin (native/ascend) is found on the include path before any CANN, so the text that
is compiled here is the text that a device compiler gets; only the entry points behind
it are added.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import cffi
import numpy as np

from opslib.errors import KernelError
from opslib.ir import expr
from opslib.ir.printer import fingerprint
from opslib.lowering.passes import show
from opslib.runtime import cache, toolchain
from opslib.runtime.failures import failed_check
from opslib.runtime.findings import described
from opslib.runtime.gathering import Gathered, NotCompiled, current
from opslib.runtime.gathering import gathering as _gathering

from ..targets import DEFAULT, AscendTarget
from .arguments import (
    chosen,
    failure,
    integer_argument,
    no_failures,
    prepare,
    within,
)
from .lower import lower, mangle
from .plan import Program, number
from .renderer import print_unit

COUNTERS = 64
_REPORT = 1 << 16
_FFI = cffi.FFI()
_FFI.cdef(
    "typedef int (*opslib_twin)(uint32_t, void **, const uint64_t *, char *, uint64_t,"
    " uint64_t *, uint32_t);"
)


def flags(target: AscendTarget) -> tuple[str, ...]:
    """Of the twin's compilation. -fwrapv: integers wrap, as the specs say."""
    folder = toolchain.native_folder() / "ascend"
    return (
        "-std=c++17",
        "-O1",
        "-fwrapv",
        "-ffp-contract=off",
        "-fno-strict-aliasing",
        f"-DOPSLIB_TARGET={target.number}",
        "-I",
        str(folder),
        "-lm",
    )


def engine(target: AscendTarget) -> tuple[str, ...]:
    """Flags that link kernels to the twin's engine, compiled once for each target.

    Empty where it is not known how: then each translation unit compiles its own, which
    takes as long as some ten kernels.
    """
    compiler = toolchain.find_toolchain("c++")
    if not sys.platform.startswith("linux") or compiler.kind not in ("gcc", "clang"):
        return ()
    # It runs every element of every kernel, and is compiled once: -O2.
    given = tuple("-O2" if flag == "-O1" else flag for flag in flags(target))
    library = cache.default_cache().load(
        '#include "opslib_twin_library.h"\n',
        f"ascend_twin_{target.number}",
        compiler,
        given,
        timeout_s=600,
    )
    # By its path, which becomes the name under which kernels ask for it.
    return ("-DOPSLIB_TWIN_LINKED", "-Wl,--no-as-needed", str(library.path))


def with_entries(text: str, programs: Sequence[Program]) -> str:
    """The text and the twin's entry points behind it."""
    lines = [text, '#include "opslib_twin_entry.h"']
    for program in programs:
        for launch in program.launches:
            kind = "MIX_ENTRY" if launch.unit == "mix" else "ENTRY"
            count = len(program.pointers)
            lines.append(f"OPSLIB_TWIN_{kind}({launch.name}, {count})")
    return "\n".join(lines) + "\n"


@dataclass(eq=False)
class SimulatedKernel:
    """See `opslib.runtime.protocol.Kernel`.

    `entries` are the compiled launches; None until somebody needs them.
    """

    program: expr.Program
    made: Program
    source: str
    target: AscendTarget
    entries: list[Any] | None
    counters: dict[str, list[int]] = field(default_factory=dict)
    _without: SimulatedKernel | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def skeleton(self) -> str:
        """Which skeleton the kernel came from."""
        return self.made.skeleton

    def launch(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        sizes: Mapping[str, int],
        scalars: Mapping[str, int | float],
    ) -> Sequence[Any]:
        """Runs on NumPy arrays; gives new ones."""
        if not within(self.made, sizes, scalars, inputs):
            return self._other().launch(inputs, outputs, sizes, scalars)
        entries = self._compiled()
        given = [np.ascontiguousarray(a) for a in inputs]
        results = self._results(sizes, scalars)
        failed = run(
            self.made, entries, given, results, sizes, scalars, self.target,
            self.program.name, self.counters,
        )  # fmt: skip
        if failed is not None:
            raise failed_check(self.program, *failed)
        return results

    def _compiled(self) -> list[Any]:
        with self._lock:
            if self.entries is None:
                gathered = current()
                if gathered is not None:
                    gathered.wanted[self] = None
                    raise NotCompiled(self.made.name)
                _fill([self])
            assert self.entries is not None
            return self.entries

    def _other(self) -> SimulatedKernel:
        """The kernel for sizes beyond the limits of this one."""
        with self._lock:
            if self._without is None:
                made = lower(self.program, f"{self.made.name}_any", self.target, True)
                self._without = SimulatedKernel(
                    self.program, made, print_unit([made]), self.target, None
                )
            return self._without

    def _results(
        self, sizes: Mapping[str, int], scalars: Mapping[str, int | float]
    ) -> list[Any]:
        known = {**sizes, **scalars}
        found = []
        for t in self.program.outputs:
            shape = tuple(int(number(e, known, {})) for e in t.shape)
            found.append(np.zeros(shape, t.dtype.numpy))
        return found


def run(
    made: Program,
    entries: Sequence[Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    sizes: Mapping[str, int],
    scalars: Mapping[str, int | float],
    target: AscendTarget,
    title: str,
    counters: dict[str, list[int]] | None = None,
    cores: int = 0,
) -> tuple[int, int, int] | None:
    """Launches a program on the twin; gives the check that failed (`failure`), if any.

    `cores`, if not 0, is how many of the chip's cores are used.

    Raises:
        KernelError: the twin has findings: a race, an access out of bounds, a rule of
            the API broken.
    """
    found = prepare(made, inputs, outputs, sizes, scalars, target, np.zeros)
    arrays = found.arrays
    status = no_failures(target)
    arrays += [found.numbers, found.reals, status]
    keep = [a if a.nbytes else np.zeros(1, a.dtype) for a in arrays]
    pointers = _FFI.new("void *[]", [_FFI.cast("void *", a.ctypes.data) for a in keep])
    nbytes = _FFI.new("uint64_t[]", [a.nbytes for a in arrays])
    report = _FFI.new("char[]", _REPORT)
    for k, launch in chosen(made, sizes, scalars):
        counted = _FFI.new("uint64_t[]", COUNTERS)
        most = target.vectors if launch.unit == "vector" else target.cubes
        blocks = launch.blocks or cores or most
        bad = entries[k](blocks, pointers, nbytes, report, _REPORT, counted, COUNTERS)
        if counters is not None:
            counters[launch.name] = list(counted)
        if bad:
            shapes = ", ".join(str(tuple(a.shape)) for a in (*inputs, *outputs))
            text = _FFI.string(report).decode("utf-8", "replace")
            raise KernelError(
                f"{title} on the {target.number} twin with arrays of {shapes}: {bad} "
                f"findings in {launch.name}: {described(text)}",
                code="E0804",
                help="this is a bug of the Ascend code generator; report it with the "
                "kernel's source",
            )
    return failure(status)


def build(
    programs: Sequence[Program], target: AscendTarget = DEFAULT, text: str | None = None
) -> tuple[str, list[list[Any]]]:
    """Compiles programs in one translation unit: the text, and entries of each."""
    text = print_unit(programs) if text is None else text
    source = with_entries(text, programs)
    show("source", source)
    compiler = toolchain.find_toolchain("c++")
    name = programs[0].name if len(programs) == 1 else f"{programs[0].name}_and_more"
    library = cache.default_cache().load(
        source,
        f"ascend_{name}",
        compiler,
        (*flags(target), *engine(target)),
        timeout_s=600,
    )
    found = []
    for program in programs:
        addresses = [library.symbol(f"{x.name}_twin") for x in program.launches]
        found.append([_FFI.cast("opslib_twin", a) for a in addresses])
    return text, found


def _fill(kernels: Sequence[SimulatedKernel]) -> None:
    """Compiles kernels, those of one target in one unit."""
    for target in dict.fromkeys(k.target for k in kernels):
        mine = [k for k in kernels if k.target is target]
        _, entries = build([k.made for k in mine], target)
        for k, found in zip(mine, entries, strict=True):
            k.entries = found


def gathering() -> AbstractContextManager[Gathered]:
    """Launches in the block raise NotCompiled; see `Gathered.compile`."""
    return _gathering(_fill)


def kernels(
    programs: Sequence[expr.Program], target: AscendTarget = DEFAULT
) -> list[SimulatedKernel]:
    """Many kernels, compiled together."""
    made = [
        lower(p, f"{mangle(p.name)}_{fingerprint(p)[:8]}_{k}", target)
        for k, p in enumerate(programs)
    ]
    found = [
        SimulatedKernel(p, m, print_unit([m]), target, None)
        for p, m in zip(programs, made, strict=True)
    ]
    _fill(found)
    return found


def kernel(program: expr.Program, target: AscendTarget = DEFAULT) -> SimulatedKernel:
    """One kernel; inside `gathering`, one that is compiled with others later."""
    gathered = current()
    name = mangle(program.name)
    if gathered is not None:
        name = f"{name}_{fingerprint(program)[:8]}_{len(gathered.wanted)}"
    made = lower(program, name, target)
    found = SimulatedKernel(program, made, print_unit([made]), target, None)
    if gathered is None:
        _fill([found])
    return found


__all__ = [
    "SimulatedKernel",
    "build",
    "engine",
    "gathering",
    "integer_argument",
    "kernel",
    "kernels",
    "run",
    "with_entries",
]
