"""Known failures: a file that says what fails, and why.

Each entry of the TOML file has `op`, `dtype` (or ``"*"``), `backend` (or ``"*"``),
optionally `level`, and a `reason`. An entry only explains: the row stays ``fail``, the
routing table leaves the kernel out, and a test that expects the failure passes.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from opslib.errors import ArgumentError, said

if TYPE_CHECKING:
    from opslib.testing.conformance import Outcome

_FIELDS = {"op", "dtype", "backend", "level", "reason"}


@dataclass(frozen=True, slots=True)
class Known:
    """One entry; ``*`` fits anything."""

    op: str
    reason: str
    dtype: str = "*"
    backend: str = "*"
    level: str = "*"

    def fits(self, outcome: Outcome) -> bool:
        """Whether the entry is about this outcome, all of its failures included."""
        pairs = (
            (self.op, outcome.operator),
            (self.dtype, outcome.dtype),
            (self.backend, outcome.backend),
        )
        if any(mine not in ("*", theirs) for mine, theirs in pairs):
            return False
        starts = (self.level, f"{self.level}:", f"{self.level} ")
        return self.level == "*" or all(
            f.message.startswith(starts) for f in outcome.failures
        )


def shipped() -> tuple[Known, ...]:
    """The entries that come with opslib."""
    text = (files("opslib.testing") / "known_failures.toml").read_text("utf-8")
    return parse(text, "opslib/testing/known_failures.toml")


def read(path: Path) -> tuple[Known, ...]:
    """The entries of a plug-in's own file.

    Raises:
        ArgumentError: it cannot be read, or is not such a file.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ArgumentError(
            f"{path} cannot be read: {said(error)}",
            code="E0704",
            help="--known-failures names a TOML file; see docs/numerics.md",
        ) from None
    return parse(text, str(path))


def parse(text: str, name: str) -> tuple[Known, ...]:
    """Entries of a TOML text ``[[failure]] op = ... reason = ...``."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ArgumentError(f"{name} is not TOML: {error}", code="E0704") from None
    entries = []
    for k, row in enumerate(table.get("failure", ()), 1):
        wrong = set(row) - _FIELDS
        if wrong or not row.get("op") or not row.get("reason"):
            raise ArgumentError(
                f"{name}: failure {k} needs op and reason, and may have dtype, backend "
                f"and level" + (f", not {', '.join(sorted(wrong))}" if wrong else ""),
                code="E0704",
            )
        entries.append(Known(**row))
    return tuple(entries)


def explained(outcome: Outcome, entries: Sequence[Known]) -> Outcome:
    """The outcome with the reason of its known failure, where there is one."""
    if outcome.state != "fail":
        return outcome
    reason = next((e.reason for e in entries if e.fits(outcome)), None)
    return outcome if reason is None else replace(outcome, reason=f"known: {reason}")


def is_known(outcome: Outcome) -> bool:
    """Whether a failure was explained."""
    return outcome.reason.startswith("known: ")
