"""Characters to tokens: the only place that knows how a spec text is spelled.

Lines are logical lines. A newline is skipped inside brackets, after a comma, and
before a line that begins with a word no statement can begin with (an operator, ``->``,
``if``, ``else``, ``where T:``), so that long formulas wrap without a mark. The lexer
keeps the bracket openers: an unclosed one is reported where it was opened, and the
parser can ask what follows a bracket's partner (``max[j](...)`` or ``x[j]``).

The limits exist because a spec is data that anybody may send: no text, however made,
makes the front end recurse or run away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from opslib.language.diagnostics import Diagnostic, raise_spec
from opslib.language.syntax import Source, Span

MAX_CHARACTERS = 1 << 20
MAX_TOKENS = 200_000
MAX_NESTING = 64
MAX_NAME = 64
MAX_NUMBER = 40
MAX_STATEMENTS = 1000
MAX_ERRORS = 20

_CLOSERS = {"(": ")", "[": "]"}

_TOKEN = re.compile(
    r"""
    (?P<blank>[ \t]+)
  | (?P<comment>\#.*)
  | (?P<number>
        0[xX][0-9A-Fa-f]*
      | [0-9]+ (?: \.[0-9]+ )? (?: [eE][+-]?[0-9]+ )?
    )
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<string>"(?:[^"\\]|\\.)*")
  | (?P<foreign>\*\*|&&|\|\||:=|[+\-*/]=(?!=))
  | (?P<mark>\.\.\.|\.\.|->|\?\?|==|!=|<=|>=|<<|>>|//|[()\[\],:=+\-*/%^<>&|~?.])
    """,
    re.VERBOSE,
)

_CONTINUES = re.compile(
    r"(?:->|\?\?|\.\.(?!\.)|//|[=!<>]=|<<|>>|[=+\-*/%^&|<>]"
    r"|(?:if|else|and|or)\b|where[ \t]+[A-Za-z_]\w*[ \t]*:)"
)

_INSTEAD = {
    "**": "power is '^'",
    "@": "a product of matrices is sum[k](a[i, k] * b[k, j])",
    "&&": "write 'and'",
    "||": "write 'or'",
    "!": "write 'not', or '!=' for unequal",
    ":=": "a definition is written with '='",
    "+=": "a combining write is spelled 'add=', 'mul=', 'max=' or 'min='",
    "-=": "a combining write is spelled 'add=', 'mul=', 'max=' or 'min='",
    "*=": "a combining write is spelled 'add=', 'mul=', 'max=' or 'min='",
    "/=": "a combining write is spelled 'add=', 'mul=', 'max=' or 'min='",
    "'": 'strings are written with double quotes: "..."',
    ";": "one statement per line",
    "{": "a body is an indented block",
    "}": "a body is an indented block",
    "\N{MULTIPLICATION SIGN}": "write '*'",
    "\N{MIDDLE DOT}": "write '*'",
    "\N{MINUS SIGN}": "write '-'",
    "\N{LESS-THAN OR EQUAL TO}": "write '<='",
    "\N{GREATER-THAN OR EQUAL TO}": "write '>='",
    "\N{NOT EQUAL TO}": "write '!='",
    "\N{HORIZONTAL ELLIPSIS}": "write three dots: '...'",
    "\N{RIGHTWARDS ARROW}": "write '->'",
    "\N{N-ARY SUMMATION}": "write 'sum[j](...)'",
    "\N{NO-BREAK SPACE}": "write an ordinary space",
}

# Characters that make a text look like another one (bidirectional controls), or that
# cannot be stored as UTF-8 (surrogates); refused in comments and strings too.
_REFUSED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069"
    "\ud800-\udfff]"
)


@dataclass(frozen=True, slots=True)
class Token:
    """kind: ``name number string mark newline indent dedent end``.

    text is as written; value is that of a number or string; glued means that nothing
    stands between this token and the one before.
    """

    kind: str
    text: str
    span: Span
    value: int | float | str | None = None
    glued: bool = False


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens, the partner of every opener, and the comment above every op."""

    source: Source
    tokens: tuple[Token, ...]
    partners: Mapping[int, int]
    docs: Mapping[int, str]


def tokenize(source: Source) -> Tokens:
    """The tokens of `source`.

    Raises:
        SpecError: with every error of spelling, codes E0101 to E0110.
    """
    if len(source.text) > MAX_CHARACTERS:
        start = Span(Source(source.name, ""), 0, 0)
        message = f"the text has {len(source.text)} characters"
        help = f"the limit is {MAX_CHARACTERS}"
        raise_spec([Diagnostic("E0108", message, start, (), help)])
    lexer = _Lexer(source)
    lexer.run()
    if lexer.errors:
        raise_spec(lexer.errors[:MAX_ERRORS])
    return Tokens(source, tuple(lexer.tokens), lexer.partners, lexer.docs)


class _Stop(Exception):
    """A limit was reached: reading on would only repeat it."""


class _Lexer:
    """The state of one reading: tokens so far, open brackets, open blocks."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.tokens: list[Token] = []
        self.partners: dict[int, int] = {}
        self.docs: dict[int, str] = {}
        self.errors: list[Diagnostic] = []
        self.openers: list[int] = []
        self.indents = [0]
        self.comments: list[str] = []
        self.in_line = False

    def error(
        self,
        code: str,
        message: str,
        start: int,
        stop: int,
        help: str = "",
        labels: tuple[tuple[Span, str], ...] = (),
    ) -> None:
        span = Span(self.source, start, stop)
        self.errors.append(Diagnostic(code, message, span, labels, help))
        if len(self.errors) >= MAX_ERRORS:
            raise _Stop

    def add(
        self,
        kind: str,
        start: int,
        stop: int,
        value: int | float | str | None = None,
        glued: bool = False,
    ) -> None:
        if len(self.tokens) >= MAX_TOKENS:
            help = f"the limit is {MAX_TOKENS}"
            self.error("E0108", "the text has too many words", start, stop, help)
            raise _Stop
        text = self.source.text[start:stop]
        span = Span(self.source, start, stop)
        self.tokens.append(Token(kind, text, span, value, glued))

    def run(self) -> None:
        try:
            start = 0
            for line in self.source.text.split("\n"):
                self.line(start, line.removesuffix("\r"))
                start += len(line) + 1
            self.unclosed()
        except _Stop:
            return
        end = len(self.source.text)
        if self.in_line:
            self.add("newline", self.tokens[-1].span.stop, self.tokens[-1].span.stop)
        for _ in self.indents[1:]:
            self.add("dedent", end, end)
        self.add("end", end, end)

    def line(self, start: int, line: str) -> None:
        for refused in _REFUSED.finditer(line):
            self.error(
                "E0101",
                f"the character U+{ord(refused.group()):04X} is not allowed here",
                start + refused.start(),
                start + refused.end(),
            )
        body = line.lstrip(" \t")
        indent = len(line) - len(body)
        if not body or body.startswith("#"):
            self.remember(body, indent)
            return
        is_operator = indent == 0 and re.match(r"op[ \t]+[A-Za-z_]", body) is not None
        if self.openers and is_operator:
            # An operator cannot begin inside a bracket: the bracket was forgotten.
            self.unclosed()
        if not self.openers:
            self.begin(start, line, body, indent)
        if is_operator and self.comments:
            self.docs[len(self.tokens)] = "\n".join(self.comments)
        self.comments.clear()
        self.scan(start, line, indent)
        self.in_line = bool(self.tokens)  # False after errors only

    def remember(self, body: str, indent: int) -> None:
        """Keep a comment line; a blank line parts comment blocks."""
        if body and indent == 0:
            self.comments.append(body[1:].removeprefix(" ").rstrip())
        elif not body:
            self.comments.clear()

    def begin(self, start: int, line: str, body: str, indent: int) -> None:
        """Close the logical line before, unless this line continues it."""
        if "\t" in line[:indent]:
            help = "indent with spaces"
            message = "a tab in the indentation"
            self.error("E0107", message, start, start + indent, help)
        if self.in_line:
            last = self.tokens[-1]
            if indent and (last.text == "," or _CONTINUES.match(body)):
                return
            self.add("newline", last.span.stop, last.span.stop)
        if indent > self.indents[-1]:
            self.indents.append(indent)
            self.add("indent", start, start + indent)
        while indent < self.indents[-1]:
            self.indents.pop()
            self.add("dedent", start + indent, start + indent)
        if indent != self.indents[-1]:
            message = "this line lines up with no line above"
            help = "indent the lines of a body alike"
            self.error("E0107", message, start, start + max(indent, 1), help)
            self.indents.append(indent)

    def scan(self, start: int, line: str, column: int) -> None:
        """The tokens of one physical line."""
        last = column
        while column < len(line):
            match = _TOKEN.match(line, column)
            if match is None:
                column += self.unknown(start, line, column)
                continue
            kind, text = str(match.lastgroup), match.group()
            begin, end = start + column, start + match.end()
            glued = column == last and bool(self.tokens)
            column = match.end()
            if kind in {"blank", "comment"}:
                continue
            last = column
            if kind == "number":
                self.number(text, line[column : column + 1], begin, end, glued)
            elif kind == "string":
                self.string(text, begin, end, glued)
            elif kind == "foreign":
                message = f"'{text}' is not part of the language"
                self.error("E0101", message, begin, end, _INSTEAD[text])
            elif kind == "name" and len(text) > MAX_NAME:
                message = f"a name of {len(text)} characters"
                help = f"the limit is {MAX_NAME}"
                self.error("E0110", message, begin, end, help)
            else:
                self.bracket(text, begin, end)
                self.add(kind, begin, end, None, glued)

    def bracket(self, text: str, begin: int, end: int) -> None:
        """Keep the pairing of brackets; `text` is about to be added."""
        if text in _CLOSERS:
            if len(self.openers) >= MAX_NESTING:
                message = f"brackets nested deeper than {MAX_NESTING}"
                help = "name an inner part as a local of its own"
                self.error("E0109", message, begin, end, help)
                raise _Stop
            self.openers.append(len(self.tokens))
        elif text in _CLOSERS.values():
            if not self.openers:
                message = f"'{text}' closes nothing"
                self.error("E0105", message, begin, end)
                return
            opened_at = self.openers.pop()
            opener = self.tokens[opened_at]
            if _CLOSERS[opener.text] != text:
                message = f"'{text}' closes a '{opener.text}'"
                labels = ((opener.span, "opened here"),)
                help = f"close it with '{_CLOSERS[opener.text]}'"
                self.error("E0105", message, begin, end, help, labels)
                return
            self.partners[opened_at] = len(self.tokens)

    def unclosed(self) -> None:
        """Report the innermost bracket still open, and forget all open ones."""
        swallowed = any(error.code == "E0102" for error in self.errors)
        if self.openers and not swallowed:
            opener = self.tokens[self.openers[-1]]
            message = f"'{opener.text}' is never closed"
            help = f"add the missing '{_CLOSERS[opener.text]}'"
            span = opener.span
            self.error("E0104", message, span.start, span.stop, help)
        self.openers.clear()

    def number(self, text: str, after: str, begin: int, end: int, glued: bool) -> None:
        following = self.source.text[end : end + 2]
        if after.isalpha() or after == "_":
            message = f"a number followed directly by '{after}'"
            help = f"write a product with '*': {text}*{after}"
            if text.lower() in {"0x", "0b", "0o"} or text == "0":
                help = "a number is written 12, 0x1f, 1.5 or 1e-6"
            self.error("E0106", message, begin, end + 1, help)
            return
        if after == "." and following != "..":
            help = f"write {text}.0"
            message = "digits are missing after the point"
            self.error("E0106", message, begin, end + 1, help)
            return
        value = _value(text)
        if value is None:
            message = "a malformed or too large number"
            help = "integers have at most 64 bits, floats are finite; or write inf"
            self.error("E0106", message, begin, end, help)
            return
        self.add("number", begin, end, value, glued)

    def string(self, text: str, begin: int, end: int, glued: bool) -> None:
        def escape(match: re.Match[str]) -> str:
            known = {"n": "\n", '"': '"', "\\": "\\"}
            if match.group(1) not in known:
                place = begin + 1 + match.start()
                message = f"'\\{match.group(1)}' is no escape of the language"
                help = 'the escapes are \\", \\\\ and \\n'
                self.error("E0103", message, place, place + 2, help)
            return known.get(match.group(1), "")

        value = re.sub(r"\\(.)", escape, text[1:-1])
        self.add("string", begin, end, value, glued)

    def unknown(self, start: int, line: str, column: int) -> int:
        """Report what is no token; returns how many characters to skip."""
        character = line[column]
        begin = start + column
        if character == '"':
            stop = start + len(line)
            message = "a string that is not closed on its line"
            self.error("E0102", message, begin, stop, "close it with '\"'")
            return len(line) - column
        if _REFUSED.match(character):
            return 1  # Reported already, for the whole line.
        if not character.isascii() and character.isidentifier():
            length = _run(line, column, lambda c: c.isidentifier() or c.isdigit())
            name = line[column : column + length]
            message = f"'{name}' is not a name"
            help = "names are made of the letters a-z and A-Z, digits and '_'"
            self.error("E0101", message, begin, begin + length, help)
            return length
        help = _INSTEAD.get(character, "")
        message = f"'{character}' is not part of the language"
        self.error("E0101", message, begin, begin + 1, help)
        return 1


def _run(line: str, column: int, wanted: Callable[[str], bool]) -> int:
    length = 1
    while column + length < len(line) and wanted(line[column + length]):
        length += 1
    return length


def _value(text: str) -> int | float | None:
    """The value of a number's text, or None when it is malformed or too large."""
    if len(text) > MAX_NUMBER or text.lower() == "0x":
        return None
    if text[:2].lower() == "0x":
        integer = int(text, 16)
        return integer if integer < 1 << 64 else None
    if text.isdigit():
        integer = int(text)
        leading_zero = len(text) > 1 and text[0] == "0"
        return None if integer >= 1 << 64 or leading_zero else integer
    value = float(text)
    return value if value != float("inf") else None
