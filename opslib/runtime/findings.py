"""What simulators of devices report, for people."""

from __future__ import annotations

import json


def described(report: str) -> str:
    """A simulator's report, lines of JSON, for people: the first ones."""
    found = []
    for line in report.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            found.append(line)
            continue
        found.append("; ".join(f"{k} {v}" for k, v in entry.items()))
    return " | ".join(found[:3])
