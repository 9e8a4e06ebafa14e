"""Timings for the routing table: ``python -m opslib.tuning.route_timings [OP ...]``.

Each operator's workloads on the backends of the default order, in one interleaved run
of `opslib.tuning.bench`. They order the devices of calls of such sizes
(`opslib.dispatch.shipped`), on machines of the same device families; rows of operators
that are not named stay.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from opslib.dispatch import inspection, routing, shipped
from opslib.dispatch.handle import Handle
from opslib.dispatch.plan import Plan
from opslib.dispatch.route import DEFAULT_ORDER
from opslib.dispatch.stamp import generator_stamp
from opslib.language.library import load_library
from opslib.runtime import registry
from opslib.runtime.protocol import Device
from opslib.tuning.bench import bench
from opslib.tuning.workloads import workload_call, workload_text


def timings_of(handle: Handle, seconds: float) -> Iterator[shipped.Timing]:
    """The operator's workloads, about `seconds` for each, on backends that agree."""
    usable = [n for n in DEFAULT_ORDER if any(d.why_not is None for d in _devices(n))]
    for workload in handle.operator.clauses.workloads:
        measured = []
        function = _planned(handle)
        for row in bench(
            function, handle, backends=usable, only=workload.label, seconds=seconds
        ):
            if row.result is None or not row.agrees:
                continue
            if row.workload != workload_text(workload):
                continue
            name = row.contender.removeprefix("opslib:").partition(":")[0]
            _, device = registry.device(name)
            stamp = generator_stamp(name)
            measured.append((name, device.family, stamp, row.result.seconds))
        if len(measured) > 1:
            arrays, _ = workload_call(handle.operator, workload)
            yield shipped.Timing(
                handle.name,
                routing.spec_hash(handle.operator, handle.library),
                workload.tensors[0][1],
                sum(int(getattr(a, "size", 1)) for a in arrays if a is not None),
                tuple(sorted(measured, key=lambda m: m[3])),
            )


def _planned(handle: Handle) -> Callable[..., Any]:
    """The operator with one plan for each backend: planning is not what is timed."""
    plans: dict[str, Plan] = {}

    def function(*arrays: Any, backend: str, **attributes: Any) -> Any:
        plan = plans.get(backend)
        if plan is None:
            plan = inspection.plan(handle, *arrays, backend=backend, **attributes)
            plans[backend] = plan
        return plan(*arrays)

    return function


def _devices(name: str) -> Sequence[Device]:
    return registry.devices(name) if name in registry.names() else ()


def write(found: Iterable[shipped.Timing], path: Path | None = None) -> Path:
    """Takes timings into the file, in place of those of the same operators."""
    path = shipped.folder() / shipped.TIMINGS if path is None else path
    new = list(found)
    names = {t.operator for t in new}
    kept = [t for t in shipped.read_timings(path) if t.operator not in names]
    path.write_text(shipped.timings_text([*kept, *new]), "utf-8")
    shipped.forget()
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and writes; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("operator", nargs="*", metavar="OP")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each workload")
    parser.add_argument("--to", type=Path, help="a file; default: the shipped one")
    given = parser.parse_args(arguments)
    library = load_library()
    names = given.operator or [n for n, o in library.items() if o.clauses.workloads]
    found = [t for name in names for t in timings_of(Handle(name), given.seconds)]
    print(write(found, given.to))
    return 0


if __name__ == "__main__":
    sys.exit(main())
