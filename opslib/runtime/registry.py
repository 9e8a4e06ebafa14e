"""Finding backends: entry points are listed without importing, loaded on first use.

In-tree backends come through the same door as a vendor's package. A plug-in that
fails to load is a device with a `why_not`, never an import error of opslib.
"""

from __future__ import annotations

import os
import threading
from importlib.metadata import EntryPoint, entry_points

from opslib import _source_tree
from opslib.errors import ArgumentError, BackendUnavailable, OpslibError, said
from opslib.runtime.protocol import PROTOCOL_VERSION, Backend, Device
from opslib.spelling import did_you_mean

GROUP = "opslib.backends"

_lock = threading.RLock()
_points: dict[str, EntryPoint] | None = None
_loaded: dict[str, Backend | BackendUnavailable] = {}


def _renew_lock() -> None:
    """For a child of fork: whoever held the lock in the parent is not there."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def _entry_points() -> dict[str, EntryPoint]:
    global _points
    with _lock:
        if _points is None:
            found = {p.name: p for p in _source_tree.source_entry_points()}
            found.update({p.name: p for p in entry_points(group=GROUP)})
            _points = found
        return _points


def names() -> tuple[str, ...]:
    """Names of all registered backends; imports none of them."""
    return tuple(sorted(_entry_points()))


def known(name: str) -> None:
    """Raises BackendUnavailable unless a backend of that name is registered.

    ArgumentError for what is no name at all.

    Imports none; a device's name (``"jax:gpu:0"``) counts as its backend's.
    """
    if not isinstance(name, str):
        raise ArgumentError(
            f"a backend is named by a string, not {name!r}",
            code="E0704",
            help="opslib.devices() lists them",
        )
    points = _entry_points()
    root = name.partition(":")[0]
    if root not in points:
        hint = did_you_mean(root, points)
        raise BackendUnavailable(
            f"there is no backend {name!r}",
            code="E0801",
            help=f"{hint} registered here: {', '.join(sorted(points))}".strip(),
        )


def load(name: str) -> Backend:
    """The backend of that name.

    Raises:
        BackendUnavailable: unknown, or its package does not load here; says why.
    """
    known(name)
    with _lock:
        if name not in _loaded:
            _loaded[name] = _load(name)
        found = _loaded[name]
    if isinstance(found, BackendUnavailable):
        # A new one each time: a traceback belongs to one raise.
        raise BackendUnavailable(found.message, code=found.code, help=found.help)
    return found


def _load(name: str) -> Backend | BackendUnavailable:
    points = _entry_points()
    try:
        backend: Backend = points[name].load()()
    except Exception as error:
        # A plug-in is foreign code: whatever it raises is its why_not.
        return BackendUnavailable(
            f"backend {name!r} does not load: {type(error).__name__}: {error}",
            code="E0801",
            help=f"it comes from {points[name].value}; reinstall or remove it",
        )
    version = getattr(backend, "protocol", None)
    if version != PROTOCOL_VERSION:
        return BackendUnavailable(
            f"backend {name!r} speaks protocol {version}, opslib {PROTOCOL_VERSION}",
            code="E0801",
            help="install the release of the plug-in that fits this opslib",
        )
    return backend


def devices(name: str | None = None) -> tuple[Device, ...]:
    """All devices (of one backend), usable or not; the reason is in `why_not`."""
    found: list[Device] = []
    for each in names() if name is None else (name,):
        try:
            found += _listed(each, load(each))
        except OpslibError as error:
            why = error.message
            found.append(Device(each, each, "backend that did not load", why_not=why))
    return tuple(found)


def _listed(name: str, backend: Backend) -> tuple[Device, ...]:
    try:
        return tuple(backend.devices())
    except OpslibError:
        raise  # Such as a setting that is wrong: it names its own remedy.
    except Exception as error:
        # Foreign code, as in loading.
        raise BackendUnavailable(
            f"backend {name!r} cannot list its devices: {said(error)}",
            code="E0801",
            help=f"it comes from {_entry_points()[name].value}; reinstall or remove it",
        ) from error


def device(wanted: str) -> tuple[Backend, Device]:
    """The backend and device that ``backend=wanted`` means.

    Args:
        wanted: a backend's name (its best usable device) or a device's
            (``"jax:gpu:0"``), or a prefix of one (``"npu:ascend"``).

    Raises:
        BackendUnavailable: with the reason and the remedy.
    """
    known(wanted)
    root = wanted.partition(":")[0]
    backend = load(root)
    listed = _listed(root, backend)
    candidates = [
        d
        for d in listed
        if d.name == wanted
        or (
            (d.backend == wanted or d.name.startswith(wanted + ":"))
            and not d.named_only
        )
    ]
    for d in candidates:
        if d.why_not is None:
            return backend, d
    if candidates:
        raise BackendUnavailable(
            f"{wanted!r} cannot be used here: {candidates[0].why_not}", code="E0801"
        )
    have = ", ".join(d.name for d in listed) or "none"
    raise BackendUnavailable(
        f"there is no device {wanted!r}", code="E0801", help=f"devices: {have}"
    )


def forget() -> None:
    """Drops what was loaded, so that newly installed plug-ins are seen."""
    global _points
    with _lock:
        _points = None
        _loaded.clear()
