"""Colours for spec text on a terminal."""

from __future__ import annotations

from rich.text import Text

# Later rules win, so comments come last.
_WORDS = (
    "sum prod mean max min any all argmax argmin count if else not and or is in none "
    "inf nan true false"
)
_CLAUSES = "axis sample exact accumulate mutates bounds requires workload like grad"
_RULES = (
    (r"\b\d[\w.]*\b", "magenta"),
    (rf"\b({_WORDS.replace(' ', '|')})\b", "blue"),
    (r"\b(any|bool|u?int\d*|float\d*|bfloat16)\b", "green"),
    (r"^op\b|\bwhere\b|->", "bold blue"),
    (r"(?<=^op )\w+", "bold cyan"),
    (rf"^\s+({_CLAUSES.replace(' ', '|')})(?=\s|$)", "yellow"),
    (r'"[^"]*"', "green"),
    (r"#.*$", "dim italic"),
)


def spec_text(text: str) -> Text:
    """The text with styles; nothing of it is changed."""
    shown = Text(text)
    for pattern, style in _RULES:
        shown.highlight_regex(rf"(?m){pattern}", style)
    return shown
