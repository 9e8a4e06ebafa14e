"""Bounded maps for many threads, and the two that hold programs and kernels."""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opslib.ir.binding import Statics
from opslib.ir.expansion import expand
from opslib.ir.expr import Program
from opslib.language.syntax import Operator
from opslib.runtime.protocol import Backend, Device, Kernel, ProvidedKernel, Provides

_LIMIT = 4096


_caches: weakref.WeakSet[Cache] = weakref.WeakSet()


class Cache:
    """A bounded, thread-safe map; the least recently used entry goes first."""

    def __init__(self, limit: int = _LIMIT) -> None:
        self._entries: OrderedDict[Any, Any] = OrderedDict()
        self._lock = threading.Lock()
        self._limit = limit
        self._making: dict[Any, threading.Lock] = {}
        _caches.add(self)

    def renew_locks(self) -> None:
        """For a child of fork: whoever held a lock in the parent is not there."""
        self._lock = threading.Lock()
        self._making = {}

    def get(self, key: Any) -> Any:
        """The entry, or None."""
        with self._lock:
            found = self._entries.get(key)
            if found is not None:
                self._entries.move_to_end(key)
            return found

    def put(self, key: Any, value: Any) -> Any:
        """Keeps `value` unless another thread was first; returns the one kept."""
        with self._lock:
            kept = self._entries.setdefault(key, value)
            self._entries.move_to_end(key)
            if len(self._entries) > self._limit:
                self._entries.popitem(last=False)
            return kept

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """The entry, made by one thread while the others that want it wait.

        Where `make` raises, the error goes to its caller, and the next one tries.
        """
        found = self.get(key)
        if found is not None:
            return found
        with self._lock:
            mine = self._making.setdefault(key, threading.Lock())
        with mine:
            found = self.get(key)
            if found is None:
                try:
                    found = self.put(key, make())
                finally:
                    with self._lock:
                        self._making.pop(key, None)
        return found

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)


def _renew_locks() -> None:
    for cache in list(_caches):
        cache.renew_locks()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)

programs = Cache()
kernels = Cache()
libraries = Cache()


def program_for(
    operator: Operator, statics: Statics, library: Mapping[str, Operator]
) -> Program:
    """The expanded program, from the cache."""
    # By identity: hashing a whole syntax tree would cost more than a small kernel.
    # The entry keeps the operator alive, so that its id is not given to another.
    made: tuple[Operator, Program] = programs.once(
        (id(operator), statics), lambda: (operator, expand(operator, statics, library))
    )
    return made[1]


def kernel_for(backend: Backend, device: Device, program: Program) -> Kernel:
    """The compiled kernel, from the cache."""
    made: Kernel = kernels.once(
        (device.name, program), lambda: backend.compile(program, device)
    )
    return made


def provided_for(
    backend: Backend, device: Device, program: Program
) -> Sequence[ProvidedKernel]:
    """Kernels of vendors' libraries, from the cache; see `Provides`."""
    if not isinstance(backend, Provides):
        return ()
    made: Sequence[ProvidedKernel] = libraries.once(
        (device.name, program), lambda: tuple(backend.provided(program, device))
    )
    return made
