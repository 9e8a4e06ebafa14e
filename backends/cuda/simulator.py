"""Kernels in the host simulator: compiled with g++, launched, their findings raised.

The text is the one that NVRTC gets; native/cuda/sim, first on the include path, brings
the language, and the entry points are added behind it. See docs/cuda.md for what the
simulator checks.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cffi
import numpy as np

from opslib.errors import BackendUnavailable, KernelError
from opslib.ir.expr import Program
from opslib.lowering.passes import show
from opslib.runtime import cache as _cache
from opslib.runtime import toolchain
from opslib.runtime.cache_load import LoadedLibrary
from opslib.runtime.failures import failed_check
from opslib.runtime.findings import described

from .launch import Step, Steps, Value, Variant
from .machine import STATUS_WORDS
from .targets import DEFAULT, GpuTarget

COUNTERS = 64
_REPORT = 1 << 16
_WRITABLE, _INITIALISED = 1, 2
# Kernels run with what `machine.MULTIPROCESSORS` would say of a small GPU, so that
# grid-stride loops and splits have several blocks, and stay quick.
_MULTIPROCESSORS = 4
_TIMEOUT_S = 600
_FFI = cffi.FFI()
_FFI.cdef(
    "typedef int (*opslib_cuda_sim_entry)(const uint32_t *, const uint32_t *, uint64_t,"
    " void **, char *, uint64_t, uint64_t *, uint32_t);"
    "typedef void (*opslib_cuda_sim_buffer)(void *, uint64_t, int);"
    "typedef void (*opslib_cuda_sim_forget)(void);"
    "typedef void (*opslib_cuda_sim_limit)(uint64_t);"
    "typedef void (*opslib_cuda_sim_sample)(int);"
)


def flags(target: GpuTarget) -> tuple[str, ...]:
    """Of a simulated unit.

    -fsanitize=thread makes every access a call of the engine's, -fsanitize=bounds every
    index of an array of fixed size; -nodefaultlibs keeps the sanitizers' own libraries
    out of the link. Copies by the C library are seen through wrappers. Calls of
    functions are not announced; 16-byte accesses stay whole (-fno-tree-sra), shared
    memory is reached without a wrapper (-fno-extern-tls-init). Lines of findings are
    read from DWARF 4. -fwrapv: integers wrap, as on the GPU.
    """
    quiet: tuple[str, ...] = (
        "--param",
        "tsan-instrument-func-entry-exit=0",
        "-fno-tree-sra",
        "-fno-extern-tls-init",
    )
    if toolchain.find_toolchain("c++").kind == "clang":
        quiet = ("-mllvm", "-tsan-instrument-func-entry-exit=0")
    return (
        *_common(target),
        "-O1",
        "-g1",
        "-gdwarf-4",
        "-fsanitize=thread",
        "-fsanitize=bounds",
        "-nodefaultlibs",
        "-Wl,--wrap=memcpy,--wrap=memmove,--wrap=memset",
        *quiet,
        "-lm",
        "-lgcc",
        "-lc",
    )


def _common(target: GpuTarget) -> tuple[str, ...]:
    native = toolchain.native_folder()
    return (
        "-std=c++17",
        "-fwrapv",
        "-ffp-contract=off",
        "-fno-strict-aliasing",
        f"-DOPS_WARP={target.warp}",
        f"-D__CUDA_ARCH__={10 * target.number}",
        "-I",
        str(native / "cuda" / "sim"),
        "-I",
        str(native / "cuda"),
        "-I",
        str(native),
    )


@cache
def engine(target: GpuTarget) -> LoadedLibrary:
    """The simulator itself, compiled once, which every unit is linked to."""
    return _cache.default_cache().load(
        '#include "opslib_cuda_sim_library.h"\n',
        f"cuda_simulator_{target.name}",
        toolchain.find_toolchain("c++"),
        # It sees every access of every thread, and is compiled once.
        (*_common(target), "-O2", "-lm"),
        timeout_s=_TIMEOUT_S,
    )


def why_not() -> str | None:
    """Why nothing can be simulated here, or None."""
    try:
        compiler = toolchain.find_toolchain("c++")
    except BackendUnavailable as error:
        return f"{error.message}; {error.help}"
    if compiler.kind not in ("gcc", "clang") or not sys.platform.startswith("linux"):
        return (
            f"the simulator needs g++ or clang++ on Linux, and {compiler.argv[0]} is "
            f"{compiler.kind} on {sys.platform}; apt install g++, or name one in "
            "OPSLIB_CXX"
        )
    return None


class Simulator:
    """See `launch.Place`. Kernels read and write NumPy arrays where they lie."""

    multiprocessors = _MULTIPROCESSORS

    def __init__(self, target: GpuTarget = DEFAULT) -> None:
        self.target = target
        # The engine has one machine, and its threads are fibres of the one that calls.
        self._lock = threading.Lock()
        # Where there is a dictionary, launches leave their counters in it, by name;
        # counting takes time.
        self.counters: dict[str, list[int]] | None = None

    def strides(self, array: Any) -> tuple[int, ...]:
        """Of a NumPy array, in elements."""
        size = array.itemsize
        return tuple([s // size for s in array.strides])

    def alignment(self, array: Any) -> int:
        """Of a NumPy array's address."""
        return alignment_bits(array.__array_interface__["data"][0])

    def compile(self, variants: Sequence[Variant]) -> None:
        """Compiles variants in one unit, and fills in their functions."""
        units: list[dict[str, list[Variant]]] = []
        for v in variants:
            # Programs that differ in the names of indices only share a name. One text
            # is one kernel; another text goes into another unit.
            for unit in units:
                same = unit.get(v.made.name)
                if same is None or same[0].source == v.source:
                    unit.setdefault(v.made.name, []).append(v)
                    break
            else:
                units.append({v.made.name: [v]})
        for unit in units:
            self._unit(list(unit.values()))

    def _unit(self, variants: Sequence[Sequence[Variant]]) -> None:
        from .renderer import print_unit

        kernels = [same[0].made for same in variants]
        source = with_entries(print_unit(kernels), [k.launches for k in kernels])
        show("simulated", source)
        name = kernels[0].name
        if len(kernels) > 1:
            name += "_and_more"
        library = build(source, name, self.target)
        for same in variants:
            for v in same:
                v.functions = entries(library, [x.name for x in v.made.launches])

    def run(
        self,
        program: Program,
        variant: Variant,
        steps: Steps,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
    ) -> None:
        """Launches; raises a failed check at once.

        Raises:
            KernelError: the simulator has findings.
        """
        work = [np.empty(max(n, 1), d) for d, n in steps.workspaces]
        status = np.zeros(STATUS_WORDS, np.int64)
        arrays = [*inputs, *outputs, *work, status]
        regions = [
            *((*extent(a), _INITIALISED) for a in inputs),
            *((*extent(a), _WRITABLE) for a in (*outputs, *work)),
            (*extent(status), _WRITABLE | _INITIALISED),
        ]
        assert variant.functions is not None
        library = engine(self.target)
        with self._lock:
            limit(library, self.target)
            announce(library, merged(regions))
            if self.counters is not None:
                sample(library, True)
            try:
                for step in steps.launches:
                    name = variant.made.launches[step.function].name
                    counting = self.counters is not None
                    function = variant.functions[step.function]
                    found = call(function, step, arrays, counting)
                    if self.counters is not None:
                        self.counters[name] = found.counters
                    if found.count:
                        raise finding(program, name, found, (*inputs, *outputs))
                    if status[0]:
                        break
            finally:
                forget(library)
                if self.counters is not None:
                    sample(library, False)
        if status[0]:
            raise failed_check(program, *(int(w) for w in status[1:4]))


def with_entries(text: str, launches: Sequence[Sequence[Any]]) -> str:
    """A unit's text and the simulator's entry points behind it."""
    lines = [text, '#include "opslib_cuda_sim_entry.h"']
    for each in launches:
        lines += [f"OPSLIB_CUDA_SIM_ENTRY({x.name})" for x in each]
    return "\n".join(lines) + "\n"


def build(source: str, name: str, target: GpuTarget) -> LoadedLibrary:
    """A unit with its entry points, compiled and linked to the engine."""
    # By its path, which becomes the name under which the unit asks for it.
    linked = ("-Wl,--no-as-needed", str(Path(engine(target).path)))
    return _cache.default_cache().load(
        source,
        f"cuda_{name}",
        toolchain.find_toolchain("c++"),
        (*flags(target), *linked),
        timeout_s=_TIMEOUT_S,
    )


def entries(library: LoadedLibrary, names: Sequence[str]) -> list[Any]:
    """The entry points of launches."""
    return [
        _FFI.cast("opslib_cuda_sim_entry", library.symbol(f"{name}_sim"))
        for name in names
    ]


# --- A launch ------------------------------------------------------------------------


class Found:
    """What the simulator says of one launch.

    Attributes:
        count: of findings.
        report: JSON lines.
        counters: see native/cuda/sim/opslib_cuda_sim_counters.h; empty if not counted.
    """

    __slots__ = ("count", "counters", "report")

    def __init__(self, count: int, report: str, counters: list[int]) -> None:
        self.count = count
        self.report = report
        self.counters = counters


_CTYPES = {"int64": "int64_t *", "float32": "float *", "float64": "double *"}


def call(
    entry: Any, step: Step, arrays: Sequence[Any], counting: bool = False
) -> Found:
    """Runs one launch; pointers are announced already."""
    keep = []
    for argument in step.arguments:
        if isinstance(argument, Value):
            keep.append(_FFI.new(_CTYPES[argument.kind], argument.value))
        else:
            address = arrays[argument].__array_interface__["data"][0]
            keep.append(_FFI.new("void **", _FFI.cast("void *", address)))
    pointers = _FFI.new("void *[]", [_FFI.cast("void *", k) for k in keep] or 1)
    report = _FFI.new("char[]", _REPORT)
    counters = _FFI.new("uint64_t[]", COUNTERS) if counting else _FFI.NULL
    count = entry(
        _FFI.new("uint32_t[3]", step.grid),
        _FFI.new("uint32_t[3]", step.block),
        step.shared,
        pointers,
        report,
        _REPORT,
        counters,
        COUNTERS if counting else 0,
    )
    text = _FFI.string(report).decode("utf-8", "replace")
    return Found(int(count), text, [int(c) for c in counters] if counting else [])


def limit(library: LoadedLibrary, target: GpuTarget) -> None:
    """Tells the engine, which targets may share, how much shared memory a block has."""
    symbol = library.symbol("opslib_cuda_sim_shared_limit")
    _FFI.cast("opslib_cuda_sim_limit", symbol)(target.shared_per_block)


def announce(library: LoadedLibrary, regions: Sequence[tuple[int, int, int]]) -> None:
    """Tells the engine which memory there is: (address, bytes, flags)."""
    symbol = library.symbol("opslib_cuda_sim_buffer")
    function = _FFI.cast("opslib_cuda_sim_buffer", symbol)
    for address, nbytes, kind in regions:
        function(_FFI.cast("void *", address), nbytes, kind)


def forget(library: LoadedLibrary) -> None:
    """Takes all memory back."""
    _FFI.cast("opslib_cuda_sim_forget", library.symbol("opslib_cuda_sim_forget"))()


def sample(library: LoadedLibrary, on: bool) -> None:
    """Has sectors and banks counted, which takes time."""
    symbol = library.symbol("opslib_cuda_sim_sample")
    _FFI.cast("opslib_cuda_sim_sample", symbol)(on)


def extent(array: Any) -> tuple[int, int]:
    """Where an array's elements lie: first address, bytes up to the end of the last."""
    address = array.__array_interface__["data"][0]
    if array.size == 0:
        return address, 0
    last = [(n - 1) * s for n, s in zip(array.shape, array.strides, strict=True)]
    low = sum(s for s in last if s < 0)
    high = sum(s for s in last if s > 0)
    return address + low, high - low + array.itemsize


def merged(regions: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Regions of which none overlap: views of one array become one, with all flags."""
    found: list[tuple[int, int, int]] = []
    for address, nbytes, kind in sorted(r for r in regions if r[1]):
        if found and address < found[-1][0] + found[-1][1]:
            first, length, before = found[-1]
            length = max(length, address + nbytes - first)
            found[-1] = (first, length, before | kind)
        else:
            found.append((address, nbytes, kind))
    return found


def alignment_bits(address: int) -> int:
    """The largest power of two, up to 4, whose multiple an address is."""
    return min((address & -address).bit_length() - 1, 4) if address else 4


def finding(
    program: Program, name: str, found: Found, arrays: Sequence[Any]
) -> KernelError:
    """The error for findings of a launch."""
    shapes = ", ".join(str(tuple(a.shape)) for a in arrays)
    return KernelError(
        f"{program.name} on cuda:sim with arrays of {shapes}: {found.count} findings "
        f"of the simulator in {name}: {described(found.report)}",
        code="E0804",
        help="this is a bug of the CUDA code generator; report it with the kernel's "
        "source",
    )


@cache
def simulator(target: GpuTarget = DEFAULT) -> Simulator:
    """The simulator of a target."""
    return Simulator(target)
