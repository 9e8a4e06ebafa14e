"""Identifiers that no keyword, macro or function of ours can clash with."""

from __future__ import annotations

import re

_KEYWORDS = [
    "auto",
    "break",
    "case",
    "char",
    "const",
    "continue",
    "default",
    "do",
    "double",
    "else",
    "enum",
    "extern",
    "float",
    "for",
    "goto",
    "if",
    "inline",
    "int",
    "long",
    "register",
    "restrict",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "struct",
    "switch",
    "typedef",
    "union",
    "unsigned",
    "void",
    "volatile",
    "while",
    "asm",
    "typeof",
    "bool",
    "true",
    "false",
    "complex",
    "imaginary",
    "alignas",
    "alignof",
    "atomic",
    "generic",
    "noreturn",
    "thread_local",
    "nullptr",
    "constexpr",
    "static_assert",
    "class",
    "namespace",
    "new",
    "delete",
    "template",
    "this",
    "throw",
    "try",
    "catch",
    "private",
    "public",
    "protected",
    "virtual",
    "operator",
    "friend",
    "using",
    "typename",
    "explicit",
    "export",
    "mutable",
    "lambda",
    "and",
    "or",
    "not",
    "xor",
    "bitand",
    "bitor",
    "compl",
    "concept",
    "requires",
    "decltype",
    "noexcept",
    "linux",
    "unix",
    "i386",
    "i686",
    "near",
    "far",
    "huge",
    "pascal",
    "cdecl",
    "interrupt",
    "arm",
    "mips",
    "sparc",
    "vax",
    "sun",
    "hpux",
    "errno",
    "stdin",
    "stdout",
    "stderr",
    "main",
    "assert",
    "signbit",
    "isnan",
    "isinf",
    "isfinite",
    "isnormal",
    "fpclassify",
    "memcpy",
    "memset",
    "memmove",
    "malloc",
    "free",
    "abort",
    "exit",
    "vector",
    "half",
    "ctx",
    "buffers",
    "ints",
    "reals",
    "self",
    "first",
    "past",
    "worker",
    "shared",
    "state",
    "status",
    "status_now",
    "left",
]
RESERVED = frozenset(_KEYWORDS)
# Macros are in capitals, types end in _t, and the compiler owns leading underscores.
_OWNED = re.compile(r"^(_|ops_|opslib_|[A-Z][A-Z0-9_]*$|.*_t$)")


def mangle(name: str) -> str:
    """A C identifier for `name`, readable and different for different names."""
    text = "".join(
        c if c.isascii() and (c.isalnum() or c == "_") else f"u{ord(c):x}_"
        for c in name
    )
    if not text or text[0].isdigit():
        text = f"v_{text}"
    if text in RESERVED or (_OWNED.match(text) and text != "T"):
        text = f"v{text}" if text[0] == "_" else f"{text}_"
        if text.startswith(("ops_", "opslib_")):
            text = f"v_{text}"
    return text


class Names:
    """The identifiers taken in one kernel."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def fresh(self, base: str) -> str:
        """`base`, mangled, with a number if it is taken."""
        stem = mangle(base)
        name, count = stem, 1
        while name in self._taken:
            count += 1
            name = f"{stem}_{count}"
        self._taken.add(name)
        return name

    def copy(self) -> frozenset[str]:
        """What is taken now, for `restore`."""
        return frozenset(self._taken)

    def restore(self, taken: frozenset[str]) -> None:
        """Gives back the names taken since: a printer has undone what it printed."""
        self._taken = set(taken)
