"""Spec text in, checked tree out, and every error a caret under the very characters.

Read in this order: `syntax` (the tree, the contract with everything behind),
`lexer` (characters to tokens), `parser` (tokens to the tree; expressions and
statements in files of their own), `functions` (what the language knows by name),
`checker` (names, ranks, coverage), `printer` (the tree back to canonical text),
`library` (the shipped specs); `diagnostics` shows what is wrong, and where.
"""

from opslib.language.checker import check
from opslib.language.diagnostics import Diagnostic, render
from opslib.language.parser import parse_operator, parse_operators
from opslib.language.syntax import Source

__all__ = [
    "Diagnostic",
    "Source",
    "check",
    "parse_operator",
    "parse_operators",
    "render",
]
