"""``bishengir-compile``, the official compiler of the package ascendnpu-ir."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from opslib.errors import BackendUnavailable

# One chip of the 910B class and one of the 950's.
TARGETS = ("Ascend910B1", "Ascend950PR_9589")
MISSING = "ascendnpu-ir is not installed: pip install 'opslib[ascend-check]'"
# The program with buffers placed and flags set; what comes after needs CANN's hivmc.
_PLANNED = "module.hivm.opt.mlir"
_OPTIONS = (
    "--enable-hfusion-compile=true",
    "--enable-hivm-compile=true",
    "--enable-triton-kernel-compile=true",  # a block program: memory in, memory out
)
# Longest compilation seen over the catalogue: 2 s on a busy machine.
_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the compiler made of a kernel.

    Attributes:
        state: ``planned``, ``refused``, ``crashed`` (its own assertion or signal) or
            ``timeout``.
        reason: the first line that says why; empty where it is planned.
        plan: the planned program: addresses in the buffers, flags between the pipes.
    """

    target: str
    state: str
    reason: str = ""
    plan: str = ""


def missing() -> str | None:
    """None where the compiler is installed, else what to do."""
    return None if _folder() else MISSING


def _folder() -> str | None:
    found = shutil.which("bishengir-compile")
    if found:
        return str(Path(found).resolve().parent)
    spec = importlib.util.find_spec("ascendnpuir")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(place) / "bin" / "bishengir-compile").is_file():
            return str(Path(place) / "bin")
    return None


def plan(text: str, target: str, seconds: float = _SECONDS) -> Verdict:
    """Compiles a kernel up to the plan for a chip.

    Args:
        text: the module, in MLIR.
        target: the chip, as ``bishengir-compile --target`` names it.
        seconds: after which it is given up.

    Raises:
        BackendUnavailable: the compiler is not installed (E0802).
    """
    folder = _folder()
    if folder is None:
        raise BackendUnavailable(
            MISSING,
            code="E0802",
            help="docs/npu-bishengir-operators.md says what it is for",
        )
    # The compiler for the 950 is another program, which it looks for in PATH.
    path = f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"
    with tempfile.TemporaryDirectory(prefix="opslib-mlir-") as scratch:
        place = Path(scratch)
        source = place / "kernel.mlir"
        source.write_text(text, encoding="utf-8")
        command = [str(Path(folder) / "bishengir-compile"), str(source)]
        command += ["-o", str(place / "kernel.o"), *_OPTIONS]
        command += [f"--target={target}", f"--save-temps={place / 'stages'}"]
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=place,
            env={**os.environ, "PATH": path},
            start_new_session=True,
        ) as running:
            try:
                output, _ = running.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                # The compiler for the 950 is a child, which would run on.
                os.killpg(running.pid, signal.SIGKILL)
                return Verdict(target, "timeout", f"no end after {seconds:g} s")
        planned = place / "stages" / _PLANNED
        # It is written by a compiler that ran through: crashes leave none.
        if planned.is_file() and planned.stat().st_size:
            return Verdict(target, "planned", plan=planned.read_text(encoding="utf-8"))
        return _failed(target, running.returncode, output, scratch)


# What is printed on every run, for want of CANN, or says only that there was an error.
_NOISE = re.compile(
    r"hivmc|Failed to run \w+ pipeline|^\[ERROR\] Executing|^Stack dump|revert"
    r"|^\s*#?\d+[. ]|^\s*$"
)
_CRASH = re.compile(r"Assertion `.*|LLVM ERROR: .*|UNREACHABLE.*|PLEASE submit.*")


def _failed(target: str, code: int, output: str, scratch: str) -> Verdict:
    lines = [
        re.sub(rf'(loc\()?"?{re.escape(scratch)}/kernel\.mlir"?:\d+:\d+\)?: ', "", line)
        for line in output.splitlines()
        if not _NOISE.search(line)
    ]
    lines = [line.replace(scratch, "").strip() for line in lines]
    for line in lines:
        found = _CRASH.search(line)
        if found and not found[0].startswith("PLEASE"):
            return Verdict(target, "crashed", _short(found[0]))
    errors = [line for line in lines if "error:" in line]
    if any("PLEASE submit" in line for line in lines) or code < 0:
        why = errors[0] if errors else f"a crash without a message, exit {code}"
        return Verdict(target, "crashed", _short(why))
    text = errors[0] if errors else (lines[0] if lines else f"exit {code}")
    return Verdict(target, "refused", _short(text))


def _short(line: str) -> str:
    line = re.sub(r"^.*?error: ", "", line)
    # What compilers were built from is no help to anybody.
    line = re.sub(r"/\S*/(bishengir|third-party)/", "", line)
    line = re.sub(r" \(possible reason: .*", "", line)
    return re.sub(r"\s+", " ", line).strip()[:200]
