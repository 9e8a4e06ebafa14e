"""Kernels compiled before they are needed: the plans of the calls that a spec names.

A compiled kernel takes any sizes, so one small call of each rank stands for all that
are laid out like it: in C order, without broadcast axes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from opslib.dispatch import inspection
from opslib.dispatch.handle import Handle
from opslib.errors import OpslibError
from opslib.runtime import launcher, pool
from opslib.tuning.workloads import abstract_call, sample_arrays

RANKS = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class Warmed:
    """What became of one operator in one dtype.

    device: where its calls will run; "" where none can be made.
    seconds: that planning took, its compiler included.
    reason: why no call of it can be planned, else "".
    """

    operator: str
    dtype: str
    device: str
    seconds: float
    reason: str


def warm(
    wanted: Sequence[tuple[Handle, str]],
    backend: str | None = None,
    jobs: int = 1,
    notify: Callable[[Warmed], None] = lambda _: None,
) -> list[Warmed]:
    """Plans calls of operators in dtypes, so that their kernels lie in the cache.

    Args:
        wanted: pairs of an operator and the dtype of its main argument.
        backend: as in a call; None lets the routing choose.
        jobs: how many compilers run at a time.
        notify: called after each pair, by any thread.
    """

    def one(pair: tuple[Handle, str]) -> Warmed:
        made = _warm(*pair, backend)
        notify(made)
        return made

    with ThreadPoolExecutor(max(jobs, 1)) as workers:
        found = list(workers.map(one, wanted))
    if any(w.device == "cpu" for w in found):
        # What every compiled kernel is called by.
        launcher.implementation()
        pool.context_provider()
    return found


def _warm(handle: Handle, dtype: str, backend: str | None) -> Warmed:
    start = time.perf_counter()
    device = reason = ""
    for arrays, attributes in _calls(handle, dtype):
        try:
            plan = inspection.plan(handle, *arrays, backend=backend, **attributes)
        except OpslibError as error:
            reason = error.message
        else:
            device = plan.device.name
    seconds = time.perf_counter() - start
    return Warmed(handle.name, dtype, device, seconds, "" if device else reason)


def _calls(
    handle: Handle, dtype: str
) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    operator = handle.operator
    for workload in operator.clauses.workloads:
        if workload.tensors and workload.tensors[0][1] == dtype:
            yield abstract_call(operator, workload)
    for rank in RANKS:
        try:
            yield sample_arrays(operator, dtype, rank)
        except OpslibError:
            continue  # Such as an operator of matrices, which has no rank to choose.
