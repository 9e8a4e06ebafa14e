"""What is wrong with a spec, shown where it is: carets under the very characters.

A `Diagnostic` is data, so that one text of an error serves the terminal, an editor
and the golden tests. `render` prints it in the manner of rustc. Several independent
errors are reported at once: `raise_spec` raises one `SpecError` that shows all, under
the code of the first.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NoReturn

from opslib.errors import SpecError
from opslib.language.syntax import Operator, Parameter, Result, Source, Span

CODES: dict[str, str] = {
    # Lexing: from characters to words.
    "E0101": "a character that the language does not use",
    "E0102": "a string that is not closed on its line",
    "E0103": "an escape that the language does not have",
    "E0104": "a bracket that is never closed",
    "E0105": "a bracket that closes nothing, or closes one of another kind",
    "E0106": "a malformed or too large number",
    "E0107": "indentation that does not line up",
    "E0108": "a text larger than the limit",
    "E0109": "brackets or operators nested deeper than the limit",
    "E0110": "a name longer than the limit",
    # Parsing: from words to a tree.
    "E0201": "a word that does not fit here",
    "E0202": "a line outside every operator",
    "E0203": "a chain of comparisons",
    "E0204": "a reserved word used as a name",
    "E0205": "an operator without a body",
    "E0206": "a blank between a name and its bracket",
    "E0207": "a line indented deeper than its block",
    "E0208": "a combining assignment that does not exist",
    "E0209": "markers of a signature that contradict each other",
    "E0210": "'=' inside an expression",
    "E0211": "a text that does not hold exactly one operator",
    "E0212": "a positional argument after a keyword argument",
    "E0213": "a composite axis made of something that is not simple",
    # Names and scopes.
    "E0301": "an unknown name",
    "E0302": "an unknown function",
    "E0303": "a name declared twice",
    "E0304": "a result that is never defined",
    "E0305": "elements that are defined twice",
    "E0306": "a local that is read before it is defined",
    "E0307": "operators that call each other in a circle",
    "E0308": "a bound index that hides another name",
    "E0309": "two operators of one name",
    "E0310": "a definition of something that is not a result or a local",
    "E0311": "a call with the wrong number of arguments",
    "E0312": "a call with an unknown or repeated keyword",
    # Types and dtypes.
    "E0401": "an unknown dtype",
    "E0402": "an unknown dtype class",
    "E0403": "a default that does not fit its attribute",
    "E0404": "an optional tensor read without a guard",
    "E0405": "a string that is not one of the choices",
    "E0406": "a dtype class for a name that is no dtype of the signature",
    "E0407": "a result whose dtype nothing determines",
    "E0408": "'is none' of something that is always present",
    "E0409": "an element, or the value, of something that has none",
    "E0410": "'??' after something that is not a read",
    "E0411": "a variadic tensor without a selector, or a selector without one",
    "E0412": "as many targets as there are no values for",
    "E0413": "types that do not go together",
    # Indices, extents and coverage.
    "E0501": "a size used as an index",
    "E0502": "an extent that nothing determines",
    "E0503": "an access of the wrong rank",
    "E0504": "a bound index that its argument does not use",
    "E0505": "a bound index whose extent nothing determines",
    "E0506": "a pack that has no position here",
    "E0507": "a recurrence that does not get anywhere",
    "E0508": "a data-dependent write without a way to combine",
    "E0509": "a combining write without an initial value",
    "E0510": "an element that no piece of a result defines",
    "E0511": "a piece that lies outside its result",
    "E0512": "a range or condition behind something that is no piece of a result",
    # Clauses.
    "E0601": "a clause that does not exist",
    "E0602": "a clause given twice",
    "E0603": "a clause that names nothing of the signature",
    "E0604": "a workload that does not fit the signature",
    "E0605": "an empty sample interval",
    "E0606": "a clause whose value is not one of those it can have",
    # Calls: an argument does not fit the signature.
    "E0701": "an array of the wrong rank",
    "E0702": "an array whose size contradicts another",
    "E0703": "an array whose dtype does not fit",
    "E0704": "an attribute whose value does not fit",
    "E0705": "a missing or unexpected argument",
    "E0706": "a requirement of the spec that does not hold",
    "E0707": "an output array that does not fit",
    "E0708": "a data-dependent index outside its bounds",
    "E0713": "a condition of the spec that does not hold for the data",
    "E0730": "an array that the device cannot see",
    # Compilation and backends.
    "E0801": "a backend that cannot be used here",
    "E0802": "a program that the backend does not support",
    "E0803": "a compiler that is missing or failed",
    "E0804": "a kernel that ran and reported a failure",
    "E0901": "a pass that made an ill-formed program: a bug in opslib",
    # Toolchain, cache, threads.
    "E1000": "native sources that are missing from the installation",
    "E1001": "no C compiler",
    "E1002": "generated source that the compiler refused",
    "E1003": "a compiler that ran into its time limit",
    "E1004": "a compiler that crashed",
    "E1005": "a compiler that was killed, mostly for want of memory",
    "E1006": "a full disk",
    "E1007": "a compiler that cannot compile even an empty file",
    "E1008": "no folder for kernels, or a library that cannot be loaded",
    "E1009": "a symbol that a library lacks",
    "E1010": "a malformed OPSLIB_COMPILE_TIMEOUT",
    "E1011": "a number of threads that is none",
    "E1012": "a thread pool of another ABI",
    "E1013": "an environment variable with an unknown word",
    # Warnings.
    "W0301": "a local that is never used",
}

_TAB_WIDTH = 4
_BOLD_RED = "\x1b[1;31m"
_BOLD_YELLOW = "\x1b[1;33m"
_BOLD_BLUE = "\x1b[1;34m"
_BOLD = "\x1b[1m"
_RESET = "\x1b[0m"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that is wrong.

    code: a key of `CODES`. message: one sentence without a full stop. span: the
    characters at fault, or None when there is no text (a call without a spec).
    labels: further places, each with what is to be seen there; a label on `span`
    itself annotates the carets. help: the remedy.
    """

    code: str
    message: str
    span: Span | None
    labels: tuple[tuple[Span, str], ...] = ()
    help: str = ""


class SpecFailure(Exception):
    """Carries one diagnostic to the nearest place that can go on; never escapes."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def raise_spec(diagnostics: Sequence[Diagnostic]) -> NoReturn:
    """Raise one `SpecError` that shows all `diagnostics` (at least one)."""
    raise SpecError(
        "\n\n".join(render(diagnostic) for diagnostic in diagnostics),
        code=diagnostics[0].code,
        help=diagnostics[0].help,
    )


def position(span: Span) -> tuple[int, int]:
    """The line and the column, both from 1, where `span` starts."""
    before = span.source.text[: span.start]
    line = before.count("\n") + 1
    return line, span.start - (before.rfind("\n") + 1) + 1


def render(diagnostic: Diagnostic, color: bool = False) -> str:
    """The text of a diagnostic, ending without a newline.

    Args:
        diagnostic: what to show.
        color: whether to add terminal colours.
    """
    warning = diagnostic.code.startswith("W")
    accent = _BOLD_YELLOW if warning else _BOLD_RED
    heading = _paint(
        f"{'warning' if warning else 'error'}[{diagnostic.code}]", accent, color
    )
    lines = [heading + _paint(f": {diagnostic.message}", _BOLD, color)]
    margin = ""
    if diagnostic.span is not None:
        marks = _marks(diagnostic.span, diagnostic.labels)
        rows = sorted({row for row, *_ in marks})
        margin = " " * len(str(rows[-1]))
        line, column = position(diagnostic.span)
        place = f"{_printable(diagnostic.span.source.name)}:{line}:{column}"
        bar = _paint("|", _BOLD_BLUE, color)
        lines.append(f"{margin}{_paint('-->', _BOLD_BLUE, color)} {place}")
        lines.append(f"{margin} {bar}")
        text = diagnostic.span.source.text.split("\n")
        for count, row in enumerate(rows):
            if count and row > rows[count - 1] + 1:
                lines.append(_paint("...", _BOLD_BLUE, color))
            number = _paint(str(row).rjust(len(margin)), _BOLD_BLUE, color)
            source_line = text[row - 1].rstrip("\r")
            lines.append(f"{number} {bar} {_shown(source_line)}".rstrip())
            for mark in _underlines(source_line, [m for m in marks if m[0] == row]):
                shown = _paint(mark[0], accent if mark[1] else _BOLD_BLUE, color)
                lines.append(f"{margin} {bar} {shown}")
    if diagnostic.help:
        equals = _paint("=", _BOLD_BLUE, color)
        first, *rest = diagnostic.help.split("\n")
        lines.append(f"{margin} {equals} help: {first}")
        lines += [f"{margin}         {line}" for line in rest]
    return "\n".join(lines)


def _paint(text: str, style: str, color: bool) -> str:
    return f"{style}{text}{_RESET}" if color else text


# A mark: (row from 1, first column from 0, column after the last, primary, label).
_Mark = tuple[int, int, int, bool, str]


def _marks(span: Span, labels: Iterable[tuple[Span, str]]) -> list[_Mark]:
    own = ""
    marks: list[_Mark] = []
    for place, text in labels:
        if place.source is not span.source and place.source != span.source:
            continue
        if (place.start, place.stop) == (span.start, span.stop) and not own:
            own = text
        else:
            marks.append(_mark(place, False, text))
    marks.append(_mark(span, True, own))
    return marks


def _mark(span: Span, primary: bool, label: str) -> _Mark:
    row, column = position(span)
    line = span.source.text.split("\n")[row - 1].rstrip("\r")
    # A span over several lines is underlined on its first line only.
    stop = min(column - 1 + max(span.stop - span.start, 1), max(len(line), column))
    return row, column - 1, stop, primary, label


def _underlines(line: str, marks: list[_Mark]) -> list[tuple[str, bool]]:
    """The lines under `line`: one when the marks leave room, else one each."""
    marks = sorted(marks, key=lambda mark: (mark[1], not mark[3]))
    disjoint = all(a[2] <= b[1] for a, b in pairwise(marks))
    if len(marks) > 1 and disjoint and not any(mark[4] for mark in marks[:-1]):
        text = ""
        for _, start, stop, primary, label in marks:
            text += " " * (_width(line[:start]) - len(text))
            text += ("^" if primary else "-") * max(_width(line[start:stop]), 1)
            text += f" {label}" if label else ""
        return [(text, True)]
    shown = []
    for _, start, stop, primary, label in marks:
        lead = " " * _width(line[:start])
        carets = ("^" if primary else "-") * max(_width(line[start:stop]), 1)
        shown.append((f"{lead}{carets} {label}".rstrip(), primary))
    return shown


def _printable(text: str) -> str:
    """`text` with what a terminal would obey, or not print, replaced."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        else character
        for character in text
    )


def _shown(line: str) -> str:
    return _printable(line.replace("\t", " " * _TAB_WIDTH))


def _width(text: str) -> int:
    """Columns that `text` takes in a terminal, tabs as `_shown` prints them."""
    total = 0
    for character in text:
        if character == "\t":
            total += _TAB_WIDTH
        elif unicodedata.combining(character):
            continue
        elif unicodedata.east_asian_width(character) in {"W", "F"}:
            total += 2
        else:
            total += 1
    return total


# --- Errors of a call, shown in the signature that the call does not fit ----------


def signature_span(operator: Operator) -> Span:
    """From ``op`` to the end of the results and classes, without the body."""
    last = operator.classes[-1] if operator.classes else operator.results[-1]
    return operator.span.to(last.span)


def argument_error(
    operator: Operator,
    name: str,
    message: str,
    *,
    code: str,
    labels: Sequence[tuple[Span | str, str]] = (),
    help: str = "",
) -> Diagnostic:
    """A diagnostic of a call, with carets in the signature of `operator`.

    Args:
        operator: the operator called.
        name: the parameter or result that does not fit, or ``"name:i"`` for its
            axis number i as declared.
        message: what does not fit, with the operator's name.
        code: one of the E07 codes.
        labels: further places (spans, or names as in `name`) with their notes, such
            as ``("b", "b has shape (5, 6), so k = 5")``. A note on `name` itself
            stands beside the carets.
        help: the remedy.
    """
    places = tuple(
        (_place(operator, place) if isinstance(place, str) else place, text)
        for place, text in labels
    )
    return Diagnostic(code, message, _place(operator, name), places, help)


def _place(operator: Operator, name: str) -> Span:
    name, _, axis = name.partition(":")
    declarations: tuple[Parameter | Result, ...]
    declarations = (*operator.parameters, *operator.results)
    for declared in declarations:
        if declared.name == name:
            axes = getattr(declared.type, "axes", ())
            if axis and int(axis) < len(axes):
                span: Span = axes[int(axis)].span
                return span
            return declared.span
    return operator.name_span


def source_of(text: Source | str) -> Source:
    """`text` as a `Source`; a bare string is known as ``<op>``."""
    return text if isinstance(text, Source) else Source("<op>", text)
