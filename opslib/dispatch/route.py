"""Which device runs a call: argument > use > residence > environment > table."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from opslib.dispatch import arrays as foreign
from opslib.dispatch.stamp import generator_stamp
from opslib.dispatch.state import State
from opslib.errors import BackendUnavailable, OpslibWarning
from opslib.ir.dtypes import DTYPES, FLOAT32, DType
from opslib.runtime import registry
from opslib.runtime.protocol import Backend, Device

# (backend, family, stamp), the fastest first.
Measured = Sequence[tuple[str, str, str]]

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
    measured: Measured = (),
) -> Iterator[Candidate]:
    """Devices in the order in which they are asked; loads backends lazily.

    A wanted device that cannot be used at all goes to `refusals`, where the fallback
    policy allows another. `measured` is the order in which a timing run found them
    (`shipped.fastest_first`); a backend that has changed since is not taken by it.

    Raises:
        BackendUnavailable: the device the user asked for cannot be used, and the
            fallback policy is ``error``.
    """
    accumulate = None if settings is None else settings.accumulate
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
            if ":" not in name:
                device = summing(backend, device, accumulate)
            seen.add(device.name)
            yield Candidate(backend, device, because, wanted=True)
        if settings is None or settings.fallback == "error":
            return
    for candidate in _automatic(arrays, library, measured):
        device = summing(candidate.backend, candidate.device, accumulate)
        candidate = replace(candidate, device=device)
        if candidate.device.name not in seen:
            seen.add(candidate.device.name)
            yield candidate


def summing(backend: Backend, device: Device, accumulate: str | None) -> Device:
    """The backend's device for sums in a type: this one, or one that promises it.

    Where none does it stays this one, which then says why it cannot.
    """
    if accumulate is None or too_narrow(backend, device, FLOAT32, accumulate) is None:
        return device
    for other in backend.devices():
        usable = other.why_not is None and not other.simulated
        if usable and too_narrow(backend, other, FLOAT32, accumulate) is None:
            return other
    return device


def too_narrow(
    backend: Backend, device: Device, dtype: DType, accumulate: str
) -> str | None:
    """Why a device's sums of a float type are not those asked for, or None."""
    promise = backend.arithmetic(dtype, device)
    if promise is None or promise.accumulator.bits >= DTYPES[accumulate].bits:
        return None
    return f"it sums {dtype} in {promise.accumulator}, not in {accumulate}"


def _automatic(
    arrays: Sequence[Any], library: str, measured: Measured
) -> Iterator[Candidate]:
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
    for name, family, stamp in measured:
        if name not in DEFAULT_ORDER or name not in registry.names():
            continue
        try:
            backend, device = registry.device(name)
        except BackendUnavailable:
            continue
        current = device.family == family and generator_stamp(name) == stamp
        if current and not device.simulated:
            yield Candidate(backend, device, "the fastest in the timings")
    for name in DEFAULT_ORDER:
        if name not in registry.names():
            continue
        try:
            backend, device = registry.device(name)
        except BackendUnavailable as error:
            _said_once(error.message)
            continue
        if not device.simulated:
            yield Candidate(backend, device, "next in the default order")


@functools.cache
def _said_once(reason: str) -> None:
    """Warns where a setting of the user's is what takes a device out of the order."""
    if "OPSLIB_CC=" in reason:
        text = f"calls that name no backend run on another device: {reason}"
        warnings.warn(text, OpslibWarning, stacklevel=2)


@functools.cache
def _environment() -> str:
    """``OPSLIB_BACKEND``, as it is when the first call is planned.

    Later changes have no effect: plans made before them are still in use.
    """
    return os.environ.get("OPSLIB_BACKEND", "")


def residence(arrays: Sequence[Any], library: str) -> tuple[Backend, Device] | None:
    """The device on which the arrays live, where that decides: not for the host."""
    if not any(foreign.is_resident(a, library) for a in arrays):
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
