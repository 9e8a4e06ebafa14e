"""The host's end of the chip: a process, a pipe to it, and handles to its memory.

Commands are executed in the order in which they were sent, so that a launch needs no
answer: the host hands out the number of the result's memory and goes on.
"""

from __future__ import annotations

import atexit
import os
import pickle
import subprocess
import sys
import threading
import weakref
from collections import deque
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Handle:
    """An array in the chip's memory: a number, and what the host knows about it.

    It has neither ``__array__`` nor ``__dlpack__`` nor a buffer.
    """

    number: int
    dtype: Any
    shape: tuple[int, ...]

    @property
    def ndim(self) -> int:
        """How many axes."""
        return len(self.shape)


class Chip:
    """The connection; one for each process of the host."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "opslib_toychip.chip"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._lock = threading.Lock()
        self._next = 1
        # Filled by finalisers, which may run inside any other line of this class; a
        # deque needs no lock.
        self._dead: deque[int] = deque()
        atexit.register(self.close)

    def handle(self, dtype: Any, shape: tuple[int, ...]) -> Handle:
        """A number for memory that a command will fill."""
        with self._lock:
            number, self._next = self._next, self._next + 1
        made = Handle(number, dtype, tuple(shape))
        weakref.finalize(made, self._dead.append, number)
        return made

    def post(self, *command: Any) -> None:
        """Sends a command that has no answer."""
        with self._lock:
            self._send(command)

    def ask(self, *command: Any) -> Any:
        """Sends a command and waits for its answer; raises what the chip reports."""
        with self._lock:
            self._send(command)
            assert self._process.stdout is not None
            kind, value = pickle.load(self._process.stdout)
        if kind == "error":
            raise value
        return value

    def _send(self, command: tuple[Any, ...]) -> None:
        stream = self._process.stdin
        assert stream is not None
        dead = [self._dead.popleft() for _ in range(len(self._dead))]
        if dead:
            pickle.dump(("free", dead), stream)
        pickle.dump(command, stream)
        stream.flush()

    def close(self) -> None:
        """Ends the process, once it has done what it was told."""
        if os.getpid() == self.pid and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait(timeout=10)


_chip: Chip | None = None
_start = threading.Lock()


def chip() -> Chip:
    """This process's chip; a forked child starts its own."""
    global _chip
    with _start:
        if _chip is None or _chip.pid != os.getpid():
            _chip = Chip()
        return _chip
