"""Compiles CUDA kernels with the simulator and runs them: for the tests beside this
file."""

from __future__ import annotations

import ctypes
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
CUDA = HERE.parents[1] / "native" / "cuda"
SIM = CUDA / "sim"
KERNELS = HERE / "cuda"
COMPILERS = [
    name
    for name in ("g++", "clang++")
    if sys.platform.startswith("linux") and shutil.which(name)
]
WARNINGS = ("-Wall", "-Wextra", "-Werror")
NOTES = ("redundant",)
LANGUAGE = ("-std=c++17", "-fPIC", "-fwrapv", "-ffp-contract=off")


def flags(compiler: str) -> tuple[str, ...]:
    """Of the compilation of a unit of kernels."""
    own = (
        (
            "-mllvm",
            "-tsan-instrument-func-entry-exit=0",
        )
        if "clang" in compiler
        else (
            "--param",
            "tsan-instrument-func-entry-exit=0",
            "-fno-tree-sra",
            "-fno-extern-tls-init",
        )
    )
    return (
        *LANGUAGE,
        *("-O1", "-g1", "-gdwarf-4", "-fno-strict-aliasing", "-fsanitize=thread"),
        "-fsanitize=bounds",
        *("-nodefaultlibs", "-lc", "-lm", *own),
        "-Wl,--wrap=memcpy,--wrap=memmove,--wrap=memset",
        *("-include", str(SIM / "opslib_cuda_sim.h")),
        *(f"-I{SIM}", f"-I{CUDA}", f"-I{CUDA.parent}"),
    )


def counter_names() -> list[str]:
    """The counters in their order."""
    text = (SIM / "opslib_cuda_sim_counters.h").read_text("utf-8")
    body = re.sub(r"/\*.*?\*/", "", text.split("enum Counter {")[1], flags=re.S)
    names = [item.strip() for item in body.split("}")[0].split(",")]
    return [name.removeprefix("k") for name in names[:-1]]


NAMES = counter_names()


@dataclass(frozen=True, slots=True)
class Run:
    """What a launch said."""

    findings: int
    lines: list[dict[str, Any]]
    counters: dict[str, int] = field(repr=False)
    syncs: int = 0

    @property
    def found(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["kind"] not in NOTES]

    @property
    def kinds(self) -> set[str]:
        return {line["kind"] for line in self.found}

    @property
    def redundant(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["kind"] == "redundant"]


class Unwritten(np.ndarray):
    """An array whose contents no kernel may read before one has written it."""


def unwritten(shape: int | tuple[int, ...], dtype: Any) -> Unwritten:
    return np.zeros(shape, dtype).view(Unwritten)


class Unit:
    """A compiled source."""

    def __init__(self, path: Path, engine: Path) -> None:
        self.engine = ctypes.CDLL(str(engine), mode=ctypes.RTLD_GLOBAL)
        self.library = ctypes.CDLL(str(path))

    def run(
        self,
        name: str,
        *arguments: Any,
        grid: int | Sequence[int] = 1,
        block: int | Sequence[int] = 32,
        shared: int = 0,
        drop: int = 0,
        sample: bool = True,
        buffers: Sequence[np.ndarray] = (),
    ) -> Run:
        """Launches a kernel: arrays, ints (int64) and floats (float) in order; an array
        that is read-only is an input. `buffers` are arrays behind tensor maps."""
        values: list[Any] = []
        self.engine.opslib_cuda_sim_forget()
        for array in (*arguments, *buffers):
            if isinstance(array, np.ndarray):
                initialised = not isinstance(array, Unwritten)
                self.engine.opslib_cuda_sim_buffer(
                    ctypes.c_void_p(array.ctypes.data),
                    ctypes.c_uint64(array.nbytes),
                    ctypes.c_int(int(array.flags.writeable) | 2 * initialised),
                )
        for argument in arguments:
            if isinstance(argument, np.ndarray):
                values.append(ctypes.c_void_p(argument.ctypes.data))
            elif isinstance(argument, float):
                values.append(ctypes.c_float(argument))
            elif isinstance(argument, int):
                values.append(ctypes.c_int64(argument))
            else:
                values.append(argument)
        pointers = (ctypes.c_void_p * max(len(values), 1))(
            *[ctypes.addressof(value) for value in values]
        )
        report = ctypes.create_string_buffer(1 << 17)
        counters = (ctypes.c_uint64 * len(NAMES))()
        self.engine.opslib_cuda_sim_drop(drop)
        count = getattr(self.library, f"{name}_sim")(
            _three(grid),
            _three(block),
            ctypes.c_uint64(shared),
            pointers,
            report,
            ctypes.c_uint64(len(report)),
            counters if sample else None,
            ctypes.c_uint32(len(NAMES) if sample else 0),
        )
        self.engine.opslib_cuda_sim_drop(0)
        lines = [json.loads(line) for line in report.value.decode().splitlines()]
        syncs = self.engine.opslib_cuda_sim_syncs()
        return Run(count, lines, dict(zip(NAMES, counters, strict=True)), syncs)


def _three(size: int | Sequence[int]) -> Any:
    sizes = [size] if isinstance(size, int) else list(size)
    return (ctypes.c_uint32 * 3)(*sizes, *[1] * (3 - len(sizes)))


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="cuda-sim-")


def run_compiler(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, " ".join(command) + "\n" + result.stderr


@cache
def engine() -> Path:
    """The engine's shared object."""
    out = Path(_folder().name) / "engine.so"
    run_compiler(
        [
            *[COMPILERS[0], "-O2", *LANGUAGE, "-fno-strict-aliasing", *WARNINGS],
            *["-shared", "-x", "c++", str(SIM / "opslib_cuda_sim_library.h")],
            *["-o", str(out)],
        ]
    )
    return out


def compiled(source: str, compiler: str = COMPILERS[0] if COMPILERS else "c++") -> Unit:
    """A file of tests/native/cuda with an entry for each of its kernels."""
    return compiled_text((KERNELS / source).read_text("utf-8"), compiler)


@cache
def compiled_text(text: str, compiler: str, more: tuple[str, ...] = ()) -> Unit:
    """The same for a text."""
    names = re.findall(
        r'^extern "C" __global__ void\s+(?:__launch_bounds__\([^)]*\)\s*)?(\w+)\(',
        text,
        flags=re.M,
    )
    assert names or "OPSLIB_CUDA_SIM_ENTRY(" in text
    number = len(list(Path(_folder().name).iterdir()))
    path = Path(_folder().name) / f"kernels{number}.cpp"
    entries = [f"OPSLIB_CUDA_SIM_ENTRY({name})" for name in names]
    lines = [text, '#include "opslib_cuda_sim_entry.h"', *entries, ""]
    path.write_text("\n".join(lines), "utf-8")
    out = path.with_suffix(".so")
    run_compiler(
        [
            *[compiler, "-shared", *flags(compiler), *more, *WARNINGS, f"-I{KERNELS}"],
            *[str(path), str(engine()), "-o", str(out)],
        ]
    )
    return Unit(out, engine())
