"""The report: versioned JSON that the routing table reads, and a page for people."""

from __future__ import annotations

import datetime
import json
import os
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from opslib._version import __version__
from opslib.dispatch.routing import spec_hash
from opslib.dispatch.stamp import generator_stamp
from opslib.errors import ArgumentError
from opslib.language.library import load_library
from opslib.testing import known, levels
from opslib.testing.conformance import Outcome, as_dict, from_dict

SCHEMA = 1


@dataclass(slots=True)
class Report:
    """A run of the suite: what it was, and an outcome for each operator and dtype.

    Attributes:
        numbers: for each outcome the case numbers that it covers.
        specs: for each outcome the spec's hash.
    """

    backend: str
    family: str
    profile: str
    seed: int
    stamp: str
    created: str
    opslib: str = __version__
    machine: str = ""
    outcomes: list[Outcome] = field(default_factory=list)
    numbers: list[tuple[int, ...]] = field(default_factory=list)
    specs: list[str] = field(default_factory=list)

    @classmethod
    def new(cls, backend: str, family: str, profile: str, seed: int) -> Report:
        """An empty report of this moment."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        machine = f"{platform.machine()} {platform.system()}"
        stamp = generator_stamp(backend)
        return cls(backend, family, profile, seed, stamp, now, machine=machine)

    def add(self, outcome: Outcome, numbers: Sequence[int]) -> None:
        """Takes an outcome in, in the order of operator and dtype."""
        library = load_library()
        operator = library.get(outcome.operator)
        self.outcomes.append(outcome)
        self.numbers.append(tuple(numbers))
        self.specs.append("" if operator is None else spec_hash(operator, library))

    def has(self, operator: str, dtype: str, numbers: Sequence[int]) -> bool:
        """Whether the outcome of just these cases is in already."""
        return any(
            (o.operator, o.dtype) == (operator, dtype) and n == tuple(numbers)
            for o, n in zip(self.outcomes, self.numbers, strict=True)
        )

    def resume(self, earlier: Report) -> None:
        """Keeps an earlier run's rows that still count."""
        mine = (self.backend, self.family, self.profile, self.seed, self.stamp)
        theirs = (
            earlier.backend,
            earlier.family,
            earlier.profile,
            earlier.seed,
            earlier.stamp,
        )
        if mine != theirs:
            return
        library = load_library()
        for outcome, numbers, spec in zip(
            earlier.outcomes, earlier.numbers, earlier.specs, strict=True
        ):
            operator = library.get(outcome.operator)
            if operator is not None and spec_hash(operator, library) == spec:
                self.add(outcome, numbers)

    def counts(self) -> dict[str, int]:
        """How many outcomes are in each state."""
        found = dict.fromkeys(("pass", "fail", "untested"), 0)
        for outcome in self.outcomes:
            found[outcome.state] += 1
        return found

    @property
    def unexpected(self) -> list[Outcome]:
        """Failures that no file explains."""
        return [o for o in self.outcomes if o.state == "fail" and not known.is_known(o)]


def to_json(report: Report) -> dict[str, Any]:
    """The report as plain data, rows in order."""
    rows = [
        {
            **as_dict(outcome),
            "spec": spec,
            "stamp": report.stamp,
            "numbers": list(numbers),
        }
        for outcome, numbers, spec in zip(
            report.outcomes, report.numbers, report.specs, strict=True
        )
    ]
    rows.sort(key=lambda r: (r["operator"], r["dtype"]))
    return {
        "schema": SCHEMA,
        "opslib": report.opslib,
        "backend": report.backend,
        "family": report.family,
        "profile": report.profile,
        "seed": report.seed,
        "stamp": report.stamp,
        "created": report.created,
        "machine": report.machine,
        "rows": rows,
    }


def write_json(report: Report, path: Path) -> None:
    """Writes the report, whole or not at all."""
    text = json.dumps(to_json(report), indent=1) + "\n"
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read_report(path: Path) -> Report:
    """A report from its file.

    Raises:
        ArgumentError: it is no report, or of another schema.
    """
    try:
        data = json.loads(path.read_text("utf-8"))
        if data["schema"] != SCHEMA:
            raise ArgumentError(
                f"{path} has schema {data['schema']}, and this opslib reads {SCHEMA}",
                code="E0704",
                help="run the suite again",
            )
        report = Report(
            data["backend"],
            data["family"],
            data["profile"],
            data["seed"],
            data["stamp"],
            data["created"],
            data["opslib"],
            data["machine"],
        )
        for row in data["rows"]:
            report.outcomes.append(from_dict(row))
            report.numbers.append(tuple(row["numbers"]))
            report.specs.append(row["spec"])
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        if isinstance(error, ArgumentError):
            raise
        raise ArgumentError(
            f"{path} is not a conformance report: {error}",
            code="E0704",
            help="remove it, or name another file",
        ) from None
    return report


def to_html(reports: Sequence[Report]) -> str:
    """One self-contained page of one or several backends' reports."""
    import jinja2

    text = (files("opslib.testing") / "templates" / "report.html").read_text("utf-8")
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["fraction"] = fraction
    template = environment.from_string(text)
    shown = []
    for report in reports:
        # What fails comes first: nobody should have to look for it.
        rows = sorted(
            report.outcomes, key=lambda o: (o.state != "fail", o.operator, o.dtype)
        )
        counts = report.counts()
        cases = sum(o.cases for o in rows)
        shown.append({"report": report, "rows": rows, "counts": counts, "cases": cases})
    return template.render(
        reports=shown, order=levels.ORDER, version=__version__, known=known.is_known
    )


def fraction(value: float) -> str:
    """A fraction of a bound, for a table."""
    if value != value or value == float("inf"):
        return "wrong"
    if value == 0:
        return "exact"
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"
