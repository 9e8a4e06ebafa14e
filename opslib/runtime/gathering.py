"""Notes which kernels a stretch of calls needs, and compiles them many at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from opslib.errors import CompileError

# Kernels in one translation unit: reading a simulator's headers takes as long as
# compiling some ten kernels, and one that fails takes its unit down.
_UNIT = 40


class NotCompiled(Exception):
    """What a launch inside `gathering` raises: the kernel was noted, not compiled."""


@dataclass(slots=True)
class Gathered:
    """Kernels that launches asked for; `build` compiles some of them in one unit."""

    build: Callable[[Sequence[Any]], None]
    wanted: dict[Any, None] = field(default_factory=dict)

    def compile(self, processes: int = 1) -> list[str]:
        """Compiles all of them, `processes` units at a time.

        Returns:
            What failed, a sentence each. Such a kernel is compiled alone, and raises
            its error, when it is launched.
        """
        todo = list(self.wanted)
        self.wanted.clear()
        units = [todo[k : k + _UNIT] for k in range(0, len(todo), _UNIT)]
        with ThreadPoolExecutor(max(processes, 1)) as pool:
            return [text for found in pool.map(self._unit, units) for text in found]

    def _unit(self, kernels: Sequence[Any]) -> list[str]:
        """One unit; in halves, and those in halves, where it does not compile."""
        try:
            self.build(kernels)
        except CompileError as error:
            if len(kernels) == 1:
                return [f"{kernels[0].made.name}: {error.message}"]
            middle = len(kernels) // 2
            return self._unit(kernels[:middle]) + self._unit(kernels[middle:])
        return []


_gathered: ContextVar[Gathered | None] = ContextVar("gathered", default=None)


def current() -> Gathered | None:
    """What is being gathered into here, if anything."""
    return _gathered.get()


@contextmanager
def gathering(build: Callable[[Sequence[Any]], None]) -> Iterator[Gathered]:
    """Notes what launches in the block would compile, instead of running them.

    To be used under `routing.trust`: a self-check that cannot run is no verdict.
    """
    found = Gathered(build)
    token = _gathered.set(found)
    try:
        yield found
    finally:
        _gathered.reset(token)
