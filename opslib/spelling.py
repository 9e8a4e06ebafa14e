"""What a name that is not known was probably meant to be."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A help text naming the closest of `known`, or an empty string."""
    import difflib  # Only errors want it, and importing it takes milliseconds.

    candidates = list(dict.fromkeys(known))[:2000]  # difflib takes its time
    close = difflib.get_close_matches(name, candidates, 1, 0.6)
    if not close:
        close = [c for c in candidates if c.lower() == name.lower()][:1]
    return f"did you mean '{close[0]}'?" if close else ""
