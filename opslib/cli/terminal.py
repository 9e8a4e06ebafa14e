"""What every command prints with: rich on a terminal, plain text in a pipe."""

from __future__ import annotations

import json
import sys
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from opslib.errors import OpslibWarning

# The least width that a column may be folded to.
_FOLDED = 16


class _Output(Console):
    """A console whose closed pipe is the command's affair; rich would exit with 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console() -> Console:
    """Standard output. Made anew, for a test may have replaced the stream."""
    return _Output(highlight=False, soft_wrap=not sys.stdout.isatty())


def errors() -> Console:
    """Standard error."""
    return Console(stderr=True, highlight=False)


def say_error(text: str) -> None:
    """One error, without a traceback; its first line stands out on a terminal."""
    first, _, rest = text.partition("\n")
    out = errors()
    out.print(Text.assemble(("error: ", "bold red"), (first, "bold")), soft_wrap=True)
    if rest:
        out.print(Text(rest), soft_wrap=True)


def say(text: str) -> None:
    """A remark beside the result, on standard error."""
    errors().print(Text(text, style="dim"), soft_wrap=True)


def folded(text: str, indent: int) -> list[str]:
    """A text as lines that fit a terminal behind `indent` blanks; one line in a pipe.

    Words are never cut: a path that is too long stays whole, to be copied.
    """
    out = console()
    if not out.is_terminal:
        return [text]
    room = max(out.width - indent, 20)
    return textwrap.wrap(
        text, room, break_long_words=False, break_on_hyphens=False
    ) or [""]


def print_json(value: Any) -> None:
    """One JSON document."""
    sys.stdout.write(json.dumps(value, indent=2, sort_keys=False) + "\n")


def print_heading(text: str) -> None:
    """A title over a part of the output."""
    console().print(Text(text, style="bold"))


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str | Text]],
    *,
    right: Sequence[str] = (),
    wide: Sequence[str] = (),
    indent: int = 0,
) -> None:
    """Rows under columns; in a pipe aligned by blanks, with nothing cut off.

    Args:
        columns: headings.
        rows: of as many cells.
        right: columns whose cells stand to the right.
        wide: columns that may be folded onto further lines on a narrow terminal.
        indent: blanks before each line.
    """
    out = console()
    if not out.is_terminal or _least_width(columns, rows, wide) > out.width:
        # A terminal breaks lines that are too long for it; rich would cut cells.
        _print_plain(columns, rows, right, indent)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for name in columns:
        justify: Any = "right" if name in right else "left"
        table.add_column(
            Text(name), justify=justify, no_wrap=name not in wide, overflow="fold"
        )
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    out.print(table)


def _least_width(
    columns: Sequence[str], rows: Sequence[Sequence[str | Text]], wide: Sequence[str]
) -> int:
    """Characters that a table needs so that no cell is cut."""
    least = 0
    for k, name in enumerate(columns):
        longest = max(len(name), *(len(str(row[k])) for row in rows), 0)
        least += (min(longest, _FOLDED) if name in wide else longest) + 2
    return least


def _print_plain(
    columns: Sequence[str],
    rows: Sequence[Sequence[str | Text]],
    right: Sequence[str],
    indent: int,
) -> None:
    lines = [list(columns), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(columns))]
    for line in lines:
        cells = [
            cell.rjust(width) if name in right else cell.ljust(width)
            for name, cell, width in zip(columns, line, widths, strict=True)
        ]
        sys.stdout.write(" " * indent + "  ".join(cells).rstrip() + "\n")


def progress() -> Progress:
    """A bar on standard error, gone when done; nothing where that is no terminal."""
    out = errors()
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=out,
        transient=True,
        disable=not out.is_terminal,
    )


@contextmanager
def remarks() -> Iterator[list[str]]:
    """Collects opslib's warnings as sentences instead of printing them."""
    found: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", OpslibWarning)
        try:
            yield found
        finally:
            found += [
                str(w.message) for w in caught if issubclass(w.category, OpslibWarning)
            ]
