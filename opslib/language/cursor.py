"""A place in the tokens, and the few moves that all parsing functions share."""

from __future__ import annotations

from collections.abc import Collection
from typing import NoReturn

from opslib.language.diagnostics import Diagnostic, SpecFailure
from opslib.language.lexer import MAX_NESTING, Token, Tokens
from opslib.language.slips import meant
from opslib.language.syntax import Span

# Words that mean something inside an expression, and so cannot be names. All other
# words of the grammar (op, where, axis, sum ...) are known by their place only.
RESERVED = frozenset(
    {"if", "else", "and", "or", "not", "is", "true", "false", "none", "inf"}
    | {"nan", "pi"}
)


class Cursor:
    """Reads `tokens` from the front; `at` is the index of the next one."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens.tokens
        self.partners = tokens.partners
        self.docs = tokens.docs
        self.at = 0
        self.depth = 0

    @property
    def next(self) -> Token:
        """The token to be read next."""
        return self.tokens[self.at]

    @property
    def last(self) -> Token:
        """The token read last."""
        return self.tokens[max(self.at - 1, 0)]

    def peek(self, ahead: int) -> Token:
        """The token `ahead` places after the next one."""
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)]

    def advance(self) -> Token:
        """Read one token; the last one, ``end``, is never passed."""
        token = self.next
        if token.kind != "end":
            self.at += 1
        return token

    def is_mark(self, *texts: str) -> bool:
        """Whether the next token is one of these marks."""
        return self.next.kind == "mark" and self.next.text in texts

    def is_word(self, *texts: str) -> bool:
        """Whether the next token is one of these words."""
        return self.next.kind == "name" and self.next.text in texts

    def accept(self, text: str) -> Token | None:
        """Read the next token if it is the mark or word `text`."""
        if self.next.text == text and self.next.kind in {"mark", "name"}:
            return self.advance()
        return None

    def expect(self, text: str, purpose: str = "") -> Token:
        """Read the mark or word `text`, or fail."""
        token = self.accept(text)
        if token is None:
            self.unexpected(f"'{text}'{' ' if purpose else ''}{purpose}")
        return token

    def name(self, what: str) -> Token:
        """Read a name that may be declared, or fail; `what` says what it names."""
        token = self.next
        if token.kind != "name":
            self.unexpected(what)
        if token.text in RESERVED:
            self.fail(
                "E0204",
                f"'{token.text}' is a reserved word",
                token.span,
                help=f"{what} needs another name",
            )
        return self.advance()

    def kind(self, kind: str, what: str) -> Token:
        """Read a token of this kind, or fail."""
        if self.next.kind != kind:
            self.unexpected(what)
        return self.advance()

    def unexpected(self, wanted: str, help: str = "") -> NoReturn:
        """Fail at the next token, which is not what is `wanted`."""
        token = self.next
        self.fail(
            "E0201",
            f"expected {wanted}, found {_describe(token)}",
            token.span,
            help=help or meant(wanted, self.last, token, self.peek(1)),
        )

    def fail(
        self,
        code: str,
        message: str,
        span: Span,
        labels: tuple[tuple[Span, str], ...] = (),
        help: str = "",
    ) -> NoReturn:
        """Give up the statement being read."""
        raise SpecFailure(Diagnostic(code, message, span, labels, help))

    def enter(self) -> None:
        """One level of recursion deeper; pair with `leave`."""
        self.depth += 1
        if self.depth > MAX_NESTING + 16:
            help = "name an inner part as a local of its own"
            message = f"an expression nested deeper than {MAX_NESTING}"
            self.fail("E0109", message, self.next.span, help=help)

    def leave(self) -> None:
        """One level of recursion less deep."""
        self.depth -= 1

    def skip_line(self) -> None:
        """Go on after an error: past the end of the logical line."""
        self.depth = 0
        while self.next.kind not in {"newline", "dedent", "end"}:
            self.advance()
        if self.next.kind == "newline":
            self.advance()

    def closes(self, texts: Collection[str]) -> bool:
        """Whether the bracket opened by the next token is followed by one of these.

        The follower must touch the bracket: ``max[j](x)`` but not ``(h[i] (a b))``.
        """
        partner = self.partners.get(self.at)
        if partner is None:
            return False
        after = self.tokens[min(partner + 1, len(self.tokens) - 1)]
        return after.glued and after.kind == "mark" and after.text in texts


def _describe(token: Token) -> str:
    names = {
        "newline": "the end of the line",
        "indent": "an indented line",
        "dedent": "the end of the block",
        "end": "the end of the text",
    }
    return names.get(token.kind, f"'{token.text}'")
