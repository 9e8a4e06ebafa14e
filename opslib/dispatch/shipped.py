"""The shipped rows of the routing table: `routes/`, and how they get there.

Verdicts, one file for each backend, from conformance reports:

    {"schema": 2, "backend": "cpu", "rows": [
    ["add", "SPEC", "STAMP", "cpu-avx512", "map", "pass", "float32 int32"],

Timings, one file for all, from one interleaved run on one machine:

    {"schema": 2, "rows": [
    ["matmul", "SPEC", "float32", 131072, {"cpu": ["cpu-avx512", "STAMP", 0.0021]}],

with the elements of all inputs, and the seconds of each backend. A row is a line, so
that a difference of two runs reads as what changed. A row counts only for the very spec
and the very generator that it was measured with (`routing.spec_hash`,
`stamp.generator_stamp`); after any change of either it is stale, and counts as
nothing.
"""

from __future__ import annotations

import functools
import json
import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from opslib.dispatch.stamp import generator_stamp
from opslib.errors import ArgumentError, OpslibWarning, said

SCHEMA = 2
TIMINGS = "timings.json"


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """What a conformance run says of the kernels of one operator.

    Attributes:
        operator: its name, for people; `spec` is what counts.
        spec, stamp: see `routing.Key`.
        family, skeleton: of the kernels.
        state: ``pass`` or ``fail``.
        dtypes: in which it was judged.
    """

    operator: str
    spec: str
    stamp: str
    family: str
    skeleton: str
    state: str
    dtypes: tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class Timing:
    """How long a call took on several backends, in one run.

    Attributes:
        operator, spec, dtype: of the call.
        elements: of all its inputs together.
        seconds: (backend, family, stamp, seconds), the fastest first.
    """

    operator: str
    spec: str
    dtype: str
    elements: int
    seconds: tuple[tuple[str, str, str, float], ...]


# --- Files -------------------------------------------------------------------------


def folder() -> Path:
    """Where the rows of this installation lie."""
    return Path(str(files("opslib.dispatch") / "routes"))


@functools.cache
def rows() -> tuple[Row, ...]:
    """All shipped verdicts, stale ones included."""
    found: list[Row] = []
    for path in sorted(folder().glob("*.json")):
        if path.name != TIMINGS:
            found += read_rows(path)
    return tuple(found)


@functools.cache
def timings() -> Mapping[tuple[str, str], tuple[Timing, ...]]:
    """Shipped timings by spec and dtype."""
    found: dict[tuple[str, str], tuple[Timing, ...]] = {}
    for t in read_timings(folder() / TIMINGS):
        key = t.spec, t.dtype
        found[key] = (*found.get(key, ()), t)
    return found


def forget() -> None:
    """Drops what was read."""
    rows.cache_clear()
    timings.cache_clear()


def read_rows(path: Path) -> list[Row]:
    """The verdicts of a file; none where there is none, or one of another schema.

    A damaged file counts as none, with a warning: kernels are then checked here.
    """
    return _read(path, _row)


def _row(entry: Sequence[Any]) -> Row:
    operator, spec, stamp, family, skeleton, state, dtypes = entry
    return Row(operator, spec, stamp, family, skeleton, state, tuple(dtypes.split()))


def read_timings(path: Path) -> list[Timing]:
    """The timings of a file, as `read_rows`."""
    return _read(path, _timing)


def _timing(entry: Sequence[Any]) -> Timing:
    operator, spec, dtype, elements, by_backend = entry
    seconds = [(b, f, stamp, s) for b, (f, stamp, s) in by_backend.items()]
    ordered = tuple(sorted(seconds, key=lambda entry: entry[3]))
    return Timing(operator, spec, dtype, elements, ordered)


Entry = TypeVar("Entry")


def _read(path: Path, entry: Callable[[Sequence[Any]], Entry]) -> list[Entry]:
    try:
        table = json.loads(path.read_text("utf-8"))
        return list(map(entry, table["rows"])) if table["schema"] == SCHEMA else []
    except FileNotFoundError:
        return []
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        why = said(error)
    except RecursionError:
        why = "it is nested too deep"
    warnings.warn(
        f"{path} is damaged and counts for nothing ({why}). Reinstall opslib",
        OpslibWarning,
        stacklevel=2,
    )
    return []


def rows_text(backend: str, found: Iterable[Row]) -> str:
    """A file of verdicts."""
    entries = [
        [r.operator, r.spec, r.stamp, r.family, r.skeleton, r.state, " ".join(r.dtypes)]
        for r in sorted(found)
    ]
    return _text({"schema": SCHEMA, "backend": backend}, entries)


def timings_text(found: Iterable[Timing]) -> str:
    """The file of timings."""
    entries = [
        [
            t.operator,
            t.spec,
            t.dtype,
            t.elements,
            {b: [f, s, x] for b, f, s, x in t.seconds},
        ]
        for t in sorted(found)
    ]
    return _text({"schema": SCHEMA}, entries)


def _text(head: Mapping[str, Any], entries: Sequence[Any]) -> str:
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    opened = json.dumps(head)[:-1]
    return f'{opened}, "rows": [\n{lines}\n]}}\n'


# --- From reports ------------------------------------------------------------------


def rows_of(report: Mapping[str, Any]) -> list[Row]:
    """The rows that a conformance report (its JSON) amounts to.

    Raises:
        ArgumentError: it is not such a report.
    """
    try:
        return _merged(
            Row(
                row["operator"], row["spec"], row["stamp"], row["family"], skeleton,
                row["state"], (row["dtype"],),
            )
            for row in report["rows"]
            if row["state"] in ("pass", "fail")
            for skeleton in row["skeletons"]
        )  # fmt: skip
    except (KeyError, TypeError) as error:
        raise ArgumentError(
            f"this is not a conformance report: {error}",
            code="E0704",
            help="opslib conformance --json writes one",
        ) from None


def write_routes(report: Mapping[str, Any], to: Path | None = None) -> Path:
    """Takes a report into its backend's file; what is current of the others stays.

    Args:
        report: a conformance report's JSON.
        to: a folder; by default that of the shipped rows.

    Returns:
        The file.
    """
    new = rows_of(report)
    backend = report["backend"].partition(":")[0]
    path = (folder() if to is None else to) / f"{backend}.json"
    judged = {(r["operator"], r["family"], r["dtype"]) for r in report["rows"]}
    old = [
        replace(r, dtypes=left)
        for r in read_rows(path)
        if (left := _not_in(judged, r)) and why_stale(r, backend) is None
    ]
    path.write_text(rows_text(backend, _merged([*old, *new])), "utf-8")
    forget()
    return path


def _not_in(judged: set[tuple[str, str, str]], row: Row) -> tuple[str, ...]:
    """The dtypes of a row that a new report says nothing of."""
    return tuple(d for d in row.dtypes if (row.operator, row.family, d) not in judged)


def _merged(found: Iterable[Row]) -> list[Row]:
    """Rows that differ in the dtypes only, as one."""
    dtypes: dict[Row, set[str]] = {}
    for r in found:
        dtypes.setdefault(replace(r, dtypes=()), set()).update(r.dtypes)
    return sorted(replace(r, dtypes=tuple(sorted(d))) for r, d in dtypes.items())


# --- What still counts -------------------------------------------------------------


def why_stale(row: Row, backend: str) -> str | None:
    """Why a row no longer counts, or None."""
    from opslib.dispatch import routing
    from opslib.language.library import load_library

    library = load_library()
    operator = library.get(row.operator)
    if operator is None:
        return f"{row.operator} is no operator any more"
    if routing.spec_hash(operator, library) != row.spec:
        return f"{row.operator} has another spec"
    if generator_stamp(backend) != row.stamp:
        return f"{backend} makes kernels from other sources"
    return None


def stale(to: Path | None = None) -> dict[str, dict[str, list[str]]]:
    """By backend, the reasons for which rows do not count, with their operators."""
    found: dict[str, dict[str, list[str]]] = {}
    for path in sorted((folder() if to is None else to).glob("*.json")):
        if path.name == TIMINGS:
            continue
        reasons = found.setdefault(path.stem, {})
        for row in read_rows(path):
            why = why_stale(row, path.stem)
            if why is not None:
                reasons.setdefault(why, []).append(row.operator)
    return {backend: reasons for backend, reasons in found.items() if reasons}


def command(backend: str, operators: Sequence[str] = ()) -> str:
    """What makes a backend's rows anew."""
    names = "".join(f" --op {name}" for name in sorted(set(operators)))
    return f"opslib conformance --backend {backend}{names} --write-routes"


# --- Order -------------------------------------------------------------------------


def fastest_first(
    spec: str, dtype: str, elements: int
) -> tuple[tuple[str, str, str], ...]:
    """(backend, family, stamp), the fastest first, of the nearest size measured.

    Nearest in the logarithm: a call of 1000 elements is as far from 100 as from 10000.
    """
    measured = timings().get((spec, dtype), ())
    if not measured:
        return ()
    size = math.log(max(elements, 1))
    best = min(measured, key=lambda t: abs(math.log(max(t.elements, 1)) - size))
    return tuple((b, f, stamp) for b, f, stamp, _ in best.seconds)


__all__ = [
    "SCHEMA",
    "TIMINGS",
    "Row",
    "Timing",
    "command",
    "fastest_first",
    "folder",
    "forget",
    "read_rows",
    "read_timings",
    "rows",
    "rows_of",
    "rows_text",
    "stale",
    "timings",
    "timings_text",
    "why_stale",
    "write_routes",
]
