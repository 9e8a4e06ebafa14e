"""The drivers, compiled with every compiler and target row usable here."""

from __future__ import annotations

import ctypes
import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "native"
FLAGS = [
    *[
        "-std=gnu11",
        "-O3",
        "-ffp-contract=off",
        "-fno-math-errno",
        "-fno-trapping-math",
    ],
    *["-Wno-psabi", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"],
]


class Build(NamedTuple):
    """One way to compile the headers."""

    compiler: str
    flags: tuple[str, ...]

    def __str__(self) -> str:
        return "-".join([self.compiler, *(flag.lstrip("-") for flag in self.flags)])


def _cpu_flags() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return set()
    return {
        word for line in text.splitlines() if "flags" in line for word in line.split()
    }


def _builds() -> list[Build]:
    rows: list[tuple[str, ...]] = [
        ("-march=native",),
        ("-march=native", "-DOPS_TARGET_GENERIC"),
    ]
    if platform.machine() in ("x86_64", "AMD64"):
        if {"avx2", "fma", "f16c"} <= _cpu_flags():
            rows.append(("-march=haswell",))
        rows.append(())  # no fma instruction: libm's
    else:
        rows.append(("-DOPS_TARGET_GENERIC",))
    compilers = [name for name in ("gcc", "clang") if shutil.which(name)]
    if not compilers and shutil.which("cc"):
        compilers = ["cc"]
    return [Build(compiler, row) for compiler in compilers for row in rows]


BUILDS = _builds()


class Driver:
    """A compiled driver: calls take arrays (as pointers) and integers (as int64)."""

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))
        self.lanes = int(self._library.driver_lanes())
        self._library.driver_target.restype = ctypes.c_char_p
        self.target = self._library.driver_target().decode()

    def __call__(self, name: str, *arguments: np.ndarray | int) -> int:
        function = getattr(self._library, name)
        function.restype = ctypes.c_int64
        return int(
            function(
                *(
                    ctypes.c_void_p(a.ctypes.data)
                    if isinstance(a, np.ndarray)
                    else ctypes.c_int64(a)
                    for a in arguments
                )
            )
        )


@pytest.fixture(scope="session")
def compiled(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, Build], Driver]:
    """``compiled(source, build)``: the driver, compiled at most once per session."""
    folder = tmp_path_factory.mktemp("native")
    done: dict[tuple[str, Build], Driver] = {}

    def get(source: str, build: Build) -> Driver:
        if (source, build) not in done:
            out = folder / f"{Path(source).stem}-{build}.so"
            command = [
                build.compiler,
                *FLAGS,
                *build.flags,
                f"-I{NATIVE}",
                str(HERE / source),
            ]
            result = subprocess.run(
                [*command, "-o", str(out), "-lm"],
                capture_output=True,
                text=True,
                check=False,
            )
            assert result.returncode == 0, " ".join(command) + "\n" + result.stderr
            done[source, build] = Driver(out)
        return done[source, build]

    return get


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with an argument ``build`` runs once per build."""
    if "build" in metafunc.fixturenames:
        none = pytest.param(None, marks=pytest.mark.skip(reason="no C compiler"))
        metafunc.parametrize("build", BUILDS or [none], ids=str)


@pytest.fixture
def first_build() -> Build:
    """The build whose error is measured; the others must give the same bits."""
    if not BUILDS:
        pytest.skip("no C compiler")
    return BUILDS[0]
