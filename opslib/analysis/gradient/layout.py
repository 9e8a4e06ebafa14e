"""How long lines of a spec are broken."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH = 100
# Words and signs in front of which a definition may go on in the next line.
_STARTS = ("if ", "else ", "+ ", "- ", "and ")


def filled(head: str, parts: Sequence[str], indent: str) -> list[str]:
    """Parts behind a head, on as many lines as they need."""
    lines = [head]
    for k, part in enumerate(parts):
        item = part + (", " if k < len(parts) - 1 else "")
        if len(lines[-1]) + len(item.rstrip()) > WIDTH and lines[-1].strip():
            lines[-1] = lines[-1].rstrip()
            lines.append(indent)
        lines[-1] += item
    return lines


def broken(text: str) -> list[str]:
    """A definition on several lines, broken in front of its outermost operators."""
    if len(text) <= WIDTH:
        return [text]
    depth = 0
    places: dict[int, list[int]] = {}
    for k, c in enumerate(text):
        if c in "([":
            depth += 1
        elif c in ")]":
            depth -= 1
        elif c == " " and any(text.startswith(w, k + 1) for w in _STARTS):
            places.setdefault(depth, []).append(k)
    lines = [text]
    for level in sorted(places):
        made: list[str] = []
        for line in lines:
            made += _split(line, text, level)
        lines = made
        if all(len(line) <= WIDTH for line in lines):
            break
    return [lines[0], *("    " + line.strip() for line in lines[1:])]


def _split(line: str, text: str, level: int) -> list[str]:
    if len(line) <= WIDTH:
        return [line]
    at = text.index(line) if line in text else 0
    depth = 0
    for c in text[:at]:
        depth += (c in "([") - (c in ")]")
    parts = [""]
    for k, c in enumerate(line):
        depth += (c in "([") - (c in ")]")
        words = _STARTS
        if (
            c == " "
            and depth == level
            and k
            and (any(line.startswith(w, k + 1) for w in words))
        ):
            parts.append("")
        parts[-1] += c
    merged = [parts[0]]
    for part in parts[1:]:
        if len(merged[-1]) + len(part) <= WIDTH - 4:
            merged[-1] += part
        else:
            merged.append(part)
    return merged
