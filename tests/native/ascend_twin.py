"""Compiles kernels with the CPU twin and runs them: for the tests beside this file."""

from __future__ import annotations

import ctypes
import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

HERE = Path(__file__).parent
TWIN = HERE.parents[1] / "native" / "ascend"
KERNELS = HERE / "ascend"
COMPILERS = [name for name in ("g++", "clang++") if shutil.which(name)]
TARGETS = (2201, 3510, 2002)
WARNINGS = ("-Wall", "-Wextra", "-Werror")
UNDEFINED = ("-fsanitize=undefined",)
NOTES = ("redundant", "drain")


class Build(NamedTuple):
    """A compiler and flags beside the usual ones."""

    compiler: str
    flags: tuple[str, ...] = ()


def _builds() -> list[Any]:
    plain = [pytest.param(Build(name), id=name) for name in COMPILERS]
    # The sanitizer's instrumentation takes ten seconds to compile.
    checked = [
        pytest.param(Build(name, UNDEFINED), id=f"{name}-ubsan", marks=pytest.mark.slow)
        for name in COMPILERS[:1]
    ]
    return plain + checked


BUILDS = _builds()


def counter_names() -> list[str]:
    """The counters in their order; the first 21 are three of each pipe."""
    text = (TWIN / "opslib_twin_counters.h").read_text("utf-8")
    names: list[str] = []
    body = re.sub(r"/\*.*?\*/", "", text.split("enum Counter {")[1], flags=re.S)
    for item in body.split("}")[0].replace("\n", " ").split(","):
        name, _, start = item.strip().partition(" = ")
        if start:
            names += ["" for _ in range(int(start) - len(names))]
        if name:
            names.append(name.removeprefix("k"))
    names[-1] = ""
    pipes = ("S", "V", "M", "MTE1", "MTE2", "MTE3", "FIX")
    for name in ("Instructions", "Busy", "Exposed"):
        at = names.index(name)
        names[at : at + len(pipes)] = [f"{name}.{pipe}" for pipe in pipes]
    return names[:-1]


NAMES = counter_names()


@dataclass(frozen=True, slots=True)
class Run:
    """What a launch said."""

    findings: int
    lines: list[dict[str, Any]]
    counters: dict[str, int] = field(repr=False)

    @property
    def found(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["kind"] not in NOTES]

    @property
    def kinds(self) -> set[str]:
        return {line["kind"] for line in self.found}

    @property
    def redundant(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["kind"] == "redundant"]

    @property
    def drains(self) -> set[int]:
        return {line["line"] for line in self.lines if line["kind"] == "drain"}


class Twin:
    """A compiled source."""

    def __init__(self, path: Path) -> None:
        self.library = ctypes.CDLL(str(path))

    def run(self, name: str, *arrays: np.ndarray, blocks: int = 1) -> Run:
        filler = np.zeros(64, np.uint8)
        full = [*arrays, *[filler] * (3 - len(arrays))]
        pointers = (ctypes.c_void_p * len(full))(*[a.ctypes.data for a in full])
        sizes = (ctypes.c_uint64 * len(full))(*[a.nbytes for a in full])
        report = ctypes.create_string_buffer(1 << 17)
        counters = (ctypes.c_uint64 * len(NAMES))()
        count = getattr(self.library, f"{name}_twin")(
            ctypes.c_uint32(blocks),
            pointers,
            sizes,
            report,
            ctypes.c_uint64(len(report)),
            counters,
            ctypes.c_uint32(len(NAMES)),
        )
        lines = [json.loads(line) for line in report.value.decode().splitlines()]
        return Run(count, lines, dict(zip(NAMES, counters, strict=True)))

    def drop_line(self, line: int) -> None:
        self.library.opslib_twin_drop_line(line)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="ascend-twin-")


def run_compiler(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, " ".join(command) + "\n" + result.stderr


@cache
def engine(compiler: str, target: int, flags: tuple[str, ...] = ()) -> Path:
    """The engine's object file."""
    number = len(list(Path(_folder().name).iterdir()))
    out = Path(_folder().name) / f"engine{number}.o"
    run_compiler(
        [
            *[compiler, "-std=c++17", "-O1", "-fPIC", *WARNINGS, *flags],
            *[f"-DOPSLIB_TARGET={target}", "-x", "c++", "-c"],
            *[str(TWIN / "opslib_twin_library.h"), "-o", str(out)],
        ]
    )
    return out


@cache
def compiled(
    source: str,
    compiler: str = COMPILERS[0] if COMPILERS else "c++",
    target: int = 2201,
    flags: tuple[str, ...] = (),
) -> Twin:
    """A file of tests/native/ascend with an entry for each of its kernels: of each
    macro call at the beginning of a line."""
    text = (KERNELS / source).read_text("utf-8")
    return compiled_text(text, compiler, target, flags)


def compiled_text(
    text: str, compiler: str, target: int = 2201, flags: tuple[str, ...] = ()
) -> Twin:
    """The same for a text."""
    names = re.findall(r"^([A-Z_]+)\((\w+)[,)]", text, flags=re.M)
    assert names
    number = len(list(Path(_folder().name).iterdir()))
    path = Path(_folder().name) / f"kernels{number}.cpp"
    entries = [
        f"OPSLIB_TWIN_{'MIX_' * macro.startswith('MIX')}ENTRY({name}, 3)"
        for macro, name in names
    ]
    lines = [text, '#include "opslib_twin_entry.h"', *entries, ""]
    path.write_text("\n".join(lines), "utf-8")
    out = path.with_suffix(".so")
    run_compiler(
        [
            *[compiler, "-std=c++17", "-O1", "-fPIC", "-shared", *WARNINGS, *flags],
            *[f"-DOPSLIB_TARGET={target}", "-DOPSLIB_TWIN_LINKED"],
            *[f"-I{TWIN}", f"-I{KERNELS}", str(path)],
            *[str(engine(compiler, target, flags)), "-o", str(out)],
        ]
    )
    return Twin(out)
