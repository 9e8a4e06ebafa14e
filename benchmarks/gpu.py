"""One run on one GPU, of at most nine minutes: is it right, and how fast is it.

    python -m benchmarks.gpu --json gpu.json --table gpu.md

First the conformance suite on the device, so far as its share of the time goes; then
what the device can do at most (a copy, a matrix product), and what a call costs the
host; then opslib against torch (eager, compiled, its attention kernels), Triton and
JAX. Both files are written after each step, so that a run that is cut off leaves what
it had.

It needs torch with CUDA and `opslib[cuda]`; Triton and JAX take part where they are.
``--dry-run`` goes through all of it without a GPU, on small arrays in the simulator, to
find slips before a GPU is paid for; its times mean nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.gpu_timing import Device, HostDevice, TorchDevice, compete

MINUTES = 9.0
# The share of the time that goes to the conformance suite.
CONFORMANCE = 0.35
# And to what libraries make, which the suite would prefer to opslib's own kernels.
PROVIDED = 0.05
PRODUCTS = ("matmul", "mm", "bmm", "linear", "matvec", "vecmat")
_SECONDS_EACH = 6.0
# Calls of which the host's cost is the median.
_CALLS = 2000


@dataclass(slots=True)
class Result:
    """What a run found; `as_json` is the file.

    Attributes:
        machine: names and versions.
        conformance: counts, and failures by name.
        provided: the same, of the products of vendors' libraries.
        ceilings: bytes and flops per second that were measured.
        calls: microseconds of the host for a call on small arrays, by contender.
        rows: one for each contender of each workload.
        skipped: workloads that there was no time for.
    """

    machine: dict[str, str] = field(default_factory=dict)
    conformance: dict[str, Any] = field(default_factory=dict)
    provided: dict[str, Any] = field(default_factory=dict)
    ceilings: dict[str, float] = field(default_factory=dict)
    calls: dict[str, float] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def as_json(self) -> str:
        """One document."""
        return json.dumps(asdict(self), indent=1)


class Budget:
    """The time there is."""

    def __init__(
        self, seconds: float, now: Callable[[], float] = time.perf_counter
    ) -> None:
        self._now = now
        self._end = now() + seconds

    @property
    def left(self) -> float:
        """Seconds until the end."""
        return self._end - self._now()


# --- Is it right ---------------------------------------------------------------------


def conformance(
    seconds: float,
    jobs: int,
    backend: str = "cuda:0",
    operators: Sequence[str] = (),
    providers: bool = False,
    more: Sequence[str] = (),
) -> dict[str, Any]:
    """The quick profile on the device, as far as it comes in the time.

    It runs in a process of its own: a kernel that destroys its context takes a worker
    along, not the run.

    Args:
        seconds: that it may take.
        jobs: workers.
        backend: the device.
        operators: only these; all where there are none.
        providers: by vendors' libraries where they have them, else by opslib's own.
        more: arguments of the command.
    """
    environment = {**os.environ, "OPSLIB_PROVIDERS": "" if providers else "never"}
    with tempfile.TemporaryDirectory(prefix="opslib-gpu-") as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "opslib", "conformance", "--backend", backend]
        command += ["--profile", "quick", "--jobs", str(jobs), "--json", str(report)]
        for name in operators:
            command += ["--op", name]
        started = time.perf_counter()
        try:
            subprocess.run(
                [*command, *more],
                capture_output=True,
                timeout=max(seconds, 1.0),
                check=False,
                env=environment,
            )
            whole = True
        except subprocess.TimeoutExpired:
            whole = False
        took = time.perf_counter() - started
        text = report.read_text("utf-8") if report.is_file() else "{}"
    return {"whole": whole, "seconds": round(took, 1), **summary(json.loads(text))}


def summary(report: Mapping[str, Any]) -> dict[str, Any]:
    """Counts by state, and each failure, of a conformance report."""
    counts: dict[str, int] = {}
    failures = []
    for row in report.get("rows", ()):
        counts[row["state"]] = counts.get(row["state"], 0) + 1
        if row["state"] == "fail":
            failures.append(
                f"{row['operator']} {row['dtype']}: {row.get('reason', '')}"
            )
    return {"counts": counts, "failures": failures}


# --- How fast is it ------------------------------------------------------------------


def ceilings(
    device: Device, where: str = "cuda", elements: int = 1 << 28, side: int = 8192
) -> dict[str, float]:
    """What a copy moves, and what a product computes, in a second.

    Torch's copy of 1 GiB (reads and writes counted), and its product of bfloat16
    matrices of 8192: cuBLAS.
    """
    import torch

    a = torch.randn(elements, device=where)
    b = torch.empty_like(a)
    m = torch.randn(side, side, device=where, dtype=torch.bfloat16)
    n = torch.randn(side, side, device=where, dtype=torch.bfloat16)
    rates = {
        "copy_bytes_per_s": (lambda: b.copy_(a), 2 * a.nbytes),
        "bfloat16_flops_per_s": (lambda: m @ n, 2 * side**3),
    }
    found = {}
    for name, (work, amount) in rates.items():
        for _ in range(5):
            work()
        samples = sorted(device.timed(work) for _ in range(21))
        found[name] = amount / samples[len(samples) // 2]
    return found


def calls(device: Device, where: str = "cuda", count: int = _CALLS) -> dict[str, float]:
    """Microseconds until a call on 1024 elements returns, which waits for nothing.

    Contenders in turn, in blocks of ten, so that the queue to the device never fills.
    """
    import torch

    import opslib

    a, b = torch.randn(1024, device=where), torch.randn(1024, device=where)
    contenders: dict[str, Callable[[], Any]] = {
        "opslib.add": lambda: opslib.add(a, b),
        "torch.add": lambda: torch.add(a, b),
        "opslib.softmax": lambda: opslib.softmax(a),
        "torch.softmax": lambda: torch.softmax(a, -1),
    }
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(max(count // 10, 2)):
        for name, call in contenders.items():
            call()
            device.synchronize()
            start = time.perf_counter()
            for _ in range(10):
                call()
            samples[name].append((time.perf_counter() - start) / 10)
            device.synchronize()
    return {name: 1e6 * sorted(s)[len(s) // 2] for name, s in samples.items()}


def rows_of(
    case: Any,
    timings: Mapping[str, Any],
    field_: Sequence[Any],
    limits: Mapping[str, float],
) -> list[dict[str, Any]]:
    """One row for each contender.

    Args:
        case: the workload.
        timings: by contender.
        field_: the contenders.
        limits: the ceilings.
    """
    ours = timings.get("opslib")
    found = []
    for c in field_:
        row: dict[str, Any] = {
            "case": case.name,
            "contender": c.name,
            "goal": case.goal,
        }
        t = timings.get(c.name)
        if t is None or c.why_not:
            row["why_not"] = c.why_not or "it has no samples"
        else:
            amount, limit = case.bytes_, limits.get("copy_bytes_per_s")
            if case.kind == "matrix":
                # Without a ceiling of its own for another type.
                amount, limit = case.flops, limits.get(f"{case.dtype}_flops_per_s")
            row |= {
                "clock": c.clock,
                "microseconds": t.seconds * 1e6,
                "spread": t.spread,
                "samples": t.samples,
                "per_second": amount / t.seconds,
                "of_ceiling": amount / t.seconds / limit if limit else None,
                "opslib_is": t.seconds / ours.seconds if ours else None,
            }
        found.append(row)
    return found


def agreement(case: Any, sets: Sequence[tuple[Any, ...]]) -> float:
    """How far opslib's result is from torch's, as a fraction of its largest element.

    That a fast answer is not a wrong one; the conformance suite says how right it is.
    """
    want = case.torch(*sets[0]).double()
    got = case.opslib(*sets[0]).double()
    return float((got - want).abs().max() / want.abs().max())


def measure(
    case: Any,
    device: Device,
    limits: Mapping[str, float],
    seconds: float,
) -> list[dict[str, Any]]:
    """Times one workload."""
    from benchmarks.gpu_cases import buffers, contenders

    sets = buffers(case, where=device.where)
    entrants = contenders(case, sets)
    timings = compete(entrants, device, len(sets), seconds)
    found = rows_of(case, timings, entrants, limits)
    if found and "why_not" not in found[0]:
        found[0]["error_of_largest"] = agreement(case, sets)
    return found


def table(result: Result) -> str:
    """The run as Markdown, for people."""
    lines = [f"# opslib on {result.machine.get('gpu', 'no GPU')}", ""]
    lines += [f"* {name}: {text}" for name, text in result.machine.items()]
    for name, rate in result.ceilings.items():
        lines.append(f"* {name.replace('_', ' ')}: {rate:.3g}")
    for name, micros in result.calls.items():
        lines.append(f"* a call of {name} on 1024 elements, host: {micros:.2f} us")
    for name, c in (
        ("conformance", result.conformance),
        ("conformance, products by libraries", result.provided),
    ):
        if c:
            how = "whole" if c.get("whole") else "cut off"
            lines.append(f"* {name} ({how}, {c.get('seconds')} s): {c.get('counts')}")
            lines += [f"    * {text}" for text in c.get("failures", ())]
    lines += [
        "",
        "| workload | contender | time (us) | of ceiling | opslib is | clock |",
        "|---|---|---:|---:|---:|---|",
    ]
    for row in result.rows:
        if "why_not" in row:
            lines.append(
                f"| {row['case']} | {row['contender']} | {row['why_not']} ||||"
            )
            continue
        of, ratio = row["of_ceiling"], row["opslib_is"]
        lines.append(
            f"| {row['case']} | {row['contender']} | {row['microseconds']:.1f} | "
            f"{'' if of is None else f'{of:.2f}'} | "
            f"{'' if ratio is None else f'{ratio:.2f}x'} | {row['clock']} |"
        )
    lines += [f"\nNo time was left for {name}." for name in result.skipped]
    return "\n".join(lines) + "\n"


def machine(dry: bool = False) -> dict[str, str]:
    """Names and versions of all that takes part."""
    import torch
    from opslib.backends.cuda import cublaslt_library, nvrtc
    from opslib.backends.cuda.packages import NotInstalled

    import opslib

    name = "none: a dry run in the simulator, whose times mean nothing"
    if not dry:
        p = torch.cuda.get_device_properties(0)
        name = f"{p.name}, {p.multi_processor_count} multiprocessors, compute "
        name += f"capability {p.major}.{p.minor}"
    found = {
        "gpu": name,
        "opslib": opslib.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    for package, version in (
        ("nvrtc", nvrtc.version),
        ("cuBLASLt", cublaslt_library.version),
    ):
        try:
            found[package] = version()
        except NotInstalled as missing:
            found[package] = str(missing)
    return found


def run(
    result: Result,
    cases: Sequence[Any],
    device: Device,
    budget: Budget,
    timed: Callable[..., list[dict[str, Any]]] = measure,
    saved: Callable[[], None] = lambda: None,
) -> None:
    """Times workloads in order while there is time."""
    for case in cases:
        if budget.left < 2 * _SECONDS_EACH:
            result.skipped.append(case.name)
            continue
        result.rows += timed(case, device, result.ceilings, _SECONDS_EACH)
        release = getattr(device, "release", None)
        if release is not None:
            release()
        saved()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs; 0 where nothing failed the conformance suite."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, default=Path("gpu.json"))
    parser.add_argument("--table", type=Path, default=Path("gpu.md"))
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--jobs", type=int, default=8, help="conformance workers")
    parser.add_argument("--only", help="workloads whose name begins so")
    parser.add_argument("--no-conformance", action="store_true")
    parser.add_argument("--dry-run", action="store_true", help="without a GPU")
    given = parser.parse_args(arguments)
    try:
        import torch

        usable = given.dry_run or torch.cuda.is_available()
    except ImportError:
        usable = False
    if not usable:
        print(
            "this needs torch with CUDA and a GPU: pip install torch", file=sys.stderr
        )
        return 2
    with contextlib.ExitStack() as stack:
        if given.dry_run:
            import opslib

            stack.enter_context(opslib.use(backend="cuda:sim"))
        return _all(given)


def _all(given: argparse.Namespace) -> int:
    from benchmarks.gpu_cases import cases

    dry = given.dry_run
    budget = Budget(60 * given.minutes)
    result = Result(machine(dry))
    device: Device = HostDevice() if dry else TorchDevice()

    def saved() -> None:
        given.json.write_text(result.as_json(), "utf-8")
        given.table.write_text(table(result), "utf-8")

    if not given.no_conformance:
        seconds = budget.left
        backend = "cuda:sim" if dry else "cuda:0"
        # A dry run takes one case of one operator: that the command runs.
        more = ["--case", "1", "--dtype", "float32"] if dry else []
        only = ["add"] if dry else []
        result.conformance = conformance(
            CONFORMANCE * seconds, given.jobs, backend, only, more=more
        )
        saved()
        result.provided = conformance(
            PROVIDED * seconds,
            given.jobs,
            backend,
            PRODUCTS[:1] if dry else PRODUCTS,
            providers=True,
            more=more,
        )
        saved()
    sizes = {"elements": 1 << 10, "side": 16} if dry else {}
    result.ceilings = ceilings(device, device.where, **sizes)
    result.calls = calls(device, device.where, 20 if dry else _CALLS)
    saved()
    wanted = [c for c in cases(tiny=dry) if c.name.startswith(given.only or "")]
    run(result, wanted, device, budget, saved=saved)
    saved()
    print(table(result))
    failed = [c.get("failures") for c in (result.conformance, result.provided)]
    return 1 if any(failed) else 0


if __name__ == "__main__":
    raise SystemExit(main())
