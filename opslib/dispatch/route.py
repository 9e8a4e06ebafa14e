"""Which device runs a call: argument > use > residence > environment > table."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from opslib.dispatch.state import State
from opslib.errors import BackendUnavailable
from opslib.runtime import registry
from opslib.runtime.protocol import Backend, Device

# With no measured rows. `numpy` is last: it is the reference, not a fast path.
DEFAULT_ORDER = ("cpu", "jax", "numpy")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A device that may run the call, and what speaks for it.

    `wanted` says that the user named it: then a refusal is an error, unless the
    fallback policy says otherwise.
    """

    backend: Backend
    device: Device
    because: str
    wanted: bool = False


def wanted_name(argument: str | None, settings: State | None) -> tuple[str, str] | None:
    """The device the user asked for, and how: by argument or by `use`."""
    if argument is not None:
        return argument, "asked for by the argument"
    if settings is not None and settings.backend is not None:
        return settings.backend, "asked for by opslib.use"
    return None


def candidates(
    arrays: Sequence[Any],
    library: str,
    argument: str | None,
    settings: State | None,
    refusals: list[str] | None = None,
) -> Iterator[Candidate]:
    """Devices in the order in which they are asked; loads backends lazily.

    A wanted device that cannot be used at all goes to `refusals`, where the fallback
    policy allows another.

    Raises:
        BackendUnavailable: the device the user asked for cannot be used, and the
            fallback policy is ``error``.
    """
    seen: set[str] = set()
    wanted = wanted_name(argument, settings)
    if wanted is not None:
        name, because = wanted
        try:
            backend, device = registry.device(name)
        except BackendUnavailable as error:
            known = name.partition(":")[0] in registry.names()
            if settings is None or settings.fallback == "error" or not known:
                raise
            if refusals is not None:
                refusals.append(f"{name}: {error.message}")
        else:
            seen.add(device.name)
            yield Candidate(backend, device, because, wanted=True)
        if settings is None or settings.fallback == "error":
            return
    for candidate in _automatic(arrays, library):
        if candidate.device.name not in seen:
            seen.add(candidate.device.name)
            yield candidate


def _automatic(arrays: Sequence[Any], library: str) -> Iterator[Candidate]:
    resident = residence(arrays, library)
    if resident is not None:
        yield Candidate(*resident, because="the arrays live there")
    named = _environment()
    if named:
        try:
            backend, device = registry.device(named)
        except BackendUnavailable as error:
            raise BackendUnavailable(
                f"OPSLIB_BACKEND={named}: {error.message}",
                code=error.code,
                help=error.help,
            ) from None
        yield Candidate(backend, device, "named by OPSLIB_BACKEND")
    for name in DEFAULT_ORDER:
        if name not in registry.names():
            continue
        try:
            backend, device = registry.device(name)
        except BackendUnavailable:
            continue
        if not device.simulated:
            yield Candidate(backend, device, "next in the default order")


@functools.cache
def _environment() -> str:
    """``OPSLIB_BACKEND``, as it is when the first call is planned.

    Later changes have no effect: plans made before them are still in use.
    """
    return os.environ.get("OPSLIB_BACKEND", "")


def residence(arrays: Sequence[Any], library: str) -> tuple[Backend, Device] | None:
    """The device on which the arrays live, where that decides: not for the host."""
    if library in ("numpy", "torch", "scalar"):
        return None
    names = ("jax",) if library == "jax" else registry.names()
    for name in names:
        try:
            backend = registry.load(name)
        except BackendUnavailable:
            continue
        for array in arrays:
            device = backend.owner(array)
            if device is not None and device.why_not is None:
                return backend, device
    return None
