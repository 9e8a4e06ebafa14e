"""The routing table: what conformance runs and self-checks say about kernels.

A row is keyed by what makes a kernel: the spec, the generator, the dtype, the skeleton
and the device family. Shipped rows come from CI (`shipped`); local verdicts lie in the
cache folder, one small file each, so that many processes write without a lock and a
damaged file costs one verdict. Failure wins over success: a kernel that was wrong
anywhere on this machine is no candidate.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from opslib.dispatch import shipped
from opslib.dispatch.stamp import generator_stamp
from opslib.errors import ArgumentError
from opslib.language import printer, syntax
from opslib.language.tree import walk
from opslib.runtime.cache import default_cache
from opslib.runtime.cache_files import Unusable, check_owner

SCHEMA = 1
State = Literal["pass", "fail", "untested"]
STATES = ("pass", "fail", "untested")


@dataclass(frozen=True, slots=True)
class Key:
    """What makes a kernel, as far as its correctness goes.

    Attributes:
        spec: `spec_hash` of the operator.
        stamp: `generator_stamp` of the backend.
        dtype: of the main operands.
        skeleton: ``Kernel.skeleton``.
        family: ``Device.family``.
    """

    spec: str
    stamp: str
    dtype: str
    skeleton: str
    family: str

    @property
    def digest(self) -> str:
        """Name of the file of a local verdict."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


# Set while kernels are being judged: then each may run, whatever is known of it.
_trusting: ContextVar[bool] = ContextVar("opslib_trusting", default=False)
_lock = threading.Lock()
_local: dict[tuple[str, Key], State] = {}


def _renew_lock() -> None:
    """For a child of fork: whoever held the lock in the parent is not there."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def state_of(key: Key) -> State:
    """What is known of a kernel; ``untested`` when nothing is."""
    if _trusting.get():
        return "pass"
    known = (_shipped().get(key, "untested"), _stored(key))
    if "fail" in known:
        return "fail"
    return "pass" if "pass" in known else "untested"


@contextmanager
def trust() -> Iterator[None]:
    """Lets every kernel run in the block: for the suite, which is about to judge it."""
    token = _trusting.set(True)
    try:
        yield
    finally:
        _trusting.reset(token)


def record_verdict(key: Key, state: State, reason: str = "") -> bool:
    """Keeps a verdict on this machine; whether it could be written.

    A failure is never overwritten by a success of the same key.
    """
    if state not in STATES:
        raise ArgumentError(
            f"a kernel's state is one of {STATES}, not {state!r}", code="E0704"
        )
    if state == "pass" and _stored(key) == "fail":
        return True
    root = _root()
    with _lock:
        _local[(str(root), key)] = state
    if root is None:
        return False
    folder = root / "routes"
    row = {"schema": SCHEMA, **asdict(key), "state": state, "reason": reason}
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        _write(folder / f"{key.digest}.json", json.dumps(row))
    except OSError:
        return False  # A full or read-only disk costs a self-check per process.
    return True


def forget() -> None:
    """Drops what this process remembers, so that files are read again."""
    with _lock:
        _local.clear()
    _shipped.cache_clear()
    shipped.forget()
    generator_stamp.cache_clear()


def local_rows() -> list[dict[str, Any]]:
    """The verdicts stored on this machine; damaged files are left out."""
    root = _root()
    folder = None if root is None else root / "routes"
    if folder is None or not folder.is_dir():
        return []
    found = (_read(path) for path in sorted(folder.glob("*.json")))
    return [row for row in found if row is not None]


def import_report(text: str | Mapping[str, Any]) -> int:
    """Takes over the rows of a conformance report (its JSON); how many were taken.

    Raises:
        ArgumentError: the text is not such a report.
    """
    try:
        report = json.loads(text) if isinstance(text, str) else text
        rows = list(rows_of(report))
    except (KeyError, TypeError, ValueError) as error:
        raise ArgumentError(
            f"this is not a conformance report: {error}",
            code="E0704",
            help="opslib conformance --json writes one",
        ) from None
    for key, state in rows:
        record_verdict(key, state, "imported from a conformance report")
    return len(rows)


def rows_of(report: Mapping[str, Any]) -> Iterable[tuple[Key, State]]:
    """The rows of the table that a conformance report amounts to."""
    for row in report["rows"]:
        if row["state"] not in ("pass", "fail"):
            continue
        for skeleton in row["skeletons"]:
            key = Key(row["spec"], row["stamp"], row["dtype"], skeleton, row["family"])
            yield key, row["state"]


# --- Hashes ------------------------------------------------------------------------


_hashes: dict[tuple[int, int], tuple[Any, Any, str]] = {}


def spec_hash(operator: syntax.Operator, library: Mapping[str, Any]) -> str:
    """Hash of an operator's meaning: its canonical print and those of what it calls."""
    # By identity, as plans are: printing takes milliseconds. The entry keeps both
    # alive, so that their ids are not given to others.
    place = (id(operator), id(library))
    found = _hashes.get(place)
    if found is None:
        found = (operator, library, _spec_hash(operator, library))
        if len(_hashes) > 4096:
            _hashes.clear()
        _hashes[place] = found
    return found[2]


def _spec_hash(operator: syntax.Operator, library: Mapping[str, Any]) -> str:
    seen: dict[str, str] = {}
    waiting = [operator]
    while waiting:
        current = waiting.pop()
        seen[current.name] = printer.print_operator(current, doc=False)
        for node in walk(current.definitions):
            if isinstance(node, syntax.Apply | syntax.Along):
                called = library.get(node.function)
                if called is not None and called.name not in seen:
                    waiting.append(called)
    text = "\n".join(seen[name] for name in (operator.name, *sorted(seen)))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


# --- Files -------------------------------------------------------------------------


@functools.cache
def _shipped() -> Mapping[Key, State]:
    """The shipped rows; where two disagree, a failure counts."""
    found: dict[Key, State] = {}
    for row in shipped.rows():
        for dtype in row.dtypes:
            key = Key(row.spec, row.stamp, dtype, row.skeleton, row.family)
            if found.get(key) != "fail":
                found[key] = "fail" if row.state == "fail" else "pass"
    return found


def _root() -> Path | None:
    """The cache folder, where its verdicts can be nobody else's."""
    root = default_cache().active_root
    try:
        if root is not None and root.exists():
            check_owner(root)
            if (root / "routes").exists():
                check_owner(root / "routes")
    except (Unusable, OSError):
        return None
    return root


def _stored(key: Key) -> State:
    root = _root()
    place = (str(root), key)
    found = _local.get(place)
    if found is None:
        row = None if root is None else _read(root / "routes" / f"{key.digest}.json")
        found = "untested"
        if row is not None and all(row[k] == v for k, v in asdict(key).items()):
            found = row["state"]
        with _lock:
            _local[place] = found
    return found


def _read(path: Path) -> dict[str, Any] | None:
    """A stored verdict, or None where there is none or it is damaged."""
    try:
        row = json.loads(path.read_text("utf-8"))
        whole = row["schema"] == SCHEMA and row["state"] in STATES
        whole = whole and all(isinstance(row[k], str) for k in Key.__dataclass_fields__)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return row if whole else None


def _write(path: Path, text: str) -> None:
    """Whole or not at all, whatever other processes do."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
