"""Operator pages from the specs: ``python -m opslib.cli.docs [FOLDER]``.

Writes docs/operators/GROUP.md, one page for each spec file, and an index. Pages hold
what the specs say and nothing else, so that a test can tell whether they are fresh.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from opslib._public import spec_library
from opslib.cli.ops import entry
from opslib.dispatch.signature import signature
from opslib.language.library import shipped_sources
from opslib.language.syntax import Operator

_NOTE = "<!-- Made by `python -m opslib.cli.docs` from specs/; do not edit. -->\n"
_WIDTH = 88


def pages() -> Mapping[str, str]:
    """Texts of all pages by file name."""
    groups: dict[str, list[Operator]] = {}
    for operator in spec_library().values():
        group = PurePosixPath(operator.span.source.name).stem
        groups.setdefault(group, []).append(operator)
    heads = {PurePosixPath(s.name).stem: _heading(s.text) for s in shipped_sources()}
    made = {f"{g}.md": _page(g, heads[g], found) for g, found in groups.items()}
    made["README.md"] = _index(groups, heads)
    return dict(sorted(made.items()))


def stale(folder: Path) -> list[str]:
    """Names of pages that are missing, outdated, or no longer made."""
    wanted = pages()
    found = {p.name: p.read_text(encoding="utf-8") for p in folder.glob("*.md")}
    names = wanted.keys() | found.keys()
    return sorted(n for n in names if wanted.get(n) != found.get(n))


def write(folder: Path) -> list[str]:
    """Writes what is stale, removes what is no longer made, and names both."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted, changed = pages(), stale(folder)
    for name in changed:
        if name in wanted:
            (folder / name).write_text(wanted[name], encoding="utf-8")
        else:
            (folder / name).unlink()
    return changed


def _heading(text: str) -> str:
    """The comment that a spec file begins with, as a paragraph.

    It ends at the first empty line; what follows is the first operator's own.
    """
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    else:
        return ""
    return " ".join(lines) if line.strip() == "" else ""


def _index(groups: Mapping[str, Sequence[Operator]], heads: Mapping[str, str]) -> str:
    count = sum(map(len, groups.values()))
    lines = [
        _NOTE,
        "# Operators",
        "",
        f"{count} operators. **Aligned** has the parameters, defaults and results of",
        "the function named; **Adapted** differs from it as stated; **Custom** has no",
        "upstream. `opslib show NAME` prints the reference and the kernels.",
        "",
    ]
    for group, operators in sorted(groups.items()):
        lines += [f"## [{group}]({group}.md)", ""]
        lines += [heads[group], ""] if heads[group] else []
        lines += ["| operator | | |", "|---|---|---|"]
        for operator in sorted(operators, key=lambda o: o.name):
            e = entry(operator)
            link = f"[`{e.name}`]({group}.md#{e.name})"
            lines.append(f"| {link} | {e.status} | {_cell(e.doc)} |")
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return _prose(text).replace("|", "\\|")


def _prose(text: str) -> str:
    """Spec comments are plain text: nothing of them is markup."""
    for character in ("\\", "*", "_", "<", "`", "["):
        text = text.replace(character, f"\\{character}")
    return text


def _page(group: str, heading: str, operators: Iterable[Operator]) -> str:
    lines = [_NOTE, f"# {group}", ""]
    lines += [_prose(heading), ""] if heading else []
    for operator in sorted(operators, key=lambda o: o.name):
        lines += _section(operator)
    lines += ["[All operators](README.md)", ""]
    return "\n".join(lines)


def _section(operator: Operator) -> Iterable[str]:
    e = entry(operator)
    yield from (f"## {e.name}", "", _prose(operator.doc.strip()), "")
    if operator.clauses.upstream:
        for u in operator.clauses.upstream:
            because = f": {_prose(u.reason)}" if u.reason else ""
            yield f"{u.status.capitalize()} with `{u.function}`{because}."
    else:
        yield "Custom: no upstream."
    yield from ("", "```python", _signature(operator), "```", "")
    span = operator.span
    yield from ("```", span.source.text[span.start : span.stop].rstrip(), "```", "")


def _signature(operator: Operator) -> str:
    """``opslib.add(x1, x2, /, *, out=None)``, on several lines where it is long."""
    inside = signature(operator)
    one = f"opslib.{operator.name}({inside})"
    if len(one) <= _WIDTH:
        return one
    parts, depth, part = [], 0, ""
    for character in inside:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append(part.strip())
            part = ""
        else:
            part += character
    parts.append(part.strip())
    body = "".join(f"    {p},\n" for p in parts)
    return f"opslib.{operator.name}(\n{body})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the pages, or with ``--check`` says which are not fresh."""
    parser = argparse.ArgumentParser(
        prog="python -m opslib.cli.docs", description="Operator pages from the specs."
    )
    default = Path(__file__).resolve().parents[2] / "docs" / "operators"
    parser.add_argument("folder", nargs="?", type=Path, default=default)
    parser.add_argument("--check", action="store_true", help="write nothing")
    given = parser.parse_args(arguments)
    changed = stale(given.folder) if given.check else write(given.folder)
    for name in changed:
        print(given.folder / name)
    return 1 if given.check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
