"""What somebody meant who wrote something that other languages have."""

from __future__ import annotations

from opslib.language.lexer import Token

_CONDITIONAL = "a choice has both branches, the value first: a if condition else b"

# By the beginning of what was wanted, where nothing else says more.
_WANTED = {
    "'else'": _CONDITIONAL,
    "'(' and the parameters": "an operator begins as op name(x: T) -> y: T",
    "'->'": "say what it gives: op name(x: T) -> y: T",
    "a result": "say what it gives: -> y: T, or -> (y: T, z: T)",
    "':' and the classes": "write where T: float",
    "':' and a message": 'say what the caller reads: requires n > 0 : "x is empty"',
    "'where', '='": "several results stand in brackets: -> (y: T, z: T)",
}


def meant(wanted: str, last: Token, token: Token, after: Token) -> str:
    """A help text for the token found where `wanted` should be, or nothing."""
    if last.text in ("def", "fn", "function") and wanted.startswith("'('"):
        return "an operator begins with 'op': op name(x: T) -> y: T"
    if token.text == "=" and after.text == ">":
        return "the arrow is written '->'"
    if token.text == "." and after.kind == "number":
        return f"digits are missing before the point: 0.{after.text}"
    if token.text == ".":
        return (
            "functions go by their name alone, exp(x); sizes are names of axes, x: T[n]"
        )
    if token.text == "?":
        return _CONDITIONAL
    if token.text == ">" and last.text == "<":
        return "'not equal' is written '!='"
    if token.text == ":" and not wanted.startswith("':'"):
        return "there are no slices: y[i] = x[i + 1] reads from the second on"
    if token.text == "if":
        return _CONDITIONAL
    if token.text == "where" and wanted.startswith("an operator"):
        return "classes of dtypes stand behind the results: -> y: T where T: float"
    if last.text == "return":
        return "there is no 'return': the value stands alone"
    if wanted.startswith("an operator") and last.kind == token.kind == "name":
        return f"a call has brackets, {last.text}({token.text}), a product a '*'"
    if wanted == "an expression" and token.kind in ("newline", "end"):
        return "a line goes on in brackets, or where the next begins with an operator"
    return next((h for w, h in _WANTED.items() if wanted.startswith(w)), "")
