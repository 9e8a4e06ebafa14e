"""``opslib doctor``: what is usable on this machine, and what to do about the rest."""

from __future__ import annotations

import argparse
import ctypes
import importlib.metadata
import importlib.util
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rich.text import Text

from opslib._version import __version__
from opslib.cli import terminal
from opslib.errors import BackendUnavailable, OpslibError
from opslib.runtime import launcher, pool, registry, toolchain
from opslib.runtime.cache import default_cache

# x86 words of /proc/cpuinfo that decide which kernels are worth compiling.
_X86_FEATURES = (
    "avx2",
    "fma",
    "f16c",
    "avx512f",
    "avx512bw",
    "avx512_bf16",
    "avx512_fp16",
    "avx512_vnni",
    "amx_tile",
    "amx_bf16",
    "amx_int8",
)
_ARM_FEATURES = ("asimd", "asimdhp", "bf16", "i8mm", "sve", "sve2", "sme")
_PEERS = {
    "jax": "pip install 'opslib[jax]'",
    "torch": "pip install 'opslib[torch]'",
    "onnxruntime": "pip install 'opslib[bench]'",
    "ziglang": "pip install 'opslib[zig]'",
}
_MARKS = {
    "ok": ("ok", "green"),
    "absent": ("--", "dim"),
    "problem": ("!!", "bold red"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    state: ``ok``; ``absent`` (optional, or not on this machine); ``problem``, which
    costs speed or whole backends, and makes the exit code 1.
    """

    part: str
    name: str
    value: str
    state: str = "ok"
    remedy: str = ""


def add(commands: Any, help: str) -> None:
    """Declares the arguments."""
    parser = commands.add_parser("doctor", help=help, description=help)
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(given: argparse.Namespace) -> int:
    """Prints the report; exit code 1 where there is a problem."""
    findings = list(examine())
    problems = [f for f in findings if f.state == "problem"]
    if given.json:
        terminal.print_json([asdict(f) for f in findings])
        return 1 if problems else 0
    out = terminal.console()
    part = ""
    for f in findings:
        if f.part != part:
            out.print(Text(f"{'' if not part else chr(10)}{f.part}", style="bold"))
            part = f.part
        mark, style = _MARKS[f.state]
        width = max(len(g.name) for g in findings if g.part == f.part)
        first, *rest = terminal.folded(f.value, width + 8)
        out.print(
            Text.assemble("  ", (mark, style), f"  {f.name.ljust(width)}  ", first),
            soft_wrap=True,
        )
        remedy = terminal.folded(f"-> {f.remedy}", width + 8) if f.remedy else []
        for line in rest:
            out.print(Text(" " * (width + 8) + line), soft_wrap=True)
        for line in remedy:
            out.print(Text(" " * (width + 8) + line, style="yellow"), soft_wrap=True)
    summary = (
        f"{len(problems)} problem{'s' if len(problems) > 1 else ''}: "
        + ", ".join(f.name for f in problems)
        if problems
        else "no problems"
    )
    out.print(Text(f"\n{summary}", style="bold red" if problems else "bold green"))
    return 1 if problems else 0


def examine() -> Iterator[Finding]:
    """All findings, in the order in which they are printed."""
    yield from _software()
    yield from _processor()
    yield from _compiler()
    yield from _devices()
    yield from _requirements()
    yield from _packages()


def _software() -> Iterator[Finding]:
    yield Finding("opslib", "version", __version__)
    yield Finding("opslib", "python", f"{sys.version.split()[0]}, {sys.executable}")
    yield Finding("opslib", "platform", platform.platform())


def _processor() -> Iterator[Finding]:
    flags, name = cpuinfo()
    row = next((d.family for d in _safe_devices("cpu") if d.family), "")
    yield Finding("processor", "model", name)
    if row:
        yield Finding("processor", "target", row.removeprefix("cpu-"))
    known = _X86_FEATURES if _is_x86() else _ARM_FEATURES
    have = [word for word in known if word in flags]
    lack = [word for word in known if word not in flags]
    yield Finding("processor", "features", " ".join(have) or "none of those known")
    if lack:
        yield Finding("processor", "lacks", " ".join(lack), "absent")
    if "amx_tile" in flags:
        yield _amx()
    text = f"{pool.num_threads()} of {os.cpu_count()} processors"
    if os.environ.get("OPSLIB_NUM_THREADS"):
        text += " (OPSLIB_NUM_THREADS)"
    yield Finding("processor", "threads", text)


def cpuinfo() -> tuple[frozenset[str], str]:
    """Words for the instruction sets, and the model's name."""
    flags: frozenset[str] = frozenset()
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as stream:
            for line in stream:
                key, _, value = line.partition(":")
                if key.strip() in ("flags", "Features") and not flags:
                    flags = frozenset(value.split())
                elif key.strip() == "model name":
                    name = value.strip()
                elif not line.strip() and flags:
                    break
    except OSError:
        pass
    return flags, name


def _is_x86() -> bool:
    return platform.machine() in ("x86_64", "AMD64")


def _amx() -> Finding:
    """Linux hands the tile registers only to processes that asked for them."""
    get_permission, tile_data = 0x1022, 1 << 18
    arch_prctl = 158
    state = ctypes.c_uint64()
    try:
        code = ctypes.CDLL(None).syscall(
            arch_prctl, get_permission, ctypes.byref(state)
        )
    except (OSError, AttributeError):
        code = -1
    if code == 0 and state.value & tile_data:
        return Finding("processor", "AMX", "this process may use it")
    return Finding(
        "processor",
        "AMX",
        "not permitted to this process; kernels do not need it",
        "absent",
    )


def _compiler() -> Iterator[Finding]:
    try:
        found = toolchain.find_toolchain()
    except BackendUnavailable as error:
        yield Finding("compiler", "C", error.message, "problem", error.help)
        yield _cache_folder([])
        return
    why = toolchain.probe(found)
    text = f"{found.kind}: {found.version} ({' '.join(found.argv)})"
    if why is not None:
        remedy = (
            "apt install gcc libc6-dev (Debian, Ubuntu), dnf install gcc (Fedora), or "
            "pip install ziglang"
        )
        first = why.splitlines()[0]
        yield Finding(
            "compiler", "C", f"{text} cannot compile: {first}", "problem", remedy
        )
        yield _cache_folder([])
        return
    yield Finding("compiler", "C", text)
    with terminal.remarks() as remarks:
        made = launcher.implementation()
    if made.kind == "extension":
        yield Finding("compiler", "launcher", "extension, compiled here")
    else:
        yield Finding(
            "compiler",
            "launcher",
            f"cffi, slower for small arrays: {made.reason.splitlines()[0]}",
            "absent",
        )
    yield _cache_folder(remarks)


def _cache_folder(remarks: list[str]) -> Finding:
    cache = default_cache()
    if remarks:
        head, _, remedy = remarks[0].partition(". ")
        return Finding("compiler", "cache", head, "problem", remedy)
    root = cache.active_root
    if root is None:
        remedy = "set OPSLIB_CACHE_DIR to a folder that only you can write to"
        return Finding("compiler", "cache", "no folder is known", "problem", remedy)
    damaged = cache.verify()
    count = len(cache.entries())
    text = f"{root}: {count} kernels, {cache.size() / (1 << 20):.1f} MiB"
    if damaged:
        return Finding(
            "compiler",
            "cache",
            f"{text}, {len(damaged)} of them damaged",
            "problem",
            "`opslib cache clear` removes them; they are compiled anew",
        )
    return Finding("compiler", "cache", text)


def _devices() -> Iterator[Finding]:
    for name in registry.names():
        for device in _safe_devices(name):
            text = device.description
            if device.simulated:
                text += " (simulated: runs only when named)"
            if device.why_not is None:
                yield Finding("devices", device.name, text)
                continue
            broken = not _is_loaded(name)
            head, _, remedy = device.why_not.partition(": pip install")
            yield Finding(
                "devices",
                device.name,
                head,
                "problem" if broken else "absent",
                f"pip install{remedy}" if remedy else _remedy(name),
            )


def _requirements() -> Iterator[Finding]:
    """What a backend's hardware needs, part by part, where the backend says so."""
    for name in registry.names():
        try:
            needs = getattr(registry.load(name), "requirements", None)
        except OpslibError:
            continue  # `_devices` has its line
        for need in needs() if needs is not None else ():
            state = "absent" if need.remedy else "ok"
            yield Finding(need.part, need.name, need.found, state, need.remedy)


def _is_loaded(name: str) -> bool:
    try:
        registry.load(name)
    except OpslibError:
        return False
    return True


def _remedy(name: str) -> str:
    try:
        registry.device(name)
    except OpslibError as error:
        if error.help:
            return error.help
        try:
            registry.load(name)
        except OpslibError as failure:
            return failure.help
    return ""


def _safe_devices(name: str) -> tuple[Any, ...]:
    try:
        return registry.devices(name)
    except Exception as error:  # foreign code: its failure is a line of the report
        from opslib.runtime.protocol import Device

        why = f"devices() failed: {type(error).__name__}: {error}"
        return (Device(name, name, "backend that fails", why_not=why),)


def _packages() -> Iterator[Finding]:
    for name in ("numpy", "cffi", "ml_dtypes"):
        yield Finding("packages", name, importlib.metadata.version(name))
    for name, remedy in _PEERS.items():
        if importlib.util.find_spec(name) is None:
            yield Finding("packages", name, "not installed", "absent", remedy)
            continue
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            version = "present"
        yield Finding("packages", name, version)
