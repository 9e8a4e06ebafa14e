"""Every ``workload`` clause of the specs, on every backend usable here.

Made from the specs at import: a new clause is a new row, with no code.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

import opslib
from opslib.tuning.workloads import workload_call, workload_text

# The reference backend takes minutes on the larger ones: it is not meant to be fast.
BACKENDS = os.environ.get("OPSLIB_BENCH_BACKENDS", "cpu").split(",")
_WORKLOADS = {
    f"{name} {workload.label}": (operator, workload)
    for name, operator in sorted(opslib.spec_library().items())
    for workload in operator.clauses.workloads
}


class Workloads:
    """Seconds of one call, inputs rotated so that no cache holds them."""

    params = (list(_WORKLOADS), BACKENDS)
    param_names = ("workload", "backend")
    timeout = 300
    warmup_time = 0.2
    # asv keeps the median and the quartiles of these.
    repeat = (5, 30, 3.0)

    def setup(self, name: str, backend: str) -> None:
        usable = [d for d in opslib.devices() if d.backend == backend]
        if not any(d.why_not is None for d in usable):
            raise NotImplementedError(f"{backend} cannot be used here")
        operator, workload = _WORKLOADS[name]
        arrays, self.attributes = workload_call(operator, workload)
        size = sum(a.nbytes for a in arrays if isinstance(a, np.ndarray))
        copies = max(1, min(16, (128 << 20) // max(size, 1)))
        self.sets: list[tuple[Any, ...]] = [arrays]
        for _ in range(copies):
            self.sets.append(
                tuple(a.copy() if isinstance(a, np.ndarray) else a for a in arrays)
            )
        self.function = getattr(opslib, operator.name)
        self.backend, self.at = backend, 0
        self.function(*arrays, backend=backend, **self.attributes)

    def time_call(self, name: str, backend: str) -> None:
        self.at = (self.at + 1) % len(self.sets)
        arrays = self.sets[self.at]
        self.function(*arrays, backend=self.backend, **self.attributes)


Workloads.time_call.pretty_name = "workloads"  # type: ignore[attr-defined]
__doc__ += "\n".join(
    f"* {n.split()[0]}: {workload_text(w)}" for n, (_, w) in _WORKLOADS.items()
)
