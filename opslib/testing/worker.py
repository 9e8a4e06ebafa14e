"""The killable child of the runner: ``python -m opslib.testing.worker BACKEND``.

Jobs come as JSON lines on stdin, verdicts go as JSON lines to the original stdout. What
a kernel prints goes to stderr, so that it cannot be taken for a verdict. Before each
case its number is announced: if the process dies, the parent knows which one it was.
A line ``{"gather": [jobs], "processes": n}`` has their kernels compiled beforehand.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import Any, TextIO

import numpy as np

from opslib.dispatch.handle import Handle
from opslib.testing.conformance import skeleton_of, verdict
from opslib.testing.gather import gather
from opslib.testing.judge import Verdict
from opslib.testing.levels import Drift, Measure


def encode(found: Verdict) -> dict[str, Any]:
    """A verdict as plain data."""
    return asdict(found)


def decode(row: dict[str, Any]) -> Verdict:
    """The inverse of `encode`."""
    measures = tuple(
        Measure(m["level"], m["worst"], tuple(m["place"]), m["got"], m["want"])
        for m in row["measures"]
    )
    drifts = tuple(Drift(**d) for d in row["drifts"])
    return Verdict(
        row["number"], row["status"], row["message"], measures, drifts, row["slack"]
    )


def serve(backend: str, jobs: TextIO, results: TextIO) -> None:
    """Answers jobs until their end."""

    def say(**message: Any) -> None:
        results.write(json.dumps(message) + "\n")
        results.flush()

    handles: dict[str, Handle] = {}
    for line in jobs:
        job = json.loads(line)
        if "gather" in job:
            rows = [
                (
                    handles.setdefault(j["operator"], Handle(j["operator"])),
                    j["dtype"],
                    j["numbers"],
                    j["seed"],
                )
                for j in job["gather"]
            ]
            say(gathered=gather(backend, rows, job["processes"]))
            continue
        name, dtype, seed = job["operator"], job["dtype"], job["seed"]
        handle = handles.setdefault(name, Handle(name))
        for number in job["numbers"]:
            say(start=number)
            with np.errstate(all="ignore"):
                found = verdict(handle, dtype, backend, number, seed)
            say(verdict=encode(found))
        say(done=True, skeleton=skeleton_of(handle, dtype, backend, seed))


def main() -> None:
    """Serves on stdin and stdout."""
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.argv[1], sys.stdin, results)


if __name__ == "__main__":
    main()
