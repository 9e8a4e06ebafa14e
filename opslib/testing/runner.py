"""The whole suite on a backend: operators x dtypes x cases, in killable workers.

A case that kills its process, or takes longer than the profile allows, is a failure of
that case; a new worker goes on behind it. A report that was cut off is resumed: rows
for the same spec, generator, profile and seed are kept.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opslib.dispatch.handle import Handle
from opslib.errors import ArgumentError
from opslib.language.library import load_library
from opslib.runtime import pool, registry
from opslib.testing import known
from opslib.testing.conformance import (
    PROFILES,
    Outcome,
    Profile,
    Tally,
    family_of,
    numbers_of,
)
from opslib.testing.gather import Gathers, gather
from opslib.testing.names import checked_dtype, checked_operator
from opslib.testing.report import Report, read_report, write_json
from opslib.testing.shapes import dtypes_of
from opslib.testing.worker import decode

Notify = Callable[[int, int, Outcome], None]
# Importing opslib, and for some backends a compiler or a device's first start.
_START_S = 120.0
# Compiling the kernels of a bundle of jobs together, and how many jobs are one: enough
# for a few translation units, few enough that no worker is left with the last of them.
_GATHER_S = 900.0
_BUNDLE = 24


@dataclass(frozen=True, slots=True)
class Job:
    """One operator in one dtype: the unit of work and of resuming."""

    operator: str
    dtype: str
    numbers: tuple[int, ...]
    seed: int


@dataclass(slots=True)
class Worker:
    """A child process and the lines it has sent."""

    backend: str
    process: subprocess.Popen[str] | None = None
    lines: queue.Queue[str | None] = field(default_factory=queue.Queue)
    stopped: bool = False

    def send(self, job: Job, numbers: Sequence[int]) -> None:
        """Starts the process if need be and hands it a job."""
        self._write(_described(job, numbers))

    def gather(self, jobs: Sequence[Job], processes: int) -> None:
        """Has the kernels of jobs compiled together, with so many compilers.

        Whatever goes wrong here, killing a worker included, happens again to the one
        case whose fault it is.
        """
        described = [_described(job, job.numbers) for job in jobs]
        self._write({"gather": described, "processes": processes})
        try:
            message = self.read(_GATHER_S)
        except queue.Empty:
            message = None
        if message is None:
            self.kill()

    def _write(self, message: Mapping[str, Any]) -> None:
        if self.process is None or self.process.poll() is not None:
            self._start()
        assert self.process is not None
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
        except OSError:
            pass  # It is dead already; its end of file says so.

    def stop(self) -> None:
        """Ends the process for good; what it was doing counts as nothing.

        From another thread than the one that reads.
        """
        self.stopped = True
        process = self.process
        if process is not None:
            process.kill()

    def _start(self) -> None:
        self.lines = queue.Queue()
        # -P: not the opslib of the current folder, which may be another one.
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "opslib.testing.worker", self.backend],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=_environment(),
            # Of its own, so that Ctrl-C does not look like a case that killed it.
            process_group=0,
        )
        if self.stopped:
            self.process.kill()
        lines, stream = self.lines, self.process.stdout

        def pump() -> None:
            assert stream is not None
            for line in stream:
                lines.put(line)
            lines.put(None)

        threading.Thread(target=pump, daemon=True).start()

    def read(self, limit_s: float) -> dict[str, Any] | None:
        """The next message; None at the process's end. Raises queue.Empty."""
        line = self.lines.get(timeout=limit_s)
        found: dict[str, Any] | None = None if line is None else json.loads(line)
        return found

    def kill(self) -> str:
        """Ends the process; how it ended, for a report."""
        if self.process is None:
            return "did not start"
        self.process.kill()
        code = self.process.wait()
        self.process = None
        return f"ended with signal {-code}" if code < 0 else f"exited with {code}"

    def close(self) -> None:
        """Lets the process end by itself, and makes sure that it does."""
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


def _described(job: Job, numbers: Sequence[int]) -> dict[str, Any]:
    return {
        "operator": job.operator,
        "dtype": job.dtype,
        "seed": job.seed,
        "numbers": list(numbers),
    }


def _environment() -> dict[str, str]:
    """The child finds opslib where this process found it, and uses one thread."""
    import opslib.errors as anchor

    root = str(Path(anchor.__file__).resolve().parents[1])
    path = os.environ.get("PYTHONPATH")
    joined = root if not path else os.pathsep.join([root, path])
    return {**os.environ, "PYTHONPATH": joined, "OMP_NUM_THREADS": "1"}


def run_job(worker: Worker, job: Job, limit_s: float) -> Tally:
    """All cases of a job; restarts the worker behind a case that kills it.

    Of a worker that was stopped the tally means nothing.
    """
    tally = Tally(job.operator, job.dtype, worker.backend, job.seed)
    left = list(job.numbers)
    while left and not worker.stopped:
        worker.send(job, left)
        current: int | None = None
        while True:
            try:
                message = worker.read(limit_s if current is not None else _START_S)
            except queue.Empty:
                worker.kill()
                number = left.pop(0) if current is None else current
                tally.crashed(number, f"took longer than {limit_s:g} s")
                break
            if message is None:
                alive = worker.process
                code = alive.wait() if alive is not None else 0
                worker.kill()
                how = f"signal {-code}" if code < 0 else f"exit code {code}"
                number = left[0] if current is None else current
                tally.crashed(number, f"the process died: {how}")
                break
            if "start" in message:
                current = int(message["start"])
            elif "verdict" in message:
                tally.add(decode(message["verdict"]))
                left.remove(int(message["verdict"]["number"]))
                current = None
            else:
                tally.skeletons |= {message["skeleton"]} - {""}
                return tally
        if current is not None and current in left:
            left.remove(current)
        elif current is None and left:
            left.pop(0)
    return tally


def plan_jobs(
    operators: Iterable[str] | None = None,
    dtypes: Iterable[str] | None = None,
    profile: Profile | str = "standard",
    *,
    numbers: Sequence[int] | None = None,
    seed: int = 0,
) -> list[Job]:
    """What a run consists of; None means everything of the profile.

    Raises:
        ArgumentError: a name that there is not, or dtypes that no operator has.
    """
    chosen = PROFILES[profile] if isinstance(profile, str) else profile
    wanted = None if dtypes is None else {checked_dtype(d) for d in dtypes}
    names = [checked_operator(name) for name in operators or load_library()]
    jobs = []
    for name in dict.fromkeys(names):
        handle = Handle(name)
        have = dtypes_of(handle.operator)
        several = have[: chosen.dtypes] if wanted is None else have
        for dtype in several:
            if wanted is None or dtype in wanted:
                cases = numbers or numbers_of(handle, dtype, chosen)
                jobs.append(Job(name, dtype, tuple(cases), seed))
    if not jobs:
        whose = f"{names[0]} has" if len(names) == 1 else "these operators have"
        theirs = {d for n in names for d in dtypes_of(Handle(n).operator)}
        raise ArgumentError(
            f"{whose} no dtype {' or '.join(sorted(wanted or ()))}",
            code="E0705",
            help=f"dtypes: {', '.join(sorted(theirs))}",
        )
    return jobs


def run(
    backend: str,
    jobs: Sequence[Job],
    profile: Profile | str = "standard",
    *,
    workers: int = 1,
    report: Path | None = None,
    notify: Notify | None = None,
    known_failures: Sequence[known.Known] = (),
    in_process: bool = False,
) -> Report:
    """Runs jobs and gives the report, which is written to `report` as it grows.

    `workers` is how many processes there are at a time; rows that `report` already has
    for these jobs are kept; `notify` is told (done, total, outcome) after each job.
    With `in_process` they are judged here, and a crash is the end. KeyboardInterrupt
    ends the workers; the report then holds every job that was done, and no other.
    """
    chosen = PROFILES[profile] if isinstance(profile, str) else profile
    family = family_of(backend)
    made = Report.new(backend, family, chosen.name, jobs[0].seed if jobs else 0)
    if report is not None and report.exists():
        made.resume(read_report(report))
    waiting: queue.SimpleQueue[Sequence[Job]] = queue.SimpleQueue()
    todo = [j for j in jobs if not made.has(j.operator, j.dtype, j.numbers)]
    # A bundle is what is compiled together; the same jobs make the same bundles, so
    # that what they compile is found again.
    size = max(1, min(_BUNDLE, -(-len(todo) // max(1, workers))))
    for start in range(0, len(todo), size):
        waiting.put(todo[start : start + size])
    gathers = isinstance(registry.device(backend)[0], Gathers)
    processes = max(1, pool.available_threads() // max(1, workers))
    lock = threading.Lock()
    started = time.monotonic()
    saved = [started]
    finished = [0]

    def finish(job: Job, tally: Tally) -> None:
        outcome = known.explained(tally.outcome(family), known_failures)
        with lock:
            made.add(outcome, job.numbers)
            if report is not None and time.monotonic() - saved[0] > 5:
                write_json(made, report)
                saved[0] = time.monotonic()
            if notify is not None:
                finished[0] += 1
                notify(finished[0], len(todo), outcome)

    def work(worker: Worker) -> None:
        while not worker.stopped:
            try:
                bundle = waiting.get_nowait()
            except queue.Empty:
                break
            if gathers:
                worker.gather(bundle, processes)
            for job in bundle:
                tally = run_job(worker, job, chosen.limit_s)
                if worker.stopped:
                    break
                finish(job, tally)
        worker.close()

    try:
        if in_process:
            _here(backend, todo, finish)
        else:
            _in_threads(work, [Worker(backend) for _ in range(max(1, workers))])
    finally:
        if report is not None:
            write_json(made, report)
    return made


def _in_threads(work: Callable[[Worker], None], workers: Sequence[Worker]) -> None:
    """Has each worker looked after by a thread, and waits for all of them."""
    threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:
        # Python would wait for the threads at its exit: until the suite is through.
        for worker in workers:
            worker.stop()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
        raise


def _here(
    backend: str, jobs: Sequence[Job], finish: Callable[[Job, Tally], None]
) -> None:
    from opslib.testing.conformance import skeleton_of, verdicts

    for job in jobs:
        handle = Handle(job.operator)
        gather(backend, [(handle, job.dtype, job.numbers, job.seed)])
        tally = Tally(job.operator, job.dtype, backend, job.seed)
        for found in verdicts(handle, job.dtype, backend, job.numbers, job.seed):
            tally.add(found)
        skeleton = skeleton_of(handle, job.dtype, backend, job.seed)
        tally.skeletons |= {skeleton} - {""}
        finish(job, tally)
