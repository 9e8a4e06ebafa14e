"""Compile what many cases will need together, before any of them is judged.

A compiler spends most of its time on starting and on headers, so a backend may offer
``gathering()``: a context in which launches only note which kernels they would need,
and raise. `gather` makes every call of the cases in it, and has the notes compiled,
many kernels at a time. What fails there is compiled alone, and reported, when its case
runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

import numpy as np

from opslib.dispatch import routing
from opslib.dispatch.handle import Handle
from opslib.runtime import registry
from opslib.testing.conformance import calls_of

Row = tuple[Handle, str, Sequence[int], int]


class Gathered(Protocol):
    """What was noted."""

    def compile(self, processes: int = 1) -> list[str]:
        """Compiles it, with so many compilers at a time; says what failed."""


@runtime_checkable
class Gathers(Protocol):
    """A backend that compiles many kernels together."""

    def gathering(self) -> AbstractContextManager[Gathered]:
        """Launches in the block are noted, and raise."""


def gather(backend: str, rows: Iterable[Row], processes: int = 1) -> list[str]:
    """Compiles the kernels of cases.

    Args:
        backend: its name; one that does not gather has nothing to do.
        rows: operator, dtype, case numbers and seed.
        processes: how many compilers run at a time.

    Returns:
        What could not be compiled, a text each.
    """
    found, _ = registry.device(backend)
    if not isinstance(found, Gathers):
        return []
    with np.errstate(all="ignore"), routing.trust(), found.gathering() as gathered:
        for handle, dtype, numbers, seed in rows:
            for number in numbers:
                try:
                    for run in calls_of(handle, dtype, number, seed, backend):
                        try:
                            run()
                        except Exception:
                            continue  # the launch raises; so may the spec
                except Exception:
                    continue  # there is no such case: judging it says so
    return gathered.compile(processes)
